// SPDX-License-Identifier: Apache-2.0
/*
 * A finding as others take it: OCSF Detection Finding (schema.ocsf.io, class 2004, version 1.5.0) and the AWS Security Finding
 * Format (Security Hub User Guide, "ASFF syntax", schema 2018-10-08).
 */
#include <inttypes.h>
#include <string.h>

#include "evidence/finding.h"
#include "platform/clock.h"
#include "platform/json.h"
#include "platform/version.h"

/* What a sensor does not know, as in exports of records. */
static const char *known(const char *text, const char *otherwise)
{
	return text && *text ? text : otherwise;
}

static const char *account_of(const struct finding_origin *origin)
{
	return known(origin->account, "000000000000");
}

static const char *region_of(const struct finding_origin *origin)
{
	return known(origin->region, "local");
}

static const char *partition_of(const struct finding_origin *origin)
{
	if (strncmp(region_of(origin), "cn-", 3) == 0)
		return "aws-cn";
	return strncmp(region_of(origin), "us-gov-", 7) == 0 ? "aws-us-gov" : "aws";
}

static void put_text(FILE *out, const char *name, const char *text)
{
	(void)fprintf(out, ",\"%s\":", name);
	json_print_string(out, text);
}

/* The same finding has the same id, in every run and form. */
enum { ID_MAX = 512 };
static const char *id_of(char out[static ID_MAX], const struct finding *f,
			 const struct finding_origin *origin)
{
	char remote[ADDR_TEXT];

	(void)snprintf(out, ID_MAX, "flowproof/%s/%s/%s/%s/%u/%u/%s%s%s", origin->sensor,
		       origin->is_replay ? "replay" : "live", finding_kinds[f->key.kind].name,
		       finding_has_remote(f) ? addr_text(remote, f->key.family, &f->key.remote)
					     : "-",
		       (unsigned)f->key.port, (unsigned)f->key.protocol,
		       flowrec_direction_text((enum flowrec_direction)f->key.direction),
		       f->key.name_id ? "/" : "", f->key.name_id ? f->name : "");
	return out;
}

/* ---- OCSF ---- */

/* severity_id of OCSF: 1 Informational to 5 Critical. */
static const char *const ocsf_severities[FINDING_SEVERITIES] = {
	[FINDING_INFO] = "Informational", [FINDING_LOW] = "Low",
	[FINDING_MEDIUM] = "Medium",      [FINDING_HIGH] = "High",
	[FINDING_CRITICAL] = "Critical",
};

static void put_ocsf_info(FILE *out, const struct finding *f, const struct finding_origin *origin,
			  const char *what)
{
	const struct finding_kind_info *kind = &finding_kinds[f->key.kind];
	char id[ID_MAX];

	(void)fputs(",\"finding_info\":{\"uid\":", out);
	json_print_string(out, id_of(id, f, origin));
	put_text(out, "title", kind->title);
	put_text(out, "desc", what);
	(void)fprintf(
		out,
		",\"types\":[\"%s\"],\"first_seen_time\":%" PRIu64 ",\"last_seen_time\":%" PRIu64
		",\"analytic\":{\"type_id\":%d,\"type\":\"%s\",\"name\":\"%s\"}",
		kind->name, f->first * 1000, f->last * 1000, f->key.kind == FINDING_BEACON ? 2 : 1,
		f->key.kind == FINDING_BEACON ? "Behavioral" : "Rule", kind->name);
	if (kind->attack && strchr(kind->attack, '.'))
		(void)fprintf(out,
			      ",\"attacks\":[{\"technique\":{\"uid\":\"%.5s\"},\"sub_technique\":{"
			      "\"uid\":\"%s\"}}]",
			      kind->attack, kind->attack);
	else if (kind->attack)
		(void)fprintf(out, ",\"attacks\":[{\"technique\":{\"uid\":\"%s\"}}]", kind->attack);
	(void)fputc('}', out);
}

static void put_ocsf_here(FILE *out, const struct finding_origin *origin)
{
	(void)fputs("{\"name\":", out);
	json_print_string(out, origin->sensor);
	if (*known(origin->interface, ""))
		put_text(out, "interface_name", origin->interface);
	if (*known(origin->instance, ""))
		put_text(out, "instance_uid", origin->instance);
	if (*known(origin->interface_id, ""))
		put_text(out, "interface_uid", origin->interface_id);
	(void)fputc('}', out);
}

static void put_ocsf_remote(FILE *out, const struct finding *f, const struct finding_origin *origin)
{
	char remote[ADDR_TEXT];

	(void)fprintf(out, "{\"ip\":\"%s\"", addr_text(remote, f->key.family, &f->remote));
	if (f->key.port && f->key.direction != FLOWREC_INGRESS)
		(void)fprintf(out, ",\"port\":%u", (unsigned)f->key.port);
	if (origin->n_names)
		put_text(out, "hostname", origin->names[0]);
	(void)fputc('}', out);
}

/* Of a file of the host. */
static void put_ocsf_file(FILE *out, const struct finding *f, const struct finding_origin *origin)
{
	const char *path = f->name ? f->name : "", *slash = strrchr(path, '/');

	(void)fputs(",\"evidences\":[{\"file\":{\"type_id\":1,\"type\":\"Regular File\"", out);
	put_text(out, "name", slash ? slash + 1 : path);
	put_text(out, "path", path);
	(void)fprintf(out,
		      "},\"data\":{\"times\":%" PRIu64 ",\"bytes_gone\":%" PRIu64 ",\"ledger\":[",
		      f->count, f->values[1]);
	finding_print_streams(f, origin, out);
	(void)fputs("]}}]", out);
}

/* Of the machine itself: what was found there, in words. */
static void put_ocsf_machine(FILE *out, const struct finding *f,
			     const struct finding_origin *origin)
{
	(void)fputs(",\"evidences\":[{\"device\":{\"hostname\":", out);
	json_print_string(out, origin->sensor);
	(void)fprintf(out, ",\"type_id\":0,\"type\":\"Unknown\"},\"data\":{\"count\":%" PRIu64,
		      f->count);
	put_text(out, "found", f->name ? f->name : "");
	(void)fputs(",\"ledger\":[", out);
	finding_print_streams(f, origin, out);
	(void)fputs("]}}]", out);
}

static void put_ocsf_evidence(FILE *out, const struct finding *f,
			      const struct finding_origin *origin)
{
	const struct finding_traffic *t = &f->traffic;
	bool inbound = f->key.direction == FLOWREC_INGRESS;

	(void)fputs(",\"evidences\":[{\"src_endpoint\":", out);
	if (inbound)
		put_ocsf_remote(out, f, origin);
	else
		put_ocsf_here(out, origin);
	(void)fputs(",\"dst_endpoint\":", out);
	if (inbound)
		put_ocsf_here(out, origin);
	else
		put_ocsf_remote(out, f, origin);
	(void)fprintf(out,
		      ",\"connection_info\":{\"direction_id\":%d,\"direction\":\"%s\","
		      "\"protocol_num\":%u,\"protocol_ver_id\":%u}",
		      inbound ? 1 : 2, inbound ? "Inbound" : "Outbound", (unsigned)f->key.protocol,
		      (unsigned)f->key.family);
	(void)fprintf(out,
		      ",\"data\":{\"reached\":\"%s\",\"port\":%u,\"packets_out\":%" PRIu64
		      ",\"bytes_out\":%" PRIu64 ",\"packets_in\":%" PRIu64 ",\"bytes_in\":%" PRIu64
		      ",\"ledger\":[",
		      finding_reached_text((enum finding_reached)f->reached), (unsigned)f->key.port,
		      t->packets_out, t->bytes_out, t->packets_in, t->bytes_in);
	finding_print_streams(f, origin, out);
	(void)fputs("]}}]", out);
}

void finding_print_ocsf(const struct finding *f, const struct finding_origin *origin, FILE *out)
{
	char what[FINDING_SENTENCE], remote[ADDR_TEXT];

	(void)finding_say(what, VERDICT_EN, f);
	(void)fprintf(out,
		      "{\"activity_id\":1,\"activity_name\":\"Create\",\"category_uid\":2,"
		      "\"category_name\":\"Findings\",\"class_uid\":2004,\"class_name\":"
		      "\"Detection Finding\",\"type_uid\":200401,\"type_name\":"
		      "\"Detection Finding: Create\",\"severity_id\":%d,\"severity\":\"%s\","
		      "\"status_id\":1,\"status\":\"New\",\"is_alert\":%s,\"time\":%" PRIu64
		      ",\"start_time\":%" PRIu64 ",\"end_time\":%" PRIu64,
		      (int)f->severity + 1, ocsf_severities[f->severity],
		      f->severity > FINDING_INFO ? "true" : "false", f->last * 1000,
		      f->first * 1000, f->last * 1000);
	put_text(out, "message", what);
	(void)fputs(",\"metadata\":{\"version\":\"1.5.0\",\"profiles\":[\"cloud\"],\"product\":{"
		    "\"name\":"
		    "\"flowproof\",\"vendor_name\":\"flowproof\",\"version\":",
		    out);
	json_print_string(out, version_build());
	(void)fputs("}},\"cloud\":{\"provider\":\"AWS\",\"region\":", out);
	json_print_string(out, region_of(origin));
	(void)fputs(",\"account\":{\"uid\":", out);
	json_print_string(out, account_of(origin));
	(void)fputs("}}", out);
	put_ocsf_info(out, f, origin, what);
	(finding_has_remote(f)              ? put_ocsf_evidence
	 : f->key.kind == FINDING_LOG_WIPED ? put_ocsf_file
					    : put_ocsf_machine)(out, f, origin);
	(void)fputs(",\"resources\":[{\"uid\":", out);
	json_print_string(out, known(origin->instance, origin->sensor));
	(void)fprintf(out, ",\"type\":\"%s\"",
		      *known(origin->instance, "") ? "AWS::EC2::Instance" : "host");
	put_text(out, "region", region_of(origin));
	put_text(out, "cloud_partition", partition_of(origin));
	(void)fputs("}],\"observables\":[{", out);
	if (finding_has_remote(f)) {
		(void)fprintf(out,
			      "\"name\":\"evidences[].%s_endpoint.ip\",\"type_id\":2,"
			      "\"type\":\"IP Address\",\"value\":\"%s\"",
			      f->key.direction == FLOWREC_INGRESS ? "src" : "dst",
			      finding_remote_text(remote, f));
	} else if (f->key.kind != FINDING_LOG_WIPED) {
		(void)fputs("\"name\":\"evidences[].device.hostname\",\"type_id\":1,\"type\":"
			    "\"Hostname\"",
			    out);
		put_text(out, "value", origin->sensor);
	} else {
		(void)fputs(
			"\"name\":\"evidences[].file.path\",\"type_id\":7,\"type\":\"File Name\"",
			out);
		put_text(out, "value", f->name ? f->name : "");
	}
	(void)fputs("}]}\n", out);
}

/* ---- ASFF ---- */

static const char *const asff_labels[FINDING_SEVERITIES] = {
	[FINDING_INFO] = "INFORMATIONAL", [FINDING_LOW] = "LOW",
	[FINDING_MEDIUM] = "MEDIUM",      [FINDING_HIGH] = "HIGH",
	[FINDING_CRITICAL] = "CRITICAL",
};

/* Addresses of IPv6 have no place in it. */
static void put_action(FILE *out, const struct finding *f)
{
	bool inbound = f->key.direction == FLOWREC_INGRESS;
	char text[ADDR_TEXT], protocol[FINDING_PROTOCOL_TEXT];

	(void)fprintf(
		out,
		",\"Action\":{\"ActionType\":\"NETWORK_CONNECTION\",\"NetworkConnectionAction\":{"
		"\"ConnectionDirection\":\"%s\",\"Protocol\":\"%s\",\"Blocked\":%s",
		inbound ? "INBOUND" : "OUTBOUND", finding_protocol_text(protocol, f->key.protocol),
		f->outcome == FLOWREC_REFUSED ? "true" : "false");
	if (f->key.family == 4)
		(void)fprintf(out, ",\"RemoteIpDetails\":{\"IpAddressV4\":\"%s\"}",
			      addr_text(text, 4, &f->remote));
	if (f->key.port)
		(void)fprintf(out, ",\"%s\":{\"Port\":%u}",
			      inbound ? "LocalPortDetails" : "RemotePortDetails",
			      (unsigned)f->key.port);
	(void)fputs("}}", out);
}

static void put_resource(FILE *out, const struct finding_origin *origin)
{
	bool instance = *known(origin->instance, "");

	(void)fprintf(out, ",\"Resources\":[{\"Type\":\"%s\",\"Id\":\"",
		      instance ? "AwsEc2Instance" : "Other");
	if (instance) /* ids of sensors and texts of interfaces hold nothing that JSON escapes here */
		(void)fprintf(out, "arn:%s:ec2:%s:%s:instance/", partition_of(origin),
			      region_of(origin), account_of(origin));
	(void)fprintf(out, "%s\",\"Partition\":\"%s\"", known(origin->instance, origin->sensor),
		      partition_of(origin));
	put_text(out, "Region", region_of(origin));
	(void)fputs("}]", out);
}

void finding_print_asff(const struct finding *f, const struct finding_origin *origin, FILE *out)
{
	const struct finding_kind_info *kind = &finding_kinds[f->key.kind];
	char id[ID_MAX], what[FINDING_SENTENCE], first[CLOCK_TEXT], last[CLOCK_TEXT];
	char remote[ADDR_TEXT];

	(void)clock_text(first, f->first);
	(void)clock_text(last, f->last);
	(void)fputs("{\"SchemaVersion\":\"2018-10-08\",\"Id\":", out);
	json_print_string(out, id_of(id, f, origin));
	(void)fprintf(out,
		      ",\"ProductArn\":\"arn:%s:securityhub:%s:%s:product/%s/default\","
		      "\"GeneratorId\":\"flowproof/%s\"",
		      partition_of(origin), region_of(origin), account_of(origin),
		      account_of(origin), kind->name);
	put_text(out, "AwsAccountId", account_of(origin));
	(void)fprintf(out,
		      ",\"Types\":[\"%s\"],\"FirstObservedAt\":\"%s\",\"LastObservedAt\":\"%s\","
		      "\"CreatedAt\":\"%s\",\"UpdatedAt\":\"%s\",\"Severity\":{\"Label\":\"%s\","
		      "\"Original\":\"%s\"}",
		      kind->asff, first, last, first, last, asff_labels[f->severity],
		      finding_severity_text((enum finding_severity)f->severity));
	put_text(out, "Title", kind->title);
	put_text(out, "Description", finding_say(what, VERDICT_EN, f));
	if (finding_has_remote(f))
		put_action(out, f);
	put_resource(out, origin);
	(void)fprintf(out,
		      ",\"ProductFields\":{\"flowproof/kind\":\"%s\",\"flowproof/reached\":\"%s\","
		      "\"flowproof/remote\":\"%s\",\"flowproof/batches\":\"",
		      kind->name, finding_reached_text((enum finding_reached)f->reached),
		      finding_remote_text(remote, f));
	for (size_t i = 0; i < f->evidence.n; i++)
		(void)fprintf(out, "%s%" PRIu64 "-%" PRIu64, i ? "," : "",
			      f->evidence.spans[i].first, f->evidence.spans[i].last);
	(void)fputs("\"},\"RecordState\":\"ACTIVE\"}\n", out);
}
