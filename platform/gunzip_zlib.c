// SPDX-License-Identifier: Apache-2.0
/*
 * gzip by zlib.
 */
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "platform/gunzip.h"

enum { GZIP_WINDOW = 15 + 16 }; /* 32 KiB, with gzip's head and trailer */

static void *create(void)
{
	z_stream *z = calloc(1, sizeof *z);

	if (z && inflateInit2(z, GZIP_WINDOW) == Z_OK)
		return z;
	free(z);
	return NULL;
}

static void destroy(void *state)
{
	(void)inflateEnd(state);
	free(state);
}

static void reset(void *state)
{
	(void)inflateReset(state);
}

static uInt at_most(size_t n)
{
	return n > INT_MAX ? INT_MAX : (uInt)n;
}

static int step(void *state, const uint8_t **in, const uint8_t *in_end, uint8_t **out,
		uint8_t *out_end)
{
	z_stream *z = state;
	int rc;

	z->next_in = (z_const Bytef *)(uintptr_t)*in;
	z->avail_in = at_most((size_t)(in_end - *in));
	z->next_out = *out;
	z->avail_out = at_most((size_t)(out_end - *out));
	rc = inflate(z, Z_NO_FLUSH);
	*in = z->next_in;
	*out = z->next_out;
	if (rc == Z_STREAM_END)
		return GUNZIP_MEMBER;
	if (rc != Z_OK && rc != Z_BUF_ERROR)
		return ERR_FORMAT;
	return *out == out_end ? GUNZIP_ROOM : GUNZIP_MORE;
}

const struct gunzip_backend gunzip_zlib = {"zlib", create, destroy, reset, step};
