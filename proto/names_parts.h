// SPDX-License-Identifier: Apache-2.0
/*
 * Names as bytes of a batch, for its writer and its reader. The bits of the marks:
 */
#pragma once

#include "proto/arena.h"
#include "proto/batch.h"

enum {
	NAMES_IPV6 = 1, /* of all three */

	DNS_RESPONSE = 1 << 1,
	DNS_TCP = 1 << 2,
	DNS_MATCHED = 1 << 3,
	DNS_CUT = 1 << 4,
	DNS_SHORT = 1 << 5,
	DNS_NAME_CUT = 1 << 6,
	DNS_KIND = 7, /* 2 bits */
	DNS_END = 1 << 9,

	NAME_CUT = 1 << 1,
	NAME_SOURCE = 2, /* 4 bits */
	NAME_END = 1 << 6,

	HTTP_TOKEN = 1 << 1,
	HTTP_ASKS = 1 << 2,
	HTTP_CUT = 1 << 3,
	HTTP_OWN = 1 << 4,
	HTTP_END = 1 << 5,

	DNS_CLASS_IN = 1,
};

/* ---- writing ---- */

struct names_writer {
	uint64_t dns_before, name_before, http_before; /* times */
	size_t len;
	uint8_t bytes[BATCH_WRITE_NAMES_BYTES ? BATCH_WRITE_NAMES_BYTES : 1];
};

/* False when there is no room. */
bool names_add_dns(struct names_writer *writer, const struct batch_dns *dns);
bool names_add_name(struct names_writer *writer, const struct batch_name *name);
bool names_add_http(struct names_writer *writer, const struct batch_http *http);

/* ---- reading ---- */

struct names_lists {
	struct batch_dns *dns;
	struct batch_name *names;
	struct batch_http *http;
	size_t n_dns, n_names, n_http;
};

/* All that it gives lies in the arena. What is wrong, or NULL. */
const char *names_read(const uint8_t *bytes, size_t len, struct arena *arena,
		       struct names_lists *ret);
