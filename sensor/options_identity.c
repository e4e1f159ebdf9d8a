// SPDX-License-Identifier: Apache-2.0
/*
 * options, identity: what --field, its short forms (--vpc-id, ...), --interface-id and --mirror-vni
 * say of the interfaces. The field table decides which fields are theirs to say.
 */
#include "sensor/options.h"

#include <stdlib.h>
#include <string.h>

#include "platform/config.h"
#include "platform/ec2/imds_run.h"
#include "platform/text.h"

/* What one option says. */
struct saying {
	const char *option, *whole;
	const char *device; /* NULL: of every interface */
	size_t device_len;
	enum flowrec_text text;
	const char *value;
};

static bool is_device(const struct options_text *t, const char *name)
{
	return strlen(name) == t->device_len && memcmp(name, t->device, t->device_len) == 0;
}

static bool device_exists(const struct options *o, const struct options_text *t)
{
	size_t i = 0;

	while (options_device(o, i) && !is_device(t, options_device(o, i)))
		i++;
	return options_device(o, i) != NULL;
}

/* The value as it is printed; tags are percent-encoded as Amazon does it. */
static int take_value(struct options_text *t, const struct saying *s, struct err *err)
{
	enum flowrec_field field = flowrec_field_of(s->text);
	bool encode = flowrec_fields[field].form == FLOWREC_AS_PERCENT_ENCODED;
	char encoded[FLOWREC_TEXT_MAX + 1];
	const char *value = s->value;

	if (encode) {
		if (!text_is_plain(value, FLOWREC_TEXT_MAX) ||
		    !text_percent_encode(encoded, sizeof encoded, value))
			return err_set(err, ERR_USAGE,
				       "%s '%.60s': a tag is UTF-8 of at most %d bytes when "
				       "percent-encoded",
				       s->option, s->whole, FLOWREC_TEXT_MAX);
		value = encoded;
	} else if (!text_is_word(value, FLOWREC_TEXT_MAX)) {
		return err_set(
			err, ERR_USAGE,
			"%s '%.60s' cannot be a field of a record: no blanks, UTF-8, at most "
			"%d bytes",
			s->option, s->whole, FLOWREC_TEXT_MAX);
	}
	t->value = strdup(value);
	return t->value ? 0 : err_errno(err, "%s", s->option);
}

static int take(struct options *o, const struct saying *s, struct err *err)
{
	struct options_text t = {.text = s->text, .device = s->device, .device_len = s->device_len};
	int rc;

	if (t.device && !device_exists(o, &t))
		return err_set(err, ERR_USAGE, "%s '%.60s': no interface '%.*s' is %s", s->option,
			       s->whole, (int)t.device_len, t.device,
			       o->read ? "there: that of a capture file is called 'file'"
				       : "captured: give it with --interface");
	for (size_t i = 0; i < o->n_texts; i++) {
		const struct options_text *other = &o->texts[i];

		if (other->text == t.text && other->device_len == t.device_len &&
		    (!t.device || memcmp(other->device, t.device, t.device_len) == 0))
			return err_set(err, ERR_USAGE,
				       "%s '%.60s': the field has the value '%.60s' already",
				       s->option, s->whole, other->value);
	}
	if (o->n_texts == OPTIONS_TEXTS_MAX)
		return err_set(err, ERR_USAGE, "%s '%.60s': more than %d values of fields",
			       s->option, s->whole, OPTIONS_TEXTS_MAX);
	rc = take_value(&t, s, err);
	if (!rc)
		o->texts[o->n_texts++] = t;
	return rc;
}

/* NAME=VALUE, at `pair`. */
static int take_pair(struct options *o, struct saying s, const char *pair, struct err *err)
{
	size_t len = strcspn(pair, "=");
	enum flowrec_field field = flowrec_field_by_name(pair, len);

	if (pair[len] != '=' || pair[len + 1] == '\0')
		return err_set(err, ERR_USAGE, "%s '%.60s': write NAME=VALUE", s.option, s.whole);
	if (field == FLOWREC_FIELDS)
		return err_set(err, ERR_USAGE,
			       "%s '%.60s': unknown field '%.*s'; --help lists the names", s.option,
			       s.whole, (int)len, pair);
	s.text = flowrec_text_of(field);
	s.value = pair + len + 1;
	if (s.text == FLOWREC_TEXTS)
		return err_set(err, ERR_USAGE,
			       "%s '%.60s': '%.*s' is not the interface's to say; --help marks "
			       "those that are with *",
			       s.option, s.whole, (int)len, pair);
	return take(o, &s, err);
}

/* [IF:]NAME=VALUE; an interface's name may contain colons. */
static int take_field(struct options *o, const char *whole, struct err *err)
{
	const char *colon = memrchr(whole, ':', strcspn(whole, "="));
	struct saying s = {
		.option = "--field",
		.whole = whole,
		.device = colon ? whole : NULL,
		.device_len = colon ? (size_t)(colon - whole) : 0,
	};

	return take_pair(o, s, colon ? colon + 1 : whole, err);
}

/* VNI NAME=VALUE ... */
static int take_vni(struct options *o, size_t i, struct err *err)
{
	static const char between[] = " \t,";
	const char *name = o->mirrored.of[i].name;
	struct saying s = {
		.option = "--mirror-vni",
		.whole = o->mirror_vnis.v[i],
		.device = name,
		.device_len = strlen(name),
	};
	char *copy = strdup(o->mirrored.of[i].fields), *rest = copy, *word;
	int rc = copy ? 0 : err_errno(err, "--mirror-vni");

	while (!rc && (word = strtok_r(rest, between, &rest)))
		rc = take_pair(o, s, word, err);
	free(copy);
	return rc;
}

/* [IF=]ID */
static int take_interface_id(struct options *o, const char *whole, struct err *err)
{
	const char *equals = strchr(whole, '=');

	return take(o,
		    &(struct saying){
			    .option = "--interface-id",
			    .whole = whole,
			    .device = equals ? whole : NULL,
			    .device_len = equals ? (size_t)(equals - whole) : 0,
			    .text = FLOWREC_T_INTERFACE_ID,
			    .value = equals ? equals + 1 : whole,
		    },
		    err);
}

static int check_sizes(const struct options *o, struct err *err)
{
	const char *name;

	for (size_t i = 0; (name = options_device(o, i)); i++) {
		struct flowrec_identity identity;
		size_t sum = 0;

		options_identity(o, i, &identity);
		for (size_t t = 0; t < FLOWREC_TEXTS; t++)
			sum += strlen(identity.text[t]);
		if (sum > FLOWREC_IDENTITY_MAX)
			return err_set(err, ERR_USAGE,
				       "the fields of interface %s have %zu bytes: at most %d may "
				       "be said of one",
				       name, sum, FLOWREC_IDENTITY_MAX);
	}
	return 0;
}

#ifdef CONFIG_IMDS
#	define is_ec2() imds_is_ec2()
#else
#	define is_ec2() false
#endif

static int understand_source(struct options *o, struct err *err)
{
	const char *from = o->identity ? o->identity : "auto";
	bool is_imds = strcmp(from, "imds") == 0, is_auto = strcmp(from, "auto") == 0;

	if (!is_imds && !is_auto && strcmp(from, "config") != 0)
		return err_set(err, ERR_USAGE, "--identity '%.60s': it is auto, imds or config",
			       from);
	if (is_imds && o->read)
		return err_set(err, ERR_USAGE,
			       "--identity imds is for live capture: of a capture file say "
			       "--field, --interface-id and the like");
	o->asks_metadata =
		IS_ENABLED(CONFIG_IMDS) && !o->read && (is_imds || (is_auto && is_ec2()));
	return 0;
}

int options_understand_identity(struct options *o, struct err *err)
{
	const struct {
		const char *option, *value;
		enum flowrec_text text;
	} short_forms[] = {
		{"--account-id", o->account_id, FLOWREC_T_ACCOUNT_ID},
		{"--vpc-id", o->vpc_id, FLOWREC_T_VPC_ID},
		{"--subnet-id", o->subnet_id, FLOWREC_T_SUBNET_ID},
		{"--instance-id", o->instance_id, FLOWREC_T_INSTANCE_ID},
		{"--region", o->region, FLOWREC_T_REGION},
		{"--az-id", o->az_id, FLOWREC_T_AZ_ID},
	};
	int rc = IS_ENABLED(CONFIG_IMDS) ? understand_source(o, err) : 0;

	for (size_t i = 0; !rc && i < sizeof short_forms / sizeof short_forms[0]; i++)
		if (short_forms[i].value && *short_forms[i].value)
			rc = take(o,
				  &(struct saying){.option = short_forms[i].option,
						   .whole = short_forms[i].value,
						   .text = short_forms[i].text,
						   .value = short_forms[i].value},
				  err);
	for (size_t i = 0; !rc && i < o->interface_ids.n; i++)
		rc = take_interface_id(o, o->interface_ids.v[i], err);
	for (size_t i = 0; IS_ENABLED(CONFIG_MIRROR) && !rc && i < o->mirrored.n; i++)
		rc = take_vni(o, i, err);
	for (size_t i = 0; !rc && i < o->field.n; i++)
		rc = take_field(o, o->field.v[i], err);
	return rc ? rc : check_sizes(o, err);
}

static size_t captures(const struct options *o)
{
	return o->read ? 1 : o->interfaces.n;
}

const char *options_device(const struct options *o, size_t i)
{
	if (i < captures(o))
		return o->read ? OPTIONS_FILE_DEVICE : o->interfaces.v[i];
	i -= captures(o);
	return IS_ENABLED(CONFIG_MIRROR) && o->mirror && i <= o->mirrored.n
		       ? mirror_name(&o->mirrored, (uint16_t)i)
		       : NULL;
}

void options_sources(const struct flowrec_identity *identity, uint8_t ret[static FLOWREC_TEXTS])
{
	for (size_t i = 0; i < FLOWREC_TEXTS; i++)
		ret[i] = *identity->text[i] ? WIRE_SOURCE_CONFIGURED : WIRE_SOURCE_UNKNOWN;
}

void options_print_identity(const struct options *o, FILE *out)
{
	/* Those that instance metadata can say. */
	static const uint8_t asked[] = {FLOWREC_T_ACCOUNT_ID,  FLOWREC_T_INTERFACE_ID,
					FLOWREC_T_VPC_ID,      FLOWREC_T_SUBNET_ID,
					FLOWREC_T_INSTANCE_ID, FLOWREC_T_REGION,
					FLOWREC_T_AZ_ID};

	for (size_t i = 0; options_device(o, i); i++) {
		struct flowrec_identity identity;

		options_identity(o, i, &identity);
		for (size_t f = 0; f < sizeof asked; f++) {
			const char *value = identity.text[asked[f]];

			fprintf(out, "# identity %s %s %s %s\n", identity.interface,
				flowrec_text_names[asked[f]], *value ? value : "-",
				*value                                ? "configured"
				: o->asks_metadata && i < captures(o) ? "imds"
								      : "unknown");
		}
	}
}

/* The particular goes before the general, which is said of this machine, not of those it mirrors. */
void options_identity(const struct options *o, size_t i, struct flowrec_identity *ret)
{
	bool own = i < captures(o);

	flowrec_identity_init(ret);
	ret->interface = options_device(o, i);
	ret->sensor = o->id;
	for (int particular = 0; particular < 2; particular++) {
		for (const struct options_text *t = o->texts; t < o->texts + o->n_texts; t++)
			if (t->device ? particular && is_device(t, ret->interface)
				      : own && !particular)
				ret->text[t->text] = t->value;
	}
}

void options_free_identity(struct options *o)
{
	for (size_t i = 0; i < o->n_texts; i++)
		free(o->texts[i].value);
	o->n_texts = 0;
}
