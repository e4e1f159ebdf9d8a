// SPDX-License-Identifier: Apache-2.0
/*
 * Endpoints: what the digests in the ledger say of each remote endpoint, whatever became of its records.
 *
 * One per sensor, mode, remote address, responder's port, protocol and direction. A digest's totals
 * include those of the ones before it in its stream, until one says that the endpoint gave way.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/endpoint.h"
#include "proto/wire.h"

enum { ENDPOINTS_MAX = 4000000 }; /* digests that no later one includes */

/* Where a digest comes from. Borrowed during the call. */
struct endpoints_source {
	const char *sensor;
	bool is_replay;
	const uint8_t *stream; /* WIRE_STREAM_ID bytes */
	const char *rule;      /* name of the digest's rule; NULL: none, or not known */
};

struct endpoint_sum {
	const char *sensor, *rule; /* rule: NULL if there is none */
	bool is_replay;
	struct endpoint_digest digest; /* the sums */
};

struct endpoints;

int endpoints_new(struct endpoints **ret);
void endpoints_free(struct endpoints *endpoints);
/* In the order of the ledger. 0 or -ENOMEM; digests beyond ENDPOINTS_MAX are counted. */
int endpoints_add(struct endpoints *endpoints, const struct endpoints_source *source,
		  const struct endpoint_digest *digest);
uint64_t endpoints_left_out(const struct endpoints *endpoints);

/* The sums, by sensor and mode, what a machine began before what peers did, then by first sight. Borrowed
 * until the next call. NULL without memory. */
const struct endpoint_sum *endpoints_sum(struct endpoints *endpoints, size_t *ret_n);
