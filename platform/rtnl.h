// SPDX-License-Identifier: Apache-2.0
/*
 * rtnl: questions to the kernel over one rtnetlink(7) socket that stays open: they can be asked again
 * where nothing can be opened any more, and they are answered for the network namespace in which it
 * was opened, whatever lies under /sys and /proc.
 */
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>

#include "platform/bytes.h"

struct rtnl;

/* -ENOMEM, or the -errno of socket(2). */
int rtnl_open(struct rtnl **ret);
void rtnl_close(struct rtnl *rtnl);

/* A message of an answer: its body after the head. */
typedef void rtnl_fn(void *ctx, uint16_t type, struct rd body);

/* Sends a request (its length, type and flags are set; the number is filled in) and hands over what
 * comes back. NLM_F_DUMP or NLM_F_ACK must be among the flags: they say when the answer ends. 0; or
 * -errno: what was told is not all (-EAGAIN: it changed meanwhile, ask again). Does not wait: the
 * kernel answers while it is asked. */
int rtnl_ask(struct rtnl *rtnl, struct nlmsghdr *request, rtnl_fn *fn, void *ctx);

/* The next attribute of a body; false at its end. */
bool rtnl_attribute(struct rd *body, uint16_t *type, struct rd *value);
