// SPDX-License-Identifier: Apache-2.0
/*
 * The small server on loopback: who takes nothing is cut off and counted while others are served, who asks for nothing
 * gives way, and an owner hears of a client that left. A test that hangs is ended by a guard timer and fails.
 */
#include "platform/web.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/socket.h"

enum { GUARD_MS = 20000, TICK_MS = 2, BIG = 4 * 1024 * 1024, MIDDLE = 1024 * 1024, STUCK_MS = 300 };

static struct loop *loop;
static struct loop_timer *guard, *tick;
static bool hung;
static struct web *web;
static struct endpoint at;
static struct web_request *held; /* of /hold and /stream */
static unsigned gone;
static char body[BIG];

static void guard_fired(void *ctx)
{
	(void)ctx;
	hung = true;
	loop_stop(loop);
}

static void on_tick(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

/* One short run of the loop. */
static void turn(void)
{
	loop_timer_set(tick, TICK_MS);
	assert_int_equal(loop_run(loop), 0);
	assert_false(hung);
}

#define UNTIL(condition)                                                                           \
	while (!(condition))                                                                       \
	turn()

static void on_gone(void *ctx)
{
	(void)ctx;
	held = NULL;
	gone++;
}

static void asked(void *ctx, struct web_request *r)
{
	const char *path = web_request_head(r)->path;

	(void)ctx;
	if (strcmp(path, "/big") == 0) {
		web_answer(r, 200, "text/plain", "", body, BIG);
	} else if (strcmp(path, "/middle") == 0) {
		web_answer(r, 200, "text/plain", "", body, MIDDLE);
	} else if (strcmp(path, "/hold") == 0 || strcmp(path, "/stream") == 0) {
		held = r;
		web_request_watch(r, on_gone, NULL);
		if (path[1] == 's')
			(void)web_stream(r, "text/event-stream", "");
	} else {
		web_answer_text(r, 200, "A: b\r\n", "small\n");
	}
}

static void start(size_t connections, uint32_t head_ms)
{
	static const struct endpoint any = {.addr = {{127, 0, 0, 1}}, .family = 4};
	struct web_config config = {.loop = loop,
				    .max_connections = connections,
				    .head_ms = head_ms,
				    .stuck_ms = STUCK_MS,
				    .headers = "All: have it\r\n",
				    .asked = asked};
	struct err err;

	assert_int_equal(socket_listen(&config.fd, &any, &at, &err), 0);
	assert_int_equal(web_start(&web, &config, &err), 0);
}

static int setup(void **state)
{
	(void)state;
	hung = false;
	gone = 0;
	held = NULL;
	memset(body, 'x', sizeof body);
	assert_int_equal(loop_new(&loop, NULL), 0);
	assert_int_equal(loop_timer_new(&guard, loop, guard_fired, NULL), 0);
	assert_int_equal(loop_timer_new(&tick, loop, on_tick, NULL), 0);
	loop_timer_set(guard, GUARD_MS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	web_free(web);
	loop_timer_free(guard);
	loop_timer_free(tick);
	loop_free(loop);
	return 0;
}

/* ---- a client ---- */

struct client {
	int fd;
	size_t n;
	bool ended;
	char text[1024]; /* of what came first */
};

static struct client connect_to(const char *request)
{
	struct client c = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	union socket_address sa;
	socklen_t len = socket_address_of(&sa, &at);
	const int small = 4096;

	assert_true(c.fd >= 0);
	assert_int_equal(setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
	assert_int_equal(connect(c.fd, &sa.any, len), 0);
	assert_int_equal(send(c.fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	return c;
}

static bool take(struct client *c, size_t most)
{
	char bytes[8192];
	ssize_t n = recv(c->fd, bytes, most < sizeof bytes ? most : sizeof bytes, MSG_DONTWAIT);

	if (n > 0) {
		size_t room = sizeof c->text - 1 > c->n ? sizeof c->text - 1 - c->n : 0;

		memcpy(c->text + (room ? c->n : 0), bytes, (size_t)n < room ? (size_t)n : room);
		c->n += (size_t)n;
	}
	c->ended = c->ended || n == 0 || (n < 0 && errno != EAGAIN);
	return c->ended;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"

static struct web_stats stats(void)
{
	struct web_stats s;

	web_stats(web, &s);
	return s;
}

/* ---- tests ---- */

static void test_answer(void **state)
{
	struct client c;

	(void)state;
	start(4, 10000);
	c = connect_to(GET("/"));
	UNTIL(take(&c, 8192));
	assert_string_equal(
		c.text,
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
		"Content-Length: 6\r\nConnection: close\r\nAll: have it\r\nA: b\r\n\r\nsmall\n");
	(void)close(c.fd);
	c = connect_to("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n");
	UNTIL(take(&c, 8192));
	assert_non_null(strstr(c.text, "Content-Length: 6\r\n"));
	assert_string_equal(c.text + c.n - 4, "\r\n\r\n");
	(void)close(c.fd);
	UNTIL(stats().connections == 0);
	assert_int_equal(stats().requests, 2);
}

/* A head that comes byte by byte is one head. */
static void test_head_in_bytes(void **state)
{
	static const char head[] = GET("/");
	struct client c;

	(void)state;
	start(4, 10000);
	c = connect_to("");
	for (size_t i = 0; i < sizeof head - 1; i++) {
		assert_int_equal(send(c.fd, head + i, 1, MSG_NOSIGNAL), 1);
		turn();
	}
	UNTIL(take(&c, 8192));
	assert_non_null(strstr(c.text, "\r\n\r\nsmall\n"));
	(void)close(c.fd);
}

static void test_stuck_is_cut_off(void **state)
{
	struct client stuck, other;

	(void)state;
	start(4, 10000);
	stuck = connect_to(GET("/big"));
	UNTIL(stats().requests == 1);
	other = connect_to(GET("/"));
	UNTIL(take(&other, 8192));
	assert_non_null(strstr(other.text, "small\n"));
	assert_int_equal(stats().stuck, 0);
	UNTIL(stats().stuck == 1);
	UNTIL(take(&stuck, 8192));
	assert_true(stuck.n < BIG);
	(void)close(stuck.fd);
	(void)close(other.fd);
	assert_int_equal(stats().connections, 0);
}

/* Longer than a stuck one may take, but always something. */
static void test_slow_is_not(void **state)
{
	struct client slow;

	(void)state;
	start(4, 10000);
	slow = connect_to(GET("/middle"));
	UNTIL(take(&slow, 4096));
	assert_true(slow.n > MIDDLE);
	assert_int_equal(stats().stuck, 0);
	(void)close(slow.fd);
}

static void test_late(void **state)
{
	struct client c;

	(void)state;
	start(4, 50);
	c = connect_to("GET / HTTP/1.1\r\nHost: local");
	UNTIL(take(&c, 8192));
	assert_int_equal(c.n, 0);
	assert_int_equal(stats().late, 1);
	(void)close(c.fd);
}

static void test_room(void **state)
{
	struct client idle[3], holding, c;

	(void)state;
	start(4, 10000);
	holding = connect_to(GET("/hold"));
	UNTIL(held);
	for (size_t i = 0; i < 3; i++) {
		idle[i] = connect_to("G");
		UNTIL(stats().connections == 2 + i);
	}
	/* The oldest that asks for nothing gives way; who waits for an answer does not. */
	c = connect_to(GET("/"));
	UNTIL(take(&c, 8192));
	assert_non_null(strstr(c.text, "small\n"));
	UNTIL(take(&idle[0], 8192));
	assert_int_equal(stats().late, 1);
	assert_false(take(&idle[1], 8192) || take(&idle[2], 8192) || take(&holding, 8192));
	web_answer_text(held, 200, "", "held\n");
	UNTIL(take(&holding, 8192));
	assert_non_null(strstr(holding.text, "held\n"));
	assert_int_equal(gone, 0);
	for (size_t i = 0; i < 3; i++)
		(void)close(idle[i].fd);
	(void)close(holding.fd);
	(void)close(c.fd);
}

static void test_gone(void **state)
{
	struct client c;

	(void)state;
	start(4, 10000);
	c = connect_to(GET("/hold"));
	UNTIL(held);
	(void)close(c.fd);
	UNTIL(gone == 1);
	c = connect_to(GET("/stream"));
	UNTIL(held);
	web_stream_send(held, "data: 1\n\n", 9);
	UNTIL(take(&c, 8192) || strstr(c.text, "data: 1\n\n"));
	assert_false(c.ended);
	(void)close(c.fd);
	UNTIL(gone == 2);
	assert_int_equal(stats().connections, 0);
}

/* What was refused is told why, even if more comes than is read. */
static void test_refused(void **state)
{
	static char much[3 * HTTP_HEAD_MAX];
	struct client c;

	(void)state;
	start(4, 10000);
	(void)snprintf(much, sizeof much, "GET / HTTP/1.1\r\nHost: a\r\nX: %020000d", 0);
	c = connect_to(much);
	UNTIL(take(&c, 8192));
	assert_memory_equal(c.text, "HTTP/1.1 431 ", 13);
	assert_int_equal(stats().refused, 1);
	(void)close(c.fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_answer),      TEST(test_head_in_bytes), TEST(test_stuck_is_cut_off),
		TEST(test_slow_is_not), TEST(test_late),          TEST(test_room),
		TEST(test_gone),        TEST(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
