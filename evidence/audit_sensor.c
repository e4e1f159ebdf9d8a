// SPDX-License-Identifier: Apache-2.0
/*
 * One sensor: its segments held against the ranges of the manifests, byte by byte, and its streams
 * against their chains. Where segments were deleted the manifests tell where the streams stood.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/audit_parts.h"
#include "platform/clock.h"

typedef unsigned long long ull;

enum { UNSIGNED_S_MAX = 300 }; /* a sensor signs at least every minute: there may be some delay */

struct sensor_audit {
	struct auditing *a;
	struct audit_sensor *sensor;
	const struct index_sensor *known; /* NULL: no manifest tells of it */
	size_t next;                      /* range */
	const char *path;
	uint32_t number; /* of the present segment */
	/* since the present range began */
	struct crypto_sha256 *digest;
	struct ledger_sum sum;
	uint64_t hello;        /* the last hello before it */
	uint64_t hello_latest; /* the last hello in the segment */
	uint8_t hello_digest[SHA256_BYTES];
	uint8_t hello_stream[WIRE_STREAM_ID];
	bool has_hello;
	uint64_t manifest; /* the highest that an entry named */
};

static int fault(struct sensor_audit *s, uint64_t offset, const char *reason)
{
	return audit_fault(s->a, AUDIT_BROKEN, s->path, offset, "%s", reason);
}

static void segment_path(const struct auditing *a, const char *sensor, uint32_t number,
			 char out[static LEDGER_PATH_MAX])
{
	(void)snprintf(out, LEDGER_PATH_MAX, "%.*s/%s/%08u.fpl", (int)AUDIT_STORE_MAX, a->store,
		       sensor, number);
}

/* ---- streams ---- */

static struct audit_stream *find_stream(struct audit_sensor *sensor, const uint8_t *id)
{
	for (size_t i = sensor->n_streams; i-- > 0;) {
		if (memcmp(sensor->streams[i].id, id, WIRE_STREAM_ID) == 0)
			return &sensor->streams[i];
	}
	return NULL;
}

/* The stream, made as one that begins here if need be; NULL without memory. */
static struct audit_stream *stream_of(struct audit_sensor *sensor, const uint8_t *id)
{
	struct audit_stream *stream = find_stream(sensor, id);

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
		return fault(
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
		return fault(s, entry->offset, "the hello is that of another sensor or stream");
	if (entry->type == SEGMENT_HELLO_AGAIN && s->has_hello &&
	    memcmp(s->hello_digest, entry->digest, SHA256_BYTES) != 0)
		return fault(s, entry->offset, "the hello that is repeated is not the one before");
	stream = stream_of(s->sensor, entry->stream);
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
		return fault(s, entry->offset, err.text);
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
		return fault(s, entry->offset, "it does not follow a hello of its stream");
	if (stream->end == AUDIT_GOODBYE)
		return fault(s, entry->offset, "it follows the goodbye of its stream");
	return 0;
}

/* Does the batch follow in its stream? What it holds is counted. */
static int follow(struct sensor_audit *s, const struct segment_entry *entry, struct batch *batch)
{
	const struct batch_head *head = batch_head(batch);
	struct audit_stream *stream = stream_of(s->sensor, entry->stream);
	struct ledger_sum sum = ledger_sum_none;
	struct err err;
	int rc;

	if (!stream)
		return -ENOMEM;
	rc = check_place(s, entry, stream);
	if (rc == 0 && head->sequence != entry->sequence)
		rc = fault(s, entry->offset, "the batch is stored under another sequence");
	else if (rc == 0 && batch_chain_check(&stream->chain, head, &err) < 0)
		rc = fault(s, entry->offset, err.text);
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
		return fault(s, entry->offset, err.text);
	rc = follow(s, entry, batch);
	batch_free(batch);
	return rc;
}

static int take_gap(struct sensor_audit *s, const struct segment_entry *entry)
{
	struct audit_stream *stream = stream_of(s->sensor, entry->stream);
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
		return fault(s, entry->offset, err.text);
	if (gap.last != entry->sequence)
		return fault(s, entry->offset, "the gap is stored under another sequence");
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
	const struct audit_stream *stream = find_stream(s->sensor, entry->stream);

	if (entry->len != SHA256_BYTES)
		return fault(s, entry->offset, "a carry is too short or too long");
	if (!stream)
		return fault(s, entry->offset, "a carry is of a stream that is not here");
	if (stream->chain.sequence != entry->sequence ||
	    memcmp(stream->chain.digest, entry->payload, SHA256_BYTES) != 0)
		return fault(s, entry->offset, "a carry does not stand where its stream does");
	return 0;
}

/* The manifest that the entry names must be there, and be older than the one that covers it. */
static int check_manifest(struct sensor_audit *s, const struct segment_entry *entry,
			  const struct index_range *range)
{
	uint64_t last = s->a->index.last;

	if (entry->manifest < s->manifest)
		return fault(s, entry->offset, "the entry is older than those before it");
	s->manifest = entry->manifest;
	if (range && entry->manifest >= range->manifest)
		return fault(s, entry->offset,
			     "the entry is younger than the manifest that covers it");
	if (entry->manifest > last && !(s->a->audit->is_running && !range))
		return audit_fault(
			s->a, AUDIT_BROKEN, s->path, entry->offset,
			"the entry was written after manifest %llu, and the manifests end "
			"with %llu: they are cut off",
			(ull)entry->manifest, (ull)last);
	return 0;
}

static int take_entry(struct sensor_audit *s, const struct segment_entry *entry,
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
	return fault(s, entry->offset, "a manifest does not belong here");
}

/* ---- ranges ---- */

static int begin_range(struct sensor_audit *s)
{
	uint8_t unused[SHA256_BYTES];

	if (s->digest)
		crypto_sha256_end(s->digest, unused);
	s->digest = crypto_sha256_new();
	s->sum = ledger_sum_none;
	s->hello = s->hello_latest;
	return s->digest ? 0 : -ENOMEM;
}

static const char *check_streams(struct sensor_audit *s, const struct manifest_range *range)
{
	uint8_t id[WIRE_STREAM_ID];
	struct batch_chain chain;

	for (size_t i = 0; i < range->n_streams; i++) {
		const struct audit_stream *stream;

		manifest_stream(range, i, id, &chain);
		stream = find_stream(s->sensor, id);
		if (!stream || stream->chain.sequence != chain.sequence ||
		    memcmp(stream->chain.digest, chain.digest, SHA256_BYTES) != 0)
			return "the manifest tells another last batch of a stream";
	}
	return NULL;
}

/* The range was read to its end. */
static int end_range(struct sensor_audit *s, const struct index_range *range)
{
	const struct ledger_sum *told = &range->range.sum;
	uint8_t digest[SHA256_BYTES];
	const char *why = NULL;

	crypto_sha256_peek(s->digest, digest);
	if (memcmp(digest, range->range.digest, SHA256_BYTES) != 0)
		why = "the bytes are not those that were signed";
	else if (told->hellos != s->sum.hellos || told->batches != s->sum.batches ||
		 told->records != s->sum.records || told->packets != s->sum.packets ||
		 told->first_s != s->sum.first_s || told->last_s != s->sum.last_s ||
		 told->received_ns != s->sum.received_ns ||
		 told->received_end_ns != s->sum.received_end_ns)
		why = "the manifest counts other than what is here";
	else if (range->range.hello != (range->range.from > 0 ? s->hello : 0))
		why = "the manifest tells another hello";
	else
		why = check_streams(s, &range->range);
	s->sensor->sealed_bytes += range->range.to - range->range.from;
	return why ? audit_fault(s->a, AUDIT_BROKEN, s->path, range->range.from,
				 "bytes %llu to %llu, signed in manifest %llu: %s",
				 (ull)range->range.from, (ull)range->range.to, (ull)range->manifest,
				 why)
		   : 0;
}

/* The next range of the present segment that is not empty; NULL if there is none. */
static const struct index_range *next_range(struct sensor_audit *s)
{
	for (; s->known && s->next < s->known->n; s->next++) {
		const struct index_range *range = &s->known->ranges[s->next];

		if (range->number > s->number)
			break;
		if (range->number == s->number && range->range.to > range->range.from)
			return range;
	}
	return NULL;
}

/* ---- segments ---- */

/* What stands behind the ranges. */
static int check_tail(struct sensor_audit *s, uint64_t sealed, bool is_closed, bool is_last)
{
	const struct auditing *a = s->a;
	uint64_t size = a->file.size;

	if (size == sealed)
		return 0;
	if (is_closed)
		return fault(s, sealed, "bytes stand behind the segment's signed end");
	if (a->last.kind == MANIFEST_END && !a->audit->is_running)
		return fault(s, sealed,
			     "no manifest covers these bytes, and the collector signed its end");
	if (!is_last)
		return fault(s, sealed, "no manifest covers these bytes, and a segment follows");
	if (a->audit->is_running)
		return 0;
	return audit_fault(s->a, AUDIT_INCOMPLETE, s->path, sealed,
			   "no manifest covers the last %llu bytes: the collector was killed",
			   (ull)(size - sealed));
}

/* Bytes that are no entry. */
static int take_fault(struct sensor_audit *s, const struct segment_fault *f, bool is_sealed,
		      bool is_last)
{
	bool is_end = f->to == s->a->file.size && !f->was_durable && !is_sealed && is_last;

	if (!is_end)
		return fault(s, f->from, f->reason);
	if (s->a->audit->is_running)
		return 0;
	return audit_fault(
		s->a, AUDIT_INCOMPLETE, s->path, f->from,
		"an unfinished entry: %s; the collector was killed, or the end is cut off",
		f->reason);
}

/* Reads the segment once: entries, and the digests of the ranges. */
static int read_segment(struct sensor_audit *s, bool is_closed, bool is_last)
{
	struct segment *file = &s->a->file;
	const struct index_range *range = next_range(s);
	uint8_t head[SEGMENT_HEAD];
	struct segment_entry entry;
	struct segment_fault bad;
	uint64_t sealed = 0;
	int rc = begin_range(s);

	segment_head(head, s->number, s->a->index.store);
	if (rc == 0)
		crypto_sha256_add(s->digest, head, sizeof head);
	while (rc == 0 && (rc = segment_next(file, &entry, &bad)) > 0) {
		if (rc == SEGMENT_FAULT) {
			rc = take_fault(s, &bad, range != NULL, is_last);
			/* The ranges that it touches cannot be right; what follows is read on. */
			for (; rc == 0 && range && range->range.from < bad.to;
			     range = next_range(s)) {
				sealed = range->range.to;
				s->next++;
			}
			if (rc == 0)
				rc = begin_range(s);
			continue;
		}
		crypto_sha256_add(s->digest, entry.payload - SEGMENT_ENTRY_HEAD,
				  SEGMENT_ENTRY_HEAD + entry.len);
		rc = take_entry(s, &entry, range);
		if (rc == 0 && range && file->at >= range->range.to) {
			rc = file->at == range->range.to
				     ? end_range(s, range)
				     : fault(s, entry.offset, "an entry lies across a signed end");
			sealed = range->range.to;
			s->next++;
			range = next_range(s);
			if (rc == 0)
				rc = begin_range(s);
		}
	}
	if (rc < 0 && rc != -ENOMEM)
		rc = fault(s, file->at, strerror(-rc));
	if (rc == 0 && range)
		return audit_fault(s->a, AUDIT_BROKEN, s->path, file->size,
				   "the file ends here, and manifest %llu signed %llu bytes",
				   (ull)range->manifest, (ull)range->range.to);
	return rc == 0 ? check_tail(s, sealed, is_closed, is_last) : rc;
}

/* A segment that retention deleted: its streams stand where the manifests say. */
static int take_deleted(struct sensor_audit *s)
{
	const struct index_range *range;

	for (; (range = next_range(s)) != NULL; s->next++) {
		for (size_t i = 0; i < range->range.n_streams; i++) {
			uint8_t id[WIRE_STREAM_ID];
			struct audit_stream *stream;
			struct batch_chain chain = {.counts = false};

			manifest_stream(&range->range, i, id, &chain);
			stream = stream_of(s->sensor, id);
			if (!stream)
				return -ENOMEM;
			stream->deleted += chain.sequence - stream->chain.sequence;
			stream->chain = chain;
		}
	}
	s->sensor->deleted++;
	s->has_hello = false;
	return 0;
}

static bool is_closed(const struct sensor_audit *s)
{
	bool closed = false;

	for (size_t i = 0; s->known && i < s->known->n; i++) {
		if (s->known->ranges[i].number == s->number)
			closed = s->known->ranges[i].range.is_closed;
	}
	return closed;
}

static int take_segment(struct sensor_audit *s, bool is_last)
{
	struct segment *file = &s->a->file;
	struct err err;
	int rc = segment_open(file, s->path, s->number, &err);

	if (rc == -ENOMEM)
		return rc;
	if (rc < 0)
		return fault(s, 0, err.text);
	s->sensor->bytes += file->size;
	s->sensor->first = s->sensor->first ? s->sensor->first : s->number;
	s->sensor->last = s->number;
	s->hello = s->hello_latest = 0;
	rc = read_segment(s, is_closed(s), is_last);
	segment_close(file);
	return rc;
}

/* The streams' ends. The latest of a running collector may still be written to. */
static int check_ends(struct sensor_audit *s)
{
	struct audit_sensor *sensor = s->sensor;
	char path[LEDGER_PATH_MAX];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sensor->n_streams; i++) {
		struct audit_stream *stream = &sensor->streams[i];
		char id[2 * WIRE_STREAM_ID + 1];

		if (stream->end == AUDIT_GOODBYE || (stream->batches == 0 && stream->deleted > 0))
			continue;
		if (s->a->audit->is_running &&
		    memcmp(s->hello_stream, stream->id, WIRE_STREAM_ID) == 0) {
			stream->end = AUDIT_OPEN;
			continue;
		}
		segment_path(s->a, sensor->id,
			     stream->at_segment ? stream->at_segment : sensor->last, path);
		rc = audit_fault(s->a, AUDIT_INCOMPLETE, path, stream->at_offset,
				 "stream %s ends after batch %llu without goodbye",
				 crypto_hex(id, stream->id, WIRE_STREAM_ID),
				 (ull)stream->chain.sequence);
	}
	return rc;
}

int audit_sensor_segments(struct auditing *a, struct audit_sensor *sensor)
{
	struct sensor_audit s = {
		.a = a, .sensor = sensor, .known = ledger_index_find(&a->index, sensor->id)};
	uint32_t first = s.known ? s.known->first : 1, last = 0, *numbers = NULL;
	char path[LEDGER_PATH_MAX];
	uint8_t unused[SHA256_BYTES];
	size_t n = 0, i = 0;
	struct err err;
	int rc = 0;

	(void)snprintf(path, sizeof path, "%.*s/%s", (int)AUDIT_STORE_MAX, a->store, sensor->id);
	s.path = path;
	if (segment_list(path, &numbers, &n, &err) < 0)
		rc = fault(&s, 0, err.text);
	for (size_t j = 0; s.known && j < s.known->n; j++)
		last = s.known->ranges[j].number;
	if (n > 0 && numbers[n - 1] > last)
		last = numbers[n - 1];
	if (rc == 0 && last == 0 && !a->audit->is_running)
		/* As a failure between folder and first segment leaves it; had there been a segment at a
		 * signed end, a manifest would tell of it. */
		rc = audit_fault(a, AUDIT_INCOMPLETE, path, 0,
				 "the folder is empty, and no manifest tells of it");
	for (s.number = 1; rc == 0 && s.number <= last; s.number++) {
		segment_path(a, sensor->id, s.number, path);
		if (i < n && numbers[i] == s.number) {
			i++;
			rc = take_segment(&s, i == n && s.number == last);
		} else if (s.number < first) {
			rc = take_deleted(&s);
		} else {
			rc = fault(&s, 0, "the file is missing");
			while (next_range(&s))
				s.next++;
		}
	}
	if (rc == 0)
		rc = check_ends(&s);
	if (s.digest)
		crypto_sha256_end(s.digest, unused);
	free(numbers);
	return rc;
}

/* ---- the sensor's signatures ---- */

/* A signed batch names the one before it, and so on: the last signature holds for all before it. */
static int check_head(struct auditing *a, const struct audit_sensor *sensor,
		      const struct audit_stream *stream, const char *path)
{
	struct segment *file = &a->file;
	struct segment_entry entry;
	struct segment_fault bad;
	struct err err;
	int rc = segment_open(file, path, stream->signed_segment, &err);

	if (rc == -ENOMEM)
		return rc;
	file->at = stream->signed_offset;
	rc = rc == 0 ? segment_next(file, &entry, &bad) : 0;
	if (rc != SEGMENT_ENTRY || entry.sequence != stream->signed_upto ||
	    batch_signature_check(entry.payload, entry.len, stream->id, stream->certificate,
				  stream->certificate_len) != BATCH_SIGNED)
		return audit_fault(a, AUDIT_BROKEN, path, stream->signed_offset,
				   "the signature is not that of the key of sensor %s", sensor->id);
	return 0;
}

/* Whom the stream's key belongs to, and that it signed what it should. */
static int check_stream(struct auditing *a, const struct audit_sensor *sensor,
			const struct audit_stream *stream)
{
	char path[LEDGER_PATH_MAX];
	struct err err;
	int rc = 0;

	segment_path(a, sensor->id, stream->hello_segment, path);
	if (crypto_ca_check(a->options->ca, stream->certificate, stream->certificate_len,
			    CRYPTO_CLIENT, sensor->id, stream->hello_ns / NS_PER_S, &err) < 0)
		rc = audit_fault(a, AUDIT_BROKEN, path, stream->hello_offset,
				 "the sensor's certificate: %s", err.text);
	if (rc == 0 && stream->heads > 0) {
		segment_path(a, sensor->id, stream->signed_segment, path);
		rc = check_head(a, sensor, stream, path);
	}
	segment_path(a, sensor->id, stream->at_segment, path);
	if (rc == 0 && stream->end == AUDIT_GOODBYE &&
	    stream->signed_upto != stream->chain.sequence)
		rc = audit_fault(a, AUDIT_BROKEN, path, stream->at_offset,
				 "the goodbye is not signed by the sensor");
	else if (rc == 0 && stream->batches > 0 &&
		 stream->at_ns > (stream->heads ? stream->signed_ns : stream->hello_ns) +
					 (uint64_t)UNSIGNED_S_MAX * NS_PER_S)
		rc = audit_fault(a, AUDIT_INCOMPLETE, path, stream->at_offset,
				 "the sensor signed nothing after batch %llu",
				 (ull)stream->signed_upto);
	return rc;
}

int audit_sensor_signatures(struct auditing *a, struct audit_sensor *sensor)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sensor->n_streams; i++) {
		if (sensor->streams[i]
			    .certificate) /* else its hello is deleted, or missing and told */
			rc = check_stream(a, sensor, &sensor->streams[i]);
	}
	segment_close(&a->file);
	return rc;
}
