// SPDX-License-Identifier: Apache-2.0
/*
 * window: aligned windows of 60 or 600 s on packet time; which are over, which were silent, which
 * lost packets.
 *
 * A file closes a window when a packet of a later one comes; live, the clock closes it
 * WINDOW_GRACE_S after its end, so that the ring's last packets are in. A silent window gives a
 * NODATA line per interface: live one each (clipped to the run), in a file (where all interfaces are silent) and after a jump of more
 * than WINDOW_JUMP windows one that spans the silence. Dropped packets give SKIPDATA in every
 * window that was open between the two readings of the counter that tell it, however many: a sensor
 * that was stopped cannot say in which of them they were lost. Pure: time comes in as an argument.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { WINDOW_GRACE_S = 1, WINDOW_JUMP = 60, WINDOW_INTERFACES_MAX = 16 };

struct window_sink {
	/* Flows of windows below `before` are over. Comes before the NODATA and SKIPDATA of these
	 * windows. */
	void (*closed)(void *ctx, uint32_t before);
	/* A line without a flow: `status` is FLOWREC_NODATA or FLOWREC_SKIPDATA, [start, end) in
	 * Unix seconds. */
	void (*mark)(void *ctx, uint16_t iface, uint8_t status, uint64_t start, uint64_t end);
	void *ctx;
};

struct window {
	uint32_t length_s;
	bool live;
	bool started;
	uint32_t current;     /* the newest window; all below are closed */
	uint64_t run_start_s; /* live: when the sensor began */
	uint16_t ifaces;      /* number of interfaces */
	/* Live, per interface: bit k stands for window `current` + k: packets noted, packets dropped.
	 * The last bit of `lost` stands for all windows from there on. */
	uint64_t seen[WINDOW_INTERFACES_MAX], lost[WINDOW_INTERFACES_MAX];
	struct window_sink sink;
};

/* `length_s`: 60 or 600. Live runs begin at `now_s`; files with their first packet. */
void window_init(struct window *w, uint32_t length_s, uint16_t ifaces, bool live, uint64_t now_s,
		 const struct window_sink *sink);

/* Number of the window that holds a second, and the seconds from its begin. Beyond the year 10000
 * times stick to the last window. */
void window_place(const struct window *w, uint64_t sec, uint32_t *ret_number, uint16_t *ret_offset);

/* A packet of this window and interface is about to be counted. In a file this may close windows.
 */
void window_note(struct window *w, uint32_t number, uint16_t iface);

/* Live: packets of this interface were dropped between two readings of a counter. */
void window_lost(struct window *w, uint16_t iface, uint64_t from_s, uint64_t to_s);

/* Live: is a window over? Then whoever has packets of it must hand them in before window_tick(). */
bool window_is_over(const struct window *w, uint64_t now_s);

/* Live: closes what is over. */
void window_tick(struct window *w, uint64_t now_s);

/* The run ends: closes everything. `now_s` counts live only. */
void window_end(struct window *w, uint64_t now_s);
