// SPDX-License-Identifier: Apache-2.0
/*
 * A small HTTP/1.1 server for a status page, on the loop: GET and HEAD, one request a connection, answers of known length
 * or streams without end (server-sent events).
 *
 * Everything is bounded: connections, the head, the time for it, what waits to be sent. Who asks for nothing in time,
 * or takes no byte of an answer for a time, is cut off and counted; when all places are taken, the connection that waits
 * longest with its request gives way.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/addr.h"
#include "platform/err.h"
#include "platform/http_head.h"
#include "platform/loop.h"

struct web;
struct web_request; /* a connection with its request; belongs to the server */

/* The request is there: answer it by web_answer() or web_stream(), now or later. */
typedef void web_asked_fn(void *ctx, struct web_request *request);

struct web_config {
	struct loop *loop;
	int fd; /* that listens: socket_listen(); taken, also on failure */
	size_t max_connections;
	uint32_t head_ms;    /* for the whole head, from the connection on */
	uint32_t stuck_ms;   /* for the next byte of an answer */
	const char *headers; /* of every answer, "Name: value\r\n" each; borrowed */
	web_asked_fn *asked;
	void *ctx;
};

int web_start(struct web **ret, const struct web_config *config, struct err *err);
/* Cuts off whoever is there. NULL is fine. */
void web_free(struct web *web);

struct web_stats {
	size_t connections;
	uint64_t requests; /* whole heads, answered */
	uint64_t refused;  /* heads that are none, other methods, bodies */
	uint64_t late;     /* cut off, or given up for another one, before the head was whole */
	uint64_t stuck;    /* cut off: took nothing of an answer */
	uint64_t no_room;  /* closed at once */
};
void web_stats(const struct web *web, struct web_stats *ret);

const struct http_head *web_request_head(const struct web_request *request);

/* The owner's of this request, and who is told that it ended before its answer did: the request must not be used any
 * more. Not called after web_answer(). */
void web_request_watch(struct web_request *request, loop_fn *gone, void *ctx);

/* Answers, and forgets the request. `type`: of the content; `more`: headers of this answer, or "". Of HEAD the bytes
 * are left out. */
void web_answer(struct web_request *request, unsigned status, const char *type, const char *more,
		const void *bytes, size_t len);
/* A line of text. */
void web_answer_text(struct web_request *request, unsigned status, const char *more,
		     const char *text);

/* Begins an answer without end. False: it was a HEAD, and is answered. */
bool web_stream(struct web_request *request, const char *type, const char *more);
/* Sends a copy of the bytes. */
void web_stream_send(struct web_request *request, const void *bytes, size_t len);
/* Bytes that wait to be taken. */
size_t web_stream_pending(const struct web_request *request);
