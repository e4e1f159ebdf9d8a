// SPDX-License-Identifier: Apache-2.0
/*
 * capture: frames from an interface or a capture file, in order. Home of libpcap.
 *
 * One object per interface or file. Live capture uses the kernel's ring (TPACKET_V3): a lone packet
 * is handed over within CAPTURE_DELAY_MS. A file may be pcap or pcapng, micro- or nanosecond
 * stamps, or "-" for standard input.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/err.h"

enum {
	CAPTURE_FILE_BUFFER = CONFIG_CAPTURE_FILE_KIB * 1024,
	CAPTURE_DELAY_MS = 100,
	CAPTURE_SNAPLEN = 262144,
};

struct packet {
	const uint8_t *data; /* valid during the callback only */
	uint32_t captured;   /* bytes at data */
	uint32_t wire;       /* bytes of the frame */
	uint32_t
		segments; /* packets of the wire that it stands for, as the kernel says; 0: unknown */
	bool snapped;     /* a file holds but a part of it; live that is our own doing */
	bool is_own; /* live: from the interface's own hardware address, on a machine that forwards nothing */
	uint64_t sec;   /* Unix seconds */
	uint32_t nsec;  /* 0 when the stamp's sub-second part is out of range */
	uint16_t iface; /* as given to the open call */
};

typedef void capture_fn(void *ctx, const struct packet *packet);

struct capture;

/* Files: ERR_FORMAT if it is no capture file or of a link type that decode does not know, -errno if
 * unreadable. `filter` is a BPF expression with numeric addresses, or NULL: ERR_USAGE if it does
 * not compile. */
int capture_open_file(struct capture **ret, const char *path, const char *filter, struct err *err);

/* Interface: needs CAP_NET_RAW. `ring_bytes`: size of the kernel's ring. Not promiscuous: this
 * machine's own traffic is meant. `segments`: let the kernel say how many packets a frame stands for;
 * it cannot where a filter is given. */
int capture_open_live(struct capture **ret, const char *interface, uint16_t iface,
		      uint32_t ring_bytes, const char *filter, bool segments, struct err *err);
/* Does it? */
bool capture_tells_segments(const struct capture *capture);

/* Hands at most `max` frames to `fn`. Returns their number; 0: none now (live), 1 and up: more may
 * follow; CAPTURE_END at the end of a file, or a negative error with its sentence (a truncated
 * file, an interface that went down): what was handed over stands. */
enum { CAPTURE_END = -2000 };
int capture_dispatch(struct capture *capture, int max, capture_fn *fn, void *ctx, struct err *err);

/* Readable when frames wait. Live only. */
int capture_fd(const struct capture *capture);

/* Live: -ENODEV once the interface was removed. The kernel tells it with a packet socket's only error
 * at the moment the device goes down, when it still exists; so it has to be asked now and then. */
int capture_present(const struct capture *capture, struct err *err);

/* DLT_* number of the frames. */
int capture_link(const struct capture *capture);

/* Live: the kernel takes no further frames from now on. What it has is handed over within 2 *
 * CAPTURE_DELAY_MS. */
void capture_stop(struct capture *capture);

struct capture_stats {
	uint64_t received; /* by the kernel, dropped ones left out */
	uint64_t dropped;  /* for want of room in the ring */
	bool known;        /* false for files, and when the kernel gave no answer */
};
/* Totals since the open call; 32-bit counters of libpcap are carried on over their wrap. */
void capture_stats(struct capture *capture, struct capture_stats *ret);

/* Live: is the kernel's filter of this capture another than it was when it was opened? Somebody who got hold of the socket may
 * attach one; an eBPF program in place of another cannot be told. */
bool capture_filter_changed(const struct capture *capture);

void capture_close(struct capture *capture);
