// SPDX-License-Identifier: Apache-2.0
/*
 * http: a connection reads a head, answers once, and ends when the answer was taken. Its timer watches the head at
 * first, then that the answer goes on.
 */
#include "platform/http.h"

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

struct http_request {
	struct http *http;
	struct http_request *next, *prev; /* the oldest first */
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

struct http {
	struct http_config config;
	struct loop_listener *listener;
	struct http_request *oldest, *newest;
	struct http_stats stats;
};

static void request_free(struct http_request *r)
{
	struct http *http = r->http;

	*(r->prev ? &r->prev->next : &http->oldest) = r->next;
	*(r->next ? &r->next->prev : &http->newest) = r->prev;
	http->stats.connections--;
	loop_timer_free(r->timer);
	loop_stream_free(r->stream);
	free(r);
}

static void end(struct http_request *r)
{
	loop_fn *gone = r->stage == ASKED || r->stage == STREAMING ? r->gone : NULL;
	void *ctx = r->gone_ctx;

	request_free(r);
	if (gone)
		gone(ctx);
}

/* ---- answers ---- */

static const char *reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} reasons[] = {{200, "OK"},
		       {303, "See Other"},
		       {400, "Bad Request"},
		       {401, "Unauthorized"},
		       {403, "Forbidden"},
		       {404, "Not Found"},
		       {405, "Method Not Allowed"},
		       {413, "Content Too Large"},
		       {421, "Misdirected Request"},
		       {431, "Request Header Fields Too Large"},
		       {501, "Not Implemented"},
		       {503, "Service Unavailable"},
		       {505, "HTTP Version Not Supported"}};

	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
		if (reasons[i].status == status)
			return reasons[i].text;
	}
	return "";
}

static void watch(struct http_request *r)
{
	r->pending = loop_stream_pending(r->stream);
	loop_timer_set(r->timer, r->http->config.stuck_ms);
}

static void send_head(struct http_request *r, unsigned status, const char *type, const char *more,
		      const char *length)
{
	char head[HEADERS_BYTES];
	int n = snprintf(head, sizeof head,
			 "HTTP/1.1 %u %s\r\nContent-Type: %s\r\n%sConnection: close\r\n%s%s\r\n",
			 status, reason(status), type, length, r->http->config.headers, more);

	if (n > 0 && (size_t)n < sizeof head)
		(void)loop_stream_write(r->stream, head, (size_t)n);
}

void http_answer(struct http_request *r, unsigned status, const char *type, const char *more,
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

void http_answer_text(struct http_request *r, unsigned status, const char *more, const char *text)
{
	http_answer(r, status, "text/plain; charset=utf-8", more, text, strlen(text));
}

bool http_stream(struct http_request *r, const char *type, const char *more)
{
	if (r->head.is_head) {
		http_answer(r, 200, type, more, NULL, 0);
		return false;
	}
	r->stage = STREAMING;
	send_head(r, 200, type, more, "");
	watch(r);
	return true;
}

void http_stream_send(struct http_request *r, const void *bytes, size_t len)
{
	bool was_idle = loop_stream_pending(r->stream) == 0;

	(void)loop_stream_write(r->stream, bytes, len);
	if (was_idle)
		watch(r);
}

size_t http_stream_pending(const struct http_request *r)
{
	return loop_stream_pending(r->stream);
}

const struct http_head *http_request_head(const struct http_request *r)
{
	return &r->head;
}

void http_request_watch(struct http_request *r, loop_fn *gone, void *ctx)
{
	r->gone = gone;
	r->gone_ctx = ctx;
}

/* ---- a connection ---- */

static void refuse(struct http_request *r, int status)
{
	r->http->stats.refused++;
	r->may_linger = true;
	http_answer_text(r, (unsigned)status, status == 405 ? "Allow: GET, HEAD\r\n" : "",
			 "This request is not taken: GET and HEAD only, without a body.\n");
}

static void take(struct http_request *r)
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
	r->http->stats.requests++;
	r->http->config.asked(r->http->config.ctx, r);
}

static void on_input(void *ctx)
{
	struct http_request *r = ctx;
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
	struct http_request *r = ctx;

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
	struct http_request *r = ctx;
	size_t pending = loop_stream_pending(r->stream);

	if (r->stage == READING) {
		r->http->stats.late++;
		end(r);
	} else if (r->stage == LINGERING) {
		end(r);
	} else if (pending > 0 && pending >= r->pending) {
		r->http->stats.stuck++;
		end(r);
	} else if (pending > 0) {
		watch(r);
	}
}

static const struct loop_stream_ops ops = {
	.input = on_input, .drained = on_drained, .closed = on_closed};

/* A place for one more. */
static bool make_room(struct http *http)
{
	if (http->stats.connections < http->config.max_connections)
		return true;
	for (struct http_request *r = http->oldest; r; r = r->next) {
		if (r->stage == READING) {
			http->stats.late++;
			end(r);
			return true;
		}
	}
	http->stats.no_room++;
	return false;
}

static void on_accept(void *ctx, int fd, const struct endpoint *peer)
{
	static const int buffer = SEND_BUFFER;
	struct http *http = ctx;
	struct http_request *r = make_room(http) ? calloc(1, sizeof *r) : NULL;

	(void)peer;
	if (!r || loop_timer_new(&r->timer, http->config.loop, on_timer, r) < 0) {
		free(r);
		(void)close(fd);
		return;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
	r->http = http;
	if (loop_stream_adopt(&r->stream, http->config.loop, fd, &ops, r) < 0) {
		loop_timer_free(r->timer);
		free(r);
		return;
	}
	r->prev = http->newest;
	*(r->prev ? &r->prev->next : &http->oldest) = r;
	http->newest = r;
	http->stats.connections++;
	loop_timer_set(r->timer, http->config.head_ms);
}

/* ---- the server ---- */

int http_start(struct http **ret, const struct http_config *config, struct err *err)
{
	struct http *http = calloc(1, sizeof *http);
	int rc;

	if (!http) {
		(void)close(config->fd);
		return err_set(err, -ENOMEM, "no memory for the HTTP server");
	}
	http->config = *config;
	rc = loop_listener_adopt(&http->listener, config->loop, config->fd, on_accept, http, err);
	if (rc < 0)
		free(http);
	else
		*ret = http;
	return rc;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	while (http->oldest)
		end(http->oldest);
	loop_listener_free(http->listener);
	free(http);
}

void http_stats(const struct http *http, struct http_stats *ret)
{
	*ret = http->stats;
}
