// SPDX-License-Identifier: Apache-2.0
/*
 * The filter of system calls, run by an interpreter of classic BPF of its own (the instructions of
 * linux/filter.h that seccomp(2) allows), and by the kernel in a child.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/sandbox.h"

#if defined(__x86_64__)
#	define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#	define ARCH AUDIT_ARCH_AARCH64
#else
#	define ARCH AUDIT_ARCH_ARM
#endif
#ifdef SYS_clock_gettime
#	define CLOCK SYS_clock_gettime
#else
#	define CLOCK SYS_clock_gettime64
#endif
#ifdef SYS_mmap
#	define MMAP SYS_mmap
#else
#	define MMAP SYS_mmap2
#endif

enum { PID = 4711, REFUSED = SECCOMP_RET_ERRNO | 99 };

static const struct sandbox_call sockets[] = {
	{SYS_socket, SANDBOX_EQUAL, 0, AF_INET},
	{SYS_socket, SANDBOX_EQUAL, 0, AF_INET6},
	{SYS_accept4, SANDBOX_ALWAYS, 0, 0},
};

struct code {
	struct sock_filter op[SANDBOX_FILTER_MAX];
	size_t n;
};

static void build(struct code *code, const struct sandbox_call *calls, size_t n)
{
	code->n = sandbox_filter(code->op, calls, n, REFUSED, PID);
	assert_in_range(code->n, 10, SANDBOX_FILTER_MAX);
}

/* What the program answers; fails the test on a jump or load out of bounds, as the kernel's checker
 * would. */
static uint32_t run(const struct code *code, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < code->n; pc++) {
		const struct sock_filter *f = &code->op[pc];

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(f->k + 4 <= sizeof *data && f->k % 4 == 0);
			memcpy(&a, (const char *)data + f->k, 4);
			break;
		case BPF_JMP | BPF_JEQ | BPF_K: pc += a == f->k ? f->jt : f->jf; break;
		case BPF_JMP | BPF_JSET | BPF_K: pc += a & f->k ? f->jt : f->jf; break;
		case BPF_RET | BPF_K: return f->k;
		default: fail_msg("instruction %#x", f->code);
		}
	}
	fail_msg("ran off the end");
	return 0;
}

static uint32_t ask(const struct code *code, long number, uint64_t a0, uint64_t a1, uint64_t a2,
		    uint64_t a3)
{
	struct seccomp_data data = {
		.nr = (int)number, .arch = ARCH, .args = {a0, a1, a2, a3, 0, 0}};

	return run(code, &data);
}

static void test_calls(void **state)
{
	enum { YES, NO };
	/* By the calls' own manual pages: what a program that has opened everything needs, and what
	 * would let it out again. */
	static const struct {
		long number;
		uint64_t arg[4];
		int answer;
	} rows[] = {
		{SYS_read, {0}, YES},
		{SYS_write, {1}, YES},
		{SYS_epoll_pwait, {3}, YES},
		{SYS_close, {3}, YES},
		{SYS_exit_group, {0}, YES},
		{SYS_getrandom, {0}, YES},
		{CLOCK, {0}, YES},
		{SYS_rt_sigreturn, {0}, YES},
		{SYS_brk, {0}, YES},
		{MMAP, {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE}, YES},
		{MMAP, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE}, NO},
		{MMAP, {0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE}, NO},
		{SYS_mprotect, {0, 4096, PROT_READ}, YES},
		{SYS_mprotect, {0, 4096, PROT_EXEC}, NO},
		{SYS_ioctl, {3, FIONREAD}, YES},
		{SYS_ioctl, {3, FIONBIO}, YES},
		{SYS_ioctl, {3, TIOCSTI}, NO},
		{SYS_ioctl, {3, 0}, NO},
		{SYS_fcntl, {3, F_GETFL}, YES},
		{SYS_fcntl, {3, F_SETOWN}, NO},
		{SYS_statx, {1, 0, AT_EMPTY_PATH}, YES},
		{SYS_statx, {1, 0, 0}, NO},
		{SYS_tgkill, {PID, PID, 6}, YES},
		{SYS_tgkill, {PID + 1, PID, 6}, NO},
		{SYS_kill, {PID, 6}, NO},
		{SYS_openat, {0}, NO},
		{SYS_execve, {0}, NO},
		{SYS_execveat, {0}, NO},
		{SYS_clone, {0}, NO},
		{SYS_ptrace, {0}, NO},
		{SYS_process_vm_readv, {0}, NO},
		{SYS_process_vm_writev, {0}, NO},
		{SYS_prctl, {0}, NO},
		{SYS_seccomp, {0}, NO},
		{SYS_mount, {0}, NO},
		{SYS_chroot, {0}, NO},
		{SYS_setns, {0}, NO},
		{SYS_unshare, {0}, NO},
		{SYS_bpf, {0}, NO},
		{SYS_io_setup, {0}, NO},
		{SYS_memfd_create, {0}, NO},
		{SYS_setresuid, {0}, NO},
		{SYS_capset, {0}, NO},
		{SYS_keyctl, {0}, NO},
		{SYS_reboot, {0}, NO},
		{SYS_unlinkat, {0}, NO},
		{SYS_accept4, {0}, YES},
		{SYS_socket, {AF_INET, SOCK_STREAM}, YES},
		{SYS_socket, {AF_INET6, SOCK_STREAM}, YES},
		{SYS_socket, {AF_UNIX, SOCK_STREAM}, NO},
		{SYS_socket, {AF_NETLINK, SOCK_RAW}, NO},
		{SYS_socket, {AF_PACKET, SOCK_RAW}, NO},
		{SYS_socket, {AF_UNSPEC, SOCK_RAW}, NO},
		{SYS_socketpair, {AF_INET}, NO},
		{425 /* io_uring_setup */, {0}, NO},
		{435 /* clone3 */, {0}, NO},
		{437 /* openat2 */, {0}, NO},
#ifdef SYS_open
		{SYS_open, {0}, NO},
		{SYS_fork, {0}, NO},
#endif
#ifdef SYS_vfork
		{SYS_vfork, {0}, NO},
#endif
		{-1, {0}, NO},
		{100000, {0}, NO},
	};
	struct code code;

	(void)state;
	build(&code, sockets, 3);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint32_t got = ask(&code, rows[i].number, rows[i].arg[0], rows[i].arg[1],
				   rows[i].arg[2], rows[i].arg[3]);
		uint32_t want = rows[i].answer == NO ? (uint32_t)REFUSED : SECCOMP_RET_ALLOW;

		if (got != want)
			fail_msg("row %zu, call %ld: %#x, expected %#x", i, rows[i].number, got,
				 want);
	}
}

static void test_not_listed(void **state)
{
	struct code code;

	(void)state;
	build(&code, NULL, 0);
	assert_int_equal(ask(&code, SYS_socket, AF_INET, 0, 0, 0), REFUSED);
	assert_int_equal(ask(&code, SYS_accept4, 0, 0, 0, 0), REFUSED);
	assert_int_equal(ask(&code, SYS_read, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
}

/* The numbers mean other calls on another processor, and with the x32 bit. */
static void test_other_interfaces(void **state)
{
	static const uint32_t others[] = {AUDIT_ARCH_I386, AUDIT_ARCH_MIPS, AUDIT_ARCH_S390X, 0};
	struct code code;

	(void)state;
	build(&code, sockets, 3);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		struct seccomp_data data = {.nr = (int)SYS_read, .arch = others[i]};

		assert_int_equal(run(&code, &data), 0x80000000U /* kill the process */);
	}
	assert_int_equal(ask(&code, SYS_read | 0x40000000, 0, 0, 0, 0), REFUSED);
}

/* Too long a list is told, and not cut. */
static void test_too_long(void **state)
{
	static struct sandbox_call many[SANDBOX_FILTER_MAX];
	struct code code;

	(void)state;
	for (size_t i = 0; i < SANDBOX_FILTER_MAX; i++)
		many[i] = (struct sandbox_call){SYS_read, SANDBOX_ALWAYS, 0, 0};
	assert_true(sandbox_filter(code.op, many, SANDBOX_FILTER_MAX, REFUSED, PID) >
		    SANDBOX_FILTER_MAX);
}

/* In the child: 0 if the kernel does as the interpreter. */
static int try_for_real(bool eperm)
{
	struct sandbox want = {.calls = sockets, .n_calls = 3, .eperm = eperm};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0 || sandbox_seccomp(&want) != 0)
		return 1;
	if (socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM)
		return 2;
	if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || errno != EPERM)
		return 3;
	if (open("/", O_RDONLY) >= 0 || errno != EPERM)
		return 4;
	return 0;
}

static int status_of(bool eperm)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(try_for_real(eperm));
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void test_in_the_kernel(void **state)
{
	int status;

	(void)state;
	if (!sandbox_has_seccomp()) { /* then it says why */
		assert_non_null(sandbox_without_seccomp());
		return;
	}
	status = status_of(true);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	status = status_of(false);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_not_listed),
		cmocka_unit_test(test_other_interfaces),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_in_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
