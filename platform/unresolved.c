// SPDX-License-Identifier: Apache-2.0
/*
 * The C library's resolver, taken away from the static sensor: libpcap's filter expressions may name
 * addresses, never hosts, networks or services. The linker takes these for musl's, and nothing of
 * /etc/hosts, /etc/resolv.conf and /etc/services is left in the program.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

struct numeric {
	struct addrinfo info;
	union {
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at;
};

/* Numeric addresses only, one result; EAI_NONAME for all else (RFC 3493, 6.1). */
int getaddrinfo(const char *restrict node, const char *restrict service,
		const struct addrinfo *restrict hints, struct addrinfo **restrict res)
{
	int family = hints ? hints->ai_family : AF_UNSPEC, rc = EAI_NONAME;
	struct numeric *n = calloc(1, sizeof *n);

	if (!n)
		return EAI_MEMORY;
	if (node && !service && family != AF_INET6 &&
	    inet_pton(AF_INET, node, &n->at.v4.sin_addr) == 1) {
		n->at.v4.sin_family = AF_INET;
		n->info.ai_addrlen = sizeof n->at.v4;
		rc = 0;
	} else if (node && !service && family != AF_INET &&
		   inet_pton(AF_INET6, node, &n->at.v6.sin6_addr) == 1) {
		n->at.v6.sin6_family = AF_INET6;
		n->info.ai_addrlen = sizeof n->at.v6;
		rc = 0;
	}
	if (rc) {
		free(n);
		return rc;
	}
	n->info.ai_addr = (struct sockaddr *)&n->at;
	n->info.ai_family = n->info.ai_addr->sa_family;
	*res = &n->info;
	return 0;
}

/* The first member of what getaddrinfo() made. */
void freeaddrinfo(struct addrinfo *info)
{
	free(info);
}
