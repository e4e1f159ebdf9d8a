// SPDX-License-Identifier: Apache-2.0
/*
 * The verdict in words, for the report and the live page.
 */
#pragma once

#include "evidence/report_words.h"
#include "evidence/verdict.h"

const char *verdict_word_text(enum verdict_lang lang, enum verdict_word verdict);
/* Its sentences, in order; NULL after the last. */
const char *verdict_sentence(char out[static SAY_MAX], enum verdict_lang lang,
			     const struct verdict *verdict, const struct verdict_evidence *evidence,
			     unsigned i);
/* The state of the i-th obligation. */
const char *obligation_text(enum verdict_lang lang, const struct verdict *verdict, size_t i);
/* When it was not met, or is unknown; NULL if that is all of the time judged, or is not known. */
const char *obligation_when(char out[static SAY_MAX], enum verdict_lang lang,
			    const struct verdict *verdict, const struct verdict_evidence *evidence,
			    size_t i);
/* "refused", ... of enum flowrec_outcome. */
const char *outcome_text(enum verdict_lang lang, uint8_t outcome);
/* What a rule says of a flow that is not unexpected egress: enum flowrec_verdict. */
const char *flow_verdict_text(enum verdict_lang lang, uint8_t verdict);
