// SPDX-License-Identifier: Apache-2.0
/*
 * How many distinct things there were, about: a bit each, by a hash with a key that who chose the things does not
 * know. Order does not matter, and the count is never too high.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* `words`: of 64 bits. */
static inline void sketch_set(uint64_t *bits, size_t words, uint64_t hash)
{
	size_t bit = (size_t)(hash % (words * 64));

	bits[bit / 64] |= (uint64_t)1 << bit % 64;
}

static inline unsigned sketch_count(const uint64_t *bits, size_t words)
{
	unsigned n = 0;

	for (size_t i = 0; i < words; i++)
		n += (unsigned)__builtin_popcountll(bits[i]);
	return n;
}
