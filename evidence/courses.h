// SPDX-License-Identifier: Apache-2.0
/*
 * Courses: bytes over time of chosen endpoints, from a second walk through the ledger.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "evidence/peer.h"
#include "platform/err.h"

enum { COURSE_STEPS = 48 };

/* To be filled in but for the bytes: what it is of (`key.owner` is not looked at). */
struct course {
	struct peer_key key;
	char sensor[WIRE_SENSOR_ID_MAX];
	uint64_t bytes[COURSE_STEPS]; /* both directions */
};

/* Sorts the courses, and adds up the records of live runs in COURSE_STEPS equal parts of [from, to), a record where it
 * begins. Negative with a sentence. */
int courses_run(struct course *courses, size_t n, const char *store, const char *sensor,
		uint64_t from_s, uint64_t to_s, struct err *err);
/* NULL if it is not among them. */
const struct course *courses_find(const struct course *courses, size_t n, const char *sensor,
				  const struct peer_key *key);
