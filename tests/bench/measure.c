// SPDX-License-Identifier: Apache-2.0
/*
 * measure RESULT COMMAND...   What a command costs, all its descendants counted, into the file RESULT:
 * user seconds, system seconds, peak KiB of the largest process, exit status.
 *
 * Small, because Linux counts the memory of whoever forks as the peak of what is run. SIGINT and SIGTERM are
 * passed on as SIGINT: that ends tools that capture.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child;

static void pass_on(int sig)
{
	(void)sig;
	if (child > 0)
		kill(child, SIGINT);
}

int main(int argc, char **argv)
{
	struct sigaction act = {.sa_handler = pass_on};
	struct rusage usage;
	int status = -1, one;
	FILE *result;
	pid_t pid;

	if (argc < 3 || prctl(PR_SET_CHILD_SUBREAPER, 1L) != 0)
		return 2;
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	child = fork();
	if (child == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	while ((pid = wait(&one)) > 0 || (pid < 0 && errno == EINTR))
		if (pid == child) {
			status = one;
			child = 0;
		}
	getrusage(RUSAGE_CHILDREN, &usage);
	result = fopen(argv[1], "w");
	if (!result)
		return 3;
	fprintf(result, "%ld.%06ld %ld.%06ld %ld %d\n", (long)usage.ru_utime.tv_sec,
		(long)usage.ru_utime.tv_usec, (long)usage.ru_stime.tv_sec,
		(long)usage.ru_stime.tv_usec, usage.ru_maxrss,
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return fclose(result) == 0 ? 0 : 3;
}
