// SPDX-License-Identifier: Apache-2.0
#include "analyst/flowlogs_input.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BAD_SHOWN = 20 };

static const char option[] = "--flow-logs";

static bool is_path(const char *word)
{
	return word[0] != '-' || word[1] == '\0';
}

int flowlogs_input_take(struct flowlogs_input *ret, const char *name, int argc, char **argv,
			struct err *err)
{
	size_t len = sizeof option - 1;

	*ret = (struct flowlogs_input){.name = name, .progress = {.name = name}};
	ret->paths = calloc((size_t)argc + 1, sizeof ret->paths[0]);
	ret->argv = calloc((size_t)argc + 1, sizeof ret->argv[0]);
	if (!ret->paths || !ret->argv)
		return err_set(err, -ENOMEM, "no memory for the command line");
	for (int i = 0; i < argc; i++) {
		if (i > 0 && strncmp(argv[i], option, len) == 0 && argv[i][len] == '=') {
			ret->paths[ret->n_paths++] = argv[i] + len + 1;
		} else if (i > 0 && strcmp(argv[i], option) == 0) {
			size_t before = ret->n_paths;

			while (i + 1 < argc && is_path(argv[i + 1]))
				ret->paths[ret->n_paths++] = argv[++i];
			if (ret->n_paths == before)
				return err_set(err, ERR_USAGE,
					       "--flow-logs: no path follows: give files, folders, "
					       "or - for "
					       "standard input");
		} else {
			ret->argv[ret->argc++] = argv[i];
		}
	}
	return 0;
}

void flowlogs_input_fini(struct flowlogs_input *input)
{
	free(input->paths);
	free(input->argv);
}

static int take_record(void *ctx, const struct flowlogs_record *record)
{
	struct flowlogs_input *input = ctx;

	return input->record(input->ctx, record, input->err);
}

static void tell_bad(void *ctx, const char *file, uint64_t line, const char *reason)
{
	struct flowlogs_input *input = ctx;

	if (line == 0) {
		fprintf(stderr, "flowproof %s: %s: %s\n", input->name, file, reason);
		return;
	}
	if (input->bad_shown++ < BAD_SHOWN)
		fprintf(stderr, "flowproof %s: %s:%" PRIu64 ": %s\n", input->name, file, line,
			reason);
}

static void tell_progress(void *ctx, const struct flowlogs_counts *counts, const char *file)
{
	struct flowlogs_input *input = ctx;

	if (progress_is_due(&input->progress))
		fprintf(stderr, "flowproof %s: %" PRIu64 " lines, %" PRIu64 " MB read, at %s\n",
			input->name, counts->lines, counts->bytes / 1000000, file);
}

int flowlogs_input_new(struct flowlogs_input *input, struct flowlogs **ret, struct err *err)
{
	static const struct flowlogs_ops ops = {
		.record = take_record, .bad = tell_bad, .progress = tell_progress};
	int rc = flowlogs_new(ret, &ops, input);

	if (rc < 0)
		return err_set(err, rc, "no memory to read Flow Logs");
	return input->format ? flowlogs_format(*ret, input->format, err) : 0;
}

int flowlogs_input_read(struct flowlogs_input *input, struct flowlogs *logs, struct err *err)
{
	const struct flowlogs_counts *counts = flowlogs_counts(logs);
	int rc = 0;

	input->err = err;
	for (size_t i = 0; rc == 0 && i < input->n_paths; i++)
		rc = flowlogs_read(logs, input->paths[i], err);
	if (input->bad_shown > BAD_SHOWN)
		fprintf(stderr, "flowproof %s: %" PRIu64 " further lines cannot be read\n",
			input->name, input->bad_shown - BAD_SHOWN);
	input->failed = counts->failed;
	return rc;
}

static const struct {
	const char *name, *text;
	size_t offset;
} columns[] = {
#define COLUMN(member, text)                                                                       \
	{                                                                                          \
#		member, text, offsetof(struct flowlogs_counts, member)                            \
	}
	COLUMN(files, "files"),
	COLUMN(lines, "lines"),
	COLUMN(records, "records"),
	COLUMN(nodata, "NODATA"),
	COLUMN(skipdata, "SKIPDATA"),
	COLUMN(headers, "headers"),
	COLUMN(transit, "of transit gateways"),
	COLUMN(blank, "empty"),
	COLUMN(bad, "bad"),
	COLUMN(bytes, NULL),
	COLUMN(members, NULL),
	COLUMN(truncated, "files cut"),
	COLUMN(failed, "files failed"),
#undef COLUMN
};

enum { COLUMNS = sizeof columns / sizeof columns[0] };

static uint64_t value(const struct flowlogs_counts *counts, size_t i)
{
	uint64_t v;

	memcpy(&v, (const char *)counts + columns[i].offset, sizeof v);
	return v;
}

void flowlogs_input_json(const struct flowlogs_counts *counts, FILE *out)
{
	for (size_t i = 0; i < COLUMNS; i++)
		fprintf(out, "%s\"%s\":%" PRIu64, i ? "," : "{", columns[i].name, value(counts, i));
	fputc('}', out);
}

void flowlogs_input_text(const struct flowlogs_counts *counts, FILE *out)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		if ((i < 3 || value(counts, i) > 0) && columns[i].text)
			fprintf(out, "%s%" PRIu64 " %s", i ? ", " : "", value(counts, i),
				columns[i].text);
	}
}
