// SPDX-License-Identifier: Apache-2.0
/*
 * A ledger as a side of a reconciliation: its records, the time in which each sensor watched, what it
 * lost, and what it measured of its clock.
 */
#include "analyst/reconcile_feed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyst/query.h"
#include "platform/clock.h"

struct feed {
	struct reconcile *rec;
	struct progress *progress;
	struct err *err;
	bool is_witness;
	bool only_live; /* replayed files are passed over */
	uint64_t records;
	/* of the stream at hand */
	bool is_live;
	uint8_t stream[WIRE_STREAM_ID];
	size_t n_interfaces;
	int ifaces[WIRE_INTERFACES_MAX];
	int64_t from, to; /* watched */
};

/* What a stream watched is known when it ends. */
static int end_stream(struct feed *f)
{
	int rc = 0;

	for (size_t i = 0; f->is_live && !f->is_witness && rc == 0 && i < f->n_interfaces; i++)
		rc = reconcile_host_watched(f->rec, f->ifaces[i], f->from, f->to, f->err);
	f->n_interfaces = 0;
	return rc;
}

static int feed_hello(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello)
{
	struct feed *f = ctx;
	int rc;

	(void)entry;
	if (f->n_interfaces > 0 && memcmp(f->stream, hello->stream, WIRE_STREAM_ID) == 0)
		return 0;
	rc = end_stream(f);
	if (rc < 0)
		return rc;
	memcpy(f->stream, hello->stream, WIRE_STREAM_ID);
	f->is_live = !hello->is_replay;
	f->from = (int64_t)(hello->clock_ns / NS_PER_S);
	f->to = INT64_MIN;
	f->n_interfaces = hello->n_interfaces;
	for (size_t i = 0; !f->is_witness && i < hello->n_interfaces; i++) {
		const char *id = hello->interfaces[i].text[FLOWREC_T_INTERFACE_ID];

		f->ifaces[i] = reconcile_host_interface(f->rec, id ? id : "", f->err);
		if (f->ifaces[i] < 0)
			return f->ifaces[i];
	}
	return 0;
}

static int feed_record(struct feed *f, const struct flowrec *rec)
{
	struct flowlogs_record record = {
		.rec = *rec,
		.log = rec->iface,
		.has = FLOWLOGS_HAS_SRC | FLOWLOGS_HAS_DST | FLOWLOGS_HAS_SRCPORT |
		       FLOWLOGS_HAS_DSTPORT | FLOWLOGS_HAS_PROTOCOL | FLOWLOGS_HAS_PACKETS |
		       FLOWLOGS_HAS_BYTES | FLOWLOGS_HAS_START | FLOWLOGS_HAS_END |
		       FLOWLOGS_HAS_ACTION | FLOWLOGS_HAS_STATUS | FLOWLOGS_HAS_FLAGS,
	};

	if (f->is_witness)
		return reconcile_witness(f->rec, &record, f->err);
	if (rec->iface >= f->n_interfaces)
		return 0; /* its hello was lost to damage, which is told */
	if (rec->status == FLOWREC_OK && (int64_t)rec->start < f->from)
		f->from = (int64_t)rec->start;
	return reconcile_host(f->rec, f->ifaces[rec->iface], &record, f->err);
}

static int feed_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		      struct batch *batch)
{
	const struct batch_head *head = batch_head(batch);
	const struct batch_account *accounts;
	struct feed *f = ctx;
	struct flowrec rec;
	int rc = 0;
	size_t n;

	(void)entry;
	if (f->only_live && (!hello || hello->is_replay))
		return 0;
	while (rc == 0 && batch_next(batch, &rec)) {
		rc = feed_record(f, &rec);
		f->records++;
	}
	accounts = batch_account_list(batch, &n);
	for (size_t i = 0; hello && i < n; i++) {
		int64_t end = (int64_t)(accounts[i].window + hello->window_s);

		f->to = end > f->to ? end : f->to;
	}
	if (head->goodbye || f->to > (int64_t)(head->clock_ns / NS_PER_S))
		f->to = (int64_t)(head->clock_ns / NS_PER_S);
	if (head->has_clock && !f->is_witness)
		reconcile_host_clock(f->rec, head->offset_ns / NS_PER_MS);
	if (progress_is_due(f->progress))
		fprintf(stderr, "flowproof %s: %" PRIu64 " records of the ledger\n",
			f->progress->name, f->records);
	return rc;
}

static int feed_gap(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		    const struct batch_gap *gap)
{
	struct feed *f = ctx;
	int64_t window = hello ? hello->window_s : 60;
	int rc = 0;

	(void)entry;
	for (size_t i = 0; gap->records > 0 && !gap->elsewhere && !f->is_witness && rc == 0 &&
			   i < f->n_interfaces;
	     i++)
		rc = reconcile_host_gap(f->rec, f->ifaces[i], (int64_t)gap->window_first,
					(int64_t)gap->window_last + window, f->err);
	return rc;
}

static int feed(struct feed *f, const char *store, const char *sensor, uint64_t *ret_damages,
		struct err *err)
{
	static const struct replay_ops ops = {
		.hello = feed_hello, .batch = feed_batch, .gap = feed_gap};
	struct query *query = calloc(1, sizeof *query);
	int rc;

	if (!query)
		return err_set(err, -ENOMEM, "no memory to read the ledger");
	f->err = err;
	query->store = strdup(store);
	query->sensor = sensor ? strdup(sensor) : NULL;
	query->to_s = UINT64_MAX;
	rc = query->store && (query->sensor || !sensor)
		     ? query_run(query, &ops, f, err)
		     : err_set(err, -ENOMEM, "no memory to read the ledger");
	if (rc == 0)
		rc = end_stream(f);
	*ret_damages += query->n_damages;
	query_fini(query);
	free(query->store);
	free(query->sensor);
	free(query);
	return rc;
}

int reconcile_feed_host(struct reconcile *rec, const char *store, const char *sensor,
			bool only_live, struct progress *progress, uint64_t *ret_damages,
			struct err *err)
{
	struct feed f = {.rec = rec, .progress = progress, .only_live = only_live};

	return feed(&f, store, sensor, ret_damages, err);
}

int reconcile_feed_witness(struct reconcile *rec, const char *store, struct progress *progress,
			   uint64_t *ret_damages, struct err *err)
{
	struct feed f = {.rec = rec, .progress = progress, .is_witness = true};

	return feed(&f, store, NULL, ret_damages, err);
}
