// SPDX-License-Identifier: Apache-2.0
/*
 * The event loop: timers, readable descriptors, signals, and buffered TCP streams. Home of
 * libevent.
 *
 * One thread. Callbacks run from loop_run() and may free the object they were called for. EVENT_*
 * variables of the environment are ignored. All handles are given to the caller, who frees them
 * before the loop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/addr.h"
#include "platform/err.h"

struct loop;
struct loop_timer;
struct loop_watch;
struct loop_listener;
struct loop_stream;

typedef void loop_fn(void *ctx);

int loop_new(struct loop **ret, struct err *err);
void loop_free(struct loop *loop);
/* Returns when loop_stop() was called: 0, or -errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* One-shot timer; not armed at first. loop_timer_set() (milliseconds) arms it anew, also from its
 * own callback; 0 ms means: in the next turn of the loop, after pending input. */
int loop_timer_new(struct loop_timer **ret, struct loop *loop, loop_fn *fn, void *ctx);
void loop_timer_set(struct loop_timer *timer, uint32_t ms);
void loop_timer_cancel(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);

/* Calls `fn` in each turn in which `fd` (borrowed) is readable. */
int loop_watch_new(struct loop_watch **ret, struct loop *loop, int fd, loop_fn *fn, void *ctx);
void loop_watch_free(struct loop_watch *watch);

/* As loop_watch_new, for a signal. */
int loop_signal_new(struct loop_watch **ret, struct loop *loop, int signo, loop_fn *fn, void *ctx);

/* What a stream tells its owner. `closed` comes once and last: the owner calls loop_stream_free().
 * Input not yet taken can still be read in it. */
struct loop_stream_ops {
	void (*connected)(void *ctx); /* outgoing streams only */
	void (*input)(void *ctx);     /* bytes can be taken by loop_stream_read() */
	void (*drained)(void *ctx);   /* everything written was handed to the kernel */
	void (*closed)(void *ctx,
		       const char *why); /* end of file ("closed by peer"), error or time-out */
};

/* Starts a TCP connection; `closed` comes after `timeout_ms` without success (0: no limit but the
 * kernel's). What the kernel refuses at once (no route, no permission) is an error here. */
int loop_connect(struct loop_stream **ret, struct loop *loop, const struct endpoint *peer,
		 uint32_t timeout_ms, const struct loop_stream_ops *ops, void *ctx,
		 struct err *err);

/* The address and port that the kernel chose for this end. False: it is closed. */
bool loop_stream_local(const struct loop_stream *stream, struct endpoint *ret);

/* Takes ownership of `fd`, a connected non-blocking socket from a listener. */
int loop_stream_adopt(struct loop_stream **ret, struct loop *loop, int fd,
		      const struct loop_stream_ops *ops, void *ctx);

/* Copies up to `cap` bytes out of the input; 0 when there are none now. */
size_t loop_stream_read(struct loop_stream *stream, void *out, size_t cap);
/* Queues a copy of the bytes. The queue has no bound of its own: look at loop_stream_pending()
 * before. */
int loop_stream_write(struct loop_stream *stream, const void *bytes, size_t len);
size_t loop_stream_pending(const struct loop_stream *stream);
/* Stops (or goes on) reading the socket: back-pressure by TCP. At most 64 KiB of unread input is
 * kept. */
void loop_stream_pause(struct loop_stream *stream, bool pause);
/* Closes at once; what the kernel does not take without waiting is lost. NULL is fine. */
void loop_stream_free(struct loop_stream *stream);

/* `accepted` takes ownership of the descriptor (non-blocking, close-on-exec). */
typedef void loop_accept_fn(void *ctx, int fd, const struct endpoint *peer);
int loop_listen(struct loop_listener **ret, struct loop *loop, const struct endpoint *at,
		loop_accept_fn *accepted, void *ctx, struct err *err);
/* The same for a socket that listens: socket_listen(). Takes it, also on failure. */
int loop_listener_adopt(struct loop_listener **ret, struct loop *loop, int fd,
			loop_accept_fn *accepted, void *ctx, struct err *err);
/* The address listened at: the port chosen when port 0 was asked for. */
void loop_listener_address(const struct loop_listener *listener, struct endpoint *ret);
void loop_listener_free(struct loop_listener *listener);
