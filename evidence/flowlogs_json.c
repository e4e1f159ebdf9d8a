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

enum { FORMATS_FILE_MAX = 16 * 1024 * 1024 };

/* ---- lines in documents ---- */

static int take_node(struct flowlogs *logs, const struct json_value *node);

/* One line or several. */
static int take_text(struct flowlogs *logs, const char *text)
{
	int rc = 0;

	logs->line++;
	while (rc == 0 && *text) {
		size_t len = strcspn(text, "\r\n");

		if (len > FLOWREC_PARSE_MAX) {
			logs->counts.lines++;
			flowlogs_count_bad(logs, "a line of more than 65536 bytes");
		} else if (len > 0) {
			memcpy(logs->room, text, len);
			rc = flowlogs_take_line(logs, logs->room, len);
		}
		text += len;
		text += strspn(text, "\r\n");
	}
	return rc;
}

/* The text of a string or number. */
static const char *text_of(const struct json_value *object, const char *key)
{
	const struct json_value *value = json_member(object, key);

	return value ? value->text : NULL;
}

static size_t append(char *out, size_t len, size_t cap, const char *word)
{
	int n = snprintf(out + len, cap - len, "%s%s", len ? " " : "", word);

	return n < 0 || (size_t)n >= cap - len ? cap : len + (size_t)n;
}

/* A record as an object with a member a field. */
static int take_fields(struct flowlogs *logs, const struct json_value *object)
{
	char *names = logs->room, *values = logs->room + FLOWREC_PARSE_MAX / 2;
	size_t n_names = 0, n_values = 0, cap = FLOWREC_PARSE_MAX / 2;
	struct flowrec_columns columns;
	struct err err;

	logs->line++;
	for (const struct json_value *m = object->child; m; m = m->next) {
		const char *value = m->text;

		if (flowrec_column_field(m->key, strlen(m->key)) == FLOWREC_FIELDS)
			continue;
		n_names = append(names, n_names, cap, m->key);
		n_values = append(values, n_values, cap,
				  value && *value && !strchr(value, ' ') ? value : "-");
		if (n_names == cap || n_values == cap)
			return 0; /* cannot be: fields are few and texts short */
	}
	if (flowrec_columns_parse(&columns, names, n_names, &err) == 0)
		flowlogs_use_columns(logs, &columns);
	return flowlogs_take_line(logs, values, n_values);
}

/* {"field": "@message", "value": "2 1234..."} of Logs Insights. */
static const char *insights_message(const struct json_value *node)
{
	const char *field = text_of(node, "field");

	return field && strcmp(field, "@message") == 0 ? text_of(node, "value") : NULL;
}

static int take_children(struct flowlogs *logs, const struct json_value *node)
{
	int rc = 0;

	for (const struct json_value *m = node->child; rc == 0 && m; m = m->next) {
		if (m->kind == JSON_OBJECT || m->kind == JSON_ARRAY)
			rc = take_node(logs, m);
	}
	return rc;
}

static int take_object(struct flowlogs *logs, const struct json_value *node)
{
	static const char *const holders[] = {"message", "body", "@message"};
	const char *text = insights_message(node), *group = text_of(node, "logGroup");
	const char *type = text_of(node, "messageType");

	for (size_t i = 0; !text && i < sizeof holders / sizeof holders[0]; i++)
		text = text_of(node, holders[i]);
	if (text)
		return take_text(logs, text);
	if (type && strcmp(type, "CONTROL_MESSAGE") == 0)
		return 0;
	if (group) {
		memset(logs->log_id, 0, sizeof logs->log_id);
		memcpy(logs->log_id, group, strnlen(group, sizeof logs->log_id - 1));
		logs->has_plan = false;
	}
	if (json_member(node, "srcaddr") && json_member(node, "dstaddr"))
		return take_fields(logs, node);
	return take_children(logs, node);
}

/* Depth is bounded by the JSON reader. */
static int take_node(struct flowlogs *logs, const struct json_value *node)
{
	return node->kind == JSON_OBJECT  ? take_object(logs, node)
	       : node->kind == JSON_ARRAY ? take_children(logs, node)
					  : 0;
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
	uint64_t lines = logs->counts.lines;
	int rc = 0;

	while (rc == 0) {
		const char *stop;

		while (p < end && memchr(" \t\r\n", *p, 4))
			p++;
		if (p == end)
			break;
		stop = document_end(p, end);
		rc = take_document(logs, p, (size_t)(stop - p), err);
		p = stop;
		if (logs->ops.progress)
			logs->ops.progress(logs->ctx, &logs->counts, logs->file);
	}
	if (rc == 0 && logs->counts.lines == lines)
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
