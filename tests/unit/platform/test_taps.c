// SPDX-License-Identifier: Apache-2.0
/*
 * taps: lines of /proc/net/packet as the kernel writes them (net/packet/af_packet.c), and this process's own packet sockets in a
 * namespace of its own.
 */
#include "platform/taps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/rtnl.h"

static void test_lines(void **state)
{
	struct taps_socket s;

	(void)state;
	assert_true(taps_read_socket("ffff8f1a41ce2800 3      3    0003   2     1 0      0      "
				     "20301 ",
				     &s));
	assert_int_equal(s.protocol, 3);
	assert_int_equal(s.index, 2);
	assert_int_equal(s.uid, 0);
	assert_true(s.inode == 20301);
	assert_true(taps_read_socket(
		"0000000000000000 3 2 888e 0 1 4294967295 1000 18446744073709551615", &s));
	assert_int_equal(s.protocol, 0x888e);
	assert_int_equal(s.uid, 1000);
	assert_true(s.inode == UINT64_MAX);
	assert_false(
		taps_read_socket("sk       RefCnt Type Proto  Iface R Rmem   User   Inode", &s));
	assert_false(taps_read_socket("ffff8f1a41ce2800 3 3 0003 2", &s));
	assert_false(taps_read_socket("", &s));
}

struct seen {
	size_t n;
	struct taps_socket last;
};

static void on_socket(void *ctx, const struct taps_socket *socket)
{
	struct seen *seen = ctx;

	seen->n++;
	seen->last = *socket;
}

/* More than a reading holds at once, and again over the same descriptor. */
static void test_sockets(void **state)
{
	enum { MANY = 40 };
	int sockets[MANY], fd = taps_open_sockets();
	char owner[TAPS_OWNER], wanted[TAPS_OWNER], comm[20] = "";
	struct seen seen = {.n = 0};
	FILE *file;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(taps_sockets(fd, on_socket, &seen), 0);
	assert_int_equal(seen.n, 0);
	for (int i = 0; i < MANY; i++) {
		sockets[i] = socket(AF_PACKET, SOCK_RAW, htons(0x88cc));
		assert_true(sockets[i] >= 0);
	}
	assert_int_equal(taps_sockets(fd, on_socket, &seen), 0);
	assert_int_equal(seen.n, MANY);
	assert_int_equal(seen.last.protocol, 0x88cc);
	file = fopen("/proc/self/comm", "re");
	assert_non_null(file);
	assert_non_null(fgets(comm, sizeof comm, file));
	(void)fclose(file);
	(void)snprintf(wanted, sizeof wanted, "%.*s[%d]", (int)strcspn(comm, "\n"), comm, getpid());
	assert_true(taps_owner(seen.last.inode, owner));
	assert_string_equal(owner, wanted);
	assert_false(taps_owner(1, owner));
	seen.n = 0;
	for (int i = 0; i < MANY; i++) {
		seen.n += taps_inode(sockets[i]) == seen.last.inode;
		(void)close(sockets[i]);
	}
	assert_int_equal(seen.n, 1);
	(void)close(fd);
}

static void on_filter(void *ctx, bool egress, const char *kind)
{
	(void)egress;
	(void)kind;
	++*(int *)ctx;
}

static void test_link(void **state)
{
	struct taps_link link;
	struct rtnl *rtnl;
	int filters = 0;

	(void)state;
	assert_int_equal(rtnl_open(&rtnl), 0);
	assert_int_equal(taps_link(rtnl, if_nametoindex("lo"), &link), 0);
	assert_true(link.loopback);
	assert_false(link.promiscuous || link.promiscuity || link.xdp);
	assert_int_equal(taps_filters(rtnl, if_nametoindex("lo"), on_filter, &filters), 0);
	assert_int_equal(filters, 0);
	assert_true(taps_link(rtnl, 9999, &link) < 0);
	rtnl_close(rtnl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_link),
	};

	if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
		perror("unshare");
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
