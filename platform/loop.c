// SPDX-License-Identifier: Apache-2.0
/*
 * The event loop on libevent 2.1: event_base for timers, descriptors and signals, bufferevents for
 * streams.
 *
 * Every callback into the owner is the last thing its trampoline does: the owner may have freed the
 * object in it.
 */
#include "platform/loop.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "platform/log.h"
#include "platform/socket.h"

enum {
	LOOP_DEAD_S = 20,
	LOOP_INPUT_MAX = 64 * 1024, /* unread input kept for a stream */
	LOOP_ACCEPT_PAUSE_MS = 1000 /* after accept() found no free descriptor or memory */
};

struct loop {
	struct event_base *base;
	bool stop;
};

struct loop_timer {
	struct event *event;
	loop_fn *fn;
	void *ctx;
};

struct loop_watch {
	struct event *event;
	loop_fn *fn;
	void *ctx;
};

struct loop_listener {
	struct event *readable;
	struct loop_timer *again;
	struct endpoint at;
	int fd;
	loop_accept_fn *accepted;
	void *ctx;
};

struct loop_stream {
	struct bufferevent *bev;
	const struct loop_stream_ops *ops;
	void *ctx;
	bool connected;
	bool paused;
	bool closed;
};

/* ---- loop ---- */

int loop_new(struct loop **ret, struct err *err)
{
	struct event_config *config = event_config_new();
	struct loop *loop = calloc(1, sizeof(*loop));

	/* The one variable that libevent heeds in spite of the flag: it would write to standard
	 * error. */
	(void)unsetenv("EVENT_SHOW_METHOD");
	if (config && loop && event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV) == 0)
		loop->base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	if (!loop || !loop->base) {
		free(loop);
		return err_set(err, -ENOMEM,
			       "cannot make an event loop: out of memory or descriptors");
	}
	/* A peer that went away is an error of the write, not the end of the program. */
	(void)signal(SIGPIPE, SIG_IGN);
	*ret = loop;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	/* A stream freed while a callback of it was put off lives on in libevent until that has had
	 * its turn. */
	(void)event_base_loop(loop->base, EVLOOP_NONBLOCK);
	event_base_free(loop->base);
	free(loop);
}

int loop_run(struct loop *loop)
{
	int rc = 0;

	while (!loop->stop && rc == 0) {
		errno = 0;
		if (event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
			rc = errno ? -errno : -EIO;
	}
	loop->stop = false;
	return rc;
}

void loop_stop(struct loop *loop)
{
	/* The flag holds also when the loop does not run yet: libevent forgets a break asked for
	 * before its start. */
	loop->stop = true;
	(void)event_base_loopbreak(loop->base);
}

/* ---- timers, descriptors, signals ---- */

static void timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *timer = arg;

	(void)fd;
	(void)what;
	timer->fn(timer->ctx);
}

int loop_timer_new(struct loop_timer **ret, struct loop *loop, loop_fn *fn, void *ctx)
{
	struct loop_timer *timer = malloc(sizeof(*timer));

	if (!timer)
		return -ENOMEM;
	*timer = (struct loop_timer){.fn = fn, .ctx = ctx};
	timer->event = evtimer_new(loop->base, timer_fired, timer);
	if (!timer->event) {
		free(timer);
		return -ENOMEM;
	}
	*ret = timer;
	return 0;
}

void loop_timer_set(struct loop_timer *timer, uint32_t ms)
{
	const struct timeval tv = {.tv_sec = (time_t)(ms / 1000),
				   .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	/* 0 ms: libevent polls before it looks at the timers, so descriptors ready now come first.
	 */
	(void)evtimer_add(timer->event, &tv);
}

void loop_timer_cancel(struct loop_timer *timer)
{
	(void)evtimer_del(timer->event);
}

void loop_timer_free(struct loop_timer *timer)
{
	if (!timer)
		return;
	event_free(timer->event);
	free(timer);
}

static void watch_fired(evutil_socket_t fd, short what, void *arg)
{
	struct loop_watch *watch = arg;

	(void)fd;
	(void)what;
	watch->fn(watch->ctx);
}

static int watch_new(struct loop_watch **ret, struct loop *loop, int fd, short what, loop_fn *fn,
		     void *ctx)
{
	struct loop_watch *watch = malloc(sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	*watch = (struct loop_watch){.fn = fn, .ctx = ctx};
	watch->event = event_new(loop->base, fd, (short)(what | EV_PERSIST), watch_fired, watch);
	if (!watch->event || event_add(watch->event, NULL) != 0) {
		loop_watch_free(watch);
		return -ENOMEM;
	}
	*ret = watch;
	return 0;
}

int loop_watch_new(struct loop_watch **ret, struct loop *loop, int fd, loop_fn *fn, void *ctx)
{
	return watch_new(ret, loop, fd, EV_READ, fn, ctx);
}

int loop_signal_new(struct loop_watch **ret, struct loop *loop, int signo, loop_fn *fn, void *ctx)
{
	return watch_new(ret, loop, signo, EV_SIGNAL, fn, ctx);
}

void loop_watch_free(struct loop_watch *watch)
{
	if (!watch)
		return;
	if (watch->event)
		event_free(watch->event);
	free(watch);
}

/* ---- sockets ---- */

static int socket_open(const struct endpoint *ep)
{
	return socket(ep->family == 6 ? AF_INET6 : AF_INET,
		      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int socket_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

/* ---- streams ---- */

static void stream_readable(struct bufferevent *bev, void *arg)
{
	struct loop_stream *stream = arg;

	/* A call put off by loop_stream_pause() may find that all was taken meanwhile. */
	if (!stream->paused && evbuffer_get_length(bufferevent_get_input(bev)) > 0)
		stream->ops->input(stream->ctx);
}

static void stream_drained(struct bufferevent *bev, void *arg)
{
	struct loop_stream *stream = arg;

	(void)bev;
	if (stream->ops->drained)
		stream->ops->drained(stream->ctx);
}

static void stream_event(struct bufferevent *bev, short what, void *arg)
{
	struct loop_stream *stream = arg;
	int error = errno; /* libevent leaves the socket's error here */
	const char *why;

	if (what & BEV_EVENT_CONNECTED) {
		stream->connected = true;
		(void)bufferevent_set_timeouts(bev, NULL, NULL);
		if (!stream->paused)
			(void)bufferevent_enable(bev, EV_READ);
		if (stream->ops->connected)
			stream->ops->connected(stream->ctx);
		return;
	}
	stream->closed = true;
	bufferevent_setcb(bev, NULL, NULL, NULL, NULL);
	(void)bufferevent_disable(bev, EV_READ | EV_WRITE);
	if (what & BEV_EVENT_EOF)
		why = "closed by peer";
	else if (what & BEV_EVENT_TIMEOUT)
		why = "timed out";
	else
		why = strerror(error ? error : ECONNRESET);
	stream->ops->closed(stream->ctx, why);
}

/* Takes `fd`, also on failure. */
static struct loop_stream *stream_new(struct loop *loop, int fd, const struct loop_stream_ops *ops,
				      void *ctx)
{
	struct loop_stream *stream = malloc(sizeof(*stream));
	struct bufferevent *bev = bufferevent_socket_new(loop->base, fd, BEV_OPT_CLOSE_ON_FREE);

	if (!stream || !bev) {
		free(stream);
		if (bev)
			bufferevent_free(bev);
		else
			close(fd);
		return NULL;
	}
	*stream = (struct loop_stream){.bev = bev, .ops = ops, .ctx = ctx};
	bufferevent_setwatermark(bev, EV_READ, 0, LOOP_INPUT_MAX);
	bufferevent_setcb(bev, stream_readable, stream_drained, stream_event, stream);
	/* Acknowledgements and heartbeats are small and must not wait for one another. */
	(void)socket_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	/* A peer that is gone without a word is found within LOOP_DEAD_S, silent or not (tcp(7)). */
	(void)socket_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	(void)socket_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, LOOP_DEAD_S / 2);
	(void)socket_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, LOOP_DEAD_S / 4);
	(void)socket_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 2);
	(void)socket_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, LOOP_DEAD_S * 1000);
	return stream;
}

int loop_connect(struct loop_stream **ret, struct loop *loop, const struct endpoint *peer,
		 uint32_t timeout_ms, const struct loop_stream_ops *ops, void *ctx, struct err *err)
{
	const struct timeval tv = {.tv_sec = (time_t)(timeout_ms / 1000),
				   .tv_usec = (suseconds_t)(timeout_ms % 1000 * 1000)};
	char text[ADDR_ENDPOINT_TEXT];
	union socket_address sa;
	socklen_t len = socket_address_of(&sa, peer);
	struct loop_stream *stream;
	int fd = socket_open(peer);
	int rc;

	if (fd < 0)
		return err_errno(err, "cannot open a socket");
	/* EINTR: the kernel goes on connecting, as with EINPROGRESS. */
	if (connect(fd, &sa.any, len) != 0 && errno != EINPROGRESS && errno != EINTR) {
		rc = err_errno(err, "cannot connect to %s", endpoint_text(text, peer));
		close(fd);
		return rc;
	}
	stream = stream_new(loop, fd, ops, ctx);
	if (!stream)
		return err_set(err, -ENOMEM, "out of memory for a connection");
	if (bufferevent_set_timeouts(stream->bev, NULL, timeout_ms ? &tv : NULL) != 0 ||
	    bufferevent_socket_connect(stream->bev, NULL, 0) != 0) {
		loop_stream_free(stream);
		return err_set(err, -ENOMEM, "out of memory for a connection");
	}
	*ret = stream;
	return 0;
}

bool loop_stream_local(const struct loop_stream *stream, struct endpoint *ret)
{
	union socket_address sa;
	socklen_t len = sizeof sa;

	if (getsockname(bufferevent_getfd(stream->bev), &sa.any, &len) != 0)
		return false;
	*ret = socket_endpoint(&sa);
	return true;
}

int loop_stream_adopt(struct loop_stream **ret, struct loop *loop, int fd,
		      const struct loop_stream_ops *ops, void *ctx)
{
	struct loop_stream *stream = stream_new(loop, fd, ops, ctx);

	if (!stream)
		return -ENOMEM;
	stream->connected = true;
	/* Writing is enabled from the start; to enable it anew would tell `drained` for nothing
	 * written. */
	if (bufferevent_enable(stream->bev, EV_READ) != 0) {
		loop_stream_free(stream);
		return -ENOMEM;
	}
	*ret = stream;
	return 0;
}

size_t loop_stream_read(struct loop_stream *stream, void *out, size_t cap)
{
	int n = evbuffer_remove(bufferevent_get_input(stream->bev), out, cap);

	return n > 0 ? (size_t)n : 0;
}

int loop_stream_write(struct loop_stream *stream, const void *bytes, size_t len)
{
	if (stream->closed)
		return -EPIPE;
	return bufferevent_write(stream->bev, bytes, len) == 0 ? 0 : -ENOMEM;
}

size_t loop_stream_pending(const struct loop_stream *stream)
{
	return evbuffer_get_length(bufferevent_get_output(stream->bev));
}

void loop_stream_pause(struct loop_stream *stream, bool pause)
{
	stream->paused = pause;
	if (stream->closed || !stream->connected)
		return;
	if (pause) {
		(void)bufferevent_disable(stream->bev, EV_READ);
		return;
	}
	(void)bufferevent_enable(stream->bev, EV_READ);
	/* What came before the pause has had its callback; the owner waits for another one. */
	if (evbuffer_get_length(bufferevent_get_input(stream->bev)) > 0)
		bufferevent_trigger(stream->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
}

void loop_stream_free(struct loop_stream *stream)
{
	struct evbuffer *out;

	if (!stream)
		return;
	/* A last word (a TLS alert, a farewell) still goes out if the kernel takes it without
	 * waiting. */
	out = bufferevent_get_output(stream->bev);
	if (stream->connected && !stream->closed && evbuffer_get_length(out) > 0) {
		(void)evbuffer_unfreeze(out, 1);
		(void)evbuffer_write(out, bufferevent_getfd(stream->bev));
	}
	bufferevent_free(stream->bev);
	free(stream);
}

/* ---- listeners ---- */

static void listener_again(void *ctx)
{
	struct loop_listener *listener = ctx;

	(void)event_add(listener->readable, NULL);
}

/* One connection a turn: the listener may be freed by the callback, and established streams get
 * their share. */
static void listener_readable(evutil_socket_t at, short what, void *arg)
{
	struct loop_listener *listener = arg;
	union socket_address sa = {0};
	socklen_t len = sizeof(sa);
	struct endpoint peer;
	int fd = accept4(at, &sa.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (fd >= 0) {
		peer = socket_endpoint(&sa);
		listener->accepted(listener->ctx, fd, &peer);
		return;
	}
	/* Else the connection waiting would wake the loop in every turn. */
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		log_warn("loop", "no connection taken for %d ms: %s", LOOP_ACCEPT_PAUSE_MS,
			 strerror(errno));
		(void)event_del(listener->readable);
		loop_timer_set(listener->again, LOOP_ACCEPT_PAUSE_MS);
	}
}

int loop_listener_adopt(struct loop_listener **ret, struct loop *loop, int fd,
			loop_accept_fn *accepted, void *ctx, struct err *err)
{
	struct loop_listener *listener = malloc(sizeof(*listener));
	union socket_address sa = {0};
	socklen_t len = sizeof(sa);

	if (!listener) {
		(void)close(fd);
		return err_set(err, -ENOMEM, "out of memory for a listener");
	}
	*listener = (struct loop_listener){.fd = fd, .accepted = accepted, .ctx = ctx};
	(void)getsockname(fd, &sa.any, &len);
	listener->at = socket_endpoint(&sa);
	listener->readable =
		event_new(loop->base, fd, EV_READ | EV_PERSIST, listener_readable, listener);
	if (!listener->readable || event_add(listener->readable, NULL) != 0 ||
	    loop_timer_new(&listener->again, loop, listener_again, listener) != 0) {
		loop_listener_free(listener);
		return err_set(err, -ENOMEM, "out of memory for a listener");
	}
	*ret = listener;
	return 0;
}

int loop_listen(struct loop_listener **ret, struct loop *loop, const struct endpoint *at,
		loop_accept_fn *accepted, void *ctx, struct err *err)
{
	struct endpoint bound;
	int fd, rc = socket_listen(&fd, at, &bound, err);

	return rc < 0 ? rc : loop_listener_adopt(ret, loop, fd, accepted, ctx, err);
}

void loop_listener_address(const struct loop_listener *listener, struct endpoint *ret)
{
	*ret = listener->at;
}

void loop_listener_free(struct loop_listener *listener)
{
	if (!listener)
		return;
	loop_timer_free(listener->again);
	if (listener->readable)
		event_free(listener->readable);
	if (listener->fd >= 0)
		close(listener->fd);
	free(listener);
}
