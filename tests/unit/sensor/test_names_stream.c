// SPDX-License-Identifier: Apache-2.0
/*
 * What begins a TCP stream: ClientHellos written by the forms of RFC 8446 (4.1.2), RFC 6066 (3) and RFC 7301, HTTP heads
 * of RFC 9112 and the EC2 User Guide, each read cut at every byte; and segments put together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/bytes.h"
#include "sensor/names_http.h"
#include "sensor/names_stream.h"
#include "sensor/names_tls.h"

static struct tls_hello hello;
static struct http_head head;
static struct stream_table table;

/* A ClientHello with these extensions, its records of `piece` bytes. Returns its length. */
static size_t client_hello(uint8_t *out, size_t cap, const uint8_t *extensions, size_t n,
			   size_t piece)
{
	uint8_t body[2048];
	struct wr b = wr_init(body, sizeof body), o = wr_init(out, cap);
	size_t len;

	wr_u8(&b, 1);
	wr_u8(&b, 0);
	len = 2 + 32 + 1 + 32 + 2 + 2 + 1 + 1 + (n ? 2 + n : 0);
	wr_u8(&b, (uint8_t)(len >> 8));
	wr_u8(&b, (uint8_t)len);
	wr_copy(&b, "\x03\x03", 2);
	memset(wr_room(&b, 32), 0x55, 32);
	wr_u8(&b, 32);
	memset(wr_room(&b, 32), 0x66, 32);
	wr_copy(&b, "\x00\x02\x13\x01\x01\x00", 6);
	if (n) {
		wr_u8(&b, (uint8_t)(n >> 8));
		wr_u8(&b, (uint8_t)n);
		wr_copy(&b, extensions, n);
	}
	for (size_t at = 0; at < wr_len(&b); at += piece) {
		size_t left = wr_len(&b) - at, part = left < piece ? left : piece;

		wr_copy(&o, "\x16\x03\x01", 3);
		wr_u8(&o, (uint8_t)(part >> 8));
		wr_u8(&o, (uint8_t)part);
		wr_copy(&o, body + at, part);
	}
	assert_false(o.bad || b.bad);
	return wr_len(&o);
}

/* Of every part of it there is more to come; of the whole, what it says. */
static enum names_read tls(const uint8_t *bytes, size_t len)
{
	for (size_t n = 0; n < len; n++) {
		uint8_t *copy = malloc(n + 1);

		assert_non_null(copy);
		memcpy(copy, bytes, n);
		assert_int_equal(tls_read(&hello, copy, n), NAMES_MORE);
		free(copy);
	}
	return tls_read(&hello, bytes, len);
}

static const uint8_t sni_and_alpn[] = {
	0x00, 0x2b, 0x00, 0x03, 0x02, 0x03, 0x04, /* versions */
	0x00, 0x00, 0x00, 0x10, 0x00, 0x0e, 0x00, 0x00, 0x0b, 'E',  'x',  'a',  'm',
	'p',  'l',  'e',  '.',  'O',  'r',  'g',  0x00, 0x10, 0x00, 0x0e, 0x00, 0x0c,
	0x02, 'h',  '2',  0x08, 'h',  't',  't',  'p',  '/',  '1',  '.',  '1',
};

static void hello_of_one_record(void **state)
{
	uint8_t bytes[4096];
	size_t len = client_hello(bytes, sizeof bytes, sni_and_alpn, sizeof sni_and_alpn, 4096);

	(void)state;
	assert_int_equal(tls(bytes, len), NAMES_DONE);
	assert_string_equal(hello.name.text, "example.org");
	assert_string_equal(hello.alpn, "h2,http/1.1");
	/* What follows it does not matter. */
	assert_int_equal(tls_read(&hello, bytes, len + 3), NAMES_DONE);
}

/* One byte a record, as somebody does who does not want to be read. */
static void hello_of_many_records(void **state)
{
	uint8_t bytes[4096];
	size_t len = client_hello(bytes, sizeof bytes, sni_and_alpn, sizeof sni_and_alpn, 1);

	(void)state;
	assert_int_equal(tls(bytes, len), NAMES_DONE);
	assert_string_equal(hello.name.text, "example.org");
}

static void hello_without(void **state)
{
	static const uint8_t empty_list[] = {0, 0, 0, 2, 0, 0};
	uint8_t bytes[4096];
	size_t len = client_hello(bytes, sizeof bytes, NULL, 0, 4096);

	(void)state;
	assert_int_equal(tls(bytes, len), NAMES_DONE);
	assert_int_equal(hello.name.len, 0);
	assert_string_equal(hello.alpn, "");
	len = client_hello(bytes, sizeof bytes, empty_list, sizeof empty_list, 4096);
	assert_int_equal(tls(bytes, len), NAMES_DONE);
	assert_int_equal(hello.name.len, 0);
}

/* A name with controls, one of a kind that does not exist, lengths that lie. */
static void hello_hostile(void **state)
{
	static const uint8_t controls[] = {0, 0, 0, 9, 0, 7, 0, 0, 4, 'a', '\n', 0xff, ' '};
	static const uint8_t other_kind[] = {0, 0, 0, 6, 0, 4, 7, 0, 1, 'a'};
	static const uint8_t too_long[] = {0, 0, 0, 9, 0, 4, 0, 0, 1, 'a'};
	static const uint8_t inner_too_long[] = {0, 0, 0, 6, 0, 4, 0, 0, 9, 'a'};
	uint8_t bytes[4096];
	size_t len;

	(void)state;
	len = client_hello(bytes, sizeof bytes, controls, sizeof controls, 4096);
	assert_int_equal(tls(bytes, len), NAMES_DONE);
	assert_string_equal(hello.name.text, "a\\010\\255\\032");
	len = client_hello(bytes, sizeof bytes, other_kind, sizeof other_kind, 4096);
	assert_int_equal(tls(bytes, len), NAMES_DONE);
	assert_int_equal(hello.name.len, 0);
	len = client_hello(bytes, sizeof bytes, too_long, sizeof too_long, 4096);
	assert_int_equal(tls(bytes, len), NAMES_BAD);
	len = client_hello(bytes, sizeof bytes, inner_too_long, sizeof inner_too_long, 4096);
	assert_int_equal(tls(bytes, len), NAMES_DONE);
	assert_int_equal(hello.name.len, 0);
}

static void no_hello(void **state)
{
	static const uint8_t server_hello[] = {0x16, 3, 3, 0, 4, 2, 0, 0, 0},
			     alert[] = {0x15, 3, 3, 0, 2, 1, 0};
	static const uint8_t too_long[] = {0x16, 3, 1, 0, 4, 1, 0, 0xff, 0xff},
			     empty_record[] = {0x16, 3, 1, 0, 0, 1};

	(void)state;
	assert_int_equal(tls_read(&hello, server_hello, sizeof server_hello), NAMES_BAD);
	assert_int_equal(tls_read(&hello, alert, sizeof alert), NAMES_BAD);
	assert_int_equal(tls_read(&hello, too_long, sizeof too_long), NAMES_BAD);
	assert_int_equal(tls_read(&hello, empty_record, sizeof empty_record), NAMES_BAD);
	assert_int_equal(tls_read(&hello, (const uint8_t *)"\x16\x02", 2), NAMES_BAD);
}

static enum names_read http(const char *text)
{
	size_t len = strlen(text);

	for (size_t n = 0; n < len; n++) {
		uint8_t *copy = malloc(n + 1);

		assert_non_null(copy);
		memcpy(copy, text, n);
		assert_true(n == 0 || http_begins(copy, n));
		assert_int_equal(http_read(&head, copy, n), NAMES_MORE);
		free(copy);
	}
	return http_read(&head, (const uint8_t *)text, len);
}

static void requests(void **state)
{
	(void)state;
	assert_int_equal(
		http("GET /a?B=c HTTP/1.1\r\nAccept: */*\r\nhOST:  WWW.Example.org:8080\r\n\r\n"),
		NAMES_DONE);
	assert_string_equal(head.method, "GET");
	assert_string_equal(head.path.text, "/a?B=c");
	assert_string_equal(head.host.text, "www.example.org");
	assert_false(head.has_token || head.asks_token);
	/* Bare line feeds, an IPv6 address. */
	assert_int_equal(http("HEAD / HTTP/1.0\nHost: [2001:DB8::1]:80\n\n"), NAMES_DONE);
	assert_string_equal(head.host.text, "[2001:db8::1]");
	/* A proxy is asked for the authority or the whole address (RFC 9112, 3.2). */
	assert_int_equal(http("CONNECT evil.example:443 HTTP/1.1\r\nHost: good.example\r\n\r\n"),
			 NAMES_DONE);
	assert_string_equal(head.host.text, "evil.example");
	assert_int_equal(http("GET http://evil.example/x HTTP/1.1\r\nHost: good.example\r\n\r\n"),
			 NAMES_DONE);
	assert_string_equal(head.host.text, "evil.example");
	assert_string_equal(head.path.text, "http://evil.example/x");
	/* Two of them: the first. No Host at all. */
	assert_int_equal(http("POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), NAMES_DONE);
	assert_string_equal(head.host.text, "a");
	assert_int_equal(http("GET / HTTP/1.0\r\n\r\n"), NAMES_DONE);
	assert_int_equal(head.host.len, 0);
	/* Blanks and controls in the target are no end of it, and do not come out. */
	assert_int_equal(http("GET /a b\x01 HTTP/1.1\r\n\r\n"), NAMES_DONE);
	assert_string_equal(head.path.text, "/a\\032b\\001");
}

/* EC2 User Guide, "Use the Instance Metadata Service to access instance metadata". */
static void metadata(void **state)
{
	(void)state;
	assert_int_equal(
		http("PUT /latest/api/token HTTP/1.1\r\nHost: "
		     "169.254.169.254\r\nX-aws-ec2-metadata-token-ttl-seconds: 21600\r\n\r\n"),
		NAMES_DONE);
	assert_true(head.asks_token);
	assert_false(head.has_token);
	assert_int_equal(http("GET /latest/meta-data/iam/security-credentials/ HTTP/1.1\r\nHost: "
			      "169.254.169.254\r\nx-AWS-ec2-metadata-token: AQ==\r\n\r\n"),
			 NAMES_DONE);
	assert_true(head.has_token);
	assert_false(head.asks_token);
	assert_string_equal(head.path.text, "/latest/meta-data/iam/security-credentials/");
	/* An empty token is none. */
	assert_int_equal(http("GET / HTTP/1.1\r\nX-aws-ec2-metadata-token:\r\n\r\n"), NAMES_DONE);
	assert_false(head.has_token);
}

static void no_request(void **state)
{
	(void)state;
	assert_int_equal(http_read(&head, (const uint8_t *)"GETX", 4), NAMES_BAD);
	assert_int_equal(http_read(&head, (const uint8_t *)"get / HTTP/1.1\r\n\r\n", 18),
			 NAMES_BAD);
	assert_int_equal(http_read(&head, (const uint8_t *)"GET\n", 4), NAMES_BAD);
	assert_int_equal(http_read(&head, (const uint8_t *)"", 0), NAMES_MORE);
	assert_false(http_begins((const uint8_t *)"HTTP/1.1 200", 12));
	/* The rest of the head is missing: what was there is filled in. */
	assert_int_equal(http_read(&head, (const uint8_t *)"GET /x HTTP/1.1\r\nHost: a\r\nHo", 28),
			 NAMES_MORE);
	assert_string_equal(head.path.text, "/x");
	assert_string_equal(head.host.text, "a");
}

static const struct decoded flow_a = {.srcport = 1000, .dstport = 443, .src.b = {1}, .dst.b = {2}};

static struct segment part(const struct decoded *d, uint32_t sequence, const char *bytes)
{
	return (struct segment){.decoded = d,
				.sec = 100,
				.sequence = sequence,
				.bytes = (const uint8_t *)bytes,
				.captured = strlen(bytes),
				.len = strlen(bytes)};
}

static void put_together(void **state)
{
	/* Over the end of the numbers (RFC 9293, 3.4). */
	struct segment one = part(&flow_a, UINT32_MAX - 1, "abc"),
		       again = part(&flow_a, UINT32_MAX, "bcde"), three = part(&flow_a, 3, "f"),
		       early = part(&flow_a, 9, "z");
	struct decoded back = {.srcport = 443, .dstport = 1000, .src.b = {2}, .dst.b = {1}};
	struct segment other = part(&back, 5, "x");
	struct stream *s;

	(void)state;
	memset(&table, 0, sizeof table);
	assert_null(stream_find(&table, &one));
	s = stream_begin(&table, &one, STREAM_TLS);
	assert_true(stream_add(s, &one));
	assert_ptr_equal(stream_find(&table, &again), s);
	assert_null(stream_find(&table, &other));
	assert_true(stream_add(s, &again));
	assert_true(stream_add(s, &one)); /* once more */
	assert_int_equal(s->len, 5);
	assert_true(stream_add(s, &three));
	assert_memory_equal(s->bytes, "abcdef", 6);
	stream_consume(s, 4);
	assert_memory_equal(s->bytes, "ef", 2);
	assert_false(stream_add(s, &early));
	stream_end(&table, s);
	assert_null(stream_find(&table, &again));
	assert_int_equal(table.used, 0);
}

static void cut_by_the_capture(void **state)
{
	struct segment one = part(&flow_a, 0, "abc"), two = part(&flow_a, 9, "d");
	struct stream *s;

	(void)state;
	memset(&table, 0, sizeof table);
	one.len = 9;
	s = stream_begin(&table, &one, STREAM_TLS);
	assert_true(stream_add(s, &one));
	assert_true(s->is_cut);
	assert_int_equal(s->len, 3);
	assert_false(stream_add(s, &two)); /* nothing can follow a hole */
}

static void never_too_long(void **state)
{
	static uint8_t bytes[STREAM_BYTES - 1];
	struct segment one = {
		.decoded = &flow_a, .bytes = bytes, .captured = sizeof bytes, .len = sizeof bytes};
	struct segment two = part(&flow_a, sizeof bytes, "abc");
	struct stream *s;

	(void)state;
	memset(&table, 0, sizeof table);
	s = stream_begin(&table, &one, STREAM_DNS);
	assert_true(stream_add(s, &one));
	assert_true(stream_add(s, &two));
	assert_true(s->is_cut);
	assert_int_equal(s->len, STREAM_BYTES);
	assert_int_equal(s->bytes[STREAM_BYTES - 1], 'a');
}

/* More streams than slots: the one that was silent longest goes, and it is counted; silence ends the others. */
static void gives_way(void **state)
{
	struct decoded d[STREAM_SLOTS + 1];

	(void)state;
	memset(&table, 0, sizeof table);
	for (size_t i = 0; i <= STREAM_SLOTS; i++) {
		struct segment s;

		d[i] = flow_a;
		d[i].srcport = (uint16_t)(2000 + i);
		s = part(&d[i], 0, "a");
		s.sec = i == 3 ? 90 : 100 + i;
		assert_true(stream_add(stream_begin(&table, &s, STREAM_HTTP), &s));
	}
	assert_int_equal(table.used, STREAM_SLOTS);
	assert_int_equal(table.lost, 1);
	for (size_t i = 0; i <= STREAM_SLOTS; i++) {
		struct segment s = part(&d[i], 1, "b");

		assert_int_equal(stream_find(&table, &s) == NULL, i == 3);
	}
	stream_expire(&table, 100 + STREAM_SLOTS + STREAM_WAIT_S - 1);
	assert_int_equal(table.used, 1);
	assert_int_equal(table.lost, STREAM_SLOTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_of_one_record),
		cmocka_unit_test(hello_of_many_records),
		cmocka_unit_test(hello_without),
		cmocka_unit_test(hello_hostile),
		cmocka_unit_test(no_hello),
		cmocka_unit_test(requests),
		cmocka_unit_test(metadata),
		cmocka_unit_test(no_request),
		cmocka_unit_test(put_together),
		cmocka_unit_test(cut_by_the_capture),
		cmocka_unit_test(never_too_long),
		cmocka_unit_test(gives_way),
	};

	return cmocka_run_group_tests_name("names_stream", tests, NULL, NULL);
}
