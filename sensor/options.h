// SPDX-License-Identifier: Apache-2.0
/*
 * The sensor's settings: what the command line and sensor.conf may say. See flowproof-sensor(8).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "platform/addr.h"
#include "platform/settings.h"
#include "proto/flowrec.h"
#include "proto/wire.h"
#include "sensor/mirror.h"

enum {
	OPTIONS_COLLECTORS_MAX = 8,
	OPTIONS_LOCAL_MAX = 64,
	OPTIONS_RESOLVERS_MAX = 16,
	OPTIONS_PATH_MAX = 1024,
	OPTIONS_TEXTS_MAX = 2 * SETTING_LIST_MAX,
};

/* What the one interface of a capture file is called. */
#define OPTIONS_FILE_DEVICE "file"

/* What the configuration says of the interfaces. */
struct options_text {
	enum flowrec_text text;
	const char *device; /* with its length; NULL: of every interface */
	size_t device_len;
	char *value; /* as it is printed */
};

struct options {
	/* as given */
	char *canary;
	uint64_t canary_s;
	char *read, *output, *endpoints, *dns_log, *fields, *policy, *filter, *fragments, *id, *ca,
		*cert, *key, *config, *spool;
	struct setting_list interfaces, collectors, local, resolvers, interface_ids, field,
		mirror_vnis, tails;
	char *offload, *metrics, *tail_from;
	uint64_t tail_kib_s;
	char *account_id, *vpc_id, *subnet_id, *instance_id, *region, *az_id;
	uint64_t window, flow_slots, endpoint_slots, spool_kib, ring_kib, user_id;
	bool metrics_remote, mirror, lock_memory, no_sandbox, sandbox_eperm, debug, check, bring_up,
		self_test, help, version;

	char *identity;
	uint64_t blind_s;
	struct setting_list readers;

	/* as understood */
	bool asks_metadata;             /* live, and --identity says so */
	enum wire_offload offload_mode; /* UNKNOWN: not given */
	struct flowrec_format format;
	bool fragment_ports; /* --fragments ports */
	struct mirror mirrored;
	struct endpoint collector[OPTIONS_COLLECTORS_MAX];
	struct cidr local_cidr[OPTIONS_LOCAL_MAX];
	struct cidr resolver[OPTIONS_RESOLVERS_MAX];
	size_t n_local;
	struct options_text texts[OPTIONS_TEXTS_MAX];
	size_t n_texts;
	struct endpoint canary_at, metrics_at;
	bool tail_from_start;
	char spool_path[OPTIONS_PATH_MAX]; /* "": the spool lies in memory */
	uint64_t spool_bytes;
};

/* Reads command line and file and checks that they make sense together. ERR_USAGE with what to
 * mend. */
int options_read(struct options *ret, int argc, char **argv, struct err *err);
void options_free(struct options *options);

void options_help(FILE *out);
/* The effective configuration, as --check prints it. */
void options_print(const struct options *options, FILE *out);

/* The interfaces that records may name, in their order: the captures, with --mirror the VNIs and the
 * unlisted ones. NULL after the last. */
const char *options_device(const struct options *options, size_t i);

/* All that the configuration says of the i-th of them; what it does not say is empty. The texts belong
 * to the options. */
void options_identity(const struct options *options, size_t i, struct flowrec_identity *ret);

/* Where each text comes from, as far as the configuration goes: enum wire_source. */
void options_sources(const struct flowrec_identity *identity, uint8_t ret[static FLOWREC_TEXTS]);
/* What is known of each interface and from whom, as --check prints it. */
void options_print_identity(const struct options *options, FILE *out);

/* Parts of options_read() and options_free(). */
int options_understand_identity(struct options *options, struct err *err);
void options_free_identity(struct options *options);
