// SPDX-License-Identifier: Apache-2.0
/*
 * names, HTTP: the request line and Host of a request's head (RFC 9112), and whether it bears a token of EC2's
 * instance metadata service, version 2. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sensor/names_tls.h"

struct http_head {
	char method[BATCH_METHOD_MAX + 1];
	struct names_text path; /* the target as it was sent */
	struct names_text host; /* without a port; len 0: none */
	bool has_token;         /* X-aws-ec2-metadata-token */
	bool asks_token;        /* X-aws-ec2-metadata-token-ttl-seconds */
};

/* Could a request begin so? True for a part of a method too. */
bool http_begins(const uint8_t *bytes, size_t len);
/* NAMES_MORE: the head's end is missing; what was there is filled in. */
enum names_read http_read(struct http_head *ret, const uint8_t *bytes, size_t len);
