// SPDX-License-Identifier: Apache-2.0
/*
 * A peer: all that the ledger says of one remote endpoint, added up so that the order in which it is read
 * does not matter. What the detectors judge.
 *
 * Records and digests tell of the same packets. Records are summed; of digests, whose totals include those of
 * the ones before, the greatest is kept; what is known is the greater of both: never more than there was.
 */
#pragma once

#include "evidence/finding.h"
#include "proto/batch.h"

struct peer_key {
	struct addr remote;
	uint32_t owner;
	uint16_t port; /* the responder's; 0 of protocols without */
	uint8_t family, protocol;
	uint8_t direction; /* enum flowrec_direction: egress if this machine began; unknown: neither end
			      is this machine's, the initiator is taken for it */
	uint8_t zero[7];
};

enum { PEER_MINUTE_WORDS = 4 };

struct peer {
	struct peer_key key;
	uint64_t first, last; /* Unix seconds; first UINT64_MAX: nothing seen yet */
	struct finding_traffic records, digests;
	uint64_t minutes[PEER_MINUTE_WORDS]; /* in which payload went out: a bit each, by hash */
	struct finding_evidence evidence;
	uint32_t source;
	uint16_t rule;                  /* of the gravest verdict */
	uint16_t size_least, size_most; /* of records out: bytes a packet; least 0: none went out */
	uint8_t verdict;                /* enum flowrec_verdict: the gravest */
	uint8_t outcome;                /* enum flowrec_outcome: the farthest */
	uint8_t breach; /* enum policy_severity, of the gravest rule that says so; 0: none */
	bool is_own;    /* the sensor's stream to its collector */
	bool under_way; /* a TCP connection that began before the watch did */
	bool is_dirty;  /* it changed since it was judged */
};

/* What is known of its traffic. */
struct finding_traffic peer_traffic(const struct peer *peer);

/* Bytes behind headers of usual length: of TCP 20 bytes of options, which only SYNs exceed. */
uint64_t peer_payload(const struct peer *peer, uint64_t packets, uint64_t bytes);

/* Distinct minutes in which payload went out, about: at most 256 can be told apart. */
unsigned peer_minutes(const struct peer *peer);

/* Where the remote address lies. */
bool addr_is_private(uint8_t family, const struct addr *addr); /* RFC 1918, 6598, 4193 */
bool addr_is_link(uint8_t family,
		  const struct addr *addr); /* link-local, and AWS's own services there */
/* Not one machine: multicast, or a broadcast address. The subnet's is not known: x.x.x.255 of a private one. */
bool addr_is_group(uint8_t family, const struct addr *addr);

/* ---- adding; to a peer that has its key ---- */

/* Who began, which end is remote, and whether this machine sent it. */
void peer_key_of_record(struct peer_key *ret, const struct flowrec *rec, bool *ret_out);
/* `key`: of the run, by which minutes are told apart. */
void peer_add_record(struct peer *peer, const struct flowrec *rec, bool out,
		     const uint64_t key[static 2]);
void peer_key_of_alert(struct peer_key *ret, const struct batch_alert *alert);
void peer_add_alert(struct peer *peer, const struct batch_alert *alert);
void peer_key_of_digest(struct peer_key *ret, const struct endpoint_digest *digest);
void peer_add_digest(struct peer *peer, const struct endpoint_digest *digest);

/* Widens the evidence by a batch. */
void evidence_add(struct finding_evidence *evidence, uint32_t stream, uint64_t sequence);
void evidence_merge(struct finding_evidence *evidence, const struct finding_evidence *more);
