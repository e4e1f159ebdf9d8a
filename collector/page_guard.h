// SPDX-License-Identifier: Apache-2.0
/*
 * Who may see the live page.
 *
 * Where it is asked for elsewhere than at the loopback address there is a token: sent as "Authorization: Bearer TOKEN", or once as
 * ?token=TOKEN, which is answered by a cookie that takes its place. A request must name the host by an
 * address, as localhost, or by a name that the operator gave: a page of the web whose name was made to mean this
 * machine (DNS rebinding) names another. Nor may other pages of the web embed anything of it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "platform/crypto.h"
#include "platform/err.h"
#include "platform/http_head.h"
#include "platform/settings.h"

enum {
	PAGE_TOKEN_MIN = 16, /* bytes of a token: visible ASCII */
	PAGE_TOKEN_MAX = 256,
	PAGE_GUARD_HEADERS = 256,
};

struct page_guard {
	const struct setting_list *hosts; /* further names; borrowed */
	bool has_token;
	uint8_t token[SHA256_BYTES]; /* digest */
	char cookie[SHA256_HEX];     /* of this run */
	uint8_t cookie_digest[SHA256_BYTES];
};

/* Reads the token from a file that others cannot read: its first line. ERR_USAGE with the remedy. */
int page_guard_read(struct page_guard *guard, const char *path, struct err *err);

/* 0: let through; or the status to answer with (303, 401, 403, 421), and headers for that answer. */
unsigned page_guard_check(const struct page_guard *guard, const struct http_head *head,
			  char ret_headers[static PAGE_GUARD_HEADERS]);
