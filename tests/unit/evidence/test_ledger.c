// SPDX-License-Identifier: Apache-2.0
/*
 * The ledger, in a new folder below /tmp. Sizes and offsets are reckoned from the format at the
 * head of ledger_write.c: 40 bytes of file head, 88 of an entry's head.
 */
#include "evidence/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "evidence/ledger_segment.h"
#include "platform/bytes.h"
#include "platform/file.h"
#include "platform/log.h"
#include "tests/unit/evidence/keys.h"

enum { FILE_HEAD = 40, ENTRY_HEAD = 88, PATH_TEXT = 256 };

static struct crypto_signer *signer;

static const uint8_t stream_a[WIRE_STREAM_ID] = "stream a........";
static const uint8_t stream_b[WIRE_STREAM_ID] = "stream b........";

/* What was appended, to be found again: "hello" and "batch N". */
static const char hello_text[] = "hello";
static const char batch_text[] = "batch of records";
static const struct ledger_sum no_sum = {.first_s = 1};

static int make_signer(void **state)
{
	int rc = keys_make(state);

	if (rc == 0)
		signer = keys_signer("collector");
	return rc;
}

static int free_signer(void **state)
{
	crypto_signer_free(signer);
	return keys_remove(state);
}

static int make_folder(void **state)
{
	char template[] = "/tmp/test_ledger.XXXXXX";

	assert_non_null(mkdtemp(template));
	*state = strdup(template);
	return *state ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int remove_folder(void **state)
{
	(void)nftw(*state, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	assert_int_not_equal(access(*state, F_OK), 0);
	free(*state);
	return 0;
}

static const char *path_of(const char *store, const char *sensor, unsigned number,
			   char out[static PATH_TEXT])
{
	assert_in_range(snprintf(out, PATH_TEXT, "%s/%s/%08u.fpl", store, sensor, number), 1,
			PATH_TEXT - 1);
	return out;
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

static struct ledger *open_ledger(const char *store)
{
	const struct ledger_config config = {.signer = signer, .segment_s = LEDGER_SEGMENT_S};
	struct ledger *ledger = NULL;
	struct err err = {""};

	if (ledger_open(&ledger, store, &config, 1, &err) != 0)
		fail_msg("%s", err.text);
	return ledger;
}

static struct ledger_sensor *open_sensor(struct ledger *ledger, const char *id)
{
	struct ledger_sensor *sensor = NULL;
	struct err err;

	assert_int_equal(ledger_sensor_open(ledger, id, &sensor, &err), 0);
	return sensor;
}

static void add_hello(struct ledger_sensor *sensor, const uint8_t *stream)
{
	struct err err;

	assert_int_equal(ledger_append_hello(sensor, 1000, stream, (const uint8_t *)hello_text,
					     sizeof hello_text, &err),
			 0);
}

static void add_batch(struct ledger_sensor *sensor, const uint8_t *stream, uint64_t sequence)
{
	struct err err;

	assert_int_equal(ledger_append_batch(sensor, 1000 + sequence, stream, sequence,
					     (const uint8_t *)batch_text, sizeof batch_text,
					     &no_sum, &err),
			 0);
}

/* A hello and batches 1 to n of stream a of the sensor "one", each committed. */
static void make_ledger(const char *store, unsigned n)
{
	struct ledger *ledger = open_ledger(store);
	struct ledger_sensor *sensor = open_sensor(ledger, "one");
	struct err err;

	add_hello(sensor, stream_a);
	assert_int_equal(ledger_commit(ledger, &err), 0);
	for (unsigned i = 1; i <= n; i++) {
		add_batch(sensor, stream_a, i);
		assert_int_equal(ledger_commit(ledger, &err), 0);
	}
	ledger_close(ledger);
}

/* What a walk through the ledger met. */
struct tally {
	unsigned hellos, batches, torn, damaged;
	uint64_t last_sequence;
	uint64_t fault_offset;
};

static struct tally walk(const char *store)
{
	struct tally t = {0};
	struct ledger_reader *reader;
	struct ledger_entry e;
	struct err err;
	int rc;

	assert_int_equal(ledger_reader_open(&reader, store, NULL, &err), 0);
	while ((rc = ledger_next(reader, &e, &err)) > 0) {
		t.hellos += e.kind == LEDGER_HELLO;
		t.batches += e.kind == LEDGER_BATCH;
		t.torn += e.kind == LEDGER_TORN;
		t.damaged += e.kind == LEDGER_DAMAGE;
		if (e.kind == LEDGER_BATCH)
			t.last_sequence = e.sequence;
		else if (e.kind >= LEDGER_TORN)
			t.fault_offset = e.offset;
	}
	assert_int_equal(rc, 0);
	ledger_reader_free(reader);
	return t;
}

/* ---- what is written is read ---- */

static void test_append_and_read(void **state)
{
	struct ledger *ledger = open_ledger(*state);
	struct ledger_sensor *two = open_sensor(ledger, "two"), *one = open_sensor(ledger, "one");
	uint8_t digest[SHA256_BYTES];
	struct ledger_reader *reader;
	struct ledger_entry e;
	struct err err;

	add_hello(two, stream_b);
	add_hello(one, stream_a);
	add_batch(two, stream_b, 1);
	assert_int_equal(ledger_stream_durable(two, stream_b), 0);
	assert_int_equal(ledger_commit(ledger, &err), 0);
	assert_int_equal(ledger_stream_durable(two, stream_b), 1);
	assert_ptr_equal(open_sensor(ledger, "two"), two);
	ledger_close(ledger);

	assert_int_equal(ledger_reader_open(&reader, *state, NULL, &err), 0);
	assert_int_equal(ledger_next(reader, &e, &err), 1);
	assert_int_equal(e.kind, LEDGER_HELLO);
	assert_string_equal(e.sensor, "one");
	assert_memory_equal(e.stream, stream_a, WIRE_STREAM_ID);
	assert_int_equal(e.len, sizeof hello_text);
	assert_memory_equal(e.payload, hello_text, sizeof hello_text);
	assert_int_equal(ledger_next(reader, &e, &err), 1);
	assert_string_equal(e.sensor, "two");
	assert_int_equal(ledger_next(reader, &e, &err), 1);
	assert_int_equal(e.kind, LEDGER_BATCH);
	assert_int_equal(e.sequence, 1);
	assert_int_equal(e.received_ns, 1001);
	assert_int_equal(e.offset, FILE_HEAD + ENTRY_HEAD + sizeof hello_text);
	assert_memory_equal(e.payload, batch_text, sizeof batch_text);
	crypto_sha256(digest, batch_text, sizeof batch_text);
	assert_memory_equal(e.digest, digest, SHA256_BYTES);
	assert_int_equal(ledger_next(reader, &e, &err), 0);
	ledger_reader_free(reader);

	assert_int_equal(ledger_reader_open(&reader, *state, "two", &err), 0);
	assert_int_equal(ledger_next(reader, &e, &err), 1);
	assert_string_equal(e.sensor, "two");
	ledger_reader_free(reader);
	assert_int_equal(ledger_reader_open(&reader, *state, "three", &err), 0);
	assert_int_equal(ledger_next(reader, &e, &err), 0);
	ledger_reader_free(reader);
}

/* The drawing at the head of ledger_write.c, byte for byte. */
static void test_format(void **state)
{
	static const uint8_t head[FILE_HEAD] = "flowproof-ledger\0\0\0\1\0\0\0\1";
	uint8_t digest[SHA256_BYTES], both[56 + SHA256_BYTES];
	char path[PATH_TEXT];
	const uint8_t *p;
	struct err err;
	char *file;
	size_t len;

	make_ledger(*state, 1);
	assert_int_equal(file_read_all(path_of(*state, "one", 1, path), 4096, &file, &len, &err),
			 0);
	assert_int_equal(len, FILE_HEAD + 2 * ENTRY_HEAD + sizeof hello_text + sizeof batch_text);
	assert_memory_equal(file, head, 24);
	p = (const uint8_t *)file + FILE_HEAD + ENTRY_HEAD + sizeof hello_text;
	assert_memory_equal(p, "fpE\2", 4);
	assert_int_equal(be32(p + 4), sizeof batch_text);
	assert_int_equal(be64(p + 8), 1001);
	assert_int_equal(be64(p + 16), FILE_HEAD + ENTRY_HEAD + sizeof hello_text);
	assert_int_equal(be64(p + 24), 1); /* the manifest of the start */
	assert_memory_equal(p + 32, stream_a, WIRE_STREAM_ID);
	assert_int_equal(be64(p + 48), 1);
	crypto_sha256(digest, batch_text, sizeof batch_text);
	memcpy(both, p, 56);
	memcpy(both + 56, digest, SHA256_BYTES);
	crypto_sha256(digest, both, sizeof both);
	assert_memory_equal(p + 56, digest, SHA256_BYTES);
	assert_memory_equal(p + ENTRY_HEAD, batch_text, sizeof batch_text);
	free(file);
}

static void test_resume(void **state)
{
	uint8_t digest[SHA256_BYTES];
	struct batch_chain chain;
	struct ledger *ledger;
	struct ledger_sensor *sensor;

	make_ledger(*state, 3);
	ledger = open_ledger(*state);
	sensor = open_sensor(ledger, "one");
	ledger_stream_chain(sensor, stream_a, &chain);
	assert_int_equal(chain.sequence, 3);
	crypto_sha256(digest, batch_text, sizeof batch_text);
	assert_memory_equal(chain.digest, digest, SHA256_BYTES);
	assert_int_equal(ledger_stream_durable(sensor, stream_a), 3);
	ledger_stream_chain(sensor, stream_b, &chain);
	assert_int_equal(chain.sequence, 0);
	crypto_sha256(digest, stream_b, WIRE_STREAM_ID);
	assert_memory_equal(chain.digest, digest, SHA256_BYTES);
	ledger_close(ledger);
}

static void test_streams_are_bounded(void **state)
{
	struct ledger *ledger = open_ledger(*state);
	struct ledger_sensor *sensor = open_sensor(ledger, "one");
	uint8_t stream[WIRE_STREAM_ID] = {0};
	struct batch_chain chain;

	for (unsigned i = 0; i < LEDGER_STREAMS_MAX + 1; i++) {
		stream[0] = (uint8_t)i;
		add_hello(sensor, stream);
		add_batch(sensor, stream, i + 1);
		stream[0] = 1; /* stays in use */
		add_batch(sensor, stream, 1000 + i);
	}
	for (unsigned reopened = 0; reopened < 2; reopened++) {
		stream[0] = 0;
		ledger_stream_chain(sensor, stream, &chain);
		assert_int_equal(chain.sequence, 0);
		stream[0] = 1;
		ledger_stream_chain(sensor, stream, &chain);
		assert_int_equal(chain.sequence, 1000 + LEDGER_STREAMS_MAX);
		stream[0] = LEDGER_STREAMS_MAX;
		ledger_stream_chain(sensor, stream, &chain);
		assert_int_equal(chain.sequence, LEDGER_STREAMS_MAX + 1);
		ledger_close(ledger);
		ledger = open_ledger(*state);
		sensor = open_sensor(ledger, "one");
	}
	ledger_close(ledger);
}

/* ---- crashes ---- */

static void test_torn_tail(void **state)
{
	uint64_t end, begin;
	char path[PATH_TEXT];
	struct tally t;

	make_ledger(*state, 2);
	path_of(*state, "one", 1, path);
	end = size_of(path);
	begin = end - ENTRY_HEAD - sizeof batch_text;
	for (uint64_t cut = begin; cut < end; cut++) {
		struct ledger *ledger;
		struct ledger_sensor *sensor;
		struct batch_chain chain;

		assert_int_equal(truncate(path, (off_t)cut), 0);
		t = walk(*state);
		assert_int_equal(t.batches, 1);
		assert_int_equal(t.torn, cut > begin);
		assert_int_equal(t.damaged, 0);
		if (cut > begin)
			assert_int_equal(t.fault_offset, begin);

		ledger = open_ledger(*state);
		sensor = open_sensor(ledger, "one");
		assert_int_equal(size_of(path), begin);
		ledger_stream_chain(sensor, stream_a, &chain);
		assert_int_equal(chain.sequence, 1);
		add_batch(sensor, stream_a, 2);
		ledger_close(ledger);
		t = walk(*state);
		assert_int_equal(t.batches, 2);
		assert_int_equal(t.torn + t.damaged, 0);
		assert_int_equal(size_of(path), end);
	}
}

/* A crash while the file was new: any length up to the end of the first entry. */
static void test_torn_beginning(void **state)
{
	uint64_t first = FILE_HEAD + ENTRY_HEAD + sizeof hello_text;
	char path[PATH_TEXT];

	make_ledger(*state, 0);
	path_of(*state, "one", 1, path);
	assert_int_equal(size_of(path), first);
	for (uint64_t cut = 0; cut < first; cut++) {
		struct tally t;

		assert_int_equal(truncate(path, (off_t)cut), 0);
		t = walk(*state);
		assert_int_equal(t.hellos + t.damaged, 0);
		make_ledger(*state, 0);
		t = walk(*state);
		assert_int_equal(t.hellos, 1);
		assert_int_equal(t.torn + t.damaged, 0);
		assert_int_equal(size_of(path), first);
	}
}

/* Two entries of one commit, and the disk kept only the second: neither was acknowledged. */
static void test_torn_within_a_commit(void **state)
{
	struct ledger *ledger = open_ledger(*state);
	struct ledger_sensor *sensor = open_sensor(ledger, "one");
	uint8_t zeros[ENTRY_HEAD] = {0};
	struct batch_chain chain;
	char path[PATH_TEXT];
	struct err err;
	uint64_t durable;
	int fd;

	add_hello(sensor, stream_a);
	add_batch(sensor, stream_a, 1);
	assert_int_equal(ledger_commit(ledger, &err), 0);
	durable = size_of(path_of(*state, "one", 1, path));
	add_batch(sensor, stream_a, 2);
	add_batch(sensor, stream_a, 3);
	ledger_close(ledger);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, zeros, sizeof zeros, (off_t)durable), sizeof zeros);
	close(fd);

	ledger = open_ledger(*state);
	sensor = open_sensor(ledger, "one");
	ledger_stream_chain(sensor, stream_a, &chain);
	assert_int_equal(chain.sequence, 1);
	assert_int_equal(size_of(path), durable);
	ledger_close(ledger);
}

/* ---- damage ---- */

static void flip(const char *path, uint64_t at)
{
	uint8_t byte;
	int fd = open(path, O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	close(fd);
}

static void test_flipped_byte(void **state)
{
	uint64_t end, last;
	char path[PATH_TEXT];

	make_ledger(*state, 3);
	path_of(*state, "one", 1, path);
	end = size_of(path);
	last = end - ENTRY_HEAD - sizeof batch_text;
	for (uint64_t at = 0; at < end; at++) {
		struct tally t;

		flip(path, at);
		t = walk(*state);
		assert_int_equal(t.damaged, at < last);
		assert_int_equal(t.torn, at >= last);
		assert_true(t.fault_offset <= at);
		assert_int_equal(t.hellos + t.batches, at < FILE_HEAD ? 4 : 3);
		flip(path, at);
	}
	assert_int_equal(walk(*state).damaged, 0);
}

/* What was durable is never cut: writing goes on in a new segment. */
static void test_damage_is_kept(void **state)
{
	char path[PATH_TEXT];
	struct ledger *ledger;
	struct ledger_sensor *sensor;
	struct batch_chain chain;
	struct tally t;
	uint64_t end;

	make_ledger(*state, 3);
	end = size_of(path_of(*state, "one", 1, path));
	flip(path, FILE_HEAD + ENTRY_HEAD + sizeof hello_text + 90);
	for (unsigned i = 4; i < 6; i++) {
		ledger = open_ledger(*state);
		sensor = open_sensor(ledger, "one");
		ledger_stream_chain(sensor, stream_a, &chain);
		assert_int_equal(chain.sequence, i - 1);
		add_batch(sensor, stream_a, i);
		ledger_close(ledger);
	}
	assert_int_equal(size_of(path), end);
	t = walk(*state);
	assert_int_equal(t.damaged, 1);
	assert_int_equal(t.batches, 4);
	assert_int_equal(t.last_sequence, 5);
	assert_int_equal(access(path_of(*state, "one", 3, path), F_OK), -1);

	/* The end of a segment that is not the last was durable, whatever it looks like. */
	assert_int_equal(truncate(path_of(*state, "one", 1, path), (off_t)end - 1), 0);
	t = walk(*state);
	assert_int_equal(t.damaged, 2);
	assert_int_equal(t.torn, 0);
	assert_int_equal(t.batches, 3);
}

/* More than a crash can leave behind is no torn end. */
static void test_long_garbage_is_kept(void **state)
{
	uint64_t end, added = LEDGER_UNSYNCED_MAX + 4 * LEDGER_PAYLOAD_MAX;
	char path[PATH_TEXT];
	struct ledger *ledger;

	make_ledger(*state, 1);
	end = size_of(path_of(*state, "one", 1, path));
	assert_int_equal(truncate(path, (off_t)(end + added)), 0);
	assert_int_equal(walk(*state).damaged, 1);
	ledger = open_ledger(*state);
	add_batch(open_sensor(ledger, "one"), stream_a, 2);
	ledger_close(ledger);
	assert_int_equal(size_of(path), end + added);
	assert_int_equal(access(path_of(*state, "one", 2, path), F_OK), 0);
}

/* An entry that is right in all but its length is none. */
static void test_too_long_entry(void **state)
{
	static const char file_head[FILE_HEAD] = "flowproof-ledger\0\0\0\1\0\0\0\1";
	static uint8_t payload[LEDGER_PAYLOAD_MAX + 1];
	struct segment_entry entry = {.type = SEGMENT_BATCH, .stream = stream_a, .sequence = 1};
	uint8_t head[ENTRY_HEAD];
	char path[PATH_TEXT];

	for (unsigned more = 0; more < 2; more++) {
		int fd;

		make_ledger(*state, 0);
		fd = open(path_of(*state, "one", 1, path), O_WRONLY | O_APPEND | O_TRUNC);
		assert_true(fd >= 0);
		assert_int_equal(file_write(fd, file_head, FILE_HEAD), 0);
		entry.len = LEDGER_PAYLOAD_MAX + more;
		crypto_sha256(entry.digest, payload, entry.len);
		segment_entry_head(head, &entry);
		assert_int_equal(file_write(fd, head, sizeof head), 0);
		assert_int_equal(file_write(fd, payload, entry.len), 0);
		close(fd);
		assert_int_equal(walk(*state).batches, 1 - more);
	}
}

/* Marks and lengths everywhere, made to keep a reader busy: it ends, and nothing of it is cut. */
static void test_hostile_file(void **state)
{
	static const uint8_t mark[8] = {'f', 'p', 'E', 2, 0, 3, 0xff, 0xf0};
	static uint8_t block[1 << 20];
	char path[PATH_TEXT];
	struct ledger *ledger;
	int fd;

	make_ledger(*state, 0);
	path_of(*state, "one", 1, path);
	for (size_t i = 0; i < sizeof block; i++)
		block[i] = mark[i % sizeof mark];
	fd = open(path, O_WRONLY | O_APPEND);
	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, block, sizeof block), 0);
	assert_int_equal(file_write(fd, block, sizeof block), 0);
	close(fd);
	assert_int_equal(walk(*state).damaged, 1);
	ledger = open_ledger(*state);
	(void)open_sensor(ledger, "one");
	ledger_close(ledger);
	assert_true(size_of(path) > 2 * sizeof block);
}

/* ---- segments ---- */

static void test_segments(void **state)
{
	uint8_t *big = calloc(1, LEDGER_PAYLOAD_MAX);
	uint64_t n = (LEDGER_SEGMENT_MAX - FILE_HEAD) / (ENTRY_HEAD + LEDGER_PAYLOAD_MAX) + 1;
	struct ledger *ledger = open_ledger(*state);
	struct ledger_sensor *sensor = open_sensor(ledger, "one");
	struct batch_chain chain;
	char path[PATH_TEXT];
	struct err err;
	struct tally t;

	assert_non_null(big);
	add_batch(sensor, stream_b, 7);
	for (uint64_t i = 1; i <= n; i++)
		assert_int_equal(ledger_append_batch(sensor, 1, stream_a, i, big,
						     LEDGER_PAYLOAD_MAX, &no_sum, &err),
				 0);
	free(big);
	/* Batch 7 of b and `fit` of a do not fit in one, `fit` - 1 do. What went before is durable.
	 */
	assert_true(size_of(path_of(*state, "one", 1, path)) <= LEDGER_SEGMENT_MAX);
	assert_int_equal(access(path_of(*state, "one", 2, path), F_OK), 0);
	ledger_close(ledger);
	t = walk(*state);
	assert_int_equal(t.batches, n + 1);
	assert_int_equal(t.damaged + t.torn, 0);

	/* The crash came while the second segment was begun: it is begun again from the first. */
	assert_int_equal(truncate(path, FILE_HEAD + ENTRY_HEAD), 0);
	ledger = open_ledger(*state);
	sensor = open_sensor(ledger, "one");
	ledger_stream_chain(sensor, stream_b, &chain);
	assert_int_equal(chain.sequence, 7);
	ledger_stream_chain(sensor, stream_a, &chain);
	assert_int_equal(chain.sequence, n - 1);
	add_batch(sensor, stream_a, n);
	ledger_close(ledger);

	/* Stream b has nothing in the second segment but its carry. */
	ledger = open_ledger(*state);
	sensor = open_sensor(ledger, "one");
	ledger_stream_chain(sensor, stream_b, &chain);
	assert_int_equal(chain.sequence, 7);
	ledger_stream_chain(sensor, stream_a, &chain);
	assert_int_equal(chain.sequence, n);
	ledger_close(ledger);

	assert_int_equal(unlink(path_of(*state, "one", 1, path)), 0);
	t = walk(*state);
	assert_int_equal(t.damaged, 1);
}

/* ---- the writer's failures ---- */

static void test_lock(void **state)
{
	const struct ledger_config config = {.signer = signer, .segment_s = LEDGER_SEGMENT_S};
	int ready[2], finish[2], status;
	struct ledger *ledger;
	struct err err;
	char byte = 0;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(finish), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)close(finish[1]);
		if (ledger_open(&ledger, *state, &config, 1, NULL) < 0 ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		_exit(read(finish[0], &byte, 1) == 0 ? 0 : 2); /* till our parent closes it */
	}
	(void)close(finish[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(ledger_open(&ledger, *state, &config, 1, &err), -EWOULDBLOCK);
	assert_non_null(strstr(err.text, "another collector"));
	(void)close(finish[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	ledger_close(open_ledger(*state));
	(void)close(ready[0]);
	(void)close(ready[1]);
}

static void set_file_limit(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_disk_full(void **state)
{
	struct ledger *ledger;
	struct ledger_sensor *sensor, *other;
	struct batch_chain chain;
	uint64_t durable;
	char path[PATH_TEXT];
	struct err err;
	struct tally t;

	make_ledger(*state, 2);
	ledger = open_ledger(*state);
	sensor = open_sensor(ledger, "one");
	other = open_sensor(ledger, "two");
	durable = size_of(path_of(*state, "one", 1, path));
	add_batch(sensor, stream_a, 3);
	set_file_limit(size_of(path) + ENTRY_HEAD / 2); /* the next is cut within its head */
	assert_int_equal(ledger_append_batch(sensor, 1, stream_a, 4, (const uint8_t *)batch_text,
					     sizeof batch_text, &no_sum, &err),
			 -EFBIG);
	assert_true(ledger_sensor_failed(sensor));
	assert_int_equal(ledger_append_batch(sensor, 1, stream_a, 4, (const uint8_t *)batch_text,
					     sizeof batch_text, &no_sum, &err),
			 -EIO);
	/* Another sensor is not harmed, and nothing of this one is acknowledged. */
	add_batch(other, stream_b, 1);
	assert_int_equal(ledger_commit(ledger, &err), 0);
	assert_int_equal(ledger_stream_durable(other, stream_b), 1);
	assert_int_equal(ledger_stream_durable(sensor, stream_a), 2);

	set_file_limit(RLIM_INFINITY);
	assert_ptr_equal(open_sensor(ledger, "one"), sensor);
	assert_false(ledger_sensor_failed(sensor));
	assert_int_equal(size_of(path), durable);
	ledger_stream_chain(sensor, stream_a, &chain);
	assert_int_equal(chain.sequence, 2);
	add_batch(sensor, stream_a, 3);
	assert_int_equal(ledger_commit(ledger, &err), 0);
	ledger_close(ledger);
	t = walk(*state);
	assert_int_equal(t.batches, 4);
	assert_int_equal(t.torn + t.damaged, 0);
}

static void test_refused(void **state)
{
	static uint8_t big[LEDGER_PAYLOAD_MAX + 1];
	static const char *const ids[] = {"", ".", "..", "a/b", ".hidden", "a b"};
	struct ledger *ledger = open_ledger(*state);
	struct ledger_sensor *sensor = open_sensor(ledger, "one");
	struct ledger_reader *reader;
	struct err err;

	assert_int_equal(
		ledger_append_batch(sensor, 1, stream_a, 1, big, sizeof big, &no_sum, &err),
		ERR_FULL);
	assert_false(ledger_sensor_failed(sensor));
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
		assert_int_equal(ledger_sensor_open(ledger, ids[i], &sensor, &err), ERR_FORMAT);
	ledger_close(ledger);
	assert_int_equal(ledger_reader_open(&reader, "/nonexistent/store", NULL, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
		T(test_append_and_read),
		T(test_format),
		T(test_resume),
		T(test_streams_are_bounded),
		T(test_torn_tail),
		T(test_torn_beginning),
		T(test_torn_within_a_commit),
		T(test_flipped_byte),
		T(test_damage_is_kept),
		T(test_long_garbage_is_kept),
		T(test_too_long_entry),
		T(test_hostile_file),
		T(test_segments),
		T(test_lock),
		T(test_disk_full),
		T(test_refused),
	};

	log_set_level(LOG_LEVEL_ERR); /* the warnings about torn and damaged files are expected */
	(void)signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, make_signer, free_signer);
}
