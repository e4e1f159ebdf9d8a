// SPDX-License-Identifier: Apache-2.0
/*
 * Webhooks, and syslog over TLS (RFC 5425), by collector/http.
 *
 * Nothing of a URL but scheme, host and port is ever logged, since paths and queries of webhooks are secrets; nothing of
 * the header file is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/alert_output.h"
#include "collector/alert_syslog.h"
#include "collector/alert_text.h"
#include "collector/http.h"
#include "platform/file.h"

enum {
	FILE_MAX = 1024 * 1024,
	URL_MAX = 4096,
	HEADERS_MAX = 32,
	ANSWER_S = 10, /* a request may take so long */
};

struct remote {
	struct http *http;
	char *header_text;
	size_t header_len;
	const char *headers[HEADERS_MAX];
	size_t n_headers;
	char url[URL_MAX];
};

static void close_remote(void *state)
{
	struct remote *r = state;

	http_free(r->http);
	if (r->header_text)
		explicit_bzero(r->header_text, r->header_len);
	free(r->header_text);
	free(r);
}

static bool may_go_on(void *ctx)
{
	return alert_may_go_on(ctx, 0);
}

static int new_remote(struct alert_output *ret, const struct alert_options *options,
		      struct err *err)
{
	const struct http_options http = {.ca = options->ca,
					  .proxy = options->proxy,
					  .connect_s = ALERT_IO_S,
					  .answer_s = ANSWER_S,
					  .may_go_on = may_go_on,
					  .ctx = ret};
	struct remote *r = calloc(1, sizeof *r);

	if (!r)
		return err_set(err, -ENOMEM, "no memory for an output of alerts");
	ret->state = r;
	ret->close = close_remote;
	/* It resolves names by the host's rules, in a thread of its own. */
	ret->sandbox = (struct sandbox){.host_files = true, .unfiltered = true};
	return http_new(&r->http, &http, err);
}

/* ---- webhook ---- */

static int tell_webhook(struct alert_output *o, const char *bytes, size_t len, struct err *err)
{
	struct remote *r = o->state;
	const struct http_request request = {.method = "POST",
					     .url = r->url,
					     .headers = r->headers,
					     .n_headers = r->n_headers,
					     .body = bytes,
					     .body_len = len};
	struct http_answer answer;
	int rc = http_do(r->http, &request, &answer, err);

	if (rc < 0 || (answer.status >= 200 && answer.status < 300))
		return rc;
	return err_set(err,
		       answer.status >= 500 || answer.status == 408 || answer.status == 429
			       ? -EIO
			       : ALERT_HOPELESS,
		       "it answered %u", answer.status);
}

static int add_header(struct remote *r, const char *line, struct err *err)
{
	if (r->n_headers == HEADERS_MAX)
		return err_set(err, ERR_USAGE, "--alert-header-file: more than %d headers",
			       HEADERS_MAX - 1);
	r->headers[r->n_headers++] = line;
	return 0;
}

/* A header a line, `Name: value`; # begins a comment. Errors do not show the line. */
static int read_headers(struct remote *r, const char *path, struct err *err)
{
	char *rest, *line;
	size_t at = 0;
	int rc = file_read_all(path, FILE_MAX, &r->header_text, &r->header_len, err);

	for (rest = r->header_text; rc == 0 && (line = strsep(&rest, "\n")) != NULL;) {
		size_t name = strcspn(line, ": \t\r");

		at++;
		if (*line == '\0' || *line == '#')
			continue;
		if (name == 0 || line[name] != ':' || strchr(line, '\r'))
			rc = err_set(err, ERR_USAGE, "%s:%zu: not a header as `Name: value`", path,
				     at);
		else
			rc = add_header(r, line, err);
	}
	return rc;
}

/* The URL itself, or the first line of the file that is named. */
static int read_url(struct remote *r, const char *given, struct err *err)
{
	char *text = NULL;
	size_t len;
	int rc = 0;

	if (*given == '/')
		rc = file_read_all(given, URL_MAX, &text, &len, err);
	if (rc < 0)
		return rc;
	len = strcspn(text ? text : given, "\r\n");
	if (len >= sizeof r->url)
		rc = err_set(err, ERR_USAGE, "--alert-webhook: the URL is too long");
	else
		memcpy(r->url, text ? text : given, len);
	free(text);
	return rc;
}

int alert_webhook_open(struct alert_output *ret, const char *given,
		       const struct alert_options *options, struct err *err)
{
	char where[sizeof ret->name - sizeof "webhook "];
	int rc = new_remote(ret, options, err);
	struct remote *r = ret->state;
	bool is_plain = false;

	if (rc == 0)
		rc = read_url(r, given, err);
	if (rc == 0 && http_name(where, sizeof where, r->url, &is_plain) < 0)
		rc = err_set(err, ERR_USAGE, "--alert-webhook takes a URL as https://host/path");
	if (rc == 0 && is_plain && options->header_file)
		rc = err_set(err, ERR_USAGE,
			     "--alert-header-file: %s would be told the headers in clear text: use "
			     "https",
			     where);
	if (rc == 0)
		rc = add_header(r, "Content-Type: application/json", err);
	if (rc == 0 && options->header_file)
		rc = read_headers(r, options->header_file, err);
	if (rc < 0)
		return rc;
	ret->tell = tell_webhook;
	(void)snprintf(ret->name, sizeof ret->name, "webhook %s", where);
	return 0;
}

/* ---- syslog over TLS ---- */

static int tell_tls(struct alert_output *o, const char *bytes, size_t len, struct err *err)
{
	static char frame[SYSLOG_COUNT + ALERT_MAX]; /* too large for the stack */
	struct remote *r = o->state;
	size_t n = syslog_count(frame, len);

	memcpy(&frame[n], bytes, len);
	return http_send_bare(r->http, r->url, frame, n + len, err);
}

int alert_tls_open(struct alert_output *ret, const char *given, const struct alert_options *options,
		   struct err *err)
{
	int rc = new_remote(ret, options, err);
	struct remote *r = ret->state;
	const char *colon = strrchr(given, ':');

	if (rc < 0)
		return rc;
	if (!colon || colon == given || colon[1] == '\0' || strpbrk(given, "/@?# ") ||
	    colon[1 + strspn(colon + 1, "0123456789")] != '\0')
		return err_set(err, ERR_USAGE,
			       "--alert-syslog tls:%s: name or address and port are missing, as "
			       "tls:log.example:6514",
			       given);
	(void)snprintf(r->url, sizeof r->url, "https://%s/", given);
	ret->tell = tell_tls;
	ret->is_syslog = true;
	(void)snprintf(ret->name, sizeof ret->name, "syslog tls:%s", given);
	return 0;
}
