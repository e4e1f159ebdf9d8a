// SPDX-License-Identifier: Apache-2.0
/*
 * Peers: sums, least and greatest, so that order does not matter.
 */
#include "evidence/peer.h"

#include <string.h>

#include "evidence/sketch.h"
#include "platform/clock.h"
#include "platform/hash.h"

enum { ICMP = 1, TCP = 6, UDP = 17, ICMPV6 = 58 };

/* ---- addresses ---- */

static bool is_in(const struct addr *a, const uint8_t *prefix, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a->b, prefix, whole) == 0 &&
	       (!rest || ((a->b[whole] ^ prefix[whole]) >> (8 - rest)) == 0);
}

bool addr_is_private(uint8_t family, const struct addr *a)
{
	if (family == 6)
		return (a->b[0] & 0xfe) == 0xfc;
	return a->b[0] == 10 || is_in(a, (const uint8_t[]){172, 16}, 12) ||
	       is_in(a, (const uint8_t[]){192, 168}, 16) ||
	       is_in(a, (const uint8_t[]){100, 64}, 10);
}

bool addr_is_link(uint8_t family, const struct addr *a)
{
	if (family == 4)
		return is_in(a, (const uint8_t[]){169, 254}, 16);
	return is_in(a, (const uint8_t[]){0xfe, 0x80}, 10) ||
	       is_in(a, (const uint8_t[]){0xfd, 0, 0x0e, 0xc2}, 32);
}

bool addr_is_group(uint8_t family, const struct addr *a)
{
	return addr_is_multicast(family, a) ||
	       (family == 4 && a->b[3] == 255 && (addr_is_private(4, a) || addr_is_link(4, a)));
}

/* ---- evidence ---- */

static void take_span(struct finding_evidence *e, uint32_t stream, uint64_t first, uint64_t last)
{
	size_t i = 0;

	while (i < e->n && e->spans[i].stream != stream)
		i++;
	if (i == FINDING_STREAMS) {
		e->more = true;
		return;
	}
	if (i == e->n) {
		e->spans[i].stream = stream;
		e->spans[i].first = first;
		e->spans[i].last = last;
		e->n++;
	}
	if (first < e->spans[i].first)
		e->spans[i].first = first;
	if (last > e->spans[i].last)
		e->spans[i].last = last;
}

void evidence_add(struct finding_evidence *e, uint32_t stream, uint64_t sequence)
{
	take_span(e, stream, sequence, sequence);
}

void evidence_merge(struct finding_evidence *e, const struct finding_evidence *more)
{
	for (size_t i = 0; i < more->n; i++)
		take_span(e, more->spans[i].stream, more->spans[i].first, more->spans[i].last);
	e->more = e->more || more->more;
}

/* ---- what is known ---- */

static uint64_t greater(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

struct finding_traffic peer_traffic(const struct peer *p)
{
	return (struct finding_traffic){
		.packets_out = greater(p->records.packets_out, p->digests.packets_out),
		.bytes_out = greater(p->records.bytes_out, p->digests.bytes_out),
		.packets_in = greater(p->records.packets_in, p->digests.packets_in),
		.bytes_in = greater(p->records.bytes_in, p->digests.bytes_in),
		.records = p->records.records,
	};
}

uint64_t peer_payload(const struct peer *p, uint64_t packets, uint64_t bytes)
{
	uint64_t ip = p->key.family == 6 ? 40 : 20;
	uint64_t head = ip + (p->key.protocol == TCP ? 40
			      : p->key.protocol == UDP || p->key.protocol == ICMP ||
					      p->key.protocol == ICMPV6
				      ? 8
				      : 0);

	return bytes > packets * head ? bytes - packets * head : 0;
}

unsigned peer_minutes(const struct peer *p)
{
	return sketch_count(p->minutes, PEER_MINUTE_WORDS);
}

/* ---- adding ---- */

static void widen(struct peer *p, uint64_t first, uint64_t last)
{
	if (first < p->first)
		p->first = first;
	if (last > p->last)
		p->last = last;
}

static void judge(struct peer *p, uint8_t verdict, uint16_t rule, uint8_t outcome)
{
	if (verdict > p->verdict || (verdict == p->verdict && rule > p->rule)) {
		p->verdict = verdict;
		p->rule = rule;
	}
	if (outcome > p->outcome)
		p->outcome = outcome;
}

static bool has_ports(uint8_t protocol)
{
	return protocol != ICMP && protocol != ICMPV6;
}

void peer_key_of_record(struct peer_key *ret, const struct flowrec *rec, bool *ret_out)
{
	bool by_source = rec->initiator == FLOWREC_INITIATOR_SRC, began, out;

	memset(ret, 0, sizeof *ret);
	if (rec->verdict == FLOWREC_UNEXPECTED_EGRESS)
		began = true;
	else if (rec->verdict == FLOWREC_UNEXPECTED_INBOUND)
		began = false;
	else if (rec->direction == FLOWREC_DIRECTION_UNKNOWN)
		began = true;
	else
		began = rec->initiator == FLOWREC_INITIATOR_UNKNOWN ||
			(rec->direction == FLOWREC_EGRESS) == by_source;
	out = rec->initiator == FLOWREC_INITIATOR_UNKNOWN ? rec->direction == FLOWREC_EGRESS
							  : began == by_source;
	ret->remote = out ? rec->dst : rec->src;
	/* The responder is the remote end if this machine began. */
	ret->port = !has_ports(rec->protocol) ? 0 : out == began ? rec->dstport : rec->srcport;
	ret->family = rec->family;
	ret->protocol = rec->protocol;
	if (rec->verdict == FLOWREC_VERDICT_NONE && rec->direction == FLOWREC_DIRECTION_UNKNOWN)
		ret->direction = FLOWREC_DIRECTION_UNKNOWN;
	else
		ret->direction = began ? FLOWREC_EGRESS : FLOWREC_INGRESS;
	*ret_out = out;
}

void peer_add_record(struct peer *p, const struct flowrec *rec, bool out,
		     const uint64_t key[static 2])
{
	struct finding_traffic *t = &p->records;

	widen(p, rec->start, rec->end);
	judge(p, rec->verdict, rec->rule, rec->outcome);
	t->records++;
	if (!out) {
		t->packets_in += rec->packets;
		t->bytes_in += rec->bytes;
		return;
	}
	t->packets_out += rec->packets;
	t->bytes_out += rec->bytes;
	if (rec->packets) {
		uint64_t size = rec->bytes / rec->packets;
		uint16_t clamped = size < UINT16_MAX ? (uint16_t)size : UINT16_MAX;

		if (!p->size_least || clamped < p->size_least)
			p->size_least = clamped;
		if (clamped > p->size_most)
			p->size_most = clamped;
	}
	if (rec->protocol != TCP || rec->outcome == FLOWREC_DATA_OUT)
		sketch_set(p->minutes, PEER_MINUTE_WORDS,
			   hash_sip13(key, (const uint64_t[]){rec->start / 60}, 1));
}

void peer_key_of_alert(struct peer_key *ret, const struct batch_alert *alert)
{
	bool egress = alert->verdict == FLOWREC_UNEXPECTED_EGRESS;

	memset(ret, 0, sizeof *ret);
	ret->remote = alert->remote;
	ret->family = alert->family;
	ret->protocol = alert->protocol;
	ret->direction = egress ? FLOWREC_EGRESS : FLOWREC_INGRESS;
	if (has_ports(alert->protocol))
		ret->port = egress ? alert->remote_port : alert->local_port;
}

void peer_add_alert(struct peer *p, const struct batch_alert *alert)
{
	uint64_t sec = alert->time_ns / NS_PER_S;

	widen(p, sec, sec);
	judge(p, alert->verdict, 0, FLOWREC_SENT);
}

void peer_key_of_digest(struct peer_key *ret, const struct endpoint_digest *d)
{
	memset(ret, 0, sizeof *ret);
	ret->remote = d->remote;
	ret->family = d->family;
	ret->protocol = d->protocol;
	ret->direction = d->direction;
	if (has_ports(d->protocol))
		ret->port = d->port;
}

void peer_add_digest(struct peer *p, const struct endpoint_digest *d)
{
	struct finding_traffic *t = &p->digests;

	widen(p, d->first, d->last);
	judge(p, d->verdict, d->rule, d->outcome);
	t->packets_out = greater(t->packets_out, d->packets_out);
	t->bytes_out = greater(t->bytes_out, d->bytes_out);
	t->packets_in = greater(t->packets_in, d->packets_in);
	t->bytes_in = greater(t->bytes_in, d->bytes_in);
}
