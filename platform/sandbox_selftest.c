// SPDX-License-Identifier: Apache-2.0
/*
 * sandbox: the proof by trying. Each attempt runs in a child that has entered the sandbox as the
 * program itself does; how the child ends tells what came of it.
 */
#include "platform/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/config.h"

enum {
	NOT_ENTERED = 255, /* exit status of a child that could not enter */
	PATH_BYTES = 512,
	STATUS_BYTES = 2048,
};

/* What a child may use, found out before it entered. */
struct before {
	const struct sandbox *want;
	struct sandbox_state state; /* after */
	FILE *out;
	int status;            /* /proc/self/status of the child; -1 without /proc */
	int program;           /* our own file; -1 */
	char path[PATH_BYTES]; /* its name: a file that exists and is not ours to open */
	pid_t parent;
};

/* 0 when it could be done, or the number of the error. */
typedef int attempt_fn(const struct before *before);

static int outcome(long rc)
{
	return rc < 0 ? errno : 0;
}

/* ---- what is forbidden ---- */

static int open_a_file(const struct before *b)
{
	return outcome(open(b->path, O_RDONLY | O_CLOEXEC));
}

static int make_a_file(const struct before *b)
{
	static const char path[] = "/tmp/flowproof-self-test";
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int rc = outcome(fd);

	(void)b;
	if (fd >= 0)
		(void)unlink(path);
	return rc;
}

static int run_a_program(const struct before *b)
{
	char name[] = "flowproof", version[] = "--version";
	char *argv[] = {name, version, NULL}, *none[] = {NULL};

	return outcome(syscall(SYS_execveat, b->program, "", argv, none, AT_EMPTY_PATH));
}

static int start_a_process(const struct before *b)
{
	pid_t child = fork();

	(void)b;
	if (child == 0)
		_exit(0);
	return outcome(child);
}

static int trace_a_process(const struct before *b)
{
	(void)b;
	return outcome(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int read_another_memory(const struct before *b)
{
	char here[16];
	struct iovec local = {here, sizeof here}, remote = {here, sizeof here};

	return outcome(syscall(SYS_process_vm_readv, b->parent, &local, 1UL, &remote, 1UL, 0UL));
}

static int signal_another(const struct before *b)
{
	return outcome(kill(b->parent, 0));
}

static int become_root(const struct before *b)
{
	(void)b;
	return outcome(setresuid(0, 0, 0));
}

/* Asks for what the page of a function of ours has anyway. */
static int execute_memory(const struct before *b)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t at = (uintptr_t)become_root & ~(page - 1);

	(void)b;
	return outcome(mprotect((void *)at, page, PROT_READ | PROT_EXEC));
}

static int packet_socket(const struct before *b)
{
	(void)b;
	return outcome(socket(AF_PACKET, SOCK_RAW, 0));
}

static int unix_socket(const struct before *b)
{
	(void)b;
	return outcome(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int netlink_socket(const struct before *b)
{
	(void)b;
	return outcome(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int tcp_socket(const struct before *b)
{
	(void)b;
	return outcome(socket(AF_INET, SOCK_STREAM, 0));
}

/* ---- what is needed ---- */

static int tcp6_socket(const struct before *b)
{
	int rc = outcome(socket(AF_INET6, SOCK_STREAM, 0));

	(void)b;
	return rc == EAFNOSUPPORT ? 0 : rc; /* a kernel without IPv6: let through and not known */
}

static int read_again(const struct before *b)
{
	char byte;

	return b->status < 0 ? 0 : outcome(pread(b->status, &byte, 1, 0));
}

/* A file without a name, so that nothing stays in the store. */
static int write_in_folder(const struct before *b)
{
	const char *folder = b->state.new_root ? "/" : b->want->folder;
	int fd = open(folder, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600), rc;

	if (fd < 0 && errno == EOPNOTSUPP) /* of the file system: at least it was asked */
		return 0;
	rc = fd < 0 ? errno : outcome(write(fd, "x", 1));
	return rc ? rc : outcome(fdatasync(fd));
}

enum expected { REFUSED, DONE, IF_LISTED };

static const struct attempt {
	const char *what;
	attempt_fn *fn;
	enum expected expected;
} attempts[] = {
	{"open a file", open_a_file, REFUSED},
	{"make a file", make_a_file, REFUSED},
	{"run a program", run_a_program, REFUSED},
	{"start a process", start_a_process, REFUSED},
	{"trace a process", trace_a_process, REFUSED},
	{"read another process's memory", read_another_memory, REFUSED},
	{"signal another process", signal_another, REFUSED},
	{"become root", become_root, REFUSED},
	{"map memory to be executed", execute_memory, REFUSED},
	{"packet socket", packet_socket, REFUSED},
	{"Unix socket", unix_socket, REFUSED},
	{"netlink socket", netlink_socket, REFUSED},
	{"TCP socket", tcp_socket, IF_LISTED},
	{"TCP socket over IPv6", tcp6_socket, IF_LISTED},
	{"read again what was open", read_again, DONE},
};

static const struct attempt in_folder = {"write in the store", write_in_folder, DONE};

/* ---- children ---- */

static unsigned say(FILE *out, bool ok, const char *what, const char *detail)
{
	fprintf(out, "%s %s: %s\n", ok ? "ok" : "FAIL", what, detail);
	return ok ? 0 : 1;
}

/* In the child: the sandbox as it really is. */
static void enter_or_exit(struct before *b)
{
	struct err err;

	b->status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	if (sandbox_enter(b->want, &b->state, &err) == 0)
		return;
	(void)say(b->out, false, "enter", err.text);
	(void)fflush(b->out);
	_exit(NOT_ENTERED);
}

static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

static bool lists_sockets(const struct sandbox *want)
{
	for (size_t i = 0; i < want->n_calls; i++)
		if (want->calls[i].number == SYS_socket)
			return true;
	return false;
}

static unsigned try_one(struct before *b, const struct attempt *a)
{
	bool wanted = a->expected == DONE || (a->expected == IF_LISTED && lists_sockets(b->want));
	char detail[128];
	pid_t child;
	int status;

	(void)fflush(b->out);
	child = fork();
	if (child == 0) {
		enter_or_exit(b);
		_exit(a->fn(b));
	}
	status = child < 0 ? -1 : wait_for(child);
	if (status == -1)
		return say(b->out, false, a->what, "no child to try it in");
	if (WIFSIGNALED(status))
		snprintf(detail, sizeof detail, "%s",
			 WTERMSIG(status) == SIGSYS ? "refused: ended by the filter (SIGSYS)"
						    : strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == 0)
		snprintf(detail, sizeof detail, "%s", wanted ? "can be done" : "CAN BE DONE");
	else if (WEXITSTATUS(status) == NOT_ENTERED)
		snprintf(detail, sizeof detail, "the sandbox was not entered");
	else
		snprintf(detail, sizeof detail, "refused: %s", strerror(WEXITSTATUS(status)));
	if (wanted)
		return say(b->out, status == 0, a->what, detail);
	return say(b->out,
		   status != 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == NOT_ENTERED),
		   a->what, detail);
}

/* ---- what the kernel says of us ---- */

/* The value of "Name:" in /proc/self/status, ended at its line's end. */
static const char *field(char out[static 64], const char *status, const char *name)
{
	const char *at = strstr(status, name);
	size_t len;

	out[0] = '\0';
	if (!at)
		return out;
	at += strlen(name);
	at += strspn(at, "\t ");
	len = strcspn(at, "\n");
	if (len > 63)
		len = 63;
	memcpy(out, at, len);
	out[len] = '\0';
	while (len > 0 && out[len - 1] == ' ')
		out[--len] = '\0';
	for (char *tab = out; (tab = strchr(tab, '\t')) != NULL;)
		*tab = ' ';
	return out;
}

static bool all_zero(const char *hex)
{
	return *hex && strspn(hex, "0") == strlen(hex);
}

static unsigned say_capabilities(const struct before *b, const char *status)
{
	static const char *const sets[] = {"\nCapInh:", "\nCapPrm:", "\nCapEff:", "\nCapAmb:"};
	char bounding[64], value[64];
	bool none = true, empty;

	for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
		(void)field(value, status, sets[i]); /* CapAmb: Linux 4.3 on */
		none = none && (all_zero(value) || (i == 3 && !*value));
	}
	empty = all_zero(field(bounding, status, "\nCapBnd:"));
	return say(b->out, none, "capabilities", none ? "none" : "some are left") +
	       say(b->out, empty || !b->state.was_root, "capability bounding set",
		   empty ? "empty"
			 : (b->state.was_root
				    ? "not empty"
				    : "as it was: emptying it needs root; no_new_privs voids it"));
}

static unsigned say_root(const struct before *b)
{
	if (b->state.new_root)
		return say(b->out, true, "root folder",
			   b->want->folder ? "the store" : "an empty one, on no disk");
	if (SANDBOX_SANITIZED)
		return say(b->out, false, "root folder", "left: this build has sanitizers");
	return say(b->out, !b->state.was_root || b->status < 0, "root folder",
		   b->state.was_root ? "the host's: it could not be left (/proc is needed)"
				     : "the host's: leaving it needs root");
}

static unsigned say_filters(const struct before *b, const char *mode)
{
	const char *without = IS_ENABLED(CONFIG_SECCOMP) ? sandbox_without_seccomp()
							 : "not in this build: switched off";
	char text[64];
	unsigned failed;

	if (!without && !b->state.seccomp)
		without = "the kernel has none";
	snprintf(text, sizeof text, "in force, mode %s", mode);
	failed = say(b->out, !without && (b->status < 0 || strcmp(mode, "2") == 0), "seccomp",
		     without ? without : text);
	snprintf(text, sizeof text, "in force, version %d", b->state.landlock);
	if (b->state.landlock == 0)
		snprintf(text, sizeof text, "not in this %s; not required",
			 IS_ENABLED(CONFIG_LANDLOCK) && !SANDBOX_SANITIZED ? "kernel" : "build");
	return failed + say(b->out, true, "Landlock", text);
}

static unsigned say_state(const struct before *b)
{
	char status[STATUS_BYTES] = "", uid[64], gid[64], groups[64], value[64];
	ssize_t n = b->status < 0 ? 0 : pread(b->status, status, sizeof status - 1, 0);
	unsigned failed = 0;

	if (n <= 0) {
		snprintf(value, sizeof value, "%u; there is no /proc to see more", b->state.user);
		return say(b->out, !b->state.was_root || b->state.user != 0, "user", value) +
		       say_root(b) + say_filters(b, "unknown");
	}
	(void)field(uid, status, "\nUid:");
	(void)field(gid, status, "\nGid:");
	(void)field(groups, status, "\nGroups:");
	failed += say(b->out, b->state.user != 0, "user",
		      b->state.user != 0 ? uid : "root: this user namespace knows no other");
	failed += say(b->out, !b->state.was_root || (gid[0] != '0' && !*groups),
		      "group, and no other", gid);
	failed += say_capabilities(b, status);
	(void)field(value, status, "\nNoNewPrivs:"); /* told from Linux 4.10 on */
	failed += say(b->out, !*value || strcmp(value, "1") == 0, "no new privileges",
		      *value ? value : "set; this kernel does not show it");
	failed += say_root(b);
	failed += say(b->out, b->state.limits, "limits",
		      b->state.limits ? "no core file, no further process" : "not all were taken");
	return failed + say_filters(b, field(value, status, "\nSeccomp:"));
}

static unsigned try_state(struct before *b)
{
	pid_t child;
	int status;

	(void)fflush(b->out);
	child = fork();
	if (child == 0) {
		unsigned failed;

		enter_or_exit(b);
		failed = say_state(b);
		(void)fflush(b->out);
		_exit((int)failed);
	}
	status = child < 0 ? -1 : wait_for(child);
	if (status != -1 && WIFEXITED(status))
		return WEXITSTATUS(status) == NOT_ENTERED ? 1 : (unsigned)WEXITSTATUS(status);
	return say(b->out, false, "state", "the child that looks was ended");
}

unsigned sandbox_self_test(const struct sandbox *want, FILE *out)
{
	struct before b = {.want = want, .out = out, .parent = getpid()};
	ssize_t n = readlink("/proc/self/exe", b.path, sizeof b.path - 1);
	unsigned failed;

	snprintf(b.path + (n < 0 ? 0 : n), sizeof b.path - (n < 0 ? 0 : (size_t)n), "%s",
		 n < 0 ? "/" : "");
	b.program = open(b.path, O_RDONLY | O_CLOEXEC);
	failed = try_state(&b);
	for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
		failed += try_one(&b, &attempts[i]);
	if (want->folder)
		failed += try_one(&b, &in_folder);
	if (b.program >= 0)
		(void)close(b.program);
	return failed;
}
