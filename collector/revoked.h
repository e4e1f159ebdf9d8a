// SPDX-License-Identifier: Apache-2.0
/*
 * The list of revoked certificates: read at the start, and again from the same open file when asked,
 * since the sandbox opens no other.
 */
#pragma once

#include "platform/err.h"
#include "platform/tls.h"

struct revoked;

/* Opens and reads PATH (PEM, signed by the CA) into the config, which is borrowed. */
int revoked_open(struct revoked **ret, const char *path, struct tls_config *config,
		 struct err *err);

/* Reads it again. What is wrong with it is an error that names the file and the remedy; the list that
 * was read before stays in force then. */
int revoked_reload(struct revoked *revoked, struct err *err);

/* NULL is fine. The list stays in force. */
void revoked_close(struct revoked *revoked);
