// SPDX-License-Identifier: Apache-2.0
/*
 * Deliveries of Flow Logs files (evidence/slots.h), wherever objects go: the kind only puts them.
 */
#pragma once

#include "collector/deliver.h"
#include "evidence/object.h"

/* Puts one object; `state` is what deliver_slots_open() was given. Called again until it is done. */
typedef enum delivery_try deliver_object_fn(void *state, const struct object *object,
					    uint64_t now_ns, struct err *err);

/* Fills replay, begin_pass, end_pass and close of ops, and the times, from the options; ops.begin, name and sandbox are
 * the kind's. Takes `state`, which `close_state` (or NULL) frees. ERR_USAGE. */
int deliver_slots_open(struct delivery *ret, const struct deliver_options *options,
		       deliver_object_fn *put, void *state, void (*close_state)(void *state),
		       struct err *err);
/* The kind's `state` again. */
void *deliver_slots_state(const struct delivery *delivery);
