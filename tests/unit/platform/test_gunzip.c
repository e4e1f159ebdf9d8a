// SPDX-License-Identifier: Apache-2.0
/*
 * gzip, member after member, in portions of every size. The bytes are those that RFC 1952 gives for stored blocks; check sums from its
 * polynomial, computed here bit by bit.
 */
#include "platform/gunzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { FILE_MAX = 4096 };

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

static size_t put32(uint8_t *out, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(v >> 8 * i);
	return 4;
}

/* A member with one stored block. */
static size_t put_member(uint8_t *out, const char *text)
{
	static const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
	size_t n = strlen(text), len = sizeof head;

	memcpy(out, head, len);
	out[len++] = 1; /* last block, stored */
	out[len++] = (uint8_t)n;
	out[len++] = (uint8_t)(n >> 8);
	out[len++] = (uint8_t)~n;
	out[len++] = (uint8_t)(~n >> 8);
	memcpy(out + len, text, n);
	len += n;
	len += put32(out + len, crc32_of((const uint8_t *)text, n));
	return len + put32(out + len, (uint32_t)n);
}

/* Unpacks in portions of `in_step` and `out_step` bytes; the result of the last step. */
static int unpack(struct gunzip *g, const uint8_t *file, size_t n, size_t in_step, size_t out_step,
		  char *out, size_t *ret_len)
{
	const uint8_t *p = file;
	struct err err;
	size_t len = 0;
	int rc = 0;

	gunzip_reset(g);
	for (int idle = 0; rc == 0 && idle < 2;) {
		const uint8_t *end = p + in_step < file + n ? p + in_step : file + n, *before = p;
		uint8_t *o = (uint8_t *)out + len, *start = o;

		rc = gunzip_step(g, &p, end, &o, o + out_step, &err);
		len += (size_t)(o - start);
		idle = p == before && o == start ? idle + 1 : 0;
	}
	out[len] = '\0';
	*ret_len = len;
	return rc;
}

static const struct gunzip_backend *const backends[] = {
	&gunzip_zlib,
#ifdef HAVE_ISAL
	&gunzip_isal,
#endif
};

static void with_each(void (*fn)(struct gunzip *))
{
	for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
		struct gunzip *g;

		assert_int_equal(gunzip_new(&g, backends[i]), 0);
		fn(g);
		gunzip_free(g);
	}
}

static void members(struct gunzip *g)
{
	uint8_t file[FILE_MAX];
	char out[FILE_MAX];
	size_t n = put_member(file, "first, "), len;

	n += put_member(file + n, "");
	n += put_member(file + n, "second");
	memset(file + n, 0, 9);
	for (size_t in = 1; in < 60; in += 7) {
		for (size_t room = 1; room < 40; room += 5) {
			assert_int_equal(unpack(g, file, n + 9, in, room, out, &len), 0);
			assert_string_equal(out, "first, second");
			assert_true(gunzip_is_whole(g));
			assert_int_equal(gunzip_members(g), 3);
		}
	}
}

static void cut(struct gunzip *g)
{
	uint8_t file[FILE_MAX];
	char out[FILE_MAX];
	size_t n = put_member(file, "twelve bytes"), len;

	for (size_t short_by = 1; short_by < n; short_by++) {
		assert_int_equal(unpack(g, file, n - short_by, 16, 16, out, &len), 0);
		assert_false(gunzip_is_whole(g));
		assert_memory_equal(out, "twelve bytes", len);
	}
}

static void damaged(struct gunzip *g)
{
	uint8_t file[FILE_MAX];
	char out[FILE_MAX];
	size_t n = put_member(file, "some text"), len;

	file[n - 8] ^= 1; /* the check sum */
	assert_int_equal(unpack(g, file, n, 100, 100, out, &len), ERR_FORMAT);
	file[n - 8] ^= 1;
	memcpy(file + n, "no gzip at all", 14);
	assert_int_equal(unpack(g, file, n + 14, 100, 100, out, &len), ERR_FORMAT);
	assert_string_equal(out, "some text");
	memcpy(file + n, "\0\0\0x", 4); /* padding, then something */
	assert_int_equal(unpack(g, file, n + 4, 100, 100, out, &len), ERR_FORMAT);
}

static void test_members(void **state)
{
	(void)state;
	with_each(members);
}

static void test_cut(void **state)
{
	(void)state;
	with_each(cut);
}

static void test_damaged(void **state)
{
	(void)state;
	with_each(damaged);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
