// SPDX-License-Identifier: Apache-2.0
/*
 * names_stream: see names_stream.h.
 */
#include "sensor/names_stream.h"

#include <string.h>

static uint32_t ports_of(const struct decoded *d)
{
	return (uint32_t)d->srcport << 16 | d->dstport;
}

struct stream *stream_find(struct stream_table *t, const struct segment *segment)
{
	const struct decoded *d = segment->decoded;
	uint32_t ports = ports_of(d);

	for (size_t i = 0; t->used && i < STREAM_SLOTS; i++) {
		struct stream *s = &t->streams[i];

		if (t->ports[i] == ports && ports && s->iface == segment->iface &&
		    memcmp(&s->src, &d->src, sizeof s->src) == 0 &&
		    memcmp(&s->dst, &d->dst, sizeof s->dst) == 0)
			return s;
	}
	return NULL;
}

struct stream *stream_begin(struct stream_table *t, const struct segment *segment,
			    enum stream_kind kind)
{
	const struct decoded *d = segment->decoded;
	size_t best = 0;
	struct stream *s;

	for (size_t i = 1; i < STREAM_SLOTS && t->ports[best]; i++)
		if (!t->ports[i] || t->streams[i].sec < t->streams[best].sec)
			best = i;
	t->lost += t->ports[best] != 0;
	t->used += t->ports[best] == 0;
	t->ports[best] = ports_of(d) ? ports_of(d) : 1;
	s = &t->streams[best];
	s->src = d->src;
	s->dst = d->dst;
	s->iface = segment->iface;
	s->kind = (uint8_t)kind;
	s->is_cut = false;
	s->sec = segment->sec;
	s->next = segment->sequence;
	s->len = 0;
	return s;
}

bool stream_add(struct stream *s, const struct segment *segment)
{
	uint32_t known = s->next - segment->sequence; /* bytes of it that were there before */
	size_t n = segment->captured, room = STREAM_BYTES - s->len;

	if (known > UINT32_MAX / 2 || s->is_cut)
		return false; /* it comes too early */
	if (known >= segment->len)
		return true;
	s->sec = segment->sec;
	s->next += (uint32_t)segment->len - known;
	s->is_cut = segment->captured < segment->len;
	if (known >= n)
		return !s->is_cut;
	n -= known;
	s->is_cut |= n > room;
	n = n < room ? n : room;
	memcpy(s->bytes + s->len, segment->bytes + known, n);
	s->len += n;
	return true;
}

void stream_consume(struct stream *s, size_t n)
{
	memmove(s->bytes, s->bytes + n, s->len - n);
	s->len -= n;
}

void stream_end(struct stream_table *t, struct stream *s)
{
	t->ports[s - t->streams] = 0;
	t->used--;
}

void stream_expire(struct stream_table *t, uint64_t now_s)
{
	for (size_t i = 0; t->used && i < STREAM_SLOTS; i++) {
		if (!t->ports[i] || t->streams[i].sec + STREAM_WAIT_S > now_s)
			continue;
		stream_end(t, &t->streams[i]);
		t->lost++;
	}
}
