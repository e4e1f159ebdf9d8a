// SPDX-License-Identifier: Apache-2.0
/*
 * gather: the walk through the ledger, summed up by run; gather_facts.c makes facts of the sums.
 */
#include "evidence/gather.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/hashset.h"
#include "evidence/peer.h"
#include "evidence/table.h"
#include "platform/clock.h"

/* More than a sensor can send: so many are nonsense. */
#define CANARIES_MAX (INT64_C(1) << 40)

enum {
	TCP = 6,
	SYN = 2,
	QUIET_S =
		15, /* a sensor closes a batch every few seconds while a collector hears it, and one a
			 window in any case: after a window and so much without one it was not running */
};

/* ---- memory ---- */

static void *more_room(void *list, size_t n, size_t *cap, size_t size)
{
	size_t want = *cap ? 2 * *cap : 8;
	void *more;

	if (n < *cap)
		return list;
	more = reallocarray(list, want, size);
	if (more)
		*cap = want;
	return more;
}

static void free_run(struct gather_run *run)
{
	for (size_t i = 0; i < run->n_rules; i++)
		free(run->rules[i]);
	free(run->rules);
	free(run->rules_used);
	free(run->policy_text);
	for (size_t i = 0; i < FLOWREC_TEXTS; i++)
		free(run->texts[i]);
}

void gather_fini(struct gather *g)
{
	for (size_t i = 0; i < g->n_runs; i++)
		free_run(&g->runs[i]);
	for (size_t i = 0; i < g->n_sensors; i++)
		timeline_fini(&g->sensors[i].timeline);
	for (size_t i = 0; i < g->n_faults; i++) {
		free(g->faults[i].file);
		free(g->faults[i].reason);
	}
	free(g->runs);
	free(g->sensors);
	endpoints_free(g->endpoints);
	labels_free(g->labels);
	log_sums_free(g->logs);
	findings_free(g->findings);
	hashset_free(g->flows);
	table_free(g->run_places);
	table_free(g->sensor_places);
	policy_free(g->policy);
	*g = (struct gather){0};
}

/* Where a run or a sensor stands in its list. */
struct run_place {
	char sensor[WIRE_SENSOR_ID_MAX];
	uint8_t stream[WIRE_STREAM_ID];
	uint64_t index;
};
struct sensor_place {
	char id[WIRE_SENSOR_ID_MAX];
	uint64_t index;
};

/* The entry's run, made if need be; NULL without memory. */
static struct gather_run *run_of(struct gather *g, const struct ledger_entry *entry)
{
	struct run_place key = {.index = g->n_runs};
	struct gather_run *run;
	void *place;

	(void)snprintf(key.sensor, sizeof key.sensor, "%s", entry->sensor);
	memcpy(key.stream, entry->stream, WIRE_STREAM_ID);
	if (table_take(g->run_places, &key, &place) < 0 || !place)
		return NULL;
	if (((struct run_place *)place)->index < g->n_runs)
		return &g->runs[((struct run_place *)place)->index];
	run = more_room(g->runs, g->n_runs, &g->cap_runs, sizeof *run);
	if (!run)
		return NULL;
	g->runs = run;
	run += g->n_runs++;
	memset(run, 0, sizeof *run);
	memcpy(run->stream, entry->stream, WIRE_STREAM_ID);
	(void)snprintf(run->sensor, sizeof run->sensor, "%s", entry->sensor);
	return run;
}

static struct gather_sensor *sensor_of(struct gather *g, const char *id)
{
	struct sensor_place key = {.index = g->n_sensors};
	struct gather_sensor *sensor;
	void *place;

	(void)snprintf(key.id, sizeof key.id, "%s", id);
	if (table_take(g->sensor_places, &key, &place) < 0 || !place)
		return NULL;
	if (((struct sensor_place *)place)->index < g->n_sensors)
		return &g->sensors[((struct sensor_place *)place)->index];
	sensor = more_room(g->sensors, g->n_sensors, &g->cap_sensors, sizeof *sensor);
	if (!sensor)
		return NULL;
	g->sensors = sensor;
	sensor += g->n_sensors++;
	memset(sensor, 0, sizeof *sensor);
	(void)snprintf(sensor->id, sizeof sensor->id, "%s", id);
	return sensor;
}

const struct gather_sensor *gather_sensor(const struct gather *g, const char *id)
{
	struct sensor_place key = {.index = 0};
	const struct sensor_place *place;

	(void)snprintf(key.id, sizeof key.id, "%s", id);
	place = table_find(g->sensor_places, &key);
	return place ? &g->sensors[place->index] : NULL;
}

/* ---- hello ---- */

static int take_rules(struct gather_run *run, const struct wire_hello *hello)
{
	run->rules = calloc(hello->n_rules + 1, sizeof *run->rules);
	run->rules_used = calloc(hello->n_rules + 1, 1);
	if (!run->rules || !run->rules_used)
		return -ENOMEM;
	for (size_t i = 0; i < hello->n_rules; i++) {
		run->rules[i] = strdup(hello->rules[i]);
		if (!run->rules[i])
			return -ENOMEM;
		run->n_rules++;
	}
	return 0;
}

/* Who the machine says that it is: a later hello of a run may know more. */
static int take_texts(struct gather_run *run, const struct wire_hello *hello)
{
	for (size_t i = 0; hello->n_interfaces > 0 && i < FLOWREC_TEXTS; i++) {
		const char *text = hello->interfaces[0].text[i];

		if (!text || !*text || run->texts[i])
			continue;
		run->texts[i] = strdup(text);
		if (!run->texts[i])
			return -ENOMEM;
	}
	return 0;
}

/* Believed only if it is what the digest says. */
static int take_policy(struct gather_run *run, const struct wire_hello *hello)
{
	uint8_t digest[SHA256_BYTES];

	crypto_sha256(digest, hello->policy_text, hello->policy_text_len);
	if (hello->policy_text_len == 0 || memcmp(digest, hello->policy, sizeof digest) != 0)
		return 0;
	run->policy_text = strndup((const char *)hello->policy_text, hello->policy_text_len);
	return run->policy_text ? 0 : -ENOMEM;
}

static int add_hello(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello)
{
	struct gather *g = ctx;
	struct gather_run *run = run_of(g, entry);
	int rc;

	if (!run)
		return -ENOMEM;
	run->hellos++;
	run->dates_wrong = run->dates_wrong || hello->dates_wrong;
	if (run->is_known)
		return take_texts(run, hello);
	run->is_known = true;
	run->is_replay = hello->is_replay;
	run->filtered = hello->filtered;
	run->window_s = hello->window_s;
	run->begin_s = run->end_s = hello->clock_ns / NS_PER_S;
	run->previous_ns = hello->clock_ns;
	memcpy(run->config, hello->config, SHA256_BYTES);
	memcpy(run->policy, hello->policy, SHA256_BYTES);
	(void)snprintf(run->build, sizeof run->build, "%s", hello->build);
	(void)snprintf(run->boot_id, sizeof run->boot_id, "%s", hello->boot_id);
	run->n_interfaces = hello->n_interfaces;
	for (size_t i = 0; i < hello->n_interfaces; i++) {
		struct gather_interface *to = &run->interfaces[i];

		to->link = hello->links[i];
		(void)snprintf(to->name, sizeof to->name, "%s", hello->interfaces[i].interface);
	}
	rc = take_rules(run, hello);
	if (rc == 0)
		rc = take_texts(run, hello);
	if (rc == 0)
		rc = take_policy(run, hello);
	if (rc == 0 && !run->is_replay && !sensor_of(g, run->sensor))
		rc = -ENOMEM;
	return rc;
}

/* ---- records ---- */

/* The flow, whichever direction the record is of. */
static int flow_is_new(struct gather *g, size_t sensor, const struct flowrec *rec)
{
	int order = memcmp(&rec->src, &rec->dst, sizeof rec->src);
	bool turned = order > 0 || (order == 0 && rec->srcport > rec->dstport);
	uint64_t words[6] = {[4] = (uint64_t)(turned ? rec->dstport : rec->srcport) << 48 |
				   (uint64_t)(turned ? rec->srcport : rec->dstport) << 32 |
				   (uint64_t)rec->iface << 8 | rec->family,
			     [5] = sensor};

	memcpy(&words[0], turned ? &rec->dst : &rec->src, sizeof rec->src);
	memcpy(&words[2], turned ? &rec->src : &rec->dst, sizeof rec->src);
	return hashset_add(g->flows, words, 6);
}

static int look_for_begin(struct gather *g, struct gather_run *run, size_t sensor,
			  const struct flowrec *rec)
{
	int rc = flow_is_new(g, sensor, rec);

	if (rc <= 0 || rec->tcp_flags & SYN)
		return rc < 0 ? rc : 0;
	run->old_flows++;
	if (!run->old_first || rec->start < run->old_first)
		run->old_first = rec->start;
	if (rec->end + 1 > run->old_last)
		run->old_last = rec->end + 1;
	return 0;
}

static void widen(uint64_t *first, uint64_t *last, uint64_t from, uint64_t to)
{
	if (*first == 0 || from < *first)
		*first = from;
	if (to > *last)
		*last = to;
}

static int add_line(struct gather_sensor *sensor, struct gather_interface *iface,
		    const struct flowrec *rec)
{
	/* The window's end is not part of it. */
	if (rec->status == FLOWREC_SKIPDATA) {
		iface->skipped++;
		widen(&iface->skipped_first, &iface->skipped_last, rec->start, rec->end);
		return timeline_skip(&sensor->timeline, rec->start, rec->end);
	}
	return 0; /* what was watched and had no traffic had none */
}

static bool is_judged(const struct gather *g, const struct flowrec *rec)
{
	return !g->config.to_s || (rec->end >= g->config.from_s && rec->start < g->config.to_s);
}

static int add_record(struct gather *g, struct gather_run *run, struct gather_sensor *sensor,
		      const struct findings_from *from, const struct flowrec *rec)
{
	struct gather_interface *iface = &run->interfaces[rec->iface];
	int rc;

	run->records++;
	if (is_judged(g, rec)) {
		run->packets += rec->packets;
		run->bytes += rec->bytes;
	}
	if (rec->status != FLOWREC_OK)
		return add_line(sensor, iface, rec);
	iface->stored += rec->packets;
	if (rec->rule && rec->rule <= run->n_rules)
		run->rules_used[rec->rule - 1] = 1;
	/* What others say to a group comes to every machine of the link. */
	if (rec->verdict == FLOWREC_VERDICT_NONE && !addr_is_group(rec->family, &rec->dst)) {
		run->unjudged += rec->packets;
		widen(&run->unjudged_first, &run->unjudged_last, rec->start, rec->end + 1);
	}
	rc = timeline_traffic(&sensor->timeline, rec->start, rec->end + 1);
	/* Later fragments have no ports, and no SYN either. */
	if (rc == 0 && rec->protocol == TCP && (rec->srcport || rec->dstport))
		rc = look_for_begin(g, run, (size_t)(sensor - g->sensors), rec);
	return rc ? rc : findings_add_record(g->findings, from, rec);
}

/* ---- the rest of a batch ---- */

static struct gather_link *link_of(struct gather_run *run, const struct batch_event *event)
{
	struct gather_link *link;

	for (size_t i = run->n_links; i-- > 0;) {
		if (run->links[i].index == event->values[0] && !run->links[i].gone)
			return &run->links[i];
	}
	if (run->n_links == GATHER_LINKS_MAX) {
		run->links_left_out = true;
		return NULL;
	}
	link = &run->links[run->n_links++];
	link->index = event->values[0];
	(void)snprintf(link->name, sizeof link->name, "%s", event->text);
	/* What comes later carried nothing before it came. */
	link->rx_first = run->looked ? 0 : event->values[2];
	link->tx_first = run->looked ? 0 : event->values[3];
	return link;
}

static void add_link(struct gather_run *run, const struct batch_event *event)
{
	struct gather_link *link = link_of(run, event);
	int64_t bits = event->values[1];

	if (!link)
		return;
	if (bits < 0) {
		link->gone = true;
		return;
	}
	link->captured = link->captured || bits & BATCH_INTERFACE_CAPTURED;
	link->was_up = link->was_up || bits & BATCH_INTERFACE_UP;
	link->rx = event->values[2];
	link->tx = event->values[3];
	if (!run->looked && link->captured && link->rx >= 0)
		run->unseen_start += (uint64_t)link->rx + (uint64_t)link->tx;
}

static void add_event(struct gather_run *run, const struct batch_event *event)
{
	switch ((enum batch_event_kind)event->kind) {
	case BATCH_EVENT_START: run->begin_s = event->time_ns / NS_PER_S; break;
	case BATCH_EVENT_CLOCK_STEP:
	case BATCH_EVENT_COLLECTOR_STEP:
		run->clock_steps++;
		run->clock_step_s = event->time_ns / NS_PER_S;
		break;
	case BATCH_EVENT_SPOOL_FULL:
		if (event->n_values > 0 && event->values[0] > 0)
			run->spool_gave_up = (uint64_t)event->values[0];
		break;
	case BATCH_EVENT_HOST: run->has_host = run->looked = true; break;
	case BATCH_EVENT_INTERFACE:
	case BATCH_EVENT_LINK:
		if (event->n_values == 4)
			add_link(run, event);
		break;
	case BATCH_EVENT_CANARIES:
		run->has_canaries = event->n_values == 4;
		for (size_t i = 0; run->has_canaries && i < 4; i++) {
			run->has_canaries =
				event->values[i] >= 0 && event->values[i] < CANARIES_MAX;
			run->canaries[i] = run->has_canaries ? event->values[i] : 0;
		}
		break;
	case BATCH_EVENT_BLINDING:
		run->blindings++;
		run->blind_last = event->time_ns / NS_PER_S;
		if (!run->blind_first)
			run->blind_first = run->blind_last;
		break;
	case BATCH_EVENT_BLIND_CHECK:
		run->blind_checks++;
		run->unchecked =
			run->unchecked || event->n_values < 2 ||
			event->values[1] & (BATCH_UNCHECKED_SOCKETS | BATCH_UNCHECKED_LINKS);
		break;
	case BATCH_EVENT_CONNECTED:
	case BATCH_EVENT_SPOOL_RECOVERED:
	case BATCH_EVENT_INTERFACE_GONE:
	case BATCH_EVENT_BLIND:
	case BATCH_EVENT_IDENTITY:
	case BATCH_EVENT_IDENTITY_DIFFERS:
	case BATCH_EVENT_METADATA_CONNECTION:
	case BATCH_EVENT_METADATA:
	case BATCH_EVENT_LOG_OPENED:
	case BATCH_EVENT_LOG_ROTATED:
	case BATCH_EVENT_LOG_SHRANK:
	case BATCH_EVENT_LOG_VANISHED:
	case BATCH_EVENT_LOG_REWRITTEN:
	case BATCH_EVENT_LOG_UNREADABLE:
	case BATCH_EVENT_KINDS: break;
	}
}

static void add_account(struct gather_run *run, const struct batch_account *account)
{
	struct gather_interface *iface;

	if (account->iface >= WIRE_INTERFACES_MAX)
		return;
	iface = &run->interfaces[account->iface];
	iface->account = *account;
	iface->has_account = true;
	iface->kernel_unknown = iface->kernel_unknown || !account->kernel_known;
	iface->nic_unknown = iface->nic_unknown || !account->nic_known;
	iface->allowances_unknown = iface->allowances_unknown || !account->allowances_known;
}

static void add_clock(struct gather_run *run, const struct batch_head *head)
{
	uint64_t off = head->offset_ns < 0 ? -(uint64_t)head->offset_ns : (uint64_t)head->offset_ns;
	uint64_t ms = (off + head->way_ns / 2) / NS_PER_MS;

	run->has_clock = true;
	if (ms > run->clock_off_ms)
		run->clock_off_ms = ms;
}

/* The stretch from the batch before to this one was watched, unless it is too long. */
static int add_time(struct gather_run *run, struct gather_sensor *sensor,
		    const struct batch_head *head)
{
	uint64_t before = run->previous_ns / NS_PER_S, now = head->clock_ns / NS_PER_S + 1;
	bool is_quiet = now > before + run->window_s + QUIET_S;

	run->previous_ns = head->clock_ns;
	if (run->batches == 1 && run->begin_s > before)
		before = run->begin_s;
	if (now > run->end_s)
		run->end_s = now;
	return timeline_watch(&sensor->timeline, is_quiet ? now - 1 : before, now);
}

static int add_endpoints(struct gather *g, struct gather_run *run, const struct batch *batch)
{
	size_t n;
	const struct endpoint_digest *list = batch_endpoint_list(batch, &n);
	struct endpoints_source source = {.sensor = run->sensor, .stream = run->stream};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		uint16_t rule = list[i].rule;

		source.rule = rule && rule <= run->n_rules ? run->rules[rule - 1] : NULL;
		if (source.rule)
			run->rules_used[rule - 1] = 1;
		rc = endpoints_add(g->endpoints, &source, &list[i]);
	}
	return rc;
}

static int add_rest(struct gather *g, struct gather_run *run, struct gather_sensor *sensor,
		    const struct batch *batch)
{
	const struct batch_head *head = batch_head(batch);
	const struct batch_account *accounts;
	const struct batch_event *events;
	const uint64_t *names;
	size_t n;
	int rc;

	events = batch_event_list(batch, &n);
	for (size_t i = 0; i < n; i++)
		add_event(run, &events[i]);
	accounts = batch_account_list(batch, &n);
	for (size_t i = 0; i < n; i++)
		add_account(run, &accounts[i]);
	names = batch_names_counts(batch, &n);
	run->has_names = run->has_names || n > 0;
	for (size_t i = 0; i < n && i < BATCH_NAMES_COUNTS; i++)
		run->names[i] = names[i];
	if (head->has_clock)
		add_clock(run, head);
	(void)batch_alert_list(batch, &n);
	run->alerts += n;
	rc = add_time(run, sensor, head);
	if (rc == 0)
		rc = labels_add(g->labels, batch);
	return rc ? rc : add_endpoints(g, run, batch);
}

static int add_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		     struct batch *batch)
{
	struct gather *g = ctx;
	struct gather_run *run;
	struct gather_sensor *sensor;
	const struct batch_head *head = batch_head(batch);
	const struct findings_from from = {.sensor = entry->sensor,
					   .stream = entry->stream,
					   .hello = hello,
					   .sequence = head->sequence};
	struct flowrec rec;
	int rc = 0;

	if (!hello) {
		g->orphans++;
		return 0;
	}
	run = run_of(g, entry);
	if (!run)
		return -ENOMEM;
	run->batches++;
	run->goodbye = head->goodbye;
	run->is_signed += head->is_signed;
	run->records_said = head->records_before + batch_record_count(batch);
	memcpy(run->last_digest, entry->digest, SHA256_BYTES);
	if (head->has_tables) {
		run->has_tables = true;
		memcpy(run->tables, head->tables, sizeof run->tables);
	}
	if (run->is_replay)
		return 0;
	sensor = sensor_of(g, run->sensor);
	if (!sensor)
		return -ENOMEM;
	while (rc == 0 && batch_next(batch, &rec)) {
		if (rec.iface < WIRE_INTERFACES_MAX)
			rc = add_record(g, run, sensor, &from, &rec);
	}
	if (rc == 0)
		rc = findings_add_rest(g->findings, &from, batch, 0, UINT64_MAX);
	if (rc == 0)
		rc = log_sums_add(g->logs, entry, hello, batch);
	return rc ? rc : add_rest(g, run, sensor, batch);
}

static int add_gap(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		   const struct batch_gap *gap)
{
	struct gather *g = ctx;
	struct gather_run *run;
	struct gather_sensor *sensor;

	if (!hello || hello->is_replay)
		return 0;
	run = run_of(g, entry);
	sensor = sensor_of(g, entry->sensor);
	if (!run || !sensor)
		return -ENOMEM;
	if (gap->logs_only)
		return 0; /* no packet is missing */
	run->gap_batches += gap->last - gap->first + 1;
	run->gap_records += gap->records;
	if (gap->window_first == 0)
		return 0;
	widen(&run->gap_first, &run->gap_last, gap->window_first, gap->window_last + 1);
	return timeline_hole(&sensor->timeline, gap->window_first, gap->window_last + 1);
}

static int add_fault(void *ctx, const struct ledger_entry *entry)
{
	struct gather *g = ctx;
	struct gather_fault *fault;

	if (entry->kind != LEDGER_DAMAGE)
		return 0; /* an end that is being written, or was left: the audit judges it */
	g->damage++;
	if (g->n_faults == GATHER_FAULTS_MAX)
		return 0;
	fault = &g->faults[g->n_faults++];
	*fault = (struct gather_fault){strdup(entry->file), strdup(entry->reason), entry->offset};
	return fault->file && fault->reason ? 0 : -ENOMEM;
}

const struct replay_ops gather_ops = {
	.hello = add_hello, .batch = add_batch, .gap = add_gap, .fault = add_fault};

/* ---- after the walk ---- */

/* One policy for all live runs, read again: NULL if there are several, or it is not known. */
static int read_policy(struct gather *g)
{
	const struct gather_run *first = NULL;
	struct err err;
	int rc;

	policy_free(g->policy);
	g->policy = NULL;
	for (size_t i = 0; i < g->n_runs; i++) {
		const struct gather_run *run = &g->runs[i];

		if (!run->is_known || run->is_replay)
			continue;
		if (first && memcmp(first->policy, run->policy, SHA256_BYTES) != 0)
			return 0;
		if (!first || !first->policy_text)
			first = run;
	}
	if (!first || !first->policy_text)
		return 0;
	rc = policy_parse(&g->policy, "policy", first->policy_text, strlen(first->policy_text),
			  &err);
	return rc == -ENOMEM ? rc : 0; /* a newer sensor's rules may not be ours to read */
}

static int settle(struct gather *g)
{
	for (size_t i = 0; i < g->n_sensors; i++) {
		struct gather_sensor *s = &g->sensors[i];
		int rc = timeline_settle(&s->timeline);

		if (rc < 0)
			return rc;
		s->from_s = g->config.from_s;
		s->to_s = g->config.to_s;
		if (!s->from_s && !s->to_s)
			(void)timeline_bounds(&s->timeline, &s->from_s, &s->to_s);
	}
	g->ends = endpoints_sum(g->endpoints, &g->n_ends);
	if (!g->ends || findings_sort(g->findings, &g->found, &g->n_found) < 0)
		return -ENOMEM;
	return read_policy(g);
}

int gather_begin(struct gather *g, const struct gather_config *config, struct err *err)
{
	const struct findings_config findings = {.max = config->findings_max ? config->findings_max
									     : FINDINGS_MAX,
						 .watch = config->watch};
	int rc;

	*g = (struct gather){.config = *config};
	rc = findings_new(&g->findings, &findings, err);
	if (rc < 0)
		return rc;
	if (endpoints_new(&g->endpoints) < 0 || hashset_new(&g->flows) < 0 ||
	    labels_new(&g->labels) < 0 || log_sums_new(&g->logs) < 0 ||
	    table_new(&g->run_places, sizeof(struct run_place), offsetof(struct run_place, index),
		      GATHER_RUNS_MAX) < 0 ||
	    table_new(&g->sensor_places, sizeof(struct sensor_place),
		      offsetof(struct sensor_place, index), GATHER_RUNS_MAX) < 0)
		return err_set(err, -ENOMEM, "no memory to gather");
	return 0;
}

int gather_settle(struct gather *g, struct err *err)
{
	return settle(g) < 0 ? err_set(err, -ENOMEM, "no memory to gather") : 0;
}

int gather_run(struct gather *g, const char *store, const struct gather_config *config,
	       struct err *err)
{
	int rc = gather_begin(g, config, err);

	if (rc == 0)
		rc = replay_run(store, config->sensor, NULL, &gather_ops, g, err);
	/* No more records: room for the findings. */
	hashset_free(g->flows);
	g->flows = NULL;
	if (rc == 0)
		rc = settle(g);
	return rc == -ENOMEM ? err_set(err, rc, "no memory to gather") : rc;
}
