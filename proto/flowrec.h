// SPDX-License-Identifier: Apache-2.0
/*
 * The record: one direction of one flow on one interface in one window, and its fields' names.
 *
 * One table (fields.def) says for each field its name, version, type, form and origin; text, JSON,
 * reading, help and documentation follow from it. Fields and semantics: Amazon VPC User Guide, "Flow log
 * records". Fields whose name begins with `fp-` are this project's own and do not count towards
 * `version`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

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
	uint16_t rule;     /* 1-based number of the policy rule that decided; 0: none */
	uint16_t boundary; /* of the boundary's rule that accepted or refused; 0: none was asked */
	uint16_t iface;    /* index into the stream's interfaces */
	uint8_t family;    /* 4, 6; 0 in NODATA and SKIPDATA */
	uint8_t protocol;
	uint8_t tcp_flags;
	uint8_t status;    /* enum flowrec_status */
	uint8_t action;    /* enum flowrec_action */
	uint8_t direction; /* enum flowrec_direction */
	uint8_t initiator; /* enum flowrec_initiator */
	uint8_t verdict;   /* enum flowrec_verdict */
	uint8_t outcome;   /* enum flowrec_outcome, as known when the record was made */
};

/* ---- fields ---- */

/* FLOWREC_F_VERSION, ...: the fields in the order of the table. */
enum flowrec_field {
#define FIELD(id, ...) FLOWREC_F_##id,
#include "proto/fields.def"
	FLOWREC_FIELDS
};

/* FLOWREC_T_ACCOUNT_ID, ...: the fields that are texts of an interface, in the same order. */
enum flowrec_text {
#define FIELD(...)
#define TEXT(id, ...) FLOWREC_T_##id,
#include "proto/fields.def"
	FLOWREC_TEXTS
};

/* What is the same for all records of one interface. NULL or "" prints as `-`. Strings are
 * borrowed. */
struct flowrec_identity {
	const char *text[FLOWREC_TEXTS];
	const char *sensor;       /* fp-sensor */
	const char *interface;    /* fp-interface: name of the device, "eth0" */
	const char *const *rules; /* rule names by number - 1, for fp-rule */
	size_t n_rules;
};

/* All empty, and no text NULL. */
void flowrec_identity_init(struct flowrec_identity *ret);

/* Parquet types as Amazon delivers the fields; numbers are numbers in JSON too. */
enum flowrec_parquet { FLOWREC_INT_32, FLOWREC_INT_64, FLOWREC_STRING };

/* What a value looks like in text. */
enum flowrec_form {
	FLOWREC_AS_UINT,
	FLOWREC_AS_UNIX_SECONDS,
	FLOWREC_AS_IP,
	FLOWREC_AS_ENUM,
	FLOWREC_AS_ENUM_OPEN, /* Amazon may bring more values */
	FLOWREC_AS_STRING,
	FLOWREC_AS_PERCENT_ENCODED, /* RFC 3986 */
};

/* Where a value comes from; fields.def explains each. */
enum flowrec_origin {
	FLOWREC_OF_FORMAT,
	FLOWREC_OF_FLOW,
	FLOWREC_OF_WINDOW,
	FLOWREC_OF_INTERFACE,
	FLOWREC_OF_STREAM,
	FLOWREC_OF_RULE,
	FLOWREC_OF_UNKNOWN,
};

struct flowrec_field_info {
	const char *name;         /* as Amazon writes it */
	const char *help;         /* half a sentence */
	const char *const *words; /* of an enum in a record: texts by value; NULL for a hole */
	uint16_t at;              /* offset in struct flowrec or struct flowrec_identity */
	uint8_t size;             /* bytes of a number there */
	uint8_t n_words;
	uint8_t version; /* Flow Logs version that brought it; 0 for fp-* */
	uint8_t parquet; /* enum flowrec_parquet */
	uint8_t form;    /* enum flowrec_form */
	uint8_t origin;  /* enum flowrec_origin */
};

extern const struct flowrec_field_info flowrec_fields[FLOWREC_FIELDS];

/* The names of an interface's texts, by enum flowrec_text. */
extern const char *const flowrec_text_names[FLOWREC_TEXTS];

/* FLOWREC_FIELDS for a name that is none. `name` need not end in NUL. */
enum flowrec_field flowrec_field_by_name(const char *name, size_t len);

/* Which text of an interface a field is; FLOWREC_TEXTS for others. */
enum flowrec_text flowrec_text_of(enum flowrec_field field);
enum flowrec_field flowrec_field_of(enum flowrec_text text);

/* The fields with their meanings, for --help; at most 100 wide. */
void flowrec_help(FILE *out);

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

enum {
	FLOWREC_ID_MAX = 127,   /* bytes of a rule's name, a device's name, a build */
	FLOWREC_TEXT_MAX = 511, /* bytes of an interface's text: fits every ARN and most tags */
	FLOWREC_IDENTITY_MAX = 4096, /* bytes of all texts of one interface together */
	/* Bytes that suffice for any line, its newline included. */
	FLOWREC_LINE_MAX = FLOWREC_FIELDS * (FLOWREC_TEXT_MAX + 1),
	FLOWREC_JSON_MAX = FLOWREC_FIELDS * (6 * (FLOWREC_TEXT_MAX + 1) + 40),
};

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
enum { FLOWREC_VALUE_MAX = FLOWREC_TEXT_MAX + 1 };
const char *flowrec_value(char out[static FLOWREC_VALUE_MAX], enum flowrec_field field,
			  const struct flowrec_format *format, const struct flowrec *rec,
			  const struct flowrec_identity *identity);

/* "unexpected_egress", "expected", ...; "-" for FLOWREC_VERDICT_NONE. */
const char *flowrec_verdict_text(enum flowrec_verdict verdict);
/* "ingress", "egress"; "-" for FLOWREC_DIRECTION_UNKNOWN. */
const char *flowrec_direction_text(enum flowrec_direction direction);
/* "sent", "unanswered", "refused", "answered", "data_out"; "-" for FLOWREC_OUTCOME_NONE. */
const char *flowrec_outcome_text(enum flowrec_outcome outcome);
