// SPDX-License-Identifier: Apache-2.0
/*
 * Settings: rank of the sources, the text of each error, and that what is printed reads back the
 * same.
 */
#include "platform/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct values {
	bool flag, check;
	char *id, *policy, *config;
	uint64_t window, big, free;
	struct setting_list servers, locals;
};

static const struct setting table[] = {
	{.name = "promiscuous",
	 .letter = 'P',
	 .kind = SETTING_FLAG,
	 .offset = offsetof(struct values, flag),
	 .help = "Take frames for others too."},
	{.name = "id",
	 .kind = SETTING_TEXT,
	 .offset = offsetof(struct values, id),
	 .arg = "ID",
	 .help = "Name of the sensor."},
	{.name = "policy",
	 .letter = 'p',
	 .kind = SETTING_TEXT,
	 .offset = offsetof(struct values, policy),
	 .arg = "FILE",
	 .preset = "quarantine",
	 .help = "What is expected, what is watched; the rest is unexpected, and it is told at "
		 "once by an alert "
		 "that names the endpoint."},
	{.name = "window",
	 .letter = 't',
	 .kind = SETTING_NUMBER,
	 .offset = offsetof(struct values, window),
	 .arg = "SECONDS",
	 .preset = "60",
	 .min = 60,
	 .max = 600,
	 .help = "Length of a window."},
	{.name = "big",
	 .kind = SETTING_NUMBER,
	 .offset = offsetof(struct values, big),
	 .max = UINT64_MAX,
	 .help = "Any."},
	{.name = "free",
	 .kind = SETTING_NUMBER,
	 .offset = offsetof(struct values, free),
	 .min = 5,
	 .max = 9,
	 .help = "None."},
	{.name = "server",
	 .letter = 's',
	 .kind = SETTING_LIST,
	 .offset = offsetof(struct values, servers),
	 .arg = "HOST:PORT",
	 .help = "A collector."},
	{.name = "local",
	 .kind = SETTING_LIST,
	 .offset = offsetof(struct values, locals),
	 .arg = "CIDR",
	 .preset = "10.0.0.0/8",
	 .help = "Our addresses."},
	{.name = "config",
	 .letter = 'c',
	 .kind = SETTING_FILE,
	 .offset = offsetof(struct values, config),
	 .arg = "FILE",
	 .help = "This file."},
	{.name = "check",
	 .kind = SETTING_ACTION,
	 .offset = offsetof(struct values, check),
	 .help = "Print and exit."},
};
enum { ROWS = sizeof table / sizeof table[0], ARGS_MAX = 2 * SETTING_LIST_MAX + 16 };

/* The file that `@` stands for on the command lines below; removed by the caller. */
struct file {
	char path[32];
};

static struct file file_with(const char *text, size_t len)
{
	struct file file = {"/tmp/test_settings.XXXXXX"};
	int fd = mkstemp(file.path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(close(fd), 0);
	return file;
}

/* Reads `argv` (without the program's name, ended by NULL), with -c FILE before it if there is a
 * text for it. */
static int read_with(struct values *values, const char *const *words, const char *file_text,
		     size_t file_len, int *ret_rest, struct err *err)
{
	char *argv[ARGS_MAX] = {strdup("test")};
	struct file file;
	int argc = 1, rc;

	memset(values, 0, sizeof *values);
	if (file_text) {
		file = file_with(file_text, file_len);
		argv[argc++] = strdup("-c");
		argv[argc++] = strdup(file.path);
	}
	for (; *words; words++) {
		assert_true(argc < ARGS_MAX - 1);
		argv[argc++] = strdup(*words);
	}
	rc = settings_read(table, ROWS, values, argc, argv, ret_rest, err);
	*ret_rest -= file_text ? 2 : 0;
	while (argc > 0)
		free(argv[--argc]);
	if (file_text)
		(void)unlink(file.path);
	return rc;
}

static void test_presets(void **state)
{
	struct values v;
	struct err err;
	int rest;

	(void)state;
	assert_int_equal(read_with(&v, (const char *const[]){NULL}, NULL, 0, &rest, &err), 0);
	assert_false(v.flag);
	assert_null(v.id);
	assert_string_equal(v.policy, "quarantine");
	assert_int_equal(v.window, 60);
	assert_int_equal(v.servers.n, 0);
	assert_int_equal(v.locals.n, 1);
	assert_string_equal(v.locals.v[0], "10.0.0.0/8");
	assert_int_equal(rest, 1);
	settings_free(table, ROWS, &v);
	assert_null(v.policy);
	assert_int_equal(v.locals.n, 0);
	settings_free(table, ROWS, &v);
}

static void test_command_line(void **state)
{
	static const char *const words[] = {
		"-Pt",         "600",     "--id=", "-s192.0.2.1:1",        "--server",
		"192.0.2.2:2", "--check", "--big", "18446744073709551615", "--window=61",
		"rest",        "-P",      NULL};
	struct values v;
	struct err err;
	int rest;

	(void)state;
	for (int again = 0; again < 2; again++) { /* getopt starts anew for a subcommand */
		assert_int_equal(read_with(&v, words, NULL, 0, &rest, &err), 0);
		assert_true(v.flag);
		assert_true(v.check);
		assert_string_equal(v.id, "");
		assert_int_equal(v.window, 61); /* the last one counts */
		assert_true(v.big == UINT64_MAX);
		assert_int_equal(v.servers.n, 2);
		assert_string_equal(v.servers.v[0], "192.0.2.1:1");
		assert_string_equal(v.servers.v[1], "192.0.2.2:2");
		assert_int_equal(rest, 11);
		settings_free(table, ROWS, &v);
	}
	assert_int_equal(
		read_with(&v, (const char *const[]){"-P", "--", "-t", NULL}, NULL, 0, &rest, &err),
		0);
	assert_int_equal(rest, 3);
	settings_free(table, ROWS, &v);
}

static void test_file(void **state)
{
	static const char text[] = "# comment\r\n"
				   "\r\n"
				   "  \t# another\n"
				   "promiscuous = yes\n"
				   "id=web 1\r\n"
				   "\t policy \t= \" spaced # \"  \n"
				   "window = 300\n"
				   "server = 192.0.2.1:1\n"
				   "server = [::1]:2\n"
				   "local = a\"b#c";
	struct values v;
	struct err err;
	int rest;

	(void)state;
	assert_int_equal(
		read_with(&v, (const char *const[]){NULL}, text, sizeof text - 1, &rest, &err), 0);
	assert_true(v.flag);
	assert_string_equal(v.id, "web 1");
	assert_string_equal(v.policy, " spaced # ");
	assert_int_equal(v.window, 300);
	assert_int_equal(v.servers.n, 2);
	assert_string_equal(v.servers.v[1], "[::1]:2");
	assert_int_equal(v.locals.n, 1);
	assert_string_equal(v.locals.v[0], "a\"b#c");
	settings_free(table, ROWS, &v);

	/* The command line wins; a list from it replaces the file's whole. */
	assert_int_equal(read_with(&v,
				   (const char *const[]){"--promiscuous=no", "-t", "90", "-s",
							 "192.0.2.9:9", NULL},
				   text, sizeof text - 1, &rest, &err),
			 0);
	assert_false(v.flag);
	assert_int_equal(v.window, 90);
	assert_int_equal(v.servers.n, 1);
	assert_string_equal(v.servers.v[0], "192.0.2.9:9");
	assert_string_equal(v.id, "web 1");
	settings_free(table, ROWS, &v);
}

static void test_command_line_errors(void **state)
{
	static const struct {
		const char *words[4];
		const char *error;
	} rows[] = {
		{{"--widnow", "60"}, "unknown option '--widnow': did you mean --window?"},
		{{"--serber=1.2.3.4:1"}, "did you mean --server?"},
		{{"--xylophone"}, "unknown or ambiguous option '--xylophone'; --help lists them"},
		{{"--p=x"}, "unknown or ambiguous option '--p=x'"},
		{{"-Px"}, "unknown option '-x'; --help lists them"},
		{{"--id"}, "--id lacks its value: --id ID"},
		{{"-t"}, "--window lacks its value: --window SECONDS"},
		{{"--check=yes"}, "--check takes no value"},
		{{"--promiscuous=on"}, "--promiscuous on: allowed are yes and no"},
		{{"--window", "59"}, "--window 59: allowed are 60 to 600"},
		{{"--window", "601"}, "--window 601: allowed are 60 to 600"},
		{{"--window", ""}, "allowed are 60 to 600"},
		{{"--window", "0x40"}, "allowed are 60 to 600"},
		{{"--window", " 60"}, "allowed are 60 to 600"},
		{{"--window", "-60"}, "allowed are 60 to 600"},
		{{"--window", "60s"}, "allowed are 60 to 600"},
		{{"--big", "18446744073709551616"}, "allowed are 0 to 18446744073709551615"},
		{{"--big", "99999999999999999999999"}, "allowed are 0 to"},
		{{"--id", "a\nb"}, "--id: the value contains a control character"},
		{{"-c", "/nonexistent/x.conf"}, "cannot read /nonexistent/x.conf: No such file"},
		{{"-c", "/"}, "cannot read /: Is a directory"},
	};
	struct values v;
	struct err err;
	int rest;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		err.text[0] = '\0';
		assert_int_equal(read_with(&v, rows[i].words, NULL, 0, &rest, &err), ERR_USAGE);
		if (!strstr(err.text, rows[i].error))
			fail_msg("'%s' does not say '%s'", err.text, rows[i].error);
		settings_free(table, ROWS, &v);
	}
}

static void test_file_errors(void **state)
{
	static const struct {
		const char *text, *error; /* the error from behind the file's name */
	} rows[] = {
		{"\n\nwidnow = 60",
		 ":3: unknown setting 'widnow': did you mean 'window'? --help lists them"},
		{"xylophone = 1", ":1: unknown setting 'xylophone'; --help lists them"},
		{"Window = 60", ":1: unknown setting 'Window': did you mean 'window'?"},
		{" = 60", ":1: unknown setting ''"},
		{"window = 60\r\nwindow = 60\r\n", ":2: 'window' stands in line 1 already"},
		{"id = a\nwindow 60\n", ":2: '=' is missing in 'window 60': write name = value"},
		{"window", ":1: '=' is missing"},
		{"window = 601", ":1: window 601: allowed are 60 to 600"},
		{"window = 60 # a minute", ":1: window: a comment needs a line of its own"},
		{"window = ", ":1: window: the value is missing"},
		{"window = \"\"", ":1: window : allowed are 60 to 600"},
		{"id = \"", ":1: id: the closing quote is missing"},
		{"id = \"abc", ":1: id: the closing quote is missing"},
		{"id = \"abc\" x", ":1: id: the closing quote is missing at the end of the line"},
		{"id = a\x01"
		 "b",
		 ":1: the line contains a control character"},
		{"# \x1b[2J", ":1: the line contains a control character"},
		{"id = a\rb", ":1: the line contains a control character"},
		{"promiscuous = true", ":1: promiscuous true: allowed are yes and no"},
		{"config = x", ":1: 'config' belongs on the command line"},
		{"check = yes", ":1: 'check' belongs on the command line"},
	};
	struct values v;
	struct err err;
	int rest;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *text = rows[i].text, *behind;

		assert_int_equal(
			read_with(&v, (const char *const[]){NULL}, text, strlen(text), &rest, &err),
			ERR_USAGE);
		behind = strchr(err.text, ':');
		assert_non_null(behind);
		if (strncmp(behind, rows[i].error, strlen(rows[i].error)) != 0)
			fail_msg("'%s' does not say '%s'", err.text, rows[i].error);
		settings_free(table, ROWS, &v);
	}
	/* A value is checked also where the command line overrules it. */
	assert_int_equal(read_with(&v, (const char *const[]){"-t", "60", NULL}, "window = 1", 10,
				   &rest, &err),
			 ERR_USAGE);
	settings_free(table, ROWS, &v);
	assert_int_equal(read_with(&v, (const char *const[]){NULL}, "id = a\0b", 8, &rest, &err),
			 ERR_USAGE);
	assert_non_null(strstr(err.text, ":1: the line contains a control character"));
	settings_free(table, ROWS, &v);
}

static void test_bounds(void **state)
{
	const char *words[2 * (SETTING_LIST_MAX + 1) + 1] = {NULL};
	const size_t long_len = 100000, too_long = (1 << 20) + 1;
	char *text = malloc(too_long);
	struct values v;
	struct err err;
	int rest;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < SETTING_LIST_MAX; i++) {
		words[2 * i] = "-s";
		words[2 * i + 1] = "192.0.2.1:1";
	}
	assert_int_equal(read_with(&v, words, NULL, 0, &rest, &err), 0);
	assert_int_equal(v.servers.n, SETTING_LIST_MAX);
	settings_free(table, ROWS, &v);
	words[2 * SETTING_LIST_MAX] = "-s";
	words[2 * SETTING_LIST_MAX + 1] = "192.0.2.1:1";
	assert_int_equal(read_with(&v, words, NULL, 0, &rest, &err), ERR_USAGE);
	assert_string_equal(err.text, "--server: given more than 128 times");
	settings_free(table, ROWS, &v);

	memset(text, 'a', too_long);
	memcpy(text, "id = ", 5);
	assert_int_equal(read_with(&v, (const char *const[]){NULL}, text, long_len, &rest, &err),
			 0);
	assert_int_equal(strlen(v.id), long_len - 5);
	settings_free(table, ROWS, &v);
	assert_int_equal(read_with(&v, (const char *const[]){NULL}, text, too_long, &rest, &err),
			 ERR_USAGE);
	assert_non_null(strstr(err.text, "larger than the 1048576 bytes"));
	settings_free(table, ROWS, &v);
	free(text);
}

static char *random_text(uint64_t *seed)
{
	static const char letters[] = "ab \t\"\"#='\\,\xc3\xa9";
	size_t len;
	char *text;

	*seed = *seed * 6364136223846793005U + 1442695040888963407U;
	len = (size_t)(*seed >> 60);
	text = malloc(len + 1);
	assert_non_null(text);
	for (size_t i = 0; i < len; i++) {
		*seed = *seed * 6364136223846793005U + 1442695040888963407U;
		text[i] = letters[(*seed >> 33) % (sizeof letters - 1)];
	}
	text[len] = '\0';
	return text;
}

static char *printed(const struct values *values, size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	assert_non_null(out);
	settings_print(table, ROWS, values, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* Whatever the values: their printed form, read as a file, prints the same and holds the same
 * texts. */
static void test_print_reads_back(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (unsigned int round = 0; round < 300; round++) {
		struct values v = {.flag = round & 1, .window = 60 + round, .big = seed}, back;
		char *text, *again;
		size_t len, len_again;
		struct err err;
		int rest;

		v.id = round % 5 ? random_text(&seed) : NULL;
		v.policy = random_text(&seed);
		v.locals.v[v.locals.n++] = random_text(&seed);
		for (unsigned int i = 0; i < round % 4; i++)
			v.servers.v[v.servers.n++] = random_text(&seed);
		text = printed(&v, &len);
		if (read_with(&back, (const char *const[]){NULL}, text, len, &rest, &err) != 0)
			fail_msg("%s\n%s", err.text, text);
		again = printed(&back, &len_again);
		assert_string_equal(again, text);
		assert_int_equal(back.flag, v.flag);
		assert_true(back.big == v.big);
		assert_true(back.window == v.window);
		assert_string_equal(back.policy, v.policy);
		assert_int_equal(back.servers.n, v.servers.n);
		for (size_t i = 0; i < v.servers.n; i++)
			assert_string_equal(back.servers.v[i], v.servers.v[i]);
		assert_true(v.id ? strcmp(back.id, v.id) == 0 : back.id == NULL);
		free(text);
		free(again);
		settings_free(table, ROWS, &v);
		settings_free(table, ROWS, &back);
	}
}

static void test_print(void **state)
{
	struct values v;
	struct err err;
	char *text;
	size_t len;
	int rest;

	(void)state;
	assert_int_equal(read_with(&v, (const char *const[]){"-s", "192.0.2.1:1", "--check", NULL},
				   NULL, 0, &rest, &err),
			 0);
	text = printed(&v, &len);
	assert_string_equal(text, "promiscuous = no\npolicy = quarantine\nwindow = 60\nbig = 0\n"
				  "server = 192.0.2.1:1\nlocal = 10.0.0.0/8\n");
	free(text);
	settings_free(table, ROWS, &v);
}

static void test_help(void **state)
{
	char *text = NULL, *line;
	size_t len, lines = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(out);
	settings_help(table, ROWS, out);
	assert_int_equal(fclose(out), 0);
	assert_non_null(strstr(
		text,
		"  -t, --window SECONDS        Length of a window. 60 to 600. Default: 60\n"));
	assert_non_null(strstr(text, "      --id ID                 Name of the sensor.\n"));
	assert_non_null(
		strstr(text, "  -P, --promiscuous           Take frames for others too.\n"));
	assert_non_null(
		strstr(text, "  -s, --server HOST:PORT      A collector. May be repeated.\n"));
	for (line = text; *line; line += strcspn(line, "\n") + 1) {
		assert_in_range(strcspn(line, "\n"), 1, 100);
		lines++;
	}
	assert_int_equal(lines, ROWS + 1); /* --policy takes two */
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_presets),
		cmocka_unit_test(test_command_line),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_command_line_errors),
		cmocka_unit_test(test_file_errors),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_print_reads_back),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
