// SPDX-License-Identifier: Apache-2.0
/*
 * sandbox: the order of the steps, and those that any kernel has. Sources: capabilities(7),
 * prctl(2), credentials(7); the filter is in sandbox_seccomp.c, Landlock in sandbox_landlock.c.
 *
 * The empty root folder is nowhere on the disk: it is /proc/PID/fdinfo of a process that shares our
 * root, makes that folder the root, and ends. With it go its entries, so what is left is an empty
 * folder for good. It works on a host that may not be written to, and needs /proc and nothing else.
 */
#include "platform/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "platform/config.h"

enum {
	HAND_OVER_DEPTH = 4, /* folders below the folder */
	CAPABILITIES_MAX = 64,
	DESCRIPTORS_MAX = 65536, /* looked at */
};

#ifndef MCL_ONFAULT
#	define MCL_ONFAULT 4
#endif
#ifndef PR_CAP_AMBIENT
#	define PR_CAP_AMBIENT           47
#	define PR_CAP_AMBIENT_CLEAR_ALL 4
#endif

/* ---- root folder ---- */

/* In a child that shares our root folder. Bare system calls only: the C library does not know of
 * this process. */
static void leave_for_fdinfo(void)
{
	if (chroot("/proc/self/fdinfo") != 0 || chdir("/") != 0)
		_exit(1);
	_exit(0);
}

static bool enter_empty_root(void)
{
	long child = syscall(SYS_clone, CLONE_FS | SIGCHLD, 0L, 0L, 0L, 0L);
	int status;

	if (child == 0)
		leave_for_fdinfo();
	if (child < 0)
		return false;
	while (waitpid((pid_t)child, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Files and folders of root's below `dir` (taken) become the user's. Links are left alone. */
static int hand_over_below(int dir, uid_t user, int depth)
{
	DIR *list = fdopendir(dir);
	const struct dirent *e;
	int rc = 0;

	if (!list) {
		rc = -errno;
		(void)close(dir);
		return rc;
	}
	while (rc == 0 && (e = readdir(list)) != NULL) {
		struct stat st;
		int below;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			rc = -errno;
		else if (st.st_uid == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) &&
			 fchownat(dir, e->d_name, user, (gid_t)-1, AT_SYMLINK_NOFOLLOW) != 0)
			rc = -errno;
		else if (S_ISDIR(st.st_mode) && depth > 0) {
			below = openat(dir, e->d_name,
				       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			rc = below < 0 ? -errno : hand_over_below(below, user, depth - 1);
		}
	}
	(void)closedir(list);
	return rc;
}

/* Only a folder of root's: whoever else owned it could have linked anything into it. */
static int hand_over(const char *folder, uid_t user, struct err *err)
{
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	struct stat st;

	if (dir < 0 || fstat(dir, &st) != 0)
		rc = -errno;
	if (rc == 0 && st.st_uid == 0 && user != 0) {
		rc = fchown(dir, user, (gid_t)-1) != 0
			     ? -errno
			     : hand_over_below(dir, user, HAND_OVER_DEPTH);
	} else if (dir >= 0) {
		(void)close(dir);
	}
	if (rc == 0)
		return 0;
	errno = -rc;
	return err_errno(err, "cannot hand %s over to user %u", folder, (unsigned)user);
}

static int change_root(const struct sandbox *want, struct sandbox_state *state, struct err *err)
{
	int rc;

	if (!want->folder) {
		state->new_root = enter_empty_root();
		return 0;
	}
	rc = hand_over(want->folder, want->user, err);
	if (rc == 0 && chroot(want->folder) == 0) {
		if (chdir("/") != 0)
			return err_errno(err, "cannot go to %s", want->folder);
		state->new_root = true;
	}
	return rc;
}

/* ---- user and capabilities ---- */

static bool empty_bounding_set(void)
{
	bool empty = true;

	for (unsigned long c = 0; c < CAPABILITIES_MAX; c++) {
		int held = prctl(PR_CAPBSET_READ, c, 0L, 0L, 0L);

		if (held < 0)
			break; /* the kernel knows no more */
		if (held && prctl(PR_CAPBSET_DROP, c, 0L, 0L, 0L) != 0)
			empty = false;
	}
	return empty;
}

static int become(uint32_t user, bool keeps, struct err *err)
{
	/* In a user namespace setgroups() may be forbidden, and the user unknown: then root there is
	 * an ordinary user outside, and stays. */
	if (setgroups(0, NULL) != 0 && errno != EPERM)
		return err_errno(err, "cannot leave the groups");
	if (setresgid(SANDBOX_USER, SANDBOX_USER, SANDBOX_USER) != 0 && errno != EINVAL)
		return err_errno(err, "cannot become group %d", SANDBOX_USER);
	if (keeps && prctl(PR_SET_KEEPCAPS, 1L, 0L, 0L, 0L) != 0)
		return err_errno(err, "cannot keep a capability");
	if (setresuid(user, user, user) != 0 && errno != EINVAL)
		return err_errno(err, "cannot become user %u", user);
	return 0;
}

/* Becoming another user takes them from root; this takes those that a file or systemd gave. */
static int drop_capabilities(uint64_t keeps, struct err *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct rest[_LINUX_CAPABILITY_U32S_3];

	memset(rest, 0, sizeof rest);
	if (keeps && syscall(SYS_capget, &head, rest) != 0)
		return err_errno(err, "cannot read the capabilities");
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		rest[i].permitted &= (uint32_t)(keeps >> 32 * i);
		rest[i].effective = rest[i].permitted;
		rest[i].inheritable = 0;
	}
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L); /* Linux 4.3 on */
	if (syscall(SYS_capset, &head, rest) != 0)
		return err_errno(err, "cannot give up the capabilities");
	return 0;
}

/* ---- limits ---- */

static int lock_memory(struct err *err)
{
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

	(void)setrlimit(RLIMIT_MEMLOCK, &all); /* else the limit there is must do */
	/* As pages come to be used, so that locking does not fill what is still empty (Linux 4.4).
	 */
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0)
		return 0;
	if (errno == EINVAL && mlockall(MCL_CURRENT | MCL_FUTURE) == 0)
		return 0;
	return err_errno(err, "memory cannot be locked (--lock-memory needs root, or a limit "
			      "that is large enough)");
}

static struct rlimit lowered(struct rlimit now, rlim_t most)
{
	if (now.rlim_max > most)
		now.rlim_max = most;
	if (now.rlim_cur > now.rlim_max)
		now.rlim_cur = now.rlim_max;
	return now;
}

/* A macro, since the C libraries differ in the type of `resource`. */
#define LIMIT(resource, most)                                                                      \
	(getrlimit(resource, &now) == 0 &&                                                         \
	 setrlimit(resource, &(struct rlimit[]){lowered(now, most)}[0]) == 0)

/* What the open descriptors say: the number that the next ones may have, and whether one of them
 * writes to a file, as `-o FILE` or a log that the shell redirected does. */
static void look_at_descriptors(rlim_t *ret_end, bool *ret_writes)
{
	struct rlimit now;
	rlim_t most = DESCRIPTORS_MAX;

	*ret_end = 0;
	*ret_writes = false;
	if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur < most)
		most = now.rlim_cur;
	for (int fd = 0; (rlim_t)fd < most; fd++) {
		int flags = fcntl(fd, F_GETFL);
		struct stat st;

		if (flags < 0)
			continue;
		*ret_end = (rlim_t)fd + 1;
		if ((flags & O_ACCMODE) != O_RDONLY && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
			*ret_writes = true;
	}
}

static bool set_limits(const struct sandbox *want)
{
	struct rlimit now;
	bool writes, done = LIMIT(RLIMIT_CORE, 0);
	rlim_t end;

	look_at_descriptors(&end, &writes);
	if (want->spare_files)
		done = LIMIT(RLIMIT_NOFILE, end + want->spare_files) && done;
	if (want->unfiltered || SANDBOX_SANITIZED)
		return done;
	done = LIMIT(RLIMIT_NPROC, 0) && done;
	if (!want->folder && !writes)
		done = LIMIT(RLIMIT_FSIZE, 0) && done;
	return done;
}

/* ---- the whole ---- */

static int as_root(const struct sandbox *want, struct sandbox_state *state, struct err *err)
{
	int rc = 0;

	state->was_root = geteuid() == 0;
	if (state->was_root && !want->host_files && !SANDBOX_SANITIZED)
		rc = change_root(want, state, err);
	else if (state->was_root && want->folder)
		rc = hand_over(want->folder, want->user, err);
	if (rc == 0)
		state->bounding_set = empty_bounding_set();
	if (rc == 0 && state->was_root)
		rc = become(want->user, want->keeps != 0, err);
	if (rc == 0)
		rc = drop_capabilities(want->keeps, err);
	state->user = geteuid();
	return rc;
}

static int restrict_further(const struct sandbox *want, struct sandbox_state *state,
			    struct err *err)
{
	const char *folder = want->folder && state->new_root ? "/" : want->folder;
	int rc;

	if (IS_ENABLED(CONFIG_LANDLOCK) && (!want->host_files || want->n_below > 0) &&
	    !SANDBOX_SANITIZED) {
		state->landlock = sandbox_landlock(want, folder);
		if (state->landlock < 0) {
			errno = -state->landlock;
			return err_errno(err, "Landlock is here but refuses");
		}
	}
	if (IS_ENABLED(CONFIG_SECCOMP) && !want->unfiltered && sandbox_has_seccomp()) {
		rc = sandbox_seccomp(want);
		if (rc < 0) {
			errno = -rc;
			return err_errno(err, "the filter of system calls was not taken");
		}
		state->seccomp = rc == 0;
	}
	return 0;
}

int sandbox_enter(const struct sandbox *want, struct sandbox_state *ret, struct err *err)
{
	struct sandbox_state state = {.landlock = 0};
	int rc = 0;

#ifdef __GLIBC__
	tzset(); /* else the first gmtime_r() opens /etc/localtime */
#endif
	if (want->lock_memory)
		rc = lock_memory(err);
	if (rc == 0)
		rc = as_root(want, &state, err);
	if (rc < 0)
		return rc;
	/* Another user's process is not dumpable from here on; the sanitizers' must be. */
	(void)prctl(PR_SET_DUMPABLE, (long)SANDBOX_SANITIZED, 0L, 0L, 0L);
	state.limits = set_limits(want);
	(void)signal(SIGXFSZ, SIG_IGN); /* writing beyond a limit is an error of the write */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0)
		return err_errno(err,
				 "cannot forbid new privileges (Linux 3.5 or later is needed)");
	rc = restrict_further(want, &state, err);
	if (rc == 0)
		*ret = state;
	return rc;
}

const char *sandbox_text(char out[static SANDBOX_TEXT], const struct sandbox_state *s)
{
	int n = snprintf(out, SANDBOX_TEXT, "user %u, no capabilities, %s root folder%s, %s",
			 s->user, s->new_root ? "an own" : "the host's",
			 s->limits ? ", limits" : "",
			 s->seccomp ? "system calls filtered" : "system calls NOT filtered");

	if (n > 0 && n < SANDBOX_TEXT && s->landlock)
		(void)snprintf(out + n, SANDBOX_TEXT - (size_t)n, ", Landlock %d", s->landlock);
	return out;
}
