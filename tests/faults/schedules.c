// SPDX-License-Identifier: Apache-2.0
/*
 * schedules SEED COUNT [SECONDS]   Random schedules of faults over the sensor's delivery and the collector's
 * taking, simulated (sim.h): COUNT of them, or until SECONDS have passed. Schedule i is that of seed SEED + i.
 *
 * Between spool and ledger it is all the programs' own code: spool, its file, uplink, ingest, ledger,
 * recovery, audit. What is simulated is time, network, disk and the signatures' arithmetic.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/faults/actors.h"

enum {
	WORLD = SIM_HOSTS - 1, /* its clock runs the schedule */
	KILLS = 6,             /* of one sensor: its spool's file holds the streams of eight runs */
	HEAL_S = 900,
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

static struct loop world;
static struct loop_timer *next, *calm[SENSORS];
static bool enabled[FAULTS];
static uint64_t every_ns; /* between two faults, about */
static struct totals *totals;

static struct sensor *sensor_of(unsigned host)
{
	for (size_t i = 0; i < cast.n_sensors; i++) {
		if (cast.sensors[i].host == host)
			return &cast.sensors[i];
	}
	return NULL;
}

/* A step of its disk was its last. */
static void died(unsigned host)
{
	struct sensor *s = sensor_of(host);

	if (s) {
		totals->faults[SENSOR_DIED_WRITING]++;
		sensor_died(s);
	} else {
		totals->faults[COLLECTOR_DIED_WRITING]++;
		collector_kill(&cast.collectors[host], false);
	}
}

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
		sensor_kill(s, fault == SENSOR_KILLED ? RUN_KILLED : RUN_NO_POWER);
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
	loop_timer_set(calm[s - cast.sensors], (uint32_t)sim_draw(25000));
	return true;
}

static bool collector_fault(enum fault fault, struct collector *c)
{
	switch ((int)fault) {
	case COLLECTOR_KILLED:
	case COLLECTOR_POWER:
		if (!c->is_up)
			return false;
		collector_kill(c, fault == COLLECTOR_POWER);
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
	if (enabled[fault]) {
		say(fault_names[fault], "fault");
		is_done = fault >= COLLECTOR_KILLED && fault <= COLLECTOR_CLOCK
				  ? collector_fault(fault,
						    &cast.collectors[sim_draw(cast.n_collectors)])
				  : sensor_fault(fault, &cast.sensors[sim_draw(cast.n_sensors)]);
	}
	totals->faults[fault] += is_done;
	sim_enter(WORLD);
	sim_timer_at(next, sim.now_ns + sim_draw(2 * every_ns));
}

static void calm_down(void *ctx)
{
	struct sim_net *net = &sim.net[((struct sensor *)ctx)->host];

	net->is_cut = false;
	net->latency_ns = SIM_MS;
	net->twice = net->swapped = 0;
}

/* ---- a schedule ---- */

static void draw_cast(void)
{
	world.host = WORLD;
	cast.n_collectors = 1 + sim_draw(COLLECTORS);
	cast.n_sensors = 1 + sim_draw(SENSORS);
	cast.commit_ms = 1 + (uint32_t)sim_draw(100);
	cast.seal_ms = 1000 + (uint32_t)sim_draw(20000);
	cast.segment_s = 3 + (uint32_t)sim_draw(60);
	every_ns = SIM_S / 4 + sim_draw(4 * SIM_S);
	for (size_t i = 0; i < FAULTS; i++)
		enabled[i] = sim_chance(2);
	for (unsigned i = 0; i < cast.n_collectors; i++) {
		struct collector *c = &cast.collectors[i];

		(void)snprintf(c->store, sizeof c->store, "store-%u", i);
		c->host = i;
		cast.at[i] = (struct endpoint){.family = 4, .port = (uint16_t)i};
		(void)loop_timer_new(&c->boot, &world, collector_boot, c);
		loop_timer_set(c->boot, (uint32_t)sim_draw(4000));
	}
	for (unsigned i = 0; i < cast.n_sensors; i++) {
		struct sensor *s = &cast.sensors[i];

		s->host = COLLECTORS + i;
		s->runs = &cast.runs[i];
		s->in_file = sim_chance(2);
		(void)snprintf(s->path, sizeof s->path, "spool-%u", i);
		(void)snprintf(s->runs->name, sizeof s->runs->name, "s%u", i);
		(void)loop_timer_new(&s->boot, &world, sensor_boot, s);
		loop_timer_set(s->boot, (uint32_t)sim_draw(4000));
		(void)loop_timer_new(&calm[i], &world, calm_down, s);
	}
	(void)loop_timer_new(&next, &world, next_fault, NULL);
	loop_timer_set(next, 3000);
}

static void heal(void)
{
	say("heals", "world");
	cast.healed = true;
	loop_timer_cancel(next);
	for (unsigned i = 0; i < SIM_HOSTS; i++) {
		sim_enter(i);
		fake_disk.fault = DISK_FINE;
	}
	for (unsigned i = 0; i < cast.n_sensors; i++) {
		loop_timer_cancel(calm[i]);
		calm_down(&cast.sensors[i]);
		cast.sensors[i].flood = 0;
		cast.sensors[i].is_leaving = cast.sensors[i].run != NULL;
	}
	sim_enter(WORLD);
}

static bool is_over(void)
{
	bool over = true;

	for (unsigned i = 0; i < cast.n_sensors; i++)
		over = over && cast.sensors[i].is_over;
	for (unsigned i = 0; i < cast.n_collectors; i++)
		over = over && cast.collectors[i].is_up;
	return over;
}

static bool play(uint64_t seed)
{
	uint64_t end;
	bool stepped;

	sim_begin(seed);
	sim.died = died;
	sim_enter(WORLD);
	draw_cast();
	sim_run((10 + sim_draw(60)) * SIM_S);
	heal();
	for (end = sim.now_ns + HEAL_S * SIM_S; !is_over();) {
		if (sim.now_ns > end)
			fail("not all is delivered, though nothing fails any more");
		sim_run(sim.now_ns + SIM_S);
	}
	stepped = false;
	for (unsigned i = 0; i < cast.n_collectors; i++) {
		sim_enter(cast.collectors[i].host);
		stepped = stepped || sim.hosts[cast.collectors[i].host].wall_offset != 0;
		ingest_stop(cast.collectors[i].ingest, collector_stopped, &cast.collectors[i]);
	}
	sim_run(sim.now_ns + 5 * SIM_S);
	for (unsigned i = 0; i < cast.n_collectors; i++) {
		if (!cast.collectors[i].is_over)
			fail("a collector does not end");
	}
	for (unsigned i = 0; i < cast.n_sensors; i++) {
		totals->faults[FRAME_TWICE] += sim.net[cast.sensors[i].host].frames_twice;
		totals->faults[FRAMES_SWAPPED] += sim.net[cast.sensors[i].host].frames_swapped;
	}
	return check_all(cast.runs, cast.n_sensors, cast.n_collectors, stepped, totals);
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
