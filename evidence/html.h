// SPDX-License-Identifier: Apache-2.0
/*
 * Parts of HTML, for the report and the live page. Whatever came over the wire goes through html_text(), and where it
 * could turn the direction of writing through html_bdi().
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "evidence/labels.h"
#include "evidence/report_words.h"
#include "platform/addr.h"

extern const char html_style[];

/* Escaped for text and for attributes in double quotes; what is not UTF-8, controls, and what turns the direction of
 * writing become U+FFFD. */
void html_text(FILE *out, const char *text);
/* In an element that keeps its direction of writing to itself. */
void html_bdi(FILE *out, const char *text);

/* A section begins; it ends with "</section>". */
void html_heading(FILE *out, enum verdict_lang lang, const char *id, enum word title);
void html_paragraph(FILE *out, const char *text);
/* A pair of a list <dl>. */
void html_term(FILE *out, const char *name, const char *value);
/* A table and its head: the words of its columns, ended by WORDS; those whose bit is in `numbers` stand right. */
void html_table(FILE *out, enum verdict_lang lang, unsigned numbers, const enum word *columns);
void html_table_end(FILE *out);
void html_number(FILE *out, uint64_t n);
void html_when(FILE *out, uint64_t unix_s);
void html_cell(FILE *out, const char *text); /* NULL: a dash */
/* Cells of an endpoint: address, port (0: none) and protocol; its names, of which `name` is one (NULL: none). */
void html_end(FILE *out, uint8_t family, const struct addr *addr, uint16_t port, uint8_t protocol);
void html_names(FILE *out, const struct labels *labels, uint8_t family, const struct addr *addr,
		const char *name);
