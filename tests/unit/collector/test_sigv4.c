// SPDX-License-Identifier: Apache-2.0
/*
 * The signer against AWS's published test suite ("aws-sig-v4-test-suite" of the AWS General Reference, as kept in
 * awslabs/aws-c-auth, tests/aws-signing-test-suite/v4: header-signature.txt of each case), and the examples of
 * "Authenticating Requests: Using the Authorization Header" in the S3 API Reference. Cases whose path only counts
 * after normalisation are left out: nothing is signed here whose path is normalised.
 */
#include "collector/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define EMPTY      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define STS_TOKEN                                                                                  \
	"AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXm"  \
	"xfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0" \
	"KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZ" \
	"bqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
#define FORM_SHA256 "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"

enum { PAIRS = 4 };

struct vector {
	const char *name, *method, *path;
	struct sigv4_pair query[PAIRS], headers[PAIRS];
	const char *token, *payload, *signature;
};

static const struct vector suite[] = {
	{"get-vanilla",
	 "GET",
	 "/",
	 {{0}},
	 {{0}},
	 NULL,
	 EMPTY,
	 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-header-key-duplicate",
	 "GET",
	 "/",
	 {{0}},
	 {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}},
	 NULL,
	 EMPTY,
	 "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
	{"get-header-value-multiline",
	 "GET",
	 "/",
	 {{0}},
	 {{"My-Header1", "value1\n  value2\n     value3"}},
	 NULL,
	 EMPTY,
	 "cfd34249e4b1c8d6b91ef74165d41a32e5fab3306300901bb65a51a73575eefd"},
	{"get-header-value-order",
	 "GET",
	 "/",
	 {{0}},
	 {{"My-Header1", "value4"},
	  {"My-Header1", "value1"},
	  {"My-Header1", "value3"},
	  {"My-Header1", "value2"}},
	 NULL,
	 EMPTY,
	 "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
	{"get-header-value-trim",
	 "GET",
	 "/",
	 {{0}},
	 {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}},
	 NULL,
	 EMPTY,
	 "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	{"get-relative-unnormalized",
	 "GET",
	 "/example/..",
	 {{0}},
	 {{0}},
	 NULL,
	 EMPTY,
	 "eca7ead57bb5aa5c8e28007acd4ff04e1ff9a0ff3b237ec1554a184887ff9282"},
	{"get-relative-relative-unnormalized",
	 "GET",
	 "/example1/example2/../..",
	 {{0}},
	 {{0}},
	 NULL,
	 EMPTY,
	 "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b"},
	{"get-slash-dot-slash-unnormalized",
	 "GET",
	 "/./",
	 {{0}},
	 {{0}},
	 NULL,
	 EMPTY,
	 "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145"},
	{"get-slash-pointless-dot-unnormalized",
	 "GET",
	 "/./example",
	 {{0}},
	 {{0}},
	 NULL,
	 EMPTY,
	 "beb03f223f7deae4146464f06e29eebbee9c8afbe15c290cf07aa8b119e14cff"},
	{"get-slash-unnormalized",
	 "GET",
	 "//",
	 {{0}},
	 {{0}},
	 NULL,
	 EMPTY,
	 "c88bcd3d312d75078c0cd961d6deae3f4c754924b01669efcfcb439fd5e5b76e"},
	{"get-slashes-unnormalized",
	 "GET",
	 "//example//",
	 {{0}},
	 {{0}},
	 NULL,
	 EMPTY,
	 "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5"},
	{"get-space-unnormalized",
	 "GET",
	 "/example space/",
	 {{0}},
	 {{0}},
	 NULL,
	 EMPTY,
	 "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
	{"get-unreserved",
	 "GET",
	 "/" UNRESERVED,
	 {{0}},
	 {{0}},
	 NULL,
	 EMPTY,
	 "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
	{"get-utf8",
	 "GET",
	 "/\xe1\x88\xb4",
	 {{0}},
	 {{0}},
	 NULL,
	 EMPTY,
	 "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
	{"get-vanilla-empty-query-key",
	 "GET",
	 "/",
	 {{"Param1", "value1"}},
	 {{0}},
	 NULL,
	 EMPTY,
	 "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
	{"get-vanilla-query-order-encoded",
	 "GET",
	 "/",
	 {{"Param-3", "Value3"}, {"Param", "Value2"}, {"\xe1\x88\xb4", "Value1"}},
	 {{0}},
	 NULL,
	 EMPTY,
	 "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
	{"get-vanilla-query-order-key-case",
	 "GET",
	 "/",
	 {{"Param2", "value2"}, {"Param1", "value1"}},
	 {{0}},
	 NULL,
	 EMPTY,
	 "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	{"get-vanilla-query-unreserved",
	 "GET",
	 "/",
	 {{UNRESERVED, UNRESERVED}},
	 {{0}},
	 NULL,
	 EMPTY,
	 "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
	{"get-vanilla-utf8-query",
	 "GET",
	 "/",
	 {{"\xe1\x88\xb4", "bar"}},
	 {{0}},
	 NULL,
	 EMPTY,
	 "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
	{"get-vanilla-with-session-token",
	 "GET",
	 "/",
	 {{0}},
	 {{0}},
	 "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267",
	 EMPTY,
	 "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
	{"post-vanilla",
	 "POST",
	 "/",
	 {{0}},
	 {{0}},
	 NULL,
	 EMPTY,
	 "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{"post-header-key-sort",
	 "POST",
	 "/",
	 {{0}},
	 {{"My-Header1", "value1"}},
	 NULL,
	 EMPTY,
	 "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
	{"post-header-value-case",
	 "POST",
	 "/",
	 {{0}},
	 {{"My-Header1", "VALUE1"}},
	 NULL,
	 EMPTY,
	 "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
	{"post-sts-header-before",
	 "POST",
	 "/",
	 {{0}},
	 {{0}},
	 STS_TOKEN,
	 EMPTY,
	 "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
	{"post-vanilla-query",
	 "POST",
	 "/",
	 {{"Param1", "value1"}},
	 {{0}},
	 NULL,
	 EMPTY,
	 "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
	{"post-x-www-form-urlencoded",
	 "POST",
	 "/",
	 {{0}},
	 {{"Content-Type", "application/x-www-form-urlencoded"},
	  {"Content-Length", "13"},
	  {"X-Amz-Content-Sha256", FORM_SHA256}},
	 NULL,
	 FORM_SHA256,
	 "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"},
	{"post-x-www-form-urlencoded-parameters",
	 "POST",
	 "/",
	 {{0}},
	 {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"},
	  {"Content-Length", "13"},
	  {"X-Amz-Content-Sha256", FORM_SHA256}},
	 NULL,
	 FORM_SHA256,
	 "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422"},
};

static size_t count(const struct sigv4_pair *pairs)
{
	size_t n = 0;

	while (n < PAIRS && pairs[n].name)
		n++;
	return n;
}

static void check(const struct vector *v, const char *host, const char *access, const char *secret,
		  const char *service, uint64_t now_s, struct sigv4_signed *ret)
{
	const struct sigv4_credentials credentials = {access, secret, v->token};
	const struct sigv4_request request = {
		.method = v->method,
		.host = host,
		.path = v->path,
		.query = v->query,
		.n_query = count(v->query),
		.headers = v->headers,
		.n_headers = count(v->headers),
		.payload = v->payload,
		.region = "us-east-1",
		.service = service,
		.now_s = now_s,
	};
	struct err err;
	const char *signature;

	if (sigv4_sign(ret, &request, &credentials, &err) != 0)
		fail_msg("%s: %s", v->name, err.text);
	signature = strstr(ret->authorization, "Signature=");
	assert_non_null(signature);
	if (strcmp(signature + strlen("Signature="), v->signature) != 0)
		fail_msg("%s: %s, not %s", v->name, ret->authorization, v->signature);
}

static void test_suite(void **state)
{
	struct sigv4_signed s;

	(void)state;
	for (size_t i = 0; i < sizeof suite / sizeof suite[0]; i++) {
		/* 2015-08-30T12:36:00Z */
		check(&suite[i], "example.amazonaws.com", "AKIDEXAMPLE",
		      "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "service", 1440938160, &s);
		assert_string_equal(s.date, "20150830T123600Z");
	}
	check(&suite[15], "example.amazonaws.com", "AKIDEXAMPLE",
	      "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "service", 1440938160, &s);
	assert_string_equal(s.target, "/?%E1%88%B4=Value1&Param=Value2&Param-3=Value3");
}

/* The examples of S3: PUT, a query with an empty value, and a list. 2013-05-24T00:00:00Z. */
static void test_s3(void **state)
{
	static const char body[] =
		"44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
	const struct vector examples[] = {
		{"put-object",
		 "PUT",
		 "/test$file.text",
		 {{0}},
		 {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
		  {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
		  {"x-amz-content-sha256", body}},
		 NULL,
		 body,
		 "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
		{"get-lifecycle",
		 "GET",
		 "/",
		 {{"lifecycle", ""}},
		 {{"x-amz-content-sha256", EMPTY}},
		 NULL,
		 EMPTY,
		 "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
		{"list-objects",
		 "GET",
		 "/",
		 {{"prefix", "J"}, {"max-keys", "2"}},
		 {{"x-amz-content-sha256", EMPTY}},
		 NULL,
		 EMPTY,
		 "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
	};
	static const char *const targets[] = {"/test%24file.text",
					      "/?lifecycle=", "/?max-keys=2&prefix=J"};
	struct sigv4_signed s;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		check(&examples[i], "examplebucket.s3.amazonaws.com", "AKIAIOSFODNN7EXAMPLE",
		      "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "s3", 1369353600, &s);
		assert_string_equal(s.target, targets[i]);
	}
	assert_string_equal(
		s.authorization,
		"AWS4-HMAC-SHA256 "
		"Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
		"SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
		"Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

/* Hive's '=' goes over the wire encoded, slashes as they are. */
static void test_hive(void **state)
{
	const struct sigv4_credentials credentials = {"A", "S", NULL};
	struct sigv4_request request = {.method = "PUT",
					.host = "h",
					.path = "/b/AWSLogs/aws-account-id=1/day=02/a+b c.gz",
					.payload = EMPTY,
					.region = "r",
					.service = "s3"};
	static char name[1100], path[SIGV4_TARGET];
	struct sigv4_signed s;
	struct err err;

	(void)state;
	assert_int_equal(sigv4_sign(&s, &request, &credentials, &err), 0);
	assert_string_equal(s.target, "/b/AWSLogs/aws-account-id%3D1/day%3D02/a%2Bb%20c.gz");
	/* What does not fit is an error, whichever part it is. */
	memset(name, 'a', sizeof name - 1);
	request.path = name;
	assert_int_equal(sigv4_sign(&s, &request, &credentials, &err), ERR_FULL);
	for (size_t i = 0; i + 1 < sizeof path; i++)
		path[i] = i % 9 ? '=' : '/';
	request.path = path;
	assert_int_equal(sigv4_sign(&s, &request, &credentials, &err), ERR_FULL);
	request.path = "/";
	assert_int_equal(
		sigv4_sign(&s, &request, &(struct sigv4_credentials){"A", name, NULL}, &err),
		ERR_FULL);
	request.n_headers = SIGV4_PAIRS_MAX;
	assert_int_equal(sigv4_sign(&s, &request, &credentials, &err), ERR_FULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suite),
		cmocka_unit_test(test_s3),
		cmocka_unit_test(test_hive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
