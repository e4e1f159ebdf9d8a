// SPDX-License-Identifier: Apache-2.0
/*
 * gather, the facts: what the sums of the runs say together. Of several sensors each must meet what is asked: what
 * must not be is added up, of what must be the sensor that has least counts.
 */
#include "evidence/gather.h"

#include <string.h>
#include <time.h>

#include "evidence/peer.h"

static void put(struct verdict_evidence *e, enum verdict_fact_id id, uint64_t n)
{
	e->facts[id] = (struct verdict_fact){.n = n, .whole = true};
}

/* Adds to a fact, with its time. */
static void add(struct verdict_evidence *e, enum verdict_fact_id id, uint64_t n, uint64_t first,
		uint64_t last)
{
	struct verdict_fact *fact = &e->facts[id];

	if (n == 0)
		return;
	fact->n += n;
	if (first == 0 && last == 0)
		return;
	if (fact->first == 0 || first < fact->first)
		fact->first = first;
	if (last > fact->last)
		fact->last = last;
}

static void not_whole(struct verdict_evidence *e, enum verdict_fact_id id)
{
	e->facts[id].whole = false;
}

static bool is_live(const struct gather_run *run)
{
	return run->is_known && !run->is_replay;
}

/* Does something of this sensor lie within the time judged? Both ends are times of packets. */
static bool is_within(const struct gather *g, const char *sensor, uint64_t first, uint64_t last)
{
	const struct gather_sensor *s = gather_sensor(g, sensor);

	return s && last >= s->from_s && first < s->to_s;
}

bool gather_counts(const struct gather *g, const struct endpoint_sum *sum)
{
	return !sum->is_replay && is_within(g, sum->sensor, sum->digest.first, sum->digest.last);
}

/*
 * What no rule expects is unexpected egress. So is what a detector is sure of where a rule only watches, or expects:
 * a tunnel in DNS, a beacon. What it is less sure of is a suspicion, and so are credentials taken from instance
 * metadata, which leave the machine by another way if they do.
 */
enum gather_weight gather_weigh(const struct gather *g, const struct finding *f)
{
	bool is_replay;
	const char *sensor = findings_owner(g->findings, f, &is_replay);

	if (is_replay || !is_within(g, sensor, f->first, f->last))
		return GATHER_ASIDE;
	/* Whether something left that way nobody knows: a gate of its own is not met. */
	if (f->key.kind == FINDING_BLINDING)
		return GATHER_SUSPICION;
	/* What goes to a group stays on the link: nobody was spoken to, and nobody expects it. */
	if (f->key.kind == FINDING_UNEXPECTED_EGRESS)
		return addr_is_group(f->key.family, &f->key.remote) ? GATHER_SUSPICION
								    : GATHER_EGRESS;
	/* Whoever came in may have taken something out. */
	if (f->key.kind == FINDING_UNEXPECTED_INBOUND)
		return f->reached >= FINDING_ANSWERED ? GATHER_SUSPICION : GATHER_ASIDE;
	/* Those of an endpoint that is counted already say how, not that. */
	if (f->key.direction == FLOWREC_INGRESS || f->severity < FINDING_MEDIUM ||
	    f->verdict == FLOWREC_UNEXPECTED_EGRESS)
		return GATHER_ASIDE;
	if (f->severity < FINDING_HIGH || f->key.kind == FINDING_METADATA_CREDENTIALS ||
	    f->key.kind == FINDING_LOG_WIPED)
		return GATHER_SUSPICION;
	return GATHER_EGRESS;
}

/* ---- of a run ---- */

/* Loopback is number 1 of every network namespace, and nothing on it leaves the machine. */
static bool is_loopback(const struct gather_link *link)
{
	return link->index == 1 && strcmp(link->name, "lo") == 0;
}

/* Did it carry packets, or may it have? */
static bool link_carried(const struct gather_link *link)
{
	if (link->captured || is_loopback(link))
		return false;
	if (link->rx_first < 0 || link->rx < 0 || link->tx_first < 0 || link->tx < 0)
		return true;
	/* One that is gone may have carried something since it was looked at last. */
	return link->rx != link->rx_first || link->tx != link->tx_first ||
	       (link->gone && link->was_up);
}

static void facts_of_links(const struct gather_run *run, struct verdict_evidence *e)
{
	if (!run->has_host || run->links_left_out)
		not_whole(e, FACT_INTERFACES_UNWATCHED);
	if (!run->has_host)
		not_whole(e, FACT_UNSEEN);
	for (size_t i = 0; i < run->n_links; i++)
		add(e, FACT_INTERFACES_UNWATCHED, link_carried(&run->links[i]), 0, 0);
}

static void facts_of_interface(const struct gather_interface *iface, struct verdict_evidence *e)
{
	const struct batch_account *a = &iface->account;
	int64_t residual = batch_account_residual(a);
	bool counts = iface->link.allowances == WIRE_ALLOWANCES_COUNTED;

	add(e, FACT_SKIPPED_WINDOWS, iface->skipped, iface->skipped_first, iface->skipped_last);
	if (!iface->has_account) {
		not_whole(e, FACT_RESIDUAL);
		not_whole(e, FACT_MALFORMED);
		not_whole(e, FACT_NOT_IP);
	}
	add(e, FACT_RESIDUAL, residual < 0 ? -(uint64_t)residual : (uint64_t)residual, 0, 0);
	add(e, FACT_MALFORMED, a->malformed + a->cut, 0, 0);
	add(e, FACT_NOT_IP, a->not_ip, 0, 0);
	add(e, FACT_KERNEL_DROPPED, a->kernel_dropped, 0, 0);
	add(e, FACT_NIC_DROPPED, a->nic_dropped, 0, 0);
	if (!iface->has_account || iface->kernel_unknown)
		not_whole(e, FACT_KERNEL_DROPPED);
	if (!iface->has_account || iface->nic_unknown)
		not_whole(e, FACT_NIC_DROPPED);
	for (size_t i = 0; counts && i < BATCH_ALLOWANCES; i++)
		add(e, FACT_ALLOWANCE, a->allowances[i], 0, 0);
	if (counts ? iface->allowances_unknown || !iface->has_account
		   : iface->link.allowances != WIRE_ALLOWANCES_NONE)
		not_whole(e, FACT_ALLOWANCE);
}

static void facts_of_names(const struct gather_run *run, struct verdict_evidence *e)
{
	const uint64_t *n = run->names;

	if (!run->has_names) {
		not_whole(e, FACT_DNS_MESSAGES);
		not_whole(e, FACT_DNS_UNREAD);
	}
	add(e, FACT_DNS_MESSAGES, n[BATCH_NAMES_DNS_QUERIES] + n[BATCH_NAMES_DNS_RESPONSES], 0, 0);
	add(e, FACT_DNS_UNREAD,
	    n[BATCH_NAMES_DNS_MALFORMED] + n[BATCH_NAMES_DNS_CUT] + n[BATCH_NAMES_LEFT_OUT], 0, 0);
}

/* What found no room in the sensor's tables. */
static void facts_of_tables(const struct gather_run *run, struct verdict_evidence *e)
{
	static const struct {
		enum batch_table table;
		enum verdict_fact_id fact;
	} all[] = {
		{BATCH_FLOWS_EVICTED, FACT_FLOWS_EVICTED},
		{BATCH_FLOWS_MERGED, FACT_FLOWS_MERGED},
		{BATCH_ENDPOINTS_LEFT_OUT, FACT_ENDPOINTS_LEFT_OUT},
		{BATCH_CALLS_LEFT_OUT, FACT_CALLS_LEFT_OUT},
	};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		add(e, all[i].fact, run->tables[all[i].table], run->begin_s, run->end_s);
		if (!run->has_tables)
			not_whole(e, all[i].fact);
	}
	if (run->tables[BATCH_CALLS] == 0)
		not_whole(e, FACT_CALLS_LEFT_OUT);
}

static void facts_of_run(const struct gather_run *run, const struct gather_sensor *sensor,
			 bool is_first, struct verdict_evidence *e)
{
	uint64_t records = run->records + run->gap_records;

	add(e, FACT_RUNS, 1, 0, 0);
	/* What comes after the time judged need not have ended. */
	add(e, FACT_OPEN_RUNS, !run->goodbye && run->end_s <= sensor->to_s, run->begin_s,
	    run->end_s);
	add(e, FACT_GAP_BATCHES, run->gap_batches, run->gap_first, run->gap_last);
	add(e, FACT_RECORDS_MISSING, run->records_said > records ? run->records_said - records : 0,
	    0, 0);
	add(e, FACT_FILTERED, run->filtered, run->begin_s, run->end_s);
	add(e, FACT_SPOOL_GAVE_UP, run->spool_gave_up, run->begin_s, run->end_s);
	add(e, FACT_UNJUDGED, run->unjudged, run->unjudged_first, run->unjudged_last);
	/* Of the first run; what later ones find was watched before. */
	add(e, FACT_UNSEEN, is_first ? run->unseen_start : 0, 0, 0);
	add(e, FACT_OLD_FLOWS, run->old_flows, run->old_first, run->old_last);
	add(e, FACT_CLOCK_STEPS, run->clock_steps + run->dates_wrong, run->clock_step_s,
	    run->clock_step_s ? run->clock_step_s + 1 : 0);
	if (run->clock_off_ms > e->facts[FACT_CLOCK_OFF_MS].n)
		e->facts[FACT_CLOCK_OFF_MS].n = run->clock_off_ms;
	if (!run->has_clock)
		not_whole(e, FACT_CLOCK_OFF_MS);
	if (run->has_canaries && run->canaries[2] > 0)
		add(e, FACT_CANARIES_UNSEEN, (uint64_t)run->canaries[2], 0, 0);
	if (!run->has_canaries)
		not_whole(e, FACT_CANARIES_UNSEEN);
	add(e, FACT_BLINDINGS, run->blindings, run->blind_first,
	    run->blind_last ? run->blind_last + 1 : 0);
	if (run->unchecked || !run->blind_checks)
		not_whole(e, FACT_BLINDINGS);
	if (run->n_interfaces < e->facts[FACT_INTERFACES].n)
		e->facts[FACT_INTERFACES].n = run->n_interfaces;
	facts_of_links(run, e);
	facts_of_names(run, e);
	facts_of_tables(run, e);
	for (size_t i = 0; i < WIRE_INTERFACES_MAX; i++) {
		if (i < run->n_interfaces || run->interfaces[i].has_account)
			facts_of_interface(&run->interfaces[i], e);
	}
}

/* ---- of a sensor ---- */

static void least(struct verdict_evidence *e, enum verdict_fact_id id, uint64_t n)
{
	if (n < e->facts[id].n)
		e->facts[id].n = n;
}

/* Changes from one run to the next. */
static void facts_of_changes(const struct gather *g, const struct gather_run *run,
			     const struct gather_run *before, struct verdict_evidence *e)
{
	if (g->config.policy && memcmp(run->policy, g->config.policy_digest, SHA256_BYTES) != 0)
		add(e, FACT_POLICY_OTHER, 1, run->begin_s, run->end_s);
	if (!before)
		return;
	add(e, FACT_POLICY_CHANGES, memcmp(run->policy, before->policy, SHA256_BYTES) != 0,
	    run->begin_s, run->end_s);
	add(e, FACT_BUILD_CHANGES, strcmp(run->build, before->build) != 0, run->begin_s,
	    run->end_s);
	add(e, FACT_CONFIG_CHANGES, memcmp(run->config, before->config, SHA256_BYTES) != 0,
	    run->begin_s, run->end_s);
}

static void facts_of_sensor(const struct gather *g, const struct gather_sensor *sensor,
			    struct verdict_evidence *e)
{
	const struct gather_run *before = NULL;
	uint64_t packets = 0, canaries = 0, checks = 0, first, last, missing;

	for (size_t i = 0; i < g->n_runs; i++) {
		const struct gather_run *run = &g->runs[i];

		if (!is_live(run) || strcmp(run->sensor, sensor->id) != 0 ||
		    run->end_s <= sensor->from_s || run->begin_s >= sensor->to_s)
			continue;
		packets += run->packets;
		if (run->canaries[0] > 0 && run->canaries[1] >= 0)
			canaries += (uint64_t)run->canaries[0] + (uint64_t)run->canaries[1];
		checks += run->blind_checks;
		facts_of_run(run, sensor, !before, e);
		facts_of_changes(g, run, before, e);
		before = run;
	}
	least(e, FACT_PACKETS, packets);
	least(e, FACT_CANARIES, canaries);
	least(e, FACT_BLIND_CHECKS, checks);
	least(e, FACT_SPAN_S, sensor->to_s - sensor->from_s);
	missing =
		timeline_unwatched(&sensor->timeline, sensor->from_s, sensor->to_s, &first, &last);
	add(e, FACT_UNWATCHED_S, missing, first, last);
	if (e->from_s == 0 || sensor->from_s < e->from_s)
		e->from_s = sensor->from_s;
	if (sensor->to_s > e->to_s)
		e->to_s = sensor->to_s;
}

/* ---- of all ---- */

static bool is_link_local(const struct endpoint_digest *d)
{
	const uint8_t *b = d->remote.b;

	return d->family == 4 ? b[0] == 169 && b[1] == 254
			      : (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) ||
					(b[0] == 0xfd && b[1] == 0 && b[2] == 0x0e && b[3] == 0xc2);
}

static void facts_of_endpoint(const struct endpoint_digest *d, struct verdict_evidence *e)
{
	bool began = d->direction == FLOWREC_EGRESS;
	bool answered = d->outcome >= FLOWREC_ANSWERED;

	add(e, FACT_LINK_LOCAL, is_link_local(d), 0, 0);
	add(e, FACT_CAME_IN, !began, 0, 0);
	add(e, FACT_ANSWERED, began && answered, 0, 0);
	add(e, FACT_ATTEMPTS, began && !answered, 0, 0);
	add(e, FACT_GAVE_WAY, d->gave_way, 0, 0);
	if (began && (d->verdict == FLOWREC_EXPECTED || d->verdict == FLOWREC_WATCHED)) {
		add(e, FACT_ALLOWED, 1, 0, 0);
		add(e, FACT_ALLOWED_BYTES, d->bytes_out, 0, 0);
	}
}

/* Is the endpoint among those that nothing expects anyway? What a detector says of it tells how, not that. */
static bool is_counted(const struct gather *g, const struct finding *f)
{
	struct finding_key key = f->key;
	const struct finding *plain;

	if (key.kind == FINDING_UNEXPECTED_EGRESS)
		return false;
	key.kind = FINDING_UNEXPECTED_EGRESS;
	key.remote = f->remote;
	key.name_id = 0;
	plain = findings_find(g->findings, &key);
	return plain && gather_weigh(g, plain) == GATHER_EGRESS;
}

static void facts_of_findings(const struct gather *g, struct verdict_evidence *e)
{
	struct findings_stats stats;

	for (size_t i = 0; i < g->n_found; i++) {
		const struct finding *f = g->found[i];
		uint64_t reached = VERDICT_ATTEMPTED + (uint64_t)f->reached;

		switch (gather_weigh(g, f)) {
		case GATHER_ASIDE: break;
		case GATHER_SUSPICION: add(e, FACT_SUSPICIONS, 1, f->first, f->last + 1); break;
		case GATHER_EGRESS:
			add(e, FACT_EGRESS, !is_counted(g, f), f->first, f->last + 1);
			if (reached > e->facts[FACT_REACHED].n)
				e->facts[FACT_REACHED].n = reached;
			break;
		}
	}
	findings_stats(g->findings, &stats);
	add(e, FACT_FINDINGS_LEFT_OUT,
	    stats.findings_left_out + stats.peers_left_out + stats.state_left_out +
		    endpoints_left_out(g->endpoints),
	    0, 0);
	if (e->facts[FACT_FINDINGS_LEFT_OUT].n == 0)
		return;
	not_whole(e, FACT_EGRESS);
	not_whole(e, FACT_SUSPICIONS);
}

/* The rules that were used, over all runs that have this policy. */
static void facts_of_policy(const struct gather *g, struct verdict_evidence *e)
{
	const struct policy *policy = g->config.policy ? g->config.policy : g->policy;
	uint64_t used = 0;

	if (!policy) {
		not_whole(e, FACT_POLICY_RULES);
		not_whole(e, FACT_POLICY_UNUSED);
		not_whole(e, FACT_POLICY_WIDE);
		return;
	}
	put(e, FACT_POLICY_RULES, policy_rules(policy));
	for (size_t rule = 0; rule < policy_rules(policy); rule++) {
		bool is_used = false;

		for (size_t i = 0; i < g->n_runs && !is_used; i++)
			is_used = is_live(&g->runs[i]) && rule < g->runs[i].n_rules &&
				  g->runs[i].rules_used[rule];
		used += is_used;
	}
	put(e, FACT_POLICY_UNUSED, policy_rules(policy) - used);
	for (size_t i = 0; policy_warning(policy, i); i++)
		add(e, FACT_POLICY_WIDE, strstr(policy_warning(policy, i), "hides what") != NULL, 0,
		    0);
}

/* What the ledger's content can tell; all but the audit, the witness, the original and the clock on the wall. */
static const uint8_t told[] = {
	FACT_SPAN_S,
	FACT_PACKETS,
	FACT_UNWATCHED_S,
	FACT_INTERFACES,
	FACT_INTERFACES_UNWATCHED,
	FACT_RESIDUAL,
	FACT_KERNEL_DROPPED,
	FACT_NIC_DROPPED,
	FACT_SKIPPED_WINDOWS,
	FACT_CANARIES,
	FACT_BLIND_CHECKS,
	FACT_BLINDINGS,
	FACT_CANARIES_UNSEEN,
	FACT_DNS_MESSAGES,
	FACT_DNS_UNREAD,
	FACT_FILTERED,
	FACT_LINK_LOCAL,
	FACT_POLICY_CHANGES,
	FACT_POLICY_OTHER,
	FACT_POLICY_WIDE,
	FACT_POLICY_RULES,
	FACT_POLICY_UNUSED,
	FACT_ALLOWED,
	FACT_ALLOWED_BYTES,
	FACT_ATTEMPTS,
	FACT_ENDPOINTS_LEFT_OUT,
	FACT_ANSWERED,
	FACT_CAME_IN,
	FACT_CLOCK_STEPS,
	FACT_CLOCK_OFF_MS,
	FACT_FLOWS_EVICTED,
	FACT_FLOWS_MERGED,
	FACT_SPOOL_GAVE_UP,
	FACT_GAVE_WAY,
	FACT_MALFORMED,
	FACT_UNJUDGED,
	FACT_NOT_IP,
	FACT_FINDINGS_LEFT_OUT,
	FACT_CALLS_LEFT_OUT,
	FACT_OPEN_RUNS,
	FACT_GAP_BATCHES,
	FACT_RECORDS_MISSING,
	FACT_BUILD_CHANGES,
	FACT_CONFIG_CHANGES,
	FACT_OLD_FLOWS,
	FACT_ALLOWANCE,
	FACT_EGRESS,
	FACT_REACHED,
	FACT_SUSPICIONS,
	FACT_UNSEEN,
};

void gather_facts(const struct gather *g, struct verdict_evidence *e)
{
	bool has_live = g->n_sensors > 0;

	/* Without a run nothing is known but that. */
	for (size_t i = 0; has_live && i < sizeof told; i++)
		put(e, told[i], 0);
	put(e, FACT_RUNS, 0);
	put(e, FACT_REPLAYS, 0);
	put(e, FACT_DAMAGE, g->damage);
	for (size_t i = 0; i < g->n_runs; i++)
		add(e, FACT_REPLAYS, g->runs[i].is_known && g->runs[i].is_replay, 0, 0);
	if (!has_live)
		return;
	e->facts[FACT_PACKETS].n = e->facts[FACT_CANARIES].n = UINT64_MAX;
	e->facts[FACT_BLIND_CHECKS].n = UINT64_MAX;
	e->facts[FACT_SPAN_S].n = e->facts[FACT_INTERFACES].n = UINT64_MAX;
	for (size_t i = 0; i < g->n_sensors; i++)
		facts_of_sensor(g, &g->sensors[i], e);
	for (size_t i = 0; i < g->n_ends; i++) {
		if (gather_counts(g, &g->ends[i]))
			facts_of_endpoint(&g->ends[i].digest, e);
	}
	facts_of_findings(g, e);
	facts_of_policy(g, e);
	if (g->orphans == 0 && g->damage == 0)
		return;
	/* Whatever is lost may have held more of anything. */
	for (size_t i = 0; i < sizeof told; i++)
		not_whole(e, told[i]);
}

/* ---- hours ---- */

void gather_hours(const struct gather *g, struct verdict_evidence *e)
{
	enum { HOUR = 3600, DAYS = 7, HOURS_A_DAY = 24, ENOUGH = 24 * 400 };
	bool hours[HOURS_A_DAY] = {false}, days[DAYS] = {false};
	uint64_t n_hours = 0, n_days = 0, first, last;

	for (size_t i = 0; i < g->n_sensors; i++) {
		const struct gather_sensor *s = &g->sensors[i];
		uint64_t at = s->from_s;

		for (unsigned turn = 0; at < s->to_s && turn < ENOUGH; turn++) {
			time_t now = (time_t)at;
			struct tm tm;
			uint64_t next;

			if (!localtime_r(&now, &tm))
				break;
			next = at + (uint64_t)(HOUR - tm.tm_min * 60 -
					       (tm.tm_sec < 60 ? tm.tm_sec : 59));
			if (timeline_unwatched(&s->timeline, at, next < s->to_s ? next : s->to_s,
					       &first,
					       &last) < (next < s->to_s ? next : s->to_s) - at)
				days[tm.tm_wday] = true;
			if (next - at == HOUR && next <= s->to_s &&
			    timeline_unwatched(&s->timeline, at, next, &first, &last) == 0)
				hours[tm.tm_hour] = true;
			at = next;
		}
	}
	for (size_t i = 0; i < HOURS_A_DAY; i++)
		n_hours += hours[i];
	for (size_t i = 0; i < DAYS; i++)
		n_days += days[i];
	if (g->n_sensors == 0)
		return;
	put(e, FACT_HOURS, n_hours);
	put(e, FACT_WEEKDAYS, n_days);
}
