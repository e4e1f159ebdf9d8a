// SPDX-License-Identifier: Apache-2.0
/*
 * confine: what the sensor may still do once it has opened everything.
 */
#pragma once

#include "platform/sandbox.h"
#include "sensor/options.h"

/* The sandbox for these options: sockets only with a collector, addresses read again only live. */
void confine_describe(struct sandbox *ret, const struct options *options);

/* Enters it, unless --no-sandbox says otherwise, and logs and tells what is in force. */
int confine_enter(const struct options *options, char ret_text[static SANDBOX_TEXT],
		  struct err *err);

/* Shows it, by trying. Returns how many lines say FAIL. */
unsigned confine_self_test(const struct options *options, FILE *out);
