// SPDX-License-Identifier: Apache-2.0
/*
 * capture over libpcap 1.10. See pcap(3PCAP), pcap-savefile(5), and packet(7) for the ring.
 */
#include "sensor/capture.h"

#include <errno.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_packet.h>
#include <pcap/pcap.h>

#include "platform/clock.h"
#include "platform/config.h"
#include "platform/log.h"
#include "platform/segments.h"
#include "sensor/capture_own.h"
#include "sensor/capture_usual.h"
#include "sensor/decode.h"

/* Of a frame, where our program in the kernel does not choose: what may bear a name is seldom longer. */
enum { KEPT = IS_ENABLED(CONFIG_NAMES) ? 1600 : SEGMENTS_SNAPLEN };

struct capture {
	pcap_t *pcap;
	struct capture_usual *usual; /* NULL: libpcap reads */
	int link;
	uint16_t iface;
	bool live;
	bool ended;
	bool segments; /* the kernel tells them */
	bool has_own;
	uint8_t own[CAPTURE_OWN_ADDRESS];
	uint32_t overhead;     /* bytes that libpcap puts before cooked frames */
	struct pcap_stat last; /* as libpcap told it, to see its 32-bit counters wrap */
	uint64_t received, dropped;
	bool stats_known;
	bool stopped;
	struct {
		int length; /* instructions; -errno */
		struct bpf_insn first;
	} filter;       /* the kernel's, as we left it */
	char name[128]; /* for messages */
};

/* What pcap_dispatch's callback needs. */
struct hand {
	struct capture *capture;
	capture_fn *fn;
	void *ctx;
};

static int set_filter(struct capture *c, const char *filter, struct err *err)
{
	struct bpf_program program;
	int rc = 0;

	if (!IS_ENABLED(CONFIG_FILTER) || !filter || !*filter)
		return 0;
	/* Optimised; the netmask serves only "ip broadcast", which then is refused rather than
	 * guessed. */
	if (pcap_compile(c->pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) != 0)
		return err_set(err, ERR_USAGE, "filter '%s': %s", filter, pcap_geterr(c->pcap));
	if (pcap_setfilter(c->pcap, &program) != 0)
		rc = err_set(err, ERR_USAGE, "filter '%s': %s", filter, pcap_geterr(c->pcap));
	pcap_freecode(&program);
	return rc;
}

/* sock_getsockopt: a length of 0 asks for the number of instructions, which is told as the length; -EACCES: an eBPF program. */
static void read_filter(const struct capture *c, int *ret_length, struct bpf_insn *ret_first)
{
	socklen_t n = 0;
	int rc;

	memset(ret_first, 0, sizeof *ret_first);
	/* cppcheck-suppress nullPointer; nothing is written for a length of 0 */
	rc = getsockopt(pcap_fileno(c->pcap), SOL_SOCKET, SO_GET_FILTER, NULL, &n);
	*ret_length = rc == 0 ? (int)n : -errno;
	if (*ret_length == 1)
		(void)getsockopt(pcap_fileno(c->pcap), SOL_SOCKET, SO_GET_FILTER, ret_first, &n);
}

bool capture_filter_changed(const struct capture *c)
{
	struct bpf_insn first;
	int length;

	if (!c->live || c->stopped)
		return false;
	read_filter(c, &length, &first);
	return length != c->filter.length || memcmp(&first, &c->filter.first, sizeof first) != 0;
}

static int check_link(struct capture *c, struct err *err)
{
	const char *name;

	c->link = pcap_datalink(c->pcap);
	if (decode_knows_link(c->link))
		return 0;
	name = pcap_datalink_val_to_name(c->link);
	return err_set(err, ERR_FORMAT, "%s: frames of link type %d (%s) cannot be decoded",
		       c->name, c->link, name ? name : "unknown");
}

static struct capture *capture_new(const char *name)
{
	struct capture *c = calloc(1, sizeof *c);

	if (c)
		strncpy(c->name, name, sizeof c->name - 1);
	return c;
}

int capture_open_file(struct capture **ret, const char *path, const char *filter, struct err *err)
{
	struct capture *c = capture_new(strcmp(path, "-") ? path : "standard input");
	char why[PCAP_ERRBUF_SIZE] = "";
	FILE *file;
	off_t start;
	int rc;

	if (!c)
		return err_errno(err, "capture");
	file = strcmp(path, "-") ? fopen(path, "rbe") : stdin;
	if (!file) {
		rc = err_errno(err, "%s", path);
		goto out;
	}
	/* libpcap reads frame by frame through stdio: a larger buffer saves nine system calls in ten. */
	setvbuf(file, NULL, _IOFBF, CAPTURE_FILE_BUFFER);
	/* ... and no other thread reads it: glibc then leaves out a lock taken twice a frame. */
	__fsetlocking(file, FSETLOCKING_BYCALLER);
	start = ftello(file); /* -1: a pipe */
	c->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!c->pcap) {
		if (file != stdin)
			fclose(file);
		rc = err_set(err, ERR_FORMAT, "%s: no capture file that can be read: %s", c->name,
			     why);
		goto out;
	}
	rc = check_link(c, err);
	if (!rc)
		rc = set_filter(c, filter, err);
	if (!rc && !(filter && *filter))
		c->usual = capture_usual_new(file, start, (uint32_t)pcap_snapshot(c->pcap));
out:
	if (rc)
		capture_close(c);
	else
		*ret = c;
	return rc;
}

/* The kernel's filter: this many bytes of every frame. pcap_setfilter() would first throw away what
 * waits. The layout is struct sock_fprog's, whose header and pcap's name the same constants. */
static int keep(struct capture *c, uint32_t bytes)
{
	struct bpf_insn code = BPF_STMT(BPF_RET | BPF_K, bytes);
	struct {
		unsigned short len;
		struct bpf_insn *filter;
	} program = {.len = 1, .filter = &code};

	return setsockopt(pcap_fileno(c->pcap), SOL_SOCKET, SO_ATTACH_FILTER, &program,
			  sizeof program);
}

/* Without a filter of its own libpcap has whole frames copied into the ring. */
static int shorten(struct capture *c, int program, bool segments, struct err *err)
{
	bool attached = program >= 0 && segments_attach(pcap_fileno(c->pcap), program) == 0;

	c->segments = attached && segments;
	if (attached || keep(c, KEPT) == 0)
		return 0;
	return err_errno(err, "%s: the kernel takes no filter", c->name);
}

bool capture_tells_segments(const struct capture *c)
{
	return c->segments;
}

int capture_open_live(struct capture **ret, const char *interface, uint16_t iface,
		      uint32_t ring_bytes, const char *filter, bool segments, struct err *err)
{
	struct capture *c = capture_new(interface);
	char why[PCAP_ERRBUF_SIZE] = "";
	bool filtered = IS_ENABLED(CONFIG_FILTER) && filter && *filter;
	int program = !filtered ? segments_load() : -1;
	int rc;

	if (!c) {
		rc = err_errno(err, "capture");
		goto out;
	}
	c->live = true;
	c->iface = iface;
	c->pcap = pcap_create(interface, why);
	if (!c->pcap) {
		rc = err_set(err, -EIO, "%s: %s", interface, why);
		goto out;
	}
	/* libpcap cuts once more what the kernel kept, and compiles filters to keep so much. */
	pcap_set_snaplen(c->pcap, program >= 0 ? CAPTURE_SNAPLEN : KEPT);
	pcap_set_promisc(c->pcap, 0);
	pcap_set_timeout(c->pcap, CAPTURE_DELAY_MS);
	pcap_set_buffer_size(c->pcap, (int)ring_bytes);
	pcap_set_tstamp_precision(c->pcap, PCAP_TSTAMP_PRECISION_NANO);
	rc = pcap_activate(c->pcap);
	if (rc < 0) {
		const char *detail = pcap_geterr(c->pcap);

		rc = err_set(err, rc == PCAP_ERROR_PERM_DENIED ? -EPERM : -EIO, "%s: %s%s%s%s",
			     interface, pcap_statustostr(rc), *detail ? ": " : "", detail,
			     rc == PCAP_ERROR_PERM_DENIED    ? "; start as root or with CAP_NET_RAW"
			     : rc == PCAP_ERROR_IFACE_NOT_UP ? "; set it up first (--bring-up does)"
							     : "");
		goto out;
	}
	rc = check_link(c, err);
	if (IS_ENABLED(CONFIG_LIVE) && c->link == DLT_EN10MB)
		c->has_own = capture_own_address(interface, c->own);
	c->overhead = c->link == DLT_LINUX_SLL ? 16 : c->link == DLT_LINUX_SLL2 ? 20 : 0;
	if (!rc)
		rc = filtered ? set_filter(c, filter, err) : shorten(c, program, segments, err);
	if (!rc && pcap_setnonblock(c->pcap, 1, why) != 0)
		rc = err_set(err, -EIO, "%s: %s", interface, why);
	if (!rc)
		read_filter(c, &c->filter.length, &c->filter.first);
out:
	if (program >= 0)
		(void)close(program);
	if (rc)
		capture_close(c);
	else
		*ret = c;
	return rc;
}

/* libpcap hands the unsigned 32-bit stamps of pcap files from 2038 on as negative numbers. In pcapng files
 * (version 1) they are before 1970: the earliest second that can be told is 0. */
static uint64_t negative_stamp(const struct capture *c, time_t sec)
{
	return pcap_major_version(c->pcap) == 1 ? 0 : (uint32_t)sec;
}

static void hand_over(uint8_t *user, const struct pcap_pkthdr *head, const uint8_t *data)
{
	const struct hand *h = (const struct hand *)(const void *)user;
	const struct capture *c = h->capture;
	struct packet packet = {
		.data = data,
		.captured = head->caplen,
		.wire = head->len,
		.segments =
			IS_ENABLED(CONFIG_LIVE) && c->segments
				? segments_of(head->caplen - c->overhead, head->len - c->overhead)
				: 0,
		.snapped = !c->live && head->caplen < head->len,
		.is_own = c->has_own && head->caplen >= 2 * sizeof c->own &&
			  memcmp(data + sizeof c->own, c->own, sizeof c->own) == 0,
		.sec = head->ts.tv_sec < 0 ? negative_stamp(c, head->ts.tv_sec)
					   : (uint64_t)head->ts.tv_sec,
		.nsec = head->ts.tv_usec >= 0 && head->ts.tv_usec < NS_PER_S
				? (uint32_t)head->ts.tv_usec
				: 0,
		.iface = c->iface,
	};

	h->fn(h->ctx, &packet);
}

int capture_dispatch(struct capture *c, int max, capture_fn *fn, void *ctx, struct err *err)
{
	struct hand h = {.capture = c, .fn = fn, .ctx = ctx};
	int n;

	if (c->ended)
		return CAPTURE_END;
	if (c->usual) {
		n = capture_usual_dispatch(c->usual, max, fn, ctx);
		if (n)
			return n > 0 ? n : err_set(err, n, "%s: %s", c->name, strerror(-n));
		capture_usual_free(c->usual);
		c->usual = NULL;
	}
	n = pcap_dispatch(c->pcap, max, hand_over, (uint8_t *)&h);
	if (n < 0) {
		c->ended = true;
		return err_set(err, c->live ? -EIO : ERR_FORMAT, "%s: %s", c->name,
			       pcap_geterr(c->pcap));
	}
	if (n == 0 && !c->live) {
		c->ended = true;
		return CAPTURE_END;
	}
	return n;
}

int capture_fd(const struct capture *c)
{
	return pcap_get_selectable_fd(c->pcap);
}

int capture_link(const struct capture *c)
{
	return c->link;
}

int capture_present(const struct capture *c, struct err *err)
{
	struct sockaddr_ll at;
	socklen_t len = sizeof at;

	/* The kernel unbinds a packet socket from a device that is removed: its index becomes -1. */
	if (!c->live || getsockname(pcap_fileno(c->pcap), (struct sockaddr *)&at, &len) != 0 ||
	    at.sll_ifindex != -1)
		return 0;
	return err_set(err, -ENODEV, "%s: the interface is gone", c->name);
}

void capture_stop(struct capture *c)
{
	/* To keep no byte of a frame is not to take it (packet(7), bpf(4)). */
	c->stopped = true;
	if (!c->live || keep(c, 0) == 0)
		return;
	log_warn("capture", "%s: cannot be stopped, continuing; its last frames may be cut off",
		 c->name);
}

void capture_stats(struct capture *c, struct capture_stats *ret)
{
	struct pcap_stat now;

	*ret = (struct capture_stats){.known = false};
	if (!IS_ENABLED(CONFIG_LIVE) || !c->live || pcap_stats(c->pcap, &now) != 0)
		return;
	/* On Linux ps_recv counts the dropped ones too (packet_getsockopt adds them to tp_packets).
	 */
	c->received += (uint32_t)(now.ps_recv - c->last.ps_recv) -
		       (uint32_t)(now.ps_drop - c->last.ps_drop);
	c->dropped += (uint32_t)(now.ps_drop - c->last.ps_drop);
	c->last = now;
	*ret = (struct capture_stats){
		.received = c->received, .dropped = c->dropped, .known = true};
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	capture_usual_free(c->usual);
	if (c->pcap)
		pcap_close(c->pcap);
	free(c);
}
