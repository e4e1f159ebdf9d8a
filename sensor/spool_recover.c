// SPDX-License-Identifier: Apache-2.0
/*
 * spool: reads a file back after a run that did not deliver all. Every RING_UNIT of the ring may be an
 * entry's begin; one counts if its head's check and its batch's digest fit, its stream is one of the
 * state's, and its sequence is not acknowledged. A batch that was given up but not yet overwritten
 * counts again: it is whole, and if its gap was told already the collector says so.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/log.h"
#include "sensor/spool_file.h"

enum {
	WINDOW = 1024, /* units read at once */
	SPAN_SLACK_S = 600
}; /* a batch may hold flows that are so much older than the one before */

static int find_stream(const struct ring *r, const uint8_t *id)
{
	for (size_t i = 0; i < r->n_streams; i++)
		if (memcmp(r->streams[i].id, id, WIRE_STREAM_ID) == 0)
			return (int)i;
	return -1;
}

/* Is there an entry? Gives its units; fills the rest of *ret. `bytes` of it are not valid. */
static uint32_t read_entry(struct ring *r, uint32_t at, struct ring_entry *ret, int *ret_stream,
			   uint64_t *ret_unusable)
{
	const uint8_t *p = spool_file_read(r->file, (size_t)at * RING_UNIT, RING_HEAD);
	uint8_t id[WIRE_STREAM_ID], digest[SHA256_BYTES];

	if (!p || !ring_head_decode(p, r, id, ret))
		return 0;
	p = spool_file_read(r->file, (size_t)at * RING_UNIT + RING_HEAD, ret->len);
	*ret_stream = find_stream(r, id);
	if (p)
		crypto_sha256(digest, p, ret->len);
	if (p && memcmp(digest, ret->digest, SHA256_BYTES) == 0)
		return (uint32_t)((RING_HEAD + ret->len + RING_UNIT - 1) / RING_UNIT);
	/* Torn, or partly overwritten by what came later, which is no loss. */
	if (*ret_stream >= 0 && ret->sequence > r->streams[*ret_stream].acknowledged)
		*ret_unusable += RING_HEAD + ret->len;
	return 0;
}

static void find_entries(struct ring *r, uint8_t *window, struct spool_stats *ret)
{
	uint32_t at = 0, from = 0, units = 0; /* the window holds `units` from `from` on */

	while (at < r->units) {
		struct ring_entry e = {.len = 0};
		int stream = -1;
		uint32_t size = 0;

		if (at >= from + units) {
			from = at;
			units = r->units - at < WINDOW ? r->units - at : WINDOW;
			if (!spool_file_copy(r->file, window, (size_t)from * RING_UNIT,
					     (size_t)units * RING_UNIT))
				return;
		}
		if (ring_head_marked(window + (size_t)(at - from) * RING_UNIT))
			size = read_entry(r, at, &e, &stream, &ret->old_unusable);
		if (size > 0 && stream >= 0 &&
		    (e.sequence == 0 || e.sequence > r->streams[stream].acknowledged) &&
		    ring_index(r, (uint8_t)stream, at, &e) == RING_NONE)
			ret->old_unusable += RING_HEAD + e.len;
		at += size > 0 ? size : 1;
	}
}

/* Streams without a batch are over; those without their hello cannot be delivered; of more than there
 * is room for the oldest go. */
static void keep_streams(struct ring *r, struct spool_stats *ret)
{
	uint64_t batches[SPOOL_STREAMS_MAX] = {0};
	uint8_t place[SPOOL_STREAMS_MAX] = {0};
	size_t live = 0, kept = 0;
	uint32_t slot = r->ahead;

	for (uint32_t n = r->n_used; n > 0; n--, slot = r->slots[slot].right)
		batches[r->slots[slot].stream] += r->slots[slot].sequence > 0;
	for (size_t i = 0; i < r->n_streams; i++)
		live += batches[i] > 0 && r->streams[i].hello != RING_NONE;
	for (size_t i = 0; i < r->n_streams; i++) {
		bool stays = batches[i] > 0 && r->streams[i].hello != RING_NONE;

		if (stays && live-- >= SPOOL_STREAMS_MAX)
			stays = false;
		place[i] = stays ? (uint8_t)kept : SPOOL_STREAMS_MAX;
		if (stays)
			r->streams[kept++] = r->streams[i];
	}
	slot = r->ahead;
	for (uint32_t n = r->n_used; n > 0; n--) {
		struct ring_slot *s = &r->slots[slot];
		uint32_t next = s->right;

		s->stream = place[s->stream];
		if (s->stream == SPOOL_STREAMS_MAX) {
			if (s->sequence > 0)
				ret->old_unusable += RING_HEAD + s->len;
			ring_release(r, slot);
		}
		slot = next;
	}
	r->n_streams = kept;
}

static int by_stream_and_sequence(const void *a, const void *b)
{
	const struct ring_slot *const *x = a, *const *y = b;

	if ((*x)->stream != (*y)->stream)
		return (*x)->stream < (*y)->stream ? -1 : 1;
	if ((*x)->sequence != (*y)->sequence)
		return (*x)->sequence < (*y)->sequence ? -1 : 1;
	return 0;
}

/* The times of what is missing before a batch are not known: no wider than from the batch before to
 * it. */
static void set_span(struct ring_slot *s, const struct ring_totals *before,
		     const struct ring_totals *own)
{
	struct ring_totals span = *own;

	ring_totals_add(&span, before);
	if (span.first == UINT64_MAX)
		return;
	s->run_first = span.first > SPAN_SLACK_S ? span.first - SPAN_SLACK_S : 0;
	s->run_last = span.last;
}

static void put_in_order(struct ring *r, struct ring_slot **slots, size_t n,
			 struct spool_stats *ret)
{
	struct ring_totals before = ring_totals_none;
	uint64_t sequence = 0;

	for (size_t i = 0; i < n; i++) {
		struct ring_slot *s = slots[i];
		struct ring_stream *stream = &r->streams[s->stream];
		struct ring_entry e;
		uint8_t id[WIRE_STREAM_ID];
		const uint8_t *p;

		/* A copy of one that was moved, and not overwritten yet. */
		if (i > 0 && slots[i - 1]->stream == s->stream && sequence == s->sequence) {
			ring_release(r, (uint32_t)(s - r->slots));
			continue;
		}
		if (i == 0 || slots[i - 1]->stream != s->stream) {
			sequence = stream->acknowledged;
			before = ring_totals_none;
		}
		p = spool_file_read(r->file, (size_t)s->at * RING_UNIT, RING_HEAD);
		if (p && ring_head_decode(p, r, id, &e)) {
			if (s->sequence > sequence + 1) {
				s->run_ranks = 1 << RING_RANKS; /* not known which */
				set_span(s, &before, &e.totals);
			}
			before = e.totals;
			ret->old_records += e.totals.records;
		}
		sequence = stream->closed = s->sequence;
		ring_link(r, (uint32_t)(s - r->slots));
		ret->old_batches++;
	}
}

/* Writing goes on behind what was written last. */
static void set_head(struct ring *r)
{
	uint32_t last;

	if (r->n_streams == 0)
		return;
	last = r->streams[r->n_streams - 1].last;
	r->head = r->slots[last].at + r->slots[last].units;
	r->ahead = r->slots[last].right;
}

int ring_recover(struct ring *r, struct spool_stats *ret, struct err *err)
{
	uint8_t *window = malloc((size_t)WINDOW * RING_UNIT);
	struct ring_slot **slots = NULL;
	uint32_t slot;
	size_t n = 0;

	r->n_streams = spool_file_streams(r->file, r->streams);
	if (window && r->n_streams > 0) {
		find_entries(r, window, ret);
		keep_streams(r, ret);
	}
	free(window);
	slots = window ? calloc((size_t)r->n_used + 1, sizeof(struct ring_slot *)) : NULL;
	if (!slots)
		return err_set(err, -ENOMEM, "no memory to read the spool's file");
	slot = r->ahead;
	for (uint32_t i = 0; i < r->n_used; i++, slot = r->slots[slot].right)
		if (r->slots[slot].sequence > 0)
			slots[n++] = &r->slots[slot];
	qsort(slots, n, sizeof *slots, by_stream_and_sequence);
	put_in_order(r, slots, n, ret);
	set_head(r);
	free(slots);
	return 0;
}
