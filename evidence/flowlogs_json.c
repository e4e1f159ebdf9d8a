// SPDX-License-Identifier: Apache-2.0
/*
 * Flow Logs in JSON: documents with the line in "message" or "body" (CloudWatch Logs subscription payloads, filter-log-events,
 * get-log-events, Firehose, log shippers), Logs Insights results, or with a member for each field; and what describe-flow-logs
 * prints, from which formats are learnt.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/flowlogs_parts.h"

enum { FORMATS_FILE_MAX = 16 * 1024 * 1024, NESTED_MAX = 4 };

/* ---- lines in documents ---- */

static int take_node(struct flowlogs *logs, const struct json_value *node);

static int count_bad(struct flowlogs *logs, const char *reason)
{
	logs->counts.lines++;
	flowlogs_count_bad(logs, reason);
	return 0;
}

/* A document within a document: of a queue, a stream. */
static int take_nested(struct flowlogs *logs, const char *text, size_t len)
{
	struct err err;
	int rc;

	if (logs->nested == NESTED_MAX)
		return count_bad(logs, "documents within documents more than 4 deep");
	logs->nested++;
	rc = flowlogs_take_json(logs, text, len, &err);
	logs->nested--;
	return rc == ERR_FORMAT ? count_bad(logs, err.text) : rc;
}

/* One line or several, or a document. */
static int take_text(struct flowlogs *logs, const char *text, size_t size)
{
	const char *end = text + size;
	int rc = 0;

	logs->line++;
	if (size > 0 && *text == '{')
		return take_nested(logs, text, size);
	while (rc == 0 && text < end) {
		size_t len = 0;

		while (text + len < end && text[len] != '\r' && text[len] != '\n')
			len++;
		if (len > FLOWREC_PARSE_MAX) {
			count_bad(logs, "a line of more than 65536 bytes");
		} else if (len > 0) {
			memcpy(logs->room, text, len);
			rc = flowlogs_take_line(logs, logs->room, len);
		}
		for (text += len; text < end && (*text == '\r' || *text == '\n');)
			text++;
	}
	return rc;
}

/* The text of a string or number. */
static const char *text_of(const struct json_value *object, const char *key)
{
	const struct json_value *value = json_member(object, key);

	return value ? value->text : NULL;
}

/* ---- a record as names and values ---- */

struct fields {
	char *names, *values;
	size_t n_names, n_values, cap;
	bool seen[FLOWREC_FIELDS], is_full;
};

static struct fields no_fields(struct flowlogs *logs)
{
	enum { HALF = FLOWREC_PARSE_MAX / 2 };

	return (struct fields){.names = logs->room, .values = logs->room + HALF, .cap = HALF};
}

static void add_value(struct fields *f, const char *value)
{
	size_t len = value ? strlen(value) : 0;

	f->is_full = f->is_full || f->n_values + len + 2 > f->cap;
	if (f->is_full)
		return;
	if (f->n_values > 0)
		f->values[f->n_values++] = ' ';
	f->n_values += flowlogs_word(f->values + f->n_values, value ? value : "", len);
}

static void add_field(struct fields *f, const char *name, const char *value)
{
	size_t len = strlen(name);
	enum flowrec_field field = flowrec_column_field(name, len);

	if (field == FLOWREC_FIELDS || f->seen[field])
		return;
	f->seen[field] = true;
	f->is_full = f->is_full || f->n_names + len + 1 > f->cap;
	if (f->is_full)
		return;
	memcpy(f->names + f->n_names, name, len);
	f->n_names += len;
	f->names[f->n_names++] = ' ';
	add_value(f, value);
}

static bool is_flow(const struct fields *f)
{
	return f->seen[FLOWREC_F_SRCADDR] && f->seen[FLOWREC_F_DSTADDR];
}

static int take_fields(struct flowlogs *logs, const struct fields *f)
{
	struct flowrec_columns columns;
	struct err err;

	logs->line++;
	if (f->is_full)
		return count_bad(logs, "a record of more than 32768 bytes");
	if (flowrec_columns_parse(&columns, f->names, f->n_names, &err) == 0)
		flowlogs_use_columns(logs, &columns);
	return flowlogs_take_line(logs, f->values, f->n_values);
}

/* An object with a member a field; also {"S": "10.0.0.1"} for the value, as DynamoDB has it. */
static struct fields fields_of(struct flowlogs *logs, const struct json_value *object)
{
	struct fields f = no_fields(logs);

	for (const struct json_value *m = object->child; m; m = m->next) {
		const struct json_value *only =
			m->kind == JSON_OBJECT && m->child && !m->child->next ? m->child : m;

		add_field(&f, m->key, only->text);
	}
	return f;
}

/* A row of Logs Insights: [{"field": "srcAddr", "value": "10.0.0.1"}, ...] */
static struct fields fields_of_row(struct flowlogs *logs, const struct json_value *array)
{
	struct fields f = no_fields(logs);

	for (const struct json_value *m = array->child; m; m = m->next) {
		const char *name = text_of(m, "field");

		if (name && strcmp(name, "@message") == 0)
			return no_fields(logs); /* the whole line is there */
		if (name)
			add_field(&f, name, text_of(m, "value"));
	}
	return f;
}

/* A row of `aws athena get-query-results`: {"Data": [{"VarCharValue": "10.0.0.1"}, {}, ...]}; the first is the heading. */
static int take_row(struct flowlogs *logs, const struct json_value *data)
{
	struct fields f = no_fields(logs);

	logs->line++;
	for (const struct json_value *m = data->child; m; m = m->next)
		add_value(&f, text_of(m, "VarCharValue"));
	if (f.is_full)
		return count_bad(logs, "a row of more than 32768 bytes");
	return flowlogs_take_line(logs, f.values, f.n_values);
}

/* ---- texts in base64: records of Kinesis and Firehose, events of a Lambda function ---- */

static int letter_value(char c)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(letters, c) : NULL;

	return at ? (int)(at - letters) : -1;
}

/* In place of `out`, which has room for the text. 0: it is no base64. */
static size_t decode_base64(uint8_t *out, const char *text)
{
	size_t n = 0, len = strlen(text);
	uint32_t bits = 0;

	while (len > 0 && text[len - 1] == '=')
		len--;
	for (size_t i = 0; i < len; i++) {
		int value = letter_value(text[i]);

		if (value < 0)
			return 0;
		bits = bits << 6 | (uint32_t)value;
		if (i % 4 > 0)
			out[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	return n;
}

/* Its text, which the caller frees; NULL with the reason. */
static char *gunzip_all(const uint8_t *p, size_t len, size_t *ret_len, struct err *err)
{
	const uint8_t *end = p + len;
	struct gunzip *gunzip = NULL;
	size_t cap = 4 * len + 4096, have = 0;
	char *text = NULL, *more;
	int rc = gunzip_best() ? gunzip_new(&gunzip, gunzip_best())
			       : err_set(err, ERR_FORMAT, "this build takes no gzip apart");

	if (rc == -ENOMEM)
		(void)err_set(err, rc, "no memory to take gzip apart");
	for (; rc == 0; cap *= 2) {
		uint8_t *out, *start;

		more = cap < FLOWLOGS_DOCUMENT_MAX ? realloc(text, cap) : NULL;
		if (!more)
			rc = err_set(err, ERR_FORMAT, "too large, or no memory for it");
		text = more ? more : text;
		out = start = (uint8_t *)text + have;
		if (rc == 0)
			rc = gunzip_step(gunzip, &p, end, &out, (uint8_t *)text + cap, err);
		have += (size_t)(out - start);
		if (rc == 0 && have < cap && p == end)
			break;
	}
	if (rc == 0 && !gunzip_is_whole(gunzip))
		rc = err_set(err, ERR_FORMAT, "its gzip data ends too early");
	gunzip_free(gunzip);
	if (rc < 0) {
		free(text);
		return NULL;
	}
	*ret_len = have;
	return text;
}

static int take_base64(struct flowlogs *logs, const char *text)
{
	uint8_t *bytes = malloc(strlen(text) + 1);
	size_t len = bytes ? decode_base64(bytes, text) : 0;
	struct err err;
	char *plain;
	int rc;

	if (len > 2 && bytes[0] == 0x1f && bytes[1] == 0x8b) {
		size_t n;

		plain = gunzip_all(bytes, len, &n, &err);
		rc = plain ? take_text(logs, plain, n) : count_bad(logs, err.text);
		free(plain);
	} else {
		rc = len > 0 ? take_text(logs, (const char *)bytes, len)
			     : count_bad(logs, "\"data\" that is no base64");
	}
	free(bytes);
	return rc;
}

/* ---- the walk ---- */

/* {"field": "@message", "value": "2 1234..."} of Logs Insights. */
static const char *insights_message(const struct json_value *node)
{
	const char *field = text_of(node, "field");

	return field && strcmp(field, "@message") == 0 ? text_of(node, "value") : NULL;
}

/* Has it as many words as no name or title has? */
static bool has_words(const char *text)
{
	size_t blanks = 0;

	for (; *text && blanks < 3; text++)
		blanks += *text == ' ' || *text == '\t';
	return blanks == 3;
}

static int take_children(struct flowlogs *logs, const struct json_value *node)
{
	bool is_list = node->kind == JSON_ARRAY;
	int rc = 0;

	for (const struct json_value *m = node->child; rc == 0 && m; m = m->next) {
		if (m->kind == JSON_OBJECT || m->kind == JSON_ARRAY)
			rc = take_node(logs, m);
		else if (m->kind == JSON_STRING && is_list && has_words(m->text))
			rc = take_text(logs, m->text, strlen(m->text)); /* Loki; --query */
	}
	return rc;
}

/* The text of a line in an object; NULL. */
static const char *line_of(const struct json_value *node)
{
	/* AWS's own names; then those of log shippers, where something like a line is there. */
	static const char *const holders[] = {"message", "body", "@message"};
	static const char *const others[] = {
		"Message", "event.original", "original",    "log",  "_raw", "raw",
		"event",   "short_message",  "stringValue", "text", "line", "log_line"};
	const char *text = insights_message(node);

	for (size_t i = 0; !text && i < sizeof holders / sizeof holders[0]; i++)
		text = text_of(node, holders[i]);
	for (size_t i = 0; !text && i < sizeof others / sizeof others[0]; i++) {
		text = text_of(node, others[i]);
		if (text && !has_words(text))
			text = NULL;
	}
	return text;
}

static int take_object(struct flowlogs *logs, const struct json_value *node)
{
	static const char *const encoded[] = {"data", "Data"};
	const char *text = line_of(node), *group = text_of(node, "logGroup");
	const char *type = text_of(node, "messageType");
	const struct json_value *data = json_member(node, "Data");
	struct fields f;

	if (text)
		return take_text(logs, text, strlen(text));
	if (type && strcmp(type, "CONTROL_MESSAGE") == 0) {
		logs->controls++;
		return 0;
	}
	if (group) {
		memset(logs->log_id, 0, sizeof logs->log_id);
		memcpy(logs->log_id, group, strnlen(group, sizeof logs->log_id - 1));
		logs->has_plan = false;
	}
	f = fields_of(logs, node);
	if (is_flow(&f))
		return take_fields(logs, &f);
	for (size_t i = 0; i < sizeof encoded / sizeof encoded[0]; i++) {
		text = json_member_text(node, encoded[i]);
		if (text && *text)
			return take_base64(logs, text);
	}
	if (data && data->kind == JSON_ARRAY && json_member(data->child, "VarCharValue"))
		return take_row(logs, data);
	return take_children(logs, node);
}

/* Depth is bounded by the JSON reader. */
static int take_node(struct flowlogs *logs, const struct json_value *node)
{
	struct fields f;

	if (node->kind == JSON_OBJECT)
		return take_object(logs, node);
	if (node->kind != JSON_ARRAY)
		return 0;
	f = fields_of_row(logs, node);
	return is_flow(&f) ? take_fields(logs, &f) : take_children(logs, node);
}

/* Where the first value of the text ends, by its brackets and quotes alone. */
static const char *document_end(const char *p, const char *end)
{
	unsigned depth = 0;
	bool is_text = false;

	for (; p < end; p++) {
		if (*p == '"')
			is_text = !is_text;
		else if (is_text)
			p += *p == '\\';
		else if (*p == '{' || *p == '[')
			depth++;
		else if ((*p == '}' || *p == ']') && --depth == 0)
			return p + 1;
		else if (depth == 0)
			break; /* no object or array: the parser tells */
	}
	return end;
}

static int take_document(struct flowlogs *logs, const char *text, size_t len, struct err *err)
{
	char *copy = malloc(len + 1);
	struct json *json = NULL;
	int rc;

	if (!copy)
		return err_set(err, -ENOMEM, "no memory for a JSON document");
	memcpy(copy, text, len);
	copy[len] = '\0';
	rc = json_parse(&json, copy, len, "document", err);
	if (rc == 0 && json_member(json_root(json), "FlowLogs"))
		rc = err_set(err, ERR_FORMAT,
			     "this is what describe-flow-logs prints: give it as --format @FILE");
	else if (rc == 0)
		rc = take_node(logs, json_root(json));
	json_free(json);
	return rc;
}

int flowlogs_take_json(struct flowlogs *logs, const char *text, size_t len, struct err *err)
{
	const char *p = text, *end = text + len;
	uint64_t known = logs->counts.lines + logs->controls;
	int rc = 0;

	if (len > 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) /* byte order mark */
		p += 3;
	while (rc == 0) {
		const char *stop;

		/* Behind a document: an element of a list that was taken apart, a sequence (RFC 7464). */
		while (p < end && memchr(" \t\r\n,\x1e", *p, 6))
			p++;
		if (p == end)
			break;
		stop = document_end(p, end);
		rc = take_document(logs, p, (size_t)(stop - p), err);
		p = stop;
		if (logs->ops.progress)
			logs->ops.progress(logs->ctx, &logs->counts, logs->file);
	}
	if (rc == 0 && logs->counts.lines + logs->controls == known)
		rc = err_set(
			err, ERR_FORMAT,
			"JSON without a Flow Logs line in \"message\" or \"body\", and without its "
			"fields");
	return rc;
}

/* ---- describe-flow-logs ---- */

static int take_format(struct flowlogs *logs, const struct json_value *item, struct err *err)
{
	struct flowlogs_log *format = &logs->formats[logs->n_formats];
	const char *text = text_of(item, "LogFormat"), *id = text_of(item, "FlowLogId");
	const char *traffic = text_of(item, "TrafficType");
	const char *interval = text_of(item, "MaxAggregationInterval");
	struct err why;

	if (!text || logs->n_formats == FLOWLOGS_FORMATS_MAX)
		return 0;
	*format = (struct flowlogs_log){.has_columns = true};
	if (flowrec_columns_parse(&format->columns, text, strlen(text), &why) < 0)
		return err_set(err, ERR_USAGE, "LogFormat of %s: %s", id ? id : "a flow log",
			       why.text);
	if (id)
		memcpy(format->id, id, strnlen(id, sizeof format->id - 1));
	if (traffic)
		format->traffic = strcmp(traffic, "ALL") == 0      ? 'A'
				  : strcmp(traffic, "ACCEPT") == 0 ? 'a'
				  : strcmp(traffic, "REJECT") == 0 ? 'r'
								   : '\0';
	if (interval)
		format->interval = (uint32_t)strtoul(interval, NULL, 10);
	logs->n_formats++;
	return 0;
}

int flowlogs_read_formats(struct flowlogs *logs, const char *path, struct err *err)
{
	const struct json_value *list, *item;
	struct json *json;
	int rc = json_read_file(&json, path, FORMATS_FILE_MAX, err);

	if (rc < 0)
		return rc == ERR_FORMAT ? ERR_USAGE : rc;
	list = json_member(json_root(json), "FlowLogs");
	if (!list) /* as some recorders keep it */
		list = json_member(json_member(json_root(json), "data"), "FlowLogs");
	for (item = list && list->kind == JSON_ARRAY ? list->child : NULL; rc == 0 && item;
	     item = item->next)
		rc = take_format(logs, item, err);
	if (rc == 0 && logs->n_formats == 0)
		rc = err_set(err, ERR_USAGE, "%s: no flow log with a LogFormat is in it", path);
	json_free(json);
	return rc;
}
