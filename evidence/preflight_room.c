// SPDX-License-Identifier: Apache-2.0
/*
 * What the AWS CLI printed, gathered: every list that is known by its name, from every file of the folder.
 */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/preflight_parts.h"

enum { FILE_BYTES = 64 << 20, PATH_BYTES = 3072 };

static const struct {
	const char *key;
	enum room_list list;
} lists[] = {
	{"FlowLogs", ROOM_FLOW_LOGS},
	{"SecurityGroups", ROOM_GROUPS},
	{"NetworkAcls", ROOM_ACLS},
	{"NetworkInterfaces", ROOM_INTERFACES},
	{"Vpcs", ROOM_VPCS},
	{"Subnets", ROOM_SUBNETS},
	{"RouteTables", ROOM_ROUTE_TABLES},
	{"VpcEndpoints", ROOM_ENDPOINTS},
	{"ResolverQueryLogConfigs", ROOM_QUERY_LOGS},
	{"ResolverQueryLogConfigAssociations", ROOM_QUERY_LOG_ASSOCIATIONS},
	{"logGroups", ROOM_LOG_GROUPS},
	{"LoadBalancers", ROOM_LOAD_BALANCERS},
	{"trailList", ROOM_TRAILS},
	{"WebACLs", ROOM_WEB_ACLS},
	{"LoggingConfigurations", ROOM_WAF_LOGGING},
	{"DetectorIds", ROOM_DETECTORS},
	{"Trails", ROOM_TRAILS}, /* list-trails */
	{"item", ROOM_STAGES},   /* apigateway get-stages */
	{"items", ROOM_APIS},    /* apigateway get-rest-apis */
};

const char *room_text(const struct json_value *object, const char *key)
{
	const struct json_value *value = json_member(object, key);

	return value && value->text ? value->text : "";
}

const struct json_value *room_items(const struct json_value *object, const char *key)
{
	const struct json_value *list = json_member(object, key);

	return list && list->kind == JSON_ARRAY ? list->child : NULL;
}

const struct json_value *room_find(const struct room *room, enum room_list list, const char *key,
				   const char *value)
{
	const struct room_objects *o = &room->lists[list];

	for (size_t i = 0; *value && i < o->n; i++) {
		if (strcmp(room_text(o->v[i], key), value) == 0)
			return o->v[i];
	}
	return NULL;
}

bool room_is_whole(const struct room *room, enum room_list list)
{
	const struct room_objects *o = &room->lists[list];

	return o->is_known && (o->more == 0 || o->ends > 0);
}

/* The CLI's --max-items, or an answer of the API itself: there are more pages. */
static bool goes_on(const struct json_value *root)
{
	static const char *const tokens[] = {"NextToken", "nextToken", "NextMarker", "Marker",
					     "position"};
	const struct json_value *cut = json_member(root, "IsTruncated");
	bool ret = cut && cut->kind == JSON_TRUE;

	for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++)
		ret = ret || *room_text(root, tokens[i]);
	return ret;
}

static int add(struct room *room, enum room_list list, const struct json_value *object)
{
	struct room_objects *o = &room->lists[list];

	if (o->n == o->cap) {
		size_t cap = o->cap ? 2 * o->cap : 64;
		const struct json_value **v = realloc(o->v, cap * sizeof *v);

		if (!v)
			return -ENOMEM;
		o->v = v;
		o->cap = cap;
	}
	o->v[o->n++] = object;
	return 0;
}

static int add_items(struct room *room, enum room_list list, const struct json_value *root,
		     const struct json_value *items)
{
	int rc = 0;

	room->lists[list].is_known = true;
	if (goes_on(root))
		room->lists[list].more++;
	else
		room->lists[list].ends++;
	for (; rc == 0 && items; items = items->next)
		rc = add(room, list, items);
	return rc;
}

/* describe-instances: the machines of all reservations. */
static int add_reservations(struct room *room, const struct json_value *root)
{
	const struct json_value *list = json_member(root, "Reservations");
	int rc = 0;

	if (!list || list->kind != JSON_ARRAY)
		return 0;
	room->lists[ROOM_INSTANCES].is_known = true;
	for (const struct json_value *r = list->child; rc == 0 && r; r = r->next)
		rc = add_items(room, ROOM_INSTANCES, root, room_items(r, "Instances"));
	return rc;
}

static void take_switch(struct room_switches *of, bool is_on)
{
	of->told++;
	of->on += is_on;
}

static bool is_true(const struct json_value *object, const char *key)
{
	const struct json_value *value = json_member(object, key);

	return value && value->kind == JSON_TRUE;
}

/* describe-load-balancer-attributes; those of a target group have the same shape. */
static void take_attributes(struct room *room, const struct json_value *root)
{
	for (const struct json_value *a = room_items(root, "Attributes"); a; a = a->next) {
		if (strcmp(room_text(a, "Key"), "access_logs.s3.enabled") == 0)
			take_switch(&room->balancers, strcmp(room_text(a, "Value"), "true") == 0);
	}
}

/* get-distribution-config, get-distribution, get-trail-status, get-detector have no list of their own. */
static void take_switches(struct room *room, const struct json_value *root)
{
	const struct json_value *config = json_member(root, "DistributionConfig");

	if (!config)
		config = json_member(json_member(root, "Distribution"), "DistributionConfig");
	if (config)
		take_switch(&room->distributions,
			    is_true(json_member(config, "Logging"), "Enabled"));
	if (json_member(root, "IsLogging"))
		take_switch(&room->trails, is_true(root, "IsLogging"));
	if (json_member(root, "FindingPublishingFrequency") || json_member(root, "ServiceRole"))
		take_switch(&room->detectors, strcmp(room_text(root, "Status"), "ENABLED") == 0);
	take_attributes(room, root);
}

/* apigatewayv2 get-apis and get-stages both say "Items". */
static int take_http_apis(struct room *room, const struct json_value *root)
{
	const struct json_value *list = json_member(root, "Items");

	if (!list || list->kind != JSON_ARRAY || !list->child)
		return 0;
	if (json_member(list->child, "StageName")) {
		room->stage_lists++;
		return add_items(room, ROOM_STAGES, root, list->child);
	}
	return json_member(list->child, "ApiId") ? add_items(room, ROOM_APIS, root, list->child)
						 : 0;
}

/* wafv2 get-logging-configuration tells one. */
static int take_waf(struct room *room, const struct json_value *root)
{
	const struct json_value *one = json_member(root, "LoggingConfiguration");

	if (!one || !json_member(one, "ResourceArn"))
		return 0;
	room->lists[ROOM_WAF_LOGGING].is_known = true;
	room->lists[ROOM_WAF_LOGGING].more++; /* of the others nothing is told */
	return add(room, ROOM_WAF_LOGGING, one);
}

static int take_root(struct room *room, const struct json_value *root)
{
	const struct json_value *distributions = json_member(root, "DistributionList");
	int rc = add_reservations(room, root);

	for (size_t i = 0; rc == 0 && i < sizeof lists / sizeof lists[0]; i++) {
		const struct json_value *list = json_member(root, lists[i].key);

		if (list && list->kind == JSON_ARRAY)
			rc = add_items(room, lists[i].list, root, list->child);
	}
	room->stage_lists += json_member(root, "item") != NULL;
	if (rc == 0 && distributions)
		rc = add_items(room, ROOM_DISTRIBUTIONS, distributions,
			       room_items(distributions, "Items"));
	if (rc == 0 && json_member(root, "EnableDnsSupport")) {
		room->lists[ROOM_DNS].is_known = true;
		rc = add(room, ROOM_DNS, root);
	}
	if (rc == 0)
		rc = take_http_apis(room, root);
	if (rc == 0)
		rc = take_waf(room, root);
	take_switches(room, root);
	return rc;
}

static __attribute__((format(printf, 2, 3))) void tell_bad(struct room *room, const char *fmt, ...)
{
	char text[PATH_BYTES + 512];
	va_list args;

	room->out->n_bad++;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	for (char *c = text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f) /* it goes to a terminal */
			*c = '?';
	}
	if (room->request->bad)
		room->request->bad(room->request->ctx, text);
}

/* What the CLI said in place of an answer, where that was saved. False: it is something else. */
static bool tell_refusal(struct room *room, const char *path)
{
	static const char *const begins[] = {"An error occurred", "aws: error",
					     "Unable to locate credentials"};
	char begin[256];
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(begin, 1, sizeof begin - 1, f) : 0;
	const char *p = begin;

	if (f)
		(void)fclose(f);
	begin[n] = '\0';
	p += strspn(p, " \t\r\n");
	for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
		if (strncmp(p, begins[i], strlen(begins[i])) != 0)
			continue;
		tell_bad(room, "%s: the AWS CLI gave no answer: %.*s", path,
			 (int)strcspn(p, "\r\n"), p);
		return true;
	}
	if (!*p)
		tell_bad(room, "%s: it is empty: ask again", path);
	return !*p;
}

static int read_file(struct room *room, const char *path, struct err *err)
{
	const struct json_value *root, *data;
	struct json **files = realloc(room->files, (room->n_files + 1) * sizeof *files);
	struct err why;
	int rc;

	if (!files)
		return err_set(err, -ENOMEM, "no memory for %s", path);
	room->files = files;
	rc = json_read_file(&files[room->n_files], path, FILE_BYTES, &why);
	if (rc == -ENOMEM)
		return err_set(err, rc, "no memory for %s", path);
	if (rc < 0) {
		if (!tell_refusal(room, path))
			tell_bad(room, "%s", why.text);
		return 0;
	}
	root = json_root(files[room->n_files++]);
	room->out->n_files++;
	if (root->kind == JSON_ARRAY)
		tell_bad(room,
			 "%s: a list without its name, as --query leaves it: save the whole answer",
			 path);
	if (json_member(root, "Error")) /* as an SDK has it */
		tell_bad(room, "%s: the AWS CLI gave no answer: %s", path,
			 room_text(json_member(root, "Error"), "Code"));
	data = json_member(root, "data"); /* as some recorders keep the CLI's answers */
	rc = take_root(room, data && data->kind == JSON_OBJECT ? data : root);
	return rc < 0 ? err_set(err, rc, "no memory for %s", path) : 0;
}

static int is_json(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

int room_read(struct room *room, struct err *err)
{
	const char *folder = room->request->folder;
	struct dirent **names;
	char path[PATH_BYTES];
	int rc = 0, n = scandir(folder, &names, is_json, alphasort);

	if (n < 0)
		return err_errno(err, "%s", folder);
	for (int i = 0; i < n; i++) {
		int len = snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);

		if (rc == 0 && len > 0 && (size_t)len < sizeof path)
			rc = read_file(room, path, err);
		free(names[i]);
	}
	free(names);
	return rc;
}

void room_fini(struct room *room)
{
	for (size_t i = 0; i < room->n_files; i++)
		json_free(room->files[i]);
	free(room->files);
	for (size_t i = 0; i < ROOM_LISTS; i++)
		free(room->lists[i].v);
}
