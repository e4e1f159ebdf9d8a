// SPDX-License-Identifier: Apache-2.0
/*
 * decode, inside: what its files share. decode_link.c has Ethernet, raw IP and the dispatch,
 * decode_extra.c the other link types, decode_ip.c IPv4 and transport, decode_ipv6.c IPv6; extra and
 * ipv6 are optional.
 */
#pragma once

#include "sensor/decode.h"

/* Values of DLT_* as libpcap hands them on Linux; pcap.h has its home in capture.c. */
enum {
	LINK_NULL = 0,
	LINK_EN10MB = 1,
	LINK_PPP = 9,
	LINK_RAW = 12,
	LINK_RAW_OPENBSD = 14,
	LINK_PPP_SERIAL = 50,
	LINK_PPP_ETHER = 51,
	LINK_RAW_FILE = 101,
	LINK_C_HDLC = 104,
	LINK_LOOP = 108,
	LINK_LINUX_SLL = 113,
	LINK_PPP_PPPD = 166,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_NFLOG = 239,
	LINK_LINUX_SLL2 = 276,
};

enum {
	TYPE_LENGTH_MAX = 1500, /* up to here the type field is an 802.3 length */
	TYPE_LLC = 0x0004,      /* in cooked captures: 802.2 follows */
	TYPE_IPV4 = 0x0800,
	TYPE_ARP = 0x0806,
	TYPE_RARP = 0x8035,
	TYPE_VLAN = 0x8100,
	TYPE_IPV6 = 0x86dd,
	TYPE_MPLS = 0x8847,
	TYPE_MPLS_MULTICAST = 0x8848,
	TYPE_PPPOE_DISCOVERY = 0x8863,
	TYPE_PPPOE_SESSION = 0x8864,
	TYPE_VLAN_AD = 0x88a8,
	TYPE_VLAN_9100 = 0x9100,
	TYPE_VLAN_9200 = 0x9200,

	PPP_IPV4 = 0x0021,
	PPP_IPV6 = 0x0057,
	PPP_MPLS = 0x0281,
	PPP_MPLS_MULTICAST = 0x0283,

	LLC_SAP_IP = 0x06,
	LLC_SAP_SNAP = 0xaa,

	NFLOG_PAYLOAD = 9,
};

/* Protocol numbers (https://www.iana.org/assignments/protocol-numbers). */
enum {
	IP_HOP_BY_HOP = 0,
	IP_ICMP = 1,
	IP_TCP = 6,
	IP_UDP = 17,
	IP_DCCP = 33,
	IP_ROUTING = 43,
	IP_FRAGMENT = 44,
	IP_ICMPV6 = 58,
	IP_DEST_OPTIONS = 60,
	IP_SCTP = 132,
	IP_UDPLITE = 136,
};

/* The frame and how far it was read. `wire - (rd.p - data)` is the frame's length from the cursor
 * on. */
struct decode_frame {
	struct rd rd;
	const uint8_t *data;
	uint32_t wire;
	struct decoded *out;
};

static inline enum decode_result decode_frame_ip(struct decode_frame *f, unsigned version)
{
	size_t read = (size_t)(f->rd.p - f->data);
	enum decode_result result =
		decode_ip(&f->rd, version, f->wire > read ? f->wire - (uint32_t)read : 0, f->out);

	f->out->ip_at = (uint32_t)read;
	return result;
}

/* The short way for an Ethernet frame (decode_usual.c): false, and anything in `ret`, if it is none of those that can
 * go it. The long way for all frames (decode_link.c). */
bool decode_usual(const struct packet *packet, struct decoded *ret);
enum decode_result decode_any(int link, const struct packet *packet, struct decoded *ret);

/* From an ethertype, or 802.2, on (decode_link.c). */
enum decode_result decode_type(struct decode_frame *frame, uint16_t type);
enum decode_result decode_llc(struct decode_frame *frame);

/* decode_extra.c: under Ethernet, and the link types that decode_link.c does not know. */
enum decode_result decode_mpls(struct decode_frame *frame);
enum decode_result decode_pppoe(struct decode_frame *frame);
bool decode_extra_knows(int link);
enum decode_result decode_extra(struct decode_frame *frame, int link);

/* Ends the cursor where the IP packet says it ends: Ethernet padding is not payload. */
static inline void decode_bound(struct rd *rd, const uint8_t *header, uint64_t total)
{
	if (total < (uint64_t)(rd->end - header))
		rd->end = header + total;
}

/* Ports, flags, ICMP type and what it quotes (decode_ip.c). `length`: bytes from the cursor on, as
 * the IP header claims them. */
void decode_transport(struct rd *rd, uint64_t length, struct decoded *out);
/* The cursor stands on 40 bytes at `header` (decode_ipv6.c). */
enum decode_result decode_ipv6(struct rd *rd, const uint8_t *header, uint32_t wire,
			       struct decoded *out);
