// SPDX-License-Identifier: Apache-2.0
/*
 * page, the state: the ledger gathered as a report gathers it, but as it grows, and what of each sensor is only of
 * interest while it runs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/page_parts.h"
#include "evidence/table.h"
#include "platform/clock.h"

enum { SENSORS_MAX = 65536, BEHIND_S = 5 };

/* ---- reading ---- */

static struct page_sensor *sensor_of(struct page_state *s, const struct ledger_entry *entry)
{
	struct page_sensor key = {.batches = 0};
	void *found = NULL;

	(void)snprintf(key.id, sizeof key.id, "%s", entry->sensor);
	if (table_take(s->sensors, &key, &found) == 0 && found &&
	    ((struct page_sensor *)found)->heard_ns < entry->received_ns)
		((struct page_sensor *)found)->heard_ns = entry->received_ns;
	return found;
}

static int take_hello(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello)
{
	struct page_state *s = ctx;
	struct page_sensor *sensor = sensor_of(s, entry);

	s->is_dirty = true;
	if (sensor) {
		sensor->goodbye = false;
		sensor->is_replay = hello->is_replay;
	}
	return gather_ops.hello(&s->gather, entry, hello);
}

static int take_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		      struct batch *batch)
{
	struct page_state *s = ctx;
	struct page_sensor *sensor = sensor_of(s, entry);
	const struct batch_head *head = batch_head(batch);

	s->is_dirty = true;
	if (sensor) {
		sensor->batches++;
		sensor->records += batch_record_count(batch);
		sensor->packets += batch_packet_count(batch);
		sensor->bytes += entry->len;
		sensor->goodbye = head->goodbye;
		sensor->has_clock = head->has_clock;
		sensor->offset_ns = head->offset_ns;
		sensor->way_ns = head->way_ns;
	}
	return gather_ops.batch(&s->gather, entry, hello, batch);
}

static int take_gap(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		    const struct batch_gap *gap)
{
	struct page_state *s = ctx;

	s->is_dirty = true;
	(void)sensor_of(s, entry);
	return gather_ops.gap(&s->gather, entry, hello, gap);
}

static int take_fault(void *ctx, const struct ledger_entry *entry)
{
	struct page_state *s = ctx;

	s->is_dirty = true;
	return gather_ops.fault(&s->gather, entry);
}

static const struct replay_ops ops = {
	.hello = take_hello, .batch = take_batch, .gap = take_gap, .fault = take_fault};

int page_state_new(struct page_state **ret, const char *store, struct err *err)
{
	static const struct gather_config config = {.findings_max = FINDINGS_MAX};
	struct page_state *s = calloc(1, sizeof *s);
	int rc;

	if (!s)
		return err_set(err, -ENOMEM, "no memory for the page");
	rc = gather_begin(&s->gather, &config, err);
	if (rc == 0 &&
	    table_new(&s->sensors, sizeof(struct page_sensor), sizeof s->list->id, SENSORS_MAX) < 0)
		rc = err_set(err, -ENOMEM, "no memory for the page");
	if (rc == 0)
		rc = follow_new(&s->follow, store, &ops, s, err);
	*ret = s;
	return rc;
}

void page_state_is_root(struct page_state *s)
{
	follow_is_root(s->follow);
}

int page_state_read(struct page_state *s, uint64_t budget)
{
	int rc = follow_on(s->follow, budget, &s->trouble);

	if (rc >= 0)
		s->trouble.text[0] = '\0';
	if (rc == 0) {
		s->has_caught_up = true;
		s->whole_ns = clock_mono_ns();
	}
	return rc == 1 || rc == -ENOMEM ? rc : 0;
}

bool page_state_is_behind(const struct page_state *s)
{
	return !s->has_caught_up || clock_mono_ns() > s->whole_ns + BEHIND_S * (uint64_t)NS_PER_S;
}

/* ---- making ---- */

static int compare(const void *one, const void *two)
{
	const struct page_sensor *a = one, *b = two;

	if (a->heard != b->heard)
		return a->heard < b->heard ? -1 : 1;
	return strcmp(a->id, b->id);
}

static enum page_heard heard(const struct page_sensor *sensor, uint64_t now_ns)
{
	if (sensor->goodbye)
		return PAGE_ENDED;
	/* A step of the collector's clock back may leave it in the future. */
	return now_ns < sensor->heard_ns + PAGE_SILENT_S * (uint64_t)NS_PER_S ? PAGE_LIVE
									      : PAGE_SILENT;
}

static void add_run(struct page_sensor *to, const struct gather_run *run)
{
	for (size_t i = 0; i < run->n_interfaces; i++) {
		const struct gather_interface *iface = &run->interfaces[i];

		to->kernel_dropped += iface->account.kernel_dropped;
		to->nic_dropped += iface->account.nic_dropped;
		to->kernel_known = to->kernel_known && iface->has_account && !iface->kernel_unknown;
		to->nic_known = to->nic_known && iface->has_account && !iface->nic_unknown;
		to->skipped += iface->skipped;
	}
	to->gap_records += run->gap_records;
	to->gap_batches += run->gap_batches;
	to->given_up += run->spool_gave_up;
}

/* A list of their own: those of the table move while it grows. */
static int list_sensors(struct page_state *s, uint64_t now_ns)
{
	size_t n = table_count(s->sensors);
	struct page_sensor key, *to;

	free(s->list);
	s->n_sensors = 0;
	s->list = calloc(n + 1, sizeof *s->list);
	if (!s->list)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		s->list[i] = *(struct page_sensor *)table_at(s->sensors, i);
		s->list[i].heard = heard(&s->list[i], now_ns);
		s->list[i].kernel_known = s->list[i].nic_known = true;
	}
	s->n_sensors = n;
	for (size_t i = 0; i < s->gather.n_runs; i++) {
		memset(&key, 0, sizeof key);
		memcpy(key.id, s->gather.runs[i].sensor, sizeof key.id);
		to = table_find(s->sensors, &key);
		if (to)
			add_run(&s->list[table_index(s->sensors, to)], &s->gather.runs[i]);
	}
	qsort(s->list, n, sizeof *s->list, compare);
	return 0;
}

static void add_row(struct page_rows *rows, const struct finding *f)
{
	if (rows->n < PAGE_ROWS)
		rows->list[rows->n] = f;
	rows->n++;
}

static void sort_out_findings(struct page_state *s)
{
	memset(s->found, 0, sizeof s->found);
	s->egress.n = s->others.n = 0;
	for (size_t i = 0; i < s->gather.n_found; i++) {
		const struct finding *f = s->gather.found[i];

		s->found[f->key.kind][f->severity]++;
		add_row(f->key.kind == FINDING_UNEXPECTED_EGRESS &&
					gather_weigh(&s->gather, f) == GATHER_EGRESS
				? &s->egress
				: &s->others,
			f);
	}
}

static bool is_allowed(const struct page_state *s, const struct endpoint_sum *sum)
{
	const struct endpoint_digest *d = &sum->digest;

	return d->direction == FLOWREC_EGRESS &&
	       (d->verdict == FLOWREC_EXPECTED || d->verdict == FLOWREC_WATCHED) &&
	       gather_counts(&s->gather, sum);
}

static void sort_out_allowed(struct page_state *s)
{
	s->n_allowed = 0;
	for (size_t i = 0; i < s->gather.n_ends; i++) {
		const struct endpoint_sum *sum = &s->gather.ends[i];
		size_t at = s->n_allowed < PAGE_ROWS ? (size_t)s->n_allowed : PAGE_ROWS;

		if (!is_allowed(s, sum))
			continue;
		s->n_allowed++;
		for (; at > 0 && s->allowed[at - 1]->digest.bytes_out < sum->digest.bytes_out;
		     at--) {
			if (at < PAGE_ROWS)
				s->allowed[at] = s->allowed[at - 1];
		}
		if (at < PAGE_ROWS)
			s->allowed[at] = sum;
	}
}

int page_state_make(struct page_state *s, uint64_t now_ns)
{
	uint64_t begun_ns = clock_mono_ns();
	struct err err;
	int rc = gather_settle(&s->gather, &err);

	if (rc == 0)
		rc = list_sensors(s, now_ns);
	if (rc < 0)
		return rc;
	sort_out_findings(s);
	sort_out_allowed(s);
	s->evidence = (struct verdict_evidence){0};
	gather_facts(&s->gather, &s->evidence);
	gather_hours(&s->gather, &s->evidence);
	/* As a report that is given no Flow Logs. */
	s->evidence.facts[FACT_WITNESS_LINES] = (struct verdict_fact){.whole = true};
	verdict_judge(&s->evidence, &s->verdict);
	s->number = s->number ? s->number + 1 : now_ns / NS_PER_MS;
	s->made++;
	s->made_ns = now_ns;
	s->is_dirty = false;
	s->took_ns = clock_mono_ns() - begun_ns;
	return 0;
}
