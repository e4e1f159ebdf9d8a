// SPDX-License-Identifier: Apache-2.0
/*
 * endpoint_columns: see endpoint_columns.h.
 */
#include "proto/endpoint_columns.h"

#include <assert.h>
#include <string.h>

enum {
	IPV6 = 1,
	OUTCOME = 1,   /* 3 bits */
	VERDICT = 4,   /* 3 bits */
	DIRECTION = 7, /* 2 bits */
	GAVE_WAY = 1 << 9,
	MARK_END = 1 << 10,
};

void endpoint_columns_reset(struct endpoint_columns *c)
{
	Fp__Endpoints *m = &c->message;

	fp__endpoints__init(m);
	m->addresses4.data = c->addresses4;
	m->addresses6.data = c->addresses6;
	m->marks = c->marks;
	m->port = c->port;
	m->protocol = c->protocol;
	m->rule = c->rule;
	m->first = c->first;
	m->duration = c->duration;
	m->flows = c->flows;
	m->packets_out = c->packets_out;
	m->bytes_out = c->bytes_out;
	m->packets_in = c->packets_in;
	m->bytes_in = c->bytes_in;
	c->before = 0;
}

bool endpoint_columns_add(struct endpoint_columns *c, const struct endpoint_digest *d)
{
	Fp__Endpoints *m = &c->message;
	size_t i = m->n_marks, size = d->family == 4 ? 4 : 16;
	ProtobufCBinaryData *addresses = d->family == 4 ? &m->addresses4 : &m->addresses6;
	uint64_t first = d->first < INT64_MAX ? d->first : INT64_MAX;
	uint64_t last = d->last < INT64_MAX ? d->last : INT64_MAX;

	assert(d->family == 4 || d->family == 6);
	assert(d->outcome <= FLOWREC_DATA_OUT && d->verdict <= FLOWREC_UNEXPECTED_INBOUND);
	assert(d->direction <= FLOWREC_EGRESS);
	if (i == BATCH_WRITE_ENDPOINTS)
		return false;
	memcpy(addresses->data + addresses->len, d->remote.b, size);
	addresses->len += size;
	c->marks[i] = (d->family == 6 ? IPV6 : 0) | (uint32_t)d->outcome << OUTCOME |
		      (uint32_t)d->verdict << VERDICT |
		      (uint32_t)(d->direction ^ FLOWREC_EGRESS) << DIRECTION |
		      (d->gave_way ? GAVE_WAY : 0);
	c->port[i] = d->port;
	c->protocol[i] = d->protocol;
	c->rule[i] = d->rule;
	c->first[i] = (int64_t)first - (int64_t)c->before;
	c->duration[i] = last > first ? last - first : 0;
	c->flows[i] = d->flows;
	c->packets_out[i] = d->packets_out;
	c->bytes_out[i] = d->bytes_out;
	c->packets_in[i] = d->packets_in;
	c->bytes_in[i] = d->bytes_in;
	c->before = first;
	m->n_marks = m->n_port = m->n_protocol = m->n_rule = m->n_first = m->n_duration = i + 1;
	m->n_flows = m->n_packets_out = m->n_bytes_out = m->n_packets_in = m->n_bytes_in = i + 1;
	return true;
}

static const char *read_one(const Fp__Endpoints *m, size_t i, uint64_t before,
			    struct endpoint_digest *d)
{
	uint32_t mark = m->marks[i];
	int64_t first;

	if (__builtin_add_overflow((int64_t)before, m->first[i], &first) || first < 0 ||
	    m->duration[i] > (uint64_t)(INT64_MAX - first))
		return "an endpoint's times are out of range";
	if (mark >= MARK_END || m->port[i] > UINT16_MAX || m->protocol[i] > UINT8_MAX ||
	    m->rule[i] > UINT16_MAX)
		return "an endpoint's mark, port, protocol or rule is out of range";
	*d = (struct endpoint_digest){
		.port = (uint16_t)m->port[i],
		.rule = (uint16_t)m->rule[i],
		.family = mark & IPV6 ? 6 : 4,
		.protocol = (uint8_t)m->protocol[i],
		.direction = (uint8_t)(mark >> DIRECTION & 3) ^ FLOWREC_EGRESS,
		.outcome = mark >> OUTCOME & 7,
		.verdict = mark >> VERDICT & 7,
		.gave_way = mark & GAVE_WAY,
		.first = (uint64_t)first,
		.last = (uint64_t)first + m->duration[i],
		.packets_out = m->packets_out[i],
		.bytes_out = m->bytes_out[i],
		.packets_in = m->packets_in[i],
		.bytes_in = m->bytes_in[i],
		.flows = m->flows[i],
	};
	if (d->direction > FLOWREC_EGRESS || d->outcome > FLOWREC_DATA_OUT ||
	    d->verdict > FLOWREC_UNEXPECTED_INBOUND)
		return "an endpoint's mark has a value that does not exist";
	return NULL;
}

const char *endpoint_columns_read(const Fp__Endpoints *m, struct endpoint_digest *out,
				  size_t *ret_n)
{
	size_t n = m->n_marks, at4 = 0, at6 = 0;
	uint64_t before = 0;

	*ret_n = 0;
	if (m->base.n_unknown_fields)
		return "the endpoints have a field that is unknown";
	if (n > BATCH_ENDPOINTS_MAX)
		return "it has too many endpoints";
	if (m->n_port != n || m->n_protocol != n || m->n_rule != n || m->n_first != n ||
	    m->n_duration != n || m->n_flows != n || m->n_packets_out != n || m->n_bytes_out != n ||
	    m->n_packets_in != n || m->n_bytes_in != n)
		return "the endpoints' columns are not of one length";
	for (size_t i = 0; i < n; i++) {
		const char *broken = read_one(m, i, before, &out[i]);
		bool is6 = out[i].family == 6;
		const ProtobufCBinaryData *from = is6 ? &m->addresses6 : &m->addresses4;
		size_t size = is6 ? 16 : 4, *at = is6 ? &at6 : &at4;

		if (broken)
			return broken;
		if (from->len - *at < size)
			return "an endpoint has no address";
		memcpy(out[i].remote.b, from->data + *at, size);
		*at += size;
		before = out[i].first;
	}
	if (at4 != m->addresses4.len || at6 != m->addresses6.len)
		return "there are more endpoints' addresses than endpoints";
	*ret_n = n;
	return NULL;
}
