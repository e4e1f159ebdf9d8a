// SPDX-License-Identifier: Apache-2.0
/*
 * The uplink's decisions: see uplink_machine.h.
 */
#include "sensor/uplink_machine.h"

#include <assert.h>

/* Both clocks must have gone the same way between question and answer, but for so much. */
#define CLOCK_SLACK (1 * UPLINK_MS)

void uplink_machine_init(struct uplink_machine *m, unsigned n_collectors)
{
	*m = (struct uplink_machine){
		.n_collectors = n_collectors,
		.pause_ns = UPLINK_PAUSE_MIN,
		.deadline = UPLINK_NEVER,
		.prefer_at = UPLINK_NEVER,
	};
}

uint64_t uplink_machine_deadline(const struct uplink_machine *m)
{
	uint64_t due = m->deadline < m->prefer_at ? m->deadline : m->prefer_at;

	return m->state == UPLINK_STREAMING && m->turn_ends < due ? m->turn_ends : due;
}

static struct uplink_action *act(struct uplink_machine *m, enum uplink_action_kind kind)
{
	assert(m->n < UPLINK_ACTIONS);
	m->actions[m->n] = (struct uplink_action){.kind = kind, .collector = m->collector};
	return &m->actions[m->n++];
}

/* ---- connections ---- */

static void connect_now(struct uplink_machine *m, const struct uplink_event *e)
{
	m->state = UPLINK_CONNECTING;
	m->deadline = e->mono_ns + UPLINK_TIMEOUT;
	m->prefer_at = UPLINK_NEVER;
	m->sent = m->durable = m->asked = 0;
	act(m, UPLINK_DO_CONNECT);
}

/* The connection is over, or never came to be. */
static void fail(struct uplink_machine *m, const struct uplink_event *e, const char *prefix,
		 const char *why)
{
	uint64_t half = m->pause_ns / 2;
	/* Between half the pause and the whole: many sensors must not come back in step. */
	uint64_t pause = half + half / 1000 * (e->random % 1001);
	struct uplink_action *tell;

	if (e->kind != UPLINK_CLOSED)
		act(m, UPLINK_DO_CLOSE);
	tell = act(m, UPLINK_DO_TELL);
	tell->prefix = prefix;
	tell->why = why;
	tell->pause_ns = pause;
	m->state = UPLINK_PAUSING;
	m->deadline = e->mono_ns + pause;
	m->prefer_at = UPLINK_NEVER;
	m->collector = (m->collector + 1) % m->n_collectors;
	m->pause_ns = 2 * m->pause_ns > UPLINK_PAUSE_MAX ? UPLINK_PAUSE_MAX : 2 * m->pause_ns;
}

/* Another connection at once: nothing is wrong with this one. */
static void begin_anew(struct uplink_machine *m, const struct uplink_event *e)
{
	act(m, UPLINK_DO_CLOSE);
	connect_now(m, e);
}

static void refused(struct uplink_machine *m, const struct uplink_event *e)
{
	if (!e->is_current && ++m->refusals >= UPLINK_REFUSALS) {
		act(m, UPLINK_DO_SET_ASIDE);
		m->refusals = 0;
	}
	fail(m, e, "refused by the collector: ", e->why);
}

/* ---- streaming ---- */

static void send_more(struct uplink_machine *m, const struct uplink_event *e)
{
	if (m->state == UPLINK_STREAMING && e->has_room)
		act(m, UPLINK_DO_SEND)->sequence = m->sent;
}

/* Half of the way there, half back: t1 asked, t2 came in, t3 answered, t4 heard (RFC 5905, 8). */
static void compare_clocks(struct uplink_machine *m, const struct uplink_event *e)
{
	uint64_t took = e->mono_ns - m->asked_mono, held = e->held_ns;
	int64_t drift = (int64_t)(e->wall_ns - m->asked_wall - took);
	int64_t there = (int64_t)(m->asked_wall - (e->clock_ns - held));
	int64_t back = (int64_t)(e->wall_ns - e->clock_ns);
	struct uplink_action *clock;

	if (held > took || drift > (int64_t)CLOCK_SLACK || drift < -(int64_t)CLOCK_SLACK)
		return;
	clock = act(m, UPLINK_DO_CLOCK);
	/* The sum may not fit when one clock stands at 1970. */
	clock->offset_ns = there / 2 + back / 2;
	clock->way_ns = took - held;
}

/* Is it the other stream's turn? */
static bool is_over(const struct uplink_machine *m, const struct uplink_event *e)
{
	if (e->is_current)
		return e->old_waits && m->durable >= e->closed;
	return m->durable >= e->closed || e->mono_ns >= m->turn_ends;
}

static void welcome(struct uplink_machine *m, const struct uplink_event *e)
{
	if (e->is_current && e->durable > e->closed) {
		fail(m, e, "",
		     "the collector says to have batches that were not made yet: another sensor "
		     "uses this id?");
		return;
	}
	m->state = UPLINK_STREAMING;
	m->deadline = UPLINK_NEVER;
	m->prefer_at = m->collector ? e->mono_ns + UPLINK_PREFER : UPLINK_NEVER;
	m->pause_ns = UPLINK_PAUSE_MIN;
	m->sent = m->durable = e->durable;
	m->turn_ends = e->is_current ? UPLINK_NEVER : e->mono_ns + UPLINK_TURN;
	compare_clocks(m, e);
	if (e->durable)
		act(m, UPLINK_DO_ACK)->sequence = e->durable;
	if (is_over(m, e))
		begin_anew(m, e);
	else
		send_more(m, e);
}

static void acked(struct uplink_machine *m, const struct uplink_event *e)
{
	if (e->durable > m->sent) {
		fail(m, e, "", "the collector acknowledged what was not sent");
		return;
	}
	if (m->asked && e->durable >= m->asked) {
		/* The time that it was held is known of the last one only. */
		if (e->durable == m->asked)
			compare_clocks(m, e);
		m->asked = 0;
	}
	if (e->durable > m->durable) {
		m->durable = e->durable;
		m->deadline = m->sent > m->durable ? e->mono_ns + UPLINK_ACK : UPLINK_NEVER;
		act(m, UPLINK_DO_ACK)->sequence = e->durable;
		m->refusals = 0;
	}
	if (is_over(m, e))
		begin_anew(m, e);
	else
		send_more(m, e);
}

static void sent(struct uplink_machine *m, const struct uplink_event *e)
{
	if (m->sent == m->durable)
		m->deadline = e->mono_ns + UPLINK_ACK;
	m->sent = e->sequence;
	if (!m->asked) {
		m->asked = e->sequence;
		m->asked_mono = e->mono_ns;
		m->asked_wall = e->wall_ns;
	}
	send_more(m, e);
}

static void timer(struct uplink_machine *m, const struct uplink_event *e)
{
	if (e->mono_ns >= m->deadline) {
		switch (m->state) {
		case UPLINK_PAUSING: connect_now(m, e); break;
		case UPLINK_CONNECTING: fail(m, e, "", "connecting timed out"); break;
		case UPLINK_GREETING: fail(m, e, "", "no answer to Hello"); break;
		case UPLINK_STREAMING: fail(m, e, "", "no acknowledgement for 15 s"); break;
		}
	} else if (e->mono_ns >= m->prefer_at) {
		m->collector = 0;
		begin_anew(m, e);
	} else if (m->state == UPLINK_STREAMING && e->mono_ns >= m->turn_ends) {
		begin_anew(m, e);
	}
}

/* ---- the machine ---- */

void uplink_machine_step(struct uplink_machine *m, const struct uplink_event *e)
{
	static const char out_of_turn[] = "the collector broke the protocol: ";

	m->n = 0;
	switch (e->kind) {
	case UPLINK_START:
		if (m->state == UPLINK_PAUSING)
			connect_now(m, e);
		break;
	case UPLINK_CONNECTED:
		if (m->state != UPLINK_CONNECTING)
			break;
		m->state = UPLINK_GREETING;
		m->deadline = e->mono_ns + UPLINK_TIMEOUT;
		m->asked_mono = e->mono_ns;
		m->asked_wall = e->wall_ns;
		act(m, UPLINK_DO_HELLO);
		break;
	case UPLINK_CLOSED:
		if (m->state != UPLINK_PAUSING)
			fail(m, e, "", e->why);
		break;
	case UPLINK_WELCOME:
		if (m->state == UPLINK_GREETING)
			welcome(m, e);
		else if (m->state != UPLINK_PAUSING)
			fail(m, e, out_of_turn, "a Welcome out of turn");
		break;
	case UPLINK_ACKED:
		if (m->state == UPLINK_STREAMING)
			acked(m, e);
		else if (m->state != UPLINK_PAUSING)
			fail(m, e, out_of_turn, "an acknowledgement out of turn");
		break;
	case UPLINK_REFUSED:
		if (m->state != UPLINK_PAUSING)
			refused(m, e);
		break;
	case UPLINK_BROKEN:
		if (m->state != UPLINK_PAUSING)
			fail(m, e, out_of_turn, e->why);
		break;
	case UPLINK_DATA: send_more(m, e); break;
	case UPLINK_SENT:
		if (m->state == UPLINK_STREAMING)
			sent(m, e);
		break;
	case UPLINK_AGAIN:
		if (m->state == UPLINK_GREETING || m->state == UPLINK_STREAMING)
			begin_anew(m, e);
		break;
	case UPLINK_TIMER: timer(m, e); break;
	}
}
