// SPDX-License-Identifier: Apache-2.0
/*
 * offload: see offload.h.
 *
 * The MSS of a flow lies in a table, at the place that a hash of the flow names: whoever comes later takes the
 * place, and the flow that was there is estimated by the MTU from then on. 32 KiB.
 */
#include "sensor/offload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/hash.h"

enum {
	TCP = 6,
	UDP = 17,
	SYN = 2,
	SYN_ACK = 18,
	IP4_HEADER = 20,
	IP6_HEADER = 40,
	TCP_HEADER = 20,
	LEAST_MSS = 48, /* Linux sends no smaller (tcp_min_snd_mss), whatever a peer says */
};

struct slot {
	uint32_t tag;
	uint16_t mss; /* 0: empty */
};

struct offload {
	uint64_t key[2];
	struct slot slots[OFFLOAD_SLOTS];
};

int offload_new(struct offload **ret, const uint64_t key[static 2])
{
	struct offload *o = calloc(1, sizeof *o);

	if (!o)
		return -ENOMEM;
	memcpy(o->key, key, sizeof o->key);
	*ret = o;
	return 0;
}

void offload_free(struct offload *o)
{
	free(o);
}

size_t offload_memory(void)
{
	return sizeof(struct offload);
}

/* The same in both directions. */
static uint64_t hash_of(const struct offload *o, const struct decoded *d)
{
	uint64_t src[2], dst[2], words[3];

	memcpy(src, d->src.b, sizeof src);
	memcpy(dst, d->dst.b, sizeof dst);
	words[0] = src[0] ^ dst[0];
	words[1] = src[1] ^ dst[1];
	words[2] = (uint64_t)(d->srcport ^ d->dstport) << 32 | ((uint32_t)d->srcport + d->dstport);
	return hash_sip13(o->key, words, 3);
}

static uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32);
}

/* A SYN begins the flow, its answer may lower what it announced. */
static void learn(struct offload *o, const struct decoded *d)
{
	uint64_t hash = hash_of(o, d);
	struct slot *slot = &o->slots[hash % OFFLOAD_SLOTS];
	uint16_t mss = d->mss < LEAST_MSS ? LEAST_MSS : d->mss;
	bool answer = (d->tcp_flags & SYN_ACK) == SYN_ACK;

	if (answer && slot->mss && slot->tag == tag_of(hash) && slot->mss < mss)
		mss = slot->mss;
	*slot = (struct slot){.tag = tag_of(hash), .mss = mss};
}

/* The longest IP packet of this flow on the wire. */
static uint32_t longest(const struct offload *o, const struct decoded *d, uint32_t mtu)
{
	uint32_t fixed = (d->family == 4 ? IP4_HEADER : IP6_HEADER) + TCP_HEADER;
	const struct slot *slot;
	uint64_t hash;

	if (d->protocol != TCP)
		return mtu;
	hash = hash_of(o, d);
	slot = &o->slots[hash % OFFLOAD_SLOTS];
	if (slot->mss && slot->tag == tag_of(hash) && slot->mss + fixed < mtu)
		return slot->mss + fixed;
	return mtu;
}

static uint32_t estimate(const struct offload *o, const struct decoded *d, uint32_t mtu)
{
	uint32_t most, piece;

	if ((d->protocol != TCP && d->protocol != UDP) || !d->header)
		return 1;
	most = longest(o, d, mtu ? mtu : OFFLOAD_MTU);
	if (d->bytes <= most || most <= d->header)
		return 1;
	piece = most - d->header;
	return (uint32_t)((d->bytes - d->header + piece - 1) / piece);
}

bool offload_correct(struct offload *o, enum wire_offload mode, uint32_t segments, uint32_t mtu,
		     struct decoded *d)
{
	uint32_t header = d->header;

	if (mode == WIRE_OFFLOAD_AS_IS)
		return mtu && d->bytes > mtu;
	if (d->mss)
		learn(o, d);
	if (mode == WIRE_OFFLOAD_ESTIMATE || segments == 0)
		segments = estimate(o, d, mtu);
	if (segments <= 1)
		return false;
	if (!header)
		header = d->family == 4 ? IP4_HEADER : IP6_HEADER;
	d->packets = segments;
	d->bytes += (uint64_t)(segments - 1) * header;
	return true;
}
