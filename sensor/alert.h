// SPDX-License-Identifier: Apache-2.0
/*
 * alert: which unexpected endpoints were told of already. A fixed table; an endpoint is remote
 * address, port and protocol.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/addr.h"

enum { ALERT_PER_SECOND = 200, ALERT_WAYS = 4 };

struct alert_table;

/* `slots` is rounded up to a power of two. */
int alert_table_new(struct alert_table **ret, size_t slots, const uint64_t key[static 2]);
void alert_table_free(struct alert_table *table);
/* Bytes that a table of so many slots takes. */
size_t alert_memory(size_t slots);

/* Should an alert go out for this endpoint, seen at `sec` (Unix seconds)? True once for each
 * endpoint that the table still remembers, and at most ALERT_PER_SECOND times in one second of
 * packet time: of the others *ret_suppressed tells how many there were since the last true, and
 * each may ask again. */
bool alert_due(struct alert_table *table, uint8_t family, const struct addr *remote, uint16_t port,
	       uint8_t protocol, uint64_t sec, uint64_t *ret_suppressed);
