// SPDX-License-Identifier: Apache-2.0
/*
 * mirror: the frame inside a mirrored one, and whose it is.
 *
 * AWS Traffic Mirroring sends copies of an interface's frames in VXLAN (RFC 7348, UDP port 4789) to a target; each
 * mirror session has a network identifier (VNI). With --mirror the outer headers are taken off and the VNI chooses
 * the interface that the record names. Interfaces are numbered: the captures, then the VNIs of the table in the
 * order they were given, then one for all VNIs that it does not list. What is not VXLAN is the target's own traffic and
 * stays with its capture's interface.
 *
 *   | flags 1: bit 3 says that there is a VNI | reserved 3 | VNI 3 | reserved 1 | an Ethernet frame |
 */
#pragma once

#include <stdint.h>

#include "platform/err.h"
#include "proto/flowrec.h"
#include "proto/wire.h"
#include "sensor/decode.h"

/* One interface is the capture's, one that of unknown VNIs. */
enum { MIRROR_VNIS_MAX = WIRE_INTERFACES_MAX - 2 };

struct mirror_vni {
	uint32_t vni;
	char name[16];      /* "vni-4242" */
	const char *fields; /* " NAME=VALUE ..." of its line, borrowed */
};

struct mirror {
	uint16_t n;
	struct mirror_vni of[MIRROR_VNIS_MAX];
};

/* Adds a line of the table: "4242 interface-id=eni-0a account-id=...", see flowproof-sensor(8); the line is
 * borrowed, its fields are not looked at. ERR_USAGE. */
int mirror_add(struct mirror *mirror, const char *line, struct err *err);

/* Name of interface captures + `i`; `i` == mirror->n: of the unlisted VNIs. */
const char *mirror_name(const struct mirror *mirror, uint16_t i);

/*
 * `decoded` is what DECODE_IP gave for `outer`, and `captures` the number of captures. Of VXLAN the frame inside is
 * put into `ret_inner`, with the interface of its VNI, and decoded in place of the outer one; the result is its own.
 * Of anything else `ret_inner` is `outer`, and the result DECODE_IP.
 */
enum decode_result mirror_enter(const struct mirror *mirror, uint16_t captures,
				const struct packet *outer, struct decoded *decoded,
				struct packet *ret_inner);
