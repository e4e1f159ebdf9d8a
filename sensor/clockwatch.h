// SPDX-License-Identifier: Apache-2.0
/*
 * clockwatch: tells steps of this machine's wall clock, and of a collector's, from the monotonic clock
 * and from what the uplink measured. Pure: both clocks come in as arguments.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A wall clock that is slewed (at most 500 ppm) moves less than this between two looks that are a
 * quarter of a second apart. Time that the machine slept counts as a step. */
#define CLOCKWATCH_STEP INT64_C(100000000) /* ns */
/* Beside what the ways explain. */
#define CLOCKWATCH_COLLECTOR INT64_C(500000000)

struct clockwatch {
	bool has_lead, has_offset;
	int64_t lead_ns;    /* wall less monotonic clock, at the last look */
	int64_t stepped_ns; /* since the offset was measured */
	unsigned collector;
	int64_t offset_ns;
	uint64_t way_ns;
};

/* Begin zeroed. A look at both clocks: true when the wall clock stepped since the last one, by
 * *ret_step nanoseconds. */
bool clockwatch_look(struct clockwatch *watch, uint64_t wall_ns, uint64_t mono_ns,
		     int64_t *ret_step);
/* An offset was measured (ours less that collector's). True when that collector's clock stepped since
 * the last one; *ret_before is the offset that was to be expected. */
bool clockwatch_offset(struct clockwatch *watch, unsigned collector, int64_t offset_ns,
		       uint64_t way_ns, int64_t *ret_before);
