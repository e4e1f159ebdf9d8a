// SPDX-License-Identifier: Apache-2.0
/*
 * session, canaries: sends them, takes what comes back, and asks the pipeline what the capture saw of both.
 */
#include "sensor/session_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/crypto.h"
#include "platform/log.h"
#include "platform/socket.h"
#include "sensor/canary.h"

struct session_canary {
	struct session *session;
	struct canary_run run;
	struct endpoint local;
	const struct endpoint *port; /* the collector's */
	int fd;
	struct loop_timer *timer;
	struct loop_watch *watch;
	uint64_t fine_s;     /* Unix seconds of the last look at which nothing new was missing */
	uint64_t reported_s; /* of the last BATCH_EVENT_CANARIES */
};

enum { REPORT_S = 60 };

static uint64_t mono_ms(void)
{
	return clock_mono_ns() / NS_PER_MS;
}

static void report(struct session_canary *c)
{
	const struct canary_run *run = &c->run;
	char text[ADDR_ENDPOINT_TEXT];

	c->reported_s = clock_wall_ns() / NS_PER_S;
	session_stream_event(c->session, BATCH_EVENT_CANARIES, endpoint_text(text, c->port), 4,
			     (const int64_t[]){(int64_t)run->sent.packets,
					       (int64_t)run->returned.packets, (int64_t)run->blind,
					       (int64_t)run->unsendable});
}

/* Holds what was sent and came back against what the capture saw. */
static void look(struct session_canary *c)
{
	uint64_t now_ns = clock_wall_ns(), missing;
	char text[ADDR_ENDPOINT_TEXT];
	struct flow_count seen[2];

	pipeline_followed(c->session->pipeline, seen);
	missing = canary_check(&c->run, &seen[0], &seen[1], mono_ms());
	if (missing) {
		log_warn(
			"canary",
			"%llu of our own datagrams were not seen by the capture: it is blinded, or "
			"loses packets unseen",
			(unsigned long long)missing);
		pipeline_blind(c->session->pipeline, c->fine_s, now_ns);
		session_stream_event(c->session, BATCH_EVENT_BLIND, endpoint_text(text, c->port), 2,
				     (const int64_t[]){(int64_t)missing, (int64_t)c->fine_s});
	} else {
		c->fine_s = now_ns / NS_PER_S;
	}
}

static void on_answer(void *ctx)
{
	struct session_canary *c = ctx;
	uint8_t bytes[CANARY_MAX + 1];
	ssize_t len;

	/* An error here is that of a datagram sent before: the port is closed. */
	while ((len = recv(c->fd, bytes, sizeof bytes, 0)) >= 0)
		(void)canary_returned(&c->run, bytes, (size_t)len, mono_ms());
}

static void on_timer(void *ctx)
{
	struct session_canary *c = ctx;
	uint8_t random[CANARY_MAX], out[CANARY_MAX];
	uint32_t pause;
	size_t len;

	if (c->session->input_over)
		return;
	look(c);
	if (clock_wall_ns() / NS_PER_S - c->reported_s >= REPORT_S)
		report(c);
	crypto_random(random, sizeof random);
	len = canary_next(&c->run, random, out);
	canary_sent(&c->run, len, send(c->fd, out, len, 0) != (ssize_t)len, mono_ms());
	crypto_random(&pause, sizeof pause);
	loop_timer_set(c->timer,
		       canary_pause_ms((uint32_t)c->session->options->canary_s * 1000, pause));
}

int session_canary_open(struct session *s, struct err *err)
{
	struct session_canary *c = calloc(1, sizeof *c);
	int rc;

	s->canary = c;
	if (!c)
		return err_set(err, -ENOMEM, "no memory for the canaries");
	c->session = s;
	c->port = &s->options->canary_at;
	c->fd = -1;
	canary_init(&c->run, s->hello.stream, c->port->family);
	rc = socket_udp_connect(&c->fd, c->port, &c->local, err);
	if (!rc && (loop_timer_new(&c->timer, s->loop, on_timer, c) != 0 ||
		    loop_watch_new(&c->watch, s->loop, c->fd, on_answer, c) != 0))
		rc = err_set(err, -ENOMEM, "no memory for the canaries");
	if (!rc)
		pipeline_follow(s->pipeline, &c->local, c->port);
	return rc;
}

void session_canary_start(struct session *s)
{
	s->canary->fine_s = s->canary->reported_s = clock_wall_ns() / NS_PER_S;
	/* The first at once: who is blind from the start is told so at the second. */
	loop_timer_set(s->canary->timer, 0);
}

void session_canary_end(struct session *s)
{
	look(s->canary);
	report(s->canary);
}

void session_canary_print(const struct session *s, FILE *out)
{
	const struct canary_run *run = &s->canary->run;
	uint64_t due = run->sent.packets + run->returned.packets;

	fprintf(out, "canaries: sent %llu, came back %llu, not seen by the capture %llu",
		(unsigned long long)run->sent.packets, (unsigned long long)run->returned.packets,
		(unsigned long long)run->blind);
	if (run->unsendable)
		fprintf(out, ", refused by the kernel %llu", (unsigned long long)run->unsendable);
	if (due >= 3 && run->blind == 0)
		fprintf(out,
			"; at most %llu.%llu %% of packets lost unseen (95 %%, loss without regard "
			"to "
			"content)",
			(unsigned long long)(300 / due), (unsigned long long)(3000 / due % 10));
	fputc('\n', out);
}

void session_canary_free(struct session *s)
{
	struct session_canary *c = s->canary;

	if (!c)
		return;
	loop_timer_free(c->timer);
	loop_watch_free(c->watch);
	if (c->fd >= 0)
		(void)close(c->fd);
	free(c);
}
