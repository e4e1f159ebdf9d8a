// SPDX-License-Identifier: Apache-2.0
/*
 * Records as JSON lines (RFC 8259): field names as keys, numbers as numbers, null where text shows
 * `-`.
 */
#include "proto/flowrec.h"

#include <string.h>

#include "platform/json.h"

static char *put(char *p, const char *text)
{
	size_t len = strlen(text);

	memcpy(p, text, len);
	return p + len;
}

_Static_assert(FLOWREC_JSON_MAX >= FLOWREC_FIELDS * (JSON_CHAR_MAX * FLOWREC_TEXT_MAX + 40),
	       "of every field name, value and punctuation must fit");

size_t flowrec_print_json(char *out, const struct flowrec_format *format, const struct flowrec *rec,
			  const struct flowrec_identity *identity)
{
	char *p = out;

	*p++ = '{';
	for (size_t i = 0; i < format->n; i++) {
		enum flowrec_field field = (enum flowrec_field)format->field[i];
		char value[FLOWREC_VALUE_MAX];

		if (i)
			*p++ = ',';
		p += json_put_string(p, flowrec_fields[field].name);
		*p++ = ':';
		flowrec_value(value, field, format, rec, identity);
		if (strcmp(value, "-") == 0)
			p = put(p, "null");
		else if (flowrec_fields[field].parquet != FLOWREC_STRING)
			p = put(p, value);
		else
			p += json_put_string(p, value);
	}
	p = put(p, "}\n");
	return (size_t)(p - out);
}
