// SPDX-License-Identifier: Apache-2.0
/*
 * Durable files: what is said to be on disk is on disk.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "platform/err.h"

/* Opens for appending, creates it with mode 0600 if absent (and syncs its folder then). Gives the
 * descriptor and the present size. */
int file_open_append(const char *path, int *ret_fd, uint64_t *ret_size, struct err *err);

/* Opens for reading and writing, creates it with mode 0600 if absent, follows no link, and locks it:
 * ERR_USAGE when another process has it. Gives the descriptor and the present size. */
int file_open_alone(const char *path, int *ret_fd, uint64_t *ret_size, struct err *err);
/* Takes `size` bytes of disk for the file, so that writing within them cannot fail for want of room.
 * 0 or -errno. */
int file_reserve(int fd, uint64_t size);

/* Writes all bytes, going on after short writes and signals. 0 or -errno. */
int file_write(int fd, const void *bytes, size_t len);

/* Writes exactly `len` bytes at `offset`. 0 or -errno. */
int file_write_at(int fd, const void *bytes, size_t len, uint64_t offset);

/* Makes the written data durable (fdatasync). 0 or -errno. */
int file_sync(int fd);

/* Cuts the file to `size` bytes. 0 or -errno. */
int file_cut(int fd, uint64_t size);

/* Removes a file; durable with its folder. Fine if there is none. 0 or -errno. */
int file_remove(const char *path);

/* Bytes that may still be written to the disk on which `fd` lies, and the disk's size. 0 or -errno. */
int file_room(int fd, uint64_t *ret_free, uint64_t *ret_size);

/* Reads exactly `len` bytes at `offset`: 0; 1 when the file ends before; -errno. */
int file_read_at(int fd, void *out, size_t len, uint64_t offset);

/* Reads what an open file holds now, from its begin, at most `max` bytes, as file_read_all(). 0,
 * -EFBIG, -ENOMEM or another -errno; -ESTALE when the file no longer stands under any name: it was
 * replaced by another. */
int file_reread(int fd, size_t max, char **ret, size_t *ret_len);

/* Creates the folder (mode 0700) and the missing ones above it; fine if it exists. */
int file_make_dir(const char *path, struct err *err);
/* The same with another mode, less the umask. */
int file_make_folders(const char *path, mode_t mode, struct err *err);

/* Does the path lie in the folder, or is it that? What of it does not exist yet is taken as it is written. */
bool file_is_below(const char *path, const char *folder);

/* A new file with this content and mode, durable with its folder when 0 is returned. ERR_EXISTS if
 * there is one. */
int file_create(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err);

/* As file_create(), but takes the place of a file that is there: whoever opens the path finds the old
 * content or the new, whole, also after a crash. */
int file_replace(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err);

/* Reads a whole file of at most `max` bytes. Gives a NUL-terminated buffer to free() and its length
 * without the NUL. */
int file_read_all(const char *path, size_t max, char **ret, size_t *ret_len, struct err *err);
