// SPDX-License-Identifier: Apache-2.0
/*
 * See actors.h.
 */
#include "tests/faults/actors.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/bytes.h"
#include "platform/clock.h"
#include "sensor/spool_file.h"

enum {
	LAPS = 2, /* runs after the last fault: the second delivers what was set aside */
	SPOOL_BYTES = 1024 * 1024,
	FLUSH_MS = 1000,
	HEARTBEAT_MS = 2000,
	SYNC_MS = 1000,
};

struct cast cast;
bool trace;

static uint64_t ms(void)
{
	return sim.now_ns / SIM_MS;
}

void say(const char *what, const char *who)
{
	if (trace)
		printf("%9.3f %s %s\n", (double)sim.now_ns / 1e9, who, what);
}

_Noreturn void fail(const char *what)
{
	printf("%s at %.3f s\n", what, (double)sim.now_ns / 1e9);
	(void)fflush(stdout);
	_exit(1);
}

/* What a kernel does for a process that is gone. */
static void close_below(const char *name)
{
	char path[64], target[512], cwd[256];
	DIR *dir = opendir("/proc/self/fd");
	size_t len;

	if (!dir || !getcwd(cwd, sizeof cwd))
		abort();
	len = strlen(cwd);
	for (struct dirent *e; (e = readdir(dir));) {
		int fd = (int)strtol(e->d_name, NULL, 10);
		ssize_t n;

		(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof target - 1);
		if (n <= (ssize_t)len || *e->d_name == '.')
			continue;
		target[n] = '\0';
		if (strncmp(target, cwd, len) == 0 &&
		    strncmp(target + len + 1, name, strlen(name)) == 0)
			(void)close(fd);
	}
	closedir(dir);
}

/* ---- the sensor: sensor/session_stream.c, without capture ---- */

static void note(struct sensor *s)
{
	struct run *run = s->run;
	struct spool_stats stats;

	spool_stats(s->spool, &stats);
	while (run->closed < stats.closed) {
		if (++run->closed + 3 > SEQUENCES)
			fail("more batches than the test has room for");
		run->from[run->closed + 1] = run->in_closed;
	}
	/* The one that is being closed, should it be the end. */
	run->from[run->closed + 2] = run->pushed;
	run->acknowledged = stats.acknowledged;
}

static void closing(struct sensor *s)
{
	s->run->in_closed = s->run->pushed;
	s->run->from[s->run->closed + 2] = s->run->pushed;
}

static void record(struct sensor *s)
{
	struct flowrec rec = {.family = 4,
			      .protocol = 17,
			      .packets = record_packets(s->run->pushed),
			      .bytes = 100 + sim_draw(1u << 20),
			      .srcport = (uint16_t)sim_draw(65536),
			      .dstport = 53,
			      .start = clock_wall_ns() / SIM_S,
			      .end = clock_wall_ns() / SIM_S + 1};

	put_be32(rec.src.b, s->run->pushed);
	put_be32(rec.dst.b, (uint32_t)sim_draw(UINT32_MAX));
	closing(s);
	spool_record(s->spool, &rec, clock_wall_ns());
	s->run->pushed++;
	note(s);
}

static void event(struct sensor *s, enum batch_event_kind kind, size_t n, const int64_t *values)
{
	struct batch_event e = {
		.kind = (uint8_t)kind, .time_ns = clock_wall_ns(), .n_values = (uint8_t)n};

	for (size_t i = 0; i < n; i++)
		e.values[i] = values[i];
	closing(s);
	spool_event(s->spool, &e, e.time_ns);
	note(s);
}

static void flush(struct sensor *s, bool goodbye)
{
	bool sign = goodbye || ms() - s->signed_ms >= HEARTBEAT_MS;

	if (sign)
		s->signed_ms = ms();
	s->flushed_ms = ms();
	closing(s);
	spool_flush(s->spool, clock_wall_ns(),
		    goodbye ? SPOOL_GOODBYE
		    : sign  ? SPOOL_SIGNED
			    : SPOOL_PLAIN);
	note(s);
	uplink_kick(s->uplink);
}

static void alert(struct sensor *s)
{
	struct batch_alert a = {.family = 4, .protocol = 6, .time_ns = clock_wall_ns()};

	closing(s);
	spool_alert(s->spool, &a, clock_wall_ns());
	note(s);
}

static void traffic(struct sensor *s)
{
	unsigned n = (unsigned)sim_draw(sim_chance(8) ? 400 : 8);

	if (s->flood > 0) {
		s->flood--;
		n = 3000;
	}
	while (n-- > 0)
		record(s);
	if (sim_chance(12))
		alert(s);
}

static void sensor_down(struct sensor *s)
{
	s->runs->n++;
	s->run = NULL;
}

/* In good order. */
static void sensor_end(struct sensor *s)
{
	say("ends", s->runs->name);
	s->run->end = RUN_GOODBYE;
	uplink_free(s->uplink);
	spool_free(s->spool);
	loop_timer_free(s->tick);
	tls_config_free(s->tls);
	crypto_signer_free(s->signer);
	loop_free(s->loop);
	sensor_down(s);
	if (cast.healed && ++s->laps == LAPS)
		s->is_over = true;
	else
		loop_timer_set(s->boot, 100);
}

static void tick(void *ctx)
{
	struct sensor *s = ctx;
	uint64_t age = ms() - s->flushed_ms;
	struct spool_stream stream;
	struct spool_stats stats;
	int64_t step;

	if (clockwatch_look(&s->clocks, clock_wall_ns(), clock_mono_ns(), &step))
		event(s, BATCH_EVENT_CLOCK_STEP, 1, &step);
	if (!s->is_leaving)
		traffic(s);
	if (s->is_leaving && !s->said_goodbye) {
		s->said_goodbye = true;
		flush(s, true);
	} else if (!s->said_goodbye &&
		   (spool_has_alert(s->spool) || (spool_is_filling(s->spool) && age >= FLUSH_MS) ||
		    (uplink_is_streaming(s->uplink) && age >= HEARTBEAT_MS))) {
		flush(s, false);
	}
	if (ms() - s->synced_ms >= SYNC_MS) {
		bool fine = fake_disk.fault == DISK_FINE;

		s->synced_ms = ms();
		spool_sync(s->spool);
		if (fine)
			s->run->synced = s->run->closed;
		/* So is what runs before left in the same file, if nothing took it since. */
		for (size_t i = 0; fine && i < s->runs->n; i++) {
			if (s->runs->runs[i]->end == RUN_KILLED)
				s->runs->runs[i]->synced = s->runs->runs[i]->closed;
		}
	}
	if (s->in_file && fake_disk.fault == DISK_ERROR)
		s->run->bad_disk = true;
	note(s);
	spool_stats(s->spool, &stats);
	spool_stream(s->spool, &stream);
	if (s->said_goodbye && stats.acknowledged == stats.closed && !stream.old_waits) {
		sensor_end(s);
		return;
	}
	loop_timer_set(s->tick, 150 + (uint32_t)sim_draw(200));
}

static void on_progress(void *ctx)
{
	note(ctx);
}

static void on_welcome(void *ctx, unsigned number, const struct endpoint *collector)
{
	const int64_t values[] = {number};

	(void)collector;
	event(ctx, BATCH_EVENT_CONNECTED, 1, values);
}

static void on_clock(void *ctx, unsigned number, int64_t offset_ns, uint64_t way_ns)
{
	struct sensor *s = ctx;
	int64_t values[2] = {0, offset_ns};

	spool_clock(s->spool, offset_ns, way_ns);
	if (clockwatch_offset(&s->clocks, number, offset_ns, way_ns, &values[0]))
		event(s, BATCH_EVENT_COLLECTOR_STEP, 2, values);
}

static const struct uplink_ops uplink_ops = {on_progress, on_welcome, on_clock};

/* False: its disk fails. */
static bool open_spool(struct sensor *s)
{
	struct spool_config config = {.bytes = SPOOL_BYTES, .signer = s->signer};
	uint8_t hello[4096];
	struct err err = {""};
	ssize_t len;

	memcpy(config.stream, s->run->stream, WIRE_STREAM_ID);
	if (s->in_file) {
		len = wire_hello_encode(hello, sizeof hello, &s->hello);
		if (len < 0 ||
		    spool_file_open(&config.file, s->path, SPOOL_BYTES, s->runs->name, &err) != 0)
			goto out;
		config.hello = hello;
		config.hello_len = (size_t)len;
	}
	if (spool_new(&s->spool, &config, &err) == 0)
		return true;
out:
	if (fake_disk.fault == DISK_FINE)
		fail(err.text);
	return false;
}

void sensor_boot(void *ctx)
{
	struct sensor *s = ctx;
	struct err err;

	sim_enter(s->host);
	say("starts", s->runs->name);
	if (s->runs->n == RUNS)
		fail("more runs than the test has room for");
	s->run = s->runs->runs[s->runs->n] = calloc(1, sizeof *s->run);
	s->run->in_file = s->in_file;
	for (size_t i = 0; i < WIRE_STREAM_ID; i++)
		s->run->stream[i] = (uint8_t)sim_draw(256);
	s->clocks = (struct clockwatch){.has_lead = false};
	s->is_leaving = cast.healed;
	s->said_goodbye = false;
	s->flood = 0;
	s->flushed_ms = s->signed_ms = s->synced_ms = ms();
	(void)loop_new(&s->loop, &err);
	(void)loop_timer_new(&s->tick, s->loop, tick, s);
	(void)tls_config_new(&s->tls, TLS_CLIENT, "ca", s->runs->name, "key", &err);
	(void)crypto_signer_new(&s->signer, s->runs->name, "key", &err);
	s->hello = (struct wire_hello){.protocol = WIRE_PROTOCOL,
				       .sensor = s->runs->name,
				       .boot_id = "boot",
				       .build = "test",
				       .n_interfaces = 1,
				       .window_s = 60};
	memcpy(s->hello.stream, s->run->stream, WIRE_STREAM_ID);
	flowrec_identity_init(&s->hello.interfaces[0]);
	s->hello.interfaces[0].interface = "eth0";
	s->hello.certificate = crypto_signer_certificate(s->signer, &s->hello.certificate_len);
	if (!open_spool(s)) { /* tried again, as whoever starts it would */
		close_below(s->path);
		free(s->run);
		s->run = NULL;
		loop_timer_set(s->boot, 300);
		return;
	}
	(void)uplink_new(&s->uplink, s->loop, s->tls, cast.at, cast.n_collectors, &s->hello,
			 s->spool, &uplink_ops, s, &err);
	event(s, BATCH_EVENT_START, 0, NULL);
	uplink_start(s->uplink);
	loop_timer_set(s->tick, (uint32_t)sim_draw(300));
}

/* ---- the collector: collector/main.c ---- */

static void *on_joined(void *ctx, const struct ingest_stream *stream)
{
	(void)stream;
	return ctx;
}

static void on_batch(void *ctx, const struct ingest_stream *stream, const struct batch *batch,
		     const struct keep_totals *sums)
{
	(void)ctx, (void)stream, (void)batch, (void)sums;
}

static void on_gap(void *ctx, const struct ingest_stream *stream, const struct batch_gap *gap)
{
	(void)ctx, (void)stream, (void)gap;
}

static void on_left(void *ctx, const struct ingest_stream *stream, bool goodbye, const char *why)
{
	(void)ctx, (void)stream, (void)goodbye, (void)why;
}

static const struct ingest_sink sink = {on_joined, on_batch, on_gap, on_left};

static void seal(void *ctx)
{
	struct collector *c = ctx;
	struct err err;

	(void)ledger_seal(c->ledger, clock_wall_ns(), &err);
	loop_timer_set(c->seal, cast.seal_ms);
}

void collector_boot(void *ctx)
{
	struct collector *c = ctx;
	struct ledger_config ledger = {.segment_s = cast.segment_s};
	struct ingest_config config = {.commit_ms = cast.commit_ms,
				       .max_connections = 16,
				       .max_strangers = 16,
				       .max_strangers_there = 16,
				       .hello_ms = INGEST_HELLO_MS,
				       .idle_ms = INGEST_IDLE_MS,
				       .sink = &sink};
	struct err err = {""};

	sim_enter(c->host);
	say("starts", c->store);
	(void)loop_new(&c->loop, &err);
	(void)tls_config_new(&c->tls, TLS_SERVER, "ca", TLS_COLLECTOR_NAME, "key", &err);
	(void)crypto_signer_new(&c->signer, TLS_COLLECTOR_NAME, "key", &err);
	ledger.signer = c->signer;
	if (ledger_open(&c->ledger, c->store, &ledger, clock_wall_ns(), &err) < 0) {
		say(err.text, c->store);
		loop_timer_set(c->boot, 300); /* as whoever starts it would */
		return;
	}
	config.loop = c->loop;
	config.tls = c->tls;
	config.ledger = c->ledger;
	config.at = cast.at[c - cast.collectors];
	if (ingest_start(&c->ingest, &config, &err) < 0)
		fail(err.text);
	(void)loop_timer_new(&c->seal, c->loop, seal, c);
	loop_timer_set(c->seal, cast.seal_ms);
	c->is_up = true;
}

void collector_stopped(void *ctx)
{
	struct collector *c = ctx;
	struct err err;

	if (ledger_end(c->ledger, clock_wall_ns(), &err) < 0)
		fail(err.text);
	ingest_free(c->ingest);
	loop_timer_free(c->seal);
	ledger_close(c->ledger);
	c->is_over = true;
}

/* ---- kills ---- */

/* What runs before left in the spool's file, it had from the page cache as long as there was power. */
static void lose_unsynced(struct sensor *s)
{
	for (size_t i = 0; i < s->runs->n; i++) {
		if (s->runs->runs[i]->end == RUN_KILLED)
			s->runs->runs[i]->end = RUN_NO_POWER;
	}
}

void sensor_kill(struct sensor *s, enum run_end how)
{
	say(how == RUN_KILLED ? "is killed" : "loses its power", s->runs->name);
	sim_enter(s->host);
	if (how == RUN_NO_POWER)
		fake_disk_lose_power();
	sim_kill(s->host, how == RUN_NO_POWER);
	close_below(s->path);
	s->run->end = how;
	sensor_down(s);
	if (how == RUN_NO_POWER)
		lose_unsynced(s);
	loop_timer_set(s->boot, (uint32_t)sim_draw(8000));
}

void sensor_died(struct sensor *s)
{
	sensor_kill(s, RUN_KILLED);
	s->runs->runs[s->runs->n - 1]->end = RUN_NO_POWER;
	lose_unsynced(s);
}

void collector_kill(struct collector *c, bool power)
{
	say(power ? "loses its power" : "is killed", c->store);
	sim_enter(c->host);
	if (power)
		fake_disk_lose_power();
	sim_kill(c->host, power);
	close_below(c->store);
	c->is_up = false;
	loop_timer_set(c->boot, (uint32_t)sim_draw(8000));
}
