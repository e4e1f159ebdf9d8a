// SPDX-License-Identifier: Apache-2.0
/*
 * decode, the short way: what nearly every frame is, read at fixed places.
 *
 * Ethernet without tags; IPv4 without options, or IPv6 without extension headers; a whole datagram;
 * UDP, or TCP that bears no SYN (its options are of interest). Whatever is otherwise, cut short or
 * wrong goes the long way. Both give the same: tests/unit/sensor/test_decode.c holds them together.
 */
#include "sensor/decode_parts.h"

#include "platform/config.h"

enum {
	ETHERNET = 14,
	IP4 = 20,
	IP6 = 40,
	TRANSPORT = 20, /* read of the transport header, at most */
	UDP = 8,
	FIN_RST = 0x05,
	SYN = 0x02,
};

/* What transport() and its callers leave. Member by member: to clear the whole of it compilers take an instruction that needs 30
 * cycles to begin. */
static void begin(struct decoded *out, uint8_t family, uint8_t protocol, unsigned header,
		  unsigned bytes)
{
	out->bytes = bytes;
	out->packets = 1;
	out->transport = out->header = (uint16_t)header;
	out->mss = 0;
	out->family = family;
	out->protocol = protocol;
	out->tcp_flags = 0;
	out->has_icmp_type = false;
	out->icmp_type = 0;
	out->bad_checksum = false;
	out->beyond_wire = false;
	out->fragment = DECODE_WHOLE;
	out->fragment_protocol = 0;
	out->fragment_id = 0;
	out->quote_len = 0;
	out->quote = NULL;
	out->ip_at = ETHERNET;
}

/* Whole words: read as such a moment later, they come from the processor's store buffer only if they were written so. */
static void put_ip4(struct addr *ret, const uint8_t *p)
{
	uint8_t words[16] = {p[0], p[1], p[2], p[3]};

	memcpy(ret->b, words, sizeof words);
}

/* `length`: bytes from the transport header `p` on, at least TRANSPORT, as the IP header claims them. */
static bool transport(const uint8_t *p, unsigned length, struct decoded *out)
{
	unsigned header = UDP;

	if (out->protocol == IP_TCP) {
		header = (p[12] >> 4) * 4U;
		if (header < TRANSPORT || p[13] & SYN)
			return false;
		out->tcp_flags = p[13] & FIN_RST;
	} else if (out->protocol != IP_UDP) {
		return false;
	}
	out->srcport = be16(p);
	out->dstport = be16(p + 2);
	out->has_ports = true;
	out->has_payload = length > header;
	out->header = (uint16_t)(out->header + header);
	return true;
}

/* RFC 1071; see decode_ip.c. */
static bool is_sum_right(const uint8_t h[static IP4])
{
	uint64_t four[2], sum;
	uint32_t last;

	memcpy(four, h, sizeof four);
	memcpy(&last, h + sizeof four, sizeof last);
	sum = (uint32_t)four[0] + (four[0] >> 32) + (uint32_t)four[1] + (four[1] >> 32) + last;
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	return sum == 0xffff || sum == 2 * 0xffff;
}

static bool ipv4(const uint8_t h[static IP4 + TRANSPORT], uint32_t wire, struct decoded *out)
{
	unsigned total = be16(h + 2);

	/* A more-fragments flag or an offset; a length that is 0, or more than there was. */
	if (be16(h + 6) & 0x3fff || total < IP4 + TRANSPORT || total > wire)
		return false;
	begin(out, 4, h[9], IP4, total);
	out->bad_checksum = !is_sum_right(h);
	put_ip4(&out->src, h + 12);
	put_ip4(&out->dst, h + 16);
	return true;
}

static bool ipv6(const uint8_t h[static IP6 + TRANSPORT], uint32_t wire, struct decoded *out)
{
	unsigned payload = be16(h + 4);

	if (payload < TRANSPORT || payload + IP6 > wire)
		return false;
	begin(out, 6, h[6], IP6, payload + IP6);
	memcpy(out->src.b, h + 8, 16);
	memcpy(out->dst.b, h + 24, 16);
	return true;
}

bool decode_usual(const struct packet *packet, struct decoded *ret)
{
	struct rd rd = rd_init(packet->data, packet->captured);
	const uint8_t *p = rd_peek(&rd, ETHERNET + IP4 + TRANSPORT);
	uint32_t wire = packet->wire - ETHERNET;

	if (!p || packet->wire < ETHERNET)
		return false;
	/* The type and the byte of version and header length behind it. */
	if (be32(p + 12) >> 8 == (TYPE_IPV4 << 8 | 0x45)) {
		if (!ipv4(p + ETHERNET, wire, ret))
			return false;
	} else if (IS_ENABLED(CONFIG_IPV6) && be32(p + 12) >> 12 == (TYPE_IPV6 << 4 | 6) &&
		   rd_peek(&rd, ETHERNET + IP6 + TRANSPORT)) {
		if (!ipv6(p + ETHERNET, wire, ret))
			return false;
	} else {
		return false;
	}
	return transport(p + ETHERNET + ret->header, (unsigned)ret->bytes - ret->header, ret);
}
