// SPDX-License-Identifier: Apache-2.0
/*
 * A set of TCP flows, of which the begin was seen: to tell those that were open before the watch began.
 */
#pragma once

#include <stdint.h>

#include "proto/flowrec.h"

struct flowset;

int flowset_new(struct flowset **ret);
void flowset_free(struct flowset *set);
/* Adds the flow of a sensor (`owner`: its number), whichever direction the record is of. 1 if it is new, 0 if it
 * was there, -ENOMEM. */
int flowset_add(struct flowset *set, uint32_t owner, const struct flowrec *rec);
