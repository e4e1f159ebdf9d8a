// SPDX-License-Identifier: Apache-2.0
/*
 * names, TLS: the server name (RFC 6066, section 3) and the application protocols (RFC 7301) that a ClientHello asks
 * for (RFC 8446, section 4.1.2; earlier versions have the same form). Pure. Nothing is decrypted: with Encrypted Client
 * Hello the outer name is seen.
 *
 *   record     | 22 | version 3, x | length 2 | a piece of the handshake |
 *   handshake  | 1 | length 3 | version 2 | random 32 | session 1.. | ciphers 2.. | compression 1.. | extensions 2.. |
 *   extension  | type 2 | length 2 | ...
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/names.h"
#include "sensor/names_text.h"

enum { TLS_HELLO_MAX = 8192 }; /* bytes of a handshake that are looked at */

enum names_read {
	NAMES_DONE,
	NAMES_MORE, /* what is there is right, but there must be more of it */
	NAMES_BAD,  /* it is none, or broken */
};

struct tls_hello {
	struct names_text name;        /* len 0: it asks for none */
	uint8_t flat[TLS_HELLO_MAX];   /* the handshake without the records' heads */
	char alpn[BATCH_ALPN_MAX + 1]; /* with commas between; those that fit */
};

/* `bytes`: a TCP stream from its begin on. */
enum names_read tls_read(struct tls_hello *ret, const uint8_t *bytes, size_t len);
