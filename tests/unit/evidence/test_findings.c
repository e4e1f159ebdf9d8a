// SPDX-License-Identifier: Apache-2.0
/*
 * The engine and the detectors from made-up records: what belongs together, which side is the remote one, how
 * far it got, and where each detector begins to speak.
 */
#include "evidence/findings.h"

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
#include "evidence/watch.h"
#include "platform/clock.h"

enum { EGRESS = FLOWREC_UNEXPECTED_EGRESS, INBOUND = FLOWREC_UNEXPECTED_INBOUND };
enum { SRC = FLOWREC_INITIATOR_SRC, DST = FLOWREC_INITIATOR_DST };
enum { ICMP = 1, TCP = 6, UDP = 17, GRE = 47 };

static struct flowrec_identity eth[2] = {{.interface = "eth0"}, {.interface = "eth1"}};
static const uint8_t stream[WIRE_STREAM_ID] = {0xab, 1}, other_stream[WIRE_STREAM_ID] = {0xcd, 2};
static struct wire_hello live, replay;
static const struct findings_from web = {
	.sensor = "web-1", .stream = stream, .hello = &live, .sequence = 7};

static int prepare(void **state)
{
	(void)state;
	live.n_interfaces = replay.n_interfaces = 2;
	memcpy(live.interfaces, eth, sizeof eth);
	memcpy(replay.interfaces, eth, sizeof eth);
	replay.is_replay = true;
	return 0;
}

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
			      .protocol = TCP,
			      .tcp_flags = 2,
			      .verdict = verdict,
			      .direction = out ? FLOWREC_EGRESS : FLOWREC_INGRESS,
			      .outcome = FLOWREC_SENT,
			      .initiator = initiator};

	rec.src = addr_of(out ? "10.0.0.5" : "203.0.113.9");
	rec.dst = addr_of(out ? "203.0.113.9" : "10.0.0.5");
	rec.srcport = out ? local_port : remote_port;
	rec.dstport = out ? remote_port : local_port;
	return rec;
}

/* This machine to the other. */
static struct flowrec call(uint8_t protocol, uint16_t port, uint8_t outcome)
{
	struct flowrec rec = record(EGRESS, SRC, true, 50000, port);

	rec.protocol = protocol;
	rec.outcome = outcome;
	return rec;
}

static void add(struct findings *f, struct flowrec rec)
{
	assert_int_equal(findings_add_record(f, &web, &rec), 0);
}

static struct findings *fresh(void)
{
	static const struct findings_config config = {.max = FINDINGS_MAX};
	struct findings *f;
	struct err err;

	assert_int_equal(findings_new(&f, &config, &err), 0);
	return f;
}

static const struct finding *const *sorted(struct findings *f, size_t *ret_n)
{
	const struct finding *const *all;

	assert_int_equal(findings_sort(f, &all, ret_n), 0);
	return all;
}

static size_t count(struct findings *f)
{
	size_t n;

	(void)sorted(f, &n);
	return n;
}

/* The only finding of this kind; NULL if there is none. */
static const struct finding *of_kind(struct findings *f, enum finding_kind kind)
{
	const struct finding *ret = NULL;
	size_t n;
	const struct finding *const *all = sorted(f, &n);

	for (size_t i = 0; i < n; i++) {
		if (all[i]->key.kind != kind)
			continue;
		assert_null(ret);
		ret = all[i];
	}
	return ret;
}

/* ---- the engine ---- */

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
	struct findings *f = fresh();
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
	struct findings *f = fresh();
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
		struct findings *f = fresh();
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
		struct findings *f = fresh();
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
	struct findings *f = fresh();
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
	struct findings *f = fresh();
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
		struct findings *f = fresh();

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
	struct findings *f = fresh();
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
	struct findings *f = fresh();
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
	struct findings *f = fresh();
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
	struct findings *f = fresh();
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

/* ---- detectors ---- */

static void test_ports(void **state)
{
	static const struct {
		uint8_t protocol, verdict;
		uint16_t port;
		const char *remote;
		int kind; /* -1: none */
		uint8_t severity;
	} rows[] = {
		{UDP, EGRESS, 53, "203.0.113.9", FINDING_DNS_OTHER_RESOLVER, FINDING_MEDIUM},
		{TCP, EGRESS, 53, "10.9.9.9", FINDING_DNS_OTHER_RESOLVER, FINDING_MEDIUM},
		{UDP, FLOWREC_WATCHED, 53, "10.0.0.2", -1, 0}, /* the resolver, says the policy */
		{UDP, FLOWREC_EXPECTED, 53, "10.0.0.2", -1, 0},
		{UDP, FLOWREC_EXPECTED, 53, "169.254.169.253", -1, 0},
		{UDP, FLOWREC_EXPECTED, 53, "8.8.8.8", FINDING_DNS_OTHER_RESOLVER, FINDING_INFO},
		{TCP, EGRESS, 853, "203.0.113.9", FINDING_DOT, FINDING_MEDIUM},
		{UDP, EGRESS, 853, "203.0.113.9", FINDING_DOT, FINDING_MEDIUM},
		{TCP, FLOWREC_WATCHED, 853, "203.0.113.9", FINDING_DOT, FINDING_LOW},
		{TCP, EGRESS, 25, "203.0.113.9", FINDING_SPAM, FINDING_MEDIUM},
		{TCP, EGRESS, 465, "203.0.113.9", FINDING_SPAM, FINDING_MEDIUM},
		{TCP, EGRESS, 587, "203.0.113.9", FINDING_SPAM, FINDING_MEDIUM},
		{UDP, EGRESS, 25, "203.0.113.9", -1, 0},
		{TCP, EGRESS, 443, "1.1.1.1", FINDING_DOH, FINDING_MEDIUM},
		{UDP, EGRESS, 443, "45.90.31.255", FINDING_DOH, FINDING_MEDIUM}, /* 45.90.28.0/22 */
		{TCP, EGRESS, 443, "45.90.32.0", -1, 0},
		{TCP, EGRESS, 80, "1.1.1.1", -1, 0},
		{GRE, EGRESS, 0, "203.0.113.9", FINDING_ODD_PROTOCOL, FINDING_MEDIUM},
		{2, FLOWREC_WATCHED, 0, "224.0.0.22", FINDING_ODD_PROTOCOL, FINDING_INFO},
		{UDP, EGRESS, 47, "203.0.113.9", -1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct findings *f = fresh();
		struct flowrec rec = call(rows[i].protocol, rows[i].port, FLOWREC_SENT);
		const struct finding *const *all;
		int kind = -1;
		size_t n;

		rec.verdict = rows[i].verdict;
		rec.dst = addr_of(rows[i].remote);
		add(f, rec);
		all = sorted(f, &n);
		for (size_t k = 0; k < n; k++) {
			if (all[k]->key.kind == FINDING_UNEXPECTED_EGRESS)
				continue;
			kind = all[k]->key.kind;
			assert_int_equal(all[k]->severity, rows[i].severity);
		}
		assert_int_equal(kind, rows[i].kind);
		findings_free(f);
	}
}

static void test_volume(void **state)
{
	struct findings *f = fresh();
	struct flowrec rec = call(TCP, 443, FLOWREC_DATA_OUT);

	(void)state;
	rec.bytes = VOLUME_BYTES - 1;
	add(f, rec);
	assert_null(of_kind(f, FINDING_VOLUME));
	rec.bytes = 1;
	add(f, rec);
	assert_non_null(of_kind(f, FINDING_VOLUME));
	assert_int_equal(of_kind(f, FINDING_VOLUME)->count, VOLUME_BYTES);
	findings_free(f);

	f = fresh(); /* a download */
	rec.bytes = VOLUME_BYTES;
	add(f, rec);
	rec = record(EGRESS, DST, false, 50000, 443);
	rec.bytes = VOLUME_BYTES;
	add(f, rec);
	assert_null(of_kind(f, FINDING_VOLUME));
	findings_free(f);
}

/* Little to each of many: together it is much. Regular calls, each time to another. */
static void test_spread(void **state)
{
	struct findings *f = fresh();
	const struct finding *one;

	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		struct flowrec rec = call(TCP, 443, FLOWREC_DATA_OUT);

		rec.bytes = VOLUME_BYTES / 16;
		rec.start = rec.end = 1000 + 60 * i;
		rec.dst.b[3] = (uint8_t)i;
		add(f, rec);
		if (i < 15)
			assert_null(of_kind(f, FINDING_VOLUME));
		assert_int_equal(of_kind(f, FINDING_BEACON) != NULL, i >= BEACON_TIGHT);
	}
	one = of_kind(f, FINDING_VOLUME);
	assert_int_equal(one->count, VOLUME_BYTES);
	assert_int_equal(finding_addresses(one), 16);
	assert_int_equal(one->remote.b[3], 0);
	assert_int_equal(one->key.port, 443);
	assert_int_equal(one->first, 1000);
	assert_int_equal(one->last, 1900);
	one = of_kind(f, FINDING_BEACON);
	assert_int_equal(one->values[0], 600);
	assert_int_equal(finding_addresses(one), 16);
	findings_free(f);
}

/* Hours apart, so that each falls into a minute of its own; two of 256 bits may be one by chance: the minutes
 * here were seen not to. */
static void drip(struct findings *f, unsigned n, uint64_t gap, uint64_t bytes, uint8_t outcome)
{
	for (unsigned i = 0; i < n; i++) {
		struct flowrec rec = call(TCP, 443, outcome);

		rec.start = rec.end = 36000 + i * gap;
		rec.bytes = bytes;
		add(f, rec);
	}
}

static void test_drip(void **state)
{
	static const struct {
		unsigned n;
		uint64_t gap, bytes;
		uint8_t outcome;
		bool found;
	} rows[] = {
		{DRIP_MINUTES, DRIP_SPAN_S / (DRIP_MINUTES - 1), 900, FLOWREC_DATA_OUT, true},
		{DRIP_MINUTES - 1, DRIP_SPAN_S, 900, FLOWREC_DATA_OUT, false},
		{DRIP_MINUTES, DRIP_SPAN_S / (DRIP_MINUTES - 1) - 1, 900, FLOWREC_DATA_OUT, false},
		{DRIP_MINUTES, DRIP_SPAN_S, DRIP_BYTES, FLOWREC_DATA_OUT, false},
		{DRIP_MINUTES, DRIP_SPAN_S, 900, FLOWREC_UNANSWERED, false},
		{24, 3600, 900, FLOWREC_DATA_OUT, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct findings *f = fresh();

		drip(f, rows[i].n, rows[i].gap, rows[i].bytes, rows[i].outcome);
		assert_int_equal(of_kind(f, FINDING_DRIP) != NULL, rows[i].found);
		if (rows[i].found)
			assert_int_equal(of_kind(f, FINDING_DRIP)->severity, FINDING_MEDIUM);
		findings_free(f);
	}
}

/* DNS to the resolver, all day. */
static void test_drip_watched(void **state)
{
	struct findings *f = fresh();

	(void)state;
	for (unsigned i = 0; i < 24; i++) {
		struct flowrec rec = call(17, 53, FLOWREC_DATA_OUT);

		rec.start = rec.end = 36000 + i * 3600;
		rec.verdict = FLOWREC_WATCHED;
		add(f, rec);
	}
	assert_int_equal(of_kind(f, FINDING_DRIP)->severity, FINDING_INFO);
	findings_free(f);
}

/* Errors that answer a scan of UDP ports quote what came: of many sizes, one way, and a rule watches them. */
static void test_icmp_errors(void **state)
{
	static const uint8_t verdicts[] = {FLOWREC_WATCHED, FLOWREC_EXPECTED, EGRESS};

	(void)state;
	for (size_t i = 0; i < sizeof verdicts; i++) {
		struct findings *f = fresh();
		struct flowrec rec = call(ICMP, 0, FLOWREC_UNANSWERED);

		rec.verdict = verdicts[i];
		rec.packets = ICMP_PACKETS;
		for (uint64_t size = 56; size <= 576; size *= 3) {
			rec.bytes = rec.packets * size;
			add(f, rec);
		}
		assert_int_equal(of_kind(f, FINDING_ICMP_TUNNEL) != NULL, verdicts[i] == EGRESS);
		findings_free(f);
	}
}

static void test_icmp_tunnel(void **state)
{
	static const struct {
		uint64_t packets, out1, out2, in; /* bytes of two records out, one in */
		bool found;
	} rows[] = {
		{10, 840, 840, 840, false},                       /* ping: 84 bytes each */
		{10, 10 * ICMP_SIZE, 10 * ICMP_SIZE, 2000, true}, /* long ones */
		{10, 10 * ICMP_SIZE - 20, 10 * ICMP_SIZE - 20, 1980, false},
		{10, 840, 840 + 10 * ICMP_CHANGE, 840, true}, /* of changing size */
		{10, 840, 840, 840 + 10 * ICMP_CHANGE, true}, /* answered with other bytes */
		{1, 1500, 1500, 1500, false},                 /* two, to learn the MTU */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct findings *f = fresh();
		struct flowrec rec = call(ICMP, 0, FLOWREC_ANSWERED);

		rec.packets = rows[i].packets;
		rec.bytes = rows[i].out1;
		add(f, rec);
		rec.bytes = rows[i].out2;
		add(f, rec);
		rec = record(EGRESS, DST, false, 0, 0);
		rec.protocol = ICMP;
		rec.packets = rows[i].packets;
		rec.bytes = rows[i].in;
		add(f, rec);
		assert_int_equal(of_kind(f, FINDING_ICMP_TUNNEL) != NULL, rows[i].found);
		findings_free(f);
	}
}

static void probe(struct findings *f, unsigned n, bool ports, uint8_t outcome)
{
	for (unsigned i = 0; i < n; i++) {
		struct flowrec rec = call(TCP, ports ? (uint16_t)(20 + i) : 22, outcome);

		rec.packets = 1;
		rec.bytes = 44;
		rec.start = rec.end = 1000 + i;
		if (!ports)
			rec.dst.b[3] = (uint8_t)i;
		add(f, rec);
	}
}

static void test_scans(void **state)
{
	static const struct {
		uint8_t outcome;
		unsigned sweep, scan; /* so many are enough */
	} rows[] = {
		{FLOWREC_SENT, SWEEP_ADDRESSES, SCAN_PORTS},
		{FLOWREC_UNANSWERED, SWEEP_ADDRESSES, SCAN_PORTS},
		{FLOWREC_REFUSED, SWEEP_ADDRESSES, SCAN_PORTS},
		{FLOWREC_ANSWERED, SCAN_OPEN, SCAN_OPEN},
	};
	const struct finding *one;
	struct findings *f;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		unsigned n = rows[i].sweep;

		f = fresh();
		probe(f, n - 1, false, rows[i].outcome);
		assert_null(of_kind(f, FINDING_SWEEP));
		probe(f, n, false, rows[i].outcome);
		one = of_kind(f, FINDING_SWEEP);
		assert_non_null(one);
		assert_int_equal(one->count, n);
		assert_int_equal(one->key.port, 22);
		assert_int_equal(one->remote.b[3], 0); /* the first one */
		assert_int_equal(one->traffic.packets_out,
				 2 * n - 1); /* those of the first call twice */
		assert_null(of_kind(f, FINDING_SCAN));
		findings_free(f);

		n = rows[i].scan;
		f = fresh();
		probe(f, n - 1, true, rows[i].outcome);
		assert_null(of_kind(f, FINDING_SCAN));
		probe(f, n, true, rows[i].outcome);
		one = of_kind(f, FINDING_SCAN);
		assert_non_null(one);
		assert_int_equal(one->count, n);
		assert_int_equal(one->key.port, 0);
		assert_int_equal(one->first, 1000);
		assert_int_equal(one->last, 1000 + n - 1);
		assert_null(of_kind(f, FINDING_SWEEP));
		findings_free(f);
	}
	f = fresh(); /* a client of many servers */
	probe(f, 50, false, FLOWREC_DATA_OUT);
	assert_null(of_kind(f, FINDING_SWEEP));
	findings_free(f);
}

static char *list_file(const char *text)
{
	static char path[] = "/tmp/flowproof-watch-XXXXXX";
	int fd;

	memcpy(path + sizeof path - 7, "XXXXXX", 6);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(close(fd), 0);
	return path;
}

static void test_watch(void **state)
{
	static const struct {
		const char *remote, *entry; /* NULL: not on the list */
		uint8_t verdict;
	} rows[] = {
		{"203.0.113.9", "203.0.113.9", EGRESS},
		{"203.0.113.10", NULL, EGRESS},
		{"198.51.100.77", "198.51.100.64/26", FLOWREC_EXPECTED},
		{"198.51.100.63", NULL, EGRESS},
	};
	struct watch_list *list;
	struct err err;
	char *path = list_file("# suspects\n203.0.113.9 # c2\r\n\n198.51.100.64/26\n"
			       "198.51.100.0/24x\n");

	(void)state;
	assert_int_equal(watch_new(&list), 0);
	assert_int_equal(watch_add_file(list, path, &err), ERR_USAGE);
	assert_non_null(strstr(err.text, ":5:"));
	unlink(path);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct findings_config config = {.max = 100, .watch = list};
		struct flowrec rec = call(TCP, 443, FLOWREC_SENT);
		const struct finding *one;
		struct findings *f;

		assert_int_equal(findings_new(&f, &config, &err), 0);
		rec.verdict = rows[i].verdict;
		rec.dst = addr_of(rows[i].remote);
		add(f, rec);
		one = of_kind(f, FINDING_WATCH_LIST);
		assert_int_equal(one != NULL, rows[i].entry != NULL);
		if (one) {
			assert_string_equal(one->name, rows[i].entry);
			assert_int_equal(one->severity, FINDING_HIGH);
		}
		findings_free(f);
	}
	watch_free(list);
}

static void test_watch_names(void **state)
{
	struct watch_list *list;
	struct err err;
	char *path = list_file("Evil.example.\nsub.example.org\n");

	(void)state;
	assert_int_equal(watch_new(&list), 0);
	assert_int_equal(watch_add_file(list, path, &err), 0);
	unlink(path);
	assert_int_equal(watch_count(list), 2);
	assert_string_equal(watch_find_name(list, "evil.example"), "evil.example");
	assert_string_equal(watch_find_name(list, "a.b.EVIL.example."), "evil.example");
	assert_null(watch_find_name(list, "notevil.example"));
	assert_null(watch_find_name(list, "example.org"));
	assert_string_equal(watch_find_name(list, "x.sub.example.org"), "sub.example.org");
	watch_free(list);
}

/* The same records in any order, asked for in between or not: the same findings. */
static void test_any_order(void **state)
{
	enum { N = 60, ROUNDS = 40 };
	struct flowrec recs[N];
	uint64_t random = 1;
	size_t n = 0, expected = 0;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		recs[i] = call(TCP, i % 3 ? 22 : (uint16_t)(20 + i), FLOWREC_UNANSWERED);
		recs[i].start = recs[i].end = 36000 + i * 600;
		recs[i].packets = 1;
		recs[i].bytes = 44;
		if (i % 3 == 1)
			recs[i].dst.b[3] = (uint8_t)i;
		if (i % 3 == 2) {
			recs[i].dst.b[2] = 7;
			recs[i].outcome = FLOWREC_DATA_OUT;
		}
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct findings *f = fresh();
		uint64_t sum = 0;
		const struct finding *const *all;

		for (unsigned i = N; i > 1; i--) {
			struct flowrec swap = recs[i - 1];
			unsigned j;

			random = random * 6364136223846793005U + 1442695040888963407U;
			j = (unsigned)(random >> 33) % i;
			recs[i - 1] = recs[j];
			recs[j] = swap;
		}
		for (unsigned i = 0; i < N; i++) {
			add(f, recs[i]);
			if (round % 2)
				(void)count(f);
		}
		all = sorted(f, &n);
		for (size_t i = 0; i < n; i++)
			sum = sum * 31 + all[i]->key.kind * 7U + all[i]->count + all[i]->first +
			      all[i]->last + all[i]->traffic.bytes_out + all[i]->severity;
		assert_non_null(of_kind(f, FINDING_DRIP));
		assert_non_null(of_kind(f, FINDING_SWEEP));
		assert_non_null(of_kind(f, FINDING_SCAN));
		if (round == 0)
			expected = sum;
		assert_int_equal(sum, expected);
		findings_free(f);
	}
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
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_unasked),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_news),
		cmocka_unit_test(test_evidence),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_volume),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_drip),
		cmocka_unit_test(test_drip_watched),
		cmocka_unit_test(test_icmp_tunnel),
		cmocka_unit_test(test_icmp_errors),
		cmocka_unit_test(test_scans),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_watch_names),
		cmocka_unit_test(test_any_order),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
