// SPDX-License-Identifier: Apache-2.0
/*
 * See relay.h. The two processes are one program: a message between them is a struct relay_head as it lies in memory,
 * then its bytes. What comes back is bounded all the same, since a library reads bytes of others there.
 */
#include "collector/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/child.h"
#include "collector/credentials.h"
#include "collector/jetstream.h"
#include "platform/clock.h"
#include "platform/config.h"
#include "platform/log.h"

static const char tag[] = "jetstream";

enum { INDEX_BITS = 20 }; /* of a lane's number: its place in the table */

struct relay_lane {
	struct relay *relay;
	uint64_t number;
	const struct relay_lane_ops *ops;
	void *ctx;
	char sensor[WIRE_SENSOR_ID_MAX];
	uint8_t stream[WIRE_STREAM_ID];
};

struct relay {
	int fd;
	pid_t pid; /* -1: it ended */
	bool is_front;
	struct loop_stream *io;
	const struct relay_ops *ops;
	void *ctx;
	size_t n_lanes;
	struct relay_lane **lanes; /* NULL: free */
	uint64_t turn;
	/* what is coming */
	size_t have;
	struct relay_head head;
	uint8_t message[LEDGER_PAYLOAD_MAX + 1];
};

/* ---- starting ---- */

int relay_check(const struct relay_options *options, bool *ret_on, struct err *err)
{
	*ret_on = options->to.n > 0 || options->from.n > 0;
	if (!*ret_on)
		return 0;
	if (options->to.n > 0 && options->from.n > 0)
		return err_set(err, ERR_USAGE,
			       "--to-jetstream and --from-jetstream: a collector is a front or a "
			       "writer, not both");
	if (options->partition >= options->partitions)
		return err_set(err, ERR_USAGE,
			       "--jetstream-partition %llu: they are counted from 0, and "
			       "--jetstream-partitions says there are %llu",
			       (unsigned long long)options->partition,
			       (unsigned long long)options->partitions);
	if (!options->cert != !options->key)
		return err_set(err, ERR_USAGE,
			       "--jetstream-cert and --jetstream-key: one is of no use without the "
			       "other");
	return jetstream_check(options, err);
}

int relay_start(struct relay **ret, const struct relay_options *options, const struct sandbox *like,
		struct err *err)
{
	/* A library that resolves names by the host's rules, in threads of its own. */
	struct sandbox sandbox = {.host_files = true, .unfiltered = true};
	struct relay *r;
	int ends[2], rc;
	bool is_on;

	*ret = NULL;
	rc = relay_check(options, &is_on, err);
	if (rc < 0 || !is_on)
		return rc;
	r = calloc(1, sizeof *r);
	if (!r)
		return err_set(err, -ENOMEM, "no memory for JetStream");
	r->is_front = options->to.n > 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		free(r);
		return err_errno(err, "cannot make a socket for JetStream");
	}
	(void)fflush(NULL);
	r->pid = fork();
	if (r->pid == 0) {
		child_begin(ends[0]);
		if (IS_ENABLED(CONFIG_DELIVER_AWS))
			credentials_wipe_environment();
		child_take_after(&sandbox, like);
		jetstream_run(options, like ? &sandbox : NULL, ends[1]);
	}
	(void)close(ends[1]);
	r->fd = ends[0];
	if (r->pid < 0 || fcntl(r->fd, F_SETFL, O_NONBLOCK) < 0) {
		rc = err_errno(err, "cannot start a process for JetStream");
		(void)close(r->fd);
		r->fd = -1;
		relay_end(r);
		return rc;
	}
	*ret = r;
	return 0;
}

bool relay_is_front(const struct relay *relay)
{
	return relay->is_front;
}

/* ---- what comes ---- */

static struct relay_lane *lane_of(const struct relay *r, uint64_t number)
{
	size_t i = number & ((1u << INDEX_BITS) - 1);
	struct relay_lane *lane = i < r->n_lanes ? r->lanes[i] : NULL;

	return lane && lane->number == number ? lane : NULL;
}

static void take_of_lane(struct relay *r)
{
	struct relay_lane *lane = lane_of(r, r->head.lane);

	if (!lane) /* it was closed since */
		return;
	switch (r->head.type) {
	case RELAY_STANDS: lane->ops->stands(lane->ctx, &r->head); break;
	case RELAY_DONE: lane->ops->done(lane->ctx, &r->head); break;
	case RELAY_LOST: lane->ops->lost(lane->ctx, (const char *)r->message); break;
	default: break;
	}
}

static void take(struct relay *r)
{
	r->message[r->head.len] = '\0';
	r->head.sensor[sizeof r->head.sensor - 1] = '\0';
	if (r->is_front)
		take_of_lane(r);
	else if (r->head.type == RELAY_ITEM)
		r->ops->item(r->ctx, &r->head, r->message);
	else if (r->head.type == RELAY_BEGUN)
		r->ops->begun(r->ctx);
}

static void on_closed(void *ctx, const char *why)
{
	struct relay *r = ctx;

	(void)why;
	loop_stream_free(r->io);
	r->io = NULL;
	r->fd = -1;
	r->ops->ended(r->ctx);
}

static void on_input(void *ctx)
{
	struct relay *r = ctx;
	uint8_t *to;
	size_t n, want;

	for (;;) {
		if (r->have < sizeof r->head) {
			to = (uint8_t *)&r->head + r->have;
			want = sizeof r->head - r->have;
		} else {
			to = r->message + (r->have - sizeof r->head);
			want = sizeof r->head + r->head.len - r->have;
		}
		n = want ? loop_stream_read(r->io, to, want) : 0;
		r->have += n;
		if (r->have >= sizeof r->head && r->head.len > LEDGER_PAYLOAD_MAX) {
			on_closed(r, "a message is too long");
			return;
		}
		if (r->have >= sizeof r->head && r->have == sizeof r->head + r->head.len) {
			r->have = 0;
			take(r);
			if (!r->io)
				return;
		} else if (n == 0) {
			return;
		}
	}
}

static void on_nothing(void *ctx)
{
	(void)ctx;
}

int relay_attach(struct relay *r, struct loop *loop, const struct relay_ops *ops, void *ctx)
{
	static const struct loop_stream_ops io = {on_nothing, on_input, on_nothing, on_closed};

	r->ops = ops;
	r->ctx = ctx;
	return loop_stream_adopt(&r->io, loop, r->fd, &io, r);
}

static void say(struct relay *r, struct relay_head *head, enum relay_type type,
		const uint8_t *message, size_t len)
{
	head->type = (uint16_t)type;
	head->len = (uint32_t)len;
	if (!r->io || loop_stream_write(r->io, head, sizeof *head) < 0 ||
	    (len > 0 && loop_stream_write(r->io, message, len) < 0))
		log_debug(tag, "a message was not handed on: the process ended");
}

/* ---- lanes ---- */

static bool place_lane(struct relay *r, struct relay_lane *lane)
{
	size_t i = 0, cap = r->n_lanes ? 2 * r->n_lanes : 16;
	struct relay_lane **more;

	while (i < r->n_lanes && r->lanes[i])
		i++;
	if (i == r->n_lanes) {
		more = reallocarray(r->lanes, cap, sizeof(struct relay_lane *));
		if (!more)
			return false;
		memset(more + r->n_lanes, 0, (cap - r->n_lanes) * sizeof(struct relay_lane *));
		r->lanes = more;
		r->n_lanes = cap;
	}
	r->lanes[i] = lane;
	lane->number = ++r->turn << INDEX_BITS | i;
	return true;
}

struct relay_lane *relay_open(struct relay *r, const char *sensor,
			      const uint8_t stream[static WIRE_STREAM_ID],
			      const struct relay_lane_ops *ops, void *ctx)
{
	struct relay_head head = {.type = RELAY_OPEN};
	struct relay_lane *lane = calloc(1, sizeof *lane);

	if (!lane || !place_lane(r, lane)) {
		free(lane);
		return NULL;
	}
	lane->relay = r;
	lane->ops = ops;
	lane->ctx = ctx;
	(void)snprintf(lane->sensor, sizeof lane->sensor, "%s", sensor);
	memcpy(lane->stream, stream, WIRE_STREAM_ID);
	head.lane = lane->number;
	memcpy(head.sensor, lane->sensor, sizeof head.sensor);
	memcpy(head.stream, stream, WIRE_STREAM_ID);
	say(r, &head, RELAY_OPEN, NULL, 0);
	return lane;
}

void relay_publish(struct relay_lane *lane, struct relay_head *head, const uint8_t *message,
		   size_t len)
{
	head->lane = lane->number;
	memcpy(head->sensor, lane->sensor, sizeof head->sensor);
	memcpy(head->stream, lane->stream, WIRE_STREAM_ID);
	say(lane->relay, head, RELAY_PUBLISH, message, len);
}

void relay_close(struct relay_lane *lane)
{
	struct relay_head head = {.type = RELAY_CLOSE};

	if (!lane)
		return;
	head.lane = lane->number;
	say(lane->relay, &head, RELAY_CLOSE, NULL, 0);
	lane->relay->lanes[lane->number & ((1u << INDEX_BITS) - 1)] = NULL;
	free(lane);
}

/* ---- writers ---- */

_Static_assert((int)LEDGER_STORE_ID == (int)WIRE_STREAM_ID, "an id of a ledger fits a stream's");

void relay_read(struct relay *r, const uint8_t ledger[static LEDGER_STORE_ID])
{
	struct relay_head head = {.place = 0};

	memcpy(head.stream, ledger, LEDGER_STORE_ID);
	say(r, &head, RELAY_READ, NULL, 0);
}

void relay_kept(struct relay *r, uint64_t place)
{
	struct relay_head head = {.place = place};

	say(r, &head, RELAY_KEPT, NULL, 0);
}

void relay_again(struct relay *r)
{
	struct relay_head head = {.place = 0};

	say(r, &head, RELAY_AGAIN, NULL, 0);
}

/* ---- end ---- */

static size_t reap(void *ctx)
{
	struct relay *r = ctx;
	int status;

	(void)child_reap(&r->pid, &status);
	return r->pid > 0;
}

void relay_end(struct relay *r)
{
	if (!r)
		return;
	/* A stream is closed by its loop, which does not turn any more. */
	if (r->fd >= 0)
		(void)shutdown(r->fd, SHUT_RDWR);
	loop_stream_free(r->io);
	child_wait(reap, r);
	for (size_t i = 0; i < r->n_lanes; i++)
		free(r->lanes[i]);
	free(r->lanes);
	free(r);
}
