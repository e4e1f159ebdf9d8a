// SPDX-License-Identifier: Apache-2.0
/*
 * Bursts as the columns of a batch, for its writer and its reader.
 */
#pragma once

#include "proto/batch.h"
#include "proto/flowproof.pb-c.h"

struct burst_columns {
	Fp__Bursts message; /* its counts are the columns' counts */
	uint64_t before;    /* the last time */
	uint8_t addresses4[BATCH_WRITE_BURSTS * 4], addresses6[BATCH_WRITE_BURSTS * 16];
	uint32_t marks[BATCH_WRITE_BURSTS], port[BATCH_WRITE_BURSTS], protocol[BATCH_WRITE_BURSTS];
	int64_t tenths[BATCH_WRITE_BURSTS * BURST_TIMES];
};

void burst_columns_reset(struct burst_columns *columns);
/* False when they are full. Times beyond INT64_MAX are cut to it. */
bool burst_columns_add(struct burst_columns *columns, const struct batch_burst *burst);
/* Reads them into `out` (BATCH_BURSTS_MAX). What is wrong, or NULL. */
const char *burst_columns_read(const Fp__Bursts *message, struct batch_burst *out, size_t *ret_n);
