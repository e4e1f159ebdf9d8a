// SPDX-License-Identifier: Apache-2.0
/*
 * Flow Logs files: records gathered into objects as AWS writes them to S3 (Amazon VPC User Guide, "Publish flow logs to Amazon
 * S3", "Flow log files"): one object a slot of five minutes by `end` (UTC), account and region, a further one where it grows
 * beyond 75 MB; the first line names the fields; gzip or Parquet.
 *
 *     [prefix/]AWSLogs/ACCOUNT/vpcflowlogs/REGION/YYYY/MM/DD/[HH/]
 *     [prefix/]AWSLogs/aws-account-id=ACCOUNT/aws-service=vpcflowlogs/aws-region=REGION/year=YYYY/month=MM/day=DD/[hour=HH/]
 *         ACCOUNT_vpcflowlogs_REGION_FLOWLOGID_YYYYMMDDTHHmmZ_HASH.log.gz
 *
 * Beside them, under names of their own in place of vpcflowlogs: flowproofcomplement, the records of what Flow Logs never
 * record (DNS to the VPC's resolver, metadata, time sync, ...), in the same form; and flowproofdns, DNS transactions as a
 * Route 53 Resolver query log (JSON lines), by the time of the question.
 *
 * HASH is of the content and of the place in the ledger where it begins: what is made again gets the same one, and the same
 * lines of two machines get two.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "evidence/ledger.h"
#include "evidence/object.h"
#include "platform/err.h"
#include "proto/batch.h"
#include "proto/flowrec.h"

enum {
	SLOT_S = 300,
	SLOTS_OPEN_MAX = 512,                /* under way at once; then the oldest is closed */
	SLOTS_ROLL_BYTES = 75 * 1000 * 1000, /* an object is never larger */
	SLOTS_MEMORY = 192 * 1024 * 1024,    /* held by all under way; then the oldest is closed */
	SLOTS_FLOW_LOG_ID = 24,              /* "fl-", 17 hex digits, NUL */
};

enum slots_format { SLOTS_TEXT, SLOTS_PARQUET, SLOTS_OCSF, SLOTS_FORMATS };
enum slots_layout { SLOTS_DEFAULT, SLOTS_HOURLY, SLOTS_HIVE, SLOTS_HIVE_HOURLY, SLOTS_LAYOUTS };

/* "text", ...; "default", "hourly", "hive", "hive-hourly". */
extern const char *const slots_formats[SLOTS_FORMATS];
extern const char *const slots_layouts[SLOTS_LAYOUTS];

struct slots_config {
	enum slots_format format;
	enum slots_layout layout;
	const char *prefix; /* of keys, without / at its end; "" for none. Borrowed */
	struct flowrec_format fields;
	char flow_log[SLOTS_FLOW_LOG_ID];
	size_t roll; /* bytes; 0: SLOTS_ROLL_BYTES */
	/* Is what lies in [start_s, end_s] (Unix seconds), stands in this entry and goes into the slot of at_s to be written?
	 * Asked once of everything. */
	bool (*wants)(void *ctx, const struct ledger_entry *entry, uint64_t start_s, uint64_t end_s,
		      uint64_t at_s);
	object_put_fn *put;
	void *ctx; /* of both */
};

/* Reads the words of options: "text" (default), ... and a list of fields (default: the 14 of version 2; not with ocsf); checks
 * the prefix. NULL for defaults. `option`: what they are called in errors, "" or "deliver-". ERR_USAGE. */
int slots_options(struct slots_config *ret, const char *option, const char *format,
		  const char *layout, const char *fields, const char *prefix, struct err *err);

/* "fl-..." of a store: the first digits of the random bytes that tell stores apart. */
void slots_flow_log_id(char out[static SLOTS_FLOW_LOG_ID],
		       const uint8_t store[static LEDGER_STORE_ID]);

struct slots;

/* ERR_USAGE: this build makes no gzip; -ENOMEM. The config is copied. */
int slots_new(struct slots **ret, const struct slots_config *config, struct err *err);
void slots_free(struct slots *slots);

/* Take what a replay hands on (evidence/replay.h), in its order. 0, what `put` returned, or negative: slots_error(). */
int slots_batch(struct slots *slots, const struct ledger_entry *entry,
		const struct wire_hello *hello, struct batch *batch);
int slots_gap(struct slots *slots, const struct ledger_entry *entry, const struct wire_hello *hello,
	      const struct batch_gap *gap);
/* Writes all that is under way. */
int slots_finish(struct slots *slots);
/* Forgets it. */
void slots_forget(struct slots *slots);
/* What the last failure was; "" if `put` did not say. */
const char *slots_error(const struct slots *slots);
