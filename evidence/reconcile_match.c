// SPDX-License-Identifier: Apache-2.0
/*
 * One flow: what the machine's lines say of it beside the witness'.
 *
 * The lines of both sides are cut into episodes: stretches of time in which each line lies near another. The
 * sums of an episode are compared, since the windows of the two differ. A flow of which the machine has lines
 * now and none an hour later is two episodes, and the second one is missing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/reconcile_parts.h"

struct episode {
	const struct interface *iface;
	enum flowrec_direction direction;
	struct row **host, **witness; /* sorted by start */
	size_t n_host, n_witness;
	bool is_timed; /* every line of the flow */
	bool is_part;  /* of an episode that was counted before */
};

static int cut(struct reconcile *rec, const struct episode *all, bool is_part, struct err *err);

static void add(struct sum *sum, const struct row *row)
{
	sum->packets += row->packets;
	sum->bytes += row->bytes;
	sum->lines++;
	sum->no_packets = sum->no_packets || row->flags & ROW_NO_PACKETS;
	sum->no_bytes = sum->no_bytes || row->flags & ROW_NO_BYTES;
}

struct sum match_sum(struct row *const *rows, size_t n, uint8_t mask, uint8_t value)
{
	struct sum sum = {.packets = 0};

	for (size_t i = 0; i < n; i++) {
		if ((rows[i]->flags & mask) == value)
			add(&sum, rows[i]);
	}
	return sum;
}

static struct sum plus(struct sum a, struct sum b)
{
	return (struct sum){a.packets + b.packets, a.bytes + b.bytes, a.lines + b.lines,
			    a.no_packets || b.no_packets, a.no_bytes || b.no_bytes};
}

bool match_equal(struct sum a, struct sum b)
{
	return (a.no_packets || b.no_packets || a.packets == b.packets) &&
	       (a.no_bytes || b.no_bytes || a.bytes == b.bytes);
}

void match_swap(struct row **a, struct row **b)
{
	struct row *row = *a;

	*a = *b;
	*b = row;
}

int match_by_start(const void *p, const void *q)
{
	const struct row *a = *(struct row *const *)p, *b = *(struct row *const *)q;

	if (a->start != b->start)
		return (a->start > b->start) - (a->start < b->start);
	return (a->end < b->end) - (a->end > b->end);
}

/* ---- entries ---- */

static struct reconcile_entry entry_of(const struct row *row, enum reconcile_class klass,
				       enum reconcile_reason reason,
				       enum flowrec_direction direction)
{
	return (struct reconcile_entry){
		.src = row->src,
		.dst = row->dst,
		.srcport = row->srcport,
		.dstport = row->dstport,
		.protocol = row->protocol,
		.family = row->family,
		.iface = row->iface,
		.klass = (uint8_t)klass,
		.reason = (uint8_t)reason,
		.direction = (uint8_t)direction,
		.action = row->flags & ROW_REJECT ? FLOWREC_REJECT : FLOWREC_ACCEPT,
		.start = UINT32_MAX,
		.is_host = klass == RECONCILE_HOST_ONLY,
	};
}

static void widen(struct reconcile_entry *entry, const struct row *row)
{
	entry->packets += row->packets;
	entry->bytes += row->bytes;
	entry->lines++;
	entry->tcp_flags |= row->tcp_flags;
	if (!(row->flags & ROW_TIMED))
		return;
	entry->is_timed = true;
	entry->start = row->start < entry->start ? row->start : entry->start;
	entry->end = row->end > entry->end ? row->end : entry->end;
}

static int add_entry(struct reconcile *rec, struct reconcile_entry *entry, struct err *err)
{
	if (!entry->is_timed)
		entry->start = entry->end = 0;
	if (rec->is_even && reconcile_reasons[entry->reason].weight == RECONCILE_UNEXPLAINED)
		entry->reason = RECONCILE_TIMES_APART;
	return result_add(rec, entry, err);
}

static unsigned witness_kind(const struct reconcile *rec, const struct episode *e,
			     const struct row *row)
{
	return 2 * (unsigned)reasons_witness_only(rec, row, e->direction) +
	       !!(row->flags & ROW_REJECT);
}

static unsigned host_kind(const struct reconcile *rec, const struct episode *e,
			  const struct row *row)
{
	(void)e;
	return 2 * (unsigned)(logs_have_other(rec, row) ? RECONCILE_DUPLICATE_LOGS
							: reasons_host_only(rec, row));
}

_Static_assert(2 * RECONCILE_REASONS <= 64, "a bit for each reason and action");

/* One entry for each reason and action among the lines (of those marked, if there are marks). */
static int add_lone(struct reconcile *rec, const struct episode *e, enum reconcile_class klass,
		    const bool *marked, struct err *err)
{
	bool is_host = klass == RECONCILE_HOST_ONLY;
	struct row **rows = is_host ? e->host : e->witness;
	size_t n = is_host ? e->n_host : e->n_witness;
	unsigned (*kind)(const struct reconcile *, const struct episode *, const struct row *) =
		is_host ? host_kind : witness_kind;
	uint64_t kinds = 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		if (!marked || marked[i])
			kinds |= UINT64_C(1) << kind(rec, e, rows[i]);
	}
	for (unsigned k = 0; k < 64 && kinds >> k && rc == 0; k++) {
		struct reconcile_entry entry = {.lines = 0};

		if (!(kinds >> k & 1))
			continue;
		for (size_t i = 0; i < n; i++) {
			if ((marked && !marked[i]) || kind(rec, e, rows[i]) != k)
				continue;
			if (entry.lines == 0)
				entry = entry_of(rows[i], klass, (enum reconcile_reason)(k / 2),
						 e->direction);
			widen(&entry, rows[i]);
		}
		rc = add_entry(rec, &entry, err);
	}
	return rc;
}

/* ---- counts ---- */

/* The least and most that one packet more costs in headers. */
static bool header_range(const struct row *row, uint64_t *least, uint64_t *most)
{
	uint64_t ip = row->family == 6 ? 40 : 20;

	if (row->protocol == 6) {
		*least = ip + 20;
		*most = (row->family == 6 ? 40 : 60) + 60;
	} else if (row->protocol == 17) {
		*least = *most = ip + 8;
	} else {
		return false;
	}
	return true;
}

enum {
	SEGMENT_MIN = 88
}; /* payload of the shortest segments that Linux cuts (net.ipv4.tcp_min_snd_mss 48 aside) */

/* The same payload in another number of packets, and so much of it that segments can explain the number. */
static bool is_offload(const struct row *row, struct sum a, struct sum b)
{
	struct sum few = a.packets < b.packets ? a : b, many = a.packets < b.packets ? b : a;
	uint64_t packets = many.packets - few.packets, bytes = many.bytes - few.bytes, least, most;

	if (packets == 0 || many.bytes <= few.bytes || few.packets == 0 ||
	    !header_range(row, &least, &most) || packets > UINT32_MAX)
		return false;
	return bytes >= least * packets && bytes <= most * packets &&
	       few.bytes >= few.packets * least + packets * SEGMENT_MIN;
}

/* Of lines that overlap one another several flow logs were made; do they say the same, and is it what the machine has? */
static bool are_lanes(const struct episode *e, struct sum host)
{
	enum { LANES = 4 };
	struct sum lanes[LANES] = {{.packets = 0}};
	uint32_t ends[LANES];
	size_t n = 0;

	for (size_t i = 0; i < e->n_witness; i++) { /* sorted by start */
		const struct row *row = e->witness[i];
		size_t k = 0;

		if (!(row->flags & ROW_TIMED))
			return false;
		while (k < n && row->start < ends[k])
			k++;
		if (k == LANES)
			return false;
		n = k == n ? n + 1 : n;
		ends[k] = row->end;
		add(&lanes[k], row);
	}
	for (size_t k = 0; k < n; k++) {
		if (lanes[k].packets != host.packets || lanes[k].bytes != host.bytes)
			return false;
	}
	return n > 1;
}

/* Witness lines near which the machine has none. */
static struct sum find_bare(const struct reconcile *rec, const struct episode *e, bool *bare)
{
	const struct reconcile_clock *c = &rec->result.clock;
	struct sum sum = {.packets = 0};

	for (size_t i = 0; i < e->n_witness; i++) {
		const struct row *w = e->witness[i];
		int64_t from = (int64_t)w->start - c->applied - c->late;
		int64_t to = (int64_t)w->end - c->applied + c->early;

		bare[i] = w->flags & ROW_TIMED;
		for (size_t k = 0; k < e->n_host && bare[i]; k++)
			bare[i] = e->host[k]->start > to || e->host[k]->end < from;
		if (bare[i])
			add(&sum, w);
	}
	return sum;
}

static bool is_cut(const struct reconcile *rec, const struct episode *e)
{
	for (size_t i = 0; i < e->n_witness; i++) {
		if (!reasons_is_watched(rec, e->witness[i]))
			return true;
	}
	for (size_t i = 0; i < e->n_host; i++) {
		enum reconcile_reason reason = reasons_host_only(rec, e->host[i]);

		if (reason == RECONCILE_HOST_EDGE || reason == RECONCILE_WITNESS_MISSING)
			return true;
	}
	return false;
}

static bool has_gap(const struct reconcile *rec, const struct episode *e)
{
	for (size_t i = 0; i < e->n_witness; i++) {
		if (reasons_in_gap(rec, e->witness[i]))
			return true;
	}
	return false;
}

static bool is_skipped(const struct reconcile *rec, const struct episode *e)
{
	const struct reconcile_clock *c = &rec->result.clock;

	for (size_t i = 0; i < e->n_host; i++) {
		const struct row *h = e->host[i];

		if (spans_touch(&rec->names[h->iface].skipped,
				(int64_t)h->start + c->applied - c->early,
				(int64_t)h->end + c->applied + c->late))
			return true;
	}
	return false;
}

static int add_differing(struct reconcile *rec, const struct episode *e, struct sum host,
			 enum reconcile_reason reason, struct err *err)
{
	struct reconcile_entry entry =
		entry_of(e->witness[0], RECONCILE_COUNTS_DIFFER, reason, e->direction);

	for (size_t i = 0; i < e->n_witness; i++)
		widen(&entry, e->witness[i]);
	entry.host_packets = host.packets;
	entry.host_bytes = host.bytes;
	return add_entry(rec, &entry, err);
}

static enum reconcile_reason why_more(const struct reconcile *rec, const struct episode *e,
				      struct sum host, struct sum witness)
{
	bool has_packets = !host.no_packets && !witness.no_packets;
	bool has_bytes = !host.no_bytes && !witness.no_bytes;
	bool is_more = (has_packets && witness.packets > host.packets) ||
		       (has_bytes && witness.bytes > host.bytes);
	/* Of merged packets the wire has more, even where some of them were left out. */
	bool is_less = (has_packets && witness.packets < host.packets) ||
		       (has_bytes && witness.bytes < host.bytes);
	struct sum refused = match_sum(e->witness, e->n_witness, ROW_REJECT, ROW_REJECT);

	if (is_offload(e->host[0], host, witness))
		return RECONCILE_OFFLOAD;
	if (is_more && has_gap(rec, e))
		return RECONCILE_CAPTURE_GAP;
	if (is_cut(rec, e))
		return RECONCILE_CUT;
	if (is_less && is_skipped(rec, e))
		return RECONCILE_WITNESS_SKIPPED;
	if (is_more)
		return RECONCILE_WITNESS_MORE;
	if (refused.lines == witness.lines && e->direction != FLOWREC_INGRESS)
		return RECONCILE_RETRANSMITTED;
	return RECONCILE_HOST_MORE;
}

/* Sums that both have and that differ: first the lines near which the machine has nothing; what they lay between is cut again. */
static int judge_difference(struct reconcile *rec, struct episode *e, struct sum host,
			    struct sum witness, struct err *err)
{
	bool *bare = calloc(e->n_witness, sizeof *bare);
	struct sum lone;
	size_t out = 0;
	int rc = 0;

	if (!bare)
		return err_set(err, -ENOMEM, "no memory for a flow's lines");
	lone = find_bare(rec, e, bare);
	/* More than is missing: they are the same packets, stamped even later. */
	if (lone.lines == 0 || lone.lines == witness.lines || witness.packets < host.packets ||
	    lone.packets > witness.packets - host.packets) {
		rc = add_differing(rec, e, host, why_more(rec, e, host, witness), err);
	} else {
		rc = add_lone(rec, e, RECONCILE_WITNESS_ONLY, bare, err);
		for (size_t i = 0; i < e->n_witness; i++) {
			if (!bare[i])
				match_swap(&e->witness[out++], &e->witness[i]);
		}
		e->n_witness = out;
		if (rc == 0)
			rc = cut(rec, e, true, err);
	}
	free(bare);
	return rc;
}

/* ---- episodes ---- */

static void note_action(struct reconcile *rec, const struct episode *e, struct sum refused)
{
	struct sum forbidden = match_sum(e->host, e->n_host, ROW_REJECT, ROW_REJECT);

	/* Records refuse only where a policy says what the boundary does. */
	if (rec->trial || e->is_part)
		return;
	if ((forbidden.lines > 0 && refused.lines == 0) ||
	    (refused.lines == e->n_witness && e->direction == FLOWREC_INGRESS))
		rec->result.action_differs++;
}

/* Puts the lines that were let through first, in their order; how many they are. */
static size_t passed_first(struct row **witness, size_t n)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		if (!(witness[i]->flags & ROW_REJECT))
			match_swap(&witness[out++], &witness[i]);
	}
	return out;
}

enum { DOUBLES_MAX = 8 }; /* lines whose every choice is tried; of more, all of them too */

/* Lines that stood there twice may be two windows that look alike: do some of them make up what the machine has more? It cannot
 * hide anything: without them the witness has less. */
static bool takes_doubles(const struct reconcile *rec, const struct row *row, struct sum witness,
			  struct sum host, bool may_offload)
{
	size_t n = rec->n_doubles < DOUBLES_MAX ? rec->n_doubles : DOUBLES_MAX;
	unsigned most = (1U << n) - 1;

	for (unsigned choice = 1; choice <= most; choice++) {
		struct sum all = witness;

		for (size_t i = 0; i < rec->n_doubles; i++) {
			if (choice == most || (i < n && choice >> i & 1))
				add(&all, rec->doubles[i]);
		}
		if (may_offload ? host.bytes >= witness.bytes && is_offload(row, host, all)
				: match_equal(all, host))
			return true;
	}
	return false;
}

static int judge_episode(struct reconcile *rec, struct episode *e, struct err *err)
{
	struct sum host = match_sum(e->host, e->n_host, 0, 0);
	struct sum passed = match_sum(e->witness, e->n_witness, ROW_REJECT, 0);
	struct sum refused = match_sum(e->witness, e->n_witness, ROW_REJECT, ROW_REJECT);
	struct sum all = plus(passed, refused);

	if (e->n_host == 0)
		return add_lone(rec, e, RECONCILE_WITNESS_ONLY, NULL, err);
	if (e->n_witness == 0)
		return add_lone(rec, e, RECONCILE_HOST_ONLY, NULL, err);
	note_action(rec, e, refused);
	if (match_equal(all, host) || takes_doubles(rec, e->host[0], all, host, false)) {
		result_count(rec, RECONCILE_AGREE, RECONCILE_EQUAL, all.packets, all.bytes);
		return 0;
	}
	/* What was refused on its way in may be missing here, in whole or in part. */
	if (refused.lines > 0 && e->direction != FLOWREC_EGRESS && host.packets >= passed.packets &&
	    host.packets <= all.packets && host.bytes >= passed.bytes && host.bytes <= all.bytes) {
		bool is_exact = match_equal(passed, host);

		result_count(rec, RECONCILE_AGREE,
			     is_exact ? RECONCILE_EQUAL : RECONCILE_REFUSED_PART, host.packets,
			     host.bytes);
		if (is_exact)
			result_count(rec, RECONCILE_WITNESS_ONLY, RECONCILE_REFUSED,
				     refused.packets, refused.bytes);
		return 0;
	}
	if (are_lanes(e, host)) {
		result_count(rec, RECONCILE_AGREE, RECONCILE_DUPLICATE_LOGS, host.packets,
			     host.bytes);
		return 0;
	}
	if (is_offload(e->host[0], host, all) || takes_doubles(rec, e->host[0], all, host, true))
		return add_differing(rec, e, host, RECONCILE_OFFLOAD, err);
	/* Refused on its way in: the machine cannot have it. */
	if (e->direction == FLOWREC_INGRESS && passed.lines > 0 && refused.lines > 0) {
		result_count(rec, RECONCILE_WITNESS_ONLY, RECONCILE_REFUSED, refused.packets,
			     refused.bytes);
		e->n_witness = passed_first(e->witness, e->n_witness);
		all = passed;
	}
	return judge_difference(rec, e, host, all, err);
}

static int64_t begin_of(const struct reconcile *rec, const struct row *row)
{
	return row->flags & ROW_WITNESS ? (int64_t)row->start - rec->result.clock.late
					: (int64_t)row->start + rec->result.clock.applied;
}

static int64_t end_of(const struct reconcile *rec, const struct row *row)
{
	return row->flags & ROW_WITNESS ? (int64_t)row->end + rec->result.clock.early
					: (int64_t)row->end + rec->result.clock.applied;
}

/* Merges the two sides by begin, cuts where nothing reaches over, and judges each stretch. */
static int cut(struct reconcile *rec, const struct episode *all, bool is_part, struct err *err)
{
	struct episode e = *all;
	size_t h = 0, w = 0;
	int rc = 0;

	e.is_part = is_part;
	while (rc == 0 && (h < all->n_host || w < all->n_witness)) {
		size_t h0 = h, w0 = w;
		int64_t reach = INT64_MIN;

		for (;;) {
			const struct row *host = h < all->n_host ? all->host[h] : NULL;
			const struct row *witness = w < all->n_witness ? all->witness[w] : NULL;
			bool from_host =
				host && (!witness || begin_of(rec, host) <= begin_of(rec, witness));
			const struct row *next = from_host ? host : witness;

			if (!next ||
			    (all->is_timed && reach != INT64_MIN && begin_of(rec, next) > reach))
				break;
			if (end_of(rec, next) > reach)
				reach = end_of(rec, next);
			h += from_host;
			w += !from_host;
		}
		e.host = all->host + h0;
		e.n_host = h - h0;
		e.witness = all->witness + w0;
		e.n_witness = w - w0;
		rc = judge_episode(rec, &e, err);
	}
	return rc;
}

int match_lines(struct reconcile *rec, struct row **host, size_t n_host, struct row **witness,
		size_t n_witness, bool is_timed, struct err *err)
{
	const struct row *any = n_host ? host[0] : witness[0];
	struct episode all = {
		.iface = &rec->ifaces[any->iface],
		.host = host,
		.n_host = n_host,
		.witness = witness,
		.n_witness = n_witness,
		.is_timed = is_timed,
	};

	all.direction = ifaces_direction(all.iface, any);
	return cut(rec, &all, false, err);
}

/* ---- a flow's lines ---- */

static bool same_line(const struct row *a, const struct row *b)
{
	return a->log == b->log && a->flags & ROW_TIMED && a->start == b->start &&
	       a->end == b->end && a->packets == b->packets && a->bytes == b->bytes &&
	       (a->flags & ~ROW_PKT) == (b->flags & ~ROW_PKT);
}

static int grow(struct reconcile *rec, size_t n)
{
	struct row **more;

	if (n <= rec->cap_scratch)
		return 0;
	more = realloc(rec->scratch, 2 * n * sizeof *more);
	if (!more)
		return -ENOMEM;
	rec->scratch = more;
	rec->cap_scratch = 2 * n;
	return 0;
}

/* Lines that stand there twice are one, unless it takes all of them to make what the machine has: two windows whose stamps are
 * late by different times may look alike. How many are left, those left out behind them. */
static size_t drop_doubles(struct reconcile *rec, struct row *const *host, size_t n_host,
			   struct row **witness, size_t n)
{
	size_t out = 1;

	for (size_t i = 1; i < n; i++)
		out += !same_line(witness[i - 1], witness[i]);
	if (n == 0 || out == n ||
	    (n_host > 0 && match_equal(match_sum(witness, n, 0, 0), match_sum(host, n_host, 0, 0))))
		return n;
	rec->result.duplicates += n - out;
	out = 1;
	for (size_t i = 1; i < n; i++) {
		if (!same_line(witness[out - 1], witness[i]))
			match_swap(&witness[out++], &witness[i]);
	}
	rec->doubles = witness + out;
	rec->n_doubles = n - out;
	return out;
}

int match_flow(struct reconcile *rec, struct row *rows, size_t n, struct err *err)
{
	size_t n_host = 0, n_witness;
	struct row **host, **witness;
	bool is_timed = true;

	if (grow(rec, n) < 0)
		return err_set(err, -ENOMEM, "no memory for a flow of %zu lines", n);
	while (n_host < n && !(rows[n_host].flags & ROW_WITNESS))
		n_host++;
	host = rec->scratch;
	witness = rec->scratch + n_host;
	for (size_t i = 0; i < n; i++) {
		is_timed = is_timed && rows[i].flags & ROW_TIMED;
		rec->scratch[i] = &rows[i];
	}
	rec->n_doubles = 0;
	n_witness = drop_doubles(rec, host, n_host, witness, n - n_host);
	rec->n_others = 0;
	rec->is_even = false;
	if (n_witness > 0 && rec->ifaces[witness[0]->iface].n_uses > 1) {
		size_t told = n_witness;
		int rc = logs_choose(rec, host, n_host, witness, told, is_timed, &n_witness, err);

		if (rc < 0)
			return rc;
		rec->result.other_log_lines += told - n_witness;
	} else if (n_witness > 1) {
		qsort(witness, n_witness, sizeof witness[0], match_by_start);
	}
	rec->is_even =
		match_equal(match_sum(host, n_host, 0, 0), match_sum(witness, n_witness, 0, 0));
	return match_lines(rec, host, n_host, witness, n_witness, is_timed, err);
}
