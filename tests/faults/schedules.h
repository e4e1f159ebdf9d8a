// SPDX-License-Identifier: Apache-2.0
/*
 * What the fault schedules know of what they sent, and hold against the ledgers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

enum {
	COLLECTORS = 2,
	SENSORS = 3,
	RUNS = 12,         /* of one sensor */
	SEQUENCES = 16384, /* batches of a run, at most */
};

enum run_end { RUN_GOODBYE, RUN_KILLED, RUN_NO_POWER };

/* One run of a sensor is one stream. Record i of it has record_packets() packets. */
struct run {
	uint8_t stream[WIRE_STREAM_ID];
	uint32_t pushed; /* records given to the spool */
	uint32_t
		in_closed; /* of these before the batch that is being filled, if one was closed now */
	uint64_t closed;   /* batches */
	uint64_t acknowledged;  /* as the spool had heard */
	uint64_t synced;        /* batches that were on the sensor's disk for sure */
	bool in_file, bad_disk; /* the spool has a file; whose disk failed writes */
	enum run_end end;
	uint32_t from[SEQUENCES]; /* first record of batch n, from 1 */
	/* as the ledgers have it */
	uint8_t seen[SEQUENCES]; /* a bit for each collector */
	uint8_t gone[SEQUENCES]; /* declared: given up (1), at another collector (2) */
	bool has_goodbye, is_there[COLLECTORS];
	unsigned gaps[COLLECTORS];
};

struct sensor_runs {
	char name[8];
	size_t n;
	struct run *runs[RUNS];
};

/* Over all schedules; in memory that parent and children share. */
struct totals {
	unsigned schedules, failed;
	unsigned faults[32];
	uint64_t sent, in_ledger, declared, behind; /* packets; `behind` an end without goodbye */
	uint64_t batches, gaps, unclean;
};

static inline uint64_t record_packets(uint32_t i)
{
	return 1 + i * 7 % 5;
}

/* Reads all stores and audits them. False, and why on standard output. */
bool check_all(struct sensor_runs *sensors, size_t n_sensors, size_t n_collectors,
	       bool clock_stepped, struct totals *totals);
