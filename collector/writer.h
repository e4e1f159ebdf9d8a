// SPDX-License-Identifier: Apache-2.0
/*
 * writer: a collector without sensors of its own. It takes what fronts put into JetStream, one partition of it, and keeps the
 * ledger as if the sensors had come here. The ledger itself says what is in it already, so a message that comes
 * again does no harm, and a batch is in it once.
 */
#pragma once

#include "collector/ingest.h"
#include "collector/relay.h"

struct writer_config {
	struct loop *loop;
	struct ledger *ledger;
	const char *store; /* as ledger_reader_open() finds it now */
	struct relay *relay;
	uint32_t commit_ms;
	const struct ingest_sink *sink;
	void *sink_ctx;
	loop_fn *ended; /* the relay's process did: nothing comes any more */
	void *ended_ctx;
};

struct writer;

/* Borrows what the config points to. */
int writer_start(struct writer **ret, const struct writer_config *config, struct err *err);
/* Makes durable and tells what was taken; takes no more. */
void writer_stop(struct writer *writer);
/* NULL is fine. */
void writer_free(struct writer *writer);
