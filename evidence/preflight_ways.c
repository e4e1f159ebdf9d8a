// SPDX-License-Identifier: Apache-2.0
/*
 * The checks of a preflight that ask for ways out: routes, network ACLs, public addresses, endpoints, forwarding.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/preflight_parts.h"

#define CHECK(id) PREFLIGHT_CHECK_##id

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool is_member_true(const struct json_value *object, const char *key)
{
	const struct json_value *v = json_member(object, key);

	return v && v->kind == JSON_TRUE;
}

/* ---- routes ---- */

static const struct {
	const char *key, *begin, *what;
} targets[] = {
	{"GatewayId", "igw-", "the internet gateway"},
	{"GatewayId", "vgw-", "the virtual private gateway"},
	{"GatewayId", "vpce-", "the endpoint of a gateway load balancer"},
	{"NatGatewayId", "nat-", "the NAT gateway"},
	{"EgressOnlyInternetGatewayId", "eigw-", "the egress-only internet gateway"},
	{"TransitGatewayId", "tgw-", "the transit gateway"},
	{"VpcPeeringConnectionId", "pcx-", "VPC peering"},
	{"NetworkInterfaceId", "eni-", "another machine's interface"},
	{"InstanceId", "i-", "another machine"},
	{"CarrierGatewayId", "cagw-", "the carrier gateway"},
	{"LocalGatewayId", "lgw-", "the local gateway"},
	{"CoreNetworkArn", "arn:", "the core network"},
};

static const struct json_value *route_table(const struct room *room, const struct subject *s,
					    bool *ret_is_main)
{
	const struct room_objects *o = &room->lists[ROOM_ROUTE_TABLES];
	const struct json_value *main_table = NULL;

	for (size_t i = 0; i < o->n; i++) {
		for (const struct json_value *a = room_items(o->v[i], "Associations"); a;
		     a = a->next) {
			if (*s->subnet && room_is(room_text(a, "SubnetId"), s->subnet))
				return o->v[i];
			if (is_member_true(a, "Main") &&
			    room_is(room_text(o->v[i], "VpcId"), s->vpc))
				main_table = o->v[i];
		}
	}
	*ret_is_main = true;
	return main_table;
}

/* Of a route that leads out: its row of targets; -1: it leads nowhere, -2: it is none of them. */
static int target_of(const struct json_value *route)
{
	const char *gateway = room_text(route, "GatewayId");

	if (room_is(gateway, "local") || room_is(room_text(route, "State"), "blackhole"))
		return -1;
	/* To a gateway endpoint, of which the policy is looked at. */
	if (begins(gateway, "vpce-") && *room_text(route, "DestinationPrefixListId"))
		return -1;
	for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
		if (begins(room_text(route, targets[i].key), targets[i].begin))
			return (int)i;
	}
	return -2;
}

static void check_routes(struct room *room, const struct subject *s)
{
	bool is_main = false;
	const struct json_value *t = route_table(room, s, &is_main);
	const char *id = room_text(t, "RouteTableId");
	size_t n = 0;

	if (!t || !json_member(t, "Routes")) {
		preflight_add(room, s, *s->subnet ? s->subnet : s->eni, CHECK(ROUTE),
			      PREFLIGHT_UNKNOWN, "its route table is not told");
		return;
	}
	if (is_main && !room_is_whole(room, ROOM_ROUTE_TABLES)) {
		preflight_add(
			room, s, s->subnet, CHECK(ROUTE), PREFLIGHT_UNKNOWN,
			"whether it has a route table of its own is not told: the answer goes on");
		return;
	}
	for (const struct json_value *r = room_items(t, "Routes"); r; r = r->next) {
		const char *to = room_text(r, "DestinationCidrBlock");
		int target = target_of(r);

		if (target == -1)
			continue;
		n++;
		to = *to ? to : room_text(r, "DestinationIpv6CidrBlock");
		to = *to ? to : room_text(r, "DestinationPrefixListId");
		if (target < 0)
			preflight_add(room, s, id, CHECK(ROUTE), PREFLIGHT_UNKNOWN,
				      "%s goes to a kind of target that is not known here", to);
		else
			preflight_add(room, s, id, CHECK(ROUTE), PREFLIGHT_BAD, "%s goes to %s %s",
				      to, targets[target].what, room_text(r, targets[target].key));
	}
	if (n == 0)
		preflight_add(room, s, id, CHECK(ROUTE), PREFLIGHT_FINE,
			      "no route leads out of the VPC but to gateway endpoints");
}

/* The lowest number of an egress rule about every address, of this action; all of them: of every protocol. */
static unsigned long lowest_rule(const struct json_value *acl, const char *action, bool v6,
				 bool is_every_protocol)
{
	unsigned long ret = ULONG_MAX;

	for (const struct json_value *e = room_items(acl, "Entries"); e; e = e->next) {
		unsigned long number = strtoul(room_text(e, "RuleNumber"), NULL, 10);
		const char *cidr = room_text(e, v6 ? "Ipv6CidrBlock" : "CidrBlock");

		if (is_member_true(e, "Egress") && room_is(room_text(e, "RuleAction"), action) &&
		    (!is_every_protocol || room_is(room_text(e, "Protocol"), "-1")) &&
		    room_is(cidr, v6 ? "::/0" : "0.0.0.0/0") && number < ret)
			ret = number;
	}
	return ret;
}

/* Is something let out to every address before everything is refused? */
static bool lets_anywhere(const struct json_value *acl, bool is_every_protocol)
{
	bool ret = false;

	for (int v6 = 0; v6 < 2; v6++)
		ret = ret || lowest_rule(acl, "allow", v6, is_every_protocol) <
				     lowest_rule(acl, "deny", v6, true);
	return ret;
}

static const struct json_value *network_acl(const struct room *room, const struct subject *s)
{
	const struct room_objects *o = &room->lists[ROOM_ACLS];

	for (size_t i = 0; i < o->n; i++) {
		for (const struct json_value *a = room_items(o->v[i], "Associations"); a;
		     a = a->next) {
			if (*s->subnet && room_is(room_text(a, "SubnetId"), s->subnet))
				return o->v[i];
		}
	}
	return NULL;
}

static void check_acl(struct room *room, const struct subject *s)
{
	const struct json_value *acl = network_acl(room, s);
	bool is_all, is_some;

	if (!acl || !json_member(acl, "Entries")) {
		preflight_add(room, s, *s->subnet ? s->subnet : s->eni, CHECK(ACL),
			      PREFLIGHT_UNKNOWN, "its network ACL is not told");
		return;
	}
	is_all = lets_anywhere(acl, true);
	is_some = lets_anywhere(acl, false);
	preflight_add(room, s, room_text(acl, "NetworkAclId"), CHECK(ACL),
		      is_some ? PREFLIGHT_WARN : PREFLIGHT_FINE,
		      is_all    ? "lets everything out"
		      : is_some ? "lets some protocols or ports out to every address"
				: "does not let everything out");
}

/* ---- the way to the collector ---- */

static bool has_address(const char *range, const struct endpoint *to)
{
	struct cidr cidr;

	return cidr_parse(range, &cidr, NULL) == 0 && cidr_has(&cidr, to->family, &to->addr);
}

/* Is an entry about TCP to or from that address? `covers`: all of these ports; else some of them. */
static bool is_about(const struct json_value *entry, bool egress, const struct endpoint *to,
		     const unsigned long ports[static 2], bool covers)
{
	const struct json_value *range = json_member(entry, "PortRange");
	const char *protocol = room_text(entry, "Protocol");
	unsigned long from = strtoul(room_text(range, "From"), NULL, 10),
		      last = range ? strtoul(room_text(range, "To"), NULL, 10) : UINT16_MAX;

	if (is_member_true(entry, "Egress") != egress ||
	    (!room_is(protocol, "-1") && !room_is(protocol, "6")) ||
	    !has_address(room_text(entry, to->family == 6 ? "Ipv6CidrBlock" : "CidrBlock"), to))
		return false;
	if (room_is(protocol, "-1"))
		return true;
	return covers ? from <= ports[0] && ports[1] <= last : from <= ports[1] && ports[0] <= last;
}

/* By the lowest number: is it allowed before any of it is refused? */
static bool acl_lets(const struct json_value *acl, bool egress, const struct endpoint *to,
		     const unsigned long ports[static 2])
{
	unsigned long allowed = ULONG_MAX, refused = ULONG_MAX;

	for (const struct json_value *e = room_items(acl, "Entries"); e; e = e->next) {
		bool is_allowed = room_is(room_text(e, "RuleAction"), "allow");
		unsigned long number = strtoul(room_text(e, "RuleNumber"), NULL, 10);
		unsigned long *lowest = is_allowed ? &allowed : &refused;

		if (is_about(e, egress, to, ports, is_allowed) && number < *lowest)
			*lowest = number;
	}
	return allowed < refused;
}

static bool is_routed(const struct json_value *table, const struct endpoint *to)
{
	for (const struct json_value *r = room_items(table, "Routes"); r; r = r->next) {
		if (*room_text(r, "DestinationPrefixListId")) /* what is in it is not told */
			return true;
		if (!room_is(room_text(r, "State"), "blackhole") &&
		    (has_address(room_text(r, "DestinationCidrBlock"), to) ||
		     has_address(room_text(r, "DestinationIpv6CidrBlock"), to)))
			return true;
	}
	return false;
}

/* What security groups let out may yet be refused by the ACL, there or back, or have no route. Silent where nothing is wrong. */
static void check_way(struct room *room, const struct subject *s)
{
	static const unsigned long answers[] = {32768, 60999}; /* Linux's ports for those who ask */
	const struct endpoint *to = &room->request->collector;
	const unsigned long port[] = {to->port, to->port};
	const struct json_value *acl = network_acl(room, s), *table;
	const struct json_value *subnet = room_find(room, ROOM_SUBNETS, "SubnetId", s->subnet);
	bool is_main = false, out, back;

	if (!room->request->has_collector)
		return;
	table = route_table(room, s, &is_main);
	if (json_member(table, "Routes") && !is_routed(table, to))
		preflight_add(room, s, room_text(table, "RouteTableId"), CHECK(COLLECTOR),
			      PREFLIGHT_BAD, "no route leads to the collector");
	/* Within a subnet no ACL is asked. */
	if (!json_member(acl, "Entries") || has_address(room_text(subnet, "CidrBlock"), to))
		return;
	out = acl_lets(acl, true, to, port);
	back = acl_lets(acl, false, to, answers);
	if (!out || !back)
		preflight_add(room, s, room_text(acl, "NetworkAclId"), CHECK(COLLECTOR),
			      subnet ? PREFLIGHT_BAD : PREFLIGHT_WARN,
			      !out ? "refuses TCP to the collector%s"
				   : "refuses the collector's answers (TCP to ports 32768 to "
				     "60999)%s",
			      subnet ? "" : ", unless it is in the same subnet");
}

/* ---- addresses, endpoints ---- */

/* A public address of an interface, its own or of a secondary one. */
static const char *public_address(const struct json_value *interface)
{
	static const char *const keys[] = {"PublicIp", "CarrierIp"};
	const struct json_value *lists[] = {interface, room_items(interface, "PrivateIpAddresses")};

	for (size_t i = 0; i < 2; i++) {
		for (const struct json_value *v = lists[i]; v; v = i ? v->next : NULL) {
			for (size_t k = 0; k < 2; k++) {
				const char *ip = room_text(json_member(v, "Association"), keys[k]);

				if (*ip)
					return ip;
			}
		}
	}
	return "";
}

static void check_public(struct room *room, const struct subject *s)
{
	/* describe-instances and describe-network-interfaces both tell; either may be the newer one. */
	const struct json_value *other =
		room_find(room, ROOM_INTERFACES, "NetworkInterfaceId", s->eni);
	const char *v6 = room_text(room_items(s->interface, "Ipv6Addresses"), "Ipv6Address");
	const char *ip = public_address(s->interface);

	if (!*ip)
		ip = public_address(other);
	if (!*ip)
		ip = room_text(s->machine, "PublicIpAddress");
	if (!s->interface)
		preflight_add(room, s, s->eni, CHECK(PUBLIC), PREFLIGHT_UNKNOWN,
			      "the interface is not told");
	else
		preflight_add(room, s, s->eni, CHECK(PUBLIC), *ip ? PREFLIGHT_BAD : PREFLIGHT_FINE,
			      *ip ? "has the public address %s" : "has no public address%s", ip);
	if (*v6)
		preflight_add(room, s, s->eni, CHECK(PUBLIC), PREFLIGHT_WARN,
			      "has the IPv6 address %s, which a route to a gateway makes a public "
			      "one",
			      v6);
}

/* Is it this text, or a list that has it? */
static bool says(const struct json_value *value, bool (*is)(const char *))
{
	const struct json_value *v =
		value && (value->kind == JSON_ARRAY || value->kind == JSON_OBJECT) ? value->child
										   : value;
	bool ret = false;

	for (; v; v = v == value ? NULL : v->next)
		ret = ret || (v->text ? is(v->text) : v != value && says(v, is));
	return ret;
}

static bool is_star(const char *text)
{
	return room_is(text, "*");
}

/* "*", "s3:*" */
static bool is_every_action(const char *text)
{
	size_t len = strlen(text);

	return is_star(text) || (len > 2 && room_is(text + len - 2, ":*"));
}

/* "*", "arn:aws:s3:::*" */
static bool is_every_resource(const char *text)
{
	return is_star(text) || room_is(text, "arn:aws:s3:::*");
}

/* Allows a statement everything to everybody? */
static bool is_open(const struct json_value *statement)
{
	return room_is(room_text(statement, "Effect"), "Allow") &&
	       !json_member(statement, "Condition") &&
	       (says(json_member(statement, "Principal"), is_star) ||
		json_member(statement, "NotPrincipal")) &&
	       (says(json_member(statement, "Action"), is_every_action) ||
		json_member(statement, "NotAction")) &&
	       (says(json_member(statement, "Resource"), is_every_resource) ||
		json_member(statement, "NotResource"));
}

/* Of a policy, a document within a text. */
static enum preflight_status judge_policy(const char *policy)
{
	enum preflight_status ret = PREFLIGHT_UNKNOWN;
	const struct json_value *statements, *one;
	struct json *json;
	struct err err;
	char *copy = *policy ? strdup(policy) : NULL;

	if (!copy || json_parse(&json, copy, strlen(copy), "policy", &err) < 0)
		return ret;
	statements = json_member(json_root(json), "Statement");
	one = statements && statements->kind == JSON_ARRAY ? statements->child : statements;
	if (one)
		ret = PREFLIGHT_FINE;
	for (; one; one = one == statements ? NULL : one->next) {
		if (is_open(one))
			ret = PREFLIGHT_WARN;
	}
	json_free(json);
	return ret;
}

static bool is_gone(const struct json_value *endpoint)
{
	static const char *const states[] = {"deleted", "deleting", "rejected", "failed",
					     "expired"};
	const char *state = room_text(endpoint, "State");

	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
		if (room_is(state, states[i]))
			return true;
	}
	return false;
}

static void check_endpoints(struct room *room, const struct subject *s)
{
	static const char *const texts[] = {
		[PREFLIGHT_FINE] = "limits it",
		[PREFLIGHT_UNKNOWN] = "is not told",
		[PREFLIGHT_WARN] = "allows everything",
	};
	const struct room_objects *o = &room->lists[ROOM_ENDPOINTS];
	size_t n = 0;

	for (size_t i = 0; i < o->n; i++) {
		enum preflight_status status = judge_policy(room_text(o->v[i], "PolicyDocument"));

		if (!room_is(room_text(o->v[i], "VpcId"), s->vpc) || is_gone(o->v[i]))
			continue;
		n++;
		preflight_add(room, s, room_text(o->v[i], "VpcEndpointId"), CHECK(ENDPOINT), status,
			      "the policy of the endpoint to %s %s",
			      room_text(o->v[i], "ServiceName"), texts[status]);
	}
	if (!o->is_known)
		preflight_add(room, s, s->vpc, CHECK(ENDPOINT), PREFLIGHT_UNKNOWN,
			      "no output of describe-vpc-endpoints is there");
	else if (n == 0)
		preflight_add(room, s, s->vpc, CHECK(ENDPOINT),
			      room_is_whole(room, ROOM_ENDPOINTS) ? PREFLIGHT_FINE
								  : PREFLIGHT_UNKNOWN,
			      room_is_whole(room, ROOM_ENDPOINTS)
				      ? "the VPC has no endpoint"
				      : "whether the VPC has an endpoint is not told: the answer "
					"goes on");
}

void preflight_ways(struct room *room, const struct subject *s)
{
	const struct json_value *check = json_member(s->interface, "SourceDestCheck");

	check_routes(room, s);
	check_acl(room, s);
	check_way(room, s);
	check_public(room, s);
	check_endpoints(room, s);
	if (check)
		preflight_add(room, s, s->eni, CHECK(FORWARDING),
			      check->kind == JSON_FALSE ? PREFLIGHT_WARN : PREFLIGHT_FINE,
			      check->kind == JSON_FALSE
				      ? "the check of source and destination is off"
				      : "the check of source and destination is on");
}
