// SPDX-License-Identifier: Apache-2.0
/*
 * The result: sums by class and reason, and the list of what is not in order.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/reconcile_parts.h"

void result_count(struct reconcile *rec, enum reconcile_class klass, enum reconcile_reason reason,
		  uint64_t packets, uint64_t bytes)
{
	struct reconcile_sum *sum = &rec->result.sums[klass][reason];

	if (rec->trial) {
		rec->trial[reconcile_reasons[reason].weight] += packets + 1;
		return;
	}
	sum->flows++;
	sum->packets += packets;
	sum->bytes += bytes;
}

int result_add(struct reconcile *rec, const struct reconcile_entry *entry, struct err *err)
{
	struct reconcile_result *result = &rec->result;

	result_count(rec, (enum reconcile_class)entry->klass, (enum reconcile_reason)entry->reason,
		     entry->packets, entry->bytes);
	if (rec->trial)
		return 0;
	/* What they left out here may be what looks hidden there: kept for the second look. */
	if (reconcile_reasons[entry->reason].weight == RECONCILE_FINE &&
	    !(entry->reason == RECONCILE_WITNESS_SKIPPED && entry->klass == RECONCILE_HOST_ONLY))
		return 0;
	if (result->n_entries == rec->cap_entries) {
		size_t cap = rec->cap_entries ? 2 * rec->cap_entries : 256;
		struct reconcile_entry *v = realloc(result->entries, cap * sizeof *v);

		if (!v)
			return err_set(err, -ENOMEM,
				       "no memory for a list of %zu flows that do not agree", cap);
		result->entries = v;
		rec->cap_entries = cap;
	}
	result->entries[result->n_entries++] = *entry;
	return 0;
}

static void add(struct reconcile_sum *to, const struct reconcile_sum *more)
{
	to->flows += more->flows;
	to->packets += more->packets;
	to->bytes += more->bytes;
}

struct reconcile_sum reconcile_sum_of(const struct reconcile_result *result,
				      enum reconcile_weight weight)
{
	struct reconcile_sum sum = {.flows = 0};

	for (size_t k = 0; k < RECONCILE_CLASSES; k++) {
		for (size_t r = 0; r < RECONCILE_REASONS; r++) {
			if (reconcile_reasons[r].weight == weight)
				add(&sum, &result->sums[k][r]);
		}
	}
	return sum;
}

struct reconcile_sum reconcile_sum_class(const struct reconcile_result *result,
					 enum reconcile_class klass)
{
	struct reconcile_sum sum = {.flows = 0};

	for (size_t r = 0; r < RECONCILE_REASONS; r++)
		add(&sum, &result->sums[klass][r]);
	return sum;
}

uint64_t reconcile_flows(const struct reconcile_sum *sum)
{
	return sum->flows;
}

uint64_t reconcile_packets(const struct reconcile_sum *sum)
{
	return sum->packets;
}

uint64_t reconcile_bytes(const struct reconcile_sum *sum)
{
	return sum->bytes;
}

double reconcile_agreement(const struct reconcile_result *result,
			   uint64_t part(const struct reconcile_sum *))
{
	struct reconcile_sum good = reconcile_sum_class(result, RECONCILE_AGREE);
	struct reconcile_sum bad = reconcile_sum_of(result, RECONCILE_UNEXPLAINED);
	struct reconcile_sum red = reconcile_sum_of(result, RECONCILE_RED);
	double all;

	for (size_t r = 0; r < RECONCILE_REASONS; r++) {
		if (reconcile_reasons[r].weight == RECONCILE_FINE)
			add(&good, &result->sums[RECONCILE_COUNTS_DIFFER][r]);
	}
	add(&bad, &red);
	all = (double)part(&good) + (double)part(&bad);
	return all > 0 ? 100.0 * (double)part(&good) / all : 100.0;
}
