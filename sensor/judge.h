// SPDX-License-Identifier: Apache-2.0
/*
 * judge: what the policy says of a flow when it opens, and the alert that may come of it.
 */
#pragma once

#include <stdbool.h>

#include "policy/policy.h"
#include "proto/batch.h"
#include "sensor/crossing.h"
#include "sensor/flow.h"
#include "sensor/identity.h"

struct judge_bench {
	const struct policy *policy;
	const struct policy_context *context;
	const struct identity *identity;
	struct crossing_table *crossings; /* NULL: there is no boundary */
	bool is_foreign;                  /* none of it is this machine's, whatever its addresses */
};

/*
 * Writes initiator, verdict, rule, locality and what the boundary does with it into the entry; if it holds packets already, only when
 * the verdict is at least as grave as the one they have. True for unexpected egress: *ret_alert is filled
 * but for its time and what was suppressed before it.
 */
bool judge_open(const struct judge_bench *bench, struct flow_entry *entry,
		const struct flow_packet *packet, enum flow_initiator initiator,
		struct batch_alert *ret_alert);

/* Logs the alert. */
void judge_say(const struct batch_alert *alert);
