// SPDX-License-Identifier: Apache-2.0
/*
 * Escaped text: the five characters of HTML, controls, broken UTF-8, and Unicode's Bidi_Control (UAX 9, table 2: the
 * explicit formatting characters and isolates).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evidence/html.h"

#define BAD "\xef\xbf\xbd"

static void expect(const char *text, const char *want)
{
	char *bytes = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&bytes, &len);

	assert_non_null(out);
	html_text(out, text);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(bytes, want);
	free(bytes);
}

static void test_text(void **state)
{
	(void)state;
	expect("", "");
	expect("<script a='b' c=\"d\">&amp;",
	       "&lt;script a=&#39;b&#39; c=&quot;d&quot;&gt;&amp;amp;");
	expect("a\tb\nc\x7f"
	       "d\x1b[2J",
	       "a" BAD "b" BAD "c" BAD "d" BAD "[2J");
	expect("\xc2\x85\xc2\x9f\xc2\xa0", BAD BAD "\xc2\xa0"); /* U+0085, U+009F, U+00A0 */
	expect("\xff\xc3(\xed\xa0\x80z", BAD BAD "(" BAD BAD BAD "z");
	expect("日本語 é 🦊", "日本語 é 🦊");
}

static void test_direction(void **state)
{
	static const uint16_t bad[] = {0x061c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b,
				       0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069};
	static const uint16_t good[] = {0x061b, 0x061d, 0x200d, 0x2010,
					0x2027, 0x202f, 0x2065, 0x206a};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0] + sizeof good / sizeof good[0]; i++) {
		bool is_bad = i < sizeof bad / sizeof bad[0];
		uint16_t c = is_bad ? bad[i] : good[i - sizeof bad / sizeof bad[0]];
		char text[4] = {0};

		if (c < 0x800) {
			text[0] = (char)(0xc0 | c >> 6);
			text[1] = (char)(0x80 | (c & 0x3f));
		} else {
			text[0] = (char)(0xe0 | c >> 12);
			text[1] = (char)(0x80 | (c >> 6 & 0x3f));
			text[2] = (char)(0x80 | (c & 0x3f));
		}
		expect(text, is_bad ? BAD : text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_text),
					   cmocka_unit_test(test_direction)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
