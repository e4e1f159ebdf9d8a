// SPDX-License-Identifier: Apache-2.0
/*
 * Steps of both clocks, by arithmetic on made-up readings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sensor/clockwatch.h"

#define S  INT64_C(1000000000)
#define MS INT64_C(1000000)

static void a_steady_clock_does_not_step(void **state)
{
	struct clockwatch w = {0};
	uint64_t mono = 5 * S, wall = UINT64_C(1700000000) * S;
	int64_t step = 7;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		assert_false(clockwatch_look(&w, wall, mono, &step));
		mono += 250 * MS;
		wall += 250 * MS + 125000; /* slewed by 500 ppm: 125 us in 250 ms */
	}
	assert_int_equal(step, 7);
}

static void steps_either_way_are_told_once(void **state)
{
	static const int64_t steps[] = {3600 * S, -3600 * S, 100 * MS, -100 * MS, 40000000 * S};
	struct clockwatch w = {0};
	uint64_t mono = 5 * S, wall = UINT64_C(1700000000) * S;
	int64_t step;

	(void)state;
	assert_false(clockwatch_look(&w, wall, mono, &step));
	for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		mono += 250 * MS;
		wall += (uint64_t)(250 * MS + steps[i]);
		assert_true(clockwatch_look(&w, wall, mono, &step));
		assert_true(step == steps[i]);
		assert_false(clockwatch_look(&w, wall, mono, &step));
	}
	wall += (uint64_t)(99 * MS);
	assert_false(clockwatch_look(&w, wall, mono, &step));
}

static void our_own_step_is_not_the_collectors(void **state)
{
	struct clockwatch w = {0};
	int64_t step, before = 0;

	(void)state;
	assert_false(clockwatch_look(&w, 100 * S, 5 * S, &step));
	assert_false(clockwatch_offset(&w, 0, 2 * S, 10 * MS, &before));
	assert_true(clockwatch_look(&w, 200 * S, 6 * S, &step)); /* 99 s ahead */
	assert_true(step == 99 * S);
	assert_false(clockwatch_offset(&w, 0, 101 * S, 10 * MS, &before));
	/* And now the collector's goes back by an hour: ours is an hour more ahead. */
	assert_true(clockwatch_offset(&w, 0, 101 * S + 3600 * S, 10 * MS, &before));
	assert_true(before == 101 * S);
	assert_false(clockwatch_offset(&w, 0, 101 * S + 3600 * S, 10 * MS, &before));
}

static void slow_ways_and_other_collectors_explain_a_difference(void **state)
{
	struct clockwatch w = {0};
	int64_t before;

	(void)state;
	assert_false(clockwatch_offset(&w, 0, 0, 10 * MS, &before));
	assert_false(clockwatch_offset(&w, 0, 500 * MS, 10 * MS, &before));
	assert_false(clockwatch_offset(&w, 0, 2500 * MS, 3000 * MS, &before)); /* off by half */
	assert_true(clockwatch_offset(&w, 0, 4600 * MS, 10 * MS, &before));
	assert_false(clockwatch_offset(&w, 1, 99 * S, 10 * MS, &before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_steady_clock_does_not_step),
		cmocka_unit_test(steps_either_way_are_told_once),
		cmocka_unit_test(our_own_step_is_not_the_collectors),
		cmocka_unit_test(slow_ways_and_other_collectors_explain_a_difference),
	};

	return cmocka_run_group_tests_name("clockwatch", tests, NULL, NULL);
}
