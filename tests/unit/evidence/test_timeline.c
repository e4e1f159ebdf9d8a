// SPDX-License-Identifier: Apache-2.0
/*
 * The timeline against a table of seconds and minutes kept beside it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "evidence/timeline.h"

enum { SECONDS = 1200, ORIGIN = 60000 };

static uint32_t seed = 12345;

static unsigned below(unsigned n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static void test_random(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		bool watched[SECONDS] = {false};
		uint8_t marks[SECONDS / 60] = {0};
		struct timeline t = {0};
		uint64_t from = below(SECONDS), to = from + 1 + below((unsigned)(SECONDS - from)),
			 first, last;
		uint64_t want = 0, want_first = 0, want_last = 0;

		for (unsigned i = below(12); i > 0; i--) {
			unsigned a = below(SECONDS), b = a + below(SECONDS - a);

			assert_int_equal(timeline_watch(&t, ORIGIN + a, ORIGIN + b), 0);
			memset(watched + a, true, b - a);
		}
		for (unsigned i = below(6); i > 0; i--) {
			unsigned a = below(SECONDS), b = a + below(SECONDS - a) / 4;

			assert_int_equal(timeline_hole(&t, ORIGIN + a, ORIGIN + b), 0);
			memset(watched + a, false, b - a);
		}
		for (unsigned i = below(10); i > 0; i--) {
			unsigned a = below(SECONDS), b = a + 1 + below((SECONDS - a) / 3 + 1);
			bool skip = below(3) == 0;
			enum timeline_minute what = skip ? TIMELINE_SKIPPED : TIMELINE_OK;

			b = b > SECONDS ? SECONDS : b;
			assert_int_equal(skip ? timeline_skip(&t, ORIGIN + a, ORIGIN + b)
					      : timeline_traffic(&t, ORIGIN + a, ORIGIN + b),
					 0);
			for (unsigned s = a; s < b; s++)
				marks[s / 60] |= (uint8_t)(1U << what);
		}
		/* Holes come after what was watched, whatever the order in which they are told. */
		assert_int_equal(timeline_settle(&t), 0);
		for (uint64_t s = from; s < to; s++) {
			if (watched[s])
				continue;
			if (want++ == 0)
				want_first = ORIGIN + s;
			want_last = ORIGIN + s + 1;
		}
		assert_int_equal(timeline_unwatched(&t, ORIGIN + from, ORIGIN + to, &first, &last),
				 want);
		assert_int_equal(first, want_first);
		assert_int_equal(last, want_last);
		for (unsigned m = 0; m < SECONDS / 60; m++) {
			enum timeline_minute expected = TIMELINE_OUTSIDE;
			bool gap = false;

			for (uint64_t s = m * 60; s < m * 60 + 60; s++) {
				if (s < from || s >= to)
					continue;
				gap = gap || !watched[s];
				expected = marks[m] & 1U << TIMELINE_SKIPPED ? TIMELINE_SKIPPED
					   : marks[m] & 1U << TIMELINE_OK    ? TIMELINE_OK
									     : TIMELINE_NODATA;
			}
			assert_int_equal(
				timeline_at(&t, ORIGIN + m * 60, ORIGIN + from, ORIGIN + to),
				gap ? TIMELINE_GAP : expected);
		}
		timeline_fini(&t);
	}
}

static void test_far_away(void **state)
{
	struct timeline t = {0};
	uint64_t from, to;

	(void)state;
	assert_false(timeline_bounds(&t, &from, &to));
	assert_int_equal(timeline_traffic(&t, 1700000000, 1700000001), 0);
	/* A packet's stamp may say anything. */
	assert_int_equal(timeline_traffic(&t, UINT64_MAX - 1, UINT64_MAX), 0);
	assert_int_equal(timeline_traffic(&t, 0, 1), 0);
	assert_int_equal(t.left_out, 2);
	assert_int_equal(timeline_watch(&t, 1700000000, 1700000060), 0);
	assert_int_equal(timeline_settle(&t), 0);
	assert_true(timeline_bounds(&t, &from, &to));
	assert_int_equal(from, 1700000000);
	assert_int_equal(to, 1700000060);
	timeline_fini(&t);
	assert_int_equal(timeline_minutes(59, 61), 2);
	assert_int_equal(timeline_minutes(60, 60), 0);
	assert_int_equal(timeline_minutes(0, 60ULL * TIMELINE_MINUTES_MAX), TIMELINE_MINUTES_MAX);
	assert_int_equal(timeline_minutes(0, 60ULL * TIMELINE_MINUTES_MAX + 1), 0);
	assert_int_equal(timeline_minutes(0, UINT64_MAX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_far_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
