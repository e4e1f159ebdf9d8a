// SPDX-License-Identifier: Apache-2.0
/*
 * What the parts of the audit share: audit.c (the folder, the whole), audit_manifest.c (the chain of
 * manifests), audit_sensor.h (one sensor).
 */
#pragma once

#include "evidence/audit.h"
#include "evidence/ledger_index.h"

/* What manifests say of a sensor so far. */
struct audit_place {
	char id[WIRE_SENSOR_ID_MAX];
	uint32_t first, number;
	uint64_t sealed;
	bool is_closed;
};

/* A manifest's signature, to be checked when all else is. */
struct audit_signature {
	uint32_t file; /* number */
	uint64_t offset;
	uint64_t time_ns;
	size_t certificate;
	uint8_t digest[SHA256_BYTES];
	uint8_t signature[CRYPTO_SIGNATURE_MAX];
	size_t len;
};

struct auditing {
	struct audit *audit;
	const char *store;
	const struct audit_options *options;
	/* manifests */
	struct ledger_index index;
	uint32_t file_number;      /* of the file that is being read */
	struct manifest_head last; /* .number 0: none yet */
	uint8_t last_digest[SHA256_BYTES];
	uint64_t torn_at; /* the last file ends in something unfinished there; 0: no */
	char torn_file[LEDGER_PATH_MAX];
	size_t n_places, cap_places;
	struct audit_place *places;
	size_t n_signatures, cap_signatures;
	struct audit_signature *signatures;
	struct segment file;
};

enum {
	AUDIT_STOP = 1,                          /* ends the audit with `first_only` */
	AUDIT_STORE_MAX = LEDGER_PATH_MAX - 128, /* bytes of the path of STORE */
};

/* Tells a fault. 0 to go on, AUDIT_STOP. */
int audit_fault(struct auditing *a, enum audit_grade grade, const char *file, uint64_t offset,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Each: 0, AUDIT_STOP or -ENOMEM. */
int audit_manifests(struct auditing *a);
int audit_signatures(struct auditing *a);
/* `sensor` is to be filled; its id is set. */
int audit_sensor_segments(struct auditing *a, struct audit_sensor *sensor);
int audit_sensor_signatures(struct auditing *a, struct audit_sensor *sensor);
