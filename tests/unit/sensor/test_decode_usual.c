// SPDX-License-Identifier: Apache-2.0
/*
 * The short way of decoding against the long one: over frames that can go it, with every byte at every value, cut at
 * every length, and with several bytes changed at once, both say the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sensor/decode_parts.h"

enum { FRAME = 90 };

static uint32_t rnd(void)
{
	static uint32_t state = 1;

	return (state = state * 1103515245 + 12345) >> 8;
}

/* Of IPv4 or IPv6, TCP or UDP; the rest is payload. */
static void frame(uint8_t f[static FRAME], bool ipv6, uint8_t protocol)
{
	static const uint8_t ip4[] = {0x45, 0, 0, FRAME - 14, 0, 1, 0x40, 0, 64, 0, 0xaa, 0xbb},
			     ip6[] = {0x60, 0, 0, 0, 0, FRAME - 54, 0, 64};
	uint8_t *ip = f + 14, *transport = ip + (ipv6 ? 40 : 20);

	for (unsigned i = 0; i < FRAME; i++)
		f[i] = (uint8_t)(i * 37);
	f[12] = ipv6 ? 0x86 : 0x08;
	f[13] = ipv6 ? 0xdd : 0x00;
	memcpy(ip, ipv6 ? ip6 : ip4, ipv6 ? sizeof ip6 : sizeof ip4);
	ip[ipv6 ? 6 : 9] = protocol;
	if (protocol == IP_TCP) {
		transport[12] = 0x50;
		transport[13] = 0x10;
	}
}

#if __SIZEOF_POINTER__ == 8
_Static_assert(sizeof(struct decoded) == 96, "a new field is to be compared here");
#endif

static void same(const struct decoded *x, const struct decoded *y)
{
	assert_memory_equal(&x->src, &y->src, sizeof x->src);
	assert_memory_equal(&x->dst, &y->dst, sizeof x->dst);
	assert_int_equal(x->bytes, y->bytes);
	assert_int_equal(x->packets, y->packets);
	assert_int_equal(x->srcport, y->srcport);
	assert_int_equal(x->dstport, y->dstport);
	assert_int_equal(x->header, y->header);
	assert_int_equal(x->mss, y->mss);
	assert_int_equal(x->family, y->family);
	assert_int_equal(x->protocol, y->protocol);
	assert_int_equal(x->tcp_flags, y->tcp_flags);
	assert_int_equal(x->has_ports, y->has_ports);
	assert_int_equal(x->has_icmp_type, y->has_icmp_type);
	assert_int_equal(x->icmp_type, y->icmp_type);
	assert_int_equal(x->bad_checksum, y->bad_checksum);
	assert_int_equal(x->beyond_wire, y->beyond_wire);
	assert_int_equal(x->fragment, y->fragment);
	assert_int_equal(x->fragment_protocol, y->fragment_protocol);
	assert_int_equal(x->fragment_id, y->fragment_id);
	assert_int_equal(x->has_payload, y->has_payload);
	assert_int_equal(x->quote_len, y->quote_len);
	assert_ptr_equal(x->quote, y->quote);
	assert_int_equal(x->ip_at, y->ip_at);
}

/* True if the frame could go the short way. */
static bool compare(const uint8_t *data, uint32_t captured, uint32_t wire)
{
	struct packet packet = {.data = data, .captured = captured, .wire = wire};
	struct decoded either, longer;
	bool went;

	memset(&either, 0xee, sizeof either);
	went = decode_usual(&packet, &either);
	if (!went)
		return false;
	assert_int_equal(decode_any(LINK_EN10MB, &packet, &longer), DECODE_IP);
	same(&either, &longer);
	assert_int_equal(decode_packet(LINK_EN10MB, &packet, &either), DECODE_IP);
	same(&either, &longer);
	return true;
}

static void each(unsigned (*run)(uint8_t *f), unsigned at_least)
{
	for (unsigned i = 0; i < 4; i++) {
		uint8_t f[FRAME];

		frame(f, i & 1, i & 2 ? IP_TCP : IP_UDP);
		assert_true(compare(f, FRAME, FRAME));
		assert_true(run(f) >= at_least);
	}
}

static unsigned change_every_byte(uint8_t *f)
{
	unsigned went = 0;

	for (unsigned at = 0; at < FRAME; at++) {
		uint8_t was = f[at];

		for (unsigned value = 0; value < 256; value++) {
			f[at] = (uint8_t)value;
			went += compare(f, FRAME, FRAME);
		}
		f[at] = was;
	}
	return went;
}

static void every_byte_at_every_value(void **state)
{
	(void)state;
	/* Addresses and payload alone: more than half of the bytes may be anything. */
	each(change_every_byte, FRAME / 2 * 256);
}

static unsigned cut_everywhere(uint8_t *f)
{
	uint8_t copy[FRAME]; /* so that a sanitizer sees a read behind the end */
	unsigned went = 0;

	for (uint32_t captured = 0; captured <= FRAME; captured++) {
		uint8_t *tight = copy + FRAME - captured;

		memcpy(tight, f, captured);
		went += compare(tight, captured, captured);
		went += compare(tight, captured, FRAME);
		went += compare(tight, captured, FRAME + 1500);
	}
	return went;
}

static void cut_at_every_length(void **state)
{
	(void)state;
	/* From the end of the headers on, with the wire's length. */
	each(cut_everywhere, 2 * (FRAME - 74));
}

static unsigned change_several(uint8_t *f)
{
	uint8_t changed[FRAME];
	unsigned went = 0;

	for (unsigned i = 0; i < 200000; i++) {
		uint32_t wire = FRAME + (rnd() % 8 == 0 ? rnd() % 2000 : 0);

		memcpy(changed, f, FRAME);
		for (unsigned n = 1 + rnd() % 4; n; n--)
			changed[12 + rnd() % (FRAME - 12 - 16)] = (uint8_t)rnd();
		went += compare(changed, rnd() % 4 ? FRAME : rnd() % FRAME, wire);
	}
	return went;
}

static void several_bytes_at_once(void **state)
{
	(void)state;
	each(change_several, 10000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_at_every_value),
		cmocka_unit_test(cut_at_every_length),
		cmocka_unit_test(several_bytes_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
