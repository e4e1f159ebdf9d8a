// SPDX-License-Identifier: Apache-2.0
/*
 * Reconciliation: what the sensor's records say of a machine's traffic beside what a second witness says
 * of it, AWS's Flow Logs or another sensor's records. Each flow in one class, each difference with its
 * reason or as unexplained, and what the witness saw that this machine did not record as hidden.
 *
 * Flows are matched by interface, addresses as bytes, ports and protocol, over stretches of time in which
 * lines of either side follow one another; the windows of the two need not be the same. The rules and
 * their sources are in reconcile_reasons.def and docs/flowproof-reconcile.1.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/flowlogs.h"
#include "evidence/spans.h"
#include "platform/addr.h"
#include "platform/err.h"
#include "proto/flowrec.h"

enum {
	RECONCILE_INTERFACES_MAX = 4096,
	RECONCILE_NAME_MAX = 64, /* bytes of an interface's ID with NUL */
	RECONCILE_LATE_S = 60,   /* stamps of Flow Logs are documented to be late by up to this */
	RECONCILE_LATE_MAX_S = 900, /* later ones are not taken for the same traffic */
	RECONCILE_PAIRS_MIN = 8,    /* equal flows from which lateness is believed */
	RECONCILE_SUBNETS_MAX = 16,
};

/* Where a flow ends up. */
enum reconcile_class {
	RECONCILE_AGREE,
	RECONCILE_COUNTS_DIFFER,
	RECONCILE_HOST_ONLY,
	RECONCILE_WITNESS_ONLY,
	RECONCILE_CLASSES
};

/* Why; the table is reconcile_reasons.def. */
enum reconcile_reason {
#define REASON(id, ...) RECONCILE_##id,
#include "evidence/reconcile_reasons.def"
	RECONCILE_REASONS
};

/* What a reason means for the result. */
enum reconcile_weight {
	RECONCILE_FINE,        /* as it should be, or explained */
	RECONCILE_ASIDE,       /* one of the witnesses was not there: listed, in no percentage */
	RECONCILE_UNCLEAR,     /* cannot be told apart from something hidden: listed */
	RECONCILE_UNEXPLAINED, /* listed; exit status 1 beyond the tolerance */
	RECONCILE_RED,         /* hidden from this machine */
	RECONCILE_WEIGHTS
};

struct reconcile_reason_info {
	const char *name;    /* in JSON */
	const char *meaning; /* a sentence */
	uint8_t weight;      /* enum reconcile_weight */
};
extern const struct reconcile_reason_info reconcile_reasons[RECONCILE_REASONS];
extern const char *const reconcile_class_names[RECONCILE_CLASSES];

/* A flow, or a stretch of one, that is not in order. */
struct reconcile_entry {
	struct addr src, dst;
	uint64_t packets, bytes; /* of the witness, or of the machine if it alone has the flow */
	uint64_t host_packets, host_bytes; /* beside them, of RECONCILE_COUNTS_DIFFER */
	uint64_t lines;                    /* of the side counted in `packets` */
	uint32_t start, end; /* Unix seconds of the witness' or machine's lines; 0 0: not said */
	uint16_t srcport, dstport;
	uint16_t iface; /* index into the result's interfaces */
	uint8_t family, protocol;
	uint8_t tcp_flags;
	uint8_t action;    /* enum flowrec_action */
	uint8_t direction; /* enum flowrec_direction */
	uint8_t klass;     /* enum reconcile_class */
	uint8_t reason;    /* enum reconcile_reason */
	bool is_timed;
	bool is_host; /* the machine's alone: start and end are of its clock */
};

struct reconcile_sum {
	uint64_t flows, packets, bytes;
};

struct reconcile_interface {
	char name[RECONCILE_NAME_MAX]; /* "-" if nobody names it */
	uint64_t host_rows, witness_rows;
	struct spans host;    /* time in which the sensor watched, by its own clock */
	struct spans gaps;    /* of it, time in which it lost packets (SKIPDATA) */
	struct spans witness; /* time that the witness' lines cover, NODATA lines too */
	struct spans skipped; /* SKIPDATA of the witness */
	struct spans missing; /* within the common span: no line of the witness covers it */
	unsigned
		secondary; /* of its addresses taken for the primary one, since these Flow Logs do not tell them apart */
	bool is_ours; /* the machine's records have it */
};

/* What was measured of the stamps of flows that both have with equal counts, in seconds. */
struct reconcile_clock {
	uint64_t pairs;
	int64_t start_min, start_median, start_max; /* the witness' start less the machine's */
	int64_t end_min, end_median, end_max;
	int64_t applied; /* added to the machine's times */
	bool has_ledger;
	int64_t ledger_ms;    /* sensor's clock less the collector's, as the ledger last measured */
	uint32_t late, early; /* tolerances that follow: a stamp may be this late or early */
};

struct reconcile_result {
	struct reconcile_sum sums[RECONCILE_CLASSES][RECONCILE_REASONS];
	/* What the two say in all, of the interfaces compared. */
	struct reconcile_sum host, witness;
	struct reconcile_clock clock;
	int64_t from, to; /* the common span; from > to: none */
	bool span_given;
	uint64_t duplicates;      /* witness lines that stood there before */
	uint64_t other_log_lines; /* lines of further flow logs over the same interface */
	uint64_t other_interface_lines;
	uint64_t untimed;        /* witness lines without start and end */
	uint64_t unusable;       /* witness lines without addresses, packets or protocol */
	uint64_t action_differs; /* flows that the one allows and the other refuses */
	bool no_rejects;         /* the witness has no REJECT line at all */
	/* Hidden ones first, then by weight, then by bytes. */
	struct reconcile_entry *entries;
	size_t n_entries;
	struct reconcile_interface *interfaces;
	size_t n_interfaces;
	uint64_t rows, spilled_rows;
};

struct reconcile_config {
	uint64_t memory;       /* bytes of rows kept in memory; 0: 512 MiB */
	const char *folder;    /* for what exceeds it; NULL: $TMPDIR or /tmp */
	const char *interface; /* the only one to compare; NULL: those of the records */
	bool has_span;
	int64_t from, to; /* the span that was watched */
	bool is_against;  /* the witness is another sensor */
	struct cidr subnets
		[RECONCILE_SUBNETS_MAX]; /* of the VPC: base + 1 and + 2 are the router and the resolver */
	size_t n_subnets;
	/* Now and then while a long comparison runs: buckets done of all. */
	void (*progress)(void *ctx, unsigned done, unsigned all);
	void *ctx;
};

struct reconcile;

int reconcile_new(struct reconcile **ret, const struct reconcile_config *config);
void reconcile_free(struct reconcile *rec);

/* ---- the machine's side, first ---- */

/* The number of an interface of the machine; "" or "-": it has no name. ERR_FULL. */
int reconcile_host_interface(struct reconcile *rec, const char *name, struct err *err);
/* A record of it, of any status. */
int reconcile_host(struct reconcile *rec, int iface, const struct flowlogs_record *record,
		   struct err *err);
/* The time in which a sensor watched this interface, by its clock; without it the records' own times are taken. */
int reconcile_host_watched(struct reconcile *rec, int iface, int64_t from, int64_t to,
			   struct err *err);
/* Time in which packets were lost. */
int reconcile_host_gap(struct reconcile *rec, int iface, int64_t from, int64_t to, struct err *err);
/* The sensor's clock less the collector's, in milliseconds; the last word holds. */
void reconcile_host_clock(struct reconcile *rec, int64_t offset_ms);

/* ---- the witness, then ---- */

int reconcile_witness(struct reconcile *rec, const struct flowlogs_record *record, struct err *err);
/* What is known of a flow log (its traffic type), by index. */
void reconcile_witness_log(struct reconcile *rec, uint16_t index, const struct flowlogs_log *log);

/* Compares. The result belongs to `rec`. ERR_USAGE if it cannot be told which interface is which. */
int reconcile_run(struct reconcile *rec, const struct reconcile_result **ret, struct err *err);

/* All of a weight. */
struct reconcile_sum reconcile_sum_of(const struct reconcile_result *result,
				      enum reconcile_weight weight);
struct reconcile_sum reconcile_sum_class(const struct reconcile_result *result,
					 enum reconcile_class klass);
/* Per cent of what both should have that they agree upon or differ in for a known reason; 100 of nothing. */
double reconcile_agreement(const struct reconcile_result *result,
			   uint64_t reconcile_part(const struct reconcile_sum *));
uint64_t reconcile_flows(const struct reconcile_sum *sum);
uint64_t reconcile_packets(const struct reconcile_sum *sum);
uint64_t reconcile_bytes(const struct reconcile_sum *sum);
