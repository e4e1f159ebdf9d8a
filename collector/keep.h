// SPDX-License-Identifier: Apache-2.0
/*
 * keep: what every way into the ledger does with a batch or gap that came: checks that it follows its chain and
 * keeps to its hello, sums it up, appends it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "evidence/ledger.h"
#include "platform/err.h"
#include "proto/batch.h"
#include "proto/wire.h"

/* The records of a batch, summed up. */
struct keep_totals {
	uint64_t records;         /* with traffic */
	uint64_t nodata, skipped; /* windows that say so */
	uint64_t packets, bytes;
	uint64_t first, last; /* Unix seconds: least start, greatest end of the records, else of the
				 windows */
};

enum keep {
	KEEP_TAKEN,
	KEEP_REPEATED, /* it is here already: harmless */
	KEEP_REFUSED,  /* it breaks a rule: nothing was appended */
	KEEP_FAILED,   /* the ledger cannot be written: the sensor has failed there (ledger.h) */
};

/* `received_ns`: the wall clock of who took it from the sensor. For all but the first two `err` says why. The
 * totals are filled in when it was taken, or failed. The batch is read to its end. */
enum keep keep_batch(struct ledger_sensor *sensor, const struct wire_hello *hello,
		     uint64_t received_ns, struct batch *batch, const uint8_t *message, size_t len,
		     struct keep_totals *ret, struct err *err);
enum keep keep_gap(struct ledger_sensor *sensor, const struct wire_hello *hello,
		   uint64_t received_ns, const uint8_t *message, size_t len, struct batch_gap *ret,
		   struct err *err);
