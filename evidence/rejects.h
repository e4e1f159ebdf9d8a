// SPDX-License-Identifier: Apache-2.0
/*
 * What the REJECT lines of Flow Logs tell by themselves: addresses that neither security group nor network ACL lets
 * through and that knock all the same, and what this side sent and was refused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/flowlogs.h"

enum {
	REJECTS_PAIRS_MAX = 1000000, /* of source, destination and interface */
	REJECTS_PORTS = 16,          /* kept of each, with counts */
	REJECTS_HOURS = 24,
	REJECTS_NAME_MAX = 64,
};

/* Ports from which on it is a scan, packets from which on it is insistence. */
enum { REJECTS_SCAN_PORTS = 10, REJECTS_INSIST_PACKETS = 20 };

struct rejects_port {
	uint64_t packets;
	uint16_t port;
	uint8_t protocol;
};

struct rejects_remote {
	struct addr local, remote;
	uint64_t lines, packets, bytes;
	uint64_t start, end;                      /* Unix seconds; 0 0: no line says */
	uint32_t hours[REJECTS_HOURS];            /* lines by hour of the day, UTC */
	struct rejects_port ports[REJECTS_PORTS]; /* destination ports, the most packets first */
	size_t n_ports;
	bool more_ports;
	uint8_t family;
	uint8_t direction; /* enum flowrec_direction */
	char interface[REJECTS_NAME_MAX];
};

struct rejects;

int rejects_new(struct rejects **ret); /* -ENOMEM */
void rejects_free(struct rejects *rejects);
/* Any record; ACCEPT lines show which addresses are the interface's own. 0 or -ENOMEM. */
int rejects_take(struct rejects *rejects, const struct flowlogs_record *record);

struct rejects_totals {
	uint64_t lines, packets, bytes; /* of REJECT */
	uint64_t accepted;              /* lines */
	uint64_t left_out;              /* REJECT lines for which there was no room */
	uint64_t unusable;              /* lines that do not say action or addresses */
};
const struct rejects_totals *rejects_totals(const struct rejects *rejects);

/* Orders all of at least `min_packets` (lines, where no line tells packets): what went out first, then by packets. How many. -ENOMEM. */
int rejects_list(struct rejects *rejects, uint64_t min_packets, size_t *ret_n);
/* The i-th of them. */
struct rejects_remote rejects_at(const struct rejects *rejects, size_t i);
/* "scan": many ports; "insistent": many packets to few; "knock". */
const char *rejects_pattern(const struct rejects_remote *remote);
