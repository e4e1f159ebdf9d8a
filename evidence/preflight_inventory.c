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

static void list_flow_logs(struct room *room)
{
	const struct room_objects *o = &room->lists[ROOM_FLOW_LOGS];

	for (size_t i = 0; i < o->n; i++) {
		const struct json_value *v = o->v[i];
		bool is_active = strcmp(room_text(v, "FlowLogStatus"), "ACTIVE") == 0;
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
		(void)add(room, FLOW_LOGS, o->is_known ? PREFLIGHT_LOG_OFF : PREFLIGHT_LOG_UNKNOWN,
			  "-");
}

/* A list of objects of which each is a log: destination under `where`. */
static void list_logs(struct room *room, enum log_kind kind, enum room_list list,
		      const char *source, const char *where)
{
	const struct room_objects *o = &room->lists[list];

	for (size_t i = 0; i < o->n; i++) {
		struct preflight_log *log = add(room, kind, PREFLIGHT_LOG_ON,
						source          ? room_text(o->v[i], source)
						: o->v[i]->text ? o->v[i]->text
								: "-");

		(void)snprintf(log->where, sizeof log->where, "%s",
			       where ? room_text(o->v[i], where) : "");
		(void)snprintf(log->kept, sizeof log->kept, "unknown");
	}
	if (o->n == 0)
		(void)add(room, kind, o->is_known ? PREFLIGHT_LOG_OFF : PREFLIGHT_LOG_UNKNOWN, "-");
}

/* Of something that need not exist: `n` of them, how many tell their switch, how many are on. */
static void list_switches(struct room *room, enum log_kind kind, const struct room_objects *o,
			  size_t told, size_t on)
{
	enum preflight_log_state state = PREFLIGHT_LOG_UNKNOWN;
	struct preflight_log *log;

	if (told > 0)
		state = on < told ? PREFLIGHT_LOG_OFF : PREFLIGHT_LOG_ON;
	else if (o->is_known && o->n == 0)
		state = PREFLIGHT_LOG_NONE;
	log = add(room, kind, state, "-");
	if (o->is_known || told > 0)
		(void)snprintf(log->where, sizeof log->where, "%zu there, %zu tell, %zu log", o->n,
			       told, on);
}

static void list_stages(struct room *room)
{
	const struct room_objects *o = &room->lists[ROOM_STAGES];
	size_t on = 0;

	for (size_t i = 0; i < o->n; i++)
		on += *room_text(json_member(o->v[i], "accessLogSettings"), "destinationArn") !=
		      '\0';
	list_switches(room, API_GATEWAY, o->n ? o : &room->lists[ROOM_APIS], o->n, on);
}

int preflight_inventory(struct room *room)
{
	const struct room_objects *acls = &room->lists[ROOM_WEB_ACLS];
	size_t waf_logs = room->lists[ROOM_WAF_LOGGING].n;

	room->out->logs = calloc(LOGS_MAX, sizeof room->out->logs[0]);
	if (!room->out->logs)
		return -ENOMEM;
	list_flow_logs(room);
	list_logs(room, RESOLVER, ROOM_QUERY_LOGS, "Id", "DestinationArn");
	list_switches(room, ALB, &room->lists[ROOM_LOAD_BALANCERS], room->n_lb_attributes,
		      room->lb_logging);
	list_switches(room, CLOUDFRONT, &room->lists[ROOM_DISTRIBUTIONS], room->n_configs,
		      room->configs_logging);
	list_switches(room, WAF, acls, room->lists[ROOM_WAF_LOGGING].is_known ? acls->n : 0,
		      waf_logs < acls->n ? waf_logs : acls->n);
	list_stages(room);
	list_logs(room, CLOUDTRAIL, ROOM_TRAILS, "Name", "S3BucketName");
	list_logs(room, GUARDDUTY, ROOM_DETECTORS, NULL, NULL);
	return 0;
}
