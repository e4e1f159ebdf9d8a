// SPDX-License-Identifier: Apache-2.0
/*
 * fragment: gives a datagram's later fragments the ports of its first.
 *
 * Only the first fragment holds the transport header (RFC 791, RFC 8200 section 4.5). A table of fixed size
 * remembers it under interface, addresses, identification and protocol for FRAGMENT_KEEP_S of packet time, and is
 * allocated once. A later fragment that comes before its first, or whose first was forgotten, keeps ports 0: it
 * is counted, never held back. In a full set the oldest first is forgotten and counted. Nothing is reassembled.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sensor/decode.h"

enum {
	FRAGMENT_WAYS = 4,
	FRAGMENT_SLOT_BYTES = 56,
	FRAGMENT_KEEP_S =
		60, /* RFC 8200 section 4.5, RFC 1122 section 3.3.2: how long a receiver waits */
};

struct fragment_stats {
	uint64_t first;      /* first fragments remembered */
	uint64_t attributed; /* later fragments that got their first's ports */
	uint64_t alone;      /* later fragments that did not */
	uint64_t overflow;   /* firsts forgotten before their time for want of room */
};

struct fragment_table;

/* `slots` is rounded up to a power of two. -ENOMEM. */
int fragment_table_new(struct fragment_table **ret, size_t slots, const uint64_t key[static 2]);
void fragment_table_free(struct fragment_table *table);

/* Call with every decoded packet whose `fragment` is set, in order. `sec`: the packet's stamp. Of a later fragment
 * protocol and ports are filled in, if its first is known. */
void fragment_attribute(struct fragment_table *table, uint16_t iface, uint64_t sec,
			struct decoded *decoded);

const struct fragment_stats *fragment_stats(const struct fragment_table *table);
/* Bytes that a table of so many slots takes. */
size_t fragment_memory(size_t slots);
