// SPDX-License-Identifier: Apache-2.0
/*
 * Who acts in a schedule: sensors without capture and collectors, each a process of a host of its own (sim.h), with the
 * programs' own code between spool and ledger. How they start, end and are killed.
 */
#pragma once

#include "collector/ingest.h"
#include "evidence/ledger.h"
#include "sensor/clockwatch.h"
#include "sensor/spool.h"
#include "sensor/uplink.h"
#include "tests/faults/schedules.h"
#include "tests/faults/sim.h"

struct collector {
	char store[16];
	unsigned host;
	struct loop *loop;
	struct tls_config *tls;
	struct crypto_signer *signer;
	struct ledger *ledger;
	struct ingest *ingest;
	struct loop_timer *seal, *boot;
	bool is_up, is_over;
};

struct sensor {
	unsigned host;
	char path[16];
	struct sensor_runs *runs;
	struct run *run; /* NULL: down */
	struct loop *loop;
	struct loop_timer *tick, *boot;
	struct tls_config *tls;
	struct crypto_signer *signer;
	struct spool *spool;
	struct uplink *uplink;
	struct wire_hello hello;
	struct clockwatch clocks;
	uint64_t flushed_ms, signed_ms, synced_ms;
	unsigned flood; /* ticks of it that are left */
	unsigned laps;
	bool in_file, is_leaving, said_goodbye, is_over;
};

extern struct cast {
	size_t n_collectors, n_sensors;
	struct collector collectors[COLLECTORS];
	struct sensor sensors[SENSORS];
	struct sensor_runs runs[SENSORS];
	struct endpoint at[COLLECTORS];
	uint32_t commit_ms, seal_ms, segment_s;
	bool healed; /* nothing fails any more: sensors end when all is delivered */
} cast;
extern bool trace;

/* With the time, where `trace` is on. */
void say(const char *what, const char *who);
/* Ends the schedule's process. */
_Noreturn void fail(const char *what);

/* Callbacks of timers, and of ingest_stop(). `ctx`: the sensor or collector. */
void sensor_boot(void *ctx);
void collector_boot(void *ctx);
void collector_stopped(void *ctx);

/* It starts again after a while. */
void sensor_kill(struct sensor *sensor, enum run_end how);
/* By a step of its disk, which took back what was not synced. */
void sensor_died(struct sensor *sensor);
void collector_kill(struct collector *collector, bool power);
