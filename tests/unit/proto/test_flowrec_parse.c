// SPDX-License-Identifier: Apache-2.0
/*
 * Flow Logs lines, read. The lines are Amazon's own examples ("Flow log record examples") and faults made of them; whatever
 * flowrec_print() writes must read as what it was written from.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/flowrec_parse.h"

static struct flowrec_columns columns_of(const char *fields)
{
	struct flowrec_columns columns;
	struct flowrec_format format;
	struct err err = {""};

	if (!fields) {
		flowrec_format_default(&format);
		flowrec_columns_of(&columns, &format);
	} else if (flowrec_columns_parse(&columns, fields, strlen(fields), &err) != 0) {
		fail_msg("%s", err.text);
	}
	return columns;
}

/* In memory of exactly its length, so that a read past its end is seen. */
static int parse_copy(struct flowrec_line *ret, const char *fields, const char *text, size_t len,
		      struct err *err)
{
	static char *copy;
	struct flowrec_columns columns = columns_of(fields);

	free(copy); /* of the line before: spans point into it */
	copy = malloc(len ? len : 1);
	assert_non_null(copy);
	memcpy(copy, text, len);
	return flowrec_parse_line(ret, &columns, copy, len, err);
}

static struct flowrec_line parse(const char *fields, const char *text)
{
	struct flowrec_line line;
	struct err err = {""};

	if (parse_copy(&line, fields, text, strlen(text), &err) != 0)
		fail_msg("%s: %s", text, err.text);
	return line;
}

static void assert_text(const struct flowrec_line *line, enum flowrec_field field, const char *text)
{
	const struct flowrec_span *v = &line->text[field];

	if (!text)
		assert_null(v->p);
	else if (!v->p || v->len != strlen(text) || memcmp(v->p, text, v->len) != 0)
		fail_msg("%s: '%.*s', expected '%s'", flowrec_fields[field].name, (int)v->len,
			 v->p ? v->p : "", text);
}

static void default_format(void **state)
{
	struct flowrec_line line = parse(
		NULL, "2 123456789010 eni-1235b8ca123456789 172.31.9.69 172.31.9.12 49761 3389 "
		      "6 20 4249 1418530010 1418530070 REJECT OK\n");
	const struct flowrec *rec = &line.rec;

	(void)state;
	assert_memory_equal(rec->src.b, ((uint8_t[16]){172, 31, 9, 69}), 16);
	assert_memory_equal(rec->dst.b, ((uint8_t[16]){172, 31, 9, 12}), 16);
	assert_int_equal(rec->family, 4);
	assert_int_equal(rec->srcport, 49761);
	assert_int_equal(rec->dstport, 3389);
	assert_int_equal(rec->protocol, 6);
	assert_int_equal(rec->packets, 20);
	assert_int_equal(rec->bytes, 4249);
	assert_int_equal(rec->start, 1418530010);
	assert_int_equal(rec->end, 1418530070);
	assert_int_equal(rec->action, FLOWREC_REJECT);
	assert_int_equal(rec->status, FLOWREC_OK);
	assert_int_equal(line.pkt_src_family, 0);
	assert_text(&line, FLOWREC_F_VERSION, "2");
	assert_text(&line, FLOWREC_F_ACCOUNT_ID, "123456789010");
	assert_text(&line, FLOWREC_F_INTERFACE_ID, "eni-1235b8ca123456789");
	assert_text(&line, FLOWREC_F_LOG_STATUS, "OK");
	assert_text(&line, FLOWREC_F_VPC_ID, NULL);

	line = parse(NULL,
		     "2 123456789010 eni-11111111aaaaaaaaa - - - - - - - 1431280876 1431280934 "
		     "- SKIPDATA\r\n");
	assert_int_equal(line.rec.status, FLOWREC_SKIPDATA);
	assert_int_equal(line.rec.start, 1431280876);
	assert_int_equal(line.rec.family, 0);
	assert_text(&line, FLOWREC_F_SRCADDR, NULL);
	assert_text(&line, FLOWREC_F_ACTION, NULL);
	/* NODATA whose times are missing occurs too. */
	line = parse(NULL, "2 unknown eni-1 - - - - - - - - - - NODATA");
	assert_int_equal(line.rec.status, FLOWREC_NODATA);
	assert_text(&line, FLOWREC_F_START, NULL);
}

static void custom_formats(void **state)
{
	/* A NAT gateway, and version 5's services; then columns that nobody knows. */
	struct flowrec_line line =
		parse("instance-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr",
		      "- eni-1235b8ca123456789 10.0.1.5 10.0.0.220 10.0.1.5 2001:db8::5");

	(void)state;
	assert_text(&line, FLOWREC_F_INSTANCE_ID, NULL);
	assert_memory_equal(line.rec.dst.b, ((uint8_t[16]){10, 0, 0, 220}), 16);
	assert_int_equal(line.pkt_src_family, 4);
	assert_memory_equal(line.pkt_src.b, ((uint8_t[16]){10, 0, 1, 5}), 16);
	assert_int_equal(line.pkt_dst_family, 6);
	assert_memory_equal(line.pkt_dst.b, ((uint8_t[16]){0x20, 1, 0x0d, 0xb8, [15] = 5}), 16);

	line = parse(
		"${type} ${flow-direction} ${traffic-path} ${tcp-flags} ${pkt-dst-aws-service} "
		"${encryption-status} ${reject-reason} ${version}",
		"IPv6 egress 8 19 S3 3 BPA 10");
	assert_int_equal(line.rec.family, 6);
	assert_int_equal(line.rec.direction, FLOWREC_EGRESS);
	assert_int_equal(line.rec.tcp_flags, 19);
	assert_text(&line, FLOWREC_F_TRAFFIC_PATH, "8");
	assert_text(&line, FLOWREC_F_PKT_DST_AWS_SERVICE, "S3");
	assert_text(&line, FLOWREC_F_REJECT_REASON, "BPA");

	line = parse("colour,srcport\tshape_of,flow_direction dstport\n",
		     "red 1 a=b,c ingress 65535");
	assert_int_equal(line.rec.srcport, 1);
	assert_int_equal(line.rec.dstport, 65535);
	assert_int_equal(line.rec.direction, FLOWREC_INGRESS);
	assert_int_equal(parse("type", "EFA").rec.family, 0);
	assert_int_equal(parse("type srcaddr", "IPv4 ::1").rec.family, 6);
	assert_int_equal(parse("fp-verdict", "unexpected_egress").rec.verdict,
			 FLOWREC_UNEXPECTED_EGRESS);
	assert_int_equal(parse("bytes", "18446744073709551615").rec.bytes, UINT64_MAX);
	line = parse("fp-rule", "\xe6\x99\x82\xe5\x88\xbb");
	assert_text(&line, FLOWREC_F_FP_RULE, "\xe6\x99\x82\xe5\x88\xbb");
}

static void lines_refused(void **state)
{
	static const struct {
		const char *fields, *line, *error;
	} rows[] = {
		{"srcport", "65536", "column 1 (srcport): '65536' is not a plain number"},
		{"end srcport", "1 -1", "column 2 (srcport): '-1'"},
		{"srcport", "+1", "plain number"},
		{"srcport", "01", "plain number"},
		{"srcport", "1.0", "plain number"},
		{"srcport", "0x1", "plain number"},
		{"protocol", "256", "(protocol): '256'"},
		{"tcp-flags", "256", "plain number"},
		{"bytes", "18446744073709551616", "plain number"},
		{"bytes", "99999999999999999999", "plain number"},
		{"traffic-path", "2147483648", "plain number"},
		{"version", "two", "(version): 'two'"},
		{"srcaddr", "10.0.0", "(srcaddr): '10.0.0' is not an address"},
		{"srcaddr", "10.0.0.1.2", "not an address"},
		{"srcaddr", "10.0.0.256", "not an address"},
		{"srcaddr", "10.0.0.01", "not an address"},
		{"pkt-dstaddr", "host", "(pkt-dstaddr): 'host' is not an address"},
		{"srcaddr", "::g", "not an address"},
		{"srcaddr", "1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20", "not an address"},
		{"srcaddr dstaddr", "10.0.0.1 ::1", "(dstaddr): '::1' is not of the other"},
		{"dstaddr srcaddr", "::1 10.0.0.1", "(srcaddr): '10.0.0.1' is not of the other"},
		{"action", "accept", "(action): 'accept' is none of"},
		{"log-status", "OKAY", "none of"},
		{"type", "ipv4", "none of"},
		{"flow-direction", "both", "none of"},
		{"fp-verdict", "fine", "none of"},
		{"srcport dstport", "1", "1 columns, the format has 2"},
		{"srcport dstport", "1 2 3", "more columns than the 2"},
		{"srcport dstport", "1 2 ", "more columns than the 2"},
		{"srcport dstport", "1  2", "column 2 is empty"},
		{"srcport dstport", " 1 2", "column 1 is empty"},
		{"srcport dstport", "1 ", "column 2 is empty"},
		{"srcport", "", "column 1 is empty"},
		{"srcport", "\n", "column 1 is empty"},
		{"vpc-id colour", "a\tb c", "column 1 (vpc-id) has a control"},
		{"vpc-id colour", "a \x1b[2J", "column 2 (unknown) has a control"},
		{"vpc-id", "a\x7f", "control"},
		{"vpc-id", "a\xff", "not UTF-8"},
		{"vpc-id", "a\xc2\x9b", "control"},
		{"vpc-id", "a\r\r\n", "control"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct flowrec_line line;
		struct err err = {""};
		int rc =
			parse_copy(&line, rows[i].fields, rows[i].line, strlen(rows[i].line), &err);

		if (rc != ERR_FORMAT || !strstr(err.text, rows[i].error))
			fail_msg("'%s': %d %s", rows[i].line, rc, err.text);
	}
}

/* A NUL ends nothing, the longest line is read, a longer one is not; long values are cut in messages. */
static void sizes(void **state)
{
	static char text[FLOWREC_PARSE_MAX + 2];
	struct flowrec_line line;
	struct err err = {""};

	(void)state;
	assert_int_equal(parse_copy(&line, "vpc-id", "a\0b", 3, &err), ERR_FORMAT);
	memset(text, '1', sizeof text);
	assert_int_equal(parse_copy(&line, "asg-tag", text, FLOWREC_PARSE_MAX, &err), 0);
	assert_int_equal(line.text[FLOWREC_F_ASG_TAG].len, FLOWREC_PARSE_MAX);
	assert_int_equal(parse_copy(&line, "asg-tag", text, FLOWREC_PARSE_MAX + 1, &err),
			 ERR_FORMAT);
	assert_non_null(strstr(err.text, "at most 65536"));
	assert_int_equal(parse_copy(&line, "bytes", text, 300, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "'1111111111111111111111111111111111111111...' is"));
	memset(text, '\xc3', 512); /* non-ASCII beyond what is looked through */
	assert_int_equal(parse_copy(&line, "asg-tag", text, 512, &err), ERR_FORMAT);
}

static void columns(void **state)
{
	static const struct {
		const char *text, *error; /* NULL: accepted */
	} rows[] = {
		{"version", NULL},
		{"colour ${version}", NULL},
		{"colour shape", "no field"},
		{"", "no field"},
		{"srcaddr colour srcaddr", "'srcaddr' is named twice"},
		{"vpc-id vpc_id", "'vpc-id' is named twice"},
		{"colour colour end", NULL},
	};
	char many[2 * (FLOWREC_COLUMNS_MAX + 1) + 1];
	struct flowrec_columns got;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int rc = flowrec_columns_parse(&got, rows[i].text, strlen(rows[i].text), &err);

		if (rows[i].error ? rc != ERR_USAGE || !strstr(err.text, rows[i].error) : rc != 0)
			fail_msg("'%s': %d", rows[i].text, rc);
	}
	for (size_t i = 0; i < sizeof many - 1; i++)
		many[i] = i % 2 ? ' ' : 'x';
	assert_int_equal(flowrec_columns_parse(&got, many, sizeof many - 1, &err), ERR_USAGE);
	assert_non_null(strstr(err.text, "more than 128"));

	assert_true(flowrec_is_header("account-id action", 17));
	assert_true(flowrec_is_header("version\n", 8));
	assert_false(flowrec_is_header("2 123456789010", 14));
	assert_false(flowrec_is_header("version", 6));
	assert_false(flowrec_is_header("", 0));
}

/* ---- what we print, read again ---- */

static uint64_t random_state = 88172645463325252U;

static uint64_t random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Small numbers and huge ones. */
static uint64_t random_number(void)
{
	uint64_t bits = random64();

	return random64() >> (bits % 64);
}

static struct flowrec random_record(void)
{
	uint64_t r = random64();
	struct flowrec rec = {
		.packets = random_number(),
		.bytes = random_number(),
		.start = random_number(),
		.end = random_number(),
		.srcport = (uint16_t)random_number(),
		.dstport = (uint16_t)random_number(),
		.family = r & 1 ? 4 : 6,
		.protocol = (uint8_t)random_number(),
		.tcp_flags = (uint8_t)random_number(),
		.status = r >> 1 & 7 ? FLOWREC_OK : (uint8_t)(1 + (r >> 4 & 1)),
		.action = r >> 5 & 1,
		.direction = (uint8_t)((r >> 6 & 0xff) % 3),
		.initiator = (uint8_t)((r >> 14 & 0xff) % 3),
		.verdict = (uint8_t)((r >> 22 & 0xff) % 5),
		.outcome = (uint8_t)((r >> 30 & 0xff) % 6),
	};

	for (size_t i = 0; i < (rec.family == 6 ? 16 : 4); i++) {
		rec.src.b[i] = random64() & 1 ? 0 : (uint8_t)random64();
		rec.dst.b[i] = random64() & 1 ? 0 : (uint8_t)random64();
	}
	return rec;
}

/* Any subset of the fields in any order. */
static struct flowrec_format random_format(void)
{
	struct flowrec_format format = {.n = 0, .version = 2};
	uint8_t all[FLOWREC_FIELDS];

	for (uint8_t i = 0; i < FLOWREC_FIELDS; i++)
		all[i] = i;
	format.n = (uint8_t)(1 + random64() % FLOWREC_FIELDS);
	for (size_t i = 0; i < format.n; i++) {
		size_t other = i + (size_t)(random64() % (FLOWREC_FIELDS - i));
		uint8_t field = all[other];

		all[other] = all[i];
		format.field[i] = field;
		if (flowrec_fields[field].version > format.version)
			format.version = flowrec_fields[field].version;
	}
	return format;
}

/* The number that a record holds in a field's place. */
static uint64_t member(const struct flowrec *rec, const struct flowrec_field_info *info)
{
	const uint8_t *at = (const uint8_t *)rec + info->at;
	uint64_t eight = 0;
	uint16_t two = 0;

	if (info->size == 8)
		memcpy(&eight, at, 8);
	else if (info->size == 2)
		memcpy(&two, at, 2);
	return info->size == 8 ? eight : info->size == 2 ? two : *at;
}

static void assert_read(const struct flowrec_line *line, enum flowrec_field field,
			const struct flowrec *rec, const struct flowrec_identity *id)
{
	const struct flowrec_field_info *info = &flowrec_fields[field];
	bool is_flow = rec->status == FLOWREC_OK;

	if (info->origin == FLOWREC_OF_INTERFACE) {
		const char *text = id->text[flowrec_text_of(field)];

		assert_text(line, field, *text ? text : NULL);
	} else if (info->origin == FLOWREC_OF_WINDOW ||
		   (info->origin == FLOWREC_OF_FLOW && is_flow)) {
		if (field == FLOWREC_F_SRCADDR || field == FLOWREC_F_DSTADDR) {
			bool src = field == FLOWREC_F_SRCADDR;

			assert_memory_equal(src ? &line->rec.src : &line->rec.dst,
					    src ? &rec->src : &rec->dst, 16);
			assert_int_equal(line->rec.family, rec->family);
		} else if (field == FLOWREC_F_PKT_SRCADDR) {
			assert_memory_equal(&line->pkt_src, &rec->src, 16);
			assert_int_equal(line->pkt_src_family, rec->family);
		} else if (field == FLOWREC_F_PKT_DSTADDR) {
			assert_memory_equal(&line->pkt_dst, &rec->dst, 16);
			assert_int_equal(line->pkt_dst_family, rec->family);
		} else {
			assert_true(member(&line->rec, info) == member(rec, info));
		}
	} else if (info->origin == FLOWREC_OF_FLOW || info->origin == FLOWREC_OF_UNKNOWN) {
		assert_text(line, field, NULL);
	}
}

static void printed_and_read(void **state)
{
	static const char *const words[] = {
		"", "", "x", "arn:aws:ecs:us-east-2:1:task/c1/0f", "50%25", "caf\xc3\xa9"};
	static char text[FLOWREC_LINE_MAX], names[FLOWREC_LINE_MAX];

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		struct flowrec rec = random_record();
		struct flowrec_format format = random_format();
		struct flowrec_columns columns, direct;
		struct flowrec_identity id;
		struct flowrec_line line;
		struct err err = {""};
		size_t len;

		flowrec_identity_init(&id);
		for (size_t t = 0; t < FLOWREC_TEXTS; t++)
			id.text[t] = words[random64() % (sizeof words / sizeof words[0])];
		len = flowrec_print_header(names, &format);
		assert_true(flowrec_is_header(names, len));
		assert_int_equal(flowrec_columns_parse(&columns, names, len, &err), 0);
		flowrec_columns_of(&direct, &format);
		assert_int_equal(columns.n, direct.n);
		assert_memory_equal(columns.field, direct.field, direct.n);
		len = flowrec_print(text, &format, &rec, &id);
		if (flowrec_parse_line(&line, &columns, text, len, &err) != 0)
			fail_msg("%s: %.*s", err.text, (int)len, text);
		for (size_t i = 0; i < format.n; i++)
			assert_read(&line, (enum flowrec_field)format.field[i], &rec, &id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_format), cmocka_unit_test(custom_formats),
		cmocka_unit_test(lines_refused),  cmocka_unit_test(sizes),
		cmocka_unit_test(columns),        cmocka_unit_test(printed_and_read),
	};

	return cmocka_run_group_tests_name("flowrec_parse", tests, NULL, NULL);
}
