// SPDX-License-Identifier: Apache-2.0
/*
 * See sigv4.h. The canonical request is never held as a whole: it is hashed as it is made.
 */
#include "collector/sigv4.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "platform/crypto.h"
#include "platform/text.h"

static const char algorithm[] = "AWS4-HMAC-SHA256";

enum { DAY = 8, SCOPE = 256, SECRET = 256 };

/* ---- target ---- */

static bool put(char *out, size_t cap, size_t *n, const char *text)
{
	size_t len = strlen(text);

	if (cap - *n <= len)
		return false;
	memcpy(&out[*n], text, len + 1);
	*n += len;
	return true;
}

/* Its slashes stay, each piece between them is encoded. */
static bool put_path(char *out, size_t cap, size_t *n, const char *path)
{
	char piece[1025]; /* a key has at most 1,024 bytes */
	size_t len;

	for (; *path; path += len) {
		len = *path == '/' ? 1 : strcspn(path, "/");
		if (len >= sizeof piece)
			return false;
		memcpy(piece, path, len);
		piece[len] = '\0';
		if (*path == '/' ? !put(out, cap, n, piece)
				 : !text_percent_encode(&out[*n], cap - *n, piece))
			return false;
		*n += strlen(&out[*n]);
	}
	return true;
}

struct encoded {
	const char *name, *value;
};

static int by_code(const void *a, const void *b)
{
	const struct encoded *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->value, y->value);
}

/* The query as it is signed, and sent: encoded, then sorted by bytes. */
static bool put_query(char *out, size_t cap, size_t *n, const struct sigv4_request *r)
{
	struct encoded pairs[SIGV4_PAIRS_MAX] = {{0}};
	char *room = malloc(SIGV4_TARGET);
	size_t used = 0;
	bool is_good = room != NULL;

	for (size_t i = 0; is_good && i < 2 * r->n_query; i++) {
		const char *given = i % 2 ? r->query[i / 2].value : r->query[i / 2].name;

		is_good = text_percent_encode(&room[used], SIGV4_TARGET - used, given);
		*(i % 2 ? &pairs[i / 2].value : &pairs[i / 2].name) = &room[used];
		used += strlen(&room[used]) + 1;
	}
	if (is_good)
		qsort(pairs, r->n_query, sizeof pairs[0], by_code);
	for (size_t i = 0; is_good && i < r->n_query; i++)
		is_good = put(out, cap, n, i ? "&" : "") && put(out, cap, n, pairs[i].name) &&
			  put(out, cap, n, "=") && put(out, cap, n, pairs[i].value);
	free(room);
	return is_good;
}

/* `*ret_query` is where the query begins: behind the mark, or at the end. */
static bool make_target(struct sigv4_signed *ret, const struct sigv4_request *r, size_t *ret_path,
			size_t *ret_query)
{
	size_t n = 0;

	ret->target[0] = '\0';
	if (r->n_query > SIGV4_PAIRS_MAX || !put_path(ret->target, sizeof ret->target, &n, r->path))
		return false;
	*ret_path = n;
	if (r->n_query > 0 && !put(ret->target, sizeof ret->target, &n, "?"))
		return false;
	*ret_query = n;
	return put_query(ret->target, sizeof ret->target, &n, r);
}

/* ---- canonical request ---- */

static void add(struct crypto_sha256 *h, const char *text)
{
	crypto_sha256_add(h, text, strlen(text));
}

static void add_line(struct crypto_sha256 *h, const char *text, size_t len)
{
	crypto_sha256_add(h, text, len);
	crypto_sha256_add(h, "\n", 1);
}

static void add_lower(struct crypto_sha256 *h, const char *text)
{
	for (; *text; text++) {
		char c = *text >= 'A' && *text <= 'Z' ? (char)(*text | 0x20) : *text;

		crypto_sha256_add(h, &c, 1);
	}
}

/* Without blanks at its ends; those within become one (a folded line's are among them). */
static void add_value(struct crypto_sha256 *h, const char *text)
{
	static const char blanks[] = " \t\r\n";

	for (text += strspn(text, blanks); *text;) {
		size_t len = strcspn(text, blanks);

		crypto_sha256_add(h, text, len);
		text += len + strspn(text + len, blanks);
		if (*text)
			add(h, " ");
	}
}

/* Names in order; those of one name as they were given. */
static void sort_headers(struct sigv4_pair *headers, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct sigv4_pair moved = headers[i];
		size_t k = i;

		for (; k > 0 && strcasecmp(headers[k - 1].name, moved.name) > 0; k--)
			headers[k] = headers[k - 1];
		headers[k] = moved;
	}
}

static bool is_same(const struct sigv4_pair *headers, size_t i)
{
	return i > 0 && strcasecmp(headers[i - 1].name, headers[i].name) == 0;
}

static void hash_headers(struct crypto_sha256 *h, const struct sigv4_pair *headers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (is_same(headers, i)) {
			add(h, ",");
		} else {
			add(h, i ? "\n" : "");
			add_lower(h, headers[i].name);
			add(h, ":");
		}
		add_value(h, headers[i].value);
	}
	add(h, "\n\n");
}

static bool name_headers(char *out, size_t cap, const struct sigv4_pair *headers, size_t n)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		if (is_same(headers, i))
			continue;
		if (!put(out, cap, &used, i ? ";" : "") || !put(out, cap, &used, headers[i].name))
			return false;
	}
	for (char *c = out; *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
	return true;
}

/* ---- signature ---- */

static void hmac(uint8_t out[static SHA256_BYTES], const uint8_t *key, const char *text)
{
	crypto_hmac_sha256(out, key, SHA256_BYTES, text, strlen(text));
}

static bool sign(char hex[static SHA256_HEX], const char *secret, const char *day,
		 const struct sigv4_request *r, const char *to_sign)
{
	char first[SECRET];
	uint8_t key[SHA256_BYTES], mac[SHA256_BYTES];
	int len = snprintf(first, sizeof first, "AWS4%s", secret);
	bool fits = len > 0 && (size_t)len < sizeof first;

	if (fits) {
		crypto_hmac_sha256(key, first, (size_t)len, day, DAY);
		hmac(mac, key, r->region);
		hmac(key, mac, r->service);
		hmac(mac, key, "aws4_request");
		hmac(key, mac, to_sign);
		crypto_hex(hex, key, SHA256_BYTES);
	}
	explicit_bzero(first, sizeof first);
	explicit_bzero(key, sizeof key);
	explicit_bzero(mac, sizeof mac);
	return fits;
}

static void write_date(char out[static SIGV4_DATE], uint64_t now_s)
{
	time_t at = (time_t)now_s;
	struct tm tm;

	if (!gmtime_r(&at, &tm) || strftime(out, SIGV4_DATE, "%Y%m%dT%H%M%SZ", &tm) == 0)
		memcpy(out, "00000000T000000Z", SIGV4_DATE);
}

int sigv4_sign(struct sigv4_signed *ret, const struct sigv4_request *r,
	       const struct sigv4_credentials *c, struct err *err)
{
	struct sigv4_pair headers[SIGV4_PAIRS_MAX];
	char scope[SCOPE], names[1024], hex[SHA256_HEX], to_sign[SCOPE + 256];
	uint8_t digest[SHA256_BYTES];
	struct crypto_sha256 *h;
	size_t n = 0, path_len, query_at;
	int len;

	if (r->n_headers + 3 > SIGV4_PAIRS_MAX)
		return err_set(err, ERR_FULL, "a request of too many headers cannot be signed");
	write_date(ret->date, r->now_s);
	headers[n++] = (struct sigv4_pair){"host", r->host};
	headers[n++] = (struct sigv4_pair){"x-amz-date", ret->date};
	if (c->token)
		headers[n++] = (struct sigv4_pair){"x-amz-security-token", c->token};
	for (size_t i = 0; i < r->n_headers; i++)
		headers[n++] = r->headers[i];
	sort_headers(headers, n);
	len = snprintf(scope, sizeof scope, "%.*s/%s/%s/aws4_request", DAY, ret->date, r->region,
		       r->service);
	if ((size_t)len >= sizeof scope || !make_target(ret, r, &path_len, &query_at) ||
	    !name_headers(names, sizeof names, headers, n))
		return err_set(err, ERR_FULL, "a request is too long to be signed");
	h = crypto_sha256_new();
	if (!h)
		return err_set(err, -ENOMEM, "no memory to sign a request");
	add_line(h, r->method, strlen(r->method));
	add_line(h, ret->target, path_len);
	add_line(h, &ret->target[query_at], strlen(&ret->target[query_at]));
	hash_headers(h, headers, n);
	add_line(h, names, strlen(names));
	add(h, r->payload);
	crypto_sha256_end(h, digest);
	(void)snprintf(to_sign, sizeof to_sign, "%s\n%s\n%s\n%s", algorithm, ret->date, scope,
		       crypto_hex(hex, digest, SHA256_BYTES));
	if (!sign(hex, c->secret_key, ret->date, r, to_sign))
		return err_set(err, ERR_FULL, "the secret key is too long to sign with");
	len = snprintf(ret->authorization, sizeof ret->authorization,
		       "%s Credential=%s/%s, SignedHeaders=%s, Signature=%s", algorithm,
		       c->access_key, scope, names, hex);
	return (size_t)len < sizeof ret->authorization
		       ? 0
		       : err_set(err, ERR_FULL, "the access key is too long to sign with");
}
