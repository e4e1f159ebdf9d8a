// SPDX-License-Identifier: Apache-2.0
/*
 * See page.h. The process holds the reading end of a pipe, the collector alone the other: its end is the page's.
 */
#include "collector/page.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collector/child.h"
#include "collector/confine.h"
#include "collector/page_parts.h"
#include "platform/addr.h"
#include "platform/log.h"
#include "platform/socket.h"

static const char tag[] = "page";

struct page {
	struct page_config config;
	struct counts *counts; /* shared */
	struct loop_watch *children;
	int ends[2]; /* the collector keeps [1] */
	pid_t pid;   /* -1: it ended */
	bool is_ending;
};

/* ---- options ---- */

/* "ADDR:PORT", or "PORT" of the loopback address. */
static int read_address(const char *given, struct endpoint *ret, struct err *err)
{
	char text[ADDR_ENDPOINT_TEXT];
	struct err why;

	if (*given && strspn(given, "0123456789") == strlen(given) && strlen(given) <= 5) {
		(void)snprintf(text, sizeof text, "127.0.0.1:%s", given);
		given = text;
	}
	return endpoint_parse(given, ret, &why) < 0
		       ? err_set(err, ERR_USAGE, "--http: %s", why.text)
		       : 0;
}

static bool is_loopback(const struct endpoint *at)
{
	static const struct addr six = {{[15] = 1}};

	return at->family == 4 ? at->addr.b[0] == 127 : memcmp(&at->addr, &six, sizeof six) == 0;
}

static int read_options(const struct page_options *o, struct page_guard *guard,
			struct endpoint *ret_at, struct err *err)
{
	int rc = read_address(o->http, ret_at, err);

	guard->hosts = &o->hosts;
	if (rc == 0 && !o->token_file && !is_loopback(ret_at))
		rc = err_set(err, ERR_USAGE,
			     "--http %s can be reached from other machines: give --http-token-file "
			     "FILE with a "
			     "token that they need (openssl rand -hex 32), or listen at 127.0.0.1",
			     o->http);
	if (rc == 0 && o->token_file)
		rc = page_guard_read(guard, o->token_file, err);
	return rc;
}

int page_check(const struct page_options *o, struct err *err)
{
	struct page_guard guard = {.hosts = NULL};
	struct endpoint at;

	return o->http ? read_options(o, &guard, &at, err) : 0;
}

/* ---- starting ---- */

static int start(struct page *p, const struct page_options *o, const struct sandbox *like,
		 struct err *err)
{
	char text[ADDR_ENDPOINT_TEXT];
	struct endpoint at, bound;
	int rc = read_options(o, &p->config.guard, &at, err);

	if (rc == 0)
		rc = socket_listen(&p->config.listener, &at, &bound, err);
	if (rc < 0)
		return rc;
	p->counts = child_share(sizeof *p->counts);
	if (!p->counts)
		return err_errno(err, "no memory for the page");
	p->config.counts = p->counts;
	confine_describe_page(&p->config.sandbox, p->config.store);
	p->config.report_sandbox = (struct sandbox){.host_files = true, .unfiltered = true};
	child_take_after(&p->config.sandbox, like);
	child_take_after(&p->config.report_sandbox, like);
	p->config.no_sandbox = !like;
	if (pipe2(p->ends, O_CLOEXEC) < 0)
		return err_errno(err, "cannot make a pipe for the page");
	(void)fflush(NULL);
	p->pid = fork();
	if (p->pid == 0) {
		child_begin(p->ends[1]);
		p->config.lifeline = p->ends[0];
		page_run(&p->config);
	}
	if (p->pid < 0)
		return err_errno(err, "cannot start a process for the page");
	(void)close(p->ends[0]);
	(void)close(p->config.listener);
	p->ends[0] = p->config.listener = -1;
	log_info(tag, "at http://%s/%s", endpoint_text(text, &bound),
		 p->config.guard.has_token ? ", with a token" : "");
	return 0;
}

int page_start(struct page **ret, const struct page_options *o, const char *store, const char *ca,
	       const struct deliver *deliver, const struct sandbox *like, struct err *err)
{
	struct page *p;
	int rc;

	*ret = NULL;
	if (!o->http)
		return 0;
	p = calloc(1, sizeof *p);
	if (!p)
		return err_set(err, -ENOMEM, "no memory for the page");
	p->ends[0] = p->ends[1] = p->config.listener = p->pid = -1;
	p->config.store = store;
	p->config.ca = ca;
	p->config.deliver = deliver;
	rc = start(p, o, like, err);
	if (rc == 0)
		*ret = p;
	else
		page_end(p);
	return rc;
}

/* ---- beside the collector ---- */

struct counts *page_counts(struct page *p)
{
	return p ? p->counts : NULL;
}

void page_ready(struct page *p)
{
	if (p)
		(void)!write(p->ends[1], "\n", 1);
}

static size_t reap(void *ctx)
{
	struct page *p = ctx;
	char text[CHILD_STATUS_TEXT];
	int status;

	if (child_reap(&p->pid, &status) && (!p->is_ending || !child_ended_well(status)))
		log_err(tag,
			"its process ended (%s): there is no page until the collector is started "
			"again; the ledger goes on",
			child_status_text(text, status));
	return p->pid > 0;
}

static void on_child(void *ctx)
{
	(void)reap(ctx);
}

int page_watch(struct page *p, struct loop *loop)
{
	return p ? loop_signal_new(&p->children, loop, SIGCHLD, on_child, p) : 0;
}

void page_end(struct page *p)
{
	if (!p)
		return;
	p->is_ending = true;
	loop_watch_free(p->children);
	for (size_t i = 0; i < 2; i++) {
		if (p->ends[i] >= 0)
			(void)close(p->ends[i]);
	}
	if (p->config.listener >= 0)
		(void)close(p->config.listener);
	if (p->pid > 0)
		child_wait(reap, p);
	if (p->counts)
		(void)munmap(p->counts, sizeof *p->counts);
	free(p);
}
