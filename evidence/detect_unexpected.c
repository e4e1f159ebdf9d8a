// SPDX-License-Identifier: Apache-2.0
/*
 * Traffic that no rule of the policy expects.
 *
 * What goes to a group of machines stays on the link: it is told, and is no reason to get up. Of what a peer
 * began it matters what this machine sent back. Who began is read from the first packet, and can be feigned: a SYN-ACK, a RST, an
 * echo reply, a segment from a low port look like answers. Payload to a peer that never sent a packet answers nothing: it is
 * egress, whatever the policy lets peers begin.
 */
#include "evidence/detect.h"
#include "policy/policy.h"

_Static_assert((int)POLICY_SEVERITY_INFO - 1 == (int)FINDING_INFO &&
		       (int)POLICY_SEVERITY_CRITICAL - 1 == (int)FINDING_CRITICAL,
	       "the same words in the same order");

static enum finding_severity of_egress(const struct peer *peer)
{
	if (addr_is_group(peer->key.family, &peer->key.remote))
		return FINDING_LOW;
	return addr_is_link(peer->key.family, &peer->key.remote) ? FINDING_MEDIUM : FINDING_HIGH;
}

static enum finding_severity of_inbound(const struct finding *finding)
{
	switch ((enum finding_reached)finding->reached) {
	case FINDING_DATA_OUT: return FINDING_HIGH;
	case FINDING_ANSWERED: return FINDING_MEDIUM;
	case FINDING_ATTEMPTED: break;
	}
	return FINDING_LOW;
}

static bool is_unasked(const struct peer *peer)
{
	struct finding_traffic t = peer_traffic(peer);

	return peer->key.direction == FLOWREC_INGRESS &&
	       (peer->verdict == FLOWREC_UNEXPECTED_INBOUND || peer->verdict == FLOWREC_EXPECTED) &&
	       /* of the two records of a flow one may come first: then the outcome tells of the other */
	       peer->outcome != FLOWREC_DATA_OUT && t.packets_in == 0 &&
	       peer_payload(peer, t.packets_out, t.bytes_out) > 0 &&
	       !addr_is_group(peer->key.family, &peer->key.remote);
}

static void judge(struct findings *findings, void *state, const struct peer *peer)
{
	struct finding finding;

	(void)state;
	if (peer->verdict == FLOWREC_UNEXPECTED_EGRESS) {
		finding = detect_of_peer(peer, FINDING_UNEXPECTED_EGRESS, of_egress(peer));
	} else if (is_unasked(peer)) {
		finding = detect_of_peer(peer, FINDING_UNEXPECTED_EGRESS, of_egress(peer));
		finding.key.direction = FLOWREC_EGRESS;
		finding.outcome = FLOWREC_SENT;
		finding.reached = FINDING_ATTEMPTED;
	} else if (peer->verdict == FLOWREC_UNEXPECTED_INBOUND) {
		finding = detect_of_peer(peer, FINDING_UNEXPECTED_INBOUND, FINDING_LOW);
		finding.severity = (uint8_t)of_inbound(&finding);
	} else {
		return;
	}
	if (peer->breach) /* the policy knows better */
		finding.severity = (uint8_t)(peer->breach - 1);
	detect_raise(findings, &finding);
}

const struct detector detect_unexpected = {.name = "unexpected", .peer = judge};
