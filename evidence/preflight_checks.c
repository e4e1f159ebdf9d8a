// SPDX-License-Identifier: Apache-2.0
/*
 * The checks of a preflight: each says fine, bad, or unknown where no file tells.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/peer.h"
#include "evidence/preflight_parts.h"

#define CHECK(id) PREFLIGHT_CHECK_##id

/* ---- Flow Logs ---- */

static bool covers(const struct json_value *log, const struct subject *s)
{
	const char *id = room_text(log, "ResourceId");

	return *id && (room_is(id, s->eni) || room_is(id, s->subnet) || room_is(id, s->vpc));
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

	if ((*status && !room_is(status, "ACTIVE")) || room_is(delivered, "FAILED") || *why)
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

static bool is_broken(const struct json_value *log)
{
	const char *status = room_text(log, "FlowLogStatus");

	return (*status && !room_is(status, "ACTIVE")) ||
	       room_is(room_text(log, "DeliverLogsStatus"), "FAILED");
}

/* What the flow logs that work tell together. */
struct covering {
	size_t n, working, untold; /* untold: without a traffic type or an interval */
	bool accepts, rejects;
	bool accepts_minute, rejects_minute;
};

static void take_log(struct covering *c, const struct json_value *log)
{
	const char *traffic = room_text(log, "TrafficType"),
		   *interval = room_text(log, "MaxAggregationInterval");
	bool accepts = room_is(traffic, "ALL") || room_is(traffic, "ACCEPT");
	bool rejects = room_is(traffic, "ALL") || room_is(traffic, "REJECT");
	bool is_minute = room_is(interval, "60");

	c->n++;
	if (is_broken(log))
		return;
	c->working++;
	c->untold += !*interval || (!accepts && !rejects);
	c->accepts = c->accepts || accepts;
	c->rejects = c->rejects || rejects;
	c->accepts_minute = c->accepts_minute || (accepts && is_minute);
	c->rejects_minute = c->rejects_minute || (rejects && is_minute);
}

static void check_covering(struct room *room, const struct subject *s)
{
	const struct room_objects *logs = &room->lists[ROOM_FLOW_LOGS];
	enum preflight_status or_bad, or_warn;
	struct covering c = {.n = 0};
	bool is_minute;

	for (size_t i = 0; i < logs->n; i++) {
		if (!covers(logs->v[i], s))
			continue;
		take_log(&c, logs->v[i]);
		check_format(room, s, logs->v[i]);
		check_delivery(room, s, logs->v[i]);
	}
	if (c.working == 0) {
		bool is_whole = c.n > 0 || room_is_whole(room, ROOM_FLOW_LOGS);

		preflight_add(room, s, s->eni, CHECK(FLOW_LOG),
			      is_whole ? PREFLIGHT_BAD : PREFLIGHT_UNKNOWN,
			      c.n > 0    ? "%zu flow logs cover it, and none of them works"
			      : is_whole ? "%zu flow logs cover it"
					 : "%zu flow logs cover it so far: the answer goes on",
			      c.n);
		return;
	}
	preflight_add(room, s, s->eni, CHECK(FLOW_LOG), PREFLIGHT_FINE,
		      "%zu flow logs cover it, its subnet or its VPC", c.n);
	or_bad = c.untold > 0 ? PREFLIGHT_UNKNOWN : PREFLIGHT_BAD;
	or_warn = c.untold > 0 ? PREFLIGHT_UNKNOWN : PREFLIGHT_WARN;
	is_minute = (c.accepts_minute || !c.accepts) && (c.rejects_minute || !c.rejects) &&
		    (c.accepts || c.rejects);
	preflight_add(room, s, s->eni, CHECK(FLOW_LOG_TRAFFIC),
		      c.accepts && c.rejects ? PREFLIGHT_FINE : or_bad,
		      c.accepts && c.rejects ? "what is let through and what is refused is logged"
		      : c.accepts            ? "what is refused is not logged"
		      : c.rejects            ? "what is let through is not logged"
					     : "its traffic type is not told");
	preflight_add(room, s, s->eni, CHECK(FLOW_LOG_INTERVAL),
		      is_minute ? PREFLIGHT_FINE : or_warn,
		      is_minute      ? "windows of a minute"
		      : c.untold > 0 ? "how long its windows are is not told"
				     : "windows of up to 600 seconds");
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

/* Nearly every address: 0.0.0.0/0, one half of it, 2000::/3; not 10.0.0.0/8, not fc00::/7. */
static bool is_anywhere(const char *text)
{
	struct cidr cidr;

	if (cidr_parse(text, &cidr, NULL) < 0)
		return false;
	return cidr.family == 4
		       ? cidr.bits < 8
		       : cidr.bits < 16 && (cidr.bits < 7 || (cidr.addr.b[0] & 0xfe) != 0xfc);
}

/* A range of a rule that is anywhere; NULL. */
static const char *open_range(const struct json_value *permission, bool v6)
{
	const struct json_value *r = room_items(permission, v6 ? "Ipv6Ranges" : "IpRanges");

	for (; r; r = r->next) {
		const char *text = room_text(r, v6 ? "CidrIpv6" : "CidrIp");

		if (is_anywhere(text))
			return text;
	}
	return NULL;
}

/* Of a direction's rules: one that is open to everybody; NULL. */
static const char *open_to(const struct json_value *group, const char *list, bool v6)
{
	const char *ret = NULL;

	for (const struct json_value *p = room_items(group, list); p && !ret; p = p->next)
		ret = open_range(p, v6);
	return ret;
}

/* Every protocol and port of it: only then connections are not tracked. */
static bool is_all(const struct json_value *group, const char *list)
{
	for (const struct json_value *p = room_items(group, list); p; p = p->next) {
		const char *range = open_range(p, false);

		if (range && room_is(range, "0.0.0.0/0") &&
		    room_is(room_text(p, "IpProtocol"), "-1"))
			return true;
	}
	return false;
}

/* A range outside of the address space of networks of one's own; NULL. */
static const char *public_range(const struct json_value *group)
{
	for (const struct json_value *p = room_items(group, "IpPermissionsEgress"); p;
	     p = p->next) {
		for (int v6 = 0; v6 < 2; v6++) {
			const struct json_value *r = room_items(p, v6 ? "Ipv6Ranges" : "IpRanges");

			for (; r; r = r->next) {
				const char *text = room_text(r, v6 ? "CidrIpv6" : "CidrIp");
				struct cidr cidr;

				if (cidr_parse(text, &cidr, NULL) == 0 && !is_anywhere(text) &&
				    !addr_is_private(cidr.family, &cidr.addr) &&
				    !addr_is_link(cidr.family, &cidr.addr))
					return text;
			}
		}
	}
	return NULL;
}

/* May TCP to the collector leave by this rule? */
static bool lets_out(const struct json_value *p, const struct endpoint *to)
{
	const char *protocol = room_text(p, "IpProtocol"), *from = room_text(p, "FromPort"),
		   *last = room_text(p, "ToPort");
	bool v6 = to->family == 6;
	struct cidr cidr;

	if (!room_is(protocol, "-1") && !room_is(protocol, "tcp") && !room_is(protocol, "6"))
		return false;
	if (!room_is(protocol, "-1") && *from && *last && !room_is(from, "-1") &&
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
	bool all_out, all_in, lets_out, has_references;
};

static void check_open(struct room *room, const struct subject *s, const struct json_value *group)
{
	const char *id = room_text(group, "GroupId");
	const char *out4 = open_to(group, "IpPermissionsEgress", false);
	const char *out6 = open_to(group, "IpPermissionsEgress", true);
	const char *out = public_range(group);

	preflight_add(room, s, id, CHECK(EGRESS), out4 ? PREFLIGHT_BAD : PREFLIGHT_FINE,
		      out4 ? "a rule lets traffic out to %s" : "no rule lets traffic out to %s",
		      out4 ? out4 : "0.0.0.0/0");
	preflight_add(room, s, id, CHECK(EGRESS_IPV6), out6 ? PREFLIGHT_BAD : PREFLIGHT_FINE,
		      out6 && !out4
			      ? "a rule lets traffic out to %s, though none to 0.0.0.0/0 is left"
		      : out6 ? "a rule lets traffic out to %s"
			     : "no rule lets traffic out to %s",
		      out6 ? out6 : "::/0");
	if (out)
		preflight_add(room, s, id, CHECK(EGRESS), PREFLIGHT_WARN,
			      "a rule lets traffic out to %s, which is beyond private networks",
			      out);
}

static void take_group(struct room *room, const struct subject *s, const struct json_value *group,
		       struct groups *g)
{
	const char *id = room_text(group, "GroupId");

	if (!json_member(group, "IpPermissionsEgress")) {
		preflight_add(room, s, id, CHECK(EGRESS), PREFLIGHT_UNKNOWN,
			      "its rules are not told");
		return;
	}
	g->known++;
	g->all_out = g->all_out || is_all(group, "IpPermissionsEgress");
	g->all_in = g->all_in || is_all(group, "IpPermissions");
	for (const struct json_value *p = room_items(group, "IpPermissionsEgress"); p;
	     p = p->next) {
		const struct json_value *lists = room_items(p, "PrefixListIds");

		g->lets_out = g->lets_out || (room->request->has_collector &&
					      lets_out(p, &room->request->collector));
		g->has_references = g->has_references || room_items(p, "UserIdGroupPairs") || lists;
		for (; lists; lists = lists->next)
			preflight_add(
				room, s, id, CHECK(EGRESS), PREFLIGHT_UNKNOWN,
				"a rule lets traffic out to the prefix list %s: what is in it "
				"is not told here",
				room_text(lists, "PrefixListId"));
	}
	check_open(room, s, group);
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
	else if (g->all_in && g->all_out)
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

/* ---- the machine ---- */

void preflight_machine(struct room *room, const struct subject *s)
{
	const struct json_value *options = json_member(s->machine, "MetadataOptions");
	const char *tokens = room_text(options, "HttpTokens"),
		   *state = room_text(options, "HttpEndpoint");
	const char *role = room_text(json_member(s->machine, "IamInstanceProfile"), "Arn");
	const char *hops = room_text(options, "HttpPutResponseHopLimit");
	const char *id = *s->instance ? s->instance : s->eni;

	if (room_is(state, "disabled"))
		preflight_add(room, s, id, CHECK(IMDS), PREFLIGHT_FINE, "instance metadata is off");
	else if (room_is(tokens, "optional"))
		preflight_add(room, s, id, CHECK(IMDS), PREFLIGHT_BAD,
			      "IMDSv1 is allowed (tokens are optional)");
	else if (room_is(tokens, "required"))
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

		if (room_is(room_text(o->v[i], "ResourceId"), vpc) && room_is(status, "ACTIVE"))
			return true;
	}
	return false;
}

void preflight_vpc(struct room *room, const struct subject *s)
{
	bool no_logs = room_is_whole(room, ROOM_QUERY_LOGS) && room->lists[ROOM_QUERY_LOGS].n == 0;
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
	else if (*s->vpc && (no_logs || room_is_whole(room, ROOM_QUERY_LOG_ASSOCIATIONS)))
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
