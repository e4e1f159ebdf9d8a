// SPDX-License-Identifier: Apache-2.0
/*
 * nic: an interface as its kernel and driver tell it: packets lost before anybody could see them, the
 * longest packet it sends, and what of merging and splitting packets is switched on. Everything is
 * asked over two sockets that are opened once. What cannot be read is unknown, never 0.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { NIC_NAME = 16 /* IFNAMSIZ */ };

/* What makes captured frames longer than the wire's (Documentation/networking/segmentation-offloads). */
enum nic_offload {
	NIC_TSO = 1, /* TCP is cut by the network card, IPv4 or IPv6 */
	NIC_GSO = 2, /* cut by the kernel as late as it can be */
	NIC_GRO = 4, /* merged by the kernel */
	NIC_LRO = 8, /* merged by the card */
	NIC_GRO_HW = 16,
	NIC_UDP_GSO = 32, /* UDP is cut by the card */
	NIC_OFFLOAD_ALL = 63
};

/* Of AWS' ENA: packets queued or dropped by the host of the instance, because an allowance of its type
 * was used up. Not all of them were lost, and of those none was seen here.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-network-performance-ena.html */
enum nic_allowance {
	NIC_BW_IN,
	NIC_BW_OUT,
	NIC_PPS,
	NIC_CONNTRACK,
	NIC_LINKLOCAL, /* DNS, metadata and time sync together */
	NIC_ALLOWANCES
};

struct nic_interface {
	char name[NIC_NAME];
	uint32_t index; /* 0: no interface of one's own ("any"): all is unknown */
	bool offload_known;
	uint8_t offload;  /* bits of enum nic_offload, as they stood at nic_find() */
	bool stats_known; /* what the driver counts could be listed, or it counts nothing */
	bool has_allowances;
	uint32_t n_stats;              /* of the driver */
	uint32_t stat[NIC_ALLOWANCES]; /* which of them */
};

struct nic_counters {
	bool known;
	/* Since the driver began: rx_dropped + rx_over_errors + rx_missed_errors + rx_fifo_errors. A
	 * driver may tell one loss in two of them, so this bounds the losses from above. */
	uint64_t dropped;
	uint32_t mtu; /* bytes of an IP packet; 0: unknown */
};

/* An interface of this network namespace as it stands, captured or not. */
struct nic_link {
	char name[NIC_NAME];
	uint32_t index;
	bool up;                         /* by its administrator */
	bool known;                      /* the counters are */
	uint64_t rx_packets, tx_packets; /* since the driver began */
	bool has_mac;
	uint8_t mac[6]; /* of Ethernet */
};

struct rtnl;
struct nic;

/* What ENA calls its allowances. */
extern const char *const nic_allowance_names[NIC_ALLOWANCES];

/* Borrows `rtnl`; NULL: none, all counters are unknown. `names`: the driver's statistics that are
 * wanted, nic_allowance_names but for tests. */
int nic_open(struct nic **ret, struct rtnl *rtnl, const char *const names[static NIC_ALLOWANCES]);
void nic_close(struct nic *nic);

/* Looks an interface up by its name, reads what is on at this time, and makes room for what its
 * driver tells. */
int nic_find(struct nic *nic, const char *name, struct nic_interface *ret);

/* Opens nothing. A renamed interface is followed. */
void nic_read(struct nic *nic, struct nic_interface *interface, struct nic_counters *ret);

/* Hands over every interface of the namespace. 0, or -errno: what was told is not all. */
typedef void nic_link_fn(void *ctx, const struct nic_link *link);
int nic_each(struct nic *nic, nic_link_fn *fn, void *ctx);

/* Totals in the order of enum nic_allowance; false: unknown, or the driver has none. ENA asks its
 * device for them, which takes a while: not for every turn of a loop. */
bool nic_allowances(struct nic *nic, const struct nic_interface *interface,
		    uint64_t ret[static NIC_ALLOWANCES]);

/* "tso gso gro", or "none". */
enum { NIC_OFFLOAD_TEXT = 48 };
const char *nic_offload_text(char out[static NIC_OFFLOAD_TEXT], uint8_t offload);

/* Where among a driver's statistics (`all`: n times 32 bytes) the wanted ones are; false unless all
 * are there. */
bool nic_match(const char *all, uint32_t n, const char *const wanted[static NIC_ALLOWANCES],
	       uint32_t ret[static NIC_ALLOWANCES]);
