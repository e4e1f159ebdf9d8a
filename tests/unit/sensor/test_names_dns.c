// SPDX-License-Identifier: Apache-2.0
/*
 * DNS messages: the examples of RFC 1035 (4.1.4) and RFC 6891, hand-made answers, and what a hostile sender writes. Every
 * message is also read cut at every byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/bytes.h"
#include "sensor/names_dns.h"

static struct dns_message m;

struct maker {
	struct wr wr;
	uint8_t bytes[4096];
};

static void u16(struct maker *k, unsigned v)
{
	wr_u8(&k->wr, (uint8_t)(v >> 8));
	wr_u8(&k->wr, (uint8_t)v);
}

static void head(struct maker *k, unsigned flags, unsigned questions, unsigned answers,
		 unsigned additional)
{
	k->wr = wr_init(k->bytes, sizeof k->bytes);
	u16(k, 0xabcd);
	u16(k, flags);
	u16(k, questions);
	u16(k, answers);
	u16(k, 0);
	u16(k, additional);
}

/* "a.example" as labels, with the root at its end. */
static void name(struct maker *k, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, ".");

		wr_u8(&k->wr, (uint8_t)n);
		wr_copy(&k->wr, text, n);
		text += n + (text[n] == '.');
	}
	wr_u8(&k->wr, 0);
}

static void question(struct maker *k, const char *text, unsigned type)
{
	name(k, text);
	u16(k, type);
	u16(k, 1);
}

/* What follows a record's name. */
static void record(struct maker *k, unsigned type, uint32_t ttl, const void *data, size_t n)
{
	u16(k, type);
	u16(k, 1);
	wr_u32be(&k->wr, ttl);
	u16(k, (unsigned)n);
	wr_copy(&k->wr, data, n);
}

/* An exact copy on the heap, so that reading past it is seen; then cut at every byte, which must not be read past either. */
static bool dns(const struct maker *k)
{
	size_t len = wr_len(&k->wr);

	for (size_t n = 0; n <= len; n++) {
		uint8_t *copy = malloc(n + 1);

		assert_non_null(copy);
		memcpy(copy, k->bytes, n);
		/* The byte behind is none of the message: poisoned by being another value than there. */
		copy[n] = 0xff;
		if (n < len) {
			if (dns_read(&m, copy, n, len)) {
				dns_find_addresses(&m, copy, n);
				assert_false(m.is_whole);
				assert_int_equal(m.n_addresses, 0);
			}
			free(copy);
			continue;
		}
		bool is_read = dns_may_begin(copy, n) && dns_read(&m, copy, n, len);

		if (is_read)
			dns_find_addresses(&m, copy, n);
		free(copy);
		return is_read;
	}
	return false;
}

/* RFC 1035, 4.1.4: F.ISI.ARPA at 20, FOO.F.ISI.ARPA at 40 by a pointer to 20, ARPA by one to 26, the root at 92. */
static void rfc1035_compression(void **state)
{
	struct maker k;

	(void)state;
	head(&k, 0x8180, 1, 3, 0);
	/* 12: two labels, so that F.ISI.ARPA stands at 20: xxxxxxx is 8 bytes with its length. */
	wr_copy(&k.wr,
		"\x07xxxxxxx\x01\x46\x03ISI\x04"
		"ARPA\x00",
		8 + 12);
	u16(&k, 1);
	u16(&k, 1);
	assert_int_equal(wr_len(&k.wr), 36);
	wr_copy(&k.wr,
		"\x03"
		"FOO\xc0\x14",
		6);
	record(&k, 5, 1, "\xc0\x1a", 2);
	wr_copy(&k.wr, "\xc0\x1a", 2);
	record(&k, 2, 1, "\x00", 1);
	wr_copy(&k.wr, "\xc0\x14", 2);
	record(&k, 1, 1, "\x0a\x00\x00\x34", 4);
	assert_true(dns(&k));
	assert_true(m.is_whole);
	assert_string_equal(m.name.text, "xxxxxxx.f.isi.arpa");
	assert_int_equal(m.n_answers, 3);
	assert_string_equal(m.answers[0].text, "arpa");
	assert_string_equal(m.answers[1].text, ".");
	assert_int_equal(m.answers[2].family, 4);
	assert_memory_equal(m.answers[2].addr.b, "\x0a\x00\x00\x34", 4);
	/* The address is of F.ISI.ARPA, which was not asked for. */
	assert_int_equal(m.n_addresses, 0);
}

static void query(void **state)
{
	struct maker k;

	(void)state;
	head(&k, 0x0100, 1, 0, 0);
	question(&k, "WWW.Example.COM", 28);
	assert_true(dns(&k));
	assert_int_equal(m.id, 0xabcd);
	assert_false(m.is_response);
	assert_int_equal(m.qtype, 28);
	assert_int_equal(m.qclass, 1);
	assert_string_equal(m.name.text, "www.example.com");
	/* 3www7example3com0 */
	assert_int_equal(m.question.len, 17);
	assert_memory_equal(m.question.bytes,
			    "\x03www\x07"
			    "example\x03"
			    "com\x00",
			    17);
	assert_int_equal(m.n_addresses, 0);
}

/* CNAME, CNAME, A, AAAA in an order that no resolver would choose, and an address of somebody else among them. */
static void follows_cnames(void **state)
{
	struct maker k;
	const uint8_t six[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};

	(void)state;
	head(&k, 0x8180, 1, 6, 0);
	question(&k, "www.example.com", 1);
	name(&k, "edge.example.net");
	record(&k, 1, 60, "\xc0\x00\x02\x07", 4);
	name(&k, "evil.example");
	record(&k, 1, 60, "\xc0\x00\x02\x42", 4);
	name(&k, "mid.example.net");
	record(&k, 5, 60,
	       "\x04"
	       "edge\x07"
	       "example\x03net\x00",
	       18);
	wr_copy(&k.wr, "\xc0\x0c", 2);
	record(&k, 5, 300,
	       "\x03mid\x07"
	       "EXAMPLE\x03NET\x00",
	       17);
	name(&k, "EDGE.example.net");
	record(&k, 28, 60, six, 16);
	name(&k, "edge.example.net");
	record(&k, 1, 60, "\xc0\x00\x02", 3); /* not an address */
	assert_true(dns(&k));
	assert_true(m.is_whole);
	assert_int_equal(m.n_answers, 6);
	assert_int_equal(m.answers[5].family, 0);
	assert_int_equal(m.answers[5].size, 3);
	assert_int_equal(m.n_addresses, 2);
	assert_int_equal(m.addresses[0].family, 4);
	assert_memory_equal(m.addresses[0].addr.b, "\xc0\x00\x02\x07", 4);
	assert_int_equal(m.addresses[1].family, 6);
	assert_memory_equal(m.addresses[1].addr.b, six, 16);
}

/* Names that turn in a circle end; so do CNAMEs. */
static void circles(void **state)
{
	struct maker k;

	(void)state;
	head(&k, 0x0100, 1, 0, 0);
	wr_copy(&k.wr, "\xc0\x0c", 2); /* itself */
	u16(&k, 1);
	u16(&k, 1);
	assert_false(dns(&k));
	head(&k, 0x0100, 1, 0, 0);
	wr_copy(&k.wr,
		"\x01"
		"a\xc0\x0c",
		4); /* to its own begin */
	u16(&k, 1);
	u16(&k, 1);
	assert_false(dns(&k));
	head(&k, 0x0100, 1, 0, 0);
	wr_copy(&k.wr, "\xc0\x20", 2); /* forward */
	u16(&k, 1);
	u16(&k, 1);
	assert_false(dns(&k));

	head(&k, 0x8180, 1, 3, 0);
	question(&k, "a.example", 1);
	wr_copy(&k.wr, "\xc0\x0c", 2);
	record(&k, 5, 60,
	       "\x01"
	       "b\xc0\x0e",
	       4);
	wr_copy(&k.wr,
		"\x01"
		"b\xc0\x0e",
		4);
	record(&k, 5, 60, "\xc0\x0c", 2);
	wr_copy(&k.wr, "\xc0\x0c", 2);
	record(&k, 1, 60, "\x01\x02\x03\x04", 4);
	assert_true(dns(&k));
	assert_true(m.n_addresses <= 1);
}

/* 255 bytes are a name, 256 are none; 63 a label, 64 none (RFC 1035, 2.3.4). */
static void lengths(void **state)
{
	char label[64];
	struct maker k;

	(void)state;
	memset(label, 'a', sizeof label);
	for (unsigned last = 61; last <= 62; last++) {
		head(&k, 0x0100, 1, 0, 0);
		for (int i = 0; i < 3; i++) {
			wr_u8(&k.wr, 63);
			wr_copy(&k.wr, label, 63);
		}
		wr_u8(&k.wr, (uint8_t)last); /* 3 * 64 + 1 + 61 + 1 is 255 */
		wr_copy(&k.wr, label, last);
		wr_u8(&k.wr, 0);
		u16(&k, 16);
		u16(&k, 1);
		assert_int_equal(dns(&k), last == 61);
	}
	head(&k, 0x0100, 1, 0, 0);
	wr_u8(&k.wr, 64);
	wr_copy(&k.wr, label, 64);
	wr_u8(&k.wr, 0);
	u16(&k, 1);
	u16(&k, 1);
	assert_false(dns(&k));
}

/* RFC 1035, 5.1: \DDD and \X. Nothing but printable ASCII comes out, whatever goes in. */
static void hostile_names(void **state)
{
	struct maker k;

	(void)state;
	head(&k, 0x0100, 1, 0, 0);
	wr_copy(&k.wr,
		"\x09"
		"a.b\\\n\x00\xff\x7f \x03"
		"x\"y\x00",
		15);
	u16(&k, 1);
	u16(&k, 1);
	assert_true(dns(&k));
	assert_string_equal(m.name.text, "a\\.b\\\\\\010\\000\\255\\127\\032.x\"y");

	for (unsigned c = 0; c < 256; c++) {
		head(&k, 0x0100, 1, 0, 0);
		wr_u8(&k.wr, 1);
		wr_u8(&k.wr, (uint8_t)c);
		wr_u8(&k.wr, 0);
		u16(&k, 1);
		u16(&k, 1);
		assert_true(dns(&k));
		for (const char *p = m.name.text; *p; p++)
			assert_true(*p > ' ' && *p <= '~');
	}

	/* 250 bytes that each become four: cut between two of them, and said so. */
	head(&k, 0x0100, 1, 0, 0);
	for (int i = 0; i < 5; i++) {
		wr_u8(&k.wr, 49);
		memset(wr_room(&k.wr, 49), 1, 49);
	}
	wr_u8(&k.wr, 0);
	u16(&k, 1);
	u16(&k, 1);
	assert_true(dns(&k));
	assert_true(m.name.is_cut);
	assert_true(m.name.len <= BATCH_NAME_MAX && m.name.len > BATCH_NAME_MAX - 4);
	assert_int_equal(m.question.len, 5 * 50 + 1);
}

static void answers_as_text(void **state)
{
	struct maker k;

	(void)state;
	head(&k, 0x8183, 1, 5, 0);
	question(&k, "example.com", 255);
	wr_copy(&k.wr, "\xc0\x0c", 2);
	record(&k, 15, 1, "\x00\x0a\x04mail\xc0\x0c", 9);
	wr_copy(&k.wr, "\xc0\x0c", 2);
	record(&k, 16, 2,
	       "\x05v=A b\x03"
	       "\"\\\n",
	       10);
	wr_copy(&k.wr, "\xc0\x0c", 2);
	record(&k, 33, 3, "\x00\x01\x00\x02\x14\x66\x01s\x00", 9);
	wr_copy(&k.wr, "\xc0\x0c", 2);
	record(&k, 10, 4, "\x01\x02\x03", 3);
	wr_copy(&k.wr, "\xc0\x0c", 2);
	record(&k, 12, 5, "\xc0\x00", 2); /* to the head: no name */
	assert_true(dns(&k));
	assert_int_equal(m.rcode, 3);
	assert_string_equal(m.answers[0].text, "10 mail.example.com");
	assert_string_equal(m.answers[1].text, "\"v=A b\" \"\\\"\\\\\\010\"");
	assert_string_equal(m.answers[2].text, "1 2 5222 s");
	assert_string_equal(m.answers[3].text, "");
	assert_int_equal(m.answers[3].size, 3);
	assert_int_equal(m.answers[3].ttl, 4);
	assert_int_equal(m.answers_said, 5);
}

/* RFC 6891, 6.1.3: the upper eight bits of BADVERS (16) stand in OPT's ttl. */
static void extended_rcode(void **state)
{
	struct maker k;

	(void)state;
	head(&k, 0x8180, 1, 0, 1);
	question(&k, "a", 1);
	wr_u8(&k.wr, 0);
	record(&k, 41, 0x01000000, "", 0);
	assert_true(dns(&k));
	assert_true(m.is_whole);
	assert_int_equal(m.rcode, 16);
}

/* More answers than are kept, more than are looked at, and a head that lies about them. */
static void many_answers(void **state)
{
	struct maker k;

	(void)state;
	head(&k, 0x8180, 1, 100, 0);
	question(&k, "a", 1);
	for (unsigned i = 0; i < 100; i++) {
		const uint8_t addr[4] = {10, 0, 0, (uint8_t)i};

		wr_copy(&k.wr, "\xc0\x0c", 2);
		record(&k, 1, i, addr, 4);
	}
	assert_true(dns(&k));
	assert_true(m.is_whole);
	assert_int_equal(m.answers_said, 100);
	assert_int_equal(m.n_answers, BATCH_DNS_ANSWERS_MAX);
	assert_int_equal(m.n_addresses, DNS_ADDRESSES_MAX);
	assert_int_equal(m.addresses[31].addr.b[3], 31);
	k.bytes[7] = 101;
	assert_true(dns(&k));
	assert_false(m.is_whole);
	assert_int_equal(m.n_addresses, 0);
	assert_int_equal(m.n_answers, BATCH_DNS_ANSWERS_MAX);
	k.bytes[6] = 0xff;
	k.bytes[7] = 0xff;
	assert_true(dns(&k));
	assert_false(m.is_whole);
}

/* mDNS answers without a question: the first answer's name stands for it. */
static void without_question(void **state)
{
	struct maker k;

	(void)state;
	head(&k, 0x8400, 0, 1, 0);
	name(&k, "_http._tcp.local");
	record(&k, 12, 120,
	       "\x01"
	       "a\xc0\x0c",
	       4);
	assert_true(dns(&k));
	assert_string_equal(m.name.text, "_http._tcp.local");
	assert_string_equal(m.answers[0].text, "a._http._tcp.local");
	assert_int_equal(m.question.len, 0);
	assert_int_equal(m.n_addresses, 0);
}

static void no_message(void **state)
{
	struct maker k;

	(void)state;
	head(&k, 0x0100, 0, 0, 0); /* neither asks nor answers */
	assert_false(dns(&k));
	head(&k, 0x7800, 1, 0, 0); /* opcode 15 */
	question(&k, "a", 1);
	assert_false(dns(&k));
	head(&k, 0x0100, 1, 0, 0); /* a label of a kind that does not exist */
	wr_copy(&k.wr,
		"\x41"
		"a\x00",
		3);
	u16(&k, 1);
	u16(&k, 1);
	assert_false(dns(&k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc1035_compression),
		cmocka_unit_test(query),
		cmocka_unit_test(follows_cnames),
		cmocka_unit_test(circles),
		cmocka_unit_test(lengths),
		cmocka_unit_test(hostile_names),
		cmocka_unit_test(answers_as_text),
		cmocka_unit_test(extended_rcode),
		cmocka_unit_test(many_answers),
		cmocka_unit_test(without_question),
		cmocka_unit_test(no_message),
	};

	return cmocka_run_group_tests_name("names_dns", tests, NULL, NULL);
}
