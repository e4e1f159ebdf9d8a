// SPDX-License-Identifier: Apache-2.0
/*
 * A table of items of one size, each found by the bytes of its key, up to a fixed number of them.
 *
 * Items stand in the order in which they came and never leave. The hash has a key of this run: whoever
 * chose the bytes cannot choose where they fall.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct table;

/* An item is `size` bytes, its key the first `key_size` of them, a multiple of 8; padding inside must be zero.
 * Memory grows with the items, up to table_memory(). -ENOMEM. */
int table_new(struct table **ret, size_t size, size_t key_size, size_t max);
void table_free(struct table *table);

/* The item with this item's key; if there is none, a copy of `item` is put in. *ret is NULL when there is no
 * room, which is counted. Pointers are valid until the next call. 0 or -ENOMEM. */
int table_take(struct table *table, const void *item, void **ret);
/* NULL if there is none. */
void *table_find(const struct table *table, const void *item);

size_t table_count(const struct table *table);
void *table_at(const struct table *table, size_t index);
size_t table_index(const struct table *table, const void *item);
/* Calls of table_take() that found no room. */
uint64_t table_left_out(const struct table *table);
/* Bytes at most. */
size_t table_memory(size_t size, size_t max);
