// SPDX-License-Identifier: Apache-2.0
/*
 * responder: see responder.h.
 */
#include "platform/responder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/http_head.h"
#include "platform/socket.h"

/* Before the body: the status line and the headers. */
enum { ANSWER_HEAD = 256 };

struct slot {
	int fd; /* -1: free */
	uint64_t since_ms;
	size_t len;
	char head[RESPONDER_HEAD_BYTES];
};

struct responder {
	int fd;
	responder_fn *fn;
	void *ctx;
	struct responder_stats stats;
	struct slot slots[RESPONDER_SLOTS];
	char answer[ANSWER_HEAD + RESPONDER_BODY_BYTES];
};

int responder_new(struct responder **ret, const struct endpoint *at, struct endpoint *ret_local,
		  responder_fn *fn, void *ctx, struct err *err)
{
	/* Of accepted sockets too: so the kernel takes a whole answer, whoever reads how slowly. */
	static const int buffer = 2 * (ANSWER_HEAD + RESPONDER_BODY_BYTES);
	struct responder *r = calloc(1, sizeof *r);
	int rc;

	if (!r)
		return err_set(err, -ENOMEM, "out of memory");
	r->fn = fn;
	r->ctx = ctx;
	for (size_t i = 0; i < RESPONDER_SLOTS; i++)
		r->slots[i].fd = -1;
	rc = socket_listen(&r->fd, at, ret_local, err);
	if (rc == 0 && setsockopt(r->fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer) < 0) {
		rc = err_errno(err, "buffer of a socket");
		(void)close(r->fd);
	}
	if (rc < 0) {
		free(r);
		return rc;
	}
	*ret = r;
	return 0;
}

static void drop(struct slot *s)
{
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
}

void responder_free(struct responder *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < RESPONDER_SLOTS; i++)
		drop(&r->slots[i]);
	(void)close(r->fd);
	free(r);
}

size_t responder_memory(void)
{
	return sizeof(struct responder);
}

void responder_stats(const struct responder *r, struct responder_stats *ret)
{
	*ret = r->stats;
}

/* ---- answering ---- */

/* The head is written right before the body, so that both go out in one piece. */
static void send_answer(struct responder *r, struct slot *s, const struct responder_answer *answer,
			bool without_body)
{
	char head[ANSWER_HEAD];
	int n = snprintf(head, sizeof head,
			 "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
			 "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
			 "Connection: close\r\n\r\n",
			 answer->status, http_head_reason(answer->status), answer->type,
			 answer->len);
	size_t len = n > 0 && (size_t)n < sizeof head ? (size_t)n : 0;
	size_t whole = len + (without_body ? 0 : answer->len);
	char *begin = r->answer + ANSWER_HEAD - len;

	memcpy(begin, head, len);
	if (len > 0 && send(s->fd, begin, whole, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)whole)
		r->stats.answered++;
	else
		r->stats.cut_off++;
	(void)shutdown(s->fd, SHUT_WR);
	drop(s);
}

static void refuse(struct responder *r, struct slot *s, unsigned status)
{
	const char *reason = http_head_reason(status);
	struct responder_answer answer = {
		.status = status, .type = "text/plain", .len = strlen(reason)};

	memcpy(r->answer + ANSWER_HEAD, reason, answer.len);
	send_answer(r, s, &answer, false);
}

static void answer(struct responder *r, struct slot *s, size_t len)
{
	struct responder_answer given = {.status = 404, .type = "text/plain"};
	struct http_head head;
	int status = http_head_parse(&head, s->head, len);

	if (status) {
		refuse(r, s, (unsigned)status);
		return;
	}
	r->fn(r->ctx, head.path, r->answer + ANSWER_HEAD, &given);
	if (given.status != 200 && given.len == 0)
		refuse(r, s, given.status);
	else
		send_answer(r, s, &given, head.is_head);
}

/* ---- turns ---- */

static struct slot *free_slot(struct responder *r)
{
	struct slot *oldest = &r->slots[0];

	for (size_t i = 0; i < RESPONDER_SLOTS; i++) {
		if (r->slots[i].fd < 0)
			return &r->slots[i];
		if (r->slots[i].since_ms < oldest->since_ms)
			oldest = &r->slots[i];
	}
	r->stats.cut_off++;
	drop(oldest);
	return oldest;
}

static void accept_some(struct responder *r, uint64_t now_ms)
{
	for (size_t i = 0; i < RESPONDER_SLOTS; i++) {
		int fd = accept4(r->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct slot *s;

		if (fd < 0)
			return;
		s = free_slot(r);
		s->fd = fd;
		s->since_ms = now_ms;
		s->len = 0;
	}
}

static void read_on(struct responder *r, struct slot *s, uint64_t now_ms)
{
	ssize_t n = recv(s->fd, s->head + s->len, sizeof s->head - s->len, MSG_DONTWAIT);
	size_t end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (now_ms - s->since_ms < RESPONDER_HEAD_MS)
			return;
		n = 0;
	}
	if (n <= 0) {
		r->stats.cut_off++;
		drop(s);
		return;
	}
	s->len += (size_t)n;
	end = http_head_end(s->head, s->len);
	if (end > 0)
		answer(r, s, end);
	else if (s->len == sizeof s->head)
		refuse(r, s, 431);
}

bool responder_turn(struct responder *r, uint64_t now_ms)
{
	bool waits = false;

	accept_some(r, now_ms);
	for (size_t i = 0; i < RESPONDER_SLOTS; i++) {
		if (r->slots[i].fd >= 0)
			read_on(r, &r->slots[i], now_ms);
		waits = waits || r->slots[i].fd >= 0;
	}
	return waits;
}
