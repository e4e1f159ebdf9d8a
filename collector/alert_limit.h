// SPDX-License-Identifier: Apache-2.0
/*
 * How many alerts one output is told in a minute, and how many it was not.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Begin with the rate alone. A minute begins with the first alert that comes when the one before is over. */
struct alert_limit {
	uint64_t per_minute; /* at least 1 */
	uint64_t begun_ns;   /* monotonic */
	uint64_t told;       /* in it */
	uint64_t suppressed; /* not said yet */
};

/* May one more be told now? If not it is counted. */
bool alert_limit_take(struct alert_limit *limit, uint64_t now_ns);
/* The minute is over and nobody said how many were suppressed in it. */
bool alert_limit_is_owed(const struct alert_limit *limit, uint64_t now_ns);
