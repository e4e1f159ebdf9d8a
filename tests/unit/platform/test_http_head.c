// SPDX-License-Identifier: Apache-2.0
/*
 * Heads of requests against RFC 9112: what it says a server must take, must refuse and with which status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "platform/http_head.h"

static char bytes[2 * HTTP_HEAD_MAX];
static struct http_head head;

static int parse(const char *text)
{
	size_t len = strlen(text);

	memcpy(bytes, text, len);
	return http_head_parse(&head, bytes, len);
}

static void test_usual(void **state)
{
	(void)state;
	assert_int_equal(parse("GET /where?q=now HTTP/1.1\r\nHost: www.example.com\r\n"
			       "ACCEPT-language:  ja, en;q=0.5 \t\r\nEmpty:\r\n\r\n"),
			 0);
	assert_false(head.is_head);
	assert_string_equal(head.path, "/where");
	assert_string_equal(head.query, "q=now");
	assert_string_equal(head.host, "www.example.com");
	assert_string_equal(http_head_field(&head, "Accept-Language"), "ja, en;q=0.5");
	assert_string_equal(http_head_field(&head, "empty"), "");
	assert_null(http_head_field(&head, "Accept"));
	assert_int_equal(parse("HEAD / HTTP/1.0\r\nHost: h\r\n\r\n"), 0);
	assert_true(head.is_head);
	assert_string_equal(head.query, "");
}

/* Sections 2.2, 2.3, 3, 3.2, 5.1, 5.2, 6. */
static void test_refused(void **state)
{
	static const struct {
		const char *text;
		int status;
	} heads[] = {
		{"GET / HTTP/1.1\r\n\r\n", 400}, /* no Host */
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400}, /* a blank before the colon */
		{"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\nB: c\rd\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\nB: c\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\nB: \x01\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\n: none\r\n\r\n", 400},
		{"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET /\r\nHost: a\r\n\r\n", 400},
		{"\r\n\r\n", 400},
		{"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
		{"GET / FTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: a\r\n\r\n", 405},
		{"get / HTTP/1.1\r\nHost: a\r\n\r\n", 405},
		{"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", 413},
		{"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
	};

	(void)state;
	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		int status = parse(heads[i].text);

		if (status != heads[i].status)
			print_error("%zu: %s", i, heads[i].text);
		assert_int_equal(status, heads[i].status);
	}
	memcpy(bytes, "GET / HTTP/1.1\r\nHost: \0\r\n\r\n", 27);
	assert_int_equal(http_head_parse(&head, bytes, 27), 400);
	assert_int_equal(parse("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"), 0);
}

static void test_too_many_fields(void **state)
{
	char text[4096];

	(void)state;
	for (int n = HTTP_HEADERS_MAX - 1; n <= HTTP_HEADERS_MAX; n++) {
		size_t at = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n");

		for (int i = 0; i < n; i++)
			at += (size_t)snprintf(text + at, sizeof text - at, "X%d: y\r\n", i);
		(void)snprintf(text + at, sizeof text - at, "\r\n");
		assert_int_equal(parse(text), n < HTTP_HEADERS_MAX ? 0 : 431);
	}
}

/* It ends at the empty line, not before, at whatever byte it is cut. */
static void test_end(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nmore";
	size_t end = sizeof text - 1 - 4;

	(void)state;
	for (size_t len = 0; len < sizeof text; len++)
		assert_int_equal(http_head_end(text, len), len < end ? 0 : end);
}

static void test_parameters(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(
		parse("GET /?lang=ja&token=a%2Bb+c&e=&x=%00&y=%g0&z=%4&long=12345678&lang=en "
		      "HTTP/1.1\r\nHost: a\r\n\r\n"),
		0);
	assert_true(http_head_parameter(&head, "lang", out, sizeof out));
	assert_string_equal(out, "ja");
	assert_true(http_head_parameter(&head, "token", out, sizeof out));
	assert_string_equal(out, "a+b c");
	assert_true(http_head_parameter(&head, "e", out, sizeof out));
	assert_string_equal(out, "");
	assert_false(http_head_parameter(&head, "x", out, sizeof out));
	assert_false(http_head_parameter(&head, "y", out, sizeof out));
	assert_false(http_head_parameter(&head, "z", out, sizeof out));
	assert_false(http_head_parameter(&head, "long", out, sizeof out));
	assert_false(http_head_parameter(&head, "lan", out, sizeof out));
	assert_false(http_head_parameter(&head, "ang", out, sizeof out));
}

static void test_cookies(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(
		parse("GET / HTTP/1.1\r\nHost: a\r\nCookie: xa=no; a=b=c; long=12345678\r\n\r\n"),
		0);
	assert_true(http_head_cookie(&head, "a", out, sizeof out));
	assert_string_equal(out, "b=c");
	assert_false(http_head_cookie(&head, "b", out, sizeof out));
	assert_false(http_head_cookie(&head, "long", out, sizeof out));
	assert_int_equal(parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
	assert_false(http_head_cookie(&head, "a", out, sizeof out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usual),           cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_many_fields), cmocka_unit_test(test_end),
		cmocka_unit_test(test_parameters),      cmocka_unit_test(test_cookies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
