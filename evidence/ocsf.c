// SPDX-License-Identifier: Apache-2.0
/*
 * See ocsf.h.
 */
#include "evidence/ocsf.h"

#include <stdbool.h>
#include <string.h>

#include "platform/json.h"

enum { CLASS = 4001, REFUSE = 5, TRAFFIC = 6, OTHER = 99 };

/* The eleven texts of an identity that stand in a line, escaped, and all that is fixed. */
_Static_assert((int)OCSF_LINE_MAX >= 6 * (int)FLOWREC_IDENTITY_MAX + 4096, "a line must fit");

struct line {
	char *out;
	size_t len;
};

/* By hand: printf took four fifths of an export. */
static void put(struct line *l, const char *text)
{
	size_t len = strlen(text);

	if (len <= OCSF_LINE_MAX - l->len) {
		memcpy(l->out + l->len, text, len);
		l->len += len;
	}
}

/* `before` and a number. */
static void put_number(struct line *l, const char *before, uint64_t n)
{
	char digits[24];
	size_t at = sizeof digits - 1;

	digits[at] = '\0';
	do
		digits[--at] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	put(l, before);
	put(l, digits + at);
}

/* `before` and a string, if there is one. */
static void put_text(struct line *l, const char *before, const char *text)
{
	if (!text || !*text)
		return;
	put(l, before);
	if (strlen(text) * JSON_CHAR_MAX + 2 <= OCSF_LINE_MAX - l->len)
		l->len += json_put_string(l->out + l->len, text);
}

static void put_addr(struct line *l, const char *before, const struct flowrec *rec, bool is_src)
{
	char addr[ADDR_TEXT];

	put(l, before);
	put(l, "\"");
	put(l, addr_text(addr, rec->family, is_src ? &rec->src : &rec->dst));
	put(l, "\"");
}

/* The end that this machine is. */
static bool is_here(const struct flowrec *rec, bool is_src)
{
	return rec->direction == (is_src ? FLOWREC_EGRESS : FLOWREC_INGRESS);
}

static void put_here(struct line *l, const struct flowrec_identity *id)
{
	put_text(l, ",\"interface_uid\":", id->text[FLOWREC_T_INTERFACE_ID]);
	put_text(l, ",\"interface_name\":", id->interface);
	put_text(l, ",\"instance_uid\":", id->text[FLOWREC_T_INSTANCE_ID]);
	put_text(l, ",\"subnet_uid\":", id->text[FLOWREC_T_SUBNET_ID]);
	put_text(l, ",\"vpc_uid\":", id->text[FLOWREC_T_VPC_ID]);
}

static void put_endpoint(struct line *l, const struct flowrec *rec,
			 const struct flowrec_identity *id, bool is_src)
{
	put_addr(l, is_src ? ",\"src_endpoint\":{\"ip\":" : ",\"dst_endpoint\":{\"ip\":", rec,
		 is_src);
	put_number(l, ",\"port\":", is_src ? rec->srcport : rec->dstport);
	if (is_here(rec, is_src)) {
		put_text(l, ",\"name\":", id->sensor);
		put_here(l, id);
	}
	put(l, "}");
}

/* NODATA and SKIPDATA are of an interface alone. */
static void put_interface(struct line *l, const struct flowrec_identity *id)
{
	put_text(l, ",\"src_endpoint\":{\"name\":", id->sensor);
	put_here(l, id);
	put(l, "}");
}

static void put_traffic(struct line *l, const struct flowrec *rec,
			const struct flowrec_identity *id)
{
	static const char *const directions[] = {"0,\"direction\":\"Unknown\"",
						 "1,\"direction\":\"Inbound\"",
						 "2,\"direction\":\"Outbound\""};

	put(l, rec->action == FLOWREC_REJECT
		       ? ",\"action_id\":2,\"action\":\"Denied\",\"disposition_id\":2,"
			 "\"disposition\":\"Blocked\""
		       : ",\"action_id\":1,\"action\":\"Allowed\",\"disposition_id\":1,"
			 "\"disposition\":\"Allowed\"");
	put(l, ",\"connection_info\":{\"direction_id\":");
	put(l, directions[rec->direction % 3]);
	put_number(l, ",\"protocol_num\":", rec->protocol);
	put_number(l, ",\"protocol_ver_id\":", rec->family);
	put_number(l, ",\"protocol_ver\":\"IPv", rec->family);
	put_number(l, "\",\"tcp_flags\":", rec->tcp_flags);
	put(l, ",\"boundary_id\":99}"); /* Other */
	put_number(l, ",\"traffic\":{\"packets\":", rec->packets);
	put_number(l, ",\"bytes\":", rec->bytes);
	put(l, "}");
	put_endpoint(l, rec, id, true);
	put_endpoint(l, rec, id, false);
}

/* By type_id: 2 is an IP address, 10 the uid of a resource. */
static void put_observables(struct line *l, const struct flowrec *rec,
			    const struct flowrec_identity *id)
{
	put_addr(l, ",\"observables\":[{\"name\":\"src_endpoint.ip\",\"type_id\":2,\"value\":", rec,
		 true);
	put_addr(l, "},{\"name\":\"dst_endpoint.ip\",\"type_id\":2,\"value\":", rec, false);
	if (rec->direction != FLOWREC_DIRECTION_UNKNOWN)
		put_text(l,
			 rec->direction == FLOWREC_INGRESS ? "},{\"name\":\"dst_endpoint.instance_"
							     "uid\",\"type_id\":10,\"value\":"
							   : "},{\"name\":\"src_endpoint.instance_"
							     "uid\",\"type_id\":10,\"value\":",
			 id->text[FLOWREC_T_INSTANCE_ID]);
	put(l, "}]");
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
		put(l, ",\"");
		put(l, flowrec_fields[fields[i]].name);
		put_text(l, "\":", value);
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
	unsigned activity = !is_flow ? OTHER : rec->action == FLOWREC_REJECT ? REFUSE : TRAFFIC;
	const char *status = statuses[rec->status % 3], *name = !is_flow             ? status
								: activity == REFUSE ? "Refuse"
										     : "Traffic";
	struct line l = {.out = out};

	put(&l, "{\"class_uid\":4001,\"class_name\":\"Network Activity\",\"category_uid\":4,"
		"\"category_name\":\"Network Activity\"");
	put_number(&l, ",\"activity_id\":", activity);
	put_text(&l, ",\"activity_name\":", name);
	put_number(&l, ",\"type_uid\":", CLASS * 100 + activity);
	put(&l, ",\"type_name\":\"Network Activity: ");
	put(&l, is_flow ? name : "Other");
	put(&l, "\",\"severity_id\":1,\"severity\":\"Informational\"");
	put_number(&l, ",\"time\":", milliseconds(rec->start));
	put_number(&l, ",\"start_time\":", milliseconds(rec->start));
	put_number(&l, ",\"end_time\":", milliseconds(rec->end));
	put_text(&l, ",\"status_code\":", status);
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
