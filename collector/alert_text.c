// SPDX-License-Identifier: Apache-2.0
/*
 * See alert_text.h. OCSF and ASFF have places for what is not theirs: `unmapped` and `UserDefinedFields`.
 */
#include "collector/alert_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "collector/alert_syslog.h"
#include "platform/clock.h"

const char *const alert_formats[ALERT_FORMATS] = {"json", "ocsf", "asff"};
const char *const alert_whys[ALERT_WHYS] = {"new", "further", "graver", "head", "suppressed"};

static finding_printer *const printers[ALERT_FORMATS] = {finding_print_json, finding_print_ocsf,
							 finding_print_asff};

enum alert_why alert_why(const struct finding *f, enum finding_severity threshold)
{
	unsigned severity = (unsigned)(f->before - 1) >> 4;

	if (f->before == 0 || severity < (unsigned)threshold)
		return ALERT_NEW;
	return f->severity > severity ? ALERT_GRAVER : ALERT_FURTHER;
}

/* What is said beside the finding, as members of an object. */
static void print_beside(FILE *out, enum alert_format format, const struct alert *a)
{
	static const char *const forms[ALERT_FORMATS] = {
		"\"alert\":\"%s\",\"suppressed\":%" PRIu64 ",\"head\":\"%s\"",
		"\"flowproof_alert\":\"%s\",\"flowproof_suppressed\":%" PRIu64
		",\"flowproof_head\":\"%s\"",
		"\"flowproof/alert\":\"%s\",\"flowproof/suppressed\":\"%" PRIu64
		"\",\"flowproof/head\":\"%s\"",
	};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	(void)fprintf(out, forms[format], alert_whys[a->why], a->suppressed, a->head);
#pragma GCC diagnostic pop
}

/* The finding without the end of its object, or of its line. */
static void print_finding(FILE *out, enum alert_format format, const struct alert *a, size_t less)
{
	static char line[ALERT_MAX]; /* too large for the stack */
	FILE *f = fmemopen(line, sizeof line, "w");
	long len;

	if (!f)
		return;
	printers[format](a->finding, a->origin, f);
	len = ftell(f);
	if (fclose(f) == 0 && len > (long)less && (size_t)len < sizeof line)
		(void)fwrite(line, 1, (size_t)len - less, out);
}

size_t alert_print(char buffer[static ALERT_MAX], enum alert_format format, const struct alert *a)
{
	char time[CLOCK_TEXT];
	FILE *out;
	long len;

	if (!a->finding && format != ALERT_JSON)
		return 0;
	out = fmemopen(buffer, ALERT_MAX, "w");
	if (!out)
		return 0;
	if (format == ALERT_JSON) {
		(void)fprintf(out, "{\"time\":\"%s\",", clock_text(time, a->now_s));
		print_beside(out, format, a);
		if (a->finding) {
			(void)fputs(",\"finding\":", out);
			print_finding(out, format, a, strlen("\n"));
		}
		(void)fputs("}\n", out);
	} else {
		print_finding(out, format, a, strlen("}\n"));
		(void)fprintf(out, ",\"%s\":{",
			      format == ALERT_OCSF ? "unmapped" : "UserDefinedFields");
		print_beside(out, format, a);
		(void)fputs("}}\n", out);
	}
	len = ftell(out);
	if (fclose(out) != 0 || len <= 0 || len >= ALERT_MAX)
		return 0;
	buffer[len] = '\0';
	return (size_t)len;
}

/* RFC 5424, table 2. */
static const uint8_t severities[FINDING_SEVERITIES] = {
	[FINDING_INFO] = 6, [FINDING_LOW] = 5,      [FINDING_MEDIUM] = 4,
	[FINDING_HIGH] = 3, [FINDING_CRITICAL] = 2,
};

size_t alert_print_syslog(char out[static ALERT_MAX], enum alert_format format,
			  const struct alert *a, const char *host, const char *proc)
{
	char time[CLOCK_TEXT], remote[ADDR_TEXT], suppressed[24];
	static char line[ALERT_MAX];
	struct syslog_message m = {.severity = 6,
				   .time = clock_text(time, a->now_s),
				   .host = host,
				   .app = "flowproof-collector",
				   .proc = proc,
				   .id = alert_whys[a->why],
				   .sd_id = "flowproof@32473", /* RFC 5612: nobody's number */
				   .params = {{"alert", alert_whys[a->why]},
					      {"suppressed", suppressed},
					      {"head", a->head}},
				   .n_params = 3,
				   .text = line};
	const struct finding *f = a->finding;
	size_t len = alert_print(line, format, a);

	(void)snprintf(suppressed, sizeof suppressed, "%" PRIu64, a->suppressed);
	if (f) {
		if (len == 0)
			return 0;
		m.severity = severities[f->severity];
		m.id = finding_kinds[f->key.kind].name;
		m.params[3].name = "kind";
		m.params[3].value = m.id;
		m.params[4].name = "severity";
		m.params[4].value = finding_severity_text((enum finding_severity)f->severity);
		m.params[5].name = "remote";
		m.params[5].value = finding_remote_text(remote, f);
		m.params[6].name = "sensor";
		m.params[6].value = a->origin->sensor;
		m.n_params = 7;
	}
	line[len ? len - 1 : 0] = '\0';
	return syslog_print(out, ALERT_MAX, &m);
}
