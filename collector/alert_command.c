// SPDX-License-Identifier: Apache-2.0
/*
 * A program that is run for each alert, with the alert on its standard input: no shell, no arguments, an empty
 * environment, one at a time, and all that it started is ended when its time is up.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collector/alert_output.h"
#include "collector/alert_text.h"
#include "platform/clock.h"
#include "platform/log.h"

struct command {
	uint64_t limit_s;
	char path[];
};

/* pipe(7): 64 KiB, so that writing waits for nobody. */
_Static_assert((int)ALERT_MAX <= 65536, "a message fits into a pipe");

static _Noreturn void become(const char *path, int input)
{
	static const int signals[] = {SIGPIPE, SIGXFSZ, SIGTERM, SIGINT, SIGHUP};
	char *argv[] = {(char *)(uintptr_t)path, NULL}, *environment[] = {NULL};
	int nothing = open("/dev/null", O_WRONLY);
	sigset_t none;

	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		(void)signal(signals[i], SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setsid();
	if (chdir("/") < 0 || nothing < 0 || dup2(input, 0) < 0 || dup2(nothing, 1) < 0 ||
	    dup2(nothing, 2) < 0)
		_exit(126);
	(void)close(nothing);
	(void)execve(path, argv, environment);
	_exit(127);
}

/* Its status, or -ETIMEDOUT after it was ended. SIGCHLD is blocked. */
static int wait_for(struct alert_output *o, pid_t pid, uint64_t limit_s)
{
	static const struct timespec step = {.tv_sec = 1}; /* then the end is looked for */
	uint64_t end = clock_mono_ns() + limit_s * NS_PER_S, now;
	bool is_over = false;
	sigset_t child;
	int status;

	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	while (waitpid(pid, &status, is_over ? 0 : WNOHANG) == 0) {
		now = clock_mono_ns();
		if (now < end && alert_may_go_on(o, 0)) {
			const struct timespec left = {.tv_nsec = (long)(end - now)};

			(void)sigtimedwait(&child, NULL, end - now < NS_PER_S ? &left : &step);
		} else {
			is_over = true;
			(void)kill(-pid, SIGKILL);
			(void)kill(pid, SIGKILL); /* before its setsid() */
		}
	}
	return is_over ? -ETIMEDOUT : status;
}

static int tell(struct alert_output *o, const char *bytes, size_t len, struct err *err)
{
	const struct command *c = o->state;
	int ends[2], status;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(err, "cannot make a pipe");
	if (fcntl(ends[1], F_SETFL, O_NONBLOCK) < 0 || write(ends[1], bytes, len) != (ssize_t)len) {
		status = err_errno(err, "cannot fill a pipe");
		(void)close(ends[0]);
		(void)close(ends[1]);
		return status;
	}
	(void)close(ends[1]);
	pid = fork();
	if (pid == 0)
		become(c->path, ends[0]);
	status = pid < 0 ? err_errno(err, "cannot start a process") : 0;
	(void)close(ends[0]);
	if (pid < 0)
		return status;
	status = wait_for(o, pid, c->limit_s);
	if (status == -ETIMEDOUT)
		return err_set(err, ALERT_HOPELESS,
			       "ended: it took more than %llu s, or the collector ended",
			       (unsigned long long)c->limit_s);
	if (WIFSIGNALED(status))
		log_warn("alerts", "%s: ended by signal %d", o->name, WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		log_warn("alerts", "%s: exit status %d", o->name, WEXITSTATUS(status));
	else
		log_info("alerts", "%s: exit status 0", o->name);
	return 0;
}

static void begin(struct alert_output *o)
{
	sigset_t child;

	(void)o;
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &child, NULL);
}

int alert_command_open(struct alert_output *ret, const char *path,
		       const struct alert_options *options, struct err *err)
{
	struct command *c = calloc(1, sizeof *c + strlen(path) + 1);

	if (!c)
		return err_set(err, -ENOMEM, "no memory for --alert-command");
	ret->state = c;
	ret->close = free;
	c->limit_s = options->command_s;
	memcpy(c->path, path, strlen(path) + 1);
	if (*path != '/')
		return err_set(err, ERR_USAGE,
			       "--alert-command %s: the path must be absolute, as "
			       "/usr/local/bin/tell",
			       path);
	if (access(path, X_OK) < 0)
		return err_errno(err, "--alert-command %s cannot be run", path);
	ret->tell = tell;
	ret->begin = begin;
	ret->sandbox = (struct sandbox){.host_files = true, .unfiltered = true};
	(void)snprintf(ret->name, sizeof ret->name, "command %s", path);
	return 0;
}
