// SPDX-License-Identifier: Apache-2.0
/*
 * names, streams: the begin of a TCP stream put together from few segments in order.
 *
 * STREAM_SLOTS of them, STREAM_BYTES each. Only what began and is not whole yet lies here, mostly nothing. A
 * segment that comes too early, silence for STREAM_WAIT_S, or room needed for another ends it. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sensor/decode.h"

enum {
	STREAM_BYTES = 8192,
#if defined(CONFIG_NAMES) && CONFIG_NAMES_KIB < 128
	STREAM_SLOTS = 4,
#else
	STREAM_SLOTS = 16,
#endif
	STREAM_WAIT_S = 10,
};

enum stream_kind { STREAM_TLS, STREAM_HTTP, STREAM_DNS };

struct stream {
	struct addr src, dst;
	uint16_t iface;
	uint8_t kind;  /* enum stream_kind */
	bool is_cut;   /* of its last segment the capture has a part */
	uint32_t next; /* sequence number */
	uint64_t sec;  /* Unix seconds of its last segment */
	size_t len;
	uint8_t bytes[STREAM_BYTES];
};

struct stream_table {
	size_t used;
	uint64_t lost; /* streams that gave way before they were whole */
	uint32_t ports
		[STREAM_SLOTS]; /* of each, both; 0: unused. All that a segment is held against at first */
	struct stream streams[STREAM_SLOTS];
};

/* A segment's payload, as far as it was captured. */
struct segment {
	const struct decoded *decoded;
	uint64_t sec; /* Unix seconds */
	uint16_t iface;
	uint32_t sequence;
	const uint8_t *bytes;
	size_t captured, len;
};

/* The stream that this segment may belong to; NULL. Cheap while there are none. */
struct stream *stream_find(struct stream_table *table, const struct segment *segment);
/* A new one, of the same direction; in a full table it takes the place of the one that waits longest. */
struct stream *stream_begin(struct stream_table *table, const struct segment *segment,
			    enum stream_kind kind);
/* Appends what fits. False when it does not follow what is there, or nothing can follow it. Bytes that came
 * before change nothing. */
bool stream_add(struct stream *stream, const struct segment *segment);
/* Takes the first `n` bytes off. */
void stream_consume(struct stream *stream, size_t n);
void stream_end(struct stream_table *table, struct stream *stream);
/* Ends those that were silent for too long. */
void stream_expire(struct stream_table *table, uint64_t now_s);
