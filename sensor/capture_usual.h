// SPDX-License-Identifier: Apache-2.0
/*
 * capture, the short way through a file: whole records of a pcap file of version 2.4 (micro- or nanoseconds, this
 * machine's byte order), read in blocks and handed over where they lie.
 *
 * libpcap has opened the file and keeps it. What is not such a file, and from the first record on that is anything but
 * whole and within the limits, all is left to libpcap: it alone says what is wrong with a file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sensor/capture.h"

struct capture_usual;

/* The pcap file that begins at `start` of `file`; `snaplen`: as libpcap read it. NULL if it is none that can go this way, or for want
 * of memory. `file` is borrowed; its position is not touched. */
struct capture_usual *capture_usual_new(FILE *file, off_t start, uint32_t snaplen);
void capture_usual_free(struct capture_usual *usual);
/* Hands over at most `max` frames and returns their number; 0: libpcap has to go on at the position that `file` then has.
 * -errno if it cannot be put there. */
int capture_usual_dispatch(struct capture_usual *usual, int max, capture_fn *fn, void *ctx);
