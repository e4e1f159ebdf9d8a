// SPDX-License-Identifier: Apache-2.0
/*
 * Endpoint digests: through a batch and back, what a reader refuses, their text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/batch.h"
#include "proto/endpoint_columns.h"

static uint64_t rnd_state = 20260102;

static uint64_t rnd(uint64_t n)
{
	rnd_state = rnd_state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (rnd_state >> 33) % n;
}

static struct endpoint_digest random_digest(void)
{
	struct endpoint_digest d = {
		.port = (uint16_t)rnd(65536),
		.rule = (uint16_t)(rnd(2) ? 0 : rnd(65536)),
		.family = rnd(4) ? 4 : 6,
		.protocol = (uint8_t)rnd(256),
		.direction = (uint8_t)rnd(3),
		.outcome = (uint8_t)rnd(6),
		.verdict = (uint8_t)rnd(5),
		.gave_way = rnd(2),
		.first = rnd(2) ? 1700000000 + rnd(100000) : rnd(INT32_MAX),
		.packets_out = rnd(1000) << rnd(50),
		.bytes_out = rnd(1000) << rnd(50),
		.packets_in = rnd(1000) << rnd(50),
		.bytes_in = rnd(1000) << rnd(50),
		.flows = 1 + rnd(1000),
	};

	d.last = d.first + rnd(100000);
	for (unsigned i = 0; i < (d.family == 4 ? 4 : 16); i++)
		d.remote.b[i] = (uint8_t)rnd(256);
	return d;
}

static void assert_same(const struct endpoint_digest *a, const struct endpoint_digest *b)
{
	assert_memory_equal(&a->remote, &b->remote, sizeof a->remote);
	assert_int_equal(a->port, b->port);
	assert_int_equal(a->rule, b->rule);
	assert_int_equal(a->family, b->family);
	assert_int_equal(a->protocol, b->protocol);
	assert_int_equal(a->direction, b->direction);
	assert_int_equal(a->outcome, b->outcome);
	assert_int_equal(a->verdict, b->verdict);
	assert_int_equal(a->gave_way, b->gave_way);
	assert_int_equal(a->first, b->first);
	assert_int_equal(a->last, b->last);
	assert_int_equal(a->packets_out, b->packets_out);
	assert_int_equal(a->bytes_out, b->bytes_out);
	assert_int_equal(a->packets_in, b->packets_in);
	assert_int_equal(a->bytes_in, b->bytes_in);
	assert_int_equal(a->flows, b->flows);
}

/* Writes a batch of these digests, gives its length, and reads it back. */
static size_t through(const struct endpoint_digest *digests, size_t n, uint64_t left_out)
{
	static uint8_t bytes[BATCH_WRITE_BYTES];
	struct batch_head head = {.sequence = 1,
				  .has_tables = left_out > 0,
				  .tables = {[BATCH_ENDPOINTS_LEFT_OUT] = left_out}};
	const struct endpoint_digest *list;
	struct batch_writer *w;
	struct batch *b;
	struct err err;
	size_t len, got;

	assert_int_equal(batch_writer_new(&w), 0);
	for (size_t i = 0; i < n; i++)
		assert_true(batch_add_endpoint(w, &digests[i]));
	assert_int_equal(batch_endpoints(w), n);
	assert_int_equal(batch_is_empty(w), n == 0);
	assert_int_equal(batch_must_be_kept(w), n > 0);
	len = batch_finish(w, &head, bytes);
	assert_int_equal(batch_endpoints(w), 0);
	if (batch_open(&b, bytes, len, &err) != 0)
		fail_msg("%s", err.text);
	list = batch_endpoint_list(b, &got);
	assert_int_equal(got, n);
	for (size_t i = 0; i < n; i++)
		assert_same(&list[i], &digests[i]);
	assert_int_equal(batch_head(b)->tables[BATCH_ENDPOINTS_LEFT_OUT], left_out);
	batch_free(b);
	batch_writer_free(w);
	return len;
}

static void there_and_back(void **state)
{
	static struct endpoint_digest digests[BATCH_WRITE_ENDPOINTS];

	(void)state;
	through(digests, 0, 0);
	for (unsigned round = 0; round < 50; round++) {
		size_t n = 1 + rnd(BATCH_WRITE_ENDPOINTS);

		for (size_t i = 0; i < n; i++)
			digests[i] = random_digest();
		through(digests, n, rnd(2) ? 0 : rnd(1 << 30));
	}
}

/* The largest values everywhere stay within what is set aside, and one more is refused. */
static void the_longest(void **state)
{
	static struct endpoint_digest digests[BATCH_WRITE_ENDPOINTS];
	struct endpoint_columns *c = calloc(1, sizeof *c);

	(void)state;
	assert_non_null(c);
	endpoint_columns_reset(c);
	for (size_t i = 0; i < BATCH_WRITE_ENDPOINTS; i++) {
		digests[i] = (struct endpoint_digest){
			.port = UINT16_MAX,
			.rule = UINT16_MAX,
			.family = 6,
			.protocol = UINT8_MAX,
			.outcome = FLOWREC_DATA_OUT,
			.verdict = FLOWREC_UNEXPECTED_INBOUND,
			.gave_way = true,
			.first = i % 2 ? INT64_MAX : 0,
			.last = INT64_MAX,
			.packets_out = UINT64_MAX,
			.bytes_out = UINT64_MAX,
			.packets_in = UINT64_MAX,
			.bytes_in = UINT64_MAX,
			.flows = UINT64_MAX,
		};
		memset(digests[i].remote.b, 0xff, 16);
		assert_true(endpoint_columns_add(c, &digests[i]));
	}
	assert_false(endpoint_columns_add(c, &digests[0]));
	free(c);
	assert_true(through(digests, BATCH_WRITE_ENDPOINTS, UINT64_MAX) <=
		    512 + BATCH_WRITE_ENDPOINTS_BYTES);
}

/* Of one machine's destinations in a minute. */
static void size(void **state)
{
	static struct endpoint_digest digests[BATCH_WRITE_ENDPOINTS];
	size_t len;

	(void)state;
	for (size_t i = 0; i < BATCH_WRITE_ENDPOINTS; i++) {
		uint64_t packets = 1 + rnd(1 + (UINT64_C(1) << rnd(10)));

		digests[i] = random_digest();
		digests[i].family = 4;
		memset(digests[i].remote.b + 4, 0, 12);
		digests[i].port = 443;
		digests[i].protocol = 6;
		digests[i].direction = FLOWREC_EGRESS;
		digests[i].gave_way = false;
		digests[i].rule = 1;
		digests[i].flows = 1 + rnd(20);
		digests[i].first = 1700000000 + rnd(60);
		digests[i].last = digests[i].first + rnd(60);
		digests[i].packets_out = digests[i].packets_in = packets;
		digests[i].bytes_out = packets * (60 + rnd(900));
		digests[i].bytes_in = packets * (60 + rnd(1400));
	}
	len = through(digests, BATCH_WRITE_ENDPOINTS, 0);
	print_message("# %d endpoints: %zu bytes, %.1f each\n", BATCH_WRITE_ENDPOINTS, len,
		      (double)len / BATCH_WRITE_ENDPOINTS);
	assert_true(len <= BATCH_WRITE_ENDPOINTS * (size_t)25);
}

/* Each breaks one rule of two good digests, one of each family. */
static void refused(void **state)
{
	enum {
		LENGTH,
		SHORT4,
		LONG6,
		MARK,
		OUTCOME,
		VERDICT,
		DIRECTION,
		PORT,
		PROTOCOL,
		RULE,
		EARLY,
		LATE,
		RULES
	};
	static struct endpoint_digest out[BATCH_ENDPOINTS_MAX];
	struct endpoint_columns *c = calloc(1, sizeof *c);
	size_t n;

	(void)state;
	assert_non_null(c);
	for (int rule = -1; rule < RULES; rule++) {
		struct endpoint_digest good = {.family = 4, .first = 10, .last = 20, .outcome = 1};
		const char *broken;

		endpoint_columns_reset(c);
		assert_true(endpoint_columns_add(c, &good));
		good.family = 6;
		assert_true(endpoint_columns_add(c, &good));
		switch (rule) {
		case LENGTH: c->message.n_flows--; break;
		case SHORT4: c->message.addresses4.len--; break;
		case LONG6: c->message.addresses6.len++; break;
		case MARK: c->marks[1] |= 1 << 10; break;
		case OUTCOME: c->marks[1] |= 7 << 1; break;
		case VERDICT: c->marks[1] |= 7 << 4; break;
		case DIRECTION:
			c->marks[0] = c->marks[0] % 128 | 1 << 7;
			break; /* egress ^ 1 = 3 */
		case PORT: c->port[0] = 65536; break;
		case PROTOCOL: c->protocol[1] = 256; break;
		case RULE: c->rule[1] = 65536; break;
		case EARLY: c->first[1] = -11; break;
		case LATE: c->duration[0] = INT64_MAX - 9; break;
		default: break;
		}
		broken = endpoint_columns_read(&c->message, out, &n);
		if ((broken == NULL) != (rule < 0))
			fail_msg("rule %d: %s", rule, broken ? broken : "accepted");
		assert_int_equal(n, rule < 0 ? 2 : 0);
	}
	free(c);
}

static void text(void **state)
{
	struct endpoint_digest d = {.remote = {{203, 0, 113, 9}},
				    .port = 443,
				    .family = 4,
				    .protocol = 6,
				    .direction = FLOWREC_EGRESS,
				    .outcome = FLOWREC_DATA_OUT,
				    .verdict = FLOWREC_UNEXPECTED_EGRESS,
				    .first = 100,
				    .last = 200,
				    .packets_out = 3,
				    .bytes_out = 300,
				    .packets_in = 2,
				    .bytes_in = UINT64_MAX,
				    .flows = 1};
	char line[ENDPOINT_LINE_MAX];

	(void)state;
	assert_string_equal(
		endpoint_line(line, &d, NULL),
		"egress 203.0.113.9 443 6 100 200 3 300 2 18446744073709551615 1 data_out "
		"unexpected_egress - kept");
	d.gave_way = true;
	d.direction = FLOWREC_DIRECTION_UNKNOWN;
	d.verdict = FLOWREC_VERDICT_NONE;
	assert_string_equal(
		endpoint_line(line, &d, "site:3"),
		"- 203.0.113.9 443 6 100 200 3 300 2 18446744073709551615 1 data_out - site:3 "
		"gave_way");
	assert_string_equal(endpoint_header,
			    "direction remote port protocol first last packets-out bytes-out "
			    "packets-in bytes-in flows outcome verdict rule state");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back), cmocka_unit_test(the_longest),
		cmocka_unit_test(size),           cmocka_unit_test(refused),
		cmocka_unit_test(text),
	};

	return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
