// SPDX-License-Identifier: Apache-2.0
/*
 * Signed requests to a service of AWS, or to what speaks like one: credentials, signature, and what an answer means.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/delivery.h"
#include "collector/sigv4.h"
#include "platform/err.h"

enum {
	AWS_ANSWER = 65536,  /* bytes of an answer's body that are kept, with NUL */
	AWS_CLOCK_S = 86400, /* a clock that is off by more must be set */
};

/* What the deliveries to AWS have in common. Borrowed. */
struct aws_options {
	char *region, *credentials, *ca, *proxy;
};

struct aws;

/* `service` and the name in its host ("s3", "logs"). `endpoint`: "https://host[:port]"; NULL: AWS's own of the region.
 * Clear HTTP goes to this machine alone. `delivery` says whether to go on. Reads
 * the files that are named, credentials only to look at them; connects to nobody. ERR_USAGE with a sentence that names the setting; `endpoint_setting` is that of the endpoint. */
int aws_open(struct aws **ret, const char *service, const char *endpoint,
	     const char *endpoint_setting, const struct aws_options *options,
	     struct delivery *delivery, struct err *err);
void aws_close(struct aws *aws);
/* In the process that will ask: reads the credentials, and wipes the environment's. */
int aws_begin(struct aws *aws, struct err *err);
/* For the log: "https://host:port". */
const char *aws_name(const struct aws *aws);

struct aws_call {
	const char *method;
	const char *subdomain; /* "bucket" before the host; NULL: none */
	const char *path;      /* not encoded */
	const struct sigv4_pair *query;
	size_t n_query;
	const struct sigv4_pair *headers; /* beside those that the signature needs */
	size_t n_headers;
	const void *body;
	size_t body_len;
	const uint8_t *sha256; /* of the body; NULL: to be computed */
};

struct aws_answer {
	unsigned status; /* 0: there was none */
	char code[64];   /* of the error: "NoSuchBucket" */
	char text[160];  /* its message; printable */
	size_t len;
	const char *body; /* NUL-terminated, until the next call */
};

/* DELIVERY_DONE with a status of 2xx. Else `err` says what was answered, ret->code what the caller may know better. A clock
 * that is off and expired credentials are mended and tried once more at once. What the other side asks to wait is waited. */
enum delivery_try aws_do(struct aws *aws, const struct aws_call *call, uint64_t now_ns,
			 struct aws_answer *ret, struct err *err);

/* Of the last answer: a header's value; NULL if there was none. */
const char *aws_header(struct aws *aws, const char *name);

/* The text of the first element of this name from `*from` on, its five entities decoded; *from moves behind it. False, and
 * `*from` stays: there is none, or it does not fit. */
bool aws_xml(char *out, size_t cap, const char **from, const char *element);
