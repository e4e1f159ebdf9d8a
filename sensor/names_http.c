// SPDX-License-Identifier: Apache-2.0
/*
 * names_http: see names_http.h.
 */
#include "sensor/names_http.h"

#include <string.h>
#include <strings.h>

#include "platform/bytes.h"
#include "platform/ec2/imds.h"

/* RFC 9110, section 9, and PATCH (RFC 5789): the words that are looked for, each with its blank. */
static const char *const methods[] = {"GET ",     "POST ",    "PUT ",   "HEAD ", "DELETE ",
				      "OPTIONS ", "CONNECT ", "PATCH ", "TRACE "};

static const char *method_of(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		size_t n = strlen(methods[i]);

		if (memcmp(bytes, methods[i], len < n ? len : n) == 0)
			return methods[i];
	}
	return NULL;
}

bool http_begins(const uint8_t *bytes, size_t len)
{
	return len && method_of(bytes, len);
}

/* The next line without its end, which is LF or CR LF; false when it is not there. */
static bool take_line(struct rd *rd, struct rd *ret)
{
	const uint8_t *end = rd_left(rd) ? memchr(rd->p, '\n', rd_left(rd)) : NULL;

	if (!end)
		return false;
	*ret = rd_init(rd->p, (size_t)(end - rd->p));
	rd->p = end + 1;
	if (rd_left(ret) && ret->end[-1] == '\r')
		ret->end--;
	return true;
}

/* Is this the line of header `name`? The cursor moves to its value. */
static bool is_header(struct rd *line, const char *name)
{
	size_t n = strlen(name);

	if (rd_left(line) <= n || line->p[n] != ':' ||
	    strncasecmp((const char *)line->p, name, n) != 0)
		return false;
	line->p += n + 1;
	while (rd_left(line) && (*line->p == ' ' || *line->p == '\t'))
		line->p++;
	return true;
}

/* Host = uri-host [":" port]; an IPv6 address has brackets. */
static void put_host(struct names_text *to, struct rd rd)
{
	bool in_brackets = false;

	for (; rd_left(&rd) && (*rd.p != ':' || in_brackets) && *rd.p != '/'; rd.p++) {
		in_brackets = (in_brackets || *rd.p == '[') && *rd.p != ']';
		names_put_byte(to, *rd.p, "\\");
	}
	if (to->len > 1 && to->text[to->len - 1] == '.')
		to->text[--to->len] = 0;
}

static void request_line(struct http_head *ret, struct rd line)
{
	const uint8_t *end;
	struct rd target;

	line.p += strlen(ret->method) + 1;
	target = line;
	/* The target ends at the last blank, before the version. */
	for (end = line.end; end > line.p && end[-1] != ' '; end--)
		;
	if (end > line.p)
		target.end = end - 1;
	if (strcmp(ret->method, "CONNECT") == 0)
		put_host(&ret->host, target);
	else if (rd_left(&target) > 7 && strncasecmp((const char *)target.p, "http://", 7) == 0)
		put_host(&ret->host, rd_init(target.p + 7, rd_left(&target) - 7));
	for (; rd_left(&target); target.p++) {
		if (*target.p >= 'A' && *target.p <= 'Z')
			names_put(&ret->path, (char)*target.p); /* paths have cases */
		else
			names_put_byte(&ret->path, *target.p, "\\");
	}
}

enum names_read http_read(struct http_head *ret, const uint8_t *bytes, size_t len)
{
	struct rd rd = rd_init(bytes, len), line;
	const char *method = len ? method_of(bytes, len) : NULL;

	memset(ret, 0, sizeof *ret);
	if (len && !method)
		return NAMES_BAD;
	if (!take_line(&rd, &line))
		return NAMES_MORE;
	if (rd_left(&line) < strlen(method))
		return NAMES_BAD;
	memcpy(ret->method, method, strlen(method) - 1);
	request_line(ret, line);
	while (take_line(&rd, &line)) {
		if (!rd_left(&line))
			return NAMES_DONE;
		if (is_header(&line, "Host")) {
			if (!ret->host.len)
				put_host(&ret->host, line);
		} else if (is_header(&line, IMDS_BEARS)) {
			ret->has_token = rd_left(&line) > 0;
		} else if (is_header(&line, IMDS_ASKS)) {
			ret->asks_token = true;
		}
	}
	return NAMES_MORE;
}
