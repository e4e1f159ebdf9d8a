// SPDX-License-Identifier: Apache-2.0
/*
 * flow, who began it: by its first packet; and by a small memory of flows that gave way in a full table, whose next packet is not a
 * first one.
 *
 * The memory has BEGAN_SLOTS places, each for the flow that came last to it. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sensor/flow.h"

enum {
	/* A portless or UDP flow that was silent for so long begins anew (AWS security groups forget a UDP stream after it). */
	BEGAN_REOPEN_S = 180,
	BEGAN_SLOTS = 1024,
};

/* Who began the flow whose first packet this is. */
enum flow_initiator began_by(const struct flow_packet *packet);

/* ICMP: an error is about another packet, mostly of another flow; a request asks to be answered. */
bool began_is_error(const struct flow_packet *packet);
bool began_is_request(const struct flow_packet *packet);

struct began_table {
	struct began {
		uint32_t hash, sec;
		uint8_t initiator; /* enum flow_initiator; unknown: an empty place */
	} of[BEGAN_SLOTS];
};

/* Of these protocols only the first packet says who began; a TCP segment mostly says it too. */
bool began_is_told_once(uint8_t protocol);
/* A flow of such a protocol gives way at `sec` (Unix seconds, low bits). */
void began_keep(struct began_table *table, uint32_t hash, enum flow_initiator initiator,
		uint32_t sec);
/* As began_by(), unless the packet's flow gave way within BEGAN_REOPEN_S before `sec`: then who began that. */
enum flow_initiator began_before(const struct began_table *table, const struct flow_packet *packet,
				 uint32_t sec);
