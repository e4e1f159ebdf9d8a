// SPDX-License-Identifier: Apache-2.0
/*
 * What the manifests say of the segments. The walk reads them all; the index keeps the ranges of bytes
 * by sensor, for finding a span of time and for the audit. Signatures are not checked here.
 */
#pragma once

#include "evidence/ledger.h"
#include "evidence/ledger_segment.h"
#include "evidence/manifest.h"

/* Any may be NULL. Each returns 0 to go on; any other value ends the walk and is its result. */
struct manifest_walk {
	/* `entry` is where it stands; its digest is what the next one names. */
	int (*manifest)(void *ctx, const char *file, const struct segment_entry *entry,
			struct manifest *manifest);
	/* `is_end`: nothing that can be read follows; as a crash leaves it, if it is the last file. */
	int (*fault)(void *ctx, const char *file, uint64_t offset, bool is_end, const char *reason);
};

/* Through all the manifests of a store in order. 0, what an op returned, or negative: the folder
 * cannot be read (-ENOENT: there is none). */
int manifest_walk_run(const char *store, const struct manifest_walk *ops, void *ctx,
		      struct err *err);

/* A range, with what the audit needs beside it. */
struct index_range {
	uint64_t manifest; /* number of the one that tells it */
	uint32_t number;
	struct manifest_range range; /* its streams are a copy */
};

struct index_sensor {
	char id[WIRE_SENSOR_ID_MAX];
	uint32_t first; /* segment that is kept, as the last manifest has it */
	size_t n, cap;
	struct index_range *ranges; /* in order of number and offset, as far as the manifests are */
};

struct ledger_index {
	bool knows_store;
	uint8_t store[LEDGER_STORE_ID];
	uint64_t last; /* number of the last manifest */
	size_t n, cap;
	struct index_sensor *sensors;
};

/* Takes what one manifest says. -ENOMEM. */
int ledger_index_add(struct ledger_index *index, struct manifest *manifest);
/* All of a store, as far as it can be read. Begin with a zeroed index; free it also after a failure. */
int ledger_index_load(struct ledger_index *index, const char *store, struct err *err);
void ledger_index_fini(struct ledger_index *index);
/* NULL if the manifests do not know it. */
const struct index_sensor *ledger_index_find(const struct ledger_index *index, const char *id);
