// SPDX-License-Identifier: Apache-2.0
/*
 * The endpoint table: totals by arithmetic, who is kept against a slow model, and that no flood makes it forget who answered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sensor/endpoint.h"

enum { TOLD_MAX = 4096, FLOOD = 1000000 };

struct heard {
	struct endpoint_digest told[TOLD_MAX];
	size_t n;
	uint64_t gave_way, packets_gone;
};

static struct heard h;

static void told(void *ctx, const struct endpoint_digest *digest)
{
	assert_ptr_equal(ctx, &h);
	if (digest->gave_way) {
		h.gave_way++;
		h.packets_gone += digest->packets_out + digest->packets_in;
	}
	if (h.n < TOLD_MAX)
		h.told[h.n++] = *digest;
}

static struct endpoint_table *table_new(size_t slots)
{
	struct endpoint_sink sink = {.told = told, .ctx = &h};
	struct endpoint_table *t;

	memset(&h, 0, sizeof h);
	assert_int_equal(endpoint_table_new(&t, slots, (uint64_t[]){3, 4}, &sink), 0);
	return t;
}

/* 10.0.0.1 is side a and this machine; `peer` is side b. */
static struct flow_entry flow_of(uint32_t peer, bool begun_here)
{
	struct flow_entry e = {
		.key = {.a = {{10, 0, 0, 1}},
			.port_a = 40000,
			.port_b = 443,
			.protocol = 6,
			.family = 4},
		.initiator = begun_here ? FLOW_INITIATOR_A : FLOW_INITIATOR_B,
		.a_local = true,
		.verdict = begun_here ? FLOWREC_UNEXPECTED_EGRESS : FLOWREC_UNEXPECTED_INBOUND,
		.outcome = FLOWREC_SENT,
	};

	e.key.b = (struct addr){{(uint8_t)(80 + (peer >> 24)), (uint8_t)(peer >> 16),
				 (uint8_t)(peer >> 8), (uint8_t)peer}};
	return e;
}

static void add(struct endpoint_table *t, struct flow_entry *e, unsigned dir, uint64_t packets,
		uint64_t start, uint64_t end, uint8_t outcome)
{
	struct flowrec rec = {
		.packets = packets, .bytes = packets * 100, .start = start, .end = end};

	e->outcome = outcome & 7U;
	endpoint_add(t, e, dir, &rec, 0);
}

/* All there is, in the order of the table. */
static void read_all(struct endpoint_table *t, enum endpoint_walk which, uint64_t now_s)
{
	h.n = 0;
	endpoint_walk(t, which, now_s);
	while (!endpoint_walk_on(t, 3, 2))
		;
}

static const struct endpoint_digest *digest_of(const struct flow_entry *e)
{
	static const struct endpoint_digest none = {.family = 0};
	const struct endpoint_digest *found = &none;

	for (size_t i = 0; i < h.n; i++)
		if (!h.told[i].gave_way &&
		    memcmp(&h.told[i].remote, &e->key.b, sizeof e->key.b) == 0)
			found = &h.told[i];
	return found;
}

/* Whose the packets are, which end is the remote one and which port counts, for each place of the two ends. */
static void sides(void **state)
{
	static const struct {
		bool a_local, b_local, from_b;
		/* what must come */
		bool remote_is_b, a_sends_out;
		uint16_t port;
		uint8_t direction;
	} rows[] = {
		{true, false, false, true, true, 443, FLOWREC_EGRESS},
		{false, true, true, false, false, 40000, FLOWREC_EGRESS},
		{true, false, true, true, true, 40000, FLOWREC_INGRESS},
		{false, true, false, false, false, 443, FLOWREC_INGRESS},
		{true, true, false, true, true, 443, FLOWREC_EGRESS},
		{true, true, true, false, false, 40000, FLOWREC_EGRESS},
		{false, false, false, true, true, 443, FLOWREC_DIRECTION_UNKNOWN},
		{false, false, true, false, false, 40000, FLOWREC_DIRECTION_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct endpoint_table *t = table_new(16);
		struct flow_entry e = flow_of(7, true);
		const struct endpoint_digest *d = h.told;

		e.initiator = rows[i].from_b ? FLOW_INITIATOR_B : FLOW_INITIATOR_A;
		e.a_local = rows[i].a_local;
		e.b_local = rows[i].b_local;
		assert_true(endpoint_open(t, &e, 1000));
		add(t, &e, 0, 3, 1000, 1010, FLOWREC_ANSWERED);
		add(t, &e, 1, 5, 990, 1020, FLOWREC_ANSWERED);
		read_all(t, ENDPOINT_ALL, 2000);
		assert_int_equal(h.n, 1);
		assert_memory_equal(&d->remote, rows[i].remote_is_b ? &e.key.b : &e.key.a,
				    sizeof d->remote);
		assert_int_equal(d->packets_out, rows[i].a_sends_out ? 3 : 5);
		assert_int_equal(d->bytes_out, rows[i].a_sends_out ? 300 : 500);
		assert_int_equal(d->packets_in, rows[i].a_sends_out ? 5 : 3);
		assert_int_equal(d->port, rows[i].port);
		assert_int_equal(d->direction, rows[i].direction);
		assert_int_equal(d->first, 990);
		assert_int_equal(d->last, 1020);
		assert_int_equal(d->flows, 1);
		assert_int_equal(d->outcome, FLOWREC_ANSWERED);
		endpoint_table_free(t);
	}
}

/* Another port, protocol, family or direction is another endpoint; another local port is not. */
static void what_is_one(void **state)
{
	struct endpoint_table *t = table_new(16);
	struct flow_entry e = flow_of(1, true), other;

	(void)state;
	e.verdict = FLOWREC_EXPECTED;
	e.rule = 4;
	assert_true(endpoint_open(t, &e, 1));
	other = e;
	other.key.port_a = 40001;
	other.verdict = FLOWREC_UNEXPECTED_EGRESS;
	other.rule = 0;
	assert_true(endpoint_open(t, &other, 1));
	assert_true(endpoint_open(t, &e, 1)); /* the graver verdict stays */
	read_all(t, ENDPOINT_ALL, 0);
	assert_int_equal(h.n, 1);
	assert_int_equal(h.told[0].flows, 3);
	assert_int_equal(h.told[0].verdict, FLOWREC_UNEXPECTED_EGRESS);
	assert_int_equal(h.told[0].rule, 0);
	other.key.port_b = 80;
	assert_true(endpoint_open(t, &other, 1));
	other.key.protocol = 17;
	assert_true(endpoint_open(t, &other, 1));
	other.key.family = 6;
	assert_true(endpoint_open(t, &other, 1));
	other.initiator = FLOW_INITIATOR_B;
	assert_true(endpoint_open(t, &other, 1));
	read_all(t, ENDPOINT_ALL, 0);
	assert_int_equal(h.n, 5);
	endpoint_table_free(t);
}

/* Three quarters for what this machine began, a quarter for peers: each full to the last, neither beyond. */
static void parts(void **state)
{
	struct endpoint_table *t = table_new(1000);
	struct endpoint_stats stats;

	(void)state;
	for (uint32_t i = 0; i < 2000; i++) {
		struct flow_entry out = flow_of(i, true), in = flow_of(i, false);

		assert_int_equal(endpoint_open(t, &in, 1) != 0, i < 250);
		assert_int_equal(endpoint_open(t, &out, 1) != 0, i < 750);
	}
	endpoint_stats(t, &stats);
	assert_int_equal(stats.kept, 1000);
	assert_int_equal(stats.slots, 1000);
	assert_int_equal(stats.gave_way, 0);
	assert_int_equal(stats.left_out, 1750 + 1250);
	endpoint_table_free(t);
}

/* One that answered takes the place of the oldest that did not; then none leaves any more. */
static void who_gives_way(void **state)
{
	enum { N = 96 }; /* of 128 slots, for what this machine began */
	struct endpoint_table *t = table_new(128);
	struct endpoint_stats stats;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		struct flow_entry e = flow_of(i, true);

		assert_true(endpoint_open(t, &e, 1));
		add(t, &e, 0, 2, 1, 1, i % 3 ? FLOWREC_UNANSWERED : FLOWREC_ANSWERED);
	}
	for (uint32_t i = 0; i < N; i++) {
		struct flow_entry e = flow_of(1000 + i, true);
		size_t before = h.n;

		assert_false(endpoint_open(t, &e, 2));
		add(t, &e, 0, 1, 2, 2, FLOWREC_REFUSED); /* no answer: nobody gives way */
		assert_int_equal(h.n, before);
		add(t, &e, 0, 1, 2, 2, FLOWREC_ANSWERED);
		if (i < N - N / 3) { /* of three in a row the first had answered */
			struct flow_entry gone = flow_of(i / 2 * 3 + 1 + i % 2, true);

			assert_int_equal(h.n, before + 1);
			assert_true(h.told[before].gave_way);
			assert_int_equal(h.told[before].packets_out, 2);
			assert_memory_equal(&h.told[before].remote, &gone.key.b, sizeof gone.key.b);
		} else {
			assert_int_equal(h.n, before);
		}
	}
	endpoint_stats(t, &stats);
	assert_int_equal(stats.gave_way, N - N / 3);
	assert_int_equal(stats.left_out, N);
	read_all(t, ENDPOINT_ALL, 10);
	assert_int_equal(h.n, N);
	for (size_t i = 0; i < h.n; i++)
		assert_int_equal(h.told[i].outcome, FLOWREC_ANSWERED);
	for (uint32_t i = 0; i < N; i += 3) {
		struct flow_entry e = flow_of(i, true);

		assert_int_equal(digest_of(&e)->family, 4);
	}
	endpoint_table_free(t);
}

/* A million destinations that nobody ever answers at, and as many peers that come in: the two real ones, spoken to before,
 * amid and after, are there at the end with every packet; so are the flood's totals, told or counted. */
static void a_flood_makes_it_forget_nobody(void **state)
{
	struct endpoint_table *t = table_new(1024);
	struct endpoint_stats stats;
	struct flow_entry early = flow_of(FLOOD + 1, true), late = flow_of(FLOOD + 2, true);
	uint64_t flood_packets = 0;

	(void)state;
	assert_true(endpoint_open(t, &early, 1));
	add(t, &early, 0, 5, 1, 2, FLOWREC_DATA_OUT);
	for (uint32_t i = 0; i < FLOOD; i++) {
		struct flow_entry out = flow_of(i, true), in = flow_of(i, false);

		if (endpoint_open(t, &out, 10))
			flood_packets++;
		add(t, &out, 0, 1, 10, 10, FLOWREC_UNANSWERED);
		(void)endpoint_open(t, &in, 10);
		add(t, &in, 1, 1, 10, 10, FLOWREC_UNANSWERED);
		if (i == FLOOD / 2) {
			add(t, &early, 1, 7, 500, 501, FLOWREC_DATA_OUT);
			assert_false(endpoint_open(t, &late, 500));
			add(t, &late, 0, 1, 500, 500, FLOWREC_ANSWERED);
		}
	}
	add(t, &early, 0, 1, 900, 901, FLOWREC_DATA_OUT);
	add(t, &late, 1, 2, 900, 902, FLOWREC_ANSWERED);
	assert_int_equal(h.gave_way, 1);
	assert_int_equal(h.packets_gone, 1);
	read_all(t, ENDPOINT_ALL, 1000);
	assert_int_equal(h.n, 1024);
	assert_int_equal(digest_of(&early)->family, 4);
	assert_int_equal(digest_of(&early)->packets_out, 6);
	assert_int_equal(digest_of(&early)->packets_in, 7);
	assert_int_equal(digest_of(&early)->last, 901);
	assert_int_equal(digest_of(&late)->family, 4);
	assert_int_equal(digest_of(&late)->packets_out, 1);
	assert_int_equal(digest_of(&late)->packets_in, 2);
	assert_int_equal(flood_packets, 768 - 1);
	endpoint_stats(t, &stats);
	assert_int_equal(stats.left_out, FLOOD - flood_packets + FLOOD - 256 + 1);
	endpoint_table_free(t);
}

/* What each walk tells, and when silence becomes "unanswered". */
static void walks(void **state)
{
	struct endpoint_table *t = table_new(64);
	struct flow_entry one = flow_of(1, true), two = flow_of(2, true);

	(void)state;
	assert_true(endpoint_open(t, &one, 100));
	read_all(t, ENDPOINT_NEWS, 100);
	assert_int_equal(h.n, 0); /* its first record comes */
	add(t, &one, 0, 4, 100, 100, FLOWREC_SENT);
	assert_true(endpoint_open(t, &two, 100));
	add(t, &two, 0, 1, 100, 100, FLOWREC_ANSWERED);
	read_all(t, ENDPOINT_NEWS, 104);
	assert_int_equal(h.n, 2);
	assert_int_equal(digest_of(&one)->outcome, FLOWREC_SENT);
	read_all(t, ENDPOINT_NEWS, 104);
	assert_int_equal(h.n, 0);
	add(t, &one, 0, 3, 101, 101, FLOWREC_SENT); /* 7 packets: not doubled */
	read_all(t, ENDPOINT_NEWS, 105);
	assert_int_equal(h.n, 0);
	add(t, &one, 0, 1, 101, 101, FLOWREC_SENT);
	read_all(t, ENDPOINT_NEWS, 106);
	assert_int_equal(h.n, 1);
	assert_int_equal(h.told[0].packets_out, 8);
	assert_int_equal(h.told[0].outcome, FLOWREC_UNANSWERED);
	add(t, &two, 1, 1, 102, 102, FLOWREC_DATA_OUT); /* further */
	read_all(t, ENDPOINT_NEWS, 200);
	assert_int_equal(h.n, 1);
	assert_int_equal(h.told[0].outcome, FLOWREC_DATA_OUT);
	add(t, &two, 1, 1, 103, 103, FLOWREC_ANSWERED); /* what it reached stays */
	read_all(t, ENDPOINT_NEWS, 200);
	assert_int_equal(h.n, 0);
	read_all(t, ENDPOINT_REST, 200);
	assert_int_equal(h.n, 1);
	assert_int_equal(h.told[0].packets_in, 2);
	assert_int_equal(h.told[0].outcome, FLOWREC_DATA_OUT);
	read_all(t, ENDPOINT_REST, 200);
	assert_int_equal(h.n, 0);
	read_all(t, ENDPOINT_ALL, 200);
	assert_int_equal(h.n, 2);
	endpoint_table_free(t);
}

/* A mark finds its endpoint, and nobody else's when another took the place. */
static void a_mark_may_be_out_of_date(void **state)
{
	struct endpoint_table *t = table_new(4); /* three for what this machine began */
	struct flow_entry first = flow_of(1, true), other = flow_of(2, true),
			  third = flow_of(3, true);
	struct flow_entry late = flow_of(4, true);
	struct flowrec rec = {.packets = 1, .start = 5, .end = 5};
	uint32_t mark = endpoint_open(t, &first, 1);

	(void)state;
	assert_int_not_equal(mark, 0);
	assert_int_not_equal(endpoint_open(t, &other, 1), 0);
	assert_int_not_equal(endpoint_open(t, &third, 1), 0);
	endpoint_add(t, &first, 0, &rec, mark);
	read_all(t, ENDPOINT_ALL, 5);
	assert_int_equal(digest_of(&first)->packets_out, 1);
	add(t, &late, 0, 2, 5, 5, FLOWREC_ANSWERED); /* in the first one's place */
	h.n = 0;
	first.outcome = FLOWREC_UNANSWERED;
	endpoint_add(t, &first, 0, &rec, mark); /* lost, and its flow was counted as begun */
	first.outcome = FLOWREC_ANSWERED;
	endpoint_add(t, &first, 0, &rec, mark); /* in the second one's place */
	read_all(t, ENDPOINT_ALL, 5);
	assert_int_equal(digest_of(&late)->packets_out, 2);
	assert_int_equal(digest_of(&first)->packets_out, 1);
	assert_int_equal(digest_of(&other)->family, 0);
	endpoint_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sides),
		cmocka_unit_test(what_is_one),
		cmocka_unit_test(parts),
		cmocka_unit_test(who_gives_way),
		cmocka_unit_test(a_flood_makes_it_forget_nobody),
		cmocka_unit_test(walks),
		cmocka_unit_test(a_mark_may_be_out_of_date),
	};

	return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
