// SPDX-License-Identifier: Apache-2.0
/*
 * What the detectors need before they speak. `flowproof findings --limits` prints these very numbers, and
 * tests/limits measures them.
 */
#pragma once

enum {
	VOLUME_BYTES = 1024 * 1024,         /* out to one endpoint */
	VOLUME_EXPECTED = 64 * 1024 * 1024, /* the same, where the policy expects it */
	DRIP_MINUTES = 4,                   /* distinct ones in which payload went out */
	DRIP_SPAN_S = 3600,                 /* from the first packet to the last */
	DRIP_BYTES = 64 * 1024,             /* a minute; more than that is volume */
	SWEEP_ADDRESSES = 6,                /* that were probed on one port */
	SCAN_PORTS = 6,                     /* that were probed on one address */
	ICMP_PACKETS = 4,                   /* out */
	ICMP_SIZE = 200,                    /* bytes of an IP packet, on average */
	ICMP6_PLAIN = 104,                  /* bytes of an IPv6 ping with 56 bytes of data */
	ICMP_CHANGE = 16,                   /* bytes, between windows or directions */
};
