// SPDX-License-Identifier: Apache-2.0
/*
 * canary: datagrams of our own at random times, which the capture must see (proto/canary.h).
 *
 * Each goes out through the captured interface to the collector's canary port and comes back. What the capture
 * saw of them is asked of the flow table and the records, never counted beside them. A datagram that was sent
 * and not seen CANARY_GRACE_MS later was lost before the capture or hidden from it. When n of n were seen, the
 * share of packets that is lost without regard to their content is below 3/n with 95 % confidence (the rule of
 * three); of a rootkit that knows canaries it says nothing. Pure: time, random bytes and what was seen come in
 * as arguments.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/canary.h"
#include "sensor/flow.h"

enum {
	CANARY_GRACE_MS = 2000, /* for the way through the kernel's ring */
	CANARY_WAITING = 16,    /* sent within the grace at most; pauses are far longer */
};

struct canary_run {
	uint8_t stream[WIRE_STREAM_ID];
	uint8_t family;                   /* of the way: 4 or 6 */
	struct flow_count sent, returned; /* datagrams, and their bytes as IP total lengths */
	uint64_t unsendable;              /* the kernel refused to send: not counted as sent */
	uint64_t blind;                   /* sent or returned, and not seen in time */
	/* What is too young to be asked for, oldest first: when, of which direction, how long */
	struct {
		uint64_t at_ms;
		uint16_t bytes;
		bool returned;
	} young[CANARY_WAITING];
	size_t n_young;
	uint64_t answered; /* bit n % 64 of the last 64 numbers: an answer came */
};

void canary_init(struct canary_run *run, const uint8_t stream[static WIRE_STREAM_ID],
		 uint8_t family);

/* Milliseconds until the next one: between half of `every_ms` and one and a half, so nobody knows when. */
uint32_t canary_pause_ms(uint32_t every_ms, uint32_t random);

/* Writes the next datagram into `out` and returns its length. `random` fills what follows its head, and its last
 * two bytes choose how much of it. */
size_t canary_next(const struct canary_run *run, const uint8_t random[static CANARY_MAX],
		   uint8_t out[static CANARY_MAX]);

/* The datagram of this length was sent, or the kernel refused it. */
void canary_sent(struct canary_run *run, size_t len, bool refused, uint64_t now_ms);

/* A datagram came back. False: it is none of ours, or came twice. */
bool canary_returned(struct canary_run *run, const uint8_t *bytes, size_t len, uint64_t now_ms);

/* What capture saw of both directions by now, since the begin. Returns how many more are missing than at the call
 * before: each was sent or returned longer than the grace ago. */
uint64_t canary_check(struct canary_run *run, const struct flow_count *seen_sent,
		      const struct flow_count *seen_returned, uint64_t now_ms);
