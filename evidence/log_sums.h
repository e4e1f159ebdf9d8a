// SPDX-License-Identifier: Apache-2.0
/*
 * Log files of the hosts, summed up: how much of each came, what is missing and why, and what became of it.
 *
 * One sum per sensor and path, over all runs. Bytes are missing where the next piece of an inode does not follow the one
 * before it: those of batches that a full spool gave up, and those that were written while no sensor ran.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/ledger.h"
#include "proto/batch.h"

enum { LOGS_MAX = 65536, LOGS_INODES = 4 /* of a file that are remembered */ };

struct log_sum {
	char sensor[WIRE_SENSOR_ID_MAX]; /* key, with the next */
	char path[WIRE_LOG_PATH_MAX + 1];
	uint64_t lines, bytes, pieces;
	uint64_t first_s, last_s;             /* when it was read, Unix seconds; 0: never */
	uint64_t left_out[BATCH_LOG_WHYS];    /* bytes, by enum batch_log_why */
	uint64_t gaps, missing;               /* places where bytes are missing, and how many */
	uint64_t between;                     /* bytes that were written between two runs */
	uint64_t opened, rotated, unreadable; /* events */
	uint64_t shrank, vanished, rewritten;
	uint64_t wiped_s; /* the first of the last three, Unix seconds; 0: none */
	/* Where each inode's next piece is expected. */
	struct log_inode {
		uint64_t inode, next;
		uint8_t stream[WIRE_STREAM_ID];
	} inodes[LOGS_INODES];
	size_t at; /* the one that gives way */
};

struct log_sums;

int log_sums_new(struct log_sums **ret);
void log_sums_free(struct log_sums *logs);
/* In the order of the ledger, each batch of a live stream once. Paths are those of the hello. 0 or -ENOMEM. */
int log_sums_add(struct log_sums *logs, const struct ledger_entry *entry,
		 const struct wire_hello *hello, const struct batch *batch);
/* Files beyond LOGS_MAX are left out. */
size_t log_sums_count(const struct log_sums *logs);
const struct log_sum *log_sums_at(const struct log_sums *logs, size_t index);
/* Bytes that did not come, for whatever reason. */
uint64_t log_sum_missing(const struct log_sum *sum);
