// SPDX-License-Identifier: Apache-2.0
/*
 * session, metrics: for Prometheus, and whether the sensor is alive. Looked at a few times a second, so that who asks costs
 * the capture nothing worth counting, however often.
 */
#include "sensor/session_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/config.h"
#include "platform/log.h"
#include "platform/metrics_text.h"
#include "platform/responder.h"
#include "platform/version.h"

enum { BUSY_MS = 20 }; /* between two turns while a connection waits */

struct session_metrics {
	struct session *session;
	struct responder *responder;
	struct loop_timer *timer;
	uint64_t started_s;
};

static void print_spool(const struct session *s, struct metrics_text *m)
{
	struct spool_stats spool;

	spool_stats(s->spool, &spool);
	metrics_one(m, "flowproof_sensor_spool_used_bytes", METRICS_GAUGE,
		    "Batches that no collector has acknowledged.", spool.used);
	metrics_one(m, "flowproof_sensor_spool_size_bytes", METRICS_GAUGE, "Room for them.",
		    spool.bytes);
	metrics_one(m, "flowproof_sensor_batches_total", METRICS_COUNTER, "Batches closed.",
		    spool.closed);
	metrics_one(m, "flowproof_sensor_batches_acknowledged_total", METRICS_COUNTER,
		    "Batches that are durable at a collector.", spool.acknowledged);
	metrics_one(m, "flowproof_sensor_batches_given_up_total", METRICS_COUNTER,
		    "Batches given up because the spool was full.", spool.given_up_batches);
	metrics_one(m, "flowproof_sensor_records_given_up_total", METRICS_COUNTER,
		    "Records in them.", spool.given_up_records);
}

static void print_uplink(const struct session *s, struct metrics_text *m)
{
	metrics_one(m, "flowproof_sensor_uplink_connected", METRICS_GAUGE,
		    "1: a collector takes batches.", uplink_is_streaming(s->uplink));
	metrics_one(m, "flowproof_sensor_uplink_connections_total", METRICS_COUNTER,
		    "Connections that a collector welcomed.", s->welcomes);
	if (!s->clock_known)
		return;
	metrics_begin(m, "flowproof_sensor_clock_offset_seconds", METRICS_GAUGE,
		      "This clock less the collector's when last measured; absent until then.");
	metrics_real(m, METRICS_NO_LABELS, (double)s->offset_ns / NS_PER_S);
	metrics_begin(m, "flowproof_sensor_clock_offset_error_seconds", METRICS_GAUGE,
		      "It is right to so much.");
	metrics_real(m, METRICS_NO_LABELS, (double)s->way_ns / 2 / NS_PER_S);
}

static void print(const struct session_metrics *sm, struct metrics_text *m)
{
	const struct session *s = sm->session;
	struct responder_stats stats;

	responder_stats(sm->responder, &stats);
	metrics_begin(m, "flowproof_sensor_build_info", METRICS_GAUGE, "1, with the version.");
	metrics_count(m, METRICS_LABELS("version", version_build()), 1);
	metrics_one(m, "flowproof_sensor_start_timestamp_seconds", METRICS_GAUGE,
		    "When the run began.", sm->started_s);
	pipeline_metrics(s->pipeline, m);
	if (IS_ENABLED(CONFIG_STREAM) && s->spool) {
		print_spool(s, m);
		print_uplink(s, m);
	}
	metrics_one(m, "flowproof_sensor_scrapes_total", METRICS_COUNTER,
		    "Requests answered before this one.", stats.answered);
	metrics_one(m, "flowproof_sensor_scrapes_cut_off_total", METRICS_COUNTER,
		    "Connections that asked nothing in time, or gave way.", stats.cut_off);
}

static void on_request(void *ctx, const char *path, char *body, struct responder_answer *ret)
{
	const struct session_metrics *sm = ctx;
	struct metrics_text m = {.out = body, .cap = RESPONDER_BODY_BYTES};

	if (strcmp(path, "/healthz") == 0) {
		memcpy(body, "ok\n", 3);
		*ret = (struct responder_answer){.status = 200, .type = "text/plain", .len = 3};
	} else if (strcmp(path, "/metrics") == 0) {
		print(sm, &m);
		/* Sixteen interfaces with long names fit; half a text would be read as a whole one. */
		ret->status = m.len < m.cap ? 200 : 500;
		ret->len = m.len < m.cap ? m.len : 0;
		ret->type = METRICS_CONTENT_TYPE;
	}
}

void session_metrics_turn(struct session *s)
{
	struct session_metrics *sm = s->metrics;

	if (responder_turn(sm->responder, clock_mono_ns() / NS_PER_MS))
		loop_timer_set(sm->timer, BUSY_MS);
}

static void on_timer(void *ctx)
{
	session_metrics_turn(ctx);
}

int session_metrics_open(struct session *s, struct err *err)
{
	struct session_metrics *sm = calloc(1, sizeof *sm);
	char text[ADDR_ENDPOINT_TEXT];
	struct endpoint at;
	int rc;

	if (!sm)
		return err_set(err, -ENOMEM, "out of memory");
	s->metrics = sm;
	sm->session = s;
	sm->started_s = clock_wall_ns() / NS_PER_S;
	if (loop_timer_new(&sm->timer, s->loop, on_timer, s) != 0)
		return err_set(err, -ENOMEM, "out of memory");
	rc = responder_new(&sm->responder, &s->options->metrics_at, &at, on_request, sm, err);
	if (rc == 0)
		log_info("metrics", "http://%s/metrics", endpoint_text(text, &at));
	return rc;
}

void session_metrics_free(struct session *s)
{
	if (!s->metrics)
		return;
	responder_free(s->metrics->responder);
	loop_timer_free(s->metrics->timer);
	free(s->metrics);
}
