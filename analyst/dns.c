// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof records --dns: queries and their responses are messages of their own in the ledger; a line is a response to a query
 * that was seen, or a query that got none within WAIT_S.
 */
#include "analyst/dns.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "proto/dns_log.h"

enum { BUCKETS = 4096, WAIT_S = 60 };

/* What a line says of an interface. */
static const enum flowrec_text said[] = {FLOWREC_T_ACCOUNT_ID, FLOWREC_T_REGION, FLOWREC_T_VPC_ID,
					 FLOWREC_T_INSTANCE_ID};
enum { SAID = sizeof said / sizeof said[0] };

struct waiting {
	struct waiting *next;  /* of its bucket */
	struct waiting *later; /* came after it */
	bool is_answered;
	uint8_t stream[WIRE_STREAM_ID];
	struct batch_dns query;
	char name[];
};

struct dns {
	const struct query *query;
	struct waiting *buckets[BUCKETS];
	struct waiting *first, *last; /* in the order in which they were asked */
	/* The stream that is read now, and whose interfaces these are: its last queries are told when its hello is gone. */
	uint8_t stream[WIRE_STREAM_ID];
	bool has_identities;
	struct flowrec_identity identities[WIRE_INTERFACES_MAX];
	char texts[WIRE_INTERFACES_MAX][SAID][FLOWREC_TEXT_MAX + 1];
	uint64_t left_out; /* of all streams before this one */
	uint64_t stream_left_out;
	bool failed; /* standard output */
};

static void print(struct dns *d, const struct batch_dns *dns)
{
	uint64_t asked_s = (dns->time_ns - dns->waited_ns) / NS_PER_S;

	if (query_wants(d->query, asked_s, dns->time_ns / NS_PER_S))
		dns_log_print(stdout, dns, &d->identities[dns->iface]);
	d->failed = d->failed || ferror(stdout);
}

static struct waiting **bucket_of(struct dns *d, const struct batch_dns *dns)
{
	uint32_t hash = (uint32_t)dns->id << 16 ^ dns->client_port ^
			(uint32_t)dns->client.b[3] << 8 ^ dns->qtype;

	return &d->buckets[(hash * 2654435761U) >> 20];
}

static bool is_answer(const struct waiting *w, const uint8_t *stream, const struct batch_dns *dns)
{
	const struct batch_dns *q = &w->query;

	return q->id == dns->id && q->client_port == dns->client_port &&
	       q->server_port == dns->server_port && q->qtype == dns->qtype &&
	       q->qclass == dns->qclass && q->iface == dns->iface && q->family == dns->family &&
	       q->over_tcp == dns->over_tcp && !w->is_answered &&
	       memcmp(w->stream, stream, WIRE_STREAM_ID) == 0 &&
	       memcmp(&q->client, &dns->client, sizeof q->client) == 0 &&
	       memcmp(&q->server, &dns->server, sizeof q->server) == 0 &&
	       strcmp(w->name, dns->name) == 0;
}

static struct waiting *find(struct dns *d, const uint8_t *stream, const struct batch_dns *dns)
{
	for (struct waiting *w = *bucket_of(d, dns); w; w = w->next)
		if (is_answer(w, stream, dns))
			return w;
	return NULL;
}

static int wait_for(struct dns *d, const uint8_t *stream, const struct batch_dns *dns)
{
	struct waiting **bucket = bucket_of(d, dns), *w;
	size_t len = strlen(dns->name);

	if (find(d, stream, dns))
		return 0; /* asked again */
	w = calloc(1, sizeof *w + len + 1);
	if (!w)
		return -ENOMEM;
	memcpy(w->name, dns->name, len + 1);
	memcpy(w->stream, stream, WIRE_STREAM_ID);
	w->query = *dns;
	w->query.name = w->name;
	w->query.answers = NULL;
	w->query.n_answers = 0;
	w->next = *bucket;
	*bucket = w;
	if (d->last)
		d->last->later = w;
	else
		d->first = w;
	d->last = w;
	return 0;
}

static void forget(struct dns *d, struct waiting *w)
{
	struct waiting **link = bucket_of(d, &w->query);

	while (*link != w)
		link = &(*link)->next;
	*link = w->next;
	d->first = w->later;
	if (!d->first)
		d->last = NULL;
	free(w);
}

/* Those that were asked before that time are told of; UINT64_MAX: all. */
static void expire(struct dns *d, uint64_t before_ns)
{
	while (d->first && (d->first->is_answered || d->first->query.time_ns < before_ns)) {
		if (!d->first->is_answered)
			print(d, &d->first->query);
		forget(d, d->first);
	}
}

static int take(struct dns *d, const struct ledger_entry *entry, const struct batch_dns *dns)
{
	struct waiting *w;

	if (dns->kind != BATCH_DNS)
		return 0;
	if (!dns->is_response)
		return wait_for(d, entry->stream, dns);
	if (!dns->is_matched)
		return 0;
	w = find(d, entry->stream, dns);
	if (w)
		w->is_answered = true;
	print(d, dns);
	return 0;
}

static void begin_stream(struct dns *d, const uint8_t *stream)
{
	expire(d, UINT64_MAX);
	memcpy(d->stream, stream, sizeof d->stream);
	memset(d->identities, 0, sizeof d->identities);
	d->has_identities = false;
	d->left_out += d->stream_left_out;
	d->stream_left_out = 0;
}

static void keep_identities(struct dns *d, const struct wire_hello *hello)
{
	for (size_t i = 0; i < hello->n_interfaces; i++)
		for (size_t k = 0; k < SAID; k++) {
			const char *text = hello->interfaces[i].text[said[k]];

			(void)snprintf(d->texts[i][k], sizeof d->texts[i][k], "%s",
				       text ? text : "");
			d->identities[i].text[said[k]] = d->texts[i][k];
		}
	d->has_identities = true;
}

static int add_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		     struct batch *batch)
{
	struct dns *d = ctx;
	const struct batch_dns *list;
	const uint64_t *counts;
	size_t n;
	int rc = 0;

	counts = batch_names_counts(batch, &n);
	if (memcmp(d->stream, entry->stream, sizeof d->stream) != 0)
		begin_stream(d, entry->stream);
	if (hello && !d->has_identities)
		keep_identities(d, hello);
	if (n > BATCH_NAMES_LEFT_OUT)
		d->stream_left_out = counts[BATCH_NAMES_LEFT_OUT];
	list = batch_dns_list(batch, &n);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		uint64_t wait_ns = (uint64_t)WAIT_S * NS_PER_S;

		expire(d, list[i].time_ns > wait_ns ? list[i].time_ns - wait_ns : 0);
		rc = take(d, entry, &list[i]);
	}
	return rc == 0 && d->failed ? QUERY_OUTPUT_BROKEN : rc;
}

int dns_print(struct query *query, struct err *err)
{
	static const struct replay_ops ops = {.batch = add_batch};
	struct dns *d = calloc(1, sizeof *d);
	int rc;

	if (!d)
		return err_set(err, -ENOMEM, "no memory for DNS");
	d->query = query;
	rc = query_run(query, &ops, d, err);
	if (rc == 0)
		expire(d, UINT64_MAX);
	while (d->first)
		forget(d, d->first);
	if (d->left_out + d->stream_left_out > 0)
		fprintf(stderr,
			"flowproof records: %" PRIu64 " messages and names were not told by the "
			"sensors, because too many came at once\n",
			d->left_out + d->stream_left_out);
	if (rc == 0 && d->failed)
		rc = QUERY_OUTPUT_BROKEN;
	free(d);
	return rc;
}
