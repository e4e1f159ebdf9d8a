// SPDX-License-Identifier: Apache-2.0
/*
 * Gathering: the ledger gone through once, and the facts of a verdict drawn from it.
 *
 * A replayed file is counted and enters nothing. What a damaged place took away makes facts less than whole.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/endpoints.h"
#include "evidence/findings.h"
#include "evidence/labels.h"
#include "evidence/log_sums.h"
#include "evidence/replay.h"
#include "evidence/timeline.h"
#include "evidence/verdict.h"
#include "policy/policy.h"
#include "proto/batch.h"

enum { GATHER_LINKS_MAX = 64, GATHER_FAULTS_MAX = 100, GATHER_RUNS_MAX = 1024 * 1024 };

/* An interface that is captured. */
struct gather_interface {
	char name[FLOWREC_ID_MAX + 1];
	struct wire_link link;
	uint64_t stored; /* packets of the records that are here */
	bool has_account;
	struct batch_account account;                         /* the latest */
	bool kernel_unknown, nic_unknown, allowances_unknown; /* once, or always */
	uint64_t skipped, skipped_first, skipped_last;        /* SKIPDATA lines, Unix seconds */
};

/* An interface of the machine, captured or not. */
struct gather_link {
	char name[BATCH_EVENT_TEXT];
	int64_t index;
	bool captured, was_up, gone;
	int64_t rx_first, tx_first, rx, tx; /* -1: unknown */
};

/* One run of a sensor. */
struct gather_run {
	char sensor[WIRE_SENSOR_ID_MAX];
	uint8_t stream[WIRE_STREAM_ID];
	bool is_known, is_replay, goodbye, filtered, dates_wrong;
	uint64_t begin_s, end_s; /* by the sensor's clock; Unix seconds, end excluded */
	uint64_t hellos, batches, records, packets, bytes, alerts, is_signed;
	uint64_t records_said; /* by the last batch's count of those before it */
	uint64_t gap_batches, gap_records, gap_first, gap_last;
	bool has_tables;
	uint64_t tables[BATCH_TABLES]; /* the latest */
	uint64_t spool_gave_up;
	uint64_t unjudged, unjudged_first,
		unjudged_last; /* packets without an address of this machine */
	uint32_t window_s;
	char build[FLOWREC_ID_MAX + 1], boot_id[FLOWREC_ID_MAX + 1];
	uint8_t config[SHA256_BYTES], policy[SHA256_BYTES];
	char *policy_text; /* NULL: not told, or not what `policy` says */
	size_t n_rules;
	char **rules;        /* names */
	uint8_t *rules_used; /* by number - 1 */
	bool has_clock;
	uint64_t
		clock_off_ms; /* the farthest the clocks were apart, what is not known of the way included */
	uint64_t clock_steps, clock_step_s;
	bool has_canaries;
	int64_t canaries[4]; /* the latest BATCH_EVENT_CANARIES */
	/* Of BATCH_EVENT_BLINDING and BATCH_EVENT_BLIND_CHECK */
	uint64_t blind_checks, blindings, blind_first, blind_last;
	bool unchecked;        /* a check could not look at all that it had to */
	bool has_host, looked; /* looked: the first look is over */
	uint64_t unseen_start; /* packets that captured interfaces had counted at the first look */
	size_t n_links;
	bool links_left_out;
	struct gather_link links[GATHER_LINKS_MAX];
	bool has_names;
	uint64_t names[BATCH_NAMES_COUNTS];
	uint64_t old_flows, old_first, old_last;
	uint64_t previous_ns; /* clock of the batch before */
	uint8_t last_digest[SHA256_BYTES];
	char *texts[FLOWREC_TEXTS]; /* of the first interface; NULL: not told */
	size_t n_interfaces;
	struct gather_interface interfaces[WIRE_INTERFACES_MAX];
};

struct gather_sensor {
	char id[WIRE_SENSOR_ID_MAX];
	struct timeline timeline;
	uint64_t from_s, to_s; /* the time judged */
};

struct gather_fault {
	char *file, *reason;
	uint64_t offset;
};

/* What is asked for. */
struct gather_config {
	const char *sensor;    /* only this one; NULL: all */
	uint64_t from_s, to_s; /* the time judged, end excluded; 0 and 0: as the ledger has it */
	const struct policy *policy;         /* that the runs should have had; NULL: not given */
	const struct watch_list *watch;      /* suspects; borrowed; NULL: none */
	uint8_t policy_digest[SHA256_BYTES]; /* of its text */
	size_t findings_max;                 /* 0: FINDINGS_MAX */
};

struct hashset;
struct table;

struct gather {
	struct gather_config config;
	size_t n_runs, cap_runs;
	struct gather_run *runs;
	size_t n_sensors, cap_sensors;
	struct gather_sensor *sensors; /* with a live run */
	struct endpoints *endpoints;
	const struct endpoint_sum
		*ends; /* live ones first to last, of the time judged and all else */
	size_t n_ends;
	struct findings *findings;
	const struct finding *const *found; /* all of them, of live runs */
	size_t n_found;
	uint64_t orphans; /* batches whose hello is lost: nobody knows whether they are replayed */
	uint64_t damage;
	size_t n_faults;
	struct gather_fault faults[GATHER_FAULTS_MAX]; /* the first of `damage` */
	struct policy *policy; /* of the runs; NULL: not known, or several */
	struct labels *labels;
	struct log_sums *logs; /* of live runs */
	struct hashset *flows; /* TCP, of which a record was seen */
	struct table *run_places, *sensor_places;
};

/* Goes through the ledger. Negative with a sentence when STORE cannot be read. Free it in any case. */
int gather_run(struct gather *gather, const char *store, const struct gather_config *config,
	       struct err *err);
void gather_fini(struct gather *gather);

/* The same in steps, for a ledger that grows: the ops with the gather as ctx, for whatever order the sensors come in;
 * then settled, which makes good what the lists say until more is added; and so on. The findings found then and the
 * sums are borrowed until the next addition. */
int gather_begin(struct gather *gather, const struct gather_config *config, struct err *err);
extern const struct replay_ops gather_ops;
int gather_settle(struct gather *gather, struct err *err);

/* NULL if it has no live run. */
const struct gather_sensor *gather_sensor(const struct gather *gather, const char *id);

/* The facts that the ledger's content tells; all others are left as they are. */
void gather_facts(const struct gather *gather, struct verdict_evidence *ret);
/* Hours of the day and days of the week, by localtime(3). */
void gather_hours(const struct gather *gather, struct verdict_evidence *ret);

/* Does a sum of an endpoint count: live, and within the time judged? */
bool gather_counts(const struct gather *gather, const struct endpoint_sum *sum);

/* What a finding means for the verdict. */
enum gather_weight {
	GATHER_ASIDE,     /* told, or outside the time judged */
	GATHER_SUSPICION, /* somebody must look at it */
	GATHER_EGRESS,    /* unexpected egress */
};
enum gather_weight gather_weigh(const struct gather *gather, const struct finding *finding);
