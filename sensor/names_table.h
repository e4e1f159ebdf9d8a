// SPDX-License-Identifier: Apache-2.0
/*
 * names, the table: which names an address is known by, and by whose word.
 *
 * One ring of bytes of fixed size: a name is put at its end, the oldest ones give way, counted. Names that are
 * learned again while they lie in the older half move to the end, so what is in use stays. Keyed hash; nothing is
 * allocated after the start. Pure.
 *
 * A flood of names drives out older ones: then an address is again known by none, which makes its traffic less expected,
 * never more.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/names.h"

enum { NAMES_OF_MAX = 16 }; /* names of an address that are looked at */

struct name_table;

/* `bytes`: of the ring, rounded up to a power of two, at least 4096. Interfaces from number `apart` on have names of their own each:
 * mirrored ones, whose addresses may be the same. -ENOMEM. */
int name_table_new(struct name_table **ret, size_t bytes, uint16_t apart,
		   const uint64_t key[static 2]);
void name_table_free(struct name_table *table);
/* Bytes that a table of such a ring takes. */
size_t name_table_memory(size_t bytes);

/* True when it is new: remote address, port, protocol, source and name. */
bool name_table_learn(struct name_table *table, const struct batch_name *name);

/* Names of an address that stand for it whatever the port (source DNS), the newest first. Valid until the next is
 * learned. Returns how many, at most NAMES_OF_MAX. */
size_t name_table_of(const struct name_table *table, uint16_t iface, uint8_t family,
		     const struct addr *addr, const char *ret[static NAMES_OF_MAX]);
struct name_table_stats {
	uint64_t known, gave_way;
};
void name_table_stats(const struct name_table *table, struct name_table_stats *ret);
