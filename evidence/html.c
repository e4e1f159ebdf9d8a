// SPDX-License-Identifier: Apache-2.0
/*
 * See html.h.
 */
#include "evidence/html.h"

#include <stdbool.h>
#include <string.h>

#include "evidence/finding.h"
#include "platform/text.h"

/* Neither controls nor what turns the direction of writing (Unicode's Bidi_Control), nor what breaks lines. */
static bool is_shown(uint32_t c)
{
	return c >= ' ' && (c < 0x7f || c > 0x9f) && c != 0x61c && c != 0x200e && c != 0x200f &&
	       (c < 0x2028 || c > 0x202e) && (c < 0x2066 || c > 0x2069);
}

void html_text(FILE *out, const char *text)
{
	while (*text) {
		const char *begin = text;
		uint32_t c = text_next(&text);

		switch (c) {
		case '&': fputs("&amp;", out); break;
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '"': fputs("&quot;", out); break;
		case '\'': fputs("&#39;", out); break;
		default:
			if (is_shown(c))
				(void)fwrite(begin, 1, (size_t)(text - begin), out);
			else
				fputs("\xef\xbf\xbd", out);
		}
		text += c == 0;
	}
}

void html_bdi(FILE *out, const char *text)
{
	fputs("<bdi>", out);
	html_text(out, text);
	fputs("</bdi>", out);
}

void html_heading(FILE *out, enum verdict_lang lang, const char *id, enum word title)
{
	fprintf(out, "<section aria-labelledby=\"%s\"><h2 id=\"%s\">%s</h2>\n", id, id,
		word(lang, title));
}

void html_paragraph(FILE *out, const char *text)
{
	fputs("<p>", out);
	html_text(out, text);
	fputs("</p>\n", out);
}

void html_term(FILE *out, const char *name, const char *value)
{
	fprintf(out, "<dt>%s</dt><dd>", name);
	html_bdi(out, value);
	fputs("</dd>\n", out);
}

void html_table(FILE *out, enum verdict_lang lang, unsigned numbers, const enum word *columns)
{
	fputs("<div class=\"wide\" tabindex=\"0\"><table><thead><tr>", out);
	for (unsigned i = 0; columns[i] != WORDS; i++)
		fprintf(out, "<th scope=\"col\"%s>%s</th>", numbers >> i & 1 ? " class=\"n\"" : "",
			word(lang, columns[i]));
	fputs("</tr></thead><tbody>\n", out);
}

void html_table_end(FILE *out)
{
	fputs("</tbody></table></div>\n", out);
}

void html_number(FILE *out, uint64_t n)
{
	char text[NUMBER_TEXT];

	fprintf(out, "<td class=\"n\">%s</td>", number_text(text, n));
}

void html_when(FILE *out, uint64_t unix_s)
{
	char text[WHEN_TEXT], *local;

	(void)when_text(text, unix_s);
	local = strstr(text, " (");
	if (local)
		*local++ = '\0';
	fprintf(out, "<td class=\"when\">%s%s%s</td>", text, local ? "<br>" : "",
		local ? local : "");
}

void html_cell(FILE *out, const char *text)
{
	fputs("<td>", out);
	html_bdi(out, text ? text : "–");
	fputs("</td>", out);
}

void html_end(FILE *out, uint8_t family, const struct addr *addr, uint16_t port, uint8_t protocol)
{
	struct endpoint end = {.addr = *addr, .port = port, .family = family};
	char text[ADDR_ENDPOINT_TEXT], words[FINDING_PROTOCOL_TEXT];

	if (!family) { /* there is no remote end */
		fputs("<td class=\"end\">–</td>", out);
		return;
	}
	fprintf(out, "<td class=\"end\"><code>%s</code> %s</td>",
		port ? endpoint_text(text, &end) : addr_text(text, family, addr),
		finding_protocol_text(words, protocol));
}

void html_names(FILE *out, const struct labels *labels, uint8_t family, const struct addr *addr,
		const char *name)
{
	const struct label label = labels_find(labels, family, addr);

	fputs("<td class=\"name\">", out);
	if (name)
		html_bdi(out, name);
	else if (label.n == 0)
		fputs("–", out);
	for (size_t i = 0; i < label.n; i++) {
		if (name && strcmp(name, label.names[i]) == 0)
			continue;
		fputs(i || name ? "<br>" : "", out);
		html_bdi(out, label.names[i]);
	}
	fputs(label.more ? "<br>…</td>" : "</td>", out);
}
