// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof report: options, and the steps from the store to the verdict.
 */
#include "analyst/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "analyst/commands.h"
#include "analyst/query.h"
#include "evidence/watch.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/json_read.h"

#define AT(member) offsetof(struct report_options, member)

static const struct setting table[] = {
	OPTION_TEXT("store", 'd', AT(store), "DIR", "The collector's store, or a copy of it."),
	OPTION_TEXT("sensor", 0, AT(sensor), "ID", "Judge only this sensor's machine."),
	OPTION_TEXT("span", 0, AT(span), "FROM,TO",
		    "The time to judge: Unix seconds or 2026-01-31T12:34Z (UTC), the end excluded. "
		    "Without it: from the first run's begin to the last one's end."),
	OPTION_TEXT("ca", 0, AT(ca), "FILE",
		    "Certificate of the CA (PEM): the ledger is audited with it."),
	OPTION_TEXT(
		"policy", 0, AT(policy), "FILE",
		"The policy that was agreed before the start: a run under another one is told."),
	FLOWLOGS_SETTINGS(struct report_options, flow_logs),
	OPTION_TEXT("interface", 0, AT(interface), "ID",
		    "The interface of the Flow Logs that is this machine's."),
	OPTION_LIST("subnet", AT(subnets), "CIDR",
		    "A range of the VPC or its subnets: tells its resolver and router, which Flow "
		    "Logs leave out."),
	OPTION_TEXT("html", 0, AT(html), "FILE",
		    "Write the whole report here, as one HTML file that needs nothing else."),
	OPTION_TEXT("json", 0, AT(json), "FILE|-",
		    "Write it here as JSON; - is standard output, in place of the summary."),
	OPTION_PRESET("lang", AT(lang), "en|ja", "en", "Language of the report."),
	OPTION_PRESET("tz", AT(tz), "ZONE", "UTC",
		      "Time zone of the machine, as in Asia/Tokyo: times in it stand beside UTC."),
	OPTION_TEXT("original", 0, AT(original), "FILE",
		    "What `aws ec2 describe-instances` printed of the original machine, and "
		    "perhaps of this one: how they differ is told."),
	OPTION_TEXT(
		"suspects", 0, AT(suspects), "FILE",
		"Addresses, networks and names to look for, one a line; as of `findings --watch`."),
	OPTION_TEXT("inventory", 0, AT(inventory), "FILE",
		    "What `preflight --json` printed: which logs of the case exist."),
	OPTION_TEXT("installed", 0, AT(installed), "FILE",
		    "Manifest of platform/ec2/install-offline: what was put on the volume before "
		    "it started."),
	OPTION_TEXT("case", 0, AT(case_name), "TEXT", "Name of the case."),
	OPTION_TEXT("analyst", 0, AT(analyst), "TEXT", "Who made the report."),
	OPTION_TEXT("note", 0, AT(note), "TEXT", "A note at its head."),
	OPTION_HELP(AT(help)),
};

enum { COURSES_MAX = 300, OUTPUT_BUFFER = 65536 };

/* ---- what all forms share ---- */

const char *report_verdict_text(const struct report *r)
{
	return verdict_word_text(r->lang, r->verdict.word);
}

const char *report_sentence(char out[static SAY_MAX], const struct report *r, unsigned i)
{
	return verdict_sentence(out, r->lang, &r->verdict, &r->evidence, i);
}

const char *report_state_text(const struct report *r, size_t i)
{
	return obligation_text(r->lang, &r->verdict, i);
}

const char *report_outcome_text(const struct report *r, uint8_t outcome)
{
	return outcome_text(r->lang, outcome);
}

const char *report_fault_text(char out[static SAY_MAX], const struct report *r, const char *english)
{
	const char *said = said_in(out, r->lang, english);

	return said == english && r->lang != VERDICT_EN ? word(r->lang, W_FAULT_UNSAID) : said;
}

const struct endpoint_sum *report_next(const struct report *r, enum report_part part, size_t *i)
{
	for (; *i < r->gather.n_ends; ++*i) {
		const struct endpoint_sum *sum = &r->gather.ends[*i];
		bool began = sum->digest.direction == FLOWREC_EGRESS;
		bool egress = sum->digest.verdict == FLOWREC_UNEXPECTED_EGRESS;
		bool fits = !egress && began == (part == REPORT_ALLOWED);

		if (fits && gather_counts(&r->gather, sum)) {
			++*i;
			return sum;
		}
	}
	return NULL;
}

const char *report_limit(char out[static SAY_MAX], const struct report *r, unsigned i)
{
	static const enum word limits[] = {
		W_LIMIT_BEFORE, W_LIMIT_SLEEPER, W_LIMIT_CONTENT, W_LIMIT_HIDDEN, W_LIMIT_WITNESS,
		W_LIMIT_SENSOR, W_LIMIT_ANSWER,  W_LIMIT_NAMES,   W_LIMIT_CLOCK,  W_LIMIT_ROLLBACK};
	char duration[DURATION_TEXT];
	uint64_t span = r->evidence.to_s - r->evidence.from_s,
		 not_watched = r->evidence.facts[FACT_UNWATCHED_S].n;

	if (i >= sizeof limits / sizeof limits[0])
		return NULL;
	return say(out, r->lang, limits[i],
		   duration_text(duration, r->lang, not_watched < span ? span - not_watched : 0),
		   NULL);
}

/* The next in the list of what has this weight. */
static const struct finding *next_of(const struct report *r, enum gather_weight weight, size_t *i)
{
	for (; *i < r->gather.n_found; ++*i) {
		if (gather_weigh(&r->gather, r->gather.found[*i]) == weight)
			return r->gather.found[(*i)++];
	}
	return NULL;
}

const struct finding *report_egress(const struct report *r, size_t *i)
{
	return next_of(r, GATHER_EGRESS, i);
}

const struct finding *report_suspicion(const struct report *r, size_t *i)
{
	return next_of(r, GATHER_SUSPICION, i);
}

const struct reconcile_entry *report_hidden(const struct report *r, size_t *i)
{
	for (; r->witness && *i < r->witness->n_entries; ++*i) {
		const struct reconcile_entry *e = &r->witness->entries[*i];

		if (reconcile_reasons[e->reason].weight == RECONCILE_RED) {
			++*i;
			return e;
		}
	}
	return NULL;
}

bool report_check(struct report_check *ret, const struct report *r, unsigned i)
{
	static const struct {
		const char *command, *more;
		enum word meaning;
	} checks[] = {
		{"audit -d ", " --ca ca.crt", W_CHECK_AUDIT},
		{"records -d ", " --summary", W_CHECK_SUMMARY},
		{"records -d ", "", W_CHECK_RECORDS},
		{"findings -d ", "", W_CHECK_FINDINGS},
		{"reconcile -d ", " --flow-logs PATH", W_CHECK_RECONCILE},
		{"report -d ", " --json -", W_CHECK_REPORT},
	};

	if (i >= sizeof checks / sizeof checks[0])
		return false;
	ret->meaning = checks[i].meaning;
	(void)snprintf(ret->command, sizeof ret->command, "flowproof %s%s%s", checks[i].command,
		       r->o.store, checks[i].more);
	return true;
}

/* ---- gathering ---- */

static int take_span(const char *text, struct gather_config *config, struct err *err)
{
	int rc = text ? query_read_span(text, &config->from_s, &config->to_s, err) : 0;

	if (rc == 0 && text && config->from_s == config->to_s)
		rc = err_set(err, ERR_USAGE, "--span: it ends when it begins");
	return rc;
}

static int take_policy(struct report *r, struct gather_config *config, struct err *err)
{
	int rc;

	if (!r->o.policy)
		return 0;
	rc = policy_read(&r->policy, r->o.policy, err);
	if (rc < 0)
		return rc;
	memcpy(config->policy_digest, policy_digest(r->policy), SHA256_BYTES);
	config->policy = r->policy;
	return 0;
}

/* The C library takes a zone that it does not know for UTC, without a word. */
static int take_zone(const char *zone, struct err *err)
{
	char path[512];

	(void)snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", zone);
	if (strchr(zone, '/') && (strstr(zone, "..") || access(path, R_OK) != 0))
		return err_set(err, ERR_USAGE,
			       "--tz: no zone '%s' is known here: install tzdata, or give name and "
			       "offset as in JST-9",
			       zone);
	if (setenv("TZ", zone, 1) != 0)
		return err_errno(err, "--tz");
	tzset();
	return 0;
}

static int take_options(struct report *r, struct gather_config *config, struct err *err)
{
	int rc;

	if (!r->o.store)
		return err_set(err, ERR_USAGE, "-d is missing: the collector's store");
	if (strcmp(r->o.lang, "en") != 0 && strcmp(r->o.lang, "ja") != 0)
		return err_set(err, ERR_USAGE, "--lang: en or ja, not '%s'", r->o.lang);
	r->lang = strcmp(r->o.lang, "ja") == 0 ? VERDICT_JA : VERDICT_EN;
	rc = take_zone(r->o.tz, err);
	if (rc < 0)
		return rc;
	config->sensor = r->o.sensor;
	if (r->o.suspects && watch_new(&r->suspects) < 0)
		return err_set(err, -ENOMEM, "no memory for the suspects");
	config->watch = r->suspects;
	rc = r->suspects ? watch_add_file(r->suspects, r->o.suspects, err) : 0;
	if (rc < 0)
		return err_set(err, rc, "--suspects: %s", err->text);
	return take_span(r->o.span, config, err);
}

static void put_fact(struct report *r, enum verdict_fact_id id, uint64_t n)
{
	r->evidence.facts[id] = (struct verdict_fact){.n = n, .whole = true};
}

static int audit_it(struct report *r, struct err *err)
{
	struct audit_options options = {.enough = AUDIT_INTACT};
	int rc = crypto_ca_new(&options.ca, r->o.ca, err);

	if (rc < 0)
		return rc;
	rc = audit_run(&r->audit, r->o.store, &options, err);
	crypto_ca_free(options.ca);
	if (rc < 0)
		return rc;
	put_fact(r, FACT_AUDIT_BROKEN, r->audit->n_faults - r->audit->n_incomplete);
	put_fact(r, FACT_AUDIT_INCOMPLETE, r->audit->n_incomplete);
	return 0;
}

static int add_files(struct report *r)
{
	const struct flowlogs_input *input = &r->o.flow_logs;
	const char *const given[] = {r->o.policy, r->o.original, r->o.suspects, r->o.inventory,
				     r->o.installed};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof given / sizeof given[0]; i++)
		rc = report_files_add(r, given[i]);
	for (size_t i = 0; rc == 0 && i < input->n_paths; i++)
		rc = report_files_add(r, input->paths[i]);
	report_files_sort(r);
	return rc;
}

/* What the HTML form shows over time: unexpected egress. */
static int follow(struct report *r, struct err *err)
{
	const struct finding *f;
	struct finding_origin origin;

	r->courses = calloc(COURSES_MAX, sizeof *r->courses);
	if (!r->courses)
		return err_set(err, -ENOMEM, "no memory for the report");
	for (size_t i = 0; r->n_courses < COURSES_MAX && (f = report_egress(r, &i));) {
		struct course *c = &r->courses[r->n_courses++];

		findings_origin(r->gather.findings, f, &origin);
		(void)snprintf(c->sensor, sizeof c->sensor, "%s", origin.sensor);
		c->key = (struct peer_key){.remote = f->key.remote,
					   .port = f->key.port,
					   .family = f->key.family,
					   .protocol = f->key.protocol,
					   .direction = f->key.direction};
	}
	return courses_run(r->courses, r->n_courses, r->o.store, r->o.sensor, r->evidence.from_s,
			   r->evidence.to_s, err);
}

static int gather(struct report *r, struct err *err)
{
	struct gather_config config = {0};
	int rc = take_options(r, &config, err);

	if (rc == 0)
		rc = take_policy(r, &config, err);
	if (rc == 0)
		rc = gather_run(&r->gather, r->o.store, &config, err);
	if (rc < 0)
		return rc;
	gather_facts(&r->gather, &r->evidence);
	gather_hours(&r->gather, &r->evidence);
	if (labels_domains(r->gather.labels, &r->domains, &r->n_domains) < 0 || add_files(r) < 0)
		return err_set(err, -ENOMEM, "no memory for the report");
	if (r->o.flow_logs.n_paths > 0)
		rc = report_witness(r, err);
	else
		put_fact(r, FACT_WITNESS_LINES, 0);
	if (rc == 0)
		rc = report_given(r, err);
	if (rc == 0 && r->o.ca)
		rc = audit_it(r, err);
	if (rc == 0 && r->o.html)
		rc = follow(r, err);
	verdict_judge(&r->evidence, &r->verdict);
	return rc;
}

/* ---- output ---- */

static int write_file(const struct report *r, const char *path,
		      void (*print)(const struct report *report, FILE *out), struct err *err)
{
	FILE *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
	bool failed;

	if (!out)
		return err_errno(err, "%s", path);
	if (out != stdout)
		(void)setvbuf(out, NULL, _IOFBF, OUTPUT_BUFFER);
	print(r, out);
	failed = fflush(out) != 0 || ferror(out);
	if (out != stdout && fclose(out) != 0)
		failed = true;
	return failed ? err_errno(err, "%s", path) : 0;
}

static int print(const struct report *r, struct err *err)
{
	int rc = 0;

	if (r->o.html)
		rc = write_file(r, r->o.html, report_print_html, err);
	if (rc == 0 && r->o.json)
		rc = write_file(r, r->o.json, report_print_json, err);
	if (rc == 0 && (!r->o.json || strcmp(r->o.json, "-") != 0))
		report_print_text(r, stdout);
	return rc;
}

static int run(void *options, struct err *err)
{
	struct report *r = options;
	int rc = gather(r, err);

	if (rc == 0)
		rc = print(r, err);
	return rc == 0 ? r->verdict.word != VERDICT_NONE_OBSERVED : rc;
}

static void fini(void *options)
{
	struct report *r = options;

	report_files_free(r);
	json_free(r->original);
	json_free(r->inventory);
	json_free(r->installed);
	watch_free(r->suspects);
	free(r->courses);
	gather_fini(&r->gather);
	audit_free(r->audit);
	policy_free(r->policy);
	reconcile_free(r->reconcile);
}

static const struct command command = {
	.name = "report",
	.usage = "usage: flowproof report -d STORE [options]\n\n"
		 "Says what may be concluded from the ledger, and how that is known. Exit status 0 "
		 "only if the verdict is\n"
		 "none_observed; 1 for unexpected_egress and inconclusive.\n\n",
	COMMAND_OPTIONS(struct report, o.help, table),
	.flow_logs = offsetof(struct report, o.flow_logs),
	.fini = fini,
	.run = run,
};

int report_main(int argc, char **argv)
{
	return command_main(&command, argc, argv);
}
