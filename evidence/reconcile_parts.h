// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the reconciliation share.
 */
#pragma once

#include "evidence/reconcile.h"
#include "evidence/reconcile_rows.h"

enum {
	LOCALS_MAX = 256, /* addresses of one interface */
	/* Pairs of addresses of a side, from which they are found where no line says its direction. */
	SAMPLE_MAX = 256,
	SAMPLE_SEEN = 1024,
	NO_INTERFACE = UINT16_MAX,
	NAMES_SLOTS = 4 * RECONCILE_INTERFACES_MAX,
	/* Lines of Flow Logs follow each other by the minute, or by ten and cover those. */
	RECONCILE_MISSING_MIN_S = 180,
	RECONCILE_WINDOW_MAX_S = 600, /* Flow Logs' longest aggregation interval */
};

struct local {
	struct addr addr;
	uint8_t family;
};

struct pair {
	struct addr a, b;
	uint8_t family;
	bool is_taken, is_witness;
};

struct pairs {
	struct pair v[2 * SAMPLE_MAX];
	uint32_t seen[SAMPLE_SEEN]; /* hashes of pairs seen lately */
};

/* A flow log's lines on an interface. */
struct log_use {
	uint16_t log;
	bool is_reject;
	uint64_t lines;
	int64_t from, to;
};

/* What is learnt of an interface besides what the result tells. */
struct interface {
	uint16_t map;      /* the interface that it is; NO_INTERFACE: not compared */
	bool is_host;      /* the machine's records name it */
	int64_t from, to;  /* of the records */
	bool is_watched;   /* spans came from the ledger */
	struct spans ends; /* of the witness' lines, those within RECONCILE_MISSING_MIN_S in one */
	bool has_pkt;      /* lines of the witness tell the addresses in the packet */
	size_t n_locals, n_pairs;
	struct local *locals;
	size_t n_sampled[2]; /* of the machine's side, the witness' */
	struct pairs *pairs;
	struct addr primary; /* what the witness says for every IPv4 address of it */
	bool has_primary;
	size_t n_uses;
	struct log_use *uses;
};

/* Of lines. */
struct sum {
	uint64_t packets, bytes, lines;
	bool no_packets, no_bytes; /* a line does not say */
};

/* Samples of the two stamps' differences. */
struct offsets {
	int64_t *start, *end;
	size_t n, cap;
};

struct reconcile {
	struct reconcile_config config;
	struct reconcile_result result;
	struct rows *rows;
	struct reconcile_interface *names; /* result.interfaces */
	struct interface *ifaces;
	uint16_t slots[NAMES_SLOTS]; /* index + 1 by hash of the name */
	uint16_t last;
	char traffic[FLOWLOGS_LOGS_MAX];
	bool has_host, has_nameless_host;
	struct offsets offsets;
	uint32_t late_edge, early_edge; /* what a line may lie beyond an edge */
	uint32_t
		widest; /* of the witness' lines, seconds from start to end; of NODATA lines: its windows */
	uint32_t window; /* its windows' width; 0: start and end are those of packets */
	size_t cap_entries;
	uint64_t *trial; /* by weight: what is counted goes here instead of into the result */
	/* of the flow at hand */
	struct row **others; /* lines of further flow logs */
	size_t n_others;
	struct row **doubles; /* lines that were left out since they stood there before */
	size_t n_doubles;
	bool is_even; /* the two have as many packets and bytes of it in all */
	struct row **scratch;
	size_t cap_scratch;
};

/* ---- reconcile_ifaces.c ---- */

/* ERR_FULL beyond RECONCILE_INTERFACES_MAX. */
int ifaces_find(struct reconcile *rec, const char *name, size_t len, struct err *err);
/* Learns from a row where the machine's addresses are. -ENOMEM. */
int ifaces_learn(struct interface *iface, const struct row *row);
int ifaces_use_log(struct interface *iface, const struct row *row);
/* Decides which interface of the one is which of the other, and their addresses. */
int ifaces_settle(struct reconcile *rec, struct err *err);
/* Secondary addresses become the primary one where the witness does not tell them apart; true: some did, rows must be changed. */
bool ifaces_have_primary(struct reconcile *rec);
void ifaces_to_primary(const struct interface *iface, struct row *row);
bool ifaces_has_local(const struct interface *iface, uint8_t family, const struct addr *addr);
/* Of a flow: what its rows say, else by the addresses. */
enum flowrec_direction ifaces_direction(const struct interface *iface, const struct row *row);
/* Its own addresses from what was learnt. -ENOMEM. */
int ifaces_find_locals(struct interface *iface);
void ifaces_fini(struct interface *iface);
void ifaces_free(struct reconcile *rec);

/* ---- reconcile_clock.c ---- */

int clock_sample(struct reconcile *rec, const struct row *host, size_t n_host,
		 const struct row *witness, size_t n_witness);
void clock_settle(struct reconcile *rec);

/* ---- reconcile_match.c ---- */

/* Of those whose flags are so. */
struct sum match_sum(struct row *const *rows, size_t n, uint8_t mask, uint8_t value);
/* In what both say. */
bool match_equal(struct sum a, struct sum b);
void match_swap(struct row **a, struct row **b);
/* For qsort(3) of pointers: by start, the longer one first. */
int match_by_start(const void *p, const void *q);
/* Rows of one flow on one interface: the machine's, then the witness'. */
int match_flow(struct reconcile *rec, struct row *rows, size_t n, struct err *err);
/* Those of them that count, both sorted by start: cut into episodes, and judged. */
int match_lines(struct reconcile *rec, struct row **host, size_t n_host, struct row **witness,
		size_t n_witness, bool is_timed, struct err *err);

/* ---- reconcile_logs.c ---- */

/* Several flow logs tell of this interface: brings the lines first that say most clearly what became of the flow, sorted; *ret: how
 * many. */
/* Does a line tell of this row that was not taken? */
bool logs_have_other(const struct reconcile *rec, const struct row *row);
int logs_choose(struct reconcile *rec, struct row **host, size_t n_host, struct row **witness,
		size_t n, bool is_timed, size_t *ret, struct err *err);

/* ---- reconcile_reasons.c ---- */

/* Why the machine does not have what this line says; of one that it should have: RECONCILE_HIDDEN. */
enum reconcile_reason reasons_witness_only(const struct reconcile *rec, const struct row *row,
					   enum flowrec_direction direction);
/* Why the witness does not have it. */
enum reconcile_reason reasons_host_only(const struct reconcile *rec, const struct row *row);
/* Lies it wholly within what the sensor watched? And may packets of it have been lost there? */
bool reasons_is_watched(const struct reconcile *rec, const struct row *row);
bool reasons_in_gap(const struct reconcile *rec, const struct row *row);

/* ---- reconcile_result.c ---- */

void result_count(struct reconcile *rec, enum reconcile_class klass, enum reconcile_reason reason,
		  uint64_t packets, uint64_t bytes);
/* Counts it and, if its weight says so, lists it. */
int result_add(struct reconcile *rec, const struct reconcile_entry *entry, struct err *err);

/* ---- reconcile_again.c ---- */

/* A second look at what does not agree: fragments, secondary addresses. */
void again_resolve(struct reconcile *rec);
