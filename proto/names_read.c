// SPDX-License-Identifier: Apache-2.0
/*
 * Reads names.
 */
#include <string.h>

#include "proto/flowproof.pb-c.h"
#include "proto/names_parts.h"

/* Printable ASCII, from `first` on: what a writer escaped. */
static bool is_text(const char *text, char first, size_t max)
{
	size_t n = 0;

	for (; text[n]; n++)
		if (n == max || text[n] < first || text[n] > '~')
			return false;
	return true;
}

static bool take_addr(struct addr *ret, const ProtobufCBinaryData *from, size_t at, uint8_t family)
{
	size_t size = family == 4 ? 4 : 16;

	if (from->len < at + size)
		return false;
	memcpy(ret->b, from->data + at, size);
	return true;
}

static bool take_pair(const ProtobufCBinaryData *from, uint8_t family, struct addr *a,
		      struct addr *b)
{
	size_t size = family == 4 ? 4 : 16;

	return from->len == 2 * size && take_addr(a, from, 0, family) &&
	       take_addr(b, from, size, family);
}

static const char *read_answer(const Fp__DnsAnswer *m, struct batch_dns_answer *ret)
{
	if (m->base.n_unknown_fields)
		return "a DNS answer has a field that is unknown";
	if (m->type > UINT16_MAX || m->class_ > UINT16_MAX || m->size > UINT16_MAX)
		return "a DNS answer's type, class or size is above 65535";
	if (m->address.len != 0 && m->address.len != 4 && m->address.len != 16)
		return "a DNS answer's address has neither 4 nor 16 bytes";
	if (!is_text(m->text, ' ', BATCH_NAME_MAX))
		return "a DNS answer's text is too long or not printable";
	*ret = (struct batch_dns_answer){
		.text = m->text,
		.ttl = m->ttl,
		.type = (uint16_t)m->type,
		.class = (uint16_t)(m->class_ ^ DNS_CLASS_IN),
		.size = (uint16_t)m->size,
		.family = m->address.len == 0   ? 0
			  : m->address.len == 4 ? 4
						: 6,
		.is_cut = m->cut,
	};
	if (m->address.len)
		memcpy(ret->addr.b, m->address.data, m->address.len);
	return NULL;
}

static const char *read_dns(const Fp__Dns *m, uint64_t before, struct arena *arena,
			    struct batch_dns *ret)
{
	struct batch_dns_answer *answers;
	const char *broken = NULL;

	if (m->base.n_unknown_fields)
		return "a DNS message has a field that is unknown";
	if (m->marks >= DNS_END || m->interface >= WIRE_INTERFACES_MAX)
		return "a DNS message's mark or interface does not exist";
	if (m->client_port > UINT16_MAX || m->server_port > UINT16_MAX || m->id > UINT16_MAX ||
	    m->type > UINT16_MAX || m->class_ > UINT16_MAX || m->rcode > UINT16_MAX ||
	    m->size > UINT16_MAX || m->answers_said > UINT16_MAX)
		return "a number of a DNS message is above 65535";
	if (m->n_answers > BATCH_DNS_ANSWERS_MAX)
		return "a DNS message has too many answers";
	if (!is_text(m->name, '!', BATCH_NAME_MAX))
		return "a DNS message's name is too long or not printable";
	*ret = (struct batch_dns){
		.time_ns = before + (uint64_t)m->time,
		.waited_ns = m->waited,
		.name = m->name,
		.n_answers = m->n_answers,
		.answers_said = (uint16_t)m->answers_said,
		.client_port = (uint16_t)m->client_port,
		.server_port = (uint16_t)m->server_port,
		.id = (uint16_t)m->id,
		.qtype = (uint16_t)m->type,
		.qclass = (uint16_t)(m->class_ ^ DNS_CLASS_IN),
		.rcode = (uint16_t)m->rcode,
		.size = (uint16_t)m->size,
		.iface = (uint16_t)m->interface,
		.family = m->marks & NAMES_IPV6 ? 6 : 4,
		.kind = m->marks >> DNS_KIND & 3,
		.over_tcp = m->marks & DNS_TCP,
		.is_response = m->marks & DNS_RESPONSE,
		.is_matched = m->marks & DNS_MATCHED,
		.is_cut = m->marks & DNS_CUT,
		.is_short = m->marks & DNS_SHORT,
		.name_is_cut = m->marks & DNS_NAME_CUT,
	};
	if (ret->kind >= BATCH_DNS_KINDS)
		return "a DNS message's kind does not exist";
	if (!take_pair(&m->addresses, ret->family, &ret->client, &ret->server))
		return "a DNS message's addresses do not have their family's size";
	answers = arena_alloc(arena, m->n_answers * sizeof *answers);
	if (!answers)
		return "its names would unfold to more memory than a batch may take";
	for (size_t i = 0; i < m->n_answers && !broken; i++)
		broken = read_answer(m->answers[i], &answers[i]);
	ret->answers = answers;
	return broken;
}

static const char *read_name(const Fp__Name *m, uint64_t before, struct batch_name *ret)
{
	if (m->base.n_unknown_fields)
		return "a name has a field that is unknown";
	if (m->marks >= NAME_END || m->interface >= WIRE_INTERFACES_MAX || m->port > UINT16_MAX ||
	    m->protocol > UINT8_MAX)
		return "a name's mark, interface, port or protocol is out of range";
	if (!is_text(m->name, '!', BATCH_NAME_MAX) || !is_text(m->alpn, '!', BATCH_ALPN_MAX))
		return "a name is too long or not printable";
	*ret = (struct batch_name){
		.first_ns = before + (uint64_t)m->first,
		.name = m->name,
		.alpn = m->alpn,
		.port = (uint16_t)m->port,
		.iface = (uint16_t)m->interface,
		.family = m->marks & NAMES_IPV6 ? 6 : 4,
		.protocol = (uint8_t)m->protocol,
		.source = (uint8_t)(m->marks >> NAME_SOURCE),
		.is_cut = m->marks & NAME_CUT,
	};
	if (ret->source < 1 || ret->source >= BATCH_NAME_SOURCES)
		return "a name's source does not exist";
	if (m->remote.len != (ret->family == 4 ? 4 : 16) ||
	    !take_addr(&ret->remote, &m->remote, 0, ret->family))
		return "a name's address does not have its family's size";
	return NULL;
}

static const char *read_http(const Fp__Http *m, uint64_t before, struct batch_http *ret)
{
	if (m->base.n_unknown_fields)
		return "a request has a field that is unknown";
	if (m->marks >= HTTP_END || m->interface >= WIRE_INTERFACES_MAX ||
	    m->client_port > UINT16_MAX || m->server_port > UINT16_MAX)
		return "a request's mark, interface or port is out of range";
	if (!is_text(m->method, '!', BATCH_METHOD_MAX) || !is_text(m->path, '!', BATCH_NAME_MAX))
		return "a request's method or path is too long or not printable";
	*ret = (struct batch_http){
		.time_ns = before + (uint64_t)m->time,
		.method = m->method,
		.path = m->path,
		.client_port = (uint16_t)m->client_port,
		.server_port = (uint16_t)m->server_port,
		.iface = (uint16_t)m->interface,
		.family = m->marks & NAMES_IPV6 ? 6 : 4,
		.has_token = m->marks & HTTP_TOKEN,
		.asks_token = m->marks & HTTP_ASKS,
		.is_cut = m->marks & HTTP_CUT,
		.is_own = m->marks & HTTP_OWN,
	};
	if (!take_pair(&m->addresses, ret->family, &ret->client, &ret->server))
		return "a request's addresses do not have their family's size";
	return NULL;
}

const char *names_read(const uint8_t *bytes, size_t len, struct arena *arena,
		       struct names_lists *ret)
{
	ProtobufCAllocator allocator = arena_allocator(arena);
	const Fp__Names *m;
	const char *broken = NULL;

	if (len > BATCH_NAMES_BYTES_MAX)
		return "its names take too many bytes";
	m = fp__names__unpack(&allocator, len, bytes);
	if (!m)
		return arena->full ? "its names would unfold to more memory than a batch may take"
				   : "its names are not a message of their kind";
	if (m->base.n_unknown_fields)
		return "its names have a field that is unknown";
	ret->n_dns = m->n_dns;
	ret->n_names = m->n_names;
	ret->n_http = m->n_http;
	ret->dns = arena_alloc(arena, m->n_dns * sizeof *ret->dns);
	ret->names = arena_alloc(arena, m->n_names * sizeof *ret->names);
	ret->http = arena_alloc(arena, m->n_http * sizeof *ret->http);
	if (!ret->dns || !ret->names || !ret->http)
		return "its names would unfold to more memory than a batch may take";
	for (size_t i = 0; i < m->n_dns && !broken; i++)
		broken = read_dns(m->dns[i], i ? ret->dns[i - 1].time_ns : 0, arena, &ret->dns[i]);
	for (size_t i = 0; i < m->n_names && !broken; i++)
		broken = read_name(m->names[i], i ? ret->names[i - 1].first_ns : 0, &ret->names[i]);
	for (size_t i = 0; i < m->n_http && !broken; i++)
		broken = read_http(m->http[i], i ? ret->http[i - 1].time_ns : 0, &ret->http[i]);
	return broken;
}
