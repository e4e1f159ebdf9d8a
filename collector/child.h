// SPDX-License-Identifier: Apache-2.0
/*
 * Processes beside the collector: for what must never hold it up. They are forked before anything secret is read, end when
 * the collector does (a pipe whose other end it alone holds hangs up), and are not started again if they end before.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "platform/sandbox.h"

enum { CHILD_END_MS = 15000 }; /* so long they may take to end */

/* Memory, zeroed, that this process will share with those that it begins. NULL with errno. To be freed by munmap(2). */
void *child_share(size_t len);

/* The first call in a new process: signals are the collector's. `collectors_end` (of the pipe) is closed. */
void child_begin(int collectors_end);
/* And it gives way to the collector: for what nobody waits for. */
void child_give_way(void);

/* User, memory and eperm as the collector's own; NULL: no change. */
void child_take_after(struct sandbox *sandbox, const struct sandbox *like);

/* Did it end? Then *pid becomes -1 and the status is given. */
bool child_reap(pid_t *pid, int *ret_status);
bool child_ended_well(int status);
/* "signal 9", "status 3" */
enum { CHILD_STATUS_TEXT = 24 };
const char *child_status_text(char out[static CHILD_STATUS_TEXT], int status);

/* Waits for up to CHILD_END_MS until `reap` says that none is left. */
void child_wait(size_t (*reap)(void *ctx), void *ctx);
