// SPDX-License-Identifier: Apache-2.0
/*
 * canary: see canary.h.
 */
#include "sensor/canary.h"

#include <string.h>

#include "platform/bytes.h"

enum { IPV4_UDP = 20 + 8, IPV6_UDP = 40 + 8 }; /* headers before the payload */

void canary_init(struct canary_run *run, const uint8_t stream[static WIRE_STREAM_ID],
		 uint8_t family)
{
	*run = (struct canary_run){.family = family};
	memcpy(run->stream, stream, sizeof run->stream);
}

uint32_t canary_pause_ms(uint32_t every_ms, uint32_t random)
{
	return every_ms / 2 + random % every_ms;
}

size_t canary_next(const struct canary_run *run, const uint8_t random[static CANARY_MAX],
		   uint8_t out[static CANARY_MAX])
{
	struct canary c = {.number = run->sent.packets + run->unsendable + 1};

	memcpy(c.stream, run->stream, sizeof c.stream);
	memcpy(out, random, CANARY_MAX);
	canary_write(out, &c);
	return CANARY_HEAD + be16(random + CANARY_MAX - 2) % (CANARY_MAX - CANARY_HEAD + 1);
}

static void count(struct canary_run *run, bool returned, size_t len, uint64_t now_ms)
{
	struct flow_count *c = returned ? &run->returned : &run->sent;
	size_t bytes = len + (run->family == 6 ? IPV6_UDP : IPV4_UDP);

	c->packets++;
	c->bytes += bytes;
	if (run->n_young == CANARY_WAITING) /* then the oldest is asked for a little early */
		memmove(run->young, run->young + 1, sizeof run->young[0] * --run->n_young);
	run->young[run->n_young].at_ms = now_ms;
	run->young[run->n_young].bytes = (uint16_t)bytes;
	run->young[run->n_young++].returned = returned;
}

void canary_sent(struct canary_run *run, size_t len, bool refused, uint64_t now_ms)
{
	run->answered <<= 1;
	if (refused)
		run->unsendable++;
	else
		count(run, false, len, now_ms);
}

bool canary_returned(struct canary_run *run, const uint8_t *bytes, size_t len, uint64_t now_ms)
{
	uint64_t newest = run->sent.packets + run->unsendable, bit;
	struct canary c;

	if (!canary_read(&c, bytes, len) || !c.is_answer ||
	    memcmp(c.stream, run->stream, sizeof c.stream) != 0 || c.number == 0 ||
	    c.number > newest || newest - c.number >= 64)
		return false;
	bit = (uint64_t)1 << (newest - c.number);
	if (run->answered & bit)
		return false;
	run->answered |= bit;
	count(run, true, len, now_ms);
	return true;
}

/* Packets of one direction that should have been seen and were not. Bytes that differ count as one. */
static uint64_t missing(struct flow_count due, const struct flow_count *seen)
{
	if (seen->packets < due.packets)
		return due.packets - seen->packets;
	return seen->packets == due.packets && seen->bytes != due.bytes;
}

uint64_t canary_check(struct canary_run *run, const struct flow_count *seen_sent,
		      const struct flow_count *seen_returned, uint64_t now_ms)
{
	struct flow_count sent = run->sent, returned = run->returned;
	uint64_t before = run->blind, now;
	size_t old = 0;

	while (old < run->n_young && now_ms - run->young[old].at_ms >= CANARY_GRACE_MS)
		old++;
	memmove(run->young, run->young + old, sizeof run->young[0] * (run->n_young - old));
	run->n_young -= old;
	for (size_t i = 0; i < run->n_young; i++) {
		struct flow_count *c = run->young[i].returned ? &returned : &sent;

		c->packets--;
		c->bytes -= run->young[i].bytes;
	}
	now = missing(sent, seen_sent) + missing(returned, seen_returned);
	if (now > run->blind)
		run->blind = now;
	return run->blind - before;
}
