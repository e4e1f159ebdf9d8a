// SPDX-License-Identifier: Apache-2.0
/*
 * See dns_pairs.h. The line of a query that got no response is made when it is asked, while its interface is known.
 */
#include "evidence/dns_pairs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "proto/dns_log.h"

enum { BUCKETS = 4096 };

struct waiting {
	struct waiting *next;  /* of its bucket */
	struct waiting *later; /* came after it */
	bool is_answered;
	struct batch_dns query;
	uint64_t tag;
	size_t len; /* of the line; 0: none is wanted */
	char name[BATCH_NAME_MAX + 1];
	char line[];
};

struct dns_pairs {
	dns_pairs_fn *fn;
	void *ctx;
	struct waiting *buckets[BUCKETS];
	struct waiting *first, *last; /* in the order in which they were asked */
	uint8_t stream[WIRE_STREAM_ID];
	FILE *out; /* a line at a time */
	char *line;
	size_t len;
};

int dns_pairs_new(struct dns_pairs **ret, dns_pairs_fn *fn, void *ctx)
{
	struct dns_pairs *p = calloc(1, sizeof *p);

	*ret = p;
	if (!p)
		return -ENOMEM;
	p->fn = fn;
	p->ctx = ctx;
	p->out = open_memstream(&p->line, &p->len);
	if (!p->out) {
		free(p);
		*ret = NULL;
		return -ENOMEM;
	}
	return 0;
}

void dns_pairs_free(struct dns_pairs *pairs)
{
	if (!pairs)
		return;
	dns_pairs_forget(pairs);
	(void)fclose(pairs->out);
	free(pairs->line);
	free(pairs);
}

static struct waiting **bucket_of(struct dns_pairs *p, const struct batch_dns *dns)
{
	uint32_t hash = (uint32_t)dns->id << 16 ^ dns->client_port ^
			(uint32_t)dns->client.b[3] << 8 ^ dns->qtype;

	return &p->buckets[(hash * 2654435761U) >> 20];
}

static bool is_answer(const struct waiting *w, const struct batch_dns *dns)
{
	const struct batch_dns *q = &w->query;

	return q->id == dns->id && q->client_port == dns->client_port &&
	       q->server_port == dns->server_port && q->qtype == dns->qtype &&
	       q->qclass == dns->qclass && q->iface == dns->iface && q->family == dns->family &&
	       q->over_tcp == dns->over_tcp && !w->is_answered &&
	       memcmp(&q->client, &dns->client, sizeof q->client) == 0 &&
	       memcmp(&q->server, &dns->server, sizeof q->server) == 0 &&
	       strcmp(w->name, dns->name) == 0;
}

static struct waiting *find(struct dns_pairs *p, const struct batch_dns *dns)
{
	for (struct waiting *w = *bucket_of(p, dns); w; w = w->next)
		if (is_answer(w, dns))
			return w;
	return NULL;
}

/* Into p->line. */
static int print(struct dns_pairs *p, const struct batch_dns *dns,
		 const struct flowrec_identity *identity)
{
	rewind(p->out);
	dns_log_print(p->out, dns, identity);
	return fflush(p->out) == 0 ? 0 : -ENOMEM;
}

static int wait_for(struct dns_pairs *p, const struct batch_dns *dns,
		    const struct flowrec_identity *identity, uint64_t tag, bool is_wanted)
{
	struct waiting **bucket = bucket_of(p, dns), *w;
	size_t len = 0, name = strnlen(dns->name, BATCH_NAME_MAX);

	if (find(p, dns))
		return 0; /* asked again */
	if (is_wanted) {
		if (print(p, dns, identity) < 0)
			return -ENOMEM;
		len = p->len;
	}
	w = calloc(1, sizeof *w + len);
	if (!w)
		return -ENOMEM;
	memcpy(w->name, dns->name, name);
	if (len > 0)
		memcpy(w->line, p->line, len);
	w->len = len;
	w->tag = tag;
	w->query = *dns;
	w->query.name = w->name;
	w->query.answers = NULL;
	w->query.n_answers = 0;
	w->next = *bucket;
	*bucket = w;
	if (p->last)
		p->last->later = w;
	else
		p->first = w;
	p->last = w;
	return 0;
}

static void forget_first(struct dns_pairs *p)
{
	struct waiting *w = p->first, **link = bucket_of(p, &w->query);

	while (*link != w)
		link = &(*link)->next;
	*link = w->next;
	p->first = w->later;
	if (!p->first)
		p->last = NULL;
	free(w);
}

/* Those that were asked before that time are told of; UINT64_MAX: all. */
static int expire(struct dns_pairs *p, uint64_t before_ns)
{
	int rc = 0;

	while (rc == 0 && p->first &&
	       (p->first->is_answered || p->first->query.time_ns < before_ns)) {
		const struct waiting *w = p->first;
		const uint64_t asked_s = w->query.time_ns / NS_PER_S;
		const struct dns_pairs_line line = {.text = w->line,
						    .len = w->len,
						    .asked_s = asked_s,
						    .told_s = asked_s,
						    .tag = w->tag};

		if (!w->is_answered && w->len > 0)
			rc = p->fn(p->ctx, &line);
		forget_first(p);
	}
	return rc;
}

int dns_pairs_flush(struct dns_pairs *pairs)
{
	return expire(pairs, UINT64_MAX);
}

void dns_pairs_forget(struct dns_pairs *pairs)
{
	while (pairs->first)
		forget_first(pairs);
}

static int tell(struct dns_pairs *p, const struct batch_dns *dns,
		const struct flowrec_identity *identity, uint64_t tag)
{
	struct dns_pairs_line line = {.asked_s = (dns->time_ns - dns->waited_ns) / NS_PER_S,
				      .told_s = dns->time_ns / NS_PER_S,
				      .tag = tag};

	if (print(p, dns, identity) < 0)
		return -ENOMEM;
	line.text = p->line;
	line.len = p->len;
	return p->fn(p->ctx, &line);
}

int dns_pairs_take(struct dns_pairs *p, const uint8_t stream[static WIRE_STREAM_ID],
		   const struct batch_dns *dns, const struct flowrec_identity *identity,
		   uint64_t tag, bool is_wanted)
{
	const uint64_t wait_ns = (uint64_t)DNS_PAIRS_WAIT_S * NS_PER_S;
	bool is_other = memcmp(p->stream, stream, WIRE_STREAM_ID) != 0;
	struct waiting *w;
	int rc = expire(p, is_other                 ? UINT64_MAX
			   : dns->time_ns > wait_ns ? dns->time_ns - wait_ns
						    : 0);

	memcpy(p->stream, stream, WIRE_STREAM_ID);
	if (rc != 0 || dns->kind != BATCH_DNS)
		return rc;
	if (!dns->is_response)
		return wait_for(p, dns, identity, tag, is_wanted);
	if (!dns->is_matched)
		return 0;
	w = find(p, dns);
	if (w)
		w->is_answered = true;
	return is_wanted ? tell(p, dns, identity, tag) : 0;
}
