// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof findings.
 */
#include "analyst/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyst/losses.h"
#include "analyst/query.h"
#include "evidence/findings.h"
#include "evidence/limits.h"
#include "evidence/watch.h"

struct options {
	struct query query;
	struct losses_list losses; /* not a setting: its home is as large as this */
	struct setting_list watch, suspects;
	bool ocsf, asff, limits;
};

#define AT(member) offsetof(struct options, member)

static const struct setting table[] = {
	OPTION_LIST("watch", AT(watch), "FILE",
		    "Addresses, networks and names to report, one a line. Repeatable."),
	OPTION_LIST("suspects", AT(suspects), "ALB_LOG",
		    "Report the clients of this ALB access log, gzip or not, as --watch does. "
		    "Repeatable."),
	OPTION_FLAG("ocsf", AT(ocsf), "OCSF Detection Findings, one a line."),
	OPTION_FLAG("asff", AT(asff), "AWS Security Finding Format, one a line."),
	{.name = "limits",
	 .kind = SETTING_ACTION,
	 .offset = offsetof(struct options, limits),
	 .help = "Print what each detector needs and what it cannot see; reads no store."},
	QUERY_SETTINGS(struct options, query),
};

struct gathering {
	const struct query *query;
	struct findings *findings;
	struct losses_list *losses;
	bool is_full; /* a sensor's table of endpoints was */
};

static const char *interface_of(const struct wire_hello *hello, uint16_t iface)
{
	const char *name = NULL;

	if (hello && iface < hello->n_interfaces)
		name = hello->interfaces[iface].interface;
	return name ? name : "";
}

static int gather_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
			struct batch *batch)
{
	struct gathering *g = ctx;
	const struct findings_from from = {.sensor = entry->sensor,
					   .stream = entry->stream,
					   .hello = hello,
					   .sequence = entry->sequence};
	const struct batch_account *accounts;
	struct flowrec rec;
	int rc = 0;
	size_t n;

	g->is_full = g->is_full || batch_head(batch)->tables[BATCH_ENDPOINTS_LEFT_OUT] > 0;
	while (rc == 0 && batch_next(batch, &rec)) {
		if (!query_wants(g->query, rec.start, rec.end))
			continue;
		losses_list_record(g->losses, entry->sensor, entry->stream,
				   interface_of(hello, rec.iface), &rec);
		rc = findings_add_record(g->findings, &from, &rec);
	}
	if (rc == 0)
		rc = findings_add_rest(g->findings, &from, batch, g->query->from_s, g->query->to_s);
	accounts = batch_account_list(batch, &n);
	for (size_t i = 0; i < n; i++) {
		if (query_wants(g->query, accounts[i].window, accounts[i].window))
			losses_list_account(g->losses, entry->sensor, entry->stream,
					    interface_of(hello, accounts[i].iface), &accounts[i]);
	}
	return rc;
}

/* NULL: text. */
static finding_printer *printer_of(const struct options *o)
{
	return o->query.json ? finding_print_json
	       : o->ocsf     ? finding_print_ocsf
	       : o->asff     ? finding_print_asff
			     : NULL;
}

/* Sweeps and scans of this machine; of more than there is room for the parts are printed. */
enum { GROUPS_MAX = 256 };
struct groups {
	const struct finding_key *keys[GROUPS_MAX];
	size_t n;
};

static void find_groups(struct groups *groups, const struct finding *const *all, size_t n)
{
	groups->n = 0;
	for (size_t i = 0; i < n && groups->n < GROUPS_MAX; i++) {
		const struct finding_key *key = &all[i]->key;

		if ((key->kind == FINDING_SWEEP || key->kind == FINDING_SCAN) &&
		    key->direction == FLOWREC_EGRESS)
			groups->keys[groups->n++] = key;
	}
}

/* One of many doors that were knocked on, told by a sweep or scan already. */
static bool is_part(const struct groups *groups, const struct finding *finding)
{
	const struct finding_key *key = &finding->key;

	if (key->kind != FINDING_UNEXPECTED_EGRESS || finding->reached == FINDING_DATA_OUT)
		return false;
	for (size_t i = 0; i < groups->n; i++) {
		const struct finding_key *group = groups->keys[i];

		if (group->owner != key->owner || group->protocol != key->protocol ||
		    group->family != key->family)
			continue;
		if (group->kind == FINDING_SWEEP
			    ? group->port == key->port
			    : memcmp(&group->remote, &key->remote, sizeof key->remote) == 0)
			return true;
	}
	return false;
}

static int print_all(struct findings *findings, finding_printer *printer)
{
	const struct finding *const *all;
	struct findings_stats stats;
	struct groups groups;
	size_t n, parts = 0;
	int rc = findings_sort(findings, &all, &n);

	if (rc < 0)
		return rc;
	find_groups(&groups, all, n);
	if (!printer && n == 0)
		(void)fputs("no findings in what the ledger holds; whether that is all, flowproof "
			    "report says\n",
			    stdout);
	if (!printer && n > 0)
		finding_print_header(stdout);
	for (size_t i = 0; i < n && !ferror(stdout); i++) {
		struct finding_origin origin;

		if (!printer && is_part(&groups, all[i])) {
			parts++;
			continue;
		}
		findings_origin(findings, all[i], &origin);
		(printer ? printer : finding_print)(all[i], &origin, stdout);
	}
	if (parts > 0)
		printf("and %zu unexpected_egress that the sweeps and scans above consist of; "
		       "--json lists them\n",
		       parts);
	findings_stats(findings, &stats);
	if (stats.peers_left_out > 0 || stats.findings_left_out > 0)
		fprintf(stderr,
			"flowproof findings: more than %d endpoints or findings: %" PRIu64
			" records, alerts and digests, %" PRIu64
			" findings are left out; --from and --to make parts of it\n",
			FINDINGS_MAX, stats.peers_left_out, stats.findings_left_out);
	if (stats.state_left_out > 0)
		fprintf(stderr,
			"flowproof findings: the detectors had no room for %" PRIu64
			" things to count: scans and tunnels may be missing\n",
			stats.state_left_out);
	return 0;
}

static int read_watch(struct watch_list **ret, const struct options *o, struct err *err)
{
	int rc = watch_new(ret);

	if (rc < 0)
		return err_set(err, rc, "no memory for the watch list");
	for (size_t i = 0; rc == 0 && i < o->watch.n; i++)
		rc = watch_add_file(*ret, o->watch.v[i], err);
	if (rc < 0)
		return err_set(err, rc, "--watch: %s", err->text);
	for (size_t i = 0; rc == 0 && i < o->suspects.n; i++) {
		size_t before = watch_count(*ret);
		uint64_t masked;

		rc = watch_add_alb(*ret, o->suspects.v[i], &masked, err);
		if (rc == 0)
			fprintf(stderr,
				"flowproof findings: %s: %zu clients; %" PRIu64
				" lines whose client is no address\n",
				o->suspects.v[i], watch_count(*ret) - before, masked);
	}
	return rc;
}

static int list(struct options *o, struct err *err)
{
	static const struct replay_ops ops = {.batch = gather_batch};
	struct gathering g = {.query = &o->query, .losses = &o->losses};
	struct watch_list *watch = NULL;
	struct findings_config config = {.max = FINDINGS_MAX};
	int rc = read_watch(&watch, o, err);

	config.watch = watch;
	if (rc == 0)
		rc = findings_new(&g.findings, &config, err);
	o->query.by_time = true;
	if (rc == 0)
		rc = query_run(&o->query, &ops, &g, err);
	if (rc == 0)
		rc = print_all(g.findings, printer_of(o));
	if (rc == 0 && g.is_full)
		fputs("flowproof findings: a sensor met more endpoints than it can keep: that "
		      "nothing else was spoken to cannot be concluded; records --summary tells "
		      "which\n",
		      stderr);
	if (rc == 0)
		losses_list_print(&o->losses, stderr);
	findings_free(g.findings);
	watch_free(watch);
	return rc;
}

static void print_memory(void)
{
	static const struct findings_config analyst = {.max = FINDINGS_MAX},
					    live = {.max = FINDINGS_MAX_LIVE};

	printf("memory\n    at most    %zu MiB here, for %d endpoints; %zu MiB in a collector, for "
	       "%d; what finds no room is counted and said\n",
	       findings_memory(&analyst) >> 20, FINDINGS_MAX, findings_memory(&live) >> 20,
	       FINDINGS_MAX_LIVE);
}

static int run(void *options, struct err *err)
{
	struct options *o = options;
	int rc;

	if (o->limits) {
		limits_print(stdout, o->query.json);
		if (!o->query.json)
			print_memory();
		return 0;
	}
	if (o->query.json + o->ocsf + o->asff > 1)
		return err_set(err, ERR_USAGE,
			       "--json, --ocsf and --asff exclude each other; give one");
	rc = query_prepare(&o->query, err);
	return rc == 0 ? list(o, err) : rc;
}

static const struct command command = {
	.name = "findings",
	.usage = "usage: flowproof findings -d STORE [options]\n\n"
		 "Lists the traffic that no rule of the policy expects: each remote endpoint "
		 "once.\n\n",
	COMMAND_OPTIONS(struct options, query.help, table),
	.has_query = true,
	.run = run,
};

int findings_main(int argc, char **argv)
{
	return command_main(&command, argc, argv);
}
