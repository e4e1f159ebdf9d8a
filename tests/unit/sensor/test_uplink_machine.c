// SPDX-License-Identifier: Apache-2.0
/*
 * The uplink's machine: each transition, with no socket and no clock but a number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sensor/uplink_machine.h"

#define S  (1000 * UPLINK_MS)
#define T0 (100 * S)

struct play {
	struct uplink_machine m;
	uint64_t now, wall;
	uint64_t closed; /* of the spool */
	bool old;        /* the stream is a former run's */
	bool waits;      /* one of a former run is to be delivered */
	bool full;       /* the connection has no room */
};

static struct play begin(unsigned collectors)
{
	struct play p = {.now = T0, .wall = 1700000000 * S, .closed = 10};

	uplink_machine_init(&p.m, collectors);
	return p;
}

static struct uplink_event event(const struct play *p, enum uplink_event_kind kind)
{
	return (struct uplink_event){.kind = kind,
				     .mono_ns = p->now,
				     .wall_ns = p->wall,
				     .is_current = !p->old,
				     .old_waits = p->old || p->waits,
				     .closed = p->closed,
				     .has_room = !p->full,
				     .why = "why"};
}

static void step(struct play *p, enum uplink_event_kind kind)
{
	struct uplink_event e = event(p, kind);

	uplink_machine_step(&p->m, &e);
}

static void wait(struct play *p, uint64_t ns)
{
	p->now += ns;
	p->wall += ns;
}

static void durable(struct play *p, enum uplink_event_kind kind, uint64_t sequence)
{
	struct uplink_event e = event(p, kind);

	e.durable = sequence;
	e.clock_ns = p->wall;
	uplink_machine_step(&p->m, &e);
}

static void sent(struct play *p, uint64_t sequence)
{
	struct uplink_event e = event(p, UPLINK_SENT);

	e.sequence = sequence;
	uplink_machine_step(&p->m, &e);
}

/* The actions, in order, are these. */
static void expect(const struct play *p, const char *wanted)
{
	static const char letters[] = "cHsakxCT"; /* as enum uplink_action_kind */
	char got[UPLINK_ACTIONS + 1] = "";

	for (size_t i = 0; i < p->m.n; i++)
		got[i] = letters[p->m.actions[i].kind];
	assert_string_equal(got, wanted);
}

static const struct uplink_action *action(const struct play *p, enum uplink_action_kind kind)
{
	static const struct uplink_action none;

	for (size_t i = 0; i < p->m.n; i++)
		if (p->m.actions[i].kind == kind)
			return &p->m.actions[i];
	fail_msg("no action %d", kind);
	return &none;
}

/* Connected to the present collector, which has everything up to `sequence`. */
static void stream_from(struct play *p, uint64_t sequence)
{
	step(p, UPLINK_START);
	expect(p, "c");
	step(p, UPLINK_CONNECTED);
	expect(p, "H");
	durable(p, UPLINK_WELCOME, sequence);
	assert_int_equal(p->m.state, UPLINK_STREAMING);
}

/* The pause is over: the next try. */
static void try_again(struct play *p)
{
	uint64_t due = uplink_machine_deadline(&p->m);

	assert_int_equal(p->m.state, UPLINK_PAUSING);
	assert_true(due > p->now && due != UPLINK_NEVER);
	wait(p, due - p->now - 1);
	step(p, UPLINK_TIMER);
	expect(p, ""); /* not a nanosecond too early */
	wait(p, 1);
	step(p, UPLINK_TIMER);
	expect(p, "c");
}

static void from_start_to_stream(void **state)
{
	struct play p = begin(1);

	(void)state;
	assert_true(uplink_machine_deadline(&p.m) == UPLINK_NEVER);
	step(&p, UPLINK_START);
	expect(&p, "c");
	assert_true(uplink_machine_deadline(&p.m) == T0 + UPLINK_TIMEOUT);
	step(&p, UPLINK_START); /* is no news */
	expect(&p, "");
	wait(&p, S);
	step(&p, UPLINK_CONNECTED);
	expect(&p, "H");
	assert_true(uplink_machine_deadline(&p.m) == T0 + S + UPLINK_TIMEOUT);
	step(&p, UPLINK_DATA); /* nothing is sent before the welcome */
	expect(&p, "");
	durable(&p, UPLINK_WELCOME, 3);
	expect(&p, "kas");
	assert_int_equal(action(&p, UPLINK_DO_ACK)->sequence, 3);
	assert_int_equal(action(&p, UPLINK_DO_SEND)->sequence, 3);
	assert_true(uplink_machine_deadline(&p.m) == UPLINK_NEVER);
	sent(&p, 4);
	expect(&p, "s");
	assert_int_equal(action(&p, UPLINK_DO_SEND)->sequence, 4);
	durable(&p, UPLINK_ACKED, 4);
	expect(&p, "kas");
	assert_true(uplink_machine_deadline(&p.m) == UPLINK_NEVER);
	step(&p, UPLINK_DATA);
	expect(&p, "s");
}

/* Each way in which a connection does not come to be, or ends: told, and tried again. */
static void failures(void **state)
{
	static const struct {
		enum uplink_state at;
		enum uplink_event_kind kind;
		uint64_t after; /* time until the event */
		const char *actions, *why;
	} rows[] = {
		{UPLINK_CONNECTING, UPLINK_CLOSED, 0, "T", "why"},
		{UPLINK_CONNECTING, UPLINK_TIMER, UPLINK_TIMEOUT, "CT", "timed out"},
		{UPLINK_CONNECTING, UPLINK_WELCOME, 0, "CT", "a Welcome out of turn"},
		{UPLINK_CONNECTING, UPLINK_ACKED, 0, "CT", "an acknowledgement out of turn"},
		{UPLINK_GREETING, UPLINK_CLOSED, 0, "T", "why"},
		{UPLINK_GREETING, UPLINK_TIMER, UPLINK_TIMEOUT, "CT", "no answer to Hello"},
		{UPLINK_GREETING, UPLINK_REFUSED, 0, "CT", "why"},
		{UPLINK_GREETING, UPLINK_ACKED, 0, "CT", "an acknowledgement out of turn"},
		{UPLINK_GREETING, UPLINK_BROKEN, 0, "CT", "why"},
		{UPLINK_STREAMING, UPLINK_CLOSED, 0, "T", "why"},
		{UPLINK_STREAMING, UPLINK_REFUSED, 0, "CT", "why"},
		{UPLINK_STREAMING, UPLINK_WELCOME, 0, "CT", "a Welcome out of turn"},
		{UPLINK_STREAMING, UPLINK_BROKEN, 0, "CT", "why"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct play p = begin(2);

		step(&p, UPLINK_START);
		if (rows[i].at > UPLINK_CONNECTING)
			step(&p, UPLINK_CONNECTED);
		if (rows[i].at > UPLINK_GREETING)
			durable(&p, UPLINK_WELCOME, 0);
		assert_int_equal(p.m.state, rows[i].at);
		wait(&p, rows[i].after);
		step(&p, rows[i].kind);
		expect(&p, rows[i].actions);
		if (!strstr(action(&p, UPLINK_DO_TELL)->why, rows[i].why))
			fail_msg("row %zu: %s", i, action(&p, UPLINK_DO_TELL)->why);
		assert_int_equal(action(&p, UPLINK_DO_TELL)->collector, 0);
		/* What comes late from the connection that was is no news. */
		step(&p, UPLINK_CLOSED);
		expect(&p, "");
		step(&p, UPLINK_WELCOME);
		expect(&p, "");
		step(&p, UPLINK_ACKED);
		expect(&p, "");
		step(&p, UPLINK_REFUSED);
		expect(&p, "");
		step(&p, UPLINK_BROKEN);
		expect(&p, "");
		step(&p, UPLINK_CONNECTED);
		expect(&p, "");
		step(&p, UPLINK_DATA);
		expect(&p, "");
		sent(&p, 1);
		expect(&p, "");
		try_again(&p);
		assert_int_equal(action(&p, UPLINK_DO_CONNECT)->collector, 1);
	}
}

static void the_pause_doubles_with_jitter(void **state)
{
	/* 0.5, 1, 2, 4, 8, 16, 30, 30 s; half of it and the whole */
	static const uint64_t pauses[] = {500, 1000, 2000, 4000, 8000, 16000, 30000, 30000};

	(void)state;
	for (uint32_t random = 0; random <= 1000; random += 1000) {
		struct play p = begin(1);

		step(&p, UPLINK_START);
		for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
			struct uplink_event e = event(&p, UPLINK_CLOSED);

			e.random = random;
			uplink_machine_step(&p.m, &e);
			assert_true(action(&p, UPLINK_DO_TELL)->pause_ns ==
				    pauses[i] * UPLINK_MS / (random ? 1 : 2));
			assert_true(uplink_machine_deadline(&p.m) ==
				    p.now + pauses[i] * UPLINK_MS / (random ? 1 : 2));
			try_again(&p);
		}
		/* A welcome ends the series. */
		step(&p, UPLINK_CONNECTED);
		durable(&p, UPLINK_WELCOME, 0);
		step(&p, UPLINK_CLOSED);
		assert_true(action(&p, UPLINK_DO_TELL)->pause_ns <= UPLINK_PAUSE_MIN);
	}
}

/* Whatever the random number is. */
static void the_jitter_stays_within_bounds(void **state)
{
	(void)state;
	srand(1);
	for (unsigned i = 0; i < 10000; i++) {
		struct play p = begin(1);
		struct uplink_event e = event(&p, UPLINK_CLOSED);
		uint64_t pause;

		step(&p, UPLINK_START);
		e.random = (uint32_t)rand() * 2654435761U;
		uplink_machine_step(&p.m, &e);
		pause = action(&p, UPLINK_DO_TELL)->pause_ns;
		assert_true(pause >= UPLINK_PAUSE_MIN / 2 && pause <= UPLINK_PAUSE_MIN);
	}
}

static void a_welcome_from_the_future_forgets_nothing(void **state)
{
	struct play p = begin(1);

	(void)state;
	step(&p, UPLINK_START);
	step(&p, UPLINK_CONNECTED);
	durable(&p, UPLINK_WELCOME, 11);
	expect(&p, "CT"); /* no 'a': the spool keeps all */
	assert_non_null(strstr(action(&p, UPLINK_DO_TELL)->why, "not made yet"));
	try_again(&p);
	step(&p, UPLINK_CONNECTED);
	durable(&p, UPLINK_WELCOME, 10); /* all that there is, is fine */
	expect(&p, "kas");
}

static void an_acknowledgement_beyond_what_was_sent(void **state)
{
	struct play p = begin(1);

	(void)state;
	stream_from(&p, 2);
	sent(&p, 3);
	durable(&p, UPLINK_ACKED, 4); /* it is in the spool, but not sent here */
	expect(&p, "CT");
	assert_non_null(strstr(action(&p, UPLINK_DO_TELL)->why, "what was not sent"));
}

static void repeated_and_late_acknowledgements(void **state)
{
	struct play p = begin(1);

	(void)state;
	stream_from(&p, 2);
	sent(&p, 3);
	sent(&p, 4);
	durable(&p, UPLINK_ACKED, 4);
	assert_int_equal(action(&p, UPLINK_DO_ACK)->sequence, 4);
	durable(&p, UPLINK_ACKED, 4);
	expect(&p, "s");
	durable(&p, UPLINK_ACKED, 3);
	expect(&p, "s");
	durable(&p, UPLINK_ACKED, 0);
	expect(&p, "s");
	assert_int_equal(action(&p, UPLINK_DO_SEND)->sequence, 4); /* nothing is sent twice */
}

/* A connection without room is sent nothing, however much there is. */
static void a_slow_collector_costs_no_memory(void **state)
{
	struct play p = begin(1);

	(void)state;
	p.closed = 1000000;
	stream_from(&p, 0);
	for (unsigned i = 1; i <= 20; i++)
		sent(&p, i);
	p.full = true;
	sent(&p, 21);
	expect(&p, "");
	for (unsigned i = 0; i < 1000; i++) {
		step(&p, UPLINK_DATA);
		expect(&p, "");
	}
	durable(&p, UPLINK_ACKED, 5);
	expect(&p, "a");
	p.full = false;
	step(&p, UPLINK_DATA); /* drained */
	expect(&p, "s");
	assert_int_equal(action(&p, UPLINK_DO_SEND)->sequence, 21);
}

static void a_dead_peer_is_found(void **state)
{
	struct play p = begin(1);
	uint64_t first;

	(void)state;
	stream_from(&p, 0);
	wait(&p, 3600 * S); /* nothing to say is no reason */
	step(&p, UPLINK_TIMER);
	expect(&p, "");
	first = p.now;
	sent(&p, 1);
	assert_true(uplink_machine_deadline(&p.m) == first + UPLINK_ACK);
	wait(&p, 5 * S);
	sent(&p, 2); /* a later one does not help the first */
	assert_true(uplink_machine_deadline(&p.m) == first + UPLINK_ACK);
	wait(&p, 5 * S);
	durable(&p, UPLINK_ACKED, 1); /* slow, but there */
	assert_true(uplink_machine_deadline(&p.m) == p.now + UPLINK_ACK);
	wait(&p, 5 * S);
	durable(&p, UPLINK_ACKED, 1); /* says nothing new */
	assert_true(uplink_machine_deadline(&p.m) == p.now + UPLINK_ACK - 5 * S);
	wait(&p, UPLINK_ACK - 5 * S);
	step(&p, UPLINK_TIMER);
	expect(&p, "CT");
	assert_non_null(strstr(action(&p, UPLINK_DO_TELL)->why, "no acknowledgement"));
}

/* A Hello that says more goes to the same collector at once; before there was one nothing need be done. */
static void a_new_hello(void **state)
{
	struct play p = begin(2);

	(void)state;
	step(&p, UPLINK_AGAIN);
	expect(&p, "");
	stream_from(&p, 3);
	step(&p, UPLINK_AGAIN);
	expect(&p, "Cc");
	assert_int_equal(action(&p, UPLINK_DO_CONNECT)->collector, 0);
	step(&p, UPLINK_AGAIN); /* not sent yet */
	expect(&p, "");
	step(&p, UPLINK_CONNECTED);
	expect(&p, "H");
}

static void the_first_collector_is_preferred(void **state)
{
	struct play p = begin(3);

	(void)state;
	step(&p, UPLINK_START);
	assert_int_equal(action(&p, UPLINK_DO_CONNECT)->collector, 0);
	for (unsigned i = 1; i < 7; i++) { /* 1, 2, 0, 1, 2, 0 */
		step(&p, UPLINK_CLOSED);
		try_again(&p);
		assert_int_equal(action(&p, UPLINK_DO_CONNECT)->collector, i % 3);
	}
	step(&p, UPLINK_CLOSED);
	try_again(&p);
	step(&p, UPLINK_CONNECTED);
	durable(&p, UPLINK_WELCOME, 0);
	assert_int_equal(p.m.collector, 1);
	assert_true(uplink_machine_deadline(&p.m) == p.now + UPLINK_PREFER);
	wait(&p, UPLINK_PREFER);
	step(&p, UPLINK_TIMER);
	expect(&p, "Cc");
	assert_int_equal(action(&p, UPLINK_DO_CONNECT)->collector, 0);
	/* It is still away: back to the second, and another 10 minutes. */
	step(&p, UPLINK_CLOSED);
	try_again(&p);
	assert_int_equal(action(&p, UPLINK_DO_CONNECT)->collector, 1);
	step(&p, UPLINK_CONNECTED);
	durable(&p, UPLINK_WELCOME, 0);
	wait(&p, UPLINK_PREFER);
	step(&p, UPLINK_TIMER);
	step(&p, UPLINK_CONNECTED);
	durable(&p, UPLINK_WELCOME, 0);
	assert_int_equal(p.m.collector, 0);
	assert_true(uplink_machine_deadline(&p.m) == UPLINK_NEVER); /* at home */
}

/* The rest of a former run: delivered on a connection of its own, then this run's at once. */
static void old_streams_come_first(void **state)
{
	struct play p = begin(1);

	(void)state;
	p.old = true;
	p.closed = 7;
	stream_from(&p, 5);
	sent(&p, 6);
	sent(&p, 7);
	durable(&p, UPLINK_ACKED, 6);
	expect(&p, "kas");
	durable(&p, UPLINK_ACKED, 7);
	expect(&p, "aCc");
	assert_int_equal(p.m.state, UPLINK_CONNECTING);
	p.old = false;
	step(&p, UPLINK_CONNECTED);
	expect(&p, "H");
	durable(&p, UPLINK_WELCOME, 0);
	expect(&p, "ks");
	/* One that the collector has already: it may know more than the file does. */
	p = begin(1);
	p.old = true;
	p.closed = 7;
	step(&p, UPLINK_START);
	step(&p, UPLINK_CONNECTED);
	durable(&p, UPLINK_WELCOME, 9);
	expect(&p, "kaCc");
}

/* A former run's stream has 5 s, acknowledgements or none; this run's goes on until all of it is there. */
static void streams_take_turns(void **state)
{
	struct play p = begin(1);

	(void)state;
	p.waits = true;
	stream_from(&p, 7);
	expect(&p, "kas");
	for (uint64_t n = 8; n < 10; n++) {
		sent(&p, n);
		durable(&p, UPLINK_ACKED, n);
		assert_int_equal(p.m.state, UPLINK_STREAMING);
	}
	sent(&p, 10);
	durable(&p, UPLINK_ACKED, 10);
	assert_int_equal(p.m.state, UPLINK_CONNECTING);
	p.old = true;
	step(&p, UPLINK_CONNECTED);
	durable(&p, UPLINK_WELCOME, 3);
	assert_int_equal(p.m.state, UPLINK_STREAMING);
	assert_true(uplink_machine_deadline(&p.m) == p.now + 5 * S);
	wait(&p, 5 * S - 1);
	sent(&p, 4);
	durable(&p, UPLINK_ACKED, 4);
	assert_int_equal(p.m.state, UPLINK_STREAMING);
	wait(&p, 1);
	step(&p, UPLINK_TIMER);
	expect(&p, "Cc");
	p.old = p.waits = false;
	step(&p, UPLINK_CONNECTED);
	durable(&p, UPLINK_WELCOME, 10);
	assert_int_equal(p.m.state, UPLINK_STREAMING); /* nobody waits */
	assert_true(uplink_machine_deadline(&p.m) == UPLINK_NEVER);
}

static void an_old_stream_that_is_refused_is_set_aside(void **state)
{
	struct play p = begin(1);

	(void)state;
	p.old = true;
	step(&p, UPLINK_START);
	for (unsigned i = 1; i <= UPLINK_REFUSALS; i++) {
		step(&p, UPLINK_CONNECTED);
		step(&p, UPLINK_REFUSED);
		expect(&p, i < UPLINK_REFUSALS ? "CT" : "xCT");
		try_again(&p);
	}
	p.old = false; /* this run's own stream is never set aside */
	for (unsigned i = 0; i < 10; i++) {
		step(&p, UPLINK_CONNECTED);
		step(&p, UPLINK_REFUSED);
		expect(&p, "CT");
		try_again(&p);
	}
}

/* Ours is 100 s ahead; 30 ms there, 10 ms held, 50 ms back. The middle of the way is 10 ms off the
 * truth, which lies within half of the way of 80 ms. */
static void clocks_are_compared(void **state)
{
	struct play p = begin(1);
	struct uplink_event e;

	(void)state;
	stream_from(&p, 2);
	sent(&p, 3);
	wait(&p, 90 * UPLINK_MS);
	e = event(&p, UPLINK_ACKED);
	e.durable = 3;
	e.held_ns = 10 * UPLINK_MS;
	e.clock_ns = p.wall - 100 * S - 50 * UPLINK_MS;
	uplink_machine_step(&p.m, &e);
	expect(&p, "kas");
	assert_true(action(&p, UPLINK_DO_CLOCK)->way_ns == 80 * UPLINK_MS);
	assert_true(action(&p, UPLINK_DO_CLOCK)->offset_ns == (int64_t)(100 * S + 10 * UPLINK_MS));

	/* Behind, and by as much as 56 years. */
	sent(&p, 4);
	e.durable = 4;
	e.held_ns = 0;
	e.mono_ns = p.now;
	e.clock_ns = p.wall + 1700000000 * S;
	uplink_machine_step(&p.m, &e);
	assert_true(action(&p, UPLINK_DO_CLOCK)->offset_ns == -(int64_t)(1700000000 * S));

	/* Acknowledged together with a later one: how long it was held is not known. */
	sent(&p, 5);
	sent(&p, 6);
	e.durable = 6;
	uplink_machine_step(&p.m, &e);
	expect(&p, "as");

	/* Our clock stepped meanwhile: nothing follows. */
	sent(&p, 7);
	wait(&p, 20 * UPLINK_MS);
	p.wall += 3600 * S;
	durable(&p, UPLINK_ACKED, 7);
	expect(&p, "as");

	/* Held longer than it was away: a lie. */
	sent(&p, 8);
	wait(&p, UPLINK_MS);
	e = event(&p, UPLINK_ACKED);
	e.durable = 8;
	e.held_ns = 2 * UPLINK_MS;
	uplink_machine_step(&p.m, &e);
	expect(&p, "as");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_start_to_stream),
		cmocka_unit_test(failures),
		cmocka_unit_test(the_pause_doubles_with_jitter),
		cmocka_unit_test(the_jitter_stays_within_bounds),
		cmocka_unit_test(a_welcome_from_the_future_forgets_nothing),
		cmocka_unit_test(an_acknowledgement_beyond_what_was_sent),
		cmocka_unit_test(repeated_and_late_acknowledgements),
		cmocka_unit_test(a_slow_collector_costs_no_memory),
		cmocka_unit_test(a_dead_peer_is_found),
		cmocka_unit_test(a_new_hello),
		cmocka_unit_test(the_first_collector_is_preferred),
		cmocka_unit_test(old_streams_come_first),
		cmocka_unit_test(streams_take_turns),
		cmocka_unit_test(an_old_stream_that_is_refused_is_set_aside),
		cmocka_unit_test(clocks_are_compared),
	};

	return cmocka_run_group_tests_name("uplink_machine", tests, NULL, NULL);
}
