// SPDX-License-Identifier: Apache-2.0
/*
 * Internet addresses, prefixes and endpoints, and their text (RFC 4291, RFC 5952).
 *
 * An address is 16 bytes in network order; IPv4 uses the first four, the others are zero. The
 * family (4 or 6) is carried beside it, never guessed from the bytes: IPv4-mapped IPv6 stays IPv6.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/err.h"

enum {
	ADDR_TEXT = 46,
	ADDR_ENDPOINT_TEXT = 56
}; /* bytes of the longest texts, terminating NUL included */

struct addr {
	uint8_t b[16];
};

struct cidr {
	struct addr addr; /* host bits are zero */
	uint8_t family;   /* 4 or 6 */
	uint8_t bits;     /* prefix length: 0..32 or 0..128 */
};

struct endpoint {
	struct addr addr;
	uint16_t port;
	uint8_t family;
};

/* Writes the address without NUL to `out` (ADDR_TEXT bytes); returns its length in bytes. */
size_t addr_print(char *out, uint8_t family, const struct addr *addr);

/* As addr_print, as a NUL-terminated string in `out`; returns `out`. */
const char *addr_text(char out[static ADDR_TEXT], uint8_t family, const struct addr *addr);

/* Parses a numeric address: *ret_family 4 or 6. False if the text is none. Names are not resolved.
 */
bool addr_parse(const char *text, struct addr *ret, uint8_t *ret_family);
/* As addr_parse, of `len` bytes that need not end in NUL. */
bool addr_read(const char *text, size_t len, struct addr *ret, uint8_t *ret_family);

/* "10.0.0.0/8", "2001:db8::/32", or an address alone (/32, /128). Host bits must be zero: a prefix
 * that says more than it means is an error that names the prefix meant. */
int cidr_parse(const char *text, struct cidr *ret, struct err *err);
bool cidr_has(const struct cidr *cidr, uint8_t family, const struct addr *addr);
/* "10.0.0.0/8" into `out`; returns `out`. */
const char *cidr_text(char out[static ADDR_ENDPOINT_TEXT], const struct cidr *cidr);

/* "192.0.2.1:4739" or "[2001:db8::1]:4739"; numeric only: on a suspect machine no name is resolved.
 * Port 0 is accepted (a listener then picks one). */
int endpoint_parse(const char *text, struct endpoint *ret, struct err *err);
const char *endpoint_text(char out[static ADDR_ENDPOINT_TEXT], const struct endpoint *ep);

/* 224.0.0.0/4, 255.255.255.255 or ff00::/8. */
bool addr_is_multicast(uint8_t family, const struct addr *addr);

/* 0.0.0.0 or ::, the source of a machine that has no address yet (RFC 1122, RFC 4291). */
bool addr_is_unspecified(const struct addr *addr);
