// SPDX-License-Identifier: Apache-2.0
/*
 * Boundary rules from AWS's JSON: see import.h. The objects are looked up where they lie, in the trees of the files; rules
 * and the lists that they name grow in two texts, since lists have to stand above.
 */
#include "policy/import.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/addr.h"
#include "platform/json_read.h"
#include "platform/text.h"
#include "policy/import_parts.h"
#include "policy/policy.h"

enum { FILE_BYTES = 64 << 20 };

/* ---- files ---- */

/* The list of this name in a file, at its top or below "data"; NULL if it has none. */
static const struct json_value *list_in(const struct json *json, const char *key)
{
	const struct json_value *root = json_root(json), *list = json_member(root, key);

	if (!list)
		list = json_member(json_member(root, "data"), key);
	return list && list->kind == JSON_ARRAY ? list : NULL;
}

/* Moves to the next object of the lists called `key`. */
static bool import_next(const struct import *im, const char *key, struct import_item *item)
{
	item->at = item->at ? item->at->next : NULL;
	while (!item->at) {
		const struct json_value *list;

		if (item->file == im->n)
			return false;
		item->json = im->json[item->file];
		item->path = im->request->files[item->file++];
		list = list_in(item->json, key);
		item->at = list ? list->child : NULL;
	}
	return true;
}

bool import_find(const struct import *im, const char *key, const char *id_key, const char *id,
		 struct import_item *ret)
{
	*ret = (struct import_item){.file = 0};
	while (import_next(im, key, ret)) {
		const char *text = json_member_text(ret->at, id_key);

		if (text && strcmp(text, id) == 0)
			return true;
	}
	return false;
}

int import_bad(const struct import *im, const struct import_item *item, const struct json_value *at,
	       const char *what)
{
	char where[JSON_WHERE_TEXT];

	return err_set(im->err, ERR_FORMAT, "%s: %s",
		       json_where(where, item->json, at ? at : item->at), what);
}

static const char *const lists_known[] = {"SecurityGroups", "NetworkAcls", "NetworkInterfaces",
					  "PrefixLists", "Entries"};

static int read_files(struct import *im)
{
	for (; im->n < im->request->n_files; im->n++) {
		const char *path = im->request->files[im->n];
		bool known = false;
		int rc = json_read_file(&im->json[im->n], path, FILE_BYTES, im->err);

		if (rc < 0)
			return rc;
		for (size_t i = 0; i < sizeof lists_known / sizeof lists_known[0]; i++)
			known |= list_in(im->json[im->n], lists_known[i]) != NULL;
		if (!known) {
			im->n++; /* freed with the others */
			return err_set(
				im->err, ERR_FORMAT,
				"%s holds no SecurityGroups, NetworkAcls, NetworkInterfaces, "
				"PrefixLists or Entries; give what `aws ec2 describe-...` "
				"prints, unchanged",
				path);
		}
	}
	return 0;
}

/* ---- lists ---- */

bool import_prefix(const char *text, struct cidr *ret)
{
	const char *slash = text ? strchr(text, '/') : NULL;
	unsigned long bits;
	char *end;

	if (!slash)
		return text && cidr_parse(text, ret, NULL) == 0;
	if (!addr_read(text, (size_t)(slash - text), &ret->addr, &ret->family) ||
	    !isdigit((unsigned char)slash[1]))
		return false;
	bits = strtoul(slash + 1, &end, 10);
	if (*end || bits > (ret->family == 4 ? 32 : 128))
		return false;
	ret->bits = (uint8_t)bits;
	for (; bits < 128; bits++)
		ret->addr.b[bits / 8] &= (uint8_t) ~(0x80U >> bits % 8);
	return true;
}

static bool is_id(const char *text)
{
	size_t n = 0;

	while (isalnum((unsigned char)text[n]) || text[n] == '-')
		n++;
	return n > 0 && n < POLICY_SET_TEXT && text[n] == '\0';
}

/* True if this list stands already. */
static bool is_written(struct import *im, const char *id)
{
	for (size_t i = 0; i < im->n_written; i++) {
		if (strcmp(im->written[i], id) == 0)
			return true;
	}
	return false;
}

static int note_written(struct import *im, const char *id)
{
	const char **moved = reallocarray(im->written, im->n_written + 1, sizeof *moved);

	if (!moved)
		return err_set(im->err, -ENOMEM, "out of memory");
	im->written = moved;
	im->written[im->n_written++] = id;
	return 0;
}

static int put_member(struct import *im, const struct import_item *item,
		      const struct json_value *at, const char *text, const char *list, size_t *n)
{
	char shown[ADDR_ENDPOINT_TEXT];
	struct cidr cidr;

	if (!import_prefix(text, &cidr))
		return import_bad(im, item, at, "not an address or prefix");
	if (*n % 32 == 0)
		fprintf(im->lists, "%slist %s ", *n ? "\n" : "", list);
	fprintf(im->lists, "%s%s", *n % 32 ? ", " : "", cidr_text(shown, &cidr));
	++*n;
	return 0;
}

static int end_list(struct import *im, const char *id, size_t n)
{
	if (n > 0)
		fputc('\n', im->lists);
	return n > 0 ? note_written(im, id) : 0;
}

/* The addresses of the interfaces that carry the group. */
static int write_members(struct import *im, const char *group, size_t *n)
{
	static const char *const lists[][2] = {{"PrivateIpAddresses", "PrivateIpAddress"},
					       {"Ipv6Addresses", "Ipv6Address"}};
	struct import_item item = {.file = 0};
	int rc = 0;

	while (rc == 0 && import_next(im, "NetworkInterfaces", &item)) {
		const struct json_value *groups = json_member(item.at, "Groups");
		bool carries = false;

		for (const struct json_value *g = groups ? groups->child : NULL; g; g = g->next) {
			const char *id = json_member_text(g, "GroupId");

			carries |= id && strcmp(id, group) == 0;
		}
		for (size_t i = 0; carries && i < 2; i++) {
			const struct json_value *list = json_member(item.at, lists[i][0]);

			for (const struct json_value *a = list ? list->child : NULL; a && rc == 0;
			     a = a->next)
				rc = put_member(im, &item, a, json_member_text(a, lists[i][1]),
						group, n);
		}
	}
	return rc < 0 ? rc : end_list(im, group, *n);
}

/* get-managed-prefix-list-entries does not repeat the list's id: the file is named after it. */
static bool named_after(const char *path, const char *id)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *at;
	size_t len = strlen(id);

	at = strstr(name, id);
	return at && !isalnum((unsigned char)at[len]);
}

static int write_prefix_list(struct import *im, const char *id, size_t *n)
{
	struct import_item item = {.file = 0};
	int rc = 0;

	/* describe-prefix-lists has them, describe-managed-prefix-lists has not. */
	while (rc == 0 && *n == 0 && import_next(im, "PrefixLists", &item)) {
		const struct json_value *cidrs = json_member(item.at, "Cidrs");
		const char *own = json_member_text(item.at, "PrefixListId");

		if (!own || strcmp(own, id) != 0)
			continue;
		for (const struct json_value *c = cidrs ? cidrs->child : NULL; c && rc == 0;
		     c = c->next)
			rc = put_member(im, &item, c, c->kind == JSON_STRING ? c->text : NULL, id,
					n);
	}
	item = (struct import_item){.file = 0};
	while (rc == 0 && *n == 0 && import_next(im, "Entries", &item)) {
		if (!named_after(item.path, id))
			continue;
		for (; item.at && rc == 0; item.at = item.at->next)
			rc = put_member(im, &item, item.at, json_member_text(item.at, "Cidr"), id,
					n);
		break;
	}
	return rc < 0 ? rc : end_list(im, id, *n);
}

static void tell_unknown(struct import *im, const char *where, const char *id, bool is_group)
{
	struct import_item any = {.file = 0};

	im->unknown++;
	if (is_group && import_next(im, "NetworkInterfaces", &any))
		fprintf(im->warnings,
			"%s: no interface in these files carries the group %s; if it is another "
			"VPC's or account's, give its interfaces too\n",
			where, id);
	else if (is_group)
		fprintf(im->warnings,
			"%s: who carries the group %s is not known; give the output of `aws ec2 "
			"describe-network-interfaces` too\n",
			where, id);
	else
		fprintf(im->warnings,
			"%s: what is in the prefix list %s is not known; give the output of `aws "
			"ec2 get-managed-prefix-list-entries --prefix-list-id %s` too, in a file "
			"whose name holds the id\n",
			where, id, id);
}

int import_list(struct import *im, const struct import_item *item, const struct json_value *at,
		const char *id, bool is_group, bool *ret_known)
{
	char where[JSON_WHERE_TEXT];
	size_t n = 0;
	int rc;

	*ret_known = false;
	if (!id || !is_id(id))
		return import_bad(im, item, at,
				  is_group ? "a group without GroupId"
					   : "a prefix list without PrefixListId");
	*ret_known = is_written(im, id);
	if (*ret_known)
		return 0;
	rc = is_group ? write_members(im, id, &n) : write_prefix_list(im, id, &n);
	*ret_known = n > 0;
	if (rc < 0 || n > 0)
		return rc;
	tell_unknown(im, json_where(where, item->json, at), id, is_group);
	return 0;
}

/* ---- which of them ---- */

static int find_interface(struct import *im)
{
	const char *wanted = im->request->interface;

	if (!wanted)
		return 0;
	if (!import_find(im, "NetworkInterfaces", "NetworkInterfaceId", wanted, &im->interface))
		return err_set(
			im->err, ERR_USAGE,
			"there is no interface %s in these files; give the output of `aws ec2 "
			"describe-network-interfaces` too",
			wanted);
	im->subnet = json_member_text(im->interface.at, "SubnetId");
	return 0;
}

static int choose_by_interface(struct import *im)
{
	const struct json_value *groups = json_member(im->interface.at, "Groups");
	int rc = 0;

	for (const struct json_value *g = groups ? groups->child : NULL; g && rc == 0;
	     g = g->next) {
		const char *id = json_member_text(g, "GroupId");

		rc = id ? import_group(im, id)
			: import_bad(im, &im->interface, g, "a group without GroupId");
	}
	return rc;
}

static int choose_by_name(struct import *im)
{
	char *names = strdup(im->request->groups), *rest = names, *name;
	int rc = names ? 0 : err_set(im->err, -ENOMEM, "out of memory");

	while (rc == 0 && (name = strsep(&rest, ",")) != NULL)
		rc = import_group(im, name);
	free(names);
	return rc;
}

/* The one that there is. More than one: whoever runs this must say which. */
static int choose_only(struct import *im, const char *key, const char *id_key, const char *option,
		       const char **ret)
{
	struct import_item item = {.file = 0};
	unsigned n = 0;

	*ret = NULL;
	while (import_next(im, key, &item)) {
		const char *id = json_member_text(item.at, id_key);

		if (!id || !is_id(id))
			return import_bad(im, &item, NULL, "its id is missing");
		*ret = id;
		n++;
	}
	if (n > 1)
		return err_set(
			im->err, ERR_USAGE,
			"%u %s are there; which hold for this machine? Say --interface eni-... "
			"or %s",
			n, key, option);
	return 0;
}

static int write_groups(struct import *im)
{
	struct import_item any = {.file = 0};
	const char *only;
	int rc;

	if (!import_next(im, "SecurityGroups", &any))
		return 0;
	fputs("boundary group\n", im->rules);
	if (im->request->groups)
		return choose_by_name(im);
	if (im->request->interface)
		return choose_by_interface(im);
	rc = choose_only(im, "SecurityGroups", "GroupId", "--groups sg-...", &only);
	return rc < 0 || !only ? rc : import_group(im, only);
}

static bool is_of_subnet(const struct json_value *acl, const char *subnet)
{
	const struct json_value *list = json_member(acl, "Associations");

	for (const struct json_value *a = list ? list->child : NULL; a && subnet; a = a->next) {
		const char *id = json_member_text(a, "SubnetId");

		if (id && strcmp(id, subnet) == 0)
			return true;
	}
	return false;
}

static int write_acl(struct import *im)
{
	const char *id = im->request->acl;
	struct import_item item = {.file = 0};
	int rc = 0;

	if (!import_next(im, "NetworkAcls", &item))
		return 0;
	item = (struct import_item){.file = 0};
	while (!id && im->subnet && import_next(im, "NetworkAcls", &item)) {
		if (is_of_subnet(item.at, im->subnet))
			id = json_member_text(item.at, "NetworkAclId");
	}
	if (!id && im->subnet)
		return err_set(
			im->err, ERR_USAGE,
			"no network ACL is associated with subnet %s; give the file that has it, "
			"or say --acl acl-...",
			im->subnet);
	if (!id)
		rc = choose_only(im, "NetworkAcls", "NetworkAclId", "--acl acl-...", &id);
	if (rc < 0 || !id)
		return rc;
	if (!import_find(im, "NetworkAcls", "NetworkAclId", id, &item))
		return err_set(im->err, ERR_USAGE, "there is no network ACL %s in these files", id);
	return import_acl(im, &item, id);
}

/* ---- the whole ---- */

static int write_all(struct import *im)
{
	int rc = read_files(im);

	if (rc == 0)
		rc = find_interface(im);
	if (rc == 0)
		rc = write_groups(im);
	return rc < 0 ? rc : write_acl(im);
}

/* What was written is a policy. It may have too many rules or prefixes for one. */
static int read_back(const struct import *im, const char *lists, size_t n_lists, const char *rules,
		     size_t n_rules)
{
	struct policy *policy;
	char *text = malloc(n_lists + n_rules + 1);
	int rc;

	if (!text)
		return err_set(im->err, -ENOMEM, "out of memory");
	memcpy(text, lists, n_lists);
	memcpy(text + n_lists, rules, n_rules);
	rc = policy_parse(&policy, "import", text, n_lists + n_rules, im->err);
	free(text);
	if (rc == 0)
		policy_free(policy);
	return rc;
}

int policy_import(const struct import_request *request, FILE *out, FILE *warnings,
		  unsigned *ret_unknown, struct err *err)
{
	struct import im = {.request = request, .warnings = warnings, .err = err};
	char *lists = NULL, *rules = NULL;
	size_t n_lists = 0, n_rules = 0;
	int rc;

	im.lists = open_memstream(&lists, &n_lists);
	im.rules = open_memstream(&rules, &n_rules);
	if (!im.lists || !im.rules)
		rc = err_set(err, -ENOMEM, "out of memory");
	else if (request->n_files == 0 || request->n_files > IMPORT_FILES_MAX)
		rc = err_set(err, ERR_USAGE, "1 to %d files of JSON are taken",
			     (int)IMPORT_FILES_MAX);
	else
		rc = write_all(&im);
	if (im.lists && fclose(im.lists) != 0 && rc == 0)
		rc = err_set(err, -ENOMEM, "out of memory");
	if (im.rules && fclose(im.rules) != 0 && rc == 0)
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc == 0)
		rc = read_back(&im, lists, n_lists, rules, n_rules);
	if (rc == 0) {
		fputs("# Boundary rules, made by flowproof policy import of\n", out);
		for (size_t i = 0; i < request->n_files; i++)
			fprintf(out, "#   %s\n",
				text_is_plain(request->files[i], 4096) ? request->files[i]
								       : "(a file)");
		(void)fwrite(lists, 1, n_lists, out);
		(void)fwrite(rules, 1, n_rules, out);
		*ret_unknown = im.unknown;
	}
	for (size_t i = 0; i < im.n; i++)
		json_free(im.json[i]);
	free(im.written);
	free(lists);
	free(rules);
	return rc;
}
