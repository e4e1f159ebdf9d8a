// SPDX-License-Identifier: Apache-2.0
/*
 * mirror: see mirror.h.
 */
#include "sensor/mirror.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sensor/decode_parts.h"

enum {
	VXLAN_PORT = 4789,
	VXLAN_HEADER = 8,
	VXLAN_HAS_VNI = 0x08,
	VNI_MAX = 0xffffff,
};

/* ---- the table ---- */

int mirror_add(struct mirror *m, const char *line, struct err *err)
{
	struct mirror_vni v;
	char *end = NULL;
	unsigned long vni = 0;

	if (*line >= '0' && *line <= '9')
		vni = strtoul(line, &end, 10);
	if (!end || (*end && !strchr(" \t,", *end)) || vni > VNI_MAX)
		return err_set(err, ERR_USAGE,
			       "--mirror-vni '%.60s': it begins with a VNI, a number up to %d",
			       line, VNI_MAX);
	v = (struct mirror_vni){.vni = (uint32_t)vni, .fields = end};
	snprintf(v.name, sizeof v.name, "vni-%lu", vni);
	for (uint16_t i = 0; i < m->n; i++)
		if (m->of[i].vni == v.vni)
			return err_set(err, ERR_USAGE, "--mirror-vni %u is given twice", v.vni);
	if (m->n == MIRROR_VNIS_MAX)
		return err_set(err, ERR_USAGE, "--mirror-vni: at most %d can be given",
			       MIRROR_VNIS_MAX);
	m->of[m->n++] = v;
	return 0;
}

const char *mirror_name(const struct mirror *m, uint16_t i)
{
	return i < m->n ? m->of[i].name : "vni-unlisted";
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
	ret->snapped = outer->snapped && ret->captured < ret->wire;
	ret->is_own = false;
	return decode_packet(LINK_EN10MB, ret, d);
}
