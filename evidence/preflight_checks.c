// SPDX-License-Identifier: Apache-2.0
/*
 * The checks of a preflight: each says fine, bad, or unknown where no file tells.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/preflight_parts.h"

#define CHECK(id) PREFLIGHT_CHECK_##id

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool is_member_true(const struct json_value *object, const char *key)
{
	const struct json_value *v = json_member(object, key);

	return v && v->kind == JSON_TRUE;
}

/* ---- Flow Logs ---- */

static bool covers(const struct json_value *log, const struct subject *s)
{
	const char *id = room_text(log, "ResourceId");

	return *id && (is(id, s->eni) || is(id, s->subnet) || is(id, s->vpc));
}

static void check_format(struct room *room, const struct subject *s, const struct json_value *log)
{
	static const char *const wanted[] = {"pkt-srcaddr", "pkt-dstaddr", "flow-direction",
					     "tcp-flags"};
	const char *format = room_text(log, "LogFormat"), *id = room_text(log, "FlowLogId");
	char missing[96] = "", name[32];

	for (size_t i = 0; *format && i < sizeof wanted / sizeof wanted[0]; i++) {
		(void)snprintf(name, sizeof name, "${%s}", wanted[i]);
		if (!strstr(format, name)) {
			strncat(missing, *missing ? ", " : "",
				sizeof missing - strlen(missing) - 1);
			strncat(missing, wanted[i], sizeof missing - strlen(missing) - 1);
		}
	}
	if (!*format)
		preflight_add(room, s, s->eni, CHECK(FLOW_LOG_FIELDS), PREFLIGHT_UNKNOWN,
			      "the format of %s is not told", id);
	else
		preflight_add(room, s, s->eni, CHECK(FLOW_LOG_FIELDS),
			      *missing ? PREFLIGHT_WARN : PREFLIGHT_FINE,
			      *missing ? "%s lacks %s" : "%s has %s", id,
			      *missing ? missing
				       : "the fields that tell packets, direction and flags");
}

static void check_delivery(struct room *room, const struct subject *s, const struct json_value *log)
{
	const char *id = room_text(log, "FlowLogId"), *status = room_text(log, "FlowLogStatus");
	const char *delivered = room_text(log, "DeliverLogsStatus");
	const char *why = room_text(log, "DeliverLogsErrorMessage");

	if ((*status && !is(status, "ACTIVE")) || is(delivered, "FAILED") || *why)
		preflight_add(room, s, s->eni, CHECK(FLOW_LOG_DELIVERY), PREFLIGHT_BAD,
			      "%s is %s, delivery %s%s%s", id,
			      *status ? status : "of unknown state",
			      *delivered ? delivered : "unknown", *why ? ": " : "", why);
	else if (!*delivered)
		preflight_add(room, s, s->eni, CHECK(FLOW_LOG_DELIVERY), PREFLIGHT_UNKNOWN,
			      "whether %s delivers is not told: nothing was delivered yet, perhaps",
			      id);
	else
		preflight_add(room, s, s->eni, CHECK(FLOW_LOG_DELIVERY), PREFLIGHT_FINE,
			      "%s delivers", id);
}

static void check_covering(struct room *room, const struct subject *s)
{
	const struct room_objects *logs = &room->lists[ROOM_FLOW_LOGS];
	bool accepts = false, rejects = false, minute = false;
	size_t n = 0;

	for (size_t i = 0; i < logs->n; i++) {
		const struct json_value *log = logs->v[i];
		const char *traffic = room_text(log, "TrafficType");

		if (!covers(log, s))
			continue;
		n++;
		accepts = accepts || !is(traffic, "REJECT");
		rejects = rejects || !is(traffic, "ACCEPT");
		minute = minute || is(room_text(log, "MaxAggregationInterval"), "60");
		check_format(room, s, log);
		check_delivery(room, s, log);
	}
	preflight_add(
		room, s, s->eni, CHECK(FLOW_LOG), n ? PREFLIGHT_FINE : PREFLIGHT_BAD,
		n ? "%zu flow logs cover it, its subnet or its VPC" : "%zu flow logs cover it", n);
	if (n == 0)
		return;
	preflight_add(room, s, s->eni, CHECK(FLOW_LOG_TRAFFIC),
		      accepts && rejects ? PREFLIGHT_FINE : PREFLIGHT_BAD,
		      accepts && rejects ? "what is let through and what is refused is logged"
		      : accepts          ? "what is refused is not logged"
					 : "what is let through is not logged");
	preflight_add(room, s, s->eni, CHECK(FLOW_LOG_INTERVAL),
		      minute ? PREFLIGHT_FINE : PREFLIGHT_WARN,
		      minute ? "windows of a minute" : "windows of up to 600 seconds");
}

void preflight_flow_logs(struct room *room, const struct subject *s)
{
	if (!room->lists[ROOM_FLOW_LOGS].is_known || !*s->eni)
		preflight_add(room, s, s->eni, CHECK(FLOW_LOG), PREFLIGHT_UNKNOWN, "%s",
			      *s->eni ? "no output of describe-flow-logs is there"
				      : "no output of describe-instances or "
					"describe-network-interfaces is there");
	else
		check_covering(room, s);
}

/* ---- security groups ---- */

static bool has_range(const struct json_value *permission, const char *list, const char *key,
		      const char *cidr)
{
	for (const struct json_value *r = room_items(permission, list); r; r = r->next) {
		if (is(room_text(r, key), cidr))
			return true;
	}
	return false;
}

/* Which of the directions is open to everybody. */
static bool is_open(const struct json_value *group, const char *list, bool v6)
{
	for (const struct json_value *p = room_items(group, list); p; p = p->next) {
		if (v6 ? has_range(p, "Ipv6Ranges", "CidrIpv6", "::/0")
		       : has_range(p, "IpRanges", "CidrIp", "0.0.0.0/0"))
			return true;
	}
	return false;
}

/* May TCP to the collector leave by this rule? */
static bool lets_out(const struct json_value *p, const struct endpoint *to)
{
	const char *protocol = room_text(p, "IpProtocol"), *from = room_text(p, "FromPort"),
		   *last = room_text(p, "ToPort");
	bool v6 = to->family == 6;
	struct cidr cidr;

	if (!is(protocol, "-1") && !is(protocol, "tcp") && !is(protocol, "6"))
		return false;
	if (!is(protocol, "-1") && *from && *last && !is(from, "-1") &&
	    (to->port < strtoul(from, NULL, 10) || to->port > strtoul(last, NULL, 10)))
		return false;
	for (const struct json_value *r = room_items(p, v6 ? "Ipv6Ranges" : "IpRanges"); r;
	     r = r->next) {
		if (cidr_parse(room_text(r, v6 ? "CidrIpv6" : "CidrIp"), &cidr, NULL) == 0 &&
		    cidr_has(&cidr, to->family, &to->addr))
			return true;
	}
	return false;
}

struct groups {
	size_t n, known;
	bool out4, out6, in4, lets_out, has_references;
};

static void take_group(struct room *room, const struct subject *s, const struct json_value *group,
		       struct groups *g)
{
	const char *id = room_text(group, "GroupId");
	bool out4 = is_open(group, "IpPermissionsEgress", false);
	bool out6 = is_open(group, "IpPermissionsEgress", true);

	g->known++;
	g->out4 = g->out4 || out4;
	g->out6 = g->out6 || out6;
	g->in4 = g->in4 || is_open(group, "IpPermissions", false);
	for (const struct json_value *p = room_items(group, "IpPermissionsEgress"); p;
	     p = p->next) {
		g->lets_out = g->lets_out || (room->request->has_collector &&
					      lets_out(p, &room->request->collector));
		g->has_references = g->has_references || room_items(p, "UserIdGroupPairs") ||
				    room_items(p, "PrefixListIds");
	}
	preflight_add(room, s, id, CHECK(EGRESS), out4 ? PREFLIGHT_BAD : PREFLIGHT_FINE,
		      out4 ? "a rule lets traffic out to 0.0.0.0/0"
			   : "no rule lets traffic out to 0.0.0.0/0");
	preflight_add(room, s, id, CHECK(EGRESS_IPV6), out6 ? PREFLIGHT_BAD : PREFLIGHT_FINE,
		      out6 && !out4
			      ? "a rule lets traffic out to ::/0, though none to 0.0.0.0/0 is left"
		      : out6 ? "a rule lets traffic out to ::/0"
			     : "no rule lets traffic out to ::/0");
}

static void check_collector(struct room *room, const struct subject *s, const struct groups *g)
{
	char text[ADDR_ENDPOINT_TEXT];

	if (!room->request->has_collector) {
		preflight_add(room, s, s->eni, CHECK(COLLECTOR), PREFLIGHT_UNKNOWN,
			      "where the collector is was not said: give --collector ADDR:PORT");
		return;
	}
	(void)endpoint_text(text, &room->request->collector);
	if (g->known < g->n || g->n == 0)
		preflight_add(room, s, s->eni, CHECK(COLLECTOR), PREFLIGHT_UNKNOWN,
			      "not all of its security groups are told: whether %s can be reached "
			      "is not known",
			      text);
	else if (g->lets_out)
		preflight_add(room, s, s->eni, CHECK(COLLECTOR), PREFLIGHT_FINE,
			      "its security groups let TCP to %s out", text);
	else
		preflight_add(room, s, s->eni, CHECK(COLLECTOR),
			      g->has_references ? PREFLIGHT_UNKNOWN : PREFLIGHT_BAD,
			      g->has_references
				      ? "no range lets TCP to %s out; a group or prefix list may"
				      : "no rule of its security groups lets TCP to %s out",
			      text);
}

static void check_tracking(struct room *room, const struct subject *s, const struct groups *g)
{
	if (g->n == 0 || g->known < g->n)
		preflight_add(room, s, s->eni, CHECK(TRACKED), PREFLIGHT_UNKNOWN,
			      "its security groups are not told");
	else if (g->in4 && g->out4)
		preflight_add(room, s, s->eni, CHECK(TRACKED), PREFLIGHT_FINE,
			      "open both ways for IPv4: TCP and UDP are not tracked and end with "
			      "the next change "
			      "of groups; ICMP, and what goes through NAT or an endpoint, is "
			      "tracked all the same");
	else
		preflight_add(room, s, s->eni, CHECK(TRACKED), PREFLIGHT_WARN,
			      "its groups limit traffic, so connections are tracked: those begun "
			      "under other "
			      "groups live on unless the change was made in two steps, or the "
			      "machine is new");
}

void preflight_groups(struct room *room, const struct subject *s)
{
	struct groups g = {.n = 0};

	for (const struct json_value *r = room_items(s->interface, "Groups"); r; r = r->next) {
		const struct json_value *group =
			room_find(room, ROOM_GROUPS, "GroupId", room_text(r, "GroupId"));

		g.n++;
		if (group)
			take_group(room, s, group, &g);
		else
			preflight_add(room, s, room_text(r, "GroupId"), CHECK(EGRESS),
				      PREFLIGHT_UNKNOWN, "its rules are not told");
	}
	if (g.n == 0)
		preflight_add(room, s, s->eni, CHECK(EGRESS), PREFLIGHT_UNKNOWN,
			      "its security groups are not told");
	check_tracking(room, s, &g);
	check_collector(room, s, &g);
}

/* ---- ways out ---- */

static const struct {
	const char *key, *begin, *what;
} targets[] = {
	{"GatewayId", "igw-", "internet gateway"},
	{"GatewayId", "vgw-", "virtual private gateway"},
	{"NatGatewayId", "nat-", "NAT gateway"},
	{"EgressOnlyInternetGatewayId", "eigw-", "egress-only internet gateway"},
	{"TransitGatewayId", "tgw-", "transit gateway"},
	{"VpcPeeringConnectionId", "pcx-", "VPC peering"},
	{"NetworkInterfaceId", "eni-", "another machine's interface"},
	{"CarrierGatewayId", "cagw-", "carrier gateway"},
	{"LocalGatewayId", "lgw-", "local gateway"},
};

static const struct json_value *route_table(const struct room *room, const struct subject *s)
{
	const struct room_objects *o = &room->lists[ROOM_ROUTE_TABLES];
	const struct json_value *main_table = NULL;

	for (size_t i = 0; i < o->n; i++) {
		for (const struct json_value *a = room_items(o->v[i], "Associations"); a;
		     a = a->next) {
			if (*s->subnet && is(room_text(a, "SubnetId"), s->subnet))
				return o->v[i];
			if (is_member_true(a, "Main") && is(room_text(o->v[i], "VpcId"), s->vpc))
				main_table = o->v[i];
		}
	}
	return main_table;
}

static void check_routes(struct room *room, const struct subject *s)
{
	const struct json_value *t = route_table(room, s);
	const char *id = room_text(t, "RouteTableId");
	size_t n = 0;

	if (!t) {
		preflight_add(room, s, *s->subnet ? s->subnet : s->eni, CHECK(ROUTE),
			      PREFLIGHT_UNKNOWN, "its route table is not told");
		return;
	}
	for (const struct json_value *r = room_items(t, "Routes"); r; r = r->next) {
		const char *to = room_text(r, "DestinationCidrBlock");

		to = *to ? to : room_text(r, "DestinationIpv6CidrBlock");
		to = *to ? to : room_text(r, "DestinationPrefixListId");
		for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
			const char *via = room_text(r, targets[i].key);

			if (!begins(via, targets[i].begin))
				continue;
			n++;
			preflight_add(room, s, id, CHECK(ROUTE), PREFLIGHT_BAD,
				      "%s goes to the %s %s", to, targets[i].what, via);
		}
	}
	if (n == 0)
		preflight_add(room, s, id, CHECK(ROUTE), PREFLIGHT_FINE,
			      "no route leads out of the VPC but to gateway endpoints");
}

static void check_acl(struct room *room, const struct subject *s)
{
	const struct room_objects *o = &room->lists[ROOM_ACLS];
	const struct json_value *acl = NULL;
	bool is_all = false;

	for (size_t i = 0; i < o->n && !acl; i++) {
		for (const struct json_value *a = room_items(o->v[i], "Associations"); a;
		     a = a->next) {
			if (*s->subnet && is(room_text(a, "SubnetId"), s->subnet))
				acl = o->v[i];
		}
	}
	if (!acl) {
		preflight_add(room, s, *s->subnet ? s->subnet : s->eni, CHECK(ACL),
			      PREFLIGHT_UNKNOWN, "its network ACL is not told");
		return;
	}
	for (const struct json_value *e = room_items(acl, "Entries"); e; e = e->next) {
		const char *cidr = room_text(e, "CidrBlock");

		is_all = is_all ||
			 (is_member_true(e, "Egress") && is(room_text(e, "RuleAction"), "allow") &&
			  is(room_text(e, "Protocol"), "-1") &&
			  (is(cidr, "0.0.0.0/0") || is(room_text(e, "Ipv6CidrBlock"), "::/0")));
	}
	preflight_add(room, s, room_text(acl, "NetworkAclId"), CHECK(ACL),
		      is_all ? PREFLIGHT_WARN : PREFLIGHT_FINE,
		      is_all ? "lets everything out" : "does not let everything out");
}

static void check_public(struct room *room, const struct subject *s)
{
	const char *ip = room_text(json_member(s->interface, "Association"), "PublicIp");

	if (!*ip)
		ip = room_text(s->machine, "PublicIpAddress");
	if (!s->interface)
		preflight_add(room, s, s->eni, CHECK(PUBLIC), PREFLIGHT_UNKNOWN,
			      "the interface is not told");
	else
		preflight_add(room, s, s->eni, CHECK(PUBLIC), *ip ? PREFLIGHT_BAD : PREFLIGHT_FINE,
			      *ip ? "has the public address %s" : "has no public address%s", ip);
}

static void check_endpoints(struct room *room, const struct subject *s)
{
	const struct room_objects *o = &room->lists[ROOM_ENDPOINTS];

	if (!o->is_known)
		preflight_add(room, s, s->vpc, CHECK(ENDPOINT), PREFLIGHT_UNKNOWN,
			      "no output of describe-vpc-endpoints is there");
	for (size_t i = 0; i < o->n; i++) {
		const char *policy = room_text(o->v[i], "PolicyDocument");
		bool is_open_policy = !*policy ||
				      (strstr(policy, "\"Principal\": \"*\"") &&
				       strstr(policy, "\"Action\": \"*\"") &&
				       strstr(policy, "\"Resource\": \"*\"")) ||
				      (strstr(policy, "\"Principal\":\"*\"") &&
				       strstr(policy, "\"Action\":\"*\"") &&
				       strstr(policy, "\"Resource\":\"*\""));

		if (!is(room_text(o->v[i], "VpcId"), s->vpc))
			continue;
		preflight_add(room, s, room_text(o->v[i], "VpcEndpointId"), CHECK(ENDPOINT),
			      !*policy         ? PREFLIGHT_UNKNOWN
			      : is_open_policy ? PREFLIGHT_WARN
					       : PREFLIGHT_FINE,
			      !*policy ? "the policy of the endpoint to %s is not told"
			      : is_open_policy
				      ? "the policy of the endpoint to %s allows everything"
				      : "the policy of the endpoint to %s limits it",
			      room_text(o->v[i], "ServiceName"));
	}
}

void preflight_ways(struct room *room, const struct subject *s)
{
	const struct json_value *check = json_member(s->interface, "SourceDestCheck");

	check_routes(room, s);
	check_acl(room, s);
	check_public(room, s);
	check_endpoints(room, s);
	if (check)
		preflight_add(room, s, s->eni, CHECK(FORWARDING),
			      check->kind == JSON_FALSE ? PREFLIGHT_WARN : PREFLIGHT_FINE,
			      check->kind == JSON_FALSE
				      ? "the check of source and destination is off"
				      : "the check of source and destination is on");
}

/* ---- the machine ---- */

void preflight_machine(struct room *room, const struct subject *s)
{
	const struct json_value *options = json_member(s->machine, "MetadataOptions");
	const char *tokens = room_text(options, "HttpTokens"),
		   *state = room_text(options, "HttpEndpoint");
	const char *role = room_text(json_member(s->machine, "IamInstanceProfile"), "Arn");
	const char *hops = room_text(options, "HttpPutResponseHopLimit");
	const char *id = *s->instance ? s->instance : s->eni;

	if (is(state, "disabled"))
		preflight_add(room, s, id, CHECK(IMDS), PREFLIGHT_FINE, "instance metadata is off");
	else if (is(tokens, "optional"))
		preflight_add(room, s, id, CHECK(IMDS), PREFLIGHT_BAD,
			      "IMDSv1 is allowed (tokens are optional)");
	else if (is(tokens, "required"))
		preflight_add(room, s, id, CHECK(IMDS),
			      *hops && strtoul(hops, NULL, 10) > 1 ? PREFLIGHT_WARN
								   : PREFLIGHT_FINE,
			      "tokens are required, hop limit %s", *hops ? hops : "not told");
	else
		preflight_add(room, s, id, CHECK(IMDS), PREFLIGHT_UNKNOWN,
			      "its metadata options are not told");
	if (!s->machine)
		preflight_add(room, s, id, CHECK(ROLE), PREFLIGHT_UNKNOWN,
			      "the instance is not told");
	else if (*role)
		preflight_add(room, s, id, CHECK(ROLE), PREFLIGHT_BAD,
			      "has the instance profile %s: what its role may do is not told here",
			      role);
	else
		preflight_add(room, s, id, CHECK(ROLE), PREFLIGHT_FINE, "has no instance profile");
}

/* ---- DNS ---- */

static bool is_query_logged(const struct room *room, const char *vpc)
{
	const struct room_objects *o = &room->lists[ROOM_QUERY_LOG_ASSOCIATIONS];

	for (size_t i = 0; i < o->n; i++) {
		const char *status = room_text(o->v[i], "Status");

		if (is(room_text(o->v[i], "ResourceId"), vpc) && (!*status || is(status, "ACTIVE")))
			return true;
	}
	return false;
}

void preflight_vpc(struct room *room, const struct subject *s)
{
	bool no_logs = room->lists[ROOM_QUERY_LOGS].is_known && room->lists[ROOM_QUERY_LOGS].n == 0;
	const struct json_value *dns = json_member(
		json_member(room_find(room, ROOM_DNS, "VpcId", s->vpc), "EnableDnsSupport"),
		"Value");

	if (dns && dns->kind == JSON_FALSE)
		preflight_add(room, s, s->vpc, CHECK(DNS), PREFLIGHT_FINE,
			      "the VPC's resolver is off");
	else if (*s->vpc && is_query_logged(room, s->vpc))
		preflight_add(room, s, s->vpc, CHECK(DNS), PREFLIGHT_FINE,
			      "the VPC's resolver is open and its queries are logged (answers out "
			      "of its cache "
			      "are not)");
	else if (*s->vpc && (no_logs || room->lists[ROOM_QUERY_LOG_ASSOCIATIONS].is_known))
		preflight_add(
			room, s, s->vpc, CHECK(DNS), PREFLIGHT_BAD,
			"the VPC's resolver is open, and no query log is associated with the VPC%s",
			dns ? "" : " (that it is open is assumed)");
	else
		preflight_add(room, s, s->vpc, CHECK(DNS), PREFLIGHT_UNKNOWN,
			      "whether the resolver's queries are logged is not told; that it is "
			      "open is the "
			      "default");
}
