// SPDX-License-Identifier: Apache-2.0
/*
 * Reads of role credentials from instance metadata (EC2 User Guide, "Retrieve security credentials from instance
 * metadata"): the path tells which role, the token header which version. What else is asked is not told. Where no request
 * was read, that the service was spoken to is told as information.
 *
 * Where the policy expects the service to be spoken to, a read with a token is what every SDK does, and information; one
 * without is still told as medium. A read comes before the record that tells the verdict: until then nothing expects it.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/detect.h"
#include "evidence/table.h"
#include "platform/clock.h"
#include "platform/ec2/imds.h"

enum { TCP = 6, ROLES_MAX = 4096, ROLE_TEXT = 128 };

struct role {
	char name[ROLE_TEXT]; /* key, with the next two; the rest zero */
	struct addr server;
	uint64_t owner;
	uint64_t first, last;
	uint64_t v1, v2; /* reads */
	struct finding_evidence evidence;
	uint32_t source;
	uint8_t family;
	bool has_changed;
};
enum { ROLE_KEY = ROLE_TEXT + 16 + 8 };
_Static_assert(offsetof(struct role, first) == ROLE_KEY, "the key ends here");

struct metadata {
	struct table *roles;
	bool was_read; /* any request */
};

static int open_metadata(void **ret, const struct findings_config *config, struct err *err)
{
	struct metadata *m = calloc(1, sizeof *m);

	(void)config;
	if (!m || table_new(&m->roles, sizeof(struct role), ROLE_KEY, ROLES_MAX) < 0) {
		free(m);
		return err_set(err, -ENOMEM, "no memory for metadata reads");
	}
	*ret = m;
	return 0;
}

static void close_metadata(void *state)
{
	struct metadata *m = state;

	table_free(m->roles);
	free(m);
}

/* The path as the server takes it: %XX decoded, slashes once, no query. */
static void normalize(char *out, size_t size, const char *path)
{
	size_t n = 0;

	for (; *path && *path != '?' && *path != '#' && n + 1 < size; path++) {
		char c = *path;

		if (c == '%' && isxdigit((unsigned char)path[1]) &&
		    isxdigit((unsigned char)path[2])) {
			c = (char)strtol((char[]){path[1], path[2], '\0'}, NULL, 16);
			path += 2;
		}
		if (c == '/' && n > 0 && out[n - 1] == '/')
			continue;
		out[n++] = c;
	}
	out[n] = '\0';
}

/* The role whose credentials the path asks for; NULL: it does not. The list of roles is none yet. */
static const char *role_of(const char *path)
{
	/* Behind the version: "latest", "2021-07-15", ... */
	static const char *const heads[] = {
		"meta-data/iam/security-credentials/",
		"meta-data/identity-credentials/ec2/security-credentials/"};
	const char *rest = *path == '/' ? strchr(path + 1, '/') : NULL;

	for (size_t i = 0; rest && i < sizeof heads / sizeof heads[0]; i++) {
		size_t len = strlen(heads[i]);

		if (strncmp(rest + 1, heads[i], len) == 0 && rest[1 + len])
			return rest + 1 + len;
	}
	return NULL;
}

static void gather(struct findings *findings, void *state, const struct detect_from *from,
		   const struct batch_http *http)
{
	struct metadata *m = state;
	uint64_t sec = http->time_ns / NS_PER_S;
	char path[BATCH_NAME_MAX + 1];
	struct role fresh, *role;
	const char *name;
	void *at;

	m->was_read = m->was_read || !http->is_own;
	normalize(path, sizeof path, http->path);
	name = role_of(path);
	if (!name)
		return;
	memset(&fresh, 0, sizeof fresh);
	memcpy(fresh.name, name, strnlen(name, sizeof fresh.name - 1));
	fresh.server = http->server;
	fresh.owner = from->owner;
	fresh.first = UINT64_MAX;
	if (table_take(m->roles, &fresh, &at) < 0)
		detect_fail(findings);
	role = at;
	if (!role)
		return;
	if (sec < role->first)
		role->first = sec;
	if (sec > role->last)
		role->last = sec;
	role->v1 += !http->has_token;
	role->v2 += http->has_token;
	role->family = http->family;
	role->source = from->source;
	evidence_add(&role->evidence, from->stream, from->sequence);
	role->has_changed = true;
}

static enum finding_severity severity_of(const struct findings *findings, const struct role *role)
{
	const struct peer_key key = {.remote = role->server,
				     .owner = (uint32_t)role->owner,
				     .port = IMDS_PORT,
				     .family = role->family,
				     .protocol = TCP,
				     .direction = FLOWREC_EGRESS};
	const struct peer *peer = detect_peer(findings, &key);

	if (peer && peer->verdict == FLOWREC_EXPECTED)
		return role->v1 ? FINDING_MEDIUM : FINDING_INFO;
	return role->v1 ? FINDING_HIGH : FINDING_MEDIUM;
}

static void settle(struct findings *findings, void *state)
{
	struct metadata *m = state;

	for (size_t i = 0; i < table_count(m->roles); i++) {
		struct role *role = table_at(m->roles, i);
		struct finding finding = {
			.key = {.remote = role->server,
				.owner = (uint32_t)role->owner,
				.port = IMDS_PORT,
				.family = role->family,
				.protocol = TCP,
				.kind = FINDING_METADATA_CREDENTIALS,
				.direction = FLOWREC_EGRESS},
			.remote = role->server,
			.name = role->name,
			.first = role->first,
			.last = role->last,
			.evidence = role->evidence,
			.count = role->v1 + role->v2,
			.values = {role->v1, role->v2},
			.source = role->source,
			.severity = (uint8_t)severity_of(findings, role),
			.outcome = FLOWREC_DATA_OUT,
			.reached = FINDING_DATA_OUT,
		};

		if (!role->has_changed)
			continue;
		role->has_changed = false;
		detect_raise(findings, &finding);
	}
}

static bool is_service(const struct peer *peer)
{
	static const struct addr v4 = IMDS_ADDR4, v6 = IMDS_ADDR6;

	return peer->key.port == IMDS_PORT && peer->key.protocol == TCP &&
	       peer->key.direction == FLOWREC_EGRESS &&
	       memcmp(&peer->key.remote, peer->key.family == 4 ? &v4 : &v6, sizeof v4) == 0;
}

static void judge(struct findings *findings, void *state, const struct peer *peer)
{
	const struct metadata *m = state;
	struct finding finding;

	/* Expected by no rule: the sensor's own, and nobody's beside it. */
	if (m->was_read || !is_service(peer) || peer->outcome != FLOWREC_DATA_OUT ||
	    (peer->verdict == FLOWREC_EXPECTED && peer->rule == 0))
		return;
	finding = detect_of_peer(peer, FINDING_METADATA_CREDENTIALS, FINDING_INFO);
	detect_raise(findings, &finding);
}

static size_t memory(const struct findings_config *config)
{
	(void)config;
	return sizeof(struct metadata) + table_memory(sizeof(struct role), ROLES_MAX);
}

static uint64_t left_out(const void *state)
{
	return table_left_out(((const struct metadata *)state)->roles);
}

const struct detector detect_metadata = {
	.name = "metadata",
	.memory = memory,
	.left_out = left_out,
	.open = open_metadata,
	.close = close_metadata,
	.peer = judge,
	.http = gather,
	.settle = settle,
};
