// SPDX-License-Identifier: Apache-2.0
/*
 * burst_columns: see burst_columns.h.
 */
#include "proto/burst_columns.h"

#include <assert.h>
#include <string.h>

enum { IPV6 = 1, DIRECTION = 1, TIMES = 3, MARK_END = 1 << 7 };

void burst_columns_reset(struct burst_columns *c)
{
	Fp__Bursts *m = &c->message;

	fp__bursts__init(m);
	m->addresses4.data = c->addresses4;
	m->addresses6.data = c->addresses6;
	m->marks = c->marks;
	m->port = c->port;
	m->protocol = c->protocol;
	m->tenths = c->tenths;
	c->before = 0;
}

bool burst_columns_add(struct burst_columns *c, const struct batch_burst *b)
{
	Fp__Bursts *m = &c->message;
	size_t i = m->n_marks, size = b->family == 4 ? 4 : 16;
	ProtobufCBinaryData *addresses = b->family == 4 ? &m->addresses4 : &m->addresses6;

	assert(b->family == 4 || b->family == 6);
	assert(b->n >= 1 && b->n <= BURST_TIMES && b->direction <= FLOWREC_EGRESS);
	if (i == BATCH_WRITE_BURSTS)
		return false;
	memcpy(addresses->data + addresses->len, b->remote.b, size);
	addresses->len += size;
	c->marks[i] = (b->family == 6 ? IPV6 : 0) |
		      (uint32_t)(b->direction ^ FLOWREC_EGRESS) << DIRECTION |
		      (uint32_t)b->n << TIMES;
	c->port[i] = b->port;
	c->protocol[i] = b->protocol;
	for (size_t k = 0; k < b->n; k++) {
		uint64_t time = b->tenths[k] < INT64_MAX ? b->tenths[k] : INT64_MAX;

		c->tenths[m->n_tenths++] = (int64_t)time - (int64_t)c->before;
		c->before = time;
	}
	m->n_marks = m->n_port = m->n_protocol = i + 1;
	return true;
}

static const char *read_one(const Fp__Bursts *m, size_t i, struct batch_burst *b)
{
	uint32_t mark = m->marks[i];

	if (mark >= MARK_END || m->port[i] > UINT16_MAX || m->protocol[i] > UINT8_MAX)
		return "a burst's mark, port or protocol is out of range";
	*b = (struct batch_burst){
		.port = (uint16_t)m->port[i],
		.family = mark & IPV6 ? 6 : 4,
		.protocol = (uint8_t)m->protocol[i],
		.direction = (uint8_t)(mark >> DIRECTION & 3) ^ FLOWREC_EGRESS,
		.n = (uint8_t)(mark >> TIMES),
	};
	if (b->n < 1 || b->n > BURST_TIMES || b->direction > FLOWREC_EGRESS)
		return "a burst's mark has a value that does not exist";
	return NULL;
}

const char *burst_columns_read(const Fp__Bursts *m, struct batch_burst *out, size_t *ret_n)
{
	size_t n = m->n_marks, at4 = 0, at6 = 0, time = 0;
	int64_t before = 0;

	*ret_n = 0;
	if (m->base.n_unknown_fields)
		return "the bursts have a field that is unknown";
	if (n > BATCH_BURSTS_MAX)
		return "it has too many bursts";
	if (m->n_port != n || m->n_protocol != n)
		return "the bursts' columns are not of one length";
	for (size_t i = 0; i < n; i++) {
		const char *broken = read_one(m, i, &out[i]);
		bool is6 = out[i].family == 6;
		const ProtobufCBinaryData *from = is6 ? &m->addresses6 : &m->addresses4;
		size_t size = is6 ? 16 : 4, *at = is6 ? &at6 : &at4;

		if (broken)
			return broken;
		if (from->len - *at < size)
			return "a burst has no address";
		memcpy(out[i].remote.b, from->data + *at, size);
		*at += size;
		if (m->n_tenths - time < out[i].n)
			return "a burst has no times";
		for (size_t k = 0; k < out[i].n; k++, time++) {
			if (__builtin_add_overflow(before, m->tenths[time], &before) || before < 0)
				return "a burst's times are out of range";
			out[i].tenths[k] = (uint64_t)before;
		}
	}
	if (at4 != m->addresses4.len || at6 != m->addresses6.len || time != m->n_tenths)
		return "there are more addresses or times than bursts";
	*ret_n = n;
	return NULL;
}
