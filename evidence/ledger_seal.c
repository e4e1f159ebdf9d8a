// SPDX-License-Identifier: Apache-2.0
/*
 * Signing what is in the ledger, and deleting what is old. Format: manifest.h.
 *
 * One manifest tells of all sensors that have new bytes, so one signature serves them all. A file of
 * manifests begins with the state of every sensor: the last file that tells it whole is all that a
 * start must read. A manifest is durable before anything follows from it: a new segment, a deletion.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "evidence/ledger_parts.h"
#include "platform/bytes.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/log.h"

static const char tag[] = "ledger";

enum { MANIFESTS_FILE = 16 * 1024 * 1024 }; /* no further one is added to a file of this size */

/* A manifest that is being made. */
struct making {
	struct ledger *ledger;
	enum manifest_kind kind;
	uint64_t now_ns;
	size_t n_told; /* sensors that were marked: those before are told */
};

/* ---- one manifest ---- */

static void begin(struct making *m)
{
	struct ledger *ledger = m->ledger;
	struct manifest_head head = {
		.kind = m->kind, .number = ledger->number + 1, .time_ns = m->now_ns};

	memcpy(head.store, ledger->id, sizeof head.store);
	memcpy(head.previous, ledger->last, sizeof head.previous);
	memcpy(head.signer, ledger->signer, sizeof head.signer);
	manifest_begin(&ledger->writer, &head);
}

/* Cuts back what a failure left, and begins a file if need be. */
static int ready_file(struct ledger *ledger, struct err *err)
{
	struct ledger_file *file = &ledger->file;
	int rc = 0;

	if (file->failed && file->fd >= 0) {
		rc = file_cut(file->fd, file->durable);
		if (rc < 0)
			return err_set(err, rc, "cannot cut the manifests back: %s", strerror(-rc));
		file->size = file->durable;
		file->failed = false;
		if (file->size < SEGMENT_HEAD) { /* nothing is in it: begin it again */
			ledger_file_close(file);
			file->number--;
		}
	}
	if (file->fd >= 0)
		return 0;
	rc = ledger_file_open(ledger, file, file->number + 1, 0, err);
	if (rc == 0)
		rc = ledger_file_head(ledger, file, NULL, err);
	if (rc == 0)
		file->failed = false;
	return rc;
}

/* Signs what was added and makes it durable. */
static int finish(struct making *m, bool more, struct err *err)
{
	static const uint8_t no_stream[WIRE_STREAM_ID];
	struct ledger *ledger = m->ledger;
	struct segment_entry entry = {.type = SEGMENT_MANIFEST,
				      .received_ns = m->now_ns,
				      .stream = no_stream,
				      .sequence = ledger->number + 1,
				      .payload = ledger->writer.bytes};
	int rc = ready_file(ledger, err);

	if (rc < 0)
		return rc;
	entry.len = manifest_finish(&ledger->writer, more, ledger->config.signer);
	rc = ledger_file_entry(ledger, &ledger->file, &entry, NULL, err);
	if (rc == 0)
		rc = ledger_file_sync(&ledger->file, err);
	if (rc < 0)
		return rc;
	ledger->number = entry.sequence;
	memcpy(ledger->last, entry.digest, SHA256_BYTES);
	return 0;
}

/* ---- ranges ---- */

/* Has the sensor bytes, or an end, that no manifest tells? What is not durable is not told yet. */
static bool has_news(const struct ledger_sensor *sensor)
{
	if (sensor->file.failed || sensor->file.durable != sensor->file.size ||
	    ledger_is_sealed(sensor))
		return false;
	return sensor->sealed_number != sensor->file.number ||
	       sensor->sealed != sensor->file.durable || sensor->is_closed;
}

/* The range from what was told to what is durable; `news`: false for the state as it was told. */
static void describe(struct ledger_sensor *sensor, bool news, struct manifest_item *ret)
{
	uint8_t *streams = sensor->ledger->streams;
	struct manifest_range *range = &ret->range;

	*ret = (struct manifest_item){.type = MANIFEST_RANGE, .number = sensor->sealed_number};
	memcpy(ret->sensor, sensor->id, sizeof ret->sensor);
	range->first = sensor->first;
	range->from = range->to = sensor->sealed;
	range->is_closed = sensor->sealed_closed;
	range->sum = ledger_sum_none;
	range->streams = streams;
	if (!news) {
		crypto_sha256(range->digest, NULL, 0);
		return;
	}
	if (sensor->file.number != sensor->sealed_number)
		range->from = 0;
	ret->number = sensor->file.number;
	range->to = sensor->file.durable;
	range->is_closed = sensor->is_closed;
	range->hello = range->from > 0 ? sensor->sealed_hello : 0;
	range->sum = sensor->sum;
	crypto_sha256_peek(sensor->digest, range->digest);
	for (size_t i = 0; i < sensor->n_streams; i++) {
		const struct ledger_stream *stream = &sensor->streams[i];
		uint8_t *p = streams + range->n_streams * MANIFEST_STREAM;

		if (!stream->is_fresh)
			continue;
		memcpy(p, stream->id, WIRE_STREAM_ID);
		put_be64(p + WIRE_STREAM_ID, stream->chain.sequence);
		memcpy(p + WIRE_STREAM_ID + 8, stream->chain.digest, SHA256_BYTES);
		range->n_streams++;
	}
}

/* The manifest that tells of the sensor is durable. */
static int mark(struct ledger_sensor *sensor, struct err *err)
{
	if (!has_news(sensor))
		return 0;
	sensor->sealed_number = sensor->file.number;
	sensor->sealed = sensor->file.durable;
	sensor->sealed_closed = sensor->is_closed;
	sensor->sealed_hello = sensor->hello_at;
	for (size_t i = 0; i < sensor->n_streams; i++)
		sensor->streams[i].is_fresh = false;
	return ledger_reset_tail(sensor, err);
}

/* Adds; when there is no room the manifest is finished, what it tells is marked, and the next one
 * begun. */
static int add(struct making *m, const struct manifest_item *item, size_t n_before, struct err *err)
{
	int rc = 0;

	if (manifest_add(&m->ledger->writer, item))
		return 0;
	rc = finish(m, true, err);
	for (; rc == 0 && m->n_told < n_before; m->n_told++)
		rc = mark(m->ledger->sensors[m->n_told], err);
	if (rc < 0)
		return rc;
	begin(m);
	return manifest_add(&m->ledger->writer, item)
		       ? 0
		       : err_set(err, ERR_FULL, "an item is too long for a manifest");
}

static int add_start(struct making *m, struct err *err)
{
	struct ledger *ledger = m->ledger;
	struct manifest_item item = {.type = MANIFEST_CERTIFICATE};
	int rc;

	item.der = crypto_signer_certificate(ledger->config.signer, &item.der_len);
	rc = add(m, &item, 0, err);
	for (size_t i = 0; rc == 0 && i < ledger->n_cuts; i++) {
		const struct ledger_cut *cut = &ledger->cuts[i];

		item = (struct manifest_item){.type = MANIFEST_CUT,
					      .number = cut->number,
					      .offset = cut->offset,
					      .bytes = cut->bytes};
		memcpy(item.sensor, cut->folder, sizeof item.sensor);
		rc = add(m, &item, 0, err);
	}
	return rc;
}

int ledger_manifest(struct ledger *ledger, enum manifest_kind kind, uint64_t now_ns,
		    struct err *err)
{
	struct making m = {.ledger = ledger, .kind = kind, .now_ns = now_ns};
	struct manifest_item item;
	int rc = 0;

	if (ledger->is_snapshot || ledger->file.size > MANIFESTS_FILE) {
		ledger_file_close(&ledger->file);
		ledger->file.failed = false;
		ledger->is_snapshot = true;
	}
	begin(&m);
	if (kind == MANIFEST_START)
		rc = add_start(&m, err);
	for (size_t i = 0; rc == 0 && i < ledger->n_sensors; i++) {
		struct ledger_sensor *sensor = ledger->sensors[i];

		if (!has_news(sensor) && !(ledger->is_snapshot && sensor->sealed_number > 0))
			continue;
		describe(sensor, has_news(sensor), &item);
		rc = add(&m, &item, i, err);
	}
	if (rc == 0)
		rc = finish(&m, false, err);
	for (; rc == 0 && m.n_told < ledger->n_sensors; m.n_told++)
		rc = mark(ledger->sensors[m.n_told], err);
	if (rc < 0)
		return rc;
	ledger->is_snapshot = false;
	if (kind == MANIFEST_START)
		ledger->n_cuts = 0;
	return 0;
}

int ledger_seal_closed(struct ledger_sensor *sensor, uint64_t now_ns, struct err *err)
{
	bool was_closed = sensor->is_closed;
	int rc;

	sensor->is_closed = true;
	rc = ledger_manifest(sensor->ledger, MANIFEST_SEAL, now_ns, err);
	if (rc < 0)
		sensor->is_closed = was_closed;
	return rc;
}

/* ---- retention ---- */

/* When the segment after this one was begun: what is in this one is older. -errno, or ERR_FORMAT. */
static int end_of(struct ledger_sensor *sensor, uint32_t number, uint64_t *ret_ns)
{
	struct segment *scan = &sensor->ledger->scan;
	struct segment_entry entry;
	struct segment_fault fault;
	char path[LEDGER_PATH_MAX];
	int rc = ledger_path(sensor->ledger, sensor->id, number + 1, path, NULL);

	if (rc == 0)
		rc = segment_open(scan, path, number + 1, NULL);
	if (rc < 0)
		return rc;
	rc = segment_next(scan, &entry, &fault);
	segment_close(scan);
	if (rc != SEGMENT_ENTRY)
		return rc < 0 ? rc : ERR_FORMAT;
	*ret_ns = entry.received_ns;
	return 0;
}

static uint64_t size_of(const struct ledger_sensor *sensor, uint32_t number)
{
	char path[LEDGER_PATH_MAX];
	struct stat st;

	if (ledger_path(sensor->ledger, sensor->id, number, path, NULL) < 0 || stat(path, &st) < 0)
		return 0;
	return (uint64_t)st.st_size;
}

static uint64_t size_of_all(const struct ledger *ledger)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < ledger->n_sensors; i++) {
		const struct ledger_sensor *sensor = ledger->sensors[i];

		for (uint32_t n = sensor->first; n <= sensor->sealed_number; n++)
			sum += size_of(sensor, n);
	}
	return sum;
}

/* The sensor whose first segment is the oldest of those that may go; NULL if there is none. The last
 * segment of a sensor always stays: it says where its streams stand. */
static struct ledger_sensor *oldest(struct ledger *ledger, uint64_t *ret_end_ns)
{
	struct ledger_sensor *found = NULL;
	uint64_t end_ns;

	for (size_t i = 0; i < ledger->n_sensors; i++) {
		struct ledger_sensor *sensor = ledger->sensors[i];

		if (sensor->first >= sensor->sealed_number ||
		    end_of(sensor, sensor->first, &end_ns) < 0)
			continue;
		if (!found || end_ns < *ret_end_ns) {
			found = sensor;
			*ret_end_ns = end_ns;
		}
	}
	return found;
}

/* Signs that the sensor's first segment goes, then deletes it. */
static int delete_first(struct ledger_sensor *sensor, enum manifest_reason reason, uint64_t now_ns,
			struct err *err)
{
	struct ledger *ledger = sensor->ledger;
	struct making m = {.ledger = ledger, .kind = MANIFEST_SEAL, .now_ns = now_ns};
	struct manifest_item item = {.type = MANIFEST_TOMBSTONE,
				     .number = sensor->first,
				     .size = size_of(sensor, sensor->first),
				     .reason = reason};
	char path[LEDGER_PATH_MAX];
	int rc;

	memcpy(item.sensor, sensor->id, sizeof item.sensor);
	begin(&m);
	rc = add(&m, &item, 0, err);
	if (rc == 0)
		rc = finish(&m, false, err);
	if (rc == 0)
		rc = ledger_path(ledger, sensor->id, sensor->first, path, err);
	if (rc < 0)
		return rc;
	sensor->first++;
	rc = file_remove(path);
	if (rc < 0)
		return err_set(err, rc, "cannot delete %s: %s", path, strerror(-rc));
	log_info(tag, "%s was deleted: %s", path,
		 reason == MANIFEST_AGE ? "it is older than is to be kept"
					: "the store is larger than is to be kept");
	return 0;
}

static int retain(struct ledger *ledger, uint64_t now_ns, struct err *err)
{
	const struct ledger_config *config = &ledger->config;
	uint64_t size = config->retain_bytes ? size_of_all(ledger) : 0, end_ns = 0;
	struct ledger_sensor *sensor;
	int rc = 0;

	if (config->retain_s == 0 && config->retain_bytes == 0)
		return 0;
	while (rc == 0 && (sensor = oldest(ledger, &end_ns)) != NULL) {
		uint64_t bytes = size_of(sensor, sensor->first);
		bool is_old = config->retain_s > 0 && now_ns > end_ns &&
			      (now_ns - end_ns) / NS_PER_S >= config->retain_s;

		if (!is_old && (config->retain_bytes == 0 || size <= config->retain_bytes))
			break;
		rc = delete_first(sensor, is_old ? MANIFEST_AGE : MANIFEST_SIZE, now_ns, err);
		size -= bytes < size ? bytes : size;
	}
	return rc;
}

/* ---- on schedule ---- */

/* Those whose first entry is old enough end here. */
static void close_old(struct ledger *ledger, uint64_t now_ns)
{
	for (size_t i = 0; i < ledger->n_sensors; i++) {
		struct ledger_sensor *sensor = ledger->sensors[i];

		if (!sensor->file.failed && sensor->file.fd >= 0 && now_ns > sensor->begun_ns &&
		    (now_ns - sensor->begun_ns) / NS_PER_S >= ledger->config.segment_s)
			sensor->is_closed = true;
	}
}

int ledger_seal(struct ledger *ledger, uint64_t now_ns, struct err *err)
{
	struct err why;
	int rc;

	if (ledger_commit(ledger, &why) < 0)
		log_err(tag, "%s", why.text);
	close_old(ledger, now_ns);
	rc = ledger_manifest(ledger, MANIFEST_SEAL, now_ns, err);
	return rc < 0 ? rc : retain(ledger, now_ns, err);
}

int ledger_end(struct ledger *ledger, uint64_t now_ns, struct err *err)
{
	struct ledger_sensor *sensor;
	struct err why;
	int rc;

	if (ledger_commit(ledger, &why) < 0)
		log_err(tag, "%s", why.text);
	/* Of those that failed, what was durable. No end in good order with a rest that nobody looked at. */
	for (size_t i = 0; i < ledger->n_sensors; i++) {
		sensor = ledger->sensors[i];
		if (!sensor->file.failed || !sensor->is_used)
			continue;
		rc = ledger_sensor_open(ledger, sensor->id, &sensor, err);
		if (rc < 0)
			return rc;
	}
	return ledger_manifest(ledger, MANIFEST_END, now_ns, err);
}

void ledger_head(const struct ledger *ledger, uint64_t *ret_number,
		 uint8_t ret_digest[static SHA256_BYTES])
{
	*ret_number = ledger->number;
	memcpy(ret_digest, ledger->last, SHA256_BYTES);
}
