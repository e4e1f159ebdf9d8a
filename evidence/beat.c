// SPDX-License-Identifier: Apache-2.0
/*
 * Medians: a call that was missed, or one too many, moves them little.
 */
#include "evidence/beat.h"

#include <stdlib.h>
#include <string.h>

#include "evidence/limits.h"

void beat_add(struct beat *b, uint64_t tenths)
{
	size_t at = b->n;

	while (at > 0 && b->times[at - 1] > tenths)
		at--;
	if (at > 0 && b->times[at - 1] == tenths)
		return;
	if (b->n < BEAT_TIMES) {
		memmove(b->times + at + 1, b->times + at, (b->n - at) * sizeof b->times[0]);
		b->times[at] = tenths;
		b->n++;
	} else if (at > 0) { /* the earliest goes */
		memmove(b->times, b->times + 1, (at - 1) * sizeof b->times[0]);
		b->times[at - 1] = tenths;
	}
}

static int compare(const void *one, const void *two)
{
	uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)two;

	return (a > b) - (a < b);
}

static uint64_t median(uint64_t *values, size_t n)
{
	qsort(values, n, sizeof *values, compare);
	return values[n / 2];
}

bool beat_is_regular(const struct beat *b, struct beat_rhythm *ret)
{
	const uint64_t gap = (uint64_t)BEACON_GAP_S * 10;
	uint64_t intervals[BEAT_TIMES], deviations[BEAT_TIMES], last;
	size_t n = 0, near = 0, band = 0;
	uint64_t period, rest;

	last = b->times[0];
	for (size_t i = 1; i < b->n; i++) {
		if (b->times[i] - last < gap)
			continue;
		intervals[n++] = b->times[i] - last;
		last = b->times[i];
	}
	if (n < BEACON_TIGHT)
		return false;
	period = median(intervals, n);
	rest = period > gap ? period - gap : 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t d = intervals[i], e = d > gap ? d - gap : 0;

		deviations[i] = d > period ? d - period : period - d;
		near += deviations[i] * 100 <= period * BEACON_NEAR;
		band += e * 100 >= rest * 45 && e * 100 <= rest * 165;
	}
	*ret = (struct beat_rhythm){
		.period = period,
		.jitter = period ? (unsigned)(200 * median(deviations, n) / period) : 0,
		.calls = (unsigned)n + 1,
	};
	return near * 5 >= n * 4 || (n >= BEACON_LOOSE && band * 10 >= n * 9) ||
	       (n >= BEACON_MANY && band * 20 >= n * 17);
}
