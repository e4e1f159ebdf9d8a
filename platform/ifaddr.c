// SPDX-License-Identifier: Apache-2.0
/*
 * ifaddr: a dump of addresses over rtnetlink(7). getifaddrs(3) does the same with a socket of its
 * own each time.
 *
 *   message   | length 4 | type 2 | flags 2 | sequence 4 | port 4 | body, padded to 4
 *   body      | family 1 | prefix length 1 | flags 1 | scope 1 | interface 4 | attributes
 *   attribute | length 2 | type 2 | value, padded to 4
 *
 * All in the byte order of this machine.
 */
#include "platform/ifaddr.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/bytes.h"

enum {
	ANSWER_BYTES = 16384, /* the kernel fills at most this much at once */
	LOOPBACK = 1,         /* the number of "lo", in every namespace */
};

struct ifaddr {
	int fd;
	uint32_t sequence;
	uint8_t answer[ANSWER_BYTES];
};

int ifaddr_open(struct ifaddr **ret)
{
	struct ifaddr *i = malloc(sizeof *i);
	int rc;

	if (!i)
		return -ENOMEM;
	i->sequence = 0;
	i->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (i->fd < 0) {
		rc = -errno;
		free(i);
		return rc;
	}
	*ret = i;
	return 0;
}

void ifaddr_close(struct ifaddr *i)
{
	if (!i)
		return;
	(void)close(i->fd);
	free(i);
}

static int ask(int fd, uint32_t sequence)
{
	struct {
		struct nlmsghdr head;
		struct ifaddrmsg body;
	} request = {
		.head = {.nlmsg_len = sizeof request,
			 .nlmsg_type = RTM_GETADDR,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			 .nlmsg_seq = sequence},
		.body = {.ifa_family = AF_UNSPEC},
	};

	return sendto(fd, &request, sizeof request, 0, NULL, 0) < 0 ? -errno : 0;
}

static size_t padding(size_t len)
{
	return (4 - len % 4) % 4;
}

static void tell(struct rd body, ifaddr_fn *fn, void *ctx)
{
	struct ifaddrmsg head;
	const uint8_t *p = rd_take(&body, sizeof head), *peer = NULL, *local = NULL;
	struct cidr cidr = {.bits = 0};
	size_t size;

	if (!p)
		return;
	memcpy(&head, p, sizeof head);
	if (head.ifa_family != AF_INET && head.ifa_family != AF_INET6)
		return;
	size = head.ifa_family == AF_INET ? 4 : 16;
	for (;;) {
		struct rtattr attribute;

		p = rd_take(&body, sizeof attribute);
		if (!p)
			break;
		memcpy(&attribute, p, sizeof attribute);
		if (attribute.rta_len < sizeof attribute)
			break;
		p = rd_take(&body, attribute.rta_len - sizeof attribute);
		if (p && attribute.rta_len == sizeof attribute + size) {
			if (attribute.rta_type == IFA_ADDRESS)
				peer = p;
			else if (attribute.rta_type == IFA_LOCAL)
				local = p;
		}
		(void)rd_take(&body, padding(attribute.rta_len));
	}
	/* On a link between two IFA_ADDRESS is the other end. */
	if (!local)
		local = peer;
	if (!local || head.ifa_prefixlen > size * 8)
		return;
	cidr.family = head.ifa_family == AF_INET ? 4 : 6;
	cidr.bits = head.ifa_prefixlen;
	memcpy(cidr.addr.b, local, size);
	fn(ctx, &cidr, head.ifa_index == LOOPBACK);
}

/* One datagram. 0: more follow; 1: that was all; -errno. */
static int take(struct rd answer, uint32_t sequence, bool *changed, ifaddr_fn *fn, void *ctx)
{
	for (;;) {
		const uint8_t *p = rd_take(&answer, sizeof(struct nlmsghdr));
		struct nlmsghdr head;
		int error = 0;

		if (!p)
			return 0;
		memcpy(&head, p, sizeof head);
		if (head.nlmsg_len < sizeof head)
			return -EBADMSG;
		p = rd_take(&answer, head.nlmsg_len - sizeof head);
		if (!p)
			return -EBADMSG;
		if (head.nlmsg_seq == sequence) {
			if (head.nlmsg_flags & NLM_F_DUMP_INTR)
				*changed = true;
			if (head.nlmsg_type == NLMSG_DONE)
				return 1;
			if (head.nlmsg_type == NLMSG_ERROR) {
				if (head.nlmsg_len >= sizeof head + sizeof error)
					memcpy(&error, p, sizeof error);
				return error < 0 ? error : -EBADMSG;
			}
			if (head.nlmsg_type == RTM_NEWADDR)
				tell(rd_init(p, head.nlmsg_len - sizeof head), fn, ctx);
		}
		(void)rd_take(&answer, padding(head.nlmsg_len));
	}
}

int ifaddr_read(struct ifaddr *i, ifaddr_fn *fn, void *ctx)
{
	bool changed = false;
	int rc = ask(i->fd, ++i->sequence);

	while (rc == 0) {
		/* The kernel answers while it is asked: there is nothing to wait for. */
		ssize_t n = recv(i->fd, i->answer, sizeof i->answer, MSG_DONTWAIT);

		if (n < 0 && errno != EINTR)
			rc = -errno;
		else if (n >= 0)
			rc = take(rd_init(i->answer, (size_t)n), i->sequence, &changed, fn, ctx);
	}
	if (rc > 0)
		rc = changed ? -EAGAIN : 0;
	return rc;
}
