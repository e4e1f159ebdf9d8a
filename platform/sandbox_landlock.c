// SPDX-License-Identifier: Apache-2.0
/*
 * sandbox: Landlock (landlock(7), Linux 5.13 on), by bare system calls: no file but below one folder,
 * and from version 4 of its interface on no TCP connection but to some ports.
 *
 * The structures are written out here: the kernel's header of the machine that builds may be older
 * than the kernel that runs.
 */
#include "platform/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same number on all processors but Alpha and MIPS, since they came after Linux 5.0. */
#if defined(SYS_landlock_create_ruleset)
#	define LANDLOCK_CREATE   SYS_landlock_create_ruleset
#	define LANDLOCK_ADD      SYS_landlock_add_rule
#	define LANDLOCK_RESTRICT SYS_landlock_restrict_self
#elif defined(__x86_64__) || defined(__aarch64__) || defined(__arm__)
#	define LANDLOCK_CREATE   444
#	define LANDLOCK_ADD      445
#	define LANDLOCK_RESTRICT 446
#endif

struct ruleset {
	uint64_t files;
	uint64_t net;    /* version 4 */
	uint64_t scopes; /* version 6 */
};

struct below_rule {
	uint64_t allowed;
	int32_t folder;
} __attribute__((packed));

struct port_rule {
	uint64_t allowed;
	uint64_t port;
};

enum {
	VERSION_FLAG = 1,
	RULE_BELOW = 1,
	RULE_PORT = 2,

	WRITE_FILE = 1 << 1,
	READ_FILE = 1 << 2,
	READ_DIR = 1 << 3,
	REMOVE_FILE = 1 << 5,
	MAKE_DIR = 1 << 7,
	MAKE_FILE = 1 << 8,
	TRUNCATE = 1 << 14,
	FILES_1 = (1 << 13) - 1, /* all of version 1 */
	FILES_2 = 1 << 13,       /* files linked or renamed to another folder */
	FILES_3 = TRUNCATE,
	FILES_5 = 1 << 15, /* ioctl on devices */

	NET_CONNECT = 2,
	NET_4 = 1 | NET_CONNECT,   /* bind, connect */
	SCOPES_6 = 1 | 2,          /* abstract Unix sockets, signals */
	SIZE_1 = sizeof(uint64_t), /* of the ruleset in version 1 */
};

#ifdef LANDLOCK_CREATE

static int add_folder(int rules, const char *folder, bool removes, const struct ruleset *all)
{
	/* Nothing is ever renamed or linked to another folder. */
	struct below_rule below = {.allowed = all->files &
					      (READ_FILE | WRITE_FILE | READ_DIR | MAKE_DIR |
					       MAKE_FILE | TRUNCATE | (removes ? REMOVE_FILE : 0))};
	int rc = 0;

	if (!folder)
		return 0;
	below.folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (below.folder < 0)
		return -errno;
	if (syscall(LANDLOCK_ADD, rules, RULE_BELOW, &below, 0) != 0)
		rc = -errno;
	(void)close(below.folder);
	return rc;
}

static int add_rules(int rules, const struct sandbox *want, const char *folder,
		     const struct ruleset *all)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < want->n_below; i++) {
		const struct below_rule below = {.allowed = READ_FILE | READ_DIR,
						 .folder = want->below[i]};

		if (syscall(LANDLOCK_ADD, rules, RULE_BELOW, &below, 0) != 0)
			rc = -errno;
	}

	if (rc == 0)
		rc = add_folder(rules, folder, want->removes, all);
	if (rc == 0)
		rc = add_folder(rules, want->writes, want->removes, all);
	for (size_t i = 0; rc == 0 && all->net && i < want->n_ports; i++) {
		const struct port_rule port = {.allowed = NET_CONNECT, .port = want->ports[i]};

		if (syscall(LANDLOCK_ADD, rules, RULE_PORT, &port, 0) != 0)
			rc = -errno;
	}
	return rc;
}

int sandbox_landlock(const struct sandbox *want, const char *folder)
{
	long version = syscall(LANDLOCK_CREATE, NULL, 0, VERSION_FLAG);
	struct ruleset all = {.files = FILES_1};
	size_t size = SIZE_1;
	int rules, rc;

	if (version < 1)
		return 0;
	if (version >= 2)
		all.files |= FILES_2;
	if (version >= 3)
		all.files |= FILES_3;
	if (version >= 4) {
		all.net = NET_4;
		size += sizeof all.net;
	}
	if (version >= 5)
		all.files |= FILES_5;
	if (version >= 6) {
		all.scopes = SCOPES_6;
		size += sizeof all.scopes;
	}
	rules = (int)syscall(LANDLOCK_CREATE, &all, size, 0);
	if (rules < 0)
		return -errno;
	rc = add_rules(rules, want, folder, &all);
	if (rc == 0 && syscall(LANDLOCK_RESTRICT, rules, 0) != 0)
		rc = -errno;
	(void)close(rules);
	return rc < 0 ? rc : (int)version;
}

#else

int sandbox_landlock(const struct sandbox *want, const char *folder)
{
	(void)want, (void)folder;
	return 0;
}

#endif
