// SPDX-License-Identifier: Apache-2.0
/*
 * names: who may teach a name, what is told, what is counted, and what a flood changes. Packets are made by hand and go in as
 * the pipeline hands them over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/bytes.h"
#include "platform/clock.h"
#include "sensor/names.h"
#include "sensor/names_asked.h"

enum { HEADER = 14 + 20, CLIENT = 5, RESOLVER = 2 };

/* What the sink was told. */
struct told {
	size_t dns, names, http, asked, flows;
	struct batch_dns last_dns, last_asked;
	struct batch_name last_name;
	struct batch_http last_http;
	char dns_name[BATCH_NAME_MAX + 1], asked_name[BATCH_NAME_MAX + 1], name[BATCH_NAME_MAX + 1],
		flow[BATCH_NAME_MAX + 1], path[BATCH_NAME_MAX + 1];
};

static struct told told;
static struct names *names;
static struct names_gate gate;
static struct identity identity;

/* 10.0.0.0/8 is this machine. */
bool identity_is_local(const struct identity *i, uint8_t family, const struct addr *addr)
{
	(void)i;
	return family == 4 && addr->b[0] == 10 && addr->b[3] == CLIENT;
}

static void on_dns(void *ctx, const struct batch_dns *dns)
{
	struct told *t = ctx;

	t->dns++;
	t->last_dns = *dns;
	(void)snprintf(t->dns_name, sizeof t->dns_name, "%s", dns->name);
}

static void on_asked(void *ctx, const struct batch_dns *dns)
{
	struct told *t = ctx;

	t->asked++;
	t->last_asked = *dns;
	(void)snprintf(t->asked_name, sizeof t->asked_name, "%s", dns->name);
}

static void on_name(void *ctx, const struct batch_name *name)
{
	struct told *t = ctx;

	t->names++;
	t->last_name = *name;
	(void)snprintf(t->name, sizeof t->name, "%s", name->name);
}

static void on_http(void *ctx, const struct batch_http *http)
{
	struct told *t = ctx;

	t->http++;
	t->last_http = *http;
	(void)snprintf(t->path, sizeof t->path, "%s", http->path);
}

static void on_flow(void *ctx, const struct decoded *d, uint16_t iface, const char *name,
		    uint64_t now_ns)
{
	struct told *t = ctx;

	(void)d;
	(void)iface;
	(void)now_ns;
	t->flows++;
	(void)snprintf(t->flow, sizeof t->flow, "%s", name);
}

static int setup(void **state)
{
	static const uint64_t key[2] = {1, 2};
	const struct names_config config = {
		.identity = &identity,
		.apart = 1,
		.key = key,
		.sink = {.dns = on_dns,
			 .name = on_name,
			 .http = on_http,
			 .asked = on_asked,
			 .flow = on_flow,
			 .ctx = &told},
	};

	(void)state;
	memset(&told, 0, sizeof told);
	memset(&gate, 0, sizeof gate);
	return names_new(&names, &gate, &config);
}

static int teardown(void **state)
{
	(void)state;
	names_free(names);
	return 0;
}

static uint64_t count(unsigned which)
{
	uint64_t counts[BATCH_NAMES_COUNTS];

	names_counts(names, counts);
	return counts[which];
}

struct packet_of {
	uint64_t sec;
	uint8_t protocol;
	uint8_t from, to; /* 10.0.0.x, or 192.0.2.x from 100 on */
	uint16_t srcport, dstport;
	uint32_t sequence;
	const void *payload;
	size_t len;
	size_t cut; /* bytes that the capture left out at its end */
};

static struct addr address(uint8_t x)
{
	return x >= 100 ? (struct addr){{192, 0, 2, x}} : (struct addr){{10, 0, 0, x}};
}

/* True when the packet was of interest. */
static bool send(const struct packet_of *p)
{
	static uint8_t frame[20000];
	unsigned transport = p->protocol == 6 ? 20 : 8;
	size_t len = HEADER + transport + p->len;
	struct decoded d = {
		.src = address(p->from),
		.dst = address(p->to),
		.bytes = 20 + transport + p->len,
		.packets = 1,
		.srcport = p->srcport,
		.dstport = p->dstport,
		.transport = 20,
		.header = (uint16_t)(20 + transport),
		.family = 4,
		.protocol = p->protocol,
		.has_ports = true,
		.has_payload = p->len > 0,
		.ip_at = 14,
	};
	struct packet packet = {.data = frame,
				.captured = (uint32_t)(len - p->cut),
				.wire = (uint32_t)len,
				.sec = p->sec,
				.nsec = 7};

	memset(frame, 0, HEADER + 20);
	if (p->protocol == 6)
		put_be32(frame + HEADER + 4, p->sequence);
	else
		put_be32(frame + HEADER + 4, (uint32_t)(8 + p->len) << 16);
	memcpy(frame + HEADER + transport, p->payload, p->len);
	if (!names_may_speak(&gate, &packet, &d))
		return false;
	names_take(names, &packet, &d);
	return true;
}

/* A message with one question, and an A record if it is a response. The name is one label. */
static size_t message(uint8_t out[static 512], uint16_t id, const char *label, bool is_response,
		      uint8_t address_end)
{
	struct wr w = wr_init(out, 512);

	wr_u8(&w, (uint8_t)(id >> 8));
	wr_u8(&w, (uint8_t)id);
	wr_copy(&w, is_response ? "\x81\x80\0\1\0\1\0\0\0\0" : "\x01\0\0\1\0\0\0\0\0\0", 10);
	wr_u8(&w, (uint8_t)strlen(label));
	wr_copy(&w, label, strlen(label));
	wr_copy(&w, "\0\0\1\0\1", 5);
	if (is_response) {
		wr_copy(&w, "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2", 15);
		wr_u8(&w, address_end);
	}
	return wr_len(&w);
}

static void ask(uint64_t sec, uint16_t id, const char *label)
{
	uint8_t bytes[512];
	size_t len = message(bytes, id, label, false, 0);

	assert_true(send(&(struct packet_of){.sec = sec,
					     .protocol = 17,
					     .from = CLIENT,
					     .to = RESOLVER,
					     .srcport = 40000,
					     .dstport = 53,
					     .payload = bytes,
					     .len = len}));
}

static void answer_from(uint64_t sec, uint8_t from, uint16_t fromport, uint16_t toport, uint16_t id,
			const char *label, uint8_t end)
{
	uint8_t bytes[512];
	size_t len = message(bytes, id, label, true, end);

	assert_true(send(&(struct packet_of){.sec = sec,
					     .protocol = 17,
					     .from = from,
					     .to = CLIENT,
					     .srcport = fromport,
					     .dstport = toport,
					     .payload = bytes,
					     .len = len}));
}

static size_t names_of(uint8_t end, const char **ret)
{
	const struct addr addr = {{192, 0, 2, end}};
	const char *list[NAMES_OF_MAX];
	size_t n = name_table_of(names_table(names), 0, 4, &addr, list);

	*ret = n ? list[0] : NULL;
	return n;
}

static void an_answer_teaches(void **state)
{
	const char *name;

	(void)state;
	ask(1000, 7, "Good");
	assert_int_equal(told.dns, 1);
	assert_false(told.last_dns.is_response);
	assert_string_equal(told.dns_name, "good");
	assert_int_equal(told.last_dns.size, 12 + 5 + 1 + 4);
	assert_int_equal(told.asked, 0);
	answer_from(1002, RESOLVER, 53, 40000, 7, "GOOD", 7);
	assert_int_equal(told.dns, 2);
	assert_true(told.last_dns.is_response && told.last_dns.is_matched);
	assert_true(told.last_dns.waited_ns == 2 * (uint64_t)NS_PER_S);
	assert_int_equal(told.last_dns.client.b[3], CLIENT);
	assert_int_equal(told.last_dns.server.b[3], RESOLVER);
	assert_int_equal(told.last_dns.client_port, 40000);
	assert_int_equal(told.asked, 1);
	assert_int_equal(told.names, 1);
	assert_string_equal(told.name, "good");
	assert_int_equal(told.last_name.source, BATCH_NAME_DNS);
	assert_int_equal(told.last_name.port, 0);
	assert_int_equal(names_of(7, &name), 1);
	assert_string_equal(name, "good");
	/* The same once more: the transaction is told, the name is known. */
	ask(1003, 8, "good");
	answer_from(1003, RESOLVER, 53, 40000, 8, "good", 7);
	assert_int_equal(told.names, 1);
	assert_int_equal(told.asked, 2);
	assert_int_equal(count(BATCH_NAMES_DNS_QUERIES), 2);
	assert_int_equal(count(BATCH_NAMES_DNS_RESPONSES), 2);
	assert_int_equal(count(BATCH_NAMES_DNS_UNASKED), 0);
	assert_int_equal(count(BATCH_NAMES_KNOWN), 1);
}

/* Whatever differs from the query: nobody asked for it, and it teaches nothing. */
static void forged_answers(void **state)
{
	const char *name;

	(void)state;
	answer_from(999, RESOLVER, 53, 40000, 7, "good", 9);
	ask(1000, 7, "good");
	answer_from(1000, 3, 53, 40000, 7, "good", 9);
	answer_from(1000, RESOLVER, 5353, 53, 7, "good", 9);
	answer_from(1000, RESOLVER, 53, 40001, 7, "good", 9);
	answer_from(1000, RESOLVER, 53, 40000, 8, "good", 9);
	answer_from(1000, RESOLVER, 53, 40000, 7, "evil", 9);
	assert_int_equal(count(BATCH_NAMES_DNS_UNASKED), 6);
	assert_int_equal(told.names, 0);
	assert_int_equal(told.asked, 0);
	assert_int_equal(names_of(9, &name), 0);
	/* Nor does one that guesses, wherever its id leads to in the table. */
	for (unsigned id = 8; id < 3000; id++)
		answer_from(1000, RESOLVER, 53, 40000, (uint16_t)id, "good", 9);
	assert_int_equal(count(BATCH_NAMES_DNS_UNASKED), 6 + 2992);
	assert_int_equal(names_of(9, &name), 0);
	/* The true one still counts; a second one does not. */
	answer_from(1001, RESOLVER, 53, 40000, 7, "good", 7);
	answer_from(1001, RESOLVER, 53, 40000, 7, "good", 9);
	assert_int_equal(names_of(7, &name), 1);
	assert_int_equal(names_of(9, &name), 0);
	assert_int_equal(count(BATCH_NAMES_DNS_UNASKED), 7 + 2992);
}

/* A response of which the capture has a part may hide another address. */
static void a_part_teaches_nothing(void **state)
{
	uint8_t bytes[512];
	size_t len = message(bytes, 7, "good", true, 7);
	const char *name;

	(void)state;
	ask(1000, 7, "good");
	send(&(struct packet_of){.sec = 1000,
				 .protocol = 17,
				 .from = RESOLVER,
				 .to = CLIENT,
				 .srcport = 53,
				 .dstport = 40000,
				 .payload = bytes,
				 .len = len,
				 .cut = 1});
	assert_true(told.last_dns.is_cut);
	assert_int_equal(names_of(7, &name), 0);
	assert_int_equal(count(BATCH_NAMES_DNS_CUT), 1);
}

static void unanswered(void **state)
{
	(void)state;
	ask(1000, 1, "one");
	ask(1010, 2, "two");
	ask(1020, 1, "one"); /* again, from the same port: one transaction */
	names_tick(names, 1000 + ASKED_WAIT_S, false);
	assert_int_equal(told.asked, 0);
	names_tick(names, 1000 + ASKED_WAIT_S + 1, false);
	assert_int_equal(told.asked, 1);
	assert_string_equal(told.asked_name, "one");
	assert_false(told.last_asked.is_response);
	assert_true(told.last_asked.time_ns / NS_PER_S == 1000);
	names_tick(names, 1041, true);
	assert_int_equal(told.asked, 2);
	assert_string_equal(told.asked_name, "two");
	assert_int_equal(count(BATCH_NAMES_DNS_FORGOTTEN), 0);
}

/* mDNS and LLMNR are told apart; anybody on the link may answer there, so nothing is learned. */
static void multicast(void **state)
{
	uint8_t bytes[512];
	size_t len = message(bytes, 0, "printer", true, 7);

	(void)state;
	send(&(struct packet_of){.sec = 1,
				 .protocol = 17,
				 .from = 9,
				 .to = 200,
				 .srcport = 5353,
				 .dstport = 5353,
				 .payload = bytes,
				 .len = len});
	assert_int_equal(told.last_dns.kind, BATCH_DNS_MDNS);
	send(&(struct packet_of){.sec = 1,
				 .protocol = 17,
				 .from = 9,
				 .to = CLIENT,
				 .srcport = 5355,
				 .dstport = 40000,
				 .payload = bytes,
				 .len = len});
	assert_int_equal(told.last_dns.kind, BATCH_DNS_LLMNR);
	assert_int_equal(told.names, 0);
	assert_int_equal(told.asked, 0);
	assert_int_equal(count(BATCH_NAMES_MDNS), 1);
	assert_int_equal(count(BATCH_NAMES_LLMNR), 1);
	assert_int_equal(count(BATCH_NAMES_DNS_RESPONSES), 0);
	assert_int_equal(count(BATCH_NAMES_DNS_UNASKED), 0);
}

/* Two messages, their bytes in segments of every size; the length of the first comes alone. */
static void dns_over_tcp(void **state)
{
	uint8_t stream[1024], query[512], reply[512];
	size_t nq = message(query, 7, "good", false, 0), nr = message(reply, 7, "good", true, 7), n;
	struct wr w = wr_init(stream, sizeof stream);
	const char *name;

	(void)state;
	wr_u8(&w, 0);
	wr_u8(&w, (uint8_t)nq);
	wr_copy(&w, query, nq);
	query[1] = 8;
	wr_u8(&w, 0);
	wr_u8(&w, (uint8_t)nq);
	wr_copy(&w, query, nq);
	n = wr_len(&w);
	for (size_t piece = 1; piece <= n; piece++) {
		size_t before = told.dns;

		for (size_t at = 0; at < n; at += piece) {
			size_t len = n - at < piece ? n - at : piece;

			send(&(struct packet_of){.sec = 1,
						 .protocol = 6,
						 .from = CLIENT,
						 .to = RESOLVER,
						 .srcport = (uint16_t)(40000 + piece),
						 .dstport = 53,
						 .sequence = (uint32_t)(500 + at),
						 .payload = stream + at,
						 .len = len});
		}
		assert_int_equal(told.dns, before + 2);
		assert_true(told.last_dns.over_tcp);
		assert_int_equal(told.last_dns.id, 8);
		assert_int_equal(gate.streams, 0);
	}
	/* Asked over TCP, answered over UDP: not the same. */
	answer_from(1, RESOLVER, 53, (uint16_t)(40000 + n), 8, "good", 9);
	assert_int_equal(count(BATCH_NAMES_DNS_UNASKED), 1);
	w = wr_init(stream, sizeof stream);
	wr_u8(&w, 0);
	wr_u8(&w, (uint8_t)nr);
	wr_copy(&w, reply, nr);
	send(&(struct packet_of){.sec = 1,
				 .protocol = 6,
				 .from = RESOLVER,
				 .to = CLIENT,
				 .srcport = 53,
				 .dstport = (uint16_t)(40000 + n),
				 .sequence = 1,
				 .payload = stream,
				 .len = wr_len(&w)});
	assert_int_equal(names_of(7, &name), 1);
}

static const uint8_t client_hello[] = {
	0x16, 3,   1, 0,   0x41, 1, 0, 0,   0x3d, 3,   3,    0,   0,   0,   0,   0,    0, 0,
	0,    0,   0, 0,   0,    0, 0, 0,   0,    0,   0,    0,   0,   0,   0,   0,    0, 0,
	0,    0,   0, 0,   0,    0, 0, 0,   0,    2,   0x13, 1,   1,   0,   0,   0x12, 0, 0,
	0,    0xe, 0, 0xc, 0,    0, 9, 'w', 'w',  'w', '.',  'a', '.', 'b', '.', 'c',
};

static void server_names(void **state)
{
	struct packet_of p = {.sec = 5,
			      .protocol = 6,
			      .from = CLIENT,
			      .to = 107,
			      .srcport = 40000,
			      .dstport = 8443,
			      .sequence = 77,
			      .payload = client_hello,
			      .len = sizeof client_hello};

	(void)state;
	assert_int_equal(sizeof client_hello, 5 + 0x41);
	assert_true(send(&p));
	assert_int_equal(told.names, 1);
	assert_string_equal(told.name, "www.a.b.c");
	assert_int_equal(told.last_name.source, BATCH_NAME_SNI);
	assert_int_equal(told.last_name.port, 8443);
	assert_int_equal(told.last_name.remote.b[3], 107);
	assert_int_equal(told.flows, 1);
	assert_string_equal(told.flow, "www.a.b.c");
	/* In two segments, and byte by byte, of other flows: the name is known, the flow has it. */
	for (size_t piece = 1; piece < sizeof client_hello; piece += 32) {
		p.srcport++;
		for (size_t at = 0; at < sizeof client_hello; at += piece) {
			p.sequence = (uint32_t)(900 + at);
			p.payload = client_hello + at;
			p.len = sizeof client_hello - at < piece ? sizeof client_hello - at : piece;
			send(&p);
		}
	}
	assert_int_equal(told.flows, 4);
	assert_int_equal(told.names, 1);
	assert_int_equal(count(BATCH_NAMES_TLS), 4);
	assert_int_equal(gate.streams, 0);
	/* A service of this machine's own: what a peer calls it is no name of the peer. */
	p.from = 107;
	p.to = CLIENT;
	p.payload = client_hello;
	p.len = sizeof client_hello;
	assert_true(send(&p));
	assert_int_equal(told.flows, 4);
	/* Cut by the capture: counted. */
	p.from = CLIENT;
	p.to = 108;
	p.cut = 1;
	assert_true(send(&p));
	assert_int_equal(count(BATCH_NAMES_TLS_UNREAD), 1);
	assert_int_equal(gate.streams, 0);
}

/* A segment is missing: given up, counted, and the gate closes. */
static void a_hole(void **state)
{
	struct packet_of p = {.sec = 5,
			      .protocol = 6,
			      .from = CLIENT,
			      .to = 107,
			      .srcport = 40000,
			      .dstport = 443,
			      .sequence = 0,
			      .payload = client_hello,
			      .len = 20};
	static const char bulk[] = "\x17\x03\x03 and so on";

	(void)state;
	assert_true(send(&p));
	assert_int_equal(gate.streams, 1);
	p.payload = bulk;
	p.len = sizeof bulk - 1;
	p.sequence = 21;
	assert_true(send(&p));
	assert_int_equal(gate.streams, 0);
	assert_int_equal(count(BATCH_NAMES_TLS_UNREAD), 1);
	assert_false(send(&p)); /* nobody looks at such a packet */
}

static const char credentials[] = "GET /latest/meta-data/iam/security-credentials/role "
				  "HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n";

static void read_credentials(void)
{
	const size_t len = sizeof credentials - 1;
	struct decoded d = {.src = address(CLIENT),
			    .dst.b = {169, 254, 169, 254},
			    .bytes = 40 + len,
			    .srcport = 40000,
			    .dstport = 80,
			    .transport = 20,
			    .header = 40,
			    .family = 4,
			    .protocol = 6,
			    .has_payload = true};
	uint8_t frame[512] = {0};
	struct packet packet = {.data = frame, .captured = (uint32_t)(40 + len), .sec = 1005};

	memcpy(frame + 40, credentials, len);
	assert_true(names_may_speak(&gate, &packet, &d));
	names_take(names, &packet, &d);
}

static void http_and_metadata(void **state)
{
	struct packet_of p = {.sec = 5,
			      .protocol = 6,
			      .from = CLIENT,
			      .to = 107,
			      .srcport = 40000,
			      .dstport = 80,
			      .payload = credentials,
			      .len = sizeof credentials - 1};

	(void)state;
	assert_true(send(&p)); /* to another server: its Host is its name, however odd */
	assert_string_equal(told.name, "169.254.169.254");
	assert_int_equal(told.last_name.source, BATCH_NAME_HTTP);
	assert_int_equal(told.http, 0);
	read_credentials();
	assert_int_equal(told.http, 1);
	assert_string_equal(told.path, "/latest/meta-data/iam/security-credentials/role");
	assert_false(told.last_http.has_token || told.last_http.asks_token ||
		     told.last_http.is_cut);
	read_credentials(); /* each request counts */
	assert_int_equal(told.http, 2);
	assert_int_equal(count(BATCH_NAMES_METADATA), 2);
}

static void quic(void **state)
{
	uint8_t initial[1200] = {0xc3, 0, 0, 0, 1, 8};
	struct packet_of p = {.sec = 5,
			      .protocol = 17,
			      .from = CLIENT,
			      .to = 107,
			      .srcport = 40000,
			      .dstport = 443,
			      .payload = initial,
			      .len = sizeof initial};

	(void)state;
	assert_true(send(&p));
	assert_true(send(&p));
	assert_int_equal(told.names, 1);
	assert_int_equal(told.last_name.source, BATCH_NAME_QUIC);
	assert_string_equal(told.name, "");
	assert_int_equal(count(BATCH_NAMES_QUIC), 2);
	p.len = 1199; /* RFC 9000, 14.1 */
	assert_true(send(&p));
	p.len = 1200;
	initial[0] = 0xd3; /* 0-RTT */
	assert_true(send(&p));
	assert_int_equal(count(BATCH_NAMES_QUIC), 2);
	put_be32(initial + 1, 0x6b3343cf); /* RFC 9369: Initial is 1 */
	assert_true(send(&p));
	assert_int_equal(count(BATCH_NAMES_QUIC), 3);
	put_be32(initial + 1, 2);
	assert_false(send(&p));
	initial[0] = 0x43; /* a short header */
	put_be32(initial + 1, 1);
	assert_false(send(&p));
}

/* A million names in ten seconds, asked and answered: nothing grows, only so many are told, and the rest is counted. */
static void a_flood(void **state)
{
	const size_t n = getenv("FLOWPROOF_DEEP") ? 1000000 : 100000;
	const size_t memory = names_memory();
	uint64_t known;
	const char *name;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		char label[32];
		uint64_t sec = 1000 + i * 10 / n;

		(void)snprintf(label, sizeof label, "flood-%zu", i);
		ask(sec, (uint16_t)i, label);
		answer_from(sec, RESOLVER, 53, 40000, (uint16_t)i, label, (uint8_t)(i % 250));
	}
	assert_int_equal(names_memory(), memory);
	/* The burst, and so many each second after the first. */
	assert_int_equal(told.dns + told.names, NAMES_BURST + 9 * NAMES_PER_SECOND);
	assert_int_equal(count(BATCH_NAMES_LEFT_OUT), 3 * n - told.dns - told.names);
	assert_int_equal(count(BATCH_NAMES_DNS_QUERIES), n);
	assert_int_equal(told.asked, n);
	known = count(BATCH_NAMES_KNOWN);
	/* An entry has 32 bytes and its name: 48 all told. */
	assert_in_range(known, NAMES_TABLE_BYTES / 48 - 2, NAMES_TABLE_BYTES / 48);
	assert_int_equal(count(BATCH_NAMES_GAVE_WAY), n - known);
	assert_true(names_of((uint8_t)((n - 1) % 250), &name) > 0);
	/* A read of credentials is told all the same. */
	read_credentials();
	assert_int_equal(told.http, 1);
}

/* Queries without answers: the table of waiting ones is full, and each is told of. */
static void a_flood_of_queries(void **state)
{
	const size_t n = 10000;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		char label[32];

		(void)snprintf(label, sizeof label, "flood-%zu", i);
		ask(1000, (uint16_t)i, label);
	}
	assert_int_equal(told.asked, count(BATCH_NAMES_DNS_FORGOTTEN));
	assert_in_range(told.asked, n - NAMES_ASKED, n - NAMES_ASKED / 2);
	names_tick(names, 1000, true);
	assert_int_equal(told.asked, n);
}

#define WITH_NAMES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_NAMES(an_answer_teaches),
		WITH_NAMES(forged_answers),
		WITH_NAMES(a_part_teaches_nothing),
		WITH_NAMES(unanswered),
		WITH_NAMES(multicast),
		WITH_NAMES(dns_over_tcp),
		WITH_NAMES(server_names),
		WITH_NAMES(a_hole),
		WITH_NAMES(http_and_metadata),
		WITH_NAMES(quic),
		WITH_NAMES(a_flood),
		WITH_NAMES(a_flood_of_queries),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
