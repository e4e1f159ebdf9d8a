// SPDX-License-Identifier: Apache-2.0
/*
 * Signs and checks by mbedTLS 2.28 or 3. The certificates that are checked come from outside:
 * mbedTLS' parser takes them, and what it makes of them is asked for, nothing else.
 */
#include "platform/crypto_sign.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "platform/crypto_pem.h"

struct crypto_signer {
	mbedtls_x509_crt cert;
	mbedtls_pk_context key;
};

struct crypto_ca {
	mbedtls_x509_crt cert;
};

static bool is_p256(const mbedtls_pk_context *key)
{
	return mbedtls_pk_can_do(key, MBEDTLS_PK_ECDSA) && mbedtls_pk_get_bitlen(key) == 256;
}

/* Seconds since 1970 of a date of the Gregorian calendar, UTC. */
static int64_t unix_seconds(const mbedtls_x509_time *t)
{
	int64_t y = t->year - (t->mon <= 2), era = y / 400, of_era = y % 400;
	int64_t day = (153 * (t->mon + (t->mon > 2 ? -3 : 9)) + 2) / 5 + t->day - 1;
	int64_t days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + day - 719468;

	return ((days * 24 + t->hour) * 60 + t->min) * 60 + t->sec;
}

/* ---- signing ---- */

int crypto_signer_new(struct crypto_signer **ret, const char *cert_file, const char *key_file,
		      struct err *err)
{
	struct crypto_signer *s = calloc(1, sizeof *s);
	int rc;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory for a key");
	mbedtls_x509_crt_init(&s->cert);
	mbedtls_pk_init(&s->key);
	rc = crypto_pem_cert(&s->cert, cert_file, err);
	if (rc == 0)
		rc = crypto_pem_key(&s->key, key_file, err);
	if (rc == 0)
		rc = crypto_pem_pair(&s->cert, cert_file, &s->key, key_file, err);
	if (rc == 0 && !is_p256(&s->key))
		rc = err_set(err, ERR_TLS, "%s is not a key for ECDSA P-256", key_file);
	if (rc == 0 && s->cert.raw.len > CRYPTO_CERTIFICATE_MAX)
		rc = err_set(err, ERR_TLS, "%s: the certificate is longer than %d bytes", cert_file,
			     CRYPTO_CERTIFICATE_MAX);
	if (rc != 0)
		crypto_signer_free(s);
	else
		*ret = s;
	return rc;
}

void crypto_signer_free(struct crypto_signer *s)
{
	if (!s)
		return;
	mbedtls_pk_free(&s->key);
	mbedtls_x509_crt_free(&s->cert);
	free(s);
}

const uint8_t *crypto_signer_certificate(const struct crypto_signer *s, size_t *ret_len)
{
	*ret_len = s->cert.raw.len;
	return s->cert.raw.p;
}

uint64_t crypto_signer_ends_s(const struct crypto_signer *signer)
{
	int64_t end = unix_seconds(&signer->cert.valid_to);

	return end > 0 ? (uint64_t)end : 0;
}

size_t crypto_sign(struct crypto_signer *s, const uint8_t digest[static SHA256_BYTES],
		   uint8_t out[static CRYPTO_SIGNATURE_MAX])
{
	uint8_t signature[MBEDTLS_PK_SIGNATURE_MAX_SIZE]; /* mbedTLS wants room for any key's */
	size_t len = 0;
#if MBEDTLS_VERSION_NUMBER < 0x03000000
	int rc = mbedtls_pk_sign(&s->key, MBEDTLS_MD_SHA256, digest, SHA256_BYTES, signature, &len,
				 crypto_pem_random, NULL);
#else
	int rc = mbedtls_pk_sign(&s->key, MBEDTLS_MD_SHA256, digest, SHA256_BYTES, signature,
				 sizeof signature, &len, crypto_pem_random, NULL);
#endif
	if (rc != 0 || len > CRYPTO_SIGNATURE_MAX)
		abort();
	memcpy(out, signature, len);
	return len;
}

/* ---- checking ---- */

/* Parses one certificate; its caller frees it in any case. */
static bool parse(mbedtls_x509_crt *cert, const uint8_t *der, size_t len)
{
	mbedtls_x509_crt_init(cert);
	return len <= CRYPTO_CERTIFICATE_MAX && mbedtls_x509_crt_parse_der(cert, der, len) == 0 &&
	       cert->raw.len == len;
}

bool crypto_verify(const uint8_t *certificate, size_t certificate_len,
		   const uint8_t digest[static SHA256_BYTES], const uint8_t *signature,
		   size_t signature_len)
{
	mbedtls_x509_crt cert;
	bool ok = parse(&cert, certificate, certificate_len) && is_p256(&cert.pk) &&
		  mbedtls_pk_verify(&cert.pk, MBEDTLS_MD_SHA256, digest, SHA256_BYTES, signature,
				    signature_len) == 0;

	mbedtls_x509_crt_free(&cert);
	return ok;
}

int crypto_ca_new(struct crypto_ca **ret, const char *file, struct err *err)
{
	struct crypto_ca *ca = calloc(1, sizeof *ca);
	int rc;

	if (!ca)
		return err_set(err, -ENOMEM, "out of memory for a certificate");
	mbedtls_x509_crt_init(&ca->cert);
	rc = crypto_pem_cert(&ca->cert, file, err);
	if (rc != 0)
		crypto_ca_free(ca);
	else
		*ret = ca;
	return rc;
}

void crypto_ca_free(struct crypto_ca *ca)
{
	if (!ca)
		return;
	mbedtls_x509_crt_free(&ca->cert);
	free(ca);
}

static bool has_name(const mbedtls_x509_crt *cert, const char *name)
{
	const mbedtls_x509_name *found = NULL;

	for (const mbedtls_x509_name *n = &cert->subject; n; n = n->next) {
		if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &n->oid) != 0)
			continue;
		if (found)
			return false;
		found = n;
	}
	return found && found->val.len == strlen(name) &&
	       memcmp(found->val.p, name, found->val.len) == 0;
}

static bool has_use(const mbedtls_x509_crt *cert, enum crypto_use use)
{
	const char *oid = use == CRYPTO_SERVER ? MBEDTLS_OID_SERVER_AUTH : MBEDTLS_OID_CLIENT_AUTH;
#if MBEDTLS_VERSION_NUMBER < 0x03000000
	bool any = (cert->ext_types & MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE) != 0;
#else
	bool any = mbedtls_x509_crt_has_ext_type(cert, MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE) != 0;
#endif

	return any && mbedtls_x509_crt_check_extended_key_usage(cert, oid, strlen(oid)) == 0;
}

static const char *check(struct crypto_ca *ca, mbedtls_x509_crt *cert, enum crypto_use use,
			 const char *name, uint64_t at_s)
{
	const uint32_t dates = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE;
	int64_t at = at_s < INT64_MAX ? (int64_t)at_s : INT64_MAX;
	uint32_t flags = 0;
	int rc = mbedtls_x509_crt_verify(cert, &ca->cert, NULL, NULL, &flags, NULL, NULL);

	/* mbedTLS asks the clock of now; the dates are held against `at_s` below. */
	if (rc != 0 && (rc != MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || (flags & ~dates) != 0))
		return "it was not issued by this CA";
	if (!has_use(cert, use))
		return use == CRYPTO_SERVER ? "it is not a collector's" : "it is not a sensor's";
	if (name && !has_name(cert, name))
		return "it bears another name";
	if (at_s != UINT64_MAX && at < unix_seconds(&cert->valid_from))
		return "it was not valid yet";
	if (at_s != UINT64_MAX && at > unix_seconds(&cert->valid_to))
		return "it had expired";
	return NULL;
}

int crypto_ca_check(struct crypto_ca *ca, const uint8_t *certificate, size_t certificate_len,
		    enum crypto_use use, const char *name, uint64_t at_s, struct err *err)
{
	mbedtls_x509_crt cert;
	const char *wrong = parse(&cert, certificate, certificate_len)
				    ? check(ca, &cert, use, name, at_s)
				    : "it cannot be read";

	mbedtls_x509_crt_free(&cert);
	return wrong ? err_set(err, ERR_TLS, "certificate: %s", wrong) : 0;
}
