// SPDX-License-Identifier: Apache-2.0
/*
 * A finding: one conclusion about one remote end, its grounds in the ledger, and its forms.
 *
 * One finding per kind, sensor, remote address, responder's port, protocol and name. A replayed capture
 * file and live capture are never one finding. What is found on the machine itself has no remote address: its family is 0.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "evidence/say.h"
#include "platform/addr.h"
#include "proto/flowrec.h"
#include "proto/wire.h"

/* The order is that of the text among findings of one severity: what a detector concludes, then the many lines
 * that it may follow from. */
enum finding_kind {
	FINDING_BLINDING,
	FINDING_WATCH_LIST,
	FINDING_METADATA_CREDENTIALS,
	FINDING_DNS_TUNNEL,
	FINDING_ICMP_TUNNEL,
	FINDING_BEACON,
	FINDING_VOLUME,
	FINDING_DRIP,
	FINDING_SWEEP,
	FINDING_SCAN,
	FINDING_LOG_WIPED,
	FINDING_UNEXPECTED_EGRESS,
	FINDING_DNS_OTHER_RESOLVER,
	FINDING_DOH,
	FINDING_DOT,
	FINDING_SPAM,
	FINDING_ODD_PROTOCOL,
	FINDING_UNEXPECTED_INBOUND,
	FINDING_KINDS
};

enum finding_severity {
	FINDING_INFO, /* worth a line, no reason to get up */
	FINDING_LOW,
	FINDING_MEDIUM,
	FINDING_HIGH,
	FINDING_CRITICAL, /* only where a rule of the policy says so */
	FINDING_SEVERITIES
};

/* How far it got. Of what this machine began: seen from it; of what a peer began: what this machine sent back. */
enum finding_reached {
	FINDING_ATTEMPTED, /* nothing came back, or a refusal */
	FINDING_ANSWERED,
	FINDING_DATA_OUT, /* this machine sent payload to a peer that had answered, or in answer */
};

/* Batches that the finding follows from: of each stream the least and greatest sequence. */
enum { FINDING_STREAMS = 2 };
struct finding_evidence {
	struct {
		uint64_t first, last;
		uint32_t stream; /* whose: findings_origin() gives its id */
	} spans[FINDING_STREAMS];
	uint8_t n;
	bool more; /* streams */
};

struct finding_traffic {
	/* as this machine saw them */
	uint64_t packets_out, bytes_out, packets_in, bytes_in;
	uint64_t records; /* 0: only alerted, or told by a digest, so far */
};

struct finding_key {
	struct addr remote;
	uint64_t name_id;         /* 0: no name */
	uint32_t owner;           /* number of the sensor and mode */
	uint16_t port;            /* the responder's; 0: several, or none */
	uint8_t family, protocol; /* family 0: it is about this machine alone */
	uint8_t kind;             /* enum finding_kind */
	uint8_t direction;        /* enum flowrec_direction: egress if this machine began */
	uint8_t zero[6];
};

/* The name that stands for all domains which found no room. */
#define FINDING_OTHER_DOMAINS "(other domains)"

struct finding {
	struct finding_key key;
	struct addr remote;   /* key.remote; where that is 0 one that stands for all */
	const char *name;     /* a domain, a provider, what stands on the list; NULL: none */
	uint64_t first, last; /* Unix seconds */
	struct finding_traffic traffic;
	struct finding_evidence evidence;
	uint64_t count;     /* what the kind counts: addresses, ports, minutes, labels, bursts */
	uint64_t values[3]; /* of the kind: see finding_say() */
	uint32_t source;    /* index of the sensor and interface */
	uint8_t severity;   /* enum finding_severity */
	uint8_t outcome;    /* enum flowrec_outcome */
	uint8_t verdict;    /* enum flowrec_verdict: the gravest */
	uint8_t reached;    /* enum finding_reached */
	bool under_way;     /* it was going on when the watch began */
	bool is_news;       /* not told since it came, or since it grew worse */
	uint8_t told;       /* 1 + (severity << 4 | reached) when it was told; 0: never */
	uint8_t before;     /* what that was before it was told the last time */
};

/* What is the same for all findings of a kind. */
struct finding_kind_info {
	const char *name;   /* "unexpected_egress" */
	const char *title;  /* for a person */
	const char *asff;   /* ASFF: Types[] */
	const char *attack; /* ATT&CK technique; NULL: none fits */
};
extern const struct finding_kind_info finding_kinds[FINDING_KINDS];

/* "info" to "critical"; "attempted", ... */
const char *finding_severity_text(enum finding_severity severity);
const char *finding_reached_text(enum finding_reached reached);

/* "tcp", "udp", "icmp", "icmpv6", "gre", ..., or the number. */
enum { FINDING_PROTOCOL_TEXT = 8 };
const char *finding_protocol_text(char out[static FINDING_PROTOCOL_TEXT], uint8_t protocol);

/* How many remote addresses it is about: `remote` is the first of them. */
uint64_t finding_addresses(const struct finding *finding);

/* Its name in the language, which only FINDING_OTHER_DOMAINS has; NULL: none. */
const char *finding_name(enum verdict_lang lang, const struct finding *finding);

/* False: it is about this machine alone; then the remote end's text is "-". */
bool finding_has_remote(const struct finding *finding);
const char *finding_remote_text(char out[static ADDR_TEXT], const struct finding *finding);

/* What was done to a log, values[0] of FINDING_LOG_WIPED: bits. values[1]: bytes that are gone. */
enum finding_wiped {
	FINDING_WIPED_CUT = 1,
	FINDING_WIPED_DELETED = 2,
	FINDING_WIPED_MOVED = 4, /* out of its folder: it has a name elsewhere */
	FINDING_WIPED_OVERWRITTEN = 8,
};

/* One sentence, without a full stop, of its kind and figures. */
enum { FINDING_SENTENCE = 512 };
const char *finding_say(char out[static FINDING_SENTENCE], enum verdict_lang lang,
			const struct finding *finding);

/* ---- forms, one line each ---- */

/* Where it comes from, and how the remote end is called. Strings are borrowed. */
enum { FINDING_NAMES = 3 };
struct finding_origin {
	const char *sensor, *interface; /* interface: "" if it is not known */
	const char *account, *region, *instance,
		*interface_id; /* of AWS; "" if they are not known */
	bool is_replay;
	uint8_t streams[FINDING_STREAMS][WIRE_STREAM_ID]; /* of the evidence */
	const char *names[FINDING_NAMES];                 /* the remote address was called so */
	size_t n_names;
	bool more_names;
};

typedef void finding_printer(const struct finding *finding, const struct finding_origin *origin,
			     FILE *out);
void finding_print_header(FILE *out);
finding_printer finding_print, finding_print_json;
/* The same, its sentence in another language. */
void finding_print_json_in(const struct finding *finding, const struct finding_origin *origin,
			   enum verdict_lang lang, FILE *out);
/* OCSF Detection Finding; ASFF. Their times are the finding's own: the same ledger gives the same lines. */
finding_printer finding_print_ocsf, finding_print_asff;
/* What they share: the evidence as JSON objects with commas between. */
finding_printer finding_print_streams;
