// SPDX-License-Identifier: Apache-2.0
/*
 * Decoding: small frames built by hand, and every frame cut at every byte and under every link
 * type. Real captures against truth tables are in tests/golden.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sensor/decode.h"

enum { ETHERNET = 1, RAW = 12 };

/* A frame as hex, blanks ignored; returns its length. */
static uint32_t from_hex(const char *hex, uint8_t *out)
{
	uint32_t n = 0;

	for (const char *p = hex; *p; p++) {
		char digits[3] = {p[0], p[1], 0};

		if (*p == ' ')
			continue;
		out[n++] = (uint8_t)strtoul(digits, NULL, 16);
		p++;
	}
	return n;
}

#define ETH                      "ffffffffffff 020000000001 "
#define IP4(total, flags, proto) "4500" total "0001" flags "40" proto "0000 0a000001 c0000201 "
#define UDP                      "9c40 0035 0008 0000 "
#define TCP_SYN                  "9c40 01bb 00000000 00000000 5002 ffff 0000 0000 "
#define IP6(payload, next)                                                                         \
	"60000000" payload next                                                                    \
	"40 20010db8000000000000000000000001 20010db8000000000000000000000002 "

struct frame_case {
	const char *name, *hex;
	int link;
	enum decode_result result;
	uint64_t bytes;
	uint16_t srcport, dstport;
	uint8_t family, protocol, flags;
};

static const struct frame_case cases[] = {
	{"udp", ETH "0800" IP4("001c", "0000", "11") UDP, ETHERNET, DECODE_IP, 28, 40000, 53, 4, 17,
	 0},
	{"padded", ETH "0800" IP4("001c", "0000", "11") UDP "0000000000", ETHERNET, DECODE_IP, 28,
	 40000, 53, 4, 17, 0},
	{"syn", ETH "0800" IP4("0028", "4000", "06") TCP_SYN, ETHERNET, DECODE_IP, 40, 40000, 443,
	 4, 6, 2},
	{"vlan", ETH "8100 0005 0800" IP4("001c", "0000", "11") UDP, ETHERNET, DECODE_IP, 28, 40000,
	 53, 4, 17, 0},
	{"qinq", ETH "88a8 0001 8100 0005 0800" IP4("001c", "0000", "11") UDP, ETHERNET, DECODE_IP,
	 28, 40000, 53, 4, 17, 0},
	{"later fragment", ETH "0800" IP4("001c", "0001", "11") UDP, ETHERNET, DECODE_IP, 28, 0, 0,
	 4, 17, 0},
	{"first fragment", ETH "0800" IP4("001c", "2000", "11") UDP, ETHERNET, DECODE_IP, 28, 40000,
	 53, 4, 17, 0},
	{"ports beyond the packet", ETH "0800" IP4("0016", "0000", "11") UDP, ETHERNET, DECODE_IP,
	 22, 0, 0, 4, 17, 0},
	{"length 0", ETH "0800" IP4("0000", "0000", "11") UDP, ETHERNET, DECODE_IP, 28, 40000, 53,
	 4, 17, 0},
	{"udp6", ETH "86dd" IP6("0008", "11") UDP, ETHERNET, DECODE_IP, 48, 40000, 53, 6, 17, 0},
	{"hop-by-hop", ETH "86dd" IP6("0010", "00") "1100010400000000" UDP, ETHERNET, DECODE_IP, 56,
	 40000, 53, 6, 17, 0},
	{"fragment 6", ETH "86dd" IP6("0010", "2c") "1100000800000001" UDP, ETHERNET, DECODE_IP, 56,
	 0, 0, 6, 17, 0},
	{"chain leaves the packet", ETH "86dd" IP6("0008", "00") "11ff010400000000" UDP, ETHERNET,
	 DECODE_IP, 48, 0, 0, 6, 0, 0},
	{"jumbo", ETH "86dd" IP6("0000", "00") "1100c20400010010" UDP, ETHERNET, DECODE_IP, 65592,
	 40000, 53, 6, 17, 0},
	{"raw", IP4("001c", "0000", "11") UDP, RAW, DECODE_IP, 28, 40000, 53, 4, 17, 0},
	{"arp", ETH "0806 0001080006040001", ETHERNET, DECODE_NOT_IP_ARP, 0, 0, 0, 0, 0, 0},
	{"llc", ETH "0003 424203", ETHERNET, DECODE_NOT_IP_LLC, 0, 0, 0, 0, 0, 0},
	{"snap", ETH "0024 aaaa03 000000 0800" IP4("001c", "0000", "11") UDP, ETHERNET, DECODE_IP,
	 28, 40000, 53, 4, 17, 0},
	{"snap in snap",
	 ETH "0028 aaaa03 000000 0024 aaaa03 000000 0800" IP4("001c", "0000", "11") UDP, ETHERNET,
	 DECODE_NOT_IP_LLC, 0, 0, 0, 0, 0, 0},
	{"lldp", ETH "88cc 0000", ETHERNET, DECODE_NOT_IP_OTHER, 0, 0, 0, 0, 0, 0},
	{"short header", ETH "0800 4400001c", ETHERNET, DECODE_BAD_SHORT, 0, 0, 0, 0, 0, 0},
	{"header length 4",
	 ETH "0800"
	     "4400001c00000000401100000a000001c0000201",
	 ETHERNET, DECODE_BAD_HEADER, 0, 0, 0, 0, 0, 0},
	{"total below header", ETH "0800" IP4("0013", "0000", "11"), ETHERNET, DECODE_BAD_LENGTH, 0,
	 0, 0, 0, 0, 0},
	{"version 5", ETH "0800 5500001c", ETHERNET, DECODE_BAD_VERSION, 0, 0, 0, 0, 0, 0},
	{"tag cut", ETH "8100 00", ETHERNET, DECODE_BAD_LINK, 0, 0, 0, 0, 0, 0},
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

static void frames(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		const struct frame_case *c = &cases[i];
		uint8_t bytes[256];
		uint32_t len = from_hex(c->hex, bytes);
		struct packet p = {.data = bytes, .captured = len, .wire = len};
		struct decoded d = {.bytes = 0};
		enum decode_result result = decode_packet(c->link, &p, &d);

		if (result != c->result)
			fail_msg("%s: %s", c->name, decode_result_text(result));
		if (result != DECODE_IP)
			continue;
		if (d.bytes != c->bytes || d.srcport != c->srcport || d.dstport != c->dstport ||
		    d.family != c->family || d.protocol != c->protocol || d.tcp_flags != c->flags)
			fail_msg("%s: bytes %llu ports %u %u family %u protocol %u flags %u",
				 c->name, (unsigned long long)d.bytes, d.srcport, d.dstport,
				 d.family, d.protocol, d.tcp_flags);
	}
}

/* The bytes lie at the end of an allocation of their own, so that a sanitizer sees any read beyond
 * them. */
static void cut_anywhere(void **state)
{
	static const int links[] = {0,   1,   9,   12,  14,  50,  51,  101,
				    104, 108, 113, 166, 228, 229, 239, 276};

	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		uint8_t bytes[256];
		uint32_t len = from_hex(cases[i].hex, bytes);

		for (size_t l = 0; l < sizeof links / sizeof links[0]; l++)
			for (uint32_t cut = 0; cut <= len; cut++) {
				uint8_t *copy = malloc(cut ? cut : 1);
				struct packet p = {.data = copy, .captured = cut, .wire = len};
				struct decoded d;

				memcpy(copy, bytes, cut);
				assert_true(decode_packet(links[l], &p, &d) < DECODE_RESULTS);
				free(copy);
			}
	}
}

/* What offload correction needs: where the payload begins, and the MSS of a SYN. */
static void headers_and_mss(void **state)
{
#define TCP(size, flags) "9c40 01bb 00000000 00000000 " size flags " ffff 0000 0000 "
	static const struct {
		const char *hex;
		unsigned header, mss;
	} heads[] = {
		{IP4("0064", "0000", "11") UDP, 20 + 8, 0},
		{IP4("0064", "2000", "11") UDP, 20 + 8, 0}, /* a first fragment */
		{IP4("0064", "0001", "11") UDP, 0, 0},      /* a later one */
		{IP4("0064", "0000", "01") UDP, 20, 0},     /* no header is known of it */
		{IP4("0064", "0000", "06") TCP("50", "10"), 20 + 20, 0},
		{IP4("0064", "0000", "06") TCP("80", "10"), 20 + 32, 0},
		{IP4("0064", "0000", "06") TCP("40", "10"), 0, 0}, /* 16 bytes of TCP: a lie */
		{IP4("0064", "0000", "06") "9c40 01bb 00000000 00000000 50", 0, 0}, /* cut */
		{IP4("0064", "0000", "06") "9c40", 0, 0},
		{IP4("0064", "0000", "06") TCP("60", "02") "020405b4", 20 + 24, 1460},
		{IP4("0064", "0000", "06") TCP("70", "12") "01010204 2301 0000", 20 + 28, 8961},
		{IP4("0064", "0000", "06") TCP("60", "10") "020405b4", 20 + 24, 0}, /* no SYN */
		{IP4("0064", "0000", "06") TCP("60", "02") "00020405b4", 20 + 24,
		 0}, /* after the end */
		{IP4("0064", "0000", "06") TCP("60", "02") "0301ffff", 20 + 24, 0},
		{IP4("0064", "0000", "06") TCP("60", "02") "010101 02", 20 + 24, 0},
		{IP4("0064", "0000", "06") TCP("60", "02") "0204", 20 + 24, 0}, /* cut */
		{"4600006400010000400600000a000001c000020101010101" TCP("50", "10"), 24 + 20, 0},
		{IP6("0064", "00") "0600010400000000" TCP("60", "02") "020405a0", 40 + 8 + 24,
		 1440},
		{IP6("0064", "2c") "0600000800000001" TCP("50", "10"), 0, 0},
	};
#undef TCP

	(void)state;
	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		uint8_t bytes[256];
		struct packet p = {
			.data = bytes, .captured = from_hex(heads[i].hex, bytes), .wire = 1000};
		struct decoded d;

		assert_int_equal(decode_packet(RAW, &p, &d), DECODE_IP);
		assert_int_equal(d.packets, 1);
		if (d.header != heads[i].header || d.mss != heads[i].mss)
			fail_msg("frame %zu: header %u, mss %u", i, d.header, d.mss);
	}
}

/* RFC 792, RFC 4443: which errors refuse, and what they quote. 10.0.0.1 and 2001:db8::1 sent it. */
#define TO_US4(total) "4500" total "00010000 40 01 0000 c6336401 0a000001 "
#define TO_US6(payload)                                                                            \
	"60000000" payload "3a40 20010db8000000000000000000000009 "                                \
	"20010db8000000000000000000000001 "
#define ICMP(type, code) type code "0000 00000000 "

static void quotes(void **state)
{
	static const struct {
		const char *name, *hex;
		/* the quoted flow is 40000 to 53; blindly: it cannot be told */
		enum { NO_QUOTE, QUOTES, REFUSES, REFUSES_BLINDLY } kind;
	} rows[] = {
		{"port unreachable", TO_US4("0038") ICMP("03", "03") IP4("001c", "0000", "11") UDP,
		 REFUSES},
		{"of a longer packet",
		 TO_US4("0038") ICMP("03", "0d") IP4("05dc", "0000", "11") UDP, REFUSES},
		{"4 bytes of it",
		 TO_US4("0034") ICMP("03", "03") IP4("001c", "0000", "11") "9c40 0035 ", REFUSES},
		{"no port", TO_US4("0033") ICMP("03", "03") IP4("001c", "0000", "11") "9c40 00 ",
		 REFUSES_BLINDLY},
		{"no header",
		 TO_US4("002f") ICMP("03", "03") "4500001c 00010000 4011 0000 0a000001 c00002 ",
		 REFUSES_BLINDLY},
		{"nothing", TO_US4("001c") ICMP("03", "03"), REFUSES_BLINDLY},
		{"too big", TO_US4("0038") ICMP("03", "04") IP4("001c", "0000", "11") UDP, QUOTES},
		{"time exceeded", TO_US4("0038") ICMP("0b", "00") IP4("001c", "0000", "11") UDP,
		 QUOTES},
		{"echo", TO_US4("0038") ICMP("08", "00") IP4("001c", "0000", "11") UDP, NO_QUOTE},
		{"to somebody else",
		 "4500 0038 00010000 40 01 0000 c6336401 0a000002 " ICMP("03", "03")
			 IP4("001c", "0000", "11") UDP,
		 REFUSES_BLINDLY},
		{"beyond the claimed length",
		 TO_US4("001c") ICMP("03", "03") IP4("001c", "0000", "11") UDP, REFUSES_BLINDLY},
		{"of the other family", TO_US4("0050") ICMP("03", "03") IP6("0008", "11") UDP,
		 REFUSES_BLINDLY},
		{"6 port unreachable", TO_US6("0038") ICMP("01", "04") IP6("0008", "11") UDP,
		 REFUSES},
		{"6 next header", TO_US6("0038") ICMP("04", "01") IP6("0008", "11") UDP, REFUSES},
		{"6 with an extension",
		 TO_US6("0040") ICMP("01", "00") IP6("0010", "00") "1100010400000000" UDP, REFUSES},
		{"6 parameter", TO_US6("0038") ICMP("04", "00") IP6("0008", "11") UDP, QUOTES},
		{"6 too big", TO_US6("0038") ICMP("02", "00") IP6("0008", "11") UDP, QUOTES},
		{"6 time exceeded", TO_US6("0038") ICMP("03", "00") IP6("0008", "11") UDP, QUOTES},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t bytes[256];
		uint32_t len = from_hex(rows[i].hex, bytes);

		for (uint32_t cut = 0; cut <= len; cut++) {
			uint8_t *copy = malloc(cut ? cut : 1);
			struct packet p = {.data = copy, .captured = cut, .wire = len};
			struct decoded d, quoted = {.bytes = 0};
			bool is_whole;

			memcpy(copy, bytes, cut);
			is_whole = decode_packet(RAW, &p, &d) == DECODE_IP && d.quote &&
				   decode_quote(&d, &quoted) && quoted.has_ports;
			if (cut == len &&
			    (is_whole != (rows[i].kind == QUOTES || rows[i].kind == REFUSES) ||
			     d.refuses != (rows[i].kind >= REFUSES) ||
			     (is_whole && (quoted.srcport != 40000 || quoted.dstport != 53 ||
					   quoted.protocol != 17))))
				fail_msg("%s", rows[i].name);
			free(copy);
		}
	}
}

/* By the lengths that the headers claim, not by what was captured. */
static void payload(void **state)
{
	static const struct {
		const char *name, *hex;
		bool payload;
	} rows[] = {
		{"udp", IP4("001c", "0000", "11") UDP, false},
		{"udp and a byte", IP4("001d", "0000", "11") UDP "00", true},
		{"udp and padding", IP4("001c", "0000", "11") UDP "00", false},
		{"udp, cut", IP4("001d", "0000", "11") UDP, true},
		{"tcp", IP4("0028", "4000", "06") TCP_SYN, false},
		{"tcp and a byte", IP4("0029", "4000", "06") TCP_SYN "00", true},
		{"tcp options",
		 IP4("002c", "4000",
		     "06") "9c40 01bb 00000000 00000000 6002 ffff 0000 0000 020405b4",
		 false},
		{"later fragment", IP4("001c", "0001", "11") UDP, true},
		{"echo", IP4("001c", "0000", "01") "0800000000000000", false},
		{"echo with data", IP4("001d", "0000", "01") "080000000000000000", true},
		{"gre", IP4("0015", "0000", "2f") "00", true},
		{"nothing", IP4("0014", "0000", "2f"), false},
		{"udp6", IP6("0008", "11") UDP, false},
		{"udp6 and a byte", IP6("0009", "11") UDP "00", true},
		{"udp6 behind options", IP6("0010", "00") "1100010400000000" UDP, false},
		{"later fragment 6", IP6("0010", "2c") "1100000800000001" UDP, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t bytes[256];
		uint32_t len = from_hex(rows[i].hex, bytes);
		struct packet p = {.data = bytes, .captured = len, .wire = len};
		struct decoded d;

		assert_int_equal(decode_packet(RAW, &p, &d), DECODE_IP);
		if (d.has_payload != rows[i].payload)
			fail_msg("%s", rows[i].name);
	}
}

static void every_result_has_a_name(void **state)
{
	(void)state;
	for (int r = 0; r < DECODE_RESULTS; r++)
		assert_string_not_equal(decode_result_text((enum decode_result)r), "?");
	assert_false(decode_knows_link(127));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames),          cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(headers_and_mss), cmocka_unit_test(quotes),
		cmocka_unit_test(payload),         cmocka_unit_test(every_result_has_a_name),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
