// SPDX-License-Identifier: Apache-2.0
/*
 * names: looks into the payload of packets that may say by which name an endpoint is called.
 *
 *   DNS    UDP and TCP port 53, mDNS 5353, LLMNR 5355
 *   TLS    a TCP segment that begins with a ClientHello, on any port
 *   HTTP   one that begins with a method's word, on any port
 *   QUIC   a long header's Initial of version 1 or 2 (RFC 9000, RFC 9369) on any UDP port: counted, it is encrypted
 *
 * All other packets cost one look at their ports or first byte (names_may_speak()). What begins and is not whole in its
 * first segment is put together from few (names_stream.h). A DNS answer teaches the address of a name only if it was
 * asked for. Tables have fixed sizes; what is told is limited in number, and what is not told is counted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "platform/bytes.h"
#include "proto/names.h"
#include "sensor/capture.h"
#include "sensor/decode.h"
#include "sensor/identity.h"
#include "sensor/names_table.h"

enum {
	/* How many entries are told at once, and in each second of packet time after that, of DNS, of other names and
	   of metadata each: a flood must not drive records out of the spool, nor one kind the others. */
	NAMES_BURST = 2000,
	NAMES_PER_SECOND = 100,
	NAMES_HTTP_BURST = 200,
	NAMES_HTTP_PER_SECOND = 10,
#ifdef CONFIG_NAMES
	NAMES_TABLE_BYTES = CONFIG_NAMES_KIB * 1024,
	NAMES_ASKED = CONFIG_DNS_SLOTS,
#else
	NAMES_TABLE_BYTES = 0,
	NAMES_ASKED = 0,
#endif
};

/* All borrowed for the call. */
struct names_sink {
	void (*dns)(void *ctx, const struct batch_dns *dns);
	void (*name)(void *ctx, const struct batch_name *name);
	void (*http)(void *ctx, const struct batch_http *http);
	/* A transaction of DNS is over, or was given up: a matched response, or a query without one. All of them, however
	 * many there are. */
	void (*asked)(void *ctx, const struct batch_dns *dns);
	/* The flow of this packet asks for a server of this name (SNI or Host). May be NULL. */
	void (*flow)(void *ctx, const struct decoded *decoded, uint16_t iface, const char *name,
		     uint64_t now_ns);
	void *ctx;
};

struct names;

/* What the quick answer needs and counts. */
struct names_gate {
	size_t streams;  /* that wait for more segments */
	uint64_t no_dns; /* packets to or from a port of DNS whose head asks and answers nothing */
};

struct names_config {
	const struct identity *identity; /* borrowed */
	const uint64_t *key;             /* two words */
	uint16_t apart;                  /* see name_table_new() */
	struct names_sink sink;
};

/* -ENOMEM. `gate` is borrowed, and kept true. */
int names_new(struct names **ret, struct names_gate *gate, const struct names_config *config);
void names_free(struct names *names);
/* Bytes of all tables. */
size_t names_memory(void);

/* A decoded packet that may speak. */
void names_take(struct names *names, const struct packet *packet, const struct decoded *decoded);
/* A window closed at `now_s`, Unix seconds of packet time: queries that waited too long are given up. At the end of a run
 * (`all`) all of them. */
void names_tick(struct names *names, uint64_t now_s, bool all);

const struct name_table *names_table(const struct names *names);
/* As they stand; BATCH_NAMES_ARP is the caller's. */
void names_counts(const struct names *names, uint64_t ret[static BATCH_NAMES_COUNTS]);

enum { PORT_DNS = 53, PORT_MDNS = 5353, PORT_LLMNR = 5355 };

static inline bool names_is_dns_port(uint16_t port)
{
	return port == PORT_DNS || port == PORT_MDNS || port == PORT_LLMNR;
}

/* A packet to or from a port of DNS, `left` bytes of its payload being there: does its head count a question or an answer? `length`:
 * bytes before a message. */
static inline bool names_may_be_dns(struct names_gate *gate, const uint8_t *payload, size_t left,
				    size_t length)
{
	if (left < length + 12 || gate->streams || be32(payload + length + 4) != 0)
		return true;
	gate->no_dns++;
	return false;
}

/* False for nearly all packets: nothing in it is of interest. */
static inline bool names_may_speak(struct names_gate *gate, const struct packet *packet,
				   const struct decoded *d)
{
	size_t at = (size_t)d->ip_at + d->header, left; /* bytes of payload */
	const uint8_t *payload;
	bool dns;

	if (!d->has_payload || !d->header || at >= packet->captured)
		return false;
	payload = packet->data + at;
	left = packet->captured - at;
	dns = names_is_dns_port(d->srcport) || names_is_dns_port(d->dstport);
	switch (d->protocol) {
	case 6:
		if (dns)
			return names_may_be_dns(gate, payload, left, 2);
		/* Handshake; C D G H O P T, and neighbours that are sorted out later. */
		return gate->streams || *payload == 22 || (*payload >= 'C' && *payload <= 'T');
	case 17:
		if (dns)
			return names_may_be_dns(gate, payload, left, 0);
		return *payload >= 0xc0 && left >= 5 &&
		       (be32(payload + 1) == 1 || be32(payload + 1) == 0x6b3343cf);
	case 58: return true;
	default: return false;
	}
}
