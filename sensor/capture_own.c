// SPDX-License-Identifier: Apache-2.0
/*
 * capture_own: see capture_own.h. netdevice(7); Linux' Documentation/networking/ip-sysctl.rst for "forwarding".
 */
#include "sensor/capture_own.h"

#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of a kernel without IPv6 there is no file, and what cannot be read is not said to forward. */
static bool forwards(const char *family, const char *interface)
{
	char path[64 + IF_NAMESIZE];
	FILE *file;
	bool ret;

	(void)snprintf(path, sizeof path, "/proc/sys/net/%s/conf/%s/forwarding", family, interface);
	file = fopen(path, "re");
	if (!file)
		return false;
	ret = fgetc(file) == '1';
	(void)fclose(file);
	return ret;
}

bool capture_own_address(const char *interface, uint8_t ret[static CAPTURE_OWN_ADDRESS])
{
	struct ifreq request = {.ifr_flags = 0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool known;

	if (fd < 0)
		return false;
	memcpy(request.ifr_name, interface, strnlen(interface, IF_NAMESIZE - 1));
	known = ioctl(fd, SIOCGIFHWADDR, &request) == 0 &&
		request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
	(void)close(fd);
	if (!known || forwards("ipv4", interface) || forwards("ipv6", interface))
		return false;
	memcpy(ret, request.ifr_hwaddr.sa_data, CAPTURE_OWN_ADDRESS);
	return true;
}
