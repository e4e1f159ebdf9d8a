// SPDX-License-Identifier: Apache-2.0
/*
 * imds_run: see imds_run.h.
 */
#include "platform/ec2/imds_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/clock.h"

struct imds_run {
	struct imds machine;
	struct loop *loop;
	struct loop_timer *timer;
	struct loop_stream *stream;
	unsigned connection; /* its number */
	const struct imds_run_ops *ops;
	void *ctx;
};

static void on_connected(void *ctx);
static void on_input(void *ctx);
static void on_closed(void *ctx, const char *why);

static const struct loop_stream_ops stream_ops = {
	.connected = on_connected, .input = on_input, .closed = on_closed};

static uint64_t now_ms(void)
{
	return clock_mono_ns() / NS_PER_MS;
}

static bool begins(const char *path, const char *with)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, text, sizeof text - 1) < 0)
		*text = '\0';
	(void)close(fd);
	return strncmp(text, with, strlen(with)) == 0;
}

/* EC2 User Guide, "Detect whether a host is an EC2 instance": Nitro, then Xen. */
bool imds_is_ec2(void)
{
	return begins("/sys/class/dmi/id/sys_vendor", "Amazon EC2") ||
	       begins("/sys/class/dmi/id/board_vendor", "Amazon EC2") ||
	       begins("/sys/hypervisor/uuid", "ec2");
}

static void drop(struct imds_run *r)
{
	loop_stream_free(r->stream);
	r->stream = NULL;
}

/* What the machine wants; false when it is over. */
static bool perform(struct imds_run *r, enum imds_action action)
{
	struct endpoint at, local;

	while (action == IMDS_CONNECT) {
		drop(r);
		r->connection++;
		at = imds_endpoint(&r->machine);
		if (loop_connect(&r->stream, r->loop, &at, 0, &stream_ops, r, NULL) == 0) {
			if (loop_stream_local(r->stream, &local))
				r->ops->connects(r->ctx, &local, &at);
			break;
		}
		r->stream = NULL;
		action = imds_step(&r->machine, IMDS_CLOSED, now_ms(), NULL, 0,
				   "it cannot be reached");
	}
	if (action == IMDS_SEND && r->stream)
		(void)loop_stream_write(r->stream, r->machine.request, r->machine.request_len);
	if (action == IMDS_CLOSE || action == IMDS_END)
		drop(r);
	return action != IMDS_END;
}

static void take(struct imds_run *r, enum imds_event event, const uint8_t *bytes, size_t len,
		 const char *why)
{
	uint64_t now, due;

	if (!perform(r, imds_step(&r->machine, event, now_ms(), bytes, len, why))) {
		loop_timer_cancel(r->timer);
		r->ops->over(r->ctx, &r->machine);
		return;
	}
	now = now_ms();
	due = imds_deadline(&r->machine);
	loop_timer_set(r->timer, due > now ? (uint32_t)(due - now) : 0);
}

static void on_connected(void *ctx)
{
	take(ctx, IMDS_CONNECTED, NULL, 0, "");
}

/* All that has come. False: that ended the connection. */
static bool take_input(struct imds_run *r)
{
	unsigned connection = r->connection;
	uint8_t bytes[IMDS_ANSWER_MAX / 4];
	size_t len;

	while (r->stream && r->connection == connection &&
	       (len = loop_stream_read(r->stream, bytes, sizeof bytes)) > 0)
		take(r, IMDS_INPUT, bytes, len, "");
	return r->stream && r->connection == connection;
}

static void on_input(void *ctx)
{
	(void)take_input(ctx);
}

static void on_closed(void *ctx, const char *why)
{
	struct imds_run *r = ctx;

	(void)why; /* it goes with the connection */
	if (!take_input(r))
		return;
	drop(r);
	take(r, IMDS_CLOSED, NULL, 0, "the connection was refused, or ended without an answer");
}

static void on_timer(void *ctx)
{
	take(ctx, IMDS_TIMER, NULL, 0, "");
}

int imds_run_new(struct imds_run **ret, struct loop *loop, const struct imds_want *want,
		 size_t n_want, const struct imds_run_ops *ops, void *ctx)
{
	struct imds_run *r = calloc(1, sizeof *r);

	if (!r)
		return -ENOMEM;
	r->loop = loop;
	r->ops = ops;
	r->ctx = ctx;
	imds_init(&r->machine, want, n_want, &ops->machine, ctx);
	if (loop_timer_new(&r->timer, loop, on_timer, r) != 0) {
		free(r);
		return -ENOMEM;
	}
	*ret = r;
	return 0;
}

void imds_run_start(struct imds_run *r)
{
	take(r, IMDS_BEGIN, NULL, 0, "");
}

size_t imds_run_memory(void)
{
	return sizeof(struct imds_run);
}

const struct imds *imds_run_end(struct imds_run *r)
{
	drop(r);
	loop_timer_cancel(r->timer);
	return &r->machine;
}

void imds_run_free(struct imds_run *r)
{
	if (!r)
		return;
	drop(r);
	loop_timer_free(r->timer);
	free(r);
}
