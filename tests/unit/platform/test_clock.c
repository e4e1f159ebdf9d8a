// SPDX-License-Identifier: Apache-2.0
/*
 * Times and their text. Expected values are those of gmtime(3) and of date(1): `date -u -d TIME
 * +%s`.
 */
#include "platform/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "platform/err.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		uint64_t unix_s;
	} rows[] = {
		{"0", 0},
		{"2026", 2026}, /* all digits: Unix seconds */
		{"1769817600", 1769817600},
		{"253402300799", 253402300799},
		{"000000000000000000000000001", 1},
		{"1970-01-01", 0},
		{"1970-01-01T00:00:01Z", 1},
		{"2000-02-29", 951782400},
		{"2024-02-29T23:59:59Z", 1709251199},
		{"2026-01-31", 1769817600},
		{"2026-01-31T12:34", 1769862840},
		{"2026-01-31T12:34Z", 1769862840},
		{"2026-01-31T12:34:56", 1769862896},
		{"2026-01-31T12:34:56Z", 1769862896},
		{"2038-01-19T03:14:08Z", 2147483648},
		{"2100-03-01", 4107542400},
		{"9999-12-31T23:59:59Z", 253402300799},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t unix_s;

		assert_int_equal(clock_parse(rows[i].text, &unix_s, NULL), 0);
		assert_int_equal(unix_s, rows[i].unix_s);
	}
}

static void test_parse_refuses(void **state)
{
	static const char *const rows[] = {
		"",
		" 0",
		"0 ",
		"-1",
		"+1",
		"1.5",
		"0x10",
		"253402300800",
		"99999999999999999999999999",
		"1769817600000",
		"2026-01",
		"2026-1-31",
		"26-01-31",
		"2026-01-31Z",
		"2026-01-31T",
		"2026-01-31T12",
		"2026-01-31T12Z",
		"2026-01-31 12:34",
		"2026-01-31t12:34z",
		"2026-01-31T12:34:",
		"2026-01-31T12:34:5",
		"2026-01-31T12:34:56.1Z",
		"2026-01-31T12:34:56ZZ",
		"2026-01-31T12:34:56+00:00",
		"2026-01-31T24:00",
		"2026-01-31T12:60",
		"2026-01-31T12:34:60Z",
		"2026-00-10",
		"2026-13-10",
		"2026-01-00",
		"2026-01-32",
		"2026-04-31",
		"2026-02-29",
		"2100-02-29",
		"1969-12-31",
		"10000-01-01",
		"2026/01/31",
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t unix_s = 42;
		struct err err = {.text = ""};
		bool number = strspn(rows[i], "0123456789") == strlen(rows[i]) && *rows[i];

		assert_int_equal(clock_parse(rows[i], &unix_s, &err), ERR_USAGE);
		assert_int_equal(unix_s, 42);
		assert_non_null(strstr(err.text, number ? "too large" : "is not a time"));
	}
}

/* A second at each end and the middle of each day for 800 years, beside the C library. */
static void test_text_against_gmtime(void **state)
{
	static const uint64_t in_day[] = {0, 43261, 86399};
	char text[CLOCK_TEXT], expected[CLOCK_TEXT];

	(void)state;
	for (uint64_t day = 0; day < 292194; day++) {
		uint64_t unix_s = day * 86400 + in_day[day % 3], back;
		time_t t = (time_t)unix_s;
		struct tm tm;

		assert_non_null(gmtime_r(&t, &tm));
		assert_true(strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
		assert_string_equal(clock_text(text, unix_s), expected);
		assert_int_equal(clock_parse(text, &back, NULL), 0);
		assert_int_equal(back, unix_s);
	}
	/* 2^64 s: the year from its own arithmetic, 2^64 / (146097 * 86400) eras of 400 years. */
	assert_int_equal(strlen(clock_text(text, UINT64_MAX)), 12 + strlen("-MM-DDTHH:MM:SSZ"));
}

static void test_clocks(void **state)
{
	uint64_t first = clock_mono_ns(), now = (uint64_t)time(NULL),
		 wall = clock_wall_ns() / NS_PER_S;

	(void)state;
	assert_true(clock_mono_ns() >= first);
	assert_in_range(wall, now - 1, now + 3600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_text_against_gmtime),
		cmocka_unit_test(test_clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
