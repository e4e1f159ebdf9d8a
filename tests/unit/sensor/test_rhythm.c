// SPDX-License-Identifier: Apache-2.0
/*
 * Rhythm: what begins a burst, when it is told, who gives way; and bursts in a batch and out of it.
 */
#include "sensor/rhythm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/batch.h"

enum { T0 = 17000000, TCP = 6, TOLD_MAX = 64 };

static const uint64_t key[2] = {3, 4};
static struct batch_burst told[TOLD_MAX];
static size_t n_told;

static void on_told(void *ctx, const struct batch_burst *burst)
{
	(void)ctx;
	assert_true(n_told < TOLD_MAX);
	told[n_told++] = *burst;
}

static struct rhythm *fresh(size_t slots)
{
	struct rhythm *r;

	n_told = 0;
	assert_int_equal(rhythm_new(&r, slots, key, &(struct rhythm_sink){.told = on_told}), 0);
	return r;
}

/* This machine, side a, calls 203.0.113.N. */
static struct flow_entry call(uint8_t n, uint16_t port)
{
	return (struct flow_entry){.key = {.a = {{10, 0, 0, 5}},
					   .b = {{203, 0, 113, n}},
					   .port_a = 50000,
					   .port_b = port,
					   .protocol = TCP,
					   .family = 4},
				   .initiator = FLOW_INITIATOR_A,
				   .a_local = true};
}

static void note(struct rhythm *r, uint8_t n, uint64_t tenths)
{
	struct flow_entry entry = call(n, 443);

	rhythm_note(r, &entry, tenths);
}

static void a_burst_needs_silence_before_it(void **state)
{
	/* Tenths; a burst needs 50 of silence since the endpoint was touched last. */
	static const struct {
		uint64_t at;
		bool burst;
	} rows[] = {{0, true},   {10, false},  {59, false}, {108, false}, {158, true},
		    {208, true}, {257, false}, {307, true}, {300, false}, {357, true}};
	struct rhythm *r = fresh(16);
	struct flow_entry entry = call(9, 443);
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		rhythm_note(r, &entry, T0 + rows[i].at);
	assert_true(rhythm_walk(r, SIZE_MAX, false));
	assert_int_equal(n_told, 1);
	assert_int_equal(told[0].port, 443);
	assert_int_equal(told[0].remote.b[3], 9);
	assert_int_equal(told[0].direction, FLOWREC_EGRESS);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].burst)
			assert_int_equal(told[0].tenths[n++], T0 + rows[i].at);
	assert_int_equal(told[0].n, n);
	rhythm_free(r);
}

static void few_calls_are_not_told(void **state)
{
	struct rhythm *r = fresh(16);
	struct flow_entry entry = call(9, 443);

	(void)state;
	rhythm_note(r, &entry, T0);
	rhythm_note(r, &entry, T0 + 600);
	assert_true(rhythm_walk(r, SIZE_MAX, true));
	assert_int_equal(n_told, 0);
	rhythm_note(r, &entry, T0 + 1200);
	assert_true(rhythm_walk(r, SIZE_MAX, false));
	assert_int_equal(n_told, 1);
	assert_int_equal(told[0].n, 3);
	/* From now on three at a time, the rest at the end. */
	rhythm_note(r, &entry, T0 + 1800);
	rhythm_note(r, &entry, T0 + 2400);
	assert_true(rhythm_walk(r, SIZE_MAX, false));
	assert_int_equal(n_told, 1);
	assert_true(rhythm_walk(r, SIZE_MAX, true));
	assert_int_equal(n_told, 2);
	assert_int_equal(told[1].n, 2);
	assert_int_equal(told[1].tenths[0], T0 + 1800);
	rhythm_free(r);
}

/* The last walk sees what an earlier one went past. */
static void the_last_walk_sees_all(void **state)
{
	struct rhythm *r = fresh(64);
	size_t calls = 0;

	(void)state;
	for (uint8_t n = 0; n < 16; n++)
		for (uint64_t i = 0; i < 3; i++)
			note(r, n, T0 + i * 600);
	assert_false(rhythm_walk(r, 32, false));
	for (uint8_t n = 0; n < 16; n++)
		note(r, n, T0 + 1800);
	rhythm_walk_anew(r);
	assert_true(rhythm_walk(r, SIZE_MAX, true));
	for (size_t i = 0; i < n_told; i++)
		calls += told[i].n;
	assert_int_equal(calls, 16 * 4);
	rhythm_free(r);
}

static void a_full_slot_is_told_at_once(void **state)
{
	struct rhythm *r = fresh(16);
	struct flow_entry entry = call(9, 443);

	(void)state;
	for (uint64_t i = 0; i < 20; i++)
		rhythm_note(r, &entry, T0 + i * 100);
	assert_int_equal(n_told, 2);
	assert_int_equal(told[0].n, BURST_TIMES);
	assert_int_equal(told[1].tenths[0], T0 + BURST_TIMES * 100);
	rhythm_free(r);
}

static void what_peers_begin_is_not_kept(void **state)
{
	struct rhythm *r = fresh(16);
	struct flow_entry entry = call(9, 443);
	struct rhythm_stats stats;

	(void)state;
	entry.initiator = FLOW_INITIATOR_B;
	for (uint64_t i = 0; i < 20; i++)
		rhythm_note(r, &entry, T0 + i * 100);
	rhythm_stats(r, &stats);
	assert_int_equal(stats.kept, 0);
	assert_int_equal(n_told, 0);
	rhythm_free(r);
}

/* A flood of endpoints called once does not drive out one that is called again and again. */
static void a_flood_does_not_drive_out_a_beacon(void **state)
{
	struct rhythm *r = fresh(16);
	struct flow_entry beacon = call(9, 443);
	struct rhythm_stats stats;
	size_t calls = 0;

	(void)state;
	rhythm_note(r, &beacon, T0);
	rhythm_note(r, &beacon, T0 + 50);
	for (unsigned i = 2; i < 12; i++) {
		rhythm_note(r, &beacon, T0 + i * 600);
		for (unsigned k = 0; k < 1000; k++) {
			struct flow_entry other = call(1, (uint16_t)(1000 * i + k));

			rhythm_note(r, &other, T0 + i * 600 + 1);
		}
	}
	assert_true(rhythm_walk(r, SIZE_MAX, true));
	for (size_t i = 0; i < n_told; i++) {
		assert_int_equal(told[i].remote.b[3], 9);
		calls += told[i].n;
	}
	assert_int_equal(calls, 12);
	rhythm_stats(r, &stats);
	assert_int_equal(stats.kept, 16);
	assert_int_equal(stats.gave_way, 10000 + 1 - 16);
	assert_int_equal(stats.lost, stats.gave_way); /* one call each */
	rhythm_free(r);
}

static void in_a_batch_and_out_of_it(void **state)
{
	static uint8_t bytes[BATCH_WRITE_BYTES];
	static const struct batch_burst bursts[] = {
		{{{203, 0, 113, 9}}, 443, 4, TCP, FLOWREC_EGRESS, 2, {T0, T0 + 600}},
		{{{0x20, 1, 0x0d, 0xb8, [15] = 1}}, 53, 6, 17, FLOWREC_DIRECTION_UNKNOWN, 1, {5}},
		{{{203, 0, 113, 8}}, 0, 4, 1, FLOWREC_EGRESS, 8, {1, 2, 3, 4, 5, 6, 7, INT64_MAX}},
	};
	const struct batch_head head = {.sequence = 1};
	const struct batch_burst *got;
	struct batch_writer *writer;
	struct batch *batch;
	struct err err;
	size_t n, len;

	(void)state;
	assert_int_equal(batch_writer_new(&writer), 0);
	for (size_t i = 0; i < 3; i++)
		assert_true(batch_add_burst(writer, &bursts[i]));
	assert_false(batch_is_empty(writer));
	len = batch_finish(writer, &head, bytes);
	assert_true(batch_is_empty(writer));
	assert_int_equal(batch_open(&batch, bytes, len, &err), 0);
	got = batch_burst_list(batch, &n);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++) {
		assert_memory_equal(&got[i].remote, &bursts[i].remote, sizeof got[i].remote);
		assert_int_equal(got[i].port, bursts[i].port);
		assert_int_equal(got[i].family, bursts[i].family);
		assert_int_equal(got[i].protocol, bursts[i].protocol);
		assert_int_equal(got[i].direction, bursts[i].direction);
		assert_int_equal(got[i].n, bursts[i].n);
		assert_memory_equal(got[i].tenths, bursts[i].tenths, got[i].n * sizeof(uint64_t));
	}
	batch_free(batch);
	for (size_t i = 0; i < BATCH_WRITE_BURSTS; i++)
		assert_true(batch_add_burst(writer, &bursts[2]));
	assert_false(batch_add_burst(writer, &bursts[2]));
	assert_true(batch_finish(writer, &head, bytes) < 512 + BATCH_WRITE_BURSTS_BYTES);
	batch_writer_free(writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_needs_silence_before_it),
		cmocka_unit_test(few_calls_are_not_told),
		cmocka_unit_test(the_last_walk_sees_all),
		cmocka_unit_test(a_full_slot_is_told_at_once),
		cmocka_unit_test(what_peers_begin_is_not_kept),
		cmocka_unit_test(a_flood_does_not_drive_out_a_beacon),
		cmocka_unit_test(in_a_batch_and_out_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
