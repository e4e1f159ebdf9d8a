// SPDX-License-Identifier: Apache-2.0
/*
 * The findings' engine: one replay of the ledger goes in, or the batches of a live collector as they are
 * appended; findings come out. The same for both, whatever the order of the batches.
 *
 * What goes in is added up in peers (peer.h); detectors (detect.h) judge them, and keep state of their own.
 * Memory grows with what comes, up to findings_memory(); what finds no room is counted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/finding.h"
#include "platform/err.h"
#include "proto/batch.h"

enum {
	FINDINGS_MAX = 1000000,       /* of an analyst; and as many peers */
	FINDINGS_MAX_LIVE = 32768,    /* of a collector */
	FINDINGS_SOURCES_MAX = 16384, /* sensors' interfaces, and as many streams */
};

struct watch_list;

struct findings_config {
	size_t max;                     /* findings, and peers */
	const struct watch_list *watch; /* borrowed; NULL: none */
};

/* Where a batch comes from. Borrowed during the call. */
struct findings_from {
	const char *sensor;
	const uint8_t *stream;          /* WIRE_STREAM_ID bytes */
	const struct wire_hello *hello; /* NULL: lost */
	uint64_t sequence;
};

struct findings;

/* -ENOMEM with a sentence. Give them to findings_free(). */
int findings_new(struct findings **ret, const struct findings_config *config, struct err *err);
void findings_free(struct findings *findings);
/* Bytes at most, but for names. */
size_t findings_memory(const struct findings_config *config);

/* The batch, its records read by this call, or one by one by the caller. 0 or -ENOMEM. */
int findings_add_batch(struct findings *findings, const struct findings_from *from,
		       struct batch *batch);
int findings_add_record(struct findings *findings, const struct findings_from *from,
			const struct flowrec *rec);
/* All of it but the records, as far as it reaches into the span (Unix seconds, both included). */
int findings_add_rest(struct findings *findings, const struct findings_from *from,
		      const struct batch *batch, uint64_t from_s, uint64_t to_s);

/* All findings: the gravest first, then by kind and first sight. Borrowed until the next call. -ENOMEM. */
int findings_sort(struct findings *findings, const struct finding *const **ret, size_t *ret_n);
/* The finding of this key; NULL: none. After findings_sort(), whose list stays as it is. */
const struct finding *findings_find(const struct findings *findings, const struct finding_key *key);

/* The next finding that is new, or grew worse or got further since it was told; NULL: none now. To be called
 * until then, after batches were added. Borrowed until the next call. */
const struct finding *findings_next_news(struct findings *findings);

/* The sensor, and whether it read a file. */
const char *findings_owner(const struct findings *findings, const struct finding *finding,
			   bool *ret_is_replay);
void findings_origin(const struct findings *findings, const struct finding *finding,
		     struct finding_origin *ret);

/* What found no room. */
struct findings_stats {
	size_t findings, peers;
	uint64_t findings_left_out; /* times a further one was raised */
	uint64_t peers_left_out;    /* records, alerts and digests of further peers */
	uint64_t state_left_out;    /* of detectors */
};
void findings_stats(const struct findings *findings, struct findings_stats *ret);
