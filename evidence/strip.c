// SPDX-License-Identifier: Apache-2.0
/*
 * The strip: inline SVG, with the same in words. States differ by height and pattern, not by colour alone.
 */
#include "evidence/strip.h"

#include <string.h>

#include "evidence/html.h"
#include "evidence/timeline.h"

enum {
	WIDTH = 1000,
	HEIGHT = 40,
	/* At most; then a cell is several minutes, and shows the worst of them. */
	CELLS = 1440,
	CELLS_SHORT = 360,
	TICKS = 4,
};

static const struct {
	const char *name;
	enum word word;
	int height;
} states[TIMELINE_MINUTES] = {
	[TIMELINE_OUTSIDE] = {"out", W_PLAIN, 0},
	[TIMELINE_OK] = {"ok", W_STRIP_OK, 30},
	[TIMELINE_NODATA] = {"nodata", W_STRIP_NODATA, 10},
	[TIMELINE_SKIPPED] = {"skipped", W_STRIP_SKIPPED, 40},
	[TIMELINE_GAP] = {"gap", W_STRIP_GAP, 40},
};

static unsigned gravity(enum timeline_minute state)
{
	switch (state) {
	case TIMELINE_GAP: return 4;
	case TIMELINE_SKIPPED: return 3;
	case TIMELINE_OK: return 2;
	case TIMELINE_NODATA: return 1;
	case TIMELINE_OUTSIDE:
	case TIMELINE_MINUTES: break;
	}
	return 0;
}

struct strip {
	const struct gather_sensor *sensor;
	uint64_t first, step; /* Unix seconds of the first minute; seconds of a cell */
	uint64_t counts[TIMELINE_MINUTES];
};

/* The cell that begins at `at`: the worst of its minutes. */
static enum timeline_minute cell(const struct strip *strip, uint64_t at)
{
	const struct gather_sensor *s = strip->sensor;
	enum timeline_minute worst = TIMELINE_OUTSIDE;

	for (uint64_t m = at; m < at + strip->step; m += 60) {
		enum timeline_minute state = timeline_at(&s->timeline, m, s->from_s, s->to_s);

		if (gravity(state) > gravity(worst))
			worst = state;
	}
	return worst;
}

static double x_of(const struct strip *strip, uint64_t at)
{
	uint64_t to = strip->sensor->to_s;

	at = at < strip->first ? strip->first : at > to ? to : at;
	return (double)(at - strip->first) * WIDTH / (double)(to - strip->first);
}

/* The stretch of equal cells from `at` on; its end. */
static uint64_t stretch(const struct strip *strip, uint64_t at, enum timeline_minute *ret)
{
	*ret = cell(strip, at);
	do
		at += strip->step;
	while (at < strip->sensor->to_s && cell(strip, at) == *ret);
	return at;
}

static void print_stretch(FILE *out, enum verdict_lang lang, const struct strip *strip,
			  uint64_t from, uint64_t to, enum timeline_minute state)
{
	char a[WHEN_TEXT], b[WHEN_TEXT];
	int height = states[state].height;

	fprintf(out, "<rect class=\"%s\" x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\"><title>",
		states[state].name, x_of(strip, from), HEIGHT - height,
		x_of(strip, to) - x_of(strip, from), height);
	html_text(out, when_text(a, from));
	fputs(" – ", out);
	html_text(out, when_text(b, to));
	fprintf(out, ": %s</title></rect>", word(lang, states[state].word));
}

static void print_ticks(FILE *out, const struct strip *strip)
{
	char when[WHEN_TEXT];

	for (unsigned i = 0; i <= TICKS; i++) {
		uint64_t at = strip->first + (strip->sensor->to_s - strip->first) * i / TICKS;
		bool is_end = i == 0 || i == TICKS;
		/* UTC; between the ends the time of day is enough. */
		int skip = is_end ? 0 : (int)strcspn(when_text(when, at), " ");

		(void)when_text(when, at);
		fprintf(out, "<text x=\"%u\" y=\"%d\" text-anchor=\"%s\">%.*s</text>",
			WIDTH * i / TICKS, HEIGHT + 14,
			i == 0       ? "start"
			: i == TICKS ? "end"
				     : "middle",
			19 - skip, when + skip);
	}
}

static void print_words(FILE *out, enum verdict_lang lang, const struct strip *strip)
{
	char text[SAY_MAX], n[4][NUMBER_TEXT];
	const uint64_t *c = strip->counts;

	fputs("<p>", out);
	html_text(out, say(text, lang, W_STRIP_TEXT, strip->sensor->id,
			   number_text(n[0], c[TIMELINE_OK]), number_text(n[1], c[TIMELINE_NODATA]),
			   number_text(n[2], c[TIMELINE_SKIPPED]),
			   number_text(n[3], c[TIMELINE_GAP]), NULL));
	fputs("</p>\n", out);
}

static void print_list(FILE *out, enum verdict_lang lang, const struct strip *strip)
{
	char a[WHEN_TEXT], b[WHEN_TEXT];
	enum timeline_minute state;

	fprintf(out, "<details><summary>%s</summary><ul class=\"stretches\">\n",
		word(lang, W_STRIP_ALL));
	for (uint64_t at = strip->first; at < strip->sensor->to_s;) {
		uint64_t end = stretch(strip, at, &state);

		fputs("<li>", out);
		html_text(out,
			  when_text(a, at > strip->sensor->from_s ? at : strip->sensor->from_s));
		fputs(" – ", out);
		html_text(out, when_text(b, end < strip->sensor->to_s ? end : strip->sensor->to_s));
		fprintf(out, ": %s</li>\n", word(lang, states[state].word));
		at = end;
	}
	fputs("</ul></details>\n", out);
}

void html_strip(FILE *out, enum verdict_lang lang, const struct gather_sensor *s,
		enum strip_form form)
{
	uint64_t cells = form == STRIP_WHOLE ? CELLS : CELLS_SHORT;
	struct strip strip = {.sensor = s, .first = s->from_s / 60 * 60};
	uint64_t minutes = timeline_minutes(s->from_s, s->to_s);
	enum timeline_minute state;

	if (minutes == 0)
		return;
	strip.step = (minutes + cells - 1) / cells * 60;
	for (uint64_t at = strip.first; at < s->to_s; at += 60)
		strip.counts[timeline_at(&s->timeline, at, s->from_s, s->to_s)]++;
	print_words(out, lang, &strip);
	fprintf(out,
		"<svg class=\"strip\" role=\"img\" viewBox=\"0 0 %d %d\" aria-label=\"%s: ", WIDTH,
		HEIGHT + 18, word(lang, W_STRIP_TITLE));
	html_text(out, s->id);
	fputs("\">", out);
	fprintf(out, "<rect class=\"frame\" width=\"%d\" height=\"%d\"/>\n", WIDTH, HEIGHT);
	for (uint64_t at = strip.first; at < s->to_s;) {
		uint64_t end = stretch(&strip, at, &state);

		print_stretch(out, lang, &strip, at, end, state);
		at = end;
	}
	print_ticks(out, &strip);
	fputs("</svg>\n", out);
	if (form == STRIP_WHOLE)
		print_list(out, lang, &strip);
}

void html_strip_legend(FILE *out, enum verdict_lang lang)
{
	static const struct {
		const char *name;
		enum word word;
		int height;
	} kinds[] = {{"ok", W_STRIP_OK, 10},
		     {"nodata", W_STRIP_NODATA, 4},
		     {"skipped", W_STRIP_SKIPPED, 13},
		     {"gap", W_STRIP_GAP, 13}};

	fputs("<ul class=\"legend\">", out);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		fprintf(out,
			"<li><svg viewBox=\"0 0 20 14\" aria-hidden=\"true\"><rect class=\"%s\" "
			"y=\"%d\" width=\"20\" "
			"height=\"%d\"/></svg>%s</li>",
			kinds[i].name, 14 - kinds[i].height, kinds[i].height,
			word(lang, kinds[i].word));
	fputs("</ul>\n", out);
}
