// SPDX-License-Identifier: Apache-2.0
/*
 * A set of things that are known by their hash: 64 bits under a key of this run, so of 2^32 things two may be taken for
 * one, and nobody can choose which.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
	HASHSET_MAX = 16 * 1024 * 1024
}; /* things; further ones are not told apart from those that are there */

struct hashset;

int hashset_new(struct hashset **ret); /* -ENOMEM; free it in any case */
void hashset_free(struct hashset *set);
/* Adds a thing, known by these words. 1 if it is new, 0 if it was there, -ENOMEM. */
int hashset_add(struct hashset *set, const uint64_t *words, size_t n);
