// SPDX-License-Identifier: Apache-2.0
/*
 * Certificates, read back and judged by the openssl command line tool, an implementation that
 * shares no code with ours.
 */
#include "platform/crypto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { T2026 = 1767225600, DAY = 86400 }; /* 2026-01-01T00:00:00Z */

static char folder[] = "/tmp/test_crypto_cert.XXXXXX";
static char output[16384];

/* Runs a shell command in the folder; its exit status. What it prints stands in `output`. */
static int __attribute__((format(printf, 1, 2))) sh(const char *fmt, ...)
{
	char command[512];
	size_t n;
	va_list ap;
	FILE *f;
	int at = snprintf(command, sizeof(command), "cd %s && exec 2>&1; ", folder), rc;

	va_start(ap, fmt);
	vsnprintf(&command[at], sizeof(command) - (size_t)at, fmt, ap);
	va_end(ap);
	f = popen(command, "r");
	assert_non_null(f);
	n = fread(output, 1, sizeof(output) - 1, f);
	output[n] = '\0';
	rc = pclose(f);
	return WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
}

static void has(const char *what)
{
	if (!strstr(output, what))
		fail_msg("no \"%s\" in: %s", what, output);
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return sh("rm -f *") != 0 || chdir("/") != 0 || rmdir(folder) != 0;
}

static const struct crypto_cert_request ca = {.name = "flowproof CA",
					      .use = CRYPTO_CA,
					      .not_before_s = T2026,
					      .not_after_s = T2026 + 3650L * DAY,
					      .cert_file = "ca.crt",
					      .key_file = "ca.key"};
static const struct crypto_cert_request server = {.name = "flowproof-collector",
						  .use = CRYPTO_SERVER,
						  .issuer_cert = "ca.crt",
						  .issuer_key = "ca.key",
						  .not_before_s = T2026,
						  .not_after_s = T2026 + 825L * DAY,
						  .cert_file = "s.crt",
						  .key_file = "s.key"};
static const struct crypto_cert_request client = {.name = "web-01.example_A9",
						  .use = CRYPTO_CLIENT,
						  .issuer_cert = "ca.crt",
						  .issuer_key = "ca.key",
						  .not_before_s = T2026,
						  .not_after_s =
							  4102444800, /* 2100: past UTCTime */
						  .cert_file = "c.crt",
						  .key_file = "c.key"};

static void make(const struct crypto_cert_request *rq)
{
	struct err err = {""};

	if (crypto_cert_make(rq, &err) != 0)
		fail_msg("%s", err.text);
}

static bool exists(const char *file)
{
	return access(file, F_OK) == 0;
}

static void test_ca(void **state)
{
	(void)state;
	make(&ca);
	assert_int_equal(sh("openssl verify -attime %d -CAfile ca.crt ca.crt", T2026 + DAY), 0);
	assert_int_equal(sh("openssl x509 -in ca.crt -noout -text"), 0);
	has("Version: 3 (0x2)");
	has("Issuer: CN = flowproof CA");
	has("Subject: CN = flowproof CA");
	has("Signature Algorithm: ecdsa-with-SHA256");
	has("NIST CURVE: P-256");
	has("Not Before: Jan  1 00:00:00 2026 GMT");
	has("Not After : Dec 30 00:00:00 2035 GMT"); /* date -ud '2026-01-01 +3650 days' */
	has("X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0");
	has("X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign");
	has("X509v3 Subject Key Identifier");
	assert_null(strstr(output, "Extended Key Usage"));
}

static void test_leaves(void **state)
{
	(void)state;
	make(&server);
	make(&client);
	assert_int_equal(sh("openssl x509 -in s.crt -noout -text"), 0);
	has("Subject: CN = flowproof-collector");
	has("Issuer: CN = flowproof CA");
	has("Not After : Apr  5 00:00:00 2028 GMT"); /* 825 days */
	has("CA:FALSE");
	has("X509v3 Key Usage: critical\n                Digital Signature\n");
	has("X509v3 Extended Key Usage: \n                TLS Web Server Authentication\n");
	has("X509v3 Subject Alternative Name: \n                DNS:flowproof-collector\n");
	assert_int_equal(sh("openssl x509 -in c.crt -noout -text"), 0);
	has("Subject: CN = web-01.example_A9");
	has("Not After : Jan  1 00:00:00 2100 GMT");
	has("X509v3 Extended Key Usage: \n                TLS Web Client Authentication\n");
	assert_null(strstr(output, "Alternative"));
}

/* openssl's purpose check: each leaf serves its one role, no other. */
static void test_roles(void **state)
{
	static const struct {
		const char *purpose, *file;
		bool ok;
	} rows[] = {{"sslserver", "s.crt", true},
		    {"sslclient", "s.crt", false},
		    {"sslclient", "c.crt", true},
		    {"sslserver", "c.crt", false}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = sh("openssl verify -x509_strict -attime %d -CAfile ca.crt -purpose %s %s",
			    T2026 + DAY, rows[i].purpose, rows[i].file);

		if ((rc == 0) != rows[i].ok)
			fail_msg("%s as %s: %s", rows[i].file, rows[i].purpose, output);
	}
	assert_int_equal(sh("openssl verify -attime %d -CAfile ca.crt -verify_hostname "
			    "flowproof-collector s.crt",
			    T2026 + DAY),
			 0);
	assert_int_not_equal(sh("openssl verify -attime %d -CAfile ca.crt s.crt", T2026 - 1), 0);
	has("not yet valid");
}

static void test_serials(void **state)
{
	char first[64];

	(void)state;
	assert_int_equal(sh("openssl x509 -in s.crt -noout -serial"), 0);
	/* "serial=" and 16 bytes in hex: the highest bit clear, the next set. */
	assert_int_equal(strlen(output), 7 + 32 + 1);
	assert_true(output[7] >= '4' && output[7] <= '7');
	memcpy(first, output, 7 + 32 + 2);
	assert_int_equal(sh("openssl x509 -in c.crt -noout -serial"), 0);
	assert_string_not_equal(first, output);
}

static void test_keys_and_modes(void **state)
{
	static const char *const names[] = {"ca", "s", "c"};
	struct stat st;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(sh("openssl pkey -in %s.key -check -noout", names[i]), 0);
		assert_int_equal(sh("test \"$(openssl pkey -in %s.key -pubout)\" = "
				    "\"$(openssl x509 -in %s.crt -noout -pubkey)\"",
				    names[i], names[i]),
				 0);
	}
	assert_int_equal(stat("ca.key", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat("c.crt", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
}

static void test_refusals(void **state)
{
	const struct {
		const char *name;
		enum crypto_use use;
		uint64_t from, to;
		const char *cert, *key; /* of the issuer */
		int rc;
		const char *says;
	} rows[] = {
		{"a b", CRYPTO_CLIENT, 1, 2, "ca.crt", "ca.key", ERR_USAGE, "name"},
		{"", CRYPTO_CLIENT, 1, 2, "ca.crt", "ca.key", ERR_USAGE, "name"},
		{"a,O=b", CRYPTO_CA, 1, 2, NULL, NULL, ERR_USAGE, "name"},
		{"CA ", CRYPTO_CA, 1, 2, NULL, NULL, ERR_USAGE, "name"},
		{"a", CRYPTO_CLIENT, 2, 2, "ca.crt", "ca.key", ERR_USAGE, "end after"},
		{"a", CRYPTO_CLIENT, 1, 253402300800, "ca.crt", "ca.key", ERR_USAGE, "10000"},
		{"a", CRYPTO_CLIENT, 1, 2, NULL, NULL, -EINVAL, "CA's"},
		{"a", CRYPTO_CLIENT, 1, 2, "none.crt", "ca.key", -ENOENT, "none.crt"},
		{"a", CRYPTO_CLIENT, 1, 2, "ca.key", "ca.key", ERR_TLS, "no certificate"},
		{"a", CRYPTO_CLIENT, 1, 2, "ca.crt", "ca.crt", ERR_TLS, "no private key"},
		{"a", CRYPTO_CLIENT, 1, 2, "ca.crt", "s.key", ERR_TLS, "is not the key of ca.crt"},
		{"a", CRYPTO_CLIENT, 1, 2, "s.crt", "s.key", ERR_FORMAT, "not a CA"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct crypto_cert_request rq = {.name = rows[i].name,
						       .use = rows[i].use,
						       .issuer_cert = rows[i].cert,
						       .issuer_key = rows[i].key,
						       .not_before_s = rows[i].from,
						       .not_after_s = rows[i].to,
						       .cert_file = "x.crt",
						       .key_file = "x.key"};
		struct err err = {""};
		int rc = crypto_cert_make(&rq, &err);

		if (rc != rows[i].rc || !strstr(err.text, rows[i].says))
			fail_msg("row %zu: %d, \"%s\"", i, rc, err.text);
		assert_false(exists("x.crt") || exists("x.key"));
	}
}

/* Neither file is overwritten, and the other is not left behind. */
static void test_existing_files_stay(void **state)
{
	struct crypto_cert_request rq = client;

	(void)state;
	rq.cert_file = "y.crt";
	rq.key_file = "y.key";
	assert_int_equal(sh("echo old >y.key"), 0);
	assert_int_equal(crypto_cert_make(&rq, NULL), ERR_EXISTS);
	assert_false(exists("y.crt"));
	assert_int_equal(sh("cat y.key && mv y.key y.crt"), 0);
	assert_string_equal(output, "old\n");
	assert_int_equal(crypto_cert_make(&rq, NULL), ERR_EXISTS);
	assert_false(exists("y.key"));
	assert_int_equal(sh("cat y.crt"), 0);
	assert_string_equal(output, "old\n");
}

/* A CA made elsewhere, its name in another string type and in several parts. */
static void test_ca_of_openssl(void **state)
{
	struct crypto_cert_request rq = client;

	(void)state;
	assert_int_equal(sh("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
			    "-keyout o.key -out o.crt -days 30 -subj '/C=DE/O=An Org/CN=Their CA'"),
			 0);
	rq.issuer_cert = "o.crt";
	rq.issuer_key = "o.key";
	rq.not_before_s = T2026 - DAY;
	rq.cert_file = "z.crt";
	rq.key_file = "z.key";
	make(&rq);
	assert_int_equal(sh("openssl verify -no_check_time -CAfile o.crt -purpose sslclient z.crt"),
			 0);
}

static void revoked(const char *cert, uint64_t now, int want, const char *says)
{
	const struct crypto_crl_request rq = {.issuer_cert = "ca.crt",
					      .issuer_key = "ca.key",
					      .cert_file = cert,
					      .crl_file = "revoked.crl",
					      .now_s = now};
	struct err err = {""};
	int rc = crypto_crl_revoke(&rq, &err);

	if (rc != want || !strstr(err.text, says))
		fail_msg("%d, \"%s\"", rc, err.text);
}

/* openssl reads the list, finds its signature good, and refuses who is on it. */
static void test_revocation(void **state)
{
	static const char verify[] = "openssl verify -attime %d -crl_check -CRLfile revoked.crl "
				     "-CAfile ca.crt %s";

	(void)state;
	revoked("c.crt", T2026 + DAY, 0, "");
	assert_int_equal(sh("openssl crl -in revoked.crl -CAfile ca.crt -noout -text"), 0);
	has("verify OK");
	has("Version 2 (0x1)");
	has("Issuer: CN = flowproof CA");
	has("Last Update: Jan  2 00:00:00 2026 GMT");
	has("Next Update: Dec 30 00:00:00 2035 GMT"); /* the CA's end */
	has("X509v3 CRL Number");
	assert_int_not_equal(sh(verify, T2026 + 2 * DAY, "c.crt"), 0);
	has("certificate revoked");
	assert_int_equal(sh(verify, T2026 + 2 * DAY, "s.crt"), 0);
	/* A second one, after 2050: both stand in the list, the first with its own date. */
	revoked("s.crt", 2524608000 /* 2050-01-01 */, 0, "");
	assert_int_not_equal(sh(verify, T2026 + 2 * DAY, "s.crt"), 0);
	assert_int_equal(sh("openssl crl -in revoked.crl -CAfile ca.crt -noout -text"), 0);
	has("verify OK");
	has("Revocation Date: Jan  2 00:00:00 2026 GMT");
	has("Revocation Date: Jan  1 00:00:00 2050 GMT");
	revoked("c.crt", T2026 + DAY, ERR_EXISTS, "c.crt was revoked already");
	revoked("none.crt", T2026, -ENOENT, "none.crt");
	assert_int_equal(sh("touch index && openssl ca -gencrl -crldays 9 -md sha256 -keyfile "
			    "o.key -cert o.crt -out "
			    "revoked.crl -config /dev/stdin <<'.'\n[ca]\ndefault_ca=d\n[d]\n"
			    "database=index\n.\n"),
			 0);
	revoked("c.crt", T2026, ERR_FORMAT, "revoked.crl: the list is another CA's");
	assert_int_equal(sh("cp ca.crt revoked.crl"), 0);
	revoked("c.crt", T2026, ERR_FORMAT, "revoked.crl: not a list of revoked certificates");
	assert_int_equal(sh("cmp ca.crt revoked.crl"), 0);
}

int main(void)
{
	/* In this order: the later ones use the files of the earlier ones. */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ca),
		cmocka_unit_test(test_leaves),
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_serials),
		cmocka_unit_test(test_keys_and_modes),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_existing_files_stay),
		cmocka_unit_test(test_ca_of_openssl),
		cmocka_unit_test(test_revocation),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
