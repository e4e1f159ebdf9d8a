// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of the Flow Logs reader share.
 */
#pragma once

#include <sys/types.h>

#include "evidence/flowlogs.h"
#include "platform/gunzip.h"
#include "platform/json_read.h"

enum {
	FLOWLOGS_BLOCK = 256 * 1024,
	FLOWLOGS_PAD = 64, /* bytes behind a line that may be read, whatever they are */
	FLOWLOGS_ROOM = 2 * FLOWREC_PARSE_MAX + 1 + FLOWLOGS_PAD,
};

/* ---- flowlogs_source.c: bytes of a file, gzip taken off ---- */

struct flowlogs_source {
	int fd;
	bool is_begun, is_gzip, is_end; /* is_end: of the file */
	struct gunzip *gunzip;          /* kept from file to file */
	int fault;                      /* to be told at the next call; 0: none */
	struct err why;
	const uint8_t *p, *p_end;
	uint8_t raw[FLOWLOGS_BLOCK];
};

/* Up to `cap` bytes of text; 0 at the end; ERR_FORMAT, -errno. */
ssize_t flowlogs_source_read(struct flowlogs_source *source, char *out, size_t cap,
			     struct err *err);
/* At the end: was a gzip file cut? */
bool flowlogs_source_is_cut(const struct flowlogs_source *source);

/* ---- flowlogs.c ---- */

/* How the lines of the file stand. */
enum flowlogs_dress {
	FLOWLOGS_BARE,
	FLOWLOGS_VALUES, /* between commas, tabs or semicolons, perhaps in quotes */
	FLOWLOGS_TIMED,  /* a time, perhaps a stream's name, then the line */
	FLOWLOGS_EVENTS, /* CSV of times, messages and whatever else */
};

struct flowlogs {
	struct flowlogs_ops ops;
	void *ctx;
	struct flowlogs_counts counts;
	/* of --format */
	size_t n_formats;
	struct flowlogs_log formats[FLOWLOGS_FORMATS_MAX];
	/* met */
	size_t n_logs;
	struct flowlogs_log logs[FLOWLOGS_LOGS_MAX];
	/* of the file at hand */
	const char *file;
	uint64_t line, good, bad;
	char log_id[FLOWLOGS_ID_MAX];
	uint16_t log;
	bool has_plan;
	enum flowlogs_dress dress;
	char separator;   /* FLOWLOGS_VALUES */
	unsigned message; /* FLOWLOGS_EVENTS: the column, from 0 */
	bool is_heading;  /* FLOWLOGS_EVENTS: its first line is none */
	struct flowlogs_plan plan;
	struct flowlogs_source source;
	bool is_loose;     /* a record that did not stand alone was met */
	unsigned nested;   /* documents within texts of documents */
	uint64_t controls; /* control messages, which hold no line */
	char room[FLOWLOGS_ROOM];
	char loose[FLOWLOGS_ROOM];
	char text[FLOWREC_PARSE_MAX + FLOWLOGS_BLOCK + 2 + FLOWLOGS_PAD];
};

/* ---- flowlogs_line.c ---- */

/* Reads a line that ends with '\n', behind which FLOWLOGS_PAD bytes can be read, if nothing about it is unusual: where the next one begins. NULL:
 * flowlogs_parse() decides. */
const char *flowlogs_parse_usual(struct flowlogs_record *ret, const struct flowlogs_plan *plan,
				 const char *line);

/* ---- flowlogs.c ---- */

/* A line that stands bare: no prefix, separated by blanks, without its end, FLOWLOGS_PAD bytes behind it. 0, or what the record op returned. */
int flowlogs_take_line(struct flowlogs *logs, const char *line, size_t len);
/* A heading: its columns are those of the lines that follow. False: it is none. */
bool flowlogs_take_header(struct flowlogs *logs, const char *line, size_t len);
/* Columns for the lines that follow. */
void flowlogs_use_columns(struct flowlogs *logs, const struct flowrec_columns *columns);
/* Of the line at hand. */
void flowlogs_count_bad(struct flowlogs *logs, const char *reason);
void flowlogs_bad(struct flowlogs *logs, uint64_t line, const char *reason);

/* ---- flowlogs_dress.c ---- */

/* What the file's first line shows. */
void flowlogs_dress(struct flowlogs *logs, const char *line, size_t len);
/* Takes off what is not the line, of at most FLOWREC_PARSE_MAX bytes; it may then stand in `room`. False: a heading. */
bool flowlogs_undress(struct flowlogs *logs, const char **line, size_t *len);
/* A value of a table, as a word of a line: at most len + 1 bytes. A time (ISO 8601, UTC) becomes Unix seconds, 443.0 becomes 443, nothing
 * becomes `-`, a blank `_`. */
size_t flowlogs_word(char *out, const char *value, size_t len);
/* What is no text of lines, by its first bytes: a sentence that says what it is and what to do; NULL. */
const char *flowlogs_foreign(const char *text, size_t len);

/* ---- flowlogs_loose.c: lines that do not stand alone ---- */

enum flowlogs_loose {
	FLOWLOGS_LOOSE_NONE, /* it is bad */
	FLOWLOGS_LOOSE_RECORD,
	FLOWLOGS_LOOSE_HEADER,  /* taken */
	FLOWLOGS_LOOSE_OTHER,   /* a comment, or what a program printed around the lines */
	FLOWLOGS_LOOSE_TRANSIT, /* of a transit gateway */
	FLOWLOGS_LOOSE_BLANK,
	FLOWLOGS_LOOSE_END, /* nothing more */
};

/* What is in a line that flowlogs_parse refused; *line moves behind it: several may stand between
 * tabs. is_more: one was found in it before. *why: of the refusal; a better reason where one is found. */
enum flowlogs_loose flowlogs_take_loose(struct flowlogs *logs, struct flowlogs_record *ret,
					const char **line, const char *end, bool is_more,
					struct err *why);
/* Is a record by the plan at hand in it? */
bool flowlogs_fits(struct flowlogs *logs, const char *line, size_t len);

/* ---- flowlogs_json.c ---- */

/* A text of one or several JSON documents. 0, ERR_FORMAT, -ENOMEM, or what the record op returned. */
int flowlogs_take_json(struct flowlogs *logs, const char *text, size_t len, struct err *err);
/* What describe-flow-logs printed, into the formats. */
int flowlogs_read_formats(struct flowlogs *logs, const char *path, struct err *err);
