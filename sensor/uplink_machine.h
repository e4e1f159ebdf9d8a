// SPDX-License-Identifier: Apache-2.0
/*
 * The uplink's decisions: events in, actions out. No socket, no clock, no memory of its own.
 *
 *               CONNECT          HELLO           welcome
 *     pausing ----------> connecting -----> greeting ----> streaming
 *        ^                    |                |               |
 *        +--------------------+----------------+---------------+
 *              closed, refused, protocol broken, too late; or the stream is delivered
 *
 * - After a failure the next collector of the list is tried, after a pause that doubles from 0.5 to
 *   30 s, between half of it and the whole. A welcome makes it 0.5 s again.
 * - Connected to another than the first, the first is tried again after 10 minutes.
 * - What was sent must be acknowledged, in part, within 15 s: with a heartbeat every 2 s a dead peer is
 *   found within 17.
 * - A collector that says more is durable than was sent is broken, or another's: the connection ends
 *   and nothing is forgotten.
 * - A stream of a former run has connections of its own, of 5 s or a little more, in turn with this
 *   run's, whose alerts must not wait long; it has its turn when all of this run's is acknowledged.
 *   When collectors have refused it three times it is set aside.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UPLINK_MS UINT64_C(1000000) /* times are nanoseconds */

#define UPLINK_TIMEOUT   (10000 * UPLINK_MS) /* connection and handshake; and the Welcome */
#define UPLINK_ACK       (15000 * UPLINK_MS) /* without any acknowledgement of what was sent */
#define UPLINK_PAUSE_MIN (500 * UPLINK_MS)
#define UPLINK_PAUSE_MAX (30000 * UPLINK_MS)
#define UPLINK_PREFER    (600000 * UPLINK_MS) /* then the first collector is tried again */
#define UPLINK_TURN      (5000 * UPLINK_MS)   /* of a former run's stream */
#define UPLINK_NEVER     UINT64_MAX

enum { UPLINK_REFUSALS = 3, UPLINK_ACTIONS = 8 };

enum uplink_state { UPLINK_PAUSING, UPLINK_CONNECTING, UPLINK_GREETING, UPLINK_STREAMING };

enum uplink_event_kind {
	UPLINK_START,
	UPLINK_CONNECTED, /* TLS is up, the peer is a collector */
	UPLINK_CLOSED,    /* `why` */
	UPLINK_WELCOME,   /* durable, clock_ns */
	UPLINK_ACKED,     /* durable, clock_ns, held_ns */
	UPLINK_REFUSED,   /* `why` */
	UPLINK_BROKEN, /* a frame that is none, or one that a collector does not send now: `why` */
	UPLINK_DATA,   /* the spool may have something new, or the connection has room again */
	UPLINK_SENT,   /* in answer to UPLINK_DO_SEND: `sequence` went out */
	UPLINK_AGAIN,  /* the Hello says more than the one that was sent, if one was */
	UPLINK_TIMER,  /* the deadline came, or may have */
};

struct uplink_event {
	enum uplink_event_kind kind;
	uint64_t mono_ns;
	uint64_t wall_ns;
	uint32_t random;
	/* as the spool and the connection stand */
	bool is_current; /* the stream is this run's */
	bool old_waits;  /* one of a former run is to be delivered */
	uint64_t closed; /* its newest batch */
	bool has_room;   /* the connection takes another batch */
	/* of the kind */
	const char *why;
	uint64_t durable, clock_ns, held_ns, sequence;
};

enum uplink_action_kind {
	UPLINK_DO_CONNECT, /* to `collector` */
	UPLINK_DO_HELLO,
	UPLINK_DO_SEND,  /* what comes after `sequence`; then UPLINK_SENT, if there was something */
	UPLINK_DO_ACK,   /* the spool may forget up to `sequence` */
	UPLINK_DO_CLOCK, /* compared: offset_ns, way_ns */
	UPLINK_DO_SET_ASIDE, /* the spool's old stream */
	UPLINK_DO_CLOSE,     /* the connection, in good order */
	UPLINK_DO_TELL,      /* a connection failed: `why`; the next try is in `pause_ns` */
};

struct uplink_action {
	enum uplink_action_kind kind;
	unsigned collector;
	uint64_t sequence;
	int64_t offset_ns; /* our clock less the collector's */
	uint64_t way_ns;   /* there and back */
	uint64_t pause_ns;
	const char *why; /* with `prefix` before it; both of the event or static */
	const char *prefix;
};

struct uplink_machine {
	enum uplink_state state;
	unsigned n_collectors, collector;
	uint64_t pause_ns;
	uint64_t deadline;               /* of the state; of streaming: for an acknowledgement */
	uint64_t turn_ends;              /* of a former run's stream */
	uint64_t prefer_at;              /* when the first collector is tried again */
	uint64_t sent, durable;          /* on this connection, in the present stream */
	uint64_t asked_mono, asked_wall; /* when the hello or the batch `asked` went out */
	uint64_t asked;                  /* 0: none */
	unsigned refusals;               /* of an old stream */
	size_t n;                        /* actions, in this order */
	struct uplink_action actions[UPLINK_ACTIONS];
};

void uplink_machine_init(struct uplink_machine *m, unsigned n_collectors);
/* Takes an event; `actions` then hold what is to be done. */
void uplink_machine_step(struct uplink_machine *m, const struct uplink_event *event);
/* When UPLINK_TIMER is due (monotonic nanoseconds); UPLINK_NEVER. */
uint64_t uplink_machine_deadline(const struct uplink_machine *m);
