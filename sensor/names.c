// SPDX-License-Identifier: Apache-2.0
/*
 * names: see names.h. From the payload to its reader, from what was read to the sink.
 */
#include "sensor/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/ec2/imds.h"
#include "sensor/names_asked.h"
#include "sensor/names_dns.h"
#include "sensor/names_http.h"
#include "sensor/names_stream.h"
#include "sensor/names_tls.h"

enum {
	TCP = 6,
	UDP = 17,
	ICMPV6 = 58,
	PORT_HTTPS = 443,
	HANDSHAKE = 22,
	QUIC_INITIAL_MIN = 1200, /* bytes of a client's first datagram, RFC 9000, 14.1 */
	UDP_HEADER = 8,
	DNS_BEGIN = 2 + 12, /* length and head of a message over TCP */
};

/* So many at once, and so many a second. */
struct bucket {
	uint64_t sec;
	unsigned left, most, per_second;
};

struct names {
	struct names_gate *gate;
	const struct identity *identity;
	struct names_sink sink;
	struct name_table *table;
	struct asked_table *asked;
	struct bucket dns_told, names_told, http_told; /* names: but those that DNS teaches */
	uint64_t counts[BATCH_NAMES_COUNTS];
	struct dns_message message; /* what is read now */
	struct tls_hello hello;
	struct http_head head;
	struct stream_table streams;
};

static bool due(struct bucket *b, uint64_t sec)
{
	if (sec > b->sec) {
		uint64_t more = (sec - b->sec) * b->per_second;

		b->left = more > b->most - b->left ? b->most : b->left + (unsigned)more;
		b->sec = sec;
	}
	if (!b->left)
		return false;
	b->left--;
	return true;
}

/* ---- what an endpoint is called ---- */

static void learn(struct names *n, const struct batch_name *name)
{
	if (!name_table_learn(n->table, name))
		return;
	if (due(name->source == BATCH_NAME_DNS ? &n->dns_told : &n->names_told,
		name->first_ns / NS_PER_S))
		n->sink.name(n->sink.ctx, name);
	else
		n->counts[BATCH_NAMES_LEFT_OUT]++;
}

/* The packet goes to a server of this name; "": it does not say of which. */
static void called(struct names *n, const struct segment *s, uint64_t now_ns,
		   enum batch_name_source source, const struct names_text *text, const char *alpn)
{
	const struct decoded *d = s->decoded;
	const struct batch_name name = {
		.first_ns = now_ns,
		.remote = d->dst,
		.name = text->text,
		.alpn = alpn,
		.port = d->dstport,
		.iface = s->iface,
		.family = d->family,
		.protocol = d->protocol,
		.source = (uint8_t)source,
		.is_cut = text->is_cut,
	};

	/* Of a service of this machine's own the name tells nothing about the peer. */
	if (identity_is_local(n->identity, d->family, &d->dst) &&
	    !identity_is_local(n->identity, d->family, &d->src))
		return;
	learn(n, &name);
	if (text->len && n->sink.flow)
		n->sink.flow(n->sink.ctx, d, s->iface, text->text, now_ns);
}

/* ---- DNS ---- */

static enum batch_dns_kind kind_of(const struct decoded *d)
{
	if (d->srcport == PORT_DNS || d->dstport == PORT_DNS)
		return BATCH_DNS;
	return d->srcport == PORT_MDNS || d->dstport == PORT_MDNS ? BATCH_DNS_MDNS
								  : BATCH_DNS_LLMNR;
}

/* Only what was asked for teaches. */
static void take_response(struct names *n, struct batch_dns *dns, const uint8_t *bytes, size_t len)
{
	struct dns_message *m = &n->message;
	uint64_t asked_ns = asked_take(n->asked, dns, &m->question);

	dns->is_matched = asked_ns != 0;
	if (!asked_ns) {
		n->counts[BATCH_NAMES_DNS_UNASKED]++;
		return;
	}
	dns->waited_ns = dns->time_ns > asked_ns ? dns->time_ns - asked_ns : 0;
	n->sink.asked(n->sink.ctx, dns);
	dns_find_addresses(m, bytes, len);
	for (size_t i = 0; i < m->n_addresses && !m->name.is_cut; i++) {
		const struct batch_name name = {
			.first_ns = dns->time_ns,
			.remote = m->addresses[i].addr,
			.name = m->name.text,
			.alpn = "",
			.iface = dns->iface,
			.family = m->addresses[i].family,
			.source = BATCH_NAME_DNS,
		};

		learn(n, &name);
	}
}

static void count_dns(struct names *n, const struct batch_dns *dns)
{
	static const uint8_t by_kind[] = {
		[BATCH_DNS_MDNS] = BATCH_NAMES_MDNS, [BATCH_DNS_LLMNR] = BATCH_NAMES_LLMNR};

	if (dns->kind != BATCH_DNS)
		n->counts[by_kind[dns->kind]]++;
	else
		n->counts[dns->is_response ? BATCH_NAMES_DNS_RESPONSES : BATCH_NAMES_DNS_QUERIES]++;
	n->counts[BATCH_NAMES_DNS_CUT] += dns->is_cut;
}

static void take_dns(struct names *n, const struct segment *s, uint64_t now_ns,
		     const uint8_t *bytes, size_t captured, size_t len)
{
	const struct decoded *d = s->decoded;
	struct dns_message *m = &n->message;
	struct batch_dns dns;

	if (!dns_may_begin(bytes, captured) || !dns_read(m, bytes, captured, len)) {
		n->counts[captured < len ? BATCH_NAMES_DNS_CUT : BATCH_NAMES_DNS_MALFORMED]++;
		return;
	}
	dns = (struct batch_dns){
		.time_ns = now_ns,
		.client = m->is_response ? d->dst : d->src,
		.server = m->is_response ? d->src : d->dst,
		.name = m->name.text,
		.answers = m->answers,
		.n_answers = m->n_answers,
		.answers_said = m->answers_said,
		.client_port = m->is_response ? d->dstport : d->srcport,
		.server_port = m->is_response ? d->srcport : d->dstport,
		.id = m->id,
		.qtype = m->qtype,
		.qclass = m->qclass,
		.rcode = m->rcode,
		.size = (uint16_t)(len < UINT16_MAX ? len : UINT16_MAX),
		.iface = s->iface,
		.family = d->family,
		.kind = (uint8_t)kind_of(d),
		.over_tcp = d->protocol == TCP,
		.is_response = m->is_response,
		.is_cut = captured < len,
		.is_short = m->is_short,
		.name_is_cut = m->name.is_cut,
	};

	count_dns(n, &dns);
	if (captured == len && !m->is_whole)
		n->counts[BATCH_NAMES_DNS_MALFORMED]++;
	if (dns.kind == BATCH_DNS && dns.is_response)
		take_response(n, &dns, bytes, captured);
	else if (dns.kind == BATCH_DNS)
		asked_put(n->asked, &dns, &m->question);
	if (due(&n->dns_told, now_ns / NS_PER_S))
		n->sink.dns(n->sink.ctx, &dns);
	else
		n->counts[BATCH_NAMES_LEFT_OUT]++;
}

/* ---- TLS and HTTP: true when all is read, or nothing will be ---- */

static bool take_tls(struct names *n, const struct segment *s, uint64_t now_ns,
		     const struct stream *stream)
{
	const uint8_t *bytes = stream ? stream->bytes : s->bytes;
	size_t len = stream ? stream->len : s->captured;
	bool is_cut = stream ? stream->is_cut : s->captured < s->len;
	struct tls_hello *hello = &n->hello;

	switch (tls_read(hello, bytes, len)) {
	case NAMES_MORE: n->counts[BATCH_NAMES_TLS_UNREAD] += is_cut; return is_cut;
	case NAMES_BAD: n->counts[BATCH_NAMES_TLS_UNREAD]++; return true;
	case NAMES_DONE: break;
	}
	n->counts[BATCH_NAMES_TLS]++;
	n->counts[BATCH_NAMES_TLS_NAMELESS] += !hello->name.len;
	called(n, s, now_ns, hello->name.len ? BATCH_NAME_SNI : BATCH_NAME_TLS, &hello->name,
	       hello->alpn);
	return true;
}

static bool is_metadata(const struct decoded *d)
{
	static const struct addr v4 = IMDS_ADDR4, v6 = IMDS_ADDR6;

	return memcmp(&d->dst, d->family == 4 ? &v4 : &v6, sizeof v4) == 0;
}

static void take_metadata(struct names *n, const struct segment *s, uint64_t now_ns, bool is_cut)
{
	const struct decoded *d = s->decoded;
	const struct http_head *head = &n->head;
	const struct batch_http http = {
		.time_ns = now_ns,
		.client = d->src,
		.server = d->dst,
		.method = head->method,
		.path = head->path.text,
		.client_port = d->srcport,
		.server_port = d->dstport,
		.iface = s->iface,
		.family = d->family,
		.has_token = head->has_token,
		.asks_token = head->asks_token,
		.is_cut = is_cut || head->path.is_cut,
	};

	n->counts[BATCH_NAMES_METADATA]++;
	if (due(&n->http_told, now_ns / NS_PER_S))
		n->sink.http(n->sink.ctx, &http);
	else
		n->counts[BATCH_NAMES_LEFT_OUT]++;
}

static bool take_http(struct names *n, const struct segment *s, uint64_t now_ns,
		      const struct stream *stream)
{
	const uint8_t *bytes = stream ? stream->bytes : s->bytes;
	size_t len = stream ? stream->len : s->captured;
	bool is_cut = stream ? stream->is_cut : s->captured < s->len;
	struct http_head *head = &n->head;
	enum names_read result = http_read(head, bytes, len);

	/* Of others than metadata only the host is of interest. */
	if (result == NAMES_MORE && !is_cut && !(head->host.len && !is_metadata(s->decoded)))
		return false;
	if (result == NAMES_BAD || !head->method[0]) {
		n->counts[BATCH_NAMES_HTTP_UNREAD] += result != NAMES_BAD;
		return true;
	}
	n->counts[BATCH_NAMES_HTTP]++;
	if (is_metadata(s->decoded))
		take_metadata(n, s, now_ns, result == NAMES_MORE);
	if (head->host.len)
		called(n, s, now_ns, BATCH_NAME_HTTP, &head->host, "");
	return true;
}

/* ---- TCP ---- */

/* Messages behind a length of two bytes each (RFC 1035, 4.2.2; RFC 7766). */
static bool take_dns_stream(struct names *n, const struct segment *s, uint64_t now_ns,
			    struct stream *stream)
{
	while (stream->len >= 2) {
		size_t len = be16(stream->bytes), have = stream->len - 2;

		if (have < len && !stream->is_cut)
			return false;
		take_dns(n, s, now_ns, stream->bytes + 2, len < have ? len : have, len);
		if (have < len)
			return true;
		stream_consume(stream, 2 + len);
	}
	return stream->len == 0 || stream->is_cut;
}

static bool take_stream(struct names *n, const struct segment *s, uint64_t now_ns,
			struct stream *stream)
{
	switch ((enum stream_kind)stream->kind) {
	case STREAM_TLS: return take_tls(n, s, now_ns, stream);
	case STREAM_HTTP: return take_http(n, s, now_ns, stream);
	case STREAM_DNS: break;
	}
	return take_dns_stream(n, s, now_ns, stream);
}

static void give_up(struct names *n, const struct stream *stream)
{
	static const uint8_t unread[] = {[STREAM_TLS] = BATCH_NAMES_TLS_UNREAD,
					 [STREAM_HTTP] = BATCH_NAMES_HTTP_UNREAD,
					 [STREAM_DNS] = BATCH_NAMES_DNS_CUT};

	n->counts[unread[stream->kind]]++;
}

/* Does a stream begin with this segment? It is read at once if all is there. */
static bool begins(struct names *n, const struct segment *s, uint64_t now_ns, enum stream_kind *ret)
{
	const struct decoded *d = s->decoded;
	const uint8_t *p = s->bytes;

	if (!s->captured)
		return false;
	if (d->srcport == PORT_DNS || d->dstport == PORT_DNS) {
		*ret = STREAM_DNS;
		if (s->captured < DNS_BEGIN || dns_may_begin(p + 2, s->captured - 2))
			return true;
		n->counts[BATCH_NAMES_DNS_MALFORMED]++;
		return false;
	}
	if (p[0] == HANDSHAKE && (s->captured < 2 || p[1] == 3) && (s->captured < 6 || p[5] == 1)) {
		*ret = STREAM_TLS;
		return !take_tls(n, s, now_ns, NULL);
	}
	if (http_begins(p, s->captured)) {
		*ret = STREAM_HTTP;
		return !take_http(n, s, now_ns, NULL);
	}
	return false;
}

static void take_tcp(struct names *n, const struct segment *s, uint64_t now_ns)
{
	struct stream *stream = stream_find(&n->streams, s);
	enum stream_kind kind;

	if (!stream && begins(n, s, now_ns, &kind)) {
		if (n->streams.used == STREAM_SLOTS)
			stream_expire(&n->streams, s->sec);
		stream = stream_begin(&n->streams, s, kind);
	}
	if (!stream)
		return;
	if (!stream_add(stream, s)) {
		give_up(n, stream);
		stream_end(&n->streams, stream);
	} else if (take_stream(n, s, now_ns, stream)) {
		stream_end(&n->streams, stream);
	}
	n->gate->streams = n->streams.used;
}

/* ---- in ---- */

/* Who is called: the client's Initial fills a datagram, the server's comes from the well-known port. */
static void take_quic(struct names *n, const struct segment *s, uint64_t now_ns)
{
	static const struct names_text no_name;
	const uint8_t *p = s->bytes;
	unsigned type =
		p[0] >> 4 & 3; /* Initial is 0 in version 1 (RFC 9000, 17.2), 1 in version 2 */

	if (type != (be32(p + 1) != 1) || s->len < QUIC_INITIAL_MIN ||
	    s->decoded->srcport == PORT_HTTPS || s->decoded->srcport < s->decoded->dstport)
		return;
	n->counts[BATCH_NAMES_QUIC]++;
	called(n, s, now_ns, BATCH_NAME_QUIC, &no_name, "");
}

/* Neighbour discovery and multicast listeners (RFC 4861, RFC 2710, RFC 3810). */
static bool is_discovery(uint8_t type)
{
	return (type >= 130 && type <= 137) || type == 143;
}

void names_take(struct names *n, const struct packet *packet, const struct decoded *d)
{
	size_t at = (size_t)d->ip_at + d->header;
	size_t there = packet->captured > at ? packet->captured - at : 0; /* bytes of it */
	struct segment s = {
		.decoded = d,
		.sec = packet->sec,
		.iface = packet->iface,
		.bytes = packet->data + (there ? at : 0),
		.len = d->bytes > d->header ? (size_t)(d->bytes - d->header) : 0,
	};
	uint64_t now_ns = packet->sec * NS_PER_S + packet->nsec;
	struct rd rd = rd_init(packet->data, packet->captured);
	uint32_t
		word; /* the second of the transport header: TCP's sequence number, UDP's length and sum */

	there = there < s.len ? there : s.len;
	rd_take(&rd, (size_t)d->ip_at + d->transport + 4);
	word = rd_u32be(&rd);
	if (d->protocol == UDP && !rd.bad && word >> 16 > UDP_HEADER)
		s.len = (word >> 16) -
			UDP_HEADER; /* of the whole datagram; a fragment holds less */
	s.captured = there < s.len ? there : s.len;
	switch (d->protocol) {
	case TCP:
		s.sequence = word;
		if (!rd.bad)
			take_tcp(n, &s, now_ns);
		return;
	case UDP:
		if (names_is_dns_port(d->srcport) || names_is_dns_port(d->dstport))
			take_dns(n, &s, now_ns, s.bytes, s.captured, s.len);
		else
			take_quic(n, &s, now_ns);
		return;
	case ICMPV6:
		n->counts[BATCH_NAMES_ND] += d->has_icmp_type && is_discovery(d->icmp_type);
		return;
	default: return;
	}
}

static void on_unanswered(void *ctx, const struct batch_dns *query)
{
	struct names *n = ctx;

	n->sink.asked(n->sink.ctx, query);
}

void names_tick(struct names *n, uint64_t now_s, bool all)
{
	uint64_t before = now_s > ASKED_WAIT_S ? (now_s - ASKED_WAIT_S) * NS_PER_S : 0;

	asked_expire(n->asked, all ? UINT64_MAX : before);
	stream_expire(&n->streams, all ? UINT64_MAX : now_s);
	n->gate->streams = n->streams.used;
}

/* ---- life ---- */

size_t names_memory(void)
{
	return sizeof(struct names) + name_table_memory(NAMES_TABLE_BYTES) +
	       asked_memory(NAMES_ASKED);
}

int names_new(struct names **ret, struct names_gate *gate, const struct names_config *config)
{
	struct names *n = calloc(1, sizeof *n);
	const struct asked_sink sink = {.unanswered = on_unanswered, .ctx = n};

	if (!n)
		return -ENOMEM;
	n->gate = gate;
	n->identity = config->identity;
	n->sink = config->sink;
	n->dns_told = (struct bucket){
		.left = NAMES_BURST, .most = NAMES_BURST, .per_second = NAMES_PER_SECOND};
	n->names_told = n->dns_told;
	n->http_told = (struct bucket){.left = NAMES_HTTP_BURST,
				       .most = NAMES_HTTP_BURST,
				       .per_second = NAMES_HTTP_PER_SECOND};
	if (name_table_new(&n->table, NAMES_TABLE_BYTES, config->apart, config->key) != 0 ||
	    asked_new(&n->asked, NAMES_ASKED, config->key, &sink) != 0) {
		names_free(n);
		return -ENOMEM;
	}
	*ret = n;
	return 0;
}

void names_free(struct names *n)
{
	if (!n)
		return;
	name_table_free(n->table);
	asked_free(n->asked);
	free(n);
}

const struct name_table *names_table(const struct names *n)
{
	return n->table;
}

void names_counts(const struct names *n, uint64_t ret[static BATCH_NAMES_COUNTS])
{
	struct name_table_stats stats;

	name_table_stats(n->table, &stats);
	memcpy(ret, n->counts, sizeof n->counts);
	ret[BATCH_NAMES_DNS_MALFORMED] += n->gate->no_dns;
	ret[BATCH_NAMES_DNS_FORGOTTEN] = asked_forgotten(n->asked);
	ret[BATCH_NAMES_STREAMS_LOST] = n->streams.lost;
	ret[BATCH_NAMES_KNOWN] = stats.known;
	ret[BATCH_NAMES_GAVE_WAY] = stats.gave_way;
}
