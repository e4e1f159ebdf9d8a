// SPDX-License-Identifier: Apache-2.0
/*
 * Events into streams of a log group of CloudWatch Logs: batches within all limits of PutLogEvents (CloudWatch Logs API
 * Reference), groups and streams made when they are missing.
 *
 * PutLogEvents has no idempotency: what was under way when an answer was lost is sent again, and may be there twice. All
 * else is there once.
 */
#pragma once

#include "collector/aws.h"

enum {
	CLOUDWATCH_BYTES = 1048576, /* of a batch: messages and CLOUDWATCH_EVENT for each */
	CLOUDWATCH_EVENT = 26,
	CLOUDWATCH_EVENTS = 10000,     /* of a batch */
	CLOUDWATCH_SPAN_MS = 86400000, /* a batch spans less than 24 hours */
	CLOUDWATCH_MESSAGE =
		262144 -
		CLOUDWATCH_EVENT, /* bytes of a message: what every Region has ever taken */
	CLOUDWATCH_NAME = 513,    /* bytes of a group's or stream's name with NUL */
	CLOUDWATCH_STREAMS = 32,  /* under way at once; then the oldest is sent */
};

struct cloudwatch;

/* `group`, `endpoint` borrowed. ERR_USAGE with a sentence that names the setting. */
int cloudwatch_open(struct cloudwatch **ret, const char *group, const char *endpoint,
		    const struct aws_options *aws, struct delivery *delivery, struct err *err);
/* NULL is fine. */
void cloudwatch_close(struct cloudwatch *cloudwatch);
/* The connection: for aws_begin(). */
struct aws *cloudwatch_aws(const struct cloudwatch *cloudwatch);

/* Gathers an event; sends what is full by delivery_put(). What of the message is not UTF-8 becomes U+FFFD, an empty one a
 * blank, one that is too long is cut. A ':' or '*' in the stream's name becomes '_'. What is sent, and in which order, follows from what is gathered alone. 0, or what delivery_put()
 * returned, or -ENOMEM. */
int cloudwatch_add(struct cloudwatch *cloudwatch, const char *stream, uint64_t time_ms,
		   const char *message, size_t len);
/* Sends all that was gathered, and tells what was not taken. As cloudwatch_add(). */
int cloudwatch_flush(struct cloudwatch *cloudwatch);
/* Forgets it. */
void cloudwatch_forget(struct cloudwatch *cloudwatch);
