// SPDX-License-Identifier: Apache-2.0
/*
 * Digests against the examples of FIPS 180-4 (NIST, "SHA256.pdf") and of NIST's SHA-256 test
 * vectors (CAVP, SHA256ShortMsg.rsp); names; hex; random bytes.
 */
#include "platform/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *text;
	size_t repeat;
	const char *digest;
} vectors[] = {
	{"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{"\xd3", 1, "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"},
	{"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
	 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	{"a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
};

/* RFC 4231, test cases 1, 2, 3 and 6: a short key, one of text, bytes, and one that is longer than a block. */
static void test_hmac(void **state)
{
	static const struct {
		const char *key;
		size_t repeat;
		const char *bytes;
		size_t bytes_repeat;
		const char *mac;
	} cases[] = {
		{"\x0b", 20, "Hi There", 1,
		 "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{"Jefe", 1, "what do ya want for nothing?", 1,
		 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{"\xaa", 20, "\xdd", 50,
		 "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
		{"\xaa", 131, "Test Using Larger Than Block-Size Key - Hash Key First", 1,
		 "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	};
	char key[256], bytes[256], hex[SHA256_HEX];
	uint8_t mac[SHA256_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t key_len = 0, len = 0;

		for (size_t k = 0; k < cases[i].repeat; k++, key_len += strlen(cases[i].key))
			memcpy(&key[key_len], cases[i].key, strlen(cases[i].key));
		for (size_t k = 0; k < cases[i].bytes_repeat; k++, len += strlen(cases[i].bytes))
			memcpy(&bytes[len], cases[i].bytes, strlen(cases[i].bytes));
		crypto_hmac_sha256(mac, key, key_len, bytes, len);
		assert_string_equal(crypto_hex(hex, mac, sizeof mac), cases[i].mac);
	}
}

/* RFC 4648, section 10; and its last digits. */
static void test_base64(void **state)
{
	static const char *const cases[][2] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
		{"\xfb\xff\xbf", "+/+/"},
	};
	char out[CRYPTO_BASE64(6)];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(
			crypto_base64(out, (const uint8_t *)cases[i][0], strlen(cases[i][0])),
			cases[i][1]);
}

static void test_sha256(void **state)
{
	uint8_t digest[SHA256_BYTES];
	char hex[SHA256_HEX];

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		size_t len = strlen(vectors[i].text), all = len * vectors[i].repeat;
		char *bytes = malloc(all + 1);
		struct crypto_sha256 *running;

		assert_non_null(bytes);
		for (size_t n = 0; n < vectors[i].repeat; n++)
			memcpy(&bytes[n * len], vectors[i].text, len);
		crypto_sha256(digest, bytes, all);
		assert_string_equal(crypto_hex(hex, digest, sizeof(digest)), vectors[i].digest);
		/* The same in uneven pieces, empty ones among them. */
		running = crypto_sha256_new();
		assert_non_null(running);
		for (size_t at = 0, n = 0; at < all; at += n) {
			n = at % 131 < all - at ? at % 131 : all - at;
			crypto_sha256_add(running, &bytes[at], n);
			if (n == 0)
				crypto_sha256_add(running, &bytes[at], n = 1);
		}
		crypto_sha256_end(running, digest);
		assert_string_equal(crypto_hex(hex, digest, sizeof(digest)), vectors[i].digest);
		free(bytes);
	}
}

static void test_hex(void **state)
{
	const uint8_t bytes[] = {0x00, 0x01, 0x0f, 0x10, 0x9a, 0xff};
	char out[14];

	(void)state;
	memset(out, 'x', sizeof(out));
	assert_string_equal(crypto_hex(out, bytes, sizeof(bytes)), "00010f109aff");
	assert_int_equal(out[13], 'x');
	assert_string_equal(crypto_hex(out, bytes, 0), "");
}

static void test_random(void **state)
{
	enum { BIG = 100000 }; /* getrandom gives at most 256 bytes without interruption */
	uint8_t *a = calloc(1, BIG + 1), *b = calloc(1, BIG + 1);
	size_t seen[256] = {0};

	(void)state;
	assert_true(a && b);
	crypto_random(a, BIG);
	crypto_random(b, BIG);
	assert_memory_not_equal(a, b, 32);
	assert_memory_not_equal(&a[BIG - 32], &b[BIG - 32], 32); /* up to the end... */
	assert_int_equal(a[BIG], 0);                             /* and not beyond */
	/* Each byte value is due 390 times; none at all has a chance of 10^-169. */
	for (size_t i = 0; i < BIG; i++)
		seen[a[i]]++;
	for (size_t i = 0; i < 256; i++)
		assert_int_not_equal(seen[i], 0);
	crypto_random(b, 0);
	free(a);
	free(b);
}

static const struct {
	const char *name;
	bool ok;
} names[] = {
	{"a", true},
	{"web-01.example_A9", true},
	{"_a", true},
	{"0", true},
	{"012345678901234567890123456789012345678901234567890123456789012", true},   /* 63 */
	{"0123456789012345678901234567890123456789012345678901234567890123", false}, /* 64 */
	{"", false},
	{".", false},
	{"..", false},
	{".hidden", false},
	{"-d", false},
	{"a b", false},
	{"a/b", false},
	{"a\n", false},
	{"a,CN=b", false},
	{"\xc3\xa9", false},
};

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (crypto_name_ok(names[i].name) != names[i].ok)
			fail_msg("\"%s\": not %d", names[i].name, names[i].ok);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256), cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_base64), cmocka_unit_test(test_hex),
		cmocka_unit_test(test_random), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
