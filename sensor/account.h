// SPDX-License-Identifier: Apache-2.0
/*
 * account: the packet equation. Every frame that came in and what became of it, per interface:
 *
 *      received + offload = recorded + live + not IP + malformed + cut
 *
 * `offload`: what was added because a frame stood for several packets of the wire.
 * Beside it, not terms of it: frames that were recorded though something is wrong with them.
 *
 * `recorded` and `live` are summed from the records and the table's entries themselves, never from a
 * counter beside them, so that the residual proves something. A counter that could not be read is
 * unknown, never 0. Pure: reads no counter and no clock, gets them told.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "platform/nic.h"
#include "proto/batch.h"
#include "proto/wire.h"
#include "sensor/capture.h"
#include "sensor/decode.h"

/* Totals of the run so far. */
struct account_interface {
	uint64_t received; /* frames handed over by capture */
	uint64_t result[DECODE_RESULTS];
	uint64_t recorded;  /* summed from the records that went out */
	uint64_t passed_on; /* mirror mode: further frames, counted where their VNI belongs */
	uint64_t cut;       /* taken by libpcap, never handed over; known when the run ends */
	uint64_t snapped;   /* frames of which the capture kept a part */
	uint64_t bad_checksum, beyond_wire; /* of those recorded: as struct decoded has it */
	uint64_t offload_frames, offload_packets, offload_bytes;
	struct capture_stats kernel;
	struct account_nic {
		bool known, stepped_back;
		bool begun, allowances_begun, allowances_known;
		uint64_t first, last;
		uint64_t allowances_first[NIC_ALLOWANCES], allowances[NIC_ALLOWANCES];
	} nic;
};

struct account {
	uint16_t n; /* interfaces */
	struct account_interface of[WIRE_INTERFACES_MAX];
};

/* A frame came in. `decoded` counts when the result is DECODE_IP. */
static inline void account_frame(struct account *account, const struct packet *packet,
				 enum decode_result result, const struct decoded *decoded)
{
	struct account_interface *a = &account->of[packet->iface];

	a->received++;
	a->result[result]++;
	a->snapped += packet->snapped;
	if (result != DECODE_IP)
		return;
	a->bad_checksum += decoded->bad_checksum;
	a->beyond_wire += decoded->beyond_wire;
}

/* The kernel's counters as they stand now. True when it dropped packets since the last time. */
bool account_kernel(struct account *account, uint16_t iface, const struct capture_stats *now);

/* A frame of `bytes` turned out to stand for the packets of `decoded`. */
void account_offload(struct account *account, uint16_t iface, uint64_t bytes,
		     const struct decoded *decoded);

/* The network card's counters as they stand now; the first that is known is where the run begins. True
 * when packets were lost since the last one. One that steps back (the driver began anew) is a loss, and
 * makes the count unknown for the rest of the run. */
bool account_nic(struct account *account, uint16_t iface, const struct nic_counters *now);
/* Likewise; NULL: they could not be read. */
void account_allowances(struct account *account, uint16_t iface, const uint64_t *now);

/* No frame follows: what the kernel gave and nobody got was cut. */
void account_end(struct account *account);

/* The equation of an interface as it stands. `live`: packets in the table or on the way to it;
 * `window`: Unix seconds of the one that just closed. */
void account_fill(const struct account *account, uint16_t iface, uint64_t live, uint64_t window,
		  struct batch_account *ret);

/* Adds an interface's equation to a sum, which begins as a copy of the first: what is unknown of one is
 * unknown of all. */
void account_add(struct batch_account *sum, const struct batch_account *more);

/* Reasons for what was not recorded, then the equation as the last line; `sum` is the run's. */
void account_print(const struct account *account, const struct batch_account *sum, FILE *out);
