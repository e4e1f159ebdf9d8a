// SPDX-License-Identifier: Apache-2.0
/*
 * own: connections that the sensor makes beside its stream, each told by both of its ends. They are expected whatever the
 * policy says; another's to the same service are judged as ever.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "platform/addr.h"
#include "sensor/flow.h"

enum { OWN_MAX = 64 };

struct own_flow {
	struct endpoint local, remote;
};

/* A ring: the newest OWN_MAX. Zeroed: none. */
struct own {
	struct own_flow of[OWN_MAX];
	size_t n;
};

void own_add(struct own *own, const struct endpoint *local, const struct endpoint *remote);
/* Is a TCP connection between these one of them? */
bool own_is(const struct own *own, uint8_t family, const struct addr *local, uint16_t local_port,
	    const struct addr *remote, uint16_t remote_port);
/* As own_is(), of a flow. `from_b`: b began it. */
bool own_has(const struct own *own, const struct flow_key *key, bool from_b);
