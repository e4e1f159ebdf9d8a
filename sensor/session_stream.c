// SPDX-License-Identifier: Apache-2.0
/*
 * session, streaming: who we are in the Hello, when a batch is closed, and when all is delivered.
 */
#include "sensor/session_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/crypto.h"
#include "platform/log.h"
#include "platform/version.h"

enum {
	FLUSH_MS = 1000,     /* records wait at most so long for company */
	HEARTBEAT_MS = 2000, /* an empty batch goes out after so much silence */
};

/* ---- opening ---- */

void session_stream_policy(struct session *s, const char *text, size_t len)
{
	crypto_sha256(s->hello.policy, text, len);
}

static int digest_of_file(const char *path, uint8_t out[static SHA256_BYTES], struct err *err)
{
	struct crypto_sha256 *sum;
	uint8_t bytes[2048];
	FILE *file;
	size_t n;

	if (strcmp(path, "-") == 0)
		return 0; /* zeros: not known before it was read */
	file = fopen(path, "rbe");
	if (!file)
		return err_errno(err, "%s", path);
	sum = crypto_sha256_new();
	while ((n = fread(bytes, 1, sizeof bytes, file)) > 0)
		crypto_sha256_add(sum, bytes, n);
	crypto_sha256_end(sum, out);
	fclose(file);
	return 0;
}

static void digest_of_options(const struct options *o, uint8_t out[static SHA256_BYTES])
{
	char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	if (memory) {
		options_print(o, memory);
		fclose(memory);
	}
	crypto_sha256(out, text, len);
	free(text);
}

static int fill_hello(struct session *s, struct err *err)
{
	const struct options *o = s->options;
	struct wire_hello *h = &s->hello;

	h->protocol = WIRE_PROTOCOL;
	h->sensor = o->id;
	crypto_random(h->stream, sizeof h->stream);
	h->boot_id = s->identity.boot_id;
	h->build = version_build();
	digest_of_options(o, h->config);
	h->n_interfaces = s->n_interfaces;
	memcpy(h->interfaces, s->texts, sizeof h->interfaces);
	memcpy(h->links, s->links, sizeof h->links);
	h->rules = s->rules;
	h->n_rules = policy_rules(s->policy);
	h->window_s = (uint32_t)o->window;
	h->is_replay = o->read != NULL;
	return h->is_replay ? digest_of_file(o->read, h->replay, err) : 0;
}

int session_stream_open(struct session *s, struct err *err)
{
	int rc = fill_hello(s, err);

	if (!rc && spool_new(&s->spool, (size_t)s->options->spool_kib * 1024, s->hello.stream) != 0)
		rc = err_set(err, -ENOMEM,
			     "no memory for the spool; give --spool-kib a smaller number");
	return rc;
}

int session_stream_check(struct session *s, struct err *err)
{
	const struct options *o = s->options;

	return tls_config_new(&s->tls, TLS_CLIENT, o->ca, o->cert, o->key, err);
}

/* ---- running ---- */

static uint64_t mono_ms(void)
{
	return clock_mono_ns() / NS_PER_MS;
}

static void flush(struct session *s, bool goodbye)
{
	spool_flush(s->spool, clock_wall_ns(), goodbye);
	s->flushed_ms = mono_ms();
	uplink_kick(s->uplink);
}

/* Alerts go at once, records after FLUSH_MS, and after HEARTBEAT_MS an empty batch: silence must
 * not look like death. Without a connection only what has content is closed. */
void session_stream_flush(struct session *s)
{
	uint64_t age = mono_ms() - s->flushed_ms;

	if (spool_has_alert(s->spool) || (spool_is_filling(s->spool) && age >= FLUSH_MS) ||
	    (uplink_is_streaming(s->uplink) && age >= HEARTBEAT_MS))
		flush(s, false);
}

void session_stream_rest(struct session *s)
{
	if (s->said_goodbye)
		return;
	if (!spool_has_room(s->spool)) {
		uplink_kick(s->uplink); /* acknowledgements wake this up again */
		return;
	}
	if (!pipeline_sweep(s->pipeline, clock_wall_ns())) {
		loop_timer_set(s->tick, 0);
		return;
	}
	s->said_goodbye = true;
	flush(s, true);
}

void session_stream_late(struct session *s)
{
	const char *why = uplink_last_error(s->uplink);
	struct spool_stats stats;

	spool_stats(s->spool, &stats);
	session_stop(s, err_set(s->err, -ETIMEDOUT,
				"batches %llu to %llu were not acknowledged by a collector%s%s",
				(unsigned long long)stats.acknowledged + 1,
				(unsigned long long)stats.closed, *why ? "; last: " : "", why));
}

static void on_progress(void *ctx)
{
	struct session *s = ctx;
	struct spool_stats stats;

	spool_stats(s->spool, &stats);
	if (stats.acknowledged > s->acknowledged) {
		s->acknowledged = stats.acknowledged;
		if (s->input_over || s->options->read)
			loop_timer_set(s->deadline, s->options->read ? SESSION_REPLAY_PATIENCE_MS
								     : SESSION_DELIVER_MS);
	}
	if (s->said_goodbye && stats.acknowledged == stats.closed)
		session_stop(s, 0);
	else if (s->options->read || s->input_over)
		loop_timer_set(s->tick, 0);
}

int session_stream_wire(struct session *s, struct err *err)
{
	const struct options *o = s->options;
	int rc = tls_config_new(&s->tls, TLS_CLIENT, o->ca, o->cert, o->key, err);

	if (rc)
		return rc;
	if (strcmp(tls_config_name(s->tls), o->id) != 0)
		log_warn("uplink",
			 "--id is '%s' but the certificate is for '%s': a collector will refuse it",
			 o->id, tls_config_name(s->tls));
	return uplink_new(&s->uplink, s->loop, s->tls, o->collector, o->collectors.n, &s->hello,
			  s->spool, on_progress, s, err);
}

void session_stream_start(struct session *s)
{
	s->flushed_ms = mono_ms();
	uplink_start(s->uplink);
}

void session_stream_free(struct session *s)
{
	uplink_free(s->uplink);
	tls_config_free(s->tls);
	spool_free(s->spool);
}
