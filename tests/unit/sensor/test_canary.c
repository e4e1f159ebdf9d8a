// SPDX-License-Identifier: Apache-2.0
/*
 * Canaries: what is due, what came back, and what is missing. Lengths by arithmetic: an IPv4 datagram is 28 bytes
 * longer than its payload, an IPv6 one 48.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sensor/canary.h"

static const uint8_t stream[WIRE_STREAM_ID] = {1, 2, 3, 4};
static const struct flow_count none = {0, 0};

/* Sends the next one at `now`; its payload's length. With `answer`, what the collector sends back for it. */
static size_t send_one(struct canary_run *run, uint16_t pad, uint64_t now,
		       uint8_t answer[static CANARY_MAX])
{
	uint8_t random[CANARY_MAX] = {0};
	struct canary c;
	size_t len;

	random[CANARY_MAX - 2] = (uint8_t)(pad >> 8);
	random[CANARY_MAX - 1] = (uint8_t)pad;
	len = canary_next(run, random, answer);
	assert_true(canary_read(&c, answer, len));
	assert_false(c.is_answer);
	assert_memory_equal(c.stream, stream, sizeof stream);
	c.is_answer = true;
	canary_write(answer, &c);
	canary_sent(run, len, false, now);
	return len;
}

static void pauses_and_lengths_are_within_their_bounds(void **state)
{
	uint8_t random[CANARY_MAX], out[CANARY_MAX];
	struct canary_run run;

	(void)state;
	canary_init(&run, stream, 4);
	assert_int_equal(canary_pause_ms(20000, 0), 10000);
	assert_int_equal(canary_pause_ms(20000, 19999), 29999);
	assert_int_equal(canary_pause_ms(20000, 20000), 10000);
	memset(random, 0, sizeof random);
	assert_int_equal(canary_next(&run, random, out), 40);
	random[CANARY_MAX - 2] = 560 >> 8;
	random[CANARY_MAX - 1] = 560 & 0xff;
	assert_int_equal(canary_next(&run, random, out), 600);
	random[CANARY_MAX - 1]++; /* 561: one more than the longest begins anew */
	assert_int_equal(canary_next(&run, random, out), 40);
}

static void what_was_seen_is_not_missing(void **state)
{
	uint8_t answer[CANARY_MAX];
	struct flow_count out = none, back = none;
	struct canary_run run;

	(void)state;
	canary_init(&run, stream, 4);
	for (uint16_t i = 0; i < 100; i++) {
		uint64_t now = 1000 + (uint64_t)i * 20000;
		size_t len = send_one(&run, i, now, answer);

		assert_int_equal(len, 40 + i);
		assert_true(canary_returned(&run, answer, len, now + 3));
		out = (struct flow_count){out.packets + 1, out.bytes + len + 28};
		back = out;
		assert_int_equal(canary_check(&run, &out, &back, now + 5000), 0);
	}
	assert_int_equal(run.sent.packets, 100);
	assert_int_equal(run.sent.bytes, 100 * (40 + 28) + 99 * 100 / 2);
	assert_int_equal(run.returned.bytes, run.sent.bytes);
	assert_int_equal(run.blind, 0);
}

static void what_is_young_is_not_asked_for(void **state)
{
	uint8_t answer[CANARY_MAX];
	struct canary_run run;
	size_t len;

	(void)state;
	canary_init(&run, stream, 6);
	len = send_one(&run, 7, 1000, answer);
	assert_true(canary_returned(&run, answer, len, 2500));
	assert_int_equal(canary_check(&run, &none, &none, 1000 + CANARY_GRACE_MS - 1), 0);
	/* now the question is due, its answer is not yet */
	assert_int_equal(canary_check(&run, &none, &none, 1000 + CANARY_GRACE_MS), 1);
	assert_int_equal(canary_check(&run, &none, &none, 1000 + CANARY_GRACE_MS + 1), 0);
	assert_int_equal(canary_check(&run, &none, &none, 2500 + CANARY_GRACE_MS), 1);
	assert_int_equal(run.blind, 2);
	/* told once: the next one that is seen is not missing, and what was missed stays so */
	len = send_one(&run, 7, 30000, answer);
	assert_int_equal(canary_check(&run, &(struct flow_count){1, len + 48}, &none, 40000), 0);
	assert_int_equal(run.blind, 2);
}

/* As many, but not as long: somebody's hands were on them. */
static void other_lengths_are_missing_too(void **state)
{
	uint8_t answer[CANARY_MAX];
	struct canary_run run;
	size_t len;

	(void)state;
	canary_init(&run, stream, 4);
	len = send_one(&run, 100, 0, answer);
	assert_int_equal(canary_check(&run, &(struct flow_count){1, len + 28 + 1}, &none, 9000), 1);
}

static void a_refused_one_is_not_due(void **state)
{
	uint8_t random[CANARY_MAX] = {0}, out[CANARY_MAX];
	struct canary_run run;
	struct canary c;
	size_t len;

	(void)state;
	canary_init(&run, stream, 4);
	len = canary_next(&run, random, out);
	canary_sent(&run, len, true, 0);
	assert_int_equal(canary_check(&run, &none, &none, 60000), 0);
	assert_int_equal(run.unsendable, 1);
	len = canary_next(&run, random, out);
	assert_true(canary_read(&c, out, len));
	assert_int_equal(c.number, 2);
}

static void strangers_and_repeats_do_not_count(void **state)
{
	uint8_t answer[CANARY_MAX], other[CANARY_MAX];
	struct canary_run run;
	size_t len;

	(void)state;
	canary_init(&run, stream, 4);
	len = send_one(&run, 60, 0, answer);
	assert_false(canary_returned(&run, answer, CANARY_HEAD - 1, 1));
	memcpy(other, answer, sizeof other);
	other[16] ^= 1; /* another stream's */
	assert_false(canary_returned(&run, other, len, 1));
	memcpy(other, answer, sizeof other);
	other[8] = 'q'; /* a question */
	assert_false(canary_returned(&run, other, len, 1));
	memcpy(other, answer, sizeof other);
	other[39] = 2; /* not sent yet */
	assert_false(canary_returned(&run, other, len, 1));
	other[39] = 0;
	assert_false(canary_returned(&run, other, len, 1));
	assert_int_equal(run.returned.packets, 0);
	assert_true(canary_returned(&run, answer, len, 1));
	assert_false(canary_returned(&run, answer, len, 2));
	assert_int_equal(run.returned.packets, 1);
	/* 63 later it would still count, 64 later it is too old to tell whether it came before */
	for (int i = 0; i < 64; i++)
		send_one(&run, 0, 10, other);
	assert_false(canary_returned(&run, answer, len, 20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_and_lengths_are_within_their_bounds),
		cmocka_unit_test(what_was_seen_is_not_missing),
		cmocka_unit_test(what_is_young_is_not_asked_for),
		cmocka_unit_test(other_lengths_are_missing_too),
		cmocka_unit_test(a_refused_one_is_not_due),
		cmocka_unit_test(strangers_and_repeats_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
