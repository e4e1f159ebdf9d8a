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
#include "collector/ingest.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/refusal_log.h"
#include "platform/clock.h"
#include "platform/log.h"

static const char tag[] = "ingest";
static const char no_memory[] = "the collector is out of memory";
static const char no_disk[] = "the collector cannot write its ledger";

enum {
	OUTPUT_MAX = 64 * 1024, /* of a peer that does not read its acknowledgements */
	AHEAD_MAX = 16,         /* batches of a peer that are not yet elsewhere */
	STOP_MS = 1000,
	STOP_STEP_MS = 10,
};

struct conn {
	struct ingest *ingest;
	struct conn *next, *prev; /* the oldest first */
	struct tls *tls;
	struct loop_timer *timer;
	struct endpoint from;
	char peer[ADDR_ENDPOINT_TEXT];
	char name
		[TLS_NAME_MAX]; /* of the certificate; "" before the handshake is done: a stranger */
	uint8_t certificate[SHA256_BYTES];
	uint64_t came_wall_ns; /* when its hello came */
	uint64_t came_ns;      /* monotonic: when the last frame that is owed an answer came */
	struct wire_reader reader;
	struct wire_hello *hello; /* NULL before it came */
	struct ledger_sensor *sensor;
	struct ingest_stream stream;
	/* with `elsewhere` */
	void *place;
	uint8_t *held; /* its hello, until it is known how far it is there */
	size_t held_len;
	uint64_t there, handed; /* batches that are there, and were handed on */
	bool joined;
	bool owed;     /* an acknowledgement after the next commit */
	bool goodbye;  /* the sensor said so */
	bool in_input; /* not to be freed now */
	bool ended;    /* to be freed as soon as may be */
};

struct ingest {
	struct ingest_config config;
	struct loop_listener *listener;
	struct loop_timer *commit_timer;
	struct loop_timer *stop_timer;
	bool commit_armed;
	struct conn *oldest, *newest;
	size_t n_conns, n_strangers; /* the latter are of the former */
	struct refusal_log log;
	/* stopping */
	uint64_t stop_at_ns;
	loop_fn *done;
	void *done_ctx;
};

/* ---- counting ---- */

static void count(struct ingest *ingest, enum count which)
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
	count(conn->ingest, conn->joined  ? COUNT_REFUSED_STREAM
			    : *conn->name ? COUNT_REFUSED_HELLO
					  : COUNT_REFUSED_HANDSHAKE);
}

/* ---- refusing ---- */

static bool may_log(struct ingest *ingest)
{
	return refusal_log_may(&ingest->log);
}

static void send_frame(struct conn *conn, enum wire_type type, const uint8_t *message, ssize_t len)
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

/* Ends a connection from our side; the peer is told why if it can hear. */
static void conn_refuse(struct conn *conn, const char *why)
{
	uint8_t message[WIRE_SMALL_MAX];
	char reason[256];
	ssize_t len;

	if (conn->ended)
		return;
	count_refused(conn);
	if (may_log(conn->ingest))
		log_warn(tag, "refused %s%s%s: %s", conn->peer, *conn->name ? " " : "", conn->name,
			 why);
	if (*conn->name && tls_pending(conn->tls) <= OUTPUT_MAX) {
		(void)snprintf(reason, sizeof reason, "%s", why);
		len = wire_refusal_encode(message, sizeof message, reason);
		if (len >= 0)
			send_frame(conn, WIRE_REFUSAL, message, len);
	}
	conn->ended = true;
	if (!conn->in_input)
		conn_free(conn, why);
}

/* ---- commit and acknowledge ---- */

/* Reads on, unless the peer does not read, or waits, or too much of its is on the way elsewhere. */
static void steer(struct conn *conn)
{
	bool waits = conn->place && (!conn->joined || conn->handed - conn->there >= AHEAD_MAX);

	tls_pause(conn->tls, waits || conn->ingest->done || tls_pending(conn->tls) > OUTPUT_MAX);
}

/* On disk here and, if it must be, elsewhere. */
static uint64_t durable(const struct conn *conn)
{
	uint64_t here = ledger_stream_durable(conn->sensor, conn->hello->stream);

	return conn->place && conn->there < here ? conn->there : here;
}

static void acknowledge(struct conn *conn)
{
	uint8_t message[WIRE_SMALL_MAX];
	struct wire_ack ack = {
		.durable = durable(conn),
		.clock_ns = clock_wall_ns(),
		.held_ns = clock_mono_ns() - conn->came_ns,
	};
	ssize_t len = wire_ack_encode(message, sizeof message, &ack);

	conn->owed = conn->there < conn->handed;
	if (len < 0)
		return;
	send_frame(conn, WIRE_ACK, message, len);
	steer(conn);
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
			conn_refuse(conn, no_disk);
		else if (conn->owed && conn->there >= conn->handed)
			acknowledge(conn);
	}
}

/* The connection is owed an acknowledgement. */
static void owe(struct conn *conn)
{
	struct ingest *ingest = conn->ingest;

	conn->owed = true;
	conn->came_ns = clock_mono_ns();
	if (!ingest->commit_armed) {
		ingest->commit_armed = true;
		loop_timer_set(ingest->commit_timer, ingest->config.commit_ms);
	}
}

/* ---- frames ---- */

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
	conn_refuse(other, why);
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
	if (rc < 0 && may_log(conn->ingest))
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
		if (may_log(ingest))
			log_err(tag, "%s", err.text);
		if (ledger_sensor_failed(conn->sensor))
			return no_disk; /* another one failed: its own turn will tell */
	}
	welcome.durable = durable(conn);
	n = wire_welcome_encode(out, sizeof out, &welcome);
	if (n < 0)
		return "the welcome cannot be encoded";
	send_frame(conn, WIRE_WELCOME, out, n);
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
	steer(conn);
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
		conn_refuse(conn, why);
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
		acknowledge(conn);
	}
	if (why)
		conn_refuse(conn, why);
	else
		steer(conn);
}

void ingest_elsewhere_lost(void *peer, const char *why)
{
	conn_refuse(peer, why);
}

static void count_kept(struct conn *conn, enum keep kept, enum count what, size_t len)
{
	if (kept == KEEP_REPEATED) /* sent again: its acknowledgement was lost */
		count(conn->ingest, COUNT_REPEATED);
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
	if (kept == KEEP_FAILED && may_log(conn->ingest))
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
	owe(conn);
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
	owe(conn);
	return NULL;
}

static bool take_frame(void *ctx, enum wire_type type, const uint8_t *message, size_t len)
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
		conn_refuse(conn, why);
	return !conn->ended;
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
		conn_refuse(conn, "too many connections");
}

static void on_input(void *ctx, const uint8_t *bytes, size_t len)
{
	struct conn *conn = ctx;
	struct err err = {""};
	int rc;

	conn->in_input = true;
	rc = wire_reader_feed(&conn->reader, bytes, len, take_frame, conn, &err);
	if (rc < 0 && !conn->ended)
		conn_refuse(conn, rc == -ENOMEM ? no_memory : err.text);
	conn->in_input = false;
	if (conn->place && !conn->ended)
		steer(conn);
	if (conn->ended)
		conn_free(conn, "refused");
}

static void on_drained(void *ctx)
{
	struct conn *conn = ctx;

	steer(conn);
}

static void on_closed(void *ctx, const char *why)
{
	struct conn *conn = ctx;

	if (!conn->joined)
		count_refused(conn);
	if (!conn->joined && may_log(conn->ingest))
		log_warn(tag, "refused %s%s%s: %s", conn->peer, *conn->name ? " " : "", conn->name,
			 why);
	conn_free(conn, why);
}

static const struct tls_ops tls_ops = {on_ready, on_input, on_drained, on_closed};

static void on_timeout(void *ctx)
{
	struct conn *conn = ctx;

	conn_refuse(conn, conn->joined ? "no batch came for too long" : "no hello came in time");
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
		conn_refuse(first_there,
			    "too many handshakes from its address, and its own is not done");
	else if (ingest->n_strangers >= config->max_strangers)
		conn_refuse(first, "too many handshakes, and its own is not done");
	return true;
}

static void on_accept(void *ctx, int fd, const struct endpoint *peer)
{
	struct ingest *ingest = ctx;
	char text[ADDR_ENDPOINT_TEXT];
	struct conn *conn = NULL;
	struct err err;
	int rc;

	count(ingest, COUNT_ACCEPTED);
	if (!make_room(ingest, peer)) {
		count(ingest, COUNT_NO_ROOM);
		if (may_log(ingest))
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
			conn_refuse(conn, "its certificate was revoked");
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
