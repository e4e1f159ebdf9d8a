// SPDX-License-Identifier: Apache-2.0
/*
 * The policy language: what is a rule, what each bad line is answered, the limits, the warnings,
 * and the files of configs/ (the tests run in the source root).
 */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "platform/file.h"

static int parse(struct policy **ret, const char *text, struct err *err)
{
	return policy_parse(ret, "etc/site.policy", text, strlen(text), err);
}

static void test_good_lines(void **state)
{
	static const char *const rows[] = {
		"expect collector",
		"expect collector as \"c\"# comment",
		"  \texpect\tout  tcp 443 to 192.0.2.1",
		"expect out tcp 443 to 192.0.2.1 # comment",
		"expect out tcp+udp 53 to resolver",
		"expect out 6+17+132 1 to 192.0.2.1",
		"watch out any to any",
		"watch out icmp to any, any",
		"watch in icmpv6 from link",
		"watch out 255 to link",
		"watch in 0 from subnet",
		"expect out tcp 80,443,8000-8100 to 10.0.0.0/8,2001:db8::/32 , local,subnet",
		"expect out tcp 80 , 443 to collector",
		"expect out udp to canary",
		"expect out sctp any to 192.0.2.1",
		"expect in tcp 0-65535 from any",
		"expect out tcp 443 to name *.example.com, 192.0.2.1,name example.net as \"web\"",
		"expect in udp from 192.0.2.0/24 as \"\xe5\x90\x8d\xe5\x89\x8d\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct policy *policy;
		struct err err;

		if (parse(&policy, rows[i], &err) != 0)
			fail_msg("%s", err.text);
		assert_int_equal(policy_rules(policy), 1);
		policy_free(policy);
	}
}

static void test_bad_lines(void **state)
{
	static const struct {
		const char *line, *error;
	} rows[] = {
		{"allow out tcp to any", "a rule begins with expect or watch, not 'allow'"},
		{"Expect out tcp to any", "not 'Expect'"},
		{"\"expect\" out tcp to any", "a rule begins with expect or watch"},
		{"expect",
		 "after 'expect' comes out or in, or collector alone, not the end of the line"},
		{"expect both tcp to any", "not 'both'"},
		{"watch collector", "after 'watch' comes out or in, not 'collector'"},
		{"expect collector out", "the rule is complete before 'out'"},
		{"expect out", "a protocol is missing before the end of the line"},
		{"expect out to any", "a protocol is missing before 'to'; write any"},
		{"expect out , to any", "a protocol is missing before ','"},
		{"expect out ftp to any", "'ftp' is not a protocol"},
		{"expect out 256 to any", "'256' is not a protocol"},
		{"expect out -1 to any", "'-1' is not a protocol"},
		{"expect out tcp+ to any", "'' is not a protocol"},
		{"expect out tcp+any to any", "'any' is not a protocol"},
		{"expect out tcp 443", "'to' is missing before the end of the line"},
		{"expect out tcp 443 any", "'to' is missing before 'any'"},
		{"expect out tcp 443 192.0.2.1", "'to' is missing before '192.0.2.1'"},
		{"expect out tcp 443, to any", "'to' is not a port"},
		{"expect out tcp http to any", "'http' is not a port"},
		{"expect out tcp 65536 to any", "'65536' is not a port"},
		{"expect out tcp 000443 to any", "'000443' is not a port"},
		{"expect out tcp 1-65536 to any", "'1-65536' is not a port"},
		{"expect out tcp -5 to any", "'-5' is not a port"},
		{"expect out tcp 5- to any", "'5-' is not a port"},
		{"expect out tcp 1-2-3 to any", "'1-2-3' is not a port"},
		{"expect out tcp 100-99 to any", "runs backwards; write 99-100"},
		{"expect out tcp any,5 to any", "'to' is missing before ','"},
		{"expect out icmp 8 to any", "ports go with tcp, udp and sctp only; remove '8'"},
		{"expect out tcp+icmp 80 to any", "ports go with tcp, udp and sctp only"},
		{"expect out any 80 to any", "ports go with tcp, udp and sctp only"},
		{"expect out 47 80 to any", "ports go with tcp, udp and sctp only"},
		{"expect out tcp from any", "'from' goes with 'in'; write to here"},
		{"expect in tcp to any", "'to' goes with 'out'; write from here"},
		{"expect in tcp from collector", "the collector never calls this machine"},
		{"expect in udp from canary", "the collector never calls this machine"},
		{"expect out tcp to", "a place is missing before the end of the line"},
		{"expect out tcp to any,", "a place is missing before the end of the line"},
		{"expect out tcp to ,any", "a place is missing before ','"},
		{"expect out tcp to as \"x\"", "a place is missing before 'as'"},
		{"expect out tcp to \"any\"", "a place is missing before 'any'"},
		{"expect out tcp to internet", "unknown place 'internet'; allowed are"},
		{"expect out tcp to example.com", "'example.com' is not an address; write name"},
		{"expect out tcp to name",
		 "after 'name' comes a domain name or *.NAME, not the end"},
		{"expect out tcp to name as \"x\"", "after 'name' comes a domain name"},
		{"expect out tcp to name , any", "after 'name' comes a domain name"},
		{"expect out tcp to name 10.0.0.1", "'10.0.0.1': an address"},
		{"expect out tcp to name *", "'*': a pattern needs a name; write any"},
		{"expect out tcp to *.example.com",
		 "'*.example.com' is not an address; write name"},
		{"expect out tcp to 10.0.0.1/8", "10.0.0.1/8: did you mean 10.0.0.0/8?"},
		{"expect out tcp to 10.0.0.0/33", "0 to 32"},
		{"expect out tcp to "
		 "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee",
		 "too long"},
		{"expect out tcp to any any", "the rule is complete before 'any'"},
		{"expect out tcp to any expect collector", "the rule is complete before 'expect'"},
		{"expect out tcp to any as",
		 "after 'as' comes a name in double quotes, not the end of the line"},
		{"expect out tcp to any as web", "not 'web'"},
		{"expect out tcp to any as \"web", "the closing quote is missing"},
		{"expect out tcp to any as \"", "the closing quote is missing"},
		{"expect out tcp to any as \"\"", "a rule's name has 1 to 63 bytes"},
		{"expect out tcp to any as \"a\" as \"b\"", "the rule is complete before 'as'"},
		{"expect out tcp to any as \"a\xc2\x85z\"", "one word of UTF-8"},
		{"expect out tcp to any as \"two words\"", "one word of UTF-8"},
		{"expect out tcp to any as \"\xff\"", "one word of UTF-8"},
		{"expect out tcp to any as \"\xc0\xaf\"", "one word of UTF-8"},
		{"expect out tcp to any as \"\xed\xa0\x80\"", "one word of UTF-8"},
		{"expect out tcp to any as \"\xe5\x90\"", "one word of UTF-8"},
		{"expect out tcp to any as \"\xf4\x90\x80\x80\"", "one word of UTF-8"},
		{"expect out tcp to any as \"a\x1b\"", "control character (byte 0x1b)"},
		{"# \x07", "control character (byte 0x07)"},
		{"expect out tcp to any\rx", "control character (byte 0x0d)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct policy *policy = NULL;
		char text[256], expected[256];
		struct err err;

		(void)snprintf(text, sizeof text, "# first\r\n\nexpect collector\n%s\nalso bad",
			       rows[i].line);
		assert_int_equal(parse(&policy, text, &err), ERR_USAGE);
		assert_null(policy);
		(void)snprintf(expected, sizeof expected, "etc/site.policy:4: ");
		if (strncmp(err.text, expected, strlen(expected)) != 0 ||
		    !strstr(err.text, rows[i].error))
			fail_msg("%s: '%s' does not say '%s'", rows[i].line, err.text,
				 rows[i].error);
	}
}

static void test_no_text(void **state)
{
	static const char *const rows[] = {"", "\n", "\r\n", "#", "# \n\n \t\n"};
	struct policy *policy;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(parse(&policy, rows[i], &err), 0);
		assert_int_equal(policy_rules(policy), 0);
		assert_null(policy_rule_name(policy, 0));
		assert_null(policy_rule_name(policy, 1));
		assert_null(policy_warning(policy, 0));
		policy_free(policy);
	}
	assert_int_equal(policy_parse(&policy, "x", "expect collector\0", 17, &err), ERR_USAGE);
	assert_string_equal(err.text, "x:1: the line contains a control character (byte 0x00)");
	policy_free(NULL);
}

static void test_names(void **state)
{
	struct policy *policy;
	struct err err;

	(void)state;
	assert_int_equal(
		parse(&policy, "\nexpect collector\nwatch out tcp to any as \"the#rest\"\n", &err),
		0);
	assert_int_equal(policy_rules(policy), 2);
	assert_null(policy_rule_name(policy, 0));
	assert_string_equal(policy_rule_name(policy, 1), "site.policy:2");
	assert_string_equal(policy_rule_name(policy, 2), "the#rest");
	assert_null(policy_rule_name(policy, 3));
	policy_free(policy);
	assert_int_equal(policy_parse(&policy, "\xff.policy", "expect collector", 16, &err), 0);
	assert_string_equal(policy_rule_name(policy, 1), "policy:1");
	policy_free(policy);
}

/* `head`, then `n` times `item` (the first without its first byte, a comma), then `tail`. */
static char *repeated(const char *head, const char *item, size_t n, const char *tail)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	(void)fputs(head, out);
	for (size_t i = 0; i < n; i++)
		(void)fputs(i == 0 && item[0] == ',' ? item + 1 : item, out);
	(void)fputs(tail, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void test_limits(void **state)
{
	static const struct {
		const char *head, *item, *tail;
		size_t most;
		const char *error;
	} rows[] = {
		{"", "watch in tcp from link\n", "", POLICY_RULES_MAX,
		 ":1025: more than 1024 rules"},
		{"watch in tcp from ", ",192.0.2.1", "", POLICY_LIST_MAX,
		 ":1: more than 64 places"},
		{"watch in tcp ", ",5", " from any", POLICY_LIST_MAX, ":1: more than 64 ports"},
		{"\n#", "x", "", POLICY_LINE_MAX - 1, ":2: the line is longer than 4096 bytes"},
		{"\n#", "x", "\r\n", POLICY_LINE_MAX - 1, ":2: the line is longer than 4096 bytes"},
		{"watch in tcp from any as \"", "x", "\"", POLICY_NAME_TEXT - 1,
		 ":1: a rule's name has 1 to 63"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *text = repeated(rows[i].head, rows[i].item, rows[i].most, rows[i].tail);
		struct policy *policy;
		struct err err;

		if (parse(&policy, text, &err) != 0)
			fail_msg("%s", err.text);
		policy_free(policy);
		free(text);
		text = repeated(rows[i].head, rows[i].item, rows[i].most + 1, rows[i].tail);
		assert_int_equal(parse(&policy, text, &err), ERR_USAGE);
		if (!strstr(err.text, rows[i].error))
			fail_msg("'%s' does not say '%s'", err.text, rows[i].error);
		free(text);
	}
}

static void test_warnings(void **state)
{
	static const struct {
		const char *text, *warning; /* NULL: none */
	} rows[] = {
		{"expect out tcp to any", ":1: 'expect out' to any hides"},
		{"expect out tcp to 192.0.2.1, 0.0.0.0/7", ":1: 'expect out' to 0.0.0.0/7 hides"},
		{"expect out tcp to 2000::/31", ":1: 'expect out' to 2000::/31 hides"},
		{"expect out tcp to 10.0.0.0/8, 2001:db8::/32, subnet, local, link, resolver, "
		 "collector",
		 NULL},
		{"watch out tcp to any", NULL},
		{"expect out tcp to name *.com", ":1: 'expect out' to *.com hides"},
		{"expect out tcp to name *.example.com\nwatch in tcp from name *.com", NULL},
		{"watch out tcp to name *.example.com\nexpect out tcp to name a.example.com",
		 ":2: this rule never matches"},
		{"watch out tcp to name a.example.com\nexpect out tcp to name *.example.com", NULL},
		{"watch out tcp to name a.example.com\nexpect out tcp to 192.0.2.1", NULL},
		{"expect in tcp from any", NULL},
		{"watch out tcp to any\nexpect out tcp 443 to 192.0.2.1",
		 ":2: this rule never matches: line 1"},
		{"watch out any to any\n\nexpect collector", ":3: this rule never matches: line 1"},
		{"watch out tcp+udp to 10.0.0.0/8, link\nwatch out udp 5 to 10.1.0.0/16,10.2.3.4, "
		 "link",
		 ":2: this rule never matches"},
		{"watch out tcp 1-10,11-20 to any\nwatch out tcp 5-15 to any",
		 ":2: this rule never matches"},
		{"watch out tcp 30,1-10 to any\nwatch out tcp 5,30 to any",
		 ":2: this rule never matches"},
		{"watch out tcp 1-65535 to any\nwatch out tcp to any", NULL}, /* port 0 is left */
		{"watch out tcp 1-10,12-20 to any\nwatch out tcp 5-15 to any", NULL},
		{"watch out tcp 1-10 to any\nwatch out tcp 5,11 to any", NULL},
		{"watch out tcp 5 to any\nwatch out tcp 4 to any", NULL},
		{"watch out tcp to any\nwatch in tcp from any", NULL},
		{"watch out tcp to any\nwatch out tcp+udp to any", NULL},
		{"watch out tcp to 10.0.0.0/8\nwatch out tcp to any", NULL},
		{"watch out tcp to 10.0.0.0/8\nwatch out tcp to 10.0.0.1, 11.0.0.1", NULL},
		{"watch out tcp to 10.0.0.0/9\nwatch out tcp to 10.0.0.0/8", NULL},
		{"watch out tcp to 0.0.0.0/0\nwatch out tcp to ::/0", NULL},
		{"watch out tcp to 0.0.0.0/0\nwatch out tcp to subnet", NULL},
		{"watch out tcp to local\nwatch out tcp to subnet", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct policy *policy;
		const char *warning;
		struct err err;

		if (parse(&policy, rows[i].text, &err) != 0)
			fail_msg("%s", err.text);
		warning = policy_warning(policy, 0);
		if (!rows[i].warning != !warning || (warning && !strstr(warning, rows[i].warning)))
			fail_msg("%s: warns '%s'", rows[i].text, warning ? warning : "");
		if (warning)
			assert_int_equal(strncmp(warning, "etc/site.policy:", 16), 0);
		assert_null(policy_warning(policy, 1));
		policy_free(policy);
	}
}

static void test_shipped_files(void **state)
{
	struct policy *policy;
	struct err err;
	char *text;
	size_t len;

	(void)state;
	assert_int_equal(file_read_all("configs/quarantine.policy", 1 << 20, &text, &len, &err), 0);
	assert_string_equal(policy_quarantine_text(), text);
	free(text);
	assert_int_equal(policy_quarantine(&policy, &err), 0);
	assert_string_equal(policy_rule_name(policy, 1), "collector");
	assert_null(policy_warning(policy, 0));
	for (uint16_t i = 1; i <= policy_rules(policy); i++)
		assert_null(
			strchr(policy_rule_name(policy, i), ':')); /* each has a name of its own */
	policy_free(policy);

	assert_int_equal(policy_read(&policy, "configs/example.policy", &err), 0);
	assert_null(policy_warning(policy, 0));
	policy_free(policy);
	assert_int_equal(policy_read(&policy, "configs/none.policy", &err), ERR_USAGE);
	assert_string_equal(err.text, "cannot read configs/none.policy: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_lines),    cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_no_text),       cmocka_unit_test(test_names),
		cmocka_unit_test(test_limits),        cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_shipped_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
