// SPDX-License-Identifier: Apache-2.0
/*
 * The ledger decoded. A sensor's streams do not mix: each change of stream begins with a hello, so
 * one hello and a few chains are all that must be remembered.
 */
#include "evidence/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { REPLAY_STREAMS = LEDGER_STREAMS_MAX };

struct replay_stream {
	uint8_t id[WIRE_STREAM_ID];
	struct batch_chain chain;
};

struct replay {
	const struct replay_ops *ops;
	void *ctx;
	char sensor[WIRE_SENSOR_ID_MAX];
	struct wire_hello *hello;
	bool lost; /* entries of this sensor were damaged: a stream not known may be in its middle
		    */
	size_t n_streams;
	struct replay_stream streams[REPLAY_STREAMS];
};

/* Each sensor begins anew. */
static void enter_sensor(struct replay *replay, const char *sensor)
{
	if (strcmp(replay->sensor, sensor) == 0)
		return;
	memset(replay->sensor, 0, sizeof replay->sensor);
	memcpy(replay->sensor, sensor, strnlen(sensor, sizeof replay->sensor - 1));
	wire_hello_free(replay->hello);
	replay->hello = NULL;
	replay->n_streams = 0;
	replay->lost = false;
}

static int tell_fault(struct replay *replay, const struct ledger_entry *entry, const char *reason)
{
	struct ledger_entry fault = *entry;

	if (reason) {
		fault.kind = LEDGER_DAMAGE;
		fault.reason = reason;
		fault.payload = NULL;
	}
	if (fault.kind == LEDGER_DAMAGE) {
		replay->lost = true;
		replay->n_streams = 0;
	}
	return replay->ops->fault ? replay->ops->fault(replay->ctx, &fault) : 0;
}

static struct replay_stream *find_stream(struct replay *replay, const uint8_t *id)
{
	for (size_t i = replay->n_streams; i-- > 0;) {
		if (memcmp(replay->streams[i].id, id, WIRE_STREAM_ID) == 0)
			return &replay->streams[i];
	}
	return NULL;
}

/* A stream not seen before, in place of the first one if there is no room. */
static struct replay_stream *add_stream(struct replay *replay, const uint8_t *id)
{
	struct replay_stream *stream;

	if (replay->n_streams == REPLAY_STREAMS) {
		memmove(&replay->streams[0], &replay->streams[1],
			(REPLAY_STREAMS - 1) * sizeof replay->streams[0]);
		replay->n_streams--;
		replay->lost = true; /* the one that went may come back in its middle */
	}
	stream = &replay->streams[replay->n_streams++];
	memcpy(stream->id, id, WIRE_STREAM_ID);
	return stream;
}

/* Where the entry's stream stood before it; NULL: nobody knows, its beginning may be lost. */
static struct replay_stream *stream_before(struct replay *replay, const struct ledger_entry *entry)
{
	struct replay_stream *stream = find_stream(replay, entry->stream);

	if (stream || replay->lost)
		return stream;
	stream = add_stream(replay, entry->stream);
	stream->chain = (struct batch_chain){.counts = true};
	batch_chain_start(stream->chain.digest, entry->stream);
	return stream;
}

static int stands_again(struct err *err, const char *what, uint64_t sequence)
{
	return err_set(err, ERR_FORMAT, "%s %llu of the stream stands here again", what,
		       (unsigned long long)sequence);
}

/* Does the batch follow the one before? Takes it as the last either way. */
static int check_chain(struct replay *replay, const struct ledger_entry *entry,
		       const struct batch *batch, struct err *err)
{
	const struct batch_head *head = batch_head(batch);
	struct replay_stream *stream = stream_before(replay, entry);
	int rc = 0;

	if (entry->sequence != head->sequence)
		rc = err_set(err, ERR_FORMAT, "batch %llu is stored as %llu",
			     (unsigned long long)head->sequence,
			     (unsigned long long)entry->sequence);
	if (rc == 0 && stream)
		rc = batch_chain_check(&stream->chain, head, err);
	if (rc == ERR_EXISTS)
		rc = stands_again(err, "batch", head->sequence);
	if (!stream)
		stream = add_stream(replay, entry->stream);
	batch_chain_take(&stream->chain, head, entry->digest, batch_record_count(batch),
			 batch_packet_count(batch), batch_line_count(batch));
	return rc;
}

static int take_hello(struct replay *replay, const struct ledger_entry *entry)
{
	struct wire_hello *hello;
	struct err err;
	int rc = wire_hello_decode(&hello, entry->payload, entry->len, &err);

	if (rc == -ENOMEM)
		return rc;
	if (rc == 0 && (strcmp(hello->sensor, entry->sensor) != 0 ||
			memcmp(hello->stream, entry->stream, WIRE_STREAM_ID) != 0)) {
		wire_hello_free(hello);
		rc = err_set(&err, ERR_FORMAT, "the hello is that of another sensor or stream");
	}
	wire_hello_free(replay->hello);
	replay->hello = rc == 0 ? hello : NULL;
	if (rc < 0)
		return tell_fault(replay, entry, err.text);
	if (entry->kind == LEDGER_HELLO_AGAIN)
		return 0;
	return replay->ops->hello ? replay->ops->hello(replay->ctx, entry, hello) : 0;
}

static int tell_logs(struct replay *replay, const struct ledger_entry *entry,
		     const struct wire_hello *hello, const struct batch *batch)
{
	const struct batch_log *pieces;
	size_t n;
	int rc = 0;

	pieces = batch_log_list(batch, &n);
	for (size_t i = 0; rc == 0 && hello && i < n; i++)
		if (pieces[i].file < hello->n_logs)
			rc = replay->ops->log(replay->ctx, entry, hello,
					      hello->logs[pieces[i].file], &pieces[i]);
	return rc;
}

static int take_batch(struct replay *replay, const struct ledger_entry *entry)
{
	const struct wire_hello *hello = replay->hello;
	struct batch *batch;
	struct err err;
	int rc = batch_open(&batch, entry->payload, entry->len, &err);

	if (rc == -ENOMEM)
		return rc;
	if (rc < 0)
		return tell_fault(replay, entry, err.text);
	rc = check_chain(replay, entry, batch, &err);
	if (rc < 0)
		rc = tell_fault(replay, entry, err.text);
	if (hello && memcmp(hello->stream, entry->stream, WIRE_STREAM_ID) != 0)
		hello = NULL;
	if (rc == 0 && replay->ops->batch)
		rc = replay->ops->batch(replay->ctx, entry, hello, batch);
	if (rc == 0 && replay->ops->log)
		rc = tell_logs(replay, entry, hello, batch);
	batch_free(batch);
	return rc;
}

static int take_gap(struct replay *replay, const struct ledger_entry *entry)
{
	const struct wire_hello *hello = replay->hello;
	struct replay_stream *stream = stream_before(replay, entry);
	struct batch_gap gap;
	struct err err;
	int rc = batch_gap_decode(&gap, entry->payload, entry->len, &err);

	if (rc == 0 && stream)
		rc = batch_chain_check_gap(&stream->chain, &gap, &err);
	if (rc == ERR_EXISTS)
		rc = stands_again(&err, "a gap up to batch", gap.last);
	if (rc < 0)
		return tell_fault(replay, entry, err.text);
	if (!stream)
		stream = add_stream(replay, entry->stream);
	batch_chain_take_gap(&stream->chain, &gap);
	if (hello && memcmp(hello->stream, entry->stream, WIRE_STREAM_ID) != 0)
		hello = NULL;
	return replay->ops->gap ? replay->ops->gap(replay->ctx, entry, hello, &gap) : 0;
}

/* Where a stream stood when the segment was begun. One that is not known here began in segments that
 * are gone. */
static int take_carry(struct replay *replay, const struct ledger_entry *entry)
{
	struct replay_stream *stream = find_stream(replay, entry->stream);

	if (entry->len != SHA256_BYTES)
		return tell_fault(replay, entry, "a carry is too short or too long");
	if (stream && (stream->chain.sequence != entry->sequence ||
		       memcmp(stream->chain.digest, entry->payload, SHA256_BYTES) != 0))
		return tell_fault(replay, entry,
				  "a carry is not where its stream stood: batches are missing");
	if (!stream)
		stream = add_stream(replay, entry->stream);
	stream->chain.sequence = entry->sequence;
	memcpy(stream->chain.digest, entry->payload, SHA256_BYTES);
	return 0;
}

int replay_take(struct replay *replay, const struct ledger_entry *entry)
{
	enter_sensor(replay, entry->sensor);
	if (entry->is_skip) {
		replay->lost = true;
		replay->n_streams = 0;
	}
	switch (entry->kind) {
	case LEDGER_CARRY: return take_carry(replay, entry);
	case LEDGER_HELLO:
	case LEDGER_HELLO_AGAIN: return take_hello(replay, entry);
	case LEDGER_BATCH: return take_batch(replay, entry);
	case LEDGER_GAP: return take_gap(replay, entry);
	case LEDGER_TORN:
	case LEDGER_DAMAGE: break;
	}
	return tell_fault(replay, entry, NULL);
}

int replay_new(struct replay **ret, const struct replay_ops *ops, void *ctx)
{
	*ret = calloc(1, sizeof **ret);
	if (!*ret)
		return -ENOMEM;
	(*ret)->ops = ops;
	(*ret)->ctx = ctx;
	return 0;
}

void replay_free(struct replay *replay)
{
	if (replay)
		wire_hello_free(replay->hello);
	free(replay);
}

int replay_run(const char *store, const char *sensor, const struct replay_span *span,
	       const struct replay_ops *ops, void *ctx, struct err *err)
{
	struct replay *replay = NULL;
	struct ledger_reader *reader = NULL;
	struct ledger_entry entry;
	int rc = replay_new(&replay, ops, ctx);

	if (rc < 0)
		goto out;
	rc = ledger_reader_open(&reader, store, sensor, err);
	if (rc < 0)
		goto out;
	if (span)
		ledger_reader_span(reader, span->from_s, span->to_s);
	while ((rc = ledger_next(reader, &entry, err)) > 0) {
		rc = replay_take(replay, &entry);
		if (rc != 0)
			break;
	}
out:
	if (rc == -ENOMEM)
		(void)err_set(err, rc, "no memory to read the ledger");
	replay_free(replay);
	ledger_reader_free(reader);
	return rc;
}

bool replay_gap_record(const struct wire_hello *hello, const struct batch_gap *gap,
		       struct flowrec *ret)
{
	uint64_t window = hello ? hello->window_s : 60;

	*ret = (struct flowrec){
		.status = FLOWREC_SKIPDATA,
		.start = gap->window_first - gap->window_first % window,
		.end = gap->window_last - gap->window_last % window + window,
	};
	return gap->records > 0 && !gap->elsewhere;
}
