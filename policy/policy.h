// SPDX-License-Identifier: Apache-2.0
/*
 * The policy: which traffic of this machine is expected, which is watched, and which is neither.
 *
 * A policy is a text of one rule a line (flowproof-policy(5)); the first rule that matches a flow
 * decides. A policy does not change once it was read. Nothing here keeps state between flows, reads
 * a clock or resolves a name; what the words subnet, local, collector, canary and resolver stand for comes
 * in with each question.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/addr.h"
#include "platform/err.h"
#include "proto/flowrec.h"

enum {
	POLICY_RULES_MAX = 1024,     /* rules of a policy */
	POLICY_LIST_MAX = 64,        /* places, or port ranges, of a rule */
	POLICY_LINE_MAX = 4096,      /* bytes of a line without its end */
	POLICY_NAME_TEXT = 64,       /* bytes of a rule's name with its NUL */
	POLICY_SET_TEXT = 48,        /* bytes of a list's or service's name with its NUL */
	POLICY_SETS_MAX = 256,       /* lists and services of a policy */
	POLICY_PREFIXES_MAX = 65536, /* prefixes in all of them */
	POLICY_DATE_TEXT = 32,
	POLICY_PATTERN_TEXT = 256, /* bytes of a `name` place's pattern with its NUL */
};

struct policy;

/* Reads a policy file. The error is `path:line: what; remedy` and the code ERR_USAGE, also when
 * there is no such file. Gives the policy to policy_free(). */
int policy_read(struct policy **ret, const char *path, struct err *err);

/* As policy_read, from `len` bytes of text (borrowed for the call). `name` stands for the path in
 * errors. Such a policy may not name files of its own. */
int policy_parse(struct policy **ret, const char *name, const char *text, size_t len,
		 struct err *err);

/* The built-in policy that holds when none is named; the text of configs/policy/quarantine.policy. */
int policy_quarantine(struct policy **ret, struct err *err);
const char *policy_quarantine_text(void);

/* NULL is fine. */
void policy_free(struct policy *policy);

/* Rules have the ids 1 to policy_rules(), in the order of the file; id 0 stands for "no rule". */
size_t policy_rules(const struct policy *policy);

/* The name given with `as`, or "FILE:LINE" (UTF-8, at most POLICY_NAME_TEXT bytes with NUL); NULL
 * for 0 and ids beyond the last. Borrowed from the policy. */
const char *policy_rule_name(const struct policy *policy, uint16_t id);

/* The i-th remark on rules that are allowed and probably not meant ("site.policy:12: ..."), from 0
 * on; NULL after the last. Borrowed from the policy. */
const char *policy_warning(const struct policy *policy, size_t i);

/* SHA-256 of the policy's text. If it names files: of the digests of the text and of each of them, in order. SHA256_BYTES
 * bytes, borrowed from the policy. */
const uint8_t *policy_digest(const struct policy *policy);

/* The text that it was read from, *ret_len bytes, without what lies in files that it names. Borrowed. */
const uint8_t *policy_text(const struct policy *policy, size_t *ret_len);

/* createDate of the ip-ranges.json that it names, "2026-08-22-21-17-05" (UTC); "" if it names none. Borrowed. */
const char *policy_ranges_date(const struct policy *policy);

/* Bytes that the policy takes. */
size_t policy_memory(const struct policy *policy);

/* How grave it is when a flow breaks the policy. The values travel on the wire. */
enum policy_severity {
	POLICY_SEVERITY_NONE, /* of rules that are not `breach` */
	POLICY_SEVERITY_INFO,
	POLICY_SEVERITY_LOW,
	POLICY_SEVERITY_MEDIUM,
	POLICY_SEVERITY_HIGH,
	POLICY_SEVERITY_CRITICAL,
	POLICY_SEVERITIES
};
enum policy_severity policy_rule_severity(const struct policy *policy, uint16_t id);
/* "info", ...; "-" for POLICY_SEVERITY_NONE. */
const char *policy_severity_text(enum policy_severity severity);

/* What the sensor knows about its place. All lists are borrowed for the call and may be empty. */
struct policy_context {
	const struct cidr *local; /* this machine's own addresses */
	size_t n_local;
	const struct cidr *subnets; /* the networks attached to it */
	size_t n_subnets;
	const struct endpoint *collectors;
	size_t n_collectors;
	const struct endpoint *canary; /* the collector's canary port */
	size_t n_canary;               /* 0 or 1 */
	const struct cidr *resolvers;  /* DNS resolvers; an address alone is a /32 or /128 */
	size_t n_resolvers;
};

/* One flow. Port and protocol in host order. */
struct policy_query {
	struct addr remote; /* the end that is not this machine; the responder if both are */
	uint8_t family;     /* of `remote`: 4 or 6 */
	uint8_t protocol;   /* IANA protocol number */
	uint16_t port;      /* the responder's */
	uint16_t initiator_port;
	bool has_icmp; /* type and code of the first packet are known; if not, they are not compared */
	uint8_t icmp_type, icmp_code;
	bool has_ports;       /* false for protocols without ports and for fragments: ports are not
				 compared then */
	bool initiator_local; /* this machine began it */
	bool responder_local; /* it was sent to this machine */
	/* What `remote` is known as: names whose DNS answer gave its address, the name that a TLS
	 * ClientHello asked for. Any case, a dot at the end or none, a dot within a label with a backslash
	 * before it; borrowed for the call. */
	const char *const *names;
	size_t n_names;
};

struct policy_ruling {
	enum flowrec_verdict verdict;
	uint16_t rule; /* the rule that decided, 0 if none did */
	/* Another name of the remote would make an unexpected flow expected or watched. A name may come
	 * after the first packet (SNI after the SYN): whoever raises an alarm may wait for it a bounded
	 * time, then judge again. False for all other verdicts. */
	bool name_may_help;
};

/*
 * Judges a flow. What this machine initiates is held against the `out` rules, what others initiate
 * towards it against the `in` rules; a flow between two other machines is FLOWREC_VERDICT_NONE.
 */
void policy_judge(const struct policy *policy, const struct policy_context *context,
		  const struct policy_query *query, struct policy_ruling *ret);

/* True if a place of a rule is a name: whoever asks must then say which names a remote has. */
bool policy_has_names(const struct policy *policy);

/* ---- boundaries ---- */

/* Direction 0 is from the initiator, 1 back to it. */
struct policy_crossing {
	uint8_t action[2]; /* enum flowrec_action */
	uint16_t rule[2];  /* the boundary's rule that decided, 0 if no boundary was asked */
};

/* True if the policy has rules of security groups or of a network ACL. */
bool policy_has_boundary(const struct policy *policy);

/*
 * What AWS does with the packets of a flow at this machine's interface (Amazon VPC User Guide, "Security groups",
 * "Network ACLs"; Amazon EC2 User Guide, "Security group connection tracking"). Groups are stateful: what they let through when it begins may
 * be answered. ACLs are not, and stand at the subnet's edge. Flows that do not cross the interface (both ends local, or
 * neither), and link-local services, which neither filters, are accepted.
 */
void policy_cross(const struct policy *policy, const struct policy_context *context,
		  const struct policy_query *query, struct policy_crossing *ret);

/* ---- names ---- */

/*
 * Makes a pattern of `len` bytes: a domain name, or `*.` and one, which stands for the name itself
 * (the apex) and for all below it. Lower case, no dot at the end; names beyond ASCII are written as A-labels (xn--...,
 * RFC 5890). NULL, or what is wrong and the remedy.
 */
const char *policy_pattern(char ret[static POLICY_PATTERN_TEXT], const char *text, size_t len);

/* Does a pattern of policy_pattern() cover this name? Cases are the same (RFC 4343), and so are a name and the
 * name with a dot at its end. `*.example.com` covers example.com and a.b.example.com, never badexample.com. A name
 * may itself be a pattern: `*.example.com` covers `*.a.example.com`. */
bool policy_name_fits(const char *pattern, const char *name);
