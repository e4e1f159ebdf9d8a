// SPDX-License-Identifier: Apache-2.0
/*
 * See thrift.h.
 */
#include "evidence/thrift.h"

enum { STOP = 0, VARINT_MAX = 10 };

void thrift_raw(struct thrift *t, const void *bytes, size_t len)
{
	if (t->rc == 0)
		t->rc = buffer_reserve(t->out, len);
	if (t->rc == 0 && len > 0)
		buffer_put(t->out, bytes, len);
}

static void put_byte(struct thrift *t, uint8_t byte)
{
	thrift_raw(t, &byte, 1);
}

static void put_varint(struct thrift *t, uint64_t value)
{
	uint8_t bytes[VARINT_MAX];
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		bytes[n++] = (uint8_t)(value | 0x80);
	bytes[n++] = (uint8_t)value;
	thrift_raw(t, bytes, n);
}

static void put_zigzag(struct thrift *t, int64_t value)
{
	put_varint(t, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

static void put_head(struct thrift *t, int16_t id, enum thrift_type type)
{
	int delta = id - t->last[t->depth];

	if (delta > 0 && delta <= 15) {
		put_byte(t, (uint8_t)(delta << 4 | (int)type));
	} else {
		put_byte(t, (uint8_t)type);
		put_zigzag(t, id);
	}
	t->last[t->depth] = id;
}

void thrift_begin(struct thrift *t)
{
	if (t->depth + 1 < THRIFT_DEPTH)
		t->last[++t->depth] = 0;
	else
		t->rc = -EINVAL;
}

void thrift_end(struct thrift *t)
{
	put_byte(t, STOP);
	if (t->depth > 0)
		t->depth--;
}

void thrift_i32(struct thrift *t, int16_t id, int32_t value)
{
	put_head(t, id, THRIFT_I32);
	put_zigzag(t, value);
}

void thrift_i64(struct thrift *t, int16_t id, int64_t value)
{
	put_head(t, id, THRIFT_I64);
	put_zigzag(t, value);
}

void thrift_binary(struct thrift *t, int16_t id, const void *bytes, size_t len)
{
	put_head(t, id, THRIFT_BINARY);
	put_varint(t, len);
	thrift_raw(t, bytes, len);
}

void thrift_text(struct thrift *t, int16_t id, const char *text)
{
	thrift_binary(t, id, text, strlen(text));
}

void thrift_struct(struct thrift *t, int16_t id)
{
	put_head(t, id, THRIFT_STRUCT);
	thrift_begin(t);
}

void thrift_list(struct thrift *t, int16_t id, enum thrift_type of, size_t n)
{
	put_head(t, id, THRIFT_LIST);
	put_byte(t, (uint8_t)((n < 15 ? n : 15) << 4 | (unsigned)of));
	if (n >= 15)
		put_varint(t, n);
}

void thrift_item_i32(struct thrift *t, int32_t value)
{
	put_zigzag(t, value);
}

void thrift_item_text(struct thrift *t, const char *text)
{
	put_varint(t, strlen(text));
	thrift_raw(t, text, strlen(text));
}
