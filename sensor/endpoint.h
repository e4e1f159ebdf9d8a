// SPDX-License-Identifier: Apache-2.0
/*
 * endpoint: every distinct remote endpoint up to a fixed number, longer than any flow is remembered.
 *
 * An endpoint is remote address, responder's port, protocol and direction. The table is touched when
 * a flow opens and when a record of it goes out, never per packet. An intruder may try to fill it, so:
 *
 * - three quarters are for what this machine began, one quarter for all else; neither takes from the other;
 * - once its part is full, an endpoint that answered takes the place of one that did not, the one that
 *   is there longest; the other way round never; what gives way is handed out with its totals;
 * - flows whose endpoint finds no room are counted: from then on "this is all there was" cannot be said.
 *
 * The hash is keyed. Nothing is allocated after the start. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/endpoint.h"
#include "sensor/flow.h"

struct endpoint_table;

struct endpoint_sink {
	/* Borrowed for the call. */
	void (*told)(void *ctx, const struct endpoint_digest *digest);
	void *ctx;
};

/* `slots`: how many endpoints are kept, at least 4. `sink` is told of what gives way. -ENOMEM. */
int endpoint_table_new(struct endpoint_table **ret, size_t slots, const uint64_t key[static 2],
		       const struct endpoint_sink *sink);
void endpoint_table_free(struct endpoint_table *table);
/* Bytes that a table of so many slots takes. */
size_t endpoint_memory(size_t slots);

/* The entry's endpoint: remote, port, family, protocol and direction of *ret; the rest is 0. */
void endpoint_key(const struct flow_entry *entry, struct endpoint_digest *ret);
/* A flow began, or began anew, at `sec` (Unix seconds); initiator, locality, verdict and rule stand in
 * the entry. A mark by which endpoint_add() finds its endpoint faster; 0: there was no room for it. */
uint32_t endpoint_open(struct endpoint_table *table, const struct flow_entry *entry, uint64_t sec);
/* A record of direction `dir` of the entry goes out. `mark`: what endpoint_open() gave for it, or 0. */
void endpoint_add(struct endpoint_table *table, const struct flow_entry *entry, unsigned dir,
		  const struct flowrec *rec, uint32_t mark);

/* Memory is asked for what endpoint_open() and endpoint_add() will touch, so that a batch of packets waits for it once. A flow is
 * about to open, begun by side b or not, at this machine (`out`) or directed to it (`in`): its place in the table, whose value is then to
 * be fetched like a mark. */
const uint32_t *endpoint_ask(const struct endpoint_table *table, const struct flow_key *key,
			     bool from_b, bool a_local, bool b_local);
void endpoint_fetch(const struct endpoint_table *table, uint32_t mark);

enum endpoint_walk {
	ENDPOINT_NEWS, /* what is new, got further, was judged anew, or doubled in packets */
	ENDPOINT_REST, /* what changed at all since it was told last */
	ENDPOINT_ALL,
};
/* Begins to tell the sink. `now_s`: Unix seconds; silence up to then makes "sent" unanswered. */
void endpoint_walk(struct endpoint_table *table, enum endpoint_walk which, uint64_t now_s);
/* Goes on, looking at `look` endpoints and telling `tell` at most. True when it is through. */
bool endpoint_walk_on(struct endpoint_table *table, size_t look, size_t tell);

struct endpoint_stats {
	size_t slots, kept;
	uint64_t gave_way; /* endpoints, to others that answered */
	uint64_t
		left_out; /* flows whose endpoint found no room when they began, or answered later */
};
void endpoint_stats(const struct endpoint_table *table, struct endpoint_stats *ret);
