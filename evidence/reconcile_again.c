// SPDX-License-Identifier: Apache-2.0
/*
 * A second look at what did not agree flow by flow, since the two may have the same packets under different keys:
 *
 * - fragments and protocols whose ports the one records and the other does not (ports 0 0);
 * - Flow Logs without pkt-* fields, which say the interface's primary address where the packet had a secondary one.
 *
 * What the one has too much under one key must be what the other has under another, packet and byte; else nothing is explained.
 */
#include <stdlib.h>
#include <string.h>

#include "evidence/reconcile_parts.h"

enum { AGAIN_GROUP_MAX = 4096 }; /* flows between two addresses that are looked at together */

/* What the witness has more than the machine. */
struct rest {
	int64_t packets, bytes;
};

static struct rest rest_of(const struct reconcile_entry *e)
{
	int64_t packets = (int64_t)e->packets, bytes = (int64_t)e->bytes;

	if (e->klass == RECONCILE_HOST_ONLY)
		return (struct rest){-packets, -bytes};
	return (struct rest){packets - (int64_t)e->host_packets, bytes - (int64_t)e->host_bytes};
}

/* Their lines may speak of the same time. */
static bool is_near(const struct reconcile *rec, const struct reconcile_entry *a,
		    const struct reconcile_entry *b)
{
	int64_t off = rec->result.clock.applied;
	int64_t near = RECONCILE_LATE_MAX_S + (off < 0 ? -off : off);

	return !a->is_timed || !b->is_timed ||
	       ((int64_t)a->start <= (int64_t)b->end + near &&
		(int64_t)b->start <= (int64_t)a->end + near);
}

static bool is_open(const struct reconcile_entry *e)
{
	return reconcile_reasons[e->reason].weight != RECONCILE_FINE;
}

/* It is explained now: from the sums of its old reason to those of the new one. */
static void settle(struct reconcile *rec, struct reconcile_entry *e, enum reconcile_reason reason)
{
	struct reconcile_sum *old = &rec->result.sums[e->klass][e->reason];

	old->flows--;
	old->packets -= e->packets;
	old->bytes -= e->bytes;
	/* Each packet once: the witness' side of it is what both have. */
	if (e->klass != RECONCILE_HOST_ONLY)
		result_count(rec, RECONCILE_COUNTS_DIFFER, reason, e->packets, e->bytes);
	e->reason = (uint8_t)reason;
}

typedef bool fit_fn(const struct reconcile *rec, const struct reconcile_entry *a,
		    const struct reconcile_entry *b);

static bool cancels(struct rest a, struct rest b)
{
	return a.packets + b.packets == 0 && a.bytes + b.bytes == 0 && a.packets != 0;
}

/* Pairs of a group that cancel each other. */
static void settle_pairs(struct reconcile *rec, struct reconcile_entry *v, size_t n, fit_fn *fit,
			 enum reconcile_reason reason)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = i + 1; k < n && is_open(&v[i]); k++) {
			if (!is_open(&v[k]) || !is_near(rec, &v[i], &v[k]) ||
			    !fit(rec, &v[i], &v[k]) || !cancels(rest_of(&v[i]), rest_of(&v[k])))
				continue;
			settle(rec, &v[i], reason);
			settle(rec, &v[k], reason);
		}
	}
}

/* All that is left of a group, if it cancels in sum and each of it fits another. */
static void settle_group(struct reconcile *rec, struct reconcile_entry *v, size_t n, fit_fn *fit,
			 enum reconcile_reason reason)
{
	struct rest sum = {0, 0};
	size_t open = 0;

	for (size_t i = 0; i < n; i++) {
		struct rest rest = rest_of(&v[i]);
		bool fits = false;

		if (!is_open(&v[i]))
			continue;
		for (size_t k = 0; k < n && !fits; k++)
			fits = k != i && is_open(&v[k]) && is_near(rec, &v[i], &v[k]) &&
			       fit(rec, &v[i], &v[k]);
		if (!fits)
			return;
		sum.packets += rest.packets;
		sum.bytes += rest.bytes;
		open++;
	}
	if (open < 2 || sum.packets != 0 || sum.bytes != 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (is_open(&v[i]))
			settle(rec, &v[i], reason);
	}
}

static void settle_all(struct reconcile *rec, int compare(const void *, const void *), fit_fn *fit,
		       enum reconcile_reason reason)
{
	struct reconcile_entry *v = rec->result.entries;
	size_t n = rec->result.n_entries, i = 0;

	if (n > 1)
		qsort(v, n, sizeof *v, compare);
	while (i < n) {
		size_t k = i + 1;

		while (k < n && compare(&v[i], &v[k]) == 0)
			k++;
		if (k - i > 1 && k - i <= AGAIN_GROUP_MAX) {
			settle_pairs(rec, v + i, k - i, fit, reason);
			settle_group(rec, v + i, k - i, fit, reason);
		}
		i = k;
	}
}

/* ---- fragments ---- */

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

static bool fit_ports(const struct reconcile *rec, const struct reconcile_entry *a,
		      const struct reconcile_entry *b)
{
	(void)rec;
	return has_ports(a) != has_ports(b);
}

/* ---- secondary addresses ---- */

/* Remote address, ports, protocol, direction: the machine's own address is left out. */
static const struct addr *remote_of(const struct reconcile_entry *e)
{
	return e->direction == FLOWREC_EGRESS ? &e->dst : &e->src;
}

static const struct addr *local_of(const struct reconcile_entry *e)
{
	return e->direction == FLOWREC_EGRESS ? &e->src : &e->dst;
}

static int compare_remote(const void *p, const void *q)
{
	const struct reconcile_entry *a = p, *b = q;
	int d = a->iface - b->iface;

	if (d == 0)
		d = a->direction - b->direction;
	if (d == 0)
		d = memcmp(remote_of(a), remote_of(b), sizeof(struct addr));
	if (d == 0)
		d = a->srcport - b->srcport;
	if (d == 0)
		d = a->dstport - b->dstport;
	if (d == 0)
		d = a->protocol - b->protocol;
	return d ? d : a->family - b->family;
}

/* The address of the flow that Flow Logs have too much of stands for the one of the flow that the machine has. */
static bool fit_address(const struct reconcile *rec, const struct reconcile_entry *a,
			const struct reconcile_entry *b)
{
	const struct interface *iface = &rec->ifaces[a->iface];

	return a->direction != FLOWREC_DIRECTION_UNKNOWN && !a->is_pkt && !b->is_pkt &&
	       memcmp(local_of(a), local_of(b), sizeof(struct addr)) != 0 &&
	       ifaces_has_local(iface, a->family, local_of(a)) &&
	       ifaces_has_local(iface, b->family, local_of(b));
}

void again_resolve(struct reconcile *rec)
{
	size_t out = 0;

	settle_all(rec, compare_addresses, fit_ports, RECONCILE_FRAGMENTS);
	settle_all(rec, compare_remote, fit_address, RECONCILE_ADDRESS);
	for (size_t i = 0; i < rec->result.n_entries; i++) {
		if (is_open(&rec->result.entries[i]))
			rec->result.entries[out++] = rec->result.entries[i];
	}
	rec->result.n_entries = out;
}
