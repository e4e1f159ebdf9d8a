// SPDX-License-Identifier: Apache-2.0
/*
 * spool: batches closed, chained, signed, put into the ring (spool_ring.c), and handed out again.
 *
 * Each batch says how many records and packets the stream holds before it. So what a gap holds is
 * the difference between the batches on its two sides, and need not be kept anywhere: giving a batch
 * up writes nothing.
 */
#include "sensor/spool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/config.h"
#include "platform/log.h"
#include "sensor/spool_ring.h"

struct spool {
	struct batch_writer *writer;
	struct ring ring;
	struct crypto_signer *signer;
	struct spool_file *file;

	/* The batch that is being filled: what it holds, and where the chain stands before it. */
	struct ring_totals filling;
	bool has_clock;
	int64_t offset_ns;
	uint64_t way_ns;
	uint8_t digest[SHA256_BYTES]; /* of batch `sequence` */
	uint64_t sequence;
	uint64_t records, packets, lines;
	bool has_tables;
	uint64_t tables[BATCH_TABLES];
	struct batch_gap declared; /* last */

	uint64_t acknowledged;
	bool is_full, acked_since; /* batches are being given up; a collector is back */
	uint64_t lost_before;
	struct spool_stats recovered;
	uint8_t gap[BATCH_GAP_BYTES];
	uint8_t scratch[BATCH_WRITE_BYTES];
};

static size_t ring_bytes(size_t bytes)
{
	size_t least = RING_ROOM * (size_t)(RING_HEAD + BATCH_WRITE_BYTES + RING_UNIT);

	return (bytes < least ? least : bytes) / RING_UNIT * RING_UNIT;
}

size_t spool_memory(size_t bytes, bool in_file)
{
	return sizeof(struct spool) + ring_memory(ring_bytes(bytes), in_file);
}

int spool_new(struct spool **ret, const struct spool_config *config, struct err *err)
{
	struct spool *s = calloc(1, sizeof *s);
	int rc = s ? batch_writer_new(&s->writer) : -ENOMEM;

	if (rc == 0 && IS_ENABLED(CONFIG_TAIL) && config->with_logs)
		rc = batch_writer_logs(s->writer);
	if (rc == 0) {
		s->signer = config->signer;
		s->filling = ring_totals_none;
		batch_chain_start(s->digest, config->stream);
		rc = ring_init(&s->ring, ring_bytes(config->bytes), config->file, err);
		if (rc == 0 && IS_ENABLED(CONFIG_SPOOL_FILE) && config->file)
			rc = ring_recover(&s->ring, &s->recovered, err);
		if (rc == 0)
			rc = ring_begin_stream(&s->ring, config->stream, s->digest, config->hello,
					       config->hello_len, err);
	} else {
		(void)err_set(err, rc,
			      "no memory for the spool; give --spool-kib a smaller number");
	}
	if (rc) {
		spool_free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

void spool_free(struct spool *s)
{
	if (!s)
		return;
	ring_fini(&s->ring);
	batch_writer_free(s->writer);
	free(s);
}

/* ---- filling ---- */

/* Giving up has begun, or is over because half of the ring is free again: the next batch says so. */
static void tell_given_up(struct spool *s, uint64_t now_ns)
{
	const struct ring_lost *lost = &s->ring.lost;
	struct batch_event event = {
		.kind = BATCH_EVENT_SPOOL_FULL,
		.time_ns = now_ns,
		.n_values = 4,
		.values = {(int64_t)lost->batches, (int64_t)lost->records, (int64_t)lost->packets,
			   (int64_t)lost->lines},
	};
	uint64_t sum = lost->batches + lost->lines;
	bool begins = !s->is_full && sum > s->lost_before;
	bool ends;

	/* An event would make the lines something that is kept. */
	if (batch_has_logs(s->writer))
		return;
	if (sum > s->lost_before)
		s->acked_since = false;
	ends = s->is_full && s->acked_since && s->ring.used < s->ring.units / 2;

	s->lost_before = sum;
	if (!begins && !ends)
		return;
	s->is_full = begins;
	if (begins)
		log_warn("spool",
			 "full: lines of log files, then the oldest batches that hold no alert are "
			 "given up");
	else
		log_warn("spool",
			 "no longer full: %llu batches of %llu records were given up so far",
			 (unsigned long long)lost->batches, (unsigned long long)lost->records);
	(void)batch_add_event(s->writer, &event);
}

static void close_batch(struct spool *s, uint64_t now_ns, enum spool_flush how)
{
	struct batch_head head = {
		.sequence = s->sequence + 1,
		.clock_ns = now_ns,
		.goodbye = how == SPOOL_GOODBYE,
		.records_before = s->records,
		.packets_before = s->packets,
		.lines_before = s->lines,
		.has_clock = s->has_clock,
		.offset_ns = s->offset_ns,
		.way_ns = s->way_ns,
		.has_tables = s->has_tables,
	};
	struct ring_entry entry = {
		.sequence = head.sequence,
		.records_before = s->records,
		.packets_before = s->packets,
		.lines_before = s->lines,
	};
	size_t len;

	memcpy(head.tables, s->tables, sizeof head.tables);
	tell_given_up(s, now_ns);
	entry.rank = batch_must_be_kept(s->writer) ? RING_KEPT
		     : batch_has_logs(s->writer)   ? RING_LOGS
						   : RING_FLOWS;
	s->filling.lines = batch_lines(s->writer);
	entry.totals = s->filling;
	memcpy(head.previous, s->digest, SHA256_BYTES);
	memcpy(entry.previous, s->digest, SHA256_BYTES);
	len = batch_finish(s->writer, &head, s->scratch);
	if (s->signer && how != SPOOL_PLAIN)
		len = batch_sign(s->scratch, len, ring_current(&s->ring)->id, s->signer);
	crypto_sha256(s->digest, s->scratch, len);
	memcpy(entry.digest, s->digest, SHA256_BYTES);
	entry.bytes = s->scratch;
	entry.len = len;
	ring_put(&s->ring, &entry);

	s->sequence = head.sequence;
	s->records += s->filling.records;
	s->packets += s->filling.packets;
	s->lines += s->filling.lines;
	s->filling = ring_totals_none;
	s->has_clock = false;
}

void spool_record(struct spool *s, const struct flowrec *rec, uint64_t now_ns)
{
	struct ring_totals one = {
		.records = 1, .packets = rec->packets, .first = rec->start, .last = rec->end};

	if (!batch_add_record(s->writer, rec)) {
		close_batch(s, now_ns, SPOOL_PLAIN);
		(void)batch_add_record(s->writer, rec); /* an empty batch has room for any record */
	}
	ring_totals_add(&s->filling, &one);
}

void spool_alert(struct spool *s, const struct batch_alert *alert, uint64_t now_ns)
{
	bool begins = batch_alerts(s->writer) == 0 && batch_records(s->writer) > 0;

	if (begins || !batch_add_alert(s->writer, alert)) {
		close_batch(s, now_ns, SPOOL_PLAIN);
		(void)batch_add_alert(s->writer, alert);
	}
}

void spool_account(struct spool *s, const struct batch_account *account, uint64_t now_ns)
{
	if (!batch_add_account(s->writer, account)) {
		close_batch(s, now_ns, SPOOL_PLAIN);
		(void)batch_add_account(s->writer, account);
	}
}

void spool_event(struct spool *s, const struct batch_event *event, uint64_t now_ns)
{
	if (!batch_add_event(s->writer, event)) {
		close_batch(s, now_ns, SPOOL_PLAIN);
		(void)batch_add_event(s->writer, event);
	}
}

void spool_endpoint(struct spool *s, const struct endpoint_digest *digest, uint64_t now_ns)
{
	bool begins = batch_endpoints(s->writer) == 0 && batch_records(s->writer) > 0;

	if (begins || !batch_add_endpoint(s->writer, digest)) {
		close_batch(s, now_ns, SPOOL_PLAIN);
		(void)batch_add_endpoint(s->writer, digest);
	}
}

#ifdef CONFIG_TAIL
bool spool_takes_logs(const struct spool *s, size_t bytes)
{
	return ring_takes_logs(&s->ring, bytes);
}

void spool_log(struct spool *s, const struct batch_log *piece, uint64_t now_ns)
{
	struct batch_log rest = *piece;
	size_t taken;

	if (!batch_has_logs(s->writer) && !batch_is_empty(s->writer))
		close_batch(s, now_ns, SPOOL_PLAIN);
	for (;;) {
		bool added = batch_add_log(s->writer, &rest, &taken);

		rest.bytes += taken;
		rest.offset += taken;
		rest.len -= taken;
		if (added && rest.len == 0)
			return;
		close_batch(s, now_ns, SPOOL_PLAIN);
	}
}

void spool_logs_end(struct spool *s, uint64_t now_ns)
{
	if (batch_has_logs(s->writer))
		close_batch(s, now_ns, SPOOL_PLAIN);
}
#endif

void spool_burst(struct spool *s, const struct batch_burst *burst, uint64_t now_ns)
{
	if (!batch_add_burst(s->writer, burst)) {
		close_batch(s, now_ns, SPOOL_PLAIN);
		(void)batch_add_burst(s->writer, burst);
	}
}

#ifdef CONFIG_NAMES
void spool_dns(struct spool *s, const struct batch_dns *dns, uint64_t now_ns)
{
	if (!batch_add_dns(s->writer, dns)) {
		close_batch(s, now_ns, SPOOL_PLAIN);
		(void)batch_add_dns(s->writer, dns);
	}
}

void spool_name(struct spool *s, const struct batch_name *name, uint64_t now_ns)
{
	if (!batch_add_name(s->writer, name)) {
		close_batch(s, now_ns, SPOOL_PLAIN);
		(void)batch_add_name(s->writer, name);
	}
}

void spool_http(struct spool *s, const struct batch_http *http, uint64_t now_ns)
{
	if (!batch_add_http(s->writer, http)) {
		close_batch(s, now_ns, SPOOL_PLAIN);
		(void)batch_add_http(s->writer, http);
	}
}

void spool_names_counts(struct spool *s, const uint64_t counts[static BATCH_NAMES_COUNTS])
{
	batch_set_names_counts(s->writer, counts);
}
#endif

void spool_tables(struct spool *s, const uint64_t tables[static BATCH_TABLES])
{
	memcpy(s->tables, tables, sizeof s->tables);
	s->has_tables = true;
}

void spool_clock(struct spool *s, int64_t offset_ns, uint64_t way_ns)
{
	s->has_clock = true;
	s->offset_ns = offset_ns;
	s->way_ns = way_ns;
}

void spool_flush(struct spool *s, uint64_t now_ns, enum spool_flush how)
{
	close_batch(s, now_ns, how);
}

void spool_sync(struct spool *s)
{
	ring_sync(&s->ring);
}

bool spool_is_filling(const struct spool *s)
{
	return !batch_is_empty(s->writer);
}

bool spool_has_alert(const struct spool *s)
{
	return batch_alerts(s->writer) > 0;
}

/* ---- delivering ---- */

void spool_stream(struct spool *s, struct spool_stream *ret)
{
	const struct ring_stream *stream = ring_front(&s->ring);

	*ret = (struct spool_stream){
		.id = stream->id,
		.is_current = stream == ring_current(&s->ring),
		.old_waits = ring_old(&s->ring) != NULL,
		.closed = stream->closed,
	};
	if (!ret->is_current)
		ret->hello = ring_hello(&s->ring, stream, &ret->hello_len);
}

void spool_turn(struct spool *s)
{
	s->ring.current_first = !s->ring.current_first;
}

static bool same_gap(const struct batch_gap *a, const struct batch_gap *b)
{
	return a->first == b->first && a->last == b->last && a->elsewhere == b->elsewhere;
}

bool spool_next(struct spool *s, uint64_t sent, struct spool_item *ret)
{
	struct ring_stream *stream = ring_front(&s->ring);
	struct batch_gap gap;
	struct ring_next next;

	if (!ring_next(&s->ring, stream, sent, &next, &gap))
		return false;
	if (!next.is_gap) {
		*ret = (struct spool_item){WIRE_BATCH, next.sequence, next.bytes, next.len};
		return true;
	}
	*ret = (struct spool_item){WIRE_GAP, gap.last, s->gap, batch_gap_encode(s->gap, &gap)};
	/* Sent again after a connection broke it is no news. */
	if (stream == ring_current(&s->ring) && !same_gap(&gap, &s->declared) &&
	    batch_add_gap(s->writer, &gap))
		s->declared = gap;
	return true;
}

void spool_ack(struct spool *s, uint64_t sequence)
{
	struct ring_stream *stream = ring_front(&s->ring);

	if (stream == ring_current(&s->ring) && sequence > s->acknowledged)
		s->acknowledged = sequence;
	ring_ack(&s->ring, stream, sequence);
	s->acked_since = true;
}

void spool_set_aside(struct spool *s)
{
	ring_set_aside(&s->ring);
}

bool spool_has_room(const struct spool *s)
{
	return ring_has_room(&s->ring);
}

void spool_stats(const struct spool *s, struct spool_stats *ret)
{
	*ret = s->recovered;
	ret->closed = s->sequence;
	ret->acknowledged = s->acknowledged;
	ret->given_up_batches = s->ring.lost.batches;
	ret->given_up_records = s->ring.lost.records;
	ret->given_up_packets = s->ring.lost.packets;
	ret->given_up_lines = s->ring.lost.lines;
	ret->old_streams = ring_old_streams(&s->ring);
	ret->bytes = (size_t)s->ring.units * RING_UNIT;
	ret->used = (size_t)s->ring.used * RING_UNIT;
}
