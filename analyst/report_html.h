// SPDX-License-Identifier: Apache-2.0
/*
 * The HTML form's parts: escaped text, and the pictures. Whatever came over the wire goes through html_text(), and where it
 * could turn the direction of writing through html_bdi().
 */
#pragma once

#include <stdio.h>

#include "analyst/report.h"
#include "evidence/courses.h"

extern const char report_style[];

/* Escaped for text and for attributes in double quotes; what is not UTF-8, and controls, become U+FFFD. */
void html_text(FILE *out, const char *text);
/* In an element that keeps its direction of writing to itself. */
void html_bdi(FILE *out, const char *text);

/* A section begins; it ends with "</section>". */
void html_heading(FILE *out, const struct report *report, const char *id, enum word title);
void html_paragraph(FILE *out, const char *text);
/* A pair of a list <dl>. */
void html_term(FILE *out, const char *name, const char *value);
/* A table and its head: the words of its columns, ended by WORDS; those whose bit is in `numbers` stand right. */
void html_table(FILE *out, const struct report *report, unsigned numbers, const enum word *columns);
void html_table_end(FILE *out);
void html_number(FILE *out, uint64_t n);
void html_when(FILE *out, uint64_t unix_s);
void html_cell(FILE *out, const char *text); /* NULL: a dash */

/* The sections of report_html_more.c. */
void html_witness(FILE *out, const struct report *report);
void html_integrity(FILE *out, const struct report *report);
void html_rest(FILE *out, const struct report *report);

/* A picture of a sensor's minutes, with its text. */
void html_strip(FILE *out, const struct report *report, const struct gather_sensor *sensor);
/* A picture of an endpoint's bytes over time; nothing if it has none. */
void html_spark(FILE *out, const struct report *report, const struct course *course);
