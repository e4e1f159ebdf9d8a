// SPDX-License-Identifier: Apache-2.0
/*
 * ifaddr: the addresses of this machine's interfaces, over rtnetlink.
 */
#pragma once

#include <stdbool.h>

#include "platform/addr.h"

struct rtnl;

/* An address with the prefix length of its network. */
typedef void ifaddr_fn(void *ctx, const struct cidr *address, bool loopback);

/* All addresses as they are now. 0; or -errno, as rtnl_ask(). */
int ifaddr_read(struct rtnl *rtnl, ifaddr_fn *fn, void *ctx);
