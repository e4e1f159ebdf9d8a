// SPDX-License-Identifier: Apache-2.0
/*
 * Who signs certificates and lists of revoked ones: the CA's certificate and key. For the files of
 * platform/crypto only, since it shows mbedTLS.
 */
#pragma once

#include <stddef.h>

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "platform/err.h"

struct crypto_issuer {
	mbedtls_x509_crt cert;
	mbedtls_pk_context key;
	char name[256]; /* "CN=..." */
};

void crypto_issuer_init(struct crypto_issuer *issuer);
void crypto_issuer_fini(struct crypto_issuer *issuer);

/* Reads the PEM files. ERR_TLS with the file's name when one is not what it should be, or the key is
 * not that of the certificate. */
int crypto_issuer_read(struct crypto_issuer *issuer, const char *cert_file, const char *key_file,
		       struct err *err);
