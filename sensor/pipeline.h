// SPDX-License-Identifier: Apache-2.0
/*
 * pipeline: wires the stages in the order of the path: capture > decode > flow > window > record >
 * policy > spool.
 *
 * The only file that wires them. It holds the account of every frame, and judges flows as
 * they open.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "platform/metrics_text.h"
#include "policy/policy.h"
#include "sensor/capture.h"
#include "sensor/flow.h"
#include "sensor/identity.h"
#include "sensor/options.h"
#include "sensor/own.h"
#include "sensor/spool.h"

struct pipeline;

struct pipeline_config {
	const struct options *options;
	struct identity *identity;
	const struct policy *policy;
	const struct flowrec_identity *texts; /* per interface */
	struct capture *const *captures;      /* one per interface, or the file's */
	const struct wire_link *links;        /* likewise: how offloaded frames are counted */
	struct nic *nic;                      /* live: the interfaces' counters; NULL: unknown */
	struct nic_interface *interfaces;
	uint16_t n_captures;
	uint16_t n_interfaces; /* the captures, then those of mirror mode (sensor/mirror.h) */
	struct spool *spool;   /* NULL: no collector */
	FILE *out;             /* Flow Logs text; NULL: none */
	FILE *endpoints;       /* endpoints as text; NULL: none */
	FILE *dns_log;         /* Resolver query log; NULL: none */
	uint64_t now_s;        /* wall clock at the start */
};

/* Borrows everything in `config`. Writes the header line. */
int pipeline_new(struct pipeline **ret, const struct pipeline_config *config, struct err *err);
void pipeline_free(struct pipeline *pipeline);

/* Takes at most `max` frames of a capture through all stages. As capture_dispatch(). `now_ns`: wall
 * clock, the time that batches bear. */
int pipeline_input(struct pipeline *pipeline, uint16_t iface, int max, uint64_t now_ns,
		   struct err *err);

/* Live, several times a second: reads the counters of losses, closes windows by the clock after it has
 * read what the rings hold of them, sweeps on. As capture_dispatch() when a capture failed. */
int pipeline_tick(struct pipeline *pipeline, uint64_t now_ns, struct err *err);

/* Sends on what closed windows still hold, a bounded part of it. True when there is nothing left. */
bool pipeline_sweep(struct pipeline *pipeline, uint64_t now_ns);

/* The UDP flow between these two is followed from now on: our own canaries. Both are borrowed. */
void pipeline_follow(struct pipeline *pipeline, const struct endpoint *local,
		     const struct endpoint *remote);
/* What the records and the live entries hold of it: [0] what `local` sent, [1] what came back. */
void pipeline_followed(const struct pipeline *pipeline, struct flow_count ret[static 2]);
/* These connections are our own and expected; borrowed, NULL: none. */
void pipeline_own(struct pipeline *pipeline, const struct own *own);
/* What became of the frames of a capture, as it stood at the last reading of its counters. */
struct pipeline_frames {
	bool known;      /* the kernel tells what it takes */
	uint64_t taken;  /* by the kernel, for us */
	uint64_t handed; /* over to the pipeline */
	uint64_t seen;   /* packets that these stand for, and what kernel and card lost */
};
void pipeline_frames(const struct pipeline *pipeline, uint16_t iface, struct pipeline_frames *ret);
/* Since `from_s` (Unix seconds) the capture did not see what it had to: every window from there on is
 * SKIPDATA. */
void pipeline_blind(struct pipeline *pipeline, uint64_t from_s, uint64_t now_ns);

/* No more input: closes everything that is open. With a spool, pipeline_sweep() until it says true. */
void pipeline_end(struct pipeline *pipeline, uint64_t now_ns);

/* After all that: the endpoints as text, to config's `endpoints`. 0, or -1 with errno when they could
 * not be written. */
int pipeline_endpoints(struct pipeline *pipeline);

/* What was read and what became of it, the packet equation last. */
void pipeline_summary(const struct pipeline *pipeline, FILE *out);

/* Its counters so far. */
void pipeline_metrics(const struct pipeline *pipeline, struct metrics_text *metrics);

/* False once a record could not be written to `out`. */
bool pipeline_output_ok(const struct pipeline *pipeline);
