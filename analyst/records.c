// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof records.
 */
#include "analyst/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyst/dns.h"
#include "analyst/endpoints.h"
#include "analyst/events.h"
#include "analyst/query.h"
#include "analyst/summary.h"
#include "evidence/unlogged.h"
#include "proto/flowrec.h"

struct options {
	struct query query;
	char *fields;
	bool no_header, summary, endpoints, events, dns, complement;
};

#define AT(member) offsetof(struct options, member)

static const struct setting table[] = {
	QUERY_SETTINGS(struct options, query),
	OPTION_TEXT("fields", 'F', AT(fields), "\"NAME NAME ...\"",
		    "The fields to print, in order. Default: the 14 of version 2."),
	OPTION_FLAG("no-header", AT(no_header), "Leave out the line of field names."),
	OPTION_FLAG(
		"endpoints", AT(endpoints),
		"Instead of records print each remote endpoint, as the sensors' digests tell it."),
	OPTION_FLAG(
		"summary", AT(summary),
		"Instead of records print what there is of each sensor, with the packet equation."),
	OPTION_FLAG("events", AT(events),
		    "Instead of records print what happened to the sensors: clock steps, "
		    "connections, a full spool, batches that do not come."),
	OPTION_FLAG("dns", AT(dns),
		    "Instead of records print DNS queries and their answers, as a Route 53 "
		    "Resolver query log has them (JSON)."),
	OPTION_FLAG("complement", AT(complement),
		    "Only records of traffic that Flow Logs never record: DNS to the VPC's "
		    "resolver, metadata, time sync, DHCP, link-local."),
};

struct printer {
	const struct query *query;
	bool complement;
	struct flowrec_format format;
	bool has_header; /* it was printed, or is not wanted */
	char line[FLOWREC_JSON_MAX];
};

_Static_assert((int)FLOWREC_JSON_MAX >= (int)FLOWREC_LINE_MAX, "one buffer serves both");

/* Not before the store was opened. */
static void print_header(struct printer *p)
{
	size_t n;

	if (p->has_header)
		return;
	p->has_header = true;
	n = flowrec_print_header(p->line, &p->format);
	(void)fwrite(p->line, 1, n, stdout);
}

static int print_record(struct printer *p, const struct ledger_entry *entry,
			const struct wire_hello *hello, const struct flowrec *rec)
{
	struct flowrec_identity unknown = {.sensor = entry->sensor};
	const struct flowrec_identity *identity = hello && rec->iface < WIRE_INTERFACES_MAX
							  ? &hello->interfaces[rec->iface]
							  : &unknown;
	size_t n;

	if (!query_wants(p->query, rec->start, rec->end) ||
	    (p->complement && !unlogged_record(rec)))
		return 0;
	n = p->query->json ? flowrec_print_json(p->line, &p->format, rec, identity)
			   : flowrec_print(p->line, &p->format, rec, identity);
	return fwrite(p->line, 1, n, stdout) == n ? 0 : QUERY_OUTPUT_BROKEN;
}

static int print_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		       struct batch *batch)
{
	struct flowrec rec;
	int rc = 0;

	print_header(ctx);
	while (rc == 0 && batch_next(batch, &rec))
		rc = print_record(ctx, entry, hello, &rec);
	return rc;
}

static int print_gap(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		     const struct batch_gap *gap)
{
	size_t n = hello ? hello->n_interfaces : 1;
	struct flowrec rec;
	int rc = 0;

	print_header(ctx);
	if (!replay_gap_record(hello, gap, &rec))
		return 0;
	for (; rc == 0 && rec.iface < n; rec.iface++)
		rc = print_record(ctx, entry, hello, &rec);
	return rc;
}

static int print_records(struct options *o, struct err *err)
{
	static const struct replay_ops ops = {.batch = print_batch, .gap = print_gap};
	struct printer *p = calloc(1, sizeof *p);
	int rc = 0;

	if (!p)
		return err_set(err, -ENOMEM, "no memory to print records");
	p->query = &o->query;
	p->complement = o->complement;
	flowrec_format_default(&p->format);
	if (o->fields)
		rc = flowrec_format_parse(&p->format, o->fields, err);
	p->has_header = o->query.json || o->no_header;
	o->query.by_time = true;
	if (rc == 0)
		rc = query_run(&o->query, &ops, p, err);
	if (rc == 0)
		print_header(p);
	free(p);
	return rc;
}

static int run(void *options, struct err *err)
{
	struct options *o = options;
	int rc = query_prepare(&o->query, err);

	if (rc < 0)
		return rc;
	if (o->fields && (o->summary || o->endpoints || o->events || o->dns))
		return err_set(
			err, ERR_USAGE,
			"--fields has no meaning with --summary, --endpoints, --events and --dns");
	if (o->summary + o->endpoints + o->events + o->dns + o->complement > 1)
		return err_set(err, ERR_USAGE,
			       "--summary, --endpoints, --events, --dns and --complement exclude "
			       "each other: give one");
	return o->summary     ? summary_print(&o->query, err)
	       : o->endpoints ? endpoints_print(&o->query, err)
	       : o->events    ? events_print(&o->query, err)
	       : o->dns       ? dns_print(&o->query, err)
			      : print_records(o, err);
}

static void help_more(FILE *out)
{
	fputc('\n', out);
	flowrec_help(out);
}

static const struct command command = {
	.name = "records",
	.usage = "usage: flowproof records -d STORE [options]\n\n"
		 "Prints the records of the ledger, sensor after sensor, each in the order they "
		 "came.\n\n",
	COMMAND_OPTIONS(struct options, query.help, table),
	.help_more = help_more,
	.has_query = true,
	.run = run,
};

int records_main(int argc, char **argv)
{
	return command_main(&command, argc, argv);
}
