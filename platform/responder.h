// SPDX-License-Identifier: Apache-2.0
/*
 * responder: answers GET and HEAD (RFC 9112) out of one buffer, for a program that must not be held up by who asks.
 *
 * Nothing is allocated after the start, nothing waited for. It does something only when it is given a turn: takes at most
 * RESPONDER_SLOTS connections, reads what there is, and answers heads that are whole. An answer goes out at once or not at
 * all. A connection of RESPONDER_HEAD_MS without a whole head is closed; when all places are taken the one that is there longest
 * gives way. HTTP/1.1, one request a connection.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/addr.h"
#include "platform/err.h"

enum {
	RESPONDER_SLOTS = 4,
	RESPONDER_HEAD_MS = 2000,
	RESPONDER_HEAD_BYTES = 2048,
	RESPONDER_BODY_BYTES = 48 * 1024,
};

struct responder;

struct responder_answer {
	unsigned status;  /* 200, 404, 500, 503 */
	const char *type; /* Content-Type */
	size_t len;       /* bytes of the body */
};
/* Writes the body for a path into `body` (RESPONDER_BODY_BYTES). */
typedef void responder_fn(void *ctx, const char *path, char *body, struct responder_answer *ret);

/* Listens. `ret_local`: the port that the kernel chose for port 0. */
int responder_new(struct responder **ret, const struct endpoint *at, struct endpoint *ret_local,
		  responder_fn *fn, void *ctx, struct err *err);
/* NULL is fine. */
void responder_free(struct responder *responder);
/* Bytes that it takes. */
size_t responder_memory(void);

/* True while a connection waits for its turn to go on. `now_ms`: monotonic. */
bool responder_turn(struct responder *responder, uint64_t now_ms);

struct responder_stats {
	uint64_t answered; /* whatever the status */
	uint64_t cut_off;  /* late, given up for another, or did not take its answer */
};
void responder_stats(const struct responder *responder, struct responder_stats *ret);
