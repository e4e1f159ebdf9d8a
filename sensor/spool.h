// SPDX-License-Identifier: Apache-2.0
/*
 * spool: what was recorded becomes numbered, chained batches, kept in a fixed ring until the
 * collector has them durable.
 *
 * Memory is allocated once. When the ring has no room, the batch that would go in is given up: its
 * sequence number and digest stay in the chain, and the next batch that fits declares the gap
 * (numbers, records, packets, times). Nothing is dropped silently.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/batch.h"
#include "proto/wire.h"

struct spool;

/* `bytes` of ring; at least four of the largest batches fit. */
int spool_new(struct spool **ret, size_t bytes, const uint8_t stream[static WIRE_STREAM_ID]);
void spool_free(struct spool *spool);
/* Bytes that a spool of so many takes, without its batch writer. */
size_t spool_memory(size_t bytes);

/* Added to the batch that is being filled; a full one is closed with the time `now_ns` (wall
 * clock). */
void spool_record(struct spool *spool, const struct flowrec *rec, uint64_t now_ns);
void spool_alert(struct spool *spool, const struct batch_alert *alert, uint64_t now_ns);
void spool_account(struct spool *spool, const struct batch_account *account, uint64_t now_ns);

/* Closes the batch that is being filled, also an empty one (heartbeat). With `goodbye` it is the
 * stream's last. */
void spool_flush(struct spool *spool, uint64_t now_ns, bool goodbye);
/* Is anything in the batch that is being filled? An alert in it should not wait. */
bool spool_is_filling(const struct spool *spool);
bool spool_has_alert(const struct spool *spool);

struct spool_batch {
	const uint8_t *bytes; /* borrowed until acknowledged */
	size_t len;
	uint64_t sequence;
};
/* The first batch after `sequence` that is in the ring; false when there is none. */
bool spool_after(const struct spool *spool, uint64_t sequence, struct spool_batch *ret);

/* All batches up to `sequence` are durable at the collector. */
void spool_ack(struct spool *spool, uint64_t sequence);

/* True when four of the largest batches fit: a reader of files waits until then, so that nothing is
 * given up. */
bool spool_has_room(const struct spool *spool);

struct spool_stats {
	uint64_t closed;       /* sequence of the newest batch */
	uint64_t acknowledged; /* highest sequence known to be durable */
	uint64_t given_up_batches, given_up_records;
	size_t bytes, used;
};
void spool_stats(const struct spool *spool, struct spool_stats *ret);
