// SPDX-License-Identifier: Apache-2.0
/*
 * One sensor, entry by entry: do its streams follow their chains? Each entry of a segment is taken in order.
 */
#include "evidence/audit_sensor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull;

int audit_broken(struct sensor_audit *s, uint64_t offset, const char *reason)
{
	return audit_fault(s->a, AUDIT_BROKEN, s->path, offset, "%s", reason);
}

/* ---- streams ---- */

struct audit_stream *audit_find_stream(struct audit_sensor *sensor, const uint8_t *id)
{
	for (size_t i = sensor->n_streams; i-- > 0;) {
		if (memcmp(sensor->streams[i].id, id, WIRE_STREAM_ID) == 0)
			return &sensor->streams[i];
	}
	return NULL;
}

struct audit_stream *audit_stream_of(struct audit_sensor *sensor, const uint8_t *id)
{
	struct audit_stream *stream = audit_find_stream(sensor, id);

	if (stream)
		return stream;
	if (sensor->n_streams == sensor->cap_streams) {
		size_t cap = sensor->cap_streams ? 2 * sensor->cap_streams : 8;

		stream = reallocarray(sensor->streams, cap, sizeof *stream);
		if (!stream)
			return NULL;
		sensor->streams = stream;
		sensor->cap_streams = cap;
	}
	stream = &sensor->streams[sensor->n_streams++];
	*stream = (struct audit_stream){
		.end = AUDIT_CUT, .sum = ledger_sum_none, .chain.counts = true};
	memcpy(stream->id, id, WIRE_STREAM_ID);
	batch_chain_start(stream->chain.digest, id);
	return stream;
}

static int add_gap(struct audit_stream *stream, const struct batch_gap *gap)
{
	struct audit_gap *more = reallocarray(stream->gaps, stream->n_gaps + 1, sizeof *more);

	if (!more)
		return -ENOMEM;
	stream->gaps = more;
	more[stream->n_gaps++].gap = *gap;
	more[stream->n_gaps - 1].is_confirmed = false;
	return 0;
}

/* The sensor's own batches tell the gaps again, so that nobody else can make one up. */
static void confirm_gaps(struct audit_stream *stream, const struct batch *batch)
{
	const struct batch_gap *told;
	size_t n;

	told = batch_gap_list(batch, &n);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < stream->n_gaps; j++) {
			struct audit_gap *g = &stream->gaps[j];

			if (g->gap.first == told[i].first && g->gap.last == told[i].last &&
			    memcmp(g->gap.digest, told[i].digest, SHA256_BYTES) == 0)
				g->is_confirmed = true;
		}
	}
}

/* ---- entries ---- */

/* The key that signs a stream is that of its first hello. */
static int keep_certificate(struct sensor_audit *s, const struct segment_entry *entry,
			    struct audit_stream *stream, const struct wire_hello *hello)
{
	if (stream->certificate) {
		if (stream->certificate_len == hello->certificate_len &&
		    memcmp(stream->certificate, hello->certificate, hello->certificate_len) == 0)
			return 0;
		return audit_broken(
			s, entry->offset,
			"the hello holds another certificate than the one before of its stream");
	}
	stream->certificate = malloc(hello->certificate_len + 1);
	if (!stream->certificate)
		return -ENOMEM;
	if (hello->certificate_len > 0)
		memcpy(stream->certificate, hello->certificate, hello->certificate_len);
	stream->certificate_len = hello->certificate_len;
	stream->hello_ns = entry->received_ns;
	stream->hello_segment = s->number;
	stream->hello_offset = entry->offset;
	return 0;
}

static int follow_hello(struct sensor_audit *s, const struct segment_entry *entry,
			const struct wire_hello *hello)
{
	struct audit_stream *stream;

	if (strcmp(hello->sensor, s->sensor->id) != 0 ||
	    memcmp(hello->stream, entry->stream, WIRE_STREAM_ID) != 0)
		return audit_broken(s, entry->offset,
				    "the hello is that of another sensor or stream");
	if (entry->type == SEGMENT_HELLO_AGAIN && s->has_hello &&
	    memcmp(s->hello_digest, entry->digest, SHA256_BYTES) != 0)
		return audit_broken(s, entry->offset,
				    "the hello that is repeated is not the one before");
	stream = audit_stream_of(s->sensor, entry->stream);
	if (!stream)
		return -ENOMEM;
	stream->is_replay = hello->is_replay;
	s->has_hello = true;
	s->hello_latest = entry->offset;
	memcpy(s->hello_digest, entry->digest, SHA256_BYTES);
	memcpy(s->hello_stream, entry->stream, WIRE_STREAM_ID);
	if (entry->type == SEGMENT_HELLO) {
		stream->hellos++;
		s->sum.hellos++;
	}
	return keep_certificate(s, entry, stream, hello);
}

static int take_hello(struct sensor_audit *s, const struct segment_entry *entry)
{
	struct wire_hello *hello;
	struct err err;
	int rc = wire_hello_decode(&hello, entry->payload, entry->len, &err);

	if (rc == -ENOMEM)
		return rc;
	if (rc < 0)
		return audit_broken(s, entry->offset, err.text);
	rc = follow_hello(s, entry, hello);
	wire_hello_free(hello);
	return rc;
}

static void count_drops(struct audit_stream *stream, const struct batch *batch)
{
	const struct batch_account *accounts;
	uint64_t dropped = 0;
	size_t n;

	accounts = batch_account_list(batch, &n);
	for (size_t i = 0; i < n; i++)
		dropped += accounts[i].kernel_dropped + accounts[i].nic_dropped;
	if (dropped > stream->dropped) /* they are totals of the run */
		stream->dropped = dropped;
}

/* What a batch or gap needs: a hello of its stream before it, and no goodbye. */
static int check_place(struct sensor_audit *s, const struct segment_entry *entry,
		       const struct audit_stream *stream)
{
	if (!s->has_hello || memcmp(s->hello_stream, entry->stream, WIRE_STREAM_ID) != 0)
		return audit_broken(s, entry->offset, "it does not follow a hello of its stream");
	if (stream->end == AUDIT_GOODBYE)
		return audit_broken(s, entry->offset, "it follows the goodbye of its stream");
	return 0;
}

/* Does the batch follow in its stream? What it holds is counted. */
static int follow(struct sensor_audit *s, const struct segment_entry *entry, struct batch *batch)
{
	const struct batch_head *head = batch_head(batch);
	struct audit_stream *stream = audit_stream_of(s->sensor, entry->stream);
	struct ledger_sum sum = ledger_sum_none;
	struct err err;
	int rc;

	if (!stream)
		return -ENOMEM;
	rc = check_place(s, entry, stream);
	if (rc == 0 && head->sequence != entry->sequence)
		rc = audit_broken(s, entry->offset, "the batch is stored under another sequence");
	else if (rc == 0 && batch_chain_check(&stream->chain, head, &err) < 0)
		rc = audit_broken(s, entry->offset, err.text);
	batch_chain_take(&stream->chain, head, entry->digest, batch_record_count(batch),
			 batch_packet_count(batch), batch_line_count(batch));
	stream->batches++;
	stream->at_segment = s->number;
	stream->at_offset = entry->offset;
	stream->at_ns = entry->received_ns;
	if (head->is_signed) {
		stream->heads++;
		stream->signed_upto = head->sequence;
		stream->signed_segment = s->number;
		stream->signed_offset = entry->offset;
		stream->signed_ns = entry->received_ns;
	}
	if (head->goodbye)
		stream->end = AUDIT_GOODBYE;
	confirm_gaps(stream, batch);
	count_drops(stream, batch);
	ledger_sum_batch(&sum, batch);
	ledger_sum_add(&s->sum, &sum);
	ledger_sum_add(&stream->sum, &sum);
	s->sum.batches++;
	return rc;
}

static int take_batch(struct sensor_audit *s, const struct segment_entry *entry)
{
	struct batch *batch;
	struct err err;
	int rc = batch_open(&batch, entry->payload, entry->len, &err);

	if (rc == -ENOMEM)
		return rc;
	if (rc < 0)
		return audit_broken(s, entry->offset, err.text);
	rc = follow(s, entry, batch);
	batch_free(batch);
	return rc;
}

static int take_gap(struct sensor_audit *s, const struct segment_entry *entry)
{
	struct audit_stream *stream = audit_stream_of(s->sensor, entry->stream);
	struct batch_gap gap;
	struct err err;
	int rc;

	if (!stream)
		return -ENOMEM;
	rc = check_place(s, entry, stream);
	if (rc != 0)
		return rc;
	if (batch_gap_decode(&gap, entry->payload, entry->len, &err) < 0 ||
	    batch_chain_check_gap(&stream->chain, &gap, &err) < 0)
		return audit_broken(s, entry->offset, err.text);
	if (gap.last != entry->sequence)
		return audit_broken(s, entry->offset, "the gap is stored under another sequence");
	batch_chain_take_gap(&stream->chain, &gap);
	ledger_sum_gap(&s->sum, &gap);
	stream->at_segment = s->number;
	stream->at_offset = entry->offset;
	stream->at_ns = entry->received_ns;
	rc = add_gap(stream, &gap);
	return rc < 0 ? rc
		      : audit_fault(s->a, AUDIT_INCOMPLETE, s->path, entry->offset,
				    "batches %llu to %llu are not here: %llu records of %llu "
				    "packets; %s",
				    (ull)gap.first, (ull)gap.last, (ull)gap.records,
				    (ull)gap.packets,
				    gap.elsewhere ? "another collector has some of them"
						  : "the sensor gave them up");
}

static int take_carry(struct sensor_audit *s, const struct segment_entry *entry)
{
	const struct audit_stream *stream = audit_find_stream(s->sensor, entry->stream);

	if (entry->len != SHA256_BYTES)
		return audit_broken(s, entry->offset, "a carry is too short or too long");
	if (!stream)
		return audit_broken(s, entry->offset, "a carry is of a stream that is not here");
	if (stream->chain.sequence != entry->sequence ||
	    memcmp(stream->chain.digest, entry->payload, SHA256_BYTES) != 0)
		return audit_broken(s, entry->offset,
				    "a carry does not stand where its stream does");
	return 0;
}

/* The manifest that the entry names must be there, and be older than the one that covers it. */
static int check_manifest(struct sensor_audit *s, const struct segment_entry *entry,
			  const struct index_range *range)
{
	uint64_t last = s->a->index.last;

	if (entry->manifest < s->manifest)
		return audit_broken(s, entry->offset, "the entry is older than those before it");
	s->manifest = entry->manifest;
	if (range && entry->manifest >= range->manifest)
		return audit_broken(s, entry->offset,
				    "the entry is younger than the manifest that covers it");
	if (entry->manifest > last && !(s->a->audit->is_running && !range))
		return audit_fault(
			s->a, AUDIT_BROKEN, s->path, entry->offset,
			"the entry was written after manifest %llu, and the manifests end "
			"with %llu: they are cut off",
			(ull)entry->manifest, (ull)last);
	return 0;
}

int audit_take_entry(struct sensor_audit *s, const struct segment_entry *entry,
		     const struct index_range *range)
{
	int rc = check_manifest(s, entry, range);

	if (rc != 0)
		return rc;
	switch (entry->type) {
	case SEGMENT_HELLO:
	case SEGMENT_BATCH:
	case SEGMENT_GAP:
		if (s->sum.received_ns == 0)
			s->sum.received_ns = entry->received_ns;
		s->sum.received_end_ns = entry->received_ns;
		return entry->type == SEGMENT_HELLO ? take_hello(s, entry)
		       : entry->type == SEGMENT_GAP ? take_gap(s, entry)
						    : take_batch(s, entry);
	case SEGMENT_HELLO_AGAIN: return take_hello(s, entry);
	case SEGMENT_CARRY: return take_carry(s, entry);
	case SEGMENT_MANIFEST: break;
	}
	return audit_broken(s, entry->offset, "a manifest does not belong here");
}
