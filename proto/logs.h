// SPDX-License-Identifier: Apache-2.0
/*
 * Log files of the host: pieces of them, byte for byte, as the sensor read them.
 *
 * A piece begins at its offset and ends with a line, or where a line is not finished yet. Offsets of one inode that do
 * not follow one another tell what is missing; one that goes back tells that the file was read anew, because it
 * was cut or rewritten. Which file has which number stands in the Hello.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
	BATCH_LOGS_MAX = 4096,      /* pieces of a batch */
	BATCH_LOG_LINE_MAX = 4096,  /* bytes of a line that come; the rest of it is left out */
	BATCH_LOG_PIECE_MAX = 8192, /* bytes of a piece */
};

/* Why bytes are left out. The numbers travel on the wire. */
enum batch_log_why {
	BATCH_LOG_CAME = 0, /* none are: the piece has bytes */
	BATCH_LOG_LONG,     /* the rest of a line beyond BATCH_LOG_LINE_MAX */
	BATCH_LOG_RATE,     /* the file grew faster than it may be read, or the run ended before */
	BATCH_LOG_LOST,     /* they were cut off or overwritten before they were read */
	BATCH_LOG_WHYS
};

struct batch_log {
	uint64_t time_ns; /* when it was read, by the sensor's wall clock */
	uint64_t inode, offset;
	const uint8_t *bytes;
	size_t len;        /* 1 to BATCH_LOG_PIECE_MAX; 0: see left_out */
	uint64_t left_out; /* bytes from the offset on that do not come */
	uint16_t file;     /* number in the Hello */
	uint8_t why;       /* enum batch_log_why */
};

/* "long", "rate", "lost". */
const char *batch_log_why_text(enum batch_log_why why);
/* Line ends. */
size_t batch_log_lines(const uint8_t *bytes, size_t len);
