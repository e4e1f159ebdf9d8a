// SPDX-License-Identifier: Apache-2.0
/*
 * Parquet (parquet.thrift and Encodings.md of apache/parquet-format 2.10), written: flow records under the column names and
 * types in which AWS delivers them (Amazon VPC User Guide, "Publish flow logs to Amazon S3"). A file is made of lines of Flow
 * Logs text, a row group at a time.
 *
 *     "PAR1"  row groups: per column a dictionary page, if it has a dictionary, and data pages  footer  its length  "PAR1"
 *
 * All columns are OPTIONAL. Numbers that are `-` are NULL; texts keep the `-`, as AWS's do. Codec GZIP. Statistics of each
 * column chunk: NULLs, least and greatest value. A page holds at most PARQUET_PAGE_ROWS values and about PARQUET_PAGE_BYTES;
 * a dictionary at most PARQUET_DICTIONARY values and PARQUET_PAGE_BYTES, else the chunk is PLAIN.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "platform/buffer.h"
#include "platform/gzip.h"
#include "proto/flowrec.h"

enum {
	PARQUET_ROWS_MAX = 128 * 1024,      /* of a row group */
	PARQUET_TEXT_MAX = 8 * 1024 * 1024, /* text of a row group, about */
	PARQUET_PAGE_ROWS = 20000,
	PARQUET_PAGE_BYTES = 512 * 1024,
	PARQUET_DICTIONARY = 64 * 1024,
};

/* What row groups are made with: memory that is used again. One serves any number of files, one after the other. */
struct parquet_maker;
int parquet_maker_new(struct parquet_maker **ret, const struct flowrec_format *fields,
		      const struct gzip_backend *gzip);
void parquet_maker_free(struct parquet_maker *maker);

/* A file under way: begins zeroed; its buffers are freed by parquet_file_fini(). */
struct parquet_file {
	struct buffer groups; /* their metadata, encoded */
	size_t n_groups;
	uint64_t rows;
};
void parquet_file_fini(struct parquet_file *file);

/* Appends a row group of these lines, at most PARQUET_ROWS_MAX, each with the maker's fields; the first call begins the
 * file. 0 or -ENOMEM. */
int parquet_rows(struct parquet_maker *maker, struct parquet_file *file, struct buffer *out,
		 const char *text, size_t len);
/* Appends the footer. */
int parquet_end(struct parquet_maker *maker, struct parquet_file *file, struct buffer *out);
