// SPDX-License-Identifier: Apache-2.0
/*
 * decode: from a frame to what a flow record needs of it. Pure: no allocation, no log, no clock.
 *
 * The outermost IP header counts; tunnels are not entered. Every frame gets exactly one result:
 * recorded as IP, not IP, or malformed, each with its reason. A frame may be cut at any byte and
 * every byte may lie.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "platform/addr.h"
#include "platform/bytes.h"
#include "sensor/capture.h"

enum decode_result {
	DECODE_IP, /* `struct decoded` is filled */

	/* well-formed, but something else than IP */
	DECODE_NOT_IP_ARP,
	DECODE_NOT_IP_LLC,
	DECODE_NOT_IP_PPP,  /* control protocols of PPP, PPPoE discovery */
	DECODE_NOT_IP_MPLS, /* under the labels: a pseudo-wire */
	DECODE_NOT_IP_IPV6, /* Kconfig left IPv6 out */
	DECODE_NOT_IP_LINK, /* Kconfig left this link type out */
	DECODE_NOT_IP_OTHER,

	/* malformed */
	DECODE_BAD_LINK,    /* link header or tag cut short */
	DECODE_BAD_VERSION, /* IP version is not what the link layer said */
	DECODE_BAD_SHORT,   /* fewer bytes than an IP header */
	DECODE_BAD_HEADER,  /* IPv4 header length below 20 */
	DECODE_BAD_LENGTH,  /* IPv4 total length below the header's */
	DECODE_BAD_MIRROR,  /* mirror mode: VXLAN header cut short */

	DECODE_RESULTS
};

enum { DECODE_FIRST_NOT_IP = DECODE_NOT_IP_ARP, DECODE_FIRST_BAD = DECODE_BAD_LINK };

/* What part of a datagram a packet is. */
enum decode_fragment { DECODE_WHOLE, DECODE_FRAGMENT_FIRST, DECODE_FRAGMENT_LATER };

struct decoded {
	struct addr src, dst;
	uint64_t bytes;   /* IP total length; of offloaded frames that carry 0: wire length from the
			   IP header on */
	uint32_t packets; /* 1; of a frame that stands for several, offload correction says more */
	uint16_t srcport,
		dstport; /* 0 where the protocol has none, in later fragments, and when cut off */
	uint16_t transport; /* bytes of IP and extension headers */
	uint16_t header;    /* bytes of IP, extension, TCP or UDP headers; 0: not all was there */
	uint16_t mss;       /* that a SYN announces; 0: none */
	uint8_t family;     /* 4, 6 */
	uint8_t protocol;
	uint8_t tcp_flags;  /* as Flow Logs count them: FIN 1, SYN 2, RST 4, SYN-ACK 18 */
	bool has_ports;     /* the ports were read */
	bool has_icmp_type; /* icmp_type was read */
	uint8_t icmp_type, icmp_code;
	bool bad_checksum; /* IPv4: the header was wholly captured and its checksum is wrong */
	bool beyond_wire;  /* the IP header claims more bytes than the frame had */
	uint8_t fragment;  /* enum decode_fragment; an IPv6 datagram of one fragment is whole */
	uint8_t fragment_protocol; /* of a fragment: what IPv4 or the fragment header names */
	uint32_t fragment_id;      /* of a fragment */
	bool has_payload;          /* by its lengths it bears bytes behind the transport header */
	bool refuses;              /* an ICMP error that says that nobody will answer */
	uint32_t quote_len;        /* bytes at `quote` */
	const uint8_t *quote; /* what an ICMP error quotes, as far as it was captured; lies in the
				 frame. Else NULL */
	uint32_t ip_at;       /* where in the frame the IP header begins */
};

/* DLT_* numbers that decode_packet() accepts. */
bool decode_knows_link(int link);

/* `link`: DLT_* number of the frame. */
enum decode_result decode_packet(int link, const struct packet *packet, struct decoded *ret);

/*
 * The packet that an ICMP error quotes, of which a few bytes are there (RFC 792: 8 behind the IP
 * header; RFC 4443: as many as fit). False if there is none, if it cannot be read, or if the error
 * does not go to who sent it. Anybody on the path, and many off it, can forge such an error.
 */
bool decode_quote(const struct decoded *error, struct decoded *ret);

/* "arp", "cut link header", ... for the summary. */
const char *decode_result_text(enum decode_result result);

/* From decode_link.c to decode_ip.c: the cursor stands on the IP header, `wire` is the frame's
 * length from there on. Version 0: as the header says. */
enum decode_result decode_ip(struct rd *rd, unsigned version, uint32_t wire, struct decoded *ret);
