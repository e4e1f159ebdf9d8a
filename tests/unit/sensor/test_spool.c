// SPDX-License-Identifier: Apache-2.0
/*
 * The spool in memory: what goes in comes out in order and chained; what is given up is told to the
 * last record and packet. A collector is played here: it reads by batch_open() and follows the chain
 * with its counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/crypto.h"
#include "sensor/spool.h"

static const struct spool_config config = {.bytes = 1, .stream = {1, 2, 3}};

static struct flowrec rec_of(unsigned i)
{
	return (struct flowrec){
		.src = {{10, 0, (uint8_t)(i >> 8), (uint8_t)i}},
		.dst = {{192, 0, 2, 1}},
		.family = 4,
		.protocol = 17,
		.srcport = (uint16_t)i,
		.dstport = 53,
		.packets = 2,
		.bytes = 100,
		.start = 1000 + i,
		.end = 1001 + i,
	};
}

static const struct batch_alert alert = {
	.family = 4, .protocol = 6, .verdict = FLOWREC_UNEXPECTED_EGRESS};

/* What a collector has of the stream. */
struct played {
	struct batch_chain chain;
	uint64_t records, alerts, gaps, gap_records, gap_packets, gap_batches, declared;
	uint64_t lines, gap_lines, gaps_of_logs;
	uint64_t next_start; /* of the records: they come in order, and none twice */
};

static struct played begin(void)
{
	struct played p = {.chain = {.counts = true}, .next_start = 1000};

	batch_chain_start(p.chain.digest, config.stream);
	return p;
}

static void take_batch(struct played *p, const struct spool_item *item)
{
	struct batch *batch;
	struct err err = {""};
	uint8_t digest[SHA256_BYTES];
	struct flowrec rec;
	size_t n;

	assert_int_equal(batch_open(&batch, item->bytes, item->len, &err), 0);
	if (batch_chain_check(&p->chain, batch_head(batch), &err) != 0)
		fail_msg("batch %llu: %s", (unsigned long long)item->sequence, err.text);
	crypto_sha256(digest, item->bytes, item->len);
	batch_chain_take(&p->chain, batch_head(batch), digest, batch_record_count(batch),
			 batch_packet_count(batch), batch_line_count(batch));
	while (batch_next(batch, &rec)) {
		assert_true(rec.start >= p->next_start);
		p->next_start = rec.start + 1;
	}
	p->records += batch_record_count(batch);
	p->lines += batch_line_count(batch);
	(void)batch_alert_list(batch, &n);
	p->alerts += n;
	(void)batch_gap_list(batch, &n);
	p->declared += n;
	batch_free(batch);
}

static void take_gap(struct played *p, const struct spool_item *item)
{
	struct batch_gap gap;
	struct err err = {""};

	assert_int_equal(batch_gap_decode(&gap, item->bytes, item->len, &err), 0);
	if (batch_chain_check_gap(&p->chain, &gap, &err) != 0)
		fail_msg("gap: %s", err.text);
	assert_int_equal(gap.last, item->sequence);
	p->gaps++;
	if (gap.first == p->chain.sequence + 1) {
		p->gap_records += gap.records;
		p->gap_packets += gap.packets;
		p->gap_lines += gap.lines;
		p->gaps_of_logs += gap.logs_only;
		p->gap_batches += gap.last - gap.first + 1;
	}
	/* The next record here, and the last one of the gap: its times say no more and no less. */
	if (gap.records && gap.first == p->chain.sequence + 1) {
		assert_true(gap.window_first >= p->next_start);
		p->next_start = gap.window_last;
	}
	batch_chain_take_gap(&p->chain, &gap);
}

/* Takes what there is after `sent`. */
static void follow(struct spool *s, struct played *p)
{
	struct spool_item item;

	while (spool_next(s, p->chain.sequence, &item)) {
		if (item.type == WIRE_GAP)
			take_gap(p, &item);
		else
			take_batch(p, &item);
	}
}

static struct spool *new_spool(void)
{
	struct spool *s;

	assert_int_equal(spool_new(&s, &config, NULL), 0);
	return s;
}

static void fill(struct spool *s, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		struct flowrec rec = rec_of(i);

		spool_record(s, &rec, i);
	}
}

static void nothing_is_lost_that_is_acknowledged_in_time(void **state)
{
	struct played p = begin();
	struct spool *s = new_spool();
	struct spool_stats stats;

	(void)state;
	for (unsigned i = 0; i < 60000; i++) {
		fill(s, i, i + 1);
		if (!spool_has_room(s) || i % 977 == 0) {
			follow(s, &p);
			spool_ack(s, p.chain.sequence);
		}
	}
	spool_flush(s, 1, SPOOL_GOODBYE);
	follow(s, &p);
	spool_stats(s, &stats);
	assert_int_equal(p.records, 60000);
	assert_int_equal(p.gap_batches, 0);
	assert_int_equal(stats.closed, p.chain.sequence);
	assert_int_equal(stats.given_up_batches, 0);
	spool_free(s);
}

/* The oldest records go, the newest stay: one gap, before all that is left. */
static void the_oldest_goes_first(void **state)
{
	struct played p = begin();
	struct spool *s = new_spool();
	struct spool_stats stats;
	struct spool_item item;
	const unsigned n = 400000;

	(void)state;
	fill(s, 0, n);
	spool_flush(s, 1, SPOOL_PLAIN);
	assert_true(spool_next(s, 0, &item));
	assert_int_equal(item.type, WIRE_GAP);
	follow(s, &p);
	spool_stats(s, &stats);
	assert_true(p.gap_records > 0);
	assert_int_equal(p.records + p.gap_records, n);
	assert_int_equal(p.gap_packets, 2 * p.gap_records);
	assert_int_equal(p.next_start, 1000 + n);
	assert_int_equal(stats.given_up_records, p.gap_records);
	assert_int_equal(stats.given_up_packets, p.gap_packets);
	assert_int_equal(stats.given_up_batches, p.gap_batches);
	assert_int_equal(stats.closed, p.chain.sequence);
	/* The next batch declares what was told, once. The event that told of the full spool is kept as
	 * an alert is, so there are two. */
	assert_int_equal(p.gaps, 2);
	assert_int_equal(p.declared, 0);
	spool_ack(s, p.chain.sequence);
	spool_flush(s, 2, SPOOL_PLAIN);
	spool_flush(s, 3, SPOOL_PLAIN);
	follow(s, &p);
	assert_int_equal(p.declared, 2);
	spool_free(s);
}

/* Flows go before alerts; each alert that is kept splits the gap. The alerts take a sixth of the ring: they
 * must not lie everywhere in it. */
static void alerts_are_kept(void **state)
{
	struct played p = begin();
	struct spool *s = new_spool();
	unsigned n = 0;
	const unsigned alerts = 400;

	(void)state;
	for (unsigned i = 0; i < alerts; i++) {
		unsigned more = 500 + i * 3571 % 8000; /* batches of many lengths */

		fill(s, n, n + more);
		n += more;
		spool_alert(s, &alert, i);
		spool_flush(s, i, SPOOL_PLAIN);
	}
	follow(s, &p);
	assert_int_equal(p.alerts, alerts);
	assert_true(p.gap_records > n / 2);
	assert_int_equal(p.records + p.gap_records, n);
	assert_int_equal(p.gap_packets, 2 * p.gap_records);
	spool_free(s);
}

/* With nothing but alerts in it the oldest of those go. */
static void then_the_oldest_alert(void **state)
{
	struct played p = begin();
	struct spool *s = new_spool();
	struct spool_stats stats;
	const unsigned n = 20000;

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		spool_alert(s, &alert, i);
		spool_flush(s, i, SPOOL_PLAIN);
	}
	spool_stats(s, &stats);
	follow(s, &p);
	assert_true(stats.given_up_batches > 0);
	assert_int_equal(p.gap_batches, stats.given_up_batches);
	assert_int_equal(p.alerts, n - p.gap_batches);
	assert_int_equal(p.chain.sequence, n);
	spool_free(s);
}

/* A collector that is late, at random: acknowledgements of any age, connections that begin anew, alerts
 * in between. Whatever happens, what is there and what is told to be missing is all. */
static void at_random(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 30; seed++) {
		struct played p = begin();
		struct spool *s = new_spool();
		unsigned made = 0, alerts = 0;

		srand(seed);
		while (made < 500000) {
			unsigned more = (unsigned)rand() % 20000;

			fill(s, made, made + more);
			made += more;
			if (rand() % 3 == 0) {
				spool_alert(s, &alert, made);
				spool_flush(s, made, SPOOL_PLAIN);
				alerts++;
			}
			switch (rand() % 6) {
			case 0: follow(s, &p); break;
			case 1:
				follow(s, &p);
				spool_ack(s, p.chain.sequence);
				break;
			case 2: /* an acknowledgement of some of it */
				if (p.chain.sequence > 5)
					spool_ack(s, p.chain.sequence - (uint64_t)(rand() % 5));
				break;
			default: break;
			}
		}
		spool_flush(s, 1, SPOOL_PLAIN);
		follow(s, &p);
		/* The counts of the chain hold over every gap: batch_chain_check() has seen to it. */
		if (p.chain.counts)
			assert_int_equal(p.chain.records, made);
		assert_true(p.records + p.gap_records <= made);
		assert_int_equal(p.alerts, alerts);
		spool_free(s);
	}
}

static void batches_stay_until_acknowledged(void **state)
{
	struct spool *s = new_spool();
	struct spool_item item;

	(void)state;
	assert_false(spool_next(s, 0, &item));
	for (unsigned i = 0; i < 5; i++)
		spool_flush(s, i, SPOOL_PLAIN); /* heartbeats */
	assert_true(spool_next(s, 0, &item));
	assert_int_equal(item.sequence, 1);
	spool_ack(s, 3);
	spool_ack(s, 2); /* late, and no news */
	assert_true(spool_next(s, 3, &item));
	assert_int_equal(item.sequence, 4);
	assert_true(spool_next(s, 4, &item));
	assert_int_equal(item.sequence, 5);
	assert_false(spool_next(s, 5, &item));
	assert_true(spool_next(s, 3, &item)); /* a connection that begins anew */
	assert_int_equal(item.sequence, 4);
	spool_ack(s, 99); /* no more than there is */
	assert_false(spool_next(s, 5, &item));
	spool_free(s);
}

/* What one collector has durable does not come to another: it is told so. */
static void another_collector_is_told_who_has_the_rest(void **state)
{
	struct spool *s = new_spool();
	struct played a = begin(), b = begin();
	struct batch_gap gap;
	struct spool_item item;
	struct err err;

	(void)state;
	fill(s, 0, 5000);
	spool_flush(s, 1, SPOOL_PLAIN);
	follow(s, &a);
	spool_ack(s, a.chain.sequence);
	fill(s, 5000, 5100);
	spool_flush(s, 2, SPOOL_PLAIN);
	assert_true(spool_next(s, 0, &item));
	assert_int_equal(item.type, WIRE_GAP);
	assert_int_equal(batch_gap_decode(&gap, item.bytes, item.len, &err), 0);
	assert_true(gap.elsewhere);
	assert_int_equal(gap.first, 1);
	assert_int_equal(gap.last, a.chain.sequence);
	assert_int_equal(gap.records, 5000);
	assert_int_equal(gap.packets, 10000);
	assert_memory_equal(gap.digest, a.chain.digest, SHA256_BYTES);
	batch_chain_take_gap(&b.chain, &gap);
	b.next_start = 6000;
	follow(s, &b);
	assert_int_equal(b.records, 100);
	follow(s, &a); /* and the first goes on where it was */
	assert_int_equal(a.records, 5100);
	assert_memory_equal(a.chain.digest, b.chain.digest, SHA256_BYTES);
	spool_free(s);
}

#ifdef CONFIG_TAIL
static const struct spool_config config_logs = {.bytes = 1, .stream = {1, 2, 3}, .with_logs = true};

enum { PIECE_LINES = 200 };

/* So many lines; false: the spool takes none now. */
static bool put_lines(struct spool *s, uint64_t now_ns)
{
	static uint8_t text[PIECE_LINES * 20];
	struct batch_log piece = {.time_ns = now_ns, .inode = 1, .bytes = text, .len = sizeof text};

	if (!spool_takes_logs(s, sizeof text))
		return false;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = i % 20 == 19 ? '\n' : 'x';
	spool_log(s, &piece, now_ns);
	spool_logs_end(s, now_ns);
	return true;
}

/* Batches of flows, each with lines before it if they are taken, until a record is given up or there are `most`. The lines. */
static uint64_t fill_up(struct spool *s, bool with_lines, unsigned *n, unsigned most)
{
	struct spool_stats stats = {.closed = 0};
	uint64_t lines = 0;

	for (*n = 0; *n < most && stats.given_up_records == 0; *n += 500) {
		if (with_lines && put_lines(s, *n))
			lines += PIECE_LINES;
		fill(s, *n, *n + 500);
		spool_flush(s, *n, SPOOL_PLAIN);
		spool_stats(s, &stats);
	}
	return lines;
}

/* Lines take room only where flows leave it: as many records stay as without any (less what batches that are
 * moved cost at the ring's end), all lines that went are told, and that nothing but lines went. */
static void lines_go_before_flows(void **state)
{
	struct spool *plain = new_spool(), *s;
	struct played p = begin();
	struct spool_stats stats;
	unsigned fits, n;
	uint64_t lines;

	(void)state;
	(void)fill_up(plain, false, &fits, UINT32_MAX);
	spool_free(plain);
	assert_true(fits > 10000);
	fits = fits * 9 / 10 / 500 * 500;
	assert_int_equal(spool_new(&s, &config_logs, NULL), 0);
	lines = fill_up(s, true, &n, fits);
	assert_int_equal(n, fits);
	spool_stats(s, &stats);
	assert_int_equal(stats.given_up_records, 0);
	assert_int_equal(stats.given_up_batches, 0);
	assert_true(lines > 10 * PIECE_LINES);
	assert_true(stats.given_up_lines > 0);
	assert_false(put_lines(s, 1)); /* flows have all the rest */
	follow(s, &p);
	assert_int_equal(p.records, fits);
	assert_int_equal(p.lines + p.gap_lines, lines);
	assert_int_equal(p.gap_lines, stats.given_up_lines);
	assert_true(p.gaps > 0);
	assert_int_equal(p.gaps_of_logs, p.gaps);
	assert_int_equal(p.chain.lines, lines);
	spool_ack(s, p.chain.sequence);
	assert_true(put_lines(s, 2));
	spool_free(s);
}

/* Flows go on and on: no line stays while records go. */
static void then_the_flows(void **state)
{
	struct spool *s;
	struct played p = begin();
	struct spool_stats stats;
	unsigned n;
	uint64_t lines;

	(void)state;
	assert_int_equal(spool_new(&s, &config_logs, NULL), 0);
	lines = fill_up(s, true, &n, UINT32_MAX);
	spool_stats(s, &stats);
	assert_true(stats.given_up_records > 0);
	assert_int_equal(stats.given_up_lines, lines);
	follow(s, &p);
	assert_int_equal(p.lines, 0);
	assert_int_equal(p.gap_lines, lines);
	assert_int_equal(p.records + p.gap_records, n);
	assert_int_equal(p.gap_packets, 2 * p.gap_records);
	assert_true(p.gaps_of_logs < p.gaps);
	spool_free(s);
}

/* As above, with lines among flows and alerts. */
static void at_random_with_lines(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 8; seed++) {
		struct played p = begin();
		struct spool_stats stats;
		struct spool *s;
		unsigned made = 0, alerts = 0;
		uint64_t lines = 0;

		srand(seed);
		assert_int_equal(spool_new(&s, &config_logs, NULL), 0);
		while (made < 300000) {
			unsigned more = (unsigned)rand() % 5000;

			for (int i = rand() % 8; i > 0; i--)
				if (put_lines(s, made))
					lines += PIECE_LINES;
			fill(s, made, made + more);
			made += more;
			if (rand() % 3 == 0) {
				spool_alert(s, &alert, made);
				spool_flush(s, made, SPOOL_PLAIN);
				alerts++;
			}
			if (rand() % 8 == 0)
				follow(s, &p);
			if (rand() % 12 == 0)
				spool_ack(s, p.chain.sequence);
		}
		spool_flush(s, 1, SPOOL_PLAIN);
		follow(s, &p);
		spool_stats(s, &stats);
		if (p.chain.counts) {
			assert_int_equal(p.chain.records, made);
			assert_int_equal(p.chain.lines, lines);
		}
		assert_true(p.records + p.gap_records <= made && p.lines + p.gap_lines <= lines);
		assert_int_equal(p.alerts, alerts);
		assert_true(stats.given_up_records == 0 || stats.given_up_lines > 0);
		spool_free(s);
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_that_is_acknowledged_in_time),
		cmocka_unit_test(the_oldest_goes_first),
		cmocka_unit_test(alerts_are_kept),
		cmocka_unit_test(then_the_oldest_alert),
		cmocka_unit_test(at_random),
		cmocka_unit_test(batches_stay_until_acknowledged),
		cmocka_unit_test(another_collector_is_told_who_has_the_rest),
#ifdef CONFIG_TAIL
		cmocka_unit_test(lines_go_before_flows),
		cmocka_unit_test(then_the_flows),
		cmocka_unit_test(at_random_with_lines),
#endif
	};

	return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
