// SPDX-License-Identifier: Apache-2.0
/*
 * The spool's ring, for lines of log files: they must not cost a record its place. They come in only while the ring is
 * at most half full, and go before any flow. In memory what is left is then pushed together, once an eighth of the ring:
 * left where they were the holes would be too small for a batch of flows. In a file that would be too much to copy:
 * logs have an eighth of it, and their room is had again when writing comes to it.
 */
#include <string.h>

#include "sensor/spool_ring.h"

enum { GO_SHARE = 8, MEMORY_SHARE = 2, FILE_SHARE = 8 };

bool ring_takes_logs(const struct ring *r, size_t bytes)
{
	uint32_t share = r->units / (r->file ? FILE_SHARE : MEMORY_SHARE);

	return r->used <= share && r->n_used <= r->n_slots / 2 &&
	       ring_fits(r, (uint32_t)((bytes + BATCH_WRITE_LOGS_BYTES) * 2 / RING_UNIT));
}

static void move(struct ring *r, uint32_t slot, uint32_t at)
{
	struct ring_slot *s = &r->slots[slot];

	memmove(r->bytes + (size_t)at * RING_UNIT, r->bytes + (size_t)s->at * RING_UNIT,
		(size_t)RING_HEAD + s->len);
	s->at = at;
}

/* What lies behind the head goes up to the ring's end, what lies before it down to its begin; all keep their order. */
static void gather_room(struct ring *r)
{
	uint32_t end = r->units, begin = 0, slot, n = r->n_used;

	if (r->ahead == RING_NONE)
		return;
	/* The last one by address is left of the first one; from there to `ahead`. */
	for (slot = r->ahead; n > 0 && r->slots[slot].at >= r->head; n--)
		slot = r->slots[slot].right;
	for (uint32_t up = r->n_used - n, s = r->slots[slot].left; up > 0; up--) {
		end -= r->slots[s].units;
		move(r, s, end);
		s = r->slots[s].left;
	}
	for (; n > 0; n--) {
		move(r, slot, begin);
		begin += r->slots[slot].units;
		slot = r->slots[slot].right;
	}
	r->head = begin;
}

void ring_give_up_logs(struct ring *r)
{
	uint32_t slot = r->ahead, freed = 0;

	for (uint32_t n = r->n_used; n > 0 && freed < r->units / GO_SHARE; n--) {
		uint32_t right = r->slots[slot].right;

		/* Of a former run's stream the last batch stays (may_go() in spool_ring.c). */
		if (r->slots[slot].rank == RING_LOGS &&
		    r->streams[r->slots[slot].stream].last != slot) {
			freed += r->slots[slot].units;
			ring_give_up(r, slot);
		}
		slot = right;
	}
	if (r->bytes)
		gather_room(r);
}
