// SPDX-License-Identifier: Apache-2.0
/*
 * Which interface of the one witness is which of the other, and which addresses are the machine's own.
 *
 * Where lines say their direction the addresses are known. Else they are found from pairs: every line of an
 * interface has one of its addresses, so the address with the most different peers is one; what is then left
 * is asked again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/reconcile_parts.h"

/* ---- names ---- */

static uint32_t hash_name(const char *name, size_t len)
{
	uint32_t h = 2166136261u; /* FNV-1a: names come from AWS, at most 4096 are kept */

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 16777619u;
	return h;
}

static bool has_name(const struct reconcile_interface *iface, const char *name, size_t len)
{
	return strlen(iface->name) == len && memcmp(iface->name, name, len) == 0;
}

int ifaces_find(struct reconcile *rec, const char *name, size_t len, struct err *err)
{
	uint32_t slot;
	uint16_t i;

	if (len == 0) {
		name = "-";
		len = 1;
	}
	if (len >= RECONCILE_NAME_MAX)
		len = RECONCILE_NAME_MAX - 1;
	if (rec->result.n_interfaces > 0 && has_name(&rec->names[rec->last], name, len))
		return rec->last;
	slot = hash_name(name, len) % NAMES_SLOTS;
	while ((i = rec->slots[slot]) != 0 && !has_name(&rec->names[i - 1], name, len))
		slot = (slot + 1) % NAMES_SLOTS;
	if (i != 0)
		return rec->last = (uint16_t)(i - 1);
	if (rec->result.n_interfaces == RECONCILE_INTERFACES_MAX)
		return err_set(err, ERR_FULL, "more than %d interfaces: name one with --interface",
			       RECONCILE_INTERFACES_MAX);
	i = (uint16_t)rec->result.n_interfaces++;
	memcpy(rec->names[i].name, name, len);
	rec->ifaces[i] = (struct interface){.map = i, .from = INT64_MAX, .to = INT64_MIN};
	rec->slots[slot] = (uint16_t)(i + 1);
	return rec->last = i;
}

void ifaces_fini(struct interface *iface)
{
	free(iface->locals);
	free(iface->pairs);
	free(iface->uses);
	spans_fini(&iface->ends);
}

void ifaces_free(struct reconcile *rec)
{
	for (size_t i = 0; i < rec->result.n_interfaces; i++) {
		ifaces_fini(&rec->ifaces[i]);
		spans_fini(&rec->names[i].host);
		spans_fini(&rec->names[i].gaps);
		spans_fini(&rec->names[i].witness);
		spans_fini(&rec->names[i].skipped);
		spans_fini(&rec->names[i].missing);
	}
	free(rec->ifaces);
	free(rec->names);
}

/* ---- addresses ---- */

bool ifaces_has_local(const struct interface *iface, uint8_t family, const struct addr *addr)
{
	for (size_t i = 0; i < iface->n_locals; i++) {
		if (iface->locals[i].family == family &&
		    memcmp(&iface->locals[i].addr, addr, sizeof *addr) == 0)
			return true;
	}
	return false;
}

static int add_local(struct interface *iface, uint8_t family, const struct addr *addr)
{
	if (addr_is_multicast(family, addr) || addr_is_unspecified(addr) ||
	    iface->n_locals == LOCALS_MAX || ifaces_has_local(iface, family, addr))
		return 0;
	if (!iface->locals)
		iface->locals = calloc(LOCALS_MAX, sizeof iface->locals[0]);
	if (!iface->locals)
		return -ENOMEM;
	iface->locals[iface->n_locals++] = (struct local){*addr, family};
	return 0;
}

static bool is_pair(const struct pair *pair, const struct row *row)
{
	return pair->family == row->family &&
	       ((memcmp(&pair->a, &row->src, 16) == 0 && memcmp(&pair->b, &row->dst, 16) == 0) ||
		(memcmp(&pair->b, &row->src, 16) == 0 && memcmp(&pair->a, &row->dst, 16) == 0));
}

/* Of both addresses, whichever comes first, and the side. */
static uint32_t hash_pair(const struct row *row)
{
	uint64_t w[4];

	memcpy(w, &row->src, 16);
	memcpy(w + 2, &row->dst, 16);
	w[0] = (w[0] ^ w[2]) * 0x9e3779b97f4a7c15 + (w[1] ^ w[3]) + (row->flags & ROW_WITNESS);
	return (uint32_t)(w[0] >> 32 ^ w[0]) | 1; /* 0 is an empty place */
}

static int learn_pair(struct interface *iface, const struct row *row)
{
	bool is_witness = row->flags & ROW_WITNESS;
	uint32_t hash = hash_pair(row);

	if (iface->n_sampled[is_witness] == SAMPLE_MAX || addr_is_multicast(row->family, &row->dst))
		return 0;
	if (!iface->pairs)
		iface->pairs = calloc(1, sizeof *iface->pairs);
	if (!iface->pairs)
		return -ENOMEM;
	if (iface->pairs->seen[hash / 2 % SAMPLE_SEEN] == hash)
		return 0;
	iface->pairs->seen[hash / 2 % SAMPLE_SEEN] = hash;
	for (size_t i = iface->n_pairs; i-- > 0;) {
		if (iface->pairs->v[i].is_witness == is_witness &&
		    is_pair(&iface->pairs->v[i], row))
			return 0;
	}
	iface->n_sampled[is_witness]++;
	iface->pairs->v[iface->n_pairs++] =
		(struct pair){row->src, row->dst, row->family, false, is_witness};
	return 0;
}

int ifaces_learn(struct interface *iface, const struct row *row)
{
	int rc = 0;

	if (row->flags & (ROW_INGRESS | ROW_EGRESS))
		rc = add_local(iface, row->family, row->flags & ROW_EGRESS ? &row->src : &row->dst);
	return rc < 0 ? rc : learn_pair(iface, row);
}

/* RFC 1918, RFC 4193. */
static bool is_private(uint8_t family, const struct addr *addr)
{
	const uint8_t *b = addr->b;

	if (family == 6)
		return (b[0] & 0xfe) == 0xfc;
	return b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168);
}

static unsigned score(const struct interface *iface, uint8_t family, const struct addr *addr)
{
	unsigned n = 0;

	for (size_t i = 0; i < iface->n_pairs; i++) {
		const struct pair *p = &iface->pairs->v[i];

		n += !p->is_taken && p->family == family &&
		     (memcmp(&p->a, addr, 16) == 0 || memcmp(&p->b, addr, 16) == 0);
	}
	return 2 * n + is_private(family, addr);
}

static void take_pairs(struct interface *iface)
{
	for (size_t i = 0; i < iface->n_pairs; i++) {
		struct pair *p = &iface->pairs->v[i];

		p->is_taken = p->is_taken || ifaces_has_local(iface, p->family, &p->a) ||
			      ifaces_has_local(iface, p->family, &p->b);
	}
}

/* The address of an untaken pair with the most peers, if it stands out from the other end of it. */
static const struct addr *best(const struct interface *iface, uint8_t *family)
{
	const struct addr *found = NULL;
	unsigned most = 0;

	for (size_t i = 0; i < iface->n_pairs; i++) {
		const struct pair *p = &iface->pairs->v[i];
		unsigned a, b;

		if (p->is_taken)
			continue;
		a = score(iface, p->family, &p->a);
		b = score(iface, p->family, &p->b);
		if (a != b && (a > b ? a : b) > most) {
			most = a > b ? a : b;
			found = a > b ? &p->a : &p->b;
			*family = p->family;
		}
	}
	return found;
}

int ifaces_find_locals(struct interface *iface)
{
	const struct addr *addr;
	uint8_t family = 0;
	int rc = 0;

	take_pairs(iface);
	while (rc == 0 && iface->n_locals < LOCALS_MAX && (addr = best(iface, &family))) {
		rc = add_local(iface, family, addr);
		take_pairs(iface);
	}
	return rc;
}

enum flowrec_direction ifaces_direction(const struct interface *iface, const struct row *row)
{
	bool src = ifaces_has_local(iface, row->family, &row->src);
	bool dst = ifaces_has_local(iface, row->family, &row->dst);

	if (row->flags & ROW_INGRESS)
		return FLOWREC_INGRESS;
	if (row->flags & ROW_EGRESS)
		return FLOWREC_EGRESS;
	return src == dst ? FLOWREC_DIRECTION_UNKNOWN : src ? FLOWREC_EGRESS : FLOWREC_INGRESS;
}

/* ---- primary and secondary ---- */

static unsigned told_of(const struct interface *iface, const struct local *local)
{
	unsigned n = 0;

	for (size_t i = 0; i < iface->n_pairs; i++) {
		const struct pair *p = &iface->pairs->v[i];

		n += p->is_witness && p->family == local->family &&
		     (memcmp(&p->a, &local->addr, 16) == 0 || memcmp(&p->b, &local->addr, 16) == 0);
	}
	return n;
}

/* IPv6 addresses are told as they are. */
static bool find_primary(struct interface *iface, unsigned *ret_secondary)
{
	unsigned most = 0, n = 0;

	for (size_t i = 0; i < iface->n_locals; i++) {
		unsigned told = told_of(iface, &iface->locals[i]);

		if (iface->locals[i].family != 4)
			continue;
		n++;
		if (told > most) {
			most = told;
			iface->primary = iface->locals[i].addr;
		}
	}
	iface->has_primary = most > 0 && n > 1;
	*ret_secondary = iface->has_primary ? n - 1 : 0;
	return iface->has_primary;
}

bool ifaces_have_primary(struct reconcile *rec)
{
	bool any = false;

	for (size_t i = 0; i < rec->result.n_interfaces; i++) {
		struct interface *iface = &rec->ifaces[i];

		if (rec->names[i].is_ours && !iface->has_pkt && !rec->config.is_against)
			any = find_primary(iface, &rec->names[i].secondary) || any;
	}
	return any;
}

void ifaces_to_primary(const struct interface *iface, struct row *row)
{
	if (!iface->has_primary || row->family != 4)
		return;
	if (ifaces_has_local(iface, 4, &row->src))
		row->src = iface->primary;
	if (ifaces_has_local(iface, 4, &row->dst))
		row->dst = iface->primary;
}

/* ---- flow logs on an interface ---- */

int ifaces_use_log(struct interface *iface, const struct row *row)
{
	bool is_reject = row->flags & ROW_REJECT;
	struct log_use *use;
	size_t i = 0;

	while (i < iface->n_uses &&
	       (iface->uses[i].log != row->log || iface->uses[i].is_reject != is_reject))
		i++;
	if (i == iface->n_uses) {
		use = realloc(iface->uses, (i + 1) * sizeof *use);
		if (!use)
			return -ENOMEM;
		iface->uses = use;
		iface->uses[iface->n_uses++] =
			(struct log_use){row->log, is_reject, 0, INT64_MAX, INT64_MIN};
	}
	use = &iface->uses[i];
	use->lines++;
	if (row->start < use->from)
		use->from = row->start;
	if (row->end > use->to)
		use->to = row->end;
	return 0;
}

/* A log covers the same time with both kinds of lines, if it has them at all. */
static void widen_uses(struct interface *iface)
{
	for (size_t i = 0; i < iface->n_uses; i++) {
		for (size_t k = 0; k < iface->n_uses; k++) {
			struct log_use *a = &iface->uses[i], *b = &iface->uses[k];

			if (a->log != b->log)
				continue;
			a->from = a->from < b->from ? a->from : b->from;
			a->to = a->to > b->to ? a->to : b->to;
		}
	}
}

static int compare_uses(const void *p, const void *q)
{
	const struct log_use *a = p, *b = q;

	return a->lines != b->lines ? (a->lines < b->lines) - (a->lines > b->lines)
				    : a->log - b->log;
}

/* ---- which is which ---- */

/* One takes over what was learnt of the other. */
static int merge(struct reconcile *rec, size_t into, size_t from)
{
	struct interface *a = &rec->ifaces[into], *b = &rec->ifaces[from];
	struct reconcile_interface *x = &rec->names[into], *y = &rec->names[from];
	int rc = 0;

	b->map = (uint16_t)into;
	a->is_host = a->is_host || b->is_host;
	a->is_watched = a->is_watched || b->is_watched;
	a->has_pkt = a->has_pkt || b->has_pkt;
	a->from = a->from < b->from ? a->from : b->from;
	a->to = a->to > b->to ? a->to : b->to;
	for (size_t i = 0; i < b->n_locals && rc == 0; i++)
		rc = add_local(a, b->locals[i].family, &b->locals[i].addr);
	for (size_t i = 0; i < b->n_pairs && rc == 0; i++) {
		struct row row = {.src = b->pairs->v[i].a,
				  .dst = b->pairs->v[i].b,
				  .family = b->pairs->v[i].family,
				  .flags = b->pairs->v[i].is_witness ? ROW_WITNESS : 0};

		rc = ifaces_learn(a, &row);
	}
	for (size_t i = 0; i < b->n_uses && rc == 0; i++) {
		struct log_use *uses = realloc(a->uses, (a->n_uses + 1) * sizeof *uses);

		if (!uses)
			return -ENOMEM;
		a->uses = uses;
		a->uses[a->n_uses++] = b->uses[i];
	}
	for (size_t i = 0; i < y->host.n && rc == 0; i++)
		rc = spans_add(&x->host, y->host.v[i].from, y->host.v[i].to, 0);
	for (size_t i = 0; i < y->gaps.n && rc == 0; i++)
		rc = spans_add(&x->gaps, y->gaps.v[i].from, y->gaps.v[i].to, 0);
	for (size_t i = 0; i < y->witness.n && rc == 0; i++)
		rc = spans_add(&x->witness, y->witness.v[i].from, y->witness.v[i].to, 0);
	for (size_t i = 0; i < b->ends.n && rc == 0; i++)
		rc = spans_add(&a->ends, b->ends.v[i].from, b->ends.v[i].to,
			       RECONCILE_MISSING_MIN_S);
	for (size_t i = 0; i < y->skipped.n && rc == 0; i++)
		rc = spans_add(&x->skipped, y->skipped.v[i].from, y->skipped.v[i].to, 0);
	x->host_rows += y->host_rows;
	x->witness_rows += y->witness_rows;
	return rc;
}

static bool is_named(const struct reconcile_interface *iface)
{
	return strcmp(iface->name, "-") != 0;
}

/* Of the witness' interfaces that the machine does not name: the only one, or the only one that has an
 * address of the machine. */
static int find_partner(struct reconcile *rec, size_t nameless, struct err *err)
{
	size_t n = 0, fitting = 0, found = 0;
	char list[160] = "";

	(void)ifaces_find_locals(&rec->ifaces[nameless]);
	for (size_t i = 0; i < rec->result.n_interfaces; i++) {
		struct interface *iface = &rec->ifaces[i];
		bool fits = false;

		if (i == nameless || iface->is_host || rec->names[i].witness_rows == 0)
			continue;
		n++;
		if (fitting == 0)
			found = i;
		if (strlen(list) + strlen(rec->names[i].name) + 3 < sizeof list) {
			strncat(list, n > 1 ? ", " : "", sizeof list - strlen(list) - 1);
			strncat(list, rec->names[i].name, sizeof list - strlen(list) - 1);
		}
		if (ifaces_find_locals(iface) < 0)
			return err_set(err, -ENOMEM, "no memory for addresses");
		for (size_t k = 0; k < rec->ifaces[nameless].n_locals; k++)
			fits = fits ||
			       ifaces_has_local(iface, rec->ifaces[nameless].locals[k].family,
						&rec->ifaces[nameless].locals[k].addr);
		if (fits) {
			fitting++;
			found = i;
		}
	}
	if (n > 1 && fitting != 1)
		return err_set(err, ERR_USAGE,
			       "the records name no interface and the Flow Logs hold %zu (%s): say "
			       "which is "
			       "this machine's with --interface ID",
			       n, list);
	return n == 0 ? (int)nameless : (int)found;
}

static int settle_nameless(struct reconcile *rec, struct err *err)
{
	size_t n = rec->result.n_interfaces, nameless = n, hosts = 0, host = n;

	for (size_t i = 0; i < n; i++) {
		if (!is_named(&rec->names[i])) {
			nameless = i;
		} else if (rec->ifaces[i].is_host) {
			hosts++;
			host = i;
		}
	}
	if (nameless == n)
		return 0;
	if (rec->ifaces[nameless].is_host) {
		int partner = find_partner(rec, nameless, err);

		if (partner < 0)
			return partner;
		rec->ifaces[partner].is_host = true;
		return (size_t)partner == nameless ? 0 : merge(rec, (size_t)partner, nameless);
	}
	/* The witness' format has no interface-id. */
	if (hosts == 1)
		return merge(rec, host, nameless);
	return hosts == 0 ? 0
			  : err_set(err, ERR_USAGE,
				    "the Flow Logs name no interface and the records several: "
				    "choose one "
				    "with --interface ID");
}

static bool is_in_subnets(const struct reconcile_config *config, uint8_t family,
			  const struct addr *addr)
{
	bool ret = false;

	for (size_t i = 0; i < config->n_subnets && !ret; i++)
		ret = cidr_has(&config->subnets[i], family, addr);
	return ret;
}

/* Where neither end of a pair stands out it is the one within the VPC, if the other is not. */
static int find_locals_by_subnets(const struct reconcile *rec, struct interface *iface)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < iface->n_pairs; i++) {
		const struct pair *p = &iface->pairs->v[i];
		bool a = is_in_subnets(&rec->config, p->family, &p->a);

		if (!p->is_taken && iface->n_locals < LOCALS_MAX &&
		    a != is_in_subnets(&rec->config, p->family, &p->b)) {
			rc = add_local(iface, p->family, a ? &p->a : &p->b);
			take_pairs(iface);
		}
	}
	return rc;
}

int ifaces_settle(struct reconcile *rec, struct err *err)
{
	int rc = settle_nameless(rec, err);

	for (size_t i = 0; rc == 0 && i < rec->result.n_interfaces; i++) {
		struct interface *iface = &rec->ifaces[i];

		if (iface->map != i)
			continue;
		if (!iface->is_host) {
			iface->map = NO_INTERFACE;
			rec->result.other_interface_lines += rec->names[i].witness_rows;
			continue;
		}
		rec->names[i].is_ours = true;
		rc = ifaces_find_locals(iface);
		if (rc == 0)
			rc = find_locals_by_subnets(rec, iface);
		widen_uses(iface);
		if (iface->n_uses > 1)
			qsort(iface->uses, iface->n_uses, sizeof iface->uses[0], compare_uses);
	}
	return rc == -ENOMEM ? err_set(err, rc, "no memory for addresses") : rc;
}
