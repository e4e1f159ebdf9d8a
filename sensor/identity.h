// SPDX-License-Identifier: Apache-2.0
/*
 * identity: who this machine is: its addresses and networks, the kernel's boot id, and what the
 * configuration says of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/addr.h"
#include "platform/err.h"
#include "sensor/options.h"

struct rtnl;

enum { IDENTITY_ADDRESSES_MAX = 64 };

struct identity {
	struct cidr local[IDENTITY_ADDRESSES_MAX]; /* addresses that are this machine */
	size_t n_local;
	struct cidr subnets[IDENTITY_ADDRESSES_MAX]; /* networks attached to it */
	size_t n_subnets;
	bool fixed; /* given by --local, or a file: not read from the kernel */
	char boot_id[40];
	struct rtnl *source; /* where addresses are read again; NULL: nowhere */
};

/* From the options and, live, from the kernel: `rtnl` is borrowed, NULL where it could not be opened. */
int identity_init(struct identity *ret, const struct options *options, struct rtnl *rtnl,
		  struct err *err);

/* Live: reads the interfaces' addresses again (DHCP may have come since). Opens nothing. */
void identity_refresh(struct identity *identity);

/* The unspecified address is: before DHCP a machine has no other. */
bool identity_is_local(const struct identity *identity, uint8_t family, const struct addr *addr);

/* Whether an interface of this name exists and is up; else the error lists those that do. */
int identity_check_interface(const char *name, struct err *err);
