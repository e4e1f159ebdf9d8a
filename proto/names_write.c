// SPDX-License-Identifier: Apache-2.0
/*
 * Writes names: each entry is packed when it comes, behind those before it.
 */
#include <assert.h>
#include <string.h>

#include "proto/flowproof.pb-c.h"
#include "proto/names_parts.h"

enum {
	TAG_DNS = 1,
	TAG_NAME,
	TAG_HTTP, /* fields of Names */
	LENGTH_DELIMITED = 2,

	/* The most that each takes, with its tag and length. */
	ANSWER_BYTES = 3 + 2 * 4 + 6 + 4 + 18 + 3 + BATCH_NAME_MAX + 2,
	DNS_BYTES = 3 + 11 + 3 + 2 + 34 + 2 * 4 + 4 + 3 + BATCH_NAME_MAX + 2 * 4 + 3 + 2 * 4 + 11 +
		    BATCH_DNS_ANSWERS_MAX * ANSWER_BYTES,
	NAME_BYTES = 3 + 11 + 2 + 2 + 18 + 4 + 3 + 3 + BATCH_NAME_MAX + 2 + BATCH_ALPN_MAX,
	HTTP_BYTES = 3 + 11 + 2 + 2 + 34 + 2 * 4 + 2 + BATCH_METHOD_MAX + 3 + BATCH_NAME_MAX,
};

_Static_assert((!BATCH_WRITE_NAMES_BYTES || (int)BATCH_WRITE_NAMES_BYTES >= (int)DNS_BYTES) &&
		       (int)DNS_BYTES >= (int)NAME_BYTES && (int)DNS_BYTES >= (int)HTTP_BYTES &&
		       (int)BATCH_WRITE_NAMES_BYTES <= (int)BATCH_NAMES_BYTES_MAX,
	       "any entry fits an empty batch, and readers take it");

/* Reserves an entry of `size` bytes and writes its head; NULL when there is no room. */
static uint8_t *entry(struct names_writer *w, unsigned tag, size_t size)
{
	size_t head = size < 128 ? 2 : 3;
	uint8_t *p = w->bytes + w->len;

	assert(size < 1 << 14);
	if (BATCH_WRITE_NAMES_BYTES - w->len < head + size)
		return NULL;
	w->len += head + size;
	*p++ = (uint8_t)(tag << 3 | LENGTH_DELIMITED);
	if (size < 128) {
		*p++ = (uint8_t)size;
	} else {
		*p++ = (uint8_t)(size | 0x80);
		*p++ = (uint8_t)(size >> 7);
	}
	return p;
}

/* protobuf-c's pointers are not const; packing only reads. */
static char *lend(const char *text, size_t max)
{
	assert(strnlen(text, max + 1) <= max);
	return (char *)(uintptr_t)text;
}

static size_t size_of(uint8_t family)
{
	return family == 4 ? 4 : 16;
}

static ProtobufCBinaryData pair(uint8_t out[static 32], uint8_t family, const struct addr *a,
				const struct addr *b)
{
	size_t size = size_of(family);

	memcpy(out, a->b, size);
	memcpy(out + size, b->b, size);
	return (ProtobufCBinaryData){2 * size, out};
}

static void lend_answer(Fp__DnsAnswer *to, struct batch_dns_answer *from)
{
	fp__dns_answer__init(to);
	to->type = from->type;
	to->class_ = from->class ^ DNS_CLASS_IN;
	to->ttl = from->ttl;
	to->size = from->size;
	if (from->family)
		to->address = (ProtobufCBinaryData){size_of(from->family), from->addr.b};
	to->text = lend(from->text, BATCH_NAME_MAX);
	to->cut = from->is_cut;
}

bool names_add_dns(struct names_writer *w, const struct batch_dns *d)
{
	struct batch_dns_answer answers[BATCH_DNS_ANSWERS_MAX];
	Fp__DnsAnswer answer[BATCH_DNS_ANSWERS_MAX], *list[BATCH_DNS_ANSWERS_MAX];
	Fp__Dns m;
	uint8_t addresses[32], *p;

	assert(d->n_answers <= BATCH_DNS_ANSWERS_MAX && d->kind < BATCH_DNS_KINDS);
	fp__dns__init(&m);
	m.time = (int64_t)(d->time_ns - w->dns_before);
	m.marks = (d->family == 6 ? (uint32_t)NAMES_IPV6 : 0) |
		  (d->is_response ? (uint32_t)DNS_RESPONSE : 0) |
		  (d->over_tcp ? (uint32_t)DNS_TCP : 0) |
		  (d->is_matched ? (uint32_t)DNS_MATCHED : 0) |
		  (d->is_cut ? (uint32_t)DNS_CUT : 0) | (d->is_short ? (uint32_t)DNS_SHORT : 0) |
		  (d->name_is_cut ? (uint32_t)DNS_NAME_CUT : 0) | (uint32_t)d->kind << DNS_KIND;
	m.interface = d->iface;
	m.addresses = pair(addresses, d->family, &d->client, &d->server);
	m.client_port = d->client_port;
	m.server_port = d->server_port;
	m.id = d->id;
	m.name = lend(d->name, BATCH_NAME_MAX);
	m.type = d->qtype;
	m.class_ = d->qclass ^ DNS_CLASS_IN;
	m.rcode = d->rcode;
	m.size = d->size;
	m.answers_said = d->answers_said;
	m.waited = d->waited_ns;
	m.n_answers = d->n_answers;
	m.answers = list;
	for (size_t i = 0; i < d->n_answers; i++) {
		answers[i] = d->answers[i];
		lend_answer(&answer[i], &answers[i]);
		list[i] = &answer[i];
	}
	p = entry(w, TAG_DNS, fp__dns__get_packed_size(&m));
	if (!p)
		return false;
	(void)fp__dns__pack(&m, p);
	w->dns_before = d->time_ns;
	return true;
}

bool names_add_name(struct names_writer *w, const struct batch_name *n)
{
	struct addr remote = n->remote;
	Fp__Name m;
	uint8_t *p;

	assert(n->source >= 1 && n->source < BATCH_NAME_SOURCES);
	fp__name__init(&m);
	m.first = (int64_t)(n->first_ns - w->name_before);
	m.marks = (n->family == 6 ? (uint32_t)NAMES_IPV6 : 0) |
		  (n->is_cut ? (uint32_t)NAME_CUT : 0) | (uint32_t)n->source << NAME_SOURCE;
	m.interface = n->iface;
	m.remote = (ProtobufCBinaryData){size_of(n->family), remote.b};
	m.port = n->port;
	m.protocol = n->protocol;
	m.name = lend(n->name, BATCH_NAME_MAX);
	m.alpn = lend(n->alpn, BATCH_ALPN_MAX);
	p = entry(w, TAG_NAME, fp__name__get_packed_size(&m));
	if (!p)
		return false;
	(void)fp__name__pack(&m, p);
	w->name_before = n->first_ns;
	return true;
}

bool names_add_http(struct names_writer *w, const struct batch_http *h)
{
	Fp__Http m;
	uint8_t addresses[32], *p;

	fp__http__init(&m);
	m.time = (int64_t)(h->time_ns - w->http_before);
	m.marks = (h->family == 6 ? (uint32_t)NAMES_IPV6 : 0) |
		  (h->has_token ? (uint32_t)HTTP_TOKEN : 0) |
		  (h->asks_token ? (uint32_t)HTTP_ASKS : 0) | (h->is_cut ? (uint32_t)HTTP_CUT : 0) |
		  (h->is_own ? (uint32_t)HTTP_OWN : 0);
	m.interface = h->iface;
	m.addresses = pair(addresses, h->family, &h->client, &h->server);
	m.client_port = h->client_port;
	m.server_port = h->server_port;
	m.method = lend(h->method, BATCH_METHOD_MAX);
	m.path = lend(h->path, BATCH_NAME_MAX);
	p = entry(w, TAG_HTTP, fp__http__get_packed_size(&m));
	if (!p)
		return false;
	(void)fp__http__pack(&m, p);
	w->http_before = h->time_ns;
	return true;
}
