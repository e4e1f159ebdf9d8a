// SPDX-License-Identifier: Apache-2.0
/*
 * Regular calls with jitter against calls at random (Poisson, with the silence that a call needs before it).
 */
#include "evidence/beat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "evidence/limits.h"

enum { GAP = BEACON_GAP_S * 10, TRIALS = 2000 };

static uint64_t random_state = 1;

/* 0 to `below` - 1 */
static uint64_t random_below(uint64_t below)
{
	random_state = random_state * 6364136223846793005U + 1442695040888963407U;
	return (random_state >> 33) % below;
}

/* Geometric with this mean: the memoryless law in whole tenths. */
static uint64_t random_wait(uint64_t mean)
{
	uint64_t n = 0;

	while (random_below(mean) != 0)
		n++;
	return n;
}

static struct beat regular(unsigned calls, uint64_t period, unsigned jitter)
{
	struct beat beat = {.n = 0};
	uint64_t t = 1000, half = period * jitter / 100;

	for (unsigned i = 0; i < calls; i++) {
		beat_add(&beat, t);
		t += period - half + (half ? random_below(2 * half + 1) : 0);
	}
	return beat;
}

static void test_regular(void **state)
{
	static const struct {
		unsigned calls;
		uint64_t period;        /* tenths */
		unsigned jitter, least; /* percent; found so often of 1000 */
	} rows[] = {
		{BEACON_TIGHT + 1, 100, 0, 1000},   {BEACON_TIGHT + 1, 600, 0, 1000},
		{BEACON_TIGHT + 1, 36000, 0, 1000}, {BEACON_TIGHT, 600, 0, 0},
		{BEACON_TIGHT + 1, 600, 10, 980},   {BEACON_LOOSE + 1, 600, 20, 990},
		{BEACON_LOOSE + 1, 36000, 20, 990}, {BEACON_MANY + 1, 600, 50, 950},
		{BEACON_MANY + 1, 36000, 50, 950},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct beat_rhythm rhythm;
		unsigned found = 0;

		for (unsigned k = 0; k < 1000; k++) {
			struct beat beat = regular(rows[i].calls, rows[i].period, rows[i].jitter);

			found += beat_is_regular(&beat, &rhythm);
		}
		assert_true(found >= rows[i].least);
		if (!rows[i].least)
			assert_int_equal(found, 0);
		if (rows[i].jitter == 0 && rows[i].least) {
			assert_int_equal(rhythm.period, rows[i].period);
			assert_int_equal(rhythm.jitter, 0);
			assert_int_equal(rhythm.calls, rows[i].calls);
		}
	}
}

/* At random: seldom, whatever the mean. The bound is that of chance: of 23 intervals 21 would have to lie where
 * 42 % do, or 19 of them where at most 24 % do. */
static void test_random(void **state)
{
	static const uint64_t means[] = {20, 100, 600, 3000};

	(void)state;
	for (size_t i = 0; i < sizeof means / sizeof means[0]; i++) {
		unsigned found = 0;

		for (unsigned k = 0; k < TRIALS; k++) {
			struct beat beat = {.n = 0};
			struct beat_rhythm rhythm;
			uint64_t t = 1000;

			for (unsigned c = 0; c < 24; c++) {
				beat_add(&beat, t);
				t += GAP + random_wait(means[i]);
			}
			found += beat_is_regular(&beat, &rhythm);
		}
		/* Silence is most of the interval when the mean is short: those look regular, and are told so. */
		if (means[i] >= 600)
			assert_true(found <= TRIALS / 500);
	}
}

/* A call that was missed, one too many, a night without any: still regular. */
static void test_robust(void **state)
{
	struct beat beat = {.n = 0};
	struct beat_rhythm rhythm;

	(void)state;
	for (uint64_t i = 0; i < 40; i++)
		if (i != 7 && i != 20)
			beat_add(&beat, 1000 + i * 600 + (i > 30 ? 300000 : 0));
	beat_add(&beat, 1000 + 600 * 12 + 250);
	assert_true(beat_is_regular(&beat, &rhythm));
	assert_int_equal(rhythm.period, 600);
}

/* Any order, any of them twice; of more than there is room for the latest. */
static void test_order(void **state)
{
	struct beat in_order = {.n = 0}, shuffled = {.n = 0};
	uint64_t times[200];

	(void)state;
	for (size_t i = 0; i < 200; i++)
		times[i] = 1000 + i * 600 + random_below(100);
	for (size_t i = 0; i < 200; i++)
		beat_add(&in_order, times[i]);
	for (size_t i = 200; i > 1; i--) {
		size_t k = random_below(i);
		uint64_t swap = times[i - 1];

		times[i - 1] = times[k];
		times[k] = swap;
	}
	for (size_t i = 0; i < 400; i++)
		beat_add(&shuffled, times[i % 200]);
	assert_int_equal(in_order.n, BEAT_TIMES);
	assert_memory_equal(&in_order, &shuffled, sizeof in_order);
	assert_in_range(in_order.times[0], 1000 + 72 * 600, 1000 + 72 * 600 + 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_regular),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_robust),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
