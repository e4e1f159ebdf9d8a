// SPDX-License-Identifier: Apache-2.0
/*
 * See credentials.h. Sources: "Configuration and credential file settings" (AWS CLI User Guide), "Container credential
 * provider" and "IMDS credential provider" (AWS SDKs and Tools Reference Guide), "Use the Instance Metadata Service"
 * (EC2 User Guide).
 */
#include "collector/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/http.h"
#include "platform/clock.h"
#include "platform/ec2/imds.h"
#include "platform/file.h"
#include "platform/json_read.h"
#include "platform/log.h"

static const char tag[] = "credentials";

enum {
	KEY_MAX = 128,
	SECRET_MAX = 128,
	TOKEN_MAX = 4096,
	ANSWER_MAX = 16384,
	FILE_BYTES_MAX = 65536,
	URL_MAX = 512,
	EARLY_S = 300,    /* they are fetched so long before they expire */
	AGAIN_S = 30,     /* and, when that fails while they hold, not sooner than so long after */
	BEARER_S = 21600, /* of a token of the metadata service: the most */
	CONNECT_S = 2,
	ANSWER_S = 5,
};

enum source { FROM_FILE, FROM_ENVIRONMENT, FROM_CONTAINER, FROM_ROLE };

/* Lies in pages of its own. */
struct credentials {
	enum source source;
	struct http *http;
	char file[URL_MAX], url[URL_MAX], token_file[URL_MAX];
	uint64_t expires_s; /* 0: never */
	uint64_t not_before_s;
	bool is_stale; /* refused, or not yet fetched */
	char access[KEY_MAX], secret[SECRET_MAX], token[TOKEN_MAX];
	char bearer[TOKEN_MAX]; /* of the container's agent, or of the metadata service */
	char header[TOKEN_MAX + 64];
	char answer[ANSWER_MAX];
};

/* ---- memory ---- */

static size_t bytes_of(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (sizeof(struct credentials) + page - 1) / page * page;
}

static struct credentials *new_pages(void)
{
	struct credentials *c =
		/* cppcheck-suppress invalidFunctionArg; a mapping of no file has no descriptor */
		mmap(NULL, bytes_of(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (c == MAP_FAILED)
		return NULL;
	if (mlock(c, bytes_of()) < 0)
		log_warn(tag, "keys may reach the swap space: mlock: %s", strerror(errno));
	(void)madvise(c, bytes_of(), MADV_DONTDUMP);
	(void)madvise(c, bytes_of(), MADV_DONTFORK);
	return c;
}

void credentials_close(struct credentials *c)
{
	if (!c)
		return;
	http_free(c->http);
	explicit_bzero(c, sizeof *c);
	(void)munmap(c, bytes_of());
}

/* Is it as long as it may be, and printable? Keys go into headers. */
static bool keep(char *out, size_t cap, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (len == 0 || len >= cap)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	}
	memcpy(out, text, len + 1);
	return true;
}

/* ---- file ---- */

struct keys_file {
	const char *path;
	size_t line;
	bool is_ours; /* within [default], or before any section */
};

static int bad_line(const struct keys_file *f, const char *what, struct err *err)
{
	return err_set(err, ERR_USAGE, "%s:%zu: %s", f->path, f->line, what);
}

static char *trim(char *text)
{
	size_t len;

	text += strspn(text, " \t\r");
	for (len = strlen(text); len > 0 && strchr(" \t\r", text[len - 1]);)
		text[--len] = '\0';
	return text;
}

static int read_line(struct credentials *c, struct keys_file *f, char *line, struct err *err)
{
	const struct {
		const char *name;
		char *to;
		size_t cap;
	} names[] = {{"aws_access_key_id", c->access, sizeof c->access},
		     {"aws_secret_access_key", c->secret, sizeof c->secret},
		     {"aws_session_token", c->token, sizeof c->token}};
	char *value;

	line = trim(line);
	if (*line == '\0' || *line == '#' || *line == ';')
		return 0;
	if (*line == '[') {
		f->is_ours = strcmp(line, "[default]") == 0;
		return 0;
	}
	if (!f->is_ours)
		return 0;
	value = strchr(line, '=');
	if (!value)
		return bad_line(f, "not a line as `aws_access_key_id = ...`", err);
	*value++ = '\0';
	line = trim(line);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(line, names[i].name) == 0)
			return keep(names[i].to, names[i].cap, trim(value))
				       ? 0
				       : bad_line(f,
						  "the value is empty, too long or not printable",
						  err);
	}
	return bad_line(f,
			"only aws_access_key_id, aws_secret_access_key and aws_session_token are "
			"understood in [default]",
			err);
}

/* Only its owner may read it: root or the user that the collector runs as. */
static int open_private(const char *path, int *ret_fd, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return err_errno(err, "the file of credentials %s cannot be opened", path);
	*ret_fd = fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, ERR_USAGE, "the file of credentials %s is not a regular file",
			       path);
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return err_set(err, ERR_USAGE,
			       "the file of credentials %s is open to others than its owner (mode "
			       "%04o): chmod 600 %s",
			       path, (unsigned)(st.st_mode & 07777), path);
	return 0;
}

static int read_file(struct credentials *c, struct err *err)
{
	struct keys_file f = {.path = c->file, .is_ours = true};
	char *text = NULL, *rest, *line;
	size_t len = 0;
	int fd = -1, rc = open_private(c->file, &fd, err);

	if (rc == 0) {
		rc = file_reread(fd, FILE_BYTES_MAX, &text, &len);
		if (rc < 0)
			rc = err_set(err, rc, "the file of credentials %s cannot be read: %s",
				     c->file, strerror(-rc));
	}
	if (fd >= 0)
		(void)close(fd);
	c->access[0] = c->secret[0] = c->token[0] = '\0';
	for (rest = text; rc == 0 && (line = strsep(&rest, "\n")) != NULL;) {
		f.line++;
		rc = read_line(c, &f, line, err);
	}
	if (text)
		explicit_bzero(text, len);
	free(text);
	if (rc == 0 && (!*c->access || !*c->secret))
		rc = err_set(
			err, ERR_USAGE,
			"%s: aws_access_key_id or aws_secret_access_key is missing in [default]",
			c->file);
	return rc;
}

/* ---- environment ---- */

static const char *const secret_names[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
					   "AWS_SESSION_TOKEN",
					   "AWS_CONTAINER_AUTHORIZATION_TOKEN"};

static const char *given(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static int read_environment(struct credentials *c, struct err *err)
{
	const char *token = given(secret_names[2]);

	if (!keep(c->access, sizeof c->access, given(secret_names[0])) ||
	    !keep(c->secret, sizeof c->secret, given(secret_names[1])) ||
	    (token && !keep(c->token, sizeof c->token, token)))
		return err_set(err, ERR_USAGE,
			       "the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or "
			       "AWS_SESSION_TOKEN is missing, too long or not printable");
	return 0;
}

void credentials_wipe_environment(void)
{
	for (size_t i = 0; i < sizeof secret_names / sizeof secret_names[0]; i++) {
		char *value = getenv(secret_names[i]);

		if (value)
			explicit_bzero(value, strlen(value));
		(void)unsetenv(secret_names[i]);
	}
}

/* ---- the services that give them ---- */

/* Its body is in c->answer. `header` may be NULL. */
static int ask(struct credentials *c, const char *method, const char *url, const char *header,
	       struct err *err)
{
	const char *const headers[] = {header};
	const struct http_request request = {.method = method,
					     .url = url,
					     .headers = headers,
					     .n_headers = header ? 1 : 0,
					     .body = strcmp(method, "PUT") == 0 ? "" : NULL,
					     .answer = c->answer,
					     .answer_cap = sizeof c->answer};
	struct http_answer answer;
	int rc = http_do(c->http, &request, &answer, err);

	if (rc < 0)
		return rc;
	return answer.status == 200 && !answer.is_cut
		       ? 0
		       : err_set(err, -EIO, "%s: it answered %u", credentials_source(c),
				 answer.status);
}

/* The body, which is wiped, says keys, token and their end. */
static int read_answer(struct credentials *c, struct err *err)
{
	struct json *json = NULL;
	const struct json_value *root;
	const char *expires;
	char *text = strdup(c->answer);
	int rc = text ? json_parse(&json, text, strlen(text), credentials_source(c), err)
		      : err_set(err, -ENOMEM, "no memory for credentials");

	explicit_bzero(c->answer, sizeof c->answer);
	if (rc < 0)
		return rc;
	root = json_root(json);
	expires = json_member_text(root, "Expiration");
	if (!keep(c->access, sizeof c->access, json_member_text(root, "AccessKeyId")) ||
	    !keep(c->secret, sizeof c->secret, json_member_text(root, "SecretAccessKey")) ||
	    !keep(c->token, sizeof c->token, json_member_text(root, "Token")) || !expires ||
	    clock_parse(expires, &c->expires_s, NULL) < 0)
		rc = err_set(
			err, ERR_FORMAT,
			"%s: the answer has no AccessKeyId, SecretAccessKey, Token or Expiration",
			credentials_source(c));
	json_free(json);
	return rc;
}

/* Its answer names the one role that an instance has; of several lines the first. */
static int fetch_role(struct credentials *c, struct err *err)
{
	static const char path[] = "/latest/meta-data/iam/security-credentials/";
	char url[URL_MAX + 256], role[128], header[64];
	int rc;

	(void)snprintf(url, sizeof url, "%s/latest/" IMDS_TOKEN_PATH, c->url);
	(void)snprintf(header, sizeof header, IMDS_ASKS ": %d", BEARER_S);
	rc = ask(c, "PUT", url, header, err);
	if (rc == 0 && !keep(c->bearer, sizeof c->bearer, c->answer))
		rc = err_set(err, ERR_FORMAT, "%s: its token is none", credentials_source(c));
	if (rc < 0)
		return rc;
	(void)snprintf(c->header, sizeof c->header, IMDS_BEARS ": %s", c->bearer);
	(void)snprintf(url, sizeof url, "%s%s", c->url, path);
	rc = ask(c, "GET", url, c->header, err);
	c->answer[strcspn(c->answer, "\r\n")] = '\0';
	if (rc == 0 && (!keep(role, sizeof role, c->answer) || strpbrk(role, "/?#")))
		rc = err_set(err, ERR_FORMAT, "%s: this instance has no role",
			     credentials_source(c));
	if (rc < 0)
		return rc;
	(void)snprintf(url, sizeof url, "%s%s%s", c->url, path, role);
	return ask(c, "GET", url, c->header, err);
}

/* A file's token may change: it is read each time (EKS Pod Identity). */
static int fetch_container(struct credentials *c, struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	int rc = 0;

	if (*c->token_file) {
		rc = file_read_all(c->token_file, TOKEN_MAX - 1, &text, &len, err);
		if (rc == 0 && !keep(c->bearer, sizeof c->bearer, trim(text)))
			rc = err_set(err, ERR_FORMAT, "%s holds no token", c->token_file);
		if (text)
			explicit_bzero(text, len);
		free(text);
	}
	if (rc < 0)
		return rc;
	(void)snprintf(c->header, sizeof c->header, "Authorization: %s", c->bearer);
	return ask(c, "GET", c->url, *c->bearer ? c->header : NULL, err);
}

static int fetch(struct credentials *c, struct err *err)
{
	int rc;

	if (c->source == FROM_FILE)
		return read_file(c, err);
	rc = c->source == FROM_ROLE ? fetch_role(c, err) : fetch_container(c, err);
	if (rc == 0)
		rc = read_answer(c, err);
	explicit_bzero(c->answer, sizeof c->answer);
	explicit_bzero(c->header, sizeof c->header);
	return rc;
}

/* Keys by clear HTTP come only from this machine, or from where AWS has put its agents. */
static bool is_trusted(const char *url)
{
	static const char *const hosts[] = {"http://127.0.0.1",      "http://localhost",
					    "http://[::1]",          "http://169.254.170.2",
					    "http://169.254.170.23", "http://[fd00:ec2::23]"};

	if (strchr(url, '@'))
		return false;
	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		size_t len = strlen(hosts[i]);

		if (strncmp(url, hosts[i], len) == 0 && strchr(":/", url[len]))
			return true;
	}
	return strncmp(url, "https://", strlen("https://")) == 0;
}

static int open_container(struct credentials *c, struct err *err)
{
	const char *path = given("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *file = given("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
		   *token = given("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	int n = snprintf(c->url, sizeof c->url, "%s%s", path ? "http://169.254.170.2" : "",
			 path ? path : given("AWS_CONTAINER_CREDENTIALS_FULL_URI"));

	if ((size_t)n >= sizeof c->url || !is_trusted(c->url))
		return err_set(
			err, ERR_USAGE,
			"the environment: AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https "
			"nor of this machine");
	if (file && !keep(c->token_file, sizeof c->token_file, file))
		return err_set(
			err, ERR_USAGE,
			"the environment: AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE is too long");
	if (!file && token && !keep(c->bearer, sizeof c->bearer, token))
		return err_set(err, ERR_USAGE,
			       "the environment: AWS_CONTAINER_AUTHORIZATION_TOKEN cannot be sent");
	return 0;
}

static int open_source(struct credentials *c, const char *file, struct err *err)
{
	const char *imds = given("AWS_EC2_METADATA_SERVICE_ENDPOINT");

	if (file) {
		c->source = FROM_FILE;
		return keep(c->file, sizeof c->file, file)
			       ? read_file(c, err)
			       : err_set(err, ERR_USAGE, "the path of the credentials is too long");
	}
	if (given(secret_names[0])) {
		c->source = FROM_ENVIRONMENT;
		return read_environment(c, err);
	}
	c->is_stale = true;
	if (given("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") ||
	    given("AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
		c->source = FROM_CONTAINER;
		return open_container(c, err);
	}
	c->source = FROM_ROLE;
	return keep(c->url, sizeof c->url, imds ? imds : "http://" IMDS_HOST4)
		       ? 0
		       : err_set(err, ERR_USAGE,
				 "the environment: AWS_EC2_METADATA_SERVICE_ENDPOINT is too long");
}

/* ---- */

int credentials_open(struct credentials **ret, const char *file, struct err *err)
{
	/* No proxy, and the system's CAs. */
	const struct http_options options = {.connect_s = CONNECT_S, .answer_s = ANSWER_S};
	struct credentials *c = new_pages();
	int rc;

	*ret = NULL;
	if (!c)
		return err_set(err, -ENOMEM, "no memory for credentials");
	rc = http_new(&c->http, &options, err);
	if (rc == 0)
		rc = open_source(c, file, err);
	if (rc < 0)
		credentials_close(c);
	else
		*ret = c;
	return rc;
}

const char *credentials_source(const struct credentials *c)
{
	static const char *const texts[] = {
		[FROM_FILE] = "the file of credentials",
		[FROM_ENVIRONMENT] = "the environment",
		[FROM_CONTAINER] = "the container's credential service",
		[FROM_ROLE] = "the instance's role (metadata service)",
	};

	return texts[c->source];
}

bool credentials_can_change(const struct credentials *c)
{
	return c->source != FROM_ENVIRONMENT;
}

void credentials_refused(struct credentials *c)
{
	c->is_stale = credentials_can_change(c);
}

int credentials_get(struct credentials *c, uint64_t now_s, struct sigv4_credentials *ret,
		    struct err *err)
{
	bool is_due = c->expires_s > 0 && now_s + EARLY_S >= c->expires_s;
	bool hold = !c->is_stale && (c->expires_s == 0 || now_s < c->expires_s);
	int rc = 0;

	if (c->is_stale || (is_due && (!hold || now_s >= c->not_before_s))) {
		rc = fetch(c, err);
		c->not_before_s = now_s + AGAIN_S;
		c->is_stale = rc < 0 && !hold;
		if (rc < 0 && hold)
			log_warn(tag, "%s; the keys at hand hold until they expire", err->text);
		if (hold)
			rc = 0;
	}
	if (rc < 0)
		return rc;
	*ret = (struct sigv4_credentials){c->access, c->secret, *c->token ? c->token : NULL};
	return 0;
}
