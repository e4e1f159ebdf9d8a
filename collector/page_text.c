// SPDX-License-Identifier: Apache-2.0
/*
 * page, its script and what its style sheet has beyond the report's: collector/page.js, page.css.
 */
#include "collector/page_text.h"

#include "collector/page_parts.h"

const char *const page_style = css, *const page_script = js;
