// SPDX-License-Identifier: Apache-2.0
/*
 * The strip: a picture of a sensor's minutes, with its text.
 */
#pragma once

#include <stdio.h>

#include "evidence/gather.h"
#include "evidence/verdict.h"

void html_strip(FILE *out, enum verdict_lang lang, const struct gather_sensor *sensor);
