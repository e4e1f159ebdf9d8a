// SPDX-License-Identifier: Apache-2.0
/*
 * What the responder's port tells: DNS to a server that is not the VPC's resolver, DNS over TLS and QUIC
 * (RFC 7858, RFC 9250), mail.
 *
 * Which resolver is the VPC's the policy knows: what it watches or expects is. A public address is not the
 * VPC's, even if the policy expects it.
 */
#include "evidence/detect.h"

enum { TCP = 6, UDP = 17 };

static const struct {
	uint16_t port;
	uint8_t protocol, kind;
} ports[] = {
	{53, TCP, FINDING_DNS_OTHER_RESOLVER},
	{53, UDP, FINDING_DNS_OTHER_RESOLVER},
	{853, TCP, FINDING_DOT},
	{853, UDP, FINDING_DOT},
	{25, TCP, FINDING_SPAM},
	{465, TCP, FINDING_SPAM},
	{587, TCP, FINDING_SPAM},
};

static bool is_resolver(const struct peer *peer)
{
	if (peer->verdict == FLOWREC_EXPECTED)
		return addr_is_private(peer->key.family, &peer->key.remote) ||
		       addr_is_link(peer->key.family, &peer->key.remote);
	return peer->verdict != FLOWREC_UNEXPECTED_EGRESS;
}

static void judge(struct findings *findings, void *state, const struct peer *peer)
{
	(void)state;
	if (peer->key.direction == FLOWREC_INGRESS)
		return;
	for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
		struct finding finding;

		if (ports[i].port != peer->key.port || ports[i].protocol != peer->key.protocol)
			continue;
		if (ports[i].kind == FINDING_DNS_OTHER_RESOLVER && is_resolver(peer))
			continue;
		finding = detect_of_peer(peer, (enum finding_kind)ports[i].kind,
					 detect_tempered(peer, FINDING_MEDIUM));
		detect_raise(findings, &finding);
	}
}

const struct detector detect_port = {.name = "port", .peer = judge};
