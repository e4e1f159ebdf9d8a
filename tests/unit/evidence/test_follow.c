// SPDX-License-Identifier: Apache-2.0
/*
 * The ledger followed while it is written: every batch once and in order, however it is cut into looks; an entry
 * that is half there comes when it is whole.
 */
#include "evidence/follow.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "evidence/ledger_segment.h"
#include "platform/clock.h"
#include "tests/unit/evidence/keys.h"
#include "tests/unit/evidence/sensors.h"

static const char store[] = "store";
static const uint64_t t0 = 1700000000 * (uint64_t)NS_PER_S;
static struct crypto_signer *collector, *one_key, *two_key;

static uint64_t at(unsigned s)
{
	return t0 + s * (uint64_t)NS_PER_S;
}

/* What was told: "h" for a hello, the number of records for a batch, "g", "f"; a letter of the sensor before. */
struct told {
	char text[256];
	int stop_at; /* batches until the op returns 7; 0: never */
};

static void note(struct told *told, const struct ledger_entry *entry, const char *what)
{
	size_t n = strlen(told->text);

	(void)snprintf(told->text + n, sizeof told->text - n, "%c%s ", entry->sensor[0], what);
}

static int on_hello(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello)
{
	assert_string_equal(hello->sensor, entry->sensor);
	note(ctx, entry, "h");
	return 0;
}

static int on_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		    struct batch *batch)
{
	struct told *told = ctx;
	char text[16];

	(void)hello;

	(void)snprintf(text, sizeof text, "%zu", batch_record_count(batch));
	note(told, entry, text);
	return told->stop_at > 0 && --told->stop_at == 0 ? 7 : 0;
}

static int on_gap(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		  const struct batch_gap *gap)
{
	(void)hello;
	(void)gap;
	note(ctx, entry, "g");
	return 0;
}

static int on_fault(void *ctx, const struct ledger_entry *entry)
{
	note(ctx, entry, "f");
	return 0;
}

static const struct replay_ops ops = {
	.hello = on_hello, .batch = on_batch, .gap = on_gap, .fault = on_fault};

static void expect(struct follow *follow, struct told *told, uint64_t budget, const char *text)
{
	struct err err = {""};
	int rc;

	told->text[0] = '\0';
	while ((rc = follow_on(follow, budget, &err)) == 1)
		;
	if (rc != 0)
		fail_msg("%d: %s", rc, err.text);
	assert_string_equal(told->text, text);
}

static struct follow *follow_at(struct told *told)
{
	struct follow *follow = NULL;
	struct err err;

	*told = (struct told){.stop_at = 0};
	assert_int_equal(follow_new(&follow, store, &ops, told, &err), 0);
	return follow;
}

static struct ledger *open_ledger(unsigned s, uint64_t retain_s)
{
	const struct ledger_config config = {
		.signer = collector, .segment_s = 5, .retain_s = retain_s};
	struct ledger *ledger = NULL;
	struct err err = {""};

	if (ledger_open(&ledger, store, &config, at(s), &err) != 0)
		fail_msg("%s", err.text);
	return ledger;
}

static void seal_at(struct ledger *ledger, unsigned s)
{
	struct err err = {""};

	if (ledger_seal(ledger, at(s), &err) != 0)
		fail_msg("%s", err.text);
}

static void comes_as_it_is_appended(void **state)
{
	struct maker *one = maker_new("one", 'a', one_key), *two = maker_new("two", 'b', two_key);
	struct told told;
	struct follow *follow = follow_at(&told);
	struct ledger *ledger;

	(void)state;
	expect(follow, &told, 1 << 20, ""); /* no store yet */
	ledger = open_ledger(0, 0);
	expect(follow, &told, 1 << 20, "");
	maker_put_hello(one, ledger, t0);
	maker_put_batch(one, ledger, t0, 1, MAKER_PLAIN);
	expect(follow, &told, 1 << 20, "oh o1 ");
	expect(follow, &told, 1 << 20, "");
	maker_put_batch(one, ledger, t0, 2, MAKER_PLAIN);
	maker_put_hello(two, ledger, t0);
	maker_put_gap(one, ledger, t0, 1);
	expect(follow, &told, 1 << 20, "o2 og th ");
	seal_at(ledger,
		10); /* the segments close: the next ones repeat hellos, which are not told again */
	maker_put_batch(one, ledger, at(11), 3, MAKER_PLAIN);
	maker_put_batch(two, ledger, at(11), 4, MAKER_PLAIN);
	expect(follow, &told, 1 << 20, "o3 t4 ");
	ledger_close(ledger);
	follow_free(follow);

	/* Whoever comes late has the same, a byte a look or all at once; sensors by the folder's order. */
	follow = follow_at(&told);
	told.text[0] = '\0';
	{
		struct err err;
		unsigned looks = 0;

		while (follow_on(follow, 1, &err) == 1)
			looks++;
		assert_true(looks >= 7); /* seven entries were told, one a look */
		assert_non_null(strstr(told.text, "oh o1 o2 og o3 "));
		assert_non_null(strstr(told.text, "th t4 "));
	}
	follow_free(follow);
	maker_free(one);
	maker_free(two);
}

/* A batch of which the file holds all but the last byte, then all. */
static void waits_for_the_whole(void **state)
{
	struct maker *one = maker_new("one", 'a', one_key);
	struct ledger *ledger = open_ledger(0, 0);
	struct told told;
	struct follow *follow = follow_at(&told);
	struct stat st;
	uint8_t last;
	int fd;

	(void)state;
	maker_put_hello(one, ledger, t0);
	maker_put_batch(one, ledger, t0, 5, MAKER_PLAIN);
	ledger_close(ledger);
	fd = open("store/one/00000001.fpl", O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(pread(fd, &last, 1, st.st_size - 1), 1);
	assert_int_equal(ftruncate(fd, st.st_size - 1), 0);
	expect(follow, &told, 1 << 20, "oh ");
	expect(follow, &told, 1 << 20, "");
	assert_int_equal(pwrite(fd, &last, 1, st.st_size - 1), 1);
	expect(follow, &told, 1 << 20, "o5 ");
	assert_int_equal(close(fd), 0);
	follow_free(follow);
	maker_free(one);
}

/* What an op returns comes back, and the next look goes on behind it. A damaged byte is told once. */
static void stops_and_goes_on(void **state)
{
	struct maker *one = maker_new("one", 'a', one_key);
	struct ledger *ledger = open_ledger(0, 0);
	struct told told;
	struct follow *follow = follow_at(&told);
	struct err err;
	uint8_t byte;
	int fd;

	(void)state;
	maker_put_hello(one, ledger, t0);
	for (unsigned i = 1; i <= 3; i++) {
		maker_put_batch(one, ledger, t0, i, MAKER_PLAIN);
		assert_int_equal(ledger_commit(ledger, &err), 0);
	}
	told.stop_at = 1;
	assert_int_equal(follow_on(follow, 1 << 20, &err), 7);
	expect(follow, &told, 1 << 20, "o2 o3 ");
	follow_free(follow);

	/* The first byte of the hello's payload: durable by the word of what follows. */
	fd = open("store/one/00000001.fpl", O_RDWR);
	assert_int_equal(pread(fd, &byte, 1, 128), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 128), 1);
	assert_int_equal(close(fd), 0);
	follow = follow_at(&told);
	told.text[0] = '\0';
	assert_int_equal(follow_on(follow, 1 << 20, &err), 0);
	assert_string_equal(told.text, "of o1 o2 o3 ");
	ledger_close(ledger);
	follow_free(follow);
	maker_free(one);
}

/* Segments that retention took before they were read are passed over. */
static void passes_over_what_was_deleted(void **state)
{
	struct maker *one = maker_new("one", 'a', one_key);
	struct ledger *ledger = open_ledger(0, 10);
	struct told told;
	struct follow *follow = follow_at(&told);

	(void)state;
	maker_put_hello(one, ledger, t0);
	maker_put_batch(one, ledger, t0, 1, MAKER_PLAIN);
	expect(follow, &told, 1 << 20, "oh o1 ");
	seal_at(ledger, 6);
	maker_put_batch(one, ledger, at(7), 2, MAKER_PLAIN);
	seal_at(ledger, 13);
	maker_put_batch(one, ledger, at(40), 3, MAKER_PLAIN);
	seal_at(ledger, 50); /* those that ended before 40 s go */
	assert_int_equal(access("store/one/00000001.fpl", F_OK), -1);
	assert_int_equal(access("store/one/00000002.fpl", F_OK), -1);
	told.text[0] = '\0';
	{
		struct err err;

		assert_int_equal(follow_on(follow, 1 << 20, &err), 0);
	}
	assert_null(strstr(told.text, "o2 "));
	assert_non_null(strstr(told.text, "o3 "));
	ledger_close(ledger);
	follow_free(follow);
	maker_free(one);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int remove_store(void **state)
{
	(void)state;
	(void)nftw(store, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return access(store, F_OK) == 0 ? -1 : 0;
}

static int make_all(void **state)
{
	int rc = keys_make(state);

	if (rc == 0) {
		keys_issue("ca", "one", CRYPTO_CLIENT, "one");
		keys_issue("ca", "two", CRYPTO_CLIENT, "two");
		collector = keys_signer("collector");
		one_key = keys_signer("one");
		two_key = keys_signer("two");
	}
	return rc;
}

static int free_all(void **state)
{
	crypto_signer_free(collector);
	crypto_signer_free(one_key);
	crypto_signer_free(two_key);
	return keys_remove(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(comes_as_it_is_appended, remove_store),
		cmocka_unit_test_teardown(waits_for_the_whole, remove_store),
		cmocka_unit_test_teardown(stops_and_goes_on, remove_store),
		cmocka_unit_test_teardown(passes_over_what_was_deleted, remove_store),
	};

	return cmocka_run_group_tests(tests, make_all, free_all);
}
