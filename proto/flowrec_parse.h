// SPDX-License-Identifier: Apache-2.0
/*
 * Flow Logs lines, read: Amazon's, ours, or anybody's under any list of fields.
 *
 * Strict about what a value may be, and tolerant of what is missing: every field may be `-`, and a
 * column whose name is unknown is passed over. Amazon User Guide, "Flow log records".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/flowrec.h"

enum {
	FLOWREC_COLUMNS_MAX = 128,
	FLOWREC_PARSE_MAX = 65536, /* bytes of a line */
};

/* Which field each column of a line is. */
struct flowrec_columns {
	uint8_t n;
	uint8_t field[FLOWREC_COLUMNS_MAX]; /* FLOWREC_FIELDS: unknown, passed over */
};

/* The field of a name as AWS and others write it: capitals, '_' or nothing for '-' (account_id, srcAddr), and the names of Athena's
 * older table (sourceaddress, numpackets). FLOWREC_FIELDS: none. */
enum flowrec_field flowrec_column_field(const char *name, size_t len);
/* From a file's first line or a flow log's LogFormat: names separated by blanks, tabs or commas,
 * `${name}` too, read as flowrec_column_field does. ERR_USAGE for a field named twice, for too
 * many columns, or if no name is known. */
int flowrec_columns_parse(struct flowrec_columns *ret, const char *text, size_t len,
			  struct err *err);
void flowrec_columns_of(struct flowrec_columns *ret, const struct flowrec_format *format);

/* Is this a line of names, not of values? Its first word is a field's name, which no value is. */
bool flowrec_is_header(const char *line, size_t len);

struct flowrec_span {
	const char *p; /* NULL: there is no such column, or it says `-` */
	size_t len;
};

/* A line. What it does not say is 0 in `rec` (status: FLOWREC_OK); `text` tells 0 from nothing. */
struct flowrec_line {
	struct flowrec rec; /* src, dst, family: of srcaddr and dstaddr; rule and iface: 0 */
	struct addr pkt_src, pkt_dst;           /* of pkt-srcaddr and pkt-dstaddr */
	uint8_t pkt_src_family, pkt_dst_family; /* 4, 6, 0: not said */
	struct flowrec_span
		text[FLOWREC_FIELDS]; /* each value as it stands, borrowed from the line */
};

/* Reads one line, with or without its end ("\n", "\r\n"), not NUL-terminated. ERR_FORMAT with a
 * sentence that names column, field and reason; then `ret` holds nothing of use. */
int flowrec_parse_line(struct flowrec_line *ret, const struct flowrec_columns *columns,
		       const char *line, size_t len, struct err *err);
