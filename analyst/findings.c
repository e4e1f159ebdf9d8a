// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof findings.
 */
#include "analyst/findings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "analyst/losses.h"
#include "analyst/query.h"
#include "evidence/findings.h"
#include "platform/clock.h"

struct options {
	struct query query;
	struct losses_list losses; /* not a setting: its home is as large as this */
};

static const struct setting table[] = {
	QUERY_SETTINGS(struct options, query),
};

enum { SETTINGS = sizeof table / sizeof table[0] };

struct gathering {
	const struct query *query;
	struct findings *findings;
	struct losses_list *losses;
	bool is_full; /* a sensor's table of endpoints was */
};

static struct findings_source source_of(const struct ledger_entry *entry,
					const struct wire_hello *hello, uint16_t iface)
{
	struct findings_source source = {.sensor = entry->sensor, .interface = ""};

	if (hello)
		source.is_replay = hello->is_replay;
	if (hello && iface < hello->n_interfaces && hello->interfaces[iface].interface)
		source.interface = hello->interfaces[iface].interface;
	return source;
}

static int gather_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
			struct batch *batch)
{
	struct gathering *g = ctx;
	const struct batch_alert *alerts;
	const struct batch_account *accounts;
	struct findings_source source;
	struct flowrec rec;
	int rc = 0;
	size_t n;

	g->is_full = g->is_full || batch_head(batch)->endpoints_left_out > 0;
	while (rc == 0 && batch_next(batch, &rec)) {
		if (!query_wants(g->query, rec.start, rec.end))
			continue;
		source = source_of(entry, hello, rec.iface);
		losses_list_record(g->losses, entry->sensor, entry->stream, source.interface, &rec);
		if (rec.verdict < FLOWREC_UNEXPECTED_EGRESS)
			continue;
		rc = findings_add_record(g->findings, &source, &rec);
	}
	alerts = batch_alert_list(batch, &n);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		uint64_t time = alerts[i].time_ns / NS_PER_S;

		if (!query_wants(g->query, time, time))
			continue;
		source = source_of(entry, hello, alerts[i].iface);
		rc = findings_add_alert(g->findings, &source, &alerts[i]);
	}
	accounts = batch_account_list(batch, &n);
	for (size_t i = 0; i < n; i++) {
		if (!query_wants(g->query, accounts[i].window, accounts[i].window))
			continue;
		source = source_of(entry, hello, accounts[i].iface);
		losses_list_account(g->losses, entry->sensor, entry->stream, source.interface,
				    &accounts[i]);
	}
	return rc;
}

static void print_all(struct findings *findings, bool json)
{
	const struct finding *all;
	size_t n;

	all = findings_sort(findings, &n);
	if (!json && n == 0)
		(void)fputs("no unexpected traffic in the ledger\n", stdout);
	if (!json && n > 0)
		findings_print_header(stdout);
	for (size_t i = 0; i < n && !ferror(stdout); i++) {
		if (json)
			findings_print_json(findings, &all[i], stdout);
		else
			findings_print(findings, &all[i], stdout);
	}
	if (findings_left_out(findings) > 0)
		fprintf(stderr,
			"flowproof findings: %" PRIu64
			" records and alerts of further endpoints are left "
			"out: there are more than %d\n",
			findings_left_out(findings), FINDINGS_MAX);
}

static int run(struct options *o, struct err *err)
{
	static const struct replay_ops ops = {.batch = gather_batch};
	struct gathering g = {.query = &o->query, .losses = &o->losses};
	int rc;

	if (findings_new(&g.findings) < 0)
		return err_set(err, -ENOMEM, "no memory for findings");
	o->query.by_time = true;
	rc = query_run(&o->query, &ops, &g, err);
	if (rc == 0)
		print_all(g.findings, o->query.json);
	if (rc == 0 && g.is_full)
		fputs("flowproof findings: a sensor met more endpoints than it can keep: that "
		      "nothing else "
		      "was spoken to cannot be concluded; records --summary tells which\n",
		      stderr);
	if (rc == 0)
		losses_list_print(&o->losses, stderr);
	findings_free(g.findings);
	return rc;
}

static void print_help(void)
{
	printf("usage: flowproof findings -d STORE [options]\n\n"
	       "Lists the traffic that no rule of the policy expects: each remote endpoint "
	       "once.\n\n");
	settings_help(table, SETTINGS, stdout);
}

int findings_main(int argc, char **argv)
{
	struct options *o = calloc(1, sizeof *o);
	struct err err = {"no memory"};
	int rest, rc, status;

	if (!o)
		return 3;
	query_output_begin();
	rc = settings_read(table, SETTINGS, o, argc, argv, &rest, &err);
	if (rc == 0 && o->query.help) {
		print_help();
	} else if (rc == 0) {
		rc = query_prepare(&o->query, argc, argv, rest, &err);
		if (rc == 0)
			rc = run(o, &err);
	}
	status = query_end(&o->query, "findings", rc, &err);
	query_fini(&o->query);
	settings_free(table, SETTINGS, o);
	free(o);
	return status;
}
