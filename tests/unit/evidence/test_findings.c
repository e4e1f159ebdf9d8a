// SPDX-License-Identifier: Apache-2.0
/*
 * The engine from made-up records: what belongs together, which side is the remote one, how far it got.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "evidence/limits.h"
#include "platform/clock.h"
#include "tests/unit/evidence/made.h"

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
		struct findings *f = fresh(NULL);
		const struct finding *one;
		size_t n;

		in.packets = 2;
		in.bytes = 80;
		in.start = 990;
		in.end = 1005;
		in.outcome = FLOWREC_ANSWERED;
		add(f, out);
		add(f, in);
		one = sorted(f, &n)[0];
		assert_int_equal(n, 1);
		assert_memory_equal(&one->remote, &remote, sizeof remote);
		assert_int_equal(one->key.port, rows[i].port);
		assert_int_equal(one->traffic.packets_out, 3);
		assert_int_equal(one->traffic.bytes_out, 300);
		assert_int_equal(one->traffic.packets_in, 2);
		assert_int_equal(one->traffic.bytes_in, 80);
		assert_int_equal(one->traffic.records, 2);
		assert_int_equal(one->first, 990);
		assert_int_equal(one->last, 1010);
		findings_free(f);
	}
}

static void test_what_is_one_finding(void **state)
{
	struct findings_from replayed = web, elsewhere = web;
	struct findings *f = fresh(NULL);
	struct flowrec rec = record(EGRESS, SRC, true, 50000, 443);

	(void)state;
	replayed.hello = &replay;
	elsewhere.sensor = "web-2";
	add(f, rec);
	rec.srcport = 50001; /* the initiator's port is not part of it */
	add(f, rec);
	rec.iface = 1;
	add(f, rec);
	rec.iface = 0;
	assert_int_equal(count(f), 1);
	assert_int_equal(findings_add_record(f, &elsewhere, &rec), 0);
	assert_int_equal(findings_add_record(f, &replayed, &rec), 0);
	rec.dstport = 80;
	add(f, rec);
	rec.protocol = UDP;
	add(f, rec);
	rec.dst = addr_of("203.0.113.10");
	add(f, rec);
	rec.initiator = DST;
	rec.verdict = INBOUND;
	add(f, rec);
	assert_int_equal(count(f), 7);
	add(f, record(EGRESS, SRC, true, 50000, 443)); /* still found after the sort */
	assert_int_equal(count(f), 7);
	rec.initiator = SRC;
	rec.verdict = EGRESS;
	rec.outcome = FLOWREC_DATA_OUT;                     /* else it would be a scan too */
	for (uint16_t port = 10000; port < 11000; port++) { /* some share a slot */
		rec.dstport = port;
		add(f, rec);
	}
	assert_int_equal(count(f), 1007);
	findings_free(f);
}

static void test_passed_over(void **state)
{
	static const uint8_t verdicts[] = {FLOWREC_VERDICT_NONE, FLOWREC_EXPECTED, FLOWREC_WATCHED};
	struct findings *f = fresh(NULL);
	struct flowrec rec;

	(void)state;
	for (size_t i = 0; i < sizeof verdicts; i++)
		add(f, record(verdicts[i], SRC, true, 50000, 443));
	rec = record(EGRESS, SRC, true, 1, 2);
	rec.status = FLOWREC_NODATA;
	add(f, rec);
	assert_int_equal(count(f), 0);
	findings_free(f);
}

static void test_reached(void **state)
{
	static const struct {
		uint8_t verdict, outcome;
		uint64_t sent; /* bytes in 3 packets; 180: nothing but headers */
		uint8_t reached, severity;
	} rows[] = {
		{EGRESS, FLOWREC_SENT, 300, FINDING_ATTEMPTED, FINDING_HIGH},
		{EGRESS, FLOWREC_UNANSWERED, 300, FINDING_ATTEMPTED, FINDING_HIGH},
		{EGRESS, FLOWREC_REFUSED, 300, FINDING_ATTEMPTED, FINDING_HIGH},
		{EGRESS, FLOWREC_ANSWERED, 300, FINDING_ANSWERED, FINDING_HIGH},
		{EGRESS, FLOWREC_DATA_OUT, 300, FINDING_DATA_OUT, FINDING_HIGH},
		{INBOUND, FLOWREC_SENT, 180, FINDING_ATTEMPTED, FINDING_LOW},
		{INBOUND, FLOWREC_REFUSED, 180, FINDING_ATTEMPTED, FINDING_LOW},
		{INBOUND, FLOWREC_ANSWERED, 180, FINDING_ANSWERED, FINDING_MEDIUM},
		{INBOUND, FLOWREC_DATA_OUT, 180, FINDING_ANSWERED, FINDING_MEDIUM},
		{INBOUND, FLOWREC_DATA_OUT, 181, FINDING_DATA_OUT, FINDING_HIGH},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct findings *f = fresh(NULL);
		struct flowrec rec = record(rows[i].verdict, rows[i].verdict == EGRESS ? SRC : DST,
					    true, 50000, 443);
		size_t n;

		rec.outcome = rows[i].outcome;
		rec.bytes = rows[i].sent;
		add(f, rec);
		assert_int_equal(sorted(f, &n)[0]->reached, rows[i].reached);
		assert_int_equal(sorted(f, &n)[0]->severity, rows[i].severity);
		assert_int_equal(sorted(f, &n)[0]->outcome, rows[i].outcome);
		findings_free(f);
	}
}

/* ICMP has type and code where others have ports: not part of a finding. */
static void test_icmp_ports(void **state)
{
	static const uint8_t protocols[] = {1, 58};

	(void)state;
	for (size_t i = 0; i < sizeof protocols; i++) {
		struct flowrec rec = record(EGRESS, SRC, true, 8, 0);
		struct findings *f = fresh(NULL);
		size_t n;

		rec.protocol = protocols[i];
		add(f, rec);
		rec.dstport = 771;
		add(f, rec);
		assert_int_equal(sorted(f, &n)[0]->key.port, 0);
		assert_int_equal(n, 1);
		findings_free(f);
	}
}

/* A batch of what `fill` puts in, given to the engine. */
static void give(struct findings *f, const struct batch_alert *alert,
		 const struct endpoint_digest *digest)
{
	static uint8_t bytes[BATCH_WRITE_BYTES];
	const struct batch_head head = {.sequence = 1};
	struct batch_writer *writer;
	struct batch *batch;
	struct err err;
	size_t len;

	assert_int_equal(batch_writer_new(&writer), 0);
	if (alert)
		assert_true(batch_add_alert(writer, alert));
	if (digest)
		assert_true(batch_add_endpoint(writer, digest));
	len = batch_finish(writer, &head, bytes);
	assert_int_equal(batch_open(&batch, bytes, len, &err), 0);
	assert_int_equal(findings_add_batch(f, &web, batch), 0);
	batch_free(batch);
	batch_writer_free(writer);
}

static void test_alert(void **state)
{
	struct batch_alert alert = {.local = addr_of("10.0.0.5"),
				    .remote = addr_of("203.0.113.9"),
				    .time_ns = (uint64_t)990 * NS_PER_S + 999999999,
				    .local_port = 50000,
				    .remote_port = 443,
				    .family = 4,
				    .protocol = TCP,
				    .verdict = EGRESS};
	struct findings *f = fresh(NULL);
	const struct finding *one;
	size_t n;

	(void)state;
	give(f, &alert, NULL);
	one = sorted(f, &n)[0];
	assert_int_equal(n, 1);
	assert_int_equal(one->first, 990);
	assert_int_equal(one->last, 990);
	assert_int_equal(one->traffic.records, 0);
	assert_int_equal(one->key.port, 443);
	assert_int_equal(one->reached, FINDING_ATTEMPTED);

	add(f, record(EGRESS, SRC, true, 50000, 443));
	one = sorted(f, &n)[0];
	assert_int_equal(n, 1);
	assert_int_equal(one->first, 990);
	assert_int_equal(one->last, 1010);
	assert_int_equal(one->traffic.records, 1);

	alert.verdict = FLOWREC_EXPECTED;
	alert.remote_port = 80;
	give(f, &alert, NULL);
	assert_int_equal(count(f), 1);
	findings_free(f);
}

/* A digest tells of the packets that records tell of, and of those whose records were given up. */
static void test_digest(void **state)
{
	struct endpoint_digest digest = {.remote = addr_of("203.0.113.9"),
					 .port = 443,
					 .family = 4,
					 .protocol = TCP,
					 .direction = FLOWREC_EGRESS,
					 .outcome = FLOWREC_DATA_OUT,
					 .verdict = EGRESS,
					 .first = 900,
					 .last = 1005,
					 .packets_out = 2,
					 .bytes_out = 200,
					 .packets_in = 9,
					 .bytes_in = 900,
					 .flows = 4};
	struct findings *f = fresh(NULL);
	const struct finding *one;

	(void)state;
	add(f, record(EGRESS, SRC, true, 50000, 443)); /* 3 packets, 300 bytes out */
	give(f, NULL, &digest);
	digest.packets_in = 5; /* an earlier one */
	give(f, NULL, &digest);
	one = of_kind(f, FINDING_UNEXPECTED_EGRESS);
	assert_non_null(one);
	assert_int_equal(one->traffic.packets_out, 3);
	assert_int_equal(one->traffic.bytes_out, 300);
	assert_int_equal(one->traffic.packets_in, 9);
	assert_int_equal(one->traffic.bytes_in, 900);
	assert_int_equal(one->first, 900);
	assert_int_equal(one->last, 1010);
	assert_int_equal(one->reached, FINDING_DATA_OUT);
	findings_free(f);
}

/* Packets that look like answers, from port 22 of this machine to a peer: 40 bytes of TCP and IPv4 header each, or 80. */
static void test_unasked(void **state)
{
	static const struct {
		uint8_t verdict, outcome;
		uint64_t bytes; /* of three packets */
		bool called;    /* the peer sent something */
		int kind;       /* -1: none */
	} rows[] = {
		{INBOUND, FLOWREC_ANSWERED, 3 * 80, false, FINDING_UNEXPECTED_EGRESS},
		{INBOUND, FLOWREC_REFUSED, 3 * 80, false, FINDING_UNEXPECTED_EGRESS},
		{FLOWREC_EXPECTED, FLOWREC_ANSWERED, 3 * 80, false, FINDING_UNEXPECTED_EGRESS},
		{INBOUND, FLOWREC_REFUSED, 3 * 40, false, FINDING_UNEXPECTED_INBOUND},
		{INBOUND, FLOWREC_ANSWERED, 3 * 80, true, FINDING_UNEXPECTED_INBOUND},
		/* its record comes later */
		{FLOWREC_EXPECTED, FLOWREC_DATA_OUT, 3 * 80, false, -1},
		{FLOWREC_EXPECTED, FLOWREC_ANSWERED, 3 * 80, true, -1},
		{FLOWREC_WATCHED, FLOWREC_ANSWERED, 3 * 80, false, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct flowrec out = record(rows[i].verdict, DST, true, 22, 50000),
			       in = record(rows[i].verdict, SRC, false, 22, 50000);
		struct findings *f = fresh(NULL);

		out.outcome = in.outcome = rows[i].outcome;
		out.bytes = rows[i].bytes;
		add(f, out);
		if (rows[i].called)
			add(f, in);
		for (int kind = FINDING_UNEXPECTED_EGRESS; kind <= FINDING_UNEXPECTED_INBOUND;
		     kind += FINDING_UNEXPECTED_INBOUND - FINDING_UNEXPECTED_EGRESS)
			if ((of_kind(f, (enum finding_kind)kind) != NULL) != (kind == rows[i].kind))
				fail_msg("row %zu, kind %d", i, kind);
		findings_free(f);
	}
}

static void test_order(void **state)
{
	struct findings *f = fresh(NULL);
	struct flowrec rec;
	const struct finding *const *all;
	size_t n;

	(void)state;
	rec = record(INBOUND, SRC, false, 22, 50000);
	rec.start = 1;
	add(f, rec);
	rec = call(TCP, 80, FLOWREC_SENT);
	rec.start = 20;
	add(f, rec);
	rec = call(TCP, 443, FLOWREC_SENT);
	rec.start = 10;
	add(f, rec);
	rec = call(TCP, 25, FLOWREC_SENT); /* spam, medium, behind the high ones */
	rec.start = 30;
	add(f, rec);
	all = sorted(f, &n);
	assert_int_equal(n, 5);
	assert_int_equal(all[0]->key.port, 443);
	assert_int_equal(all[1]->key.port, 80);
	assert_int_equal(all[2]->key.port, 25);
	assert_int_equal(all[3]->key.kind, FINDING_SPAM);
	assert_int_equal(all[4]->key.port, 22);
	findings_free(f);
}

static void test_bound(void **state)
{
	const struct findings_config config = {.max = 1000};
	struct findings *f;
	struct findings_stats stats;
	struct flowrec rec = record(EGRESS, SRC, true, 50000, 443);
	struct err err;

	(void)state;
	assert_int_equal(findings_new(&f, &config, &err), 0);
	rec.family = 6;
	rec.outcome = FLOWREC_DATA_OUT;
	for (uint32_t i = 0; i < 1002; i++) {
		memcpy(rec.dst.b, &i, sizeof i);
		add(f, rec);
	}
	memset(rec.dst.b, 0, 4); /* one that is there is still counted */
	add(f, rec);
	assert_int_equal(count(f), 1000);
	findings_stats(f, &stats);
	assert_int_equal(stats.peers, 1000);
	assert_int_equal(stats.peers_left_out, 2);
	assert_int_equal(stats.findings_left_out, 0);
	findings_free(f);
}

/* Told once, and again when it grew worse or got further. */
static void test_news(void **state)
{
	struct findings *f = fresh(NULL);
	const struct finding *one;
	struct flowrec rec = call(TCP, 443, FLOWREC_SENT);

	(void)state;
	assert_null(findings_next_news(f));
	add(f, rec);
	one = findings_next_news(f);
	assert_non_null(one);
	assert_int_equal(one->reached, FINDING_ATTEMPTED);
	assert_null(findings_next_news(f));
	add(f, rec);
	assert_null(findings_next_news(f));
	rec.outcome = FLOWREC_DATA_OUT;
	add(f, rec);
	add(f, rec);
	one = findings_next_news(f);
	assert_non_null(one);
	assert_int_equal(one->reached, FINDING_DATA_OUT);
	assert_int_equal(one->traffic.records, 4);
	assert_null(findings_next_news(f));
	findings_free(f);
}

static void test_evidence(void **state)
{
	struct findings_from from = web;
	struct findings *f = fresh(NULL);
	struct flowrec rec = call(TCP, 443, FLOWREC_SENT);
	struct finding_origin origin;
	const struct finding *one;

	(void)state;
	add(f, rec); /* of batch 7 */
	from.sequence = 3;
	assert_int_equal(findings_add_record(f, &from, &rec), 0);
	from.stream = other_stream;
	from.sequence = 9;
	assert_int_equal(findings_add_record(f, &from, &rec), 0);
	one = of_kind(f, FINDING_UNEXPECTED_EGRESS);
	assert_non_null(one);
	assert_int_equal(one->evidence.n, 2);
	assert_int_equal(one->evidence.spans[0].first, 3);
	assert_int_equal(one->evidence.spans[0].last, 7);
	assert_int_equal(one->evidence.spans[1].first, 9);
	findings_origin(f, one, &origin);
	assert_memory_equal(origin.streams[0], stream, sizeof stream);
	assert_memory_equal(origin.streams[1], other_stream, sizeof other_stream);
	findings_free(f);
}

static void test_json(void **state)
{
	struct findings *f = fresh(NULL);
	struct finding_origin origin;
	char text[1024] = "";
	size_t n;
	FILE *out = fmemopen(text, sizeof text, "w");

	(void)state;
	assert_non_null(out);
	add(f, record(EGRESS, SRC, true, 50000, 443));
	findings_origin(f, sorted(f, &n)[0], &origin);
	finding_print_json(sorted(f, &n)[0], &origin, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(
		text,
		"{\"kind\":\"unexpected_egress\",\"severity\":\"high\",\"remote\":\"203.0.113.9\","
		"\"port\":443,\"protocol\":6,\"first\":1000,\"last\":1010,\"sensor\":\"web-1\","
		"\"interface\":\"eth0\",\"mode\":\"live\",\"direction\":\"egress\","
		"\"reached\":\"attempted\",\"outcome\":\"sent\",\"flows\":1,\"packets_out\":3,"
		"\"bytes_out\":300,\"packets_in\":0,\"bytes_in\":0,\"name\":null,\"names\":[],"
		"\"more_names\":false,\"addresses\":1,\"count\":0,"
		"\"under_way\":false,\"what\":\"this machine called it, nothing came back; out 3 "
		"packets/300 bytes, in 0/0, until 1970-01-01T00:16:50Z\",\"evidence\":[{\"stream\":"
		"\"ab010000000000000000000000000000\",\"batches\":[7,7]}],\"more_streams\":false}"
		"\n");
	findings_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_directions),
		cmocka_unit_test(test_what_is_one_finding),
		cmocka_unit_test(test_passed_over),
		cmocka_unit_test(test_reached),
		cmocka_unit_test(test_icmp_ports),
		cmocka_unit_test(test_alert),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_unasked),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_news),
		cmocka_unit_test(test_evidence),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
