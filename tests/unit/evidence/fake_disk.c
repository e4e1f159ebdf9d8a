// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/evidence/fake_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

struct fake_disk fake_disk;

/* Of each descriptor: bytes that a sync has covered; -1: not written to. */
enum { DESCRIPTORS = 256 };
static off_t synced[DESCRIPTORS];
static bool is_known[DESCRIPTORS];

static off_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_size : 0;
}

static void know(int fd)
{
	if (fd >= 0 && fd < DESCRIPTORS && !is_known[fd]) {
		is_known[fd] = true;
		synced[fd] = size_of(fd);
	}
}

static unsigned draw(unsigned below)
{
	fake_disk.seed = fake_disk.seed * 1103515245u + 12345u;
	return below ? (fake_disk.seed >> 8) % below : 0;
}

/* What was not synced is there up to somewhere, with a hole. */
static void lose_power(void)
{
	static const char zeros[64];

	for (int fd = 0; fd < DESCRIPTORS; fd++) {
		off_t size;
		unsigned keep;

		if (!is_known[fd])
			continue;
		size = size_of(fd);
		if (size <= synced[fd])
			continue;
		keep = draw((unsigned)(size - synced[fd]) + 1);
		if (ftruncate(fd, synced[fd] + keep) != 0)
			abort();
		if (keep > sizeof zeros && draw(2)) {
			int flags = fcntl(fd, F_GETFL);

			/* Within O_APPEND pwrite() would append. */
			(void)fcntl(fd, F_SETFL, flags & ~O_APPEND);
			if (pwrite(fd, zeros, sizeof zeros, synced[fd] + draw(keep - 64)) < 0)
				abort();
		}
	}
}

/* True when the step must fail; *ret_keep: bytes that a write may leave. */
static bool fails(size_t *ret_keep)
{
	struct fake_disk *d = &fake_disk;

	d->step++;
	*ret_keep = d->keep;
	if (d->fault == DISK_FINE || d->step < d->at)
		return false;
	switch (d->fault) {
	case DISK_KILL:
	case DISK_POWER:
		if (d->fault == DISK_POWER)
			lose_power();
		_exit(DISK_KILLED);
	case DISK_FULL:
	case DISK_ERROR: return d->step < d->at + d->steps;
	case DISK_TORN: return d->step == d->at;
	case DISK_FINE: break;
	}
	return false;
}

static ssize_t disk_write(int fd, const void *bytes, size_t len)
{
	size_t keep;

	know(fd);
	fake_disk.writes++;
	fake_disk.last_write = len;
	if (!fails(&keep))
		return write(fd, bytes, len);
	if (keep > len)
		keep = len;
	if (fake_disk.fault != DISK_ERROR && keep > 0 && write(fd, bytes, keep) < 0)
		abort();
	if (fake_disk.fault == DISK_TORN)
		_exit(DISK_KILLED);
	errno = fake_disk.fault == DISK_FULL ? ENOSPC : EIO;
	return -1;
}

static int disk_step(void)
{
	size_t keep;

	if (!fails(&keep))
		return 0;
	if (fake_disk.fault == DISK_TORN)
		_exit(DISK_KILLED);
	if (fake_disk.fault == DISK_FULL)
		return 0;
	errno = EIO;
	return -1;
}

/* Nothing goes to a real disk: that it would, the tests of platform/file show. */
static int disk_sync(int fd)
{
	know(fd);
	fake_disk.syncs++;
	if (disk_step() < 0)
		return -1;
	if (fd >= 0 && fd < DESCRIPTORS)
		synced[fd] = size_of(fd);
	return 0;
}

static int disk_cut(int fd, off_t size)
{
	know(fd);
	if (disk_step() < 0)
		return -1;
	if (fd >= 0 && fd < DESCRIPTORS && synced[fd] > size)
		synced[fd] = size;
	return ftruncate(fd, size);
}

static int disk_unlink(const char *path)
{
	return disk_step() < 0 ? -1 : unlink(path);
}

static int disk_mkdir(const char *path, mode_t mode)
{
	return disk_step() < 0 ? -1 : mkdir(path, mode);
}

/* A descriptor that is used again is another file. */
static int disk_close(int fd)
{
	if (fd >= 0 && fd < DESCRIPTORS)
		is_known[fd] = false;
	return close(fd);
}

static int disk_open(const char *path, int flags, ...)
{
	int fd = open(path, flags, 0600);

	if (fd >= 0 && fd < DESCRIPTORS)
		is_known[fd] = false;
	return fd;
}

#define open      disk_open
#define close     disk_close
#define write     disk_write
#define fdatasync disk_sync
#define fsync     disk_sync
#define ftruncate disk_cut
#define unlink    disk_unlink
#define mkdir     disk_mkdir
#include "platform/file.c"
