// SPDX-License-Identifier: Apache-2.0
/*
 * Preflight: the interfaces under scrutiny, and the lines that the checks make.
 */
#include "evidence/preflight.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/preflight_parts.h"

const struct preflight_check_info preflight_checks[PREFLIGHT_CHECKS] = {
#define CHECK(id, name_, why_, mend_) [PREFLIGHT_CHECK_##id] = {(name_), (why_), (mend_)},
#include "evidence/preflight_checks.def"
};

const char *preflight_status_text(enum preflight_status status)
{
	static const char *const texts[] = {"fine", "unknown", "warn", "bad"};

	return texts[status];
}

const char *preflight_log_state_text(enum preflight_log_state state)
{
	static const char *const texts[] = {"unknown", "off", "on", "none"};

	return texts[state];
}

/* ---- lines ---- */

static size_t append(char *out, size_t len, size_t cap, const char *text, size_t n)
{
	if (n > cap - len - 1)
		n = cap - len - 1;
	memcpy(out + len, text, n);
	out[len + n] = '\0';
	return len + n;
}

/* What comes from a file and is printed: no byte that a terminal or a shell would take for more than a letter. */
static size_t append_name(char *out, size_t len, size_t cap, const char *name)
{
	for (; *name; name++) {
		bool is_plain = isalnum((unsigned char)*name) || strchr("._:/-", *name);

		len = append(out, len, cap, is_plain ? name : "?", 1);
	}
	return len;
}

static void make_printable(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
	}
}

/* The command with the names in it. */
static void fill_in(char out[static PREFLIGHT_MEND], const char *pattern, const char *subject,
		    const struct subject *s)
{
	static const char *const names[] = {"{}", "{vpc}", "{instance}"};
	const char *values[] = {subject, s && *s->vpc ? s->vpc : "VPC",
				s && *s->instance ? s->instance : "INSTANCE"};
	size_t len = 0;

	out[0] = '\0';
	while (*pattern && len < PREFLIGHT_MEND - 1) {
		size_t i = 0;

		while (i < 3 && strncmp(pattern, names[i], strlen(names[i])) != 0)
			i++;
		if (i < 3) {
			len = append_name(out, len, PREFLIGHT_MEND, values[i]);
			pattern += strlen(names[i]);
		} else {
			len = append(out, len, PREFLIGHT_MEND, pattern++, 1);
		}
	}
}

static bool same_line(const struct preflight_line *a, enum preflight_check check,
		      const char *subject, const char *what)
{
	return a->check == check && strcmp(a->subject, subject) == 0 && strcmp(a->what, what) == 0;
}

void preflight_add(struct room *room, const struct subject *s, const char *subject,
		   enum preflight_check check, enum preflight_status status, const char *fmt, ...)
{
	struct preflight *out = room->out;
	struct preflight_line *line = &out->lines[out->n_lines];
	va_list args;

	if (out->n_lines == PREFLIGHT_LINES_MAX) {
		out->more = true;
		return;
	}
	*line = (struct preflight_line){.check = check, .status = status};
	va_start(args, fmt);
	(void)vsnprintf(line->what, sizeof line->what, fmt, args);
	va_end(args);
	(void)snprintf(line->subject, sizeof line->subject, "%s",
		       subject && *subject ? subject : "-");
	make_printable(line->what);
	make_printable(line->subject);
	/* Two interfaces of one VPC have the same route table. */
	for (size_t i = 0; i < out->n_lines; i++) {
		if (same_line(&out->lines[i], check, line->subject, line->what))
			return;
	}
	if (status != PREFLIGHT_FINE)
		fill_in(line->mend, preflight_checks[check].mend, line->subject, s);
	out->n_lines++;
}

static int compare_lines(const void *p, const void *q)
{
	const struct preflight_line *a = p, *b = q;
	int d;

	if (a->status != b->status)
		return (int)b->status - (int)a->status;
	if (a->check != b->check)
		return (int)a->check - (int)b->check;
	d = strcmp(a->subject, b->subject);
	return d ? d : strcmp(a->what, b->what);
}

/* ---- subjects ---- */

static void look_at(struct room *room, const struct subject *s)
{
	const char *only = room->request->interface;

	if (only && strcmp(only, s->eni) != 0)
		return;
	room->out->n_interfaces++;
	preflight_flow_logs(room, s);
	preflight_groups(room, s);
	preflight_ways(room, s);
	preflight_machine(room, s);
	preflight_vpc(room, s);
}

static struct subject subject_of(const struct json_value *interface,
				 const struct json_value *machine)
{
	return (struct subject){
		.eni = room_text(interface, "NetworkInterfaceId"),
		.vpc = room_text(interface, "VpcId"),
		.subnet = room_text(interface, "SubnetId"),
		.instance = machine ? room_text(machine, "InstanceId")
				    : room_text(json_member(interface, "Attachment"), "InstanceId"),
		.interface = interface,
		.machine = machine,
	};
}

static bool is_of_machine(const struct room *room, const char *eni)
{
	const struct room_objects *machines = &room->lists[ROOM_INSTANCES];

	for (size_t i = 0; i < machines->n; i++) {
		for (const struct json_value *v = room_items(machines->v[i], "NetworkInterfaces");
		     v; v = v->next) {
			if (strcmp(room_text(v, "NetworkInterfaceId"), eni) == 0)
				return true;
		}
	}
	return false;
}

static void look_at_all(struct room *room)
{
	const struct room_objects *machines = &room->lists[ROOM_INSTANCES];
	const struct room_objects *interfaces = &room->lists[ROOM_INTERFACES];

	for (size_t i = 0; i < machines->n; i++) {
		for (const struct json_value *v = room_items(machines->v[i], "NetworkInterfaces");
		     v; v = v->next) {
			struct subject s = subject_of(v, machines->v[i]);

			look_at(room, &s);
		}
	}
	/* Interfaces of which no machine is told. */
	for (size_t i = 0; i < interfaces->n; i++) {
		struct subject s = subject_of(interfaces->v[i], NULL);

		if (!is_of_machine(room, s.eni))
			look_at(room, &s);
	}
}

int preflight_run(struct preflight *ret, const struct preflight_request *request, struct err *err)
{
	struct room room = {.request = request, .out = ret};
	bool any = false;
	int rc;

	*ret = (struct preflight){.n_lines = 0};
	ret->lines = calloc(PREFLIGHT_LINES_MAX, sizeof ret->lines[0]);
	rc = ret->lines ? room_read(&room, err)
			: err_set(err, -ENOMEM, "no memory for a preflight");
	for (size_t i = 0; i < ROOM_LISTS; i++)
		any = any || room.lists[i].is_known;
	if (rc == 0 && !any)
		rc = err_set(err, ERR_USAGE,
			     "%s holds nothing that the AWS CLI printed: let platform/ec2/collect "
			     "fill it",
			     request->folder);
	if (rc == 0)
		look_at_all(&room);
	if (rc == 0 && request->interface && ret->n_interfaces == 0)
		rc = err_set(err, ERR_USAGE, "%s tells of no interface %s", request->folder,
			     request->interface);
	if (rc == 0 && ret->n_interfaces == 0) {
		struct subject nobody = {.eni = "", .vpc = "", .subnet = "", .instance = ""};

		look_at(&room, &nobody);
		ret->n_interfaces = 0;
	}
	if (rc == 0)
		rc = preflight_inventory(&room) < 0
			     ? err_set(err, -ENOMEM, "no memory for a list of logs")
			     : 0;
	if (ret->n_lines > 1)
		qsort(ret->lines, ret->n_lines, sizeof ret->lines[0], compare_lines);
	room_fini(&room);
	return rc;
}

void preflight_fini(struct preflight *preflight)
{
	free(preflight->lines);
	free(preflight->logs);
	*preflight = (struct preflight){.n_lines = 0};
}
