// SPDX-License-Identifier: Apache-2.0
/*
 * The summary. All sums are made from the records, alerts and accounts that the ledger holds;
 * beside the sensor's own count of packets (`recorded`) stands the count of those stored, so that a
 * difference shows.
 */
#include "analyst/summary.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyst/losses.h"
#include "platform/clock.h"
#include "platform/crypto.h"
#include "platform/json.h"
#include "platform/nic.h"

struct interface_sum {
	char name[FLOWREC_ID_MAX + 1];
	uint64_t stored; /* packets */
	struct wire_link link;
	struct losses losses;
	bool has_account;
	struct batch_account account; /* the latest */
};

struct stream_sum {
	char sensor[WIRE_SENSOR_ID_MAX];
	uint8_t id[WIRE_STREAM_ID];
	bool is_known; /* a hello was read */
	bool is_replay, goodbye;
	uint64_t hellos, batches, alerts;
	uint64_t records, nodata, skipped, packets, bytes;
	uint64_t first, last;                  /* Unix seconds, of the records */
	uint64_t received_ns, received_end_ns; /* by the collector's clock */
	bool has_tables;
	uint64_t tables[BATCH_TABLES]; /* the latest */
	size_t n_names;                /* counts of names that its sensor tells */
	uint64_t names[BATCH_NAMES_COUNTS];
	uint64_t gaps, gap_batches, gap_records, gap_packets;
	uint64_t is_signed; /* batches */
	bool has_clock;     /* measured last: */
	int64_t offset_ns;  /* sensor's clock less the collector's */
	uint64_t way_ns;
	bool has_canaries;
	int64_t canaries[4];   /* the latest BATCH_EVENT_CANARIES */
	uint64_t unseen_start; /* packets that captured interfaces had counted at the first look */
	uint64_t not_captured; /* interfaces of the host, at the first look */
	bool has_host;
	struct interface_sum interfaces[WIRE_INTERFACES_MAX];
};

struct summary {
	struct query *query;
	size_t n, cap;
	struct stream_sum *streams;
};

/* The stream's sums, made if need be; NULL without memory. */
static struct stream_sum *stream_of(struct summary *s, const struct ledger_entry *entry)
{
	struct stream_sum *stream;

	/* From the latest back, and never into another sensor's. */
	for (size_t i = s->n; i-- > 0 && strcmp(s->streams[i].sensor, entry->sensor) == 0;) {
		if (memcmp(s->streams[i].id, entry->stream, WIRE_STREAM_ID) == 0)
			return &s->streams[i];
	}
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 16;
		struct stream_sum *more = reallocarray(s->streams, cap, sizeof *more);

		if (!more)
			return NULL;
		s->streams = more;
		s->cap = cap;
	}
	stream = &s->streams[s->n++];
	memset(stream, 0, sizeof *stream);
	stream->first = UINT64_MAX;
	stream->received_ns = entry->received_ns;
	memcpy(stream->id, entry->stream, WIRE_STREAM_ID);
	(void)snprintf(stream->sensor, sizeof stream->sensor, "%s", entry->sensor);
	return stream;
}

static int add_hello(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello)
{
	struct stream_sum *stream = stream_of(ctx, entry);

	if (!stream)
		return -ENOMEM;
	stream->is_known = true;
	stream->is_replay = hello->is_replay;
	stream->hellos++;
	stream->received_end_ns = entry->received_ns;
	for (size_t i = 0; i < hello->n_interfaces; i++) {
		const char *name = hello->interfaces[i].interface;

		stream->interfaces[i].link = hello->links[i];
		(void)snprintf(stream->interfaces[i].name, sizeof stream->interfaces[i].name, "%s",
			       name ? name : "");
	}
	return 0;
}

static void add_record(struct stream_sum *stream, const struct query *query,
		       const struct flowrec *rec)
{
	if (rec->status == FLOWREC_OK && rec->iface < WIRE_INTERFACES_MAX)
		stream->interfaces[rec->iface].stored += rec->packets;
	if (!query_wants(query, rec->start, rec->end))
		return;
	stream->records++;
	stream->nodata += rec->status == FLOWREC_NODATA;
	stream->skipped += rec->status == FLOWREC_SKIPDATA;
	if (rec->iface < WIRE_INTERFACES_MAX)
		losses_add(&stream->interfaces[rec->iface].losses, rec);
	stream->packets += rec->packets;
	stream->bytes += rec->bytes;
	if (rec->start < stream->first)
		stream->first = rec->start;
	if (rec->end > stream->last)
		stream->last = rec->end;
}

static void add_event(struct stream_sum *stream, const struct batch_event *event)
{
	if (event->kind == BATCH_EVENT_CANARIES && event->n_values == 4) {
		memcpy(stream->canaries, event->values, sizeof stream->canaries);
		stream->has_canaries = true;
	} else if (event->kind == BATCH_EVENT_INTERFACE && event->n_values == 4 &&
		   !stream->has_host) {
		if (event->values[1] & BATCH_INTERFACE_CAPTURED)
			stream->unseen_start +=
				event->values[2] < 0
					? 0
					: (uint64_t)event->values[2] + (uint64_t)event->values[3];
		else
			stream->not_captured++;
	} else if (event->kind == BATCH_EVENT_HOST) {
		stream->has_host = true; /* the interfaces before it are those of the first look */
	}
}

static int add_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		     struct batch *batch)
{
	struct summary *s = ctx;
	struct stream_sum *stream = stream_of(s, entry);
	const struct batch_head *head = batch_head(batch);
	const struct batch_account *accounts;
	const struct batch_event *events;
	const uint64_t *names;
	struct flowrec rec;
	size_t n;

	(void)hello;
	if (!stream)
		return -ENOMEM;
	stream->batches++;
	stream->received_end_ns = entry->received_ns;
	stream->goodbye = head->goodbye;
	stream->is_signed += head->is_signed;
	if (head->has_tables) {
		stream->has_tables = true;
		memcpy(stream->tables, head->tables, sizeof stream->tables);
	}
	if (head->has_clock) {
		stream->has_clock = true;
		stream->offset_ns = head->offset_ns;
		stream->way_ns = head->way_ns;
	}
	names = batch_names_counts(batch, &n);
	if (n > 0) {
		stream->n_names = n < BATCH_NAMES_COUNTS ? n : BATCH_NAMES_COUNTS;
		memcpy(stream->names, names, stream->n_names * sizeof *names);
	}
	while (batch_next(batch, &rec))
		add_record(stream, s->query, &rec);
	(void)batch_alert_list(batch, &n);
	stream->alerts += n;
	events = batch_event_list(batch, &n);
	for (size_t i = 0; i < n; i++)
		add_event(stream, &events[i]);
	accounts = batch_account_list(batch, &n);
	for (size_t i = 0; i < n; i++) {
		if (accounts[i].iface >= WIRE_INTERFACES_MAX)
			continue;
		stream->interfaces[accounts[i].iface].account = accounts[i];
		stream->interfaces[accounts[i].iface].has_account = true;
	}
	return 0;
}

static int add_gap(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		   const struct batch_gap *gap)
{
	struct stream_sum *stream = stream_of(ctx, entry);

	(void)hello;
	if (!stream)
		return -ENOMEM;
	stream->gaps++;
	stream->gap_batches += gap->last - gap->first + 1;
	stream->gap_records += gap->records;
	stream->gap_packets += gap->packets;
	return 0;
}

/* ---- text ---- */

static const char *mode_of(const struct stream_sum *stream)
{
	if (!stream->is_known)
		return "unknown";
	return stream->is_replay ? "replay" : "live";
}

static const char *number_or_unknown(char out[static 24], bool is_known, uint64_t number)
{
	(void)snprintf(out, 24, is_known ? "%" PRIu64 : "unknown", number);
	return out;
}

static void print_offload(const struct interface_sum *sum)
{
	const struct batch_account *a = &sum->account;

	printf("      offload: ");
	losses_print_link(&sum->link, stdout);
	if (a->offload_packets)
		printf("; %" PRIu64 " frames counted as %" PRIu64 " packets and %" PRIu64
		       " bytes more",
		       a->offload_frames, a->offload_frames + a->offload_packets, a->offload_bytes);
	else if (a->offload_frames)
		printf("; %" PRIu64 " frames longer than the wire's packets", a->offload_frames);
	printf("\n");
}

static void print_interface(const struct interface_sum *sum)
{
	const struct batch_account *a = &sum->account;
	char kernel[24], nic[24], until[CLOCK_TEXT], added[40] = "";

	if (a->offload_packets)
		(void)snprintf(added, sizeof added, " + offload %" PRIu64, a->offload_packets);
	if (sum->has_account) {
		printf("    %s: received %" PRIu64 "%s = recorded %" PRIu64 " + live %" PRIu64
		       " + not IP %" PRIu64 " + malformed %" PRIu64 " + cut %" PRIu64
		       "; residual %" PRId64 "\n",
		       sum->name, a->received, added, a->recorded, a->live, a->not_ip, a->malformed,
		       a->cut, batch_account_residual(a));
		printf("      up to the window %s; dropped by the kernel %s, by the network card "
		       "%s; "
		       "stored here %" PRIu64 " packets\n",
		       clock_text(until, a->window),
		       number_or_unknown(kernel, a->kernel_known, a->kernel_dropped),
		       number_or_unknown(nic, a->nic_known, a->nic_dropped), sum->stored);
	} else if (*sum->name || sum->stored > 0) {
		printf("    %s: no packet equation yet; stored here %" PRIu64 " packets\n",
		       sum->name, sum->stored);
	}
	if (sum->link.features_known || a->offload_frames)
		print_offload(sum);
	if (a->allowances_known)
		printf("      allowances exceeded: bw-in %" PRIu64 ", bw-out %" PRIu64
		       ", pps %" PRIu64 ", conntrack %" PRIu64 ", linklocal %" PRIu64 "\n",
		       a->allowances[NIC_BW_IN], a->allowances[NIC_BW_OUT], a->allowances[NIC_PPS],
		       a->allowances[NIC_CONNTRACK], a->allowances[NIC_LINKLOCAL]);
	if (sum->losses.lines) {
		printf("      PACKETS ARE MISSING from ");
		losses_print(&sum->losses, stdout);
		printf("\n");
	}
}

/* The rule of three: of n canaries all were seen, so at most 3/n of the packets are lost unseen (95 %), as far as
 * loss does not depend on content. */
static void print_canaries(const struct stream_sum *stream)
{
	const int64_t *c = stream->canaries;
	int64_t due = c[0] + c[1];

	printf("    canaries: sent %" PRId64 ", came back %" PRId64
	       ", not seen by the capture %" PRId64,
	       c[0], c[1], c[2]);
	if (due >= 3 && c[2] == 0)
		printf("; at most %.1f %% of packets lost unseen (95 %%, loss without regard to "
		       "content)",
		       300.0 / (double)due);
	putchar('\n');
}

/* Those that are not 0: all would be two lines. */
static void print_names(const struct stream_sum *stream)
{
	bool any = false;

	for (unsigned i = 0; i < stream->n_names; i++) {
		if (stream->names[i] == 0)
			continue;
		printf("%s %s=%" PRIu64, any ? "" : "    names:", batch_names_count_text(i),
		       stream->names[i]);
		any = true;
	}
	if (any)
		putchar('\n');
}

static void print_tables(const uint64_t tables[static BATCH_TABLES])
{
	printf("    tables: flows %" PRIu64
	       " places, records written early for want of one %" PRIu64 " (endpoint kept %" PRIu64
	       "); endpoints %" PRIu64 " of %" PRIu64 ", gave way %" PRIu64
	       "; calls without room for their rhythm %" PRIu64 "\n",
	       tables[BATCH_FLOWS], tables[BATCH_FLOWS_EVICTED] + tables[BATCH_FLOWS_MERGED],
	       tables[BATCH_FLOWS_MERGED], tables[BATCH_ENDPOINTS_KEPT], tables[BATCH_ENDPOINTS],
	       tables[BATCH_ENDPOINTS_GAVE_WAY], tables[BATCH_CALLS_LEFT_OUT]);
	if (tables[BATCH_ENDPOINTS_LEFT_OUT] > 0)
		printf("    ENDPOINTS: for those of %" PRIu64
		       " flows the sensor's table had no room: their list is not complete\n",
		       tables[BATCH_ENDPOINTS_LEFT_OUT]);
}

static void print_stream(const struct stream_sum *stream)
{
	char hex[2 * WIRE_STREAM_ID + 1], from[CLOCK_TEXT], to[CLOCK_TEXT];

	printf("  stream %.8s  %s  received %s to %s\n",
	       crypto_hex(hex, stream->id, WIRE_STREAM_ID), mode_of(stream),
	       clock_text(from, stream->received_ns / NS_PER_S),
	       clock_text(to, stream->received_end_ns / NS_PER_S));
	printf("    batches %" PRIu64 "  records %" PRIu64 " (no data %" PRIu64 ", skipped %" PRIu64
	       ")  packets %" PRIu64 "  bytes %" PRIu64 "  alerts %" PRIu64 "\n",
	       stream->batches, stream->records, stream->nodata, stream->skipped, stream->packets,
	       stream->bytes, stream->alerts);
	if (stream->records > 0)
		printf("    records span %s to %s\n", clock_text(from, stream->first),
		       clock_text(to, stream->last));
	for (size_t i = 0; i < WIRE_INTERFACES_MAX; i++)
		print_interface(&stream->interfaces[i]);
	if (stream->has_tables)
		print_tables(stream->tables);
	print_names(stream);
	if (stream->gaps > 0)
		printf("    GAPS: %" PRIu64 ", in them %" PRIu64 " batches, %" PRIu64
		       " records of %" PRIu64 " packets are not here\n",
		       stream->gaps, stream->gap_batches, stream->gap_records, stream->gap_packets);
	else
		printf("    gaps: none\n");
	if (stream->has_canaries)
		print_canaries(stream);
	if (stream->has_host)
		printf("    host: unseen before start: %" PRIu64
		       " packets; interfaces that are not captured: %" PRIu64 "\n",
		       stream->unseen_start, stream->not_captured);
	if (stream->has_clock)
		printf("    clock: %+.3f s of the collector's when last measured, right to %.3f "
		       "s\n",
		       (double)stream->offset_ns / NS_PER_S, (double)stream->way_ns / 2 / NS_PER_S);
	printf("    end: %s\n",
	       stream->goodbye ? "goodbye" : "no goodbye: it runs, or ended without one");
}

static void print_text(const struct summary *s)
{
	const char *sensor = "";

	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(sensor, s->streams[i].sensor) != 0)
			printf("sensor %s\n", s->streams[i].sensor);
		sensor = s->streams[i].sensor;
		print_stream(&s->streams[i]);
	}
	if (s->n == 0)
		printf("the ledger is empty\n");
	for (size_t i = 0; i < s->query->n_kept; i++) {
		const struct query_damage *d = &s->query->damages[i];

		printf("DAMAGE %s byte %" PRIu64 ": %s\n", d->file, d->offset, d->reason);
	}
	if (s->query->n_damages > s->query->n_kept)
		printf("DAMAGE in %" PRIu64 " further places\n",
		       s->query->n_damages - s->query->n_kept);
}

/* ---- JSON ---- */

static void put_number(const char *key, uint64_t number)
{
	printf(",\"%s\":%" PRIu64, key, number);
}

static void put_known(const char *key, bool is_known, uint64_t number)
{
	if (is_known)
		put_number(key, number);
	else
		printf(",\"%s\":null", key);
}

static void put_interface(const struct interface_sum *sum)
{
	const struct batch_account *a = &sum->account;

	printf("{\"interface\":");
	json_print_string(stdout, sum->name);
	put_number("stored", sum->stored);
	if (sum->has_account) {
		put_number("window", a->window);
		put_number("received", a->received);
		put_number("recorded", a->recorded);
		put_number("live", a->live);
		put_number("not_ip", a->not_ip);
		put_number("malformed", a->malformed);
		put_number("cut", a->cut);
		printf(",\"residual\":%" PRId64, batch_account_residual(a));
		put_known("kernel_dropped", a->kernel_known, a->kernel_dropped);
		put_known("nic_dropped", a->nic_known, a->nic_dropped);
		put_number("offload_frames", a->offload_frames);
		put_number("offload_packets", a->offload_packets);
		put_number("offload_bytes", a->offload_bytes);
		put_known("bw_in_exceeded", a->allowances_known, a->allowances[NIC_BW_IN]);
		put_known("bw_out_exceeded", a->allowances_known, a->allowances[NIC_BW_OUT]);
		put_known("pps_exceeded", a->allowances_known, a->allowances[NIC_PPS]);
		put_known("conntrack_exceeded", a->allowances_known, a->allowances[NIC_CONNTRACK]);
		put_known("linklocal_exceeded", a->allowances_known, a->allowances[NIC_LINKLOCAL]);
	}
	printf(",\"offload\":\"%s\"", losses_offload_word(&sum->link));
	printf(",\"missing\":");
	losses_print_json(&sum->losses, stdout);
	printf("}");
}

static void put_names(const struct stream_sum *stream)
{
	printf(",\"names\":{");
	for (unsigned i = 0; i < stream->n_names; i++)
		printf("%s\"%s\":%" PRIu64, i ? "," : "", batch_names_count_text(i),
		       stream->names[i]);
	printf("}");
}

static void put_stream(const struct stream_sum *stream)
{
	char hex[2 * WIRE_STREAM_ID + 1];
	const char *comma = "";

	printf("{\"stream\":\"%s\",\"mode\":\"%s\"", crypto_hex(hex, stream->id, WIRE_STREAM_ID),
	       mode_of(stream));
	put_number("received_first", stream->received_ns / NS_PER_S);
	put_number("received_last", stream->received_end_ns / NS_PER_S);
	put_number("hellos", stream->hellos);
	put_number("batches", stream->batches);
	put_number("records", stream->records);
	put_number("nodata", stream->nodata);
	put_number("skipdata", stream->skipped);
	put_number("packets", stream->packets);
	put_number("bytes", stream->bytes);
	put_number("alerts", stream->alerts);
	put_known("first", stream->records > 0, stream->first);
	put_known("last", stream->records > 0, stream->last);
	for (unsigned i = 0; i < BATCH_TABLES; i++)
		put_known(batch_table_text((enum batch_table)i), stream->has_tables,
			  stream->tables[i]);
	put_number("gaps", stream->gaps);
	put_number("gap_batches", stream->gap_batches);
	put_number("gap_records", stream->gap_records);
	put_number("gap_packets", stream->gap_packets);
	put_number("signed", stream->is_signed);
	if (stream->n_names > 0)
		put_names(stream);
	put_known("canaries_sent", stream->has_canaries, (uint64_t)stream->canaries[0]);
	put_known("canaries_returned", stream->has_canaries, (uint64_t)stream->canaries[1]);
	put_known("canaries_unseen", stream->has_canaries, (uint64_t)stream->canaries[2]);
	put_known("unseen_before_start", stream->has_host, stream->unseen_start);
	put_known("interfaces_not_captured", stream->has_host, stream->not_captured);
	if (stream->has_clock)
		printf(",\"clock_offset_ns\":%" PRId64 ",\"clock_way_ns\":%" PRIu64,
		       stream->offset_ns, stream->way_ns);
	else
		printf(",\"clock_offset_ns\":null,\"clock_way_ns\":null");
	printf(",\"goodbye\":%s,\"interfaces\":[", stream->goodbye ? "true" : "false");
	for (size_t i = 0; i < WIRE_INTERFACES_MAX; i++) {
		const struct interface_sum *sum = &stream->interfaces[i];

		if (!*sum->name && !sum->has_account && sum->stored == 0)
			continue;
		printf("%s", comma);
		comma = ",";
		put_interface(sum);
	}
	printf("]}");
}

static void print_json(const struct summary *s)
{
	printf("{\"sensors\":[");
	for (size_t i = 0; i < s->n; i++) {
		if (i > 0 && strcmp(s->streams[i - 1].sensor, s->streams[i].sensor) == 0) {
			printf(",");
		} else {
			printf("%s{\"sensor\":", i > 0 ? "]}," : "");
			json_print_string(stdout, s->streams[i].sensor);
			printf(",\"streams\":[");
		}
		put_stream(&s->streams[i]);
	}
	printf("%s],\"damages\":%" PRIu64 ",\"damage\":[", s->n > 0 ? "]}" : "",
	       s->query->n_damages);
	for (size_t i = 0; i < s->query->n_kept; i++) {
		const struct query_damage *d = &s->query->damages[i];

		printf("%s{\"file\":", i > 0 ? "," : "");
		json_print_string(stdout, d->file);
		put_number("offset", d->offset);
		put_number("bytes", d->bytes);
		printf(",\"reason\":");
		json_print_string(stdout, d->reason);
		printf("}");
	}
	printf("]}\n");
}

int summary_print(struct query *query, struct err *err)
{
	static const struct replay_ops ops = {
		.hello = add_hello, .batch = add_batch, .gap = add_gap};
	struct summary s = {.query = query};
	int rc = query_run(query, &ops, &s, err);

	if (rc == 0) {
		if (query->json)
			print_json(&s);
		else
			print_text(&s);
	}
	free(s.streams);
	return rc;
}
