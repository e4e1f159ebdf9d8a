// SPDX-License-Identifier: Apache-2.0
/*
 * Findings from made-up records: what belongs together, which side is the remote one, how far it
 * got.
 */
#include "evidence/findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/clock.h"

static const struct findings_source web = {.sensor = "web-1", .interface = "eth0"};

enum { EGRESS = FLOWREC_UNEXPECTED_EGRESS, INBOUND = FLOWREC_UNEXPECTED_INBOUND };
enum { SRC = FLOWREC_INITIATOR_SRC, DST = FLOWREC_INITIATOR_DST };

static struct addr addr_of(const char *text)
{
	struct addr addr;
	uint8_t family;

	assert_true(addr_parse(text, &addr, &family));
	return addr;
}

/* 10.0.0.5 is this machine, 203.0.113.9 the other. */
static struct flowrec record(uint8_t verdict, uint8_t initiator, bool out, uint16_t local_port,
			     uint16_t remote_port)
{
	struct flowrec rec = {.packets = 3,
			      .bytes = 300,
			      .start = 1000,
			      .end = 1010,
			      .family = 4,
			      .protocol = 6,
			      .verdict = verdict,
			      .initiator = initiator};

	rec.src = addr_of(out ? "10.0.0.5" : "203.0.113.9");
	rec.dst = addr_of(out ? "203.0.113.9" : "10.0.0.5");
	rec.srcport = out ? local_port : remote_port;
	rec.dstport = out ? remote_port : local_port;
	return rec;
}

static void add(struct findings *f, struct flowrec rec)
{
	assert_int_equal(findings_add_record(f, &web, &rec), 0);
}

static struct findings *fresh(void)
{
	struct findings *f;

	assert_int_equal(findings_new(&f), 0);
	return f;
}

static void test_both_directions(void **state)
{
	static const struct {
		uint8_t verdict;
		uint8_t initiator_out,
			initiator_in; /* of the record that goes out, and of the other */
		uint16_t port;
	} rows[] = {
		{EGRESS, SRC, DST, 443},
		{INBOUND, DST, SRC, 50000},
		{EGRESS, FLOWREC_INITIATOR_UNKNOWN, FLOWREC_INITIATOR_UNKNOWN, 443},
	};
	const struct addr remote = addr_of("203.0.113.9");

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct flowrec out =
			record(rows[i].verdict, rows[i].initiator_out, true, 50000, 443);
		struct flowrec in =
			record(rows[i].verdict, rows[i].initiator_in, false, 50000, 443);
		struct findings *f = fresh();
		const struct finding *all;
		size_t n;

		out.direction = FLOWREC_EGRESS;
		in.direction = FLOWREC_INGRESS;
		in.packets = 2;
		in.bytes = 80;
		in.start = 990;
		in.end = 1005;
		add(f, out);
		add(f, in);
		all = findings_sort(f, &n);
		assert_int_equal(n, 1);
		assert_memory_equal(&all[0].remote, &remote, sizeof remote);
		assert_int_equal(all[0].port, rows[i].port);
		assert_int_equal(all[0].packets_out, 3);
		assert_int_equal(all[0].bytes_out, 300);
		assert_int_equal(all[0].packets_in, 2);
		assert_int_equal(all[0].bytes_in, 80);
		assert_int_equal(all[0].flows, 2);
		assert_int_equal(all[0].first, 990);
		assert_int_equal(all[0].last, 1010);
		assert_true(finding_is_answered(&all[0]));
		findings_free(f);
	}
}

static void test_what_is_one_finding(void **state)
{
	const struct findings_source replay = {
		.sensor = "web-1", .interface = "eth0", .is_replay = true};
	const struct findings_source other_interface = {.sensor = "web-1", .interface = "eth1"};
	const struct findings_source other_sensor = {.sensor = "web-2", .interface = "eth0"};
	struct findings *f = fresh();
	struct flowrec rec = record(EGRESS, SRC, true, 50000, 443);
	size_t n;

	(void)state;
	add(f, rec);
	rec.srcport = 50001; /* the initiator's port is not part of it */
	add(f, rec);
	assert_int_equal(findings_add_record(f, &other_interface, &rec), 0);
	(void)findings_sort(f, &n);
	assert_int_equal(n, 1);
	assert_int_equal(findings_add_record(f, &other_sensor, &rec), 0);
	assert_int_equal(findings_add_record(f, &replay, &rec), 0);
	rec.dstport = 80;
	add(f, rec);
	rec.protocol = 17;
	add(f, rec);
	rec.dst = addr_of("203.0.113.10");
	add(f, rec);
	rec.initiator = DST;
	rec.verdict = INBOUND;
	add(f, rec);
	(void)findings_sort(f, &n);
	assert_int_equal(n, 7);
	add(f, record(EGRESS, SRC, true, 50000, 443)); /* still found after the sort */
	(void)findings_sort(f, &n);
	assert_int_equal(n, 7);
	rec.initiator = SRC;
	rec.verdict = EGRESS;
	for (uint16_t port = 10000; port < 11000; port++) { /* some share a slot */
		rec.dstport = port;
		add(f, rec);
	}
	(void)findings_sort(f, &n);
	assert_int_equal(n, 1007);
	findings_free(f);
}

static void test_passed_over(void **state)
{
	static const uint8_t verdicts[] = {FLOWREC_VERDICT_NONE, FLOWREC_EXPECTED, FLOWREC_WATCHED};
	struct findings *f = fresh();
	struct flowrec rec;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof verdicts; i++)
		add(f, record(verdicts[i], SRC, true, 50000, 443));
	rec = record(EGRESS, SRC, true, 1, 2);
	rec.status = FLOWREC_NODATA;
	add(f, rec);
	(void)findings_sort(f, &n);
	assert_int_equal(n, 0);
	findings_free(f);
}

/* ICMP has type and code where others have ports: not part of a finding. */
static void test_icmp(void **state)
{
	static const uint8_t protocols[] = {1, 58};

	(void)state;
	for (size_t i = 0; i < sizeof protocols; i++) {
		struct flowrec rec = record(EGRESS, SRC, true, 8, 0);
		struct findings *f = fresh();
		const struct finding *all;
		size_t n;

		rec.protocol = protocols[i];
		add(f, rec);
		rec.dstport = 771;
		add(f, rec);
		all = findings_sort(f, &n);
		assert_int_equal(n, 1);
		assert_int_equal(all[0].port, 0);
		findings_free(f);
	}
}

static void test_alert(void **state)
{
	struct batch_alert alert = {.local = addr_of("10.0.0.5"),
				    .remote = addr_of("203.0.113.9"),
				    .time_ns = (uint64_t)990 * NS_PER_S + 999999999,
				    .local_port = 50000,
				    .remote_port = 443,
				    .family = 4,
				    .protocol = 6,
				    .verdict = EGRESS};
	struct findings *f = fresh();
	const struct finding *all;
	size_t n;

	(void)state;
	assert_int_equal(findings_add_alert(f, &web, &alert), 0);
	all = findings_sort(f, &n);
	assert_int_equal(n, 1);
	assert_int_equal(all[0].first, 990);
	assert_int_equal(all[0].last, 990);
	assert_int_equal(all[0].flows, 0);
	assert_int_equal(all[0].port, 443);
	assert_false(finding_is_answered(&all[0]));

	add(f, record(EGRESS, SRC, true, 50000, 443));
	all = findings_sort(f, &n);
	assert_int_equal(n, 1);
	assert_int_equal(all[0].first, 990);
	assert_int_equal(all[0].last, 1010);
	assert_int_equal(all[0].flows, 1);

	alert.verdict = FLOWREC_EXPECTED;
	alert.remote_port = 80;
	assert_int_equal(findings_add_alert(f, &web, &alert), 0);
	(void)findings_sort(f, &n);
	assert_int_equal(n, 1);
	findings_free(f);
}

static void test_order(void **state)
{
	struct findings *f = fresh();
	struct flowrec rec;
	const struct finding *all;
	size_t n;

	(void)state;
	rec = record(INBOUND, SRC, false, 22, 50000);
	rec.start = 1;
	add(f, rec);
	rec = record(EGRESS, SRC, true, 50000, 80);
	rec.start = 20;
	add(f, rec);
	rec = record(EGRESS, SRC, true, 50000, 443);
	rec.start = 10;
	add(f, rec);
	all = findings_sort(f, &n);
	assert_int_equal(n, 3);
	assert_int_equal(all[0].port, 443);
	assert_int_equal(all[1].port, 80);
	assert_int_equal(all[2].port, 22);
	findings_free(f);
}

static void test_bound(void **state)
{
	struct findings *f = fresh();
	struct flowrec rec = record(EGRESS, SRC, true, 50000, 443);
	size_t n;

	(void)state;
	rec.family = 6;
	for (uint32_t i = 0; i < FINDINGS_MAX + 2; i++) {
		memcpy(rec.dst.b, &i, sizeof i);
		add(f, rec);
	}
	assert_int_equal(findings_left_out(f), 2);
	memset(rec.dst.b, 0, 4); /* one that is there is still counted */
	add(f, rec);
	assert_int_equal(findings_left_out(f), 2);
	(void)findings_sort(f, &n);
	assert_int_equal(n, FINDINGS_MAX);
	findings_free(f);
}

static void test_json(void **state)
{
	struct findings *f = fresh();
	const struct finding *all;
	char text[512] = "";
	size_t n;
	FILE *out = fmemopen(text, sizeof text, "w");

	(void)state;
	assert_non_null(out);
	add(f, record(EGRESS, SRC, true, 50000, 443));
	all = findings_sort(f, &n);
	findings_print_json(f, &all[0], out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(
		text,
		"{\"kind\":\"unexpected_egress\",\"severity\":\"high\",\"remote\":\"203.0.113.9\","
		"\"port\":443,\"protocol\":6,\"first\":1000,\"last\":1010,\"sensor\":\"web-1\","
		"\"interface\":\"eth0\",\"mode\":\"live\",\"reached\":\"attempted\",\"flows\":1,"
		"\"packets_out\":3,\"bytes_out\":300,\"packets_in\":0,\"bytes_in\":0}\n");
	findings_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_directions), cmocka_unit_test(test_what_is_one_finding),
		cmocka_unit_test(test_passed_over),     cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_alert),           cmocka_unit_test(test_order),
		cmocka_unit_test(test_bound),           cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
