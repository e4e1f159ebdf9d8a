// SPDX-License-Identifier: Apache-2.0
/*
 * record: a direction of a flow entry, or a window without flows, as a Flow Logs record. Pure.
 */
#pragma once

#include "proto/flowrec.h"
#include "sensor/flow.h"

/* Direction `dir` (0 or 1) of the entry, accepted; windows are `window_s` seconds long. */
void record_from_flow(struct flowrec *ret, const struct flow_entry *entry, unsigned dir,
		      unsigned window_s);

/* A NODATA or SKIPDATA record of [start, end). */
void record_mark(struct flowrec *ret, uint16_t iface, enum flowrec_status status, uint64_t start,
		 uint64_t end);
