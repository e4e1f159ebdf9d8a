// SPDX-License-Identifier: Apache-2.0
/*
 * unlogged: see unlogged.h. Rows marked `assumed` are not stated by Amazon.
 */
#include "evidence/unlogged.h"

#include <string.h>

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

enum { EXCLUSIONS = sizeof exclusions / sizeof exclusions[0] };

/* The table's, read once: every record is asked for. */
static const struct cidr *cidrs(void)
{
	static struct cidr read[EXCLUSIONS];
	static bool is_read;

	for (size_t i = 0; !is_read && i < EXCLUSIONS; i++)
		(void)cidr_parse(exclusions[i].cidr, &read[i], NULL);
	is_read = true;
	return read;
}

static bool fits(const struct exclusion *x, const struct cidr *cidr, const struct unlogged_query *q)
{
	if ((x->protocol != ANY && x->protocol != q->protocol) ||
	    (x->port != ANY && x->port != q->srcport && x->port != q->dstport))
		return false;
	return cidr_has(cidr, q->family, q->remote);
}

/* 169.254.169.253's twin: the base of the VPC's range + 2. Without --subnet it is known by port and last byte alone. */
static bool is_resolver(const struct unlogged_query *q)
{
	if ((q->srcport != 53 && q->dstport != 53) || q->family != 4)
		return false;
	for (size_t i = 0; i < q->n_subnets; i++) {
		const struct addr *base = &q->subnets[i].addr;

		if (memcmp(base->b, q->remote->b, 3) == 0 && q->remote->b[3] == base->b[3] + 2)
			return true;
	}
	return q->n_subnets == 0 && q->remote->b[3] == 2 &&
	       (q->remote->b[0] == 10 ||
		(q->remote->b[0] == 172 && (q->remote->b[1] & 0xf0) == 16) ||
		(q->remote->b[0] == 192 && q->remote->b[1] == 168));
}

static enum reconcile_reason of_subnet(const struct unlogged_query *q)
{
	for (size_t i = 0; i < q->n_subnets; i++) {
		const struct cidr *net = &q->subnets[i];
		uint32_t host = net->bits >= 32 ? 0 : UINT32_MAX >> net->bits, base, a;

		if (net->family != 4 || q->family != 4)
			continue;
		base = (uint32_t)net->addr.b[0] << 24 | (uint32_t)net->addr.b[1] << 16 |
		       (uint32_t)net->addr.b[2] << 8 | net->addr.b[3];
		a = (uint32_t)q->remote->b[0] << 24 | (uint32_t)q->remote->b[1] << 16 |
		    (uint32_t)q->remote->b[2] << 8 | q->remote->b[3];
		if (a == base + 1)
			return RECONCILE_ROUTER;
		if (a == (base | host))
			return RECONCILE_MULTICAST;
	}
	return RECONCILE_REASONS;
}

enum reconcile_reason unlogged_reason(const struct unlogged_query *q)
{
	const struct cidr *table = cidrs();

	for (size_t i = 0; i < EXCLUSIONS; i++) {
		if (fits(&exclusions[i], &table[i], q))
			return exclusions[i].reason;
	}
	if (is_resolver(q))
		return RECONCILE_RESOLVER;
	return of_subnet(q);
}

bool unlogged_record(const struct flowrec *rec)
{
	struct unlogged_query query = {.family = rec->family,
				       .protocol = rec->protocol,
				       .srcport = rec->srcport,
				       .dstport = rec->dstport};
	bool is_it = false;

	if (rec->status != FLOWREC_OK)
		return false;
	query.remote = &rec->dst;
	if (rec->direction != FLOWREC_INGRESS)
		is_it = unlogged_reason(&query) != RECONCILE_REASONS;
	query.remote = &rec->src;
	if (rec->direction != FLOWREC_EGRESS)
		is_it = is_it || unlogged_reason(&query) != RECONCILE_REASONS;
	return is_it;
}
