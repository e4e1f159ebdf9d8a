// SPDX-License-Identifier: Apache-2.0
/*
 * The engine judges: peers that changed are shown to the detectors when somebody asks, and what they raise is kept.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/findings_parts.h"
#include "platform/hash.h"

enum { HASH_BYTES_MAX = 1024 };

int findings_push(struct queue *q, size_t index)
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

/* ---- judging ---- */

void detect_fail(struct findings *f)
{
	f->rc = -ENOMEM;
}

size_t detect_names(const struct findings *f, uint32_t owner, uint8_t family,
		    const struct addr *addr, const char *ret[static KNOWN_NAMES_EACH])
{
	bool more;

	return known_names_of(f->names, owner, family, addr, ret, &more);
}

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

/* Little-endian on every machine: the same store must give the same counts. */
void findings_words(uint64_t *words, const uint8_t *bytes, size_t len)
{
	memset(words, 0, (len + 7) / 8 * sizeof *words);
	for (size_t i = 0; i < len; i++)
		words[i / 8] |= (uint64_t)bytes[i] << 8 * (i % 8);
}

uint64_t detect_hash(const struct findings *f, const void *bytes, size_t len)
{
	uint64_t words[HASH_BYTES_MAX / 8];

	if (len > HASH_BYTES_MAX)
		len = HASH_BYTES_MAX;
	findings_words(words, bytes, len);
	return hash_sip13(f->key, words, (len + 7) / 8);
}

/* Of one domain, one entry of a list, one role there may be findings beside each other. */
static bool is_named(uint8_t kind)
{
	return kind == FINDING_DNS_TUNNEL || kind == FINDING_WATCH_LIST || kind == FINDING_BEACON ||
	       kind == FINDING_METADATA_CREDENTIALS || kind == FINDING_LOG_WIPED ||
	       kind == FINDING_BLINDING;
}

void detect_raise(struct findings *f, const struct finding *given)
{
	struct finding fresh = *given, *stands;
	size_t before = table_count(f->findings);
	void *at;

	if (f->rc < 0)
		return;
	if (given->name && is_named(given->key.kind))
		fresh.key.name_id = detect_hash(f, given->name, strlen(given->name)) | 1;
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
		fresh.before = stands->before;
		fresh.is_news = stands->is_news;
		*stands = fresh;
		if (stands->is_news || stands->told > (stands->severity << 4 | stands->reached))
			return;
		stands->is_news = true;
	}
	if (f->rc == 0)
		f->rc = findings_push(&f->news, table_index(f->findings, at));
}

void detect_merge(struct finding *sum, const struct finding *more)
{
	/* The first one stands for all. */
	if (more->first < sum->first ||
	    (more->first == sum->first &&
	     memcmp(&more->remote, &sum->remote, sizeof sum->remote) < 0)) {
		sum->remote = more->remote;
		sum->first = more->first;
		sum->source = more->source;
	}
	if (more->last > sum->last)
		sum->last = more->last;
	sum->traffic.packets_out += more->traffic.packets_out;
	sum->traffic.bytes_out += more->traffic.bytes_out;
	sum->traffic.packets_in += more->traffic.packets_in;
	sum->traffic.bytes_in += more->traffic.bytes_in;
	sum->traffic.records += more->traffic.records;
	if (more->outcome > sum->outcome)
		sum->outcome = more->outcome;
	if (more->reached > sum->reached)
		sum->reached = more->reached;
	if (more->verdict > sum->verdict)
		sum->verdict = more->verdict;
	evidence_merge(&sum->evidence, &more->evidence);
}

void detect_add(struct findings *f, const struct finding *given)
{
	struct finding sum = *given;
	const struct finding *stands;

	if (given->name && is_named(given->key.kind))
		sum.key.name_id = detect_hash(f, given->name, strlen(given->name)) | 1;
	stands = table_find(f->findings, &sum);
	if (stands) {
		sum = *stands;
		sum.name = given->name;
		sum.severity = given->severity;
		sum.reached = given->reached;
		sum.count += given->count;
		detect_merge(&sum, given);
	}
	detect_raise(f, &sum);
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

const struct peer *detect_find_peer(const struct findings *f, const struct peer_key *key)
{
	return table_find(f->peers, key);
}

size_t detect_peer_count(const struct findings *f)
{
	return table_count(f->peers);
}

const struct peer *detect_peer_at(const struct findings *f, size_t index)
{
	return table_at(f->peers, index);
}

const struct peer *detect_peer(const struct findings *f, const struct peer_key *key)
{
	return table_find(f->peers, key);
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
	if (order == 0)
		order = (a->name != NULL) - (b->name != NULL);
	return order || !a->name ? order : strcmp(a->name, b->name);
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

const struct finding *findings_find(const struct findings *f, const struct finding_key *key)
{
	return table_find(f->findings, key);
}

const struct finding *findings_next_news(struct findings *f)
{
	struct finding *finding;

	settle(f);
	if (f->rc < 0 || f->news.done == f->news.n)
		return NULL;
	finding = table_at(f->findings, f->news.at[f->news.done++]);
	finding->is_news = false;
	finding->before = finding->told;
	finding->told = (uint8_t)(1 + (finding->severity << 4 | finding->reached));
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
