// SPDX-License-Identifier: Apache-2.0
/*
 * What the parts of the relay's process share: jetstream.c (the connection, the stream, what stands in messages),
 * jetstream_front.c (lanes), jetstream_writer.c (a partition read in order).
 */
#pragma once

#include <nats/nats.h>

#include "collector/jetstream.h"

enum {
	JETSTREAM_WAIT_MS = 2000, /* for an answer of JetStream */
	JETSTREAM_AGAIN_MS = 100, /* after a failure, doubled up to... */
	JETSTREAM_AGAIN_MAX_MS = 2000,
};

struct bridge {
	const struct relay_options *options;
	int fd; /* to the collector */
	natsConnection *conn;
	jsCtx *js;
	uint64_t told_ns;                    /* a trouble */
	uint8_t message[LEDGER_PAYLOAD_MAX]; /* the last that was read */
};

/* Writes to the collector, and ends the process if that is gone. */
void bridge_say(struct bridge *bridge, struct relay_head *head, enum relay_type type,
		const void *message, size_t len);
/* Reads from it. False at its end. */
bool bridge_read(struct bridge *bridge, struct relay_head *ret);
/* A trouble that lasts comes again and again: logged every ten seconds. */
void bridge_complain(struct bridge *bridge, const char *what, const char *why);

/* What stands in a message beside the sensor's bytes. */
extern const char *const jetstream_kinds[];
bool jetstream_write_head(natsMsg *msg, const struct relay_head *head);
bool jetstream_set_number(natsMsg *msg, const char *name, uint64_t value);
bool jetstream_get_number(natsMsg *msg, const char *name, uint64_t *ret);
/* False: no collector wrote this. The stream's id ends the subject. */
bool jetstream_read_head(natsMsg *msg, struct relay_head *ret);

/* Makes it if it is missing. False: not now. */
bool jetstream_make_stream(struct bridge *bridge);

/* Until the collector is gone. */
void jetstream_run_front(struct bridge *bridge);
void jetstream_run_writer(struct bridge *bridge);
/* On a thread of the library. */
void jetstream_on_answer(jsCtx *js, natsMsg *msg, jsPubAck *ack, jsPubAckErr *error, void *ctx);
