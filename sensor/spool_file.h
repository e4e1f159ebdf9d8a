// SPDX-License-Identifier: Apache-2.0
/*
 * The file of a spool: bytes at offsets, and what is known of its streams. For machines whose disk is
 * no evidence.
 *
 *       0  4096  state, one of two copies
 *    4096  4096  state, the other: the one with the higher count is valid
 *    8192        ring (spool_ring.h)
 *
 * A state (big-endian):
 *
 *       0  16  "flowproof-spool1"
 *      16   8  count of the states written
 *      24   8  bytes of the ring
 *      32  16  key: random, of this file; entries are told from what an attacker put into packets by it
 *      48  64  id of the sensor, NULs behind it
 *     112   4  number of streams, at most 8, the oldest first, each:
 *                16  stream
 *                 8  acknowledged
 *                 8  base: up to here, 8 records, 8 packets, 32 SHA-256 of the last batch
 *     992  32  SHA-256 of bytes 0 to 991
 *
 * Opened and reserved before the sandbox is entered; afterwards it is only read, written and synced.
 * A state is written without a sync: if the older one is found after a crash, batches are sent again
 * that the collector has.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/err.h"
#include "sensor/spool_ring.h"

struct spool_file;

enum { SPOOL_FILE_RING = 8192 };

/* Opens or makes the file, `bytes` long with all of its head. ERR_USAGE, and nothing is touched, when
 * it is no spool, another sensor's, of another size with batches in it, or in use. ERR_FORMAT when
 * both states are broken. */
int spool_file_open(struct spool_file **ret, const char *path, uint64_t bytes, const char *sensor,
		    struct err *err);
/* NULL is fine. */
void spool_file_free(struct spool_file *file);

/* Bytes of the ring, and the key. */
size_t spool_file_size(const struct spool_file *file, uint8_t ret_key[static RING_KEY]);
/* The streams of the state that was found; their lists are empty. */
size_t spool_file_streams(const struct spool_file *file, struct ring_stream *ret);
/* Writes the next state: this run's stream, and those before that have batches. */
void spool_file_save(struct spool_file *file, const struct ring_stream *streams, size_t n);

/* Offsets are within the ring. A failure is logged, the first of a kind. */
const uint8_t *spool_file_read(struct spool_file *file, size_t from, size_t len);
bool spool_file_copy(struct spool_file *file, uint8_t *out, size_t from, size_t len);
bool spool_file_write(struct spool_file *file, size_t to, const uint8_t *head, size_t head_len,
		      const uint8_t *bytes, size_t len);
void spool_file_sync(struct spool_file *file);
