// SPDX-License-Identifier: Apache-2.0
/*
 * Socket addresses as the kernel has them, and datagram and listening sockets.
 */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "platform/addr.h"
#include "platform/err.h"

union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Returns how much of it counts. */
socklen_t socket_address_of(union socket_address *ret, const struct endpoint *endpoint);
struct endpoint socket_endpoint(const union socket_address *address);

/* UDP sockets: non-blocking, closed on exec, given to the caller. *ret_local: the address that the kernel
 * chose, or that was asked for with the port it chose for port 0. */

/* Sends to `peer` and hears only it. */
int socket_udp_connect(int *ret_fd, const struct endpoint *peer, struct endpoint *ret_local,
		       struct err *err);
/* Hears what is sent to `at`. */
int socket_udp_bind(int *ret_fd, const struct endpoint *at, struct endpoint *ret_local,
		    struct err *err);

/* TCP, the same way; an IPv6 address takes no IPv4. */
int socket_listen(int *ret_fd, const struct endpoint *at, struct endpoint *ret_local,
		  struct err *err);
