// SPDX-License-Identifier: Apache-2.0
/*
 * session, log files: wires the opener's process, the files that are followed and the stream. Flows come first: pieces
 * go into the spool only while it has room to spare; until then they stay where they are. A log that was wiped is told at
 * once.
 */
#include "sensor/session_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/log.h"
#include "sensor/confine.h"
#include "sensor/tail.h"

struct session_tail {
	struct tail_opener *opener;
	struct tail *tail;
	struct loop_watch *watch;
};

static struct tail_time now(void)
{
	return (struct tail_time){.ms = clock_mono_ns() / NS_PER_MS, .ns = clock_wall_ns()};
}

static void on_piece(void *ctx, const struct batch_log *piece)
{
	struct session *s = ctx;

	spool_log(s->spool, piece, piece->time_ns);
}

static bool is_wiped(enum batch_event_kind kind)
{
	return kind == BATCH_EVENT_LOG_SHRANK || kind == BATCH_EVENT_LOG_VANISHED ||
	       kind == BATCH_EVENT_LOG_REWRITTEN;
}

static void on_event(void *ctx, enum batch_event_kind kind, const char *text,
		     const int64_t values[static BATCH_EVENT_VALUES])
{
	struct session *s = ctx;

	spool_logs_end(s->spool, clock_wall_ns());
	(is_wiped(kind) ? session_stream_urgent : session_stream_event)(s, kind, text,
									BATCH_EVENT_VALUES, values);
}

static bool on_ask(void *ctx, const struct tail_ask *ask)
{
	struct session *s = ctx;

	return tail_opener_ask(s->tail->opener, ask);
}

static const struct tail_ops ops = {.piece = on_piece, .event = on_event, .ask = on_ask};

/* What was read goes out with what else there is. */
static void finish(struct session *s)
{
	spool_logs_end(s->spool, clock_wall_ns());
	uplink_kick(s->uplink);
}

static void on_answers(void *ctx)
{
	struct session *s = ctx;
	struct session_tail *t = s->tail;
	struct tail_answer answer = {.fd = -1};
	int rc;

	while ((rc = tail_opener_take(t->opener, &answer, false)) == 1)
		tail_take(t->tail, &answer, now());
	if (rc < 0) {
		loop_watch_free(t->watch);
		t->watch = NULL;
		tail_alone(t->tail, now());
	}
	finish(s);
}

static const char *const *paths_of(const struct options *o)
{
	return (const char *const *)o->tails.v;
}

int session_tail_fork(struct session *s, struct err *err)
{
	const struct options *o = s->options;
	struct sandbox like;

	s->tail = calloc(1, sizeof *s->tail);
	if (!s->tail)
		return err_set(err, -ENOMEM, "no memory for log files");
	confine_describe(&like, o);
	return tail_opener_start(&s->tail->opener, paths_of(o), o->tails.n,
				 o->no_sandbox ? NULL : &like, err);
}

int session_tail_wire(struct session *s, struct err *err)
{
	const struct options *o = s->options;
	struct session_tail *t = s->tail;
	const struct tail_config config = {.paths = paths_of(o),
					   .n = o->tails.n,
					   .rate = o->tail_kib_s * 1024,
					   .from_start = o->tail_from_start};

	if (tail_new(&t->tail, &config, &ops, s) != 0 ||
	    loop_watch_new(&t->watch, s->loop, tail_opener_fd(t->opener), on_answers, s) != 0)
		return err_set(err, -ENOMEM, "no memory for log files");
	return 0;
}

/* What is no file is a mistake of the settings; what is not there yet, or may not be read, is told. */
int session_tail_open(struct session *s, struct err *err)
{
	struct session_tail *t = s->tail;
	struct tail_answer answer = {.fd = -1};

	(void)tail_tick(t->tail, now(), false);
	for (size_t i = 0; i < s->options->tails.n; i++) {
		if (tail_opener_take(t->opener, &answer, true) != 1)
			return err_set(err, -ECHILD, "the process that opens log files has ended");
		if (answer.there == TAIL_UNREADABLE && answer.error == 0)
			return err_set(err, ERR_USAGE,
				       "--tail %s is %s: give the path of the log file itself",
				       s->options->tails.v[answer.file], answer.text);
		tail_take(t->tail, &answer, now());
	}
	return 0;
}

bool session_tail_tick(struct session *s)
{
	bool more = tail_tick(s->tail->tail, now(), spool_takes_logs(s->spool, TAIL_TURN_BYTES));

	finish(s);
	return more;
}

void session_tail_end(struct session *s)
{
	tail_end(s->tail->tail, now(), spool_takes_logs(s->spool, TAIL_TURN_BYTES));
	finish(s);
}

void session_tail_free(struct session *s)
{
	struct session_tail *t = s->tail;

	if (!t)
		return;
	loop_watch_free(t->watch);
	tail_free(t->tail);
	tail_opener_free(t->opener);
	free(t);
}
