// SPDX-License-Identifier: Apache-2.0
/*
 * Bytes that grow at their end.
 */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Begins zeroed; `at` is freed by its owner. */
struct buffer {
	uint8_t *at;
	size_t len, cap;
};

/* Room for so many more bytes. 0 or -ENOMEM. */
static inline int buffer_reserve(struct buffer *b, size_t more)
{
	size_t cap = b->cap ? b->cap : 1024;
	uint8_t *at;

	if (b->cap - b->len >= more)
		return 0;
	while (cap - b->len < more)
		cap *= 2;
	at = realloc(b->at, cap);
	if (!at)
		return -ENOMEM;
	b->at = at;
	b->cap = cap;
	return 0;
}

/* Into room that was reserved. */
static inline void buffer_put(struct buffer *b, const void *bytes, size_t len)
{
	memcpy(b->at + b->len, bytes, len);
	b->len += len;
}
