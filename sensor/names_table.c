// SPDX-License-Identifier: Apache-2.0
/*
 * names_table: a ring of entries, chained by a keyed hash of the address, newest first.
 *
 * Places are counted on and on; the index is place % size. Whatever lies further back than the ring is long is gone, and
 * a chain ends at the first link that does: so nothing is ever taken out of a chain.
 */
#include "sensor/names_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/hash.h"

struct entry {
	uint64_t before; /* place of the next in the chain; 0: none */
	struct addr remote;
	uint16_t size; /* bytes to the next entry */
	uint16_t port;
	uint8_t family : 4, scope : 4; /* see scope_of() */
	uint8_t protocol, source;
	bool moved; /* it is there once more, further on */
	char name[];
};

enum {
	LEAST = 4096,
	BYTES_A_BUCKET = 64,
	CHAIN_MAX =
		64, /* entries that are looked at: who gives one address thousands of names costs us no more */
};

struct name_table {
	uint64_t key[2];
	uint16_t apart;
	uint64_t tail, end; /* places of the oldest entry, and of the next one */
	size_t size;
	size_t buckets;
	struct name_table_stats stats;
	uint64_t *heads; /* places, 0: none */
	_Alignas(8) uint8_t ring[];
};

static size_t rounded(size_t bytes)
{
	size_t n = LEAST;

	while (n < bytes)
		n *= 2;
	return n;
}

size_t name_table_memory(size_t bytes)
{
	size_t size = rounded(bytes);

	return sizeof(struct name_table) + size + size / BYTES_A_BUCKET * sizeof(uint64_t);
}

int name_table_new(struct name_table **ret, size_t bytes, uint16_t apart,
		   const uint64_t key[static 2])
{
	size_t size = rounded(bytes);
	struct name_table *t = calloc(1, name_table_memory(bytes));

	if (!t)
		return -ENOMEM;
	memcpy(t->key, key, sizeof t->key);
	t->apart = apart;
	t->size = size;
	t->buckets = size / BYTES_A_BUCKET;
	t->heads = (uint64_t *)(void *)(t->ring + size);
	t->tail = t->end = size; /* no place is 0 */
	*ret = t;
	return 0;
}

void name_table_free(struct name_table *t)
{
	free(t);
}

static struct entry *at(const struct name_table *t, uint64_t place)
{
	return (struct entry *)(uintptr_t)(t->ring + place % t->size);
}

/* Interfaces that share their names have the same. */
static unsigned scope_of(const struct name_table *t, uint16_t iface)
{
	return iface < t->apart ? 0 : iface & 15U;
}

static uint64_t *head_of(const struct name_table *t, unsigned scope, uint8_t family,
			 const struct addr *addr)
{
	uint64_t words[3];

	memcpy(words, addr->b, sizeof addr->b);
	words[2] = (uint64_t)scope << 8 | family;
	return t->heads + hash_sip13(t->key, words, 3) % t->buckets;
}

static bool is_of(const struct entry *e, unsigned scope, uint8_t family, const struct addr *addr)
{
	return !e->moved && e->family == family && e->scope == scope &&
	       memcmp(&e->remote, addr, sizeof *addr) == 0;
}

/* Bytes up to the ring's end. */
static size_t left_of(const struct name_table *t, uint64_t place)
{
	return t->size - (size_t)(place % t->size);
}

static void drop_oldest(struct name_table *t)
{
	const struct entry *e = at(t, t->tail);

	if (left_of(t, t->tail) < sizeof *e) {
		t->tail += left_of(t, t->tail);
		return;
	}
	t->tail += e->size;
	if (e->family && !e->moved) {
		t->stats.known--;
		t->stats.gave_way++;
	}
}

/* Room for an entry in one piece; what is left at the ring's end is filled by an empty one. */
static struct entry *reserve(struct name_table *t, size_t size)
{
	size_t left = left_of(t, t->end);

	if (left < size) {
		while (t->end + left > t->tail + t->size)
			drop_oldest(t);
		if (left >= sizeof(struct entry))
			*at(t, t->end) = (struct entry){.size = (uint16_t)left};
		t->end += left;
	}
	while (t->end + size > t->tail + t->size)
		drop_oldest(t);
	return at(t, t->end);
}

/* The next place of a chain; 0 at its end. */
static uint64_t next_of(const struct name_table *t, uint64_t place, unsigned *looked)
{
	return ++*looked < CHAIN_MAX ? at(t, place)->before : 0;
}

static struct entry *find(const struct name_table *t, const struct batch_name *n, uint64_t *ret)
{
	unsigned looked = 0, scope = scope_of(t, n->iface);

	for (uint64_t place = *head_of(t, scope, n->family, &n->remote); place >= t->tail;
	     place = next_of(t, place, &looked)) {
		struct entry *e = at(t, place);

		*ret = place;
		if (is_of(e, scope, n->family, &n->remote) && e->port == n->port &&
		    e->protocol == n->protocol && e->source == n->source &&
		    strcmp(e->name, n->name) == 0)
			return e;
	}
	return NULL;
}

bool name_table_learn(struct name_table *t, const struct batch_name *n)
{
	unsigned scope = scope_of(t, n->iface);
	size_t len = strlen(n->name), size = (sizeof(struct entry) + len + 1 + 7) / 8 * 8;
	uint64_t *head = head_of(t, scope, n->family, &n->remote), place = 0;
	struct entry *e = find(t, n, &place);
	bool is_new = !e;

	if (e && t->end - place < t->size / 2)
		return false;
	if (e) {
		e->moved = true;
		t->stats.known--;
	}
	e = reserve(t, size);
	*e = (struct entry){
		.before = *head,
		.remote = n->remote,
		.size = (uint16_t)size,
		.port = n->port,
		.family = n->family & 15U,
		.scope = scope & 15U,
		.protocol = n->protocol,
		.source = n->source,
	};
	memcpy(e->name, n->name, len + 1);
	*head = t->end;
	t->end += size;
	t->stats.known++;
	return is_new;
}

size_t name_table_of(const struct name_table *t, uint16_t iface, uint8_t family,
		     const struct addr *addr, const char *ret[static NAMES_OF_MAX])
{
	unsigned looked = 0, scope = scope_of(t, iface);
	size_t n = 0;

	for (uint64_t place = *head_of(t, scope, family, addr);
	     place >= t->tail && n < NAMES_OF_MAX; place = next_of(t, place, &looked)) {
		const struct entry *e = at(t, place);

		if (is_of(e, scope, family, addr) && e->source == BATCH_NAME_DNS)
			ret[n++] = e->name;
	}
	return n;
}

void name_table_stats(const struct name_table *t, struct name_table_stats *ret)
{
	*ret = t->stats;
}
