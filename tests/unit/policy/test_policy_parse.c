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
		"watch out icmp 8, 3/4,10-12 to any",
		"breach out tcp 25 to any severity critical as \"spam\"",
		"breach in udp from 192.0.2.1",
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
		{"allow out tcp to any", "a line begins with expect, watch, breach, boundary, list "
					 "or aws-ranges, not 'allow'"},
		{"Expect out tcp to any", "not 'Expect'"},
		{"\"expect\" out tcp to any", "a line begins with expect, watch"},
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
		{"expect out tcp 100-99 to any", "the range '100-99' runs backwards; write 99-100"},
		{"expect out tcp any,5 to any", "'to' is missing before ','"},
		{"expect out tcp+icmp 80 to any",
		 "ports go with tcp, udp and sctp only, types with icmp and icmpv6; remove '80'"},
		{"expect out any 80 to any", "ports go with tcp, udp and sctp only"},
		{"expect out 47 80 to any", "ports go with tcp, udp and sctp only"},
		{"expect out icmp 256 to any", "'256' is not an ICMP type"},
		{"expect out icmp 3/256 to any", "'3/256' is not an ICMP type"},
		{"expect out icmp 3/ to any", "'3/' is not an ICMP type"},
		{"expect out icmp 3/1-2 to any", "'3/1-2' is not an ICMP type"},
		{"expect out icmp 9-8 to any", "the range '9-8' runs backwards; write 8-9"},
		{"breach", "after 'breach' comes out or in, not the end of the line"},
		{"breach collector", "after 'breach' comes out or in, not 'collector'"},
		{"breach out tcp to any severity", "the end of the line is not a severity"},
		{"breach out tcp to any severity 5",
		 "'5' is not a severity; allowed are info, low"},
		{"breach out tcp to any as \"x\" severity low", "complete before 'severity'"},
		{"expect out tcp to any severity low", "severity goes with breach"},
		{"expect out tcp to list", "the list's name is missing before the end of the line"},
		{"expect out tcp to list a/b", "the list's name is missing before 'a/b'"},
		{"expect out tcp to list office",
		 "there is no list 'office' above; write list office PREFIX"},
		{"expect out tcp to aws S3", "write aws-ranges \"ip-ranges.json\" in a line above"},
		{"expect out tcp to aws", "the service is missing before the end of the line"},
		{"list", "the list's name is missing before the end"},
		{"list x", "the end of the line is not an address or prefix"},
		{"list x any", "'any' is not an address or prefix"},
		{"list x 10.0.0.0/8,", "the end of the line is not an address"},
		{"list x 10.0.0.0/8 10.0.0.0/8", "the line is complete before '10.0.0.0/8'"},
		{"list x file", "a path in double quotes is missing before the end"},
		{"list x file \"/etc/passwd\"",
		 "a policy that is no file itself may not name files"},
		{"aws-ranges \"/etc/passwd\"",
		 "a policy that is no file itself may not name files"},
		{"aws-ranges ip-ranges.json",
		 "a path in double quotes is missing before 'ip-ranges.json'"},
		{"boundary", "after 'boundary' comes group or acl, not the end"},
		{"boundary sg", "after 'boundary' comes group or acl, not 'sg'"},
		{"boundary group both",
		 "after 'boundary group' comes out or in, or nothing, not 'both'"},
		{"boundary group in tcp 22 from name a.example", "a boundary knows no 'name'"},
		{"boundary group in tcp 22 from collector", "a boundary knows no 'collector'"},
		{"boundary acl in tcp from any", "'tcp' is not the number of an ACL's rule"},
		{"boundary acl in 0 allow tcp from any", "'0' is not the number of an ACL's rule"},
		{"boundary acl in 32767 allow tcp from any", "'32767' is not the number"},
		{"boundary acl in 5 permit tcp from any",
		 "after the number comes allow or deny, not 'permit'"},
		{"boundary acl in 5 allow from any", "a protocol is missing before 'from'"},
		{"boundary group in tcp from any severity low", "severity goes with breach"},
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
		/* by several together */
		{"watch out tcp 1-10 to any\nwatch out tcp 11-20 to 10.0.0.0/8\nwatch out tcp 5-15 "
		 "to "
		 "10.1.0.0/16",
		 ":3: this rule never matches: the lines above"},
		{"watch out tcp to any\nwatch out udp to any\nwatch out tcp+udp 53 to link",
		 ":3: this rule never matches: the lines above"},
		{"watch out any to 10.0.0.0/8\nwatch out any to link\nwatch out any to link, "
		 "10.2.0.0/16",
		 ":3: this rule never matches: the lines above"},
		{"watch out tcp to any\nwatch out udp to any\nwatch out tcp+udp+icmp to link",
		 NULL},
		{"watch out tcp 1-10 to any\nwatch out tcp 12-20 to 10.0.0.0/8\nwatch out tcp 5-15 "
		 "to "
		 "10.1.0.0/16",
		 NULL},
		{"watch out icmp 8 to any\nwatch out icmp 8/0 to link",
		 ":2: this rule never matches"},
		{"watch out icmp 8/0 to any\nwatch out icmp 8 to link", NULL},
		{"breach out tcp 25 to any\nexpect out tcp 25 to 10.0.0.1",
		 ":2: this rule never matches"},
		/* sets */
		{"list x 0.0.0.0/7\nexpect out tcp to list x",
		 ":2: 'expect out' to 0.0.0.0/7 (x) hides"},
		{"list x 10.0.0.0/8\nexpect out tcp to list x", NULL},
		{"list x 10.0.0.0/8\nwatch out tcp to list x\nwatch out tcp to 10.9.0.0/16",
		 ":3: this rule never matches: line 2"},
		{"list x 10.0.0.0/8, 192.0.2.0/24\nwatch out tcp to 10.0.0.0/8\nwatch out tcp to "
		 "list x",
		 NULL},
		{"list x 10.0.0.0/9, 10.128.0.0/9\nwatch out tcp to 10.0.0.0/8\nwatch out tcp to "
		 "list x",
		 ":3: this rule never matches: line 2"},
		{"list x 10.0.0.0/8\nlist y 10.0.0.0/8\nwatch out tcp to list x\nwatch out tcp to "
		 "list y",
		 NULL},
		/* boundaries: a group's rules are a union, an ACL's a list of their own */
		{"boundary group in tcp from any\nboundary group in tcp 22 from any", NULL},
		{"boundary acl in 1 deny tcp from any\nboundary acl in 2 allow tcp 22 from any",
		 ":2: this rule never matches: line 1"},
		{"boundary acl in 1 deny tcp from any\nboundary acl out 2 allow tcp 22 to any",
		 NULL},
		{"watch in tcp from any\nboundary acl in 2 allow tcp 22 from any", NULL},
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

static void test_severities(void **state)
{
	static const char text[] = "breach out tcp to any\nbreach in tcp from any\n"
				   "breach out udp to any severity info\nwatch out sctp to any\n";
	struct policy *policy;

	(void)state;
	assert_int_equal(parse(&policy, text, NULL), 0);
	assert_int_equal(policy_rule_severity(policy, 0), POLICY_SEVERITY_NONE);
	assert_int_equal(policy_rule_severity(policy, 1), POLICY_SEVERITY_HIGH);
	assert_int_equal(policy_rule_severity(policy, 2), POLICY_SEVERITY_MEDIUM);
	assert_int_equal(policy_rule_severity(policy, 3), POLICY_SEVERITY_INFO);
	assert_int_equal(policy_rule_severity(policy, 4), POLICY_SEVERITY_NONE);
	assert_int_equal(policy_rule_severity(policy, 5), POLICY_SEVERITY_NONE);
	policy_free(policy);
}

/* The rules of a boundary that stand for the rest have an id and a name. */
static void test_boundary_rest(void **state)
{
	struct policy *policy;
	struct err err;

	(void)state;
	assert_int_equal(parse(&policy,
			       "boundary group in tcp from any as \"a\"\nboundary acl as \"b\"\n",
			       &err),
			 0);
	assert_int_equal(policy_rules(policy), 3);
	assert_string_equal(policy_rule_name(policy, 1), "a");
	assert_string_equal(policy_rule_name(policy, 2), "b");
	assert_string_equal(policy_rule_name(policy, 3), "group-default");
	assert_true(policy_has_boundary(policy));
	policy_free(policy);
	assert_int_equal(parse(&policy, "boundary acl\nboundary acl\n", &err), ERR_USAGE);
	assert_non_null(strstr(err.text, ":2: line 1 says already"));
	assert_int_equal(
		parse(&policy,
		      "boundary acl in 5 deny tcp from any\nboundary acl out 4 deny tcp to any\n"
		      "boundary acl in 5 allow tcp from any\n",
		      &err),
		ERR_USAGE);
	assert_non_null(strstr(err.text, ":3: rule 5 stands behind rule 5"));
	assert_int_equal(parse(&policy, "expect collector", &err), 0);
	assert_false(policy_has_boundary(policy));
	policy_free(policy);
}

static void put(const char *folder, const char *name, const char *text)
{
	char path[300];
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	(void)fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static const char ranges[] =
	"{\"syncToken\": \"1\", \"createDate\": \"2026-08-22-21-17-05\", \"prefixes\": [\n"
	"{\"ip_prefix\": \"192.0.2.0/24\", \"region\": \"us-east-1\", \"service\": \"S3\", \"x\": "
	"null},\n"
	"{\"ip_prefix\": \"198.51.100.0/25\", \"region\": \"eu-west-1\", \"service\": \"S3\"},\n"
	"{\"ip_prefix\": \"203.0.113.0/24\", \"region\": \"us-east-1\", \"service\": \"EC2\"}],\n"
	"\"ipv6_prefixes\": [\n"
	"{\"ipv6_prefix\": \"2001:db8::/32\", \"region\": \"us-east-1\", \"service\": \"S3\"}]}\n";

/* What a policy names is found beside it, belongs to its digest, and is reported by its own name and line. */
static void test_files(void **state)
{
	static const struct {
		const char *policy, *list, *ranges, *error; /* error NULL: it is read */
	} rows[] = {
		{"list x file \"list\", 10.0.0.0/8\nwatch out tcp to list x",
		 "192.0.2.1 # one\r\n\n# none\n2001:db8::/32", ranges, NULL},
		{"list x file \"list\"\nwatch out tcp to list x", "192.0.2.1\n192.0.2.1/24", ranges,
		 "/list:2: 192.0.2.1/24: did you mean 192.0.2.0/24?"},
		{"list x file \"list\"", "192.0.2.1 192.0.2.2", ranges,
		 "/list:1: '192.0.2.2' follows the prefix"},
		{"list x file \"list\"", "a\x01", ranges,
		 "/list:1: the line contains a control character"},
		{"\nlist x file \"none\"", "", ranges, "/site.policy:2: cannot read "},
		{"aws-ranges \"ranges\"\nwatch out tcp to aws S3 us-east-1, aws EC2", "", ranges,
		 NULL},
		{"aws-ranges \"ranges\"\naws-ranges \"ranges\"", "", ranges,
		 "/site.policy:2: aws-ranges stands twice"},
		{"aws-ranges \"ranges\"\nwatch out tcp to aws S4", "", ranges,
		 "/site.policy:2: there is no service S4 in the ranges of 2026-08-22-21-17-05"},
		{"aws-ranges \"ranges\"", "", "{\n",
		 "/ranges:2: not JSON: a member's name is missing"},
		{"aws-ranges \"ranges\"", "", "{}", "/ranges:1: the whole: createDate is missing"},
		{"aws-ranges \"ranges\"", "", "{\"createDate\": \"x\"}",
		 "/ranges:1: the whole: prefixes or ipv6_prefixes is missing"},
		{"aws-ranges \"ranges\"\nwatch out tcp to aws S3", "",
		 "{\"createDate\": \"x\", \"prefixes\": [{\"ip_prefix\": \"1\", \"region\": \"r\", "
		 "\"service\": \"S3\"}]}",
		 "/ranges:1: prefixes[0]: not a prefix"},
	};
	char folder[] = "/tmp/flowproof-policy-XXXXXX", path[300];

	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof path, "%s/site.policy", folder);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct policy *policy;
		struct err err = {""};
		int rc;

		put(folder, "site.policy", rows[i].policy);
		put(folder, "list", rows[i].list);
		put(folder, "ranges", rows[i].ranges);
		rc = policy_read(&policy, path, &err);
		if (rc != (rows[i].error ? ERR_USAGE : 0) ||
		    (rows[i].error && (strncmp(err.text, folder, strlen(folder)) != 0 ||
				       !strstr(err.text, rows[i].error))))
			fail_msg("row %zu: %d, '%s'", i, rc, err.text);
		if (rc == 0)
			policy_free(policy);
	}
	for (const char *const *name = (const char *const[]){"list", "ranges", "site.policy", NULL};
	     *name; name++) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, *name);
		assert_int_equal(remove(path), 0);
	}
	assert_int_equal(remove(folder), 0);
}

static void digest_of(const char *folder, const char *text, const char *list,
		      uint8_t out[static 32], size_t *ret_rules)
{
	char path[300];
	struct policy *policy;

	(void)snprintf(path, sizeof path, "%s/site.policy", folder);
	put(folder, "site.policy", text);
	put(folder, "list", list);
	assert_int_equal(policy_read(&policy, path, NULL), 0);
	memcpy(out, policy_digest(policy), 32);
	*ret_rules = policy_rules(policy);
	policy_free(policy);
	assert_int_equal(remove(path), 0);
	(void)snprintf(path, sizeof path, "%s/list", folder);
	assert_int_equal(remove(path), 0);
}

/* Of the text alone as sha256sum(1) gives it; with files, another one when a byte of them changes. */
static void test_digest(void **state)
{
	char folder[] = "/tmp/flowproof-policy-XXXXXX";
	uint8_t a[32], b[32], c[32];
	size_t rules;
	/* printf 'expect collector\n' | sha256sum */
	static const uint8_t expected[] = {0xa2, 0x6a, 0x0e, 0xbb, 0x80, 0xa2, 0x75, 0x06,
					   0x7d, 0x9a, 0x1c, 0xab, 0xfc, 0x7c, 0xf4, 0x55,
					   0xcf, 0x4b, 0x1c, 0x2c, 0x3d, 0x12, 0x4d, 0x19,
					   0xcf, 0xc1, 0xca, 0xf3, 0xc5, 0x00, 0xc2, 0x90};

	(void)state;
	assert_non_null(mkdtemp(folder));
	digest_of(folder, "expect collector\n", "", a, &rules);
	assert_memory_equal(a, expected, 32);
	digest_of(folder, "list x file \"list\"\n", "192.0.2.1", a, &rules);
	assert_int_equal(rules, 0);
	digest_of(folder, "list x file \"list\"\n", "192.0.2.2", b, &rules);
	digest_of(folder, "list x file \"list\"\n", "192.0.2.1", c, &rules);
	assert_memory_equal(a, c, 32);
	assert_memory_not_equal(a, b, 32);
	assert_int_equal(remove(folder), 0);
}

static void test_shipped_files(void **state)
{
	static const char *const ready[] = {"configs/policy/example.policy",
					    "configs/policy/ec2-baseline.policy",
					    "configs/policy/appliance.policy"};
	struct policy *policy;
	struct err err;
	char *text;
	size_t len;

	(void)state;
	assert_int_equal(
		file_read_all("configs/policy/quarantine.policy", 1 << 20, &text, &len, &err), 0);
	assert_string_equal(policy_quarantine_text(), text);
	free(text);
	assert_int_equal(policy_quarantine(&policy, &err), 0);
	assert_string_equal(policy_rule_name(policy, 1), "collector");
	assert_null(policy_warning(policy, 0));
	for (uint16_t i = 1; i <= policy_rules(policy); i++)
		assert_null(
			strchr(policy_rule_name(policy, i), ':')); /* each has a name of its own */
	policy_free(policy);

	for (size_t i = 0; i < sizeof ready / sizeof ready[0]; i++) {
		if (policy_read(&policy, ready[i], &err) != 0)
			fail_msg("%s", err.text);
		assert_null(policy_warning(policy, 0));
		policy_free(policy);
	}
	assert_int_equal(policy_read(&policy, "configs/policy/none.policy", &err), ERR_USAGE);
	assert_string_equal(err.text,
			    "cannot read configs/policy/none.policy: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_lines),    cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_no_text),       cmocka_unit_test(test_names),
		cmocka_unit_test(test_limits),        cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_severities),    cmocka_unit_test(test_boundary_rest),
		cmocka_unit_test(test_files),         cmocka_unit_test(test_digest),
		cmocka_unit_test(test_shipped_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
