// SPDX-License-Identifier: Apache-2.0
/*
 * judge: a rule by name, and what a flow asks for. Real policy, flow table and names; the times and names are written here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/clock.h"
#include "platform/log.h"
#include "sensor/judge.h"

enum { LOCAL = 10, TCP = 6, UDP = 17 };

static const char text[] = "expect out tcp 443 to name *.good.example\n"
			   "watch out tcp 443 to name seen.example\n"
			   "expect out tcp 443 to 198.51.100.0/24\n";

struct fixture {
	struct judge judge;
	struct policy *policy;
	struct flow_table *flows;
	struct name_table *names;
	struct identity identity;
	struct batch_alert alert; /* the last */
	size_t alerts;
	uint64_t now_ns; /* of the packet that opens a flow */
	uint8_t emitted; /* verdict of the last record */
};

bool identity_is_local(const struct identity *identity, uint8_t family, const struct addr *addr)
{
	(void)identity;
	return family == 4 && addr->b[0] == LOCAL;
}

static uint32_t on_opened(void *ctx, struct flow_entry *entry, const struct flow_packet *packet,
			  enum flow_initiator initiator)
{
	struct fixture *f = ctx;

	judge_open(&f->judge, entry, packet, initiator, false, f->now_ns);
	return 0;
}

static void on_emit(void *ctx, const struct flow_entry *entry, unsigned dir,
		    enum flow_reason reason, uint32_t mark)
{
	struct fixture *f = ctx;

	(void)dir;
	(void)reason;
	(void)mark;
	judge_settle(&f->judge, entry);
	f->emitted = entry->verdict;
}

static void on_alert(void *ctx, const struct batch_alert *alert)
{
	struct fixture *f = ctx;

	f->alerts++;
	f->alert = *alert;
}

static int setup(void **state)
{
	static const uint64_t key[2] = {5, 6};
	struct fixture *f = calloc(1, sizeof *f);
	const struct flow_sink sink = {.opened = on_opened, .emit = on_emit, .ctx = f};
	struct err err;

	assert_non_null(f);
	log_set_level(LOG_LEVEL_ERR);
	if (policy_parse(&f->policy, "test", text, sizeof text - 1, &err))
		fail_msg("%s", err.text);
	assert_true(policy_has_names(f->policy));
	assert_int_equal(flow_table_new(&f->flows, 4096, 60, key, true, &sink), 0);
	assert_int_equal(name_table_new(&f->names, 65536, 1, key), 0);
	assert_int_equal(alert_table_new(&f->judge.alerts, 4096, key), 0);
	f->judge.policy = f->policy;
	f->judge.identity = &f->identity;
	f->judge.flows = f->flows;
	f->judge.names = f->names;
	f->judge.raised = on_alert;
	f->judge.ctx = f;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	alert_table_free(f->judge.alerts);
	flow_table_free(f->flows);
	name_table_free(f->names);
	policy_free(f->policy);
	free(f);
	return 0;
}

static struct decoded packet_to(uint8_t a, uint8_t b, uint16_t srcport, uint8_t protocol)
{
	return (struct decoded){.src.b = {LOCAL, 0, 0, 5},
				.dst.b = {a, b, 100, 7},
				.bytes = 60,
				.packets = 1,
				.srcport = srcport,
				.dstport = 443,
				.family = 4,
				.protocol = protocol,
				.tcp_flags = protocol == TCP ? 2 : 0,
				.has_ports = true};
}

/* A flow's first packet at `sec`; its verdict then. */
static unsigned opened(struct fixture *f, const struct decoded *d, uint64_t sec)
{
	struct flow_packet p;

	f->now_ns = sec * NS_PER_S;
	flow_prepare(d, 0, (uint32_t)(sec / 60), (uint16_t)(sec % 60), &p);
	flow_locate(f->flows, &p, 1);
	flow_update(f->flows, &p);
	return flow_lookup(f->flows, &p.key)->verdict;
}

static const struct flow_entry *entry_of(struct fixture *f, const struct decoded *d)
{
	struct flow_packet p;

	flow_prepare(d, 0, 0, 0, &p);
	return flow_lookup(f->flows, &p.key);
}

static void dns_says(struct fixture *f, uint8_t a, uint8_t b, const char *name)
{
	const struct batch_name n = {.remote.b = {a, b, 100, 7},
				     .name = name,
				     .alpn = "",
				     .family = 4,
				     .source = BATCH_NAME_DNS};

	(void)name_table_learn(f->names, &n);
}

static void known_by_dns(void **state)
{
	struct fixture *f = *state;
	struct decoded d = packet_to(192, 0, 1000, TCP);

	dns_says(f, 192, 0, "www.good.example");
	assert_int_equal(opened(f, &d, 1000), FLOWREC_EXPECTED);
	assert_int_equal(entry_of(f, &d)->rule, 1);
	assert_int_equal(f->alerts, 0);
	/* The flow confirms it. */
	judge_named(&f->judge, &d, 0, "www.good.example", 1001 * (uint64_t)NS_PER_S);
	assert_int_equal(entry_of(f, &d)->verdict, FLOWREC_EXPECTED);
	assert_int_equal(f->alerts, 0);
}

/* An address that is expected by name, and another server behind it. */
static void asks_for_another(void **state)
{
	struct fixture *f = *state;
	struct decoded d = packet_to(192, 0, 1000, TCP);

	dns_says(f, 192, 0, "www.good.example");
	assert_int_equal(opened(f, &d, 1000), FLOWREC_EXPECTED);
	judge_named(&f->judge, &d, 0, "evil.example", 1001 * (uint64_t)NS_PER_S);
	assert_int_equal(entry_of(f, &d)->verdict, FLOWREC_UNEXPECTED_EGRESS);
	assert_int_equal(entry_of(f, &d)->rule, 0);
	assert_int_equal(f->alerts, 1);
	assert_true(f->alert.time_ns == 1001 * (uint64_t)NS_PER_S);
	assert_int_equal(f->alert.remote.b[0], 192);
	assert_int_equal(f->alert.local_port, 1000);
	assert_int_equal(f->alert.remote_port, 443);
	/* Once; and the right name afterwards does not wash it. */
	judge_named(&f->judge, &d, 0, "evil.example", 1002 * (uint64_t)NS_PER_S);
	judge_named(&f->judge, &d, 0, "www.good.example", 1002 * (uint64_t)NS_PER_S);
	assert_int_equal(f->alerts, 1);
	assert_int_equal(entry_of(f, &d)->verdict, FLOWREC_UNEXPECTED_EGRESS);
}

/* Our own connection is expected, by both of its ends; another's to the same place is not, whatever its port. */
static void our_own(void **state)
{
	struct fixture *f = *state;
	struct decoded d = packet_to(192, 0, 1000, TCP), other = packet_to(192, 0, 1001, TCP);
	struct decoded datagram = packet_to(192, 0, 1000, UDP);
	struct endpoint local = {.addr = d.src, .port = 1000, .family = 4};
	const struct endpoint remote = {.addr = d.dst, .port = 443, .family = 4};
	static struct own own;

	own_add(&own, &local, &remote);
	f->judge.own = &own;
	assert_int_equal(opened(f, &d, 1000), FLOWREC_EXPECTED);
	assert_int_equal(entry_of(f, &d)->rule, 0);
	judge_named(&f->judge, &d, 0, "evil.example", 1001 * (uint64_t)NS_PER_S);
	assert_int_equal(entry_of(f, &d)->verdict, FLOWREC_EXPECTED);
	assert_int_equal(f->alerts, 0);
	(void)opened(f, &other, 1000);
	judge_named(&f->judge, &other, 0, "evil.example", 1001 * (uint64_t)NS_PER_S);
	assert_int_equal(entry_of(f, &other)->verdict, FLOWREC_UNEXPECTED_EGRESS);
	assert_int_equal(opened(f, &datagram, 1000), FLOWREC_UNEXPECTED_EGRESS);
	/* Of more than there is room for the oldest is another's again. */
	for (local.port = 2000; local.port < 2000 + OWN_MAX; local.port++)
		own_add(&own, &local, &remote);
	assert_false(own_has(&own, &entry_of(f, &d)->key,
			     entry_of(f, &d)->initiator == FLOW_INITIATOR_B));
}

/* A rule by address does not care for names. */
static void expected_by_address(void **state)
{
	struct fixture *f = *state;
	struct decoded d = packet_to(198, 51, 1000, TCP);

	assert_int_equal(opened(f, &d, 1000), FLOWREC_EXPECTED);
	assert_int_equal(entry_of(f, &d)->rule, 3);
	judge_named(&f->judge, &d, 0, "any.example", 1001 * (uint64_t)NS_PER_S);
	assert_int_equal(entry_of(f, &d)->verdict, FLOWREC_EXPECTED);
	assert_int_equal(f->alerts, 0);
}

/* DNS was not seen: the alert waits for the name, and does not go. */
static void named_in_time(void **state)
{
	struct fixture *f = *state;
	struct decoded good = packet_to(192, 0, 1000, TCP), seen = packet_to(192, 1, 1001, TCP);

	assert_int_equal(opened(f, &good, 1000), FLOWREC_VERDICT_NONE);
	assert_int_equal(opened(f, &seen, 1000), FLOWREC_VERDICT_NONE);
	judge_tick(&f->judge, 1000 + JUDGE_WAIT_S - 1);
	assert_int_equal(f->alerts, 0);
	judge_named(&f->judge, &good, 0, "a.good.example", 1004 * (uint64_t)NS_PER_S);
	judge_named(&f->judge, &seen, 0, "seen.example", 1004 * (uint64_t)NS_PER_S);
	assert_int_equal(entry_of(f, &good)->verdict, FLOWREC_EXPECTED);
	assert_int_equal(entry_of(f, &good)->rule, 1);
	assert_int_equal(entry_of(f, &seen)->verdict, FLOWREC_WATCHED);
	assert_int_equal(entry_of(f, &seen)->rule, 2);
	judge_tick(&f->judge, 2000);
	assert_int_equal(f->alerts, 0);
	assert_int_equal(f->judge.waiting.n, 0);
}

static void not_named(void **state)
{
	struct fixture *f = *state;
	struct decoded silent = packet_to(192, 0, 1000, TCP), evil = packet_to(192, 1, 1001, TCP),
		       udp = packet_to(192, 2, 1002, UDP);

	assert_int_equal(opened(f, &silent, 1000), FLOWREC_VERDICT_NONE);
	assert_int_equal(opened(f, &evil, 1000), FLOWREC_VERDICT_NONE);
	judge_named(&f->judge, &evil, 0, "evil.example", 1001 * (uint64_t)NS_PER_S);
	assert_int_equal(f->alerts, 1);
	assert_int_equal(f->alert.local_port, 1001);
	assert_true(f->alert.time_ns == 1000 * (uint64_t)NS_PER_S); /* of the flow's first packet */
	judge_tick(&f->judge, 1000 + JUDGE_WAIT_S);
	assert_int_equal(f->alerts, 2);
	assert_int_equal(f->alert.local_port, 1000);
	assert_int_equal(entry_of(f, &silent)->verdict, FLOWREC_UNEXPECTED_EGRESS);
	/* No name will come of UDP. */
	assert_int_equal(opened(f, &udp, 1010), FLOWREC_UNEXPECTED_EGRESS);
	assert_int_equal(f->alerts, 3);
}

/* No record leaves without its verdict. */
static void recorded_while_it_waits(void **state)
{
	struct fixture *f = *state;
	struct decoded d = packet_to(192, 0, 1000, TCP);

	assert_int_equal(opened(f, &d, 1019), FLOWREC_VERDICT_NONE);
	flow_close(f->flows, 1020 / 60, 1020);
	assert_true(flow_sweep(f->flows, 1000));
	assert_int_equal(f->emitted, FLOWREC_UNEXPECTED_EGRESS);
	assert_int_equal(f->alerts, 1);
	judge_tick(&f->judge, 2000);
	assert_int_equal(f->alerts, 1);
}

/* What this machine is asked for, and what its peer says, is not this machine's wish. */
static void asked_by_others(void **state)
{
	struct fixture *f = *state;
	struct decoded d = packet_to(192, 0, 1000, TCP), back = d;

	back.src = d.dst;
	back.dst = d.src;
	back.srcport = d.dstport;
	back.dstport = d.srcport;
	dns_says(f, 192, 0, "www.good.example");
	assert_int_equal(opened(f, &d, 1000), FLOWREC_EXPECTED);
	judge_named(&f->judge, &back, 0, "evil.example", 1001 * (uint64_t)NS_PER_S);
	assert_int_equal(entry_of(f, &d)->verdict, FLOWREC_EXPECTED);
	back.srcport = 2000; /* a flow that is not known */
	judge_named(&f->judge, &back, 0, "evil.example", 1001 * (uint64_t)NS_PER_S);
	assert_int_equal(f->alerts, 0);
}

/* More flows than can wait: the oldest is told early, none is forgotten. */
static void many_wait(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < JUDGE_WAITING_MAX + 10; i++) {
		struct decoded d = packet_to(192, 0, (uint16_t)(1000 + i), TCP);

		d.dst.b[2] = (uint8_t)i;
		d.dst.b[1] = (uint8_t)(i >> 8);
		assert_int_equal(opened(f, &d, 1000), FLOWREC_VERDICT_NONE);
		if (i == 20) /* this one is named */
			judge_named(&f->judge, &d, 0, "good.example", 1000 * (uint64_t)NS_PER_S);
	}
	assert_int_equal(f->alerts, 10);
	judge_tick(&f->judge, 1000 + JUDGE_WAIT_S);
	/* ALERT_PER_SECOND of them go, the others are counted. */
	assert_int_equal(f->alerts, ALERT_PER_SECOND);
	assert_int_equal(f->judge.waiting.n, 0);
}

#define WITH_JUDGE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* Marks that come with the packet, and not from its addresses. */
static void own_frames_and_errors(void **state)
{
	static const struct {
		bool forged, own, related; /* forged: both addresses are foreign */
		uint8_t verdict;
	} rows[] = {
		{true, false, false, FLOWREC_VERDICT_NONE},
		{true, true, false, FLOWREC_UNEXPECTED_EGRESS},
		{false, true, false, FLOWREC_UNEXPECTED_EGRESS},
		{false, false, true, FLOWREC_WATCHED},
		{true, false, true, FLOWREC_VERDICT_NONE},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct fixture *f = *state;
		struct decoded d = packet_to(203, 0, (uint16_t)(7000 + i), UDP);
		size_t before = f->alerts;
		const struct flow_entry *e;
		struct flow_packet p;

		if (rows[i].forged)
			d.src.b[0] = 192;
		d.dst.b[3] = (uint8_t)(100 + i);
		flow_prepare(&d, 0, 5, 0, &p);
		p.is_own = rows[i].own;
		p.is_related = rows[i].related;
		f->now_ns = (uint64_t)300 * NS_PER_S;
		flow_locate(f->flows, &p, 1);
		flow_update(f->flows, &p);
		e = flow_lookup(f->flows, &p.key);
		if (e->verdict != rows[i].verdict)
			fail_msg("row %zu: verdict %u", i, e->verdict);
		assert_int_equal(f->alerts - before, rows[i].verdict == FLOWREC_UNEXPECTED_EGRESS);
		assert_int_equal(e->rule, 0);
		assert_int_equal(p.side ? e->b_local : e->a_local, !rows[i].forged || rows[i].own);
		assert_false(p.side ? e->a_local : e->b_local);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_JUDGE(our_own),
		WITH_JUDGE(known_by_dns),
		WITH_JUDGE(asks_for_another),
		WITH_JUDGE(expected_by_address),
		WITH_JUDGE(named_in_time),
		WITH_JUDGE(not_named),
		WITH_JUDGE(recorded_while_it_waits),
		WITH_JUDGE(asked_by_others),
		WITH_JUDGE(many_wait),
		WITH_JUDGE(own_frames_and_errors),
	};

	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
