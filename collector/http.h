// SPDX-License-Identifier: Apache-2.0
/*
 * Requests to others, by libcurl, which has its home here: it brings a TLS that knows the CAs of the world;
 * platform/tls speaks to our own kind alone.
 *
 * Certificates are always checked, and the name in them, by TLS 1.2 or newer. No redirect is followed, no proxy of the
 * environment is asked. Nothing of a URL but scheme, host and port, and nothing of a header, is in any error. Memory in
 * which libcurl held headers and bodies is wiped when it is given back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/err.h"

struct http;

struct http_options {
	const char *ca;    /* file of CAs (PEM), read at once; NULL: the system's */
	const char *proxy; /* URL of a proxy; NULL: none. Borrowed */
	uint32_t connect_s;
	uint32_t answer_s; /* a request may take so long; 0: as long as something moves */
	uint32_t stall_s;  /* and nothing may move for so long; 0: no limit of its own */
	bool (*may_go_on)(void *ctx); /* asked about once a second during a request; may be NULL */
	void *ctx;
};

/* Connects to nobody yet. ERR_USAGE or -errno with a sentence. */
int http_new(struct http **ret, const struct http_options *options, struct err *err);
/* NULL is fine. */
void http_free(struct http *http);

struct http_request {
	const char *method;
	const char *url;
	const char *const *headers; /* "Name: value" each */
	size_t n_headers;
	const void *body; /* NULL: none */
	size_t body_len;
	char *answer; /* its body, NUL-terminated, cut at the size; NULL: thrown away */
	size_t answer_cap;
};

struct http_answer {
	unsigned status;
	size_t len;  /* of what is in `answer` */
	bool is_cut; /* there was more */
};

/* 0 once an answer came, whichever; -EIO or -ENOMEM with a sentence. The connection is kept for the next one. */
int http_do(struct http *http, const struct http_request *request, struct http_answer *ret,
	    struct err *err);
/* Of the last answer: the value of a header, until the next request; NULL if there was none. */
const char *http_header(struct http *http, const char *name);
/* Unix seconds of a date as HTTP writes it (RFC 9110, section 5.6.7); 0 if it is none. */
uint64_t http_date_s(const char *text);

/* "https://host:port" of a URL, into `out`, for names in the log. ERR_USAGE if it is neither http nor https. */
int http_name(char *out, size_t cap, const char *url, bool *ret_is_plain);

/* Bytes over TLS to host and port of an https URL, for what is not HTTP. Connects if there is no connection or it has
 * ended; a connection on which sending failed is closed. 0, -EIO or -ENOMEM. */
int http_send_bare(struct http *http, const char *url, const char *bytes, size_t len,
		   struct err *err);
