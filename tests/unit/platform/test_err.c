// SPDX-License-Identifier: Apache-2.0
/*
 * Errors: the sentence, its cut, and what becomes of it when it is put into the next one.
 */
#include "platform/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_set(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(err_set(&err, ERR_FORMAT, "byte %d of %s", 7, "x"), ERR_FORMAT);
	assert_string_equal(err.text, "byte 7 of x");
	assert_int_equal(err_set(&err, ERR_TLS, "file: %s", err.text), ERR_TLS);
	assert_string_equal(err.text, "file: byte 7 of x");
	assert_int_equal(err_set(NULL, -5, "nobody reads this"), -5);
}

static void test_errno(void **state)
{
	struct err err;

	(void)state;
	errno = ENOENT;
	assert_int_equal(err_errno(&err, "cannot read %s", "x"), -ENOENT);
	assert_string_equal(err.text, "cannot read x: No such file or directory");
	errno = EACCES;
	assert_int_equal(err_errno(NULL, "x"), -EACCES);
	errno = 0;
	assert_int_equal(err_errno(&err, "x"), -EIO);
}

static void test_cut(void **state)
{
	char much[2 * sizeof(struct err)];
	struct err err;

	(void)state;
	memset(much, 'a', sizeof much - 1);
	much[sizeof much - 1] = '\0';
	assert_int_equal(err_set(&err, ERR_FULL, "%s", much), ERR_FULL);
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
	errno = ENOENT;
	assert_int_equal(err_errno(&err, "%s", much), -ENOENT);
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
	errno = ENOENT; /* one byte of room: the colon */
	assert_int_equal(err_errno(&err, "%.*s", (int)sizeof err.text - 2, much), -ENOENT);
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
	assert_int_equal(err.text[sizeof err.text - 2], ':');
}

static void test_exit_status(void **state)
{
	(void)state;
	assert_int_equal(err_exit_status(0), 0);
	assert_int_equal(err_exit_status(ERR_USAGE), 2);
	assert_int_equal(err_exit_status(ERR_TLS), 3);
	assert_int_equal(err_exit_status(-ENOENT), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_exit_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
