// SPDX-License-Identifier: Apache-2.0
/*
 * record: see record.h. Flow direction as Amazon's "flow-direction" has it, seen from this
 * machine's interface: egress when the source is local, ingress when the destination is, or is a
 * group that this machine was seen to receive from.
 */
#include "sensor/record.h"

static uint8_t direction(bool src_local, bool dst_local, uint8_t family, const struct addr *dst)
{
	if (src_local)
		return FLOWREC_EGRESS;
	return dst_local || addr_is_multicast(family, dst) ? FLOWREC_INGRESS
							   : FLOWREC_DIRECTION_UNKNOWN;
}

static uint8_t initiator(const struct flow_entry *e, unsigned dir)
{
	if (e->initiator == FLOW_INITIATOR_UNKNOWN)
		return FLOWREC_INITIATOR_UNKNOWN;
	return (e->initiator == FLOW_INITIATOR_B) == (dir == 1) ? FLOWREC_INITIATOR_SRC
								: FLOWREC_INITIATOR_DST;
}

void record_from_flow(struct flowrec *ret, const struct flow_entry *e, unsigned dir,
		      unsigned window_s)
{
	const struct flow_key *k = &e->key;
	const struct flow_dir *d = &e->dir[dir];
	uint64_t begin = (uint64_t)e->window * window_s;

	*ret = (struct flowrec){
		.src = dir ? k->b : k->a,
		.dst = dir ? k->a : k->b,
		.srcport = dir ? k->port_b : k->port_a,
		.dstport = dir ? k->port_a : k->port_b,
		.packets = d->packets,
		.bytes = d->bytes,
		.start = begin + d->first,
		.end = begin + d->last,
		.rule = e->rule,
		.iface = k->iface,
		.family = k->family,
		.protocol = k->protocol,
		.tcp_flags = e->tcp_flags[dir],
		.status = FLOWREC_OK,
		.action = FLOWREC_ACCEPT,
		.initiator = initiator(e, dir),
		.verdict = e->verdict,
		.outcome = e->outcome,
		.direction = direction(dir ? e->b_local : e->a_local, dir ? e->a_local : e->b_local,
				       k->family, dir ? &k->a : &k->b),
	};
}

void record_mark(struct flowrec *ret, uint16_t iface, enum flowrec_status status, uint64_t start,
		 uint64_t end)
{
	*ret = (struct flowrec){
		.status = (uint8_t)status, .iface = iface, .start = start, .end = end};
}
