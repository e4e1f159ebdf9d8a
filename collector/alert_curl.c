// SPDX-License-Identifier: Apache-2.0
/*
 * Webhooks, and syslog over TLS (RFC 5425). Home of libcurl, which brings a TLS that knows the CAs of the world:
 * platform/tls speaks to our own kind alone.
 *
 * Certificates are always checked, and the name in them. No redirect is followed. Nothing of a URL but scheme, host and
 * port is ever logged, since paths and queries of webhooks are secrets; nothing of the header file is.
 */
#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/alert_output.h"
#include "collector/alert_syslog.h"
#include "platform/clock.h"
#include "platform/file.h"

enum {
	FILE_MAX = 4 * 1024 * 1024,
	URL_MAX = 4096,
	ANSWER_S = 10, /* a request may take so long */
};

struct remote {
	CURL *curl;
	struct curl_slist *headers;
	char *ca;
	size_t ca_len;
	char url[URL_MAX];
	char error[CURL_ERROR_SIZE];
};

static void close_remote(void *state)
{
	struct remote *r = state;

	curl_easy_cleanup(r->curl);
	curl_slist_free_all(r->headers);
	free(r->ca);
	free(r);
}

static int new_remote(struct alert_output *ret, const struct alert_options *options,
		      struct err *err)
{
	struct remote *r = calloc(1, sizeof *r);

	if (!r)
		return err_set(err, -ENOMEM, "no memory for an output of alerts");
	ret->state = r;
	ret->close = close_remote;
	/* It resolves names by the host's rules, in a thread of its own. */
	ret->sandbox = (struct sandbox){.host_files = true, .unfiltered = true};
	return options->ca ? file_read_all(options->ca, FILE_MAX, &r->ca, &r->ca_len, err) : 0;
}

/* "https://host:port" of the URL. */
static int name_of(char *out, size_t cap, const char *url, bool *ret_plain, struct err *err)
{
	char *scheme = NULL, *host = NULL, *port = NULL;
	CURLU *u = curl_url();
	int rc = 0;

	if (!u || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
	    (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)) {
		rc = err_set(err, ERR_USAGE, "--alert-webhook takes a URL as https://host/path");
	} else {
		*ret_plain = strcmp(scheme, "http") == 0;
		(void)snprintf(out, cap, "%s://%s:%s", scheme, host, port);
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return rc;
}

static size_t discard(char *bytes, size_t size, size_t n, void *ctx)
{
	(void)bytes, (void)ctx;
	return size * n;
}

/* About once a second during a request. */
static int progress(void *ctx, curl_off_t down, curl_off_t now_down, curl_off_t up,
		    curl_off_t now_up)
{
	(void)down, (void)now_down, (void)up, (void)now_up;
	return !alert_may_go_on(ctx, 0);
}

/* One that is ready, or NULL. */
static CURL *handle_of(struct alert_output *o)
{
	struct remote *r = o->state;
	CURL *c = r->curl;

	if (c)
		return c;
	c = curl_easy_init();
	if (!c)
		return NULL;
	r->curl = c;
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, r->error);
	(void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)ALERT_IO_S);
	(void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, discard);
	(void)curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, progress);
	(void)curl_easy_setopt(c, CURLOPT_XFERINFODATA, o);
	(void)curl_easy_setopt(c, CURLOPT_URL, r->url);
	if (r->ca) {
		struct curl_blob blob = {.data = r->ca, .len = r->ca_len, .flags = CURL_BLOB_COPY};

		if (curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &blob) != CURLE_OK) {
			curl_easy_cleanup(c);
			r->curl = NULL;
		}
	}
	return r->curl;
}

static int failed(struct remote *r, CURLcode code, struct err *err)
{
	return err_set(err, -EIO, "%s", *r->error ? r->error : curl_easy_strerror(code));
}

/* ---- webhook ---- */

static int tell_webhook(struct alert_output *o, const char *bytes, size_t len, struct err *err)
{
	struct remote *r = o->state;
	CURL *c = handle_of(o);
	CURLcode code;
	long status = 0;

	if (!c)
		return err_set(err, -ENOMEM, "libcurl cannot begin");
	*r->error = '\0';
	(void)curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)ANSWER_S);
	(void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, r->headers);
	(void)curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)len);
	(void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, bytes);
	code = curl_easy_perform(c);
	if (code != CURLE_OK)
		return failed(r, code, err);
	(void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 200 && status < 300)
		return 0;
	return err_set(err, status >= 500 || status == 408 || status == 429 ? -EIO : ALERT_HOPELESS,
		       "it answered %ld", status);
}

static int add_header(struct remote *r, const char *line, struct err *err)
{
	struct curl_slist *more = curl_slist_append(r->headers, line);

	if (!more)
		return err_set(err, -ENOMEM, "no memory for the headers");
	r->headers = more;
	return 0;
}

/* A header a line, `Name: value`; # begins a comment. Errors do not show the line. */
static int read_headers(struct remote *r, const char *path, struct err *err)
{
	char *text = NULL, *rest, *line;
	size_t len, at = 0;
	int rc = file_read_all(path, FILE_MAX, &text, &len, err);

	for (rest = text; rc == 0 && (line = strsep(&rest, "\n")) != NULL;) {
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
	if (text)
		explicit_bzero(text, len);
	free(text);
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
	if (rc == 0)
		rc = name_of(where, sizeof where, r->url, &is_plain, err);
	if (rc == 0 && is_plain && options->header_file)
		rc = err_set(err, ERR_USAGE,
			     "--alert-header-file: %s would be told the headers in clear text: use "
			     "https",
			     where);
	if (rc == 0)
		rc = add_header(r, "Content-Type: application/json", err);
	if (rc == 0)
		rc = add_header(r, "Expect:", err);
	if (rc == 0 && options->header_file)
		rc = read_headers(r, options->header_file, err);
	if (rc < 0)
		return rc;
	ret->tell = tell_webhook;
	(void)snprintf(ret->name, sizeof ret->name, "webhook %s", where);
	return 0;
}

/* ---- syslog over TLS ---- */

static bool wait_socket(CURL *c, short events, int ms)
{
	struct pollfd p = {.fd = -1, .events = events};

	return curl_easy_getinfo(c, CURLINFO_ACTIVESOCKET, &p.fd) == CURLE_OK &&
	       poll(&p, 1, ms) > 0;
}

static int send_all(struct remote *r, const char *bytes, size_t len, struct err *err)
{
	uint64_t end = clock_mono_ns() + ALERT_IO_S * (uint64_t)NS_PER_S;
	CURLcode code = CURLE_OK;
	size_t n;

	while (len > 0 && (code == CURLE_OK || code == CURLE_AGAIN)) {
		n = 0;
		code = curl_easy_send(r->curl, bytes, len, &n);
		bytes += n;
		len -= n;
		if (code == CURLE_AGAIN &&
		    (clock_mono_ns() >= end || !wait_socket(r->curl, POLLOUT, ALERT_IO_S * 1000)))
			code = CURLE_OPERATION_TIMEDOUT;
	}
	return code == CURLE_OK ? 0 : failed(r, code, err);
}

static void hang_up(struct remote *r)
{
	curl_easy_cleanup(r->curl);
	r->curl = NULL;
}

static int tell_tls(struct alert_output *o, const char *bytes, size_t len, struct err *err)
{
	struct remote *r = o->state;
	char count[SYSLOG_COUNT], none[64];
	size_t n;
	int rc = 0;

	/* Nothing comes from a receiver but its end. */
	if (r->curl && curl_easy_recv(r->curl, none, sizeof none, &n) != CURLE_AGAIN)
		hang_up(r);
	*r->error = '\0';
	if (!r->curl) {
		CURL *c = handle_of(o);
		CURLcode code = CURLE_OUT_OF_MEMORY;

		if (c) {
			(void)curl_easy_setopt(c, CURLOPT_CONNECT_ONLY, 1L);
			(void)curl_easy_setopt(c, CURLOPT_SSL_ENABLE_ALPN, 0L);
			(void)curl_easy_setopt(c, CURLOPT_PROXY, "");
			code = curl_easy_perform(c);
		}
		rc = code == CURLE_OK ? 0 : failed(r, code, err);
	}
	if (rc == 0)
		rc = send_all(r, count, syslog_count(count, len), err);
	if (rc == 0)
		rc = send_all(r, bytes, len, err);
	if (rc < 0)
		hang_up(r);
	return rc;
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
