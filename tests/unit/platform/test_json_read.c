// SPDX-License-Identifier: Apache-2.0
/*
 * JSON (RFC 8259): what is read, what is refused and where, and nothing read beyond the text at any cut.
 */
#include "platform/json_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A copy that ends where the text does: a byte more is a fault. */
static int parse_bytes(struct json **ret, const char *text, size_t len, struct err *err)
{
	char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	return json_parse(ret, copy, len, "f.json", err);
}

static int parse(struct json **ret, const char *text, struct err *err)
{
	return parse_bytes(ret, text, strlen(text), err);
}

static void test_good(void **state)
{
	static const char text[] = " {\"a\": [1, -20.5e+3,\ttrue,false , null, \"\"],\n "
				   "\"b\\u0041\": {\"c\": {}, \"d\":[]},\r\n"
				   "\"s\": \"q\\\" b\\\\ s\\/ \\b\\f\\n\\r\\t \\u00e9 \\u20AC "
				   "\\ud83d\\ude00 \xc3\xa9\", \"a\": 2}\n";
	static const enum json_kind kinds[] = {JSON_NUMBER, JSON_NUMBER, JSON_TRUE,
					       JSON_FALSE,  JSON_NULL,   JSON_STRING};
	const struct json_value *root, *v, *d;
	char where[JSON_WHERE_TEXT];
	struct json *json;
	struct err err;
	size_t n = 0;

	(void)state;
	if (parse(&json, text, &err) != 0)
		fail_msg("%s", err.text);
	root = json_root(json);
	assert_int_equal(root->kind, JSON_OBJECT);
	v = json_member(root, "a"); /* the first of two */
	for (const struct json_value *item = v->child; item; item = item->next)
		assert_int_equal(item->kind, kinds[n++]);
	assert_int_equal(n, 6);
	assert_string_equal(v->child->text, "1");
	assert_string_equal(v->child->next->text, "-20.5e+3");
	assert_string_equal(
		json_member_text(root, "s"),
		"q\" b\\ s/ \b\f\n\r\t \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xc3\xa9");
	d = json_member(json_member(root, "bA"), "d");
	assert_int_equal(d->kind, JSON_ARRAY);
	assert_null(d->child);
	assert_string_equal(json_where(where, json, d), "f.json:2: bA.d");
	assert_string_equal(json_where(where, json, v->child->next->next), "f.json:1: a[2]");
	assert_string_equal(json_where(where, json, root), "f.json:1: the whole");
	assert_null(json_member(root, "none"));
	assert_null(json_member(NULL, "none"));
	assert_null(json_member(v, "none"));
	assert_null(json_member_text(root, "a"));
	json_free(json);
	json_free(NULL);
}

static void test_integers(void **state)
{
	static const struct {
		const char *text;
		int64_t min, max, value;
		bool good;
	} rows[] = {
		{"0", 0, 0, 0, true},
		{"-1", -1, 65535, -1, true},
		{"65535", -1, 65535, 65535, true},
		{"65536", -1, 65535, 0, false},
		{"-2", -1, 65535, 0, false},
		{"1.0", 0, 9, 0, false},
		{"1e1", 0, 99, 0, false},
		{"\"1\"", 0, 9, 0, false},
		{"999999999999999999", 0, INT64_MAX, 999999999999999999, true},
		{"9999999999999999999", INT64_MIN, INT64_MAX, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct json *json;
		int64_t value = 0;

		assert_int_equal(parse(&json, rows[i].text, NULL), 0);
		if (json_integer(json_root(json), rows[i].min, rows[i].max, &value) !=
			    rows[i].good ||
		    value != rows[i].value)
			fail_msg("%s: %lld", rows[i].text, (long long)value);
		json_free(json);
	}
	assert_false(json_integer(NULL, 0, 1, &(int64_t){0}));
}

static void test_bad(void **state)
{
	static const char *const rows[][2] = {
		{"", ":1: not JSON: it ends too early"},
		{"\n\n", ":3: not JSON: it ends too early"},
		{"{} x", "something follows the value"},
		{"nul", "a value is missing"},
		{"[1,]", "a value is missing"},
		{"[1 2]", "a comma or a closing bracket"},
		{"[1", "a comma or a closing bracket"},
		{"{1: 2}", "a member's name is missing"},
		{"{\"a\" 2}", "a colon is missing"},
		{"{\"a\": 2,}", "a member's name is missing"},
		{"[01]", "a value is missing"},
		{"[-]", "a value is missing"},
		{"[1.]", "a value is missing"},
		{"[1e]", "a value is missing"},
		{"[+1]", "a value is missing"},
		{"\"a", "a string does not end"},
		{"\"a\\", "an unknown escape"},
		{"\"\\x\"", "an unknown escape"},
		{"\"a\tb\"", "a control character"},
		{"\"\\u12g4\"", "\\u without a character"},
		{"\"\\u0000\"", "\\u without a character"},
		{"\"\\ud800\"", "\\u without a character"},
		{"\"\\ud800\\u0041\"", "\\u without a character"},
		{"\"\\udc00\"", "\\u without a character"},
	};
	char deep[JSON_DEPTH + 2];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct json *json;
		struct err err;

		assert_int_equal(parse(&json, rows[i][0], &err), ERR_FORMAT);
		if (strncmp(err.text, "f.json:", 7) != 0 || !strstr(err.text, rows[i][1]))
			fail_msg("%s: '%s'", rows[i][0], err.text);
	}
	for (int depth = JSON_DEPTH; depth <= JSON_DEPTH + 1; depth++) {
		struct json *json;
		struct err err;

		memset(deep, '[', (size_t)depth);
		assert_int_equal(parse_bytes(&json, deep, (size_t)depth, &err), ERR_FORMAT);
		assert_non_null(strstr(err.text, depth > JSON_DEPTH ? "nested too deeply"
								    : "it ends too early"));
	}
}

/* Every beginning of a text is refused, and every byte changed is read or refused, without a read beside it. */
static void test_cut_and_changed(void **state)
{
	static const char text[] =
		"{\"ab\": [1, {\"c\\u20ac\": \"d\\n\"}, null, -2.5e-7], \"e\": true}";
	struct json *json;

	(void)state;
	for (size_t len = 0; len < sizeof text - 1; len++)
		assert_int_equal(parse_bytes(&json, text, len, NULL), ERR_FORMAT);
	for (size_t i = 0; i < sizeof text - 1; i++) {
		for (int c = 0; c < 256; c += 5) {
			char changed[sizeof text];

			memcpy(changed, text, sizeof text);
			changed[i] = (char)c;
			if (parse_bytes(&json, changed, sizeof text - 1, NULL) == 0)
				json_free(json);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_cut_and_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
