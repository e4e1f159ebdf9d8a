// SPDX-License-Identifier: Apache-2.0
/*
 * session, host: what interfaces the machine has, which of them are captured, and what their counters say: packets
 * went by before the first look, or go by where nobody looks.
 */
#include "sensor/session_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/log.h"

enum { HOST_LINKS_MAX = 64, TELL_S = 60, LOOK_MS = 2000 };

/* An interface as it was last seen. */
struct known {
	struct nic_link link;
	bool present;
};

struct session_host {
	struct known known[HOST_LINKS_MAX];
	size_t n;
	uint64_t looked_ms, told_s;
	bool look_is_first;
};

/* What a look needs. */
struct look {
	struct session *session;
	bool tell; /* every interface, not only what changed */
	size_t seen;
};

static int64_t bits_of(const struct session *s, const struct nic_link *link)
{
	int64_t bits = link->up ? BATCH_INTERFACE_UP : 0;

	for (uint16_t i = 0; i < s->n_captures; i++)
		/* The device "any" has no number and shows all. */
		if (s->interfaces[i].index == link->index || s->interfaces[i].index == 0)
			bits |= BATCH_INTERFACE_CAPTURED;
	return bits;
}

static void tell(struct session *s, enum batch_event_kind kind, const struct nic_link *link,
		 int64_t bits)
{
	session_stream_event(s, kind, link->name, 4,
			     (const int64_t[]){link->index, bits,
					       link->known ? (int64_t)link->rx_packets : -1,
					       link->known ? (int64_t)link->tx_packets : -1});
}

static struct known *find(struct session_host *h, uint32_t index)
{
	struct known *free_one = NULL;

	for (size_t i = 0; i < h->n; i++) {
		if (h->known[i].link.index == index)
			return &h->known[i];
		if (!h->known[i].link.index)
			free_one = &h->known[i];
	}
	if (!free_one && h->n < HOST_LINKS_MAX)
		free_one = &h->known[h->n++];
	return free_one;
}

static void on_link(void *ctx, const struct nic_link *link)
{
	struct look *look = ctx;
	struct session *s = look->session;
	struct known *k = find(s->host, link->index);
	bool changed = k && (k->link.index != link->index || k->link.up != link->up);

	look->seen++;
	if (!k) { /* more than are remembered: told each minute, their changes not */
		if (look->tell)
			tell(s, BATCH_EVENT_INTERFACE, link, bits_of(s, link));
		return;
	}
	if (changed && !s->host->look_is_first) {
		tell(s, BATCH_EVENT_LINK, link, bits_of(s, link));
		log_info("host", "interface %s is %s", link->name, link->up ? "up" : "down");
	}
	k->link = *link;
	k->present = true;
}

/* True when all was told. */
static bool look_at(struct session *s, bool every)
{
	struct look look = {.session = s, .tell = every};
	struct session_host *h = s->host;

	for (size_t i = 0; i < h->n; i++)
		h->known[i].present = false;
	if (nic_each(s->nic, on_link, &look) != 0)
		return false; /* it changed meanwhile: the next look tells */
	for (size_t i = 0; i < h->n; i++) {
		if (h->known[i].present || !h->known[i].link.index)
			continue;
		tell(s, BATCH_EVENT_LINK, &h->known[i].link, -1);
		log_info("host", "interface %s is gone", h->known[i].link.name);
		h->known[i].link.index = 0;
	}
	/* Told when all have been seen: a look that the kernel interrupts would tell some of them twice. */
	for (size_t i = 0; every && i < h->n; i++)
		if (h->known[i].link.index)
			tell(s, BATCH_EVENT_INTERFACE, &h->known[i].link,
			     bits_of(s, &h->known[i].link));
	if (every)
		session_stream_event(s, BATCH_EVENT_HOST, NULL, 2,
				     (const int64_t[]){(int64_t)(clock_uptime_ns() / NS_PER_S),
						       (int64_t)look.seen});
	return true;
}

int session_host_new(struct session *s, struct err *err)
{
	s->host = calloc(1, sizeof *s->host);
	if (!s->host)
		return err_set(err, -ENOMEM, "no memory for the interfaces of the host");
	s->host->look_is_first = true;
	return 0;
}

void session_host_tell(struct session *s)
{
	uint64_t now_ns = clock_mono_ns();

	if (!look_at(s, true))
		return;
	s->host->look_is_first = false;
	s->host->told_s = now_ns / NS_PER_S;
	s->host->looked_ms = now_ns / NS_PER_MS;
}

void session_host_tick(struct session *s)
{
	uint64_t now_ns = clock_mono_ns();

	if (now_ns / NS_PER_S - s->host->told_s >= TELL_S) {
		session_host_tell(s);
	} else if (now_ns / NS_PER_MS - s->host->looked_ms >= LOOK_MS) {
		s->host->looked_ms = now_ns / NS_PER_MS;
		(void)look_at(s, false);
	}
}

void session_host_free(struct session *s)
{
	free(s->host);
}
