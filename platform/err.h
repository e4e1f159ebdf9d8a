// SPDX-License-Identifier: Apache-2.0
/*
 * Errors: a negative number for the program, a sentence for the person.
 *
 * Functions that can fail for a reason a person must mend take a `struct err *`, write one sentence
 * into it (what, where, remedy) and return a negative code: -errno of the system, or one of ERR_*.
 * Whoever detects returns; whoever decides logs.
 */
#pragma once

#include <stdarg.h>

enum {
	ERR_USAGE = -1001, /* a command line, configuration or policy that must be mended: exit 2 */
	ERR_FORMAT = -1002, /* bytes from outside that break their format */
	ERR_FULL = -1003,   /* a table or buffer of fixed size has no room */
	ERR_TLS = -1004,    /* certificate or TLS failure */
	ERR_EXISTS = -1005, /* would overwrite what is there */
};

/* One sentence without a newline at its end; cut at the size. */
struct err {
	char text[320];
};

/* Writes the sentence (err may be NULL) and returns `code`, so that `return err_set(...)` reads
 * well. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set with `errno` as the code, ": " and its text appended. */
int err_errno(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Exit status of a program that stops on `code`: 2 for ERR_USAGE, else 3 (0 for 0). */
int err_exit_status(int code);
