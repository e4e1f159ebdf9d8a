// SPDX-License-Identifier: Apache-2.0
/*
 * Reads batches. batch_open() walks all records once with the very function that batch_next() uses,
 * so what was accepted cannot fail later. A batch is one allocation, bounded by its length.
 */
#include "proto/batch.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/text.h"
#include "proto/arena.h"
#include "proto/burst_columns.h"
#include "proto/endpoint_columns.h"
#include "proto/flowproof.pb-c.h"
#include "proto/logs_parts.h"
#include "proto/marks.h"
#include "proto/names_parts.h"
#include "proto/wire.h"

enum column_id {
	MARKS,
	SOURCE,
	DESTINATION,
	SOURCE_PORT,
	DESTINATION_PORT,
	PROTOCOL,
	PACKETS,
	BYTES,
	TCP_FLAGS,
	START,
	DURATION,
	RULE,
	INTERFACE,
	BOUNDARY,
	COLUMNS
};

static const char *const column_names[COLUMNS] = {
	"marks",    "source",  "destination", "source_port", "destination_port",
	"protocol", "packets", "bytes",       "tcp_flags",   "start",
	"duration", "rule",    "interface",   "boundary",
};

/* One of v32 and v64 is set. */
struct column {
	const uint32_t *v32;
	const uint64_t *v64;
	size_t n, at;
};

struct batch {
	struct batch_head head;
	size_t n_alerts, n_accounts, n_gaps, n_events;
	struct batch_alert alerts[BATCH_ALERTS_MAX];
	struct batch_account accounts[BATCH_ACCOUNTS_MAX];
	struct batch_gap gaps[BATCH_GAPS_MAX];
	struct batch_event events[BATCH_EVENTS_MAX];
	size_t n_endpoints;
	struct endpoint_digest endpoints[BATCH_ENDPOINTS_MAX];
	size_t n_bursts;
	struct batch_burst bursts[BATCH_BURSTS_MAX];
	struct names_lists names;
	struct logs_list logs;
	const uint64_t *names_counts; /* in the arena */
	size_t n_names_counts;

	/* Records: the dictionary, the columns, and how far they are read. */
	size_t count, at;
	uint64_t packets; /* of all */
	const uint8_t *addresses4, *addresses6;
	size_t n4, n6;
	struct column columns[COLUMNS];
	struct flowrec before;
	uint32_t changes;     /* of the record before: its bits of MARK_CHANGES */
	enum column_id ended; /* the first column that a record found at its end; COLUMNS: none */
	struct arena arena;   /* its bytes are `memory` */
	_Alignas(max_align_t) uint8_t memory[];
};

/* ---- records ---- */

static uint64_t take(struct batch *b, enum column_id id)
{
	struct column *c = &b->columns[id];
	size_t at = c->at;

	if (at == c->n) {
		b->ended = b->ended == COLUMNS ? id : b->ended;
		return 0;
	}
	c->at++;
	return c->v32 ? c->v32[at] : c->v64[at];
}

static int bad_record(const struct batch *b, struct err *err, const char *rule)
{
	return err_set(err, ERR_FORMAT, "batch %" PRIu64 ", record %zu: %s", b->head.sequence,
		       b->at + 1, rule);
}

/* The address of this index, and its family; 0: there is none. */
static uint8_t address_at(const struct batch *b, uint64_t index, struct addr *ret)
{
	*ret = (struct addr){0};
	if (index < b->n4) {
		memcpy(ret->b, b->addresses4 + index * 4, 4);
		return 4;
	}
	if (index - b->n4 < b->n6) {
		memcpy(ret->b, b->addresses6 + (index - b->n4) * 16, 16);
		return 6;
	}
	return 0;
}

static const char *read_key(struct batch *b, struct flowrec *rec, bool same)
{
	uint8_t src = address_at(b, take(b, SOURCE), &rec->src);
	uint8_t dst = address_at(b, take(b, DESTINATION), &rec->dst);
	uint64_t srcport = take(b, SOURCE_PORT);
	uint64_t dstport = take(b, DESTINATION_PORT);
	uint64_t protocol = take(b, PROTOCOL);
	uint64_t rule = same ? b->before.rule : take(b, RULE);

	if (src == 0 || dst == 0)
		return "an address lies outside the dictionary";
	if (src != dst)
		return "source and destination are of different families";
	if (srcport > UINT16_MAX || dstport > UINT16_MAX)
		return "a port is above 65535";
	if (protocol > UINT8_MAX)
		return "the protocol is above 255";
	if (rule > UINT16_MAX)
		return "the rule's number is above 65535";
	rec->family = src;
	rec->srcport = (uint16_t)srcport;
	rec->dstport = (uint16_t)dstport;
	rec->protocol = (uint8_t)protocol;
	rec->rule = (uint16_t)rule;
	return NULL;
}

static void mirror_key(const struct flowrec *before, struct flowrec *rec)
{
	rec->family = before->family;
	rec->src = before->dst;
	rec->dst = before->src;
	rec->srcport = before->dstport;
	rec->dstport = before->srcport;
	rec->protocol = before->protocol;
	rec->rule = before->rule;
}

/* Start and end, from the difference to the record before; both stay within 0..INT64_MAX. */
static bool read_times(struct batch *b, struct flowrec *rec)
{
	int64_t start, difference = (int64_t)take(b, START);
	uint64_t duration = take(b, DURATION);

	if (__builtin_add_overflow((int64_t)b->before.start, difference, &start) || start < 0 ||
	    duration > (uint64_t)(INT64_MAX - start))
		return false;
	rec->start = (uint64_t)start;
	rec->end = (uint64_t)start + duration;
	return true;
}

/* The next record, which there must be; the rule that it breaks, or NULL. */
static const char *read_record(struct batch *b, struct flowrec *rec)
{
	uint64_t mark = take(b, MARKS);
	bool mirror = mark & MARK_MIRROR;
	bool same = mark & MARK_SAME;
	uint32_t changes = b->changes ^ (mark & MARK_CHANGES);
	const char *broken = NULL;
	uint64_t iface, boundary;

	*rec = (struct flowrec){
		.direction = mark >> MARK_DIRECTION & 3,
		.initiator = mark >> MARK_INITIATOR & 3,
		.action = changes >> MARK_ACTION & 1,
		.status = changes >> MARK_STATUS & 3,
		.verdict = changes >> MARK_VERDICT & 7,
		.outcome = changes >> MARK_OUTCOME & 7,
	};
	if (mark > MARK_MAX || rec->direction > FLOWREC_EGRESS ||
	    rec->initiator > FLOWREC_INITIATOR_DST || rec->status > FLOWREC_SKIPDATA ||
	    rec->verdict > FLOWREC_UNEXPECTED_INBOUND || rec->outcome > FLOWREC_DATA_OUT)
		return "its mark has a value that does not exist";
	if ((mirror || same) && (b->before.family == 0 || rec->status != FLOWREC_OK))
		return "it refers to a record before that has no key, or has none itself";
	if (mirror && same)
		return "it is marked as mirror and as same";

	if (mirror)
		mirror_key(&b->before, rec);
	else if (rec->status == FLOWREC_OK)
		broken = read_key(b, rec, same);
	if (broken)
		return broken;
	iface = mirror || same ? b->before.iface : take(b, INTERFACE);
	if (iface >= WIRE_INTERFACES_MAX)
		return "the interface's number is too high";
	rec->iface = (uint16_t)iface;
	if (rec->status == FLOWREC_OK) {
		rec->packets = take(b, PACKETS);
		rec->bytes = take(b, BYTES);
		boundary = b->columns[BOUNDARY].n ? take(b, BOUNDARY) : 0;
		if (boundary > UINT16_MAX)
			return "the boundary's rule has a number above 65535";
		rec->boundary = (uint16_t)boundary;
		if (rec->protocol == IPPROTO_TCP) {
			uint64_t flags = take(b, TCP_FLAGS);

			if (flags & ~UINT64_C(0x17))
				return "the TCP flags have a bit that is not recorded";
			rec->tcp_flags = (uint8_t)flags;
		}
	}
	if (!read_times(b, rec))
		return "its times are out of range";
	b->changes = changes;
	b->before = *rec;
	b->at++;
	return NULL;
}

static void rewind_records(struct batch *b)
{
	for (size_t i = 0; i < COLUMNS; i++)
		b->columns[i].at = 0;
	b->at = 0;
	b->before = (struct flowrec){0};
	b->changes = 0;
	b->ended = COLUMNS;
}

static int check_records(struct batch *b, struct err *err)
{
	struct flowrec rec;

	rewind_records(b);
	while (b->at < b->count) {
		const char *broken = read_record(b, &rec);

		if (b->ended != COLUMNS)
			return err_set(err, ERR_FORMAT,
				       "batch %" PRIu64
				       ": the column %s has too few values for %zu records",
				       b->head.sequence, column_names[b->ended], b->count);
		if (broken)
			return bad_record(b, err, broken);
		b->packets += rec.packets;
	}
	for (size_t i = 0; i < COLUMNS; i++) {
		if (b->columns[i].at != b->columns[i].n)
			return err_set(err, ERR_FORMAT,
				       "batch %" PRIu64
				       ": the column %s has too many values for %zu records",
				       b->head.sequence, column_names[i], b->count);
	}
	rewind_records(b);
	return 0;
}

/* ---- the rest of a batch; each gives the rule that is broken, or NULL ---- */

static const char *open_records(struct batch *b, const Fp__Records *r)
{
	if (r->base.n_unknown_fields)
		return "the records have a field that is unknown";
	if (r->count > BATCH_RECORDS_MAX)
		return "it has too many records";
	if (r->addresses4.len % 4 || r->addresses6.len % 16)
		return "the dictionary of addresses ends within one";
	b->count = r->count;
	b->addresses4 = r->addresses4.data;
	b->addresses6 = r->addresses6.data;
	b->n4 = r->addresses4.len / 4;
	b->n6 = r->addresses6.len / 16;
	if (b->n4 + b->n6 > 2 * b->count)
		return "the dictionary has more addresses than the records can use";
	b->columns[MARKS] = (struct column){.v32 = r->marks, .n = r->n_marks};
	b->columns[SOURCE] = (struct column){.v32 = r->source, .n = r->n_source};
	b->columns[DESTINATION] = (struct column){.v32 = r->destination, .n = r->n_destination};
	b->columns[SOURCE_PORT] = (struct column){.v32 = r->source_port, .n = r->n_source_port};
	b->columns[DESTINATION_PORT] =
		(struct column){.v32 = r->destination_port, .n = r->n_destination_port};
	b->columns[PROTOCOL] = (struct column){.v32 = r->protocol, .n = r->n_protocol};
	b->columns[PACKETS] = (struct column){.v64 = r->packets, .n = r->n_packets};
	b->columns[BYTES] = (struct column){.v64 = r->bytes, .n = r->n_bytes};
	b->columns[TCP_FLAGS] = (struct column){.v32 = r->tcp_flags, .n = r->n_tcp_flags};
	b->columns[START] = (struct column){.v64 = (const uint64_t *)r->start, .n = r->n_start};
	b->columns[DURATION] = (struct column){.v64 = r->duration, .n = r->n_duration};
	b->columns[RULE] = (struct column){.v32 = r->rule, .n = r->n_rule};
	b->columns[BOUNDARY] = (struct column){.v32 = r->boundary, .n = r->n_boundary};
	b->columns[INTERFACE] = (struct column){.v32 = r->interface, .n = r->n_interface};
	return NULL;
}

static const char *open_alert(struct batch_alert *alert, const Fp__Alert *a)
{
	size_t size = a->family == 4 ? 4 : 16;

	if (a->base.n_unknown_fields)
		return "an alert has a field that is unknown";
	if (a->verdict > FLOWREC_UNEXPECTED_INBOUND)
		return "an alert's verdict does not exist";
	if ((a->family != 4 && a->family != 6) || a->local.len != size || a->remote.len != size)
		return "an alert's addresses do not have their family's size";
	if (a->local_port > UINT16_MAX || a->remote_port > UINT16_MAX || a->protocol > UINT8_MAX)
		return "an alert's port is above 65535 or its protocol above 255";
	if (a->interface >= WIRE_INTERFACES_MAX)
		return "an alert's interface has too high a number";
	*alert = (struct batch_alert){
		.time_ns = a->time_ns,
		.suppressed = a->suppressed,
		.local_port = (uint16_t)a->local_port,
		.remote_port = (uint16_t)a->remote_port,
		.iface = (uint16_t)a->interface,
		.family = (uint8_t)a->family,
		.protocol = (uint8_t)a->protocol,
		.verdict = (uint8_t)a->verdict,
	};
	memcpy(alert->local.b, a->local.data, size);
	memcpy(alert->remote.b, a->remote.data, size);
	return NULL;
}

static const char *open_account(struct batch_account *account, const Fp__Account *a)
{
	if (a->base.n_unknown_fields)
		return "an account has a field that is unknown";
	if (a->interface >= WIRE_INTERFACES_MAX)
		return "an account's interface has too high a number";
	if (a->n_allowances != 0 && a->n_allowances != BATCH_ALLOWANCES)
		return "an account does not have its five allowances";
	*account = (struct batch_account){
		.window = a->window,
		.received = a->received,
		.recorded = a->recorded,
		.live = a->live,
		.not_ip = a->not_ip,
		.malformed = a->malformed,
		.cut = a->cut,
		.snapped = a->snapped,
		.bad_checksum = a->bad_checksum,
		.beyond_wire = a->beyond_wire,
		.offload_frames = a->offload_frames,
		.offload_packets = a->offload_packets,
		.offload_bytes = a->offload_bytes,
		.kernel_known = a->kernel_case == FP__ACCOUNT__KERNEL_KERNEL_DROPPED,
		.nic_known = a->nic_case == FP__ACCOUNT__NIC_NIC_DROPPED,
		.allowances_known = a->n_allowances != 0,
		.iface = (uint16_t)a->interface,
	};
	if (account->kernel_known)
		account->kernel_dropped = a->kernel_dropped;
	if (account->nic_known)
		account->nic_dropped = a->nic_dropped;
	if (account->allowances_known)
		memcpy(account->allowances, a->allowances, sizeof(account->allowances));
	return NULL;
}

static const char *open_gap(struct batch_gap *gap, const Fp__Gap *g)
{
	if (g->base.n_unknown_fields)
		return "the gap has a field that is unknown";
	if (g->first < 1 || g->first > g->last)
		return "the gap's numbers are out of order";
	if (g->digest.len != SHA256_BYTES)
		return "the gap's digest does not have 32 bytes";
	*gap = (struct batch_gap){
		.first = g->first,
		.last = g->last,
		.records = g->records,
		.packets = g->packets,
		.window_first = g->window_first,
		.window_last = g->window_last,
		.elsewhere = g->elsewhere,
		.lines = g->lines,
		.logs_only = g->logs_only,
	};
	memcpy(gap->digest, g->digest.data, SHA256_BYTES);
	return NULL;
}

static const char *open_event(struct batch_event *event, const Fp__Event *e)
{
	if (e->base.n_unknown_fields)
		return "an event has a field that is unknown";
	if (e->kind < 1 || e->kind > UINT8_MAX || e->n_values > BATCH_EVENT_VALUES ||
	    !text_is_plain(e->text, BATCH_EVENT_TEXT - 1))
		return "an event's kind, values or text are out of range";
	*event = (struct batch_event){
		.time_ns = e->time_ns,
		.kind = (uint8_t)e->kind,
		.n_values = (uint8_t)e->n_values,
	};
	for (size_t i = 0; i < e->n_values; i++)
		event->values[i] = e->values[i];
	memcpy(event->text, e->text, strlen(e->text));
	return NULL;
}

static void open_head(struct batch_head *head, const Fp__Batch *message)
{
	head->sequence = message->sequence;
	head->clock_ns = message->clock_ns;
	head->goodbye = message->goodbye;
	head->records_before = message->records_before;
	head->packets_before = message->packets_before;
	head->lines_before = message->lines_before;
	head->has_clock = message->clock != NULL;
	if (message->clock) {
		head->offset_ns = message->clock->offset_ns;
		head->way_ns = message->clock->way_ns;
	}
	head->is_signed = message->signature.len > 0;
}

static const char *open_parts(struct batch *b, const Fp__Batch *message)
{
	const char *broken = NULL;

	open_head(&b->head, message);
	if (message->base.n_unknown_fields ||
	    (message->clock && message->clock->base.n_unknown_fields))
		return "it has a field that is unknown";
	if (message->sequence < 1)
		return "its sequence is 0";
	if (message->previous.len != SHA256_BYTES)
		return "the digest of the batch before does not have 32 bytes";
	if (message->n_alerts > BATCH_ALERTS_MAX || message->n_accounts > BATCH_ACCOUNTS_MAX)
		return "it has too many alerts or accounts";
	if (message->n_gaps > BATCH_GAPS_MAX || message->n_events > BATCH_EVENTS_MAX)
		return "it has too many gaps or events";
	if (message->n_tables > BATCH_TABLES_MAX)
		return "it tells of too many tables";
	if (message->n_names_counts > BATCH_NAMES_COUNTS_MAX)
		return "it has too many counts of names";
	if (message->signature.len > CRYPTO_SIGNATURE_MAX)
		return "its signature is too long";
	memcpy(b->head.previous, message->previous.data, SHA256_BYTES);
	b->n_alerts = message->n_alerts;
	b->n_accounts = message->n_accounts;
	b->n_gaps = message->n_gaps;
	b->n_events = message->n_events;
	for (size_t i = 0; i < b->n_alerts && !broken; i++)
		broken = open_alert(&b->alerts[i], message->alerts[i]);
	for (size_t i = 0; i < b->n_accounts && !broken; i++)
		broken = open_account(&b->accounts[i], message->accounts[i]);
	for (size_t i = 0; i < b->n_gaps && !broken; i++)
		broken = open_gap(&b->gaps[i], message->gaps[i]);
	for (size_t i = 0; i < b->n_events && !broken; i++)
		broken = open_event(&b->events[i], message->events[i]);
	if (!broken && message->endpoints)
		broken = endpoint_columns_read(message->endpoints, b->endpoints, &b->n_endpoints);
	if (!broken && message->bursts)
		broken = burst_columns_read(message->bursts, b->bursts, &b->n_bursts);
	/* A sensor that does not tell all of them tells of other tables. */
	b->head.has_tables = message->n_tables >= BATCH_TABLES;
	if (b->head.has_tables)
		memcpy(b->head.tables, message->tables, sizeof b->head.tables);
	if (!broken && message->names.len)
		broken = names_read(message->names.data, message->names.len, &b->arena, &b->names);
	if (!broken && message->logs.len)
		broken = logs_read(message->logs.data, message->logs.len, &b->arena, &b->logs);
	b->names_counts = message->names_counts;
	b->n_names_counts = message->n_names_counts;
	if (!broken && message->records)
		broken = open_records(b, message->records);
	return broken;
}

/* ---- the interface ---- */

static int open_bytes(struct batch *b, const uint8_t *bytes, size_t len, struct err *err)
{
	ProtobufCAllocator allocator = arena_allocator(&b->arena);
	const Fp__Batch *message = fp__batch__unpack(&allocator, len, bytes);
	const char *broken;

	if (!message)
		return err_set(err, ERR_FORMAT, "batch of %zu bytes: %s", len,
			       b->arena.full
				       ? "it would unfold to more memory than a batch may take"
				       : "not a message of its kind, or cut short");
	broken = open_parts(b, message);
	if (broken)
		return err_set(err, ERR_FORMAT, "batch %" PRIu64 ": %s", b->head.sequence, broken);
	return check_records(b, err);
}

int batch_open(struct batch **ret, const uint8_t *bytes, size_t len, struct err *err)
{
	struct batch *b;
	int rc;

	if (len > BATCH_BYTES_MAX)
		return err_set(err, ERR_FORMAT, "batch of %zu bytes: at most %d are allowed", len,
			       BATCH_BYTES_MAX);
	b = malloc(sizeof(*b) + arena_limit(len));
	if (!b)
		return -ENOMEM;
	memset(b, 0, sizeof(*b));
	b->arena.bytes = b->memory;
	b->arena.cap = arena_limit(len);
	rc = open_bytes(b, bytes, len, err);
	if (rc)
		batch_free(b);
	else
		*ret = b;
	return rc;
}

void batch_free(struct batch *b)
{
	free(b);
}

const struct batch_head *batch_head(const struct batch *b)
{
	return &b->head;
}

bool batch_next(struct batch *b, struct flowrec *ret)
{
	return b->at < b->count && !read_record(b, ret);
}

size_t batch_record_count(const struct batch *b)
{
	return b->count;
}

uint64_t batch_packet_count(const struct batch *b)
{
	return b->packets;
}

const struct batch_alert *batch_alert_list(const struct batch *b, size_t *ret_n)
{
	*ret_n = b->n_alerts;
	return b->alerts;
}

const struct batch_account *batch_account_list(const struct batch *b, size_t *ret_n)
{
	*ret_n = b->n_accounts;
	return b->accounts;
}

const struct batch_gap *batch_gap_list(const struct batch *b, size_t *ret_n)
{
	*ret_n = b->n_gaps;
	return b->gaps;
}

const struct batch_burst *batch_burst_list(const struct batch *b, size_t *ret_n)
{
	*ret_n = b->n_bursts;
	return b->bursts;
}

const struct endpoint_digest *batch_endpoint_list(const struct batch *b, size_t *ret_n)
{
	*ret_n = b->n_endpoints;
	return b->endpoints;
}

const struct batch_dns *batch_dns_list(const struct batch *b, size_t *ret_n)
{
	*ret_n = b->names.n_dns;
	return b->names.dns;
}

const struct batch_name *batch_name_list(const struct batch *b, size_t *ret_n)
{
	*ret_n = b->names.n_names;
	return b->names.names;
}

const struct batch_http *batch_http_list(const struct batch *b, size_t *ret_n)
{
	*ret_n = b->names.n_http;
	return b->names.http;
}

const struct batch_log *batch_log_list(const struct batch *b, size_t *ret_n)
{
	*ret_n = b->logs.n;
	return b->logs.pieces;
}

uint64_t batch_line_count(const struct batch *b)
{
	return b->logs.lines;
}

const uint64_t *batch_names_counts(const struct batch *b, size_t *ret_n)
{
	*ret_n = b->n_names_counts;
	return b->names_counts;
}

const struct batch_event *batch_event_list(const struct batch *b, size_t *ret_n)
{
	*ret_n = b->n_events;
	return b->events;
}

int batch_gap_decode(struct batch_gap *ret, const uint8_t *bytes, size_t len, struct err *err)
{
	_Alignas(max_align_t) uint8_t memory[1024];
	struct arena arena = {.bytes = memory, .cap = sizeof memory};
	ProtobufCAllocator allocator = arena_allocator(&arena);
	const Fp__Gap *message =
		len > BATCH_GAP_BYTES ? NULL : fp__gap__unpack(&allocator, len, bytes);
	const char *broken = message ? open_gap(ret, message) : "not a message of its kind";

	return broken ? err_set(err, ERR_FORMAT, "gap of %zu bytes: %s", len, broken) : 0;
}

const char *batch_table_text(enum batch_table table)
{
	static const char *const texts[BATCH_TABLES] = {
		[BATCH_FLOWS] = "flows",
		[BATCH_FLOWS_EVICTED] = "flows_evicted",
		[BATCH_FLOWS_MERGED] = "flows_merged",
		[BATCH_ENDPOINTS] = "endpoints",
		[BATCH_ENDPOINTS_KEPT] = "endpoints_kept",
		[BATCH_ENDPOINTS_GAVE_WAY] = "endpoints_gave_way",
		[BATCH_ENDPOINTS_LEFT_OUT] = "endpoints_left_out",
		[BATCH_CALLS] = "calls",
		[BATCH_CALLS_LEFT_OUT] = "calls_left_out",
	};

	return texts[table];
}

uint16_t batch_event_interface(const struct batch_event *event)
{
	bool tells = event->kind == BATCH_EVENT_BLINDING && event->n_values > 1 &&
		     event->values[1] >= 0 && event->values[1] < WIRE_INTERFACES_MAX;

	return tells ? (uint16_t)event->values[1] : 0;
}

const char *batch_event_name(char *out, uint8_t kind)
{
	static const char *const names[BATCH_EVENT_KINDS] = {
		[BATCH_EVENT_START] = "start",
		[BATCH_EVENT_CLOCK_STEP] = "clock-step",
		[BATCH_EVENT_COLLECTOR_STEP] = "collector-clock-step",
		[BATCH_EVENT_CONNECTED] = "connected",
		[BATCH_EVENT_SPOOL_FULL] = "spool-full",
		[BATCH_EVENT_SPOOL_RECOVERED] = "spool-recovered",
		[BATCH_EVENT_INTERFACE_GONE] = "interface-gone",
		[BATCH_EVENT_HOST] = "host",
		[BATCH_EVENT_INTERFACE] = "interface",
		[BATCH_EVENT_LINK] = "link",
		[BATCH_EVENT_CANARIES] = "canaries",
		[BATCH_EVENT_BLIND] = "blind",
		[BATCH_EVENT_IDENTITY] = "identity",
		[BATCH_EVENT_IDENTITY_DIFFERS] = "identity-differs",
		[BATCH_EVENT_METADATA_CONNECTION] = "metadata-connection",
		[BATCH_EVENT_METADATA] = "metadata",
		[BATCH_EVENT_LOG_OPENED] = "log-opened",
		[BATCH_EVENT_LOG_ROTATED] = "log-rotated",
		[BATCH_EVENT_LOG_SHRANK] = "log-shrank",
		[BATCH_EVENT_LOG_VANISHED] = "log-vanished",
		[BATCH_EVENT_LOG_REWRITTEN] = "log-rewritten",
		[BATCH_EVENT_LOG_UNREADABLE] = "log-unreadable",
		[BATCH_EVENT_BLINDING] = "blinding",
		[BATCH_EVENT_BLIND_CHECK] = "blind-check",
	};
	const char *name = kind < BATCH_EVENT_KINDS ? names[kind] : NULL;

	if (name)
		(void)snprintf(out, BATCH_EVENT_TEXT, "%s", name);
	else
		(void)snprintf(out, BATCH_EVENT_TEXT, "event-%u", kind);
	return out;
}
