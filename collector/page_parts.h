// SPDX-License-Identifier: Apache-2.0
/*
 * Parts of the process that serves the live page.
 *
 *     follow > gather > settle > state > sections of HTML, metrics > HTTP
 *
 * It reads the ledger as it grows, and at most once a second, and never more than a twentieth of its time, makes a state of
 * what it read: what a report would say now. All who look on get the same bytes of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "collector/counts.h"
#include "collector/page_guard.h"
#include "evidence/follow.h"
#include "evidence/gather.h"
#include "evidence/verdict.h"
#include "platform/loop.h"
#include "platform/sandbox.h"
#include "platform/web.h"

struct page_config {
	const char *store, *ca;
	int listener, lifeline; /* sockets and pipes, the process's */
	bool no_sandbox;
	struct sandbox sandbox, report_sandbox;
	struct page_guard guard;
	const struct counts *counts;
	const struct deliver *deliver; /* NULL: none */
};

/* The process: until the collector ends. */
_Noreturn void page_run(struct page_config *config);

/* ---- state (page_state.c) ---- */

enum { PAGE_SILENT_S = 15 }; /* a sensor sends a batch every few seconds, also an empty one */
enum page_heard { PAGE_SILENT, PAGE_LIVE, PAGE_ENDED, PAGE_HEARD }; /* in the order of the table */

struct page_sensor {
	char id[WIRE_SENSOR_ID_MAX];
	uint64_t heard_ns; /* the collector's wall clock: of the last hello, batch or gap */
	bool goodbye, is_replay, has_clock;
	int64_t offset_ns; /* its clock less the collector's, */
	uint64_t way_ns;   /* right to half of it */
	uint64_t batches, records, packets, bytes;
	/* of all its runs, when the state was made */
	enum page_heard heard;
	bool kernel_known, nic_known;
	uint64_t kernel_dropped, nic_dropped, skipped, gap_records, gap_batches, given_up;
};

enum { PAGE_ROWS = 50 }; /* of a table that are shown; the rest is counted */
struct page_rows {
	uint64_t n; /* all */
	const struct finding *list[PAGE_ROWS];
};

struct table;

struct page_state {
	struct follow *follow;
	struct gather gather;
	struct table *sensors;
	size_t n_sensors;
	struct page_sensor *list; /* of them, as they are shown */
	uint64_t found[FINDING_KINDS][FINDING_SEVERITIES];
	/* Good until more is read: what nothing expects, and all other findings, the gravest; destinations that a rule
	 * allows or watches, those to which most was sent. */
	struct page_rows egress, others;
	uint64_t n_allowed;
	const struct endpoint_sum *allowed[PAGE_ROWS];
	struct verdict_evidence evidence;
	struct verdict verdict;
	uint64_t number;    /* of this state: greater than those of processes before; 0: none yet */
	uint64_t made;      /* states */
	uint64_t made_ns;   /* wall clock */
	uint64_t took_ns;   /* to make it */
	bool is_dirty;      /* something was read since */
	bool has_caught_up; /* all that was there at the start was read */
	uint64_t whole_ns;  /* monotonic: when all that there was had been read last */
	struct err trouble; /* why reading does not go on; "": it does */
};

int page_state_new(struct page_state **ret, const char *store, struct err *err);
void page_state_is_root(struct page_state *state);
/* Reads on. 1: there is more; 0: not now; -ENOMEM: it must end. Else trouble says what is wrong, to be tried again. */
int page_state_read(struct page_state *state, uint64_t budget);
/* There is more than it has read, for a while now. */
bool page_state_is_behind(const struct page_state *state);
/* Makes a state of what was read: what `gather` lists is good until more is. -ENOMEM. */
int page_state_make(struct page_state *state, uint64_t now_ns);

/* ---- sections of HTML (page_html.c) ---- */

enum page_section {
	PAGE_NOW,
	PAGE_VERDICT,
	PAGE_SENSORS,
	PAGE_STRIPS,
	PAGE_UNEXPECTED,
	PAGE_FINDINGS,
	PAGE_ALLOWED,
	PAGE_GATES,
	PAGE_SECTIONS
};
extern const char *const page_section_ids[PAGE_SECTIONS];

void page_print_section(FILE *out, const struct page_state *state, enum verdict_lang lang,
			enum page_section section);
/* What stands around them. */
void page_print_begin(FILE *out, enum verdict_lang lang, uint64_t number, bool has_report);
void page_print_end(FILE *out);
extern const char *const page_style, *const page_script;

/* ---- views (page_view.c): rendered sections ---- */

struct page_text {
	char *bytes;
	size_t len;
	uint64_t version; /* number of the state since which it is as it is */
};
struct page_view {
	uint64_t number[VERDICT_LANGS]; /* of the state that was rendered last */
	struct page_text texts[VERDICT_LANGS][PAGE_SECTIONS];
};

/* -ENOMEM. */
int page_view_render(struct page_view *view, const struct page_state *state,
		     enum verdict_lang lang);
/* The whole page; NULL without memory. Freed by the caller. */
char *page_view_page(const struct page_view *view, enum verdict_lang lang, bool has_report,
		     size_t *ret_len);
/* A server-sent event of the sections that changed since state `since`. As above. */
char *page_view_event(const struct page_view *view, enum verdict_lang lang, uint64_t since,
		      size_t *ret_len);

/* ---- metrics (page_metrics.c) ---- */

enum { PAGE_METRIC_SENSORS = 1000 }; /* with samples of their own */

struct page_served {
	struct web_stats web;
	uint64_t clients, events, clients_refused, reports, reports_failed;
};
/* NUL-terminated; NULL without memory. Freed by the caller. */
char *page_metrics(const struct page_state *state, const struct page_config *config,
		   const struct page_served *served, size_t *ret_len);

/* ---- requests (page_serve.c) ---- */

struct page_server;
int page_serve(struct page_server **ret, struct loop *loop, struct page_config *config,
	       struct page_state *state, int reporter, struct err *err);
/* There is a new state. */
void page_serve_state(struct page_server *server);

/* ---- reports (page_report.c): a further process, which runs `flowproof report` ---- */

enum page_form { PAGE_REPORT_HTML, PAGE_REPORT_JSON };
struct page_request {
	uint8_t form, lang;
};
enum { PAGE_REPORT_MAX = 64 * 1024 * 1024, PAGE_REPORT_S = 120 };

/* Its socket: takes a page_request, sends a descriptor of a file with the report; or none: it failed. -1: there is no
 * `flowproof` beside this program. To be called before the sandbox. */
int page_reporter_start(const struct page_config *config);
/* A report, or its failure. *ret_fd: of the file, or -1. False: not yet. */
bool page_reporter_take(int reporter, int *ret_fd);
