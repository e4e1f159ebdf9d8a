// SPDX-License-Identifier: Apache-2.0
/*
 * Fragments: which later ones get whose ports, for how long, and what a full table forgets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sensor/fragment.h"

static const uint64_t key[2] = {1, 2};
static struct fragment_table *table;

static int setup(void **state)
{
	(void)state;
	return fragment_table_new(&table, 4, key);
}

static int teardown(void **state)
{
	(void)state;
	fragment_table_free(table);
	return 0;
}

static struct decoded packet(uint8_t last_byte, uint32_t id, uint8_t protocol)
{
	struct decoded d = {.family = 4,
			    .protocol = protocol,
			    .fragment_protocol = protocol,
			    .fragment_id = id};

	d.src.b[0] = 10;
	d.dst.b[0] = 192;
	d.dst.b[3] = last_byte;
	return d;
}

static void first(uint16_t iface, uint64_t sec, struct decoded d, uint16_t port)
{
	d.fragment = DECODE_FRAGMENT_FIRST;
	d.srcport = port;
	d.dstport = (uint16_t)(port + 1);
	d.has_ports = true;
	fragment_attribute(table, iface, sec, &d);
	assert_int_equal(d.srcport, port);
}

/* The source port that a later fragment gets; 0: none. */
static uint16_t later(uint16_t iface, uint64_t sec, struct decoded d)
{
	d.fragment = DECODE_FRAGMENT_LATER;
	fragment_attribute(table, iface, sec, &d);
	assert_int_equal(d.dstport, d.srcport ? d.srcport + 1 : 0);
	assert_int_equal(d.has_ports, d.srcport != 0);
	return d.srcport;
}

static void whose_ports(void **state)
{
	const struct fragment_stats *s = fragment_stats(table);
	struct decoded six = packet(9, 7, 17);

	(void)state;
	assert_int_equal(later(0, 1000, packet(9, 7, 17)), 0); /* before its first */
	first(0, 1000, packet(9, 7, 17), 500);
	assert_int_equal(later(0, 1000, packet(9, 7, 17)), 500);
	assert_int_equal(later(0, 1001, packet(9, 7, 17)), 500);
	assert_int_equal(later(1, 1001, packet(9, 7, 17)),
			 0); /* another interface, address, id, protocol, family */
	assert_int_equal(later(0, 1001, packet(8, 7, 17)), 0);
	assert_int_equal(later(0, 1001, packet(9, 6, 17)), 0);
	assert_int_equal(later(0, 1001, packet(9, 7, 6)), 0);
	six.family = 6;
	assert_int_equal(later(0, 1001, six), 0);
	first(0, 1002, packet(9, 7, 17), 600); /* the next datagram of this number */
	assert_int_equal(later(0, 1002, packet(9, 7, 17)), 600);
	assert_int_equal(s->first, 2);
	assert_int_equal(s->attributed, 3);
	assert_int_equal(s->alone, 6);
	assert_int_equal(s->overflow, 0);
}

static void for_how_long(void **state)
{
	(void)state;
	first(0, 1000, packet(9, 7, 17), 500);
	assert_int_equal(later(0, 1060, packet(9, 7, 17)), 500);
	assert_int_equal(later(0, 1061, packet(9, 7, 17)), 0);
	assert_int_equal(later(0, 940, packet(9, 7, 17)), 500); /* stamps that run back */
	assert_int_equal(later(0, 939, packet(9, 7, 17)), 0);
	/* One set: what is out of date makes room without a word. */
	for (uint32_t id = 0; id < 3; id++)
		first(0, 1061, packet(9, 100 + id, 17), 700);
	first(0, 1061, packet(9, 200, 17), 800);
	assert_int_equal(fragment_stats(table)->overflow, 0);
	first(0, 1062, packet(9, 201, 17), 900);
	assert_int_equal(fragment_stats(table)->overflow, 1);
}

static void a_full_set_forgets_the_oldest(void **state)
{
	(void)state;
	for (uint32_t id = 0; id < 5; id++)
		first(0, 1000 + (id + 2) % 5, packet(9, id, 17), (uint16_t)(500 + id));
	/* Stamps 1002, 1003, 1004, 1000, then 1001 for id 4: id 3 was the oldest. */
	for (uint32_t id = 0; id < 5; id++)
		assert_int_equal(later(0, 1004, packet(9, id, 17)), id == 3 ? 0 : 500 + id);
	assert_int_equal(fragment_stats(table)->overflow, 1);
}

/* IPv6: later fragments name what follows the fragment header, the first tells what that leads to. */
static void protocol_of_the_first(void **state)
{
	struct decoded d = packet(9, 7, 60);

	(void)state;
	d.protocol = 17;
	first(0, 1000, d, 500);
	d = packet(9, 7, 60);
	d.fragment = DECODE_FRAGMENT_LATER;
	fragment_attribute(table, 0, 1000, &d);
	assert_int_equal(d.protocol, 17);
	assert_int_equal(d.srcport, 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(whose_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(for_how_long, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_set_forgets_the_oldest, setup, teardown),
		cmocka_unit_test_setup_teardown(protocol_of_the_first, setup, teardown),
	};

	return cmocka_run_group_tests_name("fragment", tests, NULL, NULL);
}
