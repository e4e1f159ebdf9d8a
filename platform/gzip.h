// SPDX-License-Identifier: Apache-2.0
/*
 * gzip (RFC 1952) made piece by piece: one member whose pieces do not refer to one another, so that any number can be under way
 * at once with nothing held between pieces but this struct. ISA-L does the work where the build has it, else zlib; a build
 * may have neither.
 *
 * The same pieces give the same bytes with the same library: no time and no name are in the head.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct gzip {
	uint32_t crc;
	uint32_t size; /* of the input, modulo 2^32 */
};

enum {
	GZIP_HEAD = 10,
	GZIP_TAIL = 2 + 8,
	GZIP_PIECE_MAX = 1024 * 1024, /* bytes of a piece */
};

/* What a library must offer. */
struct gzip_backend {
	const char *name;
	uint32_t (*crc)(uint32_t crc, const void *bytes, size_t len);
	/* Deflate (RFC 1951) without an end, flushed to a whole byte. Returns the length, at most gzip_bound(len). 0: failed. */
	size_t (*deflate)(uint8_t *out, const void *bytes, size_t len);
};

extern const struct gzip_backend gzip_zlib;
extern const struct gzip_backend gzip_isal;

/* The faster one of this build; NULL if it has none. */
const struct gzip_backend *gzip_best(void);

/* Bytes that a piece of `len` can become. */
size_t gzip_bound(size_t len);

/* Each returns how much was written: GZIP_HEAD bytes; at most gzip_bound(len), 0 for want of memory; GZIP_TAIL bytes. */
size_t gzip_begin(struct gzip *gzip, uint8_t *out);
size_t gzip_add(struct gzip *gzip, const struct gzip_backend *by, uint8_t *out, const void *bytes,
		size_t len);
size_t gzip_end(const struct gzip *gzip, uint8_t *out);
