// SPDX-License-Identifier: Apache-2.0
/*
 * A sensor's part of the ledger between two places in its segments: for readers that go on where they left off, in
 * another process too, and must read the very same again (deliveries).
 *
 * A place is durable by being so simple: segments are append-only, so that number and offset name an entry for ever.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/replay.h"
#include "platform/err.h"

/* Where an entry begins, or what is behind the last one. All zero: the beginning. */
struct range_at {
	uint32_t segment;
	uint64_t offset;
	uint64_t hello; /* offset in the same segment of the hello in force; 0: none yet */
};

/* Bytes before `offset` of `segment`, and all segments before it. */
struct range_end {
	uint32_t segment;
	uint64_t offset;
};

/* Does `at` lie before `end`? */
bool range_is_before(const struct range_at *at, const struct range_end *end);

/* The random bytes that tell stores apart. -ENOENT with a sentence: nothing was written to it yet. */
int range_store(uint8_t out[static LEDGER_STORE_ID], const char *store, struct err *err);

/* The ids of the sensors, sorted by bytes, in one allocation of n times WIRE_SENSOR_ID_MAX to be freed. */
int range_sensors(char (**ret)[WIRE_SENSOR_ID_MAX], size_t *ret_n, const char *store,
		  struct err *err);

/*
 * How far there is something to read from `at` on: what lies in the files, at most about *budget bytes (taken off it).
 * All before the end is on the disk when 0 is returned, whatever the writer has synced: what was read once stays.
 * Gives `at` itself when there is nothing new.
 */
int range_find_end(struct range_end *ret, const char *store, const char *sensor,
		   const struct range_at *at, uint64_t *budget, struct err *err);

struct range;

/* `ops` and ctx are borrowed. -ENOMEM. */
int range_new(struct range **ret, const char *store, const struct replay_ops *ops, void *ctx,
	      struct err *err);
void range_free(struct range *range);

/*
 * Hands on all whole entries of the sensor that lie between `from` and `to`; *ret_reached is where the next read goes on.
 * The same range gives the same entries whenever it is read. 0; what an op returned; negative with a sentence.
 */
int range_read(struct range *range, const char *sensor, const struct range_at *from,
	       const struct range_end *to, struct range_at *ret_reached, struct err *err);

/* While an op runs: the place of its entry. */
const struct range_at *range_here(const struct range *range);
/* Segments that retention deleted before they were read to their end, in all ranges so far. */
uint64_t range_lost(const struct range *range);
