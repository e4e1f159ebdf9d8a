// SPDX-License-Identifier: Apache-2.0
/*
 * The detectors from made-up records: where each begins to speak.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "evidence/limits.h"
#include "platform/clock.h"
#include "tests/unit/evidence/made.h"

static void test_ports(void **state)
{
	static const struct {
		uint8_t protocol, verdict;
		uint16_t port;
		const char *remote;
		int kind; /* -1: none */
		uint8_t severity;
	} rows[] = {
		{UDP, EGRESS, 53, "203.0.113.9", FINDING_DNS_OTHER_RESOLVER, FINDING_MEDIUM},
		{TCP, EGRESS, 53, "10.9.9.9", FINDING_DNS_OTHER_RESOLVER, FINDING_MEDIUM},
		{UDP, FLOWREC_WATCHED, 53, "10.0.0.2", -1, 0}, /* the resolver, says the policy */
		{UDP, FLOWREC_EXPECTED, 53, "10.0.0.2", -1, 0},
		{UDP, FLOWREC_EXPECTED, 53, "169.254.169.253", -1, 0},
		{UDP, FLOWREC_EXPECTED, 53, "8.8.8.8", FINDING_DNS_OTHER_RESOLVER, FINDING_INFO},
		{TCP, EGRESS, 853, "203.0.113.9", FINDING_DOT, FINDING_MEDIUM},
		{UDP, EGRESS, 853, "203.0.113.9", FINDING_DOT, FINDING_MEDIUM},
		{TCP, FLOWREC_WATCHED, 853, "203.0.113.9", FINDING_DOT, FINDING_LOW},
		{TCP, EGRESS, 25, "203.0.113.9", FINDING_SPAM, FINDING_MEDIUM},
		{TCP, EGRESS, 465, "203.0.113.9", FINDING_SPAM, FINDING_MEDIUM},
		{TCP, EGRESS, 587, "203.0.113.9", FINDING_SPAM, FINDING_MEDIUM},
		{UDP, EGRESS, 25, "203.0.113.9", -1, 0},
		{TCP, EGRESS, 443, "1.1.1.1", FINDING_DOH, FINDING_MEDIUM},
		{UDP, EGRESS, 443, "45.90.31.255", FINDING_DOH, FINDING_MEDIUM}, /* 45.90.28.0/22 */
		{TCP, EGRESS, 443, "45.90.32.0", -1, 0},
		{TCP, EGRESS, 80, "1.1.1.1", -1, 0},
		{GRE, EGRESS, 0, "203.0.113.9", FINDING_ODD_PROTOCOL, FINDING_MEDIUM},
		{2, FLOWREC_WATCHED, 0, "224.0.0.22", FINDING_ODD_PROTOCOL, FINDING_INFO},
		{UDP, EGRESS, 47, "203.0.113.9", -1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct findings *f = fresh(NULL);
		struct flowrec rec = call(rows[i].protocol, rows[i].port, FLOWREC_SENT);
		const struct finding *const *all;
		int kind = -1;
		size_t n;

		rec.verdict = rows[i].verdict;
		rec.dst = addr_of(rows[i].remote);
		add(f, rec);
		all = sorted(f, &n);
		for (size_t k = 0; k < n; k++) {
			if (all[k]->key.kind == FINDING_UNEXPECTED_EGRESS)
				continue;
			kind = all[k]->key.kind;
			assert_int_equal(all[k]->severity, rows[i].severity);
		}
		assert_int_equal(kind, rows[i].kind);
		findings_free(f);
	}
}

static void test_volume(void **state)
{
	struct findings *f = fresh(NULL);
	struct flowrec rec = call(TCP, 443, FLOWREC_DATA_OUT);

	(void)state;
	rec.bytes = VOLUME_BYTES - 1;
	add(f, rec);
	assert_null(of_kind(f, FINDING_VOLUME));
	rec.bytes = 1;
	add(f, rec);
	assert_non_null(of_kind(f, FINDING_VOLUME));
	assert_int_equal(of_kind(f, FINDING_VOLUME)->count, VOLUME_BYTES);
	findings_free(f);

	f = fresh(NULL); /* a download */
	rec.bytes = VOLUME_BYTES;
	add(f, rec);
	rec = record(EGRESS, DST, false, 50000, 443);
	rec.bytes = VOLUME_BYTES;
	add(f, rec);
	assert_null(of_kind(f, FINDING_VOLUME));
	findings_free(f);
}

/* Little to each of many: together it is much. Regular calls, each time to another. */
static void test_spread(void **state)
{
	struct findings *f = fresh(NULL);
	const struct finding *one;

	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		struct flowrec rec = call(TCP, 443, FLOWREC_DATA_OUT);

		rec.bytes = VOLUME_BYTES / 16;
		rec.start = rec.end = 1000 + 60 * i;
		rec.dst.b[3] = (uint8_t)i;
		add(f, rec);
		if (i < 15)
			assert_null(of_kind(f, FINDING_VOLUME));
		assert_int_equal(of_kind(f, FINDING_BEACON) != NULL, i >= BEACON_TIGHT);
	}
	one = of_kind(f, FINDING_VOLUME);
	assert_int_equal(one->count, VOLUME_BYTES);
	assert_int_equal(finding_addresses(one), 16);
	assert_int_equal(one->remote.b[3], 0);
	assert_int_equal(one->key.port, 443);
	assert_int_equal(one->first, 1000);
	assert_int_equal(one->last, 1900);
	one = of_kind(f, FINDING_BEACON);
	assert_int_equal(one->values[0], 600);
	assert_int_equal(finding_addresses(one), 16);
	findings_free(f);
}

/* Hours apart, so that each falls into a minute of its own; two of 256 bits may be one by chance: the minutes
 * here were seen not to. */
static void drip(struct findings *f, unsigned n, uint64_t gap, uint64_t bytes, uint8_t outcome)
{
	for (unsigned i = 0; i < n; i++) {
		struct flowrec rec = call(TCP, 443, outcome);

		rec.start = rec.end = 36000 + i * gap;
		rec.bytes = bytes;
		add(f, rec);
	}
}

static void test_drip(void **state)
{
	static const struct {
		unsigned n;
		uint64_t gap, bytes;
		uint8_t outcome;
		bool found;
	} rows[] = {
		{DRIP_MINUTES, DRIP_SPAN_S / (DRIP_MINUTES - 1), 900, FLOWREC_DATA_OUT, true},
		{DRIP_MINUTES - 1, DRIP_SPAN_S, 900, FLOWREC_DATA_OUT, false},
		{DRIP_MINUTES, DRIP_SPAN_S / (DRIP_MINUTES - 1) - 1, 900, FLOWREC_DATA_OUT, false},
		{DRIP_MINUTES, DRIP_SPAN_S, DRIP_BYTES, FLOWREC_DATA_OUT, false},
		{DRIP_MINUTES, DRIP_SPAN_S, 900, FLOWREC_UNANSWERED, false},
		{24, 3600, 900, FLOWREC_DATA_OUT, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct findings *f = fresh(NULL);

		drip(f, rows[i].n, rows[i].gap, rows[i].bytes, rows[i].outcome);
		assert_int_equal(of_kind(f, FINDING_DRIP) != NULL, rows[i].found);
		if (rows[i].found)
			assert_int_equal(of_kind(f, FINDING_DRIP)->severity, FINDING_MEDIUM);
		findings_free(f);
	}
}

/* DNS to the resolver, all day. */
static void test_drip_watched(void **state)
{
	struct findings *f = fresh(NULL);

	(void)state;
	for (unsigned i = 0; i < 24; i++) {
		struct flowrec rec = call(17, 53, FLOWREC_DATA_OUT);

		rec.start = rec.end = 36000 + i * 3600;
		rec.verdict = FLOWREC_WATCHED;
		add(f, rec);
	}
	assert_int_equal(of_kind(f, FINDING_DRIP)->severity, FINDING_INFO);
	findings_free(f);
}

/* Errors that answer a scan of UDP ports quote what came: of many sizes, one way, and a rule watches them. */
static void test_icmp_errors(void **state)
{
	static const uint8_t verdicts[] = {FLOWREC_WATCHED, FLOWREC_EXPECTED, EGRESS};

	(void)state;
	for (size_t i = 0; i < sizeof verdicts; i++) {
		struct findings *f = fresh(NULL);
		struct flowrec rec = call(ICMP, 0, FLOWREC_UNANSWERED);

		rec.verdict = verdicts[i];
		rec.packets = ICMP_PACKETS;
		for (uint64_t size = 56; size <= 576; size *= 3) {
			rec.bytes = rec.packets * size;
			add(f, rec);
		}
		assert_int_equal(of_kind(f, FINDING_ICMP_TUNNEL) != NULL, verdicts[i] == EGRESS);
		findings_free(f);
	}
}

static void test_icmp_tunnel(void **state)
{
	static const struct {
		uint64_t packets, out1, out2, in; /* bytes of two records out, one in */
		bool found;
	} rows[] = {
		{10, 840, 840, 840, false},                       /* ping: 84 bytes each */
		{10, 10 * ICMP_SIZE, 10 * ICMP_SIZE, 2000, true}, /* long ones */
		{10, 10 * ICMP_SIZE - 20, 10 * ICMP_SIZE - 20, 1980, false},
		{10, 840, 840 + 10 * ICMP_CHANGE, 840, true}, /* of changing size */
		{10, 840, 840, 840 + 10 * ICMP_CHANGE, true}, /* answered with other bytes */
		{1, 1500, 1500, 1500, false},                 /* two, to learn the MTU */
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct findings *f = fresh(NULL);
		struct flowrec rec = call(ICMP, 0, FLOWREC_ANSWERED);

		rec.packets = rows[i].packets;
		rec.bytes = rows[i].out1;
		add(f, rec);
		rec.bytes = rows[i].out2;
		add(f, rec);
		rec = record(EGRESS, DST, false, 0, 0);
		rec.protocol = ICMP;
		rec.packets = rows[i].packets;
		rec.bytes = rows[i].in;
		add(f, rec);
		assert_int_equal(of_kind(f, FINDING_ICMP_TUNNEL) != NULL, rows[i].found);
		findings_free(f);
	}
}

static void probe(struct findings *f, unsigned n, bool ports, uint8_t outcome)
{
	for (unsigned i = 0; i < n; i++) {
		struct flowrec rec = call(TCP, ports ? (uint16_t)(20 + i) : 22, outcome);

		rec.packets = 1;
		rec.bytes = 44;
		rec.start = rec.end = 1000 + i;
		if (!ports)
			rec.dst.b[3] = (uint8_t)i;
		add(f, rec);
	}
}

static void test_scans(void **state)
{
	static const struct {
		uint8_t outcome;
		unsigned sweep, scan; /* so many are enough */
	} rows[] = {
		{FLOWREC_SENT, SWEEP_ADDRESSES, SCAN_PORTS},
		{FLOWREC_UNANSWERED, SWEEP_ADDRESSES, SCAN_PORTS},
		{FLOWREC_REFUSED, SWEEP_ADDRESSES, SCAN_PORTS},
		{FLOWREC_ANSWERED, SCAN_OPEN, SCAN_OPEN},
	};
	const struct finding *one;
	struct findings *f;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		unsigned n = rows[i].sweep;

		f = fresh(NULL);
		probe(f, n - 1, false, rows[i].outcome);
		assert_null(of_kind(f, FINDING_SWEEP));
		probe(f, n, false, rows[i].outcome);
		one = of_kind(f, FINDING_SWEEP);
		assert_non_null(one);
		assert_int_equal(one->count, n);
		assert_int_equal(one->key.port, 22);
		assert_int_equal(one->remote.b[3], 0); /* the first one */
		assert_int_equal(one->traffic.packets_out,
				 2 * n - 1); /* those of the first call twice */
		assert_null(of_kind(f, FINDING_SCAN));
		findings_free(f);

		n = rows[i].scan;
		f = fresh(NULL);
		probe(f, n - 1, true, rows[i].outcome);
		assert_null(of_kind(f, FINDING_SCAN));
		probe(f, n, true, rows[i].outcome);
		one = of_kind(f, FINDING_SCAN);
		assert_non_null(one);
		assert_int_equal(one->count, n);
		assert_int_equal(one->key.port, 0);
		assert_int_equal(one->first, 1000);
		assert_int_equal(one->last, 1000 + n - 1);
		assert_null(of_kind(f, FINDING_SWEEP));
		findings_free(f);
	}
	f = fresh(NULL); /* a client of many servers */
	probe(f, 50, false, FLOWREC_DATA_OUT);
	assert_null(of_kind(f, FINDING_SWEEP));
	findings_free(f);
}

static char *list_file(const char *text)
{
	static char path[] = "/tmp/flowproof-watch-XXXXXX";
	int fd;

	memcpy(path + sizeof path - 7, "XXXXXX", 6);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(close(fd), 0);
	return path;
}

static void test_watch(void **state)
{
	static const struct {
		const char *remote, *entry; /* NULL: not on the list */
		uint8_t verdict;
	} rows[] = {
		{"203.0.113.9", "203.0.113.9", EGRESS},
		{"203.0.113.10", NULL, EGRESS},
		{"198.51.100.77", "198.51.100.64/26", FLOWREC_EXPECTED},
		{"198.51.100.63", NULL, EGRESS},
	};
	struct watch_list *list;
	struct err err;
	char *path = list_file("# suspects\n203.0.113.9 # c2\r\n\n198.51.100.64/26\n"
			       "198.51.100.0/24x\n");

	(void)state;
	assert_int_equal(watch_new(&list), 0);
	assert_int_equal(watch_add_file(list, path, &err), ERR_USAGE);
	assert_non_null(strstr(err.text, ":5:"));
	unlink(path);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct findings_config config = {.max = 100, .watch = list};
		struct flowrec rec = call(TCP, 443, FLOWREC_SENT);
		const struct finding *one;
		struct findings *f;

		assert_int_equal(findings_new(&f, &config, &err), 0);
		rec.verdict = rows[i].verdict;
		rec.dst = addr_of(rows[i].remote);
		add(f, rec);
		one = of_kind(f, FINDING_WATCH_LIST);
		assert_int_equal(one != NULL, rows[i].entry != NULL);
		if (one) {
			assert_string_equal(one->name, rows[i].entry);
			assert_int_equal(one->severity, FINDING_HIGH);
		}
		findings_free(f);
	}
	watch_free(list);
}

static void test_watch_names(void **state)
{
	struct watch_list *list;
	struct err err;
	char *path = list_file("Evil.example.\nsub.example.org\n");

	(void)state;
	assert_int_equal(watch_new(&list), 0);
	assert_int_equal(watch_add_file(list, path, &err), 0);
	unlink(path);
	assert_int_equal(watch_count(list), 2);
	assert_string_equal(watch_find_name(list, "evil.example"), "evil.example");
	assert_string_equal(watch_find_name(list, "a.b.EVIL.example."), "evil.example");
	assert_null(watch_find_name(list, "notevil.example"));
	assert_null(watch_find_name(list, "example.org"));
	assert_string_equal(watch_find_name(list, "x.sub.example.org"), "sub.example.org");
	watch_free(list);
}

/* The same records in any order, asked for in between or not: the same findings. */
static void test_any_order(void **state)
{
	enum { N = 60, ROUNDS = 40 };
	struct flowrec recs[N];
	uint64_t random = 1;
	size_t n = 0, expected = 0;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		recs[i] = call(TCP, i % 3 ? 22 : (uint16_t)(20 + i), FLOWREC_UNANSWERED);
		recs[i].start = recs[i].end = 36000 + i * 600;
		recs[i].packets = 1;
		recs[i].bytes = 44;
		if (i % 3 == 1)
			recs[i].dst.b[3] = (uint8_t)i;
		if (i % 3 == 2) {
			recs[i].dst.b[2] = 7;
			recs[i].outcome = FLOWREC_DATA_OUT;
		}
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct findings *f = fresh(NULL);
		uint64_t sum = 0;
		const struct finding *const *all;

		for (unsigned i = N; i > 1; i--) {
			struct flowrec swap = recs[i - 1];
			unsigned j;

			random = random * 6364136223846793005U + 1442695040888963407U;
			j = (unsigned)(random >> 33) % i;
			recs[i - 1] = recs[j];
			recs[j] = swap;
		}
		for (unsigned i = 0; i < N; i++) {
			add(f, recs[i]);
			if (round % 2)
				(void)count(f);
		}
		all = sorted(f, &n);
		for (size_t i = 0; i < n; i++)
			sum = sum * 31 + all[i]->key.kind * 7U + all[i]->count + all[i]->first +
			      all[i]->last + all[i]->traffic.bytes_out + all[i]->severity;
		assert_non_null(of_kind(f, FINDING_DRIP));
		assert_non_null(of_kind(f, FINDING_SWEEP));
		assert_non_null(of_kind(f, FINDING_SCAN));
		if (round == 0)
			expected = sum;
		assert_int_equal(sum, expected);
		findings_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),        cmocka_unit_test(test_volume),
		cmocka_unit_test(test_spread),       cmocka_unit_test(test_drip),
		cmocka_unit_test(test_drip_watched), cmocka_unit_test(test_icmp_errors),
		cmocka_unit_test(test_icmp_tunnel),  cmocka_unit_test(test_scans),
		cmocka_unit_test(test_watch),        cmocka_unit_test(test_watch_names),
		cmocka_unit_test(test_any_order),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
