// SPDX-License-Identifier: Apache-2.0
/*
 * What the sensor found that may stand between its machine's packets and the capture, each thing a finding as long as it was there.
 * What can take packets away is graver than what can look at them or pass by.
 */
#include <stdio.h>

#include "evidence/detect.h"
#include "platform/clock.h"

static enum finding_severity severity_of(int64_t what)
{
	switch (what) {
	case BATCH_BLINDING_XDP:
	case BATCH_BLINDING_COUNTERS:
	case BATCH_BLINDING_FILTER: return FINDING_HIGH;
	default: return FINDING_MEDIUM;
	}
}

static void gather(struct findings *findings, void *state, const struct detect_from *from,
		   const struct wire_hello *hello, const struct batch_event *event)
{
	char name[BATCH_EVENT_TEXT + 16];
	struct finding finding = {
		.key = {.owner = from->owner, .kind = FINDING_BLINDING},
		.name = name,
		.first = event->time_ns / NS_PER_S,
		.last = event->time_ns / NS_PER_S,
		.source = from->source,
	};

	(void)state;
	(void)hello;
	if (event->kind != BATCH_EVENT_BLINDING || event->n_values < 3 || event->values[0] <= 0 ||
	    event->values[0] >= BATCH_BLINDING_KINDS || event->values[2] < 0)
		return;
	finding.severity = (uint8_t)severity_of(event->values[0]);
	finding.values[0] = (uint64_t)event->values[0];
	finding.count = (uint64_t)event->values[2];
	(void)snprintf(name, sizeof name, "%s %s", batch_blinding_name(event->values[0]),
		       event->text);
	evidence_add(&finding.evidence, from->stream, from->sequence);
	detect_add(findings, &finding);
}

const struct detector detect_blinding = {.name = "blinding", .event = gather};
