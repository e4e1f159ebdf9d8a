// SPDX-License-Identifier: Apache-2.0
/*
 * tail, inside: a file and its versions, and what its two files ask of one another.
 */
#pragma once

#include "sensor/tail.h"

enum { TAIL_BUFFER = 64 * 1024 };

/* One inode that is read. */
struct tail_version {
	int fd; /* -1: none */
	uint64_t dev, ino;
	uint64_t offset; /* up to which it was read and told */
	uint64_t size;   /* when it was looked at last */
	uint64_t ctime_ns;
	bool is_fresh; /* it changed so lately that a further change may have the same stamp */
	uint64_t verified_ms; /* when what was read was last found there */
	int64_t well_s;       /* Unix seconds of the last look at which it was */
	uint64_t first_size;  /* up to here nothing is skipped */
	uint64_t least_lag;   /* bytes it was ahead at the best since then */
	/* The line at the offset: bytes of it that were told, or are being skipped, and why. */
	uint64_t line, skip_from, skipped;
	uint64_t partial_ms, partial_at; /* an unfinished line that is waited for, and where */
	uint8_t why;                     /* enum batch_log_why; 0: nothing is being skipped */
	uint32_t head_len, tail_len;
	uint8_t head[TAIL_HEAD], tail[TAIL_TAIL];
};

struct tail_file {
	uint16_t number;
	bool is_first;       /* it was not opened yet: settings say where reading begins */
	bool is_asked;       /* an answer will come */
	bool wants_copy;     /* it shrank; not read until it is known why */
	bool was_copy_asked; /* the answer that will come says */
	bool fate_is_told;   /* where the one that is followed went */
	struct tail_version now, old;
	uint64_t absent_ms; /* since when it is not at its name; 0: it is */
	uint64_t quiet_ms;  /* since when the old one did not grow */
	uint64_t shrank_from;
	uint64_t tokens, filled_ms; /* bytes that may be read */
	uint64_t wiped_ms, untold;
	unsigned wipes; /* events that may be told */
	unsigned events;
	uint64_t told_ms, untold_events;
	int told_error; /* errno + 1 of what was told; 0: nothing */
	char told_why[TAIL_NAME];
};

struct tail {
	struct tail_config config;
	const struct tail_ops *ops;
	void *ctx;
	uint64_t now_ms; /* of this call */
	uint64_t looked_ms;
	size_t turn;
	bool has_looked, is_alone;
	struct tail_ask ask;
	uint8_t buffer[TAIL_BUFFER];
	struct tail_file files[];
};

/* Reads at most `most` bytes. `is_last`: an unfinished line too. How much was read. */
size_t tail_read(struct tail *tail, struct tail_file *file, struct tail_version *version,
		 size_t most, bool is_last, struct tail_time now);
/* It is not read now, which does not make it late. */
void tail_read_wait(struct tail_version *version);
/* What is being skipped is told as far as it came. */
void tail_read_stop(struct tail *tail, struct tail_file *file, struct tail_version *version,
		    struct tail_time now);
void tail_leave_out(struct tail *tail, const struct tail_file *file, struct tail_version *version,
		    uint64_t from, uint64_t bytes, enum batch_log_why why, struct tail_time now);
/* Begins to read there. */
void tail_begin_at(struct tail_version *version, uint64_t offset);
bool tail_reads_as_before(const struct tail_version *version);
