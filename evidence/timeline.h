// SPDX-License-Identifier: Apache-2.0
/*
 * The timeline of a sensor: which seconds it watched, and what became of each minute. Times are Unix seconds,
 * an end is excluded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum timeline_minute {
	TIMELINE_OUTSIDE, /* not within the time judged */
	TIMELINE_OK,
	TIMELINE_NODATA,  /* watched, and no packet came */
	TIMELINE_SKIPPED, /* packets of it are missing (SKIPDATA) */
	TIMELINE_GAP,     /* not watched, in part at least */
	TIMELINE_MINUTES
};

enum { TIMELINE_MINUTES_MAX = 60 * 24 * 366 * 2 };

struct timeline_stretch {
	uint64_t from, to;
};

struct timeline_set {
	struct timeline_stretch *list;
	size_t n, cap;
};

/* Begins zeroed. */
struct timeline {
	struct timeline_set watched, holes;
	uint8_t *marks; /* bits by enum timeline_minute, from minute `first` on */
	uint64_t first;
	size_t n, cap;
	uint64_t left_out; /* marks too far from the others */
};

void timeline_fini(struct timeline *timeline);

/* Watched, or known to be missing after all. -ENOMEM. */
int timeline_watch(struct timeline *timeline, uint64_t from, uint64_t to);
int timeline_hole(struct timeline *timeline, uint64_t from, uint64_t to);
/* Something happened in the minutes that [from, to) reaches into. -ENOMEM. */
int timeline_mark(struct timeline *timeline, uint64_t from, uint64_t to, enum timeline_minute what);

/* Puts the stretches in order and takes the holes out; before the questions. -ENOMEM. */
int timeline_settle(struct timeline *timeline);
/* First and last watched second; false: none was. */
bool timeline_bounds(const struct timeline *timeline, uint64_t *ret_from, uint64_t *ret_to);
/* Seconds of [from, to) that were not watched; *ret_first and *ret_last bound them. */
uint64_t timeline_unwatched(const struct timeline *timeline, uint64_t from, uint64_t to,
			    uint64_t *ret_first, uint64_t *ret_last);
/* A minute (Unix seconds of its begin) of the time judged, [from, to). */
enum timeline_minute timeline_at(const struct timeline *timeline, uint64_t minute_s, uint64_t from,
				 uint64_t to);
