// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof records --endpoints: the digests of the ledger, added up.
 */
#include "analyst/endpoints.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "evidence/endpoints.h"
#include "evidence/labels.h"
#include "platform/json.h"

struct told {
	struct endpoints *endpoints;
	struct labels *labels;
};

static int add_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		     struct batch *batch)
{
	struct told *told = ctx;
	struct endpoints_source source = {.sensor = entry->sensor, .stream = entry->stream};
	const struct endpoint_digest *list;
	int rc = labels_add(told->labels, batch);
	size_t n;

	list = batch_endpoint_list(batch, &n);
	source.is_replay = hello && hello->is_replay;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		size_t rule = list[i].rule;

		source.rule =
			hello && rule && rule <= hello->n_rules ? hello->rules[rule - 1] : NULL;
		rc = endpoints_add(told->endpoints, &source, &list[i]);
	}
	return rc;
}

/* What its address was called, at most LABELS_NAMES of it. */
static void print_json(const struct endpoint_sum *sum, const struct label *label)
{
	const struct endpoint_digest *d = &sum->digest;
	char remote[ADDR_TEXT];

	printf("{\"sensor\":");
	json_print_string(stdout, sum->sensor);
	printf(",\"mode\":\"%s\",\"direction\":\"%s\",\"remote\":\"%s\",\"port\":%u,\"protocol\":%u"
	       ",\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"packets_out\":%" PRIu64
	       ",\"bytes_out\":%" PRIu64 ",\"packets_in\":%" PRIu64 ",\"bytes_in\":%" PRIu64
	       ",\"flows\":%" PRIu64 ",\"outcome\":\"%s\",\"verdict\":\"%s\",\"rule\":",
	       sum->is_replay ? "replay" : "live",
	       flowrec_direction_text((enum flowrec_direction)d->direction),
	       addr_text(remote, d->family, &d->remote), (unsigned)d->port, (unsigned)d->protocol,
	       d->first, d->last, d->packets_out, d->bytes_out, d->packets_in, d->bytes_in,
	       d->flows, flowrec_outcome_text((enum flowrec_outcome)d->outcome),
	       flowrec_verdict_text((enum flowrec_verdict)d->verdict));
	if (sum->rule)
		json_print_string(stdout, sum->rule);
	else
		printf("null");
	printf(",\"state\":\"%s\",\"names\":[", endpoint_state_text(d));
	for (size_t i = 0; i < label->n; i++) {
		if (i)
			putchar(',');
		json_print_string(stdout, label->names[i]);
	}
	printf("]}\n");
}

static void print_text(const struct endpoint_sum *sum, const struct label *label)
{
	char line[ENDPOINT_LINE_MAX];

	printf("%s %s %s %s", sum->sensor, sum->is_replay ? "replay" : "live",
	       endpoint_line(line, &sum->digest, sum->rule), label->n > 0 ? label->names[0] : "-");
	for (size_t i = 1; i < label->n; i++)
		printf(",%s", label->names[i]);
	putchar('\n');
}

static int print_all(struct told *told, const struct query *query)
{
	struct endpoints *endpoints = told->endpoints;
	const struct endpoint_sum *sums;
	size_t n;

	sums = endpoints_sum(endpoints, &n);
	if (!sums)
		return -ENOMEM;
	if (!query->json)
		printf("sensor mode %s names\n", endpoint_header);
	for (size_t i = 0; i < n && !ferror(stdout); i++) {
		const struct endpoint_digest *digest = &sums[i].digest;
		const struct label label =
			labels_find(told->labels, digest->family, &digest->remote);

		if (!query_wants(query, digest->first, digest->last))
			continue;
		if (query->json)
			print_json(&sums[i], &label);
		else
			print_text(&sums[i], &label);
	}
	if (endpoints_left_out(endpoints) > 0)
		fprintf(stderr,
			"flowproof records: %" PRIu64 " digests are left out: there are more than "
			"%d\n",
			endpoints_left_out(endpoints), ENDPOINTS_MAX);
	return 0;
}

int endpoints_print(struct query *query, struct err *err)
{
	static const struct replay_ops ops = {.batch = add_batch};
	struct told told = {0};
	int rc = endpoints_new(&told.endpoints);

	if (rc == 0)
		rc = labels_new(&told.labels);
	if (rc == 0)
		rc = query_run(query, &ops, &told, err);
	if (rc == 0 && print_all(&told, query) < 0)
		rc = -ENOMEM;
	if (rc == -ENOMEM)
		rc = err_set(err, -ENOMEM, "no memory for endpoints");
	labels_free(told.labels);
	endpoints_free(told.endpoints);
	return rc;
}
