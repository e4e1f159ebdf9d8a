// SPDX-License-Identifier: Apache-2.0
/*
 * uplink: takes batches from the spool to a collector over mutual TLS, and forgets them when it says
 * they are durable. What it decides is in uplink_machine.h; here are its connection and its timer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/loop.h"
#include "platform/tls.h"
#include "proto/batch.h"
#include "proto/wire.h"
#include "sensor/spool.h"

/* At most so much is encrypted and not yet with the kernel, and one batch more. */
enum { UPLINK_AHEAD_BYTES = 2 * BATCH_WRITE_BYTES };

struct uplink;

struct uplink_ops {
	/* A collector acknowledged something, or a connection has ended. */
	void (*progress)(void *ctx);
	/* A collector said Welcome. `number` counts from 0 in the list. */
	void (*welcome)(void *ctx, unsigned number, const struct endpoint *collector);
	/* The clocks were compared: ours less the collector's, and the way there and back. */
	void (*clock)(void *ctx, unsigned number, int64_t offset_ns, uint64_t way_ns);
};

/* Borrows everything. `hello` is sent at each connection, its clock_ns and dates_wrong filled by
 * the uplink. The collectors are tried in order. */
int uplink_new(struct uplink **ret, struct loop *loop, const struct tls_config *tls,
	       const struct endpoint *collectors, size_t n_collectors, struct wire_hello *hello,
	       struct spool *spool, const struct uplink_ops *ops, void *ctx, struct err *err);
void uplink_start(struct uplink *uplink);
/* There is something new in the spool. */
void uplink_kick(struct uplink *uplink);
/* What the Hello says has changed: a collector that has it gets it anew, over a new connection. */
void uplink_greet_again(struct uplink *uplink);
bool uplink_is_streaming(const struct uplink *uplink);
/* Why the last connection ended: where, and its last words. "" when none has. */
const char *uplink_last_error(const struct uplink *uplink);
void uplink_free(struct uplink *uplink);
