// SPDX-License-Identifier: Apache-2.0
/*
 * Pieces of log files as bytes of a batch, for its writer and its reader.
 */
#pragma once

#include "proto/arena.h"
#include "proto/batch.h"

struct logs_writer {
	uint64_t before; /* time of the last piece */
	uint64_t lines;  /* in it */
	size_t len;
	uint8_t bytes[BATCH_WRITE_LOGS_BYTES];
};

/* False when there is no room: of a piece with bytes it takes as much as fits, and says how much. */
bool logs_add(struct logs_writer *writer, const struct batch_log *piece, size_t *ret_taken);

struct logs_list {
	struct batch_log *pieces; /* in the arena */
	size_t n;
	uint64_t lines;
};
/* What is wrong, or NULL. */
const char *logs_read(const uint8_t *bytes, size_t len, struct arena *arena, struct logs_list *ret);
