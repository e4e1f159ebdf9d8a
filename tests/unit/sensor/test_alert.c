// SPDX-License-Identifier: Apache-2.0
/*
 * Alerts: one for each endpoint, a bound per second, and what was left out is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sensor/alert.h"

static const uint64_t key[2] = {3, 4};

static void one_alert_for_each_endpoint(void **state)
{
	struct addr remote = {{203, 0, 113, 9}};
	struct alert_table *t;
	uint64_t left_out = 9;

	(void)state;
	assert_int_equal(alert_table_new(&t, 64, key), 0);
	assert_true(alert_due(t, 4, &remote, 443, 6, 100, &left_out));
	assert_int_equal(left_out, 0);
	assert_false(alert_due(t, 4, &remote, 443, 6, 101, &left_out));
	assert_true(alert_due(t, 4, &remote, 444, 6, 101, &left_out));
	assert_true(alert_due(t, 4, &remote, 443, 17, 101, &left_out));
	assert_true(alert_due(t, 6, &remote, 443, 6, 101, &left_out));
	remote.b[3]++;
	assert_true(alert_due(t, 4, &remote, 443, 6, 101, &left_out));
	alert_table_free(t);
}

static void a_sweep_is_bounded_and_counted(void **state)
{
	struct addr remote = {{203, 0, 113, 9}};
	struct alert_table *t;
	uint64_t left_out;
	unsigned due = 0;

	(void)state;
	assert_int_equal(alert_table_new(&t, 4096, key), 0);
	for (uint16_t port = 1; port <= 1000; port++)
		due += alert_due(t, 4, &remote, port, 6, 100, &left_out);
	assert_int_equal(due, ALERT_PER_SECOND);
	assert_true(alert_due(t, 4, &remote, 2000, 6, 101, &left_out));
	assert_int_equal(left_out, 1000 - ALERT_PER_SECOND);
	assert_true(alert_due(t, 4, &remote, 1000, 6, 101,
			      &left_out)); /* left out before: may ask again */
	assert_int_equal(left_out, 0);
	alert_table_free(t);
}

static void the_oldest_gives_way_in_a_full_set(void **state)
{
	struct addr remote = {{203, 0, 113, 9}};
	struct alert_table *t;
	uint64_t left_out;

	(void)state;
	assert_int_equal(alert_table_new(&t, 1, key), 0); /* one set */
	for (uint16_t port = 1; port <= ALERT_WAYS + 1; port++)
		assert_true(alert_due(t, 4, &remote, port, 6, port, &left_out));
	assert_false(alert_due(t, 4, &remote, 2, 6, 50, &left_out));
	assert_true(alert_due(t, 4, &remote, 1, 6, 50, &left_out));
	alert_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_alert_for_each_endpoint),
		cmocka_unit_test(a_sweep_is_bounded_and_counted),
		cmocka_unit_test(the_oldest_gives_way_in_a_full_set),
	};

	return cmocka_run_group_tests_name("alert", tests, NULL, NULL);
}
