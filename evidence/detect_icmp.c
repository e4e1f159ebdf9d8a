// SPDX-License-Identifier: Apache-2.0
/*
 * Data in ICMP echo. A ping sends packets of one size, mostly 60 or 84 bytes, and its reply brings the very
 * same bytes back (RFC 792, RFC 4443). A tunnel shows by one of:
 *
 * - packets of at least ICMP_SIZE bytes on average;
 * - sizes that change by ICMP_CHANGE bytes or more from one window to another;
 * - replies of another average size than the requests, by ICMP_CHANGE or more.
 *
 * Records do not tell the ICMP type. Errors go one way and quote packets of any size, so both directions are asked
 * for, unless this machine began it and no rule knows it.
 */
#include "evidence/detect.h"
#include "evidence/limits.h"

enum { ICMP = 1, ICMPV6 = 58 };

/* The greater of both is greater by ICMP_CHANGE. Neighbour discovery shares the protocol with IPv6's echo:
 * what is no longer than a plain ping of it says nothing. */
static bool differ(const struct peer *peer, uint64_t a, uint64_t b)
{
	uint64_t least = a < b ? a : b, most = a < b ? b : a;

	if (peer->key.protocol == ICMPV6 && least < ICMP6_PLAIN)
		least = ICMP6_PLAIN;
	return most >= least + ICMP_CHANGE;
}

static bool is_tunnel(const struct peer *peer)
{
	struct finding_traffic t = peer_traffic(peer);
	uint64_t out, in;

	if (t.packets_out < ICMP_PACKETS ||
	    (t.packets_in < ICMP_PACKETS && peer->verdict != FLOWREC_UNEXPECTED_EGRESS))
		return false;
	out = t.bytes_out / t.packets_out;
	if (out >= ICMP_SIZE || differ(peer, peer->size_least, peer->size_most))
		return true;
	if (t.packets_in < ICMP_PACKETS)
		return false;
	in = t.bytes_in / t.packets_in;
	return in >= ICMP_SIZE || differ(peer, in, out);
}

static void judge(struct findings *findings, void *state, const struct peer *peer)
{
	struct finding finding;

	(void)state;
	if (peer->key.protocol != ICMP &&
	    (peer->key.protocol != ICMPV6 || addr_is_link(6, &peer->key.remote)))
		return;
	if (addr_is_group(peer->key.family, &peer->key.remote) || !is_tunnel(peer))
		return;
	finding = detect_of_peer(peer, FINDING_ICMP_TUNNEL, detect_tempered(peer, FINDING_HIGH));
	finding.count = finding.traffic.packets_out;
	detect_raise(findings, &finding);
}

const struct detector detect_icmp = {.name = "icmp", .peer = judge};
