// SPDX-License-Identifier: Apache-2.0
/*
 * sandbox: the filter of system calls, a classic BPF program (seccomp(2)). An allow-list:
 *
 *      A = arch; other than ours: end the process
 *      A = number
 *      for each call:  A == number?  allowed, or for a rule: A = argument, compare, A = number
 *      refused
 *
 * By hand, since libseccomp would cost 75 to 90 KB. On x86-64 the numbers of the x32 interface have
 * a bit of their own, so none is on the list.
 */
#include "platform/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__) && !defined(__ILP32__)
#	define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#	define THIS_ARCH AUDIT_ARCH_AARCH64
#elif defined(__arm__) && defined(__ARM_EABI__) && defined(__ARMEL__)
#	define THIS_ARCH AUDIT_ARCH_ARM
#endif

/* Of kernel headers that are newer than the oldest we build with. */
#ifndef SECCOMP_RET_KILL_PROCESS
#	define SECCOMP_RET_KILL_PROCESS 0x80000000U
#endif
#ifndef SECCOMP_FILTER_FLAG_SPEC_ALLOW
#	define SECCOMP_FILTER_FLAG_SPEC_ALLOW (1UL << 2)
#endif

const char *sandbox_without_seccomp(void)
{
#ifndef THIS_ARCH
	return "not in this build: no list for this processor";
#endif
	return SANDBOX_SANITIZED ? "not in this build: it has sanitizers" : NULL;
}

bool sandbox_has_seccomp(void)
{
	return sandbox_without_seccomp() == NULL;
}

#ifdef THIS_ARCH

#	define ALWAYS(name)                                                                       \
		{                                                                                  \
			SYS_##name, SANDBOX_ALWAYS, 0, 0                                           \
		}
#	define EQUAL(name, arg, value)                                                            \
		{                                                                                  \
			SYS_##name, SANDBOX_EQUAL, arg, value                                      \
		}
#	define HAS(name, arg, value)                                                              \
		{                                                                                  \
			SYS_##name, SANDBOX_HAS, arg, value                                        \
		}
#	define HAS_NOT(name, arg, value)                                                          \
		{                                                                                  \
			SYS_##name, SANDBOX_HAS_NOT, arg, value                                    \
		}

/* What every program does after its start: wait, read and write what is open, ask for memory and
 * the time, end. The names of glibc and musl, on 64 and 32 bits. The frequent ones first. */
static const struct sandbox_call common[] = {
#	ifdef SYS_epoll_wait
	ALWAYS(epoll_wait),
#	endif
	ALWAYS(epoll_pwait),
#	ifdef SYS_poll
	ALWAYS(poll),
#	endif
	ALWAYS(ppoll),
#	ifdef SYS_ppoll_time64
	ALWAYS(ppoll_time64),
#	endif
	ALWAYS(read),
	ALWAYS(write),
	ALWAYS(readv),
	ALWAYS(writev),
/* 32-bit processors have a call for each width of time, and musl names of its own for the
	 * narrow ones. */
#	ifdef SYS_clock_gettime
	ALWAYS(clock_gettime),
#	endif
#	ifdef SYS_clock_gettime32
	ALWAYS(clock_gettime32),
#	endif
#	ifdef SYS_clock_gettime64
	ALWAYS(clock_gettime64),
#	endif
#	ifdef SYS_gettimeofday
	ALWAYS(gettimeofday),
#	endif
#	ifdef SYS_gettimeofday_time32
	ALWAYS(gettimeofday_time32),
#	endif
#	ifdef SYS_time
	ALWAYS(time),
#	endif
	EQUAL(ioctl, 1, FIONREAD),
	EQUAL(ioctl, 1, FIONBIO),
	EQUAL(ioctl, 1, TIOCGWINSZ), /* is standard output a terminal? (musl) */
	EQUAL(ioctl, 1, TCGETS),     /* the same (glibc) */
	ALWAYS(epoll_ctl),
	ALWAYS(pread64),
	ALWAYS(close),
	ALWAYS(lseek),
#	ifdef SYS__llseek
	ALWAYS(_llseek),
#	endif
	EQUAL(fcntl, 1, F_GETFD),
	EQUAL(fcntl, 1, F_SETFD),
	EQUAL(fcntl, 1, F_GETFL),
	EQUAL(fcntl, 1, F_SETFL),
#	ifdef SYS_fcntl64
	EQUAL(fcntl64, 1, F_GETFD),
	EQUAL(fcntl64, 1, F_SETFD),
	EQUAL(fcntl64, 1, F_GETFL),
	EQUAL(fcntl64, 1, F_SETFL),
#	endif
	/* stdio asks what a descriptor is: with an empty path. */
	ALWAYS(fstat),
#	ifdef SYS_fstat64
	ALWAYS(fstat64),
#	endif
#	ifdef SYS_newfstatat
	HAS(newfstatat, 3, AT_EMPTY_PATH),
#	endif
#	ifdef SYS_fstatat64
	HAS(fstatat64, 3, AT_EMPTY_PATH),
#	endif
#	ifdef SYS_statx
	HAS(statx, 2, AT_EMPTY_PATH),
#	endif
#	ifdef SYS_sysinfo
	ALWAYS(sysinfo), /* how much memory there is: qsort(3) of glibc, of a kilobyte or more */
#	endif
	/* memory, never to be executed */
	ALWAYS(brk),
	ALWAYS(munmap),
#	ifdef SYS_mmap
	HAS_NOT(mmap, 2, PROT_EXEC),
#	endif
#	ifdef SYS_mmap2
	HAS_NOT(mmap2, 2, PROT_EXEC),
#	endif
	HAS_NOT(mprotect, 2, PROT_EXEC),
	ALWAYS(mremap),
	ALWAYS(madvise),
	ALWAYS(getrandom),
	ALWAYS(futex),
#	ifdef SYS_futex_time64
	ALWAYS(futex_time64),
#	endif
	ALWAYS(rt_sigaction),
	ALWAYS(rt_sigprocmask),
	ALWAYS(rt_sigreturn),
#	ifdef SYS_sigreturn
	ALWAYS(sigreturn),
#	endif
	ALWAYS(restart_syscall),
	ALWAYS(getpid),
	ALWAYS(gettid),
	ALWAYS(exit),
	ALWAYS(exit_group),
};

static size_t put(struct sock_filter *out, size_t n, struct sock_filter instruction)
{
	if (n < SANDBOX_FILTER_MAX)
		out[n] = instruction;
	return n + 1;
}

static size_t put_call(struct sock_filter *out, size_t n, const struct sandbox_call *call)
{
	/* The low half of an argument: all three processors are little-endian. */
	uint32_t argument = (uint32_t)(offsetof(struct seccomp_data, args) +
				       (size_t)call->argument * sizeof(uint64_t));
	bool wants_clear = call->rule == SANDBOX_HAS_NOT;
	uint16_t test = call->rule == SANDBOX_EQUAL ? BPF_JMP | BPF_JEQ | BPF_K
						    : BPF_JMP | BPF_JSET | BPF_K;

	n = put(out, n,
		(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call->number, 0,
					     call->rule == SANDBOX_ALWAYS ? 1 : 4));
	if (call->rule != SANDBOX_ALWAYS) {
		n = put(out, n, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument));
		n = put(out, n,
			(struct sock_filter)BPF_JUMP(test, call->value, wants_clear ? 1 : 0,
						     wants_clear ? 0 : 1));
	}
	n = put(out, n, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	if (call->rule != SANDBOX_ALWAYS)
		n = put(out, n,
			(struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						     offsetof(struct seccomp_data, nr)));
	return n;
}

size_t sandbox_filter(struct sock_filter *out, const struct sandbox_call *calls, size_t n_calls,
		      uint32_t refused, uint32_t pid)
{
	/* abort(3) signals itself: glibc by tgkill, musl by tkill. */
	const struct sandbox_call own[] = {EQUAL(tgkill, 0, pid), EQUAL(tkill, 0, pid)};
	size_t n = 0;

	n = put(out, n,
		(struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					     offsetof(struct seccomp_data, arch)));
	n = put(out, n, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0));
	n = put(out, n, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	n = put(out, n,
		(struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					     offsetof(struct seccomp_data, nr)));
	for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
		n = put_call(out, n, &common[i]);
	for (size_t i = 0; i < n_calls; i++)
		n = put_call(out, n, &calls[i]);
	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
		n = put_call(out, n, &own[i]);
	return put(out, n, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, refused));
}

int sandbox_seccomp(const struct sandbox *want)
{
	struct sock_filter code[SANDBOX_FILTER_MAX];
	/* Kernels before 4.14 end the one thread there is. */
	uint32_t refused = want->eperm ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_KILL_PROCESS;
	struct sock_fprog program = {.filter = code};
	size_t n = sandbox_filter(code, want->calls, want->n_calls, refused, (uint32_t)getpid());

	if (n > SANDBOX_FILTER_MAX)
		return -E2BIG;
	program.len = (unsigned short)n;
	/* Without the flag older kernels switch speculation off: dear, and no gain for a program
	 * that runs nobody else's code. Kernels before 4.17 lack the flag, before 3.17 the call. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		    &program) == 0)
		return 0;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
		return 0;
	return errno == EINVAL ? 1 : -errno;
}

#else

size_t sandbox_filter(struct sock_filter *out, const struct sandbox_call *calls, size_t n_calls,
		      uint32_t refused, uint32_t pid)
{
	(void)out, (void)calls, (void)n_calls, (void)refused, (void)pid;
	return 0;
}

int sandbox_seccomp(const struct sandbox *want)
{
	(void)want;
	return 1;
}

#endif
