// SPDX-License-Identifier: Apache-2.0
/*
 * See page_guard.h. Secrets are compared as digests, in a time that does not depend on them.
 */
#include "collector/page_guard.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "platform/addr.h"

static const char cookie_name[] = "flowproof";

/* ---- the token ---- */

static bool is_token(const char *text)
{
	size_t len = strlen(text);

	for (const char *c = text; *c; c++) {
		if (*c <= ' ' || *c >= 0x7f)
			return false;
	}
	return len >= PAGE_TOKEN_MIN && len <= PAGE_TOKEN_MAX;
}

int page_guard_read(struct page_guard *guard, const char *path, struct err *err)
{
	char line[PAGE_TOKEN_MAX + 3] = "";
	uint8_t salt[SHA256_BYTES], digest[SHA256_BYTES];
	FILE *file = fopen(path, "re");
	struct stat st;
	int rc = 0;

	if (!file)
		return err_errno(err, "--http-token-file %s", path);
	if (fstat(fileno(file), &st) == 0 && st.st_mode & (S_IRWXG | S_IRWXO))
		rc = err_set(err, ERR_USAGE,
			     "--http-token-file %s: others may read it: chmod 600 %s", path, path);
	else if (!fgets(line, sizeof line, file))
		line[0] = '\0';
	(void)fclose(file);
	line[strcspn(line, "\r\n")] = '\0';
	if (rc == 0 && !is_token(line))
		rc = err_set(err, ERR_USAGE,
			     "--http-token-file %s: its first line is no token: %d to %d letters, "
			     "digits and "
			     "signs, as `openssl rand -hex 32` makes",
			     path, PAGE_TOKEN_MIN, PAGE_TOKEN_MAX);
	if (rc == 0) {
		guard->has_token = true;
		crypto_sha256(guard->token, line, strlen(line));
		crypto_random(salt, sizeof salt);
		crypto_sha256_two(digest, salt, sizeof salt, line, strlen(line));
		(void)crypto_hex(guard->cookie, digest, sizeof digest);
		crypto_sha256(guard->cookie_digest, guard->cookie, strlen(guard->cookie));
	}
	explicit_bzero(line, sizeof line);
	return rc;
}

static bool is_secret(const char *given, const uint8_t digest[static SHA256_BYTES])
{
	uint8_t other[SHA256_BYTES];
	volatile uint8_t different = 0;

	crypto_sha256(other, given, strlen(given));
	for (size_t i = 0; i < sizeof other; i++)
		different |= other[i] ^ digest[i];
	return different == 0;
}

/* ---- the host ---- */

/* Without ":8080"; 0: it is none. */
static size_t name_length(const char *host)
{
	const char *end = *host == '[' ? strchr(host, ']') : host + strcspn(host, ":");

	if (!end)
		return 0;
	end += *end == ']';
	return *end == '\0' || (*end == ':' && end[1 + strspn(end + 1, "0123456789")] == '\0')
		       ? (size_t)(end - host)
		       : 0;
}

static bool is_known_host(const struct page_guard *guard, const char *host)
{
	size_t len = name_length(host);
	struct addr addr;
	uint8_t family;

	if (*host == '[')
		return len > 2 && addr_read(host + 1, len - 2, &addr, &family) && family == 6;
	if (addr_read(host, len, &addr, &family))
		return true;
	if (len == strlen("localhost") && strncasecmp(host, "localhost", len) == 0)
		return true;
	for (size_t i = 0; i < guard->hosts->n; i++) {
		const char *name = guard->hosts->v[i];

		if (len > 0 && strlen(name) == len && strncasecmp(host, name, len) == 0)
			return true;
	}
	return false;
}

/* Fetch Metadata: browsers say what made them ask. */
static bool is_embedded(const struct http_head *head)
{
	const char *site = http_head_field(head, "Sec-Fetch-Site"),
		   *mode = http_head_field(head, "Sec-Fetch-Mode");

	return site && (strcmp(site, "cross-site") == 0 || strcmp(site, "same-site") == 0) &&
	       !(mode && strcmp(mode, "navigate") == 0);
}

unsigned page_guard_check(const struct page_guard *guard, const struct http_head *head,
			  char headers[static PAGE_GUARD_HEADERS])
{
	const char *given = http_head_field(head, "Authorization");
	char text[PAGE_TOKEN_MAX + 1], lang[3] = "";

	headers[0] = '\0';
	if (!is_known_host(guard, head->host))
		return 421;
	if (is_embedded(head))
		return 403;
	if (!guard->has_token || strcmp(head->path, "/healthz") == 0)
		return 0;
	if (given && strncasecmp(given, "Bearer ", 7) == 0 && is_secret(given + 7, guard->token))
		return 0;
	if (http_head_cookie(head, cookie_name, text, sizeof text) &&
	    is_secret(text, guard->cookie_digest))
		return 0;
	if (http_head_parameter(head, "token", text, sizeof text) &&
	    is_secret(text, guard->token)) {
		(void)http_head_parameter(head, "lang", lang, sizeof lang);
		(void)snprintf(headers, PAGE_GUARD_HEADERS,
			       "Set-Cookie: %s=%s; Path=/; HttpOnly; SameSite=Strict\r\n"
			       "Location: /%s\r\n",
			       cookie_name, guard->cookie,
			       strcmp(lang, "ja") == 0   ? "?lang=ja"
			       : strcmp(lang, "en") == 0 ? "?lang=en"
							 : "");
		return 303;
	}
	(void)snprintf(headers, PAGE_GUARD_HEADERS,
		       "WWW-Authenticate: Bearer realm=\"flowproof\"\r\n");
	return 401;
}
