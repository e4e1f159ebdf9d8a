// SPDX-License-Identifier: Apache-2.0
/*
 * nic: see nic.h. Counters over rtnetlink, by the interface's number: the same that
 * /sys/class/net/IF/statistics shows (both are dev_get_stats() of the kernel), but of the network
 * namespace that is captured in, where /sys may show another's interface of the same name. Driver's
 * statistics and features by ethtool's ioctl, whose setters need a capability that is given up.
 */
#include "platform/nic.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/rtnl.h"

_Static_assert(NIC_NAME == IFNAMSIZ, "names fit");

enum {
	NAMES_MAX = 65536, /* of statistics, or of features: more no driver has */
	/* The kernel fills in as many values as the driver has, however much room there is: should
	 * another program add queues between our two questions, this is what they may grow into. */
	SPARE_STATS = 4096,
};

const char *const nic_allowance_names[NIC_ALLOWANCES] = {
	[NIC_BW_IN] = "bw_in_allowance_exceeded",
	[NIC_BW_OUT] = "bw_out_allowance_exceeded",
	[NIC_PPS] = "pps_allowance_exceeded",
	[NIC_CONNTRACK] = "conntrack_allowance_exceeded",
	[NIC_LINKLOCAL] = "linklocal_allowance_exceeded",
};

struct nic {
	struct rtnl *rtnl;
	const char *const *names; /* of the statistics that are wanted */
	int fd;                   /* for ioctl */
	struct ethtool_stats *stats;
	uint32_t room; /* of it, in values */
};

int nic_open(struct nic **ret, struct rtnl *rtnl, const char *const names[static NIC_ALLOWANCES])
{
	struct nic *n = calloc(1, sizeof *n);
	int rc;

	if (!n)
		return -ENOMEM;
	n->rtnl = rtnl;
	n->names = names;
	n->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->fd < 0) {
		rc = -errno;
		free(n);
		return rc;
	}
	*ret = n;
	return 0;
}

void nic_close(struct nic *n)
{
	if (!n)
		return;
	(void)close(n->fd);
	free(n->stats);
	free(n);
}

/* ---- counters ---- */

struct link {
	struct nic_interface *interface;
	struct nic_counters *counters;
};

/* struct ifinfomsg | attributes */
static void on_link(void *ctx, uint16_t type, struct rd body)
{
	const struct link *link = ctx;
	struct rtnl_link_stats64 stats;
	struct ifinfomsg head;
	const uint8_t *p = rd_take(&body, sizeof head);
	/* Older kernels have fewer counters, newer ones more. */
	const size_t least = offsetof(struct rtnl_link_stats64, rx_missed_errors) +
			     sizeof stats.rx_missed_errors;
	struct rd value;

	if (type != RTM_NEWLINK || !p)
		return;
	memcpy(&head, p, sizeof head);
	if ((uint32_t)head.ifi_index != link->interface->index)
		return;
	while (rtnl_attribute(&body, &type, &value)) {
		size_t len = rd_left(&value);

		if (type == IFLA_STATS64 && len >= least) {
			memcpy(&stats, value.p, least);
			link->counters->dropped = stats.rx_dropped + stats.rx_over_errors +
						  stats.rx_missed_errors + stats.rx_fifo_errors;
			link->counters->known = true;
		} else if (type == IFLA_MTU && len == sizeof link->counters->mtu) {
			memcpy(&link->counters->mtu, value.p, len);
		} else if (type == IFLA_IFNAME && len <= NIC_NAME && value.p[len - 1] == 0) {
			memcpy(link->interface->name, value.p, len);
		}
	}
}

void nic_read(struct nic *n, struct nic_interface *interface, struct nic_counters *ret)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg body;
	} request = {
		.head = {.nlmsg_len = sizeof request,
			 .nlmsg_type = RTM_GETLINK,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.body = {.ifi_family = AF_UNSPEC, .ifi_index = (int)interface->index},
	};
	struct link link = {interface, ret};

	*ret = (struct nic_counters){.known = false};
	if (interface->index && n->rtnl && rtnl_ask(n->rtnl, &request.head, on_link, &link) != 0)
		ret->known = false;
}

struct each {
	nic_link_fn *fn;
	void *ctx;
};

static void on_each(void *ctx, uint16_t type, struct rd body)
{
	const struct each *each = ctx;
	const uint8_t *p = rd_take(&body, sizeof(struct ifinfomsg));
	struct nic_link link = {.known = false};
	struct ifinfomsg head;
	struct rd value;

	if (type != RTM_NEWLINK || !p)
		return;
	memcpy(&head, p, sizeof head);
	link.index = (uint32_t)head.ifi_index;
	link.up = (head.ifi_flags & IFF_UP) != 0;
	while (rtnl_attribute(&body, &type, &value)) {
		size_t len = rd_left(&value);

		if (type == IFLA_STATS64 && len >= 2 * sizeof link.rx_packets) {
			/* The first two counters of struct rtnl_link_stats64. */
			memcpy(&link.rx_packets, value.p, sizeof link.rx_packets);
			memcpy(&link.tx_packets, value.p + sizeof link.rx_packets,
			       sizeof link.tx_packets);
			link.known = true;
		} else if (type == IFLA_ADDRESS && len == sizeof link.mac) {
			memcpy(link.mac, value.p, len);
			link.has_mac = true;
		} else if (type == IFLA_IFNAME && len && len <= NIC_NAME && value.p[len - 1] == 0) {
			memcpy(link.name, value.p, len);
		}
	}
	each->fn(each->ctx, &link);
}

int nic_each(struct nic *n, nic_link_fn *fn, void *ctx)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg body;
	} request = {
		.head = {.nlmsg_len = sizeof request,
			 .nlmsg_type = RTM_GETLINK,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.body = {.ifi_family = AF_UNSPEC},
	};
	struct each each = {fn, ctx};

	return n->rtnl ? rtnl_ask(n->rtnl, &request.head, on_each, &each) : -ENOTSUP;
}

/* ---- ethtool ---- */

static int ask(const struct nic *n, const char *name, void *question)
{
	struct ifreq request = {.ifr_data = question};

	memcpy(request.ifr_name, name, sizeof request.ifr_name);
	return ioctl(n->fd, SIOCETHTOOL, &request) == 0 ? 0 : -errno;
}

/* How many names a set has; 0: none, or unknown. */
static uint32_t count(const struct nic *n, const char *name, uint32_t set)
{
	/* The head, and a number for the one set that is asked of. */
	union {
		struct ethtool_sset_info head;
		uint8_t bytes[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)];
	} info = {.head = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = UINT64_C(1) << set}};
	uint32_t names;

	if (ask(n, name, &info) != 0 || !info.head.sset_mask)
		return 0;
	memcpy(&names, info.bytes + sizeof info.head, sizeof names);
	return names > NAMES_MAX ? 0 : names;
}

/* Gives the names of a set, `n` times ETH_GSTRING_LEN bytes after the head; NULL: unknown. */
static struct ethtool_gstrings *names_of(const struct nic *n, const char *name, uint32_t set,
					 uint32_t len)
{
	struct ethtool_gstrings *names =
		calloc(1, sizeof *names + ((size_t)len + SPARE_STATS) * ETH_GSTRING_LEN);

	if (!names || !len)
		goto out;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = set;
	names->len = len;
	if (ask(n, name, names) == 0 && names->len == len)
		return names;
out:
	free(names);
	return NULL;
}

static bool is_name(const uint8_t *name, const char *text)
{
	return strncmp((const char *)name, text, ETH_GSTRING_LEN) == 0;
}

static void find_offload(const struct nic *n, struct nic_interface *interface)
{
	static const struct {
		const char *name;
		uint8_t bit;
	} features[] = {
		{"tx-tcp-segmentation", NIC_TSO},
		{"tx-tcp6-segmentation", NIC_TSO},
		{"tx-generic-segmentation", NIC_GSO},
		{"rx-gro", NIC_GRO},
		{"rx-lro", NIC_LRO},
		{"rx-gro-hw", NIC_GRO_HW},
		{"tx-udp-segmentation", NIC_UDP_GSO},
	};
	uint32_t len = count(n, interface->name, ETH_SS_FEATURES);
	struct ethtool_gstrings *names = names_of(n, interface->name, ETH_SS_FEATURES, len);
	struct ethtool_gfeatures *state =
		calloc(1, sizeof *state + (len / 32 + 1) * sizeof state->features[0]);

	if (!names || !state)
		goto out;
	state->cmd = ETHTOOL_GFEATURES;
	state->size = len / 32 + 1;
	if (ask(n, interface->name, state) != 0)
		goto out;
	interface->offload_known = true;
	for (uint32_t i = 0; i < len && i / 32 < state->size; i++)
		for (size_t f = 0; f < sizeof features / sizeof features[0]; f++)
			if ((state->features[i / 32].active >> i % 32 & 1) &&
			    is_name(names->data + (size_t)i * ETH_GSTRING_LEN, features[f].name))
				interface->offload |= features[f].bit;
out:
	free(names);
	free(state);
}

bool nic_match(const char *all, uint32_t n, const char *const wanted[static NIC_ALLOWANCES],
	       uint32_t ret[static NIC_ALLOWANCES])
{
	unsigned found = 0;

	for (uint32_t i = 0; i < n; i++)
		for (unsigned a = 0; a < NIC_ALLOWANCES; a++)
			if (is_name((const uint8_t *)all + (size_t)i * ETH_GSTRING_LEN,
				    wanted[a])) {
				ret[a] = i;
				found |= 1U << a;
			}
	return found == (1U << NIC_ALLOWANCES) - 1;
}

/* Drivers without statistics of their own say so. */
static bool counts_nothing(const struct nic *n, const char *name)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};

	return ask(n, name, &info) == 0 && info.n_stats == 0;
}

static int find_allowances(struct nic *n, struct nic_interface *interface)
{
	uint32_t len = count(n, interface->name, ETH_SS_STATS);
	struct ethtool_gstrings *names = names_of(n, interface->name, ETH_SS_STATS, len);
	struct ethtool_stats *more;

	interface->n_stats = len;
	interface->stats_known = names || counts_nothing(n, interface->name);
	interface->has_allowances =
		names && nic_match((const char *)names->data, len, n->names, interface->stat);
	free(names);
	if (!interface->has_allowances || n->room >= len + SPARE_STATS)
		return 0;
	more = realloc(n->stats, sizeof *more + ((size_t)len + SPARE_STATS) * sizeof more->data[0]);
	if (!more)
		return -ENOMEM;
	n->stats = more;
	n->room = len + SPARE_STATS;
	return 0;
}

bool nic_allowances(struct nic *n, const struct nic_interface *interface,
		    uint64_t ret[static NIC_ALLOWANCES])
{
	/* Other queues than at the start: the names may stand elsewhere now. */
	if (!interface->has_allowances ||
	    count(n, interface->name, ETH_SS_STATS) != interface->n_stats)
		return false;
	n->stats->cmd = ETHTOOL_GSTATS;
	n->stats->n_stats = interface->n_stats;
	if (ask(n, interface->name, n->stats) != 0 || n->stats->n_stats != interface->n_stats)
		return false;
	for (unsigned a = 0; a < NIC_ALLOWANCES; a++)
		ret[a] = n->stats->data[interface->stat[a]];
	return true;
}

int nic_find(struct nic *n, const char *name, struct nic_interface *ret)
{
	*ret = (struct nic_interface){.index = if_nametoindex(name)};
	strncpy(ret->name, name, sizeof ret->name - 1);
	if (!ret->index)
		return 0;
	find_offload(n, ret);
	return find_allowances(n, ret);
}
