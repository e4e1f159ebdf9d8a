// SPDX-License-Identifier: Apache-2.0
/*
 * Mutual TLS over loopback: our client and our server in one process, and each against the openssl
 * command line tool where a peer must do what ours would not. The certificates are made anew for
 * each run.
 */
#include "platform/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/clock.h"
#include "platform/crypto.h"

enum { GUARD_MS = 30000, BULK = 5 * 1024 * 1024, DAY = 86400 };

static char folder[] = "/tmp/test_tls.XXXXXX";

/* ---- certificates ---- */

static int make(const char *name, enum crypto_use use, const char *issuer, const char *file,
		int from_day, int to_day)
{
	const uint64_t now = clock_wall_ns() / NS_PER_S;
	char files[4][64];
	const struct crypto_cert_request rq = {.name = name,
					       .use = use,
					       .issuer_cert = issuer ? files[0] : NULL,
					       .issuer_key = issuer ? files[1] : NULL,
					       .not_before_s = now + (uint64_t)(from_day * DAY),
					       .not_after_s = now + (uint64_t)(to_day * DAY),
					       .cert_file = files[2],
					       .key_file = files[3]};

	snprintf(files[0], sizeof(files[0]), "%s.crt", issuer ? issuer : "");
	snprintf(files[1], sizeof(files[1]), "%s.key", issuer ? issuer : "");
	snprintf(files[2], sizeof(files[2]), "%s.crt", file);
	snprintf(files[3], sizeof(files[3]), "%s.key", file);
	return crypto_cert_make(&rq, NULL);
}

static int make_all(void **state)
{
	/* Certificates that ours would not make: for no role, with a name that is none, with an RSA
	 * key. */
	static const char by_openssl[] =
		"exec >/dev/null 2>&1; set -e; p='-newkey ec -pkeyopt ec_paramgen_curve:P-256';"
		"one() { openssl req -new $3 -nodes -keyout $1.key -subj \"/CN=$2\" | openssl x509 "
		"-req -CA ca.crt "
		"-CAkey ca.key -set_serial 7 -days 9 -extfile $4 -out $1.crt; };"
		"echo extendedKeyUsage=clientAuth >client.ext; echo basicConstraints=CA:FALSE "
		">none.ext;"
		"one norole sensor-1 \"$p\" none.ext; one badname 'a b' \"$p\" client.ext;"
		"one rsa sensor-1 '-newkey rsa:2048' client.ext";

	(void)state;
	if (!mkdtemp(folder) || chdir(folder) != 0)
		return -1;
	return make("flowproof CA", CRYPTO_CA, NULL, "ca", -400, 400) ||
	       make("flowproof CA", CRYPTO_CA, NULL, "other", -400, 400) ||
	       make(TLS_COLLECTOR_NAME, CRYPTO_SERVER, "ca", "collector", -1, 9) ||
	       make(TLS_COLLECTOR_NAME, CRYPTO_SERVER, "ca", "collector-past", -9, -1) ||
	       make(TLS_COLLECTOR_NAME, CRYPTO_SERVER, "ca", "collector-future", 1, 9) ||
	       make(TLS_COLLECTOR_NAME, CRYPTO_SERVER, "other", "collector-other", -1, 9) ||
	       make("impostor", CRYPTO_SERVER, "ca", "impostor", -1, 9) ||
	       make("sensor-1", CRYPTO_CLIENT, "ca", "sensor", -1, 9) ||
	       make("sensor-1", CRYPTO_CLIENT, "ca", "sensor-past", -9, -1) ||
	       make("sensor-1", CRYPTO_CLIENT, "ca", "sensor-future", 1, 9) ||
	       make("sensor-1", CRYPTO_CLIENT, "other", "sensor-other", -1, 9) ||
	       make(TLS_COLLECTOR_NAME, CRYPTO_CLIENT, "ca", "sensor-named-collector", -1, 9) ||
	       system("cat ca.crt other.crt >both.crt; echo none >empty.crt") != 0 ||
	       system(by_openssl) != 0;
}

static int remove_all(void **state)
{
	(void)state;
	return system("rm -f *.crt *.key *.ext") != 0 || chdir("/") != 0 || rmdir(folder) != 0;
}

static struct tls_config *config(enum tls_role role, const char *ca, const char *name)
{
	char files[3][64];
	struct tls_config *c;
	struct err err = {""};

	snprintf(files[0], sizeof(files[0]), "%s.crt", ca);
	snprintf(files[1], sizeof(files[1]), "%s.crt", name);
	snprintf(files[2], sizeof(files[2]), "%s.key", name);
	if (tls_config_new(&c, role, files[0], files[1], files[2], &err) != 0)
		fail_msg("%s", err.text);
	return c;
}

/* ---- the ends of a connection ---- */

static struct loop *loop;
static struct loop_timer *guard;
static bool hung;

/* One end. The diary has a letter an event: r ready, i input (once in a row), d drained, c closed.
 */
struct end {
	const struct tls_config *config;
	struct tls *tls;
	uint32_t timeout_ms;
	char diary[32]; /* its first letters */
	size_t n_diary;
	bool seen[128];
	struct tls_peer peer;
	char why[160];
	uint8_t *got;
	size_t n, cap, n_inputs;
	char free_at;  /* the event in which it frees the connection */
	char close_at; /* ... or closes it */
	bool pause_at_input;
	const char *answer; /* written in `input` */
	bool inside;        /* one of our calls: no callback may come */
};

static void guard_fired(void *ctx)
{
	(void)ctx;
	hung = true;
	loop_stop(loop);
}

#define UNTIL(condition)                                                                           \
	while (!(condition))                                                                       \
	run()

static void run(void)
{
	assert_int_equal(loop_run(loop), 0);
	assert_false(hung);
}

static bool happened(const struct end *e, char what)
{
	return e->seen[(unsigned char)what];
}

static void event(struct end *e, char what)
{
	loop_stop(loop);
	assert_false(e->inside);
	assert_false(happened(e, 'c')); /* the last, and once */
	e->seen[(unsigned char)what] = true;
	if (e->n_diary < sizeof(e->diary) - 1 &&
	    (e->n_diary == 0 || e->diary[e->n_diary - 1] != what))
		e->diary[e->n_diary++] = what;
	if (e->free_at == what)
		tls_free(e->tls);
	else if (e->close_at == what)
		tls_close(e->tls);
	else
		return;
	e->tls = NULL;
}

static void on_ready(void *ctx, const struct tls_peer *peer)
{
	struct end *e = ctx;

	e->peer = *peer;
	event(e, 'r');
}

static void on_input(void *ctx, const uint8_t *bytes, size_t len)
{
	struct end *e = ctx;

	e->n_inputs++;
	assert_true(len > 0);
	if (e->got) {
		assert_true(len <= e->cap - e->n);
		memcpy(&e->got[e->n], bytes, len);
	}
	e->n += len;
	if (e->pause_at_input)
		tls_pause(e->tls, true);
	if (e->answer)
		assert_int_equal(tls_write(e->tls, e->answer, strlen(e->answer)), 0);
	event(e, 'i');
}

static void on_drained(void *ctx)
{
	struct end *e = ctx;

	assert_int_equal(tls_pending(e->tls), 0);
	event(e, 'd');
}

static void on_closed(void *ctx, const char *why)
{
	struct end *e = ctx;

	snprintf(e->why, sizeof(e->why), "%s", why);
	event(e, 'c');
}

static const struct tls_ops ops = {
	.ready = on_ready, .input = on_input, .drained = on_drained, .closed = on_closed};

static struct loop_listener *listener;
static struct endpoint at;

static void take(void *ctx, int fd, const struct endpoint *peer)
{
	struct end *e = ctx;
	uint32_t ms = e->timeout_ms ? e->timeout_ms : GUARD_MS;

	assert_int_equal(peer->family, 4);
	e->inside = true;
	assert_int_equal(tls_accept(&e->tls, loop, e->config, fd, ms, &ops, e, NULL), 0);
	e->inside = false;
	loop_stop(loop);
}

static void listen_for(struct end *server)
{
	const struct endpoint any = {.family = 4, .addr = {{127, 0, 0, 1}}};

	assert_int_equal(loop_listen(&listener, loop, &any, take, server, NULL), 0);
	loop_listener_address(listener, &at);
}

static void connect_to(struct end *client, const struct endpoint *ep)
{
	uint32_t ms = client->timeout_ms ? client->timeout_ms : GUARD_MS;

	client->inside = true;
	assert_int_equal(
		tls_connect(&client->tls, loop, client->config, ep, ms, &ops, client, NULL), 0);
	client->inside = false;
}

static void say(struct end *e, const void *bytes, size_t len)
{
	e->inside = true;
	assert_int_equal(tls_write(e->tls, bytes, len), 0);
	e->inside = false;
}

static struct tls_config *good_server, *good_client;

static int setup(void **state)
{
	(void)state;
	hung = false;
	listener = NULL;
	if (loop_new(&loop, NULL) != 0 || loop_timer_new(&guard, loop, guard_fired, NULL) != 0)
		return -1;
	loop_timer_set(guard, GUARD_MS);
	good_server = config(TLS_SERVER, "ca", "collector");
	good_client = config(TLS_CLIENT, "ca", "sensor");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	loop_listener_free(listener);
	tls_config_free(good_server);
	tls_config_free(good_client);
	loop_timer_free(guard);
	loop_free(loop);
	return 0;
}

/* Both ends ready. */
static void meet(struct end *client, struct end *server)
{
	client->config = good_client;
	server->config = good_server;
	listen_for(server);
	connect_to(client, &at);
	UNTIL(happened(client, 'r') && happened(server, 'r'));
}

static void part(struct end *client, struct end *server)
{
	tls_free(client->tls);
	tls_free(server->tls);
}

struct turns {
	struct loop_timer *timer;
	const struct end *end;
	size_t last, most, n;
};

static void next_turn(void *ctx)
{
	struct turns *t = ctx;
	size_t now = t->end ? t->end->n_inputs - t->last : 0;

	t->last += now;
	t->most = now > t->most ? now : t->most;
	t->n++;
	loop_stop(loop);
	loop_timer_set(t->timer, 0);
}

/* Turns enough for whatever could happen to happen. */
static void spin(void)
{
	struct turns t = {0};

	assert_int_equal(loop_timer_new(&t.timer, loop, next_turn, &t), 0);
	loop_timer_set(t.timer, 0);
	UNTIL(t.n == 200);
	loop_timer_free(t.timer);
}

/* ---- who is let in ---- */

/* openssl's word on whose certificate that is. */
static void assert_certificate(const uint8_t digest[static SHA256_BYTES], const char *file)
{
	char command[128], line[80] = "", hex[SHA256_HEX];
	FILE *f;

	snprintf(command, sizeof(command), "openssl x509 -in %s -outform DER | sha256sum", file);
	f = popen(command, "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	pclose(f);
	line[SHA256_HEX - 1] = '\0';
	assert_string_equal(crypto_hex(hex, digest, SHA256_BYTES), line);
}

static void test_good_handshake(void **state)
{
	struct end client = {0}, server = {0};

	(void)state;
	assert_string_equal(tls_config_name(good_server), TLS_COLLECTOR_NAME);
	assert_string_equal(tls_config_name(good_client), "sensor-1");
	meet(&client, &server);
	assert_string_equal(client.peer.name, TLS_COLLECTOR_NAME);
	assert_string_equal(server.peer.name, "sensor-1");
	assert_string_equal(client.peer.protocol, "TLSv1.2");
	assert_string_equal(server.peer.protocol, "TLSv1.2");
	assert_false(client.peer.dates_wrong);
	assert_false(server.peer.dates_wrong);
	assert_certificate(client.peer.certificate, "collector.crt");
	assert_certificate(server.peer.certificate, "sensor.crt");
	part(&client, &server);
}

static void test_wrong_dates_of_collector_are_reported(void **state)
{
	static const char *const names[] = {"collector-past", "collector-future"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct tls_config *c = config(TLS_SERVER, "ca", names[i]);
		struct end client = {.config = good_client}, server = {.config = c};

		listen_for(&server);
		connect_to(&client, &at);
		UNTIL(happened(&client, 'r') && happened(&server, 'r'));
		assert_true(client.peer.dates_wrong);
		assert_string_equal(client.peer.name, TLS_COLLECTOR_NAME);
		part(&client, &server);
		tls_config_free(c);
		loop_listener_free(listener);
		listener = NULL;
	}
}

static const struct {
	const char *server_ca, *server, *client_ca, *client;
	const char *server_says, *client_says;
} refusals[] = {
	/* Our CA of the same name, another key: on either side. */
	{"ca", "collector", "both", "sensor-other", "certificate not signed by our CA",
	 "refused by peer: unknown CA alert"},
	{"both", "collector-other", "ca", "sensor", "refused by peer: unknown CA alert",
	 "certificate not signed by our CA"},
	{"ca", "collector", "ca", "sensor-past", "certificate expired",
	 "refused by peer: certificate expired alert"},
	{"ca", "collector", "ca", "sensor-future", "certificate not yet valid",
	 "refused by peer: certificate unknown alert"},
	{"ca", "impostor", "ca", "sensor", "refused by peer: bad certificate alert",
	 "certificate is not for the collector's role"},
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct tls_config *s =
			config(TLS_SERVER, refusals[i].server_ca, refusals[i].server);
		struct tls_config *c =
			config(TLS_CLIENT, refusals[i].client_ca, refusals[i].client);
		struct end client = {.config = c}, server = {.config = s};

		listen_for(&server);
		connect_to(&client, &at);
		UNTIL(happened(&client, 'c') && happened(&server, 'c'));
		assert_string_equal(server.why, refusals[i].server_says);
		assert_string_equal(client.why, refusals[i].client_says);
		assert_string_equal(server.diary, "c");
		assert_string_equal(client.diary, "c");
		assert_int_not_equal(tls_write(client.tls, "x", 1), 0);
		part(&client, &server);
		tls_config_free(s);
		tls_config_free(c);
		loop_listener_free(listener);
		listener = NULL;
	}
}

/* ---- against openssl ---- */

/* A child whose standard input and output we hold. */
struct child {
	pid_t pid;
	int in, out;
};

static void start(struct child *c, const char *tool, const char *options, const char *how,
		  uint16_t port)
{
	extern char **environ;
	char command[512];
	char *const argv[] = {(char[]){"sh"}, (char[]){"-c"}, command, NULL};
	posix_spawn_file_actions_t actions;
	int in[2], out[2];

	snprintf(command, sizeof(command), "exec openssl %s -CAfile ca.crt %s -%s 127.0.0.1:%u",
		 tool, options, how, port);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	posix_spawn_file_actions_adddup2(&actions, out[1], 2);
	assert_int_equal(posix_spawn(&c->pid, "/bin/sh", &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	c->in = in[1];
	c->out = out[0];
}

static void end(struct child *c)
{
	kill(c->pid, SIGKILL);
	close(c->in);
	close(c->out);
	waitpid(c->pid, NULL, 0);
}

#define CERT(name) "-cert " name ".crt -key " name ".key "

static const struct {
	const char *options;
	const char *server_says; /* NULL: ready */
} clients[] = {
	{"-tls1_2 " CERT("sensor"), NULL},
	{"-tls1_2 " CERT("sensor-named-collector"), NULL},
	{"-tls1_2 " CERT("sensor") "-cipher ECDHE-ECDSA-AES128-GCM-SHA256", NULL},
	{"-tls1_2 " CERT("sensor") "-cipher ECDHE-ECDSA-AES256-GCM-SHA384", NULL},
	{"-tls1_2 " CERT("sensor") "-cipher ECDHE-ECDSA-CHACHA20-POLY1305", NULL},
	{"-tls1_2 " CERT("sensor") "-cipher ECDHE-ECDSA-AES128-SHA256",
	 "no cipher suite in common"},
	{"-tls1_1 " CERT("sensor") "-cipher ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0",
	 "peer does not offer TLS 1.2 or later"},
	{"-tls1_2 ", "no certificate presented"},
	{"-tls1_2 " CERT("collector"), "certificate is not for a sensor's role"},
	{"-tls1_2 " CERT("norole"), "certificate is not for a sensor's role"},
	{"-tls1_2 " CERT("badname"), "certificate's common name is not usable as a name"},
	{"-tls1_2 " CERT("rsa"),
	 "certificate's key or signature is not ECDSA P-256 or P-384 with SHA-2"},
};

static void test_clients_of_openssl(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
		struct end server = {.config = good_server};
		struct child child;

		listen_for(&server);
		start(&child, "s_client", clients[i].options, "connect", at.port);
		UNTIL(server.n_diary > 0);
		if (clients[i].server_says ? strcmp(server.why, clients[i].server_says) != 0
					   : server.diary[0] != 'r')
			fail_msg("%s: %s \"%s\"", clients[i].options, server.diary, server.why);
		end(&child);
		tls_free(server.tls);
		loop_listener_free(listener);
		listener = NULL;
	}
}

static void test_missing_certificate_is_answered_by_an_alert(void **state)
{
	struct end server = {.config = good_server, .free_at = 'c'};
	struct child child;
	char said[2048];
	size_t n = 0;
	ssize_t got;

	(void)state;
	listen_for(&server);
	start(&child, "s_client -brief", "-tls1_2", "connect", at.port);
	UNTIL(!server.tls && happened(&server, 'c'));
	spin(); /* freed in its callback, the stream is closed in a later turn */
	while ((got = read(child.out, &said[n], sizeof(said) - 1 - n)) > 0)
		n += (size_t)got;
	said[n] = '\0';
	assert_non_null(strstr(said, "SSL alert number 40"));
	end(&child);
}

/* What openssl asks for with the letter R. */
static void test_renegotiation_is_refused(void **state)
{
	struct end server = {.config = good_server};
	struct child child;

	(void)state;
	listen_for(&server);
	start(&child, "s_client", "-tls1_2 " CERT("sensor"), "connect", at.port);
	UNTIL(happened(&server, 'r'));
	assert_int_equal(write(child.in, "R\n", 2), 2);
	UNTIL(happened(&server, 'c'));
	assert_string_equal(server.why, "unexpected TLS message");
	end(&child);
	tls_free(server.tls);
}

static const struct {
	const char *options;
	const char *client_says; /* NULL: ready */
} servers[] = {
	{CERT("collector"), NULL},
	{CERT("sensor"), "certificate is not for the collector's role"},
	{CERT("sensor-named-collector"), "certificate is not for the collector's role"},
	{CERT("collector-other"), "certificate not signed by our CA"},
};

static uint16_t port_of(struct child *child)
{
	char line[256];
	unsigned port = 0;
	FILE *f = fdopen(dup(child->out), "r");

	assert_non_null(f);
	while (port == 0 && fgets(line, sizeof(line), f))
		(void)sscanf(line, "ACCEPT 127.0.0.1:%u", &port);
	fclose(f);
	assert_in_range(port, 1, 65535);
	return (uint16_t)port;
}

static void test_servers_of_openssl(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
		struct end client = {.config = good_client};
		struct endpoint ep = {.family = 4, .addr = {{127, 0, 0, 1}}};
		struct child child;

		start(&child, "s_server -Verify 2", servers[i].options, "accept", 0);
		ep.port = port_of(&child);
		connect_to(&client, &ep);
		UNTIL(client.n_diary > 0);
		if (servers[i].client_says ? strcmp(client.why, servers[i].client_says) != 0
					   : client.diary[0] != 'r')
			fail_msg("%s: %s \"%s\"", servers[i].options, client.diary, client.why);
		end(&child);
		tls_free(client.tls);
	}
}

/* ---- bytes ---- */

static uint8_t *bulk(uint32_t seed)
{
	uint8_t *p = malloc(BULK);

	assert_non_null(p);
	for (size_t i = 0; i < BULK; i++) {
		seed = seed * 1664525 + 1013904223;
		p[i] = (uint8_t)(seed >> 24);
	}
	return p;
}

static void assert_same_digest(const uint8_t *a, const uint8_t *b)
{
	uint8_t da[SHA256_BYTES], db[SHA256_BYTES];

	crypto_sha256(da, a, BULK);
	crypto_sha256(db, b, BULK);
	assert_memory_equal(da, db, sizeof(da));
}

static void test_bulk_both_ways(void **state)
{
	struct end client = {.got = malloc(BULK), .cap = BULK};
	struct end server = {.got = malloc(BULK), .cap = BULK};
	uint8_t *out_c = bulk(1), *out_s = bulk(2);

	(void)state;
	meet(&client, &server);
	/* One large write, and the other way sizes around the record's, 16384, and 0. */
	say(&client, out_c, BULK);
	assert_true(tls_pending(client.tls) > BULK);
	for (size_t n = 0, len = 0; n < BULK; n += len) {
		len = len == 0 ? 1 : len == 1 ? 16383 : len < 16386 ? len + 1 : 0;
		len = len < BULK - n ? len : BULK - n;
		say(&server, &out_s[n], len);
	}
	UNTIL(client.n == BULK && server.n == BULK);
	assert_same_digest(client.got, out_s);
	assert_same_digest(server.got, out_c);
	UNTIL(happened(&client, 'd') && happened(&server, 'd'));
	assert_int_equal(tls_pending(client.tls), 0);
	part(&client, &server);
	free(client.got);
	free(server.got);
	free(out_c);
	free(out_s);
}

static void test_pause_holds_the_peer_back(void **state)
{
	struct end client = {0}, server = {.got = malloc(4 * BULK), .cap = 4 * BULK};
	uint8_t *out = bulk(3);
	size_t n = 0;

	(void)state;
	meet(&client, &server);
	server.pause_at_input = true;
	for (int i = 0; i < 4; i++)
		say(&client, out, BULK);
	UNTIL(server.n > 0);
	/* Paused in the first record; each time it goes on, one more comes, until all have. */
	for (int i = 0; i < 20; i++) {
		n = server.n;
		assert_true(n <= (size_t)(i + 1) * 16384);
		tls_pause(server.tls, false);
		UNTIL(server.n > n);
	}
	assert_true(tls_pending(client.tls) > 0);
	server.pause_at_input = false;
	tls_pause(server.tls, false);
	UNTIL(server.n == 4 * BULK);
	for (size_t i = 0; i < 4; i++)
		assert_same_digest(&server.got[i * BULK], out);
	part(&client, &server);
	free(server.got);
	free(out);
}

static void test_pause_takes_effect_at_once(void **state)
{
	struct end client = {.config = good_client}, server = {.config = good_server};

	(void)state;
	listen_for(&server);
	connect_to(&client, &at);
	UNTIL(server.tls);
	/* Before the handshake has ended: it goes on, but no input is told. */
	tls_pause(server.tls, true);
	UNTIL(happened(&client, 'r') && happened(&server, 'r'));
	for (int i = 0; i < 5; i++)
		say(&client, "x", 1);
	spin();
	assert_int_equal(server.n, 0);
	/* In a callback: the records that came with this one wait. */
	server.pause_at_input = true;
	for (size_t i = 1; i <= 5; i++) {
		tls_pause(server.tls, false);
		spin();
		assert_int_equal(server.n, i);
	}
	part(&client, &server);
}

/* 16 KiB of small records are some 500, read in one turn; they must not be handled in one. */
static void test_flood_leaves_turns_to_others(void **state)
{
	struct end client = {0}, server = {0};
	struct turns t = {.end = &server};

	(void)state;
	meet(&client, &server);
	for (int i = 0; i < 20000; i++)
		say(&client, "x", 1);
	assert_int_equal(loop_timer_new(&t.timer, loop, next_turn, &t), 0);
	loop_timer_set(t.timer, 0);
	UNTIL(server.n == 20000);
	assert_in_range(t.most, 1, 100);
	loop_timer_free(t.timer);
	part(&client, &server);
}

/* ---- ends of connections ---- */

static void test_close_delivers_and_says_goodbye(void **state)
{
	struct end client = {0}, server = {.got = malloc(BULK), .cap = BULK};
	uint8_t *out = bulk(4);

	(void)state;
	meet(&client, &server);
	server.answer = "unread";
	say(&client, out, BULK);
	tls_close(client.tls);
	UNTIL(happened(&server, 'c'));
	/* The answers, which nobody reads any more, must not reset the connection. */
	assert_int_equal(server.n, BULK);
	assert_same_digest(server.got, out);
	assert_string_equal(server.why, "closed by peer");
	assert_string_equal(client.diary, "r");
	tls_free(server.tls);
	free(server.got);
	free(out);
}

/* A program that stops: nothing runs the loop for the connection any more. */
static void test_close_just_before_the_end(void **state)
{
	struct tls_config *short_lived = config(TLS_CLIENT, "ca", "sensor");
	struct end client = {.config = short_lived}, server = {.config = good_server};

	(void)state;
	listen_for(&server);
	connect_to(&client, &at);
	UNTIL(happened(&client, 'r') && happened(&server, 'r'));
	say(&client, "goodbye", 7);
	tls_close(client.tls);
	tls_config_free(short_lived);
	UNTIL(happened(&server, 'c'));
	assert_int_equal(server.n, 7);
	assert_string_equal(server.why, "closed by peer");
	tls_free(server.tls);
}

static void test_close_before_ready_and_null(void **state)
{
	struct end client = {.config = good_client}, server = {.config = good_server};

	(void)state;
	listen_for(&server);
	connect_to(&client, &at);
	assert_int_equal(tls_write(client.tls, "x", 1), ERR_TLS); /* and does no harm */
	UNTIL(happened(&client, 'r') && happened(&server, 'r'));
	part(&client, &server);
	connect_to(&client, &at);
	tls_close(client.tls);
	tls_close(NULL);
	tls_free(NULL);
	tls_config_free(NULL);
}

static void test_write_after_the_peer_went(void **state)
{
	struct end client = {0}, server = {0};

	(void)state;
	meet(&client, &server);
	tls_free(server.tls);
	UNTIL(happened(&client, 'c'));
	assert_string_equal(client.why, "closed by peer without a TLS goodbye");
	assert_int_equal(tls_write(client.tls, "x", 1), ERR_TLS);
	assert_string_equal(client.diary, "rc");
	tls_pause(client.tls, true);
	tls_pause(client.tls, false);
	tls_free(client.tls);
}

static void test_free_and_close_inside_callbacks(void **state)
{
	(void)state;
	for (int who = 0; who < 4; who++)
		for (const char *what = "ridc"; *what; what++) {
			struct end client = {.config = good_client};
			struct end server = {.config = good_server};
			struct end *it = who < 2 ? &client : &server;
			struct end *peer = who < 2 ? &server : &client;

			if (who % 2 == 0)
				it->free_at = *what;
			else
				it->close_at = *what;
			listen_for(&server);
			connect_to(&client, &at);
			UNTIL(happened(it, 'r'));
			UNTIL(happened(peer, 'r') || happened(peer, 'c'));
			/* Several records at once: none may be handled after the one that frees. */
			if (it->tls) {
				say(it, "x", 1);
				for (int i = 0; i < 5 && *what == 'i'; i++)
					say(peer, "y", 1);
			}
			if (*what == 'c' && it->tls) {
				tls_free(peer->tls);
				peer->tls = NULL;
			}
			UNTIL(!it->tls);
			assert_int_equal(it->diary[it->n_diary - 1], *what);
			if (*what == 'i')
				assert_int_equal(it->n, 1);
			if (peer->tls)
				UNTIL(happened(peer, 'c'));
			assert_int_equal(it->diary[it->n_diary - 1], *what);
			part(&client, &server);
			loop_listener_free(listener);
			listener = NULL;
		}
}

/* ---- peers that speak no TLS ---- */

static void raw_input(void *ctx)
{
	uint8_t buf[512];

	while (loop_stream_read(*(struct loop_stream **)ctx, buf, sizeof(buf)) > 0)
		;
}

static void raw_closed(void *ctx, const char *why)
{
	(void)ctx;
	(void)why;
}

static const struct loop_stream_ops raw_ops = {.input = raw_input, .closed = raw_closed};

/* A client, or a server that says something before it has read anything. */
static const struct {
	enum tls_role peer;
	const char *bytes;
	size_t len;
	const char *why;
} garbage[] = {
	{TLS_CLIENT, "GET / HTTP/1.0\r\n\r\n", 18, "peer does not speak TLS"},
	{TLS_CLIENT, "\x00\x00\x00\x00\x00\x00\x00\x00", 8, "peer does not speak TLS"},
	/* A record of 65535 bytes. */
	{TLS_CLIENT, "\x16\x03\x01\xff\xff", 5, "peer does not speak TLS"},
	{TLS_SERVER, "SSH-2.0-OpenSSH_9.2\r\n", 21, "peer does not speak TLS"},
	{TLS_SERVER, "\x16\x03\x03\xff\xff", 5, "peer does not speak TLS"},
	/* Fatal alerts: known, unknown. */
	{TLS_SERVER, "\x15\x03\x03\x00\x02\x02\x28", 7, "refused by peer: handshake failure alert"},
	{TLS_SERVER, "\x15\x03\x03\x00\x02\x02\xfe", 7, "refused by peer: alert 254"},
};

static void raw_take(void *ctx, int fd, const struct endpoint *peer)
{
	(void)peer;
	assert_int_equal(loop_stream_adopt(ctx, loop, fd, &raw_ops, ctx), 0);
	loop_stop(loop);
}

static void test_garbage(void **state)
{
	const struct endpoint any = {.family = 4, .addr = {{127, 0, 0, 1}}};

	(void)state;
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		struct end e = {0};
		struct loop_stream *raw = NULL;

		if (garbage[i].peer == TLS_CLIENT) {
			e.config = good_server;
			listen_for(&e);
			assert_int_equal(
				loop_connect(&raw, loop, &at, GUARD_MS, &raw_ops, &raw, NULL), 0);
		} else {
			e.config = good_client;
			assert_int_equal(loop_listen(&listener, loop, &any, raw_take, &raw, NULL),
					 0);
			loop_listener_address(listener, &at);
			connect_to(&e, &at);
			UNTIL(raw);
		}
		assert_int_equal(loop_stream_write(raw, garbage[i].bytes, garbage[i].len), 0);
		UNTIL(happened(&e, 'c'));
		if (strcmp(e.why, garbage[i].why) != 0)
			fail_msg("row %zu: \"%s\"", i, e.why);
		assert_string_equal(e.diary, "c");
		loop_stream_free(raw);
		tls_free(e.tls);
		loop_listener_free(listener);
		listener = NULL;
	}
}

static void test_peer_goes_in_the_handshake(void **state)
{
	struct end server = {.config = good_server};
	struct loop_stream *raw;

	(void)state;
	listen_for(&server);
	assert_int_equal(loop_connect(&raw, loop, &at, GUARD_MS, &raw_ops, &raw, NULL), 0);
	loop_stream_free(raw);
	UNTIL(happened(&server, 'c'));
	assert_string_equal(server.diary, "c");
	assert_string_equal(server.why, "closed by peer during the TLS handshake");
	tls_free(server.tls);
}

static void keep(void *ctx, int fd, const struct endpoint *peer)
{
	(void)peer;
	*(int *)ctx = fd;
}

static void test_handshake_times_out(void **state)
{
	struct end client = {.config = good_client, .timeout_ms = 20};
	struct end server = {.config = good_server, .timeout_ms = 20};
	const struct endpoint any = {.family = 4, .addr = {{127, 0, 0, 1}}};
	struct loop_stream *raw;
	int fd = -1;

	(void)state;
	listen_for(&server);
	assert_int_equal(loop_connect(&raw, loop, &at, GUARD_MS, &raw_ops, &raw, NULL), 0);
	UNTIL(happened(&server, 'c'));
	assert_string_equal(server.diary, "c");
	assert_string_equal(server.why, "TLS handshake timed out");
	loop_stream_free(raw);
	tls_free(server.tls);
	loop_listener_free(listener);
	assert_int_equal(loop_listen(&listener, loop, &any, keep, &fd, NULL), 0);
	loop_listener_address(listener, &at);
	connect_to(&client, &at);
	UNTIL(happened(&client, 'c'));
	assert_string_equal(client.diary, "c");
	assert_string_equal(client.why, "TLS handshake timed out");
	tls_free(client.tls);
	close(fd);
}

static void take_and_drop(void *ctx)
{
	int fd = accept(*(int *)ctx, NULL, NULL);

	assert_true(fd >= 0);
	close(fd);
	*(int *)ctx = -1;
	loop_stop(loop);
}

/* The kernel goes on connecting behind a deadline that has passed: `closed` stays the last. */
static void test_connected_after_the_deadline(void **state)
{
	struct end client = {.config = good_client, .timeout_ms = 20};
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	struct loop_watch *watch;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), filler[4], arrived = fd;

	(void)state;
	/* With the queue full the kernel drops further greetings; the client's repeats them after a
	 * second. */
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	at = (struct endpoint){.family = 4, .addr = {{127, 0, 0, 1}}, .port = ntohs(sa.sin_port)};
	for (int i = 0; i < 4; i++) {
		filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(filler[i], (struct sockaddr *)&sa, sizeof(sa));
	}
	connect_to(&client, &at);
	UNTIL(happened(&client, 'c'));
	assert_string_equal(client.why, "connecting timed out");
	for (int i = 0; i < 4; i++)
		close(filler[i]);
	close(accept(fd, NULL, NULL));
	assert_int_equal(loop_watch_new(&watch, loop, fd, take_and_drop, &arrived), 0);
	UNTIL(arrived < 0);
	spin();
	assert_string_equal(client.diary, "c");
	loop_watch_free(watch);
	tls_free(client.tls);
	close(fd);
}

static void test_connect_refused(void **state)
{
	struct end client = {.config = good_client}, nobody = {.config = good_server};

	(void)state;
	listen_for(&nobody);
	loop_listener_free(listener);
	listener = NULL;
	connect_to(&client, &at);
	UNTIL(happened(&client, 'c'));
	assert_string_equal(client.diary, "c");
	assert_string_equal(client.why, "cannot connect: Connection refused");
	tls_free(client.tls);
}

/* ---- files ---- */

static const struct {
	enum tls_role role;
	const char *ca, *cert, *key;
	int rc;
	const char *says;
} files[] = {
	{TLS_CLIENT, "no.crt", "sensor.crt", "sensor.key", -ENOENT, "no.crt"},
	{TLS_CLIENT, "ca.crt", "no.crt", "sensor.key", -ENOENT, "no.crt"},
	{TLS_CLIENT, "ca.crt", "sensor.crt", "no.key", -ENOENT, "no.key"},
	{TLS_CLIENT, "empty.crt", "sensor.crt", "sensor.key", ERR_TLS,
	 "empty.crt: no certificate in PEM form in it"},
	{TLS_CLIENT, "ca.crt", "sensor.key", "sensor.key", ERR_TLS,
	 "sensor.key: no certificate in PEM form in it"},
	{TLS_CLIENT, "ca.crt", "sensor.crt", "sensor.crt", ERR_TLS,
	 "sensor.crt: no private key in PEM form in it"},
	{TLS_CLIENT, "ca.crt", "sensor.crt", "collector.key", ERR_TLS,
	 "collector.key is not the key of sensor.crt"},
	{TLS_CLIENT, "other.crt", "sensor.crt", "sensor.key", ERR_TLS,
	 "sensor.crt was not signed by the CA in other.crt"},
	{TLS_CLIENT, "ca.crt", "collector.crt", "collector.key", ERR_TLS,
	 "collector.crt is not a sensor's certificate"},
	{TLS_SERVER, "ca.crt", "sensor.crt", "sensor.key", ERR_TLS,
	 "sensor.crt is not a collector's certificate"},
	{TLS_CLIENT, "ca.crt", "badname.crt", "badname.key", ERR_TLS,
	 "badname.crt: no usable common name in it"},
};

static void test_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct err err = {""};
		struct tls_config *c = NULL;
		int rc = tls_config_new(&c, files[i].role, files[i].ca, files[i].cert, files[i].key,
					&err);

		if (rc != files[i].rc || !strstr(err.text, files[i].says) || c)
			fail_msg("row %zu: %d, \"%s\"", i, rc, err.text);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_good_handshake),
		T(test_wrong_dates_of_collector_are_reported),
		T(test_refusals),
		T(test_clients_of_openssl),
		T(test_missing_certificate_is_answered_by_an_alert),
		T(test_renegotiation_is_refused),
		T(test_servers_of_openssl),
		T(test_bulk_both_ways),
		T(test_pause_holds_the_peer_back),
		T(test_pause_takes_effect_at_once),
		T(test_flood_leaves_turns_to_others),
		T(test_close_delivers_and_says_goodbye),
		T(test_close_just_before_the_end),
		T(test_close_before_ready_and_null),
		T(test_write_after_the_peer_went),
		T(test_free_and_close_inside_callbacks),
		T(test_garbage),
		T(test_peer_goes_in_the_handshake),
		T(test_handshake_times_out),
		T(test_connected_after_the_deadline),
		T(test_connect_refused),
		T(test_files),
	};

	return cmocka_run_group_tests(tests, make_all, remove_all);
}
