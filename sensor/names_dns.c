// SPDX-License-Identifier: Apache-2.0
/*
 * names_dns: see names_dns.h.
 */
#include "sensor/names_dns.h"

#include <string.h>

#include "platform/bytes.h"

enum {
	HEAD = 12,
	FLAG_RESPONSE = 0x8000,
	FLAG_SHORT = 0x0200,
	OPCODE = 11, /* 4 bits */
	OPCODE_MAX = 6,
	RCODE = 0x000f,
	LABEL_MAX = 63,
	POINTER = 0xc0,
	HOPS_MAX = 16, /* CNAMEs that are followed */
	ROOT = 1,      /* bytes of the root's name */

	TYPE_A = 1,
	TYPE_NS = 2,
	TYPE_CNAME = 5,
	TYPE_PTR = 12,
	TYPE_MX = 15,
	TYPE_TXT = 16,
	TYPE_AAAA = 28,
	TYPE_SRV = 33,
	TYPE_DNAME = 39,
	TYPE_OPT = 41,
	CLASS_IN = 1,
};

/* The message; `rd` moves, the pointers count from `bytes`. */
struct reader {
	struct rd rd;
	const uint8_t *bytes;
};

static size_t place(const struct reader *r)
{
	return (size_t)(r->rd.p - r->bytes);
}

static uint16_t take16(struct reader *r)
{
	const uint8_t *p = rd_take(&r->rd, 2);

	return p ? be16(p) : 0;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* The reader moves behind the name as it stands there; `bad` when it is none. */
static void take_name(struct reader *r, struct dns_name *ret)
{
	struct rd at = r->rd; /* jumps; r->rd stays behind the first pointer */
	size_t limit = place(r);
	bool jumped = false;
	uint8_t len;

	ret->len = 0;
	while ((len = rd_u8(&at)) != 0 && !at.bad) {
		const uint8_t *label;

		if (len >= POINTER) {
			size_t to = (size_t)(len & ~POINTER) << 8 | rd_u8(&at);

			if (!jumped)
				r->rd = at;
			jumped = true;
			if (at.bad || to >= limit) {
				r->rd.bad = true;
				return;
			}
			limit = to;
			at = rd_init(r->bytes, (size_t)(r->rd.end - r->bytes));
			at.p += to;
			continue;
		}
		label = len <= LABEL_MAX ? rd_take(&at, len) : NULL;
		if (!label || ret->len + 1U + len + ROOT > DNS_NAME_WIRE) {
			r->rd.bad = true;
			return;
		}
		ret->bytes[ret->len++] = len;
		for (unsigned i = 0; i < len; i++)
			ret->bytes[ret->len++] = lower(label[i]);
	}
	ret->bytes[ret->len++] = 0;
	if (!jumped)
		r->rd = at;
	r->rd.bad |= at.bad;
}

static void put_name(struct names_text *to, const struct dns_name *name)
{
	size_t at = 0;

	if (name->len <= ROOT)
		names_put(to, '.');
	while (name->len && name->bytes[at]) {
		uint8_t len = name->bytes[at++];

		if (at > 1)
			names_put(to, '.');
		for (; len; len--)
			names_put_byte(to, name->bytes[at++], ".\\");
	}
}

static bool same_name(const struct dns_name *a, const struct dns_name *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Behind the name as it stands there; where its pointer leads is not asked. */
static void skip_name(struct reader *r)
{
	uint8_t len;

	while ((len = rd_u8(&r->rd)) != 0) {
		rd_take(&r->rd, len >= POINTER ? 1 : len);
		r->rd.bad |= len > LABEL_MAX && len < POINTER;
		if (len >= POINTER || r->rd.bad)
			return;
	}
}

/* A record's head; the reader moves behind its data. */
static bool take_record(struct reader *r, struct dns_record *ret)
{
	ret->name_at = place(r);
	skip_name(r);
	ret->type = take16(r);
	ret->class = take16(r);
	ret->ttl = rd_u32be(&r->rd);
	ret->size = take16(r);
	ret->data_at = place(r);
	return rd_take(&r->rd, ret->size) || (ret->size == 0 && !r->rd.bad);
}

/* A name that stands at `at`. */
static bool name_at(const struct reader *r, size_t at, struct dns_name *ret)
{
	struct reader there = *r;

	there.rd = rd_init(r->bytes, (size_t)(r->rd.end - r->bytes));
	there.rd.p += at;
	take_name(&there, ret);
	return !there.rd.bad;
}

/* TXT (RFC 1035, 3.3.14): strings of a length byte each. */
static void put_strings(struct names_text *to, struct rd data)
{
	while (rd_left(&data)) {
		uint8_t len = rd_u8(&data);
		size_t n = len < rd_left(&data) ? len : rd_left(&data);
		const uint8_t *p = rd_take(&data, n);

		if (to->len)
			names_put(to, ' ');
		names_put(to, '"');
		for (size_t i = 0; i < n; i++) {
			if (p[i] == ' ')
				names_put(to, ' ');
			else if (p[i] >= 'A' && p[i] <= 'Z')
				names_put(to, (char)p[i]);
			else
				names_put_byte(to, p[i], "\"\\");
		}
		names_put(to, '"');
	}
}

static void put_numbers(struct names_text *to, const uint8_t *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		names_put_number(to, be16(p + i * 2));
		names_put(to, ' ');
	}
}

static void fill_answer(const struct reader *r, const struct dns_record *rec,
			struct batch_dns_answer *ret, struct names_text *text)
{
	const uint8_t *data = r->bytes + rec->data_at;
	struct dns_name name;
	/* of 16 bits before a name */
	unsigned numbers = rec->type == TYPE_SRV ? 3 : rec->type == TYPE_MX ? 1 : 0;

	*ret = (struct batch_dns_answer){
		.ttl = rec->ttl, .type = rec->type, .class = rec->class, .size = rec->size};
	text->len = 0;
	text->text[0] = 0;
	text->is_cut = false;
	switch (rec->type) {
	case TYPE_A:
		if (rec->size == 4)
			ret->family = 4;
		break;
	case TYPE_AAAA:
		if (rec->size == 16)
			ret->family = 6;
		break;
	case TYPE_TXT: put_strings(text, rd_init(data, rec->size)); break;
	case TYPE_SRV:
	case TYPE_MX:
	case TYPE_NS:
	case TYPE_CNAME:
	case TYPE_PTR:
	case TYPE_DNAME:
		if (rec->size <= numbers * 2 || !name_at(r, rec->data_at + numbers * 2, &name))
			break;
		put_numbers(text, data, numbers);
		put_name(text, &name);
		break;
	default: break;
	}
	if (ret->family)
		memcpy(ret->addr.b, data, rec->size);
	ret->text = text->text;
	ret->is_cut = text->is_cut;
}

/* Those of the name that the CNAMEs of the asked one end at. */
void dns_find_addresses(struct dns_message *m, const uint8_t *bytes, size_t len)
{
	const struct reader reader = {.rd = rd_init(bytes, len), .bytes = bytes}, *r = &reader;
	const struct dns_record *records = m->records;
	struct dns_name name = m->question, owner;
	size_t n = m->n_records;

	if (!m->is_response || !m->is_whole || !m->question.len)
		return;
	for (size_t hop = 0; hop < HOPS_MAX; hop++) {
		size_t i = 0;

		while (i < n &&
		       !(records[i].type == TYPE_CNAME && records[i].class == CLASS_IN &&
			 name_at(r, records[i].name_at, &owner) && same_name(&owner, &name)))
			i++;
		if (i == n || !name_at(r, records[i].data_at, &name))
			break;
	}
	for (size_t i = 0; i < n && m->n_addresses < DNS_ADDRESSES_MAX; i++) {
		struct dns_address *to = &m->addresses[m->n_addresses];

		if (records[i].class != CLASS_IN ||
		    !((records[i].type == TYPE_A && records[i].size == 4) ||
		      (records[i].type == TYPE_AAAA && records[i].size == 16)) ||
		    !name_at(r, records[i].name_at, &owner) || !same_name(&owner, &name))
			continue;
		*to = (struct dns_address){.family = records[i].type == TYPE_A ? 4 : 6};
		memcpy(to->addr.b, r->bytes + records[i].data_at, records[i].size);
		m->n_addresses++;
	}
}

/* Authority and additional records: what EDNS adds to the rcode (RFC 6891, 6.1.3). */
static void read_rest(struct reader *r, unsigned n, struct dns_message *m)
{
	struct dns_record rec;

	for (; n && take_record(r, &rec); n--)
		if (rec.type == TYPE_OPT)
			m->rcode = (uint16_t)((m->rcode & RCODE) | (rec.ttl >> 24) << 4);
}

static void read_records(struct reader *r, unsigned others, struct dns_message *m)
{
	struct dns_record *records = m->records;
	size_t n = 0;

	for (; n < m->answers_said &&
	       take_record(r, &records[n < DNS_RECORDS_MAX ? n : DNS_RECORDS_MAX - 1]);
	     n++)
		;
	m->is_whole = !r->rd.bad;
	if (n > DNS_RECORDS_MAX)
		n = DNS_RECORDS_MAX - 1; /* the last place was overwritten */
	for (size_t i = 0; i < n && i < BATCH_DNS_ANSWERS_MAX; i++, m->n_answers++)
		fill_answer(r, &records[i], &m->answers[i], &m->texts[i]);
	if (!m->name.len && n > 0) {
		struct dns_name owner;

		if (name_at(r, records[0].name_at, &owner))
			put_name(&m->name, &owner);
	}
	m->n_records = n;
	read_rest(r, others, m);
}

bool dns_may_begin(const uint8_t *bytes, size_t captured)
{
	return captured >= HEAD && (bytes[2] >> 3 & 15) <= OPCODE_MAX && be32(bytes + 4) != 0;
}

bool dns_read(struct dns_message *ret, const uint8_t *bytes, size_t captured, size_t len)
{
	struct reader r = {.rd = rd_init(bytes, captured), .bytes = bytes};
	uint16_t flags, questions;
	unsigned others;

	ret->id = take16(&r);
	flags = take16(&r);
	questions = take16(&r);
	ret->answers_said = take16(&r);
	others = take16(&r);
	others += take16(&r);
	ret->is_response = flags & FLAG_RESPONSE;
	ret->is_short = flags & FLAG_SHORT;
	ret->rcode = ret->is_response ? flags & RCODE : 0;
	ret->qtype = ret->qclass = 0;
	ret->n_answers = ret->n_addresses = 0;
	ret->question.len = 0;
	ret->name = (struct names_text){0};
	if (r.rd.bad || (flags >> OPCODE & 15) > OPCODE_MAX)
		return false;
	for (unsigned i = 0; i < questions; i++) {
		struct dns_name name;
		uint16_t type, class;

		take_name(&r, &name);
		type = take16(&r);
		class = take16(&r);
		if (r.rd.bad && i == 0)
			return false;
		if (i > 0)
			continue;
		ret->question = name;
		ret->qtype = type;
		ret->qclass = class;
		put_name(&ret->name, &name);
	}
	read_records(&r, others, ret);
	if (!ret->name.len)
		names_put(&ret->name, '.');
	ret->is_whole = ret->is_whole && captured == len && !r.rd.bad;
	return true;
}
