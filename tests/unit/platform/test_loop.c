// SPDX-License-Identifier: Apache-2.0
/*
 * The event loop over real descriptors: pipes, signals, TCP on loopback. Nothing waits by time; a
 * test that hangs is ended by a guard timer and fails.
 */
#include "platform/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

enum { GUARD_MS = 20000, BULK = 5 * 1024 * 1024 };

/* What happened, a letter an event. */
struct diary {
	char text[64];
	size_t n;
};

static void note(struct diary *d, char c)
{
	if (d->n < sizeof(d->text) - 1)
		d->text[d->n++] = c;
}

static struct loop *loop;
static struct loop_timer *guard;
static bool hung;

static void guard_fired(void *ctx)
{
	(void)ctx;
	hung = true;
	loop_stop(loop);
}

static int setup(void **state)
{
	(void)state;
	hung = false;
	assert_int_equal(loop_new(&loop, NULL), 0);
	assert_int_equal(loop_timer_new(&guard, loop, guard_fired, NULL), 0);
	loop_timer_set(guard, GUARD_MS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	loop_timer_free(guard);
	loop_free(loop);
	return 0;
}

static void run(void)
{
	assert_int_equal(loop_run(loop), 0);
	assert_false(hung);
}

/* Every callback of a test stops the loop, so that the condition is looked at again. */
#define UNTIL(condition)                                                                           \
	while (!(condition))                                                                       \
	run()

static void stop(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

/* ---- loop, timers, descriptors, signals ---- */

static int epoll_descriptors(void)
{
	char path[64], target[64];
	ssize_t len;
	int n = 0;

	for (int fd = 0; fd < 256; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		n += strcmp(target, "anon_inode:[eventpoll]") == 0;
	}
	return n;
}

static void test_environment_is_ignored(void **state)
{
	int before = epoll_descriptors();
	struct loop *other;

	(void)state;
	setenv("EVENT_NOEPOLL", "1", 1);
	assert_int_equal(loop_new(&other, NULL), 0);
	unsetenv("EVENT_NOEPOLL");
	assert_int_equal(epoll_descriptors(), before + 1);
	loop_free(other);
}

static void test_broken_pipe_does_not_kill(void **state)
{
	struct sigaction sa;

	(void)state;
	assert_int_equal(sigaction(SIGPIPE, NULL, &sa), 0);
	assert_ptr_equal(sa.sa_handler, SIG_IGN);
}

static void test_stop_before_run(void **state)
{
	(void)state;
	loop_stop(loop);
	run();
}

struct turn {
	struct diary diary;
	struct loop_timer *timer, *other;
	struct loop_watch *watch;
	int fd[2];
	int left;
};

static void turn_timer(void *ctx)
{
	struct turn *t = ctx;

	note(&t->diary, 't');
	loop_stop(loop);
}

static void turn_readable(void *ctx)
{
	struct turn *t = ctx;
	char c;

	assert_int_equal(read(t->fd[0], &c, 1), 1);
	note(&t->diary, 'r');
	loop_watch_free(t->watch);
	t->watch = NULL;
}

static void turn_start(void *ctx)
{
	struct turn *t = ctx;

	loop_timer_set(t->timer, 0);
	assert_int_equal(write(t->fd[1], "x", 1), 1);
}

static void test_timer_of_0_ms_lets_input_go_first(void **state)
{
	struct turn t = {0};
	struct loop_timer *start;

	(void)state;
	assert_int_equal(pipe2(t.fd, O_NONBLOCK | O_CLOEXEC), 0);
	assert_int_equal(loop_watch_new(&t.watch, loop, t.fd[0], turn_readable, &t), 0);
	assert_int_equal(loop_timer_new(&t.timer, loop, turn_timer, &t), 0);
	assert_int_equal(loop_timer_new(&start, loop, turn_start, &t), 0);
	loop_timer_set(start, 1);
	run();
	assert_string_equal(t.diary.text, "rt");
	assert_null(t.watch);
	loop_timer_free(start);
	loop_timer_free(t.timer);
	close(t.fd[0]);
	close(t.fd[1]);
}

static void again(void *ctx)
{
	struct turn *t = ctx;

	note(&t->diary, 'a');
	if (--t->left > 0) {
		loop_timer_set(t->timer, 1);
		return;
	}
	loop_timer_cancel(t->other);
	loop_timer_free(t->timer); /* the one that runs */
	t->timer = NULL;
	loop_stop(loop);
}

static void other(void *ctx)
{
	note(&((struct turn *)ctx)->diary, 'o');
}

static void test_timer_again_cancel_and_free_in_callback(void **state)
{
	struct turn t = {.left = 3};

	(void)state;
	assert_int_equal(loop_timer_new(&t.timer, loop, again, &t), 0);
	assert_int_equal(loop_timer_new(&t.other, loop, other, &t), 0);
	loop_timer_set(t.timer, 0);
	loop_timer_set(t.other, GUARD_MS / 2);
	run();
	assert_string_equal(t.diary.text, "aaa");
	/* A cancelled timer stays silent, also when its time has come already. */
	loop_timer_set(t.other, 0);
	loop_timer_cancel(t.other);
	assert_int_equal(loop_timer_new(&t.timer, loop, stop, NULL), 0);
	loop_timer_set(t.timer, 5);
	run();
	assert_string_equal(t.diary.text, "aaa");
	loop_timer_free(t.timer);
	loop_timer_free(t.other);
	loop_timer_free(NULL);
}

static void signalled(void *ctx)
{
	note(ctx, 's');
	loop_stop(loop);
}

static void test_signal(void **state)
{
	struct diary d = {0};
	struct loop_watch *watch;

	(void)state;
	assert_int_equal(loop_signal_new(&watch, loop, SIGUSR1, signalled, &d), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(raise(SIGUSR1), 0);
		run();
	}
	assert_string_equal(d.text, "ss");
	loop_watch_free(watch);
	loop_watch_free(NULL);
}

/* ---- streams ---- */

static const struct endpoint local4 = {.family = 4, .addr = {{127, 0, 0, 1}}};
static const struct endpoint local6 = {.family = 6, .addr = {{[15] = 1}}};

/* One end of a connection. */
struct end {
	struct loop_stream *stream;
	const char *name;
	struct diary diary;
	char why[64];
	uint8_t *got;
	size_t n, want, chunk;
	bool pause_after;
	char free_at; /* the event in which it frees its stream */
};

static void end_note(struct end *e, char c)
{
	note(&e->diary, c);
	loop_stop(loop);
	if (e->free_at == c) {
		loop_stream_free(e->stream);
		e->stream = NULL;
	}
}

static void end_connected(void *ctx)
{
	end_note(ctx, 'c');
}

static void end_input(void *ctx)
{
	struct end *e = ctx;
	size_t n, cap;

	loop_stop(loop);
	if (e->diary.n == 0 || e->diary.text[e->diary.n - 1] != 'i')
		note(&e->diary, 'i');
	if (e->free_at == 'i') {
		loop_stream_free(e->stream);
		e->stream = NULL;
		return;
	}
	do {
		cap = e->chunk && e->chunk < e->want - e->n ? e->chunk : e->want - e->n;
		n = loop_stream_read(e->stream, &e->got[e->n], cap);
		e->n += n;
	} while (n > 0 && e->n < e->want && !e->pause_after);
	if (e->pause_after)
		loop_stream_pause(e->stream, true);
}

static void end_drained(void *ctx)
{
	end_note(ctx, 'd');
}

static void end_closed(void *ctx, const char *why)
{
	struct end *e = ctx;

	snprintf(e->why, sizeof(e->why), "%s", why);
	end_note(e, 'x');
}

static const struct loop_stream_ops end_ops = {.connected = end_connected,
					       .input = end_input,
					       .drained = end_drained,
					       .closed = end_closed};

static void take(void *ctx, int fd, const struct endpoint *peer)
{
	struct end *e = ctx;

	assert_true(peer->port != 0);
	assert_int_equal(loop_stream_adopt(&e->stream, loop, fd, &end_ops, e), 0);
	loop_stop(loop);
}

/* Two connected ends; the listener is gone again. */
static void pair(struct end *client, struct end *server, const struct endpoint *at)
{
	struct loop_listener *listener;
	struct endpoint ep;

	assert_int_equal(loop_listen(&listener, loop, at, take, server, NULL), 0);
	loop_listener_address(listener, &ep);
	assert_int_equal(ep.family, at->family);
	assert_memory_equal(&ep.addr, &at->addr, sizeof(ep.addr));
	assert_int_not_equal(ep.port, 0);
	assert_int_equal(loop_connect(&client->stream, loop, &ep, GUARD_MS, &end_ops, client, NULL),
			 0);
	UNTIL(server->stream && client->diary.n > 0);
	loop_listener_free(listener);
}

static uint8_t *bulk(size_t n, uint32_t seed)
{
	uint8_t *p = malloc(n);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525 + 1013904223;
		p[i] = (uint8_t)(seed >> 24);
	}
	return p;
}

static void both_ways(const struct endpoint *at)
{
	struct end a = {.want = BULK, .got = malloc(BULK)};
	struct end b = {.want = BULK, .got = malloc(BULK), .chunk = 1000};
	uint8_t *out_a = bulk(BULK, 1), *out_b = bulk(BULK, 2);

	pair(&a, &b, at);
	assert_int_equal(loop_stream_write(a.stream, out_a, BULK), 0);
	assert_int_equal(loop_stream_write(b.stream, out_b, BULK), 0);
	assert_int_equal(loop_stream_pending(b.stream), BULK);
	UNTIL(a.n == BULK && b.n == BULK);
	assert_memory_equal(a.got, out_b, BULK);
	assert_memory_equal(b.got, out_a, BULK);
	loop_stream_free(a.stream);
	loop_stream_free(b.stream);
	free(a.got);
	free(b.got);
	free(out_a);
	free(out_b);
}

static void test_bulk_both_ways(void **state)
{
	(void)state;
	both_ways(&local4);
	both_ways(&local6);
}

struct accepted {
	struct loop_listener *listener;
	int flags, fd_flags, nodelay, n;
};

static void look_and_leave(void *ctx, int fd, const struct endpoint *peer)
{
	struct accepted *a = ctx;
	socklen_t len = sizeof(a->nodelay);
	struct end server = {0};

	assert_int_equal(peer->family, 4);
	a->n++;
	a->flags = fcntl(fd, F_GETFL);
	a->fd_flags = fcntl(fd, F_GETFD);
	assert_int_equal(loop_stream_adopt(&server.stream, loop, fd, &end_ops, &server), 0);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &a->nodelay, &len), 0);
	loop_stream_free(server.stream);
	loop_listener_free(a->listener); /* in its own callback */
	a->listener = NULL;
}

static void test_accepted_descriptor_and_free_of_listener(void **state)
{
	struct accepted a = {0};
	struct end client = {.got = (uint8_t[1]){0}, .want = 1};
	struct endpoint ep;

	(void)state;
	assert_int_equal(loop_listen(&a.listener, loop, &local4, look_and_leave, &a, NULL), 0);
	loop_listener_address(a.listener, &ep);
	assert_int_equal(loop_connect(&client.stream, loop, &ep, GUARD_MS, &end_ops, &client, NULL),
			 0);
	UNTIL(client.diary.n == 2);
	assert_int_equal(a.n, 1);
	assert_int_not_equal(a.flags & O_NONBLOCK, 0);
	assert_int_not_equal(a.fd_flags & FD_CLOEXEC, 0);
	assert_int_equal(a.nodelay, 1);
	assert_string_equal(client.diary.text, "cx");
	assert_string_equal(client.why, "closed by peer");
	assert_int_equal(loop_stream_write(client.stream, "x", 1), -EPIPE);
	loop_stream_free(client.stream);
	loop_stream_free(NULL);
	loop_listener_free(NULL);
}

static void test_both_families_on_one_port(void **state)
{
	struct loop_listener *v4, *v6, *twice = NULL;
	struct endpoint any4 = {.family = 4}, any6 = {.family = 6};
	struct err err = {""};

	(void)state;
	assert_int_equal(loop_listen(&v6, loop, &any6, take, NULL, &err), 0);
	loop_listener_address(v6, &any6);
	any4.port = any6.port;
	assert_int_equal(loop_listen(&v4, loop, &any4, take, NULL, &err), 0);
	assert_int_equal(loop_listen(&twice, loop, &any4, take, NULL, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "0.0.0.0:"));
	assert_null(twice);
	loop_listener_free(v4);
	loop_listener_free(v6);
}

/* A port that nobody listens at, kept by a bound socket. */
static int bound_socket(struct endpoint *ep)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	*ep = local4;
	ep->port = ntohs(sa.sin_port);
	return fd;
}

static void test_connect_refused(void **state)
{
	struct end client = {.free_at = 'x'};
	struct endpoint ep;
	int fd = bound_socket(&ep);

	(void)state;
	assert_int_equal(loop_connect(&client.stream, loop, &ep, GUARD_MS, &end_ops, &client, NULL),
			 0);
	UNTIL(client.diary.n > 0);
	assert_string_equal(client.diary.text, "x");
	assert_string_equal(client.why, "Connection refused");
	close(fd);
}

static void test_connect_times_out(void **state)
{
	struct end client = {0};
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct endpoint ep;
	int fd = bound_socket(&ep), filler[4];

	(void)state;
	/* With the queue of connections full the kernel answers no further one. */
	assert_int_equal(listen(fd, 0), 0);
	sa.sin_port = htons(ep.port);
	for (int i = 0; i < 4; i++) {
		filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(filler[i], (struct sockaddr *)&sa, sizeof(sa));
	}
	assert_int_equal(loop_connect(&client.stream, loop, &ep, 20, &end_ops, &client, NULL), 0);
	UNTIL(client.diary.n > 0);
	assert_string_equal(client.diary.text, "x");
	assert_string_equal(client.why, "timed out");
	loop_stream_free(client.stream);
	for (int i = 0; i < 4; i++)
		close(filler[i]);
	close(fd);
}

static void test_no_route_is_an_error_at_once(void **state)
{
	struct end client = {0};
	const struct endpoint nowhere = {.family = 4, .addr = {{255, 255, 255, 255}}, .port = 9};
	struct err err = {""};

	(void)state;
	/* TCP to the broadcast address: refused by the kernel itself. */
	assert_true(loop_connect(&client.stream, loop, &nowhere, GUARD_MS, &end_ops, &client,
				 &err) < 0);
	assert_non_null(strstr(err.text, "255.255.255.255:9"));
	assert_null(client.stream);
}

static void test_pause_keeps_input_and_tells_it_again(void **state)
{
	uint8_t got[4];
	struct end a = {0}, b = {.want = 4, .got = got, .chunk = 1};

	(void)state;
	pair(&a, &b, &local4);
	b.pause_after = true;
	assert_int_equal(loop_stream_write(a.stream, "abcd", 4), 0);
	/* One byte is taken at a time; the others are told again, though nothing new comes. */
	for (size_t n = 0; n < 4; n++) {
		loop_stream_pause(b.stream, false);
		UNTIL(b.n > n);
		assert_int_equal(b.n, n + 1);
	}
	assert_memory_equal(got, "abcd", 4);
	assert_int_equal(loop_stream_read(b.stream, got, sizeof(got)), 0);
	loop_stream_free(a.stream);
	loop_stream_free(b.stream);
}

static void next_turn(void *ctx)
{
	struct turn *t = ctx;

	loop_stop(loop);
	if (--t->left > 0)
		loop_timer_set(t->timer, 0);
}

static void test_unread_input_is_bounded(void **state)
{
	const size_t more = 16 * 1024 * 1024; /* than the kernel's two buffers hold */
	struct end a = {0}, b = {0};
	uint8_t *out = bulk(more, 3), *in = malloc(more);
	struct turn t = {.left = 1000};

	(void)state;
	pair(&a, &b, &local4);
	assert_int_equal(loop_stream_write(a.stream, out, more), 0);
	/* b takes nothing (`want` is 0). In a turn 16 KiB are read: in so many all would be, were
	 * there no bound. */
	assert_int_equal(loop_timer_new(&t.timer, loop, next_turn, &t), 0);
	loop_timer_set(t.timer, 0);
	UNTIL(t.left == 0);
	assert_true(loop_stream_pending(a.stream) > 0);
	assert_in_range(loop_stream_read(b.stream, in, more), 1, 64 * 1024);
	loop_timer_free(t.timer);
	loop_stream_free(a.stream);
	loop_stream_free(b.stream);
	free(out);
	free(in);
}

static void test_input_comes_before_closed(void **state)
{
	uint8_t got[8];
	struct end a = {.free_at = 'd'};
	struct end b = {.want = sizeof(got), .got = got};

	(void)state;
	pair(&a, &b, &local4);
	assert_int_equal(loop_stream_write(a.stream, "bye", 3), 0);
	UNTIL(b.diary.n == 2);
	assert_string_equal(a.diary.text, "cd");
	assert_string_equal(b.diary.text, "ix");
	assert_memory_equal(got, "bye", 3);
	loop_stream_free(b.stream);
}

/* Closing flushes what the kernel takes without waiting, though the loop had no turn for it. */
static void test_free_sends_the_last_word(void **state)
{
	uint8_t got[8];
	struct end a = {0}, b = {.want = sizeof(got), .got = got};

	(void)state;
	pair(&a, &b, &local4);
	assert_int_equal(loop_stream_write(a.stream, "last", 4), 0);
	loop_stream_free(a.stream);
	UNTIL(b.n == 4);
	assert_memory_equal(got, "last", 4);
	loop_stream_free(b.stream);
}

static void test_free_in_each_callback(void **state)
{
	uint8_t got[1];

	(void)state;
	for (const char *at = "cidx"; *at; at++) {
		struct end a = {.free_at = *at, .want = 1, .got = got};
		struct end b = {.want = 1, .got = got};

		pair(&a, &b, &local4);
		if (*at != 'c' && a.stream)
			assert_int_equal(loop_stream_write(a.stream, "x", 1), 0);
		assert_int_equal(loop_stream_write(b.stream, "y", 1), 0);
		if (*at == 'x') {
			loop_stream_free(b.stream);
			b.stream = NULL;
		}
		UNTIL(!a.stream);
		assert_int_equal(a.diary.text[a.diary.n - 1], *at);
		loop_stream_free(b.stream);
	}
}

static void raise_limit(void *ctx)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE, ctx), 0);
}

static void test_listener_outlives_lack_of_descriptors(void **state)
{
	struct rlimit before, tight;
	struct loop_listener *listener;
	struct loop_timer *relief;
	struct endpoint ep;
	struct end client = {0}, server = {0};
	int saved = dup(2), null = open("/dev/null", O_WRONLY | O_CLOEXEC), highest;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(loop_listen(&listener, loop, &local4, take, &server, NULL), 0);
	loop_listener_address(listener, &ep);
	assert_int_equal(loop_connect(&client.stream, loop, &ep, GUARD_MS, &end_ops, &client, NULL),
			 0);
	assert_int_equal(loop_timer_new(&relief, loop, raise_limit, &before), 0);
	dup2(null, 2); /* the warning that is due here */
	highest = dup(0);
	close(highest);
	tight = (struct rlimit){.rlim_cur = (rlim_t)highest, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	loop_timer_set(relief, 100);
	while (!server.stream && !hung)
		(void)loop_run(loop);
	dup2(saved, 2);
	assert_false(hung);
	assert_non_null(server.stream);
	close(saved);
	close(null);
	loop_timer_free(relief);
	loop_listener_free(listener);
	loop_stream_free(client.stream);
	loop_stream_free(server.stream);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_environment_is_ignored),
		T(test_broken_pipe_does_not_kill),
		T(test_stop_before_run),
		T(test_timer_of_0_ms_lets_input_go_first),
		T(test_timer_again_cancel_and_free_in_callback),
		T(test_signal),
		T(test_bulk_both_ways),
		T(test_accepted_descriptor_and_free_of_listener),
		T(test_both_families_on_one_port),
		T(test_connect_refused),
		T(test_connect_times_out),
		T(test_no_route_is_an_error_at_once),
		T(test_pause_keeps_input_and_tells_it_again),
		T(test_unread_input_is_bounded),
		T(test_input_comes_before_closed),
		T(test_free_sends_the_last_word),
		T(test_free_in_each_callback),
		T(test_listener_outlives_lack_of_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
