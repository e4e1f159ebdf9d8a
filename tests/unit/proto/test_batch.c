// SPDX-License-Identifier: Apache-2.0
/*
 * Batches: what is written is what is read, for every value; one small batch byte by byte as the
 * protobuf encoding (protobuf.dev, "Encoding") has it; and nothing but in-range records out of
 * damaged bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/bytes.h"
#include "proto/batch.h"
#include "proto/wire.h"

enum { TCP = 6, UDP = 17 };

struct fixture {
	struct batch_writer *writer;
	struct flowrec records[BATCH_RECORDS_MAX];
	size_t n;
	bool crossed; /* records may have a boundary's rule */
	uint64_t random;
	uint8_t bytes[BATCH_BYTES_MAX];
	size_t len;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(batch_writer_new(&f->writer), 0);
	f->random = 20240229;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	batch_writer_free(f->writer);
	free(f);
	return 0;
}

/* xorshift64 (Marsaglia 2003): the same sequence at every run. */
static uint64_t random_next(struct fixture *f)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return f->random;
}

static uint64_t random_below(struct fixture *f, uint64_t n)
{
	return (random_next(f) >> 11) % n;
}

/* Any length of varint, the longest too. */
static uint64_t random_count(struct fixture *f)
{
	return random_next(f) >> random_below(f, 64);
}

/* One of few, so that the dictionary, mirrors and "same" are met often; now and then any. */
static void random_addr(struct fixture *f, uint8_t family, struct addr *ret)
{
	size_t size = family == 4 ? 4 : 16;

	*ret = (struct addr){0};
	ret->b[size - 1] = (uint8_t)random_below(f, 5);
	if (random_below(f, 4) == 0) {
		for (size_t i = 0; i < size; i++)
			ret->b[i] = (uint8_t)random_next(f);
	}
}

static void turn(struct flowrec *rec, const struct flowrec *other)
{
	rec->family = other->family;
	rec->src = other->dst;
	rec->dst = other->src;
	rec->srcport = other->dstport;
	rec->dstport = other->srcport;
	rec->protocol = other->protocol;
	rec->rule = other->rule;
	rec->iface = other->iface;
}

static struct flowrec random_record(struct fixture *f)
{
	struct flowrec rec = {
		.start = 1700000000 + random_below(f, 120),
		.iface = (uint16_t)random_below(f, 3),
		.status = (uint8_t)(random_below(f, 8) ? FLOWREC_OK : 1 + random_below(f, 2)),
		.action = (uint8_t)random_below(f, 2),
		.direction = (uint8_t)random_below(f, 3),
		.initiator = (uint8_t)random_below(f, 3),
		.verdict = (uint8_t)random_below(f, 5),
		.outcome = (uint8_t)random_below(f, 6),
	};
	uint8_t protocols[] = {TCP, UDP, 1, (uint8_t)random_next(f)};

	if (random_below(f, 16) == 0)
		rec.start = random_below(f, INT64_MAX);
	rec.end = rec.start + random_below(f, INT64_MAX - rec.start + 1) %
				      (random_below(f, 4) ? 60 : INT64_MAX);
	if (rec.status != FLOWREC_OK)
		return rec;
	rec.packets = random_count(f);
	rec.bytes = random_count(f);
	rec.family = random_below(f, 2) ? 4 : 6;
	random_addr(f, rec.family, &rec.src);
	random_addr(f, rec.family, &rec.dst);
	rec.srcport = (uint16_t)random_count(f);
	rec.dstport = random_below(f, 2) ? 443 : (uint16_t)random_next(f);
	rec.protocol = protocols[random_below(f, 4)];
	rec.rule = random_below(f, 2) ? 1 : (uint16_t)random_next(f);
	rec.boundary = f->crossed && random_below(f, 4) ? (uint16_t)random_next(f) : 0;
	if (f->n > 0 && f->records[f->n - 1].family != 0 && random_below(f, 2))
		turn(&rec, &f->records[f->n - 1]);
	if (rec.protocol == TCP)
		rec.tcp_flags = (uint8_t)random_next(f) & 0x17;
	return rec;
}

static void add(struct fixture *f, const struct flowrec *rec)
{
	assert_true(batch_add_record(f->writer, rec));
	f->records[f->n++] = *rec;
	assert_int_equal(batch_records(f->writer), f->n);
}

static struct batch_head some_head(void)
{
	struct batch_head head = {.sequence = 1, .clock_ns = 1700000000000000000};

	memset(head.previous, 0xab, sizeof(head.previous));
	return head;
}

static void finish(struct fixture *f)
{
	struct batch_head head = some_head();

	f->len = batch_finish(f->writer, &head, f->bytes);
	assert_in_range(f->len, 1, BATCH_BYTES_MAX);
	assert_true(batch_is_empty(f->writer));
}

static void assert_same_record(const struct flowrec *a, const struct flowrec *b)
{
	assert_memory_equal(&a->src, &b->src, sizeof(a->src));
	assert_memory_equal(&a->dst, &b->dst, sizeof(a->dst));
	assert_true(a->packets == b->packets);
	assert_true(a->bytes == b->bytes);
	assert_true(a->start == b->start);
	assert_true(a->end == b->end);
	assert_int_equal(a->srcport, b->srcport);
	assert_int_equal(a->dstport, b->dstport);
	assert_int_equal(a->rule, b->rule);
	assert_int_equal(a->boundary, b->boundary);
	assert_int_equal(a->iface, b->iface);
	assert_int_equal(a->family, b->family);
	assert_int_equal(a->protocol, b->protocol);
	assert_int_equal(a->tcp_flags, b->tcp_flags);
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->action, b->action);
	assert_int_equal(a->direction, b->direction);
	assert_int_equal(a->initiator, b->initiator);
	assert_int_equal(a->verdict, b->verdict);
	assert_int_equal(a->outcome, b->outcome);
}

static struct batch *open_ok(const uint8_t *bytes, size_t len)
{
	/* A copy of exact size: reading past it is seen, and the batch must not lean on it later.
	 */
	uint8_t *copy = malloc(len + 1);
	struct err err = {""};
	struct batch *batch = NULL;
	int rc;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	rc = batch_open(&batch, copy, len, &err);
	free(copy);
	if (rc)
		fail_msg("batch_open: %s", err.text);
	return batch;
}

static void assert_reads_back(struct fixture *f)
{
	struct batch *batch = open_ok(f->bytes, f->len);
	struct flowrec rec;

	assert_int_equal(batch_record_count(batch), f->n);
	for (size_t i = 0; i < f->n; i++) {
		assert_true(batch_next(batch, &rec));
		assert_same_record(&rec, &f->records[i]);
	}
	assert_false(batch_next(batch, &rec));
	assert_false(batch_next(batch, &rec));
	batch_free(batch);
}

static void test_random(void **state)
{
	struct fixture *f = *state;

	for (size_t round = 0; round < 300; round++) {
		size_t n = round % 20 ? (size_t)random_below(f, 60) : BATCH_RECORDS_MAX;

		f->n = 0;
		f->crossed = round % 2;
		while (f->n < n) {
			struct flowrec rec = random_record(f);

			add(f, &rec);
		}
		finish(f);
		assert_reads_back(f);
	}
}

/* Every combination of the enums, kept and refused ones. */
static void test_enums(void **state)
{
	struct fixture *f = *state;

	for (unsigned bits = 0; bits < 3 * 2 * 3 * 3 * 5 * 6; bits++) {
		struct flowrec rec = {
			.status = (uint8_t)(bits % 3),
			.action = (uint8_t)(bits / 3 % 2),
			.direction = (uint8_t)(bits / 6 % 3),
			.initiator = (uint8_t)(bits / 18 % 3),
			.verdict = (uint8_t)(bits / 54 % 5),
			.outcome = (uint8_t)(bits / 270 % 6),
			.iface = 15,
		};

		if (rec.status == FLOWREC_OK)
			rec.family = 4;
		add(f, &rec);
	}
	finish(f);
	assert_reads_back(f);
}

/* The largest value everywhere, no mirror, no dictionary hit: the longest batch there can be. */
static struct flowrec largest(size_t i)
{
	struct flowrec rec = {
		.packets = UINT64_MAX,
		.bytes = UINT64_MAX,
		.start = i % 2 ? INT64_MAX : 0,
		.end = INT64_MAX,
		.srcport = UINT16_MAX,
		.dstport = UINT16_MAX,
		.rule = (uint16_t)(UINT16_MAX - i % 2),
		.boundary = UINT16_MAX,
		.iface = WIRE_INTERFACES_MAX - 1,
		.family = 6,
		.protocol = i % 2 ? TCP : 255,
		.tcp_flags = i % 2 ? 0x17 : 0,
		.action = FLOWREC_REJECT,
		.direction = FLOWREC_EGRESS,
		.initiator = FLOWREC_INITIATOR_DST,
		.verdict = i % 2 ? FLOWREC_UNEXPECTED_INBOUND : FLOWREC_UNEXPECTED_EGRESS,
		.outcome = i % 2 ? FLOWREC_DATA_OUT : FLOWREC_OUTCOME_NONE,
	};

	memset(rec.src.b, 0xff, 16);
	memset(rec.dst.b, 0xfe, 16);
	rec.src.b[0] = rec.dst.b[0] = (uint8_t)i;
	rec.src.b[1] = rec.dst.b[1] = (uint8_t)(i >> 8);
	return rec;
}

static struct batch_alert largest_alert(void)
{
	struct batch_alert alert = {
		.time_ns = UINT64_MAX,
		.suppressed = UINT64_MAX,
		.local_port = UINT16_MAX,
		.remote_port = UINT16_MAX,
		.iface = WIRE_INTERFACES_MAX - 1,
		.family = 6,
		.protocol = UINT8_MAX,
		.verdict = FLOWREC_UNEXPECTED_INBOUND,
	};

	memset(alert.local.b, 0xfd, 16);
	memset(alert.remote.b, 0xfc, 16);
	return alert;
}

static struct batch_account largest_account(void)
{
	return (struct batch_account){
		.window = UINT64_MAX,
		.received = UINT64_MAX,
		.recorded = UINT64_MAX,
		.live = UINT64_MAX,
		.not_ip = UINT64_MAX,
		.malformed = UINT64_MAX,
		.cut = UINT64_MAX,
		.kernel_dropped = UINT64_MAX,
		.nic_dropped = UINT64_MAX,
		.snapped = UINT64_MAX,
		.bad_checksum = UINT64_MAX,
		.beyond_wire = UINT64_MAX,
		.offload_frames = UINT64_MAX,
		.offload_packets = UINT64_MAX,
		.offload_bytes = UINT64_MAX,
		.allowances = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX},
		.allowances_known = true,
		.kernel_known = true,
		.nic_known = true,
		.iface = WIRE_INTERFACES_MAX - 1,
	};
}

static void test_limits(void **state)
{
	struct fixture *f = *state;
	struct batch_head head = some_head();
	struct batch_alert alert = largest_alert();
	struct batch_account account = largest_account();
	const struct batch_gap gap = {.first = UINT64_MAX - 1,
				      .last = UINT64_MAX - 1,
				      .records = UINT64_MAX,
				      .packets = UINT64_MAX,
				      .lines = UINT64_MAX,
				      .window_first = UINT64_MAX,
				      .window_last = UINT64_MAX,
				      .elsewhere = true,
				      .logs_only = true};
	struct batch_event event = {.time_ns = UINT64_MAX,
				    .values = {INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN},
				    .n_values = BATCH_EVENT_VALUES,
				    .kind = UINT8_MAX};
	struct flowrec rec;
	struct batch *batch;
	size_t n;

	head.sequence = head.clock_ns = UINT64_MAX;
	head.goodbye = head.has_clock = true;
	head.records_before = head.packets_before = head.lines_before = head.way_ns = UINT64_MAX;
	head.offset_ns = INT64_MIN;
	memset(event.text, 'e', sizeof(event.text) - 1);
	for (size_t i = 0; i < BATCH_RECORDS_MAX; i++) {
		rec = largest(i);
		add(f, &rec);
	}
	assert_false(batch_add_record(f->writer, &rec));
	for (size_t i = 0; i < BATCH_ALERTS_MAX; i++)
		assert_true(batch_add_alert(f->writer, &alert));
	assert_false(batch_add_alert(f->writer, &alert));
	assert_int_equal(batch_alerts(f->writer), BATCH_ALERTS_MAX);
	for (size_t i = 0; i < BATCH_ACCOUNTS_MAX; i++)
		assert_true(batch_add_account(f->writer, &account));
	assert_false(batch_add_account(f->writer, &account));
	for (size_t i = 0; i < BATCH_GAPS_MAX; i++)
		assert_true(batch_add_gap(f->writer, &gap));
	assert_false(batch_add_gap(f->writer, &gap));
	for (size_t i = 0; i < BATCH_EVENTS_MAX; i++)
		assert_true(batch_add_event(f->writer, &event));
	assert_false(batch_add_event(f->writer, &event));

	f->len = batch_finish(f->writer, &head, f->bytes);
	/* By hand: 89.5 bytes a record in the mean (2 of them: every second has flags, no iface).
	 */
	assert_in_range(f->len, BATCH_RECORDS_MAX * 85,
			(size_t)BATCH_WRITE_BYTES - BATCH_SIGNATURE_BYTES);
	assert_reads_back(f);
	assert_true(batch_is_empty(f->writer));

	batch = open_ok(f->bytes, f->len);
	assert_true(batch_head(batch)->goodbye);
	assert_true(batch_head(batch)->sequence == UINT64_MAX);
	assert_true(batch_head(batch)->offset_ns == INT64_MIN);
	assert_true(batch_gap_list(batch, &n)[7].last == UINT64_MAX - 1);
	assert_int_equal(n, BATCH_GAPS_MAX);
	assert_true(batch_event_list(batch, &n)[15].values[3] == INT64_MIN);
	assert_int_equal(n, BATCH_EVENTS_MAX);
	batch_free(batch);
}

/* The other direction but for one thing: its key must be written. */
static void test_near_mirrors(void **state)
{
	struct fixture *f = *state;
	const struct flowrec out = {
		.src.b = {10, 0, 0, 1},
		.dst.b = {192, 0, 2, 9},
		.srcport = 1000,
		.dstport = 2000,
		.rule = 1,
		.iface = 1,
		.family = 4,
		.protocol = UDP,
	};

	for (size_t i = 0; i < 9; i++) {
		struct flowrec back = {0};

		turn(&back, &out);
		back.src.b[3] ^= i == 1;
		back.dst.b[3] ^= i == 2;
		back.srcport ^= i == 3;
		back.dstport ^= i == 4;
		back.rule ^= i == 5;
		back.iface ^= i == 6;
		back.protocol ^= i == 7;
		back.family ^= i == 8 ? 4 ^ 6 : 0;
		add(f, &out);
		add(f, &back);
	}
	finish(f);
	assert_reads_back(f);
}

/* Two IPv6 and one IPv4 record: the indices of IPv6 follow those of IPv4 that came later. */
static void test_dictionary_order(void **state)
{
	struct fixture *f = *state;
	struct flowrec six = {
		.family = 6, .protocol = UDP, .src.b = {0xfe, 0x80, [15] = 1}, .dst.b = {0xff, 2}};
	struct flowrec four = {
		.family = 4, .protocol = UDP, .src.b = {0xfe, 0x80, 0, 0}, .dst.b = {10, 0, 0, 1}};

	add(f, &six);
	add(f, &four);
	add(f, &six);
	finish(f);
	assert_reads_back(f);
}

/* More distinct addresses that share their first bytes than a run of probes can hold. */
static void test_many_addresses(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < BATCH_RECORDS_MAX; i++) {
		struct flowrec rec = {.family = 4, .protocol = UDP, .dst.b = {192, 0, 2, 1}};

		rec.src.b[0] = 10;
		rec.src.b[2] = (uint8_t)(i >> 8);
		rec.src.b[3] = (uint8_t)i;
		add(f, &rec);
	}
	finish(f);
	assert_reads_back(f);
	/* 4 bytes for each source and 12 for each record, and little else: the destination is there
	 * once. */
	assert_in_range(f->len, BATCH_RECORDS_MAX * 4, BATCH_RECORDS_MAX * (4 + 14));
}

/* Times that the schema cannot carry are cut, the record is not lost. */
static void test_times_cut(void **state)
{
	struct fixture *f = *state;
	struct flowrec rec = {.status = FLOWREC_NODATA, .start = UINT64_MAX, .end = UINT64_MAX};
	struct flowrec back = {.status = FLOWREC_NODATA, .start = 100, .end = 99};

	add(f, &rec);
	add(f, &back);
	finish(f);
	f->records[0].start = f->records[0].end = INT64_MAX;
	f->records[1].end = 100;
	assert_reads_back(f);
}

static void test_empty(void **state)
{
	struct fixture *f = *state;
	struct batch *batch;
	size_t n;

	finish(f);
	/* 08 01, 12 20 and 32 bytes, 18 and a varint of 9 bytes */
	assert_int_equal(f->len, 2 + 34 + 10);
	batch = open_ok(f->bytes, f->len);
	assert_int_equal(batch_record_count(batch), 0);
	batch_alert_list(batch, &n);
	assert_int_equal(n, 0);
	batch_account_list(batch, &n);
	assert_int_equal(n, 0);
	batch_gap_list(batch, &n);
	assert_int_equal(n, 0);
	batch_event_list(batch, &n);
	assert_int_equal(n, 0);
	assert_false(batch_head(batch)->has_clock);
	assert_false(batch_head(batch)->is_signed);
	assert_false(batch_head(batch)->goodbye);
	batch_free(batch);
}

static void test_head_alert_account(void **state)
{
	struct fixture *f = *state;
	struct batch_head head = {
		.sequence = 9,
		.clock_ns = 77,
		.goodbye = true,
		.records_before = 70,
		.packets_before = 700,
		.has_clock = true,
		.offset_ns = -5,
		.way_ns = 6,
		.has_tables = true,
		.tables = {65536, 2, 3, 4096, 4095, 4, 5, 128, UINT64_MAX},
	};
	struct batch_gap gap = {.first = 3,
				.last = 8,
				.records = 1000,
				.packets = 5000,
				.window_first = 60,
				.window_last = 120,
				.elsewhere = true};
	const struct batch_event event = {.time_ns = 99,
					  .values = {-1, 2},
					  .n_values = 2,
					  .kind = BATCH_EVENT_CLOCK_STEP,
					  .text = "why"};
	const struct batch_event *events;
	const struct batch_gap *gaps;
	const struct batch_alert alert4 = {
		.local.b = {10, 0, 0, 1},
		.remote.b = {192, 0, 2, 9},
		.time_ns = 1234,
		.suppressed = 7,
		.local_port = 40000,
		.remote_port = 443,
		.iface = 2,
		.family = 4,
		.protocol = TCP,
		.verdict = FLOWREC_UNEXPECTED_EGRESS,
	};
	const struct batch_alert alert6 = largest_alert();
	const struct batch_account known = {
		.window = 60,
		.received = 100,
		.recorded = 50,
		.live = 20,
		.not_ip = 15,
		.malformed = 10,
		.cut = 4,
		.kernel_dropped = 0,
		.snapped = 7,
		.bad_checksum = 8,
		.beyond_wire = 9,
		.offload_frames = 21,
		.offload_packets = 22,
		.offload_bytes = 23,
		.allowances = {0, 31, 32, 33, 34},
		.allowances_known = true,
		.kernel_known = true,
		.nic_known = false,
		.iface = 3,
	};
	const struct batch_account *account;
	const struct batch_alert *alert;
	const struct batch_head *got;
	struct batch *batch;
	size_t n;

	memset(head.previous, 1, sizeof(head.previous));
	memset(gap.digest, 2, sizeof(gap.digest));
	assert_false(batch_must_be_kept(f->writer));
	assert_true(
		batch_add_event(f->writer, &(struct batch_event){.kind = BATCH_EVENT_CANARIES}));
	assert_false(batch_must_be_kept(f->writer)); /* the next window's has the same counts */
	assert_true(batch_add_gap(f->writer, &gap));
	assert_true(batch_must_be_kept(f->writer));
	assert_true(batch_add_event(f->writer, &event));
	assert_true(batch_add_alert(f->writer, &alert4));
	assert_true(batch_add_alert(f->writer, &alert6));
	assert_true(batch_add_account(f->writer, &known));
	assert_false(batch_is_empty(f->writer));
	f->len = batch_finish(f->writer, &head, f->bytes);
	batch = open_ok(f->bytes, f->len);

	got = batch_head(batch);
	assert_int_equal(got->sequence, 9);
	assert_int_equal(got->clock_ns, 77);
	assert_memory_equal(got->previous, head.previous, SHA256_BYTES);
	assert_true(got->goodbye);
	assert_int_equal(got->records_before, 70);
	assert_int_equal(got->packets_before, 700);
	assert_true(got->has_clock);
	assert_int_equal(got->offset_ns, -5);
	assert_int_equal(got->way_ns, 6);
	assert_true(got->has_tables);
	assert_memory_equal(got->tables, head.tables, sizeof head.tables);
	gaps = batch_gap_list(batch, &n);
	assert_int_equal(n, 1);
	assert_memory_equal(gaps, &gap, sizeof(gap));
	events = batch_event_list(batch, &n);
	assert_int_equal(n, 2);
	assert_memory_equal(&events[1], &event, sizeof(event));

	alert = batch_alert_list(batch, &n);
	assert_int_equal(n, 2);
	assert_memory_equal(&alert[0].local, &alert4.local, sizeof(struct addr));
	assert_memory_equal(&alert[0].remote, &alert4.remote, sizeof(struct addr));
	assert_int_equal(alert[0].time_ns, 1234);
	assert_int_equal(alert[0].suppressed, 7);
	assert_int_equal(alert[0].local_port, 40000);
	assert_int_equal(alert[0].remote_port, 443);
	assert_int_equal(alert[0].iface, 2);
	assert_int_equal(alert[0].family, 4);
	assert_int_equal(alert[0].protocol, TCP);
	assert_int_equal(alert[0].verdict, FLOWREC_UNEXPECTED_EGRESS);
	assert_memory_equal(&alert[1].remote, &alert6.remote, sizeof(struct addr));
	assert_int_equal(alert[1].family, 6);

	account = batch_account_list(batch, &n);
	assert_int_equal(n, 1);
	assert_int_equal(account->window, 60);
	assert_int_equal(account->received, 100);
	assert_int_equal(account->recorded, 50);
	assert_int_equal(account->live, 20);
	assert_int_equal(account->not_ip, 15);
	assert_int_equal(account->malformed, 10);
	assert_int_equal(account->cut, 4);
	assert_int_equal(account->snapped, 7);
	assert_int_equal(account->bad_checksum, 8);
	assert_int_equal(account->beyond_wire, 9);
	assert_int_equal(account->offload_frames, 21);
	assert_int_equal(account->offload_packets, 22);
	assert_int_equal(account->offload_bytes, 23);
	assert_true(account->allowances_known);
	assert_memory_equal(account->allowances, known.allowances, sizeof(known.allowances));
	assert_int_equal(account->iface, 3);
	assert_true(account->kernel_known);
	assert_int_equal(account->kernel_dropped, 0);
	assert_false(account->nic_known);
	batch_free(batch);
}

/* ---- bytes by hand ---- */

/* Bytes written as hex digits. */
static void put_hex(struct wr *w, const char *hex)
{
	for (; hex[0]; hex += 2) {
		char pair[3] = {hex[0], hex[1], '\0'};

		wr_u8(w, (uint8_t)strtoul(pair, NULL, 16));
	}
}

/* A field of length and bytes; the lengths here have one or two bytes. */
static void put_field(struct wr *w, uint8_t tag, const struct wr *content)
{
	size_t len = wr_len(content);

	wr_u8(w, tag);
	if (len < 0x80) {
		wr_u8(w, (uint8_t)len);
	} else {
		wr_u8(w, (uint8_t)(len & 0x7f) | 0x80);
		wr_u8(w, (uint8_t)(len >> 7));
	}
	wr_copy(w, content->start, len);
}

enum { HEAD_FIELDS = 8, RECORD_FIELDS = 16 };
#define AB8   "abababababababab"
#define AB32  AB8 AB8 AB8 AB8
#define ALERT "10041a040a0000012204c0000209"

/*
 * The fields of a batch by their numbers, records (4) apart: 10.0.0.1:40000 to 192.0.2.9:443, TCP,
 * 3 packets of 300 bytes, SYN, 1700000000 to 1700000002, egress, begun by its source, expected by
 * rule 1; and back from 443, 2 packets of 200 bytes, SYN-ACK, one second later and shorter.
 */
static const char *const known_head[HEAD_FIELDS] = {"0801", "1220" AB32, "1805", "",
						    "",     "",          "",     ""};
static const char *const known_records[RECORD_FIELDS] = {
	"0802",                 /* count 2 */
	"12080a000001c0000209", /* IPv4 addresses */
	"",                     /* no IPv6 */
	"2203862119",           /* marks 4096 + 128 + 4 + 2 and 16 + 8 + 1 */
	"2a0100",               /* source 0 */
	"320101",               /* destination 1 */
	"3a03c0b802",           /* source port 40000 */
	"4202bb03",             /* destination port 443 */
	"4a0106",               /* protocol 6 */
	"52020302",             /* packets 3, 2 */
	"5a04ac02c801",         /* bytes 300, 200 */
	"62020212",             /* flags 2, 18 */
	"6a0680c49fd50c02",     /* start: zigzag 1700000000, 1 */
	"72020201",             /* duration 2, 1 */
	"7a0101",               /* rule 1 */
	"82010100",             /* interface 0 */
};

/* Puts together the known batch with up to two fields of its records and one of the batch replaced.
 */
struct change {
	size_t field;
	const char *hex;
};

static size_t compose(uint8_t *out, size_t cap, struct change head, struct change a,
		      struct change b)
{
	struct wr w = wr_init(out, cap);
	uint8_t content[1024];
	struct wr records = wr_init(content, sizeof(content));

	for (size_t i = 1; i <= RECORD_FIELDS; i++)
		put_hex(&records, i == a.field   ? a.hex
				  : i == b.field ? b.hex
						 : known_records[i - 1]);
	for (size_t i = 1; i <= HEAD_FIELDS; i++) {
		if (i == 4)
			put_field(&w, 0x22, &records);
		put_hex(&w, i == head.field ? head.hex : known_head[i - 1]);
	}
	assert_false(w.bad);
	assert_false(records.bad);
	return wr_len(&w);
}

static void test_known_bytes(void **state)
{
	struct fixture *f = *state;
	const struct change none = {0, NULL};
	struct batch_head head = some_head();
	struct flowrec out = {
		.src.b = {10, 0, 0, 1},
		.dst.b = {192, 0, 2, 9},
		.packets = 3,
		.bytes = 300,
		.start = 1700000000,
		.end = 1700000002,
		.srcport = 40000,
		.dstport = 443,
		.rule = 1,
		.family = 4,
		.protocol = TCP,
		.tcp_flags = 2,
		.direction = FLOWREC_EGRESS,
		.initiator = FLOWREC_INITIATOR_SRC,
		.verdict = FLOWREC_EXPECTED,
		.outcome = FLOWREC_ANSWERED,
	};
	struct flowrec back = {
		.packets = 2,
		.bytes = 200,
		.start = 1700000001,
		.end = 1700000002,
		.tcp_flags = 18,
		.direction = FLOWREC_INGRESS,
		.initiator = FLOWREC_INITIATOR_DST,
		.verdict = FLOWREC_EXPECTED,
		.outcome = FLOWREC_ANSWERED,
	};
	uint8_t expected[512];
	size_t len = compose(expected, sizeof(expected), none, none, none);

	turn(&back, &out);
	add(f, &out);
	add(f, &back);
	head.clock_ns = 5;
	f->len = batch_finish(f->writer, &head, f->bytes);
	assert_int_equal(f->len, len);
	assert_memory_equal(f->bytes, expected, len);
	assert_reads_back(f);
}

/* Each row breaks one rule; the text must name it. */
static void test_refused(void **state)
{
	static const struct {
		const char *text;
		struct change a, b;
	} rows[] = {
		{"column marks has too many", .a = {1, "0801"}},
		{"column marks has too few", .a = {1, "0803"}},
		{"too many records", .a = {1, "088110"}},
		{"ends within one", .a = {2, "12070a000001c00002"}},
		{"outside the dictionary", .a = {2, "12040a000001"}},
		{"more addresses than", .a = {2, "12140a000001c0000209000000000000000000000000"}},
		{"ends within one", .a = {3, "1a0f000000000000000000000000000000"}},
		{"different families", .a = {3, "1a1000000000000000000000000000000001"},
		 .b = {6, "320102"}},
		{"different families", .a = {3, "1a1000000000000000000000000000000001"},
		 .b = {5, "2a0102"}},
		{"outside the dictionary", .a = {3, "1a1000000000000000000000000000000001"},
		 .b = {5, "2a0103"}},
		{"mark has a value", .a = {4, "2203872119"}},    /* direction 3 */
		{"mark has a value", .a = {4, "22038e2119"}},    /* initiator 3 */
		{"mark has a value", .a = {4, "220486e10119"}},  /* status 3 */
		{"mark has a value", .a = {4, "2203862519"}},    /* verdict 5 */
		{"mark has a value", .a = {4, "2203863119"}},    /* outcome 6 */
		{"mark has a value", .a = {4, "220486a10219"}},  /* bit 15 */
		{"record 1: it refers", .a = {4, "2203962119"}}, /* a mirror first */
		{"record 1: it refers", .a = {4, "2203a62119"}}, /* same first */
		{"record 2: it is marked as mirror and", .a = {4, "2203862139"}},
		{"record 2: it refers",
		 .a = {4, "220486409940"}}, /* a mirror after one without key */
		{"record 2: it refers", .a = {4, "22048640a940"}}, /* same after one without key */
		{"record 2: it refers", .a = {4, "220486019940"}}, /* a mirror without key */
		{"record 2: it refers", .a = {4, "22048601a940"}}, /* same without key */
		{"column interface has too few",
		 .a = {4, "220486018640"}}, /* the second has no key */
		{"column marks has too few", .a = {4, "22028621"}},
		{"outside the dictionary", .a = {5, "2a0102"}},
		{"column source has too many", .a = {5, "2a020001"}},
		{"column source has too few", .a = {5, ""}},
		{"outside the dictionary", .a = {6, "320102"}},
		{"column destination has too few", .a = {6, ""}},
		{"port is above", .a = {7, "3a03808004"}},
		{"column source_port has too many", .a = {7, "3a020101"}},
		{"column source_port has too few", .a = {7, ""}},
		{"port is above", .a = {8, "4203808004"}},
		{"column destination_port has too few", .a = {8, ""}},
		{"protocol is above", .a = {9, "4a028002"}},
		{"column protocol has too few", .a = {9, ""}},
		{"column tcp_flags has too many", .a = {9, "4a0111"}},
		{"column packets has too few", .a = {10, "520103"}},
		{"column packets has too many", .a = {10, "5203030201"}},
		{"column bytes has too few", .a = {11, "5a02ac02"}},
		{"column bytes has too many", .a = {11, "5a0501020304"
							"05"}},
		{"column tcp_flags has too few", .a = {12, "620102"}},
		{"TCP flags", .a = {12, "62020812"}},
		{"TCP flags", .a = {12, "62020220"}},
		{"times are out of range", .a = {13, "6a0681c49fd50c02"}},
		{"times are out of range", .a = {13, "6a0f80c49fd50cfeffffffffffffffff01"}},
		{"column start has too few", .a = {13, "6a0580c49fd50c"}},
		{"times are out of range", .a = {14, "720bffffffffffffffffff0101"}},
		{"column duration has too many", .a = {14, "7203020101"}},
		{"rule's number", .a = {15, "7a03808004"}},
		{"column rule has too few", .a = {15, ""}},
		{"column rule has too many", .a = {15, "7a020101"}},
		{"interface's number", .a = {16, "82010110"}},
		{"column interface has too few", .a = {16, ""}},
		{"column interface has too many", .a = {16, "8201020000"}},
		{"records have a field that is unknown", .a = {1, "0802900101"}},
		{"column boundary has too few values", .a = {1, "0802880101"}},
		{"not a message of its kind", .a = {4, "22ff860419"}},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct batch *batch = NULL;
		struct err err = {""};

		f->len = compose(f->bytes, sizeof(f->bytes), (struct change){0, NULL}, rows[i].a,
				 rows[i].b);
		if (batch_open(&batch, f->bytes, f->len, &err) != ERR_FORMAT || batch ||
		    !strstr(err.text, rows[i].text))
			fail_msg("row %zu, \"%s\": \"%s\"", i, rows[i].text, err.text);
	}
}

static void test_refused_head(void **state)
{
	static const struct {
		const char *text; /* NULL: accepted */
		struct change head;
	} rows[] = {
		{NULL, {1, "0807"}},
		{"sequence is 0", {1, ""}},
		{"32 bytes", {2, ""}},
		{"32 bytes", {2, "121f" AB8 AB8 AB8 "ababababababab"}},
		{"32 bytes", {2, "1221" AB32 "ab"}},
		{"field that is unknown", {3, "1805980601"}},
		{NULL, {5, "2a100803" ALERT}},
		{"verdict", {5, "2a100805" ALERT}},
		{"family's size",
		 {5, "2a1008031005"
		     "1a040a0000012204c0000209"}},
		{"family's size",
		 {5, "2a1008031006"
		     "1a040a0000012204c0000209"}},
		{"family's size",
		 {5, "2a0a08031004"
		     "2204c0000209"}},
		{"family's size",
		 {5, "2a0a08031004"
		     "1a040a000001"}},
		{NULL, {5, "2a140803" ALERT "28ffff03"}},
		{"port", {5, "2a140803" ALERT "28808004"}},
		{"port", {5, "2a140803" ALERT "30808004"}},
		{"protocol", {5, "2a130803" ALERT "388002"}},
		{NULL, {5, "2a120803" ALERT "480f"}},
		{"interface", {5, "2a120803" ALERT "4810"}},
		{"alert has a field that is unknown", {5, "2a120803" ALERT "5801"}},
		{NULL, {6, "3202100f"}},
		{"account's interface", {6, "32021010"}},
		{"five allowances", {6, "32048a010101"}},
		{NULL, {6, "32088a01050102030405"}},
		{"account has a field that is unknown", {6, "3203900101"}},
		{NULL, {1, "08053a26080210041a20" AB32}},
		{"32 bytes", {1, "08053a25080210041a1f" AB8 AB8 AB8 "ababababababab"}},
		{"out of order",
		 {1, "08053a24"
		     "10041a20" AB32}},
		{"out of order", {1, "08053a26080410031a20" AB32}},
		{"gap has a field that is unknown", {1, "08053a28080210041a20" AB32 "5801"}},
		{NULL, {1, "080562020801"}},
		{NULL, {1, "0805620308ff01"}},
		{"event's kind", {1, "080562021001"}},
		{"event's kind", {1, "08056203088002"}},
		{"event's kind",
		 {1, "0805620908011a05"
		     "0102030405"}},
		{"event's kind",
		 {1, "0805620508012201"
		     "0a"}},
		{"event has a field that is unknown", {1, "0805620408012801"}},
		{"field that is unknown", {1, "08055a021801"}},
		{NULL, {1, "0805a2060103"}},
		{NULL, {8, "4001"}},
	};
	struct fixture *f = *state;
	const struct change none = {0, NULL};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct batch *batch = NULL;
		struct err err = {""};
		int rc;

		f->len = compose(f->bytes, sizeof(f->bytes), rows[i].head, none, none);
		rc = batch_open(&batch, f->bytes, f->len, &err);
		if (rows[i].text ? rc != ERR_FORMAT || batch || !strstr(err.text, rows[i].text)
				 : rc != 0)
			fail_msg("row %zu, \"%s\": \"%s\"", i, rows[i].text ? rows[i].text : "",
				 err.text);
		batch_free(batch);
	}
}

/* `n` times the same field behind a valid batch. */
static int open_repeated(struct fixture *f, const char *hex, size_t n, struct err *err)
{
	const struct change none = {0, NULL};
	struct batch *batch = NULL;
	struct wr w = wr_init(f->bytes, sizeof(f->bytes));
	int rc;

	f->len = compose(f->bytes, sizeof(f->bytes), none, none, none);
	(void)wr_room(&w, f->len);
	for (size_t i = 0; i < n; i++)
		put_hex(&w, hex);
	assert_false(w.bad);
	rc = batch_open(&batch, f->bytes, wr_len(&w), err);
	batch_free(batch);
	return rc;
}

static void test_refused_counts(void **state)
{
	struct fixture *f = *state;
	struct batch *batch = NULL;
	struct err err;

	assert_int_equal(open_repeated(f, "2a100803" ALERT, BATCH_ALERTS_MAX, &err), 0);
	assert_int_equal(open_repeated(f, "2a100803" ALERT, BATCH_ALERTS_MAX + 1, &err),
			 ERR_FORMAT);
	assert_non_null(strstr(err.text, "too many alerts"));
	assert_int_equal(open_repeated(f, "3200", BATCH_ACCOUNTS_MAX, &err), 0);
	assert_int_equal(open_repeated(f, "3200", BATCH_ACCOUNTS_MAX + 1, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "too many alerts or accounts"));
	/* Two bytes each, which want a whole structure. */
	assert_int_equal(open_repeated(f, "3200", 100000, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "memory"));
	assert_int_equal(open_repeated(f, "2200", 100000, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "memory"));

	memset(f->bytes, 0, sizeof(f->bytes));
	assert_int_equal(batch_open(&batch, f->bytes, BATCH_BYTES_MAX + 1, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "at most"));
	assert_int_equal(batch_open(&batch, f->bytes, 0, &err), ERR_FORMAT);
}

/* ---- size and damage ---- */

/* Both directions of `flows` flows of one machine in a minute, as a server or client sees them. */
static void realistic(struct fixture *f, size_t flows)
{
	static const uint16_t ports[] = {443, 443, 443, 443, 80, 53, 53, 22};

	for (size_t i = 0; i < flows; i++) {
		uint64_t packets = 1 + random_below(f, 1 + (UINT64_C(1) << random_below(f, 10)));
		struct flowrec rec = {
			.src.b = {172, 31, 5, 20},
			.packets = packets,
			.bytes = packets * (60 + random_below(f, 900)),
			.start = 1700000000 + random_below(f, 60),
			.srcport = (uint16_t)(32768 + random_below(f, 28232)),
			.dstport = ports[random_below(f, 8)],
			.rule = (uint16_t)(1 + random_below(f, 3)),
			.family = 4,
			.direction = FLOWREC_EGRESS,
			.initiator = FLOWREC_INITIATOR_SRC,
			.verdict = FLOWREC_EXPECTED,
			.outcome = (uint8_t)(random_below(f, 4) ? FLOWREC_DATA_OUT
								: random_below(f, 6)),
		};
		struct flowrec back;
		uint64_t remote = random_below(f, 200);

		memcpy(rec.dst.b,
		       (uint8_t[]){52, 95, (uint8_t)(remote * 7), (uint8_t)(remote * 31)}, 4);
		rec.protocol = rec.dstport == 53 ? UDP : TCP;
		rec.tcp_flags = rec.protocol == TCP ? 3 : 0;
		rec.end = rec.start + random_below(f, 1700000060 - rec.start);
		back = rec;
		turn(&back, &rec);
		back.direction = FLOWREC_INGRESS;
		back.initiator = FLOWREC_INITIATOR_DST;
		back.tcp_flags = rec.protocol == TCP ? 19 : 0;
		back.bytes = packets * (60 + random_below(f, 1400));
		add(f, &rec);
		add(f, &back);
	}
}

static void test_size(void **state)
{
	struct fixture *f = *state;

	realistic(f, 500);
	finish(f);
	assert_reads_back(f);
	print_message("# %zu records: %zu bytes, %.1f a record\n", f->n, f->len,
		      (double)f->len / (double)f->n);
	/* The budget of 16 holds with TLS, which takes under 40 bytes for each 16 KiB. */
	assert_in_range(f->len, f->n, f->n * 15);
}

/* Opens bytes that may be damaged; what is accepted must be in range. True if accepted. */
static bool open_damaged(const uint8_t *bytes, size_t len)
{
	struct batch *batch = NULL;
	struct err err = {""};
	struct flowrec rec;
	size_t n = 0;

	if (batch_open(&batch, bytes, len, &err)) {
		assert_null(batch);
		assert_true(err.text[0]);
		return false;
	}
	while (batch_next(batch, &rec)) {
		assert_in_range(rec.status, FLOWREC_OK, FLOWREC_SKIPDATA);
		assert_true(rec.status == FLOWREC_OK ? rec.family == 4 || rec.family == 6
						     : rec.family == 0);
		assert_in_range(rec.action, FLOWREC_ACCEPT, FLOWREC_REJECT);
		assert_in_range(rec.direction, FLOWREC_DIRECTION_UNKNOWN, FLOWREC_EGRESS);
		assert_in_range(rec.initiator, FLOWREC_INITIATOR_UNKNOWN, FLOWREC_INITIATOR_DST);
		assert_in_range(rec.verdict, FLOWREC_VERDICT_NONE, FLOWREC_UNEXPECTED_INBOUND);
		assert_in_range(rec.outcome, FLOWREC_OUTCOME_NONE, FLOWREC_DATA_OUT);
		assert_in_range(rec.iface, 0, WIRE_INTERFACES_MAX - 1);
		assert_true(rec.start <= rec.end && rec.end <= INT64_MAX);
		assert_int_equal(rec.tcp_flags & ~0x17, 0);
		assert_true(rec.protocol == TCP || rec.tcp_flags == 0);
		n++;
	}
	assert_int_equal(n, batch_record_count(batch));
	assert_in_range(n, 0, BATCH_RECORDS_MAX);
	assert_true(batch_head(batch)->sequence >= 1);
	batch_free(batch);
	return true;
}

static void test_damage(void **state)
{
	struct fixture *f = *state;
	struct batch_head head = some_head();
	struct batch_alert alert = largest_alert();
	struct batch_account account = largest_account();
	size_t accepted = 0;
	const struct batch_gap gap = {.first = 98, .last = 99, .records = 1};
	const struct batch_event event = {.kind = 1, .n_values = 1, .text = "event"};

	head.sequence = 100;
	head.goodbye = true;
	f->crossed = true;
	while (f->n < 60) {
		struct flowrec rec = random_record(f);

		add(f, &rec);
	}
	assert_true(batch_add_alert(f->writer, &alert));
	assert_true(batch_add_account(f->writer, &account));
	assert_true(batch_add_gap(f->writer, &gap));
	assert_true(batch_add_event(f->writer, &event));
	f->len = batch_finish(f->writer, &head, f->bytes);
	assert_true(open_damaged(f->bytes, f->len));

	for (size_t len = 0; len < f->len; len++) {
		/* On its own, so that a read past the end is seen. */
		uint8_t *cut = malloc(len + 1);

		assert_non_null(cut);
		memcpy(cut, f->bytes, len);
		accepted += open_damaged(cut, len);
		free(cut);
	}
	/* Cut between two fields: after the digest, clock, records, alert, account, gap and goodbye. */
	assert_int_equal(accepted, 7);

	for (size_t i = 0; i < 20000; i++) {
		size_t at = (size_t)random_below(f, f->len);
		uint8_t was = f->bytes[at];

		f->bytes[at] ^= (uint8_t)(1 + random_below(f, 255));
		(void)open_damaged(f->bytes, f->len);
		f->bytes[at] = was;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
		cmocka_unit_test_setup_teardown(test_enums, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_near_mirrors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dictionary_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_times_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_head_alert_account, setup, teardown),
		cmocka_unit_test_setup_teardown(test_known_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_head, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_size, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
