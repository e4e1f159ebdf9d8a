// SPDX-License-Identifier: Apache-2.0
/*
 * The flow table against a slow model: whatever its size, each packet is in exactly one record.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/flowrec.h"
#include "sensor/flow.h"

enum { PEERS = 40, WINDOW_S = 60 };

/* What was emitted: sums per window and direction of each peer's flow. */
struct model {
	uint64_t packets[4][PEERS][2], bytes[4][PEERS][2];
	unsigned opened;
	enum flow_initiator last_initiator;
	unsigned order[16][2]; /* peer, direction of the first records */
	unsigned emitted;
	uint8_t outcome; /* of the last record */
	bool known;      /* the endpoints of flows that open now are remembered elsewhere */
};

static struct decoded packet_of(unsigned peer, bool answer)
{
	struct decoded d = {
		.family = 4, .protocol = 17, .bytes = 28 + peer, .packets = 1, .has_ports = true};
	struct addr local = {{10, 0, 0, 1}}, remote = {{192, 0, 2, (uint8_t)peer}};

	d.src = answer ? remote : local;
	d.dst = answer ? local : remote;
	d.srcport = answer ? 53 : 40000;
	d.dstport = answer ? 40000 : 53;
	return d;
}

static unsigned peer_of(const struct flow_key *key)
{
	return key->a.b[0] == 192 ? key->a.b[3] : key->b.b[3];
}

static uint32_t opened(void *ctx, struct flow_entry *entry, const struct flow_packet *packet,
		       enum flow_initiator initiator)
{
	struct model *m = ctx;

	m->opened++;
	m->last_initiator = initiator;
	entry->verdict = packet->is_related ? FLOWREC_WATCHED : FLOWREC_EXPECTED;
	entry->rule = !packet->is_related;
	entry->initiator = (unsigned)initiator & 3U;
	return m->known ? peer_of(&entry->key) : 0;
}

static void emit(void *ctx, const struct flow_entry *entry, unsigned dir, enum flow_reason reason,
		 uint32_t mark)
{
	struct model *m = ctx;
	const struct addr *from = dir ? &entry->key.b : &entry->key.a;
	bool answer = from->b[0] == 192;
	unsigned peer = peer_of(&entry->key);

	(void)reason;
	assert_true(mark == 0 || mark == peer);
	assert_true(peer < PEERS && entry->window < 4);
	m->packets[entry->window][peer][answer] += entry->dir[dir].packets;
	m->bytes[entry->window][peer][answer] += entry->dir[dir].bytes;
	m->outcome = entry->outcome;
	if (m->emitted < 16) {
		m->order[m->emitted][0] = peer;
		m->order[m->emitted][1] = answer;
	}
	m->emitted++;
}

static struct flow_table *table_new(struct model *m, size_t slots, bool by_direction)
{
	struct flow_sink sink = {.opened = opened, .emit = emit, .ctx = m};
	struct flow_table *t;

	assert_int_equal(
		flow_table_new(&t, slots, WINDOW_S, (uint64_t[]){1, 2}, by_direction, &sink), 0);
	return t;
}

static void put(struct flow_table *t, const struct decoded *d, uint32_t window, uint16_t offset)
{
	struct flow_packet p;

	flow_prepare(d, 3, window, offset, &p);
	flow_locate(t, &p, 1);
	flow_update(t, &p);
}

/* Packets of random peers over three windows, now and then one of the window before, bounded sweeps
 * in between. */
static void run_model(size_t slots, size_t sweep, bool by_direction)
{
	struct model *got = calloc(1, sizeof *got), *want = calloc(1, sizeof *want);
	struct flow_table *t = table_new(got, slots, by_direction);
	uint64_t total = 0, live;
	unsigned rnd = 1;

	got->known = by_direction;

	for (uint32_t window = 0; window < 3; window++) {
		for (unsigned i = 0; i < 3000; i++) {
			unsigned peer = (rnd = rnd * 1103515245 + 12345) >> 16 & 31;
			bool answer = rnd >> 24 & 1;
			uint32_t at = window && i % 50 == 0 ? window - 1 : window;
			struct decoded d = packet_of(peer, answer);

			put(t, &d, at, (uint16_t)(i / 60));
			want->packets[at][peer][answer]++;
			want->bytes[at][peer][answer] += d.bytes;
			total++;
			flow_sweep(t, sweep);
		}
		flow_close(t, window + 1, UINT64_MAX);
	}
	live = flow_live_packets(t, 3);
	for (unsigned w = 0; w < 4; w++)
		for (unsigned p = 0; p < PEERS; p++)
			live += got->packets[w][p][0] + got->packets[w][p][1];
	assert_int_equal(live, total);
	flow_close(t, UINT32_MAX, UINT64_MAX);
	assert_true(flow_sweep(t, SIZE_MAX));
	assert_int_equal(flow_live_packets(t, 3), 0);
	assert_memory_equal(got->packets, want->packets, sizeof got->packets);
	assert_memory_equal(got->bytes, want->bytes, sizeof got->bytes);
	flow_table_free(t);
	free(got);
	free(want);
}

static void every_packet_is_in_one_record(void **state)
{
	static const size_t slots[] = {1, 16, 32, 64, 4096}, sweeps[] = {0, 1, 7, SIZE_MAX};

	(void)state;
	for (size_t s = 0; s < 5; s++)
		for (size_t w = 0; w < 4; w++)
			for (int by = 0; by < 2; by++)
				run_model(slots[s], sweeps[w], by);
}

static void records_come_in_the_order_of_first_packets(void **state)
{
	static const unsigned order[][2] = {{5, 0}, {9, 0}, {9, 1}, {2, 1}, {5, 1}, {2, 0}};
	struct model m = {.emitted = 0};
	struct flow_table *t = table_new(&m, 256, true);

	(void)state;
	for (unsigned again = 0; again < 2; again++)
		for (size_t i = 0; i < 6; i++) {
			struct decoded d = packet_of(order[i][0], order[i][1]);

			put(t, &d, 1, 0);
		}
	flow_close(t, 2, UINT64_MAX);
	assert_true(flow_sweep(t, SIZE_MAX));
	assert_int_equal(m.emitted, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(m.order[i][0], order[i][0]);
		assert_int_equal(m.order[i][1], order[i][1]);
	}
	flow_table_free(t);
}

/* A closed window that is not swept yet does not take packets of the next one with it. */
static void an_update_emits_a_stale_entry_first(void **state)
{
	struct model m = {.emitted = 0};
	struct flow_table *t = table_new(&m, 64, false);
	struct decoded d = packet_of(7, false);

	(void)state;
	put(t, &d, 0, 59);
	flow_close(t, 1, UINT64_MAX);
	put(t, &d, 1, 0);
	assert_int_equal(m.packets[0][7][0], 1);
	assert_true(flow_sweep(t, SIZE_MAX));
	assert_int_equal(m.emitted, 1);
	flow_close(t, 2, UINT64_MAX);
	assert_true(flow_sweep(t, SIZE_MAX));
	assert_int_equal(m.packets[1][7][0], 1);
	flow_table_free(t);
}

/* A record's count has 32 bits: what does not fit goes out first. */
static void a_frame_may_stand_for_many_packets(void **state)
{
	struct model m = {.emitted = 0};
	struct flow_table *t = table_new(&m, 16, false);
	struct decoded d = packet_of(3, false);

	(void)state;
	d.packets = UINT32_MAX - 4;
	put(t, &d, 0, 0);
	d.packets = 4;
	put(t, &d, 0, 1);
	assert_int_equal(m.emitted, 0);
	assert_int_equal(flow_live_packets(t, 3), UINT32_MAX);
	d.packets = 1;
	put(t, &d, 0, 2);
	assert_int_equal(m.emitted, 1);
	assert_int_equal(m.packets[0][3][0], UINT32_MAX);
	assert_int_equal(flow_live_packets(t, 3), 1);
	flow_table_free(t);
}

/* Tags have 15 bits: among so many flows in two sets some must meet another's tag, and only the key tells them apart. */
/* Flows have a choice of two sets. With one, 3,300 flows in 512 sets of 8 would be 6.4 a set on average, and by Poisson's law
 * 226 of them would find a full set. */
static void hardly_a_flow_gives_way_before_the_table_is_full(void **state)
{
	struct model m = {.opened = 0};
	struct flow_table *t = table_new(&m, 4096, false);
	uint32_t rnd = 1;

	(void)state;
	for (unsigned i = 0; i < 3300; i++) {
		struct decoded d = packet_of(1, false);

		/* At random: ports in a row are spread more evenly than by chance. */
		d.srcport = (uint16_t)((rnd = rnd * 1103515245 + 12345) >> 16);
		d.dstport = (uint16_t)((rnd = rnd * 1103515245 + 12345) >> 16);
		put(t, &d, 1, 0);
	}
	assert_true(flow_reasons(t)[FLOW_EVICTED] < 33);
	assert_int_equal(m.opened, 3300);
	flow_table_free(t);
}

/* Flows that somebody who knows one key has aimed at a set are spread under another. */
static void nobody_can_aim_without_the_key(void **state)
{
	enum { SLOTS = 4096, SETS = SLOTS / FLOW_WAYS, AIMED = 64 };
	static struct flow_packet aimed[AIMED];
	struct model m = {.opened = 0};
	struct flow_sink sink = {.opened = opened, .emit = emit, .ctx = &m};
	unsigned in_set[SETS] = {0}, n = 0;
	struct flow_table *t;

	(void)state;
	assert_int_equal(flow_table_new(&t, SLOTS, WINDOW_S, (uint64_t[]){1, 2}, false, &sink), 0);
	for (uint32_t i = 0; n < AIMED; i++) {
		struct decoded d = packet_of(1, false);

		memcpy(d.dst.b, &i, sizeof i);
		flow_prepare(&d, 0, 0, 0, &aimed[n]);
		flow_locate(t, &aimed[n], 1);
		n += aimed[n].guess / FLOW_WAYS == 0;
	}
	flow_table_free(t);
	assert_int_equal(flow_table_new(&t, SLOTS, WINDOW_S, (uint64_t[]){1, 3}, false, &sink), 0);
	flow_locate(t, aimed, AIMED);
	for (unsigned i = 0; i < AIMED; i++)
		assert_true(++in_set[aimed[i].guess / FLOW_WAYS] <= 4);
	flow_table_free(t);
}

static void flows_that_differ_in_a_port_are_two(void **state)
{
	struct model m = {.emitted = 0};
	struct flow_table *t = table_new(&m, 16, false);
	struct decoded d = packet_of(1, false);

	(void)state;
	for (unsigned port = 1; port <= 60000; port++) {
		d.srcport = (uint16_t)port;
		put(t, &d, 0, 0);
	}
	assert_int_equal(m.opened, 60000);
	flow_table_free(t);
}

/* Side a is the lower address in memory order, so the test asks by the packet's sender. */
static void the_initiator_is_who_began(void **state)
{
	static const struct {
		uint8_t protocol, flags, icmp;
		uint16_t srcport, dstport;
		bool by_sender;
	} cases[] = {
		{6, 2, 0, 40000, 443, true},   /* SYN */
		{6, 2, 0, 443, 40000, true},   /* SYN from a low port */
		{6, 18, 0, 443, 40000, false}, /* SYN-ACK */
		{6, 4, 0, 40000, 443, false},  /* RST answers something */
		{6, 0, 0, 443, 40000, false},  /* under way: the lower port serves */
		{6, 0, 0, 40000, 443, true},
		{6, 0, 0, 500, 500, true},
		{17, 0, 0, 53, 40000, true}, /* a source port proves nothing */
		{1, 0, 8, 0, 0, true},       /* echo */
		{1, 0, 0, 0, 0, false},      /* echo reply */
		/* errors are about another flow (RFC 792, RFC 4443), whoever gets them */
		{1, 0, 3, 0, 0, true},
		{1, 0, 4, 0, 0, true},
		{1, 0, 11, 0, 0, true},
		{1, 0, 12, 0, 0, true},
		{58, 0, 128, 0, 0, true},
		{58, 0, 129, 0, 0, false},
		{58, 0, 1, 0, 0, true},
		{58, 0, 4, 0, 0, true},
		{47, 0, 0, 0, 0, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (int answer = 0; answer < 2; answer++) {
			struct model m = {.emitted = 0};
			struct flow_table *t = table_new(&m, 16, false);
			struct decoded d = packet_of(1, answer);
			struct flow_packet p;
			bool sender_is_b;

			d.protocol = cases[i].protocol;
			d.tcp_flags = cases[i].flags;
			d.icmp_type = cases[i].icmp;
			d.has_ports = cases[i].protocol == 6 || cases[i].protocol == 17;
			d.has_icmp_type = cases[i].protocol == 1 || cases[i].protocol == 58;
			d.srcport = cases[i].srcport;
			d.dstport = cases[i].dstport;
			flow_prepare(&d, 0, 0, 0, &p);
			flow_locate(t, &p, 1);
			flow_update(t, &p);
			sender_is_b = p.side;
			assert_int_equal(m.last_initiator, (sender_is_b == cases[i].by_sender)
								   ? FLOW_INITIATOR_B
								   : FLOW_INITIATOR_A);
			flow_table_free(t);
		}
}

static void a_long_silence_or_a_syn_begins_anew(void **state)
{
	struct model m = {.emitted = 0};
	struct flow_table *t = table_new(&m, 16, false);
	struct decoded ask = packet_of(1, false), answer = packet_of(1, true);

	(void)state;
	put(t, &ask, 0, 10);
	put(t, &answer, 0, 11);
	assert_int_equal(m.opened, 1);
	put(t, &answer, 3, 11); /* 180 s later: not yet */
	assert_int_equal(m.opened, 1);
	flow_close(t, 4, UINT64_MAX);
	flow_sweep(t, SIZE_MAX);
	put(t, &answer, 6, 12); /* 181 s */
	assert_int_equal(m.opened, 2);
	flow_table_free(t);

	m = (struct model){.emitted = 0};
	t = table_new(&m, 16, false);
	ask.protocol = answer.protocol = 6;
	ask.tcp_flags = answer.tcp_flags = 2;
	put(t, &ask, 0, 0);
	put(t, &answer, 0, 1); /* the other side's own SYN on the same ports */
	assert_int_equal(m.opened, 2);
	flow_close(t, 1, UINT64_MAX);
	flow_sweep(t, SIZE_MAX);
	assert_int_equal(m.emitted, 2); /* and still one record a direction */
	flow_table_free(t);
}

/* A router's error makes nobody but the router its sender; a request of this machine's own is not hidden behind it. */
static void an_icmp_request_begins_anew(void **state)
{
	struct model m = {.emitted = 0};
	struct flow_table *t = table_new(&m, 16, false);
	struct decoded d = packet_of(1, true);
	enum flow_initiator remote, local;

	(void)state;
	d.protocol = 1;
	d.has_ports = false;
	d.has_icmp_type = true;
	d.srcport = d.dstport = 0;
	d.icmp_type = 11; /* time exceeded */
	put(t, &d, 0, 0);
	assert_int_equal(m.opened, 1);
	remote = m.last_initiator;
	local = remote == FLOW_INITIATOR_A ? FLOW_INITIATOR_B : FLOW_INITIATOR_A;
	d.src = packet_of(1, false).src;
	d.dst = packet_of(1, false).dst;
	d.icmp_type = 3; /* an error of ours begins nothing either */
	put(t, &d, 0, 1);
	assert_int_equal(m.opened, 1);
	d.icmp_type = 8;
	put(t, &d, 0, 2);
	put(t, &d, 0, 3);
	assert_int_equal(m.opened, 2);
	assert_int_equal(m.last_initiator, local);
	d = packet_of(1, true);
	d.protocol = 1;
	d.has_ports = false;
	d.has_icmp_type = true;
	d.srcport = d.dstport = 0; /* type 0: the reply */
	put(t, &d, 0, 4);
	assert_int_equal(m.opened, 2);
	flow_table_free(t);
}

/* A datagram goes out, 40 flows drive its flow out of 16 slots, `later` seconds after that the answer comes. Is it known who began? */
static bool is_known_after_a_flood(unsigned later)
{
	struct model m = {.emitted = 0};
	struct flow_table *t = table_new(&m, 16, false);
	struct decoded ask = packet_of(1, false), answer = packet_of(1, true);
	struct flow_packet p;

	flow_prepare(&ask, 3, 0, 0, &p);
	put(t, &ask, 0, 0);
	for (unsigned i = 0; i < 40; i++) {
		struct decoded other = packet_of(2 + i % 30, true);

		other.dstport = (uint16_t)i;
		put(t, &other, 0, 1);
	}
	assert_int_equal(m.packets[0][1][0], 1); /* it gave way */
	put(t, &answer, (1 + later) / WINDOW_S, (uint16_t)((1 + later) % WINDOW_S));
	flow_table_free(t);
	return m.last_initiator == (p.side ? FLOW_INITIATOR_B : FLOW_INITIATOR_A);
}

static void who_began_outlasts_the_flow(void **state)
{
	(void)state;
	assert_true(is_known_after_a_flood(0));
	assert_true(is_known_after_a_flood(180));
	assert_false(is_known_after_a_flood(181));
}

/* Two flows of endpoints that nobody else remembers, the oldest of all, in a table of two sets: a flood of flows that are
 * remembered drives out its own kind and them only when a window lies between. */
static void flows_that_are_remembered_give_way_first(void **state)
{
	struct model m = {.emitted = 0};
	struct flow_table *t = table_new(&m, 16, false);

	(void)state;
	for (unsigned peer = 1; peer < 3; peer++) {
		struct decoded d = packet_of(peer, false);

		put(t, &d, 0, 0);
	}
	m.known = true;
	for (unsigned i = 0; i < 1000; i++) {
		struct decoded d = packet_of(3 + i % 30, false);

		d.srcport = (uint16_t)i;
		put(t, &d, 0, (uint16_t)(i / 20));
	}
	assert_in_range(m.emitted, 1000 - 14, 1000); /* 14 slots were left to them */
	assert_int_equal(m.packets[0][1][0] + m.packets[0][2][0], 0);
	m.opened = 0;
	m.known = false;
	for (unsigned peer = 1; peer < 3; peer++) {
		struct decoded d = packet_of(peer, false);

		put(t, &d, 0, 59);
	}
	assert_int_equal(m.opened, 0); /* they are still there */
	flow_close(t, 1, UINT64_MAX);
	assert_true(flow_sweep(t, SIZE_MAX));
	m.known = true;
	for (unsigned i = 0; i < 200; i++) {
		struct decoded d = packet_of(3 + i % 30, false);

		d.srcport = (uint16_t)(2000 + i);
		put(t, &d, 3, 0);
	}
	m.opened = 0;
	for (unsigned peer = 1; peer < 3; peer++) {
		struct decoded d = packet_of(peer, false);

		put(t, &d, 3, 1);
	}
	assert_int_equal(m.opened, 2);
	flow_table_free(t);
}

/* ---- how far a flow got ---- */

enum { FIN = 1, SYN = 2, RST = 4, SYN_ACK = 18 };

/* A packet: who sends it, what it bears; `at` counts seconds from the begin of window 0. */
struct step {
	char from;    /* 'i'nitiator, 'r'esponder; 0: the scenario ends */
	uint8_t bits; /* TCP flags, or ICMP type */
	bool payload;
	uint16_t at;
};

static const struct {
	const char *name;
	uint8_t protocol;
	uint16_t until; /* the run ends */
	struct step steps[6];
	uint8_t outcome;
} ladder[] = {
	{"a SYN, and the run ends 4 s later", 6, 14, {{'i', SYN, false, 10}}, FLOWREC_SENT},
	{"5 s later", 6, 15, {{'i', SYN, false, 10}}, FLOWREC_UNANSWERED},
	{"a SYN 4 s before its window ends", 6, 600, {{'i', SYN, false, 56}}, FLOWREC_SENT},
	{"and one more in the next",
	 6,
	 600,
	 {{'i', SYN, false, 56}, {'i', SYN, false, 60}},
	 FLOWREC_UNANSWERED},
	{"refused", 6, 600, {{'i', SYN, false, 1}, {'r', RST, false, 1}}, FLOWREC_REFUSED},
	{"a reset by its own side",
	 6,
	 600,
	 {{'i', SYN, false, 1}, {'i', RST, false, 1}},
	 FLOWREC_UNANSWERED},
	{"answered",
	 6,
	 600,
	 {{'i', SYN, false, 1}, {'r', SYN_ACK, false, 1}, {'i', 0, false, 1}},
	 FLOWREC_ANSWERED},
	{"answered before it was reset",
	 6,
	 600,
	 {{'i', SYN, false, 1}, {'r', SYN_ACK, false, 1}, {'r', RST, false, 1}},
	 FLOWREC_ANSWERED},
	{"answered after a forged reset",
	 6,
	 600,
	 {{'i', SYN, false, 1}, {'r', RST, false, 1}, {'r', SYN_ACK, false, 1}},
	 FLOWREC_ANSWERED},
	{"data in the SYN is no data out",
	 6,
	 600,
	 {{'i', SYN, true, 1}, {'r', SYN_ACK, false, 1}, {'i', 0, false, 1}},
	 FLOWREC_ANSWERED},
	{"data of the responder neither",
	 6,
	 600,
	 {{'i', SYN, false, 1}, {'r', SYN_ACK, false, 1}, {'r', 0, true, 1}},
	 FLOWREC_ANSWERED},
	{"data out",
	 6,
	 600,
	 {{'i', SYN, false, 1}, {'r', SYN_ACK, false, 1}, {'i', 0, true, 1}},
	 FLOWREC_DATA_OUT},
	{"data out stays over windows",
	 6,
	 600,
	 {{'i', SYN, false, 1},
	  {'r', SYN_ACK, false, 1},
	  {'i', 0, true, 1},
	  {'r', FIN, false, 100}},
	 FLOWREC_DATA_OUT},
	{"a window later the same ports are tried again",
	 6,
	 600,
	 {{'i', SYN, false, 1}, {'r', SYN_ACK, false, 1}, {'i', 0, true, 1}, {'i', SYN, false, 70}},
	 FLOWREC_UNANSWERED},
	{"under way before us",
	 6,
	 600,
	 {{'i', 0, true, 1}, {'r', 0, false, 1}, {'i', 0, true, 2}},
	 FLOWREC_DATA_OUT},
	{"only the answer was seen", 6, 600, {{'r', SYN_ACK, false, 1}}, FLOWREC_ANSWERED},
	{"a datagram", 17, 600, {{'i', 0, true, 1}}, FLOWREC_UNANSWERED},
	{"a datagram back", 17, 600, {{'i', 0, true, 1}, {'r', 0, true, 1}}, FLOWREC_ANSWERED},
	{"another one",
	 17,
	 600,
	 {{'i', 0, true, 1}, {'r', 0, true, 1}, {'i', 0, true, 2}},
	 FLOWREC_DATA_OUT},
	{"another one without payload",
	 17,
	 600,
	 {{'i', 0, true, 1}, {'r', 0, true, 1}, {'i', 0, false, 2}},
	 FLOWREC_ANSWERED},
	{"180 s of silence are not long",
	 17,
	 600,
	 {{'i', 0, true, 1}, {'r', 0, true, 1}, {'i', 0, false, 181}},
	 FLOWREC_ANSWERED},
	{"181 s are: it begins anew",
	 17,
	 600,
	 {{'i', 0, true, 1}, {'r', 0, true, 1}, {'i', 0, true, 182}},
	 FLOWREC_UNANSWERED},
	{"echo and reply", 1, 600, {{'i', 8, true, 1}, {'r', 0, true, 1}}, FLOWREC_ANSWERED},
	{"an error is no answer",
	 1,
	 600,
	 {{'i', 8, true, 1}, {'r', 11, true, 1}, {'r', 3, true, 1}},
	 FLOWREC_UNANSWERED},
	{"ICMPv6 echo and reply",
	 58,
	 600,
	 {{'i', 128, true, 1}, {'r', 129, true, 1}},
	 FLOWREC_ANSWERED},
	{"an ICMPv6 error is no answer",
	 58,
	 600,
	 {{'i', 128, true, 1}, {'r', 3, true, 1}},
	 FLOWREC_UNANSWERED},
	{"a packet back", 47, 600, {{'i', 0, true, 1}, {'r', 0, true, 1}}, FLOWREC_ANSWERED},
};

static struct decoded decoded_of(uint8_t protocol, const struct step *step)
{
	struct decoded d = packet_of(1, step->from == 'r');

	d.protocol = protocol;
	d.has_ports = protocol == 6 || protocol == 17;
	d.has_icmp_type = protocol == 1 || protocol == 58;
	if (!d.has_ports)
		d.srcport = d.dstport = 0;
	d.tcp_flags = protocol == 6 ? step->bits : 0;
	d.icmp_type = step->bits;
	d.has_payload = step->payload;
	return d;
}

static void a_flow_climbs_the_ladder(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof ladder / sizeof ladder[0]; i++) {
		struct model m = {.emitted = 0};
		struct flow_table *t = table_new(&m, 16, false);

		for (const struct step *s = ladder[i].steps; s->from; s++) {
			struct decoded d = decoded_of(ladder[i].protocol, s);

			put(t, &d, s->at / WINDOW_S, s->at % WINDOW_S);
		}
		flow_close(t, UINT32_MAX, ladder[i].until);
		assert_true(flow_sweep(t, SIZE_MAX));
		if (m.outcome != ladder[i].outcome)
			fail_msg("%s: %s", ladder[i].name,
				 flowrec_outcome_text((enum flowrec_outcome)m.outcome));
		flow_table_free(t);
	}
}

/* What an ICMP error quotes: the flow must be there, and its initiator must have sent it. */
static void a_quoted_flow_is_refused(void **state)
{
	static const struct step ask = {'i', 0, true, 1}, answer = {'r', 0, true, 1};
	static const struct {
		const char *name;
		struct step quoted;
		uint8_t iface;
		uint16_t port;       /* added to the quoted source port */
		bool answered, late; /* a datagram back came before, after the error */
		uint8_t outcome;
	} rows[] = {
		{"refused", {'i', 0, true, 1}, 3, 0, false, false, FLOWREC_REFUSED},
		{"another flow's port", {'i', 0, true, 1}, 3, 1, false, false, FLOWREC_UNANSWERED},
		{"another interface", {'i', 0, true, 1}, 2, 0, false, false, FLOWREC_UNANSWERED},
		{"what the responder sent",
		 {'r', 0, true, 1},
		 3,
		 0,
		 false,
		 false,
		 FLOWREC_UNANSWERED},
		{"too late", {'i', 0, true, 1}, 3, 0, true, false, FLOWREC_ANSWERED},
		{"belied", {'i', 0, true, 1}, 3, 0, false, true, FLOWREC_ANSWERED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct model m = {.emitted = 0};
		struct flow_table *t = table_new(&m, 16, false);
		struct decoded asked = decoded_of(17, &ask), back = decoded_of(17, &answer);
		struct decoded quoted = decoded_of(17, &rows[i].quoted);

		put(t, &asked, 0, 1);
		if (rows[i].answered)
			put(t, &back, 0, 1);
		quoted.srcport = (uint16_t)(quoted.srcport + rows[i].port);
		for (unsigned refuses = 0; refuses < 2; refuses++)
			assert_int_equal(flow_quoted(t, &quoted, rows[i].iface, refuses),
					 rows[i].iface == 3 && rows[i].port == 0);
		if (rows[i].late)
			put(t, &back, 0, 2);
		flow_close(t, UINT32_MAX, UINT64_MAX);
		assert_true(flow_sweep(t, SIZE_MAX));
		if (m.outcome != rows[i].outcome)
			fail_msg("%s: %s", rows[i].name,
				 flowrec_outcome_text((enum flowrec_outcome)m.outcome));
		flow_table_free(t);
	}
}

static unsigned silences[8], n_silences;

static void woke(void *ctx, const struct flow_entry *entry, const struct flow_packet *packet,
		 unsigned silence_s)
{
	(void)ctx;
	(void)packet;
	assert_int_equal(peer_of(&entry->key), 7);
	assert_true(n_silences < 8);
	silences[n_silences++] = silence_s;
}

/* A known flow tells when it was silent, over windows too; a new one, and packets out of order, do not. */
static void a_silence_is_told(void **state)
{
	static const struct {
		uint32_t window;
		uint16_t offset;
		unsigned silence; /* 0: none is told */
	} rows[] = {{1, 10, 0}, {1, 14, 0}, {1, 19, 5}, {1, 17, 0}, {2, 1, 44}, {3, 50, 109}};
	struct model m = {0};
	struct flow_sink sink = {.opened = opened, .woke = woke, .emit = emit, .ctx = &m};
	struct decoded d = packet_of(7, false);
	struct flow_table *t;
	unsigned n = 0;

	(void)state;
	assert_int_equal(flow_table_new(&t, 64, WINDOW_S, (uint64_t[]){1, 2}, true, &sink), 0);
	m.emitted = 16;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		put(t, &d, rows[i].window, rows[i].offset);
		if (rows[i].silence)
			assert_int_equal(silences[n++], rows[i].silence);
		assert_int_equal(n_silences, n);
	}
	flow_table_free(t);
}

/* Errors about known flows are no leave for anything else between the same two, and a ping from one side is none for
 * the other. Rows: ICMP packets in turn, and after which of them the flow was judged. */
static void errors_open_no_way(void **state)
{
	static const struct {
		struct {
			char from;
			uint8_t type;
			bool related, judged;
		} packets[4];
	} rows[] = {
		{{{'r', 3, true, true},
		  {'r', 3, true, false},
		  {'i', 8, false, true},
		  {'r', 0, false, false}}},
		{{{'r', 3, true, true},
		  {'i', 0, false, true},
		  {'i', 0, false, false},
		  {'r', 3, true, false}}},
		{{{'r', 3, true, true},
		  {'r', 3, false, true},
		  {'i', 8, false, true},
		  {'i', 8, false, false}}},
		{{{'r', 8, false, true},
		  {'i', 0, false, false},
		  {'i', 8, false, true},
		  {'r', 0, false, false}}},
		{{{'i', 8, false, true},
		  {'r', 3, true, false},
		  {'i', 8, false, false},
		  {'r', 8, false, true}}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct model m = {.emitted = 0};
		struct flow_table *t = table_new(&m, 16, false);

		for (size_t j = 0; j < 4; j++) {
			struct step step = {rows[i].packets[j].from, rows[i].packets[j].type, true,
					    1};
			struct decoded d = decoded_of(1, &step);
			unsigned before = m.opened;
			struct flow_packet p;

			flow_prepare(&d, 3, 0, 1, &p);
			p.is_related = rows[i].packets[j].related;
			flow_locate(t, &p, 1);
			flow_update(t, &p);
			if ((m.opened > before) != rows[i].packets[j].judged)
				fail_msg("row %zu, packet %zu", i, j);
		}
		flow_table_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_packet_is_in_one_record),
		cmocka_unit_test(records_come_in_the_order_of_first_packets),
		cmocka_unit_test(an_update_emits_a_stale_entry_first),
		cmocka_unit_test(a_frame_may_stand_for_many_packets),
		cmocka_unit_test(hardly_a_flow_gives_way_before_the_table_is_full),
		cmocka_unit_test(nobody_can_aim_without_the_key),
		cmocka_unit_test(flows_that_differ_in_a_port_are_two),
		cmocka_unit_test(the_initiator_is_who_began),
		cmocka_unit_test(a_long_silence_or_a_syn_begins_anew),
		cmocka_unit_test(an_icmp_request_begins_anew),
		cmocka_unit_test(errors_open_no_way),
		cmocka_unit_test(who_began_outlasts_the_flow),
		cmocka_unit_test(flows_that_are_remembered_give_way_first),
		cmocka_unit_test(a_silence_is_told),
		cmocka_unit_test(a_flow_climbs_the_ladder),
		cmocka_unit_test(a_quoted_flow_is_refused),
	};

	return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
