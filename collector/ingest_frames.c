// SPDX-License-Identifier: Apache-2.0
/*
 * What a sensor sends: its hello, then batches and gaps. Each is checked, kept, and answered for later
 * (ingest.c).
 */
#include "collector/ingest_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/log.h"

static const char tag[] = "ingest";
static const char no_memory[] = "the collector is out of memory";
static const char no_disk[] = "the collector cannot write its ledger";

/* One connection a sensor: the later one is the sensor's own idea of where it is. */
static void replace_other(struct conn *conn)
{
	struct conn *other;
	char why[128];

	for (other = conn->ingest->oldest; other; other = other->next) {
		if (other != conn && !other->ended && other->sensor == conn->sensor)
			break;
	}
	if (!other)
		return;
	log_warn(tag, "%s connects from %s while connected from %s: the later connection is kept",
		 conn->name, conn->peer, other->peer);
	(void)snprintf(why, sizeof why, "replaced by a connection of the same sensor from %s",
		       conn->peer);
	ingest_refuse(other, why);
}

/* Appends the hello. NULL, or why the sensor is refused. */
static const char *store_hello(struct conn *conn, const uint8_t *message, size_t len,
			       uint64_t now_ns)
{
	const struct ingest_config *config = &conn->ingest->config;
	const char *why = NULL;
	struct err err;
	int rc;

	rc = ledger_sensor_open(config->ledger, conn->hello->sensor, &conn->sensor, &err);
	if (rc == 0) {
		replace_other(conn);
		if (conn->place)
			why = config->elsewhere->join(conn->place, conn->sensor, conn->hello,
						      message, len, now_ns, &err);
		else
			rc = ledger_append_hello(conn->sensor, now_ns, conn->hello->stream, message,
						 len, &err);
		counts_append(config->counts, COUNT_HELLOS, len, rc == 0 && !why);
	}
	if (rc < 0 && ingest_may_log(conn->ingest))
		log_err(tag, "%s", err.text);
	return rc < 0 ? no_disk : why;
}

/* Commits what is waiting, so that the welcome tells all that is here. NULL, or why the sensor is
 * refused. */
static const char *welcome(struct conn *conn)
{
	struct ingest *ingest = conn->ingest;
	struct wire_welcome welcome = {.protocol = WIRE_PROTOCOL, .clock_ns = conn->came_wall_ns};
	uint8_t out[WIRE_SMALL_MAX];
	struct err err;
	ssize_t n;

	if (ledger_commit(ingest->config.ledger, &err) < 0) {
		if (ingest_may_log(ingest))
			log_err(tag, "%s", err.text);
		if (ledger_sensor_failed(conn->sensor))
			return no_disk; /* another one failed: its own turn will tell */
	}
	welcome.durable = ingest_durable(conn);
	n = wire_welcome_encode(out, sizeof out, &welcome);
	if (n < 0)
		return "the welcome cannot be encoded";
	ingest_send_frame(conn, WIRE_WELCOME, out, n);
	conn->stream.hello = conn->hello;
	conn->stream.peer = conn->peer;
	conn->stream.of_sink = ingest->config.sink->joined(ingest->config.sink_ctx, &conn->stream);
	conn->joined = true;
	loop_timer_set(conn->timer, ingest->config.idle_ms);
	return NULL;
}

static const char *check_hello(struct conn *conn, const uint8_t *message, size_t len,
			       struct err *err)
{
	uint8_t certificate[SHA256_BYTES];
	int rc = wire_hello_decode(&conn->hello, message, len, err);

	if (rc == -ENOMEM)
		return no_memory;
	if (rc < 0)
		return err->text;
	if (strcmp(conn->hello->sensor, conn->name) != 0) {
		(void)err_set(err, ERR_FORMAT,
			      "it says to be '%s', its certificate is that of '%s'",
			      conn->hello->sensor, conn->name);
		return err->text;
	}
	crypto_sha256(certificate, conn->hello->certificate, conn->hello->certificate_len);
	if (memcmp(certificate, conn->certificate, SHA256_BYTES) != 0)
		return "its hello holds another certificate than its connection: the one that "
		       "signs must be the one that speaks";
	return NULL;
}

/* Nothing of the peer is read until it is known how far its stream is elsewhere. */
static const char *ask_elsewhere(struct conn *conn, const uint8_t *message, size_t len)
{
	const struct ingest_config *config = &conn->ingest->config;

	conn->held = malloc(len + 1);
	if (conn->held)
		conn->place = config->elsewhere->open(config->elsewhere_ctx, conn, conn->hello);
	if (!conn->place)
		return no_memory;
	memcpy(conn->held, message, len);
	conn->held_len = len;
	ingest_steer(conn);
	loop_timer_set(conn->timer, config->idle_ms);
	return NULL;
}

static const char *take_hello(struct conn *conn, const uint8_t *message, size_t len,
			      struct err *err)
{
	const char *why = check_hello(conn, message, len, err);

	conn->came_wall_ns = clock_wall_ns();
	if (why)
		return why;
	if (conn->ingest->config.elsewhere)
		return ask_elsewhere(conn, message, len);
	why = store_hello(conn, message, len, conn->came_wall_ns);
	return why ? why : welcome(conn);
}

void ingest_elsewhere_stands(void *peer)
{
	struct conn *conn = peer;
	const char *why =
		conn->ended ? NULL : store_hello(conn, conn->held, conn->held_len, clock_wall_ns());

	if (why)
		ingest_refuse(conn, why);
}

void ingest_elsewhere_has(void *peer, uint64_t sequence)
{
	struct conn *conn = peer;
	const char *why = NULL;

	if (conn->ended)
		return;
	conn->there = sequence;
	if (!conn->joined) {
		conn->handed = sequence;
		conn->came_wall_ns = clock_wall_ns();
		why = welcome(conn);
	} else if (ledger_stream_durable(conn->sensor, conn->hello->stream) >= sequence) {
		ingest_acknowledge(conn);
	}
	if (why)
		ingest_refuse(conn, why);
	else
		ingest_steer(conn);
}

void ingest_elsewhere_lost(void *peer, const char *why)
{
	ingest_refuse(peer, why);
}

static void count_kept(struct conn *conn, enum keep kept, enum count what, size_t len)
{
	if (kept == KEEP_REPEATED) /* sent again: its acknowledgement was lost */
		ingest_count(conn->ingest, COUNT_REPEATED);
	else if (kept != KEEP_REFUSED)
		counts_append(conn->ingest->config.counts, what, len, kept == KEEP_TAKEN);
}

/* A batch that was decoded. NULL, or why the peer is refused. */
static const char *store_batch(struct conn *conn, struct batch *batch, const uint8_t *message,
			       size_t len, struct err *err)
{
	const struct ingest_config *config = &conn->ingest->config;
	uint64_t now_ns = clock_wall_ns();
	struct keep_totals totals;
	enum keep kept =
		keep_batch(conn->sensor, conn->hello, now_ns, batch, message, len, &totals, err);

	count_kept(conn, kept, COUNT_BATCHES, len);
	if (kept == KEEP_REFUSED)
		return err->text;
	if (kept == KEEP_TAKEN)
		counts_add(config->counts, COUNT_RECORDS, totals.records);
	if (kept == KEEP_FAILED && ingest_may_log(conn->ingest))
		log_err(tag, "%s", err->text);
	/* People are told of it all the same: an alert does not wait for the disk. */
	if (kept != KEEP_REPEATED)
		config->sink->batch(config->sink_ctx, &conn->stream, batch, &totals);
	if (kept == KEEP_FAILED)
		return no_disk;
	if (kept == KEEP_TAKEN && conn->place) {
		conn->handed = batch_head(batch)->sequence;
		config->elsewhere->batch(conn->place, conn->sensor, conn->hello, batch, now_ns,
					 message, len);
	}
	if (batch_head(batch)->goodbye)
		conn->goodbye = true;
	ingest_owe(conn);
	return NULL;
}

static const char *take_batch(struct conn *conn, const uint8_t *message, size_t len,
			      struct err *err)
{
	struct batch *batch;
	const char *why;
	int rc;

	if (len > LEDGER_PAYLOAD_MAX)
		return "a batch is too long";
	if (ledger_sensor_failed(conn->sensor))
		return no_disk;
	rc = batch_open(&batch, message, len, err);
	if (rc == -ENOMEM)
		return no_memory;
	if (rc < 0)
		return err->text;
	why = store_batch(conn, batch, message, len, err);
	batch_free(batch);
	loop_timer_set(conn->timer, conn->ingest->config.idle_ms);
	return why;
}

static const char *take_gap(struct conn *conn, const uint8_t *message, size_t len, struct err *err)
{
	const struct ingest_config *config = &conn->ingest->config;
	uint64_t now_ns = clock_wall_ns();
	struct batch_gap gap;
	enum keep kept;

	if (ledger_sensor_failed(conn->sensor))
		return no_disk;
	kept = keep_gap(conn->sensor, conn->hello, now_ns, message, len, &gap, err);
	count_kept(conn, kept, COUNT_GAPS, len);
	if (kept == KEEP_REFUSED)
		return err->text;
	if (kept == KEEP_FAILED) {
		log_err(tag, "%s", err->text);
		return no_disk;
	}
	loop_timer_set(conn->timer, config->idle_ms);
	if (kept == KEEP_TAKEN && conn->place) {
		conn->handed = gap.last;
		config->elsewhere->gap(conn->place, conn->sensor, conn->hello, now_ns, message,
				       len);
	}
	if (kept == KEEP_TAKEN)
		config->sink->gap(config->sink_ctx, &conn->stream, &gap);
	ingest_owe(conn);
	return NULL;
}

bool ingest_take_frame(void *ctx, enum wire_type type, const uint8_t *message, size_t len)
{
	struct conn *conn = ctx;
	struct err err = {""};
	const char *why;

	if (type == WIRE_HELLO && !conn->hello)
		why = take_hello(conn, message, len, &err);
	else if (type == WIRE_BATCH && conn->joined)
		why = take_batch(conn, message, len, &err);
	else if (type == WIRE_GAP && conn->joined)
		why = take_gap(conn, message, len, &err);
	else
		why = conn->joined ? "a frame that a sensor does not send now"
				   : "its first frame is not a hello";
	if (why)
		ingest_refuse(conn, why);
	return !conn->ended;
}
