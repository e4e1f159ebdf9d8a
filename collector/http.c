// SPDX-License-Identifier: Apache-2.0
/*
 * See http.h.
 */
#include "collector/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/file.h"

enum { CA_MAX = 4 * 1024 * 1024 };

struct http {
	struct http_options options;
	CURL *curl; /* made by the first request: in the process that makes it */
	char *ca;
	size_t ca_len;
	char error[CURL_ERROR_SIZE];
	/* of the request under way */
	const struct http_request *request;
	struct http_answer *answer;
};

/* ---- memory: what is given back held headers, and with them tokens ---- */

static void wipe_and_free(void *p)
{
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void *move(void *p, size_t size)
{
	size_t had = p ? malloc_usable_size(p) : 0;
	void *to = malloc(size);

	if (!to)
		return NULL;
	if (p)
		memcpy(to, p, had < size ? had : size);
	wipe_and_free(p);
	return to;
}

static bool begin_library(void)
{
	static bool is_begun;

	if (!is_begun)
		is_begun = curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wipe_and_free, move,
						strdup, calloc) == CURLE_OK;
	return is_begun;
}

/* ---- handle ---- */

int http_new(struct http **ret, const struct http_options *options, struct err *err)
{
	struct http *h = calloc(1, sizeof *h);
	int rc;

	*ret = NULL;
	if (!h)
		return err_set(err, -ENOMEM, "no memory for requests by HTTP");
	h->options = *options;
	rc = options->ca ? file_read_all(options->ca, CA_MAX, &h->ca, &h->ca_len, err) : 0;
	h->options.ca = NULL;
	if (rc < 0)
		http_free(h);
	else
		*ret = h;
	return rc;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	free(h->ca);
	free(h);
}

static size_t take(char *bytes, size_t size, size_t n, void *ctx)
{
	struct http *h = ctx;
	size_t len = size * n, room, part;

	if (h->request && h->request->answer) {
		room = h->request->answer_cap - 1 - h->answer->len;
		part = len < room ? len : room;
		memcpy(&h->request->answer[h->answer->len], bytes, part);
		h->answer->len += part;
		h->answer->is_cut |= part < len;
	}
	return len;
}

/* About once a second during a request. */
static int progress(void *ctx, curl_off_t down, curl_off_t now_down, curl_off_t up,
		    curl_off_t now_up)
{
	const struct http *h = ctx;

	(void)down, (void)now_down, (void)up, (void)now_up;
	return h->options.may_go_on && !h->options.may_go_on(h->options.ctx);
}

static void set_up(struct http *h, CURL *c)
{
	const struct http_options *o = &h->options;

	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->error);
	(void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)o->connect_s);
	(void)curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)o->answer_s);
	if (o->stall_s > 0) {
		(void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
		(void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)o->stall_s);
	}
	(void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	(void)curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	(void)curl_easy_setopt(c, CURLOPT_PROXY, o->proxy ? o->proxy : "");
	(void)curl_easy_setopt(c, CURLOPT_NOPROXY, "");
	(void)curl_easy_setopt(c, CURLOPT_USERAGENT, "flowproof");
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
	(void)curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
	(void)curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, progress);
	(void)curl_easy_setopt(c, CURLOPT_XFERINFODATA, h);
}

static int need_handle(struct http *h, struct err *err)
{
	struct curl_blob ca = {.data = h->ca, .len = h->ca_len, .flags = CURL_BLOB_COPY};

	*h->error = '\0';
	if (h->curl)
		return 0;
	if (begin_library())
		h->curl = curl_easy_init();
	if (!h->curl)
		return err_set(err, -ENOMEM, "libcurl cannot begin");
	set_up(h, h->curl);
	if (h->ca && curl_easy_setopt(h->curl, CURLOPT_CAINFO_BLOB, &ca) != CURLE_OK) {
		curl_easy_cleanup(h->curl);
		h->curl = NULL;
		return err_set(err, -EIO, "this libcurl cannot take CAs from memory");
	}
	return 0;
}

static int failed(struct http *h, CURLcode code, struct err *err)
{
	return err_set(err, code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EIO, "%s",
		       *h->error ? h->error : curl_easy_strerror(code));
}

/* ---- requests ---- */

static bool append(struct curl_slist **list, const char *line)
{
	struct curl_slist *more = curl_slist_append(*list, line);

	if (more)
		*list = more;
	return more != NULL;
}

/* What libcurl would add of its own is left out: nobody waits for "100 Continue". */
static bool list_headers(struct curl_slist **ret, const struct http_request *r)
{
	static const char content_type[] = "Content-Type:";
	bool has_type = false, is_good = append(ret, "Expect:");

	for (size_t i = 0; is_good && i < r->n_headers; i++) {
		has_type |= strncasecmp(r->headers[i], content_type, strlen(content_type)) == 0;
		is_good = append(ret, r->headers[i]);
	}
	return is_good && (has_type || append(ret, content_type));
}

static void set_body(CURL *c, const struct http_request *r)
{
	bool is_head = strcmp(r->method, "HEAD") == 0;

	(void)curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
	(void)curl_easy_setopt(c, CURLOPT_NOBODY, is_head ? 1L : 0L);
	if (r->body) {
		(void)curl_easy_setopt(c, CURLOPT_POST, 1L);
		(void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body);
		(void)curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
	}
	(void)curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, is_head ? NULL : r->method);
}

int http_do(struct http *h, const struct http_request *r, struct http_answer *ret, struct err *err)
{
	struct curl_slist *headers = NULL;
	CURLcode code = CURLE_OUT_OF_MEMORY;
	long status = 0;
	int rc = need_handle(h, err);

	*ret = (struct http_answer){0};
	if (r->answer)
		r->answer[0] = '\0';
	if (rc < 0)
		return rc;
	h->request = r;
	h->answer = ret;
	(void)curl_easy_setopt(h->curl, CURLOPT_URL, r->url);
	set_body(h->curl, r);
	if (list_headers(&headers, r)) {
		(void)curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
		code = curl_easy_perform(h->curl);
		(void)curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
	}
	curl_slist_free_all(headers);
	h->request = NULL;
	if (r->answer)
		r->answer[ret->len] = '\0';
	if (code != CURLE_OK)
		return failed(h, code, err);
	(void)curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
	ret->status = (unsigned)status;
	return 0;
}

const char *http_header(struct http *h, const char *name)
{
	struct curl_header *found;

	return h->curl && curl_easy_header(h->curl, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK
		       ? found->value
		       : NULL;
}

uint64_t http_date_s(const char *text)
{
	time_t at = text ? curl_getdate(text, NULL) : -1;

	return at > 0 ? (uint64_t)at : 0;
}

int http_name(char *out, size_t cap, const char *url, bool *ret_is_plain)
{
	char *scheme = NULL, *host = NULL, *port = NULL;
	CURLU *u = curl_url();
	int rc = 0;

	if (!u || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
	    (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)) {
		rc = ERR_USAGE;
	} else {
		*ret_is_plain = strcmp(scheme, "http") == 0;
		(void)snprintf(out, cap, "%s://%s:%s", scheme, host, port);
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return rc;
}

/* ---- bare TLS ---- */

static bool wait_socket(CURL *c, short events, uint32_t s)
{
	struct pollfd p = {.fd = -1, .events = events};

	return curl_easy_getinfo(c, CURLINFO_ACTIVESOCKET, &p.fd) == CURLE_OK &&
	       poll(&p, 1, (int)s * MS_PER_S) > 0;
}

static int send_all(struct http *h, const char *bytes, size_t len, struct err *err)
{
	uint64_t end = clock_mono_ns() + h->options.connect_s * (uint64_t)NS_PER_S;
	CURLcode code = CURLE_OK;
	size_t n;

	while (len > 0 && (code == CURLE_OK || code == CURLE_AGAIN)) {
		n = 0;
		code = curl_easy_send(h->curl, bytes, len, &n);
		bytes += n;
		len -= n;
		if (code == CURLE_AGAIN && (clock_mono_ns() >= end ||
					    !wait_socket(h->curl, POLLOUT, h->options.connect_s)))
			code = CURLE_OPERATION_TIMEDOUT;
	}
	return code == CURLE_OK ? 0 : failed(h, code, err);
}

static void hang_up(struct http *h)
{
	curl_easy_cleanup(h->curl);
	h->curl = NULL;
}

static int connect_bare(struct http *h, const char *url, struct err *err)
{
	CURLcode code;
	int rc = need_handle(h, err);

	if (rc < 0)
		return rc;
	(void)curl_easy_setopt(h->curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(h->curl, CURLOPT_CONNECT_ONLY, 1L);
	(void)curl_easy_setopt(h->curl, CURLOPT_SSL_ENABLE_ALPN, 0L);
	code = curl_easy_perform(h->curl);
	return code == CURLE_OK ? 0 : failed(h, code, err);
}

int http_send_bare(struct http *h, const char *url, const char *bytes, size_t len, struct err *err)
{
	char none[64];
	size_t n;
	int rc = 0;

	/* Nothing comes from there but the end. */
	if (h->curl && curl_easy_recv(h->curl, none, sizeof none, &n) != CURLE_AGAIN)
		hang_up(h);
	*h->error = '\0';
	if (!h->curl)
		rc = connect_bare(h, url, err);
	if (rc == 0)
		rc = send_all(h, bytes, len, err);
	if (rc < 0 && h->curl)
		hang_up(h);
	return rc;
}
