// SPDX-License-Identifier: Apache-2.0
/*
 * Open addressing, at most half full.
 */
#include "evidence/hashset.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "platform/crypto.h"
#include "platform/hash.h"

struct hashset {
	uint64_t *slots; /* 0: empty */
	size_t cap, n;   /* cap: a power of two */
	uint64_t key[2];
};

enum { SLOTS = 1024 };

int hashset_new(struct hashset **ret)
{
	struct hashset *set = calloc(1, sizeof *set);

	*ret = set;
	if (!set)
		return -ENOMEM;
	set->cap = SLOTS;
	set->slots = calloc(set->cap, sizeof *set->slots);
	crypto_random(set->key, sizeof set->key);
	return set->slots ? 0 : -ENOMEM;
}

void hashset_free(struct hashset *set)
{
	if (set)
		free(set->slots);
	free(set);
}

/* The slot that has the hash, or would take it. */
static uint64_t *find(uint64_t *slots, size_t cap, uint64_t hash)
{
	size_t i = (size_t)hash & (cap - 1);

	while (slots[i] && slots[i] != hash)
		i = (i + 1) & (cap - 1);
	return &slots[i];
}

static int grow(struct hashset *set)
{
	uint64_t *more = calloc(2 * set->cap, sizeof *more);

	if (!more)
		return -ENOMEM;
	for (size_t i = 0; i < set->cap; i++) {
		if (set->slots[i])
			*find(more, 2 * set->cap, set->slots[i]) = set->slots[i];
	}
	free(set->slots);
	set->slots = more;
	set->cap *= 2;
	return 0;
}

int hashset_add(struct hashset *set, const uint64_t *words, size_t n)
{
	uint64_t hash = hash_sip13(set->key, words, n), *slot;

	hash = hash ? hash : 1;
	if (2 * set->n >= set->cap && set->n < HASHSET_MAX && grow(set) < 0)
		return -ENOMEM;
	slot = find(set->slots, set->cap, hash);
	if (*slot || set->n == HASHSET_MAX)
		return 0;
	*slot = hash;
	set->n++;
	return 1;
}
