// SPDX-License-Identifier: Apache-2.0
/*
 * The console: what comes in, one line an event, for the people who watch.
 *
 * It never waits: lines that standard output does not take at once are left out and counted. The
 * ledger has them all.
 */
#pragma once

#include "collector/ingest.h"

struct console;

/* Writes to the descriptor (borrowed); -1: only what is a warning, and that to the log. */
int console_new(struct console **ret, int fd);
void console_free(struct console *console);

/* The collector's certificate ends at `ends_s`, soon or already. */
void console_certificate(struct console *console, uint64_t ends_s, uint64_t now_s);

/* Its ctx is the console. */
extern const struct ingest_sink console_sink;
