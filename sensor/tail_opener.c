// SPDX-License-Identifier: Apache-2.0
/*
 * tail, opener: see tail_opener.h.
 */
#include "sensor/tail_opener.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/bytes.h"
#include "platform/log.h"
#include "proto/wire.h"

enum {
	FLAGS = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
	FILES_MAX = 65536,  /* descriptors that are closed */
	SPARE_FILES = 4,    /* the file, a sibling */
	PACKED_SLACK_S = 5, /* stamps of a disk lag */
	PACKED_MORE =
		16 * 1024 * 1024, /* bytes that were written and not read when a file was packed */
	READY = UINT16_MAX,       /* `file` of the first answer */
};

struct place {
	DIR *folder;
	const char *name; /* in it */
	size_t stem;      /* bytes that the names of its siblings begin with */
};

struct tail_opener {
	int socket;
	size_t n;
	struct place places[WIRE_LOGS_MAX];
	struct tail_ask ask; /* that is answered */
};

/* ---- the process ---- */

static const struct sandbox_call calls[] = {
	{SYS_openat, SANDBOX_HAS_NOT, 2, O_ACCMODE | O_CREAT | O_TRUNC},
	{SYS_getdents64, SANDBOX_ALWAYS, 0, 0},
	{SYS_sendmsg, SANDBOX_ALWAYS, 0, 0},
	{SYS_recvfrom, SANDBOX_ALWAYS, 0, 0},
#ifdef SYS_recv
	{SYS_recv, SANDBOX_ALWAYS, 0, 0},
#endif
#ifdef SYS_newfstatat
	{SYS_newfstatat, SANDBOX_HAS, 3, AT_SYMLINK_NOFOLLOW},
#endif
#ifdef SYS_fstatat64
	{SYS_fstatat64, SANDBOX_HAS, 3, AT_SYMLINK_NOFOLLOW},
#endif
#ifdef SYS_statx
	{SYS_statx, SANDBOX_HAS, 2, AT_SYMLINK_NOFOLLOW},
#endif
};

static void set_printable(char out[static TAIL_NAME], const char *name)
{
	size_t n = 0;

	for (; n < TAIL_NAME - 1 && name[n]; n++)
		out[n] = name[n] >= ' ' && name[n] <= '~' ? name[n] : '?';
	out[n] = '\0';
}

static const char *kind_of(mode_t mode)
{
	return S_ISLNK(mode)    ? "a symbolic link"
	       : S_ISDIR(mode)  ? "a folder"
	       : S_ISFIFO(mode) ? "a FIFO"
	       : S_ISSOCK(mode) ? "a socket"
				: "a device";
}

static void refuse(struct tail_answer *a, int error, const char *why)
{
	a->there = TAIL_UNREADABLE;
	a->error = error;
	(void)snprintf(a->text, sizeof a->text, "%s", error ? strerror(error) : why);
}

static void look(const struct place *p, const struct tail_ask *ask, struct tail_answer *a)
{
	int dir = dirfd(p->folder);
	struct stat st;

	if (fstatat(dir, p->name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		if (errno != ENOENT)
			refuse(a, errno, "");
		return;
	}
	if (!S_ISREG(st.st_mode)) {
		refuse(a, 0, kind_of(st.st_mode));
		return;
	}
	a->there = TAIL_SAME;
	if (ask->ino == st.st_ino && ask->dev == st.st_dev)
		return;
	a->fd = openat(dir, p->name, FLAGS);
	if (a->fd < 0 && errno == ENOENT) {
		a->there = TAIL_ABSENT;
	} else if (a->fd < 0) {
		refuse(a, errno, "");
	} else if (fstat(a->fd, &st) == 0 && S_ISREG(st.st_mode)) {
		a->there = TAIL_OTHER;
		a->dev = st.st_dev;
		a->ino = st.st_ino;
	} else {
		(void)close(a->fd); /* it was swapped in between */
		a->fd = -1;
		refuse(a, 0, "not a file any more");
	}
}

bool tail_stands_at(int fd, uint64_t offset, const uint8_t *bytes, size_t len)
{
	uint8_t there[1024];

	while (len > 0) {
		size_t n = len < sizeof there ? len : sizeof there;

		if (pread(fd, there, n, (off_t)offset) != (ssize_t)n ||
		    memcmp(there, bytes, n) != 0)
			return false;
		offset += n;
		bytes += n;
		len -= n;
	}
	return true;
}

static bool is_gzip(const char *name)
{
	size_t len = strlen(name);

	return len > 3 && strcmp(name + len - 3, ".gz") == 0;
}

/* RFC 1952: the last four bytes are the length of what is packed, modulo 2^32. */
static bool packs(int fd, const struct stat *st, const struct tail_ask *ask)
{
	uint8_t bytes[4];
	struct rd in = rd_init(bytes, sizeof bytes);

	if (st->st_ctime + PACKED_SLACK_S < ask->since_s || st->st_size < 18 ||
	    pread(fd, bytes, sizeof bytes, st->st_size - 4) != 4)
		return false;
	return __builtin_bswap32(rd_u32be(&in)) - (uint32_t)ask->offset < PACKED_MORE;
}

static bool is_copy(int fd, const struct stat *st, const struct tail_ask *ask)
{
	return ask->head_len + ask->tail_len > 0 && (uint64_t)st->st_size >= ask->offset &&
	       tail_stands_at(fd, 0, ask->head, ask->head_len) &&
	       tail_stands_at(fd, ask->offset - ask->tail_len, ask->tail, ask->tail_len);
}

/* Does this sibling hold what the file held? True: no further one need be looked at. */
static bool try_sibling(int dir, const char *name, const struct tail_ask *ask,
			struct tail_answer *a)
{
	struct stat st;
	int fd;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
		return false;
	if (st.st_ino == ask->ino && st.st_dev == ask->dev) {
		a->sibling = ask->wants_copy ? TAIL_NOWHERE : TAIL_MOVED;
		return !ask->wants_copy;
	}
	if (!ask->wants_copy && !is_gzip(name))
		return false;
	fd = openat(dir, name, FLAGS);
	if (fd < 0)
		return false;
	if (ask->wants_copy && fstat(fd, &st) == 0 && is_copy(fd, &st, ask)) {
		a->sibling = TAIL_COPIED;
		a->copy = fd;
		return true;
	}
	if (is_gzip(name) && fstat(fd, &st) == 0 && packs(fd, &st, ask))
		a->sibling = TAIL_PACKED; /* a better one may follow */
	(void)close(fd);
	return false;
}

static void find_sibling(const struct place *p, const struct tail_ask *ask, struct tail_answer *a)
{
	const struct dirent *e;
	uint8_t before;

	rewinddir(p->folder);
	for (unsigned n = 0; n < TAIL_SIBLINGS && (e = readdir(p->folder)) != NULL; n++) {
		bool is_likely = strncmp(e->d_name, p->name, p->stem) == 0 &&
				 strcmp(e->d_name, p->name) != 0;
		bool found;

		if (!is_likely && (ask->wants_copy || e->d_ino != ask->ino))
			continue;
		before = a->sibling;
		found = try_sibling(dirfd(p->folder), e->d_name, ask, a);
		if (found || a->sibling != before)
			set_printable(a->name, e->d_name);
		if (found)
			return;
	}
}

static bool answer(int socket, const struct tail_answer *a)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control = {.room = {0}};
	struct iovec io = {(void *)(uintptr_t)a, sizeof *a};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
	int fds[2], n = 0;

	if (a->fd >= 0)
		fds[n++] = a->fd;
	if (a->copy >= 0)
		fds[n++] = a->copy;
	if (n > 0) {
		m.msg_control = control.room;
		m.msg_controllen =
			(socklen_t)CMSG_SPACE((size_t)n * sizeof(int)); /* musl: no size_t */
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = (socklen_t)CMSG_LEN((size_t)n * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds, (size_t)n * sizeof(int));
	}
	return sendmsg(socket, &m, MSG_NOSIGNAL) == (ssize_t)sizeof *a;
}

static void serve(struct tail_opener *o)
{
	struct tail_answer a = {.file = READY, .fd = -1, .copy = -1};
	struct tail_ask *ask = &o->ask;

	if (!answer(o->socket, &a))
		return;
	while (recv(o->socket, ask, sizeof *ask, 0) == (ssize_t)sizeof *ask) {
		a = (struct tail_answer){.file = ask->file, .fd = -1, .copy = -1};
		if (ask->file >= o->n || ask->head_len > TAIL_HEAD || ask->tail_len > TAIL_TAIL ||
		    ask->tail_len > ask->offset)
			return;
		look(&o->places[ask->file], ask, &a);
		if (ask->ino && (ask->wants_copy || a.there != TAIL_SAME))
			find_sibling(&o->places[ask->file], ask, &a);
		if (!answer(o->socket, &a))
			return;
		if (a.fd >= 0)
			(void)close(a.fd);
		if (a.copy >= 0)
			(void)close(a.copy);
	}
}

static void close_others(const struct tail_opener *o)
{
	struct rlimit now;
	rlim_t end = FILES_MAX;

	if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur < end)
		end = now.rlim_cur;
	for (int fd = 0; (rlim_t)fd < end; fd++) {
		bool keep = fd == STDERR_FILENO || fd == o->socket;

		for (size_t i = 0; i < o->n && !keep; i++)
			keep = fd == dirfd(o->places[i].folder);
		if (!keep)
			(void)close(fd);
	}
}

_Noreturn static void run(struct tail_opener *o, const struct sandbox *like)
{
	struct sandbox want = {
		.calls = calls,
		.n_calls = sizeof calls / sizeof calls[0],
		.spare_files = SPARE_FILES,
		.keeps = UINT64_C(1) << CAP_DAC_READ_SEARCH,
	};
	int folders[WIRE_LOGS_MAX];
	struct sandbox_state state;
	struct err err = {""};

	(void)signal(SIGTERM,
		     SIG_IGN); /* it ends with the sensor, which may have files to read still */
	(void)signal(SIGINT, SIG_IGN);
	close_others(o);
	if (like) {
		for (size_t i = 0; i < o->n; i++)
			folders[i] = dirfd(o->places[i].folder);
		want.below = folders;
		want.n_below = o->n;
		want.user = like->user;
		want.lock_memory = like->lock_memory;
		want.eperm = like->eperm;
		if (sandbox_enter(&want, &state, &err) < 0) {
			log_err("tail", "%s", err.text);
			_exit(3);
		}
	}
	serve(o);
	_exit(0);
}

/* ---- the sensor's end ---- */

static int open_place(struct place *p, const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/'), *dot;
	char folder[WIRE_LOG_PATH_MAX + 1];
	int fd;

	(void)snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path),
		       path);
	p->name = slash + 1;
	dot = strchr(p->name + 1, '.');
	p->stem = dot ? (size_t)(dot - p->name) : strlen(p->name);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p->folder = fd < 0 ? NULL : fdopendir(fd);
	if (p->folder)
		return 0;
	(void)err_errno(err, "--tail: the folder %s", folder);
	return ERR_USAGE;
}

static void close_places(struct tail_opener *o)
{
	for (size_t i = 0; i < o->n; i++)
		(void)closedir(o->places[i].folder);
	o->n = 0;
}

int tail_opener_start(struct tail_opener **ret, const char *const *paths, size_t n,
		      const struct sandbox *sandbox, struct err *err)
{
	struct tail_opener *o = calloc(1, sizeof *o);
	struct tail_answer ready = {.fd = -1};
	int ends[2], rc = o ? 0 : err_set(err, -ENOMEM, "no memory for log files");
	pid_t pid;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = open_place(&o->places[i], paths[i], err);
		o->n += rc == 0;
	}
	if (rc == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		rc = err_errno(err, "a socket for log files");
	if (rc < 0) {
		tail_opener_free(o);
		return rc;
	}
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		o->socket = ends[1];
		run(o, sandbox);
	}
	(void)close(ends[1]);
	o->socket = ends[0];
	close_places(o);
	if (pid < 0)
		rc = err_errno(err, "a process for log files");
	else if (tail_opener_take(o, &ready, true) != 1 || ready.file != READY)
		rc = err_set(err, -ECHILD, "the process that opens log files did not start");
	if (rc == 0)
		*ret = o;
	else
		tail_opener_free(o);
	return rc;
}

int tail_opener_fd(const struct tail_opener *o)
{
	return o->socket;
}

bool tail_opener_ask(struct tail_opener *o, const struct tail_ask *ask)
{
	return send(o->socket, ask, sizeof *ask, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	       (ssize_t)sizeof *ask;
}

/* In the order in which they were sent: the file, its copy. */
static void take_descriptors(struct tail_answer *a, struct msghdr *m)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);
	bool has_fd = a->fd >= 0, has_copy = a->copy >= 0;
	int fds[2] = {-1, -1};

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(c),
		       c->cmsg_len == CMSG_LEN(2 * sizeof(int)) ? 2 * sizeof(int) : sizeof(int));
	a->fd = has_fd ? fds[0] : -1;
	a->copy = has_copy ? fds[has_fd] : -1;
	/* There was no room for a descriptor. */
	if (has_fd && a->fd < 0) {
		a->there = TAIL_UNREADABLE;
		a->error = EMFILE;
		(void)snprintf(a->text, sizeof a->text, "%s", strerror(EMFILE));
	}
}

int tail_opener_take(struct tail_opener *o, struct tail_answer *ret, bool wait)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec io = {ret, sizeof *ret};
	struct msghdr m = {.msg_iov = &io,
			   .msg_iovlen = 1,
			   .msg_control = control.room,
			   .msg_controllen = sizeof control.room};
	ssize_t n;

	do
		n = recvmsg(o->socket, &m, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n != (ssize_t)sizeof *ret)
		return -ECHILD;
	take_descriptors(ret, &m);
	return 1;
}

void tail_opener_free(struct tail_opener *o)
{
	if (!o)
		return;
	close_places(o);
	if (o->socket > 0)
		(void)close(o->socket);
	free(o);
}

size_t tail_opener_memory(void)
{
	return sizeof(struct tail_opener);
}
