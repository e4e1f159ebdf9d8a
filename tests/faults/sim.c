// SPDX-License-Identifier: Apache-2.0
#include "tests/faults/sim.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* Texts of times are those of the real one. */
#define clock_wall_ns   real_wall_ns
#define clock_mono_ns   real_mono_ns
#define clock_uptime_ns real_uptime_ns
#include "platform/clock.c"
#undef clock_wall_ns
#undef clock_mono_ns
#undef clock_uptime_ns

#define crypto_random real_random
#include "platform/crypto.c"
#undef crypto_random

/* The headers that were read above declared the real ones. */
uint64_t clock_wall_ns(void);
uint64_t clock_mono_ns(void);
void crypto_random(void *out, size_t len);

struct loop_timer {
	struct loop_timer *next;
	unsigned host;
	bool is_armed;
	uint64_t at_ns, order;
	loop_fn *fn;
	void *ctx;
};

struct loop_listener {
	struct loop_listener *next;
	unsigned host;
	struct endpoint at;
	loop_accept_fn *accepted;
	void *ctx;
};

struct sim sim;
static uint64_t state, order;
static struct loop_timer *timers;
static struct loop_listener *listeners;
static jmp_buf killed;

/* ---- chance ---- */

/* xorshift64*, Vigna 2016 */
uint64_t sim_draw(uint64_t below)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return below ? (state * UINT64_C(2685821657736338717) >> 11) % below : 0;
}

bool sim_chance(unsigned one_in)
{
	return one_in && sim_draw(one_in) == 0;
}

void crypto_random(void *out, size_t len)
{
	for (uint8_t *p = out; len-- > 0;)
		*p++ = (uint8_t)sim_draw(256);
}

/* ---- hosts ---- */

static void on_killed(void)
{
	longjmp(killed, 1);
}

void sim_begin(uint64_t seed)
{
	state = (seed + 1) * UINT64_C(0x9E3779B97F4A7C15);
	for (unsigned i = 0; i < SIM_HOSTS; i++) {
		sim.hosts[i].disk = (struct fake_disk){.owner = i, .killed = on_killed};
		sim.net[i].latency_ns = SIM_MS;
	}
	fake_disk = sim.hosts[0].disk;
}

void sim_enter(unsigned host)
{
	sim.hosts[sim.host].disk = fake_disk;
	sim.host = host;
	fake_disk = sim.hosts[host].disk;
}

void sim_kill(unsigned host, bool silent)
{
	for (struct loop_timer **at = &timers; *at;) {
		struct loop_timer *timer = *at;

		if (timer->host == host)
			*at = timer->next;
		else
			at = &timer->next;
	}
	for (struct loop_listener **at = &listeners; *at;) {
		if ((*at)->host == host)
			*at = (*at)->next;
		else
			at = &(*at)->next;
	}
	sim_tls_kill(host, silent);
}

uint64_t clock_wall_ns(void)
{
	return UINT64_C(1750000000) * SIM_S + sim.now_ns +
	       (uint64_t)sim.hosts[sim.host].wall_offset;
}

uint64_t clock_mono_ns(void)
{
	return 1000 * SIM_S * (sim.host + 1) + sim.now_ns;
}

/* ---- loop ---- */

int loop_new(struct loop **ret, struct err *err)
{
	*ret = malloc(sizeof **ret);
	(*ret)->host = sim.host;
	(void)err;
	return 0;
}

void loop_free(struct loop *loop)
{
	free(loop);
}

int loop_timer_new(struct loop_timer **ret, struct loop *loop, loop_fn *fn, void *ctx)
{
	*ret = malloc(sizeof **ret);
	**ret = (struct loop_timer){.next = timers, .host = loop->host, .fn = fn, .ctx = ctx};
	timers = *ret;
	return 0;
}

void sim_timer_at(struct loop_timer *timer, uint64_t at_ns)
{
	timer->is_armed = true;
	timer->at_ns = at_ns;
	timer->order = order++;
}

bool sim_timer_is_armed(const struct loop_timer *timer)
{
	return timer->is_armed;
}

void loop_timer_set(struct loop_timer *timer, uint32_t ms)
{
	sim_timer_at(timer, sim.now_ns + ms * SIM_MS);
}

void loop_timer_cancel(struct loop_timer *timer)
{
	timer->is_armed = false;
}

void loop_timer_free(struct loop_timer *timer)
{
	for (struct loop_timer **at = &timers; timer && *at; at = &(*at)->next) {
		if (*at == timer) {
			*at = timer->next;
			break;
		}
	}
	free(timer);
}

static struct loop_timer *next_timer(void)
{
	struct loop_timer *first = NULL;

	for (struct loop_timer *t = timers; t; t = t->next) {
		if (t->is_armed && (!first || t->at_ns < first->at_ns ||
				    (t->at_ns == first->at_ns && t->order < first->order)))
			first = t;
	}
	return first;
}

void sim_run(uint64_t until_ns)
{
	struct loop_timer *timer;

	if (setjmp(killed) != 0) {
		fake_disk.fault = DISK_FINE;
		sim.died(sim.host);
	}
	while ((timer = next_timer()) && timer->at_ns <= until_ns) {
		sim.now_ns = timer->at_ns;
		timer->is_armed = false;
		sim_enter(timer->host);
		timer->fn(timer->ctx);
	}
	sim.now_ns = until_ns;
}

/* ---- listening ---- */

int loop_listen(struct loop_listener **ret, struct loop *loop, const struct endpoint *at,
		loop_accept_fn *accepted, void *ctx, struct err *err)
{
	(void)err;
	*ret = malloc(sizeof **ret);
	**ret = (struct loop_listener){
		.next = listeners, .host = loop->host, .at = *at, .accepted = accepted, .ctx = ctx};
	listeners = *ret;
	return 0;
}

void loop_listener_address(const struct loop_listener *listener, struct endpoint *ret)
{
	*ret = listener->at;
}

void loop_listener_free(struct loop_listener *listener)
{
	for (struct loop_listener **at = &listeners; listener && *at; at = &(*at)->next) {
		if (*at == listener) {
			*at = listener->next;
			break;
		}
	}
	free(listener);
}

bool sim_knock(unsigned host, int fd, const struct endpoint *from)
{
	for (struct loop_listener *l = listeners; l; l = l->next) {
		if (l->host == host) {
			l->accepted(l->ctx, fd, from);
			return true;
		}
	}
	return false;
}
