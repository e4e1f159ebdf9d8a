// SPDX-License-Identifier: Apache-2.0
/*
 * page, the metrics. Labels have few values: sensors, of which only PAGE_METRIC_SENSORS have samples of their own, words of
 * this program, and names of obligations.
 */
#include <stdlib.h>

#include "collector/deliver.h"
#include "collector/page_parts.h"
#include "platform/clock.h"
#include "platform/config.h"
#include "platform/metrics_text.h"
#include "platform/version.h"

#define NO METRICS_NO_LABELS

static double seconds(uint64_t ns)
{
	return (double)ns / NS_PER_S;
}

static void put_ingest(struct metrics_text *m, const struct counts *c)
{
	static const struct {
		enum count count;
		enum metrics_type type;
		const char *name, *help;
	} counts[] = {
		{COUNT_CONNECTIONS, METRICS_GAUGE, "flowproof_collector_connections",
		 "Connections now, handshakes that are not done included."},
		{COUNT_STRANGERS, METRICS_GAUGE, "flowproof_collector_handshakes",
		 "Connections now whose handshake is not done."},
		{COUNT_ACCEPTED, METRICS_COUNTER, "flowproof_collector_accepted_total",
		 "Connections taken."},
		{COUNT_HELLOS, METRICS_COUNTER, "flowproof_collector_hellos_total",
		 "Streams begun or resumed."},
		{COUNT_BATCHES, METRICS_COUNTER, "flowproof_collector_batches_total",
		 "Batches appended to the ledger, empty ones (heartbeats) included."},
		{COUNT_REPEATED, METRICS_COUNTER, "flowproof_collector_repeated_batches_total",
		 "Batches and gaps that came again and were in the ledger already."},
		{COUNT_GAPS, METRICS_COUNTER, "flowproof_collector_gaps_total",
		 "Gaps appended: stretches of batches that sensors gave up."},
		{COUNT_RECORDS, METRICS_COUNTER, "flowproof_collector_records_total",
		 "Flow records with traffic appended."},
		{COUNT_BYTES, METRICS_COUNTER, "flowproof_collector_appended_bytes_total",
		 "Bytes of hellos, batches and gaps appended."},
		{COUNT_COMMITS, METRICS_COUNTER, "flowproof_collector_commits_total",
		 "Times that what was appended was synced to the disk."},
		{COUNT_WRITES_FAILED, METRICS_COUNTER, "flowproof_collector_write_failures_total",
		 "Times that appending or syncing failed."},
		{COUNT_FAILING, METRICS_GAUGE, "flowproof_collector_write_failing",
		 "1 if the last attempt to write the ledger failed."},
	};

	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
		metrics_one(m, counts[i].name, counts[i].type, counts[i].help,
			    counts_get(c, counts[i].count));
	metrics_begin(m, "flowproof_collector_refused_total", METRICS_COUNTER,
		      "Connections refused, by how far they had come.");
	metrics_count(m, METRICS_LABELS("stage", "no_room"), counts_get(c, COUNT_NO_ROOM));
	metrics_count(m, METRICS_LABELS("stage", "handshake"),
		      counts_get(c, COUNT_REFUSED_HANDSHAKE));
	metrics_count(m, METRICS_LABELS("stage", "hello"), counts_get(c, COUNT_REFUSED_HELLO));
	metrics_count(m, METRICS_LABELS("stage", "stream"), counts_get(c, COUNT_REFUSED_STREAM));
}

/* ---- sensors ---- */

static uint64_t records(const struct page_sensor *s)
{
	return s->records;
}
static uint64_t packets(const struct page_sensor *s)
{
	return s->packets;
}
static uint64_t batches(const struct page_sensor *s)
{
	return s->batches;
}
static uint64_t bytes(const struct page_sensor *s)
{
	return s->bytes;
}
static uint64_t skipped(const struct page_sensor *s)
{
	return s->skipped;
}
static uint64_t gap_records(const struct page_sensor *s)
{
	return s->gap_records;
}
static uint64_t gap_batches(const struct page_sensor *s)
{
	return s->gap_batches;
}

static size_t shown(const struct page_state *s)
{
	return s->n_sensors < PAGE_METRIC_SENSORS ? s->n_sensors : PAGE_METRIC_SENSORS;
}

static void put_counters(struct metrics_text *m, const struct page_state *s)
{
	static const struct {
		const char *name, *help;
		uint64_t (*get)(const struct page_sensor *);
	} counters[] = {
		{"flowproof_collector_sensor_records_total",
		 "Records of the sensor in the ledger, windows without traffic included.", records},
		{"flowproof_collector_sensor_packets_total", "Packets of these records.", packets},
		{"flowproof_collector_sensor_batches_total", "Batches of the sensor in the ledger.",
		 batches},
		{"flowproof_collector_sensor_batch_bytes_total", "Bytes of these batches.", bytes},
		{"flowproof_collector_sensor_skipped_windows_total",
		 "Windows of the sensor of which packets are missing (SKIPDATA).", skipped},
		{"flowproof_collector_sensor_gap_records_total",
		 "Records that the sensor gave up before they came.", gap_records},
		{"flowproof_collector_sensor_gap_batches_total",
		 "Batches that the sensor gave up before they came.", gap_batches},
	};

	for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
		metrics_begin(m, counters[i].name, METRICS_COUNTER, counters[i].help);
		for (size_t k = 0; k < shown(s); k++)
			metrics_count(m, METRICS_LABELS("sensor", s->list[k].id),
				      counters[i].get(&s->list[k]));
	}
	/* A counter that could not be read has no sample: unknown is not 0. */
	metrics_begin(
		m, "flowproof_collector_sensor_dropped_packets_total", METRICS_COUNTER,
		"Packets that the sensor's kernel or network card dropped, where it is known.");
	for (size_t k = 0; k < shown(s); k++) {
		if (s->list[k].kernel_known)
			metrics_count(m, METRICS_LABELS("sensor", s->list[k].id, "by", "kernel"),
				      s->list[k].kernel_dropped);
		if (s->list[k].nic_known)
			metrics_count(m, METRICS_LABELS("sensor", s->list[k].id, "by", "nic"),
				      s->list[k].nic_dropped);
	}
}

static void put_sensors(struct metrics_text *m, const struct page_state *s)
{
	uint64_t states[PAGE_HEARD] = {0};

	for (size_t i = 0; i < s->n_sensors; i++)
		states[s->list[i].heard]++;
	metrics_begin(
		m, "flowproof_collector_sensors", METRICS_GAUGE,
		"Sensors in the ledger: heard of in the last seconds, silent without a goodbye, or "
		"ended in good order.");
	metrics_count(m, METRICS_LABELS("state", "connected"), states[PAGE_LIVE]);
	metrics_count(m, METRICS_LABELS("state", "silent"), states[PAGE_SILENT]);
	metrics_count(m, METRICS_LABELS("state", "ended"), states[PAGE_ENDED]);
	metrics_one(m, "flowproof_collector_sensors_without_samples", METRICS_GAUGE,
		    "Sensors beyond those that have samples of their own.",
		    s->n_sensors - shown(s));
	metrics_begin(m, "flowproof_collector_sensor_up", METRICS_GAUGE,
		      "1 if the sensor was heard of in the last seconds.");
	for (size_t k = 0; k < shown(s); k++)
		metrics_count(m, METRICS_LABELS("sensor", s->list[k].id),
			      s->list[k].heard == PAGE_LIVE);
	metrics_begin(m, "flowproof_collector_sensor_last_heard_timestamp_seconds", METRICS_GAUGE,
		      "When the sensor's last batch came, by the collector's clock, in Unix time.");
	for (size_t k = 0; k < shown(s); k++)
		metrics_real(m, METRICS_LABELS("sensor", s->list[k].id),
			     seconds(s->list[k].heard_ns));
	metrics_begin(m, "flowproof_collector_sensor_clock_offset_seconds", METRICS_GAUGE,
		      "The sensor's clock less the collector's, when it was last compared.");
	for (size_t k = 0; k < shown(s); k++) {
		if (s->list[k].has_clock)
			metrics_real(m, METRICS_LABELS("sensor", s->list[k].id),
				     (double)s->list[k].offset_ns / NS_PER_S);
	}
	put_counters(m, s);
}

/* ---- conclusions ---- */

static void put_verdict(struct metrics_text *m, const struct page_state *s)
{
	static const enum verdict_word words[] = {VERDICT_INCONCLUSIVE, VERDICT_NONE_OBSERVED,
						  VERDICT_UNEXPECTED_EGRESS};

	metrics_begin(m, "flowproof_collector_findings", METRICS_GAUGE,
		      "Findings so far, by kind and severity.");
	for (unsigned kind = 0; kind < FINDING_KINDS; kind++) {
		for (unsigned severity = 0; severity < FINDING_SEVERITIES; severity++) {
			if (s->found[kind][severity] > 0)
				metrics_count(
					m,
					METRICS_LABELS("kind", finding_kinds[kind].name, "severity",
						       finding_severity_text(
							       (enum finding_severity)severity)),
					s->found[kind][severity]);
		}
	}
	if (s->number == 0)
		return;
	metrics_begin(m, "flowproof_collector_verdict", METRICS_GAUGE,
		      "1 for what a report would conclude now, without Flow Logs and an audit.");
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		metrics_count(m, METRICS_LABELS("verdict", verdict_key(words[i])),
			      s->verdict.word == words[i]);
	metrics_begin(m, "flowproof_collector_obligation_met", METRICS_GAUGE,
		      "1 if the obligation is met so far; 0 if it is not, or not known.");
	for (size_t i = 0; i < OBLIGATIONS; i++)
		metrics_count(m, METRICS_LABELS("obligation", obligations[i].key),
			      s->verdict.obligations[i].state == OBLIGATION_MET);
	metrics_one(m, "flowproof_collector_unexpected_endpoints", METRICS_GAUGE,
		    "Endpoints so far that a machine spoke to and nothing expects.",
		    s->evidence.facts[FACT_EGRESS].n);
}

static void put_page(struct metrics_text *m, const struct page_state *s,
		     const struct page_served *served)
{
	metrics_one(m, "flowproof_page_followed_bytes_total", METRICS_COUNTER,
		    "Bytes of the ledger that the page has read.", follow_read(s->follow));
	metrics_one(m, "flowproof_page_behind", METRICS_GAUGE,
		    "1 if there is more in the ledger than the page has read.",
		    page_state_is_behind(s) || s->trouble.text[0]);
	metrics_one(m, "flowproof_page_states_total", METRICS_COUNTER, "States made.", s->made);
	metrics_begin(m, "flowproof_page_state_timestamp_seconds", METRICS_GAUGE,
		      "When the state was made that stands here, in Unix time.");
	metrics_real(m, NO, seconds(s->made_ns));
	metrics_begin(m, "flowproof_page_state_duration_seconds", METRICS_GAUGE,
		      "How long that took.");
	metrics_real(m, NO, seconds(s->took_ns));
	metrics_one(m, "flowproof_page_connections", METRICS_GAUGE, "Connections to the page now.",
		    served->web.connections);
	metrics_one(m, "flowproof_page_requests_total", METRICS_COUNTER, "Requests answered.",
		    served->web.requests);
	metrics_begin(m, "flowproof_page_closed_total", METRICS_COUNTER,
		      "Connections to the page that were refused or cut off, by why.");
	metrics_count(m, METRICS_LABELS("why", "refused"), served->web.refused);
	metrics_count(m, METRICS_LABELS("why", "late"), served->web.late);
	metrics_count(m, METRICS_LABELS("why", "stuck"), served->web.stuck);
	metrics_count(m, METRICS_LABELS("why", "no_room"), served->web.no_room);
	metrics_one(m, "flowproof_page_clients", METRICS_GAUGE,
		    "Clients that are sent every state now.", served->clients);
	metrics_one(m, "flowproof_page_clients_refused_total", METRICS_COUNTER,
		    "Clients beyond those that can be.", served->clients_refused);
	metrics_one(m, "flowproof_page_events_total", METRICS_COUNTER, "States sent to clients.",
		    served->events);
	metrics_one(m, "flowproof_page_reports_total", METRICS_COUNTER, "Reports made on request.",
		    served->reports);
	metrics_one(m, "flowproof_page_report_failures_total", METRICS_COUNTER,
		    "Reports that could not be made.", served->reports_failed);
}

static void put_all(struct metrics_text *m, const struct page_state *state,
		    const struct page_config *config, const struct page_served *served)
{
	metrics_begin(m, "flowproof_build_info", METRICS_GAUGE, "1; the build is a label.");
	metrics_count(
		m, METRICS_LABELS("version", version_build(), "program", "flowproof-collector"), 1);
	put_ingest(m, config->counts);
	put_sensors(m, state);
	put_verdict(m, state);
	if (IS_ENABLED(CONFIG_DELIVER))
		deliver_metrics(m, config->deliver);
	put_page(m, state, served);
}

char *page_metrics(const struct page_state *state, const struct page_config *config,
		   const struct page_served *served, size_t *ret_len)
{
	struct metrics_text m = {.cap = 0};
	char *out;

	put_all(&m, state, config, served);
	/* What counts meanwhile may become longer. */
	m = (struct metrics_text){.cap = m.len + 4096};
	out = m.out = malloc(m.cap);
	if (out)
		put_all(&m, state, config, served);
	*ret_len = m.len < m.cap ? m.len : m.cap - 1;
	return out;
}
