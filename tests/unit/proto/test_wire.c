// SPDX-License-Identifier: Apache-2.0
/*
 * Frames in any portions, and the small messages; what is refused and why.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/bytes.h"
#include "proto/wire.h"

/* ---- frames ---- */

/* What the cutter gave: of each frame type, length, first and last byte. */
struct seen {
	size_t n, stop_after; /* 0: never */
	enum wire_type type[8];
	size_t len[8];
	uint8_t first[8], last[8];
};

static bool see(void *ctx, enum wire_type type, const uint8_t *message, size_t len)
{
	struct seen *seen = ctx;

	assert_in_range(seen->n, 0, 7);
	seen->type[seen->n] = type;
	seen->len[seen->n] = len;
	seen->first[seen->n] = len ? message[0] : 0;
	seen->last[seen->n] = len ? message[len - 1] : 0;
	seen->n++;
	return seen->n != seen->stop_after;
}

/* Three frames: "abc", nothing, and 3000 bytes that end in 'z'. */
static size_t three_frames(uint8_t *out)
{
	wire_head(out, WIRE_HELLO, 3);
	memcpy(out + 5, "abc", 3);
	wire_head(out + 8, WIRE_ACK, 0);
	wire_head(out + 13, WIRE_BATCH, 3000);
	memset(out + 18, 'y', 2999);
	out[18 + 2999] = 'z';
	return 18 + 3000;
}

static void assert_three(const struct seen *seen)
{
	assert_int_equal(seen->n, 3);
	assert_int_equal(seen->type[0], WIRE_HELLO);
	assert_int_equal(seen->len[0], 3);
	assert_int_equal(seen->first[0], 'a');
	assert_int_equal(seen->last[0], 'c');
	assert_int_equal(seen->type[1], WIRE_ACK);
	assert_int_equal(seen->len[1], 0);
	assert_int_equal(seen->type[2], WIRE_BATCH);
	assert_int_equal(seen->len[2], 3000);
	assert_int_equal(seen->first[2], 'y');
	assert_int_equal(seen->last[2], 'z');
}

static void test_head(void **state)
{
	uint8_t head[WIRE_HEAD];

	(void)state;
	wire_head(head, WIRE_BATCH, 0x123);
	assert_memory_equal(head, ((uint8_t[]){0, 0, 0x01, 0x24, 3}), WIRE_HEAD);
	wire_head(head, WIRE_REFUSAL, 0);
	assert_memory_equal(head, ((uint8_t[]){0, 0, 0, 1, 5}), WIRE_HEAD);
}

/* Every portion from one byte to all at once; each portion in memory of its own. */
static void test_portions(void **state)
{
	uint8_t bytes[3100];
	size_t len = three_frames(bytes);

	(void)state;
	for (size_t portion = 1; portion <= len; portion += portion < 40 ? 1 : 97) {
		struct wire_reader reader = {0};
		struct seen seen = {0};

		for (size_t at = 0; at < len; at += portion) {
			size_t n = len - at < portion ? len - at : portion;
			uint8_t *copy = malloc(n);

			assert_non_null(copy);
			memcpy(copy, bytes + at, n);
			assert_int_equal(wire_reader_feed(&reader, copy, n, see, &seen, NULL), 0);
			free(copy);
		}
		assert_three(&seen);
		assert_null(reader.buffer);
		wire_reader_fini(&reader);
	}
}

static void test_all_at_once(void **state)
{
	uint8_t bytes[3100];
	size_t len = three_frames(bytes);
	struct wire_reader reader = {0};
	struct seen seen = {0};

	(void)state;
	assert_int_equal(wire_reader_feed(&reader, bytes, 0, see, &seen, NULL), 0);
	assert_int_equal(wire_reader_feed(&reader, bytes, len, see, &seen, NULL), 0);
	assert_three(&seen);
	wire_reader_fini(&reader);
}

static void test_bad_frames(void **state)
{
	static const struct {
		uint8_t bytes[5];
		size_t n;
		const char *text;
	} rows[] = {
		{{0, 0, 0, 0}, 4, "a frame of 0 bytes"},
		{{0, 0x10, 0, 1}, 4, "a frame of 1048577 bytes"},
		{{0xff, 0xff, 0xff, 0xff}, 4, "a frame of 4294967295 bytes"},
		{{0, 0, 0, 1, 0}, 5, "a frame of the unknown type 0"},
		{{0, 0, 0, 1, 7}, 5, "a frame of the unknown type 7"},
		{{0, 0, 0, 9, 255}, 5, "a frame of the unknown type 255"},
	};
	static const uint8_t good[] = {0, 0, 0, 1, WIRE_ACK};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t portion = 1; portion <= rows[i].n; portion++) {
			struct wire_reader reader = {0};
			struct seen seen = {0};
			struct err err = {""};
			int rc = 0;

			for (size_t at = 0; at < rows[i].n; at += portion) {
				size_t n = rows[i].n - at < portion ? rows[i].n - at : portion;

				assert_int_equal(rc, 0);
				rc = wire_reader_feed(&reader, rows[i].bytes + at, n, see, &seen,
						      &err);
			}
			assert_int_equal(rc, ERR_FORMAT);
			assert_int_equal(strncmp(err.text, rows[i].text, strlen(rows[i].text)), 0);
			/* and for good */
			rc = wire_reader_feed(&reader, good, sizeof(good), see, &seen, &err);
			assert_int_equal(rc, ERR_FORMAT);
			assert_int_equal(seen.n, 0);
			assert_null(reader.buffer);
			wire_reader_fini(&reader);
		}
	}
}

static void test_refused_by_caller(void **state)
{
	uint8_t bytes[3100];
	size_t len = three_frames(bytes);

	(void)state;
	for (size_t portion = 1; portion <= len; portion += len - 1) {
		struct wire_reader reader = {0};
		struct seen seen = {.stop_after = 2};
		struct err err = {"the caller's"};
		int rc = 0;

		for (size_t at = 0; at < len && rc == 0; at += portion)
			rc = wire_reader_feed(&reader, bytes + at, portion, see, &seen, &err);
		assert_int_equal(rc, ERR_FORMAT);
		assert_int_equal(seen.n, 2);
		assert_string_equal(err.text, "the caller's");
		assert_int_equal(wire_reader_feed(&reader, bytes, len, see, &seen, &err),
				 ERR_FORMAT);
		assert_int_equal(seen.n, 2);
		wire_reader_fini(&reader);
	}
}

/* A megabyte announced costs what has come, and the whole of it arrives. */
static void test_largest(void **state)
{
	uint8_t *bytes = calloc(1, 4 + WIRE_FRAME_MAX);
	struct wire_reader reader = {0};
	struct seen seen = {0};

	(void)state;
	assert_non_null(bytes);
	wire_head(bytes, WIRE_BATCH, WIRE_FRAME_MAX - 1);
	bytes[4 + WIRE_FRAME_MAX - 1] = 'z';
	assert_memory_equal(bytes, ((uint8_t[]){0, 0x10, 0, 0, 3}), WIRE_HEAD);

	assert_int_equal(wire_reader_feed(&reader, bytes, 6, see, &seen, NULL), 0);
	assert_in_range(reader.cap, 6, 4096);
	for (size_t at = 6; at < 4 + WIRE_FRAME_MAX; at += 10000) {
		size_t n = 4 + WIRE_FRAME_MAX - at < 10000 ? 4 + WIRE_FRAME_MAX - at : 10000;

		assert_int_equal(seen.n, 0);
		assert_int_equal(wire_reader_feed(&reader, bytes + at, n, see, &seen, NULL), 0);
		assert_in_range(reader.cap, 0, 4 + WIRE_FRAME_MAX);
		assert_true(reader.cap <= 4096 + 2 * (at + n));
	}
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.len[0], WIRE_FRAME_MAX - 1);
	assert_int_equal(seen.last[0], 'z');
	assert_null(reader.buffer);
	wire_reader_fini(&reader);
	free(bytes);
}

/* ---- small messages ---- */

static void test_small(void **state)
{
	const struct wire_welcome welcome = {.protocol = 1, .durable = 300, .clock_ns = UINT64_MAX};
	struct wire_welcome got = {0};
	uint8_t bytes[WIRE_SMALL_MAX];
	struct wire_ack ack = {1, 1, 1};
	ssize_t n;

	(void)state;
	n = wire_welcome_encode(bytes, sizeof(bytes), &welcome);
	/* 08 01, 10 ac 02, 18 and the longest varint */
	assert_int_equal(n, 2 + 3 + 11);
	assert_memory_equal(bytes, "\x08\x01\x10\xac\x02\x18\xff", 7);
	assert_int_equal(wire_welcome_encode(bytes, 15, &welcome), ERR_FULL);
	assert_int_equal(wire_welcome_decode(&got, bytes, (size_t)n), 0);
	assert_int_equal(got.protocol, 1);
	assert_int_equal(got.durable, 300);
	assert_true(got.clock_ns == UINT64_MAX);
	assert_int_equal(wire_welcome_decode(&got, bytes, (size_t)n - 1), ERR_FORMAT);

	n = wire_ack_encode(bytes, sizeof(bytes), &(struct wire_ack){.durable = 150});
	assert_int_equal(n, 3);
	assert_memory_equal(bytes, "\x08\x96\x01", 3); /* the first example of protobuf.dev */
	assert_int_equal(wire_ack_encode(bytes, 2, &(struct wire_ack){.durable = 150}), ERR_FULL);
	assert_int_equal(wire_ack_decode(&ack, bytes, 3), 0);
	assert_int_equal(ack.durable, 150);
	assert_int_equal(wire_ack_decode(&ack, bytes, 2), ERR_FORMAT);
	assert_int_equal(ack.durable, 150);
	assert_int_equal(wire_ack_decode(&ack, bytes, 0), 0);
	assert_int_equal(ack.durable, 0);
	/* 08 96 01, 10 05, 18 06 */
	n = wire_ack_encode(bytes, sizeof(bytes), &(struct wire_ack){150, 5, 6});
	assert_int_equal(n, 7);
	assert_memory_equal(bytes, "\x08\x96\x01\x10\x05\x18\x06", 7);
	assert_int_equal(wire_ack_decode(&ack, bytes, 7), 0);
	assert_int_equal(ack.clock_ns, 5);
	assert_int_equal(ack.held_ns, 6);
}

static void test_refusal(void **state)
{
	static const struct {
		const char *reason;
		const char *printed;
	} rows[] = {
		{"unknown sensor \"x\"", "unknown sensor \"x\""},
		{"", ""},
		{"a\nb\x1b[31m\x7f", "a?b?[31m?"},
		{"caf\xc3\xa9", "caf??"},
	};
	char text[WIRE_SMALL_MAX], longest[WIRE_SMALL_MAX];
	uint8_t bytes[WIRE_SMALL_MAX + 8];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ssize_t n = wire_refusal_encode(bytes, sizeof(bytes), rows[i].reason);

		assert_true(n >= 0);
		assert_int_equal(wire_refusal_decode(text, bytes, (size_t)n), 0);
		assert_string_equal(text, rows[i].printed);
	}
	/* tag, two bytes of length: 509 is the longest reason */
	memset(longest, 'r', sizeof(longest));
	longest[510] = '\0';
	assert_int_equal(wire_refusal_encode(bytes, sizeof(bytes), longest), ERR_FULL);
	longest[509] = '\0';
	assert_int_equal(wire_refusal_encode(bytes, sizeof(bytes), longest), WIRE_SMALL_MAX);
	assert_int_equal(wire_refusal_decode(text, bytes, WIRE_SMALL_MAX), 0);
	assert_string_equal(text, longest);
	assert_int_equal(wire_refusal_decode(text, bytes, WIRE_SMALL_MAX + 1), ERR_FORMAT);
	assert_int_equal(wire_refusal_decode(text, bytes, 100), ERR_FORMAT);
}

/* Small messages that would unfold to much: fields that nobody knows, two bytes each. */
static void test_small_memory(void **state)
{
	uint8_t bytes[WIRE_SMALL_MAX];
	struct wire_welcome welcome;
	char text[WIRE_SMALL_MAX];
	struct wire_ack ack;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i += 2) {
		bytes[i] = 0x78; /* field 15, a varint */
		bytes[i + 1] = 1;
	}
	assert_int_equal(wire_ack_decode(&ack, bytes, sizeof(bytes)), ERR_FORMAT);
	assert_int_equal(wire_welcome_decode(&welcome, bytes, sizeof(bytes)), ERR_FORMAT);
	assert_int_equal(wire_refusal_decode(text, bytes, sizeof(bytes)), ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_portions),
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_bad_frames),
		cmocka_unit_test(test_refused_by_caller),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_refusal),
		cmocka_unit_test(test_small_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
