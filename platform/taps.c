// SPDX-License-Identifier: Apache-2.0
/*
 * taps: see taps.h. Over rtnetlink(7), /proc/net/packet and bpf(2).
 */
#include "platform/taps.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/rtnl.h"

/* Of kernel headers that are newer than the oldest we build with. */
enum { XDP_ATTACHED = 2, XDP_PROG_ID = 4, LINK_XDP = 43, LINK_PROMISCUITY = 30, KIND_BYTES = 16 };
#define PARENT_INGRESS 0xfffffff2U /* of clsact */
#define PARENT_EGRESS  0xfffffff3U
#define PARENT_ALL     0xffff0000U /* of the ingress qdisc */

/* ---- links ---- */

struct link {
	struct taps_link *to;
	uint32_t index;
	bool is_told;
};

static void take_xdp(struct taps_link *to, struct rd nested)
{
	struct rd value;
	uint16_t type;

	while (rtnl_attribute(&nested, &type, &value)) {
		if (type == XDP_ATTACHED)
			to->xdp = rd_u8(&value) != 0;
		else if (type == XDP_PROG_ID && rd_left(&value) == sizeof to->xdp_program)
			memcpy(&to->xdp_program, value.p, sizeof to->xdp_program);
	}
}

static void on_link(void *ctx, uint16_t type, struct rd body)
{
	struct link *link = ctx;
	struct ifinfomsg head;
	const uint8_t *p = rd_take(&body, sizeof head);
	struct rd value;

	if (type != RTM_NEWLINK || !p)
		return;
	memcpy(&head, p, sizeof head);
	if ((uint32_t)head.ifi_index != link->index)
		return;
	link->to->loopback = head.ifi_flags & IFF_LOOPBACK;
	link->to->promiscuous = head.ifi_flags & IFF_PROMISC;
	while (rtnl_attribute(&body, &type, &value)) {
		if (type == IFLA_STATS64 && rd_left(&value) >= 2 * sizeof link->to->rx_packets) {
			/* The first two counters of struct rtnl_link_stats64. */
			memcpy(&link->to->rx_packets, value.p, sizeof link->to->rx_packets);
			memcpy(&link->to->tx_packets, value.p + sizeof link->to->rx_packets,
			       sizeof link->to->tx_packets);
			link->is_told = true;
		} else if (type == LINK_PROMISCUITY &&
			   rd_left(&value) == sizeof link->to->promiscuity) {
			memcpy(&link->to->promiscuity, value.p, sizeof link->to->promiscuity);
		} else if (type == LINK_XDP) {
			take_xdp(link->to, value);
		}
	}
}

int taps_link(struct rtnl *rtnl, uint32_t index, struct taps_link *ret)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg body;
	} request = {
		.head = {.nlmsg_len = sizeof request,
			 .nlmsg_type = RTM_GETLINK,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.body = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index},
	};
	struct link link = {.to = ret, .index = index};
	int rc;

	*ret = (struct taps_link){.loopback = false};
	rc = rtnl_ask(rtnl, &request.head, on_link, &link);
	return rc ? rc : link.is_told ? 0 : -ENODATA;
}

/* ---- tc ---- */

struct discipline {
	uint32_t index;
	bool clsact, ingress;
	/* for on_filter */
	taps_filter_fn *fn;
	void *ctx;
	bool egress;
};

/* struct tcmsg | attributes; the kind of what is at this interface. */
static bool kind_of(const struct discipline *d, struct rd body, char ret[static KIND_BYTES])
{
	struct tcmsg head;
	const uint8_t *p = rd_take(&body, sizeof head);
	struct rd value;
	uint16_t type;

	if (!p)
		return false;
	memcpy(&head, p, sizeof head);
	if ((uint32_t)head.tcm_ifindex != d->index)
		return false;
	while (rtnl_attribute(&body, &type, &value)) {
		size_t len = rd_left(&value);

		if (type != TCA_KIND || len == 0 || len > KIND_BYTES || value.p[len - 1] != 0)
			continue;
		memcpy(ret, value.p, len);
		for (char *c = ret; *c; c++)
			*c = *c > ' ' && *c <= '~' ? *c : '?';
		return true;
	}
	return false;
}

static void on_discipline(void *ctx, uint16_t type, struct rd body)
{
	struct discipline *d = ctx;
	char kind[KIND_BYTES];

	if (type != RTM_NEWQDISC || !kind_of(d, body, kind))
		return;
	d->clsact = d->clsact || strcmp(kind, "clsact") == 0;
	d->ingress = d->ingress || strcmp(kind, "ingress") == 0;
}

static void on_filter(void *ctx, uint16_t type, struct rd body)
{
	const struct discipline *d = ctx;
	char kind[KIND_BYTES];

	if (type == RTM_NEWTFILTER && kind_of(d, body, kind))
		d->fn(d->ctx, d->egress, kind);
}

static int ask_tc(struct rtnl *rtnl, uint16_t type, uint32_t index, uint32_t parent, rtnl_fn *fn,
		  void *ctx)
{
	struct {
		struct nlmsghdr head;
		struct tcmsg body;
	} request = {
		.head = {.nlmsg_len = sizeof request,
			 .nlmsg_type = type,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.body = {.tcm_family = AF_UNSPEC, .tcm_ifindex = (int)index, .tcm_parent = parent},
	};

	return rtnl_ask(rtnl, &request.head, fn, ctx);
}

int taps_filters(struct rtnl *rtnl, uint32_t index, taps_filter_fn *fn, void *ctx)
{
	struct discipline d = {.index = index, .fn = fn, .ctx = ctx};
	int rc = ask_tc(rtnl, RTM_GETQDISC, index, 0, on_discipline, &d);

	if (!rc && d.ingress)
		rc = ask_tc(rtnl, RTM_GETTFILTER, index, PARENT_ALL, on_filter, &d);
	if (!rc && d.clsact)
		rc = ask_tc(rtnl, RTM_GETTFILTER, index, PARENT_INGRESS, on_filter, &d);
	d.egress = true;
	if (!rc && d.clsact)
		rc = ask_tc(rtnl, RTM_GETTFILTER, index, PARENT_EGRESS, on_filter, &d);
	return rc;
}

/* ---- packet sockets ---- */

int taps_open_sockets(void)
{
	int fd = open("/proc/net/packet", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fd;
}

/* sk RefCnt Type Proto Iface R Rmem User Inode (net/packet/af_packet.c, packet_seq_show). */
bool taps_read_socket(const char *line, struct taps_socket *ret)
{
	unsigned protocol, index, uid;

	*ret = (struct taps_socket){.inode = 0};
	if (sscanf(line, "%*s %*u %*u %x %u %*u %*u %u %" SCNu64, &protocol, &index, &uid,
		   &ret->inode) != 4)
		return false;
	ret->protocol = protocol;
	ret->index = index;
	ret->uid = uid;
	return true;
}

int taps_sockets(int fd, taps_socket_fn *fn, void *ctx)
{
	struct taps_socket socket;
	char text[1024];
	size_t len = 0;
	ssize_t n;

	if (lseek(fd, 0, SEEK_SET) != 0)
		return -errno;
	while ((n = read(fd, text + len, sizeof text - 1 - len)) > 0) {
		char *line = text, *end;

		len += (size_t)n;
		text[len] = '\0';
		for (; (end = strchr(line, '\n')); line = end + 1) {
			*end = '\0';
			if (taps_read_socket(line, &socket))
				fn(ctx, &socket);
		}
		len -= (size_t)(line - text);
		if (len == sizeof text - 1)
			return -EBADMSG;
		memmove(text, line, len);
	}
	return n < 0 ? -errno : 0;
}

uint64_t taps_inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

/* Has one of the descriptors of this process the socket? */
static bool has_socket(int process, const char *wanted)
{
	int fds = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fds < 0 ? NULL : fdopendir(fds);
	const struct dirent *entry;
	bool found = false;

	if (!dir) {
		if (fds >= 0)
			(void)close(fds);
		return false;
	}
	while (!found && (entry = readdir(dir))) {
		char target[48];
		ssize_t n = readlinkat(fds, entry->d_name, target, sizeof target - 1);

		target[n > 0 ? n : 0] = '\0';
		found = strcmp(target, wanted) == 0;
	}
	(void)closedir(dir);
	return found;
}

static void name_process(int process, const char *pid, char out[static TAPS_OWNER])
{
	int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
	char name[17] = "?";
	ssize_t n = fd < 0 ? -1 : read(fd, name, sizeof name - 1);

	name[n > 0 ? n : 1] = '\0';
	name[strcspn(name, "\n")] = '\0';
	for (char *c = name; *c; c++)
		*c = *c > ' ' && *c <= '~' ? *c : '?';
	if (fd >= 0)
		(void)close(fd);
	(void)snprintf(out, TAPS_OWNER, "%s[%.10s]", name, pid);
}

bool taps_owner(uint64_t inode, char out[static TAPS_OWNER])
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	char wanted[48];
	bool found = false;

	(void)snprintf(wanted, sizeof wanted, "socket:[%" PRIu64 "]", inode);
	while (proc && !found && (entry = readdir(proc))) {
		int process;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		process = openat(dirfd(proc), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (process < 0)
			continue;
		found = has_socket(process, wanted);
		if (found)
			name_process(process, entry->d_name, out);
		(void)close(process);
	}
	if (proc)
		(void)closedir(proc);
	return found;
}

/* ---- eBPF ---- */

/* The kinds that are told (enum bpf_prog_type). systemd loads programs of other kinds on every machine. */
static const char *type_text(uint32_t type)
{
	switch (type) {
	case 2: return "kprobe";
	case 3: return "sched_cls";
	case 4: return "sched_act";
	case 5: return "tracepoint";
	case 6: return "xdp";
	case 17: return "raw_tracepoint";
	case 24: return "raw_tracepoint_writable";
	case 26: return "tracing";
	case 28: return "ext";
	default: return NULL;
	}
}

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof *attr);
}

/* False: it is gone, or may not be looked at. */
static bool look_at(uint32_t id, struct bpf_prog_info *ret)
{
	union bpf_attr attr;
	long fd;
	bool ok;

	memset(&attr, 0, sizeof attr);
	attr.prog_id = id;
	fd = bpf(BPF_PROG_GET_FD_BY_ID, &attr);
	if (fd < 0)
		return false;
	memset(&attr, 0, sizeof attr);
	memset(ret, 0, sizeof *ret);
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof *ret;
	attr.info.info = (uint64_t)(uintptr_t)ret;
	ok = bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) == 0;
	(void)close((int)fd);
	return ok;
}

int taps_programs(taps_program_fn *fn, void *ctx, uint32_t *ret_all)
{
	struct bpf_prog_info info;
	union bpf_attr attr;
	uint32_t id = 0;

	*ret_all = 0;
	for (;;) {
		struct taps_program program;

		memset(&attr, 0, sizeof attr);
		attr.start_id = id;
		if (bpf(BPF_PROG_GET_NEXT_ID, &attr) != 0)
			return errno == ENOENT ? 0 : -errno;
		id = attr.next_id;
		++*ret_all;
		if (!look_at(id, &info) || !type_text(info.type))
			continue;
		program = (struct taps_program){.id = id, .type = type_text(info.type)};
		memcpy(program.name, info.name, sizeof program.name - 1);
		for (char *c = program.name; *c; c++)
			*c = *c > ' ' && *c <= '~' ? *c : '?';
		fn(ctx, &program);
	}
}
