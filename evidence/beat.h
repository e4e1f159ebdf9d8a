// SPDX-License-Identifier: Apache-2.0
/*
 * Regular or not: the times of the calls to one endpoint.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BEAT_TIMES = 128 }; /* the latest are kept */

/* Times in tenths of a second, in order, each once. The same whatever the order in which they came. */
struct beat {
	uint64_t times[BEAT_TIMES];
	uint16_t n;
};

/* Of more than BEAT_TIMES the earliest go. */
void beat_add(struct beat *beat, uint64_t tenths);

struct beat_rhythm {
	uint64_t period; /* tenths of a second: the middle one of the intervals */
	unsigned
		jitter; /* percent of it: twice the middle deviation, which for a uniform jitter is its half width */
	unsigned calls;
};

/*
 * Are they regular? What follows a call within BEACON_GAP_S is part of it. Of the intervals one of these must hold:
 *
 * - there are at least BEACON_TIGHT, and four fifths lie within BEACON_NEAR percent of the middle one;
 * - there are at least BEACON_LOOSE, and nine tenths lie between 0.45 and 1.65 of the middle one, all less the
 *   silence that a call needs before it (BEACON_GAP_S): of calls at random (Poisson) 42 % would;
 * - there are at least BEACON_MANY, and 85 % lie there.
 */
bool beat_is_regular(const struct beat *beat, struct beat_rhythm *ret);
