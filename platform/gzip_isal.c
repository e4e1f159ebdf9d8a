// SPDX-License-Identifier: Apache-2.0
/*
 * gzip made by Intel's ISA-L.
 */
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <limits.h>
#include <stdlib.h>

#include "platform/gzip.h"

static uint32_t crc(uint32_t crc, const void *bytes, size_t len)
{
	return crc32_gzip_refl(crc, bytes, len);
}

static size_t pack(uint8_t *out, const void *bytes, size_t len)
{
	struct isal_zstream *z = malloc(sizeof *z);
	uint8_t *level = malloc(ISAL_DEF_LVL1_DEFAULT);
	size_t n = 0;

	if (z && level && len <= INT_MAX / 2) {
		isal_deflate_stateless_init(z);
		z->level = 1;
		z->level_buf = level;
		z->level_buf_size = ISAL_DEF_LVL1_DEFAULT;
		z->flush = FULL_FLUSH;
		z->end_of_stream = 0;
		z->next_in = (uint8_t *)(uintptr_t)bytes;
		z->avail_in = (uint32_t)len;
		z->next_out = out;
		z->avail_out = (uint32_t)gzip_bound(len);
		if (isal_deflate_stateless(z) == COMP_OK && z->avail_in == 0)
			n = z->total_out;
	}
	free(level);
	free(z);
	return n;
}

const struct gzip_backend gzip_isal = {"ISA-L", crc, pack};
