// SPDX-License-Identifier: Apache-2.0
/*
 * Flow Logs files in a bucket of S3.
 */
#include <stdio.h>

#include "collector/deliver_slots.h"
#include "collector/s3.h"

static enum delivery_try put(void *state, const struct object *object, uint64_t now_ns,
			     struct err *err)
{
	return s3_put(state, object, now_ns, err);
}

static void close_state(void *state)
{
	s3_close(state);
}

static int begin(struct delivery *d, struct err *err)
{
	return aws_begin(s3_aws(deliver_slots_state(d)), err);
}

int deliver_s3_open(struct delivery *ret, const struct deliver_options *options, struct err *err)
{
	struct s3 *s3;
	int rc = s3_open(&s3, &options->s3, &options->aws, ret, err);

	if (rc < 0)
		return rc;
	rc = deliver_slots_open(ret, options, put, s3, close_state, err);
	ret->ops.begin = begin;
	(void)snprintf(ret->name, sizeof ret->name, "s3");
	delivery_confine(&ret->sandbox, options->state);
	/* libcurl resolves names by the host's rules, in a thread of its own. */
	ret->sandbox.unfiltered = true;
	return rc;
}
