// SPDX-License-Identifier: Apache-2.0
/*
 * A canary: a datagram that a sensor sends to its collector's canary port, which sends it back. Both must show
 * up in the sensor's own records; what does not was lost before the capture, or hidden from it.
 *
 *     | "fpcanary" 8 | kind 1: 'q' asked, 'a' answered | 0 x 7 | stream 16 | number 8 | random bytes |
 *
 * A UDP payload of CANARY_HEAD to CANARY_MAX bytes; the answer is as long as the question, so nobody's traffic
 * is amplified by forging the sender, and no answer is answered.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

enum { CANARY_HEAD = 40, CANARY_MAX = 600 };

struct canary {
	uint8_t stream[WIRE_STREAM_ID];
	uint64_t number; /* from 1 */
	bool is_answer;
};

/* Writes the first CANARY_HEAD bytes of a payload. */
void canary_write(uint8_t out[static CANARY_HEAD], const struct canary *canary);

/* False when the payload is none. */
bool canary_read(struct canary *ret, const uint8_t *bytes, size_t len);
