// SPDX-License-Identifier: Apache-2.0
/*
 * Blinding: what a sensor tells of what may stand between its machine's packets and the capture.
 */
#pragma once

#include <stdint.h>

/* What stands, or may stand, between a machine's packets and the capture. The values travel on the wire. */
enum batch_blinding {
	BATCH_BLINDING_SOCKET = 1,  /* another packet socket (packet(7)) */
	BATCH_BLINDING_PROMISCUOUS, /* an interface was made so, not by the sensor */
	BATCH_BLINDING_XDP,         /* a program that has packets before anybody else */
	BATCH_BLINDING_TC,          /* a filter of tc(8) on clsact or ingress */
	BATCH_BLINDING_COUNTERS, /* how many packets the interface counted and the capture did not see */
	BATCH_BLINDING_EBPF,   /* a program of a kind that can change what others see */
	BATCH_BLINDING_FILTER, /* the capture's own filter is another than it was */
	BATCH_BLINDING_KINDS
};

/* What a check could not look at. */
enum batch_unchecked {
	BATCH_UNCHECKED_SOCKETS = 1,
	BATCH_UNCHECKED_LINKS = 2, /* XDP, promiscuity */
	BATCH_UNCHECKED_TC = 4,
	BATCH_UNCHECKED_COUNTERS = 8, /* of an interface at least: why is in the log */
	BATCH_UNCHECKED_EBPF = 16,    /* at the start; later nobody can */
	BATCH_UNCHECKED_NAMES = 32,   /* whose a socket is */
};

/* "socket", "xdp", ...; "other" for one that is not known. */
static inline const char *batch_blinding_name(int64_t what)
{
	static const char *const words[BATCH_BLINDING_KINDS] = {
		[BATCH_BLINDING_SOCKET] = "socket",
		[BATCH_BLINDING_PROMISCUOUS] = "promiscuous",
		[BATCH_BLINDING_XDP] = "xdp",
		[BATCH_BLINDING_TC] = "tc",
		[BATCH_BLINDING_COUNTERS] = "counters",
		[BATCH_BLINDING_EBPF] = "ebpf",
		[BATCH_BLINDING_FILTER] = "filter",
	};

	return what > 0 && what < BATCH_BLINDING_KINDS ? words[what] : "other";
}
