// SPDX-License-Identifier: Apache-2.0
/*
 * The logs of a case: which there are, what their lines hold, where they go, how long they are kept; and which are off by default and
 * still off.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/preflight_parts.h"

enum { LOGS_MAX = 1024 };

static const struct kind {
	const char *name, *holds, *preset, *mend;
} kinds[] = {
	{"flow_logs",
	 "every connection attempt of the interface, let through or refused, but DNS to the VPC's "
	 "resolver, metadata, time and DHCP",
	 "off by default",
	 "aws ec2 create-flow-logs --resource-type VPC --resource-ids VPC --traffic-type ALL "
	 "--max-aggregation-interval 60 --log-destination-type s3 --log-destination "
	 "arn:aws:s3:::BUCKET"},
	{"resolver_query_log",
	 "DNS questions to the VPC's resolver that its cache did not answer, and the answers",
	 "off by default",
	 "aws route53resolver create-resolver-query-log-config --name case --destination-arn "
	 "arn:aws:s3:::BUCKET --creator-request-id case"},
	{"alb_access_log", "each request to the load balancer: client, path, answer",
	 "off by default",
	 "aws elbv2 modify-load-balancer-attributes --load-balancer-arn ARN --attributes "
	 "Key=access_logs.s3.enabled,Value=true Key=access_logs.s3.bucket,Value=BUCKET"},
	{"cloudfront_log", "each request to the distribution", "off by default",
	 "aws cloudfront update-distribution --id ID --distribution-config "
	 "file://with-logging.json --if-match ETAG"},
	{"waf_log", "each request that a web ACL looked at, with the rule that decided",
	 "off by default",
	 "aws wafv2 put-logging-configuration --logging-configuration "
	 "ResourceArn=ARN,LogDestinationConfigs=ARN"},
	{"api_gateway_log", "each call of the stage", "off by default",
	 "aws apigateway update-stage --rest-api-id ID --stage-name STAGE --patch-operations "
	 "op=replace,path=/accessLogSettings/destinationArn,value=ARN"},
	{"cloudtrail", "calls of AWS's own interfaces: who changed groups, roles, machines",
	 "90 days of management events without a trail; a trail is off by default",
	 "aws cloudtrail create-trail --name case --s3-bucket-name BUCKET --is-multi-region-trail "
	 "&& aws cloudtrail start-logging --name case"},
	{"guardduty", "findings out of its own copy of flow and DNS logs (no IPv6)",
	 "off by default", "aws guardduty create-detector --enable"},
};

enum log_kind { FLOW_LOGS, RESOLVER, ALB, CLOUDFRONT, WAF, API_GATEWAY, CLOUDTRAIL, GUARDDUTY };

static struct preflight_log *add(struct room *room, enum log_kind kind,
				 enum preflight_log_state state, const char *source)
{
	struct preflight_log *log = &room->out->logs[room->out->n_logs];

	if (room->out->n_logs == LOGS_MAX - 1)
		room->out->more = true;
	else
		room->out->n_logs++;
	*log = (struct preflight_log){.name = kinds[kind].name,
				      .holds = kinds[kind].holds,
				      .preset = kinds[kind].preset,
				      .mend = state == PREFLIGHT_LOG_OFF ? kinds[kind].mend : NULL,
				      .state = state};
	(void)snprintf(log->source, sizeof log->source, "%s", source);
	return log;
}

/* How long a log group keeps, if that is told. */
static void tell_kept(const struct room *room, struct preflight_log *log, const char *group)
{
	const struct json_value *g = room_find(room, ROOM_LOG_GROUPS, "logGroupName", group);
	const char *days = room_text(g, "retentionInDays");

	if (g && *days)
		(void)snprintf(log->kept, sizeof log->kept, "%s days", days);
	else
		(void)snprintf(log->kept, sizeof log->kept, "%s", g ? "for ever" : "unknown");
}

/* Nothing of a list is told: is there nothing? */
static enum preflight_log_state state_of_none(const struct room *room, enum room_list list)
{
	return room_is_whole(room, list) ? PREFLIGHT_LOG_OFF : PREFLIGHT_LOG_UNKNOWN;
}

static void list_flow_logs(struct room *room)
{
	const struct room_objects *o = &room->lists[ROOM_FLOW_LOGS];

	for (size_t i = 0; i < o->n; i++) {
		const struct json_value *v = o->v[i];
		bool is_active = room_is(room_text(v, "FlowLogStatus"), "ACTIVE") &&
				 !room_is(room_text(v, "DeliverLogsStatus"), "FAILED");
		struct preflight_log *log =
			add(room, FLOW_LOGS, is_active ? PREFLIGHT_LOG_ON : PREFLIGHT_LOG_OFF,
			    room_text(v, "FlowLogId"));
		const char *where = room_text(v, "LogDestination"),
			   *group = room_text(v, "LogGroupName");
		const char *format = room_text(v, "LogFormat");

		(void)snprintf(log->where, sizeof log->where, "%s", *where ? where : group);
		if (*group)
			tell_kept(room, log, group);
		else
			(void)snprintf(log->kept, sizeof log->kept, "as the bucket says");
		for (size_t n = 0; *format && n < sizeof log->fields - 1; format++) {
			if (*format != '$' && *format != '{' && *format != '}')
				log->fields[n++] = *format;
		}
	}
	if (o->n == 0)
		(void)add(room, FLOW_LOGS, state_of_none(room, ROOM_FLOW_LOGS), "-");
}

/* Does it log the queries of some VPC? */
static enum preflight_log_state query_log_state(const struct room *room, const char *id)
{
	const struct room_objects *o = &room->lists[ROOM_QUERY_LOG_ASSOCIATIONS];

	for (size_t i = 0; i < o->n; i++) {
		const char *of = room_text(o->v[i], "ResolverQueryLogConfigId");

		if ((!*of || room_is(of, id)) && room_is(room_text(o->v[i], "Status"), "ACTIVE"))
			return PREFLIGHT_LOG_ON;
	}
	return state_of_none(room, ROOM_QUERY_LOG_ASSOCIATIONS);
}

static void list_query_logs(struct room *room)
{
	const struct room_objects *o = &room->lists[ROOM_QUERY_LOGS];

	for (size_t i = 0; i < o->n; i++) {
		const char *id = room_text(o->v[i], "Id");
		struct preflight_log *log = add(room, RESOLVER, query_log_state(room, id), id);

		(void)snprintf(log->where, sizeof log->where, "%s",
			       room_text(o->v[i], "DestinationArn"));
		(void)snprintf(log->kept, sizeof log->kept, "unknown");
	}
	if (o->n == 0)
		(void)add(room, RESOLVER, state_of_none(room, ROOM_QUERY_LOGS), "-");
}

/* That it is there does not tell that it logs: its switch is in an answer of its own, without its name. */
static enum preflight_log_state switch_state(const struct room_switches *switches, size_t n)
{
	return switches->on == 0 && switches->told >= n              ? PREFLIGHT_LOG_OFF
	       : switches->on < switches->told || switches->told < n ? PREFLIGHT_LOG_UNKNOWN
								     : PREFLIGHT_LOG_ON;
}

static void list_logs(struct room *room, enum log_kind kind, enum room_list list,
		      const struct room_switches *switches, const char *ask)
{
	const struct room_objects *o = &room->lists[list];
	enum preflight_log_state state = switch_state(switches, o->n);

	for (size_t i = 0; i < o->n; i++) {
		const char *name = o->v[i]->text ? o->v[i]->text : room_text(o->v[i], "Name");
		struct preflight_log *log = add(room, kind, state, *name ? name : "-");
		const char *bucket = room_text(o->v[i], "S3BucketName");

		(void)snprintf(log->where, sizeof log->where, "%s%s%s", bucket,
			       *bucket && state == PREFLIGHT_LOG_UNKNOWN ? "; " : "",
			       state == PREFLIGHT_LOG_UNKNOWN ? ask : "");
		(void)snprintf(log->kept, sizeof log->kept, "unknown");
	}
	if (o->n == 0)
		(void)add(room, kind, state_of_none(room, list), "-");
}

/* Of something that need not exist: `n` of them, how many tell their switch, how many are on. */
static void list_switches(struct room *room, enum log_kind kind, enum room_list list,
			  const struct room_switches *switches)
{
	const struct room_objects *o = &room->lists[list];
	enum preflight_log_state state = PREFLIGHT_LOG_UNKNOWN;
	struct preflight_log *log;

	if (room_is_whole(room, list) && o->n == 0)
		state = PREFLIGHT_LOG_NONE;
	else if (switches->told > switches->on)
		state = PREFLIGHT_LOG_OFF;
	else if (switches->told > 0 && switches->told >= o->n &&
		 (room_is_whole(room, list) || !o->is_known))
		state = PREFLIGHT_LOG_ON;
	log = add(room, kind, state, "-");
	if (o->is_known || switches->told > 0)
		(void)snprintf(log->where, sizeof log->where, "%zu there, %zu tell, %zu log", o->n,
			       switches->told, switches->on);
}

/* The stages of each API are in an answer of its own. */
static void list_stages(struct room *room)
{
	const struct room_objects *o = &room->lists[ROOM_STAGES], *apis = &room->lists[ROOM_APIS];
	struct room_switches switches = {.told = o->n};
	enum room_list list = apis->is_known ? ROOM_APIS : ROOM_STAGES;

	for (size_t i = 0; i < o->n; i++)
		switches.on +=
			*room_text(json_member(o->v[i], "accessLogSettings"), "destinationArn") ||
			*room_text(json_member(o->v[i], "AccessLogSettings"), "DestinationArn");
	if (room->stage_lists < apis->n && switches.on == switches.told)
		switches = (struct room_switches){.told = 0}; /* of some APIs nothing is told */
	else if (list == ROOM_APIS && switches.told < apis->n)
		list = ROOM_STAGES;
	list_switches(room, API_GATEWAY, list, &switches);
}

static void list_waf(struct room *room)
{
	const struct room_objects *acls = &room->lists[ROOM_WEB_ACLS];
	struct room_switches switches = {.told = acls->n};

	for (size_t i = 0; i < acls->n; i++)
		switches.on += room_find(room, ROOM_WAF_LOGGING, "ResourceArn",
					 room_text(acls->v[i], "ARN")) != NULL;
	if (!room_is_whole(room, ROOM_WAF_LOGGING) && switches.on < switches.told)
		switches = (struct room_switches){.told = switches.on, .on = switches.on};
	list_switches(room, WAF, ROOM_WEB_ACLS, &switches);
}

int preflight_inventory(struct room *room)
{
	room->out->logs = calloc(LOGS_MAX, sizeof room->out->logs[0]);
	if (!room->out->logs)
		return -ENOMEM;
	list_flow_logs(room);
	list_query_logs(room);
	list_switches(room, ALB, ROOM_LOAD_BALANCERS, &room->balancers);
	list_switches(room, CLOUDFRONT, ROOM_DISTRIBUTIONS, &room->distributions);
	list_waf(room);
	list_stages(room);
	list_logs(room, CLOUDTRAIL, ROOM_TRAILS, &room->trails,
		  "whether it logs is in no answer (get-trail-status)");
	list_logs(room, GUARDDUTY, ROOM_DETECTORS, &room->detectors,
		  "whether it is enabled is in no answer (get-detector)");
	return 0;
}
