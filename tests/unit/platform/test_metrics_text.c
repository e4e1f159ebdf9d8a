// SPDX-License-Identifier: Apache-2.0
/*
 * The exposition format: lines as its specification writes them
 * (https://prometheus.io/docs/instrumenting/exposition_formats/, "Text format details" and its example).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "platform/metrics_text.h"

static char out[1024];

static struct metrics_text fresh(size_t cap)
{
	memset(out, 'x', sizeof out);
	return (struct metrics_text){.out = out, .cap = cap};
}

static void test_counter_with_labels(void **state)
{
	struct metrics_text m = fresh(sizeof out);

	(void)state;
	metrics_begin(&m, "http_requests_total", METRICS_COUNTER,
		      "The total number of HTTP requests.");
	metrics_count(&m, METRICS_LABELS("method", "post", "code", "200"), 1027);
	metrics_count(&m, METRICS_LABELS("method", "post", "code", "400"), 3);
	assert_string_equal(out, "# HELP http_requests_total The total number of HTTP requests.\n"
				 "# TYPE http_requests_total counter\n"
				 "http_requests_total{method=\"post\",code=\"200\"} 1027\n"
				 "http_requests_total{method=\"post\",code=\"400\"} 3\n");
	assert_int_equal(m.len, strlen(out));
}

static void test_escapes(void **state)
{
	struct metrics_text m = fresh(sizeof out);

	(void)state;
	metrics_begin(&m, "a", METRICS_GAUGE, "one \\ two \"three\"\nfour");
	metrics_count(&m, METRICS_LABELS("path", "C:\\DIR\\FILE.TXT", "error", "no\n\"FILE\""), 1);
	metrics_count(&m, METRICS_LABELS("bad", "a\xff\xc3z\xe6\x97\xa5"), 2);
	assert_string_equal(out, "# HELP a one \\\\ two \"three\"\\nfour\n# TYPE a gauge\n"
				 "a{path=\"C:\\\\DIR\\\\FILE.TXT\",error=\"no\\n\\\"FILE\\\"\"} 1\n"
				 "a{bad=\"a??z\xe6\x97\xa5\"} 2\n");
}

static void test_values(void **state)
{
	struct metrics_text m = fresh(sizeof out);

	(void)state;
	m.name = "v";
	metrics_count(&m, METRICS_NO_LABELS, UINT64_MAX);
	metrics_real(&m, METRICS_NO_LABELS, 0.25);
	metrics_real(&m, METRICS_NO_LABELS, -1);
	metrics_real(&m, METRICS_NO_LABELS, 1395066363.5);
	metrics_real(&m, METRICS_NO_LABELS, (double)NAN);
	metrics_real(&m, METRICS_NO_LABELS, (double)INFINITY);
	metrics_real(&m, METRICS_NO_LABELS, -(double)INFINITY);
	assert_string_equal(out, "v 18446744073709551615\nv 0.25\nv -1\nv 1395066363.5\nv NaN\nv "
				 "+Inf\nv -Inf\n");
}

/* However little room there is: the same length is told, what fits is there and ends, and nothing behind is touched. */
static void test_room(void **state)
{
	static const char whole[] = "# HELP n h\n# TYPE n counter\nn 12\n";

	(void)state;
	for (size_t cap = 0; cap < sizeof whole + 3; cap++) {
		struct metrics_text m = fresh(cap);
		size_t there = cap < sizeof whole ? cap : sizeof whole;

		metrics_one(&m, "n", METRICS_COUNTER, "h", 12);
		assert_int_equal(m.len, sizeof whole - 1);
		if (cap > 0) {
			assert_memory_equal(out, whole, there - 1);
			assert_int_equal(out[there - 1], '\0');
		}
		assert_int_equal(out[cap], 'x');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counter_with_labels),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
