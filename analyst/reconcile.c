// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof reconcile: the ledger, or a file of records, beside Flow Logs or another ledger.
 */
#include "analyst/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyst/flowlogs_input.h"
#include "analyst/query.h"
#include "analyst/reconcile_feed.h"
#include "analyst/reconcile_print.h"
#include "platform/clock.h"

struct options {
	char *store, *sensor, *records, *span, *interface, *tolerance, *against, *folder;
	uint64_t memory;
	struct flowlogs_input input;
	struct setting_list subnets;
	bool json, help;
};

#define AT(member) offsetof(struct options, member)

static const struct setting table[] = {
	OPTION_TEXT("store", 'd', AT(store), "DIR", "The collector's store."),
	OPTION_TEXT("sensor", 0, AT(sensor), "ID", "Only this sensor of it."),
	OPTION_TEXT("records", 0, AT(records), "FILE",
		    "Instead of a store: records as text, from `flowproof-sensor -r` or `flowproof "
		    "records`; - for standard input."),
	FLOWLOGS_SETTINGS(struct options, input),
	OPTION_TEXT("against", 0, AT(against), "DIR",
		    "Instead of Flow Logs: the store of another sensor, such as the appliance's."),
	OPTION_TEXT("interface", 0, AT(interface), "ID",
		    "Compare this interface alone; records that name none are of it."),
	OPTION_TEXT("span", 0, AT(span), "FROM,TO",
		    "The time that was watched: Unix seconds or 2026-01-31T12:34Z. Inside nothing "
		    "is cut, outside is the edge."),
	OPTION_LIST("subnet", AT(subnets), "CIDR",
		    "A range of the VPC or its subnets: tells the resolver (base + 2) and the "
		    "router (base + 1)."),
	OPTION_PRESET("tolerance", AT(tolerance), "PERCENT", "0",
		      "Packets that may differ without explanation before the exit status is 1."),
	OPTION_NUMBER("memory", AT(memory), "MIB", "512", 16, 1048576,
		      "Memory for lines; what exceeds it goes to files in $TMPDIR."),
	OPTION_FLAG("json", AT(json), "One JSON object."),
	OPTION_HELP(AT(help)),
};

/* ---- options ---- */

static int read_span(struct reconcile_config *config, const char *text, struct err *err)
{
	uint64_t from, to;
	int rc = query_read_span(text, &from, &to, err);

	if (rc < 0)
		return rc;
	config->has_span = true;
	config->from = (int64_t)from;
	config->to = (int64_t)to;
	return 0;
}

static int read_tolerance(const char *text, double *ret, struct err *err)
{
	char *end;

	*ret = strtod(text, &end);
	if (end == text || *end || !(*ret >= 0 && *ret <= 100))
		return err_set(err, ERR_USAGE, "--tolerance: '%s' is not a number from 0 to 100",
			       text);
	return 0;
}

static int make_config(struct reconcile_config *config, const struct options *o, struct err *err)
{
	struct err why;
	int rc = 0;

	config->memory = o->memory << 20;
	config->interface = o->interface;
	config->is_against = o->against != NULL;
	if (o->span)
		rc = read_span(config, o->span, err);
	if (rc == 0 && o->subnets.n > RECONCILE_SUBNETS_MAX)
		rc = err_set(err, ERR_USAGE, "--subnet: at most %d", RECONCILE_SUBNETS_MAX);
	for (size_t i = 0; rc == 0 && i < o->subnets.n; i++) {
		if (cidr_parse(o->subnets.v[i], &config->subnets[config->n_subnets++], &why) < 0)
			rc = err_set(err, ERR_USAGE, "--subnet: %s", why.text);
	}
	return rc;
}

static int check_options(const struct options *o, struct err *err)
{
	if (!o->store == !o->records)
		return err_set(err, ERR_USAGE,
			       "give one of --store (what the collector wrote) and --records (a "
			       "file of records)");
	if (!o->against == (o->input.n_paths == 0))
		return err_set(
			err, ERR_USAGE,
			"give one of --flow-logs (files or folders) and --against (another store)");
	if (o->records && o->sensor)
		return err_set(err, ERR_USAGE, "--sensor has no meaning with --records");
	return 0;
}

/* ---- a run ---- */

struct run {
	struct reconcile *rec;
	struct progress progress;
	uint64_t damages;
};

static void tell_progress(void *ctx, unsigned done, unsigned all)
{
	struct run *run = ctx;

	if (progress_is_due(&run->progress))
		fprintf(stderr, "flowproof reconcile: compared %u of %u parts\n", done, all);
}

static int take_host(void *ctx, const struct flowlogs_record *record, struct err *err)
{
	char name[RECONCILE_NAME_MAX] = "";
	struct run *run = ctx;
	int iface;

	if (record->interface.p)
		memcpy(name, record->interface.p,
		       record->interface.len < sizeof name ? record->interface.len
							   : sizeof name - 1);
	iface = reconcile_host_interface(run->rec, name, err);
	return iface < 0 ? iface : reconcile_host(run->rec, iface, record, err);
}

static int take_witness(void *ctx, const struct flowlogs_record *record, struct err *err)
{
	struct run *run = ctx;

	return reconcile_witness(run->rec, record, err);
}

/* A file of records is read as Flow Logs are. */
static int read_records(struct run *run, const char *path, struct err *err)
{
	struct flowlogs_input input = {
		.name = "reconcile", .paths = &path, .n_paths = 1, .record = take_host, .ctx = run};
	struct flowlogs *logs = NULL;
	int rc = flowlogs_input_new(&input, &logs, err);

	if (rc == 0)
		rc = flowlogs_input_read(&input, logs, err);
	if (rc == 0 && input.failed)
		rc = err_set(err, ERR_USAGE, "--records: %s is no file of records", path);
	flowlogs_free(logs);
	return rc;
}

static int read_witness(struct run *run, struct options *o, struct flowlogs *logs, struct err *err)
{
	int rc;

	if (o->against)
		return reconcile_feed_witness(run->rec, o->against, &run->progress, &run->damages,
					      err);
	rc = flowlogs_input_read(&o->input, logs, err);
	for (size_t i = 0; i < flowlogs_n_logs(logs); i++)
		reconcile_witness_log(run->rec, (uint16_t)i, flowlogs_log(logs, (uint16_t)i));
	return rc;
}

/* Agreement about nothing must not pass for agreement. */
static const char *nothing_compared(const struct reconcile_result *r)
{
	bool any = false;

	for (size_t i = 0; i < r->n_interfaces; i++)
		any = any || (r->interfaces[i].is_ours && (r->interfaces[i].witness.n > 0 ||
							   r->interfaces[i].witness_rows > 0));
	if (!any)
		return "no line of the second witness is of this machine's interface";
	if (!r->span_given && r->from > r->to && r->untimed == 0)
		return "the two have no time in common; --span says which was watched";
	return NULL;
}

static int print(const struct options *o, const struct reconcile_view *view)
{
	struct reconcile_sum red = reconcile_sum_of(view->result, RECONCILE_RED);
	const char *nothing = nothing_compared(view->result);

	if (o->json)
		reconcile_print_json(view, stdout);
	else
		reconcile_print_text(view, stdout);
	if (red.flows > 0 || reconcile_unexplained(view->result) > view->tolerance)
		return 1;
	if (nothing)
		fprintf(stderr, "flowproof reconcile: nothing was compared: %s\n", nothing);
	return view->failed || nothing ? 3 : 0;
}

static int run(void *options, struct err *err)
{
	struct options *o = options;
	struct run run = {.progress = {.name = "reconcile"}};
	struct reconcile_config config = {.progress = tell_progress, .ctx = &run};
	struct reconcile_view view = {.failed = 0};
	struct flowlogs *logs = NULL;
	int rc = check_options(o, err);

	if (rc == 0)
		rc = make_config(&config, o, err);
	if (rc == 0)
		rc = read_tolerance(o->tolerance, &view.tolerance, err);
	if (rc == 0 && reconcile_new(&run.rec, &config) < 0)
		rc = err_set(err, -ENOMEM, "no memory to compare");
	o->input.record = take_witness;
	o->input.ctx = &run;
	if (rc == 0)
		rc = flowlogs_input_new(&o->input, &logs, err);
	if (rc == 0)
		rc = o->records ? read_records(&run, o->records, err)
				: reconcile_feed_host(run.rec, o->store, o->sensor, false,
						      &run.progress, &run.damages, err);
	if (rc == 0)
		rc = read_witness(&run, o, logs, err);
	if (rc == 0)
		rc = reconcile_run(run.rec, &view.result, err);
	if (rc == 0) {
		view.failed = run.damages + o->input.failed;
		view.counts = o->against ? NULL : flowlogs_counts(logs);
		rc = print(o, &view);
	}
	flowlogs_free(logs);
	reconcile_free(run.rec);
	return rc;
}

static const struct command command = {
	.name = "reconcile",
	.usage = "usage: flowproof reconcile -d STORE|--records FILE --flow-logs PATH...|--against "
		 "STORE [options]\n\n"
		 "Compares what this machine recorded with what AWS's Flow Logs say of the same "
		 "interface, or with the\nrecords of another sensor. Exit status 1 if anything was "
		 "hidden from this machine, or differs without\nexplanation.\n\n",
	COMMAND_OPTIONS(struct options, help, table),
	.flow_logs = offsetof(struct options, input),
	.run = run,
};

int reconcile_main(int argc, char **argv)
{
	return command_main(&command, argc, argv);
}
