// SPDX-License-Identifier: Apache-2.0
/*
 * front: what a front collector does beside keeping a batch: it hands it on to JetStream (relay.h), where sensors are
 * at home, and its own ledger is the journal that outlives a JetStream whose acknowledged messages were not yet on
 * disk. A sensor may come to any front at any time: what the others took stands in this ledger as a gap that says
 * so, and what JetStream lost is handed on again.
 */
#pragma once

#include "collector/ingest.h"
#include "collector/relay.h"

struct front;

/* The relay's process ended: `ended` is called. `store`: as ledger_reader_open() finds it, now. Borrows all. */
int front_new(struct front **ret, struct loop *loop, struct relay *relay, loop_fn *ended, void *ctx,
	      struct err *err);
/* Its ctx is the front. */
extern const struct ingest_elsewhere front_elsewhere;

/* From the loop: hands on what this ledger took in the last hour and JetStream has not. `store`: as
 * ledger_reader_open() finds it from now on. Reads all of it once: a journal is kept short (--retain-mib). */
int front_recover(struct front *front, const char *store, uint64_t now_ns, struct err *err);
/* NULL is fine. After ingest_free(). */
void front_free(struct front *front);
