// SPDX-License-Identifier: Apache-2.0
/*
 * Open addressing over 64-bit hashes of the tuple under a random key: a false hit takes 2^32 flows.
 */
#include "evidence/flowset.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "platform/crypto.h"
#include "platform/hash.h"

struct flowset {
	uint64_t *slots; /* 0: empty */
	size_t cap, n;   /* cap: a power of two */
	uint64_t key[2];
};

enum { SLOTS = 1024 };

int flowset_new(struct flowset **ret)
{
	struct flowset *set = calloc(1, sizeof *set);

	*ret = set;
	if (!set)
		return -ENOMEM;
	set->cap = SLOTS;
	set->slots = calloc(set->cap, sizeof *set->slots);
	crypto_random(set->key, sizeof set->key);
	return set->slots ? 0 : -ENOMEM;
}

void flowset_free(struct flowset *set)
{
	if (set)
		free(set->slots);
	free(set);
}

static uint64_t hash_of(const struct flowset *set, uint32_t owner, const struct flowrec *rec)
{
	int order = memcmp(&rec->src, &rec->dst, sizeof rec->src);
	bool turned = order > 0 || (order == 0 && rec->srcport > rec->dstport);
	uint64_t words[5], hash;

	memcpy(&words[0], turned ? &rec->dst : &rec->src, sizeof rec->src);
	memcpy(&words[2], turned ? &rec->src : &rec->dst, sizeof rec->src);
	words[4] = (uint64_t)(turned ? rec->dstport : rec->srcport) << 48 |
		   (uint64_t)(turned ? rec->srcport : rec->dstport) << 32 |
		   (uint64_t)(owner & 0xfffff) << 12 | (uint64_t)(rec->iface & 0xf) << 8 |
		   rec->family;
	hash = hash_sip13(set->key, words, 5);
	return hash ? hash : 1;
}

/* True if it was there; else puts it into the empty slot. */
static bool put(uint64_t *slots, size_t cap, uint64_t hash)
{
	size_t i = (size_t)hash & (cap - 1);

	for (; slots[i]; i = (i + 1) & (cap - 1)) {
		if (slots[i] == hash)
			return true;
	}
	slots[i] = hash;
	return false;
}

static int grow(struct flowset *set)
{
	uint64_t *more = calloc(2 * set->cap, sizeof *more);

	if (!more)
		return -ENOMEM;
	for (size_t i = 0; i < set->cap; i++) {
		if (set->slots[i])
			(void)put(more, 2 * set->cap, set->slots[i]);
	}
	free(set->slots);
	set->slots = more;
	set->cap *= 2;
	return 0;
}

int flowset_add(struct flowset *set, uint32_t owner, const struct flowrec *rec)
{
	if (2 * set->n >= set->cap && grow(set) < 0)
		return -ENOMEM;
	if (put(set->slots, set->cap, hash_of(set, owner, rec)))
		return 0;
	set->n++;
	return 1;
}
