// SPDX-License-Identifier: Apache-2.0
/*
 * page, the reports: a process of its own, since it runs a program: `flowproof report`, the one that stands beside this
 * program, so that what is downloaded is what an analyst would make. It opened the program, the CA's
 * certificate and the store before it gave its rights up. One report at a time, a limited time each.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/page_parts.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/log.h"

static const char tag[] = "page";

enum { FD_TEXT = 32, STEP_MS = 20 };

struct reporter {
	int socket, program, ca; /* ca: -1: there is none */
};

/* ---- running it ---- */

static const char *fd_path(char out[static FD_TEXT], int fd)
{
	(void)snprintf(out, FD_TEXT, "/proc/self/fd/%d", fd);
	return out;
}

static _Noreturn void become(const struct reporter *rep, int out,
			     const struct page_request *request)
{
	const struct rlimit size = {PAGE_REPORT_MAX, PAGE_REPORT_MAX};
	char ca[FD_TEXT], file[FD_TEXT];
	const char *argv[12], *environment[] = {NULL};
	int n = 0, nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);

	argv[n++] = "flowproof";
	argv[n++] = "report";
	argv[n++] = "-d";
	argv[n++] = ".";
	argv[n++] = "--lang";
	argv[n++] = request->lang == VERDICT_JA ? "ja" : "en";
	argv[n++] = request->form == PAGE_REPORT_JSON ? "--json" : "--html";
	argv[n++] = request->form == PAGE_REPORT_JSON ? "-" : fd_path(file, out);
	if (rep->ca >= 0) {
		argv[n++] = "--ca";
		argv[n++] = fd_path(ca, rep->ca);
	}
	argv[n] = NULL;
	(void)signal(SIGPIPE, SIG_DFL);
	(void)setsid();
	(void)setrlimit(RLIMIT_FSIZE, &size);
	if (dup2(request->form == PAGE_REPORT_JSON ? out : nothing, STDOUT_FILENO) < 0 ||
	    fcntl(out, F_SETFD, 0) < 0 || (rep->ca >= 0 && fcntl(rep->ca, F_SETFD, 0) < 0))
		_exit(126);
	(void)fexecve(rep->program, (char *const *)(uintptr_t)argv,
		      (char *const *)(uintptr_t)environment);
	_exit(127);
}

/* Its status, or -1 after it was ended: it took too long, or the page is gone. */
static int wait_for(const struct reporter *rep, pid_t pid)
{
	uint64_t end_ns = clock_mono_ns() + PAGE_REPORT_S * (uint64_t)NS_PER_S;
	struct pollfd gone = {.fd = rep->socket};
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		(void)poll(&gone, 1, STEP_MS);
		if (clock_mono_ns() < end_ns && !(gone.revents & POLLHUP))
			continue;
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, &status, 0);
		return -1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A file with the report, or -1. */
static int make(const struct reporter *rep, const struct page_request *request)
{
	int out = memfd_create("report", MFD_CLOEXEC), status = -1;
	pid_t pid = out >= 0 ? fork() : -1;

	if (pid == 0)
		become(rep, out, request);
	if (pid > 0)
		status = wait_for(rep, pid);
	/* 1: the verdict is another than none_observed. */
	if (status == 0 || status == 1)
		return out;
	log_warn(tag, "a report was not made: flowproof report %s %d",
		 status < 0 ? "took too long or was ended:" : "ended with status", status);
	if (out >= 0)
		(void)close(out);
	return -1;
}

/* ---- the process ---- */

union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static void send_file(int socket, int fd)
{
	union control control;
	char well = fd >= 0;
	struct iovec one = {&well, 1};
	struct msghdr m = {.msg_iov = &one, .msg_iovlen = 1};
	struct cmsghdr *c;

	memset(&control, 0, sizeof control);
	if (fd >= 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof control.bytes;
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	(void)sendmsg(socket, &m, MSG_NOSIGNAL);
}

bool page_reporter_take(int reporter, int *ret_fd)
{
	union control control;
	char well;
	struct iovec one = {&well, 1};
	struct msghdr m = {.msg_iov = &one,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof control.bytes};
	const struct cmsghdr *c;

	*ret_fd = -1;
	if (recvmsg(reporter, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return false;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof *ret_fd))
		memcpy(ret_fd, CMSG_DATA(c), sizeof *ret_fd);
	return true;
}

static _Noreturn void work(const struct reporter *rep, const struct page_config *config)
{
	struct page_request request;
	struct sandbox_state state;
	struct err err;
	int fd;

	if (chdir(config->store) < 0)
		_exit(0); /* the page tells the same */
	if (!config->no_sandbox && sandbox_enter(&config->report_sandbox, &state, &err) < 0) {
		log_err(tag, "no reports: %s", err.text);
		_exit(1);
	}
	while (recv(rep->socket, &request, sizeof request, 0) == (ssize_t)sizeof request) {
		fd = make(rep, &request);
		send_file(rep->socket, fd);
		if (fd >= 0)
			(void)close(fd);
	}
	_exit(0);
}

/* `flowproof` beside this program. */
static int open_program(void)
{
	char path[2048];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof "flowproof");
	char *slash;

	if (n <= 0)
		return -1;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return -1;
	memcpy(slash + 1, "flowproof", sizeof "flowproof");
	return access(path, X_OK) == 0 ? open(path, O_PATH | O_CLOEXEC) : -1;
}

/* A copy in memory, which every user may read again. */
static int copy_of(const char *path)
{
	char bytes[2048];
	int from = open(path, O_RDONLY | O_CLOEXEC), to = memfd_create("ca", MFD_CLOEXEC);
	ssize_t n = from < 0 || to < 0 ? -1 : 1;

	while (n > 0) {
		n = read(from, bytes, sizeof bytes);
		if (n > 0 && write(to, bytes, (size_t)n) != n)
			n = -1;
	}
	if (from >= 0)
		(void)close(from);
	if (n == 0)
		return to;
	if (to >= 0)
		(void)close(to);
	return -1;
}

int page_reporter_start(const struct page_config *config)
{
	struct reporter rep = {.program = open_program()};
	int ends[2];
	pid_t pid;

	if (rep.program < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	rep.ca = config->ca ? copy_of(config->ca) : -1;
	rep.socket = ends[1];
	pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		(void)close(config->listener);
		work(&rep, config);
	}
	(void)close(ends[1]);
	(void)close(rep.program);
	if (rep.ca >= 0)
		(void)close(rep.ca);
	if (pid > 0)
		return ends[0];
	(void)close(ends[0]);
	return -1;
}
