// SPDX-License-Identifier: Apache-2.0
/*
 * MD5, by mbedTLS: a file of its own, since the static library has none.
 */
#include "platform/crypto.h"

#include <stdlib.h>

#include <mbedtls/md5.h>
#include <mbedtls/version.h>

#if MBEDTLS_VERSION_NUMBER < 0x03000000
#	define md5_of mbedtls_md5_ret
#else
#	define md5_of mbedtls_md5
#endif

void crypto_md5(uint8_t out[static MD5_BYTES], const void *bytes, size_t len)
{
	if (md5_of(bytes, len, out) != 0)
		abort();
}
