// SPDX-License-Identifier: Apache-2.0
/*
 * Writing the ledger.
 *
 * A sensor has a folder, in it segment files 00000001.fpl, 00000002.fpl, ... A new one is begun
 * when the present one would grow beyond 64 MiB, or is old enough to be closed. Manifests are
 * entries of the same form in a folder of their own. Integers are big-endian.
 *
 * File head, 40 bytes:
 *
 *       0  16  "flowproof-ledger"
 *      16   4  format: 1
 *      20   4  number of the segment, as in its name
 *      24  16  store: random, the same in all files of a store
 *
 * Then entries without space between them, each 88 bytes and a payload:
 *
 *       0   3  "fpE"
 *       3   1  type: 1 hello, 2 batch, 3 carry, 4 hello again, 5 gap, 6 manifest
 *       4   4  length of the payload, at most 262,144
 *       8   8  received: the collector's wall clock, Unix nanoseconds
 *      16   8  durable: this many bytes of this file were known to be on disk when the entry was
 *              written
 *      24   8  manifest: number of the last manifest then; 0 of a manifest
 *      32  16  stream; 0 of a manifest
 *      48   8  sequence of the batch; 0 of a hello; of a carry: the stream's last batch; of a gap:
 *              its last batch; number of a manifest
 *      56  32  SHA-256 of (bytes 0 to 55, SHA-256 of the payload)
 *      88      payload: the message as received (flowproof.proto); of a carry: SHA-256 of the
 *              stream's last batch; of a manifest: manifest.h
 *
 * An entry is valid if its mark, type and length are possible and its digest fits.
 *
 * A segment begins with a carry for each stream that can be resumed, so that the last segment alone
 * says where every stream stands, and, if a batch comes next, with the hello of its stream again, so
 * that it can be read without those before it. A segment without a hello or batch says nothing yet:
 * unless a manifest covers it, it may be cut to nothing and begun again from the one before it.
 *
 * Why a crash is safe: nothing is acknowledged before fdatasync(2) returned, and a new file's
 * folder was synced when it was made. Before a new segment is begun the old one is synced, so only
 * the last can end in a torn entry. What a crash may leave is bytes after the last sync in any
 * state, not more than SEGMENT_TORN_MAX, and none of them was acknowledged: the sensor sends them
 * again. So the first invalid entry is cut off with all that follows, unless a manifest covers it, or
 * a later entry's `durable` lies beyond it: then those bytes were on disk once, it was no crash that
 * changed them, nothing is cut, and writing goes on in a new segment.
 *
 * After a failed write or sync the kernel may have dropped what it could not write, and would
 * report the next sync as good. The sensor has failed then: the file is cut back to what was
 * durable before anything is appended again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "evidence/ledger_parts.h"
#include "platform/file.h"
#include "platform/log.h"

static const char tag[] = "ledger";

enum {
	RESERVE_MAX = 8 * 1024 * 1024, /* of a disk, for manifests; at most a sixteenth of it */
	RESERVE_SHARE = 16,
};

/* ---- files ---- */

int ledger_path(const struct ledger *ledger, const char *folder, uint32_t number,
		char out[static LEDGER_PATH_MAX], struct err *err)
{
	int n = number ? snprintf(out, LEDGER_PATH_MAX, "%s/%s/%08u.fpl", ledger->store, folder,
				  number)
		       : snprintf(out, LEDGER_PATH_MAX, "%s/%s", ledger->store, folder);

	if (n < 0 || n >= LEDGER_PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "the path of the store is too long: %s",
			       ledger->store);
	return 0;
}

void ledger_file_close(struct ledger_file *file)
{
	if (file->fd >= 0)
		(void)close(file->fd);
	file->fd = -1;
}

int ledger_file_open(struct ledger *ledger, struct ledger_file *file, uint32_t number,
		     uint64_t size, struct err *err)
{
	char path[LEDGER_PATH_MAX];
	uint64_t present;
	int rc;

	ledger_file_close(file);
	file->failed = true; /* until it is whole */
	rc = ledger_path(ledger, file->folder, 0, path, err);
	if (rc == 0)
		rc = file_make_dir(path, err);
	if (rc == 0)
		rc = ledger_path(ledger, file->folder, number, path, err);
	if (rc == 0)
		rc = file_open_append(path, &file->fd, &present, err);
	if (rc < 0)
		return rc;
	if (present > size && (rc = file_cut(file->fd, size)) < 0) {
		ledger_file_close(file);
		return err_set(err, rc, "cannot cut %s: %s", path, strerror(-rc));
	}
	file->number = number;
	file->size = size;
	file->durable = 0;
	return 0;
}

int ledger_file_sync(struct ledger_file *file, struct err *err)
{
	int rc = file->durable < file->size ? file_sync(file->fd) : 0;

	if (rc < 0) {
		file->failed = true;
		return err_set(err, rc, "cannot sync the ledger of %s: %s", file->folder,
			       strerror(-rc));
	}
	file->durable = file->size;
	return 0;
}

static int write_bytes(struct ledger_file *file, const uint8_t *bytes, size_t len,
		       struct crypto_sha256 *digest, struct err *err)
{
	int rc = file_write(file->fd, bytes, len);

	if (rc < 0) {
		file->failed = true;
		return err_set(err, rc, "cannot write the ledger of %s: %s", file->folder,
			       strerror(-rc));
	}
	file->size += len;
	if (digest)
		crypto_sha256_add(digest, bytes, len);
	return 0;
}

int ledger_file_head(struct ledger *ledger, struct ledger_file *file, struct crypto_sha256 *digest,
		     struct err *err)
{
	uint8_t head[SEGMENT_HEAD];

	segment_head(head, file->number, ledger->id);
	return write_bytes(file, head, sizeof head, digest, err);
}

int ledger_file_entry(struct ledger *ledger, struct ledger_file *file, struct segment_entry *entry,
		      struct crypto_sha256 *digest, struct err *err)
{
	uint8_t *out = ledger->entry;

	entry->durable = file->durable;
	entry->manifest = entry->type == SEGMENT_MANIFEST ? 0 : ledger->number;
	crypto_sha256(entry->digest, entry->payload, entry->len);
	segment_entry_head(out, entry);
	memcpy(out + SEGMENT_ENTRY_HEAD, entry->payload, entry->len);
	return write_bytes(file, out, SEGMENT_ENTRY_HEAD + entry->len, digest, err);
}

/* ---- sensors and their streams ---- */

int ledger_reset_tail(struct ledger_sensor *sensor, struct err *err)
{
	uint8_t unused[SHA256_BYTES];

	if (sensor->digest)
		crypto_sha256_end(sensor->digest, unused);
	sensor->sum = ledger_sum_none;
	sensor->digest = crypto_sha256_new();
	if (!sensor->digest)
		return err_set(err, -ENOMEM, "no memory for the ledger of %s", sensor->id);
	return 0;
}

struct ledger_sensor *ledger_find_sensor(struct ledger *ledger, const char *id)
{
	struct ledger_sensor *sensor, **more;
	struct err err;

	for (size_t i = 0; i < ledger->n_sensors; i++) {
		if (strcmp(ledger->sensors[i]->id, id) == 0)
			return ledger->sensors[i];
	}
	if (ledger->n_sensors == ledger->cap_sensors) {
		size_t cap = ledger->cap_sensors ? 2 * ledger->cap_sensors : 16;

		more = reallocarray(ledger->sensors, cap, sizeof(struct ledger_sensor *));
		if (!more)
			return NULL;
		ledger->sensors = more;
		ledger->cap_sensors = cap;
	}
	sensor = calloc(1, sizeof *sensor);
	if (!sensor || ledger_reset_tail(sensor, &err) < 0) {
		free(sensor);
		return NULL;
	}
	sensor->ledger = ledger;
	(void)snprintf(sensor->id, sizeof sensor->id, "%s", id);
	sensor->file = (struct ledger_file){.folder = sensor->id, .fd = -1, .failed = true};
	sensor->first = 1;
	ledger->sensors[ledger->n_sensors++] = sensor;
	return sensor;
}

static void free_sensor(struct ledger_sensor *sensor)
{
	uint8_t unused[SHA256_BYTES];

	ledger_file_close(&sensor->file);
	crypto_sha256_end(sensor->digest, unused);
	free(sensor->hello);
	free(sensor);
}

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
struct ledger_stream *ledger_touch_stream(struct ledger_sensor *sensor, const uint8_t *id)
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

int ledger_sync_sensor(struct ledger_sensor *sensor, struct err *err)
{
	int rc = ledger_file_sync(&sensor->file, err);

	for (size_t i = 0; rc == 0 && i < sensor->n_streams; i++)
		sensor->streams[i].durable = sensor->streams[i].chain.sequence;
	return rc;
}

bool ledger_sensor_failed(const struct ledger_sensor *sensor)
{
	return sensor->file.failed;
}

int ledger_sensor_open(struct ledger *ledger, const char *id, struct ledger_sensor **ret,
		       struct err *err)
{
	struct ledger_sensor *sensor;
	struct ledger_file *file;
	int rc;

	if (!wire_sensor_id_ok(id))
		return err_set(err, ERR_FORMAT, "'%s' cannot name a sensor", id);
	sensor = ledger_find_sensor(ledger, id);
	if (!sensor)
		return err_set(err, -ENOMEM, "no memory for another sensor");
	file = &sensor->file;
	sensor->is_used = true;
	if (file->failed) {
		if (file->fd >= 0 && (rc = file_cut(file->fd, file->durable)) < 0)
			return err_set(err, rc, "cannot cut the ledger of %s back: %s", id,
				       strerror(-rc));
		rc = ledger_resume_sensor(sensor, err);
		if (rc < 0) { /* what was durable is not known: nothing may be cut next time */
			ledger_file_close(file);
			file->failed = true;
			return rc;
		}
	}
	*ret = sensor;
	return 0;
}

/* ---- the whole ---- */

static int lock_store(struct ledger *ledger, const char *store, struct err *err)
{
	ledger->dir = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ledger->dir < 0)
		return err_errno(err, "cannot open the folder %s", store);
	if (flock(ledger->dir, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK
		       ? err_set(err, -EWOULDBLOCK, "%s is in use by another collector", store)
		       : err_errno(err, "cannot lock %s", store);
}

int ledger_open(struct ledger **ret, const char *store, const struct ledger_config *config,
		uint64_t now_ns, struct err *err)
{
	struct ledger *ledger;
	const uint8_t *der;
	size_t len;
	int rc;

	rc = file_make_dir(store, err);
	if (rc < 0)
		return rc;
	ledger = calloc(1, sizeof *ledger);
	if (!ledger)
		return err_set(err, -ENOMEM, "no memory for the ledger");
	ledger->config = *config;
	ledger->dir = -1;
	ledger->file = (struct ledger_file){.folder = MANIFEST_FOLDER, .fd = -1};
	der = crypto_signer_certificate(config->signer, &len);
	crypto_sha256(ledger->signer, der, len);
	segment_init(&ledger->scan);
	ledger->store = strdup(store);
	rc = ledger->store ? lock_store(ledger, store, err)
			   : err_set(err, -ENOMEM, "no memory for the ledger");
	if (rc == 0)
		rc = ledger_resume_manifests(ledger, err);
	if (rc == 0)
		rc = ledger_resume_all(ledger, err);
	if (rc == 0)
		rc = ledger_manifest(ledger, MANIFEST_START, now_ns, err);
	if (rc < 0)
		ledger_close(ledger);
	else
		*ret = ledger;
	return rc;
}

void ledger_id(const struct ledger *ledger, uint8_t ret[static LEDGER_STORE_ID])
{
	memcpy(ret, ledger->id, LEDGER_STORE_ID);
}

void ledger_is_root(struct ledger *ledger)
{
	ledger->store[0] = '\0'; /* ledger_path() puts the slash */
}

void ledger_close(struct ledger *ledger)
{
	if (!ledger)
		return;
	for (size_t i = 0; i < ledger->n_sensors; i++)
		free_sensor(ledger->sensors[i]);
	free(ledger->sensors);
	ledger_file_close(&ledger->file);
	segment_fini(&ledger->scan);
	if (ledger->dir >= 0)
		(void)close(ledger->dir);
	free(ledger->store);
	free(ledger);
}

/* ---- room ---- */

/* Sees whether the disk is nearly full, and says when that changes. */
static void look_for_room(struct ledger *ledger)
{
	uint64_t left, size, reserve;
	bool is_full;

	if (file_room(ledger->dir, &left, &size) < 0)
		return;
	reserve = size / RESERVE_SHARE < RESERVE_MAX ? size / RESERVE_SHARE : RESERVE_MAX;
	/* Half as much again before it counts as room: not on and off with every batch. */
	is_full = left < (ledger->is_full ? reserve + reserve / 2 : reserve);
	if (is_full && !ledger->is_full)
		log_err(tag,
			"the disk of the store is full, but for %llu KiB that are kept for "
			"manifests: "
			"nothing more is taken or acknowledged until there is room; the sensors "
			"keep "
			"what they have",
			(unsigned long long)left / 1024);
	else if (!is_full && ledger->is_full)
		log_info(tag, "there is room on the disk again: %llu KiB",
			 (unsigned long long)left / 1024);
	ledger->is_full = is_full;
}

/* ---- appending ---- */

bool ledger_is_sealed(const struct ledger_sensor *sensor)
{
	return sensor->file.fd < 0 ||
	       (sensor->sealed_number == sensor->file.number && sensor->sealed_closed);
}

/* Closes the present segment and begins the next. */
static int begin_segment(struct ledger_sensor *sensor, const struct segment_entry *next,
			 struct err *err)
{
	struct ledger *ledger = sensor->ledger;
	struct ledger_file *file = &sensor->file;
	int rc = 0;

	if (!ledger_is_sealed(sensor)) {
		rc = ledger_sync_sensor(sensor, err);
		if (rc == 0)
			rc = ledger_seal_closed(sensor, next->received_ns, err);
	}
	if (rc == 0)
		rc = ledger_file_open(ledger, file, file->number + 1, 0, err);
	if (rc < 0) /* the present one stays */
		return rc;
	rc = ledger_file_head(ledger, file, sensor->digest, err);
	sensor->sealed_hello = 0;
	sensor->hello_at = 0;
	for (size_t i = 0; rc == 0 && i < sensor->n_streams; i++) {
		struct segment_entry carry = {
			.type = SEGMENT_CARRY,
			.received_ns = next->received_ns,
			.stream = sensor->streams[i].id,
			.sequence = sensor->streams[i].chain.sequence,
			.payload = sensor->streams[i].chain.digest,
			.len = SHA256_BYTES,
		};

		if (carry.sequence > 0)
			rc = ledger_file_entry(ledger, file, &carry, sensor->digest, err);
	}
	if (rc == 0 && next->type == SEGMENT_BATCH && sensor->hello) {
		struct segment_entry again = {.type = SEGMENT_HELLO_AGAIN,
					      .received_ns = sensor->hello_ns,
					      .stream = sensor->hello_stream,
					      .payload = sensor->hello,
					      .len = sensor->hello_len};

		sensor->hello_at = file->size;
		rc = ledger_file_entry(ledger, file, &again, sensor->digest, err);
	}
	if (rc == 0)
		rc = ledger_file_sync(file, err);
	if (rc < 0)
		return rc;
	sensor->begun_ns = next->received_ns;
	sensor->is_closed = false;
	file->failed = false;
	return 0;
}

static int append(struct ledger_sensor *sensor, struct segment_entry *entry, struct err *err)
{
	struct ledger *ledger = sensor->ledger;
	struct ledger_file *file = &sensor->file;
	uint64_t size = SEGMENT_ENTRY_HEAD + entry->len;
	int rc = 0;

	if (file->failed)
		return err_set(err, -EIO, "the ledger of %s failed before", sensor->id);
	if (entry->len > LEDGER_PAYLOAD_MAX)
		return err_set(err, ERR_FULL, "a message of %zu bytes is too long for the ledger",
			       entry->len);
	if (ledger->is_full)
		look_for_room(ledger);
	if (ledger->is_full)
		return err_set(err, -ENOSPC, "the disk of the store is full");
	if (sensor->is_closed || file->size + size > LEDGER_SEGMENT_MAX)
		rc = begin_segment(sensor, entry, err);
	else if (file->size - file->durable + size > LEDGER_UNSYNCED_MAX)
		rc = ledger_sync_sensor(sensor, err);
	entry->offset = file->size;
	return rc < 0 ? rc : ledger_file_entry(ledger, file, entry, sensor->digest, err);
}

static void count_received(struct ledger_sum *sum, uint64_t received_ns)
{
	if (sum->received_ns == 0)
		sum->received_ns = received_ns;
	sum->received_end_ns = received_ns;
}

/* Kept for the head of the next segment. */
static int keep_hello(struct ledger_sensor *sensor, const struct segment_entry *entry,
		      struct err *err)
{
	uint8_t *copy = malloc(entry->len + 1);

	if (!copy)
		return err_set(err, -ENOMEM, "no memory for a hello of %s", sensor->id);
	if (entry->len > 0)
		memcpy(copy, entry->payload, entry->len);
	free(sensor->hello);
	sensor->hello = copy;
	sensor->hello_len = entry->len;
	sensor->hello_ns = entry->received_ns;
	memcpy(sensor->hello_stream, entry->stream, WIRE_STREAM_ID);
	return 0;
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

	if (rc < 0)
		return rc;
	(void)ledger_touch_stream(sensor, stream);
	sensor->hello_at = entry.offset;
	sensor->sum.hellos++;
	count_received(&sensor->sum, received_ns);
	return keep_hello(sensor, &entry, err);
}

int ledger_append_batch(struct ledger_sensor *sensor, uint64_t received_ns,
			const uint8_t stream[static WIRE_STREAM_ID], uint64_t sequence,
			const uint8_t *bytes, size_t len, const struct ledger_sum *sum,
			struct err *err)
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
	known = ledger_touch_stream(sensor, stream);
	known->chain.sequence = sequence;
	memcpy(known->chain.digest, entry.digest, SHA256_BYTES);
	known->is_fresh = true;
	ledger_sum_add(&sensor->sum, sum);
	sensor->sum.batches++;
	count_received(&sensor->sum, received_ns);
	return 0;
}

int ledger_append_gap(struct ledger_sensor *sensor, uint64_t received_ns,
		      const uint8_t stream[static WIRE_STREAM_ID], const struct batch_gap *gap,
		      const uint8_t *bytes, size_t len, struct err *err)
{
	struct segment_entry entry = {.type = SEGMENT_GAP,
				      .received_ns = received_ns,
				      .stream = stream,
				      .sequence = gap->last,
				      .payload = bytes,
				      .len = len};
	struct ledger_stream *known;
	int rc = append(sensor, &entry, err);

	if (rc < 0)
		return rc;
	known = ledger_touch_stream(sensor, stream);
	batch_chain_take_gap(&known->chain, gap);
	known->is_fresh = true;
	ledger_sum_gap(&sensor->sum, gap);
	count_received(&sensor->sum, received_ns);
	return 0;
}

int ledger_commit(struct ledger *ledger, struct err *err)
{
	int rc, first = 0;

	for (size_t i = 0; i < ledger->n_sensors; i++) {
		struct ledger_sensor *sensor = ledger->sensors[i];

		if (sensor->file.failed || sensor->file.durable == sensor->file.size)
			continue;
		rc = ledger_sync_sensor(sensor, first ? NULL : err);
		if (rc < 0 && first == 0)
			first = rc;
	}
	look_for_room(ledger);
	return first;
}
