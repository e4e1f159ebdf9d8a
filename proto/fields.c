// SPDX-License-Identifier: Apache-2.0
/*
 * The field table (fields.def) as data.
 */
#include "proto/flowrec.h"

#include <string.h>

static const char *const actions[] = {
	[FLOWREC_ACCEPT] = "ACCEPT",
	[FLOWREC_REJECT] = "REJECT",
};
static const char *const statuses[] = {
	[FLOWREC_OK] = "OK",
	[FLOWREC_NODATA] = "NODATA",
	[FLOWREC_SKIPDATA] = "SKIPDATA",
};
static const char *const types[] = {[4] = "IPv4", [6] = "IPv6"};
static const char *const directions[] = {
	[FLOWREC_INGRESS] = "ingress",
	[FLOWREC_EGRESS] = "egress",
};
static const char *const initiators[] = {
	[FLOWREC_INITIATOR_SRC] = "src",
	[FLOWREC_INITIATOR_DST] = "dst",
};
static const char *const verdicts[] = {
	[FLOWREC_EXPECTED] = "expected",
	[FLOWREC_WATCHED] = "watched",
	[FLOWREC_UNEXPECTED_EGRESS] = "unexpected_egress",
	[FLOWREC_UNEXPECTED_INBOUND] = "unexpected_inbound",
};
static const char *const outcomes[] = {
	[FLOWREC_SENT] = "sent",         [FLOWREC_UNANSWERED] = "unanswered",
	[FLOWREC_REFUSED] = "refused",   [FLOWREC_ANSWERED] = "answered",
	[FLOWREC_DATA_OUT] = "data_out",
};

#define REC(member)                                                                                \
	.at = offsetof(struct flowrec, member), .size = sizeof(((struct flowrec *)0)->member)
#define ID(member)   .at = offsetof(struct flowrec_identity, member)
#define WORDS(texts) .words = (texts), .n_words = sizeof(texts) / sizeof((texts)[0])

const struct flowrec_field_info flowrec_fields[FLOWREC_FIELDS] = {
#define FIELD(id, name_, version_, parquet_, form_, origin_, help_, ...)                           \
	[FLOWREC_F_##id] = {.name = (name_),                                                       \
			    .help = (help_),                                                       \
			    .version = (version_),                                                 \
			    .parquet = FLOWREC_##parquet_,                                         \
			    .form = FLOWREC_AS_##form_,                                            \
			    .origin = FLOWREC_OF_##origin_,                                        \
			    __VA_ARGS__},
#include "proto/fields.def"
};

const char *const flowrec_text_names[FLOWREC_TEXTS] = {
#define FIELD(...)
#define TEXT(id, name, ...) [FLOWREC_T_##id] = (name),
#include "proto/fields.def"
};

enum flowrec_field flowrec_field_by_name(const char *name, size_t len)
{
	enum flowrec_field i = 0;

	while (i < FLOWREC_FIELDS && (strlen(flowrec_fields[i].name) != len ||
				      memcmp(flowrec_fields[i].name, name, len) != 0))
		i++;
	return i;
}

enum flowrec_text flowrec_text_of(enum flowrec_field field)
{
	const struct flowrec_field_info *info = &flowrec_fields[field];

	if (info->origin != FLOWREC_OF_INTERFACE)
		return FLOWREC_TEXTS;
	return (enum flowrec_text)((info->at - offsetof(struct flowrec_identity, text)) /
				   sizeof(const char *));
}

enum flowrec_field flowrec_field_of(enum flowrec_text text)
{
	static const uint8_t fields[FLOWREC_TEXTS] = {
#define FIELD(...)
#define TEXT(id, ...) [FLOWREC_T_##id] = FLOWREC_F_##id,
#include "proto/fields.def"
	};

	return (enum flowrec_field)fields[text];
}

void flowrec_identity_init(struct flowrec_identity *ret)
{
	*ret = (struct flowrec_identity){.sensor = ""};
	for (size_t i = 0; i < FLOWREC_TEXTS; i++)
		ret->text[i] = "";
}
