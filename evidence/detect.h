// SPDX-License-Identifier: Apache-2.0
/*
 * What the findings' engine and the detectors know of each other.
 *
 * A detector gathers what it needs, in state of its own of a fixed greatest size, and judges when it is asked
 * to settle: what it says follows from what was gathered, never from the order in which it came.
 */
#pragma once

#include "evidence/findings.h"
#include "evidence/peer.h"

/* Where something in a batch comes from: numbers that a finding keeps. */
struct detect_from {
	uint32_t owner, source, stream;
	uint64_t sequence;
	uint64_t now_s; /* of the batch, by the sensor's clock */
};

struct detector {
	const char *name;
	size_t memory; /* bytes that its state takes at most; 0: none */
	/* All may be NULL. `state` is what open() gave. -ENOMEM or another error with a sentence. */
	int (*open)(void **ret_state, const struct findings_config *config, struct err *err);
	void (*close)(void *state);
	/* Judges a peer that changed. */
	void (*peer)(struct findings *findings, void *state, const struct peer *peer);
	/* Judges all that it gathered. */
	void (*settle)(struct findings *findings, void *state);
	/* What found no room in its state. */
	uint64_t (*left_out)(const void *state);
};

/* Ended by NULL. */
extern const struct detector *const detectors[];
extern const struct detector detect_unexpected, detect_port, detect_doh, detect_icmp,
	detect_protocol, detect_volume, detect_drip, detect_scan, detect_watch;

/* The finding stands, with what `finding` says of it; one with the same key is replaced, its severity and
 * reached only rise. `name` of it is copied. */
void detect_raise(struct findings *findings, const struct finding *finding);

/* A finding with all that the peer tells. */
struct finding detect_of_peer(const struct peer *peer, enum finding_kind kind,
			      enum finding_severity severity);
/* `severity`, lowered to INFO for what the policy expects, to at most LOW for what it watches. */
enum finding_severity detect_tempered(const struct peer *peer, enum finding_severity severity);

/* All peers, in the order in which they came. */
size_t detect_peer_count(const struct findings *findings);
const struct peer *detect_peer_at(const struct findings *findings, size_t index);
