// SPDX-License-Identifier: Apache-2.0
/*
 * Ingest over loopback: the collector's side as it runs, and scripted sensors that keep the
 * protocol or break it, in one process and on one loop. Each test has its own store.
 */
#include "collector/ingest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/clock.h"
#include "platform/crypto.h"
#include "platform/log.h"

enum { GUARD_MS = 30000, DAY = 86400, FRAME_MAX = 512, QUEUE = 16, CONNECTIONS = 3 };
enum { STRANGERS = 5, STRANGERS_THERE = 2 };

static char folder[] = "/tmp/test_ingest.XXXXXX";

/* ---- the collector ---- */

/* What the sink was told. */
struct heard {
	struct batch_gap gap; /* the last */
	unsigned joined, left, goodbyes, batches, alerts;
	struct keep_totals totals; /* of the last batch */
};

struct house {
	struct loop *loop;
	struct loop_timer *guard;
	struct ledger *ledger;
	struct crypto_signer *signer;
	struct tls_config *server, *one, *two;
	struct ingest *ingest;
	struct ingest_config config;
	struct heard heard;
	bool stopped;
};

static void *on_joined(void *ctx, const struct ingest_stream *stream)
{
	struct house *house = ctx;

	assert_true(stream->hello->n_interfaces == 1);
	house->heard.joined++;
	return house;
}

static void on_batch(void *ctx, const struct ingest_stream *stream, const struct batch *batch,
		     const struct keep_totals *totals)
{
	struct house *house = ctx;
	size_t n;

	assert_ptr_equal(stream->of_sink, house);
	(void)batch_alert_list(batch, &n);
	house->heard.alerts += (unsigned)n;
	house->heard.batches++;
	house->heard.totals = *totals;
}

static void on_left(void *ctx, const struct ingest_stream *stream, bool goodbye, const char *why)
{
	struct house *house = ctx;

	assert_ptr_equal(stream->of_sink, house);
	assert_true(*why);
	house->heard.left++;
	house->heard.goodbyes += goodbye;
}

static void on_gap(void *ctx, const struct ingest_stream *stream, const struct batch_gap *gap)
{
	struct house *house = ctx;

	(void)stream;
	house->heard.gap = *gap;
}

static const struct ingest_sink sink = {on_joined, on_batch, on_gap, on_left};

static void on_guard(void *ctx)
{
	(void)ctx;
	fail_msg("nothing happened for %d ms", GUARD_MS);
}

static int make(const char *name, enum crypto_use use, const char *file)
{
	const uint64_t now = clock_wall_ns() / NS_PER_S;
	const bool is_ca = use == CRYPTO_CA;
	char cert[64], key[64];
	const struct crypto_cert_request request = {.name = name,
						    .use = use,
						    .issuer_cert = is_ca ? NULL : "ca.crt",
						    .issuer_key = is_ca ? NULL : "ca.key",
						    .not_before_s = now - DAY,
						    .not_after_s = now + DAY,
						    .cert_file = cert,
						    .key_file = key};

	(void)snprintf(cert, sizeof cert, "%s.crt", file);
	(void)snprintf(key, sizeof key, "%s.key", file);
	return crypto_cert_make(&request, NULL);
}

static int make_certificates(void **state)
{
	(void)state;
	if (!mkdtemp(folder) || chdir(folder) != 0)
		return -1;
	return make("CA", CRYPTO_CA, "ca") ||
	       make(TLS_COLLECTOR_NAME, CRYPTO_SERVER, "collector") ||
	       make("one", CRYPTO_CLIENT, "one") || make("two", CRYPTO_CLIENT, "two");
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int remove_certificates(void **state)
{
	(void)state;
	return chdir("/") != 0 || nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0;
}

static struct tls_config *tls_of(enum tls_role role, const char *file)
{
	char cert[64], key[64];
	struct tls_config *config;
	struct err err = {""};

	(void)snprintf(cert, sizeof cert, "%s.crt", file);
	(void)snprintf(key, sizeof key, "%s.key", file);
	if (tls_config_new(&config, role, "ca.crt", cert, key, &err) != 0)
		fail_msg("%s", err.text);
	return config;
}

static void start(struct house *house)
{
	const struct ledger_config config = {.signer = house->signer, .segment_s = DAY};
	struct err err = {""};

	if (ledger_open(&house->ledger, "store", &config, clock_wall_ns(), &err) != 0)
		fail_msg("%s", err.text);
	house->config.ledger = house->ledger;
	if (ingest_start(&house->ingest, &house->config, &err) != 0)
		fail_msg("%s", err.text);
}

static void stop(struct house *house)
{
	ingest_free(house->ingest);
	ledger_close(house->ledger);
	house->ingest = NULL;
	house->ledger = NULL;
}

static int open_house(void **state)
{
	struct house *house = calloc(1, sizeof *house);
	struct err err = {""};

	assert_non_null(house);
	assert_int_equal(loop_new(&house->loop, &err), 0);
	assert_int_equal(loop_timer_new(&house->guard, house->loop, on_guard, house), 0);
	house->server = tls_of(TLS_SERVER, "collector");
	assert_int_equal(crypto_signer_new(&house->signer, "collector.crt", "collector.key", &err),
			 0);
	house->one = tls_of(TLS_CLIENT, "one");
	house->two = tls_of(TLS_CLIENT, "two");
	house->config = (struct ingest_config){.loop = house->loop,
					       .tls = house->server,
					       .commit_ms = 1,
					       .max_connections = CONNECTIONS,
					       .max_strangers = STRANGERS,
					       .max_strangers_there = STRANGERS_THERE,
					       .hello_ms = GUARD_MS,
					       .idle_ms = GUARD_MS,
					       .sink = &sink,
					       .sink_ctx = house};
	assert_int_equal(endpoint_parse("127.0.0.1:0", &house->config.at, &err), 0);
	start(house);
	*state = house;
	return 0;
}

static int close_house(void **state)
{
	struct house *house = *state;

	stop(house);
	crypto_signer_free(house->signer);
	tls_config_free(house->server);
	tls_config_free(house->one);
	tls_config_free(house->two);
	loop_timer_free(house->guard);
	loop_free(house->loop);
	free(house);
	return nftw("store", remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- a sensor ---- */

struct frame {
	enum wire_type type;
	uint8_t message[FRAME_MAX];
	size_t len;
};

struct sensor {
	struct house *house;
	struct tls *tls;
	struct wire_reader reader;
	struct batch_writer *writer;
	struct crypto_signer *signer; /* of the certificate that it connects with */
	struct batch_chain chain;
	uint8_t stream[WIRE_STREAM_ID];
	bool ready, closed;
	size_t n_frames; /* that came and were not looked at, the first first */
	struct frame frames[QUEUE];
	struct frame frame; /* looked at last */
};

static bool on_frame(void *ctx, enum wire_type type, const uint8_t *message, size_t len)
{
	struct sensor *s = ctx;

	assert_in_range(len, 0, FRAME_MAX);
	assert_in_range(s->n_frames, 0, QUEUE - 1);
	s->frames[s->n_frames].type = type;
	s->frames[s->n_frames].len = len;
	memcpy(s->frames[s->n_frames++].message, message, len);
	loop_stop(s->house->loop);
	return true;
}

static void on_ready(void *ctx, const struct tls_peer *peer)
{
	struct sensor *s = ctx;

	(void)peer;
	s->ready = true;
	loop_stop(s->house->loop);
}

static void on_input(void *ctx, const uint8_t *bytes, size_t len)
{
	struct sensor *s = ctx;
	struct err err;

	assert_int_equal(wire_reader_feed(&s->reader, bytes, len, on_frame, s, &err), 0);
}

static void on_closed(void *ctx, const char *why)
{
	struct sensor *s = ctx;

	(void)why;
	s->closed = true;
	tls_free(s->tls);
	s->tls = NULL;
	loop_stop(s->house->loop);
}

static const struct tls_ops sensor_ops = {
	.ready = on_ready, .input = on_input, .closed = on_closed};

static void run(struct house *house)
{
	loop_timer_set(house->guard, GUARD_MS);
	assert_int_equal(loop_run(house->loop), 0);
	loop_timer_cancel(house->guard);
}

/* Connects; the handshake is done when this returns. `stream` names the stream. */
static struct sensor *connect_sensor(struct house *house, const struct tls_config *config,
				     char stream)
{
	struct sensor *s = calloc(1, sizeof *s);
	char cert[80], key[80];
	struct endpoint at;
	struct err err = {""};

	assert_non_null(s);
	s->house = house;
	(void)snprintf(cert, sizeof cert, "%s.crt", tls_config_name(config));
	(void)snprintf(key, sizeof key, "%s.key", tls_config_name(config));
	assert_int_equal(crypto_signer_new(&s->signer, cert, key, &err), 0);
	memset(s->stream, stream, sizeof s->stream);
	batch_chain_start(s->chain.digest, s->stream);
	assert_int_equal(batch_writer_new(&s->writer), 0);
	ingest_address(house->ingest, &at);
	assert_int_equal(
		tls_connect(&s->tls, house->loop, config, &at, GUARD_MS, &sensor_ops, s, &err), 0);
	while (!s->ready && !s->closed)
		run(house);
	return s;
}

static void leave(struct sensor *s)
{
	tls_free(s->tls);
	wire_reader_fini(&s->reader);
	batch_writer_free(s->writer);
	crypto_signer_free(s->signer);
	free(s);
}

static void send_bytes(struct sensor *s, enum wire_type type, const uint8_t *message, size_t len)
{
	uint8_t head[WIRE_HEAD];

	wire_head(head, type, len);
	assert_int_equal(tls_write(s->tls, head, sizeof head), 0);
	if (len > 0)
		assert_int_equal(tls_write(s->tls, message, len), 0);
}

static void send_hello(struct sensor *s, const char *name, uint32_t protocol)
{
	struct wire_hello hello = {.protocol = protocol,
				   .sensor = name,
				   .boot_id = "boot",
				   .build = "test",
				   .n_interfaces = 1,
				   .window_s = 60};
	uint8_t out[2048];
	ssize_t len;

	hello.certificate = crypto_signer_certificate(s->signer, &hello.certificate_len);
	memcpy(hello.stream, s->stream, WIRE_STREAM_ID);
	flowrec_identity_init(&hello.interfaces[0]);
	hello.interfaces[0].interface = "eth0";
	len = wire_hello_encode(out, sizeof out, &hello);
	assert_true(len > 0);
	send_bytes(s, WIRE_HELLO, out, (size_t)len);
}

/* A batch with the head given, `records` records on the interface, and an alert if there are
 * records. */
static void send_batch(struct sensor *s, const struct batch_head *head, unsigned records,
		       uint16_t iface)
{
	static uint8_t out[BATCH_BYTES_MAX];
	const struct batch_alert alert = {
		.family = 4, .protocol = 6, .verdict = FLOWREC_UNEXPECTED_EGRESS, .iface = iface};
	size_t len;

	for (unsigned i = 0; i < records; i++) {
		const struct flowrec rec = {.packets = 2,
					    .bytes = 100,
					    .start = 1000 + i,
					    .end = 1010 + i,
					    .srcport = (uint16_t)i,
					    .family = 4,
					    .protocol = 17,
					    .iface = iface};

		assert_true(batch_add_record(s->writer, &rec));
	}
	if (records > 0)
		assert_true(batch_add_alert(s->writer, &alert));
	len = batch_finish(s->writer, head, out);
	send_bytes(s, WIRE_BATCH, out, len);
	if (head->sequence == s->chain.sequence + 1) {
		s->chain.sequence++;
		crypto_sha256(s->chain.digest, out, len);
	}
}

static void send_next(struct sensor *s, unsigned records)
{
	struct batch_head head = {.sequence = s->chain.sequence + 1};

	memcpy(head.previous, s->chain.digest, SHA256_BYTES);
	send_batch(s, &head, records, 0);
}

/* Waits for the next frame. */
static void wait_frame(struct sensor *s)
{
	while (s->n_frames == 0 && !s->closed)
		run(s->house);
	assert_in_range(s->n_frames, 1, QUEUE);
	s->frame = s->frames[0];
	memmove(&s->frames[0], &s->frames[1], --s->n_frames * sizeof s->frame);
}

static void expect(struct sensor *s, enum wire_type type)
{
	wait_frame(s);
	assert_int_equal(s->frame.type, type);
}

static void expect_welcome(struct sensor *s, uint64_t durable)
{
	struct wire_welcome welcome;

	expect(s, WIRE_WELCOME);
	assert_int_equal(wire_welcome_decode(&welcome, s->frame.message, s->frame.len), 0);
	assert_int_equal(welcome.protocol, WIRE_PROTOCOL);
	assert_int_equal(welcome.durable, durable);
	assert_true(welcome.clock_ns > 0);
}

/* Acknowledgements until this one. */
static void expect_ack(struct sensor *s, uint64_t durable)
{
	struct wire_ack got = {.durable = 0};

	do {
		expect(s, WIRE_ACK);
		assert_int_equal(wire_ack_decode(&got, s->frame.message, s->frame.len), 0);
		assert_true(got.durable <= durable);
		assert_true(got.clock_ns > 0);
		assert_in_range(got.held_ns, 0, (uint64_t)GUARD_MS * NS_PER_MS);
	} while (got.durable < durable);
}

/* A refusal whose reason has this in it, after acknowledgements, and the end. */
static void expect_refusal(struct sensor *s, const char *part)
{
	char reason[WIRE_SMALL_MAX];

	do {
		wait_frame(s);
	} while (s->frame.type == WIRE_ACK);
	assert_int_equal(s->frame.type, WIRE_REFUSAL);
	assert_int_equal(wire_refusal_decode(reason, s->frame.message, s->frame.len), 0);
	if (!strstr(reason, part))
		fail_msg("refused with \"%s\", not \"%s\"", reason, part);
	while (!s->closed)
		run(s->house);
}

static struct sensor *join(struct house *house, const struct tls_config *config, const char *name,
			   char stream, uint64_t durable)
{
	struct sensor *s = connect_sensor(house, config, stream);

	send_hello(s, name, WIRE_PROTOCOL);
	expect_welcome(s, durable);
	return s;
}

/* Entries of the ledger, of one kind. */
static unsigned stored(enum ledger_kind kind)
{
	struct ledger_reader *reader;
	struct ledger_entry entry;
	struct err err;
	unsigned n = 0;

	assert_int_equal(ledger_reader_open(&reader, "store", NULL, &err), 0);
	while (ledger_next(reader, &entry, &err) > 0)
		n += entry.kind == kind;
	ledger_reader_free(reader);
	return n;
}

/* ---- what goes well ---- */

static void test_stream(void **state)
{
	struct house *house = *state;
	struct sensor *s = join(house, house->one, "one", 'a', 0);
	struct batch_head last = {.sequence = 4, .goodbye = true};

	send_next(s, 3);
	expect_ack(s, 1);
	assert_int_equal(house->heard.batches, 1);
	assert_int_equal(house->heard.alerts, 1);
	assert_int_equal(house->heard.totals.records, 3);
	assert_int_equal(house->heard.totals.packets, 6);
	assert_int_equal(house->heard.totals.bytes, 300);
	assert_int_equal(house->heard.totals.first, 1000);
	assert_int_equal(house->heard.totals.last, 1012);
	send_next(s, 0);
	send_next(s, 1);
	expect_ack(s, 3);
	memcpy(last.previous, s->chain.digest, SHA256_BYTES);
	send_batch(s, &last, 0, 0);
	expect_ack(s, 4);
	assert_int_equal(stored(LEDGER_HELLO), 1);
	assert_int_equal(stored(LEDGER_BATCH), 4);
	leave(s);
	while (house->heard.left == 0) {
		s = join(house, house->two, "two", 'b', 0); /* turns the loop */
		leave(s);
	}
	assert_int_equal(house->heard.goodbyes, 1);
}

static void test_resume_and_repeat(void **state)
{
	struct house *house = *state;
	struct sensor *s = join(house, house->one, "one", 'a', 0);
	struct batch_head again = {.sequence = 1};
	struct batch_chain chain;

	batch_chain_start(again.previous, s->stream);
	send_next(s, 1);
	send_next(s, 1);
	expect_ack(s, 2);
	chain = s->chain;
	leave(s);
	stop(house); /* and a new collector over the same store */
	start(house);
	s = join(house, house->one, "one", 'a', 2);
	s->chain = chain;
	send_batch(s, &again, 1, 0);
	expect_ack(s, 2);
	assert_int_equal(house->heard.batches, 2); /* the repeat is no news */
	send_next(s, 1);
	expect_ack(s, 3);
	assert_int_equal(stored(LEDGER_BATCH), 3);
	assert_int_equal(stored(LEDGER_HELLO), 2);
	leave(s);
}

static void test_gap(void **state)
{
	struct house *house = *state;
	struct sensor *s = join(house, house->one, "one", 'a', 0);
	struct batch_gap gap = {.first = 2, .last = 8, .records = 7, .digest = {7}};
	struct batch_head head = {.sequence = 9, .previous = {7}};
	uint8_t out[BATCH_GAP_BYTES];

	send_next(s, 1);
	send_bytes(s, WIRE_GAP, out, batch_gap_encode(out, &gap));
	expect_ack(s, 8);
	assert_memory_equal(&house->heard.gap, &gap, sizeof gap);
	send_bytes(s, WIRE_GAP, out, batch_gap_encode(out, &gap)); /* a repeat is harmless */
	send_batch(s, &head, 1, 0);
	expect_ack(s, 9);
	assert_int_equal(stored(LEDGER_GAP), 1);
	leave(s);
	stop(house);
	start(house); /* reads it back */
	s = join(house, house->one, "one", 'a', 9);
	gap = (struct batch_gap){.first = 11, .last = 12};
	send_bytes(s, WIRE_GAP, out, batch_gap_encode(out, &gap));
	expect_refusal(s, "a gap that begins at 11 after 9: batch 10 is missing");
	leave(s);
}

/* A certificate of the same CA, but not the one that speaks. */
static void test_hello_of_another_certificate(void **state)
{
	struct house *house = *state;
	struct sensor *s = connect_sensor(house, house->one, 'a');
	struct err err;

	crypto_signer_free(s->signer);
	assert_int_equal(crypto_signer_new(&s->signer, "two.crt", "two.key", &err), 0);
	send_hello(s, "one", WIRE_PROTOCOL);
	expect_refusal(s, "another certificate");
	leave(s);
}

static void test_later_connection_wins(void **state)
{
	struct house *house = *state;
	struct sensor *first = join(house, house->one, "one", 'a', 0);
	struct sensor *second;

	send_next(first, 1);
	expect_ack(first, 1);
	second = join(house, house->one, "one", 'b', 0);
	expect_refusal(first, "replaced");
	send_next(second, 1);
	expect_ack(second, 1);
	assert_int_equal(house->heard.joined, 2);
	assert_int_equal(house->heard.left, 1);
	leave(first);
	leave(second);
}

/* ---- what is refused ---- */

/* After each of these another sensor is still served. */
static void expect_others_unharmed(struct sensor *other, uint64_t sequence)
{
	send_next(other, 1);
	expect_ack(other, sequence);
}

static void test_refused(void **state)
{
	struct house *house = *state;
	struct sensor *other = join(house, house->two, "two", 'o', 0), *s;
	struct batch_head head = {.sequence = 2};
	uint8_t garbage[1000];
	char stream = 'a';

	s = connect_sensor(house, house->one, stream++);
	send_hello(s, "two", WIRE_PROTOCOL);
	expect_refusal(s, "certificate");
	leave(s);
	assert_int_equal(house->heard.left, 0); /* `two` was not taken for it */

	s = connect_sensor(house, house->one, stream++);
	send_hello(s, "one", WIRE_PROTOCOL + 1);
	expect_refusal(s, "version");
	leave(s);

	s = connect_sensor(house, house->one, stream++);
	send_next(s, 1);
	expect_refusal(s, "hello");
	leave(s);

	s = join(house, house->one, "one", stream++, 0);
	send_hello(s, "one", WIRE_PROTOCOL);
	expect_refusal(s, "does not send");
	leave(s);

	s = join(house, house->one, "one", stream++, 0); /* a batch is missing */
	memcpy(head.previous, s->chain.digest, SHA256_BYTES);
	send_batch(s, &head, 1, 0);
	expect_refusal(s, "missing");
	leave(s);

	s = join(house, house->one, "one", stream++, 0); /* the chain is another's */
	head.sequence = 1;
	memset(head.previous, 1, SHA256_BYTES);
	send_batch(s, &head, 1, 0);
	expect_refusal(s, "stream's id");
	leave(s);

	s = join(house, house->one, "one", stream++, 0); /* the hello named one interface */
	memcpy(head.previous, s->chain.digest, SHA256_BYTES);
	send_batch(s, &head, 1, 1);
	expect_refusal(s, "interface");
	leave(s);

	for (size_t i = 0; i < sizeof garbage; i++)
		garbage[i] = (uint8_t)(255 - i % 251);
	s = join(house, house->one, "one", stream++, 0);
	send_bytes(s, WIRE_BATCH, garbage, sizeof garbage);
	expect_refusal(s, "batch");
	leave(s);

	s = join(house, house->one, "one", stream++, 0); /* no frames at all */
	assert_int_equal(tls_write(s->tls, garbage, sizeof garbage), 0);
	expect_refusal(s, "frame of");
	leave(s);

	expect_others_unharmed(other, 1);
	assert_int_equal(stored(LEDGER_BATCH), 1);
	leave(other);
}

static void test_silence(void **state)
{
	struct house *house = *state;
	struct sensor *s;

	stop(house);
	house->config.hello_ms = 2 * GUARD_MS;
	house->config.idle_ms = 1;
	start(house);
	s = join(house, house->one, "one", 'a', 0);
	expect_refusal(s, "no batch");
	leave(s);
	stop(house);
	house->config.hello_ms = 500;
	start(house);
	s = connect_sensor(house, house->one, 'a');
	if (s->ready) { /* else the handshake itself came too late: also an end */
		expect_refusal(s, "no hello");
	}
	leave(s);
}

static void test_too_many(void **state)
{
	struct house *house = *state;
	struct sensor *s[CONNECTIONS + 1];
	size_t n = 0;

	for (; n < CONNECTIONS; n++)
		s[n] = connect_sensor(house, house->one, (char)('a' + n));
	/* All of these have shown a certificate: the newcomer goes. */
	s[n] = connect_sensor(house, house->two, 'z');
	assert_true(s[n]->closed);
	leave(s[n]);
	send_hello(s[0], "one", WIRE_PROTOCOL);
	expect_welcome(s[0], 0);
	while (n-- > 0)
		leave(s[n]);
}

/* Connects from an address of loopback, and says `words`. */
static int stranger(const char *from, const char *words, const struct endpoint *at)
{
	struct sockaddr_in own = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(inet_pton(AF_INET, from, &own.sin_addr), 1);
	memcpy(&to.sin_addr, at->addr.b, 4);
	to.sin_port = htons(at->port);
	assert_int_equal(bind(fd, (const struct sockaddr *)&own, sizeof own), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
	assert_int_equal(send(fd, words, strlen(words), 0), strlen(words));
	return fd;
}

static bool is_closed(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void stop_loop(void *ctx)
{
	loop_stop(ctx);
}

static void expect_closed(struct house *house, int fd)
{
	struct loop_watch *watch;

	assert_int_equal(loop_watch_new(&watch, house->loop, fd, stop_loop, house->loop), 0);
	run(house);
	assert_true(is_closed(fd));
	loop_watch_free(watch);
}

/* Whoever has not shown a certificate gives way: first one of the newcomer's own address if that has its
 * share, first one that said nothing. */
static void test_strangers(void **state)
{
	static const char tls_head[] = "\x16\x03\x01"; /* a handshake record begins so */
	struct house *house = *state;
	struct sensor *s = join(house, house->one, "one", 'a', 0), *newcomer;
	struct endpoint at;
	int fds[8];

	ingest_address(house->ingest, &at);
	fds[0] = stranger("127.0.0.2", tls_head, &at);
	fds[1] = stranger("127.0.0.2", "", &at);
	fds[2] = stranger("127.0.0.2", tls_head, &at);
	expect_closed(house, fds[1]);
	fds[3] = stranger("127.0.0.2", tls_head, &at);
	expect_closed(house, fds[0]);
	fds[4] = stranger("127.0.0.3", "", &at);
	fds[5] = stranger("127.0.0.4", "", &at);
	fds[6] = stranger("127.0.0.5", "", &at);
	fds[7] = stranger("127.0.0.6", "", &at);
	expect_closed(house, fds[4]); /* five are the most */
	newcomer = join(house, house->two, "two", 'b', 0);
	expect_closed(house, fds[5]);
	send_next(s, 100);
	expect_ack(s, 1);
	assert_false(is_closed(fds[2]) || is_closed(fds[3]) || is_closed(fds[6]) ||
		     is_closed(fds[7]));
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		(void)close(fds[i]);
	leave(newcomer);
	leave(s);
}

static void test_disk_full(void **state)
{
	struct house *house = *state;
	struct sensor *s = join(house, house->one, "one", 'a', 0);
	struct sensor *other = join(house, house->two, "two", 'b', 0);
	struct rlimit limit, before;
	struct batch_chain chain;
	unsigned sent = 1;

	send_next(s, 100);
	expect_ack(s, 1);
	chain = s->chain;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){4096, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (; sent < 5; sent++)
		send_next(s, 100);
	expect_refusal(s, "cannot write its ledger");
	expect_others_unharmed(other, 1);
	leave(s);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);

	/* There is room again: what was acknowledged is there, and the stream goes on from it. */
	s = connect_sensor(house, house->one, 'a');
	send_hello(s, "one", WIRE_PROTOCOL);
	expect(s, WIRE_WELCOME);
	s->chain = chain;
	while (s->chain.sequence < sent)
		send_next(s, 100);
	expect_ack(s, sent);
	assert_int_equal(stored(LEDGER_BATCH), sent + 1);
	assert_int_equal(stored(LEDGER_TORN) + stored(LEDGER_DAMAGE), 0);
	leave(s);
	leave(other);
}

/* ---- the end ---- */

static void on_stopped(void *ctx)
{
	struct house *house = ctx;

	house->stopped = true;
	loop_stop(house->loop);
}

/* What came before the stop is acknowledged, even though the commit timer was far from firing. */
static void test_stop(void **state)
{
	struct house *house = *state;
	struct sensor *s;

	stop(house);
	house->config.commit_ms = 2 * GUARD_MS;
	start(house);
	s = join(house, house->one, "one", 'a', 0);
	send_next(s, 1);
	while (house->heard.batches == 0) { /* turns the loop until it was taken */
		struct sensor *other = join(house, house->two, "two", 'b', 0);

		leave(other);
	}
	assert_int_equal(s->n_frames, 0);
	ingest_stop(house->ingest, on_stopped, house);
	while (!house->stopped)
		run(house);
	expect_ack(s, 1);
	leave(s);
}

/* ---- elsewhere ---- */

/* A place that answers when the test says so. */
static struct {
	struct house *house;
	void *peer;
	unsigned joins, batches, closes;
} place;

static void *open_place(void *ctx, void *peer, const struct wire_hello *hello)
{
	assert_ptr_equal(ctx, &place);
	assert_string_equal(hello->sensor, "one");
	place.peer = peer;
	loop_stop(place.house->loop);
	return &place;
}

static const char *join_place(void *at, struct ledger_sensor *sensor,
			      const struct wire_hello *hello, const uint8_t *message, size_t len,
			      uint64_t now_ns, struct err *err)
{
	assert_ptr_equal(at, &place);
	place.joins++;
	assert_int_equal(ledger_append_hello(sensor, now_ns, hello->stream, message, len, err), 0);
	return NULL;
}

static void batch_of_place(void *at, struct ledger_sensor *sensor, const struct wire_hello *hello,
			   const struct batch *batch, uint64_t now_ns, const uint8_t *message,
			   size_t len)
{
	assert_ptr_equal(at, &place);
	assert_int_equal(batch_head(batch)->sequence, ++place.batches);
	(void)sensor, (void)hello, (void)now_ns, (void)message, (void)len;
	loop_stop(place.house->loop);
}

static void close_place(void *at)
{
	assert_ptr_equal(at, &place);
	place.closes++;
}

static const struct ingest_elsewhere elsewhere = {
	.open = open_place, .join = join_place, .batch = batch_of_place, .close = close_place};

static void go_elsewhere(struct house *house)
{
	stop(house);
	memset(&place, 0, sizeof place);
	place.house = house;
	house->config.elsewhere = &elsewhere;
	house->config.elsewhere_ctx = &place;
	start(house);
}

/* Waits long enough for a commit, and turns the loop meanwhile. */
static void wait_commit(struct house *house)
{
	struct loop_timer *timer;

	assert_int_equal(loop_timer_new(&timer, house->loop, stop_loop, house->loop), 0);
	loop_timer_set(timer, 20 * house->config.commit_ms);
	run(house);
	loop_timer_free(timer);
}

/* Nothing is welcomed or acknowledged before it is elsewhere too, however durable it is here. */
static void test_elsewhere(void **state)
{
	struct house *house = *state;
	struct sensor *s;

	go_elsewhere(house);
	s = connect_sensor(house, house->one, 'a');
	send_hello(s, "one", WIRE_PROTOCOL);
	while (!place.peer)
		run(house);
	wait_commit(house);
	assert_int_equal(s->n_frames, 0);
	ingest_elsewhere_stands(place.peer);
	assert_int_equal(place.joins, 1);
	wait_commit(house);
	assert_int_equal(s->n_frames, 0);
	ingest_elsewhere_has(place.peer, 0);
	expect_welcome(s, 0);
	send_next(s, 1);
	send_next(s, 1);
	while (place.batches < 2)
		run(house);
	wait_commit(house);
	assert_int_equal(stored(LEDGER_BATCH), 2);
	assert_int_equal(s->n_frames, 0);
	ingest_elsewhere_has(place.peer, 1);
	expect_ack(s, 1);
	assert_int_equal(s->n_frames, 0);
	ingest_elsewhere_has(place.peer, 2);
	expect_ack(s, 2);
	ingest_elsewhere_lost(place.peer, "gone to another");
	expect_refusal(s, "gone to another");
	assert_int_equal(place.closes, 1);
	leave(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_house, close_house)
		T(test_stream),
		T(test_resume_and_repeat),
		T(test_gap),
		T(test_hello_of_another_certificate),
		T(test_later_connection_wins),
		T(test_refused),
		T(test_silence),
		T(test_too_many),
		T(test_strangers),
		T(test_disk_full),
		T(test_stop),
		T(test_elsewhere),
	};

	log_set_level(LOG_LEVEL_ERR); /* refusals are expected here */
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
