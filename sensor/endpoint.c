// SPDX-License-Identifier: Apache-2.0
/*
 * endpoint: an array of digests in the order in which they came, chained by a keyed hash.
 *
 *   slots    | what this machine began: 3/4 ........ | all else: 1/4 .... |
 *   buckets  index + 1 of a chain's first slot; 0: none
 *
 * Nothing ever leaves but to be replaced by an endpoint that answered, and none that answered leaves.
 * So in a full part all that lies before its `weakest` has answered, for good: looking for who gives
 * way goes through the part once in a run.
 */
#include "sensor/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/bytes.h"
#include "platform/hash.h"

/* Of the secret: one more than the words that are hashed, an address and one. */
enum { SECRET = 6 };

/* A look-up touches its first 32 bytes. */
struct slot {
	uint32_t next;    /* index + 1 of the next in the chain; 0: none */
	uint8_t told;     /* bits that its packets had when it was told; 0: never */
	bool is_news;     /* see enum endpoint_walk */
	bool has_changed; /* since it was told */
	struct endpoint_digest digest;
};

struct part {
	uint32_t begin, used, size; /* slots */
	uint32_t weakest;           /* none below it gives way */
};

struct endpoint_table {
	struct endpoint_sink sink;
	uint64_t secret[SECRET];
	struct part parts[2]; /* what this machine began; all else */
	struct endpoint_stats stats;
	uint32_t at; /* of the walk */
	uint8_t walk;
	uint64_t now_s;
	size_t mask;
	uint32_t *buckets;
	struct slot slots[];
};

static size_t buckets_for(size_t slots)
{
	size_t n = 16;

	while (n < slots)
		n *= 2;
	return n;
}

size_t endpoint_memory(size_t slots)
{
	return sizeof(struct endpoint_table) + slots * sizeof(struct slot) +
	       buckets_for(slots) * sizeof(uint32_t);
}

int endpoint_table_new(struct endpoint_table **ret, size_t slots, const uint64_t key[static 2],
		       const struct endpoint_sink *sink)
{
	struct endpoint_table *t = calloc(1, endpoint_memory(slots));
	uint32_t others = (uint32_t)(slots / 4);

	if (!t)
		return -ENOMEM;
	t->sink = *sink;
	for (uint64_t i = 0; i < SECRET; i++)
		t->secret[i] = hash_sip13(key, &i, 1);
	t->parts[0] = (struct part){.size = (uint32_t)slots - others};
	t->parts[1] = (struct part){.begin = (uint32_t)slots - others, .size = others};
	t->stats.slots = slots;
	t->mask = buckets_for(slots) - 1;
	t->buckets = (uint32_t *)(t->slots + slots);
	t->at = UINT32_MAX;
	*ret = t;
	return 0;
}

void endpoint_table_free(struct endpoint_table *t)
{
	free(t);
}

/* ---- looking up ---- */

/* An endpoint as it stands in a flow: the remote end's address and the responder's port. */
struct view {
	const struct addr *remote;
	uint16_t port;
	uint8_t protocol, family;
	uint8_t direction; /* enum flowrec_direction */
};

/* Begun by side b or not; `out`: the initiator is local; `in`: the responder is. Without a branch: which side began is a coin toss. */
static struct view view_of(const struct flow_key *k, bool from_b, bool out, bool in)
{
	const struct addr *const side[2] = {&k->a, &k->b};
	const uint16_t port[2] = {k->port_b, k->port_a};

	return (struct view){
		.remote = side[from_b ^ (out | !in)],
		.port = port[from_b],
		.protocol = k->protocol,
		.family = k->family,
		.direction = (uint8_t)(out * FLOWREC_EGRESS | (in & !out) * FLOWREC_INGRESS),
	};
}
_Static_assert(FLOWREC_DIRECTION_UNKNOWN == 0, "neither in nor out");

static struct view view_of_entry(const struct flow_entry *e)
{
	bool from_b = e->initiator == FLOW_INITIATOR_B;

	return view_of(&e->key, from_b, from_b ? e->b_local : e->a_local,
		       from_b ? e->a_local : e->b_local);
}

static void put_view(struct endpoint_digest *ret, const struct view *v)
{
	*ret = (struct endpoint_digest){.remote = *v->remote,
					.port = v->port,
					.family = v->family,
					.protocol = v->protocol,
					.direction = v->direction};
}

void endpoint_key(const struct flow_entry *e, struct endpoint_digest *ret)
{
	const struct view v = view_of_entry(e);

	put_view(ret, &v);
}

/* MULTILINEAR, as the flow table's (sensor/flow.c says why). Both directions lie in one chain. */
static uint32_t *bucket_of(const struct endpoint_table *t, const struct view *v)
{
	uint64_t rest = (uint64_t)v->port << 16 | (uint64_t)v->protocol << 8 | v->family;
	uint64_t sum = t->secret[0] + t->secret[1] * rest;

	for (unsigned i = 0; i < (v->family == 4 ? 1 : 4); i++)
		sum += t->secret[2 + i] * be32(v->remote->b + (size_t)4 * i);
	return t->buckets + (sum >> 32 & t->mask);
}

static bool is_same(const struct endpoint_digest *d, const struct view *v)
{
	return d->port == v->port && d->protocol == v->protocol && d->family == v->family &&
	       d->direction == v->direction &&
	       !((be64(d->remote.b) ^ be64(v->remote->b)) |
		 (be64(d->remote.b + 8) ^ be64(v->remote->b + 8)));
}

static struct slot *find(struct endpoint_table *t, const struct view *v, const uint32_t *bucket)
{
	for (uint32_t i = *bucket; i; i = t->slots[i - 1].next)
		if (is_same(&t->slots[i - 1].digest, v))
			return &t->slots[i - 1];
	return NULL;
}

/* ---- who is kept ---- */

static bool has_answered(const struct endpoint_digest *d)
{
	return d->outcome >= FLOWREC_ANSWERED;
}

/* A flow that was cut short left it open whether an answer comes. */
static void settle(struct endpoint_digest *d, uint64_t now_s)
{
	if (d->outcome == FLOWREC_SENT && d->last + FLOWREC_PATIENCE_S <= now_s)
		d->outcome = FLOWREC_UNANSWERED;
}

/* Out of its chain, and told a last time. */
static void give_way(struct endpoint_table *t, struct slot *s, uint64_t now_s)
{
	const struct endpoint_digest *d = &s->digest;
	const struct view v = {.remote = &d->remote,
			       .port = d->port,
			       .protocol = d->protocol,
			       .family = d->family};
	uint32_t index = (uint32_t)(s - t->slots) + 1, *link = bucket_of(t, &v);

	while (*link != index)
		link = &t->slots[*link - 1].next;
	*link = s->next;
	t->stats.gave_way++;
	s->digest.gave_way = true;
	settle(&s->digest, now_s);
	t->sink.told(t->sink.ctx, &s->digest);
}

/* Room for an endpoint, or NULL. */
static struct slot *place(struct endpoint_table *t, struct part *p, bool answered, uint64_t now_s)
{
	struct slot *s;

	if (p->used < p->size) {
		t->stats.kept++;
		return &t->slots[p->begin + p->used++];
	}
	if (!answered)
		return NULL;
	while (p->weakest < p->size && has_answered(&t->slots[p->begin + p->weakest].digest))
		p->weakest++;
	if (p->weakest == p->size)
		return NULL;
	s = &t->slots[p->begin + p->weakest++];
	give_way(t, s, now_s);
	return s;
}

/* The endpoint of this flow; NULL when there is no room for it, which is counted. */
static struct slot *take(struct endpoint_table *t, const struct flow_entry *e, uint64_t sec,
			 unsigned outcome, uint32_t mark)
{
	const struct view v = view_of_entry(e);
	uint32_t *bucket;
	struct slot *s;

	/* Another may have taken its place since. */
	if (mark && is_same(&t->slots[mark - 1].digest, &v))
		return &t->slots[mark - 1];
	bucket = bucket_of(t, &v);
	s = find(t, &v, bucket);
	if (s)
		return s;
	s = place(t, &t->parts[v.direction != FLOWREC_EGRESS], outcome >= FLOWREC_ANSWERED, sec);
	if (!s)
		return NULL;
	*s = (struct slot){.next = *bucket};
	put_view(&s->digest, &v);
	s->digest.first = s->digest.last = sec;
	*bucket = (uint32_t)(s - t->slots) + 1;
	return s;
}

/* ---- looking ahead ---- */

static void fetch(const struct slot *s)
{
	__builtin_prefetch(s, 1);
	__builtin_prefetch((const char *)(s + 1) - 1, 1);
}

const uint32_t *endpoint_ask(const struct endpoint_table *t, const struct flow_key *k, bool from_b,
			     bool out, bool in)
{
	const struct view v = view_of(k, from_b, out, in);
	const uint32_t *bucket = bucket_of(t, &v);

	__builtin_prefetch(bucket);
	return bucket;
}

void endpoint_fetch(const struct endpoint_table *t, uint32_t mark)
{
	if (mark)
		fetch(&t->slots[mark - 1]);
}

/* ---- filling ---- */

/* What the flow's judgement and outcome add. The graver verdict stands: their numbers rise with it. */
static void judge(struct slot *s, const struct flow_entry *e, uint8_t outcome)
{
	struct endpoint_digest *d = &s->digest;

	if (outcome > d->outcome) {
		d->outcome = outcome;
		s->is_news = true;
	}
	if (e->verdict > d->verdict) {
		s->is_news = true;
		d->verdict = e->verdict;
		d->rule = e->rule;
	}
	s->has_changed = true;
}

uint32_t endpoint_open(struct endpoint_table *t, const struct flow_entry *e, uint64_t sec)
{
	struct slot *s = take(t, e, sec, FLOWREC_SENT, 0);

	if (!s) {
		t->stats.left_out++;
		return 0;
	}
	s->digest.flows++;
	judge(s, e, FLOWREC_SENT);
	return (uint32_t)(s - t->slots) + 1;
}

void endpoint_add(struct endpoint_table *t, const struct flow_entry *e, unsigned dir,
		  const struct flowrec *rec, uint32_t mark)
{
	/* Sent by this machine, or by the initiator when both ends or none are this machine's. */
	bool from_initiator = (e->initiator == FLOW_INITIATOR_B) == (dir == 1);
	bool begun_here = e->initiator == FLOW_INITIATOR_B ? e->b_local : e->a_local;
	bool begun_there = !begun_here && (e->a_local || e->b_local);
	struct slot *s = take(t, e, rec->start, e->outcome, mark);
	struct endpoint_digest *d;

	if (!s)
		return;
	d = &s->digest;
	if (d->flows == 0) /* it found no room when it began */
		d->flows = 1;
	if (from_initiator != begun_there) {
		d->packets_out += rec->packets;
		d->bytes_out += rec->bytes;
	} else {
		d->packets_in += rec->packets;
		d->bytes_in += rec->bytes;
	}
	if (rec->start < d->first)
		d->first = rec->start;
	if (rec->end > d->last)
		d->last = rec->end;
	judge(s, e, e->outcome);
}

/* ---- telling ---- */

static unsigned bits_of(const struct endpoint_digest *d)
{
	uint64_t packets = d->packets_out + d->packets_in;

	return packets ? 64 - (unsigned)__builtin_clzll(packets) : 0;
}

static bool is_due(const struct endpoint_table *t, const struct slot *s)
{
	switch ((enum endpoint_walk)t->walk) {
	case ENDPOINT_ALL: return true;
	case ENDPOINT_REST: return s->has_changed;
	case ENDPOINT_NEWS: break;
	}
	/* Of a flow that just began the first record will tell. */
	return bits_of(&s->digest) > s->told || (s->is_news && bits_of(&s->digest) > 0);
}

void endpoint_walk(struct endpoint_table *t, enum endpoint_walk which, uint64_t now_s)
{
	t->at = 0;
	t->walk = (uint8_t)which;
	t->now_s = now_s;
}

bool endpoint_walk_on(struct endpoint_table *t, size_t look, size_t tell)
{
	for (; t->at < t->stats.slots && look && tell; t->at++, look--) {
		const struct part *p = &t->parts[t->at >= t->parts[1].begin];
		struct slot *s = &t->slots[t->at];

		if (t->at >= p->begin + p->used)
			continue;
		settle(&s->digest, t->now_s);
		if (!is_due(t, s))
			continue;
		t->sink.told(t->sink.ctx, &s->digest);
		s->told = (uint8_t)bits_of(&s->digest);
		s->is_news = s->has_changed = false;
		tell--;
	}
	return t->at >= t->stats.slots;
}

void endpoint_stats(const struct endpoint_table *t, struct endpoint_stats *ret)
{
	*ret = t->stats;
}
