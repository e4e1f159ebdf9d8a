// SPDX-License-Identifier: Apache-2.0
/*
 * rhythm: a set-associative table. Times are tenths of a second since the first one, which lasts for 13 years.
 */
#include "sensor/rhythm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/hash.h"
#include "sensor/endpoint.h"

enum { TENTHS = 10, FEW = 3 };

struct slot {
	struct addr remote;
	uint32_t touched; /* last time its flows began or woke up */
	uint32_t times[BURST_TIMES];
	uint16_t port;
	uint16_t bursts; /* in all, as far as it counts; 0: empty */
	uint8_t protocol;
	uint8_t family : 4;
	uint8_t direction : 4;
	uint8_t waiting; /* times not told yet */
	bool was_told;
};

struct rhythm {
	struct rhythm_sink sink;
	uint64_t key[2];
	uint64_t begin; /* tenths of a second, Unix time; 0: none yet */
	size_t set_mask, at;
	struct rhythm_stats stats;
	struct slot slots[];
};

static size_t rounded(size_t slots)
{
	size_t n = RHYTHM_WAYS;

	while (n < slots)
		n *= 2;
	return n;
}

size_t rhythm_memory(size_t slots)
{
	return sizeof(struct rhythm) + rounded(slots) * sizeof(struct slot);
}

int rhythm_new(struct rhythm **ret, size_t slots, const uint64_t key[static 2],
	       const struct rhythm_sink *sink)
{
	struct rhythm *r = calloc(1, rhythm_memory(slots));

	if (!r)
		return -ENOMEM;
	r->sink = *sink;
	memcpy(r->key, key, sizeof r->key);
	r->stats.slots = rounded(slots);
	r->set_mask = r->stats.slots / RHYTHM_WAYS - 1;
	*ret = r;
	return 0;
}

void rhythm_free(struct rhythm *r)
{
	free(r);
}

static void tell(struct rhythm *r, struct slot *s)
{
	struct batch_burst burst = {.remote = s->remote,
				    .port = s->port,
				    .family = s->family,
				    .protocol = s->protocol,
				    .direction = s->direction,
				    .n = s->waiting};

	for (size_t i = 0; i < s->waiting; i++)
		burst.tenths[i] = r->begin + s->times[i];
	s->waiting = 0;
	s->was_told = true;
	r->sink.told(r->sink.ctx, &burst);
}

/* The slot of this endpoint, or the one that gives way to it. */
static struct slot *take(struct rhythm *r, const struct endpoint_digest *key)
{
	uint64_t words[3] = {0, 0,
			     (uint64_t)key->port << 24 | (uint64_t)key->protocol << 16 |
				     (uint64_t)key->family << 8 | key->direction};
	struct slot *set, *weakest;

	memcpy(words, key->remote.b, sizeof key->remote.b);
	set = r->slots + (hash_sip13(r->key, words, 3) & r->set_mask) * RHYTHM_WAYS;
	weakest = set;
	for (struct slot *s = set; s < set + RHYTHM_WAYS; s++) {
		if (s->bursts && s->port == key->port && s->protocol == key->protocol &&
		    s->family == key->family && s->direction == key->direction &&
		    memcmp(&s->remote, &key->remote, sizeof s->remote) == 0)
			return s;
		if (s->bursts < weakest->bursts ||
		    (s->bursts == weakest->bursts && s->touched < weakest->touched))
			weakest = s;
	}
	if (!weakest->bursts) {
		r->stats.kept++;
	} else {
		r->stats.gave_way++;
		if (weakest->was_told && weakest->waiting)
			tell(r, weakest);
		r->stats.lost += weakest->waiting;
	}
	*weakest = (struct slot){.remote = key->remote,
				 .port = key->port,
				 .protocol = key->protocol,
				 .family = key->family & 15U,
				 .direction = key->direction & 15U};
	return weakest;
}

void rhythm_note(struct rhythm *r, const struct flow_entry *entry, uint64_t tenths)
{
	struct endpoint_digest key;
	struct slot *s;
	uint32_t now;

	endpoint_key(entry, &key);
	if (key.direction == FLOWREC_INGRESS)
		return;
	if (!r->begin)
		r->begin = tenths;
	if (tenths < r->begin || tenths - r->begin > UINT32_MAX)
		return;
	now = (uint32_t)(tenths - r->begin);
	s = take(r, &key);
	if (!s->bursts || now >= s->touched + (uint64_t)RHYTHM_GAP_S * TENTHS) {
		s->times[s->waiting++] = now;
		s->bursts = (uint16_t)(s->bursts + (s->bursts < UINT16_MAX));
	}
	if (now > s->touched)
		s->touched = now;
	if (s->waiting == BURST_TIMES)
		tell(r, s);
}

void rhythm_walk_anew(struct rhythm *r)
{
	r->at = 0;
}

bool rhythm_walk(struct rhythm *r, size_t look, bool all)
{
	for (; look && r->at < r->stats.slots; look--, r->at++) {
		struct slot *s = &r->slots[r->at];

		if (s->waiting && (s->was_told ? all || s->waiting >= FEW : s->bursts >= FEW))
			tell(r, s);
	}
	if (r->at < r->stats.slots)
		return false;
	r->at = 0;
	return true;
}

void rhythm_stats(const struct rhythm *r, struct rhythm_stats *ret)
{
	*ret = r->stats;
}
