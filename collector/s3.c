// SPDX-License-Identifier: Apache-2.0
/*
 * See s3.h. Requests: PutObject, HeadObject, CreateMultipartUpload, UploadPart, CompleteMultipartUpload,
 * AbortMultipartUpload, ListMultipartUploads (S3 API Reference); "Preventing object overwrites with conditional writes",
 * "Checking object integrity" (S3 User Guide).
 */
#include "collector/s3.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/crypto.h"
#include "platform/log.h"

enum {
	BUCKET_MIN = 3, /* "Bucket naming rules" */
	BUCKET_MAX = 63,
	PATH_MAX_ = OBJECT_KEY_MAX + BUCKET_MAX + 3,
	UPLOAD_ID_MAX = 512,
	ETAG_MAX = 128,
	HEADERS_MAX = 16,
	B64_SHA256 = CRYPTO_BASE64(SHA256_BYTES),
	B64_MD5 = CRYPTO_BASE64(MD5_BYTES),
	DAY_S = 86400,
};

static const char meta_sha256[] = "x-amz-meta-sha256";

struct part {
	char etag[ETAG_MAX];
	char sha256[B64_SHA256];
};

struct s3 {
	struct aws *aws;
	struct delivery *delivery;
	const char *bucket, *kms;
	const char *lock_mode; /* NULL: none */
	uint64_t lock_days;
	bool path_style;
	/* of the object under way */
	char path[PATH_MAX_];
	const struct object *object;
	uint8_t sha256[SHA256_BYTES];
	char sha256_hex[SHA256_HEX];
	char upload[UPLOAD_ID_MAX]; /* "": none */
	size_t n_parts, n_sent;
	struct part *parts;
};

/* ---- settings ---- */

static bool is_bucket(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-");

	return len >= BUCKET_MIN && len <= BUCKET_MAX && name[len] == '\0' && name[0] != '-' &&
	       name[0] != '.' && !strstr(name, "..");
}

static int read_lock(struct s3 *s, const char *given, struct err *err)
{
	static const char *const modes[][2] = {{"compliance:", "COMPLIANCE"},
					       {"governance:", "GOVERNANCE"}};
	char *end;

	for (size_t i = 0; i < 2; i++) {
		size_t len = strlen(modes[i][0]);

		if (strncmp(given, modes[i][0], len) != 0)
			continue;
		s->lock_mode = modes[i][1];
		s->lock_days = strtoull(given + len, &end, 10);
		if (given[len] >= '0' && given[len] <= '9' && *end == '\0' && s->lock_days > 0 &&
		    s->lock_days <= S3_LOCK_DAYS_MAX)
			return 0;
	}
	return err_set(
		err, ERR_USAGE,
		"--s3-object-lock %s: it is written as compliance:DAYS or governance:DAYS, 1 "
		"to %d days",
		given, S3_LOCK_DAYS_MAX);
}

static bool is_key_name(const char *text)
{
	return *text && strlen(text) < 256 &&
	       !text[strspn(text,
			    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_:/")];
}

int s3_open(struct s3 **ret, const struct s3_options *o, const struct aws_options *aws,
	    struct delivery *delivery, struct err *err)
{
	struct s3 *s = calloc(1, sizeof *s);
	int rc = 0;

	*ret = NULL;
	if (!s)
		return err_set(err, -ENOMEM, "no memory for a delivery");
	s->delivery = delivery;
	s->bucket = o->bucket;
	s->kms = o->kms;
	/* A certificate's wildcard does not cover a dot. */
	s->path_style = o->path_style || strchr(o->bucket, '.');
	if (!is_bucket(o->bucket))
		rc = err_set(err, ERR_USAGE,
			     "--s3-bucket %s: a bucket's name has 3 to 63 of a-z, 0-9, '.' and '-'",
			     o->bucket);
	if (rc == 0 && o->kms && !is_key_name(o->kms))
		rc = err_set(err, ERR_USAGE,
			     "--s3-kms %s: it is the id or ARN of a KMS key, or `default`", o->kms);
	if (rc == 0 && o->lock)
		rc = read_lock(s, o->lock, err);
	if (rc == 0)
		rc = aws_open(&s->aws, "s3", o->endpoint, "s3-endpoint", aws, delivery, err);
	if (rc < 0)
		s3_close(s);
	else
		*ret = s;
	return rc;
}

void s3_close(struct s3 *s)
{
	if (!s)
		return;
	aws_close(s->aws);
	free(s->parts);
	free(s);
}

struct aws *s3_aws(const struct s3 *s)
{
	return s->aws;
}

/* ---- requests ---- */

struct headers {
	size_t n;
	struct sigv4_pair pairs[HEADERS_MAX];
	char until[CLOCK_TEXT], sha256[B64_SHA256], md5[B64_MD5];
};

static void add(struct headers *h, const char *name, const char *value)
{
	h->pairs[h->n++] = (struct sigv4_pair){name, value};
}

/* What an object is to have, whichever way it comes. */
static void add_kind(struct headers *h, const struct s3 *s, uint64_t now_ns)
{
	add(h, "Content-Type", s->object->type);
	add(h, meta_sha256, s->sha256_hex);
	if (s->lock_mode) {
		add(h, "x-amz-object-lock-mode", s->lock_mode);
		add(h, "x-amz-object-lock-retain-until-date",
		    clock_text(h->until, now_ns / NS_PER_S + s->lock_days * DAY_S));
	}
	if (s->kms) {
		add(h, "x-amz-server-side-encryption", "aws:kms");
		if (strcmp(s->kms, "default") != 0)
			add(h, "x-amz-server-side-encryption-aws-kms-key-id", s->kms);
	}
}

/* Both digests of what is sent, for the other side to check. */
static void add_digests(struct headers *h, const uint8_t *sha256, const void *bytes, size_t len)
{
	uint8_t md5[MD5_BYTES];

	crypto_md5(md5, bytes, len);
	add(h, "Content-MD5", crypto_base64(h->md5, md5, sizeof md5));
	add(h, "x-amz-checksum-sha256", crypto_base64(h->sha256, sha256, SHA256_BYTES));
}

static enum delivery_try request(struct s3 *s, struct aws_call *call, const struct headers *headers,
				 uint64_t now_ns, struct aws_answer *ret, struct err *err)
{
	call->subdomain = s->path_style ? NULL : s->bucket;
	if (!call->path)
		call->path = s->path;
	if (headers) {
		call->headers = headers->pairs;
		call->n_headers = headers->n;
	}
	return aws_do(s->aws, call, now_ns, ret, err);
}

/* ---- what is there already ---- */

static enum delivery_try other(const struct s3 *s, struct err *err)
{
	(void)err_set(err, ERR_EXISTS,
		      "%s: there is another object of %.160s, and none is replaced: move it away",
		      aws_name(s->aws), s->path);
	return DELIVERY_REFUSED;
}

/* DONE: the object is there. AGAIN with a status of 404: none is. */
static enum delivery_try look(struct s3 *s, uint64_t now_ns, struct aws_answer *ret,
			      struct err *err)
{
	struct aws_call call = {.method = "HEAD"};
	enum delivery_try how = request(s, &call, NULL, now_ns, ret, err);
	char len[24];
	const char *value;

	if (how != DELIVERY_DONE)
		return ret->status == 404 ? DELIVERY_AGAIN : how;
	(void)snprintf(len, sizeof len, "%zu", s->object->len);
	value = aws_header(s->aws, "content-length");
	if (!value || strcmp(value, len) != 0)
		return other(s, err);
	value = aws_header(s->aws, meta_sha256);
	return value && strcmp(value, s->sha256_hex) == 0 ? DELIVERY_DONE : other(s, err);
}

/* ---- in one ---- */

static enum delivery_try put_whole(struct s3 *s, uint64_t now_ns, struct err *err)
{
	struct aws_call call = {.method = "PUT",
				.body = s->object->bytes,
				.body_len = s->object->len,
				.sha256 = s->sha256};
	struct headers headers = {.n = 0};
	struct aws_answer answer;
	enum delivery_try how;

	add_kind(&headers, s, now_ns);
	add_digests(&headers, s->sha256, s->object->bytes, s->object->len);
	add(&headers, "If-None-Match", "*");
	how = request(s, &call, &headers, now_ns, &answer, err);
	return answer.status == 412 ? look(s, now_ns, &answer, err) : how;
}

/* ---- in parts ---- */

static void forget_upload(struct s3 *s)
{
	s->upload[0] = '\0';
	s->n_sent = 0;
}

static enum delivery_try abort_upload(struct s3 *s, const char *upload, uint64_t now_ns,
				      struct err *err)
{
	const struct sigv4_pair query = {"uploadId", upload};
	struct aws_call call = {.method = "DELETE", .query = &query, .n_query = 1};
	struct aws_answer answer;
	enum delivery_try how = request(s, &call, NULL, now_ns, &answer, err);

	return answer.status == 404 ? DELIVERY_DONE : how;
}

/* Of this key: nobody else uploads to it. Who may not list them leaves them to a rule of the bucket's life cycle. */
static __attribute__((noinline)) enum delivery_try abort_orphans(struct s3 *s, uint64_t now_ns,
								 struct err *err)
{
	const struct sigv4_pair query[] = {{"uploads", ""}, {"prefix", s->object->key}};
	char path[BUCKET_MAX + 3], key[OBJECT_KEY_MAX], upload[UPLOAD_ID_MAX], *list;
	struct aws_call call = {.method = "GET", .path = path, .query = query, .n_query = 2};
	struct aws_answer answer;
	enum delivery_try how;
	const char *from;

	(void)snprintf(path, sizeof path, "/%s", s->path_style ? s->bucket : "");
	how = request(s, &call, NULL, now_ns, &answer, err);
	if (how != DELIVERY_DONE)
		return answer.status == 403 ? DELIVERY_DONE : how;
	list = strdup(answer.body);
	if (!list)
		return DELIVERY_AGAIN;
	for (from = list; how == DELIVERY_DONE && (from = strstr(from, "<Upload>")) != NULL;) {
		if (!aws_xml(key, sizeof key, &from, "Key") ||
		    !aws_xml(upload, sizeof upload, &from, "UploadId"))
			break;
		if (strcmp(key, s->object->key) == 0)
			how = abort_upload(s, upload, now_ns, err);
	}
	free(list);
	return how;
}

static enum delivery_try begin_upload(struct s3 *s, uint64_t now_ns, struct err *err)
{
	const struct sigv4_pair query = {"uploads", ""};
	struct aws_call call = {.method = "POST", .query = &query, .n_query = 1, .body = ""};
	struct headers headers = {.n = 0};
	struct aws_answer answer;
	enum delivery_try how;

	/* Who may not list is answered 403 for what is not there. */
	how = look(s, now_ns, &answer, err);
	if (how == DELIVERY_DONE || (answer.status != 404 && answer.status != 403))
		return how;
	how = abort_orphans(s, now_ns, err);
	if (how != DELIVERY_DONE)
		return how;
	add_kind(&headers, s, now_ns);
	add(&headers, "x-amz-checksum-algorithm", "SHA256");
	how = request(s, &call, &headers, now_ns, &answer, err);
	if (how != DELIVERY_DONE)
		return how;
	if (!aws_xml(s->upload, sizeof s->upload, &answer.body, "UploadId") || !*s->upload) {
		forget_upload(s);
		(void)err_set(err, -EIO, "%s: an upload was begun without an id", aws_name(s->aws));
	}
	return DELIVERY_AGAIN;
}

/* An upload that is gone begins anew with the next try. */
static enum delivery_try judge(struct s3 *s, const struct aws_answer *answer, enum delivery_try how)
{
	if (strcmp(answer->code, "NoSuchUpload") != 0)
		return how;
	forget_upload(s);
	return DELIVERY_AGAIN;
}

static enum delivery_try put_part(struct s3 *s, uint64_t now_ns, struct err *err)
{
	size_t at = s->n_sent * S3_PART, left = s->object->len - at,
	       len = left < S3_PART ? left : S3_PART;
	const uint8_t *bytes = &s->object->bytes[at];
	struct part *part = &s->parts[s->n_sent];
	char number[24];
	const struct sigv4_pair query[] = {{"partNumber", number}, {"uploadId", s->upload}};
	uint8_t sha256[SHA256_BYTES];
	struct aws_call call = {.method = "PUT",
				.query = query,
				.n_query = 2,
				.body = bytes,
				.body_len = len,
				.sha256 = sha256};
	struct headers headers = {.n = 0};
	struct aws_answer answer;
	const char *etag;
	enum delivery_try how;

	(void)snprintf(number, sizeof number, "%zu", s->n_sent + 1);
	crypto_sha256(sha256, bytes, len);
	add_digests(&headers, sha256, bytes, len);
	how = request(s, &call, &headers, now_ns, &answer, err);
	if (how != DELIVERY_DONE)
		return judge(s, &answer, how);
	etag = aws_header(s->aws, "etag");
	if (!etag || strlen(etag) >= sizeof part->etag || strpbrk(etag, "<>&")) {
		(void)err_set(err, -EIO, "%s: a part was taken without an ETag", aws_name(s->aws));
		return DELIVERY_AGAIN;
	}
	(void)snprintf(part->etag, sizeof part->etag, "%s", etag);
	memcpy(part->sha256, headers.sha256, sizeof part->sha256);
	s->n_sent++;
	return DELIVERY_DONE;
}

/* It may answer 200 and say in the body that it failed. */
static enum delivery_try end_upload(struct s3 *s, uint64_t now_ns, struct err *err)
{
	const struct sigv4_pair query = {"uploadId", s->upload};
	struct aws_call call = {.method = "POST", .query = &query, .n_query = 1};
	struct headers headers = {.n = 0};
	struct aws_answer answer;
	enum delivery_try how;
	char *text = NULL;
	FILE *out = open_memstream(&text, &call.body_len);

	if (!out)
		return DELIVERY_AGAIN;
	fputs("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">", out);
	for (size_t i = 0; i < s->n_parts; i++)
		fprintf(out,
			"<Part><PartNumber>%zu</PartNumber><ETag>%s</ETag><ChecksumSHA256>%s"
			"</ChecksumSHA256></Part>",
			i + 1, s->parts[i].etag, s->parts[i].sha256);
	fputs("</CompleteMultipartUpload>", out);
	if (fclose(out) != 0) {
		free(text);
		return DELIVERY_AGAIN;
	}
	call.body = text;
	add(&headers, "Content-Type", "application/xml");
	add(&headers, "If-None-Match", "*");
	how = request(s, &call, &headers, now_ns, &answer, err);
	free(text);
	if (how == DELIVERY_DONE && strstr(answer.body, "<Error>")) {
		(void)err_set(err, -EIO, "%s: the parts of %.160s were not put together: %.100s",
			      aws_name(s->aws), s->path, strstr(answer.body, "<Error>"));
		return DELIVERY_AGAIN;
	}
	if (answer.status != 412)
		return judge(s, &answer, how);
	(void)abort_upload(s, s->upload, now_ns, err);
	forget_upload(s);
	return look(s, now_ns, &answer, err);
}

static enum delivery_try put_parts(struct s3 *s, uint64_t now_ns, struct err *err)
{
	enum delivery_try how = DELIVERY_DONE;

	if (!*s->upload) {
		how = begin_upload(s, now_ns, err);
		if (!*s->upload)
			return how;
		how = DELIVERY_DONE;
	}
	while (how == DELIVERY_DONE && s->n_sent < s->n_parts)
		how = put_part(s, now_ns, err);
	return how == DELIVERY_DONE ? end_upload(s, now_ns, err) : how;
}

/* ---- */

static bool begin_object(struct s3 *s, const struct object *object)
{
	size_t n = (object->len + S3_PART - 1) / S3_PART;
	struct part *parts = realloc(s->parts, (n + 1) * sizeof *parts);

	if (!parts)
		return false;
	s->parts = parts;
	s->n_parts = n;
	forget_upload(s);
	crypto_sha256(s->sha256, object->bytes, object->len);
	crypto_hex(s->sha256_hex, s->sha256, SHA256_BYTES);
	return true;
}

enum delivery_try s3_put(struct s3 *s, const struct object *object, uint64_t now_ns,
			 struct err *err)
{
	char path[PATH_MAX_];
	enum delivery_try how;

	(void)snprintf(path, sizeof path, "/%s%s%s", s->path_style ? s->bucket : "",
		       s->path_style ? "/" : "", object->key);
	s->object = object;
	if (strcmp(path, s->path) != 0) {
		memcpy(s->path, path, sizeof path);
		if (!begin_object(s, object)) {
			s->path[0] = '\0';
			(void)err_set(err, -ENOMEM, "no memory for an object");
			return DELIVERY_AGAIN;
		}
	}
	how = object->len <= S3_PART ? put_whole(s, now_ns, err) : put_parts(s, now_ns, err);
	if (how == DELIVERY_DONE)
		s->path[0] = '\0';
	return how;
}
