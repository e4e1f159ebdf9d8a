// SPDX-License-Identifier: Apache-2.0
/*
 * The result of a reconciliation as text and as JSON.
 */
#include "analyst/reconcile_print.h"

#include <inttypes.h>

#include "analyst/flowlogs_input.h"
#include "platform/clock.h"
#include "platform/json.h"

enum { LISTED = 100 }; /* of each kind in text */

/* In the order of the lists: the most serious first. */
static const struct {
	enum reconcile_weight weight;
	const char *json, *heading;
} lists[] = {
	{RECONCILE_RED, "hidden", "HIDDEN FROM THIS MACHINE"},
	{RECONCILE_UNEXPLAINED, "unexplained", "UNEXPLAINED"},
	{RECONCILE_UNCLEAR, "unclear", "CANNOT BE TOLD APART FROM SOMETHING HIDDEN"},
	{RECONCILE_ASIDE, "edge", "AT THE EDGE OF WHAT ONE OF THE TWO WATCHED"},
};

enum { LISTS = sizeof lists / sizeof lists[0] };

double reconcile_unexplained(const struct reconcile_result *result)
{
	struct reconcile_sum sum = reconcile_sum_of(result, RECONCILE_UNEXPLAINED);
	uint64_t all = result->witness.packets > result->host.packets ? result->witness.packets
								      : result->host.packets;

	if (sum.flows == 0)
		return 0;
	return all > 0 ? 100.0 * (double)sum.packets / (double)all : 100.0;
}

/* ---- text ---- */

static void print_sum(const char *class, const char *reason, const struct reconcile_sum *sum,
		      FILE *out)
{
	fprintf(out, "%-15s %-24s %12" PRIu64 " %14" PRIu64 " %17" PRIu64 "\n", class, reason,
		sum->flows, sum->packets, sum->bytes);
}

static void print_classes(const struct reconcile_result *r, FILE *out)
{
	fprintf(out, "\n%-15s %-24s %12s %14s %17s\n", "class", "reason", "flows", "packets",
		"bytes");
	for (size_t k = 0; k < RECONCILE_CLASSES; k++) {
		for (size_t i = 0; i < RECONCILE_REASONS; i++) {
			if (r->sums[k][i].flows > 0)
				print_sum(reconcile_class_names[k], reconcile_reasons[i].name,
					  &r->sums[k][i], out);
		}
	}
}

static void print_times(const struct reconcile_entry *e, FILE *out)
{
	char from[CLOCK_TEXT], to[CLOCK_TEXT];

	if (e->is_timed)
		fprintf(out, "  %s to %s", clock_text(from, e->start), clock_text(to, e->end));
}

static void print_entry(const struct reconcile_result *r, const struct reconcile_entry *e,
			FILE *out)
{
	char src[ADDR_TEXT], dst[ADDR_TEXT];

	fprintf(out, "%s %s -> %s  %u -> %u  protocol %u  %s %s", r->interfaces[e->iface].name,
		addr_text(src, e->family, &e->src), addr_text(dst, e->family, &e->dst), e->srcport,
		e->dstport, e->protocol,
		flowrec_direction_text((enum flowrec_direction)e->direction),
		e->action == FLOWREC_REJECT ? "REJECT" : "ACCEPT");
	if (e->klass == RECONCILE_COUNTS_DIFFER)
		fprintf(out,
			"  packets %" PRIu64 " here %" PRIu64 ", bytes %" PRIu64 " here %" PRIu64,
			e->packets, e->host_packets, e->bytes, e->host_bytes);
	else
		fprintf(out, "  packets %" PRIu64 ", bytes %" PRIu64, e->packets, e->bytes);
	print_times(e, out);
	fprintf(out, "  %s\n", reconcile_reasons[e->reason].name);
}

static void print_list(const struct reconcile_result *r, size_t which, FILE *out)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_entries; i++) {
		if (reconcile_reasons[r->entries[i].reason].weight != lists[which].weight)
			continue;
		if (n == 0)
			fprintf(out, "\n%s\n", lists[which].heading);
		if (n++ < LISTED)
			print_entry(r, &r->entries[i], out);
	}
	if (n > LISTED)
		fprintf(out, "... and %zu more; --json lists all\n", n - LISTED);
}

static void print_reasons(const struct reconcile_result *r, FILE *out)
{
	fputs("\nWhat the reasons mean:\n", out);
	for (size_t i = 0; i < RECONCILE_REASONS; i++) {
		bool is_used = false;

		for (size_t k = 0; k < RECONCILE_CLASSES; k++)
			is_used = is_used || r->sums[k][i].flows > 0;
		if (is_used)
			fprintf(out, "  %-24s %s\n", reconcile_reasons[i].name,
				reconcile_reasons[i].meaning);
	}
}

static void print_spans(const char *what, const struct spans *spans, FILE *out)
{
	char from[CLOCK_TEXT], to[CLOCK_TEXT];

	if (spans->n == 0)
		return;
	fprintf(out, "  %s", what);
	for (size_t i = 0; i < spans->n && i < 8; i++)
		fprintf(out, "%s%s to %s", i ? ", " : "",
			clock_text(from, spans->v[i].from < 0 ? 0 : (uint64_t)spans->v[i].from),
			clock_text(to, spans->v[i].to < 0 ? 0 : (uint64_t)spans->v[i].to));
	fprintf(out, "%s\n", spans->n > 8 ? ", ..." : "");
}

static void print_clock(const struct reconcile_clock *c, FILE *out)
{
	fprintf(out, "stamps: ");
	if (c->pairs == 0)
		fputs("no flow shows how late those of the Flow Logs are", out);
	else
		fprintf(out,
			"of %" PRIu64 " equal flows they begin %" PRId64 " s (median; %" PRId64
			" to %" PRId64 ") and end %" PRId64 " s (%" PRId64 " to %" PRId64
			") after the machine's",
			c->pairs, c->start_median, c->start_min, c->start_max, c->end_median,
			c->end_min, c->end_max);
	fprintf(out, "; taken as late by up to %u s, early by %u s\n", c->late, c->early);
	if (c->applied)
		fprintf(out,
			"clock: the machine's is off by %" PRId64
			" s against the Flow Logs', which was allowed for\n",
			-c->applied);
	else
		fputs("clock: no offset against the Flow Logs beyond what late stamps explain\n",
		      out);
	if (c->has_ledger)
		fprintf(out, "clock: the ledger measured %" PRId64 " ms against the collector's\n",
			c->ledger_ms);
}

static void print_limits(const struct reconcile_view *view, FILE *out)
{
	const struct reconcile_result *r = view->result;

	if (r->untimed)
		fprintf(out,
			"note: %" PRIu64
			" lines have no start and end: over time nothing was compared\n",
			r->untimed);
	if (r->unusable)
		fprintf(out, "note: %" PRIu64 " lines do not say addresses and protocol\n",
			r->unusable);
	if (r->no_rejects && view->counts && r->witness.flows)
		fputs("note: the Flow Logs hold no REJECT line at all: is their traffic type "
		      "ALL?\n",
		      out);
	if (r->action_differs)
		fprintf(out,
			"note: %" PRIu64 " flows are allowed by the one and refused by the other\n",
			r->action_differs);
	if (view->failed)
		fprintf(out,
			"note: %" PRIu64
			" inputs could not be read whole: what they hold is not compared\n",
			view->failed);
}

void reconcile_print_text(const struct reconcile_view *view, FILE *out)
{
	const struct reconcile_result *r = view->result;
	char from[CLOCK_TEXT], to[CLOCK_TEXT];

	fprintf(out, "this machine: %" PRIu64 " records, %" PRIu64 " packets, %" PRIu64 " bytes\n",
		r->host.flows, r->host.packets, r->host.bytes);
	fprintf(out, "%s: %" PRIu64 " records, %" PRIu64 " packets, %" PRIu64 " bytes",
		view->counts ? "Flow Logs" : "other sensor", r->witness.flows, r->witness.packets,
		r->witness.bytes);
	if (view->counts) {
		fputs(" (", out);
		flowlogs_input_text(view->counts, out);
		fputc(')', out);
	}
	fprintf(out,
		"\nleft aside: %" PRIu64 " lines of other interfaces, %" PRIu64
		" that stood there before, %" PRIu64
		" of further flow logs over the same interface\n",
		r->other_interface_lines, r->duplicates, r->other_log_lines);
	for (size_t i = 0; i < r->n_interfaces; i++) {
		const struct reconcile_interface *n = &r->interfaces[i];

		if (!n->is_ours)
			continue;
		fprintf(out, "interface %s\n", n->name);
		if (n->secondary)
			fprintf(out,
				"  %u secondary addresses are taken for the primary one: these "
				"Flow Logs "
				"have no pkt-* fields to tell them apart\n",
				n->secondary);
		print_spans("lost by the sensor: ", &n->gaps, out);
		print_spans("left out by Flow Logs (SKIPDATA): ", &n->skipped, out);
		print_spans("no line of Flow Logs: ", &n->missing, out);
	}
	if (r->from <= r->to && r->to >= 0)
		fprintf(out, "span: %s to %s, %s\n",
			clock_text(from, r->from < 0 ? 0 : (uint64_t)r->from),
			clock_text(to, (uint64_t)r->to),
			r->span_given ? "as given" : "what both cover");
	else
		fputs("span: the two have no time in common\n", out);
	print_clock(&r->clock, out);
	fprintf(out, "agreement: %.4f %% of flows, %.4f %% of packets, %.4f %% of bytes\n",
		reconcile_agreement(r, reconcile_flows), reconcile_agreement(r, reconcile_packets),
		reconcile_agreement(r, reconcile_bytes));
	print_limits(view, out);
	print_classes(r, out);
	for (size_t i = 0; i < LISTS; i++)
		print_list(r, i, out);
	print_reasons(r, out);
}

/* ---- JSON ---- */

static void json_sum(const struct reconcile_sum *sum, FILE *out)
{
	fprintf(out, "{\"flows\":%" PRIu64 ",\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 "}",
		sum->flows, sum->packets, sum->bytes);
}

static void json_spans(const char *name, const struct spans *spans, FILE *out)
{
	fprintf(out, ",\"%s\":[", name);
	for (size_t i = 0; i < spans->n; i++)
		fprintf(out, "%s[%" PRId64 ",%" PRId64 "]", i ? "," : "", spans->v[i].from,
			spans->v[i].to);
	fputc(']', out);
}

static void json_interfaces(const struct reconcile_result *r, FILE *out)
{
	bool any = false;

	fputs(",\"interfaces\":[", out);
	for (size_t i = 0; i < r->n_interfaces; i++) {
		const struct reconcile_interface *n = &r->interfaces[i];

		if (!n->is_ours)
			continue;
		fprintf(out, "%s{\"interface-id\":", any ? "," : "");
		json_print_string(out, n->name);
		fprintf(out, ",\"host_records\":%" PRIu64 ",\"flow_logs_records\":%" PRIu64,
			n->host_rows, n->witness_rows);
		fprintf(out, ",\"secondary_addresses\":%u", n->secondary);
		json_spans("host_watched", &n->host, out);
		json_spans("host_gaps", &n->gaps, out);
		json_spans("flow_logs_covered", &n->witness, out);
		json_spans("flow_logs_missing", &n->missing, out);
		json_spans("flow_logs_skipdata", &n->skipped, out);
		fputc('}', out);
		any = true;
	}
	fputc(']', out);
}

static void json_classes(const struct reconcile_result *r, FILE *out)
{
	struct reconcile_sum sum;
	bool any = false;

	fputs(",\"classes\":{", out);
	for (size_t k = 0; k < RECONCILE_CLASSES; k++) {
		sum = reconcile_sum_class(r, (enum reconcile_class)k);
		fprintf(out, "%s\"%s\":", k ? "," : "", reconcile_class_names[k]);
		json_sum(&sum, out);
	}
	for (size_t i = 0; i < LISTS; i++) {
		sum = reconcile_sum_of(r, lists[i].weight);
		fprintf(out, ",\"%s\":", lists[i].json);
		json_sum(&sum, out);
	}
	fputs("},\"reasons\":[", out);
	for (size_t k = 0; k < RECONCILE_CLASSES; k++) {
		for (size_t i = 0; i < RECONCILE_REASONS; i++) {
			if (r->sums[k][i].flows == 0)
				continue;
			fprintf(out,
				"%s{\"class\":\"%s\",\"reason\":\"%s\",\"sum\":", any ? "," : "",
				reconcile_class_names[k], reconcile_reasons[i].name);
			json_sum(&r->sums[k][i], out);
			fputs(",\"meaning\":", out);
			json_print_string(out, reconcile_reasons[i].meaning);
			fputc('}', out);
			any = true;
		}
	}
	fputc(']', out);
}

static void json_clock(const struct reconcile_clock *c, FILE *out)
{
	fprintf(out, ",\"stamps\":{\"pairs\":%" PRIu64, c->pairs);
	if (c->pairs)
		fprintf(out,
			",\"start\":{\"min\":%" PRId64 ",\"median\":%" PRId64 ",\"max\":%" PRId64
			"},\"end\":{\"min\":%" PRId64 ",\"median\":%" PRId64 ",\"max\":%" PRId64
			"}",
			c->start_min, c->start_median, c->start_max, c->end_min, c->end_median,
			c->end_max);
	fprintf(out, ",\"late\":%u,\"early\":%u},\"clock\":{\"applied\":%" PRId64 ",\"ledger_ms\":",
		c->late, c->early, c->applied);
	if (c->has_ledger)
		fprintf(out, "%" PRId64 "}", c->ledger_ms);
	else
		fputs("null}", out);
}

void reconcile_print_json_entry(const struct reconcile_result *r, const struct reconcile_entry *e,
				FILE *out)
{
	char text[ADDR_TEXT];

	fputs("{\"interface-id\":", out);
	json_print_string(out, r->interfaces[e->iface].name);
	fprintf(out, ",\"srcaddr\":\"%s\"", addr_text(text, e->family, &e->src));
	fprintf(out, ",\"dstaddr\":\"%s\",\"srcport\":%u,\"dstport\":%u,\"protocol\":%u",
		addr_text(text, e->family, &e->dst), e->srcport, e->dstport, e->protocol);
	fprintf(out, ",\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64, e->packets, e->bytes);
	if (e->is_timed)
		fprintf(out, ",\"start\":%u,\"end\":%u", e->start, e->end);
	else
		fputs(",\"start\":null,\"end\":null", out);
	fprintf(out,
		",\"action\":\"%s\",\"log-status\":\"OK\",\"tcp-flags\":%u,\"flow-direction\":",
		e->action == FLOWREC_REJECT ? "REJECT" : "ACCEPT", e->tcp_flags);
	if (e->direction == FLOWREC_DIRECTION_UNKNOWN)
		fputs("null", out);
	else
		fprintf(out, "\"%s\"",
			flowrec_direction_text((enum flowrec_direction)e->direction));
	fprintf(out, ",\"class\":\"%s\",\"reason\":\"%s\",\"lines\":%" PRIu64,
		reconcile_class_names[e->klass], reconcile_reasons[e->reason].name, e->lines);
	if (e->klass == RECONCILE_COUNTS_DIFFER)
		fprintf(out, ",\"host_packets\":%" PRIu64 ",\"host_bytes\":%" PRIu64,
			e->host_packets, e->host_bytes);
	fputc('}', out);
}

static void json_list(const struct reconcile_result *r, size_t which, FILE *out)
{
	bool any = false;

	fprintf(out, ",\n\"%s\":[", lists[which].json);
	for (size_t i = 0; i < r->n_entries; i++) {
		if (reconcile_reasons[r->entries[i].reason].weight != lists[which].weight)
			continue;
		fputs(any ? ",\n" : "\n", out);
		reconcile_print_json_entry(r, &r->entries[i], out);
		any = true;
	}
	fputs(any ? "\n]" : "]", out);
}

void reconcile_print_json(const struct reconcile_view *view, FILE *out)
{
	const struct reconcile_result *r = view->result;

	fputs("{\"summary\":{\"host\":", out);
	json_sum(&r->host, out);
	fputs(",\"flow_logs\":", out);
	json_sum(&r->witness, out);
	if (view->counts) {
		fputs(",\"read\":", out);
		flowlogs_input_json(view->counts, out);
	}
	if (r->from <= r->to)
		fprintf(out, ",\"span\":{\"from\":%" PRId64 ",\"to\":%" PRId64 ",\"given\":%s}",
			r->from, r->to, r->span_given ? "true" : "false");
	else
		fputs(",\"span\":null", out);
	fprintf(out, ",\"agreement_percent\":{\"flows\":%.6f,\"packets\":%.6f,\"bytes\":%.6f}",
		reconcile_agreement(r, reconcile_flows), reconcile_agreement(r, reconcile_packets),
		reconcile_agreement(r, reconcile_bytes));
	fprintf(out, ",\"unexplained_percent\":%.6f,\"tolerance_percent\":%.6f",
		reconcile_unexplained(r), view->tolerance);
	json_classes(r, out);
	json_clock(&r->clock, out);
	fprintf(out,
		",\"duplicates\":%" PRIu64 ",\"other_flow_logs\":%" PRIu64
		",\"other_interfaces\":%" PRIu64 ",\"untimed\":%" PRIu64 ",\"unusable\":%" PRIu64
		",\"action_differs\":%" PRIu64 ",\"no_rejects\":%s,\"failed_inputs\":%" PRIu64,
		r->duplicates, r->other_log_lines, r->other_interface_lines, r->untimed,
		r->unusable, r->action_differs, r->no_rejects ? "true" : "false", view->failed);
	json_interfaces(r, out);
	fputc('}', out);
	for (size_t i = 0; i < LISTS; i++)
		json_list(r, i, out);
	fputs("}\n", out);
}
