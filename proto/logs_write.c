// SPDX-License-Identifier: Apache-2.0
/*
 * Writes pieces of log files: each is packed when it comes, behind those before it. A piece is packed by hand but for its
 * numbers, so that its bytes are copied once.
 */
#include <assert.h>
#include <string.h>

#include "proto/flowproof.pb-c.h"
#include "proto/logs_parts.h"

enum {
	TAG_PIECE = 1 << 3 | 2, /* of Logs, length-delimited */
	TAG_BYTES = 5 << 3 | 2, /* of LogPiece */
	HEAD_BYTES = 1 + 3,     /* tag and length of a piece */
	DATA_BYTES = 1 + 3,     /* tag and length of its bytes */
	NUMBERS_BYTES = 2 + 4 * 11 + 2,
	LEAST = 256, /* bytes that a piece in a nearly full batch must have room for */
};

_Static_assert((int)BATCH_LOG_PIECE_MAX + (int)NUMBERS_BYTES + (int)DATA_BYTES < 1 << 21,
	       "a length has three bytes");
_Static_assert((int)BATCH_WRITE_LOGS_BYTES >
		       (int)LEAST + (int)HEAD_BYTES + (int)NUMBERS_BYTES + (int)DATA_BYTES,
	       "an empty batch takes a piece");

/* Always of three bytes, which protobuf allows. */
static uint8_t *put_length(uint8_t *p, size_t n)
{
	*p++ = (uint8_t)(n | 0x80);
	*p++ = (uint8_t)(n >> 7 | 0x80);
	*p++ = (uint8_t)(n >> 14);
	return p;
}

bool logs_add(struct logs_writer *w, const struct batch_log *piece, size_t *ret_taken)
{
	size_t room = BATCH_WRITE_LOGS_BYTES - w->len, len = piece->len, numbers;
	size_t heads = HEAD_BYTES + NUMBERS_BYTES + DATA_BYTES;
	uint8_t *p = w->bytes + w->len;
	Fp__LogPiece m;

	assert(piece->file < WIRE_LOGS_MAX && piece->len <= BATCH_LOG_PIECE_MAX);
	assert((piece->len > 0) == (piece->why == BATCH_LOG_CAME));
	*ret_taken = 0;
	if (room < heads + (len < LEAST ? len : LEAST))
		return false;
	if (len > room - heads)
		len = room - heads;
	fp__log_piece__init(&m);
	m.file = piece->file;
	m.inode = piece->inode;
	m.offset = piece->offset;
	m.time = (int64_t)(piece->time_ns - w->before);
	m.left_out = piece->left_out;
	m.why = piece->why;
	numbers = fp__log_piece__get_packed_size(&m);
	*p++ = TAG_PIECE;
	p = put_length(p, numbers + (len ? DATA_BYTES + len : 0));
	p += fp__log_piece__pack(&m, p);
	if (len) {
		*p++ = TAG_BYTES;
		p = put_length(p, len);
		memcpy(p, piece->bytes, len);
		p += len;
	}
	w->len = (size_t)(p - w->bytes);
	w->before = piece->time_ns;
	w->lines += batch_log_lines(piece->bytes, len);
	*ret_taken = len;
	return true;
}
