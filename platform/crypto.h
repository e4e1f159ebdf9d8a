// SPDX-License-Identifier: Apache-2.0
/*
 * Digests, random bytes, keys and certificates. Home of mbedTLS' cryptography.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/err.h"

enum { SHA256_BYTES = 32, SHA256_HEX = 65 };

/* SHA-256 (FIPS 180-4). */
void crypto_sha256(uint8_t out[static SHA256_BYTES], const void *bytes, size_t len);

/* Of two pieces, one after the other. */
void crypto_sha256_two(uint8_t out[static SHA256_BYTES], const void *first, size_t first_len,
		       const void *second, size_t second_len);

struct crypto_sha256; /* running digest, for long input */
struct crypto_sha256 *crypto_sha256_new(void);
void crypto_sha256_add(struct crypto_sha256 *ctx, const void *bytes, size_t len);
/* The digest of what was added so far; more may follow. */
void crypto_sha256_peek(const struct crypto_sha256 *ctx, uint8_t out[static SHA256_BYTES]);
/* Gives the digest and frees ctx. */
void crypto_sha256_end(struct crypto_sha256 *ctx, uint8_t out[static SHA256_BYTES]);

/* HMAC-SHA-256 (RFC 2104). What it makes of the key is wiped. */
void crypto_hmac_sha256(uint8_t out[static SHA256_BYTES], const void *key, size_t key_len,
			const void *bytes, size_t len);

enum { MD5_BYTES = 16 };

/* MD5 (RFC 1321), for protocols that check a transfer by it (Content-MD5, ETag); it protects nothing. */
void crypto_md5(uint8_t out[static MD5_BYTES], const void *bytes, size_t len);

/* Base64 (RFC 4648, section 4) with NUL into `out` (CRYPTO_BASE64(len) bytes); returns `out`. */
#define CRYPTO_BASE64(len) (((len) + 2) / 3 * 4 + 1)
const char *crypto_base64(char *out, const uint8_t *bytes, size_t len);

/* Lower-case hex of `len` bytes with NUL into `out` (2 * len + 1 bytes); returns `out`. */
const char *crypto_hex(char *out, const uint8_t *bytes, size_t len);

/* Bytes from getrandom(2), or /dev/urandom where the kernel is older than 3.17. Waits for the kernel's
 * pool at early boot (from 3.17 on); without any source it says so and aborts. */
void crypto_random(void *out, size_t len);

/* Names in certificates become folder names: 1 to 63 bytes of [A-Za-z0-9._-], the first neither '.'
 * nor '-'. */
enum { CRYPTO_NAME_MAX = 64 }; /* with its NUL */
bool crypto_name_ok(const char *name);

/* Certificates: ECDSA P-256 keys, X.509 v3 (RFC 5280), PEM. */
enum crypto_use { CRYPTO_CA, CRYPTO_SERVER, CRYPTO_CLIENT };

struct crypto_cert_request {
	const char *name; /* common name: crypto_name_ok(); a CRYPTO_CA's may hold blanks inside */
	enum crypto_use use;     /* key usage and extended key usage follow from it */
	const char *issuer_cert; /* PEM files of the CA; NULL for a self-signed CRYPTO_CA */
	const char *issuer_key;  /* NULL for a self-signed CRYPTO_CA */
	uint64_t not_before_s;   /* Unix seconds */
	uint64_t not_after_s;
	const char *cert_file; /* written, mode 0644; must not exist: ERR_EXISTS */
	const char *key_file;  /* written, mode 0600; must not exist: ERR_EXISTS */
};

/* Makes a key and its certificate. ERR_USAGE: name or dates that must be mended. ERR_TLS: an issuer's
 * file that is none; ERR_FORMAT: an issuer that is no CA. On failure neither file is left behind. */
int crypto_cert_make(const struct crypto_cert_request *request, struct err *err);

/* A list of revoked certificates (CRL, RFC 5280 section 5), PEM. */
struct crypto_crl_request {
	const char *issuer_cert; /* PEM files of the CA */
	const char *issuer_key;
	const char *cert_file; /* the certificate to revoke */
	const char *crl_file;  /* made, or replaced by itself and one entry more */
	uint64_t now_s;        /* Unix seconds */
};

/* ERR_EXISTS when it is on the list already, ERR_FORMAT with the name of a file that is not what it
 * should be. */
int crypto_crl_revoke(const struct crypto_crl_request *request, struct err *err);
