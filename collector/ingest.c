// SPDX-License-Identifier: Apache-2.0
/*
 * Ingest. A connection's life: TLS handshake, Hello, Welcome, batches and acknowledgements. One
 * timer a connection watches that each comes in time. A batch is appended at once; the first one
 * after a commit starts the commit timer, and when that fires all that was appended is synced
 * together and acknowledged.
 *
 * A connection is never freed from within its own frame callback: it is marked, and ended when the
 * reader has returned.
 */
#include "collector/ingest_parts.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/log.h"

static const char tag[] = "ingest";
static const char no_disk[] = "the collector cannot write its ledger";

/* ---- counting ---- */

void ingest_count(struct ingest *ingest, enum count which)
{
	counts_add(ingest->config.counts, which, 1);
}

static void count_places(struct ingest *ingest)
{
	counts_set(ingest->config.counts, COUNT_CONNECTIONS, ingest->n_conns);
	counts_set(ingest->config.counts, COUNT_STRANGERS, ingest->n_strangers);
}

static void count_refused(const struct conn *conn)
{
	ingest_count(conn->ingest, conn->joined  ? COUNT_REFUSED_STREAM
				   : *conn->name ? COUNT_REFUSED_HELLO
						 : COUNT_REFUSED_HANDSHAKE);
}

/* ---- refusing ---- */

bool ingest_may_log(struct ingest *ingest)
{
	return refusal_log_may(&ingest->log);
}

void ingest_send_frame(struct conn *conn, enum wire_type type, const uint8_t *message, ssize_t len)
{
	uint8_t frame[WIRE_HEAD + WIRE_SMALL_MAX];

	assert(len >= 0 && len <= WIRE_SMALL_MAX);
	wire_head(frame, type, (size_t)len);
	memcpy(frame + WIRE_HEAD, message, (size_t)len);
	/* A broken connection tells by `closed`. */
	(void)tls_write(conn->tls, frame, WIRE_HEAD + (size_t)len);
}

/* Unlinks and frees. `why` goes to the sink. */
static void conn_free(struct conn *conn, const char *why)
{
	struct ingest *ingest = conn->ingest;

	if (conn->joined)
		ingest->config.sink->left(ingest->config.sink_ctx, &conn->stream, conn->goodbye,
					  why);
	*(conn->prev ? &conn->prev->next : &ingest->oldest) = conn->next;
	*(conn->next ? &conn->next->prev : &ingest->newest) = conn->prev;
	ingest->n_conns--;
	ingest->n_strangers -= !*conn->name;
	count_places(ingest);
	loop_timer_free(conn->timer);
	wire_reader_fini(&conn->reader);
	wire_hello_free(conn->hello);
	if (conn->place)
		ingest->config.elsewhere->close(conn->place);
	free(conn->held);
	if (conn->ended)
		tls_close(conn->tls); /* what was written goes out first */
	else
		tls_free(conn->tls);
	free(conn);
}

void ingest_refuse(struct conn *conn, const char *why)
{
	uint8_t message[WIRE_SMALL_MAX];
	char reason[256];
	ssize_t len;

	if (conn->ended)
		return;
	count_refused(conn);
	if (ingest_may_log(conn->ingest))
		log_warn(tag, "refused %s%s%s: %s", conn->peer, *conn->name ? " " : "", conn->name,
			 why);
	if (*conn->name && tls_pending(conn->tls) <= OUTPUT_MAX) {
		(void)snprintf(reason, sizeof reason, "%s", why);
		len = wire_refusal_encode(message, sizeof message, reason);
		if (len >= 0)
			ingest_send_frame(conn, WIRE_REFUSAL, message, len);
	}
	conn->ended = true;
	if (!conn->in_input)
		conn_free(conn, why);
}

/* ---- commit and acknowledge ---- */

void ingest_steer(struct conn *conn)
{
	bool waits = conn->place && (!conn->joined || conn->handed - conn->there >= AHEAD_MAX);

	tls_pause(conn->tls, waits || conn->ingest->done || tls_pending(conn->tls) > OUTPUT_MAX);
}

uint64_t ingest_durable(const struct conn *conn)
{
	uint64_t here = ledger_stream_durable(conn->sensor, conn->hello->stream);

	return conn->place && conn->there < here ? conn->there : here;
}

void ingest_acknowledge(struct conn *conn)
{
	uint8_t message[WIRE_SMALL_MAX];
	struct wire_ack ack = {
		.durable = ingest_durable(conn),
		.clock_ns = clock_wall_ns(),
		.held_ns = clock_mono_ns() - conn->came_ns,
	};
	ssize_t len = wire_ack_encode(message, sizeof message, &ack);

	conn->owed = conn->there < conn->handed;
	if (len < 0)
		return;
	ingest_send_frame(conn, WIRE_ACK, message, len);
	ingest_steer(conn);
}

static void commit(void *ctx)
{
	struct ingest *ingest = ctx;
	struct conn *conn, *next;
	struct err err;
	int rc = ledger_commit(ingest->config.ledger, &err);

	ingest->commit_armed = false;
	counts_commit(ingest->config.counts, rc == 0);
	if (rc < 0)
		log_err(tag, "%s", err.text);
	for (conn = ingest->oldest; conn; conn = next) {
		next = conn->next;
		if (conn->ended || !conn->sensor)
			continue;
		if (ledger_sensor_failed(conn->sensor))
			ingest_refuse(conn, no_disk);
		else if (conn->owed && conn->there >= conn->handed)
			ingest_acknowledge(conn);
	}
}

void ingest_owe(struct conn *conn)
{
	struct ingest *ingest = conn->ingest;

	conn->owed = true;
	conn->came_ns = clock_mono_ns();
	if (!ingest->commit_armed) {
		ingest->commit_armed = true;
		loop_timer_set(ingest->commit_timer, ingest->config.commit_ms);
	}
}

/* ---- connections ---- */

static void on_ready(void *ctx, const struct tls_peer *peer)
{
	struct conn *conn = ctx;

	(void)snprintf(conn->name, sizeof conn->name, "%s", peer->name);
	conn->ingest->n_strangers--;
	count_places(conn->ingest);
	memcpy(conn->certificate, peer->certificate, SHA256_BYTES);
	loop_timer_set(conn->timer, conn->ingest->config.hello_ms);
	/* Others may have shown theirs since it was accepted. */
	if (conn->ingest->n_conns - conn->ingest->n_strangers >
	    conn->ingest->config.max_connections)
		ingest_refuse(conn, "too many connections");
}

static void on_input(void *ctx, const uint8_t *bytes, size_t len)
{
	struct conn *conn = ctx;
	struct err err = {""};
	int rc;

	conn->in_input = true;
	rc = wire_reader_feed(&conn->reader, bytes, len, ingest_take_frame, conn, &err);
	if (rc < 0 && !conn->ended)
		ingest_refuse(conn, rc == -ENOMEM ? "the collector is out of memory" : err.text);
	conn->in_input = false;
	if (conn->place && !conn->ended)
		ingest_steer(conn);
	if (conn->ended)
		conn_free(conn, "refused");
}

static void on_drained(void *ctx)
{
	struct conn *conn = ctx;

	ingest_steer(conn);
}

static void on_closed(void *ctx, const char *why)
{
	struct conn *conn = ctx;

	if (!conn->joined)
		count_refused(conn);
	if (!conn->joined && ingest_may_log(conn->ingest))
		log_warn(tag, "refused %s%s%s: %s", conn->peer, *conn->name ? " " : "", conn->name,
			 why);
	conn_free(conn, why);
}

static const struct tls_ops tls_ops = {on_ready, on_input, on_drained, on_closed};

static void on_timeout(void *ctx)
{
	struct conn *conn = ctx;

	ingest_refuse(conn, conn->joined ? "no batch came for too long" : "no hello came in time");
}

static bool same_place(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family && memcmp(a->addr.b, b->addr.b, a->family == 6 ? 8 : 4) == 0;
}

/* Of two strangers the one that goes first: who said nothing yet, then the older one, which is `a`. */
static struct conn *goes_first(struct conn *a, struct conn *b)
{
	return !a || (tls_heard(a->tls) && !tls_heard(b->tls)) ? b : a;
}

/* Makes room for one more stranger: one whose handshake is under way gives way to a newcomer. It is one of
 * the same place if that has its share already, so that nobody's strangers are in the way of others. Who
 * has shown a certificate never gives way. False: the places of those are taken. */
static bool make_room(struct ingest *ingest, const struct endpoint *from)
{
	const struct ingest_config *config = &ingest->config;
	struct conn *first = NULL, *first_there = NULL;
	size_t there = 0;

	if (ingest->n_conns - ingest->n_strangers >= config->max_connections)
		return false;
	for (struct conn *conn = ingest->oldest; conn && ingest->n_strangers > 0;
	     conn = conn->next) {
		if (*conn->name || conn->ended)
			continue;
		first = goes_first(first, conn);
		if (!same_place(&conn->from, from))
			continue;
		first_there = goes_first(first_there, conn);
		there++;
	}
	if (there >= config->max_strangers_there)
		ingest_refuse(first_there,
			      "too many handshakes from its address, and its own is not done");
	else if (ingest->n_strangers >= config->max_strangers)
		ingest_refuse(first, "too many handshakes, and its own is not done");
	return true;
}

static void on_accept(void *ctx, int fd, const struct endpoint *peer)
{
	struct ingest *ingest = ctx;
	char text[ADDR_ENDPOINT_TEXT];
	struct conn *conn = NULL;
	struct err err;
	int rc;

	ingest_count(ingest, COUNT_ACCEPTED);
	if (!make_room(ingest, peer)) {
		ingest_count(ingest, COUNT_NO_ROOM);
		if (ingest_may_log(ingest))
			log_warn(tag, "refused %s: %zu connections are the most allowed",
				 endpoint_text(text, peer), ingest->config.max_connections);
		(void)close(fd);
		return;
	}
	conn = calloc(1, sizeof *conn);
	if (!conn || loop_timer_new(&conn->timer, ingest->config.loop, on_timeout, conn) < 0) {
		log_err(tag, "no memory for a connection");
		free(conn);
		(void)close(fd);
		return;
	}
	conn->ingest = ingest;
	conn->from = *peer;
	(void)endpoint_text(conn->peer, peer);
	rc = tls_accept(&conn->tls, ingest->config.loop, ingest->config.tls, fd,
			ingest->config.hello_ms, &tls_ops, conn, &err);
	if (rc < 0) {
		log_err(tag, "%s", err.text);
		loop_timer_free(conn->timer);
		free(conn);
		return;
	}
	conn->prev = ingest->newest;
	*(conn->prev ? &conn->prev->next : &ingest->oldest) = conn;
	ingest->newest = conn;
	ingest->n_conns++;
	ingest->n_strangers++;
	count_places(ingest);
}

void ingest_cut_revoked(struct ingest *ingest)
{
	struct conn *conn, *next;

	for (conn = ingest->oldest; conn; conn = next) {
		next = conn->next;
		if (*conn->name && !conn->ended && tls_is_revoked(conn->tls))
			ingest_refuse(conn, "its certificate was revoked");
	}
}

/* ---- start and stop ---- */

/* Waits until the peers have what was written to them. */
static void stop_step(void *ctx)
{
	struct ingest *ingest = ctx;
	bool pending = false;

	for (const struct conn *conn = ingest->oldest; conn; conn = conn->next)
		pending = pending || tls_pending(conn->tls) > 0;
	if (pending && clock_mono_ns() < ingest->stop_at_ns)
		loop_timer_set(ingest->stop_timer, STOP_STEP_MS);
	else
		ingest->done(ingest->done_ctx);
}

void ingest_stop(struct ingest *ingest, loop_fn *done, void *ctx)
{
	if (ingest->done)
		return;
	ingest->done = done;
	ingest->done_ctx = ctx;
	ingest->stop_at_ns = clock_mono_ns() + (uint64_t)STOP_MS * NS_PER_MS;
	loop_listener_free(ingest->listener);
	ingest->listener = NULL;
	commit(ingest);
	for (struct conn *conn = ingest->oldest; conn; conn = conn->next)
		tls_pause(conn->tls, true);
	loop_timer_set(ingest->stop_timer, STOP_STEP_MS);
}

int ingest_start(struct ingest **ret, const struct ingest_config *config, struct err *err)
{
	struct ingest *ingest = calloc(1, sizeof *ingest);
	int rc;

	if (!ingest)
		return err_set(err, -ENOMEM, "no memory for the ingest");
	ingest->config = *config;
	rc = loop_timer_new(&ingest->commit_timer, config->loop, commit, ingest);
	if (rc == 0)
		rc = loop_timer_new(&ingest->stop_timer, config->loop, stop_step, ingest);
	if (rc < 0)
		(void)err_set(err, rc, "no memory for the ingest");
	if (rc == 0)
		rc = loop_listen(&ingest->listener, config->loop, &config->at, on_accept, ingest,
				 err);
	if (rc < 0)
		ingest_free(ingest);
	else
		*ret = ingest;
	return rc;
}

void ingest_address(const struct ingest *ingest, struct endpoint *ret)
{
	loop_listener_address(ingest->listener, ret);
}

void ingest_free(struct ingest *ingest)
{
	struct conn *conn, *next;

	if (!ingest)
		return;
	for (conn = ingest->oldest; conn; conn = next) {
		next = conn->next;
		conn_free(conn, "the collector stops");
	}
	loop_listener_free(ingest->listener);
	loop_timer_free(ingest->commit_timer);
	loop_timer_free(ingest->stop_timer);
	free(ingest);
}
