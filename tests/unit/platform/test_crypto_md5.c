// SPDX-License-Identifier: Apache-2.0
/* MD5 against the test suite of RFC 1321. */
#include "platform/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* RFC 1321, appendix A.5. */
static void test_md5(void **state)
{
	static const char *const cases[][2] = {
		{"", "d41d8cd98f00b204e9800998ecf8427e"},
		{"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
		{"1234567890123456789012345678901234567890123456789012345678901234567890123456789"
		 "0",
		 "57edf4a22be3c955ac49da2e2107b67a"},
	};
	uint8_t digest[MD5_BYTES];
	char hex[2 * MD5_BYTES + 1];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		crypto_md5(digest, cases[i][0], strlen(cases[i][0]));
		assert_string_equal(crypto_hex(hex, digest, sizeof digest), cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_md5)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
