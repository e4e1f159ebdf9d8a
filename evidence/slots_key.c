// SPDX-License-Identifier: Apache-2.0
/*
 * Keys of Flow Logs files, and the words of options.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "evidence/slots_parts.h"
#include "platform/clock.h"

enum { HASH_DIGITS = 8 };

const char *const slots_formats[SLOTS_FORMATS] = {"text", "parquet", "ocsf"};
const char *const slots_layouts[SLOTS_LAYOUTS] = {"default", "hourly", "hive", "hive-hourly"};

static const char *const services[SLOTS_WHATS] = {"vpcflowlogs", "flowproofcomplement",
						  "flowproofdns"};

static const uint64_t last_slot = 253402300799 / SLOT_S; /* of the year 9999 */

static void take_word(char *out, size_t cap, const char *text, const char *otherwise)
{
	size_t len = text ? strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789-")
			  : 0;

	if (len == 0 || text[len] != '\0' || len >= cap || text[0] == '-') {
		text = otherwise;
		len = strlen(otherwise);
	}
	memcpy(out, text, len);
	out[len] = '\0';
}

void slots_owner_of(struct slots_owner *ret, const struct flowrec_identity *identity)
{
	memset(ret, 0, sizeof *ret); /* compared as bytes */
	take_word(ret->account, sizeof ret->account, identity->text[FLOWREC_T_ACCOUNT_ID],
		  "000000000000");
	take_word(ret->region, sizeof ret->region, identity->text[FLOWREC_T_REGION], "local");
}

int slots_key(char out[static OBJECT_KEY_MAX], const struct slots_config *c, enum slots_what what,
	      const struct slots_owner *o, uint64_t slot, const uint8_t digest[static SHA256_BYTES])
{
	bool is_hive = c->layout == SLOTS_HIVE || c->layout == SLOTS_HIVE_HOURLY,
	     is_hourly = c->layout == SLOTS_HOURLY || c->layout == SLOTS_HIVE_HOURLY;
	const char *end = what == SLOTS_DNS            ? "log.gz"
			  : c->format == SLOTS_PARQUET ? "log.parquet"
			  : c->format == SLOTS_OCSF    ? "ocsf.json.gz"
						       : "log.gz",
		   *slash = *c->prefix ? "/" : "";
	char when[CLOCK_TEXT], folder[256], hour[16] = "", hex[SHA256_HEX];
	int n;

	/* 2026-01-31T12:35:00Z */
	(void)clock_text(when, (slot < last_slot ? slot : last_slot) * SLOT_S);
	if (is_hourly)
		(void)snprintf(hour, sizeof hour, "%s%.2s/", is_hive ? "hour=" : "", when + 11);
	if (is_hive)
		n = snprintf(folder, sizeof folder,
			     "aws-account-id=%s/aws-service=%s/aws-region=%s/"
			     "year=%.4s/month=%.2s/day=%.2s/",
			     o->account, services[what], o->region, when, when + 5, when + 8);
	else
		n = snprintf(folder, sizeof folder, "%s/%s/%s/%.4s/%.2s/%.2s/", o->account,
			     services[what], o->region, when, when + 5, when + 8);
	if (n > 0 && (size_t)n < sizeof folder)
		n = snprintf(out, OBJECT_KEY_MAX,
			     "%s%sAWSLogs/%s%s%s_%s_%s_%s_%.4s%.2s%.2sT%.2s%.2sZ_%.*s.%s",
			     c->prefix, slash, folder, hour, o->account, services[what], o->region,
			     c->flow_log, when, when + 5, when + 8, when + 11, when + 14,
			     HASH_DIGITS, crypto_hex(hex, digest, SHA256_BYTES), end);
	return n > 0 && n < OBJECT_KEY_MAX ? 0 : -ENAMETOOLONG;
}

void slots_flow_log_id(char out[static SLOTS_FLOW_LOG_ID],
		       const uint8_t store[static LEDGER_STORE_ID])
{
	char hex[2 * LEDGER_STORE_ID + 1];

	(void)snprintf(out, SLOTS_FLOW_LOG_ID, "fl-%.17s", crypto_hex(hex, store, LEDGER_STORE_ID));
}

/* ---- options ---- */

static int word_of(const char *given, const char *option, const char *name,
		   const char *const *words, size_t n, struct err *err)
{
	char list[64] = "";
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (!given || strcmp(given, words[i]) == 0)
			return (int)i;
		len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "",
					words[i]);
	}
	return err_set(err, ERR_USAGE, "--%s%s %s: it is one of %s", option, name, given, list);
}

/* Letters that need no escape in a key or a path; no empty part, no "." and "..". */
static bool prefix_is_fine(const char *prefix)
{
	size_t part = 0;

	for (const char *p = prefix;; p++) {
		if (*p && *p != '/') {
			if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789!-_.*'()=",
				    *p))
				return false;
			part++;
			continue;
		}
		if (part == 0 || (part == 1 && p[-1] == '.') ||
		    (part == 2 && p[-1] == '.' && p[-2] == '.'))
			return false;
		if (!*p)
			return true;
		part = 0;
	}
}

int slots_options(struct slots_config *ret, const char *option, const char *format,
		  const char *layout, const char *fields, const char *prefix, struct err *err)
{
	int f = word_of(format, option, "format", slots_formats, SLOTS_FORMATS, err),
	    l = f < 0 ? f : word_of(layout, option, "layout", slots_layouts, SLOTS_LAYOUTS, err);
	struct err why;

	if (l < 0)
		return l;
	ret->format = (enum slots_format)f;
	ret->layout = (enum slots_layout)l;
	ret->prefix = prefix ? prefix : "";
	if (*ret->prefix && (strlen(prefix) > OBJECT_KEY_MAX / 2 || !prefix_is_fine(prefix)))
		return err_set(err, ERR_USAGE,
			       "--%sprefix %s: it is made of letters, digits and !-_.*'()=, with / "
			       "between its parts alone",
			       option, prefix);
	if (strcmp(ret->prefix, "AWSLogs") == 0)
		return err_set(err, ERR_USAGE, "--%sprefix AWSLogs: that folder is made anyway",
			       option);
	flowrec_format_default(&ret->fields);
	if (!fields)
		return 0;
	if (f == SLOTS_OCSF)
		return err_set(err, ERR_USAGE, "--%sfields has no meaning with ocsf", option);
	if (flowrec_format_parse(&ret->fields, fields, &why) < 0)
		return err_set(err, ERR_USAGE, "--%sfields: %s", option, why.text);
	return 0;
}
