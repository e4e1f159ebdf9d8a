// SPDX-License-Identifier: Apache-2.0
/*
 * The engine: who sent what is told apart here, peers are added up, and those that changed are shown to the
 * detectors when somebody asks.
 */
#include "evidence/findings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/detect.h"
#include "evidence/table.h"
#include "platform/clock.h"
#include "platform/crypto.h"
#include "platform/hash.h"

enum {
	EARLY_S = 60, /* a connection without SYN that is seen so soon began before the watch */
	SYN = 2,
	TCP = 6,
	DETECTORS_MAX = 24,
	NAME_MAX_BYTES = 1024,
};

struct owner {
	char sensor[WIRE_SENSOR_ID_MAX];
	uint64_t is_replay;
};

struct source {
	char interface[FLOWREC_ID_MAX + 1];
	uint64_t owner;
};

struct stream {
	uint8_t id[WIRE_STREAM_ID];
	uint64_t begin_s; /* of its first record */
};

/* Indices waiting for something; each at most once. */
struct queue {
	uint32_t *at;
	size_t n, cap, done;
};

struct findings {
	uint64_t key[2];
	struct table *owners, *sources, *streams, *peers, *findings;
	struct queue dirty, news;
	const struct finding **sorted;
	void *states[DETECTORS_MAX];
	bool has_new; /* something was added since the detectors settled */
	int rc;       /* sticky: no memory while judging */
};

/* ---- life ---- */

int findings_new(struct findings **ret, const struct findings_config *config, struct err *err)
{
	struct findings *f = calloc(1, sizeof *f);
	int rc;

	if (!f)
		return err_set(err, -ENOMEM, "no memory for findings");
	crypto_random(f->key, sizeof f->key);
	rc = table_new(&f->owners, sizeof(struct owner), sizeof(struct owner),
		       FINDINGS_SOURCES_MAX);
	if (rc == 0)
		rc = table_new(&f->sources, sizeof(struct source), sizeof(struct source),
			       FINDINGS_SOURCES_MAX);
	if (rc == 0)
		rc = table_new(&f->streams, sizeof(struct stream), WIRE_STREAM_ID,
			       FINDINGS_SOURCES_MAX);
	if (rc == 0)
		rc = table_new(&f->peers, sizeof(struct peer), sizeof(struct peer_key),
			       config->max);
	if (rc == 0)
		rc = table_new(&f->findings, sizeof(struct finding), sizeof(struct finding_key),
			       config->max);
	if (rc < 0)
		(void)err_set(err, rc, "no memory for findings");
	for (size_t i = 0; rc == 0 && detectors[i]; i++)
		if (detectors[i]->open)
			rc = detectors[i]->open(&f->states[i], config, err);
	if (rc < 0) {
		findings_free(f);
		return rc;
	}
	*ret = f;
	return 0;
}

void findings_free(struct findings *f)
{
	if (!f)
		return;
	for (size_t i = 0; detectors[i]; i++)
		if (detectors[i]->close && f->states[i])
			detectors[i]->close(f->states[i]);
	for (size_t i = 0; f->findings && i < table_count(f->findings); i++)
		free((void *)(uintptr_t)((struct finding *)table_at(f->findings, i))->name);
	table_free(f->owners);
	table_free(f->sources);
	table_free(f->streams);
	table_free(f->peers);
	table_free(f->findings);
	free(f->dirty.at);
	free(f->news.at);
	free(f->sorted);
	free(f);
}

size_t findings_memory(const struct findings_config *config)
{
	size_t sum = sizeof(struct findings) +
		     table_memory(sizeof(struct owner), FINDINGS_SOURCES_MAX) +
		     table_memory(sizeof(struct source), FINDINGS_SOURCES_MAX) +
		     table_memory(sizeof(struct stream), FINDINGS_SOURCES_MAX) +
		     table_memory(sizeof(struct peer), config->max) +
		     table_memory(sizeof(struct finding), config->max) +
		     config->max * (2 * sizeof(uint32_t) + sizeof(struct finding *));

	for (size_t i = 0; detectors[i]; i++)
		sum += detectors[i]->memory;
	return sum;
}

static int push(struct queue *q, size_t index)
{
	if (q->done == q->n)
		q->n = q->done = 0;
	if (q->n == q->cap) {
		size_t cap = q->cap ? 2 * q->cap : 64;
		uint32_t *more = reallocarray(q->at, cap, sizeof *more);

		if (!more)
			return -ENOMEM;
		q->at = more;
		q->cap = cap;
	}
	q->at[q->n++] = (uint32_t)index;
	return 0;
}

/* ---- who sent it ---- */

static void set_text(char *out, size_t size, const char *text)
{
	memset(out, 0, size);
	memcpy(out, text, strnlen(text, size - 1));
}

/* Fills all but `source`. Beyond FINDINGS_SOURCES_MAX the last one stands for what follows. */
static int take_from(struct findings *f, const struct findings_from *from, struct detect_from *ret)
{
	struct owner owner = {.is_replay = from->hello && from->hello->is_replay};
	struct stream stream = {.begin_s = UINT64_MAX};
	void *at;
	int rc;

	set_text(owner.sensor, sizeof owner.sensor, from->sensor);
	rc = table_take(f->owners, &owner, &at);
	if (rc < 0)
		return rc;
	ret->owner = at ? (uint32_t)table_index(f->owners, at) : FINDINGS_SOURCES_MAX - 1;
	memcpy(stream.id, from->stream, sizeof stream.id);
	rc = table_take(f->streams, &stream, &at);
	if (rc < 0)
		return rc;
	ret->stream = at ? (uint32_t)table_index(f->streams, at) : FINDINGS_SOURCES_MAX - 1;
	ret->sequence = from->sequence;
	return 0;
}

static int take_source(struct findings *f, const struct findings_from *from, uint16_t iface,
		       struct detect_from *ret)
{
	const struct wire_hello *hello = from->hello;
	struct source source = {.owner = ret->owner};
	void *at;
	int rc;

	if (hello && iface < hello->n_interfaces && hello->interfaces[iface].interface)
		set_text(source.interface, sizeof source.interface,
			 hello->interfaces[iface].interface);
	rc = table_take(f->sources, &source, &at);
	if (rc == 0)
		ret->source = at ? (uint32_t)table_index(f->sources, at) : FINDINGS_SOURCES_MAX - 1;
	return rc;
}

void findings_origin(const struct findings *f, const struct finding *finding,
		     struct finding_origin *ret)
{
	const struct source *source = table_at(f->sources, finding->source);
	const struct owner *owner = table_at(f->owners, finding->key.owner);

	*ret = (struct finding_origin){.sensor = owner->sensor,
				       .interface = source->interface,
				       .is_replay = owner->is_replay};
	for (size_t i = 0; i < finding->evidence.n; i++)
		memcpy(ret->streams[i],
		       ((struct stream *)table_at(f->streams, finding->evidence.spans[i].stream))
			       ->id,
		       WIRE_STREAM_ID);
}

/* ---- adding ---- */

/* The peer with this key; *ret is NULL when there is no room. */
static int take_peer(struct findings *f, const struct peer_key *key, const struct detect_from *from,
		     struct peer **ret)
{
	struct peer fresh = {.key = *key, .first = UINT64_MAX, .source = from->source};
	bool was_dirty;
	void *at;
	int rc;

	fresh.key.owner = from->owner;
	rc = table_take(f->peers, &fresh, &at);
	*ret = at;
	if (rc < 0 || !at)
		return rc;
	was_dirty = (*ret)->is_dirty;
	evidence_add(&(*ret)->evidence, from->stream, from->sequence);
	f->has_new = true;
	if (was_dirty)
		return 0;
	(*ret)->is_dirty = true;
	return push(&f->dirty, table_index(f->peers, at));
}

static bool is_rule(const struct findings_from *from, uint16_t rule, const char *name)
{
	return from->hello && rule && rule <= from->hello->n_rules &&
	       strcmp(from->hello->rules[rule - 1], name) == 0;
}

/* A connection whose first packets were seen by nobody. */
static bool is_under_way(struct findings *f, const struct detect_from *from,
			 const struct flowrec *rec)
{
	struct stream *stream = table_at(f->streams, from->stream);

	if (rec->start < stream->begin_s)
		stream->begin_s = rec->start;
	return rec->protocol == TCP && rec->outcome >= FLOWREC_ANSWERED &&
	       !(rec->tcp_flags & SYN) && rec->initiator != FLOWREC_INITIATOR_DST &&
	       rec->start < stream->begin_s + EARLY_S;
}

static int add_record(struct findings *f, const struct findings_from *batch,
		      struct detect_from *from, const struct flowrec *rec)
{
	struct peer_key key;
	struct peer *peer;
	bool out;
	int rc;

	if (rec->status != FLOWREC_OK)
		return 0;
	rc = take_source(f, batch, rec->iface, from);
	if (rc < 0)
		return rc;
	peer_key_of_record(&key, rec, &out);
	rc = take_peer(f, &key, from, &peer);
	if (rc < 0 || !peer)
		return rc;
	peer_add_record(peer, rec, out);
	peer->is_own = peer->is_own || is_rule(batch, rec->rule, "collector");
	peer->under_way = peer->under_way || is_under_way(f, from, rec);
	return 0;
}

int findings_add_record(struct findings *f, const struct findings_from *batch,
			const struct flowrec *rec)
{
	struct detect_from from;
	int rc = take_from(f, batch, &from);

	return rc == 0 ? add_record(f, batch, &from, rec) : rc;
}

static int add_alert(struct findings *f, const struct findings_from *batch,
		     struct detect_from *from, const struct batch_alert *alert)
{
	struct peer_key key;
	struct peer *peer;
	int rc = take_source(f, batch, alert->iface, from);

	if (rc < 0)
		return rc;
	peer_key_of_alert(&key, alert);
	rc = take_peer(f, &key, from, &peer);
	if (rc == 0 && peer)
		peer_add_alert(peer, alert);
	return rc;
}

static int add_digest(struct findings *f, const struct findings_from *batch,
		      struct detect_from *from, const struct endpoint_digest *digest)
{
	struct peer_key key;
	struct peer *peer;
	int rc = take_source(f, batch, 0, from);

	if (rc < 0)
		return rc;
	peer_key_of_digest(&key, digest);
	rc = take_peer(f, &key, from, &peer);
	if (rc < 0 || !peer)
		return rc;
	peer_add_digest(peer, digest);
	peer->is_own = peer->is_own || is_rule(batch, digest->rule, "collector");
	return 0;
}

int findings_add_rest(struct findings *f, const struct findings_from *batch_from,
		      const struct batch *batch, uint64_t from_s, uint64_t to_s)
{
	const struct batch_alert *alerts;
	const struct endpoint_digest *digests;
	struct detect_from from;
	int rc = take_from(f, batch_from, &from);
	size_t n;

	alerts = batch_alert_list(batch, &n);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		uint64_t sec = alerts[i].time_ns / NS_PER_S;

		if (sec >= from_s && sec <= to_s)
			rc = add_alert(f, batch_from, &from, &alerts[i]);
	}
	/* A digest cannot be cut: one that reaches out of the span tells of other times too. */
	digests = batch_endpoint_list(batch, &n);
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (digests[i].first >= from_s && digests[i].last <= to_s)
			rc = add_digest(f, batch_from, &from, &digests[i]);
	return rc;
}

int findings_add_batch(struct findings *f, const struct findings_from *batch_from,
		       struct batch *batch)
{
	struct detect_from from;
	struct flowrec rec;
	int rc = take_from(f, batch_from, &from);

	while (rc == 0 && batch_next(batch, &rec))
		rc = add_record(f, batch_from, &from, &rec);
	return rc == 0 ? findings_add_rest(f, batch_from, batch, 0, UINT64_MAX) : rc;
}

/* ---- judging ---- */

static void settle(struct findings *f)
{
	if (!f->has_new)
		return;
	for (; f->dirty.done < f->dirty.n; f->dirty.done++) {
		struct peer *peer = table_at(f->peers, f->dirty.at[f->dirty.done]);

		peer->is_dirty = false;
		for (size_t i = 0; detectors[i]; i++)
			if (detectors[i]->peer)
				detectors[i]->peer(f, f->states[i], peer);
	}
	for (size_t i = 0; detectors[i]; i++)
		if (detectors[i]->settle)
			detectors[i]->settle(f, f->states[i]);
	f->has_new = false;
}

static uint64_t name_id(const struct findings *f, const char *name)
{
	uint64_t words[NAME_MAX_BYTES / 8] = {0};
	size_t len = name ? strnlen(name, NAME_MAX_BYTES) : 0;

	if (len == 0)
		return 0;
	memcpy(words, name, len);
	return hash_sip13(f->key, words, (len + 7) / 8) | 1;
}

void detect_raise(struct findings *f, const struct finding *given)
{
	struct finding fresh = *given, *stands;
	size_t before = table_count(f->findings);
	void *at;

	if (f->rc < 0)
		return;
	fresh.key.name_id = name_id(f, given->name);
	fresh.is_news = false;
	f->rc = table_take(f->findings, &fresh, &at);
	if (f->rc < 0 || !at)
		return;
	stands = at;
	if (table_count(f->findings) > before) {
		if (given->name) {
			stands->name = strdup(given->name);
			if (!stands->name)
				f->rc = -ENOMEM;
		}
		stands->is_news = true;
	} else {
		fresh.name = stands->name;
		if (stands->severity > fresh.severity)
			fresh.severity = stands->severity;
		if (stands->reached > fresh.reached)
			fresh.reached = stands->reached;
		fresh.told = stands->told;
		fresh.is_news = stands->is_news;
		*stands = fresh;
		if (stands->is_news || stands->told >= (stands->severity << 4 | stands->reached))
			return;
		stands->is_news = true;
	}
	if (f->rc == 0)
		f->rc = push(&f->news, table_index(f->findings, at));
}

struct finding detect_of_peer(const struct peer *peer, enum finding_kind kind,
			      enum finding_severity severity)
{
	struct finding ret = {
		.key = {.remote = peer->key.remote,
			.owner = peer->key.owner,
			.port = peer->key.port,
			.family = peer->key.family,
			.protocol = peer->key.protocol,
			.kind = (uint8_t)kind,
			.direction = peer->key.direction},
		.remote = peer->key.remote,
		.first = peer->first,
		.last = peer->last,
		.traffic = peer_traffic(peer),
		.evidence = peer->evidence,
		.source = peer->source,
		.severity = (uint8_t)severity,
		.outcome = peer->outcome,
		.verdict = peer->verdict,
		.under_way = peer->under_way,
	};
	uint64_t sent = peer_payload(peer, ret.traffic.packets_out, ret.traffic.bytes_out);
	bool is_icmp = peer->key.protocol == 1 || peer->key.protocol == 58;
	/* A reply that brings back what came takes nothing out. */
	uint64_t echo =
		is_icmp ? peer_payload(peer, ret.traffic.packets_in, ret.traffic.bytes_in) : 0;

	if (peer->key.direction == FLOWREC_INGRESS)
		ret.reached = peer->outcome < FLOWREC_ANSWERED ? FINDING_ATTEMPTED
			      : sent > echo                    ? FINDING_DATA_OUT
							       : FINDING_ANSWERED;
	else
		ret.reached = peer->outcome == FLOWREC_DATA_OUT   ? FINDING_DATA_OUT
			      : peer->outcome == FLOWREC_ANSWERED ? FINDING_ANSWERED
								  : FINDING_ATTEMPTED;
	return ret;
}

enum finding_severity detect_tempered(const struct peer *peer, enum finding_severity severity)
{
	if (peer->verdict == FLOWREC_EXPECTED)
		return FINDING_INFO;
	if (peer->verdict == FLOWREC_WATCHED && severity > FINDING_LOW)
		return FINDING_LOW;
	return severity;
}

size_t detect_peer_count(const struct findings *f)
{
	return table_count(f->peers);
}

const struct peer *detect_peer_at(const struct findings *f, size_t index)
{
	return table_at(f->peers, index);
}

/* ---- asking ---- */

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare(const void *one, const void *two)
{
	const struct finding *a = *(const struct finding *const *)one;
	const struct finding *b = *(const struct finding *const *)two;
	int order = compare_numbers(b->severity, a->severity);

	if (order == 0)
		order = compare_numbers(a->key.kind, b->key.kind);
	if (order == 0)
		order = compare_numbers(a->first, b->first);
	if (order == 0)
		order = compare_numbers(a->key.owner, b->key.owner);
	if (order == 0)
		order = compare_numbers(a->key.family, b->key.family);
	if (order == 0)
		order = memcmp(&a->remote, &b->remote, sizeof a->remote);
	if (order == 0)
		order = compare_numbers(a->key.port, b->key.port);
	if (order == 0)
		order = compare_numbers(a->key.protocol, b->key.protocol);
	return order || !a->name || !b->name ? order : strcmp(a->name, b->name);
}

int findings_sort(struct findings *f, const struct finding *const **ret, size_t *ret_n)
{
	size_t n;

	settle(f);
	if (f->rc < 0)
		return f->rc;
	n = table_count(f->findings);
	free(f->sorted);
	f->sorted = calloc(n + 1, sizeof *f->sorted);
	if (!f->sorted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		f->sorted[i] = table_at(f->findings, i);
	qsort(f->sorted, n, sizeof *f->sorted, compare);
	*ret = f->sorted;
	*ret_n = n;
	return 0;
}

const struct finding *findings_next_news(struct findings *f)
{
	struct finding *finding;

	settle(f);
	if (f->rc < 0 || f->news.done == f->news.n)
		return NULL;
	finding = table_at(f->findings, f->news.at[f->news.done++]);
	finding->is_news = false;
	finding->told = (uint8_t)(finding->severity << 4 | finding->reached);
	return finding;
}

void findings_stats(const struct findings *f, struct findings_stats *ret)
{
	*ret = (struct findings_stats){
		.findings = table_count(f->findings),
		.peers = table_count(f->peers),
		.findings_left_out = table_left_out(f->findings),
		.peers_left_out = table_left_out(f->peers),
	};
	for (size_t i = 0; detectors[i]; i++)
		if (detectors[i]->left_out && f->states[i])
			ret->state_left_out += detectors[i]->left_out(f->states[i]);
}
