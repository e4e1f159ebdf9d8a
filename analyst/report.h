// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof report: the verdict, and how it is known. See flowproof(1).
 *
 * report.c reads the options and gathers; each form is a file of its own that only prints what is in `struct report`.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "analyst/flowlogs_input.h"
#include "evidence/audit.h"
#include "evidence/courses.h"
#include "evidence/gather.h"
#include "evidence/reconcile.h"
#include "evidence/report_words.h"
#include "evidence/verdict.h"
#include "evidence/verdict_say.h"
#include "platform/settings.h"

struct report_options {
	char *store, *sensor, *span, *ca, *policy, *interface, *html, *json, *lang, *tz, *original,
		*suspects, *inventory, *installed, *case_name, *analyst, *note;
	struct setting_list subnets;
	struct flowlogs_input flow_logs;
	bool help;
};

enum report_same { REPORT_UNKNOWN, REPORT_SAME, REPORT_DIFFERS };
/* A fact of the machine's identity. Texts are borrowed; NULL: not told. */
struct report_fact {
	const char *name, *original, *here;
	enum report_same state;
};

struct json;
enum { REPORT_FILES_MAX = 1000, REPORT_FACTS_MAX = 24 };
struct report_file {
	char *path;
	uint8_t sha256[SHA256_BYTES];
};

struct report {
	struct report_options o;
	enum verdict_lang lang;
	struct gather gather;
	struct audit *audit;   /* NULL: it was not audited */
	struct policy *policy; /* of --policy */
	struct reconcile *reconcile;
	const struct reconcile_result *witness; /* NULL: there is no second witness */
	struct flowlogs_counts witness_read;
	struct course *courses; /* of what the HTML form shows over time */
	size_t n_courses;
	const struct label_domain *const *domains;
	size_t n_domains;
	struct json *original, *inventory, *installed; /* as they were given; NULL: not */
	struct watch_list *suspects;
	size_t n_given;
	struct report_fact given[REPORT_FACTS_MAX]; /* of --original */
	size_t n_files; /* given beside the store, in order of their names */
	struct report_file *files;
	struct verdict_evidence evidence;
	struct verdict verdict;
};

/* Sentences of the verdict, in order; NULL after the last. */
const char *report_sentence(char out[static SAY_MAX], const struct report *report, unsigned i);
const char *report_verdict_text(const struct report *report);
const char *report_state_text(const struct report *report, size_t obligation);
/* "refused", ... in the report's language. */
const char *report_outcome_text(const struct report *report, uint8_t outcome);

/* What the audit or the ledger says of a fault, in the report's language. */
const char *report_fault_text(char out[static SAY_MAX], const struct report *report,
			      const char *english);

/* The next of what is unexpected egress from *i on, which goes on behind it. NULL after the last. */
const struct finding *report_egress(const struct report *report, size_t *i);
/* Likewise what somebody must look at, and what Flow Logs have and this machine did not show. */
const struct finding *report_suspicion(const struct report *report, size_t *i);
const struct reconcile_entry *report_hidden(const struct report *report, size_t *i);
/* Likewise what this machine began and a rule allows or watches, and what came in. */
enum report_part { REPORT_ALLOWED, REPORT_INBOUND };
const struct endpoint_sum *report_next(const struct report *report, enum report_part part,
				       size_t *i);

/* The limits, and the commands that check the report; NULL after the last. */
const char *report_limit(char out[static SAY_MAX], const struct report *report, unsigned i);
struct report_check {
	char command[1024];
	enum word meaning;
};
bool report_check(struct report_check *ret, const struct report *report, unsigned i);

/* Reads the Flow Logs and holds the ledger against them; fills in the facts. */
int report_witness(struct report *report, struct err *err);

/* Reads --original and --inventory; fills in the facts. */
int report_given(struct report *report, struct err *err);
/* What was given with it, as it is, or null. */
void report_print_given(const struct json *given, FILE *out);

/* What of the machine's own log files came. */
bool report_has_logs(const struct report *report);
void report_print_logs(const struct report *report, FILE *out);

/* Reads --installed, the manifest of platform/ec2/install-offline. */
int report_installed(struct report *report, struct err *err);

/* The digest of a file, or of all in a folder; what cannot be read is left out. -ENOMEM. */
int report_files_add(struct report *report, const char *path);
void report_files_sort(struct report *report);
void report_files_free(struct report *report);

/* What fails is told by ferror(out). */
void report_print_text(const struct report *report, FILE *out);
void report_print_html(const struct report *report, FILE *out);
void report_print_json(const struct report *report, FILE *out);
