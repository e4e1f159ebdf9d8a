// SPDX-License-Identifier: Apache-2.0
/*
 * Open addressing: slots of indices into an array of items.
 */
#include "evidence/table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "platform/crypto.h"
#include "platform/hash.h"

enum { FIRST = 64, KEY_WORDS_MAX = 40 };

struct table {
	uint64_t key[2];
	size_t size, key_size, max;
	size_t n, cap;
	uint8_t *items;
	uint32_t *slots; /* index + 1; 0: empty */
	size_t n_slots;  /* a power of two, at least twice `cap` */
	uint64_t left_out;
};

int table_new(struct table **ret, size_t size, size_t key_size, size_t max)
{
	struct table *t = calloc(1, sizeof *t);

	if (!t)
		return -ENOMEM;
	crypto_random(t->key, sizeof t->key);
	t->size = size;
	t->key_size = key_size;
	t->max = max;
	*ret = t;
	return 0;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	free(t->items);
	free(t->slots);
	free(t);
}

void *table_at(const struct table *t, size_t index)
{
	return t->items + index * t->size;
}

size_t table_index(const struct table *t, const void *item)
{
	return (size_t)((const uint8_t *)item - t->items) / t->size;
}

/* The slot that holds the item, or the empty one where it would go. */
static uint32_t *slot_of(const struct table *t, const void *item)
{
	uint64_t words[KEY_WORDS_MAX];
	size_t mask = t->n_slots - 1, at;

	memcpy(words, item, t->key_size);
	at = (size_t)hash_sip13(t->key, words, t->key_size / sizeof words[0]) & mask;
	while (t->slots[at] && memcmp(table_at(t, t->slots[at] - 1), item, t->key_size) != 0)
		at = (at + 1) & mask;
	return &t->slots[at];
}

static int grow(struct table *t)
{
	size_t cap = t->cap ? 2 * t->cap : FIRST;
	uint8_t *items;
	uint32_t *slots;

	if (cap > t->max)
		cap = t->max;
	items = reallocarray(t->items, cap, t->size);
	if (!items)
		return -ENOMEM;
	t->items = items;
	if (t->n_slots < 2 * cap) {
		size_t n_slots = t->n_slots ? t->n_slots : 2 * FIRST;

		while (n_slots < 2 * cap)
			n_slots *= 2;
		slots = calloc(n_slots, sizeof *slots);
		if (!slots)
			return -ENOMEM;
		free(t->slots);
		t->slots = slots;
		t->n_slots = n_slots;
		for (size_t i = 0; i < t->n; i++)
			*slot_of(t, table_at(t, i)) = (uint32_t)i + 1;
	}
	t->cap = cap;
	return 0;
}

void *table_find(const struct table *t, const void *item)
{
	uint32_t *slot = t->n ? slot_of(t, item) : NULL;

	return slot && *slot ? table_at(t, *slot - 1) : NULL;
}

int table_take(struct table *t, const void *item, void **ret)
{
	uint32_t *slot;

	*ret = table_find(t, item);
	if (*ret)
		return 0;
	if (t->n == t->max) {
		t->left_out++;
		return 0;
	}
	if (t->n == t->cap) {
		int rc = grow(t);

		if (rc < 0)
			return rc;
	}
	slot = slot_of(t, item);
	*ret = table_at(t, t->n);
	memcpy(*ret, item, t->size);
	*slot = (uint32_t)++t->n;
	return 0;
}

size_t table_count(const struct table *t)
{
	return t->n;
}

uint64_t table_left_out(const struct table *t)
{
	return t->left_out;
}

size_t table_memory(size_t size, size_t max)
{
	size_t n_slots = 2 * FIRST;

	while (n_slots < 2 * max)
		n_slots *= 2;
	return sizeof(struct table) + max * size + n_slots * sizeof(uint32_t);
}
