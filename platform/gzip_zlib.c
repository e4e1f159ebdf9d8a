// SPDX-License-Identifier: Apache-2.0
/*
 * gzip made by zlib.
 */
#include <limits.h>
#include <zlib.h>

#include "platform/gzip.h"

enum { LEVEL = 1, MEMORY = 8 };

static uint32_t crc(uint32_t crc, const void *bytes, size_t len)
{
	return (uint32_t)crc32_z(crc, bytes, len);
}

static size_t pack(uint8_t *out, const void *bytes, size_t len)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes,
		      .avail_in = (uInt)len,
		      .next_out = out,
		      .avail_out = (uInt)gzip_bound(len)};
	int rc;

	if (len > INT_MAX / 2 ||
	    deflateInit2(&z, LEVEL, Z_DEFLATED, -MAX_WBITS, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
		return 0;
	rc = deflate(&z, Z_FULL_FLUSH);
	(void)deflateEnd(&z);
	return rc == Z_OK && z.avail_in == 0 && z.avail_out > 0 ? (size_t)z.total_out : 0;
}

const struct gzip_backend gzip_zlib = {"zlib", crc, pack};
