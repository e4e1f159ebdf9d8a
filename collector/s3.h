// SPDX-License-Identifier: Apache-2.0
/*
 * Objects into a bucket of S3, or of what speaks like it, each once: its key follows from what it holds, and no request
 * of these replaces an object (If-None-Match). What is there already is compared before it is called delivered.
 *
 * Larger ones than S3_PART go in parts; what an upload that was broken off left under the same key is aborted first. Every
 * byte is checked by the other side: payload hash, Content-MD5, x-amz-checksum-sha256.
 */
#pragma once

#include "collector/aws.h"
#include "evidence/object.h"

enum { S3_PART = 16 * 1024 * 1024, S3_LOCK_DAYS_MAX = 36500 };

/* Borrowed. */
struct s3_options {
	char *bucket, *endpoint, *lock, *kms;
	bool path_style; /* the bucket in the path: needed where the endpoint is an address */
};

struct s3;

/* ERR_USAGE with a sentence that names the setting. */
int s3_open(struct s3 **ret, const struct s3_options *options, const struct aws_options *aws,
	    struct delivery *delivery, struct err *err);
/* NULL is fine. */
void s3_close(struct s3 *s3);

/* The connection: for aws_begin(). */
struct aws *s3_aws(const struct s3 *s3);

/* One try; the next one for the same object goes on where this one failed. */
enum delivery_try s3_put(struct s3 *s3, const struct object *object, uint64_t now_ns,
			 struct err *err);
