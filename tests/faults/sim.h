// SPDX-License-Identifier: Apache-2.0
/*
 * A world for the fault schedules: hosts with clocks, disks and a network, in one process and one thread,
 * in simulated time. It stands in place of platform/clock, platform/loop and platform/tls (sim.c,
 * sim_tls.c) and platform/file (fake_disk); everything above those is the programs' own code. The same
 * seed gives the same world.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/loop.h"
#include "tests/unit/evidence/fake_disk.h"

enum { SIM_HOSTS = 8 };

#define SIM_MS UINT64_C(1000000)
#define SIM_S  (1000 * SIM_MS)

struct sim_host {
	int64_t wall_offset; /* nanoseconds that its clock is ahead */
	struct fake_disk disk;
};

/* What the network does; changed while it runs. */
struct sim_net {
	uint64_t latency_ns; /* one way, at most */
	bool is_cut;         /* nothing comes through, and nobody is told */
	/* Of a client, one frame in so many is sent twice, or after the next one; 0: none. TLS forbids it
	 * to the network: it is a peer that does so. */
	unsigned twice, swapped;
	unsigned frames_twice, frames_swapped; /* counted */
};

extern struct sim {
	uint64_t now_ns;
	unsigned host; /* whose code runs */
	struct sim_host hosts[SIM_HOSTS];
	struct sim_net net[SIM_HOSTS]; /* of the client's host */
	/* The host's disk ended it in the middle of its work (DISK_KILL, ...). */
	void (*died)(unsigned host);
} sim;

void sim_begin(uint64_t seed);
/* 0 to below - 1. */
uint64_t sim_draw(uint64_t below);
bool sim_chance(unsigned one_in);

/* From now on it is this host's code that runs. */
void sim_enter(unsigned host);
/* Runs what is due until then. */
void sim_run(uint64_t until_ns);

/* The host is no more: its timers, listeners and connections go without a word. `silent`: its peers hear
 * nothing, else its kernel closes for it. Its memory is lost. */
void sim_kill(unsigned host, bool silent);
/* Ends some connection of the client's host, after any byte. False: it has none. */
bool sim_cut(unsigned host, bool reset);

/* ---- between sim.c and sim_tls.c ---- */

struct loop {
	unsigned host;
};

void sim_timer_at(struct loop_timer *timer, uint64_t at_ns);
bool sim_timer_is_armed(const struct loop_timer *timer);
/* Gives the listener of that host a connection. False: nobody listens. */
bool sim_knock(unsigned host, int fd, const struct endpoint *from);
void sim_tls_kill(unsigned host, bool silent);
