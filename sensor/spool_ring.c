// SPDX-License-Identifier: Apache-2.0
/*
 * The spool's ring: see spool_ring.h.
 */
#include "sensor/spool_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/bytes.h"
#include "platform/config.h"
#include "platform/log.h"
#include "sensor/spool_file.h"

static const char mark[3] = {'f', 'p', 'S'};
enum { TYPE_BATCH = 1, TYPE_HELLO = 2, CHECK_AT = 164, CHECK_BYTES = 12 };

const struct ring_totals ring_totals_none = {.first = UINT64_MAX};

void ring_totals_add(struct ring_totals *to, const struct ring_totals *more)
{
	to->records += more->records;
	to->packets += more->packets;
	to->lines += more->lines;
	if (more->first < to->first)
		to->first = more->first;
	if (more->last > to->last)
		to->last = more->last;
}

static uint32_t slots_for(size_t bytes)
{
	return (uint32_t)(bytes / RING_SLOT_BYTES);
}

size_t ring_memory(size_t bytes, bool in_file)
{
	return (in_file ? (size_t)BATCH_WRITE_BYTES + RING_HEAD : bytes) +
	       slots_for(bytes) * sizeof(struct ring_slot);
}

int ring_init(struct ring *r, size_t bytes, struct spool_file *file, struct err *err)
{
	r->file = file;
	if (IS_ENABLED(CONFIG_SPOOL_FILE) && file)
		bytes = spool_file_size(file, r->key);
	r->units = (uint32_t)(bytes / RING_UNIT);
	r->n_slots = slots_for(bytes);
	r->slots = calloc(r->n_slots, sizeof *r->slots);
	r->bytes = file ? NULL : malloc(bytes);
	if (!r->slots || (!file && !r->bytes))
		return err_set(err, -ENOMEM,
			       "no memory for the spool; give --spool-kib a smaller number");
	r->ahead = r->cursor = r->free_slots = RING_NONE;
	r->run = ring_totals_none;
	return 0;
}

void ring_fini(struct ring *r)
{
	if (IS_ENABLED(CONFIG_SPOOL_FILE))
		spool_file_free(r->file);
	free(r->slots);
	free(r->bytes);
}

/* ---- bytes ---- */

/* NULL when the file cannot be read. Valid until the next call. */
static const uint8_t *read_at(struct ring *r, uint32_t at, size_t offset, size_t len)
{
	size_t from = (size_t)at * RING_UNIT + offset;

	if (!IS_ENABLED(CONFIG_SPOOL_FILE) || r->bytes)
		return r->bytes + from;
	return spool_file_read(r->file, from, len);
}

static bool write_at(struct ring *r, uint32_t at, const uint8_t head[static RING_HEAD],
		     const uint8_t *bytes, size_t len)
{
	size_t to = (size_t)at * RING_UNIT;

	if (IS_ENABLED(CONFIG_SPOOL_FILE) && r->file)
		return spool_file_write(r->file, to, head, RING_HEAD, bytes, len);
	memcpy(r->bytes + to, head, RING_HEAD);
	memcpy(r->bytes + to + RING_HEAD, bytes, len);
	return true;
}

void ring_head_encode(uint8_t out[static RING_HEAD], const struct ring *r, const uint8_t *stream,
		      const struct ring_entry *e)
{
	uint8_t check[SHA256_BYTES];
	struct wr w = wr_init(out, RING_HEAD);

	wr_copy(&w, mark, sizeof mark);
	wr_u8(&w, e->sequence ? TYPE_BATCH : TYPE_HELLO);
	wr_u32be(&w, (uint32_t)e->len);
	wr_copy(&w, stream, WIRE_STREAM_ID);
	wr_u64be(&w, e->sequence);
	wr_u64be(&w, e->records_before);
	wr_u64be(&w, e->packets_before);
	wr_u64be(&w, e->lines_before);
	wr_u64be(&w, e->totals.records);
	wr_u64be(&w, e->totals.packets);
	wr_u64be(&w, e->totals.lines);
	wr_u64be(&w, e->totals.first);
	wr_u64be(&w, e->totals.last);
	wr_copy(&w, e->previous, SHA256_BYTES);
	wr_copy(&w, e->digest, SHA256_BYTES);
	wr_u32be(&w, e->rank);
	crypto_sha256_two(check, r->key, RING_KEY, out, CHECK_AT);
	wr_copy(&w, check, CHECK_BYTES);
}

bool ring_head_marked(const uint8_t *head)
{
	return memcmp(head, mark, sizeof mark) == 0;
}

bool ring_head_decode(const uint8_t head[static RING_HEAD], const struct ring *r,
		      uint8_t ret_stream[static WIRE_STREAM_ID], struct ring_entry *ret)
{
	struct rd in = rd_init(head, RING_HEAD);
	uint8_t check[SHA256_BYTES];
	const uint8_t *p = rd_take(&in, 4);
	uint8_t type;

	if (!ring_head_marked(head))
		return false;
	crypto_sha256_two(check, r->key, RING_KEY, head, CHECK_AT);
	if (memcmp(check, head + CHECK_AT, CHECK_BYTES) != 0)
		return false;
	type = p[3];
	*ret = (struct ring_entry){.len = rd_u32be(&in)};
	rd_copy(&in, ret_stream, WIRE_STREAM_ID);
	ret->sequence = rd_u64be(&in);
	ret->records_before = rd_u64be(&in);
	ret->packets_before = rd_u64be(&in);
	ret->lines_before = rd_u64be(&in);
	ret->totals.records = rd_u64be(&in);
	ret->totals.packets = rd_u64be(&in);
	ret->totals.lines = rd_u64be(&in);
	ret->totals.first = rd_u64be(&in);
	ret->totals.last = rd_u64be(&in);
	rd_copy(&in, ret->previous, SHA256_BYTES);
	rd_copy(&in, ret->digest, SHA256_BYTES);
	ret->rank = (uint8_t)rd_u32be(&in);
	return ret->rank < RING_RANKS && (type == TYPE_HELLO) == (ret->sequence == 0);
}

/* The head of a slot's entry. False: it cannot be read, or is not what was written. */
static bool head_of(struct ring *r, uint32_t slot, struct ring_entry *ret)
{
	const uint8_t *head = read_at(r, r->slots[slot].at, 0, RING_HEAD);
	uint8_t stream[WIRE_STREAM_ID];

	return head && ring_head_decode(head, r, stream, ret) &&
	       ret->sequence == r->slots[slot].sequence && ret->len == r->slots[slot].len;
}

/* ---- the index ---- */

static uint32_t end_of(const struct ring_slot *s)
{
	return s->at + s->units;
}

static void link_address(struct ring *r, uint32_t slot, uint32_t behind)
{
	struct ring_slot *s = &r->slots[slot];

	if (behind == RING_NONE) {
		s->left = s->right = slot;
		return;
	}
	s->right = behind;
	s->left = r->slots[behind].left;
	r->slots[s->left].right = slot;
	r->slots[behind].left = slot;
}

void ring_link(struct ring *r, uint32_t slot)
{
	struct ring_slot *s = &r->slots[slot];
	struct ring_stream *stream = &r->streams[s->stream];

	s->before = stream->last;
	s->after = RING_NONE;
	if (s->before == RING_NONE)
		stream->first = slot;
	else
		r->slots[s->before].after = slot;
	stream->last = slot;
}

static uint32_t take_slot(struct ring *r)
{
	uint32_t slot = r->free_slots;

	if (slot != RING_NONE)
		r->free_slots = r->slots[slot].after;
	else if (r->n_touched < r->n_slots)
		slot = r->n_touched++; /* so that pages of a large index come to be used late */
	r->n_used += slot != RING_NONE;
	return slot;
}

void ring_release(struct ring *r, uint32_t slot)
{
	struct ring_slot *s = &r->slots[slot];

	if (r->cursor == slot)
		r->cursor = RING_NONE;
	if (r->ahead == slot)
		r->ahead = s->right == slot ? RING_NONE : s->right;
	r->slots[s->left].right = s->right;
	r->slots[s->right].left = s->left;
	r->used -= s->units;
	r->n_used--;
	r->n_logs -= s->rank == RING_LOGS;
	s->after = r->free_slots;
	r->free_slots = slot;
}

static void unlink_order(struct ring *r, uint32_t slot)
{
	struct ring_slot *s = &r->slots[slot];
	struct ring_stream *stream = &r->streams[s->stream];

	*(s->before == RING_NONE ? &stream->first : &r->slots[s->before].after) = s->after;
	*(s->after == RING_NONE ? &stream->last : &r->slots[s->after].before) = s->before;
}

static uint32_t units_of(size_t len)
{
	return (uint32_t)((RING_HEAD + len + RING_UNIT - 1) / RING_UNIT);
}

static uint32_t fill_slot(struct ring *r, uint8_t stream, uint32_t at, const struct ring_entry *e)
{
	uint32_t slot = take_slot(r);

	if (slot == RING_NONE)
		return slot;
	r->slots[slot] = (struct ring_slot){
		.sequence = e->sequence,
		.run_first = UINT64_MAX,
		.at = at,
		.units = units_of(e->len),
		.len = (uint32_t)e->len,
		.stream = stream,
		.rank = e->rank,
	};
	r->used += r->slots[slot].units;
	r->n_logs += e->rank == RING_LOGS;
	return slot;
}

uint32_t ring_index(struct ring *r, uint8_t stream, uint32_t at, const struct ring_entry *e)
{
	uint32_t slot = fill_slot(r, stream, at, e);

	if (slot == RING_NONE)
		return slot;
	link_address(r, slot, r->ahead);
	if (r->ahead == RING_NONE)
		r->ahead =
			slot; /* the first by address: all that follow go before it, at the end */
	if (e->sequence == 0)
		r->streams[stream].hello = slot;
	return slot;
}

/* ---- giving up ---- */

/* Of an old stream the last batch stays: the gap before it is told with it. A hello stays as long as
 * its stream has batches. */
static bool may_go(const struct ring *r, uint32_t slot, enum ring_rank most)
{
	const struct ring_slot *s = &r->slots[slot];
	bool is_old = s->stream + 1U < r->n_streams;

	return s->sequence > 0 && s->rank <= most &&
	       !(is_old && r->streams[s->stream].last == slot);
}

static void count_lost(struct ring *r, const struct ring_totals *totals, enum ring_rank rank)
{
	r->lost.batches += rank != RING_LOGS;
	r->lost.records += totals->records;
	r->lost.packets += totals->packets;
	r->lost.lines += totals->lines;
}

static void widen(struct ring_slot *s, uint64_t first, uint64_t last)
{
	if (first < s->run_first)
		s->run_first = first;
	if (last > s->run_last)
		s->run_last = last;
}

void ring_give_up(struct ring *r, uint32_t slot)
{
	struct ring_slot *s = &r->slots[slot];
	struct ring_totals run = {.first = s->run_first, .last = s->run_last};
	struct ring_entry e = {.totals = ring_totals_none};
	uint8_t ranks = s->run_ranks;

	(void)head_of(r, slot, &e); /* of one that cannot be read only the number is known */
	count_lost(r, &e.totals, (enum ring_rank)s->rank);
	ring_totals_add(&run, &e.totals);
	ranks |= (uint8_t)(1 << s->rank);
	if (s->after != RING_NONE) {
		widen(&r->slots[s->after], run.first, run.last);
		r->slots[s->after].run_ranks |= ranks;
	} else {
		ring_totals_add(&r->run, &run);
		r->run_ranks |= ranks;
	}
	unlink_order(r, slot);
	ring_release(r, slot);
}

/* The oldest that may go, flows first: they lie ahead of the head in the order of their age. */
static uint32_t oldest(const struct ring *r, bool also_kept)
{
	uint32_t slot = r->ahead;

	for (size_t i = 0; also_kept && i < r->n_streams; i++)
		for (uint32_t s = r->streams[i].first; s != RING_NONE; s = r->slots[s].after)
			if (may_go(r, s, RING_KEPT))
				return s;
	for (uint32_t n = 0; !also_kept && n < r->n_used; n++, slot = r->slots[slot].right)
		if (may_go(r, slot, RING_FLOWS))
			return slot;
	return RING_NONE;
}

static bool give_up_oldest(struct ring *r)
{
	uint32_t slot = oldest(r, false);

	if (slot == RING_NONE)
		slot = oldest(r, true);
	if (slot != RING_NONE)
		ring_give_up(r, slot);
	return slot != RING_NONE;
}

/* What must be kept moves down to `at`, so that it does not come to lie everywhere and leave no room
 * for a batch between. In a file the copy must not overlap: a crash would leave neither. */
static void move_down(struct ring *r, uint32_t slot, uint32_t at)
{
	struct ring_slot *s = &r->slots[slot];
	size_t len = RING_HEAD + s->len;
	const uint8_t *bytes;

	if (s->at == at || (r->file && at + s->units > s->at))
		return;
	bytes = read_at(r, s->at, 0, len);
	if (r->bytes)
		memmove(r->bytes + (size_t)at * RING_UNIT, bytes, len);
	else if (!bytes || !write_at(r, at, bytes, bytes + RING_HEAD, s->len))
		return;
	s->at = at;
}

/* One lap from the head: the first place that has room, or gets it by giving up flows. */
static uint32_t seek_room(struct ring *r, uint32_t units)
{
	uint32_t at = r->head, next = r->ahead;

	for (unsigned ends = 0;;) {
		bool is_behind = next == RING_NONE || r->slots[next].at < at;

		if ((is_behind ? r->units : r->slots[next].at) - at >= units) {
			r->ahead = next;
			return at;
		}
		if (is_behind) {
			if (++ends == 2)
				return RING_NONE;
			at = 0;
		} else if (may_go(r, next, RING_FLOWS)) {
			uint32_t right =
				r->slots[next].right == next ? RING_NONE : r->slots[next].right;

			ring_give_up(r, next);
			next = right;
		} else {
			move_down(r, next, at);
			at = end_of(&r->slots[next]);
			next = r->slots[next].right;
		}
	}
}

static uint32_t make_room(struct ring *r, uint32_t units, enum ring_rank rank)
{
	uint32_t at;

	if (IS_ENABLED(CONFIG_TAIL) && rank == RING_LOGS &&
	    (!ring_fits(r, units) || r->n_used == r->n_slots))
		return RING_NONE;
	if (IS_ENABLED(CONFIG_TAIL) && r->n_logs > 0 &&
	    (!ring_fits(r, units) || r->n_used == r->n_slots))
		ring_give_up_logs(r);
	if (units > r->units || (r->n_used == r->n_slots && !give_up_oldest(r)))
		return RING_NONE;
	while ((at = seek_room(r, units)) == RING_NONE)
		if (!give_up_oldest(r))
			return RING_NONE;
	return at;
}

/* ---- putting in ---- */

static bool put(struct ring *r, const struct ring_entry *e)
{
	uint8_t stream = (uint8_t)(r->n_streams - 1);
	uint32_t at = make_room(r, units_of(e->len), (enum ring_rank)e->rank), slot;
	uint8_t head[RING_HEAD];

	if (at == RING_NONE)
		return false;
	ring_head_encode(head, r, r->streams[stream].id, e);
	r->head = at; /* also after a failure: what was moved down lies before it */
	if (!write_at(r, at, head, e->bytes, e->len))
		return false;
	slot = fill_slot(r, stream, at, e);
	link_address(r, slot, r->ahead);
	r->head = at + r->slots[slot].units;
	if (r->ahead == RING_NONE)
		r->ahead = slot;
	if (e->sequence == 0) {
		r->streams[stream].hello = slot;
		return true;
	}
	r->slots[slot].run_first = r->run.first;
	r->slots[slot].run_last = r->run.last;
	r->slots[slot].run_ranks = r->run_ranks;
	r->run = ring_totals_none;
	r->run_ranks = 0;
	ring_link(r, slot);
	return true;
}

void ring_put(struct ring *r, const struct ring_entry *e)
{
	ring_current(r)->closed = e->sequence;
	if (put(r, e))
		return;
	count_lost(r, &e->totals, (enum ring_rank)e->rank);
	ring_totals_add(&r->run, &e->totals);
	r->run_ranks |= (uint8_t)(1 << e->rank);
}

void ring_sync(struct ring *r)
{
	if (IS_ENABLED(CONFIG_SPOOL_FILE) && r->file)
		spool_file_sync(r->file);
}

bool ring_fits(const struct ring *r, uint32_t need)
{
	uint32_t next = r->ahead;
	bool is_behind = next == RING_NONE || r->slots[next].at < r->head;

	if ((is_behind ? r->units : r->slots[next].at) - r->head >= need)
		return true;
	return is_behind && (next == RING_NONE ? r->units : r->slots[next].at) >= need;
}

bool ring_has_room(const struct ring *r)
{
	return r->n_slots - r->n_used > RING_ROOM &&
	       ring_fits(r, RING_ROOM * units_of(BATCH_WRITE_BYTES));
}

/* ---- streams ---- */

struct ring_stream *ring_current(struct ring *r)
{
	return &r->streams[r->n_streams - 1];
}

struct ring_stream *ring_old(struct ring *r)
{
	for (size_t i = 0; i + 1 < r->n_streams; i++)
		if (r->streams[i].first != RING_NONE && !r->streams[i].set_aside)
			return &r->streams[i];
	return NULL;
}

struct ring_stream *ring_front(struct ring *r)
{
	struct ring_stream *old = r->current_first ? NULL : ring_old(r);

	return old ? old : ring_current(r);
}

size_t ring_old_streams(const struct ring *r)
{
	size_t n = 0;

	for (size_t i = 0; i + 1 < r->n_streams; i++)
		n += r->streams[i].first != RING_NONE;
	return n;
}

static void save(struct ring *r)
{
	if (IS_ENABLED(CONFIG_SPOOL_FILE) && r->file)
		spool_file_save(r->file, r->streams, r->n_streams);
}

int ring_begin_stream(struct ring *r, const uint8_t *id, const uint8_t *digest,
		      const uint8_t *hello, size_t hello_len, struct err *err)
{
	struct ring_stream *stream = &r->streams[r->n_streams++];
	struct ring_entry e = {.bytes = hello, .len = hello_len, .rank = RING_KEPT};

	*stream = (struct ring_stream){.first = RING_NONE, .last = RING_NONE, .hello = RING_NONE};
	memcpy(stream->id, id, WIRE_STREAM_ID);
	memcpy(stream->base.digest, digest, SHA256_BYTES);
	if (!IS_ENABLED(CONFIG_SPOOL_FILE) || !r->file)
		return 0;
	crypto_sha256(e.digest, hello, hello_len);
	if (!put(r, &e))
		return err_set(
			err, ERR_FULL,
			"the spool's file has no room for this run; give it a larger size, or "
			"let what is in it be delivered first");
	save(r);
	ring_sync(r);
	return 0;
}

const uint8_t *ring_hello(struct ring *r, const struct ring_stream *stream, size_t *ret_len)
{
	if (stream->hello == RING_NONE)
		return NULL;
	*ret_len = r->slots[stream->hello].len;
	return read_at(r, r->slots[stream->hello].at, RING_HEAD, *ret_len);
}

void ring_set_aside(struct ring *r)
{
	struct ring_stream *stream = ring_front(r);

	if (stream != ring_current(r))
		stream->set_aside = true;
}

/* ---- handing out ---- */

/* The first batch of the stream after `sent`. They are asked for in order: the one handed out last is
 * where to look from. */
static uint32_t find_after(const struct ring *r, const struct ring_stream *stream, uint64_t sent)
{
	uint32_t slot = stream->first;

	if (r->cursor != RING_NONE && &r->streams[r->slots[r->cursor].stream] == stream &&
	    r->slots[r->cursor].sequence <= sent)
		slot = r->cursor;
	while (slot != RING_NONE && r->slots[slot].sequence <= sent)
		slot = r->slots[slot].after;
	return slot;
}

/* What stands between the last batch before a slot that is known and the slot. */
static void fill_gap(struct ring *r, const struct ring_stream *stream, uint32_t slot,
		     const struct ring_entry *e, struct batch_gap *ret)
{
	const struct ring_slot *s = &r->slots[slot];
	struct ring_base from = stream->base;
	struct ring_entry before;

	if (s->before != RING_NONE && head_of(r, s->before, &before)) {
		from.sequence = before.sequence;
		from.records = before.records_before + before.totals.records;
		from.packets = before.packets_before + before.totals.packets;
		from.lines = before.lines_before + before.totals.lines;
	}
	*ret = (struct batch_gap){
		.first = from.sequence + 1,
		.last = s->sequence - 1,
		.records = e->records_before - from.records,
		.packets = e->packets_before - from.packets,
		.lines = e->lines_before - from.lines,
		.window_first = s->run_first == UINT64_MAX ? 0 : s->run_first,
		.window_last = s->run_last,
		.logs_only = s->run_ranks == 1 << RING_LOGS,
	};
	memcpy(ret->digest, e->previous, SHA256_BYTES);
}

bool ring_next(struct ring *r, struct ring_stream *stream, uint64_t sent, struct ring_next *ret,
	       struct batch_gap *ret_gap)
{
	const struct ring_base *base = &stream->base;
	struct ring_entry e;
	uint32_t slot;

	/* A collector that has less than another one said was durable. */
	if (sent < base->sequence) {
		*ret = (struct ring_next){.is_gap = true, .sequence = base->sequence};
		*ret_gap = (struct batch_gap){.first = 1,
					      .last = base->sequence,
					      .records = base->records,
					      .packets = base->packets,
					      .lines = base->lines,
					      .elsewhere = true};
		memcpy(ret_gap->digest, base->digest, SHA256_BYTES);
		return true;
	}
	while ((slot = find_after(r, stream, sent)) != RING_NONE) {
		uint8_t digest[SHA256_BYTES];
		const struct ring_slot *s = &r->slots[slot];

		if (head_of(r, slot, &e)) {
			if (s->sequence > sent + 1) {
				*ret = (struct ring_next){.is_gap = true,
							  .sequence = s->sequence - 1};
				fill_gap(r, stream, slot, &e, ret_gap);
				return true;
			}
			r->cursor = slot;
			*ret = (struct ring_next){.sequence = s->sequence, .len = s->len};
			ret->bytes = read_at(r, s->at, RING_HEAD, s->len);
			if (ret->bytes &&
			    (r->bytes || (crypto_sha256(digest, ret->bytes, s->len),
					  memcmp(digest, e.digest, SHA256_BYTES) == 0)))
				return true;
		}
		log_err("spool", "batch %llu in the file is not what was written: given up",
			(unsigned long long)s->sequence);
		ring_give_up(r, slot);
	}
	return false;
}

void ring_ack(struct ring *r, struct ring_stream *stream, uint64_t sequence)
{
	uint32_t slot;
	struct ring_entry e;

	if (sequence > stream->closed)
		sequence = stream->closed;
	if (sequence <= stream->acknowledged)
		return;
	stream->acknowledged = sequence;
	while ((slot = stream->first) != RING_NONE && r->slots[slot].sequence <= sequence) {
		if (head_of(r, slot, &e)) {
			stream->base =
				(struct ring_base){.sequence = e.sequence,
						   .records = e.records_before + e.totals.records,
						   .packets = e.packets_before + e.totals.packets,
						   .lines = e.lines_before + e.totals.lines};
			memcpy(stream->base.digest, e.digest, SHA256_BYTES);
		}
		unlink_order(r, slot);
		ring_release(r, slot);
	}
	if (stream != ring_current(r) && stream->first == RING_NONE && stream->hello != RING_NONE) {
		ring_release(r, stream->hello);
		stream->hello = RING_NONE;
	}
	save(r);
}
