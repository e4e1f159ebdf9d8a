// SPDX-License-Identifier: Apache-2.0
/*
 * own: see own.h.
 */
#include "sensor/own.h"

#include <string.h>

enum { TCP = 6 };

void own_add(struct own *o, const struct endpoint *local, const struct endpoint *remote)
{
	o->of[o->n++ % OWN_MAX] = (struct own_flow){.local = *local, .remote = *remote};
}

static bool is_at(const struct endpoint *end, const struct addr *addr, uint16_t port)
{
	return end->port == port && memcmp(&end->addr, addr, sizeof *addr) == 0;
}

bool own_is(const struct own *o, uint8_t family, const struct addr *local, uint16_t local_port,
	    const struct addr *remote, uint16_t remote_port)
{
	size_t n = o->n < OWN_MAX ? o->n : OWN_MAX;

	for (size_t i = 0; i < n; i++)
		if (o->of[i].local.family == family && is_at(&o->of[i].local, local, local_port) &&
		    is_at(&o->of[i].remote, remote, remote_port))
			return true;
	return false;
}

bool own_has(const struct own *o, const struct flow_key *k, bool from_b)
{
	return k->protocol == TCP &&
	       (from_b ? own_is(o, k->family, &k->b, k->port_b, &k->a, k->port_a)
		       : own_is(o, k->family, &k->a, k->port_a, &k->b, k->port_b));
}
