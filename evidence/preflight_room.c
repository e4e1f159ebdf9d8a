// SPDX-License-Identifier: Apache-2.0
/*
 * What the AWS CLI printed, gathered: every list that is known by its name, from every file of the folder.
 */
#include <dirent.h>
#include <errno.h>
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
	{"item", ROOM_STAGES}, /* apigateway get-stages */
	{"items", ROOM_APIS},  /* apigateway get-rest-apis */
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

static int add_items(struct room *room, enum room_list list, const struct json_value *items)
{
	int rc = 0;

	room->lists[list].is_known = true;
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
		rc = add_items(room, ROOM_INSTANCES, room_items(r, "Instances"));
	return rc;
}

/* describe-load-balancer-attributes and get-distribution-config have no list of their own. */
static void take_switches(struct room *room, const struct json_value *root)
{
	const struct json_value *config = json_member(root, "DistributionConfig");
	bool is_balancer = false, is_on = false;

	for (const struct json_value *a = room_items(root, "Attributes"); a; a = a->next) {
		is_balancer = true;
		is_on = is_on || (strcmp(room_text(a, "Key"), "access_logs.s3.enabled") == 0 &&
				  strcmp(room_text(a, "Value"), "true") == 0);
	}
	room->n_lb_attributes += is_balancer;
	room->lb_logging += is_on;
	if (config) {
		const struct json_value *enabled =
			json_member(json_member(config, "Logging"), "Enabled");

		room->n_configs++;
		room->configs_logging += enabled && enabled->kind == JSON_TRUE;
	}
}

static int take_root(struct room *room, const struct json_value *root)
{
	const struct json_value *distributions = json_member(root, "DistributionList");
	int rc = add_reservations(room, root);

	for (size_t i = 0; rc == 0 && i < sizeof lists / sizeof lists[0]; i++) {
		const struct json_value *list = json_member(root, lists[i].key);

		if (list && list->kind == JSON_ARRAY)
			rc = add_items(room, lists[i].list, list->child);
	}
	if (rc == 0 && distributions)
		rc = add_items(room, ROOM_DISTRIBUTIONS, room_items(distributions, "Items"));
	if (rc == 0 && json_member(root, "EnableDnsSupport")) {
		room->lists[ROOM_DNS].is_known = true;
		rc = add(room, ROOM_DNS, root);
	}
	take_switches(room, root);
	return rc;
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
		room->out->n_bad++;
		if (room->request->bad)
			room->request->bad(room->request->ctx, path, why.text);
		return 0;
	}
	root = json_root(files[room->n_files++]);
	room->out->n_files++;
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
