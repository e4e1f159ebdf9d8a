// SPDX-License-Identifier: Apache-2.0
/*
 * See object.h: a folder of this machine, or one that is mounted.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/object.h"
#include "platform/file.h"

enum { PATH_MAX_ = 3072, MODE = 0644, FOLDER_MODE = 0755 };

static int check_there(const char *path, const struct object *o, struct err *err)
{
	char *bytes = NULL;
	size_t len = 0;
	int rc = file_read_all(path, SIZE_MAX / 2, &bytes, &len, err);
	bool is_it = rc == 0 && len == o->len && memcmp(bytes, o->bytes, len) == 0;

	free(bytes);
	if (rc < 0)
		return rc == -ENOENT ? 1 : rc;
	return is_it ? 0
		     : err_set(err, ERR_EXISTS,
			       "%s is there already, with other content: move it away", path);
}

int object_to_folder(const char *folder, const struct object *o, struct err *err)
{
	char path[PATH_MAX_], *slash;
	int n = snprintf(path, sizeof path, "%s/%s", folder, o->key), rc;

	if (n < 0 || (size_t)n >= sizeof path)
		return err_set(err, -ENAMETOOLONG, "the path is too long: %s/%s", folder, o->key);
	rc = check_there(path, o, err);
	if (rc <= 0)
		return rc;
	slash = strrchr(path, '/');
	*slash = '\0';
	rc = file_make_folders(path, FOLDER_MODE, err); /* the top one decides who may read */
	*slash = '/';
	return rc < 0 ? rc : file_replace(path, o->bytes, o->len, MODE, err);
}
