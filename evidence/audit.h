// SPDX-License-Identifier: Apache-2.0
/*
 * The audit: everything below STORE held against the signed manifests, the streams' chains and the
 * sensors' own signatures. From the CA's certificate alone; nothing is written.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/ledger.h"
#include "platform/crypto_sign.h"
#include "platform/err.h"

enum audit_grade {
	AUDIT_INTACT,
	AUDIT_INCOMPLETE, /* what is here is as it was signed, and something is not here: an end that
			     nobody signed, a gap that the sensor declared */
	AUDIT_BROKEN,     /* changed, missing, added, or not signed by whom it should be */
};

enum { AUDIT_FAULTS_MAX = 1000 };

struct audit_fault {
	enum audit_grade grade;
	char file[LEDGER_PATH_MAX];
	uint64_t offset;
	char reason[320];
};

struct audit_gap {
	struct batch_gap gap;
	bool is_confirmed; /* a later batch of the stream tells it too */
};

enum audit_end { AUDIT_GOODBYE, AUDIT_OPEN, AUDIT_CUT };

/* One run of a sensor. */
struct audit_stream {
	uint8_t id[WIRE_STREAM_ID];
	struct batch_chain chain; /* the last batch */
	bool is_replay;
	enum audit_end end;
	uint64_t hellos, batches;
	uint64_t deleted; /* batches that only manifests tell of */
	struct ledger_sum sum;
	uint64_t heads;       /* batches that the sensor signed */
	uint64_t signed_upto; /* sequence of the last of them */
	uint64_t dropped;     /* packets that the sensor says kernel and network card dropped */
	size_t n_gaps;
	struct audit_gap *gaps;
	/* where its last batch, and the last one that is signed, stand */
	uint32_t at_segment, signed_segment;
	uint64_t at_offset, signed_offset;
	uint64_t at_ns, signed_ns; /* received */
	/* of its first hello that is here; NULL: none */
	uint8_t *certificate;
	uint64_t hello_ns, hello_offset;
	uint32_t hello_segment;
	size_t certificate_len;
};

struct audit_sensor {
	char id[WIRE_SENSOR_ID_MAX];
	uint32_t first, last; /* segments that are here; 0 and 0: none */
	uint64_t bytes, sealed_bytes;
	uint64_t deleted; /* segments */
	size_t n_streams, cap_streams;
	struct audit_stream *streams;
};

struct audit_certificate {
	uint8_t sha256[SHA256_BYTES];
	uint64_t from; /* manifest in which it appears */
	uint64_t time_ns;
	uint8_t *der;
	size_t der_len;
};

struct audit {
	enum audit_grade grade;
	bool is_running; /* a collector has the store locked */
	/* manifests */
	uint64_t manifests, empty; /* `empty`: without news */
	uint64_t first_ns, last_ns;
	uint64_t starts, unclean_starts; /* unclean: after no end */
	uint64_t cuts, cut_bytes;        /* what crashes left and starts cut off */
	uint64_t tombstones;
	uint8_t head[SHA256_BYTES]; /* of the last manifest */
	size_t n_certificates;
	struct audit_certificate *certificates;
	size_t n_sensors;
	struct audit_sensor *sensors;
	/* all are counted, the first are kept */
	uint64_t n_faults, n_incomplete;
	size_t n_kept;
	struct audit_fault *faults;
};

/* A manifest that somebody took down elsewhere (`flowproof seal`). */
struct audit_head {
	uint64_t number;
	uint8_t sha256[SHA256_BYTES];
	bool is_found;
};

struct audit_options {
	struct crypto_ca *ca;
	/* Ends at the first fault of this grade or a graver one; AUDIT_INTACT: goes through all. */
	enum audit_grade enough;
	/* Each must be in the chain. */
	struct audit_head *heads;
	size_t n_heads;
};

/* Negative when STORE cannot be opened as a folder (what cannot be read below it is a fault), or without
 * memory. */
int audit_run(struct audit **ret, const char *store, const struct audit_options *options,
	      struct err *err);
void audit_free(struct audit *audit);

/* The gravest fault that was found first; NULL if there is none. */
const struct audit_fault *audit_first(const struct audit *audit);
/* "intact", "incomplete", "broken" */
const char *audit_word(enum audit_grade grade);
