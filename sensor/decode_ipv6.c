// SPDX-License-Identifier: Apache-2.0
/*
 * decode: IPv6 and its extension headers (RFC 8200, RFC 2675).
 *
 *   | version, class, label 4 | payload length 2 | next header 1 | hop limit 1 | from 16 | to 16 |
 *
 * The chain is followed as decode_ip.c says.
 */
#include "sensor/decode_parts.h"

enum {
	OPTION_PAD1 = 0,
	OPTION_JUMBO = 0xc2,
	IP6_OFFSET = 0xfff8, /* of the fragment header's third and fourth byte */
	IP6_MORE = 0x0001,
};

/* The jumbo payload length of RFC 2675 in the options of a hop-by-hop header, or 0. `rd` stands on
 * the first option. */
static uint32_t jumbo_length(struct rd options)
{
	while (rd_left(&options)) {
		uint8_t type = rd_u8(&options);
		uint8_t len;

		if (type == OPTION_PAD1)
			continue;
		len = rd_u8(&options);
		if (type == OPTION_JUMBO && len == 4)
			return rd_u32be(&options);
		rd_take(&options, len);
	}
	return 0;
}

/* Total length of a packet whose payload length is 0: by its jumbo option, else by the wire. */
static uint64_t ipv6_long_total(const struct rd *rd, const uint8_t *h, uint32_t wire)
{
	struct rd options = *rd;
	const uint8_t *ext = rd_take(&options, 40);
	uint32_t jumbo = 0;

	if (h[6] == IP_HOP_BY_HOP) {
		ext = rd_peek(&options, 2);
		if (ext) {
			size_t len = (ext[1] + 1U) * 8;

			if (len < rd_left(&options))
				options.end = options.p + len;
			rd_take(&options, 2);
			jumbo = jumbo_length(options);
		}
	}
	return jumbo ? (uint64_t)jumbo + 40 : wire;
}

enum decode_result decode_ipv6(struct rd *rd, const uint8_t *h, uint32_t wire, struct decoded *out)
{
	unsigned payload = be16(h + 4);

	*out = (struct decoded){
		.family = 6,
		.protocol = h[6],
		.packets = 1,
		.bytes = payload ? payload + 40U : ipv6_long_total(rd, h, wire),
	};
	out->beyond_wire = out->bytes > wire;
	memcpy(out->src.b, h + 8, 16);
	memcpy(out->dst.b, h + 24, 16);
	decode_bound(rd, h, out->bytes);
	rd_take(rd, 40);
	for (;;) {
		const uint8_t *ext;

		switch (out->protocol) {
		case IP_HOP_BY_HOP:
		case IP_ROUTING:
		case IP_DEST_OPTIONS:
			ext = rd_peek(rd, 2);
			if (!ext || !rd_take(rd, (ext[1] + 1U) * 8))
				return DECODE_IP; /* the protocol stays the header that could not be
						     followed */
			out->protocol = ext[0];
			continue;
		case IP_FRAGMENT:
			ext = rd_take(rd, 8);
			if (!ext)
				return DECODE_IP;
			out->protocol = ext[0];
			if (be16(ext + 2) & (IP6_OFFSET | IP6_MORE)) {
				out->fragment = be16(ext + 2) & IP6_OFFSET ? DECODE_FRAGMENT_LATER
									   : DECODE_FRAGMENT_FIRST;
				out->fragment_id = be32(ext + 4);
				out->fragment_protocol = ext[0];
			}
			if (out->fragment == DECODE_FRAGMENT_LATER) {
				out->has_payload = true;
				return DECODE_IP;
			}
			continue;
		default:
			out->header = (uint16_t)(rd->p - h);
			decode_transport(rd, out->bytes - (uint64_t)(rd->p - h), out);
			return DECODE_IP;
		}
	}
}
