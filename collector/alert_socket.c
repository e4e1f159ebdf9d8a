// SPDX-License-Identifier: Apache-2.0
/*
 * Syslog over UDP (RFC 5426) and TCP (RFC 6587, octet counting).
 *
 * TCP tells late that a peer is gone: what it took and lost no sender of syslog knows. A connection that
 * the peer closed is seen before the next message.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "collector/alert_output.h"
#include "collector/alert_syslog.h"
#include "platform/addr.h"
#include "platform/socket.h"

struct peer {
	struct endpoint at;
	int fd;
	bool is_tcp;
};

#define ALWAYS(name)                                                                               \
	{                                                                                          \
		SYS_##name, SANDBOX_ALWAYS, 0, 0                                                   \
	}

static const struct sandbox_call calls[] = {
	{SYS_socket, SANDBOX_EQUAL, 0, AF_INET},
	{SYS_socket, SANDBOX_EQUAL, 0, AF_INET6},
	ALWAYS(connect),
	ALWAYS(sendto),
	ALWAYS(sendmsg),
	ALWAYS(recvfrom),
#ifdef SYS_recv
	ALWAYS(send),
	ALWAYS(recv),
#endif
	ALWAYS(setsockopt),
	ALWAYS(getsockname),
};

static int drop(struct peer *p, struct err *err, const char *what)
{
	int rc = err_errno(err, "%s", what);

	if (p->fd >= 0)
		(void)close(p->fd);
	p->fd = -1;
	return rc;
}

static int connect_tcp(struct peer *p, struct err *err)
{
	const struct timeval limit = {.tv_sec = ALERT_IO_S};
	const unsigned unacknowledged_ms = ALERT_IO_S * 1000;
	union socket_address sa;
	socklen_t len = socket_address_of(&sa, &p->at);

	p->fd = socket(p->at.family == 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return err_errno(err, "cannot open a socket");
	/* It bounds connect(2) as well: socket(7). */
	(void)setsockopt(p->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	(void)setsockopt(p->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms,
			 sizeof unacknowledged_ms);
	if (connect(p->fd, &sa.any, len) == 0)
		return 0;
	if (errno == EINPROGRESS)
		errno = ETIMEDOUT;
	return drop(p, err, "cannot connect");
}

static int tell_tcp(struct peer *p, const char *bytes, size_t len, struct err *err)
{
	char count[SYSLOG_COUNT], none[64];
	struct iovec parts[2] = {{count, syslog_count(count, len)},
				 {(char *)(uintptr_t)bytes, len}};
	struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
	int rc = 0;

	if (p->fd >= 0) { /* nothing comes from a receiver but its end */
		ssize_t n = recv(p->fd, none, sizeof none, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			(void)close(p->fd);
			p->fd = -1;
		}
	}
	if (p->fd < 0)
		rc = connect_tcp(p, err);
	while (rc == 0 && m.msg_iovlen > 0) {
		ssize_t n = sendmsg(p->fd, &m, MSG_NOSIGNAL);

		if (n < 0)
			return drop(p, err, "cannot send");
		for (; m.msg_iovlen > 0 && (size_t)n >= m.msg_iov->iov_len; m.msg_iovlen--)
			n -= (ssize_t)(m.msg_iov++)->iov_len;
		if (m.msg_iovlen > 0) {
			m.msg_iov->iov_base = (char *)m.msg_iov->iov_base + n;
			m.msg_iov->iov_len -= (size_t)n;
		}
	}
	return rc;
}

static int tell_udp(struct peer *p, const char *bytes, size_t len, struct err *err)
{
	struct endpoint local;
	int rc = p->fd < 0 ? socket_udp_connect(&p->fd, &p->at, &local, err) : 0;

	if (rc == 0 && send(p->fd, bytes, len, MSG_NOSIGNAL) < 0)
		rc = drop(p, err, "cannot send");
	return rc;
}

static int tell(struct alert_output *o, const char *bytes, size_t len, struct err *err)
{
	struct peer *p = o->state;

	return p->is_tcp ? tell_tcp(p, bytes, len, err) : tell_udp(p, bytes, len, err);
}

static void close_peer(void *state)
{
	free(state); /* connected in the output's process alone */
}

int alert_syslog_open(struct alert_output *ret, const char *given,
		      const struct alert_options *options, struct err *err)
{
	bool is_tcp = strncmp(given, "tcp:", 4) == 0;
	struct peer *p = calloc(1, sizeof *p);
	struct err why;

	(void)options;
	if (!p)
		return err_set(err, -ENOMEM, "no memory for --alert-syslog");
	ret->state = p;
	ret->close = close_peer;
	p->fd = -1;
	p->is_tcp = is_tcp;
	if (!is_tcp && strncmp(given, "udp:", 4) != 0)
		return err_set(err, ERR_USAGE,
			       "--alert-syslog %s: it begins with udp:, tcp: or tls:, as "
			       "udp:192.0.2.1:514",
			       given);
	if (endpoint_parse(given + 4, &p->at, &why) < 0)
		return err_set(err, ERR_USAGE, "--alert-syslog: %s", why.text);
	ret->tell = tell;
	ret->is_syslog = true;
	ret->sandbox = (struct sandbox){.calls = calls, .n_calls = sizeof calls / sizeof calls[0]};
	if (is_tcp) {
		ret->sandbox.ports[0] = p->at.port;
		ret->sandbox.n_ports = 1;
	}
	(void)snprintf(ret->name, sizeof ret->name, "syslog %s", given);
	return 0;
}
