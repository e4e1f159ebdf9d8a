// SPDX-License-Identifier: Apache-2.0
/*
 * Pieces of log files in a batch: what is written is what is read; two of them byte by byte as the protobuf encoding
 * (protobuf.dev, "Encoding") has it; how much fits; what a reader must refuse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/batch.h"

static uint8_t bytes[BATCH_BYTES_MAX];

static struct batch_writer *new_writer(void)
{
	struct batch_writer *w;

	assert_int_equal(batch_writer_new(&w), 0);
	assert_int_equal(batch_writer_logs(w), 0);
	return w;
}

static struct batch *written(struct batch_writer *w)
{
	const struct batch_head head = {.sequence = 1, .lines_before = 77};
	size_t len = batch_finish(w, &head, bytes);
	struct batch *batch;
	struct err err = {""};

	if (batch_open(&batch, bytes, len, &err) != 0)
		fail_msg("%s", err.text);
	return batch;
}

static struct batch_log piece_of(const char *text)
{
	return (struct batch_log){.time_ns = 1700000000000000000,
				  .inode = 4711,
				  .offset = 10,
				  .bytes = (const uint8_t *)text,
				  .len = strlen(text),
				  .file = 2};
}

static void what_is_written_is_read(void **state)
{
	static const char odd[] = "a\0b\xff\n\x1b[2J\n";
	struct batch_writer *w = new_writer();
	struct batch_log first = piece_of("one\ntwo\nthr"), second = piece_of("x"), third = first;
	const struct batch_log *list;
	struct batch *batch;
	size_t taken, n;

	(void)state;
	second.bytes = (const uint8_t *)odd;
	second.len = sizeof odd - 1;
	second.time_ns -= 5;
	second.inode = UINT64_MAX;
	second.file = WIRE_LOGS_MAX - 1;
	third.bytes = NULL;
	third.len = 0;
	third.left_out = INT64_MAX - 10;
	third.why = BATCH_LOG_RATE;
	assert_false(batch_has_logs(w));
	assert_true(batch_is_empty(w));
	assert_true(batch_add_log(w, &first, &taken));
	assert_int_equal(taken, 11);
	assert_true(batch_add_log(w, &second, &taken));
	assert_true(batch_add_log(w, &third, &taken));
	assert_int_equal(taken, 0);
	assert_true(batch_has_logs(w));
	assert_false(batch_is_empty(w));
	assert_false(batch_must_be_kept(w));
	assert_int_equal(batch_lines(w), 4);
	batch = written(w);
	assert_false(batch_has_logs(w));
	assert_int_equal(batch_head(batch)->lines_before, 77);
	assert_int_equal(batch_line_count(batch), 4);
	list = batch_log_list(batch, &n);
	assert_int_equal(n, 3);
	assert_int_equal(list[0].len, 11);
	assert_memory_equal(list[0].bytes, "one\ntwo\nthr", 11);
	assert_int_equal(list[0].file, 2);
	assert_int_equal(list[0].inode, 4711);
	assert_int_equal(list[0].offset, 10);
	assert_true(list[0].time_ns == first.time_ns);
	assert_int_equal(list[1].len, sizeof odd - 1);
	assert_memory_equal(list[1].bytes, odd, sizeof odd - 1);
	assert_true(list[1].inode == UINT64_MAX && list[1].time_ns == second.time_ns);
	assert_int_equal(list[1].file, WIRE_LOGS_MAX - 1);
	assert_int_equal(list[2].len, 0);
	assert_true(list[2].left_out == INT64_MAX - 10);
	assert_int_equal(list[2].why, BATCH_LOG_RATE);
	batch_free(batch);
	batch_writer_free(w);
}

/* A batch of logs has no records, and the other way round: what a full spool gives up first holds nothing else. */
static void logs_and_records_do_not_mix(void **state)
{
	struct batch_writer *w = new_writer();
	struct batch_log piece = piece_of("line\n");
	struct flowrec rec = {.family = 4, .protocol = 17, .packets = 1, .bytes = 30};
	size_t taken;

	(void)state;
	assert_true(batch_add_log(w, &piece, &taken));
	assert_false(batch_add_record(w, &rec));
	batch_free(written(w));
	assert_true(batch_add_record(w, &rec));
	assert_false(batch_add_log(w, &piece, &taken));
	assert_int_equal(taken, 0);
	batch_free(written(w));
	batch_writer_free(w);
}

/* Pieces until none fits: of the last a part is taken, all that was taken is read, and the batch is within its bounds. */
static void a_batch_takes_what_fits(void **state)
{
	static char text[BATCH_LOG_PIECE_MAX + 1];
	struct batch_writer *w = new_writer();
	struct batch *batch;
	const struct batch_log *list;
	size_t sum = 0, n, taken = 0, read = 0;
	struct batch_log piece;

	(void)state;
	memset(text, 'x', BATCH_LOG_PIECE_MAX);
	piece = piece_of(text);
	while (batch_add_log(w, &piece, &taken)) {
		assert_true(taken > 0);
		sum += taken;
	}
	assert_int_equal(taken, 0);
	assert_in_range(sum, BATCH_WRITE_LOGS_BYTES - 1024, BATCH_WRITE_LOGS_BYTES);
	batch = written(w);
	list = batch_log_list(batch, &n);
	for (size_t i = 0; i < n; i++)
		read += list[i].len;
	assert_int_equal(read, sum);
	assert_int_equal(batch_line_count(batch), 0);
	batch_free(batch);
	batch_writer_free(w);
}

/* ---- bytes by hand ---- */

static size_t put_hex(uint8_t *out, const char *hex)
{
	size_t n = 0;

	for (; hex[0]; hex += 2) {
		char pair[3] = {hex[0], hex[1], '\0'};

		out[n++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

#define AB8  "abababababababab"
#define HEAD "0801" /* sequence 1 */ "1220" AB8 AB8 AB8 AB8 /* previous */

static void known_bytes(void **state)
{
	struct batch_head head = {.sequence = 1};
	struct batch_writer *w = new_writer();
	struct batch_log first = piece_of("hi\n"), second = {.time_ns = 498,
							     .inode = 3,
							     .offset = 300,
							     .left_out = 70000,
							     .file = 1,
							     .why = BATCH_LOG_RATE};
	uint8_t want[256];
	size_t taken, len, at;

	(void)state;
	first.time_ns = 500;
	memset(head.previous, 0xab, sizeof head.previous);
	assert_true(batch_add_log(w, &first, &taken));
	assert_true(batch_add_log(w, &second, &taken));
	len = batch_finish(w, &head, bytes);
	at = put_hex(want, HEAD);
	/* Of file 2 inode 4711, offset 10, time 500 (zigzag 1000), "hi\n"; of file 1 inode 3, offset 300, time 498
	 * (zigzag 3), 70000 left out because of the rate (2). Lengths of pieces and bytes have three bytes.
	 * First: 2 + 3 + 2 + 3 numbers, 1 + 3 + 3 bytes: 17 = 0x11; second: 2 + 2 + 3 + 2 + 4 + 2: 15 = 0x0f.
	 * Both with their heads of four: 40 = 0x28. */
	at += put_hex(want + at, "920128"
				 "0a918000"
				 "0802"
				 "10e724"
				 "180a"
				 "20e807"
				 "2a838000"
				 "68690a"
				 "0a8f8000"
				 "0801"
				 "1003"
				 "18ac02"
				 "2003"
				 "30f0a204"
				 "3802");
	assert_int_equal(len, at);
	assert_memory_equal(bytes, want, at);
	batch_writer_free(w);
}

static void what_is_refused(void **state)
{
	static const struct {
		const char *logs, *expected; /* NULL: accepted */
	} rows[] = {
		{"92010b"
		 "0a09"
		 "0802"
		 "1001"
		 "2a01"
		 "61"
		 "2001",
		 NULL},
		{"920106"
		 "0a04"
		 "0802"
		 "1001",
		 "neither bytes nor"},
		{"92010b"
		 "0a09"
		 "0802"
		 "2a01"
		 "61"
		 "3001"
		 "3801",
		 "or both"},
		{"920109"
		 "0a07"
		 "0802"
		 "2a01"
		 "61"
		 "3802",
		 "or both"},
		{"920108"
		 "0a06"
		 "0802"
		 "3001"
		 "3804",
		 "or both"},
		{"920106"
		 "0a04"
		 "0802"
		 "3001",
		 "neither bytes nor"},
		{"920107"
		 "0a05"
		 "0810"
		 "2a01"
		 "61",
		 "too high a number"},
		{"920109"
		 "0a07"
		 "0802"
		 "2a01"
		 "61"
		 "4001",
		 "a field that is unknown"},
		{"920110"
		 "0a0e"
		 "0802"
		 "18ffffffffffffffff7f"
		 "2a00",
		 "neither bytes nor"},
		{"920111"
		 "0a0f"
		 "0802"
		 "18ffffffffffffffff7f"
		 "2a01"
		 "61",
		 "beyond any file"},
		{"920102"
		 "1000",
		 "not a message"},
		{"920103"
		 "0a05"
		 "08",
		 "not a message"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t len = put_hex(bytes, HEAD);
		struct batch *batch;
		struct err err = {""};
		int rc;

		len += put_hex(bytes + len, rows[i].logs);
		rc = batch_open(&batch, bytes, len, &err);
		if (rc == 0)
			batch_free(batch);
		if ((rc == 0) != !rows[i].expected || (rc && !strstr(err.text, rows[i].expected)))
			fail_msg("row %zu: %d %s", i, rc, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(logs_and_records_do_not_mix),
		cmocka_unit_test(a_batch_takes_what_fits),
		cmocka_unit_test(known_bytes),
		cmocka_unit_test(what_is_refused),
	};

	return cmocka_run_group_tests_name("logs", tests, NULL, NULL);
}
