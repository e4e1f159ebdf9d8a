// SPDX-License-Identifier: Apache-2.0
/*
 * The canary port: sends the sensors' canaries back (proto/canary.h), and nothing else.
 */
#pragma once

#include "platform/addr.h"
#include "platform/err.h"
#include "platform/loop.h"

struct canary_port;

/* Hears at `at`; *ret_at: the port chosen for port 0. */
int canary_port_open(struct canary_port **ret, struct loop *loop, const struct endpoint *at,
		     struct endpoint *ret_at, struct err *err);
/* NULL is fine. */
void canary_port_close(struct canary_port *port);
