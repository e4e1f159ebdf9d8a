// SPDX-License-Identifier: Apache-2.0
/*
 * Sensors for the tests of ledger and audit: hellos and signed batches as a sensor makes them, put into
 * the ledger as the collector does.
 */
#pragma once

#include "evidence/ledger.h"
#include "platform/crypto_sign.h"

struct maker {
	char id[WIRE_SENSOR_ID_MAX];
	uint8_t stream[WIRE_STREAM_ID];
	struct crypto_signer *signer;
	struct batch_writer *writer;
	struct batch_chain chain;
	struct batch_gap gap; /* .last > 0: the next batch tells it */
	uint8_t bytes[BATCH_WRITE_BYTES];
	size_t len;
};

enum maker_how { MAKER_PLAIN, MAKER_SIGNED, MAKER_GOODBYE };

/* A stream of the sensor, whose id is filled with `letter`. */
struct maker *maker_new(const char *id, char letter, struct crypto_signer *signer);
void maker_free(struct maker *m);

/* Into .bytes and .len; the batch has `records` records of 2 packets, from `time_s` on, a second each. */
void maker_hello(struct maker *m);
void maker_batch(struct maker *m, unsigned records, uint64_t time_s, enum maker_how how);

/* The same, and appends it. Fails the test if that fails. */
void maker_put_hello(struct maker *m, struct ledger *ledger, uint64_t now_ns);
void maker_put_batch(struct maker *m, struct ledger *ledger, uint64_t now_ns, unsigned records,
		     enum maker_how how);
void maker_put_gap(struct maker *m, struct ledger *ledger, uint64_t now_ns, unsigned records);
