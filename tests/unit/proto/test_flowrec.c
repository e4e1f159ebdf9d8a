// SPDX-License-Identifier: Apache-2.0
/*
 * Fields, formats, text and JSON of records. Expected lines follow the examples and rules of the Amazon VPC User Guide, "Flow log
 * records".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/flowrec.h"

static const char *const rules[] = {"collector", "dns"};

static const struct flowrec_identity identity = {
	.account_id = "012345678901",
	.interface_id = "eni-1235b8ca123456789",
	.vpc_id = "vpc-abcdefab012345678",
	.region = "eu-west-1",
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
		{"bytes,version", &ssh, "4249 2\n"},
		{"${tcp-flags} ${version}", &ssh, "19 3\n"},
		{"version fp-rule fp-initiator fp-verdict fp-outcome fp-sensor", &ssh,
		 "2 dns src unexpected_egress refused -\n"},
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
	char line[FLOWREC_JSON_MAX + 1];

	(void)state;
	odd.vpc_id = "a\"b\\c\n\x7f";
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

/* Versions 2 to 5 have 14, 21, 25 and 29 fields. */
static void fields_by_version(void **state)
{
	unsigned upto[6] = {0};

	(void)state;
	for (size_t f = 0; f < FLOWREC_FIELDS; f++)
		for (unsigned v = 2; v <= 5; v++)
			upto[v] += flowrec_fields[f].version && flowrec_fields[f].version <= v;
	assert_int_equal(upto[2], 14);
	assert_int_equal(upto[3], 21);
	assert_int_equal(upto[4], 25);
	assert_int_equal(upto[5], 29);
}

/* Every field, with texts as long as they may be, stays within the buffers. */
static void the_longest_line(void **state)
{
	char longest[FLOWREC_ID_MAX + 20], all[2000] = "", line[FLOWREC_LINE_MAX],
					   object[FLOWREC_JSON_MAX];
	const char *const names[] = {longest};
	struct flowrec_identity id = {longest, longest, longest, longest, longest, longest, longest,
				      longest, longest, longest, longest, names,   1};
	struct flowrec rec = ssh;
	struct flowrec_format format;

	(void)state;
	memset(longest, '\x01', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	rec.rule = 1;
	for (size_t f = 0; f < FLOWREC_FIELDS; f++) {
		strncat(all, flowrec_fields[f].name, sizeof all - strlen(all) - 1);
		strncat(all, " ", sizeof all - strlen(all) - 1);
	}
	format = format_of(all);
	assert_int_equal(format.n, FLOWREC_FIELDS);
	assert_in_range(flowrec_print(line, &format, &rec, &id), 12 * FLOWREC_ID_MAX, sizeof line);
	assert_in_range(flowrec_print_json(object, &format, &rec, &id), 12 * 6 * FLOWREC_ID_MAX,
			sizeof object);
	assert_int_equal(flowrec_print_header(line, &format), strlen(all));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(json),
		cmocka_unit_test(formats_refused),
		cmocka_unit_test(fields_by_version),
		cmocka_unit_test(the_longest_line),
	};

	return cmocka_run_group_tests_name("flowrec", tests, NULL, NULL);
}
