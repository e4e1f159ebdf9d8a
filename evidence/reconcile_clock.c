// SPDX-License-Identifier: Apache-2.0
/*
 * What the stamps of flows tell that both have with equal counts: how late those of the witness are, and
 * whether the two clocks differ.
 *
 * Lateness up to a minute or so and a clock that is behind by as much look the same; only a shift that is
 * larger than lateness and the windows explain is taken for the clock's and applied.
 */
#include <errno.h>
#include <stdlib.h>

#include "evidence/reconcile_parts.h"

enum {
	CLOCK_SAMPLES_MAX = 1 << 20,
	CLOCK_SHORT_S = 900, /* of longer flows it cannot be told which lines belong together */
	CLOCK_SHIFT_MIN_S = 120,
};

static bool is_usable(const struct row *row, size_t n, uint64_t *packets, uint64_t *bytes,
		      int64_t *start, int64_t *end)
{
	*packets = *bytes = 0;
	*start = INT64_MAX;
	*end = INT64_MIN;
	for (size_t i = 0; i < n; i++) {
		if (!(row[i].flags & ROW_TIMED) ||
		    (row[i].flags & (ROW_NO_PACKETS | ROW_NO_BYTES | ROW_REJECT)))
			return false;
		*packets += row[i].packets;
		*bytes += row[i].bytes;
		*start = row[i].start < *start ? row[i].start : *start;
		*end = row[i].end > *end ? row[i].end : *end;
	}
	return *end - *start <= CLOCK_SHORT_S;
}

int clock_sample(struct reconcile *rec, const struct row *host, size_t n_host,
		 const struct row *witness, size_t n_witness)
{
	struct offsets *o = &rec->offsets;
	uint64_t hp, hb, wp, wb;
	int64_t hs, he, ws, we;

	if (n_host == 0 || n_witness == 0 || o->n == CLOCK_SAMPLES_MAX ||
	    !is_usable(host, n_host, &hp, &hb, &hs, &he) ||
	    !is_usable(witness, n_witness, &wp, &wb, &ws, &we) || hp != wp || hb != wb)
		return 0;
	if (o->n == o->cap) {
		size_t cap = o->cap ? 2 * o->cap : 1024;
		int64_t *start = realloc(o->start, cap * sizeof *start);
		int64_t *end = start ? realloc(o->end, cap * sizeof *end) : NULL;

		if (start)
			o->start = start;
		if (!end)
			return -ENOMEM;
		o->end = end;
		o->cap = cap;
	}
	o->start[o->n] = ws - hs;
	o->end[o->n++] = we - he;
	return 0;
}

static int compare(const void *p, const void *q)
{
	int64_t a = *(const int64_t *)p, b = *(const int64_t *)q;

	return (a > b) - (a < b);
}

/* A stamp of NODATA's kind or of another day must not stretch a tolerance. */
static uint32_t tolerance(int64_t seconds)
{
	return seconds < 0                      ? 0
	       : seconds > RECONCILE_LATE_MAX_S ? RECONCILE_LATE_MAX_S
						: (uint32_t)seconds;
}

static uint32_t at_least(uint32_t seconds, uint32_t least)
{
	return seconds < least ? least : seconds;
}

void clock_settle(struct reconcile *rec)
{
	struct reconcile_clock *c = &rec->result.clock;
	struct offsets *o = &rec->offsets;
	int64_t shift, spread, ledger_s = -c->ledger_ms / 1000;

	c->pairs = o->n;
	c->late = c->early = RECONCILE_LATE_S;
	rec->late_edge = rec->early_edge = RECONCILE_LATE_S;
	if (o->n > 0) {
		qsort(o->start, o->n, sizeof o->start[0], compare);
		qsort(o->end, o->n, sizeof o->end[0], compare);
		c->start_min = o->start[0];
		c->start_median = o->start[o->n / 2];
		c->start_max = o->start[o->n - 1];
		c->end_min = o->end[0];
		c->end_median = o->end[o->n / 2];
		c->end_max = o->end[o->n - 1];
	}
	if (o->n < RECONCILE_PAIRS_MIN) {
		/* The word of the ledger is all there is. */
		if (c->has_ledger &&
		    (ledger_s > CLOCK_SHIFT_MIN_S || ledger_s < -CLOCK_SHIFT_MIN_S))
			c->applied = ledger_s;
		return;
	}
	shift = (c->start_median + c->end_median) / 2;
	spread = c->end_median - c->start_median; /* the width of its windows beyond the packets */
	if (spread < 0)
		spread = 0;
	if (shift > CLOCK_SHIFT_MIN_S + spread / 2 || shift < -CLOCK_SHIFT_MIN_S - spread / 2)
		c->applied = shift;
	/* One in a thousand may be a flow that came again. */
	c->late = at_least(tolerance(o->start[o->n - 1 - o->n / 1000] - c->applied),
			   RECONCILE_LATE_S);
	c->early = at_least(tolerance(c->applied - o->end[o->n / 1000]), RECONCILE_LATE_S);
	rec->late_edge = tolerance(o->start[o->n - 1] - c->applied);
	rec->early_edge = tolerance(c->applied - o->end[0]);
}
