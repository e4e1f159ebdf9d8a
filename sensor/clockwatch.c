// SPDX-License-Identifier: Apache-2.0
/*
 * clockwatch: see clockwatch.h.
 */
#include "sensor/clockwatch.h"

static int64_t size_of(int64_t x)
{
	return x < 0 ? -x : x;
}

bool clockwatch_look(struct clockwatch *w, uint64_t wall_ns, uint64_t mono_ns, int64_t *ret_step)
{
	int64_t lead = (int64_t)(wall_ns - mono_ns),
		step = (int64_t)((uint64_t)lead - (uint64_t)w->lead_ns);
	bool stepped = w->has_lead && (step >= CLOCKWATCH_STEP || step <= -CLOCKWATCH_STEP);

	w->has_lead = true;
	w->lead_ns = lead;
	if (stepped) {
		w->stepped_ns += step;
		*ret_step = step;
	}
	return stepped;
}

bool clockwatch_offset(struct clockwatch *w, unsigned collector, int64_t offset_ns, uint64_t way_ns,
		       int64_t *ret_before)
{
	int64_t expected = w->offset_ns + w->stepped_ns;
	int64_t slack = CLOCKWATCH_COLLECTOR + (int64_t)(way_ns / 2) + (int64_t)(w->way_ns / 2);
	bool stepped =
		w->has_offset && w->collector == collector && size_of(offset_ns - expected) > slack;

	*w = (struct clockwatch){.has_lead = w->has_lead,
				 .lead_ns = w->lead_ns,
				 .has_offset = true,
				 .collector = collector,
				 .offset_ns = offset_ns,
				 .way_ns = way_ns};
	if (stepped)
		*ret_before = expected;
	return stepped;
}
