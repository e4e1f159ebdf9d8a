// SPDX-License-Identifier: Apache-2.0
/*
 * Thrift's compact protocol, written (thrift-compact-protocol.md of Apache Thrift): as much of it as Parquet's metadata needs.
 *
 * Errors stick: after one nothing is written any more, and thrift_end() tells.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/buffer.h"

enum thrift_type {
	THRIFT_I32 = 5,
	THRIFT_I64 = 6,
	THRIFT_BINARY = 8,
	THRIFT_LIST = 9,
	THRIFT_STRUCT = 12
};

enum { THRIFT_DEPTH = 8 };

struct thrift {
	struct buffer *out;
	int rc;
	unsigned depth;
	int16_t last[THRIFT_DEPTH]; /* field that was written last, by depth */
};

/* A struct that is nobody's field: the first one, or a list's. */
void thrift_begin(struct thrift *t);
void thrift_end(struct thrift *t);

/* Fields, in ascending order of their ids within a struct. */
void thrift_i32(struct thrift *t, int16_t id, int32_t value);
void thrift_i64(struct thrift *t, int16_t id, int64_t value);
void thrift_binary(struct thrift *t, int16_t id, const void *bytes, size_t len);
void thrift_text(struct thrift *t, int16_t id, const char *text);
void thrift_struct(struct thrift *t, int16_t id); /* to be ended */
void thrift_list(struct thrift *t, int16_t id, enum thrift_type of, size_t n);
/* Elements of a list. */
void thrift_item_i32(struct thrift *t, int32_t value);
void thrift_item_text(struct thrift *t, const char *text);
/* What was encoded before, as it is. */
void thrift_raw(struct thrift *t, const void *bytes, size_t len);
