// SPDX-License-Identifier: Apache-2.0
/*
 * The head of an HTTP/1.1 request (RFC 9112), for a server that only gives: GET and HEAD, no body.
 *
 * Strict where the RFC lets a server be: lines end with CR LF, none is folded, no control stands in them, nothing
 * follows the head. All strings are in the caller's bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { HTTP_HEADERS_MAX = 64, HTTP_HEAD_MAX = 8192 }; /* fields; bytes of a head */

struct http_head {
	bool is_head; /* HEAD, else GET */
	char *path;   /* as it came, from the first '/' to the '?' */
	char *query;  /* behind the '?'; "" if there is none */
	const char *host;
	size_t n;
	struct {
		char *name, *value;
	} fields[HTTP_HEADERS_MAX];
};

/* Bytes up to the end of the head, the empty line included; 0: it is not there yet. */
size_t http_head_end(const char *bytes, size_t len);

/* Takes a head of `len` bytes apart in place. 0, or the status to refuse it with: 400, 405, 413, 431, 501, 505. */
int http_head_parse(struct http_head *ret, char *bytes, size_t len);

/* "Not Found" of 404, ...; of a status that is not known that of 500. */
const char *http_head_reason(unsigned status);

/* The value of a field; NULL if there is none. Names are compared without regard to case. */
const char *http_head_field(const struct http_head *head, const char *name);

/* The value of a parameter of the query, percent-decoded, into `out`. False if there is none, it does not
 * fit, or holds a NUL or a broken escape. */
bool http_head_parameter(const struct http_head *head, const char *name, char *out, size_t cap);

/* The value of a cookie, as it came, into `out`; false as above. */
bool http_head_cookie(const struct http_head *head, const char *name, char *out, size_t cap);
