// SPDX-License-Identifier: Apache-2.0
/*
 * Keyed hash for tables that an attacker may aim at: SipHash with one compression and three
 * finalisation rounds over whole 64-bit words (Aumasson and Bernstein, "SipHash: a fast short-input
 * PRF", 2012; the 1-3 variant is what several language run-times use for their tables). Not a MAC.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline uint64_t hash_rotl(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

static inline void hash_round(uint64_t v[static 4])
{
	v[0] += v[1];
	v[1] = hash_rotl(v[1], 13) ^ v[0];
	v[0] = hash_rotl(v[0], 32);
	v[2] += v[3];
	v[3] = hash_rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = hash_rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = hash_rotl(v[1], 17) ^ v[2];
	v[2] = hash_rotl(v[2], 32);
}

/* Of `n` words under a secret key. The last word may hold anything; the length enters the hash as
 * SipHash defines it. */
static inline uint64_t hash_sip13(const uint64_t key[static 2], const uint64_t *words, size_t n)
{
	uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
			 key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
	uint64_t length = (uint64_t)(n * 8) << 56;

	for (size_t i = 0; i < n; i++) {
		v[3] ^= words[i];
		hash_round(v);
		v[0] ^= words[i];
	}
	v[3] ^= length;
	hash_round(v);
	v[0] ^= length;
	v[2] ^= 0xff;
	hash_round(v);
	hash_round(v);
	hash_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
