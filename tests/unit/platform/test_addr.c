// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses and their text. Expected texts: the examples of RFC 5952 section 4, and inet_ntop(3)
 * for random addresses.
 */
#include "platform/addr.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "platform/bytes.h"

static uint64_t random_next(uint64_t *state)
{
	*state = *state * 6364136223846793005U + 1442695040888963407U; /* Knuth's MMIX */
	return *state >> 33;
}

/* addr_read(), the text followed by what would go on with it. */
static bool read_without_nul(const char *text, struct addr *ret, uint8_t *ret_family)
{
	char longer[128];

	(void)snprintf(longer, sizeof longer, "%s5", text);
	return addr_read(longer, strlen(text), ret, ret_family);
}

static void test_print(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"2001:0db8::0001", "2001:db8::1"},               /* 4.1 */
		{"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},        /* 4.2.1 */
		{"2001:db8::0:1", "2001:db8::1"},                 /* 4.2.1 */
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* 4.2.2 */
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},          /* 4.2.3 */
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},    /* 4.2.3 */
		{"2001:DB8::ABCD", "2001:db8::abcd"},             /* 4.3 */
		{"0:0:0:0:0:0:0:0", "::"},
		{"0:0:0:0:0:0:0:1", "::1"},
		{"1:0:0:0:0:0:0:0", "1::"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"::ffff:192.0.2.1", "::ffff:c000:201"}, /* no dotted form: see addr.c */
		{"0.0.0.0", "0.0.0.0"},
		{"255.255.255.255", "255.255.255.255"},
		{"9.10.99.100", "9.10.99.100"},
	};
	char text[ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct addr addr, again;
		uint8_t family;

		assert_true(addr_parse(rows[i].in, &addr, &family));
		assert_true(read_without_nul(rows[i].in, &again, &family));
		assert_memory_equal(&again, &addr, sizeof addr);
		assert_int_equal(family, strchr(rows[i].in, ':') ? 6 : 4);
		assert_string_equal(addr_text(text, family, &addr), rows[i].out);
		assert_int_equal(addr_print(text, family, &addr), strlen(rows[i].out));
	}
}

static void test_every_byte_of_ipv4(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 256; i++) {
		const struct addr addr = {
			.b = {(uint8_t)i, (uint8_t)(255 - i), (uint8_t)(i ^ 0x55), (uint8_t)i}};
		char expected[ADDR_TEXT], text[ADDR_TEXT];

		(void)snprintf(expected, sizeof expected, "%u.%u.%u.%u", i, 255 - i, i ^ 0x55, i);
		assert_string_equal(addr_text(text, 4, &addr), expected);
	}
}

static void test_random_against_inet_ntop(void **state)
{
	char expected[INET6_ADDRSTRLEN], text[ADDR_TEXT];
	unsigned int compared = 0;
	uint64_t seed = 1;

	(void)state;
	for (unsigned int i = 0; i < 20000; i++) {
		uint64_t zero = random_next(&seed), small = random_next(&seed);
		struct addr addr = {.b = {0}}, back;
		uint8_t family;

		for (unsigned int g = 0; g < 8; g++) {
			uint32_t v = (uint32_t)random_next(&seed) & 0xffff;

			v >>= (small >> g & 1) * 4 * (v & 3);
			if (zero >> g & 1)
				v = 0;
			addr.b[g * 2] = (uint8_t)(v >> 8);
			addr.b[g * 2 + 1] = (uint8_t)v;
		}
		assert_true(addr_parse(addr_text(text, 6, &addr), &back, &family));
		assert_int_equal(family, 6);
		assert_memory_equal(&back, &addr, sizeof addr);
		if (be64(addr.b) == 0 && be16(addr.b + 8) == 0 &&
		    (be16(addr.b + 10) == 0 || be16(addr.b + 10) == 0xffff))
			continue; /* inet_ntop writes these dotted */
		assert_non_null(inet_ntop(AF_INET6, addr.b, expected, sizeof expected));
#ifdef __GLIBC__ /* musl's shortens a single group of zeros, against RFC 5952 4.2.2 */
		assert_string_equal(text, expected);
#endif
		compared++;
	}
	assert_in_range(compared, 19000, 20000);
}

static void test_parse_refuses(void **state)
{
	static const char *const rows[] = {"",
					   "1.2.3",
					   "1.2.3.4.5",
					   "256.1.1.1",
					   "1.2.3.4 ",
					   " 1.2.3.4",
					   "01.2.3.4",
					   "1.2.3.",
					   "0x1.2.3.4",
					   "::g",
					   "1::2::3",
					   "12345::",
					   ":1:2:3:4:5:6:7",
					   "localhost",
					   "fe80::1%eth0",
					   "[::1]",
					   "1:2:3:4:5:6:7:8:9"};
	struct addr addr;
	uint8_t family;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_false(addr_parse(rows[i], &addr, &family));
		assert_false(read_without_nul(rows[i], &addr, &family));
	}
}

static void test_cidr_parse(void **state)
{
	static const struct {
		const char *in, *out, *error; /* the canonical text, or what the error must say */
	} rows[] = {
		{"10.0.0.0/8", "10.0.0.0/8", NULL},
		{"0.0.0.0/0", "0.0.0.0/0", NULL},
		{"192.0.2.7", "192.0.2.7/32", NULL},
		{"192.0.2.7/32", "192.0.2.7/32", NULL},
		{"192.0.2.254/31", "192.0.2.254/31", NULL},
		{"2001:db8::/32", "2001:db8::/32", NULL},
		{"::/0", "::/0", NULL},
		{"::1", "::1/128", NULL},
		{"10.0.0.1/8", NULL, "10.0.0.1/8: did you mean 10.0.0.0/8?"},
		{"192.0.2.255/31", NULL, "did you mean 192.0.2.254/31?"},
		{"10.0.0.0/0", NULL, "did you mean 0.0.0.0/0?"},
		{"2001:db8::1/32", NULL, "did you mean 2001:db8::/32?"},
		{"2001:db8:ffff::/33", NULL, "did you mean 2001:db8:8000::/33?"},
		{"10.0.0.0/33", NULL, "0 to 32"},
		{"::/129", NULL, "0 to 128"},
		{"10.0.0.0/", NULL, "0 to 32"},
		{"10.0.0.0/08", NULL, "0 to 32"},
		{"10.0.0.0/-1", NULL, "0 to 32"},
		{"10.0.0.0/8 ", NULL, "0 to 32"},
		{"10.0.0.0/8/8", NULL, "0 to 32"},
		{"10.0.0.0/999999999999", NULL, "0 to 32"},
		{"10.0.0/8", NULL, "not an address or prefix"},
		{"/8", NULL, "not an address or prefix"},
		{"", NULL, "not an address or prefix"},
		{"0000000000000000000000000000000000000000000000000000000000000000::/8", NULL,
		 "not an address or prefix"},
	};
	char text[ADDR_ENDPOINT_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct cidr cidr;
		struct err err;
		int rc = cidr_parse(rows[i].in, &cidr, &err);

		if (rows[i].out) {
			assert_int_equal(rc, 0);
			assert_string_equal(cidr_text(text, &cidr), rows[i].out);
		} else {
			assert_int_equal(rc, ERR_USAGE);
			assert_non_null(strstr(err.text, rows[i].error));
		}
	}
}

/* Bit by bit, most significant first. */
static bool naive_has(const struct cidr *cidr, const struct addr *addr)
{
	for (unsigned int i = 0; i < cidr->bits; i++) {
		if ((cidr->addr.b[i / 8] >> (7 - i % 8) & 1) != (addr->b[i / 8] >> (7 - i % 8) & 1))
			return false;
	}
	return true;
}

static void test_cidr_has(void **state)
{
	unsigned int inside = 0;
	uint64_t seed = 2;

	(void)state;
	for (unsigned int i = 0; i < 20000; i++) {
		uint8_t family = i & 1 ? 6 : 4;
		unsigned int max = family == 6 ? 128 : 32,
			     flip = (unsigned int)random_next(&seed) % max;
		struct cidr cidr = {.family = family,
				    .bits = (uint8_t)(random_next(&seed) % (max + 1))};
		struct addr addr;

		for (unsigned int k = 0; k < max / 8; k++)
			cidr.addr.b[k] = (uint8_t)random_next(&seed);
		addr = cidr.addr;
		addr.b[flip / 8] ^= (uint8_t)(0x80 >> flip % 8);
		assert_int_equal(cidr_has(&cidr, family, &addr), naive_has(&cidr, &addr));
		assert_int_equal(cidr_has(&cidr, family, &addr), flip >= cidr.bits);
		assert_true(cidr_has(&cidr, family, &cidr.addr));
		assert_false(cidr_has(&cidr, family == 6 ? 4 : 6, &cidr.addr));
		inside += cidr_has(&cidr, family, &addr);
	}
	assert_in_range(inside, 5000, 15000);
}

static void test_endpoint(void **state)
{
	static const struct {
		const char *in, *out, *error;
	} rows[] = {
		{"192.0.2.1:4739", "192.0.2.1:4739", NULL},
		{"192.0.2.1:0", "192.0.2.1:0", NULL},
		{"[2001:db8::1]:65535", "[2001:db8::1]:65535", NULL},
		{"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
		 "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", NULL},
		{"192.0.2.1", NULL, "lacks a port: write 192.0.2.1:4739"},
		{"2001:db8::1", NULL, "[2001:db8::1]:4739"},
		{"host.example:4739", NULL, "names are not resolved"},
		{"[192.0.2.1]:4739", NULL, "no IPv6 address"},
		{"192.0.2.1:65536", NULL, "0 to 65535"},
		{"192.0.2.1:", NULL, "0 to 65535"},
		{"192.0.2.1:+1", NULL, "0 to 65535"},
		{"192.0.2.1:00080", NULL, "0 to 65535"},
		{"[2001:db8::1]", NULL, "not an address and port"},
		{"[2001:db8::1]4739", NULL, "not an address and port"},
		{"[2001:db8::1", NULL, "not an address and port"},
		{"[", NULL, "not an address and port"},
		{"", NULL, "not an address and port"},
		{":4739", NULL, "no IPv4 address"},
		{"000000000000000000000000000000000000000000000000001.2.3.4:5", NULL, "too long"},
	};
	char text[ADDR_ENDPOINT_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct endpoint ep;
		struct err err;
		int rc = endpoint_parse(rows[i].in, &ep, &err);

		if (rows[i].out) {
			assert_int_equal(rc, 0);
			assert_string_equal(endpoint_text(text, &ep), rows[i].out);
		} else {
			assert_int_equal(rc, ERR_USAGE);
			assert_non_null(strstr(err.text, rows[i].error));
		}
	}
}

static void test_multicast(void **state)
{
	static const struct {
		const char *addr;
		bool is;
	} rows[] = {{"223.255.255.255", false}, {"224.0.0.0", true},
		    {"239.255.255.255", true},  {"240.0.0.0", false},
		    {"255.255.255.254", false}, {"255.255.255.255", true},
		    {"ff00::", true},           {"ff02::1", true},
		    {"feff::1", false},         {"e000::1", false}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct addr addr;
		uint8_t family;

		assert_true(addr_parse(rows[i].addr, &addr, &family));
		assert_int_equal(addr_is_multicast(family, &addr), rows[i].is);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_every_byte_of_ipv4),
		cmocka_unit_test(test_random_against_inet_ntop),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_cidr_parse),
		cmocka_unit_test(test_cidr_has),
		cmocka_unit_test(test_endpoint),
		cmocka_unit_test(test_multicast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
