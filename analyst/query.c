// SPDX-License-Identifier: Apache-2.0
/*
 * What the subcommands that read the ledger share.
 */
#include "analyst/query.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/log.h"

int query_prepare(struct query *query, struct err *err)
{
	struct err why;

	query->from_s = 0;
	query->to_s = UINT64_MAX;
	if (!query->store)
		return err_set(err, ERR_USAGE,
			       "--store is missing: the folder the collector writes to");
	if (query->from && clock_parse(query->from, &query->from_s, &why) < 0)
		return err_set(err, ERR_USAGE, "--from: %s", why.text);
	if (query->to && clock_parse(query->to, &query->to_s, &why) < 0)
		return err_set(err, ERR_USAGE, "--to: %s", why.text);
	if (query->from_s > query->to_s)
		return err_set(err, ERR_USAGE, "--from lies after --to");
	return 0;
}

void query_fini(struct query *query)
{
	for (size_t i = 0; i < query->n_kept; i++) {
		free(query->damages[i].file);
		free(query->damages[i].reason);
	}
	query->n_kept = 0;
}

bool query_wants(const struct query *query, uint64_t start, uint64_t end)
{
	return end >= query->from_s && start <= query->to_s;
}

int query_read_span(const char *text, uint64_t *ret_from, uint64_t *ret_to, struct err *err)
{
	const char *comma = strchr(text, ',');
	char from[CLOCK_TEXT];
	struct err why;

	if (!comma || (size_t)(comma - text) >= sizeof from)
		return err_set(err, ERR_USAGE, "--span: '%s' is not FROM,TO", text);
	memcpy(from, text, (size_t)(comma - text));
	from[comma - text] = '\0';
	if (clock_parse(from, ret_from, &why) < 0 || clock_parse(comma + 1, ret_to, &why) < 0)
		return err_set(err, ERR_USAGE, "--span: %s", why.text);
	if (*ret_from > *ret_to)
		return err_set(err, ERR_USAGE, "--span: FROM lies after TO");
	return 0;
}

/* ---- the walk ---- */

struct walk {
	struct query *query;
	const struct replay_ops *ops;
	void *ctx;
	bool is_empty;
};

static int walk_hello(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello)
{
	struct walk *walk = ctx;

	walk->is_empty = false;
	return walk->ops->hello ? walk->ops->hello(walk->ctx, entry, hello) : 0;
}

static int walk_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		      struct batch *batch)
{
	struct walk *walk = ctx;
	int rc = walk->ops->batch ? walk->ops->batch(walk->ctx, entry, hello, batch) : 0;

	walk->is_empty = false;
	if (rc == QUERY_OUTPUT_BROKEN)
		walk->query->output_errno = errno;
	return rc;
}

static int walk_log(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		    const char *path, const struct batch_log *piece)
{
	struct walk *walk = ctx;
	int rc = walk->ops->log ? walk->ops->log(walk->ctx, entry, hello, path, piece) : 0;

	if (rc == QUERY_OUTPUT_BROKEN)
		walk->query->output_errno = errno;
	return rc;
}

static int walk_fault(void *ctx, const struct ledger_entry *entry)
{
	struct walk *walk = ctx;
	struct query *query = walk->query;
	struct query_damage *damage = &query->damages[query->n_kept];

	walk->is_empty = false;
	if (entry->kind == LEDGER_TORN) {
		log_info("ledger",
			 "%s ends in an unfinished entry at byte %" PRIu64
			 ": a collector is writing, or was killed",
			 entry->file, entry->offset);
	} else {
		log_err("ledger", "%s is damaged at byte %" PRIu64 ": %s", entry->file,
			entry->offset, entry->reason);
		query->n_damages++;
		if (query->n_kept < QUERY_DAMAGES_MAX) {
			damage->file = strdup(entry->file);
			damage->reason = strdup(entry->reason);
			damage->offset = entry->offset;
			damage->bytes = entry->len;
			query->n_kept++;
			if (!damage->file || !damage->reason)
				return -ENOMEM;
		}
	}
	return walk->ops->fault ? walk->ops->fault(walk->ctx, entry) : 0;
}

static int walk_gap(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		    const struct batch_gap *gap)
{
	struct walk *walk = ctx;

	walk->is_empty = false;
	return walk->ops->gap ? walk->ops->gap(walk->ctx, entry, hello, gap) : 0;
}

int query_run(struct query *query, const struct replay_ops *ops, void *ctx, struct err *err)
{
	static const struct replay_ops walk_ops = {.hello = walk_hello,
						   .batch = walk_batch,
						   .log = walk_log,
						   .gap = walk_gap,
						   .fault = walk_fault};
	struct walk walk = {.query = query, .ops = ops, .ctx = ctx, .is_empty = true};
	const struct replay_span span = {.from_s = query->from_s, .to_s = query->to_s};
	bool by_time = query->by_time && (query->from || query->to);
	int rc = replay_run(query->store, query->sensor, by_time ? &span : NULL, &walk_ops, &walk,
			    err);

	if (rc == 0 && walk.is_empty && query->sensor)
		log_warn("ledger", "%s has nothing of the sensor '%s'", query->store,
			 query->sensor);
	return rc;
}

bool query_tell_damage(const struct query *query, const char *name)
{
	if (query->n_damages > 0)
		fprintf(stderr, "flowproof %s: the ledger is damaged in %" PRIu64 " places\n", name,
			query->n_damages);
	return query->n_damages > 0;
}
