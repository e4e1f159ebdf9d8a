// SPDX-License-Identifier: Apache-2.0
/*
 * Certificates and keys from PEM files (RFC 7468), for the files that are mbedTLS' home. Errors name
 * the file: -errno, or ERR_TLS when its content is of another kind.
 */
#pragma once

#include <stddef.h>

#include "platform/err.h"

struct mbedtls_x509_crt;
struct mbedtls_pk_context;

#define CRYPTO_PEM_BUILT_IN "the CA that was built in"

/* Both are initialised by the caller, and freed by him on failure too. Without a `file` it is the
 * certificate that was built in (TLS_CA_FILE of Kconfig). */
int crypto_pem_cert(struct mbedtls_x509_crt *ret, const char *file, struct err *err);
/* A private key without a password. */
int crypto_pem_key(struct mbedtls_pk_context *ret, const char *file, struct err *err);
/* Is it the key of that certificate? The files' names are for the error. */
int crypto_pem_pair(struct mbedtls_x509_crt *cert, const char *cert_file,
		    struct mbedtls_pk_context *key, const char *key_file, struct err *err);

/* crypto_random() as mbedTLS wants it. */
int crypto_pem_random(void *ctx, unsigned char *out, size_t len);
