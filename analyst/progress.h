// SPDX-License-Identifier: Apache-2.0
/*
 * A line on standard error now and then, for whatever takes longer than two seconds.
 */
#pragma once

#include <stdint.h>

struct progress {
	const char *name; /* of the subcommand */
	uint64_t next_ns; /* 0: not begun */
	uint64_t calls;
};

/* Is it time for a line? Cheap enough for every block of a file. */
int progress_is_due(struct progress *progress);
