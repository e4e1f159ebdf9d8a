// SPDX-License-Identifier: Apache-2.0
/*
 * pipeline: the packet equation, and the summary at a run's end.
 */
#include "platform/config.h"
#include "sensor/pipeline_parts.h"

void pipeline_fill_account(const struct pipeline *p, uint16_t iface, uint64_t window,
			   struct batch_account *ret)
{
	uint64_t live = flow_live_packets(p->flows, (uint8_t)iface);

	for (size_t i = p->pending_done; i < p->n_pending; i++)
		if (p->pending[i].key.iface == iface)
			live += p->pending[i].packets;
	account_fill(&p->account, iface, live, window, ret);
}

void pipeline_frames(const struct pipeline *p, uint16_t iface, struct pipeline_frames *ret)
{
	const struct account_interface *a = &p->account.of[iface];

	*ret = (struct pipeline_frames){
		.known = a->kernel.known,
		.taken = a->kernel.received,
		.handed = a->received,
		.seen = a->received + a->offload_packets + a->kernel.dropped +
			(a->nic.known ? a->nic.last - a->nic.first : 0),
	};
}

void pipeline_tables(const struct pipeline *p, uint64_t ret[static BATCH_TABLES])
{
	const uint64_t *reasons = flow_reasons(p->flows);
	struct rhythm_stats calls = {0};
	struct endpoint_stats ends;

	endpoint_stats(p->endpoints, &ends);
	if (IS_ENABLED(CONFIG_RHYTHM) && p->rhythm)
		rhythm_stats(p->rhythm, &calls);
	ret[BATCH_FLOWS] = flow_slots(p->flows);
	ret[BATCH_FLOWS_EVICTED] = reasons[FLOW_EVICTED];
	ret[BATCH_FLOWS_MERGED] = reasons[FLOW_MERGED];
	ret[BATCH_ENDPOINTS] = ends.slots;
	ret[BATCH_ENDPOINTS_KEPT] = ends.kept;
	ret[BATCH_ENDPOINTS_GAVE_WAY] = ends.gave_way;
	ret[BATCH_ENDPOINTS_LEFT_OUT] = ends.left_out;
	ret[BATCH_CALLS] = calls.slots;
	ret[BATCH_CALLS_LEFT_OUT] = calls.lost;
}

static void print_mirror(const struct pipeline *p, FILE *out)
{
	fputs("mirror:", out);
	for (uint16_t i = 0; i < p->config.n_interfaces; i++)
		fprintf(out, " %s=%llu", p->config.texts[i].interface,
			(unsigned long long)p->account.of[i].received);
	fputc('\n', out);
}

void pipeline_summary(const struct pipeline *p, FILE *out)
{
	const uint64_t *reasons = flow_reasons(p->flows);
	struct batch_account sum = {0};
	struct endpoint_stats ends;

	endpoint_stats(p->endpoints, &ends);
	for (uint16_t i = 0; i < p->config.n_interfaces; i++) {
		struct batch_account a;

		pipeline_fill_account(p, i, 0, &a);
		if (i == 0) {
			sum = a;
			continue;
		}
		if (i >= p->config.n_captures) /* a VNI's drops are told with its capture's */
			a.kernel_known = a.nic_known = true;
		account_add(&sum, &a);
	}
	fprintf(out,
		"records: %llu (cut short: stale %llu, evicted %llu, merged %llu, overflow %llu); "
		"alerts: "
		"%llu\n",
		(unsigned long long)p->records, (unsigned long long)reasons[FLOW_STALE],
		(unsigned long long)reasons[FLOW_EVICTED], (unsigned long long)reasons[FLOW_MERGED],
		(unsigned long long)reasons[FLOW_OVERFLOW], (unsigned long long)p->judge.n_alerts);
	fprintf(out,
		"endpoints: kept %zu of %zu, gave way %llu, flows without room for theirs %llu%s\n",
		ends.kept, ends.slots, (unsigned long long)ends.gave_way,
		(unsigned long long)ends.left_out,
		ends.left_out ? ": destinations may be missing from their list" : "");
	if (p->judge.crossings && p->judge.crossings->unnamed)
		fprintf(out,
			"boundary: %llu flows without the name of their rule: more than %d "
			"answers\n",
			(unsigned long long)p->judge.crossings->unnamed, (int)CROSSING_MAX);
	if (p->config.options->filter)
		fprintf(out, "filter: '%s'; what it left out is unknown\n",
			p->config.options->filter);
	if (IS_ENABLED(CONFIG_FRAGMENTS) && p->fragments) {
		const struct fragment_stats *f = fragment_stats(p->fragments);

		fprintf(out, "fragments: first=%llu attributed=%llu alone=%llu overflow=%llu\n",
			(unsigned long long)f->first, (unsigned long long)f->attributed,
			(unsigned long long)f->alone, (unsigned long long)f->overflow);
	}
	if (IS_ENABLED(CONFIG_MIRROR) && p->mirror)
		print_mirror(p, out);
	if (IS_ENABLED(CONFIG_NAMES))
		names_out_print(&p->names_out, p->names, out);
	account_print(&p->account, &sum, out);
}
