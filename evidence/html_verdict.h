// SPDX-License-Identifier: Apache-2.0
/*
 * The verdict as HTML, for the report and the live page.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "evidence/verdict.h"

/* The word and its sentences in a box. */
void html_verdict(FILE *out, enum verdict_lang lang, const struct verdict *verdict,
		  const struct verdict_evidence *evidence);
/* Pairs of a list <dl>: the time judged, the gates that are met. */
void html_span(FILE *out, enum verdict_lang lang, const struct verdict_evidence *evidence);
void html_gates(FILE *out, enum verdict_lang lang, const struct verdict *verdict);
/* A section of the gates that are not met; nothing if all are. */
void html_open_gates(FILE *out, enum verdict_lang lang, const struct verdict *verdict,
		     const struct verdict_evidence *evidence);
/* A list of an obligation's figures; `all`: also of the conditions that are met. */
void html_figures(FILE *out, enum verdict_lang lang, const struct verdict_evidence *evidence,
		  size_t obligation, bool all);
