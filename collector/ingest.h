// SPDX-License-Identifier: Apache-2.0
/*
 * Ingest: takes the sensors' streams, checks them, appends them to the ledger, and acknowledges
 * what is durable.
 *
 * What was taken is handed on through a sink. A peer that breaks a rule is refused with a log line;
 * it harms no other.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/counts.h"
#include "collector/keep.h"
#include "evidence/ledger.h"
#include "platform/addr.h"
#include "platform/err.h"
#include "platform/loop.h"
#include "platform/tls.h"
#include "proto/batch.h"
#include "proto/wire.h"

/* A sensor that is connected. */
struct ingest_stream {
	const struct wire_hello *hello;
	const char *peer; /* "192.0.2.1:50000" */
	void *of_sink;    /* what `joined` returned */
};

/* Told as things happen: a batch when it was appended, which is before it is durable. */
struct ingest_sink {
	void *(*joined)(void *ctx, const struct ingest_stream *stream);
	void (*batch)(void *ctx, const struct ingest_stream *stream, const struct batch *batch,
		      const struct keep_totals *totals);
	/* Batches that do not come, told as they are. */
	void (*gap)(void *ctx, const struct ingest_stream *stream, const struct batch_gap *gap);
	void (*left)(void *ctx, const struct ingest_stream *stream, bool goodbye, const char *why);
};

/* Where else what is taken must be before it is acknowledged, for a front collector (front.h). It answers by
 * ingest_elsewhere_*() with the peer that it was given, from the loop. */
struct ingest_elsewhere {
	/* A sensor came: asks how far its stream is there. NULL: no memory; else the `place` of the others. */
	void *(*open)(void *ctx, void *peer, const struct wire_hello *hello);
	/* After ingest_elsewhere_stands(): appends the hello and what else makes the two agree, and hands the hello
	 * on. NULL, or why the sensor is refused. */
	const char *(*join)(void *place, struct ledger_sensor *sensor,
			    const struct wire_hello *hello, const uint8_t *message, size_t len,
			    uint64_t now_ns, struct err *err);
	/* It was appended: hands it on. */
	void (*batch)(void *place, struct ledger_sensor *sensor, const struct wire_hello *hello,
		      const struct batch *batch, uint64_t now_ns, const uint8_t *message,
		      size_t len);
	void (*gap)(void *place, struct ledger_sensor *sensor, const struct wire_hello *hello,
		    uint64_t now_ns, const uint8_t *message, size_t len);
	/* The sensor left. */
	void (*close)(void *place);
};

struct ingest_config {
	struct loop *loop;
	struct ledger *ledger;
	const struct tls_config *tls;
	struct endpoint at;
	uint32_t commit_ms; /* at most this long a batch waits for others before all are synced */
	size_t max_connections;     /* of which the certificate is known */
	size_t max_strangers;       /* others: handshakes that are not done */
	size_t max_strangers_there; /* of these from one address (IPv6: from one /64) */
	uint32_t hello_ms;          /* for the handshake, and again for the hello */
	uint32_t idle_ms;           /* without a batch */
	const struct ingest_sink *sink;
	void *sink_ctx;
	const struct ingest_elsewhere *elsewhere; /* NULL: a sensor's batches are here alone */
	void *elsewhere_ctx;
	struct counts *counts; /* NULL: nobody looks */
};

enum {
	INGEST_HELLO_MS = 10000,
	INGEST_IDLE_MS = 60000,
	INGEST_STRANGERS = 256, /* 40 KiB each */
	INGEST_STRANGERS_THERE = 64,
};

struct ingest;

/* Listens. Borrows what the config points to. */
int ingest_start(struct ingest **ret, const struct ingest_config *config, struct err *err);
/* It is known how far the peer's stream is elsewhere. Its hello is there, and all batches up to this one: first for
 * the hello, then for each batch or gap. Or the peer cannot be served here any more. */
void ingest_elsewhere_stands(void *peer);
void ingest_elsewhere_has(void *peer, uint64_t sequence);
void ingest_elsewhere_lost(void *peer, const char *why);

/* The address listened at. */
void ingest_address(const struct ingest *ingest, struct endpoint *ret);
/* The list of revoked certificates is another one: cuts off who is on it. */
void ingest_cut_revoked(struct ingest *ingest);
/* Takes no more, makes durable and acknowledges what was taken, and calls `done` when the peers
 * have been told, or after a second. */
void ingest_stop(struct ingest *ingest, loop_fn *done, void *ctx);
/* NULL is fine. */
void ingest_free(struct ingest *ingest);
