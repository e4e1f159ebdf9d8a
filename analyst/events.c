// SPDX-License-Identifier: Apache-2.0
/*
 * Events, a line each: time, sensor, what, its values by name, its text. A gap is an event that the
 * collector saw: its time is that of its receipt.
 */
#include "analyst/events.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/crypto.h"
#include "platform/json.h"

/* Names of the values, by kind; batch.h says what they are. */
static const char *const value_names[BATCH_EVENT_KINDS][BATCH_EVENT_VALUES] = {
	[BATCH_EVENT_CLOCK_STEP] = {"step_ns"},
	[BATCH_EVENT_COLLECTOR_STEP] = {"offset_before_ns", "offset_after_ns"},
	[BATCH_EVENT_CONNECTED] = {"collector"},
	[BATCH_EVENT_SPOOL_FULL] = {"batches", "records", "packets", "lines"},
	[BATCH_EVENT_SPOOL_RECOVERED] = {"batches", "records", "unusable_bytes"},
	[BATCH_EVENT_INTERFACE_GONE] = {"interface"},
	[BATCH_EVENT_HOST] = {"uptime_s", "interfaces"},
	[BATCH_EVENT_INTERFACE] = {"index", "bits", "rx_packets", "tx_packets"},
	[BATCH_EVENT_LINK] = {"index", "bits", "rx_packets", "tx_packets"},
	[BATCH_EVENT_CANARIES] = {"sent", "returned", "unseen", "refused"},
	[BATCH_EVENT_BLIND] = {"unseen", "last_seen"},
	[BATCH_EVENT_IDENTITY] = {"interface", "source"},
	[BATCH_EVENT_IDENTITY_DIFFERS] = {"interface"},
	[BATCH_EVENT_METADATA_CONNECTION] = {"local_port"},
	[BATCH_EVENT_BLINDING] = {"what", "interface", "count"},
	[BATCH_EVENT_BLIND_CHECK] = {"found", "unchecked", "counted", "unseen"},
	[BATCH_EVENT_METADATA] = {"requests", "failures", "absent", "interfaces"},
	[BATCH_EVENT_LOG_OPENED] = {"file", "inode", "size", "offset"},
	[BATCH_EVENT_LOG_ROTATED] = {"file", "inode", "new_inode", "bytes"},
	[BATCH_EVENT_LOG_SHRANK] = {"file", "inode", "size_before", "size"},
	[BATCH_EVENT_LOG_VANISHED] = {"file", "inode", "size", "links"},
	[BATCH_EVENT_LOG_REWRITTEN] = {"file", "inode", "offset", "size"},
	[BATCH_EVENT_LOG_UNREADABLE] = {"file", "errno"},
};

static void begin_line(const struct query *query, const struct ledger_entry *entry,
		       const char *name, uint64_t time_s)
{
	char hex[2 * WIRE_STREAM_ID + 1], text[CLOCK_TEXT];

	crypto_hex(hex, entry->stream, WIRE_STREAM_ID);
	if (query->json)
		printf("{\"time\":%" PRIu64 ",\"sensor\":\"%s\",\"stream\":\"%s\",\"event\":\"%s\"",
		       time_s, entry->sensor, hex, name);
	else
		printf("%s %s %s", clock_text(text, time_s), entry->sensor, name);
}

static void put_value(const struct query *query, const char *name, int64_t value)
{
	printf(query->json ? ",\"%s\":%" PRId64 : " %s=%" PRId64, name, value);
}

static int end_line(const struct query *query)
{
	if (query->json)
		printf("}");
	return putchar('\n') == EOF ? QUERY_OUTPUT_BROKEN : 0;
}

static int print_event(const struct query *query, const struct ledger_entry *entry,
		       const struct batch_event *event)
{
	char name[BATCH_EVENT_TEXT], numbered[16];
	uint64_t time_s = event->time_ns / NS_PER_S;

	if (!query_wants(query, time_s, time_s))
		return 0;
	begin_line(query, entry, batch_event_name(name, event->kind), time_s);
	for (size_t i = 0; i < event->n_values; i++) {
		const char *known =
			event->kind < BATCH_EVENT_KINDS ? value_names[event->kind][i] : NULL;

		(void)snprintf(numbered, sizeof numbered, "value%zu", i + 1);
		put_value(query, known ? known : numbered, event->values[i]);
	}
	if (query->json) {
		printf(",\"text\":");
		json_print_string(stdout, event->text);
	} else if (*event->text) {
		printf(" %s", event->text);
	}
	return end_line(query);
}

static int print_events(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
			struct batch *batch)
{
	const struct query *query = ctx;
	const struct batch_event *events;
	size_t n;
	int rc = 0;

	(void)hello;
	events = batch_event_list(batch, &n);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = print_event(query, entry, &events[i]);
	return rc;
}

static int print_gap(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		     const struct batch_gap *gap)
{
	const struct query *query = ctx;
	uint64_t time_s = entry->received_ns / NS_PER_S;

	(void)hello;
	if (!query_wants(query, time_s, time_s))
		return 0;
	begin_line(query, entry, gap->elsewhere ? "gap-elsewhere" : "gap", time_s);
	put_value(query, "first", (int64_t)gap->first);
	put_value(query, "last", (int64_t)gap->last);
	put_value(query, "records", (int64_t)gap->records);
	put_value(query, "packets", (int64_t)gap->packets);
	put_value(query, "lines", (int64_t)gap->lines);
	if (!gap->elsewhere) {
		put_value(query, "window_first", (int64_t)gap->window_first);
		put_value(query, "window_last", (int64_t)gap->window_last);
	}
	return end_line(query);
}

int events_print(struct query *query, struct err *err)
{
	static const struct replay_ops ops = {.batch = print_events, .gap = print_gap};

	return query_run(query, &ops, query, err);
}
