// SPDX-License-Identifier: Apache-2.0
/*
 * Mutual TLS: what all connections of a program share. Certificates, the key, suites and versions,
 * and the list of revoked certificates (RFC 5280 section 5).
 */
#include "platform/tls_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/oid.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <mbedtls/version.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#	include <psa/crypto.h>
#endif

#include "platform/crypto.h"
#include "platform/crypto_pem.h"

static const int tls_suites[] = {
#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
	MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
	MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
#endif
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	0};

/* ---- certificates ---- */

bool tls_cert_name(char out[static TLS_NAME_MAX], const mbedtls_x509_crt *crt)
{
	const mbedtls_x509_name *found = NULL;

	for (const mbedtls_x509_name *n = &crt->subject; n; n = n->next) {
		if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &n->oid) != 0)
			continue;
		if (found)
			return false;
		found = n;
	}
	if (!found || found->val.len >= TLS_NAME_MAX)
		return false;
	memcpy(out, found->val.p, found->val.len);
	out[found->val.len] = '\0';
	return strlen(out) == found->val.len && crypto_name_ok(out);
}

/* mbedTLS takes a certificate without extended key usage for any role. */
bool tls_cert_has_role(const mbedtls_x509_crt *crt, enum tls_role role)
{
	const char *oid = role == TLS_SERVER ? MBEDTLS_OID_SERVER_AUTH : MBEDTLS_OID_CLIENT_AUTH;
#if MBEDTLS_VERSION_NUMBER < 0x03000000
	bool has = (crt->ext_types & MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE) != 0;
#else
	bool has = mbedtls_x509_crt_has_ext_type(crt, MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE) != 0;
#endif

	return has && mbedtls_x509_crt_check_extended_key_usage(crt, oid, strlen(oid)) == 0;
}

/* Mistakes that every peer would refuse are told here, where the files can be named. */
static int check_own(struct tls_config *config, const char *ca_file, const char *cert_file,
		     const char *key_file, struct err *err)
{
	const uint32_t dates = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE;
	uint32_t flags = 0;
	int rc;

	rc = crypto_pem_pair(&config->own, cert_file, &config->key, key_file, err);
	if (rc != 0)
		return rc;
	rc = mbedtls_x509_crt_verify(&config->own, &config->ca, NULL, NULL, &flags, NULL, NULL);
	if (rc != 0 && (rc != MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || (flags & ~dates) != 0))
		return err_set(err, ERR_TLS, "%s was not signed by the CA in %s", cert_file,
			       ca_file);
	if (!tls_cert_name(config->name, &config->own))
		return err_set(err, ERR_TLS, "%s: no usable common name in it", cert_file);
	if (!tls_cert_has_role(&config->own, config->role))
		return err_set(err, ERR_TLS, "%s is not a %s's certificate", cert_file,
			       config->role == TLS_SERVER ? "collector" : "sensor");
	return 0;
}

static int set_up(struct tls_config *config)
{
	mbedtls_ssl_config *ssl = &config->ssl;
	int rc;

#if MBEDTLS_VERSION_NUMBER >= 0x03000000
	if (psa_crypto_init() != PSA_SUCCESS)
		return MBEDTLS_ERR_SSL_HW_ACCEL_FAILED;
#endif
	/* Suite B preset: P-256 and P-384, SHA-256 and SHA-384, ECDSA only, also in certificates.
	 */
	rc = mbedtls_ssl_config_defaults(
		ssl, config->role == TLS_SERVER ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
		MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_SUITEB);
	if (rc != 0)
		return rc;
#if MBEDTLS_VERSION_NUMBER < 0x03000000
	mbedtls_ssl_conf_min_version(ssl, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#else
	mbedtls_ssl_conf_min_tls_version(ssl, MBEDTLS_SSL_VERSION_TLS1_2);
#endif
#if defined(MBEDTLS_SSL_RENEGOTIATION)
	mbedtls_ssl_conf_renegotiation(ssl, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
#if defined(MBEDTLS_SSL_SESSION_TICKETS)
	if (config->role == TLS_CLIENT)
		mbedtls_ssl_conf_session_tickets(ssl, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
#endif
	mbedtls_ssl_conf_authmode(ssl, MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_ciphersuites(ssl, tls_suites);
	mbedtls_ssl_conf_rng(ssl, crypto_pem_random, NULL);
#ifdef MBEDTLS_X509_CRL_PARSE_C
	mbedtls_ssl_conf_ca_chain(ssl, &config->ca, &config->shared->revoked);
#else
	mbedtls_ssl_conf_ca_chain(ssl, &config->ca, NULL);
#endif
	return mbedtls_ssl_conf_own_cert(ssl, &config->own, &config->key);
}

int tls_config_new(struct tls_config **ret, enum tls_role role, const char *ca_file,
		   const char *cert_file, const char *key_file, struct err *err)
{
	struct tls_config *config = calloc(1, sizeof(*config));
	int rc;

	if (!config)
		return err_set(err, -ENOMEM, "out of memory for TLS");
	config->role = role;
	mbedtls_ssl_config_init(&config->ssl);
	mbedtls_x509_crt_init(&config->ca);
	mbedtls_x509_crt_init(&config->own);
	mbedtls_pk_init(&config->key);
	config->shared = calloc(1, sizeof(*config->shared));
	if (!config->shared) {
		rc = err_set(err, -ENOMEM, "out of memory for TLS");
		goto out;
	}
	rc = crypto_pem_cert(&config->ca, ca_file, err);
	if (rc == 0)
		rc = crypto_pem_cert(&config->own, cert_file, err);
	if (rc == 0)
		rc = crypto_pem_key(&config->key, key_file, err);
	if (rc == 0)
		rc = check_own(config, ca_file ? ca_file : CRYPTO_PEM_BUILT_IN, cert_file, key_file,
			       err);
	if (rc != 0)
		goto out;
	rc = set_up(config);
	if (rc != 0) {
		rc = err_set(err, ERR_TLS, "cannot set up TLS (mbedTLS -0x%04x)", (unsigned)-rc);
		goto out;
	}
	*ret = config;
	return 0;
out:
	tls_config_free(config);
	return rc;
}

void tls_config_free(struct tls_config *config)
{
	if (!config)
		return;
	while (config->shared && config->shared->closing)
		tls_free(config->shared->closing);
#ifdef MBEDTLS_X509_CRL_PARSE_C
	if (config->shared)
		mbedtls_x509_crl_free(&config->shared->revoked);
#endif
	free(config->shared);
	mbedtls_ssl_config_free(&config->ssl);
	mbedtls_pk_free(&config->key);
	mbedtls_x509_crt_free(&config->own);
	mbedtls_x509_crt_free(&config->ca);
	free(config);
}

const char *tls_config_name(const struct tls_config *config)
{
	return config->name;
}

#ifdef MBEDTLS_X509_CRL_PARSE_C
int tls_config_revoke(struct tls_config *config, const char *pem, const char *name, struct err *err)
{
	const uint32_t bad = MBEDTLS_X509_BADCRL_NOT_TRUSTED | MBEDTLS_X509_BADCRL_BAD_MD |
			     MBEDTLS_X509_BADCRL_BAD_PK | MBEDTLS_X509_BADCRL_BAD_KEY;
	mbedtls_x509_crl list;
	uint32_t flags = 0;
	int rc;

	mbedtls_x509_crl_init(&list);
	rc = mbedtls_x509_crl_parse(&list, (const unsigned char *)pem, strlen(pem) + 1);
	if (rc != 0) {
		rc = err_set(err, ERR_TLS, "%s: no list of revoked certificates in PEM form in it",
			     name);
		goto out;
	}
	/* A list of another issuer would be passed over in silence. Its signature is checked where a
	 * certificate is: our own serves. */
	if (list.issuer_raw.len == config->ca.subject_raw.len &&
	    memcmp(list.issuer_raw.p, config->ca.subject_raw.p, list.issuer_raw.len) == 0)
		(void)mbedtls_x509_crt_verify(&config->own, &config->ca, &list, NULL, &flags, NULL,
					      NULL);
	else
		flags = bad;
	if ((flags & bad) != 0) {
		rc = err_set(err, ERR_TLS,
			     "%s: the list of revoked certificates was not signed by our CA", name);
		goto out;
	}
	mbedtls_x509_crl_free(&config->shared->revoked);
	config->shared->revoked = list;
	return 0;
out:
	mbedtls_x509_crl_free(&list);
	return rc;
}
#endif
