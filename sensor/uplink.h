// SPDX-License-Identifier: Apache-2.0
/*
 * uplink: takes batches from the spool to a collector over mutual TLS, and forgets them when it
 * says they are durable.
 *
 *   idle -> connecting -> greeting -> streaming
 *     ^         |             |           |
 *     +---------+-------------+-----------+
 *
 * Hello, Welcome, then Batch and Ack until the connection ends; then, after a pause that doubles up
 * to UPLINK_PAUSE_MAX_MS, with jitter, the next collector of the list is tried.
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

enum {
	UPLINK_TIMEOUT_MS = 10000, /* for connection and handshake, and for the Welcome */
	UPLINK_PAUSE_MIN_MS = 500,
	UPLINK_PAUSE_MAX_MS = 30000,
	/* At most so much is encrypted and not yet with the kernel, and one batch more. */
	UPLINK_AHEAD_BYTES = 2 * BATCH_WRITE_BYTES,
};

struct uplink;

/* Told each time the collector acknowledged something, and after each end of a connection. */
typedef void uplink_fn(void *ctx);

/* Borrows everything. `hello` is sent at each connection, its clock_ns and dates_wrong filled by
 * the uplink. The collectors are tried in order. */
int uplink_new(struct uplink **ret, struct loop *loop, const struct tls_config *tls,
	       const struct endpoint *collectors, size_t n_collectors, struct wire_hello *hello,
	       struct spool *spool, uplink_fn *progress, void *ctx, struct err *err);
void uplink_start(struct uplink *uplink);
/* There is something new in the spool. */
void uplink_kick(struct uplink *uplink);
bool uplink_is_streaming(const struct uplink *uplink);
/* True once a collector refused us for good or never could be reached: its last words, for the exit
 * message. */
const char *uplink_last_error(const struct uplink *uplink);
void uplink_free(struct uplink *uplink);
