// SPDX-License-Identifier: Apache-2.0
/*
 * report, as JSON: docs/report.schema.json. Keys and words of fixed lists are the same in every language; texts are
 * in the report's.
 */
#include "analyst/report.h"

#include <inttypes.h>

#include "analyst/reconcile_print.h"
#include "evidence/findings.h"
#include "platform/addr.h"
#include "platform/crypto.h"
#include "platform/json.h"

/* A key of the object that is open; the comma before it is the caller's, but for numbers and texts below. */
static void key(FILE *out, const char *name)
{
	fprintf(out, "\"%s\":", name);
}

static void put_number(FILE *out, const char *name, uint64_t n)
{
	fprintf(out, ",\"%s\":%" PRIu64, name, n);
}

static void put_text(FILE *out, const char *name, const char *text)
{
	fputc(',', out);
	key(out, name);
	if (text)
		json_print_string(out, text);
	else
		fputs("null", out);
}

static void put_bool(FILE *out, const char *name, bool value)
{
	fprintf(out, ",\"%s\":%s", name, value ? "true" : "false");
}

static void put_hex(FILE *out, const char *name, const uint8_t *bytes, size_t len)
{
	char hex[SHA256_HEX];

	put_text(out, name, crypto_hex(hex, bytes, len));
}

/* 0: null */
static void put_time(FILE *out, const char *name, uint64_t unix_s)
{
	if (unix_s)
		put_number(out, name, unix_s);
	else
		fprintf(out, ",\"%s\":null", name);
}

/* ---- obligations ---- */

static void print_figure(FILE *out, const struct report *r, const struct condition *c)
{
	static const char *const units[] = {
		[VERDICT_COUNT] = "count",
		[VERDICT_SECONDS] = "seconds",
		[VERDICT_MILLISECONDS] = "milliseconds",
		[VERDICT_BYTES] = "bytes",
	};
	static const char *const kinds[] = {
		[CONDITION_AT_MOST] = "at_most",
		[CONDITION_AT_LEAST] = "at_least",
		[CONDITION_TOLD] = "told",
	};
	const struct verdict_fact_info *info = &verdict_facts[c->fact];
	const struct verdict_fact *fact = &r->evidence.facts[c->fact];

	fprintf(out, "{\"id\":\"%s\"", info->key);
	put_text(out, "text", info->text[r->lang]);
	put_text(out, "unit", units[info->unit]);
	put_number(out, "n", fact->n);
	put_bool(out, "whole", fact->whole);
	put_text(out, "condition", kinds[c->kind]);
	if (c->kind == CONDITION_TOLD)
		fputs(",\"bound\":null", out);
	else
		put_number(out, "bound", c->bound);
	put_text(out, "state", obligation_state_key(condition_judge(c, &r->evidence)));
	fputc('}', out);
}

static void print_obligation(FILE *out, const struct report *r, size_t i)
{
	const struct obligation *o = &obligations[i];
	const struct obligation_result *result = &r->verdict.obligations[i];

	fprintf(out, "%s{\"number\":%zu", i ? ",\n" : "\n", i + 1);
	put_text(out, "id", o->key);
	put_text(out, "kind", o->is_gate ? "gate" : "disclosure");
	put_text(out, "state", obligation_state_key(result->state));
	put_text(out, "name", o->name[r->lang]);
	put_text(out, "criterion", o->criterion[r->lang]);
	put_text(out, "remedy", result->state == OBLIGATION_MET ? NULL : o->remedy[r->lang]);
	put_time(out, "first", result->first);
	put_time(out, "last", result->last);
	fputs(",\"figures\":[", out);
	for (const struct condition *c = o->conditions; c->kind != CONDITION_END; c++) {
		fputs(c == o->conditions ? "" : ",", out);
		print_figure(out, r, c);
	}
	fputs("]}", out);
}

/* ---- endpoints ---- */

static void put_names(FILE *out, struct label label)
{
	fputs(",\"names\":[", out);
	for (size_t i = 0; i < label.n; i++) {
		fputs(i ? "," : "", out);
		json_print_string(out, label.names[i]);
	}
	fputc(']', out);
}

static void print_end(FILE *out, const struct report *r, const struct endpoint_sum *sum)
{
	const struct endpoint_digest *d = &sum->digest;
	char remote[ADDR_TEXT];

	fprintf(out, "{\"remote\":\"%s\"", addr_text(remote, d->family, &d->remote));
	put_number(out, "port", d->port);
	put_number(out, "protocol", d->protocol);
	put_text(out, "sensor", sum->sensor);
	put_text(out, "rule", sum->rule);
	put_text(out, "verdict", flowrec_verdict_text((enum flowrec_verdict)d->verdict));
	put_text(out, "outcome", flowrec_outcome_text((enum flowrec_outcome)d->outcome));
	put_names(out, labels_find(r->gather.labels, d->family, &d->remote));
	put_number(out, "first", d->first);
	put_number(out, "last", d->last);
	put_number(out, "flows", d->flows);
	put_number(out, "packets_out", d->packets_out);
	put_number(out, "bytes_out", d->bytes_out);
	put_number(out, "packets_in", d->packets_in);
	put_number(out, "bytes_in", d->bytes_in);
	fputc('}', out);
}

static void print_ends(FILE *out, const struct report *r, const char *name, enum report_part part)
{
	const struct endpoint_sum *sum;
	const char *comma = "\n";

	fprintf(out, ",\n\"%s\":[", name);
	for (size_t i = 0; (sum = report_next(r, part, &i)); comma = ",\n") {
		fputs(comma, out);
		print_end(out, r, sum);
	}
	fputc(']', out);
}

/* What is unexpected egress, then what else the detectors found; an object each as `findings --json` has it, with what
 * it means for the verdict. */
static void print_findings(FILE *out, const struct report *r)
{
	static const char *const weights[] = {
		[GATHER_ASIDE] = "aside",
		[GATHER_SUSPICION] = "suspicion",
		[GATHER_EGRESS] = "egress",
	};
	const char *comma = "\n";

	fputs(",\n\"findings\":[", out);
	for (size_t i = 0; i < r->gather.n_found; i++, comma = ",\n") {
		const struct finding *f = r->gather.found[i];
		struct finding_origin origin;

		findings_origin(r->gather.findings, f, &origin);
		fprintf(out, "%s{\"weight\":\"%s\",\"finding\":", comma,
			weights[gather_weigh(&r->gather, f)]);
		finding_print_json_in(f, &origin, r->lang, out);
		fputc('}', out);
	}
	fputc(']', out);
}

static void print_dns(FILE *out, const struct report *r)
{
	fputs(",\n\"dns\":[", out);
	for (size_t i = 0; i < r->n_domains; i++) {
		const struct label_domain *d = r->domains[i];

		fputs(i ? ",\n{\"domain\":" : "\n{\"domain\":", out);
		json_print_string(out, d->name);
		put_number(out, "questions", d->questions);
		put_number(out, "names", d->names);
		put_number(out, "failed", d->failed);
		put_number(out, "bytes", d->bytes);
		put_number(out, "first", d->first);
		put_number(out, "last", d->last);
		fputc('}', out);
	}
	fputc(']', out);
}

static void print_witness(FILE *out, const struct report *r)
{
	const struct reconcile_entry *hidden;
	const char *comma = "";

	fputs(",\n\"witness\":", out);
	if (!r->witness) {
		fputs("null", out);
		return;
	}
	fputs("{\"read\":", out);
	flowlogs_input_json(&r->witness_read, out);
	fputs(",\"classes\":[", out);
	for (size_t k = 0; k < RECONCILE_CLASSES; k++) {
		for (size_t i = 0; i < RECONCILE_REASONS; i++) {
			const struct reconcile_sum *sum = &r->witness->sums[k][i];

			if (sum->flows == 0)
				continue;
			fprintf(out, "%s{\"class\":\"%s\"", comma, reconcile_class_names[k]);
			put_text(out, "reason", reconcile_reasons[i].name);
			put_number(out, "flows", sum->flows);
			put_number(out, "packets", sum->packets);
			put_number(out, "bytes", sum->bytes);
			fputc('}', out);
			comma = ",";
		}
	}
	fputs("],\n\"hidden\":[", out);
	comma = "\n";
	for (size_t i = 0; (hidden = report_hidden(r, &i)); comma = ",\n") {
		fputs(comma, out);
		reconcile_print_json_entry(r->witness, hidden, out);
	}
	fputs("]}", out);
}

static void print_original(FILE *out, const struct report *r)
{
	static const char *const states[] = {
		[REPORT_UNKNOWN] = "unknown",
		[REPORT_SAME] = "same",
		[REPORT_DIFFERS] = "differs",
	};

	fputs(",\n\"original\":", out);
	if (r->n_given == 0) {
		fputs("null", out);
		return;
	}
	for (size_t i = 0; i < r->n_given; i++) {
		fputs(i ? ",\n{\"fact\":" : "[\n{\"fact\":", out);
		json_print_string(out, r->given[i].name);
		put_text(out, "original", r->given[i].original);
		put_text(out, "here", r->given[i].here);
		put_text(out, "state", states[r->given[i].state]);
		fputc('}', out);
	}
	fputc(']', out);
}

static void print_files(FILE *out, const struct report *r)
{
	fputs(",\n\"files\":[", out);
	for (size_t i = 0; i < r->n_files; i++) {
		fputs(i ? ",{\"file\":" : "{\"file\":", out);
		json_print_string(out, r->files[i].path);
		put_hex(out, "sha256", r->files[i].sha256, SHA256_BYTES);
		fputc('}', out);
	}
	fputc(']', out);
}

/* ---- sensors ---- */

static void print_strip(FILE *out, const struct gather_sensor *s)
{
	static const char *const states[TIMELINE_MINUTES] = {
		[TIMELINE_OK] = "ok",
		[TIMELINE_NODATA] = "no_data",
		[TIMELINE_SKIPPED] = "skipped",
		[TIMELINE_GAP] = "gap",
	};
	const char *comma = "";

	fputs(",\"strip\":[", out);
	for (uint64_t at = s->from_s / 60 * 60;
	     timeline_minutes(s->from_s, s->to_s) && at < s->to_s;) {
		enum timeline_minute state = timeline_at(&s->timeline, at, s->from_s, s->to_s);
		uint64_t begin = at;

		while (at < s->to_s && timeline_at(&s->timeline, at, s->from_s, s->to_s) == state)
			at += 60;
		fprintf(out, "%s{\"from\":%" PRIu64 ",\"to\":%" PRIu64 ",\"state\":\"%s\"}", comma,
			begin, at, states[state]);
		comma = ",";
	}
	fputc(']', out);
}

static void put_counter(FILE *out, const char *name, bool known, uint64_t n)
{
	if (known)
		put_number(out, name, n);
	else
		fprintf(out, ",\"%s\":null", name);
}

static void print_interface(FILE *out, const struct gather_interface *iface)
{
	const struct batch_account *a = &iface->account;

	fputs("{\"interface\":", out);
	json_print_string(out, iface->name);
	put_number(out, "stored", iface->stored);
	put_number(out, "skipped_windows", iface->skipped);
	put_counter(out, "received", iface->has_account, a->received);
	put_counter(out, "recorded", iface->has_account, a->recorded);
	put_counter(out, "not_ip", iface->has_account, a->not_ip);
	put_counter(out, "malformed", iface->has_account, a->malformed);
	if (iface->has_account)
		fprintf(out, ",\"residual\":%" PRId64, batch_account_residual(a));
	else
		fputs(",\"residual\":null", out);
	put_counter(out, "kernel_dropped", iface->has_account && !iface->kernel_unknown,
		    a->kernel_dropped);
	put_counter(out, "nic_dropped", iface->has_account && !iface->nic_unknown, a->nic_dropped);
	fputc('}', out);
}

static void print_run(FILE *out, const struct gather_run *run)
{
	char hex[2 * WIRE_STREAM_ID + 1];

	fputs("{\"sensor\":", out);
	json_print_string(out, run->sensor);
	put_text(out, "stream", crypto_hex(hex, run->stream, WIRE_STREAM_ID));
	put_text(out, "mode", run->is_replay ? "replay" : "live");
	put_time(out, "begin", run->begin_s);
	put_time(out, "end", run->end_s);
	put_bool(out, "goodbye", run->goodbye);
	put_number(out, "batches", run->batches);
	put_number(out, "signed", run->is_signed);
	put_number(out, "records", run->records);
	put_number(out, "packets", run->packets);
	put_number(out, "bytes", run->bytes);
	put_number(out, "gap_batches", run->gap_batches);
	put_counter(out, "canaries_sent", run->has_canaries, (uint64_t)run->canaries[0]);
	put_counter(out, "canaries_returned", run->has_canaries, (uint64_t)run->canaries[1]);
	put_counter(out, "canaries_unseen", run->has_canaries, (uint64_t)run->canaries[2]);
	put_counter(out, "unseen_before_start", run->has_host, run->unseen_start);
	put_text(out, "build", run->build);
	put_hex(out, "config_sha256", run->config, SHA256_BYTES);
	put_hex(out, "policy_sha256", run->policy, SHA256_BYTES);
	put_hex(out, "last_batch_sha256", run->last_digest, SHA256_BYTES);
	fputs(",\"interfaces\":[", out);
	for (size_t i = 0; i < run->n_interfaces; i++) {
		fputs(i ? "," : "", out);
		print_interface(out, &run->interfaces[i]);
	}
	fputs("]}", out);
}

static void print_sensors(FILE *out, const struct report *r)
{
	fputs(",\n\"sensors\":[", out);
	for (size_t i = 0; i < r->gather.n_sensors; i++) {
		const struct gather_sensor *s = &r->gather.sensors[i];

		fputs(i ? ",\n{\"sensor\":" : "\n{\"sensor\":", out);
		json_print_string(out, s->id);
		put_time(out, "from", s->from_s);
		put_time(out, "to", s->to_s);
		print_strip(out, s);
		fputc('}', out);
	}
	fputs("],\n\"runs\":[", out);
	for (size_t i = 0; i < r->gather.n_runs; i++) {
		fputs(i ? ",\n" : "\n", out);
		print_run(out, &r->gather.runs[i]);
	}
	fputc(']', out);
}

/* ---- the rest ---- */

static void print_audit(FILE *out, const struct report *r)
{
	const struct audit *a = r->audit;
	const struct audit_fault *first;
	char text[SAY_MAX];

	fputs(",\n\"audit\":", out);
	if (!a) {
		fputs("null", out);
		return;
	}
	first = audit_first(a);
	fprintf(out, "{\"verdict\":\"%s\"", audit_word(a->grade));
	put_bool(out, "running", a->is_running);
	put_number(out, "manifests", a->manifests);
	put_number(out, "starts", a->starts);
	put_number(out, "unclean_starts", a->unclean_starts);
	put_number(out, "n_broken", a->n_faults - a->n_incomplete);
	put_number(out, "n_incomplete", a->n_incomplete);
	put_hex(out, "head", a->head, SHA256_BYTES);
	if (first) {
		fprintf(out, ",\"first_fault\":{\"offset\":%" PRIu64, first->offset);
		put_text(out, "file", first->file);
		put_text(out, "reason", report_fault_text(text, r, first->reason));
		fputc('}', out);
	} else {
		fputs(",\"first_fault\":null", out);
	}
	fputc('}', out);
}

static void print_lists(FILE *out, const struct report *r)
{
	char text[SAY_MAX];
	struct report_check check;
	const char *said;

	fputs(",\n\"reasons\":[", out);
	for (unsigned i = 0; (said = report_sentence(text, r, i)); i++) {
		fputs(i ? "," : "", out);
		json_print_string(out, said);
	}
	fputs("],\n\"limits\":[", out);
	for (unsigned i = 0; (said = report_limit(text, r, i)); i++) {
		fputs(i ? ",\n" : "\n", out);
		json_print_string(out, said);
	}
	fputs("],\n\"detectors\":[", out);
	for (unsigned kind = 0, n = 0; kind < FINDING_KINDS; kind++) {
		said = blind_text(r->lang, (enum finding_kind)kind);
		if (!said)
			continue;
		fprintf(out, "%s{\"kind\":\"%s\"", n++ ? ",\n" : "\n", finding_kinds[kind].name);
		put_text(out, "cannot_see", said);
		fputc('}', out);
	}
	fputs("],\n\"checks\":[", out);
	for (unsigned i = 0; report_check(&check, r, i); i++) {
		fputs(i ? ",\n{\"command\":" : "\n{\"command\":", out);
		json_print_string(out, check.command);
		put_text(out, "meaning", word(r->lang, check.meaning));
		fputc('}', out);
	}
	fputc(']', out);
}

void report_print_json(const struct report *r, FILE *out)
{
	fprintf(out, "{\"format\":\"flowproof-report-1\"");
	put_text(out, "lang", r->lang == VERDICT_JA ? "ja" : "en");
	put_text(out, "verdict", verdict_key(r->verdict.word));
	put_text(out, "reached", verdict_reached_key(r->verdict.reached));
	put_text(out, "case", r->o.case_name);
	put_text(out, "analyst", r->o.analyst);
	put_text(out, "note", r->o.note);
	put_time(out, "from", r->evidence.from_s);
	put_time(out, "to", r->evidence.to_s);
	put_text(out, "tz", r->o.tz);
	put_number(out, "gates", r->verdict.gates);
	put_number(out, "gates_met", r->verdict.gates_met);
	put_number(out, "unexpected_endpoints", r->evidence.facts[FACT_EGRESS].n);
	print_lists(out, r);
	fputs(",\n\"obligations\":[", out);
	for (size_t i = 0; i < OBLIGATIONS; i++)
		print_obligation(out, r, i);
	fputc(']', out);
	print_findings(out, r);
	print_ends(out, r, "allowed", REPORT_ALLOWED);
	print_ends(out, r, "inbound", REPORT_INBOUND);
	print_dns(out, r);
	report_print_logs(r, out);
	print_witness(out, r);
	print_sensors(out, r);
	print_audit(out, r);
	print_original(out, r);
	fputs(",\n\"inventory\":", out);
	report_print_given(r->inventory, out);
	fputs(",\n\"installed\":", out);
	report_print_given(r->installed, out);
	print_files(out, r);
	fputs("}\n", out);
}
