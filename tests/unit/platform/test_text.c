// SPDX-License-Identifier: Apache-2.0
/*
 * Texts from outside. Expected encodings: RFC 3986, sections 2.1 and 2.3.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "platform/text.h"

static void percent_encode(void **state)
{
	static const struct {
		const char *text, *encoded;
	} rows[] = {
		{"", ""},
		{"abcXYZ019-._~", "abcXYZ019-._~"},
		{" ", "%20"},
		{"a/b?c=d&e%", "a%2Fb%3Fc%3Dd%26e%25"},
		{"@[`{^", "%40%5B%60%7B%5E"},  /* the neighbours of letters */
		{"/:", "%2F%3A"},              /* and of digits */
		{"\xe3\x82\xa2", "%E3%82%A2"}, /* KATAKANA LETTER A, the RFC's own example (2.5) */
		{"\x01\x7f", "%01%7F"},
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t len = strlen(rows[i].encoded);

		assert_true(text_percent_encode(out, sizeof out, rows[i].text));
		assert_string_equal(out, rows[i].encoded);
		/* Exactly enough room, and one byte less. */
		assert_true(text_percent_encode(out, len + 1, rows[i].text));
		if (len > 0) {
			memset(out, 'x', sizeof out);
			assert_false(text_percent_encode(out, len, rows[i].text));
			assert_string_equal(out, "");
			assert_int_equal(out[len], 'x');
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percent_encode),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
