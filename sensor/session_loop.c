// SPDX-License-Identifier: Apache-2.0
/*
 * session, with a loop: frames and the clock live, room in the spool for a file, and the signals
 * that end it.
 */
#include "sensor/session_parts.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/config.h"
#include "platform/early.h"
#include "platform/log.h"
#include "sensor/confine.h"

enum {
	STOP_MS = 2 * CAPTURE_DELAY_MS,
	TICK_MS = 250,     /* live: windows, drops */
	TAIL_TICK_MS = 20, /* while there is more of log files to be read than a turn takes */
};

/* What the loop's callbacks for one interface need. */
struct input {
	struct session *session;
	uint16_t iface;
};

void session_stop(struct session *s, int rc)
{
	if (!s->rc)
		s->rc = rc;
	loop_stop(s->loop);
}

static bool streams(const struct session *s)
{
	return IS_ENABLED(CONFIG_STREAM) && s->spool;
}

/* No more input: windows are closed; what they hold and the goodbye are delivered, for a while. */
static void end_input(struct session *s)
{
	if (s->input_over)
		return;
	s->input_over = true;
	for (uint16_t i = 0; i < s->n_captures; i++) {
		loop_watch_free(s->watches[i]);
		s->watches[i] = NULL;
	}
	if (IS_ENABLED(CONFIG_CANARY) && s->canary)
		session_canary_end(s);
	if (IS_ENABLED(CONFIG_BLIND) && s->blind)
		session_blind_look(s);
	if (IS_ENABLED(CONFIG_IMDS) && s->asking)
		session_identity_end(s);
	if (IS_ENABLED(CONFIG_HOST) && s->host)
		session_host_tell(s);
	if (IS_ENABLED(CONFIG_TAIL) && s->tail)
		session_tail_end(s);
	pipeline_end(s->pipeline, clock_wall_ns());
	if (!streams(s)) {
		session_stop(s, 0);
		return;
	}
	loop_timer_set(s->deadline, SESSION_DELIVER_MS);
	loop_timer_set(s->tick, 0);
}

static void on_deadline(void *ctx)
{
	struct session *s = ctx;

	if (streams(s))
		session_stream_late(s);
	else
		session_stop(s, 0);
}

static void on_signal(void *ctx)
{
	struct session *s = ctx;

	if (s->input_over || s->stopping) {
		on_deadline(s); /* asked twice: no more patience */
		return;
	}
	log_info("sensor", "ending: closing windows and delivering");
	if (!IS_ENABLED(CONFIG_LIVE) || s->options->read) {
		end_input(s);
		return;
	}
	/* The kernel hands over what it has within a ring's time-out; only then is the account
	 * complete. */
	for (uint16_t i = 0; i < s->n_captures; i++)
		capture_stop(s->captures[i]);
	s->stopping = true;
	loop_timer_set(s->tick, STOP_MS);
}

static void after_input(struct session *s, int n)
{
	if (n < 0 && n != CAPTURE_END) {
		s->rc = n;
		log_err("capture", "%s", s->err->text);
	}
	if (!pipeline_output_ok(s->pipeline) && !s->rc)
		s->rc = err_set(s->err, -EIO, "records could not be written to %s",
				s->options->output ? s->options->output : "standard output");
	if (n < 0 || s->rc)
		end_input(s);
	else if (streams(s) && !s->input_over)
		session_stream_flush(s);
}

/* ---- live ---- */

/* The stream's readers learn why it ends. */
static void tell_gone(struct session *s, uint16_t iface)
{
	const int64_t number = iface;

	if (streams(s))
		session_stream_event(s, BATCH_EVENT_INTERFACE_GONE, s->options->interfaces.v[iface],
				     1, &number);
}

static void on_frames(void *ctx)
{
	struct input *in = ctx;
	struct session *s = in->session;
	int n = pipeline_input(s->pipeline, in->iface, SESSION_FRAMES_PER_TURN, clock_wall_ns(),
			       s->err);

	if (n < 0 && n != CAPTURE_END)
		tell_gone(s, in->iface);
	after_input(s, n);
}

static void on_live_tick(void *ctx)
{
	struct session *s = ctx;
	int rc;

	if (s->input_over) {
		if (streams(s))
			session_stream_rest(s);
		return;
	}
	if (s->stopping) {
		end_input(s);
		return;
	}
	loop_timer_set(s->tick, TICK_MS);
	if (streams(s))
		session_stream_tick(s);
	if (IS_ENABLED(CONFIG_HOST) && s->host)
		session_host_tick(s);
	if (IS_ENABLED(CONFIG_METRICS) && s->metrics)
		session_metrics_turn(s);
	if (IS_ENABLED(CONFIG_TAIL) && s->tail && session_tail_tick(s))
		loop_timer_set(s->tick, TAIL_TICK_MS);
	if (IS_ENABLED(CONFIG_BLIND) && s->blind)
		session_blind_tick(s);
	rc = pipeline_tick(s->pipeline, clock_wall_ns(), s->err);
	for (uint16_t i = 0; !rc && i < s->n_captures; i++) {
		rc = capture_present(s->captures[i], s->err);
		if (rc)
			tell_gone(s, i);
	}
	after_input(s, rc);
}

static int watch_captures(struct session *s, struct input *inputs, struct err *err)
{
	for (uint16_t i = 0; i < s->n_captures; i++) {
		inputs[i] = (struct input){.session = s, .iface = i};
		if (loop_watch_new(&s->watches[i], s->loop, capture_fd(s->captures[i]), on_frames,
				   &inputs[i]) != 0)
			return err_set(err, -EIO, "%s: cannot be waited for",
				       s->options->interfaces.v[i]);
	}
	return 0;
}

static void say_watching(const struct session *s, uint16_t i)
{
	static const char *const how[] = {[WIRE_OFFLOAD_AS_IS] = "frames are counted as they are",
					  [WIRE_OFFLOAD_ESTIMATE] = "wire packets are estimated",
					  [WIRE_OFFLOAD_KERNEL] = "the kernel tells wire packets"};
	const struct wire_link *link = &s->links[i];
	char features[NIC_OFFLOAD_TEXT];

	log_info("capture", "watching %s, ring %llu KiB; offload: %s; %s",
		 s->options->interfaces.v[i], (unsigned long long)s->options->ring_kib,
		 link->features_known ? nic_offload_text(features, link->features) : "unknown",
		 how[link->offload]);
}

/* ---- a file to a collector ---- */

/* Reads while the spool has room; acknowledgements wake it up again. */
static void on_replay_tick(void *ctx)
{
	struct session *s = ctx;

	if (s->input_over) {
		session_stream_rest(s);
		return;
	}
	if (!spool_has_room(s->spool)) {
		uplink_kick(s->uplink);
		session_stream_flush(s);
		return;
	}
	if (pipeline_sweep(s->pipeline, clock_wall_ns()))
		after_input(s, pipeline_input(s->pipeline, 0, SESSION_REPLAY_FRAMES_PER_TURN,
					      clock_wall_ns(), s->err));
	if (!s->input_over)
		loop_timer_set(s->tick, 0);
}

/* ---- both ---- */

static int set_up(struct session *s, struct input *inputs, bool live, struct err *err)
{
	loop_fn *tick = IS_ENABLED(CONFIG_LIVE) && live ? on_live_tick
			: IS_ENABLED(CONFIG_STREAM)     ? on_replay_tick
							: on_deadline;
	int rc = loop_new(&s->loop, err);

	if (rc)
		return rc;
	if (loop_timer_new(&s->tick, s->loop, tick, s) != 0 ||
	    loop_timer_new(&s->deadline, s->loop, on_deadline, s) != 0 ||
	    loop_signal_new(&s->sigterm, s->loop, SIGTERM, on_signal, s) != 0 ||
	    loop_signal_new(&s->sigint, s->loop, SIGINT, on_signal, s) != 0)
		return err_set(err, -ENOMEM, "out of memory");
	if (IS_ENABLED(CONFIG_LIVE) && live)
		rc = watch_captures(s, inputs, err);
	if (!rc && streams(s))
		rc = session_stream_wire(s, err);
	if (IS_ENABLED(CONFIG_HOST) && !rc && live && streams(s))
		rc = session_host_new(s, err);
	if (IS_ENABLED(CONFIG_CANARY) && !rc && s->options->canary)
		rc = session_canary_open(s, err);
	if (IS_ENABLED(CONFIG_BLIND) && !rc && live && s->options->blind_s)
		rc = session_blind_open(s, err);
	if (IS_ENABLED(CONFIG_IMDS) && !rc && live && s->options->asks_metadata)
		rc = session_identity_open(s, err);
	if (IS_ENABLED(CONFIG_METRICS) && !rc && s->options->metrics)
		rc = session_metrics_open(s, err);
	if (IS_ENABLED(CONFIG_TAIL) && !rc && s->tail)
		rc = session_tail_wire(s, err);
	return rc;
}

int session_run_loop(struct session *s, struct err *err)
{
	struct input inputs[WIRE_INTERFACES_MAX];
	bool live = s->options->read == NULL;
	char sandbox[SANDBOX_TEXT];
	int rc = set_up(s, inputs, live, err);

	/* From here on the kernel keeps each frame for us; after the next step no such socket is to be had. */
	if (IS_ENABLED(CONFIG_LIVE) && !rc && live)
		(void)early_ready(getenv("NOTIFY_SOCKET"));
	if (!rc)
		rc = confine_enter(s->options, sandbox, err);
	if (rc)
		return rc;
	if (streams(s))
		session_stream_start(s, sandbox);
	if (IS_ENABLED(CONFIG_TAIL) && s->tail)
		rc = session_tail_open(s, err);
	if (rc)
		return rc;
	if (IS_ENABLED(CONFIG_HOST) && s->host)
		session_host_tell(s);
	if (IS_ENABLED(CONFIG_BLIND) && s->blind)
		session_blind_look(s);
	if (IS_ENABLED(CONFIG_CANARY) && s->canary)
		session_canary_start(s);
	if (IS_ENABLED(CONFIG_IMDS) && s->asking)
		session_identity_start(s);
	loop_timer_set(s->tick, 0);
	if (!live)
		loop_timer_set(s->deadline, SESSION_REPLAY_PATIENCE_MS);
	for (uint16_t i = 0; IS_ENABLED(CONFIG_LIVE) && live && i < s->n_captures; i++)
		say_watching(s, i);
	return loop_run(s->loop);
}

void session_free_loop(struct session *s)
{
	if (IS_ENABLED(CONFIG_METRICS))
		session_metrics_free(s);
	if (IS_ENABLED(CONFIG_CANARY))
		session_canary_free(s);
	if (IS_ENABLED(CONFIG_BLIND))
		session_blind_free(s);
	if (IS_ENABLED(CONFIG_IMDS))
		session_identity_free(s);
	if (IS_ENABLED(CONFIG_TAIL))
		session_tail_free(s);
	if (IS_ENABLED(CONFIG_HOST))
		session_host_free(s);
	loop_timer_free(s->tick);
	loop_timer_free(s->deadline);
	loop_watch_free(s->sigterm);
	loop_watch_free(s->sigint);
	for (uint16_t i = 0; i < s->n_captures; i++)
		loop_watch_free(s->watches[i]);
	loop_free(s->loop);
}
