// SPDX-License-Identifier: Apache-2.0
/*
 * imds_run: imds.h over connections of the loop. Never waits: each answer is taken as it comes.
 */
#pragma once

#include "platform/ec2/imds.h"
#include "platform/err.h"
#include "platform/loop.h"

struct imds_run;

struct imds_run_ops {
	struct imds_ops machine;
	/* A connection of our own has been asked for: by these two it can be told from others'. */
	void (*connects)(void *ctx, const struct endpoint *local, const struct endpoint *remote);
	/* Nothing more will be asked; the run is freed by its owner, later than in this callback. */
	void (*over)(void *ctx, const struct imds *imds);
};

/* Is this machine one of EC2's, as the kernel's tables of the firmware say? No packet is sent to learn that. */
bool imds_is_ec2(void);

/* -ENOMEM. `ops` is borrowed. */
int imds_run_new(struct imds_run **ret, struct loop *loop, const struct imds_want *want,
		 size_t n_want, const struct imds_run_ops *ops, void *ctx);
void imds_run_start(struct imds_run *run);
/* Asks nothing more, and does not call `over`. What was learned so far is the run's. */
const struct imds *imds_run_end(struct imds_run *run);
/* Bytes that a run takes, connections apart. */
size_t imds_run_memory(void);
/* NULL is fine. */
void imds_run_free(struct imds_run *run);
