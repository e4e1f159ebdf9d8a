// SPDX-License-Identifier: Apache-2.0
/*
 * What the parts of one sensor's audit share: audit_sensor.c (its segments and what manifests say of them), audit_entries.c (entry by
 * entry, the streams), audit_heads.c (its signatures).
 */
#pragma once

#include "evidence/audit_parts.h"

struct sensor_audit {
	struct auditing *a;
	struct audit_sensor *sensor;
	const struct index_sensor *known; /* NULL: no manifest tells of it */
	size_t next;                      /* range */
	const char *path;
	uint32_t number; /* of the present segment */
	/* since the present range began */
	struct crypto_sha256 *digest;
	struct ledger_sum sum;
	uint64_t hello;        /* the last hello before it */
	uint64_t hello_latest; /* the last hello in the segment */
	uint8_t hello_digest[SHA256_BYTES];
	uint8_t hello_stream[WIRE_STREAM_ID];
	bool has_hello;
	uint64_t manifest; /* the highest that an entry named */
};

/* Tells that it is broken, at the present segment. */
int audit_broken(struct sensor_audit *s, uint64_t offset, const char *reason);
void audit_segment_path(const struct auditing *a, const char *sensor, uint32_t number,
			char out[static LEDGER_PATH_MAX]);

/* NULL: there is none. */
struct audit_stream *audit_find_stream(struct audit_sensor *sensor, const uint8_t *id);
/* Made as one that begins here if need be; NULL without memory. */
struct audit_stream *audit_stream_of(struct audit_sensor *sensor, const uint8_t *id);
/* An entry of the present segment, within `range` (NULL: behind what is signed). 0, AUDIT_STOP or -ENOMEM. */
int audit_take_entry(struct sensor_audit *s, const struct segment_entry *entry,
		     const struct index_range *range);
