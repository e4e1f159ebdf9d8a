// SPDX-License-Identifier: Apache-2.0
/*
 * Writing the ledger.
 *
 * A sensor has a folder, in it segment files 00000001.fpl, 00000002.fpl, ... A new one is begun
 * when the present one would grow beyond 64 MiB. Integers are big-endian.
 *
 * File head, 24 bytes:
 *
 *       0  16  "flowproof-ledger"
 *      16   4  format: 1
 *      20   4  number of the segment, as in its name
 *
 * Then entries without space between them, each 80 bytes and a payload:
 *
 *       0   3  "fpE"
 *       3   1  type: 1 hello, 2 batch, 3 carry
 *       4   4  length of the payload, at most 262,144
 *       8   8  received: the collector's wall clock, Unix nanoseconds
 *      16   8  durable: this many bytes of this file were known to be on disk when the entry was
 *              written
 *      24  16  stream
 *      40   8  sequence of the batch; 0 of a hello; of a carry: the stream's last batch
 *      48  32  SHA-256 of (bytes 0 to 47, SHA-256 of the payload)
 *      80      payload: the message as received (flowproof.proto); of a carry: SHA-256 of the
 *              stream's last batch
 *
 * An entry is valid if its mark, type and length are possible and its digest fits.
 *
 * A segment begins with a carry for each stream that can be resumed, so that the last segment alone
 * says where every stream stands. A segment without a hello or batch says nothing yet: it may be
 * cut to nothing and begun again from the one before it.
 *
 * Why a crash is safe: nothing is acknowledged before fdatasync(2) returned, and a new file's
 * folder was synced when it was made. Before a new segment is begun the old one is synced, so only
 * the last can end in a torn entry. What a crash may leave is bytes after the last sync in any
 * state, not more than SEGMENT_TORN_MAX, and none of them was acknowledged: the sensor sends them
 * again. So the first invalid entry is cut off with all that follows, unless a later entry's
 * `durable` lies beyond it: then those bytes were on disk once, it was no crash that changed them,
 * nothing is cut, and writing goes on in a new segment.
 *
 * After a failed write or sync the kernel may have dropped what it could not write, and would
 * report the next sync as good. The sensor has failed then: the file is cut back to what was
 * durable before anything is appended again.
 */
#include "evidence/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evidence/ledger_segment.h"
#include "platform/file.h"
#include "platform/log.h"

static const char tag[] = "ledger";

/* Where one stream stands. */
struct ledger_stream {
	uint8_t id[WIRE_STREAM_ID];
	struct batch_chain chain;
	uint64_t durable; /* sequence */
};

struct ledger_sensor {
	struct ledger *ledger;
	char id[WIRE_SENSOR_ID_MAX];
	int fd;
	uint32_t number;  /* of the present segment */
	uint64_t size;    /* of the present segment, all entries */
	uint64_t durable; /* bytes of it known to be on disk */
	bool failed;
	size_t n_streams;
	struct ledger_stream streams[LEDGER_STREAMS_MAX]; /* the latest last */
};

struct ledger {
	char *store;
	int dir;
	struct segment scan;
	size_t n_sensors, cap_sensors;
	struct ledger_sensor **sensors;
	uint8_t entry[SEGMENT_ENTRY_MAX];
};

int ledger_open(struct ledger **ret, const char *store, struct err *err)
{
	struct ledger *ledger;
	int rc;

	rc = file_make_dir(store, err);
	if (rc < 0)
		return rc;
	ledger = calloc(1, sizeof *ledger);
	if (!ledger)
		return err_set(err, -ENOMEM, "no memory for the ledger");
	segment_init(&ledger->scan);
	ledger->dir = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ledger->dir < 0) {
		rc = err_errno(err, "cannot open the folder %s", store);
		goto out;
	}
	if (flock(ledger->dir, LOCK_EX | LOCK_NB) < 0) {
		rc = errno == EWOULDBLOCK ? err_set(err, -EWOULDBLOCK,
						    "%s is in use by another collector", store)
					  : err_errno(err, "cannot lock %s", store);
		goto out;
	}
	ledger->store = strdup(store);
	if (!ledger->store)
		rc = err_set(err, -ENOMEM, "no memory for the ledger");
out:
	if (rc < 0)
		ledger_close(ledger);
	else
		*ret = ledger;
	return rc;
}

void ledger_is_root(struct ledger *ledger)
{
	ledger->store[0] = '\0'; /* path_of() puts the slash */
}

void ledger_close(struct ledger *ledger)
{
	if (!ledger)
		return;
	for (size_t i = 0; i < ledger->n_sensors; i++) {
		if (ledger->sensors[i]->fd >= 0)
			(void)close(ledger->sensors[i]->fd);
		free(ledger->sensors[i]);
	}
	free(ledger->sensors);
	segment_fini(&ledger->scan);
	if (ledger->dir >= 0)
		(void)close(ledger->dir);
	free(ledger->store);
	free(ledger);
}

/* ---- streams ---- */

static const struct ledger_stream *find_stream(const struct ledger_sensor *sensor,
					       const uint8_t *id)
{
	for (size_t i = sensor->n_streams; i-- > 0;) {
		if (memcmp(sensor->streams[i].id, id, WIRE_STREAM_ID) == 0)
			return &sensor->streams[i];
	}
	return NULL;
}

/* The stream, put last; made if it is new, in place of the one that was silent longest if need be.
 */
static struct ledger_stream *touch_stream(struct ledger_sensor *sensor, const uint8_t *id)
{
	const struct ledger_stream *known = find_stream(sensor, id);
	struct ledger_stream stream = {.durable = 0};
	size_t at = 0;

	if (known) {
		stream = *known;
		at = (size_t)(known - sensor->streams);
	} else {
		memcpy(stream.id, id, WIRE_STREAM_ID);
		if (sensor->n_streams < LEDGER_STREAMS_MAX)
			at = sensor->n_streams++;
	}
	memmove(&sensor->streams[at], &sensor->streams[at + 1],
		(sensor->n_streams - at - 1) * sizeof stream);
	sensor->streams[sensor->n_streams - 1] = stream;
	return &sensor->streams[sensor->n_streams - 1];
}

void ledger_stream_chain(const struct ledger_sensor *sensor,
			 const uint8_t stream[static WIRE_STREAM_ID], struct batch_chain *ret)
{
	const struct ledger_stream *known = find_stream(sensor, stream);

	*ret = (struct batch_chain){.sequence = 0};
	if (known && known->chain.sequence > 0)
		*ret = known->chain;
	else
		batch_chain_start(ret->digest, stream);
}

uint64_t ledger_stream_durable(const struct ledger_sensor *sensor,
			       const uint8_t stream[static WIRE_STREAM_ID])
{
	const struct ledger_stream *known = find_stream(sensor, stream);

	return known ? known->durable : 0;
}

/* ---- files ---- */

/* STORE/ID, or with a number STORE/ID/NUMBER.fpl. */
static int path_of(const struct ledger_sensor *sensor, uint32_t number,
		   char out[static LEDGER_PATH_MAX], struct err *err)
{
	const char *store = sensor->ledger->store;
	int n = number ? snprintf(out, LEDGER_PATH_MAX, "%s/%s/%08u.fpl", store, sensor->id, number)
		       : snprintf(out, LEDGER_PATH_MAX, "%s/%s", store, sensor->id);

	if (n < 0 || n >= LEDGER_PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "the path of the store is too long: %s", store);
	return 0;
}

static int sync_segment(struct ledger_sensor *sensor, struct err *err)
{
	int rc;

	if (sensor->durable < sensor->size) {
		rc = file_sync(sensor->fd);
		if (rc < 0) {
			sensor->failed = true;
			return err_set(err, rc, "cannot sync the ledger of %s: %s", sensor->id,
				       strerror(-rc));
		}
	}
	sensor->durable = sensor->size;
	for (size_t i = 0; i < sensor->n_streams; i++)
		sensor->streams[i].durable = sensor->streams[i].chain.sequence;
	return 0;
}

static int write_bytes(struct ledger_sensor *sensor, const uint8_t *bytes, size_t len,
		       struct err *err)
{
	int rc = file_write(sensor->fd, bytes, len);

	if (rc < 0) {
		sensor->failed = true;
		return err_set(err, rc, "cannot write the ledger of %s: %s", sensor->id,
			       strerror(-rc));
	}
	sensor->size += len;
	return 0;
}

/* `entry` but for .durable, which is the file's, and .digest, which is computed here. */
static int write_entry(struct ledger_sensor *sensor, struct segment_entry *entry, struct err *err)
{
	uint8_t *out = sensor->ledger->entry;

	entry->durable = sensor->durable;
	crypto_sha256(entry->digest, entry->payload, entry->len);
	segment_entry_head(out, entry);
	memcpy(out + SEGMENT_ENTRY_HEAD, entry->payload, entry->len);
	return write_bytes(sensor, out, SEGMENT_ENTRY_HEAD + entry->len, err);
}

/* Opens segment `number`, cuts it to `size` bytes and makes it the present one. An empty one gets
 * its head and the carries. */
static int open_segment(struct ledger_sensor *sensor, uint32_t number, uint64_t size,
			struct err *err)
{
	char path[LEDGER_PATH_MAX];
	uint8_t head[SEGMENT_HEAD];
	uint64_t present;
	int rc;

	if (sensor->fd >= 0)
		(void)close(sensor->fd);
	sensor->fd = -1;
	sensor->failed = true; /* until it is whole */
	rc = path_of(sensor, number, path, err);
	if (rc < 0)
		return rc;
	rc = file_open_append(path, &sensor->fd, &present, err);
	if (rc < 0)
		return rc;
	if (present > size && ftruncate(sensor->fd, (off_t)size) < 0)
		return err_errno(err, "cannot cut %s", path);
	sensor->number = number;
	sensor->size = size;
	sensor->durable = 0;
	if (size == 0) {
		segment_head(head, number);
		rc = write_bytes(sensor, head, sizeof head, err);
		for (size_t i = 0; rc == 0 && i < sensor->n_streams; i++) {
			struct segment_entry carry = {
				.type = SEGMENT_CARRY,
				.stream = sensor->streams[i].id,
				.sequence = sensor->streams[i].chain.sequence,
				.payload = sensor->streams[i].chain.digest,
				.len = SHA256_BYTES,
			};

			if (carry.sequence > 0)
				rc = write_entry(sensor, &carry, err);
		}
		if (rc < 0)
			return rc;
	}
	sensor->failed = false;
	return 0;
}

static int pick_segment(const struct dirent *d)
{
	return segment_number(d->d_name) > 0;
}

/* The highest segment number in the sensor's folder; 0 if there is none. */
static int last_segment(const struct ledger_sensor *sensor, uint32_t *ret, struct err *err)
{
	char path[LEDGER_PATH_MAX];
	struct dirent **names = NULL;
	uint32_t last = 0;
	int n, rc;

	rc = path_of(sensor, 0, path, err);
	if (rc < 0)
		return rc;
	n = scandir(path, &names, pick_segment, alphasort);
	if (n < 0)
		return err_errno(err, "cannot read the folder %s", path);
	for (int i = 0; i < n; i++) {
		uint32_t number = segment_number(names[i]->d_name);

		if (number > last)
			last = number;
		free(names[i]);
	}
	free(names);
	*ret = last;
	return 0;
}

struct scan_result {
	uint64_t good;   /* bytes that stay */
	uint64_t size;   /* of the file */
	bool is_damaged; /* not to be written to any more */
	bool is_empty;   /* no hello, no batch */
};

/* Reads a segment for where its streams stand. */
static int scan_segment(struct ledger_sensor *sensor, uint32_t number, struct scan_result *ret,
			struct err *err)
{
	struct segment *scan = &sensor->ledger->scan;
	struct segment_entry entry;
	struct segment_fault fault;
	char path[LEDGER_PATH_MAX];
	int rc;

	rc = path_of(sensor, number, path, err);
	if (rc == 0)
		rc = segment_open(scan, path, number, err);
	if (rc < 0)
		return rc;
	*ret = (struct scan_result){.good = scan->size, .size = scan->size, .is_empty = true};
	while ((rc = segment_next(scan, &entry, &fault)) > 0) {
		struct ledger_stream *stream;

		if (rc == SEGMENT_FAULT) {
			if (!fault.was_durable) { /* torn: what follows it was not durable either */
				ret->good = fault.from;
				break;
			}
			ret->is_damaged = true;
			log_warn(tag,
				 "%s is damaged at byte %llu (%s); continuing in a new segment",
				 path, (unsigned long long)fault.from, fault.reason);
			continue;
		}
		if (entry.type != SEGMENT_CARRY)
			ret->is_empty = false;
		else if (entry.len != SHA256_BYTES)
			continue;
		stream = touch_stream(sensor, entry.stream);
		if (entry.type == SEGMENT_HELLO)
			continue;
		stream->chain.sequence = entry.sequence;
		memcpy(stream->chain.digest,
		       entry.type == SEGMENT_CARRY ? entry.payload : entry.digest, SHA256_BYTES);
	}
	segment_close(scan);
	if (rc < 0) {
		errno = -rc;
		return err_errno(err, "cannot read %s", path);
	}
	return 0;
}

/* Finds out where the sensor's streams stand and opens the segment to go on in. */
static int resume(struct ledger_sensor *sensor, struct err *err)
{
	struct scan_result last = {.is_empty = true}, before;
	char path[LEDGER_PATH_MAX];
	uint32_t number = 0;
	int rc;

	sensor->n_streams = 0;
	rc = path_of(sensor, 0, path, err);
	if (rc < 0)
		return rc;
	rc = file_make_dir(path, err);
	if (rc < 0)
		return rc;
	rc = last_segment(sensor, &number, err);
	if (rc == 0 && number > 0)
		rc = scan_segment(sensor, number, &last, err);
	if (rc < 0)
		return rc;
	if (number > 1 && last.is_empty && !last.is_damaged) {
		sensor->n_streams = 0;
		last.good = 0;
		rc = scan_segment(sensor, number - 1, &before, err);
		if (rc < 0 && rc != -ENOENT)
			return rc;
	}
	if (last.good < last.size && !last.is_empty)
		log_warn(tag, "%s/%08u.fpl ended in an unfinished entry: %llu bytes cut off", path,
			 number, (unsigned long long)(last.size - last.good));
	if (number == 0 || last.is_damaged)
		rc = open_segment(sensor, number + 1, 0, err);
	else
		rc = open_segment(sensor, number, last.is_empty ? 0 : last.good, err);
	/* What a collector that was killed left in the page cache may not be on disk yet. */
	return rc < 0 ? rc : sync_segment(sensor, err);
}

int ledger_sensor_open(struct ledger *ledger, const char *id, struct ledger_sensor **ret,
		       struct err *err)
{
	struct ledger_sensor *sensor = NULL, **more;
	int rc;

	if (!wire_sensor_id_ok(id))
		return err_set(err, ERR_FORMAT, "'%s' cannot name a sensor", id);
	for (size_t i = 0; i < ledger->n_sensors && !sensor; i++) {
		if (strcmp(ledger->sensors[i]->id, id) == 0)
			sensor = ledger->sensors[i];
	}
	if (!sensor) {
		if (ledger->n_sensors == ledger->cap_sensors) {
			size_t cap = ledger->cap_sensors ? 2 * ledger->cap_sensors : 16;

			more = reallocarray(ledger->sensors, cap, sizeof(struct ledger_sensor *));
			if (!more)
				return err_set(err, -ENOMEM, "no memory for another sensor");
			ledger->sensors = more;
			ledger->cap_sensors = cap;
		}
		sensor = calloc(1, sizeof *sensor);
		if (!sensor)
			return err_set(err, -ENOMEM, "no memory for another sensor");
		sensor->ledger = ledger;
		(void)snprintf(sensor->id, sizeof sensor->id, "%s", id);
		sensor->fd = -1;
		sensor->failed = true;
		ledger->sensors[ledger->n_sensors++] = sensor;
	}
	if (sensor->failed) {
		if (sensor->fd >= 0 && ftruncate(sensor->fd, (off_t)sensor->durable) < 0)
			return err_errno(err, "cannot cut the ledger of %s back", id);
		rc = resume(sensor, err);
		if (rc < 0) { /* what was durable is not known: nothing may be cut next time */
			if (sensor->fd >= 0)
				(void)close(sensor->fd);
			sensor->fd = -1;
			sensor->failed = true;
			return rc;
		}
	}
	*ret = sensor;
	return 0;
}

/* ---- appending ---- */

static int append(struct ledger_sensor *sensor, struct segment_entry *entry, struct err *err)
{
	uint64_t size = SEGMENT_ENTRY_HEAD + entry->len;
	int rc = 0;

	if (sensor->failed)
		return err_set(err, -EIO, "the ledger of %s failed before", sensor->id);
	if (entry->len > LEDGER_PAYLOAD_MAX)
		return err_set(err, ERR_FULL, "a message of %zu bytes is too long for the ledger",
			       entry->len);
	if (sensor->size + size > LEDGER_SEGMENT_MAX) {
		rc = sync_segment(sensor, err);
		if (rc == 0)
			rc = open_segment(sensor, sensor->number + 1, 0, err);
	} else if (sensor->size - sensor->durable + size > LEDGER_UNSYNCED_MAX) {
		rc = sync_segment(sensor, err);
	}
	return rc < 0 ? rc : write_entry(sensor, entry, err);
}

int ledger_append_hello(struct ledger_sensor *sensor, uint64_t received_ns,
			const uint8_t stream[static WIRE_STREAM_ID], const uint8_t *bytes,
			size_t len, struct err *err)
{
	struct segment_entry entry = {.type = SEGMENT_HELLO,
				      .received_ns = received_ns,
				      .stream = stream,
				      .payload = bytes,
				      .len = len};
	int rc = append(sensor, &entry, err);

	if (rc == 0)
		(void)touch_stream(sensor, stream);
	return rc;
}

int ledger_append_batch(struct ledger_sensor *sensor, uint64_t received_ns,
			const uint8_t stream[static WIRE_STREAM_ID], uint64_t sequence,
			const uint8_t *bytes, size_t len, struct err *err)
{
	struct segment_entry entry = {.type = SEGMENT_BATCH,
				      .received_ns = received_ns,
				      .stream = stream,
				      .sequence = sequence,
				      .payload = bytes,
				      .len = len};
	struct ledger_stream *known;
	int rc = append(sensor, &entry, err);

	if (rc < 0)
		return rc;
	known = touch_stream(sensor, stream);
	known->chain.sequence = sequence;
	memcpy(known->chain.digest, entry.digest, SHA256_BYTES);
	return 0;
}

int ledger_commit(struct ledger *ledger, struct err *err)
{
	int rc, first = 0;

	for (size_t i = 0; i < ledger->n_sensors; i++) {
		struct ledger_sensor *sensor = ledger->sensors[i];

		if (sensor->failed || sensor->durable == sensor->size)
			continue;
		rc = sync_segment(sensor, first ? NULL : err);
		if (rc < 0 && first == 0)
			first = rc;
	}
	return first;
}

bool ledger_sensor_failed(const struct ledger_sensor *sensor)
{
	return sensor->failed;
}
