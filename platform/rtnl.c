// SPDX-License-Identifier: Apache-2.0
/*
 * rtnl: see rtnl.h.
 *
 *   message   | length 4 | type 2 | flags 2 | sequence 4 | port 4 | body, padded to 4
 *   attribute | length 2 | type 2 | value, padded to 4
 *
 * All in the byte order of this machine.
 */
#include "platform/rtnl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_BYTES = 16384 /* the kernel fills at most this much at once */ };

struct rtnl {
	int fd;
	uint32_t sequence;
	uint8_t answer[ANSWER_BYTES];
};

int rtnl_open(struct rtnl **ret)
{
	struct rtnl *r = malloc(sizeof *r);
	int rc;

	if (!r)
		return -ENOMEM;
	r->sequence = 0;
	r->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (r->fd < 0) {
		rc = -errno;
		free(r);
		return rc;
	}
	*ret = r;
	return 0;
}

void rtnl_close(struct rtnl *r)
{
	if (!r)
		return;
	(void)close(r->fd);
	free(r);
}

static size_t padding(size_t len)
{
	return (4 - len % 4) % 4;
}

bool rtnl_attribute(struct rd *body, uint16_t *type, struct rd *value)
{
	const uint8_t *p = rd_take(body, sizeof(struct rtattr));
	struct rtattr head;

	if (!p)
		return false;
	memcpy(&head, p, sizeof head);
	if (head.rta_len < sizeof head)
		return false;
	p = rd_take(body, head.rta_len - sizeof head);
	if (!p)
		return false;
	*type = (uint16_t)(head.rta_type & 0x3fff); /* NLA_TYPE_MASK */
	*value = rd_init(p, head.rta_len - sizeof head);
	(void)rd_take(body, padding(head.rta_len));
	return true;
}

/* One datagram. 0: more follow; 1: that was all; -errno. */
static int take(struct rd answer, uint32_t sequence, bool *changed, rtnl_fn *fn, void *ctx)
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
				if (head.nlmsg_len < sizeof head + sizeof error)
					return -EBADMSG;
				memcpy(&error, p, sizeof error);
				return error == 0 ? 1 : error < 0 ? error : -EBADMSG;
			}
			fn(ctx, head.nlmsg_type, rd_init(p, head.nlmsg_len - sizeof head));
		}
		(void)rd_take(&answer, padding(head.nlmsg_len));
	}
}

int rtnl_ask(struct rtnl *r, struct nlmsghdr *request, rtnl_fn *fn, void *ctx)
{
	bool changed = false;
	int rc = 0;

	request->nlmsg_seq = ++r->sequence;
	if (sendto(r->fd, request, request->nlmsg_len, 0, NULL, 0) < 0)
		rc = -errno;
	while (rc == 0) {
		ssize_t n = recv(r->fd, r->answer, sizeof r->answer, MSG_DONTWAIT);

		if (n < 0 && errno != EINTR)
			rc = -errno;
		else if (n >= 0)
			rc = take(rd_init(r->answer, (size_t)n), r->sequence, &changed, fn, ctx);
	}
	if (rc > 0)
		rc = changed ? -EAGAIN : 0;
	return rc;
}
