// SPDX-License-Identifier: Apache-2.0
/*
 * Passes over a ledger that grows, under a clock of the test's own: each record goes out once, when it is due and not before, however
 * often the process dies, and whatever came late. What a pass sends twice is the same unit.
 *
 * The kind here gathers records by slot and sends one unit a slot: its text is the records, each by stream, sequence and number.
 */
#include "collector/delivery.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "collector/credentials.h"
#include "platform/clock.h"
#include "tests/unit/evidence/keys.h"
#include "tests/unit/evidence/sensors.h"

enum { LATE = 120, SLOT = 300, RECORDS = 4096, UNITS = 4096, TEXT = 64 };

static const char store[] = "store", state_folder[] = "state";
static const uint64_t t0 = 1700000100; /* a slot begins */
static uint64_t now_s;
static struct crypto_signer *signer;

uint64_t clock_wall_ns(void)
{
	return now_s * NS_PER_S;
}

uint64_t clock_mono_ns(void)
{
	return now_s * NS_PER_S;
}

const char *clock_text(char out[static CLOCK_TEXT], uint64_t unix_s)
{
	(void)snprintf(out, CLOCK_TEXT, "%" PRIu64, unix_s);
	return out;
}

/* This kind has none. */
void credentials_wipe_environment(void)
{
}

/* ---- the kind ---- */

struct gathered {
	uint64_t slot;
	char text[TEXT];
};

struct unit {
	size_t n;
	struct gathered *records;
};

static struct {
	size_t n;
	struct gathered all[RECORDS]; /* of the pass */
	size_t n_sent;
	struct unit sent[UNITS]; /* distinct ones */
	size_t again;            /* that were the same as one before */
	jmp_buf dead;
	int die_in; /* tries until the process dies; before it is counted */
	bool is_down;
} kind;

static int on_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		    struct batch *batch)
{
	struct delivery *d = ctx;
	struct flowrec rec;
	uint64_t came_s;

	assert_non_null(hello); /* also where a pass begins within a segment */
	assert_string_equal(hello->sensor, entry->sensor);
	for (unsigned i = 0; batch_next(batch, &rec); i++) {
		struct gathered *g = &kind.all[kind.n];

		if (!delivery_wants(d, entry, rec.end))
			continue;
		came_s = entry->received_ns / NS_PER_S;
		came_s = came_s < rec.end ? came_s : rec.end;
		assert_true(!d->has_slots || came_s / SLOT * SLOT + SLOT + LATE <= now_s);
		assert_true(kind.n < RECORDS);
		g->slot = rec.end / SLOT;
		(void)snprintf(g->text, TEXT, "%c%" PRIu64 ".%u@%" PRIu64, entry->stream[0],
			       entry->sequence, i, rec.end);
		kind.n++;
	}
	return 0;
}

static bool is_same(const struct unit *a, const struct unit *b)
{
	return a->n == b->n && memcmp(a->records, b->records, a->n * sizeof *a->records) == 0;
}

static enum delivery_try put(void *what, uint64_t when_ns, struct err *err)
{
	struct unit *u = what;

	assert_int_equal(when_ns, now_s * NS_PER_S);
	if (kind.is_down) {
		(void)err_set(err, -EIO, "down");
		return DELIVERY_AGAIN;
	}
	for (size_t i = 0; i < kind.n_sent; i++) {
		if (is_same(&kind.sent[i], u)) {
			kind.again++;
			return DELIVERY_DONE;
		}
	}
	assert_true(kind.n_sent < UNITS);
	kind.sent[kind.n_sent++] = *u;
	u->records = NULL; /* kept */
	if (kind.die_in > 0 && --kind.die_in == 0)
		longjmp(kind.dead, 1);
	return DELIVERY_DONE;
}

static int begin_pass(struct delivery *d, struct err *err)
{
	(void)d, (void)err;
	kind.n = 0;
	return 0;
}

static int by_slot(const void *a, const void *b)
{
	const struct gathered *x = a, *y = b;
	int order = (x->slot > y->slot) - (x->slot < y->slot);

	return order ? order : strcmp(x->text, y->text);
}

static int end_pass(struct delivery *d, struct err *err)
{
	int rc = 0;

	(void)err;
	qsort(kind.all, kind.n, sizeof kind.all[0], by_slot);
	for (size_t i = 0, n; rc == 0 && i < kind.n; i += n) {
		struct unit u;

		for (n = 1; i + n < kind.n && kind.all[i + n].slot == kind.all[i].slot; n++)
			;
		u.n = n;
		u.records = calloc(n, sizeof *u.records);
		assert_non_null(u.records);
		for (size_t k = 0; k < n; k++) { /* not what lies behind the texts */
			u.records[k].slot = kind.all[i + k].slot;
			(void)snprintf(u.records[k].text, TEXT, "%s", kind.all[i + k].text);
		}
		rc = delivery_put(d, put, &u, 1, n);
		free(u.records);
	}
	return rc;
}

/* ---- the machine ---- */

struct world {
	struct ledger *ledger;
	struct maker *makers[3];
	size_t n_put;
	char put[RECORDS][TEXT];
	struct delivery d;
	struct delivery_health health;
	int line[2];
};

static void fresh(struct world *w, bool has_slots)
{
	const struct ledger_config config = {.signer = signer, .segment_s = 900};
	struct err err = {""};

	memset(w, 0, sizeof *w);
	memset(&kind, 0, sizeof kind);
	now_s = t0;
	assert_int_equal(mkdir(state_folder, 0700), 0);
	if (ledger_open(&w->ledger, store, &config, now_s * NS_PER_S, &err) != 0)
		fail_msg("%s", err.text);
	for (int i = 0; i < 3; i++) {
		const char id[2] = {(char)('x' + i), '\0'};

		w->makers[i] = maker_new(id, (char)('a' + i), signer);
		maker_put_hello(w->makers[i], w->ledger, now_s * NS_PER_S);
	}
	assert_int_equal(pipe(w->line), 0);
	w->d = (struct delivery){
		.ops = {.replay = {.batch = on_batch},
			.begin_pass = begin_pass,
			.end_pass = end_pass},
		.name = "test",
		.late_s = LATE,
		.every_s = 60,
		.has_slots = has_slots,
		.store = store,
		.folder = state_folder,
		.lifeline = w->line[0],
		.no_sandbox = true,
		.health = &w->health,
	};
}

static void stale(struct world *w)
{
	delivery_close(&w->d);
	for (int i = 0; i < 3; i++)
		maker_free(w->makers[i]);
	ledger_close(w->ledger);
	for (size_t i = 0; i < kind.n_sent; i++)
		free(kind.sent[i].records);
	(void)close(w->line[0]);
	if (w->line[1] >= 0)
		(void)close(w->line[1]);
}

/* A batch of n records that end at first_s + 1, + 2, ...; it comes in now. */
static void append(struct world *w, unsigned maker, unsigned n, uint64_t first_s)
{
	struct maker *m = w->makers[maker];
	struct ledger_sum sum = ledger_sum_none;
	struct ledger_sensor *sensor;
	struct batch *batch;
	struct err err = {""};

	maker_batch(m, n, first_s, MAKER_PLAIN);
	assert_int_equal(batch_open(&batch, m->bytes, m->len, &err), 0);
	ledger_sum_batch(&sum, batch);
	batch_free(batch);
	assert_int_equal(ledger_sensor_open(w->ledger, m->id, &sensor, &err), 0);
	if (ledger_append_batch(sensor, now_s * NS_PER_S, m->stream, m->chain.sequence, m->bytes,
				m->len, &sum, &err) != 0)
		fail_msg("%s", err.text);
	for (unsigned i = 0; i < n; i++)
		(void)snprintf(w->put[w->n_put++], TEXT, "%c%" PRIu64 ".%u@%" PRIu64, m->stream[0],
			       m->chain.sequence, i, first_s + i + 1);
}

static void pass(struct world *w, int want)
{
	struct err err = {""};
	int rc = w->d.run ? 0 : delivery_open(&w->d, &err);

	if (rc == 0)
		rc = delivery_pass(&w->d, &err);
	if (rc != want)
		fail_msg("%d, not %d: %s", rc, want, err.text);
}

/* A pass in which the process may die behind a unit; then it is another process. */
static void pass_or_die(struct world *w, int in)
{
	kind.die_in = in;
	if (setjmp(kind.dead) == 0)
		pass(w, 0);
	else
		delivery_close(&w->d);
	kind.die_in = 0;
}

static size_t sent_times(const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < kind.n_sent; i++)
		for (size_t k = 0; k < kind.sent[i].n; k++)
			n += strcmp(kind.sent[i].records[k].text, text) == 0;
	return n;
}

static size_t sent(void)
{
	size_t n = 0;

	for (size_t i = 0; i < kind.n_sent; i++)
		n += kind.sent[i].n;
	return n;
}

static void all_went_once(const struct world *w)
{
	assert_int_equal(sent(), w->n_put);
	for (size_t i = 0; i < w->n_put; i++)
		if (sent_times(w->put[i]) != 1)
			fail_msg("%s went %zu times", w->put[i], sent_times(w->put[i]));
}

/* ---- tests ---- */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static int remove_all(void **state)
{
	(void)state;
	(void)nftw(store, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	(void)nftw(state_folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static void a_slot_waits_for_its_end_and_the_lateness(void **state)
{
	static struct world w;

	(void)state;
	fresh(&w, true);
	now_s = t0 + 100;
	append(&w, 0, 3, t0 + 50); /* of the first slot */
	pass(&w, 0);
	assert_int_equal(sent(), 0);
	now_s = t0 + SLOT + 30;
	append(&w, 0, 2,
	       t0 + SLOT - 2); /* ends at t0 + 299 and t0 + 300: the first and the second slot */
	now_s = t0 + SLOT + LATE - 1;
	pass(&w, 0);
	assert_int_equal(sent(), 0);
	now_s = t0 + SLOT + LATE;
	pass(&w, 0);
	assert_int_equal(sent(), 4);
	assert_int_equal(kind.n_sent, 1);
	pass(&w, 0);
	append(&w, 1, 1, t0 + 10); /* late: at once, in a unit of its own */
	pass(&w, 0);
	assert_int_equal(sent(), 5);
	assert_int_equal(kind.n_sent, 2);
	now_s = t0 + 2 * SLOT + LATE - 1;
	pass(&w, 0);
	assert_int_equal(sent(), 5);
	now_s++;
	pass(&w, 0);
	all_went_once(&w);
	assert_int_equal(w.health.units, 3);
	assert_int_equal(w.health.records, 6);
	stale(&w);
}

/* A machine whose clock is ahead: what it sends is due by when it came in. */
static void the_future_does_not_hold_it_up(void **state)
{
	static struct world w;

	(void)state;
	fresh(&w, true);
	now_s = t0 + 10;
	append(&w, 0, 2, t0 + 1000000);
	append(&w, 1, 2, t0 + 5);
	now_s = t0 + SLOT + LATE;
	pass(&w, 0);
	all_went_once(&w);
	assert_int_equal(kind.n_sent, 2);
	now_s = t0 + 1000000 + 2 * SLOT;
	pass(&w, 0);
	all_went_once(&w);
	stale(&w);
}

static void without_slots_all_is_due(void **state)
{
	static struct world w;

	(void)state;
	fresh(&w, false);
	now_s = t0 + 10;
	append(&w, 0, 2, t0 + 9);
	append(&w, 2, 2, t0 + 1000);
	pass(&w, 0);
	all_went_once(&w);
	append(&w, 2, 1, t0 + 1000);
	pass(&w, 0);
	pass(&w, 0);
	all_went_once(&w);
	stale(&w);
}

/* Dead behind each unit of a pass in turn: what is sent again is the same, and only the one that was not counted. */
static void death_repeats_one_unit_at_most(void **state)
{
	static struct world w;

	(void)state;
	for (int die = 1; die <= 6; die++) {
		fresh(&w, true);
		now_s = t0 + 6 * SLOT + LATE;
		for (unsigned i = 0; i < 6; i++)
			append(&w, i % 3, 3, t0 + i * SLOT + 10);
		pass_or_die(&w, die);
		assert_int_equal(kind.n_sent, die);
		append(&w, 1, 2, t0 + 20); /* not of the pass that is made again */
		pass(&w, 0);
		assert_int_equal(kind.n_sent, 6);
		assert_int_equal(kind.again, 1);
		pass(&w, 0);
		all_went_once(&w);
		stale(&w);
		(void)remove_all(state);
	}
}

/* The collector ends while nothing can be sent: the pass stands in the cursor, and the next process makes it. */
static void the_end_leaves_the_plan(void **state)
{
	static struct world w;

	(void)state;
	fresh(&w, true);
	now_s = t0 + SLOT + LATE;
	append(&w, 0, 3, t0 + 10);
	kind.is_down = true;
	assert_int_equal(close(w.line[1]), 0);
	w.line[1] = -1;
	pass(&w, DELIVERY_STOP);
	assert_int_equal(sent(), 0);
	assert_int_equal(w.health.failures, 1);
	assert_string_equal(w.health.error, "down");
	delivery_close(&w.d);
	kind.is_down = false;
	pass(&w, 0);
	all_went_once(&w);
	assert_int_equal(w.health.failing_since_s, 0);
	stale(&w);
}

/* Whatever comes when, and however often it dies. */
static void any_order(void **state)
{
	static struct world w;
	uint64_t x = 88172645463325252;

	(void)state;
	fresh(&w, true);
	for (unsigned step = 0; step < 300; step++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (x % 8 < 4) {
			/* Mostly now, some late, some ahead. */
			uint64_t off = x >> 8 & 0x7ff, first = now_s - (x >> 20) % 200;

			first = x % 16 < 12 ? first : x % 16 < 14 ? first - off : first + off;
			append(&w, x >> 32 & 3 ? x >> 32 & 1 : 2, 1 + (x >> 40) % 4, first);
		} else if (x % 8 < 6) {
			now_s += x >> 50 & 0x1ff;
		} else {
			pass_or_die(&w, x >> 33 & 3 ? 1 + (int)(x >> 35 & 1) : 0);
		}
		if (step % 100 == 99) {
			struct err err = {""};

			assert_int_equal(ledger_seal(w.ledger, now_s * NS_PER_S, &err), 0);
		}
	}
	now_s += 4 * SLOT + 0x1000;
	pass_or_die(&w, 0);
	pass_or_die(&w, 0);
	all_went_once(&w);
	assert_in_range(kind.again, 5, 1000); /* it did die */
	stale(&w);
}

/* Retention takes a segment that is not yet read: that is counted, and what is left is delivered. */
static void what_retention_took_is_counted(void **state)
{
	static struct world w;
	struct err err = {""};

	(void)state;
	fresh(&w, false);
	append(&w, 0, 2, t0);
	pass(&w, 0);
	append(&w, 0, 3, t0); /* never read */
	w.n_put -= 3;
	now_s = t0 + 1000; /* the segment is closed by the manifest after 900 s */
	assert_int_equal(ledger_seal(w.ledger, now_s * NS_PER_S, &err), 0);
	append(&w, 0, 4, t0 + 1000);
	assert_int_equal(unlink("store/x/00000001.fpl"), 0);
	pass(&w, 0);
	all_went_once(&w);
	assert_int_equal(w.health.lost_segments, 1);
	pass(&w, 0);
	assert_int_equal(w.health.lost_segments, 1);
	stale(&w);
}

static void refuses_what_it_did_not_write(void **state)
{
	static const char good[] =
		"flowproof-cursor 1\nstore 000102030405060708090a0b0c0d0e0f\npass 7 planned "
		"closed 5 6\nsensor one from 1 104 40 done 1 200 to 2 300\nend 1\n";
	struct delivery_cursor c;
	struct err err = {""};
	char bad[sizeof good];
	size_t refused = 0;
	FILE *f;

	(void)state;
	assert_int_equal(mkdir(state_folder, 0700), 0);
	assert_int_equal(delivery_cursor_read(&c, state_folder, "k", &err), -ENOENT);
	for (size_t i = 0; i < sizeof good; i++) {
		memcpy(bad, good, sizeof good);
		bad[i] = '~';
		f = fopen("state/k.cursor", "w");
		assert_non_null(f);
		/* Changed at each byte, and (at the last) whole. */
		assert_int_equal(fwrite(i < sizeof good - 1 ? bad : good, 1, sizeof good - 1, f),
				 sizeof good - 1);
		assert_int_equal(fclose(f), 0);
		if (delivery_cursor_read(&c, state_folder, "k", &err) == 0) {
			assert_int_equal(c.store[15], 15);
			assert_int_equal(c.pass, 7);
			assert_true(c.is_planned);
			assert_int_equal(c.n, 1);
			assert_int_equal(c.sensors[0].from.hello, 40);
			assert_int_equal(c.sensors[0].done.offset, 200);
			assert_int_equal(c.sensors[0].to.segment, 2);
			assert_int_equal(i, sizeof good - 1);
			assert_int_equal(delivery_cursor_write(&c, state_folder, "k2", &err), 0);
			delivery_cursor_fini(&c);
		} else {
			assert_non_null(strstr(err.text, "state/k.cursor:"));
			refused++;
		}
	}
	/* What is behind the end is nobody's. */
	assert_int_equal(refused, sizeof good - 1);
	f = fopen("state/k2.cursor", "r");
	assert_non_null(f);
	assert_int_equal(fread(bad, 1, sizeof bad, f), sizeof good - 1);
	assert_memory_equal(bad, good, sizeof good - 1);
	assert_int_equal(fclose(f), 0);
}

static int make_all(void **state)
{
	int rc;

	now_s = t0;
	rc = keys_make(state);
	if (rc == 0)
		signer = keys_signer("collector");
	return rc;
}

static int free_all(void **state)
{
	crypto_signer_free(signer);
	return keys_remove(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_slot_waits_for_its_end_and_the_lateness, remove_all),
		cmocka_unit_test_teardown(the_future_does_not_hold_it_up, remove_all),
		cmocka_unit_test_teardown(without_slots_all_is_due, remove_all),
		cmocka_unit_test_teardown(death_repeats_one_unit_at_most, remove_all),
		cmocka_unit_test_teardown(the_end_leaves_the_plan, remove_all),
		cmocka_unit_test_teardown(any_order, remove_all),
		cmocka_unit_test_teardown(what_retention_took_is_counted, remove_all),
		cmocka_unit_test_teardown(refuses_what_it_did_not_write, remove_all),
	};

	return cmocka_run_group_tests(tests, make_all, free_all);
}
