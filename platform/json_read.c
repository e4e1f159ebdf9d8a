// SPDX-License-Identifier: Apache-2.0
/*
 * Reads JSON: see json_read.h. A value opens at a byte of its own, so the number of bytes that may open or follow one
 * bounds the array of all values: it is allocated once.
 */
#include "platform/json_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"

struct json {
	char *text;
	size_t len; /* of its room */
	char *name;
	struct json_value *values;
	size_t n;
};
_Static_assert(sizeof(struct json_value) <= JSON_VALUE_BYTES, "as json_read.h says");

struct reader {
	struct json *json;
	char *p, *end;
	uint32_t line;
	unsigned depth;
	struct err *err;
};

static int fail(const struct reader *r, const char *what)
{
	return err_set(r->err, ERR_FORMAT, "%s:%u: not JSON: %s", r->json->name, r->line, what);
}

static void skip_blanks(struct reader *r)
{
	for (; r->p < r->end; r->p++) {
		if (*r->p == '\n')
			r->line++;
		else if (*r->p != ' ' && *r->p != '\t' && *r->p != '\r')
			break;
	}
}

static bool take(struct reader *r, char c)
{
	skip_blanks(r);
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

/* ---- strings ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four hexadecimal digits at the cursor; -1 if they are not there. */
static int32_t take_unit(struct reader *r)
{
	int32_t v = 0;

	for (int i = 0; i < 4; i++) {
		int digit = r->p < r->end ? hex_digit(*r->p) : -1;

		if (digit < 0)
			return -1;
		v = v << 4 | digit;
		r->p++;
	}
	return v;
}

/* Where it ends. */
static char *put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		*out++ = (char)c;
		return out;
	}
	if (c >= 0x10000)
		*out++ = (char)(0xf0 | c >> 18);
	if (c >= 0x800)
		*out++ = (char)(c >= 0x10000 ? 0x80 | (c >> 12 & 0x3f) : 0xe0 | c >> 12);
	*out++ = (char)(c >= 0x800 ? 0x80 | (c >> 6 & 0x3f) : 0xc0 | c >> 6);
	*out++ = (char)(0x80 | (c & 0x3f));
	return out;
}

/* Behind `\u`: the character in UTF-8, never longer than its escape. NULL if it is none. */
static char *take_escaped_unit(struct reader *r, char *out)
{
	int32_t c = take_unit(r), low;

	if (c <= 0 || (c >= 0xdc00 && c <= 0xdfff))
		return NULL;
	if (c >= 0xd800 && c <= 0xdbff) {
		if (r->end - r->p < 2 || r->p[0] != '\\' || r->p[1] != 'u')
			return NULL;
		r->p += 2;
		low = take_unit(r);
		if (low < 0xdc00 || low > 0xdfff)
			return NULL;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	return put_utf8(out, (uint32_t)c);
}

/* The cursor stands behind the opening quote. */
static int read_string(struct reader *r, const char **ret)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char *out = r->p;

	*ret = out;
	for (;;) {
		const char *escape;

		if (r->p == r->end)
			return fail(r, "a string does not end");
		if ((unsigned char)*r->p < 0x20)
			return fail(r, "a control character in a string");
		if (*r->p == '"')
			break;
		if (*r->p != '\\') {
			*out++ = *r->p++;
			continue;
		}
		r->p++;
		if (r->p < r->end && *r->p == 'u') {
			r->p++;
			out = take_escaped_unit(r, out);
			if (!out)
				return fail(r, "\\u without a character behind it");
			continue;
		}
		escape = r->p < r->end && *r->p ? strchr(from, *r->p) : NULL;
		if (!escape)
			return fail(r, "an unknown escape in a string");
		*out++ = to[escape - from];
		r->p++;
	}
	r->p++;
	*out = '\0';
	return 0;
}

/* ---- values ---- */

static size_t digits(const char *p, const char *end)
{
	size_t n = 0;

	while (p + n < end && p[n] >= '0' && p[n] <= '9')
		n++;
	return n;
}

/* Length of the number at `p`, 0 if there is none (RFC 8259, section 6). */
static size_t number_length(const char *p, const char *end)
{
	const char *begin = p;
	size_t n;

	p += p < end && *p == '-';
	n = digits(p, end);
	if (n == 0 || (n > 1 && *p == '0'))
		return 0;
	p += n;
	if (p < end && *p == '.') {
		n = digits(++p, end);
		if (n == 0)
			return 0;
		p += n;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		p += p < end && (*p == '+' || *p == '-');
		n = digits(p, end);
		if (n == 0)
			return 0;
		p += n;
	}
	return (size_t)(p - begin);
}

/* A number, true, false or null. */
static int read_word(struct reader *r, struct json_value *v)
{
	static const struct {
		const char *word;
		enum json_kind kind;
	} words[] = {{"null", JSON_NULL}, {"false", JSON_FALSE}, {"true", JSON_TRUE}};
	size_t left = (size_t)(r->end - r->p), n;

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		n = strlen(words[i].word);
		if (left >= n && memcmp(r->p, words[i].word, n) == 0) {
			v->kind = (uint8_t)words[i].kind;
			r->p += n;
			return 0;
		}
	}
	n = number_length(r->p, r->end);
	if (n == 0)
		return fail(r, left ? "a value is missing" : "it ends too early");
	/* Texts end in NUL; the byte behind a number may be a comma that is still needed, so the number
	 * moves down by one: before it stands a byte that was read already. */
	memmove(r->p - 1, r->p, n);
	r->p[n - 1] = '\0';
	v->kind = JSON_NUMBER;
	v->text = r->p - 1;
	r->p += n;
	return 0;
}

static int read_value(struct reader *r, const struct json_value *parent, const char *key,
		      struct json_value **ret);

static int read_members(struct reader *r, struct json_value *v)
{
	bool object = v->kind == JSON_OBJECT;
	struct json_value *last = NULL, *child;
	int rc;

	if (++r->depth > JSON_DEPTH)
		return fail(r, "nested too deeply");
	if (!take(r, object ? '}' : ']')) {
		do {
			const char *key = NULL;

			if (object) {
				if (!take(r, '"'))
					return fail(r, "a member's name is missing");
				rc = read_string(r, &key);
				if (rc < 0)
					return rc;
				if (!take(r, ':'))
					return fail(r, "a colon is missing");
			}
			rc = read_value(r, v, key, &child);
			if (rc < 0)
				return rc;
			if (last)
				last->next = child;
			else
				v->child = child;
			last = child;
		} while (take(r, ','));
		if (!take(r, object ? '}' : ']'))
			return fail(r, "a comma or a closing bracket is missing");
	}
	r->depth--;
	return 0;
}

static int read_value(struct reader *r, const struct json_value *parent, const char *key,
		      struct json_value **ret)
{
	struct json_value *v = &r->json->values[r->json->n++];

	skip_blanks(r);
	*v = (struct json_value){.parent = parent, .key = key, .line = r->line};
	*ret = v;
	if (take(r, '"')) {
		v->kind = JSON_STRING;
		return read_string(r, &v->text);
	}
	if (take(r, '{')) {
		v->kind = JSON_OBJECT;
		return read_members(r, v);
	}
	if (take(r, '[')) {
		v->kind = JSON_ARRAY;
		return read_members(r, v);
	}
	return read_word(r, v);
}

static int read_all(struct reader *r)
{
	struct json_value *root;
	int rc = read_value(r, NULL, NULL, &root);

	if (rc < 0)
		return rc;
	skip_blanks(r);
	return r->p < r->end ? fail(r, "something follows the value") : 0;
}

int json_parse(struct json **ret, char *text, size_t len, const char *name, struct err *err)
{
	struct json *json = calloc(1, sizeof *json);
	/* A byte before the text, for a number that begins it. */
	char *room = malloc(len + 2);
	struct reader r = {.json = json, .line = 1, .err = err};
	size_t most = 1;
	int rc = -ENOMEM;

	for (size_t i = 0; i < len; i++)
		most += text[i] == ',' || text[i] == '{' || text[i] == '[';
	if (room)
		memcpy(room + 1, text, len);
	explicit_bzero(text, len);
	free(text);
	if (json) {
		json->text = room;
		json->len = room ? len + 2 : 0;
		json->name = strdup(name);
		json->values = calloc(most, sizeof json->values[0]);
	}
	if (!json || !room || !json->name || !json->values) {
		if (!json)
			free(room);
		err_set(err, rc, "%s: out of memory", name);
	} else {
		r.p = room + 1;
		r.end = r.p + len;
		rc = read_all(&r);
	}
	if (rc < 0)
		json_free(json);
	else
		*ret = json;
	return rc;
}

static uint32_t unit_at(const uint8_t *p, bool is_big)
{
	return is_big ? (uint32_t)p[0] << 8 | p[1] : (uint32_t)p[1] << 8 | p[0];
}

/* What a PowerShell redirects into a file is UTF-16. 0: done, or there was nothing to do. */
static int make_utf8(char **text, size_t *len)
{
	const uint8_t *in = (const uint8_t *)*text, *end = in + *len;
	bool is_big = *len >= 2 && in[0] == 0xfe && in[1] == 0xff;
	char *out, *p;

	if (*len >= 3 && memcmp(in, "\xef\xbb\xbf", 3) == 0) {
		*len -= 3;
		memmove(*text, *text + 3, *len + 1);
		return 0;
	}
	if (!is_big && !(*len >= 2 && in[0] == 0xff && in[1] == 0xfe))
		return 0;
	out = p = malloc(*len * 2 + 1); /* two bytes become three at most */
	if (!out)
		return -ENOMEM;
	for (in += 2; end - in >= 2; in += 2) {
		uint32_t c = unit_at(in, is_big),
			 next = end - in >= 4 ? unit_at(in + 2, is_big) : 0;

		if (c >> 10 == 0x36 && next >> 10 == 0x37) { /* a pair of surrogates */
			c = 0x10000 + ((c & 0x3ff) << 10) + (next & 0x3ff);
			in += 2;
		}
		p = put_utf8(p, c);
	}
	explicit_bzero(*text, *len);
	free(*text);
	*p = '\0';
	*text = out;
	*len = (size_t)(p - out);
	return 0;
}

int json_read_file(struct json **ret, const char *path, size_t max, struct err *err)
{
	char *text;
	size_t len;

	if (file_read_all(path, max, &text, &len, err) < 0)
		return ERR_USAGE;
	if (make_utf8(&text, &len) < 0) {
		free(text);
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	}
	return json_parse(ret, text, len, path, err);
}

void json_free(struct json *json)
{
	if (!json)
		return;
	free(json->values);
	if (json->text)
		explicit_bzero(json->text, json->len);
	free(json->text);
	free(json->name);
	free(json);
}

/* ---- questions ---- */

const struct json_value *json_root(const struct json *json)
{
	return &json->values[0];
}

const struct json_value *json_member(const struct json_value *object, const char *key)
{
	if (!object || object->kind != JSON_OBJECT)
		return NULL;
	for (const struct json_value *v = object->child; v; v = v->next) {
		if (strcmp(v->key, key) == 0)
			return v;
	}
	return NULL;
}

const char *json_member_text(const struct json_value *object, const char *key)
{
	const struct json_value *v = json_member(object, key);

	return v && v->kind == JSON_STRING ? v->text : NULL;
}

bool json_integer(const struct json_value *value, int64_t min, int64_t max, int64_t *ret)
{
	const char *p;
	int64_t v = 0;
	bool minus;

	if (!value || value->kind != JSON_NUMBER)
		return false;
	p = value->text;
	minus = *p == '-';
	p += minus;
	if (strlen(p) > 18) /* below 2^63 whatever the digits */
		return false;
	for (; *p; p++) {
		if (*p < '0' || *p > '9')
			return false;
		v = v * 10 + (*p - '0');
	}
	v = minus ? -v : v;
	if (v < min || v > max)
		return false;
	*ret = v;
	return true;
}

const char *json_where(char out[static JSON_WHERE_TEXT], const struct json *json,
		       const struct json_value *value)
{
	const struct json_value *chain[JSON_DEPTH + 1] = {0};
	size_t depth = 0, at;
	int n;

	for (const struct json_value *v = value; v->parent && depth <= JSON_DEPTH; v = v->parent)
		chain[depth++] = v;
	n = snprintf(out, JSON_WHERE_TEXT, "%s:%u: ", json->name, value->line);
	at = n < 0 ? 0 : (size_t)n;
	for (size_t i = depth; i-- > 0 && at < JSON_WHERE_TEXT;) {
		size_t index = 0;

		if (chain[i]->key) {
			n = snprintf(out + at, JSON_WHERE_TEXT - at, "%s%.40s",
				     i + 1 < depth ? "." : "", chain[i]->key);
		} else {
			for (const struct json_value *v = chain[i]->parent->child; v != chain[i];
			     v = v->next)
				index++;
			n = snprintf(out + at, JSON_WHERE_TEXT - at, "[%zu]", index);
		}
		at += n < 0 ? 0 : (size_t)n;
	}
	if (depth == 0 && at < JSON_WHERE_TEXT)
		(void)snprintf(out + at, JSON_WHERE_TEXT - at, "the whole");
	return out;
}
