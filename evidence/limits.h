// SPDX-License-Identifier: Apache-2.0
/*
 * What the detectors need before they speak. `flowproof findings --limits` prints these very numbers, and
 * tests/findings/measure_limits.py measures them.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "evidence/finding.h"

enum {
	VOLUME_BYTES = 1024 * 1024,         /* out to one endpoint */
	VOLUME_EXPECTED = 64 * 1024 * 1024, /* the same, where the policy expects it */
	DRIP_MINUTES = 4,                   /* distinct ones in which payload went out */
	DRIP_SPAN_S = 3600,                 /* from the first packet to the last */
	DRIP_BYTES = 64 * 1024,             /* a minute; more than that is volume */
	SWEEP_ADDRESSES = 6,                /* that were probed on one port */
	SCAN_PORTS = 6,                     /* that were probed on one address */
	SCAN_OPEN = 16,                     /* of both, where more than two thirds answer */
	ICMP_PACKETS = 4,                   /* out */
	ICMP_SIZE = 200,                    /* bytes of an IP packet, on average */
	ICMP6_PLAIN = 104,                  /* bytes of an IPv6 ping with 56 bytes of data */
	ICMP_CHANGE = 16,                   /* bytes, between windows or directions */
	BEACON_GAP_S = 5,     /* of silence before a call; the sensor's RHYTHM_GAP_S */
	BEACON_TIGHT = 5,     /* intervals, most of them near the middle one */
	BEACON_NEAR = 15,     /* percent: what is near */
	BEACON_MANY = 20,     /* the same, if a few more are */
	BEACON_LOOSE = 10,    /* intervals, of which almost none is far from it */
	TUNNEL_NULLS = 4,     /* queries of type NULL to one parent domain */
	TUNNEL_TYPED = 8,     /* distinct names, half of the queries for TXT, CNAME, MX, KEY */
	TUNNEL_NAMES = 10,    /* distinct names that look encoded ... */
	TUNNEL_LETTERS = 300, /* ... and carry so many letters in all */
	TUNNEL_MANY = 200,    /* distinct names of any look */
	TUNNEL_LABEL = 48,    /* letters of a label that looks encoded */
};

/* What the detector of a kind cannot see, however long it looks; NULL: there is no such detector. */
const char *limits_blind(enum finding_kind kind);

/* Each detector's limit: what it needs, and what it cannot see. With `json` an object a line. */
void limits_print(FILE *out, bool json);
