// SPDX-License-Identifier: Apache-2.0
/*
 * Formats: which fields, in which order.
 */
#include "proto/flowrec.h"

#include <stdio.h>
#include <string.h>

void flowrec_format_default(struct flowrec_format *ret)
{
	*ret = (struct flowrec_format){.n = FLOWREC_F_LOG_STATUS + 1, .version = 2};
	for (uint8_t i = 0; i < ret->n; i++)
		ret->field[i] = i;
}

int flowrec_format_parse(struct flowrec_format *ret, const char *text, struct err *err)
{
	struct flowrec_format format = {.n = 0, .version = 2};
	bool seen[FLOWREC_FIELDS] = {false};

	for (const char *p = text + strspn(text, " ,\t\n"); *p; p += strspn(p, " ,\t\n")) {
		size_t word = strcspn(p, " ,\t\n"), len = word;
		const char *name = p;
		enum flowrec_field field;

		if (len > 3 && name[0] == '$' && name[1] == '{' && name[len - 1] == '}') {
			name += 2;
			len -= 3;
		}
		field = flowrec_field_by_name(name, len);
		if (field == FLOWREC_FIELDS)
			return err_set(err, ERR_USAGE,
				       "unknown field '%.*s'; --help lists the names", (int)len,
				       name);
		if (seen[field])
			return err_set(err, ERR_USAGE, "field '%.*s' is named twice", (int)len,
				       name);
		seen[field] = true;
		format.field[format.n++] = (uint8_t)field;
		if (flowrec_fields[field].version > format.version)
			format.version = flowrec_fields[field].version;
		p += word;
	}
	if (format.n == 0)
		return err_set(err, ERR_USAGE, "no field is named; --help lists the names");
	*ret = format;
	return 0;
}

void flowrec_help(FILE *out)
{
	fputs("Fields (version of Flow Logs that brought them, none for flowproof's own; * is what "
	      "the\n"
	      "sensor's --field sets, - what a host cannot know):\n",
	      out);
	for (size_t i = 0; i < FLOWREC_FIELDS; i++) {
		const struct flowrec_field_info *f = &flowrec_fields[i];
		char version[4] = "";

		if (f->version)
			snprintf(version, sizeof version, "%u", f->version);
		fprintf(out, "  %-27s%2s %c  %s\n", f->name, version,
			f->origin == FLOWREC_OF_INTERFACE ? '*'
			: f->origin == FLOWREC_OF_UNKNOWN ? '-'
							  : ' ',
			f->help);
	}
}

static const char *word(enum flowrec_field field, size_t value)
{
	const struct flowrec_field_info *info = &flowrec_fields[field];
	const char *text = value < info->n_words ? info->words[value] : NULL;

	return text ? text : "-";
}

const char *flowrec_verdict_text(enum flowrec_verdict verdict)
{
	return word(FLOWREC_F_FP_VERDICT, verdict);
}

const char *flowrec_direction_text(enum flowrec_direction direction)
{
	return word(FLOWREC_F_FLOW_DIRECTION, direction);
}

const char *flowrec_outcome_text(enum flowrec_outcome outcome)
{
	return word(FLOWREC_F_FP_OUTCOME, outcome);
}
