// SPDX-License-Identifier: Apache-2.0
/*
 * Flow Logs, read: the walk through files and folders, and through the lines of a file.
 */
#include "evidence/flowlogs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evidence/flowlogs_parts.h"

enum {
	PATH_BYTES = 3072,
	DEPTH_MAX = 32, /* folders within one another */
};

#define SECONDS_MAX UINT64_C(253402300799) /* the last of the year 9999 */

int flowlogs_new(struct flowlogs **ret, const struct flowlogs_ops *ops, void *ctx)
{
	struct flowlogs *logs = calloc(1, sizeof *logs);

	if (!logs)
		return -ENOMEM;
	logs->ops = *ops;
	logs->ctx = ctx;
	logs->source.fd = -1;
	*ret = logs;
	return 0;
}

void flowlogs_free(struct flowlogs *logs)
{
	if (!logs)
		return;
	gunzip_free(logs->source.gunzip);
	free(logs);
}

const struct flowlogs_counts *flowlogs_counts(const struct flowlogs *logs)
{
	return &logs->counts;
}

const struct flowlogs_log *flowlogs_log(const struct flowlogs *logs, uint16_t index)
{
	return &logs->logs[index];
}

size_t flowlogs_n_logs(const struct flowlogs *logs)
{
	return logs->n_logs;
}

int flowlogs_format(struct flowlogs *logs, const char *format, struct err *err)
{
	struct flowlogs_log *one = &logs->formats[0];
	struct err why;

	if (format[0] == '@')
		return flowlogs_read_formats(logs, format + 1, err);
	if (flowrec_columns_parse(&one->columns, format, strlen(format), &why) < 0)
		return err_set(err, ERR_USAGE, "--format: %s", why.text);
	one->has_columns = true;
	logs->n_formats = 1;
	return 0;
}

/* ---- which flow log ---- */

static bool same_columns(const struct flowrec_columns *a, const struct flowrec_columns *b)
{
	return a->n == b->n && memcmp(a->field, b->field, a->n) == 0;
}

static const struct flowlogs_log *format_of(const struct flowlogs *logs, const char *id)
{
	for (size_t i = 0; *id && i < logs->n_formats; i++) {
		if (strcmp(logs->formats[i].id, id) == 0)
			return &logs->formats[i];
	}
	return NULL;
}

/* The flow log whose lines have these columns: one with an ID is one whatever its columns are. */
static uint16_t log_index(struct flowlogs *logs, const struct flowrec_columns *columns)
{
	const struct flowlogs_log *known = format_of(logs, logs->log_id);
	struct flowlogs_log *log;
	size_t i = 0;

	while (i < logs->n_logs &&
	       (strcmp(logs->logs[i].id, logs->log_id) != 0 ||
		(!*logs->log_id && !same_columns(&logs->logs[i].columns, columns))))
		i++;
	if (i == FLOWLOGS_LOGS_MAX)
		return FLOWLOGS_LOGS_MAX - 1;
	if (i < logs->n_logs)
		return (uint16_t)i;
	log = &logs->logs[logs->n_logs++];
	*log = (struct flowlogs_log){.columns = *columns, .has_columns = true};
	memcpy(log->id, logs->log_id, sizeof log->id);
	if (!known && logs->n_formats == 1)
		known = &logs->formats[0];
	if (known) {
		log->traffic = known->traffic;
		log->interval = known->interval;
	}
	return (uint16_t)i;
}

void flowlogs_use_columns(struct flowlogs *logs, const struct flowrec_columns *columns)
{
	flowlogs_plan(&logs->plan, columns);
	logs->log = log_index(logs, columns);
	logs->has_plan = true;
}

/* 111111111111_vpcflowlogs_us-east-2_fl-023c6afa025ee5a04_20230128T0930Z_0123.log.gz */
static void read_name(struct flowlogs *logs, const char *path)
{
	const char *base = strrchr(path, '/');
	const char *id = strstr(base ? base : path, "_fl-");
	size_t n = id ? strspn(++id + 3, "0123456789abcdef") + 3 : 0;

	memset(logs->log_id, 0, sizeof logs->log_id);
	if (n > 3 && n < sizeof logs->log_id)
		memcpy(logs->log_id, id, n);
}

/* Of a file without header: the format of its flow log, the only one there is, the only one of
 * several that fits its first line, or Amazon's default. */
static void choose_columns(struct flowlogs *logs, const char *line, size_t len)
{
	const struct flowlogs_log *format = format_of(logs, logs->log_id);
	struct flowrec_format standard;
	struct flowrec_columns columns;
	size_t fits = 0;

	for (size_t i = 0; !format && i < logs->n_formats; i++) {
		flowlogs_plan(&logs->plan, &logs->formats[i].columns);
		if (logs->n_formats == 1 || flowlogs_fits(logs, line, len))
			fits++, columns = logs->formats[i].columns;
	}
	if (format) {
		columns = format->columns;
	} else if (fits != 1) {
		flowrec_format_default(&standard);
		flowrec_columns_of(&columns, &standard);
	}
	flowlogs_use_columns(logs, &columns);
}

/* ---- lines ---- */

void flowlogs_bad(struct flowlogs *logs, uint64_t line, const char *reason)
{
	if (logs->ops.bad)
		logs->ops.bad(logs->ctx, logs->file, line, reason);
}

void flowlogs_count_bad(struct flowlogs *logs, const char *reason)
{
	logs->bad++;
	logs->counts.bad++;
	flowlogs_bad(logs, logs->line, reason);
}

/* By its first four bytes. */
static bool may_be_header(const char *line)
{
	return line[0] == '$' || (line[0] >= 'a' && line[0] <= 'z' && memcmp(line, "eni-", 4) != 0);
}

/* Most of its words are names of fields; the first may be one that is new. */
static bool is_header(const char *line, size_t len, bool is_first, struct flowrec_columns *ret)
{
	struct err err;
	size_t known = 0;

	if (!may_be_header(line) &&
	    !(is_first && (line[0] == '@' || line[0] == '-' || (line[0] >= 'A' && line[0] <= 'Z'))))
		return false;
	if (flowrec_columns_parse(ret, line, len, &err) < 0)
		return false;
	for (size_t i = 0; i < ret->n; i++)
		known += ret->field[i] < FLOWREC_FIELDS;
	return 2 * known > ret->n || flowrec_is_header(line, len);
}

bool flowlogs_take_header(struct flowlogs *logs, const char *line, size_t len)
{
	struct flowrec_columns columns;

	if (!is_header(line, len, logs->good == 0, &columns))
		return false;
	flowlogs_use_columns(logs, &columns);
	logs->plan.is_transit = memmem(line, len, "tgw-id", 6) != NULL;
	logs->counts.headers++;
	return true;
}

static int take_record(struct flowlogs *logs, struct flowlogs_record *record)
{
	uint64_t *count = record->rec.status == FLOWREC_NODATA     ? &logs->counts.nodata
			  : record->rec.status == FLOWREC_SKIPDATA ? &logs->counts.skipdata
								   : &logs->counts.records;

	if (record->rec.start > SECONDS_MAX || record->rec.end > SECONDS_MAX) {
		flowlogs_count_bad(
			logs, "its start or end lies beyond the year 9999: Unix seconds are read, "
			      "these may be milliseconds");
		return 0;
	}

	(*count)++;
	logs->good++;
	record->log = logs->log;
	return logs->ops.record ? logs->ops.record(logs->ctx, record) : 0;
}

/* A line that the reader refused. */
static int take_loose(struct flowlogs *logs, const char *line, size_t len, struct err *why)
{
	const char *end = line + len;
	struct flowlogs_record record;
	bool is_more = false;
	int rc = 0;

	for (; rc == 0 && (!is_more || line < end); is_more = true) {
		enum flowlogs_loose found =
			flowlogs_take_loose(logs, &record, &line, end, is_more, why);

		logs->counts.lines += is_more && found != FLOWLOGS_LOOSE_END;
		switch (found) {
		case FLOWLOGS_LOOSE_RECORD: rc = take_record(logs, &record); break;
		case FLOWLOGS_LOOSE_OTHER: logs->counts.headers++; break;
		case FLOWLOGS_LOOSE_BLANK: logs->counts.blank++; break;
		case FLOWLOGS_LOOSE_TRANSIT:
			logs->counts.transit++;
			logs->good++;
			break;
		case FLOWLOGS_LOOSE_NONE: flowlogs_count_bad(logs, why->text); break;
		case FLOWLOGS_LOOSE_HEADER:
		case FLOWLOGS_LOOSE_END: break;
		}
	}
	return rc;
}

int flowlogs_take_line(struct flowlogs *logs, const char *line, size_t len)
{
	struct flowlogs_record record;
	struct err err;
	int rc;

	logs->counts.lines++;
	if (len == 0) {
		logs->counts.blank++;
		return 0;
	}
	if (flowlogs_take_header(logs, line, len))
		return 0;
	if (!logs->has_plan)
		choose_columns(logs, line, len);
	rc = flowlogs_parse(&record, &logs->plan, line, len, &err);
	if (rc == 0)
		return take_record(logs, &record);
	if (rc < 0)
		return take_loose(logs, line, len, &err);
	logs->counts.transit++;
	logs->good++;
	return 0;
}

static int take_dressed(struct flowlogs *logs, const char *line, size_t len)
{
	logs->line++;
	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (logs->line == 1 && len > 3 &&
	    memcmp(line, "\xef\xbb\xbf", 3) == 0) { /* byte order mark */
		line += 3;
		len -= 3;
	}
	if (len > FLOWREC_PARSE_MAX) {
		logs->counts.lines++;
		flowlogs_count_bad(logs, "a line of more than 65536 bytes");
		return 0;
	}
	if (logs->line == 1)
		flowlogs_dress(logs, line, len);
	if (logs->dress == FLOWLOGS_BARE || len == 0)
		return flowlogs_take_line(logs, line, len);
	if (flowlogs_undress(logs, &line, &len))
		return flowlogs_take_line(logs, line, len);
	logs->counts.lines++;
	logs->counts.headers++;
	return 0;
}

/* ---- a file ---- */

/* The rest of a line whose begin does not fit is passed over. */
struct line_state {
	size_t have;
	bool is_long;
};

/* A line of those that nearly all are. Where the next one begins; NULL: this one wants a closer look. */
static const char *take_usual(struct flowlogs *logs, const char *line, int *rc)
{
	struct flowlogs_record record;
	const char *next = NULL;

	if (logs->dress == FLOWLOGS_BARE && logs->has_plan && logs->good > 0 &&
	    !may_be_header(line))
		next = flowlogs_parse_usual(&record, &logs->plan, line);
	if (next) {
		logs->line++;
		logs->counts.lines++;
		*rc = take_record(logs, &record);
	}
	return next;
}

/* Takes the whole lines of the text, keeps the begin of the last. */
static int take_lines(struct flowlogs *logs, struct line_state *state)
{
	const char *p = logs->text, *end = logs->text + state->have, *next;
	const char *stop = memrchr(p, '\n', state->have); /* nothing is read beyond this one */
	int rc = 0;

	while (rc == 0 && stop && p <= stop) {
		next = state->is_long ? NULL : take_usual(logs, p, &rc);
		if (!next) {
			next = (const char *)memchr(p, '\n', (size_t)(end - p)) + 1;
			if (!state->is_long)
				rc = take_dressed(logs, p, (size_t)(next - 1 - p));
			state->is_long = false;
		}
		p = next;
	}
	state->have = (size_t)(end - p);
	if (state->have > FLOWREC_PARSE_MAX) {
		if (!state->is_long)
			rc = rc ? rc : take_dressed(logs, p, state->have);
		state->is_long = true;
		state->have = 0;
	}
	memmove(logs->text, p, state->have);
	return rc;
}

static int read_lines(struct flowlogs *logs, size_t have, struct err *err)
{
	struct line_state state = {.have = have};
	ssize_t n = (ssize_t)have;
	int rc = 0;

	while (rc == 0 && n > 0) {
		rc = take_lines(logs, &state);
		if (rc != 0)
			return rc;
		if (logs->ops.progress)
			logs->ops.progress(logs->ctx, &logs->counts, logs->file);
		n = flowlogs_source_read(&logs->source, logs->text + state.have, FLOWLOGS_BLOCK,
					 err);
		if (n > 0) {
			logs->counts.bytes += (uint64_t)n;
			state.have += (size_t)n;
		}
	}
	if (state.have > 0 && !state.is_long) {
		if (n < 0 || flowlogs_source_is_cut(&logs->source)) {
			logs->line++;
			logs->counts.lines++;
			flowlogs_count_bad(logs, "the file is cut within this line");
		} else {
			rc = take_dressed(logs, logs->text, state.have);
		}
	}
	return rc ? rc : n < 0 ? (int)n : 0;
}

static int read_document(struct flowlogs *logs, size_t have, struct err *err)
{
	size_t cap = 2 * sizeof logs->text;
	char *text = malloc(cap), *more;
	ssize_t n = 0;
	int rc = 0;

	if (text)
		memcpy(text, logs->text, have);
	while (text && have < FLOWLOGS_DOCUMENT_MAX) {
		n = flowlogs_source_read(&logs->source, text + have, cap - have - 1, err);
		if (n <= 0)
			break;
		have += (size_t)n;
		logs->counts.bytes += (uint64_t)n;
		if (cap - have > 1)
			continue;
		more = realloc(text, cap *= 2);
		if (!more)
			free(text);
		text = more;
	}
	if (!text)
		rc = err_set(err, -ENOMEM, "no memory for a JSON document");
	else if (have >= FLOWLOGS_DOCUMENT_MAX)
		rc = err_set(
			err, ERR_FORMAT,
			"JSON of more than %d MiB: cut it into several files, or extract the lines "
			"with jq -r '..|.message?//empty'",
			FLOWLOGS_DOCUMENT_MAX >> 20);
	if (rc == 0)
		rc = flowlogs_take_json(logs, text, have, err);
	free(text);
	return rc ? rc : n < 0 ? (int)n : 0;
}

/* "[" begins a time or a name as well. */
static bool is_json(const char *p, const char *end)
{
	if (end - p > 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;
	while (p < end && memchr(" \t\r\n\x1e", *p, 5))
		p++;
	if (p == end || *p != '[')
		return p < end && *p == '{';
	for (p++; p < end && memchr(" \t\r\n", *p, 4);)
		p++;
	return p == end || memchr("{[\"]", *p, 4);
}

static int read_open(struct flowlogs *logs, struct err *err)
{
	ssize_t n = flowlogs_source_read(&logs->source, logs->text, FLOWLOGS_BLOCK, err);
	const char *p = logs->text, *foreign;

	if (n <= 0)
		return (int)n;
	logs->counts.bytes += (uint64_t)n;
	if (n >= 4 && memcmp(p, "PAR1", 4) == 0)
		return err_set(
			err, ERR_FORMAT,
			"Parquet is not read; make it text:  duckdb -c \"COPY (FROM '%s') TO "
			"'flow.log' (FORMAT csv, HEADER, DELIMITER ' ', NULLSTR '-')\"",
			logs->file);
	foreign = flowlogs_foreign(p, (size_t)n);
	if (foreign)
		return err_set(err, ERR_FORMAT, "%s", foreign);
	if (is_json(p, p + n))
		return read_document(logs, (size_t)n, err);
	return read_lines(logs, (size_t)n, err);
}

/* Tells what is wrong with the file as a whole. */
static int judge_file(struct flowlogs *logs, int rc, struct err *err)
{
	if (logs->source.is_gzip)
		logs->counts.members += gunzip_members(logs->source.gunzip);
	if (rc == -ENOMEM || rc > 0)
		return rc;
	if (rc == 0 && flowlogs_source_is_cut(&logs->source)) {
		logs->counts.truncated++;
		flowlogs_bad(logs, 0,
			     "its gzip data ends too early: the file is cut, fetch it again");
	}
	if (rc == 0 && logs->bad > logs->good)
		rc = err_set(err, ERR_FORMAT,
			     "%llu of %llu lines are no lines of this format: name its fields with "
			     "--format, or give what describe-flow-logs printed as --format @FILE",
			     (unsigned long long)logs->bad,
			     (unsigned long long)(logs->bad + logs->good));
	if (rc < 0) {
		logs->counts.failed++;
		flowlogs_bad(logs, 0, err->text);
	}
	return 0;
}

static int read_file(struct flowlogs *logs, const char *path, int fd, struct err *err)
{
	struct flowlogs_source *source = &logs->source;
	int rc;

	logs->file = path;
	logs->line = logs->good = logs->bad = 0;
	logs->is_loose = false;
	logs->nested = 0;
	logs->has_plan = false;
	logs->plan.is_transit = false;
	logs->dress = FLOWLOGS_BARE;
	logs->counts.files++;
	read_name(logs, path);
	source->fd = fd;
	source->is_begun = source->is_gzip = source->is_end = false;
	source->fault = 0;
	source->p = source->p_end = source->raw;
	rc = judge_file(logs, read_open(logs, err), err);
	source->fd = -1;
	return rc;
}

/* ---- folders ---- */

static int read_path(struct flowlogs *logs, const char *path, unsigned depth, struct err *err);

/* What `flowproof export` and deliveries write beside Flow Logs is none (evidence/slots.h). */
static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && !strstr(entry->d_name, "_flowproof");
}

/* A bucket's AWSLogs/ACCOUNT/ has a folder for each service. */
static bool is_of_another_service(const char *path)
{
	static const char *const services[] = {
		"CloudTrail",
		"CloudTrail-Digest",
		"CloudTrail-Insight",
		"CloudFront",
		"Config",
		"GuardDuty",
		"RedshiftLogs",
		"WAFLogs",
		"elasticloadbalancing",
		"globalaccelerator",
		"network-firewall",
		"vpcdnsquerylogs",
	};
	static const char hive[] = "aws-service=";
	const char *name = strrchr(path, '/');

	name = name ? name + 1 : path;
	if (strncmp(name, hive, sizeof hive - 1) == 0)
		return strcmp(name + sizeof hive - 1, "vpcflowlogs") != 0;
	for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
		if (strcmp(name, services[i]) == 0)
			return true;
	}
	return false;
}

static int read_folder(struct flowlogs *logs, const char *path, unsigned depth, struct err *err)
{
	struct dirent **names;
	char below[PATH_BYTES];
	int rc = 0, n;

	if (depth == DEPTH_MAX)
		return err_set(err, ERR_USAGE, "%s: folders more than %d deep", path, DEPTH_MAX);
	n = scandir(path, &names, is_visible, alphasort);
	if (n < 0)
		return err_errno(err, "%s", path);
	for (int i = 0; i < n; i++) {
		int len = snprintf(below, sizeof below, "%s/%s", path, names[i]->d_name);

		if (rc == 0 && len > 0 && (size_t)len < sizeof below)
			rc = read_path(logs, below, depth + 1, err);
		else if (rc == 0)
			rc = err_set(err, -ENAMETOOLONG, "%s/%s: too long a path", path,
				     names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return rc;
}

static int read_path(struct flowlogs *logs, const char *path, unsigned depth, struct err *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return err_errno(err, "%s", path);
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		(void)close(fd);
		if (depth == 0 || !is_of_another_service(path))
			return read_folder(logs, path, depth, err);
		logs->file = path;
		flowlogs_bad(logs, 0, "a folder of another service's logs: passed over");
		return 0;
	}
	rc = read_file(logs, path, fd, err);
	(void)close(fd);
	return rc;
}

int flowlogs_read(struct flowlogs *logs, const char *path, struct err *err)
{
	if (strcmp(path, "-") == 0)
		return read_file(logs, "standard input", STDIN_FILENO, err);
	return read_path(logs, path, 0, err);
}
