// SPDX-License-Identifier: Apache-2.0
/*
 * What the parts of the ledger's writer share: ledger_write.c (append and commit), ledger_resume.c
 * (what there is when it begins), ledger_seal.c (manifests and retention).
 */
#pragma once

#include "evidence/ledger.h"
#include "evidence/ledger_segment.h"
#include "evidence/manifest.h"

/* A series of segment files in one folder, of which the last is open. */
struct ledger_file {
	const char *folder; /* below STORE */
	int fd;
	uint32_t number;  /* of the present segment; 0: none yet */
	uint64_t size;    /* of the present segment, all entries */
	uint64_t durable; /* bytes of it known to be on disk */
	bool failed;
};

/* Where one stream stands. */
struct ledger_stream {
	uint8_t id[WIRE_STREAM_ID];
	struct batch_chain chain;
	uint64_t durable; /* sequence */
	bool is_fresh;    /* a batch came that no manifest covers */
};

struct ledger_sensor {
	struct ledger *ledger;
	char id[WIRE_SENSOR_ID_MAX];
	struct ledger_file
		file;      /* failed: ledger_sensor_open() was not called yet, or must be again */
	bool is_used;      /* ledger_sensor_open() was called */
	bool is_closed;    /* the present segment; the next append begins another */
	uint64_t begun_ns; /* when its first entry was received */
	uint64_t hello_at; /* its last hello; 0: none */
	uint8_t *hello;    /* the last that was appended, for the head of the next segment */
	size_t hello_len;
	uint64_t hello_ns;
	uint8_t hello_stream[WIRE_STREAM_ID];
	/* What manifests cover: the segments before `sealed_number` and `sealed` bytes of that. */
	uint32_t first; /* segment that is kept */
	uint32_t sealed_number;
	uint64_t sealed;
	uint64_t sealed_hello; /* the last hello before it; 0: none */
	bool sealed_closed;
	/* What follows in the present segment. */
	struct crypto_sha256 *digest;
	struct ledger_sum sum;
	size_t n_streams;
	struct ledger_stream streams[LEDGER_STREAMS_MAX]; /* the latest last */
};

struct ledger_cut {
	char folder[WIRE_SENSOR_ID_MAX];
	uint32_t number;
	uint64_t offset, bytes;
};

enum { LEDGER_CUTS_MAX = 1024 }; /* told in the manifest of a start; all are logged */

struct ledger {
	struct ledger_config config;
	char *store;
	int dir;
	bool is_full;
	struct segment scan;
	size_t n_sensors, cap_sensors;
	struct ledger_sensor **sensors;
	/* manifests */
	struct ledger_file file;
	uint8_t id[LEDGER_STORE_ID];
	uint64_t number; /* of the last one */
	uint8_t last[SHA256_BYTES];
	uint8_t signer[SHA256_BYTES];
	bool is_snapshot; /* the next one tells of all sensors: it begins a file */
	uint8_t streams[LEDGER_STREAMS_MAX *
			MANIFEST_STREAM]; /* of a range that is being written */
	size_t n_cuts;
	struct ledger_cut cuts[LEDGER_CUTS_MAX];
	struct manifest_writer writer;
	uint8_t entry[SEGMENT_ENTRY_MAX];
};

/* ---- ledger_write.c ---- */

/* STORE/FOLDER, or with a number STORE/FOLDER/NUMBER.fpl. */
int ledger_path(const struct ledger *ledger, const char *folder, uint32_t number,
		char out[static LEDGER_PATH_MAX], struct err *err);
/* Opens segment `number` and cuts it to `size` bytes. The file has failed until `*_ready`. */
int ledger_file_open(struct ledger *ledger, struct ledger_file *file, uint32_t number,
		     uint64_t size, struct err *err);
/* Closes and forgets the descriptor. */
void ledger_file_close(struct ledger_file *file);
int ledger_file_sync(struct ledger_file *file, struct err *err);
/* Appends the file's head, or an entry, but for its .durable, .manifest and .digest, which are set
 * here; `digest` (NULL: none) takes the bytes. */
int ledger_file_head(struct ledger *ledger, struct ledger_file *file, struct crypto_sha256 *digest,
		     struct err *err);
int ledger_file_entry(struct ledger *ledger, struct ledger_file *file, struct segment_entry *entry,
		      struct crypto_sha256 *digest, struct err *err);

/* The sensor's structure, made if need be; NULL without memory. */
struct ledger_sensor *ledger_find_sensor(struct ledger *ledger, const char *id);
struct ledger_stream *ledger_touch_stream(struct ledger_sensor *sensor, const uint8_t *id);
/* Makes the sensor's appended bytes durable. */
int ledger_sync_sensor(struct ledger_sensor *sensor, struct err *err);
/* Do manifests say all of the present segment that there will be? */
bool ledger_is_sealed(const struct ledger_sensor *sensor);
/* Forgets the digest and sum of the unsealed bytes: they begin anew. */
int ledger_reset_tail(struct ledger_sensor *sensor, struct err *err);

/* ---- ledger_resume.c ---- */

/* Reads the manifests there are; all that is known of the sensors follows. */
int ledger_resume_manifests(struct ledger *ledger, struct err *err);
/* Opens the sensors of which bytes are in no manifest, and ends deletions that a crash cut short. */
int ledger_resume_all(struct ledger *ledger, struct err *err);
/* Finds out where the sensor's streams stand and opens the segment to go on in. */
int ledger_resume_sensor(struct ledger_sensor *sensor, struct err *err);

/* ---- ledger_seal.c ---- */

/* Signs what is durable of all sensors. */
int ledger_manifest(struct ledger *ledger, enum manifest_kind kind, uint64_t now_ns,
		    struct err *err);
/* Signs that the sensor's present segment is closed. */
int ledger_seal_closed(struct ledger_sensor *sensor, uint64_t now_ns, struct err *err);
