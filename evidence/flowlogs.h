// SPDX-License-Identifier: Apache-2.0
/*
 * Flow Logs, read: files, folders and streams in any of the forms in which AWS hands them out or
 * people keep them.
 *
 * Plain text or gzip; with a header line, or under a format that is given, or the default one; Security
 * Lake's commas; CloudWatch Logs exports (a time before each line), its subscription payload and
 * filter-log-events documents; JSON documents that hold the line or the fields. Each line is a record,
 * a header, a line of a transit gateway, or bad, and is counted as that. Amazon VPC User Guide, "Flow
 * log records", "Publish flow logs to Amazon S3", "... to CloudWatch Logs".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/addr.h"
#include "platform/err.h"
#include "proto/flowrec.h"
#include "proto/flowrec_parse.h"

enum {
	FLOWLOGS_LOGS_MAX =
		1024,         /* flow logs that are told apart; further ones count as the last */
	FLOWLOGS_ID_MAX = 64, /* bytes of a flow log's ID with NUL */
	FLOWLOGS_FORMATS_MAX = 256,      /* of --format @FILE */
	FLOWLOGS_DOCUMENT_MAX = 1 << 28, /* bytes of a JSON document */
};

/* Which values a line has; the others are 0 and mean nothing. */
enum flowlogs_has {
	FLOWLOGS_HAS_SRC = 1 << 0,
	FLOWLOGS_HAS_DST = 1 << 1,
	FLOWLOGS_HAS_PKT_SRC = 1 << 2,
	FLOWLOGS_HAS_PKT_DST = 1 << 3,
	FLOWLOGS_HAS_SRCPORT = 1 << 4,
	FLOWLOGS_HAS_DSTPORT = 1 << 5,
	FLOWLOGS_HAS_PROTOCOL = 1 << 6,
	FLOWLOGS_HAS_PACKETS = 1 << 7,
	FLOWLOGS_HAS_BYTES = 1 << 8,
	FLOWLOGS_HAS_START = 1 << 9,
	FLOWLOGS_HAS_END = 1 << 10,
	FLOWLOGS_HAS_ACTION = 1 << 11,
	FLOWLOGS_HAS_DIRECTION = 1 << 12,
	FLOWLOGS_HAS_STATUS = 1 << 13,
	FLOWLOGS_HAS_FLAGS = 1 << 14,
};

struct flowlogs_record {
	struct flowrec rec; /* src and dst of srcaddr and dstaddr; rule, iface, outcome: 0 */
	struct addr pkt_src, pkt_dst;
	uint8_t pkt_src_family, pkt_dst_family;
	uint16_t log;                  /* index of the flow log */
	uint32_t has;                  /* enum flowlogs_has */
	struct flowrec_span interface; /* interface-id, borrowed from the line */
};

struct flowlogs_counts {
	uint64_t files, members; /* gzip members */
	uint64_t lines;          /* all below */
	uint64_t records, nodata, skipdata, headers, transit, blank, bad;
	uint64_t bytes;     /* of text, behind gzip */
	uint64_t truncated; /* gzip files that end within a member */
	uint64_t failed;    /* files that could not be read to their end, or are mostly bad */
};

/* A flow log as describe-flow-logs or a file's name tells it. */
struct flowlogs_log {
	char id[FLOWLOGS_ID_MAX]; /* "fl-..."; a log group's name; "" for one without name */
	struct flowrec_columns columns;
	bool has_columns;
	char traffic;      /* 'A' ALL, 'a' ACCEPT, 'r' REJECT, 0 unknown */
	uint32_t interval; /* MaxAggregationInterval in s, 0 unknown */
};

/* Any may be NULL. */
struct flowlogs_ops {
	/* Each record, NODATA and SKIPDATA line. Not 0: reading ends with it. */
	int (*record)(void *ctx, const struct flowlogs_record *record);
	/* A line that is none, or a file that fails (line 0). */
	void (*bad)(void *ctx, const char *file, uint64_t line, const char *reason);
	/* Once in a while. */
	void (*progress)(void *ctx, const struct flowlogs_counts *counts, const char *file);
};

struct flowlogs;

int flowlogs_new(struct flowlogs **ret, const struct flowlogs_ops *ops, void *ctx); /* -ENOMEM */
void flowlogs_free(struct flowlogs *logs);

/* The format of files without header: field names, or "@FILE" with what describe-flow-logs printed (its
 * LogFormat, by flow log ID where a file's name tells it). ERR_USAGE names the remedy. */
int flowlogs_format(struct flowlogs *logs, const char *format, struct err *err);

/* Reads a file, a folder with all below it in order of the names, or standard input ("-"). What a file
 * lacks is told and counted, and reading goes on with the next; negative only if `path` cannot be opened
 * or memory is out; what the record op returned. */
int flowlogs_read(struct flowlogs *logs, const char *path, struct err *err);

const struct flowlogs_counts *flowlogs_counts(const struct flowlogs *logs);
/* The flow logs met so far, by index. */
const struct flowlogs_log *flowlogs_log(const struct flowlogs *logs, uint16_t index);
size_t flowlogs_n_logs(const struct flowlogs *logs);

/* ---- one line, for whoever has it already ---- */

/* What a list of columns makes of a line; flowlogs_line.c. */
struct flowlogs_plan {
	struct flowrec_columns columns;
	uint8_t op[FLOWREC_COLUMNS_MAX];
	uint32_t has; /* what a line has that has all its columns, enum flowlogs_has */
	bool is_default;
	bool is_transit; /* columns of a transit gateway's flow log */
};
void flowlogs_plan(struct flowlogs_plan *ret, const struct flowrec_columns *columns);
/* Reads a line without its end. 0; 1: a line of a transit gateway; ERR_FORMAT with the reason. */
int flowlogs_parse(struct flowlogs_record *ret, const struct flowlogs_plan *plan, const char *line,
		   size_t len, struct err *err);
/* As flowlogs_parse, by the strict reader alone; for the fuzz target. */
int flowlogs_parse_slowly(struct flowlogs_record *ret, const struct flowlogs_plan *plan,
			  const char *line, size_t len, struct err *err);
