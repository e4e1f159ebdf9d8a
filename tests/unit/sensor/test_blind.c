// SPDX-License-Identifier: Apache-2.0
/*
 * blind: things from look to look, and what an interface counted beside what was seen. The figures are worked out here.
 */
#include "sensor/blind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { A = 1, B = 2 };

static void test_things(void **state)
{
	static struct blind b;
	struct blind_thing *t;

	(void)state;
	blind_begin(&b);
	t = blind_found(&b, A, 0, "one");
	assert_true(t->present && t->is_new);
	/* The same once; another kind, interface or text is another thing. */
	assert_ptr_equal(blind_found(&b, A, 0, "one"), t);
	assert_ptr_not_equal(blind_found(&b, B, 0, "one"), t);
	assert_ptr_not_equal(blind_found(&b, A, -1, "one"), t);
	assert_ptr_not_equal(blind_found(&b, A, 0, "two"), t);
	assert_int_equal(b.n, 4);
	/* Still there at the next look it is not new; gone it is not there; back again it is. */
	blind_begin(&b);
	assert_false(t->present);
	assert_ptr_equal(blind_found(&b, A, 0, "one"), t);
	assert_true(t->present && !t->is_new);
}

/* More than there is room for: those that are gone give way, the rest is counted. */
static void test_full(void **state)
{
	static struct blind b;
	char text[16];

	(void)state;
	blind_begin(&b);
	for (int i = 0; i < BLIND_THINGS_MAX; i++) {
		(void)snprintf(text, sizeof text, "%d", i);
		assert_non_null(blind_found(&b, A, 0, text));
	}
	assert_null(blind_found(&b, A, 0, "more"));
	assert_null(blind_found(&b, A, 0, "more still"));
	assert_int_equal(b.left_out, 2);
	blind_begin(&b);
	assert_int_equal(b.left_out, 0);
	for (int i = 0; i < BLIND_THINGS_MAX - 1; i++) {
		(void)snprintf(text, sizeof text, "%d", i);
		assert_false(blind_found(&b, A, 0, text)->is_new);
	}
	assert_true(blind_found(&b, A, 0, "more")->is_new);
	assert_null(blind_found(&b, A, 0, "more still"));
}

static void test_counters(void **state)
{
	static struct blind_count c;

	(void)state;
	blind_count_begin(&c, 1000, 50);
	assert_int_equal(blind_compare(&c, 1000, 50), 0);
	assert_int_equal(blind_compare(&c, 1100, 150), 0);
	assert_int_equal(blind_compare(&c, 1100, 180), 0); /* more was seen: since it was read */
	/* 200 counted, 192 seen: eight may be; nine may not, and all nine are told. */
	assert_int_equal(blind_compare(&c, 1200, 50 + 192), 0);
	assert_int_equal(blind_compare(&c, 1201, 50 + 192), 9);
	/* Then what comes on top. */
	assert_int_equal(blind_compare(&c, 1201, 50 + 192), 0);
	assert_int_equal(blind_compare(&c, 1301, 50 + 192 + 60), 40);
	/* What was told is not taken back by what is seen too much later. */
	assert_int_equal(blind_compare(&c, 1301, 50 + 192 + 80), 0);
	assert_int_equal(c.unseen, 49);
}

/* Of 100,000 one in a thousand may be besides: 108. */
static void test_tolerance(void **state)
{
	static struct blind_count c;

	(void)state;
	blind_count_begin(&c, 0, 0);
	assert_int_equal(blind_compare(&c, 100000, 100000 - 108), 0);
	assert_int_equal(blind_compare(&c, 100000, 100000 - 109), 109);
}

/* A driver that begins anew is compared anew, and what was told before stays told. */
static void test_anew(void **state)
{
	static struct blind_count c;

	(void)state;
	blind_count_begin(&c, 1000, 0);
	assert_int_equal(blind_compare(&c, 1100, 0), 100);
	assert_int_equal(blind_compare(&c, 5, 100), 0);
	assert_false(c.begun);
	blind_count_begin(&c, 10, 100);
	assert_int_equal(blind_compare(&c, 110, 200), 0);
	assert_int_equal(c.counted_last - c.counted_first, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_things),   cmocka_unit_test(test_full),
		cmocka_unit_test(test_counters), cmocka_unit_test(test_tolerance),
		cmocka_unit_test(test_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
