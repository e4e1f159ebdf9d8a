// SPDX-License-Identifier: Apache-2.0
/*
 * An output of alerts: a process of its own, which takes messages from a socket, tells them one after the other
 * and waits as long as that takes. What does not find room in the socket meanwhile is counted by who sends.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "platform/err.h"
#include "platform/sandbox.h"
#include "platform/settings.h"

struct alert_options {
	char *file, *command, *format, *severity, *header_file, *ca, *proxy;
	struct setting_list syslog, webhooks;
	uint64_t rate, command_s;
};

enum {
	ALERT_OUTPUTS_MAX = 32,
	ALERT_TRIES = 6, /* of one message, with 250 ms, 500 ms, ... between them */
	ALERT_FIRST_WAIT_MS = 250,
	ALERT_IO_S = 5,     /* a connection or a write may take so long */
	ALERT_END_S = 3,    /* what waits at the end is told for so long */
	ALERT_HOPELESS = 1, /* of alert_tell(): trying again does not help */
};

struct alert_output;

/* Tells one message. 0; negative with a sentence; or ALERT_HOPELESS with one. */
typedef int alert_tell(struct alert_output *output, const char *bytes, size_t len, struct err *err);

struct alert_output {
	alert_tell *tell;
	void (*begin)(
		struct alert_output *output); /* in the process, before its sandbox; may be NULL */
	void (*close)(void *state);
	void *state;            /* of the kind */
	char name[128];         /* for the log: nothing secret is in it */
	bool is_syslog;         /* it takes syslog messages */
	bool is_file;           /* it is told everything, and heads */
	struct sandbox sandbox; /* what it may do; the user is filled in later */
	int socket;             /* this process's end */
	int lifeline;           /* hung up when the collector ends */
	uint64_t end_ns;        /* monotonic: when it has to be done; 0: not yet known */
	uint64_t lost;          /* messages given up */
	bool is_failing;
	pid_t pid;
};

/* What the options name, opened as far as that can be done before the rights are given up. `*ret_n` outputs, also on
 * failure; to be closed by alert_outputs_close(). ERR_USAGE or another error with a sentence. */
int alert_outputs_open(struct alert_output *ret, size_t *ret_n, const struct alert_options *options,
		       struct err *err);
void alert_outputs_close(struct alert_output *outputs, size_t n);

/* The process: until the sender is gone. Does not return. */
_Noreturn void alert_output_run(struct alert_output *output, bool no_sandbox);

/* May it go on? Waits so long first, or until the collector ends; false when the time after that is over. */
bool alert_may_go_on(struct alert_output *output, int wait_ms);

/* ---- kinds: each fills in what it is; `given` is what the setting says ---- */

typedef int alert_open(struct alert_output *ret, const char *given,
		       const struct alert_options *options, struct err *err);
alert_open alert_file_open, alert_syslog_open, alert_command_open, alert_webhook_open,
	alert_tls_open; /* tls: "ADDR:PORT" */
