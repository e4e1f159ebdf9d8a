// SPDX-License-Identifier: Apache-2.0
/*
 * uplink: the connection and the timer of uplink_machine.h, and the spool's batches as frames.
 *
 * A connection is never freed from within its own frame callback: the machine's actions wait until
 * the reader has returned.
 */
#include "sensor/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/crypto.h"
#include "platform/log.h"
#include "sensor/uplink_machine.h"

struct uplink {
	struct loop *loop;
	const struct tls_config *config;
	const struct endpoint *collectors;
	struct wire_hello *hello;
	struct spool *spool;
	const struct uplink_ops *ops;
	void *ctx;

	struct uplink_machine machine;
	struct tls *tls;
	struct loop_timer *timer;
	struct wire_reader reader;
	uint8_t *hello_frame;
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

static const char *collector_text(const struct uplink *u, unsigned number,
				  char out[static ADDR_ENDPOINT_TEXT])
{
	return endpoint_text(out, u->collectors + number);
}

/* ---- events ---- */

static struct uplink_event event_of(struct uplink *u, enum uplink_event_kind kind)
{
	struct uplink_event e = {
		.kind = kind, .mono_ns = clock_mono_ns(), .wall_ns = clock_wall_ns()};
	struct spool_stream stream;

	spool_stream(u->spool, &stream);
	e.is_current = stream.is_current;
	e.old_waits = stream.old_waits;
	e.closed = stream.closed;
	e.has_room = u->tls && tls_pending(u->tls) < UPLINK_AHEAD_BYTES;
	crypto_random(&e.random, sizeof e.random);
	return e;
}

/* ---- actions ---- */

static void drop_connection(struct uplink *u)
{
	tls_close(u->tls);
	u->tls = NULL;
	wire_reader_fini(&u->reader);
	u->reader = (struct wire_reader){.buffer = NULL};
}

/* False, and why in *ret_why, when the kernel refuses at once. */
static bool connect_to(struct uplink *u, unsigned number, struct err *err)
{
	drop_connection(u);
	u->refusal[0] = '\0';
	return tls_connect(&u->tls, u->loop, u->config, u->collectors + number,
			   (uint32_t)(UPLINK_TIMEOUT / NS_PER_MS), &tls_ops, u, err) == 0;
}

/* The message of the stream that is to be delivered, into the frame. */
static ssize_t encode_hello(struct uplink *u)
{
	uint8_t *out = u->hello_frame + WIRE_HEAD;
	struct spool_stream stream;

	u->hello->clock_ns = clock_wall_ns();
	spool_stream(u->spool, &stream);
	if (stream.is_current)
		return wire_hello_encode(out, WIRE_HELLO_MAX, u->hello);
	if (!stream.hello)
		return ERR_FORMAT;
	return wire_hello_resume(out, WIRE_HELLO_MAX, stream.hello, stream.hello_len,
				 u->hello->clock_ns, u->hello->dates_wrong);
}

static bool send_hello(struct uplink *u)
{
	ssize_t len;

	spool_turn(u->spool);
	len = encode_hello(u);
	if (len < 0)
		return false;
	wire_head(u->hello_frame, WIRE_HELLO, (size_t)len);
	/* A failure comes as `closed`. */
	(void)tls_write(u->tls, u->hello_frame, WIRE_HEAD + (size_t)len);
	return true;
}

/* One batch or gap. False when there is none, or the connection is broken, which tells by `closed`.
 */
static bool send_next(struct uplink *u, uint64_t after, uint64_t *ret_sequence)
{
	struct spool_item item;
	uint8_t head[WIRE_HEAD];

	if (!u->tls || !spool_next(u->spool, after, &item))
		return false;
	wire_head(head, item.type, item.len);
	*ret_sequence = item.sequence;
	return tls_write(u->tls, head, sizeof head) == 0 &&
	       tls_write(u->tls, item.bytes, item.len) == 0;
}

static void tell_failure(struct uplink *u, const struct uplink_action *a)
{
	char text[ADDR_ENDPOINT_TEXT];

	snprintf(u->last_error, sizeof u->last_error, "%s: %s%s",
		 collector_text(u, a->collector, text), a->prefix, a->why);
	log_warn("uplink", "%s; trying again in %llu ms", u->last_error,
		 (unsigned long long)(a->pause_ns / NS_PER_MS));
	u->ops->progress(u->ctx);
}

/* Does one action. True when that is an event of its own, which is in *ret. `err` keeps its words. */
static bool perform(struct uplink *u, const struct uplink_action *a, struct uplink_event *ret,
		    struct err *err)
{
	uint64_t sequence;

	switch (a->kind) {
	case UPLINK_DO_CONNECT:
		if (connect_to(u, a->collector, err))
			return false;
		*ret = event_of(u, UPLINK_CLOSED);
		ret->why = err->text;
		return true;
	case UPLINK_DO_HELLO:
		if (send_hello(u))
			return false;
		*ret = event_of(u, UPLINK_BROKEN);
		ret->why = "our Hello is too long, or cannot be read: too many rules?";
		return true;
	case UPLINK_DO_SEND:
		if (!send_next(u, a->sequence, &sequence))
			return false;
		*ret = event_of(u, UPLINK_SENT);
		ret->sequence = sequence;
		return true;
	case UPLINK_DO_ACK:
		spool_ack(u->spool, a->sequence);
		u->ops->progress(u->ctx);
		return false;
	case UPLINK_DO_CLOCK:
		u->ops->clock(u->ctx, a->collector, a->offset_ns, a->way_ns);
		return false;
	case UPLINK_DO_SET_ASIDE:
		log_err("uplink",
			"the stream of a former run is refused: left in the spool's file");
		spool_set_aside(u->spool);
		return false;
	case UPLINK_DO_CLOSE: drop_connection(u); return false;
	case UPLINK_DO_TELL: tell_failure(u, a); return false;
	}
	return false;
}

/* Does what the machine wants, and what follows from that. */
static void act(struct uplink *u)
{
	struct uplink_action todo[UPLINK_ACTIONS];
	struct uplink_event event;
	struct err err = {""};
	uint64_t now, deadline;
	bool again;

	do {
		size_t n = u->machine.n;

		memcpy(todo, u->machine.actions, n * sizeof *todo);
		u->machine.n = 0;
		again = false;
		for (size_t i = 0; i < n && !again; i++)
			again = perform(u, &todo[i], &event, &err);
		if (again)
			uplink_machine_step(&u->machine, &event);
	} while (again);
	now = clock_mono_ns();
	deadline = uplink_machine_deadline(&u->machine);
	if (deadline == UPLINK_NEVER)
		loop_timer_cancel(u->timer);
	else
		loop_timer_set(u->timer,
			       deadline <= now ? 0 : (uint32_t)((deadline - now) / NS_PER_MS) + 1);
}

static void take(struct uplink *u, struct uplink_event *event)
{
	uplink_machine_step(&u->machine, event);
	act(u);
}

static void take_plain(struct uplink *u, enum uplink_event_kind kind)
{
	struct uplink_event event = event_of(u, kind);

	take(u, &event);
}

/* ---- the connection's callbacks ---- */

static void on_timer(void *ctx)
{
	take_plain(ctx, UPLINK_TIMER);
}

static void on_ready(void *ctx, const struct tls_peer *peer)
{
	struct uplink *u = ctx;

	snprintf(u->protocol, sizeof u->protocol, "%s", peer->protocol);
	if (peer->dates_wrong)
		log_warn("uplink", "this machine's clock lies outside the dates of the collector's "
				   "certificate, continuing");
	u->hello->dates_wrong = peer->dates_wrong;
	take_plain(u, UPLINK_CONNECTED);
}

static void on_drained(void *ctx)
{
	take_plain(ctx, UPLINK_DATA);
}

static void on_closed(void *ctx, const char *why)
{
	struct uplink *u = ctx;
	struct uplink_event event = event_of(u, UPLINK_CLOSED);
	char text[WIRE_SMALL_MAX];

	snprintf(text, sizeof text, "%s", why); /* it goes with the connection */
	event.why = text;
	drop_connection(u);
	take(u, &event);
}

/* What a frame says. */
static struct uplink_event event_of_frame(struct uplink *u, enum wire_type type,
					  const uint8_t *message, size_t len)
{
	struct uplink_event e = event_of(u, UPLINK_BROKEN);
	struct wire_welcome welcome;
	struct wire_ack ack;

	e.why = "a frame that it does not send";
	if (type == WIRE_WELCOME && wire_welcome_decode(&welcome, message, len) == 0) {
		e.kind = UPLINK_WELCOME;
		e.durable = welcome.durable;
		e.clock_ns = welcome.clock_ns;
	} else if (type == WIRE_ACK && wire_ack_decode(&ack, message, len) == 0) {
		e.kind = UPLINK_ACKED;
		e.durable = ack.durable;
		e.clock_ns = ack.clock_ns;
		e.held_ns = ack.held_ns;
	} else if (type == WIRE_REFUSAL && wire_refusal_decode(u->refusal, message, len) == 0) {
		e.kind = UPLINK_REFUSED;
		e.why = u->refusal;
	}
	return e;
}

static bool on_frame(void *ctx, enum wire_type type, const uint8_t *message, size_t len)
{
	struct uplink *u = ctx;
	struct uplink_event e = event_of_frame(u, type, message, len);
	bool was_greeting = u->machine.state == UPLINK_GREETING;
	char text[ADDR_ENDPOINT_TEXT];

	uplink_machine_step(&u->machine, &e);
	for (size_t i = 0; i < u->machine.n; i++)
		if (u->machine.actions[i].kind == UPLINK_DO_CLOSE)
			return false; /* on_input() acts, when the reader is done */
	if (was_greeting && e.kind == UPLINK_WELCOME) {
		log_info("uplink", "connected to %s by %s, durable up to batch %llu%s",
			 collector_text(u, u->machine.collector, text), u->protocol,
			 (unsigned long long)e.durable, e.is_current ? "" : " of a former run");
		u->ops->welcome(u->ctx, u->machine.collector, u->collectors + u->machine.collector);
	}
	act(u);
	return true;
}

static void on_input(void *ctx, const uint8_t *bytes, size_t len)
{
	struct uplink *u = ctx;
	struct uplink_event event;
	struct err err = {""};

	if (wire_reader_feed(&u->reader, bytes, len, on_frame, u, &err) != 0) {
		if (u->machine.n > 0) { /* the frame's own actions */
			act(u);
			return;
		}
		event = event_of(u, UPLINK_BROKEN);
		event.why = err.text;
		take(u, &event);
	}
}

/* ---- the owner's calls ---- */

int uplink_new(struct uplink **ret, struct loop *loop, const struct tls_config *tls,
	       const struct endpoint *collectors, size_t n_collectors, struct wire_hello *hello,
	       struct spool *spool, const struct uplink_ops *ops, void *ctx, struct err *err)
{
	struct uplink *u = calloc(1, sizeof *u);
	int rc;

	if (!u)
		return err_errno(err, "uplink");
	*u = (struct uplink){
		.loop = loop,
		.config = tls,
		.collectors = collectors,
		.hello = hello,
		.spool = spool,
		.ops = ops,
		.ctx = ctx,
	};
	uplink_machine_init(&u->machine, (unsigned)n_collectors);
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
	take_plain(u, UPLINK_START);
}

void uplink_kick(struct uplink *u)
{
	take_plain(u, UPLINK_DATA);
}

void uplink_greet_again(struct uplink *u)
{
	take_plain(u, UPLINK_AGAIN);
}

bool uplink_is_streaming(const struct uplink *u)
{
	return u->machine.state == UPLINK_STREAMING;
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
