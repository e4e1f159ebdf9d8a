// SPDX-License-Identifier: Apache-2.0
/*
 * One sensor: its segments held against the ranges of the manifests, byte by byte. Where segments were deleted the manifests tell where
 * the streams stood.
 */
#include "evidence/audit_sensor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull;

void audit_segment_path(const struct auditing *a, const char *sensor, uint32_t number,
			char out[static LEDGER_PATH_MAX])
{
	(void)snprintf(out, LEDGER_PATH_MAX, "%.*s/%s/%08u.fpl", (int)AUDIT_STORE_MAX, a->store,
		       sensor, number);
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
		stream = audit_find_stream(s->sensor, id);
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
		return audit_broken(s, sealed, "bytes stand behind the segment's signed end");
	if (a->last.kind == MANIFEST_END && !a->audit->is_running)
		return audit_broken(
			s, sealed,
			"no manifest covers these bytes, and the collector signed its end");
	if (!is_last)
		return audit_broken(s, sealed,
				    "no manifest covers these bytes, and a segment follows");
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
		return audit_broken(s, f->from, f->reason);
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
		rc = audit_take_entry(s, &entry, range);
		if (rc == 0 && range && file->at >= range->range.to) {
			rc = file->at == range->range.to
				     ? end_range(s, range)
				     : audit_broken(s, entry.offset,
						    "an entry lies across a signed end");
			sealed = range->range.to;
			s->next++;
			range = next_range(s);
			if (rc == 0)
				rc = begin_range(s);
		}
	}
	if (rc < 0 && rc != -ENOMEM)
		rc = audit_broken(s, file->at, strerror(-rc));
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
			stream = audit_stream_of(s->sensor, id);
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
		return audit_broken(s, 0, err.text);
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
		audit_segment_path(s->a, sensor->id,
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
		rc = audit_broken(&s, 0, err.text);
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
		audit_segment_path(a, sensor->id, s.number, path);
		if (i < n && numbers[i] == s.number) {
			i++;
			rc = take_segment(&s, i == n && s.number == last);
		} else if (s.number < first) {
			rc = take_deleted(&s);
		} else {
			rc = audit_broken(&s, 0, "the file is missing");
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
