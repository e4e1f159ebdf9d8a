// SPDX-License-Identifier: Apache-2.0
/*
 * page, the views: each section is rendered once for a state, in each language, and knows since which state it is as it is.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "collector/page_parts.h"
#include "platform/json.h"

int page_view_render(struct page_view *view, const struct page_state *state, enum verdict_lang lang)
{
	for (unsigned i = 0; i < PAGE_SECTIONS; i++) {
		struct page_text *text = &view->texts[lang][i];
		char *bytes = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&bytes, &len);

		if (!out)
			return -ENOMEM;
		page_print_section(out, state, lang, (enum page_section)i);
		if (fclose(out) != 0) {
			free(bytes);
			return -ENOMEM;
		}
		if (text->bytes && text->len == len && memcmp(text->bytes, bytes, len) == 0) {
			free(bytes);
			continue;
		}
		free(text->bytes);
		*text = (struct page_text){bytes, len, state->number};
	}
	view->number[lang] = state->number;
	return 0;
}

char *page_view_page(const struct page_view *view, enum verdict_lang lang, bool has_report,
		     size_t *ret_len)
{
	char *bytes = NULL;
	FILE *out = open_memstream(&bytes, ret_len);

	if (!out)
		return NULL;
	page_print_begin(out, lang, view->number[lang], has_report);
	for (unsigned i = 0; i < PAGE_SECTIONS; i++) {
		const struct page_text *text = &view->texts[lang][i];

		fprintf(out, "<div id=\"%s\">\n", page_section_ids[i]);
		(void)fwrite(text->bytes ? text->bytes : "", 1, text->len, out);
		fputs("</div>\n", out);
	}
	page_print_end(out);
	if (fclose(out) == 0)
		return bytes;
	free(bytes);
	return NULL;
}

char *page_view_event(const struct page_view *view, enum verdict_lang lang, uint64_t since,
		      size_t *ret_len)
{
	char *bytes = NULL;
	FILE *out = open_memstream(&bytes, ret_len);
	bool is_first = true;

	if (!out)
		return NULL;
	fprintf(out, "id: %" PRIu64 "\nevent: state\ndata: {", view->number[lang]);
	for (unsigned i = 0; i < PAGE_SECTIONS; i++) {
		const struct page_text *text = &view->texts[lang][i];

		if (text->version <= since)
			continue;
		fprintf(out, "%s\"%s\":", is_first ? "" : ",", page_section_ids[i]);
		json_print_string(out, text->bytes);
		is_first = false;
	}
	fputs("}\n\n", out);
	if (fclose(out) == 0)
		return bytes;
	free(bytes);
	return NULL;
}
