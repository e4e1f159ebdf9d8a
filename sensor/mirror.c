// SPDX-License-Identifier: Apache-2.0
/*
 * mirror: see mirror.h.
 */
#include "sensor/mirror.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/text.h"
#include "sensor/decode_parts.h"

enum {
	VXLAN_PORT = 4789,
	VXLAN_HEADER = 8,
	VXLAN_HAS_VNI = 0x08,
	VNI_MAX = 0xffffff,
};

/* ---- the table ---- */

static const char **member(struct flowrec_identity *id, const char *name)
{
	const struct {
		const char *name;
		const char **value;
	} members[] = {
		{"interface-id", &id->interface_id},
		{"account-id", &id->account_id},
		{"vpc-id", &id->vpc_id},
		{"subnet-id", &id->subnet_id},
		{"instance-id", &id->instance_id},
		{"region", &id->region},
		{"az-id", &id->az_id},
	};

	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
		if (strcmp(members[i].name, name) == 0)
			return members[i].value;
	return NULL;
}

static int parse_vni(struct mirror_vni *v, const char *word, struct err *err)
{
	char *end = NULL;
	unsigned long vni = 0;

	if (word && *word >= '0' && *word <= '9')
		vni = strtoul(word, &end, 10);
	if (!end || *end || vni > VNI_MAX)
		return err_set(err, ERR_USAGE,
			       "--mirror-vni '%s': it begins with a VNI, a number up to %d",
			       word ? word : "", VNI_MAX);
	v->vni = (uint32_t)vni;
	snprintf(v->name, sizeof v->name, "vni-%lu", vni);
	return 0;
}

static int parse_pair(struct mirror_vni *v, char *word, struct err *err)
{
	char *value = strchr(word, '=');
	const char **where;

	if (value)
		*value++ = '\0';
	where = member(&v->identity, word);
	if (!value || !where || *where || !*value || !text_is_word(value, FLOWREC_ID_MAX))
		return err_set(
			err, ERR_USAGE,
			"--mirror-vni %u: '%s': a name of interface-id account-id vpc-id subnet-id "
			"instance-id region az-id, each once, '=' and a value",
			v->vni, word);
	*where = value;
	return 0;
}

int mirror_add(struct mirror *m, const char *line, struct err *err)
{
	struct mirror_vni v = {.text = strdup(line)};
	char *rest = v.text, *word;
	int rc;

	if (!v.text)
		return err_errno(err, "--mirror-vni");
	word = strtok_r(rest, " \t,", &rest);
	rc = parse_vni(&v, word, err);
	while (!rc && (word = strtok_r(rest, " \t,", &rest)))
		rc = parse_pair(&v, word, err);
	for (uint16_t i = 0; !rc && i < m->n; i++)
		if (m->of[i].vni == v.vni)
			rc = err_set(err, ERR_USAGE, "--mirror-vni %u is given twice", v.vni);
	if (!rc && m->n == MIRROR_VNIS_MAX)
		rc = err_set(err, ERR_USAGE, "--mirror-vni: at most %d can be given",
			     MIRROR_VNIS_MAX);
	if (rc)
		free(v.text);
	else
		m->of[m->n++] = v;
	return rc;
}

void mirror_free(struct mirror *m)
{
	for (uint16_t i = 0; i < m->n; i++)
		free(m->of[i].text);
	m->n = 0;
}

struct flowrec_identity mirror_identity(const struct mirror *m, uint16_t i)
{
	struct flowrec_identity id = {.interface = "vni-unlisted"};

	if (i < m->n) {
		id = m->of[i].identity;
		id.interface = m->of[i].name;
	}
	return id;
}

/* ---- frames ---- */

static uint16_t number_of(const struct mirror *m, uint32_t vni)
{
	uint16_t i = 0;

	while (i < m->n && m->of[i].vni != vni)
		i++;
	return i;
}

enum decode_result mirror_enter(const struct mirror *m, uint16_t captures,
				const struct packet *outer, struct decoded *d, struct packet *ret)
{
	struct rd rd = rd_init(outer->data, outer->captured);
	size_t before = (size_t)d->ip_at + d->header;
	const uint8_t *vxlan;

	*ret = *outer;
	if (d->protocol != IP_UDP || d->dstport != VXLAN_PORT ||
	    d->bytes < (uint64_t)d->header + VXLAN_HEADER)
		return DECODE_IP;
	if (!d->header || !rd_take(&rd, before) || !(vxlan = rd_take(&rd, VXLAN_HEADER)))
		return DECODE_BAD_MIRROR;
	if (!(vxlan[0] & VXLAN_HAS_VNI))
		return DECODE_IP;
	ret->iface = (uint16_t)(captures + number_of(m, be32(vxlan + 4) >> 8));
	ret->data = rd.p;
	/* The frame is as long as the outer IP header says, and never longer than what came. */
	ret->wire = outer->wire > before + VXLAN_HEADER
			    ? outer->wire - (uint32_t)(before + VXLAN_HEADER)
			    : 0;
	if (d->bytes - d->header - VXLAN_HEADER < ret->wire)
		ret->wire = (uint32_t)(d->bytes - d->header - VXLAN_HEADER);
	ret->captured = (uint32_t)rd_left(&rd);
	if (ret->captured > ret->wire)
		ret->captured = ret->wire;
	return decode_packet(LINK_EN10MB, ret, d);
}
