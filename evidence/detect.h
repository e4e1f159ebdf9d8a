// SPDX-License-Identifier: Apache-2.0
/*
 * What the findings' engine and the detectors know of each other.
 *
 * A detector gathers what it needs, in state of its own of a fixed greatest size, and judges when it is asked
 * to settle: what it says follows from what was gathered, never from the order in which it came.
 */
#pragma once

#include "evidence/findings.h"
#include "evidence/known_names.h"
#include "evidence/peer.h"

/* Where something in a batch comes from: numbers that a finding keeps. */
struct detect_from {
	uint32_t owner, source, stream;
	uint64_t sequence;
};

struct detector {
	const char *name;
	/* Bytes that its state takes at most; NULL: it has none. */
	size_t (*memory)(const struct findings_config *config);
	/* All may be NULL. `state` is what open() gave. -ENOMEM or another error with a sentence. */
	int (*open)(void **ret_state, const struct findings_config *config, struct err *err);
	void (*close)(void *state);
	/* Judges a peer that changed. */
	void (*peer)(struct findings *findings, void *state, const struct peer *peer);
	/* Gather; an item's texts are borrowed for the call. */
	void (*dns)(struct findings *findings, void *state, const struct detect_from *from,
		    const struct batch_dns *dns);
	void (*name_seen)(struct findings *findings, void *state, const struct detect_from *from,
			  const struct batch_name *name);
	void (*http)(struct findings *findings, void *state, const struct detect_from *from,
		     const struct batch_http *http);
	void (*burst)(struct findings *findings, void *state, const struct detect_from *from,
		      const struct batch_burst *burst);
	/* What happened to the sensor or its host. `hello`: NULL: lost. */
	void (*event)(struct findings *findings, void *state, const struct detect_from *from,
		      const struct wire_hello *hello, const struct batch_event *event);
	/* Judges all that it gathered. */
	void (*settle)(struct findings *findings, void *state);
	/* What found no room in its state. */
	uint64_t (*left_out)(const void *state);
};

/* Ended by NULL. */
extern const struct detector *const detectors[];
extern const struct detector detect_unexpected, detect_port, detect_doh, detect_icmp,
	detect_protocol, detect_volume, detect_drip, detect_scan, detect_watch, detect_dns,
	detect_metadata, detect_beacon, detect_spread, detect_log, detect_blinding;

/* The finding stands, with what `finding` says of it; one with the same key is replaced, its severity and
 * reached only rise. `name` of it is copied. */
void detect_raise(struct findings *findings, const struct finding *finding);
/* As detect_raise(), but what a finding with the same key says already is added up with this one. */
void detect_add(struct findings *findings, const struct finding *finding);

/* There was no memory: the next call from outside says so. */
void detect_fail(struct findings *findings);

/* Names of an address, as known_names_of(). */
size_t detect_names(const struct findings *findings, uint32_t owner, uint8_t family,
		    const struct addr *addr, const char *ret[static KNOWN_NAMES_EACH]);

/* Under a key of the run: SipHash of at most 1024 bytes. */
uint64_t detect_hash(const struct findings *findings, const void *bytes, size_t len);

/* Adds what `more` says to `sum`: traffic, times, evidence, outcome, verdict. */
void detect_merge(struct finding *sum, const struct finding *more);

/* A finding with all that the peer tells. */
struct finding detect_of_peer(const struct peer *peer, enum finding_kind kind,
			      enum finding_severity severity);
/* `severity`, lowered to INFO for what the policy expects, to at most LOW for what it watches. */
enum finding_severity detect_tempered(const struct peer *peer, enum finding_severity severity);

/* NULL if there is none. */
const struct peer *detect_find_peer(const struct findings *findings, const struct peer_key *key);
/* All peers, in the order in which they came. */
size_t detect_peer_count(const struct findings *findings);
const struct peer *detect_peer_at(const struct findings *findings, size_t index);
/* NULL: none yet. */
const struct peer *detect_peer(const struct findings *findings, const struct peer_key *key);
