// SPDX-License-Identifier: Apache-2.0
/*
 * sandbox: gives up, once everything is open, what a program does not need any more.
 *
 * Entered in this order: memory locked, supplementary groups, root folder, capability bounding set,
 * group and user, all capabilities, not dumpable, limits, no_new_privs, Landlock, seccomp. Started
 * without root the steps that need it are left out. What this kernel or this build lacks is told in
 * the state and by the self-test; it stops nobody.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "platform/err.h"

enum {
	SANDBOX_USER = 65534, /* "nobody", by number: no file of the host is asked */
	SANDBOX_PORTS_MAX = 16,
};

/* What must hold for a system call to be let through. Several entries for one call are
 * alternatives. */
enum sandbox_rule {
	SANDBOX_ALWAYS,
	SANDBOX_EQUAL,   /* the argument is the value */
	SANDBOX_HAS,     /* the argument has the bit */
	SANDBOX_HAS_NOT, /* the argument lacks the bits */
};

struct sandbox_call {
	uint32_t number; /* SYS_* */
	uint8_t rule;    /* enum sandbox_rule */
	uint8_t argument;
	uint32_t value; /* compared with the low 32 bits */
};

struct sandbox {
	/* Calls beside those that every program needs (memory, time, open descriptors). */
	const struct sandbox_call *calls;
	size_t n_calls;
	/* The only folder in which files may be opened, made and cut; NULL: none at all. Started as
	 * root it becomes the root folder. It is handed over to the user if it belongs to root. */
	const char *folder;
	bool removes; /* files there may be removed, too */
	/* The only ports to which TCP connections may go, where the kernel can tell (Landlock). */
	uint16_t ports[SANDBOX_PORTS_MAX];
	size_t n_ports;
	unsigned
		spare_files; /* descriptors that may be opened beside the present ones; 0: as before */
	/* Folders that are open and below which files may be read, where the kernel can tell (Landlock). */
	const int *below;
	size_t n_below;
	uint64_t keeps; /* capabilities (1 << CAP_...) that are kept, if they are there */
	uint32_t user;  /* user and group to become, started as root */
	bool host_files; /* the host's files stay, as the user may: no new root folder; Landlock only if
			    `below` is given */
	const char *writes; /* with both: a further folder as `folder` */
	bool unfiltered; /* for code that is not ours: no filter, no limit of processes and sizes */
	bool lock_memory; /* never to the swap space; fails if it cannot be */
	bool eperm;       /* debugging: what is forbidden fails with EPERM instead of ending us */
};

/* What came to be. */
struct sandbox_state {
	bool was_root;
	bool bounding_set; /* emptied */
	bool new_root;     /* an empty one, or `folder` */
	bool limits;       /* NPROC 0 and the others */
	bool seccomp;
	int landlock; /* version of its interface; 0: not in force */
	uint32_t user;
};

/* Gives everything up. Negative when it must not go on: a step failed that should not have. */
int sandbox_enter(const struct sandbox *want, struct sandbox_state *ret, struct err *err);

/* What is in force and what is not, for a log line. */
enum { SANDBOX_TEXT = 256 };
const char *sandbox_text(char out[static SANDBOX_TEXT], const struct sandbox_state *state);

/* Enters the sandbox in child processes, tries there what is forbidden and what is not, and prints
 * a line "ok what: detail" or "FAIL what: detail" each. Returns how many failed. */
unsigned sandbox_self_test(const struct sandbox *want, FILE *out);

/* ---- parts ---- */

/* Instructions of a classic BPF program; NULL and 0 where seccomp is not in the build. */
struct sock_filter;
enum { SANDBOX_FILTER_MAX = 480 };
/* Writes the program into `out` (SANDBOX_FILTER_MAX) and returns its length. `refused`: action for
 * all else. `pid`: the only process that may be signalled. */
size_t sandbox_filter(struct sock_filter *out, const struct sandbox_call *calls, size_t n_calls,
		      uint32_t refused, uint32_t pid);

/* True where this build has a filter for its processor. */
bool sandbox_has_seccomp(void);
/* Why it has none, or NULL. */
const char *sandbox_without_seccomp(void);
/* 0, 1 if the kernel has none, -errno. */
int sandbox_seccomp(const struct sandbox *want);

/* The version in force, 0 if kernel or build have none, -errno. The folder as this process sees it
 * now. */
int sandbox_landlock(const struct sandbox *want, const char *folder);

/* Address and leak sanitizers trace, fork and read /proc at the end of a run. */
#if defined(__SANITIZE_ADDRESS__)
#	define SANDBOX_SANITIZED 1
#elif defined(__has_feature)
#	if __has_feature(address_sanitizer)
#		define SANDBOX_SANITIZED 1
#	endif
#endif
#ifndef SANDBOX_SANITIZED
#	define SANDBOX_SANITIZED 0
#endif
