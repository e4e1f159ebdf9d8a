// SPDX-License-Identifier: Apache-2.0
/*
 * confine: the collector's list of system calls, beside those of every program. It takes
 * connections, never makes any; it opens, makes and cuts files in its store, and removes some only if
 * it is told to keep them for a time. (That right adds little: what can be cut can be cut to nothing.)
 */
#include "collector/confine.h"

#include <sys/stat.h>
#include <sys/syscall.h>

#define ALWAYS(name)                                                                               \
	{                                                                                          \
		SYS_##name, SANDBOX_ALWAYS, 0, 0                                                   \
	}

static const struct sandbox_call calls[] = {
	/* connections */
	ALWAYS(accept4),
	ALWAYS(accept),
	ALWAYS(recvfrom),
	ALWAYS(sendto),
	ALWAYS(recvmsg),
	ALWAYS(sendmsg),
#ifdef SYS_recv
	ALWAYS(send),
	ALWAYS(recv),
#endif
	ALWAYS(getsockopt),
	ALWAYS(setsockopt),
	ALWAYS(getsockname),
	ALWAYS(getpeername),
	ALWAYS(shutdown),
	/* the ledger: the older calls are musl's on x86-64 and 32-bit ARM */
	ALWAYS(fdatasync),
	ALWAYS(fsync),
	ALWAYS(ftruncate),
	ALWAYS(pwrite64),
#ifdef SYS_ftruncate64
	ALWAYS(ftruncate64),
#endif
	ALWAYS(openat),
#ifdef SYS_open
	ALWAYS(open),
#endif
	ALWAYS(mkdirat),
#ifdef SYS_mkdir
	ALWAYS(mkdir),
#endif
	ALWAYS(getdents64),
#ifdef SYS_newfstatat
	ALWAYS(newfstatat),
#endif
#ifdef SYS_fstatat64
	ALWAYS(fstatat64),
#endif
#ifdef SYS_stat
	ALWAYS(stat),
#endif
#ifdef SYS_stat64
	ALWAYS(stat64),
#endif
#ifdef SYS_statx
	ALWAYS(statx),
#endif
	ALWAYS(fstatfs),
#ifdef SYS_fstatfs64
	ALWAYS(fstatfs64),
#endif
	/* processes that tell alerts */
	ALWAYS(wait4),
	/* retention: the last ones */
	ALWAYS(unlinkat),
#ifdef SYS_unlink
	ALWAYS(unlink),
#endif
};

/* The ledger's files, and messages to the outputs' processes. */
static const struct sandbox_call reading[] = {
	ALWAYS(sendto),
#ifdef SYS_send
	ALWAYS(send),
#endif
	ALWAYS(openat),
#ifdef SYS_open
	ALWAYS(open),
#endif
	ALWAYS(getdents64),
#ifdef SYS_newfstatat
	ALWAYS(newfstatat),
#endif
#ifdef SYS_fstatat64
	ALWAYS(fstatat64),
#endif
#ifdef SYS_statx
	ALWAYS(statx),
#endif
};

/* The ledger's files, connections of those who look, and reports out of another process. */
static const struct sandbox_call page[] = {
	ALWAYS(accept4),    ALWAYS(recvfrom),   ALWAYS(sendto),      ALWAYS(recvmsg),
	ALWAYS(setsockopt), ALWAYS(getsockopt), ALWAYS(getsockname), ALWAYS(openat),
#ifdef SYS_open
	ALWAYS(open),
#endif
	ALWAYS(getdents64),
#ifdef SYS_newfstatat
	ALWAYS(newfstatat),
#endif
#ifdef SYS_fstatat64
	ALWAYS(fstatat64),
#endif
#ifdef SYS_statx
	ALWAYS(statx),
#endif
};

enum {
	CALLS = sizeof calls / sizeof calls[0],
#ifdef SYS_unlink
	REMOVING = 2,
#else
	REMOVING = 1,
#endif
};

void confine_describe_reader(struct sandbox *ret, const char *store)
{
	*ret = (struct sandbox){
		.calls = reading, .n_calls = sizeof reading / sizeof reading[0], .folder = store};
}

void confine_describe_page(struct sandbox *ret, const char *store)
{
	*ret = (struct sandbox){
		.calls = page, .n_calls = sizeof page / sizeof page[0], .folder = store};
}

void confine_describe(struct sandbox *ret, const char *store, uint32_t user, bool removes)
{
	struct stat st;

	if (user == 0 && store && stat(store, &st) == 0)
		user = st.st_uid;
	*ret = (struct sandbox){
		.calls = calls,
		.n_calls = removes ? CALLS : CALLS - REMOVING,
		.folder = store,
		.removes = removes,
		.user = user ? user : SANDBOX_USER,
	};
}
