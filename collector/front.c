// SPDX-License-Identifier: Apache-2.0
/*
 * See front.h.
 */
#include "collector/front.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/log.h"

static const char tag[] = "front";

enum { RECENT_S = 3600 }; /* NATS syncs its files every two minutes by default */

/* A stream whose batches go to JetStream: a sensor's that is here, or one that was written to lately, at the start. */
struct visit {
	struct front *front;
	struct relay_lane *lane;
	/* of a sensor */
	void *peer; /* ingest's */
	bool has_hello;
	struct relay_head place;
	/* at the start */
	struct visit *next;
	char sensor[WIRE_SENSOR_ID_MAX];
	uint8_t stream[WIRE_STREAM_ID];
	uint64_t sequence; /* the last that is here */
};

struct front {
	struct relay *relay;
	const char *store;
	loop_fn *ended;
	void *ended_ctx;
	struct visit *recent;
};

static void fill(struct relay_head *head, enum ledger_kind kind, uint64_t sequence,
		 const uint8_t digest[static SHA256_BYTES], uint64_t received_ns)
{
	*head = (struct relay_head){
		.kind = (uint16_t)kind, .sequence = sequence, .received_ns = received_ns};
	memcpy(head->digest, digest, SHA256_BYTES);
}

static void count(struct relay_head *head, const struct batch *batch)
{
	head->records = batch_head(batch)->records_before + batch_record_count(batch);
	head->packets = batch_head(batch)->packets_before + batch_packet_count(batch);
}

/* ---- handing on again ---- */

/* `at`: where the stream stands, which goes on. */
static int again(struct relay_lane *lane, const struct ledger_entry *entry, struct relay_head *at,
		 struct err *err)
{
	struct relay_head head = *at;
	struct batch *batch;
	int rc;

	if (entry->kind != LEDGER_HELLO)
		fill(&head, entry->kind, entry->sequence, entry->digest, entry->received_ns);
	head.kind = (uint16_t)entry->kind;
	head.received_ns = entry->received_ns;
	if (entry->kind == LEDGER_BATCH) {
		if (entry->sequence != at->sequence + 1)
			return err_set(err, ERR_FORMAT,
				       "batch %llu is in the journal of another front",
				       (unsigned long long)at->sequence + 1);
		rc = batch_open(&batch, entry->payload, entry->len, err);
		if (rc < 0)
			return rc;
		count(&head, batch);
		batch_free(batch);
	}
	*at = head;
	relay_publish(lane, &head, entry->payload, entry->len);
	return 0;
}

/* Is this entry one to hand on? What other fronts have is theirs to tell. */
static bool is_due(const struct ledger_entry *entry, uint64_t from)
{
	struct batch_gap gap;

	if (entry->kind == LEDGER_HELLO)
		return true;
	if (entry->sequence <= from)
		return false;
	return entry->kind == LEDGER_BATCH ||
	       (entry->kind == LEDGER_GAP &&
		batch_gap_decode(&gap, entry->payload, entry->len, NULL) == 0 && !gap.elsewhere);
}

/* The stream's batches and gaps behind `from`, out of this store, and its hellos: a reader knows a batch by the hello
 * before it, and takes one that comes again. *ret_upto: the last batch of them. */
static int hand_on_again(struct relay_lane *lane, const char *store, const char *sensor,
			 const uint8_t *stream, uint64_t from, const uint8_t *from_digest,
			 uint64_t *ret_upto, struct err *err)
{
	struct ledger_reader *reader;
	struct ledger_entry entry;
	struct relay_head at;
	int rc = ledger_reader_open(&reader, store, sensor, err);

	if (rc < 0)
		return rc;
	fill(&at, LEDGER_HELLO, from, from_digest, 0);
	while ((rc = ledger_next(reader, &entry, err)) > 0) {
		if (entry.stream && memcmp(entry.stream, stream, WIRE_STREAM_ID) == 0 &&
		    is_due(&entry, from) && (rc = again(lane, &entry, &at, err)) < 0)
			break;
	}
	*ret_upto = at.sequence;
	ledger_reader_free(reader);
	return rc;
}

/* What JetStream lost of a stream, out of this ledger: up to `upto`, which is the last that is here. */
static int restore(struct visit *v, const char *sensor, const uint8_t *stream, uint64_t upto,
		   struct err *err)
{
	uint64_t from = v->place.sequence, to = from;
	int rc = hand_on_again(v->lane, v->front->store, sensor, stream, from, v->place.digest, &to,
			       err);

	if (rc == 0 && to < upto)
		rc = err_set(err, ERR_FORMAT, "batch %llu is in the journal of another front",
			     (unsigned long long)to + 1);
	if (to > from)
		log_warn(tag, "%s: JetStream lost batches %llu to %llu: handed on again", sensor,
			 (unsigned long long)from + 1, (unsigned long long)to);
	if (rc < 0)
		log_err(tag, "%s: JetStream lost batches: %s", sensor, err->text);
	return rc;
}

/* ---- a sensor's connection ---- */

/* What other fronts took: a gap from the stream's begin, since how much this ledger has of it is of no account. */
static int append_elsewhere(struct ledger_sensor *sensor, const struct wire_hello *hello,
			    const struct relay_head *place, uint64_t now_ns, struct err *err)
{
	struct batch_gap gap = {.first = 1,
				.last = place->sequence,
				.records = place->records,
				.packets = place->packets,
				.window_first = now_ns / NS_PER_S,
				.window_last = now_ns / NS_PER_S,
				.elsewhere = true};
	uint8_t bytes[BATCH_GAP_BYTES];
	size_t len;

	memcpy(gap.digest, place->digest, SHA256_BYTES);
	len = batch_gap_encode(bytes, &gap);
	return ledger_append_gap(sensor, now_ns, hello->stream, &gap, bytes, len, err);
}

static void sensor_stands(void *ctx, const struct relay_head *place)
{
	struct visit *v = ctx;

	v->place = *place;
	ingest_elsewhere_stands(v->peer);
}

static void sensor_done(void *ctx, const struct relay_head *what)
{
	struct visit *v = ctx;

	/* What was handed on again stands before this connection's hello. */
	if (what->kind == LEDGER_HELLO && what->received_ns == v->place.received_ns)
		v->has_hello = true;
	if (v->has_hello)
		ingest_elsewhere_has(v->peer, what->sequence);
}

static void sensor_lost(void *ctx, const char *why)
{
	struct visit *v = ctx;

	ingest_elsewhere_lost(v->peer, why);
}

static void *open_visit(void *ctx, void *peer, const struct wire_hello *hello)
{
	static const struct relay_lane_ops ops = {sensor_stands, sensor_done, sensor_lost};
	struct front *f = ctx;
	struct visit *v = calloc(1, sizeof *v);

	if (!v)
		return NULL;
	v->front = f;
	v->peer = peer;
	v->lane = relay_open(f->relay, hello->sensor, hello->stream, &ops, v);
	if (!v->lane) {
		free(v);
		return NULL;
	}
	return v;
}

static void close_visit(void *place)
{
	struct visit *v = place;

	relay_close(v->lane);
	free(v);
}

static const char *join(void *ctx, struct ledger_sensor *sensor, const struct wire_hello *hello,
			const uint8_t *message, size_t len, uint64_t now_ns, struct err *err)
{
	struct visit *v = ctx;
	struct batch_chain chain;
	struct relay_head head;
	int rc = 0;

	ledger_stream_chain(sensor, hello->stream, &chain);
	if (v->place.sequence > 0 && v->place.sequence == chain.sequence &&
	    memcmp(v->place.digest, chain.digest, SHA256_BYTES) != 0)
		return "JetStream has another batch in place of one that is here";
	if (chain.sequence > v->place.sequence &&
	    restore(v, hello->sensor, hello->stream, chain.sequence, err) < 0)
		return "JetStream lost batches that are in the journal of another front";
	rc = ledger_append_hello(sensor, now_ns, hello->stream, message, len, err);
	if (rc == 0 && v->place.sequence > chain.sequence)
		rc = append_elsewhere(sensor, hello, &v->place, now_ns, err);
	if (rc < 0)
		return err->text;
	ledger_stream_chain(sensor, hello->stream, &chain);
	fill(&head, LEDGER_HELLO, chain.sequence, chain.digest, now_ns);
	head.records = v->place.records;
	head.packets = v->place.packets;
	v->place.received_ns = now_ns;
	relay_publish(v->lane, &head, message, len);
	return NULL;
}

static void hand_on_batch(void *ctx, struct ledger_sensor *sensor, const struct wire_hello *hello,
			  const struct batch *batch, uint64_t now_ns, const uint8_t *message,
			  size_t len)
{
	struct visit *v = ctx;
	struct batch_chain chain;
	struct relay_head head;

	ledger_stream_chain(sensor, hello->stream, &chain);
	fill(&head, LEDGER_BATCH, chain.sequence, chain.digest, now_ns);
	count(&head, batch);
	relay_publish(v->lane, &head, message, len);
}

static void hand_on_gap(void *ctx, struct ledger_sensor *sensor, const struct wire_hello *hello,
			uint64_t now_ns, const uint8_t *message, size_t len)
{
	struct visit *v = ctx;
	struct batch_chain chain;
	struct relay_head head;

	ledger_stream_chain(sensor, hello->stream, &chain);
	fill(&head, LEDGER_GAP, chain.sequence, chain.digest, now_ns);
	relay_publish(v->lane, &head, message, len);
}

const struct ingest_elsewhere front_elsewhere = {open_visit, join, hand_on_batch, hand_on_gap,
						 close_visit};

/* ---- at the start ---- */

static void end_recent(struct visit *v)
{
	relay_close(v->lane);
	v->lane = NULL;
}

static void recent_stands(void *ctx, const struct relay_head *place)
{
	struct visit *v = ctx;
	struct err err = {""};

	v->place = *place;
	if (place->sequence >= v->sequence)
		end_recent(v);
	else
		(void)restore(v, v->sensor, v->stream, v->sequence, &err);
}

static void recent_done(void *ctx, const struct relay_head *what)
{
	struct visit *v = ctx;

	if (what->sequence >= v->sequence)
		end_recent(v);
}

static void recent_lost(void *ctx, const char *why)
{
	struct visit *v = ctx;

	log_info(tag, "%s: %s", v->sensor, why);
	end_recent(v);
}

static int note(struct front *f, const struct ledger_entry *entry)
{
	struct visit *v = f->recent;

	while (v && (strcmp(v->sensor, entry->sensor) != 0 ||
		     memcmp(v->stream, entry->stream, WIRE_STREAM_ID) != 0))
		v = v->next;
	if (!v) {
		v = calloc(1, sizeof *v);
		if (!v)
			return -ENOMEM;
		v->front = f;
		(void)snprintf(v->sensor, sizeof v->sensor, "%s", entry->sensor);
		memcpy(v->stream, entry->stream, WIRE_STREAM_ID);
		v->next = f->recent;
		f->recent = v;
	}
	if (entry->sequence > v->sequence)
		v->sequence = entry->sequence;
	return 0;
}

/* The streams that this store has batches of, received since. */
static int find_recent(struct front *f, uint64_t since_ns, struct err *err)
{
	struct ledger_reader *reader;
	struct ledger_entry entry;
	int rc = ledger_reader_open(&reader, f->store, NULL, err);

	if (rc < 0)
		return rc;
	while ((rc = ledger_next(reader, &entry, err)) > 0) {
		if (entry.kind == LEDGER_BATCH && entry.received_ns >= since_ns &&
		    note(f, &entry) < 0) {
			rc = err_set(err, -ENOMEM, "no memory for the front");
			break;
		}
	}
	ledger_reader_free(reader);
	return rc;
}

int front_recover(struct front *f, const char *store, uint64_t now_ns, struct err *err)
{
	static const struct relay_lane_ops ops = {recent_stands, recent_done, recent_lost};
	int rc;

	f->store = store;
	rc = find_recent(f, now_ns - RECENT_S * (uint64_t)NS_PER_S, err);
	for (struct visit *v = f->recent; rc == 0 && v; v = v->next) {
		v->lane = relay_open(f->relay, v->sensor, v->stream, &ops, v);
		if (!v->lane)
			rc = err_set(err, -ENOMEM, "no memory for the front");
	}
	return rc;
}

static void on_ended(void *ctx)
{
	struct front *f = ctx;

	f->ended(f->ended_ctx);
}

int front_new(struct front **ret, struct loop *loop, struct relay *relay, loop_fn *ended, void *ctx,
	      struct err *err)
{
	static const struct relay_ops ops = {.ended = on_ended};
	struct front *f = calloc(1, sizeof *f);
	int rc;

	if (!f)
		return err_set(err, -ENOMEM, "no memory for the front");
	f->relay = relay;
	f->ended = ended;
	f->ended_ctx = ctx;
	rc = relay_attach(relay, loop, &ops, f);
	if (rc < 0) {
		free(f);
		return err_set(err, rc, "no memory for the front");
	}
	*ret = f;
	return 0;
}

void front_free(struct front *f)
{
	struct visit *next;

	for (struct visit *v = f ? f->recent : NULL; v; v = next) {
		next = v->next;
		relay_close(v->lane);
		free(v);
	}
	free(f);
}
