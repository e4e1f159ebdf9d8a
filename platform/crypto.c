// SPDX-License-Identifier: Apache-2.0
/*
 * SHA-256 (FIPS 180-4, by mbedTLS) and HMAC, random bytes (getrandom(2)), hex, and the rule for names in
 * certificates.
 */
#include "platform/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <mbedtls/sha256.h>
#include <mbedtls/version.h>

#if MBEDTLS_VERSION_NUMBER < 0x03000000
#	define sha256_starts mbedtls_sha256_starts_ret
#	define sha256_update mbedtls_sha256_update_ret
#	define sha256_finish mbedtls_sha256_finish_ret
#else
#	if defined(MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG)
#		include <psa/crypto.h>
#	endif
#	define sha256_starts mbedtls_sha256_starts
#	define sha256_update mbedtls_sha256_update
#	define sha256_finish mbedtls_sha256_finish
#endif

struct crypto_sha256 {
	mbedtls_sha256_context ctx;
};

/* mbedTLS' digests fail only when a hardware engine does; a wrong digest must never go out. */
static void must(int rc)
{
	if (rc != 0)
		abort();
}

static void sha256_begin(struct crypto_sha256 *d)
{
	mbedtls_sha256_init(&d->ctx);
	must(sha256_starts(&d->ctx, 0));
}

static void sha256_end(struct crypto_sha256 *d, uint8_t out[static SHA256_BYTES])
{
	must(sha256_finish(&d->ctx, out));
	mbedtls_sha256_free(&d->ctx);
}

void crypto_sha256(uint8_t out[static SHA256_BYTES], const void *bytes, size_t len)
{
	struct crypto_sha256 d;

	sha256_begin(&d);
	crypto_sha256_add(&d, bytes, len);
	sha256_end(&d, out);
}

void crypto_sha256_two(uint8_t out[static SHA256_BYTES], const void *first, size_t first_len,
		       const void *second, size_t second_len)
{
	struct crypto_sha256 d;

	sha256_begin(&d);
	crypto_sha256_add(&d, first, first_len);
	crypto_sha256_add(&d, second, second_len);
	sha256_end(&d, out);
}

void crypto_hmac_sha256(uint8_t out[static SHA256_BYTES], const void *key, size_t key_len,
			const void *bytes, size_t len)
{
	enum { BLOCK = 64, INNER = 0x36, OUTER = 0x5c };
	uint8_t pad[BLOCK] = {0};

	if (key_len > BLOCK)
		crypto_sha256(pad, key, key_len);
	else if (key_len > 0)
		memcpy(pad, key, key_len);
	for (size_t i = 0; i < BLOCK; i++)
		pad[i] ^= INNER;
	crypto_sha256_two(out, pad, BLOCK, bytes, len);
	for (size_t i = 0; i < BLOCK; i++)
		pad[i] ^= INNER ^ OUTER;
	crypto_sha256_two(out, pad, BLOCK, out, SHA256_BYTES);
	explicit_bzero(pad, sizeof pad);
}

struct crypto_sha256 *crypto_sha256_new(void)
{
	struct crypto_sha256 *d = malloc(sizeof(*d));

	if (d)
		sha256_begin(d);
	return d;
}

void crypto_sha256_add(struct crypto_sha256 *ctx, const void *bytes, size_t len)
{
	if (len > 0)
		must(sha256_update(&ctx->ctx, bytes, len));
}

void crypto_sha256_peek(const struct crypto_sha256 *ctx, uint8_t out[static SHA256_BYTES])
{
	struct crypto_sha256 copy;

	mbedtls_sha256_init(&copy.ctx);
	mbedtls_sha256_clone(&copy.ctx, &ctx->ctx);
	sha256_end(&copy, out);
}

void crypto_sha256_end(struct crypto_sha256 *ctx, uint8_t out[static SHA256_BYTES])
{
	sha256_end(ctx, out);
	free(ctx);
}

const char *crypto_hex(char *out, const uint8_t *bytes, size_t len)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digit[bytes[i] >> 4];
		out[2 * i + 1] = digit[bytes[i] & 15];
	}
	out[2 * len] = '\0';
	return out;
}

const char *crypto_base64(char *out, const uint8_t *bytes, size_t len)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)bytes[i] << 16;

		v |= i + 1 < len ? (uint32_t)bytes[i + 1] << 8 : 0;
		v |= i + 2 < len ? bytes[i + 2] : 0;
		out[n++] = digit[v >> 18];
		out[n++] = digit[v >> 12 & 63];
		out[n++] = i + 1 < len ? digit[v >> 6 & 63] : '=';
		out[n++] = i + 2 < len ? digit[v & 63] : '=';
	}
	out[n] = '\0';
	return out;
}

/* Kernels before 3.17 have no getrandom(2). The descriptor stays open: after the sandbox was entered
 * none can be opened. */
static ssize_t random_of_device(void *out, size_t len)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -1 : read(fd, out, len);
}

void crypto_random(void *out, size_t len)
{
	uint8_t *p = out;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = getrandom(&p[done], len - done, 0);
		if (n < 0 && errno == ENOSYS)
			n = random_of_device(&p[done], len - done);
		if (n > 0) {
			done += (size_t)n;
		} else if (errno != EINTR) {
			/* Keys and nonces from anything less would look like working. */
			fputs("no random bytes: this kernel has no getrandom(2), and there is no "
			      "/dev/urandom\n",
			      stderr);
			abort();
		}
	}
}

#if defined(MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG)
/* mbedTLS' only source (platform/mbedtls_config.h). */
psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
					     uint8_t *output, size_t output_size,
					     size_t *output_length)
{
	(void)context;
	crypto_random(output, output_size);
	*output_length = output_size;
	return PSA_SUCCESS;
}
#endif

bool crypto_name_ok(const char *name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strspn(name, allowed);

	return len >= 1 && len < CRYPTO_NAME_MAX && name[len] == '\0' && name[0] != '.' &&
	       name[0] != '-';
}
