// SPDX-License-Identifier: Apache-2.0
/*
 * session, streaming: who we are in the Hello, when a batch is closed, and when all is delivered.
 */
#include "sensor/session_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/config.h"
#include "platform/crypto_sign.h"
#include "platform/log.h"
#include "platform/version.h"
#include "sensor/spool_file.h"

enum {
	FLUSH_MS = 1000,     /* records wait at most so long for company */
	HEARTBEAT_MS = 2000, /* an empty batch goes out after so much silence; a batch after so much
				time since the last signature is signed */
	SYNC_MS = 1000,      /* a spool's file is synced so often: what a power failure may take */
};

/* ---- opening ---- */

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
	for (size_t i = 0; i < h->n_rules; i++)
		s->severities[i] = (uint8_t)policy_rule_severity(s->policy, (uint16_t)(i + 1));
	h->severities = s->severities;
	h->aws_ranges = policy_ranges_date(s->policy);
	memcpy(h->policy, policy_digest(s->policy), SHA256_BYTES);
	h->policy_text = policy_text(s->policy, &h->policy_text_len);
	if (h->policy_text_len > WIRE_POLICY_MAX)
		h->policy_text_len = 0;
	h->n_logs = o->tails.n;
	h->logs = (const char *const *)o->tails.v;
	h->window_s = (uint32_t)o->window;
	h->is_replay = o->read != NULL;
	h->filtered = o->filter && *o->filter;
	return h->is_replay ? digest_of_file(o->read, h->replay, err) : 0;
}

/* How long an outage may last: a record takes 12 to 16 bytes in company, more alone. */
static void tell_size(const struct session *s, size_t bytes)
{
	enum { RECORD_BYTES = 16, RECORDS_AN_HOUR = 60 * 1000 };
	unsigned long long records = bytes / RECORD_BYTES;

	log_info("spool",
		 "%zu KiB%s%s: about %llu records; at 1,000 records a minute %llu.%llu hours "
		 "without "
		 "a collector",
		 bytes / 1024, *s->options->spool_path ? " in " : "", s->options->spool_path,
		 records, records / RECORDS_AN_HOUR,
		 records % RECORDS_AN_HOUR * 10 / RECORDS_AN_HOUR);
}

static int open_spool(struct session *s, struct spool_config *config, struct err *err)
{
	const struct options *o = s->options;
	uint8_t *hello = NULL;
	ssize_t len;
	int rc;

	if (IS_ENABLED(CONFIG_SPOOL_FILE) && o->spool) {
		rc = spool_file_open(&config->file, o->spool_path, o->spool_bytes, o->id, err);
		if (rc)
			return rc;
		hello = malloc(WIRE_HELLO_MAX);
		len = hello ? wire_hello_encode(hello, WIRE_HELLO_MAX, &s->hello) : ERR_FULL;
		if (len < 0) {
			free(hello);
			spool_file_free(config->file);
			return err_set(err, ERR_FULL, "too many rules for a Hello");
		}
		config->hello = hello;
		config->hello_len = (size_t)len;
	}
	rc = spool_new(&s->spool, config, err);
	free(hello);
	return rc;
}

static void tell_recovered(struct session *s)
{
	struct spool_stats stats;

	spool_stats(s->spool, &stats);
	tell_size(s, stats.bytes);
	if (stats.old_batches == 0 && stats.old_unusable == 0)
		return;
	log_warn("spool",
		 "%s: %llu batches of %llu records in %llu streams of former runs, to be delivered "
		 "too; %llu bytes in it are torn and were cut",
		 s->options->spool_path, (unsigned long long)stats.old_batches,
		 (unsigned long long)stats.old_records, (unsigned long long)stats.old_streams,
		 (unsigned long long)stats.old_unusable);
	session_stream_event(s, BATCH_EVENT_SPOOL_RECOVERED, NULL, 3,
			     (const int64_t[]){(int64_t)stats.old_batches,
					       (int64_t)stats.old_records,
					       (int64_t)stats.old_unusable});
}

int session_stream_open(struct session *s, struct err *err)
{
	const struct options *o = s->options;
	struct spool_config config = {.bytes = (size_t)o->spool_kib * 1024};
	int rc = fill_hello(s, err);

	if (!rc)
		rc = crypto_signer_new(&s->signer, o->cert, o->key, err);
	if (rc)
		return rc;
	s->hello.certificate = crypto_signer_certificate(s->signer, &s->hello.certificate_len);
	config.signer = s->signer;
	config.with_logs = o->tails.n > 0;
	memcpy(config.stream, s->hello.stream, WIRE_STREAM_ID);
	rc = open_spool(s, &config, err);
	if (!rc)
		tell_recovered(s);
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

/* The signature is what takes long; the kernel's ring takes packets meanwhile. */
static void flush(struct session *s, bool goodbye)
{
	uint64_t now = mono_ms();
	bool sign = now - s->signed_ms >= HEARTBEAT_MS;

	if (sign || goodbye)
		s->signed_ms = now;
	spool_flush(s->spool, clock_wall_ns(),
		    goodbye ? SPOOL_GOODBYE
		    : sign  ? SPOOL_SIGNED
			    : SPOOL_PLAIN);
	s->flushed_ms = now;
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

void session_stream_event(struct session *s, enum batch_event_kind kind, const char *text,
			  size_t n_values, const int64_t *values)
{
	struct batch_event event = {
		.kind = (uint8_t)kind, .time_ns = clock_wall_ns(), .n_values = (uint8_t)n_values};

	for (size_t i = 0; i < n_values; i++)
		event.values[i] = values[i];
	snprintf(event.text, sizeof event.text, "%s", text ? text : "");
	spool_event(s->spool, &event, event.time_ns);
}

void session_stream_urgent(struct session *s, enum batch_event_kind kind, const char *text,
			   size_t n_values, const int64_t *values)
{
	if (spool_is_filling(s->spool))
		spool_flush(s->spool, clock_wall_ns(), SPOOL_PLAIN);
	session_stream_event(s, kind, text, n_values, values);
	flush(s, false);
}

void session_stream_now(struct session *s)
{
	flush(s, false);
}

void session_stream_tick(struct session *s)
{
	uint64_t now = mono_ms();
	int64_t step;

	if (clockwatch_look(&s->clocks, clock_wall_ns(), clock_mono_ns(), &step)) {
		log_warn("clock", "this machine's clock stepped by %lld ms",
			 (long long)(step / NS_PER_MS));
		session_stream_event(s, BATCH_EVENT_CLOCK_STEP, NULL, 1, &step);
	}
	if (now - s->synced_ms >= SYNC_MS) {
		s->synced_ms = now;
		spool_sync(s->spool);
	}
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
	spool_sync(s->spool);
	if (s->said_goodbye && stats.acknowledged == stats.closed) {
		log_warn("spool", "batches of former runs stay in %s", s->options->spool_path);
		session_stop(s, 0);
		return;
	}
	if (stats.acknowledged == stats.closed) {
		session_stop(s, err_set(s->err, -ETIMEDOUT,
					"asked twice to end: the last records and the goodbye were "
					"not sent"));
		return;
	}
	session_stop(s, err_set(s->err, -ETIMEDOUT,
				"batches %llu to %llu were not acknowledged by a collector%s%s%s",
				(unsigned long long)stats.acknowledged + 1,
				(unsigned long long)stats.closed,
				s->options->spool ? "; they stay in the spool's file" : "",
				*why ? "; last: " : "", why));
}

static void on_progress(void *ctx)
{
	struct session *s = ctx;
	struct spool_stream stream;
	struct spool_stats stats;

	spool_stats(s->spool, &stats);
	if (stats.acknowledged > s->acknowledged) {
		s->acknowledged = stats.acknowledged;
		if (s->input_over || s->options->read)
			loop_timer_set(s->deadline, s->options->read ? SESSION_REPLAY_PATIENCE_MS
								     : SESSION_DELIVER_MS);
	}
	spool_stream(s->spool, &stream);
	if (s->said_goodbye && stats.acknowledged == stats.closed && !stream.old_waits)
		session_stop(s, 0);
	else if (s->options->read || s->input_over)
		loop_timer_set(s->tick, 0);
}

static void on_welcome(void *ctx, unsigned number, const struct endpoint *collector)
{
	char text[ADDR_ENDPOINT_TEXT];
	const int64_t values[] = {number};
	struct session *s = ctx;

	s->welcomes++;
	session_stream_event(s, BATCH_EVENT_CONNECTED, endpoint_text(text, collector), 1, values);
}

static void on_clock(void *ctx, unsigned number, int64_t offset_ns, uint64_t way_ns)
{
	struct session *s = ctx;
	int64_t before;

	spool_clock(s->spool, offset_ns, way_ns);
	s->clock_known = true;
	s->offset_ns = offset_ns;
	s->way_ns = way_ns;
	if (!clockwatch_offset(&s->clocks, number, offset_ns, way_ns, &before))
		return;
	log_warn("clock", "the collector's clock stepped by %lld ms",
		 (long long)((before - offset_ns) / NS_PER_MS));
	session_stream_event(s, BATCH_EVENT_COLLECTOR_STEP, NULL, 2,
			     (const int64_t[]){before, offset_ns});
}

static const struct uplink_ops uplink_ops = {
	.progress = on_progress, .welcome = on_welcome, .clock = on_clock};

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
			  s->spool, &uplink_ops, s, err);
}

void session_stream_start(struct session *s, const char *sandbox)
{
	session_stream_event(s, BATCH_EVENT_START, sandbox, 0, NULL);
	s->flushed_ms = mono_ms();
	if (!IS_ENABLED(CONFIG_IMDS) || !s->asking)
		session_stream_identified(s);
}

void session_stream_identified(struct session *s)
{
	memcpy(s->hello.interfaces, s->texts, sizeof s->hello.interfaces);
	memcpy(s->hello.links, s->links, sizeof s->hello.links);
	if (s->is_uplinked)
		uplink_greet_again(s->uplink);
	else
		uplink_start(s->uplink);
	s->is_uplinked = true;
}

void session_stream_free(struct session *s)
{
	uplink_free(s->uplink);
	tls_config_free(s->tls);
	spool_free(s->spool);
	crypto_signer_free(s->signer);
}
