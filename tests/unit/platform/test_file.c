// SPDX-License-Identifier: Apache-2.0
/*
 * Durable files, in a new folder below /tmp. What fsync does cannot be seen from here; names,
 * contents, modes and what is left behind can.
 */
#include "platform/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATH_TEXT = 256 };

static const char *in(const char *dir, const char *name, char out[static PATH_TEXT])
{
	assert_in_range(snprintf(out, PATH_TEXT, "%s/%s", dir, name), 1, PATH_TEXT - 1);
	return out;
}

static int make_folder(void **state)
{
	char template[] = "/tmp/test_file.XXXXXX";

	assert_non_null(mkdtemp(template));
	*state = strdup(template);
	return *state ? 0 : -1;
}

static int remove_folder(void **state)
{
	static const char *const names[] = {"a/b/c", "a/b", "a", "f", "f.new", "log", ""};
	char path[PATH_TEXT];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		(void)remove(in(*state, names[i], path));
	assert_int_not_equal(access(*state, F_OK), 0); /* a test left something unknown */
	free(*state);
	return 0;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void test_open_append(void **state)
{
	char path[PATH_TEXT];
	char *text;
	struct err err;
	uint64_t size = 1;
	size_t len;
	int fd;

	assert_int_equal(file_open_append(in(*state, "log", path), &fd, &size, &err), 0);
	assert_int_equal(size, 0);
	assert_int_equal(mode_of(path), 0600);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(file_write(fd, "abc", 3), 0);
	assert_int_equal(file_sync(fd), 0);
	assert_int_equal(close(fd), 0);

	assert_int_equal(file_open_append(path, &fd, &size, &err), 0);
	assert_int_equal(size, 3);
	assert_int_equal(file_write(fd, "de", 2), 0);
	assert_int_equal(file_write(fd, "", 0), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(file_read_all(path, 5, &text, &len, &err), 0);
	assert_int_equal(len, 5);
	assert_string_equal(text, "abcde");
	free(text);

	assert_int_equal(file_open_append(in(*state, "none/log", path), &fd, &size, &err), -ENOENT);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(file_write(-1, "a", 1), -EBADF);
	assert_int_equal(file_sync(-1), -EBADF);
}

static void test_read_at(void **state)
{
	char path[PATH_TEXT], out[5] = "....";
	struct err err;
	int fd;

	assert_int_equal(file_create(in(*state, "f", path), "012345", 6, 0600, &err), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(file_read_at(fd, out, 4, 2), 0);
	assert_string_equal(out, "2345");
	assert_int_equal(file_read_at(fd, out, 4, 3), 1);
	assert_int_equal(file_read_at(fd, out, 1, 6), 1);
	assert_int_equal(file_read_at(fd, out, 0, 6), 0);
	assert_int_equal(file_read_at(fd, out, 4, UINT64_MAX), -EOVERFLOW);
	assert_int_equal(close(fd), 0);
	assert_int_equal(file_read_at(-1, out, 4, 0), -EBADF);
}

static void test_create(void **state)
{
	char path[PATH_TEXT], left[PATH_TEXT], *text;
	mode_t mask = umask(077);
	struct err err;
	size_t len;
	int fd;

	/* A half-written file of a machine that stopped is in the way: it is not taken for ours. */
	fd = open(in(*state, "f.new", left), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, "half and longer", 15), 0);
	assert_int_equal(close(fd), 0);

	assert_int_equal(file_create(in(*state, "f", path), "whole", 5, 0644, &err), 0);
	(void)umask(mask);
	assert_int_equal(mode_of(path), 0644); /* whatever the umask */
	assert_int_not_equal(access(left, F_OK), 0);

	assert_int_equal(file_create(path, "other", 5, 0600, &err), ERR_EXISTS);
	assert_non_null(strstr(err.text, path));
	assert_int_not_equal(access(left, F_OK), 0);
	assert_int_equal(file_read_all(path, 100, &text, &len, &err), 0);
	assert_string_equal(text, "whole");
	free(text);
	assert_int_equal(mode_of(path), 0644);
	assert_int_equal(file_create(in(*state, "none/f", path), "x", 1, 0600, &err), -ENOENT);
}

static void test_make_dir(void **state)
{
	char path[PATH_TEXT];
	struct err err;

	assert_int_equal(file_make_dir(in(*state, "a//b/c/", path), &err), 0);
	assert_int_equal(file_make_dir(path, &err), 0);
	assert_int_equal(mode_of(path), 0700);
	assert_int_equal(mode_of(in(*state, "a", path)), 0700);
	assert_int_equal(file_create(in(*state, "f", path), "", 0, 0600, &err), 0);
	assert_int_equal(file_make_dir(path, &err), -ENOTDIR);
	assert_int_equal(file_make_dir(in(*state, "f/g", path), &err), -ENOTDIR);
	assert_int_equal(file_make_dir("", &err), -ENOENT);
	assert_int_equal(file_make_dir("/", &err), 0);
}

static void test_read_all(void **state)
{
	char path[PATH_TEXT], *text = NULL, *big;
	const size_t big_len = 100000;
	struct err err;
	size_t len = 0;

	assert_int_equal(file_read_all(in(*state, "f", path), 10, &text, &len, &err), -ENOENT);
	assert_int_equal(file_read_all(*state, 10, &text, &len, &err), -EISDIR);
	assert_null(text);
	big = malloc(big_len);
	assert_non_null(big);
	for (size_t i = 0; i < big_len; i++)
		big[i] = (char)(i * 7);
	assert_int_equal(file_create(path, big, big_len, 0600, &err), 0);
	assert_int_equal(file_read_all(path, big_len, &text, &len, &err), 0);
	assert_int_equal(len, big_len);
	assert_memory_equal(text, big, big_len);
	assert_int_equal(text[len], 0);
	free(text);
	assert_int_equal(file_read_all(path, big_len - 1, &text, &len, &err), -EFBIG);
	assert_non_null(strstr(err.text, "99999"));
	free(big);

	assert_int_equal(unlink(path), 0);
	assert_int_equal(file_create(path, "", 0, 0600, &err), 0);
	assert_int_equal(file_read_all(path, 0, &text, &len, &err), 0);
	assert_int_equal(len, 0);
	assert_int_equal(text[0], 0);
	free(text);
	assert_int_equal(file_read_all("/proc/self/status", 1 << 20, &text, &len, &err),
			 0); /* its size is said to be 0 */
	assert_true(len > 100);
	free(text);
}

static void test_replace(void **state)
{
	char path[PATH_TEXT], left[PATH_TEXT], *text;
	struct stat before, after;
	struct err err;
	size_t len;

	assert_int_equal(file_replace(in(*state, "f", path), "old", 3, 0600, &err), 0);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(file_replace(path, "newer", 5, 0644, &err), 0);
	assert_int_equal(stat(path, &after), 0);
	/* Another file under the name: who has the old one open goes on reading the old content. */
	assert_int_not_equal(before.st_ino, after.st_ino);
	assert_int_equal(mode_of(path), 0644);
	assert_int_not_equal(access(in(*state, "f.new", left), F_OK), 0);
	assert_int_equal(file_read_all(path, 100, &text, &len, &err), 0);
	assert_string_equal(text, "newer");
	free(text);
	assert_int_equal(file_replace(in(*state, "none/f", left), "a", 1, 0600, &err), -ENOENT);
	assert_non_null(strstr(err.text, left));
}

static void test_is_below(void **state)
{
	char a[PATH_TEXT], b[PATH_TEXT], text[PATH_TEXT];
	struct err err;

	assert_int_equal(file_make_dir(in(*state, "a/b", b), &err), 0);
	(void)in(*state, "a", a);
	assert_true(file_is_below(a, a));
	assert_true(file_is_below(b, a));
	assert_true(file_is_below(in(*state, "a/b/../b/c/d", text), a)); /* not there yet */
	assert_true(file_is_below(in(*state, "a/new", text), a));
	assert_false(file_is_below(in(*state, "a/../f", text), a));
	assert_false(file_is_below(in(*state, "ab", text), a));
	assert_false(file_is_below(*state, a));
	assert_false(file_is_below(a, b));
	assert_false(file_is_below("", a));
	assert_false(file_is_below("new", a));
	/* The folder is not there yet either: as it is written. */
	assert_true(file_is_below("new/x/y", "new/x"));
	assert_false(file_is_below("new/xy", "new/x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_open_append, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_read_at, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_create, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_replace, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_make_dir, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_is_below, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_read_all, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
