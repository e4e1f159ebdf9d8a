// SPDX-License-Identifier: Apache-2.0
/*
 * The HTML form's parts.
 */
#pragma once

#include <stdio.h>

#include "analyst/report.h"
#include "evidence/courses.h"
#include "evidence/html.h"

/* The sections of report_html_more.c. */
void html_witness(FILE *out, const struct report *report);
void html_integrity(FILE *out, const struct report *report);
void html_rest(FILE *out, const struct report *report);

/* A picture of an endpoint's bytes over time; nothing if it has none. */
void html_spark(FILE *out, const struct report *report, const struct course *course);
