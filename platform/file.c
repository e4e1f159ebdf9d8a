// SPDX-License-Identifier: Apache-2.0
/*
 * Durable files. A name is durable when the folder that holds it was synced, contents when the file
 * was. file_create() works on NAME.new and links it into place: a file under its final name is
 * complete, whenever the machine stopped.
 */
#include "platform/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { FILE_PATH_MAX = 2048 }; /* bytes of a path with its NUL */

_Static_assert(sizeof(off_t) == 8, "build with -D_FILE_OFFSET_BITS=64: files may pass 2 GiB");

/* Syncs the folder in which `path` has its name. 0 or -errno. */
static int sync_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[FILE_PATH_MAX] = ".";
	size_t len;
	int fd, rc = 0;

	if (slash) {
		len = slash == path ? 1 : (size_t)(slash - path);
		if (len >= sizeof folder)
			return -ENAMETOOLONG;
		memcpy(folder, path, len);
		folder[len] = '\0';
	}
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		rc = -errno;
	(void)close(fd);
	return rc;
}

int file_open_append(const char *path, int *ret_fd, uint64_t *ret_size, struct err *err)
{
	struct stat st;
	int fd, rc = 0;

	fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(err, "cannot open %s", path);
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (st.st_size ==
		 0) /* just made, or made by a process that died before it could sync */
		rc = sync_folder_of(path);
	if (rc < 0) {
		(void)close(fd);
		errno = -rc;
		return err_errno(err, "cannot make %s durable", path);
	}
	*ret_fd = fd;
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

int file_open_alone(const char *path, int *ret_fd, uint64_t *ret_size, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return err_errno(err, "cannot open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		rc = errno == EWOULDBLOCK
			     ? err_set(err, ERR_USAGE, "%s is in use by another process", path)
			     : err_errno(err, "cannot lock %s", path);
	else if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		rc = err_set(err, ERR_USAGE, "%s is not a regular file", path);
	if (rc) {
		(void)close(fd);
		return rc;
	}
	*ret_fd = fd;
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

int file_reserve(int fd, uint64_t size)
{
	return size > INT64_MAX ? -EFBIG : -posix_fallocate(fd, 0, (off_t)size);
}

/* At the file's own place, or at `*offset`, which moves on. */
static int write_all(int fd, const void *bytes, size_t len, off_t *offset)
{
	const char *p = bytes;

	while (len > 0) {
		ssize_t n = offset ? pwrite(fd, p, len, *offset) : write(fd, p, len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += n;
		len -= (size_t)n;
		if (offset)
			*offset += n;
	}
	return 0;
}

int file_write(int fd, const void *bytes, size_t len)
{
	return write_all(fd, bytes, len, NULL);
}

int file_write_at(int fd, const void *bytes, size_t len, uint64_t offset)
{
	off_t at = (off_t)offset;

	return offset > (uint64_t)INT64_MAX - len ? -EOVERFLOW : write_all(fd, bytes, len, &at);
}

int file_sync(int fd)
{
	return fdatasync(fd) < 0 ? -errno : 0;
}

int file_cut(int fd, uint64_t size)
{
	return ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

int file_remove(const char *path)
{
	if (unlink(path) < 0)
		return errno == ENOENT ? 0 : -errno;
	return sync_folder_of(path);
}

int file_room(int fd, uint64_t *ret_free, uint64_t *ret_size)
{
	struct statfs st;

	if (fstatfs(fd, &st) < 0)
		return -errno;
	*ret_free = (uint64_t)st.f_bavail * (uint64_t)st.f_bsize;
	*ret_size = (uint64_t)st.f_blocks * (uint64_t)st.f_bsize;
	return 0;
}

int file_read_at(int fd, void *out, size_t len, uint64_t offset)
{
	char *p = out;

	if (offset > (uint64_t)INT64_MAX - len)
		return -EOVERFLOW;
	while (len > 0) {
		ssize_t n = pread(fd, p, len, (off_t)offset);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			return 1;
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* One folder, whose parent exists. */
static int make_one_dir(const char *path, mode_t mode)
{
	struct stat st;

	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	if (errno != ENOENT)
		return -errno;
	if (mkdir(path, mode) < 0)
		return errno == EEXIST ? 0 : -errno; /* someone else made it in between */
	return sync_folder_of(path);
}

int file_make_folders(const char *path, mode_t mode, struct err *err)
{
	char part[FILE_PATH_MAX];
	size_t len = strlen(path);
	int rc;

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (len == 0 || len >= sizeof part) {
		errno = len == 0 ? ENOENT : ENAMETOOLONG;
		return err_errno(err, "cannot make the folder '%s'", path);
	}
	for (size_t i = 1; i <= len; i++) {
		if (i < len && (path[i] != '/' || path[i - 1] == '/'))
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		rc = make_one_dir(part, mode);
		if (rc < 0) {
			errno = -rc;
			return err_errno(err, "cannot make the folder %s", part);
		}
	}
	return 0;
}

int file_make_dir(const char *path, struct err *err)
{
	return file_make_folders(path, 0700, err);
}

static bool begins_with(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

bool file_is_below(const char *path, const char *folder)
{
	char *top = realpath(folder, NULL), *part = strdup(*path ? path : "."), *there = NULL;
	bool is_it;

	/* Up to the first folder that exists. */
	while (part && !(there = realpath(part, NULL)) && strcmp(part, ".") != 0) {
		char *slash = strrchr(part, '/');

		if (!slash)
			(void)snprintf(part, 2, "."); /* it has a letter at least */
		else
			slash[slash == part] = '\0';
	}
	is_it = top ? there && begins_with(there, top) : begins_with(path, folder);
	free(there);
	free(part);
	free(top);
	return is_it;
}

/* Content and mode of the descriptor, on disk. Closes it. 0 or -errno. */
static int fill_and_close(int fd, const void *bytes, size_t len, mode_t mode)
{
	int rc = file_write(fd, bytes, len);

	if (rc == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		rc = -errno;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	return rc;
}

/* PATH.new with this content, on disk; its name in `fresh`. */
static int write_beside(char fresh[static FILE_PATH_MAX], const char *path, const void *bytes,
			size_t len, mode_t mode, struct err *err)
{
	int n = snprintf(fresh, FILE_PATH_MAX, "%s.new", path), fd, rc;

	if (n < 0 || n >= FILE_PATH_MAX) {
		errno = ENAMETOOLONG;
		return err_errno(err, "cannot create %s", path);
	}
	(void)unlink(fresh); /* left by a machine that stopped in here; usually there is none */
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(err, "cannot create %s", fresh);
	rc = fill_and_close(fd, bytes, len, mode);
	if (rc < 0) {
		(void)unlink(fresh);
		errno = -rc;
		return err_errno(err, "cannot create %s", path);
	}
	return 0;
}

int file_create(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err)
{
	char fresh[FILE_PATH_MAX];
	int rc = write_beside(fresh, path, bytes, len, mode, err);

	if (rc < 0)
		return rc;
	rc = link(fresh, path) < 0 ? -errno : 0;
	(void)unlink(fresh);
	if (rc == 0) {
		rc = sync_folder_of(path);
		if (rc < 0)
			(void)unlink(path);
	}
	if (rc == -EEXIST)
		return err_set(err, ERR_EXISTS, "%s exists already and is not overwritten", path);
	if (rc < 0) {
		errno = -rc;
		return err_errno(err, "cannot create %s", path);
	}
	return 0;
}

int file_replace(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err)
{
	char fresh[FILE_PATH_MAX];
	int rc = write_beside(fresh, path, bytes, len, mode, err);

	if (rc < 0)
		return rc;
	if (rename(fresh, path) < 0) {
		rc = err_errno(err, "cannot replace %s", path);
		(void)unlink(fresh);
		return rc;
	}
	rc = sync_folder_of(path);
	if (rc < 0) {
		errno = -rc;
		return err_errno(err, "%s was replaced, but may be the old one after a crash",
				 path);
	}
	return 0;
}

/* Reads to the end, at most `max` bytes; *ret is to be freed also on failure. 0 or -errno. */
static int read_to_end(int fd, size_t max, char **ret, size_t *ret_len)
{
	size_t len = 0, cap = 0;

	for (;;) {
		ssize_t n;

		if (len + 1 >= cap) { /* room for a byte and the NUL */
			char *more;

			cap = cap ? cap * 2 : 4096;
			more = realloc(*ret, cap);
			if (!more)
				return -ENOMEM;
			*ret = more;
		}
		n = read(fd, *ret + len, cap - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return -EFBIG;
	}
	(*ret)[len] = '\0';
	*ret_len = len;
	return 0;
}

int file_read_all(const char *path, size_t max, char **ret, size_t *ret_len, struct err *err)
{
	char *bytes = NULL;
	size_t len = 0;
	int fd, rc;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, "cannot read %s", path);
	rc = read_to_end(fd, max, &bytes, &len);
	(void)close(fd);
	if (rc < 0) {
		free(bytes);
		if (rc == -EFBIG)
			return err_set(err, rc, "%s is larger than the %zu bytes allowed", path,
				       max);
		errno = -rc;
		return err_errno(err, "cannot read %s", path);
	}
	*ret = bytes;
	*ret_len = len;
	return 0;
}

int file_reread(int fd, size_t max, char **ret, size_t *ret_len)
{
	char *bytes = NULL;
	size_t len = 0;
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_nlink == 0)
		return -ESTALE;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	rc = read_to_end(fd, max, &bytes, &len);
	if (rc < 0) {
		free(bytes);
		return rc;
	}
	*ret = bytes;
	*ret_len = len;
	return 0;
}
