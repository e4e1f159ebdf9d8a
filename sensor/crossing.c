// SPDX-License-Identifier: Apache-2.0
/*
 * crossing: see crossing.h. A walk over the table, once a flow: it is short, and of 16-bit comparisons.
 */
#include "sensor/crossing.h"

#include <string.h>

_Static_assert((int)POLICY_RULES_MAX < 1 << 11, "a rule's number fits the entry");
_Static_assert(sizeof(struct policy_crossing) == 6,
	       "two actions and two rules, no padding: memcmp compares them");

void crossing_init(struct crossing_table *table)
{
	table->n = CROSSING_PLAIN;
	table->unnamed = 0;
	for (unsigned i = 0; i < CROSSING_PLAIN; i++)
		table->kept[i] = (struct policy_crossing){.action = {i & 1U, (uint8_t)(i >> 1)}};
}

static unsigned number_of(struct crossing_table *table, const struct policy_crossing *wanted)
{
	unsigned i = 0;

	while (i < table->n && memcmp(&table->kept[i], wanted, sizeof *wanted) != 0)
		i++;
	if (i == CROSSING_MAX) {
		table->unnamed++;
		return (unsigned)wanted->action[0] | (unsigned)wanted->action[1] << 1;
	}
	if (i == table->n)
		table->kept[table->n++] = *wanted;
	return i;
}

void crossing_put(struct crossing_table *table, struct flow_entry *entry,
		  const struct policy_crossing *crossing, bool from_b)
{
	const struct policy_crossing by_side = {
		.action = {crossing->action[from_b], crossing->action[!from_b]},
		.rule = {crossing->rule[from_b], crossing->rule[!from_b]},
	};
	unsigned number = number_of(table, &by_side);

	entry->crossing_high = number >> 5 & 7U;
	entry->crossing_low = number & 31U;
}

static const struct policy_crossing *crossing_of(const struct crossing_table *table,
						 const struct flow_entry *entry)
{
	return &table->kept[(unsigned)entry->crossing_high << 5 | entry->crossing_low];
}

enum flowrec_action crossing_action(const struct crossing_table *table,
				    const struct flow_entry *entry, unsigned dir)
{
	return (enum flowrec_action)crossing_of(table, entry)->action[dir];
}

uint16_t crossing_rule(const struct crossing_table *table, const struct flow_entry *entry,
		       unsigned dir)
{
	return crossing_of(table, entry)->rule[dir];
}
