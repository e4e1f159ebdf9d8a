// SPDX-License-Identifier: Apache-2.0
/*
 * The ledgers after a schedule, held against what was sent: each record once or declared lost, to the
 * last packet; nothing that was acknowledged is missing; the audit finds what was declared, and no more.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "evidence/audit.h"
#include "evidence/ledger.h"
#include "platform/bytes.h"
#include "tests/faults/schedules.h"

__attribute__((format(printf, 1, 2))) static bool wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	return false;
}

static struct run *run_of(struct sensor_runs *sensors, size_t n, const struct ledger_entry *entry)
{
	for (size_t s = 0; s < n; s++) {
		for (size_t r = 0; strcmp(sensors[s].name, entry->sensor) == 0 && r < sensors[s].n;
		     r++) {
			if (memcmp(sensors[s].runs[r]->stream, entry->stream, WIRE_STREAM_ID) == 0)
				return sensors[s].runs[r];
		}
	}
	return NULL;
}

/* The sensor that was killed may have closed one batch more than it could tell. */
static uint64_t last_of(const struct run *run)
{
	return run->closed + (run->end != RUN_GOODBYE);
}

static bool take_batch(struct run *run, const struct ledger_entry *entry, size_t c)
{
	uint64_t seq = entry->sequence;
	struct batch *batch;
	struct flowrec rec;
	struct err err = {""};
	uint32_t i;

	if (seq == 0 || seq > last_of(run))
		return wrong("batch %llu of %llu that were made", (unsigned long long)seq,
			     (unsigned long long)run->closed);
	if (run->seen[seq] & 1u << c)
		return wrong("batch %llu is twice in store %zu", (unsigned long long)seq, c);
	run->seen[seq] |= (uint8_t)(1u << c);
	if (batch_open(&batch, entry->payload, entry->len, &err) != 0)
		return wrong("batch %llu: %s", (unsigned long long)seq, err.text);
	run->has_goodbye = run->has_goodbye || batch_head(batch)->goodbye;
	for (i = run->from[seq]; batch_next(batch, &rec); i++) {
		if (be32(rec.src.b) != i || rec.packets != record_packets(i)) {
			batch_free(batch);
			return wrong("batch %llu has record %u in place of %u",
				     (unsigned long long)seq, (unsigned)be32(rec.src.b), i);
		}
	}
	batch_free(batch);
	return i == run->from[seq + 1] || wrong("batch %llu ends before record %u, not %u",
						(unsigned long long)seq, i, run->from[seq + 1]);
}

static uint64_t packets_of(const struct run *run, uint64_t seq)
{
	uint64_t sum = 0;

	for (uint32_t i = run->from[seq]; i < run->from[seq + 1]; i++)
		sum += record_packets(i);
	return sum;
}

static bool take_gap(struct run *run, const struct ledger_entry *entry, size_t c)
{
	uint64_t records = 0, packets = 0;
	struct batch_gap gap;
	struct err err = {""};

	if (batch_gap_decode(&gap, entry->payload, entry->len, &err) != 0 || gap.first == 0 ||
	    gap.last > last_of(run))
		return wrong("a gap of batches that were not made: %s", err.text);
	for (uint64_t seq = gap.first; seq <= gap.last; seq++) {
		records += run->from[seq + 1] - run->from[seq];
		packets += packets_of(run, seq);
		run->gone[seq] |= gap.elsewhere ? 2 : 1;
	}
	run->gaps[c]++;
	return (gap.records == records && gap.packets == packets) ||
	       wrong("the gap of batches %llu to %llu tells %llu records of %llu packets; "
		     "they held %llu of %llu",
		     (unsigned long long)gap.first, (unsigned long long)gap.last,
		     (unsigned long long)gap.records, (unsigned long long)gap.packets,
		     (unsigned long long)records, (unsigned long long)packets);
}

static bool read_store(struct sensor_runs *sensors, size_t n, const char *store, size_t c)
{
	struct ledger_reader *reader;
	struct ledger_entry entry;
	struct err err = {""};
	bool ok = true;
	int rc;

	if (ledger_reader_open(&reader, store, NULL, &err) < 0)
		return wrong("%s: %s", store, err.text);
	while (ok && (rc = ledger_next(reader, &entry, &err)) > 0) {
		struct run *run;

		if (entry.kind == LEDGER_TORN || entry.kind == LEDGER_DAMAGE) {
			ok = wrong("%s byte %llu: %s", entry.file, (unsigned long long)entry.offset,
				   entry.reason);
			break;
		}
		run = run_of(sensors, n, &entry);
		if (!run)
			ok = wrong("%s: a stream that nobody began", entry.file);
		else if (entry.kind == LEDGER_BATCH)
			ok = take_batch(run, &entry, c);
		else if (entry.kind == LEDGER_GAP)
			ok = take_gap(run, &entry, c);
		if (run)
			run->is_there[c] = true;
	}
	ledger_reader_free(reader);
	return ok && (rc == 0 || wrong("%s: %s", store, err.text));
}

/* ---- each run ---- */

/* Up to which batch all must be there or declared. */
static uint64_t due(const struct run *run)
{
	uint64_t kept = 0;

	if (run->end == RUN_GOODBYE)
		return run->closed;
	if (run->in_file && !run->bad_disk)
		kept = run->end == RUN_KILLED ? run->closed : run->synced;
	return kept > run->acknowledged ? kept : run->acknowledged;
}

static bool check_run(const struct sensor_runs *sensor, const struct run *run,
		      struct totals *totals)
{
	uint64_t sent = 0, there = 0, declared = 0;
	bool is_unclean = run->end != RUN_GOODBYE;

	for (uint64_t seq = 1; seq <= last_of(run); seq++) {
		uint64_t packets = packets_of(run, seq);

		sent += packets;
		totals->batches += run->seen[seq] != 0;
		if (run->seen[seq])
			there += packets;
		else if (run->gone[seq] & 1)
			declared += packets;
		else if (seq <= due(run))
			return wrong("%s: batch %llu of %llu is nowhere (acknowledged: %llu; %s)",
				     sensor->name, (unsigned long long)seq,
				     (unsigned long long)run->closed,
				     (unsigned long long)run->acknowledged,
				     run->gone[seq] ? "said to be elsewhere" : "no gap tells");
		if (run->gone[seq] == 2 && !run->seen[seq])
			return wrong("%s: batch %llu is said to be elsewhere, and is nowhere",
				     sensor->name, (unsigned long long)seq);
	}
	for (uint32_t i = run->from[last_of(run) + 1]; i < run->pushed; i++)
		sent += record_packets(i);
	if (run->has_goodbye == is_unclean)
		return wrong("%s: goodbye in the ledger: %d", sensor->name, run->has_goodbye);
	if (!is_unclean && sent != there + declared)
		return wrong("%s: %llu packets were sent, %llu are there, %llu declared lost",
			     sensor->name, (unsigned long long)sent, (unsigned long long)there,
			     (unsigned long long)declared);
	totals->sent += sent;
	totals->in_ledger += there;
	totals->declared += declared;
	totals->behind += sent - there - declared;
	totals->unclean += is_unclean;
	for (size_t c = 0; c < COLLECTORS; c++)
		totals->gaps += run->gaps[c];
	return true;
}

/* ---- the audit ---- */

static unsigned faults_like(const struct audit *audit, const char *text)
{
	unsigned n = 0;

	for (size_t i = 0; i < audit->n_kept; i++)
		n += strstr(audit->faults[i].reason, text) != NULL;
	return n;
}

static bool audit_store(const struct sensor_runs *sensors, size_t n, const char *store, size_t c,
			bool clock_stepped)
{
	struct audit_options options = {.ca = NULL};
	unsigned ends = 0, gaps = 0, unclean = 0, unsigned_tails, empty;
	struct audit *audit;
	struct err err = {""};
	bool ok = true;

	(void)crypto_ca_new(&options.ca, "ca", &err);
	if (audit_run(&audit, store, &options, &err) < 0)
		return wrong("%s: %s", store, err.text);
	for (size_t s = 0; s < audit->n_sensors; s++) {
		for (size_t i = 0; i < audit->sensors[s].n_streams; i++) {
			ends += audit->sensors[s].streams[i].end != AUDIT_GOODBYE;
			gaps += (unsigned)audit->sensors[s].streams[i].n_gaps;
		}
	}
	for (size_t s = 0; s < n; s++) {
		for (size_t r = 0; r < sensors[s].n; r++)
			unclean += sensors[s].runs[r]->gaps[c];
	}
	if (audit->grade == AUDIT_BROKEN)
		ok = wrong("%s: %s byte %llu: %s", store, audit_first(audit)->file,
			   (unsigned long long)audit_first(audit)->offset,
			   audit_first(audit)->reason);
	if (ok && gaps != unclean)
		ok = wrong("%s: the audit tells %u gaps of %u", store, gaps, unclean);
	/* A sensor whose first segment failed, and that went to another collector. */
	empty = faults_like(audit, "the folder is empty");
	unsigned_tails = clock_stepped ? faults_like(audit, "signed nothing after") : 0;
	if (ok && (faults_like(audit, "without goodbye") != ends ||
		   audit->n_incomplete != ends + gaps + unsigned_tails + empty)) {
		for (size_t i = 0; i < audit->n_kept; i++)
			wrong("  %s", audit->faults[i].reason);
		ok = wrong("%s: %llu incomplete: %u ends without goodbye, %u gaps", store,
			   (unsigned long long)audit->n_incomplete, ends, gaps);
	}
	audit_free(audit);
	crypto_ca_free(options.ca);
	return ok;
}

bool check_all(struct sensor_runs *sensors, size_t n_sensors, size_t n_collectors,
	       bool clock_stepped, struct totals *totals)
{
	static const char *const stores[COLLECTORS] = {"store-0", "store-1"};
	bool ok = true;

	for (size_t c = 0; ok && c < n_collectors; c++)
		ok = read_store(sensors, n_sensors, stores[c], c);
	for (size_t s = 0; s < n_sensors; s++) {
		for (size_t r = 0; ok && r < sensors[s].n; r++)
			ok = check_run(&sensors[s], sensors[s].runs[r], totals);
	}
	for (size_t c = 0; ok && c < n_collectors; c++)
		ok = audit_store(sensors, n_sensors, stores[c], c, clock_stepped);
	return ok;
}
