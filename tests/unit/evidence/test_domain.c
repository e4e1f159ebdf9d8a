// SPDX-License-Identifier: Apache-2.0
/*
 * Parent domains by the rules of their registries, and what looks encoded: base16, base32 and base64 of random bytes
 * against names that people gave.
 */
#include "evidence/domain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_parent(void **state)
{
	static const struct {
		const char *name, *parent; /* NULL: there is nothing below it */
	} rows[] = {
		{"www.example.com", "example.com"},
		{"a.b.c.example.com", "example.com"},
		{"example.com", NULL},
		{"com", NULL},
		{".", NULL},
		{"", NULL},
		{"www.example.co.uk", "example.co.uk"},
		{"example.co.uk", NULL},
		{"www.example.co.jp", "example.co.jp"},
		{"a.www.example.de", "example.de"},
		{"x.co.com", "co.com"},                       /* com is no country */
		{"data\\.more.evil.example", "evil.example"}, /* the dot is part of the label */
		{"\\000\\255.t.example", "t.example"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *got = domain_parent(rows[i].name);

		if (rows[i].parent)
			assert_string_equal(got, rows[i].parent);
		else
			assert_null(got);
	}
}

static void test_inner(void **state)
{
	(void)state;
	assert_true(domain_is_inner("ip-10-0-0-1.eu-west-1.compute.internal"));
	assert_true(domain_is_inner("8.8.8.8.in-addr.arpa"));
	assert_true(domain_is_inner("printer.local"));
	assert_false(domain_is_inner("internal.example.com"));
	assert_false(domain_is_inner("arpa.example"));
	assert_true(domain_is_inner("in-addr.arpa"));
	assert_true(domain_is_inner("b.1.0.2.ip6.arpa"));
	assert_false(domain_is_inner("64617461.8.8.8.in-addr.arpa"));
	assert_false(domain_is_inner("1.2.3.4.5.in-addr.arpa"));
	assert_false(domain_is_inner("ab.1.0.2.ip6.arpa"));
	assert_false(domain_is_inner("data.e164.arpa"));
	assert_false(domain_is_inner("arpa"));
}

static void test_providers(void **state)
{
	(void)state;
	assert_true(domain_is_providers(domain_parent("bucket.s3.eu-west-1.amazonaws.com")));
	assert_true(domain_is_providers(domain_parent("d111111abcdef8.cloudfront.net")));
	assert_true(domain_is_providers(domain_parent("ec2.cn-north-1.amazonaws.com.cn")));
	assert_false(domain_is_providers(domain_parent("x.notamazonaws.com")));
	assert_false(domain_is_providers(domain_parent("amazonaws.com.evil.example")));
}

static uint64_t random_word(uint64_t *state)
{
	*state = *state * 6364136223846793005U + 1442695040888963407U;
	return *state >> 33;
}

static void test_encoded(void **state)
{
	/* Alphabets of RFC 4648, as a resolver sees them: lower case. */
	static const char *const alphabets[] = {
		"0123456789abcdef",
		"abcdefghijklmnopqrstuvwxyz234567",
		"0123456789abcdefghijklmnopqrstuv",
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789-_",
		"abcdefghijklmnopqrstuvwxyz0123456789",
	};

	(void)state;
	for (size_t i = 0; i < sizeof alphabets / sizeof alphabets[0]; i++) {
		struct domain_letters letters = {0};
		uint64_t random = i + 1;
		char name[80];
		size_t longest;

		for (unsigned k = 0; k < 20; k++) {
			for (unsigned c = 0; c < 16; c++)
				name[c] = alphabets[i][random_word(&random) % strlen(alphabets[i])];
			memcpy(name + 16, ".evil.example", sizeof ".evil.example");
			assert_int_equal(domain_add(&letters, name, name + 17, &longest), 16);
			assert_int_equal(longest, 16);
		}
		assert_int_equal(letters.total, 320);
		assert_true(domain_looks_encoded(&letters));
	}
}

static void test_given_by_people(void **state)
{
	static const char *const names[] = {
		"www.example.com",
		"ssm.example.com",
		"ec2messages.example.com",
		"download.example.com",
		"security.debian.example.com",
		"mirror.example.com",
		"changelogs.example.com",
		"motd.example.com",
		"api.snapcraft.example.com",
		"logs.monitoring.example.com",
		"s3.dualstack.example.com",
		"archive.ubuntu.example.com",
		"ntp.pool.example.com",
		"mail.protection.example.com",
		"login.microsoft.example.com",
		"cdn.images.example.com",
		"static.assets.example.com",
		"registry.docker.example.com",
	};
	struct domain_letters letters = {0};
	size_t longest;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		(void)domain_add(&letters, names[i], domain_parent(names[i]), &longest);
	assert_true(letters.total > 100);
	assert_false(domain_looks_encoded(&letters));
}

/* Bytes that no host name has tell by themselves; a few letters tell nothing. */
static void test_raw_and_short(void **state)
{
	struct domain_letters letters = {0};
	const char *raw = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\255.t.example";
	size_t longest;

	(void)state;
	assert_int_equal(domain_add(&letters, raw, strstr(raw, "t.example"), &longest), 32);
	assert_int_equal(longest, 32);
	assert_true(domain_looks_encoded(&letters));
	letters = (struct domain_letters){0};
	raw = "0123.t.example";
	assert_int_equal(domain_add(&letters, raw, raw + 5, &longest), 4);
	assert_false(domain_looks_encoded(&letters));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parent),          cmocka_unit_test(test_inner),
		cmocka_unit_test(test_providers),       cmocka_unit_test(test_encoded),
		cmocka_unit_test(test_given_by_people), cmocka_unit_test(test_raw_and_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
