// SPDX-License-Identifier: Apache-2.0
/*
 * A delivery: a reader of the ledger in a process of its own, with a durable cursor of its own. It can fall behind, fail and
 * go on without touching ingest or another delivery.
 *
 * It works in passes. A pass is planned first: for every sensor, from where to where its segments are read, and which
 * slots of time are closed; that plan goes to the cursor's file, durably, and only then is anything sent. What a pass sends
 * follows from the plan and the ledger alone: after kill -9 the same pass is made again, gives the same units in the same
 * order, and those that were delivered are left out by their number. At most the one unit that was under way is sent twice:
 * units must have names that make that harmless (a key), or cannot be told from one sent once (CloudWatch Logs).
 *
 *      NAME.cursor   the plan, or where the next one begins; replaced as a whole (platform/file.h)
 *      NAME.done     "PASS N": so many units of that pass were delivered
 *
 * Both lie in the folder of --deliver-state, never below STORE: everything there is evidence.
 *
 * Slots: a record is due when the five minutes that its `end` lies in (or if that lies in the future: those in which its
 * batch came in) are over and the lateness has passed. A pass sends what is due; what is not is read again by the next one.
 * What comes late is due at once.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/range.h"
#include "evidence/replay.h"
#include "platform/err.h"
#include "platform/sandbox.h"

enum {
	DELIVERY_SLOT_S = 300,
	DELIVERY_NAME = 48,    /* bytes of a name with its NUL */
	DELIVERY_ERROR = 160,  /* bytes of the last error that are shown */
	DELIVERY_STOP = 1,     /* the collector ends: give way, the pass goes on next time */
	DELIVERY_RETRY_S = 60, /* the longest wait between two tries */
	DELIVERY_PASS_BYTES = 64 * 1024 * 1024, /* of the ledger in a pass, about */
};

struct delivery;
struct delivery_health;

/* What became of a try. */
enum delivery_try {
	DELIVERY_DONE,  /* it is there, durably; also: it was there before, the same */
	DELIVERY_AGAIN, /* not now: tried again after 0.25 s, 0.5 s, ... DELIVERY_RETRY_S */
	DELIVERY_REFUSED, /* nobody but the operator can help: told at once, tried again each DELIVERY_RETRY_S */
};

/* A kind of delivery. In the delivery's process, but for `close`. Functions that fail return negative with a sentence. */
struct delivery_ops {
	/* The ledger, entry by entry (ctx is the delivery); from here units go out by delivery_put(). Each returns 0, or what
	 * delivery_put() returned, or negative. `fault` is the framework's. */
	struct replay_ops replay;
	/* Before the sandbox; the store is there. May be NULL. */
	int (*begin)(struct delivery *delivery, struct err *err);
	/* Around each pass. `end`: what was gathered goes out; afterwards everything of the pass counts as delivered. After
	 * an abandoned pass `end` is not called and `begin_pass` must forget what was gathered. */
	int (*begin_pass)(struct delivery *delivery, struct err *err);
	int (*end_pass)(struct delivery *delivery, struct err *err);
	void (*close)(void *state);
};

struct delivery {
	/* By the kind's open function. */
	struct delivery_ops ops;
	void *state;
	char name[DELIVERY_NAME]; /* of its cursor: [a-z0-9-], and that alone is logged */
	struct sandbox sandbox;   /* what it may do; see delivery_confine() */
	uint64_t every_s;         /* between two passes */
	uint64_t late_s;          /* lateness of slots */
	bool has_slots;           /* false: everything is due at once */
	/* By the framework. */
	const char *store; /* where it is for this process */
	uint8_t store_id[LEDGER_STORE_ID];
	const char *folder; /* of the cursor */
	int lifeline;
	bool no_sandbox;
	struct delivery_health *health; /* shared with the collector */
	struct delivery_run *run;
};

/* What every delivery may do: read the store, write its cursor, wait. Kinds that need more than `folder` (and what was
 * opened before) begin with it and change it. */
void delivery_confine(struct sandbox *ret, const char *folder);

/* Its steps. Opens its cursor, confined; the store is there. */
int delivery_open(struct delivery *delivery, struct err *err);
/* Goes on with a pass that was planned, or plans one if there is something to do, and makes it. 0, DELIVERY_STOP, or
 * negative with a sentence: delivery_close() before it is opened again. */
int delivery_pass(struct delivery *delivery, struct err *err);
void delivery_close(struct delivery *delivery);

/* Runs it until the collector ends. */
_Noreturn void delivery_run(struct delivery *delivery);

/* ---- for kinds, within a pass ---- */

/* Sends one unit: calls `try` until it is done, unless this very unit was delivered by the pass before a crash. `bytes` and
 * `records` are for the health. 0, or DELIVERY_STOP. `err` of the try: why not. */
typedef enum delivery_try delivery_try_fn(void *what, uint64_t now_ns, struct err *err);
int delivery_put(struct delivery *delivery, delivery_try_fn *try, void *what, uint64_t bytes,
		 uint64_t records);

/* Is something of this time (Unix seconds), in the entry that is being handed on, to be sent in this pass? To be asked of
 * every record and line of an entry if has_slots. */
bool delivery_wants(struct delivery *delivery, const struct ledger_entry *entry, uint64_t time_s);

/* Waits; false: the collector ends. For long tries. */
bool delivery_may_go_on(struct delivery *delivery, int wait_ms);

/* ---- health: written by the delivery, read by the collector, in memory that both share ---- */

struct delivery_health {
	_Atomic uint64_t passes, units, bytes, records;
	_Atomic uint64_t failures;        /* tries that were not done */
	_Atomic uint64_t failing_since_s; /* wall clock; 0: it is not failing */
	_Atomic uint64_t
		complete_to_s; /* all that came in before, and was due, is delivered; 0: not known yet */
	_Atomic uint64_t lost_segments; /* deleted by retention before they were delivered */
	_Atomic uint64_t ended;         /* by the collector: 1 */
	_Atomic uint64_t damages;       /* places of the ledger that cannot be read */
	char error[DELIVERY_ERROR]; /* the last one; printable; may be torn while it is written */
};

/* ---- the cursor (delivery_cursor.c) ---- */

struct delivery_sensor {
	char id[WIRE_SENSOR_ID_MAX];
	struct range_at from;  /* first entry that holds something not yet delivered */
	struct range_end done; /* the passes so far read up to here */
	struct range_end to;   /* planned */
};

struct delivery_cursor {
	uint8_t store[LEDGER_STORE_ID];
	uint64_t pass; /* number of the one that is planned, or was made last */
	uint64_t closed_done,
		closed; /* last slot (Unix seconds / DELIVERY_SLOT_S) that the passes so far, and the planned
					   one, take */
	bool is_planned;
	uint64_t units; /* of the planned pass that are delivered; in NAME.done */
	size_t n;
	struct delivery_sensor *sensors; /* sorted by id */
};

/* -ENOENT: there is none yet. ERR_FORMAT with file, line and remedy. */
int delivery_cursor_read(struct delivery_cursor *ret, const char *folder, const char *name,
			 struct err *err);
int delivery_cursor_write(const struct delivery_cursor *cursor, const char *folder,
			  const char *name, struct err *err);
int delivery_cursor_count(const struct delivery_cursor *cursor, const char *folder,
			  const char *name, struct err *err);
/* The sensor, made if it is new. NULL: no memory. Pointers to others become void. */
struct delivery_sensor *delivery_cursor_sensor(struct delivery_cursor *cursor, const char *id);
void delivery_cursor_fini(struct delivery_cursor *cursor);
