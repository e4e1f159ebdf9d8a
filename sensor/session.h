// SPDX-License-Identifier: Apache-2.0
/*
 * session: one run of the sensor, from opened captures to the goodbye: a file to text, a file to a
 * collector, or live.
 */
#pragma once

#include <stddef.h>

#include "platform/err.h"
#include "sensor/options.h"

/* Runs to the end of the file, or live until SIGTERM or SIGINT. 0 when all was read, written and,
 * with a collector, acknowledged; else negative with its sentence. What was read until a failure
 * was written out. */
int session_run(const struct options *options, struct err *err);

/* Bytes that the looks for blinding take, and asking for instance metadata. */
size_t session_blind_memory(void);
size_t session_identity_memory(void);

/* Opens nothing, looks at everything: policy, certificates, interfaces. For --check. */
int session_check(const struct options *options, struct err *err);

/* --bring-up: sets interfaces up that are down (takes CAP_NET_ADMIN); a packet socket of libpcap's cannot be had before. */
int session_bring_up(const struct options *options, struct err *err);
