// SPDX-License-Identifier: Apache-2.0
/*
 * The dump over rtnetlink against getifaddrs(3), in this machine's network as it is; the loopback
 * interface is always there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/ifaddr.h"
#include "platform/rtnl.h"

enum { MANY = 256, TEXT = 80 };

/* A line an address, so that a difference can be read. */
struct lines {
	size_t n;
	char v[MANY][TEXT];
};

static void put(struct lines *l, uint8_t family, const uint8_t *bytes, unsigned bits, bool loopback)
{
	struct addr addr = {{0}};
	char text[ADDR_TEXT];

	memcpy(addr.b, bytes, family == 4 ? 4 : 16);
	assert_true(l->n < MANY);
	snprintf(l->v[l->n++], TEXT, "%s/%u%s", addr_text(text, family, &addr), bits,
		 loopback ? " loopback" : "");
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void on_address(void *ctx, const struct cidr *address, bool loopback)
{
	put(ctx, address->family, address->addr.b, address->bits, loopback);
}

static unsigned ones(const uint8_t *mask, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len * 8; i++)
		n += (unsigned)mask[i / 8] >> (7 - i % 8) & 1U;
	return n;
}

static void expected(struct lines *ret)
{
	struct ifaddrs *all;

	ret->n = 0;
	assert_int_equal(getifaddrs(&all), 0);
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		bool loopback = (i->ifa_flags & IFF_LOOPBACK) != 0;

		if (!i->ifa_addr || !i->ifa_netmask)
			continue;
		if (i->ifa_addr->sa_family == AF_INET) {
			struct sockaddr_in a, m;

			memcpy(&a, i->ifa_addr, sizeof a);
			memcpy(&m, i->ifa_netmask, sizeof m);
			put(ret, 4, (const uint8_t *)&a.sin_addr,
			    ones((const uint8_t *)&m.sin_addr, 4), loopback);
		} else if (i->ifa_addr->sa_family == AF_INET6) {
			struct sockaddr_in6 a, m;

			memcpy(&a, i->ifa_addr, sizeof a);
			memcpy(&m, i->ifa_netmask, sizeof m);
			put(ret, 6, a.sin6_addr.s6_addr, ones(m.sin6_addr.s6_addr, 16), loopback);
		}
	}
	freeifaddrs(all);
	qsort(ret->v, ret->n, TEXT, by_text);
}

static void test_as_getifaddrs(void **state)
{
	static struct lines got, want;
	struct rtnl *source;

	(void)state;
	assert_int_equal(rtnl_open(&source), 0);
	for (int turn = 0; turn < 3; turn++) { /* over one descriptor */
		got.n = 0;
		assert_int_equal(ifaddr_read(source, on_address, &got), 0);
		qsort(got.v, got.n, TEXT, by_text);
		expected(&want);
		assert_true(want.n >= 1);
		assert_int_equal(got.n, want.n);
		for (size_t i = 0; i < got.n; i++)
			assert_string_equal(got.v[i], want.v[i]);
	}
	rtnl_close(source);
	rtnl_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_getifaddrs)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
