// SPDX-License-Identifier: Apache-2.0
/*
 * What the detectors make of DNS messages, names and metadata requests: tunnels by their counts, role credentials by
 * their paths, resolvers and listed names by what they are called.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "evidence/limits.h"
#include "platform/clock.h"
#include "tests/unit/evidence/made.h"

enum { A = 1, CNAME = 5, TYPE_NULL = 10, TXT = 16 };

static const struct findings_from from = {.sensor = "i-1", .stream = stream, .sequence = 3};

static struct batch_writer *writer;

static int open_writer(void **state)
{
	(void)state;
	return batch_writer_new(&writer);
}

static int close_writer(void **state)
{
	(void)state;
	batch_writer_free(writer);
	return 0;
}

static void flush(struct findings *f)
{
	static uint8_t bytes[BATCH_WRITE_BYTES];
	const struct batch_head head = {.sequence = 3};
	struct batch *batch;
	struct err err;
	size_t len = batch_finish(writer, &head, bytes);

	assert_int_equal(batch_open(&batch, bytes, len, &err), 0);
	assert_int_equal(findings_add_batch(f, &from, batch), 0);
	batch_free(batch);
}

static void message_at(struct findings *f, const char *name, uint16_t qtype, bool response,
		       uint64_t sec)
{
	const struct batch_dns dns = {.time_ns = sec * NS_PER_S,
				      .client = addr_of("10.0.0.5"),
				      .server = addr_of("10.0.0.2"),
				      .name = name,
				      .client_port = 50000,
				      .server_port = 53,
				      .qtype = qtype,
				      .qclass = 1,
				      .size = 60,
				      .family = 4,
				      .is_response = response,
				      .is_matched = response};

	if (batch_add_dns(writer, &dns))
		return;
	flush(f);
	assert_true(batch_add_dns(writer, &dns));
}

static void message(struct findings *f, const char *name, uint16_t qtype, bool response)
{
	message_at(f, name, qtype, response, 1000);
}

/* `n` names below `parent`, of `len` letters out of `alphabet`. */
static void ask(struct findings *f, unsigned n, unsigned len, const char *alphabet,
		const char *parent, uint16_t qtype)
{
	uint64_t random = 42;
	char name[256];

	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = 0; k < len; k++) {
			random = random * 6364136223846793005U + 1442695040888963407U;
			name[k] = alphabet[(random >> 33) % strlen(alphabet)];
		}
		(void)snprintf(name + len, sizeof name - len, ".%s", parent);
		message(f, name, qtype, false);
	}
	flush(f);
}

static const char hex[] = "0123456789abcdef", base32[] = "abcdefghijklmnopqrstuvwxyz234567";

static void test_tunnels(void **state)
{
	static const struct {
		unsigned n, len;
		const char *alphabet;
		uint16_t qtype;
		int severity; /* -1: none */
	} rows[] = {
		/* The names of hex are so many that 30 x 10 letters are 300; bits may fall together, so more are asked. */
		{2 * TUNNEL_LETTERS / 16, 16, hex, A, FINDING_HIGH},
		{2 * TUNNEL_LETTERS / 16, 16, base32, A, FINDING_HIGH},
		{TUNNEL_NAMES - 1, 40, hex, A, -1},
		{TUNNEL_NAMES, TUNNEL_LETTERS / TUNNEL_NAMES - 1, hex, A, -1},
		{1, TUNNEL_LABEL, hex, A, FINDING_MEDIUM},
		{1, TUNNEL_LABEL - 1, hex, A, -1},
		{TUNNEL_NULLS, 3, "abc", TYPE_NULL, FINDING_HIGH},
		{TUNNEL_NULLS - 1, 3, "abc", TYPE_NULL, -1},
		{2 * TUNNEL_TYPED, 4, base32, TXT, FINDING_HIGH},
		{2 * TUNNEL_TYPED, 4, base32, CNAME, FINDING_HIGH},
		{2 * TUNNEL_TYPED, 4, base32, A, -1},
		{TUNNEL_TYPED - 1, 4, base32, TXT, -1},
		{2 * TUNNEL_MANY, 6, "etaoinshrdlu", A, FINDING_HIGH},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct findings *f = fresh(NULL);
		const struct finding *one;

		ask(f, rows[i].n, rows[i].len, rows[i].alphabet, "evil.example", rows[i].qtype);
		one = of_kind(f, FINDING_DNS_TUNNEL);
		assert_int_equal(one ? one->severity : -1, rows[i].severity);
		if (one) {
			assert_string_equal(one->name, "evil.example");
			assert_int_equal(one->key.port, 53);
			assert_int_equal(one->traffic.packets_out, rows[i].n);
			assert_int_equal(one->traffic.bytes_out, 60 * rows[i].n);
			assert_int_equal(one->first, 1000);
			assert_int_equal(one->reached, FINDING_ATTEMPTED);
		}
		findings_free(f);
	}
}

static void test_no_tunnels(void **state)
{
	struct findings *f = fresh(NULL);

	(void)state;
	ask(f, 300, 20, hex, "compute.internal", A); /* names of the inside */
	ask(f, 300, 20, hex, "cloudfront.net", A);   /* of AWS, asked of the VPC's resolver */
	for (unsigned i = 0; i < 300; i++) {
		char name[64];

		(void)snprintf(name, sizeof name, "%u.%u.0.10.in-addr.arpa", i % 256, i / 256);
		message(f, name, 12, false);
	}
	for (unsigned i = 0; i < 2000; i++) /* one name, again and again */
		message(f, "ssm.eu-west-1.amazonaws.com", A, i % 2);
	for (unsigned i = 0; i < 300; i++) { /* many domains, a name each */
		char name[64];

		(void)snprintf(name, sizeof name, "www.site%u.example", i);
		message(f, name, A, false);
	}
	flush(f);
	assert_null(of_kind(f, FINDING_DNS_TUNNEL));
	findings_free(f);
}

/* A million parents change nothing but counters, and what comes then is still seen. */
static void test_flood_of_domains(void **state)
{
	struct findings *f = fresh(NULL); /* room for 6,250 domains */
	struct findings_stats stats;
	const struct finding *one;
	char name[64];

	(void)state;
	for (unsigned i = 0; i < 30000; i++) {
		(void)snprintf(name, sizeof name, "w.d%u.example", i);
		message(f, name, A, false);
	}
	flush(f);
	findings_stats(f, &stats);
	assert_int_equal(stats.state_left_out, 30000 - 100000 / 16);
	ask(f, 8, 20, hex, "late.example", TYPE_NULL);
	one = of_kind(f, FINDING_DNS_TUNNEL);
	assert_non_null(one);
	assert_string_equal(one->name, "(other domains)");
	findings_free(f);
}

/* The same question every minute: orders that come in TXT, or a host that looks an address up again. */
static void test_regular_questions(void **state)
{
	static const struct {
		uint16_t qtype;
		uint8_t severity;
	} rows[] = {{TXT, FINDING_MEDIUM}, {A, FINDING_INFO}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct findings *f = fresh(NULL);
		const struct finding *one;

		for (unsigned k = 0; k < BEACON_TIGHT + 1; k++) {
			if (k == BEACON_TIGHT) {
				flush(f);
				assert_null(of_kind(f, FINDING_BEACON));
			}
			message_at(f, "c2.example", rows[i].qtype, false, 1000 + 60 * k);
			message_at(f, "c2.example", rows[i].qtype, true, 1000 + 60 * k);
		}
		flush(f);
		one = of_kind(f, FINDING_BEACON);
		assert_int_equal(one->severity, rows[i].severity);
		assert_int_equal(one->values[0], 600); /* tenths of a second */
		assert_int_equal(one->count, BEACON_TIGHT + 1);
		assert_string_equal(one->name, "c2.example");
		findings_free(f);
	}
}

static void test_answered(void **state)
{
	struct findings *f = fresh(NULL);

	(void)state;
	ask(f, TUNNEL_NULLS, 8, hex, "evil.example", TYPE_NULL);
	message(f, "x.evil.example", TYPE_NULL, true);
	flush(f);
	assert_int_equal(of_kind(f, FINDING_DNS_TUNNEL)->reached, FINDING_DATA_OUT);
	assert_int_equal(of_kind(f, FINDING_DNS_TUNNEL)->traffic.packets_in, 1);
	findings_free(f);
}

/* Protocol 6 only if all of it was. */
static void test_tunnel_over_tcp(void **state)
{
	(void)state;
	for (unsigned udp = 0; udp < 2; udp++) {
		struct findings *f = fresh(NULL);

		for (unsigned i = 0; i < 8; i++) {
			const struct batch_dns dns = {.time_ns = (uint64_t)1000 * NS_PER_S,
						      .client = addr_of("10.0.0.5"),
						      .server = addr_of("10.0.0.2"),
						      .name = "x.evil.example",
						      .server_port = 53,
						      .qtype = TYPE_NULL,
						      .qclass = 1,
						      .size = 60,
						      .family = 4,
						      .over_tcp = i > 0 || !udp};

			assert_true(batch_add_dns(writer, &dns));
		}
		flush(f);
		assert_int_equal(of_kind(f, FINDING_DNS_TUNNEL)->key.protocol, udp ? 17 : TCP);
		findings_free(f);
	}
}

static void request_of(struct findings *f, const char *path, bool token, bool is_own)
{
	const struct batch_http http = {.time_ns = (uint64_t)500 * NS_PER_S,
					.client = addr_of("10.0.0.5"),
					.server = addr_of("169.254.169.254"),
					.method = "GET",
					.path = path,
					.client_port = 50000,
					.server_port = 80,
					.family = 4,
					.has_token = token,
					.is_own = is_own};

	assert_true(batch_add_http(writer, &http));
	flush(f);
}

static void request(struct findings *f, const char *path, bool token)
{
	request_of(f, path, token, false);
}

static void test_metadata(void **state)
{
	static const struct {
		const char *path, *role; /* NULL: no credentials */
	} rows[] = {
		{"/latest/meta-data/iam/security-credentials/web-role", "web-role"},
		{"/2021-07-15/meta-data/iam/security-credentials/web-role", "web-role"},
		{"/latest//meta-data///iam/security-credentials/web-role", "web-role"},
		{"/latest/meta-data/iam/security%2Dcredentials/web-role?x", "web-role"},
		{"/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance",
		 "ec2-instance"},
		{"/latest/meta-data/iam/security-credentials/", NULL}, /* the list of roles */
		{"/latest/meta-data/iam/info", NULL},
		{"/latest/meta-data/instance-id", NULL},
		{"/", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (unsigned token = 0; token < 2; token++) {
			struct findings *f = fresh(NULL);
			const struct finding *one;

			request(f, rows[i].path, token);
			one = of_kind(f, FINDING_METADATA_CREDENTIALS);
			assert_int_equal(one != NULL, rows[i].role != NULL);
			if (one) {
				assert_string_equal(one->name, rows[i].role);
				assert_int_equal(one->severity,
						 token ? FINDING_MEDIUM : FINDING_HIGH);
				assert_int_equal(one->values[token], 1);
				assert_int_equal(one->values[!token], 0);
				assert_int_equal(one->first, 500);
			}
			findings_free(f);
		}
	}
}

static struct flowrec call_to(const char *remote, uint16_t port)
{
	return (struct flowrec){.src = addr_of("10.0.0.5"),
				.dst = addr_of(remote),
				.packets = 5,
				.bytes = 1000,
				.start = 1000,
				.end = 1001,
				.srcport = 50000,
				.dstport = port,
				.family = 4,
				.protocol = TCP,
				.tcp_flags = 2,
				.direction = FLOWREC_EGRESS,
				.initiator = FLOWREC_INITIATOR_SRC,
				.verdict = FLOWREC_WATCHED,
				.outcome = FLOWREC_DATA_OUT};
}

/* Without a request that was read: that it was spoken to is information. */
static void test_metadata_unread(void **state)
{
	struct findings *f = fresh(NULL);
	struct flowrec rec = call_to("169.254.169.254", 80);

	(void)state;
	assert_int_equal(findings_add_record(f, &from, &rec), 0);
	assert_int_equal(of_kind(f, FINDING_METADATA_CREDENTIALS)->severity, FINDING_INFO);
	findings_free(f);

	f = fresh(NULL);
	assert_int_equal(findings_add_record(f, &from, &rec), 0);
	request(f, "/latest/meta-data/instance-id", true);
	assert_null(of_kind(f, FINDING_METADATA_CREDENTIALS));
	findings_free(f);
}

/* The sensor's own requests: they are no finding, and hide nobody's that were not read. */
static void test_metadata_own(void **state)
{
	struct findings *f = fresh(NULL);
	struct flowrec rec = call_to("169.254.169.254", 80);

	(void)state;
	rec.verdict = FLOWREC_EXPECTED; /* by no rule */
	assert_int_equal(findings_add_record(f, &from, &rec), 0);
	request_of(f, "/latest/meta-data/instance-id", true, true);
	assert_null(of_kind(f, FINDING_METADATA_CREDENTIALS));
	rec.verdict = FLOWREC_WATCHED;
	rec.srcport++;
	assert_int_equal(findings_add_record(f, &from, &rec), 0);
	assert_int_equal(of_kind(f, FINDING_METADATA_CREDENTIALS)->severity, FINDING_INFO);
	findings_free(f);
}

/* Expected by the policy: a token makes it information. */
static void test_metadata_expected(void **state)
{
	struct flowrec rec = call_to("169.254.169.254", 80);

	(void)state;
	rec.verdict = FLOWREC_EXPECTED;
	for (unsigned token = 0; token < 2; token++) {
		struct findings *f = fresh(NULL);

		assert_int_equal(findings_add_record(f, &from, &rec), 0);
		request(f, "/latest/meta-data/iam/security-credentials/web-role", token);
		assert_int_equal(of_kind(f, FINDING_METADATA_CREDENTIALS)->severity,
				 token ? FINDING_INFO : FINDING_MEDIUM);
		findings_free(f);
	}
}

static void name_of(struct findings *f, const char *remote, const char *text, uint8_t source)
{
	const struct batch_name name = {.first_ns = (uint64_t)900 * NS_PER_S,
					.remote = addr_of(remote),
					.name = text,
					.alpn = "",
					.port = source == BATCH_NAME_DNS ? 0 : 443,
					.family = 4,
					.protocol = source == BATCH_NAME_DNS ? 0 : TCP,
					.source = source};

	assert_true(batch_add_name(writer, &name));
	flush(f);
}

static void test_doh_by_name(void **state)
{
	static const struct {
		const char *name;
		bool found;
	} rows[] = {
		{"dns.google", true},
		{"mozilla.cloudflare-dns.com", true},
		{"notdns.google", false},
		{"www.example.com", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (unsigned late = 0; late < 2; late++) { /* the name after the record, too */
			struct findings *f = fresh(NULL);
			struct flowrec rec = call_to("203.0.113.9", 443);

			if (late) {
				assert_int_equal(findings_add_record(f, &from, &rec), 0);
				assert_null(of_kind(f, FINDING_DOH));
			}
			name_of(f, "203.0.113.9", rows[i].name,
				i % 2 ? BATCH_NAME_DNS : BATCH_NAME_SNI);
			if (!late)
				assert_int_equal(findings_add_record(f, &from, &rec), 0);
			assert_int_equal(of_kind(f, FINDING_DOH) != NULL, rows[i].found);
			findings_free(f);
		}
	}
}

static void test_names_are_told(void **state)
{
	struct findings *f = fresh(NULL);
	struct flowrec rec = call_to("203.0.113.9", 25);
	struct finding_origin origin;

	(void)state;
	assert_int_equal(findings_add_record(f, &from, &rec), 0);
	name_of(f, "203.0.113.9", "mx.example.com", BATCH_NAME_DNS);
	name_of(f, "203.0.113.9", "mx.example.com", BATCH_NAME_SNI);
	name_of(f, "203.0.113.9", "other.example.com", BATCH_NAME_SNI);
	findings_origin(f, of_kind(f, FINDING_SPAM), &origin);
	assert_int_equal(origin.n_names, 2);
	assert_string_equal(origin.names[0], "mx.example.com");
	assert_string_equal(origin.names[1], "other.example.com");
	findings_free(f);
}

static void test_watched_names(void **state)
{
	char path[] = "/tmp/flowproof-watch-XXXXXX";
	const struct finding *one;
	struct watch_list *list;
	struct findings *f;
	struct err err;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "evil.example\n", 13), 13);
	assert_int_equal(close(fd), 0);
	assert_int_equal(watch_new(&list), 0);
	assert_int_equal(watch_add_file(list, path, &err), 0);
	unlink(path);

	f = fresh(list);
	message(f, "c2.evil.example", A, false);
	message(f, "www.example", A, false);
	message(f, "evil.example", A, false);
	flush(f);
	one = of_kind(f, FINDING_WATCH_LIST);
	assert_string_equal(one->name, "evil.example");
	assert_int_equal(one->count, 2);
	assert_int_equal(one->traffic.packets_out, 2);
	assert_int_equal(one->reached, FINDING_ATTEMPTED);
	message(f, "evil.example", A, true);
	flush(f);
	assert_int_equal(of_kind(f, FINDING_WATCH_LIST)->reached, FINDING_ANSWERED);
	findings_free(f);

	f = fresh(list);
	name_of(f, "203.0.113.9", "a.evil.example", BATCH_NAME_SNI);
	one = of_kind(f, FINDING_WATCH_LIST);
	assert_int_equal(one->key.port, 443);
	assert_int_equal(one->severity, FINDING_HIGH);
	findings_free(f);
	watch_free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tunnels),           cmocka_unit_test(test_no_tunnels),
		cmocka_unit_test(test_flood_of_domains),  cmocka_unit_test(test_answered),
		cmocka_unit_test(test_regular_questions), cmocka_unit_test(test_tunnel_over_tcp),
		cmocka_unit_test(test_metadata),          cmocka_unit_test(test_metadata_unread),
		cmocka_unit_test(test_metadata_own),      cmocka_unit_test(test_metadata_expected),
		cmocka_unit_test(test_doh_by_name),       cmocka_unit_test(test_names_are_told),
		cmocka_unit_test(test_watched_names),
	};

	return cmocka_run_group_tests(tests, open_writer, close_writer);
}
