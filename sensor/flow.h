// SPDX-License-Identifier: Apache-2.0
/*
 * flow: a set-associative table of fixed size, one entry for both directions of a 5-tuple on an
 * interface.
 *
 * Memory is allocated once, FLOW_SLOT_BYTES a slot all told. The hash is keyed, so nobody can aim
 * at one set. An entry counts one window at a time; an update from another window emits first what
 * the entry holds. When both sets of a flow are full, the entry seen longest ago is emitted and gives way: nothing
 * is lost, and it is counted. Entries that were emitted stay, with their initiator, verdict and
 * outcome, until another flow needs the slot.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/addr.h"
#include "proto/flowrec.h"
#include "sensor/decode.h"

enum {
	FLOW_WAYS = 8,
	FLOW_SLOT_BYTES = 96,
	FLOW_SILENCE_S = 5, /* after which `woke` of the sink is called */
};

enum flow_initiator { FLOW_INITIATOR_UNKNOWN, FLOW_INITIATOR_A, FLOW_INITIATOR_B };

/* Both ends in an order that does not depend on the direction: side 0 is `a`, side 1 is `b`. */
struct flow_key {
	struct addr a, b;
	uint16_t port_a, port_b;
	uint8_t protocol;
	uint8_t iface : 4;
	uint8_t family : 4; /* 4, 6 */
};

/* One direction in the entry's window. Direction d is sent by side d. */
struct flow_dir {
	uint64_t bytes;
	uint32_t packets;
	uint16_t first, last; /* seconds from the window's begin */
};

struct flow_entry {
	struct flow_key key;
	/* Of the flow, kept over windows; filled by `opened` of the sink. */
	uint8_t initiator : 2; /* enum flow_initiator */
	uint8_t verdict : 3;   /* enum flowrec_verdict */
	uint8_t a_local : 1;
	uint8_t b_local : 1;
	uint8_t queued : 2;        /* bit per direction: it is on the ring of first packets */
	uint8_t outcome : 3;       /* enum flowrec_outcome: how far it got; the table's own work */
	uint8_t crossing_high : 3; /* with crossing_low: crossing.h */
	uint32_t window;           /* number of the window: Unix seconds / window length */
	uint16_t rule : 11;
	uint16_t crossing_low : 5;
	uint8_t tcp_flags[2];
	struct flow_dir dir[2];
};

/* All of it so far was ICMP errors about flows that are known: it is watched, by no rule. */
static inline bool flow_is_of_errors(const struct flow_entry *entry)
{
	return entry->verdict == FLOWREC_WATCHED && entry->rule == 0;
}

/* A decoded packet with its place in the table. */
struct flow_packet {
	struct flow_key key;
	uint32_t hash;
	uint32_t guess; /* slot whose tag fits, else the one that would give way */
	uint64_t bytes;
	uint32_t packets; /* that the frame stands for */
	uint32_t window;
	uint32_t nsec;       /* of the stamp; filled by the caller */
	uint32_t guess_mark; /* likewise; 0 also when the flow is probably in the table */
	uint16_t guess_tag;  /* that this slot had */
	uint16_t offset;     /* seconds from the window's begin */
	uint8_t side;        /* who sent it: 0 is a */
	uint8_t tcp_flags;
	uint8_t icmp_type, icmp_code;
	bool has_ports, has_icmp_type, has_payload;
	bool is_new;     /* its flow is not in the table, unless a packet since brought it in */
	bool is_own;     /* this machine's interface sent it; filled by the caller */
	bool is_related; /* an ICMP error that quotes a flow of this table; filled by the caller */
};

enum flow_reason {
	FLOW_WINDOW_CLOSED,
	FLOW_STALE,
	FLOW_EVICTED,
	FLOW_MERGED, /* evicted, with a mark: what the sink remembers goes on without it */
	FLOW_OVERFLOW,
	FLOW_REASONS
};

struct flow_sink {
	/* A flow begins, or begins anew with another initiator: judge it, and write initiator,
	 * verdict, rule and locality into the entry. A flow that begins anew may hold packets of
	 * this window already: its record will bear one verdict, so the sink keeps the graver one.
	 * Returns a mark of its own, which comes back with each record: not 0 when the flow's endpoint is
	 * remembered elsewhere. Such a flow gives way before others.
	 */
	uint32_t (*opened)(void *ctx, struct flow_entry *entry, const struct flow_packet *packet,
			   enum flow_initiator initiator);
	/* A packet of a known flow came after `silence_s` seconds without one, FLOW_SILENCE_S at least; the entry is as it was
	 * before. May be NULL. */
	void (*woke)(void *ctx, const struct flow_entry *entry, const struct flow_packet *packet,
		     unsigned silence_s);
	/* A record's worth of one direction (0 or 1). */
	void (*emit)(void *ctx, const struct flow_entry *entry, unsigned dir,
		     enum flow_reason reason, uint32_t mark);
	void *ctx;
};

struct flow_table;

/* `slots` is rounded up to a power of two, at least 16; windows are `window_s` seconds long. With
 * `by_direction` a window's records come in the order of their first packets; without, the two
 * directions of a flow come together. */
int flow_table_new(struct flow_table **ret, size_t slots, unsigned window_s,
		   const uint64_t key[static 2], bool by_direction, const struct flow_sink *sink);
void flow_table_free(struct flow_table *table);

/* Fills `ret` with all but its place in the table. */
void flow_prepare(const struct decoded *decoded, uint8_t iface, uint32_t window, uint16_t offset,
		  struct flow_packet *ret);
/* Finds the places of a batch of packets. First it asks the memory for the tags of their sets, then for the entries that these
 * point at, so that flow_update() has them in the cache: memory latency is the cost here, and a batch hides it. */
void flow_locate(const struct flow_table *table, struct flow_packet *packets, size_t n);
/* Counts a packet that was located. */
void flow_update(struct flow_table *table, const struct flow_packet *packet);

/* An ICMP error quotes this packet, which went through the same interface: is its flow in the table? If the error
 * `refuses`, the flow counts as refused if its initiator sent the packet and nobody answered yet. */
bool flow_quoted(struct flow_table *table, const struct decoded *quoted, uint8_t iface,
		 bool refuses);

/* The entry of a flow; NULL: it is not in the table. Valid until the next packet is counted. */
struct flow_entry *flow_lookup(struct flow_table *table, const struct flow_key *key);

/* Window `before` - 1 and all older ones are over: flow_sweep() will emit them. They were watched
 * until `until_s` (Unix seconds), which lies before the last one's end when the run does. */
void flow_close(struct flow_table *table, uint32_t before, uint64_t until_s);
/* Emits closed windows, looking at `max` entries at most. True when nothing is left to emit. */
bool flow_sweep(struct flow_table *table, size_t max);

/* Packets in entries of one interface that were not emitted yet, summed over the table. */
uint64_t flow_live_packets(const struct flow_table *table, uint8_t iface);
/* The same of one UDP flow on all interfaces: adds packets and bytes from `x` to `y` to ret[0], the other
 * way to ret[1]. Looks at every entry. */
struct flow_count {
	uint64_t packets, bytes;
};
void flow_live_between(const struct flow_table *table, const struct endpoint *x,
		       const struct endpoint *y, struct flow_count ret[static 2]);
/* How many records were emitted for each reason (enum flow_reason). */
const uint64_t *flow_reasons(const struct flow_table *table);
/* Slots, after rounding. */
size_t flow_slots(const struct flow_table *table);
/* Bytes that a table of so many slots takes. */
size_t flow_memory(size_t slots);
