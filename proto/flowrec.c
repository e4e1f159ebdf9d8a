// SPDX-License-Identifier: Apache-2.0
/*
 * Formats: which fields, in which order.
 */
#include "proto/flowrec.h"

#include <string.h>

static int field_by_name(const char *name, size_t len)
{
	for (int i = 0; i < FLOWREC_FIELDS; i++)
		if (strlen(flowrec_fields[i].name) == len &&
		    memcmp(flowrec_fields[i].name, name, len) == 0)
			return i;
	return -1;
}

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
		int field;

		if (len > 3 && name[0] == '$' && name[1] == '{' && name[len - 1] == '}') {
			name += 2;
			len -= 3;
		}
		field = field_by_name(name, len);
		if (field < 0)
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

const char *flowrec_verdict_text(enum flowrec_verdict verdict)
{
	switch (verdict) {
	case FLOWREC_EXPECTED: return "expected";
	case FLOWREC_WATCHED: return "watched";
	case FLOWREC_UNEXPECTED_EGRESS: return "unexpected_egress";
	case FLOWREC_UNEXPECTED_INBOUND: return "unexpected_inbound";
	case FLOWREC_VERDICT_NONE: break;
	}
	return "-";
}

const char *flowrec_outcome_text(enum flowrec_outcome outcome)
{
	switch (outcome) {
	case FLOWREC_SENT: return "sent";
	case FLOWREC_UNANSWERED: return "unanswered";
	case FLOWREC_REFUSED: return "refused";
	case FLOWREC_ANSWERED: return "answered";
	case FLOWREC_DATA_OUT: return "data_out";
	case FLOWREC_OUTCOME_NONE: break;
	}
	return "-";
}
