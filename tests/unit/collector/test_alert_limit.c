// SPDX-License-Identifier: Apache-2.0
/*
 * The limiter, by arithmetic.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/alert_limit.h"

#define S 1000000000ULL

static void test_minutes(void **state)
{
	struct alert_limit l = {.per_minute = 3};
	const uint64_t t = 1000 * S;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(alert_limit_take(&l, t + (unsigned)i * S));
	for (int i = 0; i < 5; i++)
		assert_false(alert_limit_take(&l, t + 59 * S));
	assert_int_equal(l.suppressed, 5);
	assert_false(alert_limit_is_owed(&l, t + 60 * S - 1));
	assert_true(alert_limit_is_owed(&l, t + 60 * S));
	/* The next minute begins with the next one that comes, not when the first ended. */
	assert_true(alert_limit_take(&l, t + 100 * S));
	assert_int_equal(l.suppressed, 5); /* whoever says it puts it to 0 */
	l.suppressed = 0;
	assert_true(alert_limit_take(&l, t + 159 * S));
	assert_true(alert_limit_take(&l, t + 160 * S - 1));
	assert_false(alert_limit_take(&l, t + 160 * S - 1));
	assert_true(alert_limit_take(&l, t + 160 * S));
	assert_int_equal(l.suppressed, 1);
	/* Of a minute in which all was told nothing is owed. */
	l.suppressed = 0;
	assert_false(alert_limit_is_owed(&l, t + 500 * S));
}

/* Whatever comes: what is told and what is suppressed is all, and in no minute from a first one more than the rate. */
static void test_sums(void **state)
{
	struct alert_limit l = {.per_minute = 7};
	uint64_t told = 0, now = 5 * S, seed = 1;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		now += (seed >> 33) % (10 * S);
		told += alert_limit_take(&l, now);
		assert_true(l.told >= 1 && l.told <= 7);
		assert_true(now - l.begun_ns < 60 * S);
	}
	assert_int_equal(told + l.suppressed, 100000);
	assert_true(l.suppressed > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_minutes),
					   cmocka_unit_test(test_sums)};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
