// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof rejects: who knocks where nobody is let in, from Flow Logs alone.
 */
#include "analyst/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyst/flowlogs_input.h"
#include "analyst/query.h"
#include "evidence/rejects.h"
#include "platform/clock.h"
#include "platform/json.h"

struct options {
	char *interface;
	uint64_t min;
	struct flowlogs_input input;
	bool json, help;
};

#define AT(member) offsetof(struct options, member)

static const struct setting table[] = {
	FLOWLOGS_SETTINGS(struct options, input),
	OPTION_TEXT("interface", 0, AT(interface), "ID", "Lines of this interface alone."),
	OPTION_NUMBER("min", AT(min), "PACKETS", "1", 1, UINT32_MAX,
		      "List only addresses that were refused so many packets."),
	OPTION_FLAG("json", AT(json), "One JSON object."),
	OPTION_HELP(AT(help)),
};

struct taker {
	struct rejects *rejects;
	const char *interface;
};

static int take_record(void *ctx, const struct flowlogs_record *record, struct err *err)
{
	struct taker *t = ctx;

	if (t->interface &&
	    (!record->interface.p || strlen(t->interface) != record->interface.len ||
	     memcmp(t->interface, record->interface.p, record->interface.len) != 0))
		return 0;
	return rejects_take(t->rejects, record) < 0
		       ? err_set(err, -ENOMEM, "no memory for addresses")
		       : 0;
}

/* ---- text ---- */

static void print_ports(const struct rejects_remote *r)
{
	for (size_t i = 0; i < r->n_ports; i++)
		printf("%s%u/%u", i ? "," : "", r->ports[i].protocol, r->ports[i].port);
	if (r->more_ports)
		fputs(",...", stdout);
}

static void print_notes(const struct rejects_totals *totals, const struct flowlogs_counts *counts)
{
	if (totals->lines == 0 && totals->accepted > 0)
		puts("note: no REJECT line at all: is the flow log's traffic type ALL?");
	if (totals->unusable > 0)
		printf("note: %" PRIu64
		       " lines say no action or no address: nothing is known of them\n",
		       totals->unusable);
	if (counts->skipdata > 0)
		printf("note: %" PRIu64 " times Flow Logs left lines out themselves (SKIPDATA)\n",
		       counts->skipdata);
	if (totals->left_out > 0)
		printf("note: for %" PRIu64
		       " refused lines there was no room: their addresses are not below; read one "
		       "interface (--interface) or a part of the files\n",
		       totals->left_out);
}

static void print_text(const struct rejects *rejects, size_t n, const struct rejects_totals *totals,
		       const struct flowlogs_counts *counts)
{
	char text[ADDR_TEXT], from[CLOCK_TEXT], to[CLOCK_TEXT];

	fputs("Flow Logs: ", stdout);
	flowlogs_input_text(counts, stdout);
	printf("\nrefused: %" PRIu64 " lines, %" PRIu64 " packets, %" PRIu64
	       " bytes; let through: %" PRIu64 " lines\n",
	       totals->lines, totals->packets, totals->bytes, totals->accepted);
	print_notes(totals, counts);
	if (n > 0)
		printf("\n%-9s %-39s %10s %-10s %-20s %-20s %s\n", "direction", "remote", "packets",
		       "pattern", "first", "last", "protocol/port");
	for (size_t i = 0; i < n && !ferror(stdout); i++) {
		const struct rejects_remote one = rejects_at(rejects, i), *r = &one;

		printf("%-9s %-39s %10" PRIu64 " %-10s %-20s %-20s ",
		       flowrec_direction_text((enum flowrec_direction)r->direction),
		       addr_text(text, r->family, &r->remote), r->packets, rejects_pattern(r),
		       r->end ? clock_text(from, r->start) : "-",
		       r->end ? clock_text(to, r->end) : "-");
		print_ports(r);
		fputc('\n', stdout);
	}
}

/* ---- JSON ---- */

static void json_remote(const struct rejects_remote *r)
{
	char text[ADDR_TEXT];

	fputs("{\"interface-id\":", stdout);
	json_print_string(stdout, r->interface);
	printf(",\"remote\":\"%s\"", addr_text(text, r->family, &r->remote));
	printf(",\"local\":\"%s\",\"flow-direction\":", addr_text(text, r->family, &r->local));
	if (r->direction == FLOWREC_DIRECTION_UNKNOWN)
		fputs("null", stdout);
	else
		printf("\"%s\"", flowrec_direction_text((enum flowrec_direction)r->direction));
	printf(",\"pattern\":\"%s\",\"lines\":%" PRIu64 ",\"packets\":%" PRIu64
	       ",\"bytes\":%" PRIu64,
	       rejects_pattern(r), r->lines, r->packets, r->bytes);
	if (r->end)
		printf(",\"start\":%" PRIu64 ",\"end\":%" PRIu64, r->start, r->end);
	else
		fputs(",\"start\":null,\"end\":null", stdout);
	fputs(",\"ports\":[", stdout);
	for (size_t i = 0; i < r->n_ports; i++)
		printf("%s{\"protocol\":%u,\"dstport\":%u,\"packets\":%" PRIu64 "}", i ? "," : "",
		       r->ports[i].protocol, r->ports[i].port, r->ports[i].packets);
	printf("],\"more_ports\":%s,\"hours\":[", r->more_ports ? "true" : "false");
	for (size_t i = 0; i < REJECTS_HOURS; i++)
		printf("%s%u", i ? "," : "", r->hours[i]);
	fputs("]}", stdout);
}

static void print_json(const struct rejects *rejects, size_t n, const struct rejects_totals *totals,
		       const struct flowlogs_counts *counts)
{
	fputs("{\"summary\":{\"read\":", stdout);
	flowlogs_input_json(counts, stdout);
	printf(",\"rejected\":{\"lines\":%" PRIu64 ",\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64
	       "},\"accepted_lines\":%" PRIu64 ",\"listed\":%zu,\"left_out\":%" PRIu64
	       ",\"unusable\":%" PRIu64 "},\n\"rejects\":[",
	       totals->lines, totals->packets, totals->bytes, totals->accepted, n, totals->left_out,
	       totals->unusable);
	for (size_t i = 0; i < n && !ferror(stdout); i++) {
		const struct rejects_remote one = rejects_at(rejects, i);

		fputs(i ? ",\n" : "\n", stdout);
		json_remote(&one);
	}
	fputs(n ? "\n]}\n" : "]}\n", stdout);
}

/* ---- the run ---- */

static int run(void *options, struct err *err)
{
	struct options *o = options;
	struct taker taker = {.interface = o->interface};
	struct flowlogs *logs = NULL;
	size_t n;
	int rc;

	if (o->input.n_paths == 0)
		return err_set(err, ERR_USAGE,
			       "--flow-logs is missing: files or folders of Flow Logs");
	if (rejects_new(&taker.rejects) < 0)
		return err_set(err, -ENOMEM, "no memory for addresses");
	o->input.record = take_record;
	o->input.ctx = &taker;
	rc = flowlogs_input_new(&o->input, &logs, err);
	if (rc == 0)
		rc = flowlogs_input_read(&o->input, logs, err);
	if (rc == 0 && rejects_list(taker.rejects, o->min, &n) < 0)
		rc = err_set(err, -ENOMEM, "no memory for a list");
	if (rc == 0)
		(o->json ? print_json : print_text)(taker.rejects, n, rejects_totals(taker.rejects),
						    flowlogs_counts(logs));
	flowlogs_free(logs);
	rejects_free(taker.rejects);
	return rc == 0 && o->input.failed ? 3 : rc;
}

static const struct command command = {
	.name = "rejects",
	.usage = "usage: flowproof rejects --flow-logs PATH... [options]\n\n"
		 "Lists what security groups and network ACLs refused, from Flow Logs alone: what "
		 "this side sent first,\nthen who knocked how often, at which ports and when.\n\n",
	COMMAND_OPTIONS(struct options, help, table),
	.flow_logs = offsetof(struct options, input),
	.run = run,
};

int rejects_main(int argc, char **argv)
{
	return command_main(&command, argc, argv);
}
