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

enum { TIMELINE_MINUTES_MAX = 60 * 24 * 366 * 2, TIMELINE_LONG = 60 };

struct timeline_stretch {
	uint64_t from, to;
};

struct timeline_set {
	struct timeline_stretch *list;
	size_t n, cap;
};

/* Begins zeroed. */
struct timeline {
	struct timeline_set watched, holes, skipped;
	uint8_t *marks; /* minutes with traffic, from minute `first` on */
	uint64_t first;
	size_t n, cap;
	uint64_t left_out; /* marks too far from the others */
};

void timeline_fini(struct timeline *timeline);

/* Watched, or known to be missing after all. -ENOMEM. */
int timeline_watch(struct timeline *timeline, uint64_t from, uint64_t to);
int timeline_hole(struct timeline *timeline, uint64_t from, uint64_t to);
/* There was traffic in the minutes that [from, to) reaches into (of more than TIMELINE_LONG the first and the last);
 * or packets are missing from them. -ENOMEM. */
int timeline_traffic(struct timeline *timeline, uint64_t from, uint64_t to);
int timeline_skip(struct timeline *timeline, uint64_t from, uint64_t to);

/* Puts the stretches in order and takes the holes out; before the questions. -ENOMEM. */
int timeline_settle(struct timeline *timeline);
/* First and last watched second; false: none was. */
bool timeline_bounds(const struct timeline *timeline, uint64_t *ret_from, uint64_t *ret_to);
/* Seconds of [from, to) that were not watched; *ret_first and *ret_last bound them. */
uint64_t timeline_unwatched(const struct timeline *timeline, uint64_t from, uint64_t to,
			    uint64_t *ret_first, uint64_t *ret_last);
/* How many minutes [from, to) reaches into; 0 if that is more than TIMELINE_MINUTES_MAX: a sensor's clock may say
 * anything. */
uint64_t timeline_minutes(uint64_t from, uint64_t to);
/* A minute (Unix seconds of its begin) of the time judged, [from, to). */
enum timeline_minute timeline_at(const struct timeline *timeline, uint64_t minute_s, uint64_t from,
				 uint64_t to);
