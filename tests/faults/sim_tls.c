// SPDX-License-Identifier: Apache-2.0
/*
 * Connections of the simulated world: bytes arrive in pieces of any length, late, up to somewhere, or not
 * at all. A connection has two ends; each holds what is on its way to it. Who is who is told by the names
 * of the configurations, as TLS would.
 */
#include "platform/tls.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/bytes.h"
#include "tests/faults/sim.h"

enum {
	FRAME_HEAD = 5,
	DEAD_S = 20, /* then the kernel gives up a peer that does not answer (platform/loop.c) */
	PIECE = 48 * 1024,
};

struct tls_config {
	char name[TLS_NAME_MAX];
	enum tls_role role;
};

struct tls {
	struct tls *next;
	const struct tls_config *config;
	const struct tls_ops *ops;
	void *ctx;
	struct tls *peer; /* NULL: not there yet, or gone */
	unsigned host, client;
	struct endpoint to;
	struct loop_timer *turn, *deadline, *drained;
	uint8_t *in; /* on its way to us */
	size_t len, cap;
	size_t unsent;  /* written when there is no peer to take it */
	uint8_t *frame; /* of a client: what it has written of one */
	size_t frame_len, frame_cap;
	uint8_t *held; /* a whole one, to come after the next */
	size_t held_len;
	bool knocked, ready, paused;
	const char *fin; /* why nothing comes any more after `in` */
	bool *gone;
};

static struct tls *all;
static struct tls *accepting; /* the client whose connection the listener is given */

/* ---- configurations ---- */

int tls_config_new(struct tls_config **ret, enum tls_role role, const char *ca_file,
		   const char *cert_file, const char *key_file, struct err *err)
{
	(void)ca_file, (void)key_file, (void)err;
	*ret = calloc(1, sizeof **ret);
	(void)snprintf((*ret)->name, sizeof(*ret)->name, "%s", cert_file);
	(*ret)->role = role;
	return 0;
}

void tls_config_free(struct tls_config *config)
{
	free(config);
}

bool tls_is_revoked(const struct tls *tls)
{
	(void)tls;
	return false;
}

bool tls_heard(const struct tls *tls)
{
	(void)tls;
	return true;
}

/* ---- ends ---- */

static uint64_t late(const struct tls *tls)
{
	return sim.now_ns + 1 + sim_draw(sim.net[tls->client].latency_ns);
}

static void wake(struct tls *tls)
{
	if (!sim_timer_is_armed(tls->turn))
		sim_timer_at(tls->turn, late(tls));
}

static void drop(struct tls *tls)
{
	for (struct tls **at = &all; *at; at = &(*at)->next) {
		if (*at == tls) {
			*at = tls->next;
			break;
		}
	}
	if (tls->gone)
		*tls->gone = true;
	if (tls->peer)
		tls->peer->peer = NULL;
	loop_timer_free(tls->turn);
	loop_timer_free(tls->deadline);
	loop_timer_free(tls->drained);
	free(tls->in);
	free(tls->frame);
	free(tls->held);
	free(tls);
}

static void put(uint8_t **bytes, size_t *len, size_t *cap, const void *more, size_t n)
{
	if (*len + n > *cap) {
		*cap = 2 * (*len + n);
		*bytes = realloc(*bytes, *cap);
	}
	memcpy(*bytes + *len, more, n);
	*len += n;
}

/* Nothing comes any more; of what is on its way perhaps only a part. */
static void end(struct tls *tls, const char *why, bool lossy)
{
	if (lossy && tls->len > 0)
		tls->len = sim_draw(tls->len + 1);
	tls->fin = tls->fin ? tls->fin : why;
	wake(tls);
}

static void tell(struct tls *tls, const char *why)
{
	loop_timer_cancel(tls->turn);
	loop_timer_cancel(tls->deadline);
	tls->ops->closed(tls->ctx, why);
}

/* A client's connection reaches the other host, which answers or not. */
static void knock(struct tls *tls)
{
	const struct endpoint from = {
		.family = 4, .port = (uint16_t)(40000 + tls->host), .addr = {{10, 0, 0, 1}}};
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	tls->knocked = true;
	accepting = tls;
	sim_enter(tls->to.port);
	if (sim_knock(tls->to.port, fd, &from) && !accepting)
		return;
	if (accepting == tls)
		end(tls, "Connection refused", false);
	accepting = NULL;
}

static void make_ready(struct tls *tls)
{
	struct tls_peer peer = {.protocol = "simulated"};
	uint8_t certificate[64] = {0};

	(void)snprintf(peer.name, sizeof peer.name, "%s", tls->peer->config->name);
	(void)snprintf((char *)certificate, sizeof certificate, "%s", peer.name);
	crypto_sha256(peer.certificate, certificate, sizeof certificate); /* as fake_sign has it */
	tls->ready = true;
	loop_timer_cancel(tls->deadline);
	if (tls->config->role == TLS_SERVER)
		wake(tls->peer);
	tls->ops->ready(tls->ctx, &peer);
}

static void take_in(struct tls *tls)
{
	size_t n = 1 + sim_draw(tls->len < PIECE ? tls->len : PIECE);
	uint8_t *piece = malloc(n);
	bool gone = false;

	memcpy(piece, tls->in, n);
	memmove(tls->in, tls->in + n, tls->len - n);
	tls->len -= n;
	if (tls->len == 0 && tls->peer)
		sim_timer_at(tls->peer->drained, sim.now_ns);
	if (tls->len > 0 || tls->fin)
		wake(tls);
	tls->gone = &gone;
	tls->ops->input(tls->ctx, piece, n);
	if (!gone)
		tls->gone = NULL;
	free(piece);
}

static void on_turn(void *ctx)
{
	struct tls *tls = ctx;

	if (sim.net[tls->client].is_cut)
		sim_timer_at(tls->turn, sim.now_ns + 50 * SIM_MS);
	else if (tls->fin && (!tls->ready || tls->len == 0 || tls->paused))
		tell(tls, tls->fin);
	else if (tls->config->role == TLS_CLIENT && !tls->knocked)
		knock(tls);
	else if (!tls->ready && tls->peer && (tls->config->role == TLS_SERVER || tls->peer->ready))
		make_ready(tls);
	else if (tls->ready && tls->len > 0 && !tls->paused)
		take_in(tls);
}

static void on_deadline(void *ctx)
{
	struct tls *tls = ctx;

	tell(tls, "timed out");
}

static void on_drained(void *ctx)
{
	struct tls *tls = ctx;

	if (tls->ready && !tls->fin && tls->ops->drained)
		tls->ops->drained(tls->ctx);
}

static struct tls *new_end(struct loop *loop, const struct tls_config *config, uint32_t timeout_ms,
			   const struct tls_ops *ops, void *ctx)
{
	struct tls *tls = calloc(1, sizeof *tls);

	tls->config = config;
	tls->ops = ops;
	tls->ctx = ctx;
	tls->host = tls->client = loop->host;
	(void)loop_timer_new(&tls->turn, loop, on_turn, tls);
	(void)loop_timer_new(&tls->deadline, loop, on_deadline, tls);
	(void)loop_timer_new(&tls->drained, loop, on_drained, tls);
	loop_timer_set(tls->deadline, timeout_ms);
	tls->next = all;
	all = tls;
	return tls;
}

int tls_connect(struct tls **ret, struct loop *loop, const struct tls_config *config,
		const struct endpoint *peer, uint32_t timeout_ms, const struct tls_ops *ops,
		void *ctx, struct err *err)
{
	(void)err;
	*ret = new_end(loop, config, timeout_ms, ops, ctx);
	(*ret)->to = *peer;
	wake(*ret);
	return 0;
}

int tls_accept(struct tls **ret, struct loop *loop, const struct tls_config *config, int fd,
	       uint32_t timeout_ms, const struct tls_ops *ops, void *ctx, struct err *err)
{
	struct tls *tls = new_end(loop, config, timeout_ms, ops, ctx);

	(void)err;
	(void)close(fd);
	tls->client = accepting->client;
	tls->peer = accepting;
	accepting->peer = tls;
	accepting = NULL;
	wake(tls);
	*ret = tls;
	return 0;
}

/* ---- bytes ---- */

static void send(struct tls *tls, const uint8_t *bytes, size_t len)
{
	struct tls *peer = tls->peer;

	if (!peer) {
		tls->unsent += len;
		return;
	}
	put(&peer->in, &peer->len, &peer->cap, bytes, len);
	wake(peer);
}

/* A whole frame of a client goes out: once, twice, or after the next one. */
static void send_frame(struct tls *tls)
{
	struct sim_net *net = &sim.net[tls->client];
	uint8_t *held = tls->held;

	tls->held = NULL;
	if (!held && sim_chance(net->swapped)) {
		net->frames_swapped++;
		tls->held = malloc(tls->frame_len);
		memcpy(tls->held, tls->frame, tls->frame_len);
		tls->held_len = tls->frame_len;
	} else {
		send(tls, tls->frame, tls->frame_len);
		if (sim_chance(net->twice)) {
			net->frames_twice++;
			send(tls, tls->frame, tls->frame_len);
		}
	}
	if (held)
		send(tls, held, tls->held_len);
	free(held);
	tls->frame_len = 0;
}

int tls_write(struct tls *tls, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	if (!tls->ready || tls->fin)
		return ERR_TLS;
	if (tls->config->role == TLS_SERVER) {
		send(tls, bytes, len);
		return 0;
	}
	put(&tls->frame, &tls->frame_len, &tls->frame_cap, p, len);
	if (tls->frame_len > FRAME_HEAD) {
		struct rd r = rd_init(tls->frame, 4);

		if (tls->frame_len == 4 + (size_t)rd_u32be(&r))
			send_frame(tls);
	}
	return 0;
}

size_t tls_pending(const struct tls *tls)
{
	return tls->peer ? tls->peer->len : tls->unsent;
}

void tls_pause(struct tls *tls, bool pause)
{
	tls->paused = pause;
	if (!pause)
		wake(tls);
}

void tls_close(struct tls *tls)
{
	if (!tls)
		return;
	if (tls->peer)
		end(tls->peer, "closed by peer", false);
	drop(tls);
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	if (tls->peer)
		end(tls->peer, "Connection reset by peer", true);
	drop(tls);
}

/* ---- faults ---- */

void sim_tls_kill(unsigned host, bool silent)
{
	for (struct tls *tls = all, *next; tls; tls = next) {
		next = tls->next;
		if (tls->host != host)
			continue;
		if (tls->peer && silent)
			sim_timer_at(tls->peer->deadline, sim.now_ns + DEAD_S * SIM_S);
		else if (tls->peer)
			end(tls->peer, "Connection reset by peer", true);
		/* Its timers are gone already. */
		tls->turn = tls->deadline = tls->drained = NULL;
		tls->gone = NULL;
		drop(tls);
	}
}

bool sim_cut(unsigned host, bool reset)
{
	for (struct tls *tls = all; tls; tls = tls->next) {
		if (tls->host != host || tls->fin || !tls->peer)
			continue;
		end(tls, reset ? "Connection reset by peer" : "closed by peer", true);
		end(tls->peer, reset ? "Connection reset by peer" : "closed by peer", true);
		return true;
	}
	return false;
}
