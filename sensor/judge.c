// SPDX-License-Identifier: Apache-2.0
/*
 * judge: see judge.h.
 */
#include "sensor/judge.h"

#include "platform/clock.h"
#include "platform/config.h"
#include "platform/log.h"
#include "sensor/alert.h"

static unsigned gravity(enum flowrec_verdict verdict)
{
	switch (verdict) {
	case FLOWREC_UNEXPECTED_EGRESS: return 4;
	case FLOWREC_UNEXPECTED_INBOUND: return 3;
	case FLOWREC_WATCHED: return 2;
	case FLOWREC_EXPECTED: return 1;
	case FLOWREC_VERDICT_NONE: break;
	}
	return 0;
}

bool judge_open(const struct judge_bench *bench, struct flow_entry *entry,
		const struct flow_packet *packet, enum flow_initiator initiator,
		struct batch_alert *ret_alert)
{
	const struct flow_key *k = &packet->key;
	bool from_b = initiator == FLOW_INITIATOR_B;
	bool a_local = !bench->is_foreign && identity_is_local(bench->identity, k->family, &k->a);
	bool b_local = !bench->is_foreign && identity_is_local(bench->identity, k->family, &k->b);
	struct policy_query query = {
		.family = k->family,
		.protocol = k->protocol,
		.port = from_b ? k->port_a : k->port_b,
		.initiator_port = from_b ? k->port_b : k->port_a,
		.has_ports = packet->has_ports,
		/* Of an answer or error, which tells of a flow before it, the first message is not known. */
		.has_icmp = packet->has_icmp_type && (packet->side == 1) == from_b,
		.icmp_type = packet->icmp_type,
		.icmp_code = packet->icmp_code,
		.initiator_local = from_b ? b_local : a_local,
		.responder_local = from_b ? a_local : b_local,
	};
	struct policy_ruling ruling;
	struct policy_crossing crossing;

	/* The remote end is the one that is not this machine; of two local ones the responder. */
	query.remote = query.initiator_local == from_b ? k->a : k->b;
	policy_judge(bench->policy, bench->context, &query, &ruling);
	if ((!entry->dir[0].packets && !entry->dir[1].packets) ||
	    gravity((enum flowrec_verdict)entry->verdict) <= gravity(ruling.verdict)) {
		entry->initiator = (unsigned)initiator & 3U;
		entry->verdict = (unsigned)ruling.verdict & 7U;
		entry->rule = ruling.rule & 0x7ffU;
		entry->a_local = a_local;
		entry->b_local = b_local;
		entry->crossing_low = entry->crossing_high = 0;
		if (IS_ENABLED(CONFIG_POLICY_BOUNDARY) && bench->crossings) {
			policy_cross(bench->policy, bench->context, &query, &crossing);
			crossing_put(bench->crossings, entry, &crossing, from_b);
		}
	}
	if (ruling.verdict != FLOWREC_UNEXPECTED_EGRESS)
		return false;
	*ret_alert = (struct batch_alert){
		.local = from_b ? k->b : k->a,
		.remote = query.remote,
		.local_port = from_b ? k->port_b : k->port_a,
		.remote_port = query.port,
		.iface = k->iface,
		.family = k->family,
		.protocol = k->protocol,
		.verdict = FLOWREC_UNEXPECTED_EGRESS,
	};
	return true;
}

void judge_say(const struct batch_alert *alert)
{
	char local[ADDR_ENDPOINT_TEXT], remote[ADDR_ENDPOINT_TEXT], when[CLOCK_TEXT];
	struct endpoint from = {
		.addr = alert->local, .port = alert->local_port, .family = alert->family};
	struct endpoint to = {
		.addr = alert->remote, .port = alert->remote_port, .family = alert->family};

	log_warn("policy", "unexpected egress: %s -> %s protocol %u, first packet %s",
		 endpoint_text(local, &from), endpoint_text(remote, &to), alert->protocol,
		 clock_text(when, alert->time_ns / NS_PER_S));
	if (alert->suppressed)
		log_warn("policy",
			 "%llu alerts before this one were left out, more than %d came in a second",
			 (unsigned long long)alert->suppressed, ALERT_PER_SECOND);
}
