// SPDX-License-Identifier: Apache-2.0
/*
 * What the engine's files share: findings.c takes in, findings_ask.c judges and tells.
 */
#pragma once

#include "evidence/detect.h"
#include "evidence/findings.h"
#include "evidence/known_names.h"
#include "evidence/table.h"

enum { DETECTORS_MAX = 24 };

struct owner {
	char sensor[WIRE_SENSOR_ID_MAX];
	uint64_t is_replay;
};

/* Its key are the first two members. The texts are as the first hello said. */
struct source {
	char interface[FLOWREC_ID_MAX + 1];
	uint64_t owner;
	char account[16], region[32], instance[32], interface_id[32];
};
enum { SOURCE_KEY = FLOWREC_ID_MAX + 1 + 8 };
_Static_assert(offsetof(struct source, account) == SOURCE_KEY, "the key ends here");

struct stream {
	uint8_t id[WIRE_STREAM_ID];
	uint64_t begin_s; /* of its first record */
};

/* Indices waiting for something; each at most once. */
struct queue {
	uint32_t *at;
	size_t n, cap, done;
};

struct findings {
	uint64_t key
		[2]; /* of hashes that findings show: the first stream's id, so that the same store
			    gives the same, and nobody outside knows it */
	bool has_key;
	struct table *owners, *sources, *streams, *peers, *findings;
	size_t owner, source, stream; /* of the last record: that of the next one mostly */
	struct known_names *names;
	struct queue dirty, news;
	const struct finding **sorted;
	void *states[DETECTORS_MAX];
	bool has_new; /* something was added since the detectors settled */
	int rc;       /* sticky: no memory while judging */
};

/* Bytes as 64-bit words, the last one filled up with zeros. */
void findings_words(uint64_t *words, const uint8_t *bytes, size_t len);
/* 0 or -ENOMEM. */
int findings_push(struct queue *queue, size_t index);

_Static_assert(2 * sizeof(uint64_t) == WIRE_STREAM_ID, "a stream's id is a key");
_Static_assert((int)FINDING_NAMES == (int)KNOWN_NAMES_EACH, "as many are told as are known");
