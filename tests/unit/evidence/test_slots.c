// SPDX-License-Identifier: Apache-2.0
/*
 * Objects of records: how large they become, which names they get, and that the same lines of two streams are two. What is in them is
 * taken apart by zlib, lines are counted; names are AWS's examples (Amazon VPC User Guide, "Flow log files").
 */
#include "evidence/slots.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "evidence/slots_parts.h"
#include "platform/gunzip.h"
#include "tests/unit/evidence/keys.h"
#include "tests/unit/evidence/sensors.h"

enum { OBJECTS = 2048, TEXT_MAX = 1 << 20 };

static struct {
	size_t n, lines, largest;
	char keys[OBJECTS][OBJECT_KEY_MAX];
	int fail; /* what put returns at the object of this number - 1 */
	size_t fail_at;
} got;

/* Lines of the object. */
static size_t lines_of(const struct object *o)
{
	static uint8_t text[TEXT_MAX];
	uint8_t *p = text;
	const uint8_t *in = o->bytes;
	struct gunzip *gunzip;
	struct err err = {""};
	size_t n = 0;

	assert_int_equal(gunzip_new(&gunzip, &gunzip_zlib), 0);
	assert_int_equal(gunzip_step(gunzip, &in, o->bytes + o->len, &p, text + TEXT_MAX, &err), 0);
	assert_true(gunzip_is_whole(gunzip) && in == o->bytes + o->len);
	assert_int_equal(gunzip_members(gunzip), 1);
	gunzip_free(gunzip);
	for (const uint8_t *c = text; c < p; c++)
		n += *c == '\n';
	return n;
}

static int put(void *ctx, const struct object *o, struct err *err)
{
	(void)ctx;
	assert_true(got.n < OBJECTS);
	if (got.fail && got.n == got.fail_at)
		return err_set(err, got.fail, "no room");
	(void)snprintf(got.keys[got.n], OBJECT_KEY_MAX, "%s", o->key);
	for (size_t i = 0; i < got.n; i++)
		assert_string_not_equal(got.keys[i], o->key);
	assert_int_equal(lines_of(o), o->records + 1); /* the header */
	got.lines += o->records;
	got.largest = o->len > got.largest ? o->len : got.largest;
	got.n++;
	return 0;
}

static bool wants(void *ctx, const struct ledger_entry *entry, uint64_t start_s, uint64_t end_s,
		  uint64_t at_s)
{
	(void)ctx, (void)entry;
	assert_true(start_s <= end_s && at_s == end_s);
	return true;
}

static struct slots *begin(size_t roll)
{
	struct slots_config config = {
		.roll = roll, .wants = wants, .put = put, .flow_log = "fl-1234abcd"};
	struct slots *slots = NULL;
	struct err err = {""};

	memset(&got, 0, sizeof got);
	assert_int_equal(slots_options(&config, "", NULL, NULL, NULL, NULL, &err), 0);
	assert_int_equal(slots_new(&slots, &config, &err), 0);
	return slots;
}

/* A batch of n records that end at from_s + 1 and on. */
static int add(struct slots *slots, struct maker *m, unsigned n, uint64_t from_s)
{
	struct ledger_entry entry = {.kind = LEDGER_BATCH, .sensor = m->id, .stream = m->stream};
	struct batch *batch;
	struct err err = {""};
	int rc;

	maker_batch(m, n, from_s, MAKER_PLAIN);
	entry.sequence = m->chain.sequence;
	assert_int_equal(batch_open(&batch, m->bytes, m->len, &err), 0);
	rc = slots_batch(slots, &entry, NULL, batch);
	batch_free(batch);
	return rc;
}

static void names_are_amazons(void **state)
{
	static const struct {
		enum slots_layout layout;
		const char *prefix, *key;
	} want[] = {
		{SLOTS_DEFAULT, "",
		 "AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/"
		 "123456789012_vpcflowlogs_us-east-1_fl-1234abcd_20180620T1620Z_fe123456.log.gz"},
		{SLOTS_HOURLY, "my/logs",
		 "my/logs/AWSLogs/123456789012/vpcflowlogs/us-east-1/2018/06/20/16/"
		 "123456789012_vpcflowlogs_us-east-1_fl-1234abcd_20180620T1620Z_fe123456.log.gz"},
		{SLOTS_HIVE, "",
		 "AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/"
		 "year=2018/month=06/day=20/"
		 "123456789012_vpcflowlogs_us-east-1_fl-1234abcd_20180620T1620Z_fe123456.log.gz"},
		{SLOTS_HIVE_HOURLY, "",
		 "AWSLogs/aws-account-id=123456789012/aws-service=vpcflowlogs/aws-region=us-east-1/"
		 "year=2018/month=06/day=20/hour=16/"
		 "123456789012_vpcflowlogs_us-east-1_fl-1234abcd_20180620T1620Z_fe123456.log.gz"},
	};
	const struct slots_owner owner = {.account = "123456789012", .region = "us-east-1"};
	const uint8_t digest[SHA256_BYTES] = {0xfe, 0x12, 0x34, 0x56};
	const uint64_t at = 1529511600; /* date -d 2018-06-20T16:20Z +%s */
	char key[OBJECT_KEY_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		struct slots_config config = {.layout = want[i].layout,
					      .prefix = want[i].prefix,
					      .flow_log = "fl-1234abcd"};

		assert_int_equal(slots_key(key, &config, SLOTS_FLOW, &owner, at / SLOT_S, digest),
				 0);
		assert_string_equal(key, want[i].key);
		assert_int_equal(
			slots_key(key, &config, SLOTS_FLOW, &owner, (at + 299) / SLOT_S, digest),
			0);
		assert_string_equal(key, want[i].key);
		/* Whatever a sensor says of the time, the year has four digits. */
		assert_int_equal(
			slots_key(key, &config, SLOTS_FLOW, &owner, UINT64_MAX / SLOT_S, digest),
			0);
		assert_non_null(strstr(key, "_99991231T2355Z_"));
	}
}

static void what_is_no_word_is_not_believed(void **state)
{
	static const char *const bad[] = {
		"",    "..",       "../x",
		"a/b", "a b",      "-a",
		"a.b", "\xc3\xa4", "0123456789012345678901234567890123456789"};
	struct flowrec_identity identity;
	struct slots_owner owner;

	(void)state;
	flowrec_identity_init(&identity);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		identity.text[FLOWREC_T_ACCOUNT_ID] = identity.text[FLOWREC_T_REGION] = bad[i];
		slots_owner_of(&owner, &identity);
		assert_string_equal(owner.account, "000000000000");
		assert_string_equal(owner.region, "local");
	}
}

/* No object is larger than it may be, and no line is lost. */
static void rolls_over(void **state)
{
	static const size_t rolls[] = {60000, 100000, 300000};

	(void)state;
	for (size_t i = 0; i < sizeof rolls / sizeof rolls[0]; i++) {
		struct maker *m = maker_new("one", 'a', NULL);
		struct slots *slots = begin(rolls[i]);

		for (unsigned k = 0; k < 200; k++)
			assert_int_equal(add(slots, m, 100, 1700000100), 0);
		assert_int_equal(slots_finish(slots), 0);
		assert_int_equal(got.lines, 200 * 100);
		assert_true(got.largest <= rolls[i]);
		assert_true(i > 0 || got.n > 2);
		slots_free(slots);
		maker_free(m);
	}
}

/* More slots at once than can be: the oldest give way, each line is in one object. */
static void many_slots(void **state)
{
	struct maker *m = maker_new("one", 'a', NULL);
	struct slots *slots = begin(0);

	(void)state;
	for (unsigned round = 0; round < 2; round++)
		for (unsigned k = 0; k < SLOTS_OPEN_MAX + 100; k++)
			assert_int_equal(add(slots, m, 1, 1700000100 + (uint64_t)k * SLOT_S), 0);
	assert_true(got.n >= 100);
	assert_int_equal(slots_finish(slots), 0);
	assert_int_equal(got.lines, 2 * (SLOTS_OPEN_MAX + 100));
	slots_free(slots);
	maker_free(m);
}

/* put() checks that no key comes twice. */
static void the_same_lines_of_two_streams_are_two_objects(void **state)
{
	struct maker *one = maker_new("one", 'a', NULL), *two = maker_new("one", 'b', NULL);
	struct slots *slots = begin(0);
	char first[OBJECT_KEY_MAX];

	(void)state;
	assert_int_equal(add(slots, one, 3, 1700000100), 0);
	assert_int_equal(slots_finish(slots), 0);
	assert_int_equal(add(slots, two, 3, 1700000100), 0);
	assert_int_equal(slots_finish(slots), 0);
	assert_int_equal(got.n, 2);
	(void)snprintf(first, sizeof first, "%s", got.keys[0]);
	slots_free(slots);
	maker_free(one);
	/* And the same again is the same. */
	one = maker_new("one", 'a', NULL);
	slots = begin(0);
	assert_int_equal(add(slots, one, 3, 1700000100), 0);
	slots_forget(slots);
	assert_int_equal(slots_finish(slots), 0);
	assert_int_equal(got.n, 0);
	maker_free(one);
	one = maker_new("one", 'a', NULL);
	assert_int_equal(add(slots, one, 3, 1700000100), 0);
	assert_int_equal(slots_finish(slots), 0);
	assert_string_equal(got.keys[0], first);
	slots_free(slots);
	maker_free(one);
	maker_free(two);
}

static void a_failure_comes_back(void **state)
{
	struct maker *m = maker_new("one", 'a', NULL);
	struct slots *slots = begin(0);

	(void)state;
	assert_int_equal(add(slots, m, 1, 1700000100), 0);
	assert_int_equal(add(slots, m, 1, 1700000400), 0);
	got.fail = -ENOSPC;
	got.fail_at = 1;
	assert_int_equal(slots_finish(slots), -ENOSPC);
	assert_string_equal(slots_error(slots), "no room");
	slots_free(slots);
	maker_free(m);
}

static void options_are_checked(void **state)
{
	static const char *const bad[] = {"/",  "/a",     "a/",      "a//b", ".",
					  "..", "a/../b", "AWSLogs", "a b",  "a?b"};
	struct slots_config config;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(slots_options(&config, "", NULL, NULL, NULL, bad[i], &err),
				 ERR_USAGE);
	assert_int_equal(slots_options(&config, "", NULL, NULL, NULL, "a/b-c_1.2", &err), 0);
	assert_int_equal(slots_options(&config, "", "parquet", "hive", "end start", "", &err), 0);
	assert_int_equal(config.fields.n, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_amazons),
		cmocka_unit_test(what_is_no_word_is_not_believed),
		cmocka_unit_test(rolls_over),
		cmocka_unit_test(many_slots),
		cmocka_unit_test(the_same_lines_of_two_streams_are_two_objects),
		cmocka_unit_test(a_failure_comes_back),
		cmocka_unit_test(options_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
