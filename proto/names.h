// SPDX-License-Identifier: Apache-2.0
/*
 * Names as a batch holds them: DNS messages, what an endpoint was called, requests to instance metadata.
 *
 * A name is text of at most BATCH_NAME_MAX bytes: lower case, without the dot at its end ("." is the root), every
 * byte that is not printable ASCII as \DDD, a dot or backslash within a label with a backslash before it (RFC 1035,
 * section 5.1). All texts are printable ASCII without blanks: what broke that was escaped when it was read off the wire.
 *
 * In a batch they are one field, the message Names of flowproof.proto: packed as they come, so that the writer's
 * room is bytes and not a number of entries of the longest kind.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/addr.h"

enum {
	BATCH_NAME_MAX = 255, /* bytes of a text without its NUL */
	BATCH_ALPN_MAX = 63,
	BATCH_METHOD_MAX = 15,
	BATCH_DNS_ANSWERS_MAX = 12,
	BATCH_NAMES_COUNTS_MAX = 32,
	BATCH_NAMES_BYTES_MAX = 16 * 1024, /* of the names of a batch, encoded */
};

enum batch_dns_kind { BATCH_DNS, BATCH_DNS_MDNS, BATCH_DNS_LLMNR, BATCH_DNS_KINDS };

struct batch_dns_answer {
	struct addr addr;     /* of A and AAAA */
	const char *text;     /* the name of CNAME, NS, PTR; "10 mail.example" of MX; TXT's
				 strings escaped; "" of all others. Borrowed */
	uint32_t ttl;         /* seconds */
	uint16_t type, class; /* of the record */
	uint16_t size;        /* bytes of its data */
	uint8_t family;       /* of addr; 0: none */
	bool is_cut;          /* text was longer */
};

/* One message, as it was seen. */
struct batch_dns {
	uint64_t time_ns;                       /* Unix nanoseconds of its packet */
	uint64_t waited_ns;                     /* a matched response: since its query */
	struct addr client, server;             /* client: who asks, also in a response */
	const char *name;                       /* of the first question; borrowed */
	const struct batch_dns_answer *answers; /* the first of them; borrowed */
	size_t n_answers;
	uint16_t answers_said; /* as its head counts them */
	uint16_t client_port, server_port;
	uint16_t id;
	uint16_t qtype, qclass;
	uint16_t rcode; /* with the bits that EDNS adds (RFC 6891); of a query 0 */
	uint16_t size;  /* bytes of the message */
	uint16_t iface;
	uint8_t family;
	uint8_t kind; /* enum batch_dns_kind */
	bool over_tcp, is_response;
	bool is_matched;  /* a response to a query that was seen: same ends, id and question */
	bool is_cut;      /* the capture has less than the whole message */
	bool is_short;    /* the TC bit: the server cut it (RFC 1035, 4.1.1) */
	bool name_is_cut; /* it was longer than BATCH_NAME_MAX */
};

/* Where a name was seen. */
enum batch_name_source {
	BATCH_NAME_DNS = 1, /* a matched answer says that it has this address */
	BATCH_NAME_SNI,     /* the server name that a TLS ClientHello asks for (RFC 6066) */
	BATCH_NAME_TLS,     /* a ClientHello without one: name is "" */
	BATCH_NAME_HTTP,    /* the Host of an HTTP request */
	BATCH_NAME_QUIC,    /* a QUIC Initial: what it names is encrypted, name is "" */
	BATCH_NAME_SOURCES
};

/* A remote endpoint has a name. */
struct batch_name {
	uint64_t first_ns; /* Unix nanoseconds of the packet that said so */
	struct addr remote;
	const char *name; /* borrowed, as is alpn */
	const char *alpn; /* what a ClientHello offers, in its order, with commas between */
	uint16_t port;    /* the remote one; 0 with protocol 0: any (DNS) */
	uint16_t iface;
	uint8_t family, protocol;
	uint8_t source; /* enum batch_name_source */
	bool is_cut;    /* name was longer */
};

/* The head of an HTTP request to an address of the instance metadata service. */
struct batch_http {
	uint64_t time_ns;
	struct addr client, server;
	const char *method,
		*path; /* borrowed; path as it was sent, with its query, escaped as a name */
	uint16_t client_port, server_port;
	uint16_t iface;
	uint8_t family;
	bool has_token;  /* a header X-aws-ec2-metadata-token: IMDSv2 */
	bool asks_token; /* a header X-aws-ec2-metadata-token-ttl-seconds: it wants one */
	bool is_own;     /* the sensor's own request */
	bool is_cut;     /* path was longer, or the head did not end in what was looked at */
};

/* "dns", "sni", ... */
const char *batch_name_source_text(uint8_t source);

/* What the sensor counted since its begin. The numbers travel; a reader passes over those that it does not know. */
enum batch_names_count {
	BATCH_NAMES_DNS_QUERIES,
	BATCH_NAMES_DNS_RESPONSES,
	BATCH_NAMES_DNS_UNASKED,   /* responses to no query that was seen: they teach nothing */
	BATCH_NAMES_DNS_MALFORMED, /* on a DNS port, but no DNS message */
	BATCH_NAMES_DNS_CUT,       /* messages of which the capture kept a part */
	BATCH_NAMES_LEFT_OUT,      /* entries not told, because too many came in a second */
	BATCH_NAMES_DNS_FORGOTTEN, /* queries that waited for their response when room was needed */
	BATCH_NAMES_MDNS,
	BATCH_NAMES_LLMNR,
	BATCH_NAMES_TLS,          /* ClientHellos read */
	BATCH_NAMES_TLS_NAMELESS, /* of them without a name */
	BATCH_NAMES_TLS_UNREAD,   /* begun, but not read: cut, out of order, too long, malformed */
	BATCH_NAMES_HTTP,         /* requests whose head was read */
	BATCH_NAMES_HTTP_UNREAD,
	BATCH_NAMES_METADATA,     /* of them to instance metadata */
	BATCH_NAMES_STREAMS_LOST, /* begun, and given up for want of room or after silence */
	BATCH_NAMES_QUIC,         /* flows that began with a QUIC Initial */
	BATCH_NAMES_KNOWN,        /* pairs of address and name in the table */
	BATCH_NAMES_GAVE_WAY,     /* pairs that gave way to newer ones */
	BATCH_NAMES_ARP,          /* frames: Flow Logs never records them */
	BATCH_NAMES_ND, /* IPv6 neighbour discovery, router advertisements, MLD: packets */
	BATCH_NAMES_COUNTS
};

/* "dns-queries", ...; NULL for one that is not known. */
const char *batch_names_count_text(unsigned count);
