// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/evidence/fake_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

struct fake_disk fake_disk;

/* Of each file, by its inode: bytes that a sync has covered. */
enum { FILES = 512 };
static struct known {
	ino_t inode; /* 0: free */
	unsigned owner;
	off_t synced;
	/* A sync failed: what it should have covered is dropped, though it can be read and the next
	 * one is called good. It is well up to `written` where it was written again. */
	bool is_bad;
	off_t written;
	char path[256];
} files[FILES];

/* What was written within files and not synced: the bytes that were there before, the latest first. */
struct undo {
	struct undo *before;
	struct known *file;
	off_t at;
	size_t len;
	uint8_t bytes[];
};
static struct undo *undos;

static off_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_size : 0;
}

/* NULL: a folder. */
static struct known *know(int fd)
{
	struct known *file, *room = NULL;
	char link[64];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		abort();
	if (!S_ISREG(st.st_mode))
		return NULL;
	for (file = files; file < files + FILES; file++) {
		if (file->inode == st.st_ino)
			return file;
		if (file->inode == 0 && !room)
			room = file;
	}
	if (!room)
		abort();
	*room = (struct known){.inode = st.st_ino, .owner = fake_disk.owner, .synced = st.st_size};
	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, room->path, sizeof room->path - 1);
	if (n <= 0)
		abort();
	room->path[n] = '\0';
	return room;
}

static unsigned draw(unsigned below)
{
	fake_disk.seed = fake_disk.seed * 1103515245u + 12345u;
	return below ? (fake_disk.seed >> 8) % below : 0;
}

/* Takes the file's entries out of the list; `fd` not -1: some of them are taken back. */
static void drop_undos(const struct known *file, int fd)
{
	for (struct undo **at = &undos; *at;) {
		struct undo *u = *at;

		if (u->file != file) {
			at = &u->before;
			continue;
		}
		if (fd >= 0 && draw(2) && pwrite(fd, u->bytes, u->len, u->at) < 0)
			abort();
		*at = u->before;
		free(u);
	}
}

static void forget(struct known *file)
{
	drop_undos(file, -1);
	file->inode = 0;
}

/* What was not synced is there up to somewhere, with a hole. */
static void lose(struct known *file)
{
	static const char zeros[64];
	int fd = open(file->path, O_WRONLY | O_CLOEXEC);
	struct stat st;
	unsigned keep;

	if (fd < 0 || fstat(fd, &st) != 0 || st.st_ino != file->inode)
		abort();
	drop_undos(file, fd);
	if (st.st_size > file->synced) {
		keep = draw((unsigned)(st.st_size - file->synced) + 1);
		if (ftruncate(fd, file->synced + keep) != 0)
			abort();
		if (keep > sizeof zeros && draw(2) &&
		    pwrite(fd, zeros, sizeof zeros, file->synced + draw(keep - 64)) < 0)
			abort();
	}
	(void)close(fd);
	file->inode = 0;
}

void fake_disk_new(void)
{
	for (struct known *file = files; file < files + FILES; file++)
		forget(file);
}

void fake_disk_lose_power(void)
{
	for (struct known *file = files; file < files + FILES; file++) {
		if (file->inode != 0 && file->owner == fake_disk.owner)
			lose(file);
	}
}

static _Noreturn void die(void)
{
	if (fake_disk.killed)
		fake_disk.killed();
	_exit(DISK_KILLED);
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
			fake_disk_lose_power();
		die();
	case DISK_FULL:
	case DISK_SHORT:
	case DISK_ERROR: return d->step < d->at + d->steps;
	case DISK_TORN: return d->step == d->at;
	case DISK_FINE: break;
	}
	return false;
}

static ssize_t disk_write(int fd, const void *bytes, size_t len)
{
	size_t keep;

	(void)know(fd);
	fake_disk.writes++;
	fake_disk.last_write = len;
	if (!fails(&keep))
		return write(fd, bytes, len);
	if (fake_disk.fault == DISK_SHORT)
		return write(fd, bytes, (len + 1) / 2);
	if (keep > len)
		keep = len;
	if (fake_disk.fault != DISK_ERROR && keep > 0 && write(fd, bytes, keep) < 0)
		abort();
	if (fake_disk.fault == DISK_TORN)
		die();
	errno = fake_disk.fault == DISK_FULL ? ENOSPC : EIO;
	return -1;
}

/* Within a file that has all its room: it cannot be full. */
static ssize_t disk_write_at(int fd, const void *bytes, size_t len, off_t at)
{
	struct undo *u = malloc(sizeof *u + len);
	ssize_t had = u ? pread(fd, u->bytes, len, at) : -1;
	size_t keep;

	if (had < 0)
		abort();
	*u = (struct undo){.before = undos, .file = know(fd), .at = at, .len = (size_t)had};
	undos = u;
	if (u->file->is_bad && at <= u->file->written)
		u->file->written = at + (off_t)len;
	fake_disk.writes++;
	fake_disk.last_write = len;
	if (!fails(&keep) || fake_disk.fault == DISK_FULL)
		return pwrite(fd, bytes, len, at);
	if (fake_disk.fault == DISK_SHORT)
		return pwrite(fd, bytes, (len + 1) / 2, at);
	if (fake_disk.fault == DISK_TORN) {
		if (keep > len)
			keep = len;
		if (keep > 0 && pwrite(fd, bytes, keep, at) < 0)
			abort();
		die();
	}
	errno = EIO;
	return -1;
}

static int disk_step(void)
{
	size_t keep;

	if (!fails(&keep))
		return 0;
	if (fake_disk.fault == DISK_TORN)
		die();
	if (fake_disk.fault == DISK_FULL || fake_disk.fault == DISK_SHORT)
		return 0;
	errno = EIO;
	return -1;
}

/* Nothing goes to a real disk: that it would, the tests of platform/file show. */
static int disk_sync(int fd)
{
	struct known *file = know(fd);

	fake_disk.syncs++;
	if (disk_step() < 0) {
		if (file && !file->is_bad && size_of(fd) > file->synced) {
			file->is_bad = true;
			file->written = file->synced;
		}
		return -1;
	}
	if (file) {
		drop_undos(file, -1);
		file->is_bad = file->is_bad && file->written < size_of(fd);
		file->synced = file->is_bad ? file->written : size_of(fd);
	}
	return 0;
}

static int disk_cut(int fd, off_t size)
{
	struct known *file = know(fd);

	if (disk_step() < 0)
		return -1;
	if (size <= file->synced) {
		file->synced = size;
		file->is_bad = false;
	}
	return ftruncate(fd, size);
}

static int disk_unlink(const char *path)
{
	struct stat st;

	if (disk_step() < 0)
		return -1;
	for (size_t i = 0; stat(path, &st) == 0 && i < FILES; i++) {
		if (files[i].inode == st.st_ino)
			forget(&files[i]);
	}
	return unlink(path);
}

static int disk_mkdir(const char *path, mode_t mode)
{
	return disk_step() < 0 ? -1 : mkdir(path, mode);
}

#define write     disk_write
#define pwrite    disk_write_at
#define fdatasync disk_sync
#define fsync     disk_sync
#define ftruncate disk_cut
#define unlink    disk_unlink
#define mkdir     disk_mkdir
#include "platform/file.c"
