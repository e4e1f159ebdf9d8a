// SPDX-License-Identifier: Apache-2.0
/*
 * Follows a ledger that a collector is writing: what was appended since the last look, decoded as by a
 * replay, for whoever lives off the ledger (alerts, the page, deliveries).
 *
 * It sees what is in the files, durable or not yet. The files stay open only while they are read: a thousand
 * sensors cost a place and a replay each, and one window for all. Nothing is written, no lock is taken.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/replay.h"
#include "platform/err.h"

struct follow;

/* From the beginning of STORE on, which need not exist yet. `ops` and ctx are borrowed. -ENOMEM with a
 * sentence. */
int follow_new(struct follow **ret, const char *store, const struct replay_ops *ops, void *ctx,
	       struct err *err);
/* STORE has become the root folder of this process (chroot(2)). */
void follow_is_root(struct follow *follow);
void follow_free(struct follow *follow);

/*
 * Reads on: about `budget` bytes at most, so that the caller can do other work between. 1: there is more;
 * 0: all that is there now was read; what else an op returned (not 1); or negative with a sentence: STORE or a file cannot
 * be read, to be tried again.
 */
int follow_on(struct follow *follow, uint64_t budget, struct err *err);

/* Bytes of entries that were handed on. */
uint64_t follow_read(const struct follow *follow);
