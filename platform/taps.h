// SPDX-License-Identifier: Apache-2.0
/*
 * taps: what else has a hand on the packets of this network namespace: other packet sockets (packet(7)), programs and filters on
 * an interface (XDP, tc(8)), promiscuous mode, eBPF programs (bpf(2)). Read only. What cannot be read is an error, never "none".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rtnl;

/* ---- an interface ---- */

struct taps_link {
	bool loopback;
	bool promiscuous;     /* set by its administrator (ip link set promisc on) */
	uint32_t promiscuity; /* how many asked for it, packet sockets too */
	bool xdp;             /* a program is attached */
	uint32_t xdp_program; /* its id; 0: several, or not told */
	uint64_t rx_packets, tx_packets;
};

/* 0, or -errno; -ENODATA if the kernel told no counters. */
int taps_link(struct rtnl *rtnl, uint32_t index, struct taps_link *ret);

/* A filter on its clsact or ingress. `kind`: "u32", "bpf", ... */
typedef void taps_filter_fn(void *ctx, bool egress, const char *kind);
int taps_filters(struct rtnl *rtnl, uint32_t index, taps_filter_fn *fn, void *ctx);

/* ---- packet sockets ---- */

struct taps_socket {
	uint64_t inode;
	uint32_t index;    /* of its interface; 0: all */
	uint32_t protocol; /* EtherType, 3: all (ETH_P_ALL) */
	uint32_t uid;
};

/* A descriptor for taps_sockets(), or -errno: can be read again where nothing can be opened. */
int taps_open_sockets(void);
typedef void taps_socket_fn(void *ctx, const struct taps_socket *socket);
int taps_sockets(int fd, taps_socket_fn *fn, void *ctx);
/* A line of /proc/net/packet. False for its head and what is none. */
bool taps_read_socket(const char *line, struct taps_socket *ret);

/* Whose a socket is, "name[pid]", of the first process that has it open; false: of none that can be looked at. Opens files
 * below /proc. */
enum { TAPS_OWNER = 40 };
bool taps_owner(uint64_t inode, char out[static TAPS_OWNER]);
/* The inode of an open socket; 0: unknown. */
uint64_t taps_inode(int fd);

/* ---- eBPF ---- */

struct taps_program {
	uint32_t id;
	const char *type; /* "kprobe", ... */
	char name[17];    /* that its loader gave */
};

/* Hands over the programs of kinds that can change what others see (tracing, XDP, tc), and counts them all. -EPERM and -ENOSYS
 * among others: nobody can tell. */
typedef void taps_program_fn(void *ctx, const struct taps_program *program);
int taps_programs(taps_program_fn *fn, void *ctx, uint32_t *ret_all);
