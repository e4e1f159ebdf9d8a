// SPDX-License-Identifier: Apache-2.0
/*
 * The ledger on a disk that fails at every step in turn: killed before it, within it, the power lost,
 * full, unreadable. Each time all batches are sent as a sensor does, from where the ledger says it stands,
 * and at the end each is there once and the audit finds nothing.
 */
#include "evidence/audit.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/clock.h"
#include "platform/log.h"
#include "tests/unit/evidence/fake_disk.h"
#include "tests/unit/evidence/keys.h"
#include "tests/unit/evidence/sensors.h"

enum { SENSORS = 2, BATCHES = 6, TRIES = 200 };

static struct crypto_ca *ca;
static struct crypto_signer *collector;
static uint64_t t0;

/* What a sensor sends, the same in every run. */
struct sent {
	const char *id;
	uint8_t stream[WIRE_STREAM_ID];
	uint8_t hello[1024];
	size_t hello_len;
	uint8_t batches[BATCHES][1024];
	size_t lens[BATCHES];
	struct ledger_sum sums[BATCHES];
};

static struct sent sent[SENSORS];

/* Shared with the child that is killed: what was acknowledged to each. */
static uint64_t *acknowledged;

static int prepare(void **state)
{
	static const char *const ids[SENSORS] = {"one", "two"};
	struct err err;

	if (keys_make(state) != 0 || crypto_ca_new(&ca, "ca.crt", &err) != 0)
		return -1;
	collector = keys_signer("collector");
	t0 = clock_wall_ns();
	acknowledged = mmap(NULL, SENSORS * sizeof *acknowledged, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < SENSORS; i++) {
		struct crypto_signer *signer;
		struct maker *m;

		keys_issue("ca", ids[i], CRYPTO_CLIENT, ids[i]);
		signer = keys_signer(ids[i]);
		m = maker_new(ids[i], (char)('a' + i), signer);
		sent[i].id = ids[i];
		memcpy(sent[i].stream, m->stream, WIRE_STREAM_ID);
		maker_hello(m);
		assert_in_range(m->len, 1, sizeof sent[i].hello);
		memcpy(sent[i].hello, m->bytes, m->len);
		sent[i].hello_len = m->len;
		for (unsigned b = 0; b < BATCHES; b++) {
			struct batch *batch;

			maker_batch(m, b, t0 / NS_PER_S,
				    b + 1 == BATCHES ? MAKER_GOODBYE : MAKER_PLAIN);
			assert_in_range(m->len, 1, sizeof sent[i].batches[b]);
			memcpy(sent[i].batches[b], m->bytes, m->len);
			sent[i].lens[b] = m->len;
			sent[i].sums[b] = ledger_sum_none;
			assert_int_equal(batch_open(&batch, m->bytes, m->len, &err), 0);
			ledger_sum_batch(&sent[i].sums[b], batch);
			batch_free(batch);
		}
		maker_free(m);
		crypto_signer_free(signer);
	}
	return acknowledged == MAP_FAILED ? -1 : 0;
}

static int tidy(void **state)
{
	crypto_ca_free(ca);
	crypto_signer_free(collector);
	(void)munmap(acknowledged, SENSORS * sizeof *acknowledged);
	return keys_remove(state);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void remove_store(void)
{
	(void)nftw("store", remove_one, 8, FTW_DEPTH | FTW_PHYS);
	assert_int_equal(access("store", F_OK), -1);
	fake_disk_new();
	memset(acknowledged, 0, SENSORS * sizeof *acknowledged);
}

/* ---- a run of the collector ---- */

static int begin(struct ledger **ret, unsigned s)
{
	/* Segments close after 2 s and are deleted when they ended 3 s ago. */
	const struct ledger_config config = {.signer = collector, .segment_s = 2, .retain_s = 3};
	struct err err;

	return ledger_open(ret, "store", &config, t0 + (uint64_t)s * NS_PER_S, &err);
}

/* One batch of the sensor, after a hello if the ledger has to be asked where it stands. False: something
 * failed. */
static bool send_next(struct ledger *ledger, const struct sent *from, bool *hello, uint64_t now_ns)
{
	struct ledger_sensor *sensor;
	struct batch_chain chain;
	struct err err;
	size_t b;

	if (ledger_sensor_open(ledger, from->id, &sensor, &err) < 0)
		return false;
	if (*hello && ledger_append_hello(sensor, now_ns, from->stream, from->hello,
					  from->hello_len, &err) < 0)
		return false;
	*hello = false;
	ledger_stream_chain(sensor, from->stream, &chain);
	b = chain.sequence;
	if (b == BATCHES)
		return true;
	return ledger_append_batch(sensor, now_ns, from->stream, b + 1, from->batches[b],
				   from->lens[b], &from->sums[b], &err) == 0;
}

/* Sends all there is, commits after each round, signs every second. Gives up after so many rounds. True when
 * all is acknowledged. */
static bool send_all(struct ledger *ledger, unsigned s)
{
	bool hello[SENSORS] = {true, true};
	struct err err;

	for (unsigned round = 0; round < TRIES; round++) {
		uint64_t now_ns = t0 + (uint64_t)(s + round) * NS_PER_S;
		bool done = true;

		for (size_t i = 0; i < SENSORS; i++) {
			if (!send_next(ledger, &sent[i], &hello[i], now_ns))
				hello[i] = true; /* the connection is refused, and comes again */
		}
		(void)ledger_commit(ledger, &err);
		for (size_t i = 0; i < SENSORS; i++) {
			struct ledger_sensor *sensor;

			/* A sensor that failed gets no answer. */
			if (hello[i] || ledger_sensor_open(ledger, sent[i].id, &sensor, &err) < 0) {
				done = false;
				continue;
			}
			acknowledged[i] = ledger_stream_durable(sensor, sent[i].stream);
			done = done && acknowledged[i] == BATCHES;
		}
		if (round % 2 == 1)
			(void)ledger_seal(ledger, now_ns, &err);
		if (done)
			return true;
	}
	return false;
}

/* The whole, without a fault: how many steps there are. */
static unsigned count_steps(void)
{
	struct ledger *ledger;
	struct err err;

	remove_store();
	fake_disk = (struct fake_disk){.fault = DISK_FINE};
	assert_int_equal(begin(&ledger, 0), 0);
	assert_true(send_all(ledger, 0));
	assert_int_equal(ledger_end(ledger, t0 + 100 * (uint64_t)NS_PER_S, &err), 0);
	ledger_close(ledger);
	return fake_disk.step;
}

/* Everything that was acknowledged before is here; the rest is sent; then each batch is here once. */
static void finish_and_check(const char *what, unsigned step)
{
	const struct audit_options all = {.ca = ca};
	struct ledger *ledger = NULL;
	struct audit *audit = NULL;
	struct err err = {""};

	fake_disk = (struct fake_disk){.fault = DISK_FINE};
	if (begin(&ledger, 20) != 0)
		fail_msg("%s at step %u: it does not start again", what, step);
	for (size_t i = 0; i < SENSORS; i++) {
		struct ledger_sensor *sensor;
		struct batch_chain chain;

		assert_int_equal(ledger_sensor_open(ledger, sent[i].id, &sensor, &err), 0);
		ledger_stream_chain(sensor, sent[i].stream, &chain);
		if (chain.sequence < acknowledged[i])
			fail_msg("%s at step %u: %s had %u acknowledged, %u are here", what, step,
				 sent[i].id, (unsigned)acknowledged[i], (unsigned)chain.sequence);
	}
	assert_true(send_all(ledger, 20));
	assert_int_equal(ledger_end(ledger, t0 + 300 * (uint64_t)NS_PER_S, &err), 0);
	ledger_close(ledger);
	assert_int_equal(audit_run(&audit, "store", &all, &err), 0);
	if (audit->grade != AUDIT_INTACT)
		fail_msg("%s at step %u: %s, %s byte %llu: %s", what, step,
			 audit_word(audit->grade), audit->faults[0].file,
			 (unsigned long long)audit->faults[0].offset, audit->faults[0].reason);
	assert_int_equal(audit->n_sensors, SENSORS);
	for (size_t i = 0; i < SENSORS; i++) {
		const struct audit_stream *stream = &audit->sensors[i].streams[0];

		assert_int_equal(audit->sensors[i].n_streams, 1);
		/* Each once: the audit follows the chain, and this is its length. */
		assert_int_equal(stream->batches + stream->deleted, BATCHES);
		assert_int_equal(stream->chain.sequence, BATCHES);
	}
	audit_free(audit);
}

/* A collector that ends at the step. False when it came to its end before. */
static bool die_at(const struct fake_disk *how)
{
	struct ledger *ledger;
	struct err err;
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		fake_disk = *how;
		if (begin(&ledger, 0) != 0 || !send_all(ledger, 0) ||
		    ledger_end(ledger, t0 + 100 * (uint64_t)NS_PER_S, &err) != 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 1);
	return WEXITSTATUS(status) == DISK_KILLED;
}

static void die_everywhere(enum disk_fault fault, const char *what)
{
	unsigned steps = count_steps();

	assert_in_range(steps, 40, 400);
	for (unsigned step = 1; step <= steps; step++) {
		const struct fake_disk how = {
			.fault = fault, .at = step, .keep = step * 31 % 300, .seed = step};

		remove_store();
		assert_true(die_at(&how));
		finish_and_check(what, step);
	}
}

static void test_killed(void **state)
{
	(void)state;
	die_everywhere(DISK_KILL, "killed");
}

static void test_torn(void **state)
{
	(void)state;
	die_everywhere(DISK_TORN, "torn");
}

static void test_power_loss(void **state)
{
	(void)state;
	die_everywhere(DISK_POWER, "power lost");
}

/* The write of one batch is torn at each of its bytes. */
static void test_torn_at_every_byte(void **state)
{
	struct fake_disk how = {.fault = DISK_TORN};
	size_t len = 1;
	struct ledger *ledger;
	struct err err;
	bool hello = true;

	(void)state;
	/* Its step: the second batch of the first sensor. */
	remove_store();
	fake_disk = (struct fake_disk){.fault = DISK_FINE};
	assert_int_equal(begin(&ledger, 0), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(send_next(ledger, &sent[0], &hello, t0));
		assert_int_equal(ledger_commit(ledger, &err), 0);
		acknowledged[0] = i + 1;
	}
	how.at = fake_disk.step - 1; /* then it was synced */
	len = fake_disk.last_write;
	ledger_close(ledger);
	assert_in_range(len, 100, 1000);
	for (how.keep = 0; how.keep <= len; how.keep++) {
		pid_t child;
		int status;

		remove_store();
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			fake_disk = how;
			hello = true;
			if (begin(&ledger, 0) == 0) {
				for (unsigned i = 0; i < 2; i++) {
					(void)send_next(ledger, &sent[0], &hello, t0);
					(void)ledger_commit(ledger, &err);
					acknowledged[0] = i + 1;
				}
			}
			_exit(1);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(WEXITSTATUS(status), DISK_KILLED);
		assert_int_equal(acknowledged[0], 1);
		finish_and_check("torn", (unsigned)how.keep);
	}
}

/* It stays up, and goes on by itself. */
static void fail_everywhere(enum disk_fault fault, unsigned length, const char *what)
{
	unsigned steps = count_steps();

	for (unsigned step = 1; step <= steps; step++) {
		struct ledger *ledger = NULL;
		struct err err;

		remove_store();
		fake_disk = (struct fake_disk){
			.fault = fault, .at = step, .steps = length, .keep = step * 31 % 300};
		/* A start that fails is tried again. */
		for (unsigned i = 0; i < TRIES && begin(&ledger, 0) != 0; i++)
			;
		assert_non_null(ledger);
		assert_true(send_all(ledger, 0));
		for (unsigned i = 0; ledger_end(ledger, t0 + 100 * (uint64_t)NS_PER_S, &err) != 0;
		     i++)
			assert_in_range(i, 0, TRIES);
		ledger_close(ledger);
		finish_and_check(what, step);
	}
}

static void test_disk_full(void **state)
{
	(void)state;
	fail_everywhere(DISK_FULL, 1, "full for a step");
	fail_everywhere(DISK_FULL, 9, "full for a time");
}

static void test_disk_errors(void **state)
{
	(void)state;
	fail_everywhere(DISK_ERROR, 1, "an error");
	fail_everywhere(DISK_ERROR, 7, "errors");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed),     cmocka_unit_test(test_torn),
		cmocka_unit_test(test_power_loss), cmocka_unit_test(test_torn_at_every_byte),
		cmocka_unit_test(test_disk_full),  cmocka_unit_test(test_disk_errors),
	};

	log_set_level(LOG_LEVEL_ERR);
	return cmocka_run_group_tests(tests, prepare, tidy);
}
