// SPDX-License-Identifier: Apache-2.0
/*
 * report, the second witness: live records of the ledger beside Flow Logs, and the facts that follow.
 */
#include "analyst/report.h"

#include <errno.h>

#include "analyst/reconcile_feed.h"

enum {
	/* Flow Logs begin and end where their windows do, and stamps are late: a stretch at either end that is no
	 * longer than the longest window is not missing. */
	EDGE_S = 600,
	/* What Flow Logs may have more of a flow that was cut by the begin or end of the watch: the sensor's own stream
	 * goes on for a few packets after its last record. */
	CUT_PACKETS = 32,
};

static int take_line(void *ctx, const struct flowlogs_record *record, struct err *err)
{
	return reconcile_witness(ctx, record, err);
}

static uint64_t seconds_of(const struct spans *spans)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < spans->n; i++)
		sum += (uint64_t)(spans->v[i].to - spans->v[i].from + 1);
	return sum;
}

/* Of the time judged, what an interface's lines do not cover. */
static uint64_t uncovered(const struct report *r, const struct reconcile_interface *iface)
{
	int64_t from = (int64_t)r->evidence.from_s, to = (int64_t)r->evidence.to_s;
	uint64_t sum = seconds_of(&iface->missing);

	if (iface->witness.n == 0)
		return (uint64_t)(to - from);
	if (iface->witness.v[0].from - from > EDGE_S)
		sum += (uint64_t)(iface->witness.v[0].from - from);
	if (to - iface->witness.v[iface->witness.n - 1].to > EDGE_S)
		sum += (uint64_t)(to - iface->witness.v[iface->witness.n - 1].to);
	return sum;
}

static void put(struct report *r, enum verdict_fact_id id, uint64_t n)
{
	r->evidence.facts[id] = (struct verdict_fact){.n = n, .whole = true};
}

/* At the edge of the watch, where stamps may be late: but its stamps lie within the time judged. It may be of before, or
 * hidden. */
static bool is_doubtful(const struct report *r, const struct reconcile_entry *e)
{
	if (!e->is_timed || e->start < r->evidence.from_s || e->end >= r->evidence.to_s)
		return false;
	return e->reason == RECONCILE_EDGE ||
	       (e->reason == RECONCILE_CUT && e->packets > e->host_packets + CUT_PACKETS);
}

static void put_doubts(struct report *r)
{
	for (size_t i = 0; i < r->witness->n_entries; i++)
		r->evidence.facts[FACT_DISAGREE].n += is_doubtful(r, &r->witness->entries[i]);
}

/* The times of what is listed as one of these weights. */
static void put_weight(struct report *r, enum verdict_fact_id id, enum reconcile_weight a,
		       enum reconcile_weight b)
{
	const struct reconcile_result *w = r->witness;
	struct verdict_fact *fact = &r->evidence.facts[id];
	uint64_t n = reconcile_sum_of(w, a).flows;

	put(r, id, a == b ? n : n + reconcile_sum_of(w, b).flows);
	for (size_t i = 0; i < w->n_entries; i++) {
		const struct reconcile_entry *e = &w->entries[i];
		uint8_t weight = reconcile_reasons[e->reason].weight;

		if ((weight != a && weight != b) || !e->is_timed)
			continue;
		if (fact->first == 0 || e->start < fact->first)
			fact->first = e->start;
		if (e->end + 1ULL > fact->last)
			fact->last = e->end + 1ULL;
	}
}

static void put_facts(struct report *r, uint64_t damages)
{
	const struct reconcile_result *w = r->witness;
	uint64_t gone = 0, skipped = 0;

	for (size_t i = 0; i < w->n_interfaces; i++) {
		if (!w->interfaces[i].is_ours)
			continue;
		gone += uncovered(r, &w->interfaces[i]);
		skipped += w->interfaces[i].skipped.n;
	}
	put(r, FACT_WITNESS_LINES, r->witness_read.records + r->witness_read.nodata);
	put_weight(r, FACT_HIDDEN, RECONCILE_RED, RECONCILE_RED);
	put_weight(r, FACT_DISAGREE, RECONCILE_UNEXPLAINED, RECONCILE_UNCLEAR);
	put_doubts(r);
	put(r, FACT_WITNESS_UNCOVERED_S, gone);
	put(r, FACT_WITNESS_SKIPPED, skipped);
	put(r, FACT_WITNESS_BAD,
	    r->witness_read.bad + r->witness_read.failed + r->witness_read.truncated + w->unusable +
		    w->untimed);
	if (damages > 0)
		r->evidence.facts[FACT_DISAGREE].whole = false;
}

static int make_config(const struct report *r, struct reconcile_config *config, struct err *err)
{
	config->interface = r->o.interface;
	if (r->o.span) {
		config->has_span = true;
		config->from = (int64_t)r->evidence.from_s;
		config->to = (int64_t)r->evidence.to_s;
	}
	if (r->o.subnets.n > RECONCILE_SUBNETS_MAX)
		return err_set(err, ERR_USAGE, "--subnet: at most %d", RECONCILE_SUBNETS_MAX);
	for (size_t i = 0; i < r->o.subnets.n; i++) {
		struct err why;

		if (cidr_parse(r->o.subnets.v[i], &config->subnets[config->n_subnets++], &why) < 0)
			return err_set(err, ERR_USAGE, "--subnet: %s", why.text);
	}
	return 0;
}

int report_witness(struct report *r, struct err *err)
{
	struct flowlogs_input *input = &r->o.flow_logs;
	struct reconcile_config config = {0};
	struct progress progress = {.name = "report"};
	struct flowlogs *logs = NULL;
	uint64_t damages = 0;
	int rc = make_config(r, &config, err);

	if (rc < 0)
		return rc;
	if (reconcile_new(&r->reconcile, &config) < 0)
		return err_set(err, -ENOMEM, "no memory to compare");
	input->record = take_line;
	input->ctx = r->reconcile;
	rc = flowlogs_input_new(input, &logs, err);
	if (rc == 0)
		rc = reconcile_feed_host(r->reconcile, r->o.store, r->o.sensor, true, &progress,
					 &damages, err);
	if (rc == 0)
		rc = flowlogs_input_read(input, logs, err);
	if (rc == -ENOENT)
		rc = err_set(err, rc, "%s; where there are no Flow Logs, leave --flow-logs out",
			     err->text);
	for (size_t i = 0; rc == 0 && i < flowlogs_n_logs(logs); i++)
		reconcile_witness_log(r->reconcile, (uint16_t)i, flowlogs_log(logs, (uint16_t)i));
	if (rc == 0) {
		r->witness_read = *flowlogs_counts(logs);
		rc = reconcile_run(r->reconcile, &r->witness, err);
	}
	if (rc == 0)
		put_facts(r, damages);
	flowlogs_free(logs);
	return rc;
}
