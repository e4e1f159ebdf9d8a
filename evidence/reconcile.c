// SPDX-License-Identifier: Apache-2.0
/*
 * Reconciliation: what comes in from both sides, and the run over all of it.
 */
#include "evidence/reconcile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/reconcile_parts.h"

enum { CLOCK_PAIRS_ENOUGH = 65536 }; /* from which the clocks are measured */

static const uint64_t memory_default = UINT64_C(512) << 20;

int reconcile_new(struct reconcile **ret, const struct reconcile_config *config)
{
	struct reconcile *rec = calloc(1, sizeof *rec);

	if (!rec)
		return -ENOMEM;
	rec->config = *config;
	rec->names = calloc(RECONCILE_INTERFACES_MAX, sizeof rec->names[0]);
	rec->ifaces = calloc(RECONCILE_INTERFACES_MAX, sizeof rec->ifaces[0]);
	if (!rec->names || !rec->ifaces ||
	    rows_new(&rec->rows, config->memory ? config->memory : memory_default, config->folder) <
		    0) {
		reconcile_free(rec);
		return -ENOMEM;
	}
	rec->result.interfaces = rec->names;
	*ret = rec;
	return 0;
}

void reconcile_free(struct reconcile *rec)
{
	if (!rec)
		return;
	if (rec->ifaces && rec->names)
		ifaces_free(rec);
	rows_free(rec->rows);
	free(rec->offsets.start);
	free(rec->offsets.end);
	free(rec->result.entries);
	free(rec->scratch);
	free(rec);
}

/* ---- rows ---- */

/* Which protocols have ports at this place: TCP, UDP, DCCP, SCTP, UDP-Lite. */
static bool has_ports(uint8_t protocol)
{
	return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132 ||
	       protocol == 136;
}

/* False: the line does not say which flow it is. */
static bool make_row(struct row *ret, const struct flowlogs_record *record)
{
	const struct flowrec *rec = &record->rec;
	bool pkt_src = record->has & FLOWLOGS_HAS_PKT_SRC,
	     pkt_dst = record->has & FLOWLOGS_HAS_PKT_DST;
	uint8_t src_family = pkt_src ? record->pkt_src_family : rec->family;
	uint8_t dst_family = pkt_dst ? record->pkt_dst_family : rec->family;

	*ret = (struct row){.src = pkt_src ? record->pkt_src : rec->src,
			    .dst = pkt_dst ? record->pkt_dst : rec->dst,
			    .family = src_family,
			    .protocol = rec->protocol,
			    .packets = rec->packets,
			    .bytes = rec->bytes,
			    .log = record->log,
			    .tcp_flags = rec->tcp_flags};
	if ((!pkt_src && !(record->has & FLOWLOGS_HAS_SRC)) ||
	    (!pkt_dst && !(record->has & FLOWLOGS_HAS_DST)) || src_family != dst_family ||
	    !(record->has & FLOWLOGS_HAS_PROTOCOL))
		return false;
	if (has_ports(rec->protocol)) {
		ret->srcport = rec->srcport;
		ret->dstport = rec->dstport;
	}
	ret->flags = (uint8_t)((pkt_src && pkt_dst ? ROW_PKT : 0) |
			       (rec->action == FLOWREC_REJECT ? ROW_REJECT : 0) |
			       (record->has & FLOWLOGS_HAS_PACKETS ? 0 : ROW_NO_PACKETS) |
			       (record->has & FLOWLOGS_HAS_BYTES ? 0 : ROW_NO_BYTES) |
			       (rec->direction == FLOWREC_INGRESS ? ROW_INGRESS : 0) |
			       (rec->direction == FLOWREC_EGRESS ? ROW_EGRESS : 0));
	if (record->has & FLOWLOGS_HAS_START && record->has & FLOWLOGS_HAS_END &&
	    rec->end <= UINT32_MAX && rec->start <= rec->end) {
		ret->flags |= ROW_TIMED;
		ret->start = (uint32_t)rec->start;
		ret->end = (uint32_t)rec->end;
	}
	return true;
}

static bool has_times(const struct flowlogs_record *record)
{
	return record->has & FLOWLOGS_HAS_START && record->has & FLOWLOGS_HAS_END &&
	       record->rec.start <= record->rec.end && record->rec.end <= UINT32_MAX;
}

static int no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "no memory for spans and addresses");
}

/* ---- the machine ---- */

int reconcile_host_interface(struct reconcile *rec, const char *name, struct err *err)
{
	int i;

	if (rec->config.is_against)
		name = "-";
	else if (rec->config.interface && (!*name || strcmp(name, "-") == 0))
		name = rec->config.interface;
	i = ifaces_find(rec, name, strlen(name), err);
	if (i < 0)
		return i;
	if (rec->config.interface && !rec->config.is_against &&
	    strcmp(name, rec->config.interface) != 0)
		return i; /* known, and not compared */
	rec->ifaces[i].is_host = rec->has_host = true;
	rec->has_nameless_host = rec->has_nameless_host || strcmp(rec->names[i].name, "-") == 0;
	return i;
}

int reconcile_host_watched(struct reconcile *rec, int iface, int64_t from, int64_t to,
			   struct err *err)
{
	rec->ifaces[iface].is_watched = true;
	return from > to || spans_add(&rec->names[iface].host, from, to, 1) == 0 ? 0
										 : no_memory(err);
}

int reconcile_host_gap(struct reconcile *rec, int iface, int64_t from, int64_t to, struct err *err)
{
	return spans_add(&rec->names[iface].gaps, from, to, 0) == 0 ? 0 : no_memory(err);
}

void reconcile_host_clock(struct reconcile *rec, int64_t offset_ms)
{
	rec->result.clock.has_ledger = true;
	rec->result.clock.ledger_ms = offset_ms;
}

int reconcile_host(struct reconcile *rec, int iface, const struct flowlogs_record *record,
		   struct err *err)
{
	struct interface *i = &rec->ifaces[iface];
	struct row row;

	if (!i->is_host)
		return 0;
	if (has_times(record)) {
		/* The end of an empty window is excluded. */
		bool is_window =
			record->rec.status != FLOWREC_OK && record->rec.end > record->rec.start;
		int64_t from = (int64_t)record->rec.start,
			to = (int64_t)record->rec.end - is_window;

		i->from = from < i->from ? from : i->from;
		i->to = to > i->to ? to : i->to;
	}
	if (record->rec.status == FLOWREC_SKIPDATA)
		return has_times(record)
			       ? reconcile_host_gap(rec, iface, (int64_t)record->rec.start,
						    (int64_t)record->rec.end, err)
			       : 0;
	if (record->rec.status == FLOWREC_NODATA || !make_row(&row, record))
		return 0;
	row.iface = (uint16_t)iface;
	rec->names[iface].host_rows++;
	rec->result.host.packets += row.packets;
	rec->result.host.bytes += row.bytes;
	rec->result.host.flows++;
	return ifaces_learn(i, &row) < 0 ? no_memory(err) : rows_add(rec->rows, &row, err);
}

/* ---- the witness ---- */

void reconcile_witness_log(struct reconcile *rec, uint16_t index, const struct flowlogs_log *log)
{
	rec->traffic[index] = log->traffic;
}

/* A machine that recorded nothing at all has one interface all the same: the one that is named, or the Flow Logs' only one. */
static int require_host(struct reconcile *rec, struct err *err)
{
	int rc;

	if (rec->has_host)
		return 0;
	rc = reconcile_host_interface(rec, rec->config.interface ? rec->config.interface : "-",
				      err);
	return rc < 0 ? rc : 0;
}

/* The interface of a line; -1: it is not one of ours. */
static int witness_interface(struct reconcile *rec, const struct flowlogs_record *record,
			     struct err *err)
{
	const char *name = record->interface.p;
	size_t len = record->interface.p ? record->interface.len : 0;
	const char *only = rec->config.interface;
	int i;

	if (rec->config.is_against)
		return ifaces_find(rec, "-", 1, err);
	if (only && len == 0) {
		name = only;
		len = strlen(only);
	}
	if (only && (strlen(only) != len || memcmp(only, name, len) != 0))
		return -1;
	i = ifaces_find(rec, name ? name : "-", name ? len : 1, err);
	/* All that the machine has is known by now. */
	return i >= 0 && len > 0 && !rec->ifaces[i].is_host && !rec->has_nameless_host ? -1 : i;
}

static int note_time(struct reconcile *rec, size_t i, const struct flowlogs_record *record,
		     struct err *err)
{
	struct reconcile_interface *name = &rec->names[i];
	struct spans *ends = &rec->ifaces[i].ends;
	int64_t from = (int64_t)record->rec.start, to = (int64_t)record->rec.end;
	int rc = 0;

	if (!has_times(record)) {
		rec->result.untimed++;
		return 0;
	}
	if (!spans_hold(&name->witness, from, to))
		rc = spans_add(&name->witness, from, to, 0);
	if (rc == 0 && !spans_hold(ends, to, to))
		rc = spans_add(ends, to, to, RECONCILE_MISSING_MIN_S);
	if (rc == 0 && record->rec.status == FLOWREC_SKIPDATA)
		rc = spans_add(&name->skipped, from, to, 0);
	if (record->rec.status != FLOWREC_SKIPDATA && to - from > rec->widest)
		rec->widest = (uint32_t)(to - from);
	return rc < 0 ? no_memory(err) : 0;
}

/* Of another sensor's lines those that speak of this machine. */
static bool is_of_others(const struct reconcile *rec, const struct row *row)
{
	const struct interface *iface = &rec->ifaces[row->iface];

	return rec->config.is_against && !ifaces_has_local(iface, row->family, &row->src) &&
	       !ifaces_has_local(iface, row->family, &row->dst);
}

int reconcile_witness(struct reconcile *rec, const struct flowlogs_record *record, struct err *err)
{
	int rc = require_host(rec, err), i = rc < 0 ? rc : witness_interface(rec, record, err);
	struct row row;

	if (i == -1) {
		rec->result.other_interface_lines++;
		return 0;
	}
	if (i < 0)
		return i;
	rc = note_time(rec, (size_t)i, record, err);
	if (rc < 0 || record->rec.status != FLOWREC_OK)
		return rc;
	if (!make_row(&row, record)) {
		rec->result.unusable++;
		return 0;
	}
	row.iface = (uint16_t)i;
	row.flags |= ROW_WITNESS;
	if (rec->config.is_against) /* its directions are its own */
		row.flags &= (uint8_t) ~(ROW_INGRESS | ROW_EGRESS | ROW_REJECT);
	if (is_of_others(rec, &row)) {
		rec->result.other_interface_lines++;
		return 0;
	}
	rec->names[i].witness_rows++;
	rec->ifaces[i].has_pkt = rec->ifaces[i].has_pkt || row.flags & ROW_PKT;
	if (ifaces_learn(&rec->ifaces[i], &row) < 0 || ifaces_use_log(&rec->ifaces[i], &row) < 0)
		return no_memory(err);
	return rows_add(rec->rows, &row, err);
}

/* ---- the run ---- */

static bool keep_row(void *ctx, struct row *row)
{
	struct reconcile *rec = ctx;

	row->iface = rec->ifaces[row->iface].map;
	return row->iface != NO_INTERFACE;
}

static bool to_primary(void *ctx, struct row *row)
{
	struct reconcile *rec = ctx;

	if (!keep_row(ctx, row))
		return false;
	ifaces_to_primary(&rec->ifaces[row->iface], row);
	return true;
}

/* Time between two runs of the sensor is a gap, time of the witness without a line is missing. */
static int find_holes(struct reconcile *rec, struct reconcile_interface *name,
		      struct interface *iface)
{
	struct spans covered = {.n = 0};
	int64_t end;
	int rc = 0;

	if (!iface->is_watched && iface->from <= iface->to)
		rc = spans_add(&name->host, iface->from, iface->to, 0);
	for (size_t i = 1; rc == 0 && i < name->host.n; i++)
		rc = spans_add(&name->gaps, name->host.v[i - 1].to, name->host.v[i].from, 0);
	spans_join(&name->gaps, 1);
	spans_join(&name->skipped, 1);
	for (size_t i = 0; rc == 0 && i < name->witness.n; i++)
		rc = spans_add(&covered, name->witness.v[i].from, name->witness.v[i].to,
			       RECONCILE_MISSING_MIN_S);
	end = rec->config.from;
	for (size_t i = 0; rc == 0 && i < covered.n; i++) {
		if ((i > 0 || rec->config.has_span) &&
		    covered.v[i].from - end > RECONCILE_MISSING_MIN_S)
			rc = spans_add(&name->missing, end + 1, covered.v[i].from - 1, 0);
		end = covered.v[i].to;
	}
	if (rc == 0 && rec->config.has_span && rec->config.to - end > RECONCILE_MISSING_MIN_S)
		rc = spans_add(&name->missing, end + 1, rec->config.to, 0);
	spans_fini(&covered);
	return rc;
}

static void find_span(struct reconcile *rec)
{
	struct reconcile_result *r = &rec->result;
	int64_t host_from = INT64_MAX, host_to = INT64_MIN, from = INT64_MAX, to = INT64_MIN;

	r->span_given = rec->config.has_span;
	r->from = rec->config.from;
	r->to = rec->config.to;
	if (r->span_given)
		return;
	for (size_t i = 0; i < r->n_interfaces; i++) {
		const struct reconcile_interface *n = &rec->names[i];

		if (!n->is_ours || n->host.n == 0 || n->witness.n == 0)
			continue;
		host_from = n->host.v[0].from < host_from ? n->host.v[0].from : host_from;
		host_to = n->host.v[n->host.n - 1].to > host_to ? n->host.v[n->host.n - 1].to
								: host_to;
		from = n->witness.v[0].from < from ? n->witness.v[0].from : from;
		to = n->witness.v[n->witness.n - 1].to > to ? n->witness.v[n->witness.n - 1].to
							    : to;
	}
	if (host_from <= host_to) {
		host_from += r->clock.applied;
		host_to += r->clock.applied;
	}
	r->from = host_from > from ? host_from : from;
	r->to = host_to < to ? host_to : to;
}

static int sample_flow(void *ctx, struct row *rows, size_t n, struct err *err)
{
	struct reconcile *rec = ctx;
	size_t n_host = 0;

	while (n_host < n && !(rows[n_host].flags & ROW_WITNESS))
		n_host++;
	return clock_sample(rec, rows, n_host, rows + n_host, n - n_host) < 0 ? no_memory(err) : 0;
}

static int match_and_count(void *ctx, struct row *rows, size_t n, struct err *err)
{
	struct reconcile *rec = ctx;

	for (size_t i = 0; i < n; i++) {
		if (!(rows[i].flags & ROW_WITNESS))
			continue;
		rec->result.witness.flows++;
		rec->result.witness.packets += rows[i].packets;
		rec->result.witness.bytes += rows[i].bytes;
		rec->result.no_rejects = rec->result.no_rejects && !(rows[i].flags & ROW_REJECT);
	}
	return match_flow(rec, rows, n, err);
}

/* Hidden first, then by weight, bytes, time; then by what the flow is, so that the order is always the same. */
static int compare_entries(const void *p, const void *q)
{
	const struct reconcile_entry *a = p, *b = q;
	int wa = reconcile_reasons[a->reason].weight, wb = reconcile_reasons[b->reason].weight;

	if (wa != wb)
		return wb - wa;
	if (a->bytes != b->bytes)
		return (a->bytes < b->bytes) - (a->bytes > b->bytes);
	if (a->start != b->start)
		return (a->start > b->start) - (a->start < b->start);
	if (memcmp(&a->src, &b->src, 2 * sizeof a->src) != 0)
		return memcmp(&a->src, &b->src, 2 * sizeof a->src);
	if (a->srcport != b->srcport)
		return a->srcport - b->srcport;
	if (a->dstport != b->dstport)
		return a->dstport - b->dstport;
	return a->protocol != b->protocol ? a->protocol - b->protocol : a->iface - b->iface;
}

int reconcile_run(struct reconcile *rec, const struct reconcile_result **ret, struct err *err)
{
	struct reconcile_result *result = &rec->result;
	int rc = ifaces_settle(rec, err);

	for (size_t i = 0; rc == 0 && i < result->n_interfaces; i++) {
		if (rec->names[i].is_ours && find_holes(rec, &rec->names[i], &rec->ifaces[i]) < 0)
			rc = no_memory(err);
	}
	if (rc == 0 && ifaces_have_primary(rec))
		rc = rows_again(rec->rows, to_primary, rec, err);
	for (unsigned i = 0; rc == 0 && i < ROWS_BUCKETS && rec->offsets.n < CLOCK_PAIRS_ENOUGH;
	     i++)
		rc = rows_each_flow(rec->rows, i, keep_row, sample_flow, rec, err);
	if (rc == 0)
		clock_settle(rec);
	find_span(rec);
	result->no_rejects = true;
	for (unsigned i = 0; rc == 0 && i < ROWS_BUCKETS; i++) {
		rc = rows_each_flow(rec->rows, i, keep_row, match_and_count, rec, err);
		if (rec->config.progress)
			rec->config.progress(rec->config.ctx, i + 1, ROWS_BUCKETS);
	}
	if (rc < 0)
		return rc;
	again_resolve(rec);
	if (result->n_entries > 1)
		qsort(result->entries, result->n_entries, sizeof result->entries[0],
		      compare_entries);
	result->rows = rows_count(rec->rows);
	result->spilled_rows = rows_spilled(rec->rows);
	*ret = result;
	return 0;
}
