// SPDX-License-Identifier: Apache-2.0
/*
 * segments: how many packets of the wire a captured frame stands for, as the kernel knows it.
 *
 * A packet that the kernel merged (GRO) or that the network card will cut (TSO) reaches a capture as one
 * long frame. The kernel keeps the number of its segments beside it, and a packet socket hands that number
 * to nobody but an eBPF socket filter. What a filter can say is how many bytes of a frame are kept: so the
 * number is told by that length. It needs Linux 5.7, and the right to load a program at the start.
 */
#pragma once

#include <stdint.h>

enum {
	SEGMENTS_SNAPLEN = 256, /* bytes kept of a frame; the number is told by some more or less */
	SEGMENTS_WHOLE_MAX =
		16384, /* a frame up to here that may bear a name is kept whole: of it the
				       number is unknown */
};

/* Gives a descriptor of the program, for segments_attach() and close(2); or -errno. */
int segments_load(void);
int segments_attach(int socket, int program);

/* The packets that a frame stands for, `captured` of whose `wire` bytes were kept; 0: unknown. Both without
 * what libpcap puts in front of cooked frames; a VLAN tag that it puts back may be in both. */
uint32_t segments_of(uint32_t captured, uint32_t wire);
