// SPDX-License-Identifier: Apache-2.0
/*
 * The strip: a picture of a sensor's minutes, with its text.
 */
#pragma once

#include <stdio.h>

#include "evidence/gather.h"
#include "evidence/verdict.h"

enum strip_form {
	STRIP_WHOLE, /* as fine as the minutes of a day, and all of it in words below */
	STRIP_SHORT, /* 360 cells, and how many minutes of each kind */
};

void html_strip(FILE *out, enum verdict_lang lang, const struct gather_sensor *sensor,
		enum strip_form form);
/* What the forms of its pieces mean. */
void html_strip_legend(FILE *out, enum verdict_lang lang);
