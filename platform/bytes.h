// SPDX-License-Identifier: Apache-2.0
/*
 * Bounded cursors over bytes: the only way bytes from outside are read and frames are written.
 *
 * The error is sticky: after the first access outside the bounds every further call does nothing
 * (reads give 0 or NULL), so a decoder is a straight list of reads and one check of `bad` at its
 * end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Big-endian loads and stores at any alignment; the caller owns the bounds. */
static inline uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t be64(const uint8_t *p)
{
	return (uint64_t)be32(p) << 32 | be32(p + 4);
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static inline void put_be64(uint8_t *p, uint64_t v)
{
	put_be32(p, (uint32_t)(v >> 32));
	put_be32(p + 4, (uint32_t)v);
}

/* Little-endian. */
static inline uint32_t le32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap32(v);
}

static inline void put_le32(void *p, uint32_t v)
{
	v = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap32(v);
	memcpy(p, &v, sizeof v);
}

static inline void put_le64(void *p, uint64_t v)
{
	v = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap64(v);
	memcpy(p, &v, sizeof v);
}

/* Read cursor. Borrows the bytes. */
struct rd {
	const uint8_t *p;
	const uint8_t *end;
	bool bad;
};

static inline struct rd rd_init(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	return (struct rd){.p = p, .end = p + len, .bad = false};
}

static inline size_t rd_left(const struct rd *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->p);
}

/* The next `n` bytes, or NULL (and `bad`) when fewer are left. The cursor moves past them. */
static inline const uint8_t *rd_take(struct rd *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->bad || (size_t)(r->end - p) < n) {
		r->bad = true;
		return NULL;
	}
	r->p = p + n;
	return p;
}

/* As rd_take, without moving. Does not set `bad`: "are there n bytes?" is a question, not a fault.
 */
static inline const uint8_t *rd_peek(const struct rd *r, size_t n)
{
	return rd_left(r) < n ? NULL : r->p;
}

static inline uint8_t rd_u8(struct rd *r)
{
	const uint8_t *p = rd_take(r, 1);

	return p ? p[0] : 0;
}

static inline uint32_t rd_u32be(struct rd *r)
{
	const uint8_t *p = rd_take(r, 4);

	return p ? be32(p) : 0;
}

static inline uint64_t rd_u64be(struct rd *r)
{
	const uint8_t *p = rd_take(r, 8);

	return p ? be64(p) : 0;
}

/* Copies `n` bytes out, or fills `out` with zeros when fewer are left. */
static inline void rd_copy(struct rd *r, void *out, size_t n)
{
	const uint8_t *p = rd_take(r, n);

	if (p)
		memcpy(out, p, n);
	else
		memset(out, 0, n);
}

/* Write cursor into the caller's buffer. */
struct wr {
	uint8_t *start;
	uint8_t *p;
	uint8_t *end;
	bool bad;
};

static inline struct wr wr_init(void *buffer, size_t cap)
{
	uint8_t *p = buffer;

	return (struct wr){.start = p, .p = p, .end = p + cap, .bad = false};
}

static inline size_t wr_len(const struct wr *w)
{
	return (size_t)(w->p - w->start);
}

/* Room for `n` bytes, or NULL (and `bad`). */
static inline uint8_t *wr_room(struct wr *w, size_t n)
{
	uint8_t *p = w->p;

	if (w->bad || (size_t)(w->end - p) < n) {
		w->bad = true;
		return NULL;
	}
	w->p = p + n;
	return p;
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
	uint8_t *p = wr_room(w, 1);

	if (p)
		p[0] = v;
}

static inline void wr_u32be(struct wr *w, uint32_t v)
{
	uint8_t *p = wr_room(w, 4);

	if (p)
		put_be32(p, v);
}

static inline void wr_u64be(struct wr *w, uint64_t v)
{
	uint8_t *p = wr_room(w, 8);

	if (p)
		put_be64(p, v);
}

static inline void wr_copy(struct wr *w, const void *bytes, size_t n)
{
	uint8_t *p = wr_room(w, n);

	if (p)
		memcpy(p, bytes, n);
}
