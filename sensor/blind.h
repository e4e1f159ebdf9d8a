// SPDX-License-Identifier: Apache-2.0
/*
 * blind: what was found that may stand between this machine's packets and the capture, from one look to the next, in a table of a
 * fixed size. Pure: the looking is session_blind.c's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BLIND_THINGS_MAX = 32,
	BLIND_TEXT = 112,
	/* Packets that an interface may count and the capture not see: so many, and one of so many counted. Drivers
	 * count what they then give up. */
	BLIND_TOLERANCE = 8,
	BLIND_TOLERANCE_OF = 1000,
};

struct blind_thing {
	uint8_t what;  /* enum batch_blinding */
	int16_t iface; /* number in the stream; -1: of none */
	bool present;  /* at this look */
	bool is_new;   /* since it was not there */
	char text[BLIND_TEXT];
};

/* Zeroed: nothing yet. */
struct blind {
	struct blind_thing things[BLIND_THINGS_MAX];
	size_t n;
	uint64_t left_out; /* things of this look without room */
};

/* A look begins: nothing is there until it is found. */
void blind_begin(struct blind *blind);
/* The thing, which is there now; NULL: there is no room. One that is gone gives way. */
struct blind_thing *blind_found(struct blind *blind, uint8_t what, int16_t iface, const char *text);

/* What an interface counted beside what the capture saw. Zeroed: not begun. */
struct blind_count {
	bool begun;
	uint64_t counted_first, seen_first, counted_last;
	uint64_t unseen; /* told so far */
};

/* `counted`: packets of the interface. `seen`: of the capture: frames, what it lost of them, and what stood for several. To
 * begin, `seen` is of before `counted` was read; later of when all that is counted was handed over: so more may be taken for seen,
 * never less. */
void blind_count_begin(struct blind_count *count, uint64_t counted, uint64_t seen);
/* How many more went unseen than told before; 0 within the tolerance. If `counted` steps back (the driver began
 * anew) it is no longer begun. */
uint64_t blind_compare(struct blind_count *count, uint64_t counted, uint64_t seen);
