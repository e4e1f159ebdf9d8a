// SPDX-License-Identifier: Apache-2.0
/*
 * dns_log: see dns_log.h.
 */
#include "proto/dns_log.h"

#include <string.h>

#include "platform/clock.h"
#include "platform/json.h"

#define VERSION "1.100000"

enum { WORD = 16 }; /* bytes of one with NUL */

struct word {
	uint16_t value;
	const char *text;
};

/* https://www.iana.org/assignments/dns-parameters: what is seen in the wild. */
static const struct word types[] = {
	{1, "A"},      {2, "NS"},    {5, "CNAME"},   {6, "SOA"},    {10, "NULL"},  {12, "PTR"},
	{13, "HINFO"}, {15, "MX"},   {16, "TXT"},    {28, "AAAA"},  {29, "LOC"},   {33, "SRV"},
	{35, "NAPTR"}, {37, "CERT"}, {39, "DNAME"},  {41, "OPT"},   {43, "DS"},    {44, "SSHFP"},
	{46, "RRSIG"}, {47, "NSEC"}, {48, "DNSKEY"}, {50, "NSEC3"}, {52, "TLSA"},  {64, "SVCB"},
	{65, "HTTPS"}, {99, "SPF"},  {249, "TKEY"},  {250, "TSIG"}, {251, "IXFR"}, {252, "AXFR"},
	{255, "ANY"},  {256, "URI"}, {257, "CAA"},
};
static const struct word classes[] = {{1, "IN"}, {3, "CH"}, {4, "HS"}, {254, "NONE"}, {255, "ANY"}};
static const struct word rcodes[] = {
	{0, "NOERROR"},  {1, "FORMERR"},  {2, "SERVFAIL"},   {3, "NXDOMAIN"}, {4, "NOTIMP"},
	{5, "REFUSED"},  {6, "YXDOMAIN"}, {7, "YXRRSET"},    {8, "NXRRSET"},  {9, "NOTAUTH"},
	{10, "NOTZONE"}, {16, "BADVERS"}, {23, "BADCOOKIE"},
};

/* "A", "TYPE65"; into `out` where it is a number. */
static const char *text_of(char out[static WORD], const struct word *words, size_t n,
			   uint16_t value, const char *otherwise)
{
	for (size_t i = 0; i < n; i++)
		if (words[i].value == value)
			return words[i].text;
	(void)snprintf(out, WORD, "%s%u", otherwise, (unsigned)value);
	return out;
}

#define TEXT_OF(out, words, value, otherwise)                                                      \
	text_of(out, words, sizeof(words) / sizeof(words)[0], value, otherwise)

static void put(FILE *out, const char *name, const char *value)
{
	fprintf(out, "\"%s\":", name);
	json_print_string(out, value);
	fputc(',', out);
}

static const char *or_else(const char *value, const char *otherwise)
{
	return value && *value ? value : otherwise;
}

/* A name has its dot at the end there. */
static const char *with_dot(char out[static BATCH_NAME_MAX + 2], const char *name, bool is_cut)
{
	size_t len = strlen(name);

	memcpy(out, name, len + 1);
	if (len && !is_cut && out[len - 1] != '.')
		memcpy(out + len, ".", 2);
	return out;
}

static void put_answer(FILE *out, const struct batch_dns_answer *a)
{
	char text[BATCH_NAME_MAX + 2], addr[ADDR_TEXT], word[WORD];
	const char *data = text;

	if (a->family)
		data = addr_text(addr, a->family, &a->addr);
	else if (!a->text[0])
		(void)snprintf(text, sizeof text, "\\# %u", (unsigned)a->size);
	else
		data = a->text[0] == '"' ? a->text : with_dot(text, a->text, a->is_cut);
	fputc('{', out);
	put(out, "Rdata", data);
	put(out, "Type", TEXT_OF(word, types, a->type, "TYPE"));
	fprintf(out, "\"Class\":\"%s\"}", TEXT_OF(word, classes, a->class, "CLASS"));
}

void dns_log_print(FILE *out, const struct batch_dns *d, const struct flowrec_identity *identity)
{
	const char *instance = identity->text[FLOWREC_T_INSTANCE_ID];
	char name[BATCH_NAME_MAX + 2], when[CLOCK_TEXT], word[WORD], addr[ADDR_TEXT];

	fputc('{', out);
	put(out, "version", VERSION);
	put(out, "account_id", or_else(identity->text[FLOWREC_T_ACCOUNT_ID], "000000000000"));
	put(out, "region", or_else(identity->text[FLOWREC_T_REGION], "local"));
	put(out, "vpc_id", or_else(identity->text[FLOWREC_T_VPC_ID], "-"));
	put(out, "query_timestamp", clock_text(when, (d->time_ns - d->waited_ns) / NS_PER_S));
	put(out, "query_name", with_dot(name, d->name, d->name_is_cut));
	put(out, "query_type", TEXT_OF(word, types, d->qtype, "TYPE"));
	put(out, "query_class", TEXT_OF(word, classes, d->qclass, "CLASS"));
	put(out, "rcode", d->is_response ? TEXT_OF(word, rcodes, d->rcode, "RCODE") : "-");
	fputs("\"answers\":[", out);
	for (size_t i = 0; i < d->n_answers; i++) {
		if (i)
			fputc(',', out);
		put_answer(out, &d->answers[i]);
	}
	fputs("],", out);
	put(out, "srcaddr", addr_text(addr, d->family, &d->client));
	fprintf(out, "\"srcport\":\"%u\",\"transport\":\"%s\",\"srcids\":{",
		(unsigned)d->client_port, d->over_tcp ? "TCP" : "UDP");
	if (instance && *instance) {
		fputs("\"instance\":", out);
		json_print_string(out, instance);
	}
	fputs("}}\n", out);
}
