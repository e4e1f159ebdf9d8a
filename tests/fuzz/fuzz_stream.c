// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer: bytes as the begin of a TCP stream, a ClientHello or an HTTP head. What is read of the whole was not read otherwise of a part: a
 * part is a begin or nothing.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sensor/names_http.h"
#include "sensor/names_tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_text(const struct names_text *text)
{
	assert(text->len <= BATCH_NAME_MAX && strlen(text->text) == text->len);
	for (const char *p = text->text; *p; p++)
		assert(*p > ' ' && *p <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct tls_hello hello;
	static struct http_head head;
	enum names_read tls = tls_read(&hello, bytes, len), http;

	check_text(&hello.name);
	assert(strlen(hello.alpn) <= BATCH_ALPN_MAX);
	http = http_read(&head, bytes, len);
	check_text(&head.path);
	check_text(&head.host);
	assert(strlen(head.method) <= BATCH_METHOD_MAX);
	assert(http == NAMES_BAD || len == 0 || http_begins(bytes, len));
	for (size_t n = 0; n < len; n += 1 + n / 4) {
		assert(tls != NAMES_DONE || tls_read(&hello, bytes, n) != NAMES_BAD);
		assert(http != NAMES_DONE || http_read(&head, bytes, n) != NAMES_BAD);
	}
	return 0;
}
