// SPDX-License-Identifier: Apache-2.0
/*
 * See alert_syslog.h.
 */
#include "collector/alert_syslog.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct out {
	char *at;
	size_t len, cap;
	bool is_full;
};

static void put(struct out *out, const char *bytes, size_t len)
{
	if (len > out->cap - out->len) {
		out->is_full = true;
		return;
	}
	memcpy(out->at + out->len, bytes, len);
	out->len += len;
}

static void put_text(struct out *out, const char *text)
{
	put(out, text, strlen(text));
}

/* PRINTUSASCII of at most `max`; `not`: characters that are not taken either. */
static void put_word(struct out *out, const char *text, size_t max, const char * not )
{
	size_t len = text ? strnlen(text, max) : 0;

	if (len == 0)
		put_text(out, "-");
	for (size_t i = 0; i < len; i++)
		put(out, text[i] > 32 && text[i] < 127 && !strchr(not, text[i]) ? &text[i] : "?",
		    1);
}

static void put_element(struct out *out, const struct syslog_message *m)
{
	static const char name[] = "=\"]"; /* SD-NAME: none of these (section 6) */

	put_text(out, "[");
	put_word(out, m->sd_id, 32, name);
	for (size_t i = 0; i < m->n_params; i++) {
		put_text(out, " ");
		put_word(out, m->params[i].name, 32, name);
		put_text(out, "=\"");
		for (const char *c = m->params[i].value; *c; c++) {
			if (strchr(name + 1, *c) || *c == '\\')
				put_text(out, "\\");
			put(out, c, 1);
		}
		put_text(out, "\"");
	}
	put_text(out, "]");
}

static bool is_ascii(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text > 127)
			return false;
	}
	return true;
}

size_t syslog_print(char *buffer, size_t cap, const struct syslog_message *m)
{
	struct out out = {.at = buffer, .cap = cap};
	char head[16];

	(void)snprintf(head, sizeof head, "<%u>1 ", SYSLOG_FACILITY * 8U + (m->severity & 7));
	put_text(&out, head);
	put_word(&out, m->time, 32, "");
	put_text(&out, " ");
	put_word(&out, m->host, 255, "");
	put_text(&out, " ");
	put_word(&out, m->app, 48, "");
	put_text(&out, " ");
	put_word(&out, m->proc, 128, "");
	put_text(&out, " ");
	put_word(&out, m->id, 32, "");
	put_text(&out, " ");
	if (m->sd_id)
		put_element(&out, m);
	else
		put_text(&out, "-");
	put_text(&out, is_ascii(m->text) ? " " : " \xEF\xBB\xBF");
	put_text(&out, m->text);
	return out.is_full ? 0 : out.len;
}

size_t syslog_count(char out[static SYSLOG_COUNT], size_t len)
{
	return (size_t)snprintf(out, SYSLOG_COUNT, "%zu ", len);
}
