// SPDX-License-Identifier: Apache-2.0
/*
 * The reasons, and the tables and spans from which they follow. Amazon VPC User Guide, "Flow log limitations": traffic that is not
 * logged. Rows marked `assumed` are not stated there.
 */
#include <string.h>

#include "evidence/reconcile_parts.h"

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

enum { ANY = -1, TCP = 6, UDP = 17, ICMPV6 = 58 };

/* Of the remote address, or of either if it is not known which is remote. `port`: of either side. The first row that fits. */
static const struct exclusion {
	const char *cidr;
	int protocol, port;
	enum reconcile_reason reason;
} exclusions[] = {
	{"169.254.169.253/32", ANY, 53, RECONCILE_RESOLVER},
	{"fd00:ec2::253/128", ANY, 53, RECONCILE_RESOLVER},
	{"169.254.169.254/32", TCP, 80, RECONCILE_METADATA},
	{"fd00:ec2::254/128", TCP, 80, RECONCILE_METADATA}, /* assumed: AWS lists IPv4 only */
	{"169.254.169.123/32", UDP, 123, RECONCILE_TIME_SYNC},
	{"fd00:ec2::123/128", UDP, 123, RECONCILE_TIME_SYNC}, /* assumed */
	{"169.254.169.250/31", TCP, 1688, RECONCILE_ACTIVATION},
	{"fd00:ec2::250/127", TCP, 1688, RECONCILE_ACTIVATION},
	{"0.0.0.0/0", UDP, 67, RECONCILE_DHCP},
	{"0.0.0.0/0", UDP, 68, RECONCILE_DHCP},
	{"::/0", UDP, 546, RECONCILE_DHCP}, /* assumed, as 547 */
	{"::/0", UDP, 547, RECONCILE_DHCP},
	{"169.254.0.0/16", ANY, ANY, RECONCILE_LINK_LOCAL},
	{"fd00:ec2::/32", ANY, ANY, RECONCILE_LINK_LOCAL},
	{"ff00::/8", ICMPV6, ANY, RECONCILE_NEIGHBOUR},
	{"fe80::/10", ICMPV6, ANY, RECONCILE_NEIGHBOUR},
	{"fe80::/10", ANY, ANY, RECONCILE_LINK_LOCAL},
	{"224.0.0.0/4", ANY, ANY, RECONCILE_MULTICAST},
	{"255.255.255.255/32", ANY, ANY, RECONCILE_MULTICAST},
	{"ff00::/8", ANY, ANY, RECONCILE_MULTICAST},
	{"127.0.0.0/8", ANY, ANY, RECONCILE_INTERNAL},
	{"::1/128", ANY, ANY, RECONCILE_INTERNAL},
};

static bool fits(const struct exclusion *x, const struct row *row, const struct addr *remote)
{
	struct cidr cidr;

	if ((x->protocol != ANY && x->protocol != row->protocol) ||
	    (x->port != ANY && x->port != row->srcport && x->port != row->dstport))
		return false;
	return cidr_parse(x->cidr, &cidr, NULL) == 0 && cidr_has(&cidr, row->family, remote);
}

/* 169.254.169.253's twin: the base of the VPC's range + 2. Without --subnet it is known by port and last byte alone. */
static bool is_resolver(const struct reconcile *rec, const struct row *row,
			const struct addr *remote)
{
	if ((row->srcport != 53 && row->dstport != 53) || row->family != 4)
		return false;
	for (size_t i = 0; i < rec->config.n_subnets; i++) {
		const struct addr *base = &rec->config.subnets[i].addr;

		if (memcmp(base->b, remote->b, 3) == 0 && remote->b[3] == base->b[3] + 2)
			return true;
	}
	return rec->config.n_subnets == 0 && remote->b[3] == 2 &&
	       (remote->b[0] == 10 || (remote->b[0] == 172 && (remote->b[1] & 0xf0) == 16) ||
		(remote->b[0] == 192 && remote->b[1] == 168));
}

static enum reconcile_reason of_subnet(const struct reconcile *rec, const struct row *row,
				       const struct addr *remote)
{
	for (size_t i = 0; i < rec->config.n_subnets; i++) {
		const struct cidr *net = &rec->config.subnets[i];
		uint32_t host = net->bits >= 32 ? 0 : UINT32_MAX >> net->bits, base, a;

		if (net->family != 4 || row->family != 4)
			continue;
		base = (uint32_t)net->addr.b[0] << 24 | (uint32_t)net->addr.b[1] << 16 |
		       (uint32_t)net->addr.b[2] << 8 | net->addr.b[3];
		a = (uint32_t)remote->b[0] << 24 | (uint32_t)remote->b[1] << 16 |
		    (uint32_t)remote->b[2] << 8 | remote->b[3];
		if (a == base + 1)
			return RECONCILE_ROUTER;
		if (a == (base | host))
			return RECONCILE_MULTICAST;
	}
	return RECONCILE_REASONS;
}

static enum reconcile_reason excluded(const struct reconcile *rec, const struct row *row,
				      const struct addr *remote)
{
	for (size_t i = 0; i < sizeof exclusions / sizeof exclusions[0]; i++) {
		if (fits(&exclusions[i], row, remote))
			return exclusions[i].reason;
	}
	if (is_resolver(rec, row, remote))
		return RECONCILE_RESOLVER;
	return of_subnet(rec, row, remote);
}

enum reconcile_reason reasons_excluded(const struct reconcile *rec, const struct interface *iface,
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

/* Both have times here: the machine's rows have theirs moved to the witness' clock. */
enum reconcile_reason reasons_host_only(const struct reconcile *rec, const struct row *row)
{
	const struct interface *iface = &rec->ifaces[row->iface];
	const struct reconcile_interface *name = &rec->names[row->iface];
	const struct reconcile_clock *c = &rec->result.clock;
	int64_t from = (int64_t)row->start + c->applied, to = (int64_t)row->end + c->applied;
	enum reconcile_reason reason = reasons_excluded(rec, iface, row);
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
	if (spans_touch(&name->missing, from, to))
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
