// SPDX-License-Identifier: Apache-2.0
/*
 * decode, second half: IPv4 (RFC 791), transport ports.
 *
 *   IPv4 | version, header length 1 | TOS 1 | total length 2 | id 2 | flags, offset 2 |
 *        | TTL 1 | protocol 1 | sum 2 | from 4 | to 4 | options
 *   TCP  | ports 2 2 | sequence 4 | acknowledgement 4 | offset 1 | flags 1 | ...
 *   ICMP | type 1 | code 1 | sum 2 | rest 4 | an error: the packet it is about, its beginning
 *
 * A header chain is followed within the captured bytes and the length that the IP header claims,
 * whichever ends first.
 */
#include "sensor/decode_parts.h"

#include "platform/config.h"

enum {
	TCP_FIN_SYN_RST = 0x07,
	TCP_SYN_ACK = 0x12,
	TCP_ACK = 0x10,
	TCP_SYN = 0x02,
	TCP_HEADER = 20,
	TCP_NOP = 1,
	TCP_MSS = 2,
	UDP_HEADER = 8,
	IP4_MORE = 0x2000,
	IP4_OFFSET = 0x1fff,
	ICMP_HEADER = 8,
};

/* The MSS among the options of a SYN (RFC 9293, 3.2), or 0. */
static uint16_t announced_mss(struct rd rd, size_t header)
{
	const uint8_t *p = rd_peek(&rd, header);

	/* A header that claims less than 20 bytes would put the end before the cursor. */
	if (!p || header < TCP_HEADER || !rd_take(&rd, TCP_HEADER))
		return 0;
	rd.end = p + header;
	for (;;) {
		uint8_t kind = rd_u8(&rd), len;

		if (kind == TCP_NOP)
			continue;
		len = rd_u8(&rd);
		if (rd.bad || kind == 0 || len < 2)
			return 0;
		p = rd_take(&rd, len - 2U);
		if (p && kind == TCP_MSS && len == 4)
			return be16(p);
	}
}

/* Does this error say that nobody will answer? Unreachable, but for "too big" (RFC 792, RFC 1191);
 * unreachable and "next header not known" of ICMPv6, which has no other word for a protocol that
 * nobody serves (RFC 4443). Time exceeded is about the path, not about the other end. */
static bool is_refusal(uint8_t protocol, uint8_t type, uint8_t code)
{
	if (protocol == IP_ICMP)
		return type == 3 && code != 4;
	return type == 1 || (type == 4 && code == 1);
}

/* Errors that quote the packet they are about: RFC 792 without what nobody sends any more, RFC 4443. */
static bool is_error(uint8_t protocol, uint8_t type)
{
	if (protocol == IP_ICMP) /* unreachable, redirect, time exceeded, parameter problem */
		return type == 3 || type == 5 || type == 11 || type == 12;
	return type >= 1 && type <= 4;
}

static void icmp(struct rd *rd, struct decoded *out)
{
	const uint8_t *p = rd_peek(rd, ICMP_HEADER);

	if (!p || !is_error(out->protocol, p[0]))
		return;
	out->refuses = is_refusal(out->protocol, p[0], p[1]);
	out->quote = p + ICMP_HEADER;
	out->quote_len = (uint32_t)(rd_left(rd) - ICMP_HEADER);
}

bool decode_quote(const struct decoded *error, struct decoded *ret)
{
	struct rd rd = rd_init(error->quote, error->quote_len);

	return error->quote && decode_ip(&rd, error->family, error->quote_len, ret) == DECODE_IP &&
	       memcmp(&ret->src, &error->dst, sizeof ret->src) == 0;
}

void decode_transport(struct rd *rd, uint64_t length, struct decoded *out)
{
	const uint8_t *p;
	size_t header;

	out->has_payload = length > 0;
	out->transport = out->header;
	switch (out->protocol) {
	case IP_TCP:
	case IP_UDP:
	case IP_DCCP:
	case IP_SCTP:
	case IP_UDPLITE:
		p = rd_peek(rd, 4);
		if (!p) {
			out->header = 0;
			return;
		}
		out->srcport = be16(p);
		out->dstport = be16(p + 2);
		out->has_ports = true;
		if (out->protocol == IP_UDP)
			out->header += UDP_HEADER;
		/* Control packets of SCTP and DCCP too: what is in doubt is told as data. */
		out->has_payload = length > UDP_HEADER;
		if (out->protocol != IP_TCP)
			return;
		p = rd_peek(rd, 14);
		if (!p) {
			out->header = 0;
			return;
		}
		header = (p[12] >> 4) * 4U;
		out->header = header < TCP_HEADER ? 0 : (uint16_t)(out->header + header);
		out->has_payload = length > header;
		if (p[13] & TCP_SYN)
			out->mss = announced_mss(*rd, header);
		out->tcp_flags = p[13] & TCP_FIN_SYN_RST;
		if ((p[13] & TCP_SYN_ACK) == TCP_SYN_ACK)
			out->tcp_flags |= TCP_ACK;
		return;
	case IP_ICMP:
	case IP_ICMPV6:
		p = rd_peek(rd, 1);
		if (!p)
			return;
		out->icmp_type = p[0];
		out->has_icmp_type = true;
		p = rd_peek(rd, 2);
		out->icmp_code = p ? p[1] : 0;
		out->has_payload = length > ICMP_HEADER;
		icmp(rd, out);
		return;
	default: return;
	}
}

/* RFC 1071: the words of a header, its checksum among them, add up to all ones, in whichever byte order
 * and whatever their width, since 2^16 and 2^32 leave 1 modulo 2^16 - 1. */
static bool is_sum_right(const uint8_t *header, unsigned len)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < len; i += 4) {
		uint32_t word;

		memcpy(&word, header + i, sizeof word);
		sum += word;
	}
	return sum % 0xffff == 0;
}

static enum decode_result ipv4(struct rd *rd, const uint8_t *h, uint32_t wire, struct decoded *out)
{
	unsigned header = (h[0] & 15U) * 4, total = be16(h + 2);

	if (header < 20)
		return DECODE_BAD_HEADER;
	if (total && total < header)
		return DECODE_BAD_LENGTH;
	*out = (struct decoded){
		.family = 4, .protocol = h[9], .bytes = total ? total : wire, .packets = 1};
	memcpy(out->src.b, h + 12, 4);
	memcpy(out->dst.b, h + 16, 4);
	decode_bound(rd, h, out->bytes);
	out->beyond_wire = total > wire;
	if (be16(h + 6) & (IP4_OFFSET | IP4_MORE)) {
		out->fragment =
			be16(h + 6) & IP4_OFFSET ? DECODE_FRAGMENT_LATER : DECODE_FRAGMENT_FIRST;
		out->fragment_id = be16(h + 4);
		out->fragment_protocol = out->protocol;
	}
	out->has_payload = out->fragment == DECODE_FRAGMENT_LATER;
	if (!rd_take(rd, header))
		return DECODE_IP;
	out->bad_checksum = !is_sum_right(h, header);
	/* Only the first fragment holds the transport header. */
	if (out->fragment == DECODE_FRAGMENT_LATER)
		return DECODE_IP;
	out->header = (uint16_t)header;
	decode_transport(rd, out->bytes - header, out);
	return DECODE_IP;
}

enum decode_result decode_ip(struct rd *rd, unsigned version, uint32_t wire, struct decoded *ret)
{
	const uint8_t *h = rd_peek(rd, 1);

	if (!h)
		return DECODE_BAD_SHORT;
	if (version && h[0] >> 4 != version)
		return DECODE_BAD_VERSION;
	switch (h[0] >> 4) {
	case 4: h = rd_peek(rd, 20); return h ? ipv4(rd, h, wire, ret) : DECODE_BAD_SHORT;
	case 6:
		if (!IS_ENABLED(CONFIG_IPV6))
			return DECODE_NOT_IP_IPV6;
		h = rd_peek(rd, 40);
		return h ? decode_ipv6(rd, h, wire, ret) : DECODE_BAD_SHORT;
	default: return DECODE_BAD_VERSION;
	}
}
