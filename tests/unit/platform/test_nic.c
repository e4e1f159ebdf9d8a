// SPDX-License-Identifier: Apache-2.0
/*
 * Counters and features in a network namespace of our own: a TUN device counts what is written to it and is
 * no IP packet as dropped, one each (drivers/net/tun.c); what is switched on is compared with the older
 * questions of ethtool, one a feature; a veth's driver tells its peer's number among its statistics.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/nic.h"
#include "platform/rtnl.h"

static struct rtnl *rtnl;
static struct nic *nic;
static int any_socket;

static const char *const of_veth[NIC_ALLOWANCES] = {"peer_ifindex", "peer_ifindex", "peer_ifindex",
						    "peer_ifindex", "peer_ifindex"};

static int set_up(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return -1;
	any_socket = socket(AF_INET, SOCK_DGRAM, 0);
	return rtnl_open(&rtnl) || nic_open(&nic, rtnl, nic_allowance_names);
}

static int tear_down(void **state)
{
	(void)state;
	nic_close(nic);
	nic_close(NULL);
	rtnl_close(rtnl);
	return close(any_socket);
}

/* A TUN device that is up; writing to the descriptor is receiving on it. */
static int tun_new(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR);

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	request.ifr_flags = IFF_UP;
	assert_int_equal(ioctl(any_socket, SIOCSIFFLAGS, &request), 0);
	return fd;
}

static void lose(int tun, int packets)
{
	const char no_ip[40] = {0}; /* version 0 */

	for (int i = 0; i < packets; i++)
		assert_int_equal(write(tun, no_ip, sizeof no_ip), -1);
}

static void losses_of_one_interface(void **state)
{
	struct nic_interface a, b;
	struct nic_counters before, after;
	int tun = tun_new("tun-a"), other = tun_new("tun-b");
	struct ifreq request = {.ifr_name = "tun-a"};

	(void)state;
	assert_int_equal(nic_find(nic, "tun-a", &a), 0);
	assert_int_equal(nic_find(nic, "tun-b", &b), 0);
	nic_read(nic, &a, &before);
	assert_true(before.known);
	assert_int_equal(before.dropped, 0);
	assert_int_equal(before.mtu, 1500);
	lose(tun, 7);
	lose(other, 1);
	nic_read(nic, &a, &after);
	assert_int_equal(after.dropped, 7);
	nic_read(nic, &b, &after);
	assert_int_equal(after.dropped, 1);

	/* It stays the same when it gets another name, and another takes its old one. */
	request.ifr_flags = 0;
	assert_int_equal(ioctl(any_socket, SIOCSIFFLAGS, &request), 0);
	memcpy(request.ifr_newname, "renamed", sizeof "renamed");
	assert_int_equal(ioctl(any_socket, SIOCSIFNAME, &request), 0);
	memcpy(request.ifr_name, "renamed", sizeof "renamed");
	request.ifr_mtu = 1280;
	assert_int_equal(ioctl(any_socket, SIOCSIFMTU, &request), 0);
	close(other);
	other = tun_new("tun-a");
	lose(other, 3);
	nic_read(nic, &a, &after);
	assert_string_equal(a.name, "renamed");
	assert_int_equal(after.dropped, 7);
	assert_int_equal(after.mtu, 1280);
	nic_read(nic, &b, &after);
	assert_false(after.known); /* gone */
	close(tun);
	close(other);
}

static void unknown_is_not_zero(void **state)
{
	struct nic_interface none;
	struct nic_counters counters;
	uint64_t allowances[NIC_ALLOWANCES];
	struct nic *deaf;

	(void)state;
	assert_int_equal(nic_find(nic, "any", &none), 0);
	nic_read(nic, &none, &counters);
	assert_false(counters.known);
	assert_false(none.offload_known);
	assert_false(nic_allowances(nic, &none, allowances));
	assert_false(none.stats_known);
	assert_int_equal(nic_open(&deaf, NULL, nic_allowance_names), 0);
	assert_int_equal(nic_find(deaf, "lo", &none), 0);
	nic_read(deaf, &none, &counters);
	assert_false(counters.known);
	nic_close(deaf);
}

static uint32_t legacy(const char *name, uint32_t cmd, uint32_t data)
{
	struct ethtool_value value = {.cmd = cmd, .data = data};
	struct ifreq request = {.ifr_data = (char *)&value};

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	assert_int_equal(ioctl(any_socket, SIOCETHTOOL, &request), 0);
	return value.data;
}

static void what_is_on(void **state)
{
	struct nic_interface lo;
	char text[NIC_OFFLOAD_TEXT];

	(void)state;
	for (uint32_t on = 0; on < 2; on++) {
		legacy("lo", ETHTOOL_SGRO, on);
		legacy("lo", ETHTOOL_STSO, !on);
		assert_int_equal(nic_find(nic, "lo", &lo), 0);
		assert_true(lo.offload_known);
		assert_int_equal(!!(lo.offload & NIC_GRO), on);
		assert_int_equal(!!(lo.offload & NIC_GRO), legacy("lo", ETHTOOL_GGRO, 0));
		assert_int_equal(!!(lo.offload & NIC_TSO), legacy("lo", ETHTOOL_GTSO, 0));
		assert_int_equal(!!(lo.offload & NIC_GSO), legacy("lo", ETHTOOL_GGSO, 0));
		assert_int_equal(!!(lo.offload & NIC_LRO),
				 !!(legacy("lo", ETHTOOL_GFLAGS, 0) & ETH_FLAG_LRO));
	}
	assert_string_equal(nic_offload_text(text, NIC_TSO | NIC_GRO), "tso gro");
	assert_string_equal(nic_offload_text(text, 0), "none");
	assert_string_equal(nic_offload_text(text, NIC_OFFLOAD_ALL),
			    "tso gso gro lro gro-hw udp-gso");
}

static void statistics_of_a_driver(void **state)
{
	struct nic_interface veth;
	uint64_t values[NIC_ALLOWANCES] = {0};
	struct nic *other;

	(void)state;
	assert_int_equal(system("ip link add v0 type veth peer name v1"), 0);
	assert_int_equal(nic_open(&other, rtnl, of_veth), 0);
	assert_int_equal(nic_find(other, "v0", &veth), 0);
	assert_true(nic_allowances(other, &veth, values));
	for (unsigned i = 0; i < NIC_ALLOWANCES; i++)
		assert_int_equal(values[i], if_nametoindex("v1"));
	veth.n_stats--; /* as if a queue had come since */
	assert_false(nic_allowances(other, &veth, values));
	nic_close(other);
	assert_int_equal(nic_find(nic, "v0", &veth), 0);
	assert_true(veth.stats_known);
	assert_false(nic_allowances(nic, &veth, values)); /* it is no ENA */
}

/* In the order of drivers/net/ethernet/amazon/ena/ena_ethtool.c. */
static void allowances_of_ena(void **state)
{
	static const char names[][ETH_GSTRING_LEN] = {
		"tx_timeout",
		"rx_drops",
		"bw_in_allowance_exceeded",
		"bw_out_allowance_exceeded",
		"pps_allowance_exceeded",
		"conntrack_allowance_exceeded",
		"linklocal_allowance_exceeded",
		"conntrack_allowance_available",
		"queue_0_tx_cnt",
	};
	uint32_t at[NIC_ALLOWANCES];

	(void)state;
	assert_true(nic_match(names[0], 9, nic_allowance_names, at));
	for (uint32_t i = 0; i < NIC_ALLOWANCES; i++)
		assert_int_equal(at[i], 2 + i);
	assert_false(nic_match(names[0], 6, nic_allowance_names, at));
	assert_false(nic_match(names[0], 0, nic_allowance_names, at));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(losses_of_one_interface),
		cmocka_unit_test(unknown_is_not_zero),
		cmocka_unit_test(what_is_on),
		cmocka_unit_test(statistics_of_a_driver),
		cmocka_unit_test(allowances_of_ena),
	};

	return cmocka_run_group_tests_name("nic", tests, set_up, tear_down);
}
