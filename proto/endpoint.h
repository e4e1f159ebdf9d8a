// SPDX-License-Identifier: Apache-2.0
/*
 * The digest of an endpoint: what a sensor knows of one remote address, port, protocol and direction,
 * and its form as text.
 *
 * Totals count from the first packet on. When an endpoint gave way its totals end; should it come
 * again, a new digest begins, whose totals are to be added.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/addr.h"
#include "proto/flowrec.h"

struct endpoint_digest {
	struct addr
		remote; /* the end that is not this machine; of two local or two foreign ones the
				 responder */
	uint16_t port;  /* the responder's; 0 where the protocol has none */
	uint16_t rule;  /* 1-based number of the policy rule that decided; 0: none */
	uint8_t family, protocol;
	uint8_t direction; /* enum flowrec_direction: egress when this machine began, ingress when the
			      remote end did */
	uint8_t outcome;   /* enum flowrec_outcome: as far as any of its flows got */
	uint8_t verdict;   /* enum flowrec_verdict */
	bool gave_way;     /* it left the table here, for an endpoint that answered */
	uint64_t first, last; /* Unix seconds of packets */
	/* as this machine sees them; of two foreign ends the initiator is taken for it */
	uint64_t packets_out, bytes_out, packets_in, bytes_in;
	uint64_t flows; /* that began, once more for each time one began anew */
};

/* Bytes that suffice for a line with its NUL, a rule's name having FLOWREC_ID_MAX bytes at most. */
enum { ENDPOINT_LINE_MAX = 512 };

/* Names of the columns of a line, without newline. */
extern const char endpoint_header[];
/* One line without newline, values separated by a blank. `rule`: its name; NULL prints as `-`. */
const char *endpoint_line(char out[static ENDPOINT_LINE_MAX], const struct endpoint_digest *digest,
			  const char *rule);
/* "kept" or "gave_way". */
const char *endpoint_state_text(const struct endpoint_digest *digest);
