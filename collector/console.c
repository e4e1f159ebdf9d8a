// SPDX-License-Identifier: Apache-2.0
/*
 * The console. Times are UTC, as in the records.
 */
#include "collector/console.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/finding.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/log.h"
#include "platform/nic.h"

enum {
	LINE_BYTES = 512, /* below PIPE_BUF: a pipe that polls writable takes it whole */
	DAY_S = 86400,
	CLOCK_SKEW_S = 2, /* a difference of clocks that is told */
};

struct console {
	int fd;
	uint64_t left_out;
};

/* Losses told so far, of one stream. */
struct told {
	uint64_t kernel[WIRE_INTERFACES_MAX], nic[WIRE_INTERFACES_MAX];
	uint64_t allowances[WIRE_INTERFACES_MAX][BATCH_ALLOWANCES];
	int64_t residual[WIRE_INTERFACES_MAX];
};

int console_new(struct console **ret, int fd)
{
	struct console *console = calloc(1, sizeof *console);

	if (!console)
		return -ENOMEM;
	console->fd = fd;
	*ret = console;
	return 0;
}

void console_free(struct console *console)
{
	free(console);
}

/* ---- lines ---- */

static void put(struct console *console, char *line, size_t len)
{
	struct pollfd out = {.fd = console->fd, .events = POLLOUT};

	if (console->fd < 0)
		return;
	if (poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT)) {
		if (out.revents & (POLLERR | POLLHUP | POLLNVAL))
			console->fd = -1; /* nobody reads any more */
		console->left_out++;
		return;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		if (c < 0x20 || c == 0x7f)
			line[i] = '?';
	}
	line[len] = '\n';
	if (file_write(console->fd, line, len + 1) < 0)
		console->fd = -1;
}

__attribute__((format(printf, 2, 3))) static void say(struct console *console, const char *fmt, ...)
{
	char line[LINE_BYTES + 1];
	va_list args;
	int n;

	if (console->left_out > 0 && console->fd >= 0) {
		uint64_t count = console->left_out;

		console->left_out = 0;
		n = snprintf(line, LINE_BYTES, "(%" PRIu64 " lines were left out here)", count);
		put(console, line, (size_t)n);
		if (console->left_out > 0) /* this one too: it is none of them */
			console->left_out = count;
	}
	va_start(args, fmt);
	n = vsnprintf(line, LINE_BYTES, fmt, args);
	va_end(args);
	if (n > 0)
		put(console, line, n < LINE_BYTES ? (size_t)n : LINE_BYTES - 1);
}

/* A line that is told also when the console is quiet: then by the log. */
__attribute__((format(printf, 2, 3))) static void warn(struct console *console, const char *fmt,
						       ...)
{
	char text[LINE_BYTES];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	if (console->fd >= 0)
		say(console, "%s", text);
	else
		log_warn("console", "%s", text);
}

/* "12:05", or with seconds "12:05:07"; with the day before it for a replay: its times are of
 * another day. */
static const char *time_of(char out[static CLOCK_TEXT], uint64_t unix_s, bool day, bool seconds)
{
	char text[CLOCK_TEXT];
	char *t;

	(void)clock_text(text, unix_s);
	t = strchr(text, 'T');
	if (!t || strlen(t) < 9) {
		(void)snprintf(out, CLOCK_TEXT, "%s", text);
		return out;
	}
	*t = ' ';
	t[seconds ? 9 : 6] = '\0';
	(void)snprintf(out, CLOCK_TEXT, "%s", day ? text : t + 1);
	return out;
}

/* ---- events ---- */

/* How frames were counted that are longer than the wire's packets. */
static void say_link(struct console *console, const struct wire_hello *hello, size_t i)
{
	const struct wire_link *link = &hello->links[i];
	char text[NIC_OFFLOAD_TEXT];

	if (!link->features_known)
		return;
	if (link->offload == WIRE_OFFLOAD_AS_IS && link->features)
		warn(console,
		     "%s  WARNING %s: offload %s is on, and frames are counted as they are",
		     hello->sensor, hello->interfaces[i].interface,
		     nic_offload_text(text, link->features));
	else
		say(console, "%s  %s: offload %s; wire packets %s", hello->sensor,
		    hello->interfaces[i].interface, nic_offload_text(text, link->features),
		    link->offload == WIRE_OFFLOAD_KERNEL     ? "as the kernel says"
		    : link->offload == WIRE_OFFLOAD_ESTIMATE ? "estimated"
							     : "as frames");
}

static void *joined(void *ctx, const struct ingest_stream *stream)
{
	struct console *console = ctx;
	const struct wire_hello *hello = stream->hello;
	uint64_t sensor_s = hello->clock_ns / NS_PER_S, now_s = clock_wall_ns() / NS_PER_S;

	say(console, "%s  connected from %s, %s, build %s", hello->sensor, stream->peer,
	    hello->is_replay ? "replay of a capture file" : "live", hello->build);
	if (sensor_s > now_s + CLOCK_SKEW_S || now_s > sensor_s + CLOCK_SKEW_S)
		warn(console, "%s  WARNING its clock is %" PRIu64 " s %s ours", hello->sensor,
		     sensor_s > now_s ? sensor_s - now_s : now_s - sensor_s,
		     sensor_s > now_s ? "ahead of" : "behind");
	if (hello->dates_wrong)
		warn(console, "%s  WARNING its clock lies outside the dates of our certificate",
		     hello->sensor);
	for (size_t i = 0; i < hello->n_interfaces && !hello->is_replay; i++)
		say_link(console, hello, i);
	return calloc(1, sizeof(struct told));
}

static void left(void *ctx, const struct ingest_stream *stream, bool goodbye, const char *why)
{
	struct console *console = ctx;

	if (goodbye)
		say(console, "%s  left after its goodbye", stream->hello->sensor);
	else
		warn(console, "%s  left without goodbye: %s", stream->hello->sensor, why);
	free(stream->of_sink);
}

static void say_totals(struct console *console, const struct wire_hello *hello,
		       const struct keep_totals *totals)
{
	uint64_t window = hello->window_s;
	uint64_t from = totals->first / window * window;
	uint64_t to = (totals->last + window - 1) / window * window;
	char begin[CLOCK_TEXT], end[CLOCK_TEXT];

	if (to == from)
		to += window;
	(void)time_of(begin, from, hello->is_replay, false);
	(void)time_of(end, to, false, false);
	if (totals->records > 0)
		say(console,
		    "%s  %" PRIu64 " records  %" PRIu64 " packets  %" PRIu64 " bytes  window %s-%s",
		    hello->sensor, totals->records, totals->packets, totals->bytes, begin, end);
	else if (totals->nodata > 0)
		say(console, "%s  no traffic  window %s-%s", hello->sensor, begin, end);
	if (totals->skipped > 0)
		warn(console, "%s  WARNING packets were lost in the window %s-%s", hello->sensor,
		     begin, end);
}

static void say_alert(struct console *console, const struct wire_hello *hello,
		      const struct batch_alert *alert)
{
	bool inbound = alert->verdict == FLOWREC_UNEXPECTED_INBOUND;
	const struct addr *from = inbound ? &alert->remote : &alert->local;
	struct endpoint to = {.addr = inbound ? alert->local : alert->remote,
			      .port = inbound ? alert->local_port : alert->remote_port,
			      .family = alert->family};
	char source[ADDR_TEXT], target[ADDR_ENDPOINT_TEXT], when[CLOCK_TEXT], more[64] = "";
	char protocol[FINDING_PROTOCOL_TEXT];

	if (alert->verdict != FLOWREC_UNEXPECTED_EGRESS && !inbound)
		return;
	if (to.port == 0) /* ICMP, and protocols without ports */
		(void)addr_text(target, to.family, &to.addr);
	else
		(void)endpoint_text(target, &to);
	if (alert->suppressed > 0)
		(void)snprintf(more, sizeof more, "  (%" PRIu64 " before it were too many to tell)",
			       alert->suppressed);
	warn(console, "%s UNEXPECTED %s  %s %s  %s -> %s %s%s",
	     time_of(when, alert->time_ns / NS_PER_S, hello->is_replay, true),
	     inbound ? "INBOUND" : "EGRESS", hello->sensor,
	     hello->interfaces[alert->iface].interface, addr_text(source, alert->family, from),
	     target, finding_protocol_text(protocol, alert->protocol), more);
}

static void say_account(struct console *console, const struct wire_hello *hello, struct told *told,
			const struct batch_account *account)
{
	const char *interface = hello->interfaces[account->iface].interface;
	int64_t residual = batch_account_residual(account);
	uint16_t i = account->iface;

	if (residual != told->residual[i])
		warn(console,
		     "%s  WARNING %s: %" PRId64 " of %" PRIu64 " frames are not accounted for",
		     hello->sensor, interface, residual, account->received);
	if (account->kernel_dropped > told->kernel[i])
		warn(console, "%s  WARNING %s: the kernel dropped %" PRIu64 " packets",
		     hello->sensor, interface, account->kernel_dropped - told->kernel[i]);
	for (unsigned a = 0; account->allowances_known && a < BATCH_ALLOWANCES; a++) {
		static const char *const names[BATCH_ALLOWANCES] = {
			[NIC_BW_IN] = "bw-in",
			[NIC_BW_OUT] = "bw-out",
			[NIC_PPS] = "pps",
			[NIC_CONNTRACK] = "conntrack",
			[NIC_LINKLOCAL] = "linklocal",
		};

		if (account->allowances[a] > told->allowances[i][a])
			warn(console,
			     "%s  WARNING %s: %" PRIu64
			     " packets exceeded the instance's allowance %s",
			     hello->sensor, interface,
			     account->allowances[a] - told->allowances[i][a], names[a]);
		told->allowances[i][a] = account->allowances[a];
	}
	if (account->nic_dropped > told->nic[i])
		warn(console, "%s  WARNING %s: the network card dropped %" PRIu64 " packets",
		     hello->sensor, interface, account->nic_dropped - told->nic[i]);
	told->residual[i] = residual;
	if (account->kernel_known)
		told->kernel[i] = account->kernel_dropped;
	if (account->nic_known)
		told->nic[i] = account->nic_dropped;
}

static void took_batch(void *ctx, const struct ingest_stream *stream, const struct batch *batch,
		       const struct keep_totals *totals)
{
	struct console *console = ctx;
	const struct wire_hello *hello = stream->hello;
	const struct batch_account *accounts;
	const struct batch_alert *alerts;
	size_t n;

	alerts = batch_alert_list(batch, &n);
	for (size_t i = 0; i < n; i++)
		say_alert(console, hello, &alerts[i]);
	if (totals->records + totals->nodata + totals->skipped > 0)
		say_totals(console, hello, totals);
	accounts = batch_account_list(batch, &n);
	for (size_t i = 0; i < n && stream->of_sink; i++)
		say_account(console, hello, stream->of_sink, &accounts[i]);
}

static void took_gap(void *ctx, const struct ingest_stream *stream, const struct batch_gap *gap)
{
	struct console *console = ctx;

	warn(console,
	     "%s  WARNING %s: batches %" PRIu64 " to %" PRIu64 " do not come, %" PRIu64
	     " records of %" PRIu64 " packets",
	     stream->hello->sensor,
	     gap->elsewhere ? "another collector has a part" : "its spool was full", gap->first,
	     gap->last, gap->records, gap->packets);
}

const struct ingest_sink console_sink = {joined, took_batch, took_gap, left};

void console_certificate(struct console *console, uint64_t ends_s, uint64_t now_s)
{
	const uint64_t days = (ends_s > now_s ? ends_s - now_s : now_s - ends_s) / DAY_S;
	char text[CLOCK_TEXT];

	if (ends_s < now_s)
		warn(console,
		     "WARNING the collector's certificate ended %s, %" PRIu64
		     " days ago: what it signs now is broken for an audit, and sensors complain; "
		     "give it a new one and start it again",
		     clock_text(text, ends_s), days);
	else
		warn(console,
		     "WARNING the collector's certificate ends %s, in %" PRIu64
		     " days: what it signs after that is broken for an audit; give it a new one "
		     "and "
		     "start it again",
		     clock_text(text, ends_s), days);
}
