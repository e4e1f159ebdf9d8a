// SPDX-License-Identifier: Apache-2.0
/*
 * The file of a spool: see spool_file.h.
 */
#include "sensor/spool_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/bytes.h"
#include "platform/file.h"
#include "platform/log.h"

static const char magic[] = "flowproof-spool1";

enum {
	STATE_BYTES = 1024,
	STATE_DISTANCE = 4096,
	STATE_CHECK = STATE_BYTES - SHA256_BYTES,
	STATE_STREAM = WIRE_STREAM_ID + 4 * 8 + SHA256_BYTES,
	READ_MAX = RING_HEAD + BATCH_BYTES_MAX,
};

_Static_assert(116 + SPOOL_STREAMS_MAX * STATE_STREAM <= STATE_CHECK, "a state has room for all");
_Static_assert((int)WIRE_HELLO_MAX <= (int)BATCH_BYTES_MAX, "a hello is read as a batch is");

struct spool_file {
	int fd;
	uint64_t count;
	uint64_t size; /* of the ring */
	uint8_t key[RING_KEY];
	char sensor[WIRE_SENSOR_ID_MAX];
	struct ring_stream streams[SPOOL_STREAMS_MAX];
	size_t n_streams;
	bool is_dirty, failed;
	uint8_t buffer[READ_MAX];
};

/* ---- the state ---- */

static void encode_state(uint8_t out[static STATE_BYTES], const struct spool_file *f)
{
	struct wr w = wr_init(out, STATE_BYTES);

	memset(out, 0, STATE_BYTES);
	wr_copy(&w, magic, sizeof magic - 1);
	wr_u64be(&w, f->count);
	wr_u64be(&w, f->size);
	wr_copy(&w, f->key, RING_KEY);
	wr_copy(&w, f->sensor, WIRE_SENSOR_ID_MAX);
	wr_u32be(&w, (uint32_t)f->n_streams);
	for (size_t i = 0; i < f->n_streams; i++) {
		const struct ring_stream *s = &f->streams[i];

		wr_copy(&w, s->id, WIRE_STREAM_ID);
		wr_u64be(&w, s->acknowledged);
		wr_u64be(&w, s->base.sequence);
		wr_u64be(&w, s->base.records);
		wr_u64be(&w, s->base.packets);
		wr_copy(&w, s->base.digest, SHA256_BYTES);
	}
	crypto_sha256(out + STATE_CHECK, out, STATE_CHECK);
}

/* Takes a state if it is whole and newer than the one that is there. */
static void take_state(struct spool_file *f, const uint8_t state[static STATE_BYTES])
{
	struct rd r = rd_init(state, STATE_CHECK);
	uint8_t check[SHA256_BYTES];
	uint64_t count;
	size_t n;

	crypto_sha256(check, state, STATE_CHECK);
	if (memcmp(check, state + STATE_CHECK, SHA256_BYTES) != 0)
		return;
	(void)rd_take(&r, sizeof magic - 1);
	count = rd_u64be(&r);
	if (count <= f->count)
		return;
	f->count = count;
	f->size = rd_u64be(&r);
	rd_copy(&r, f->key, RING_KEY);
	rd_copy(&r, f->sensor, WIRE_SENSOR_ID_MAX);
	f->sensor[WIRE_SENSOR_ID_MAX - 1] = '\0';
	n = rd_u32be(&r);
	f->n_streams = 0;
	for (size_t i = 0; i < n && i < SPOOL_STREAMS_MAX; i++) {
		struct ring_stream *s = &f->streams[f->n_streams++];

		*s = (struct ring_stream){
			.first = RING_NONE, .last = RING_NONE, .hello = RING_NONE};
		rd_copy(&r, s->id, WIRE_STREAM_ID);
		s->acknowledged = rd_u64be(&r);
		s->base.sequence = rd_u64be(&r);
		s->base.records = rd_u64be(&r);
		s->base.packets = rd_u64be(&r);
		rd_copy(&r, s->base.digest, SHA256_BYTES);
	}
}

static int write_state(struct spool_file *f)
{
	uint8_t state[STATE_BYTES];

	f->count++;
	encode_state(state, f);
	return file_write_at(f->fd, state, sizeof state, f->count % 2 * STATE_DISTANCE);
}

static void fail(struct spool_file *f, const char *what, int rc)
{
	if (!f->failed)
		log_err("spool", "the file cannot be %s: %s", what, strerror(-rc));
	f->failed = true;
}

void spool_file_save(struct spool_file *f, const struct ring_stream *streams, size_t n)
{
	int rc;

	f->n_streams = 0;
	for (size_t i = 0; i < n; i++)
		if (i + 1 == n || streams[i].first != RING_NONE)
			f->streams[f->n_streams++] = streams[i];
	rc = write_state(f);
	if (rc)
		fail(f, "written", rc);
	f->is_dirty = true;
}

size_t spool_file_streams(const struct spool_file *f, struct ring_stream *ret)
{
	memcpy(ret, f->streams, f->n_streams * sizeof *ret);
	return f->n_streams;
}

/* ---- opening ---- */

static int begin_file(struct spool_file *f, const char *path, uint64_t bytes, const char *sensor,
		      struct err *err)
{
	int rc = file_reserve(f->fd, bytes);

	f->size = (bytes - SPOOL_FILE_RING) / RING_UNIT * RING_UNIT;
	f->n_streams = 0;
	crypto_random(f->key, RING_KEY); /* what is left of another spool is no entry of this one */
	memset(f->sensor, 0, sizeof f->sensor);
	memcpy(f->sensor, sensor, strnlen(sensor, WIRE_SENSOR_ID_MAX - 1));
	if (!rc)
		rc = write_state(f);
	if (!rc)
		rc = write_state(f); /* both copies are this file's */
	if (!rc)
		rc = file_sync(f->fd);
	if (!rc)
		return 0;
	errno = -rc;
	return err_errno(err, "%s: %llu bytes cannot be reserved for the spool", path,
			 (unsigned long long)bytes);
}

static int read_states(struct spool_file *f, const char *path, struct err *err)
{
	bool is_spool = false;

	for (unsigned i = 0; i < 2; i++) {
		uint8_t state[STATE_BYTES];

		if (file_read_at(f->fd, state, sizeof state, (uint64_t)i * STATE_DISTANCE) != 0)
			continue;
		is_spool = is_spool || memcmp(state, magic, sizeof magic - 1) == 0;
		take_state(f, state);
	}
	if (!is_spool)
		return err_set(err, ERR_USAGE,
			       "%s is not a spool's file, and is not overwritten: name another",
			       path);
	if (f->count == 0)
		return err_set(err, ERR_FORMAT,
			       "%s: both copies of its state are damaged; what is in it cannot be "
			       "delivered: move it away to begin a new one",
			       path);
	return 0;
}

static int check_file(const struct spool_file *f, const char *path, uint64_t bytes,
		      uint64_t present, const char *sensor, struct err *err)
{
	uint64_t size = (bytes - SPOOL_FILE_RING) / RING_UNIT * RING_UNIT;

	if (strcmp(f->sensor, sensor) != 0)
		return err_set(err, ERR_USAGE, "%s is the spool of the sensor '%s': name another",
			       path, f->sensor);
	if (f->size != size)
		return err_set(
			err, ERR_USAGE,
			"%s was made for %llu KiB: give that size, or move it away once it is "
			"delivered",
			path, (unsigned long long)((f->size + SPOOL_FILE_RING) / 1024));
	if (present < SPOOL_FILE_RING + f->size)
		return err_set(err, ERR_FORMAT, "%s was cut to %llu bytes: move it away", path,
			       (unsigned long long)present);
	return 0;
}

int spool_file_open(struct spool_file **ret, const char *path, uint64_t bytes, const char *sensor,
		    struct err *err)
{
	struct spool_file *f = calloc(1, sizeof *f);
	uint64_t present = 0;
	int rc;

	if (!f)
		return err_set(err, -ENOMEM, "no memory for the spool");
	rc = file_open_alone(path, &f->fd, &present, err);
	if (rc) {
		free(f);
		return rc;
	}
	if (present == 0) {
		rc = begin_file(f, path, bytes, sensor, err);
	} else {
		rc = read_states(f, path, err);
		if (!rc)
			rc = check_file(f, path, bytes, present, sensor, err);
	}
	if (rc)
		spool_file_free(f);
	else
		*ret = f;
	return rc;
}

void spool_file_free(struct spool_file *f)
{
	if (!f)
		return;
	(void)close(f->fd);
	free(f);
}

/* ---- bytes ---- */

size_t spool_file_size(const struct spool_file *f, uint8_t ret_key[static RING_KEY])
{
	memcpy(ret_key, f->key, RING_KEY);
	return (size_t)f->size;
}

bool spool_file_copy(struct spool_file *f, uint8_t *out, size_t from, size_t len)
{
	int rc;

	if (from > f->size || len > f->size - from)
		return false;
	rc = file_read_at(f->fd, out, len, SPOOL_FILE_RING + from);
	if (rc)
		fail(f, "read", rc < 0 ? rc : -EIO);
	return rc == 0;
}

const uint8_t *spool_file_read(struct spool_file *f, size_t from, size_t len)
{
	return len <= READ_MAX && spool_file_copy(f, f->buffer, from, len) ? f->buffer : NULL;
}

bool spool_file_write(struct spool_file *f, size_t to, const uint8_t *head, size_t head_len,
		      const uint8_t *bytes, size_t len)
{
	/* The batch before its head: a head that is there says that all is. */
	int rc = file_write_at(f->fd, bytes, len, SPOOL_FILE_RING + to + head_len);

	if (!rc)
		rc = file_write_at(f->fd, head, head_len, SPOOL_FILE_RING + to);
	if (rc)
		fail(f, "written", rc);
	f->is_dirty = true;
	return rc == 0;
}

void spool_file_sync(struct spool_file *f)
{
	int rc = f->is_dirty ? file_sync(f->fd) : 0;

	f->is_dirty = false;
	if (rc)
		fail(f, "synced", rc);
}
