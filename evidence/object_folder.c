// SPDX-License-Identifier: Apache-2.0
/*
 * See object.h: a folder of this machine, or one that is mounted.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "evidence/object.h"
#include "platform/file.h"

enum { PATH_MAX_ = 3072, MODE = 0644, FOLDER_MODE = 0755 };

static int check_there(const char *path, const struct object *o, struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT ? 1 : err_errno(err, "cannot look at %s", path);
	return (uint64_t)st.st_size == o->len
		       ? 0
		       : err_set(err, ERR_EXISTS,
				 "%s is there with %llu bytes, and should have %zu: move it away",
				 path, (unsigned long long)st.st_size, o->len);
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
