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
		cmocka_unit_test(ordinary_frames),
		cmocka_unit_test(merged_frames),
		cmocka_unit_test(merged_and_not_counted),
		cmocka_unit_test(early_frames),
	};

	return cmocka_run_group_tests_name("segments", tests, load, NULL);
}
