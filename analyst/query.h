// SPDX-License-Identifier: Apache-2.0
/*
 * What the subcommands that read the ledger share: their options, the walk through it, the telling
 * of damage.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyst/command.h"
#include "evidence/replay.h"

enum { QUERY_DAMAGES_MAX = 1000 };

struct query_damage {
	char *file, *reason;
	uint64_t offset, bytes;
};

struct query {
	/* options */
	char *store, *sensor, *from, *to;
	bool json, help;
	/* derived */
	uint64_t from_s, to_s;
	bool by_time;       /* to be set: batches outside the span need not be read */
	int output_errno;   /* why standard output could not be written */
	uint64_t n_damages; /* all; the first QUERY_DAMAGES_MAX are kept */
	size_t n_kept;
	struct query_damage damages[QUERY_DAMAGES_MAX];
};

/* Those of the query, which the subcommand's struct `type` has as `member`. */
#define QUERY_SETTINGS(type, member)                                                               \
	OPTION_TEXT("store", 'd', offsetof(type, member.store), "DIR", "The collector's store."),  \
		OPTION_TEXT("sensor", 0, offsetof(type, member.sensor), "ID",                      \
			    "Only this sensor."),                                                  \
		OPTION_TEXT("from", 0, offsetof(type, member.from), "TIME",                        \
			    "Only what reaches into the time from here on: Unix seconds or "       \
			    "2026-01-31T12:34Z (UTC)."),                                           \
		OPTION_TEXT("to", 0, offsetof(type, member.to), "TIME",                            \
			    "Only what reaches into the time up to here, inclusive."),             \
		OPTION_FLAG("json", offsetof(type, member.json), "JSON, one object a line."),      \
		OPTION_HELP(offsetof(type, member.help))

/* Checks the options and derives the span. ERR_USAGE. */
int query_prepare(struct query *query, struct err *err);
void query_fini(struct query *query);

/* Does [start, end] overlap the span asked for? Unix seconds, ends included. */
bool query_wants(const struct query *query, uint64_t start, uint64_t end);

enum {
	QUERY_OUTPUT_BROKEN = 1
}; /* returned by an op to end the walk: standard output cannot be written */

/* Goes through the ledger; damage is told on standard error and kept. 0, QUERY_OUTPUT_BROKEN, or
 * negative. */
int query_run(struct query *query, const struct replay_ops *ops, void *ctx, struct err *err);

/* Tells on standard error in how many places the ledger is damaged; false: in none. */
bool query_tell_damage(const struct query *query, const char *name);

/* Reads "FROM,TO" of --span: Unix seconds. ERR_USAGE. */
int query_read_span(const char *text, uint64_t *ret_from, uint64_t *ret_to, struct err *err);
