// SPDX-License-Identifier: Apache-2.0
/*
 * The CA's files. See crypto_issuer.h.
 */
#include "platform/crypto_issuer.h"

#include "platform/crypto_pem.h"

void crypto_issuer_init(struct crypto_issuer *issuer)
{
	mbedtls_x509_crt_init(&issuer->cert);
	mbedtls_pk_init(&issuer->key);
}

void crypto_issuer_fini(struct crypto_issuer *issuer)
{
	mbedtls_pk_free(&issuer->key);
	mbedtls_x509_crt_free(&issuer->cert);
}

int crypto_issuer_read(struct crypto_issuer *issuer, const char *cert_file, const char *key_file,
		       struct err *err)
{
	int rc = crypto_pem_cert(&issuer->cert, cert_file, err);

	if (rc == 0)
		rc = crypto_pem_key(&issuer->key, key_file, err);
	if (rc == 0)
		rc = crypto_pem_pair(&issuer->cert, cert_file, &issuer->key, key_file, err);
	if (rc != 0)
		return rc;
	if (mbedtls_x509_dn_gets(issuer->name, sizeof(issuer->name), &issuer->cert.subject) < 0)
		return err_set(err, ERR_FORMAT, "%s: its name is too long", cert_file);
	return 0;
}
