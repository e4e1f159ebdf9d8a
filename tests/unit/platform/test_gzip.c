// SPDX-License-Identifier: Apache-2.0
/*
 * gzip made in pieces: the head that RFC 1952 draws, the check sum of its polynomial computed bit by bit, and what zlib makes of it.
 */
#include "platform/gzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/gunzip.h"

enum { TEXT = 700 * 1000 };

static uint32_t crc32_of(const uint8_t *p, size_t n)
{
	uint32_t crc = ~0u;

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* A file of the text in pieces of `step` bytes. Its length. */
static size_t make(const struct gzip_backend *by, uint8_t *out, const uint8_t *text, size_t n,
		   size_t step)
{
	struct gzip gzip;
	size_t len = gzip_begin(&gzip, out), piece, got;

	for (size_t at = 0; at < n; at += piece) {
		piece = n - at < step ? n - at : step;
		got = gzip_add(&gzip, by, out + len, text + at, piece);
		assert_true(got > 0 && got <= gzip_bound(piece));
		len += got;
	}
	return len + gzip_end(&gzip, out + len);
}

static void check(const struct gzip_backend *by, const uint8_t *text, size_t n, size_t step)
{
	static const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
	size_t cap = GZIP_HEAD + (n / step + 1) * gzip_bound(step) + GZIP_TAIL, len;
	uint8_t *out = malloc(cap), *again = malloc(n + 1), *p = again;
	const uint8_t *in = out;
	struct gunzip *gunzip;
	struct err err;

	assert_true(out && again);
	len = make(by, out, text, n, step);
	assert_memory_equal(out, head, sizeof head);
	assert_int_equal(le32(out + len - 8), crc32_of(text, n));
	assert_int_equal(le32(out + len - 4), n);
	assert_int_equal(gunzip_new(&gunzip, &gunzip_zlib), 0);
	assert_int_equal(gunzip_step(gunzip, &in, out + len, &p, again + n + 1, &err), 0);
	assert_true(in == out + len);
	assert_int_equal(p - again, n);
	assert_memory_equal(again, text, n);
	assert_true(gunzip_is_whole(gunzip));
	assert_int_equal(gunzip_members(gunzip), 1);
	gunzip_free(gunzip);
	free(again);
	free(out);
}

static const struct gzip_backend *const backends[] = {
	&gzip_zlib,
#ifdef HAVE_ISAL
	&gzip_isal,
#endif
};
enum { BACKENDS = sizeof backends / sizeof backends[0] };

static void pieces_of_any_size_are_one_member(void **state)
{
	static const size_t steps[] = {1, 7, 1000, 65535, 65536, 262144, GZIP_PIECE_MAX};
	uint8_t *text = malloc(TEXT);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < TEXT; i++)
		text[i] = (uint8_t) "2 123456789012 eni-0 10.0.0.5 203.0.113.9 443 "[(i * i / 97) %
										     47];
	for (size_t b = 0; b < BACKENDS; b++)
		for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
			check(backends[b], text, steps[i] < 10 ? 2000 : TEXT, steps[i]);
	free(text);
}

/* What cannot be packed must fit the bound, too. */
static void noise_fits(void **state)
{
	uint8_t *text = malloc(TEXT);
	uint64_t x = 88172645463325252;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < TEXT; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		text[i] = (uint8_t)x;
	}
	for (size_t b = 0; b < BACKENDS; b++) {
		check(backends[b], text, TEXT, 262144);
		check(backends[b], text, 1, 1);
		check(backends[b], text, TEXT, 100);
	}
	free(text);
}

static void the_same_pieces_are_the_same_bytes(void **state)
{
	static uint8_t one[2048], two[2048];
	const uint8_t *text = (const uint8_t *)"again and again and again";

	(void)state;
	for (size_t b = 0; b < BACKENDS; b++) {
		size_t n = make(backends[b], one, text, 25, 5);

		assert_int_equal(make(backends[b], two, text, 25, 5), n);
		assert_memory_equal(one, two, n);
	}
}

static void nothing_is_a_file(void **state)
{
	(void)state;
	for (size_t b = 0; b < BACKENDS; b++)
		check(backends[b], (const uint8_t *)"", 0, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_of_any_size_are_one_member),
		cmocka_unit_test(noise_fits),
		cmocka_unit_test(the_same_pieces_are_the_same_bytes),
		cmocka_unit_test(nothing_is_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
