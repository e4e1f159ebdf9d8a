// SPDX-License-Identifier: Apache-2.0
/*
 * report, the digests of the files that were given to it beside the store.
 */
#include "analyst/report.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>

/* nftw(3) has no context. */
static struct report *walked;

static int digest_of(const char *path, uint8_t ret[static SHA256_BYTES])
{
	FILE *file = fopen(path, "rbe");
	struct crypto_sha256 *sum;
	uint8_t bytes[2048];
	size_t n;
	int rc = 0;

	if (!file)
		return -errno;
	sum = crypto_sha256_new();
	while ((n = fread(bytes, 1, sizeof bytes, file)) > 0)
		crypto_sha256_add(sum, bytes, n);
	if (ferror(file))
		rc = -EIO;
	crypto_sha256_end(sum, ret);
	(void)fclose(file);
	return rc;
}

static int add_file(struct report *r, const char *path)
{
	struct report_file *more;

	if (r->n_files == REPORT_FILES_MAX)
		return 0;
	more = reallocarray(r->files, r->n_files + 1, sizeof *more);
	if (!more)
		return -ENOMEM;
	r->files = more;
	more += r->n_files;
	more->path = strdup(path);
	if (!more->path)
		return -ENOMEM;
	if (digest_of(path, more->sha256) == 0)
		r->n_files++;
	else
		free(more->path);
	return 0;
}

static int on_file(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)place;
	return kind == FTW_F ? add_file(walked, path) : 0;
}

static int compare(const void *one, const void *two)
{
	return strcmp(((const struct report_file *)one)->path,
		      ((const struct report_file *)two)->path);
}

int report_files_add(struct report *r, const char *path)
{
	walked = r;
	return path && strcmp(path, "-") != 0 && nftw(path, on_file, 16, FTW_PHYS) == -ENOMEM
		       ? -ENOMEM
		       : 0;
}

void report_files_sort(struct report *r)
{
	if (r->n_files > 0)
		qsort(r->files, r->n_files, sizeof *r->files, compare);
}

void report_files_free(struct report *r)
{
	for (size_t i = 0; i < r->n_files; i++)
		free(r->files[i].path);
	free(r->files);
}
