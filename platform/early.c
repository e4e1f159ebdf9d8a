// SPDX-License-Identifier: Apache-2.0
/*
 * early: see early.h.
 */
#include "platform/early.h"

#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int early_link_up(const char *interface, bool *ret_changed, struct err *err)
{
	struct ifreq request = {.ifr_flags = 0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	*ret_changed = false;
	if (fd < 0)
		return err_errno(err, "socket");
	memcpy(request.ifr_name, interface, strnlen(interface, IF_NAMESIZE - 1));
	rc = ioctl(fd, SIOCGIFFLAGS, &request);
	if (rc == 0 && !(request.ifr_flags & IFF_UP)) {
		request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
		rc = ioctl(fd, SIOCSIFFLAGS, &request);
		*ret_changed = rc == 0;
	}
	if (rc != 0)
		rc = err_errno(err, "%s cannot be set up", interface);
	(void)close(fd);
	return rc;
}

bool early_ready(const char *address)
{
	static const char ready[] = "READY=1";
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = address ? strlen(address) : 0;
	bool sent;
	int fd;

	if (len < 2 || len >= sizeof to.sun_path || (address[0] != '/' && address[0] != '@'))
		return false;
	memcpy(to.sun_path, address, len);
	if (address[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	/* An abstract name has no end but the length. */
	sent = sendto(fd, ready, sizeof ready - 1, MSG_NOSIGNAL | MSG_DONTWAIT,
		      (struct sockaddr *)&to,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) ==
	       (ssize_t)sizeof ready - 1;
	(void)close(fd);
	return sent;
}
