// SPDX-License-Identifier: Apache-2.0
/*
 * report, what is known from elsewhere: the description of the original machine, and which logs of the case exist.
 */
#include "analyst/report.h"

#include <string.h>

#include "platform/json.h"
#include "platform/json_read.h"

enum { GIVEN_MAX = 64 * 1024 * 1024 };

/* Of `aws ec2 describe-instances`: where a fact stands in an instance ("/" goes into an object or the first item of a
 * list), and which text of the ledger is the same (FLOWREC_TEXTS: none). */
static const struct {
	const char *path;
	enum flowrec_text text;
	const char *name[VERDICT_LANGS];
} facts[] = {
	{"OwnerId", FLOWREC_T_ACCOUNT_ID, {"account", "アカウント"}},
	{"InstanceId", FLOWREC_T_INSTANCE_ID, {"instance", "インスタンス"}},
	{"VpcId", FLOWREC_T_VPC_ID, {"VPC", "VPC"}},
	{"SubnetId", FLOWREC_T_SUBNET_ID, {"subnet", "サブネット"}},
	{"NetworkInterfaces/NetworkInterfaceId",
	 FLOWREC_T_INTERFACE_ID,
	 {"network interface", "ネットワークインターフェース"}},
	{"NetworkInterfaces/MacAddress", FLOWREC_TEXTS, {"MAC address", "MAC アドレス"}},
	{"PrivateIpAddress", FLOWREC_TEXTS, {"private address", "プライベートアドレス"}},
	{"PublicIpAddress", FLOWREC_TEXTS, {"public address", "パブリックアドレス"}},
	{"PrivateDnsName", FLOWREC_TEXTS, {"private name", "プライベート名"}},
	{"IamInstanceProfile/Arn",
	 FLOWREC_TEXTS,
	 {"instance profile (role)", "インスタンスプロファイル（ロール）"}},
	{"InstanceType", FLOWREC_TEXTS, {"instance type", "インスタンスタイプ"}},
	{"ImageId", FLOWREC_TEXTS, {"image", "イメージ"}},
	{"KeyName", FLOWREC_TEXTS, {"key pair", "キーペア"}},
	{"Placement/AvailabilityZone",
	 FLOWREC_TEXTS,
	 {"availability zone", "アベイラビリティーゾーン"}},
	{"SecurityGroups/GroupId", FLOWREC_TEXTS, {"security group", "セキュリティグループ"}},
	{"MetadataOptions/HttpTokens", FLOWREC_TEXTS, {"metadata tokens", "メタデータのトークン"}},
	{"MetadataOptions/HttpEndpoint", FLOWREC_TEXTS, {"metadata service", "メタデータサービス"}},
};

enum { GIVEN_FACTS = sizeof facts / sizeof facts[0] };
_Static_assert((int)GIVEN_FACTS <= (int)REPORT_FACTS_MAX, "report.h leaves room");

static const char *value_at(const struct json_value *instance, const char *path)
{
	const struct json_value *at = instance;
	char name[64];

	/* The account stands with the reservation: instance, its list, the reservation. */
	if (strcmp(path, "OwnerId") == 0)
		return instance ? json_member_text(instance->parent->parent, path) : NULL;
	for (const char *slash; at && (slash = strchr(path, '/')); path = slash + 1) {
		(void)snprintf(name, sizeof name, "%.*s", (int)(slash - path), path);
		at = json_member(at, name);
		if (at && at->kind == JSON_ARRAY)
			at = at->child;
	}
	return at ? json_member_text(at, path) : NULL;
}

/* The next instance of all reservations. */
static const struct json_value *next_instance(const struct json_value *root,
					      const struct json_value *before)
{
	const struct json_value *reservation = json_member(root, "Reservations");

	if (before && before->next)
		return before->next;
	reservation = before        ? before->parent->parent->next
		      : reservation ? reservation->child
				    : NULL;
	for (; reservation; reservation = reservation->next) {
		const struct json_value *list = json_member(reservation, "Instances");

		if (list && list->child)
			return list->child;
	}
	return NULL;
}

/* What the ledger says of itself, by its first live run. */
static const char *told(const struct report *r, enum flowrec_text text)
{
	for (size_t i = 0; text < FLOWREC_TEXTS && i < r->gather.n_runs; i++) {
		const struct gather_run *run = &r->gather.runs[i];

		if (run->is_known && !run->is_replay && run->texts[text])
			return run->texts[text];
	}
	return NULL;
}

static void compare(struct report *r, const struct json_value *original,
		    const struct json_value *copy)
{
	uint64_t differ = 0;
	bool all = true;

	for (size_t i = 0; i < GIVEN_FACTS; i++) {
		struct report_fact *f = &r->given[r->n_given++];
		const char *here = copy ? value_at(copy, facts[i].path) : told(r, facts[i].text);

		*f = (struct report_fact){facts[i].name[r->lang], value_at(original, facts[i].path),
					  here, REPORT_UNKNOWN};
		if (f->original && f->here)
			f->state = strcmp(f->original, f->here) == 0 ? REPORT_SAME : REPORT_DIFFERS;
		else if (copy && f->original != f->here)
			f->state = REPORT_DIFFERS; /* one has it, the other does not */
		else if (copy)
			f->state = REPORT_SAME;
		differ += f->state == REPORT_DIFFERS;
		all = all && f->state != REPORT_UNKNOWN;
	}
	r->evidence.facts[FACT_IDENTITY_DIFFERS] = (struct verdict_fact){.n = differ, .whole = all};
}

static int read_original(struct report *r, struct err *err)
{
	const struct json_value *original = NULL, *copy = NULL, *at = NULL;
	const char *self = told(r, FLOWREC_T_INSTANCE_ID);
	int rc = json_read_file(&r->original, r->o.original, GIVEN_MAX, err);

	if (rc < 0)
		return rc;
	while ((at = next_instance(json_root(r->original), at))) {
		const char *id = json_member_text(at, "InstanceId");

		if (self && id && strcmp(self, id) == 0)
			copy = at;
		else if (!original)
			original = at;
	}
	if (!original)
		return err_set(err, ERR_USAGE,
			       "--original: %s holds no instance but this one: give what `aws ec2 "
			       "describe-instances` printed of the original",
			       r->o.original);
	compare(r, original, copy);
	return 0;
}

int report_given(struct report *r, struct err *err)
{
	int rc = 0;

	if (r->o.original)
		rc = read_original(r, err);
	if (rc == 0 && r->o.inventory)
		rc = json_read_file(&r->inventory, r->o.inventory, GIVEN_MAX, err);
	if (rc == 0 && r->o.installed)
		rc = report_installed(r, err);
	return rc == ERR_FORMAT ? ERR_USAGE : rc;
}

/* ---- JSON as it is ---- */

static void print_value(FILE *out, const struct json_value *value)
{
	const char *comma = "";

	switch ((enum json_kind)value->kind) {
	case JSON_NULL: fputs("null", out); return;
	case JSON_FALSE: fputs("false", out); return;
	case JSON_TRUE: fputs("true", out); return;
	case JSON_NUMBER: fputs(value->text, out); return;
	case JSON_STRING: json_print_string(out, value->text); return;
	case JSON_ARRAY:
	case JSON_OBJECT: break;
	}
	fputc(value->kind == JSON_ARRAY ? '[' : '{', out);
	for (const struct json_value *v = value->child; v; v = v->next, comma = ",") {
		fputs(comma, out);
		if (v->key) {
			json_print_string(out, v->key);
			fputc(':', out);
		}
		print_value(out, v);
	}
	fputc(value->kind == JSON_ARRAY ? ']' : '}', out);
}

void report_print_given(const struct json *given, FILE *out)
{
	if (given)
		print_value(out, json_root(given));
	else
		fputs("null", out);
}
