// SPDX-License-Identifier: Apache-2.0
/*
 * fragment: a set-associative table with a keyed hash, as sensor/alert.c is one.
 */
#include "sensor/fragment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/hash.h"

struct key {
	struct addr src, dst;
	uint32_t id;
	uint8_t protocol; /* IPv6: what the fragment header names, which later fragments repeat */
	uint8_t family;   /* 0: the slot is empty */
	uint16_t iface;
};

struct first {
	struct key key;
	uint64_t sec;
	uint16_t srcport, dstport;
	uint8_t protocol; /* of the transport header */
	bool has_ports;
};

_Static_assert(sizeof(struct key) == 40, "no padding: keys are compared as bytes");
_Static_assert(sizeof(struct first) == FRAGMENT_SLOT_BYTES, "what a slot costs");

struct fragment_table {
	struct first *firsts;
	size_t set_mask;
	uint64_t key[2];
	struct fragment_stats stats;
};

static size_t rounded(size_t slots)
{
	size_t n = FRAGMENT_WAYS;

	while (n < slots)
		n *= 2;
	return n;
}

size_t fragment_memory(size_t slots)
{
	return sizeof(struct fragment_table) + rounded(slots) * FRAGMENT_SLOT_BYTES;
}

int fragment_table_new(struct fragment_table **ret, size_t slots, const uint64_t key[static 2])
{
	struct fragment_table *t = calloc(1, sizeof *t);

	if (!t)
		return -ENOMEM;
	t->set_mask = rounded(slots) / FRAGMENT_WAYS - 1;
	memcpy(t->key, key, sizeof t->key);
	t->firsts = calloc(rounded(slots), sizeof *t->firsts);
	if (!t->firsts) {
		fragment_table_free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void fragment_table_free(struct fragment_table *t)
{
	if (!t)
		return;
	free(t->firsts);
	free(t);
}

/* Stamps may run backwards a little; a step of more is another time. */
static bool is_current(const struct first *f, uint64_t sec)
{
	return f->key.family && (sec > f->sec ? sec - f->sec : f->sec - sec) <= FRAGMENT_KEEP_S;
}

/* The way of this key, or, to remember another: one that nobody needs any more, else the oldest. */
static struct first *find(struct fragment_table *t, const struct key *key, uint64_t sec, bool room)
{
	uint64_t words[5];
	struct first *set, *best;

	memcpy(words, key, sizeof words);
	set = t->firsts + (hash_sip13(t->key, words, 5) & t->set_mask) * FRAGMENT_WAYS;
	best = set;
	for (struct first *f = set; f < set + FRAGMENT_WAYS; f++) {
		if (is_current(f, sec) && memcmp(&f->key, key, sizeof *key) == 0)
			return f;
		if (is_current(best, sec) && (!is_current(f, sec) || f->sec < best->sec))
			best = f;
	}
	if (!room)
		return NULL;
	t->stats.overflow += is_current(best, sec);
	return best;
}

void fragment_attribute(struct fragment_table *t, uint16_t iface, uint64_t sec, struct decoded *d)
{
	struct key key = {
		.src = d->src,
		.dst = d->dst,
		.id = d->fragment_id,
		.protocol = d->fragment_protocol,
		.family = d->family,
		.iface = iface,
	};
	struct first *f = find(t, &key, sec, d->fragment == DECODE_FRAGMENT_FIRST);

	if (!f) {
		t->stats.alone++;
	} else if (d->fragment == DECODE_FRAGMENT_FIRST) {
		*f = (struct first){
			.key = key,
			.sec = sec,
			.srcport = d->srcport,
			.dstport = d->dstport,
			.protocol = d->protocol,
			.has_ports = d->has_ports,
		};
		t->stats.first++;
	} else {
		d->srcport = f->srcport;
		d->dstport = f->dstport;
		d->protocol = f->protocol;
		d->has_ports = f->has_ports;
		t->stats.attributed++;
	}
}

const struct fragment_stats *fragment_stats(const struct fragment_table *t)
{
	return &t->stats;
}
