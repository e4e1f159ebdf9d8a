// SPDX-License-Identifier: Apache-2.0
/*
 * Signatures for tests that make thousands and whose subject they are not: linked in place of
 * platform/crypto_sign. A signature is SHA-256 over (certificate, digest); the CA issued everything.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/crypto_sign.h"

struct crypto_signer {
	uint8_t certificate[64];
};

struct crypto_ca {
	int unused;
};

int crypto_signer_new(struct crypto_signer **ret, const char *cert_file, const char *key_file,
		      struct err *err)
{
	(void)key_file;
	*ret = calloc(1, sizeof **ret);
	if (!*ret)
		return err_set(err, -ENOMEM, "no memory");
	(void)snprintf((char *)(*ret)->certificate, sizeof(*ret)->certificate, "%s", cert_file);
	return 0;
}

void crypto_signer_free(struct crypto_signer *signer)
{
	free(signer);
}

const uint8_t *crypto_signer_certificate(const struct crypto_signer *signer, size_t *ret_len)
{
	*ret_len = sizeof signer->certificate;
	return signer->certificate;
}

static void sign(const uint8_t *certificate, const uint8_t *digest, uint8_t *out)
{
	uint8_t both[64 + SHA256_BYTES];

	memcpy(both, certificate, 64);
	memcpy(both + 64, digest, SHA256_BYTES);
	crypto_sha256(out, both, sizeof both);
}

size_t crypto_sign(struct crypto_signer *signer, const uint8_t digest[static SHA256_BYTES],
		   uint8_t out[static CRYPTO_SIGNATURE_MAX])
{
	sign(signer->certificate, digest, out);
	return SHA256_BYTES;
}

bool crypto_verify(const uint8_t *certificate, size_t certificate_len,
		   const uint8_t digest[static SHA256_BYTES], const uint8_t *signature,
		   size_t signature_len)
{
	uint8_t expected[SHA256_BYTES];

	if (certificate_len != 64 || signature_len != SHA256_BYTES)
		return false;
	sign(certificate, digest, expected);
	return memcmp(signature, expected, SHA256_BYTES) == 0;
}

int crypto_ca_new(struct crypto_ca **ret, const char *file, struct err *err)
{
	(void)file;
	*ret = calloc(1, sizeof **ret);
	return *ret ? 0 : err_set(err, -ENOMEM, "no memory");
}

void crypto_ca_free(struct crypto_ca *ca)
{
	free(ca);
}

int crypto_ca_check(struct crypto_ca *ca, const uint8_t *certificate, size_t certificate_len,
		    enum crypto_use use, const char *name, uint64_t at_s, struct err *err)
{
	(void)ca, (void)certificate, (void)use, (void)name, (void)at_s;
	return certificate_len == 64 ? 0 : err_set(err, ERR_TLS, "no certificate");
}
