// SPDX-License-Identifier: Apache-2.0
/*
 * See delivery.h: the passes.
 */
#include "collector/delivery.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collector/credentials.h"
#include "platform/clock.h"
#include "platform/config.h"
#include "platform/crypto.h"
#include "platform/log.h"

enum {
	FIRST_WAIT_MS = 250,
	TOLD_S = 600,               /* a failure that lasts is told again so often */
	SENSOR_BYTES = 1024 * 1024, /* at least, of each sensor in a pass */
};

struct delivery_run {
	struct delivery_cursor cursor;
	struct range *range;
	struct delivery_sensor *sensor; /* whose entries are being handed on */
	struct range_at kept; /* of it: the first entry that holds something not due yet */
	bool is_kept;
	bool has_ended;
	bool has_more;    /* the ledger had more than a pass takes */
	uint64_t unit;    /* of this pass, from 0 */
	uint64_t told_ns; /* monotonic: when a failure was told */
};

/* ---- waiting, and what is told ---- */

bool delivery_may_go_on(struct delivery *d, int wait_ms)
{
	struct pollfd p = {.fd = d->lifeline};

	if (!d->run->has_ended)
		d->run->has_ended = poll(&p, 1, wait_ms) > 0 && (p.revents & POLLHUP);
	return !d->run->has_ended;
}

static void set_error(struct delivery *d, const char *text)
{
	size_t i = 0;

	for (; i < sizeof d->health->error - 1 && text[i]; i++)
		d->health->error[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	d->health->error[i] = '\0';
}

static void tell_failure(struct delivery *d, const char *what, bool is_refused)
{
	uint64_t now_ns = clock_mono_ns();

	d->health->failures++;
	set_error(d, what);
	if (d->health->failing_since_s > 0 &&
	    now_ns - d->run->told_ns < TOLD_S * (uint64_t)NS_PER_S)
		return;
	if (d->health->failing_since_s == 0)
		d->health->failing_since_s = clock_wall_ns() / NS_PER_S;
	d->run->told_ns = now_ns;
	if (is_refused)
		log_err(d->name, "%s; nothing is lost: it is tried again each %d s", what,
			DELIVERY_RETRY_S);
	else
		log_warn(d->name, "%s; trying again", what);
}

static void tell_success(struct delivery *d)
{
	if (d->health->failing_since_s > 0)
		log_info(d->name, "delivering again");
	d->health->failing_since_s = 0;
}

/* Half of it at least: not all who wait for the same server come back at once. */
static int some_of(int wait_ms)
{
	uint32_t random;

	crypto_random(&random, sizeof random);
	return wait_ms / 2 + (int)(random % ((uint32_t)wait_ms / 2 + 1));
}

/* Calls `step` until it is done. 0 or DELIVERY_STOP. */
static int insist(struct delivery *d, delivery_try_fn *step, void *what)
{
	int wait_ms = FIRST_WAIT_MS;

	for (;;) {
		struct err err = {""};
		enum delivery_try how = step(what, clock_wall_ns(), &err);

		if (how == DELIVERY_DONE) {
			tell_success(d);
			return 0;
		}
		tell_failure(d, err.text, how == DELIVERY_REFUSED);
		if (how == DELIVERY_REFUSED || wait_ms > DELIVERY_RETRY_S * MS_PER_S)
			wait_ms = DELIVERY_RETRY_S * MS_PER_S;
		if (!delivery_may_go_on(d, some_of(wait_ms)))
			return DELIVERY_STOP;
		wait_ms *= 2;
	}
}

static enum delivery_try try_cursor(void *what, uint64_t now_ns, struct err *err)
{
	const struct delivery *d = what;

	(void)now_ns;
	return delivery_cursor_write(&d->run->cursor, d->folder, d->name, err) == 0
		       ? DELIVERY_DONE
		       : DELIVERY_AGAIN;
}

static enum delivery_try try_count(void *what, uint64_t now_ns, struct err *err)
{
	const struct delivery *d = what;

	(void)now_ns;
	return delivery_cursor_count(&d->run->cursor, d->folder, d->name, err) == 0
		       ? DELIVERY_DONE
		       : DELIVERY_AGAIN;
}

/* ---- for kinds ---- */

int delivery_put(struct delivery *d, delivery_try_fn *try, void *what, uint64_t bytes,
		 uint64_t records)
{
	int rc;

	if (d->run->unit++ < d->run->cursor.units)
		return 0;
	rc = insist(d, try, what);
	if (rc != 0)
		return rc;
	d->run->cursor.units++;
	d->health->units++;
	d->health->bytes += bytes;
	d->health->records += records;
	return insist(d, try_count, d);
}

static bool is_before(const struct delivery_sensor *s, const struct range_at *at)
{
	return range_is_before(at, &s->done);
}

bool delivery_wants(struct delivery *d, const struct ledger_entry *entry, uint64_t time_s)
{
	const struct delivery_cursor *c = &d->run->cursor;
	uint64_t received_s = entry->received_ns / NS_PER_S,
		 slot = (time_s < received_s ? time_s : received_s) / DELIVERY_SLOT_S;
	const struct range_at *here = range_here(d->run->range);

	if (slot > c->closed) {
		if (!d->run->is_kept)
			d->run->kept = *here;
		d->run->is_kept = true;
		return false;
	}
	return slot > c->closed_done || !is_before(d->run->sensor, here);
}

static int on_fault(void *ctx, const struct ledger_entry *entry)
{
	struct delivery *d = ctx;

	if (entry->kind == LEDGER_DAMAGE && !is_before(d->run->sensor, range_here(d->run->range))) {
		d->health->damages++;
		log_err(d->name, "%s is damaged at byte %llu: %s", entry->file,
			(unsigned long long)entry->offset, entry->reason);
	}
	return 0;
}

/* ---- a pass ---- */

/* The last slot that is over. */
static uint64_t closed_now(const struct delivery *d)
{
	uint64_t now_s = clock_wall_ns() / NS_PER_S;

	if (!d->has_slots)
		return UINT64_MAX;
	return now_s < d->late_s + DELIVERY_SLOT_S ? 0 : (now_s - d->late_s) / DELIVERY_SLOT_S - 1;
}

/* All sensors that there are have a place in the cursor. */
static int look_round(struct delivery *d, struct err *err)
{
	char(*ids)[WIRE_SENSOR_ID_MAX] = NULL;
	size_t n = 0;
	int rc = range_sensors(&ids, &n, d->store, err);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (!delivery_cursor_sensor(&d->run->cursor, ids[i]))
			rc = err_set(err, -ENOMEM, "no memory for the cursor");
	}
	free(ids);
	return rc;
}

/* Fills the plan. 1: there is something to do; 0: nothing. */
static int plan(struct delivery *d, struct err *err)
{
	struct delivery_cursor *c = &d->run->cursor;
	uint64_t share, left, now = closed_now(d);
	bool is_any = false;
	int rc = look_round(d, err);

	if (rc < 0)
		return rc;
	c->closed = now > c->closed_done ? now : c->closed_done;
	share = c->n && DELIVERY_PASS_BYTES / c->n > SENSOR_BYTES ? DELIVERY_PASS_BYTES / c->n
								  : SENSOR_BYTES;
	d->run->has_more = false;
	for (size_t i = 0; rc == 0 && i < c->n; i++) {
		struct delivery_sensor *s = &c->sensors[i];
		const struct range_at from = {.segment = s->done.segment, .offset = s->done.offset};

		left = share;
		rc = range_find_end(&s->to, d->store, s->id, &from, &left, err);
		d->run->has_more = d->run->has_more || left == 0;
		is_any = is_any || range_is_before(&from, &s->to) ||
			 (c->closed > c->closed_done && range_is_before(&s->from, &s->to));
	}
	return rc < 0 ? rc : is_any;
}

static int read_sensor(struct delivery *d, struct delivery_sensor *s, struct err *err)
{
	struct range_at reached;
	int rc;

	d->run->sensor = s;
	d->run->is_kept = false;
	rc = range_read(d->run->range, s->id, &s->from, &s->to, &reached, err);
	if (rc != 0)
		return rc;
	/* The plan stays as it is until the whole pass was made: what comes of this one is put beside it. */
	s->from = d->run->is_kept ? d->run->kept : reached;
	s->to = (struct range_end){.segment = reached.segment, .offset = reached.offset};
	return 0;
}

static int make_pass(struct delivery *d, struct err *err)
{
	struct delivery_cursor *c = &d->run->cursor;
	uint64_t lost = range_lost(d->run->range);
	int rc = 0;

	d->run->unit = 0;
	if (d->ops.begin_pass)
		rc = d->ops.begin_pass(d, err);
	for (size_t i = 0; rc == 0 && i < c->n; i++)
		rc = read_sensor(d, &c->sensors[i], err);
	if (rc == 0 && d->ops.end_pass)
		rc = d->ops.end_pass(d, err);
	if (range_lost(d->run->range) > lost) {
		d->health->lost_segments += range_lost(d->run->range) - lost;
		log_err(d->name, "retention deleted segments before they were delivered");
	}
	return rc;
}

/* The pass was made. */
static int take_over(struct delivery *d)
{
	struct delivery_cursor *c = &d->run->cursor;

	for (size_t i = 0; i < c->n; i++)
		c->sensors[i].done = c->sensors[i].to;
	c->closed_done = c->closed;
	c->is_planned = false;
	c->units = 0;
	return insist(d, try_cursor, d);
}

int delivery_pass(struct delivery *d, struct err *err)
{
	struct delivery_cursor *c = &d->run->cursor;
	uint64_t begun_s = clock_wall_ns() / NS_PER_S;
	int rc = 1;

	if (!c->is_planned) {
		rc = plan(d, err);
		if (rc > 0) {
			c->is_planned = true;
			c->pass++;
			c->units = 0;
			rc = insist(d, try_cursor, d) == 0 ? 1 : DELIVERY_STOP;
			if (d->run->has_ended)
				return DELIVERY_STOP;
		}
	}
	if (rc <= 0) {
		if (rc == 0)
			d->health->complete_to_s = begun_s;
		return rc;
	}
	rc = make_pass(d, err);
	if (rc != 0)
		return rc;
	rc = take_over(d);
	d->health->passes++;
	if (rc == 0 && !d->run->has_more)
		d->health->complete_to_s = begun_s;
	return rc;
}

/* ---- the process ---- */

#define ALWAYS(name)                                                                               \
	{                                                                                          \
		SYS_##name, SANDBOX_ALWAYS, 0, 0                                                   \
	}

static const struct sandbox_call calls[] = {
	ALWAYS(fdatasync),  ALWAYS(fsync),   ALWAYS(openat),   ALWAYS(getdents64), ALWAYS(fchmod),
	ALWAYS(ftruncate),  ALWAYS(mkdirat), ALWAYS(unlinkat), ALWAYS(renameat2),  ALWAYS(linkat),
#ifdef SYS_open
	ALWAYS(open),       ALWAYS(mkdir),   ALWAYS(unlink),   ALWAYS(rename),     ALWAYS(link),
	ALWAYS(access),
#endif
#ifdef SYS_renameat
	ALWAYS(renameat),
#endif
#ifdef SYS_newfstatat
	ALWAYS(newfstatat),
#endif
#ifdef SYS_fstatat64
	ALWAYS(fstatat64),
#endif
#ifdef SYS_stat
	ALWAYS(stat),
#endif
#ifdef SYS_statx
	ALWAYS(statx),
#endif
};

void delivery_confine(struct sandbox *ret, const char *folder)
{
	*ret = (struct sandbox){.calls = calls,
				.n_calls = sizeof calls / sizeof calls[0],
				.folder = folder,
				.removes = true,
				.host_files = true};
}

/* The store is there when a byte comes. */
static bool wait_for_store(const struct delivery *d)
{
	char byte;
	ssize_t n;

	do
		n = read(d->lifeline, &byte, 1);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

/* The store, the cursor's folder and the target lie apart: no root folder holds them all. */
static int confine(struct delivery *d, struct err *err)
{
	int store = open(d->store, O_PATH | O_DIRECTORY | O_CLOEXEC), rc;
	struct sandbox_state state;
	char text[SANDBOX_TEXT];

	if (store < 0)
		return err_errno(err, "cannot open the store %s", d->store);
	if (!d->sandbox.unfiltered) {
		d->sandbox.below = &store;
		d->sandbox.n_below = 1;
	}
	rc = sandbox_enter(&d->sandbox, &state, err);
	d->sandbox.n_below = 0;
	(void)close(store);
	if (rc == 0)
		log_debug(d->name, "%s", sandbox_text(text, &state));
	return rc;
}

int delivery_open(struct delivery *d, struct err *err)
{
	struct delivery_cursor *c;
	uint8_t store[LEDGER_STORE_ID];
	int rc;

	d->run = calloc(1, sizeof *d->run);
	if (!d->run)
		return err_set(err, -ENOMEM, "no memory for a delivery");
	c = &d->run->cursor;
	rc = d->ops.begin ? d->ops.begin(d, err) : 0;

	/* Whoever needs credentials has them now. */
	if (IS_ENABLED(CONFIG_DELIVER_AWS))
		credentials_wipe_environment();

	if (rc == 0 && !d->no_sandbox)
		rc = confine(d, err);
	d->ops.replay.fault = on_fault;
	if (rc == 0)
		rc = range_store(store, d->store, err);
	if (rc == 0)
		rc = range_new(&d->run->range, d->store, &d->ops.replay, d, err);
	if (rc < 0)
		return rc;
	memcpy(d->store_id, store, sizeof store);
	rc = delivery_cursor_read(c, d->folder, d->name, err);
	if (rc == -ENOENT) {
		memcpy(c->store, store, sizeof store);
		return 0;
	}
	if (rc == 0 && memcmp(c->store, store, sizeof store) != 0)
		rc = err_set(err, ERR_USAGE,
			     "%s/%s.cursor is that of a delivery from another store: give each "
			     "store its own --deliver-state",
			     d->folder, d->name);
	return rc;
}

void delivery_close(struct delivery *d)
{
	if (!d->run)
		return;
	range_free(d->run->range);
	delivery_cursor_fini(&d->run->cursor);
	free(d->run);
	d->run = NULL;
}

static int pause_ms(const struct delivery *d)
{
	uint64_t now_ms = clock_wall_ns() / NS_PER_MS, every_ms = d->every_s * MS_PER_S;

	/* Slots close by the wall clock. */
	return (int)(every_ms - (now_ms - d->late_s * MS_PER_S) % every_ms);
}

/* What was planned is read from the file again: a pass that was broken off left its marks in memory. */
static int go_back(struct delivery *d, struct err *err)
{
	delivery_cursor_fini(&d->run->cursor);
	return delivery_cursor_read(&d->run->cursor, d->folder, d->name, err);
}

static int serve(struct delivery *d, struct err *err)
{
	int rc;

	for (;;) {
		rc = delivery_pass(d, err);
		if (rc == DELIVERY_STOP || !delivery_may_go_on(d, 0))
			return 0;
		if (rc == -ENOMEM)
			return rc;
		if (rc < 0) {
			tell_failure(d, err->text, false);
			if (!delivery_may_go_on(d, DELIVERY_RETRY_S * MS_PER_S))
				return 0;
			rc = d->run->cursor.pass > 0 ? go_back(d, err) : 0;
			if (rc < 0)
				return rc;
		} else if (!d->run->has_more && !delivery_may_go_on(d, pause_ms(d))) {
			return 0;
		}
	}
}

void delivery_run(struct delivery *d)
{
	struct err err = {""};
	int rc;

	if (!wait_for_store(d))
		_exit(0);
	rc = delivery_open(d, &err);
	if (rc == 0)
		rc = serve(d, &err);
	if (rc < 0) {
		set_error(d, err.text);
		log_err(d->name, "%s", err.text);
		_exit(3);
	}
	_exit(0);
}
