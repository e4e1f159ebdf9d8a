// SPDX-License-Identifier: Apache-2.0
/*
 * ingest_load ADDR:PORT SENSORS BATCHES RECORDS [HOSTS [FIRST]]   Sensors that push full batches at a collector, all connected at once.
 *
 * Each of the SENSORS, named s0, s1, ... (or from FIRST on), has a certificate of its own from ca.crt and ca.key in the present
 * folder, keeps WINDOW batches (alone: WINDOW_ALONE) unacknowledged, and stays connected when BATCHES of RECORDS records are acknowledged. When all are
 * it prints "records N seconds S": from the first hello to the last acknowledgement, and ends at the end of its standard input.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "platform/addr.h"
#include "platform/clock.h"
#include "platform/crypto_sign.h"
#include "platform/loop.h"
#include "platform/tls.h"
#include "proto/batch.h"
#include "proto/wire.h"

enum { WINDOW = 8, WINDOW_ALONE = 64, HANDSHAKES = 16, DAY_S = 86400, TIMEOUT_MS = 120000 };

#define BEGIN_S UINT64_C(1700000000) /* Unix seconds, a minute before the first batch */

struct load;

struct sensor {
	struct load *load;
	struct tls_config *config;
	struct crypto_signer *signer;
	struct tls *tls;
	struct wire_reader reader;
	struct batch_chain chain;
	uint8_t stream[WIRE_STREAM_ID];
	char name[32];
	uint64_t acknowledged;
	bool is_done;
};

struct load {
	struct loop *loop;
	struct batch_writer *writer;
	struct sensor *sensors;
	size_t n, done, begun;
	struct endpoint to;
	uint64_t batches, records, hosts;
	uint8_t out[BATCH_WRITE_BYTES];
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "ingest_load: %s\n", what);
	exit(1);
}

static void send_frame(struct sensor *s, enum wire_type type, const uint8_t *message, size_t len)
{
	uint8_t head[WIRE_HEAD];

	wire_head(head, type, len);
	if (tls_write(s->tls, head, sizeof head) < 0 || tls_write(s->tls, message, len) < 0)
		die("the connection broke");
}

/* Flows of so many hosts. With more than a batch has each is one that nothing expects. */
static void send_batch(struct sensor *s)
{
	struct load *load = s->load;
	struct batch_head head = {.sequence = s->chain.sequence + 1,
				  .clock_ns = (BEGIN_S + 60 * (s->chain.sequence + 2)) * NS_PER_S,
				  .records_before = s->chain.records,
				  .packets_before = s->chain.packets,
				  .goodbye = s->chain.sequence + 1 == load->batches};
	uint8_t digest[SHA256_BYTES];
	uint64_t packets = 0, host;
	size_t len;

	memcpy(head.previous, s->chain.digest, SHA256_BYTES);
	for (uint64_t i = 0; i < load->records; i++) {
		struct flowrec rec = {.packets = 1 + i % 50,
				      .bytes = 60 * (1 + i % 1000),
				      .start = BEGIN_S + 60 * head.sequence + i % 50,
				      .end = BEGIN_S + 60 * head.sequence + i % 50 + 9,
				      .srcport = (uint16_t)(1024 + i / 2),
				      .dstport = 443,
				      .family = 4,
				      .protocol = 6};

		rec.src.b[0] = rec.dst.b[0] = 10;
		host = (head.sequence * load->records + i) / 2 % load->hosts;
		if (load->hosts > load->records) {
			rec.direction = FLOWREC_EGRESS;
			rec.verdict = FLOWREC_UNEXPECTED_EGRESS;
			rec.outcome = FLOWREC_DATA_OUT;
			rec.tcp_flags = 2;
		}
		for (unsigned k = 0; k < 3; k++)
			rec.dst.b[1 + k] = (uint8_t)(host >> (16 - 8 * k));
		packets += rec.packets;
		if (!batch_add_record(load->writer, &rec))
			die("so many records do not fit in a batch");
	}
	len = batch_finish(load->writer, &head, load->out);
	if (head.goodbye)
		len = batch_sign(load->out, len, s->stream, s->signer);
	crypto_sha256(digest, load->out, len);
	batch_chain_take(&s->chain, &head, digest, load->records, packets, 0);
	send_frame(s, WIRE_BATCH, load->out, len);
}

static void go_on(struct sensor *s)
{
	struct load *load = s->load;

	const uint64_t window = load->n == 1 ? WINDOW_ALONE : WINDOW;

	while (s->chain.sequence < load->batches && s->chain.sequence - s->acknowledged < window)
		send_batch(s);
	if (s->acknowledged < load->batches || s->is_done)
		return;
	s->is_done = true;
	if (++load->done == load->n)
		loop_stop(load->loop);
}

static bool on_frame(void *ctx, enum wire_type type, const uint8_t *message, size_t len)
{
	struct sensor *s = ctx;
	struct wire_ack ack;
	char reason[WIRE_SMALL_MAX];

	if (s->is_done) /* on a slow machine it is cut off while others still begin */
		return true;
	if (type == WIRE_REFUSAL && wire_refusal_decode(reason, message, len) == 0)
		die(reason);
	if (type == WIRE_ACK && wire_ack_decode(&ack, message, len) == 0)
		s->acknowledged = ack.durable;
	go_on(s);
	return true;
}

static const struct tls_ops ops;

/* Not all at once: the collector gives each a time for its handshake. */
static void connect_next(struct load *load)
{
	struct err err = {""};
	struct sensor *s;

	if (load->begun == load->n)
		return;
	s = &load->sensors[load->begun++];
	if (tls_connect(&s->tls, load->loop, s->config, &load->to, TIMEOUT_MS, &ops, s, &err) < 0)
		die(err.text);
}

static void on_ready(void *ctx, const struct tls_peer *peer)
{
	struct sensor *s = ctx;
	struct wire_hello hello = {.protocol = WIRE_PROTOCOL,
				   .clock_ns = (BEGIN_S + 60) * NS_PER_S,
				   .sensor = s->name,
				   .boot_id = "bench",
				   .build = "bench",
				   .n_interfaces = 1,
				   .window_s = 60};
	uint8_t out[4096];
	ssize_t len;

	(void)peer;
	memcpy(hello.stream, s->stream, WIRE_STREAM_ID);
	flowrec_identity_init(&hello.interfaces[0]);
	hello.interfaces[0].interface = "eth0";
	hello.certificate = crypto_signer_certificate(s->signer, &hello.certificate_len);
	len = wire_hello_encode(out, sizeof out, &hello);
	if (len < 0)
		die("the hello cannot be encoded");
	send_frame(s, WIRE_HELLO, out, (size_t)len);
	connect_next(s->load);
}

static void on_input(void *ctx, const uint8_t *bytes, size_t len)
{
	struct sensor *s = ctx;
	struct err err;

	if (wire_reader_feed(&s->reader, bytes, len, on_frame, s, &err) < 0)
		die("the collector sends no frames");
}

static void on_closed(void *ctx, const char *why)
{
	const struct sensor *s = ctx;

	if (!s->is_done)
		die(why);
}

static const struct tls_ops ops = {.ready = on_ready, .input = on_input, .closed = on_closed};

static void make_sensor(struct sensor *s, struct load *load, size_t i)
{
	const uint64_t now = clock_wall_ns() / NS_PER_S;
	char cert[64], key[64];
	const struct crypto_cert_request request = {.name = s->name,
						    .use = CRYPTO_CLIENT,
						    .issuer_cert = "ca.crt",
						    .issuer_key = "ca.key",
						    .not_before_s = now - DAY_S,
						    .not_after_s = now + DAY_S,
						    .cert_file = cert,
						    .key_file = key};
	struct err err = {""};

	s->load = load;
	(void)snprintf(s->name, sizeof s->name, "s%zu", i);
	(void)snprintf(cert, sizeof cert, "%s.crt", s->name);
	(void)snprintf(key, sizeof key, "%s.key", s->name);
	(void)crypto_cert_make(&request, NULL); /* there from a run before: fine */
	crypto_random(s->stream, sizeof s->stream);
	s->chain.counts = true;
	batch_chain_start(s->chain.digest, s->stream);
	if (crypto_signer_new(&s->signer, cert, key, &err) < 0 ||
	    tls_config_new(&s->config, TLS_CLIENT, "ca.crt", cert, key, &err) < 0)
		die(err.text);
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	struct load *load = calloc(1, sizeof *load);
	struct err err = {""};
	uint64_t begin;
	size_t first;

	if (argc < 5 || argc > 7 || !load || endpoint_parse(argv[1], &load->to, &err) < 0)
		die("usage: ingest_load ADDR:PORT SENSORS BATCHES RECORDS [HOSTS [FIRST]]");
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	load->n = strtoul(argv[2], NULL, 10);
	load->batches = strtoul(argv[3], NULL, 10);
	load->records = strtoul(argv[4], NULL, 10);
	load->hosts = argc > 5 ? strtoul(argv[5], NULL, 10) : 64;
	first = argc > 6 ? strtoul(argv[6], NULL, 10) : 0;
	load->sensors = calloc(load->n, sizeof *load->sensors);
	if (!load->sensors || loop_new(&load->loop, &err) < 0 ||
	    batch_writer_new(&load->writer) < 0)
		die("no memory");
	for (size_t i = 0; i < load->n; i++)
		make_sensor(&load->sensors[i], load, i + first);
	begin = clock_mono_ns();
	for (size_t i = 0; i < HANDSHAKES; i++)
		connect_next(load);
	(void)loop_run(load->loop);
	printf("records %" PRIu64 " seconds %.3f\n", load->n * load->batches * load->records,
	       (double)(clock_mono_ns() - begin) / NS_PER_S);
	(void)fflush(stdout);
	(void)getchar(); /* all are connected still */
	return 0;
}
