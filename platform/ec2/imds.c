// SPDX-License-Identifier: Apache-2.0
/*
 * imds: see imds.h.
 */
#include "platform/ec2/imds.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "platform/bytes.h"

enum { MAC_TEXT = 17 };

/* What a value looks like. */
enum form { TOKEN, ID, ACCOUNT, WORD, MAC, ADDRESS4, ADDRESS6, PREFIX };

static const struct {
	const char *name, *path; /* below /latest/, of an interface below its address */
	const char *id;          /* what an ID begins with */
	uint8_t form;
} items[IMDS_ITEMS] = {
	[IMDS_TOKEN] = {"token", IMDS_TOKEN_PATH, NULL, TOKEN},
	[IMDS_INSTANCE_ID] = {"instance-id", "meta-data/instance-id", "i-", ID},
	[IMDS_REGION] = {"region", "meta-data/placement/region", NULL, WORD},
	[IMDS_AZ_ID] = {"az-id", "meta-data/placement/availability-zone-id", NULL, WORD},
	[IMDS_MACS] = {"macs", "meta-data/network/interfaces/macs/", NULL, MAC},
	[IMDS_INTERFACE_ID] = {"interface-id", "interface-id", "eni-", ID},
	[IMDS_OWNER_ID] = {"account-id", "owner-id", NULL, ACCOUNT},
	[IMDS_VPC_ID] = {"vpc-id", "vpc-id", "vpc-", ID},
	[IMDS_SUBNET_ID] = {"subnet-id", "subnet-id", "subnet-", ID},
	[IMDS_SUBNET_IPV4] = {"subnet-ipv4-cidr-block", "subnet-ipv4-cidr-block", NULL, PREFIX},
	[IMDS_SUBNET_IPV6] = {"subnet-ipv6-cidr-blocks", "subnet-ipv6-cidr-blocks", NULL, PREFIX},
	[IMDS_LOCAL_IPV4] = {"local-ipv4s", "local-ipv4s", NULL, ADDRESS4},
	[IMDS_IPV6] = {"ipv6s", "ipv6s", NULL, ADDRESS6},
	[IMDS_PUBLIC_IPV4] = {"public-ipv4s", "public-ipv4s", NULL, ADDRESS4},
};

const char *imds_item_name(enum imds_item item)
{
	return items[item].name;
}

/* ---- values ---- */

static bool all_of(const char *value, size_t len, const char *letters)
{
	for (size_t i = 0; i < len; i++)
		if (!value[i] || !strchr(letters, value[i]))
			return false;
	return len > 0;
}

static const char hex_digits[] = "0123456789abcdef";

static bool prefix_ok(const char *value, size_t len)
{
	char text[IMDS_VALUE_MAX];
	struct cidr cidr;
	struct err err;

	memcpy(text, value, len);
	text[len] = '\0';
	return all_of(text, len, "0123456789abcdefABCDEF:./") && strchr(text, '/') &&
	       cidr_parse(text, &cidr, &err) == 0;
}

bool imds_value_ok(enum imds_item item, const char *value, size_t len)
{
	const char *id = items[item].id;
	struct addr addr;
	uint8_t family;

	if (len == 0 ||
	    len >= (item == IMDS_TOKEN ? (size_t)IMDS_TOKEN_MAX : (size_t)IMDS_VALUE_MAX))
		return false;
	switch ((enum form)items[item].form) {
	case TOKEN:
		for (size_t i = 0; i < len; i++)
			if (value[i] <= ' ' || value[i] > '~')
				return false;
		return true;
	case ID: {
		size_t head = strlen(id);

		return len >= head + 8 && len <= head + 17 && memcmp(value, id, head) == 0 &&
		       all_of(value + head, len - head, hex_digits);
	}
	case ACCOUNT: return len == 12 && all_of(value, len, "0123456789");
	case WORD: return all_of(value, len, "abcdefghijklmnopqrstuvwxyz0123456789-");
	case MAC:
		for (size_t i = 0; i < len; i++)
			if (i % 3 == 2 ? value[i] != ':' : !all_of(value + i, 1, hex_digits))
				return false;
		return len == MAC_TEXT;
	case ADDRESS4: return addr_read(value, len, &addr, &family) && family == 4;
	case ADDRESS6: return addr_read(value, len, &addr, &family) && family == 6;
	case PREFIX: return prefix_ok(value, len);
	}
	return false;
}

/* ---- answers ---- */

/* The next line without its end; NULL: it has none yet. */
static const char *next_line(struct rd *r, size_t *ret_len)
{
	const uint8_t *at = r->p, *lf = memchr(at, '\n', rd_left(r));

	if (!lf)
		return NULL;
	(void)rd_take(r, (size_t)(lf - at) + 1);
	*ret_len = (size_t)(lf - at);
	if (*ret_len && at[*ret_len - 1] == '\r')
		--*ret_len;
	return (const char *)at;
}

/* The value of a header of this name; NULL: it is another. */
static const char *header(const char *line, size_t len, const char *name, size_t *ret_len)
{
	size_t n = strlen(name);

	if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
		return NULL;
	for (n++; n < len && (line[n] == ' ' || line[n] == '\t'); n++)
		;
	while (len > n && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	*ret_len = len - n;
	return line + n;
}

/* Up to six digits: more is more than fits. */
static bool number(const char *text, size_t len, size_t *ret)
{
	*ret = 0;
	if (len == 0 || len > 6)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*ret = *ret * 10 + (size_t)(text[i] - '0');
	}
	return true;
}

/* "HTTP/1.1 200 OK" */
static bool status_line(const char *line, size_t len, struct imds_answer *ret)
{
	size_t status;

	if (len < 12 || memcmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ' ||
	    (len > 12 && line[12] != ' ') || !number(line + 9, 3, &status) || status < 200)
		return false;
	ret->status = (unsigned)status;
	ret->closes = line[7] == '0';
	return true;
}

enum imds_read imds_read_answer(const uint8_t *bytes, size_t len, bool at_end,
				struct imds_answer *ret, const char **ret_why)
{
	struct rd r = rd_init(bytes, len);
	const char *line, *value;
	size_t n, size = 0, other;
	bool has_size = false;

	*ret = (struct imds_answer){.status = 0};
	while ((line = next_line(&r, &n))) {
		if (!ret->status) {
			if (!status_line(line, n, ret)) {
				*ret_why = "the answer is no HTTP";
				return IMDS_BROKEN;
			}
		} else if (n == 0) {
			break;
		} else if ((value = header(line, n, "content-length", &n))) {
			if (!number(value, n, &other) || (has_size && other != size)) {
				*ret_why = "its length is none";
				return IMDS_BROKEN;
			}
			size = other;
			has_size = true;
		} else if (header(line, n, "transfer-encoding", &n)) {
			*ret_why = "the answer comes in an encoding";
			return IMDS_BROKEN;
		} else if ((value = header(line, n, "connection", &n)) && n == 5 &&
			   strncasecmp(value, "close", 5) == 0) {
			ret->closes = true;
		}
	}
	if (!line) {
		*ret_why = at_end ? "the answer is cut" : "";
		return at_end ? IMDS_BROKEN : IMDS_MORE;
	}
	ret->body = r.p;
	ret->len = rd_left(&r);
	if (!has_size) {
		ret->closes = true;
		return at_end ? IMDS_READ : IMDS_MORE;
	}
	if (ret->len > size) {
		*ret_why = "more came than was asked for";
		return IMDS_BROKEN;
	}
	if (ret->len == size)
		return IMDS_READ;
	*ret_why = at_end ? "the answer is cut" : "";
	return at_end ? IMDS_BROKEN : IMDS_MORE;
}

/* ---- the machine ---- */

void imds_init(struct imds *m, const struct imds_want *want, size_t n_want,
	       const struct imds_ops *ops, void *ctx)
{
	*m = (struct imds){.ops = ops, .ctx = ctx, .why = ""};
	m->n_want = n_want < IMDS_INTERFACES_MAX ? n_want : IMDS_INTERFACES_MAX;
	memcpy(m->want, want, m->n_want * sizeof *want);
}

struct endpoint imds_endpoint(const struct imds *m)
{
	static const struct endpoint at[2] = {
		{.addr = IMDS_ADDR4, .port = IMDS_PORT, .family = 4},
		{.addr = IMDS_ADDR6, .port = IMDS_PORT, .family = 6},
	};

	return at[m->is_ipv6];
}

uint64_t imds_deadline(const struct imds *m)
{
	uint64_t last = m->started_ms + IMDS_PATIENCE_MS;

	return m->deadline_ms < last ? m->deadline_ms : last;
}

static enum imds_action end(struct imds *m, bool is_complete)
{
	m->state = IMDS_OVER;
	m->is_complete = is_complete;
	memset(m->token, 0, sizeof m->token);
	return IMDS_END;
}

static enum imds_action connect_now(struct imds *m, uint64_t now_ms)
{
	m->state = IMDS_CONNECTING;
	m->deadline_ms = now_ms + IMDS_ANSWER_MS;
	m->answer_len = 0;
	return IMDS_CONNECT;
}

static enum imds_action fail(struct imds *m, uint64_t now_ms, const char *why)
{
	m->failures++;
	m->why = why;
	m->is_ipv6 = m->has_answered ? m->is_ipv6 : !m->is_ipv6;
	m->state = IMDS_PAUSING;
	m->deadline_ms = now_ms + m->pause_ms;
	m->pause_ms = 2 * m->pause_ms > IMDS_PAUSE_MAX_MS ? IMDS_PAUSE_MAX_MS : 2 * m->pause_ms;
	return IMDS_CLOSE;
}

static enum imds_action ask(struct imds *m, uint64_t now_ms)
{
	char mac[3 * sizeof m->want[0].mac + sizeof "meta-data/network/interfaces/macs/"] = "";
	const uint8_t *b = m->want[m->at].mac;
	bool is_put = !*m->token;
	int len;

	if (!is_put && m->item >= IMDS_INTERFACE_ID)
		(void)snprintf(mac, sizeof mac,
			       "meta-data/network/interfaces/macs/%02x:%02x:%02x:%02x:%02x:%02x/",
			       b[0], b[1], b[2], b[3], b[4], b[5]);
	len = snprintf(m->request, sizeof m->request,
		       "%s /latest/%s%s HTTP/1.1\r\nHost: %s\r\n%s%.*s\r\n%s\r\n",
		       is_put ? "PUT" : "GET", mac, items[is_put ? IMDS_TOKEN : m->item].path,
		       m->is_ipv6 ? "[" IMDS_HOST6 "]" : IMDS_HOST4,
		       is_put ? IMDS_ASKS ": " : IMDS_BEARS ": ", IMDS_TOKEN_MAX,
		       is_put ? "300" : m->token, is_put ? "Content-Length: 0\r\n" : "");
	m->request_len = (size_t)len;
	m->answer_len = 0;
	m->state = IMDS_ASKING;
	m->deadline_ms = now_ms + IMDS_ANSWER_MS;
	m->requests++;
	m->tokens += is_put;
	return IMDS_SEND;
}

_Static_assert(IMDS_TOKEN_S == 300, "the request says so");

/* Those that are wanted by being the only one. */
static void take_mac(struct imds *m, const char *text)
{
	uint8_t mac[6];

	m->interfaces++;
	for (size_t i = 0; i < sizeof mac; i++) {
		const char *high = strchr(hex_digits, text[3 * i]);
		const char *low = strchr(hex_digits, text[3 * i + 1]);

		mac[i] = (uint8_t)((high - hex_digits) << 4 | (low - hex_digits));
	}
	for (size_t i = 0; i < m->n_want; i++) {
		struct imds_want *want = &m->want[i];

		if (want->sole) {
			m->listed[i] = m->interfaces == 1;
			memcpy(want->mac, mac, sizeof mac);
		} else if (memcmp(want->mac, mac, sizeof mac) == 0) {
			m->listed[i] = true;
		}
	}
}

static void take_value(struct imds *m, const char *value, size_t len)
{
	char text[IMDS_TOKEN_MAX];

	/* A list's entries that are folders end in a slash. */
	if (m->item == IMDS_MACS && len == MAC_TEXT + 1 && value[MAC_TEXT] == '/')
		len--;
	if (!imds_value_ok(m->item, value, len)) {
		m->misshapen++;
		return;
	}
	memcpy(text, value, len);
	text[len] = '\0';
	if (m->item == IMDS_MACS)
		take_mac(m, text);
	else
		m->ops->value(m->ctx, m->item < IMDS_INTERFACE_ID ? 0 : m->at, m->item, text);
}

static void take_body(struct imds *m, const struct imds_answer *answer)
{
	bool is_list = m->item == IMDS_MACS || m->item >= IMDS_SUBNET_IPV4;
	struct rd r = rd_init(answer->body, answer->len);

	while (rd_left(&r) > 0) {
		size_t len = rd_left(&r), skip = len;
		const char *text = (const char *)r.p;
		const char *lf = memchr(text, '\n', len);

		if (lf) {
			len = (size_t)(lf - text);
			skip = len + 1;
		}
		(void)rd_take(&r, skip);
		if (len > 0)
			take_value(m, text, len);
		if (!is_list) {
			m->misshapen += rd_left(&r) > 0;
			return;
		}
	}
}

/* Goes on to what is to be asked next; false: nothing. */
static bool next_item(struct imds *m)
{
	if (m->item + 1 < IMDS_ITEMS) {
		m->item++;
	} else {
		m->item = IMDS_INTERFACE_ID;
		m->at++;
	}
	while (m->item >= IMDS_INTERFACE_ID && m->at < m->n_want && !m->listed[m->at])
		m->at++;
	return m->item < IMDS_INTERFACE_ID || m->at < m->n_want;
}

static bool take_token(struct imds *m, const struct imds_answer *answer)
{
	size_t len = answer->len;

	while (len > 0 && (answer->body[len - 1] == '\n' || answer->body[len - 1] == '\r'))
		len--;
	if (!imds_value_ok(IMDS_TOKEN, (const char *)answer->body, len))
		return false;
	memcpy(m->token, answer->body, len);
	m->token[len] = '\0';
	if (m->item == IMDS_TOKEN)
		m->item++;
	return true;
}

static enum imds_action answered(struct imds *m, uint64_t now_ms, const struct imds_answer *answer)
{
	bool is_put = !*m->token;

	switch (answer->status) {
	case 200: break;
	case 401:
		m->refused++;
		m->why = "401: it takes no token";
		*m->token = '\0';
		if (is_put || m->tokens >= IMDS_TOKENS) {
			m->tokens = 0;
			return fail(m, now_ms, m->why);
		}
		return answer->closes ? connect_now(m, now_ms) : ask(m, now_ms);
	case 403:
		m->refused++;
		m->why = "403: instance metadata is switched off, or refused to this process";
		return end(m, false);
	case 404:
		if (is_put)
			return fail(m, now_ms, "404: it gives no token");
		m->absent++;
		break;
	case 429:
	case 503: return fail(m, now_ms, "it is busy");
	default: return fail(m, now_ms, "it answers with a status that it does not have");
	}
	if (is_put) {
		if (!take_token(m, answer))
			return fail(m, now_ms, "its token is none");
	} else {
		m->tokens = 0;
		if (answer->status == 200)
			take_body(m, answer);
		if (!next_item(m))
			return end(m, true);
	}
	m->has_answered = true;
	m->pause_ms = IMDS_PAUSE_MIN_MS;
	return answer->closes ? connect_now(m, now_ms) : ask(m, now_ms);
}

static enum imds_action take_input(struct imds *m, uint64_t now_ms, bool at_end, const char *why)
{
	struct imds_answer answer;

	if (m->answer_len == 0 && at_end)
		return fail(m, now_ms, why);
	switch (imds_read_answer(m->answer, m->answer_len, at_end, &answer, &why)) {
	case IMDS_READ: return answered(m, now_ms, &answer);
	case IMDS_BROKEN: return fail(m, now_ms, why);
	case IMDS_MORE: break;
	}
	return IMDS_WAIT;
}

enum imds_action imds_step(struct imds *m, enum imds_event event, uint64_t now_ms,
			   const uint8_t *bytes, size_t len, const char *why)
{
	if (event == IMDS_BEGIN) {
		m->started_ms = now_ms;
		m->pause_ms = IMDS_PAUSE_MIN_MS;
		return connect_now(m, now_ms);
	}
	if (m->state == IMDS_OVER)
		return IMDS_END;
	if (now_ms >= m->started_ms + IMDS_PATIENCE_MS) {
		m->why = *m->why ? m->why : "it takes too long";
		return end(m, false);
	}
	switch (event) {
	case IMDS_CONNECTED: return m->state == IMDS_CONNECTING ? ask(m, now_ms) : IMDS_WAIT;
	case IMDS_INPUT:
		if (m->state != IMDS_ASKING)
			return IMDS_WAIT;
		if (len > sizeof m->answer - m->answer_len)
			return fail(m, now_ms, "the answer is too long");
		memcpy(m->answer + m->answer_len, bytes, len);
		m->answer_len += len;
		return take_input(m, now_ms, false, "");
	case IMDS_CLOSED:
		if (m->state == IMDS_ASKING)
			return take_input(m, now_ms, true, why);
		return m->state == IMDS_CONNECTING ? fail(m, now_ms, why) : IMDS_WAIT;
	case IMDS_TIMER:
		if (now_ms < m->deadline_ms)
			return IMDS_WAIT;
		if (m->state == IMDS_PAUSING)
			return connect_now(m, now_ms);
		return fail(m, now_ms, "no answer in time");
	case IMDS_BEGIN: break;
	}
	return IMDS_WAIT;
}
