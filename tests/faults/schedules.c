// SPDX-License-Identifier: Apache-2.0
/*
 * schedules SEED COUNT [SECONDS]   Random schedules of faults over the sensor's delivery and the collector's
 * taking, simulated (sim.h): COUNT of them, or until SECONDS have passed. Schedule i is that of seed SEED + i.
 *
 * Between spool and ledger it is all the programs' own code: spool, its file, uplink, ingest, ledger,
 * recovery, audit. What is simulated is time, network, disk and the signatures' arithmetic.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collector/ingest.h"
#include "evidence/ledger.h"
#include "platform/bytes.h"
#include "platform/clock.h"
#include "platform/log.h"
#include "sensor/clockwatch.h"
#include "sensor/spool.h"
#include "sensor/spool_file.h"
#include "sensor/uplink.h"
#include "tests/faults/schedules.h"
#include "tests/faults/sim.h"

enum {
	WORLD = SIM_HOSTS - 1, /* its clock runs the schedule */
	KILLS = 6,             /* of one sensor: its spool's file holds the streams of eight runs */
	LAPS = 2, /* runs after the last fault: the second delivers what was set aside */
	SPOOL_BYTES = 1024 * 1024,
	FLUSH_MS = 1000,
	HEARTBEAT_MS = 2000,
	SYNC_MS = 1000,
	HEAL_S = 900,
	CHILDREN = 2,
};

enum fault {
	SENSOR_KILLED,
	SENSOR_POWER,
	SENSOR_DIED_WRITING,
	SENSOR_DISK_ERRORS,
	SENSOR_SHORT_WRITES,
	SENSOR_CLOCK,
	COLLECTOR_KILLED,
	COLLECTOR_POWER,
	COLLECTOR_DIED_WRITING,
	COLLECTOR_DISK_FULL,
	COLLECTOR_DISK_ERRORS,
	COLLECTOR_SHORT_WRITES,
	COLLECTOR_CLOCK,
	LINK_CUT,
	LINK_RESET,
	LINK_SILENT,
	LINK_SLOW,
	FRAME_TWICE,
	FRAMES_SWAPPED,
	FLOOD,
	FAULTS
};

static const char *const fault_names[FAULTS] = {"sensor-killed",
						"sensor-power",
						"sensor-died-writing",
						"sensor-disk-errors",
						"sensor-short-writes",
						"sensor-clock",
						"collector-killed",
						"collector-power",
						"collector-died-writing",
						"collector-full",
						"collector-errors",
						"collector-short-writes",
						"collector-clock",
						"link-cut",
						"link-reset",
						"link-silent",
						"link-slow",
						"frame-twice",
						"frames-swapped",
						"flood"};

struct collector {
	char store[16];
	unsigned host;
	struct loop *loop;
	struct tls_config *tls;
	struct crypto_signer *signer;
	struct ledger *ledger;
	struct ingest *ingest;
	struct loop_timer *seal, *boot;
	bool is_up, is_over;
};

struct sensor {
	unsigned host;
	char path[16];
	struct sensor_runs *runs;
	struct run *run; /* NULL: down */
	struct loop *loop;
	struct loop_timer *tick, *boot;
	struct tls_config *tls;
	struct crypto_signer *signer;
	struct spool *spool;
	struct uplink *uplink;
	struct wire_hello hello;
	struct clockwatch clocks;
	uint64_t flushed_ms, signed_ms, synced_ms;
	unsigned flood; /* ticks of it that are left */
	unsigned laps;
	bool in_file, is_leaving, said_goodbye, is_over;
};

static struct schedule {
	size_t n_collectors, n_sensors;
	struct collector collectors[COLLECTORS];
	struct sensor sensors[SENSORS];
	struct sensor_runs runs[SENSORS];
	struct endpoint at[COLLECTORS];
	uint32_t commit_ms, seal_ms, segment_s;
	bool enabled[FAULTS], healed;
	uint64_t every_ns; /* between two faults, about */
	struct loop world;
	struct loop_timer *next_fault, *calm[SENSORS];
} plan;

static struct totals *totals;
static bool trace;

static uint64_t ms(void)
{
	return sim.now_ns / SIM_MS;
}

static void say(const char *what, const char *who)
{
	if (trace)
		printf("%9.3f %s %s\n", (double)sim.now_ns / 1e9, who, what);
}

static _Noreturn void fail(const char *what)
{
	printf("%s at %.3f s\n", what, (double)sim.now_ns / 1e9);
	(void)fflush(stdout);
	_exit(1);
}

static struct sensor *sensor_of(unsigned host)
{
	for (size_t i = 0; i < plan.n_sensors; i++) {
		if (plan.sensors[i].host == host)
			return &plan.sensors[i];
	}
	return NULL;
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
	if (plan.healed && ++s->laps == LAPS)
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

static void sensor_boot(void *ctx)
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
	s->is_leaving = plan.healed;
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
	(void)uplink_new(&s->uplink, s->loop, s->tls, plan.at, plan.n_collectors, &s->hello,
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
	loop_timer_set(c->seal, plan.seal_ms);
}

static void collector_boot(void *ctx)
{
	struct collector *c = ctx;
	struct ledger_config ledger = {.segment_s = plan.segment_s};
	struct ingest_config config = {.commit_ms = plan.commit_ms,
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
	config.at = plan.at[c - plan.collectors];
	if (ingest_start(&c->ingest, &config, &err) < 0)
		fail(err.text);
	(void)loop_timer_new(&c->seal, c->loop, seal, c);
	loop_timer_set(c->seal, plan.seal_ms);
	c->is_up = true;
}

static void collector_stopped(void *ctx)
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

static void kill_sensor(struct sensor *s, enum run_end how)
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

static void kill_collector(struct collector *c, bool power)
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

/* A step of its disk was its last. */
static void died(unsigned host)
{
	struct sensor *s = sensor_of(host);

	if (s) {
		totals->faults[SENSOR_DIED_WRITING]++;
		kill_sensor(s, RUN_KILLED);
		/* DISK_POWER has taken back what was not synced. */
		s->runs->runs[s->runs->n - 1]->end = RUN_NO_POWER;
		lose_unsynced(s);
	} else {
		totals->faults[COLLECTOR_DIED_WRITING]++;
		kill_collector(&plan.collectors[host], false);
	}
}

/* ---- faults ---- */

/* From some step on that comes soon. */
static void disk_fault(unsigned host, enum disk_fault fault, unsigned soon)
{
	sim_enter(host);
	fake_disk.fault = fault;
	fake_disk.at = fake_disk.step + 1 + (unsigned)sim_draw(soon);
	fake_disk.steps = 1 + (unsigned)sim_draw(sim_chance(3) ? 100 : 6);
	fake_disk.keep = sim_draw(400);
	fake_disk.seed = (unsigned)sim_draw(1u << 30);
}

static enum disk_fault deadly(void)
{
	static const enum disk_fault kinds[] = {DISK_KILL, DISK_TORN, DISK_POWER};

	return kinds[sim_draw(3)];
}

static int64_t clock_step(void)
{
	const int64_t hour = 3600 * (int64_t)SIM_S;

	switch (sim_draw(4)) {
	case 0: return (sim_chance(2) ? 1 : -1) * hour;
	case 1: return (int64_t)sim_draw(100 * SIM_S) - 50 * (int64_t)SIM_S;
	case 2: return -40 * 365 * 24 * hour; /* 1985 */
	default: return 20 * 365 * 24 * hour; /* behind 2038 */
	}
}

/* False: it does not fit now. */
static bool sensor_fault(enum fault fault, struct sensor *s)
{
	struct sim_net *net = &sim.net[s->host];

	if (!s->run)
		return false;
	switch ((int)fault) {
	case SENSOR_KILLED:
	case SENSOR_POWER:
		if (s->runs->n >= KILLS)
			return false;
		kill_sensor(s, fault == SENSOR_KILLED ? RUN_KILLED : RUN_NO_POWER);
		return true;
	case SENSOR_DIED_WRITING:
		if (s->runs->n < KILLS && s->in_file)
			disk_fault(s->host, deadly(), 10);
		return false; /* counted when it happens */
	case SENSOR_DISK_ERRORS:
	case SENSOR_SHORT_WRITES:
		if (s->in_file)
			disk_fault(s->host, fault == SENSOR_DISK_ERRORS ? DISK_ERROR : DISK_SHORT,
				   10);
		return s->in_file;
	case SENSOR_CLOCK: sim.hosts[s->host].wall_offset = clock_step(); return true;
	case LINK_CUT:
	case LINK_RESET: return sim_cut(s->host, fault == LINK_RESET);
	case LINK_SILENT: net->is_cut = true; break;
	case LINK_SLOW: net->latency_ns = sim_draw(3 * SIM_S); break;
	case FRAME_TWICE: net->twice = 3; break;
	case FRAMES_SWAPPED: net->swapped = 5; break;
	case FLOOD: s->flood += 1 + (unsigned)sim_draw(30); return true;
	default: return false;
	}
	loop_timer_set(plan.calm[s - plan.sensors], (uint32_t)sim_draw(25000));
	return true;
}

static bool collector_fault(enum fault fault, struct collector *c)
{
	switch ((int)fault) {
	case COLLECTOR_KILLED:
	case COLLECTOR_POWER:
		if (!c->is_up)
			return false;
		kill_collector(c, fault == COLLECTOR_POWER);
		return true;
	case COLLECTOR_DIED_WRITING: disk_fault(c->host, deadly(), 30); return false;
	case COLLECTOR_DISK_FULL: disk_fault(c->host, DISK_FULL, 10); return true;
	case COLLECTOR_DISK_ERRORS: disk_fault(c->host, DISK_ERROR, 10); return true;
	case COLLECTOR_SHORT_WRITES: disk_fault(c->host, DISK_SHORT, 10); return true;
	case COLLECTOR_CLOCK: sim.hosts[c->host].wall_offset = clock_step(); return true;
	default: return false;
	}
}

static void next_fault(void *ctx)
{
	enum fault fault = (enum fault)sim_draw(FAULTS);
	bool is_done = false;

	(void)ctx;
	if (plan.enabled[fault]) {
		say(fault_names[fault], "fault");
		is_done = fault >= COLLECTOR_KILLED && fault <= COLLECTOR_CLOCK
				  ? collector_fault(fault,
						    &plan.collectors[sim_draw(plan.n_collectors)])
				  : sensor_fault(fault, &plan.sensors[sim_draw(plan.n_sensors)]);
	}
	totals->faults[fault] += is_done;
	sim_enter(WORLD);
	sim_timer_at(plan.next_fault, sim.now_ns + sim_draw(2 * plan.every_ns));
}

static void calm_down(void *ctx)
{
	struct sim_net *net = &sim.net[((struct sensor *)ctx)->host];

	net->is_cut = false;
	net->latency_ns = SIM_MS;
	net->twice = net->swapped = 0;
}

/* ---- a schedule ---- */

static void draw_plan(void)
{
	plan.world.host = WORLD;
	plan.n_collectors = 1 + sim_draw(COLLECTORS);
	plan.n_sensors = 1 + sim_draw(SENSORS);
	plan.commit_ms = 1 + (uint32_t)sim_draw(100);
	plan.seal_ms = 1000 + (uint32_t)sim_draw(20000);
	plan.segment_s = 3 + (uint32_t)sim_draw(60);
	plan.every_ns = SIM_S / 4 + sim_draw(4 * SIM_S);
	for (size_t i = 0; i < FAULTS; i++)
		plan.enabled[i] = sim_chance(2);
	for (unsigned i = 0; i < plan.n_collectors; i++) {
		struct collector *c = &plan.collectors[i];

		(void)snprintf(c->store, sizeof c->store, "store-%u", i);
		c->host = i;
		plan.at[i] = (struct endpoint){.family = 4, .port = (uint16_t)i};
		(void)loop_timer_new(&c->boot, &plan.world, collector_boot, c);
		loop_timer_set(c->boot, (uint32_t)sim_draw(4000));
	}
	for (unsigned i = 0; i < plan.n_sensors; i++) {
		struct sensor *s = &plan.sensors[i];

		s->host = COLLECTORS + i;
		s->runs = &plan.runs[i];
		s->in_file = sim_chance(2);
		(void)snprintf(s->path, sizeof s->path, "spool-%u", i);
		(void)snprintf(s->runs->name, sizeof s->runs->name, "s%u", i);
		(void)loop_timer_new(&s->boot, &plan.world, sensor_boot, s);
		loop_timer_set(s->boot, (uint32_t)sim_draw(4000));
		(void)loop_timer_new(&plan.calm[i], &plan.world, calm_down, s);
	}
	(void)loop_timer_new(&plan.next_fault, &plan.world, next_fault, NULL);
	loop_timer_set(plan.next_fault, 3000);
}

static void heal(void)
{
	say("heals", "world");
	plan.healed = true;
	loop_timer_cancel(plan.next_fault);
	for (unsigned i = 0; i < SIM_HOSTS; i++) {
		sim_enter(i);
		fake_disk.fault = DISK_FINE;
	}
	for (unsigned i = 0; i < plan.n_sensors; i++) {
		loop_timer_cancel(plan.calm[i]);
		calm_down(&plan.sensors[i]);
		plan.sensors[i].flood = 0;
		plan.sensors[i].is_leaving = plan.sensors[i].run != NULL;
	}
	sim_enter(WORLD);
}

static bool is_over(void)
{
	bool over = true;

	for (unsigned i = 0; i < plan.n_sensors; i++)
		over = over && plan.sensors[i].is_over;
	for (unsigned i = 0; i < plan.n_collectors; i++)
		over = over && plan.collectors[i].is_up;
	return over;
}

static bool play(uint64_t seed)
{
	uint64_t end;
	bool stepped;

	sim_begin(seed);
	sim.died = died;
	sim_enter(WORLD);
	draw_plan();
	sim_run((10 + sim_draw(60)) * SIM_S);
	heal();
	for (end = sim.now_ns + HEAL_S * SIM_S; !is_over();) {
		if (sim.now_ns > end)
			fail("not all is delivered, though nothing fails any more");
		sim_run(sim.now_ns + SIM_S);
	}
	stepped = false;
	for (unsigned i = 0; i < plan.n_collectors; i++) {
		sim_enter(plan.collectors[i].host);
		stepped = stepped || sim.hosts[plan.collectors[i].host].wall_offset != 0;
		ingest_stop(plan.collectors[i].ingest, collector_stopped, &plan.collectors[i]);
	}
	sim_run(sim.now_ns + 5 * SIM_S);
	for (unsigned i = 0; i < plan.n_collectors; i++) {
		if (!plan.collectors[i].is_over)
			fail("a collector does not end");
	}
	for (unsigned i = 0; i < plan.n_sensors; i++) {
		totals->faults[FRAME_TWICE] += sim.net[plan.sensors[i].host].frames_twice;
		totals->faults[FRAMES_SWAPPED] += sim.net[plan.sensors[i].host].frames_swapped;
	}
	return check_all(plan.runs, plan.n_sensors, plan.n_collectors, stepped, totals);
}

/* In a process and a folder of its own: what a kill leaves behind goes with it. */
static void schedule(uint64_t seed)
{
	char folder[] = "/tmp/flowproof-schedule.XXXXXX", command[64];
	int status = 0;
	pid_t child;

	if (!mkdtemp(folder))
		abort();
	(void)fflush(stdout);
	child = fork();
	if (child == 0) {
		bool ok;

		if (chdir(folder) != 0 || (!trace && !freopen("/dev/null", "w", stderr)))
			_exit(2);
		ok = play(seed);
		(void)fflush(stdout);
		_exit(!ok);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		abort();
	totals->schedules++;
	if (status != 0) {
		totals->failed++;
		printf("FAILED: schedule of seed %llu (status 0x%x); to see it: schedules %llu 1 "
		       "trace\n",
		       (unsigned long long)seed, (unsigned)status, (unsigned long long)seed);
	}
	(void)snprintf(command, sizeof command, "rm -r %s", folder);
	if (system(command) != 0)
		abort();
}

int main(int argc, char **argv)
{
	uint64_t seed, count, seconds;
	time_t begin = time(NULL);

	if (argc < 3) {
		fprintf(stderr, "usage: schedules SEED COUNT [SECONDS | trace]\n");
		return 2;
	}
	seed = strtoull(argv[1], NULL, 10);
	count = strtoull(argv[2], NULL, 10);
	trace = argc > 3 && strcmp(argv[3], "trace") == 0;
	seconds = argc > 3 && !trace ? strtoull(argv[3], NULL, 10) : 0;
	totals = mmap(NULL, sizeof *totals, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (totals == MAP_FAILED)
		abort();
	for (uint64_t i = 0; i < count && (!seconds || time(NULL) - begin < (time_t)seconds); i++)
		schedule(seed + i);
	printf("schedules %u failed %u\n", totals->schedules, totals->failed);
	printf("packets sent %llu in-ledger %llu declared-lost %llu behind-an-unclean-end %llu\n",
	       (unsigned long long)totals->sent, (unsigned long long)totals->in_ledger,
	       (unsigned long long)totals->declared, (unsigned long long)totals->behind);
	printf("batches %llu gaps %llu unclean-ends %llu\nfaults",
	       (unsigned long long)totals->batches, (unsigned long long)totals->gaps,
	       (unsigned long long)totals->unclean);
	for (size_t i = 0; i < FAULTS; i++)
		printf(" %s=%u", fault_names[i], totals->faults[i]);
	putchar('\n');
	return totals->failed != 0;
}
