// SPDX-License-Identifier: Apache-2.0
/*
 * Boundaries: what the security groups and the network ACL at this machine's interface do with a flow. Asked once when
 * a flow opens; what is said here is the state that AWS keeps, for as long as the flow is in the table.
 *
 *     out   groups, then the subnet's ACL        in   the subnet's ACL, then groups
 */
#include <string.h>

#include "platform/bytes.h"
#include "policy/policy_rules.h"

enum { UDP = 17, ICMP = 1, ICMPV6 = 58 };

/* ---- what neither groups nor ACLs filter ---- */

/* Amazon VPC User Guide, "Network ACLs" and "Security groups": Amazon DNS, DHCP, EC2 instance metadata, ECS task metadata,
 * licence activation for Windows, Amazon Time Sync. The IPv6 twins are those of the EC2 User Guide, "link-local addresses". */
static const struct cidr services[] = {
	{{{169, 254, 169, 253}}, 4, 32}, /* DNS */
	{{{169, 254, 169, 254}}, 4, 32}, /* metadata */
	{{{169, 254, 169, 123}}, 4, 32}, /* time */
	{{{169, 254, 169, 250}}, 4, 31}, /* Windows */
	{{{169, 254, 170, 2}}, 4, 32},   /* ECS */
	{{{169, 254, 170, 23}}, 4, 32},  /* EKS */
	{{{0xfd, 0x00, 0x0e, 0xc2}}, 6, 32},
};

/* DHCP (RFC 2131, RFC 8415), in either direction, with a server of the network; neighbours and routers, IPv6's ARP (RFC 4861, types
 * 133 to 137). What is broadcast or multicast is of the link anyway. */
static bool is_upkeep(const struct policy *policy, const struct policy_context *context,
		      const struct policy_query *q)
{
	static const struct policy_place subnet = {.kind = POLICY_PLACE_SUBNET};
	unsigned low = q->port < q->initiator_port ? q->port : q->initiator_port;
	unsigned high = q->port < q->initiator_port ? q->initiator_port : q->port;

	if (q->protocol == UDP && q->has_ports)
		return ((low == 67 && high == 68) || (low == 546 && high == 547)) &&
		       policy_place_has(policy, &subnet, context, q);
	return q->protocol == ICMPV6 && q->has_icmp && q->icmp_type >= 133 && q->icmp_type <= 137;
}

/* The first address above the network's is reserved for the router, in both families. */
static bool is_router(const struct cidr *net, const struct policy_query *q)
{
	struct addr router = net->addr;

	router.b[net->family == 4 ? 3 : 15] |= 1;
	return net->family == q->family && net->bits < (net->family == 4 ? 32 : 128) &&
	       memcmp(&router, &q->remote, sizeof router) == 0;
}

/*
 * The resolver of the VPC is at the base of its primary network plus two. That network is not known here; but it has 16
 * addresses at least, and the third of each subnet is reserved too, so no name server of one's own has such an address.
 */
static bool is_vpc_resolver(const struct policy_context *context, const struct policy_query *q)
{
	if (q->family != 4 || (q->remote.b[3] & 15) != 2 || (q->has_ports && q->port != 53))
		return false;
	for (size_t i = 0; i < context->n_resolvers; i++) {
		if (cidr_has(&context->resolvers[i], q->family, &q->remote))
			return true;
	}
	return false;
}

static bool is_unfiltered(const struct policy *policy, const struct policy_context *context,
			  const struct policy_query *q)
{
	static const struct policy_place link = {.kind = POLICY_PLACE_LINK};

	for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
		if (cidr_has(&services[i], q->family, &q->remote))
			return true;
	}
	for (size_t i = 0; i < context->n_subnets; i++) {
		if (is_router(&context->subnets[i], q))
			return true;
	}
	return is_upkeep(policy, context, q) || is_vpc_resolver(context, q) ||
	       policy_place_has(policy, &link, context, q);
}

/* ---- the packet that answers ---- */

/* What an ICMP message is answered with; 256: with nothing that has a type of its own. */
static unsigned answer_type(const struct policy_query *q)
{
	static const uint8_t pairs[][3] = {
		{ICMP, 8, 0},   {ICMP, 13, 14},     {ICMP, 15, 16},
		{ICMP, 17, 18}, {ICMPV6, 128, 129}, {ICMPV6, 139, 140},
	};

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		if (q->protocol == pairs[i][0] && q->icmp_type == pairs[i][1])
			return pairs[i][2];
	}
	return 256;
}

static struct policy_query answer(const struct policy_query *q)
{
	struct policy_query back = *q;
	unsigned type = answer_type(q);

	back.has_icmp = q->has_icmp && type < 256;
	back.icmp_type = (uint8_t)type;
	back.icmp_code = 0;
	return back;
}

/* ---- rules ---- */

/* The first rule of a boundary that takes the packet, else what stands for the rest. */
static uint16_t decide(const struct policy *policy, enum policy_kind kind,
		       const struct policy_context *context, bool out,
		       const struct policy_query *packet, uint16_t port)
{
	uint16_t rest = 0;

	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->kind != kind)
			continue;
		if (rule->is_rest)
			rest = (uint16_t)(i + 1);
		if (rule->is_rest || !policy_rule_concerns(policy, rule, out, packet, port))
			continue;
		for (size_t p = 0; p < rule->n_places; p++) {
			if (policy_place_has(policy, &policy->places[rule->places + p], context,
					     packet))
				return (uint16_t)(i + 1);
		}
	}
	return rest;
}

static bool refuses(const struct policy *policy, uint16_t rule)
{
	return rule && policy->rules[rule - 1].refuses;
}

/* ACLs stand between subnets. */
static bool meets_acl(const struct policy *policy, const struct policy_context *context,
		      const struct policy_query *q)
{
	static const struct policy_place subnet = {.kind = POLICY_PLACE_SUBNET};

	return policy->acls && !policy_place_has(policy, &subnet, context, q);
}

bool policy_has_boundary(const struct policy *policy)
{
	return policy->groups || policy->acls;
}

void policy_cross(const struct policy *policy, const struct policy_context *context,
		  const struct policy_query *q, struct policy_crossing *ret)
{
	struct policy_query packets[2] = {*q, answer(q)};
	uint16_t group[2] = {0, 0}, acl[2] = {0, 0}, first, second;

	*ret = (struct policy_crossing){.action = {FLOWREC_ACCEPT, FLOWREC_ACCEPT}};
	if (!policy_has_boundary(policy) || q->initiator_local == q->responder_local ||
	    is_unfiltered(policy, context, q))
		return;
	for (unsigned d = 0; d < 2; d++) {
		bool out = q->initiator_local == (d == 0);
		uint16_t port = d == 0 ? q->port : q->initiator_port;

		if (d == 1 && group[0] && !refuses(policy, group[0]))
			group[1] = group[0]; /* tracked */
		else if (policy->groups)
			group[d] = decide(policy, POLICY_GROUP, context, out, &packets[d], port);
		if (meets_acl(policy, context, q))
			acl[d] = decide(policy, POLICY_ACL, context, out, &packets[d], port);
		first = out ? group[d] : acl[d];
		second = out ? acl[d] : group[d];
		ret->action[d] = refuses(policy, first) || refuses(policy, second) ? FLOWREC_REJECT
										   : FLOWREC_ACCEPT;
		/* Who refused, or the group's rule: an ACL's says less. */
		ret->rule[d] = refuses(policy, first)    ? first
			       : refuses(policy, second) ? second
			       : group[d]                ? group[d]
							 : acl[d];
	}
}
