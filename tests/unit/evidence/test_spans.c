// SPDX-License-Identifier: Apache-2.0
/*
 * Sets of spans against an array of seconds.
 */
#include "evidence/spans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { SECONDS = 200, ROUNDS = 300 };

static uint32_t seed = 1;

static int64_t draw(int64_t below)
{
	seed = seed * 1103515245 + 12345;
	return seed >> 8 & 0x7fffff ? (int64_t)(seed >> 8 & 0x7fffff) % below : 0;
}

/* Adds spans at random; what touches and what holds is counted second by second. */
static void test_against_seconds(void **state)
{
	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		bool there[SECONDS] = {false};
		struct spans spans = {.n = 0};

		for (int i = 0; i < 12; i++) {
			int64_t from = draw(SECONDS - 30), to = from + draw(30);

			memset(there + from, true, (size_t)(to - from + 1));
			assert_int_equal(spans_add(&spans, from, to, 0), 0);
		}
		for (size_t i = 1; i < spans.n; i++)
			assert_true(spans.v[i - 1].to < spans.v[i].from);
		for (int i = 0; i < 100; i++) {
			int64_t from = draw(SECONDS - 20), to = from + draw(20);
			int64_t n = 0;
			bool held = false;

			for (int64_t t = from; t <= to; t++)
				n += there[t];
			for (size_t k = 0; k < spans.n; k++)
				held = held || (spans.v[k].from <= from && spans.v[k].to >= to);
			assert_int_equal(spans_touch(&spans, from, to), n > 0);
			assert_int_equal(spans_hold(&spans, from, to), held);
			/* What is held is there whole; what is there whole is held, but for spans that merely meet. */
			assert_true(!held || n == to - from + 1);
		}
		spans_fini(&spans);
	}
}

static void test_near(void **state)
{
	struct spans spans = {.n = 0};

	(void)state;
	assert_int_equal(spans_add(&spans, 10, 20, 5), 0);
	assert_int_equal(spans_add(&spans, 25, 30, 5), 0);
	assert_int_equal(spans.n, 1);
	assert_int_equal(spans_add(&spans, 36, 40, 5), 0);
	assert_int_equal(spans.n, 2);
	assert_int_equal(spans_add(&spans, -9, 4, 5), 0);
	assert_int_equal(spans.n, 3);
	spans_join(&spans, 6);
	assert_int_equal(spans.n, 1);
	assert_int_equal(spans.v[0].from, -9);
	assert_int_equal(spans.v[0].to, 40);
	spans_fini(&spans);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_seconds),
		cmocka_unit_test(test_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
