// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof pki as it is called: exit status, what it prints, the files it leaves. openssl reads
 * the certificates.
 */
#include "analyst/commands.h"

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

static char folder[] = "/tmp/test_pki.XXXXXX";
static char output[8192];

static int setup(void **state)
{
	(void)state;
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return system("rm -rf p h dates") != 0 || chdir("/") != 0 || rmdir(folder) != 0;
}

/* Calls it with the words of `line`; what it writes on both outputs stands in `output`. */
static int pki(const char *line)
{
	char words[256], *argv[16] = {(char[]){"pki"}}, *save = NULL;
	int argc = 1, rc, saved[2] = {dup(1), dup(2)};
	int fd = open("output", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t n;

	snprintf(words, sizeof(words), "%s", line);
	for (char *w = strtok_r(words, " ", &save); w && argc < 15; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	fflush(stdout);
	dup2(fd, 1);
	dup2(fd, 2);
	rc = pki_main(argc, argv);
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		dup2(saved[i], i + 1);
		close(saved[i]);
	}
	n = pread(fd, output, sizeof(output) - 1, 0);
	output[n > 0 ? n : 0] = '\0';
	close(fd);
	unlink("output");
	return rc;
}

static mode_t mode(const char *file)
{
	struct stat st;

	return stat(file, &st) == 0 ? st.st_mode & 07777 : 0;
}

static const struct {
	const char *line;
	int status;
	const char *says;
	const char *file; /* made; NULL: none */
} rows[] = {
	{"", 2, "usage:", NULL},
	{"make", 2, "usage:", NULL},
	{"--help", 0, "--valid-from", NULL},
	{"init --help", 0, "--days", NULL},
	{"init", 2, "--dir is missing", NULL},
	{"init -d p --valid-from 0", 2, "valid-from", NULL},
	{"init -d p extra", 2, "'extra' is a word too many", NULL},
	{"init -d p --days 0", 2, "--days", NULL},
	{"issue -d none web", 3, "none/ca.crt", NULL},
	{"init -d p", 0, "next:    flowproof pki issue -d p ID", "p/ca.key"},
	{"init -d p", 3, "p/ca.key exists", NULL},
	{"issue -d p", 2, "needs the ID", NULL},
	{"issue -d p web-1", 0, "ca.crt, web-1.crt, web-1.key", "p/web-1.key"},
	{"issue -d p web-1", 3, "exists", NULL},
	{"issue web-2 -d p --days 9", 0, "p/web-2.crt", "p/web-2.key"},
	{"issue -d p web-3 --valid-from 2020-01-31 --days 10", 0, "p/web-3.crt", "p/web-3.key"},
	{"issue -d p web-4 --valid-from yesterday", 2, "yesterday", NULL},
	{"issue -d p a b", 2, "'b' is a word too many", NULL},
	{"issue -d p flowproof-collector", 2, "names the collector", NULL},
	{"issue -d p collector", 2, "names the collector", NULL},
	{"issue -d p ca", 2, "names the CA", NULL},
	{"issue -d p .x", 2, "cannot be a sensor's ID", NULL},
	{"issue -d p -- -x", 2, "cannot be a sensor's ID", NULL},
	{"issue -d p ../x", 2, "cannot be a sensor's ID", NULL},
	{"issue -d p 0123456789012345678901234567890123456789012345678901234567890123", 2,
	 "cannot be a sensor's ID", NULL},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int status = pki(rows[i].line);

		if (status != rows[i].status || !strstr(output, rows[i].says))
			fail_msg("pki %s: %d, %s", rows[i].line, status, output);
		if (rows[i].file && mode(rows[i].file) != 0600)
			fail_msg("pki %s: no %s of mode 0600", rows[i].line, rows[i].file);
	}
	/* 4 of init, 2 of each of the three issued, and nothing of those refused. */
	assert_int_equal(system("test $(ls -A p | wc -l) = 10"), 0);
	assert_int_equal(mode("p"), 0700);
	assert_int_equal(mode("p/ca.crt"), 0644);
}

static void test_dates(void **state)
{
	(void)state;
	/* A day back for clocks that differ; 825 days on, give or take the second of the test. */
	assert_int_equal(
		system("exec >/dev/null; openssl verify -CAfile p/ca.crt p/collector.crt "
		       "p/web-1.crt && "
		       "openssl x509 -in p/collector.crt -checkend $((824 * 86400)) -noout && "
		       "! openssl x509 -in p/collector.crt -checkend $((826 * 86400)) -noout && "
		       "openssl x509 -in p/ca.crt -checkend $((3649 * 86400)) -noout && "
		       "! openssl x509 -in p/ca.crt -checkend $((3651 * 86400)) -noout"),
		0);
	assert_int_equal(system("openssl x509 -in p/web-3.crt -noout -startdate -enddate >dates && "
				"printf 'notBefore=Jan 31 00:00:00 2020 GMT\\n"
				"notAfter=Feb 10 00:00:00 2020 GMT\\n' | cmp - dates"),
			 0);
}

/* The CA is taken back when the collector's certificate cannot be made, so that a second attempt
 * can succeed. */
static void test_half_an_init_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(system("mkdir h && echo old >h/collector.crt"), 0);
	assert_int_equal(pki("init -d h"), 3);
	assert_int_equal(system("test $(ls -A h) = collector.crt && grep -q old h/collector.crt"),
			 0);
	assert_int_equal(unlink("h/collector.crt"), 0);
	assert_int_equal(pki("init -d h --days 5000"), 0);
	assert_int_equal(
		system("openssl x509 -in h/ca.crt -checkend $((4999 * 86400)) -noout >/dev/null"),
		0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_half_an_init_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
