// SPDX-License-Identifier: Apache-2.0
/*
 * tail, reading: a version of a file read on from its offset, cut at lines into pieces; what is too long or too much
 * left out, and how much that was.
 */
#include <string.h>
#include <unistd.h>

#include "sensor/tail_parts.h"

enum { LEAST_READ = 2 * BATCH_LOG_LINE_MAX /* a whole line fits */ };
_Static_assert((int)LEAST_READ <= (int)TAIL_BUFFER && (int)LEAST_READ <= (int)TAIL_TURN_BYTES,
	       "something can be read");
_Static_assert((int)BATCH_LOG_LINE_MAX < (int)BATCH_LOG_PIECE_MAX, "a line fits a piece");

/* ---- what was read ---- */

bool tail_reads_as_before(const struct tail_version *v)
{
	return tail_stands_at(v->fd, 0, v->head, v->head_len) &&
	       tail_stands_at(v->fd, v->offset - v->tail_len, v->tail, v->tail_len);
}

/* `bytes` stand at the offset, which goes on behind them. */
static void pass(struct tail_version *v, const uint8_t *bytes, size_t len)
{
	size_t keep = len < TAIL_TAIL ? TAIL_TAIL - len : 0;

	if (v->offset == v->head_len && v->head_len < TAIL_HEAD) {
		size_t more = TAIL_HEAD - v->head_len;

		more = len < more ? len : more;
		memcpy(v->head + v->head_len, bytes, more);
		v->head_len += (uint32_t)more;
	}
	if (keep > v->tail_len)
		keep = v->tail_len;
	memmove(v->tail, v->tail + v->tail_len - keep, keep);
	if (len > TAIL_TAIL) {
		bytes += len - TAIL_TAIL;
		v->offset += len - TAIL_TAIL;
		len = TAIL_TAIL;
	}
	memcpy(v->tail + keep, bytes, len);
	v->tail_len = (uint32_t)(keep + len);
	v->offset += len;
}

void tail_begin_at(struct tail_version *v, uint64_t offset)
{
	uint64_t from = offset > TAIL_TAIL ? offset - TAIL_TAIL : 0;
	ssize_t n = pread(v->fd, v->tail, (size_t)(offset - from), (off_t)from);

	v->tail_len = n == (ssize_t)(offset - from) ? (uint32_t)n : 0;
	if (v->head_len == 0) {
		n = pread(v->fd, v->head, offset < TAIL_HEAD ? (size_t)offset : TAIL_HEAD, 0);
		v->head_len = n > 0 ? (uint32_t)n : 0;
	}
	v->offset = offset;
}

/* ---- telling ---- */

void tail_leave_out(struct tail *t, const struct tail_file *f, struct tail_version *v,
		    uint64_t from, uint64_t bytes, enum batch_log_why why, struct tail_time now)
{
	const struct batch_log piece = {.time_ns = now.ns,
					.inode = v->ino,
					.offset = from,
					.left_out = bytes,
					.file = f->number,
					.why = (uint8_t)why};

	if (bytes > 0)
		t->ops->piece(t->ctx, &piece);
}

void tail_read_stop(struct tail *t, struct tail_file *f, struct tail_version *v,
		    struct tail_time now)
{
	if (v->why)
		tail_leave_out(t, f, v, v->skip_from, v->skipped, (enum batch_log_why)v->why, now);
	v->why = 0;
	v->skipped = 0;
}

static void begin_skip(struct tail_version *v, uint64_t from, uint64_t bytes,
		       enum batch_log_why why)
{
	v->skip_from = from;
	v->skipped = bytes;
	v->why = (uint8_t)why;
}

/* ---- lines ---- */

/* What has been read: `bytes` at offset `at` of the file, of which [from, to) is to be told. */
struct cut {
	struct tail *tail;
	struct tail_file *file;
	struct tail_version *version;
	struct tail_time now;
	const uint8_t *bytes;
	uint64_t at;
	size_t len, from, to;
};

static void put(struct cut *c)
{
	const struct batch_log piece = {.time_ns = c->now.ns,
					.inode = c->version->ino,
					.offset = c->at + c->from,
					.bytes = c->bytes + c->from,
					.len = c->to - c->from,
					.file = c->file->number};

	if (piece.len > 0)
		c->tail->ops->piece(c->tail->ctx, &piece);
	c->from = c->to;
}

/* A line end, or the end of what was read, at `end`, of a line that is being skipped. Of one that was too long the line
 * end is told: the lines stay apart. */
static void skip_to(struct cut *c, size_t end, bool is_line_end)
{
	struct tail_version *v = c->version;
	bool tells_end = is_line_end && v->why == BATCH_LOG_LONG;

	v->skipped += end - c->to - tells_end;
	c->from = tells_end ? end - 1 : end;
	c->to = end;
	if (!is_line_end)
		return;
	tail_read_stop(c->tail, c->file, v, c->now);
	v->line = 0;
}

/* Whole lines, then the part of one at the end if it is `forced`. */
static void cut_lines(struct cut *c, bool forced)
{
	struct tail_version *v = c->version;

	while (c->to < c->len) {
		const uint8_t *nl = memchr(c->bytes + c->to, '\n', c->len - c->to);
		size_t end = nl ? (size_t)(nl - c->bytes) + 1 : c->len;
		size_t text = end - c->to - (nl != NULL);

		if (v->why) {
			skip_to(c, end, nl != NULL);
			continue;
		}
		if (c->to - c->from + (end - c->to) > BATCH_LOG_PIECE_MAX)
			put(c);
		if (v->line + text > BATCH_LOG_LINE_MAX) {
			c->to += BATCH_LOG_LINE_MAX - (size_t)v->line;
			put(c);
			begin_skip(v, c->at + c->to, 0, BATCH_LOG_LONG);
		} else if (nl) {
			c->to = end;
			v->line = 0;
		} else if (forced) {
			c->to = end;
			v->line += text;
		} else {
			break;
		}
	}
	put(c);
}

/* ---- a turn ---- */

void tail_read_wait(struct tail_version *v)
{
	v->least_lag = UINT64_MAX;
}

/* A file that grows faster than it may be read: what lies too far ahead is skipped. */
static void limit_lag(struct tail *t, struct tail_file *f, struct tail_version *v,
		      struct tail_time now)
{
	uint64_t lag = v->size - v->offset, most = TAIL_LAG_S * t->config.rate;
	uint64_t from = v->offset, to;

	if (lag < v->least_lag || v->offset < v->first_size)
		v->least_lag = lag;
	if (lag <= v->least_lag + most)
		return;
	to = v->size - v->least_lag - most / 2;
	tail_read_stop(t, f, v, now);
	tail_begin_at(v, to);
	begin_skip(v, from, to - from, BATCH_LOG_RATE);
}

static void fill(const struct tail *t, struct tail_file *f, uint64_t ms)
{
	uint64_t rate = t->config.rate, most = rate > LEAST_READ ? rate : LEAST_READ;

	if (f->tokens > most)
		return; /* the end: all of it */
	if (ms - f->filled_ms >= 1000 / 8) {
		f->tokens += rate * (ms - f->filled_ms < 1000 ? ms - f->filled_ms : 1000) / 1000;
		f->filled_ms = ms;
	}
	if (f->tokens > most)
		f->tokens = most;
}

/* Is an unfinished line to be told now? */
static bool waited(struct tail_version *v, uint64_t ms)
{
	if (v->partial_ms == 0 || v->partial_at != v->offset) {
		v->partial_at = v->offset;
		v->partial_ms = ms;
	}
	return ms - v->partial_ms >= TAIL_PARTIAL_MS;
}

size_t tail_read(struct tail *t, struct tail_file *f, struct tail_version *v, size_t most,
		 bool is_last, struct tail_time now)
{
	struct cut c = {.tail = t, .file = f, .version = v, .now = now, .bytes = t->buffer};
	uint64_t there;
	ssize_t n;

	fill(t, f, now.ms);
	if (v->size <= v->offset)
		return 0;
	if (!is_last)
		limit_lag(t, f, v, now);
	there = v->size - v->offset;
	if (most > f->tokens)
		most = (size_t)f->tokens;
	if (most > TAIL_BUFFER)
		most = TAIL_BUFFER;
	if (most < LEAST_READ && most < there)
		return 0;
	c.at = v->offset;
	n = pread(v->fd, t->buffer, there < most ? (size_t)there : most, (off_t)c.at);
	if (n <= 0)
		return 0;
	c.len = (size_t)n;
	cut_lines(&c, is_last || (c.len == there && waited(v, now.ms)));
	pass(v, c.bytes, c.to);
	f->tokens -= c.to;
	return c.to;
}
