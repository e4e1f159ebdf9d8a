// SPDX-License-Identifier: Apache-2.0
/*
 * Reading the ledger: sensors in order of their ids, segments in order of their numbers, entries in
 * order.
 *
 * No lock is taken: a collector may be writing. Format: head of ledger_write.c. The manifests tell
 * which segments were deleted by retention and which ranges hold nothing of the span of time asked for;
 * whether they tell the truth is for the audit to find out.
 */
#include "evidence/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "evidence/ledger_index.h"
#include "evidence/ledger_segment.h"

struct ledger_reader {
	char *store;
	size_t n_sensors, sensor; /* `sensor`: the present one */
	char **sensors;
	size_t n_segments, segment;
	uint32_t *segments;
	bool is_open;   /* the present segment */
	bool told_hole; /* the numbers missing before it */
	struct segment file;
	struct segment_entry entry;
	struct ledger_index index;
	bool has_span, skipped;
	uint64_t from_s, to_s;
	uint64_t stop;    /* of the present file: from here on the index is asked again */
	uint64_t jump;    /* to be gone to when the hello at file.at was read; 0: no */
	struct err fault; /* why a file cannot be read */
	char path[LEDGER_PATH_MAX];
};

/* What stands in STORE besides: lost+found, say. Only folders that can name a sensor are the
 * ledger's. */
static int pick_sensor(const struct dirent *d)
{
	return wire_sensor_id_ok(d->d_name);
}

/* By bytes: alphasort() would follow the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_sensor(struct ledger_reader *reader, const char *id)
{
	char path[LEDGER_PATH_MAX];
	struct stat st;
	int n = snprintf(path, sizeof path, "%s/%s", reader->store, id);

	if (n < 0 || (size_t)n >= sizeof path)
		return -ENAMETOOLONG;
	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	reader->sensors[reader->n_sensors] = strdup(id);
	if (!reader->sensors[reader->n_sensors])
		return -ENOMEM;
	reader->n_sensors++;
	return 0;
}

static int list_sensors(struct ledger_reader *reader, const char *sensor, struct err *err)
{
	struct dirent **names = NULL;
	int n, rc = 0;

	n = scandir(reader->store, &names, pick_sensor, by_name);
	if (n < 0)
		return err_errno(err, "cannot read the folder %s", reader->store);
	reader->sensors = calloc((size_t)n + 1, sizeof(char *));
	if (!reader->sensors)
		rc = -ENOMEM;
	for (int i = 0; i < n; i++) {
		if (rc == 0 && (!sensor || strcmp(sensor, names[i]->d_name) == 0)) {
			rc = add_sensor(reader, names[i]->d_name);
			if (rc == -ENOTDIR)
				rc = 0;
		}
		free(names[i]);
	}
	free(names);
	if (rc < 0) {
		errno = -rc;
		return err_errno(err, "cannot read the folder %s", reader->store);
	}
	return 0;
}

static int list_segments(struct ledger_reader *reader, struct err *err)
{
	(void)snprintf(reader->path, sizeof reader->path, "%s/%s", reader->store,
		       reader->sensors[reader->sensor]);
	free(reader->segments);
	reader->segments = NULL;
	reader->segment = 0;
	reader->n_segments = 0;
	return segment_list(reader->path, &reader->segments, &reader->n_segments, err);
}

int ledger_reader_open(struct ledger_reader **ret, const char *store, const char *sensor,
		       struct err *err)
{
	struct ledger_reader *reader = calloc(1, sizeof *reader);
	int rc;

	if (!reader)
		return err_set(err, -ENOMEM, "no memory to read the ledger");
	segment_init(&reader->file);
	reader->store = strdup(store);
	rc = reader->store ? list_sensors(reader, sensor, err)
			   : err_set(err, -ENOMEM, "no memory to read the ledger");
	if (rc == 0 && ledger_index_load(&reader->index, store, err) == -ENOMEM)
		rc = -ENOMEM;
	if (reader->index.knows_store)
		segment_expect(&reader->file, reader->index.store);
	if (rc == 0 && reader->n_sensors > 0)
		rc = list_segments(reader, err);
	if (rc < 0)
		ledger_reader_free(reader);
	else
		*ret = reader;
	return rc;
}

void ledger_reader_span(struct ledger_reader *reader, uint64_t from_s, uint64_t to_s)
{
	reader->has_span = true;
	reader->from_s = from_s;
	reader->to_s = to_s;
}

void ledger_reader_free(struct ledger_reader *reader)
{
	if (!reader)
		return;
	segment_fini(&reader->file);
	ledger_index_fini(&reader->index);
	for (size_t i = 0; i < reader->n_sensors; i++)
		free(reader->sensors[i]);
	free(reader->sensors);
	free(reader->segments);
	free(reader->store);
	free(reader);
}

/* Opens the next segment. 1; 0 after the last of all; negative. A hole in the numbers and a file
 * that cannot be opened are damage: *ret_reason. */
static int next_segment(struct ledger_reader *reader, const char **ret_reason, struct err *err)
{
	const struct index_sensor *known;
	uint32_t expected, number;
	int n, rc;

	*ret_reason = NULL;
	while (reader->segment >= reader->n_segments) {
		if (reader->sensor + 1 >= reader->n_sensors)
			return 0;
		reader->sensor++;
		rc = list_segments(reader, err);
		if (rc < 0)
			return rc;
	}
	number = reader->segments[reader->segment];
	known = ledger_index_find(&reader->index, reader->sensors[reader->sensor]);
	expected = reader->segment ? reader->segments[reader->segment - 1] + 1
		   : known         ? known->first
				   : 1;
	if (number < expected) /* told to be deleted, and not yet gone */
		expected = number;
	n = snprintf(reader->path, sizeof reader->path, "%s/%s/%08u.fpl", reader->store,
		     reader->sensors[reader->sensor],
		     number == expected || reader->told_hole ? number : expected);
	if (n < 0 || (size_t)n >= sizeof reader->path)
		return err_set(err, -ENAMETOOLONG, "the path of the store is too long: %s",
			       reader->store);
	if (number != expected && !reader->told_hole) {
		reader->told_hole = true;
		*ret_reason = "the file is missing";
		return 1;
	}
	reader->told_hole = false;
	rc = segment_open(&reader->file, reader->path, number, &reader->fault);
	reader->is_open = rc == 0;
	reader->stop = reader->has_span ? 0 : UINT64_MAX;
	reader->jump = 0;
	if (rc < 0) {
		*ret_reason = reader->fault.text;
		reader->segment++;
	}
	return 1;
}

/* Fills what is damaged in the present file. */
static int tell_damage(const struct ledger_reader *reader, const char *reason,
		       struct ledger_entry *ret)
{
	*ret = (struct ledger_entry){.kind = LEDGER_DAMAGE,
				     .sensor = reader->sensors[reader->sensor],
				     .file = reader->path,
				     .offset = reader->file.at,
				     .reason = reason};
	return 1;
}

/* The range of the present segment that begins at `at`; NULL if none is known. */
static const struct index_range *range_at(const struct ledger_reader *reader, uint64_t at)
{
	const struct index_sensor *known =
		ledger_index_find(&reader->index, reader->sensors[reader->sensor]);

	for (size_t i = 0; known && i < known->n; i++) {
		const struct index_range *r = &known->ranges[i];

		if (r->number == reader->file.number && r->range.from == at && r->range.to > at)
			return r;
	}
	return NULL;
}

/* At the end of a range: goes to the next one that is wanted, and first to the hello that holds
 * there. */
static void skip_ranges(struct ledger_reader *reader)
{
	struct segment *file = &reader->file;
	const struct index_range *range, *left_out = NULL;
	uint64_t at = reader->stop;

	for (;;) {
		range = range_at(reader, at);
		if (!range || range->range.to > file->size ||
		    (range->range.sum.first_s <= reader->to_s &&
		     range->range.sum.last_s >= reader->from_s))
			break;
		left_out = range;
		at = range->range.to;
	}
	if (!range && at < file->size &&
	    left_out) { /* only the range before the end knows its hello */
		range = left_out;
		at = range->range.from;
	}
	if (at != reader->stop) {
		reader->skipped = true;
		file->at = at;
		if (range && range->range.hello > 0 && range->range.hello < at) {
			file->at = range->range.hello;
			reader->jump = at;
		}
	}
	reader->stop = range ? range->range.to : UINT64_MAX;
}

int ledger_next(struct ledger_reader *reader, struct ledger_entry *ret, struct err *err)
{
	struct segment_entry *entry = &reader->entry;
	struct segment_fault fault;
	const char *reason;
	bool is_last;
	int rc;

	for (;;) {
		if (!reader->is_open) {
			reader->file.at = 0;
			rc = next_segment(reader, &reason, err);
			if (rc <= 0)
				return rc;
			if (reason)
				return tell_damage(reader, reason, ret);
		}
		is_last = reader->segment + 1 == reader->n_segments;
		if (reader->file.at >= reader->stop)
			skip_ranges(reader);
		rc = segment_next(&reader->file, entry, &fault);
		if (reader->jump) {
			reader->file.at = reader->jump;
			reader->jump = 0;
		}
		if (rc <= 0) {
			segment_close(&reader->file);
			reader->is_open = false;
			reader->segment++;
		}
		if (rc < 0)
			return tell_damage(reader, strerror(-rc), ret);
		if (rc == SEGMENT_END)
			continue;
		if (rc == SEGMENT_ENTRY && entry->type == SEGMENT_MANIFEST)
			return tell_damage(reader, "a manifest does not belong here", ret);
		*ret = (struct ledger_entry){.sensor = reader->sensors[reader->sensor],
					     .file = reader->path};
		if (rc == SEGMENT_FAULT) {
			ret->kind = is_last && !fault.was_durable ? LEDGER_TORN : LEDGER_DAMAGE;
			ret->offset = fault.from;
			ret->len = (size_t)(fault.to - fault.from);
			ret->reason = fault.reason;
			return 1;
		}
		segment_tell(entry, ret);
		ret->is_skip = reader->skipped;
		reader->skipped = false;
		return 1;
	}
}
