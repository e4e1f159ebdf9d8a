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
static const struct {
	uint64_t stands;
	uint8_t stands_digest;
	uint64_t sequence;
	uint8_t previous;
	int rc;
	const char *text;
} rows[] = {
	{0, 'i', 1, 'i', 0, ""},
	{5, 'a', 6, 'a', 0, ""},
	{UINT64_MAX - 1, 'a', UINT64_MAX, 'a', 0, ""},
	{0, 'i', 1, 'x', ERR_FORMAT, "batch 1 does not begin with this stream's id"},
	{5, 'a', 6, 'x', ERR_FORMAT, "batch 6 names another batch as its predecessor"},
	{5, 'a', 7, 'a', ERR_FORMAT, "sequence 7 after 5: batch 6 is missing"},
	{5, 'a', 9, 'a', ERR_FORMAT, "sequence 9 after 5: batches 6 to 8 are missing"},
	{0, 'i', 2, 'i', ERR_FORMAT, "sequence 2 after 0: batch 1 is missing"},
	/* repeats, whatever they name */
	{5, 'a', 5, 'a', ERR_EXISTS, "batch 5 was taken before: the chain stands at 5"},
	{5, 'a', 1, 'x', ERR_EXISTS, "batch 1 was taken before: the chain stands at 5"},
	{UINT64_MAX, 'a', 1, 'a', ERR_EXISTS, "batch 1 was taken before"},
};

static void test_check(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct batch_chain chain = {.sequence = rows[i].stands};
		struct batch_head head = {.sequence = rows[i].sequence};
		struct err err = {""};

		memset(chain.digest, rows[i].stands_digest, SHA256_BYTES);
		memset(head.previous, rows[i].previous, SHA256_BYTES);
		if (batch_chain_check(&chain, &head, &err) != rows[i].rc ||
		    strncmp(err.text, rows[i].text, strlen(rows[i].text)) != 0 ||
		    (rows[i].rc == 0 && err.text[0]))
			fail_msg("row %zu, \"%s\": \"%s\"", i, rows[i].text, err.text);
		assert_true(chain.sequence == rows[i].stands);
	}
}

static void test_check_gap(void **state)
{
	static const struct {
		uint64_t stands, first, last;
		int rc;
		const char *text;
	} gaps[] = {
		{5, 6, 8, 0, ""},
		{5, 6, 6, 0, ""},
		{0, 1, 3, 0, ""},
		{5, 2, 8, 0, ""}, /* those up to 5 were on their way when they were given up */
		{5, 1, UINT64_MAX, 0, ""},
		{5, 7, 8, ERR_FORMAT, "a gap that begins at 7 after 5: batch 6 is missing"},
		{5, 9, 11, ERR_FORMAT, "a gap that begins at 9 after 5: batches 6 to 8 are"},
		{5, 1, 5, ERR_EXISTS, "a gap up to 5 was taken before: the chain stands at 5"},
		{5, 2, 3, ERR_EXISTS, "a gap up to 3 was taken before"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
		struct batch_chain chain = {.sequence = gaps[i].stands};
		struct batch_gap gap = {.first = gaps[i].first, .last = gaps[i].last};
		struct err err = {""};

		if (batch_chain_check_gap(&chain, &gap, &err) != gaps[i].rc ||
		    strncmp(err.text, gaps[i].text, strlen(gaps[i].text)) != 0)
			fail_msg("row %zu, \"%s\": \"%s\"", i, gaps[i].text, err.text);
	}
}

/* Batches of 10 records and 30 packets each; what a gap claims must be what the next batch counts. */
static void test_counts(void **state)
{
	uint8_t digest[SHA256_BYTES] = {9};
	struct batch_chain chain = {.counts = true}, broken;
	struct batch_head head = {.sequence = 1};
	struct batch_gap gap = {.first = 2, .last = 4, .records = 30, .packets = 90, .lines = 7};
	struct err err = {""};

	(void)state;
	assert_int_equal(batch_chain_check(&chain, &head, &err), 0);
	batch_chain_take(&chain, &head, digest, 10, 30, 5);
	batch_chain_take_gap(&chain, &gap);
	assert_int_equal(chain.sequence, 4);
	head = (struct batch_head){
		.sequence = 5, .records_before = 40, .packets_before = 120, .lines_before = 12};
	assert_int_equal(batch_chain_check(&chain, &head, &err), 0);
	head.records_before = 39;
	assert_int_equal(batch_chain_check(&chain, &head, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "batch 5 counts 39 records of 120 packets before it, the "
					 "batches and gaps up to it hold 40 of 120"));
	head.records_before = 40;
	head.packets_before = 121;
	assert_int_equal(batch_chain_check(&chain, &head, &err), ERR_FORMAT);
	head.packets_before = 120;
	head.lines_before = 13;
	assert_int_equal(batch_chain_check(&chain, &head, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "counts 13 lines"));
	assert_non_null(strstr(err.text, "hold 12"));
	head.lines_before = 12;
	assert_int_equal(batch_chain_check(&chain, &head, &err), 0);

	/* A gap whose beginning is here says nothing of the rest; the next batch does. */
	broken = (struct batch_chain){.sequence = 2, .counts = true, .records = 20, .packets = 60};
	batch_chain_take_gap(&broken, &gap);
	head.packets_before = 120;
	assert_int_equal(batch_chain_check(&broken, &head, &err), 0);
	batch_chain_take(&broken, &head, digest, 10, 30, 0);
	head = (struct batch_head){
		.sequence = 6, .records_before = 50, .packets_before = 150, .lines_before = 12};
	memcpy(head.previous, digest, sizeof(digest));
	assert_int_equal(batch_chain_check(&broken, &head, &err), 0);
	head.records_before = 51;
	assert_int_equal(batch_chain_check(&broken, &head, &err), ERR_FORMAT);
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
		cmocka_unit_test(test_check_gap),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_every_byte_counts),
		cmocka_unit_test(test_residual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
