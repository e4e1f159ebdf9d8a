// SPDX-License-Identifier: Apache-2.0
/*
 * See deliver.h.
 */
#include "collector/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collector/child.h"
#include "platform/config.h"
#include "platform/file.h"
#include "platform/log.h"

static const char tag[] = "deliver";

struct deliver {
	struct loop_watch *children;
	bool is_ending;
	size_t n;
	struct delivery deliveries[DELIVERIES_MAX];
	int lifelines[DELIVERIES_MAX];  /* the collector's ends */
	pid_t pids[DELIVERIES_MAX];     /* -1: it ended */
	struct delivery_health *health; /* n of them, shared */
};

/* ---- options ---- */

static int open_all(struct deliver *d, const struct deliver_options *o, const char *store,
		    struct err *err)
{
	int rc = 0;

	if (IS_ENABLED(CONFIG_DELIVER_FILES) && o->files)
		rc = deliver_files_open(&d->deliveries[d->n++], o, err);
	if (IS_ENABLED(CONFIG_DELIVER_S3) && rc == 0 && o->s3.bucket)
		rc = deliver_s3_open(&d->deliveries[d->n++], o, err);
	if (IS_ENABLED(CONFIG_DELIVER_CLOUDWATCH) && rc == 0 && o->cloudwatch_group)
		rc = deliver_cloudwatch_open(&d->deliveries[d->n++], o, err);
	if (rc < 0 || d->n == 0)
		return rc;
	if (!o->state || !*o->state)
		return err_set(
			err, ERR_USAGE,
			"--deliver-state is missing: the folder in which deliveries keep how "
			"far they are");
	if (file_is_below(o->state, store) || (o->files && file_is_below(o->files, store)))
		return err_set(err, ERR_USAGE,
			       "--deliver-state and --deliver-files must lie outside the store: "
			       "everything below it is evidence");
	for (size_t i = 0; i < d->n; i++) {
		d->deliveries[i].folder = o->state;
		d->deliveries[i].store = store;
	}
	return 0;
}

static void close_all(struct deliver *d)
{
	for (size_t i = 0; i < d->n; i++) {
		if (d->deliveries[i].ops.close && d->deliveries[i].state)
			d->deliveries[i].ops.close(d->deliveries[i].state);
		d->deliveries[i].state = NULL;
	}
}

static int new_deliver(struct deliver **ret, struct err *err)
{
	*ret = calloc(1, sizeof **ret);
	if (!*ret)
		return err_set(err, -ENOMEM, "no memory for deliveries");
	for (size_t i = 0; i < DELIVERIES_MAX; i++)
		(*ret)->lifelines[i] = (*ret)->pids[i] = -1;
	return 0;
}

int deliver_check(const struct deliver_options *options, const char *store, struct err *err)
{
	struct deliver *d = NULL;
	int rc = new_deliver(&d, err);

	if (rc == 0)
		rc = open_all(d, options, store, err);
	if (d)
		close_all(d);
	free(d);
	return rc;
}

/* ---- starting ---- */

static int start_one(struct deliver *d, size_t i, struct err *err)
{
	struct delivery *delivery = &d->deliveries[i];
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(err, "cannot make a pipe for a delivery");
	d->lifelines[i] = ends[1];
	delivery->lifeline = ends[0];
	delivery->health = &d->health[i];
	d->pids[i] = fork();
	if (d->pids[i] == 0) {
		/* No delivery holds another's line. */
		for (size_t k = 0; k < i; k++)
			(void)close(d->lifelines[k]);
		child_begin(ends[1]);
		child_give_way();
		delivery_run(delivery);
	}
	(void)close(ends[0]);
	return d->pids[i] < 0 ? err_errno(err, "cannot start a process for a delivery") : 0;
}

static int start(struct deliver *d, const struct deliver_options *options, const char *store,
		 const struct sandbox *like, struct err *err)
{
	int rc = open_all(d, options, store, err);

	if (rc < 0 || d->n == 0)
		return rc;
	rc = file_make_dir(options->state, err);
	if (rc < 0)
		return rc;
	d->health = child_share(d->n * sizeof *d->health);
	if (!d->health)
		return err_errno(err, "no memory for deliveries");
	(void)fflush(NULL);
	for (size_t i = 0; rc == 0 && i < d->n; i++) {
		d->deliveries[i].no_sandbox = !like;
		child_take_after(&d->deliveries[i].sandbox, like);
		rc = start_one(d, i, err);
		if (rc == 0)
			log_info(tag, "%s", d->deliveries[i].name);
	}
	close_all(d);
	return rc;
}

int deliver_start(struct deliver **ret, const struct deliver_options *options, const char *store,
		  const struct sandbox *like, struct err *err)
{
	struct deliver *d = NULL;
	int rc = new_deliver(&d, err);

	*ret = NULL;
	if (rc == 0)
		rc = start(d, options, store, like, err);
	if (rc == 0 && d->n > 0)
		*ret = d;
	else
		deliver_end(d);
	return rc;
}

/* ---- beside the collector ---- */

/* How many still run. */
static size_t reap(void *ctx)
{
	struct deliver *d = ctx;
	char text[CHILD_STATUS_TEXT];
	size_t left = 0;
	int status;

	for (size_t i = 0; i < d->n; i++) {
		if (child_reap(&d->pids[i], &status)) {
			d->health[i].ended = 1;
			if (!d->is_ending || !child_ended_well(status))
				log_err(tag,
					"%s ended (%s): nothing is delivered there until the "
					"collector is started again; the ledger goes on",
					d->deliveries[i].name, child_status_text(text, status));
		} else if (d->pids[i] > 0) {
			left++;
		}
	}
	return left;
}

static void on_child(void *ctx)
{
	(void)reap(ctx);
}

int deliver_watch(struct deliver *d, struct loop *loop)
{
	return d ? loop_signal_new(&d->children, loop, SIGCHLD, on_child, d) : 0;
}

void deliver_begin(struct deliver *d)
{
	for (size_t i = 0; d && i < d->n; i++)
		(void)!write(d->lifelines[i], "\n", 1);
}

void deliver_end(struct deliver *d)
{
	if (!d)
		return;
	d->is_ending = true;
	loop_watch_free(d->children);
	for (size_t i = 0; i < DELIVERIES_MAX; i++) {
		if (d->lifelines[i] >= 0)
			(void)close(d->lifelines[i]);
	}
	child_wait(reap, d);
	close_all(d);
	if (d->health)
		(void)munmap(d->health, d->n * sizeof *d->health);
	free(d);
}

size_t deliver_count(const struct deliver *d)
{
	return d ? d->n : 0;
}

const char *deliver_name(const struct deliver *d, size_t i)
{
	return d->deliveries[i].name;
}

const struct delivery_health *deliver_health(const struct deliver *d, size_t i)
{
	return &d->health[i];
}
