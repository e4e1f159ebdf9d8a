// SPDX-License-Identifier: Apache-2.0
/*
 * What the subcommands share: how one begins, reads its options, runs and ends.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "platform/err.h"
#include "platform/settings.h"

struct command {
	const char *name;             /* "records" */
	const char *usage;            /* what --help prints above the options */
	void (*help_more)(FILE *out); /* below them, or NULL */
	const struct setting *settings;
	size_t n_settings;
	size_t size;      /* bytes of the struct of options, which begins as zeros */
	size_t help;      /* offsets in it: of a bool, */
	size_t flow_logs; /* of a struct flowlogs_input; 0: Flow Logs are no option */
	bool has_query;   /* it begins with a struct query */
	/* The exit status, or negative. With a query what is positive says only that the output is broken. */
	int (*run)(void *options, struct err *err);
	void (*fini)(void *options); /* what run() left, even if it never ran; or NULL */
};

/* `help_`: the member of `type` that OPTION_HELP() names. */
#define COMMAND_OPTIONS(type, help_, table)                                                        \
	.settings = (table), .n_settings = sizeof(table) / sizeof((table)[0]),                     \
	.size = sizeof(type), .help = offsetof(type, help_)

/* argv[0] is the subcommand's name. Returns the exit status: 2 wrong use, 3 if something failed, a ledger is damaged or
 * standard output cannot be written (a reader of it that goes away is no error). */
int command_main(const struct command *command, int argc, char **argv);
/* Of one with a main of its own: flushes standard output. `status`, or 3 with a word. `output_errno`: why a write failed before; 0: not known. */
int command_flush(const char *name, int status, int output_errno);
