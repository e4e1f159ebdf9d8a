// SPDX-License-Identifier: Apache-2.0
/*
 * ifaddr: the addresses of this machine's interfaces, over a descriptor that is opened once: it can
 * be read again where nothing can be opened any more.
 */
#pragma once

#include <stdbool.h>

#include "platform/addr.h"

/* An address with the prefix length of its network. */
typedef void ifaddr_fn(void *ctx, const struct cidr *address, bool loopback);

struct ifaddr;

int ifaddr_open(struct ifaddr **ret);
void ifaddr_close(struct ifaddr *ifaddr);

/* All addresses as they are now. 0; or -errno: what was told is not all (-EAGAIN: they changed
 * meanwhile, ask again). Does not wait. */
int ifaddr_read(struct ifaddr *ifaddr, ifaddr_fn *fn, void *ctx);
