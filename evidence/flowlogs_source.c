// SPDX-License-Identifier: Apache-2.0
/*
 * The bytes of a Flow Logs file: read block by block, gzip taken off where its first two bytes say so.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "evidence/flowlogs_parts.h"

static int fill(struct flowlogs_source *source, struct err *err)
{
	ssize_t n;

	if (source->is_end)
		return 0;
	do
		n = read(source->fd, source->raw, sizeof source->raw);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(err, "cannot be read");
	source->is_end = n == 0;
	source->p = source->raw;
	source->p_end = source->raw + n;
	return 0;
}

static int begin(struct flowlogs_source *source, struct err *err)
{
	int rc = fill(source, err);

	source->is_begun = true;
	if (rc < 0 || source->p_end - source->p < 2 || source->p[0] != 0x1f || source->p[1] != 0x8b)
		return rc;
	if (!gunzip_best())
		return err_set(err, ERR_FORMAT, "this build takes no gzip apart: gunzip it first");
	source->is_gzip = true;
	if (source->gunzip)
		gunzip_reset(source->gunzip);
	else
		rc = gunzip_new(&source->gunzip, gunzip_best());
	return rc < 0 ? err_set(err, rc, "no memory to take gzip apart") : 0;
}

/* What was taken apart before the fault is given first. */
static ssize_t fail(struct flowlogs_source *source, int rc, size_t have, struct err *err)
{
	if (have == 0)
		return rc;
	source->fault = rc;
	source->why = *err;
	return (ssize_t)have;
}

ssize_t flowlogs_source_read(struct flowlogs_source *source, char *out, size_t cap, struct err *err)
{
	uint8_t *p = (uint8_t *)out;
	int rc = source->is_begun ? 0 : begin(source, err);

	if (source->fault) {
		*err = source->why;
		return source->fault;
	}
	while (rc == 0 && p == (uint8_t *)out) {
		if (source->p == source->p_end)
			rc = fill(source, err);
		if (rc < 0)
			break;
		if (!source->is_gzip) {
			size_t n = (size_t)(source->p_end - source->p);

			n = n < cap ? n : cap;
			memcpy(p, source->p, n);
			source->p += n;
			return (ssize_t)n;
		}
		/* Also without input: what the library holds back comes then. */
		rc = gunzip_step(source->gunzip, &source->p, source->p_end, &p, p + cap, err);
		if (source->is_end)
			break;
	}
	return rc < 0 ? fail(source, rc, (size_t)(p - (uint8_t *)out), err) : p - (uint8_t *)out;
}

bool flowlogs_source_is_cut(const struct flowlogs_source *source)
{
	return source->is_gzip && !gunzip_is_whole(source->gunzip);
}
