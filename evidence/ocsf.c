// SPDX-License-Identifier: Apache-2.0
/*
 * See ocsf.h.
 */
#include "evidence/ocsf.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "platform/json.h"

enum { CLASS = 4001, REFUSE = 5, TRAFFIC = 6, OTHER = 99, IP_ADDRESS = 2, RESOURCE_UID = 10 };

/* The eleven texts of an identity that stand in a line, escaped, and all that is fixed. */
_Static_assert((int)OCSF_LINE_MAX >= 6 * (int)FLOWREC_IDENTITY_MAX + 4096, "a line must fit");

struct line {
	char *out;
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void put(struct line *l, const char *format, ...)
{
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(l->out + l->len, OCSF_LINE_MAX - l->len, format, list);
	va_end(list);
	if (n > 0 && (size_t)n < OCSF_LINE_MAX - l->len)
		l->len += (size_t)n;
}

/* `before` and a string, if there is one. */
static void put_text(struct line *l, const char *before, const char *text)
{
	if (!text || !*text)
		return;
	put(l, "%s", before);
	if (strlen(text) * JSON_CHAR_MAX + 2 <= OCSF_LINE_MAX - l->len)
		l->len += json_put_string(l->out + l->len, text);
}

/* The end that this machine is. */
static bool is_here(const struct flowrec *rec, bool is_src)
{
	return rec->direction == (is_src ? FLOWREC_EGRESS : FLOWREC_INGRESS);
}

static void put_endpoint(struct line *l, const struct flowrec *rec,
			 const struct flowrec_identity *id, bool is_src)
{
	char addr[ADDR_TEXT];

	put(l, ",\"%s_endpoint\":{\"ip\":\"%s\",\"port\":%u", is_src ? "src" : "dst",
	    addr_text(addr, rec->family, is_src ? &rec->src : &rec->dst),
	    is_src ? rec->srcport : rec->dstport);
	if (is_here(rec, is_src)) {
		put_text(l, ",\"name\":", id->sensor);
		put_text(l, ",\"interface_uid\":", id->text[FLOWREC_T_INTERFACE_ID]);
		put_text(l, ",\"interface_name\":", id->interface);
		put_text(l, ",\"instance_uid\":", id->text[FLOWREC_T_INSTANCE_ID]);
		put_text(l, ",\"subnet_uid\":", id->text[FLOWREC_T_SUBNET_ID]);
		put_text(l, ",\"vpc_uid\":", id->text[FLOWREC_T_VPC_ID]);
	}
	put(l, "}");
}

/* NODATA and SKIPDATA are of an interface alone. */
static void put_interface(struct line *l, const struct flowrec_identity *id)
{
	put_text(l, ",\"src_endpoint\":{\"name\":", id->sensor);
	put_text(l, ",\"interface_uid\":", id->text[FLOWREC_T_INTERFACE_ID]);
	put_text(l, ",\"interface_name\":", id->interface);
	put_text(l, ",\"instance_uid\":", id->text[FLOWREC_T_INSTANCE_ID]);
	put_text(l, ",\"subnet_uid\":", id->text[FLOWREC_T_SUBNET_ID]);
	put_text(l, ",\"vpc_uid\":", id->text[FLOWREC_T_VPC_ID]);
	put(l, "}");
}

static void put_traffic(struct line *l, const struct flowrec *rec,
			const struct flowrec_identity *id)
{
	static const char *const directions[] = {"Unknown", "Inbound", "Outbound"};
	bool is_refused = rec->action == FLOWREC_REJECT;

	put(l, ",\"action_id\":%d,\"action\":\"%s\",\"disposition_id\":%d,\"disposition\":\"%s\"",
	    is_refused ? 2 : 1, is_refused ? "Denied" : "Allowed", is_refused ? 2 : 1,
	    is_refused ? "Blocked" : "Allowed");
	put(l,
	    ",\"connection_info\":{\"direction_id\":%u,\"direction\":\"%s\",\"protocol_num\":%u,"
	    "\"protocol_ver_id\":%u,\"protocol_ver\":\"IPv%u\",\"tcp_flags\":%u,"
	    "\"boundary_id\":%d}",
	    rec->direction, directions[rec->direction % 3], rec->protocol, rec->family, rec->family,
	    rec->tcp_flags, OTHER);
	put(l, ",\"traffic\":{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", rec->packets,
	    rec->bytes);
	put_endpoint(l, rec, id, true);
	put_endpoint(l, rec, id, false);
}

static void put_observables(struct line *l, const struct flowrec *rec,
			    const struct flowrec_identity *id)
{
	const char *end = rec->direction == FLOWREC_INGRESS ? "dst" : "src";
	char addr[ADDR_TEXT];

	put(l, ",\"observables\":[{\"name\":\"src_endpoint.ip\",\"type_id\":%d,\"value\":\"%s\"}",
	    IP_ADDRESS, addr_text(addr, rec->family, &rec->src));
	put(l, ",{\"name\":\"dst_endpoint.ip\",\"type_id\":%d,\"value\":\"%s\"}", IP_ADDRESS,
	    addr_text(addr, rec->family, &rec->dst));
	if (rec->direction != FLOWREC_DIRECTION_UNKNOWN && id->text[FLOWREC_T_INSTANCE_ID] &&
	    *id->text[FLOWREC_T_INSTANCE_ID]) {
		put(l, ",{\"name\":\"%s_endpoint.instance_uid\",\"type_id\":%d", end, RESOURCE_UID);
		put_text(l, ",\"value\":", id->text[FLOWREC_T_INSTANCE_ID]);
		put(l, "}");
	}
	put(l, "]");
}

/* What OCSF has no place for. */
static void put_unmapped(struct line *l, const struct flowrec *rec,
			 const struct flowrec_identity *id)
{
	static const enum flowrec_field fields[] = {FLOWREC_F_FP_VERDICT, FLOWREC_F_FP_OUTCOME,
						    FLOWREC_F_FP_RULE};
	struct flowrec_format format;
	char value[FLOWREC_VALUE_MAX];

	flowrec_format_default(&format);
	put_text(l, ",\"unmapped\":{\"fp-sensor\":", id->sensor);
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		if (strcmp(flowrec_value(value, fields[i], &format, rec, id), "-") == 0)
			continue;
		put(l, ",\"%s\":", flowrec_fields[fields[i]].name);
		put_text(l, "", value);
	}
	put(l, "}");
}

static uint64_t milliseconds(uint64_t s)
{
	return s < INT64_MAX / 1000 ? s * 1000 : INT64_MAX;
}

size_t ocsf_print(char out[static OCSF_LINE_MAX], const struct flowrec *rec,
		  const struct flowrec_identity *id)
{
	static const char *const statuses[] = {"OK", "NODATA", "SKIPDATA"};
	bool is_flow = rec->status == FLOWREC_OK;
	int activity = !is_flow ? OTHER : rec->action == FLOWREC_REJECT ? REFUSE : TRAFFIC;
	const char *status = statuses[rec->status % 3], *name = !is_flow             ? status
								: activity == REFUSE ? "Refuse"
										     : "Traffic";
	struct line l = {.out = out};

	put(&l,
	    "{\"class_uid\":%d,\"class_name\":\"Network Activity\",\"category_uid\":4,"
	    "\"category_name\":\"Network Activity\",\"activity_id\":%d,\"activity_name\":\"%s\","
	    "\"type_uid\":%d,\"type_name\":\"Network Activity: %s\",\"severity_id\":1,"
	    "\"severity\":\"Informational\",\"time\":%" PRIu64 ",\"start_time\":%" PRIu64
	    ",\"end_time\":%" PRIu64 ",\"status_code\":\"%s\"",
	    CLASS, activity, name, CLASS * 100 + activity, is_flow ? name : "Other",
	    milliseconds(rec->start), milliseconds(rec->start), milliseconds(rec->end), status);
	put(&l,
	    ",\"metadata\":{\"version\":\"1.5.0\",\"profiles\":[\"cloud\",\"security_control\"],"
	    "\"product\":{\"name\":\"flowproof\",\"vendor_name\":\"flowproof\",\"feature\":{"
	    "\"name\":\"Flowlogs\"}}}");
	put(&l, ",\"cloud\":{\"provider\":\"AWS\"");
	put_text(&l, ",\"region\":",
		 id->text[FLOWREC_T_REGION] && *id->text[FLOWREC_T_REGION]
			 ? id->text[FLOWREC_T_REGION]
			 : "local");
	put_text(&l, ",\"zone\":", id->text[FLOWREC_T_AZ_ID]);
	put_text(&l, ",\"account\":{\"uid\":",
		 id->text[FLOWREC_T_ACCOUNT_ID] && *id->text[FLOWREC_T_ACCOUNT_ID]
			 ? id->text[FLOWREC_T_ACCOUNT_ID]
			 : "000000000000");
	put(&l, "}}");
	if (is_flow) {
		put_traffic(&l, rec, id);
		put_observables(&l, rec, id);
	} else {
		put_interface(&l, id);
	}
	put_unmapped(&l, rec, id);
	put(&l, "}\n");
	return l.len;
}
