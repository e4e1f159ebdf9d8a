// SPDX-License-Identifier: Apache-2.0
/*
 * The engine takes in: who sent what is told apart, peers are added up, and those that changed are noted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/findings_parts.h"
#include "platform/clock.h"

enum {
	EARLY_S = 60, /* a connection without SYN that is seen so soon began before the watch */
	SYN = 2,
	TCP = 6,
	UDP = 17,
	HTTPS = 443,
	NAMES_PART = 8, /* names of an eighth of the peers */
};

/* ---- life ---- */

static size_t names_max(const struct findings_config *config)
{
	return config->max / NAMES_PART + 1;
}

int findings_new(struct findings **ret, const struct findings_config *config, struct err *err)
{
	struct findings *f = calloc(1, sizeof *f);
	int rc;

	if (!f)
		return err_set(err, -ENOMEM, "no memory for findings");
	rc = table_new(&f->owners, sizeof(struct owner), sizeof(struct owner),
		       FINDINGS_SOURCES_MAX);
	if (rc == 0)
		rc = table_new(&f->sources, sizeof(struct source), SOURCE_KEY,
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
	if (rc == 0)
		rc = known_names_new(&f->names, names_max(config));
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
	known_names_free(f->names);
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
		     known_names_memory(names_max(config)) +
		     table_memory(sizeof(struct peer), config->max) +
		     table_memory(sizeof(struct finding), config->max) +
		     config->max * (2 * sizeof(uint32_t) + sizeof(struct finding *));

	for (size_t i = 0; detectors[i]; i++)
		sum += detectors[i]->memory ? detectors[i]->memory(config) : 0;
	return sum;
}

/* ---- who sent it ---- */

static void set_text(char *out, size_t size, const char *text)
{
	memset(out, 0, size);
	if (text)
		memcpy(out, text, strnlen(text, size - 1));
}

/* Takes the item; its number, or that of the last one, which stands for what finds no room. */
static int take_number(struct table *table, const void *item, size_t *ret)
{
	void *at;
	int rc = table_take(table, item, &at);

	*ret = at ? table_index(table, at) : FINDINGS_SOURCES_MAX - 1;
	return rc;
}

static int take_owner(struct findings *f, const struct findings_from *from)
{
	struct owner owner = {.is_replay = from->hello && from->hello->is_replay};

	if (f->owner < table_count(f->owners)) {
		const struct owner *last = table_at(f->owners, f->owner);

		if (last->is_replay == owner.is_replay && strcmp(last->sensor, from->sensor) == 0)
			return 0;
	}
	set_text(owner.sensor, sizeof owner.sensor, from->sensor);
	return take_number(f->owners, &owner, &f->owner);
}

static int take_stream(struct findings *f, const struct findings_from *from)
{
	struct stream stream = {.begin_s = UINT64_MAX};

	if (f->stream < table_count(f->streams) &&
	    memcmp(((struct stream *)table_at(f->streams, f->stream))->id, from->stream,
		   sizeof stream.id) == 0)
		return 0;
	memcpy(stream.id, from->stream, sizeof stream.id);
	if (!f->has_key)
		findings_words(f->key, stream.id, sizeof stream.id);
	f->has_key = true;
	return take_number(f->streams, &stream, &f->stream);
}

/* Fills all but `source`. */
static int take_from(struct findings *f, const struct findings_from *from, struct detect_from *ret)
{
	int rc = take_owner(f, from);

	if (rc == 0)
		rc = take_stream(f, from);
	*ret = (struct detect_from){.owner = (uint32_t)f->owner,
				    .stream = (uint32_t)f->stream,
				    .sequence = from->sequence};
	return rc;
}

static void set_source(struct source *source, const struct flowrec_identity *of)
{
	set_text(source->interface, sizeof source->interface, of->interface);
	set_text(source->account, sizeof source->account, of->text[FLOWREC_T_ACCOUNT_ID]);
	set_text(source->region, sizeof source->region, of->text[FLOWREC_T_REGION]);
	set_text(source->instance, sizeof source->instance, of->text[FLOWREC_T_INSTANCE_ID]);
	set_text(source->interface_id, sizeof source->interface_id,
		 of->text[FLOWREC_T_INTERFACE_ID]);
}

static int take_source(struct findings *f, const struct findings_from *from, uint16_t iface,
		       struct detect_from *ret)
{
	const struct flowrec_identity *of = from->hello && iface < from->hello->n_interfaces
						    ? &from->hello->interfaces[iface]
						    : NULL;
	struct source source = {.owner = ret->owner};
	const struct source *last =
		f->source < table_count(f->sources) ? table_at(f->sources, f->source) : NULL;
	int rc = 0;

	if (!last || last->owner != ret->owner ||
	    strcmp(last->interface, of && of->interface ? of->interface : "") != 0) {
		if (of)
			set_source(&source, of);
		rc = take_number(f->sources, &source, &f->source);
	}
	ret->source = (uint32_t)f->source;
	return rc;
}

const char *findings_owner(const struct findings *f, const struct finding *finding,
			   bool *ret_is_replay)
{
	const struct owner *owner = table_at(f->owners, finding->key.owner);

	*ret_is_replay = owner->is_replay;
	return owner->sensor;
}

void findings_origin(const struct findings *f, const struct finding *finding,
		     struct finding_origin *ret)
{
	const struct source *source = table_at(f->sources, finding->source);
	const struct owner *owner = table_at(f->owners, finding->key.owner);

	*ret = (struct finding_origin){.sensor = owner->sensor,
				       .interface = source->interface,
				       .account = source->account,
				       .region = source->region,
				       .instance = source->instance,
				       .interface_id = source->interface_id,
				       .is_replay = owner->is_replay};
	ret->n_names = known_names_of(f->names, finding->key.owner, finding->key.family,
				      &finding->remote, ret->names, &ret->more_names);
	for (size_t i = 0; i < finding->evidence.n; i++)
		memcpy(ret->streams[i],
		       ((struct stream *)table_at(f->streams, finding->evidence.spans[i].stream))
			       ->id,
		       WIRE_STREAM_ID);
}

/* ---- adding ---- */

/* It is to be judged. */
static int mark(struct findings *f, struct peer *peer)
{
	f->has_new = true;
	if (peer->is_dirty)
		return 0;
	peer->is_dirty = true;
	return findings_push(&f->dirty, table_index(f->peers, peer));
}

/* The peer with this key; *ret is NULL when there is no room. */
static int take_peer(struct findings *f, const struct peer_key *key, const struct detect_from *from,
		     struct peer **ret)
{
	struct peer fresh = {.key = *key, .first = UINT64_MAX, .source = from->source};
	void *at;
	int rc;

	fresh.key.owner = from->owner;
	rc = table_take(f->peers, &fresh, &at);
	*ret = at;
	if (rc < 0 || !at)
		return rc;
	evidence_add(&(*ret)->evidence, from->stream, from->sequence);
	return mark(f, at);
}

/* What the rule that decided is: the sensor's own stream, or a breach with a severity of its own. */
static void note_rule(const struct findings_from *from, struct peer *peer, uint16_t rule)
{
	const struct wire_hello *hello = from->hello;

	if (!hello || rule == 0 || rule > hello->n_rules)
		return;
	peer->is_own = peer->is_own || strcmp(hello->rules[rule - 1], "collector") == 0;
	if (hello->severities && hello->severities[rule - 1] > peer->breach)
		peer->breach = hello->severities[rule - 1];
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
	peer_add_record(peer, rec, out, f->key);
	note_rule(batch, peer, rec->rule);
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
	note_rule(batch, peer, digest->rule);
	return 0;
}

static int add_name(struct findings *f, const struct findings_from *batch, struct detect_from *from,
		    const struct batch_name *name)
{
	/* Whom it may make a resolver, or one on the list. */
	const struct {
		uint16_t port;
		uint8_t protocol;
	} told[] = {{name->port, name->protocol}, {HTTPS, TCP}, {HTTPS, UDP}};
	int rc = take_source(f, batch, name->iface, from);

	if (rc == 0)
		rc = known_names_add(f->names, from->owner, name);
	for (size_t i = 0; rc == 0 && i < sizeof told / sizeof told[0]; i++) {
		struct peer_key key = {.remote = name->remote,
				       .owner = from->owner,
				       .port = told[i].port,
				       .family = name->family,
				       .protocol = told[i].protocol,
				       .direction = FLOWREC_EGRESS};
		struct peer *peer = table_find(f->peers, &key);

		if (peer)
			rc = mark(f, peer);
	}
	for (size_t i = 0; rc == 0 && detectors[i]; i++)
		if (detectors[i]->name_seen)
			detectors[i]->name_seen(f, f->states[i], from, name);
	return rc < 0 ? rc : f->rc;
}

/* What the payload told. */
static int add_names(struct findings *f, const struct findings_from *batch_from,
		     struct detect_from *from, const struct batch *batch, uint64_t from_s,
		     uint64_t to_s)
{
	const struct batch_dns *dns;
	const struct batch_name *names;
	const struct batch_http *http;
	const struct batch_burst *bursts;
	int rc = 0;
	size_t n;

	names = batch_name_list(batch, &n);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_name(f, batch_from, from, &names[i]);
	dns = batch_dns_list(batch, &n);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (dns[i].time_ns / NS_PER_S < from_s || dns[i].time_ns / NS_PER_S > to_s)
			continue;
		rc = take_source(f, batch_from, dns[i].iface, from);
		for (size_t k = 0; rc == 0 && detectors[k]; k++)
			if (detectors[k]->dns)
				detectors[k]->dns(f, f->states[k], from, &dns[i]);
	}
	bursts = batch_burst_list(batch, &n);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (bursts[i].tenths[0] / 10 < from_s ||
		    bursts[i].tenths[bursts[i].n - 1] / 10 > to_s)
			continue;
		rc = take_source(f, batch_from, 0, from);
		for (size_t k = 0; rc == 0 && detectors[k]; k++)
			if (detectors[k]->burst)
				detectors[k]->burst(f, f->states[k], from, &bursts[i]);
	}
	http = batch_http_list(batch, &n);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (http[i].time_ns / NS_PER_S < from_s || http[i].time_ns / NS_PER_S > to_s)
			continue;
		rc = take_source(f, batch_from, http[i].iface, from);
		for (size_t k = 0; rc == 0 && detectors[k]; k++)
			if (detectors[k]->http)
				detectors[k]->http(f, f->states[k], from, &http[i]);
	}
	f->has_new = true;
	return rc < 0 ? rc : f->rc;
}

static int add_events(struct findings *f, const struct findings_from *batch_from,
		      struct detect_from *from, const struct batch *batch, uint64_t from_s,
		      uint64_t to_s)
{
	const struct batch_event *events;
	int rc = 0;
	size_t n;

	events = batch_event_list(batch, &n);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		uint64_t sec = events[i].time_ns / NS_PER_S;

		if (sec < from_s || sec > to_s)
			continue;
		rc = take_source(f, batch_from, batch_event_interface(&events[i]), from);
		for (size_t k = 0; rc == 0 && detectors[k]; k++)
			if (detectors[k]->event)
				detectors[k]->event(f, f->states[k], from, batch_from->hello,
						    &events[i]);
	}
	f->has_new = f->has_new || n > 0;
	return rc < 0 ? rc : f->rc;
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
	if (rc == 0)
		rc = add_events(f, batch_from, &from, batch, from_s, to_s);
	return rc == 0 ? add_names(f, batch_from, &from, batch, from_s, to_s) : rc;
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
