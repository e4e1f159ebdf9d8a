// SPDX-License-Identifier: Apache-2.0
/*
 * Syslog messages (RFC 5424) and their frames on a stream (RFC 6587, section 3.4.1; RFC 5425, section 4.3).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
	SYSLOG_FACILITY = 13, /* "log audit" (RFC 5424, table 1) */
	SYSLOG_PARAMS = 8,
};

/* Strings are borrowed; NULL or "" is NILVALUE. What a field may not hold becomes '?', what is too long is cut. */
struct syslog_message {
	unsigned severity; /* 0 to 7 (table 2) */
	const char *time;  /* as RFC 3339, "2026-01-31T12:34:56Z" */
	const char *host, *app, *proc, *id;
	const char *sd_id; /* of the one element; NULL: none */
	struct {
		const char *name, *value; /* UTF-8 */
	} params[SYSLOG_PARAMS];
	size_t n_params;
	const char *text; /* UTF-8: told by a byte order mark if it is not ASCII (section 6.4) */
};

/* Without NUL, into `out`. Its length, or 0 if there is no room: nothing is cut off a message. */
size_t syslog_print(char *out, size_t cap, const struct syslog_message *message);

/* The length and a blank that go before a message on a stream. */
enum { SYSLOG_COUNT = 24 };
size_t syslog_count(char out[static SYSLOG_COUNT], size_t len);
