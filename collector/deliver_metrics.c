// SPDX-License-Identifier: Apache-2.0
/*
 * Deliveries as metrics: what each says of itself in memory that is shared with it.
 */
#include "collector/deliver.h"

void deliver_metrics(struct metrics_text *m, const struct deliver *d)
{
	static const struct {
		size_t at;
		enum metrics_type type;
		const char *name, *help;
	} values[] = {
#define AT(member) offsetof(struct delivery_health, member)
		{AT(ended), METRICS_GAUGE, "flowproof_collector_delivery_ended",
		 "1 if the delivery's process ended: nothing is delivered until the collector is "
		 "started again."},
		{AT(passes), METRICS_COUNTER, "flowproof_collector_delivery_passes_total",
		 "Passes over what is new."},
		{AT(units), METRICS_COUNTER, "flowproof_collector_delivery_units_total",
		 "Objects or batches delivered."},
		{AT(records), METRICS_COUNTER, "flowproof_collector_delivery_records_total",
		 "Records and lines in them."},
		{AT(bytes), METRICS_COUNTER, "flowproof_collector_delivery_bytes_total",
		 "Bytes of them."},
		{AT(failures), METRICS_COUNTER, "flowproof_collector_delivery_failures_total",
		 "Tries that did not succeed; each is made again."},
		{AT(failing_since_s), METRICS_GAUGE,
		 "flowproof_collector_delivery_failing_since_timestamp_seconds",
		 "Since when tries fail, in Unix time; 0: the last one succeeded."},
		{AT(complete_to_s), METRICS_GAUGE,
		 "flowproof_collector_delivery_complete_to_timestamp_seconds",
		 "What came in before, and was due, is delivered, in Unix time; 0: not known yet."},
		{AT(lost_segments), METRICS_COUNTER,
		 "flowproof_collector_delivery_lost_segments_total",
		 "Segments that retention deleted before they were delivered."},
		{AT(damages), METRICS_COUNTER, "flowproof_collector_delivery_damages_total",
		 "Places of the ledger that could not be read."},
#undef AT
	};

	for (size_t i = 0; deliver_count(d) > 0 && i < sizeof values / sizeof values[0]; i++) {
		metrics_begin(m, values[i].name, values[i].type, values[i].help);
		for (size_t k = 0; k < deliver_count(d); k++) {
			const char *health = (const char *)deliver_health(d, k);

			metrics_count(
				m, METRICS_LABELS("delivery", deliver_name(d, k)),
				*(const _Atomic uint64_t *)(const void *)(health + values[i].at));
		}
	}
}
