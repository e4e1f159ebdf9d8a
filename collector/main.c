// SPDX-License-Identifier: Apache-2.0
/*
 * flowproof-collector: takes the sensors' streams and keeps the ledger. See flowproof-collector(8).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "collector/alerts.h"
#include "collector/canary.h"
#include "collector/confine.h"
#include "collector/console.h"
#include "collector/credentials.h"
#include "collector/deliver.h"
#include "collector/front.h"
#include "collector/ingest.h"
#include "collector/options.h"
#include "collector/page.h"
#include "collector/revoked.h"
#include "collector/writer.h"
#include "evidence/ledger.h"
#include "platform/clock.h"
#include "platform/log.h"
#include "platform/loop.h"
#include "platform/settings.h"
#include "platform/tls.h"
#include "platform/version.h"

enum { DAY_S = 86400, MIB = 1024 * 1024 };
enum { CERTIFICATE_DAYS = 30 }; /* it is told so long before its end, once a day */

struct collector {
	struct collector_options options;
	struct loop *loop;
	struct tls_config *tls;
	struct crypto_signer *signer;
	struct ledger *ledger;
	struct loop_timer *seal_timer;
	struct console *console;
	struct ingest *ingest;
	struct revoked *revoked;
	struct canary_port *canary;
	struct alerts *alerts;
	struct relay *relay; /* NULL: a collector on its own */
	struct front *front;
	struct writer *writer;
	bool is_cut_off;   /* from JetStream, for good */
	const char *store; /* as it is named now */
	struct deliver *deliver;
	struct page *page;
	struct endpoint canary_at;
	struct loop_watch *signals[3];
	uint64_t warned_day;
};

/* What --check does beyond reading the settings, and what a start does first. */
static int prepare(struct collector *c, struct endpoint *ret_at, struct err *err)
{
	const struct collector_options *o = &c->options;
	struct err why;
	int rc;

	rc = o->listen ? endpoint_parse(o->listen, ret_at, &why) : 0;
	if (rc < 0)
		return err_set(err, ERR_USAGE, "--listen: %s", why.text);
	if (o->canary && endpoint_parse(o->canary, &c->canary_at, &why) < 0)
		return err_set(err, ERR_USAGE, "--canary: %s", why.text);
	rc = tls_config_new(&c->tls, TLS_SERVER, o->ca, o->cert, o->key, err);
	if (rc < 0)
		return rc;
	rc = crypto_signer_new(&c->signer, o->cert, o->key, err);
	if (rc < 0)
		return rc;
	if (strcmp(tls_config_name(c->tls), TLS_COLLECTOR_NAME) != 0)
		log_warn("collector", "%s names '%s': sensors only talk to '%s'", o->cert,
			 tls_config_name(c->tls), TLS_COLLECTOR_NAME);
	return o->crl ? revoked_open(&c->revoked, o->crl, c->tls, err) : 0;
}

/* Could the store be written to, or made? Nothing is made. */
static int check_store(const char *store, struct err *err)
{
	char *path = strdup(store);
	char *slash;
	int rc = 0;

	if (!path)
		return err_set(err, -ENOMEM, "no memory");
	/* Up to the first folder that exists. */
	while (access(path, F_OK) < 0 && errno == ENOENT && strcmp(path, ".") != 0) {
		slash = strrchr(path, '/');
		if (!slash)
			(void)snprintf(path, strlen(path) + 1, ".");
		else
			slash[slash == path] = '\0';
	}
	if (access(path, R_OK | W_OK | X_OK) < 0)
		rc = err_errno(err, "the store %s cannot be written to: %s", store, path);
	free(path);
	return rc;
}

static int check(struct collector *c, struct err *err)
{
	struct endpoint at;
	bool is_on;
	int rc = prepare(c, &at, err);

	if (rc == 0)
		rc = check_store(c->options.store, err);
	if (IS_ENABLED(CONFIG_ALERTS) && rc == 0)
		rc = alerts_check(&c->options.alerts, err);
	if (IS_ENABLED(CONFIG_JETSTREAM) && rc == 0)
		rc = relay_check(&c->options.relay, &is_on, err);
	if (IS_ENABLED(CONFIG_DELIVER) && rc == 0)
		rc = deliver_check(&c->options.deliver, c->options.store, err);
	if (IS_ENABLED(CONFIG_PAGE) && rc == 0)
		rc = page_check(&c->options.page, err);
	if (rc == 0)
		collector_options_print(&c->options, stdout);
	return rc;
}

/* Each sensor takes two descriptors: its connection and its segment. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* without it fewer sensors fit: accept() tells */
}

static int open_canary_port(struct collector *c, struct err *err)
{
	char text[ADDR_ENDPOINT_TEXT];
	struct endpoint at;
	int rc;

	if (!c->options.canary)
		return 0;
	rc = canary_port_open(&c->canary, c->loop, &c->canary_at, &at, err);
	if (rc == 0)
		log_info("collector", "canaries are sent back at %s", endpoint_text(text, &at));
	return rc;
}

static void tell_head(struct collector *c)
{
	if (IS_ENABLED(CONFIG_ALERTS))
		alerts_head(c->alerts, c->ledger);
}

static void stopped(void *ctx)
{
	struct collector *c = ctx;
	struct err err;

	if (ledger_end(c->ledger, clock_wall_ns(), &err) < 0)
		log_err("collector", "the end is not signed: %s", err.text);
	tell_head(c);
	loop_stop(c->loop);
}

static void look_at_certificate(struct collector *c)
{
	uint64_t ends_s = crypto_signer_ends_s(c->signer), now_s = clock_wall_ns() / NS_PER_S;

	if (ends_s > now_s + CERTIFICATE_DAYS * DAY_S || now_s / DAY_S == c->warned_day)
		return;
	c->warned_day = now_s / DAY_S;
	console_certificate(c->console, ends_s, now_s);
}

static void seal(void *ctx)
{
	struct collector *c = ctx;
	struct err err;

	look_at_certificate(c);

	if (ledger_seal(c->ledger, clock_wall_ns(), &err) < 0)
		log_err("collector", "%s; trying again in %llu s", err.text,
			(unsigned long long)c->options.seal_s);
	tell_head(c);
	loop_timer_set(c->seal_timer, (uint32_t)c->options.seal_s * MS_PER_S);
}

static void stop(struct collector *c)
{
	if (IS_ENABLED(CONFIG_JETSTREAM) && c->writer) {
		writer_stop(c->writer);
		stopped(c);
	} else {
		ingest_stop(c->ingest, stopped, c);
	}
}

static void on_signal(void *ctx)
{
	log_info("collector", "stopping");
	stop(ctx);
}

static void on_relay_ended(void *ctx)
{
	struct collector *c = ctx;

	c->is_cut_off = true;
	stop(c);
}

static void on_hangup(void *ctx)
{
	struct collector *c = ctx;
	struct err err;

	if (!c->revoked) {
		log_info("collector", "SIGHUP: nothing to read again without --crl");
	} else if (revoked_reload(c->revoked, &err) < 0) {
		log_err("collector", "%s; the list read before stays in force", err.text);
	} else {
		log_info("collector", "%s was read again", c->options.crl);
		ingest_cut_revoked(c->ingest);
	}
}

static void describe_sandbox(const struct collector_options *o, struct sandbox *ret)
{
	confine_describe(ret, o->store, (uint32_t)o->user_id,
			 o->retain_days > 0 || o->retain_mib > 0);
	ret->lock_memory = o->lock_memory;
	ret->eperm = o->sandbox_eperm;
}

static int enter_sandbox(struct collector *c, struct err *err)
{
	struct sandbox want;
	struct sandbox_state state;
	char text[SANDBOX_TEXT];
	int rc;

	if (c->options.no_sandbox) {
		log_warn("sandbox", "off (--no-sandbox): continuing with all the rights that the "
				    "collector was started with");
		return 0;
	}
	describe_sandbox(&c->options, &want);
	rc = sandbox_enter(&want, &state, err);
	if (rc < 0)
		return rc;
	if (state.new_root) {
		ledger_is_root(c->ledger);
		c->store = "/";
	}
	if (state.seccomp)
		log_info("sandbox", "%s", sandbox_text(text, &state));
	else
		log_warn("sandbox", "%s; continuing", sandbox_text(text, &state));
	if (want.eperm)
		log_warn("sandbox", "forbidden system calls fail instead of ending the collector "
				    "(--sandbox-eperm)");
	return 0;
}

static int open_ledger(struct collector *c, struct err *err)
{
	const struct ledger_config config = {.signer = c->signer,
					     .segment_s = c->options.segment_s,
					     .retain_s = c->options.retain_days * DAY_S,
					     .retain_bytes = c->options.retain_mib * MIB};

	return ledger_open(&c->ledger, c->options.store, &config, clock_wall_ns(), err);
}

static int start_writer(struct collector *c, struct err *err)
{
	const struct writer_config config = {.loop = c->loop,
					     .ledger = c->ledger,
					     .store = c->store,
					     .relay = c->relay,
					     .commit_ms = (uint32_t)c->options.commit_ms,
					     .sink = &console_sink,
					     .sink_ctx = c->console,
					     .ended = on_relay_ended,
					     .ended_ctx = c};

	return writer_start(&c->writer, &config, err);
}

static int start(struct collector *c, struct err *err)
{
	struct ingest_config config = {.commit_ms = (uint32_t)c->options.commit_ms,
				       .max_connections = CONFIG_COLLECTOR_SENSORS,
				       .max_strangers = INGEST_STRANGERS,
				       .max_strangers_there = INGEST_STRANGERS_THERE,
				       .hello_ms = INGEST_HELLO_MS,
				       .idle_ms = INGEST_IDLE_MS,
				       .sink = &console_sink};
	char text[ADDR_ENDPOINT_TEXT];
	struct endpoint at;
	int rc;

	rc = prepare(c, &config.at, err);
	if (rc == 0)
		rc = loop_new(&c->loop, err);
	if (rc == 0)
		rc = open_ledger(c, err);
	if (rc < 0)
		return rc;
	rc = console_new(&c->console, c->options.quiet ? -1 : STDOUT_FILENO);
	if (rc == 0)
		rc = loop_signal_new(&c->signals[0], c->loop, SIGTERM, on_signal, c);
	if (rc == 0)
		rc = loop_signal_new(&c->signals[1], c->loop, SIGINT, on_signal, c);
	if (rc == 0)
		rc = loop_signal_new(&c->signals[2], c->loop, SIGHUP, on_hangup, c);
	if (rc == 0)
		rc = loop_timer_new(&c->seal_timer, c->loop, seal, c);
	if (IS_ENABLED(CONFIG_ALERTS) && rc == 0)
		rc = alerts_watch(c->alerts, c->loop);
	if (IS_ENABLED(CONFIG_DELIVER) && rc == 0)
		rc = deliver_watch(c->deliver, c->loop);
	if (IS_ENABLED(CONFIG_PAGE) && rc == 0)
		rc = page_watch(c->page, c->loop);
	if (rc < 0)
		return err_set(err, rc, "cannot start: %s", strerror(-rc));
	config.loop = c->loop;
	config.ledger = c->ledger;
	config.tls = c->tls;
	config.sink_ctx = c->console;
	if (IS_ENABLED(CONFIG_PAGE))
		config.counts = page_counts(c->page);
	rc = open_canary_port(c, err);
	if (rc < 0)
		return rc;
	if (IS_ENABLED(CONFIG_JETSTREAM) && c->relay && relay_is_front(c->relay)) {
		rc = front_new(&c->front, c->loop, c->relay, on_relay_ended, c, err);
		config.elsewhere = &front_elsewhere;
		config.elsewhere_ctx = c->front;
	}
	if (rc == 0 && (!c->relay || c->front))
		rc = ingest_start(&c->ingest, &config, err);
	if (rc == 0)
		rc = enter_sandbox(c, err);
	if (IS_ENABLED(CONFIG_JETSTREAM) && c->front && rc == 0)
		rc = front_recover(c->front, c->store, clock_wall_ns(), err);
	else if (IS_ENABLED(CONFIG_JETSTREAM) && c->relay && rc == 0)
		rc = start_writer(c, err);
	if (rc < 0)
		return rc;
	tell_head(c);
	if (IS_ENABLED(CONFIG_DELIVER))
		deliver_begin(c->deliver);
	if (IS_ENABLED(CONFIG_PAGE))
		page_ready(c->page);
	loop_timer_set(c->seal_timer, (uint32_t)c->options.seal_s * MS_PER_S);
	if (c->ingest) {
		ingest_address(c->ingest, &at);
		log_info("collector", "listening on %s", endpoint_text(text, &at));
	}
	look_at_certificate(c);
	return 0;
}

static int run(struct collector *c, struct err *err)
{
	const struct collector_options *o = &c->options;
	struct sandbox like;
	int rc = 0;

	/* A reader of our output that went away, and a limit on the size of files, are errors of a
	 * write. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	describe_sandbox(o, &like);
	c->store = o->store;
	/* First: what the others hold must not keep it alive. */
	if (IS_ENABLED(CONFIG_JETSTREAM))
		rc = relay_start(&c->relay, &o->relay, o->no_sandbox ? NULL : &like, err);
	if (IS_ENABLED(CONFIG_ALERTS) && rc == 0)
		rc = alerts_start(&c->alerts, &o->alerts, o->store, o->no_sandbox ? NULL : &like,
				  err);
	if (IS_ENABLED(CONFIG_DELIVER) && rc == 0)
		rc = deliver_start(&c->deliver, &o->deliver, o->store, o->no_sandbox ? NULL : &like,
				   err);
	if (IS_ENABLED(CONFIG_DELIVER_AWS))
		credentials_wipe_environment();
	if (IS_ENABLED(CONFIG_PAGE) && rc == 0)
		rc = page_start(&c->page, &o->page, o->store, o->ca, c->deliver,
				o->no_sandbox ? NULL : &like, err);
	raise_file_limit();
	if (rc == 0)
		rc = start(c, err);
	if (rc < 0)
		return rc;
	rc = loop_run(c->loop);
	if (rc == 0 && c->is_cut_off)
		return err_set(err, -EIO,
			       "the process that talks with JetStream ended: nothing can be "
			       "acknowledged or read; start the collector again");
	return rc < 0 ? err_set(err, rc, "the event loop failed: %s", strerror(-rc)) : 0;
}

int main(int argc, char **argv)
{
	static struct collector c; /* too large for the stack */
	struct err err = {""};
	unsigned failed = 0;
	int rc = collector_options_read(&c.options, argc, argv, &err);

	if (rc == 0 && c.options.help)
		collector_options_help(stdout);
	else if (rc == 0 && c.options.version)
		version_print("flowproof-collector", stdout);
	else if (rc == 0 && c.options.self_test) {
		struct sandbox want;

		describe_sandbox(&c.options, &want);
		failed = sandbox_self_test(&want, stdout);
	} else if (rc == 0) {
		log_set_level(c.options.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
		rc = c.options.check ? check(&c, &err) : run(&c, &err);
	}
	/* The last one first: its processes hold the pipes that those before wait for. */
	if (IS_ENABLED(CONFIG_PAGE))
		page_end(c.page);
	if (IS_ENABLED(CONFIG_DELIVER))
		deliver_end(c.deliver);
	if (IS_ENABLED(CONFIG_ALERTS))
		alerts_end(c.alerts);
	ingest_free(c.ingest);
	if (IS_ENABLED(CONFIG_JETSTREAM)) {
		front_free(c.front);
		writer_free(c.writer);
		relay_end(c.relay);
	}
	console_free(c.console);
	ledger_close(c.ledger);
	crypto_signer_free(c.signer);
	loop_timer_free(c.seal_timer);
	for (size_t i = 0; i < sizeof c.signals / sizeof c.signals[0]; i++)
		loop_watch_free(c.signals[i]);
	revoked_close(c.revoked);
	canary_port_close(c.canary);
	tls_config_free(c.tls);
	loop_free(c.loop);
	collector_options_free(&c.options);
	if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		rc = err_errno(&err, "standard output");
	if (rc == ERR_USAGE)
		settings_blame(&err);
	if (rc < 0)
		fprintf(stderr, "flowproof-collector: %s\n", err.text);
	return failed ? 1 : err_exit_status(rc);
}
