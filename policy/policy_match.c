// SPDX-License-Identifier: Apache-2.0
/*
 * Judges flows by a policy: the rules are tried in the order of the file, the first that matches
 * decides. Asked once per new flow, so a plain walk is enough.
 */
#include "policy/policy.h"

#include "platform/bytes.h"
#include "policy/policy_rules.h"

static bool in_list(const struct cidr *list, size_t n, const struct policy_query *q)
{
	for (size_t i = 0; i < n; i++) {
		if (cidr_has(&list[i], q->family, &q->remote))
			return true;
	}
	return false;
}

static bool in_endpoints(const struct endpoint *list, size_t n, const struct policy_query *q)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i].family == q->family &&
		    memcmp(&list[i].addr, &q->remote, sizeof q->remote) == 0 &&
		    (!q->has_ports || list[i].port == q->port))
			return true;
	}
	return false;
}

/* What no router passes on: 224.0.0.0/24 (RFC 5771), 255.255.255.255 (RFC 919), ff02::/16 and
 * fe80::/10 (RFC 4291). Not 169.254.0.0/16: cloud services live there. */
static bool is_link(const struct policy_query *q)
{
	const uint8_t *b = q->remote.b;

	if (q->family == 6)
		return (b[0] == 0xff && b[1] == 0x02) || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
	return be32(b) >> 8 == 0xe00000 || be32(b) == 0xffffffff;
}

static bool any_name_fits(const char *pattern, const struct policy_query *q)
{
	for (size_t i = 0; i < q->n_names; i++) {
		if (policy_name_fits(pattern, q->names[i]))
			return true;
	}
	return false;
}

const struct cidr *policy_set_find(const struct policy *policy, const struct policy_set *set,
				   uint8_t family, const struct addr *addr)
{
	size_t low = set->at, high = set->at + set->n; /* the last that does not begin beyond it */

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct cidr *c = &policy->prefixes[mid];

		if (c->family < family ||
		    (c->family == family && memcmp(c->addr.b, addr->b, sizeof addr->b) <= 0))
			low = mid + 1;
		else
			high = mid;
	}
	if (low == set->at || !cidr_has(&policy->prefixes[low - 1], family, addr))
		return NULL;
	return &policy->prefixes[low - 1];
}

bool policy_place_has(const struct policy *policy, const struct policy_place *place,
		      const struct policy_context *context, const struct policy_query *q)
{
	switch (place->kind) {
	case POLICY_PLACE_CIDR: return cidr_has(&place->cidr, q->family, &q->remote);
	case POLICY_PLACE_ANY: return true;
	case POLICY_PLACE_SUBNET: return in_list(context->subnets, context->n_subnets, q);
	case POLICY_PLACE_LOCAL: return in_list(context->local, context->n_local, q);
	case POLICY_PLACE_COLLECTOR:
		return in_endpoints(context->collectors, context->n_collectors, q);
	case POLICY_PLACE_CANARY: return in_endpoints(context->canary, context->n_canary, q);
	case POLICY_PLACE_RESOLVER: return in_list(context->resolvers, context->n_resolvers, q);
	case POLICY_PLACE_LINK: return is_link(q);
	case POLICY_PLACE_NAME: return any_name_fits(&policy->texts[place->at], q);
	case POLICY_PLACE_SET:
		return policy_set_find(policy, &policy->sets[place->at], q->family, &q->remote);
	}
	return false;
}

/* A number that is not known is not compared. */
static bool in_ranges(const struct policy *policy, const struct policy_rule *rule,
		      const struct policy_query *q, uint16_t port)
{
	unsigned number = rule->is_types ? (unsigned)q->icmp_type << 8 | q->icmp_code : port;

	if (rule->n_ports == 0 || !(rule->is_types ? q->has_icmp : q->has_ports))
		return true;
	for (size_t i = 0; i < rule->n_ports; i++) {
		const struct policy_ports *range = &policy->ports[rule->ports + i];

		if (range->low <= number && number <= range->high)
			return true;
	}
	return false;
}

bool policy_rule_concerns(const struct policy *policy, const struct policy_rule *rule, bool out,
			  const struct policy_query *q, uint16_t port)
{
	return rule->out == out && (rule->protocols[q->protocol / 8] & 1U << q->protocol % 8) &&
	       in_ranges(policy, rule, q, port);
}

/* *ret_named: one of its places is a name. */
static bool rule_has_place(const struct policy *policy, const struct policy_rule *rule,
			   const struct policy_context *context, const struct policy_query *q,
			   bool *ret_named)
{
	*ret_named = false;
	for (size_t i = 0; i < rule->n_places; i++) {
		const struct policy_place *place = &policy->places[rule->places + i];

		if (policy_place_has(policy, place, context, q))
			return true;
		*ret_named |= place->kind == POLICY_PLACE_NAME;
	}
	return false;
}

bool policy_has_names(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_places; i++) {
		if (policy->places[i].kind == POLICY_PLACE_NAME)
			return true;
	}
	return false;
}

void policy_judge(const struct policy *policy, const struct policy_context *context,
		  const struct policy_query *query, struct policy_ruling *ret)
{
	bool named, may_help = false;

	*ret = (struct policy_ruling){.verdict = FLOWREC_VERDICT_NONE};
	if (!query->initiator_local && !query->responder_local)
		return;
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->kind > POLICY_BREACH ||
		    !policy_rule_concerns(policy, rule, query->initiator_local, query, query->port))
			continue;
		if (rule_has_place(policy, rule, context, query, &named)) {
			ret->rule = (uint16_t)(i + 1);
			if (rule->kind == POLICY_BREACH)
				break;
			ret->verdict =
				rule->kind == POLICY_WATCH ? FLOWREC_WATCHED : FLOWREC_EXPECTED;
			return;
		}
		may_help |= named && rule->kind != POLICY_BREACH;
	}
	ret->verdict =
		query->initiator_local ? FLOWREC_UNEXPECTED_EGRESS : FLOWREC_UNEXPECTED_INBOUND;
	ret->name_may_help = may_help;
}
