// SPDX-License-Identifier: Apache-2.0
/*
 * Flow Logs on the command line: --flow-logs with any number of paths, what is wrong with them told on
 * standard error, progress, and what was read in JSON.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "analyst/command.h"
#include "analyst/progress.h"
#include "evidence/flowlogs.h"
#include "platform/err.h"

struct flowlogs_input {
	/* options */
	char *format;
	struct setting_list flow_logs; /* stays empty: taken out before */
	const char *name;              /* of the subcommand */
	const char **paths;
	size_t n_paths;
	int argc; /* the command line without them */
	char **argv;
	/* of reading */
	struct progress progress;
	uint64_t bad_shown, failed;
	int (*record)(void *ctx, const struct flowlogs_record *record, struct err *err);
	void *ctx;
	struct err *err;
};

/* Rows of the table; the subcommand's struct `type` has the input as `member`. */
#define FLOWLOGS_SETTINGS(type, member)                                                            \
	OPTION_LIST("flow-logs", offsetof(type, member.flow_logs), "PATH...",                      \
		    "Flow Logs: files, folders with all below them, - for standard input. Plain "  \
		    "or gzip, any format."),                                                       \
		OPTION_TEXT("format", 0, offsetof(type, member.format), "\"NAME ...\"|@FILE",      \
			    "Fields of Flow Logs without a header line, or what "                  \
			    "describe-flow-logs printed.")

/* Takes `--flow-logs A B C` (and `--flow-logs=A`) out of a command line; the paths end at the next word that begins with
 * '-' and is not "-" alone. -ENOMEM, ERR_USAGE. */
int flowlogs_input_take(struct flowlogs_input *ret, const char *name, int argc, char **argv,
			struct err *err);
void flowlogs_input_fini(struct flowlogs_input *input);

/* Reads them all. 0; negative: nothing can be concluded. What single files lack is told, and counted in `failed`. */
int flowlogs_input_read(struct flowlogs_input *input, struct flowlogs *logs, struct err *err);
/* A reader whose lines go to `input->record`. */
int flowlogs_input_new(struct flowlogs_input *input, struct flowlogs **ret, struct err *err);

/* {"files":..,"lines":..,...} without newline. */
void flowlogs_input_json(const struct flowlogs_counts *counts, FILE *out);
/* "12 files, 3456 lines: 3400 records, ..." */
void flowlogs_input_text(const struct flowlogs_counts *counts, FILE *out);
