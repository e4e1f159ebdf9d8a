// SPDX-License-Identifier: Apache-2.0
/*
 * Anyone who reaches a port can cause log lines about peers that are refused: so many a second, then a number.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct refusal_log {
	uint64_t second; /* monotonic */
	unsigned lines;
	uint64_t left_out;
};

/* May a line be logged now? Logs how many of a former second were not. */
bool refusal_log_may(struct refusal_log *log);
