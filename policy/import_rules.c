// SPDX-License-Identifier: Apache-2.0
/*
 * One permission of a group, one entry of an ACL, as rules of the policy language.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "platform/addr.h"
#include "policy/import_parts.h"
#include "policy/policy.h"

enum {
	PROTOCOL_TEXT = 64,
	PLACES_A_RULE = 32, /* of POLICY_LIST_MAX, for lines that can be read */
	ALL_TRAFFIC = -1,
};

/* "tcp", a number as text, or -1; AWS writes both forms. -2: none of them. */
static int protocol_number(const char *text)
{
	static const struct {
		const char *name;
		int number;
	} names[] = {{"icmp", 1}, {"tcp", 6}, {"udp", 17}, {"icmpv6", 58}};
	char *end;
	long v;

	if (!text || !*text)
		return -2;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(text, names[i].name) == 0)
			return names[i].number;
	}
	v = strtol(text, &end, 10);
	return *end == '\0' && v >= ALL_TRAFFIC && v <= 255 ? (int)v : -2;
}

/* Ports of TCP and UDP, types of ICMP: two members, -1 for any. Other protocols have neither. Absent is any. */
static int print_protocol(struct import *im, const struct import_item *item,
			  const struct json_value *at, int protocol, const struct json_value *from,
			  const struct json_value *to, char out[static PROTOCOL_TEXT])
{
	bool types = protocol == 1 || protocol == 58, ports = protocol == 6 || protocol == 17;
	int64_t most = types ? 255 : 65535, low = -1, high = -1;
	const char *name = protocol == 1    ? "icmp"
			   : protocol == 6  ? "tcp"
			   : protocol == 17 ? "udp"
			   : protocol == 58 ? "icmpv6"
					    : NULL;
	int n = protocol == ALL_TRAFFIC ? snprintf(out, PROTOCOL_TEXT, "any")
		: name                  ? snprintf(out, PROTOCOL_TEXT, "%s", name)
					: snprintf(out, PROTOCOL_TEXT, "%d", protocol);
	char *rest = out + (n > 0 ? n : 0);

	if (!types && !ports)
		return 0;
	if ((from && !json_integer(from, -1, most, &low)) ||
	    (to && !json_integer(to, -1, most, &high)))
		return import_bad(im, item, at,
				  types ? "an ICMP type or code is not -1 to 255"
					: "a port is not -1 to 65535");
	if (types && low >= 0)
		(void)snprintf(rest, PROTOCOL_TEXT - 8, high >= 0 ? " %d/%d" : " %d", (int)low,
			       (int)high);
	if (types || (low <= 0 && (high == 65535 || high == -1)))
		return 0; /* all ports */
	if (low < 0 || high < low)
		return import_bad(im, item, at, "its range of ports runs backwards");
	(void)snprintf(rest, PROTOCOL_TEXT - 8, low == high ? " %d" : " %d-%d", (int)low,
		       (int)high);
	return 0;
}

/* ---- groups ---- */

/* A permission's rule in the making. */
struct line {
	const char *head, *tail;
	size_t n; /* places; 0: none is begun */
};

static void end_line(struct import *im, struct line *line)
{
	if (line->n)
		fputs(line->tail, im->rules);
	line->n = 0;
}

static void put_place(struct import *im, struct line *line, const char *kind, const char *place)
{
	if (line->n == PLACES_A_RULE)
		end_line(im, line);
	fprintf(im->rules, "%s%s%s", line->n++ ? ", " : line->head, kind, place);
}

/* The CIDRs of one list of the permission. */
static int put_cidrs(struct import *im, const struct import_item *group, struct line *line,
		     const struct json_value *permission, const char *key, const char *cidr_key)
{
	const struct json_value *list = json_member(permission, key);

	for (const struct json_value *v = list ? list->child : NULL; v; v = v->next) {
		const char *text = json_member_text(v, cidr_key);
		char shown[ADDR_ENDPOINT_TEXT];
		struct cidr cidr;

		if (!import_prefix(text, &cidr))
			return import_bad(im, group, v, "not a prefix");
		put_place(im, line, "", cidr_text(shown, &cidr));
	}
	return 0;
}

/* The groups or prefix lists of the permission: lists of their own. */
static int put_lists(struct import *im, const struct import_item *group, struct line *line,
		     const struct json_value *permission, bool is_group)
{
	const struct json_value *list =
		json_member(permission, is_group ? "UserIdGroupPairs" : "PrefixListIds");

	for (const struct json_value *v = list ? list->child : NULL; v; v = v->next) {
		const char *id = json_member_text(v, is_group ? "GroupId" : "PrefixListId");
		bool known;
		int rc = import_list(im, group, v, id, is_group, &known);

		if (rc < 0)
			return rc;
		if (known) {
			put_place(im, line, "list ", id);
		} else {
			end_line(im, line);
			fprintf(im->rules, "# not known: %s%s\n", line->head, id);
		}
	}
	return 0;
}

static int put_permission(struct import *im, const struct import_item *group, const char *id,
			  const struct json_value *permission, bool out, unsigned number)
{
	int protocol = protocol_number(json_member_text(permission, "IpProtocol"));
	char text[PROTOCOL_TEXT], head[PROTOCOL_TEXT + 32], tail[2 * POLICY_NAME_TEXT];
	struct line line = {.head = head, .tail = tail};
	int rc;

	if (protocol == -2)
		return import_bad(
			im, group, permission,
			"IpProtocol is not tcp, udp, icmp, icmpv6, -1 or a number as text");
	rc = print_protocol(im, group, permission, protocol, json_member(permission, "FromPort"),
			    json_member(permission, "ToPort"), text);
	if (rc < 0)
		return rc;
	(void)snprintf(head, sizeof head, "boundary group %s %s %s ", out ? "out" : "in", text,
		       out ? "to" : "from");
	(void)snprintf(tail, sizeof tail, " as \"%s/%s/%u\"\n", id, out ? "out" : "in", number);
	rc = put_cidrs(im, group, &line, permission, "IpRanges", "CidrIp");
	if (rc == 0)
		rc = put_cidrs(im, group, &line, permission, "Ipv6Ranges", "CidrIpv6");
	if (rc == 0)
		rc = put_lists(im, group, &line, permission, false);
	if (rc == 0)
		rc = put_lists(im, group, &line, permission, true);
	end_line(im, &line);
	return rc;
}

int import_group(struct import *im, const char *id)
{
	static const char *const keys[] = {"IpPermissions", "IpPermissionsEgress"};
	struct import_item group;
	int rc = 0;

	if (!import_find(im, "SecurityGroups", "GroupId", id, &group))
		return err_set(
			im->err, ERR_USAGE,
			"there is no security group '%.40s' in these files; give the output of "
			"`aws ec2 describe-security-groups` that has it",
			id);
	id = json_member_text(group.at, "GroupId");
	fprintf(im->rules, "# %s\n", id);
	for (int out = 0; out < 2 && rc == 0; out++) {
		const struct json_value *list = json_member(group.at, keys[out]);
		unsigned number = 0;

		for (const struct json_value *p = list ? list->child : NULL; p && rc == 0;
		     p = p->next)
			rc = put_permission(im, &group, id, p, out, ++number);
	}
	return rc;
}

/* ---- ACLs ---- */

struct entry {
	const struct json_value *at;
	int64_t number;
};

static int by_number(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int put_entry(struct import *im, const struct import_item *acl, const char *id,
		     const struct entry *entry, bool out)
{
	const struct json_value *v = entry->at, *range, *icmp;
	const char *action = json_member_text(v, "RuleAction");
	const char *prefix = json_member_text(v, "CidrBlock");
	int protocol = protocol_number(json_member_text(v, "Protocol"));
	bool types = protocol == 1 || protocol == 58;
	char text[PROTOCOL_TEXT], place[ADDR_ENDPOINT_TEXT];
	struct cidr cidr;
	int rc;

	if (!prefix)
		prefix = json_member_text(v, "Ipv6CidrBlock");
	if (!import_prefix(prefix, &cidr))
		return import_bad(im, acl, v, "CidrBlock or Ipv6CidrBlock is missing or no prefix");
	if (!action || (strcmp(action, "allow") != 0 && strcmp(action, "deny") != 0))
		return import_bad(im, acl, v, "RuleAction is not allow or deny");
	if (protocol == -2)
		return import_bad(im, acl, v, "Protocol is not a number as text");
	range = json_member(v, "PortRange");
	icmp = json_member(v, "IcmpTypeCode");
	rc = print_protocol(im, acl, v, protocol,
			    types ? json_member(icmp, "Type") : json_member(range, "From"),
			    types ? json_member(icmp, "Code") : json_member(range, "To"), text);
	if (rc < 0)
		return rc;
	fprintf(im->rules, "boundary acl %s %d %s %s %s %s as \"%s/%s/%d\"\n", out ? "out" : "in",
		(int)entry->number, action, text, out ? "to" : "from", cidr_text(place, &cidr), id,
		out ? "out" : "in", (int)entry->number);
	return 0;
}

/* The entries of one direction in ascending order. The last of all, 32767 and 32768, is what `boundary acl` alone says. */
static int put_direction(struct import *im, const struct import_item *acl, const char *id, bool out)
{
	const struct json_value *list = json_member(acl->at, "Entries");
	struct entry *entries = NULL;
	size_t n = 0, all = 0;
	int rc = 0;

	for (const struct json_value *v = list ? list->child : NULL; v; v = v->next)
		all++;
	entries = calloc(all + 1, sizeof *entries);
	if (!entries)
		return err_set(im->err, -ENOMEM, "out of memory");
	for (const struct json_value *v = list ? list->child : NULL; v && rc == 0; v = v->next) {
		const struct json_value *egress = json_member(v, "Egress");
		int64_t number;

		if (!egress || (egress->kind != JSON_TRUE && egress->kind != JSON_FALSE))
			rc = import_bad(im, acl, v, "Egress is not true or false");
		else if (!json_integer(json_member(v, "RuleNumber"), 1, 32768, &number))
			rc = import_bad(im, acl, v, "RuleNumber is not 1 to 32768");
		else if ((egress->kind == JSON_TRUE) == out && number < 32767)
			entries[n++] = (struct entry){v, number};
	}
	qsort(entries, n, sizeof entries[0], by_number);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = i && entries[i].number == entries[i - 1].number
			     ? import_bad(im, acl, entries[i].at, "its RuleNumber is there twice")
			     : put_entry(im, acl, id, &entries[i], out);
	free(entries);
	return rc;
}

int import_acl(struct import *im, const struct import_item *acl, const char *id)
{
	int rc;

	fprintf(im->rules, "boundary acl\n# %s\n", id);
	rc = put_direction(im, acl, id, false);
	return rc < 0 ? rc : put_direction(im, acl, id, true);
}
