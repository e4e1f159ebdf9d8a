// SPDX-License-Identifier: Apache-2.0
/*
 * Reads pieces of log files.
 */
#include "proto/logs.h"

#include <string.h>

#include "proto/flowproof.pb-c.h"
#include "proto/logs_parts.h"

const char *batch_log_why_text(enum batch_log_why why)
{
	static const char *const words[BATCH_LOG_WHYS] = {
		[BATCH_LOG_CAME] = "came",
		[BATCH_LOG_LONG] = "long",
		[BATCH_LOG_RATE] = "rate",
		[BATCH_LOG_LOST] = "lost",
	};

	return words[why];
}

size_t batch_log_lines(const uint8_t *bytes, size_t len)
{
	const uint8_t *end = bytes + len;
	size_t n = 0;

	while (bytes < end && (bytes = memchr(bytes, '\n', (size_t)(end - bytes))) != NULL) {
		bytes++;
		n++;
	}
	return n;
}

static const char *read_piece(const Fp__LogPiece *m, uint64_t *time, struct batch_log *ret)
{
	uint64_t span = m->bytes.len ? m->bytes.len : m->left_out;

	if (m->base.n_unknown_fields)
		return "a piece of a log has a field that is unknown";
	if (m->file >= WIRE_LOGS_MAX)
		return "a piece of a log is of a file with too high a number";
	if (m->bytes.len > BATCH_LOG_PIECE_MAX)
		return "a piece of a log is too long";
	if (m->why >= BATCH_LOG_WHYS || (m->bytes.len > 0) != (m->why == BATCH_LOG_CAME) ||
	    (m->left_out > 0) != (m->why != BATCH_LOG_CAME))
		return "a piece of a log has neither bytes nor says what is left out, or both";
	if (m->offset > INT64_MAX || span > INT64_MAX - m->offset)
		return "a piece of a log lies beyond any file";
	*time += (uint64_t)m->time;
	*ret = (struct batch_log){
		.time_ns = *time,
		.inode = m->inode,
		.offset = m->offset,
		.bytes = m->bytes.data,
		.len = m->bytes.len,
		.left_out = m->left_out,
		.file = (uint16_t)m->file,
		.why = (uint8_t)m->why,
	};
	return NULL;
}

const char *logs_read(const uint8_t *bytes, size_t len, struct arena *arena, struct logs_list *ret)
{
	ProtobufCAllocator allocator = arena_allocator(arena);
	const Fp__Logs *m = fp__logs__unpack(&allocator, len, bytes);
	const char *broken = NULL;
	uint64_t time = 0;

	if (!m || m->base.n_unknown_fields)
		return "the logs are not a message of their kind, or too many";
	if (m->n_pieces > BATCH_LOGS_MAX)
		return "it has too many pieces of logs";
	ret->pieces = arena_alloc(arena, (m->n_pieces + 1) * sizeof *ret->pieces);
	if (!ret->pieces)
		return "the logs would unfold to more memory than a batch may take";
	for (size_t i = 0; i < m->n_pieces && !broken; i++) {
		broken = read_piece(m->pieces[i], &time, &ret->pieces[i]);
		ret->lines += batch_log_lines(m->pieces[i]->bytes.data, m->pieces[i]->bytes.len);
	}
	ret->n = m->n_pieces;
	return broken;
}
