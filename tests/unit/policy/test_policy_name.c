// SPDX-License-Identifier: Apache-2.0
/*
 * Patterns of names and what they cover: RFC 1035 (lengths), RFC 4343 (case), the apex under a wildcard, and
 * the borders between labels.
 */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_patterns(void **state)
{
	static const struct {
		const char *text, *pattern, *wrong;
	} rows[] = {
		{"example.com", "example.com", NULL},
		{"Example.COM.", "example.com", NULL},
		{"*.example.com", "*.example.com", NULL},
		{"*.EXAMPLE.com.", "*.example.com", NULL},
		{"*.com", "*.com", NULL},
		{"localhost", "localhost", NULL},
		{"_dmarc.xn--bcher-kva.example", "_dmarc.xn--bcher-kva.example", NULL},
		{"1.2.example.3com", "1.2.example.3com", NULL},
		{"", NULL, "1 to 253 bytes"},
		{".", NULL, "1 to 253 bytes"},
		{"*.", NULL, "1 to 253 bytes"},
		{"*", NULL, "write any"},
		{"a..b", NULL, "an empty label"},
		{".example.com", NULL, "an empty label"},
		{"example.com..", NULL, "an empty label"},
		{"*.*.com", NULL, "* is for the first label"},
		{"www*.example.com", NULL, "* is for the first label"},
		{"*example.com", NULL, "* is for the first label"},
		{"b\xc3\xbc"
		 "cher.example",
		 NULL, "xn--"},
		{"a/b", NULL, "not a domain name"},
		{"a:443", NULL, "not a domain name"},
		{"192.0.2.1", NULL, "an address"},
		{"*.2", NULL, "an address"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char pattern[POLICY_PATTERN_TEXT];
		const char *wrong = policy_pattern(pattern, rows[i].text, strlen(rows[i].text));

		if (rows[i].wrong && (!wrong || !strstr(wrong, rows[i].wrong)))
			fail_msg("%s: '%s'", rows[i].text, wrong ? wrong : "good");
		if (!rows[i].wrong && (wrong || strcmp(pattern, rows[i].pattern) != 0))
			fail_msg("%s: '%s'", rows[i].text, wrong ? wrong : pattern);
	}
}

static void test_lengths(void **state)
{
	char name[300], pattern[POLICY_PATTERN_TEXT];

	(void)state;
	memset(name, 'a', sizeof name);
	assert_null(policy_pattern(pattern, name, 63));
	assert_string_equal("a label has 63 bytes at most", policy_pattern(pattern, name, 64));
	for (size_t i = 63; i < sizeof name; i += 64)
		name[i] = '.';
	name[0] = '*'; /* with its dot, and 253 behind it: a pattern of 255 bytes and its NUL */
	name[1] = '.';
	assert_null(policy_pattern(pattern, name, 255));
	assert_int_equal(strlen(pattern), 255);
	assert_non_null(policy_pattern(pattern, name, 257));
	assert_non_null(policy_pattern(pattern, name + 2, 255));
}

static void test_fits(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool fits;
	} rows[] = {
		{"example.com", "example.com", true},
		{"example.com", "EXAMPLE.com.", true},
		{"example.com", "www.example.com", false},
		{"example.com", "badexample.com", false},
		{"example.com", "example.co", false},
		{"example.com", "example.comx", false},
		{"example.com", "*.example.com", false},
		{"example.com", "", false},
		{"example.com", ".", false},
		{"*.example.com", "example.com", true}, /* the apex */
		{"*.example.com", "Example.Com.", true},
		{"*.example.com", "www.example.com", true},
		{"*.example.com", "a.b.c.example.com.", true},
		{"*.example.com", "badexample.com", false},
		{"*.example.com", "www.badexample.com", false},
		{"*.example.com", "example.com.evil.test", false},
		{"*.example.com", "com", false},
		{"*.example.com", "", false},
		/* a dot that is no border: the labels are "evil.example" and "com" */
		{"*.example.com", "evil\\.example.com", false},
		/* a backslash that is one: "evil\", "example", "com" */
		{"*.example.com", "evil\\\\.example.com", true},
		{"*.example.com", "evil\\\\\\.example.com", false},
		{"example.com", "example.com\\.", false},
		{"*.example.com", "*.example.com", true},
		{"*.example.com", "*.a.example.com", true},
		{"*.a.example.com", "*.example.com", false},
		{"*.com", "*.com", true},
		{"*.com", "com", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (policy_name_fits(rows[i].pattern, rows[i].name) != rows[i].fits)
			fail_msg("%s, %s: not %d", rows[i].pattern, rows[i].name, rows[i].fits);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
