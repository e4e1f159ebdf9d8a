// SPDX-License-Identifier: Apache-2.0
/*
 * The reasons, and the spans from which they follow.
 */
#include <string.h>

#include "evidence/reconcile_parts.h"
#include "evidence/unlogged.h"

const struct reconcile_reason_info reconcile_reasons[RECONCILE_REASONS] = {
#define REASON(id, name_, weight_, meaning_)                                                       \
	[RECONCILE_##id] = {.name = (name_), .meaning = (meaning_), .weight = RECONCILE_##weight_},
#include "evidence/reconcile_reasons.def"
};

const char *const reconcile_class_names[RECONCILE_CLASSES] = {
	[RECONCILE_AGREE] = "agree",
	[RECONCILE_COUNTS_DIFFER] = "counts_differ",
	[RECONCILE_HOST_ONLY] = "host_only",
	[RECONCILE_WITNESS_ONLY] = "flow_logs_only",
};

/* ---- traffic that Flow Logs leave out ---- */

static enum reconcile_reason excluded(const struct reconcile *rec, const struct row *row,
				      const struct addr *remote)
{
	const struct unlogged_query query = {
		.subnets = rec->config.subnets,
		.n_subnets = rec->config.n_subnets,
		.remote = remote,
		.family = row->family,
		.protocol = row->protocol,
		.srcport = row->srcport,
		.dstport = row->dstport,
	};

	return unlogged_reason(&query);
}

/* Why Flow Logs do not have it, by address, protocol and port; RECONCILE_REASONS: no such reason. */
static enum reconcile_reason not_logged(const struct reconcile *rec, const struct interface *iface,
					const struct row *row)
{
	bool src = ifaces_has_local(iface, row->family, &row->src);
	bool dst = ifaces_has_local(iface, row->family, &row->dst);
	enum reconcile_reason reason;

	if (src && dst)
		return RECONCILE_INTERNAL;
	reason = dst ? RECONCILE_REASONS : excluded(rec, row, &row->dst);
	if (reason == RECONCILE_REASONS && !src)
		reason = excluded(rec, row, &row->src);
	if (reason == RECONCILE_REASONS &&
	    (addr_is_unspecified(&row->src) || addr_is_unspecified(&row->dst)))
		reason = RECONCILE_UNSPECIFIED;
	return reason;
}

/* ---- spans ---- */

bool reasons_is_watched(const struct reconcile *rec, const struct row *row)
{
	const struct reconcile_interface *iface = &rec->names[row->iface];
	int64_t off = rec->result.clock.applied;

	if (!(row->flags & ROW_TIMED))
		return true;
	if (rec->config.has_span)
		return row->start >= rec->config.from && row->end <= rec->config.to;
	return spans_hold(&iface->host, row->start - off - rec->late_edge,
			  row->end - off + rec->early_edge);
}

bool reasons_in_gap(const struct reconcile *rec, const struct row *row)
{
	const struct reconcile_clock *c = &rec->result.clock;

	return row->flags & ROW_TIMED &&
	       spans_touch(&rec->names[row->iface].gaps, row->start - c->applied - c->late,
			   row->end - c->applied + c->early);
}

enum reconcile_reason reasons_witness_only(const struct reconcile *rec, const struct row *row,
					   enum flowrec_direction direction)
{
	if (row->flags & ROW_REJECT && direction == FLOWREC_INGRESS)
		return RECONCILE_REFUSED;
	if (!reasons_is_watched(rec, row))
		return RECONCILE_EDGE;
	if (reasons_in_gap(rec, row))
		return RECONCILE_CAPTURE_GAP;
	if (row->flags & ROW_REJECT && direction == FLOWREC_DIRECTION_UNKNOWN)
		return RECONCILE_DIRECTION;
	return RECONCILE_HIDDEN;
}

/* Could the line of this row have ended in a time in which no line of the witness ends? Where a long line of another flow reaches
 * over it, that time is covered all the same. */
static bool is_near_silence(const struct reconcile *rec, const struct interface *iface,
			    int64_t from, int64_t to)
{
	const struct spans *ends = &iface->ends;

	for (size_t i = 1; i < ends->n; i++) {
		int64_t begin = ends->v[i - 1].to, end = ends->v[i].from;

		if (end - begin > RECONCILE_MISSING_MIN_S + (int64_t)rec->window &&
		    begin < to + rec->widest + rec->late_edge && end > from - rec->early_edge)
			return true;
	}
	return false;
}

/* Both have times here: the machine's rows have theirs moved to the witness' clock. */
enum reconcile_reason reasons_host_only(const struct reconcile *rec, const struct row *row)
{
	const struct interface *iface = &rec->ifaces[row->iface];
	const struct reconcile_interface *name = &rec->names[row->iface];
	const struct reconcile_clock *c = &rec->result.clock;
	int64_t from = (int64_t)row->start + c->applied, to = (int64_t)row->end + c->applied;
	enum reconcile_reason reason = not_logged(rec, iface, row);
	bool is_inside = rec->config.has_span && from >= rec->config.from && to <= rec->config.to;

	if (reason != RECONCILE_REASONS)
		return reason;
	if (iface->n_uses > 0) {
		bool accepts = true,
		     rejects = true; /* is all that is known of this interface's logs one kind? */

		for (size_t i = 0; i < iface->n_uses; i++) {
			char traffic = rec->traffic[iface->uses[i].log];

			accepts = accepts && traffic == 'a';
			rejects = rejects && traffic == 'r';
		}
		if (accepts || rejects)
			return RECONCILE_TRAFFIC_TYPE;
	}
	if (spans_touch(&name->skipped, from - c->early, to + c->late))
		return RECONCILE_WITNESS_SKIPPED;
	if (spans_touch(&name->missing, from, to) || is_near_silence(rec, iface, from, to))
		return RECONCILE_WITNESS_MISSING;
	if (rec->config.has_span && !is_inside)
		return RECONCILE_HOST_EDGE;
	if (!rec->config.has_span && name->witness.n == 0)
		return rec->result.untimed > 0 ? RECONCILE_NOT_TOLD : RECONCILE_HOST_EDGE;
	/* Stamps may be late: what ends just before the last line of all may be in a file that is not there yet. */
	if (!rec->config.has_span &&
	    (from - rec->early_edge < name->witness.v[0].from ||
	     to + rec->late_edge > name->witness.v[name->witness.n - 1].to))
		return RECONCILE_HOST_EDGE;
	return RECONCILE_NOT_TOLD;
}
