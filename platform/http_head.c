// SPDX-License-Identifier: Apache-2.0
/*
 * See http_head.h.
 */
#include "platform/http_head.h"

#include <string.h>
#include <strings.h>

size_t http_head_end(const char *bytes, size_t len)
{
	const char *end = memmem(bytes, len, "\r\n\r\n", 4);

	return end ? (size_t)(end - bytes) + 4 : 0;
}

/* RFC 9110, section 5.6.2. */
static bool is_token(const char *text)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	if (!*text)
		return false;
	for (; *text; text++) {
		bool letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');

		if (!letter && !(*text >= '0' && *text <= '9') && !strchr(others, *text))
			return false;
	}
	return true;
}

/* Visible bytes of ASCII. */
static bool is_visible(const char *text)
{
	for (; *text; text++) {
		if (*text <= ' ' || *text == 0x7f)
			return false;
	}
	return true;
}

static int take_request(struct http_head *ret, char *line)
{
	char *target = strchr(line, ' '), *version;

	if (!target)
		return 400;
	*target++ = '\0';
	version = strchr(target, ' ');
	if (!version)
		return 400;
	*version++ = '\0';
	if (!is_token(line) || !is_visible(target))
		return 400;
	if (strncmp(version, "HTTP/", 5) != 0)
		return 400;
	if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
		return 505;
	ret->is_head = strcmp(line, "HEAD") == 0;
	if (!ret->is_head && strcmp(line, "GET") != 0)
		return 405;
	if (*target != '/')
		return 400;
	ret->path = target;
	ret->query = strchr(target, '?');
	if (ret->query)
		*ret->query++ = '\0';
	else
		ret->query = target + strlen(target);
	return 0;
}

static int take_field(struct http_head *ret, char *line)
{
	char *colon = strchr(line, ':'), *value, *end;

	if (ret->n == HTTP_HEADERS_MAX)
		return 431;
	if (!colon)
		return 400;
	*colon = '\0';
	/* A blank before the colon, or a folded line, is no token. */
	if (!is_token(line))
		return 400;
	value = colon + 1 + strspn(colon + 1, " \t");
	end = value + strlen(value);
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	for (const char *c = value; *c; c++) {
		if ((unsigned char)*c < ' ' && *c != '\t')
			return 400;
	}
	ret->fields[ret->n].name = line;
	ret->fields[ret->n++].value = value;
	return 0;
}

/* What RFC 9112 asks of a server that takes no body. */
static int judge(struct http_head *ret)
{
	const char *length = http_head_field(ret, "Content-Length");
	size_t hosts = 0;

	for (size_t i = 0; i < ret->n; i++)
		hosts += strcasecmp(ret->fields[i].name, "Host") == 0;
	ret->host = http_head_field(ret, "Host");
	if (hosts != 1 || !is_visible(ret->host))
		return 400;
	if (http_head_field(ret, "Transfer-Encoding"))
		return 501;
	return length && strcmp(length, "0") != 0 ? 413 : 0;
}

int http_head_parse(struct http_head *ret, char *bytes, size_t len)
{
	char *line = bytes, *end;
	bool is_first = true;
	int rc = 0;

	*ret = (struct http_head){.n = 0};
	if (len < 4 || http_head_end(bytes, len) != len || memchr(bytes, '\0', len))
		return 400;
	bytes[len - 2] = '\0'; /* the empty line */
	for (; rc == 0 && *line; line = end + 2) {
		end = strstr(line, "\r\n");
		if (!end)
			return 400;
		*end = '\0';
		if (strpbrk(line, "\r\n"))
			return 400;
		rc = is_first ? take_request(ret, line) : take_field(ret, line);
		is_first = false;
	}
	if (rc == 0 && is_first)
		rc = 400;
	return rc ? rc : judge(ret);
}

const char *http_head_reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} reasons[] = {{200, "OK"},
		       {303, "See Other"},
		       {400, "Bad Request"},
		       {401, "Unauthorized"},
		       {403, "Forbidden"},
		       {404, "Not Found"},
		       {405, "Method Not Allowed"},
		       {413, "Content Too Large"},
		       {421, "Misdirected Request"},
		       {431, "Request Header Fields Too Large"},
		       {501, "Not Implemented"},
		       {503, "Service Unavailable"},
		       {505, "HTTP Version Not Supported"}};

	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Internal Server Error";
}

const char *http_head_field(const struct http_head *head, const char *name)
{
	for (size_t i = 0; i < head->n; i++) {
		if (strcasecmp(head->fields[i].name, name) == 0)
			return head->fields[i].value;
	}
	return NULL;
}

static int digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* As of forms (WHATWG URL, application/x-www-form-urlencoded): '+' is a blank. */
static bool decode(char *out, size_t cap, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++, n++) {
		char c = text[i] == '+' ? ' ' : text[i];

		if (c == '%') {
			if (i + 2 >= len || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0)
				return false;
			c = (char)(digit(text[i + 1]) << 4 | digit(text[i + 2]));
			i += 2;
		}
		if (c == '\0' || n + 1 >= cap)
			return false;
		out[n] = c;
	}
	out[n] = '\0';
	return cap > 0;
}

bool http_head_parameter(const struct http_head *head, const char *name, char *out, size_t cap)
{
	size_t name_len = strlen(name);

	for (const char *at = head->query; *at;) {
		size_t len = strcspn(at, "&");

		if (len > name_len && strncmp(at, name, name_len) == 0 && at[name_len] == '=')
			return decode(out, cap, at + name_len + 1, len - name_len - 1);
		at += len + (at[len] == '&');
	}
	return false;
}

bool http_head_cookie(const struct http_head *head, const char *name, char *out, size_t cap)
{
	size_t name_len = strlen(name);

	/* RFC 6265, section 5.4: "a=1; b=2" in one field. */
	for (const char *at = http_head_field(head, "Cookie"); at && *at;) {
		size_t len = strcspn(at, ";");

		if (len > name_len && strncmp(at, name, name_len) == 0 && at[name_len] == '=' &&
		    len - name_len - 1 < cap) {
			memcpy(out, at + name_len + 1, len - name_len - 1);
			out[len - name_len - 1] = '\0';
			return true;
		}
		at += len + (at[len] == ';');
		at += strspn(at, " ");
	}
	return false;
}
