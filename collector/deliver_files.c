// SPDX-License-Identifier: Apache-2.0
/*
 * Flow Logs files in a folder of this machine, or one that is mounted.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/deliver_slots.h"
#include "platform/file.h"

static enum delivery_try put(void *state, const struct object *object, uint64_t now_ns,
			     struct err *err)
{
	int rc = object_to_folder(state, object, err);

	(void)now_ns;
	if (rc == 0)
		return DELIVERY_DONE;
	return rc == -EACCES || rc == -EPERM || rc == -EROFS || rc == -ENOTDIR || rc == ERR_EXISTS
		       ? DELIVERY_REFUSED
		       : DELIVERY_AGAIN;
}

/* A folder of root's becomes that of the user who will write to it, as the store does. */
static int begin(struct delivery *d, struct err *err)
{
	const char *folder = deliver_slots_state(d);
	struct stat st;
	int rc = file_make_dir(folder, err);

	d->sandbox.writes = folder;
	if (rc == 0 && !d->no_sandbox && geteuid() == 0 && stat(folder, &st) == 0 &&
	    st.st_uid == 0 && d->sandbox.user != 0 && chown(folder, d->sandbox.user, (gid_t)-1) < 0)
		return err_errno(err, "cannot hand %s over to user %u", folder,
				 (unsigned)d->sandbox.user);
	return rc;
}

int deliver_files_open(struct delivery *ret, const struct deliver_options *options, struct err *err)
{
	int rc = deliver_slots_open(ret, options, put, options->files, NULL, err);

	ret->ops.begin = begin;
	(void)snprintf(ret->name, sizeof ret->name, "files");
	delivery_confine(&ret->sandbox, options->state);
	return rc;
}
