// SPDX-License-Identifier: Apache-2.0
/*
 * page, the requests. Clients of /events are sent each new state when they have taken the one before; one that takes
 * nothing for a time is cut off by the server beneath.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "collector/page_parts.h"
#include "evidence/html.h"
#include "platform/clock.h"
#include "platform/log.h"
#include "platform/metrics_text.h"

enum {
	CONNECTIONS_MAX = 160,
	CLIENTS_MAX = 64, /* of /events */
	HEAD_MS = 5000,
	STUCK_MS = 10000,
	BEAT_MS = 10000, /* between comments that keep a connection from looking dead */
};

/* What stands on the page comes from here alone, and nobody frames or keeps it. */
static const char headers[] =
	"Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self'; "
	"connect-src "
	"'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
	"X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nReferrer-Policy: "
	"no-referrer\r\n"
	"Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Embedder-Policy: require-corp\r\n"
	"Cross-Origin-Resource-Policy: same-origin\r\nPermissions-Policy: camera=(), "
	"geolocation=(), "
	"microphone=()\r\nCache-Control: no-store\r\nVary: Accept-Language, Cookie\r\n";

struct client {
	struct page_server *server;
	struct client *next, *prev;
	struct web_request *request;
	enum verdict_lang lang;
	uint64_t since; /* the state that it has */
};

struct page_server {
	struct page_config *config;
	struct page_state *state;
	struct web *web;
	struct loop_timer *beat;
	struct loop_watch *reports;
	int reporter;
	struct web_request *asked; /* for the report that is made now; NULL: its client is gone */
	bool is_reporting;
	uint8_t form;
	struct client *clients;
	struct page_view view;
	struct page_served served;
	char *style;
};

static bool is_text(const char *text)
{
	return *text != '\0';
}

/* ---- languages ---- */

/* The weight of a language in Accept-Language (RFC 9110, section 12.5.4), in thousandths; 0: it is not there. */
static unsigned weight(const char *list, const char *lang)
{
	for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',') {
		const char *q;
		size_t len;

		at += strspn(at, " \t");
		len = strcspn(at, ",");
		if (strncasecmp(at, lang, 2) != 0 || !strchr("-;, \t", at[2]))
			continue;
		q = memmem(at, len, "q=", 2);
		return q ? (unsigned)(strtod(q + 2, NULL) * 1000) : 1000;
	}
	return 0;
}

static enum verdict_lang language(const struct http_head *head)
{
	const char *list = http_head_field(head, "Accept-Language");
	char lang[8];

	if (http_head_parameter(head, "lang", lang, sizeof lang))
		return strcmp(lang, "ja") == 0 ? VERDICT_JA : VERDICT_EN;
	return list && weight(list, "ja") > weight(list, "en") ? VERDICT_JA : VERDICT_EN;
}

/* ---- pages ---- */

static void answer_bytes(struct web_request *r, const char *type, const char *more, char *bytes,
			 size_t len)
{
	if (bytes)
		web_answer(r, 200, type, more, bytes, len);
	else
		web_answer_text(r, 503, "Retry-After: 5\r\n", "There is no memory for it now.\n");
	free(bytes);
}

static void serve_page(struct page_server *s, struct web_request *r)
{
	enum verdict_lang lang = language(web_request_head(r));
	size_t len = 0;
	char *bytes = page_view_page(&s->view, lang, s->reporter >= 0, &len);

	answer_bytes(r, "text/html; charset=utf-8",
		     lang == VERDICT_JA ? "Content-Language: ja\r\n" : "Content-Language: en\r\n",
		     bytes, len);
}

static void serve_style(struct page_server *s, struct web_request *r)
{
	web_answer(r, 200, "text/css; charset=utf-8", "", s->style, strlen(s->style));
}

static void serve_script(struct page_server *s, struct web_request *r)
{
	(void)s;
	web_answer(r, 200, "text/javascript; charset=utf-8", "", page_script, strlen(page_script));
}

/* ---- health and metrics ---- */

static void serve_health(struct page_server *s, struct web_request *r)
{
	(void)s;
	web_answer_text(r, 200, "", "ok\n");
}

static void serve_ready(struct page_server *s, struct web_request *r)
{
	const char *why = NULL;
	char text[sizeof s->state->trouble.text + 2];

	if (counts_get(s->config->counts, COUNT_FAILING))
		why = "the collector cannot write its ledger: its log says why";
	else if (is_text(s->state->trouble.text))
		why = s->state->trouble.text;
	else if (page_state_is_behind(s->state))
		why = "the page has not read all of the ledger yet";
	(void)snprintf(text, sizeof text, "%s\n", why ? why : "ready");
	web_answer_text(r, why ? 503 : 200, why ? "Retry-After: 5\r\n" : "", text);
}

static void serve_metrics(struct page_server *s, struct web_request *r)
{
	size_t len = 0;
	char *bytes;

	web_stats(s->web, &s->served.web);
	bytes = page_metrics(s->state, s->config, &s->served, &len);
	answer_bytes(r, METRICS_CONTENT_TYPE, "", bytes, len);
}

/* ---- events ---- */

static void client_gone(void *ctx)
{
	struct client *c = ctx;

	*(c->prev ? &c->prev->next : &c->server->clients) = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->server->served.clients--;
	free(c);
}

/* The same bytes for all that have the same state. */
struct event {
	enum verdict_lang lang;
	uint64_t since;
	char *bytes;
	size_t len;
};

static void send_state(struct client *c, struct event *event)
{
	const struct page_view *view = &c->server->view;

	if (c->since == view->number[c->lang] || web_stream_pending(c->request) > 0)
		return;
	if (!event->bytes || event->lang != c->lang || event->since != c->since) {
		free(event->bytes);
		event->lang = c->lang;
		event->since = c->since;
		event->bytes = page_view_event(view, c->lang, c->since, &event->len);
	}
	if (!event->bytes)
		return;
	web_stream_send(c->request, event->bytes, event->len);
	c->since = view->number[c->lang];
	c->server->served.events++;
}

static void send_all(struct page_server *s)
{
	struct event event = {.bytes = NULL};

	for (struct client *c = s->clients; c; c = c->next)
		send_state(c, &event);
	free(event.bytes);
}

/* The state that the client has: of its page, or the last that came. One of the future is of another collector. */
static uint64_t since(const struct page_server *s, const struct http_head *head)
{
	const char *last = http_head_field(head, "Last-Event-ID");
	char text[24] = "";
	uint64_t n;

	if (last)
		(void)snprintf(text, sizeof text, "%s", last);
	else
		(void)http_head_parameter(head, "since", text, sizeof text);
	n = strtoull(text, NULL, 10);
	return n <= s->state->number ? n : 0;
}

static void serve_events(struct page_server *s, struct web_request *r)
{
	static const char begin[] = "retry: 2000\n\n";
	struct event event = {.bytes = NULL};
	struct client *c;

	if (s->served.clients >= CLIENTS_MAX) {
		s->served.clients_refused++;
		web_answer_text(r, 503, "Retry-After: 30\r\n",
				"As many look on as can: load the page anew by hand.\n");
		return;
	}
	c = calloc(1, sizeof *c);
	if (!c) {
		answer_bytes(r, "", "", NULL, 0);
		return;
	}
	c->server = s;
	c->request = r;
	c->lang = language(web_request_head(r));
	c->since = since(s, web_request_head(r));
	if (!web_stream(r, "text/event-stream", "X-Accel-Buffering: no\r\n")) {
		free(c);
		return;
	}
	web_request_watch(r, client_gone, c);
	c->next = s->clients;
	if (c->next)
		c->next->prev = c;
	s->clients = c;
	s->served.clients++;
	web_stream_send(r, begin, sizeof begin - 1);
	if (c->since != s->view.number[c->lang]) {
		event.bytes = page_view_event(&s->view, c->lang, c->since, &event.len);
		if (event.bytes)
			web_stream_send(r, event.bytes, event.len);
		c->since = s->view.number[c->lang];
		free(event.bytes);
	}
}

static void on_beat(void *ctx)
{
	struct page_server *s = ctx;

	for (struct client *c = s->clients; c; c = c->next) {
		if (web_stream_pending(c->request) == 0)
			web_stream_send(c->request, ":\n\n", 3);
	}
	loop_timer_set(s->beat, BEAT_MS);
}

/* ---- reports ---- */

static void asker_gone(void *ctx)
{
	struct page_server *s = ctx;

	s->asked = NULL;
}

static char *read_all(int fd, size_t *ret_len)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *bytes = size > 0 && size <= PAGE_REPORT_MAX ? malloc((size_t)size) : NULL;
	size_t len = 0;
	ssize_t n = 1;

	while (bytes && n > 0 && len < (size_t)size) {
		n = pread(fd, bytes + len, (size_t)size - len, (off_t)len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (!bytes || n > 0) {
		*ret_len = len;
		return bytes;
	}
	free(bytes);
	return NULL;
}

static void on_report(void *ctx)
{
	static const char *const types[] = {"text/html; charset=utf-8", "application/json"};
	static const char *const names[] = {
		"Content-Disposition: attachment; filename=\"flowproof-report.html\"\r\n",
		"Content-Disposition: attachment; filename=\"flowproof-report.json\"\r\n"};
	struct page_server *s = ctx;
	struct web_request *r = s->asked;
	size_t len = 0;
	char *bytes = NULL;
	int fd;

	if (!page_reporter_take(s->reporter, &fd))
		return;
	if (fd >= 0)
		bytes = read_all(fd, &len);
	if (fd >= 0)
		(void)close(fd);
	s->is_reporting = false;
	s->asked = NULL;
	s->served.reports += bytes != NULL;
	s->served.reports_failed += !bytes;
	if (r && bytes)
		web_answer(r, 200, types[s->form], names[s->form], bytes, len);
	else if (r)
		web_answer_text(r, 503, "Retry-After: 30\r\n",
				"The report cannot be made here: the collector's log says why; run "
				"`flowproof report`.\n");
	free(bytes);
}

static void serve_report(struct page_server *s, struct web_request *r, enum page_form form)
{
	struct page_request request = {.form = (uint8_t)form,
				       .lang = (uint8_t)language(web_request_head(r))};

	if (web_request_head(r)->is_head) {
		web_answer_text(r, 200, "", "");
		return;
	}
	if (s->reporter < 0 || s->is_reporting ||
	    write(s->reporter, &request, sizeof request) != (ssize_t)sizeof request) {
		web_answer_text(r, 503, "Retry-After: 5\r\n",
				s->reporter < 0 ? "There is no program `flowproof` beside the "
						  "collector: run `flowproof report`.\n"
						: "Another report is being made: try again.\n");
		return;
	}
	s->is_reporting = true;
	s->form = (uint8_t)form;
	s->asked = r;
	web_request_watch(r, asker_gone, s);
}

static void serve_html(struct page_server *s, struct web_request *r)
{
	serve_report(s, r, PAGE_REPORT_HTML);
}

static void serve_json(struct page_server *s, struct web_request *r)
{
	serve_report(s, r, PAGE_REPORT_JSON);
}

/* ---- all ---- */

static void refuse(struct web_request *r, unsigned status, const char *more)
{
	web_answer_text(
		r, status, more,
		status == 303   ? ""
		: status == 421 ? "This name is not one of the collector's: ask by its address, or "
				  "start it with "
				  "--http-host NAME.\n"
		: status == 401
			? "A token is needed: Authorization: Bearer TOKEN, or once ?token=TOKEN.\n"
			: "Other sites must not ask for this.\n");
}

static void asked(void *ctx, struct web_request *r)
{
	static const struct {
		const char *path;
		void (*serve)(struct page_server *server, struct web_request *request);
	} pages[] = {{"/", serve_page},           {"/page.css", serve_style},
		     {"/page.js", serve_script},  {"/events", serve_events},
		     {"/metrics", serve_metrics}, {"/healthz", serve_health},
		     {"/readyz", serve_ready},    {"/report.html", serve_html},
		     {"/report.json", serve_json}};
	struct page_server *s = ctx;
	const struct http_head *head = web_request_head(r);
	char more[PAGE_GUARD_HEADERS];
	unsigned status = page_guard_check(&s->config->guard, head, more);

	if (status != 0) {
		refuse(r, status, more);
		return;
	}
	for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
		if (strcmp(head->path, pages[i].path) == 0) {
			pages[i].serve(s, r);
			return;
		}
	}
	web_answer_text(r, 404, "", "There is no such page.\n");
}

void page_serve_state(struct page_server *s)
{
	for (unsigned lang = 0; lang < VERDICT_LANGS; lang++) {
		if (page_view_render(&s->view, s->state, (enum verdict_lang)lang) < 0)
			log_warn("page", "no memory for a new state");
	}
	send_all(s);
}

int page_serve(struct page_server **ret, struct loop *loop, struct page_config *config,
	       struct page_state *state, int reporter, struct err *err)
{
	struct page_server *s = calloc(1, sizeof *s);
	struct web_config web = {.loop = loop,
				 .fd = config->listener,
				 .max_connections = CONNECTIONS_MAX,
				 .head_ms = HEAD_MS,
				 .stuck_ms = STUCK_MS,
				 .headers = headers,
				 .asked = asked,
				 .ctx = s};

	if (!s || asprintf(&s->style, "%s%s", html_style, page_style) < 0)
		return err_set(err, -ENOMEM, "no memory for the page");
	s->config = config;
	s->state = state;
	s->reporter = reporter;
	*ret = s;
	for (unsigned lang = 0; lang < VERDICT_LANGS; lang++)
		(void)page_view_render(&s->view, state, (enum verdict_lang)lang);
	if (loop_timer_new(&s->beat, loop, on_beat, s) < 0 ||
	    (reporter >= 0 && loop_watch_new(&s->reports, loop, reporter, on_report, s) < 0))
		return err_set(err, -ENOMEM, "no memory for the page");
	loop_timer_set(s->beat, BEAT_MS);
	return web_start(&s->web, &web, err);
}
