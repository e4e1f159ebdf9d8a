// SPDX-License-Identifier: Apache-2.0
/*
 * names, asked: DNS queries that wait for their response.
 *
 * A response teaches names only if it comes from whom the query went to, to the port it came from, with its id and its
 * question. Whoever forges one must guess them or see the query. A fixed table; a query that waits longer than
 * ASKED_WAIT_S, or longest in a full set when room is needed, is given back as unanswered. Keyed hash. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/names.h"
#include "sensor/names_dns.h"

enum { ASKED_WAYS = 4, ASKED_WAIT_S = 30 };

struct asked_table;

/* Told of each query that nobody answered. Borrowed for the call; its answers are none. */
struct asked_sink {
	void (*unanswered)(void *ctx, const struct batch_dns *query);
	void *ctx;
};

/* `slots` is rounded up to a power of two. -ENOMEM. */
int asked_new(struct asked_table **ret, size_t slots, const uint64_t key[static 2],
	      const struct asked_sink *sink);
void asked_free(struct asked_table *table);
size_t asked_memory(size_t slots);

/* A query, with its question as the wire has it. The same one again changes nothing: it waits since the first. */
void asked_put(struct asked_table *table, const struct batch_dns *query,
	       const struct dns_name *question);
/* A response: when was what it answers asked, in Unix nanoseconds? That query waits no longer. 0: nobody asked. */
uint64_t asked_take(struct asked_table *table, const struct batch_dns *response,
		    const struct dns_name *question);
/* Gives back what waits since before `before_ns`; UINT64_MAX: all. Looks at the whole table. */
void asked_expire(struct asked_table *table, uint64_t before_ns);
/* Queries that gave way to others before their time. */
uint64_t asked_forgotten(const struct asked_table *table);
