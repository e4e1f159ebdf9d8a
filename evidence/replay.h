// SPDX-License-Identifier: Apache-2.0
/*
 * The ledger decoded: each entry as a hello or a batch, each stream's chain checked, what is wrong
 * told where it is.
 */
#pragma once

#include "evidence/ledger.h"
#include "platform/err.h"
#include "proto/batch.h"
#include "proto/wire.h"

/* Any may be NULL. Each returns 0 to go on; any other value ends the run and is its result. */
struct replay_ops {
	int (*hello)(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello);
	/* `hello` is the stream's latest; NULL if it was lost to damage. */
	int (*batch)(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		     struct batch *batch);
	/* Each piece of a log file, in order, behind its batch; not where its path is not known. */
	int (*log)(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		   const char *path, const struct batch_log *piece);
	/* Batches that do not come. */
	int (*gap)(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		   const struct batch_gap *gap);
	/* Of kind LEDGER_TORN or LEDGER_DAMAGE. Bytes that decode badly or a batch that does not
	 * follow are damage too. */
	int (*fault)(void *ctx, const struct ledger_entry *entry);
};

/* Unix seconds, both included. */
struct replay_span {
	uint64_t from_s, to_s;
};

/* Goes through STORE, or one sensor of it; with a span (NULL: none) batches that hold nothing of it
 * are left out where the manifests tell so, and hellos are. 0; what an op returned; negative if STORE cannot be
 * read. */
int replay_run(const char *store, const char *sensor, const struct replay_span *span,
	       const struct replay_ops *ops, void *ctx, struct err *err);

/* What a gap is as a record: SKIPDATA over the windows of what was given up, for each interface (iface is 0), since nobody
 * knows which it was. false: it held nothing, or went elsewhere. */
bool replay_gap_record(const struct wire_hello *hello, const struct batch_gap *gap,
		       struct flowrec *ret);

/* The same for entries that the caller reads: of one sensor after the other, or of a single one as they come.
 * Takes nothing; `ops` is borrowed. -ENOMEM. */
struct replay;
int replay_new(struct replay **ret, const struct replay_ops *ops, void *ctx);
/* 0, what an op returned, or -ENOMEM. */
int replay_take(struct replay *replay, const struct ledger_entry *entry);
void replay_free(struct replay *replay);
