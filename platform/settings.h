// SPDX-License-Identifier: Apache-2.0
/*
 * Settings of a program: one table serves the command line, the configuration file, --help and
 * --check.
 *
 * Configuration file: one `name = value` a line, the names are the long options; a line whose first
 * visible character is # is a comment; a value may stand in double quotes to keep spaces at its
 * ends. A name that may be given several times is a list. The command line wins over the file (a
 * list is replaced whole). What --check prints can be read again as a configuration file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "platform/err.h"

enum setting_kind {
	SETTING_FLAG,   /* bool;         --name          or  name = yes|no */
	SETTING_TEXT,   /* char *;       --name VALUE; NULL when not given and no default */
	SETTING_NUMBER, /* uint64_t;     between min and max */
	SETTING_LIST,   /* struct setting_list; may be repeated */
	SETTING_FILE,   /* char *;       names the configuration file itself; not written by --check
			 */
	SETTING_ACTION, /* bool;         command line only (--check, --help); not in files, not
			   written by --check */
};

enum { SETTING_LIST_MAX = 128 };

struct setting_list {
	size_t n;
	char *v[SETTING_LIST_MAX];
};

struct setting {
	const char *name; /* long option and key */
	char letter;      /* short option, 0 for none */
	enum setting_kind kind;
	size_t offset;      /* of the member in the program's struct: offsetof() */
	const char *arg;    /* shown in --help: "HOST:PORT" */
	const char *preset; /* default as text; NULL for none */
	uint64_t min, max;  /* SETTING_NUMBER */
	const char *help;   /* one or two sentences */
};

/* Rows of a table. `at`: offsetof() of the member; `preset`: NULL for none. */
#define OPTION_ROW(kind_, name_, letter_, at_, arg_, preset_, help_)                               \
	{                                                                                          \
		.name = (name_), .letter = (letter_), .kind = (kind_), .offset = (at_),            \
		.arg = (arg_), .preset = (preset_), .help = (help_)                                \
	}
#define OPTION_TEXT(name, letter, at, arg, help)                                                   \
	OPTION_ROW(SETTING_TEXT, name, letter, at, arg, NULL, help)
#define OPTION_PRESET(name, at, arg, preset, help)                                                 \
	OPTION_ROW(SETTING_TEXT, name, 0, at, arg, preset, help)
#define OPTION_NUMBER(name_, at_, arg_, preset_, min_, max_, help_)                                \
	{                                                                                          \
		.name = (name_), .kind = SETTING_NUMBER, .offset = (at_), .arg = (arg_),           \
		.preset = (preset_), .min = (min_), .max = (max_), .help = (help_)                 \
	}
#define OPTION_LIST(name, at, arg, help) OPTION_ROW(SETTING_LIST, name, 0, at, arg, NULL, help)
#define OPTION_FLAG(name, at, help)      OPTION_ROW(SETTING_FLAG, name, 0, at, NULL, NULL, help)
#define OPTION_HELP(at)                  OPTION_ROW(SETTING_ACTION, "help", 'h', at, NULL, NULL, "Print this.")

/*
 * Fills `values` (zeroed by the caller) from presets, the configuration file (if the table has a
 * SETTING_FILE and it was given) and argv. Options end at the first word that is none or at "--";
 * *ret_rest is its index in argv. Errors name the option, or file and line, and the remedy. On
 * failure call settings_free() as well.
 */
int settings_read(const struct setting *table, size_t n, void *values, int argc, char **argv,
		  int *ret_rest, struct err *err);

/* An error of a program's own that begins with "--NAME", and NAME stood in the file that settings_read() read last, then
 * begins with file, line and name: "collector.conf:12: listen: ...". Others stay. */
void settings_blame(struct err *err);

/* Prints the effective configuration, a `name = value` line per setting that has a value. */
void settings_print(const struct setting *table, size_t n, const void *values, FILE *out);

/* The option part of --help, two columns, at most 100 wide. */
void settings_help(const struct setting *table, size_t n, FILE *out);

/* Frees the strings; `values` may be half filled. */
void settings_free(const struct setting *table, size_t n, void *values);
