// SPDX-License-Identifier: Apache-2.0
/*
 * Writes batches: records go into columns of fixed size, addresses into a dictionary beside them.
 * batch_writer_new() allocates all of it; protobuf-c packs straight from the columns.
 */
#include "proto/batch.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "platform/config.h"
#include "proto/burst_columns.h"
#include "proto/endpoint_columns.h"
#include "proto/flowproof.pb-c.h"
#include "proto/logs_parts.h"
#include "proto/marks.h"
#include "proto/names_parts.h"
#include "proto/wire.h"

enum {
	RECORDS = BATCH_WRITE_RECORDS,
	ADDRESSES_MAX = 2 * RECORDS,
	SLOT_BITS = 8 + (RECORDS > 64) + (RECORDS > 128) + (RECORDS > 256) + (RECORDS > 512) +
		    (RECORDS > 1024),
	SLOTS = 1 << SLOT_BITS, /* two for each address at least */
	PROBES_MAX = 8,
	INDEX6 =
		1 << 14, /* marks an index into addresses6 until the count of addresses4 is known */

	/* The most that each part takes when encoded. A varint has one byte for each 7 bits. */
	HEAD_BYTES = 512, /* head, signature, and the columns' own tags and lengths: 400 at most */
	RECORD_BYTES = 2 * 16 /* dictionary */ + 3 /* mark */ + 2 * 2 /* indices */ +
		       2 * 3 /* ports */ + 2 /* protocol */ +
		       4 * 10 /* packets, bytes, start, duration */ + 1 /* flags */ +
		       2 * 3 /* rule, boundary */ + 1 /* interface */,
	ALERT_BYTES = 2 + 2 * 2 + 2 * 18 + 2 * 4 + 3 + 2 * 11 + 2,
	ACCOUNT_BYTES = 2 + 2 + 12 * 11 + 3 * 12 + 3 + BATCH_ALLOWANCES * 10,
	GAP_BYTES = 2 + 34 + 7 * 11 + 2 + 2,
	EVENT_BYTES = 3 + 2 + 11 + 2 + BATCH_EVENT_VALUES * 10 + 2 + BATCH_EVENT_TEXT - 1,
};

/* Hence a batch whose counts are kept fits, whatever its values. */
_Static_assert(HEAD_BYTES + RECORDS * RECORD_BYTES + BATCH_ALERTS_MAX * ALERT_BYTES +
			       BATCH_ACCOUNTS_MAX * ACCOUNT_BYTES + BATCH_GAPS_MAX * GAP_BYTES +
			       BATCH_EVENTS_MAX * EVENT_BYTES + BATCH_WRITE_ENDPOINTS_BYTES + 4 +
			       BATCH_WRITE_NAMES_BYTES + 4 + BATCH_NAMES_COUNTS * 10 +
			       BATCH_WRITE_BURSTS_BYTES <=
		       BATCH_WRITE_BYTES,
	       "a full batch fits BATCH_WRITE_BYTES");
_Static_assert((int)GAP_BYTES <= (int)BATCH_GAP_BYTES, "a Gap of its own too");
_Static_assert((int)BATCH_WRITE_BYTES <= (int)BATCH_BYTES_MAX &&
		       (int)RECORDS <= (int)BATCH_RECORDS_MAX,
	       "and readers take it");
_Static_assert((int)BATCH_WRITE_LOGS_BYTES <= RECORDS * RECORD_BYTES,
	       "pieces of logs take no more room than the records that they stand for");
_Static_assert(SLOTS >= 2 * ADDRESSES_MAX, "free slots are found");
_Static_assert(ADDRESSES_MAX < INDEX6, "an index fits below its family's bit");

struct batch_writer {
	Fp__Records records; /* its counts are the writer's counts */
	size_t n_alerts, n_accounts, n_gaps, n_events;
	struct flowrec before;
	uint32_t changes; /* of the record before: its bits of MARK_CHANGES */

	uint32_t marks[RECORDS];
	uint32_t source[RECORDS], destination[RECORDS];
	uint32_t source_port[RECORDS], destination_port[RECORDS];
	uint32_t protocol[RECORDS];
	uint64_t packets[RECORDS], bytes[RECORDS];
	uint32_t tcp_flags[RECORDS];
	int64_t start[RECORDS];
	uint64_t duration[RECORDS];
	uint32_t rule[RECORDS], interface[RECORDS], boundary[RECORDS];
	bool has_boundary; /* of the records, one at least */

	uint8_t addresses4[ADDRESSES_MAX * 4], addresses6[ADDRESSES_MAX * 16];
	uint16_t slots[SLOTS]; /* 0: free; else index + 1, INDEX6 added for IPv6 */

	Fp__Alert alert[BATCH_ALERTS_MAX];
	Fp__Alert *alerts[BATCH_ALERTS_MAX];
	struct addr alert_addr[BATCH_ALERTS_MAX][2];
	Fp__Account account[BATCH_ACCOUNTS_MAX];
	Fp__Account *accounts[BATCH_ACCOUNTS_MAX];
	uint64_t allowances[BATCH_ACCOUNTS_MAX][BATCH_ALLOWANCES];
	struct batch_gap gaps[BATCH_GAPS_MAX];
	struct batch_event events[BATCH_EVENTS_MAX];
	struct endpoint_columns endpoints;
	struct burst_columns bursts;
	struct names_writer names;
	struct logs_writer *logs; /* NULL: none will come */
	uint64_t names_counts[BATCH_NAMES_COUNTS];
	bool has_names_counts;
};

static void reset(struct batch_writer *w)
{
	Fp__Records *r = &w->records;

	fp__records__init(r);
	r->addresses4.data = w->addresses4;
	r->addresses6.data = w->addresses6;
	r->marks = w->marks;
	r->source = w->source;
	r->destination = w->destination;
	r->source_port = w->source_port;
	r->destination_port = w->destination_port;
	r->protocol = w->protocol;
	r->packets = w->packets;
	r->bytes = w->bytes;
	r->tcp_flags = w->tcp_flags;
	r->start = w->start;
	r->duration = w->duration;
	r->rule = w->rule;
	r->interface = w->interface;
	r->boundary = w->boundary;
	w->has_boundary = false;
	w->n_alerts = w->n_accounts = w->n_gaps = w->n_events = 0;
	endpoint_columns_reset(&w->endpoints);
	burst_columns_reset(&w->bursts);
	w->names.dns_before = w->names.name_before = w->names.http_before = 0;
	w->names.len = 0;
	if (IS_ENABLED(CONFIG_TAIL) && w->logs)
		w->logs->before = w->logs->lines = w->logs->len = 0;
	w->has_names_counts = false;
	w->before = (struct flowrec){0};
	w->changes = 0;
	memset(w->slots, 0, sizeof(w->slots));
}

int batch_writer_new(struct batch_writer **ret)
{
	struct batch_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	for (size_t i = 0; i < BATCH_ALERTS_MAX; i++)
		w->alerts[i] = &w->alert[i];
	for (size_t i = 0; i < BATCH_ACCOUNTS_MAX; i++)
		w->accounts[i] = &w->account[i];
	reset(w);
	*ret = w;
	return 0;
}

size_t batch_writer_memory(void)
{
	return sizeof(struct batch_writer);
}

void batch_writer_free(struct batch_writer *w)
{
	if (IS_ENABLED(CONFIG_TAIL) && w)
		free(w->logs);
	free(w);
}

static size_t address_hash(uint32_t tag, const struct addr *addr)
{
	uint64_t a, b;

	memcpy(&a, addr->b, 8);
	memcpy(&b, addr->b + 8, 8);
	a = (a ^ tag) * UINT64_C(0x9e3779b97f4a7c15);
	a = (a ^ (a >> 32) ^ b) * UINT64_C(0xd6e8feb86659fd93);
	return (size_t)(a >> (64 - SLOT_BITS));
}

/*
 * The address's index, INDEX6 added for IPv6. The hash has no key: whoever aims at one slot makes
 * us append addresses a second time, 16 bytes each, never look at more than PROBES_MAX slots.
 */
static uint32_t address_index(struct batch_writer *w, uint8_t family, const struct addr *addr)
{
	ProtobufCBinaryData *dict = family == 4 ? &w->records.addresses4 : &w->records.addresses6;
	uint32_t tag = family == 4 ? 0 : INDEX6;
	size_t size = family == 4 ? 4 : 16;
	size_t slot = address_hash(tag, addr);
	uint16_t *free_slot = NULL;
	uint32_t index;

	for (size_t probe = 0; probe < PROBES_MAX && !free_slot; probe++) {
		uint16_t *s = &w->slots[(slot + probe) % SLOTS];

		if (*s == 0) {
			free_slot = s;
		} else if (((uint32_t)(*s - 1) & INDEX6) == tag) {
			index = (uint32_t)(*s - 1) & ~(uint32_t)INDEX6;
			if (memcmp(dict->data + index * size, addr->b, size) == 0)
				return tag | index;
		}
	}
	index = (uint32_t)(dict->len / size);
	memcpy(dict->data + dict->len, addr->b, size);
	dict->len += size;
	if (free_slot)
		*free_slot = (uint16_t)((tag | index) + 1);
	return tag | index;
}

/* The other direction of `a`? A record without key has family 0 and mirrors nothing. */
static bool is_mirror(const struct flowrec *a, const struct flowrec *b)
{
	return a->family != 0 && a->family == b->family && a->protocol == b->protocol &&
	       a->srcport == b->dstport && a->dstport == b->srcport && a->rule == b->rule &&
	       a->iface == b->iface && memcmp(&a->src, &b->dst, sizeof(a->src)) == 0 &&
	       memcmp(&a->dst, &b->src, sizeof(a->dst)) == 0;
}

static void add_key(struct batch_writer *w, const struct flowrec *rec)
{
	Fp__Records *r = &w->records;

	r->source[r->n_source++] = address_index(w, rec->family, &rec->src);
	r->destination[r->n_destination++] = address_index(w, rec->family, &rec->dst);
	r->source_port[r->n_source_port++] = rec->srcport;
	r->destination_port[r->n_destination_port++] = rec->dstport;
	r->protocol[r->n_protocol++] = rec->protocol;
}

bool batch_add_record(struct batch_writer *w, const struct flowrec *rec)
{
	Fp__Records *r = &w->records;
	const struct flowrec *before = &w->before;
	bool keyed = rec->status == FLOWREC_OK;
	uint64_t start = rec->start < INT64_MAX ? rec->start : INT64_MAX;
	uint64_t end = rec->end < INT64_MAX ? rec->end : INT64_MAX;
	uint32_t changes =
		(uint32_t)rec->action << MARK_ACTION | (uint32_t)rec->status << MARK_STATUS |
		(uint32_t)rec->verdict << MARK_VERDICT | (uint32_t)rec->outcome << MARK_OUTCOME;
	uint32_t mark = (uint32_t)rec->direction << MARK_DIRECTION |
			(uint32_t)rec->initiator << MARK_INITIATOR | (changes ^ w->changes);

	assert(rec->status <= FLOWREC_SKIPDATA && rec->action <= FLOWREC_REJECT);
	assert(rec->direction <= FLOWREC_EGRESS && rec->initiator <= FLOWREC_INITIATOR_DST);
	assert(rec->verdict <= FLOWREC_UNEXPECTED_INBOUND && rec->outcome <= FLOWREC_DATA_OUT);
	assert(rec->iface < WIRE_INTERFACES_MAX);
	assert(keyed ? rec->family == 4 || rec->family == 6 : rec->family == 0);
	assert((rec->tcp_flags & ~0x17) == 0);

	if (r->count == RECORDS || batch_has_logs(w))
		return false;
	if (keyed && is_mirror(before, rec)) {
		mark |= MARK_MIRROR;
	} else if (keyed && before->family != 0 && before->rule == rec->rule &&
		   before->iface == rec->iface) {
		mark |= MARK_SAME;
		add_key(w, rec);
	} else {
		if (keyed) {
			add_key(w, rec);
			r->rule[r->n_rule++] = rec->rule;
		}
		r->interface[r->n_interface++] = rec->iface;
	}
	if (keyed) {
		r->packets[r->n_packets++] = rec->packets;
		r->bytes[r->n_bytes++] = rec->bytes;
		r->boundary[r->n_boundary++] = rec->boundary;
		w->has_boundary |= rec->boundary != 0;
		if (rec->protocol == IPPROTO_TCP)
			r->tcp_flags[r->n_tcp_flags++] = rec->tcp_flags;
	}
	r->start[r->n_start++] = (int64_t)start - (int64_t)before->start;
	r->duration[r->n_duration++] = end > start ? end - start : 0;
	r->marks[r->n_marks++] = mark;
	r->count++;
	w->before = *rec;
	w->before.start = start;
	w->changes = changes;
	return true;
}

bool batch_add_alert(struct batch_writer *w, const struct batch_alert *alert)
{
	Fp__Alert *a;
	struct addr *addr;
	size_t size = alert->family == 4 ? 4 : 16;

	assert(alert->family == 4 || alert->family == 6);
	assert(alert->verdict <= FLOWREC_UNEXPECTED_INBOUND && alert->iface < WIRE_INTERFACES_MAX);

	if (w->n_alerts == BATCH_ALERTS_MAX)
		return false;
	addr = w->alert_addr[w->n_alerts];
	a = w->alerts[w->n_alerts++];
	addr[0] = alert->local;
	addr[1] = alert->remote;
	fp__alert__init(a);
	a->verdict = alert->verdict;
	a->family = alert->family;
	a->local = (ProtobufCBinaryData){size, addr[0].b};
	a->remote = (ProtobufCBinaryData){size, addr[1].b};
	a->local_port = alert->local_port;
	a->remote_port = alert->remote_port;
	a->protocol = alert->protocol;
	a->time_ns = alert->time_ns;
	a->interface = alert->iface;
	a->suppressed = alert->suppressed;
	return true;
}

bool batch_add_account(struct batch_writer *w, const struct batch_account *account)
{
	Fp__Account *a;

	assert(account->iface < WIRE_INTERFACES_MAX);

	if (w->n_accounts == BATCH_ACCOUNTS_MAX)
		return false;
	a = w->accounts[w->n_accounts++];
	fp__account__init(a);
	a->window = account->window;
	a->interface = account->iface;
	a->received = account->received;
	a->recorded = account->recorded;
	a->live = account->live;
	a->not_ip = account->not_ip;
	a->malformed = account->malformed;
	a->cut = account->cut;
	a->snapped = account->snapped;
	a->bad_checksum = account->bad_checksum;
	a->beyond_wire = account->beyond_wire;
	a->offload_frames = account->offload_frames;
	a->offload_packets = account->offload_packets;
	a->offload_bytes = account->offload_bytes;
	if (account->kernel_known) {
		a->kernel_case = FP__ACCOUNT__KERNEL_KERNEL_DROPPED;
		a->kernel_dropped = account->kernel_dropped;
	}
	if (account->nic_known) {
		a->nic_case = FP__ACCOUNT__NIC_NIC_DROPPED;
		a->nic_dropped = account->nic_dropped;
	}
	if (account->allowances_known) {
		a->allowances = w->allowances[w->n_accounts - 1];
		memcpy(a->allowances, account->allowances, sizeof(account->allowances));
		a->n_allowances = BATCH_ALLOWANCES;
	}
	return true;
}

bool batch_add_gap(struct batch_writer *w, const struct batch_gap *gap)
{
	if (w->n_gaps == BATCH_GAPS_MAX)
		return false;
	w->gaps[w->n_gaps++] = *gap;
	return true;
}

bool batch_add_endpoint(struct batch_writer *w, const struct endpoint_digest *digest)
{
	return endpoint_columns_add(&w->endpoints, digest);
}

bool batch_add_event(struct batch_writer *w, const struct batch_event *event)
{
	assert(event->n_values <= BATCH_EVENT_VALUES &&
	       memchr(event->text, 0, sizeof event->text) != NULL);
	if (w->n_events == BATCH_EVENTS_MAX)
		return false;
	w->events[w->n_events++] = *event;
	return true;
}

#ifdef CONFIG_NAMES
bool batch_add_dns(struct batch_writer *w, const struct batch_dns *dns)
{
	return names_add_dns(&w->names, dns);
}

bool batch_add_name(struct batch_writer *w, const struct batch_name *name)
{
	return names_add_name(&w->names, name);
}

bool batch_add_http(struct batch_writer *w, const struct batch_http *http)
{
	return names_add_http(&w->names, http);
}

void batch_set_names_counts(struct batch_writer *w,
			    const uint64_t counts[static BATCH_NAMES_COUNTS])
{
	memcpy(w->names_counts, counts, sizeof w->names_counts);
	w->has_names_counts = true;
}
#endif

#ifdef CONFIG_TAIL
int batch_writer_logs(struct batch_writer *w)
{
	w->logs = calloc(1, sizeof *w->logs);
	return w->logs ? 0 : -ENOMEM;
}

size_t batch_writer_logs_memory(void)
{
	return sizeof(struct logs_writer);
}

bool batch_add_log(struct batch_writer *w, const struct batch_log *piece, size_t *ret_taken)
{
	*ret_taken = 0;
	return w->records.count == 0 && logs_add(w->logs, piece, ret_taken);
}
#endif

bool batch_add_burst(struct batch_writer *w, const struct batch_burst *burst)
{
	return burst_columns_add(&w->bursts, burst);
}

size_t batch_records(const struct batch_writer *w)
{
	return w->records.count;
}

size_t batch_alerts(const struct batch_writer *w)
{
	return w->n_alerts;
}

size_t batch_endpoints(const struct batch_writer *w)
{
	return w->endpoints.message.n_marks;
}

bool batch_has_logs(const struct batch_writer *w)
{
	return IS_ENABLED(CONFIG_TAIL) && w->logs && w->logs->len > 0;
}

size_t batch_lines(const struct batch_writer *w)
{
	return batch_has_logs(w) ? (size_t)w->logs->lines : 0;
}

bool batch_is_empty(const struct batch_writer *w)
{
	return w->records.count == 0 && w->n_alerts == 0 && w->n_accounts == 0 && w->n_gaps == 0 &&
	       w->n_events == 0 && batch_endpoints(w) == 0 && w->bursts.message.n_marks == 0 &&
	       w->names.len == 0 && !w->has_names_counts && !batch_has_logs(w);
}

bool batch_must_be_kept(const struct batch_writer *w)
{
	size_t counts = 0; /* those that count from the begin on: the next one makes up for it */

	for (size_t i = 0; i < w->n_events; i++)
		counts += w->events[i].kind == BATCH_EVENT_CANARIES;
	return w->n_alerts > 0 || w->n_events > counts || w->n_gaps > 0 || batch_endpoints(w) > 0;
}

/* IPv6 follows IPv4 in the dictionary, whose length is known only now. */
static void settle_indices(uint32_t *column, size_t n, size_t n4)
{
	for (size_t i = 0; i < n; i++) {
		if (column[i] & INDEX6)
			column[i] = (column[i] & ~(uint32_t)INDEX6) + (uint32_t)n4;
	}
}

/* protobuf-c's pointers are not const; packing only reads. */
static void lend_gap(Fp__Gap *to, const struct batch_gap *from)
{
	fp__gap__init(to);
	to->first = from->first;
	to->last = from->last;
	to->digest = (ProtobufCBinaryData){SHA256_BYTES, (uint8_t *)(uintptr_t)from->digest};
	to->records = from->records;
	to->packets = from->packets;
	to->window_first = from->window_first;
	to->window_last = from->window_last;
	to->elsewhere = from->elsewhere;
	to->lines = from->lines;
	to->logs_only = from->logs_only;
}

size_t batch_gap_encode(uint8_t *out, const struct batch_gap *gap)
{
	Fp__Gap message;

	lend_gap(&message, gap);
	return fp__gap__pack(&message, out);
}

static void lend_event(Fp__Event *to, struct batch_event *from)
{
	fp__event__init(to);
	to->kind = from->kind;
	to->time_ns = from->time_ns;
	to->n_values = from->n_values;
	to->values = from->values;
	to->text = from->text;
}

size_t batch_finish(struct batch_writer *w, const struct batch_head *head, uint8_t *out)
{
	Fp__Batch batch = FP__BATCH__INIT;
	Fp__Clock clock = FP__CLOCK__INIT;
	Fp__Gap gap[BATCH_GAPS_MAX], *gaps[BATCH_GAPS_MAX];
	Fp__Event event[BATCH_EVENTS_MAX], *events[BATCH_EVENTS_MAX];
	struct batch_head copy = *head;
	size_t len;

	batch.sequence = head->sequence;
	batch.previous = (ProtobufCBinaryData){SHA256_BYTES, copy.previous};
	batch.clock_ns = head->clock_ns;
	batch.goodbye = head->goodbye;
	batch.records_before = head->records_before;
	batch.packets_before = head->packets_before;
	batch.lines_before = head->lines_before;
	if (head->has_clock) {
		clock.offset_ns = head->offset_ns;
		clock.way_ns = head->way_ns;
		batch.clock = &clock;
	}
	for (size_t i = 0; i < w->n_gaps; i++) {
		lend_gap(&gap[i], &w->gaps[i]);
		gaps[i] = &gap[i];
	}
	batch.n_gaps = w->n_gaps;
	batch.gaps = gaps;
	for (size_t i = 0; i < w->n_events; i++) {
		lend_event(&event[i], &w->events[i]);
		events[i] = &event[i];
	}
	if (!w->has_boundary)
		w->records.n_boundary = 0;
	if (batch_endpoints(w) > 0)
		batch.endpoints = &w->endpoints.message;
	if (w->bursts.message.n_marks > 0)
		batch.bursts = &w->bursts.message;
	if (head->has_tables) {
		batch.n_tables = BATCH_TABLES;
		batch.tables = copy.tables;
	}
	batch.n_events = w->n_events;
	batch.events = events;
	batch.names = (ProtobufCBinaryData){w->names.len, w->names.bytes};
	if (batch_has_logs(w))
		batch.logs = (ProtobufCBinaryData){w->logs->len, w->logs->bytes};
	if (w->has_names_counts) {
		batch.n_names_counts = BATCH_NAMES_COUNTS;
		batch.names_counts = w->names_counts;
	}
	if (w->records.count) {
		size_t n4 = w->records.addresses4.len / 4;

		settle_indices(w->source, w->records.n_source, n4);
		settle_indices(w->destination, w->records.n_destination, n4);
		batch.records = &w->records;
	}
	batch.n_alerts = w->n_alerts;
	batch.alerts = w->alerts;
	batch.n_accounts = w->n_accounts;
	batch.accounts = w->accounts;
	len = fp__batch__pack(&batch, out);
	assert(len + BATCH_SIGNATURE_BYTES <= BATCH_WRITE_BYTES);
	reset(w);
	return len;
}
