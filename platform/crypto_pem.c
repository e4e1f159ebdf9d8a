// SPDX-License-Identifier: Apache-2.0
/*
 * Certificates and keys from PEM files, by mbedTLS 2.28 or 3.
 */
#include "platform/crypto_pem.h"

#include <stdlib.h>

#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "platform/ca_text.h"
#include "platform/crypto.h"
#include "platform/file.h"

enum { PEM_FILE_MAX = 64 * 1024 };

int crypto_pem_random(void *ctx, unsigned char *out, size_t len)
{
	(void)ctx;
	crypto_random(out, len);
	return 0;
}

int crypto_pem_cert(struct mbedtls_x509_crt *ret, const char *file, struct err *err)
{
	char *pem = NULL;
	size_t len = sizeof ca_text - 1;
	int rc = file ? file_read_all(file, PEM_FILE_MAX, &pem, &len, err) : 0;

	if (rc != 0)
		return rc;
	rc = mbedtls_x509_crt_parse(ret, (const unsigned char *)(pem ? pem : ca_text), len + 1);
	free(pem);
	if (rc != 0)
		return err_set(err, ERR_TLS, "%s: no certificate in PEM form in it",
			       file ? file : CRYPTO_PEM_BUILT_IN);
	return 0;
}

int crypto_pem_key(struct mbedtls_pk_context *ret, const char *file, struct err *err)
{
	char *pem;
	size_t len;
	int rc = file_read_all(file, PEM_FILE_MAX, &pem, &len, err);

	if (rc != 0)
		return rc;
#if MBEDTLS_VERSION_NUMBER < 0x03000000
	rc = mbedtls_pk_parse_key(ret, (const unsigned char *)pem, len + 1, NULL, 0);
#else
	rc = mbedtls_pk_parse_key(ret, (const unsigned char *)pem, len + 1, NULL, 0,
				  crypto_pem_random, NULL);
#endif
	mbedtls_platform_zeroize(pem, len);
	free(pem);
	if (rc != 0)
		return err_set(err, ERR_TLS, "%s: no private key in PEM form in it", file);
	return 0;
}

int crypto_pem_pair(struct mbedtls_x509_crt *cert, const char *cert_file,
		    struct mbedtls_pk_context *key, const char *key_file, struct err *err)
{
#if MBEDTLS_VERSION_NUMBER < 0x03000000
	int rc = mbedtls_pk_check_pair(&cert->pk, key);
#else
	int rc = mbedtls_pk_check_pair(&cert->pk, key, crypto_pem_random, NULL);
#endif
	if (rc != 0)
		return err_set(err, ERR_TLS, "%s is not the key of %s", key_file, cert_file);
	return 0;
}
