// SPDX-License-Identifier: Apache-2.0
/*
 * The HTML form's parts.
 */
#pragma once

#include <stdio.h>

#include "analyst/report.h"
#include "evidence/courses.h"
#include "evidence/html.h"

/* What stands in a section, below its heading; those of report_html_more.c. */
typedef void html_section(FILE *out, const struct report *report);
html_section html_logs, html_witness, html_integrity, html_original, html_inventory, html_installed,
	html_limits, html_checks, html_digests;

enum { HTML_ROWS = 300 }; /* of a table; JSON has all */
/* Says that a table was cut, and which command has all. */
void html_cut_off(FILE *out, const struct report *report, uint64_t all, const char *command);

/* A picture of an endpoint's bytes over time; nothing if it has none. */
void html_spark(FILE *out, const struct report *report, const struct course *course);
