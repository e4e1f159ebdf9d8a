// SPDX-License-Identifier: Apache-2.0
/*
 * The spool in a file: what a run that was killed left is found by the next, in its order, chained, none
 * of it twice; a file that was torn, cut or is another's is told so. A kill is played by closing without
 * a word: nothing is written at the end of a run.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sensor/spool.h"
#include "sensor/spool_file.h"

enum { SIZE = 2 * 1024 * 1024 };

static char folder[] = "/tmp/test_spool_file.XXXXXX";
static const char path[] = "spool";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return chdir("/") != 0 || rmdir(folder) != 0;
}

static int each(void **state)
{
	(void)state;
	(void)unlink(path);
	return 0;
}

/* A run of the sensor: its stream is named by a byte. */
static struct spool *run(char name)
{
	struct spool_config config = {
		.hello = (const uint8_t *)"hello of x", .hello_len = 10, .with_logs = true};
	char hello[11] = "hello of ";
	struct err err = {""};
	struct spool *s = NULL;

	memset(config.stream, name, WIRE_STREAM_ID);
	hello[9] = name;
	config.hello = (const uint8_t *)hello;
	if (spool_file_open(&config.file, path, SIZE, "one", &err) != 0 ||
	    spool_new(&s, &config, &err) != 0)
		fail_msg("%s", err.text);
	return s;
}

static void fill(struct spool *s, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		struct flowrec rec = {.src = {{10, 0, (uint8_t)(i >> 8), (uint8_t)i}},
				      .dst = {{192, 0, 2, 1}},
				      .family = 4,
				      .protocol = 17,
				      .srcport = (uint16_t)i,
				      .packets = 3,
				      .start = 100000 + i,
				      .end = 100000 + i};

		spool_record(s, &rec, i);
	}
}

/* `n` batches of 10 records. */
static void make(struct spool *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		fill(s, 10 * i, 10 * (i + 1));
		spool_flush(s, i, SPOOL_PLAIN);
	}
}

/* What a collector takes of the stream that comes now, from its beginning or where `chain` stands. */
struct taken {
	char stream;
	uint64_t batches, records, gap_batches, gap_records, gap_packets, first, last;
	struct batch_chain chain;
};

static struct taken take(struct spool *s, const struct batch_chain *chain)
{
	struct taken t = {.chain = {.counts = true}};
	struct spool_stream stream;
	struct spool_item item;
	struct err err = {""};

	spool_stream(s, &stream);
	t.stream = (char)stream.id[0];
	if (!stream.is_current) {
		assert_int_equal(stream.hello_len, 10);
		assert_int_equal(stream.hello[9], t.stream);
	}
	batch_chain_start(t.chain.digest, stream.id);
	if (chain)
		t.chain = *chain;
	while (spool_next(s, t.chain.sequence, &item)) {
		uint8_t digest[SHA256_BYTES];
		struct batch_gap gap;
		struct batch *batch;
		int rc;

		if (item.type == WIRE_GAP) {
			assert_int_equal(batch_gap_decode(&gap, item.bytes, item.len, &err), 0);
			assert_int_equal(batch_chain_check_gap(&t.chain, &gap, &err), 0);
			assert_int_equal(gap.first, t.chain.sequence + 1);
			batch_chain_take_gap(&t.chain, &gap);
			t.gap_batches += gap.last - gap.first + 1;
			t.gap_records += gap.records;
			t.gap_packets += gap.packets;
			t.first = gap.window_first;
			t.last = gap.window_last;
			continue;
		}
		assert_int_equal(batch_open(&batch, item.bytes, item.len, &err), 0);
		rc = batch_chain_check(&t.chain, batch_head(batch), &err);
		if (rc != 0)
			fail_msg("%s", err.text);
		crypto_sha256(digest, item.bytes, item.len);
		batch_chain_take(&t.chain, batch_head(batch), digest, batch_record_count(batch),
				 batch_packet_count(batch), batch_line_count(batch));
		t.batches++;
		t.records += batch_record_count(batch);
		batch_free(batch);
	}
	return t;
}

static void all_is_there_after_a_kill(void **state)
{
	struct spool *s = run('a');
	struct spool_stats stats;
	struct taken t;

	(void)state;
	make(s, 100);
	spool_free(s);
	s = run('b');
	spool_stats(s, &stats);
	assert_int_equal(stats.old_streams, 1);
	assert_int_equal(stats.old_batches, 100);
	assert_int_equal(stats.old_records, 1000);
	assert_int_equal(stats.old_unusable, 0);
	make(s, 7);
	t = take(s, NULL); /* the old one first */
	assert_int_equal(t.stream, 'a');
	assert_int_equal(t.batches, 100);
	assert_int_equal(t.records, 1000);
	assert_int_equal(t.gap_batches, 0);
	spool_ack(s, t.chain.sequence);
	t = take(s, NULL);
	assert_int_equal(t.stream, 'b');
	assert_int_equal(t.records, 70);
	spool_ack(s, t.chain.sequence);
	spool_free(s);
	s = run('c'); /* nothing is left */
	spool_stats(s, &stats);
	assert_int_equal(stats.old_batches, 0);
	assert_int_equal(stats.old_streams, 0);
	spool_free(s);
}

#ifdef CONFIG_TAIL
/* Lines that were not delivered outlive a kill as flows do, and the chain counts them. They have an eighth of the file. */
static void lines_are_there_after_a_kill(void **state)
{
	static const uint8_t text[] = "one\ntwo\n";
	struct batch_log piece = {.inode = 1, .bytes = text, .len = sizeof text - 1};
	struct spool *s = run('a');
	struct spool_stats stats;
	struct taken t;
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		make(s, 1);
		assert_true(spool_takes_logs(s, sizeof text));
		spool_log(s, &piece, i);
		spool_logs_end(s, i);
	}
	spool_free(s);
	s = run('b');
	spool_stats(s, &stats);
	assert_int_equal(stats.old_batches, 40);
	t = take(s, NULL);
	assert_int_equal(t.stream, 'a');
	assert_int_equal(t.records, 200);
	assert_int_equal(t.chain.lines, 40);
	spool_ack(s, t.chain.sequence);
	for (; spool_takes_logs(s, sizeof text); n++)
		make(s, 1);
	spool_stats(s, &stats);
	assert_in_range(stats.used, stats.bytes / 8, stats.bytes / 7);
	spool_free(s);
}
#endif

/* What was acknowledged does not come again; the counts of what is left go on. */
static void what_was_acknowledged_is_gone(void **state)
{
	struct spool *s = run('a');
	struct batch_chain chain;
	struct spool_item item;
	struct taken t;
	struct batch *batch;

	(void)state;
	make(s, 60);
	spool_ack(s, 41);
	assert_true(spool_next(s, 41, &item));
	assert_int_equal(batch_open(&batch, item.bytes, item.len, NULL), 0);
	chain = (struct batch_chain){
		.sequence = 41, .counts = true, .records = 410, .packets = 1230};
	memcpy(chain.digest, batch_head(batch)->previous, SHA256_BYTES);
	batch_free(batch);
	spool_free(s);
	s = run('b');
	t = take(s, &chain);
	assert_int_equal(t.stream, 'a');
	assert_int_equal(t.batches, 19);
	assert_int_equal(t.chain.records, 600);
	spool_free(s);
}

/* Killed five times with no collector: five streams, the oldest first. */
static void several_runs(void **state)
{
	struct spool *s;

	(void)state;
	for (char name = 'a'; name < 'f'; name++) {
		s = run(name);
		make(s, 20);
		spool_free(s);
	}
	s = run('f');
	make(s, 1);
	for (char name = 'a'; name <= 'f'; name++) {
		struct taken t = take(s, NULL);

		assert_int_equal(t.stream, name);
		assert_int_equal(t.records, name == 'f' ? 10 : 200);
		spool_ack(s, t.chain.sequence);
	}
	spool_free(s);
}

/* More runs than there are places for: the oldest goes, the rest stays. */
static void too_many_runs(void **state)
{
	struct spool_stats stats;
	struct spool *s;
	struct taken t;

	(void)state;
	for (char name = 'a'; name <= 'l'; name++) {
		s = run(name);
		make(s, 3);
		spool_free(s);
	}
	s = run('z');
	spool_stats(s, &stats);
	assert_int_equal(stats.old_streams, SPOOL_STREAMS_MAX - 1);
	assert_true(stats.old_unusable > 0);
	t = take(s, NULL);
	assert_int_equal(t.stream, 'f'); /* f to l are seven */
	spool_free(s);
}

/* The ring wrapped many times, and was killed while it gave up: what is there and what is missing is
 * all, to the last packet. */
static void overflow_and_kill(void **state)
{
	const struct batch_alert alert = {
		.family = 4, .protocol = 6, .verdict = FLOWREC_UNEXPECTED_EGRESS};
	struct spool *s = run('a');
	struct spool_stats stats;
	struct taken t;
	const unsigned n = 1000000;

	(void)state;
	for (unsigned i = 0; i < n; i += 50000) {
		fill(s, i, i + 50000);
		spool_alert(s, &alert, i);
		spool_flush(s, i, SPOOL_PLAIN);
	}
	spool_free(s);
	s = run('b');
	spool_stats(s, &stats);
	t = take(s, NULL);
	assert_int_equal(t.stream, 'a');
	assert_int_equal(stats.old_batches, t.batches); /* none twice: alerts were moved */
	assert_int_equal(stats.old_records, t.records);
	assert_true(t.gap_records > 0);
	assert_int_equal(t.records + t.gap_records, n);
	assert_int_equal(t.gap_packets, 3 * t.gap_records);
	/* The times are a bound: the last gap ends before the records that are left. */
	assert_true(t.first <= t.last && t.last <= 100000 + n);
	/* This run's batches find room, the old stream's go. */
	fill(s, 0, 400000);
	spool_flush(s, 1, SPOOL_PLAIN);
	t = take(s, NULL);
	assert_int_equal(t.stream, 'a');
	assert_int_equal(t.chain.records, n);
	spool_ack(s, t.chain.sequence);
	t = take(s, NULL);
	assert_int_equal(t.stream, 'b');
	assert_int_equal(t.chain.records, 400000);
	spool_free(s);
}

/* What this run floods away of a former one is told with the last batch of it, which stays. */
static void old_flows_give_way(void **state)
{
	struct spool *s = run('a');
	struct taken t;

	(void)state;
	make(s, 50);
	spool_free(s);
	s = run('b');
	fill(s, 0, 400000);
	t = take(s, NULL);
	assert_int_equal(t.stream, 'a');
	assert_int_equal(t.batches, 1);
	assert_int_equal(t.records, 10);
	assert_int_equal(t.gap_batches, 49);
	assert_int_equal(t.gap_records, 490);
	assert_int_equal(t.gap_packets, 3 * 490);
	spool_free(s);
}

static void change_file(long offset, const void *bytes, size_t len)
{
	int fd = open(path, O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, offset), len);
	close(fd);
}

/* Any byte of the ring may be torn: what is not whole is missing, and told; all else is there. */
static void torn_anywhere(void **state)
{
	struct spool_stats stats;
	struct spool *s = run('a');
	struct stat st;
	char *whole;
	int fd;
	long used;

	(void)state;
	make(s, 12);
	spool_stats(s, &stats);
	used = (long)stats.used;
	spool_free(s);
	assert_int_equal(stat(path, &st), 0);
	whole = malloc((size_t)st.st_size);
	assert_non_null(whole);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, whole, (size_t)st.st_size), st.st_size);
	close(fd);
	for (long at = 0; at < used; at += 13) {
		char byte = (char)(whole[SPOOL_FILE_RING + at] ^ 0x55);
		struct taken t;

		change_file(0, whole, (size_t)SPOOL_FILE_RING + (size_t)used + 4096);
		change_file(SPOOL_FILE_RING + at, &byte, 1);
		s = run('b');
		spool_stats(s, &stats);
		if (stats.old_streams == 0) { /* the hello: nothing can be delivered without it */
			assert_true(at < 192);
			assert_true(stats.old_unusable > 0);
			spool_free(s);
			continue;
		}
		t = take(s, NULL);
		assert_int_equal(t.stream, 'a');
		/* One of them is missing at most; of the last one nobody knows. Padding is nobody's. */
		assert_true(t.records + t.gap_records == 120 ||
			    (t.records == 110 && t.gap_records == 0));
		assert_true(t.records >= 110);
		assert_int_equal(t.gap_packets, 3 * t.gap_records);
		spool_free(s);
	}
	free(whole);
}

/* A state that was torn while it was written: the other copy holds. */
static void a_torn_state_is_no_loss(void **state)
{
	(void)state;
	for (long copy = 0; copy < 2; copy++) {
		struct spool *s;
		struct taken t;

		(void)unlink(path);
		s = run('a');
		make(s, 5);
		spool_ack(s, 2); /* writes a state */
		spool_free(s);
		change_file(copy * 4096 + 100, "torn", 4);
		s = run('b');
		t = take(s, NULL);
		assert_int_equal(t.stream, 'a');
		assert_int_equal(t.chain.sequence, 5);
		assert_true(t.batches >= 3);
		spool_free(s);
	}
}

static void refused(const char *sensor, uint64_t size, int rc, const char *says)
{
	struct spool_file *file = NULL;
	struct err err = {""};

	assert_int_equal(spool_file_open(&file, path, size, sensor, &err), rc);
	assert_null(file);
	if (!strstr(err.text, says))
		fail_msg("\"%s\" is not in \"%s\"", says, err.text);
}

static void wrong_files(void **state)
{
	struct spool *s = run('a');

	(void)state;
	make(s, 3);
	refused("one", SIZE, ERR_USAGE, "in use by another process");
	spool_free(s);
	refused("two", SIZE, ERR_USAGE, "is the spool of the sensor 'one'");
	refused("one", 2 * SIZE, ERR_USAGE, "was made for 2048 KiB");
	change_file(100, "x", 1);
	change_file(4096 + 100, "x", 1);
	refused("one", SIZE, ERR_FORMAT, "both copies of its state are damaged");
	change_file(0, "#!/bin/sh", 9);
	change_file(4096, "#!/bin/sh", 9);
	refused("one", SIZE, ERR_USAGE, "is not a spool's file, and is not overwritten");
	assert_int_equal(unlink(path), 0);
	s = run('a');
	spool_free(s);
	assert_int_equal(truncate(path, SIZE / 2), 0);
	refused("one", SIZE, ERR_FORMAT, "was cut to");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	refused("one", SIZE, -EISDIR, "spool");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	refused("one", SIZE, -ELOOP, "spool");
	assert_int_equal(unlink(path), 0);
}

/* Entries that somebody wrote into packets do not have the file's key. */
static void what_another_file_wrote_is_nothing(void **state)
{
	struct spool *s = run('a');
	struct spool_stats stats;
	char head[SPOOL_FILE_RING];
	int fd;

	(void)state;
	make(s, 5);
	spool_free(s);
	/* Begun anew over what is there: the ring still holds the old entries. */
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, head, sizeof head), sizeof head);
	close(fd);
	memset(head + 32, 0, 16);
	crypto_sha256((uint8_t *)head + 992, head, 992);
	memset(head + 4096 + 32, 0, 16);
	crypto_sha256((uint8_t *)head + 4096 + 992, head + 4096, 992);
	change_file(0, head, sizeof head);
	s = run('b');
	spool_stats(s, &stats);
	assert_int_equal(stats.old_batches, 0);
	spool_free(s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, each, each)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(all_is_there_after_a_kill),
#ifdef CONFIG_TAIL
		T(lines_are_there_after_a_kill),
#endif
		T(what_was_acknowledged_is_gone),
		T(several_runs),
		T(too_many_runs),
		T(old_flows_give_way),
		T(overflow_and_kill),
		T(torn_anywhere),
		T(a_torn_state_is_no_loss),
		T(wrong_files),
		T(what_another_file_wrote_is_nothing),
	};

	return cmocka_run_group_tests_name("spool_file", tests, setup, teardown);
}
