// SPDX-License-Identifier: Apache-2.0
/*
 * See gzip.h.
 */
#include "platform/gzip.h"

#include <string.h>

const struct gzip_backend *gzip_best(void)
{
#if defined(HAVE_ISAL)
	return &gzip_isal;
#elif defined(HAVE_ZLIB)
	return &gzip_zlib;
#else
	return NULL;
#endif
}

size_t gzip_bound(size_t len)
{
	return len + len / 128 + 512;
}

static void put_le32(uint8_t *out, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(value >> 8 * i);
}

size_t gzip_begin(struct gzip *gzip, uint8_t *out)
{
	/* Deflate; no flags, no time, no hint; unknown system. */
	static const uint8_t head[GZIP_HEAD] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};

	*gzip = (struct gzip){.crc = 0};
	memcpy(out, head, sizeof head);
	return sizeof head;
}

size_t gzip_add(struct gzip *gzip, const struct gzip_backend *by, uint8_t *out, const void *bytes,
		size_t len)
{
	gzip->crc = by->crc(gzip->crc, bytes, len);
	gzip->size += (uint32_t)len;
	return by->deflate(out, bytes, len);
}

size_t gzip_end(const struct gzip *gzip, uint8_t *out)
{
	/* An empty last block with fixed codes: 1, 01, 0000000 and padding. */
	out[0] = 0x03;
	out[1] = 0x00;
	put_le32(out + 2, gzip->crc);
	put_le32(out + 6, gzip->size);
	return GZIP_TAIL;
}
