// SPDX-License-Identifier: Apache-2.0
/*
 * decode: link types beyond Ethernet and raw IP, and what of them runs over Ethernet.
 *
 * MPLS label stacks (RFC 3032), PPPoE (RFC 2516), PPP (RFC 1661, 1662), Cisco HDLC, Linux cooked
 * captures v1 and v2, BSD null and loop, NFLOG. Link types: https://www.tcpdump.org/linktypes.html
 *
 *   SLL       | packet type 2 | ARPHRD 2 | address length 2 | address 8 | protocol 2 |
 *   SLL2      | protocol 2 | reserved 2 | interface 4 | ARPHRD 2 | packet type 1 |
 *             | address length 1 | address 8 |
 *   PPPoE     | version, type 1 | code 1 | session 2 | length 2 | then PPP
 *   MPLS      | label 20 bits, class 3, bottom 1, time to live 8 | repeated until bottom
 */
#include "sensor/decode_parts.h"

enum decode_result decode_mpls(struct decode_frame *f)
{
	const uint8_t *p;

	do {
		p = rd_take(&f->rd, 4);
		if (!p)
			return DECODE_BAD_LINK;
	} while (!(p[2] & 1));
	/* RFC 4928: under the bottom label the first nibble tells IP from a pseudo-wire. */
	p = rd_peek(&f->rd, 1);
	if (!p)
		return DECODE_BAD_LINK;
	if (p[0] >> 4 != 4 && p[0] >> 4 != 6)
		return DECODE_NOT_IP_MPLS;
	return decode_frame_ip(f, 0);
}

static enum decode_result ppp_protocol(struct decode_frame *f)
{
	const uint8_t *p = rd_take(&f->rd, 2);

	if (!p)
		return DECODE_BAD_LINK;
	switch (be16(p)) {
	case PPP_IPV4: return decode_frame_ip(f, 4);
	case PPP_IPV6: return decode_frame_ip(f, 6);
	case PPP_MPLS:
	case PPP_MPLS_MULTICAST: return decode_mpls(f);
	default: return DECODE_NOT_IP_PPP;
	}
}

/* PPP with or without the address and control bytes of HDLC-like framing (RFC 1662 section 3.1). */
static enum decode_result ppp(struct decode_frame *f)
{
	const uint8_t *p = rd_peek(&f->rd, 2);

	if (p && p[0] == 0xff && p[1] == 0x03)
		rd_take(&f->rd, 2);
	return ppp_protocol(f);
}

enum decode_result decode_pppoe(struct decode_frame *f)
{
	return rd_take(&f->rd, 6) ? ppp_protocol(f) : DECODE_BAD_LINK;
}

/* In cooked captures small numbers are Linux' own ETH_P_*, no lengths. */
static enum decode_result cooked(struct decode_frame *f, uint16_t type)
{
	if (type == TYPE_LLC)
		return decode_llc(f);
	return type <= TYPE_LENGTH_MAX ? DECODE_NOT_IP_OTHER : decode_type(f, type);
}

static enum decode_result sll(struct decode_frame *f)
{
	const uint8_t *p = rd_take(&f->rd, 16);

	return p ? cooked(f, be16(p + 14)) : DECODE_BAD_LINK;
}

static enum decode_result sll2(struct decode_frame *f)
{
	const uint8_t *p = rd_take(&f->rd, 20);

	return p ? cooked(f, be16(p)) : DECODE_BAD_LINK;
}

/* The address family, in the byte order of the capturing machine: small, so the order is plain.
 * AF_INET is 2 everywhere; AF_INET6 is 10 on Linux, 24, 28 and 30 on the BSDs and macOS. */
static enum decode_result null_loop(struct decode_frame *f)
{
	const uint8_t *p = rd_take(&f->rd, 4);
	uint32_t family;

	if (!p)
		return DECODE_BAD_LINK;
	family = be32(p);
	if (family > 0xffff)
		family = (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
	switch (family) {
	case 2: return decode_frame_ip(f, 4);
	case 10:
	case 24:
	case 28:
	case 30: return decode_frame_ip(f, 6);
	default: return DECODE_NOT_IP_OTHER;
	}
}

static enum decode_result hdlc(struct decode_frame *f)
{
	const uint8_t *p = rd_take(&f->rd, 4);

	if (!p)
		return DECODE_BAD_LINK;
	/* Cisco's keepalive (8035) and discovery (2000) share the field with ethertypes. */
	switch (be16(p + 2)) {
	case TYPE_IPV4: return decode_frame_ip(f, 4);
	case TYPE_IPV6: return decode_frame_ip(f, 6);
	case TYPE_MPLS:
	case TYPE_MPLS_MULTICAST: return decode_mpls(f);
	default: return DECODE_NOT_IP_OTHER;
	}
}

/* PPP_SERIAL holds either PPP or Cisco HDLC (address 0f or 8f). */
static enum decode_result ppp_serial(struct decode_frame *f)
{
	const uint8_t *p = rd_peek(&f->rd, 1);

	return p && (p[0] == 0x0f || p[0] == 0x8f) ? hdlc(f) : ppp(f);
}

/* | direction 1 | 03 | PPP protocol 2 | */
static enum decode_result pppd(struct decode_frame *f)
{
	return rd_take(&f->rd, 2) ? ppp_protocol(f) : DECODE_BAD_LINK;
}

/* | family 1 | version 1 | resource 2 | then | length 2 | type 2 | value, padded to 4 | ...;
 * lengths and types in the byte order of the capturing machine. A length is at least 4 and small,
 * types are below 256: the order shows in the type. */
static enum decode_result nflog(struct decode_frame *f)
{
	if (!rd_take(&f->rd, 4))
		return DECODE_BAD_LINK;
	for (;;) {
		const uint8_t *p = rd_take(&f->rd, 4);
		bool little;
		unsigned len, type;

		if (!p)
			return DECODE_BAD_LINK;
		little = p[2] != 0 || p[3] == 0;
		len = little ? (unsigned)(p[1] << 8 | p[0]) : be16(p);
		type = little ? (unsigned)(p[3] << 8 | p[2]) : be16(p + 2);
		if ((type & 0x7fff) == NFLOG_PAYLOAD)
			return decode_frame_ip(f, 0);
		if (len < 4 || !rd_take(&f->rd, ((len + 3) & ~3U) - 4))
			return DECODE_BAD_LINK;
	}
}

bool decode_extra_knows(int link)
{
	switch (link) {
	case LINK_NULL:
	case LINK_PPP:
	case LINK_PPP_SERIAL:
	case LINK_PPP_ETHER:
	case LINK_C_HDLC:
	case LINK_LOOP:
	case LINK_LINUX_SLL:
	case LINK_PPP_PPPD:
	case LINK_NFLOG:
	case LINK_LINUX_SLL2: return true;
	default: return false;
	}
}

enum decode_result decode_extra(struct decode_frame *f, int link)
{
	switch (link) {
	case LINK_LINUX_SLL: return sll(f);
	case LINK_LINUX_SLL2: return sll2(f);
	case LINK_NULL:
	case LINK_LOOP: return null_loop(f);
	case LINK_PPP: return ppp(f);
	case LINK_PPP_SERIAL: return ppp_serial(f);
	case LINK_PPP_ETHER: return decode_pppoe(f);
	case LINK_PPP_PPPD: return pppd(f);
	case LINK_C_HDLC: return hdlc(f);
	case LINK_NFLOG: return nflog(f);
	default: return DECODE_NOT_IP_OTHER;
	}
}
