// SPDX-License-Identifier: Apache-2.0
/*
 * See aws.h. What answers mean: "Error responses" (S3 API Reference), "Common Errors" (CloudWatch Logs API Reference),
 * "Retry behavior" (AWS SDKs and Tools Reference Guide).
 */
#include "collector/aws.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/credentials.h"
#include "collector/http.h"
#include "platform/clock.h"
#include "platform/crypto.h"
#include "platform/json_read.h"
#include "platform/log.h"

enum {
	HOST_MAX = 256,
	URL_MAX = SIGV4_TARGET + HOST_MAX + 16,
	LINES_MAX = 16384,
	CONNECT_S = 5,
	STALL_S = 20,
	WAIT_MAX_S = 120, /* what the other side asks for is waited for, up to so long */
	SKEW_S = 60,      /* less is no reason to sign with another's time */
};

struct aws {
	struct http *http;
	struct credentials *credentials;
	struct delivery *delivery;
	const char *service, *region, *credentials_file;
	char scheme[8], host[HOST_MAX], name[HOST_MAX + 16];
	int64_t skew_s; /* added to this machine's time */
	/* of the call under way */
	struct sigv4_signed signed_;
	char url[URL_MAX];
	char lines[LINES_MAX]; /* headers, with the session's token */
	size_t lines_len;
	const char *headers[SIGV4_PAIRS_MAX + 4];
	size_t n_headers;
	char body[AWS_ANSWER];
};

/* ---- endpoint ---- */

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && strcmp(text + len - n, end) == 0;
}

static bool is_this_machine(const char *host)
{
	char name[HOST_MAX];
	size_t len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");

	(void)snprintf(name, sizeof name, "%.*s", (int)len, host);
	return (strncmp(name, "127.", 4) == 0 && !name[strspn(name, "0123456789.")]) ||
	       strcmp(name, "[::1]") == 0 || strcmp(name, "localhost") == 0 ||
	       ends_with(name, ".localhost");
}

/* The host is kept as a Host header has it: without a port that is the scheme's own. */
static int read_endpoint(struct aws *a, const char *given, const char *setting, struct err *err)
{
	const char *host = strstr(given, "://");
	bool is_plain = false;

	if (!host || http_name(a->name, sizeof a->name, given, &is_plain) < 0 ||
	    strpbrk(host + 3, "/?#@ ") || strlen(host + 3) >= sizeof a->host)
		return err_set(err, ERR_USAGE, "--%s %s: it is written as https://host:port",
			       setting, given);
	(void)snprintf(a->scheme, sizeof a->scheme, "%s", is_plain ? "http" : "https");
	(void)snprintf(a->host, sizeof a->host, "%s", host + 3);
	if (ends_with(a->host, is_plain ? ":80" : ":443"))
		*strrchr(a->host, ':') = '\0';
	if (is_plain && !is_this_machine(a->host))
		return err_set(
			err, ERR_USAGE,
			"--%s %s: records and session tokens would go in clear text: use https",
			setting, given);
	return 0;
}

static int own_endpoint(struct aws *a, struct err *err)
{
	const char *region = a->region;

	if (!region || !*region || region[strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-")])
		return err_set(err, ERR_USAGE,
			       "--aws-region is missing or none: the region of the bucket or log "
			       "group, as us-east-1");
	(void)snprintf(a->scheme, sizeof a->scheme, "https");
	(void)snprintf(a->host, sizeof a->host, "%s.%s.amazonaws.com%s", a->service, region,
		       strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
	(void)snprintf(a->name, sizeof a->name, "https://%s:443", a->host);
	return 0;
}

static bool may_go_on(void *ctx)
{
	const struct aws *a = ctx;

	return delivery_may_go_on(a->delivery, 0);
}

int aws_open(struct aws **ret, const char *service, const char *endpoint,
	     const char *endpoint_setting, const struct aws_options *o, struct delivery *delivery,
	     struct err *err)
{
	struct aws *a = calloc(1, sizeof *a);
	const struct http_options http = {.ca = o->ca,
					  .proxy = o->proxy,
					  .connect_s = CONNECT_S,
					  .stall_s = STALL_S,
					  .may_go_on = may_go_on,
					  .ctx = a};
	int rc;

	*ret = NULL;
	if (!a)
		return err_set(err, -ENOMEM, "no memory for a delivery");
	a->service = service;
	a->region = o->region;
	a->delivery = delivery;
	a->credentials_file = o->credentials;
	rc = own_endpoint(a, err);
	if (rc == 0 && endpoint)
		rc = read_endpoint(a, endpoint, endpoint_setting, err);
	if (rc == 0)
		rc = http_new(&a->http, &http, err);
	if (rc == 0)
		rc = credentials_open(&a->credentials, o->credentials, err);
	credentials_close(a->credentials);
	a->credentials = NULL;
	if (rc < 0)
		aws_close(a);
	else
		*ret = a;
	return rc;
}

int aws_begin(struct aws *a, struct err *err)
{
	int rc = credentials_open(&a->credentials, a->credentials_file, err);

	if (rc == 0)
		log_info(a->delivery->name, "%s, credentials of %s", a->name,
			 credentials_source(a->credentials));
	credentials_wipe_environment();
	return rc;
}

void aws_close(struct aws *a)
{
	if (!a)
		return;
	http_free(a->http);
	credentials_close(a->credentials);
	free(a);
}

const char *aws_name(const struct aws *a)
{
	return a->name;
}

const char *aws_header(struct aws *a, const char *name)
{
	return http_header(a->http, name);
}

/* ---- answers ---- */

static void put_entity(char *out, size_t *n, const char **from)
{
	static const struct {
		const char *entity;
		char c;
	} entities[] = {
		{"&quot;", '"'}, {"&apos;", '\''}, {"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}};

	for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++) {
		size_t len = strlen(entities[i].entity);

		if (strncmp(*from, entities[i].entity, len) == 0) {
			out[(*n)++] = entities[i].c;
			*from += len;
			return;
		}
	}
	out[(*n)++] = *(*from)++;
}

bool aws_xml(char *out, size_t cap, const char **from, const char *element)
{
	char open[64], close[64];
	const char *begin, *end;
	size_t n = 0;

	(void)snprintf(open, sizeof open, "<%s>", element);
	(void)snprintf(close, sizeof close, "</%s>", element);
	begin = strstr(*from, open);
	end = begin ? strstr(begin, close) : NULL;
	if (!end)
		return false;
	for (begin += strlen(open); begin < end && n + 1 < cap;)
		put_entity(out, &n, &begin);
	out[n] = '\0';
	if (begin < end)
		return false;
	*from = end + strlen(close);
	return true;
}

static void make_printable(char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}

/* {"__type": "com.amazonaws.logs#ResourceNotFoundException", "message": "..."} */
static void read_json_error(struct aws_answer *ret)
{
	struct json *json = NULL;
	char *copy = strdup(ret->body);
	const char *type, *text;

	if (!copy || json_parse(&json, copy, ret->len, "answer", NULL) < 0)
		return;
	type = json_member_text(json_root(json), "__type");
	text = json_member_text(json_root(json), "message");
	if (!text)
		text = json_member_text(json_root(json), "Message");
	if (type && strrchr(type, '#'))
		type = strrchr(type, '#') + 1;
	(void)snprintf(ret->code, sizeof ret->code, "%s", type ? type : "");
	(void)snprintf(ret->text, sizeof ret->text, "%s", text ? text : "");
	json_free(json);
}

static void read_error(struct aws_answer *ret)
{
	const char *from = ret->body;

	if (*ret->body == '{') {
		read_json_error(ret);
	} else {
		(void)aws_xml(ret->code, sizeof ret->code, &from, "Code");
		from = ret->body;
		(void)aws_xml(ret->text, sizeof ret->text, &from, "Message");
	}
	make_printable(ret->code);
	make_printable(ret->text);
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++) {
		if (strcmp(word, *words) == 0)
			return true;
	}
	return false;
}

static bool is_of_the_clock(const struct aws_answer *answer)
{
	static const char *const codes[] = {"RequestTimeTooSkewed", "RequestExpired",
					    "RequestInTheFuture", NULL};

	return is_one_of(answer->code, codes) || strstr(answer->text, "Signature expired") ||
	       strstr(answer->text, "Signature not yet current");
}

static bool is_of_the_moment(const struct aws_answer *answer)
{
	static const char *const codes[] = {"SlowDown",
					    "Throttling",
					    "ThrottlingException",
					    "ThrottledException",
					    "RequestThrottled",
					    "RequestThrottledException",
					    "RequestLimitExceeded",
					    "TooManyRequestsException",
					    "LimitExceededException",
					    "BandwidthLimitExceeded",
					    "RequestTimeout",
					    "RequestTimeoutException",
					    "InternalError",
					    "InternalFailure",
					    "ServiceUnavailable",
					    "ServiceUnavailableException",
					    "OperationAborted",
					    "OperationAbortedException",
					    "ConditionalRequestConflict",
					    NULL};

	return answer->status >= 500 || answer->status == 408 || answer->status == 429 ||
	       is_one_of(answer->code, codes);
}

/* A HEAD is answered without a body: its date alone tells. */
static bool mend_clock(struct aws *a, uint64_t now_s, const struct aws_answer *answer,
		       struct err *err)
{
	uint64_t date_s = http_date_s(http_header(a->http, "date"));
	int64_t skew_s = (int64_t)(date_s - now_s);
	bool is_far = llabs(skew_s - a->skew_s) >= SKEW_S;

	if (!is_of_the_clock(answer) && !(*answer->code == '\0' && answer->status == 403 && is_far))
		return false;
	if (date_s == 0 || !is_far)
		return false;
	if (llabs(skew_s) > AWS_CLOCK_S) {
		(void)err_set(err, -EIO,
			      "%s: this machine's clock and theirs differ by %" PRId64
			      " s: set the clock",
			      a->name, skew_s);
		return false;
	}
	a->skew_s = skew_s;
	log_warn(
		a->delivery->name,
		"%s: this machine's clock is %lld s %s theirs: requests are signed with their time "
		"until the collector ends; set the clock",
		a->name, llabs(skew_s), skew_s > 0 ? "behind" : "ahead of");
	return true;
}

static bool mend_credentials(struct aws *a, const struct aws_answer *answer)
{
	static const char *const codes[] = {"ExpiredToken",
					    "ExpiredTokenException",
					    "TokenRefreshRequired",
					    "InvalidToken",
					    "UnrecognizedClientException",
					    "InvalidAccessKeyId",
					    "InvalidClientTokenId",
					    NULL};

	/* A HEAD has no code; a gateway may know no better one than AccessDenied. */
	if (answer->status != 401 && answer->status != 403 && !is_one_of(answer->code, codes))
		return false;
	if (!credentials_can_change(a->credentials))
		return false;
	credentials_refused(a->credentials);
	return is_one_of(answer->code, codes) || *answer->code == '\0';
}

/* Says what was answered, unless it was said. */
static int say(struct aws *a, const struct aws_call *call, const struct aws_answer *answer,
	       struct err *err)
{
	if (*err->text)
		return -EIO;
	return err_set(err, -EIO, "%s: %s %.160s: %u %s%s%s", a->name, call->method, call->path,
		       answer->status, answer->code, *answer->text ? ": " : "", answer->text);
}

static void wait_as_told(struct aws *a, uint64_t now_s)
{
	const char *after = http_header(a->http, "retry-after");
	char *end = NULL;
	unsigned long s = after ? strtoul(after, &end, 10) : 0;

	if (after && *end != '\0')
		s = http_date_s(after) > now_s ? http_date_s(after) - now_s : 0;
	if (s > 0)
		(void)delivery_may_go_on(a->delivery,
					 (int)(s < WAIT_MAX_S ? s : WAIT_MAX_S) * MS_PER_S);
}

/* ---- requests ---- */

/* False: no room. */
__attribute__((format(printf, 2, 3))) static bool add_line(struct aws *a, const char *fmt, ...)
{
	size_t room = sizeof a->lines - a->lines_len;
	va_list args;
	int n;

	if (a->n_headers == sizeof a->headers / sizeof a->headers[0])
		return false;
	va_start(args, fmt);
	n = vsnprintf(&a->lines[a->lines_len], room, fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= room)
		return false;
	a->headers[a->n_headers++] = &a->lines[a->lines_len];
	a->lines_len += (size_t)n + 1;
	return true;
}

static int prepare(struct aws *a, const struct aws_call *call, const char *payload, uint64_t now_s,
		   struct err *err)
{
	struct sigv4_pair headers[SIGV4_PAIRS_MAX];
	char host[2 * HOST_MAX];
	struct sigv4_request request = {.method = call->method,
					.host = host,
					.path = call->path,
					.query = call->query,
					.n_query = call->n_query,
					.headers = headers,
					.payload = payload,
					.region = a->region,
					.service = a->service,
					.now_s = (uint64_t)((int64_t)now_s + a->skew_s)};
	struct sigv4_credentials credentials;
	bool fits = call->n_headers + 1 < SIGV4_PAIRS_MAX;
	int rc = credentials_get(a->credentials, now_s, &credentials, err);

	if (rc < 0)
		return rc;
	(void)snprintf(host, sizeof host, "%s%s%s", call->subdomain ? call->subdomain : "",
		       call->subdomain ? "." : "", a->host);
	a->n_headers = a->lines_len = 0;
	for (size_t i = 0; fits && i < call->n_headers; i++) {
		headers[request.n_headers++] = call->headers[i];
		fits = add_line(a, "%s: %s", call->headers[i].name, call->headers[i].value);
	}
	if (fits && strcmp(a->service, "s3") == 0) {
		headers[request.n_headers++] = (struct sigv4_pair){"x-amz-content-sha256", payload};
		fits = add_line(a, "x-amz-content-sha256: %s", payload);
	}
	if (fits) {
		rc = sigv4_sign(&a->signed_, &request, &credentials, err);
		fits = add_line(a, "x-amz-date: %s", a->signed_.date) &&
		       add_line(a, "Authorization: %s", a->signed_.authorization) &&
		       (!credentials.token ||
			add_line(a, "x-amz-security-token: %s", credentials.token));
		(void)snprintf(a->url, sizeof a->url, "%s://%s%s", a->scheme, host,
			       a->signed_.target);
	}
	return fits ? rc : err_set(err, ERR_FULL, "%s: too many or too long headers", a->name);
}

static int exchange(struct aws *a, const struct aws_call *call, const char *payload,
		    struct aws_answer *ret, uint64_t now_s, struct err *err)
{
	const struct http_request request = {.method = call->method,
					     .url = a->url,
					     .headers = a->headers,
					     .body = call->body,
					     .body_len = call->body_len,
					     .answer = a->body,
					     .answer_cap = sizeof a->body};
	struct http_request sent = request;
	struct http_answer answer;
	int rc = prepare(a, call, payload, now_s, err);

	sent.n_headers = a->n_headers;
	if (rc == 0)
		rc = http_do(a->http, &sent, &answer, err);
	explicit_bzero(a->lines, sizeof a->lines);
	if (rc < 0)
		return rc;
	ret->status = answer.status;
	ret->len = answer.len;
	if (answer.is_cut)
		return err_set(err, -EIO, "%s: an answer is longer than %d bytes", a->name,
			       AWS_ANSWER);
	return 0;
}

enum delivery_try aws_do(struct aws *a, const struct aws_call *call, uint64_t now_ns,
			 struct aws_answer *ret, struct err *err)
{
	uint64_t now_s = now_ns / NS_PER_S;
	uint8_t digest[SHA256_BYTES];
	char payload[SHA256_HEX];

	if (!call->sha256)
		crypto_sha256(digest, call->body ? call->body : "",
			      call->body ? call->body_len : 0);
	crypto_hex(payload, call->sha256 ? call->sha256 : digest, SHA256_BYTES);
	for (int mended = 0;; mended++) {
		*ret = (struct aws_answer){.body = a->body};
		err->text[0] = '\0';
		if (exchange(a, call, payload, ret, now_s, err) < 0)
			return DELIVERY_AGAIN;
		if (ret->status >= 200 && ret->status < 300)
			return DELIVERY_DONE;
		read_error(ret);
		if (mended == 2 || !(mend_clock(a, now_s, ret, err) || mend_credentials(a, ret)))
			break;
	}
	(void)say(a, call, ret, err);
	if (!is_of_the_moment(ret))
		return DELIVERY_REFUSED;
	wait_as_told(a, now_s);
	return DELIVERY_AGAIN;
}
