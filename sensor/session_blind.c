// SPDX-License-Identifier: Apache-2.0
/*
 * session, blinding: looks at the start, each --blind-s seconds and at the end for what may stand between the packets and the
 * capture, and tells each thing at once. What must be opened is opened before the sandbox; whose a socket is, and
 * which eBPF programs there are, is known of the start alone.
 */
#include "sensor/session_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/config.h"
#include "platform/log.h"
#include "platform/taps.h"
#include "sensor/blind.h"
#include "sensor/session.h"

enum {
	OWNERS_MAX = 32,
	PROGRAMS_MAX = 8,
	TAKE_TURN = 2,  /* after which the kernel has handed on what it had counted */
	LAST_TURN = 40, /* after which a comparison is given up */
};

/* A socket that was there at the start. */
struct owner {
	uint64_t inode;
	char name[TAPS_OWNER]; /* "": of no process that could be looked at */
};

/* Where the comparison of an interface's counters stands. */
struct comparing {
	struct blind_count count;
	bool is_compared;  /* it can be */
	bool was_given_up; /* the last time */
	bool waits; /* counters were read; the frames up to `taken` are to be handed over first */
	unsigned turns; /* of the loop since */
	uint64_t counted, taken;
};

struct session_blind {
	struct session *session;
	struct blind blind;
	int sockets; /* /proc/net/packet; negative: it could not be opened */
	uint64_t own[WIRE_INTERFACES_MAX];
	struct owner owners[OWNERS_MAX];
	size_t n_owners;
	struct comparing comparing[WIRE_INTERFACES_MAX];
	char programs[PROGRAMS_MAX][BLIND_TEXT];
	size_t n_programs, more_programs; /* more than are named are counted */
	char expected[BATCH_EVENT_TEXT];  /* packet sockets of this look that are no finding */
	unsigned unchecked;               /* enum batch_unchecked, of this look */
	unsigned at_start;                /* what could not be known then */
	uint64_t looked_s;
	bool is_open; /* before the sandbox: names can be asked for */
};

/* ---- looking ---- */

static struct blind_thing *found(struct session_blind *b, enum batch_blinding what, int iface,
				 const char *text)
{
	return blind_found(&b->blind, (uint8_t)what, (int16_t)iface, text);
}

/* Whoever gives a machine its addresses has a packet socket as long as it runs: some of these is on nearly every one. */
static const char *const usual_readers[] = {"dhclient", "dhcpcd", "NetworkManager",
					    "systemd-network", "udhcpc"};

static bool is_name(const char *wanted, const char *name)
{
	size_t len = strcspn(name, "[");

	return strlen(wanted) == len && memcmp(wanted, name, len) == 0;
}

static bool is_expected(const struct session_blind *b, const char *name)
{
	const struct setting_list *list = &b->session->options->readers;

	for (size_t i = 0; i < list->n; i++)
		if (is_name(list->v[i], name))
			return true;
	for (size_t i = 0; !list->n && i < sizeof usual_readers / sizeof usual_readers[0]; i++)
		if (is_name(usual_readers[i], name))
			return true;
	return false;
}

/* "dhclient[612] systemd-network[400]": who has a packet socket and may. */
static void note_expected(struct session_blind *b, const char *name)
{
	size_t used = strlen(b->expected);

	if (!strstr(b->expected, name))
		(void)snprintf(b->expected + used, sizeof b->expected - used, "%s%s",
			       used ? " " : "", name);
}

/* "": not known. */
static const char *owner_of(struct session_blind *b, uint64_t inode)
{
	struct owner *owner;

	for (size_t i = 0; i < b->n_owners; i++)
		if (b->owners[i].inode == inode)
			return b->owners[i].name;
	if (!b->is_open || b->n_owners == OWNERS_MAX)
		return "";
	owner = &b->owners[b->n_owners++];
	owner->inode = inode;
	if (!taps_owner(inode, owner->name))
		*owner->name = '\0';
	return owner->name;
}

/* The number of a captured interface in the stream; -1: it is another. */
static int iface_of(const struct session *s, uint32_t index)
{
	for (uint16_t i = 0; i < s->n_captures; i++)
		if (s->interfaces[i].index == index)
			return i;
	return -1;
}

/* By the device "any". */
static bool captures_all(const struct session *s)
{
	for (uint16_t i = 0; i < s->n_captures; i++)
		if (!s->interfaces[i].index)
			return true;
	return false;
}

/* One that is bound to no interface hears all; one of an interface that is not captured says nothing of this capture. */
static void on_socket(void *ctx, const struct taps_socket *socket)
{
	struct session_blind *b = ctx;
	const struct session *s = b->session;
	int iface = socket->index ? iface_of(s, socket->index) : -1;
	char text[BLIND_TEXT];
	const char *name;

	for (uint16_t i = 0; i < s->n_captures; i++)
		if (b->own[i] == socket->inode)
			return;
	if (socket->index && iface < 0 && !captures_all(s))
		return;
	name = owner_of(b, socket->inode);
	if (!*name)
		b->unchecked |= BATCH_UNCHECKED_NAMES;
	if (is_expected(b, name)) {
		note_expected(b, name);
		return;
	}
	(void)snprintf(text, sizeof text, "%.16s inode %" PRIu64 " protocol 0x%04x uid %u %s",
		       iface >= 0 ? s->texts[iface].interface : "all", socket->inode,
		       socket->protocol, socket->uid, *name ? name : "of an unknown process");
	(void)found(b, BATCH_BLINDING_SOCKET, iface, text);
}

struct filters {
	struct session_blind *blind;
	uint16_t iface;
};

static void on_filter(void *ctx, bool egress, const char *kind)
{
	const struct filters *of = ctx;
	char text[BLIND_TEXT];

	(void)snprintf(text, sizeof text, "%.16s %s %s",
		       of->blind->session->texts[of->iface].interface,
		       egress ? "egress" : "ingress", kind);
	(void)found(of->blind, BATCH_BLINDING_TC, of->iface, text);
}

static void on_program(void *ctx, const struct taps_program *program)
{
	struct session_blind *b = ctx;

	b->more_programs += b->n_programs == PROGRAMS_MAX;
	if (b->n_programs < PROGRAMS_MAX)
		(void)snprintf(b->programs[b->n_programs++], BLIND_TEXT, "%s %s id %" PRIu32,
			       program->type, *program->name ? program->name : "-", program->id);
}

static void look_at_link(struct session_blind *b, uint16_t i)
{
	const struct session *s = b->session;
	const char *name = s->texts[i].interface;
	struct filters filters = {b, i};
	struct pipeline_frames before;
	struct comparing *c = &b->comparing[i];
	struct taps_link link;
	char text[BLIND_TEXT];

	pipeline_frames(s->pipeline, i, &before);
	if (!s->interfaces[i].index) { /* "any" is no interface */
		b->unchecked |= BATCH_UNCHECKED_COUNTERS;
		return;
	}
	if (taps_link(s->rtnl, s->interfaces[i].index, &link) != 0) {
		b->unchecked |= BATCH_UNCHECKED_LINKS | BATCH_UNCHECKED_COUNTERS;
		return;
	}
	if (link.xdp) {
		(void)snprintf(text, sizeof text, "%.16s program %" PRIu32, name, link.xdp_program);
		(void)found(b, BATCH_BLINDING_XDP, i, text);
	}
	if (link.promiscuous || link.promiscuity > 0)
		(void)found(b, BATCH_BLINDING_PROMISCUOUS, i, name);
	if (taps_filters(s->rtnl, s->interfaces[i].index, on_filter, &filters) != 0)
		b->unchecked |= BATCH_UNCHECKED_TC;
	if (capture_filter_changed(s->captures[i]))
		(void)found(b, BATCH_BLINDING_FILTER, i, name);
	if (link.loopback) /* what is sent there is received there, and captured once */
		return;
	if (!c->is_compared || c->was_given_up)
		b->unchecked |= BATCH_UNCHECKED_COUNTERS;
	if (!c->is_compared || c->waits)
		return;
	c->counted = link.rx_packets + link.tx_packets;
	c->waits = c->count.begun;
	c->was_given_up = false;
	c->turns = 0;
	if (!c->count.begun)
		blind_count_begin(&c->count, c->counted, before.seen);
}

static void look(struct session_blind *b)
{
	const struct session *s = b->session;

	blind_begin(&b->blind);
	b->blind.left_out = b->more_programs;
	*b->expected = '\0';
	b->unchecked = b->at_start;
	if (b->sockets < 0 || taps_sockets(b->sockets, on_socket, b) != 0)
		b->unchecked |= BATCH_UNCHECKED_SOCKETS;
	for (uint16_t i = 0; i < s->n_captures; i++) {
		if (s->rtnl)
			look_at_link(b, i);
		else
			b->unchecked |= BATCH_UNCHECKED_LINKS | BATCH_UNCHECKED_TC |
					BATCH_UNCHECKED_COUNTERS;
	}
	for (size_t i = 0; i < b->n_programs; i++)
		(void)found(b, BATCH_BLINDING_EBPF, -1, b->programs[i]);
}

/* ---- telling ---- */

static void event(struct session *s, enum batch_event_kind kind, const char *text, size_t n,
		  const int64_t *values)
{
	if (IS_ENABLED(CONFIG_STREAM) && s->spool)
		session_stream_event(s, kind, text, n, values);
}

static void tell(struct session *s, enum batch_blinding what, int iface, const char *text,
		 uint64_t more, bool is_new)
{
	event(s, BATCH_EVENT_BLINDING, text, 3, (const int64_t[]){what, iface, (int64_t)more});
	if (is_new)
		log_warn("blind", "%s: %s%s", batch_blinding_name(what), text,
			 what == BATCH_BLINDING_COUNTERS
				 ? ": the interface counted packets that the capture did not see"
				 : "");
}

/* What was found goes out before anybody can stop it. */
static void tell_all(struct session_blind *b)
{
	struct session *s = b->session;
	uint64_t n = b->blind.left_out, counted = 0, unseen = 0;

	for (size_t i = 0; i < b->blind.n; i++) {
		const struct blind_thing *t = &b->blind.things[i];

		if (!t->present)
			continue;
		n++;
		tell(s, (enum batch_blinding)t->what, t->iface, t->text, 1, t->is_new);
	}
	for (uint16_t i = 0; i < s->n_captures; i++) {
		counted += b->comparing[i].count.counted_last - b->comparing[i].count.counted_first;
		unseen += b->comparing[i].count.unseen;
	}
	event(s, BATCH_EVENT_BLIND_CHECK, b->expected, 4,
	      (const int64_t[]){(int64_t)n, b->unchecked, (int64_t)counted, (int64_t)unseen});
	if (n && IS_ENABLED(CONFIG_STREAM) && s->spool)
		session_stream_now(s);
}

/* ---- counters ---- */

/* Each frame can be told from its packets: the kernel says how many, or none is merged. */
static bool can_compare(const struct session *s, uint16_t i)
{
	const struct wire_link *link = &s->links[i];
	bool is_merged_unseen = !link->features_known || link->features & (NIC_LRO | NIC_GRO_HW);

	return s->interfaces[i].index && !s->options->mirror &&
	       !(s->options->filter && *s->options->filter) && !is_merged_unseen &&
	       (link->offload == WIRE_OFFLOAD_KERNEL || link->features == 0);
}

/* The interface's counters were read first; then how many frames the kernel has taken for us, a tick later since it counts before
 * it hands on; when all of these were handed over the two can be compared. */
static void compare(struct session_blind *b, uint16_t i)
{
	struct session *s = b->session;
	struct comparing *c = &b->comparing[i];
	struct pipeline_frames frames;
	uint64_t more;

	pipeline_frames(s->pipeline, i, &frames);
	if (++c->turns <= TAKE_TURN)
		c->taken = frames.taken;
	if (c->turns == LAST_TURN) {
		c->waits = false;
		c->was_given_up = true;
		log_debug("blind", "%s: %" PRIu64 " frames of %" PRIu64 " were handed over",
			  s->texts[i].interface, frames.handed, c->taken);
	}
	if (!frames.known || c->turns < TAKE_TURN || frames.handed < c->taken)
		return;
	c->waits = false;
	more = blind_compare(&c->count, c->counted, frames.seen);
	if (!more)
		return;
	tell(s, BATCH_BLINDING_COUNTERS, i, s->texts[i].interface, more, true);
	if (IS_ENABLED(CONFIG_STREAM) && s->spool)
		session_stream_now(s);
}

/* ---- life ---- */

size_t session_blind_memory(void)
{
	return sizeof(struct session_blind);
}

int session_blind_open(struct session *s, struct err *err)
{
	struct session_blind *b = calloc(1, sizeof *b);
	uint32_t all;

	s->blind = b;
	if (!b)
		return err_set(err, -ENOMEM, "no memory for the checks for blinding");
	b->session = s;
	b->is_open = true;
	b->sockets = taps_open_sockets();
	for (uint16_t i = 0; i < s->n_captures; i++) {
		b->own[i] = taps_inode(capture_fd(s->captures[i]));
		b->comparing[i].is_compared = can_compare(s, i);
	}
	if (taps_programs(on_program, b, &all) != 0)
		b->at_start |= BATCH_UNCHECKED_EBPF;
	else
		log_debug("blind", "%" PRIu32 " eBPF programs", all);
	look(b); /* whose the sockets are */
	memset(&b->blind, 0, sizeof b->blind);
	b->is_open = false;
	return 0;
}

void session_blind_look(struct session *s)
{
	struct session_blind *b = s->blind;

	b->looked_s = clock_mono_ns() / NS_PER_S;
	look(b);
	tell_all(b);
}

void session_blind_tick(struct session *s)
{
	struct session_blind *b = s->blind;

	for (uint16_t i = 0; i < s->n_captures; i++)
		if (b->comparing[i].waits)
			compare(b, i);
	if (clock_mono_ns() / NS_PER_S - b->looked_s >= s->options->blind_s)
		session_blind_look(s);
}

void session_blind_free(struct session *s)
{
	if (!s->blind)
		return;
	if (s->blind->sockets >= 0)
		(void)close(s->blind->sockets);
	free(s->blind);
}
