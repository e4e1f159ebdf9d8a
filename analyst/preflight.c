// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof preflight: what would make a run worthless, before it is made.
 */
#include "analyst/command.h"
#include "analyst/commands.h"

#include <stdio.h>
#include <string.h>

#include "evidence/preflight.h"
#include "platform/json.h"

struct options {
	char *aws, *interface, *collector;
	bool json, help;
};

#define AT(member) offsetof(struct options, member)

static const struct setting table[] = {
	OPTION_TEXT(
		"aws", 0, AT(aws), "DIR",
		"What the AWS CLI printed, a .json file an answer; platform/ec2/collect fills it."),
	OPTION_TEXT("interface", 0, AT(interface), "ID", "Look at this interface alone."),
	OPTION_TEXT("collector", 0, AT(collector), "ADDR:PORT",
		    "Where the sensor must deliver to: is the way open?"),
	OPTION_FLAG("json", AT(json), "One JSON object."),
	OPTION_HELP(AT(help)),
};

static void tell_bad(void *ctx, const char *reason)
{
	(void)ctx;
	fprintf(stderr, "flowproof preflight: %s\n", reason);
}

static size_t count(const struct preflight *p, enum preflight_status status)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_lines; i++)
		n += p->lines[i].status == status;
	return n;
}

/* ---- text ---- */

static void print_text(const struct preflight *p)
{
	printf("%zu interfaces, %zu files: %zu bad, %zu to look at, %zu unknown, %zu fine\n",
	       p->n_interfaces, p->n_files, count(p, PREFLIGHT_BAD), count(p, PREFLIGHT_WARN),
	       count(p, PREFLIGHT_UNKNOWN), count(p, PREFLIGHT_FINE));
	for (size_t i = 0; i < p->n_lines; i++) {
		const struct preflight_line *l = &p->lines[i];

		printf("\n%-8s%s %s: %s\n", preflight_status_text(l->status),
		       preflight_checks[l->check].name, l->subject, l->what);
		if (l->status == PREFLIGHT_FINE)
			continue;
		printf("        why: %s\n", preflight_checks[l->check].why);
		printf("        %s: %s\n", l->status == PREFLIGHT_UNKNOWN ? "if so" : "mend",
		       l->mend);
	}
	fputs("\nLogs of this case\n", stdout);
	for (size_t i = 0; i < p->n_logs; i++) {
		const struct preflight_log *l = &p->logs[i];

		printf("%-8s%s %s%s%s%s%s\n        holds: %s\n        %s\n",
		       preflight_log_state_text(l->state), l->name, l->source,
		       *l->where ? "  " : "", l->where, *l->kept ? "  kept: " : "", l->kept,
		       l->holds, l->preset);
		if (*l->fields)
			printf("        fields: %s\n", l->fields);
		if (l->mend)
			printf("        on with: %s\n", l->mend);
	}
}

/* ---- JSON ---- */

static void member(const char *name, const char *text)
{
	printf(",\"%s\":", name);
	json_print_string(stdout, text);
}

static void print_json(const struct preflight *p)
{
	printf("{\"summary\":{\"bad\":%zu,\"warn\":%zu,\"unknown\":%zu,\"fine\":%zu,\"interfaces\":"
	       "%zu,\"files\":%zu,\"unreadable\":%zu,\"more\":%s},\n\"checks\":[",
	       count(p, PREFLIGHT_BAD), count(p, PREFLIGHT_WARN), count(p, PREFLIGHT_UNKNOWN),
	       count(p, PREFLIGHT_FINE), p->n_interfaces, p->n_files, p->n_bad,
	       p->more ? "true" : "false");
	for (size_t i = 0; i < p->n_lines; i++) {
		const struct preflight_line *l = &p->lines[i];

		printf("%s{\"check\":\"%s\",\"status\":\"%s\"", i ? ",\n" : "\n",
		       preflight_checks[l->check].name, preflight_status_text(l->status));
		member("subject", l->subject);
		member("what", l->what);
		member("why", preflight_checks[l->check].why);
		if (*l->mend)
			member("mend", l->mend);
		fputc('}', stdout);
	}
	fputs("\n],\n\"logs\":[", stdout);
	for (size_t i = 0; i < p->n_logs; i++) {
		const struct preflight_log *l = &p->logs[i];

		printf("%s{\"log\":\"%s\",\"state\":\"%s\"", i ? ",\n" : "\n", l->name,
		       preflight_log_state_text(l->state));
		member("source", l->source);
		member("holds", l->holds);
		member("default", l->preset);
		if (*l->where)
			member("where", l->where);
		if (*l->kept)
			member("kept", l->kept);
		if (*l->fields)
			member("fields", l->fields);
		if (l->mend)
			member("mend", l->mend);
		fputc('}', stdout);
	}
	fputs("\n]}\n", stdout);
}

static int run(void *options, struct err *err)
{
	const struct options *o = options;
	struct preflight_request request = {
		.folder = o->aws, .interface = o->interface, .bad = tell_bad};
	struct preflight preflight;
	struct err why;
	int rc;

	if (!o->aws)
		return err_set(err, ERR_USAGE,
			       "--aws is missing: the folder that platform/ec2/collect filled");
	if (o->collector && endpoint_parse(o->collector, &request.collector, &why) < 0)
		return err_set(err, ERR_USAGE, "--collector: %s", why.text);
	request.has_collector = o->collector != NULL;
	rc = preflight_run(&preflight, &request, err);
	if (rc == 0) {
		(o->json ? print_json : print_text)(&preflight);
		rc = count(&preflight, PREFLIGHT_BAD) > 0 ? 1 : preflight.n_bad > 0 ? 3 : 0;
	}
	preflight_fini(&preflight);
	return rc;
}

static const struct command command = {
	.name = "preflight",
	.usage = "usage: flowproof preflight --aws DIR [options]\n\n"
		 "Says before a run what would make it worthless, from what the AWS CLI tells of "
		 "the room. Exit status 1 if\nanything is bad.\n\n",
	COMMAND_OPTIONS(struct options, help, table),
	.run = run,
};

int preflight_main(int argc, char **argv)
{
	return command_main(&command, argc, argv);
}
