// SPDX-License-Identifier: Apache-2.0
/*
 * The rows that a reconciliation compares: what both witnesses say, 40 bytes a line (72 of IPv6 and of large counts), kept in 256 buckets
 * by a hash of the flow. A bucket is what is brought together by flow at once. What exceeds the memory allowed goes to files without a
 * name.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/addr.h"
#include "platform/err.h"

enum { ROWS_BUCKETS = 256 };

enum row_flags {
	ROW_WITNESS = 1 << 0, /* the other side: Flow Logs */
	ROW_REJECT = 1 << 1,
	ROW_INGRESS = 1 << 2, /* as the line itself says */
	ROW_EGRESS = 1 << 3,
	ROW_TIMED = 1 << 4, /* start and end are known */
	ROW_PKT = 1 << 5,   /* addresses are those in the packet for sure */
	ROW_NO_BYTES = 1 << 6,
	ROW_NO_PACKETS = 1 << 7,
};

struct row {
	struct addr src, dst;
	uint16_t srcport, dstport;
	uint8_t protocol;
	uint8_t family;
	uint16_t iface;
	uint32_t start, end;
	uint64_t packets, bytes;
	uint16_t log;
	uint8_t flags; /* enum row_flags */
	uint8_t tcp_flags;
	uint32_t hash; /* of the flow */
};

struct rows;

/* `memory`: bytes of rows in memory before files are used. `folder`: for those files; NULL: $TMPDIR or /tmp. */
int rows_new(struct rows **ret, uint64_t memory, const char *folder);
void rows_free(struct rows *rows);
int rows_add(struct rows *rows, const struct row *row, struct err *err);
uint64_t rows_count(const struct rows *rows);
uint64_t rows_spilled(const struct rows *rows);
/* May change a row's interface, the same way each time; false: the row is not wanted. */
typedef bool rows_keep_fn(void *ctx, struct row *row);
/* Puts all rows into buckets anew, after `change` changed their flows. */
int rows_again(struct rows *rows, rows_keep_fn *change, void *ctx, struct err *err);
/* The rows of a flow: the same interface, addresses, ports, protocol; the machine's first, then the witness', each by time. They may be
 * changed; they are gone after the call. */
typedef int rows_flow_fn(void *ctx, struct row *flow, size_t n, struct err *err);
/* Each flow of a bucket, of the rows that `keep` wants, in no order that means anything, but always the same. What `each` returned, if
 * not 0. */
int rows_each_flow(struct rows *rows, unsigned bucket, rows_keep_fn *keep, rows_flow_fn *each,
		   void *ctx, struct err *err);
