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

enum { OPTIONS_COLLECTORS_MAX = 8, OPTIONS_LOCAL_MAX = 64, OPTIONS_RESOLVERS_MAX = 16 };

struct options {
	/* as given */
	char *read, *output, *fields, *policy, *filter, *fragments, *id, *ca, *cert, *key, *config;
	struct setting_list interfaces, collectors, local, resolvers, interface_ids, mirror_vnis;
	char *account_id, *vpc_id, *subnet_id, *instance_id, *region, *az_id;
	uint64_t window, flow_slots, spool_kib, ring_kib, user_id;
	bool mirror, lock_memory, no_sandbox, sandbox_eperm, debug, check, self_test, help, version;

	/* as understood */
	struct flowrec_format format;
	bool fragment_ports; /* --fragments ports */
	struct mirror mirrored;
	struct endpoint collector[OPTIONS_COLLECTORS_MAX];
	struct cidr local_cidr[OPTIONS_LOCAL_MAX];
	struct cidr resolver[OPTIONS_RESOLVERS_MAX];
	size_t n_local;
};

/* Reads command line and file and checks that they make sense together. ERR_USAGE with what to
 * mend. */
int options_read(struct options *ret, int argc, char **argv, struct err *err);
void options_free(struct options *options);

void options_help(FILE *out);
/* The effective configuration, as --check prints it. */
void options_print(const struct options *options, FILE *out);

/* What --interface-id says of an interface ("eth0=eni-...", or an id alone when there is one
 * interface), or NULL. */
const char *options_interface_id(const struct options *options, const char *interface);
