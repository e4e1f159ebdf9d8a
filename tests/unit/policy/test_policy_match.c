// SPDX-License-Identifier: Apache-2.0
/*
 * Judging flows: a table of cases, the quarantine policy, names. Random ones: test_policy_slow.c.
 */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct cidr cidr(const char *text)
{
	struct cidr cidr;

	assert_int_equal(cidr_parse(text, &cidr, NULL), 0);
	return cidr;
}

static struct endpoint endpoint(const char *text)
{
	struct endpoint ep;

	assert_int_equal(endpoint_parse(text, &ep, NULL), 0);
	return ep;
}

/* The machine of all tests here. */
struct place {
	struct cidr local[2], subnets[2], resolvers[2];
	struct endpoint collectors[2], canary;
	struct policy_context context;
};

static void place_init(struct place *p)
{
	p->local[0] = cidr("10.0.0.5");
	p->local[1] = cidr("2001:db8::5");
	p->subnets[0] = cidr("10.0.0.0/28");
	p->subnets[1] = cidr("2001:db8::/124");
	p->resolvers[0] = cidr("10.0.0.2");
	p->resolvers[1] = cidr("2001:db8::2");
	p->collectors[0] = endpoint("10.0.0.9:4739");
	p->collectors[1] = endpoint("[2001:db8::9]:4740");
	p->canary = endpoint("10.0.0.9:4799");
	p->context = (struct policy_context){
		.local = p->local,
		.n_local = 2,
		.subnets = p->subnets,
		.n_subnets = 2,
		.collectors = p->collectors,
		.n_collectors = 2,
		.canary = &p->canary,
		.n_canary = 1,
		.resolvers = p->resolvers,
		.n_resolvers = 2,
	};
}

enum direction { OUT, IN, BOTH, NEITHER };
enum { NO_PORT = -1 };

struct row {
	enum direction direction;
	const char *remote;
	uint8_t protocol;
	int port;
	enum flowrec_verdict verdict;
	uint16_t rule;
};

static void check_rows(const struct policy *policy, const struct policy_context *context,
		       const struct row *rows, size_t n)
{
	for (const struct row *row = rows; row < rows + n; row++) {
		struct cidr remote = cidr(row->remote);
		struct policy_query query = {
			.remote = remote.addr,
			.family = remote.family,
			.protocol = row->protocol,
			.port = row->port == NO_PORT ? 0 : (uint16_t)row->port,
			.has_ports = row->port != NO_PORT,
			.initiator_local = row->direction == OUT || row->direction == BOTH,
			.responder_local = row->direction == IN || row->direction == BOTH,
		};
		struct policy_ruling ruling;

		policy_judge(policy, context, &query, &ruling);
		if (ruling.verdict != row->verdict || ruling.rule != row->rule)
			fail_msg("row %zu (%s): verdict %d, rule %u", (size_t)(row - rows),
				 row->remote, (int)ruling.verdict, ruling.rule);
		assert_false(ruling.name_may_help); /* there are no names in these rules */
	}
}

static void test_rows(void **state)
{
	static const char text[] = "watch out tcp 443 to 192.0.2.1\n"                     /* 1 */
				   "expect out tcp 80,443,8000-8100 to 192.0.2.0/24\n"    /* 2 */
				   "expect out udp to 2001:db8:1::/48, 198.51.100.0/25\n" /* 3 */
				   "expect in tcp 22 from 203.0.113.0/24\n"               /* 4 */
				   "watch in any from subnet\n"                           /* 5 */
				   "expect collector\n"                                   /* 6 */
				   "expect out tcp 5432 to local\n"                       /* 7 */
				   "watch out icmpv6 to link\n"                           /* 8 */
				   "watch out 2 to link\n"                                /* 9 */
				   "expect out sctp 0,65535 to 192.0.2.0/24\n"            /* 10 */
				   "watch out tcp+udp 53 to resolver\n";                  /* 11 */
	static const struct row rows[] = {
		/* the first that matches */
		{OUT, "192.0.2.1", 6, 443, FLOWREC_WATCHED, 1},
		{OUT, "192.0.2.2", 6, 443, FLOWREC_EXPECTED, 2},
		/* edges of ports */
		{OUT, "192.0.2.1", 6, 80, FLOWREC_EXPECTED, 2},
		{OUT, "192.0.2.1", 6, 79, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "192.0.2.1", 6, 81, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "192.0.2.1", 6, 7999, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "192.0.2.1", 6, 8000, FLOWREC_EXPECTED, 2},
		{OUT, "192.0.2.1", 6, 8100, FLOWREC_EXPECTED, 2},
		{OUT, "192.0.2.1", 6, 8101, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "192.0.2.1", 132, 0, FLOWREC_EXPECTED, 10},
		{OUT, "192.0.2.1", 132, 1, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "192.0.2.1", 132, 65534, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "192.0.2.1", 132, 65535, FLOWREC_EXPECTED, 10},
		/* protocol, address and family */
		{OUT, "192.0.2.1", 17, 443, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "192.0.3.0", 6, 443, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "192.0.1.255", 6, 443, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "::ffff:192.0.2.1", 6, 443, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "c000:201::", 6, 443, FLOWREC_UNEXPECTED_EGRESS,
		 0}, /* the bytes of 192.0.2.1 */
		{OUT, "2001:db8:1:ffff::", 17, 9, FLOWREC_EXPECTED, 3},
		{OUT, "2001:db8:2::", 17, 9, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "198.51.100.127", 17, 9, FLOWREC_EXPECTED, 3},
		{OUT, "198.51.100.128", 17, 9, FLOWREC_UNEXPECTED_EGRESS, 0},
		/* fragments: no ports, so they are not compared */
		{OUT, "192.0.2.1", 6, NO_PORT, FLOWREC_WATCHED, 1},
		{OUT, "192.0.2.2", 6, NO_PORT, FLOWREC_EXPECTED, 2},
		{OUT, "192.0.2.2", 17, NO_PORT, FLOWREC_UNEXPECTED_EGRESS, 0},
		/* who began it */
		{IN, "203.0.113.7", 6, 22, FLOWREC_EXPECTED, 4},
		{OUT, "203.0.113.7", 6, 22, FLOWREC_UNEXPECTED_EGRESS, 0},
		{IN, "192.0.2.1", 6, 443, FLOWREC_UNEXPECTED_INBOUND, 0},
		{NEITHER, "192.0.2.1", 6, 443, FLOWREC_VERDICT_NONE, 0},
		{NEITHER, "10.0.0.1", 6, 22, FLOWREC_VERDICT_NONE, 0},
		{IN, "10.0.0.15", 47, NO_PORT, FLOWREC_WATCHED, 5},
		{IN, "10.0.0.16", 47, NO_PORT, FLOWREC_UNEXPECTED_INBOUND, 0},
		{IN, "2001:db8::f", 255, NO_PORT, FLOWREC_WATCHED, 5},
		{IN, "2001:db8::10", 0, NO_PORT, FLOWREC_UNEXPECTED_INBOUND, 0},
		{BOTH, "10.0.0.5", 6, 5432, FLOWREC_EXPECTED, 7},
		{BOTH, "2001:db8::5", 6, 5432, FLOWREC_EXPECTED, 7},
		{BOTH, "10.0.0.5", 6, 5433, FLOWREC_UNEXPECTED_EGRESS, 0},
		{BOTH, "10.0.0.6", 6, 5432, FLOWREC_UNEXPECTED_EGRESS, 0},
		/* the collector is an address and a port */
		{OUT, "10.0.0.9", 6, 4739, FLOWREC_EXPECTED, 6},
		{OUT, "10.0.0.9", 6, 4740, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "10.0.0.9", 17, 4739, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "10.0.0.8", 6, 4739, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "a00:9::", 6, 4739, FLOWREC_UNEXPECTED_EGRESS, 0}, /* the bytes of 10.0.0.9 */
		{OUT, "2001:db8::9", 6, 4740, FLOWREC_EXPECTED, 6},
		{OUT, "2001:db8::9", 6, 4739, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "10.0.0.9", 6, NO_PORT, FLOWREC_EXPECTED, 6},
		{OUT, "10.0.0.8", 6, NO_PORT, FLOWREC_UNEXPECTED_EGRESS, 0},
		/* the link */
		{OUT, "ff02::1:ff00:1", 58, NO_PORT, FLOWREC_WATCHED, 8},
		{OUT, "ff05::2", 58, NO_PORT, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "fe80::1", 58, NO_PORT, FLOWREC_WATCHED, 8},
		{OUT, "febf:ffff::1", 58, NO_PORT, FLOWREC_WATCHED, 8},
		{OUT, "fec0::1", 58, NO_PORT, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "fe7f::1", 58, NO_PORT, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "224.0.0.22", 2, NO_PORT, FLOWREC_WATCHED, 9},
		{OUT, "224.0.0.255", 2, NO_PORT, FLOWREC_WATCHED, 9},
		{OUT, "224.0.1.0", 2, NO_PORT, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "255.255.255.255", 2, NO_PORT, FLOWREC_WATCHED, 9},
		{OUT, "255.255.255.254", 2, NO_PORT, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "169.254.169.254", 2, NO_PORT, FLOWREC_UNEXPECTED_EGRESS, 0},
		/* resolvers */
		{OUT, "10.0.0.2", 17, 53, FLOWREC_WATCHED, 11},
		{OUT, "2001:db8::2", 6, 53, FLOWREC_WATCHED, 11},
		{OUT, "10.0.0.2", 17, 54, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "10.0.0.3", 17, 53, FLOWREC_UNEXPECTED_EGRESS, 0},
	};
	struct policy *policy;
	struct place p;

	(void)state;
	place_init(&p);
	assert_int_equal(policy_parse(&policy, "x", text, strlen(text), NULL), 0);
	check_rows(policy, &p.context, rows, sizeof rows / sizeof rows[0]);
	policy_free(policy);
}

static void test_nothing_known(void **state)
{
	static const char text[] = "expect out any to subnet, local, collector, resolver\nexpect "
				   "in any from subnet, local";
	static const struct row rows[] = {
		{OUT, "10.0.0.5", 6, 1, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "::", 6, 0, FLOWREC_UNEXPECTED_EGRESS, 0},
		{IN, "10.0.0.5", 6, 1, FLOWREC_UNEXPECTED_INBOUND, 0},
	};
	const struct policy_context nothing = {.local = NULL};
	struct policy *policy;

	(void)state;
	assert_int_equal(policy_parse(&policy, "x", text, strlen(text), NULL), 0);
	check_rows(policy, &nothing, rows, sizeof rows / sizeof rows[0]);
	policy_free(policy);
	assert_int_equal(policy_parse(&policy, "x", "", 0, NULL), 0);
	check_rows(policy, &nothing, rows, sizeof rows / sizeof rows[0]);
	policy_free(policy);
}

static void test_quarantine(void **state)
{
	static const struct row rows[] = {
		{OUT, "10.0.0.9", 6, 4739, FLOWREC_EXPECTED, 1},
		{OUT, "10.0.0.9", 17, 4799, FLOWREC_EXPECTED, 2},
		{OUT, "10.0.0.9", 17, 4739, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "255.255.255.255", 17, 67, FLOWREC_EXPECTED, 3},
		{OUT, "10.0.0.1", 17, 67, FLOWREC_EXPECTED, 3},
		{OUT, "10.0.1.1", 17, 67, FLOWREC_UNEXPECTED_EGRESS, 0},
		{IN, "10.0.0.1", 17, 68, FLOWREC_EXPECTED, 4},
		{OUT, "ff02::1:2", 17, 547, FLOWREC_EXPECTED, 5},
		{IN, "fe80::1", 17, 546, FLOWREC_EXPECTED, 6},
		{OUT, "169.254.169.123", 17, 123, FLOWREC_EXPECTED, 7},
		{OUT, "fd00:ec2::123", 17, 123, FLOWREC_EXPECTED, 7},
		{OUT, "192.0.2.123", 17, 123, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "ff02::16", 58, NO_PORT, FLOWREC_WATCHED, 8},
		{OUT, "fe80::1", 58, NO_PORT, FLOWREC_WATCHED, 8},
		{OUT, "2001:4860:4860::8888", 58, NO_PORT, FLOWREC_UNEXPECTED_EGRESS, 0},
		{IN, "fe80::1", 58, NO_PORT, FLOWREC_WATCHED, 9},
		{OUT, "224.0.0.22", 2, NO_PORT, FLOWREC_WATCHED, 10},
		{OUT, "10.0.0.2", 17, 53, FLOWREC_WATCHED, 11},
		{OUT, "169.254.169.253", 6, 53, FLOWREC_WATCHED, 11},
		{OUT, "fd00:ec2::253", 17, 53, FLOWREC_WATCHED, 11},
		{OUT, "8.8.8.8", 17, 53, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "169.254.169.254", 6, 80, FLOWREC_WATCHED, 12},
		{OUT, "fd00:ec2::254", 6, 80, FLOWREC_WATCHED, 12},
		{OUT, "169.254.169.254", 6, 443, FLOWREC_UNEXPECTED_EGRESS, 0},
		{OUT, "192.0.2.1", 1, NO_PORT, FLOWREC_UNEXPECTED_EGRESS, 0},
		{BOTH, "10.0.0.5", 6, 80, FLOWREC_UNEXPECTED_EGRESS, 0},
		{IN, "10.0.0.1", 6, 22, FLOWREC_UNEXPECTED_INBOUND, 0},
	};
	struct policy *policy;
	struct place p;

	(void)state;
	place_init(&p);
	assert_int_equal(policy_quarantine(&policy, NULL), 0);
	check_rows(policy, &p.context, rows, sizeof rows / sizeof rows[0]);
	policy_free(policy);
}

static void test_names(void **state)
{
	static const char text[] =
		"expect out tcp 443 to 192.0.2.1, name *.example.com\n"           /* 1 */
		"watch out tcp 443 to name Audit.Example.NET., name other.test\n" /* 2 */
		"expect in tcp 22 from name admin.example.org\n"                  /* 3 */
		"expect out udp to 198.51.100.0/24\n";                            /* 4 */
	static const struct {
		enum direction direction;
		const char *remote;
		uint8_t protocol;
		uint16_t port;
		const char *names[3];
		enum flowrec_verdict verdict;
		uint16_t rule;
		bool may_help;
	} rows[] = {
		{OUT, "203.0.113.1", 6, 443, {NULL}, FLOWREC_UNEXPECTED_EGRESS, 0, true},
		{OUT, "203.0.113.1", 6, 443, {"example.com"}, FLOWREC_EXPECTED, 1, false},
		{OUT, "203.0.113.1", 6, 443, {"X.Example.com."}, FLOWREC_EXPECTED, 1, false},
		{OUT,
		 "203.0.113.1",
		 6,
		 443,
		 {"badexample.com"},
		 FLOWREC_UNEXPECTED_EGRESS,
		 0,
		 true},
		{OUT,
		 "203.0.113.1",
		 6,
		 443,
		 {"b.test", "audit.example.net"},
		 FLOWREC_WATCHED,
		 2,
		 false},
		{OUT,
		 "203.0.113.1",
		 6,
		 443,
		 {"other.test", "a.example.com"},
		 FLOWREC_EXPECTED,
		 1,
		 false},
		{OUT, "203.0.113.1", 6, 443, {"x.other.test"}, FLOWREC_UNEXPECTED_EGRESS, 0, true},
		{OUT, "192.0.2.1", 6, 443, {NULL}, FLOWREC_EXPECTED, 1, false},
		/* No name makes up for a wrong port, protocol or direction. */
		{OUT, "203.0.113.1", 6, 80, {"example.com"}, FLOWREC_UNEXPECTED_EGRESS, 0, false},
		{OUT, "203.0.113.1", 17, 443, {"example.com"}, FLOWREC_UNEXPECTED_EGRESS, 0, false},
		{IN, "203.0.113.1", 6, 443, {"example.com"}, FLOWREC_UNEXPECTED_INBOUND, 0, false},
		{IN, "203.0.113.1", 6, 22, {"example.com"}, FLOWREC_UNEXPECTED_INBOUND, 0, true},
		{IN, "203.0.113.1", 6, 22, {"admin.example.org"}, FLOWREC_EXPECTED, 3, false},
		/* Neither end is this machine: not judged, whatever the name. */
		{NEITHER, "203.0.113.1", 6, 443, {"example.com"}, FLOWREC_VERDICT_NONE, 0, false},
		{OUT, "198.51.100.7", 17, 9, {NULL}, FLOWREC_EXPECTED, 4, false},
	};
	const struct policy_context nothing = {.local = NULL};
	struct policy *policy;

	(void)state;
	assert_int_equal(policy_parse(&policy, "x", text, strlen(text), NULL), 0);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct cidr remote = cidr(rows[i].remote);
		struct policy_query query = {
			.remote = remote.addr,
			.family = remote.family,
			.protocol = rows[i].protocol,
			.port = rows[i].port,
			.has_ports = true,
			.initiator_local = rows[i].direction == OUT,
			.responder_local = rows[i].direction == IN,
			.names = rows[i].names,
		};
		struct policy_ruling ruling;

		while (query.n_names < 3 && rows[i].names[query.n_names])
			query.n_names++;
		policy_judge(policy, &nothing, &query, &ruling);
		if (ruling.verdict != rows[i].verdict || ruling.rule != rows[i].rule ||
		    ruling.name_may_help != rows[i].may_help)
			fail_msg("row %zu: verdict %d, rule %u, may help %d", i,
				 (int)ruling.verdict, ruling.rule, ruling.name_may_help);
	}
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_nothing_known),
		cmocka_unit_test(test_quarantine),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
