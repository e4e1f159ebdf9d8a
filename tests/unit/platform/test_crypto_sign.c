// SPDX-License-Identifier: Apache-2.0
/*
 * Signatures against openssl both ways: what we sign it verifies, what it signs we verify. Keys and
 * certificates for the cases are made by openssl or by crypto_cert, whichever can make the wrong
 * one that is wanted.
 */
#include "platform/crypto_sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/file.h"

enum { T2026 = 1767225600, DAY = 86400 }; /* 2026-01-01T00:00:00Z */

static char folder[] = "/tmp/test_crypto_sign.XXXXXX";

static int sh(const char *command)
{
	char line[512];

	snprintf(line, sizeof line, "cd %s && (%s) >out 2>&1", folder, command);
	return system(line);
}

static void make(const char *name, enum crypto_use use, const char *issuer)
{
	char cert[80], key[80], issuer_cert[80], issuer_key[80];
	struct crypto_cert_request rq = {.name = name,
					 .use = use,
					 .not_before_s = T2026,
					 .not_after_s = T2026 + 100L * DAY,
					 .cert_file = cert,
					 .key_file = key};
	struct err err = {""};

	snprintf(cert, sizeof cert, "%s.crt", name);
	snprintf(key, sizeof key, "%s.key", name);
	snprintf(issuer_cert, sizeof issuer_cert, "%s.crt", issuer ? issuer : "");
	snprintf(issuer_key, sizeof issuer_key, "%s.key", issuer ? issuer : "");
	rq.issuer_cert = issuer ? issuer_cert : NULL;
	rq.issuer_key = issuer ? issuer_key : NULL;
	if (crypto_cert_make(&rq, &err) != 0)
		fail_msg("%s", err.text);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder) || chdir(folder) != 0)
		return -1;
	make("ca", CRYPTO_CA, NULL);
	make("other", CRYPTO_CA, NULL);
	make("sensor", CRYPTO_CLIENT, "ca");
	make("collector", CRYPTO_SERVER, "ca");
	make("stranger", CRYPTO_CLIENT, "other");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return sh("rm -f *") != 0 || chdir("/") != 0 || rmdir(folder) != 0;
}

static struct crypto_signer *signer_of(const char *name)
{
	char cert[80], key[80];
	struct crypto_signer *s;
	struct err err = {""};

	snprintf(cert, sizeof cert, "%s.crt", name);
	snprintf(key, sizeof key, "%s.key", name);
	if (crypto_signer_new(&s, cert, key, &err) != 0)
		fail_msg("%s", err.text);
	return s;
}

static const char text[] = "what the sensor saw";

static void digest_of_text(uint8_t out[static SHA256_BYTES])
{
	crypto_sha256(out, text, strlen(text));
}

/* openssl signs and verifies texts, not digests: it makes the digest itself. */
static void test_openssl_verifies(void **state)
{
	struct crypto_signer *s = signer_of("sensor");
	uint8_t digest[SHA256_BYTES], signature[CRYPTO_SIGNATURE_MAX];
	size_t len;

	(void)state;
	digest_of_text(digest);
	len = crypto_sign(s, digest, signature);
	assert_in_range(len, 8, CRYPTO_SIGNATURE_MAX);
	assert_int_equal(file_create("text", text, strlen(text), 0600, NULL), 0);
	assert_int_equal(file_create("sig", signature, len, 0600, NULL), 0);
	assert_int_equal(sh("openssl x509 -in sensor.crt -noout -pubkey > pub"), 0);
	assert_int_equal(sh("openssl dgst -sha256 -verify pub -signature sig text"), 0);
	assert_int_not_equal(sh("openssl dgst -sha256 -verify pub -signature sig pub"), 0);
	crypto_signer_free(s);
}

static void test_openssl_signs(void **state)
{
	struct crypto_signer *s = signer_of("sensor"), *other = signer_of("stranger");
	uint8_t digest[SHA256_BYTES];
	const uint8_t *cert, *other_cert;
	size_t cert_len, other_len, len;
	char *signature;

	(void)state;
	digest_of_text(digest);
	(void)file_create("text", text, strlen(text), 0600, NULL); /* the one of the test before */
	assert_int_equal(sh("openssl dgst -sha256 -sign sensor.key -out theirs text"), 0);
	assert_int_equal(file_read_all("theirs", 1000, &signature, &len, NULL), 0);
	cert = crypto_signer_certificate(s, &cert_len);
	other_cert = crypto_signer_certificate(other, &other_len);
	assert_true(crypto_verify(cert, cert_len, digest, (uint8_t *)signature, len));
	assert_false(crypto_verify(other_cert, other_len, digest, (uint8_t *)signature, len));
	/* Nothing that is not the whole of it passes. */
	for (size_t i = 0; i < len; i++) {
		signature[i] ^= 1;
		assert_false(crypto_verify(cert, cert_len, digest, (uint8_t *)signature, len));
		signature[i] ^= 1;
		assert_false(crypto_verify(cert, cert_len, digest, (uint8_t *)signature, i));
	}
	digest[31] ^= 1;
	assert_false(crypto_verify(cert, cert_len, digest, (uint8_t *)signature, len));
	free(signature);
	crypto_signer_free(s);
	crypto_signer_free(other);
}

static void test_the_certificate_is_der(void **state)
{
	struct crypto_signer *s = signer_of("sensor");
	const uint8_t *cert;
	size_t cert_len, len;
	char *der;

	(void)state;
	assert_int_equal(sh("openssl x509 -in sensor.crt -outform DER -out der"), 0);
	assert_int_equal(file_read_all("der", 4096, &der, &len, NULL), 0);
	cert = crypto_signer_certificate(s, &cert_len);
	assert_int_equal(cert_len, len);
	assert_memory_equal(cert, der, len);
	free(der);
	crypto_signer_free(s);
}

static void test_keys_that_cannot_sign(void **state)
{
	struct crypto_signer *s;
	struct err err = {""};

	(void)state;
	assert_int_equal(sh("openssl ecparam -name secp384r1 -genkey -noout -out p384.key && "
			    "openssl req -x509 -new -key p384.key -subj /CN=x -out p384.crt"),
			 0);
	assert_int_equal(crypto_signer_new(&s, "p384.crt", "p384.key", &err), ERR_TLS);
	assert_non_null(strstr(err.text, "p384.key is not a key for ECDSA P-256"));
	assert_int_equal(crypto_signer_new(&s, "sensor.crt", "collector.key", &err), ERR_TLS);
	assert_non_null(strstr(err.text, "collector.key is not the key of sensor.crt"));
}

static void test_issued_by_the_ca(void **state)
{
	const struct {
		const char *of;
		enum crypto_use use;
		const char *name;
		uint64_t at_s;
		const char *wrong;
	} rows[] = {
		{"sensor", CRYPTO_CLIENT, "sensor", T2026, NULL},
		{"sensor", CRYPTO_CLIENT, "sensor", T2026 + 100L * DAY, NULL},
		{"sensor", CRYPTO_CLIENT, NULL, UINT64_MAX, NULL},
		{"collector", CRYPTO_SERVER, "collector", T2026 + DAY, NULL},
		{"sensor", CRYPTO_CLIENT, "sensor", T2026 - 1, "not valid yet"},
		{"sensor", CRYPTO_CLIENT, "sensor", T2026 + 100L * DAY + 1, "expired"},
		{"sensor", CRYPTO_CLIENT, "senso", T2026, "another name"},
		{"sensor", CRYPTO_CLIENT, "sensor2", T2026, "another name"},
		{"sensor", CRYPTO_SERVER, "sensor", T2026, "not a collector's"},
		{"collector", CRYPTO_CLIENT, "collector", T2026, "not a sensor's"},
		{"stranger", CRYPTO_CLIENT, "stranger", T2026, "not issued by this CA"},
	};
	struct crypto_ca *ca;

	(void)state;
	assert_int_equal(crypto_ca_new(&ca, "ca.crt", NULL), 0);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct crypto_signer *s = signer_of(rows[i].of);
		struct err err = {""};
		size_t len;
		const uint8_t *cert = crypto_signer_certificate(s, &len);
		int rc = crypto_ca_check(ca, cert, len, rows[i].use, rows[i].name, rows[i].at_s,
					 &err);

		if (rows[i].wrong ? rc != ERR_TLS || !strstr(err.text, rows[i].wrong) : rc != 0)
			fail_msg("row %zu: %d, \"%s\"", i, rc, err.text);
		assert_int_equal(crypto_ca_check(ca, cert, len - 1, rows[i].use, rows[i].name,
						 rows[i].at_s, &err),
				 ERR_TLS);
		crypto_signer_free(s);
	}
	crypto_ca_free(ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_openssl_verifies),
		cmocka_unit_test(test_openssl_signs),
		cmocka_unit_test(test_the_certificate_is_der),
		cmocka_unit_test(test_keys_that_cannot_sign),
		cmocka_unit_test(test_issued_by_the_ca),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
