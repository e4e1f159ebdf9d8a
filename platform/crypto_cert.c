// SPDX-License-Identifier: Apache-2.0
/*
 * Makes keys and certificates: ECDSA P-256 with SHA-256, X.509 v3 (RFC 5280), PEM (RFC 7468).
 *
 * Leaves carry one extended key usage, server or client: the role is what the peers check.
 */
#include "platform/crypto.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "platform/crypto_issuer.h"
#include "platform/crypto_pem.h"
#include "platform/file.h"

enum { CERT_SERIAL_BYTES = 16, CERT_PEM_MAX = 2048, CERT_KEY_PEM_MAX = 512 };

/* SEQUENCE { OID }: id-kp-serverAuth, id-kp-clientAuth (RFC 5280, 4.2.1.12). */
static const uint8_t eku_server[] = {0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06,
				     0x01, 0x05, 0x05, 0x07, 0x03, 0x01};
static const uint8_t eku_client[] = {0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06,
				     0x01, 0x05, 0x05, 0x07, 0x03, 0x02};

static int cert_failed(struct err *err, const char *what, int rc)
{
	return err_set(err, ERR_TLS, "cannot make the certificate: %s failed (mbedTLS -0x%04x)",
		       what, (unsigned)-rc);
}

static bool name_ok(const struct crypto_cert_request *rq)
{
	char text[CRYPTO_NAME_MAX];
	size_t len = strlen(rq->name);

	if (len >= sizeof(text))
		return false;
	for (size_t i = 0; i <= len; i++)
		text[i] = rq->use == CRYPTO_CA && i > 0 && rq->name[i] == ' ' ? '_' : rq->name[i];
	return crypto_name_ok(text) && rq->name[len - 1] != ' ';
}

/* "YYYYMMDDhhmmss" UTC, as mbedTLS wants it. */
static bool date_text(char out[static 16], uint64_t unix_s)
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	return unix_s < 253402300800 /* the year 10000 */ && gmtime_r(&t, &tm) &&
	       strftime(out, 16, "%Y%m%d%H%M%S", &tm) == 14;
}

static int set_serial(mbedtls_x509write_cert *crt)
{
	uint8_t serial[CERT_SERIAL_BYTES];

	/* Positive, and 16 bytes long in DER: the first bit 0, the second 1. */
	crypto_random(serial, sizeof(serial));
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
#if MBEDTLS_VERSION_NUMBER < 0x03040000
	mbedtls_mpi n;
	int rc;

	mbedtls_mpi_init(&n);
	rc = mbedtls_mpi_read_binary(&n, serial, sizeof(serial));
	if (rc == 0)
		rc = mbedtls_x509write_crt_set_serial(crt, &n);
	mbedtls_mpi_free(&n);
	return rc;
#else
	return mbedtls_x509write_crt_set_serial_raw(crt, serial, sizeof(serial));
#endif
}

static int set_leaf_extensions(mbedtls_x509write_cert *crt, const struct crypto_cert_request *rq)
{
	const bool server = rq->use == CRYPTO_SERVER;
	uint8_t san[4 + CRYPTO_NAME_MAX] = {0x30, 0, 0x82, 0}; /* SEQUENCE { [2] dNSName } */
	size_t len = strlen(rq->name);
	int rc = mbedtls_x509write_crt_set_extension(
		crt, MBEDTLS_OID_EXTENDED_KEY_USAGE,
		MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE), 0,
		server ? eku_server : eku_client, sizeof(eku_server));

	if (rc != 0 || !server)
		return rc;
	san[1] = (uint8_t)(len + 2);
	san[3] = (uint8_t)len;
	memcpy(&san[4], rq->name, len);
	return mbedtls_x509write_crt_set_extension(crt, MBEDTLS_OID_SUBJECT_ALT_NAME,
						   MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME),
						   0, san, len + 4);
}

static int set_all(mbedtls_x509write_cert *crt, const struct crypto_cert_request *rq,
		   const char *issuer_name, const char *from, const char *to)
{
	const bool ca = rq->use == CRYPTO_CA;
	char subject[CRYPTO_NAME_MAX + 3];
	int rc;

	(void)snprintf(subject, sizeof(subject), "CN=%s", rq->name);
	mbedtls_x509write_crt_set_version(crt, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(crt, MBEDTLS_MD_SHA256);
	rc = mbedtls_x509write_crt_set_subject_name(crt, subject);
	if (rc == 0)
		rc = mbedtls_x509write_crt_set_issuer_name(crt,
							   issuer_name ? issuer_name : subject);
	if (rc == 0)
		rc = mbedtls_x509write_crt_set_validity(crt, from, to);
	if (rc == 0)
		rc = set_serial(crt);
	if (rc == 0)
		rc = mbedtls_x509write_crt_set_basic_constraints(crt, ca, ca ? 0 : -1);
	if (rc == 0)
		rc = mbedtls_x509write_crt_set_key_usage(
			crt, ca ? MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN
				: MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
	if (rc == 0 && !ca)
		rc = set_leaf_extensions(crt, rq);
	if (rc == 0)
		rc = mbedtls_x509write_crt_set_subject_key_identifier(crt);
	if (rc == 0)
		rc = mbedtls_x509write_crt_set_authority_key_identifier(crt);
	return rc;
}

/* What was made must verify against the issuer's file, whatever name or key that file holds. Dates
 * apart. */
static int check_made(const char *pem, mbedtls_x509_crt *issuer,
		      const struct crypto_cert_request *rq, struct err *err)
{
	const uint32_t dates = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE;
	mbedtls_x509_crt made;
	uint32_t flags = 0;
	int rc;

	mbedtls_x509_crt_init(&made);
	rc = mbedtls_x509_crt_parse(&made, (const unsigned char *)pem, strlen(pem) + 1);
	if (rc == 0)
		rc = mbedtls_x509_crt_verify(&made, issuer ? issuer : &made, NULL, NULL, &flags,
					     NULL, NULL);
	mbedtls_x509_crt_free(&made);
	if (rc == 0 || (rc == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED && (flags & ~dates) == 0))
		return 0;
	if (issuer && (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED))
		return err_set(err, ERR_FORMAT,
			       "%s cannot sign certificates: not a CA made by `pki init`",
			       rq->issuer_cert);
	return cert_failed(err, "its own check", rc);
}

static int make_pem(char pem[static CERT_PEM_MAX], char key_pem[static CERT_KEY_PEM_MAX],
		    mbedtls_pk_context *key, const struct crypto_cert_request *rq,
		    struct crypto_issuer *issuer, const char *from, const char *to, struct err *err)
{
	mbedtls_x509write_cert crt;
	int rc = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));

	if (rc == 0)
		rc = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key),
					 crypto_pem_random, NULL);
	if (rc == 0)
		rc = mbedtls_pk_write_key_pem(key, (unsigned char *)key_pem, CERT_KEY_PEM_MAX);
	if (rc != 0)
		return cert_failed(err, "making the key", rc);
	mbedtls_x509write_crt_init(&crt);
	mbedtls_x509write_crt_set_subject_key(&crt, key);
	mbedtls_x509write_crt_set_issuer_key(&crt, issuer ? &issuer->key : key);
	rc = set_all(&crt, rq, issuer ? issuer->name : NULL, from, to);
	if (rc == 0)
		rc = mbedtls_x509write_crt_pem(&crt, (unsigned char *)pem, CERT_PEM_MAX,
					       crypto_pem_random, NULL);
	mbedtls_x509write_crt_free(&crt);
	if (rc != 0)
		return cert_failed(err, "signing", rc);
	return check_made(pem, issuer ? &issuer->cert : NULL, rq, err);
}

/* Too large for the stack. */
struct making {
	struct crypto_issuer issuer;
	mbedtls_pk_context key;
	char key_pem[CERT_KEY_PEM_MAX];
	char pem[CERT_PEM_MAX];
};

static int write_files(const struct making *m, const struct crypto_cert_request *rq,
		       struct err *err)
{
	int rc = file_create(rq->key_file, m->key_pem, strlen(m->key_pem), 0600, err);

	if (rc != 0)
		return rc;
	rc = file_create(rq->cert_file, m->pem, strlen(m->pem), 0644, err);
	if (rc != 0)
		(void)unlink(rq->key_file); /* the file just made, nobody else's */
	return rc;
}

int crypto_cert_make(const struct crypto_cert_request *request, struct err *err)
{
	const bool self_signed = !request->issuer_cert;
	char from[16], to[16];
	struct making *m;
	int rc = 0;

	if (!name_ok(request))
		return err_set(err, ERR_USAGE,
			       "a certificate's name is 1 to 63 letters, digits, '.', '_' or '-', "
			       "beginning with a letter, a digit or '_'");
	if (request->not_after_s <= request->not_before_s ||
	    !date_text(from, request->not_before_s) || !date_text(to, request->not_after_s))
		return err_set(err, ERR_USAGE,
			       "a certificate must end after it begins, and before the year 10000");
	if (self_signed != !request->issuer_key || (self_signed && request->use != CRYPTO_CA))
		return err_set(err, -EINVAL, "a certificate needs the CA's certificate and key");
	m = calloc(1, sizeof(*m));
	if (!m)
		return err_set(err, -ENOMEM, "out of memory for a certificate");
	mbedtls_pk_init(&m->key);
	crypto_issuer_init(&m->issuer);
	if (!self_signed)
		rc = crypto_issuer_read(&m->issuer, request->issuer_cert, request->issuer_key, err);
	if (rc == 0)
		rc = make_pem(m->pem, m->key_pem, &m->key, request, self_signed ? NULL : &m->issuer,
			      from, to, err);
	if (rc == 0)
		rc = write_files(m, request, err);
	crypto_issuer_fini(&m->issuer);
	mbedtls_pk_free(&m->key);
	mbedtls_platform_zeroize(m, sizeof(*m));
	free(m);
	return rc;
}
