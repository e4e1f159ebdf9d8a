// SPDX-License-Identifier: Apache-2.0
/*
 * See alerts.h. All of them hold the reading end of one pipe, on which heads go to the engine; the collector alone
 * holds the other: its end is theirs.
 */
#include "collector/alerts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/alert_engine.h"
#include "collector/alert_text.h"
#include "collector/child.h"
#include "collector/confine.h"
#include "collector/credentials.h"
#include "evidence/manifest.h"
#include "platform/log.h"

static const char tag[] = "alerts";

enum {
	QUEUE_BYTES = 1024 * 1024, /* of a socket; the kernel may give less */
	PROCESSES_MAX = ALERT_OUTPUTS_MAX + 1,
};

struct alerts {
	int control[2]; /* the collector keeps [1] */
	struct loop_watch *children;
	uint64_t number; /* of the manifest that was told */
	bool is_ending;
	size_t n; /* outputs; the engine is process n */
	struct alert_output outputs[ALERT_OUTPUTS_MAX];
	pid_t pids[PROCESSES_MAX]; /* -1: it ended */
};

/* ---- options ---- */

static int word_of(const char *given, const char *option, const char *const *words, size_t n,
		   struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(given, words[i]) == 0)
			return (int)i;
	}
	return err_set(err, ERR_USAGE, "--%s %s: it is one of %s, %s, %s%s%s", option, given,
		       words[0], words[1], words[2], n > 3 ? ", " : "", n > 3 ? "..." : "");
}

static int severity_of(const char *given, struct err *err)
{
	const char *words[FINDING_SEVERITIES];

	for (size_t i = 0; i < FINDING_SEVERITIES; i++)
		words[i] = finding_severity_text((enum finding_severity)i);
	return word_of(given, "alert-severity", words, FINDING_SEVERITIES, err);
}

static int read_options(struct alerts *a, const struct alert_options *o,
			struct alert_engine_config *config, struct err *err)
{
	int format = word_of(o->format, "alert-format", alert_formats, ALERT_FORMATS, err);
	int severity = format < 0 ? format : severity_of(o->severity, err);

	if (severity < 0)
		return severity;
	config->format = (enum alert_format)format;
	config->threshold = (enum finding_severity)severity;
	config->per_minute = o->rate;
	return alert_outputs_open(a->outputs, &a->n, o, err);
}

int alerts_check(const struct alert_options *options, struct err *err)
{
	struct alerts *a = calloc(1, sizeof *a);
	struct alert_engine_config config;
	int rc = a ? read_options(a, options, &config, err)
		   : err_set(err, -ENOMEM, "no memory for alerts");

	if (a)
		alert_outputs_close(a->outputs, a->n);
	free(a);
	return rc;
}

/* ---- starting ---- */

static void begin_process(const struct alerts *a)
{
	child_begin(a->control[1]);
	child_give_way();
	if (IS_ENABLED(CONFIG_DELIVER_AWS))
		credentials_wipe_environment();
}

static int start_output(struct alerts *a, size_t i, bool no_sandbox, struct err *err)
{
	struct alert_output *o = &a->outputs[i];
	const int bytes = QUEUE_BYTES;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_errno(err, "cannot make a socket for alerts");
	(void)setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
	o->socket = ends[0];
	a->pids[i] = fork();
	if (a->pids[i] == 0) {
		begin_process(a);
		/* Nobody but the engine holds an end to send to. */
		for (size_t k = 0; k <= i; k++)
			(void)close(a->outputs[k].socket);
		o->socket = ends[1];
		o->lifeline = a->control[0];
		alert_output_run(o, no_sandbox);
	}
	(void)close(ends[1]);
	return a->pids[i] < 0 ? err_errno(err, "cannot start a process for alerts") : 0;
}

static int start_engine(struct alerts *a, const struct alert_engine_config *config, struct err *err)
{
	a->pids[a->n] = fork();
	if (a->pids[a->n] == 0) {
		begin_process(a);
		alert_engine_run(config);
	}
	return a->pids[a->n] < 0 ? err_errno(err, "cannot start a process for alerts") : 0;
}

static int start(struct alerts *a, const struct alert_options *options, const char *store,
		 const struct sandbox *like, struct err *err)
{
	struct alert_engine_config config = {.store = store, .no_sandbox = !like};
	int rc = read_options(a, options, &config, err);

	if (rc < 0 || a->n == 0)
		return rc;
	confine_describe_reader(&config.sandbox, store);
	child_take_after(&config.sandbox, like);
	if (pipe2(a->control, O_CLOEXEC) < 0 || fcntl(a->control[1], F_SETFL, O_NONBLOCK) < 0)
		return err_errno(err, "cannot make a pipe for alerts");
	(void)fflush(NULL);
	for (size_t i = 0; rc == 0 && i < a->n; i++) {
		child_take_after(&a->outputs[i].sandbox, like);
		rc = start_output(a, i, !like, err);
	}
	config.control = a->control[0];
	config.outputs = a->outputs;
	config.n_outputs = a->n;
	if (rc == 0)
		rc = start_engine(a, &config, err);
	(void)close(a->control[0]);
	a->control[0] = -1;
	alert_outputs_close(a->outputs, a->n);
	return rc;
}

int alerts_start(struct alerts **ret, const struct alert_options *options, const char *store,
		 const struct sandbox *like, struct err *err)
{
	struct alerts *a = calloc(1, sizeof *a);
	int rc;

	*ret = NULL;
	if (!a)
		return err_set(err, -ENOMEM, "no memory for alerts");
	a->control[0] = a->control[1] = -1;
	for (size_t i = 0; i < PROCESSES_MAX; i++)
		a->pids[i] = -1;
	rc = start(a, options, store, like, err);
	if (rc == 0 && a->n > 0) {
		for (size_t i = 0; i < a->n; i++)
			log_info(tag, "to %s", a->outputs[i].name);
		*ret = a;
	} else {
		alerts_end(a);
	}
	return rc;
}

/* ---- beside the collector ---- */

static void say_end(const struct alerts *a, size_t i, int status)
{
	const char *who = i == a->n ? "the process that finds what is told" : a->outputs[i].name;
	char text[CHILD_STATUS_TEXT];

	if (a->is_ending && child_ended_well(status))
		return;
	log_err(tag,
		"%s ended (%s): %s not told any more until the collector is started again; the "
		"ledger goes on",
		who, child_status_text(text, status),
		i == a->n ? "alerts are" : "alerts there are");
}

/* How many still run. */
static size_t reap(void *ctx)
{
	struct alerts *a = ctx;
	size_t left = 0;
	int status;

	for (size_t i = 0; i < PROCESSES_MAX; i++) {
		if (child_reap(&a->pids[i], &status))
			say_end(a, i, status);
		else if (a->pids[i] > 0)
			left++;
	}
	return left;
}

static void on_child(void *ctx)
{
	(void)reap(ctx);
}

int alerts_watch(struct alerts *a, struct loop *loop)
{
	return a ? loop_signal_new(&a->children, loop, SIGCHLD, on_child, a) : 0;
}

void alerts_head(struct alerts *a, const struct ledger *ledger)
{
	char line[ALERT_HEAD_TEXT], hex[SHA256_HEX];
	uint8_t digest[SHA256_BYTES];
	uint64_t number;
	int n;

	if (!a)
		return;
	ledger_head(ledger, &number, digest);
	if (number == a->number)
		return;
	a->number = number;
	n = snprintf(line, sizeof line, MANIFEST_HEAD "\n", number,
		     crypto_hex(hex, digest, SHA256_BYTES));
	/* If the engine is behind, the next one tells as much. */
	(void)!write(a->control[1], line, (size_t)n);
}

void alerts_end(struct alerts *a)
{
	if (!a)
		return;
	a->is_ending = true;
	loop_watch_free(a->children);
	for (size_t i = 0; i < 2; i++) {
		if (a->control[i] >= 0)
			(void)close(a->control[i]);
	}
	child_wait(reap, a);
	free(a);
}
