// SPDX-License-Identifier: Apache-2.0
/*
 * See alert_output.h.
 */
#include "collector/alert_output.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/alert_text.h"
#include "platform/clock.h"
#include "platform/config.h"
#include "platform/log.h"

static const char tag[] = "alerts";

/* ---- opening ---- */

static int open_one(struct alert_output *ret, size_t *n, alert_open *open, const char *given,
		    const struct alert_options *options, struct err *err)
{
	struct alert_output *o = &ret[*n];

	if (*n == ALERT_OUTPUTS_MAX)
		return err_set(err, ERR_USAGE, "more than %d outputs of alerts", ALERT_OUTPUTS_MAX);
	*o = (struct alert_output){.socket = -1, .lifeline = -1, .pid = -1};
	(*n)++;
	return open(o, given, options, err);
}

int alert_outputs_open(struct alert_output *ret, size_t *ret_n, const struct alert_options *o,
		       struct err *err)
{
	int rc = 0;

	*ret_n = 0;
	if (o->file)
		rc = open_one(ret, ret_n, alert_file_open, o->file, o, err);
	for (size_t i = 0; IS_ENABLED(CONFIG_ALERT_SYSLOG) && rc == 0 && i < o->syslog.n; i++) {
		const char *given = o->syslog.v[i];
		bool is_tls = strncmp(given, "tls:", 4) == 0;

		if (is_tls && !IS_ENABLED(CONFIG_ALERT_CURL))
			rc = err_set(
				err, ERR_USAGE,
				"--alert-syslog %s: TLS was left out of this build (ALERT_CURL)",
				given);
		else if (IS_ENABLED(CONFIG_ALERT_CURL) && is_tls)
			rc = open_one(ret, ret_n, alert_tls_open, given + 4, o, err);
		else
			rc = open_one(ret, ret_n, alert_syslog_open, given, o, err);
	}
	if (IS_ENABLED(CONFIG_ALERT_COMMAND) && rc == 0 && o->command)
		rc = open_one(ret, ret_n, alert_command_open, o->command, o, err);
	for (size_t i = 0; IS_ENABLED(CONFIG_ALERT_CURL) && rc == 0 && i < o->webhooks.n; i++)
		rc = open_one(ret, ret_n, alert_webhook_open, o->webhooks.v[i], o, err);
	return rc;
}

void alert_outputs_close(struct alert_output *outputs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (outputs[i].close && outputs[i].state)
			outputs[i].close(outputs[i].state);
		if (outputs[i].socket >= 0)
			(void)close(outputs[i].socket);
	}
}

/* ---- the process ---- */

static bool has_ended(int lifeline, int ms)
{
	struct pollfd p = {.fd = lifeline};

	return poll(&p, 1, ms) > 0 && (p.revents & POLLHUP);
}

bool alert_may_go_on(struct alert_output *o, int wait_ms)
{
	if (o->end_ns == 0 && has_ended(o->lifeline, wait_ms))
		o->end_ns = clock_mono_ns() + ALERT_END_S * (uint64_t)NS_PER_S;
	else if (o->end_ns > 0 && wait_ms > 0)
		(void)poll(NULL, 0, wait_ms);
	return o->end_ns == 0 || clock_mono_ns() < o->end_ns;
}

static void tell(struct alert_output *o, const char *bytes, size_t len)
{
	struct err err = {""};
	int rc, wait_ms = ALERT_FIRST_WAIT_MS;

	for (int i = 1;; i++) {
		rc = o->tell(o, bytes, len, &err);
		if (rc == 0)
			break;
		if (rc < 0 && !o->is_failing)
			log_warn(tag, "%s: %s; trying again", o->name, err.text);
		o->is_failing = true;
		/* A file is waited for: a full disk must not make it lack a line. */
		if (rc == ALERT_HOPELESS || (i >= ALERT_TRIES && !o->is_file) ||
		    !alert_may_go_on(o, wait_ms))
			break;
		if (i < ALERT_TRIES)
			wait_ms *= 2;
	}
	if (rc != 0) {
		o->lost++;
		log_err(tag, "%s: %s; the alert was not told there, %llu so far", o->name, err.text,
			(unsigned long long)o->lost);
	} else if (o->is_failing) {
		o->is_failing = false;
		log_info(tag, "%s: alerts are told again", o->name);
	}
}

static int enter(struct alert_output *o, struct err *err)
{
	struct sandbox_state state;

	if (o->begin)
		o->begin(o);
	return sandbox_enter(&o->sandbox, &state, err);
}

void alert_output_run(struct alert_output *o, bool no_sandbox)
{
	static char message[ALERT_MAX]; /* too large for the stack */
	struct err err;
	ssize_t n;

	if (no_sandbox) {
		if (o->begin)
			o->begin(o);
	} else if (enter(o, &err) < 0) {
		log_err(tag, "%s: %s", o->name, err.text);
		_exit(1);
	}
	for (;;) {
		n = recv(o->socket, message, sizeof message, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0);
		if (alert_may_go_on(o, 0)) {
			tell(o, message, (size_t)n);
		} else {
			o->lost++;
			log_err(tag, "%s: the time is up: an alert was not told there, %llu so far",
				o->name, (unsigned long long)o->lost);
		}
	}
}
