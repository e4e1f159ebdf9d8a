// SPDX-License-Identifier: Apache-2.0
/*
 * Bursts: when a machine spoke to an endpoint anew after a silence, as packets tell it.
 *
 * In a batch they are columns of the message Bursts (flowproof.proto). Marks of one, a varint: bit 0 IPv6, 1-2 direction as
 * exclusive or with egress, 3-6 number of its times.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "platform/addr.h"

enum {
	BURST_TIMES = 8,       /* of one */
	BATCH_BURSTS_MAX = 64, /* of a batch */
	BATCH_WRITE_BURSTS = 16,
	/* Encoded: heads, and of each address 16, mark 2, port 3, protocol 2, times 10 each. */
	BATCH_WRITE_BURSTS_BYTES = 64 + BATCH_WRITE_BURSTS * (23 + BURST_TIMES * 10),
};

struct batch_burst {
	struct addr remote;
	uint16_t port; /* the responder's; 0 where the protocol has none */
	uint8_t family, protocol;
	uint8_t direction;            /* enum flowrec_direction, as in an endpoint's digest */
	uint8_t n;                    /* 1 to BURST_TIMES */
	uint64_t tenths[BURST_TIMES]; /* of a second, Unix time, in order: its packets before were
					  RHYTHM_GAP_S earlier at least */
};
