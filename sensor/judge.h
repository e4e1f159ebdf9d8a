// SPDX-License-Identifier: Apache-2.0
/*
 * judge: what the policy says of a flow when it opens, again when the flow names the server that it wants, and the alerts that
 * come of it.
 *
 * A rule may expect traffic by name. When a flow opens, the names are known that DNS gave its address. If none is expected and
 * another might be, a TCP flow waits for the name in its first bytes (TLS SNI, HTTP Host), JUDGE_WAIT_S at most and until its first
 * record at the latest: until then its verdict is NONE and no alert is raised. A flow that was expected and then asks for a server
 * that no rule expects becomes unexpected. What a flow asks for is its sender's word.
 */
#pragma once

#include <stdbool.h>

#include "policy/policy.h"
#include "proto/batch.h"
#include "sensor/alert.h"
#include "sensor/crossing.h"
#include "sensor/flow.h"
#include "sensor/identity.h"
#include "sensor/names_table.h"
#include "sensor/own.h"

enum { JUDGE_WAIT_S = 5, JUDGE_WAITING_MAX = 256 };

/* Flows that wait for a name, in the order in which they opened. */
struct judge_waiting {
	size_t first, n; /* of the ring's places, used or not */
	struct {
		bool used;
		struct flow_key key;
		struct batch_alert alert;
	} ring[JUDGE_WAITING_MAX];
};

struct judge {
	/* Filled by the owner; all borrowed. */
	const struct policy *policy;
	struct policy_context context;
	const struct identity *identity;
	struct crossing_table *crossings; /* NULL: there is no boundary */
	struct alert_table *alerts;
	struct flow_table *flows;
	const struct name_table *names; /* NULL: no rule has a name */
	const struct own *own;          /* NULL: there are none */
	void (*raised)(void *ctx, const struct batch_alert *alert);
	void *ctx;

	uint64_t n_alerts;
	struct judge_waiting waiting;
};

/*
 * Writes initiator, verdict, rule, locality and what the boundary does with it into the entry; if it holds packets already, only when
 * the verdict is at least as grave as the one they have. `is_foreign`: none of it is this machine's, whatever its addresses.
 * `now_ns`: of the packet.
 */
void judge_open(struct judge *judge, struct flow_entry *entry, const struct flow_packet *packet,
		enum flow_initiator initiator, bool is_foreign, uint64_t now_ns);

/* The flow of this packet asks for a server of this name. Only with `names`. */
void judge_named(struct judge *judge, const struct decoded *decoded, uint16_t iface,
		 const char *name, uint64_t now_ns);

/* A record of this flow is made: it waits no longer. */
void judge_settle(struct judge *judge, const struct flow_entry *entry);
/* Those that waited long enough at `now_s`, Unix seconds of packet time, wait no longer. */
void judge_tick(struct judge *judge, uint64_t now_s);
