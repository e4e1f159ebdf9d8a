// SPDX-License-Identifier: Apache-2.0
/*
 * Records as Flow Logs text: fields separated by one space, `-` for what does not apply, one record
 * a line.
 *
 * This is the sensor's hot path when it writes text: numbers and addresses are put down by hand, no
 * printf.
 */
#include "proto/flowrec.h"

#include <string.h>

static size_t put_text(char *out, const char *text)
{
	size_t len = strnlen(text, FLOWREC_ID_MAX);

	memcpy(out, text, len);
	return len;
}

static size_t put_number(char *out, uint64_t v)
{
	char digits[20];
	size_t n = sizeof digits;

	do {
		digits[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	memcpy(out, digits + n, sizeof digits - n);
	return sizeof digits - n;
}

static size_t put_optional(char *out, const char *text)
{
	return put_text(out, text && *text ? text : "-");
}

static const char *status_text(uint8_t status)
{
	switch ((enum flowrec_status)status) {
	case FLOWREC_NODATA: return "NODATA";
	case FLOWREC_SKIPDATA: return "SKIPDATA";
	case FLOWREC_OK: break;
	}
	return "OK";
}

static const char *direction_text(uint8_t direction)
{
	switch ((enum flowrec_direction)direction) {
	case FLOWREC_INGRESS: return "ingress";
	case FLOWREC_EGRESS: return "egress";
	case FLOWREC_DIRECTION_UNKNOWN: break;
	}
	return "-";
}

static const char *initiator_text(uint8_t initiator)
{
	switch ((enum flowrec_initiator)initiator) {
	case FLOWREC_INITIATOR_SRC: return "src";
	case FLOWREC_INITIATOR_DST: return "dst";
	case FLOWREC_INITIATOR_UNKNOWN: break;
	}
	return "-";
}

static const char *rule_text(const struct flowrec *rec, const struct flowrec_identity *id)
{
	return rec->rule && rec->rule <= id->n_rules ? id->rules[rec->rule - 1] : "-";
}

/* Writes one value without NUL, at most FLOWREC_ID_MAX bytes. */
static size_t put_field(char *out, enum flowrec_field field, uint8_t version,
			const struct flowrec *rec, const struct flowrec_identity *id)
{
	if (rec->status != FLOWREC_OK && !flowrec_fields[field].every_status) {
		*out = '-';
		return 1;
	}
	switch (field) {
	case FLOWREC_F_VERSION: return put_number(out, version);
	case FLOWREC_F_ACCOUNT_ID: return put_optional(out, id->account_id);
	case FLOWREC_F_INTERFACE_ID: return put_optional(out, id->interface_id);
	case FLOWREC_F_SRCADDR:
	case FLOWREC_F_PKT_SRCADDR: return addr_print(out, rec->family, &rec->src);
	case FLOWREC_F_DSTADDR:
	case FLOWREC_F_PKT_DSTADDR: return addr_print(out, rec->family, &rec->dst);
	case FLOWREC_F_SRCPORT: return put_number(out, rec->srcport);
	case FLOWREC_F_DSTPORT: return put_number(out, rec->dstport);
	case FLOWREC_F_PROTOCOL: return put_number(out, rec->protocol);
	case FLOWREC_F_PACKETS: return put_number(out, rec->packets);
	case FLOWREC_F_BYTES: return put_number(out, rec->bytes);
	case FLOWREC_F_START: return put_number(out, rec->start);
	case FLOWREC_F_END: return put_number(out, rec->end);
	case FLOWREC_F_ACTION:
		return put_text(out, rec->action == FLOWREC_REJECT ? "REJECT" : "ACCEPT");
	case FLOWREC_F_LOG_STATUS: return put_text(out, status_text(rec->status));
	case FLOWREC_F_VPC_ID: return put_optional(out, id->vpc_id);
	case FLOWREC_F_SUBNET_ID: return put_optional(out, id->subnet_id);
	case FLOWREC_F_INSTANCE_ID: return put_optional(out, id->instance_id);
	case FLOWREC_F_TCP_FLAGS: return put_number(out, rec->tcp_flags);
	case FLOWREC_F_TYPE: return put_text(out, rec->family == 6 ? "IPv6" : "IPv4");
	case FLOWREC_F_REGION: return put_optional(out, id->region);
	case FLOWREC_F_AZ_ID: return put_optional(out, id->az_id);
	case FLOWREC_F_SUBLOCATION_TYPE: return put_optional(out, id->sublocation_type);
	case FLOWREC_F_SUBLOCATION_ID: return put_optional(out, id->sublocation_id);
	case FLOWREC_F_FLOW_DIRECTION: return put_text(out, direction_text(rec->direction));
	case FLOWREC_F_FP_SENSOR: return put_optional(out, id->sensor);
	case FLOWREC_F_FP_INTERFACE: return put_optional(out, id->interface);
	case FLOWREC_F_FP_INITIATOR: return put_text(out, initiator_text(rec->initiator));
	case FLOWREC_F_FP_VERDICT:
		return put_text(out, flowrec_verdict_text((enum flowrec_verdict)rec->verdict));
	case FLOWREC_F_FP_RULE: return put_text(out, rule_text(rec, id));
	case FLOWREC_F_FP_OUTCOME:
		return put_text(out, flowrec_outcome_text((enum flowrec_outcome)rec->outcome));
	case FLOWREC_F_PKT_SRC_AWS_SERVICE:
	case FLOWREC_F_PKT_DST_AWS_SERVICE:
	case FLOWREC_F_TRAFFIC_PATH:
	case FLOWREC_FIELDS: break;
	}
	*out = '-';
	return 1;
}

size_t flowrec_print_header(char *out, const struct flowrec_format *format)
{
	char *p = out;

	for (size_t i = 0; i < format->n; i++) {
		p += put_text(p, flowrec_fields[format->field[i]].name);
		*p++ = i + 1 < format->n ? ' ' : '\n';
	}
	return (size_t)(p - out);
}

_Static_assert(FLOWREC_LINE_MAX >= FLOWREC_FIELDS * (FLOWREC_ID_MAX + 1),
	       "a line of every field must fit");

size_t flowrec_print(char *out, const struct flowrec_format *format, const struct flowrec *rec,
		     const struct flowrec_identity *identity)
{
	char *p = out;

	for (size_t i = 0; i < format->n; i++) {
		p += put_field(p, (enum flowrec_field)format->field[i], format->version, rec,
			       identity);
		*p++ = i + 1 < format->n ? ' ' : '\n';
	}
	return (size_t)(p - out);
}

const char *flowrec_value(char out[static FLOWREC_VALUE_MAX], enum flowrec_field field,
			  const struct flowrec_format *format, const struct flowrec *rec,
			  const struct flowrec_identity *identity)
{
	out[put_field(out, field, format->version, rec, identity)] = '\0';
	return out;
}
