// SPDX-License-Identifier: Apache-2.0
/*
 * names_asked: see names_asked.h.
 */
#include "sensor/names_asked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/hash.h"

struct waiting {
	struct batch_dns query; /* its name is `name` */
	uint64_t question;      /* hash of the name in lower case */
	bool used;
	char name[BATCH_NAME_MAX + 1];
};

struct asked_table {
	struct asked_sink sink;
	uint64_t key[2];
	size_t slots;
	uint64_t forgotten;
	struct waiting waiting[];
};

static size_t rounded(size_t slots)
{
	size_t n = ASKED_WAYS;

	while (n < slots)
		n *= 2;
	return n;
}

size_t asked_memory(size_t slots)
{
	return sizeof(struct asked_table) + rounded(slots) * sizeof(struct waiting);
}

int asked_new(struct asked_table **ret, size_t slots, const uint64_t key[static 2],
	      const struct asked_sink *sink)
{
	struct asked_table *t = calloc(1, asked_memory(slots));

	if (!t)
		return -ENOMEM;
	memcpy(t->key, key, sizeof t->key);
	t->slots = rounded(slots);
	t->sink = *sink;
	*ret = t;
	return 0;
}

void asked_free(struct asked_table *t)
{
	free(t);
}

static uint64_t question_hash(const struct asked_table *t, const struct dns_name *name)
{
	uint64_t words[(DNS_NAME_WIRE + 8) / 8] = {0};

	memcpy(words, name->bytes, name->len);
	return hash_sip13(t->key, words, sizeof words / sizeof *words);
}

static struct waiting *set_of(struct asked_table *t, const struct batch_dns *d)
{
	uint64_t words[5];

	memcpy(words, d->client.b, 16);
	memcpy(words + 2, d->server.b, 16);
	words[4] = (uint64_t)d->client_port << 48 | (uint64_t)d->server_port << 32 |
		   (uint64_t)d->id << 16 | (uint64_t)d->iface << 8 | d->family;
	return t->waiting +
	       (hash_sip13(t->key, words, 5) & (t->slots - 1)) / ASKED_WAYS * ASKED_WAYS;
}

static bool is_same(const struct waiting *w, const struct batch_dns *d, uint64_t question)
{
	const struct batch_dns *q = &w->query;

	return w->used && q->id == d->id && q->client_port == d->client_port &&
	       q->server_port == d->server_port && q->family == d->family && q->iface == d->iface &&
	       q->over_tcp == d->over_tcp && q->qtype == d->qtype && q->qclass == d->qclass &&
	       w->question == question && memcmp(&q->client, &d->client, sizeof d->client) == 0 &&
	       memcmp(&q->server, &d->server, sizeof d->server) == 0;
}

static struct waiting *find(struct asked_table *t, const struct batch_dns *d, uint64_t question)
{
	struct waiting *set = set_of(t, d);

	for (struct waiting *w = set; w < set + ASKED_WAYS; w++)
		if (is_same(w, d, question))
			return w;
	return NULL;
}

static void give_back(struct asked_table *t, struct waiting *w)
{
	w->used = false;
	w->query.name = w->name;
	t->sink.unanswered(t->sink.ctx, &w->query);
}

void asked_put(struct asked_table *t, const struct batch_dns *query,
	       const struct dns_name *question)
{
	uint64_t hash = question_hash(t, question);
	struct waiting *set = set_of(t, query), *place = set;

	if (find(t, query, hash))
		return; /* asked again: it waits since the first time */
	for (struct waiting *w = set; w < set + ASKED_WAYS && place->used; w++)
		if (!w->used || w->query.time_ns < place->query.time_ns)
			place = w;
	if (place->used) {
		t->forgotten +=
			query->time_ns < place->query.time_ns + ASKED_WAIT_S * (uint64_t)NS_PER_S;
		give_back(t, place);
	}
	place->query = *query;
	place->query.answers = NULL;
	place->query.n_answers = 0;
	place->question = hash;
	place->used = true;
	strncpy(place->name, query->name, BATCH_NAME_MAX);
}

uint64_t asked_take(struct asked_table *t, const struct batch_dns *response,
		    const struct dns_name *question)
{
	struct waiting *w = find(t, response, question_hash(t, question));

	if (!w)
		return 0;
	w->used = false;
	return w->query.time_ns;
}

void asked_expire(struct asked_table *t, uint64_t before_ns)
{
	for (size_t i = 0; i < t->slots; i++)
		if (t->waiting[i].used && t->waiting[i].query.time_ns < before_ns)
			give_back(t, &t->waiting[i]);
}

uint64_t asked_forgotten(const struct asked_table *t)
{
	return t->forgotten;
}
