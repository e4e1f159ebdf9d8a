// SPDX-License-Identifier: Apache-2.0
/*
 * pipeline: its counters as metrics. Nothing is summed over a table: what a scrape costs does not depend on traffic.
 */
#include "sensor/pipeline_parts.h"

/* A sample of an interface; what is unknown is absent. */
static void count(const struct pipeline *p, struct metrics_text *m, uint16_t iface,
		  const char *label, const char *value, uint64_t n)
{
	metrics_count(
		m, METRICS_LABELS("interface", p->config.texts[iface].interface, label, value), n);
}

static void print_outcomes(const struct pipeline *p, struct metrics_text *m)
{
	metrics_begin(m, "flowproof_sensor_packets_received_total", METRICS_COUNTER,
		      "Frames that the capture handed over.");
	for (uint16_t i = 0; i < p->config.n_interfaces; i++)
		count(p, m, i, NULL, NULL, p->account.of[i].received);
	metrics_begin(m, "flowproof_sensor_packets_total", METRICS_COUNTER,
		      "Packets by what became of them; the others are in open windows.");
	for (uint16_t i = 0; i < p->config.n_interfaces; i++) {
		struct batch_account a;

		account_fill(&p->account, i, 0, 0, &a);
		count(p, m, i, "outcome", "recorded", a.recorded);
		count(p, m, i, "outcome", "not_ip", a.not_ip);
		count(p, m, i, "outcome", "malformed", a.malformed);
		count(p, m, i, "outcome", "cut", a.cut);
	}
}

static void print_drops(const struct pipeline *p, struct metrics_text *m)
{
	static const char *const allowances[NIC_ALLOWANCES] = {
		[NIC_BW_IN] = "bw_in",         [NIC_BW_OUT] = "bw_out",       [NIC_PPS] = "pps",
		[NIC_CONNTRACK] = "conntrack", [NIC_LINKLOCAL] = "linklocal",
	};

	metrics_begin(m, "flowproof_sensor_packets_dropped_total", METRICS_COUNTER,
		      "Packets lost before the capture, by whom; absent if unknown.");
	for (uint16_t i = 0; i < p->config.n_captures; i++) {
		struct batch_account a;

		account_fill(&p->account, i, 0, 0, &a);
		if (a.kernel_known)
			count(p, m, i, "by", "kernel", a.kernel_dropped);
		if (a.nic_known)
			count(p, m, i, "by", "nic", a.nic_dropped);
	}
	metrics_begin(m, "flowproof_sensor_allowance_exceeded_total", METRICS_COUNTER,
		      "Packets beyond an allowance of the instance type (AWS ENA); absent if "
		      "unknown.");
	for (uint16_t i = 0; i < p->config.n_captures; i++) {
		struct batch_account a;

		account_fill(&p->account, i, 0, 0, &a);
		for (size_t k = 0; a.allowances_known && k < NIC_ALLOWANCES; k++)
			count(p, m, i, "allowance", allowances[k], a.allowances[k]);
	}
}

static void print_records(const struct pipeline *p, struct metrics_text *m)
{
	static const char *const reasons[FLOW_REASONS] = {
		[FLOW_STALE] = "stale",
		[FLOW_EVICTED] = "evicted",
		[FLOW_MERGED] = "merged",
		[FLOW_OVERFLOW] = "overflow",
	};
	const uint64_t *n = flow_reasons(p->flows);

	metrics_one(m, "flowproof_sensor_records_total", METRICS_COUNTER, "Records written.",
		    p->records);
	metrics_begin(m, "flowproof_sensor_records_early_total", METRICS_COUNTER,
		      "Records written before their window was closed, by reason; evicted and "
		      "merged: the flow's place was needed.");
	for (size_t i = 0; i < FLOW_REASONS; i++)
		if (reasons[i])
			metrics_count(m, METRICS_LABELS("reason", reasons[i]), n[i]);
	metrics_one(m, "flowproof_sensor_findings_total", METRICS_COUNTER,
		    "Alerts raised for flows that nobody expects.", p->judge.n_alerts);
}

static void print_tables(const struct pipeline *p, struct metrics_text *m)
{
	struct endpoint_stats ends;

	endpoint_stats(p->endpoints, &ends);
	metrics_one(m, "flowproof_sensor_flows_total", METRICS_COUNTER,
		    "Flows that began, or began anew.", p->n_opened);
	metrics_one(m, "flowproof_sensor_flow_slots", METRICS_GAUGE, "Places for flows.",
		    flow_slots(p->flows));
	metrics_one(m, "flowproof_sensor_endpoints", METRICS_GAUGE, "Remote endpoints kept.",
		    ends.kept);
	metrics_one(m, "flowproof_sensor_endpoint_slots", METRICS_GAUGE, "Places for them.",
		    ends.slots);
	metrics_one(m, "flowproof_sensor_endpoints_gave_way_total", METRICS_COUNTER,
		    "Endpoints that gave way to others that answered.", ends.gave_way);
	metrics_one(m, "flowproof_sensor_endpoints_left_out_total", METRICS_COUNTER,
		    "Flows whose endpoint found no room.", ends.left_out);
}

void pipeline_metrics(const struct pipeline *p, struct metrics_text *m)
{
	print_outcomes(p, m);
	print_drops(p, m);
	print_records(p, m);
	print_tables(p, m);
	if (p->seen_s)
		metrics_one(m, "flowproof_sensor_last_packet_timestamp_seconds", METRICS_GAUGE,
			    "Time of the last packet.", p->seen_s);
}
