// SPDX-License-Identifier: Apache-2.0
/*
 * Frames that stand for several packets: numbers by the rules of RFC 6691 (an MSS knows no options) and by what an MTU holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sensor/offload.h"

enum { TCP = 6, UDP = 17, ICMP = 1, SYN = 2, SYN_ACK = 18 };

static struct offload *offload;

static int set_up(void **state)
{
	(void)state;
	return offload_new(&offload, (const uint64_t[2]){1, 2});
}

static int tear_down(void **state)
{
	(void)state;
	offload_free(offload);
	return 0;
}

static struct decoded frame(uint8_t family, uint8_t protocol, uint16_t header, uint64_t payload)
{
	return (struct decoded){.family = family,
				.protocol = protocol,
				.header = header,
				.bytes = header + payload,
				.packets = 1};
}

/* A flow is a number here, its port; answers go back from it. */
static struct decoded of_flow(struct decoded d, uint16_t flow, bool answer)
{
	d.src.b[0] = answer ? 2 : 1;
	d.dst.b[0] = answer ? 1 : 2;
	d.srcport = answer ? flow : 443;
	d.dstport = answer ? 443 : flow;
	return d;
}

static void announce(uint16_t flow, uint8_t flags, uint16_t mss)
{
	struct decoded d = of_flow(frame(4, TCP, 44, 0), flow, flags == SYN_ACK);

	d.tcp_flags = flags;
	d.mss = mss;
	assert_false(offload_correct(offload, WIRE_OFFLOAD_ESTIMATE, 0, 1500, &d));
	assert_int_equal(d.packets, 1);
}

/* The packets that a frame of this payload is taken for; checks that each brings its own header. */
static uint32_t estimated(uint16_t flow, uint32_t mtu, struct decoded any)
{
	struct decoded d = of_flow(any, flow, false);
	uint64_t before = d.bytes;
	bool several = offload_correct(offload, WIRE_OFFLOAD_ESTIMATE, 0, mtu, &d);

	assert_int_equal(d.bytes, before + (d.packets - 1) * (uint64_t)d.header);
	assert_int_equal(several, d.packets > 1);
	return d.packets;
}

static void by_the_mtu(void **state)
{
	(void)state;
	/* 1500 - 52 = 1448 bytes a piece */
	assert_int_equal(estimated(1, 1500, frame(4, TCP, 52, 1448)), 1);
	assert_int_equal(estimated(1, 1500, frame(4, TCP, 52, 1449)), 2);
	assert_int_equal(estimated(1, 1500, frame(4, TCP, 52, 44 * 1448)), 44);
	assert_int_equal(estimated(1, 1500, frame(4, TCP, 52, 44 * 1448 + 1)), 45);
	assert_int_equal(estimated(1, 9001, frame(4, TCP, 52, 8949)), 1);
	assert_int_equal(estimated(1, 9001, frame(4, TCP, 52, 8950)), 2);
	assert_int_equal(estimated(1, 1500, frame(6, TCP, 72, 3 * 1428)), 3);
	assert_int_equal(estimated(1, 1500, frame(4, UDP, 28, 60000)), 41); /* of 1472 */
	assert_int_equal(estimated(1, 0, frame(4, UDP, 28, 1473)), 2);      /* 1500 where unknown */
	/* what cannot be cut, and headers that are not known */
	assert_int_equal(estimated(1, 1500, frame(4, ICMP, 20, 5000)), 1);
	assert_int_equal(estimated(1, 1500, frame(4, TCP, 0, 5000)), 1);
	assert_int_equal(estimated(1, 100, frame(4, TCP, 120, 5000)), 1);
}

static void by_the_least_mss(void **state)
{
	(void)state;
	announce(7, SYN, 8961);
	announce(7, SYN_ACK, 1460);
	/* 1460 less 12 bytes of options, on a link that would take 9001 */
	assert_int_equal(estimated(7, 9001, frame(4, TCP, 52, 1448)), 1);
	assert_int_equal(estimated(7, 9001, frame(4, TCP, 52, 1449)), 2);
	assert_int_equal(estimated(7, 9001, frame(4, TCP, 52, 5 * 1448)), 5);
	assert_int_equal(estimated(7, 9001, frame(4, TCP, 40, 5 * 1460)), 5);
	/* others know nothing of it, whether they share its place or not */
	for (uint16_t flow = 1000; flow < 20000; flow++)
		assert_int_equal(estimated(flow, 9001, frame(4, TCP, 52, 5000)), 1);
	/* the ports are used again, by others */
	announce(7, SYN, 500);
	announce(7, SYN_ACK, 1460);
	assert_int_equal(estimated(7, 9001, frame(4, TCP, 40, 1000)), 2);
	/* the MTU is the lesser one */
	announce(8, SYN, 8961);
	announce(8, SYN_ACK, 8961);
	assert_int_equal(estimated(8, 1500, frame(4, TCP, 52, 2 * 1448)), 2);
	/* of IPv6 the fixed header has 40 bytes */
	announce(9, SYN_ACK, 1220);
	assert_int_equal(estimated(9, 1500, frame(6, TCP, 60, 2 * 1220)), 2);
	assert_int_equal(estimated(9, 1500, frame(6, TCP, 60, 2 * 1220 + 1)), 3);
	/* nobody makes a million packets of a frame: Linux sends at least 48 bytes, options included */
	announce(10, SYN, 1);
	assert_int_equal(estimated(10, 1500, frame(4, TCP, 40, 4800)), 100);
	/* UDP has none */
	assert_int_equal(estimated(10, 1500, frame(4, UDP, 28, 1472)), 1);
}

static void as_the_kernel_says(void **state)
{
	struct decoded d = frame(4, TCP, 52, 300);

	(void)state;
	assert_true(offload_correct(offload, WIRE_OFFLOAD_KERNEL, 3, 1500, &d));
	assert_int_equal(d.packets, 3);
	assert_int_equal(d.bytes, 3 * 52 + 300);
	d = frame(4, TCP, 52, 3000); /* one packet, however long: the peer's link is another */
	assert_false(offload_correct(offload, WIRE_OFFLOAD_KERNEL, 1, 1500, &d));
	assert_int_equal(d.packets, 1);
	d = frame(4, TCP, 52, 3000); /* it does not know */
	assert_true(offload_correct(offload, WIRE_OFFLOAD_KERNEL, 0, 1500, &d));
	assert_int_equal(d.packets, 3);
	d = frame(6, 50, 0, 3000); /* a protocol whose header nobody read: at least IP's */
	assert_true(offload_correct(offload, WIRE_OFFLOAD_KERNEL, 2, 1500, &d));
	assert_int_equal(d.bytes, 3000 + 40);
}

static void as_they_are(void **state)
{
	struct decoded d = frame(4, TCP, 52, 3000);

	(void)state;
	assert_true(offload_correct(offload, WIRE_OFFLOAD_AS_IS, 0, 1500, &d));
	assert_false(offload_correct(offload, WIRE_OFFLOAD_AS_IS, 0, 3052, &d));
	assert_false(offload_correct(offload, WIRE_OFFLOAD_AS_IS, 0, 0, &d));
	assert_int_equal(d.packets, 1);
	assert_int_equal(d.bytes, 3052);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_the_mtu),
		cmocka_unit_test(by_the_least_mss),
		cmocka_unit_test(as_the_kernel_says),
		cmocka_unit_test(as_they_are),
	};

	return cmocka_run_group_tests_name("offload", tests, set_up, tear_down);
}
