// SPDX-License-Identifier: Apache-2.0
/*
 * DNS transactions as lines of a Route 53 Resolver query log (proto/dns_log.h). Queries and their responses are messages of their
 * own in the ledger; a line is a response to a query that was seen, or a query that got none within DNS_PAIRS_WAIT_S.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/flowrec.h"
#include "proto/names.h"
#include "proto/wire.h"

enum { DNS_PAIRS_WAIT_S = 60 };

struct dns_pairs_line {
	const char *text; /* valid during the call, its newline included */
	size_t len;
	uint64_t asked_s, told_s; /* Unix seconds of the query and of the last message */
	uint64_t tag;             /* as given with the message */
};

/* 0 to go on; anything else ends what was called and is its result. */
typedef int dns_pairs_fn(void *ctx, const struct dns_pairs_line *line);

struct dns_pairs;

/* -ENOMEM. */
int dns_pairs_new(struct dns_pairs **ret, dns_pairs_fn *fn, void *ctx);
void dns_pairs_free(struct dns_pairs *pairs);

/* Takes the next message of a stream; another stream's ends the one before: its queries got no response. `is_wanted`: a line
 * may come of it; a response that is not wanted still answers its query. 0, what `fn` returned, or -ENOMEM. */
int dns_pairs_take(struct dns_pairs *pairs, const uint8_t stream[static WIRE_STREAM_ID],
		   const struct batch_dns *dns, const struct flowrec_identity *identity,
		   uint64_t tag, bool is_wanted);
/* Nothing more comes: queries that wait got no response. */
int dns_pairs_flush(struct dns_pairs *pairs);
/* Forgets them. */
void dns_pairs_forget(struct dns_pairs *pairs);
