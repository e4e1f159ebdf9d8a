// SPDX-License-Identifier: Apache-2.0
/*
 * tail: follows the host's own log files: pieces of them as they are written, and what becomes of them.
 *
 * Each file is looked at once a second. It shrank, or what was read of it is not there any more: it was wiped, unless
 * a sibling in its folder holds all that was read (a rotation by copy). It is gone from its name: it was rotated if it
 * is a sibling under another name or packed into one, else wiped. A file that took its name is read from its begin, one
 * that left it on to its end. What was read is told from what it is by its first TAIL_HEAD bytes and the
 * TAIL_TAIL before where it was read to; a byte changed in between is not seen.
 *
 * A file is read at its rate at most; nothing is skipped of what was there at the start. What is read in a turn is
 * bounded. A line that is not finished within TAIL_PARTIAL_MS goes out as far as it came.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/err.h"
#include "proto/batch.h"
#include "sensor/tail_opener.h"

enum {
	TAIL_LOOK_MS = 1000,
	TAIL_PARTIAL_MS = 2000,
	TAIL_VANISH_MS = 30000, /* a file that is gone, and whose bytes are not, is waited for */
	TAIL_DRAIN_MS = 10000,  /* a file that was rotated is read until it is quiet for so long */
	TAIL_VERIFY_MS = 60000, /* what was read is looked at so often though no stamp changed */
	TAIL_TURN_BYTES = 64 * 1024, /* read in a turn */
	TAIL_LAG_S = 8,              /* seconds at its rate that a file may be ahead */
	TAIL_WIPES = 8,   /* events of one file that it was wiped, at once; then one a minute */
	TAIL_EVENTS = 32, /* others likewise */
};

struct tail_ops {
	/* The bytes are borrowed. */
	void (*piece)(void *ctx, const struct batch_log *piece);
	void (*event)(void *ctx, enum batch_event_kind kind, const char *text,
		      const int64_t values[static BATCH_EVENT_VALUES]);
	/* False: it cannot be asked now. */
	bool (*ask)(void *ctx, const struct tail_ask *ask);
};

struct tail_config {
	const char *const *paths; /* for the log; borrowed */
	size_t n;
	uint64_t rate;   /* bytes a second of each file */
	bool from_start; /* what is there when a file is opened first is read too */
};

struct tail_time {
	uint64_t ms; /* monotonic */
	uint64_t ns; /* the wall clock */
};

struct tail;

/* -ENOMEM. `ops` are borrowed. */
int tail_new(struct tail **ret, const struct tail_config *config, const struct tail_ops *ops,
	     void *ctx);
void tail_free(struct tail *tail);
/* Bytes for `n` files. */
size_t tail_memory(size_t n);

/* Several times a second. `takes`: pieces are taken; else the files are looked at only. True: more is there to be
 * read now. */
bool tail_tick(struct tail *tail, struct tail_time now, bool takes);
/* The answer to an ask of this file. Takes its descriptors. */
void tail_take(struct tail *tail, const struct tail_answer *answer, struct tail_time now);
/* No more answers will come: what is open is read on, and that is told. */
void tail_alone(struct tail *tail, struct tail_time now);
/* The end: reads what is there still, unfinished lines included. */
void tail_end(struct tail *tail, struct tail_time now, bool takes);
