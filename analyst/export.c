// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof export: the ledger's records as Flow Logs files (evidence/slots.h), of any time, at once. What is made again is the
 * same, file by file.
 */
#include "analyst/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyst/query.h"
#include "evidence/range.h"
#include "evidence/slots.h"
#include "platform/file.h"

struct options {
	struct query query;
	char *out, *format, *layout, *fields, *prefix, *flow_log;
};

#define AT(member) offsetof(struct options, member)

static const struct setting table[] = {
	QUERY_SETTINGS(struct options, query),
	OPTION_TEXT("out", 'o', AT(out), "DIR",
		    "Where the files go. Made if it is missing; what is there already stays."),
	OPTION_PRESET("format", AT(format), "FORMAT", "text",
		      "text (gzip), parquet, or ocsf (Network Activity, JSON lines, gzip)."),
	OPTION_PRESET("layout", AT(layout), "LAYOUT", "default",
		      "Of the folders: default, hourly, hive or hive-hourly."),
	OPTION_TEXT("fields", 'F', AT(fields), "FIELDS",
		    "Names of fields in order, separated by blanks. Default: the 14 of version 2."),
	OPTION_TEXT("prefix", 0, AT(prefix), "PREFIX", "What stands before AWSLogs/."),
	OPTION_TEXT("flow-log-id", 0, AT(flow_log), "ID",
		    "The flow log that the names tell, as fl-1234abcd. Default: made of the "
		    "store's own number."),
};

struct export
{
	struct options *o;
	struct slots *slots;
	uint64_t files, records, bytes;
};

static bool wants(void *ctx, const struct ledger_entry *entry, uint64_t start_s, uint64_t end_s,
		  uint64_t at_s)
{
	const struct export *x = ctx;

	(void)entry, (void)at_s;
	return query_wants(&x->o->query, start_s, end_s);
}

static int put(void *ctx, const struct object *object, struct err *err)
{
	struct export *x = ctx;
	int rc = object_to_folder(x->o->out, object, err);

	if (rc < 0)
		return rc;
	x->files++;
	x->records += object->records;
	x->bytes += object->len;
	return 0;
}

static int take_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		      struct batch *batch)
{
	const struct export *x = ctx;

	return slots_batch(x->slots, entry, hello, batch);
}

static int take_gap(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		    const struct batch_gap *gap)
{
	const struct export *x = ctx;

	return slots_gap(x->slots, entry, hello, gap);
}

/* "fl-" and 8 or 17 hex digits. */
static int read_flow_log(char out[static SLOTS_FLOW_LOG_ID], const char *given, struct err *err)
{
	size_t digits = strncmp(given, "fl-", 3) == 0 ? strspn(given + 3, "0123456789abcdef") : 0;

	if ((digits != 8 && digits != 17) || given[3 + digits] != '\0')
		return err_set(err, ERR_USAGE,
			       "--flow-log-id %s: it is fl- and 8 or 17 hexadecimal digits", given);
	memcpy(out, given, digits + 4);
	return 0;
}

static int prepare(struct export *x, struct slots_config *config, struct err *err)
{
	const struct options *o = x->o;
	uint8_t store[LEDGER_STORE_ID];
	int rc = o->out ? 0 : err_set(err, ERR_USAGE, "--out is missing: where the files go");

	if (rc == 0 && file_is_below(o->out, o->query.store))
		rc = err_set(err, ERR_USAGE,
			     "--out must lie outside the store: everything below it is evidence");
	config->wants = wants;
	config->put = put;
	config->ctx = x;
	if (rc == 0)
		rc = slots_options(config, "", o->format, o->layout, o->fields, o->prefix, err);
	if (rc == 0 && o->flow_log)
		rc = read_flow_log(config->flow_log, o->flow_log, err);
	if (rc == 0)
		rc = range_store(store, o->query.store, err);
	if (rc == 0 && !o->flow_log)
		slots_flow_log_id(config->flow_log, store);
	if (rc == 0)
		rc = slots_new(&x->slots, config, err);
	return rc == 0 ? file_make_dir(o->out, err) : rc;
}

static int run(void *options, struct err *err)
{
	static const struct replay_ops ops = {.batch = take_batch, .gap = take_gap};
	struct options *o = options;
	struct export x = {.o = o};
	struct slots_config config = {.roll = 0};
	int rc = query_prepare(&o->query, err), ends;

	if (rc == 0)
		rc = prepare(&x, &config, err);
	if (rc < 0)
		goto out;
	o->query.by_time = true;
	rc = query_run(&o->query, &ops, &x, err);
	/* A damaged ledger ends nothing: what can be read is written. */
	ends = rc == 0 ? slots_finish(x.slots) : rc;
	if (ends < 0 && *slots_error(x.slots))
		rc = err_set(err, ends, "%s", slots_error(x.slots));
	else if (ends < 0)
		rc = ends;
	if (rc == 0 && o->query.json)
		printf("{\"files\":%" PRIu64 ",\"records\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n",
		       x.files, x.records, x.bytes);
	else if (rc == 0)
		printf("%" PRIu64 " files with %" PRIu64 " records and lines, %" PRIu64
		       " bytes, below %s\n",
		       x.files, x.records, x.bytes, o->out);
out:
	slots_free(x.slots);
	return rc;
}

static const struct command command = {
	.name = "export",
	.usage = "usage: flowproof export -d STORE --out DIR [options]\n\n"
		 "Writes the records of the ledger as VPC Flow Logs files, named and laid out as "
		 "AWS does in S3,\nwith what Flow Logs never record and the DNS log beside "
		 "them.\n\n",
	COMMAND_OPTIONS(struct options, query.help, table),
	.has_query = true,
	.run = run,
};

int export_main(int argc, char **argv)
{
	return command_main(&command, argc, argv);
}
