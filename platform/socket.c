// SPDX-License-Identifier: Apache-2.0
/*
 * See socket.h.
 */
#include "platform/socket.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

socklen_t socket_address_of(union socket_address *ret, const struct endpoint *ep)
{
	memset(ret, 0, sizeof *ret);
	if (ep->family == 6) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(ep->port);
		memcpy(&ret->v6.sin6_addr, ep->addr.b, 16);
		return sizeof ret->v6;
	}
	ret->v4.sin_family = AF_INET;
	ret->v4.sin_port = htons(ep->port);
	memcpy(&ret->v4.sin_addr, ep->addr.b, 4);
	return sizeof ret->v4;
}

struct endpoint socket_endpoint(const union socket_address *sa)
{
	struct endpoint ep = {.family = 4};

	if (sa->any.sa_family == AF_INET6) {
		ep.family = 6;
		ep.port = ntohs(sa->v6.sin6_port);
		memcpy(ep.addr.b, &sa->v6.sin6_addr, 16);
	} else {
		ep.port = ntohs(sa->v4.sin_port);
		memcpy(ep.addr.b, &sa->v4.sin_addr, 4);
	}
	return ep;
}

typedef int attach_fn(int fd, const struct sockaddr *address, socklen_t len);

static int udp_open(int *ret_fd, const struct endpoint *ep, struct endpoint *ret_local,
		    attach_fn *attach, const char *what, struct err *err)
{
	int fd = socket(ep->family == 6 ? AF_INET6 : AF_INET,
			SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char text[ADDR_ENDPOINT_TEXT];
	union socket_address sa;
	socklen_t len = socket_address_of(&sa, ep);
	int rc;

	if (fd < 0)
		return err_errno(err, "cannot open a socket");
	if (attach(fd, &sa.any, len) == 0) {
		len = sizeof sa;
		if (getsockname(fd, &sa.any, &len) == 0) {
			*ret_local = socket_endpoint(&sa);
			*ret_fd = fd;
			return 0;
		}
	}
	rc = err_errno(err, "cannot %s %s by UDP", what, endpoint_text(text, ep));
	(void)close(fd);
	return rc;
}

int socket_udp_connect(int *ret_fd, const struct endpoint *peer, struct endpoint *ret_local,
		       struct err *err)
{
	return udp_open(ret_fd, peer, ret_local, connect, "send to", err);
}

int socket_udp_bind(int *ret_fd, const struct endpoint *at, struct endpoint *ret_local,
		    struct err *err)
{
	return udp_open(ret_fd, at, ret_local, bind, "listen at", err);
}

static int option(int fd, int level, int name)
{
	static const int on = 1;

	return setsockopt(fd, level, name, &on, sizeof on);
}

int socket_listen(int *ret_fd, const struct endpoint *at, struct endpoint *ret_local,
		  struct err *err)
{
	int fd = socket(at->family == 6 ? AF_INET6 : AF_INET,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char text[ADDR_ENDPOINT_TEXT];
	union socket_address sa;
	socklen_t len = socket_address_of(&sa, at);
	int rc;

	if (fd >= 0 && option(fd, SOL_SOCKET, SO_REUSEADDR) == 0 &&
	    (at->family != 6 || option(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0) &&
	    bind(fd, &sa.any, len) == 0 && listen(fd, SOMAXCONN) == 0 &&
	    getsockname(fd, &sa.any, &len) == 0) {
		*ret_local = socket_endpoint(&sa);
		*ret_fd = fd;
		return 0;
	}
	rc = err_errno(err, "cannot listen at %s", endpoint_text(text, at));
	if (fd >= 0)
		(void)close(fd);
	return rc;
}
