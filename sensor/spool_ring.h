// SPDX-License-Identifier: Apache-2.0
/*
 * The spool's ring: entries of one batch each, in memory or in a file, and an index of them.
 *
 *   bytes    |..[7][8]......[k 3][9][10]|      k: must be kept, written a lap before
 *                     ^ head
 *
 * An entry is RING_HEAD bytes and a batch, contiguous, at a multiple of RING_UNIT. Writing goes on
 * at the head: what lies there is the oldest, and is given up when its room is needed; what must be
 * kept is passed over, and moved down to where the head was. The index holds for each entry its place in the order of its stream and in
 * the order of addresses.
 *
 * An entry's head (big-endian), which a file is read back by:
 *
 *       0   4  "fpS", type: 1 batch, 2 hello
 *       4   4  length of the batch
 *       8  16  stream
 *      24   8  sequence
 *      32   8  records of the stream before it
 *      40   8  packets of the stream before it
 *      48   8  lines of log files of the stream before it
 *      56   8  records in it
 *      64   8  packets in it
 *      72   8  lines of log files in it
 *      80   8  least start of its records, Unix seconds
 *      88   8  greatest end
 *      96  32  SHA-256 of the batch before
 *     128  32  SHA-256 of the batch
 *     160   4  its rank
 *     164  12  of SHA-256 (key of the file, bytes 0 to 163)
 *     176      batch
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/batch.h"
#include "sensor/spool.h"

enum {
	RING_HEAD = 176,
	RING_UNIT = 64,
	RING_ROOM = 4,         /* batches that ring_has_room() vouches for */
	RING_SLOT_BYTES = 512, /* of ring for each slot of the index */
	RING_KEY = 16,
};

struct ring_totals {
	uint64_t records, packets, lines;
	uint64_t first, last; /* least start and greatest end, Unix seconds */
};
extern const struct ring_totals ring_totals_none;
void ring_totals_add(struct ring_totals *to, const struct ring_totals *more);

/* What goes first when the ring is full. */
enum ring_rank {
	RING_LOGS, /* lines of log files: they have half of the ring at most */
	RING_FLOWS,
	RING_KEPT,
	RING_RANKS
};

/* A batch to be put in, or one that was read back. */
struct ring_entry {
	uint64_t sequence; /* 0: the stream's hello */
	uint64_t records_before, packets_before, lines_before;
	struct ring_totals totals;
	uint8_t previous[SHA256_BYTES], digest[SHA256_BYTES];
	uint8_t rank; /* enum ring_rank */
	const uint8_t *bytes;
	size_t len;
};

struct ring_slot {
	uint64_t sequence;
	uint64_t run_first, run_last; /* times of what was given up just before it */
	uint32_t at, units;           /* in RING_UNITs */
	uint32_t len;                 /* bytes of the batch */
	uint32_t before, after;       /* in its stream; RING_NONE at the ends */
	uint32_t left, right;         /* by address, around the end */
	uint8_t stream;
	uint8_t rank;      /* enum ring_rank */
	uint8_t run_ranks; /* a bit for each rank that was given up just before it; 0: not known */
};
#define RING_NONE UINT32_MAX

/* Up to here batches are acknowledged, and known to have held so much. */
struct ring_base {
	uint64_t sequence, records, packets, lines;
	uint8_t digest[SHA256_BYTES];
};

struct ring_stream {
	uint8_t id[WIRE_STREAM_ID];
	uint64_t closed, acknowledged;
	struct ring_base base;
	uint32_t first, last; /* slots */
	uint32_t hello;       /* slot; RING_NONE: there is none */
	bool set_aside;
};

struct ring_lost {
	uint64_t batches, records, packets; /* without those of logs */
	uint64_t lines;
};

struct ring {
	uint32_t units, used;
	uint32_t head;   /* where writing goes on */
	uint32_t ahead;  /* the first slot at or behind it, around the end */
	uint32_t cursor; /* the slot handed out last */
	uint32_t n_slots, n_used, n_touched, free_slots;
	uint32_t n_logs; /* slots of rank RING_LOGS */
	struct ring_slot *slots;
	struct ring_stream streams[SPOOL_STREAMS_MAX]; /* the oldest first, this run's last */
	size_t n_streams;
	bool current_first;     /* ring_front() is this run's stream though older ones wait */
	struct ring_totals run; /* given up since the newest entry was put in */
	uint8_t run_ranks;
	struct ring_lost lost;
	uint8_t *bytes;          /* in memory; NULL: in the file */
	struct spool_file *file; /* NULL: in memory */
	uint8_t key[RING_KEY];
};

/* Bytes of memory that a ring of so many takes. */
size_t ring_memory(size_t bytes, bool in_file);
/* Takes the file. */
int ring_init(struct ring *ring, size_t bytes, struct spool_file *file, struct err *err);
void ring_fini(struct ring *ring);
/* Reads a file back: streams and entries that are not acknowledged. */
int ring_recover(struct ring *ring, struct spool_stats *ret, struct err *err);
/* This run's stream; in a file with its hello. */
int ring_begin_stream(struct ring *ring, const uint8_t *id, const uint8_t *digest,
		      const uint8_t *hello, size_t hello_len, struct err *err);

/* Puts a batch of this run in, giving up what must make room; itself, if nothing else may. */
void ring_put(struct ring *ring, const struct ring_entry *entry);
void ring_sync(struct ring *ring);
bool ring_has_room(const struct ring *ring);
/* So many bytes of logs fit, and leave flows what is theirs. */
bool ring_takes_logs(const struct ring *ring, size_t bytes);

struct ring_stream *ring_current(struct ring *ring);
/* The oldest stream of a former run that is to be delivered; NULL: there is none. */
struct ring_stream *ring_old(struct ring *ring);
struct ring_stream *ring_front(struct ring *ring);
size_t ring_old_streams(const struct ring *ring);
/* Valid until the ring is used again; NULL if it cannot be read. */
const uint8_t *ring_hello(struct ring *ring, const struct ring_stream *stream, size_t *ret_len);

struct ring_next {
	bool is_gap; /* then that is filled */
	uint64_t sequence;
	const uint8_t *bytes;
	size_t len;
};
bool ring_next(struct ring *ring, struct ring_stream *stream, uint64_t sent, struct ring_next *ret,
	       struct batch_gap *ret_gap);
void ring_ack(struct ring *ring, struct ring_stream *stream, uint64_t sequence);
void ring_set_aside(struct ring *ring);

/* ---- for spool_logs.c ---- */

/* Gives up the oldest batches of logs, an eighth of the ring if there are so many; in memory what is left is moved
 * so that the room is one. */
void ring_give_up_logs(struct ring *ring);
/* The batch is missing from now on. */
void ring_give_up(struct ring *ring, uint32_t slot);
/* Writing can go on with so many units, and nothing is given up. */
bool ring_fits(const struct ring *ring, uint32_t units);

/* ---- for spool_recover.c ---- */

void ring_head_encode(uint8_t out[static RING_HEAD], const struct ring *ring, const uint8_t *stream,
		      const struct ring_entry *entry);
/* May an entry begin here? Four bytes are looked at. */
bool ring_head_marked(const uint8_t *head);
/* False: no entry of this file. What its batch holds is not looked at. */
bool ring_head_decode(const uint8_t head[static RING_HEAD], const struct ring *ring,
		      uint8_t ret_stream[static WIRE_STREAM_ID], struct ring_entry *ret);
/* Takes a slot out of the order of addresses and frees it. */
void ring_release(struct ring *ring, uint32_t slot);
/* Puts a slot at the end of its stream. */
void ring_link(struct ring *ring, uint32_t slot);
/* Of an entry that was read back: its slot, behind all others by address, in no order yet. RING_NONE:
 * the index is full. */
uint32_t ring_index(struct ring *ring, uint8_t stream, uint32_t at, const struct ring_entry *entry);
