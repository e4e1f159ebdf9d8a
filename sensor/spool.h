// SPDX-License-Identifier: Apache-2.0
/*
 * spool: what was recorded becomes numbered, chained batches, kept in a ring of fixed size until a
 * collector has them durable.
 *
 * The ring lies in memory or in a file (spool_file.h). When it has no room batches of log files go, then the oldest
 * batch of flows
 * is given up; batches that hold alerts, events or declared gaps are kept, and go, the oldest first,
 * when nothing else is left. Where batches are missing a gap stands in their place: spool_next()
 * tells it before the batch that follows, and the next batch that is closed declares it, so that it
 * is in the chain. Nothing is dropped silently.
 *
 * In a file there may be streams of runs before this one, which were not delivered: they take turns with it,
 * each under its own id.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/batch.h"
#include "proto/wire.h"

struct spool;
struct spool_file;

enum { SPOOL_STREAMS_MAX = 8 }; /* of this run and of those before */

struct spool_config {
	bool with_logs; /* pieces of log files will come; only with CONFIG_TAIL */
	size_t bytes;   /* of ring in memory; at least four of the largest batches fit */
	uint8_t stream[WIRE_STREAM_ID];
	struct crypto_signer *signer; /* borrowed; NULL: nothing is signed */
	struct spool_file *file;      /* the ring instead of memory; the spool takes it */
	const uint8_t *hello;         /* this stream's message, for the file */
	size_t hello_len;
};

/* -ENOMEM, or a file's failure. */
int spool_new(struct spool **ret, const struct spool_config *config, struct err *err);
void spool_free(struct spool *spool);
/* Bytes that a spool of so many takes, without its batch writer. */
size_t spool_memory(size_t bytes, bool in_file);

/* ---- filling ---- */

/* Added to the batch that is being filled; a full one is closed with the time `now_ns` (wall
 * clock). */
void spool_record(struct spool *spool, const struct flowrec *rec, uint64_t now_ns);
/* An alert begins a batch of its own, so that what must be kept is small. */
void spool_alert(struct spool *spool, const struct batch_alert *alert, uint64_t now_ns);
void spool_account(struct spool *spool, const struct batch_account *account, uint64_t now_ns);
void spool_event(struct spool *spool, const struct batch_event *event, uint64_t now_ns);
/* As an alert, begins a batch of its own. */
void spool_endpoint(struct spool *spool, const struct endpoint_digest *digest, uint64_t now_ns);
void spool_burst(struct spool *spool, const struct batch_burst *burst, uint64_t now_ns);
/* Names: with the records. Only with CONFIG_NAMES. */
void spool_dns(struct spool *spool, const struct batch_dns *dns, uint64_t now_ns);
void spool_name(struct spool *spool, const struct batch_name *name, uint64_t now_ns);
void spool_http(struct spool *spool, const struct batch_http *http, uint64_t now_ns);
/* Pieces of log files go into batches of their own, which spool_logs_end() closes; so many bytes of them at once only if
 * spool_takes_logs(): others are given up. */
bool spool_takes_logs(const struct spool *spool, size_t bytes);
void spool_log(struct spool *spool, const struct batch_log *piece, uint64_t now_ns);
void spool_logs_end(struct spool *spool, uint64_t now_ns);
void spool_names_counts(struct spool *spool, const uint64_t counts[static BATCH_NAMES_COUNTS]);
/* Batches say so from now on. */
void spool_tables(struct spool *spool, const uint64_t tables[static BATCH_TABLES]);
/* The clocks were compared: the next batch says so. */
void spool_clock(struct spool *spool, int64_t offset_ns, uint64_t way_ns);

enum spool_flush {
	SPOOL_PLAIN,
	SPOOL_SIGNED,
	SPOOL_GOODBYE, /* signed, and the stream's last */
};
/* Closes the batch that is being filled, also an empty one (heartbeat). A signature takes 1.6 ms on
 * a PC, up to 30 ms on a small ARM. */
void spool_flush(struct spool *spool, uint64_t now_ns, enum spool_flush how);
/* What is in a file goes to the disk. Blocks until it is there. */
void spool_sync(struct spool *spool);
/* Is anything in the batch that is being filled? An alert in it should not wait. */
bool spool_is_filling(const struct spool *spool);
bool spool_has_alert(const struct spool *spool);

/* ---- delivering ---- */

/* The stream that is to be delivered now: this run's, or the oldest of a former run. */
struct spool_stream {
	const uint8_t *id; /* WIRE_STREAM_ID bytes */
	bool is_current;
	bool old_waits;  /* one of a former run is to be delivered still */
	uint64_t closed; /* sequence of its newest batch */
	const uint8_t
		*hello; /* of an old one: its message. Valid until the spool is called again */
	size_t hello_len;
};
void spool_stream(struct spool *spool, struct spool_stream *ret);
/* This run's stream and a former one take turns: the other one is to be delivered now, if it has
 * anything. At first it is a former one's turn. */
void spool_turn(struct spool *spool);

/* What comes after `sent` in the stream that is to be delivered. */
struct spool_item {
	enum wire_type type;  /* WIRE_BATCH or WIRE_GAP */
	uint64_t sequence;    /* of a gap its last batch's */
	const uint8_t *bytes; /* the message; valid until the spool is called again */
	size_t len;
};
bool spool_next(struct spool *spool, uint64_t sent, struct spool_item *ret);

/* All batches up to `sequence` of that stream are durable at a collector. */
void spool_ack(struct spool *spool, uint64_t sequence);
/* No collector takes this old stream: the next one is to be delivered. What is in a file stays. */
void spool_set_aside(struct spool *spool);

/* True when four of the largest batches fit: a reader of files waits until then, so that nothing is
 * given up. */
bool spool_has_room(const struct spool *spool);

struct spool_stats {
	uint64_t closed;       /* sequence of this run's newest batch */
	uint64_t acknowledged; /* highest sequence of it that is known to be durable */
	uint64_t given_up_batches, given_up_records, given_up_packets, given_up_lines;
	uint64_t old_streams;                            /* that are not delivered yet */
	uint64_t old_batches, old_records, old_unusable; /* found at the start; the last in bytes */
	size_t bytes, used;
};
void spool_stats(const struct spool *spool, struct spool_stats *ret);
