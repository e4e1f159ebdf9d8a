// SPDX-License-Identifier: Apache-2.0
/*
 * The table of names: what was learned is found, the oldest gives way, what is used stays, one address with thousands of names
 * is no trap; held against a plain list over random names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sensor/names_table.h"

enum { BYTES = 8192 };

static struct name_table *t;

static int setup(void **state)
{
	static const uint64_t key[2] = {3, 4};

	(void)state;
	return name_table_new(&t, BYTES - 1, 2, key);
}

static int teardown(void **state)
{
	(void)state;
	name_table_free(t);
	return 0;
}

static struct batch_name named(unsigned x, const char *name)
{
	return (struct batch_name){.remote.b = {192, 0, (uint8_t)(x >> 8), (uint8_t)x},
				   .name = name,
				   .alpn = "",
				   .family = 4,
				   .source = BATCH_NAME_DNS};
}

static bool learn(unsigned x, const char *name)
{
	struct batch_name n = named(x, name);

	return name_table_learn(t, &n);
}

static bool knows(unsigned x, const char *name)
{
	struct batch_name n = named(x, name);
	const char *list[NAMES_OF_MAX];
	size_t found = name_table_of(t, 0, 4, &n.remote, list);

	for (size_t i = 0; i < found; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

static struct name_table_stats stats(void)
{
	struct name_table_stats s;

	name_table_stats(t, &s);
	return s;
}

static void finds(void **state)
{
	struct batch_name sni = named(1, "sni.example");
	const char *list[NAMES_OF_MAX];

	(void)state;
	assert_true(learn(1, "a.example"));
	assert_true(learn(1, "b.example"));
	assert_true(learn(2, "a.example"));
	assert_false(learn(1, "a.example"));
	sni.source = BATCH_NAME_SNI;
	sni.port = 443;
	sni.protocol = 6;
	assert_true(name_table_learn(t, &sni));
	assert_false(name_table_learn(t, &sni));
	assert_int_equal(name_table_of(t, 0, 4, &sni.remote, list), 2);
	assert_string_equal(list[0], "b.example");
	assert_string_equal(list[1], "a.example");
	assert_int_equal(name_table_of(t, 0, 6, &sni.remote, list), 0);
	assert_int_equal(stats().known, 4);
	/* An endpoint that has no name is remembered as such, and labels nothing. */
	sni = named(9, "");
	sni.source = BATCH_NAME_QUIC;
	assert_true(name_table_learn(t, &sni));
	assert_false(name_table_learn(t, &sni));
}

/* Interfaces 0 and 1 share their names; 2 and 3 are others' machines, with the same addresses. */
static void apart(void **state)
{
	struct batch_name n = named(1, "a.example");
	const char *list[NAMES_OF_MAX];

	(void)state;
	n.iface = 1;
	assert_true(name_table_learn(t, &n));
	assert_int_equal(name_table_of(t, 0, 4, &n.remote, list), 1);
	assert_int_equal(name_table_of(t, 2, 4, &n.remote, list), 0);
	n.iface = 3;
	n.name = "b.example";
	assert_true(name_table_learn(t, &n));
	assert_int_equal(name_table_of(t, 2, 4, &n.remote, list), 0);
	assert_int_equal(name_table_of(t, 3, 4, &n.remote, list), 1);
	assert_string_equal(list[0], "b.example");
	assert_int_equal(name_table_of(t, 1, 4, &n.remote, list), 1);
	assert_string_equal(list[0], "a.example");
}

static void gives_way(void **state)
{
	char name[BATCH_NAME_MAX + 1];
	size_t n = 1000;

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(name, sizeof name, "host-%u.example", i);
		assert_true(learn(i, name));
		assert_true(knows(i, name));
		if (i % 20 == 0)
			(void)learn(70000, "kept.example"); /* used now and then */
	}
	assert_true(knows(70000, "kept.example"));
	assert_false(knows(0, "host-0.example"));
	assert_true(knows(999, "host-999.example"));
	assert_int_equal(stats().known + stats().gave_way, n + 1);
	/* 32 bytes and 17 or 18 of name with its NUL, in steps of 8: 56. */
	assert_in_range(stats().known, BYTES / 56 - 12, BYTES / 56);
}

/* One address with many names: the newest are found, the time stays bounded, others are not touched. */
static void one_address(void **state)
{
	char name[BATCH_NAME_MAX + 1];
	const char *list[NAMES_OF_MAX];
	struct batch_name n = named(1, "");

	(void)state;
	(void)learn(2, "other.example");
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof name, "n%u", i);
		assert_true(learn(1, name));
	}
	assert_int_equal(name_table_of(t, 0, 4, &n.remote, list), NAMES_OF_MAX);
	assert_string_equal(list[0], "n99");
	assert_string_equal(list[NAMES_OF_MAX - 1], "n84");
	assert_true(knows(2, "other.example"));
}

/* Names of all lengths, thousands of times around the ring: the table says no name that was not learned, and knows the last ones. */
static void against_a_list(void **state)
{
	enum { LAST = 16 };
	char last[LAST][BATCH_NAME_MAX + 1];
	unsigned last_x[LAST];
	uint64_t random = 88172645463325252u;

	(void)state;
	for (size_t i = 0; i < 200000; i++) {
		char *name = last[i % LAST];
		size_t len;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		len = 8 + (random >> 8) % (BATCH_NAME_MAX - 7);
		memset(name, 'a' + (int)(random % 26), len);
		name[len] = 0;
		(void)snprintf(name, 8, "%07zu", i % 10000000);
		name[7] = 'x';
		last_x[i % LAST] = (unsigned)(random >> 20) % 50;
		assert_true(learn(last_x[i % LAST], name));
		if (i % 64 == 0 && i > LAST)
			for (size_t k = 0; k < LAST; k++)
				assert_true(knows(last_x[k], last[k]));
	}
	assert_int_equal(stats().known + stats().gave_way, 200000);
}

#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {WITH_TABLE(finds), WITH_TABLE(apart),
					   WITH_TABLE(gives_way), WITH_TABLE(one_address),
					   WITH_TABLE(against_a_list)};

	return cmocka_run_group_tests_name("names_table", tests, NULL, NULL);
}
