// SPDX-License-Identifier: Apache-2.0
/*
 * session: opens what the options name, wires the pipeline, runs a file through it, and ends in
 * good order.
 */
#include "sensor/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/clock.h"
#include "platform/config.h"
#include "platform/early.h"
#include "platform/log.h"
#include "platform/rtnl.h"
#include "sensor/confine.h"
#include "sensor/session_parts.h"

enum {
	OUT_BUFFER = CONFIG_OUTPUT_KIB * 1024,
};

/* ---- opening ---- */

static int open_policy(struct session *s, struct err *err)
{
	const char *path = s->options->policy;
	int rc = path ? policy_read(&s->policy, path, err) : policy_quarantine(&s->policy, err);

	if (rc)
		return rc;
	for (size_t i = 0; policy_warning(s->policy, i); i++)
		log_warn("policy", "%s", policy_warning(s->policy, i));
	if (*policy_ranges_date(s->policy))
		log_info("policy", "ranges of AWS's services of %s", policy_ranges_date(s->policy));
	for (size_t i = 0; i < policy_rules(s->policy); i++)
		s->rules[i] = policy_rule_name(s->policy, (uint16_t)(i + 1));
	return 0;
}

static void fill_texts(struct session *s)
{
	uint16_t n = 0;

	for (; options_device(s->options, n); n++) {
		options_identity(s->options, n, &s->texts[n]);
		options_sources(&s->texts[n], s->links[n].text_sources);
		s->links[n].offload =
			WIRE_OFFLOAD_AS_IS; /* of a mirrored interface; of ours see below */
		s->texts[n].rules = s->rules;
		s->texts[n].n_rules = policy_rules(s->policy);
	}
	s->n_interfaces = n;
}

static int open_interface(struct session *s, uint16_t i, struct err *err)
{
	const struct options *o = s->options;
	const char *name = o->interfaces.v[i];
	struct wire_link *link = &s->links[i];
	bool ask =
		o->offload_mode == WIRE_OFFLOAD_KERNEL || o->offload_mode == WIRE_OFFLOAD_UNKNOWN;
	struct nic_counters now;
	int rc = capture_open_live(&s->captures[i], name, i, (uint32_t)o->ring_kib * 1024,
				   o->filter, ask, err);

	if (rc)
		return rc;
	s->n_captures++;
	if (nic_find(s->nic, name, &s->interfaces[i]) != 0)
		return err_set(err, -ENOMEM, "out of memory");
	nic_read(s->nic, &s->interfaces[i], &now);
	*link = (struct wire_link){
		.offload = (uint8_t)o->offload_mode,
		.features_known = s->interfaces[i].offload_known,
		.features = s->interfaces[i].offload,
		.allowances = s->interfaces[i].has_allowances ? WIRE_ALLOWANCES_COUNTED
			      : s->interfaces[i].stats_known  ? WIRE_ALLOWANCES_NONE
							      : WIRE_ALLOWANCES_UNKNOWN,
		.mtu = now.mtu,
	};
	options_sources(&s->texts[i], link->text_sources);
	if (ask)
		link->offload = capture_tells_segments(s->captures[i]) ? WIRE_OFFLOAD_KERNEL
								       : WIRE_OFFLOAD_ESTIMATE;
	if (o->offload_mode == WIRE_OFFLOAD_KERNEL && link->offload != WIRE_OFFLOAD_KERNEL)
		return err_set(err, -ENOTSUP,
			       "--offload kernel: this kernel does not tell the packets of a frame "
			       "(it takes Linux 5.7, started as root); give estimate");
	return 0;
}

static int open_captures(struct session *s, struct err *err)
{
	const struct options *o = s->options;
	int rc = 0;

	if (o->read) {
		rc = capture_open_file(&s->captures[0], o->read, o->filter, err);
		s->n_captures = rc ? 0 : 1;
		s->links[0].offload =
			o->offload_mode ? (uint8_t)o->offload_mode : WIRE_OFFLOAD_AS_IS;
		return rc;
	}
	if (IS_ENABLED(CONFIG_LIVE) && nic_open(&s->nic, s->rtnl, nic_allowance_names) != 0)
		return err_errno(err, "counters of the interfaces");
	for (size_t i = 0; IS_ENABLED(CONFIG_LIVE) && !rc && i < o->interfaces.n; i++)
		rc = open_interface(s, (uint16_t)i, err);
	return rc;
}

static int open_text(FILE **ret, const char *path, struct err *err)
{
	*ret = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
	return *ret ? 0 : err_errno(err, "%s", path);
}

static int open_output(struct session *s, struct err *err)
{
	const struct options *o = s->options;
	int rc = o->endpoints ? open_text(&s->endpoints, o->endpoints, err) : 0;

	if (!rc && IS_ENABLED(CONFIG_NAMES) && o->dns_log)
		rc = open_text(&s->dns_log, o->dns_log, err);
	if (rc || (!o->output && o->collectors.n))
		return rc;
	rc = open_text(&s->out, o->output ? o->output : "-", err);
	if (rc)
		return rc;
	setvbuf(s->out, NULL, _IOFBF, OUT_BUFFER);
	return 0;
}

/* A file to text needs no loop. */
static int run_file(struct session *s, struct err *err)
{
	char sandbox[SANDBOX_TEXT];
	int n = confine_enter(s->options, sandbox, err);

	if (n)
		return n;
	do
		n = pipeline_input(s->pipeline, 0, SESSION_FRAMES_PER_TURN, clock_wall_ns(), err);
	while (n >= 0 && pipeline_output_ok(s->pipeline));
	pipeline_end(s->pipeline, clock_wall_ns());
	if (!pipeline_output_ok(s->pipeline))
		return err_set(err, -EIO, "records could not be written to %s",
			       s->options->output ? s->options->output : "standard output");
	return n == CAPTURE_END ? 0 : n;
}

static void close_session(struct session *s)
{
	if (!s)
		return;
	if (IS_ENABLED(CONFIG_STREAM))
		session_stream_free(s);
	if (IS_ENABLED(CONFIG_LOOP))
		session_free_loop(s);
	for (uint16_t i = 0; i < s->n_captures; i++)
		capture_close(s->captures[i]);
	pipeline_free(s->pipeline);
	policy_free(s->policy);
	if (IS_ENABLED(CONFIG_LIVE)) {
		nic_close(s->nic);
		rtnl_close(s->rtnl);
	}
	if (s->out && s->out != stdout)
		fclose(s->out);
	if (s->endpoints && s->endpoints != stdout)
		fclose(s->endpoints);
	if (s->dns_log && s->dns_log != stdout)
		fclose(s->dns_log);
	free(s);
}

static struct session *new_session(const struct options *o, struct err *err)
{
	struct session *s = calloc(1, sizeof *s);

	if (!s) {
		(void)err_errno(err, "session");
		return NULL;
	}
	s->options = o;
	s->err = err;
	return s;
}

static int prepare(struct session *s, struct err *err)
{
	int rc = open_policy(s, err);

	if (IS_ENABLED(CONFIG_LIVE) && !s->options->read && rtnl_open(&s->rtnl) != 0)
		s->rtnl = NULL;
	if (!rc)
		rc = identity_init(&s->identity, s->options, s->rtnl, err);
	if (!rc)
		fill_texts(s);
	return rc;
}

int session_run(const struct options *o, struct err *err)
{
	struct session *s = new_session(o, err);
	bool with_loop = IS_ENABLED(CONFIG_LOOP) && (o->collectors.n || !o->read);
	int rc = s ? 0 : -ENOMEM;

	/* First: it must not hold what is opened later. */
	if (IS_ENABLED(CONFIG_TAIL) && !rc && o->tails.n)
		rc = session_tail_fork(s, err);
	if (!rc)
		rc = prepare(s, err);
	for (size_t i = 0; IS_ENABLED(CONFIG_LIVE) && !rc && i < o->interfaces.n; i++)
		rc = identity_check_interface(o->interfaces.v[i], err);
	if (!rc)
		rc = open_captures(s, err);
	if (!rc)
		rc = open_output(s, err);
	if (!rc && IS_ENABLED(CONFIG_STREAM) && o->collectors.n)
		rc = session_stream_open(s, err);
	if (!rc)
		rc = pipeline_new(&s->pipeline,
				  &(struct pipeline_config){
					  .options = o,
					  .identity = &s->identity,
					  .policy = s->policy,
					  .texts = s->texts,
					  .captures = s->captures,
					  .links = s->links,
					  .nic = s->nic,
					  .interfaces = s->interfaces,
					  .n_captures = s->n_captures,
					  .n_interfaces = s->n_interfaces,
					  .spool = s->spool,
					  .out = s->out,
					  .endpoints = s->endpoints,
					  .dns_log = s->dns_log,
					  .now_s = clock_wall_ns() / NS_PER_S,
				  },
				  err);
	if (!rc)
		rc = with_loop ? session_run_loop(s, err) : run_file(s, err);
	if (!rc)
		rc = s->rc;
	if (IS_ENABLED(CONFIG_CANARY) && s && s->canary)
		session_canary_print(s, stderr);
	if (s && s->pipeline) {
		if (pipeline_endpoints(s->pipeline) != 0 && !rc)
			rc = err_errno(err, "%s", o->endpoints);
		pipeline_summary(s->pipeline, stderr);
	}
	close_session(s);
	return rc;
}

int session_check(const struct options *o, struct err *err)
{
	struct session *s = new_session(o, err);
	int rc = s ? prepare(s, err) : -ENOMEM;

	for (size_t i = 0; IS_ENABLED(CONFIG_LIVE) && !rc && i < o->interfaces.n; i++) {
		struct err absent;

		/* The file may be checked on another machine than it is made for. */
		if (identity_check_interface(o->interfaces.v[i], &absent) != 0)
			log_warn("capture", "%s", absent.text);
	}
	if (!rc && IS_ENABLED(CONFIG_STREAM) && o->collectors.n)
		rc = session_stream_check(s, err);
	close_session(s);
	return rc;
}

int session_bring_up(const struct options *o, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; IS_ENABLED(CONFIG_LIVE) && !rc && i < o->interfaces.n; i++) {
		bool was_down = false;

		rc = identity_check_interface(o->interfaces.v[i], err);
		if (!rc && strcmp(o->interfaces.v[i], "any") != 0)
			rc = early_link_up(o->interfaces.v[i], &was_down, err);
		if (was_down)
			log_info("capture", "%s was down and is set up", o->interfaces.v[i]);
	}
	return rc;
}
