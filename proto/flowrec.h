// SPDX-License-Identifier: Apache-2.0
/*
 * The record: one direction of one flow on one interface in one window, and its fields' names.
 *
 * One table (fields.c) says for each field its name, version, kind and meaning; text, JSON, help
 * and documentation follow from it. Fields and semantics: Amazon VPC User Guide, "Flow log
 * records". Fields whose name begins with `fp-` are this project's own and do not count towards
 * `version`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/addr.h"
#include "platform/err.h"

enum flowrec_status { FLOWREC_OK, FLOWREC_NODATA, FLOWREC_SKIPDATA };
enum flowrec_action { FLOWREC_ACCEPT, FLOWREC_REJECT };
enum flowrec_direction { FLOWREC_DIRECTION_UNKNOWN, FLOWREC_INGRESS, FLOWREC_EGRESS };

/* Who began the flow: the side that this record's source or destination is. */
enum flowrec_initiator { FLOWREC_INITIATOR_UNKNOWN, FLOWREC_INITIATOR_SRC, FLOWREC_INITIATOR_DST };

/* What the policy says of the flow. The values travel on the wire. */
enum flowrec_verdict {
	FLOWREC_VERDICT_NONE, /* not judged: no local address in it */
	FLOWREC_EXPECTED,
	FLOWREC_WATCHED,
	FLOWREC_UNEXPECTED_EGRESS,  /* this machine began it, no rule expects it */
	FLOWREC_UNEXPECTED_INBOUND, /* a peer began it, no rule expects it */
};

/*
 * How far the flow got, seen from who began it; it only climbs. A refusal is a word of the other side
 * or of anybody on the path, and can be forged: a later answer goes above it. The values travel on
 * the wire.
 */
enum flowrec_outcome {
	FLOWREC_OUTCOME_NONE, /* NODATA, SKIPDATA */
	FLOWREC_SENT,         /* no answer yet, and too early to say that none comes */
	FLOWREC_UNANSWERED,   /* none came while it was watched, FLOWREC_PATIENCE_S at least */
	FLOWREC_REFUSED,  /* a TCP RST before any answer, or an ICMP error that quotes the flow */
	FLOWREC_ANSWERED, /* the responder sent something else: a SYN-ACK, a datagram */
	FLOWREC_DATA_OUT, /* after that the initiator sent payload */
};
enum { FLOWREC_PATIENCE_S = 5 };

/* tcp_flags: FIN 1, SYN 2, RST 4, and ACK 16 only as part of a SYN-ACK (18). */
struct flowrec {
	struct addr src, dst;
	uint64_t packets;
	uint64_t bytes;      /* IP total lengths */
	uint64_t start, end; /* Unix seconds of the first and last packet; of NODATA and SKIPDATA:
				the window, end excluded */
	uint16_t srcport, dstport;
	uint16_t rule;  /* 1-based number of the policy rule that decided; 0: none */
	uint16_t iface; /* index into the stream's interfaces */
	uint8_t family; /* 4, 6; 0 in NODATA and SKIPDATA */
	uint8_t protocol;
	uint8_t tcp_flags;
	uint8_t status;    /* enum flowrec_status */
	uint8_t action;    /* enum flowrec_action */
	uint8_t direction; /* enum flowrec_direction */
	uint8_t initiator; /* enum flowrec_initiator */
	uint8_t verdict;   /* enum flowrec_verdict */
	uint8_t outcome;   /* enum flowrec_outcome, as known when the record was made */
};

/* Texts that are the same for all records of one interface. NULL or "" prints as `-`. Strings are
 * borrowed. */
struct flowrec_identity {
	const char *account_id, *interface_id, *vpc_id, *subnet_id, *instance_id;
	const char *region, *az_id, *sublocation_type, *sublocation_id;
	const char *sensor;       /* fp-sensor */
	const char *interface;    /* fp-interface: name of the device, "eth0" */
	const char *const *rules; /* rule names by number - 1, for fp-rule */
	size_t n_rules;
};

/* ---- fields ---- */

enum flowrec_field {
	FLOWREC_F_VERSION,
	FLOWREC_F_ACCOUNT_ID,
	FLOWREC_F_INTERFACE_ID,
	FLOWREC_F_SRCADDR,
	FLOWREC_F_DSTADDR,
	FLOWREC_F_SRCPORT,
	FLOWREC_F_DSTPORT,
	FLOWREC_F_PROTOCOL,
	FLOWREC_F_PACKETS,
	FLOWREC_F_BYTES,
	FLOWREC_F_START,
	FLOWREC_F_END,
	FLOWREC_F_ACTION,
	FLOWREC_F_LOG_STATUS,
	FLOWREC_F_VPC_ID,
	FLOWREC_F_SUBNET_ID,
	FLOWREC_F_INSTANCE_ID,
	FLOWREC_F_TCP_FLAGS,
	FLOWREC_F_TYPE,
	FLOWREC_F_PKT_SRCADDR,
	FLOWREC_F_PKT_DSTADDR,
	FLOWREC_F_REGION,
	FLOWREC_F_AZ_ID,
	FLOWREC_F_SUBLOCATION_TYPE,
	FLOWREC_F_SUBLOCATION_ID,
	FLOWREC_F_PKT_SRC_AWS_SERVICE,
	FLOWREC_F_PKT_DST_AWS_SERVICE,
	FLOWREC_F_FLOW_DIRECTION,
	FLOWREC_F_TRAFFIC_PATH,
	FLOWREC_F_FP_SENSOR,
	FLOWREC_F_FP_INTERFACE,
	FLOWREC_F_FP_INITIATOR,
	FLOWREC_F_FP_VERDICT,
	FLOWREC_F_FP_RULE,
	FLOWREC_F_FP_OUTCOME,
	FLOWREC_FIELDS
};

enum flowrec_kind { FLOWREC_KIND_NUMBER, FLOWREC_KIND_STRING };

struct flowrec_field_info {
	const char *name;  /* as AWS writes it */
	uint8_t version;   /* Flow Logs version that brought it; 0 for fp-* */
	uint8_t kind;      /* enum flowrec_kind: what it is in JSON */
	bool every_status; /* filled in NODATA and SKIPDATA lines too */
	const char *help;
};

extern const struct flowrec_field_info flowrec_fields[FLOWREC_FIELDS];

/* A chosen list of fields, in order. */
struct flowrec_format {
	uint8_t n;
	uint8_t version; /* the highest among the fields, at least 2 */
	uint8_t field[FLOWREC_FIELDS];
};

/* The 14 fields of the default format. */
void flowrec_format_default(struct flowrec_format *ret);

/* Names separated by spaces or commas, `${name}` too. Unknown or repeated names: ERR_USAGE, named
 * in `err`. */
int flowrec_format_parse(struct flowrec_format *ret, const char *text, struct err *err);

/* ---- text and JSON ---- */

/* Bytes that suffice for any line, its newline included, with identity strings of at most
 * FLOWREC_ID_MAX bytes. */
enum { FLOWREC_ID_MAX = 127, FLOWREC_LINE_MAX = 5120, FLOWREC_JSON_MAX = 32768 };

/* The header line: field names, newline at the end. Returns its length. `out` holds
 * FLOWREC_LINE_MAX bytes. */
size_t flowrec_print_header(char *out, const struct flowrec_format *format);

/* One line with its newline; not NUL-terminated. Returns its length. `out` holds FLOWREC_LINE_MAX
 * bytes. */
size_t flowrec_print(char *out, const struct flowrec_format *format, const struct flowrec *rec,
		     const struct flowrec_identity *identity);

/* As flowrec_print, one JSON object: field names as keys, numbers as numbers, what text shows as
 * `-` as null. `out` holds FLOWREC_JSON_MAX bytes. */
size_t flowrec_print_json(char *out, const struct flowrec_format *format, const struct flowrec *rec,
			  const struct flowrec_identity *identity);

/* The value of one field as NUL-terminated text in `out` (FLOWREC_VALUE_MAX bytes), "-" where there
 * is none. */
enum { FLOWREC_VALUE_MAX = 128 };
const char *flowrec_value(char out[static FLOWREC_VALUE_MAX], enum flowrec_field field,
			  const struct flowrec_format *format, const struct flowrec *rec,
			  const struct flowrec_identity *identity);

/* "unexpected_egress", "expected", ...; "-" for FLOWREC_VERDICT_NONE. */
const char *flowrec_verdict_text(enum flowrec_verdict verdict);
/* "sent", "unanswered", "refused", "answered", "data_out"; "-" for FLOWREC_OUTCOME_NONE. */
const char *flowrec_outcome_text(enum flowrec_outcome outcome);
