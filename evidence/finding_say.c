// SPDX-License-Identifier: Apache-2.0
/*
 * A finding in words: its kind and its figures are enough for the sentence, in each language of finding_words.def.
 */
#include <inttypes.h>
#include <string.h>

#include "evidence/finding.h"
#include "platform/clock.h"
#include "proto/blinding.h"

enum saying {
#define SAYING(id, en, ja) S_##id,
#include "evidence/finding_words.def"
#undef SAYING
	SAYINGS
};

static const char *const sayings[SAYINGS][VERDICT_LANGS] = {
#define SAYING(id, en, ja) [S_##id] = {en, ja},
#include "evidence/finding_words.def"
#undef SAYING
};

struct words {
	enum verdict_lang lang;
	char *out;
	size_t len;
};

enum { NUMBER = 24 };

static const char *digits(char out[static NUMBER], uint64_t n)
{
	(void)snprintf(out, NUMBER, "%" PRIu64, n);
	return out;
}

static void put_values(struct words *w, enum saying id, const char *const *values)
{
	char text[SAY_MAX];

	(void)say_fill(text, sayings[id][w->lang], values);
	w->len = say_put(w->out, w->len, FINDING_SENTENCE, text, strlen(text));
}
#define put(w, id, ...) put_values(w, id, (const char *const[]){__VA_ARGS__})

const char *finding_name(enum verdict_lang lang, const struct finding *f)
{
	return f->name && strcmp(f->name, FINDING_OTHER_DOMAINS) == 0
		       ? sayings[S_OTHER_DOMAINS][lang]
		       : f->name;
}

/* Who called whom, and how far it got. */
static void put_course(struct words *w, const struct finding *f)
{
	enum saying course = S_OUT_NOTHING;

	if (f->key.direction == FLOWREC_INGRESS)
		course = f->outcome == FLOWREC_REFUSED    ? S_IN_REFUSED
			 : f->outcome < FLOWREC_ANSWERED  ? S_IN_NOTHING
			 : f->reached == FINDING_DATA_OUT ? S_IN_DATA
							  : S_IN_ANSWERED;
	else if (f->reached == FINDING_DATA_OUT)
		course = S_OUT_DATA;
	else if (f->reached == FINDING_ANSWERED)
		course = S_OUT_ANSWERED;
	else if (f->outcome == FLOWREC_REFUSED)
		course = S_OUT_REFUSED;
	put(w, course, NULL);
	if (f->under_way)
		put(w, S_UNDER_WAY, NULL);
}

static void put_beacon(struct words *w, const struct finding *f)
{
	char n[4][NUMBER];

	put(w, S_BEACON, digits(n[0], f->count), digits(n[1], f->values[0] / 10),
	    digits(n[2], f->values[0] % 10), digits(n[3], f->values[1]), NULL);
	if (f->name)
		put(w, S_BEACON_DNS, finding_name(w->lang, f), NULL);
	if (f->values[2])
		put(w, S_BEACON_SPREAD, digits(n[0], f->values[2]), NULL);
	put(w, S_COLON, NULL);
}

/* What was done to the file, each thing once. */
static void put_wiped(struct words *w, const struct finding *f)
{
	static const struct {
		enum finding_wiped how;
		enum saying say;
	} all[] = {{FINDING_WIPED_CUT, S_WIPED_CUT},
		   {FINDING_WIPED_DELETED, S_WIPED_DELETED},
		   {FINDING_WIPED_MOVED, S_WIPED_MOVED},
		   {FINDING_WIPED_OVERWRITTEN, S_WIPED_OVERWRITTEN}};
	char n[2][NUMBER], until[CLOCK_TEXT];
	bool is_first = true;

	put(w, S_WIPED, f->name ? f->name : "?", NULL);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (!(f->values[0] & all[i].how))
			continue;
		if (!is_first)
			put(w, S_AND, NULL);
		put(w, all[i].say, NULL);
		is_first = false;
	}
	put(w, S_WIPED_FIGURES, digits(n[0], f->count), digits(n[1], f->values[1]),
	    clock_text(until, f->last), NULL);
}

static void put_blinding(struct words *w, const struct finding *f)
{
	static const uint8_t what[BATCH_BLINDING_KINDS] = {
		[BATCH_BLINDING_SOCKET] = S_BLIND_SOCKET,
		[BATCH_BLINDING_PROMISCUOUS] = S_BLIND_PROMISCUOUS,
		[BATCH_BLINDING_XDP] = S_BLIND_XDP,
		[BATCH_BLINDING_TC] = S_BLIND_TC,
		[BATCH_BLINDING_EBPF] = S_BLIND_EBPF,
		[BATCH_BLINDING_FILTER] = S_BLIND_FILTER};
	const char *name = f->name ? strchr(f->name, ' ') : NULL; /* behind the word of the kind */
	char n[NUMBER], until[CLOCK_TEXT];

	name = name ? name + 1 : "?";
	if (f->values[0] == BATCH_BLINDING_COUNTERS)
		put(w, S_BLIND_COUNTERS, name, digits(n, f->count), NULL);
	else if (f->values[0] > 0 && f->values[0] < BATCH_BLINDING_KINDS)
		put(w, (enum saying)what[f->values[0]], name, NULL);
	put(w, S_UNTIL, clock_text(until, f->last), NULL);
}

static void put_kind(struct words *w, const struct finding *f)
{
	const char *name = f->name ? finding_name(w->lang, f) : "?";
	char count[NUMBER], n[3][NUMBER];

	(void)digits(count, f->count);
	for (size_t i = 0; i < 3; i++)
		(void)digits(n[i], f->values[i]);
	switch ((enum finding_kind)f->key.kind) {
	case FINDING_UNEXPECTED_EGRESS:
	case FINDING_UNEXPECTED_INBOUND: return;
	case FINDING_WATCH_LIST: put(w, S_WATCH_LIST, name, NULL); return;
	case FINDING_DNS_OTHER_RESOLVER: put(w, S_OTHER_RESOLVER, NULL); return;
	case FINDING_DOH: put(w, S_DOH, name, NULL); return;
	case FINDING_DOT: put(w, S_DOT, NULL); return;
	case FINDING_SPAM: put(w, S_SPAM, NULL); return;
	case FINDING_ODD_PROTOCOL:
		put(w, S_ODD_PROTOCOL, digits(n[0], f->key.protocol), NULL);
		return;
	case FINDING_ICMP_TUNNEL: put(w, S_ICMP_TUNNEL, NULL); return;
	case FINDING_VOLUME:
		if (f->values[2])
			put(w, S_VOLUME_SPREAD, count, n[2], NULL);
		else
			put(w, S_VOLUME, count, NULL);
		return;
	case FINDING_DRIP:
		put(w, S_DRIP, count, digits(n[0], (f->last - f->first) / 60 + 1), NULL);
		return;
	case FINDING_SWEEP: put(w, S_SWEEP, count, n[0], n[1], NULL); return;
	case FINDING_SCAN: put(w, S_SCAN, count, n[0], n[1], NULL); return;
	case FINDING_DNS_TUNNEL: put(w, S_DNS_TUNNEL, count, name, n[0], n[1], NULL); return;
	case FINDING_METADATA_CREDENTIALS:
		if (f->name)
			put(w, S_CREDENTIALS, name, n[0], n[1], NULL);
		else
			put(w, S_METADATA, NULL);
		return;
	case FINDING_BEACON: put_beacon(w, f); return;
	case FINDING_BLINDING:
	case FINDING_LOG_WIPED:
	case FINDING_KINDS: break;
	}
}

const char *finding_say(char out[static FINDING_SENTENCE], enum verdict_lang lang,
			const struct finding *f)
{
	const struct finding_traffic *t = &f->traffic;
	char until[CLOCK_TEXT], n[4][NUMBER];
	struct words w = {.lang = lang, .out = out};

	if (!finding_has_remote(f)) {
		(f->key.kind == FINDING_BLINDING ? put_blinding : put_wiped)(&w, f);
		out[w.len] = '\0';
		return out;
	}
	put_kind(&w, f);
	put_course(&w, f);
	put(&w, S_FIGURES, digits(n[0], t->packets_out), digits(n[1], t->bytes_out),
	    digits(n[2], t->packets_in), digits(n[3], t->bytes_in), clock_text(until, f->last),
	    NULL);
	out[w.len] = '\0';
	return out;
}
