// SPDX-License-Identifier: Apache-2.0
#include "analyst/progress.h"

#include "platform/clock.h"

enum { PROGRESS_S = 2 };

int progress_is_due(struct progress *progress)
{
	uint64_t now = clock_mono_ns();

	if (progress->next_ns == 0)
		progress->next_ns = now + PROGRESS_S * (uint64_t)NS_PER_S;
	if (now < progress->next_ns)
		return 0;
	progress->next_ns = now + PROGRESS_S * (uint64_t)NS_PER_S;
	return 1;
}
