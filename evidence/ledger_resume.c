// SPDX-License-Identifier: Apache-2.0
/*
 * What the ledger's writer finds when it begins: the manifests say what was signed, the segments
 * where each stream stands. What a crash left unfinished is cut off and told. Format: head of
 * ledger_write.c.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evidence/ledger_parts.h"
#include "platform/file.h"
#include "platform/log.h"

static const char tag[] = "ledger";

/* Logged here, told in the next manifest. */
static void tell_cut(struct ledger *ledger, const char *folder, uint32_t number, uint64_t offset,
		     uint64_t bytes)
{
	struct ledger_cut *cut;

	log_warn(tag,
		 "%s/%08u.fpl ended in an unfinished entry: %llu bytes from byte %llu on are cut "
		 "off; "
		 "none of them was acknowledged",
		 folder, number, (unsigned long long)bytes, (unsigned long long)offset);
	if (ledger->n_cuts == LEDGER_CUTS_MAX)
		return;
	cut = &ledger->cuts[ledger->n_cuts++];
	*cut = (struct ledger_cut){.number = number, .offset = offset, .bytes = bytes};
	(void)snprintf(cut->folder, sizeof cut->folder, "%s", folder);
}

static int scan_failed(struct segment *scan, const char *path, int rc, struct err *err)
{
	segment_close(scan);
	if (rc >= 0)
		return 0;
	errno = -rc;
	return err_errno(err, "cannot read %s", path);
}

/* What a collector that was killed left in the page cache may not be on disk yet; and if a sync had
 * failed before, the kernel holds for written what is not, and would call the next one good. So what is
 * not known to be durable is written once more. */
static int write_again(struct ledger *ledger, const char *folder, uint32_t number, uint64_t from,
		       uint64_t to, struct err *err)
{
	char path[LEDGER_PATH_MAX];
	int fd, rc = ledger_path(ledger, folder, number, path, err);

	if (rc < 0)
		return rc;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_errno(err, "cannot open %s", path);
	while (rc == 0 && from < to) {
		size_t n = to - from < SEGMENT_ENTRY_MAX ? (size_t)(to - from) : SEGMENT_ENTRY_MAX;

		rc = file_read_at(fd, ledger->entry, n, from);
		if (rc == 0)
			rc = file_write_at(fd, ledger->entry, n, from);
		from += n;
	}
	if (rc == 0)
		rc = file_sync(fd);
	(void)close(fd);
	return rc == 0 ? 0
		       : err_set(err, rc < 0 ? rc : -EIO, "cannot make %s durable: %s", path,
				 rc < 0 ? strerror(-rc) : "it is shorter than it was");
}

/* ---- manifests ---- */

static int learn_range(struct ledger *ledger, const struct manifest_item *item, struct err *err)
{
	struct ledger_sensor *sensor = ledger_find_sensor(ledger, item->sensor);

	if (!sensor)
		return err_set(err, -ENOMEM, "no memory for another sensor");
	sensor->first = item->range.first;
	sensor->sealed_number = item->number;
	sensor->sealed = item->range.to;
	sensor->sealed_closed = item->range.is_closed;
	return 0;
}

static int learn_manifest(struct ledger *ledger, const struct segment_entry *entry, bool *ret_whole,
			  struct err *err)
{
	struct manifest_item item;
	struct manifest manifest;
	int rc = manifest_open(&manifest, entry->payload, entry->len, err);

	while (rc == 0 && manifest_next(&manifest, &item)) {
		if (item.type == MANIFEST_RANGE)
			rc = learn_range(ledger, &item, err);
		else if (item.type == MANIFEST_TOMBSTONE) {
			struct ledger_sensor *sensor = ledger_find_sensor(ledger, item.sensor);

			if (!sensor)
				return err_set(err, -ENOMEM, "no memory for another sensor");
			sensor->first = item.number + 1;
		}
	}
	if (rc < 0)
		return rc;
	memcpy(ledger->id, manifest.head.store, LEDGER_STORE_ID);
	memcpy(ledger->last, entry->digest, SHA256_BYTES);
	ledger->number = manifest.head.number;
	if (!manifest.head.more)
		*ret_whole = true;
	return 0;
}

struct log_scan {
	uint64_t good, size;
	uint64_t durable; /* as an entry says */
	bool is_whole;    /* it has told of all sensors */
	bool has_any;
};

/* Reads one file of manifests. */
static int scan_manifests(struct ledger *ledger, uint32_t number, struct log_scan *ret,
			  struct err *err)
{
	struct segment *scan = &ledger->scan;
	struct segment_entry entry;
	struct segment_fault fault;
	char path[LEDGER_PATH_MAX];
	struct err why;
	int rc;

	rc = ledger_path(ledger, MANIFEST_FOLDER, number, path, err);
	if (rc == 0)
		rc = segment_open(scan, path, number, err);
	if (rc < 0)
		return rc;
	*ret = (struct log_scan){.good = scan->size, .size = scan->size};
	while ((rc = segment_next(scan, &entry, &fault)) > 0) {
		if (rc == SEGMENT_FAULT && fault.to < scan->size) {
			log_err(tag, "%s is damaged at byte %llu: %s", path,
				(unsigned long long)fault.from, fault.reason);
			continue;
		}
		if (rc == SEGMENT_FAULT) {
			ret->good = fault.from;
			break;
		}
		if (entry.durable > ret->durable)
			ret->durable = entry.durable;
		rc = learn_manifest(ledger, &entry, &ret->is_whole, &why);
		if (rc == -ENOMEM)
			break;
		if (rc < 0)
			log_err(tag, "%s is damaged at byte %llu: %s", path,
				(unsigned long long)entry.offset, why.text);
		else
			ret->has_any = true;
	}
	return scan_failed(scan, path, rc, err);
}

/* Folders of sensors without manifests: it is not ours, or what proves it is gone. */
static int begin_store(struct ledger *ledger, struct err *err)
{
	DIR *dir = opendir(*ledger->store ? ledger->store : "/");
	const struct dirent *d;
	int rc = 0;

	if (!dir)
		return err_errno(err, "cannot read the folder %s", ledger->store);
	while (rc == 0 && (d = readdir(dir)) != NULL) {
		if (d->d_type != DT_REG && wire_sensor_id_ok(d->d_name))
			rc = err_set(
				err, ERR_FORMAT,
				"%s has a folder %s and no manifests: nothing may be added to it; "
				"keep it, and start with an empty store",
				ledger->store, d->d_name);
	}
	(void)closedir(dir);
	if (rc == 0)
		crypto_random(ledger->id, sizeof ledger->id);
	return rc;
}

int ledger_resume_manifests(struct ledger *ledger, struct err *err)
{
	struct ledger_file *file = &ledger->file;
	struct log_scan scan = {.good = 0};
	uint32_t *numbers = NULL;
	char path[LEDGER_PATH_MAX];
	size_t n = 0, from;
	struct stat st;
	int rc;

	ledger->is_snapshot = true;
	rc = ledger_path(ledger, MANIFEST_FOLDER, 0, path, err);
	if (rc == 0 && stat(path, &st) == 0)
		rc = segment_list(path, &numbers, &n, err);
	if (rc < 0)
		return rc;
	/* Back to one that tells of all sensors, then on from there. */
	for (from = n; rc == 0 && from > 0 && !scan.is_whole; from--)
		rc = scan_manifests(ledger, numbers[from - 1], &scan, err);
	for (from++; rc == 0 && from < n; from++)
		rc = scan_manifests(ledger, numbers[from], &scan, err);
	if (rc == 0 && n > 0) {
		file->number = scan.has_any ? numbers[n - 1] : numbers[n - 1] - 1;
		if (scan.has_any && scan.good < scan.size) {
			rc = ledger_file_open(ledger, file, file->number, scan.good, err);
			tell_cut(ledger, MANIFEST_FOLDER, file->number, scan.good,
				 scan.size - scan.good);
		}
		if (rc == 0 && scan.has_any)
			rc = write_again(ledger, MANIFEST_FOLDER, file->number, scan.durable,
					 scan.good, err);
	}
	free(numbers);
	if (rc < 0)
		return rc;
	if (ledger->number == 0 && n > 1)
		return err_set(
			err, ERR_FORMAT,
			"%s: none of the manifests can be read: nothing may be added; keep it, "
			"and start with an empty store",
			path);
	if (ledger->number == 0)
		rc = begin_store(ledger, err);
	segment_expect(&ledger->scan, ledger->id);
	return rc;
}

/* ---- sensors ---- */

struct scan_result {
	uint64_t good;    /* bytes that stay */
	uint64_t durable; /* of them, as an entry says */
	uint64_t size;    /* of the file */
	bool is_damaged;  /* not to be written to any more */
	bool is_empty;    /* no hello, no batch */
};

/* The entry's bytes are not covered by a manifest. */
static int add_tail(struct ledger_sensor *sensor, const struct segment_entry *entry,
		    struct ledger_stream *stream)
{
	struct ledger_sum *sum = &sensor->sum;
	struct batch_gap gap;
	struct batch *batch;

	crypto_sha256_add(sensor->digest, entry->payload - SEGMENT_ENTRY_HEAD,
			  SEGMENT_ENTRY_HEAD + entry->len);
	if (entry->type != SEGMENT_HELLO && entry->type != SEGMENT_BATCH &&
	    entry->type != SEGMENT_GAP)
		return 0;
	if (sum->received_ns == 0)
		sum->received_ns = entry->received_ns;
	sum->received_end_ns = entry->received_ns;
	if (entry->type == SEGMENT_HELLO) {
		sum->hellos++;
		return 0;
	}
	stream->is_fresh = true;
	if (entry->type == SEGMENT_GAP) {
		if (batch_gap_decode(&gap, entry->payload, entry->len, NULL) == 0)
			ledger_sum_gap(sum, &gap);
		return 0;
	}
	sum->batches++;
	switch (batch_open(&batch, entry->payload, entry->len, NULL)) {
	case 0:
		ledger_sum_batch(sum, batch);
		batch_free(batch);
		return 0;
	case -ENOMEM: return -ENOMEM;
	default: return 0; /* the audit will say so */
	}
}

/* Takes what an entry says of where the sensor stands. `tail`: bytes from here on are covered by no
 * manifest. */
static int take_entry(struct ledger_sensor *sensor, const struct segment_entry *entry,
		      uint64_t tail)
{
	struct ledger_stream *stream = NULL;

	if (sensor->begun_ns == 0)
		sensor->begun_ns = entry->received_ns;
	if (entry->type == SEGMENT_HELLO || entry->type == SEGMENT_HELLO_AGAIN) {
		sensor->hello_at = entry->offset;
		if (entry->offset < tail)
			sensor->sealed_hello = entry->offset;
	}
	if (entry->type == SEGMENT_HELLO || entry->type == SEGMENT_BATCH ||
	    entry->type == SEGMENT_GAP ||
	    (entry->type == SEGMENT_CARRY && entry->len == SHA256_BYTES))
		stream = ledger_touch_stream(sensor, entry->stream);
	if (stream && entry->type != SEGMENT_HELLO) {
		stream->chain.sequence = entry->sequence;
		memcpy(stream->chain.digest,
		       entry->type == SEGMENT_CARRY ? entry->payload : entry->digest, SHA256_BYTES);
	}
	return entry->offset >= tail ? add_tail(sensor, entry, stream) : 0;
}

/* Reads a segment for where its streams stand, and sums up what is in it from byte `tail` on. */
static int scan_segment(struct ledger_sensor *sensor, uint32_t number, uint64_t tail,
			struct scan_result *ret, struct err *err)
{
	struct ledger *ledger = sensor->ledger;
	struct segment *scan = &ledger->scan;
	struct segment_entry entry;
	struct segment_fault fault;
	uint8_t head[SEGMENT_HEAD];
	char path[LEDGER_PATH_MAX];
	int rc;

	sensor->n_streams = 0;
	sensor->begun_ns = 0;
	sensor->hello_at = 0;
	sensor->sealed_hello = 0;
	rc = ledger_reset_tail(sensor, err);
	if (rc == 0)
		rc = ledger_path(ledger, sensor->id, number, path, err);
	if (rc == 0)
		rc = segment_open(scan, path, number, err);
	if (rc < 0)
		return rc;
	*ret = (struct scan_result){.good = scan->size, .size = scan->size, .is_empty = true};
	if (scan->size < tail) {
		ret->is_damaged = true;
		log_err(tag, "%s is shorter than a manifest says; continuing in a new segment",
			path);
	}
	segment_head(head, number, ledger->id);
	if (tail == 0)
		crypto_sha256_add(sensor->digest, head, sizeof head);
	while ((rc = segment_next(scan, &entry, &fault)) > 0) {
		if (rc == SEGMENT_ENTRY) {
			if (entry.type == SEGMENT_HELLO || entry.type == SEGMENT_BATCH ||
			    entry.type == SEGMENT_GAP)
				ret->is_empty = false;
			if (entry.durable > ret->durable)
				ret->durable = entry.durable;
			rc = take_entry(sensor, &entry, tail);
			if (rc < 0)
				break;
			continue;
		}
		/* Torn: what follows it was not durable either. */
		if (!fault.was_durable && fault.from >= tail) {
			ret->good = fault.from;
			break;
		}
		ret->is_damaged = true;
		log_warn(tag, "%s is damaged at byte %llu (%s); continuing in a new segment", path,
			 (unsigned long long)fault.from, fault.reason);
	}
	return scan_failed(scan, path, rc, err);
}

/* The bytes of a damaged segment that no manifest covers, as they are now: so that nothing may
 * change them any more unseen. */
static int digest_damaged(struct ledger_sensor *sensor, uint64_t tail, uint64_t size,
			  struct err *err)
{
	struct ledger_file *file = &sensor->file;
	uint8_t *buffer = sensor->ledger->entry;
	int rc = ledger_reset_tail(sensor, err);

	for (uint64_t at = tail; rc == 0 && at < size;) {
		size_t n = size - at < SEGMENT_ENTRY_MAX ? (size_t)(size - at) : SEGMENT_ENTRY_MAX;

		rc = file_read_at(file->fd, buffer, n, at);
		if (rc != 0)
			return err_set(err, rc < 0 ? rc : -EIO, "cannot read the ledger of %s",
				       sensor->id);
		crypto_sha256_add(sensor->digest, buffer, n);
		at += n;
	}
	return rc;
}

/* The last segment in the sensor's folder; 0 if there is none. */
static int last_segment(const struct ledger_sensor *sensor, uint32_t *ret, struct err *err)
{
	char path[LEDGER_PATH_MAX];
	uint32_t *numbers;
	struct stat st;
	size_t n;
	int rc = ledger_path(sensor->ledger, sensor->id, 0, path, err);

	*ret = 0;
	if (rc < 0 || (stat(path, &st) < 0 && errno == ENOENT))
		return rc;
	rc = segment_list(path, &numbers, &n, err);
	if (rc == 0 && n > 0)
		*ret = numbers[n - 1];
	free(numbers);
	return rc;
}

/* Nothing is open; the next append begins segment `number` + 1. */
static int stand_behind(struct ledger_sensor *sensor, uint32_t number, struct err *err)
{
	ledger_file_close(&sensor->file);
	sensor->file.number = number;
	sensor->file.size = sensor->file.durable = 0;
	sensor->file.failed = false;
	sensor->is_closed = true;
	for (size_t i = 0; i < sensor->n_streams; i++) {
		sensor->streams[i].durable = sensor->streams[i].chain.sequence;
		sensor->streams[i].is_fresh = false;
	}
	return ledger_reset_tail(sensor, err);
}

/* The segment stays as it is: its present bytes are signed as they are, and it is closed. */
static int leave_damaged(struct ledger_sensor *sensor, uint32_t number, uint64_t tail,
			 uint64_t size, struct err *err)
{
	int rc = ledger_file_open(sensor->ledger, &sensor->file, number, size, err);

	if (rc == 0 && size >= tail)
		rc = digest_damaged(sensor, tail, size, err);
	if (rc < 0)
		return rc;
	if (size < tail)
		return stand_behind(sensor, number, err);
	sensor->file.failed = false;
	sensor->is_closed = true; /* the next manifest says so */
	return ledger_sync_sensor(sensor, err);
}

int ledger_resume_sensor(struct ledger_sensor *sensor, struct err *err)
{
	struct ledger *ledger = sensor->ledger;
	struct scan_result last, before;
	uint32_t number;
	uint64_t tail;
	int rc;

	rc = last_segment(sensor, &number, err);
	if (rc == 0 && number < sensor->sealed_number) {
		log_err(tag, "%s/%08u.fpl is missing; continuing behind it", sensor->id,
			sensor->sealed_number);
		return stand_behind(sensor, sensor->sealed_number, err);
	}
	if (rc < 0 || number == 0)
		return rc < 0 ? rc : stand_behind(sensor, 0, err);
	tail = number == sensor->sealed_number ? sensor->sealed : 0;
	rc = scan_segment(sensor, number, tail, &last, err);
	if (rc == 0 && last.is_empty && tail == 0 && !last.is_damaged) {
		/* Begun, and nothing in it: from the one before it again. The collector may end before
		 * anything comes, and sign that all is told. */
		sensor->n_streams = 0;
		if (last.size > 0)
			rc = ledger_file_open(ledger, &sensor->file, number, 0, err);
		if (rc == 0 && last.size > 0 && (rc = file_sync(sensor->file.fd)) < 0)
			(void)err_set(err, rc, "cannot cut the ledger of %s: %s", sensor->id,
				      strerror(-rc));
		if (rc < 0)
			return rc;
		if (number > 1)
			rc = scan_segment(sensor, number - 1,
					  number - 1 == sensor->sealed_number ? sensor->sealed : 0,
					  &before, err);
		if (rc < 0 && rc != -ENOENT)
			return rc;
		return stand_behind(sensor, number - 1, err);
	}
	if (rc < 0)
		return rc;
	if (last.is_damaged)
		return leave_damaged(sensor, number, tail, last.size, err);
	if (last.good < last.size)
		tell_cut(ledger, sensor->id, number, last.good, last.size - last.good);
	rc = ledger_file_open(ledger, &sensor->file, number, last.good, err);
	if (rc < 0)
		return rc;
	rc = write_again(ledger, sensor->id, number, last.durable, last.good, err);
	if (rc < 0)
		return rc;
	sensor->file.failed = false;
	sensor->is_closed = number == sensor->sealed_number && sensor->sealed_closed;
	return ledger_sync_sensor(sensor, err);
}

/* Segments that a tombstone tells of and that are still there. */
static void end_deletion(struct ledger_sensor *sensor)
{
	char path[LEDGER_PATH_MAX];
	uint32_t *numbers;
	size_t n;

	if (sensor->first == 1 || ledger_path(sensor->ledger, sensor->id, 0, path, NULL) < 0 ||
	    segment_list(path, &numbers, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n && numbers[i] < sensor->first; i++) {
		if (ledger_path(sensor->ledger, sensor->id, numbers[i], path, NULL) == 0)
			(void)file_remove(path);
	}
	free(numbers);
}

/* Is there more of the sensor than the manifests cover? */
static bool has_tail(struct ledger_sensor *sensor)
{
	char path[LEDGER_PATH_MAX];
	uint32_t number;
	struct stat st;

	if (last_segment(sensor, &number, NULL) < 0)
		return true;
	if (number != sensor->sealed_number)
		return true;
	if (number == 0 || ledger_path(sensor->ledger, sensor->id, number, path, NULL) < 0)
		return false;
	return stat(path, &st) != 0 || (uint64_t)st.st_size != sensor->sealed;
}

int ledger_resume_all(struct ledger *ledger, struct err *err)
{
	DIR *dir = opendir(*ledger->store ? ledger->store : "/");
	const struct dirent *d;
	struct err why;
	int rc = 0;

	if (!dir)
		return err_errno(err, "cannot read the folder %s", ledger->store);
	while ((d = readdir(dir)) != NULL) {
		if (d->d_type != DT_REG && wire_sensor_id_ok(d->d_name) &&
		    !ledger_find_sensor(ledger, d->d_name))
			rc = err_set(err, -ENOMEM, "no memory for the sensors of the store");
	}
	(void)closedir(dir);
	for (size_t i = 0; rc == 0 && i < ledger->n_sensors; i++) {
		struct ledger_sensor *sensor = ledger->sensors[i];

		end_deletion(sensor);
		if (has_tail(sensor) && ledger_sensor_open(ledger, sensor->id, &sensor, &why) < 0)
			log_err(tag, "%s", why.text);
	}
	return rc;
}
