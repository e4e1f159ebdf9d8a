// SPDX-License-Identifier: Apache-2.0
/*
 * Log lines, read back from a pipe that stands for standard error: one write(2) is one packet of a
 * pipe in packet mode (pipe2(2), O_DIRECT), so a line in two writes would be seen.
 */
#include "platform/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { TIME_BYTES = 20 }; /* 2026-01-31T12:34:56Z */

/* Runs one log_* call with standard error as a pipe; gives the first packet, "" if there was none.
 */
static const char *line_of(void (*log)(const char *, const char *, ...), const char *text,
			   char out[static 2048])
{
	int ends[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_true(saved >= 0);
	assert_int_equal(pipe2(ends, O_DIRECT | O_CLOEXEC | O_NONBLOCK), 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	log("uplink", "%s", text);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	n = read(ends[0], out, 2047);
	out[n > 0 ? n : 0] = '\0';
	(void)close(ends[0]);
	(void)close(ends[1]);
	(void)close(saved);
	return out;
}

static void test_line(void **state)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:ddZ";
	char line[2048];

	(void)state;
	line_of(log_info, "text", line);
	for (size_t i = 0; i < TIME_BYTES; i++) {
		if (shape[i] == 'd')
			assert_in_range(line[i], '0', '9');
		else
			assert_int_equal(line[i], shape[i]);
	}
	assert_string_equal(line + TIME_BYTES, " info uplink: text\n");
	assert_string_equal(line_of(log_err, "x", line) + TIME_BYTES, " err uplink: x\n");
	assert_string_equal(line_of(log_warn, "x", line) + TIME_BYTES, " warn uplink: x\n");
}

static void test_levels(void **state)
{
	char line[2048];

	(void)state;
	assert_string_equal(line_of(log_debug, "x", line), "");
	log_set_level(LOG_LEVEL_DEBUG);
	assert_string_equal(line_of(log_debug, "x", line) + TIME_BYTES, " debug uplink: x\n");
	log_set_level(LOG_LEVEL_ERR);
	assert_string_equal(line_of(log_warn, "x", line), "");
	assert_string_equal(line_of(log_err, "x", line) + TIME_BYTES, " err uplink: x\n");
	log_set_level(LOG_LEVEL_INFO);
}

static void test_escapes(void **state)
{
	static const struct {
		const char *text, *line;
	} rows[] = {
		{"a\nb\r\t\x1b[2J\x7f", "a\\x0ab\\x0d\\x09\\x1b[2J\\x7f"},
		{"\xc2\x9b"
		 "2J",
		 "\\xc2\\x9b2J"}, /* CSI in UTF-8 */
		{"\xc2\xa0\xc3\x9c\xe6\x97\xa5",
		 "\xc2\xa0\xc3\x9c\xe6\x97\xa5"}, /* text stays as it is */
		{"\xc2", "\xc2"},
	};
	char line[2048], expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		(void)snprintf(expected, sizeof expected, " info uplink: %s\n", rows[i].line);
		assert_string_equal(line_of(log_info, rows[i].text, line) + TIME_BYTES, expected);
	}
}

static void test_cut(void **state)
{
	char text[1500], line[2048];

	(void)state;
	for (size_t len = 960; len < sizeof text; len++) {
		size_t whole = TIME_BYTES + strlen(" info uplink: ") + len + 1, got;

		memset(text, 'a', len);
		text[len] = '\0';
		got = strlen(line_of(log_info, text, line));
		assert_int_equal(line[got - 1], '\n');
		if (whole <= 1021) { /* room is kept for the mark of a cut */
			assert_int_equal(got, whole);
		} else {
			assert_int_equal(got, 1024);
			assert_string_equal(line + 1020, "...\n");
		}
	}
	memset(text, '\n', sizeof text - 1); /* escapes are not cut in two */
	text[sizeof text - 1] = '\0';
	line_of(log_info, text, line);
	assert_string_equal(strstr(line, "..."), "...\n");
	assert_in_range(strlen(line), 1020, 1024);
	assert_int_equal((strlen(line) - TIME_BYTES - strlen(" info uplink: ") - 4) % 4, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
