// SPDX-License-Identifier: Apache-2.0
/*
 * The ledger: what the sensors sent, as received, in append-only segment files below one folder, and
 * the chain of signed manifests that says what they were.
 *
 *     STORE/SENSOR-ID/00000001.fpl, 00000002.fpl, ...
 *     STORE/@manifest/00000001.fpl, ...
 *
 * The format and why a crash is safe are at the head of ledger_write.c, the manifests in manifest.h.
 * One writer at a time (a lock on the folder, which leaves no file behind); any number of readers
 * beside it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/crypto_sign.h"
#include "platform/err.h"
#include "proto/batch.h"
#include "proto/wire.h"

enum {
	LEDGER_PAYLOAD_MAX = 256 * 1024,       /* bytes of a hello, batch or manifest */
	LEDGER_SEGMENT_MAX = 64 * 1024 * 1024, /* a segment file is not begun to be longer */
	LEDGER_UNSYNCED_MAX = 4 * 1024 * 1024, /* a sensor's bytes that wait for ledger_commit() */
	LEDGER_STREAMS_MAX = 64, /* streams of one sensor that can be resumed: the latest */
	LEDGER_PATH_MAX = 1024,  /* bytes of any path below STORE with its NUL */
	LEDGER_STORE_ID = 16,    /* random bytes that all files of a store begin with */
};

_Static_assert((int)LEDGER_PAYLOAD_MAX >= (int)BATCH_BYTES_MAX, "a batch must fit");
_Static_assert((int)LEDGER_PAYLOAD_MAX >= (int)WIRE_HELLO_MAX, "a hello must fit");

/* What entries hold, summed up. Begin with ledger_sum_none. */
struct ledger_sum {
	uint32_t hellos, batches;
	uint64_t records, packets;
	uint64_t first_s, last_s; /* least and greatest time in them, Unix seconds; 1 and 0: none */
	uint64_t received_ns, received_end_ns;
};

extern const struct ledger_sum ledger_sum_none;
/* Adds a record: counts it if it has traffic. */
void ledger_sum_record(struct ledger_sum *sum, const struct flowrec *rec);
/* Adds the times of all else in a batch. */
void ledger_sum_rest(struct ledger_sum *sum, const struct batch *batch);
/* Both, for a batch whose records were not read; they are after it. */
void ledger_sum_batch(struct ledger_sum *sum, struct batch *batch);
void ledger_sum_add(struct ledger_sum *sum, const struct ledger_sum *more);
/* Adds the times of what a gap gave up. */
void ledger_sum_gap(struct ledger_sum *sum, const struct batch_gap *gap);

/* ---- writing ---- */

struct ledger;
struct ledger_sensor; /* belongs to its ledger; valid until ledger_close() */

struct ledger_config {
	struct crypto_signer *signer; /* the collector's; borrowed */
	uint64_t segment_s;           /* a segment is closed when its first entry is older */
	uint64_t retain_s;            /* closed segments older than this are deleted; 0: never */
	uint64_t
		retain_bytes; /* the oldest are deleted while segments are more than this; 0: never */
};

enum { LEDGER_SEGMENT_S = 86400 };

/* Creates STORE if it is missing, locks it, recovers what a crash left, and signs that the collector
 * starts. -EWOULDBLOCK with a sentence when another process writes to it; ERR_FORMAT when its
 * manifests are damaged: then nothing may be added. */
int ledger_open(struct ledger **ret, const char *store, const struct ledger_config *config,
		uint64_t now_ns, struct err *err);
/* STORE has become the root folder of this process (chroot(2)): paths begin there from now on. */
void ledger_is_root(struct ledger *ledger);
/* Commits and signs all that no manifest covers yet, also if that is nothing; then deletes what the
 * config allows. To be called on schedule. After a failure the next call covers all. */
int ledger_seal(struct ledger *ledger, uint64_t now_ns, struct err *err);
/* As ledger_seal, and signs that the collector ends in good order. */
int ledger_end(struct ledger *ledger, uint64_t now_ns, struct err *err);
/* The random bytes that all its files begin with. */
void ledger_id(const struct ledger *ledger, uint8_t ret[static LEDGER_STORE_ID]);
/* The last manifest that was signed. */
void ledger_head(const struct ledger *ledger, uint64_t *ret_number,
		 uint8_t ret_digest[static SHA256_BYTES]);
/* Neither commits nor signs. NULL is fine. */
void ledger_close(struct ledger *ledger);

/* The sensor's place in the ledger, made if it is new. The first call for an id reads the last
 * segment to learn where each stream stands; so does a call after a failure, which goes back to
 * what was durable. */
int ledger_sensor_open(struct ledger *ledger, const char *id, struct ledger_sensor **ret,
		       struct err *err);

/* Where a stream stands: the last batch appended. Sequence 0 for a stream never seen (or before
 * LEDGER_STREAMS_MAX others). */
void ledger_stream_chain(const struct ledger_sensor *sensor,
			 const uint8_t stream[static WIRE_STREAM_ID], struct batch_chain *ret);
/* The stream's highest sequence that is on disk. */
uint64_t ledger_stream_durable(const struct ledger_sensor *sensor,
			       const uint8_t stream[static WIRE_STREAM_ID]);

/* Append, in the page cache at first: durable after the next ledger_commit(). The batch must follow
 * its chain (the caller has asked batch_chain_check()); `sum` is what it holds. On failure the
 * sensor has failed until ledger_sensor_open() is called again. -ENOSPC while the disk is nearly
 * full: the rest of it is kept for manifests. */
int ledger_append_hello(struct ledger_sensor *sensor, uint64_t received_ns,
			const uint8_t stream[static WIRE_STREAM_ID], const uint8_t *bytes,
			size_t len, struct err *err);
int ledger_append_batch(struct ledger_sensor *sensor, uint64_t received_ns,
			const uint8_t stream[static WIRE_STREAM_ID], uint64_t sequence,
			const uint8_t *bytes, size_t len, const struct ledger_sum *sum,
			struct err *err);

/* The gap must follow (batch_chain_check_gap()); `bytes` is its message. */
int ledger_append_gap(struct ledger_sensor *sensor, uint64_t received_ns,
		      const uint8_t stream[static WIRE_STREAM_ID], const struct batch_gap *gap,
		      const uint8_t *bytes, size_t len, struct err *err);

/* Makes all that was appended durable. 0, or the first error; sensors that could not be synced have
 * failed. */
int ledger_commit(struct ledger *ledger, struct err *err);
bool ledger_sensor_failed(const struct ledger_sensor *sensor);

/* ---- reading ---- */

struct ledger_reader;

enum ledger_kind {
	LEDGER_HELLO = 1,
	LEDGER_BATCH = 2,
	LEDGER_CARRY = 3,       /* where a stream stood when the segment was begun */
	LEDGER_HELLO_AGAIN = 4, /* of a segment before, repeated at the head of this one */
	LEDGER_GAP = 5,         /* batches that do not come: proto/batch.h */
	LEDGER_TORN =
		100,   /* the unfinished end of a sensor's last segment: a collector is writing, or
			  was killed */
	LEDGER_DAMAGE, /* bytes that were durable once are not what they were, or are missing */
};

/* Pointers are valid until the next call. */
struct ledger_entry {
	enum ledger_kind kind;
	const char *sensor; /* name of the folder */
	const char *file;   /* path of the segment */
	uint64_t offset;    /* in the file */
	/* all but torn and damage */
	bool is_skip;         /* entries before it were left out */
	uint64_t received_ns; /* the collector's wall clock */
	uint64_t sequence;    /* 0 of a hello; of a gap its last batch's */
	const uint8_t *stream;
	const uint8_t *payload; /* also of torn and damage: NULL */
	size_t len;             /* of torn and damage: bytes that could not be used */
	const uint8_t
		*digest; /* what the next batch names as `previous`: SHA-256 of the payload; of
				  a gap that of its last batch */
	/* torn and damage */
	const char *reason;
};

/* `sensor`: only this one, nothing if it is not there; NULL for all, in order of their ids. */
int ledger_reader_open(struct ledger_reader **ret, const char *store, const char *sensor,
		       struct err *err);
/* Leaves out batches that hold nothing between these times (Unix seconds, both included), as far as
 * the manifests tell; before the first ledger_next(). */
void ledger_reader_span(struct ledger_reader *reader, uint64_t from_s, uint64_t to_s);
void ledger_reader_free(struct ledger_reader *reader);

/* 1 and the next entry, 0 at the end, or negative: a file cannot be read. Damage is an entry; what
 * follows it is read on. */
int ledger_next(struct ledger_reader *reader, struct ledger_entry *ret, struct err *err);
