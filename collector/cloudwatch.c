// SPDX-License-Identifier: Apache-2.0
/*
 * See cloudwatch.h.
 */
#include "collector/cloudwatch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/json.h"
#include "platform/json_read.h"
#include "platform/log.h"
#include "platform/text.h"

enum { TEXT_FIRST = 65536, EVENTS_FIRST = 512 };

struct event {
	uint64_t ms;
	uint32_t at, len; /* of the message, which has a NUL behind it */
};

/* What was gathered for one stream: a batch at most. */
struct stream {
	char name[CLOUDWATCH_NAME];
	size_t n, cap, text_len, text_cap;
	size_t bytes; /* as CLOUDWATCH_BYTES counts them */
	struct event *events;
	char *text;
};

struct cloudwatch {
	struct aws *aws;
	struct delivery *delivery;
	const char *group;
	size_t n_streams; /* in the order in which they were begun */
	struct stream *streams[CLOUDWATCH_STREAMS];
	uint64_t too_old, too_new; /* events of this pass that were not taken */
	/* of the batch under way */
	const char *stream;
	size_t n_events;
	char *body;
	size_t body_len;
};

/* ---- requests ---- */

static enum delivery_try request(struct cloudwatch *c, const char *target, const char *body,
				 size_t len, uint64_t now_ns, struct aws_answer *ret,
				 struct err *err)
{
	const struct sigv4_pair headers[] = {{"Content-Type", "application/x-amz-json-1.1"},
					     {"X-Amz-Target", target}};
	const struct aws_call call = {.method = "POST",
				      .path = "/",
				      .headers = headers,
				      .n_headers = 2,
				      .body = body,
				      .body_len = len};

	return aws_do(c->aws, &call, now_ns, ret, err);
}

/* Names need no escape: see cloudwatch_open() and put_name(). */
static enum delivery_try create(struct cloudwatch *c, bool is_group, uint64_t now_ns,
				struct aws_answer *ret, struct err *err)
{
	char body[2 * CLOUDWATCH_NAME + 64];
	int n = snprintf(body, sizeof body,
			 is_group ? "{\"logGroupName\":\"%s\"}"
				  : "{\"logGroupName\":\"%s\",\"logStreamName\":\"%s\"}",
			 c->group, c->stream);
	enum delivery_try how = request(
		c, is_group ? "Logs_20140328.CreateLogGroup" : "Logs_20140328.CreateLogStream",
		body, (size_t)n, now_ns, ret, err);

	return strcmp(ret->code, "ResourceAlreadyExistsException") == 0 ? DELIVERY_DONE : how;
}

static bool is_missing(const struct aws_answer *answer)
{
	return strcmp(answer->code, "ResourceNotFoundException") == 0;
}

static enum delivery_try make_stream(struct cloudwatch *c, uint64_t now_ns, struct err *err)
{
	struct aws_answer answer;
	enum delivery_try how = create(c, false, now_ns, &answer, err);

	if (!is_missing(&answer))
		return how;
	how = create(c, true, now_ns, &answer, err);
	return how == DELIVERY_DONE ? create(c, false, now_ns, &answer, err) : how;
}

/* Events that were not taken are named in a good answer: the old ones are the first, the new ones the last. */
static void read_rejected(struct cloudwatch *c, const struct aws_answer *answer)
{
	struct json *json = NULL;
	const struct json_value *info;
	int64_t old = 0, expired = 0, fresh, n = (int64_t)c->n_events;
	char *copy = strdup(answer->body);

	if (!copy || json_parse(&json, copy, answer->len, "answer", NULL) < 0)
		return;
	info = json_member(json_root(json), "rejectedLogEventsInfo");
	(void)json_integer(json_member(info, "tooOldLogEventEndIndex"), 0, n, &old);
	(void)json_integer(json_member(info, "expiredLogEventEndIndex"), 0, n, &expired);
	c->too_old += (uint64_t)(old > expired ? old : expired);
	if (json_integer(json_member(info, "tooNewLogEventStartIndex"), 0, n, &fresh))
		c->too_new += (uint64_t)(n - fresh);
	json_free(json);
}

static enum delivery_try try_batch(void *what, uint64_t now_ns, struct err *err)
{
	struct cloudwatch *c = what;
	struct aws_answer answer;
	enum delivery_try how;

	for (int made = 0;; made++) {
		how = request(c, "Logs_20140328.PutLogEvents", c->body, c->body_len, now_ns,
			      &answer, err);
		if (made > 0 || !is_missing(&answer))
			break;
		how = make_stream(c, now_ns, err);
		if (how != DELIVERY_DONE)
			return how;
	}
	if (how == DELIVERY_DONE)
		read_rejected(c, &answer);
	/* Of the days when batches had a sequence: this very one is there. */
	return strcmp(answer.code, "DataAlreadyAcceptedException") == 0 ? DELIVERY_DONE : how;
}

/* ---- batches ---- */

static int by_time(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	if (x->ms != y->ms)
		return x->ms < y->ms ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int put_batch(struct cloudwatch *c, const struct stream *s, const struct event *events,
		     size_t n)
{
	FILE *out = open_memstream(&c->body, &c->body_len);
	uint64_t bytes = 0;
	int rc;

	if (!out)
		return -ENOMEM;
	fprintf(out, "{\"logGroupName\":\"%s\",\"logStreamName\":\"%s\",\"logEvents\":[", c->group,
		s->name);
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "%s{\"timestamp\":%" PRIu64 ",\"message\":", i ? "," : "",
			events[i].ms);
		json_print_string(out, &s->text[events[i].at]);
		fputc('}', out);
		bytes += events[i].len;
	}
	fputs("]}", out);
	rc = fclose(out) == 0 ? 0 : -ENOMEM;
	c->stream = s->name;
	c->n_events = n;
	if (rc == 0)
		rc = delivery_put(c->delivery, try_batch, c, bytes, n);
	free(c->body);
	c->body = NULL;
	return rc;
}

/* In order of time, cut where a batch would span too much. */
static int send(struct cloudwatch *c, struct stream *s)
{
	size_t first = 0;
	int rc = 0;

	qsort(s->events, s->n, sizeof s->events[0], by_time);
	for (size_t i = 1; rc == 0 && i <= s->n; i++) {
		if (i < s->n && s->events[i].ms - s->events[first].ms < CLOUDWATCH_SPAN_MS)
			continue;
		rc = put_batch(c, s, &s->events[first], i - first);
		first = i;
	}
	s->n = s->text_len = s->bytes = 0;
	return rc;
}

static void free_stream(struct stream *s)
{
	free(s->events);
	free(s->text);
	free(s);
}

static int send_oldest(struct cloudwatch *c)
{
	struct stream *s = c->streams[0];
	int rc = send(c, s);

	memmove(&c->streams[0], &c->streams[1], --c->n_streams * sizeof s);
	free_stream(s);
	return rc;
}

static void put_name(char out[static CLOUDWATCH_NAME], const char *given)
{
	size_t n = 0;

	for (; *given && n + 1 < CLOUDWATCH_NAME; given++)
		out[n++] = strchr(":*\"\\", *given) || *given <= ' ' || *given > '~' ? '_' : *given;
	out[n] = '\0';
}

/* The stream of this name, begun if need be; NULL with *ret_rc. */
static struct stream *stream_of(struct cloudwatch *c, const char *given, int *ret_rc)
{
	char name[CLOUDWATCH_NAME];
	struct stream *s;

	put_name(name, given);
	for (size_t i = 0; i < c->n_streams; i++) {
		if (strcmp(c->streams[i]->name, name) == 0)
			return c->streams[i];
	}
	*ret_rc = c->n_streams == CLOUDWATCH_STREAMS ? send_oldest(c) : 0;
	s = *ret_rc == 0 ? calloc(1, sizeof *s) : NULL;
	if (s) {
		memcpy(s->name, name, sizeof name);
		c->streams[c->n_streams++] = s;
	} else if (*ret_rc == 0) {
		*ret_rc = -ENOMEM;
	}
	return s;
}

static bool reserve(struct stream *s, size_t len)
{
	size_t want = s->text_cap ? s->text_cap : TEXT_FIRST;
	struct event *events = s->events;
	char *text = s->text;

	while (want - s->text_len < len)
		want *= 2;
	if (want != s->text_cap) {
		text = realloc(text, want);
		if (!text)
			return false;
		s->text = text;
		s->text_cap = want;
	}
	if (s->n == s->cap) {
		want = s->cap ? 2 * s->cap : EVENTS_FIRST;
		events = realloc(events, want * sizeof *events);
		if (!events)
			return false;
		s->events = events;
		s->cap = want;
	}
	return true;
}

/* UTF-8 of what is given, cut at the limit of a message; its length. */
static size_t put_message(char *out, const char *message, size_t len)
{
	static const char unknown[] = "\xef\xbf\xbd";
	char one[5];
	size_t n = 0;

	while (len > 0 && n + 4 <= CLOUDWATCH_MESSAGE) {
		const char *at = one;
		size_t have = len < 4 ? len : 4, used;

		memcpy(one, message, have);
		one[have] = '\0';
		(void)text_next(&at);
		used = (size_t)(at - one);
		if (used > 0)
			memcpy(&out[n], message, used);
		else
			memcpy(&out[n], unknown, sizeof unknown - 1);
		n += used > 0 ? used : sizeof unknown - 1;
		used += used == 0;
		message += used;
		len -= used;
	}
	if (n == 0)
		out[n++] = ' ';
	out[n] = '\0';
	return n;
}

/* ---- */

int cloudwatch_add(struct cloudwatch *c, const char *stream, uint64_t time_ms, const char *message,
		   size_t len)
{
	size_t most = 3 * len + 8; /* of UTF-8, with NUL */
	int rc = 0;
	struct stream *s = stream_of(c, stream, &rc);
	struct event event;

	if (!s)
		return rc;
	if (!reserve(s, most < CLOUDWATCH_MESSAGE + 8 ? most : CLOUDWATCH_MESSAGE + 8))
		return -ENOMEM;
	event = (struct event){.ms = time_ms, .at = (uint32_t)s->text_len};
	event.len = (uint32_t)put_message(&s->text[s->text_len], message, len);
	if (s->n == CLOUDWATCH_EVENTS ||
	    s->bytes + event.len + CLOUDWATCH_EVENT > CLOUDWATCH_BYTES) {
		/* It begins the next batch. */
		char *begin = &s->text[s->text_len];

		rc = send(c, s);
		memmove(s->text, begin, event.len + 1);
		event.at = 0;
	}
	s->events[s->n++] = event;
	s->text_len += event.len + 1;
	s->bytes += event.len + CLOUDWATCH_EVENT;
	return rc;
}

int cloudwatch_flush(struct cloudwatch *c)
{
	int rc = 0;

	while (rc == 0 && c->n_streams > 0)
		rc = send_oldest(c);
	if (c->too_old + c->too_new > 0)
		log_warn(c->delivery->name,
			 "%" PRIu64 " events were not taken: %" PRIu64
			 " too old (14 days, or the group's retention), %" PRIu64
			 " more than two hours ahead; they are in the ledger",
			 c->too_old + c->too_new, c->too_old, c->too_new);
	c->too_old = c->too_new = 0;
	return rc;
}

void cloudwatch_forget(struct cloudwatch *c)
{
	while (c->n_streams > 0)
		free_stream(c->streams[--c->n_streams]);
	c->too_old = c->too_new = 0;
}

/* "Amazon CloudWatch Logs API Reference", CreateLogGroup. */
static bool is_group(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < CLOUDWATCH_NAME && strncmp(name, "aws/", 4) != 0 &&
	       strspn(name,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/#-") == len;
}

int cloudwatch_open(struct cloudwatch **ret, const char *group, const char *endpoint,
		    const struct aws_options *aws, struct delivery *delivery, struct err *err)
{
	struct cloudwatch *c = calloc(1, sizeof *c);
	int rc = 0;

	*ret = NULL;
	if (!c)
		return err_set(err, -ENOMEM, "no memory for a delivery");
	c->delivery = delivery;
	c->group = group;
	if (!is_group(group))
		rc = err_set(
			err, ERR_USAGE,
			"--cloudwatch-group %s: a group's name has 1 to 512 of letters, digits, "
			"'.', '_', '/', '#' and '-', and does not begin with aws/",
			group);
	if (rc == 0)
		rc = aws_open(&c->aws, "logs", endpoint, "cloudwatch-endpoint", aws, delivery, err);
	if (rc < 0)
		cloudwatch_close(c);
	else
		*ret = c;
	return rc;
}

void cloudwatch_close(struct cloudwatch *c)
{
	if (!c)
		return;
	cloudwatch_forget(c);
	aws_close(c->aws);
	free(c);
}

struct aws *cloudwatch_aws(const struct cloudwatch *c)
{
	return c->aws;
}
