// SPDX-License-Identifier: Apache-2.0
/*
 * page, the process: reads the ledger on, makes states, and serves them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "collector/page_parts.h"
#include "platform/clock.h"
#include "platform/log.h"

static const char tag[] = "page";

enum {
	LOOK_MS = 200,            /* between two looks at the ledger */
	BUDGET = 4 * 1024 * 1024, /* bytes of a look; then requests have their turn */
	STATE_MS = 1000,          /* between two states, */
	STATE_SHARE = 20,         /* and so many times what one takes to make, */
	STATE_IDLE_MS = 5000,     /* and when nothing came: ages go on */
};

struct process {
	struct page_config *config;
	struct loop *loop;
	struct loop_timer *timer;
	struct loop_watch *lifeline;
	struct page_state *state;
	struct page_server *server;
	uint64_t next_ns, made_ns; /* monotonic: of states */
	bool is_told;              /* that it reads no more */
};

static _Noreturn void die(const char *why)
{
	log_err(tag, "%s: the page is gone until the collector is started again", why);
	_exit(3);
}

static void make_state(struct process *p)
{
	uint64_t begun_ns = clock_mono_ns(), pause_ns;

	if (begun_ns < p->next_ns ||
	    (!p->state->is_dirty && begun_ns < p->made_ns + STATE_IDLE_MS * (uint64_t)NS_PER_MS))
		return;
	if (page_state_make(p->state, clock_wall_ns()) < 0)
		die("no memory");
	page_serve_state(p->server);
	p->made_ns = clock_mono_ns();
	pause_ns = (p->made_ns - begun_ns) * STATE_SHARE;
	if (pause_ns < STATE_MS * (uint64_t)NS_PER_MS)
		pause_ns = STATE_MS * (uint64_t)NS_PER_MS;
	p->next_ns = begun_ns + pause_ns;
}

static void look(void *ctx)
{
	struct process *p = ctx;
	int rc = page_state_read(p->state, BUDGET);

	if (rc == -ENOMEM)
		die("no memory");
	if (p->state->trouble.text[0] && !p->is_told)
		log_warn(tag, "%s; trying again", p->state->trouble.text);
	p->is_told = p->state->trouble.text[0] != '\0';
	make_state(p);
	loop_timer_set(p->timer, rc == 1 ? 0 : LOOK_MS);
}

static void on_lifeline(void *ctx)
{
	struct process *p = ctx;

	loop_stop(p->loop);
}

/* The machine should be short of memory: this process is the one to go. */
static void go_first(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, "1000", 4);
	(void)close(fd);
}

static int begin(struct process *p, struct err *err)
{
	struct page_config *config = p->config;
	struct sandbox_state state = {.landlock = 0};
	int reporter, rc;

	go_first();
	tzset(); /* its file is out of reach later */
	reporter = page_reporter_start(config);
	rc = page_state_new(&p->state, config->store, err);
	if (rc == 0)
		rc = loop_new(&p->loop, err);
	if (rc < 0)
		return rc;
	if (loop_timer_new(&p->timer, p->loop, look, p) < 0 ||
	    loop_watch_new(&p->lifeline, p->loop, config->lifeline, on_lifeline, p) < 0)
		return err_set(err, -ENOMEM, "no memory for the page");
	rc = page_serve(&p->server, p->loop, config, p->state, reporter, err);
	if (rc == 0 && !config->no_sandbox)
		rc = sandbox_enter(&config->sandbox, &state, err);
	if (rc == 0 && state.new_root)
		page_state_is_root(p->state);
	return rc;
}

void page_run(struct page_config *config)
{
	struct process p = {.config = config};
	struct err err = {""};
	char ready;

	/* The store is there when the first byte comes. */
	if (read(config->lifeline, &ready, 1) != 1)
		_exit(0);
	if (begin(&p, &err) < 0)
		die(err.text);
	loop_timer_set(p.timer, 0);
	if (loop_run(p.loop) < 0)
		die("the event loop failed");
	_exit(0);
}
