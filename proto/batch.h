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

#include "platform/crypto.h"
#include "platform/err.h"
#include "proto/flowrec.h"

enum {
	BATCH_RECORDS_MAX = 2048,
	BATCH_ALERTS_MAX = 64,
	BATCH_ACCOUNTS_MAX = 64,
	BATCH_BYTES_MAX = 256 * 1024, /* an encoded batch is never longer */

/* What this build writes. Readers take all that the limits above allow. */
#ifdef CONFIG_BATCH_RECORDS
	BATCH_WRITE_RECORDS = CONFIG_BATCH_RECORDS,
#else
	BATCH_WRITE_RECORDS = BATCH_RECORDS_MAX,
#endif
	/* Head, gap and the columns' tags; the longest record, alert and account. */
	BATCH_WRITE_BYTES =
		512 + BATCH_WRITE_RECORDS * 92 + BATCH_ALERTS_MAX * 79 + BATCH_ACCOUNTS_MAX * 225,
	BATCH_ALLOWANCES = 5,
};

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

struct batch_gap {
	uint64_t first, last;
	uint64_t records, packets;
	uint64_t window_first, window_last;
	uint8_t digest[SHA256_BYTES];
};

/* What the chain needs of a batch. */
struct batch_head {
	uint64_t sequence;
	uint64_t clock_ns;
	uint8_t previous[SHA256_BYTES];
	bool goodbye;
	bool has_gap;
	struct batch_gap gap;
};

/* ---- writing (sensor): everything is allocated by batch_writer_new() ---- */

struct batch_writer;

int batch_writer_new(struct batch_writer **ret);
void batch_writer_free(struct batch_writer *writer);
/* Bytes that a writer takes. */
size_t batch_writer_memory(void);

/* Each returns false when the batch has no room: finish it, begin the next, add again. Times beyond
 * INT64_MAX are cut to it, an end before its start to the start. */
bool batch_add_record(struct batch_writer *writer, const struct flowrec *rec);
bool batch_add_alert(struct batch_writer *writer, const struct batch_alert *alert);
bool batch_add_account(struct batch_writer *writer, const struct batch_account *account);
/* What is in it so far. */
size_t batch_records(const struct batch_writer *writer);
size_t batch_alerts(const struct batch_writer *writer);
bool batch_is_empty(const struct batch_writer *writer);

/* Encodes into `out` (BATCH_WRITE_BYTES bytes), gives the length, and empties the writer. */
size_t batch_finish(struct batch_writer *writer, const struct batch_head *head, uint8_t *out);

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
/* Borrowed arrays. */
const struct batch_alert *batch_alert_list(const struct batch *batch, size_t *ret_n);
const struct batch_account *batch_account_list(const struct batch *batch, size_t *ret_n);

/* ---- chain ---- */

/* The digest that batch 1 names as `previous`. */
void batch_chain_start(uint8_t out[static SHA256_BYTES], const uint8_t *stream_id);

/* Where a stream's chain stands: the last batch taken. */
struct batch_chain {
	uint64_t sequence; /* 0: none yet */
	uint8_t digest[SHA256_BYTES];
};

/* May a batch with this head follow? 0; ERR_EXISTS when the sequence was taken before (a repeat:
 * harmless); ERR_FORMAT when it does not follow, with what was wrong. Does not advance the chain.
 */
int batch_chain_check(const struct batch_chain *chain, const struct batch_head *head,
		      struct err *err);
