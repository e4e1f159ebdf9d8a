// SPDX-License-Identifier: Apache-2.0
/*
 * A batch: records in columns, alerts, the packet equation; one link of the stream's digest chain.
 *
 * Marks of a record, one varint: bits 0-1 direction, 2-3 initiator, 4 mirror, 5 same rule and
 * interface as the record before; 6 action, 7-9 verdict, 10-12 outcome, 13-14 status, these nine as
 * exclusive or with those of the record before (of the first: with 0), so that most marks take one byte. A
 * mirror record is the other direction of the record before it: its key columns are absent, and bit
 * 5 is clear. Only a record whose predecessor has a key may have bit 4 or 5. The common case of a
 * flow with both directions costs 11 to 13 bytes a record.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "platform/crypto_sign.h"
#include "platform/err.h"
#include "proto/blinding.h"
#include "proto/burst.h"
#include "proto/endpoint.h"
#include "proto/flowrec.h"
#include "proto/logs.h"
#include "proto/names.h"
#include "proto/wire.h"

enum {
	BATCH_RECORDS_MAX = 2048,
	BATCH_ALERTS_MAX = 64,
	BATCH_ACCOUNTS_MAX = 64,
	BATCH_GAPS_MAX = 8,
	BATCH_ENDPOINTS_MAX = 256,
	BATCH_EVENTS_MAX = 16,
	BATCH_EVENT_VALUES = 4,
	BATCH_EVENT_TEXT = 128,                           /* bytes with NUL */
	BATCH_BYTES_MAX = 256 * 1024,                     /* an encoded batch is never longer */
	BATCH_GAP_BYTES = 128,                            /* nor a Gap of its own frame */
	BATCH_SIGNATURE_BYTES = 3 + CRYPTO_SIGNATURE_MAX, /* with the field's head */

/* What this build writes. Readers take all that the limits above allow. */
#ifdef CONFIG_BATCH_RECORDS
	BATCH_WRITE_RECORDS = CONFIG_BATCH_RECORDS,
#else
	BATCH_WRITE_RECORDS = BATCH_RECORDS_MAX,
#endif
	BATCH_WRITE_ENDPOINTS = BATCH_WRITE_RECORDS / 8,
	BATCH_WRITE_ENDPOINTS_BYTES = 96 + BATCH_WRITE_ENDPOINTS * 96,
#ifdef CONFIG_NAMES
	/* Room for the longest DNS message at least. */
	BATCH_WRITE_NAMES_BYTES = BATCH_WRITE_RECORDS < 512 ? 4096 : BATCH_WRITE_RECORDS * 8,
#else
	BATCH_WRITE_NAMES_BYTES = 0,
#endif
	/* In place of records: a batch with pieces of logs holds none. */
	BATCH_WRITE_LOGS_BYTES = BATCH_WRITE_RECORDS * 32,
	/* Head, signature and the columns' tags; the longest record, alert, account, gap, event. */
	BATCH_WRITE_BYTES =
		600 + BATCH_WRITE_RECORDS * 95 + BATCH_ALERTS_MAX * 79 + BATCH_ACCOUNTS_MAX * 225 +
		BATCH_GAPS_MAX * 117 + BATCH_EVENTS_MAX * 187 + BATCH_WRITE_ENDPOINTS_BYTES +
		BATCH_WRITE_NAMES_BYTES + 8 + BATCH_NAMES_COUNTS * 10 + BATCH_WRITE_BURSTS_BYTES,
	BATCH_ALLOWANCES = 5,
};

/* The sensor's tables, and what they had no room for since the run began. A flow gives way when its places in the table are full: a
 * record goes out early, and who began it is guessed when it goes on. Merged: its endpoint is in the table of endpoints, where its
 * trace goes on; evicted: it is not. The numbers travel on the wire. */
enum batch_table {
	BATCH_FLOWS,         /* places */
	BATCH_FLOWS_EVICTED, /* records that went out early */
	BATCH_FLOWS_MERGED,
	BATCH_ENDPOINTS, /* places */
	BATCH_ENDPOINTS_KEPT,
	BATCH_ENDPOINTS_GAVE_WAY, /* to others that answered; told before they went */
	BATCH_ENDPOINTS_LEFT_OUT, /* flows whose endpoint found no room */
	BATCH_CALLS,              /* places for their rhythm; 0: it is not kept */
	BATCH_CALLS_LEFT_OUT,
	BATCH_TABLES,
	BATCH_TABLES_MAX = 32, /* that a reader takes of a newer sensor */
};
/* "flows_evicted", ... */
const char *batch_table_text(enum batch_table table);

struct batch_alert {
	struct addr local, remote;
	uint64_t time_ns;    /* Unix nanoseconds of the packet that raised it */
	uint64_t suppressed; /* alerts not sent since the one before */
	uint16_t local_port, remote_port;
	uint16_t iface;
	uint8_t family, protocol, verdict;
};

/* The packet equation of a run up to the close of a window, for one interface. */
struct batch_account {
	uint64_t window; /* Unix seconds */
	uint64_t received, recorded, live, not_ip, malformed, cut;
	uint64_t kernel_dropped, nic_dropped;
	/* Beside the equation: frames of which the capture kept a part; and of those recorded, IPv4 headers
	 * with a wrong checksum, and lengths beyond what was on the wire. */
	uint64_t snapped, bad_checksum, beyond_wire;
	/* Frames that stood for several packets of the wire; packets and bytes that were added for them. */
	uint64_t offload_frames, offload_packets, offload_bytes;
	uint64_t allowances[BATCH_ALLOWANCES]; /* enum nic_allowance, since the run began */
	/* false: the counter could not be read */
	bool kernel_known, nic_known, allowances_known;
	uint16_t iface;
};

/* received + offload_packets - (recorded + live + not_ip + malformed + cut): 0 when every frame is
 * accounted for. */
int64_t batch_account_residual(const struct batch_account *account);

/* Batches that do not come: given up because the spool was full, or acknowledged by another
 * collector. The totals are those of all of them. */
struct batch_gap {
	uint64_t first, last;
	uint64_t records, packets, lines;   /* lines: of log files */
	uint64_t window_first, window_last; /* Unix seconds: no record of them lies outside */
	uint8_t digest[SHA256_BYTES];       /* of batch `last` */
	bool elsewhere;
	bool logs_only; /* they held pieces of log files and nothing else; false: perhaps not */
};

/* What happened to the sensor. The numbers travel on the wire; a reader passes over kinds that it
 * does not know. */
enum batch_event_kind {
	BATCH_EVENT_START = 1,      /* text: the sandbox that is in force */
	BATCH_EVENT_CLOCK_STEP,     /* value: nanoseconds that the sensor's wall clock jumped */
	BATCH_EVENT_COLLECTOR_STEP, /* values: offset before, offset after, in nanoseconds: the
					  sensor's clock did not step, so the collector's did */
	BATCH_EVENT_CONNECTED,      /* value: number of the collector in the list; text: address */
	BATCH_EVENT_SPOOL_FULL, /* values: batches, records, packets, lines given up so far: told when
					  giving up begins, and when it has ended */
	BATCH_EVENT_SPOOL_RECOVERED, /* values: batches, records found in the file of the run before;
					  bytes that could not be used */
	BATCH_EVENT_INTERFACE_GONE, /* value: its number in the stream; text: its name: nothing can be
					  captured there any more, and the run ends */
	BATCH_EVENT_HOST,      /* values: seconds since the machine was started, its interfaces.
					  At the start, each minute and at the end, behind one
					  BATCH_EVENT_INTERFACE each */
	BATCH_EVENT_INTERFACE, /* values: number the kernel gave it, enum batch_interface bits,
					  packets received and sent since its driver began (-1:
					  unknown); text: its name */
	BATCH_EVENT_LINK,      /* values: as BATCH_EVENT_INTERFACE; it came, went up or down (the
					  bits tell), or is gone (bits -1) */
	BATCH_EVENT_CANARIES,  /* values since the begin: sent, come back, of both not seen by the
					  capture, refused by the kernel; text: the canary port. At each
					  window's end and the run's */
	BATCH_EVENT_BLIND,     /* values: canaries that the capture did not see, Unix seconds of
					  when they were all seen last; text: the canary port */
	BATCH_EVENT_IDENTITY,  /* values: number of the interface in the stream, enum wire_source;
					  text: device, field or kind of address, value (-: unknown) */
	BATCH_EVENT_IDENTITY_DIFFERS, /* value: number of the interface; text: device, field, what the
					  configuration says and what EC2's metadata says */
	BATCH_EVENT_METADATA_CONNECTION, /* value: local port of a connection of the sensor's own to
					  EC2's metadata; text: its other end */
	BATCH_EVENT_METADATA, /* values: requests, failures, items that it does not have, interfaces
					  that it knows; text: "answered", or why it was given up */
	/* Log files of the host. First value: the file's number in the Hello */
	BATCH_EVENT_LOG_OPENED,   /* values: file, inode, size, offset from which it is read */
	BATCH_EVENT_LOG_ROTATED,  /* values: file, inode of the old one, of the new one (0: none
				       yet), bytes of the old one that came; text: its new name */
	BATCH_EVENT_LOG_SHRANK,   /* values: file, inode, size before, size now */
	BATCH_EVENT_LOG_VANISHED, /* values: file, inode, size, names that it has elsewhere still */
	BATCH_EVENT_LOG_REWRITTEN, /* values: file, inode, offset up to which it was read, size now */
	BATCH_EVENT_LOG_UNREADABLE, /* values: file, errno; text: why it is not read (any more) */
	BATCH_EVENT_BLINDING, /* values: enum batch_blinding, number of the interface in the stream (-1:
					    of none), how many more than told before (of things that are there
					    or not 1, each time); text: of which interface, what and whose */
	BATCH_EVENT_BLIND_CHECK, /* values: things found, enum batch_unchecked bits, packets that the
					    interfaces counted since the start, of them unseen. Behind what
					    was found, at the start, each minute and at the end. Text: who
					    has a packet socket and is expected to */
	BATCH_EVENT_KINDS
};

enum batch_interface { BATCH_INTERFACE_UP = 1, BATCH_INTERFACE_CAPTURED = 2 };

struct batch_event {
	uint64_t time_ns; /* the sensor's wall clock */
	int64_t values[BATCH_EVENT_VALUES];
	uint8_t n_values;
	uint8_t kind; /* enum batch_event_kind */
	char text[BATCH_EVENT_TEXT];
};

/* Of which interface of the stream an event tells; 0 if of none. */
uint16_t batch_event_interface(const struct batch_event *event);
/* "clock-step", ...; "event-N" for one that is not known. `out`: BATCH_EVENT_TEXT bytes. */
const char *batch_event_name(char *out, uint8_t kind);

/* What the chain needs of a batch. */
struct batch_head {
	uint64_t sequence;
	uint64_t clock_ns;
	uint8_t previous[SHA256_BYTES];
	bool goodbye;
	/* Of the stream, what was given up included. */
	uint64_t records_before, packets_before, lines_before;
	bool has_clock;
	int64_t offset_ns; /* sensor's clock less the collector's */
	uint64_t way_ns;   /* there and back: the offset is right to half of it */
	bool is_signed;
	bool has_tables;
	uint64_t tables[BATCH_TABLES]; /* enum batch_table */
};

/* ---- writing (sensor): everything is allocated by batch_writer_new() ---- */

struct batch_writer;

int batch_writer_new(struct batch_writer **ret);
void batch_writer_free(struct batch_writer *writer);
/* Bytes that a writer takes. */
size_t batch_writer_memory(void);
size_t batch_writer_logs_memory(void);

/* Each returns false when the batch has no room: finish it, begin the next, add again. Times beyond
 * INT64_MAX are cut to it, an end before its start to the start. */
bool batch_add_record(struct batch_writer *writer, const struct flowrec *rec);
bool batch_add_alert(struct batch_writer *writer, const struct batch_alert *alert);
bool batch_add_account(struct batch_writer *writer, const struct batch_account *account);
bool batch_add_gap(struct batch_writer *writer, const struct batch_gap *gap);
bool batch_add_event(struct batch_writer *writer, const struct batch_event *event);
bool batch_add_endpoint(struct batch_writer *writer, const struct endpoint_digest *digest);
bool batch_add_burst(struct batch_writer *writer, const struct batch_burst *burst);
/* Only with CONFIG_NAMES. The texts are copied; they must be as names.h says. Counts replace those
 * that the batch has. */
bool batch_add_dns(struct batch_writer *writer, const struct batch_dns *dns);
bool batch_add_name(struct batch_writer *writer, const struct batch_name *name);
bool batch_add_http(struct batch_writer *writer, const struct batch_http *http);
/* Only with CONFIG_TAIL, and after batch_writer_logs(), which allocates (-ENOMEM). Pieces of logs go into a batch
 * without records, and the other way round. What fits of a piece is taken. */
int batch_writer_logs(struct batch_writer *writer);
bool batch_add_log(struct batch_writer *writer, const struct batch_log *piece, size_t *ret_taken);
void batch_set_names_counts(struct batch_writer *writer,
			    const uint64_t counts[static BATCH_NAMES_COUNTS]);
/* What is in it so far. */
size_t batch_records(const struct batch_writer *writer);
size_t batch_alerts(const struct batch_writer *writer);
size_t batch_endpoints(const struct batch_writer *writer);
size_t batch_lines(const struct batch_writer *writer);
bool batch_is_empty(const struct batch_writer *writer);
/* Holds pieces of logs: what a full spool gives up first. */
bool batch_has_logs(const struct batch_writer *writer);
/* Holds an alert, an event, a gap or an endpoint: what a full spool gives up last. */
bool batch_must_be_kept(const struct batch_writer *writer);

/* Encodes into `out` (BATCH_WRITE_BYTES bytes), gives the length, and empties the writer. Room for a
 * signature is left. */
size_t batch_finish(struct batch_writer *writer, const struct batch_head *head, uint8_t *out);

/* The message of a Gap's own frame; `out` holds BATCH_GAP_BYTES bytes. */
size_t batch_gap_encode(uint8_t *out, const struct batch_gap *gap);

/* ---- reading (collector, analyst) ---- */

struct batch;

/* Checks everything: sizes of columns, indices, marks, ports; unknown fields are refused. Does not
 * keep `bytes`. ERR_FORMAT with the reason, -ENOMEM. */
int batch_open(struct batch **ret, const uint8_t *bytes, size_t len, struct err *err);
void batch_free(struct batch *batch);
const struct batch_head *batch_head(const struct batch *batch);
/* The next record, in order; false at the end. */
bool batch_next(struct batch *batch, struct flowrec *ret);
size_t batch_record_count(const struct batch *batch);
/* Packets of all its records. */
uint64_t batch_packet_count(const struct batch *batch);
/* Line ends in its pieces of logs. */
uint64_t batch_line_count(const struct batch *batch);
/* Borrowed arrays; their texts are the batch's. */
const struct batch_alert *batch_alert_list(const struct batch *batch, size_t *ret_n);
const struct batch_account *batch_account_list(const struct batch *batch, size_t *ret_n);
const struct batch_gap *batch_gap_list(const struct batch *batch, size_t *ret_n);
const struct batch_event *batch_event_list(const struct batch *batch, size_t *ret_n);
const struct endpoint_digest *batch_endpoint_list(const struct batch *batch, size_t *ret_n);
const struct batch_burst *batch_burst_list(const struct batch *batch, size_t *ret_n);
const struct batch_dns *batch_dns_list(const struct batch *batch, size_t *ret_n);
const struct batch_name *batch_name_list(const struct batch *batch, size_t *ret_n);
const struct batch_http *batch_http_list(const struct batch *batch, size_t *ret_n);
const struct batch_log *batch_log_list(const struct batch *batch, size_t *ret_n);
/* By enum batch_names_count; *ret_n is 0 when the batch has none. */
const uint64_t *batch_names_counts(const struct batch *batch, size_t *ret_n);

/* ERR_FORMAT with the reason. */
int batch_gap_decode(struct batch_gap *ret, const uint8_t *bytes, size_t len, struct err *err);

/* ---- chain ---- */

/* The digest that batch 1 names as `previous`. */
void batch_chain_start(uint8_t out[static SHA256_BYTES], const uint8_t *stream_id);

/* Where a stream's chain stands: the last batch or gap taken. */
struct batch_chain {
	uint64_t sequence; /* 0: none yet */
	uint8_t digest[SHA256_BYTES];
	bool counts; /* the next two are known: the chain was followed from batch 1 on */
	uint64_t records, packets, lines; /* of all batches up to `sequence` */
};

/* May a batch with this head follow? 0; ERR_EXISTS when the sequence was taken before (a repeat:
 * harmless); ERR_FORMAT when it does not follow, with what was wrong. Does not advance the chain.
 */
int batch_chain_check(const struct batch_chain *chain, const struct batch_head *head,
		      struct err *err);
/* The same for a gap. It may begin with batches that the chain has: they were on their way when the
 * sensor gave them up. */
int batch_chain_check_gap(const struct batch_chain *chain, const struct batch_gap *gap,
			  struct err *err);
/* The chain goes on over a batch of this digest that holds so much. */
void batch_chain_take(struct batch_chain *chain, const struct batch_head *head,
		      const uint8_t digest[static SHA256_BYTES], uint64_t records, uint64_t packets,
		      uint64_t lines);
/* The chain goes on over a gap. What it held is believed until the next batch says so too. */
void batch_chain_take_gap(struct batch_chain *chain, const struct batch_gap *gap);

/* ---- signature ---- */

/* Signs an encoded batch: appends the field, at most BATCH_SIGNATURE_BYTES. The new length. */
size_t batch_sign(uint8_t *bytes, size_t len, const uint8_t stream[static WIRE_STREAM_ID],
		  struct crypto_signer *signer);
enum batch_signature { BATCH_UNSIGNED, BATCH_SIGNED, BATCH_FORGED };
/* Judges the signature of an encoded batch by a certificate (DER). A batch whose signature is not
 * the last field, or twice there, is forged. */
enum batch_signature batch_signature_check(const uint8_t *bytes, size_t len,
					   const uint8_t stream[static WIRE_STREAM_ID],
					   const uint8_t *certificate, size_t certificate_len);
