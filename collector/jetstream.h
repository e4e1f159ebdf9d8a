// SPDX-License-Identifier: Apache-2.0
/*
 * The relay's process: NATS JetStream. Home of libnats.
 *
 * Subjects: flowproof.PARTITION.SENSOR.STREAM, where PARTITION is a number that follows from the sensor's id, a '.' in
 * the id is written %2E, and STREAM is 32 hexadecimal digits. One message a hello, batch or gap, as it came from the sensor; what
 * a reader must know of it beside stands in headers (Flowproof-*).
 */
#pragma once

#include "collector/relay.h"

/* Can the URLs and files be used? */
int jetstream_check(const struct relay_options *options, struct err *err);

/* Talks with the collector over `fd` until that is closed; does not return. `sandbox`: entered before anything of others is
 * read; NULL: none. */
void jetstream_run(const struct relay_options *options, const struct sandbox *sandbox, int fd)
	__attribute__((noreturn));
