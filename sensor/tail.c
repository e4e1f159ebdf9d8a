// SPDX-License-Identifier: Apache-2.0
/*
 * tail: see tail.h. Reading is tail_read.c.
 */
#include "sensor/tail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/log.h"
#include "sensor/tail_parts.h"

enum { MINUTE_MS = 60000, END_TURNS = 64 };

/* ---- life ---- */

int tail_new(struct tail **ret, const struct tail_config *config, const struct tail_ops *ops,
	     void *ctx)
{
	struct tail *t = calloc(1, sizeof *t + config->n * sizeof t->files[0]);

	if (!t)
		return -ENOMEM;
	t->config = *config;
	t->ops = ops;
	t->ctx = ctx;
	for (size_t i = 0; i < config->n; i++) {
		t->files[i].number = (uint16_t)i;
		t->files[i].now.fd = t->files[i].old.fd = -1;
		t->files[i].wipes = TAIL_WIPES;
		t->files[i].events = TAIL_EVENTS;
		t->files[i].is_first = true;
	}
	*ret = t;
	return 0;
}

size_t tail_memory(size_t n)
{
	return sizeof(struct tail) + n * sizeof(struct tail_file);
}

static void close_version(struct tail_version *v)
{
	if (v->fd >= 0)
		(void)close(v->fd);
	v->fd = -1;
}

void tail_free(struct tail *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->config.n; i++) {
		close_version(&t->files[i].now);
		close_version(&t->files[i].old);
	}
	free(t);
}

/* ---- telling ---- */

static void tell(struct tail *t, const struct tail_file *f, enum batch_event_kind kind,
		 const char *text, uint64_t a, uint64_t b, uint64_t c)
{
	const int64_t values[BATCH_EVENT_VALUES] = {f->number, (int64_t)a, (int64_t)b, (int64_t)c};

	t->ops->event(t->ctx, kind, text, values);
}

/* A file that is rewritten all the time must not fill the spool with what is kept. */
static void tell_wiped(struct tail *t, struct tail_file *f, enum batch_event_kind kind,
		       struct tail_time now, const char *what, uint64_t b, uint64_t c)
{
	char text[TAIL_NAME + 40];

	while (f->wipes < TAIL_WIPES && now.ms - f->wiped_ms >= MINUTE_MS) {
		f->wipes++;
		f->wiped_ms += MINUTE_MS;
	}
	if (f->wipes == 0) {
		f->untold++;
		return;
	}
	if (f->wipes-- == TAIL_WIPES)
		f->wiped_ms = now.ms;
	(void)snprintf(text, sizeof text, "%s", what);
	if (f->untold)
		(void)snprintf(text, sizeof text, "%s%sand %llu times before that", what,
			       *what ? ", " : "", (unsigned long long)f->untold);
	f->untold = 0;
	log_warn("tail", "%s: %s", t->config.paths[f->number],
		 kind == BATCH_EVENT_LOG_SHRANK     ? "it was cut"
		 : kind == BATCH_EVENT_LOG_VANISHED ? "it is gone"
						    : "what was read of it was overwritten");
	tell(t, f, kind, text, f->now.ino, b, c);
}

/* Links and files that take turns at a name must not fill the spool either. */
static void tell_limited(struct tail *t, struct tail_file *f, enum batch_event_kind kind,
			 const char *what, uint64_t a, uint64_t b, uint64_t c)
{
	char text[BATCH_EVENT_TEXT];

	while (f->events < TAIL_EVENTS && t->now_ms - f->told_ms >= MINUTE_MS) {
		f->events++;
		f->told_ms += MINUTE_MS;
	}
	if (f->events == 0) {
		f->untold_events++;
		return;
	}
	if (f->events-- == TAIL_EVENTS)
		f->told_ms = t->now_ms;
	if (f->untold_events)
		(void)snprintf(text, sizeof text, "%.80s%s%llu others were not told", what,
			       *what ? "; " : "", (unsigned long long)f->untold_events);
	tell(t, f, kind, f->untold_events ? text : what, a, b, c);
	f->untold_events = 0;
}

static void tell_unreadable(struct tail *t, struct tail_file *f, int error, const char *why)
{
	if (f->told_error == error + 1 && strcmp(f->told_why, why) == 0)
		return;
	f->told_error = error + 1;
	(void)snprintf(f->told_why, sizeof f->told_why, "%s", why);
	log_warn("tail", "%s cannot be read: %s", t->config.paths[f->number], why);
	tell_limited(t, f, BATCH_EVENT_LOG_UNREADABLE, why, (uint64_t)error, 0, 0);
}

/* ---- what becomes of a file ---- */

static bool stat_of(const struct tail_version *v, struct stat *st)
{
	return v->fd >= 0 && fstat(v->fd, st) == 0;
}

/* Its bytes that were not read will not come. */
static void lose(struct tail *t, struct tail_file *f, struct tail_version *v, uint64_t to,
		 struct tail_time now)
{
	tail_read_stop(t, f, v, now);
	if (to > v->offset)
		tail_leave_out(t, f, v, v->offset, to - v->offset, BATCH_LOG_LOST, now);
}

/* From the begin, as if it were new. */
static void restart(struct tail_version *v, uint64_t size)
{
	v->offset = v->line = v->skipped = v->partial_ms = 0;
	v->why = 0;
	v->head_len = v->tail_len = 0;
	v->size = size;
	v->least_lag = v->first_size = 0;
	v->ctime_ns = 0;
}

static uint64_t ctime_of(const struct stat *st)
{
	return (uint64_t)st->st_ctim.tv_sec * NS_PER_S + (uint64_t)st->st_ctim.tv_nsec;
}

static void shrank(struct tail *t, struct tail_file *f, uint64_t size, struct tail_time now)
{
	lose(t, f, &f->now, f->now.size, now);
	tell_wiped(t, f, BATCH_EVENT_LOG_SHRANK, now, "", f->now.size, size);
	restart(&f->now, size);
}

/* Is what was read of it still there? `st` is its state now. */
static void check(struct tail *t, struct tail_file *f, const struct stat *st, struct tail_time now)
{
	struct tail_version *v = &f->now;
	uint64_t size = (uint64_t)st->st_size;

	if (size < v->size) {
		/* A rotation by copy cuts the file when the copy is there: the opener knows. */
		f->shrank_from = v->size;
		f->wants_copy = true;
		v->size = size;
		return;
	}
	if ((ctime_of(st) != v->ctime_ns || v->is_fresh ||
	     now.ms - v->verified_ms >= TAIL_VERIFY_MS) &&
	    v->offset > 0) {
		if (!tail_reads_as_before(v)) {
			lose(t, f, v, v->size, now);
			tell_wiped(t, f, BATCH_EVENT_LOG_REWRITTEN, now, "", v->offset, size);
			restart(v, size);
		}
		v->verified_ms = now.ms;
	}
	v->ctime_ns = ctime_of(st);
	v->is_fresh = v->ctime_ns + NS_PER_S >= now.ns;
	v->size = size;
	v->well_s = (int64_t)(now.ns / NS_PER_S);
}

/* ---- answers ---- */

static void set_version(struct tail_version *v, int fd, uint64_t dev, uint64_t ino)
{
	memset(v, 0, sizeof *v);
	v->fd = fd;
	v->dev = dev;
	v->ino = ino;
}

/* The version that is followed goes on to its end beside the new one. */
static void put_aside(struct tail *t, struct tail_file *f, struct tail_time now)
{
	if (f->old.fd >= 0) {
		tail_read(t, f, &f->old, TAIL_TURN_BYTES, true, now);
		close_version(&f->old);
	}
	f->old = f->now;
	f->quiet_ms = now.ms;
	f->now.fd = -1;
}

static void open_version(struct tail *t, struct tail_file *f, const struct tail_answer *a,
			 struct tail_time now)
{
	struct tail_version *v = &f->now;
	struct stat st = {.st_size = 0};

	set_version(v, a->fd, a->dev, a->ino);
	(void)fstat(v->fd, &st);
	v->size = (uint64_t)st.st_size;
	v->ctime_ns = ctime_of(&st);
	v->verified_ms = now.ms;
	v->well_s = (int64_t)(now.ns / NS_PER_S);
	if (f->is_first && t->config.from_start)
		v->first_size = v->size;
	else if (f->is_first)
		tail_begin_at(v, v->size);
	f->fate_is_told = f->wants_copy = false;
	f->absent_ms = 0;
	f->told_error = 0;
	log_info("tail", "%s: following from byte %llu of %llu", t->config.paths[f->number],
		 (unsigned long long)v->offset, (unsigned long long)v->size);
	tell_limited(t, f, BATCH_EVENT_LOG_OPENED, "", v->ino, v->size, v->offset);
}

static void tell_rotated(struct tail *t, struct tail_file *f, const char *how, const char *name,
			 uint64_t new_ino)
{
	char text[BATCH_EVENT_TEXT];

	(void)snprintf(text, sizeof text, "%s %.*s", how, BATCH_EVENT_TEXT - 16, name);
	log_info("tail", "%s: rotated, %s", t->config.paths[f->number], text);
	tell_limited(t, f, BATCH_EVENT_LOG_ROTATED, text, f->now.ino, new_ino, f->now.offset);
}

/* The file that is followed is not at its name: where is it? */
static void tell_fate(struct tail *t, struct tail_file *f, const struct tail_answer *a,
		      struct tail_time now)
{
	struct stat st;

	if (f->now.fd < 0 || f->fate_is_told || !stat_of(&f->now, &st))
		return;
	if (a->sibling == TAIL_MOVED || (a->sibling == TAIL_PACKED && st.st_nlink == 0)) {
		tell_rotated(t, f, a->sibling == TAIL_MOVED ? "renamed to" : "packed into", a->name,
			     a->there == TAIL_OTHER ? a->ino : 0);
		f->fate_is_told = true;
		return;
	}
	/* A name that it has elsewhere may come back; another file in its place says that it will not. */
	if (st.st_nlink > 0 && a->there != TAIL_OTHER && now.ms - f->absent_ms < TAIL_VANISH_MS)
		return;
	tell_wiped(t, f, BATCH_EVENT_LOG_VANISHED, now,
		   a->there == TAIL_OTHER ? "another file took its place" : "", f->now.size,
		   st.st_nlink);
	f->fate_is_told = true;
}

/* It shrank, and the opener looked for a copy. */
static void take_copy(struct tail *t, struct tail_file *f, const struct tail_answer *a,
		      struct tail_time now)
{
	uint64_t size = f->now.size;

	f->wants_copy = false;
	f->now.size = f->shrank_from;
	if (a->sibling == TAIL_COPIED && a->copy >= 0) {
		tell_rotated(t, f, "copied to", a->name, f->now.ino);
		put_aside(t, f, now);
		f->now = f->old;
		f->old.fd = a->copy;         /* under the inode whose bytes they are */
		f->old.size = f->old.offset; /* the next look tells */
		restart(&f->now, size);
	} else if (a->sibling == TAIL_PACKED) {
		tell_rotated(t, f, "packed into", a->name, f->now.ino);
		lose(t, f, &f->now, f->shrank_from, now);
		restart(&f->now, size);
	} else {
		shrank(t, f, size, now);
	}
}

static void take(struct tail *t, struct tail_file *f, const struct tail_answer *a,
		 struct tail_time now)
{
	f->is_asked = false;
	if (f->now.fd >= 0 && a->there != TAIL_SAME && f->absent_ms == 0)
		f->absent_ms = now.ms;
	if (f->was_copy_asked && f->wants_copy)
		take_copy(t, f, a, now);
	else if (a->copy >= 0)
		(void)close(a->copy);
	if (a->there != TAIL_SAME)
		tell_fate(t, f, a, now);
	switch ((enum tail_there)a->there) {
	case TAIL_SAME:
		f->absent_ms = 0;
		f->told_error = 0;
		f->fate_is_told = false;
		break;
	case TAIL_ABSENT:
		if (f->now.fd < 0)
			tell_unreadable(t, f, ENOENT, strerror(ENOENT));
		break;
	case TAIL_UNREADABLE: tell_unreadable(t, f, a->error, a->text); break;
	case TAIL_OTHER:
		if (f->now.fd >= 0)
			put_aside(t, f, now);
		open_version(t, f, a, now);
		break;
	}
	f->is_first = false;
}

void tail_take(struct tail *t, const struct tail_answer *a, struct tail_time now)
{
	t->now_ms = now.ms;
	if (a->file < t->config.n) {
		take(t, &t->files[a->file], a, now);
		return;
	}
	if (a->fd >= 0)
		(void)close(a->fd);
	if (a->copy >= 0)
		(void)close(a->copy);
}

void tail_alone(struct tail *t, struct tail_time now)
{
	t->now_ms = now.ms;
	t->is_alone = true;
	for (size_t i = 0; i < t->config.n; i++)
		tell_unreadable(
			t, &t->files[i], ECHILD,
			"the process that opens log files is gone: rotations are not followed");
}

/* ---- a turn ---- */

static void ask(struct tail *t, struct tail_file *f)
{
	const struct tail_version *v = &f->now;
	struct tail_ask *q = &t->ask;

	q->file = f->number;
	q->dev = v->fd >= 0 ? v->dev : 0;
	q->ino = v->fd >= 0 ? v->ino : 0;
	q->offset = v->offset;
	q->since_s = v->well_s;
	q->wants_copy = f->wants_copy;
	q->head_len = v->fd >= 0 ? v->head_len : 0;
	q->tail_len = v->fd >= 0 ? v->tail_len : 0;
	memcpy(q->head, v->head, q->head_len);
	memcpy(q->tail, v->tail, q->tail_len);
	f->was_copy_asked = f->wants_copy;
	f->is_asked = t->ops->ask(t->ctx, q);
}

/* Nobody can be asked. */
static void no_copy(struct tail *t, struct tail_file *f, struct tail_time now)
{
	uint64_t size = f->now.size;

	f->wants_copy = false;
	f->now.size = f->shrank_from;
	shrank(t, f, size, now);
}

static void look(struct tail *t, struct tail_file *f, struct tail_time now)
{
	struct stat st;

	if (stat_of(&f->now, &st) && !f->wants_copy)
		check(t, f, &st, now);
	if (stat_of(&f->old, &st)) {
		uint64_t size = (uint64_t)st.st_size;

		if (size > f->old.size)
			f->quiet_ms = now.ms;
		if (size < f->old.offset) { /* its rotation was told; what is lost of it is, too */
			lose(t, f, &f->old, f->old.size, now);
			close_version(&f->old);
		}
		f->old.size = size;
	}
	if (t->is_alone && f->wants_copy)
		no_copy(t, f, now);
	if (!t->is_alone && !f->is_asked)
		ask(t, f);
}

static void read_file(struct tail *t, struct tail_file *f, struct tail_time now, size_t *left)
{
	if (f->old.fd >= 0) {
		bool is_over = now.ms - f->quiet_ms >= TAIL_DRAIN_MS;

		*left -= tail_read(t, f, &f->old, *left, is_over, now);
		if (is_over && f->old.offset >= f->old.size)
			close_version(&f->old);
	}
	if (f->now.fd >= 0 && !f->wants_copy)
		*left -= tail_read(t, f, &f->now, *left, false, now);
}

bool tail_tick(struct tail *t, struct tail_time now, bool takes)
{
	size_t left = TAIL_TURN_BYTES;
	bool looks = !t->has_looked || now.ms - t->looked_ms >= TAIL_LOOK_MS;

	t->now_ms = now.ms;
	if (looks)
		t->looked_ms = now.ms;
	t->has_looked = true;
	for (size_t i = 0; i < t->config.n; i++) {
		struct tail_file *f = &t->files[(i + t->turn) % t->config.n];

		if (looks)
			look(t, f, now);
		if (takes)
			read_file(t, f, now, &left);
		else
			tail_read_wait(&f->now);
	}
	t->turn++;
	return left < TAIL_TURN_BYTES / 2;
}

void tail_end(struct tail *t, struct tail_time now, bool takes)
{
	for (size_t i = 0; i < t->config.n; i++) {
		struct tail_file *f = &t->files[i];
		struct stat st;

		if (stat_of(&f->now, &st) && !f->wants_copy)
			check(t, f, &st, now);
		if (f->wants_copy)
			no_copy(t, f, now);
		f->tokens = UINT64_MAX / 2;
		for (unsigned n = 0; takes && n < END_TURNS; n++) {
			size_t left = TAIL_TURN_BYTES;

			if (f->old.fd >= 0)
				left -= tail_read(t, f, &f->old, left, true, now);
			if (f->now.fd >= 0)
				left -= tail_read(t, f, &f->now, left, true, now);
			if (left == TAIL_TURN_BYTES)
				break;
		}
		tail_read_stop(t, f, &f->now, now);
		if (f->now.fd >= 0 && f->now.size > f->now.offset)
			tail_leave_out(t, f, &f->now, f->now.offset, f->now.size - f->now.offset,
				       BATCH_LOG_RATE, now);
	}
}
