// SPDX-License-Identifier: Apache-2.0
/*
 * session, inside: the run's state, and what its three files ask of one another. session.c opens and
 * reads files, session_loop.c waits, session_stream.c talks to the collector; the two latter are
 * optional.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "platform/loop.h"
#include "platform/nic.h"
#include "platform/tls.h"
#include "policy/policy.h"
#include "proto/batch.h"
#include "proto/wire.h"
#include "sensor/capture.h"
#include "sensor/clockwatch.h"
#include "sensor/identity.h"
#include "sensor/options.h"
#include "sensor/pipeline.h"
#include "sensor/spool.h"
#include "sensor/uplink.h"

enum {
	SESSION_FRAMES_PER_TURN = 4096,
	/* Each may write out an entry of two records and one cut short, each of which may send out an
	 * endpoint that gives way; with what a sweep takes that is less than the four batches for which
	 * spool_has_room() vouches. */
	SESSION_REPLAY_FRAMES_PER_TURN = BATCH_WRITE_RECORDS / 8,
	SESSION_DELIVER_MS = 10000, /* after the end: how long undelivered batches are waited for
				       without progress */
	SESSION_REPLAY_PATIENCE_MS = 30000, /* a replay without any progress ends after this */
};

struct session {
	const struct options *options;
	struct identity identity;
	struct policy *policy;
	struct flowrec_identity texts[WIRE_INTERFACES_MAX];
	const char *rules[WIRE_RULES_MAX];
	uint8_t severities[WIRE_RULES_MAX];
	struct capture *captures[WIRE_INTERFACES_MAX];
	struct wire_link links[WIRE_INTERFACES_MAX];
	uint16_t n_captures;
	uint16_t n_interfaces; /* captures and, in mirror mode, VNIs */
	struct rtnl *rtnl;     /* live: questions to the kernel; NULL: it takes none */
	struct nic *nic;
	struct nic_interface interfaces[WIRE_INTERFACES_MAX];
	FILE *out, *endpoints, *dns_log;
	struct pipeline *pipeline;

	/* with a loop: live, or with a collector */
	struct loop *loop;
	struct loop_watch *watches[WIRE_INTERFACES_MAX], *sigterm, *sigint;
	struct loop_timer *tick, *deadline;
	bool stopping;     /* live: the kernel takes no more frames */
	bool said_goodbye; /* the stream's last batch is in the spool */
	bool input_over;   /* nothing more will be read */

	struct session_blind *blind;     /* NULL: nothing is looked for */
	struct session_identity *asking; /* NULL: instance metadata is not asked */
	struct session_metrics *metrics; /* NULL: nobody may ask */

	/* with a collector */
	struct tls_config *tls;
	struct crypto_signer *signer;
	struct clockwatch clocks;
	struct wire_hello hello;
	struct spool *spool;
	struct uplink *uplink;
	uint64_t flushed_ms;           /* monotonic: when the last batch was closed */
	struct session_host *host;     /* NULL: not live */
	struct session_canary *canary; /* NULL: none are sent */
	bool is_uplinked;              /* the uplink was started */
	uint64_t welcomes;             /* connections */
	bool clock_known;              /* measured last: */
	int64_t offset_ns;
	uint64_t way_ns;
	struct session_tail *tail; /* NULL: no log file is followed */
	uint64_t signed_ms, synced_ms;
	uint64_t acknowledged;

	int rc; /* why the session failed; 0: it did not */
	struct err *err;
};

/* Enters the sandbox, then runs the loop until all is done. */
int session_run_loop(struct session *session, struct err *err);

/* The loop ends now; the first reason stands. */
void session_stop(struct session *session, int rc);
void session_free_loop(struct session *session);

/* The Hello and the spool. */
int session_stream_open(struct session *session, struct err *err);
/* The uplink, without connecting; needs the loop. */
int session_stream_wire(struct session *session, struct err *err);
/* `sandbox`: what is in force, for the record. */
void session_stream_start(struct session *session, const char *sandbox);
/* Live, several times a second: did the clock step? Is the file to be synced? */
void session_stream_tick(struct session *session);
/* Something happened: the next batch tells of it. `text` may be NULL. */
void session_stream_event(struct session *session, enum batch_event_kind kind, const char *text,
			  size_t n_values, const int64_t *values);
/* Closes the batch if it is due. */
void session_stream_flush(struct session *session);
/* After the input: what the table still holds goes into the spool as it gets room, then the
 * goodbye. */
void session_stream_rest(struct session *session);
/* The limit came. */
void session_stream_late(struct session *session);
/* The same, in a batch of its own that goes out at once. */
void session_stream_urgent(struct session *session, enum batch_event_kind kind, const char *text,
			   size_t n_values, const int64_t *values);
void session_stream_free(struct session *session);
/* All interfaces of the host, captured or not: told at the start, each minute and at the end, and when one
 * changes. Live and streaming. */
int session_host_new(struct session *session, struct err *err);
void session_host_tick(struct session *session);
void session_host_tell(struct session *session);
void session_host_free(struct session *session);
/* Canaries, live and streaming. Opened before the sandbox, with loop and pipeline there; ended before the
 * pipeline is. */
int session_canary_open(struct session *session, struct err *err);
void session_canary_start(struct session *session);
void session_canary_end(struct session *session);
void session_canary_print(const struct session *session, FILE *out);
void session_canary_free(struct session *session);
/* Live: what may stand between the packets and the capture, looked for at the start, each --blind-s and at the end. Opened
 * before the sandbox, with the pipeline there. */
int session_blind_open(struct session *session, struct err *err);
void session_blind_look(struct session *session);
void session_blind_tick(struct session *session);
void session_blind_free(struct session *session);
/* What was told goes out now. */
void session_stream_now(struct session *session);
/* Who this machine is, from EC2's instance metadata: live, if the options say so. Opened with loop and pipeline there. The first
 * Hello waits for it, for a while. */
int session_identity_open(struct session *session, struct err *err);
void session_identity_start(struct session *session);
void session_identity_end(struct session *session);
void session_identity_free(struct session *session);
/* Now the Hello says who this machine is: to the collector, once more if it has one already. */
void session_stream_identified(struct session *session);
/* Metrics, live. Opened before the sandbox, with the loop there; a turn is had several times a second. */
int session_metrics_open(struct session *session, struct err *err);
void session_metrics_turn(struct session *session);
void session_metrics_free(struct session *session);
/* Log files of the host, live and streaming: the process that opens them, before anything else is open; the files,
 * with the spool there; the loop. Ended before the pipeline is. */
int session_tail_fork(struct session *session, struct err *err);
int session_tail_open(struct session *session, struct err *err);
int session_tail_wire(struct session *session, struct err *err);
/* True: it should be called again soon. */
bool session_tail_tick(struct session *session);
void session_tail_end(struct session *session);
void session_tail_free(struct session *session);
/* Are the certificates in order? For --check. */
int session_stream_check(struct session *session, struct err *err);
