// SPDX-License-Identifier: Apache-2.0
/*
 * Memory for what protobuf-c unpacks: one piece of fixed size, given up as a whole. A message that
 * would need more is refused, so no peer can make few bytes into much memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

struct arena {
	uint8_t *bytes; /* aligned as malloc aligns */
	size_t used, cap;
	bool full; /* more was asked for than there is */
};

/* What unpacking `len` bytes may take: columns grow at most eightfold, small messages by a constant; names, of which
 * there are few kilobytes, up to 24-fold. */
static inline size_t arena_limit(size_t len)
{
	return 16 * len + 192 * 1024;
}

static inline void *arena_alloc(void *arena, size_t size)
{
	struct arena *a = arena;
	size_t align = _Alignof(max_align_t);
	size_t room = a->cap - a->used;
	void *p = a->bytes + a->used;

	if (size > room || (size + align - 1) / align * align > room) {
		a->full = true;
		return NULL;
	}
	a->used += (size + align - 1) / align * align;
	return p;
}

static inline void arena_free(void *arena, void *p)
{
	(void)arena;
	(void)p;
}

static inline ProtobufCAllocator arena_allocator(struct arena *arena)
{
	return (ProtobufCAllocator){arena_alloc, arena_free, arena};
}
