// SPDX-License-Identifier: Apache-2.0
/*
 * See child.h.
 */
#include "collector/child.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NICE = 10, END_STEP_MS = 10 };

void *child_share(size_t len)
{
	/* cppcheck-suppress invalidFunctionArg; a mapping of no file has no descriptor */
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	return at;
}

void child_begin(int collectors_end)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};

	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		(void)signal(signals[i], SIG_IGN);
	(void)close(collectors_end);
}

void child_give_way(void)
{
	(void)!nice(NICE);
}

void child_take_after(struct sandbox *sandbox, const struct sandbox *like)
{
	if (!like)
		return;
	sandbox->user = like->user;
	sandbox->lock_memory = like->lock_memory;
	sandbox->eperm = like->eperm;
}

bool child_reap(pid_t *pid, int *ret_status)
{
	if (*pid <= 0 || waitpid(*pid, ret_status, WNOHANG) != *pid)
		return false;
	*pid = -1;
	return true;
}

bool child_ended_well(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

const char *child_status_text(char out[static CHILD_STATUS_TEXT], int status)
{
	(void)snprintf(out, CHILD_STATUS_TEXT, "%s %d", WIFSIGNALED(status) ? "signal" : "status",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return out;
}

void child_wait(size_t (*reap)(void *ctx), void *ctx)
{
	for (int ms = 0; reap(ctx) > 0 && ms < CHILD_END_MS; ms += END_STEP_MS)
		(void)poll(NULL, 0, END_STEP_MS);
}
