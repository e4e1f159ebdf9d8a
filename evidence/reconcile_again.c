// SPDX-License-Identifier: Apache-2.0
/*
 * A second look at what did not agree flow by flow, since the two may have the same packets under different keys: fragments and
 * protocols whose ports the one records and the other does not (ports 0 0).
 *
 * What the one has too much under one key must be what the other has under another, packet and byte; else nothing is explained.
 */
#include <stdlib.h>
#include <string.h>

#include "evidence/reconcile_parts.h"

enum { AGAIN_GROUP_MAX = 128 }; /* flows between two addresses that are looked at together */

/* What the witness has more than the machine. */
struct rest {
	int64_t packets, bytes;
};

static struct rest rest_of(const struct reconcile_entry *e)
{
	int64_t packets = (int64_t)e->packets, bytes = (int64_t)e->bytes;

	if (e->is_host)
		return (struct rest){-packets, -bytes};
	return (struct rest){packets - (int64_t)e->host_packets, bytes - (int64_t)e->host_bytes};
}

/* Seconds between what the two speak of; 0: the same time, as far as stamps go. */
static int64_t distance(const struct reconcile *rec, const struct reconcile_entry *a,
			const struct reconcile_entry *b)
{
	const struct reconcile_clock *c = &rec->result.clock;
	int64_t from[2], to[2];

	if (!a->is_timed || !b->is_timed)
		return 0;
	for (int i = 0; i < 2; i++) {
		const struct reconcile_entry *e = i ? b : a;
		bool is_host = e->is_host;

		from[i] = (int64_t)e->start + (is_host ? c->applied : -(int64_t)c->late);
		to[i] = (int64_t)e->end + (is_host ? c->applied : c->early);
	}
	return from[0] > to[1] ? from[0] - to[1] : from[1] > to[0] ? from[1] - to[0] : 0;
}

static bool is_near(const struct reconcile *rec, const struct reconcile_entry *a,
		    const struct reconcile_entry *b)
{
	return distance(rec, a, b) == 0;
}

/* As near as the latest stamps that are believed let it be. */
static bool is_about(const struct reconcile *rec, const struct reconcile_entry *a,
		     const struct reconcile_entry *b)
{
	return distance(rec, a, b) <= RECONCILE_LATE_MAX_S;
}

static int64_t middle(const struct reconcile *rec, const struct reconcile_entry *e)
{
	return ((int64_t)e->start + e->end) / 2 + (e->is_host ? rec->result.clock.applied : 0);
}

/* Of two that are near: how far their stamps are apart. */
static int64_t offset_of(const struct reconcile *rec, const struct reconcile_entry *a,
			 const struct reconcile_entry *b)
{
	int64_t d = middle(rec, a) - middle(rec, b);

	return d < 0 ? -d : d;
}

static bool is_open(const struct reconcile_entry *e)
{
	return e->reason != RECONCILE_FRAGMENTS;
}

static void move(struct reconcile *rec, struct reconcile_entry *e, enum reconcile_class klass,
		 enum reconcile_reason reason)
{
	struct reconcile_sum *old = &rec->result.sums[e->klass][e->reason];

	old->flows--;
	old->packets -= e->packets;
	old->bytes -= e->bytes;
	result_count(rec, klass, reason, e->packets, e->bytes);
	e->reason = (uint8_t)reason;
	e->klass = (uint8_t)klass;
}

static void settle(struct reconcile *rec, struct reconcile_entry *e)
{
	move(rec, e, RECONCILE_COUNTS_DIFFER, RECONCILE_FRAGMENTS);
}

static int compare_addresses(const void *p, const void *q)
{
	const struct reconcile_entry *a = p, *b = q;
	int d = memcmp(&a->src, &b->src, 2 * sizeof a->src);

	if (d == 0)
		d = a->protocol - b->protocol;
	if (d == 0)
		d = a->family - b->family;
	return d ? d : a->iface - b->iface;
}

static bool has_ports(const struct reconcile_entry *e)
{
	return e->srcport || e->dstport;
}

static bool fits(const struct reconcile_entry *a, const struct reconcile_entry *b)
{
	return has_ports(a) != has_ports(b);
}

static bool cancels(struct rest a, struct rest b)
{
	return a.packets + b.packets == 0 && a.bytes + b.bytes == 0 && a.packets != 0;
}

/* Pairs of a group that cancel each other, those first that are the closest in time. */
static void settle_pairs(struct reconcile *rec, struct reconcile_entry *v, size_t n)
{
	for (;;) {
		int64_t least = INT64_MAX;
		size_t a = n, b = n;

		for (size_t i = 0; i < n; i++) {
			for (size_t k = i + 1; k < n && is_open(&v[i]); k++) {
				if (is_open(&v[k]) && fits(&v[i], &v[k]) &&
				    is_near(rec, &v[i], &v[k]) &&
				    cancels(rest_of(&v[i]), rest_of(&v[k])) &&
				    offset_of(rec, &v[i], &v[k]) < least) {
					least = offset_of(rec, &v[i], &v[k]);
					a = i;
					b = k;
				}
			}
		}
		if (a == n)
			return;
		settle(rec, &v[a]);
		settle(rec, &v[b]);
	}
}

/* One that all those near it cancel together. */
static void settle_stars(struct reconcile *rec, struct reconcile_entry *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct rest sum = {0, 0};

		for (size_t k = 0; k < n && is_open(&v[i]); k++) {
			if (k == i || !is_open(&v[k]) || !fits(&v[i], &v[k]) ||
			    !is_near(rec, &v[i], &v[k]))
				continue;
			sum.packets += rest_of(&v[k]).packets;
			sum.bytes += rest_of(&v[k]).bytes;
		}
		if (!is_open(&v[i]) || !cancels(rest_of(&v[i]), sum))
			continue;
		for (size_t k = 0; k < n; k++) {
			if (k != i && is_open(&v[k]) && fits(&v[i], &v[k]) &&
			    is_near(rec, &v[i], &v[k]))
				settle(rec, &v[k]);
		}
		settle(rec, &v[i]);
	}
}

/* Marks all that is left of a group and near the i-th, directly or by others; what they have in sum. */
static struct rest mark_around(const struct reconcile *rec, const struct reconcile_entry *v,
			       size_t n, size_t i, bool *marked)
{
	struct rest sum = rest_of(&v[i]);

	marked[i] = true;
	for (size_t k = 0; k < n; k++) {
		if (!marked[k] && is_open(&v[k]) && rest_of(&v[k]).packets != 0 &&
		    fits(&v[i], &v[k]) && is_near(rec, &v[i], &v[k])) {
			struct rest more = mark_around(rec, v, n, k, marked);

			sum.packets += more.packets;
			sum.bytes += more.bytes;
		}
	}
	return sum;
}

/* All that is left and hangs together in time, if it cancels in sum. Lines that do not tell their packets cancel nothing. */
static void settle_clusters(struct reconcile *rec, struct reconcile_entry *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool marked[AGAIN_GROUP_MAX] = {[0] = false};
		struct rest sum;

		if (!is_open(&v[i]) || rest_of(&v[i]).packets == 0)
			continue;
		sum = mark_around(rec, v, n, i, marked);
		for (size_t k = 0; k < n && sum.packets == 0 && sum.bytes == 0; k++) {
			if (marked[k])
				settle(rec, &v[k]);
		}
	}
}

/* Does the one have too little and the other too much, at the same time, and only one of them ports? */
static bool is_counterpart(const struct reconcile *rec, const struct reconcile_entry *a,
			   const struct reconcile_entry *b)
{
	return fits(a, b) && is_near(rec, a, b) &&
	       (rest_of(a).packets > 0) != (rest_of(b).packets > 0);
}

/* Packets that the machine has without ports near this one, explained or not. */
static int64_t unported_near(const struct reconcile *rec, const struct reconcile_entry *v, size_t n,
			     const struct reconcile_entry *e)
{
	int64_t packets = 0;

	for (size_t k = 0; k < n; k++) {
		if (!has_ports(&v[k]) && v[k].is_host && fits(e, &v[k]) && is_near(rec, e, &v[k]))
			packets += (int64_t)v[k].packets;
	}
	return packets;
}

/* Has this machine packets without ports of a protocol that has them? */
static bool is_fragment(const struct reconcile_entry *e)
{
	return e->is_host && !has_ports(e) && (e->protocol == 6 || e->protocol == 17);
}

/* Sums that do not come out: beside a flow that was cut, in a gap or left out, what is left of it was too; and something that
 * looks hidden may be what this machine has without ports. */
static void settle_rest(struct reconcile *rec, struct reconcile_entry *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		enum reconcile_weight weight = reconcile_reasons[v[i].reason].weight;
		bool is_beside = is_fragment(&v[i]);

		if (weight == RECONCILE_RED) {
			int64_t unported = unported_near(rec, v, n, &v[i]);

			if (unported > 0 && unported >= rest_of(&v[i]).packets)
				move(rec, &v[i], (enum reconcile_class)v[i].klass,
				     RECONCILE_UNPORTED);
		}
		if (weight != RECONCILE_UNEXPLAINED)
			continue;
		for (size_t k = 0; k < n; k++) {
			enum reconcile_weight other = reconcile_reasons[v[k].reason].weight;

			if ((other == RECONCILE_ASIDE || other == RECONCILE_UNCLEAR ||
			     v[k].reason == RECONCILE_WITNESS_SKIPPED) &&
			    is_counterpart(rec, &v[i], &v[k])) {
				move(rec, &v[i], (enum reconcile_class)v[i].klass,
				     (enum reconcile_reason)v[k].reason);
				break;
			}
			is_beside =
				is_beside || (is_fragment(&v[k]) && is_about(rec, &v[i], &v[k]));
		}
		if (reconcile_reasons[v[i].reason].weight == RECONCILE_UNEXPLAINED && is_beside)
			move(rec, &v[i], (enum reconcile_class)v[i].klass, RECONCILE_UNPORTED);
	}
}

/* ---- stamps farther apart than was measured ---- */

static int compare_flows(const void *p, const void *q)
{
	const struct reconcile_entry *a = p, *b = q;
	int d = compare_addresses(p, q);

	if (d == 0)
		d = a->srcport - b->srcport;
	if (d == 0)
		d = a->dstport - b->dstport;
	if (d == 0)
		d = (a->start > b->start) - (a->start < b->start);
	return d ? d : a->klass - b->klass;
}

static bool is_doubt(const struct reconcile_entry *e)
{
	enum reconcile_weight weight = reconcile_reasons[e->reason].weight;

	return weight == RECONCILE_RED || weight == RECONCILE_UNEXPLAINED;
}

/* Of one flow: what the one has too much the other has too, at another time. */
static void settle_sums(struct reconcile *rec, struct reconcile_entry *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct rest sum = rest_of(&v[i]);
		bool doubt = is_doubt(&v[i]);

		if (sum.packets == 0)
			continue;
		for (size_t k = i + 1; k < n && is_open(&v[i]); k++) {
			if (distance(rec, &v[k - 1], &v[k]) > RECONCILE_LATE_MAX_S)
				break;
			if (!is_open(&v[k]))
				break;
			sum.packets += rest_of(&v[k]).packets;
			sum.bytes += rest_of(&v[k]).bytes;
			doubt = doubt || is_doubt(&v[k]);
			if (sum.packets != 0 || sum.bytes != 0 || !doubt)
				continue;
			for (; i <= k; i++)
				move(rec, &v[i], (enum reconcile_class)v[i].klass,
				     RECONCILE_TIMES_APART);
			i = k;
			break;
		}
	}
}

/* Of one flow: what this machine alone has, beside a stretch that was cut, or in which packets were lost, and of which it has too
 * little. */
static void settle_cut(struct reconcile *rec, struct reconcile_entry *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0;
		     k < n && reconcile_reasons[v[i].reason].weight == RECONCILE_UNEXPLAINED; k++) {
			if ((reconcile_reasons[v[k].reason].weight == RECONCILE_ASIDE ||
			     v[k].reason == RECONCILE_CAPTURE_GAP) &&
			    rest_of(&v[i]).packets < 0 &&
			    rest_of(&v[k]).packets + rest_of(&v[i]).packets >= 0 &&
			    is_about(rec, &v[i], &v[k]))
				move(rec, &v[i], (enum reconcile_class)v[i].klass,
				     (enum reconcile_reason)v[k].reason);
		}
	}
}

static void settle_times(struct reconcile *rec, struct reconcile_entry *v, size_t n)
{
	settle_sums(rec, v, n);
	settle_cut(rec, v, n);
}

/* What looks hidden: the machine has just that, a part of it without ports, at another time. */
static void settle_unported(struct reconcile *rec, struct reconcile_entry *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct rest sum = rest_of(&v[i]);
		bool joined[AGAIN_GROUP_MAX] = {[0] = false}, has_fragment = false;

		if (reconcile_reasons[v[i].reason].weight != RECONCILE_RED || !has_ports(&v[i]))
			continue;
		for (size_t k = 0; k < n; k++) {
			bool is_same = v[k].srcport == v[i].srcport && v[k].dstport == v[i].dstport;

			joined[k] = k == i || ((is_same || is_fragment(&v[k])) && is_open(&v[k]) &&
					       is_about(rec, &v[i], &v[k]));
			if (joined[k] && k != i) {
				has_fragment = has_fragment || is_fragment(&v[k]);
				sum.packets += rest_of(&v[k]).packets;
				sum.bytes += rest_of(&v[k]).bytes;
			}
		}
		if (!has_fragment || sum.packets != 0 || sum.bytes != 0)
			continue;
		for (size_t k = 0; k < n; k++) {
			if (joined[k])
				move(rec, &v[k], (enum reconcile_class)v[k].klass,
				     RECONCILE_TIMES_APART);
		}
	}
}

static void for_groups(struct reconcile *rec, int compare(const void *, const void *),
		       int same(const struct reconcile_entry *, const struct reconcile_entry *),
		       void settle_all(struct reconcile *, struct reconcile_entry *, size_t))
{
	struct reconcile_entry *v = rec->result.entries;
	size_t n = rec->result.n_entries, i = 0;

	if (n > 1)
		qsort(v, n, sizeof *v, compare);
	while (i < n) {
		size_t k = i + 1;

		while (k < n && same(&v[i], &v[k]))
			k++;
		if (k - i <= AGAIN_GROUP_MAX)
			settle_all(rec, v + i, k - i);
		i = k;
	}
}

static int same_addresses(const struct reconcile_entry *a, const struct reconcile_entry *b)
{
	return compare_addresses(a, b) == 0;
}

static int same_flow(const struct reconcile_entry *a, const struct reconcile_entry *b)
{
	return compare_addresses(a, b) == 0 && a->srcport == b->srcport && a->dstport == b->dstport;
}

static void settle_fragments(struct reconcile *rec, struct reconcile_entry *v, size_t n)
{
	settle_pairs(rec, v, n);
	settle_stars(rec, v, n);
	settle_clusters(rec, v, n);
}

void again_resolve(struct reconcile *rec)
{
	struct reconcile_entry *v = rec->result.entries;
	size_t n = rec->result.n_entries, out = 0;

	for_groups(rec, compare_addresses, same_addresses, settle_fragments);
	for_groups(rec, compare_flows, same_flow, settle_times);
	for_groups(rec, compare_addresses, same_addresses, settle_unported);
	for_groups(rec, compare_addresses, same_addresses, settle_rest);
	for (size_t i = 0; i < n; i++) {
		if (reconcile_reasons[v[i].reason].weight != RECONCILE_FINE)
			v[out++] = v[i];
	}
	rec->result.n_entries = out;
}
