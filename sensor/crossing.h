// SPDX-License-Identifier: Apache-2.0
/*
 * crossing: what the boundary did with the flows of the table. An entry has eight bits for it: a number of this table, which
 * keeps each answer that occurs once. Most policies give a few dozen.
 */
#pragma once

#include "policy/policy.h"
#include "sensor/flow.h"

enum {
	CROSSING_MAX = 256,
	/* Accepted or refused in each direction, by a rule that is not told: 0 is accepted in both. What finds the table
	 * full is told so. */
	CROSSING_PLAIN = 4,
};

struct crossing_table {
	unsigned n;       /* in use, those of CROSSING_PLAIN among them */
	uint64_t unnamed; /* flows whose rule is not told since the table was full */
	struct policy_crossing kept[CROSSING_MAX];
};

void crossing_init(struct crossing_table *table);

/* Writes the answer into the entry. Direction 0 of `crossing` is the initiator's, who is side b if `from_b`. */
void crossing_put(struct crossing_table *table, struct flow_entry *entry,
		  const struct policy_crossing *crossing, bool from_b);

/* Of a direction of an entry: 0 is sent by side a. */
enum flowrec_action crossing_action(const struct crossing_table *table,
				    const struct flow_entry *entry, unsigned dir);
uint16_t crossing_rule(const struct crossing_table *table, const struct flow_entry *entry,
		       unsigned dir);
