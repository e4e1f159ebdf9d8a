// SPDX-License-Identifier: Apache-2.0
/*
 * What the kernel says by the length of what it keeps is what was said: the program runs in the kernel on made-up
 * packets (BPF_PROG_TEST_RUN), for every length and every number of segments that are possible with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/bpf.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/segments.h"

enum { ETHERNET = 14, HEADERS = 40, LONGEST = 3000 };

static int program;

static int load(void **state)
{
	(void)state;
	program = segments_load();
	return program < 0;
}

/* How many bytes of a frame are kept. The test run takes the Ethernet header off first. */
static uint32_t kept(uint32_t len, uint32_t segments, uint32_t size)
{
	static const uint8_t data[LONGEST + ETHERNET];
	struct __sk_buff ctx;
	union bpf_attr attr;

	memset(&ctx, 0, sizeof ctx);
	memset(&attr, 0, sizeof attr);
	ctx.gso_segs = segments;
	ctx.gso_size = size;
	attr.test.prog_fd = (uint32_t)program;
	attr.test.data_in = (uintptr_t)data;
	attr.test.data_size_in = len + ETHERNET;
	attr.test.ctx_in = (uintptr_t)&ctx;
	attr.test.ctx_size_in = sizeof ctx;
	assert_int_equal(syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof attr), 0);
	return attr.test.retval < len ? attr.test.retval : len;
}

static void ordinary_frames(void **state)
{
	(void)state;
	for (uint32_t len = HEADERS; len <= LONGEST; len++) {
		uint32_t got = kept(len, 0, 0);

		assert_int_equal(got, len < SEGMENTS_SNAPLEN ? len : SEGMENTS_SNAPLEN);
		assert_int_equal(segments_of(got, len), 1);
	}
}

static void merged_frames(void **state)
{
	(void)state;
	for (uint32_t len = HEADERS + 2; len <= LONGEST; len += len < 700 ? 1 : 37)
		for (uint32_t n = 2; n <= len - HEADERS; n += n < 70 ? 1 : 29) {
			uint32_t got = kept(len, n, (len - HEADERS + n - 1) / n);
			/* the one length that says nothing */
			uint32_t want = len == SEGMENTS_SNAPLEN + n ? 0 : n;

			assert_true(got < len);
			assert_true(got >= HEADERS);
			if (segments_of(got, len) != want)
				fail_msg("%u bytes, %u segments: kept %u, told %u", len, n, got,
					 segments_of(got, len));
		}
}

static void merged_and_not_counted(void **state)
{
	(void)state;
	for (uint32_t len = 300; len <= LONGEST; len += 100) {
		assert_int_equal(segments_of(kept(len, 0, 1448), len), 0);
		assert_int_equal(segments_of(kept(len, 1, 1448), len), 0);
	}
}

/* How many bytes are kept of an Ethernet frame with this IP packet in it, `size` bytes of which are written out. */
static uint32_t kept_packet(const uint8_t *ip, uint32_t size, uint32_t len, uint16_t type,
			    uint32_t segments)
{
	static uint8_t data[LONGEST + ETHERNET];
	struct __sk_buff ctx;
	union bpf_attr attr;

	memset(&ctx, 0, sizeof ctx);
	memset(&attr, 0, sizeof attr);
	memset(data, 0, sizeof data);
	data[12] = (uint8_t)(type >> 8);
	data[13] = (uint8_t)type;
	memcpy(data + ETHERNET, ip, size);
	ctx.gso_segs = segments;
	attr.test.prog_fd = (uint32_t)program;
	attr.test.data_in = (uintptr_t)data;
	attr.test.data_size_in = len + ETHERNET;
	attr.test.ctx_in = (uintptr_t)&ctx;
	attr.test.ctx_size_in = sizeof ctx;
	assert_int_equal(syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof attr), 0);
	return attr.test.retval < len ? attr.test.retval : len;
}

/* Frames that may bear a name are whole; their like are not. Ports and payload of IPv4 and IPv6, options too. */
static void names_are_whole(void **state)
{
	static const struct {
		uint8_t protocol;
		uint16_t from, to;
		const char *payload;
		bool whole;
	} cases[] = {
		{17, 53, 40000, "", true},
		{17, 40000, 53, "", true},
		{17, 5353, 5353, "", true},
		{17, 40000, 5355, "", true},
		{17, 40000, 54, "GET", false},
		{6, 40000, 53, "", true},
		{6, 40000, 443, "\x16\x03", true},
		{6, 40000, 443, "\x17\x03", false},
		{6, 40000, 443, "\x16\x02", false},
		{6, 40000, 9999, "GET /", true},
		{6, 40000, 80, "POST", true},
		{6, 40000, 80, "PUT", true},
		{6, 40000, 80, "HEAD", true},
		{6, 40000, 80, "DELETE", true},
		{6, 40000, 80, "OPTIONS", true},
		{6, 40000, 80, "CONNECT", true},
		{6, 40000, 80, "PATCH", true},
		{6, 40000, 80, "TRACE", true},
		{6, 80, 40000, "HTTP/1.1", false},
		{132, 53, 53, "", false},
		{1, 53, 53, "", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (unsigned form = 0; form < 6; form++) {
			bool six = form == 0;
			uint32_t header = six ? 40 : 20 + (form - 1) * 4,
				 options = form == 5 ? 12 : 0;
			uint32_t tcp = cases[i].protocol == 6 ? 20 + options : 8;
			uint8_t ip[128] = {0};
			uint32_t want = cases[i].whole ? 1400 : SEGMENTS_SNAPLEN, got;

			ip[0] = six ? 0x60 : (uint8_t)(0x40 | header / 4);
			ip[six ? 6 : 9] = cases[i].protocol;
			ip[header] = (uint8_t)(cases[i].from >> 8);
			ip[header + 1] = (uint8_t)cases[i].from;
			ip[header + 2] = (uint8_t)(cases[i].to >> 8);
			ip[header + 3] = (uint8_t)cases[i].to;
			ip[header + 12] = (uint8_t)(tcp / 4 << 4);
			memcpy(ip + header + tcp, cases[i].payload, strlen(cases[i].payload));
			got = kept_packet(ip, sizeof ip, 1400, six ? 0x86dd : 0x0800, 0);
			if (got != want)
				fail_msg("case %zu, form %u: kept %u instead of %u", i, form, got,
					 want);
			/* Short ones are whole anyway; the number is told as ever, or unknown. */
			assert_int_equal(kept_packet(ip, sizeof ip, 200, six ? 0x86dd : 0x0800, 0),
					 200);
			got = kept_packet(ip, sizeof ip, 1400, six ? 0x86dd : 0x0800, 13);
			assert_int_equal(segments_of(got, 1400), cases[i].whole ? 0 : 13);
		}
}

/* A header that claims more than there is, no IP at all: as ever. */
static void no_names(void **state)
{
	uint8_t ip[300] = {0x4f, [9] = 6};

	(void)state;
	assert_int_equal(kept_packet(ip, sizeof ip, 300, 0x0800, 0), SEGMENTS_SNAPLEN);
	ip[0] = 0x45;
	ip[20 + 12] = 0xf0; /* of 60 bytes */
	assert_int_equal(kept_packet(ip, sizeof ip, 300, 0x0800, 0), SEGMENTS_SNAPLEN);
	ip[0] = 0x55;
	assert_int_equal(kept_packet(ip, sizeof ip, 300, 0x0806, 0), SEGMENTS_SNAPLEN);
}

/* Before the filter was attached frames are whole, merged or not. */
static void early_frames(void **state)
{
	(void)state;
	assert_int_equal(segments_of(100, 100), 1);
	assert_int_equal(segments_of(1514, 1514), 0);
	assert_int_equal(segments_of(30000, 30000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_frames),        cmocka_unit_test(merged_frames),
		cmocka_unit_test(merged_and_not_counted), cmocka_unit_test(early_frames),
		cmocka_unit_test(names_are_whole),        cmocka_unit_test(no_names),
	};

	return cmocka_run_group_tests_name("segments", tests, load, NULL);
}
