// SPDX-License-Identifier: Apache-2.0
/*
 * early: what a program needs that is started before the network: an interface that is still down, and somebody who
 * waits to be told that it watches now.
 */
#pragma once

#include <stdbool.h>

#include "platform/err.h"

/* Sets an interface of this network namespace up if it is down (netdevice(7); takes CAP_NET_ADMIN). 0, or < 0 with `err`;
 * `ret_changed`: it was down. */
int early_link_up(const char *interface, bool *ret_changed, struct err *err);

/* Tells systemd that the start is over (sd_notify(3): a datagram "READY=1" to the socket that `address` names, the value
 * of NOTIFY_SOCKET: a path, or @ and an abstract name). NULL: nobody asks. A failure is not worth a word: who waits for
 * nothing ends us, and says so. True if it was sent. */
bool early_ready(const char *address);
