// SPDX-License-Identifier: Apache-2.0
/*
 * Syslog messages against the examples of RFC 5424, section 6.5, with the facility that is ours, and its grammar.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "collector/alert_syslog.h"

static void check(const struct syslog_message *m, const char *want)
{
	char out[2048];
	size_t len = syslog_print(out, sizeof out, m);

	assert_int_equal(len, strlen(want));
	assert_memory_equal(out, want, len);
	/* With one byte less there is no room, and with that many there is. */
	assert_int_equal(syslog_print(out, len - 1, m), 0);
	assert_int_equal(syslog_print(out, len, m), len);
}

/* "Example 1 - with no STRUCTURED-DATA": facility 4, severity 2 there. 13 * 8 + 2 = 106. */
static void test_example_1(void **state)
{
	const struct syslog_message m = {.severity = 2,
					 .time = "2003-10-11T22:14:15.003Z",
					 .host = "mymachine.example.com",
					 .app = "su",
					 .id = "ID47",
					 .text = "'su root' failed for lonvick on /dev/pts/8"};

	(void)state;
	check(&m, "<106>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - 'su root' "
		  "failed for lonvick on /dev/pts/8");
}

/* "Example 3 - with STRUCTURED-DATA": facility 20, severity 5 there. 13 * 8 + 5 = 109. The text gets a byte order mark
 * there since it may be UTF-8: here only if it is more than ASCII. */
static void test_example_3(void **state)
{
	struct syslog_message m = {
		.severity = 5,
		.time = "2003-10-11T22:14:15.003Z",
		.host = "mymachine.example.com",
		.app = "evntslog",
		.id = "ID47",
		.sd_id = "exampleSDID@32473",
		.params = {{"iut", "3"}, {"eventSource", "Application"}, {"eventID", "1011"}},
		.n_params = 3,
		.text = "An application event log entry..."};

	(void)state;
	check(&m, "<109>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
		  "[exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"] "
		  "An application event log entry...");
	m.text = "\xC3\xA9";
	check(&m, "<109>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
		  "[exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"] "
		  "\xEF\xBB\xBF\xC3\xA9");
}

/* Section 6.3.3: '"', '\' and ']' in a value are escaped, nothing else is. Section 6: other fields are printable ASCII
 * without blanks, and of a length at most. */
static void test_escapes(void **state)
{
	char host[300], want[400];
	struct syslog_message m = {.severity = 6,
				   .time = "2026-01-31T12:34:56Z",
				   .host = "a b\n\x80",
				   .sd_id = "x=\"]y@1",
				   .params = {{"n a=me", "q\" b\\ c] d[ \n\xC3\xA9"}},
				   .n_params = 1,
				   .text = ""};

	(void)state;
	check(&m, "<110>1 2026-01-31T12:34:56Z a?b?? - - - "
		  "[x???y@1 n?a?me=\"q\\\" b\\\\ c\\] d[ \n\xC3\xA9\"] ");
	memset(host, 'h', sizeof host - 1);
	host[sizeof host - 1] = '\0';
	m = (struct syslog_message){.severity = 0, .time = NULL, .host = host, .text = "t"};
	(void)snprintf(want, sizeof want, "<104>1 - %.255s - - - - t", host);
	check(&m, want);
}

/* RFC 6587, section 3.4.1. */
static void test_count(void **state)
{
	char out[SYSLOG_COUNT];

	(void)state;
	assert_int_equal(syslog_count(out, 83), 3);
	assert_memory_equal(out, "83 ", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example_1),
		cmocka_unit_test(test_example_3),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_count),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
