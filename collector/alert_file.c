// SPDX-License-Identifier: Apache-2.0
/*
 * Alerts to a file, one line each. When the file was moved away or removed, the next line goes to a new one of the
 * name, if the collector's user may make it: nobody needs to signal that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collector/alert_output.h"
#include "platform/file.h"
#include "platform/log.h"

struct file {
	int folder, fd;
	bool is_told; /* that no new one could be made */
	const char *name;
	char path[];
};

static const struct sandbox_call calls[] = {
	{SYS_recvfrom, SANDBOX_ALWAYS, 0, 0},
#ifdef SYS_recv
	{SYS_recv, SANDBOX_ALWAYS, 0, 0},
#endif
	{SYS_openat, SANDBOX_ALWAYS, 0, 0},      {SYS_ftruncate, SANDBOX_ALWAYS, 0, 0},
#ifdef SYS_ftruncate64
	{SYS_ftruncate64, SANDBOX_ALWAYS, 0, 0},
#endif
#ifdef SYS_newfstatat
	{SYS_newfstatat, SANDBOX_ALWAYS, 0, 0},
#endif
#ifdef SYS_fstatat64
	{SYS_fstatat64, SANDBOX_ALWAYS, 0, 0},
#endif
#ifdef SYS_statx
	{SYS_statx, SANDBOX_ALWAYS, 0, 0},
#endif
};

enum { MODE = 0640, FLAGS = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY };

/* Follows a file that was moved away; the present one stays if there can be no new one. */
static void reopen(struct file *f)
{
	struct stat there, mine;
	int fd;

	if (fstatat(f->folder, f->name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstat(f->fd, &mine) == 0 && there.st_ino == mine.st_ino && there.st_dev == mine.st_dev)
		return;
	fd = openat(f->folder, f->name, FLAGS, MODE);
	if (fd < 0) {
		if (!f->is_told)
			log_err("alerts",
				"%s was moved and cannot be made anew: %s; writing on to the old "
				"one",
				f->path, strerror(errno));
		f->is_told = true;
		return;
	}
	(void)close(f->fd);
	f->fd = fd;
	f->is_told = false;
}

static int tell(struct alert_output *o, const char *bytes, size_t len, struct err *err)
{
	struct file *f = o->state;
	struct stat before;
	int rc;

	reopen(f);
	if (fstat(f->fd, &before) < 0)
		return err_errno(err, "cannot look at it");
	rc = file_write(f->fd, bytes, len);
	if (rc == 0)
		return 0;
	if (S_ISREG(before.st_mode)) /* no half line stays */
		(void)file_cut(f->fd, (uint64_t)before.st_size);
	errno = -rc;
	return err_errno(err, "cannot write");
}

static void close_file(void *state)
{
	struct file *f = state;

	if (f->fd >= 0)
		(void)close(f->fd);
	if (f->folder >= 0)
		(void)close(f->folder);
	free(f);
}

static int open_file(struct file *f, struct err *err)
{
	char *slash = strrchr(f->path, '/');

	f->name = slash ? slash + 1 : f->path;
	if (slash)
		*slash = '\0';
	f->folder = open(!slash     ? "."
			 : *f->path ? f->path
				    : "/",
			 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (slash)
		*slash = '/';
	if (f->folder >= 0)
		f->fd = openat(f->folder, f->name, FLAGS, MODE);
	return f->fd < 0 ? err_errno(err, "--alert-file %s cannot be opened", f->path) : 0;
}

int alert_file_open(struct alert_output *ret, const char *path, const struct alert_options *options,
		    struct err *err)
{
	struct file *f = calloc(1, sizeof *f + strlen(path) + 1);

	(void)options;
	if (!f)
		return err_set(err, -ENOMEM, "no memory for --alert-file");
	f->folder = f->fd = -1;
	memcpy(f->path, path, strlen(path) + 1);
	ret->tell = tell;
	ret->close = close_file;
	ret->state = f;
	ret->is_file = true;
	ret->sandbox = (struct sandbox){
		.calls = calls, .n_calls = sizeof calls / sizeof calls[0], .host_files = true};
	(void)snprintf(ret->name, sizeof ret->name, "file %s", path);
	return open_file(f, err);
}
