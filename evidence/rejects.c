// SPDX-License-Identifier: Apache-2.0
/*
 * REJECT lines, summed by interface, source and destination: see rejects.h.
 */
#include "evidence/rejects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/reconcile_parts.h"
#include "evidence/table.h"

struct item {
	struct addr src, dst;
	uint32_t iface, family;
	/* the key ends here */
	uint64_t lines, packets, bytes, start, end;
	uint32_t hours[REJECTS_HOURS];
	struct rejects_port ports[REJECTS_PORTS];
	uint32_t n_ports;
	uint8_t direction;
	bool more_ports;
};

struct rejects {
	struct table *table;
	struct rejects_totals totals;
	uint32_t *order; /* of the table's items, as rejects_list put them */
	size_t n_ifaces, last;
	char names[RECONCILE_INTERFACES_MAX][REJECTS_NAME_MAX];
	struct interface ifaces[RECONCILE_INTERFACES_MAX];
};

enum { KEY_BYTES = 2 * 16 + 8, SECONDS_AN_HOUR = 3600 };

int rejects_new(struct rejects **ret)
{
	struct rejects *rejects = calloc(1, sizeof *rejects);

	if (!rejects ||
	    table_new(&rejects->table, sizeof(struct item), KEY_BYTES, REJECTS_PAIRS_MAX) < 0) {
		free(rejects);
		return -ENOMEM;
	}
	*ret = rejects;
	return 0;
}

void rejects_free(struct rejects *rejects)
{
	if (!rejects)
		return;
	for (size_t i = 0; i < rejects->n_ifaces; i++)
		ifaces_fini(&rejects->ifaces[i]);
	table_free(rejects->table);
	free(rejects->order);
	free(rejects);
}

const struct rejects_totals *rejects_totals(const struct rejects *rejects)
{
	return &rejects->totals;
}

/* The number of an interface; the last one stands for all beyond. */
static size_t find_interface(struct rejects *r, const struct flowrec_span *name)
{
	const char *text = name->p ? name->p : "-";
	size_t len = name->p ? name->len : 1, i = 0;

	if (len >= REJECTS_NAME_MAX)
		len = REJECTS_NAME_MAX - 1;
	if (r->n_ifaces > 0 && strlen(r->names[r->last]) == len &&
	    memcmp(r->names[r->last], text, len) == 0)
		return r->last;
	while (i < r->n_ifaces &&
	       (strlen(r->names[i]) != len || memcmp(r->names[i], text, len) != 0))
		i++;
	if (i == RECONCILE_INTERFACES_MAX)
		i--;
	if (i == r->n_ifaces) {
		memcpy(r->names[i], text, len);
		r->n_ifaces++;
	}
	return r->last = i;
}

static void count_port(struct item *item, const struct flowrec *rec)
{
	size_t i = 0;

	while (i < item->n_ports &&
	       (item->ports[i].port != rec->dstport || item->ports[i].protocol != rec->protocol))
		i++;
	if (i == REJECTS_PORTS) {
		item->more_ports = true;
		return;
	}
	if (i == item->n_ports)
		item->ports[item->n_ports++] =
			(struct rejects_port){0, rec->dstport, rec->protocol};
	item->ports[i].packets += rec->packets;
}

static int count(struct rejects *r, const struct item *key, const struct flowlogs_record *record)
{
	const struct flowrec *rec = &record->rec;
	struct item *item;
	int rc;

	r->totals.lines++;
	r->totals.packets += rec->packets;
	r->totals.bytes += rec->bytes;
	rc = table_take(r->table, key, (void **)&item);
	if (rc < 0)
		return rc;
	if (!item) {
		r->totals.left_out++;
		return 0;
	}
	item->lines++;
	item->packets += rec->packets;
	item->bytes += rec->bytes;
	item->direction = rec->direction;
	count_port(item, rec);
	if (!(record->has & FLOWLOGS_HAS_START) || !(record->has & FLOWLOGS_HAS_END))
		return 0;
	item->hours[rec->start / SECONDS_AN_HOUR % REJECTS_HOURS]++;
	if (item->start == 0 || rec->start < item->start)
		item->start = rec->start;
	if (rec->end > item->end)
		item->end = rec->end;
	return 0;
}

int rejects_take(struct rejects *r, const struct flowlogs_record *record)
{
	const struct flowrec *rec = &record->rec;
	bool is_pkt = record->has & FLOWLOGS_HAS_PKT_SRC && record->has & FLOWLOGS_HAS_PKT_DST &&
		      record->pkt_src_family == record->pkt_dst_family;
	struct item key = {.family = is_pkt ? record->pkt_src_family : rec->family};
	struct row row;

	if (rec->status != FLOWREC_OK || !(record->has & FLOWLOGS_HAS_ACTION) || key.family == 0 ||
	    (!is_pkt && (!(record->has & FLOWLOGS_HAS_SRC) || !(record->has & FLOWLOGS_HAS_DST)))) {
		r->totals.unusable += rec->status == FLOWREC_OK;
		return 0;
	}
	key.src = is_pkt ? record->pkt_src : rec->src;
	key.dst = is_pkt ? record->pkt_dst : rec->dst;
	key.iface = (uint32_t)find_interface(r, &record->interface);
	row = (struct row){.src = key.src,
			   .dst = key.dst,
			   .family = (uint8_t)key.family,
			   .flags = rec->direction == FLOWREC_INGRESS  ? ROW_INGRESS
				    : rec->direction == FLOWREC_EGRESS ? ROW_EGRESS
								       : 0};
	if (ifaces_learn(&r->ifaces[key.iface], &row) < 0)
		return -ENOMEM;
	if (rec->action == FLOWREC_REJECT)
		return count(r, &key, record);
	r->totals.accepted++;
	return 0;
}

/* ---- the list ---- */

static int compare_ports(const void *p, const void *q)
{
	const struct rejects_port *a = p, *b = q;

	if (a->packets != b->packets)
		return (a->packets < b->packets) - (a->packets > b->packets);
	return a->port != b->port ? a->port - b->port : a->protocol - b->protocol;
}

static enum flowrec_direction direction_of(const struct rejects *r, const struct item *item)
{
	const struct row row = {.src = item->src,
				.dst = item->dst,
				.family = (uint8_t)item->family,
				.flags = item->direction == FLOWREC_INGRESS  ? ROW_INGRESS
					 : item->direction == FLOWREC_EGRESS ? ROW_EGRESS
									     : 0};

	return ifaces_direction(&r->ifaces[item->iface], &row);
}

struct rejects_remote rejects_at(const struct rejects *r, size_t i)
{
	const struct item *item = table_at(r->table, r->order[i]);
	bool is_out = item->direction == FLOWREC_EGRESS;
	struct rejects_remote ret = {.local = is_out ? item->src : item->dst,
				     .remote = is_out ? item->dst : item->src,
				     .lines = item->lines,
				     .packets = item->packets,
				     .bytes = item->bytes,
				     .start = item->start,
				     .end = item->end,
				     .n_ports = item->n_ports,
				     .more_ports = item->more_ports,
				     .family = (uint8_t)item->family,
				     .direction = item->direction};

	memcpy(ret.hours, item->hours, sizeof ret.hours);
	memcpy(ret.ports, item->ports, sizeof ret.ports);
	memcpy(ret.interface, r->names[item->iface], sizeof ret.interface);
	qsort(ret.ports, ret.n_ports, sizeof ret.ports[0], compare_ports);
	return ret;
}

static int compare_addrs(const struct item *a, const struct item *b, bool is_src)
{
	return memcmp(is_src ? &a->src : &a->dst, is_src ? &b->src : &b->dst, sizeof a->src);
}

static int compare_items(const void *p, const void *q, void *ctx)
{
	const struct rejects *r = ctx;
	const struct item *a = table_at(r->table, *(const uint32_t *)p),
			  *b = table_at(r->table, *(const uint32_t *)q);
	bool out_a = a->direction == FLOWREC_EGRESS, out_b = b->direction == FLOWREC_EGRESS;
	int d;

	if (out_a != out_b)
		return out_b - out_a;
	if (a->packets != b->packets)
		return (a->packets < b->packets) - (a->packets > b->packets);
	d = compare_addrs(a, b, !out_a); /* the remote one */
	if (d == 0)
		d = compare_addrs(a, b, out_a);
	return d ? d : strcmp(r->names[a->iface], r->names[b->iface]);
}

int rejects_list(struct rejects *r, uint64_t min_packets, size_t *ret_n)
{
	size_t all = table_count(r->table), n = 0;

	free(r->order);
	r->order = calloc(all + 1, sizeof r->order[0]);
	if (!r->order)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_ifaces; i++) {
		if (ifaces_find_locals(&r->ifaces[i]) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < all; i++) {
		struct item *item = table_at(r->table, i);

		item->direction = (uint8_t)direction_of(r, item);
		if ((item->packets ? item->packets : item->lines) >= min_packets)
			r->order[n++] = (uint32_t)i;
	}
	qsort_r(r->order, n, sizeof r->order[0], compare_items, r);
	*ret_n = n;
	return 0;
}

const char *rejects_pattern(const struct rejects_remote *remote)
{
	if (remote->n_ports >= REJECTS_SCAN_PORTS)
		return "scan";
	return remote->packets >= REJECTS_INSIST_PACKETS ? "insistent" : "knock";
}
