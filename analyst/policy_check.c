// SPDX-License-Identifier: Apache-2.0
/*
 * Replays stored records against a policy. Each record says who began its flow, and on which side this machine is; where it does
 * not (records of others) that is guessed as the sensor would. Records that a policy treats alike are one row.
 */
#include "analyst/policy_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/replay.h"
#include "proto/flowrec_parse.h"

enum {
	TCP = 6,
	UDP = 17,
	SCTP = 132,
	SYN = 2,
	SYN_ACK = 18,
	ROWS_FIRST = 1 << 16,
	NAMES_A_REMOTE = 16, /* of those known for it, the first so many are asked */
	UNKNOWN = 255,       /* a verdict or action that the records do not tell */
};

/* What a record said, and what the policy says. */
struct sentence {
	uint8_t verdict, action; /* enum flowrec_*, or UNKNOWN */
	char rule[POLICY_NAME_TEXT], boundary[POLICY_NAME_TEXT];
};

struct row {
	struct addr remote;
	uint16_t port, rule, boundary; /* the numbers of those of `is` */
	uint8_t family, protocol, direction;
	bool began_here, may_help;
	struct sentence was, is;
	/* counted */
	uint64_t records, packets, bytes, first, last;
};
enum { ROW_KEY = offsetof(struct row, records) };

struct name {
	struct addr remote;
	uint8_t family;
	char *text;
};

struct policy_check {
	const struct policy *policy;
	const struct policy_context *context;
	struct row *rows;
	size_t n, cap;
	uint64_t passed_over; /* records without a flow or its protocol, or of nobody's */
	struct name *names;
	size_t n_names, cap_names;
	struct err *err; /* of the call that runs */
};

int policy_check_new(struct policy_check **ret, const struct policy *policy,
		     const struct policy_context *context, struct err *err)
{
	struct policy_check *check = calloc(1, sizeof *check);

	if (!check)
		return err_set(err, -ENOMEM, "out of memory");
	check->policy = policy;
	check->context = context;
	*ret = check;
	return 0;
}

void policy_check_free(struct policy_check *check)
{
	if (!check)
		return;
	for (size_t i = 0; i < check->n_names; i++)
		free(check->names[i].text);
	free(check->names);
	free(check->rows);
	free(check);
}

/* ---- rows ---- */

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, ROW_KEY);
}

/* Rows of one key become one. */
static void merge(struct policy_check *check)
{
	size_t n = 0;

	if (check->n == 0)
		return;
	qsort(check->rows, check->n, sizeof check->rows[0], by_key);
	for (size_t i = 0; i < check->n; i++) {
		struct row *to = &check->rows[n ? n - 1 : 0], *from = &check->rows[i];

		if (n == 0 || by_key(to, from) != 0) {
			check->rows[n++] = *from;
			continue;
		}
		to->records += from->records;
		to->packets += from->packets;
		to->bytes += from->bytes;
		to->first = from->first < to->first ? from->first : to->first;
		to->last = from->last > to->last ? from->last : to->last;
	}
	check->n = n;
}

static int add_row(struct policy_check *check, const struct row *row)
{
	struct row *moved;

	if (check->n == check->cap && check->n)
		merge(check);
	if (check->n >= check->cap / 2 + check->cap / 4) {
		size_t cap = check->cap ? 2 * check->cap : ROWS_FIRST;

		moved = reallocarray(check->rows, cap, sizeof *moved);
		if (!moved)
			return err_set(check->err, -ENOMEM, "out of memory");
		check->rows = moved;
		check->cap = cap;
	}
	check->rows[check->n++] = *row;
	return 0;
}

/* ---- names ---- */

static int by_remote(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int order = x->family - y->family;

	return order ? order : memcmp(&x->remote, &y->remote, sizeof x->remote);
}

static size_t names_of(const struct policy_check *check, const struct policy_query *q,
		       const char *ret[static NAMES_A_REMOTE])
{
	const struct name wanted = {.remote = q->remote, .family = q->family};
	size_t low = 0, high = check->n_names, n = 0;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (by_remote(&check->names[mid], &wanted) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < check->n_names && n < NAMES_A_REMOTE &&
	       by_remote(&check->names[low], &wanted) == 0;
	     low++)
		ret[n++] = check->names[low].text;
	return n;
}

static int add_name(struct policy_check *check, const struct batch_name *name)
{
	struct name *moved;

	if (!*name->name || name->is_cut)
		return 0;
	if (check->n_names == check->cap_names) {
		check->cap_names = check->cap_names ? 2 * check->cap_names : 256;
		moved = reallocarray(check->names, check->cap_names, sizeof *moved);
		if (!moved)
			return err_set(check->err, -ENOMEM, "out of memory");
		check->names = moved;
	}
	moved = &check->names[check->n_names];
	*moved = (struct name){
		.remote = name->remote, .family = name->family, .text = strdup(name->name)};
	if (!moved->text)
		return err_set(check->err, -ENOMEM, "out of memory");
	check->n_names++;
	return 0;
}

/* ---- a record ---- */

/* What a sensor takes a capture file's local addresses for (RFC 1918, RFC 4193). */
static const struct cidr private[] = {
	{{{10}}, 4, 8}, {{{172, 16}}, 4, 12}, {{{192, 168}}, 4, 16}, {{{0xfc}}, 6, 7}};

/* Where the record tells which end is local, the other is only if somebody says so. */
static bool is_local(const struct policy_check *check, uint8_t family, const struct addr *addr,
		     bool is_told)
{
	const struct cidr *list = check->context->n_local ? check->context->local : private;
	size_t n = check->context->n_local ? check->context->n_local
		   : is_told               ? 0
					   : sizeof private / sizeof private[0];

	for (size_t i = 0; i < n; i++) {
		if (cidr_has(&list[i], family, addr))
			return true;
	}
	return false;
}

/* Was it the source that began? As the sensor guesses of a flow that it sees in its midst. */
static bool source_began(const struct flowrec *rec)
{
	if (rec->initiator != FLOWREC_INITIATOR_UNKNOWN)
		return rec->initiator == FLOWREC_INITIATOR_SRC;
	if (rec->protocol == TCP && (rec->tcp_flags & SYN_ACK) == SYN_ACK)
		return false;
	if (rec->protocol == TCP && rec->tcp_flags & SYN)
		return true;
	return rec->dstport <= rec->srcport;
}

static void name_rule(char to[static POLICY_NAME_TEXT], const char *from)
{
	(void)snprintf(to, POLICY_NAME_TEXT, "%s", from && *from ? from : "-");
}

static int judge(struct policy_check *check, const struct flowrec *rec, const struct sentence *was)
{
	bool from_src = source_began(rec), is_told = rec->direction != FLOWREC_DIRECTION_UNKNOWN;
	bool src_local = rec->direction == FLOWREC_EGRESS ||
			 is_local(check, rec->family, &rec->src, is_told);
	bool dst_local = rec->direction == FLOWREC_INGRESS ||
			 is_local(check, rec->family, &rec->dst, is_told);
	const char *names[NAMES_A_REMOTE];
	struct policy_query query = {
		.family = rec->family,
		.protocol = rec->protocol,
		.port = from_src ? rec->dstport : rec->srcport,
		.initiator_port = from_src ? rec->srcport : rec->dstport,
		.has_ports =
			(rec->protocol == TCP || rec->protocol == UDP || rec->protocol == SCTP) &&
			(rec->srcport || rec->dstport),
		.initiator_local = from_src ? src_local : dst_local,
		.responder_local = from_src ? dst_local : src_local,
		.names = names,
	};
	struct policy_crossing crossing;
	struct policy_ruling ruling;
	struct row row;

	if (rec->status != FLOWREC_OK || rec->family == 0 || (!src_local && !dst_local)) {
		check->passed_over++;
		return 0;
	}
	query.remote = query.initiator_local == from_src ? rec->dst : rec->src;
	query.n_names = names_of(check, &query, names);
	policy_judge(check->policy, check->context, &query, &ruling);
	policy_cross(check->policy, check->context, &query, &crossing);
	memset(&row, 0, sizeof row); /* keys are compared as bytes */
	row.remote = query.remote;
	row.port = query.port;
	row.family = rec->family;
	row.protocol = rec->protocol;
	row.direction = src_local ? FLOWREC_EGRESS : FLOWREC_INGRESS;
	row.began_here = query.initiator_local;
	row.may_help = ruling.name_may_help;
	memcpy(&row.was, was, sizeof row.was);
	row.is.verdict = (uint8_t)ruling.verdict;
	row.is.action = crossing.action[!from_src];
	name_rule(row.is.rule, policy_rule_name(check->policy, ruling.rule));
	name_rule(row.is.boundary, policy_rule_name(check->policy, crossing.rule[!from_src]));
	row.rule = ruling.rule;
	row.boundary = crossing.rule[!from_src];
	row.records = 1;
	row.packets = rec->packets;
	row.bytes = rec->bytes;
	row.first = rec->start;
	row.last = rec->end;
	return add_row(check, &row);
}

/* ---- a file of lines ---- */

static void name_span(char to[static POLICY_NAME_TEXT], const struct flowrec_span *span)
{
	(void)snprintf(to, POLICY_NAME_TEXT, "%.*s", span->p ? (int)span->len : 1,
		       span->p ? span->p : "-");
}

static int check_line(struct policy_check *check, const struct flowrec_columns *columns,
		      const char *text, size_t len, struct err *why)
{
	struct flowrec_line line;
	struct sentence was;
	int rc = flowrec_parse_line(&line, columns, text, len, why);

	if (rc < 0)
		return rc;
	if (!line.text[FLOWREC_F_PROTOCOL].p) {
		check->passed_over++;
		return 0;
	}
	memset(&was, 0, sizeof was);
	was.verdict = line.text[FLOWREC_F_FP_VERDICT].p ? line.rec.verdict : UNKNOWN;
	was.action = line.text[FLOWREC_F_ACTION].p ? line.rec.action : UNKNOWN;
	name_span(was.rule, &line.text[FLOWREC_F_FP_RULE]);
	name_span(was.boundary, &line.text[FLOWREC_F_FP_BOUNDARY]);
	return judge(check, &line.rec, &was);
}

int policy_check_file(struct policy_check *check, const char *path, struct err *err)
{
	struct flowrec_columns columns;
	struct flowrec_format format;
	uint64_t number = 0;
	char *text = NULL;
	size_t cap = 0;
	ssize_t len;
	int rc = 0;
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");

	check->err = err;
	if (!file)
		return err_set(err, ERR_USAGE, "cannot read %s: %s", path, strerror(errno));
	flowrec_format_default(&format);
	flowrec_columns_of(&columns, &format);
	while (rc == 0 && (len = getline(&text, &cap, file)) >= 0) {
		struct err why = {""};

		number++;
		while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
			len--;
		if (len == 0)
			continue;
		rc = flowrec_is_header(text, (size_t)len)
			     ? flowrec_columns_parse(&columns, text, (size_t)len, &why)
			     : check_line(check, &columns, text, (size_t)len, &why);
		if (rc < 0 && rc != -ENOMEM)
			err_set(err, rc, "%s:%" PRIu64 ": %s", path, number, why.text);
	}
	if (rc == 0 && ferror(file))
		rc = err_errno(err, "%s", path);
	free(text);
	if (file != stdin)
		fclose(file);
	return rc;
}

/* ---- the ledger ---- */

static int take_names(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		      struct batch *batch)
{
	struct policy_check *check = ctx;
	const struct batch_name *names;
	int rc = 0;
	size_t n;

	(void)entry;
	(void)hello;
	names = batch_name_list(batch, &n);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_name(check, &names[i]);
	return rc;
}

static const char *hello_rule(const struct wire_hello *hello, uint16_t rule)
{
	return hello && rule && rule <= hello->n_rules ? hello->rules[rule - 1] : NULL;
}

static int check_batch(void *ctx, const struct ledger_entry *entry, const struct wire_hello *hello,
		       struct batch *batch)
{
	struct policy_check *check = ctx;
	struct flowrec rec;
	int rc = 0;

	(void)entry;
	while (rc == 0 && batch_next(batch, &rec)) {
		struct sentence was;

		memset(&was, 0, sizeof was);
		was.verdict = rec.verdict;
		was.action = rec.action;
		name_rule(was.rule, hello_rule(hello, rec.rule));
		name_rule(was.boundary, hello_rule(hello, rec.boundary));
		rc = judge(check, &rec, &was);
	}
	return rc;
}

static int say_fault(void *ctx, const struct ledger_entry *entry)
{
	(void)ctx;
	fprintf(stderr,
		"flowproof policy: %s: damaged at byte %" PRIu64
		"; what lies there is not checked\n",
		entry->file, entry->offset);
	return 0;
}

int policy_check_store(struct policy_check *check, const char *store, const char *sensor,
		       struct err *err)
{
	static const struct replay_ops names = {.batch = take_names},
				       records = {.batch = check_batch, .fault = say_fault};
	int rc;

	check->err = err;
	rc = replay_run(store, sensor, NULL, &names, check, err);
	if (rc < 0)
		return rc;
	if (check->n_names)
		qsort(check->names, check->n_names, sizeof check->names[0], by_remote);
	return replay_run(store, sensor, NULL, &records, check, err);
}

/* ---- what came of it ---- */

static const char *verdict_text(uint8_t verdict)
{
	return verdict == UNKNOWN ? "-" : flowrec_verdict_text((enum flowrec_verdict)verdict);
}

static const char *action_text(uint8_t action)
{
	return action == UNKNOWN ? "-" : action == FLOWREC_REJECT ? "REJECT" : "ACCEPT";
}

static bool is_unexpected(const struct row *row)
{
	return row->is.verdict == FLOWREC_UNEXPECTED_EGRESS ||
	       row->is.verdict == FLOWREC_UNEXPECTED_INBOUND;
}

/* What the records did not tell did not change. */
static bool is_changed(const struct row *row)
{
	return (row->was.verdict != UNKNOWN && row->was.verdict != row->is.verdict) ||
	       (row->was.action != UNKNOWN && row->was.action != row->is.action);
}

static void print_row(const struct row *row)
{
	char remote[ADDR_TEXT];

	printf("%s %s %u %u %s %s %s %s %s%s %s %s %s %s %s %" PRIu64 " %" PRIu64 " %" PRIu64
	       " %" PRIu64 "\n",
	       is_changed(row) ? "changed" : "same", addr_text(remote, row->family, &row->remote),
	       (unsigned)row->port, (unsigned)row->protocol,
	       flowrec_direction_text((enum flowrec_direction)row->direction),
	       row->began_here ? "here" : "there", verdict_text(row->was.verdict), row->was.rule,
	       verdict_text(row->is.verdict), row->may_help ? "?" : "", row->is.rule,
	       action_text(row->was.action), row->was.boundary, action_text(row->is.action),
	       row->is.boundary, row->packets, row->bytes, row->first, row->last);
}

int policy_check_print(struct policy_check *check, bool all, uint64_t *ret_unexpected,
		       struct err *err)
{
	uint64_t records = 0, changed = 0, better = 0, worse = 0, unexpected = 0;

	check->err = err;
	merge(check);
	puts("change remote port protocol direction began verdict-was rule-was verdict rule "
	     "action-was "
	     "boundary-was action boundary packets bytes first last");
	for (size_t i = 0; i < check->n; i++) {
		const struct row *row = &check->rows[i];
		bool was_unexpected = row->was.verdict == FLOWREC_UNEXPECTED_EGRESS ||
				      row->was.verdict == FLOWREC_UNEXPECTED_INBOUND;

		records += row->records;
		changed += is_changed(row) ? row->records : 0;
		unexpected += is_unexpected(row) ? row->records : 0;
		better += was_unexpected && !is_unexpected(row) ? row->records : 0;
		worse += row->was.verdict != UNKNOWN && !was_unexpected && is_unexpected(row)
				 ? row->records
				 : 0;
		if (all || is_changed(row) || is_unexpected(row))
			print_row(row);
	}
	fprintf(stderr,
		"records: %" PRIu64 " judged, %" PRIu64 " passed over; %" PRIu64
		" changed, %" PRIu64 " no longer unexpected, %" PRIu64 " newly so; %" PRIu64
		" unexpected\n",
		records, check->passed_over, changed, better, worse, unexpected);
	*ret_unexpected = unexpected;
	return 0;
}

void policy_check_rules(struct policy_check *check)
{
	merge(check);
	puts("rule records packets bytes");
	for (size_t id = 1; id <= policy_rules(check->policy); id++) {
		uint64_t records = 0, packets = 0, bytes = 0;

		for (size_t i = 0; i < check->n; i++) {
			const struct row *row = &check->rows[i];

			if (row->rule != id && row->boundary != id)
				continue;
			records += row->records;
			packets += row->packets;
			bytes += row->bytes;
		}
		printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
		       policy_rule_name(check->policy, (uint16_t)id), records, packets, bytes);
	}
}
