// SPDX-License-Identifier: Apache-2.0
/*
 * The hello: there and back, its sizes, what is refused and why, a former run's again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/bytes.h"
#include "proto/wire.h"

static const char *const rule_names[] = {"collector", "dns", "\xe6\x99\x82\xe5\x88\xbb"};

static const uint8_t rule_severities[] = {0, 5, 1};

enum { HELLO_BYTES = 8192 }; /* room for any hello here */

static const char *const log_paths[] = {"/var/log/auth.log", "/var/log/web server/\xc3\xa9.log"};

static struct wire_hello some_hello(void)
{
	struct wire_hello hello = {
		.protocol = WIRE_PROTOCOL,
		.sensor = "web-1.example_A",
		.boot_id = "6b3c7f0e-1a2b-4c3d-8e4f-5a6b7c8d9e0f",
		.build = "0.1.0 (abc)",
		.n_interfaces = 2,
		.n_rules = 3,
		.rules = rule_names,
		.severities = rule_severities,
		.aws_ranges = "2026-08-22-21-17-05",
		.clock_ns = 1700000000123456789,
		.is_replay = true,
		.window_s = 600,
		.dates_wrong = true,
		.filtered = true,
		.policy_text = (const uint8_t *)"expect collector\n",
		.policy_text_len = 17,
		.n_logs = 2,
		.logs = log_paths,
	};

	for (size_t i = 0; i < WIRE_STREAM_ID; i++)
		hello.stream[i] = (uint8_t)(i + 1);
	memset(hello.config, 0xc0, SHA256_BYTES);
	memset(hello.policy, 0xd0, SHA256_BYTES);
	memset(hello.replay, 0xe0, SHA256_BYTES);
	for (size_t i = 0; i < WIRE_INTERFACES_MAX; i++)
		flowrec_identity_init(&hello.interfaces[i]);
	hello.interfaces[0].interface = "eth0";
	for (size_t t = 0; t < FLOWREC_TEXTS; t++)
		hello.interfaces[0].text[t] = flowrec_text_names[FLOWREC_TEXTS - 1 - t];
	hello.interfaces[1].interface = "eth1";
	hello.interfaces[1].text[FLOWREC_T_ECS_TASK_ID] = "0123";
	hello.links[0] = (struct wire_link){.offload = WIRE_OFFLOAD_KERNEL,
					    .features_known = true,
					    .features = 0xff,
					    .allowances = WIRE_ALLOWANCES_COUNTED,
					    .mtu = 9001};
	hello.links[0].text_sources[FLOWREC_T_VPC_ID] = WIRE_SOURCE_METADATA;
	hello.links[0].text_sources[FLOWREC_TEXTS - 1] = WIRE_SOURCE_CONFIGURED;
	hello.links[1].offload = WIRE_OFFLOAD_AS_IS;
	return hello;
}

static size_t encode_hello(uint8_t *out, size_t cap, const struct wire_hello *hello)
{
	ssize_t n = wire_hello_encode(out, cap, hello);

	assert_true(n > 0 && (size_t)n <= cap);
	return (size_t)n;
}

static void test_hello(void **state)
{
	struct wire_hello hello = some_hello(), *got = NULL;
	uint8_t bytes[HELLO_BYTES];
	size_t len = encode_hello(bytes, sizeof(bytes), &hello);
	struct err err = {""};

	(void)state;
	assert_int_equal(wire_hello_decode(&got, bytes, len, &err), 0);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(got->protocol, WIRE_PROTOCOL);
	assert_string_equal(got->sensor, hello.sensor);
	assert_memory_equal(got->stream, hello.stream, WIRE_STREAM_ID);
	assert_string_equal(got->boot_id, hello.boot_id);
	assert_string_equal(got->build, hello.build);
	assert_memory_equal(got->config, hello.config, SHA256_BYTES);
	assert_memory_equal(got->policy, hello.policy, SHA256_BYTES);
	assert_memory_equal(got->replay, hello.replay, SHA256_BYTES);
	assert_true(got->is_replay);
	assert_int_equal(got->clock_ns, hello.clock_ns);
	assert_int_equal(got->window_s, 600);
	assert_true(got->dates_wrong);
	assert_true(got->filtered);
	assert_int_equal(got->policy_text_len, 17);
	assert_memory_equal(got->policy_text, "expect collector\n", 17);
	assert_int_equal(got->n_rules, 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(got->rules[i], rule_names[i]);
	assert_memory_equal(got->severities, rule_severities, 3);
	assert_string_equal(got->aws_ranges, "2026-08-22-21-17-05");
	assert_int_equal(got->n_logs, 2);
	assert_string_equal(got->logs[0], log_paths[0]);
	assert_string_equal(got->logs[1], log_paths[1]);

	assert_int_equal(got->n_interfaces, 2);
	for (size_t t = 0; t < FLOWREC_TEXTS; t++)
		assert_string_equal(got->interfaces[0].text[t],
				    flowrec_text_names[FLOWREC_TEXTS - 1 - t]);
	assert_string_equal(got->interfaces[0].interface, "eth0");
	assert_string_equal(got->interfaces[1].interface, "eth1");
	assert_string_equal(got->interfaces[1].text[FLOWREC_T_ECS_TASK_ID], "0123");
	assert_string_equal(got->interfaces[1].text[FLOWREC_T_VPC_ID], "");
	assert_int_equal(got->links[0].offload, WIRE_OFFLOAD_KERNEL);
	assert_true(got->links[0].features_known);
	assert_int_equal(got->links[0].features, 0xff);
	assert_int_equal(got->links[0].mtu, 9001);
	assert_int_equal(got->links[0].allowances, WIRE_ALLOWANCES_COUNTED);
	assert_memory_equal(got->links[0].text_sources, hello.links[0].text_sources, FLOWREC_TEXTS);
	assert_string_equal(wire_source_text(got->links[0].text_sources[FLOWREC_T_VPC_ID]), "imds");
	assert_int_equal(got->links[1].text_sources[FLOWREC_T_VPC_ID], WIRE_SOURCE_UNKNOWN);
	assert_int_equal(got->links[1].allowances, WIRE_ALLOWANCES_UNKNOWN);
	assert_int_equal(got->links[1].offload, WIRE_OFFLOAD_AS_IS);
	assert_false(got->links[1].features_known);
	assert_int_equal(got->links[1].mtu, 0);
	/* Also the ones that were not announced. */
	assert_string_equal(got->interfaces[WIRE_INTERFACES_MAX - 1].sensor, hello.sensor);
	assert_int_equal(got->interfaces[0].n_rules, 3);
	assert_string_equal(got->interfaces[0].rules[1], "dns");
	wire_hello_free(got);
	wire_hello_free(NULL);
}

static void test_hello_smallest(void **state)
{
	struct wire_hello hello = some_hello(), *got = NULL;
	uint8_t bytes[HELLO_BYTES];
	size_t len;

	(void)state;
	hello.is_replay = hello.dates_wrong = false;
	hello.n_interfaces = hello.n_rules = 0;
	hello.rules = NULL;
	hello.boot_id = hello.build = NULL;
	hello.window_s = 60;
	len = encode_hello(bytes, sizeof(bytes), &hello);
	assert_int_equal(wire_hello_decode(&got, bytes, len, NULL), 0);
	assert_false(got->is_replay);
	assert_false(got->dates_wrong);
	assert_int_equal(got->n_interfaces, 0);
	assert_int_equal(got->n_rules, 0);
	assert_string_equal(got->boot_id, "");
	wire_hello_free(got);
}

static void test_hello_room(void **state)
{
	struct wire_hello hello = some_hello();
	uint8_t bytes[HELLO_BYTES];
	size_t len = encode_hello(bytes, sizeof(bytes), &hello);

	(void)state;
	memset(bytes, 0x5a, sizeof(bytes));
	assert_int_equal(wire_hello_encode(bytes, len - 1, &hello), ERR_FULL);
	assert_int_equal(bytes[0], 0x5a);
	assert_int_equal(wire_hello_encode(bytes, len, &hello), len);
	assert_int_equal(bytes[len], 0x5a);
	hello.n_interfaces = WIRE_INTERFACES_MAX + 1;
	assert_int_equal(wire_hello_encode(bytes, sizeof(bytes), &hello), ERR_FULL);
	hello.n_interfaces = 1;
	hello.n_rules = WIRE_RULES_MAX + 1;
	assert_int_equal(wire_hello_encode(bytes, sizeof(bytes), &hello), ERR_FULL);
}

/* The most that is allowed of everything. */
static void test_hello_largest(void **state)
{
	static char text[FLOWREC_ID_MAX + 1], text_256[257], id[WIRE_SENSOR_ID_MAX];
	static const char *rules[WIRE_RULES_MAX];
	static uint8_t bytes[WIRE_HELLO_MAX], text_of_policy[WIRE_POLICY_MAX],
		severities[WIRE_RULES_MAX];
	struct wire_hello hello = some_hello(), *got = NULL;
	struct err err = {""};
	size_t len;

	(void)state;
	hello.severities = severities;
	hello.aws_ranges = text;
	hello.policy_text = text_of_policy;
	hello.policy_text_len = sizeof text_of_policy;
	memset(text, 'x', FLOWREC_ID_MAX);
	memset(text_256, 'z', 256);
	memset(id, 'y', WIRE_SENSOR_ID_MAX - 1);
	for (size_t i = 0; i < WIRE_RULES_MAX; i++)
		rules[i] = text;
	hello.sensor = id;
	hello.boot_id = hello.build = text;
	hello.n_rules = WIRE_RULES_MAX;
	hello.rules = rules;
	hello.n_interfaces = WIRE_INTERFACES_MAX;
	for (size_t i = 0; i < WIRE_INTERFACES_MAX; i++) {
		flowrec_identity_init(&hello.interfaces[i]);
		hello.interfaces[i].interface = text;
		for (size_t t = 0; t < FLOWREC_IDENTITY_MAX / 256; t++)
			hello.interfaces[i].text[t] = text_256;
	}
	len = encode_hello(bytes, sizeof(bytes), &hello);
	assert_int_equal(wire_hello_decode(&got, bytes, len, &err), 0);
	assert_string_equal(got->rules[WIRE_RULES_MAX - 1], text);
	assert_string_equal(got->interfaces[WIRE_INTERFACES_MAX - 1].text[15], text_256);
	wire_hello_free(got);
}

enum fault {
	F_NONE,
	F_PROTOCOL,
	F_SENSOR,
	F_WINDOW,
	F_BOOT,
	F_BUILD,
	F_RULE,
	F_NAME,
	F_TEXT, /* the first, the last */
	F_LAST_TEXT,
	F_ALL_TEXTS,
	F_ALLOWANCES,
	F_POLICY,
	F_SEVERITY,
	F_RANGES,
	F_SOURCE,
};

static uint8_t policy[WIRE_POLICY_MAX + 1];

static void apply(struct wire_hello *hello, const char **rules, enum fault fault, uint32_t number,
		  const char *text)
{
	struct flowrec_identity *identity = &hello->interfaces[1];

	switch (fault) {
	case F_NONE: break;
	case F_PROTOCOL: hello->protocol = number; break;
	case F_SENSOR: hello->sensor = text; break;
	case F_WINDOW: hello->window_s = number; break;
	case F_BOOT: hello->boot_id = text; break;
	case F_BUILD: hello->build = text; break;
	case F_RULE: rules[1] = text; break;
	case F_NAME: identity->interface = text; break;
	case F_TEXT: identity->text[0] = text; break;
	case F_LAST_TEXT: identity->text[FLOWREC_TEXTS - 1] = text; break;
	case F_ALLOWANCES: hello->links[1].allowances = (uint8_t)number; break;
	case F_SOURCE: hello->links[1].text_sources[3] = (uint8_t)number; break;
	case F_POLICY:
		hello->policy_text = policy;
		hello->policy_text_len = number;
		break;
	case F_SEVERITY: hello->severities = (const uint8_t *)text; break;
	case F_RANGES: hello->aws_ranges = text; break;
	case F_ALL_TEXTS:
		for (size_t t = 0; t < number; t++)
			identity->text[t] = text;
		break;
	}
}

#define X16  "xxxxxxxxxxxxxxxx"
#define X64  X16 X16 X16 X16
#define X128 X64 X64 /* bytes */

static void test_hello_refused(void **state)
{
	static const struct {
		enum fault fault;
		uint32_t number;
		const char *text;
		const char *expected; /* NULL: accepted */
	} rows[] = {
		{F_NONE, 0, NULL, NULL},
		{F_PROTOCOL, 0, NULL, "version 0 of the protocol, ours is 1"},
		{F_PROTOCOL, 2, NULL, "version 2 of the protocol, ours is 1"},
		{F_SENSOR, 0, "", "sensor's id"},
		{F_SENSOR, 0, ".a", "sensor's id"},
		{F_SENSOR, 0, "a/b", "sensor's id"},
		{F_SENSOR, 0, X64, "sensor's id"},
		{F_WINDOW, 0, NULL, "window"},
		{F_WINDOW, 61, NULL, "window"},
		{F_WINDOW, 60, NULL, NULL},
		{F_ALLOWANCES, WIRE_ALLOWANCES_NONE, NULL, NULL},
		{F_ALLOWANCES, WIRE_ALLOWANCES_COUNTED + 1, NULL, "interface's driver"},
		{F_SOURCE, WIRE_SOURCE_METADATA, NULL, NULL},
		{F_SOURCE, WIRE_SOURCE_METADATA + 1, NULL, "who said the texts"},
		{F_POLICY, WIRE_POLICY_MAX, NULL, NULL},
		{F_POLICY, WIRE_POLICY_MAX + 1, NULL, "policy's text"},
		{F_SEVERITY, 0, "\5\0\1", NULL},
		{F_SEVERITY, 0, "\0\0\6", "rule's severity"},
		{F_RANGES, 0, "", NULL},
		{F_RANGES, 0, "a b", "AWS's ranges"},
		{F_BOOT, 0, "a\nb", "boot id"},
		{F_BOOT, 0, X128, "boot id"},
		{F_BUILD, 0, "0.1 \x1b[31m", "build"},
		{F_BUILD, 0, X128, "build"},
		{F_BUILD, 0, "0.1 dirty", NULL},
		{F_RULE, 0, "two words", "rule's name"},
		{F_RULE, 0,
		 "a\xc2\x9b"
		 "b",
		 "rule's name"},
		{F_RULE, 0, "a\tb", "rule's name"},
		{F_RULE, 0, X128, "rule's name"},
		{F_RULE, 0, "caf\xc3\xa9", NULL},
		{F_RULE, 0, "\xf0\x9f\x94\x92", NULL},
		{F_NAME, 0, "eth 0", "texts of an interface"},
		{F_TEXT, 0, "a b", "texts of an interface"},
		{F_LAST_TEXT, 0, "a b", "texts of an interface"},
		{F_LAST_TEXT, 0, "a\xff", "texts of an interface"},
		{F_TEXT, 0, X128 X128 X128 X128, "texts of an interface"}, /* 512 bytes */
		{F_TEXT, 0, X128 X128 X128 X64 X16 X16 X16 "xxxxxxxxxxxxxxx", NULL},
		{F_ALL_TEXTS, 15, X128 X128, NULL}, /* 3840 bytes, and "0123" */
		{F_ALL_TEXTS, 16, X128 X128, "texts of an interface"},
		{F_NAME, 0, X128, "texts of an interface"},
		{F_NAME, 0, X64 X16 X16 X16 "xxxxxxxxxxxxxxx", NULL},
		{F_NAME, 0, "\x7f", "texts of an interface"},
		{F_NAME, 0, "\xc2\x85", "texts of an interface"}, /* U+0085, a control */
		{F_NAME, 0, "\xc2\xa0", NULL},                    /* U+00A0, the least after them */
		{F_NAME, 0, "\x80", "texts of an interface"},     /* a continuation alone */
		{F_NAME, 0, "\xc3", "texts of an interface"},     /* cut */
		{F_NAME, 0, "\xe6\x99", "texts of an interface"}, /* cut */
		{F_NAME, 0, "\xe6\x99x", "texts of an interface"},        /* cut */
		{F_NAME, 0, "\xc1\xa1", "texts of an interface"},         /* 'a', too long */
		{F_NAME, 0, "\xe0\x83\xa9", "texts of an interface"},     /* U+00E9, too long */
		{F_NAME, 0, "\xf0\x82\x82\xac", "texts of an interface"}, /* U+20AC, too long */
		{F_NAME, 0, "\xed\xa0\x80", "texts of an interface"},     /* U+D800, a surrogate */
		{F_NAME, 0, "\xee\x80\x80", NULL},                        /* U+E000, after them */
		{F_NAME, 0, "\xf4\x8f\xbf\xbf", NULL},                    /* U+10FFFF, the last */
		{F_NAME, 0, "\xf4\x90\x80\x80", "texts of an interface"}, /* beyond */
		{F_NAME, 0, "\xf8\x88\x80\x80\x80", "texts of an interface"},
		{F_NAME, 0, "\xff", "texts of an interface"},
	};
	static uint8_t bytes[WIRE_HELLO_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *rules[] = {"a", "b", "c"};
		struct wire_hello hello = some_hello(), *got = NULL;
		struct err err = {""};
		size_t len;
		int rc;

		hello.rules = rules;
		apply(&hello, rules, rows[i].fault, rows[i].number, rows[i].text);
		len = encode_hello(bytes, sizeof(bytes), &hello);
		rc = wire_hello_decode(&got, bytes, len, &err);
		if (rows[i].expected
			    ? rc != ERR_FORMAT || got || !strstr(err.text, rows[i].expected)
			    : rc != 0)
			fail_msg("row %zu: \"%s\"", i, err.text);
		wire_hello_free(got);
	}
}

/* ---- hellos by hand, and damaged ones ---- */

/* The smallest hello: protocol 1, sensor "a", stream, two digests, window 60. */
#define AB8      "\xab\xab\xab\xab\xab\xab\xab\xab"
#define STREAM   "\x1a\x10" AB8 AB8
#define CONFIG   "\x32\x20" AB8 AB8 AB8 AB8
#define POLICY   "\x3a\x20" AB8 AB8 AB8 AB8
#define VPC_ID   "\x72\x06vpc-id"
#define SMALLEST "\x08\x01\x12\x01\x61" STREAM CONFIG POLICY "\x60\x3c"

static void test_hello_sizes(void **state)
{
	static const struct {
		const char *bytes;
		const char *expected; /* NULL: accepted */
	} rows[] = {
		{SMALLEST, NULL},
		{"\x08\x01\x12\x01\x61" CONFIG POLICY "\x60\x3c", "16 bytes"},
		{SMALLEST "\x1a\x0f" AB8 "\xab\xab\xab\xab\xab\xab\xab", "16 bytes"},
		{SMALLEST "\x1a\x11" AB8 AB8 "\xab", "16 bytes"},
		{"\x08\x01\x12\x01\x61" STREAM POLICY "\x60\x3c", "configuration or policy"},
		{"\x08\x01\x12\x01\x61" STREAM CONFIG "\x60\x3c", "configuration or policy"},
		{SMALLEST "\x5a\x20" AB8 AB8 AB8 AB8, NULL},
		{SMALLEST "\x5a\x10" AB8 AB8, "capture file"},
		/* a later version may say more */
		{SMALLEST "\xa0\x06\x01", NULL},
		/* texts: a name that we know, one that we do not, one twice, one of a flow, a text
		   without a name */
		{SMALLEST VPC_ID "\x42\x0a\x0a\x01"
				 "e\x12\x05vpc-1",
		 NULL},
		{SMALLEST "\x72\x06vpc-xx\x42\x0a\x0a\x01"
			  "e\x12\x05vpc-1",
		 NULL},
		{SMALLEST VPC_ID VPC_ID, "one twice"},
		{SMALLEST "\x72\x07srcaddr", "are none"},
		{SMALLEST VPC_ID "\x42\x06\x12\x01x\x12\x01x", "plain words"},
		{SMALLEST "\x60", "not a message"},
		{"\x12\x05\x61", "not a message"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wire_hello *got = NULL;
		struct err err = {""};
		int rc = wire_hello_decode(&got, (const uint8_t *)rows[i].bytes,
					   strlen(rows[i].bytes), &err);

		if (rows[i].expected
			    ? rc != ERR_FORMAT || got || !strstr(err.text, rows[i].expected)
			    : rc != 0)
			fail_msg("row %zu: \"%s\"", i, err.text);
		wire_hello_free(got);
	}
}

static int decode_repeated(const char *field, size_t n, struct err *err)
{
	static uint8_t bytes[WIRE_HELLO_MAX];
	struct wr w = wr_init(bytes, sizeof(bytes));
	struct wire_hello *got = NULL;
	int rc;

	wr_copy(&w, SMALLEST, strlen(SMALLEST));
	for (size_t i = 0; i < n; i++)
		wr_copy(&w, field, 2 + (size_t)field[1]);
	assert_false(w.bad);
	rc = wire_hello_decode(&got, bytes, wr_len(&w), err);
	wire_hello_free(got);
	return rc;
}

static void test_hello_counts(void **state)
{
	static uint8_t bytes[WIRE_HELLO_MAX + 1];
	struct wire_hello *got = NULL;
	struct err err = {""};

	(void)state;
	assert_int_equal(decode_repeated("\x42\x00", WIRE_INTERFACES_MAX, &err), 0);
	assert_int_equal(decode_repeated("\x42\x00", WIRE_INTERFACES_MAX + 1, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "too many interfaces"));
	assert_int_equal(decode_repeated("\x4a\x01"
					 "a",
					 WIRE_RULES_MAX, &err),
			 0);
	assert_int_equal(decode_repeated("\x4a\x01"
					 "a",
					 WIRE_RULES_MAX + 1, &err),
			 ERR_FORMAT);
	assert_non_null(strstr(err.text, "too many interfaces or rules"));
	assert_int_equal(decode_repeated("\x72\x01x", WIRE_TEXT_NAMES_MAX, &err), 0);
	assert_int_equal(decode_repeated("\x72\x01x", WIRE_TEXT_NAMES_MAX + 1, &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "too many"));
	/* Two bytes each, which want a whole structure. */
	assert_int_equal(decode_repeated("\x42\x00", 100000, &err), ERR_FORMAT);
	assert_int_equal(wire_hello_decode(&got, bytes, sizeof(bytes), &err), ERR_FORMAT);
	assert_non_null(strstr(err.text, "at most"));
}

static void test_hello_damage(void **state)
{
	struct wire_hello hello = some_hello(), *got = NULL;
	uint8_t bytes[HELLO_BYTES];
	size_t len = encode_hello(bytes, sizeof(bytes), &hello);
	uint32_t random = 1;

	(void)state;
	for (size_t n = 0; n < len; n++) {
		uint8_t *cut = malloc(n + 1);

		assert_non_null(cut);
		memcpy(cut, bytes, n);
		if (wire_hello_decode(&got, cut, n, NULL) == 0) {
			assert_true(wire_sensor_id_ok(got->sensor));
			wire_hello_free(got);
		}
		free(cut);
	}
	for (size_t i = 0; i < 20000; i++) {
		uint8_t was, *at;

		random = random * 1664525 + 1013904223;
		at = &bytes[(random >> 8) % len];
		was = *at;
		random = random * 1664525 + 1013904223;
		*at ^= (uint8_t)(1 + (random >> 8) % 255);
		if (wire_hello_decode(&got, bytes, len, NULL) == 0) {
			assert_true(wire_sensor_id_ok(got->sensor));
			assert_in_range(got->n_interfaces, 0, WIRE_INTERFACES_MAX);
			assert_in_range(got->n_rules, 0, WIRE_RULES_MAX);
			wire_hello_free(got);
		}
		*at = was;
	}
}

static void test_sensor_id(void **state)
{
	static const struct {
		const char *id;
		bool ok;
	} rows[] = {
		{"a", true},    {"A.b_c-9", true},
		{"-", false},   {"a..b", true},
		{"", false},    {".", false},
		{"..", false},  {".hidden", false},
		{"a b", false}, {"a/b", false},
		{"a\n", false}, {"caf\xc3\xa9", false},
		{X64, false},   {X16 X16 X16 "xxxxxxxxxxxxxxx", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (wire_sensor_id_ok(rows[i].id) != rows[i].ok)
			fail_msg("\"%s\"", rows[i].id);
	}
}

/* The rest of a former run's stream: all as it was, but for the clock and that it says so. */
static void test_resumed_hello(void **state)
{
	static const uint8_t certificate[] = {1, 2, 3};
	struct wire_hello hello = {.protocol = WIRE_PROTOCOL,
				   .sensor = "one",
				   .boot_id = "boot",
				   .n_interfaces = 1,
				   .clock_ns = 5,
				   .window_s = 60,
				   .certificate = certificate,
				   .certificate_len = 3};
	struct wire_hello *got;
	uint8_t first[2048], again[2048];
	struct err err = {""};
	ssize_t n, m;

	(void)state;
	flowrec_identity_init(&hello.interfaces[0]);
	hello.interfaces[0].interface = "eth0";
	n = wire_hello_encode(first, sizeof(first), &hello);
	assert_true(n > 0);
	assert_int_equal(wire_hello_decode(&got, first, (size_t)n, &err), 0);
	assert_false(got->resumed);
	wire_hello_free(got);
	m = wire_hello_resume(again, sizeof(again), first, (size_t)n, 1234567, true);
	assert_true(m > n);
	assert_int_equal(wire_hello_resume(again, (size_t)m - 1, first, (size_t)n, 1234567, true),
			 ERR_FULL);
	m = wire_hello_resume(again, (size_t)m, first, (size_t)n, 1234567, true);
	assert_int_equal(wire_hello_decode(&got, again, (size_t)m, &err), 0);
	assert_true(got->resumed);
	assert_true(got->dates_wrong);
	assert_int_equal(got->clock_ns, 1234567);
	assert_string_equal(got->sensor, "one");
	assert_int_equal(got->n_interfaces, 1);
	assert_int_equal(got->certificate_len, 3);
	assert_memory_equal(got->certificate, certificate, 3);
	wire_hello_free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),         cmocka_unit_test(test_hello_smallest),
		cmocka_unit_test(test_hello_room),    cmocka_unit_test(test_hello_largest),
		cmocka_unit_test(test_hello_refused), cmocka_unit_test(test_hello_sizes),
		cmocka_unit_test(test_hello_counts),  cmocka_unit_test(test_hello_damage),
		cmocka_unit_test(test_sensor_id),     cmocka_unit_test(test_resumed_hello),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
