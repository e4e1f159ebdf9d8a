// SPDX-License-Identifier: Apache-2.0
/*
 * See writer.h.
 */
#include "collector/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/log.h"

static const char tag[] = "writer";

enum {
	AGAIN_MS = 1000, /* after the ledger failed */
	RECENT_S = 3600, /* a stream's hello is looked for here first */
};

/* A sensor's stream, as its last hello told of it. */
struct source {
	struct source *next;
	struct wire_hello *hello;
	struct ledger_sensor *sensor;
	struct ingest_stream stream;
};

struct writer {
	struct writer_config config;
	struct loop_timer *commit_timer, *again_timer;
	struct source *sources;
	uint64_t place;  /* of the last message that was taken */
	bool is_armed;   /* the commit is */
	bool has_failed; /* what comes is left out until it begins again */
	bool is_stopping;
	uint64_t refused; /* messages */
};

/* ---- streams ---- */

static struct source *source_of(const struct writer *w, const struct relay_head *head)
{
	for (struct source *s = w->sources; s; s = s->next) {
		if (strcmp(s->hello->sensor, head->sensor) == 0 &&
		    memcmp(s->hello->stream, head->stream, WIRE_STREAM_ID) == 0)
			return s;
	}
	return NULL;
}

static void leave(struct writer *w, struct source *source, bool goodbye, const char *why)
{
	struct source **at = &w->sources;

	while (*at != source)
		at = &(*at)->next;
	*at = source->next;
	w->config.sink->left(w->config.sink_ctx, &source->stream, goodbye, why);
	wire_hello_free(source->hello);
	free(source);
}

/* A sensor has one stream at a time. */
static void leave_others(struct writer *w, const char *sensor)
{
	struct source *s, *next;

	for (s = w->sources; s; s = next) {
		next = s->next;
		if (strcmp(s->hello->sensor, sensor) == 0)
			leave(w, s, false, "it connected again");
	}
}

static int join(struct writer *w, struct wire_hello *hello, struct ledger_sensor *sensor,
		struct err *err)
{
	struct source *s = calloc(1, sizeof *s);

	if (!s) {
		wire_hello_free(hello);
		return err_set(err, -ENOMEM, "no memory for a stream");
	}
	leave_others(w, hello->sensor);
	s->hello = hello;
	s->sensor = sensor;
	s->stream.hello = hello;
	s->stream.peer = "JetStream";
	s->next = w->sources;
	w->sources = s;
	s->stream.of_sink = w->config.sink->joined(w->config.sink_ctx, &s->stream);
	return 0;
}

/* After a start: the stream's hello stands in the ledger. `from_s`: entries before are not looked at. */
static int find_hello(struct writer *w, const struct relay_head *head, uint64_t from_s,
		      struct wire_hello **ret, struct err *err)
{
	struct ledger_reader *reader;
	struct ledger_entry entry;
	int rc = ledger_reader_open(&reader, w->config.store, head->sensor, err);

	*ret = NULL;
	if (rc < 0)
		return rc;
	ledger_reader_span(reader, from_s, UINT64_MAX);
	while ((rc = ledger_next(reader, &entry, err)) > 0) {
		if ((entry.kind != LEDGER_HELLO && entry.kind != LEDGER_HELLO_AGAIN) ||
		    memcmp(entry.stream, head->stream, WIRE_STREAM_ID) != 0)
			continue;
		wire_hello_free(*ret);
		*ret = NULL;
		rc = wire_hello_decode(ret, entry.payload, entry.len, err);
		if (rc < 0)
			break;
	}
	ledger_reader_free(reader);
	return rc;
}

static int join_again(struct writer *w, const struct relay_head *head, struct err *err)
{
	uint64_t now_s = clock_wall_ns() / NS_PER_S;
	struct ledger_sensor *sensor;
	struct wire_hello *hello = NULL;
	int rc = ledger_sensor_open(w->config.ledger, head->sensor, &sensor, err);

	if (rc == 0)
		rc = find_hello(w, head, now_s - RECENT_S, &hello, err);
	if (rc == 0 && !hello)
		rc = find_hello(w, head, 0, &hello, err);
	return rc == 0 && hello ? join(w, hello, sensor, err) : rc;
}

/* ---- messages ---- */

/* What a front would have refused, and the ledger must not hold: told, counted and passed over. */
static int refuse(struct writer *w, const struct relay_head *head, const char *why)
{
	w->refused++;
	log_err(tag, "message %" PRIu64 " of %s: %s; left out, %" PRIu64 " so far", head->place,
		*head->sensor ? head->sensor : "nobody", why, w->refused);
	return 0;
}

static int take_hello(struct writer *w, const struct relay_head *head, const uint8_t *message,
		      struct err *err)
{
	struct ledger_sensor *sensor;
	struct wire_hello *hello;
	int rc = wire_hello_decode(&hello, message, head->len, err);

	if (rc == -ENOMEM)
		return rc;
	if (rc < 0)
		return refuse(w, head, err->text);
	if (strcmp(hello->sensor, head->sensor) != 0 ||
	    memcmp(hello->stream, head->stream, WIRE_STREAM_ID) != 0) {
		wire_hello_free(hello);
		return refuse(w, head, "its hello is that of another sensor or stream");
	}
	rc = ledger_sensor_open(w->config.ledger, head->sensor, &sensor, err);
	if (rc == 0)
		rc = ledger_append_hello(sensor, head->received_ns, head->stream, message,
					 head->len, err);
	if (rc < 0) {
		wire_hello_free(hello);
		return rc;
	}
	return join(w, hello, sensor, err);
}

/* Batches that are neither here nor in JetStream any more. The next one names the last of them. */
static int skip(struct writer *w, const struct source *s, const struct relay_head *head,
		const struct batch_head *next, struct err *err)
{
	const uint64_t now_s = clock_wall_ns() / NS_PER_S;
	struct batch_gap gap = {.first = 1,
				.last = next->sequence - 1,
				.records = next->records_before,
				.packets = next->packets_before,
				.window_first = now_s,
				.window_last = now_s,
				.elsewhere = true};
	uint8_t bytes[BATCH_GAP_BYTES];

	memcpy(gap.digest, next->previous, SHA256_BYTES);
	log_err(tag,
		"%s: batches up to %" PRIu64
		" are not in JetStream any more: the ledger says that they are missing",
		head->sensor, gap.last);
	w->config.sink->gap(w->config.sink_ctx, &s->stream, &gap);
	return ledger_append_gap(s->sensor, head->received_ns, s->hello->stream, &gap, bytes,
				 batch_gap_encode(bytes, &gap), err);
}

static int take_batch(struct writer *w, struct source *s, const struct relay_head *head,
		      const uint8_t *message, struct err *err)
{
	struct keep_totals totals;
	struct batch_chain chain;
	struct batch *batch;
	enum keep kept;
	bool goodbye;
	int rc = batch_open(&batch, message, head->len, err);

	if (rc == -ENOMEM)
		return rc;
	if (rc < 0)
		return refuse(w, head, err->text);
	goodbye = batch_head(batch)->goodbye;
	ledger_stream_chain(s->sensor, s->hello->stream, &chain);
	if (batch_head(batch)->sequence > chain.sequence + 1)
		rc = skip(w, s, head, batch_head(batch), err);
	kept = rc < 0 ? KEEP_FAILED
		      : keep_batch(s->sensor, s->hello, head->received_ns, batch, message,
				   head->len, &totals, err);
	if (kept == KEEP_TAKEN)
		w->config.sink->batch(w->config.sink_ctx, &s->stream, batch, &totals);
	batch_free(batch);
	if (kept == KEEP_REFUSED)
		return refuse(w, head, err->text);
	if (kept == KEEP_FAILED)
		return rc < 0 ? rc : -EIO;
	if (goodbye && kept == KEEP_TAKEN)
		leave(w, s, true, "goodbye");
	return 0;
}

static int take_gap(struct writer *w, struct source *s, const struct relay_head *head,
		    const uint8_t *message, struct err *err)
{
	struct batch_gap gap;
	enum keep kept =
		keep_gap(s->sensor, s->hello, head->received_ns, message, head->len, &gap, err);

	if (kept == KEEP_REFUSED)
		return refuse(w, head, err->text);
	if (kept == KEEP_TAKEN)
		w->config.sink->gap(w->config.sink_ctx, &s->stream, &gap);
	return kept == KEEP_FAILED ? -EIO : 0;
}

static int take(struct writer *w, const struct relay_head *head, const uint8_t *message,
		struct err *err)
{
	struct source *s;

	if (head->kind == 0)
		return refuse(w, head, "not of our kind");
	if (head->kind == LEDGER_HELLO)
		return take_hello(w, head, message, err);
	s = source_of(w, head);
	if (!s && join_again(w, head, err) < 0)
		return -EIO;
	s = source_of(w, head);
	if (!s)
		return refuse(w, head, "no hello came before it");
	if (ledger_sensor_failed(s->sensor))
		return err_set(err, -EIO, "the ledger of %s failed before", head->sensor);
	return head->kind == LEDGER_BATCH ? take_batch(w, s, head, message, err)
					  : take_gap(w, s, head, message, err);
}

/* ---- commit ---- */

/* What was taken and is not durable is forgotten, and comes again. */
static void fail(struct writer *w, const char *why)
{
	if (!w->has_failed)
		log_err(tag, "%s; beginning again", why);
	w->has_failed = true;
	w->is_armed = false;
	loop_timer_set(w->again_timer, AGAIN_MS);
}

static void commit(void *ctx)
{
	struct writer *w = ctx;
	struct err err;

	if (!w->is_armed)
		return;
	w->is_armed = false;
	if (ledger_commit(w->config.ledger, &err) < 0)
		fail(w, err.text);
	else
		relay_kept(w->config.relay, w->place);
}

static void on_again(void *ctx)
{
	struct writer *w = ctx;
	struct ledger_sensor *unused;
	struct err err;

	for (const struct source *s = w->sources; s; s = s->next)
		(void)ledger_sensor_open(w->config.ledger, s->hello->sensor, &unused, &err);
	relay_again(w->config.relay);
}

static void on_item(void *ctx, const struct relay_head *head, const uint8_t *message)
{
	struct writer *w = ctx;
	struct err err = {""};

	if (w->has_failed || w->is_stopping)
		return;
	if (take(w, head, message, &err) < 0) {
		fail(w, err.text);
		return;
	}
	w->place = head->place;
	if (!w->is_armed) {
		w->is_armed = true;
		loop_timer_set(w->commit_timer, w->config.commit_ms);
	}
}

static void on_begun(void *ctx)
{
	struct writer *w = ctx;

	w->has_failed = false;
}

static void on_ended(void *ctx)
{
	struct writer *w = ctx;

	w->config.ended(w->config.ended_ctx);
}

/* ---- start and stop ---- */

int writer_start(struct writer **ret, const struct writer_config *config, struct err *err)
{
	static const struct relay_ops ops = {on_ended, on_begun, on_item};
	struct writer *w = calloc(1, sizeof *w);
	uint8_t id[LEDGER_STORE_ID];
	int rc;

	if (!w)
		return err_set(err, -ENOMEM, "no memory for the writer");
	w->config = *config;
	rc = loop_timer_new(&w->commit_timer, config->loop, commit, w);
	if (rc == 0)
		rc = loop_timer_new(&w->again_timer, config->loop, on_again, w);
	if (rc == 0)
		rc = relay_attach(config->relay, config->loop, &ops, w);
	if (rc < 0) {
		writer_free(w);
		return err_set(err, rc, "no memory for the writer");
	}
	ledger_id(config->ledger, id);
	relay_read(config->relay, id);
	*ret = w;
	return 0;
}

void writer_stop(struct writer *w)
{
	if (!w->has_failed)
		commit(w);
	w->is_stopping = true;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	while (w->sources)
		leave(w, w->sources, false, "the collector stops");
	loop_timer_free(w->commit_timer);
	loop_timer_free(w->again_timer);
	free(w);
}
