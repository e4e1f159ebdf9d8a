// SPDX-License-Identifier: Apache-2.0
/*
 * Protocols other than TCP, UDP, ICMP and ICMPv6 (IANA, "Assigned Internet Protocol Numbers"): tunnels and
 * transports that a machine of this kind has no use for. IGMP to its groups is part of the link.
 */
#include "evidence/detect.h"

enum { ICMP = 1, IGMP = 2, TCP = 6, UDP = 17, ICMPV6 = 58 };

static void judge(struct findings *findings, void *state, const struct peer *peer)
{
	bool group = addr_is_group(peer->key.family, &peer->key.remote);
	enum finding_severity severity = FINDING_MEDIUM;
	struct finding finding;

	(void)state;
	switch (peer->key.protocol) {
	case TCP:
	case UDP:
	case ICMP:
	case ICMPV6: return;
	case IGMP: severity = group ? FINDING_INFO : FINDING_MEDIUM; break;
	default: severity = group ? FINDING_LOW : FINDING_MEDIUM; break;
	}
	if (peer->key.direction == FLOWREC_INGRESS && peer_traffic(peer).packets_out == 0)
		severity = severity < FINDING_LOW ? severity : FINDING_LOW;
	finding = detect_of_peer(peer, FINDING_ODD_PROTOCOL, detect_tempered(peer, severity));
	detect_raise(findings, &finding);
}

const struct detector detect_protocol = {.name = "protocol", .peer = judge};
