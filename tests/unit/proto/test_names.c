// SPDX-License-Identifier: Apache-2.0
/*
 * Names in a batch: what is written is what is read; one DNS message byte by byte as the protobuf encoding
 * (protobuf.dev, "Encoding") has it; the longest entries; what a reader must refuse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "platform/bytes.h"
#include "proto/batch.h"

static const struct batch_dns_answer two_answers[] = {
	{.type = 5, .class = 1, .ttl = 300, .size = 6, .text = "b.example"},
	{.type = 1,
	 .class = 1,
	 .ttl = 60,
	 .size = 4,
	 .family = 4,
	 .addr.b = {192, 0, 2, 7},
	 .text = ""},
};

static struct batch_dns some_dns(void)
{
	return (struct batch_dns){
		.time_ns = 1700000000123456789,
		.waited_ns = 4000000,
		.client.b = {10, 0, 0, 5},
		.server.b = {10, 0, 0, 2},
		.name = "a.example",
		.answers = two_answers,
		.n_answers = 2,
		.answers_said = 3,
		.client_port = 40000,
		.server_port = 53,
		.id = 0x1234,
		.qtype = 1,
		.qclass = 1,
		.rcode = 3,
		.size = 75,
		.iface = 1,
		.family = 4,
		.kind = BATCH_DNS,
		.is_response = true,
		.is_matched = true,
	};
}

static struct batch *written(struct batch_writer *writer)
{
	static uint8_t bytes[BATCH_BYTES_MAX];
	const struct batch_head head = {.sequence = 1};
	size_t len = batch_finish(writer, &head, bytes);
	struct batch *batch;
	struct err err;

	if (batch_open(&batch, bytes, len, &err))
		fail_msg("%s", err.text);
	return batch;
}

static void assert_same_dns(const struct batch_dns *a, const struct batch_dns *b)
{
	assert_true(a->time_ns == b->time_ns && a->waited_ns == b->waited_ns);
	assert_memory_equal(&a->client, &b->client, sizeof a->client);
	assert_memory_equal(&a->server, &b->server, sizeof a->server);
	assert_string_equal(a->name, b->name);
	assert_int_equal(a->answers_said, b->answers_said);
	assert_int_equal(a->client_port, b->client_port);
	assert_int_equal(a->server_port, b->server_port);
	assert_int_equal(a->id, b->id);
	assert_int_equal(a->qtype, b->qtype);
	assert_int_equal(a->qclass, b->qclass);
	assert_int_equal(a->rcode, b->rcode);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->iface, b->iface);
	assert_int_equal(a->family, b->family);
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->over_tcp, b->over_tcp);
	assert_int_equal(a->is_response, b->is_response);
	assert_int_equal(a->is_matched, b->is_matched);
	assert_int_equal(a->is_cut, b->is_cut);
	assert_int_equal(a->is_short, b->is_short);
	assert_int_equal(a->name_is_cut, b->name_is_cut);
	assert_int_equal(a->n_answers, b->n_answers);
	for (size_t i = 0; i < a->n_answers; i++) {
		const struct batch_dns_answer *x = &a->answers[i], *y = &b->answers[i];

		assert_int_equal(x->type, y->type);
		assert_int_equal(x->class, y->class);
		assert_int_equal(x->ttl, y->ttl);
		assert_int_equal(x->size, y->size);
		assert_int_equal(x->family, y->family);
		assert_int_equal(x->is_cut, y->is_cut);
		assert_memory_equal(&x->addr, &y->addr, sizeof x->addr);
		assert_string_equal(x->text, y->text);
	}
}

/* Each kind of entry twice, the second before the first in time, between records and with every flag in turn. */
static void test_read_back(void **state)
{
	struct batch_writer *w = *state;
	struct batch_dns dns[2] = {some_dns(), some_dns()};
	const struct batch_name names[2] = {
		{.first_ns = 2000,
		 .remote.b = {192, 0, 2, 7},
		 .name = "a.example",
		 .alpn = "",
		 .family = 4,
		 .source = BATCH_NAME_DNS,
		 .iface = 2},
		{.first_ns = 1000,
		 .remote.b = {0x20, 1, 0xd, 0xb8, [15] = 1},
		 .name = "www.example",
		 .alpn = "h2,http/1.1",
		 .family = 6,
		 .source = BATCH_NAME_SNI,
		 .port = 443,
		 .protocol = 6,
		 .is_cut = true},
	};
	const struct batch_http http[2] = {
		{.time_ns = 9,
		 .client.b = {10, 0, 0, 5},
		 .server.b = {169, 254, 169, 254},
		 .method = "GET",
		 .path = "/latest/meta-data/",
		 .client_port = 5,
		 .server_port = 80,
		 .family = 4,
		 .has_token = true},
		{.time_ns = 8,
		 .client.b = {0xfd},
		 .server.b = {0xfd, 0, 0xe, 0xc2, [14] = 2, 0x54},
		 .method = "PUT",
		 .path = "/latest/api/token",
		 .client_port = 6,
		 .server_port = 80,
		 .family = 6,
		 .asks_token = true,
		 .is_own = true,
		 .is_cut = true,
		 .iface = 15},
	};
	uint64_t counts[BATCH_NAMES_COUNTS];
	const uint64_t *got_counts;
	const struct batch_name *got_names;
	const struct batch_http *got_http;
	struct batch *batch;
	size_t n;

	for (size_t i = 0; i < BATCH_NAMES_COUNTS; i++)
		counts[i] = i % 2 ? UINT64_MAX : i;
	dns[1].time_ns -= 5;
	dns[1].family = 6;
	dns[1].client.b[15] = dns[1].server.b[15] = 9;
	dns[1].kind = BATCH_DNS_LLMNR;
	dns[1].is_response = dns[1].is_matched = false;
	dns[1].over_tcp = dns[1].is_cut = dns[1].is_short = dns[1].name_is_cut = true;
	dns[1].n_answers = 0;
	dns[1].rcode = UINT16_MAX;
	dns[1].qclass = 0x8001;
	assert_true(batch_is_empty(w));
	for (size_t i = 0; i < 2; i++) {
		assert_true(batch_add_dns(w, &dns[i]));
		assert_true(batch_add_http(w, &http[i]));
		assert_true(batch_add_name(w, &names[i]));
	}
	assert_false(batch_is_empty(w));
	assert_false(batch_must_be_kept(w)); /* an intruder makes as many as he likes */
	batch_set_names_counts(w, counts);
	batch = written(w);
	assert_true(batch_is_empty(w));

	assert_same_dns(&batch_dns_list(batch, &n)[0], &dns[0]);
	assert_same_dns(&batch_dns_list(batch, &n)[1], &dns[1]);
	assert_int_equal(n, 2);
	got_names = batch_name_list(batch, &n);
	assert_int_equal(n, 2);
	got_http = batch_http_list(batch, &n);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_true(got_names[i].first_ns == names[i].first_ns);
		assert_memory_equal(&got_names[i].remote, &names[i].remote, sizeof names->remote);
		assert_string_equal(got_names[i].name, names[i].name);
		assert_string_equal(got_names[i].alpn, names[i].alpn);
		assert_int_equal(got_names[i].port, names[i].port);
		assert_int_equal(got_names[i].protocol, names[i].protocol);
		assert_int_equal(got_names[i].family, names[i].family);
		assert_int_equal(got_names[i].source, names[i].source);
		assert_int_equal(got_names[i].iface, names[i].iface);
		assert_int_equal(got_names[i].is_cut, names[i].is_cut);
		assert_true(got_http[i].time_ns == http[i].time_ns);
		assert_memory_equal(&got_http[i].client, &http[i].client, sizeof http->client);
		assert_memory_equal(&got_http[i].server, &http[i].server, sizeof http->server);
		assert_string_equal(got_http[i].method, http[i].method);
		assert_string_equal(got_http[i].path, http[i].path);
		assert_int_equal(got_http[i].client_port, http[i].client_port);
		assert_int_equal(got_http[i].server_port, http[i].server_port);
		assert_int_equal(got_http[i].family, http[i].family);
		assert_int_equal(got_http[i].has_token, http[i].has_token);
		assert_int_equal(got_http[i].asks_token, http[i].asks_token);
		assert_int_equal(got_http[i].is_cut, http[i].is_cut);
		assert_int_equal(got_http[i].is_own, http[i].is_own);
		assert_int_equal(got_http[i].iface, http[i].iface);
	}
	got_counts = batch_names_counts(batch, &n);
	assert_int_equal(n, BATCH_NAMES_COUNTS);
	assert_memory_equal(got_counts, counts, sizeof counts);
	batch_free(batch);

	batch = written(w);
	(void)batch_dns_list(batch, &n);
	assert_int_equal(n, 0);
	(void)batch_names_counts(batch, &n);
	assert_int_equal(n, 0);
	batch_free(batch);
}

/* A query of a.b over UDP, as the encoding has it: tag = field << 3 | kind, zigzag for sint64. */
static void test_bytes(void **state)
{
	struct batch_writer *w = *state;
	static const uint8_t dns[] = {
		0x08, 0x04,                                 /* time: 2 */
		0x22, 8,    10,   0,   0,   5, 10, 0, 0, 2, /* addresses */
		0x28, 0xc0, 0xb8, 2,                        /* client's port: 40000 */
		0x30, 53,                                   /* server's */
		0x38, 7,                                    /* id */
		0x42, 3,    'a',  '.', 'b',                 /* name */
		0x48, 28, /* AAAA; the class is IN and takes nothing */
		0x60, 21, /* size */
	};
	const struct batch_dns query = {
		.time_ns = 2,
		.client.b = {10, 0, 0, 5},
		.server.b = {10, 0, 0, 2},
		.name = "a.b",
		.client_port = 40000,
		.server_port = 53,
		.id = 7,
		.qtype = 28,
		.qclass = 1,
		.size = 21,
		.family = 4,
	};
	const struct batch_head head = {.sequence = 1};
	static uint8_t bytes[BATCH_WRITE_BYTES];
	uint8_t want[128];
	struct wr wr = wr_init(want, sizeof want);
	size_t len;

	wr_copy(&wr, "\x08\x01\x12\x20", 4);
	memset(wr_room(&wr, SHA256_BYTES), 0, SHA256_BYTES);
	wr_u8(&wr, 0x7a); /* field 15 */
	wr_u8(&wr, sizeof dns + 2);
	wr_u8(&wr, 0x0a); /* Names, field 1 */
	wr_u8(&wr, sizeof dns);
	wr_copy(&wr, dns, sizeof dns);
	assert_true(batch_add_dns(w, &query));
	len = batch_finish(w, &head, bytes);
	assert_int_equal(len, wr_len(&wr));
	assert_memory_equal(bytes, want, len);
}

/* The longest there is, until no more fits: never beyond what the writer promises, and all of it is read. */
static void test_limits(void **state)
{
	struct batch_writer *w = *state;
	char text[BATCH_NAME_MAX + 1] = "", alpn[BATCH_ALPN_MAX + 1] = "",
				   method[BATCH_METHOD_MAX + 1] = "";
	struct batch_dns_answer answers[BATCH_DNS_ANSWERS_MAX];
	struct batch_dns dns = some_dns();
	struct batch_name name = {.first_ns = UINT64_MAX,
				  .name = text,
				  .alpn = alpn,
				  .port = UINT16_MAX,
				  .protocol = UINT8_MAX,
				  .family = 6,
				  .source = BATCH_NAME_QUIC,
				  .iface = 15};
	struct batch_http http = {.time_ns = UINT64_MAX,
				  .method = method,
				  .path = text,
				  .client_port = UINT16_MAX,
				  .server_port = UINT16_MAX,
				  .family = 6,
				  .iface = 15};
	size_t n_dns = 0, n_names = 0, n_http = 0, n;
	struct batch *batch;

	memset(text, '~', BATCH_NAME_MAX);
	memset(alpn, '!', BATCH_ALPN_MAX);
	memset(method, 'M', BATCH_METHOD_MAX);
	for (size_t i = 0; i < BATCH_DNS_ANSWERS_MAX; i++) {
		answers[i] = (struct batch_dns_answer){.type = UINT16_MAX,
						       .class = 0xfffe,
						       .ttl = UINT32_MAX,
						       .size = UINT16_MAX,
						       .family = 6,
						       .text = text,
						       .is_cut = true};
		memset(answers[i].addr.b, 0xff, 16);
	}
	dns = (struct batch_dns){.waited_ns = UINT64_MAX,
				 .name = text,
				 .answers = answers,
				 .n_answers = BATCH_DNS_ANSWERS_MAX,
				 .answers_said = UINT16_MAX,
				 .client_port = UINT16_MAX,
				 .server_port = UINT16_MAX,
				 .id = UINT16_MAX,
				 .qtype = UINT16_MAX,
				 .qclass = 0xfffe,
				 .rcode = UINT16_MAX,
				 .size = UINT16_MAX,
				 .iface = 15,
				 .family = 6,
				 .kind = BATCH_DNS_LLMNR,
				 .over_tcp = true,
				 .is_response = true,
				 .is_matched = true,
				 .is_cut = true,
				 .is_short = true,
				 .name_is_cut = true};
	/* Back and forth: differences of nine and ten bytes. */
	for (;; n_dns++) {
		dns.time_ns = n_dns % 2 ? 0 : (uint64_t)INT64_MAX;
		if (!batch_add_dns(w, &dns))
			break;
	}
	for (;; n_http++) {
		http.time_ns = n_http % 2 ? 0 : (uint64_t)INT64_MAX;
		if (!batch_add_http(w, &http))
			break;
	}
	for (; batch_add_name(w, &name); n_names++)
		;
	/* By hand: 12 answers of 299 bytes and 353 for the rest; a full batch has four of them. */
	assert_int_equal(n_dns, BATCH_WRITE_NAMES_BYTES / (12 * 299 + 353));
	batch = written(w);
	for (size_t i = 0; i < n_dns; i++) {
		dns.time_ns = i % 2 ? 0 : (uint64_t)INT64_MAX;
		assert_same_dns(&batch_dns_list(batch, &n)[i], &dns);
	}
	assert_int_equal(n, n_dns);
	(void)batch_http_list(batch, &n);
	assert_int_equal(n, n_http);
	(void)batch_name_list(batch, &n);
	assert_int_equal(n, n_names);
	batch_free(batch);
	/* Emptied, it takes as many again. */
	assert_true(batch_add_dns(w, &dns));
	batch_free(written(w));
}

/* Every small message that a batch may hold fills it: a reader has the memory for all of them. */
static void test_many(void **state)
{
	struct batch_writer *w = *state;
	struct batch_dns dns = {.name = "a", .family = 4, .qclass = 1};
	size_t n, wrote = 0;
	struct batch *batch;

	while (batch_add_dns(w, &dns))
		wrote++;
	batch = written(w);
	(void)batch_dns_list(batch, &n);
	assert_int_equal(n, wrote);
	/* 2 and 2 + 8 for the addresses, 3 for the name. */
	assert_int_equal(n, BATCH_WRITE_NAMES_BYTES / 15);
	batch_free(batch);
}

struct refused {
	const char *what; /* part of the error */
	size_t len;
	uint8_t bytes[48]; /* Names */
};

static void test_refused(void **state)
{
	static const struct refused cases[] = {
		{"not a message of their kind", 2, {0x0a, 9}},
		{"names have a field that is unknown", 2, {0x38, 1}},
		{"message has a field that is unknown", 5, {0x0a, 3, 0x98, 0x06, 1}},
		{"mark or interface", 5, {0x0a, 3, 0x10, 0x80, 4}},
		{"mark or interface", 4, {0x0a, 2, 0x18, 16}},
		{"above 65535", 6, {0x0a, 4, 0x28, 0x80, 0x80, 4}},
		{"name is too long or not printable", 5, {0x0a, 3, 0x42, 1, ' '}},
		{"name is too long or not printable", 5, {0x0a, 3, 0x42, 1, 0x7f}},
		{"name is too long or not printable", 6, {0x0a, 4, 0x42, 2, 0xc3, 0xa9}},
		{"kind does not exist", 5, {0x0a, 3, 0x10, 0x80, 3}},
		{"their family's size", 2, {0x0a, 0}},
		{"their family's size", 6, {0x0a, 4, 0x10, 1, 0x22, 0}},
		{"neither 4 nor 16",
		 18,
		 {0x0a, 16, 0x22, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0x72, 4, 0x2a, 2, 1, 2}},
		{"answer's text",
		 17,
		 {0x0a, 15, 0x22, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0x72, 3, 0x32, 1, '\n'}},
		{"source does not exist", 8, {0x12, 6, 0x22, 4, 1, 2, 3, 4}},
		{"source does not exist", 10, {0x12, 8, 0x10, 0x18, 0x22, 4, 1, 2, 3, 4}},
		{"name's address", 8, {0x12, 6, 0x10, 4, 0x22, 2, 1, 2}},
		{"name's mark", 4, {0x12, 2, 0x10, 64}},
		{"request's mark", 4, {0x1a, 2, 0x10, 32}},
		{"method or path", 5, {0x1a, 3, 0x42, 1, ' '}},
		{"request's addresses", 2, {0x1a, 0}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t bytes[128];
		struct wr wr = wr_init(bytes, sizeof bytes);
		struct batch *batch = NULL;
		struct err err = {""};

		wr_copy(&wr, "\x08\x01\x12\x20", 4);
		memset(wr_room(&wr, SHA256_BYTES), 0, SHA256_BYTES);
		wr_u8(&wr, 0x7a);
		wr_u8(&wr, (uint8_t)cases[i].len);
		wr_copy(&wr, cases[i].bytes, cases[i].len);
		if (batch_open(&batch, bytes, wr_len(&wr), &err) == 0)
			fail_msg("case %zu was taken", i);
		if (!strstr(err.text, cases[i].what))
			fail_msg("case %zu: '%s' instead of '%s'", i, err.text, cases[i].what);
	}
}

/* A DNS message of thirteen answers, and more counts than there may be. */
static void test_too_many(void **state)
{
	uint8_t bytes[512];
	struct wr wr = wr_init(bytes, sizeof bytes);
	struct batch *batch;
	struct err err;

	(void)state;
	wr_copy(&wr, "\x08\x01\x12\x20", 4);
	memset(wr_room(&wr, SHA256_BYTES), 0, SHA256_BYTES);
	wr_u8(&wr, 0x7a);
	wr_u8(&wr, 2 + 13 * 2);
	wr_u8(&wr, 0x0a);
	wr_u8(&wr, 13 * 2);
	for (int i = 0; i < 13; i++)
		wr_copy(&wr, "\x72\x00", 2);
	assert_int_not_equal(batch_open(&batch, bytes, wr_len(&wr), &err), 0);
	assert_non_null(strstr(err.text, "too many answers"));

	wr = wr_init(bytes, sizeof bytes);
	wr_copy(&wr, "\x08\x01\x12\x20", 4);
	memset(wr_room(&wr, SHA256_BYTES), 0, SHA256_BYTES);
	wr_copy(&wr, "\x82\x01\x21", 3); /* field 16, 33 bytes */
	memset(wr_room(&wr, 33), 1, 33);
	assert_int_not_equal(batch_open(&batch, bytes, wr_len(&wr), &err), 0);
	assert_non_null(strstr(err.text, "too many counts"));
}

static void test_words(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BATCH_NAMES_COUNTS; i++)
		assert_non_null(batch_names_count_text(i));
	assert_null(batch_names_count_text(BATCH_NAMES_COUNTS));
	assert_string_equal(batch_name_source_text(BATCH_NAME_SNI), "sni");
	assert_string_equal(batch_name_source_text(0), "unknown");
	assert_string_equal(batch_name_source_text(BATCH_NAME_SOURCES), "unknown");
}

static int setup(void **state)
{
	struct batch_writer *writer;

	assert_int_equal(batch_writer_new(&writer), 0);
	*state = writer;
	return 0;
}

static int teardown(void **state)
{
	batch_writer_free(*state);
	return 0;
}

#define WITH_WRITER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WRITER(test_read_back),    WITH_WRITER(test_bytes),
		WITH_WRITER(test_limits),       WITH_WRITER(test_many),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
