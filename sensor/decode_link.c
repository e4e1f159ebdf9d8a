// SPDX-License-Identifier: Apache-2.0
/*
 * decode, first half: link headers and tags, down to the IP header.
 *
 * Ethernet (IEEE 802.3), 802.1Q/ad tags, raw IP; the other link types are in decode_extra.c.
 *
 *   Ethernet  | destination 6 | source 6 | type 2 |
 *   802.1Q/ad | tag 2 | type 2 |
 */
#include "sensor/decode_parts.h"

#include "platform/config.h"

/* IEEE 802.2, and SNAP with the encapsulated-Ethernet OUI (RFC 1042). */
enum decode_result decode_llc(struct decode_frame *f)
{
	const uint8_t *p = rd_take(&f->rd, 3);

	if (!p)
		return DECODE_BAD_LINK;
	if (p[0] == LLC_SAP_IP && p[1] == LLC_SAP_IP)
		return decode_frame_ip(f, 4);
	if (p[0] != LLC_SAP_SNAP || p[1] != LLC_SAP_SNAP)
		return DECODE_NOT_IP_LLC;
	p = rd_take(&f->rd, 5);
	if (!p)
		return DECODE_BAD_LINK;
	/* An ethertype follows, never a length: else a frame of nothing but such headers would nest
	 * tens of thousands deep. */
	if (p[0] || p[1] || p[2] || be16(p + 3) <= TYPE_LENGTH_MAX)
		return DECODE_NOT_IP_LLC;
	return decode_type(f, be16(p + 3));
}

enum decode_result decode_type(struct decode_frame *f, uint16_t type)
{
	for (;;) {
		const uint8_t *p;

		switch (type) {
		case TYPE_IPV4: return decode_frame_ip(f, 4);
		case TYPE_IPV6: return decode_frame_ip(f, 6);
		case TYPE_VLAN:
		case TYPE_VLAN_AD:
		case TYPE_VLAN_9100:
		case TYPE_VLAN_9200:
			p = rd_take(&f->rd, 4);
			if (!p)
				return DECODE_BAD_LINK;
			type = be16(p + 2);
			continue;
		case TYPE_MPLS:
		case TYPE_MPLS_MULTICAST:
			return IS_ENABLED(CONFIG_LINK_EXTRA) ? decode_mpls(f) : DECODE_NOT_IP_LINK;
		case TYPE_PPPOE_SESSION:
			return IS_ENABLED(CONFIG_LINK_EXTRA) ? decode_pppoe(f) : DECODE_NOT_IP_LINK;
		case TYPE_PPPOE_DISCOVERY: return DECODE_NOT_IP_PPP;
		case TYPE_ARP:
		case TYPE_RARP: return DECODE_NOT_IP_ARP;
		default: return type <= TYPE_LENGTH_MAX ? decode_llc(f) : DECODE_NOT_IP_OTHER;
		}
	}
}

static enum decode_result ethernet(struct decode_frame *f)
{
	const uint8_t *p = rd_take(&f->rd, 14);

	return p ? decode_type(f, be16(p + 12)) : DECODE_BAD_LINK;
}

bool decode_knows_link(int link)
{
	switch (link) {
	case LINK_EN10MB:
	case LINK_RAW:
	case LINK_RAW_OPENBSD:
	case LINK_RAW_FILE:
	case LINK_IPV4:
	case LINK_IPV6: return true;
	default: return IS_ENABLED(CONFIG_LINK_EXTRA) && decode_extra_knows(link);
	}
}

enum decode_result decode_packet(int link, const struct packet *packet, struct decoded *ret)
{
	return link == LINK_EN10MB && decode_usual(packet, ret) ? DECODE_IP
								: decode_any(link, packet, ret);
}

enum decode_result decode_any(int link, const struct packet *packet, struct decoded *ret)
{
	struct decode_frame f = {
		.rd = rd_init(packet->data, packet->captured),
		.data = packet->data,
		.wire = packet->wire,
		.out = ret,
	};

	switch (link) {
	case LINK_EN10MB: return ethernet(&f);
	case LINK_RAW:
	case LINK_RAW_OPENBSD:
	case LINK_RAW_FILE: return decode_frame_ip(&f, 0);
	case LINK_IPV4: return decode_frame_ip(&f, 4);
	case LINK_IPV6: return decode_frame_ip(&f, 6);
	default:
		return IS_ENABLED(CONFIG_LINK_EXTRA) ? decode_extra(&f, link) : DECODE_NOT_IP_OTHER;
	}
}

const char *decode_result_text(enum decode_result result)
{
	switch (result) {
	case DECODE_IP: return "ip";
	case DECODE_NOT_IP_ARP: return "arp";
	case DECODE_NOT_IP_LLC: return "llc";
	case DECODE_NOT_IP_PPP: return "ppp-control";
	case DECODE_NOT_IP_MPLS: return "mpls-pseudo-wire";
	case DECODE_NOT_IP_IPV6: return "ipv6";
	case DECODE_NOT_IP_LINK: return "link-extra";
	case DECODE_NOT_IP_OTHER: return "other";
	case DECODE_BAD_LINK: return "link-header-cut";
	case DECODE_BAD_VERSION: return "ip-version";
	case DECODE_BAD_SHORT: return "ip-header-cut";
	case DECODE_BAD_HEADER: return "ip-header-length";
	case DECODE_BAD_LENGTH: return "ip-total-length";
	case DECODE_BAD_MIRROR: return "vxlan-header-cut";
	case DECODE_RESULTS: break;
	}
	return "?";
}
