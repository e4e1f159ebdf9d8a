// SPDX-License-Identifier: Apache-2.0
/*
 * What the boundary did with a flow, kept in eight bits of its entry.
 */
#include "sensor/crossing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check(const struct crossing_table *t, const struct flow_entry *e, unsigned dir,
		  enum flowrec_action action, uint16_t rule)
{
	assert_int_equal(crossing_action(t, e, dir), action);
	assert_int_equal(crossing_rule(t, e, dir), rule);
}

static void test_sides(void **state)
{
	const struct policy_crossing crossing = {.action = {FLOWREC_ACCEPT, FLOWREC_REJECT},
						 .rule = {7, 1024}};
	struct crossing_table t;
	struct flow_entry e = {.rule = 2047, .queued = 3, .outcome = 5}, untouched = {.rule = 0};

	(void)state;
	crossing_init(&t);
	crossing_put(&t, &e, &crossing, false);
	check(&t, &e, 0, FLOWREC_ACCEPT, 7);
	check(&t, &e, 1, FLOWREC_REJECT, 1024);
	crossing_put(&t, &e, &crossing, true); /* the initiator is side b */
	check(&t, &e, 1, FLOWREC_ACCEPT, 7);
	check(&t, &e, 0, FLOWREC_REJECT, 1024);
	assert_int_equal(t.n, CROSSING_PLAIN + 2);
	crossing_put(&t, &e, &crossing, true);
	assert_int_equal(t.n, CROSSING_PLAIN + 2); /* each answer once */
	assert_int_equal(e.rule, 2047);
	assert_int_equal(e.queued, 3);
	assert_int_equal(e.outcome, 5);
	check(&t, &untouched, 0, FLOWREC_ACCEPT, 0);
	check(&t, &untouched, 1, FLOWREC_ACCEPT, 0);
}

/* What finds it full keeps its actions in both directions, and is counted. */
static void test_full(void **state)
{
	struct crossing_table t;
	struct flow_entry e = {.rule = 1};

	(void)state;
	crossing_init(&t);
	for (uint16_t i = 0; i < 300; i++) {
		const struct policy_crossing crossing = {
			.action = {(i & 1) != 0, (i & 2) != 0},
			.rule = {(uint16_t)(i + 1), (uint16_t)(i + 2)}};
		bool told = i < CROSSING_MAX - CROSSING_PLAIN;

		crossing_put(&t, &e, &crossing, false);
		check(&t, &e, 0, i & 1 ? FLOWREC_REJECT : FLOWREC_ACCEPT,
		      told ? (uint16_t)(i + 1) : 0);
		check(&t, &e, 1, i & 2 ? FLOWREC_REJECT : FLOWREC_ACCEPT,
		      told ? (uint16_t)(i + 2) : 0);
	}
	assert_int_equal(t.n, CROSSING_MAX);
	assert_int_equal(t.unnamed, 300 - (CROSSING_MAX - CROSSING_PLAIN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sides),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
