// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer: bytes as the head of an HTTP request. What is taken has a path, one host, fields without controls, and values
 * of parameters and cookies that fit.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "platform/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *copy = malloc(len + 1), out[16];
	struct http_head head;
	size_t end;
	int rc;

	assert(copy);
	if (len > 0)
		memcpy(copy, bytes, len);
	end = http_head_end(copy, len);
	assert(end <= len);
	rc = http_head_parse(&head, copy, end ? end : len);
	assert(rc == 0 || (rc >= 400 && rc <= 505));
	if (rc == 0) {
		assert(end > 0 && head.path[0] == '/' && head.host && head.n <= HTTP_HEADERS_MAX);
		for (size_t i = 0; i < head.n; i++)
			assert(*head.fields[i].name && !strpbrk(head.fields[i].value, "\r\n"));
		if (http_head_parameter(&head, "a", out, sizeof out))
			assert(strlen(out) < sizeof out);
		if (http_head_cookie(&head, "a", out, sizeof out))
			assert(strlen(out) < sizeof out);
	}
	free(copy);
	return 0;
}
