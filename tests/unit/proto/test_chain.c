// SPDX-License-Identifier: Apache-2.0
/*
 * The chain of digests and the residual of the packet equation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "proto/batch.h"
#include "proto/wire.h"

/* SHA-256 of the 16 bytes 0, 1, ... 15, by sha256sum(1). */
static const uint8_t digest_of_id[SHA256_BYTES] = {
	0xbe, 0x45, 0xcb, 0x26, 0x05, 0xbf, 0x36, 0xbe, 0xbd, 0xe6, 0x84,
	0x84, 0x1a, 0x28, 0xf0, 0xfd, 0x43, 0xc6, 0x98, 0x50, 0xa3, 0xdc,
	0xe5, 0xfe, 0xdb, 0xa6, 0x99, 0x28, 0xee, 0x3a, 0x89, 0x91,
};

static void test_start(void **state)
{
	uint8_t id[WIRE_STREAM_ID], digest[SHA256_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(id); i++)
		id[i] = (uint8_t)i;
	batch_chain_start(digest, id);
	assert_memory_equal(digest, digest_of_id, sizeof(digest));
}

/* Digests are named by the byte that fills them. */
struct row {
	uint64_t stands;
	uint8_t stands_digest;
	uint64_t sequence;
	uint8_t previous;
	uint64_t gap_first, gap_last; /* 0: no gap */
	uint8_t gap_digest;
	int rc;
	const char *text;
};

static const struct row rows[] = {
	{0, 'i', 1, 'i', 0, 0, 0, 0, ""},
	{5, 'a', 6, 'a', 0, 0, 0, 0, ""},
	{UINT64_MAX - 1, 'a', UINT64_MAX, 'a', 0, 0, 0, 0, ""},
	{0, 'i', 1, 'x', 0, 0, 0, ERR_FORMAT, "batch 1 does not begin with this stream's id"},
	{5, 'a', 6, 'x', 0, 0, 0, ERR_FORMAT, "batch 6 names another batch as its predecessor"},
	{5, 'a', 7, 'a', 0, 0, 0, ERR_FORMAT, "sequence 7 after 5: batch 6 is missing"},
	{5, 'a', 9, 'a', 0, 0, 0, ERR_FORMAT, "sequence 9 after 5: batches 6 to 8 are missing"},
	{0, 'i', 2, 'i', 0, 0, 0, ERR_FORMAT, "sequence 2 after 0: batch 1 is missing"},
	/* repeats, whatever they name */
	{5, 'a', 5, 'a', 0, 0, 0, ERR_EXISTS, "batch 5 was taken before: the chain stands at 5"},
	{5, 'a', 1, 'x', 0, 0, 0, ERR_EXISTS, "batch 1 was taken before: the chain stands at 5"},
	{UINT64_MAX, 'a', 1, 'a', 0, 0, 0, ERR_EXISTS, "batch 1 was taken before"},
	{5, 'a', 4, 'g', 2, 3, 'g', ERR_EXISTS, "batch 4 was taken before"},
	/* gaps */
	{5, 'a', 9, 'g', 6, 8, 'g', 0, ""},
	{5, 'a', 7, 'g', 6, 6, 'g', 0, ""},
	{0, 'i', 4, 'g', 1, 3, 'g', 0, ""},
	{5, 'a', 9, 'g', 7, 8, 'g', ERR_FORMAT,
	 "a gap that begins at 7 after 5: batch 6 is missing"},
	{5, 'a', 12, 'g', 9, 11, 'g', ERR_FORMAT,
	 "a gap that begins at 9 after 5: batches 6 to 8 are"},
	{5, 'a', 9, 'g', 5, 8, 'g', ERR_FORMAT,
	 "batch 9 gives up batches from 5 on, but those up to 5"},
	{5, 'a', 9, 'g', 6, 7, 'g', ERR_FORMAT,
	 "batch 9 gives up batches up to 7, which is not the"},
	{5, 'a', 9, 'g', 6, 9, 'g', ERR_FORMAT,
	 "batch 9 gives up batches up to 9, which is not the"},
	{5, 'a', 9, 'x', 6, 8, 'g', ERR_FORMAT,
	 "batch 9 names another batch as its predecessor than"},
	{5, 'a', 9, 'a', 6, 8, 'g', ERR_FORMAT,
	 "batch 9 names another batch as its predecessor than"},
};

static void test_check(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct batch_chain chain = {.sequence = r->stands};
		struct batch_head head = {.sequence = r->sequence, .has_gap = r->gap_first != 0};
		struct err err = {""};

		memset(chain.digest, r->stands_digest, SHA256_BYTES);
		memset(head.previous, r->previous, SHA256_BYTES);
		head.gap.first = r->gap_first;
		head.gap.last = r->gap_last;
		memset(head.gap.digest, r->gap_digest, SHA256_BYTES);
		if (batch_chain_check(&chain, &head, &err) != r->rc ||
		    strncmp(err.text, r->text, strlen(r->text)) != 0 || (r->rc == 0 && err.text[0]))
			fail_msg("row %zu, \"%s\": \"%s\"", i, r->text, err.text);
		assert_true(chain.sequence == r->stands);
	}
}

/* One byte of 32 is enough, wherever it is. */
static void test_every_byte_counts(void **state)
{
	struct batch_chain chain = {.sequence = 1};
	struct batch_head head = {.sequence = 2};

	(void)state;
	assert_int_equal(batch_chain_check(&chain, &head, NULL), 0);
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		head.previous[i] = 1;
		assert_int_equal(batch_chain_check(&chain, &head, NULL), ERR_FORMAT);
		head.previous[i] = 0;
	}
}

static void test_residual(void **state)
{
	static const struct {
		struct batch_account account;
		int64_t residual;
	} cases[] = {
		{{.received = 0}, 0},
		{{.received = 31, .recorded = 1, .live = 2, .not_ip = 4, .malformed = 8, .cut = 16},
		 0},
		{{.received = 30, .recorded = 1, .live = 2, .not_ip = 4, .malformed = 8, .cut = 16},
		 -1},
		{{.received = 100, .recorded = 98}, 2},
		/* drops never reached us: they are not terms */
		{{.received = 5, .live = 5, .kernel_dropped = 9, .kernel_known = true}, 0},
		/* a frame that stood for 45 packets, and one that stood for itself */
		{{.received = 2, .offload_packets = 44, .recorded = 46}, 0},
		{{.received = 2, .offload_packets = 44, .recorded = 45}, 1},
		{{.received = 1, .offload_packets = UINT64_MAX}, INT64_MAX},
		{{.received = UINT64_MAX, .recorded = UINT64_MAX}, 0},
		{{.received = UINT64_MAX}, INT64_MAX},
		{{.recorded = UINT64_MAX}, INT64_MIN},
		/* 2^64 of them are not 0 */
		{{.received = 0, .recorded = UINT64_MAX, .live = 1}, INT64_MIN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_true(batch_account_residual(&cases[i].account) == cases[i].residual);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_every_byte_counts),
		cmocka_unit_test(test_residual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
