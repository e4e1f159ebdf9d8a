// SPDX-License-Identifier: Apache-2.0
/*
 * Relay: between the collector and a JetStream, which holds what sensors sent for more than one collector.
 *
 * A process beside the collector speaks NATS (jetstream.h); this is the collector's end of it. The process holds
 * neither the store nor the collector's key, and its library never sees the collector's memory.
 *
 * A *front* collector publishes on lanes: one for each connected sensor. What a lane is given goes out in order, each
 * message only if the one before it is still the stream's last of that sensor: two fronts never weave.
 * A *writer* takes messages of one partition in the stream's order and says up to where they are in its ledger.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/ledger.h"
#include "platform/err.h"
#include "platform/loop.h"
#include "platform/sandbox.h"
#include "platform/settings.h"

struct relay_options {
	struct setting_list to, from; /* URLs; one of both is given */
	char *stream, *ca, *cert, *key, *credentials;
	uint64_t replicas, partitions, partition, max_age_h;
};

/* What travels with a message, and between the two processes. */
struct relay_head {
	uint32_t len;      /* bytes of the message behind it */
	uint16_t type;     /* enum relay_type */
	uint16_t kind;     /* LEDGER_HELLO, LEDGER_BATCH or LEDGER_GAP */
	uint64_t lane;     /* of a front */
	uint64_t place;    /* its sequence in JetStream */
	uint64_t sequence; /* where the sensor's stream stands with it: its last batch; 0: none */
	uint64_t records;  /* in all batches up to it, */
	uint64_t packets;  /* as far as the front can know */
	uint64_t received_ns;         /* wall clock of the front */
	uint8_t digest[SHA256_BYTES]; /* of its last batch: the next one names it */
	uint8_t stream[WIRE_STREAM_ID];
	char sensor[WIRE_SENSOR_ID_MAX];
};

enum relay_type {
	/* a front's collector says */
	RELAY_OPEN = 1, /* a lane: where does this stream stand? */
	RELAY_PUBLISH,
	RELAY_CLOSE,
	/* and is told */
	RELAY_STANDS, /* place 0: JetStream has nothing of it */
	RELAY_DONE,   /* JetStream has it */
	RELAY_LOST,   /* the lane is of no use any more; the message says why */
	/* a writer's collector is told */
	RELAY_ITEM,
	RELAY_BEGUN, /* what follows begins behind the last one kept */
	/* and says */
	RELAY_READ,  /* once: begin; `stream` is the ledger's id */
	RELAY_KEPT,  /* all up to this place are in the ledger */
	RELAY_AGAIN, /* the ledger failed: begin again behind the last one kept */
};

struct relay;
struct relay_lane;

/* Is everything that the options name as it should be? False in *ret_on: none is given. */
int relay_check(const struct relay_options *options, bool *ret_on, struct err *err);

/* Starts the process; *ret is NULL if neither direction is asked for. `like`: the collector's own sandbox, for user,
 * memory and eperm; NULL: without one. `store`: names the ledger to a consumer. To be called before anything secret
 * is read or anything is opened. */
int relay_start(struct relay **ret, const struct relay_options *options, const struct sandbox *like,
		struct err *err);
bool relay_is_front(const struct relay *relay);

struct relay_ops {
	/* The process ended: nothing can be promised any more. Comes once. */
	void (*ended)(void *ctx);
	/* writers only */
	void (*begun)(void *ctx);
	void (*item)(void *ctx, const struct relay_head *head, const uint8_t *message);
};
/* From the loop on. Borrows all. */
int relay_attach(struct relay *relay, struct loop *loop, const struct relay_ops *ops, void *ctx);
/* Ends the process: what was not answered for was not acknowledged. NULL is fine. */
void relay_end(struct relay *relay);

/* ---- fronts ---- */

struct relay_lane_ops {
	void (*stands)(void *ctx, const struct relay_head *place);
	/* In order of relay_publish(). */
	void (*done)(void *ctx, const struct relay_head *what);
	/* Last: the owner closes the lane. */
	void (*lost)(void *ctx, const char *why);
};

/* NULL: no memory. `stands` or `lost` follow. */
struct relay_lane *relay_open(struct relay *relay, const char *sensor,
			      const uint8_t stream[static WIRE_STREAM_ID],
			      const struct relay_lane_ops *ops, void *ctx);
/* After `stands`. Copies. `head`: kind, sequence, records, packets, digest and time are filled in. */
void relay_publish(struct relay_lane *lane, struct relay_head *head, const uint8_t *message,
		   size_t len);
/* NULL is fine. */
void relay_close(struct relay_lane *lane);

/* ---- writers ---- */

/* Begins. `ledger`: the store's id; a partition is read into one ledger. */
void relay_read(struct relay *relay, const uint8_t ledger[static LEDGER_STORE_ID]);
void relay_kept(struct relay *relay, uint64_t place);
void relay_again(struct relay *relay);
