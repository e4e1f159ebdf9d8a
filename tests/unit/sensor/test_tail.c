// SPDX-License-Identifier: Apache-2.0
/*
 * Log files that are followed: real files, a clock that the test sets, and the opener played by the test. Each byte of a
 * file comes once or is told as left out; what is told of a file follows from what was done to it here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sensor/tail.h"

enum { BYTES_MAX = 4 * 1024 * 1024, EVENTS_MAX = 64 };

static struct {
	struct tail *tail;
	struct tail_time now;
	char path[64];
	uint8_t *came; /* the bytes of all pieces, one behind the other */
	size_t len, n;
	uint64_t next; /* offset that the next piece must have, if it is checked */
	uint64_t left_out[BATCH_LOG_WHYS];
	struct {
		enum batch_event_kind kind;
		int64_t values[BATCH_EVENT_VALUES];
		char text[BATCH_EVENT_TEXT];
	} events[EVENTS_MAX];
	size_t n_events;
	struct tail_ask ask;
	unsigned asks;
} w;

static void on_piece(void *ctx, const struct batch_log *p)
{
	(void)ctx;
	assert_true(p->offset == w.next);
	w.next = p->offset + (p->len ? p->len : p->left_out);
	if (!p->len) {
		assert_true(p->left_out > 0 && p->why > 0 && p->why < BATCH_LOG_WHYS);
		w.left_out[p->why] += p->left_out;
		return;
	}
	assert_true(p->len <= BATCH_LOG_PIECE_MAX && w.len + p->len <= BYTES_MAX);
	memcpy(w.came + w.len, p->bytes, p->len);
	w.len += p->len;
	w.n++;
}

static void on_event(void *ctx, enum batch_event_kind kind, const char *text,
		     const int64_t values[static BATCH_EVENT_VALUES])
{
	(void)ctx;
	assert_true(w.n_events < EVENTS_MAX);
	w.events[w.n_events].kind = kind;
	memcpy(w.events[w.n_events].values, values, sizeof w.events[0].values);
	(void)snprintf(w.events[w.n_events].text, BATCH_EVENT_TEXT, "%s", text ? text : "");
	w.n_events++;
}

static bool on_ask(void *ctx, const struct tail_ask *ask)
{
	(void)ctx;
	w.ask = *ask;
	w.asks++;
	return true;
}

static const struct tail_ops ops = {.piece = on_piece, .event = on_event, .ask = on_ask};

static int set_up(void **state)
{
	int fd;

	(void)state;
	memset(&w, 0, sizeof w);
	w.came = malloc(BYTES_MAX);
	(void)snprintf(w.path, sizeof w.path, "/tmp/flowproof-tail-XXXXXX");
	fd = mkstemp(w.path);
	w.now = (struct tail_time){.ms = 1000000, .ns = 1700000000000000000};
	return !w.came || fd < 0 || close(fd) != 0;
}

static int tear_down(void **state)
{
	(void)state;
	tail_free(w.tail);
	(void)unlink(w.path);
	free(w.came);
	return 0;
}

static void start(uint64_t rate, bool from_start)
{
	static const char *const paths[] = {"/log"};
	const struct tail_config config = {
		.paths = paths, .n = 1, .rate = rate, .from_start = from_start};

	assert_int_equal(tail_new(&w.tail, &config, &ops, NULL), 0);
}

static void write_at_end(const void *bytes, size_t len)
{
	int fd = open(w.path, O_WRONLY | O_APPEND);

	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	assert_int_equal(close(fd), 0);
}

static void append(const char *text)
{
	write_at_end(text, strlen(text));
}

/* As the opener would see the file. */
static void take(struct tail_answer a)
{
	a.fd = a.there == TAIL_OTHER ? open(w.path, O_RDONLY) : -1;
	if (a.fd >= 0) {
		struct stat st;

		assert_int_equal(fstat(a.fd, &st), 0);
		a.dev = st.st_dev;
		a.ino = st.st_ino;
	}
	tail_take(w.tail, &a, w.now);
}

static void pass_ms(uint64_t ms)
{
	w.now.ms += ms;
	w.now.ns += ms * 1000000;
}

/* A turn `ms` later, in which the opener finds the file as it was. */
static void turn(uint64_t ms)
{
	pass_ms(ms);
	w.asks = 0;
	(void)tail_tick(w.tail, w.now, true);
	if (w.asks)
		take((struct tail_answer){.there = TAIL_SAME, .copy = -1});
}

static void open_it(void)
{
	(void)tail_tick(w.tail, w.now, true);
	assert_int_equal(w.ask.ino, 0);
	take((struct tail_answer){.there = TAIL_OTHER, .copy = -1});
}

static void assert_came(const char *text)
{
	assert_int_equal(w.len, strlen(text));
	assert_memory_equal(w.came, text, w.len);
}

static void assert_event(size_t i, enum batch_event_kind kind, int64_t b, int64_t c)
{
	assert_true(i < w.n_events);
	assert_int_equal(w.events[i].kind, kind);
	assert_int_equal(w.events[i].values[2], b);
	assert_int_equal(w.events[i].values[3], c);
}

/* ---- reading ---- */

static void it_begins_at_the_end_and_waits_for_lines(void **state)
{
	(void)state;
	append("before\n");
	start(65536, false);
	w.next = 7;
	open_it();
	assert_event(0, BATCH_EVENT_LOG_OPENED, 7, 7);
	turn(1000);
	assert_came("");
	append("one\ntw");
	turn(1000);
	assert_came("one\n");
	turn(1000); /* the rest of it is waited for: since when it was seen first */
	assert_came("one\n");
	append("o\nthree");
	turn(1000);
	assert_came("one\ntwo\n");
	turn(1000);
	turn(1999);
	assert_came("one\ntwo\n");
	turn(2);
	assert_came("one\ntwo\nthree");
	append("\n");
	turn(1000);
	assert_came("one\ntwo\nthree\n");
	assert_int_equal(w.n_events, 1);
}

static void it_begins_at_the_start_if_told_so(void **state)
{
	(void)state;
	append("before\n");
	start(65536, true);
	open_it();
	assert_event(0, BATCH_EVENT_LOG_OPENED, 7, 0);
	turn(1000);
	assert_came("before\n");
}

/* 4,096 bytes of a line come, then its end: 6,000 less 4,096 are left out. A line of just so many comes whole. */
static void long_lines_are_cut(void **state)
{
	static char text[6002];

	(void)state;
	start(65536, true);
	open_it();
	memset(text, 'x', 4096);
	text[4096] = '\n';
	write_at_end(text, 4097);
	turn(1000);
	assert_int_equal(w.len, 4097);
	assert_int_equal(w.left_out[BATCH_LOG_LONG], 0);
	memset(text, 'y', 6000);
	text[6000] = '\n';
	write_at_end(text, 6001);
	turn(1000);
	assert_int_equal(w.len, 4097 + 4096 + 1);
	assert_int_equal(w.came[w.len - 1], '\n');
	assert_int_equal(w.left_out[BATCH_LOG_LONG], 6000 - 4096);
	assert_true(w.next == 4097 + 6001);
}

/* Also when it comes bit by bit, unfinished. */
static void a_long_line_in_parts_is_cut_too(void **state)
{
	static char text[3000];

	(void)state;
	start(65536, true);
	open_it();
	memset(text, 'x', sizeof text);
	for (unsigned i = 0; i < 4; i++) {
		write_at_end(text, sizeof text);
		turn(1000);
		turn(2500);
	}
	append("\nnext\n");
	turn(1000);
	assert_int_equal(w.len, 4096 + 6);
	assert_int_equal(w.left_out[BATCH_LOG_LONG], 4 * sizeof text - 4096);
}

static void put_lines(size_t bytes)
{
	static char text[64 * 1024];

	memset(text, 'x', sizeof text);
	for (size_t i = 63; i < sizeof text; i += 64)
		text[i] = '\n';
	for (; bytes > 0; bytes -= sizeof text)
		write_at_end(text, sizeof text);
}

/* At 16 KiB a second, and never faster. */
static void it_is_read_at_its_rate(void **state)
{
	(void)state;
	put_lines(128 * 1024);
	start(16384, true);
	open_it();
	turn(1000);
	w.len = 0;
	for (unsigned s = 1; s <= 5; s++) {
		for (unsigned k = 0; k < 4; k++)
			turn(250);
		assert_in_range(w.len, s * 16384 - 16384, s * 16384 + 16384);
	}
}

/* What is there at the start comes whole, however long it takes. */
static void what_is_there_at_the_start_is_not_skipped(void **state)
{
	(void)state;
	put_lines(1024 * 1024);
	start(16384, true);
	open_it();
	for (unsigned s = 0; s < 80; s++)
		turn(1000);
	assert_int_equal(w.len, 1024 * 1024);
	assert_int_equal(w.left_out[BATCH_LOG_RATE], 0);
}

/* Later a file that is more than eight seconds ahead is skipped to four seconds before its end, and on to a line. */
static void a_flood_is_skipped(void **state)
{
	const size_t flood = 1024 * 1024;

	(void)state;
	start(16384, true);
	open_it();
	turn(1000);
	put_lines(flood);
	for (unsigned s = 0; s < 40; s++)
		turn(1000);
	assert_int_equal(w.len + w.left_out[BATCH_LOG_RATE], flood);
	assert_in_range(w.len, 4 * 16384 - 64, 4 * 16384);
	assert_int_equal(w.len % 64, 0); /* whole lines */
}

/* While nothing is taken the file waits, and is not late then. */
static void a_file_that_had_to_wait_is_not_skipped(void **state)
{
	(void)state;
	start(16384, true);
	open_it();
	turn(1000);
	put_lines(512 * 1024);
	for (unsigned s = 0; s < 20; s++) {
		pass_ms(1000);
		(void)tail_tick(w.tail, w.now, false);
		take((struct tail_answer){.there = TAIL_SAME, .copy = -1});
	}
	assert_int_equal(w.len, 0);
	for (unsigned s = 0; s < 40; s++)
		turn(1000);
	assert_int_equal(w.len, 512 * 1024);
}

static void the_end_takes_all(void **state)
{
	(void)state;
	start(8192, true);
	open_it();
	put_lines(64 * 1024);
	append("end");
	tail_end(w.tail, w.now, true);
	assert_int_equal(w.len, 64 * 1024 + 3);
	append("late");
	tail_end(w.tail, w.now, false);
	assert_int_equal(w.left_out[BATCH_LOG_RATE], 4);
}

/* ---- what becomes of a file ---- */

static void a_cut_is_told_when_there_is_no_copy(void **state)
{
	(void)state;
	start(65536, true);
	open_it();
	append("one\ntwo\nunread");
	turn(1000);
	assert_came("one\ntwo\n");
	assert_int_equal(truncate(w.path, 4), 0);
	pass_ms(1000);
	(void)tail_tick(w.tail, w.now, true);
	assert_true(w.ask.wants_copy);
	assert_int_equal(w.ask.offset, 8);
	assert_int_equal(w.ask.head_len, 8);
	assert_memory_equal(w.ask.head, "one\ntwo\n", 8);
	assert_int_equal(w.ask.tail_len, 8);
	assert_int_equal(w.n_events, 1); /* not before the opener has looked for a copy */
	w.next = 8;
	take((struct tail_answer){.there = TAIL_SAME, .copy = -1});
	assert_event(1, BATCH_EVENT_LOG_SHRANK, 14, 4);
	assert_int_equal(w.left_out[BATCH_LOG_LOST], 6);
	w.next = 0;
	turn(1000);
	assert_came("one\ntwo\none\n");
}

static void a_cut_with_a_copy_is_a_rotation(void **state)
{
	char copy[] = "/tmp/flowproof-copy-XXXXXX";
	int fd = mkstemp(copy);
	struct tail_answer a = {
		.there = TAIL_SAME, .sibling = TAIL_COPIED, .name = "log.1", .fd = -1};

	(void)state;
	start(65536, true);
	open_it();
	append("one\n");
	turn(1000);
	assert_int_equal(write(fd, "one\ntwo\n", 8), 8); /* the second line was not read yet */
	assert_int_equal(truncate(w.path, 0), 0);
	pass_ms(1000);
	(void)tail_tick(w.tail, w.now, true);
	a.copy = fd;
	tail_take(w.tail, &a, w.now);
	(void)unlink(copy);
	assert_event(1, BATCH_EVENT_LOG_ROTATED, w.events[0].values[1], 4);
	assert_string_equal(w.events[1].text, "copied to log.1");
	w.next = 4;
	turn(1000);
	assert_came("one\ntwo\n");
	append("three\n");
	w.next = 0;
	turn(1000);
	assert_came("one\ntwo\nthree\n");
	assert_int_equal(w.n_events, 2);
}

/* Rotated, then cut: its rest is told as lost, and it is read no more. */
static void what_is_lost_of_a_rotated_file_is_told(void **state)
{
	char old[80];
	int fd;

	(void)state;
	start(65536, true);
	open_it();
	append("one\n");
	turn(1000);
	(void)snprintf(old, sizeof old, "%s.1", w.path);
	assert_int_equal(rename(w.path, old), 0);
	fd = open(w.path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(close(fd), 0);
	pass_ms(1000);
	(void)tail_tick(w.tail, w.now, true);
	take((struct tail_answer){
		.there = TAIL_OTHER, .copy = -1, .sibling = TAIL_MOVED, .name = "log.1"});
	assert_int_equal(w.events[1].kind, BATCH_EVENT_LOG_ROTATED);
	fd = open(old, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "two\nunfinished", 14), 14);
	turn(1000);
	assert_came("one\ntwo\n");
	assert_int_equal(ftruncate(fd, 0), 0);
	turn(1000);
	assert_int_equal(w.left_out[BATCH_LOG_LOST], 10);
	assert_int_equal(write(fd, "more\n", 5), 5);
	turn(1000);
	turn(1000);
	assert_came("one\ntwo\n");
	(void)close(fd);
	(void)unlink(old);
}

/* Gone from its name, its bytes somewhere else: 30 seconds to come back as a sibling. */
static void a_file_that_is_gone_is_waited_for(void **state)
{
	(void)state;
	start(65536, true);
	open_it();
	append("one\n");
	turn(1000);
	for (unsigned s = 0; s <= 29; s++) {
		pass_ms(1000);
		(void)tail_tick(w.tail, w.now, true);
		take((struct tail_answer){.there = TAIL_ABSENT, .copy = -1});
	}
	assert_int_equal(w.n_events, 1);
	pass_ms(2000);
	(void)tail_tick(w.tail, w.now, true);
	take((struct tail_answer){.there = TAIL_ABSENT, .copy = -1});
	assert_event(1, BATCH_EVENT_LOG_VANISHED, 4, 1);
	append("on\n"); /* whoever has it open goes on writing */
	pass_ms(1000);
	(void)tail_tick(w.tail, w.now, true);
	take((struct tail_answer){.there = TAIL_ABSENT, .copy = -1});
	assert_came("one\non\n");
	assert_int_equal(w.n_events, 2);
}

static void one_that_comes_back_in_time_was_rotated(void **state)
{
	(void)state;
	start(65536, true);
	open_it();
	append("one\n");
	turn(1000);
	pass_ms(20000);
	(void)tail_tick(w.tail, w.now, true);
	take((struct tail_answer){.there = TAIL_ABSENT, .copy = -1});
	pass_ms(5000);
	(void)tail_tick(w.tail, w.now, true);
	take((struct tail_answer){
		.there = TAIL_ABSENT, .copy = -1, .sibling = TAIL_MOVED, .name = "log.1"});
	assert_event(1, BATCH_EVENT_LOG_ROTATED, 0, 4);
	assert_string_equal(w.events[1].text, "renamed to log.1");
	pass_ms(60000);
	(void)tail_tick(w.tail, w.now, true);
	take((struct tail_answer){
		.there = TAIL_ABSENT, .copy = -1, .sibling = TAIL_MOVED, .name = "log.1"});
	assert_int_equal(w.n_events, 2);
}

/* Overwritten again and again: eight events at once, then one a minute that counts the others. */
static void events_of_a_file_are_limited(void **state)
{
	size_t told;
	int fd;

	(void)state;
	start(65536, true);
	append("0\n");
	open_it();
	turn(1000);
	fd = open(w.path, O_WRONLY);
	for (unsigned i = 1; i <= 30; i++) {
		const char text[] = {(char)('0' + i), '\n'};

		assert_int_equal(pwrite(fd, text, 2, 0), 2);
		w.next = 0; /* read anew */
		turn(1000);
	}
	assert_int_equal(w.n_events, 1 + TAIL_WIPES);
	for (size_t i = 1; i < w.n_events; i++)
		assert_event(i, BATCH_EVENT_LOG_REWRITTEN, 2, 2);
	assert_int_equal(w.len, 31 * 2);
	told = w.n_events;
	assert_int_equal(pwrite(fd, "z\n", 2, 0), 2);
	w.next = 0;
	turn(60000);
	assert_int_equal(w.n_events, told + 1);
	assert_string_equal(w.events[told].text, "and 22 times before that");
	(void)close(fd);
}

static void what_cannot_be_read_is_told_once(void **state)
{
	struct tail_answer no = {
		.there = TAIL_UNREADABLE, .error = EACCES, .text = "no", .copy = -1};

	(void)state;
	start(65536, false);
	for (unsigned i = 0; i < 3; i++) {
		(void)tail_tick(w.tail, w.now, true);
		take(no);
		pass_ms(1000);
	}
	assert_int_equal(w.n_events, 1);
	assert_int_equal(w.events[0].kind, BATCH_EVENT_LOG_UNREADABLE);
	assert_int_equal(w.events[0].values[1], EACCES);
	append("new\n"); /* it may be read now, from its begin: it was not there at the start */
	(void)tail_tick(w.tail, w.now, true);
	take((struct tail_answer){.there = TAIL_OTHER, .copy = -1});
	turn(1000);
	assert_came("new\n");
	tail_alone(w.tail, w.now);
	assert_int_equal(w.events[2].values[1], ECHILD);
}

/* 40 changes of what is at the name: 32 are told, then one a minute, which counts the eight. */
static void other_events_are_limited_too(void **state)
{
	(void)state;
	start(65536, false);
	for (unsigned i = 0; i < 41; i++) {
		struct tail_answer a = {.there = TAIL_UNREADABLE, .copy = -1};

		(void)snprintf(a.text, sizeof a.text, i % 2 ? "a FIFO" : "a symbolic link");
		(void)tail_tick(w.tail, w.now, true);
		take(a);
		pass_ms(i == 39 ? 60000 : 1000);
		assert_int_equal(w.n_events, i < 32 ? i + 1 : i < 40 ? 32 : 33);
	}
	assert_string_equal(w.events[32].text, "a symbolic link; 8 others were not told");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(it_begins_at_the_end_and_waits_for_lines),
		CASE(it_begins_at_the_start_if_told_so),
		CASE(long_lines_are_cut),
		CASE(a_long_line_in_parts_is_cut_too),
		CASE(it_is_read_at_its_rate),
		CASE(what_is_there_at_the_start_is_not_skipped),
		CASE(a_flood_is_skipped),
		CASE(a_file_that_had_to_wait_is_not_skipped),
		CASE(the_end_takes_all),
		CASE(a_cut_is_told_when_there_is_no_copy),
		CASE(a_cut_with_a_copy_is_a_rotation),
		CASE(what_is_lost_of_a_rotated_file_is_told),
		CASE(a_file_that_is_gone_is_waited_for),
		CASE(one_that_comes_back_in_time_was_rotated),
		CASE(events_of_a_file_are_limited),
		CASE(what_cannot_be_read_is_told_once),
		CASE(other_events_are_limited_too),
	};

	return cmocka_run_group_tests_name("tail", tests, NULL, NULL);
}
