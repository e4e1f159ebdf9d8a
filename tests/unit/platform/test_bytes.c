// SPDX-License-Identifier: Apache-2.0
/*
 * Bounded cursors: every edge is 0 bytes, the last byte, and one past it.
 */
#include "platform/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint8_t bytes[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe};

static void test_loads_and_stores(void **state)
{
	uint8_t out[8];

	(void)state;
	assert_int_equal(be16(bytes + 7), 0xeffe);
	assert_int_equal(be32(bytes + 5), 0xabcdeffe);
	assert_true(be64(bytes) == 0x0123456789abcdef);
	assert_true(be64(bytes + 1) == 0x23456789abcdeffe);
	put_be32(out, 0x89abcdef);
	assert_memory_equal(out, bytes + 4, 4);
	put_be64(out, 0x0123456789abcdef);
	assert_memory_equal(out, bytes, 8);
}

/* One row a function: what it takes, and what it gives from `bytes`. */
static uint64_t read_with(struct rd *r, size_t size)
{
	return size == 1 ? rd_u8(r) : size == 4 ? rd_u32be(r) : rd_u64be(r);
}

static void test_read_edges(void **state)
{
	static const struct {
		size_t size;
		uint64_t value;
	} rows[] = {{1, 0x01}, {4, 0x01234567}, {8, 0x0123456789abcdef}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct rd exact = rd_init(bytes, rows[i].size),
			  one_less = rd_init(bytes, rows[i].size - 1), none = rd_init(bytes, 0);

		assert_true(read_with(&exact, rows[i].size) == rows[i].value);
		assert_false(exact.bad);
		assert_int_equal(rd_left(&exact), 0);
		assert_true(read_with(&exact, rows[i].size) == 0);
		assert_true(exact.bad);
		assert_true(read_with(&one_less, rows[i].size) == 0);
		assert_true(one_less.bad);
		assert_true(read_with(&none, rows[i].size) == 0);
		assert_true(none.bad);
	}
}

static void test_read_error_is_sticky(void **state)
{
	struct rd r = rd_init(bytes, 4);

	(void)state;
	assert_null(rd_take(&r, 5));
	assert_true(r.bad);
	assert_int_equal(rd_left(&r), 0);
	assert_int_equal(rd_u8(&r), 0);
	assert_null(rd_take(&r, 0));
	assert_null(rd_peek(&r, 1));
}

static void test_take_and_peek(void **state)
{
	struct rd r = rd_init(bytes, sizeof bytes), empty = rd_init(bytes, 0);

	(void)state;
	assert_ptr_equal(rd_peek(&r, sizeof bytes), bytes);
	assert_null(rd_peek(&r, sizeof bytes + 1));
	assert_false(r.bad); /* a question is no fault */
	assert_ptr_equal(rd_take(&r, 0), bytes);
	assert_ptr_equal(rd_take(&r, 8), bytes);
	assert_int_equal(rd_left(&r), 1);
	assert_ptr_equal(rd_peek(&r, 1), bytes + 8);
	assert_ptr_equal(rd_take(&r, 1), bytes + 8);
	assert_ptr_equal(rd_take(&r, 0), bytes + sizeof bytes); /* nothing, at the end, is there */
	assert_false(r.bad);
	assert_null(rd_take(&r, SIZE_MAX));
	assert_true(r.bad);
	assert_non_null(rd_take(&empty, 0));
	assert_false(empty.bad);
}

static void test_copy_out(void **state)
{
	uint8_t out[4] = {9, 9, 9, 9};
	static const uint8_t zeros[4];
	struct rd r = rd_init(bytes, 4);

	(void)state;
	rd_copy(&r, out, 4);
	assert_memory_equal(out, bytes, 4);
	rd_copy(&r, out, 1);
	assert_true(r.bad);
	assert_int_equal(out[0], 0);
	assert_memory_equal(out + 1, bytes + 1, 3);
	rd_copy(&r, out, 4);
	assert_memory_equal(out, zeros, 4);
}

static void write_with(struct wr *w, size_t size)
{
	if (size == 1)
		wr_u8(w, 0x01);
	else if (size == 4)
		wr_u32be(w, 0x01234567);
	else
		wr_u64be(w, 0x0123456789abcdef);
}

static void test_write_edges(void **state)
{
	static const size_t sizes[] = {1, 4, 8};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		uint8_t out[9] = {0}, before[9];
		struct wr exact = wr_init(out, sizes[i]), one_less;

		write_with(&exact, sizes[i]);
		assert_false(exact.bad);
		assert_int_equal(wr_len(&exact), sizes[i]);
		assert_memory_equal(out, bytes, sizes[i]);
		assert_int_equal(out[sizes[i]], 0);
		write_with(&exact, sizes[i]);
		assert_true(exact.bad);
		assert_int_equal(wr_len(&exact), sizes[i]);
		assert_int_equal(out[sizes[i]], 0);

		memset(out, 0xee, sizeof out);
		memcpy(before, out, sizeof out);
		one_less = wr_init(out, sizes[i] - 1);
		write_with(&one_less, sizes[i]);
		assert_true(one_less.bad);
		assert_int_equal(wr_len(&one_less), 0);
		assert_memory_equal(out, before, sizeof out);
	}
}

static void test_write_copy(void **state)
{
	uint8_t out[4] = {0};
	struct wr w = wr_init(out, sizeof out);

	(void)state;
	wr_copy(&w, bytes, 0);
	assert_int_equal(wr_len(&w), 0);
	wr_copy(&w, bytes, 4);
	assert_memory_equal(out, bytes, 4);
	wr_copy(&w, bytes, 0);
	assert_false(w.bad);
	wr_copy(&w, bytes + 4, 1);
	assert_true(w.bad);
	assert_memory_equal(out, bytes, 4);
	w = wr_init(out, sizeof out);
	wr_copy(&w, bytes, 5);
	assert_true(w.bad);
	wr_u8(&w, 1); /* there is room, but the error is sticky */
	assert_int_equal(wr_len(&w), 0);
	assert_null(wr_room(&w, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads_and_stores),
		cmocka_unit_test(test_read_edges),
		cmocka_unit_test(test_read_error_is_sticky),
		cmocka_unit_test(test_take_and_peek),
		cmocka_unit_test(test_copy_out),
		cmocka_unit_test(test_write_edges),
		cmocka_unit_test(test_write_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
