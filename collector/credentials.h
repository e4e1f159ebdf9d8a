// SPDX-License-Identifier: Apache-2.0
/*
 * Credentials for AWS. Where they come from is decided once, at the start, by the first of these that is there:
 *
 *   1. the file that is named (AWS's own form: [default], aws_access_key_id, aws_secret_access_key,
 *      aws_session_token), which nobody but its owner may read;
 *   2. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN of the environment;
 *   3. AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI: the agent of ECS or EKS;
 *   4. the role of the instance, by version 2 of the metadata service (AWS_EC2_METADATA_SERVICE_ENDPOINT names another).
 *
 * Keys of 3 and 4 are fetched again some minutes before they expire; those of 1 are read again when they were refused.
 * They are kept in pages that are locked, left out of cores and of child processes, and wiped at the end. No key is in
 * any error.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "collector/sigv4.h"
#include "platform/err.h"

struct credentials;

/* `file` may be NULL. ERR_USAGE with file and line when the file is not what it should be. Asks nobody yet. */
int credentials_open(struct credentials **ret, const char *file, struct err *err);
/* Wipes them. NULL is fine. */
void credentials_close(struct credentials *credentials);

/* For the log: where they come from. */
const char *credentials_source(const struct credentials *credentials);
/* Could other ones be had by asking again? */
bool credentials_can_change(const struct credentials *credentials);

/* Those that hold now, fetched if need be, which may take seconds. Borrowed until the next call. 0, -EIO or ERR_FORMAT
 * with a sentence. */
int credentials_get(struct credentials *credentials, uint64_t now_s, struct sigv4_credentials *ret,
		    struct err *err);
/* Somebody called them expired: they are fetched again when they are next asked for. */
void credentials_refused(struct credentials *credentials);

/* Takes everything secret out of the environment, also as /proc shows it, once all who need it have opened theirs. */
void credentials_wipe_environment(void);
