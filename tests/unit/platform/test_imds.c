// SPDX-License-Identifier: Apache-2.0
/*
 * imds: what an answer is, the forms of values, and the machine against answers as the EC2 User Guide describes them.
 */
#include "platform/ec2/imds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- answers ---- */

/* A copy that ends where the answer does: a byte more is a fault. */
static enum imds_read read_bytes(const char *text, size_t len, bool at_end, struct imds_answer *ret)
{
	uint8_t *copy = malloc(len ? len : 1);
	const char *why = NULL;
	enum imds_read rc;

	assert_non_null(copy);
	memcpy(copy, text, len);
	rc = imds_read_answer(copy, len, at_end, ret, &why);
	if (rc == IMDS_BROKEN)
		assert_true(why && *why);
	if (rc == IMDS_READ)
		assert_true(ret->body >= copy && ret->body + ret->len == copy + len);
	free(copy);
	return rc;
}

static enum imds_read read_text(const char *text, bool at_end, struct imds_answer *ret)
{
	return read_bytes(text, strlen(text), at_end, ret);
}

static void test_whole(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
				   "Content-Length: 19\r\nServer: EC2ws\r\n\r\ni-0123456789abcdef0";
	struct imds_answer answer;

	(void)state;
	assert_int_equal(read_text(text, false, &answer), IMDS_READ);
	assert_int_equal(answer.status, 200);
	assert_int_equal(answer.len, 19);
	assert_false(answer.closes);
	/* Cut at every byte it is no answer yet, and never will be. */
	for (size_t i = 0; i < sizeof text - 1; i++) {
		assert_int_equal(read_bytes(text, i, false, &answer), IMDS_MORE);
		assert_int_equal(read_bytes(text, i, true, &answer), IMDS_BROKEN);
	}
}

static void test_ends(void **state)
{
	struct imds_answer answer;

	(void)state;
	/* RFC 9112, 6.3: without a length up to the connection's end; 9.3: 1.0 and `close` end it. */
	assert_int_equal(read_text("HTTP/1.1 200 OK\r\n\r\nabc", false, &answer), IMDS_MORE);
	assert_int_equal(read_text("HTTP/1.1 200 OK\r\n\r\nabc", true, &answer), IMDS_READ);
	assert_true(answer.closes);
	assert_int_equal(answer.len, 3);
	assert_int_equal(read_text("HTTP/1.0 404 no\r\ncontent-length: 0\r\n\r\n", false, &answer),
			 IMDS_READ);
	assert_true(answer.closes);
	assert_int_equal(answer.status, 404);
	assert_int_equal(
		read_text("HTTP/1.1 401\r\nCONTENT-LENGTH:\t0 \r\nConnection: Close\r\n\r\n", false,
			  &answer),
		IMDS_READ);
	assert_true(answer.closes);
}

static void test_broken(void **state)
{
	static const char *const broken[] = {
		"SSH-2.0-OpenSSH_9.2\r\n",
		"HTTP/2 200\r\n",
		"HTTP/1.1 99 x\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n",
		"\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 12345678\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
	};
	struct imds_answer answer;

	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
		assert_int_equal(read_text(broken[i], false, &answer), IMDS_BROKEN);
}

static void test_forms(void **state)
{
	static const struct {
		enum imds_item item;
		const char *value;
		bool ok;
	} cases[] = {
		{IMDS_INSTANCE_ID, "i-1234567890abcdef0", true},
		{IMDS_INSTANCE_ID, "i-1a2b3c4d", true},
		{IMDS_INSTANCE_ID, "i-1a2b3c4", false},
		{IMDS_INSTANCE_ID, "i-1234567890abcdef01", false},
		{IMDS_INSTANCE_ID, "i-1234567890ABCDEF0", false},
		{IMDS_INTERFACE_ID, "eni-0e58312db78f78612", true},
		{IMDS_INTERFACE_ID, "i-0e58312db78f78612", false},
		{IMDS_OWNER_ID, "012345678901", true},
		{IMDS_OWNER_ID, "1234567890123", false},
		{IMDS_OWNER_ID, "unknown", false},
		{IMDS_AZ_ID, "use1-az3", true},
		{IMDS_REGION, "us-gov-west-1", true},
		{IMDS_REGION, "us west", false},
		{IMDS_REGION, "<html>", false},
		{IMDS_LOCAL_IPV4, "10.0.0.5", true},
		{IMDS_LOCAL_IPV4, "2001:db8::1", false},
		{IMDS_IPV6, "2001:db8::1", true},
		{IMDS_IPV6, "10.0.0.5", false},
		{IMDS_SUBNET_IPV4, "10.0.0.0/24", true},
		{IMDS_SUBNET_IPV4, "10.0.0.1/24", false},
		{IMDS_SUBNET_IPV4, "10.0.0.0", false},
		{IMDS_MACS, "0a:1b:2c:3d:4e:5f", true},
		{IMDS_MACS, "0a-1b-2c-3d-4e-5f", false},
		{IMDS_TOKEN, "AQAEALrDVYh0SR9mBMYWw==", true},
		{IMDS_TOKEN, "a\r\nX: y", false},
		{IMDS_TOKEN, "", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (imds_value_ok(cases[i].item, cases[i].value, strlen(cases[i].value)) !=
		    cases[i].ok)
			fail_msg("%s: %s", imds_item_name(cases[i].item), cases[i].value);
}

/* ---- the machine ---- */

struct fixture {
	struct imds imds;
	uint64_t now_ms;
	char values[2048]; /* "0 vpc-id vpc-...\n" */
};

static void on_value(void *ctx, size_t want, enum imds_item item, const char *value)
{
	struct fixture *f = ctx;
	size_t used = strlen(f->values);

	(void)snprintf(f->values + used, sizeof f->values - used, "%zu %s %s\n", want,
		       imds_item_name(item), value);
}

static const struct imds_ops ops = {.value = on_value};

static const struct imds_want wanted[] = {
	{.mac = {0x0a, 0, 0, 0, 0, 2}}, {.mac = {0x0a, 0, 0, 0, 0, 9}}, /* not the service's */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	f->now_ms = 5000;
	imds_init(&f->imds, wanted, 2, &ops, f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static enum imds_action step(struct fixture *f, enum imds_event event)
{
	return imds_step(&f->imds, event, f->now_ms, NULL, 0, "closed");
}

/* What is asked now, which must be `request`; then the answer. */
static enum imds_action answer(struct fixture *f, const char *request, unsigned status,
			       const char *body)
{
	char text[1024];

	if (strncmp(f->imds.request, request, strlen(request)) != 0)
		fail_msg("asked %.80s, not %s", f->imds.request, request);
	(void)snprintf(text, sizeof text, "HTTP/1.1 %u x\r\nContent-Length: %zu\r\n\r\n%s", status,
		       strlen(body), body);
	return imds_step(&f->imds, IMDS_INPUT, f->now_ms, (const uint8_t *)text, strlen(text), "");
}

static void begin(struct fixture *f)
{
	assert_int_equal(step(f, IMDS_BEGIN), IMDS_CONNECT);
	assert_int_equal(step(f, IMDS_CONNECTED), IMDS_SEND);
	assert_non_null(
		strstr(f->imds.request, "\r\nX-aws-ec2-metadata-token-ttl-seconds: 300\r\n"));
	assert_non_null(strstr(f->imds.request, "\r\nHost: 169.254.169.254\r\n"));
}

#define TOKEN "PUT /latest/api/token HTTP/1.1\r\n"
#define META  "GET /latest/meta-data/"
#define MAC   META "network/interfaces/macs/0a:00:00:00:00:02/"

static void test_story(void **state)
{
	struct fixture *f = *state;

	begin(f);
	assert_int_equal(answer(f, TOKEN, 200, "t0ken"), IMDS_SEND);
	assert_non_null(strstr(f->imds.request, "\r\nX-aws-ec2-metadata-token: t0ken\r\n"));
	assert_int_equal(answer(f, META "instance-id ", 200, "i-1234567890abcdef0"), IMDS_SEND);
	assert_int_equal(answer(f, META "placement/region ", 200, "eu-west-1"), IMDS_SEND);
	assert_int_equal(answer(f, META "placement/availability-zone-id ", 404, "none"), IMDS_SEND);
	assert_int_equal(answer(f, META "network/interfaces/macs/ ", 200,
				"0a:00:00:00:00:01/\n0a:00:00:00:00:02/\nrubbish/"),
			 IMDS_SEND);
	assert_int_equal(answer(f, MAC "interface-id ", 200, "eni-0123456789abcdef0"), IMDS_SEND);
	assert_int_equal(answer(f, MAC "owner-id ", 200, "123456789012"), IMDS_SEND);
	assert_int_equal(answer(f, MAC "vpc-id ", 200, "vpc-0123456789abcdef0\nmore"), IMDS_SEND);
	assert_int_equal(answer(f, MAC "subnet-id ", 200, "<b>"), IMDS_SEND);
	assert_int_equal(answer(f, MAC "subnet-ipv4-cidr-block ", 200, "10.0.0.0/24"), IMDS_SEND);
	assert_int_equal(answer(f, MAC "subnet-ipv6-cidr-blocks ", 404, ""), IMDS_SEND);
	assert_int_equal(answer(f, MAC "local-ipv4s ", 200, "10.0.0.5\n10.0.0.6"), IMDS_SEND);
	assert_int_equal(answer(f, MAC "ipv6s ", 404, ""), IMDS_SEND);
	assert_int_equal(answer(f, MAC "public-ipv4s ", 200, "203.0.113.9\n"), IMDS_END);
	assert_string_equal(f->values, "0 instance-id i-1234567890abcdef0\n0 region eu-west-1\n"
				       "0 interface-id eni-0123456789abcdef0\n"
				       "0 account-id 123456789012\n0 vpc-id vpc-0123456789abcdef0\n"
				       "0 subnet-ipv4-cidr-block 10.0.0.0/24\n"
				       "0 local-ipv4s 10.0.0.5\n0 local-ipv4s 10.0.0.6\n"
				       "0 public-ipv4s 203.0.113.9\n");
	assert_true(f->imds.is_complete);
	assert_int_equal(f->imds.absent, 3);
	assert_int_equal(f->imds.misshapen, 3); /* rubbish, more, <b> */
	assert_int_equal(f->imds.interfaces, 2);
	assert_int_equal(f->imds.requests, 14); /* the answers above */
	assert_int_equal(f->imds.failures, 0);
}

static void test_sole(void **state)
{
	static const struct imds_want sole = {.sole = true};
	struct fixture *f = *state;

	imds_init(&f->imds, &sole, 1, &ops, f);
	begin(f);
	assert_int_equal(answer(f, TOKEN, 200, "t"), IMDS_SEND);
	for (int i = 0; i < 3; i++)
		assert_int_equal(answer(f, META, 404, ""), IMDS_SEND);
	assert_int_equal(answer(f, META "network", 200, "0a:00:00:00:00:02/"), IMDS_SEND);
	assert_int_equal(answer(f, MAC "interface-id ", 200, "eni-0123456789abcdef0"), IMDS_SEND);
	/* Of two nobody knows which it is. */
	imds_init(&f->imds, &sole, 1, &ops, f);
	begin(f);
	assert_int_equal(answer(f, TOKEN, 200, "t"), IMDS_SEND);
	for (int i = 0; i < 3; i++)
		assert_int_equal(answer(f, META, 404, ""), IMDS_SEND);
	assert_int_equal(answer(f, META "network", 200, "0a:00:00:00:00:02/\n0a:00:00:00:00:03/"),
			 IMDS_END);
}

/* A token that has run out is asked for anew, and the same item after it. */
static void test_token(void **state)
{
	struct fixture *f = *state;

	begin(f);
	assert_int_equal(answer(f, TOKEN, 200, "one"), IMDS_SEND);
	assert_int_equal(answer(f, META "instance-id ", 401, ""), IMDS_SEND);
	assert_int_equal(answer(f, TOKEN, 200, "two"), IMDS_SEND);
	assert_non_null(strstr(f->imds.request, "token: two\r\n"));
	assert_int_equal(answer(f, META "instance-id ", 200, "i-1234567890abcdef0"), IMDS_SEND);
	/* One that takes none of them is not asked for ever. */
	for (int i = 0; i < IMDS_TOKENS - 1; i++) {
		assert_int_equal(answer(f, META "placement/region ", 401, ""), IMDS_SEND);
		assert_int_equal(answer(f, TOKEN, 200, "t"), IMDS_SEND);
	}
	assert_int_equal(answer(f, META "placement/region ", 401, ""), IMDS_SEND);
	assert_int_equal(answer(f, TOKEN, 200, "t"), IMDS_SEND);
	assert_int_equal(answer(f, META "placement/region ", 401, ""), IMDS_CLOSE);
	assert_int_equal(f->imds.state, IMDS_PAUSING);
}

static void test_off(void **state)
{
	struct fixture *f = *state;

	begin(f);
	assert_int_equal(answer(f, TOKEN, 403, ""), IMDS_END);
	assert_false(f->imds.is_complete);
	assert_non_null(strstr(f->imds.why, "switched off"));
	assert_int_equal(step(f, IMDS_TIMER), IMDS_END);
}

/* Nobody there: the other endpoint, pauses that double, and an end. */
static void test_nobody(void **state)
{
	/* 250, doubled up to 2000. */
	static const uint64_t pauses[] = {250, 500, 1000, 2000, 2000, 2000};
	struct fixture *f = *state;
	enum imds_action action = step(f, IMDS_BEGIN);

	for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
		assert_int_equal(action, IMDS_CONNECT);
		assert_int_equal(imds_endpoint(&f->imds).family, i % 2 ? 6 : 4);
		assert_int_equal(imds_endpoint(&f->imds).port, 80);
		assert_int_equal(imds_deadline(&f->imds), f->now_ms + 1000);
		f->now_ms += 999;
		assert_int_equal(step(f, IMDS_TIMER), IMDS_WAIT);
		f->now_ms += 1;
		assert_int_equal(step(f, IMDS_TIMER), IMDS_CLOSE);
		assert_int_equal(imds_deadline(&f->imds), f->now_ms + pauses[i]);
		f->now_ms += pauses[i];
		action = step(f, IMDS_TIMER);
	}
	f->now_ms = 5000 + IMDS_PATIENCE_MS - 1;
	assert_int_not_equal(step(f, IMDS_TIMER), IMDS_END);
	assert_true(imds_deadline(&f->imds) == 5000 + IMDS_PATIENCE_MS);
	f->now_ms++;
	assert_int_equal(step(f, IMDS_TIMER), IMDS_END);
	assert_false(f->imds.is_complete);
	assert_string_equal(f->imds.why, "no answer in time");
}

/* A byte a while does not make an answer's time longer, and one without end does not fit. */
static void test_hostile(void **state)
{
	struct fixture *f = *state;
	static const uint8_t many[IMDS_ANSWER_MAX] = {'x'};

	begin(f);
	for (int i = 0; i < 9; i++) {
		f->now_ms += 100;
		assert_int_equal(imds_step(&f->imds, IMDS_INPUT, f->now_ms, many, 1, ""),
				 IMDS_WAIT);
	}
	f->now_ms += 100;
	assert_int_equal(step(f, IMDS_TIMER), IMDS_CLOSE);
	f->now_ms += 250;
	assert_int_equal(step(f, IMDS_TIMER), IMDS_CONNECT);
	assert_int_equal(step(f, IMDS_CONNECTED), IMDS_SEND);
	assert_non_null(strstr(f->imds.request, "\r\nHost: [fd00:ec2::254]\r\n"));
	assert_int_equal(imds_step(&f->imds, IMDS_INPUT, f->now_ms, many, sizeof many, ""),
			 IMDS_WAIT);
	assert_int_equal(imds_step(&f->imds, IMDS_INPUT, f->now_ms, many, 1, ""), IMDS_CLOSE);
	assert_string_equal(f->imds.why, "the answer is too long");
	/* A failure before the end of the answers leaves what is to be asked as it is. */
	f->now_ms += 500;
	assert_int_equal(step(f, IMDS_TIMER), IMDS_CONNECT);
	assert_int_equal(step(f, IMDS_CLOSED), IMDS_CLOSE);
	assert_string_equal(f->imds.why, "closed");
	assert_string_equal(f->values, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_forms),
		cmocka_unit_test_setup_teardown(test_story, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_token, setup, teardown),
		cmocka_unit_test_setup_teardown(test_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
