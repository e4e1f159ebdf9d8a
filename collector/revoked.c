// SPDX-License-Identifier: Apache-2.0
/*
 * See revoked.h.
 */
#include "collector/revoked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/file.h"

enum { REVOKED_FILE_MAX = 4 * 1024 * 1024 };

struct revoked {
	struct tls_config *config;
	int fd;
	char path[]; /* for messages */
};

int revoked_reload(struct revoked *r, struct err *err)
{
	char *pem;
	size_t len;
	int rc = file_reread(r->fd, REVOKED_FILE_MAX, &pem, &len);

	if (rc == -ESTALE)
		return err_set(
			err, rc,
			"%s was replaced by another file: copy onto it instead (cp, not mv), "
			"or start the collector again",
			r->path);
	if (rc < 0) {
		errno = -rc;
		return err_errno(err, "cannot read %s", r->path);
	}
	rc = tls_config_revoke(r->config, pem, r->path, err);
	free(pem);
	return rc;
}

int revoked_open(struct revoked **ret, const char *path, struct tls_config *config, struct err *err)
{
	struct revoked *r = calloc(1, sizeof *r + strlen(path) + 1);
	int rc;

	if (!r)
		return err_set(err, -ENOMEM, "no memory for the list of revoked certificates");
	r->config = config;
	memcpy(r->path, path, strlen(path) + 1);
	r->fd = open(path, O_RDONLY | O_CLOEXEC);
	rc = r->fd < 0 ? err_errno(err, "cannot read %s", path) : revoked_reload(r, err);
	if (rc < 0)
		revoked_close(r);
	else
		*ret = r;
	return rc;
}

void revoked_close(struct revoked *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		(void)close(r->fd);
	free(r);
}
