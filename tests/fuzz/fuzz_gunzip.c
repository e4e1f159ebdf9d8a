// SPDX-License-Identifier: Apache-2.0
/*
 * libFuzzer: bytes as a gzip file, in portions that the first byte chooses. Where the build has both libraries they must give the same bytes
 * of a file that both accept.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "platform/gunzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { OUT_MAX = 1 << 20 };

static size_t unpack(const struct gunzip_backend *backend, const uint8_t *p, size_t len,
		     size_t step, uint8_t *out, int *ret_rc, bool *ret_whole)
{
	const uint8_t *end = p + len;
	struct gunzip *gunzip;
	uint8_t *o = out;
	struct err err = {""};
	int rc = 0;

	assert(gunzip_new(&gunzip, backend) == 0);
	while (rc == 0 && p < end && o < out + OUT_MAX) {
		const uint8_t *stop = (size_t)(end - p) > step ? p + step : end;
		uint8_t *before = o;

		rc = gunzip_step(gunzip, &p, stop, &o, out + OUT_MAX, &err);
		assert(rc == 0 || err.text[0]);
		assert(o >= before && o <= out + OUT_MAX && p <= stop);
		if (rc == 0 && p < stop && o == before)
			break; /* the output is full */
	}
	*ret_rc = rc;
	*ret_whole = gunzip_is_whole(gunzip);
	gunzip_free(gunzip);
	return (size_t)(o - out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static uint8_t a[OUT_MAX], b[OUT_MAX];
	bool whole_a, whole_b;
	size_t n, m;
	int rc_a, rc_b;

	if (len == 0)
		return 0;
	n = unpack(&gunzip_zlib, bytes + 1, len - 1, 1 + bytes[0], a, &rc_a, &whole_a);
	m = unpack(gunzip_best(), bytes + 1, len - 1, 1 + bytes[0], b, &rc_b, &whole_b);
	if (rc_a == 0 && rc_b == 0 && whole_a && whole_b)
		assert(n == m && memcmp(a, b, n) == 0);
	return 0;
}
