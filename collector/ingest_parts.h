// SPDX-License-Identifier: Apache-2.0
/*
 * What the parts of ingest share: ingest.c (connections, commits, acknowledgements), ingest_frames.c (what a sensor
 * sends).
 */
#pragma once

#include "collector/ingest.h"
#include "collector/refusal_log.h"

enum {
	OUTPUT_MAX = 64 * 1024, /* of a peer that does not read its acknowledgements */
	AHEAD_MAX = 16,         /* batches of a peer that are not yet elsewhere */
	STOP_MS = 1000,
	STOP_STEP_MS = 10,
};

struct conn {
	struct ingest *ingest;
	struct conn *next, *prev; /* the oldest first */
	struct tls *tls;
	struct loop_timer *timer;
	struct endpoint from;
	char peer[ADDR_ENDPOINT_TEXT];
	char name
		[TLS_NAME_MAX]; /* of the certificate; "" before the handshake is done: a stranger */
	uint8_t certificate[SHA256_BYTES];
	uint64_t came_wall_ns; /* when its hello came */
	uint64_t came_ns;      /* monotonic: when the last frame that is owed an answer came */
	struct wire_reader reader;
	struct wire_hello *hello; /* NULL before it came */
	struct ledger_sensor *sensor;
	struct ingest_stream stream;
	/* with `elsewhere` */
	void *place;
	uint8_t *held; /* its hello, until it is known how far it is there */
	size_t held_len;
	uint64_t there, handed; /* batches that are there, and were handed on */
	bool joined;
	bool owed;     /* an acknowledgement after the next commit */
	bool goodbye;  /* the sensor said so */
	bool in_input; /* not to be freed now */
	bool ended;    /* to be freed as soon as may be */
};

struct ingest {
	struct ingest_config config;
	struct loop_listener *listener;
	struct loop_timer *commit_timer;
	struct loop_timer *stop_timer;
	bool commit_armed;
	struct conn *oldest, *newest;
	size_t n_conns, n_strangers; /* the latter are of the former */
	struct refusal_log log;
	/* stopping */
	uint64_t stop_at_ns;
	loop_fn *done;
	void *done_ctx;
};

/* One more of these lines may be written this second. */
bool ingest_may_log(struct ingest *ingest);
void ingest_count(struct ingest *ingest, enum count which);
void ingest_send_frame(struct conn *conn, enum wire_type type, const uint8_t *message, ssize_t len);
/* Ends a connection from our side; the peer is told why if it can hear. */
void ingest_refuse(struct conn *conn, const char *why);
/* Reads on, unless the peer does not read, or waits, or too much of its is on the way elsewhere. */
void ingest_steer(struct conn *conn);
/* Sequence of the stream that is on disk here and, if it must be, elsewhere. */
uint64_t ingest_durable(const struct conn *conn);
void ingest_acknowledge(struct conn *conn);
/* The connection is owed an acknowledgement. */
void ingest_owe(struct conn *conn);

/* A whole frame of the conn `ctx`. False: it was refused. */
bool ingest_take_frame(void *ctx, enum wire_type type, const uint8_t *message, size_t len);
