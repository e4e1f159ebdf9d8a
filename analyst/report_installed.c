// SPDX-License-Identifier: Apache-2.0
/*
 * report, what was put on the suspect's volume before it started: the manifest of platform/ec2/install-offline.
 */
#include "analyst/report.h"

#include <string.h>

#include "analyst/report_html.h"
#include "platform/json_read.h"

enum { MANIFEST_MAX = 1024 * 1024 };

int report_installed(struct report *r, struct err *err)
{
	int rc = json_read_file(&r->installed, r->o.installed, MANIFEST_MAX, err);
	const struct json_value *root = rc == 0 ? json_root(r->installed) : NULL;
	const char *format = json_member_text(root, "format");

	if (rc == 0 && (!format || strcmp(format, "flowproof-installed-1") != 0))
		rc = err_set(err, ERR_USAGE,
			     "--installed: %s is no manifest of platform/ec2/install-offline",
			     r->o.installed);
	return rc;
}

static const struct json_value *first(const struct json_value *root, const char *list)
{
	const struct json_value *value = json_member(root, list);

	return value && value->kind == JSON_ARRAY ? value->child : NULL;
}

/* Rows of a table: of each object in the list these members, the first that is there of the last two. */
static void print_rows(FILE *out, const struct json_value *object, const char *const *members,
		       const char *last, const char *or_last)
{
	for (; object; object = object->next) {
		const char *text = json_member_text(object, last);

		fputs("<tr>", out);
		for (size_t i = 0; members[i]; i++)
			html_cell(out, json_member_text(object, members[i]));
		html_cell(out, text || !or_last ? text : json_member_text(object, or_last));
		fputs("</tr>\n", out);
	}
	html_table_end(out);
}

static const char *or_dash(const char *text)
{
	return text ? text : "–";
}

void html_installed(FILE *out, const struct report *r)
{
	static const enum word entry[] = {W_PATH, W_KIND, W_MODE, W_SHA256_OR_TARGET, WORDS};
	static const enum word folder[] = {W_FOLDER_CHANGED, W_TIME_BEFORE, WORDS};
	const struct json_value *root;
	char text[SAY_MAX];

	root = json_root(r->installed);
	html_paragraph(out,
		       say(text, r->lang, W_INSTALLED_SAY, or_dash(json_member_text(root, "made")),
			   or_dash(json_member_text(root, "sensor")),
			   or_dash(json_member_text(root, "state")), NULL));
	html_table(out, r->lang, 0, entry);
	print_rows(out, first(root, "entries"), (const char *const[]){"path", "type", "mode", NULL},
		   "sha256", "target");
	html_table(out, r->lang, 0, folder);
	print_rows(out, first(root, "folders_changed"), (const char *const[]){"path", NULL},
		   "mtime", NULL);
}
