// SPDX-License-Identifier: Apache-2.0
/*
 * One segment file of the ledger, entry by entry. Format: head of ledger_write.c.
 *
 * Files are hostile too: lengths are checked before they are used, memory is bounded, and an entry
 * counts only if its digest fits. After bytes that are no entry the next entry is searched by its
 * mark.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/ledger.h"
#include "platform/crypto.h"
#include "platform/err.h"

enum {
	SEGMENT_HEAD = 40,
	SEGMENT_ENTRY_HEAD = 88,
	SEGMENT_ENTRY_MAX = SEGMENT_ENTRY_HEAD + LEDGER_PAYLOAD_MAX,
	SEGMENT_FORMAT = 1,
	/* A crash leaves at most this much behind that is not durable. */
	SEGMENT_TORN_MAX = LEDGER_UNSYNCED_MAX + 2 * SEGMENT_ENTRY_MAX,
};

enum segment_type {
	SEGMENT_HELLO = LEDGER_HELLO,
	SEGMENT_BATCH = LEDGER_BATCH,
	SEGMENT_CARRY = LEDGER_CARRY,
	SEGMENT_HELLO_AGAIN = LEDGER_HELLO_AGAIN,
	SEGMENT_GAP = LEDGER_GAP,
	SEGMENT_MANIFEST = 6,
};

struct segment_entry {
	uint64_t offset;
	uint64_t received_ns;
	uint64_t durable;  /* bytes of this file known to be on disk when the entry was written */
	uint64_t manifest; /* number of the last manifest when the entry was written */
	uint64_t sequence;
	const uint8_t *stream; /* valid until the next call, as payload */
	const uint8_t *payload;
	size_t len;
	uint8_t digest[SHA256_BYTES]; /* of the payload; of a gap that of its last batch */
	enum segment_type type;
};

/* Bytes that are no entry. */
struct segment_fault {
	uint64_t from, to;
	bool was_durable; /* a later entry says so, or it can be no crash's remains */
	const char *reason;
};

struct segment {
	int fd;
	uint32_t number;
	uint64_t size;   /* when it was opened: what is appended later is not seen */
	uint64_t at;     /* where the next entry is looked for: may be put to where one begins */
	uint64_t budget; /* bytes that the search for entries may still hash */
	bool knows_store;
	uint8_t store[LEDGER_STORE_ID]; /* given by the caller, or that of the first head read */
	uint8_t *window;                /* SEGMENT_WINDOW bytes of the file, from window_at */
	uint64_t window_at;
	size_t have;
};

/* Before the first segment_open(). Window and store are kept over several opens. */
void segment_init(struct segment *segment);
/* Heads of another store's segments are faults from now on. */
void segment_expect(struct segment *segment, const uint8_t store[static LEDGER_STORE_ID]);
int segment_open(struct segment *segment, const char *path, uint32_t number, struct err *err);
void segment_close(struct segment *segment);
void segment_fini(struct segment *segment);

enum segment_result { SEGMENT_END, SEGMENT_ENTRY, SEGMENT_FAULT };

/* The next thing in the file; fills the entry or the fault. Negative: -errno of a read. */
int segment_next(struct segment *segment, struct segment_entry *ret_entry,
		 struct segment_fault *ret_fault);

/* Fills what a ledger entry has of the segment's; the rest is the caller's. */
void segment_tell(const struct segment_entry *entry, struct ledger_entry *ret);

/* Encodes a file head, or the head of an entry whose payload has this digest. */
void segment_head(uint8_t out[static SEGMENT_HEAD], uint32_t number,
		  const uint8_t store[static LEDGER_STORE_ID]);
void segment_entry_head(uint8_t out[static SEGMENT_ENTRY_HEAD], const struct segment_entry *entry);

/* The number in a name like "00000001.fpl"; 0 if it is none. */
uint32_t segment_number(const char *name);
/* The numbers of the segments in a folder, ascending, to be freed. Gives NULL and 0 if there is none. */
int segment_list(const char *folder, uint32_t **ret, size_t *ret_n, struct err *err);
