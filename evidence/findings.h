// SPDX-License-Identifier: Apache-2.0
/*
 * Findings: what the records and alerts of the ledger say of traffic that nothing expects.
 *
 * One finding per kind, sensor, remote address, responder's port and protocol. A replayed capture
 * file and live capture are never one finding.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "platform/addr.h"
#include "proto/batch.h"
#include "proto/flowrec.h"

enum { FINDINGS_MAX = 1000000 };

/* Where a record or alert comes from. Strings are borrowed during the call. */
struct findings_source {
	const char *sensor;
	const char *interface; /* "" if it is not known */
	bool is_replay;
};

struct finding {
	struct addr remote;
	uint64_t first, last; /* Unix seconds */
	uint64_t flows;       /* records; 0: only alerted so far */
	/* as this machine saw them */
	uint64_t packets_out, bytes_out, packets_in, bytes_in;
	uint32_t source;
	uint32_t owner;
	uint16_t port; /* the responder's; 0 of ICMP */
	uint8_t family, protocol;
	uint8_t verdict; /* FLOWREC_UNEXPECTED_EGRESS or FLOWREC_UNEXPECTED_INBOUND */
};

struct findings;

int findings_new(struct findings **ret);
void findings_free(struct findings *findings);

/* Takes what matters of it; other verdicts are passed over. 0 or -ENOMEM. */
int findings_add_record(struct findings *findings, const struct findings_source *source,
			const struct flowrec *rec);
int findings_add_alert(struct findings *findings, const struct findings_source *source,
		       const struct batch_alert *alert);

/* Records and alerts that found no room because FINDINGS_MAX endpoints were there already. */
uint64_t findings_left_out(const struct findings *findings);

/* The findings, unexpected egress first, then by first sight. Borrowed until the next call with
 * these findings. */
const struct finding *findings_sort(struct findings *findings, size_t *ret_n);

/* True if the responder sent anything. */
bool finding_is_answered(const struct finding *finding);

/* One line each. The header belongs to the text lines. */
void findings_print_header(FILE *out);
void findings_print(const struct findings *findings, const struct finding *finding, FILE *out);
void findings_print_json(const struct findings *findings, const struct finding *finding, FILE *out);

/* "tcp", "udp", "icmp", "icmpv6", "sctp", or the number. */
enum { FINDINGS_PROTOCOL_TEXT = 8 };
const char *findings_protocol_text(char out[static FINDINGS_PROTOCOL_TEXT], uint8_t protocol);
