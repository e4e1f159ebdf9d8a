// SPDX-License-Identifier: Apache-2.0
/*
 * See refusal_log.h.
 */
#include "collector/refusal_log.h"

#include <inttypes.h>

#include "platform/clock.h"
#include "platform/log.h"

enum { LINES_PER_S = 20 };

bool refusal_log_may(struct refusal_log *log)
{
	uint64_t second = clock_mono_ns() / NS_PER_S;

	if (second != log->second) {
		if (log->left_out > 0)
			log_warn("ingest", "%" PRIu64 " more refusals were not logged",
				 log->left_out);
		*log = (struct refusal_log){.second = second};
	}
	if (log->lines < LINES_PER_S) {
		log->lines++;
		return true;
	}
	log->left_out++;
	return false;
}
