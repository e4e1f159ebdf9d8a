// SPDX-License-Identifier: Apache-2.0
/*
 * Log files of the hosts: what the detector says of those that were wiped, and the sums of what came, what is missing and
 * why. The figures are those of the events and offsets written down here.
 */
#include "evidence/log_sums.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "evidence/findings.h"
#include "platform/clock.h"

static const char *const paths[] = {"/var/log/auth.log", "/var/log/web.log"};
static const uint8_t streams[2][WIRE_STREAM_ID] = {{7}, {8}};
static struct wire_hello hello = {.n_logs = 2, .logs = paths};
static struct batch_writer *writer;

static int open_writer(void **state)
{
	(void)state;
	return batch_writer_new(&writer) || batch_writer_logs(writer);
}

static int close_writer(void **state)
{
	(void)state;
	batch_writer_free(writer);
	return 0;
}

static struct batch *written(void)
{
	static uint8_t bytes[BATCH_BYTES_MAX];
	const struct batch_head head = {.sequence = 1};
	size_t len = batch_finish(writer, &head, bytes);
	struct batch *batch;
	struct err err = {""};

	if (batch_open(&batch, bytes, len, &err) != 0)
		fail_msg("%s", err.text);
	return batch;
}

static void event(enum batch_event_kind kind, uint64_t sec, int64_t file, int64_t a, int64_t b,
		  int64_t c)
{
	const struct batch_event e = {.kind = (uint8_t)kind,
				      .time_ns = sec * NS_PER_S,
				      .n_values = 4,
				      .values = {file, a, b, c}};

	assert_true(batch_add_event(writer, &e));
}

static void piece(uint64_t sec, uint16_t file, uint64_t inode, uint64_t offset, const char *text)
{
	const struct batch_log p = {.time_ns = sec * NS_PER_S,
				    .inode = inode,
				    .offset = offset,
				    .bytes = (const uint8_t *)text,
				    .len = strlen(text),
				    .file = file};
	size_t taken;

	assert_true(batch_add_log(writer, &p, &taken));
}

/* ---- the detector ---- */

static struct findings *fresh(void)
{
	const struct findings_config config = {.max = 1000};
	struct findings *f;
	struct err err;

	assert_int_equal(findings_new(&f, &config, &err), 0);
	return f;
}

static void add(struct findings *f, const struct wire_hello *of, uint64_t sequence)
{
	const struct findings_from from = {
		.sensor = "i-1", .stream = streams[0], .hello = of, .sequence = sequence};
	struct batch *batch = written();

	assert_int_equal(findings_add_batch(f, &from, batch), 0);
	batch_free(batch);
}

static const struct finding *const *sorted(struct findings *f, size_t want)
{
	const struct finding *const *all;
	size_t n;

	assert_int_equal(findings_sort(f, &all, &n), 0);
	assert_int_equal(n, want);
	return all;
}

static void wiped_logs_are_found_once_a_file(void **state)
{
	struct findings *f = fresh();
	const struct finding *const *all;
	char text[FINDING_SENTENCE], remote[ADDR_TEXT];

	(void)state;
	event(BATCH_EVENT_LOG_SHRANK, 1000, 0, 5, 700, 300);
	add(f, &hello, 3);
	event(BATCH_EVENT_LOG_REWRITTEN, 1020, 0, 5, 300, 300);
	event(BATCH_EVENT_LOG_VANISHED, 1010, 0, 5, 300, 0);
	event(BATCH_EVENT_LOG_VANISHED, 1030, 1, 6, 50, 1);
	add(f, &hello, 9);
	all = sorted(f, 2);
	assert_int_equal(all[0]->key.kind, FINDING_LOG_WIPED);
	assert_string_equal(all[0]->name, paths[0]);
	assert_int_equal(all[0]->severity, FINDING_HIGH);
	assert_int_equal(all[0]->count, 3);
	assert_int_equal(all[0]->values[0],
			 FINDING_WIPED_CUT | FINDING_WIPED_OVERWRITTEN | FINDING_WIPED_DELETED);
	assert_int_equal(all[0]->values[1], 400 + 300);
	assert_int_equal(all[0]->first, 1000);
	assert_int_equal(all[0]->last, 1020);
	assert_int_equal(all[0]->evidence.spans[0].first, 3);
	assert_int_equal(all[0]->evidence.spans[0].last, 9);
	assert_string_equal(finding_remote_text(remote, all[0]), "-");
	assert_string_equal(
		finding_say(text, VERDICT_EN, all[0]),
		"/var/log/auth.log: it was cut, it was deleted, what had been read of it "
		"was overwritten; 3 times, 700 bytes are gone, until 1970-01-01T00:17:00Z");
	/* It has a name elsewhere: its bytes are there. */
	assert_string_equal(all[1]->name, paths[1]);
	assert_int_equal(all[1]->severity, FINDING_MEDIUM);
	assert_int_equal(all[1]->values[1], 0);
	findings_free(f);
}

static void what_is_no_wiping_is_none(void **state)
{
	struct findings *f = fresh();
	const struct batch_event few = {
		.kind = BATCH_EVENT_LOG_SHRANK, .n_values = 2, .values = {0, 5}};

	(void)state;
	event(BATCH_EVENT_LOG_OPENED, 1000, 0, 5, 700, 700);
	event(BATCH_EVENT_LOG_ROTATED, 1000, 0, 5, 6, 700);
	event(BATCH_EVENT_LOG_UNREADABLE, 1000, 0, 13, 0, 0);
	event(BATCH_EVENT_LOG_SHRANK, 1000, 2, 5, 700, 0);  /* no file of the hello */
	event(BATCH_EVENT_LOG_SHRANK, 1000, -1, 5, 700, 0); /* nor this */
	assert_true(batch_add_event(writer, &few));
	add(f, &hello, 3);
	event(BATCH_EVENT_LOG_SHRANK, 1000, 0, 5, 700, 0);
	add(f, NULL, 4);
	(void)sorted(f, 0);
	findings_free(f);
}

/* The second time is news only if it got worse. */
static void it_is_told_once(void **state)
{
	struct findings *f = fresh();
	const struct finding *news;

	(void)state;
	event(BATCH_EVENT_LOG_VANISHED, 1000, 0, 5, 700, 1);
	add(f, &hello, 3);
	news = findings_next_news(f);
	assert_non_null(news);
	assert_int_equal(news->severity, FINDING_MEDIUM);
	assert_null(findings_next_news(f));
	event(BATCH_EVENT_LOG_SHRANK, 1001, 0, 5, 700, 1);
	add(f, &hello, 4);
	news = findings_next_news(f);
	assert_non_null(news);
	assert_int_equal(news->severity, FINDING_HIGH);
	event(BATCH_EVENT_LOG_SHRANK, 1002, 0, 5, 700, 1);
	add(f, &hello, 5);
	assert_null(findings_next_news(f));
	findings_free(f);
}

/* ---- sums ---- */

static void sum(struct log_sums *l, unsigned run)
{
	struct ledger_entry entry = {.sensor = "i-1", .stream = streams[run]};
	struct batch *batch = written();

	assert_int_equal(log_sums_add(l, &entry, &hello, batch), 0);
	batch_free(batch);
}

static void sums_tell_what_is_missing(void **state)
{
	const struct batch_log cut = {.time_ns = 1003 * (uint64_t)NS_PER_S,
				      .inode = 50,
				      .offset = 108,
				      .left_out = 900,
				      .why = BATCH_LOG_LONG};
	const struct log_sum *s;
	struct log_sums *l;
	size_t taken;

	(void)state;
	assert_int_equal(log_sums_new(&l), 0);
	event(BATCH_EVENT_LOG_OPENED, 1000, 0, 50, 100, 100);
	sum(l, 0);
	piece(1001, 0, 50, 100, "one\ntwo\n");
	assert_true(batch_add_log(writer, &cut, &taken));
	piece(1004, 0, 50, 1008, "\nend\n");
	piece(1004, 1, 60, 0, "x");
	sum(l, 0);
	assert_int_equal(log_sums_count(l), 2);
	s = log_sums_at(l, 0);
	assert_string_equal(s->path, paths[0]);
	assert_int_equal(s->lines, 4);
	assert_int_equal(s->bytes, 13);
	assert_int_equal(s->first_s, 1001);
	assert_int_equal(s->last_s, 1004);
	assert_int_equal(s->left_out[BATCH_LOG_LONG], 900);
	assert_int_equal(s->gaps, 0);
	assert_int_equal(log_sum_missing(s), 900);
	/* A batch did not come: 1013 to 1099. Another inode begins anew, one that was cut as well. */
	piece(1005, 0, 50, 1100, "after\n");
	event(BATCH_EVENT_LOG_ROTATED, 1006, 0, 50, 51, 1106);
	event(BATCH_EVENT_LOG_OPENED, 1006, 0, 51, 9, 0);
	piece(1007, 0, 51, 0, "new file\n");
	event(BATCH_EVENT_LOG_SHRANK, 1008, 0, 51, 9, 0);
	piece(1009, 0, 51, 0, "again\n");
	sum(l, 0);
	s = log_sums_at(l, 0);
	assert_int_equal(s->gaps, 1);
	assert_int_equal(s->missing, 1100 - 1013);
	assert_int_equal(s->rotated, 1);
	assert_int_equal(s->opened, 2);
	assert_int_equal(s->shrank, 1);
	assert_int_equal(s->wiped_s, 1008);
	/* The next run begins where the file is by then. */
	event(BATCH_EVENT_LOG_OPENED, 2000, 0, 51, 40, 40);
	piece(2001, 0, 51, 40, "on\n");
	sum(l, 1);
	s = log_sums_at(l, 0);
	assert_int_equal(s->between, 40 - 6);
	assert_int_equal(s->gaps, 1);
	assert_int_equal(log_sum_missing(s), 900 + 87 + 34);
	log_sums_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wiped_logs_are_found_once_a_file),
		cmocka_unit_test(what_is_no_wiping_is_none),
		cmocka_unit_test(it_is_told_once),
		cmocka_unit_test(sums_tell_what_is_missing),
	};

	return cmocka_run_group_tests_name("log_sums", tests, open_writer, close_writer);
}
