// SPDX-License-Identifier: Apache-2.0
/*
 * See alert_limit.h.
 */
#include "collector/alert_limit.h"

#include "platform/clock.h"

static bool is_over(const struct alert_limit *limit, uint64_t now_ns)
{
	return now_ns - limit->begun_ns >= 60ULL * NS_PER_S;
}

bool alert_limit_take(struct alert_limit *limit, uint64_t now_ns)
{
	if (limit->told == 0 || is_over(limit, now_ns)) {
		limit->begun_ns = now_ns;
		limit->told = 0;
	}
	if (limit->told == limit->per_minute) {
		limit->suppressed++;
		return false;
	}
	limit->told++;
	return true;
}

bool alert_limit_is_owed(const struct alert_limit *limit, uint64_t now_ns)
{
	return limit->suppressed > 0 && is_over(limit, now_ns);
}
