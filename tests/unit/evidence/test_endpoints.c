// SPDX-License-Identifier: Apache-2.0
/*
 * Digests added up: what includes what, over streams, gaps and endpoints that gave way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "evidence/endpoints.h"

static struct endpoints *e;
static const struct endpoint_sum *sums;
static size_t n;

static struct endpoint_digest digest(uint8_t host, uint64_t first, uint64_t last, uint64_t packets)
{
	return (struct endpoint_digest){.remote = {{203, 0, 113, host}},
					.port = 443,
					.family = 4,
					.protocol = 6,
					.direction = FLOWREC_EGRESS,
					.outcome = FLOWREC_SENT,
					.verdict = FLOWREC_EXPECTED,
					.rule = 1,
					.first = first,
					.last = last,
					.packets_out = packets,
					.bytes_out = packets * 100,
					.packets_in = packets / 2,
					.bytes_in = packets * 7,
					.flows = 1 + packets / 10};
}

static void add(const char *sensor, bool is_replay, char stream, const char *rule,
		struct endpoint_digest d)
{
	uint8_t id[WIRE_STREAM_ID];
	struct endpoints_source source = {sensor, is_replay, id, rule};

	memset(id, stream, sizeof id);
	assert_int_equal(endpoints_add(e, &source, &d), 0);
}

static void begin(void)
{
	assert_int_equal(endpoints_new(&e), 0);
}

static void sum_up(size_t expected)
{
	sums = endpoints_sum(e, &n);
	assert_non_null(sums);
	assert_int_equal(n, expected);
}

static void totals(size_t i, uint64_t packets_out, uint64_t first, uint64_t last)
{
	assert_int_equal(sums[i].digest.packets_out, packets_out);
	assert_int_equal(sums[i].digest.bytes_out, packets_out * 100);
	assert_int_equal(sums[i].digest.first, first);
	assert_int_equal(sums[i].digest.last, last);
}

/* The last digest of a stream counts; a second stream of the sensor is added, another sensor and a replay stand apart. */
static void what_is_added(void **state)
{
	(void)state;
	begin();
	add("web", false, 1, "site", digest(9, 10, 20, 4));
	add("web", false, 2, "site", digest(9, 100, 120, 40));
	add("web", false, 1, "site", digest(9, 10, 60, 16));
	add("web", true, 3, "site", digest(9, 5, 6, 1000));
	add("db", false, 4, NULL, digest(9, 5, 6, 2));
	sum_up(3);
	assert_string_equal(sums[0].sensor, "db");
	assert_null(sums[0].rule);
	totals(0, 2, 5, 6);
	assert_string_equal(sums[1].sensor, "web");
	assert_false(sums[1].is_replay);
	assert_string_equal(sums[1].rule, "site");
	totals(1, 16 + 40, 10, 120);
	assert_int_equal(sums[1].digest.packets_in, 8 + 20);
	assert_int_equal(sums[1].digest.flows, 2 + 5);
	assert_true(sums[2].is_replay);
	totals(2, 1000, 5, 6);
	endpoints_free(e);
}

/* What gave way ends a count, also when the next one grew beyond it; so does a total that fell, where the word was lost. */
static void what_gave_way(void **state)
{
	struct endpoint_digest d = digest(9, 10, 20, 6);

	(void)state;
	begin();
	d.gave_way = true;
	add("web", false, 1, "site", d);
	add("web", false, 1, "site", digest(9, 30, 40, 50));
	add("web", false, 1, "site", digest(9, 30, 41, 60));
	add("web", false, 1, "site", digest(9, 90, 91, 3));
	d = digest(8, 1, 2, 1);
	d.gave_way = true;
	add("web", false, 1, "site", d);
	sum_up(2);
	totals(0, 1, 1, 2);
	assert_true(sums[0].digest.gave_way);
	totals(1, 6 + 60 + 3, 10, 91);
	assert_false(sums[1].digest.gave_way);
	endpoints_free(e);
}

/* Each part of the key makes another endpoint; the graver verdict and what was reached stay. */
static void what_is_one(void **state)
{
	struct endpoint_digest d = digest(9, 10, 20, 1);

	(void)state;
	begin();
	add("web", false, 1, "site", d);
	d.port = 80;
	add("web", false, 1, "site", d);
	d.protocol = 17;
	add("web", false, 1, "site", d);
	d.family = 6;
	add("web", false, 1, "site", d);
	d.direction = FLOWREC_INGRESS;
	add("web", false, 1, "site", d);
	d = digest(9, 10, 20, 1);
	d.outcome = FLOWREC_ANSWERED;
	d.verdict = FLOWREC_UNEXPECTED_EGRESS;
	d.rule = 0;
	add("web", false, 1, NULL, d);
	d = digest(9, 30, 30, 1);
	add("web", false, 2, "site", d);
	sum_up(5);
	assert_int_equal(sums[4].digest.direction, FLOWREC_INGRESS);
	for (size_t i = 0; i < n; i++)
		if (sums[i].digest.port == 443) {
			assert_int_equal(sums[i].digest.packets_out, 2);
			assert_int_equal(sums[i].digest.outcome, FLOWREC_ANSWERED);
			assert_int_equal(sums[i].digest.verdict, FLOWREC_UNEXPECTED_EGRESS);
			assert_null(sums[i].rule);
		}
	endpoints_free(e);
}

/* More digests than are kept at once: what later ones include is dropped on the way, and nothing else. Each endpoint gives way
 * once, at its 200th digest; number 7 falls back once without a word, which counts as an end too. */
static void many(void **state)
{
	enum { HOSTS = 50, DIGESTS = 500 };

	(void)state;
	begin();
	for (unsigned k = 1; k <= DIGESTS; k++) {
		for (unsigned host = 0; host < HOSTS; host++) {
			struct endpoint_digest d =
				digest((uint8_t)host, 1000, 1000 + k, k <= 200 ? k : k - 200);

			d.gave_way = k == 200;
			if (host == 7 && k > 300)
				d = digest((uint8_t)host, 1000, 1000 + k, k - 300);
			add("web", false, 1, "site", d);
		}
	}
	sum_up(HOSTS);
	for (unsigned i = 0; i < HOSTS; i++)
		totals(i, sums[i].digest.remote.b[3] == 7 ? 200 + 100 + 200 : 200 + 300, 1000,
		       1000 + DIGESTS);
	assert_int_equal(endpoints_left_out(e), 0);
	endpoints_free(e);
}

static void nothing(void **state)
{
	(void)state;
	begin();
	sum_up(0);
	endpoints_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_added), cmocka_unit_test(what_gave_way),
		cmocka_unit_test(what_is_one),   cmocka_unit_test(many),
		cmocka_unit_test(nothing),
	};

	return cmocka_run_group_tests_name("endpoints", tests, NULL, NULL);
}
