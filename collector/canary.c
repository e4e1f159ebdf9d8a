// SPDX-License-Identifier: Apache-2.0
/*
 * See canary.h. Anybody can reach the port and forge a sender: so an answer is as long as its question, is never
 * answered itself, and a turn of the loop answers a bounded number.
 */
#include "collector/canary.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "platform/socket.h"
#include "proto/canary.h"

enum { ANSWERS_PER_TURN = 64 };

struct canary_port {
	struct loop_watch *watch;
	int fd;
};

static void on_readable(void *ctx)
{
	struct canary_port *port = ctx;

	for (int i = 0; i < ANSWERS_PER_TURN; i++) {
		uint8_t bytes[CANARY_MAX + 1];
		union socket_address from;
		socklen_t from_len = sizeof from;
		ssize_t len = recvfrom(port->fd, bytes, sizeof bytes, 0, &from.any, &from_len);
		struct canary canary;

		if (len < 0)
			return;
		if (!canary_read(&canary, bytes, (size_t)len) || canary.is_answer)
			continue;
		canary.is_answer = true;
		canary_write(bytes, &canary);
		/* One that is lost is missed by its sensor: that is what it is for. */
		(void)sendto(port->fd, bytes, (size_t)len, 0, &from.any, from_len);
	}
}

int canary_port_open(struct canary_port **ret, struct loop *loop, const struct endpoint *at,
		     struct endpoint *ret_at, struct err *err)
{
	struct canary_port *port = calloc(1, sizeof *port);
	int rc;

	if (!port)
		return err_set(err, -ENOMEM, "no memory for the canary port");
	port->fd = -1;
	rc = socket_udp_bind(&port->fd, at, ret_at, err);
	if (rc == 0 && loop_watch_new(&port->watch, loop, port->fd, on_readable, port) != 0)
		rc = err_set(err, -ENOMEM, "no memory for the canary port");
	if (rc != 0)
		canary_port_close(port);
	else
		*ret = port;
	return rc;
}

void canary_port_close(struct canary_port *port)
{
	if (!port)
		return;
	loop_watch_free(port->watch);
	if (port->fd >= 0)
		(void)close(port->fd);
	free(port);
}
