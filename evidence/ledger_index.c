// SPDX-License-Identifier: Apache-2.0
/*
 * Reading the manifests of a store.
 */
#include "evidence/ledger_index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the walk ---- */

struct walk {
	const struct manifest_walk *ops;
	void *ctx;
	struct segment file;
	char path[LEDGER_PATH_MAX];
};

static int tell_fault(struct walk *w, uint64_t offset, bool is_end, const char *reason)
{
	return w->ops->fault ? w->ops->fault(w->ctx, w->path, offset, is_end, reason) : 0;
}

/* The manifest is signed, the file's head is not. */
static int other_store(struct walk *w, const struct manifest *manifest)
{
	segment_expect(&w->file, manifest->head.store);
	return tell_fault(w, 0, false, "the file's head and a manifest in it are of two stores");
}

static int walk_file(struct walk *w, uint32_t number)
{
	struct segment_entry entry;
	struct segment_fault fault;
	struct manifest manifest;
	struct err err;
	int rc = segment_open(&w->file, w->path, number, &err);

	if (rc == -ENOMEM)
		return rc;
	if (rc < 0)
		return tell_fault(w, 0, false, err.text);
	for (;;) {
		rc = segment_next(&w->file, &entry, &fault);
		if (rc < 0)
			return tell_fault(w, w->file.at, false, strerror(-rc));
		if (rc == SEGMENT_END)
			return 0;
		if (rc == SEGMENT_FAULT)
			rc = tell_fault(w, fault.from,
					fault.to == w->file.size && !fault.was_durable,
					fault.reason);
		else if (entry.type != SEGMENT_MANIFEST)
			rc = tell_fault(w, entry.offset, false, "the entry is no manifest");
		else if (manifest_open(&manifest, entry.payload, entry.len, &err) < 0)
			rc = tell_fault(w, entry.offset, false, err.text);
		else if (memcmp(manifest.head.store, w->file.store, LEDGER_STORE_ID) != 0)
			rc = other_store(w, &manifest);
		else
			rc = w->ops->manifest ? w->ops->manifest(w->ctx, w->path, &entry, &manifest)
					      : 0;
		if (rc != 0)
			return rc;
	}
}

int manifest_walk_run(const char *store, const struct manifest_walk *ops, void *ctx,
		      struct err *err)
{
	struct walk w = {.ops = ops, .ctx = ctx};
	uint32_t *numbers = NULL;
	size_t n_numbers;
	int n, rc;

	segment_init(&w.file);
	n = snprintf(w.path, sizeof w.path, "%s/" MANIFEST_FOLDER, store);
	if (n < 0 || (size_t)n >= sizeof w.path - 16)
		return err_set(err, -ENAMETOOLONG, "the path of the store is too long: %s", store);
	rc = segment_list(w.path, &numbers, &n_numbers, err);
	for (size_t i = 0; rc == 0 && i < n_numbers; i++) {
		(void)snprintf(w.path, sizeof w.path, "%s/" MANIFEST_FOLDER "/%08u.fpl", store,
			       numbers[i]);
		rc = walk_file(&w, numbers[i]);
	}
	if (rc == -ENOMEM)
		(void)err_set(err, rc, "no memory to read the manifests");
	free(numbers);
	segment_fini(&w.file);
	return rc;
}

/* ---- the index ---- */

const struct index_sensor *ledger_index_find(const struct ledger_index *index, const char *id)
{
	for (size_t i = 0; i < index->n; i++) {
		if (strcmp(index->sensors[i].id, id) == 0)
			return &index->sensors[i];
	}
	return NULL;
}

static struct index_sensor *sensor_of(struct ledger_index *index, const char *id)
{
	struct index_sensor *sensor;

	for (size_t i = 0; i < index->n; i++) {
		if (strcmp(index->sensors[i].id, id) == 0)
			return &index->sensors[i];
	}
	if (index->n == index->cap) {
		size_t cap = index->cap ? 2 * index->cap : 16;

		sensor = reallocarray(index->sensors, cap, sizeof *sensor);
		if (!sensor)
			return NULL;
		index->sensors = sensor;
		index->cap = cap;
	}
	sensor = &index->sensors[index->n++];
	*sensor = (struct index_sensor){.first = 1};
	memcpy(sensor->id, id, strnlen(id, sizeof sensor->id - 1));
	return sensor;
}

static int add_range(struct index_sensor *sensor, const struct manifest_item *item,
		     uint64_t manifest)
{
	size_t len = item->range.n_streams * MANIFEST_STREAM;
	struct index_range *range;
	uint8_t *streams = NULL;

	if (sensor->n == sensor->cap) {
		size_t cap = sensor->cap ? 2 * sensor->cap : 16;

		range = reallocarray(sensor->ranges, cap, sizeof *range);
		if (!range)
			return -ENOMEM;
		sensor->ranges = range;
		sensor->cap = cap;
	}
	if (len > 0) {
		streams = malloc(len);
		if (!streams)
			return -ENOMEM;
		memcpy(streams, item->range.streams, len);
	}
	range = &sensor->ranges[sensor->n++];
	*range = (struct index_range){
		.manifest = manifest, .number = item->number, .range = item->range};
	range->range.streams = streams;
	return 0;
}

int ledger_index_add(struct ledger_index *index, struct manifest *manifest)
{
	struct index_sensor *sensor;
	struct manifest_item item;
	int rc = 0;

	if (!index->knows_store)
		memcpy(index->store, manifest->head.store, sizeof index->store);
	index->knows_store = true;
	index->last = manifest->head.number;
	while (rc == 0 && manifest_next(manifest, &item)) {
		if (item.type != MANIFEST_RANGE && item.type != MANIFEST_TOMBSTONE)
			continue;
		sensor = sensor_of(index, item.sensor);
		if (!sensor)
			return -ENOMEM;
		sensor->first = item.type == MANIFEST_RANGE ? item.range.first : item.number + 1;
		if (item.type == MANIFEST_RANGE)
			rc = add_range(sensor, &item, manifest->head.number);
	}
	return rc;
}

static int take_manifest(void *ctx, const char *file, const struct segment_entry *entry,
			 struct manifest *manifest)
{
	(void)file;
	(void)entry;
	return ledger_index_add(ctx, manifest);
}

int ledger_index_load(struct ledger_index *index, const char *store, struct err *err)
{
	static const struct manifest_walk ops = {.manifest = take_manifest};

	return manifest_walk_run(store, &ops, index, err);
}

void ledger_index_fini(struct ledger_index *index)
{
	for (size_t i = 0; i < index->n; i++) {
		for (size_t j = 0; j < index->sensors[i].n; j++)
			free((void *)(uintptr_t)index->sensors[i].ranges[j].range.streams);
		free(index->sensors[i].ranges);
	}
	free(index->sensors);
	*index = (struct ledger_index){.n = 0};
}
