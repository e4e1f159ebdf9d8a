// SPDX-License-Identifier: Apache-2.0
/*
 * pipeline: see pipeline.h. Reads as the packets go: frame, decoded packet, flow, window, record,
 * and out.
 */
#include "sensor/pipeline_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/config.h"
#include "platform/crypto.h"
#include "platform/log.h"
#include "platform/nic.h"

static bool streams(const struct pipeline *p)
{
	return IS_ENABLED(CONFIG_STREAM) && p->config.spool;
}

/* ---- out: a record to the text and to the spool ---- */

static bool is_end(const struct endpoint *ep, const struct addr *addr, uint16_t port)
{
	return ep->port == port && memcmp(&ep->addr, addr, sizeof *addr) == 0;
}

static void follow(struct pipeline *p, const struct flowrec *rec)
{
	const struct endpoint *x = p->follow_local, *y = p->follow_remote;
	bool out, back;

	if (rec->protocol != UDP || rec->family != x->family)
		return;
	out = is_end(x, &rec->src, rec->srcport) && is_end(y, &rec->dst, rec->dstport);
	back = is_end(y, &rec->src, rec->srcport) && is_end(x, &rec->dst, rec->dstport);
	if (!out && !back)
		return;
	p->followed[back].packets += rec->packets;
	p->followed[back].bytes += rec->bytes;
}

static void write_text(struct pipeline *p)
{
	if (p->n_text && fwrite(p->text, 1, p->n_text, p->config.out) != p->n_text)
		p->output_failed = true;
	p->n_text = 0;
}

static void flush(struct pipeline *p)
{
	write_text(p);
	if (p->config.out && fflush(p->config.out) != 0)
		p->output_failed = true;
}

static void write_record(struct pipeline *p, const struct flowrec *rec)
{
	if (IS_ENABLED(CONFIG_CANARY) && p->follow_local)
		follow(p, rec);
	p->records++;
	p->account.of[rec->iface].recorded += rec->packets;
	if (streams(p))
		spool_record(p->config.spool, rec, p->now_ns);
	if (p->config.out) {
		p->n_text += flowrec_print(p->text + p->n_text, &p->config.options->format, rec,
					   &p->config.texts[rec->iface]);
		if (p->n_text >= TEXT_BLOCK)
			write_text(p);
	}
}

static void on_emit(void *ctx, const struct flow_entry *entry, unsigned dir,
		    enum flow_reason reason, uint32_t mark)
{
	struct pipeline *p = ctx;
	struct flowrec rec;

	(void)reason; /* counted by the table */
	judge_settle(&p->judge, entry);
	record_from_flow(&rec, entry, dir, p->window_s);
	if (IS_ENABLED(CONFIG_POLICY_BOUNDARY) && p->judge.crossings) {
		rec.action = (uint8_t)crossing_action(p->judge.crossings, entry, dir);
		rec.boundary = crossing_rule(p->judge.crossings, entry, dir);
	}
	endpoint_add(p->endpoints, entry, dir, &rec, mark);
	write_record(p, &rec);
}

static void on_mark(void *ctx, uint16_t iface, uint8_t status, uint64_t start, uint64_t end)
{
	struct flowrec rec;

	record_mark(&rec, iface, (enum flowrec_status)status, start, end);
	write_record(ctx, &rec);
}

/* Late: records may go to the same place. */
static void head_endpoints(struct pipeline *p)
{
	if (!p->headed)
		fprintf(p->config.endpoints, "%s\n", endpoint_header);
	p->headed = true;
}

static void on_endpoint(void *ctx, const struct endpoint_digest *digest)
{
	struct pipeline *p = ctx;
	const struct flowrec_identity *texts = &p->config.texts[0];
	const char *rule = digest->rule && digest->rule <= texts->n_rules
				   ? texts->rules[digest->rule - 1]
				   : NULL;
	char line[ENDPOINT_LINE_MAX];

	if (streams(p) && !p->printing)
		spool_endpoint(p->config.spool, digest, p->now_ns);
	if (!p->config.endpoints || (!p->printing && !digest->gave_way))
		return;
	write_text(p); /* both may go to one place */
	head_endpoints(p);
	fprintf(p->config.endpoints, "%s\n", endpoint_line(line, digest, rule));
}

/* ---- account ---- */

static void send_accounts(struct pipeline *p, uint64_t window)
{
	for (uint16_t i = 0; streams(p) && i < p->config.n_interfaces; i++) {
		struct batch_account account;

		pipeline_fill_account(p, i, window, &account);
		spool_account(p->config.spool, &account, p->now_ns);
	}
}

/* ---- window ---- */

/* Unix seconds up to which nothing was overlooked. */
static uint64_t watched_until(const struct pipeline *p)
{
	return p->live ? p->now_ns / NS_PER_S : p->seen_s;
}

static void tell_tables(struct pipeline *p)
{
	uint64_t tables[BATCH_TABLES];

	pipeline_tables(p, tables);
	spool_tables(p->config.spool, tables);
}

/* What is new of them goes out after the records of a window; at the end of a run all that changed, or
 * all there is if batches were given up. */
static void tell_endpoints(struct pipeline *p)
{
	struct spool_stats spool;

	spool_stats(p->config.spool, &spool);
	tell_tables(p);
	p->telling = true;
	p->beating = p->rhythm != NULL;
	/* A walk may go on over windows, but the last one must see all. */
	if (IS_ENABLED(CONFIG_RHYTHM) && p->rhythm && p->ended)
		rhythm_walk_anew(p->rhythm);
	endpoint_walk(p->endpoints,
		      !p->ended                ? ENDPOINT_NEWS
		      : spool.given_up_batches ? ENDPOINT_ALL
					       : ENDPOINT_REST,
		      watched_until(p));
}

/* A bounded part of what closed windows leave to do. A replay, and a run that ends, must not give more
 * than the spool has room for: each record may also send an endpoint out that gives way. */
static bool sweep_on(struct pipeline *p)
{
	size_t step = p->live && !p->ended ? SWEEP_PER_TURN : SWEEP_PER_TURN / 4;

	if (p->sweeping) {
		p->sweeping = !flow_sweep(p->flows, p->turn_by_turn ? step : SIZE_MAX);
		if (!p->sweeping && streams(p))
			tell_endpoints(p);
	} else if (p->telling) {
		p->telling = !endpoint_walk_on(p->endpoints, LOOK_PER_TURN, BATCH_WRITE_ENDPOINTS);
	} else if (IS_ENABLED(CONFIG_RHYTHM) && p->beating) {
		p->beating = !rhythm_walk(p->rhythm, BEAT_PER_TURN, p->ended);
	}
	return !p->sweeping && !p->telling && !p->beating;
}

static void on_window_closed(void *ctx, uint32_t before)
{
	struct pipeline *p = ctx;
	uint64_t window = (uint64_t)p->window.current * p->window_s;

	flow_close(p->flows, before, p->live || p->ended ? watched_until(p) : UINT64_MAX);
	p->sweeping = true;
	(void)sweep_on(p);
	send_accounts(p, window);
	if (IS_ENABLED(CONFIG_NAMES))
		names_out_tick(&p->names_out, p->names, (uint64_t)before * p->window_s, p->ended);
}

/* ---- policy ---- */

static void set_context(struct pipeline *p)
{
	const struct options *o = p->config.options;

	p->judge.context = (struct policy_context){
		.local = p->config.identity->local,
		.n_local = p->config.identity->n_local,
		.subnets = p->config.identity->subnets,
		.n_subnets = p->config.identity->n_subnets,
		.collectors = o->collector,
		.n_collectors = o->collectors.n,
		.resolvers = o->resolver,
		.n_resolvers = o->resolvers.n,
		.canary = p->follow_remote,
		.n_canary = p->follow_remote != NULL,
	};
}

static void on_alert(void *ctx, const struct batch_alert *alert)
{
	struct pipeline *p = ctx;

	if (streams(p))
		spool_alert(p->config.spool, alert, p->now_ns);
}

/* In mirror mode --local is the mirrored machines; the target's own traffic is not judged. */
static bool is_foreign(const struct pipeline *p, uint16_t iface)
{
	return p->mirror && iface < p->config.n_captures;
}

#ifdef CONFIG_RHYTHM
static void on_burst(void *ctx, const struct batch_burst *burst)
{
	struct pipeline *p = ctx;

	spool_burst(p->config.spool, burst, p->now_ns);
}
#endif

static void note_rhythm(struct pipeline *p, const struct flow_entry *entry,
			const struct flow_packet *packet)
{
	uint64_t sec = (uint64_t)packet->window * p->window_s + packet->offset;

	if (IS_ENABLED(CONFIG_RHYTHM) && p->rhythm)
		rhythm_note(p->rhythm, entry, sec * 10 + packet->nsec / (NS_PER_S / 10));
}

static void on_woke(void *ctx, const struct flow_entry *entry, const struct flow_packet *packet,
		    unsigned silence_s)
{
	/* A SYN that nobody answers is repeated by the kernel: no call of its own. */
	if (packet->key.protocol != TCP || entry->outcome >= FLOWREC_ANSWERED ||
	    silence_s > RHYTHM_RETRY_S)
		note_rhythm(ctx, entry, packet);
}

static uint32_t on_opened(void *ctx, struct flow_entry *entry, const struct flow_packet *packet,
			  enum flow_initiator initiator)
{
	struct pipeline *p = ctx;
	uint64_t sec = (uint64_t)packet->window * p->window_s + packet->offset;

	p->n_opened++;
	judge_open(&p->judge, entry, packet, initiator, is_foreign(p, packet->key.iface),
		   sec * NS_PER_S + packet->nsec);
	note_rhythm(p, entry, packet);
	return endpoint_open(p->endpoints, entry, sec);
}

/* ---- in: frames ---- */

static bool is_local(const struct pipeline *p, const struct flow_key *k, bool b)
{
	return !is_foreign(p, k->iface) &&
	       identity_is_local(p->config.identity, k->family, b ? &k->b : &k->a);
}

/* Asks the memory for the endpoints of the flows that are about to open, and of those that give way to them. */
static void ask_endpoints(struct pipeline *p)
{
	const uint32_t *places[PENDING];
	size_t n = 0;

	for (size_t i = 0; i < p->n_pending; i++) {
		const struct flow_packet *packet = &p->pending[i];
		const struct flow_key *k = &packet->key;
		bool from_b, begun_here, is_target;

		if (!packet->is_new)
			continue;
		from_b = began_by(packet) == FLOW_INITIATOR_B;
		begun_here = is_local(p, k, from_b);
		is_target = !begun_here && is_local(p, k, !from_b);
		endpoint_fetch(p->endpoints, packet->guess_mark);
		places[n++] = endpoint_ask(p->endpoints, k, from_b, begun_here, is_target);
	}
	while (n)
		endpoint_fetch(p->endpoints, *places[--n]);
}

static void update_pending(struct pipeline *p)
{
	flow_locate(p->flows, p->pending, p->n_pending);
	ask_endpoints(p);
	for (p->pending_done = 0; p->pending_done < p->n_pending; p->pending_done++) {
		const struct flow_packet *packet = &p->pending[p->pending_done];

		/* A window and interface need to be noted once. */
		if (p->pending_done == 0 || packet->window != packet[-1].window ||
		    packet->key.iface != packet[-1].key.iface)
			window_note(&p->window, packet->window, packet->key.iface);
		flow_update(p->flows, packet);
	}
	if (p->n_pending) {
		const struct flow_packet *last = &p->pending[p->n_pending - 1];

		p->seen_s = (uint64_t)last->window * p->window_s + last->offset;
	}
	p->n_pending = p->pending_done = 0;
	judge_tick(&p->judge, p->seen_s);
}

/* Its SYN is in the table by then. */
static void on_flow_named(void *ctx, const struct decoded *decoded, uint16_t iface,
			  const char *name, uint64_t now_ns)
{
	struct pipeline *p = ctx;

	update_pending(p);
	judge_named(&p->judge, decoded, iface, name, now_ns);
}

/* The packet that the error is about is in the table by then, and the frame is still there. Is its flow known? */
static bool take_error(struct pipeline *p, const struct decoded *error, uint16_t iface)
{
	struct decoded quoted;

	update_pending(p);
	return decode_quote(error, &quoted) &&
	       flow_quoted(p->flows, &quoted, (uint8_t)iface, error->refuses);
}

/* Counts the packets of the wire that the frame stands for. */
static void correct_offload(struct pipeline *p, const struct packet *packet,
			    struct decoded *decoded)
{
	enum wire_offload mode = (enum wire_offload)p->config.links[packet->iface].offload;
	uint64_t bytes = decoded->bytes;

	/* The quick way out: a file, and almost every frame that the kernel knows. */
	if (mode == WIRE_OFFLOAD_AS_IS ? !p->mtu[packet->iface]
				       : packet->segments == 1 && !decoded->mss)
		return;
	if (offload_correct(p->offload, mode, packet->segments, p->mtu[packet->iface], decoded))
		account_offload(&p->account, packet->iface, bytes, decoded);
}

struct input {
	struct pipeline *pipeline;
	int link;
};

static void on_packet(void *ctx, const struct packet *packet)
{
	const struct input *in = ctx;
	struct pipeline *p = in->pipeline;
	struct decoded decoded;
	enum decode_result result = decode_packet(in->link, packet, &decoded);
	struct packet inner;
	bool is_related;

	if (IS_ENABLED(CONFIG_MIRROR) && p->mirror && result == DECODE_IP) {
		result = mirror_enter(p->mirror, p->config.n_captures, packet, &decoded, &inner);
		p->account.of[packet->iface].passed_on += inner.iface != packet->iface;
		packet = &inner;
	}
	account_frame(&p->account, packet, result, &decoded);
	if (result != DECODE_IP)
		return;
	if (IS_ENABLED(CONFIG_FRAGMENTS) && p->fragments && decoded.fragment)
		fragment_attribute(p->fragments, packet->iface, packet->sec, &decoded);
	if (IS_ENABLED(CONFIG_NAMES) && names_may_speak(&p->gate, packet, &decoded))
		names_take(p->names, packet, &decoded);
	correct_offload(p, packet, &decoded);
	if (packet->sec != p->second.sec) {
		p->second.sec = packet->sec;
		window_place(&p->window, packet->sec, &p->second.window, &p->second.offset);
	}
	is_related = decoded.quote && take_error(p, &decoded, packet->iface);
	flow_prepare(&decoded, (uint8_t)packet->iface, p->second.window, p->second.offset,
		     &p->pending[p->n_pending]);
	p->pending[p->n_pending].nsec = packet->nsec;
	p->pending[p->n_pending].is_own = packet->is_own;
	p->pending[p->n_pending].is_related = is_related;
	if (++p->n_pending == PENDING)
		update_pending(p);
}

int pipeline_input(struct pipeline *p, uint16_t iface, int max, uint64_t now_ns, struct err *err)
{
	struct input in = {.pipeline = p, .link = capture_link(p->config.captures[iface])};
	int n;

	p->now_ns = now_ns;
	n = capture_dispatch(p->config.captures[iface], max, on_packet, &in, err);
	update_pending(p);
	return n;
}

static bool read_nic(struct pipeline *p, uint16_t iface)
{
	struct nic_counters now;

	if (!IS_ENABLED(CONFIG_LIVE) || !p->config.nic)
		return false;
	nic_read(p->config.nic, &p->config.interfaces[iface], &now);
	if (now.mtu)
		p->mtu[iface] = now.mtu;
	return account_nic(&p->account, iface, &now);
}

static void read_losses(struct pipeline *p, uint64_t now_s)
{
	for (uint16_t i = 0; i < p->config.n_captures; i++) {
		struct capture_stats now;
		bool by_kernel, by_nic;

		capture_stats(p->config.captures[i], &now);
		by_kernel = account_kernel(&p->account, i, &now);
		by_nic = read_nic(p, i);
		if (!by_kernel && !by_nic)
			continue;
		window_lost(&p->window, i, p->losses_read_s, now_s);
		/* Whose frames a mirror lost nobody knows: each VNI may have lost some. */
		for (uint16_t vni = p->config.n_captures; vni < p->window.ifaces; vni++)
			window_lost(&p->window, vni, p->losses_read_s, now_s);
	}
	p->losses_read_s = now_s;
}

/* Of the driver, once a window: its device may be slow to answer. */
static void read_allowances(struct pipeline *p)
{
	uint64_t now[NIC_ALLOWANCES];

	for (uint16_t i = 0; IS_ENABLED(CONFIG_LIVE) && p->config.nic && i < p->config.n_captures;
	     i++)
		account_allowances(
			&p->account, i,
			nic_allowances(p->config.nic, &p->config.interfaces[i], now) ? now : NULL);
}

/* What the rings hold, a bounded part of it: more than that came while it was read. */
static int drain(struct pipeline *p, uint64_t now_ns, struct err *err)
{
	int n = 0;

	for (uint16_t i = 0; i < p->config.n_captures && n >= 0; i++) {
		n = 1;
		for (int turn = 0; turn < DRAIN_TURNS && n > 0; turn++)
			n = pipeline_input(p, i, DRAIN_FRAMES, now_ns, err);
	}
	return n < 0 ? n : 0;
}

int pipeline_tick(struct pipeline *p, uint64_t now_ns, struct err *err)
{
	uint32_t window = p->window.current;
	int rc = 0;

	p->now_ns = now_ns;
	/* A window's packets count before its lines are written, also when we come late to it. */
	if (window_is_over(&p->window, now_ns / NS_PER_S)) {
		rc = drain(p, now_ns, err);
		read_allowances(p);
	}
	read_losses(p, now_ns / NS_PER_S);
	judge_tick(&p->judge, now_ns / NS_PER_S);
	window_tick(&p->window, now_ns / NS_PER_S);
	if (p->window.current != window) {
		identity_refresh(p->config.identity);
		set_context(p);
	}
	(void)pipeline_sweep(p, now_ns);
	flush(p);
	return rc;
}

bool pipeline_sweep(struct pipeline *p, uint64_t now_ns)
{
	bool swept;

	p->now_ns = now_ns;
	if (!p->sweeping && !p->telling && !p->beating)
		return true;
	swept = sweep_on(p);
	write_text(p);
	if (!swept)
		return false;
	/* The last account of a run stands when everything has gone out. */
	if (p->ended)
		send_accounts(p, (uint64_t)p->window.current * p->window_s);
	return true;
}

void pipeline_end(struct pipeline *p, uint64_t now_ns)
{
	struct err err;

	p->now_ns = now_ns;
	/* What the kernel took while the last frames were read is read too; the rest is cut off. */
	if (p->live)
		(void)drain(p, now_ns, &err);
	read_losses(p, now_ns / NS_PER_S);
	read_allowances(p);
	account_end(&p->account);
	p->ended = true;
	p->turn_by_turn = p->config.spool != NULL;
	window_end(&p->window, now_ns / NS_PER_S);
	flush(p);
}

void pipeline_follow(struct pipeline *p, const struct endpoint *local,
		     const struct endpoint *remote)
{
	p->follow_local = local;
	p->follow_remote = remote;
	p->judge.context.canary = remote;
	p->judge.context.n_canary = 1;
}

void pipeline_own(struct pipeline *p, const struct own *own)
{
	p->judge.own = p->names_out.own = own;
}

void pipeline_followed(const struct pipeline *p, struct flow_count ret[static 2])
{
	memcpy(ret, p->followed, sizeof p->followed);
	flow_live_between(p->flows, p->follow_local, p->follow_remote, ret);
}

void pipeline_blind(struct pipeline *p, uint64_t from_s, uint64_t now_ns)
{
	for (uint16_t i = 0; i < p->window.ifaces; i++)
		window_lost(&p->window, i, from_s, now_ns / NS_PER_S);
}

bool pipeline_output_ok(const struct pipeline *p)
{
	return !p->output_failed;
}

int pipeline_endpoints(struct pipeline *p)
{
	FILE *out = p->config.endpoints;

	if (!out)
		return 0;
	head_endpoints(p);
	p->printing = true;
	endpoint_walk(p->endpoints, ENDPOINT_ALL, watched_until(p));
	(void)endpoint_walk_on(p->endpoints, SIZE_MAX, SIZE_MAX);
	p->printing = false;
	return fflush(out) != 0 || ferror(out) ? -1 : 0;
}

/* ---- life ---- */

int pipeline_new(struct pipeline **ret, const struct pipeline_config *config, struct err *err)
{
	const struct options *o = config->options;
	struct pipeline *p = calloc(1, sizeof *p);
	struct flow_sink flow_sink = {
		.opened = on_opened,
		.woke = IS_ENABLED(CONFIG_RHYTHM) && IS_ENABLED(CONFIG_STREAM) && config->spool
				? on_woke
				: NULL,
		.emit = on_emit,
		.ctx = p};
	struct endpoint_sink endpoint_sink = {.told = on_endpoint, .ctx = p};
	struct window_sink window_sink = {.closed = on_window_closed, .mark = on_mark, .ctx = p};
	uint64_t key[2] = {0, 0}; /* files: fixed, so that output can be repeated */

	if (!p)
		return err_errno(err, "pipeline");
	p->config = *config;
	p->names_out = (struct names_out){.spool = IS_ENABLED(CONFIG_STREAM) ? config->spool : NULL,
					  .log = config->dns_log,
					  .texts = config->texts,
					  .account = &p->account,
					  .now_ns = &p->now_ns};
	p->judge.policy = config->policy;
	p->judge.identity = config->identity;
	p->judge.raised = on_alert;
	p->judge.ctx = p;
	p->account.n = config->n_interfaces;
	p->mirror = o->mirror ? &o->mirrored : NULL;
	p->live = o->read == NULL;
	p->window_s = (uint32_t)o->window;
	p->losses_read_s = config->now_s;
	/* Live, capture goes on while a window is swept; a spool must not be flooded. A file to text can wait, and
	 * keeps the order of first packets. */
	p->turn_by_turn = p->live || config->spool;
	set_context(p);
	if (IS_ENABLED(CONFIG_LIVE) && p->live)
		crypto_random(key, sizeof key);
	if (flow_table_new(&p->flows, (size_t)o->flow_slots, p->window_s, key, !p->turn_by_turn,
			   &flow_sink) != 0 ||
	    alert_table_new(&p->judge.alerts, CONFIG_ALERT_SLOTS, key) != 0 ||
	    endpoint_table_new(&p->endpoints, (size_t)o->endpoint_slots, key, &endpoint_sink) !=
		    0 ||
	    offload_new(&p->offload, key) != 0) {
		pipeline_free(p);
		return err_set(err, -ENOMEM,
			       "no memory for %llu flow and %llu endpoint slots; give --flow-slots "
			       "and --endpoint-slots smaller numbers",
			       (unsigned long long)o->flow_slots,
			       (unsigned long long)o->endpoint_slots);
	}
#ifdef CONFIG_POLICY_BOUNDARY
	if (policy_has_boundary(config->policy)) {
		p->judge.crossings = malloc(sizeof *p->judge.crossings);
		if (!p->judge.crossings) {
			pipeline_free(p);
			return err_set(err, -ENOMEM, "no memory for the boundary");
		}
		crossing_init(p->judge.crossings);
	}
#endif
#ifdef CONFIG_RHYTHM
	if (streams(p) && rhythm_new(&p->rhythm, CONFIG_RHYTHM_SLOTS, key,
				     &(struct rhythm_sink){.told = on_burst, .ctx = p}) != 0) {
		pipeline_free(p);
		return err_set(err, -ENOMEM, "no memory for the table of rhythms");
	}
#endif
#ifdef CONFIG_FRAGMENTS
	if (o->fragment_ports &&
	    fragment_table_new(&p->fragments, CONFIG_FRAGMENT_SLOTS, key) != 0) {
		pipeline_free(p);
		return err_set(err, -ENOMEM, "no memory for the table of fragments");
	}
#endif
	if (IS_ENABLED(CONFIG_NAMES) &&
	    names_new(&p->names, &p->gate,
		      &(struct names_config){.identity = config->identity,
					     .apart = config->n_captures,
					     .key = key,
					     .sink = names_out_sink(&p->names_out)}) != 0) {
		pipeline_free(p);
		return err_set(err, -ENOMEM, "no memory for the tables of names");
	}
	p->judge.flows = p->flows;
	if (IS_ENABLED(CONFIG_NAMES) && policy_has_names(config->policy)) {
		p->judge.names = names_table(p->names);
		p->names_out.flow = on_flow_named;
		p->names_out.flow_ctx = p;
	}
	/* Unlisted VNIs are nobody's interface: their silence is not told. */
	window_init(&p->window, p->window_s, (uint16_t)(config->n_interfaces - (p->mirror ? 1 : 0)),
		    p->live, config->now_s, &window_sink);
	for (uint16_t i = 0; i < config->n_captures; i++)
		(void)read_nic(p, i);
	read_allowances(p);
	if (streams(p))
		tell_tables(p);
	if (p->config.out)
		p->n_text = flowrec_print_header(p->text, &o->format);
	*ret = p;
	return 0;
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	flow_table_free(p->flows);
	free(p->judge.crossings);
	alert_table_free(p->judge.alerts);
	offload_free(p->offload);
	endpoint_table_free(p->endpoints);
	if (IS_ENABLED(CONFIG_RHYTHM))
		rhythm_free(p->rhythm);
	if (IS_ENABLED(CONFIG_FRAGMENTS))
		fragment_table_free(p->fragments);
	if (IS_ENABLED(CONFIG_NAMES))
		names_free(p->names);
	free(p);
}
