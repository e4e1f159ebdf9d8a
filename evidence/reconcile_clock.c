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
#include "platform/clock.h"

enum {
	CLOCK_SAMPLES_MAX = 1 << 20, /* of one flow and all before */
	CLOCK_SHORT_S = 900, /* of longer flows it cannot be told which lines belong together */
	CLOCK_SHIFT_MIN_S = 120,
	CLOCK_EXACT_S = 2,
	CLOCK_AHEAD_MIN_S = 30, /* less is within every tolerance */
	CLOCK_OUTLIERS_FROM = 16,
	CLOCK_FEW = 3,
	HIDDEN_PARTS = 3,
};

struct extent {
	uint64_t packets, bytes, lines;
	int64_t start, end;
};

/* Of the rows of one side (and flow log); false: it does not say enough, or is too long. */
static bool extent_of(const struct row *rows, size_t n, int log, struct extent *ret)
{
	*ret = (struct extent){.start = INT64_MAX, .end = INT64_MIN};
	for (size_t i = 0; i < n; i++) {
		const struct row *row = &rows[i];

		if (log >= 0 && row->log != log)
			continue;
		if (!(row->flags & ROW_TIMED) ||
		    (row->flags & (ROW_NO_PACKETS | ROW_NO_BYTES | ROW_REJECT)))
			return false;
		ret->packets += row->packets;
		ret->bytes += row->bytes;
		ret->lines++;
		ret->start = row->start < ret->start ? row->start : ret->start;
		ret->end = row->end > ret->end ? row->end : ret->end;
	}
	return ret->lines > 0 && ret->end - ret->start <= CLOCK_SHORT_S;
}

static int add_pair(struct offsets *o, const struct extent *host, const struct extent *witness)
{
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
	o->start[o->n] = witness->start - host->start;
	o->end[o->n++] = witness->end - host->end;
	return 0;
}

int clock_sample(struct reconcile *rec, const struct row *host, size_t n_host,
		 const struct row *witness, size_t n_witness)
{
	struct offsets *o = &rec->offsets;
	struct extent h, w;
	int rc = 0;

	if (n_host == 0 || n_witness == 0 || !extent_of(host, n_host, -1, &h))
		return 0;
	/* Each flow log by itself: they may all tell the same traffic. */
	for (size_t i = 0; rc == 0 && i < n_witness && o->n < CLOCK_SAMPLES_MAX; i++) {
		size_t k = 0;

		while (witness[k].log != witness[i].log)
			k++;
		if (k == i && extent_of(witness, n_witness, witness[i].log, &w) &&
		    h.packets == w.packets && h.bytes == w.bytes)
			rc = add_pair(o, &h, &w);
	}
	return rc;
}

static int compare(const void *p, const void *q)
{
	int64_t a = *(const int64_t *)p, b = *(const int64_t *)q;

	return (a > b) - (a < b);
}

static uint32_t seconds_of(int64_t seconds)
{
	return seconds < 0                      ? 0
	       : seconds > RECONCILE_LATE_MAX_S ? RECONCILE_LATE_MAX_S
						: (uint32_t)seconds;
}

/* What is documented; or, if more than half of that was seen, half as much again and a minute at least: the latest of all need
 * not be among the pairs. */
static uint32_t tolerance(int64_t seen)
{
	if (2 * seen <= RECONCILE_LATE_S)
		return RECONCILE_LATE_S;
	return seconds_of(seen + (seen / 2 > RECONCILE_LATE_S ? seen / 2 : RECONCILE_LATE_S));
}

/* Flows begin and end anywhere in a window, which hides how late its stamps are: of n that are spread over it the one that tells the
 * most falls short by an n-th of it on average, by three n-ths once in twenty times. */
static uint32_t hidden_by(int64_t spread, size_t n)
{
	return seconds_of(n > HIDDEN_PARTS ? HIDDEN_PARTS * spread / (int64_t)n : spread);
}

static uint32_t at_least(uint32_t seconds, uint32_t least)
{
	return seconds < least ? least : seconds;
}

/* At an edge: nothing if many flows show that the stamps are exact. */
static uint32_t edge_tolerance(int64_t seen)
{
	return seen <= CLOCK_EXACT_S ? seconds_of(seen) : tolerance(seen);
}

/* The farthest may be flows that came again and look equal by chance, in both directions: they stand apart from the others,
 * farther than windows make the others differ. */
static int64_t farthest(int64_t most, int64_t trimmed, int64_t spread)
{
	return most - trimmed <= RECONCILE_LATE_S + spread / 2 ? most : trimmed;
}

static void sort_offsets(struct reconcile_clock *c, struct offsets *o)
{
	qsort(o->start, o->n, sizeof o->start[0], compare);
	qsort(o->end, o->n, sizeof o->end[0], compare);
	c->start_min = o->start[0];
	c->start_median = o->start[o->n / 2];
	c->start_max = o->start[o->n - 1];
	c->end_min = o->end[0];
	c->end_median = o->end[o->n / 2];
	c->end_max = o->end[o->n - 1];
}

/*
 * The clocks' difference, witness' less machine's. A line begins at most a late minute after its packets and never ends before them,
 * so the latest begin and the earliest end bound it. Applied where zero lies outside of that: at once if lines end before their
 * packets, which no lateness does; if they begin after them, only beyond what may be lateness too.
 */
static int64_t offset_between(const struct reconcile_clock *c, int64_t spread, int64_t low,
			      int64_t high)
{
	int64_t shift = (c->start_median + c->end_median) / 2;

	if (low >
	    high) /* later than documented, too: if it is the clock's, the earliest end tells it best */
		return shift > CLOCK_SHIFT_MIN_S + spread / 2 ||
				       shift < -CLOCK_SHIFT_MIN_S - spread / 2
			       ? high
			       : 0;
	if (high >= -CLOCK_AHEAD_MIN_S && low + RECONCILE_LATE_S <= CLOCK_SHIFT_MIN_S)
		return 0;
	return shift < low ? low : shift > high ? high : shift;
}

/* A few that all say the same suffice where no lateness comes near it. */
static bool are_far(size_t n, int64_t low, int64_t high)
{
	return n >= CLOCK_FEW && low <= high &&
	       (high < -2 * RECONCILE_LATE_MAX_S || low > 2 * RECONCILE_LATE_MAX_S);
}

/* Are start and end those of the packets? A few suffice that all say so. */
static bool are_packet_times(const struct reconcile_clock *c, int64_t spread)
{
	if (c->pairs >= RECONCILE_PAIRS_MIN)
		return spread <= CLOCK_EXACT_S;
	return c->pairs >= CLOCK_FEW && c->start_max - c->start_min <= CLOCK_EXACT_S &&
	       c->end_max - c->end_min <= CLOCK_EXACT_S && spread <= CLOCK_EXACT_S;
}

void clock_settle(struct reconcile *rec)
{
	struct reconcile_clock *c = &rec->result.clock;
	struct offsets *o = &rec->offsets;
	int64_t late, early, spread = 0, latest = 0, earliest = 0,
			     ledger_s = -c->ledger_ms / MS_PER_S;
	bool is_enough, is_shown;
	size_t aside = o->n < CLOCK_OUTLIERS_FROM ? 0 : 2 + o->n / 25;

	c->pairs = o->n;
	if (o->n > 0) {
		sort_offsets(c, o);
		spread = c->end_median - c->start_median; /* of its windows beyond the packets */
		if (spread < 0)
			spread = 0;
		latest = farthest(c->start_max, o->start[o->n - 1 - aside], spread);
		earliest = -farthest(-c->end_min, -o->end[aside], spread);
	}
	is_enough =
		o->n >= RECONCILE_PAIRS_MIN || are_far(o->n, latest - RECONCILE_LATE_S, earliest);
	if (is_enough)
		c->applied = offset_between(c, spread, latest - RECONCILE_LATE_S, earliest);
	else if (ledger_s > CLOCK_SHIFT_MIN_S || ledger_s < -CLOCK_SHIFT_MIN_S)
		c->applied = ledger_s; /* its word is all there is */
	if (rec->widest > RECONCILE_WINDOW_MAX_S)
		rec->widest = RECONCILE_WINDOW_MAX_S;
	rec->window = are_packet_times(c, spread) ? 0 : rec->widest;
	c->late = c->early = RECONCILE_LATE_S;
	late = latest - c->applied;
	early = c->applied - earliest;
	if (o->n > 0) {
		c->late = tolerance(late) + hidden_by(spread, o->n);
		c->early = tolerance(early) + hidden_by(spread, o->n);
	}
	/* An offset is known no better than lateness and windows let it be: where in between it lies does not show. */
	if (c->applied) {
		c->late += RECONCILE_LATE_S + seconds_of(earliest - c->applied);
		c->early += RECONCILE_LATE_S + seconds_of(c->applied - (latest - RECONCILE_LATE_S));
	} else if (o->n > 0) {
		c->late = at_least(c->late, RECONCILE_LATE_S + seconds_of(earliest));
		c->early = at_least(c->early, seconds_of(RECONCILE_LATE_S - latest));
	}
	/* Lines that all begin long before their packets show nothing: the clock may be ahead, and the windows hide it. */
	is_shown = is_enough && !c->applied &&
		   -latest <= (int64_t)hidden_by(spread, o->n) + CLOCK_EXACT_S;
	/* Lines that end before their packets: that clock is ahead, who knows how far, and they are later than they look. */
	rec->late_edge = is_shown && early <= CLOCK_EXACT_S ? edge_tolerance(late) : c->late;
	rec->early_edge = is_shown ? edge_tolerance(early) : c->early;
}
