// SPDX-License-Identifier: Apache-2.0
/*
 * The address ranges of AWS's services, from a file in the form of https://ip-ranges.amazonaws.com/ip-ranges.json (Amazon VPC User
 * Guide, "AWS IP address ranges"). Only what the rules name is kept.
 */
#include <string.h>

#include "platform/json_read.h"
#include "platform/text.h"
#include "policy/policy_parser.h"

enum { RANGES_BYTES = 32 << 20 };

static int bad(const struct parser *s, const struct json *json, const struct json_value *at,
	       const char *what)
{
	char where[JSON_WHERE_TEXT];

	return err_set(s->err, ERR_USAGE, "%s: %s; take the file as Amazon publishes it",
		       json_where(where, json, at), what);
}

static int take_prefix(struct parser *s, const struct json *json, const struct json_value *v,
		       const char *key)
{
	const char *text = json_member_text(v, key), *service = json_member_text(v, "service"),
		   *region = json_member_text(v, "region");
	struct cidr prefix;
	int rc = 0;

	if (!text || !service || !region)
		return bad(s, json, v, "prefix, service or region is missing");
	for (size_t i = 0; rc == 0 && i < s->policy->n_sets; i++) {
		struct policy_set *set = &s->policy->sets[i];

		if (!set->is_aws || strcmp(set->name, service) != 0)
			continue;
		set->is_known = true;
		if (set->region[0] && strcmp(set->region, region) != 0)
			continue;
		if (cidr_parse(text, &prefix, NULL) < 0)
			return bad(s, json, v, "not a prefix");
		rc = parser_stage(s, i, &prefix);
	}
	return rc;
}

static int take_prefixes(struct parser *s, const struct json *json, const char *list,
			 const char *key)
{
	const struct json_value *array = json_member(json_root(json), list);
	int rc = 0;

	if (!array || array->kind != JSON_ARRAY)
		return bad(s, json, json_root(json), "prefixes or ipv6_prefixes is missing");
	for (const struct json_value *v = array->child; rc == 0 && v; v = v->next)
		rc = take_prefix(s, json, v, key);
	return rc;
}

static int take_all(struct parser *s, const struct json *json)
{
	const char *date = json_member_text(json_root(json), "createDate");
	int rc;

	if (!date || !*date || !text_is_word(date, sizeof s->policy->ranges_date - 1))
		return bad(s, json, json_root(json), "createDate is missing");
	memcpy(s->policy->ranges_date, date, strlen(date) + 1);
	rc = take_prefixes(s, json, "prefixes", "ip_prefix");
	if (rc == 0)
		rc = take_prefixes(s, json, "ipv6_prefixes", "ipv6_prefix");
	for (size_t i = 0; rc == 0 && i < s->policy->n_sets; i++) {
		const struct policy_set *set = &s->policy->sets[i];

		s->line = set->line;
		if (set->is_aws && !set->is_known)
			rc = parser_fail(s,
					 "there is no service %s in the ranges of %s; services are "
					 "written as there: S3, EC2, CLOUDFRONT",
					 set->name, date);
	}
	return rc;
}

int parser_read_ranges(struct parser *s, const char *path)
{
	struct json *json;
	char *text;
	size_t len;
	int rc = parser_read_file(s, path, RANGES_BYTES, &text, &len);

	if (rc < 0)
		return rc;
	rc = json_parse(&json, text, len, path, s->err);
	if (rc < 0)
		return rc == ERR_FORMAT ? ERR_USAGE : rc;
	rc = take_all(s, json);
	json_free(json);
	return rc;
}
