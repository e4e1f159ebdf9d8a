// SPDX-License-Identifier: Apache-2.0
/*
 * Records in CloudWatch Logs, as Flow Logs put them there: a stream an interface, eni-...-all, the line without a header as
 * message, its start as time. What Flow Logs never record goes into a stream of its own beside it, eni-...-complement.
 * Without an interface id the sensor's and the device's names stand for it. Lines of log files: a stream a file, its path
 * behind the sensor's name.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/cloudwatch.h"
#include "collector/deliver.h"
#include "evidence/unlogged.h"
#include "platform/clock.h"

struct kind {
	struct cloudwatch *cloudwatch;
	struct flowrec_format format;
	char line[FLOWREC_LINE_MAX + 8]; /* flowrec_print() may write a little behind */
};

static int add_record(struct kind *k, const struct ledger_entry *entry,
		      const struct wire_hello *hello, const struct flowrec *rec)
{
	const struct flowrec_identity unknown = {.sensor = entry->sensor};
	const struct flowrec_identity *identity = hello && rec->iface < hello->n_interfaces
							  ? &hello->interfaces[rec->iface]
							  : &unknown;
	const char *id = identity->text[FLOWREC_T_INTERFACE_ID];
	bool has_id = id && *id && strcmp(id, "-") != 0;
	const char *what = unlogged_record(rec) ? "complement" : "all";
	char stream[CLOUDWATCH_NAME];
	size_t len = flowrec_print(k->line, &k->format, rec, identity);

	if (has_id)
		(void)snprintf(stream, sizeof stream, "%.440s-%s", id, what);
	else
		(void)snprintf(stream, sizeof stream, "%s%s%.127s-%s", entry->sensor,
			       identity->interface ? "-" : "",
			       identity->interface ? identity->interface : "", what);
	return cloudwatch_add(k->cloudwatch, stream, rec->start * MS_PER_S, k->line, len - 1);
}

static int take_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		      struct batch *batch)
{
	struct delivery *d = ctx;
	struct flowrec rec;
	int rc = 0;

	while (rc == 0 && batch_next(batch, &rec))
		rc = add_record(d->state, entry, hello, &rec);
	return rc;
}

static int take_gap(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		    const struct batch_gap *gap)
{
	struct delivery *d = ctx;
	size_t n = hello ? hello->n_interfaces : 1;
	struct flowrec rec;
	int rc = 0;

	if (!replay_gap_record(hello, gap, &rec))
		return 0;
	for (; rc == 0 && rec.iface < n; rec.iface++)
		rc = add_record(d->state, entry, hello, &rec);
	return rc;
}

/* A line of a host's log file each, as of when it was read; one that was not finished then is another event. What did not
 * come is told in its place. */
static int take_log(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		    const char *path, const struct batch_log *piece)
{
	const struct delivery *d = ctx;
	const struct kind *k = d->state;
	const char *bytes = (const char *)piece->bytes;
	uint64_t ms = piece->time_ns / NS_PER_MS;
	char stream[CLOUDWATCH_NAME], told[80];
	int rc = 0;

	(void)hello;
	(void)snprintf(stream, sizeof stream, "%s%.440s", entry->sensor, path);
	if (!piece->len) {
		int len = snprintf(
			told, sizeof told, "[flowproof: %" PRIu64 " bytes are left out here: %s]",
			piece->left_out, batch_log_why_text((enum batch_log_why)piece->why));

		return cloudwatch_add(k->cloudwatch, stream, ms, told, (size_t)len);
	}
	for (size_t at = 0, len; rc == 0 && at < piece->len; at += len + 1) {
		const char *end = memchr(&bytes[at], '\n', piece->len - at);

		len = end ? (size_t)(end - &bytes[at]) : piece->len - at;
		rc = cloudwatch_add(k->cloudwatch, stream, ms, &bytes[at], len);
	}
	return rc;
}

static int begin(struct delivery *d, struct err *err)
{
	const struct kind *k = d->state;

	return aws_begin(cloudwatch_aws(k->cloudwatch), err);
}

static int begin_pass(struct delivery *d, struct err *err)
{
	const struct kind *k = d->state;

	(void)err;
	cloudwatch_forget(k->cloudwatch);
	return 0;
}

static int end_pass(struct delivery *d, struct err *err)
{
	const struct kind *k = d->state;
	int rc = cloudwatch_flush(k->cloudwatch);

	return rc < 0 ? err_set(err, rc, "no memory for events") : rc;
}

static void close_kind(void *state)
{
	struct kind *k = state;

	cloudwatch_close(k->cloudwatch);
	free(k);
}

int deliver_cloudwatch_open(struct delivery *ret, const struct deliver_options *o, struct err *err)
{
	struct kind *k = calloc(1, sizeof *k);
	int rc = 0;

	if (!k)
		return err_set(err, -ENOMEM, "no memory for a delivery");
	(void)snprintf(ret->name, sizeof ret->name, "cloudwatch");
	ret->state = k;
	ret->every_s = o->cloudwatch_every_s;
	ret->ops = (struct delivery_ops){
		.replay = {.batch = take_batch, .gap = take_gap, .log = take_log},
		.begin = begin,
		.begin_pass = begin_pass,
		.end_pass = end_pass,
		.close = close_kind};
	delivery_confine(&ret->sandbox, o->state);
	/* libcurl resolves names by the host's rules, in a thread of its own. */
	ret->sandbox.unfiltered = true;
	flowrec_format_default(&k->format);
	if (o->fields) {
		struct err why;

		rc = flowrec_format_parse(&k->format, o->fields, &why);
		if (rc < 0)
			rc = err_set(err, rc, "--deliver-fields: %s", why.text);
	}
	return rc < 0 ? rc
		      : cloudwatch_open(&k->cloudwatch, o->cloudwatch_group, o->cloudwatch_endpoint,
					&o->aws, ret, err);
}
