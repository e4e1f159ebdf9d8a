// SPDX-License-Identifier: Apache-2.0
/*
 * Preloaded into a program under test (LD_PRELOAD): its disk fails and its wall clock steps, as told by the
 * environment.
 *
 *     SHIM_SYNC=FROM,COUNT   so many calls of fdatasync and fsync fail with EIO, from the FROM-th on
 *     SHIM_SHORT=FROM,COUNT  so many writes to files take half of what they are given
 *     SHIM_FULL=FROM,COUNT   so many writes to files take half, and then fail with ENOSPC
 *     SHIM_CLOCK=MS,STEP     the wall clock jumps by STEP seconds, MS milliseconds after the start
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct calls {
	long from, count, seen;
};

static struct calls syncs, shorts, fulls;
static int64_t clock_after_ms, clock_step_s;
static struct timespec begin;

static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_sync)(int);
static int (*real_gettime)(clockid_t, struct timespec *);

static void read_pair(const char *name, int64_t *first, int64_t *second)
{
	const char *text = getenv(name);
	char *end;

	if (!text)
		return;
	*first = strtoll(text, &end, 10);
	if (*end == ',')
		*second = strtoll(end + 1, NULL, 10);
}

static void read_calls(const char *name, struct calls *calls)
{
	int64_t from = 0, count = 0;

	read_pair(name, &from, &count);
	calls->from = (long)from;
	calls->count = (long)count;
}

__attribute__((constructor)) static void start(void)
{
	/* ISO C has no cast from an object's pointer to a function's. */
	*(void **)&real_write = dlsym(RTLD_NEXT, "write");
	*(void **)&real_sync = dlsym(RTLD_NEXT, "fdatasync");
	*(void **)&real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
	read_calls("SHIM_SYNC", &syncs);
	read_calls("SHIM_SHORT", &shorts);
	read_calls("SHIM_FULL", &fulls);
	read_pair("SHIM_CLOCK", &clock_after_ms, &clock_step_s);
	(void)real_gettime(CLOCK_MONOTONIC, &begin);
}

static bool is_due(struct calls *calls)
{
	calls->seen++;
	return calls->count > 0 && calls->seen >= calls->from &&
	       calls->seen < calls->from + calls->count;
}

static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	bool takes_half, is_full;

	if (!is_file(fd))
		return real_write(fd, bytes, len);
	takes_half = is_due(&shorts);
	is_full = is_due(&fulls);
	if (!takes_half && !is_full)
		return real_write(fd, bytes, len);
	/* As on a disk with a little room: a part, and nothing the next time. */
	if (takes_half || fulls.seen == fulls.from)
		return real_write(fd, bytes, (len + 1) / 2);
	errno = ENOSPC;
	return -1;
}

int fdatasync(int fd)
{
	if (is_due(&syncs)) {
		errno = EIO;
		return -1;
	}
	return real_sync(fd);
}

int fsync(int fd)
{
	return fdatasync(fd);
}

int clock_gettime(clockid_t id, struct timespec *ret)
{
	int rc = real_gettime(id, ret);
	struct timespec now;

	if (rc != 0 || id != CLOCK_REALTIME || clock_step_s == 0)
		return rc;
	(void)real_gettime(CLOCK_MONOTONIC, &now);
	if ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 >=
	    clock_after_ms)
		ret->tv_sec += clock_step_s;
	return rc;
}
