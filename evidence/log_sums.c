// SPDX-License-Identifier: Apache-2.0
/*
 * log_sums: see log_sums.h.
 */
#include "evidence/log_sums.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/table.h"
#include "platform/clock.h"

/* WIRE_SENSOR_ID_MAX + WIRE_LOG_PATH_MAX + 1: a multiple of 8. */
enum { KEY = offsetof(struct log_sum, path) + WIRE_LOG_PATH_MAX + 1 };
_Static_assert(KEY % 8 == 0, "the table's keys are words");

struct log_sums {
	struct table *sums;
};

int log_sums_new(struct log_sums **ret)
{
	struct log_sums *l = calloc(1, sizeof *l);

	if (!l || table_new(&l->sums, sizeof(struct log_sum), KEY, LOGS_MAX) < 0) {
		free(l);
		return -ENOMEM;
	}
	*ret = l;
	return 0;
}

void log_sums_free(struct log_sums *l)
{
	if (l)
		table_free(l->sums);
	free(l);
}

/* NULL: its hello is lost, or does not name it. */
static const char *path_of(const struct wire_hello *hello, uint64_t file)
{
	return hello && file < hello->n_logs ? hello->logs[file] : NULL;
}

static int sum_of(struct log_sums *l, const char *sensor, const char *path, struct log_sum **ret)
{
	struct log_sum fresh;
	void *at;
	int rc;

	memset(&fresh, 0, sizeof fresh);
	(void)snprintf(fresh.sensor, sizeof fresh.sensor, "%s", sensor);
	(void)snprintf(fresh.path, sizeof fresh.path, "%s", path);
	rc = table_take(l->sums, &fresh, &at);
	*ret = at;
	return rc;
}

/* ---- offsets ---- */

static struct log_inode *inode_of(struct log_sum *sum, const uint8_t *stream, uint64_t inode)
{
	for (size_t i = 0; i < LOGS_INODES; i++) {
		struct log_inode *at = &sum->inodes[i];

		if (at->inode == inode && inode &&
		    (!stream || memcmp(at->stream, stream, sizeof at->stream) == 0))
			return at;
	}
	return NULL;
}

static struct log_inode *add_inode(struct log_sum *sum, const uint8_t *stream, uint64_t inode,
				   uint64_t next)
{
	struct log_inode *at = inode_of(sum, stream, inode);

	if (!at)
		at = &sum->inodes[sum->at++ % LOGS_INODES];
	at->inode = inode;
	at->next = next;
	memcpy(at->stream, stream, sizeof at->stream);
	return at;
}

/* A run goes on with a file that one before it read. */
static void open_inode(struct log_sum *sum, const uint8_t *stream, uint64_t inode, uint64_t offset)
{
	const struct log_inode *before = inode_of(sum, NULL, inode);

	if (before && offset > before->next)
		sum->between += offset - before->next;
	(void)add_inode(sum, stream, inode, offset);
}

static void follow(struct log_sum *sum, const uint8_t *stream, const struct batch_log *piece)
{
	struct log_inode *at = inode_of(sum, stream, piece->inode);

	if (!at)
		at = add_inode(sum, stream, piece->inode, piece->offset);
	if (piece->offset > at->next) {
		sum->gaps++;
		sum->missing += piece->offset - at->next;
	}
	at->next = piece->offset + (piece->len ? piece->len : piece->left_out);
}

/* ---- adding ---- */

static void add_piece(struct log_sum *sum, const uint8_t *stream, const struct batch_log *piece)
{
	uint64_t sec = piece->time_ns / NS_PER_S;

	follow(sum, stream, piece);
	if (!piece->len) {
		sum->left_out[piece->why] += piece->left_out;
		return;
	}
	sum->pieces++;
	sum->bytes += piece->len;
	sum->lines += batch_log_lines(piece->bytes, piece->len);
	if (!sum->first_s || sec < sum->first_s)
		sum->first_s = sec;
	if (sec > sum->last_s)
		sum->last_s = sec;
}

static bool is_of_log(uint8_t kind)
{
	return kind >= BATCH_EVENT_LOG_OPENED && kind <= BATCH_EVENT_LOG_UNREADABLE;
}

static void add_event(struct log_sum *sum, const uint8_t *stream, const struct batch_event *event)
{
	uint64_t *counts[] = {&sum->opened,   &sum->rotated,   &sum->shrank,
			      &sum->vanished, &sum->rewritten, &sum->unreadable};
	uint64_t sec = event->time_ns / NS_PER_S;

	++*counts[event->kind - BATCH_EVENT_LOG_OPENED];
	if (event->kind == BATCH_EVENT_LOG_OPENED)
		open_inode(sum, stream, (uint64_t)event->values[1], (uint64_t)event->values[3]);
	if ((event->kind == BATCH_EVENT_LOG_SHRANK || event->kind == BATCH_EVENT_LOG_VANISHED ||
	     event->kind == BATCH_EVENT_LOG_REWRITTEN) &&
	    (!sum->wiped_s || sec < sum->wiped_s))
		sum->wiped_s = sec;
}

int log_sums_add(struct log_sums *l, const struct ledger_entry *entry,
		 const struct wire_hello *hello, const struct batch *batch)
{
	const struct batch_event *events;
	const struct batch_log *pieces;
	struct log_sum *sum;
	size_t n;
	int rc = 0;

	events = batch_event_list(batch, &n);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const char *path = is_of_log(events[i].kind) && events[i].n_values > 0
					   ? path_of(hello, (uint64_t)events[i].values[0])
					   : NULL;

		if (!path)
			continue;
		rc = sum_of(l, entry->sensor, path, &sum);
		if (rc == 0 && sum)
			add_event(sum, entry->stream, &events[i]);
	}
	pieces = batch_log_list(batch, &n);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const char *path = path_of(hello, pieces[i].file);

		if (!path)
			continue;
		rc = sum_of(l, entry->sensor, path, &sum);
		if (rc == 0 && sum)
			add_piece(sum, entry->stream, &pieces[i]);
	}
	return rc;
}

size_t log_sums_count(const struct log_sums *l)
{
	return table_count(l->sums);
}

const struct log_sum *log_sums_at(const struct log_sums *l, size_t index)
{
	return table_at(l->sums, index);
}

uint64_t log_sum_missing(const struct log_sum *sum)
{
	uint64_t n = sum->missing + sum->between;

	for (size_t i = 0; i < BATCH_LOG_WHYS; i++)
		n += sum->left_out[i];
	return n;
}
