// SPDX-License-Identifier: Apache-2.0
/*
 * judge: see judge.h.
 */
#include "sensor/judge.h"

#include <string.h>

#include "platform/clock.h"
#include "platform/config.h"
#include "platform/log.h"

enum { TCP = 6 };

static unsigned gravity(enum flowrec_verdict verdict)
{
	switch (verdict) {
	case FLOWREC_UNEXPECTED_EGRESS: return 4;
	case FLOWREC_UNEXPECTED_INBOUND: return 3;
	case FLOWREC_WATCHED: return 2;
	case FLOWREC_EXPECTED: return 1;
	case FLOWREC_VERDICT_NONE: break;
	}
	return 0;
}

/* ---- alerts ---- */

/* `name`: what it asked for; NULL: the address alone is unexpected. */
static void say(const struct batch_alert *alert, const char *name)
{
	char local[ADDR_ENDPOINT_TEXT], remote[ADDR_ENDPOINT_TEXT], when[CLOCK_TEXT];
	struct endpoint from = {
		.addr = alert->local, .port = alert->local_port, .family = alert->family};
	struct endpoint to = {
		.addr = alert->remote, .port = alert->remote_port, .family = alert->family};

	log_warn("policy", "unexpected egress: %s -> %s protocol %u, first packet %s%s%s%s",
		 endpoint_text(local, &from), endpoint_text(remote, &to), alert->protocol,
		 clock_text(when, alert->time_ns / NS_PER_S),
		 name ? ": an address that is expected, and it asks for '" : "", name ? name : "",
		 name ? "', which is not" : "");
	if (alert->suppressed)
		log_warn("policy",
			 "%llu alerts before this one were left out, more than %d came in a second",
			 (unsigned long long)alert->suppressed, ALERT_PER_SECOND);
}

static void raise_alert(struct judge *j, struct batch_alert *alert, const char *name)
{
	if (!alert_due(j->alerts, alert->family, &alert->remote, alert->remote_port,
		       alert->protocol, alert->time_ns / NS_PER_S, &alert->suppressed))
		return;
	j->n_alerts++;
	j->raised(j->ctx, alert);
	say(alert, name);
}

static struct batch_alert alert_of(const struct flow_key *k, const struct policy_query *query,
				   bool from_b, uint64_t now_ns)
{
	return (struct batch_alert){
		.local = from_b ? k->b : k->a,
		.remote = query->remote,
		.time_ns = now_ns,
		.local_port = from_b ? k->port_b : k->port_a,
		.remote_port = query->port,
		.iface = k->iface,
		.family = k->family,
		.protocol = k->protocol,
		.verdict = FLOWREC_UNEXPECTED_EGRESS,
	};
}

/* ---- waiting for a name ---- */

static bool same_key(const struct flow_key *a, const struct flow_key *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

/* The verdict that it would have had at once. */
static void settle(struct judge *j, size_t at)
{
	struct flow_entry *entry = flow_lookup(j->flows, &j->waiting.ring[at].key);

	j->waiting.ring[at].used = false;
	if (entry && entry->verdict == FLOWREC_VERDICT_NONE)
		entry->verdict = FLOWREC_UNEXPECTED_EGRESS;
	raise_alert(j, &j->waiting.ring[at].alert, NULL);
}

static void drop_first(struct judge_waiting *w)
{
	w->first = (w->first + 1) % JUDGE_WAITING_MAX;
	w->n--;
}

/* In a full ring the oldest has waited long enough. */
static void wait_for_name(struct judge *j, const struct flow_key *key,
			  const struct batch_alert *alert)
{
	struct judge_waiting *w = &j->waiting;
	size_t at;

	if (w->n == JUDGE_WAITING_MAX) {
		if (w->ring[w->first].used)
			settle(j, w->first);
		drop_first(w);
	}
	at = (w->first + w->n++) % JUDGE_WAITING_MAX;
	w->ring[at].used = true;
	w->ring[at].key = *key;
	w->ring[at].alert = *alert;
}

/* Its place; JUDGE_WAITING_MAX: it does not wait. */
static size_t find_waiting(const struct judge *j, const struct flow_key *key)
{
	const struct judge_waiting *w = &j->waiting;

	for (size_t i = 0; i < w->n; i++) {
		size_t at = (w->first + i) % JUDGE_WAITING_MAX;

		if (w->ring[at].used && same_key(&w->ring[at].key, key))
			return at;
	}
	return JUDGE_WAITING_MAX;
}

void judge_settle(struct judge *j, const struct flow_entry *entry)
{
	size_t at;

	if (!j->waiting.n || entry->verdict != FLOWREC_VERDICT_NONE)
		return;
	at = find_waiting(j, &entry->key);
	if (at < JUDGE_WAITING_MAX)
		settle(j, at);
}

void judge_tick(struct judge *j, uint64_t now_s)
{
	struct judge_waiting *w = &j->waiting;

	for (; w->n; drop_first(w)) {
		if (!w->ring[w->first].used)
			continue;
		if (w->ring[w->first].alert.time_ns / NS_PER_S + JUDGE_WAIT_S > now_s)
			return;
		settle(j, w->first);
	}
}

/* ---- judging ---- */

static struct policy_query query_of(const struct flow_key *k, bool from_b, bool a_local,
				    bool b_local, bool has_ports)
{
	struct policy_query query = {
		.family = k->family,
		.protocol = k->protocol,
		.port = from_b ? k->port_a : k->port_b,
		.initiator_port = from_b ? k->port_b : k->port_a,
		.has_ports = has_ports,
		.initiator_local = from_b ? b_local : a_local,
		.responder_local = from_b ? a_local : b_local,
	};

	/* The remote end is the one that is not this machine; of two local ones the responder. */
	query.remote = query.initiator_local == from_b ? k->a : k->b;
	return query;
}

void judge_open(struct judge *j, struct flow_entry *entry, const struct flow_packet *packet,
		enum flow_initiator initiator, bool is_foreign, uint64_t now_ns)
{
	const struct flow_key *k = &packet->key;
	bool from_b = initiator == FLOW_INITIATOR_B;
	bool a_local = !is_foreign && identity_is_local(j->identity, k->family, &k->a);
	bool b_local = !is_foreign && identity_is_local(j->identity, k->family, &k->b);
	/* A source that is forged: what this machine's own interface sends is this machine's. */
	bool is_forged = packet->is_own && !a_local && !b_local && !is_foreign;
	bool is_empty = !entry->dir[0].packets && !entry->dir[1].packets;
	struct policy_query query;
	const char *names[NAMES_OF_MAX];
	struct policy_ruling ruling;
	struct policy_crossing crossing;
	struct batch_alert alert;
	bool waits;

	a_local = a_local || (is_forged && packet->side == 0);
	b_local = b_local || (is_forged && packet->side == 1);
	query = query_of(k, from_b, a_local, b_local, packet->has_ports);
	/* Of an answer or error, which tells of a flow before it, the first message is not known. */
	query.has_icmp = packet->has_icmp_type && (packet->side == 1) == from_b;
	query.icmp_type = packet->icmp_type;
	query.icmp_code = packet->icmp_code;
	if (IS_ENABLED(CONFIG_NAMES) && j->names) {
		query.names = names;
		query.n_names = name_table_of(j->names, k->iface, k->family, &query.remote, names);
	}
	policy_judge(j->policy, &j->context, &query, &ruling);
	if (IS_ENABLED(CONFIG_IMDS) && j->own && own_has(j->own, k, from_b))
		ruling = (struct policy_ruling){.verdict = FLOWREC_EXPECTED};
	/* An ICMP error: the flow that it is about is judged already. */
	if (packet->is_related && ruling.verdict != FLOWREC_VERDICT_NONE)
		ruling = (struct policy_ruling){.verdict = FLOWREC_WATCHED};
	waits = IS_ENABLED(CONFIG_NAMES) && j->names && is_empty && ruling.name_may_help &&
		ruling.verdict == FLOWREC_UNEXPECTED_EGRESS && k->protocol == TCP;
	if (is_empty || flow_is_of_errors(entry) ||
	    gravity((enum flowrec_verdict)entry->verdict) <= gravity(ruling.verdict)) {
		entry->initiator = (unsigned)initiator & 3U;
		entry->verdict = waits ? FLOWREC_VERDICT_NONE : (unsigned)ruling.verdict & 7U;
		entry->rule = ruling.rule & 0x7ffU;
		entry->a_local = a_local;
		entry->b_local = b_local;
		entry->crossing_low = entry->crossing_high = 0;
		if (IS_ENABLED(CONFIG_POLICY_BOUNDARY) && j->crossings && !packet->is_related) {
			policy_cross(j->policy, &j->context, &query, &crossing);
			crossing_put(j->crossings, entry, &crossing, from_b);
		}
	}
	if (ruling.verdict != FLOWREC_UNEXPECTED_EGRESS)
		return;
	alert = alert_of(k, &query, from_b, now_ns);
	if (waits)
		wait_for_name(j, k, &alert);
	else
		raise_alert(j, &alert, NULL);
}

void judge_named(struct judge *j, const struct decoded *d, uint16_t iface, const char *name,
		 uint64_t now_ns)
{
	struct flow_packet packet;
	struct flow_entry *entry;
	struct policy_query query;
	struct policy_ruling ruling;
	struct batch_alert alert;
	size_t at;
	bool from_b;

	flow_prepare(d, (uint8_t)iface, 0, 0, &packet);
	entry = flow_lookup(j->flows, &packet.key);
	if (!entry)
		return;
	from_b = entry->initiator == FLOW_INITIATOR_B;
	/* Who answered asks for nothing; what others begin is not ours. */
	if ((packet.side == 1) != from_b || !(from_b ? entry->b_local : entry->a_local))
		return;
	if (IS_ENABLED(CONFIG_IMDS) && j->own && own_has(j->own, &entry->key, from_b))
		return;
	query = query_of(&entry->key, from_b, entry->a_local, entry->b_local, true);
	query.names = &name;
	query.n_names = 1;
	policy_judge(j->policy, &j->context, &query, &ruling);
	at = find_waiting(j, &entry->key);
	if (ruling.verdict != FLOWREC_UNEXPECTED_EGRESS) {
		if (at == JUDGE_WAITING_MAX)
			return; /* expected anyway, or told already: that stands */
		j->waiting.ring[at].used = false;
		entry->verdict = (unsigned)ruling.verdict & 7U;
		entry->rule = ruling.rule & 0x7ffU;
		return;
	}
	if (at < JUDGE_WAITING_MAX) {
		settle(j, at);
		return;
	}
	if (entry->verdict == FLOWREC_UNEXPECTED_EGRESS)
		return;
	entry->verdict = FLOWREC_UNEXPECTED_EGRESS;
	entry->rule = ruling.rule & 0x7ffU;
	alert = alert_of(&entry->key, &query, from_b, now_ns);
	raise_alert(j, &alert, name);
}
