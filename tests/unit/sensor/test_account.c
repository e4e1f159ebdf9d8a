// SPDX-License-Identifier: Apache-2.0
/*
 * The packet equation: what is told is summed, what is unknown stays so. Numbers by arithmetic.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sensor/account.h"

static struct account account;

static int fresh(void **state)
{
	(void)state;
	account = (struct account){.n = 2};
	return 0;
}

static void frames(uint16_t iface, enum decode_result result, int n)
{
	const struct packet packet = {.iface = iface, .captured = 60, .wire = 60};
	const struct decoded plain = {.family = 4};

	for (int i = 0; i < n; i++)
		account_frame(&account, &packet, result, &plain);
}

static struct batch_account filled(uint16_t iface, uint64_t live)
{
	struct batch_account a;

	account_fill(&account, iface, live, 60, &a);
	return a;
}

static void every_frame_has_its_place(void **state)
{
	struct batch_account a;

	(void)state;
	frames(1, DECODE_IP, 10);
	frames(1, DECODE_NOT_IP_ARP, 3);
	frames(1, DECODE_NOT_IP_OTHER, 1);
	frames(1, DECODE_BAD_LINK, 2);
	frames(1, DECODE_BAD_LENGTH, 1);
	account.of[1].recorded = 6;
	a = filled(1, 4);
	assert_int_equal(a.window, 60);
	assert_int_equal(a.iface, 1);
	assert_int_equal(a.received, 17);
	assert_int_equal(a.recorded, 6);
	assert_int_equal(a.live, 4);
	assert_int_equal(a.not_ip, 4);
	assert_int_equal(a.malformed, 3);
	assert_int_equal(batch_account_residual(&a), 0);
	a = filled(1, 3); /* one that is neither in a record nor in the table */
	assert_int_equal(batch_account_residual(&a), 1);
	assert_int_equal(filled(0, 0).received, 0);
}

/* What is wrong with a frame is counted beside the equation, and of frames that are no IP only that they were cut. */
static void noted(void **state)
{
	const struct packet packet = {.iface = 1, .captured = 60, .wire = 61, .snapped = true};
	const struct decoded wrong = {.family = 4, .bad_checksum = true, .beyond_wire = true};
	struct batch_account a, sum;

	(void)state;
	frames(1, DECODE_IP, 5);
	account_frame(&account, &packet, DECODE_IP, &wrong);
	account_frame(&account, &packet, DECODE_BAD_LINK, &wrong);
	a = filled(1, 6);
	assert_int_equal(a.snapped, 2);
	assert_int_equal(a.bad_checksum, 1);
	assert_int_equal(a.beyond_wire, 1);
	assert_int_equal(batch_account_residual(&a), 0);
	sum = a;
	account_add(&sum, &a);
	assert_int_equal(sum.snapped, 4);
	assert_int_equal(sum.bad_checksum, 2);
	assert_int_equal(sum.beyond_wire, 2);
}

static void what_was_cut_is_known_at_the_end(void **state)
{
	struct capture_stats kernel = {.received = 12, .dropped = 5, .known = true};
	struct batch_account a;

	(void)state;
	frames(0, DECODE_IP, 9);
	frames(1, DECODE_IP, 9);
	account.of[0].recorded = account.of[1].recorded = 9;
	assert_true(account_kernel(&account, 0, &kernel));
	assert_false(account_kernel(&account, 0, &kernel));
	assert_int_equal(filled(0, 0).received, 9);
	account_end(&account);
	a = filled(0, 0);
	assert_int_equal(a.cut, 3);
	assert_int_equal(a.received, 12);
	assert_int_equal(batch_account_residual(&a), 0);
	assert_int_equal(a.kernel_dropped, 5);
	assert_true(a.kernel_known);
	a = filled(1, 0); /* nobody told */
	assert_int_equal(a.cut, 0);
	assert_false(a.kernel_known);
}

static void one_unknown_makes_the_sum_unknown(void **state)
{
	struct batch_account sum = {.received = 1,
				    .recorded = 1,
				    .kernel_dropped = 2,
				    .nic_dropped = 3,
				    .kernel_known = true,
				    .nic_known = true};
	struct batch_account more = {
		.received = 10, .live = 4, .not_ip = 3, .malformed = 2, .cut = 1};

	(void)state;
	more.kernel_known = true;
	account_add(&sum, &more);
	assert_int_equal(sum.received, 11);
	assert_int_equal(batch_account_residual(&sum), 0);
	assert_true(sum.kernel_known);
	assert_false(sum.nic_known);
}

/* One frame of 3,052 bytes stood for three packets of 52 bytes of headers each. */
static void offload_is_a_term_of_its_own(void **state)
{
	const struct decoded decoded = {.packets = 3, .bytes = 3052 + 2 * 52};
	struct batch_account a;

	(void)state;
	frames(0, DECODE_IP, 2);
	account_offload(&account, 0, 3052, &decoded);
	account.of[0].recorded = 4;
	a = filled(0, 0);
	assert_int_equal(a.received, 2);
	assert_int_equal(a.offload_frames, 1);
	assert_int_equal(a.offload_packets, 2);
	assert_int_equal(a.offload_bytes, 104);
	assert_int_equal(batch_account_residual(&a), 0);
	account_add(&a, &a);
	assert_int_equal(a.offload_frames, 2);
	assert_int_equal(a.offload_packets, 4);
	assert_int_equal(a.offload_bytes, 208);
}

static bool nic(bool is_known, uint64_t dropped)
{
	return account_nic(&account, 0,
			   &(struct nic_counters){.known = is_known, .dropped = dropped});
}

static void the_card_counts_from_the_begin_of_the_run(void **state)
{
	(void)state;
	assert_false(filled(0, 0).nic_known);
	assert_false(nic(false, 0));
	assert_false(filled(0, 0).nic_known);
	assert_false(nic(true, 1000)); /* of before */
	assert_true(filled(0, 0).nic_known);
	assert_int_equal(filled(0, 0).nic_dropped, 0);
	assert_true(nic(true, 1007));
	assert_false(nic(true, 1007));
	assert_int_equal(filled(0, 0).nic_dropped, 7);
	assert_false(nic(false, 0)); /* could not be read: unknown, and known again later */
	assert_false(filled(0, 0).nic_known);
	assert_int_equal(filled(0, 0).nic_dropped, 0);
	assert_true(nic(true, 1010));
	assert_int_equal(filled(0, 0).nic_dropped, 10);
	assert_true(nic(true, 3)); /* began anew: what was lost meanwhile nobody knows */
	assert_false(filled(0, 0).nic_known);
	assert_false(nic(true, 5000));
	assert_false(filled(0, 0).nic_known);
}

static void allowances(void **state)
{
	const uint64_t begin[NIC_ALLOWANCES] = {1, 2, 3, 4, 5};
	const uint64_t later[NIC_ALLOWANCES] = {1, 3, 5, 7, 9};
	struct batch_account a;

	(void)state;
	account_allowances(&account, 0, NULL);
	assert_false(filled(0, 0).allowances_known);
	account_allowances(&account, 0, begin);
	account_allowances(&account, 0, later);
	a = filled(0, 0);
	assert_true(a.allowances_known);
	for (uint64_t i = 0; i < NIC_ALLOWANCES; i++)
		assert_int_equal(a.allowances[i], i);
	account_allowances(&account, 0, (const uint64_t[NIC_ALLOWANCES]){1, 3, 5, 7, 4});
	assert_false(filled(0, 0).allowances_known);
	account_allowances(&account, 0, NULL);
	assert_false(filled(0, 0).allowances_known);
}

static void printed(void **state)
{
	struct batch_account sum = {.received = 17,
				    .recorded = 6,
				    .live = 4,
				    .not_ip = 4,
				    .malformed = 2,
				    .kernel_dropped = 7,
				    .kernel_known = true};
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	frames(0, DECODE_NOT_IP_ARP, 3);
	frames(1, DECODE_NOT_IP_ARP, 1);
	account_print(&account, &sum, out);
	fclose(out);
	assert_string_equal(text,
			    "not-ip: arp=4\n"
			    "packets: received 17 = recorded 10 + not-ip 4 + malformed 2 + cut 0 "
			    "(residual 1); kernel dropped 7, nic dropped unknown\n");
	free(text);

	sum = (struct batch_account){.received = 3,
				     .recorded = 5,
				     .offload_frames = 1,
				     .offload_packets = 2,
				     .offload_bytes = 104,
				     .allowances = {1, 2, 3, 4, 5},
				     .allowances_known = true,
				     .nic_known = true};
	account = (struct account){.n = 1};
	out = open_memstream(&text, &len);
	account_print(&account, &sum, out);
	fclose(out);
	assert_string_equal(
		text, "offload: 1 frames longer than the wire's packets, counted as 3 packets "
		      "and 104 bytes more\n"
		      "allowances exceeded: bw-in 1, bw-out 2, pps 3, conntrack 4, linklocal 5\n"
		      "packets: received 3 + offload 2 = recorded 5 + not-ip 0 + malformed 0 + "
		      "cut 0 (residual 0); kernel dropped unknown, nic dropped 0\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_frame_has_its_place, fresh),
		cmocka_unit_test_setup(noted, fresh),
		cmocka_unit_test_setup(what_was_cut_is_known_at_the_end, fresh),
		cmocka_unit_test_setup(one_unknown_makes_the_sum_unknown, fresh),
		cmocka_unit_test_setup(offload_is_a_term_of_its_own, fresh),
		cmocka_unit_test_setup(the_card_counts_from_the_begin_of_the_run, fresh),
		cmocka_unit_test_setup(allowances, fresh),
		cmocka_unit_test_setup(printed, fresh),
	};

	return cmocka_run_group_tests_name("account", tests, NULL, NULL);
}
