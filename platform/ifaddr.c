// SPDX-License-Identifier: Apache-2.0
/*
 * ifaddr: a dump of addresses. getifaddrs(3) does the same with a socket of its own each time.
 *
 *   body | family 1 | prefix length 1 | flags 1 | scope 1 | interface 4 | attributes
 */
#include "platform/ifaddr.h"

#include <string.h>
#include <sys/socket.h>

#include "platform/rtnl.h"

enum { LOOPBACK = 1 }; /* the number of "lo", in every namespace */

struct reader {
	ifaddr_fn *fn;
	void *ctx;
};

static void on_message(void *ctx, uint16_t type, struct rd body)
{
	const struct reader *to = ctx;
	struct ifaddrmsg head;
	const uint8_t *p = rd_take(&body, sizeof head), *peer = NULL, *local = NULL;
	struct cidr cidr = {.bits = 0};
	struct rd value;
	size_t size;

	if (type != RTM_NEWADDR || !p)
		return;
	memcpy(&head, p, sizeof head);
	if (head.ifa_family != AF_INET && head.ifa_family != AF_INET6)
		return;
	size = head.ifa_family == AF_INET ? 4 : 16;
	while (rtnl_attribute(&body, &type, &value)) {
		if (rd_left(&value) != size)
			continue;
		if (type == IFA_ADDRESS)
			peer = value.p;
		else if (type == IFA_LOCAL)
			local = value.p;
	}
	/* On a link between two IFA_ADDRESS is the other end. */
	if (!local)
		local = peer;
	if (!local || head.ifa_prefixlen > size * 8)
		return;
	cidr.family = head.ifa_family == AF_INET ? 4 : 6;
	cidr.bits = head.ifa_prefixlen;
	memcpy(cidr.addr.b, local, size);
	to->fn(to->ctx, &cidr, head.ifa_index == LOOPBACK);
}

int ifaddr_read(struct rtnl *rtnl, ifaddr_fn *fn, void *ctx)
{
	struct {
		struct nlmsghdr head;
		struct ifaddrmsg body;
	} request = {
		.head = {.nlmsg_len = sizeof request,
			 .nlmsg_type = RTM_GETADDR,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.body = {.ifa_family = AF_UNSPEC},
	};
	struct reader to = {fn, ctx};

	return rtnl_ask(rtnl, &request.head, on_message, &to);
}
