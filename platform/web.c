// SPDX-License-Identifier: Apache-2.0
/*
 * web: a connection reads a head, answers once, and ends when the answer was taken. Its timer watches the head at
 * first, then that the answer goes on.
 */
#include "platform/web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	SEND_BUFFER = 64 * 1024, /* of the kernel: so that a stuck reader is seen */
	LINGER_MS =
		500, /* what a refused peer still sends is taken for so long: else it would lose the answer */
	HEADERS_BYTES = 2048,
};

enum stage { READING, ASKED, STREAMING, ENDING, LINGERING };

struct web_request {
	struct web *web;
	struct web_request *next, *prev; /* the oldest first */
	struct loop_stream *stream;
	struct loop_timer *timer;
	enum stage stage;
	bool may_linger;
	size_t pending; /* when the timer was set */
	loop_fn *gone;
	void *gone_ctx;
	struct http_head head;
	size_t have;
	char bytes[HTTP_HEAD_MAX];
};

struct web {
	struct web_config config;
	struct loop_listener *listener;
	struct web_request *oldest, *newest;
	struct web_stats stats;
};

static void request_free(struct web_request *r)
{
	struct web *web = r->web;

	*(r->prev ? &r->prev->next : &web->oldest) = r->next;
	*(r->next ? &r->next->prev : &web->newest) = r->prev;
	web->stats.connections--;
	loop_timer_free(r->timer);
	loop_stream_free(r->stream);
	free(r);
}

static void end(struct web_request *r)
{
	loop_fn *gone = r->stage == ASKED || r->stage == STREAMING ? r->gone : NULL;
	void *ctx = r->gone_ctx;

	request_free(r);
	if (gone)
		gone(ctx);
}

/* ---- answers ---- */

static void watch(struct web_request *r)
{
	r->pending = loop_stream_pending(r->stream);
	loop_timer_set(r->timer, r->web->config.stuck_ms);
}

static void send_head(struct web_request *r, unsigned status, const char *type, const char *more,
		      const char *length)
{
	char head[HEADERS_BYTES];
	int n = snprintf(head, sizeof head,
			 "HTTP/1.1 %u %s\r\nContent-Type: %s\r\n%sConnection: close\r\n%s%s\r\n",
			 status, http_head_reason(status), type, length, r->web->config.headers,
			 more);

	if (n > 0 && (size_t)n < sizeof head)
		(void)loop_stream_write(r->stream, head, (size_t)n);
}

void web_answer(struct web_request *r, unsigned status, const char *type, const char *more,
		const void *bytes, size_t len)
{
	char length[64];

	(void)snprintf(length, sizeof length, "Content-Length: %zu\r\n", len);
	r->stage = ENDING;
	send_head(r, status, type, more, length);
	if (!r->head.is_head && len > 0)
		(void)loop_stream_write(r->stream, bytes, len);
	watch(r);
}

void web_answer_text(struct web_request *r, unsigned status, const char *more, const char *text)
{
	web_answer(r, status, "text/plain; charset=utf-8", more, text, strlen(text));
}

bool web_stream(struct web_request *r, const char *type, const char *more)
{
	if (r->head.is_head) {
		web_answer(r, 200, type, more, NULL, 0);
		return false;
	}
	r->stage = STREAMING;
	send_head(r, 200, type, more, "");
	watch(r);
	return true;
}

void web_stream_send(struct web_request *r, const void *bytes, size_t len)
{
	bool was_idle = loop_stream_pending(r->stream) == 0;

	(void)loop_stream_write(r->stream, bytes, len);
	if (was_idle)
		watch(r);
}

size_t web_stream_pending(const struct web_request *r)
{
	return loop_stream_pending(r->stream);
}

const struct http_head *web_request_head(const struct web_request *r)
{
	return &r->head;
}

void web_request_watch(struct web_request *r, loop_fn *gone, void *ctx)
{
	r->gone = gone;
	r->gone_ctx = ctx;
}

/* ---- a connection ---- */

static void refuse(struct web_request *r, int status)
{
	r->web->stats.refused++;
	r->may_linger = true;
	web_answer_text(r, (unsigned)status, status == 405 ? "Allow: GET, HEAD\r\n" : "",
			"This request is not taken: GET and HEAD only, without a body.\n");
}

static void take(struct web_request *r)
{
	size_t len = http_head_end(r->bytes, r->have);
	int status;

	if (len == 0 && r->have < sizeof r->bytes)
		return;
	loop_timer_cancel(r->timer);
	/* Nothing may follow: a request that does not wait for its answer is none that we know. */
	status = len == 0 ? 431 : http_head_parse(&r->head, r->bytes, len);
	if (status != 0 || len != r->have) {
		refuse(r, status ? status : 400);
		return;
	}
	r->stage = ASKED;
	r->web->stats.requests++;
	r->web->config.asked(r->web->config.ctx, r);
}

static void on_input(void *ctx)
{
	struct web_request *r = ctx;
	char rest[1024];

	if (r->stage == READING) {
		r->have +=
			loop_stream_read(r->stream, r->bytes + r->have, sizeof r->bytes - r->have);
		take(r);
		return;
	}
	/* Nobody asks for it. */
	while (loop_stream_read(r->stream, rest, sizeof rest) > 0)
		;
}

static void on_drained(void *ctx)
{
	struct web_request *r = ctx;

	if (r->stage != ENDING)
		return;
	if (!r->may_linger) {
		end(r);
		return;
	}
	r->stage = LINGERING;
	loop_timer_set(r->timer, LINGER_MS);
}

static void on_closed(void *ctx, const char *why)
{
	(void)why;
	end(ctx);
}

static void on_timer(void *ctx)
{
	struct web_request *r = ctx;
	size_t pending = loop_stream_pending(r->stream);

	if (r->stage == READING) {
		r->web->stats.late++;
		end(r);
	} else if (r->stage == LINGERING) {
		end(r);
	} else if (pending > 0 && pending >= r->pending) {
		r->web->stats.stuck++;
		end(r);
	} else if (pending > 0) {
		watch(r);
	}
}

static const struct loop_stream_ops ops = {
	.input = on_input, .drained = on_drained, .closed = on_closed};

/* A place for one more. */
static bool make_room(struct web *web)
{
	if (web->stats.connections < web->config.max_connections)
		return true;
	for (struct web_request *r = web->oldest; r; r = r->next) {
		if (r->stage == READING) {
			web->stats.late++;
			end(r);
			return true;
		}
	}
	web->stats.no_room++;
	return false;
}

static void on_accept(void *ctx, int fd, const struct endpoint *peer)
{
	static const int buffer = SEND_BUFFER;
	struct web *web = ctx;
	struct web_request *r = make_room(web) ? calloc(1, sizeof *r) : NULL;

	(void)peer;
	if (!r || loop_timer_new(&r->timer, web->config.loop, on_timer, r) < 0) {
		free(r);
		(void)close(fd);
		return;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
	r->web = web;
	if (loop_stream_adopt(&r->stream, web->config.loop, fd, &ops, r) < 0) {
		loop_timer_free(r->timer);
		free(r);
		return;
	}
	r->prev = web->newest;
	*(r->prev ? &r->prev->next : &web->oldest) = r;
	web->newest = r;
	web->stats.connections++;
	loop_timer_set(r->timer, web->config.head_ms);
}

/* ---- the server ---- */

int web_start(struct web **ret, const struct web_config *config, struct err *err)
{
	struct web *web = calloc(1, sizeof *web);
	int rc;

	if (!web) {
		(void)close(config->fd);
		return err_set(err, -ENOMEM, "no memory for the HTTP server");
	}
	web->config = *config;
	rc = loop_listener_adopt(&web->listener, config->loop, config->fd, on_accept, web, err);
	if (rc < 0)
		free(web);
	else
		*ret = web;
	return rc;
}

void web_free(struct web *web)
{
	if (!web)
		return;
	while (web->oldest)
		end(web->oldest);
	loop_listener_free(web->listener);
	free(web);
}

void web_stats(const struct web *web, struct web_stats *ret)
{
	*ret = web->stats;
}
