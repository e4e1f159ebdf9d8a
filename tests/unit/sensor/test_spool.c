// SPDX-License-Identifier: Apache-2.0
/*
 * The spool: what goes in comes out in order and chained; what has no room is declared. Batches are
 * read back by batch_open().
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "platform/crypto.h"
#include "sensor/spool.h"

static const uint8_t stream[WIRE_STREAM_ID] = {1, 2, 3};

static struct flowrec rec_of(unsigned i)
{
	return (struct flowrec){
		.src = {{10, 0, (uint8_t)(i >> 8), (uint8_t)i}},
		.dst = {{192, 0, 2, 1}},
		.family = 4,
		.protocol = 17,
		.srcport = (uint16_t)i,
		.dstport = 53,
		.packets = 2,
		.bytes = 100,
		.start = 1000 + i,
		.end = 1001 + i,
	};
}

/* Follows the chain over every batch in the spool after `sequence`; returns the records seen, gaps
 * add to *ret_gap. */
static uint64_t follow(const struct spool *s, struct batch_chain *chain, uint64_t *ret_gap)
{
	struct spool_batch b;
	uint64_t records = 0;

	while (spool_after(s, chain->sequence, &b)) {
		struct batch *batch;
		struct err err = {""};

		assert_int_equal(batch_open(&batch, b.bytes, b.len, &err), 0);
		if (batch_chain_check(chain, batch_head(batch), &err) != 0)
			fail_msg("batch %llu: %s", (unsigned long long)b.sequence, err.text);
		assert_int_equal(batch_head(batch)->sequence, b.sequence);
		chain->sequence = b.sequence;
		crypto_sha256(chain->digest, b.bytes, b.len);
		records += batch_record_count(batch);
		if (batch_head(batch)->has_gap) {
			*ret_gap += batch_head(batch)->gap.records;
			assert_int_equal(batch_head(batch)->gap.packets,
					 2 * batch_head(batch)->gap.records);
		}
		batch_free(batch);
	}
	return records;
}

static void nothing_is_lost_that_is_acknowledged_in_time(void **state)
{
	struct batch_chain chain = {.sequence = 0};
	struct spool *s;
	struct spool_stats stats;
	uint64_t records = 0, gap = 0;

	(void)state;
	assert_int_equal(spool_new(&s, 1, stream), 0);
	batch_chain_start(chain.digest, stream);
	for (unsigned i = 0; i < 60000; i++) {
		struct flowrec rec = rec_of(i);

		spool_record(s, &rec, i);
		if (!spool_has_room(s) || i % 977 == 0) {
			records += follow(s, &chain, &gap);
			spool_ack(s, chain.sequence);
		}
	}
	spool_flush(s, 1, true);
	records += follow(s, &chain, &gap);
	spool_stats(s, &stats);
	assert_int_equal(records, 60000);
	assert_int_equal(gap, 0);
	assert_int_equal(stats.closed, chain.sequence);
	assert_int_equal(stats.given_up_batches, 0);
	spool_free(s);
}

static void a_full_spool_declares_what_it_gave_up(void **state)
{
	struct batch_chain chain = {.sequence = 0};
	struct spool *s;
	struct spool_stats stats;
	uint64_t records = 0, gap = 0;
	const unsigned n = 400000;

	(void)state;
	assert_int_equal(spool_new(&s, 1, stream), 0);
	batch_chain_start(chain.digest, stream);
	for (unsigned i = 0; i < n; i++) {
		struct flowrec rec = rec_of(i);

		spool_record(s, &rec, i);
	}
	spool_stats(s, &stats);
	assert_true(stats.given_up_batches > 0);
	records += follow(s, &chain, &gap);
	spool_ack(s, chain.sequence); /* the collector is back */
	spool_flush(s, 1, false);
	spool_flush(s, 2, false); /* the gap is declared once */
	records += follow(s, &chain, &gap);
	assert_true(gap > 0);
	assert_int_equal(records + gap, n);
	spool_stats(s, &stats);
	assert_int_equal(stats.given_up_records, gap);
	assert_int_equal(stats.closed, chain.sequence);
	spool_free(s);
}

/* A collector that is always late: the ring wraps while old batches are in it, and now and then it is full. */
static void nothing_overwrites_what_is_not_acknowledged(void **state)
{
	struct batch_chain chain = {.sequence = 0};
	struct spool *s;
	uint64_t records = 0, gap = 0;
	const unsigned n = 1500000;

	(void)state;
	assert_int_equal(spool_new(&s, 1, stream), 0);
	batch_chain_start(chain.digest, stream);
	for (unsigned i = 0; i < n; i++) {
		struct flowrec rec = rec_of(i);

		spool_record(s, &rec, i);
		if (i % 70001 == 0) {
			if (chain.sequence > 3)
				spool_ack(s, chain.sequence - 3);
			records += follow(s, &chain, &gap);
		}
	}
	records += follow(s, &chain, &gap);
	spool_ack(s, chain.sequence);
	spool_flush(s, 1, false);
	records += follow(s, &chain, &gap);
	assert_true(gap > 0);
	assert_int_equal(records + gap, n);
	spool_free(s);
}

static void batches_stay_until_acknowledged(void **state)
{
	struct spool *s;
	struct spool_batch b;

	(void)state;
	assert_int_equal(spool_new(&s, 1, stream), 0);
	assert_false(spool_after(s, 0, &b));
	for (unsigned i = 0; i < 5; i++)
		spool_flush(s, i, false); /* heartbeats */
	assert_true(spool_after(s, 0, &b));
	assert_int_equal(b.sequence, 1);
	spool_ack(s, 3);
	assert_true(spool_after(s, 0, &b));
	assert_int_equal(b.sequence, 4);
	assert_true(spool_after(s, 4, &b));
	assert_int_equal(b.sequence, 5);
	assert_false(spool_after(s, 5, &b));
	spool_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_that_is_acknowledged_in_time),
		cmocka_unit_test(a_full_spool_declares_what_it_gave_up),
		cmocka_unit_test(nothing_overwrites_what_is_not_acknowledged),
		cmocka_unit_test(batches_stay_until_acknowledged),
	};

	return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
