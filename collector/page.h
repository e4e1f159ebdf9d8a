// SPDX-License-Identifier: Apache-2.0
/*
 * The live page: sensors, what they found so far, the verdict so far, metrics. A process beside the collector serves it by
 * following the ledger (page_parts.h); it cannot hold ingest up, and has none of its keys: it is begun before they
 * are read. If it ends, that is logged, and the ledger goes on.
 */
#pragma once

#include "collector/counts.h"
#include "platform/err.h"
#include "platform/loop.h"
#include "platform/sandbox.h"
#include "platform/settings.h"

struct page_options {
	char *http, *token_file;
	struct setting_list hosts;
};

struct page;
struct deliver;

/* Is everything that the options name as it should be? */
int page_check(const struct page_options *options, struct err *err);

/* Listens, and starts the process; *ret is NULL if no page is asked for. `ca`: for reports; `deliver`: for metrics, NULL without
 * one; borrowed. `like`: the
 * collector's own sandbox, for user, memory and eperm; NULL: without one. To be called before anything secret is
 * read. */
int page_start(struct page **ret, const struct page_options *options, const char *store,
	       const char *ca, const struct deliver *deliver, const struct sandbox *like,
	       struct err *err);

/* All that follow: NULL is fine. */

/* Where ingest counts; NULL without a page. */
struct counts *page_counts(struct page *page);
/* The store is there. */
void page_ready(struct page *page);
/* Says when the process ended, from the loop. */
int page_watch(struct page *page, struct loop *loop);
/* Ends it and frees. Before the loop is freed. */
void page_end(struct page *page);
