// SPDX-License-Identifier: Apache-2.0
/*
 * flow: the table.
 *
 * One allocation:
 *
 *   sets     | tags 2 x 8 | seen 2 x 8 | marks 4 x 8 | ...   a lookup touches this line and then, almost
 *   entries  | 80 x 8 | ...                    always, one entry
 *   order    ring of (slot, direction) in the order of first packets; 2 x slots numbers, so 8
 *            bytes a slot
 *
 * A direction is pushed on the ring when its first packet of a window comes, unless it is on it still.
 * Closing a window remembers the ring's end; sweeping takes from the head up to there. What is popped
 * may be empty (it was emitted since, as stale or evicted: it is skipped) or early (a packet of the next
 * window came before this one was closed: it is pushed again).
 */
#include "sensor/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "platform/hash.h"
#include "sensor/flow_began.h"

_Static_assert(sizeof(struct flow_key) == 38, "no padding: keys are compared as bytes");
_Static_assert(sizeof(struct flow_entry) == 80, "an entry is 80 bytes: see FLOW_SLOT_BYTES");
_Static_assert(sizeof(struct flow_entry) + 3 * sizeof(uint32_t) + 2 * sizeof(uint16_t) ==
		       FLOW_SLOT_BYTES,
	       "what a slot costs all told");

enum {
	TCP = 6,
	UDP = 17,
	SYN = 2,
	RST = 4,
	SYN_ACK = 18,
	/* Words of the secret: one more than the most that is hashed, two addresses and two. */
	FLOW_SECRET = 11,
	A_FEW = 3, /* empty ways that let a new flow stay in its first set */
};

/* What a lookup touches first, and a choice of whom to evict touches only. */
struct set {
	uint16_t tags[FLOW_WAYS]; /* 0: empty */
	uint16_t seen[FLOW_WAYS]; /* low bits of the second of the last packet */
	uint32_t mark[FLOW_WAYS]; /* the sink's */
};

struct flow_table {
	void *block; /* as allocated */
	struct set *sets;
	struct flow_entry *entries;
	uint32_t *order; /* slot << 1 | direction */
	size_t slots, set_mask, order_mask;
	uint64_t head, tail,
		boundary; /* positions on the ring; the index is position & order_mask */
	uint32_t before;  /* windows below are closed */
	uint64_t until_s; /* what is closed was watched up to here */
	unsigned window_s;
	bool by_direction;
	uint64_t secret[FLOW_SECRET];
	struct flow_sink sink;
	uint64_t reasons[FLOW_REASONS];
	struct began_table began;
	_Alignas(64) uint8_t memory[];
};

static size_t rounded(size_t slots)
{
	size_t n = 16;

	while (n < slots)
		n *= 2;
	return n;
}

/* The table is visited at random, and has more small pages than a processor remembers translations of. A wish: kernels
 * without huge pages go on with small ones. */
static void ask_for_huge_pages(const void *block, size_t len)
{
	const uintptr_t huge = 2 * 1024 * 1024;
	uintptr_t from = ((uintptr_t)block + huge - 1) & ~(huge - 1);
	uintptr_t to = ((uintptr_t)block + len) & ~(huge - 1);

	if (from < to)
		(void)madvise((void *)from, to - from, MADV_HUGEPAGE);
}

int flow_table_new(struct flow_table **ret, size_t slots, unsigned window_s,
		   const uint64_t key[static 2], bool by_direction, const struct flow_sink *sink)
{
	size_t n = rounded(slots);
	/* calloc() aligns to 16 bytes, a set and the table want 64. */
	void *block = calloc(1, flow_memory(slots));
	struct flow_table *t = (void *)(((uintptr_t)block + 63) & ~(uintptr_t)63);

	if (!block)
		return -ENOMEM;
	ask_for_huge_pages(block, flow_memory(slots));
	t->block = block;
	t->slots = n;
	t->set_mask = n / FLOW_WAYS - 1;
	t->order_mask = 2 * n - 1;
	t->window_s = window_s;
	t->by_direction = by_direction;
	t->sink = *sink;
	for (uint64_t i = 0; i < FLOW_SECRET; i++)
		t->secret[i] = hash_sip13(key, &i, 1);
	t->sets = (void *)t->memory;
	t->entries = (void *)(t->sets + n / FLOW_WAYS);
	t->order = (void *)(t->entries + n);
	*ret = t;
	return 0;
}

void flow_table_free(struct flow_table *t)
{
	if (t)
		free(t->block);
}

static uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

/* True when the source is side b. Any order will do as long as it is always the same one. */
static bool is_swapped(const struct decoded *d)
{
	uint64_t src = load64(d->src.b), dst = load64(d->dst.b);

	if (src != dst)
		return src > dst;
	src = load64(d->src.b + 8);
	dst = load64(d->dst.b + 8);
	if (src != dst)
		return src > dst;
	return d->srcport > d->dstport;
}

static uint64_t word(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

/* Strongly universal: whatever two flows somebody chooses without knowing the secret, they share a set by chance alone
 * (Lemire and Kaser, "Strongly universal string hashing is fast", 2014, MULTILINEAR: the upper half of a sum of
 * products). */
static uint32_t key_hash(const uint64_t secret[static FLOW_SECRET], const struct flow_key *k)
{
	uint64_t rest = (uint64_t)k->protocol << 8 | (uint64_t)k->iface << 4 | k->family;
	uint64_t sum = secret[0] + secret[1] * word(k->a.b) + secret[2] * word(k->b.b) +
		       secret[3] * word(&k->port_a) + secret[4] * rest;

	if (k->family == 6)
		for (unsigned i = 1; i < 4; i++)
			sum += secret[3 + 2 * i] * word(k->a.b + 4 * i) +
			       secret[4 + 2 * i] * word(k->b.b + 4 * i);
	return (uint32_t)(sum >> 32);
}

static uint64_t differ(const struct flow_key *x, const struct flow_key *y, size_t at)
{
	return load64((const uint8_t *)x + at) ^ load64((const uint8_t *)y + at);
}

/* Both keys as words, the last of which overlaps, without a branch: a call of memcmp() for 38 bytes costs more than
 * the compare. */
static inline bool key_equal(const struct flow_key *x, const struct flow_key *y)
{
	return !(differ(x, y, 0) | differ(x, y, 8) | differ(x, y, 16) | differ(x, y, 24) |
		 differ(x, y, sizeof *x - 8));
}

/* Half of both addresses, in their order or the other one: which side sends is a coin toss that no branch predictor wins. */
static inline void put_halves(const struct decoded *d, size_t at, uint64_t swapped,
			      struct flow_key *ret)
{
	uint64_t src = load64(d->src.b + at), dst = load64(d->dst.b + at);
	uint64_t exchange = (src ^ dst) & (0 - swapped);

	src ^= exchange;
	dst ^= exchange;
	memcpy(ret->a.b + at, &src, sizeof src);
	memcpy(ret->b.b + at, &dst, sizeof dst);
}

void flow_prepare(const struct decoded *d, uint8_t iface, uint32_t window, uint16_t offset,
		  struct flow_packet *ret)
{
	bool swapped = is_swapped(d);
	unsigned exchange = (d->srcport ^ d->dstport) & (0U - swapped);

	put_halves(d, 0, swapped, &ret->key);
	put_halves(d, 8, swapped, &ret->key);
	ret->key.port_a = (uint16_t)(d->srcport ^ exchange);
	ret->key.port_b = (uint16_t)(d->dstport ^ exchange);
	ret->key.protocol = d->protocol;
	ret->key.iface = iface & 15U;
	ret->key.family = d->family & 15U;
	ret->bytes = d->bytes;
	ret->packets = d->packets;
	ret->window = window;
	ret->offset = offset;
	ret->side = swapped;
	ret->tcp_flags = d->tcp_flags;
	ret->icmp_type = d->icmp_type;
	ret->icmp_code = d->icmp_code;
	ret->has_ports = d->has_ports;
	ret->has_icmp_type = d->has_icmp_type;
	ret->has_payload = d->has_payload;
	ret->is_own = false;
	ret->is_related = false;
}

static uint32_t *mark_of(const struct flow_table *t, const struct flow_entry *e)
{
	size_t slot = (size_t)(e - t->entries);

	return &t->sets[slot / FLOW_WAYS].mark[slot % FLOW_WAYS];
}

/* Writes out what the directions in `dirs` (bits) hold, and empties them. `until`: second of the
 * window up to which nothing that answers was overlooked. */
static void emit(struct flow_table *t, struct flow_entry *e, unsigned dirs, enum flow_reason reason,
		 unsigned until)
{
	const struct flow_dir *asked = &e->dir[e->initiator == FLOW_INITIATOR_B];
	uint32_t mark = *mark_of(t, e);

	if (e->outcome == FLOWREC_SENT && asked->packets &&
	    asked->first + (unsigned)FLOWREC_PATIENCE_S <= until)
		e->outcome = FLOWREC_UNANSWERED;
	for (unsigned d = 0; d < 2; d++) {
		if (!(dirs >> d & 1) || !e->dir[d].packets)
			continue;
		t->reasons[reason]++;
		t->sink.emit(t->sink.ctx, e, d, reason, mark);
		e->dir[d].packets = 0;
		e->dir[d].bytes = 0;
		e->tcp_flags[d] = 0;
	}
}

/* At most once for each slot and direction, so that the ring can never be full. */
static void push(struct flow_table *t, size_t slot, unsigned dir)
{
	struct flow_entry *e = t->entries + slot;

	if (e->queued >> dir & 1)
		return;
	e->queued = (e->queued | 1U << dir) & 3U;
	t->order[t->tail++ & t->order_mask] = (uint32_t)(slot << 1 | dir);
}

static bool by_initiator(const struct flow_entry *e, const struct flow_packet *p)
{
	return (e->initiator == FLOW_INITIATOR_B) == (p->side == 1);
}

/* How far the flow is after this packet. Any segment but a reset answers: of a connection that was
 * there before us no SYN-ACK is seen. */
static void climb(struct flow_entry *e, const struct flow_packet *p)
{
	if (by_initiator(e, p)) {
		if (e->outcome == FLOWREC_ANSWERED && p->has_payload)
			e->outcome = FLOWREC_DATA_OUT;
	} else if (e->outcome < FLOWREC_ANSWERED && !began_is_error(p)) {
		e->outcome = p->tcp_flags & RST ? FLOWREC_REFUSED : FLOWREC_ANSWERED;
	}
}

/* Unix seconds, low bits. */
static uint32_t second_of(const struct flow_table *t, const struct flow_packet *p)
{
	return p->window * t->window_s + p->offset;
}

/* What `seen` of a set holds after this packet. */
static uint16_t seen_at(const struct flow_table *t, const struct flow_packet *p)
{
	return (uint16_t)second_of(t, p);
}

static uint16_t last_offset(const struct flow_entry *e)
{
	return e->dir[0].last > e->dir[1].last ? e->dir[0].last : e->dir[1].last;
}

/* A new attempt on a known flow: a SYN on the same ports, an ICMP request from the other side, anything after errors only, or a
 * packet after a long silence. */
static bool is_attempt(const struct flow_table *t, const struct flow_entry *e,
		       const struct flow_packet *p)
{
	if (p->key.protocol == TCP)
		return p->has_ports && (p->tcp_flags & SYN_ACK) == SYN;
	if ((began_is_request(p) && !by_initiator(e, p)) ||
	    (flow_is_of_errors(e) && !p->is_related))
		return true;
	return e->window < p->window &&
	       (uint64_t)(p->window - e->window) * t->window_s + p->offset - last_offset(e) >
		       BEGAN_REOPEN_S;
}

/* A packet of a known flow, from the entry's window or another. Records that went out keep what was
 * true of them; an attempt from the other side makes it the initiator. */
static void turn(struct flow_table *t, struct flow_entry *e, const struct flow_packet *p)
{
	bool attempt = is_attempt(t, e, p);

	if (e->window != p->window) {
		emit(t, e, 3, FLOW_STALE, t->window_s);
		e->window = p->window;
		if (attempt)
			e->outcome = FLOWREC_SENT;
	}
	if (attempt && (e->initiator != began_by(p) || flow_is_of_errors(e))) {
		*mark_of(t, e) = t->sink.opened(t->sink.ctx, e, p, began_by(p));
		if (by_initiator(e, p))
			e->outcome = FLOWREC_SENT;
	}
}

/* Bit 15 of each 16-bit lane of `four` that equals `tag`. Exact in every lane: no carry leaves one. */
static uint64_t lanes_equal(uint64_t four, uint16_t tag)
{
	const uint64_t low = 0x7fff7fff7fff7fff;
	uint64_t x = four ^ 0x0001000100010001 * (uint64_t)tag;

	return ~(((x & low) + low) | x | low);
}

static uint16_t tag_of(uint32_t hash)
{
	return (uint16_t)(hash >> 16 | 1);
}

/* The ways whose tag fits, a bit each: bit 16 x lane of the first four, bit 16 x lane + 1 of the others. */
static uint64_t fitting(const struct set *set, uint16_t tag)
{
	uint64_t four[2];

	memcpy(four, set->tags, sizeof four);
	return lanes_equal(four[0], tag) >> 15 | lanes_equal(four[1], tag) >> 14;
}

/* How many these are; the processor's instruction for it is not in every x86-64, and a call costs more. */
static unsigned count_of(uint64_t bits)
{
	const uint64_t ones = 0x0001000100010001;

	return (unsigned)(((bits & ones) + (bits >> 1 & ones)) * ones >> 48);
}

static unsigned way_of(uint64_t bits)
{
	unsigned bit = (unsigned)__builtin_ctzll(bits), lane = bit / 16;

	return (bit & 1) * 4 + (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? lane : 3 - lane);
}

/* A flow lies in one of two sets, which follow from one another: with a choice between two, hardly any set is full before
 * the table is (Azar et al., "Balanced allocations", 1994). */
static size_t first_set(const struct flow_table *t, const struct flow_packet *p)
{
	return p->hash & t->set_mask;
}

static size_t other_set(const struct flow_table *t, size_t set, uint16_t tag)
{
	return set ^ ((tag * 0x9e37U >> 4 | 1) & t->set_mask);
}

/* The slot of this key, SIZE_MAX if there is none. */
static size_t find(const struct flow_table *t, const struct flow_packet *p)
{
	uint16_t tag = tag_of(p->hash);
	size_t set = first_set(t, p);

	for (unsigned turn = 0; turn < 2; turn++) {
		for (uint64_t ways = fitting(t->sets + set, tag); ways; ways &= ways - 1) {
			size_t slot = set * FLOW_WAYS + way_of(ways);

			if (key_equal(&t->entries[slot].key, &p->key))
				return slot;
		}
		set = other_set(t, set, tag);
	}
	return SIZE_MAX;
}

/*
 * Which of a set was seen longest ago, where a flow whose endpoint is remembered elsewhere counts as a window older: of
 * flows of one window these go first, so that a flood does not drive out the only trace of another. One whose window was
 * emitted is still older. Its age in seconds x 8 + 7 - way, so that the greatest wins without a branch.
 */
static unsigned oldest(const struct flow_table *t, const struct set *set, uint16_t now)
{
	unsigned best = 0;

	for (unsigned way = 0; way < FLOW_WAYS; way++) {
		unsigned age =
			(uint16_t)(now - set->seen[way]) + (set->mark[way] ? t->window_s : 0);
		unsigned rank = age * FLOW_WAYS + FLOW_WAYS - 1 - way;

		best = rank > best ? rank : best;
	}
	return best;
}

/* The slot that a new flow gets: an empty one of its two sets, of the first (which is looked at first) while that has a few,
 * then of the emptier one; else the oldest of both. */
static size_t victim(const struct flow_table *t, const struct flow_packet *p)
{
	size_t set = first_set(t, p), other = other_set(t, set, tag_of(p->hash));
	uint64_t empty = fitting(t->sets + set, 0), other_empty = fitting(t->sets + other, 0);
	unsigned n = count_of(empty), n_other = count_of(other_empty), rank, other_rank;

	if (n > A_FEW || (n && n >= n_other))
		return set * FLOW_WAYS + way_of(empty);
	if (n_other)
		return other * FLOW_WAYS + way_of(other_empty);
	rank = oldest(t, t->sets + set, seen_at(t, p));
	other_rank = oldest(t, t->sets + other, seen_at(t, p));
	if (other_rank / FLOW_WAYS > rank / FLOW_WAYS) {
		set = other;
		rank = other_rank;
	}
	return set * FLOW_WAYS + FLOW_WAYS - 1 - rank % FLOW_WAYS;
}

static uint16_t *tag_at(const struct flow_table *t, size_t slot)
{
	return t->sets[slot / FLOW_WAYS].tags + slot % FLOW_WAYS;
}

void flow_locate(const struct flow_table *t, struct flow_packet *packets, size_t n)
{
	for (struct flow_packet *p = packets; p < packets + n; p++) {
		p->hash = key_hash(t->secret, &p->key);
		__builtin_prefetch(t->sets + first_set(t, p));
		__builtin_prefetch(t->sets + other_set(t, first_set(t, p), tag_of(p->hash)));
	}
	for (struct flow_packet *p = packets; p < packets + n; p++) {
		uint16_t tag = tag_of(p->hash);
		size_t set = first_set(t, p);
		uint64_t ways = fitting(t->sets + set, tag);
		const char *entry;

		if (!ways) {
			set = other_set(t, set, tag);
			ways = fitting(t->sets + set, tag);
		}
		p->is_new = !ways;
		p->guess = (uint32_t)(ways ? set * FLOW_WAYS + way_of(ways) : victim(t, p));
		p->guess_tag = *tag_at(t, p->guess);
		p->guess_mark = ways ? 0 : *mark_of(t, t->entries + p->guess);
		entry = (const char *)(t->entries + p->guess);
		__builtin_prefetch(entry, 1);
		__builtin_prefetch(entry + sizeof(struct flow_entry) - 1, 1);
	}
}

/* The slot of a flow that is not in the table, after whoever was there is written out. */
static size_t insert(struct flow_table *t, const struct flow_packet *p)
{
	uint16_t *tag = tag_at(t, p->guess);
	size_t slot = p->guess;

	/* The guess was another flow of the same tag, or somebody was faster. */
	if (*tag != p->guess_tag || *tag == tag_of(p->hash)) {
		slot = victim(t, p);
		tag = tag_at(t, slot);
	}
	if (*tag) {
		emit(t, t->entries + slot, 3,
		     *mark_of(t, t->entries + slot) ? FLOW_MERGED : FLOW_EVICTED,
		     t->entries[slot].window == p->window ? p->offset : t->window_s);
		if (began_is_told_once(t->entries[slot].key.protocol))
			began_keep(&t->began, key_hash(t->secret, &t->entries[slot].key),
				   (enum flow_initiator)t->entries[slot].initiator,
				   second_of(t, p));
	}
	*tag = tag_of(p->hash);
	t->entries[slot] = (struct flow_entry){.key = p->key,
					       .queued = t->entries[slot].queued,
					       .outcome = FLOWREC_SENT,
					       .window = p->window};
	*mark_of(t, t->entries + slot) = t->sink.opened(
		t->sink.ctx, t->entries + slot, p, began_before(&t->began, p, second_of(t, p)));
	return slot;
}

static void wake(const struct flow_table *t, const struct flow_entry *e,
		 const struct flow_packet *p)
{
	size_t slot = (size_t)(e - t->entries);
	uint16_t seen = t->sets[slot / FLOW_WAYS].seen[slot % FLOW_WAYS];
	uint16_t silence = (uint16_t)(seen_at(t, p) - seen);

	/* The highest are packets out of order. */
	if (silence >= FLOW_SILENCE_S && silence < 0xff00)
		t->sink.woke(t->sink.ctx, e, p, silence);
}

void flow_update(struct flow_table *t, const struct flow_packet *p)
{
	size_t slot = p->guess;
	struct flow_entry *e;
	struct flow_dir *d;

	/* No other slot holds a key that this one does; an empty one holds none. */
	if (!key_equal(&t->entries[slot].key, &p->key))
		slot = find(t, p);
	if (slot == SIZE_MAX) {
		slot = insert(t, p);
		e = t->entries + slot;
	} else {
		e = t->entries + slot;
		if (t->sink.woke)
			wake(t, e, p);
		turn(t, e, p);
	}
	if (e->outcome != FLOWREC_DATA_OUT)
		climb(e, p);
	t->sets[slot / FLOW_WAYS].seen[slot % FLOW_WAYS] = seen_at(t, p);
	d = &e->dir[p->side];
	if (d->packets > UINT32_MAX - p->packets || d->bytes + p->bytes < d->bytes)
		emit(t, e, 1U << p->side, FLOW_OVERFLOW, p->offset);
	if (!d->packets) {
		d->first = d->last = p->offset;
		push(t, slot, p->side);
	}
	d->packets += p->packets;
	d->bytes += p->bytes;
	if (p->offset < d->first)
		d->first = p->offset;
	if (p->offset > d->last)
		d->last = p->offset;
	e->tcp_flags[p->side] |= p->tcp_flags;
}

struct flow_entry *flow_lookup(struct flow_table *t, const struct flow_key *key)
{
	struct flow_packet p = {.key = *key, .hash = key_hash(t->secret, key)};
	size_t slot = find(t, &p);

	return slot == SIZE_MAX ? NULL : t->entries + slot;
}

bool flow_quoted(struct flow_table *t, const struct decoded *quoted, uint8_t iface, bool refuses)
{
	struct flow_packet p;
	struct flow_entry *e;

	flow_prepare(quoted, iface, 0, 0, &p);
	e = flow_lookup(t, &p.key);
	if (e && refuses && by_initiator(e, &p) && e->outcome < FLOWREC_REFUSED)
		e->outcome = FLOWREC_REFUSED;
	return e != NULL;
}

/* The second of the entry's closed window up to which it was watched. */
static unsigned watched(const struct flow_table *t, const struct flow_entry *e)
{
	uint64_t begin = (uint64_t)e->window * t->window_s;

	if (t->until_s <= begin)
		return 0;
	return t->until_s - begin < t->window_s ? (unsigned)(t->until_s - begin) : t->window_s;
}

void flow_close(struct flow_table *t, uint32_t before, uint64_t until_s)
{
	t->before = before;
	t->until_s = until_s;
	t->boundary = t->tail;
}

bool flow_sweep(struct flow_table *t, size_t max)
{
	for (; t->head < t->boundary && max; max--) {
		uint32_t item = t->order[t->head++ & t->order_mask];
		struct flow_entry *e = t->entries + (item >> 1);
		unsigned dir = item & 1;

		if (t->head + 4 < t->boundary)
			__builtin_prefetch(t->entries +
					   (t->order[(t->head + 4) & t->order_mask] >> 1));
		e->queued = e->queued & ~(1U << dir) & 3U;
		if (!e->dir[dir].packets)
			continue;
		if (e->window < t->before)
			emit(t, e, t->by_direction ? 1U << dir : 3, FLOW_WINDOW_CLOSED,
			     watched(t, e));
		else
			push(t, item >> 1, dir);
	}
	return t->head >= t->boundary;
}

uint64_t flow_live_packets(const struct flow_table *t, uint8_t iface)
{
	uint64_t sum = 0;

	for (size_t s = 0; s < t->slots; s++)
		if (t->entries[s].key.iface == iface)
			sum += (uint64_t)t->entries[s].dir[0].packets +
			       t->entries[s].dir[1].packets;
	return sum;
}

void flow_live_between(const struct flow_table *t, const struct endpoint *x,
		       const struct endpoint *y, struct flow_count ret[static 2])
{
	for (size_t slot = 0; slot < t->slots; slot++) {
		const struct flow_entry *e = t->entries + slot;
		const struct flow_key *k = &e->key;
		bool from_a = k->port_a == x->port && k->port_b == y->port &&
			      memcmp(&k->a, &x->addr, sizeof k->a) == 0 &&
			      memcmp(&k->b, &y->addr, sizeof k->b) == 0;
		bool from_b = k->port_b == x->port && k->port_a == y->port &&
			      memcmp(&k->b, &x->addr, sizeof k->b) == 0 &&
			      memcmp(&k->a, &y->addr, sizeof k->a) == 0;

		if (k->protocol != UDP || k->family != x->family || !(from_a || from_b))
			continue;
		for (unsigned d = 0; d < 2; d++) {
			ret[d ^ !from_a].packets += e->dir[d].packets;
			ret[d ^ !from_a].bytes += e->dir[d].bytes;
		}
	}
}

const uint64_t *flow_reasons(const struct flow_table *t)
{
	return t->reasons;
}

size_t flow_slots(const struct flow_table *t)
{
	return t->slots;
}

size_t flow_memory(size_t slots)
{
	return sizeof(struct flow_table) + 63 + rounded(slots) * FLOW_SLOT_BYTES;
}
