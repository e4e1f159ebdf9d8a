// SPDX-License-Identifier: Apache-2.0
/*
 * A disk that fails, behind the interface of platform/file.h: linked in its place. Every step that changes
 * something on it is counted; at one of them it does what it is told.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum disk_fault {
	DISK_FINE,
	DISK_KILL,  /* the process ends before the step, with DISK_KILLED */
	DISK_TORN,  /* it ends within the step: a write leaves .keep bytes behind */
	DISK_POWER, /* it ends, and of what was not synced only a part is there, some of it zeros */
	DISK_FULL,  /* writes fail with ENOSPC after .keep bytes, from here on for .steps steps */
	DISK_ERROR, /* writes, syncs and cuts fail with EIO, from here on for .steps steps */
	DISK_SHORT, /* writes take only a part and say so, from here on for .steps steps */
};

enum { DISK_KILLED = 77 };

struct fake_disk {
	enum disk_fault fault;
	unsigned at; /* step, from 1 */
	unsigned steps;
	size_t keep;
	unsigned seed;
	unsigned owner; /* whose power it is: files belong to whoever wrote to them first */
	/* What ends the process instead of _exit(DISK_KILLED); must not return. */
	void (*killed)(void);
	/* counted */
	unsigned step, writes, syncs;
	size_t last_write; /* bytes of the latest write */
};

extern struct fake_disk fake_disk;

/* The power is lost now: of what .owner did not sync only a part is there. */
void fake_disk_lose_power(void);
/* The files were removed. */
void fake_disk_new(void);
