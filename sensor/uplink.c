// SPDX-License-Identifier: Apache-2.0
/*
 * uplink: see uplink.h for the states, proto/flowproof.proto for the messages.
 */
#include "sensor/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/crypto.h"
#include "platform/log.h"

enum state { IDLE, CONNECTING, GREETING, STREAMING };

struct uplink {
	struct loop *loop;
	const struct tls_config *config;
	const struct endpoint *collectors;
	size_t n_collectors, current;
	struct wire_hello *hello;
	struct spool *spool;
	uplink_fn *progress;
	void *ctx;

	enum state state;
	struct tls *tls;
	struct loop_timer *timer; /* pause before the next try; time-out of the Welcome */
	struct wire_reader reader;
	uint8_t *hello_frame;
	uint64_t sent; /* sequence of the last batch handed to this connection */
	uint32_t pause_ms;
	char protocol[16]; /* of TLS: "TLSv1.3" */
	char refusal[WIRE_SMALL_MAX];
	char last_error[2 * WIRE_SMALL_MAX];
};

static void on_ready(void *ctx, const struct tls_peer *peer);
static void on_input(void *ctx, const uint8_t *bytes, size_t len);
static void on_drained(void *ctx);
static void on_closed(void *ctx, const char *why);

static const struct tls_ops tls_ops = {
	.ready = on_ready,
	.input = on_input,
	.drained = on_drained,
	.closed = on_closed,
};

static const char *collector_text(const struct uplink *u, char out[static ADDR_ENDPOINT_TEXT])
{
	return endpoint_text(out, u->collectors + u->current);
}

/* The connection is over. Says why and plans the next try. */
static void end_connection(struct uplink *u, const char *why)
{
	char text[ADDR_ENDPOINT_TEXT];
	uint32_t jitter;

	snprintf(u->last_error, sizeof u->last_error, "%s: %s", collector_text(u, text), why);
	tls_free(u->tls);
	u->tls = NULL;
	wire_reader_fini(&u->reader);
	u->reader = (struct wire_reader){.buffer = NULL};
	u->state = IDLE;
	u->current = (u->current + 1) % u->n_collectors;
	crypto_random(&jitter, sizeof jitter);
	/* Between half the pause and the whole: many sensors must not come back in step. */
	jitter = u->pause_ms / 2 + jitter % (u->pause_ms / 2 + 1);
	loop_timer_set(u->timer, jitter);
	log_warn("uplink", "%s; trying again in %u ms", u->last_error, jitter);
	u->pause_ms = u->pause_ms * 2 > UPLINK_PAUSE_MAX_MS ? UPLINK_PAUSE_MAX_MS : u->pause_ms * 2;
	u->progress(u->ctx);
}

static void connect_now(struct uplink *u)
{
	struct err err;

	u->refusal[0] = '\0';
	u->state = CONNECTING;
	if (tls_connect(&u->tls, u->loop, u->config, u->collectors + u->current, UPLINK_TIMEOUT_MS,
			&tls_ops, u, &err) != 0)
		end_connection(u, err.text);
}

static void on_timer(void *ctx)
{
	struct uplink *u = ctx;

	if (u->state == IDLE)
		connect_now(u);
	else if (u->state == GREETING)
		end_connection(u, "no answer to Hello");
}

static void send_batches(struct uplink *u)
{
	struct spool_batch batch;
	uint8_t head[WIRE_HEAD];

	while (u->state == STREAMING && tls_pending(u->tls) < UPLINK_AHEAD_BYTES &&
	       spool_after(u->spool, u->sent, &batch)) {
		wire_head(head, WIRE_BATCH, batch.len);
		/* A broken connection tells by `closed`. */
		if (tls_write(u->tls, head, sizeof head) != 0 ||
		    tls_write(u->tls, batch.bytes, batch.len) != 0)
			return;
		u->sent = batch.sequence;
	}
}

static void on_ready(void *ctx, const struct tls_peer *peer)
{
	struct uplink *u = ctx;
	ssize_t len;

	snprintf(u->protocol, sizeof u->protocol, "%s", peer->protocol);
	if (peer->dates_wrong)
		log_warn("uplink", "this machine's clock lies outside the dates of the collector's "
				   "certificate, continuing");
	u->hello->dates_wrong = peer->dates_wrong;
	u->hello->clock_ns = clock_wall_ns();
	len = wire_hello_encode(u->hello_frame + WIRE_HEAD, WIRE_HELLO_MAX, u->hello);
	if (len < 0) {
		end_connection(u, "Hello too long: too many rules");
		return;
	}
	wire_head(u->hello_frame, WIRE_HELLO, (size_t)len);
	u->state = GREETING;
	loop_timer_set(u->timer, UPLINK_TIMEOUT_MS);
	(void)tls_write(u->tls, u->hello_frame,
			WIRE_HEAD + (size_t)len); /* a failure comes as `closed` */
}

static bool on_welcome(struct uplink *u, const uint8_t *message, size_t len)
{
	struct wire_welcome welcome;
	char text[ADDR_ENDPOINT_TEXT];

	if (u->state != GREETING || wire_welcome_decode(&welcome, message, len) != 0)
		return false;
	loop_timer_cancel(u->timer);
	spool_ack(u->spool, welcome.durable);
	u->sent = welcome.durable;
	u->state = STREAMING;
	u->pause_ms = UPLINK_PAUSE_MIN_MS;
	log_info("uplink", "connected to %s by %s, durable up to batch %llu",
		 collector_text(u, text), u->protocol, (unsigned long long)welcome.durable);
	send_batches(u);
	return true;
}

static bool on_frame(void *ctx, enum wire_type type, const uint8_t *message, size_t len)
{
	struct uplink *u = ctx;
	uint64_t durable;

	switch (type) {
	case WIRE_WELCOME: return on_welcome(u, message, len);
	case WIRE_ACK:
		if (u->state != STREAMING || wire_ack_decode(&durable, message, len) != 0 ||
		    durable > u->sent)
			return false;
		spool_ack(u->spool, durable);
		send_batches(u);
		return true;
	case WIRE_REFUSAL: (void)wire_refusal_decode(u->refusal, message, len); return false;
	case WIRE_HELLO:
	case WIRE_BATCH: break;
	}
	return false;
}

static void on_input(void *ctx, const uint8_t *bytes, size_t len)
{
	struct uplink *u = ctx;
	struct err err = {""};
	char why[WIRE_SMALL_MAX + 32];

	if (wire_reader_feed(&u->reader, bytes, len, on_frame, u, &err) != 0) {
		if (u->refusal[0])
			snprintf(why, sizeof why, "refused by the collector: %s", u->refusal);
		else
			snprintf(why, sizeof why, "the collector broke the protocol: %.300s",
				 err.text);
		end_connection(u, why);
		return;
	}
	u->progress(u->ctx);
}

static void on_drained(void *ctx)
{
	send_batches(ctx);
}

static void on_closed(void *ctx, const char *why)
{
	end_connection(ctx, why);
}

int uplink_new(struct uplink **ret, struct loop *loop, const struct tls_config *tls,
	       const struct endpoint *collectors, size_t n_collectors, struct wire_hello *hello,
	       struct spool *spool, uplink_fn *progress, void *ctx, struct err *err)
{
	struct uplink *u = calloc(1, sizeof *u);
	int rc;

	if (!u)
		return err_errno(err, "uplink");
	*u = (struct uplink){
		.loop = loop,
		.config = tls,
		.collectors = collectors,
		.n_collectors = n_collectors,
		.hello = hello,
		.spool = spool,
		.progress = progress,
		.ctx = ctx,
		.pause_ms = UPLINK_PAUSE_MIN_MS,
	};
	u->hello_frame = malloc(WIRE_HEAD + WIRE_HELLO_MAX);
	rc = u->hello_frame ? loop_timer_new(&u->timer, loop, on_timer, u) : -ENOMEM;
	if (rc) {
		uplink_free(u);
		return err_set(err, rc, "uplink: out of memory");
	}
	*ret = u;
	return 0;
}

void uplink_start(struct uplink *u)
{
	connect_now(u);
}

void uplink_kick(struct uplink *u)
{
	send_batches(u);
}

bool uplink_is_streaming(const struct uplink *u)
{
	return u->state == STREAMING;
}

const char *uplink_last_error(const struct uplink *u)
{
	return u->last_error;
}

void uplink_free(struct uplink *u)
{
	if (!u)
		return;
	if (u->tls)
		tls_close(u->tls);
	loop_timer_free(u->timer);
	wire_reader_fini(&u->reader);
	free(u->hello_frame);
	free(u);
}
