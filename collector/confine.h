// SPDX-License-Identifier: Apache-2.0
/*
 * confine: what the collector may still do once it listens and its store is open.
 */
#pragma once

#include "platform/sandbox.h"

/* `store`: NULL for a self-test without one. `user`: 0 for the store's owner, or SANDBOX_USER if
 * that is root. `removes`: retention deletes segments. */
void confine_describe(struct sandbox *ret, const char *store, uint32_t user, bool removes);

/* Likewise the process of the live page: it reads there, and takes connections. The user is filled in by the caller. */
void confine_describe_page(struct sandbox *ret, const char *store);
/* What a process that only reads the store may do; the user is the caller's to fill in. */
void confine_describe_reader(struct sandbox *ret, const char *store);
