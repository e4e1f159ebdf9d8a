// SPDX-License-Identifier: Apache-2.0
/*
 * Names by address: what the sensors' DNS answers, TLS and HTTP said an address is called. The first few of each; of a
 * sensor apart from those of others.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/batch.h"

enum { KNOWN_NAMES_EACH = 3 }; /* of one address */

struct known_names;

/* `max` addresses, and as many names. */
int known_names_new(struct known_names **ret, size_t max);
void known_names_free(struct known_names *known);
/* Bytes at most. */
size_t known_names_memory(size_t max);
/* 0 or -ENOMEM; what finds no room is counted. */
int known_names_add(struct known_names *known, uint32_t owner, const struct batch_name *name);
uint64_t known_names_left_out(const struct known_names *known);

/* The names of an address into `ret`; borrowed until the next addition. How many; *ret_more if there were others. */
size_t known_names_of(const struct known_names *known, uint32_t owner, uint8_t family,
		      const struct addr *addr, const char *ret[static KNOWN_NAMES_EACH],
		      bool *ret_more);
