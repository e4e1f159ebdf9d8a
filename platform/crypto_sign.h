// SPDX-License-Identifier: Apache-2.0
/*
 * Signatures that outlive a connection: ECDSA over P-256 (FIPS 186-4) of a SHA-256 digest, DER
 * (RFC 3279, 2.2.3). One costs 1.6 ms on a PC (mbedTLS 2.28) and up to 30 ms on a small ARM; checking one
 * the double.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/crypto.h"
#include "platform/err.h"

enum {
	CRYPTO_SIGNATURE_MAX = 72,        /* bytes; at least 8 */
	CRYPTO_CERTIFICATE_MAX = 4 * 1024 /* bytes of DER that are looked at */
};

/* ---- signing ---- */

struct crypto_signer;

/* Reads a certificate and its P-256 key from PEM files; the error names the file and what is wrong
 * with it (ERR_TLS, -errno). After it no file is opened any more. */
int crypto_signer_new(struct crypto_signer **ret, const char *cert_file, const char *key_file,
		      struct err *err);
void crypto_signer_free(struct crypto_signer *signer);
/* The certificate as DER; it belongs to the signer. */
const uint8_t *crypto_signer_certificate(const struct crypto_signer *signer, size_t *ret_len);

/* The certificate's last second, Unix seconds. */
uint64_t crypto_signer_ends_s(const struct crypto_signer *signer);

/* Signs; returns the length. Allocates what it frees before it returns. Aborts when mbedTLS fails
 * (no memory): a signature that is missing would look like a forger's work. */
size_t crypto_sign(struct crypto_signer *signer, const uint8_t digest[static SHA256_BYTES],
		   uint8_t out[static CRYPTO_SIGNATURE_MAX]);

/* ---- checking ---- */

/* Was the digest signed by the key of this certificate (DER)? Says nothing of who issued it. */
bool crypto_verify(const uint8_t *certificate, size_t certificate_len,
		   const uint8_t digest[static SHA256_BYTES], const uint8_t *signature,
		   size_t signature_len);

struct crypto_ca;

/* The CA's certificate, PEM. */
int crypto_ca_new(struct crypto_ca **ret, const char *file, struct err *err);
void crypto_ca_free(struct crypto_ca *ca);
/* Did the CA issue this certificate (DER), for this use (CRYPTO_SERVER: a collector, CRYPTO_CLIENT:
 * a sensor) and this name, and does `at_s` (Unix seconds) lie within its dates? 0, or ERR_TLS and
 * the first thing that does not hold. NULL for `name`: any; UINT64_MAX for `at_s`: dates are not
 * asked for. */
int crypto_ca_check(struct crypto_ca *ca, const uint8_t *certificate, size_t certificate_len,
		    enum crypto_use use, const char *name, uint64_t at_s, struct err *err);
