// SPDX-License-Identifier: Apache-2.0
/*
 * offload: gives frames that were merged (GRO, LRO), or are yet to be cut (TSO, GSO, UDP GSO), back as the
 * packets of the wire.
 *
 * How many they are is told by the kernel (platform/segments), or estimated:
 *
 *   TCP   the payload, cut by the least MSS that the two SYNs announced, less the options that this frame's
 *         header has (RFC 6691); where no SYN was seen, by the interface's MTU
 *   UDP   the payload, cut by the MTU. The true size of the pieces is the sender's choice and not in the
 *         packet: QUIC's are smaller, so this is too few.
 *
 * Each packet repeats IP and transport header, so n packets have n - 1 times these bytes more than the frame.
 * An estimate does not see what was merged to no more than the MTU, and takes pieces for full ones.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/wire.h"
#include "sensor/decode.h"

enum { OFFLOAD_SLOTS = 4096, OFFLOAD_MTU = 1500 /* where it is unknown */ };

struct offload;

/* `key`: a secret, so that nobody can aim at another flow's place. */
int offload_new(struct offload **ret, const uint64_t key[static 2]);
void offload_free(struct offload *offload);
/* Bytes that it takes. */
size_t offload_memory(void);

/* `segments`: of struct packet; `mtu`: of the interface, 0: unknown. Changes packets and bytes of `decoded` where
 * the mode says so. True when the frame stands for several packets (of mode AS_IS: is longer than the MTU). */
bool offload_correct(struct offload *offload, enum wire_offload mode, uint32_t segments,
		     uint32_t mtu, struct decoded *decoded);
