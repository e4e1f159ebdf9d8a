// SPDX-License-Identifier: Apache-2.0
/*
 * The engine beside a slow evaluator that was written from flowproof-policy(5) and shares nothing with it: addresses are texts of
 * zeros and ones, names are lists of labels, protocols and numbers are looked for one by one, a boundary is two packets and a
 * memory. A million random flows against random policies; what makes a rule match is made likely, so that each answer occurs.
 */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifdef __SANITIZE_ADDRESS__
enum { POLICIES = 1000 };
#else
enum { POLICIES = 5000 };
#endif
enum {
	FLOWS = 200, /* against each: a million in all */
	RULES = 16,
	PLACES = 3,
	NUMBERS = 3,
	LISTS = 2,
	LIST_ITEMS = 6,
	BITS_TEXT = 129,
	NAME = 64,
	LABELS = 8,
};

static uint64_t seed;

static unsigned pick(unsigned n)
{
	seed = seed * 6364136223846793005U + 1442695040888963407U;
	return (unsigned)(seed >> 33) % n;
}

/* ---- texts of bits ---- */

struct bits {
	int family;
	char text[BITS_TEXT];
};

static struct bits bits_of(int family, const uint8_t *bytes, unsigned n)
{
	struct bits ret = {.family = family};

	for (unsigned i = 0; i < n; i++)
		ret.text[i] = bytes[i / 8] & 0x80 >> i % 8 ? '1' : '0';
	return ret;
}

static bool begins_with(const struct bits *address, const struct bits *prefix)
{
	return address->family == prefix->family &&
	       strncmp(address->text, prefix->text, strlen(prefix->text)) == 0;
}

static struct bits parsed(const char *text)
{
	struct cidr c;

	assert_int_equal(cidr_parse(text, &c, NULL), 0);
	return bits_of(c.family, c.addr.b, c.bits);
}

static struct addr addr_of(const struct bits *bits)
{
	struct addr ret = {{0}};

	for (size_t i = 0; bits->text[i]; i++)
		ret.b[i / 8] = (uint8_t)(ret.b[i / 8] | (bits->text[i] - '0') << (7 - i % 8));
	return ret;
}

/* ---- the machine ---- */

static const char *const locals[] = {"10.1.0.5", "2001:db8:1::5"};
static const char *const subnets[] = {"10.1.0.0/24", "2001:db8:1::/64"};
static const char *const resolvers[] = {"10.1.0.2", "10.1.0.7", "172.31.0.2"};
static const char *const collectors[] = {"10.1.0.9", "2001:db8::9"}; /* port 4739 */
static const char *const canaries[] = {"10.1.0.9"};                  /* port 4799 */
static const char *const services[] = {"169.254.169.253", "169.254.169.254", "169.254.169.123",
				       "169.254.169.250", "169.254.169.251", "169.254.170.2",
				       "169.254.170.23",  "fd00:ec2::/32"};
static const char *const links[] = {"224.0.0.0/24", "255.255.255.255", "ff02::/16", "fe80::/10"};
#define IN(list, address) is_in(list, sizeof(list) / sizeof(list)[0], address)

static bool is_in(const char *const *list, size_t n, const struct bits *address)
{
	for (size_t i = 0; i < n; i++) {
		struct bits prefix = parsed(list[i]);

		if (begins_with(address, &prefix))
			return true;
	}
	return false;
}

/* ---- names ---- */

/* The labels from the last to the first, in lower case; a backslash keeps the byte behind it. */
static unsigned labels_of(const char *name, char labels[static LABELS][NAME])
{
	char all[LABELS][NAME] = {{0}};
	unsigned n = 0, at = 0;

	for (; *name; name++) {
		if (*name == '.') {
			n++;
			at = 0;
			continue;
		}
		if (*name == '\\')
			name++;
		all[n][at++] = *name >= 'A' && *name <= 'Z' ? (char)(*name + 32) : *name;
	}
	n += at > 0;
	for (unsigned i = 0; i < n; i++)
		memcpy(labels[i], all[n - 1 - i], NAME);
	return n;
}

static bool name_matches(const char *pattern, const char *name)
{
	char want[LABELS][NAME], have[LABELS][NAME];
	bool wild = strncmp(pattern, "*.", 2) == 0;
	unsigned w = labels_of(wild ? pattern + 2 : pattern, want), h = labels_of(name, have);

	if (h < w || (h > w && !wild))
		return false;
	for (unsigned i = 0; i < w; i++) {
		if (strcmp(want[i], have[i]) != 0)
			return false;
	}
	return true;
}

/* ---- rules ---- */

enum kind { EXPECT, WATCH, BREACH, GROUP, ACL };

struct place {
	char word[NAME]; /* "any", "name a.b", "list l0", "10.0.0.0/8" ... as it is written */
	struct bits prefix;
	int list; /* -1: none */
};

struct rule {
	enum kind kind;
	bool out, any_protocol, deny;
	unsigned n_protocols, protocols[3];
	unsigned n_numbers, low[NUMBERS], high[NUMBERS];
	bool types;
	unsigned n_places;
	struct place places[PLACES];
	unsigned number;
};

struct model {
	struct rule rules[RULES];
	unsigned n;
	struct bits lists[LISTS][LIST_ITEMS];
	unsigned n_items[LISTS];
};

/* A flow's first packet. */
struct flow {
	struct bits remote;
	unsigned protocol, port, initiator_port;
	bool has_ports, has_icmp, out, in; /* out: begun here; in: sent to this machine */
	unsigned type, code;
	const char *names[2];
	unsigned n_names;
};

static bool place_takes(const struct model *m, const struct place *p, const struct flow *f)
{
	if (p->list >= 0) {
		for (unsigned i = 0; i < m->n_items[p->list]; i++) {
			if (begins_with(&f->remote, &m->lists[p->list][i]))
				return true;
		}
		return false;
	}
	if (strncmp(p->word, "name ", 5) == 0) {
		for (unsigned i = 0; i < f->n_names; i++) {
			if (name_matches(p->word + 5, f->names[i]))
				return true;
		}
		return false;
	}
	if (strcmp(p->word, "any") == 0)
		return true;
	if (strcmp(p->word, "subnet") == 0)
		return IN(subnets, &f->remote);
	if (strcmp(p->word, "local") == 0)
		return IN(locals, &f->remote);
	if (strcmp(p->word, "resolver") == 0)
		return IN(resolvers, &f->remote);
	if (strcmp(p->word, "link") == 0)
		return IN(links, &f->remote);
	if (strcmp(p->word, "collector") == 0)
		return IN(collectors, &f->remote) && (!f->has_ports || f->port == 4739);
	if (strcmp(p->word, "canary") == 0)
		return IN(canaries, &f->remote) && (!f->has_ports || f->port == 4799);
	return begins_with(&f->remote, &p->prefix);
}

static bool rule_takes_but_place(const struct rule *r, const struct flow *f, bool out,
				 unsigned port)
{
	bool protocol = r->any_protocol, number = r->n_numbers == 0;

	for (unsigned i = 0; i < r->n_protocols; i++)
		protocol = protocol || r->protocols[i] == f->protocol;
	if (r->types ? !f->has_icmp : !f->has_ports)
		number = true; /* what is not known is not compared */
	for (unsigned i = 0; i < r->n_numbers; i++) {
		unsigned v = r->types ? f->type * 256 + f->code : port;

		number = number || (r->low[i] <= v && v <= r->high[i]);
	}
	return r->out == out && protocol && number;
}

static bool any_place_takes(const struct model *m, const struct rule *r, const struct flow *f)
{
	bool taken = false;

	for (unsigned i = 0; i < r->n_places; i++)
		taken = taken || place_takes(m, &r->places[i], f);
	return taken;
}

struct answer {
	enum flowrec_verdict verdict;
	unsigned rule;
	bool may_help;
	enum flowrec_action action[2];
	unsigned boundary[2];
};

static bool has_name_place(const struct rule *r)
{
	for (unsigned i = 0; i < r->n_places; i++) {
		if (strncmp(r->places[i].word, "name ", 5) == 0)
			return true;
	}
	return false;
}

static void judge(const struct model *m, const struct flow *f, struct answer *a)
{
	enum flowrec_verdict unexpected =
		f->out ? FLOWREC_UNEXPECTED_EGRESS : FLOWREC_UNEXPECTED_INBOUND;

	if (!f->out && !f->in)
		return; /* two other machines */
	a->verdict = unexpected;
	for (unsigned i = 0; i < m->n; i++) {
		const struct rule *r = &m->rules[i];

		if (r->kind > BREACH || !rule_takes_but_place(r, f, f->out, f->port))
			continue;
		if (any_place_takes(m, r, f)) {
			a->rule = i + 1;
			a->verdict = r->kind == EXPECT  ? FLOWREC_EXPECTED
				     : r->kind == WATCH ? FLOWREC_WATCHED
							: unexpected;
			break;
		}
		if (r->kind != BREACH && has_name_place(r))
			a->may_help = true;
	}
	if (a->verdict != unexpected)
		a->may_help = false;
}

/* ---- boundaries ---- */

static bool is_unfiltered(const struct flow *f)
{
	struct bits router = parsed(f->remote.family == 4 ? "10.1.0.1" : "2001:db8:1::1");
	unsigned low = f->port < f->initiator_port ? f->port : f->initiator_port;
	bool dhcp = f->protocol == 17 && f->has_ports &&
		    ((low == 67 && f->port + f->initiator_port == 67 + 68) ||
		     (low == 546 && f->port + f->initiator_port == 546 + 547));
	/* Of the resolvers those at a base plus two: not 10.1.0.7. */
	bool vpc = begins_with(&f->remote, &(struct bits){4, "00001010000000010000000000000010"}) ||
		   begins_with(&f->remote, &(struct bits){4, "10101100000111110000000000000010"});

	return IN(services, &f->remote) || IN(links, &f->remote) ||
	       begins_with(&f->remote, &router) || (dhcp && IN(subnets, &f->remote)) ||
	       (vpc && (!f->has_ports || f->port == 53)) ||
	       (f->protocol == 58 && f->has_icmp && f->type >= 133 && f->type <= 137);
}

/* The packet that goes back. */
static struct flow turned(const struct flow *f)
{
	static const unsigned pairs[][3] = {{1, 8, 0},   {1, 13, 14},    {1, 15, 16},
					    {1, 17, 18}, {58, 128, 129}, {58, 139, 140}};
	struct flow back = *f;

	back.has_icmp = false;
	for (unsigned i = 0; i < 6; i++) {
		if (f->has_icmp && f->protocol == pairs[i][0] && f->type == pairs[i][1]) {
			back.has_icmp = true;
			back.type = pairs[i][2];
			back.code = 0;
		}
	}
	return back;
}

/* Lets one packet through one boundary, or not: the rule, and whether it refuses. */
static bool passes(const struct model *m, enum kind kind, const struct flow *f, bool out,
		   unsigned port, unsigned *rule)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct rule *r = &m->rules[i];

		if (r->kind == kind && rule_takes_but_place(r, f, out, port) &&
		    any_place_takes(m, r, f)) {
			*rule = i + 1;
			return kind == GROUP || !r->deny;
		}
	}
	*rule = kind == GROUP ? m->n + 1 : 0; /* 0: see below */
	return false;
}

static void cross(const struct model *m, const struct flow *f, struct answer *a)
{
	unsigned groups = 0, acls = 0, tracked = 0;
	struct flow packets[2] = {*f, turned(f)};

	for (unsigned i = 0; i < m->n; i++) {
		groups += m->rules[i].kind == GROUP;
		acls += m->rules[i].kind == ACL;
	}
	if ((!groups && !acls) || f->out == f->in || is_unfiltered(f))
		return;
	for (unsigned d = 0; d < 2; d++) {
		bool out = f->out == (d == 0);
		unsigned port = d ? f->initiator_port : f->port, group = 0, acl = 0;
		bool group_passes = true, acl_passes = true;

		if (tracked) {
			group = tracked; /* what may begin may be answered */
		} else if (groups) {
			group_passes = passes(m, GROUP, &packets[d], out, port, &group);
			if (d == 0 && group_passes)
				tracked = group;
		}
		if (acls && !IN(subnets, &f->remote)) {
			acl_passes = passes(m, ACL, &packets[d], out, port, &acl);
			if (!acl) /* the name of the rest stands behind the group's, if there is one */
				acl = m->n + (groups ? 2 : 1);
		}
		a->action[d] = group_passes && acl_passes ? FLOWREC_ACCEPT : FLOWREC_REJECT;
		if (group_passes && acl_passes)
			a->boundary[d] = group ? group : acl;
		else if (out)
			a->boundary[d] = !group_passes ? group : acl;
		else
			a->boundary[d] = !acl_passes ? acl : group;
	}
}

/* ---- random policies ---- */

static const char *const bases[] = {
	"10.1.0.0/24",   "10.1.0.9",        "10.0.0.0/8",    "192.0.2.0/24", "2001:db8::/32",
	"fe80::/10",     "224.0.0.22",      "172.31.0.2",    "0.0.0.0/0",    "::/0",
	"2001:db8:1::5", "169.254.169.253", "2001:db8:1::1", "10.1.0.1"};
static const char *const patterns[] = {"a.example", "*.a.example",   "b.a.example",
				       "*.example", "*.b.a.example", "ba.example"};
static const char *const seen[] = {"a.example",      "A.Example.",    "b.a.example",  "ba.example",
				   "c.b.A.example",  "b\\.a.example", "xa.example",   "example",
				   "a.example.test", "b.A.EXAMPLE.",  "c.ba.example", "test"};

/* A prefix near one of the bases: some bits more or fewer, one of them turned round. */
static struct bits random_prefix(void)
{
	struct bits ret = parsed(bases[pick(sizeof bases / sizeof bases[0])]);
	size_t full = ret.family == 4 ? 32 : 128, len = strlen(ret.text), want;

	want = len + pick(9);
	want = want < 4 + full ? (want > 4 ? want - 4 : 0) : full;
	want = want > full ? full : want;
	for (; len < want; len++)
		ret.text[len] = (char)('0' + pick(2));
	ret.text[want] = '\0';
	if (want && pick(4) == 0)
		ret.text[want - 1] ^= 1;
	return ret;
}

static void write_prefix(char out[static NAME], const struct bits *bits)
{
	struct cidr c = {.addr = addr_of(bits),
			 .family = (uint8_t)bits->family,
			 .bits = (uint8_t)strlen(bits->text)};
	char text[ADDR_ENDPOINT_TEXT];

	(void)snprintf(out, NAME, "%s", cidr_text(text, &c));
}

static void random_place(struct place *p, bool boundary, bool out)
{
	static const char *const words[] = {"any",  "subnet",    "local", "resolver",
					    "link", "collector", "canary"};
	unsigned kind = pick(10);

	*p = (struct place){.list = -1};
	if (kind < 2) {
		(void)snprintf(p->word, NAME, "%s", words[pick(boundary ? 2 : out ? 7 : 5)]);
	} else if (kind < 4 && !boundary) {
		(void)snprintf(p->word, NAME, "name %s", patterns[pick(6)]);
	} else if (kind < 5) {
		p->list = (int)pick(LISTS);
		(void)snprintf(p->word, NAME, "list l%d", p->list);
	} else {
		p->prefix = random_prefix();
		write_prefix(p->word, &p->prefix);
	}
}

static void random_rule(struct rule *r, enum kind kind, unsigned number)
{
	static const unsigned protocols[] = {6, 17, 132, 1, 58, 47};
	unsigned first = pick(6);

	*r = (struct rule){.kind = kind, .out = pick(2), .deny = pick(3) == 0, .number = number};
	r->any_protocol = pick(6) == 0;
	r->n_protocols = r->any_protocol ? 0 : 1 + (pick(3) == 0);
	r->protocols[0] = protocols[first];
	r->protocols[1] = first < 3 ? protocols[pick(3)] : first < 5 ? protocols[3 + pick(2)] : 47;
	r->types = first == 3 || first == 4;
	if (!r->any_protocol && first < 5)
		r->n_numbers = pick(NUMBERS + 1);
	for (unsigned i = 0; i < r->n_numbers; i++) {
		if (r->types) {
			unsigned types[] = {0, 3, 8, 128, 129, 135}, type = types[pick(6)];
			bool code = pick(2);

			r->low[i] = type * 256 + (code ? pick(2) : 0);
			r->high[i] = code ? r->low[i] : type * 256 + 255;
		} else {
			unsigned ports[] = {22, 53, 67, 443, 4799, 4739};

			r->low[i] = ports[pick(6)] - pick(2);
			r->high[i] = r->low[i] + (pick(2) ? pick(3) : pick(60000));
		}
	}
	r->n_places = 1 + pick(PLACES);
	for (unsigned i = 0; i < r->n_places; i++)
		random_place(&r->places[i], kind >= GROUP, r->out);
}

static void write_rule(const struct rule *r, FILE *out)
{
	static const char *const heads[] = {"expect", "watch", "breach", "boundary group",
					    "boundary acl"};

	(void)fprintf(out, "%s %s ", heads[r->kind], r->out ? "out" : "in");
	if (r->kind == ACL)
		(void)fprintf(out, "%u %s ", r->number, r->deny ? "deny" : "allow");
	(void)fputs(r->any_protocol ? "any" : "", out);
	for (unsigned i = 0; i < r->n_protocols; i++)
		(void)fprintf(out, "%s%u", i ? "+" : "", r->protocols[i]);
	for (unsigned i = 0; i < r->n_numbers; i++) {
		(void)fputs(i ? "," : " ", out);
		if (r->types && r->low[i] == r->high[i])
			(void)fprintf(out, "%u/%u", r->low[i] / 256, r->low[i] % 256);
		else if (r->types)
			(void)fprintf(out, "%u", r->low[i] / 256);
		else
			(void)fprintf(out, "%u-%u", r->low[i], r->high[i]);
	}
	(void)fputs(r->out ? " to " : " from ", out);
	for (unsigned i = 0; i < r->n_places; i++)
		(void)fprintf(out, "%s%s", i ? ", " : "", r->places[i].word);
	(void)fputc('\n', out);
}

static char *random_model(struct model *m, size_t *len)
{
	char *text = NULL, item[NAME];
	FILE *out = open_memstream(&text, len);
	unsigned groups = pick(2) ? pick(6) : 0, acls = pick(2) ? pick(6) : 0;

	assert_non_null(out);
	*m = (struct model){.n = 0};
	for (unsigned l = 0; l < LISTS; l++) {
		m->n_items[l] = 1 + pick(LIST_ITEMS);
		for (unsigned i = 0; i < m->n_items[l]; i++) {
			m->lists[l][i] = random_prefix();
			write_prefix(item, &m->lists[l][i]);
			(void)fprintf(out, "list l%u %s\n", l, item);
		}
	}
	/* All kinds mixed: each keeps its own order. */
	while (m->n < RULES) {
		enum kind kind = groups && pick(3) == 0 ? GROUP
				 : acls && pick(3) == 0 ? ACL
							: (enum kind)pick(3);
		struct rule *r = &m->rules[m->n++];

		random_rule(r, kind, m->n * 10);
		groups -= kind == GROUP;
		acls -= kind == ACL;
		write_rule(r, out);
	}
	assert_int_equal(fclose(out), 0);
	return text;
}

/* ---- random flows, near what the rules say ---- */

static struct bits random_address(const struct model *m)
{
	const struct rule *r = &m->rules[pick(m->n)];
	const struct place *p = &r->places[pick(r->n_places)];
	struct bits ret = pick(4) == 0       ? parsed(services[pick(8)])
			  : p->list >= 0     ? m->lists[p->list][pick(m->n_items[p->list])]
			  : p->prefix.family ? p->prefix
					     : random_prefix();
	size_t len = strlen(ret.text), full = ret.family == 4 ? 32 : 128;

	if (len && pick(4) == 0)
		ret.text[len - 1] ^= 1;
	for (bool zeros = pick(2); len < full; len++)
		ret.text[len] = (char)('0' + (zeros ? 0 : pick(2)));
	ret.text[full] = '\0';
	return ret;
}

static unsigned random_number(const struct model *m)
{
	const struct rule *r = &m->rules[pick(m->n)];
	unsigned i;

	if (r->n_numbers == 0)
		return pick(65536);
	i = pick(r->n_numbers);
	return (pick(2) ? r->low[i] : r->high[i]) + pick(3) - 1U;
}

static void random_flow(const struct model *m, struct flow *f)
{
	const unsigned protocols[] = {6, 17, 132, 1, 58, 47};
	unsigned ends = pick(8), number = random_number(m) & 0xffff;

	*f = (struct flow){.remote = random_address(m), .protocol = protocols[pick(6)]};
	f->out = ends & 1;
	f->in = ends == 0 ? false : !f->out || ends == 7;
	if (f->protocol == 6 || f->protocol == 17 || f->protocol == 132) {
		f->has_ports = pick(8) > 0;
		f->port = f->has_ports ? number : 0;
		f->initiator_port = f->has_ports ? random_number(m) & 0xffff : 0;
		if (f->has_ports && pick(20) == 0) {
			f->port = 67;
			f->initiator_port = 68;
		}
	} else if (f->protocol != 47) {
		f->has_icmp = pick(8) > 0;
		f->type = f->has_icmp ? number >> 8 : 0;
		f->code = f->has_icmp ? number & 255 : 0;
	}
	f->n_names = pick(3);
	for (unsigned i = 0; i < f->n_names; i++)
		f->names[i] = seen[pick(sizeof seen / sizeof seen[0])];
}

/* ---- both ---- */

struct context {
	struct cidr local[2], subnets[2], resolvers[3];
	struct endpoint collectors[2], canary;
	struct policy_context context;
};

static void fill_context(struct context *c)
{
	for (unsigned i = 0; i < 2; i++) {
		struct cidr end;

		assert_int_equal(cidr_parse(locals[i], &c->local[i], NULL), 0);
		assert_int_equal(cidr_parse(subnets[i], &c->subnets[i], NULL), 0);
		assert_int_equal(cidr_parse(collectors[i], &end, NULL), 0);
		c->collectors[i] =
			(struct endpoint){.addr = end.addr, .port = 4739, .family = end.family};
	}
	c->canary = c->collectors[0];
	c->canary.port = 4799;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(cidr_parse(resolvers[i], &c->resolvers[i], NULL), 0);
	c->context = (struct policy_context){.local = c->local,
					     .n_local = 2,
					     .subnets = c->subnets,
					     .n_subnets = 2,
					     .collectors = c->collectors,
					     .n_collectors = 2,
					     .canary = &c->canary,
					     .n_canary = 1,
					     .resolvers = c->resolvers,
					     .n_resolvers = 3};
}

static void compare(const struct policy *policy, const struct policy_context *context,
		    const struct model *m, const struct flow *f, const char *text,
		    unsigned hits[static 16])
{
	struct answer want = {.verdict = FLOWREC_VERDICT_NONE};
	struct policy_query query = {
		.remote = addr_of(&f->remote),
		.family = (uint8_t)f->remote.family,
		.protocol = (uint8_t)f->protocol,
		.port = (uint16_t)f->port,
		.initiator_port = (uint16_t)f->initiator_port,
		.has_ports = f->has_ports,
		.has_icmp = f->has_icmp,
		.icmp_type = (uint8_t)f->type,
		.icmp_code = (uint8_t)f->code,
		.initiator_local = f->out,
		.responder_local = f->in,
		.names = f->names,
		.n_names = f->n_names,
	};
	struct policy_ruling ruling;
	struct policy_crossing crossing;
	char address[ADDR_TEXT];

	judge(m, f, &want);
	cross(m, f, &want);
	policy_judge(policy, context, &query, &ruling);
	policy_cross(policy, context, &query, &crossing);
	if (ruling.verdict != want.verdict || ruling.rule != want.rule ||
	    ruling.name_may_help != want.may_help || crossing.action[0] != want.action[0] ||
	    crossing.action[1] != want.action[1] || crossing.rule[0] != want.boundary[0] ||
	    crossing.rule[1] != want.boundary[1])
		fail_msg("%s\nremote %s protocol %u ports %d %u %u icmp %d %u/%u out %d in %d "
			 "names %u %s: "
			 "verdict %d rule %u help %d actions %d %d by %u %u; the engine says %d %u "
			 "%d "
			 "%d %d %u %u",
			 text, addr_text(address, query.family, &query.remote), f->protocol,
			 f->has_ports, f->port, f->initiator_port, f->has_icmp, f->type, f->code,
			 f->out, f->in, f->n_names, f->n_names ? f->names[0] : "",
			 (int)want.verdict, want.rule, want.may_help, (int)want.action[0],
			 (int)want.action[1], want.boundary[0], want.boundary[1],
			 (int)ruling.verdict, ruling.rule, ruling.name_may_help, crossing.action[0],
			 crossing.action[1], crossing.rule[0], crossing.rule[1]);
	hits[want.verdict]++;
	hits[8] += want.may_help;
	if (want.boundary[0])
		hits[9 + 2 * want.action[0] + want.action[1]]++;
	hits[13] += want.rule && has_name_place(&m->rules[want.rule - 1]);
	hits[14] += want.boundary[0] > m->n;
}

static void test_against_slow(void **state)
{
	unsigned hits[16] = {0};
	struct context c;
	const char *given = getenv("FLOWPROOF_SEED");

	(void)state;
	seed = given ? strtoull(given, NULL, 10) : 1;
	fill_context(&c);
	for (unsigned round = 0; round < POLICIES; round++) {
		struct policy *policy;
		struct model m;
		struct err err;
		size_t len;
		char *text = random_model(&m, &len);

		if (policy_parse(&policy, "random", text, len, &err) != 0)
			fail_msg("%s\n%s", err.text, text);
		for (unsigned i = 0; i < FLOWS; i++) {
			struct flow f;

			random_flow(&m, &f);
			compare(policy, &c.context, &m, &f, text, hits);
		}
		policy_free(policy);
		free(text);
	}
	/* No answer is rare, so that the comparison means something. */
	for (unsigned i = 0; i < 15; i++) {
		if ((i < 5 || i > 7) && hits[i] < POLICIES)
			fail_msg("answer %u came %u times", i, hits[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_slow)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
