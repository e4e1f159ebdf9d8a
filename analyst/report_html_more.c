// SPDX-License-Identifier: Apache-2.0
/*
 * report, HTML: the second witness, integrity, and what stands at the end.
 */
#include "analyst/report_html.h"

#include <inttypes.h>
#include <string.h>

#include "platform/crypto.h"
#include "platform/json_read.h"

/* ---- the second witness ---- */

static void print_hidden(FILE *out, const struct report *r)
{
	static const enum word columns[] = {W_FROM, W_TO, W_COUNT_PACKETS, W_COUNT_BYTES, W_FIRST,
					    W_LAST, WORDS};
	const struct reconcile_entry *e;
	uint64_t n = 0;

	for (size_t i = 0; (e = report_hidden(r, &i));) {
		if (n++ == 0) {
			fprintf(out, "<h3>%s</h3>\n", word(r->lang, W_HIDDEN_TITLE));
			html_table(out, r->lang, 0xc, columns);
		}
		if (n > HTML_ROWS)
			continue;
		fputs("<tr class=\"not_met\">", out);
		html_end(out, e->family, &e->src, e->srcport, e->protocol);
		html_end(out, e->family, &e->dst, e->dstport, e->protocol);
		html_number(out, e->packets);
		html_number(out, e->bytes);
		if (e->is_timed) {
			html_when(out, e->start);
			html_when(out, e->end);
		} else {
			fputs("<td>–</td><td>–</td>", out);
		}
		fputs("</tr>\n", out);
	}
	if (n > 0)
		html_table_end(out);
	html_cut_off(out, r, n, "flowproof reconcile --json");
}

void html_witness(FILE *out, const struct report *r)
{
	static const enum word columns[] = {W_WITNESS_CLASS, W_WITNESS_REASON, W_FLOWS,
					    W_COUNT_PACKETS, W_COUNT_BYTES,    WORDS};
	static const enum word classes[] = {
		[RECONCILE_AGREE] = W_WITNESS_AGREE,
		[RECONCILE_COUNTS_DIFFER] = W_WITNESS_DIFFER,
		[RECONCILE_HOST_ONLY] = W_WITNESS_HOST,
		[RECONCILE_WITNESS_ONLY] = W_WITNESS_ONLY,
	};

	if (!r->witness) {
		html_paragraph(out, word(r->lang, W_WITNESS_NONE));
		return;
	}
	html_table(out, r->lang, 0x1c, columns);
	for (size_t k = 0; k < RECONCILE_CLASSES; k++) {
		for (size_t i = 0; i < RECONCILE_REASONS; i++) {
			const struct reconcile_sum *sum = &r->witness->sums[k][i];

			if (sum->flows == 0)
				continue;
			fprintf(out, "<tr%s>",
				reconcile_reasons[i].weight == RECONCILE_RED ? " class=\"not_met\""
									     : "");
			html_cell(out, word(r->lang, classes[k]));
			fprintf(out, "<td>%s (<code>%s</code>)</td>",
				reason_text(r->lang, (enum reconcile_reason)i),
				reconcile_reasons[i].name);
			html_number(out, sum->flows);
			html_number(out, sum->packets);
			html_number(out, sum->bytes);
			fputs("</tr>\n", out);
		}
	}
	html_table_end(out);
	print_hidden(out, r);
}

/* ---- integrity ---- */

static void print_audit(FILE *out, const struct report *r)
{
	static const enum word grades[] = {
		[AUDIT_INTACT] = W_AUDIT_INTACT,
		[AUDIT_INCOMPLETE] = W_AUDIT_INCOMPLETE,
		[AUDIT_BROKEN] = W_AUDIT_BROKEN,
	};
	const struct audit *a = r->audit;
	const struct audit_fault *first = a ? audit_first(a) : NULL;
	char text[SAY_MAX], reason[SAY_MAX], n[3][NUMBER_TEXT];

	html_paragraph(out, word(r->lang, a ? grades[a->grade] : W_AUDIT_NONE));
	if (a)
		html_paragraph(out,
			       say(text, r->lang, W_AUDIT_COUNTS, number_text(n[0], a->manifests),
				   number_text(n[1], a->starts),
				   number_text(n[2], a->unclean_starts), NULL));
	if (first)
		html_paragraph(out, say(text, r->lang, W_DAMAGED, first->file,
					number_text(n[0], first->offset),
					report_fault_text(reason, r, first->reason), NULL));
	for (size_t i = 0; i < r->gather.n_faults; i++)
		html_paragraph(out,
			       say(text, r->lang, W_DAMAGED, r->gather.faults[i].file,
				   number_text(n[0], r->gather.faults[i].offset),
				   report_fault_text(reason, r, r->gather.faults[i].reason), NULL));
}

static const char *known(char out[static NUMBER_TEXT], const struct report *r, bool is_known,
			 uint64_t n)
{
	return is_known ? number_text(out, n) : word(r->lang, W_UNKNOWN);
}

static void print_interface(FILE *out, const struct report *r, const struct gather_interface *iface)
{
	const struct batch_account *a = &iface->account;
	int64_t residual = batch_account_residual(a);
	char text[SAY_MAX], n[8][NUMBER_TEXT];

	if (!iface->has_account)
		return;
	fputs("<li>", out);
	html_text(out,
		  say(text, r->lang, W_RUN_EQUATION, iface->name, number_text(n[0], a->received),
		      number_text(n[1], a->offload_packets), number_text(n[2], a->recorded),
		      number_text(n[3], a->live), number_text(n[4], a->not_ip),
		      number_text(n[5], a->malformed), number_text(n[6], a->cut),
		      number_text(n[7], residual < 0 ? -(uint64_t)residual : (uint64_t)residual),
		      NULL));
	fputs("; ", out);
	html_text(out, say(text, r->lang, W_RUN_DROPPED,
			   known(n[0], r, !iface->kernel_unknown, a->kernel_dropped),
			   known(n[1], r, !iface->nic_unknown, a->nic_dropped), NULL));
	fputs("</li>\n", out);
}

/* The rule of three: of n canaries all were seen, so at most 3/n of the packets are lost unseen (95 %). */
static void print_canaries(FILE *out, const struct report *r, const struct gather_run *run)
{
	const int64_t *c = run->canaries;
	char text[SAY_MAX], bound[NUMBER_TEXT], n[3][NUMBER_TEXT];

	if (!run->has_canaries)
		return;
	fputs("<li>", out);
	html_text(out,
		  say(text, r->lang, W_RUN_CANARIES, number_text(n[0], (uint64_t)c[0]),
		      number_text(n[1], (uint64_t)c[1]), number_text(n[2], (uint64_t)c[2]), NULL));
	if (c[0] + c[1] >= 3 && c[2] == 0) {
		(void)snprintf(bound, sizeof bound, "%.2f", 300.0 / (double)(c[0] + c[1]));
		fputs("; ", out);
		html_text(out, say(text, r->lang, W_RUN_BOUND, bound, NULL));
	}
	fputs("</li>\n", out);
}

static void print_run(FILE *out, const struct report *r, const struct gather_run *run)
{
	char hex[2 * WIRE_STREAM_ID + 1], text[SAY_MAX], n[4][NUMBER_TEXT];

	fputs("<tr>", out);
	fprintf(out, "<td>");
	html_bdi(out, run->sensor);
	fprintf(out, "<br><code>%.8s</code><br>%s</td>",
		crypto_hex(hex, run->stream, WIRE_STREAM_ID),
		word(r->lang, run->is_replay ? W_RUN_REPLAY : W_RUN_LIVE));
	html_when(out, run->begin_s);
	html_when(out, run->end_s);
	fprintf(out, "<td>%s<ul><li>", word(r->lang, run->goodbye ? W_RUN_GOODBYE : W_RUN_OPEN));
	html_text(out, say(text, r->lang, W_RUN_COUNTS, number_text(n[0], run->records),
			   number_text(n[1], run->packets), number_text(n[2], run->batches),
			   number_text(n[3], run->is_signed), NULL));
	fputs("</li>\n", out);
	for (size_t i = 0; i < run->n_interfaces; i++)
		print_interface(out, r, &run->interfaces[i]);
	print_canaries(out, r, run);
	fputs("</ul></td></tr>\n", out);
}

void html_integrity(FILE *out, const struct report *r)
{
	static const enum word columns[] = {W_SENSOR, W_BEGIN, W_END, W_FIGURES, WORDS};

	print_audit(out, r);
	if (r->gather.n_runs > 0) {
		fprintf(out, "<h3>%s</h3>\n", word(r->lang, W_RUNS_TITLE));
		html_table(out, r->lang, 0, columns);
		for (size_t i = 0; i < r->gather.n_runs; i++)
			print_run(out, r, &r->gather.runs[i]);
		html_table_end(out);
	}
}

/* ---- what was given ---- */

void html_original(FILE *out, const struct report *r)
{
	static const enum word columns[] = {W_WHAT, W_ORIGINAL, W_HERE, W_STATE, WORDS};
	static const enum word states[] = {
		[REPORT_UNKNOWN] = W_UNKNOWN,
		[REPORT_SAME] = W_SAME,
		[REPORT_DIFFERS] = W_DIFFERS,
	};

	html_table(out, r->lang, 0, columns);
	for (size_t i = 0; i < r->n_given; i++) {
		const struct report_fact *f = &r->given[i];

		fputs("<tr>", out);
		html_cell(out, f->name);
		html_cell(out, f->original);
		html_cell(out, f->here);
		html_cell(out, word(r->lang, states[f->state]));
		fputs("</tr>\n", out);
	}
	html_table_end(out);
}

/* A list of what is in an object or array; JSON is shown as what it is. */
static void print_json(FILE *out, const struct json_value *value)
{
	if (value->kind != JSON_ARRAY && value->kind != JSON_OBJECT) {
		html_bdi(out, value->text                 ? value->text
			      : value->kind == JSON_TRUE  ? "true"
			      : value->kind == JSON_FALSE ? "false"
							  : "–");
		return;
	}
	fputs("<ul>", out);
	for (const struct json_value *v = value->child; v; v = v->next) {
		fputs("<li>", out);
		if (v->key) {
			html_bdi(out, v->key);
			fputs(": ", out);
		}
		print_json(out, v);
		fputs("</li>\n", out);
	}
	fputs("</ul>\n", out);
}

static const char *log_state(const struct report *r, const char *state)
{
	static const struct {
		const char *state;
		enum word word;
	} words[] = {
		{"on", W_LOG_ON}, {"off", W_LOG_OFF}, {"none", W_LOG_NONE}, {"unknown", W_UNKNOWN}};

	for (size_t i = 0; state && i < sizeof words / sizeof words[0]; i++) {
		if (strcmp(words[i].state, state) == 0)
			return word(r->lang, words[i].word);
	}
	return state;
}

static void said_cell(FILE *out, const struct report *r, const char *english)
{
	char text[SAY_MAX];

	html_cell(out, english ? said_in(text, r->lang, english) : NULL);
}

/* The logs that `preflight --json` lists. */
static void print_logs(FILE *out, const struct report *r, const struct json_value *logs)
{
	static const enum word columns[] = {W_LOG,       W_STATE,    W_LOG_SOURCE,
					    W_LOG_WHERE, W_LOG_KEPT, WORDS};

	html_table(out, r->lang, 0, columns);
	for (const struct json_value *log = logs->child; log; log = log->next) {
		fputs("<tr>", out);
		said_cell(out, r, json_member_text(log, "log"));
		html_cell(out, log_state(r, json_member_text(log, "state")));
		html_cell(out, json_member_text(log, "source"));
		said_cell(out, r, json_member_text(log, "where"));
		said_cell(out, r, json_member_text(log, "kept"));
		fputs("</tr>\n", out);
	}
	html_table_end(out);
}

void html_inventory(FILE *out, const struct report *r)
{
	const struct json_value *logs;

	logs = json_member(json_root(r->inventory), "logs");
	if (logs && logs->kind == JSON_ARRAY)
		print_logs(out, r, logs);
	else
		print_json(out, json_root(r->inventory));
}

/* ---- the end ---- */

void html_limits(FILE *out, const struct report *r)
{
	char text[SAY_MAX];
	const char *said;

	fputs("<ul>\n", out);
	for (unsigned i = 0; (said = report_limit(text, r, i)); i++) {
		fputs("<li>", out);
		html_text(out, said);
		fputs("</li>\n", out);
	}
	fprintf(out, "</ul>\n<h3>%s</h3>\n<dl>\n", word(r->lang, W_DETECTORS_TITLE));
	for (unsigned kind = 0; kind < FINDING_KINDS; kind++) {
		said = blind_text(r->lang, (enum finding_kind)kind);
		if (said)
			html_term(out, kind_text(r->lang, (enum finding_kind)kind), said);
	}
	fputs("</dl>\n", out);
}

void html_checks(FILE *out, const struct report *r)
{
	struct report_check check;

	fputs("<ul>\n", out);
	for (unsigned i = 0; report_check(&check, r, i); i++) {
		fputs("<li><code>", out);
		html_text(out, check.command);
		fputs("</code><br>", out);
		html_text(out, word(r->lang, check.meaning));
		fputs("</li>\n", out);
	}
	fputs("</ul>\n", out);
}

static void hex_term(FILE *out, const char *name, const uint8_t *bytes)
{
	char hex[SHA256_HEX];

	fputs("<dt>", out);
	html_text(out, name);
	fprintf(out, "</dt><dd><code>%s</code></dd>\n", crypto_hex(hex, bytes, SHA256_BYTES));
}

void html_digests(FILE *out, const struct report *r)
{
	char text[SAY_MAX], number[NUMBER_TEXT], hex[2 * WIRE_STREAM_ID + 1];

	fputs("<dl>\n", out);
	if (r->audit)
		hex_term(out,
			 say(text, r->lang, W_DIGEST_HEAD, number_text(number, r->audit->manifests),
			     NULL),
			 r->audit->head);
	for (size_t i = 0; i < r->gather.n_runs; i++) {
		const struct gather_run *run = &r->gather.runs[i];

		(void)crypto_hex(hex, run->stream, WIRE_STREAM_ID);
		hex[8] = '\0';
		hex_term(out, say(text, r->lang, W_DIGEST_BATCH, hex, NULL), run->last_digest);
		hex_term(out, word(r->lang, W_DIGEST_POLICY), run->policy);
		hex_term(out, word(r->lang, W_DIGEST_CONFIG), run->config);
		html_term(out, word(r->lang, W_BUILD), run->build);
	}
	for (size_t i = 0; i < r->n_files; i++)
		hex_term(out, say(text, r->lang, W_DIGEST_FILE, r->files[i].path, NULL),
			 r->files[i].sha256);
	fputs("</dl>\n", out);
}
