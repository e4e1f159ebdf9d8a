// SPDX-License-Identifier: Apache-2.0
/*
 * What the subcommands that read the ledger share: their options, the walk through it, the telling
 * of damage, and how a program ends whose reader may have gone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/replay.h"
#include "platform/err.h"
#include "platform/settings.h"

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

/* Rows of a subcommand's table of settings. `at`: offsetof() of the member. */
#define OPTION_ROW(kind_, name_, letter_, at_, arg_, preset_, help_)                               \
	{                                                                                          \
		.name = (name_), .letter = (letter_), .kind = (kind_), .offset = (at_),            \
		.arg = (arg_), .preset = (preset_), .help = (help_)                                \
	}
#define OPTION_TEXT(name, letter, at, arg, help)                                                   \
	OPTION_ROW(SETTING_TEXT, name, letter, at, arg, NULL, help)
#define OPTION_PRESET(name, at, arg, preset, help)                                                 \
	OPTION_ROW(SETTING_TEXT, name, 0, at, arg, preset, help)
#define OPTION_LIST(name, at, arg, help) OPTION_ROW(SETTING_LIST, name, 0, at, arg, NULL, help)
#define OPTION_FLAG(name, at, help)      OPTION_ROW(SETTING_FLAG, name, 0, at, NULL, NULL, help)
#define OPTION_HELP(at)                  OPTION_ROW(SETTING_ACTION, "help", 'h', at, NULL, NULL, "Print this.")

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

/* Checks the options and derives the span. `rest` is what settings_read() gave. */
int query_prepare(struct query *query, int argc, char **argv, int rest, struct err *err);
void query_fini(struct query *query);

/* Does [start, end] overlap the span asked for? Unix seconds, ends included. */
bool query_wants(const struct query *query, uint64_t start, uint64_t end);

enum {
	QUERY_OUTPUT_BROKEN = 1
}; /* returned by an op to end the walk: standard output cannot be written */

/* Goes through the ledger; damage is told on standard error and kept. 0, QUERY_OUTPUT_BROKEN, or
 * negative. */
int query_run(struct query *query, const struct replay_ops *ops, void *ctx, struct err *err);

/* Ends a subcommand: tells the error, flushes standard output. Returns the exit status: 3 if the
 * ledger is damaged, 0 if only the reader of our output went away. `rc` is that of the steps so
 * far. */
int query_end(const struct query *query, const char *name, int rc, const struct err *err);

/* Reads "FROM,TO" of --span: Unix seconds. ERR_USAGE. */
int query_read_span(const char *text, uint64_t *ret_from, uint64_t *ret_to, struct err *err);

/* Makes standard output large and a reader that goes away an error of a write. */
void query_output_begin(void);
