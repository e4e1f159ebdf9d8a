// SPDX-License-Identifier: Apache-2.0
/*
 * See alert_engine.h.
 */
#include "collector/alert_engine.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collector/alert_limit.h"
#include "evidence/findings.h"
#include "evidence/follow.h"
#include "platform/clock.h"
#include "platform/log.h"

static const char tag[] = "alerts";

enum {
	LOOK_MS = 100,            /* between two looks at the ledger, */
	LOOKS_SHARE = 20,         /* and so many times what a look takes, */
	LOOK_MAX_MS = 5000,       /* but not longer */
	BUDGET = 4 * 1024 * 1024, /* bytes of a look, then the control is looked at */
	FILE_WAIT_MS = 1000,      /* for a file that is slower than the findings */
};

struct to {
	struct alert_limit limit;
	bool is_stuck; /* a message found no room; is not waited for until one does */
	bool is_gone;
};

struct engine {
	const struct alert_engine_config *config;
	struct findings *findings;
	struct follow *follow;
	uint64_t begun_ns;  /* wall clock */
	bool has_caught_up; /* all that was there at the start was read */
	bool is_old;        /* what was added since news was last asked for came before the start */
	bool is_fresh;      /* something was added since */
	bool has_ended;
	struct to to[ALERT_OUTPUTS_MAX];
	char host[256], proc[16];
	char head[ALERT_HEAD_TEXT];
	char message[ALERT_MAX];
	size_t line_len;
	char line[ALERT_HEAD_TEXT]; /* of the control, as far as it came */
};

/* ---- sending ---- */

static bool has_room(struct to *to, int socket, bool is_file)
{
	struct pollfd p = {.fd = socket, .events = POLLOUT};

	return !is_file || to->is_stuck || poll(&p, 1, FILE_WAIT_MS) > 0;
}

static void send_to(struct engine *e, size_t i, struct alert *alert)
{
	const struct alert_output *o = &e->config->outputs[i];
	struct to *to = &e->to[i];
	char *message = e->message;
	size_t len;

	alert->suppressed = to->limit.suppressed;
	len = o->is_syslog ? alert_print_syslog(message, e->config->format, alert, e->host, e->proc)
			   : alert_print(message, e->config->format, alert);
	if (len == 0)
		return;
	if (has_room(to, o->socket, o->is_file) &&
	    send(o->socket, message, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len) {
		to->limit.suppressed = 0;
		to->is_stuck = false;
		return;
	}
	if (errno == EPIPE || errno == ECONNRESET) {
		to->is_gone = true;
		log_err(tag, "%s: its process is gone: no more alerts are told there", o->name);
		return;
	}
	if (alert->finding)
		to->limit.suppressed++;
	if (!to->is_stuck)
		log_warn(tag, "%s: alerts come faster than it takes them; some are left out",
			 o->name);
	to->is_stuck = true;
}

static void send_all(struct engine *e, struct alert *alert)
{
	uint64_t now_ns = clock_mono_ns();

	alert->now_s = clock_wall_ns() / NS_PER_S;
	alert->head = e->head;
	for (size_t i = 0; i < e->config->n_outputs; i++) {
		const struct alert_output *o = &e->config->outputs[i];

		if (e->to[i].is_gone)
			continue;
		/* A file holds all; heads of their own go where nobody is woken by them. */
		if (alert->finding ? o->is_file || alert_limit_take(&e->to[i].limit, now_ns)
				   : o->is_file || o->is_syslog)
			send_to(e, i, alert);
	}
}

static void tell_owed(struct engine *e, bool is_end)
{
	uint64_t now_ns = clock_mono_ns();

	for (size_t i = 0; i < e->config->n_outputs; i++) {
		struct alert alert = {.why = ALERT_SUPPRESSED,
				      .now_s = clock_wall_ns() / NS_PER_S,
				      .head = e->head};

		if (!e->to[i].is_gone && (alert_limit_is_owed(&e->to[i].limit, now_ns) ||
					  (is_end && e->to[i].limit.suppressed > 0)))
			send_to(e, i, &alert);
	}
}

/* ---- finding ---- */

static void tell_news(struct engine *e)
{
	const struct finding *f;

	while ((f = findings_next_news(e->findings)) != NULL) {
		struct finding_origin origin;
		struct alert alert = {.finding = f, .origin = &origin};

		if (e->is_old || f->severity < e->config->threshold)
			continue;
		findings_origin(e->findings, f, &origin);
		alert.why = alert_why(f, e->config->threshold);
		send_all(e, &alert);
	}
	e->is_fresh = false;
}

static int take_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		      struct batch *batch)
{
	struct engine *e = ctx;
	const struct findings_from from = {.sensor = entry->sensor,
					   .stream = entry->stream,
					   .hello = hello,
					   .sequence = entry->sequence};
	/* Once all was read there is nothing old, wherever the clock is put. */
	bool is_old = !e->has_caught_up && entry->received_ns < e->begun_ns;

	if (e->is_fresh && is_old != e->is_old)
		tell_news(e);
	e->is_old = is_old;
	e->is_fresh = true;
	return findings_add_batch(e->findings, &from, batch);
}

static const struct replay_ops ops = {.batch = take_batch};

/* ---- control ---- */

static void take_head(struct engine *e)
{
	struct alert alert = {.why = ALERT_HEAD};

	memcpy(e->head, e->line, e->line_len);
	e->head[e->line_len] = '\0';
	send_all(e, &alert);
}

/* Waits up to `ms` (negative: for as long as it takes) for heads. */
static void control(struct engine *e, int ms)
{
	struct pollfd p = {.fd = e->config->control, .events = POLLIN};
	char bytes[512];
	ssize_t n;

	if (e->has_ended || poll(&p, 1, ms) <= 0)
		return;
	n = read(p.fd, bytes, sizeof bytes);
	e->has_ended = n == 0 || (n < 0 && errno != EINTR);
	for (ssize_t i = 0; i < n; i++) {
		if (bytes[i] == '\n') {
			take_head(e);
			e->line_len = 0;
		} else if (e->line_len < sizeof e->line - 1) {
			e->line[e->line_len++] = bytes[i];
		}
	}
}

/* ---- the process ---- */

static int begin(struct engine *e, struct err *err)
{
	const struct findings_config config = {.max = FINDINGS_MAX_LIVE};
	struct sandbox_state state = {.landlock = 0};
	int rc = findings_new(&e->findings, &config, err);

	if (rc == 0)
		rc = follow_new(&e->follow, e->config->store, &ops, e, err);
	if (rc == 0 && !e->config->no_sandbox)
		rc = sandbox_enter(&e->config->sandbox, &state, err);
	if (rc == 0 && state.new_root)
		follow_is_root(e->follow);
	return rc;
}

static int pause_ms(uint64_t look_ns)
{
	uint64_t ms = look_ns * LOOKS_SHARE / NS_PER_MS;

	return ms < LOOK_MS ? LOOK_MS : ms > LOOK_MAX_MS ? LOOK_MAX_MS : (int)ms;
}

static void work(struct engine *e)
{
	uint64_t end_ns = 0, told_ns = 0, look_ns;
	struct err err;
	int rc;

	for (;;) {
		look_ns = clock_mono_ns();
		rc = follow_on(e->follow, BUDGET, &err);
		look_ns = clock_mono_ns() - look_ns;
		tell_news(e);
		tell_owed(e, false);
		if (rc == -ENOMEM) {
			log_err(tag, "%s: no more alerts", err.text);
			return;
		}
		if (rc < 0 && (told_ns == 0 || clock_mono_ns() - told_ns > 60ULL * NS_PER_S)) {
			told_ns = clock_mono_ns();
			log_err(tag, "%s; trying again", err.text);
		}
		if (rc == 0 && !e->has_caught_up) {
			e->has_caught_up = true;
			log_info(tag, "%llu bytes of the ledger were read; findings are told",
				 (unsigned long long)follow_read(e->follow));
		}
		if (e->has_ended && end_ns == 0)
			end_ns = clock_mono_ns() + ALERT_END_S * (uint64_t)NS_PER_S;
		else if (e->has_ended && (rc <= 0 || clock_mono_ns() > end_ns))
			break;
		control(e, rc == 1 ? 0 : pause_ms(look_ns));
	}
	tell_owed(e, true);
}

void alert_engine_run(const struct alert_engine_config *config)
{
	struct engine *e = calloc(1, sizeof *e);
	struct err err = {""};

	if (!e)
		_exit(3);
	e->config = config;
	e->begun_ns = clock_wall_ns();
	if (gethostname(e->host, sizeof e->host - 1) < 0)
		e->host[0] = '\0';
	(void)snprintf(e->proc, sizeof e->proc, "%d", (int)getppid());
	for (size_t i = 0; i < config->n_outputs; i++)
		e->to[i].limit.per_minute = config->per_minute;
	/* The store is there when the first head comes. */
	while (!e->has_ended && e->head[0] == '\0')
		control(e, -1);
	if (e->has_ended && e->head[0] == '\0')
		_exit(0);
	if (begin(e, &err) < 0) {
		log_err(tag, "%s", err.text);
		_exit(3);
	}
	work(e);
	_exit(0);
}
