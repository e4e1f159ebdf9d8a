// SPDX-License-Identifier: Apache-2.0
/*
 * spool: a ring of bytes and a ring of descriptors beside it.
 *
 *   bytes    |....[batch 7][batch 8][batch 9]...........|
 *                 ^ item 0                   ^ head
 *   items    | 7 | 8 | 9 |
 *
 * A batch is contiguous: what does not fit before the ring's end begins at its start.
 */
#include "sensor/spool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/crypto.h"

enum {
	ROOM = 4,         /* batches that spool_has_room() vouches for */
	ITEM_BYTES = 512, /* of ring for each descriptor */
};

struct item {
	uint64_t sequence;
	size_t offset, len;
};

/* What the batch being filled holds, for the gap that it may become. */
struct content {
	uint64_t records, packets;
	uint64_t first, last; /* least start, greatest end; Unix seconds */
};

struct spool {
	struct batch_writer *writer;
	struct content filling;
	uint8_t *scratch; /* BATCH_WRITE_BYTES */
	uint64_t sequence;
	uint8_t digest[SHA256_BYTES]; /* of batch `sequence` */
	bool has_gap;
	struct batch_gap gap;

	uint8_t *ring;
	size_t size, head;
	struct item *items;
	size_t items_cap, first, count;
	uint64_t acknowledged;
	uint64_t given_up_batches, given_up_records;
};

static size_t ring_bytes(size_t bytes)
{
	return bytes < ROOM * (size_t)BATCH_WRITE_BYTES ? ROOM * (size_t)BATCH_WRITE_BYTES : bytes;
}

size_t spool_memory(size_t bytes)
{
	size_t ring = ring_bytes(bytes);

	return sizeof(struct spool) + ring + ring / ITEM_BYTES * sizeof(struct item) +
	       BATCH_WRITE_BYTES;
}

int spool_new(struct spool **ret, size_t bytes, const uint8_t stream[static WIRE_STREAM_ID])
{
	struct spool *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	s->size =
		bytes < ROOM * (size_t)BATCH_WRITE_BYTES ? ROOM * (size_t)BATCH_WRITE_BYTES : bytes;
	s->items_cap = s->size / 512;
	s->scratch = malloc(BATCH_WRITE_BYTES);
	s->ring = malloc(s->size);
	s->items = calloc(s->items_cap, sizeof *s->items);
	batch_chain_start(s->digest, stream);
	if (!s->scratch || !s->ring || !s->items || batch_writer_new(&s->writer) != 0) {
		spool_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

void spool_free(struct spool *s)
{
	if (!s)
		return;
	batch_writer_free(s->writer);
	free(s->scratch);
	free(s->ring);
	free(s->items);
	free(s);
}

static const struct item *item_at(const struct spool *s, size_t i)
{
	return s->items + (s->first + i) % s->items_cap;
}

/* Where `len` bytes fit, or SIZE_MAX. Used bytes run from the first item's offset to `head`,
 * perhaps around the end. */
static size_t find_room(const struct spool *s, size_t len)
{
	size_t tail;

	if (s->count == s->items_cap)
		return SIZE_MAX;
	if (s->count == 0)
		return len <= s->size ? 0 : SIZE_MAX;
	tail = item_at(s, 0)->offset;
	if (s->head > tail) {
		if (s->size - s->head >= len)
			return s->head;
		return tail >= len ? 0 : SIZE_MAX;
	}
	return tail - s->head >= len ? s->head : SIZE_MAX;
}

static void give_up(struct spool *s)
{
	struct batch_gap *g = &s->gap;

	if (!s->has_gap)
		*g = (struct batch_gap){.first = s->sequence, .window_first = UINT64_MAX};
	s->has_gap = true;
	g->last = s->sequence;
	memcpy(g->digest, s->digest, sizeof g->digest);
	g->records += s->filling.records;
	g->packets += s->filling.packets;
	if (s->filling.records && s->filling.first < g->window_first)
		g->window_first = s->filling.first;
	if (s->filling.last > g->window_last)
		g->window_last = s->filling.last;
	s->given_up_batches++;
	s->given_up_records += s->filling.records;
}

static void close_batch(struct spool *s, uint64_t now_ns, bool goodbye)
{
	struct batch_head head = {
		.sequence = s->sequence + 1,
		.clock_ns = now_ns,
		.goodbye = goodbye,
		.has_gap = s->has_gap,
		.gap = s->gap,
	};
	struct item *item;
	size_t len, at;

	if (head.has_gap && head.gap.window_first == UINT64_MAX)
		head.gap.window_first = 0;
	memcpy(head.previous, s->digest, sizeof head.previous);
	len = batch_finish(s->writer, &head, s->scratch);
	s->sequence = head.sequence;
	crypto_sha256(s->digest, s->scratch, len);
	at = find_room(s, len);
	if (at == SIZE_MAX) {
		give_up(s);
	} else {
		memcpy(s->ring + at, s->scratch, len);
		s->head = at + len;
		item = s->items + (s->first + s->count++) % s->items_cap;
		*item = (struct item){.sequence = s->sequence, .offset = at, .len = len};
		s->has_gap = false;
	}
	s->filling = (struct content){.first = UINT64_MAX};
}

void spool_record(struct spool *s, const struct flowrec *rec, uint64_t now_ns)
{
	if (!batch_add_record(s->writer, rec)) {
		close_batch(s, now_ns, false);
		(void)batch_add_record(s->writer, rec); /* an empty batch has room for any record */
	}
	if (s->filling.records++ == 0 || rec->start < s->filling.first)
		s->filling.first = rec->start;
	if (rec->end > s->filling.last)
		s->filling.last = rec->end;
	s->filling.packets += rec->packets;
}

void spool_alert(struct spool *s, const struct batch_alert *alert, uint64_t now_ns)
{
	if (!batch_add_alert(s->writer, alert)) {
		close_batch(s, now_ns, false);
		(void)batch_add_alert(s->writer, alert);
	}
}

void spool_account(struct spool *s, const struct batch_account *account, uint64_t now_ns)
{
	if (!batch_add_account(s->writer, account)) {
		close_batch(s, now_ns, false);
		(void)batch_add_account(s->writer, account);
	}
}

void spool_flush(struct spool *s, uint64_t now_ns, bool goodbye)
{
	close_batch(s, now_ns, goodbye);
}

bool spool_is_filling(const struct spool *s)
{
	return !batch_is_empty(s->writer);
}

bool spool_has_alert(const struct spool *s)
{
	return batch_alerts(s->writer) > 0;
}

bool spool_after(const struct spool *s, uint64_t sequence, struct spool_batch *ret)
{
	size_t low = 0,
	       high = s->count; /* sequences in the ring rise: the first above `sequence` */

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (item_at(s, middle)->sequence > sequence)
			high = middle;
		else
			low = middle + 1;
	}
	if (low == s->count)
		return false;
	*ret = (struct spool_batch){
		.bytes = s->ring + item_at(s, low)->offset,
		.len = item_at(s, low)->len,
		.sequence = item_at(s, low)->sequence,
	};
	return true;
}

void spool_ack(struct spool *s, uint64_t sequence)
{
	while (s->count && item_at(s, 0)->sequence <= sequence) {
		s->first = (s->first + 1) % s->items_cap;
		s->count--;
	}
	if (sequence > s->acknowledged)
		s->acknowledged = sequence;
}

bool spool_has_room(const struct spool *s)
{
	return s->count + ROOM < s->items_cap &&
	       find_room(s, ROOM * (size_t)BATCH_WRITE_BYTES) != SIZE_MAX;
}

void spool_stats(const struct spool *s, struct spool_stats *ret)
{
	size_t used = 0;

	if (s->count) {
		size_t tail = item_at(s, 0)->offset;

		used = s->head > tail ? s->head - tail : s->size - tail + s->head;
	}
	*ret = (struct spool_stats){
		.closed = s->sequence,
		.acknowledged = s->acknowledged,
		.given_up_batches = s->given_up_batches,
		.given_up_records = s->given_up_records,
		.bytes = s->size,
		.used = used,
	};
}
