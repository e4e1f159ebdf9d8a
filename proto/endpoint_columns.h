// SPDX-License-Identifier: Apache-2.0
/*
 * Endpoint digests as the columns of a batch, for its writer and its reader.
 *
 * Marks of a digest, one varint: bit 0 IPv6, 1-3 outcome, 4-6 verdict, 7-8 direction as exclusive or with
 * egress, 9 gave way: one byte for what this machine began. A digest costs 16 to 24 bytes with IPv4.
 */
#pragma once

#include "proto/batch.h"
#include "proto/flowproof.pb-c.h"

/* The most that the columns take when encoded: their heads, and of each digest address 16, mark 2,
 * ports and rule 3 each, protocol 2, times and counts 7 x 10. */
enum { ENDPOINT_COLUMNS_HEAD = 96, ENDPOINT_COLUMNS_BYTES = 96 };
_Static_assert((int)ENDPOINT_COLUMNS_HEAD + BATCH_WRITE_ENDPOINTS * (int)ENDPOINT_COLUMNS_BYTES <=
		       (int)BATCH_WRITE_ENDPOINTS_BYTES,
	       "batch.h leaves room for them");

struct endpoint_columns {
	Fp__Endpoints message; /* its counts are the columns' counts */
	uint64_t before;       /* `first` of the digest before */
	uint8_t addresses4[BATCH_WRITE_ENDPOINTS * 4], addresses6[BATCH_WRITE_ENDPOINTS * 16];
	uint32_t marks[BATCH_WRITE_ENDPOINTS], port[BATCH_WRITE_ENDPOINTS];
	uint32_t protocol[BATCH_WRITE_ENDPOINTS], rule[BATCH_WRITE_ENDPOINTS];
	int64_t first[BATCH_WRITE_ENDPOINTS];
	uint64_t duration[BATCH_WRITE_ENDPOINTS], flows[BATCH_WRITE_ENDPOINTS];
	uint64_t packets_out[BATCH_WRITE_ENDPOINTS], bytes_out[BATCH_WRITE_ENDPOINTS];
	uint64_t packets_in[BATCH_WRITE_ENDPOINTS], bytes_in[BATCH_WRITE_ENDPOINTS];
};

void endpoint_columns_reset(struct endpoint_columns *columns);
/* False when they are full. Times beyond INT64_MAX are cut to it. */
bool endpoint_columns_add(struct endpoint_columns *columns, const struct endpoint_digest *digest);
/* Reads them into `out` (BATCH_ENDPOINTS_MAX). What is wrong, or NULL. */
const char *endpoint_columns_read(const Fp__Endpoints *message, struct endpoint_digest *out,
				  size_t *ret_n);
