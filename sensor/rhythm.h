// SPDX-License-Identifier: Apache-2.0
/*
 * rhythm: when this machine spoke to each endpoint anew, for who looks for regular calls.
 *
 * A burst begins with the first packet after RHYTHM_GAP_S of silence: that opens a flow, or wakes one up. Its time is that of
 * the packet, whatever windows there are, and whether an answer comes or not. A fixed table keeps the times of the last
 * bursts of each endpoint and hands them out, a few at a time; one that was spoken to once or twice is never told. What a
 * peer begins is not kept.
 *
 * In a full set the endpoint with the fewest bursts gives way, of these the one silent for the longest. The hash
 * is keyed. Nothing is allocated after the start. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/burst.h"
#include "sensor/flow.h"

enum {
	RHYTHM_GAP_S = 5,
	RHYTHM_RETRY_S =
		33, /* so long a SYN is repeated, twice the pause each time (Linux: 1 to 32 s) */
	RHYTHM_WAYS = 4,
};

struct rhythm;

struct rhythm_sink {
	/* Borrowed for the call. */
	void (*told)(void *ctx, const struct batch_burst *burst);
	void *ctx;
};

/* `slots`: endpoints, rounded up to a power of two, at least RHYTHM_WAYS. -ENOMEM. */
int rhythm_new(struct rhythm **ret, size_t slots, const uint64_t key[static 2],
	       const struct rhythm_sink *sink);
void rhythm_free(struct rhythm *rhythm);
/* Bytes that a table of so many slots takes. */
size_t rhythm_memory(size_t slots);

/* The entry's flow began, or was woken up by a packet, at `tenths` (of a second, Unix time). */
void rhythm_note(struct rhythm *rhythm, const struct flow_entry *entry, uint64_t tenths);
/* The next rhythm_walk() begins with the first endpoint. */
void rhythm_walk_anew(struct rhythm *rhythm);
/* Tells of all endpoints that wait for it: looks at `look` slots at most. True when it is through. With `all` those with few new
 * bursts too: at the end of a run. */
bool rhythm_walk(struct rhythm *rhythm, size_t look, bool all);

struct rhythm_stats {
	size_t slots, kept;
	uint64_t gave_way; /* endpoints */
	uint64_t lost;     /* bursts that were not told when theirs gave way */
};
void rhythm_stats(const struct rhythm *rhythm, struct rhythm_stats *ret);
