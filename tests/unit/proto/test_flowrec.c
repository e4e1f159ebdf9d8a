// SPDX-License-Identifier: Apache-2.0
/*
 * Fields, formats, text and JSON of records. Expected lines follow the examples and rules of the Amazon VPC User Guide, "Flow log
 * records".
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/flowrec.h"

static const char *const rules[] = {"collector", "dns"};

static const struct flowrec_identity identity = {
	.text[FLOWREC_T_ACCOUNT_ID] = "012345678901",
	.text[FLOWREC_T_INTERFACE_ID] = "eni-1235b8ca123456789",
	.text[FLOWREC_T_VPC_ID] = "vpc-abcdefab012345678",
	.text[FLOWREC_T_REGION] = "eu-west-1",
	.rules = rules,
	.n_rules = 2,
};

static const struct flowrec ssh = {
	.src = {{172, 31, 16, 139}},
	.dst = {{172, 31, 16, 21}},
	.srcport = 20641,
	.dstport = 22,
	.protocol = 6,
	.packets = 20,
	.bytes = 4249,
	.start = 1418530010,
	.end = 1418530070,
	.family = 4,
	.tcp_flags = 19,
	.rule = 2,
	.boundary = 1,
	.initiator = FLOWREC_INITIATOR_SRC,
	.direction = FLOWREC_EGRESS,
	.verdict = FLOWREC_UNEXPECTED_EGRESS,
	.outcome = FLOWREC_REFUSED,
};

static struct flowrec_format format_of(const char *fields)
{
	struct flowrec_format format;
	struct err err = {""};

	if (!fields)
		flowrec_format_default(&format);
	else if (flowrec_format_parse(&format, fields, &err) != 0)
		fail_msg("%s", err.text);
	return format;
}

static void lines(void **state)
{
	static const struct flowrec nodata = {
		.status = FLOWREC_NODATA, .start = 1431280876, .end = 1431280934};
	static const struct flowrec skipdata = {
		.status = FLOWREC_SKIPDATA, .start = 1431280876, .end = 1431280934};
	static const struct flowrec ipv6 = {.src = {{0x20, 1, 0x0d, 0xb8, [15] = 1}},
					    .dst = {{0xfe, 0x80, [15] = 2}},
					    .family = 6,
					    .protocol = 58,
					    .packets = UINT64_MAX,
					    .action = FLOWREC_REJECT};
	static const struct {
		const char *fields;
		const struct flowrec *rec;
		const char *line;
	} rows[] = {
		{NULL, &ssh,
		 "2 012345678901 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 "
		 "4249 1418530010 "
		 "1418530070 ACCEPT OK\n"},
		{NULL, &nodata,
		 "2 012345678901 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - "
		 "NODATA\n"},
		{NULL, &skipdata,
		 "2 012345678901 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - "
		 "SKIPDATA\n"},
		{"vpc-id type log-status version region tcp-flags", &nodata,
		 "vpc-abcdefab012345678 - NODATA 4 eu-west-1 -\n"},
		{"region tcp-flags start pkt-srcaddr fp-verdict log-status interface-id "
		 "flow-direction "
		 "fp-rule vpc-id reject-reason end",
		 &skipdata,
		 "eu-west-1 - 1431280876 - - SKIPDATA eni-1235b8ca123456789 - - "
		 "vpc-abcdefab012345678 - 1431280934\n"},
		{"bytes,version", &ssh, "4249 2\n"},
		{"${tcp-flags} ${version}", &ssh, "19 3\n"},
		{"version fp-rule fp-boundary fp-initiator fp-verdict fp-outcome fp-sensor", &ssh,
		 "2 dns collector src unexpected_egress refused -\n"},
		{"fp-boundary log-status", &nodata, "- NODATA\n"},
		{"fp-outcome log-status", &nodata, "- NODATA\n"},
		{"flow-direction traffic-path pkt-dst-aws-service version pkt-srcaddr", &ssh,
		 "egress - - 5 172.31.16.139\n"},
		{"srcaddr dstaddr type packets action srcport", &ipv6,
		 "2001:db8::1 fe80::2 IPv6 18446744073709551615 REJECT 0\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct flowrec_format format = format_of(rows[i].fields);
		char line[FLOWREC_LINE_MAX + 1];

		line[flowrec_print(line, &format, rows[i].rec, &identity)] = '\0';
		assert_string_equal(line, rows[i].line);
	}
}

static void json(void **state)
{
	struct flowrec_identity odd = identity;
	struct flowrec_format format =
		format_of("version srcaddr srcport account-id vpc-id tcp-flags");
	struct flowrec nodata = {.status = FLOWREC_NODATA};
	static char line[FLOWREC_JSON_MAX + 1];

	(void)state;
	odd.text[FLOWREC_T_VPC_ID] = "a\"b\\c\n\x7f";
	line[flowrec_print_json(line, &format, &ssh, &odd)] = '\0';
	assert_string_equal(line, "{\"version\":3,\"srcaddr\":\"172.31.16.139\",\"srcport\":20641,"
				  "\"account-id\":\"012345678901\","
				  "\"vpc-id\":\"a\\\"b\\\\c\\u000a\\u007f\",\"tcp-flags\":19}\n");
	line[flowrec_print_json(line, &format, &nodata, &identity)] = '\0';
	assert_string_equal(
		line,
		"{\"version\":3,\"srcaddr\":null,\"srcport\":null,\"account-id\":\"012345678901\","
		"\"vpc-id\":\"vpc-abcdefab012345678\",\"tcp-flags\":null}\n");
}

static void formats_refused(void **state)
{
	static const struct {
		const char *fields, *error;
	} rows[] = {
		{"srcaddr colour", "'colour'"},
		{"srcaddr dstaddr srcaddr", "'srcaddr' is named twice"},
		{"", "no field"},
		{" , ", "no field"},
		{"${srcaddr", "'${srcaddr'"},
		{"SRCADDR", "'SRCADDR'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct flowrec_format format = {.n = 7};
		struct err err = {""};

		assert_int_equal(flowrec_format_parse(&format, rows[i].fields, &err), ERR_USAGE);
		if (!strstr(err.text, rows[i].error))
			fail_msg("%s: %s", rows[i].fields, err.text);
		assert_int_equal(format.n, 7);
	}
}

/* What a host cannot know, and the numbers that it can: `-`, and null in JSON, never a made-up value. */
static void unknown_fields(void **state)
{
	struct flowrec_format format = format_of("traffic-path reject-reason encryption-status "
						 "next-hop-az-id ecs-task-id pkt-src-aws-service");
	static char line[FLOWREC_JSON_MAX + 1];

	(void)state;
	line[flowrec_print(line, &format, &ssh, &identity)] = '\0';
	assert_string_equal(line, "- - - - - -\n");
	line[flowrec_print_json(line, &format, &ssh, &identity)] = '\0';
	assert_string_equal(line, "{\"traffic-path\":null,\"reject-reason\":null,"
				  "\"encryption-status\":null,\"next-hop-az-id\":null,"
				  "\"ecs-task-id\":null,\"pkt-src-aws-service\":null}\n");
}

/* `version` is the highest among the fields: AWS's versions are 2 to 5 and 7 to 11. */
static void versions(void **state)
{
	static const struct {
		const char *fields;
		unsigned version;
	} rows[] = {
		{"end", 2},
		{"fp-rule fp-sensor", 2},
		{"srcaddr type", 3},
		{"region type srcaddr", 4},
		{"flow-direction vpc-id", 5},
		{"ecs-task-id region", 7},
		{"reject-reason", 8},
		{"start resource-id", 9},
		{"encryption-status ecs-task-id traffic-path", 10},
		{"next-hop-vpc-id resource-id end", 11},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(format_of(rows[i].fields).version, rows[i].version);
}

/* A field's number of bytes fits its place, and JSON's numbers are Parquet's. */
static void table_is_sound(void **state)
{
	unsigned texts = 0;

	(void)state;
	for (enum flowrec_field f = 0; f < FLOWREC_FIELDS; f++) {
		const struct flowrec_field_info *info = &flowrec_fields[f];
		bool is_number =
			info->form == FLOWREC_AS_UINT || info->form == FLOWREC_AS_UNIX_SECONDS;
		bool of_record =
			info->origin == FLOWREC_OF_FLOW || info->origin == FLOWREC_OF_WINDOW;

		assert_non_null(info->name);
		assert_true(strlen(info->help) > 0);
		assert_int_equal(flowrec_field_by_name(info->name, strlen(info->name)), f);
		assert_int_equal(is_number, info->parquet != FLOWREC_STRING);
		assert_int_equal(of_record || info->origin == FLOWREC_OF_RULE, info->size != 0);
		assert_int_equal(of_record && info->form == FLOWREC_AS_ENUM, info->words != NULL);
		if (of_record)
			assert_true(info->size ==
				    (info->form == FLOWREC_AS_IP ? 16 : info->size & 11));
		if (info->origin == FLOWREC_OF_INTERFACE) {
			enum flowrec_text t = flowrec_text_of(f);

			assert_int_equal(t, texts++);
			assert_int_equal(flowrec_field_of(t), f);
			assert_string_equal(flowrec_text_names[t], info->name);
		} else {
			assert_int_equal(flowrec_text_of(f), FLOWREC_TEXTS);
		}
	}
	assert_int_equal(texts, FLOWREC_TEXTS);
}

/* Every field, with texts as long as they may be and longer, stays within the buffers. */
static void the_longest_line(void **state)
{
	static char longest[FLOWREC_TEXT_MAX + 20], line[FLOWREC_LINE_MAX],
		object[FLOWREC_JSON_MAX];
	const char *const names[] = {longest};
	struct flowrec_identity id = {
		.sensor = longest, .interface = longest, .rules = names, .n_rules = 1};
	struct flowrec rec = ssh;
	struct flowrec_format format;
	char all[4000] = "";

	(void)state;
	memset(longest, '\x01', sizeof longest - 1);
	for (size_t t = 0; t < FLOWREC_TEXTS; t++)
		id.text[t] = longest;
	rec.rule = 1;
	for (size_t f = 0; f < FLOWREC_FIELDS; f++) {
		strncat(all, flowrec_fields[f].name, sizeof all - strlen(all) - 1);
		strncat(all, " ", sizeof all - strlen(all) - 1);
	}
	format = format_of(all);
	assert_int_equal(format.n, FLOWREC_FIELDS);
	assert_in_range(flowrec_print(line, &format, &rec, &id),
			(FLOWREC_TEXTS + 3) * FLOWREC_TEXT_MAX, sizeof line);
	assert_in_range(flowrec_print_json(object, &format, &rec, &id),
			(FLOWREC_TEXTS + 3) * 6 * FLOWREC_TEXT_MAX, sizeof object);
	assert_int_equal(flowrec_print_header(line, &format), strlen(all));
}

static void number(uint64_t v)
{
	const struct flowrec rec = {.bytes = v, .srcport = (uint16_t)v, .protocol = (uint8_t)v};
	const struct flowrec_format format = {.version = 2};
	char expected[24], text[FLOWREC_VALUE_MAX];

	snprintf(expected, sizeof expected, "%" PRIu64, v);
	assert_string_equal(flowrec_value(text, FLOWREC_F_BYTES, &format, &rec, &identity),
			    expected);
	snprintf(expected, sizeof expected, "%u", (unsigned)(uint16_t)v);
	assert_string_equal(flowrec_value(text, FLOWREC_F_SRCPORT, &format, &rec, &identity),
			    expected);
	snprintf(expected, sizeof expected, "%u", (unsigned)(uint8_t)v);
	assert_string_equal(flowrec_value(text, FLOWREC_F_PROTOCOL, &format, &rec, &identity),
			    expected);
}

/* Against printf(3): all of 16 bits, around each power of ten, and steps over all lengths. */
static void numbers(void **state)
{
	(void)state;
	for (uint64_t v = 0; v < 65536; v++)
		number(v);
	for (uint64_t ten = 1; ten < UINT64_MAX / 10; ten *= 10)
		for (uint64_t d = 0; d < 100; d++) {
			number(ten * 10 - 50 + d);
			number(ten * (d % 10) + d);
		}
	for (uint64_t v = 1; v < UINT64_MAX / 4 * 3; v += v / 3 + 1)
		number(v);
	number(UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(json),
		cmocka_unit_test(formats_refused),
		cmocka_unit_test(unknown_fields),
		cmocka_unit_test(versions),
		cmocka_unit_test(table_is_sound),
		cmocka_unit_test(the_longest_line),
		cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests_name("flowrec", tests, NULL, NULL);
}
