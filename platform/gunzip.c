// SPDX-License-Identifier: Apache-2.0
/*
 * gzip files: see gunzip.h. The libraries take one member apart, this puts them in a row.
 */
#include "platform/gunzip.h"

#include <errno.h>
#include <stdlib.h>

struct gunzip {
	const struct gunzip_backend *backend;
	void *state;
	uint64_t members;
	bool is_inside; /* a member has begun and not ended */
	bool is_padding;
};

const struct gunzip_backend *gunzip_best(void)
{
#if defined HAVE_ISAL
	return &gunzip_isal;
#elif defined HAVE_ZLIB
	return &gunzip_zlib;
#else
	return NULL;
#endif
}

int gunzip_new(struct gunzip **ret, const struct gunzip_backend *backend)
{
	struct gunzip *gunzip = calloc(1, sizeof *gunzip);

	if (!gunzip)
		return -ENOMEM;
	gunzip->backend = backend;
	gunzip->state = backend->create();
	if (!gunzip->state) {
		free(gunzip);
		return -ENOMEM;
	}
	*ret = gunzip;
	return 0;
}

void gunzip_free(struct gunzip *gunzip)
{
	if (!gunzip)
		return;
	gunzip->backend->destroy(gunzip->state);
	free(gunzip);
}

void gunzip_reset(struct gunzip *gunzip)
{
	gunzip->backend->reset(gunzip->state);
	gunzip->members = 0;
	gunzip->is_inside = gunzip->is_padding = false;
}

bool gunzip_is_whole(const struct gunzip *gunzip)
{
	return !gunzip->is_inside && gunzip->members > 0;
}

uint64_t gunzip_members(const struct gunzip *gunzip)
{
	return gunzip->members;
}

/* Between members: zeros after the first one are padding up to the end. */
static int begin_member(struct gunzip *gunzip, const uint8_t **in, const uint8_t *in_end,
			struct err *err)
{
	if (gunzip->members > 0 && **in == 0)
		gunzip->is_padding = true;
	while (gunzip->is_padding && *in < in_end && **in == 0)
		(*in)++;
	if (*in == in_end)
		return 0;
	if (gunzip->is_padding)
		return err_set(err, ERR_FORMAT, "bytes that are no gzip follow its padding");
	if (gunzip->members > 0 &&
	    **in != 0x1f) /* too few of them would look like a member that is cut */
		return err_set(err, ERR_FORMAT, "what follows gzip member %llu is no gzip",
			       (unsigned long long)gunzip->members);
	gunzip->is_inside = true;
	return 0;
}

int gunzip_step(struct gunzip *gunzip, const uint8_t **in, const uint8_t *in_end, uint8_t **out,
		uint8_t *out_end, struct err *err)
{
	int rc;

	while (*in < in_end || gunzip->is_inside) {
		if (!gunzip->is_inside) {
			rc = begin_member(gunzip, in, in_end, err);
			if (rc < 0 || !gunzip->is_inside)
				return rc;
		}
		rc = gunzip->backend->step(gunzip->state, in, in_end, out, out_end);
		if (rc < 0)
			return err_set(
				err, ERR_FORMAT,
				gunzip->members == 0
					? "its gzip data is damaged"
					: "what follows gzip member %llu is damaged, or no gzip",
				(unsigned long long)gunzip->members);
		if (rc != GUNZIP_MEMBER)
			return 0;
		gunzip->members++;
		gunzip->is_inside = false;
		gunzip->backend->reset(gunzip->state);
	}
	return 0;
}
